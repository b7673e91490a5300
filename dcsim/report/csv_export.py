"""A document as CSV: every cell of every table in a row of its own, so that a sheet or a script finds it by name."""

import csv
import io
import re

from dcsim.report.document import Document, Picture
from dcsim.report.page import MISSING, Table

COLUMNS = ("section", "table", "row", "column", "value", "half_width")
NUMBER = re.compile(r"([+-]?[\d,]*\.?\d+)(?: ± ([\d,]*\.?\d+))?")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(document: Document) -> str:
    """Return the report's tables as CSV text (RFC 4180), units in the names of tables, rows or columns.

    Numbers have no separators of thousands; the half width of an interval has a column of its own; what is missing is
    empty. Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for section in document.all_sections:
        for part in (*section.parts, *section.more):
            table = part.table if isinstance(part, Picture) else part
            if not isinstance(table, Table):
                continue
            for row in table.rows:
                for column, cell in zip(table.columns, row.cells, strict=True):
                    where = map(_text, (section.title, table.title, row.label.strip(), column))
                    writer.writerow([*where, *_value(cell)])
    return out.getvalue()


def _value(cell: str) -> tuple[str, str]:
    if cell in (MISSING, ""):
        return "", ""
    found = NUMBER.fullmatch(cell.strip())
    if found is None:
        return _text(cell), ""
    return found[1].replace(",", ""), (found[2] or "").replace(",", "")


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
