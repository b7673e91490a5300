"""Pages as text: styled on a terminal, plain lines of at most 80 columns when piped."""

import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from dcsim.report.page import Page, Passage, Table

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 80
WIDEST_TEXT = 100
NARROWEST_HEADING, WIDEST_HEADING = 9, 16
GAP = "  "


def show(page: Page, stream: TextIO) -> None:
    """Write a page. A table that is too wide continues below with its labels repeated; no cell is cut or wrapped."""
    console = console_on(stream)
    for sentence in page.answer:
        _paragraph(console, sentence, "bold")
    for number, part in enumerate(page.parts):
        if page.answer or number:
            console.print()
        _paragraph(console, part.title, "bold cyan")
        if isinstance(part, Passage):
            label = _wide([name for name, _ in part.items])
            for name, sentence in part.items:
                _paragraph(console, f"{name:<{label}}{GAP}{sentence}", "", hang=" " * (label + len(GAP)))
            continue
        for piece in _pieces(part, console.width):
            for line, style in _lines(piece):
                console.print(line, style=style)
        for sentence in part.notes:
            _paragraph(console, sentence, "")
    if page.notes:
        console.print()
    for note in page.notes:
        _paragraph(console, f"- {note}", "", hang="  ")


def console_on(stream: TextIO) -> "Console":
    """Return rich's console on a stream; it honours NO_COLOR, FORCE_COLOR, TERM and COLUMNS."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:  # rich would take the width of the terminal that stdin or stderr is on
        width = os.environ.get("COLUMNS", "")
        console.width = int(width) if width.isdecimal() and int(width) else PIPED_WIDTH
    return console


def _paragraph(console: "Console", text: str, style: str, hang: str = "") -> None:
    width = max(min(console.width, WIDEST_TEXT), 2 * WIDEST_HEADING)
    for line in textwrap.wrap(text, width, subsequent_indent=hang, break_on_hyphens=False):
        console.print(line, style=style)


def _heading(name: str, wide: int) -> list[str]:
    """Wrap a heading to its column, which it may widen a little rather than break words."""
    longest = max(map(len, name.split()), default=0)
    return textwrap.wrap(name, max(wide, min(longest, WIDEST_HEADING), NARROWEST_HEADING)) or [""]


def _wide(texts: Sequence[str]) -> int:
    """Columns that the widest text takes on a screen."""
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _columns_of(table: Table) -> list[tuple[int, list[str]]]:
    """Width and heading of each column."""
    found = []
    for column, name in enumerate(table.columns):
        cells = _wide([row.cells[column] for row in table.rows])
        heading = _heading(name, cells)
        found.append((max(cells, _wide(heading)), heading))
    return found


def _label_width(table: Table) -> int:
    return _wide([table.corner, *(row.label for row in table.rows)])


def _pieces(table: Table, width: int) -> Iterator[Table]:
    """Cut a table into tables that fit the width, at least one column each."""
    first, used = 0, _label_width(table)
    for column, (wide, _) in enumerate(_columns_of(table)):
        if used + len(GAP) + wide > width and column > first:
            yield _cut(table, first, column)
            first, used = column, _label_width(table)
        used += len(GAP) + wide
    yield _cut(table, first, len(table.columns))


def _cut(table: Table, first: int, end: int) -> Table:
    rows = tuple(replace(row, cells=row.cells[first:end]) for row in table.rows)
    return replace(table, columns=table.columns[first:end], rows=rows)


def _lines(table: Table) -> Iterator[tuple[str, str]]:
    """Lay out the lines of a table that fits, each with its style."""
    label = _label_width(table)
    widths, headings = zip(*_columns_of(table), strict=True)
    deep = max(map(len, headings), default=0)
    padded = [[""] * (deep - len(heading)) + heading for heading in headings]
    for depth in range(deep):
        corner = table.corner if depth == deep - 1 else ""
        yield _line(corner, [heading[depth] for heading in padded], label, widths), "dim"
    for row in table.rows:
        yield _line(row.label, row.cells, label, widths), "bold" if row.strong else ""


def _line(label: str, cells: Sequence[str], label_width: int, widths: Sequence[int]) -> str:
    from rich.cells import set_cell_size

    right = [" " * (width - _wide([cell])) + cell for cell, width in zip(cells, widths, strict=True)]
    return GAP.join([set_cell_size(label, label_width), *right]).rstrip()
