"""How a table fits a width: decimal points under each other, columns as wide as their cells, and where it is cut."""

import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from dcsim.report.figures import Cell, Figure
from dcsim.report.page import Row, Table

NARROWEST_HEADING, WIDEST_HEADING = 9, 16
GAP = "  "
"""Between two columns."""


def pieces(table: Table, width: int) -> list[Table]:
    """Cut a table into tables that fit the width, at least one column each, with their decimal points aligned.

    Those of a column stand under each other where that takes no further piece. Else, where labels carry units
    ("goodput loss, %"), those of a column's rows of one unit do; where they do not, those of as many columns as fit.
    """
    plain = list(_cut(table, width))
    everywhere = range(len(table.columns))

    def fits(found: Table) -> bool:
        return len(list(_cut(found, width))) <= len(plain)

    if fits(found := _aligned(table, everywhere, lambda _: "")):
        return list(_cut(found, width))
    if any(", " in row.label for row in table.rows):
        found = _aligned(table, everywhere, _unit)
        return list(_cut(found, width)) if fits(found) else plain
    for column in everywhere:
        if fits(found := _aligned(table, [column], lambda _: "")):
            table = found
    return list(_cut(table, width))


def headings_of(table: Table) -> list[tuple[int, list[str]]]:
    """Return the width and the lines of the heading of each column."""
    found = []
    for column, name in enumerate(table.columns):
        cells = wide([row.texts[column] for row in table.rows])
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


def _aligned(table: Table, columns: Collection[int], unit: Callable[[Row], str]) -> Table:
    """Put blanks into cells of some columns, so that in each the decimal points of rows of one unit, and units behind
    the decimals, stand under each other."""
    found = {
        (number, column): cell
        for number, row in enumerate(table.rows)
        for column, cell in enumerate(row.cells)
        if column in columns and isinstance(cell, Figure) and cell.value is not None
    }
    decimals: dict[tuple[int, str], int] = {}
    behind: dict[tuple[int, str], int] = {}
    for (number, column), figure in found.items():
        key = column, unit(table.rows[number])
        decimals[key] = max(decimals.get(key, 0), len(figure.decimals))
    tails = {}
    for (number, column), figure in found.items():
        key, point = (column, unit(table.rows[number])), figure.decimals
        # an interval is not drawn away from its number, as a unit is
        tails[number, column] = (point if figure.error else point.ljust(decimals[key])) + figure.error + figure.behind
        behind[key] = max(behind.get(key, 0), wide([tails[number, column]]))

    def padded(number: int, row: Row) -> Row:
        cells: list[Cell] = []
        for column, cell in enumerate(row.cells):
            if figure := found.get((number, column)):
                tail = tails[number, column]
                cell = figure.front + tail + " " * (behind[column, unit(row)] - wide([tail]))
            cells.append(cell)
        return replace(row, cells=tuple(cells))

    return replace(table, rows=tuple(padded(number, row) for number, row in enumerate(table.rows)))
