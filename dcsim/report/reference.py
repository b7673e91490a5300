"""Tables of keys as text: a rich table on a wide terminal, else aligned columns with the meaning below."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from dcsim.report.alignment import GAP
from dcsim.report.terminal import WIDEST_TEXT, console_on
from dcsim.scenario.reference import Key, KeyTable, Reference

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 120
"""Columns from which a terminal shows the meaning in a column of its own; source: assumed."""
WIDEST_TYPE, WIDEST_DEFAULT, NARROWEST_SOURCE = 24, 12, 16
HEADINGS = ("key", "type", "default", "source")
REQUIRED = "required"


def show_reference(listed: Reference, stream: TextIO) -> None:
    """Write one topic. On a terminal of ``WIDE`` columns every key is one row; else its meaning stands below it."""
    console = console_on(stream)
    wide = console.is_terminal and console.width >= WIDE
    width = max(40, min(console.width, WIDEST_TEXT))
    widths = _widths([key for table in listed.tables for key in table.keys], width)
    for number, table in enumerate(listed.tables):
        if number:
            console.print()
        console.print(table.title, style="bold cyan")
        for line in _wrapped(table.about, width):
            console.print(line)
        if not table.keys:
            continue
        if wide:
            console.print(_rich_table(table), soft_wrap=False)
            continue
        for line in _beside(HEADINGS, widths):
            console.print(line, style="dim")
        for key in table.keys:
            first, *more = _beside(_cells(key), widths)
            console.print(first, style="bold")
            for line in (*more, *_wrapped(key.meaning, width, indent=6)):
                console.print(line)
    notes = [f"{name}: {', '.join(units)}" for name, units in listed.units.items() if units != [name]]
    if notes:
        console.print()
        for line in _wrapped(f"Units. {'; '.join(notes)}. 1 mo = 720 h, 1 y = 8,760 h.", width):
            console.print(line)


def _cells(key: Key) -> tuple[str, str, str, str]:
    return key.name, key.type, REQUIRED if key.required else key.default or "-", key.source


def _widths(keys: Sequence[Key], width: int) -> tuple[int, ...]:
    """Widths of the four columns: as the widest cell needs, within limits; the last one takes what is left."""
    rows = [HEADINGS, *map(_cells, keys)]
    name, kind, default = (max(len(row[column]) for row in rows) for column in range(3))
    taken = (name, min(kind, WIDEST_TYPE), min(default, WIDEST_DEFAULT))
    return (*taken, max(NARROWEST_SOURCE, width - sum(taken) - 4 * len(GAP)))


def _beside(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Lay cells side by side, each wrapped to its column."""
    columns = [
        textwrap.wrap(cell, wide, break_on_hyphens=False) or [""] for cell, wide in zip(cells, widths, strict=True)
    ]
    for depth in range(max(map(len, columns))):
        parts = [lines[depth] if depth < len(lines) else "" for lines in columns]
        yield (GAP + GAP.join(f"{part:<{wide}}" for part, wide in zip(parts, widths, strict=True))).rstrip()


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(text, width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)


def _rich_table(table: KeyTable) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in (*HEADINGS, "meaning"):
        grid.add_column(heading, no_wrap=heading == "key", style="bold" if heading == "key" else "")
    for key in table.keys:
        grid.add_row(*map(Text, (*_cells(key), key.meaning)))
    return grid
