"""--engine: both clocks give the same bytes, compiled rules never meet SimPy, and old names are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "simpy":
            raise ImportError("simpy is forbidden here")

sys.meta_path.insert(0, Forbidden())
"""


def without_simpy(folder, *arguments):
    """Run a command line whose process and workers cannot import SimPy."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site/sitecustomize.py").write_text(FORBIDDEN)
    paths = os.pathsep.join([str(folder / "site"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-P", "-m", "dcsim", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": paths}, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def parquet(folder):
    """The bytes of the one run in a folder."""
    (found,) = folder.rglob("all.parquet")
    return found.read_bytes()


def manifest(folder):
    """The manifest of the one run in a folder."""
    (found,) = folder.rglob("manifest.json")
    return json.loads(found.read_text())


@pytest.mark.parametrize("workers", [1, 2])
def test_compiled_rules_run_without_simpy(dcsim, tmp_path, workers):
    """Neither the process nor its workers import SimPy; with --engine simpy they would."""
    arguments = ("run", "small.toml", "-n", 6, "--workers", workers, "--json")
    done = without_simpy(tmp_path, *arguments)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not line.startswith("simulating: ")] == []
    assert json.loads(done.stdout)["scenarios"][0]["engine"] == "compiled"
    done = without_simpy(tmp_path, *arguments, "--engine", "simpy")
    assert done.returncode == 1
    assert "simpy is forbidden here" in done.stderr


def test_both_clocks_leave_the_same_bytes(dcsim):
    """Half a year of Gold-tier by SimPy, by compiled rules, begun by one and finished by the other: one all.parquet.

    Its integers over the whole term are compared in tests/property/test_simpy_clock.py.
    """
    gold = (ROOT / "scenarios/pretrain-5184/gold.toml", "--set", "horizon=6 mo")
    for engine in ("simpy", "auto"):
        assert dcsim("run", *gold, "-n", 8, "--engine", engine, "-o", engine).exit_code == 0
        assert dcsim("run", *gold, "-n", 3, "--engine", engine, "-o", f"{engine}-first").exit_code == 0
    simpy, auto = Path("simpy"), Path("auto")
    assert parquet(simpy) == parquet(auto)
    for first, then in (("simpy", "auto"), ("auto", "simpy")):
        folder = Path(f"{first}-first")
        assert dcsim("run", *gold, "-n", 8, "--engine", then, "-o", folder, "--resume").exit_code == 0
        assert parquet(folder) == parquet(auto)
        assert manifest(folder) == manifest(Path(then))
    assert (manifest(simpy)["engine"], manifest(simpy)["engine_why"]) == ("simpy", ["asked for"])
    assert manifest(auto)["engine"] == "compiled"
    assert "engine_why" not in manifest(auto)


def test_months_that_some_runs_lack_are_left_out_of_all(dcsim):
    """A run that was begun with --no-monthly and goes on with months has none; the manifest says so."""
    assert dcsim("run", "small.toml", "-n", 3, "--no-monthly").exit_code == 0
    assert manifest(Path("outputs"))["monthly"] is False
    done = dcsim("run", "small.toml", "-n", 6, "--resume", "--json")
    entry = json.loads(done.stdout)["scenarios"][0]
    assert (entry["replications"], entry["ledger_by_month"], entry["loss_by_hazard"]) == (6, None, None)
    whole = dcsim("run", "small.toml", "-n", 6, "-o", "whole", "--json")
    entry = json.loads(whole.stdout)["scenarios"][0]
    assert set(entry["ledger_by_month"]) == set(entry["ledger"])


def test_what_played_the_rules_is_said(dcsim):
    """In the manifest, in JSON and in a note; without numba it is the same rules as plain Python."""
    plain = dcsim("run", "small.toml", "-n", 2, "-o", "compiled")
    assert "engine: compiled rules" in plain.stdout
    asked = dcsim("run", "small.toml", "-n", 2, "-o", "simpy", "--engine", "simpy")
    assert "engine: SimPy (asked for)" in " ".join(asked.stdout.split())
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dcsim", "run", "small.toml", "-n", "2", "-o", "plain"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "engine: rules as plain Python (numba is not installed, or switched off)" in " ".join(done.stdout.split())
    assert manifest(Path("plain"))["engine"] == "plain"
    assert parquet(Path("plain")) == parquet(Path("compiled"))


def test_the_old_name_still_works(dcsim):
    """--engine batch is taken for auto, with a note."""
    done = dcsim("run", "small.toml", "-n", 2, "--engine", "batch", "--json")
    assert done.exit_code == 0
    assert "note: --engine batch is now what auto does; leave it out" in done.stderr.splitlines()
    assert json.loads(done.stdout)["scenarios"][0]["engine"] == "compiled"


@pytest.mark.parametrize("engine", ["auto", "simpy"])
def test_event_logs_are_kept_by_either(dcsim, engine):
    """--events writes a log whatever plays the rules."""
    assert dcsim("run", "small.toml", "-n", 2, "--events", "--engine", engine).exit_code == 0
    assert len(list(Path("outputs").rglob("events/*.parquet"))) == 1
