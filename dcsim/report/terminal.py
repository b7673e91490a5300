"""Pages as text: rich's tables on a terminal; piped, plain lines of at most 80 columns without colour or boxes."""

import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from dcsim.report.alignment import GAP, headings_of, label_width, pieces, wide
from dcsim.report.document import Page, Part, Picture
from dcsim.report.page import Passage, Table
from dcsim.wording import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

PIPED_WIDTH = 80
WIDEST_TEXT = 100
NARROWEST_TEXT = 32


def show(page: Page, stream: TextIO) -> None:
    """Write a page. A table that is too wide continues below with its labels repeated; no cell is cut or wrapped.

    On a terminal the answer of a page that is longer than the screen stands once more at its end, where a reader is.
    """
    console, page = console_on(stream), _visible(page)
    with console.capture() as captured:
        _write(page, console, boxed=stream.isatty())
    text = captured.get()
    stream.write(text)
    if stream.isatty() and page.opening and text.count("\n") > console.height:
        console.print()
        _answer(page, console)


def _visible(part: Any) -> Any:
    """Return a page, or a part of one, whose texts show their control characters: before its layout, for its widths."""
    if isinstance(part, str):
        return visible(part)
    if isinstance(part, tuple):
        return tuple(map(_visible, part))
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{each.name: _visible(getattr(part, each.name)) for each in fields(part)})
    return part


def _write(page: Page, console: "Console", boxed: bool) -> None:
    _answer(page, console)
    for number, part in enumerate(page.parts):
        if page.opening or number:
            console.print()
        _part(part, console, boxed)
    for section in page.sections:
        console.print()
        _paragraph(console, section.title, "bold")
        for sentence in section.says:
            _paragraph(console, sentence, "")
        for part in (*section.parts, *section.more):
            console.print()
            _part(part, console, boxed)
    if page.made:
        console.print()
        _part(page.made, console, boxed)
    if page.notes:
        console.print()
    for note in page.notes:
        _paragraph(console, f"- {note}", "", hang="  ")


def _part(part: Part, console: "Console", boxed: bool) -> None:
    """Write a table, a passage, or what a picture says and the table behind it."""
    _paragraph(console, part.title, "bold cyan")
    if isinstance(part, Passage):
        label = wide([name for name, _ in part.items])
        for name, sentence in part.items:
            _paragraph(console, f"{name:<{label}}{GAP}{sentence}", "", hang=" " * (label + len(GAP)))
        return
    if isinstance(part, Picture):
        _paragraph(console, part.says, "")
        part = part.table
    for piece in pieces(part, console.width):
        if boxed and _width(piece) <= console.width:  # rich would cut the cells of a wider one
            console.print(_rich_table(piece), soft_wrap=False)
            continue
        for line, style in _lines(piece):
            console.print(line, style=style)
    for sentence in part.notes:
        _paragraph(console, sentence, "")


def _answer(page: Page, console: "Console") -> None:
    for sentence in page.opening:
        _paragraph(console, sentence, "bold")


def console_on(stream: TextIO) -> "Console":
    """Return rich's console on a stream; it honours NO_COLOR, FORCE_COLOR, TERM and COLUMNS."""
    console: Console = visible_console()(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:  # rich would take the width of the terminal that stdin or stderr is on
        width = os.environ.get("COLUMNS", "")
        console.width = int(width) if width.isdecimal() and int(width) else PIPED_WIDTH
    return console


@cache
def visible_console() -> "type[Console]":
    """Return rich's console, made to show control characters: the only escapes that it sends are rich's own."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class VisibleConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else visible(text, "\n"), style, control)

    return VisibleConsole


def _paragraph(console: "Console", text: str, style: str, hang: str = "") -> None:
    width = max(min(console.width, WIDEST_TEXT), NARROWEST_TEXT)
    for line in textwrap.wrap(text, width, subsequent_indent=hang, break_on_hyphens=False):
        console.print(line, style=style)


# --- tables -------------------------------------------------------------------------------------------------------


def _width(table: Table) -> int:
    return label_width(table) + sum(len(GAP) + width for width, _ in headings_of(table))


def _rich_table(table: Table) -> "RichTable":
    """Return a table that fits as rich draws it: a rule under the headings, what it is about in bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    padding = (0, len(GAP) - 1, 0, 0)  # and a blank between columns, which the box gives
    grid = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, header_style="dim")
    grid.add_column(Text(table.corner), no_wrap=True, min_width=label_width(table))
    widths = [width for width, _ in headings_of(table)]
    for width, heading in headings_of(table):
        grid.add_column(Text("\n".join(_right(line, width) for line in heading)), no_wrap=True, min_width=width)
    for row in table.rows:  # aligned already: justified to the right, rich would take the blanks behind numbers away
        cells = map(_right, row.texts, widths)
        grid.add_row(Text(row.label), *map(Text, cells), style="bold" if row.strong else "")
    return grid


def _lines(table: Table) -> Iterator[tuple[str, str]]:
    """Lay out the lines of a table that fits, each with its style."""
    label = label_width(table)
    widths, headings = zip(*headings_of(table), strict=True)
    deep = max(map(len, headings), default=0)
    padded = [[""] * (deep - len(heading)) + heading for heading in headings]
    for depth in range(deep):
        corner = table.corner if depth == deep - 1 else ""
        yield _line(corner, [heading[depth] for heading in padded], label, widths), "dim"
    for row in table.rows:
        yield _line(row.label, row.texts, label, widths), "bold" if row.strong else ""


def _line(label: str, cells: Sequence[str], label_wide: int, widths: Sequence[int]) -> str:
    from rich.cells import set_cell_size

    return GAP.join([set_cell_size(label, label_wide), *map(_right, cells, widths)]).rstrip()


def _right(cell: str, width: int) -> str:
    return " " * (width - wide([cell])) + cell
