"""A world for rules that run as plain Python: rows are objects with slots, tables are lists, numbers are Python's.

A record of numpy takes twenty times as long, and some of its columns could not be read by name, because every scalar of
numpy has a ``size``.
"""

from dataclasses import make_dataclass
from functools import cache
from typing import Any

from numpy.typing import NDArray

from dcsim.program.records import TABLES
from dcsim.program.world import Views, World


class Grid:
    """A table with two indices."""

    __slots__ = ("rows", "shape")

    def __init__(self, rows: list[list[Any]], shape: tuple[int, ...]) -> None:
        self.rows, self.shape = rows, shape

    def __getitem__(self, place: tuple[int, int]) -> Any:
        return self.rows[place[0]][place[1]]

    def __setitem__(self, place: tuple[int, int], value: Any) -> None:
        self.rows[place[0]][place[1]] = value


@cache
def row_class(names: tuple[str, ...]) -> type:
    """Return a class with these columns."""
    return make_dataclass("Row", names, slots=True, eq=False)


def rows_of(table: NDArray[Any]) -> list[Any]:
    """Return the rows of a table as Python's numbers or as objects; of one with two indices, as lists of them."""
    names = table.dtype.names
    listed: list[Any] = table.tolist()
    if names is None:
        return listed
    row = row_class(names)
    return [[row(*each) for each in line] for line in listed] if table.ndim == 2 else [row(*line) for line in listed]


class PlainWorld(World):
    """Shows lists in place of arrays. They are copied from the arrays by ``take``, and back by ``give``."""

    def take(self) -> None:
        """Show every table as it is now."""
        tables = self.tables.all() if isinstance(self.tables, Views) else self.tables
        for name, table in tables.items():
            rows = rows_of(table)
            indices = TABLES[name][1]
            setattr(self, name, Grid(rows, table.shape) if indices == 2 else rows if indices else rows[0])

    def show(self, name: str, low: int, high: int) -> None:
        """An answer has written to rows of a table, or made room for more."""
        if name not in vars(self):
            return  # nothing is shown yet
        table, shown = self.tables[name], getattr(self, name)
        rows = shown
        if isinstance(shown, Grid):
            rows, shown.shape = shown.rows, table.shape
        rows[low:high] = rows_of(table[low:high])

    def give(self, *names: str) -> None:
        """Write what is shown back to the arrays."""
        for name in names:
            table, shown = self.tables[name], getattr(self, name)
            columns = table.dtype.names
            if columns is not None:
                shown = [tuple(getattr(row, column) for column in columns) for row in shown]
            if not table.size:
                continue
            table[:] = shown.rows if isinstance(shown, Grid) else shown
