"""docs/model.md names functions that exist, and every equation's; docs/evidence.md has a test for each of its rules.

A column headed "function" names the end of a path in dcsim (``Plan.draws``, ``sequential_stopping.narrow``), or a bare
name of the modules that stand in the headings above.
"""

import importlib
import inspect
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.unit.named import exists, modules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
EQUATIONS = (
    *("closed_form", "economics", "fabric.wiring", "fabric.slowdown", "power.energy", "plant.outage"),
    *("plant.network", "plant.supply", "montecarlo.statistics"),
)
STEPS = {"dcsim.plant.network", "dcsim.plant.supply"}
"""Rooms and modules of which the page names every public function; of ``STEPS``, those that return a share."""


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


@pytest.mark.parametrize("name", ["Plan.drow", "sequential_stopping.narow", "downtime_los", "Nobody.at_all", "narrow"])
def test_a_function_that_is_gone_is_noticed(name):
    """A misspelt attribute, function or class; and a bare name of a module that no heading names."""
    assert not exists(name, ["dcsim/closed_form/", "accounting.py"])


def test_no_equation_is_left_out():
    """Every public function of the rooms that hold equations is named beside one."""
    named = {name.rpartition(".")[2] for _, name, _ in NAMED}
    rooms = {name for module in modules() for name in (module, module.rpartition(".")[0])}
    assert [each for each in EQUATIONS if f"dcsim.{each}" not in rooms] == []
    told = 0
    for module in modules():
        if not any(f"dcsim.{each}" == module or module.startswith(f"dcsim.{each}.") for each in EQUATIONS):
            continue
        loaded = importlib.import_module(module)
        own = [
            name
            for name, value in vars(loaded).items()
            if inspect.isfunction(value)
            and value.__module__ == module
            and not name.startswith("_")
            and (module not in STEPS or (name.endswith("_share") and name != "note_share"))
        ]
        told += len(own)
        assert [f"{module}.{name}" for name in own if name not in named] == []
    assert told > 45


# --- evidence ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def script():
    """Load scripts/evidence.py, which is no module of the package."""
    spec = spec_from_file_location("written_evidence", ROOT / "scripts" / "evidence.py")
    module = module_from_spec(spec)
    sys.modules["written_evidence"] = module
    spec.loader.exec_module(module)
    return module


def test_every_rule_has_a_test_that_says_what_it_checks(script):
    """Each rule of the model has a test with a docstring, and no test stands beside a rule that is gone."""
    assert sum(map(len, script.rules(PAGE).values())) > 190
    assert script.problems() == []


def test_the_page_of_evidence_is_current(script):
    """What is committed is what scripts/evidence writes."""
    assert script.TARGET.read_text(encoding="utf-8") == script.page(), "run scripts/evidence"


RULES = "## 1. Ledger\n\n| rule | function |\n|---|---|\n| gold | `f` |\n"


@pytest.mark.parametrize(
    ("evidence", "wrong"),
    [
        ("gold = ['oracle/test_accounting.py::test_gold_column']", []),
        ("gold = ['oracle/test_accounting.py::test_gold_*']", []),
        ("gold = ['unit/test_units.py']", []),
        ("", ["1. Ledger: gold: no test"]),
        ("gold = []", ["1. Ledger: gold: no test"]),
        ("gold = ['unit/test_nothing.py']", ["1. Ledger: gold: no file tests/unit/test_nothing.py"]),
        (
            "gold = ['oracle/test_accounting.py::test_golden']",
            ["1. Ledger: gold: no test test_golden in tests/oracle/test_accounting.py"],
        ),
        (
            "gold = ['unit/test_units.py']\nlead = ['unit/test_units.py']",
            ["1. Ledger: lead: no such rule in docs/model.md"],
        ),
    ],
)
def test_missing_evidence_is_one_line(script, tmp_path, monkeypatch, evidence, wrong):
    """A rule without a test, a test or file that is gone and a rule that is gone are all found."""
    (tmp_path / "model.md").write_text(RULES, encoding="utf-8")
    (tmp_path / "evidence.toml").write_text(f'["1. Ledger"]\n{evidence}\n', encoding="utf-8")
    monkeypatch.setattr(script, "MODEL", tmp_path / "model.md")
    monkeypatch.setattr(script, "NAMED", tmp_path / "evidence.toml")
    assert script.problems() == wrong


def test_check_tells_a_stale_page(script, tmp_path, monkeypatch, capsys):
    """--check changes nothing and exits 1 when the page is old or missing; without it the page is written."""
    monkeypatch.setattr(script, "TARGET", tmp_path / "evidence.md")
    assert script.main(["--check"]) == 1
    assert not script.TARGET.exists()
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
    assert script.main(["--chekc"]) == 2
    assert "run scripts/evidence" in capsys.readouterr().err


# --- text -------------------------------------------------------------------------------------------------------------


def test_what_the_text_names_is_there():
    """Files of the package that the page names exist; tests are named in docs/evidence.md alone."""
    for name in re.findall(r"`(dcsim/[\w/]+(?:\.\w+|/))`", PAGE):
        assert (ROOT / name).exists(), name
    assert re.findall(r"\btest_\w+|\btests/", PAGE) == []


def test_numbers_of_sections_ascend():
    """Sections are numbered without a gap, and "(2.1)" leads to one."""
    numbers = [tuple(map(int, each.strip(".").split("."))) for each in re.findall(r"^##+ ([\d.]+) ", PAGE, re.M)]
    assert numbers == sorted(numbers)
    assert [number[0] for number in numbers if len(number) == 1] == list(range(1, numbers[-1][0] + 1))
    pointed = re.findall(r"(?:chain|goodput) of (\d+\.\d)|\((\d+\.\d), [a-z]", PAGE)
    assert len(pointed) > 4
    assert [name for name in map("".join, pointed) if tuple(map(int, name.split("."))) not in numbers] == []
