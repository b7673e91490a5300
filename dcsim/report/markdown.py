"""A page as Markdown: the same sentences and tables, without the pictures."""

import re
from collections.abc import Iterator

from dcsim.report.document import Page, Part, Picture
from dcsim.report.page import Passage, Table

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")


def markdown(page: Page) -> str:
    """Return the page as Markdown text; nothing in a name or label is taken as markup."""
    lines = [f"# {_plain(page.title)}", ""] if page.title else []
    lines += [part for sentence in page.opening[:1] for part in (f"**{_plain(sentence)}**", "")]
    for sentence in (*page.opening[1:], *page.about):
        lines += [_plain(sentence), ""]
    for section in page.all_sections:
        lines += [f"## {_plain(section.title)}", ""]
        for sentence in section.says if section.key != "answer" else ():
            lines += [_plain(sentence), ""]
        for part in (*section.parts, *section.more):
            lines += _lines(part)
    return "\n".join(lines).rstrip() + "\n"


def _lines(part: Part) -> Iterator[str]:
    if isinstance(part, Picture):
        yield f"### {_plain(part.title)}"
        yield from ("", _plain(part.says), "")
        if part.table.title != part.title:
            yield from (f"{_plain(part.table.title)}:", "")
        yield from _grid(part.table)
    elif isinstance(part, Table):
        yield from (f"### {_plain(part.title)}", "")
        yield from _grid(part)
    elif isinstance(part, Passage):
        yield from (f"### {_plain(part.title)}", "")
        for name, text in part.items:
            yield f"- {f'**{_plain(name)}**: ' if name else ''}{_plain(text)}"
        yield ""


def _grid(table: Table) -> Iterator[str]:
    yield _row([table.corner, *table.columns])
    yield _row(["---", *["---:"] * len(table.columns)], plain=False)
    for row in table.rows:
        cells = [_plain(cell.strip()) for cell in (row.label, *row.texts)]
        yield _row([f"**{cell}**" if row.strong and cell else cell for cell in cells], plain=False)
    yield ""
    for note in table.notes:
        yield from (_plain(note), "")


def _row(cells: list[str], plain: bool = True) -> str:
    return f"| {' | '.join(map(_plain, cells) if plain else cells)} |"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
