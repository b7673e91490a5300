"""Outages that a site wrote down: what failed, when, for how long, read from any table into arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim.records.tables import Broken, Table, names_found
from dcsim.records.times import Order
from dcsim.records.where import Written
from dcsim.textfile import RecordError
from dcsim.wording import did_you_mean, shown

Values = NDArray[np.float64]

ROLES: Mapping[str, tuple[str, ...]] = {
    "start": (
        "start",
        "started",
        "prob started",
        "begin",
        "began",
        "down",
        "failed",
        "failed_at",
        "time_start",
        "opened",
    ),
    "end": ("end", "ended", "prob fixed", "fixed", "repaired", "up", "resolved", "resolved_at", "time_end", "closed"),
    "start_h": ("start_h", "hour"),
    "repair_h": ("repair_h", "repair hours", "downtime_h", "duration_h"),
    "repair_min": ("repair_min", "down time", "downtime_min", "duration_min"),
    "component": ("component", "node", "host", "hostname", "nodename", "node_name", "nodelist", "nodenumz", "server"),
    "kind": ("class", "cause", "category", "kind", "type"),
}
"""What a column may hold, and names by which it is known without being told, in any case."""
STARTS, ENDS = ("start", "start_h"), ("end", "repair_h", "repair_min")
"""Roles of which a table has one each."""


@dataclass(frozen=True, eq=False)
class Outages:
    """Outages by time: ``start_h`` and ``end_h`` [h from ``begin``], float64 (n,); NaN where one is still open.

    ``component``, ``kind``: int64 (n,), indices into ``components`` and ``kinds``, which are sorted by first sight.
    ``span_h``: from ``begin`` to the last moment in the file. ``begin``: [s since 1970], None for a file of hours.
    ``told``: how the file was read, in sentences. ``rows``: lines that hold these outages, ``filtered``: lines that the
    conditions left out, ``broken``: lines that could not be read.

    What only some forms tell: ``noticed_h`` [h from ``begin``], float64 (n,), when somebody or something noticed it,
    NaN where that is not told; ``units``: components in service, those that never failed included; ``unit_h``: the
    hours that all of them were in service, where they come and go. ``ends_told``: False where the form tells no end at
    all, so that a NaN in ``end_h`` says nothing of how long a repair took. ``roles``: which of ``ROLES`` a table tells.
    """

    start_h: Values
    end_h: Values
    component: NDArray[np.int64]
    components: tuple[str, ...]
    kind: NDArray[np.int64]
    kinds: tuple[str, ...]
    begin: float | None
    span_h: float
    rows: int
    told: tuple[str, ...]
    broken: Broken = field(default_factory=Broken)
    noticed_h: Values | None = None
    units: int | None = None
    unit_h: float | None = None
    filtered: int = 0
    roles: tuple[str, ...] = ()
    ends_told: bool = True

    def __len__(self) -> int:
        """Return the number of outages; a row that names two components is two."""
        return len(self.start_h)

    @property
    def repair_h(self) -> Values:
        """How long each repair took [h]; NaN where it is still open."""
        return np.asarray(self.end_h - self.start_h)

    def of_kind(self, number: int) -> "Outages":
        """Return the outages of one kind; the components stay those of the whole file."""
        rows = self.kind == number
        return replace(
            self,
            start_h=self.start_h[rows],
            end_h=self.end_h[rows],
            component=self.component[rows],
            kind=self.kind[rows],
            noticed_h=None if self.noticed_h is None else self.noticed_h[rows],
        )


def roles_of(table: Table, said: Mapping[str, str], only: bool = False) -> dict[str, tuple[str, ...]]:
    """Return which columns hold what: as ``said`` (role -> columns, joined by "+"), the rest by their names.

    ``only``: nothing by its name. Raises RecordError for a column that is not there, for none that says when an outage
    began, and for two ways of saying one thing.
    """
    found: dict[str, tuple[str, ...]] = {}
    for role, columns in said.items():
        if role not in ROLES:
            raise RecordError(
                f"columns: found {shown(role)}; allowed: {', '.join(ROLES)}{did_you_mean(role, list(ROLES))}"
            )
        one = columns.strip()
        found[role] = (one,) if one in table.header else tuple(each.strip() for each in one.split("+"))
        for name in found[role]:
            if name not in table.header:
                raise RecordError(f"has no column {shown(name)}; {names_found(table.header, name)}")
    for either in (STARTS, ENDS):
        if len(both := [role for role in either if role in said]) > 1:
            raise RecordError(f"has columns for {' and '.join(both)}; name the one to read in columns")
    if "start_h" in said and "end" in said:
        raise RecordError("has a column for end, but none for start to count from")
    taken = {name for names in found.values() for name in names}
    lower = {name.lower(): name for name in reversed(table.header)}
    for role, names in {} if only else ROLES.items():
        group: tuple[str, ...] = next((group for group in (STARTS, ENDS) if role in group), (role,))
        known = next((lower[name] for name in names if name in lower and lower[name] not in taken), None)
        if known is not None and not found.keys() & set(group):
            found[role] = (known,)
            taken.add(known)
    if not found.keys() & set(STARTS):
        why = f"has no column that says when an outage began; {names_found(table.header)}"
        raise RecordError(f"{why}; say in columns what start is called")
    return found


def read_outages(
    path: Path,
    columns: Mapping[str, str] | None = None,
    where: Sequence[Written] = (),
    dates: Order | None = None,
) -> Outages:
    """Read a file of outages as a stream; raises RecordError.

    ``columns``: role -> column, or several joined by "+", whose texts together name a component. ``where``: conditions
    that rows must meet. ``dates``: whether day or month comes first, where the file does not tell.
    """
    from dcsim.records.cuts import Cut, read_cuts

    (found,) = read_cuts(path, [Cut(columns or {}, tuple(where), dates)])
    if isinstance(found, RecordError):
        raise found
    return found[0]
