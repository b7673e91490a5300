"""How a table fits a width: decimal points under each other, columns as wide as their cells, and where it is cut."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from dcsim.report.page import Row, Table

NARROWEST_HEADING, WIDEST_HEADING = 9, 16
GAP = "  "
"""Between two columns."""
_NUMBER = re.compile(r"([+-]?[\d,]*\d)((?:\.\d+)?(?: (?:±|to) .*)?)")
"""What stands before the decimal point of a cell's first number, and what stands behind it."""


def pieces(table: Table, width: int) -> list[Table]:
    """Cut a table into tables that fit the width, at least one column each, with their decimal points aligned.

    Those of a column stand under each other where that takes no further piece; else those of a column's rows of one
    unit, which the labels carry ("goodput loss, %"); else all cells end where their column ends.
    """
    plain = list(_cut(table, width))
    for unit in (lambda _: "", _unit):
        found = list(_cut(_aligned(table, unit), width))
        if len(found) <= len(plain):
            return found
    return plain


def headings_of(table: Table) -> list[tuple[int, list[str]]]:
    """Return the width and the lines of the heading of each column."""
    found = []
    for column, name in enumerate(table.columns):
        cells = wide([row.cells[column] for row in table.rows])
        heading = _heading(name, cells)
        found.append((max(cells, wide(heading)), heading))
    return found


def label_width(table: Table) -> int:
    """Return the columns that the widest label takes."""
    return wide([table.corner, *(row.label for row in table.rows)])


def wide(texts: Sequence[str]) -> int:
    """Return the columns that the widest text takes on a screen."""
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _heading(name: str, width: int) -> list[str]:
    """Wrap a heading to its column, which it may widen a little rather than break words."""
    longest = max(map(len, name.split()), default=0)
    return textwrap.wrap(name, max(width, min(longest, WIDEST_HEADING), NARROWEST_HEADING)) or [""]


def _cut(table: Table, width: int) -> Iterator[Table]:
    first, used = 0, label_width(table)
    for column, (its, _) in enumerate(headings_of(table)):
        if used + len(GAP) + its > width and column > first:
            yield _columns(table, first, column)
            first, used = column, label_width(table)
        used += len(GAP) + its
    yield _columns(table, first, len(table.columns))


def _columns(table: Table, first: int, end: int) -> Table:
    rows = tuple(replace(row, cells=row.cells[first:end]) for row in table.rows)
    return replace(table, columns=table.columns[first:end], rows=rows)


# --- decimal points -----------------------------------------------------------------------------------------------


def _unit(row: Row) -> str:
    """Return the unit at the end of a label; shares of whatever whole have one unit."""
    unit = row.label.rpartition(", ")[2]
    return "%" if unit.startswith("%") else unit


def _aligned(table: Table, unit: Callable[[Row], str]) -> Table:
    """Put blanks behind numbers, so that in a column the decimal points of rows of one unit stand under each other."""
    behind: dict[tuple[int, str], int] = {}
    for row in table.rows:
        for column, cell in enumerate(row.cells):
            if match := _NUMBER.fullmatch(cell):
                key = column, unit(row)
                behind[key] = max(behind.get(key, 0), len(match[2]))

    def padded(row: Row) -> Row:
        cells = []
        for column, cell in enumerate(row.cells):
            match = _NUMBER.fullmatch(cell)
            cells.append(cell + " " * (behind[column, unit(row)] - len(match[2])) if match else cell)
        return replace(row, cells=tuple(cells))

    return replace(table, rows=tuple(map(padded, table.rows)))
