"""MODEL.md names what there is: functions that can be imported, tests that exist; and every equation's function.

A column headed "function" names the end of a path in dcsim (``Plan.draws``, ``stopping.narrow``), or a bare name of the
modules that stand in the headings above. A column headed "held by" or "oracle test" names tests, as
``oracle/test_x.py: test_one, test_two_*; f: test_three``, a letter being a file that the page says it stands for.
"""

import ast
import fnmatch
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.named import exists, modules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "MODEL.md").read_text(encoding="utf-8")
HOLDS = ("held by", "oracle test")
LETTERS = re.findall(r"`(\w):`(?:\s+is)?\s+((?:oracle|unit|property|golden|cli)/test_\w+\.py)", PAGE)
EQUATIONS = (
    *("closed_form", "economics", "fabric.shares", "fabric.slowdown", "power.capacity", "power.energy"),
    *("plant.outage", "montecarlo.control", "montecarlo.quantiles", "montecarlo.statistics", "montecarlo.stopping"),
)
"""Rooms and modules of which the page names every public function."""


def rows_of(page):
    """Every row of every table: (line number, paths in the headings above, {heading of the column: cell})."""
    above, header = {}, None
    for number, line in enumerate(page.splitlines(), start=1):
        if heading := re.match(r"(##+) (.*)", line):
            level = len(heading[1])
            above = {each: paths for each, paths in above.items() if each < level}
            above[level] = re.findall(r"`([\w/]+(?:\.py|/))`", heading[2])
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if header is None:
            header = cells
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(header), line
            yield number, [path for paths in above.values() for path in paths], dict(zip(header, cells, strict=True))


ROWS = list(rows_of(PAGE))


# --- functions --------------------------------------------------------------------------------------------------------


def functions_in(cell):
    """Names in a cell of a column of functions; "same": those of the row above."""
    return [] if cell == "same" else re.findall(r"`([^`]*)`", cell)


NAMED = [
    (number, name, tuple(paths))
    for number, paths, row in ROWS
    if "function" in row
    for name in functions_in(row["function"])
]


def test_every_function_is_there():
    """What a column of functions names can be imported; no cell is empty."""
    assert len(NAMED) > 150
    assert [f"{number}: {name}" for number, name, paths in NAMED if not exists(name, paths)] == []
    for number, _, row in ROWS:
        if "function" in row:
            assert row["function"] == "same" or functions_in(row["function"]), number


@pytest.mark.parametrize("name", ["Plan.drow", "stopping.narow", "downtime_los", "Nobody.at_all", "narrow"])
def test_a_function_that_is_gone_is_noticed(name):
    """A misspelt attribute, function or class; and a bare name of a module that no heading names."""
    assert not exists(name, ["dcsim/closed_form/", "accounting.py"])


def test_no_equation_is_left_out():
    """Every public function of the rooms that hold equations is named beside one."""
    named = {name.rpartition(".")[2] for _, name, _ in NAMED}
    told = 0
    for module in modules():
        if not any(f"dcsim.{each}" == module or module.startswith(f"dcsim.{each}.") for each in EQUATIONS):
            continue
        loaded = importlib.import_module(module)
        own = [
            name
            for name, value in vars(loaded).items()
            if inspect.isfunction(value) and value.__module__ == module and not name.startswith("_")
        ]
        told += len(own)
        assert [f"{module}.{name}" for name in own if name not in named] == []
    assert told > 45


# --- tests ------------------------------------------------------------------------------------------------------------


@cache
def cases_in(file):
    """Names of the test functions of a file below tests/."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def wrong_in(cell, letters):
    """What is wrong with a cell of a column of tests: "" if nothing."""
    bare = re.sub(r"\([^)]*\)", "", cell).strip()
    for part in (each.strip() for each in bare.split(";")):
        where, _, names = part.partition(":")
        where = where.strip("` ").removeprefix("tests/")
        if part == "same":
            continue
        file = letters.get(where, where)
        if not (ROOT / "tests" / file).is_file():
            return f"no file {file!r}"
        for name in filter(None, (each.strip(" `") for each in names.split(","))):
            if not fnmatch.filter(cases_in(file), name):
                return f"no test {name!r} in {file}"
        if where in letters and not names.strip():
            return f"no test after {part!r}"
    return "" if bare else "nothing"


def test_every_equation_is_held_by_a_test():
    """What a column of tests names is a test in that file; no cell is empty."""
    letters = dict(LETTERS)
    assert len(letters) == len(LETTERS) > 15
    held = [(number, row[column]) for number, _, row in ROWS for column in HOLDS if column in row]
    assert len(held) > 130
    assert [f"{number}: {wrong}" for number, cell in held if (wrong := wrong_in(cell, letters))] == []


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("a: test_gold_column", ""),
        ("a: test_gold_*; `unit/test_units.py`", ""),
        ("a: test_golden_column", "no test 'test_golden_column' in oracle/test_accounting.py"),
        ("a: test_gold_column; same", ""),
        ("a:", "no test after 'a:'"),
        ("`unit/test_nothing.py`: test_x", "no file 'unit/test_nothing.py'"),
        ("", "no file ''"),
    ],
)
def test_a_test_that_is_gone_is_noticed(cell, wrong):
    """A test, a file or a letter that leads nowhere is one line."""
    assert wrong_in(cell, dict(LETTERS)) == wrong


# --- text -------------------------------------------------------------------------------------------------------------


def test_what_the_text_names_is_there():
    """Files of tests, modules and tests that stand anywhere on the page, and sections that it points at."""
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    for name in re.findall(r"tests/[\w/*]+(?:\.py|/)", PAGE):
        assert [file for file in files if fnmatch.fnmatch(file, name + "*" * name.endswith("/"))], name
    for name in re.findall(r"`(dcsim/[\w/]+(?:\.\w+|/))`", PAGE):
        assert (ROOT / name).exists(), name
    every = set().union(*(cases_in(file.removeprefix("tests/")) for file in files if "/test_" in file))
    named = set(re.findall(r"(?<![\w/])(test_\w+\*?)(?!\w*\.py)", PAGE)) - {"test_", "test_engine_*", "test_modes_*"}
    assert len(named) > 150
    assert [name for name in sorted(named) if not fnmatch.filter(every, name)] == []


def test_numbers_of_sections_ascend():
    """Sections are numbered without a gap, and "(2.1)" leads to one."""
    numbers = [tuple(map(int, each.strip(".").split("."))) for each in re.findall(r"^##+ ([\d.]+) ", PAGE, re.M)]
    assert numbers == sorted(numbers)
    assert [number[0] for number in numbers if len(number) == 1] == list(range(1, numbers[-1][0] + 1))
    pointed = re.findall(r"(?:chain|goodput) of (\d+\.\d)|\((\d+\.\d), [a-z]", PAGE)
    assert len(pointed) > 4
    assert [name for name in map("".join, pointed) if tuple(map(int, name.split("."))) not in numbers] == []
