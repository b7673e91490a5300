"""Ctrl-C in a terminal: what is finished is kept, and the run goes on from there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyarrow import parquet

SCENARIO = """
name = "interrupted"
horizon = "1000 h"
[cluster]
topology = "hgx-h100"
gpus = 64
spares = 8
[[jobs]]
name = "only"
gpus = 48
recovery = { kind = "fault-tolerant", failover = "5 min" }
[[hazards]]
component = "gpu"
mtbf = "2000 h"
blast = 8
detect = "15 min"
repair = "2 h"
"""


def start(*arguments):
    """Start dcsim as a terminal does: in a process group of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dcsim", *map(str, arguments)],
        env=environment, text=True, process_group=0, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def answer(player, folder, *arguments):
    """What a run says in JSON about its scenario."""
    code, out, err = player.play(folder, {}, arguments=list(map(str, arguments)))
    assert code == 0
    assert [line for line in err.splitlines() if not line.startswith("simulating: ")] == []
    (scenario,) = json.loads(out)["scenarios"]
    return {key: scenario[key] for key in ("replications", "ledger", "goodput", "scenario_sha256")}


@pytest.mark.parametrize(("workers", "engine"), [(1, "simpy"), (2, "simpy"), (2, "auto")])
def test_ctrl_c_keeps_what_is_finished(player, tmp_path, workers, engine):
    """An interrupted run exits with 130 and no traceback, and resuming it gives what an undisturbed run gives."""
    file, kept, clean = tmp_path / "it.toml", tmp_path / "kept", tmp_path / "clean"
    file.write_text(SCENARIO)
    with start("run", file, "-n", 10**6, "--engine", engine, "--workers", workers, "-o", kept) as process:
        while len(list(kept.rglob("part-*.parquet"))) < 3:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    numbers = numbers_in(kept)
    assert len(set(numbers)) >= 3
    assert not list(kept.rglob("*.tmp"))

    goes_on(player, file, kept, clean, workers, numbers)


@pytest.mark.parametrize("engine", ["simpy", "auto"])
def test_kill_9_loses_nothing_that_is_finished(player, tmp_path, engine):
    """After kill -9 a run goes on from what is on disk, and leaves the bytes of an undisturbed one."""
    file, kept, clean = tmp_path / "it.toml", tmp_path / "kept", tmp_path / "clean"
    file.write_text(SCENARIO)
    with start("run", file, "-n", 10**6, "--engine", engine, "--workers", 2, "-o", kept) as process:
        while len(list(kept.rglob("part-*.parquet"))) < 3:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.kill()
        process.communicate()
    goes_on(player, file, kept, clean, 2, numbers_in(kept))


def numbers_in(folder):
    """The replications that are on disk."""
    return [
        number
        for part in folder.rglob("part-*.parquet")
        for number in parquet.read_table(part, columns=["replication"])["replication"].to_pylist()
    ]


def goes_on(player, file, kept, clean, workers, numbers):
    """Resume a run beyond what it kept, and compare it with an undisturbed one."""
    more = max(numbers) + 3  # two workers finish out of order: beyond the highest number kept, not beyond their count
    again = ("run", file, "-n", more, "--json", "--no-report")
    resumed = answer(player, file.parent, *again, "--workers", workers, "-o", kept, "--resume")
    assert resumed == answer(player, file.parent, *again, "-o", clean)
    (one,), (other,) = kept.rglob("all.parquet"), clean.rglob("all.parquet")
    assert one.read_bytes() == other.read_bytes()
