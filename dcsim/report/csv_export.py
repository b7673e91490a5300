"""A page as CSV: every cell of every table in a row of its own, so that a sheet or a script finds it by name."""

import csv
import io

from dcsim.report.document import Page, Picture
from dcsim.report.figures import MISSING, Cell, Figure
from dcsim.report.page import Table
from dcsim.wording import unlike_formula

COLUMNS = ("section", "table", "row", "column", "value", "half_width")


def csv_text(page: Page) -> str:
    """Return the page's tables as CSV text (RFC 4180), units in the names of tables, rows or columns.

    Numbers are not rounded and have no separators of thousands; the half width of an interval has a column of its own;
    what is missing is empty. Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for section in page.all_sections:
        for part in (*section.parts, *section.more):
            table = part.table if isinstance(part, Picture) else part
            if not isinstance(table, Table):
                continue
            for row in table.rows:
                for column, cell in zip(table.columns, row.cells, strict=True):
                    where = map(unlike_formula, (section.title, table.title, row.label.strip(), column))
                    writer.writerow([*where, *_value(cell)])
    return out.getvalue()


def _value(cell: Cell) -> tuple[str, str]:
    """Return what stands as value and as half width: numbers unrounded, a range or words as text."""
    if not isinstance(cell, Figure):
        return "" if cell == MISSING else unlike_formula(cell), ""
    if cell.value is None:
        return "", ""
    text, half = _plain(cell.value), "" if cell.half_width is None else _plain(cell.half_width)
    if cell.upper is not None:
        text += f" to {_plain(cell.upper)}"
    words = cell.before or cell.behind
    return unlike_formula(f"{cell.before}{text}{cell.behind}") if words else text, half


def _plain(value: float) -> str:
    """Return a number in full, in the fifteen digits that a 64-bit float is sure of; minus zero has no sign."""
    return f"{value:z.15g}"
