"""CONTRIBUTING.md: its exercises are done in a copy of the package, and the functions and files that it names exist."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dcsim.rules import happenings
from dcsim.rules.rule import RULES
from tests.unit.named import exists, found

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
"""Path, as the first line of a code block names it -> the rest of the block."""
CHANGES = [
    (path, hunk)
    for block in re.findall(r"^```diff\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for path, text in re.findall(r"^# (\S+)\n(.*?)(?=^# |\Z)", block, re.DOTALL | re.MULTILINE)
    for hunk in text.split("@@\n")
]
"""Path, and lines that stay (space), go (-) and come (+) there."""
STRATEGY, LIFETIME = "dcsim/recovery/snapshot_replay.py", "dcsim/hazards/lifetimes/loglogistic.py"
SECTION, PLANT = "dcsim/report/spares.py", {"topologies/leaky.toml", "exercise-plant.toml"}
OPERATOR = {"monday.py", "exercise-racks.toml"}
PLAYED = """
import sys
from dcsim.engine import simulate
from dcsim.ledger import STATE
from dcsim.scenario import load
for replication in range(4):
    accounts = simulate(load(sys.argv[1]), replication)
    print(accounts.failures, accounts.strikes[0], *(accounts.gpu_ms[:, STATE[each]].sum() for each in sys.argv[2:]))
"""
RENDERED = """
from dcsim.decide import run
from dcsim.decide.report_data import run_data
from dcsim.report import html, markdown, csv_export, full_report
from dcsim.scenario import load
kept = run(load("exercise.toml"), replications=2, workers=1, engine="simpy", output="kept")
made = full_report.document(run_data(kept, 1))
print(html.html(made), markdown.markdown(made), csv_export.csv_text(made), sep=chr(12))
"""
HOUR = 3_600_000


def changed(text, hunk):
    """Apply one hunk: the lines that stay and go stand there once, in this order."""
    lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines()]
    old = "".join(f"{line}\n" for sign, line in lines if sign != "+")
    new = "".join(f"{line}\n" for sign, line in lines if sign != "-")
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Copy the package, its topologies and contract tests; add the page's files and make its changes."""
    root = tmp_path_factory.mktemp("exercise")
    for folder in ("dcsim", "topologies"):
        shutil.copytree(ROOT / folder, root / folder)  # with what is compiled
    (root / "scenarios").mkdir()
    (root / "tests" / "unit").mkdir(parents=True)
    tests = ("conftest.py", *(f"unit/{name}.py" for name in ("strategies", *CONTRACTS)))
    for file in ("pyproject.toml", *(f"tests/{name}" for name in tests)):
        shutil.copy(ROOT / file, root / file)
    for path, text in BLOCKS.items():
        (root / path).write_text(text, encoding="utf-8")
    for path, hunk in CHANGES:
        (root / path).write_text(changed((root / path).read_text(encoding="utf-8"), hunk), encoding="utf-8")
    return root


CONTRACTS = {
    "test_recovery_contract": "snapshot-replay",
    "test_lifetime_contract": "loglogistic",
    "test_part_contract": "manifold",
}


def python(root, *arguments, **variables):
    """Run Python in a folder with that folder's dcsim; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def played(root, *arguments):
    """Failures, strikes and GPU-ms of states of the first job, for four replications, by the rules as plain Python.

    To compile the rules of the changed copy would take longer than all of them.
    """
    printed = python(root, "-c", PLAYED, *arguments, NUMBA_DISABLE_JIT="1")
    rows = [tuple(map(int, row.split())) for row in printed.splitlines()]
    assert len(rows) == 4
    return rows


def test_the_page_has_its_files():
    """A strategy, a lifetime, a topology with a new part, a section, a process, three scenarios; none exists yet."""
    assert set(BLOCKS) == {STRATEGY, LIFETIME, SECTION, "exercise.toml", *PLANT, *OPERATOR}
    assert not any((ROOT / path).exists() for path in BLOCKS)
    assert len({path for path, _ in CHANGES}) == 5


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract(copy, contract):
    """The contract tests run on the new kind without naming it, and it keeps the contract."""
    wanted = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/unit/{contract}.py", "-k", CONTRACTS[contract])
    passed, deselected = re.search(r"(\d+) passed, (\d+) deselected", python(copy, *wanted)).groups()
    assert int(passed) >= (5 if contract == "test_part_contract" else 9)
    assert int(deselected) > int(passed)  # the other kinds


def test_the_program_knows_them(copy):
    """Scenarios with them are valid, and the schema offers them."""
    for file in ("exercise.toml", "exercise-plant.toml"):
        assert python(copy, "-m", "dcsim", "check", file) == f"{file}: ok\n"
    schema = python(copy, "-m", "dcsim", "schema")
    for kind in ("snapshot-replay", "loglogistic", "manifold"):
        assert f'"{kind}"' in schema


def test_a_strike_costs_one_snapshot(copy):
    """Each strike finds the gang of 8 running for long: 8 GPUs x 2 min lost, 8 x 1 min of failover, at once whole."""
    for _, strikes, lost, failover in played(copy, "exercise.toml", "lost", "failover"):
        assert strikes > 2  # 8,760 h at a mean life of 1,000 h
        assert lost == strikes * 8 * 120_000
        assert failover == strikes * 8 * 60_000


def test_a_leak_takes_a_rack_out(copy):
    """4 manifolds x 8,760 h / 4,000 h = 8.8 leaks a year, each a rack of 72 for 4 h; on 3 of 4 racks, the job hangs."""
    rows = played(copy, "exercise-plant.toml", "repair", "detect")
    assert abs(sum(failures for failures, *_ in rows) - 4 * 8.76) < 3 * (4 * 8.76) ** 0.5
    for failures, strikes, repair, detect in rows:
        assert 0 < strikes <= failures
        assert detect == strikes * 216 * HOUR // 6
        idle = failures - strikes  # a rack that is struck while free is in repair from the strike on, not 10 min later
        assert repair == 72 * (failures * 4 * HOUR + idle * HOUR // 6)
    shown = python(copy, "-m", "dcsim", "topology", "show", "leaky", "--gpus", "288", "--fail", "rack/2/manifold/0")
    assert "72 GPUs in 18 nodes down" in shown


def test_an_operator_moves_spares(copy):
    """The process of the page moves nodes between racks, jobs wait less, and it prints what the page says it does."""
    printed = python(copy, "monday.py")
    shown = PAGE.partition("\nIt prints\n\n```text\n")[2].partition("```")[0]
    assert printed == shown
    found = re.findall(r"^(\d+) nodes repaired, (\d+) moved: ([\d,]+) GPU-hours of waiting$", printed, re.MULTILINE)
    (_, none, alone), (_, moved, helped) = found
    assert (int(none), int(moved) > 20) == (0, True)
    assert int(helped.replace(",", "")) < 0.9 * int(alone.replace(",", ""))


def test_every_medium_shows_the_section(copy):
    """56 spares, of which hardly any is ever out: in HTML, in Markdown and in CSV."""
    page, text, sheet = python(copy, "-c", RENDERED).split("\f")
    assert "How many spares stand idle" in page
    assert re.search(r"55\.\d\d spares of .{0,9}Exercise.{0,9} stand idle in the mean", page)
    assert "## How many spares stand idle" in text
    assert re.search(
        r'^How many spares stand idle,Spares,"idle in the mean, GPUs",Exercise,55\.\d{3,},', sheet, re.MULTILINE
    )


# --- what the page names ----------------------------------------------------------------------------------------------

TEXT = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)


def last_column(head):
    """Return the last cell of each row of the table whose last column has this head."""
    table = TEXT.partition(f"| {head} |\n")[2].partition("\n\n")[0]
    return re.findall(r"^\|.*\| ([^|]*) \|$", table, re.MULTILINE)


WALK, DECIDED = last_column("functions"), last_column("rule")
"""Functions and types, step by step; rules, by what they decide."""
MOST_FUNCTIONS, MOST_TYPES = 25, 15


def test_files_that_the_page_names_exist():
    """Paths in the text are files, folders or patterns that match some; the exercises' own are blocks of the page."""
    named = set(re.findall(r"`((?:dcsim|tests|scripts|scenarios|topologies)/[\w/.*-]*)`", TEXT))
    named |= {f"dcsim/{room}" for room in re.findall(r"`(\w+/|\w+\.py)`(?= `|[^|\n]*\|)", TEXT)}
    assert len(named) > 25
    assert [name for name in sorted(named) if name not in BLOCKS and not list(ROOT.glob(name.rstrip("/")))] == []


def test_functions_that_the_page_names_exist():
    """What stands in a column of functions or of rules can be imported."""
    named = [name for cell in (*WALK, *DECIDED) for name in re.findall(r"`([^`]*)`", cell)]
    assert len(named) > 50
    assert [name for name in named if not exists(name, ())] == []


def test_the_walk_is_short():
    """A newcomer reads at most 25 functions and 15 types, each once."""
    named = [name for cell in WALK for name in re.findall(r"`([^`]*)`", cell)]
    types = [name for name in named if name.rpartition(".")[2][0].isupper()]
    assert len(named) == len(set(named))
    assert 20 < len(named) - len(types) <= MOST_FUNCTIONS
    assert 10 < len(types) <= MOST_TYPES


def test_what_decides_is_a_rule():
    """What the table of rules names is played by both clocks, but for the number of ticks."""
    assert happenings  # all rules are known
    named = {name for cell in DECIDED for name in re.findall(r"`([^`]*)`", cell)} - {"records.TICKS"}
    assert len(named) > 15
    assert [name for name in sorted(named) if RULES.get(name.rpartition(".")[2]) is not found(name)] == []


WALKED = """
import json, sys
import dcsim.cli
from tests.unit.named import found
names, seen = json.loads(sys.argv.pop(1)), []
codes = {}
for name in names:
    thing = found(name)
    thing = getattr(thing, "callback", thing)  # of a verb
    thing = thing.__init__ if isinstance(thing, type) else getattr(thing, "func", thing)  # of a cached property
    codes[getattr(thing, "__wrapped__", thing).__code__] = name
def noted(frame, event, _):
    name = codes.get(frame.f_code) if event == "call" else None
    if name and name not in seen:
        seen.append(name)
sys.setprofile(noted)
try:
    dcsim.cli.main()
finally:
    sys.setprofile(None)
    print(json.dumps(seen), file=sys.stderr)
"""


def test_a_comparison_goes_that_way(tmp_path):
    """Every function of the walk is called, and the first calls of its steps come in the order of the page."""
    text = re.sub(r'kind = "snapshot.*\n.*\n', 'kind = "fault-tolerant"\n', BLOCKS["exercise.toml"])
    text = text.replace('"loglogistic"', '"weibull"') + '[tco]\ngpu_hour = "2 USD"\n'
    for name in ("A", "B"):
        (tmp_path / f"{name}.toml").write_text(text.replace("Exercise", name), encoding="utf-8")
    steps = [re.findall(r"`([^`]*)`", cell) for cell in WALK]
    names = [name for step in steps for name in step]
    command = ["compare", "A.toml", "B.toml", "-n", "2", "--workers", "1", "--set", "seed=3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}  # rules are called in Python then
    done = subprocess.run(
        [sys.executable, "-c", WALKED, json.dumps(names), *command],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stderr.splitlines()[-1])
    assert set(names) - set(seen) == set()
    firsts = [min(seen.index(name) for name in step if name in seen) for step in steps if set(step) & set(seen)]
    assert firsts == sorted(firsts)
