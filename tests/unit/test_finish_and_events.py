"""Finish times, losses by job and event logs, in the results that users read."""

import json

import numpy as np
import pytest

import dcsim
from dcsim.engine import simulate_with_log
from dcsim.montecarlo import StoreError, read_events
from dcsim.report.simulated import simulated_table
from dcsim.scenario import Scenario


def scenario(**changes) -> Scenario:
    """64 GPUs for 1,000 h: a job with work for about 500 h, and four replicas that run on."""
    work = {"name": "train", "gpus": 32, "work": "16000 GPU-h", "recovery": {"kind": "stateless", "restore": "1 h"}}
    serve = {"name": "serve", "gpus": 4, "count": 4, "recovery": {"kind": "stateless", "restore": "10 min"}}
    content = {
        "name": "finish",
        "horizon": "1000 h",
        "seed": 11,
        "cluster": {"topology": "hgx-h100", "gpus": 64, "spares": 16},
        "jobs": [work, serve],
        "hazards": [{"component": "node", "mtbf": "500 h", "repair": "2 h"}],
    }
    return Scenario.model_validate(content | changes)


def test_a_job_without_failures_is_done_after_its_work_by_its_gpus():
    """16,000 GPU-hours on 32 GPUs take 500 h, to the millisecond."""
    quiet = scenario(hazards=[{"component": "node", "mtbf": "1e9 h"}])
    result = dcsim.run(quiet, replications=2, workers=1)
    finish = result.finishes_h["train"]
    assert (finish.share, finish.hours.mean, finish.hours.p95) == (1.0, 500.0, 500.0)
    assert result.ettr["train"] == 1.0
    assert "serve" not in result.finishes_h


def test_ettr_ends_with_the_job():
    """Useful over asked GPU-hours of a job that is done is its work over its GPUs and its time."""
    result = dcsim.run(scenario(), replications=4, workers=1)
    hours = result.sample.finish_h("train")
    assert len(hours) == 4
    assert result.ettr["train"] == pytest.approx(4 * 16_000 / (32 * hours.sum()), rel=1e-9)
    assert result.job_losses["train"] == pytest.approx(1 - result.ettr["train"], rel=1e-12)


def test_who_does_not_finish_is_told():
    """A job that no replication finishes has a share of 0 and no time; JSON says null, the table a dash."""
    short = scenario(horizon="400 h")
    result = dcsim.run(short, replications=2, workers=1)
    entry = json.loads(json.dumps(result.to_json(), allow_nan=False))["scenarios"][0]["finish_h"]["train"]
    nothing = ("mean", "se", "ci95", "p5", "p50", "p95", "p5_ci95", "p50_ci95", "p95_ci95")
    assert entry == {"finished_share": 0.0, **dict.fromkeys(nothing)}
    rows = {row.label: row.texts for row in simulated_table([result]).rows}
    assert rows["train done after, h"] == ("-",)
    assert rows["  done within the horizon, % of runs"] == ("0.0",)
    assert "  serve, per replica, %" in rows


def test_events_are_kept_on_request_and_hold_the_ledger(tmp_path):
    """The log of the asked replications lies beside them, says its units, and sums to their ledger's states."""
    result = dcsim.run(scenario(), replications=3, workers=1, output=tmp_path, events=2)
    table = read_events(result.folder, 1)
    assert table.schema.field("gpu_ms").metadata[b"unit"] == b"GPU-ms"
    assert table.schema.metadata[b"dcsim.replication"] == b"1"
    repaired = np.array(table["gpu_ms"])[np.array(table["phase"].to_pylist()) == "repair"].sum()
    assert repaired == result.sample.gpu_ms[1].sum(axis=0)[8]
    assert {"phase", "strike", "identify", "start", "finish"} <= set(table["what"].to_pylist())
    with pytest.raises(StoreError, match="--events"):
        read_events(result.folder, 2)


def test_a_log_has_columns_of_one_length():
    """Every column of the schema is there, all as long as the log."""
    _, log = simulate_with_log(scenario(), 0)
    assert {name: len(column) for name, column in log.columns().items()} == {name: len(log) for name, *_ in log.SCHEMA}
