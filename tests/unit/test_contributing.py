"""The exercises in CONTRIBUTING.md: one file makes a strategy or a lifetime."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
"""Path, as the first line of a code block names it -> the rest of the block."""
STRATEGY, LIFETIME = "dcsim/recovery/snapshot_replay.py", "dcsim/hazards/lifetimes/loglogistic.py"
PLAYED = """
from dcsim.engine import simulate
from dcsim.ledger import STATE
from dcsim.scenario import load
for replication in range(4):
    accounts = simulate(load("exercise.toml"), replication)
    print(accounts.strikes[0], accounts.gpu_ms[0, STATE["lost"]], accounts.gpu_ms[0, STATE["failover"]])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Copy the package, its topologies and contract tests, and add the page's files."""
    root = tmp_path_factory.mktemp("exercise")
    for folder in ("dcsim", "topologies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "scenarios").mkdir()
    (root / "tests" / "unit").mkdir(parents=True)
    tests = ("conftest.py", *(f"unit/{name}.py" for name in ("strategies", *CONTRACTS)))
    for file in ("pyproject.toml", *(f"tests/{name}" for name in tests)):
        shutil.copy(ROOT / file, root / file)
    for path, text in BLOCKS.items():
        (root / path).write_text(text, encoding="utf-8")
    return root


CONTRACTS = {"test_recovery_contract": "snapshot-replay", "test_lifetime_contract": "loglogistic"}


def python(root, *arguments):
    """Run Python in a folder with that folder's dcsim; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_three_files():
    """A strategy, a lifetime, and a scenario with both; none of them exists in the package yet."""
    assert set(BLOCKS) == {STRATEGY, LIFETIME, "exercise.toml"}
    assert not any((ROOT / path).exists() for path in BLOCKS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract(copy, contract):
    """The contract tests run on the new kind without naming it, and it keeps the contract."""
    wanted = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/unit/{contract}.py", "-k", CONTRACTS[contract])
    passed, deselected = re.search(r"(\d+) passed, (\d+) deselected", python(copy, *wanted)).groups()
    assert int(passed) >= 9
    assert int(deselected) > int(passed)  # the other kinds


def test_the_program_knows_both(copy):
    """A scenario with both is valid, the schema offers them, and the list shows their keys."""
    assert python(copy, "-m", "dcsim", "check", "exercise.toml") == "exercise.toml: ok\n"
    schema = python(copy, "-m", "dcsim", "schema")
    assert '"snapshot-replay"' in schema
    assert '"loglogistic"' in schema


def test_a_strike_costs_one_snapshot(copy):
    """Each strike finds the gang of 8 running for long: 8 GPUs x 2 min lost, 8 x 1 min of failover, at once whole."""
    rows = [tuple(map(int, row.split())) for row in python(copy, "-c", PLAYED).splitlines()]
    assert len(rows) == 4
    for strikes, lost, failover in rows:
        assert strikes > 2  # 8,760 h at a mean life of 1,000 h
        assert lost == strikes * 8 * 120_000
        assert failover == strikes * 8 * 60_000
