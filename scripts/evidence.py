"""Writes docs/evidence.md (run by scripts/evidence): which test checks which rule of docs/model.md.

tests/evidence.toml names the tests of each rule, as ``file`` or ``file::test`` below tests/, with ``*`` for any end.
What a test checks is the first sentence of its docstring.
"""

import ast
import fnmatch
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "docs" / "model.md"
NAMED = ROOT / "tests" / "evidence.toml"
TARGET = ROOT / "docs" / "evidence.md"
FURTHER = "Further evidence"
"""Section of tests/evidence.toml whose names are no rows of the model: worked examples and whole sections."""

INTRODUCTION = """\
<!-- Written by scripts/evidence from docs/model.md and the tests. Do not edit: a test compares it with them. -->
# Evidence: which test checks which rule

Each rule of [model.md](model.md) with the tests that compare it with something independent: a closed form, a
calculation by hand, published figures, or a second implementation. The middle column is what the test itself says.
`scripts/test FILE` runs the tests of a file.
"""


def rules(page: str) -> dict[str, list[str]]:
    """Return section -> rules: the first cells of the tables that name functions, and of those of published rows."""
    found: dict[str, list[str]] = {}
    section, header = "", None
    for line in page.splitlines():
        if heading := re.match(r"##+ (.*)", line):
            section = heading[1]
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if header is None:
            header = cells
        elif not set(line) <= set("|-: ") and ("function" in header or header[0] == "published row"):
            found.setdefault(section, []).append(cells[0])
    return found


def named() -> dict[str, dict[str, list[str]]]:
    """Return section -> rule -> tests, as tests/evidence.toml has them."""
    return tomllib.loads(NAMED.read_text(encoding="utf-8"))


@cache
def told(file: str) -> dict[str, str]:
    """Return what a file below tests/ says: name of each test, "" for the file itself -> first sentence."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    cases = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {"": sentence(tree), **{case.name: sentence(case) for case in cases}}


def sentence(node: ast.Module | ast.FunctionDef) -> str:
    """Return the first paragraph of a docstring as one line."""
    text = (ast.get_docstring(node) or "").partition("\n\n")[0]
    return " ".join(text.split())


def tests_of(name: str) -> list[tuple[str, str, str]]:
    """Return (file, test or "", what it says) of one entry. Raises ValueError where there is no such test."""
    file, _, case = name.partition("::")
    if not (ROOT / "tests" / file).is_file():
        raise ValueError(f"no file tests/{file}")
    cases = [each for each in told(file) if each and fnmatch.fnmatch(each, case)] if case else [""]
    if not cases:
        raise ValueError(f"no test {case} in tests/{file}")
    return [(file, each, told(file)[each]) for each in cases]


def problems() -> list[str]:
    """Return what is wrong with tests/evidence.toml, one line each."""
    wrong = []
    wanted, have = rules(MODEL.read_text(encoding="utf-8")), named()
    for section, each in wanted.items():
        wrong += [f"{section}: {rule}: no test" for rule in each if not have.get(section, {}).get(rule)]
    for section, entries in have.items():
        for rule, tests in entries.items():
            if section != FURTHER and rule not in wanted.get(section, []):
                wrong.append(f"{section}: {rule}: no such rule in docs/model.md")
            for test in tests:
                try:
                    wrong += [f"tests/{file}: {case}: no docstring" for file, case, says in tests_of(test) if not says]
                except ValueError as error:
                    wrong.append(f"{section}: {rule}: {error}")
    return wrong


def rows(section: str, entries: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines of one section; a rule stands beside its first test."""
    yield from (f"## {section}", "", "| rule | what is checked | test |", "| --- | --- | --- |")
    for rule, tests in entries.items():
        for number, (file, case, says) in enumerate(each for test in tests for each in tests_of(test)):
            place = f"`{file}`" + (f" `{case}`" if case else "")
            words = re.sub(r"(?<!\\)([|<*_\[\]])", r"\\\1", says.replace("``", "`"))
            yield f"| {rule if number == 0 else ''} | {words} | {place} |"
    yield ""


def page() -> str:
    """Return docs/evidence.md."""
    lines = [line for section, entries in named().items() for line in rows(section, entries)]
    return "\n".join([INTRODUCTION, *lines]).rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("scripts/evidence: takes --check or nothing", file=sys.stderr)
        return 2
    if wrong := problems():
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    text = page()
    if not arguments:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
        print("docs/evidence.md is not what the model and the tests say: run scripts/evidence", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
