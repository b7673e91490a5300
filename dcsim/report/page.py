"""Tables and passages, before any layout, and how names stand in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.report.figures import Cell
from dcsim.wording import printable as printable

if TYPE_CHECKING:
    from dcsim.decide import RunResult
    from dcsim.decide.estimate import Estimate

SHORT = 24
"""Letters of a name in a picture; source: assumed, what fits a phone."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a label with its unit, one cell per column. ``strong``: what the table is about."""

    label: str
    cells: tuple[Cell, ...]
    strong: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells as text."""
        return tuple(map(str, self.cells))


@dataclass(frozen=True)
class Table:
    """Rows under columns, ``corner`` above the labels; ``notes`` are sentences that belong to it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    corner: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """Sentences under a title, each after what it is about."""

    title: str
    items: tuple[tuple[str, str], ...]


def and_list(parts: Sequence[str]) -> str:
    """Join names the way a sentence does."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def names(runs: "Sequence[RunResult | Estimate]", longest: int = 40) -> tuple[str, ...]:
    """Return what the runs are called; those of one name are numbered."""
    called = [printable(run.scenario.name, longest) for run in runs]
    return tuple(f"{name} ({index})" if called.count(name) > 1 else name for index, name in enumerate(called, 1))
