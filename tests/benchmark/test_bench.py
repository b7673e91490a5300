"""The bench runs and prints what scripts read; what it measures is never asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmark import logs, plant

ROOT = Path(__file__).parents[2]


@pytest.mark.exhaustive
def test_bench_prints_one_document_of_costs_and_ratios() -> None:
    """Every row has a median inside its range, and every ratio lies within what the rows' ranges allow."""
    command = [sys.executable, "-m", "tests.benchmark.bench", "--rounds", "2", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert (document["schema"], document["rounds"]) == (1, 2)
    assert [line for line in done.stderr.splitlines() if not line.startswith("simulating: ")] == []
    assert {"straightforward", "simpy", "compiled", "unsplit", "draws", "dcsim"} <= document["seconds"].keys()
    for row in (*document["seconds"].values(), *document["ratios"].values()):
        assert 0 < row["min"] <= row["median"] <= row["max"]
    assert [each["gpus"] for each in document["plant"]["builds"]] == [10_008, 100_008, 1_000_008]
    assert all(each["peak_mib"] < 2048 for each in document["plant"]["builds"])
    assert tuple(document["plant"]["reevaluation_seconds"]) == plant.NETWORK
    assert all(map(math.isfinite, document["plant"]["reevaluation_seconds"].values()))
    large = document["scale"]["sizes"]
    assert [(each["gpus"], each["blast"]) for each in large][2:] == [(999_936, "tray"), (999_936, 72)]
    assert all(each["peak_mib"] < 2048 and each["failures"] > 0 for each in large)
    assert min(document["scale"]["report_wall_seconds"].values()) > 0
    assert all(each["timeouts"] > 0 and each["failures"] > 0 for each in document["shipped"])
    log = document["log"]
    assert log.keys() == set(logs.FORMS)
    assert log["table"]["rows"] > 1_000_000
    assert all(each["peak_mib"] < 512 for each in log.values())
    width = document["scale"]["interval"]
    assert width["ratio"] == pytest.approx(width["variance_ratio"] * width["cost_ratio"])
    assert width["variance_ratio"] > 1
    costs, ratio = document["seconds"], document["ratios"]["straightforward model / compiled clock"]
    assert ratio["min"] >= costs["straightforward"]["min"] / costs["compiled"]["max"]
    assert ratio["max"] <= costs["straightforward"]["max"] / costs["compiled"]["min"]


def test_logs_of_all_forms_are_read_whole_beside_a_bare_loop() -> None:
    """Of small logs every line is read, each in a process of its own."""
    found = logs.measured("0.2MB", "0.2MB")
    assert tuple(found) == logs.FORMS
    assert min(each["rows"] for each in found.values()) > 2_000
    assert all(min(each["seconds"], each["csv_seconds"]) > 0 for each in found.values())
    said = logs.lines(found)
    assert [line.split()[0] for line in said] == list(logs.FORMS)
    assert all("lines a second" in line for line in said)
    with pytest.raises(ValueError, match="such as 100MB"):
        logs.bytes_of("100")
