"""--engine: both give the same bytes, batch never meets SimPy, and what it cannot do is told."""

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
AGEING = 'hazards.gpu.mtbf={ kind = "weibull", mean = "1000 h", shape = 0.7 }'


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
def test_batch_runs_without_simpy(dcsim, tmp_path, workers):
    """With --engine batch neither the process nor its workers import SimPy; with --engine simpy they would."""
    arguments = ("run", "small.toml", "-n", 6, "--workers", workers, "--json")
    done = without_simpy(tmp_path, *arguments, "--engine", "batch")
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not line.startswith("simulating: ")] == []
    assert json.loads(done.stdout)["scenarios"][0]["engine"] == "batch"
    done = without_simpy(tmp_path, *arguments, "--engine", "simpy")
    assert done.returncode == 1
    assert "simpy is forbidden here" in done.stderr


def test_both_engines_leave_the_same_bytes(dcsim):
    """Gold-tier by SimPy, by batch, and begun by one and finished by the other: one all.parquet."""
    gold = ROOT / "scenarios/pretrain-5184/gold.toml"
    for engine in ("simpy", "batch"):
        assert dcsim("run", gold, "-n", 8, "--engine", engine, "-o", engine).exit_code == 0
        assert dcsim("run", gold, "-n", 3, "--engine", engine, "-o", f"{engine}-first").exit_code == 0
    simpy, batch = Path("simpy"), Path("batch")
    assert parquet(simpy) == parquet(batch)
    for first, then in (("simpy", "batch"), ("batch", "simpy")):
        folder = Path(f"{first}-first")
        assert dcsim("run", gold, "-n", 8, "--engine", then, "-o", folder, "--resume").exit_code == 0
        assert parquet(folder) == parquet(batch)
        assert manifest(folder) == manifest(Path(then))
    assert (manifest(simpy)["engine"], manifest(simpy)["engine_why"]) == ("simpy", ["asked for"])
    assert manifest(batch)["engine"] == "batch"
    assert "engine_why" not in manifest(batch)


@pytest.mark.parametrize("verb", ["run", "compare", "explain"])
def test_what_batch_cannot_do_is_an_error(dcsim, verb):
    """--engine batch for a scenario that needs SimPy exits with 2, a line for each reason, and writes nothing."""
    files = ["small.toml", "other.toml"] if verb == "compare" else ["small.toml"]
    done = dcsim(verb, *files, "-n", 2, "--engine", "batch", "--set", AGEING)
    assert (done.exit_code, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith('--engine batch: "') for line in lines)
    assert not Path("outputs").exists()


def test_auto_says_why_it_took_simpy(dcsim):
    """Where batch is not exact auto takes SimPy and says why: in the manifest, in JSON and in a note."""
    plain = dcsim("run", "small.toml", "-n", 2, "-o", "plain")
    assert manifest(Path("plain"))["engine"] == "batch"
    assert "engine: batch" in plain.stdout
    done = dcsim("run", "small.toml", "-n", 2, "--set", AGEING)
    why = manifest(Path("outputs"))["engine_why"]
    assert manifest(Path("outputs"))["engine"] == "simpy"
    assert why
    assert f"engine: SimPy ({why[0]}" in " ".join(done.stdout.split())
    entry = json.loads(dcsim("run", "small.toml", "-n", 2, "--set", AGEING, "--json").stdout)["scenarios"][0]
    assert (entry["engine"], entry["engine_why"]) == ("simpy", why)
    asked = dcsim("run", "small.toml", "-n", 2, "--engine", "simpy")
    assert "engine: SimPy (asked for)" in " ".join(asked.stdout.split())


def test_an_event_log_is_simpys(dcsim):
    """--engine batch keeps no event log and says so; auto keeps one of a scenario that batch simulates."""
    done = dcsim("run", "small.toml", "-n", 2, "--engine", "batch", "--events")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "--engine batch keeps no event log" in done.stderr
    assert dcsim("run", "small.toml", "-n", 2, "--events").exit_code == 0
    assert len(list(Path("outputs").rglob("events/*.parquet"))) == 1
