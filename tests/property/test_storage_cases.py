"""Loads and writes that the slow reference once told otherwise, each in the least scenario that shows it."""

import pytest

from dcsim.engine import simulate, simulate_with_log
from dcsim.ledger import STATE
from dcsim.scenario import read
from tests.property.test_storage_equals_reference import compare

PLAIN = {"name": "small", "description": "", "node": {"gpus": 1}, "rack": {"nodes": 1}, "nvlink": {"domain": "node"}}
HOUR = 3_600_000


def loading(repair: str) -> dict[str, object]:
    """Give a job that would load from 2 h to 3 h, and the only gateway, which fails at 1 h; the horizon is 10 h."""
    job = {"name": "a", "gpus": 1, "submit": "2 h", "storage": {"state": "1 TiB", "load": "1 h"}}
    job["recovery"] = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "1 h"}
    gateway = {"component": "gateway", "mtbf": {"kind": "trace", "at": ["1 h"], "span": "10 h", "repeat": False}}
    cluster = {"gpus": 1, "topology": {**PLAIN, "storage": {"gateways": 1, "bandwidth": "10 TB/s"}}}
    return {
        "name": "stalled",
        "horizon": "10 h",
        "cluster": cluster,
        "jobs": [job],
        "hazards": [{**gateway, "repair": repair}],
    }


def test_a_load_waits_for_the_only_gateway() -> None:
    """The gateway is back at 5 h: the load goes from 2 h to 6 h."""
    scenario = read(loading("4 h"))
    accounts = simulate(scenario, 0)
    assert accounts.gpu_ms[0, STATE["restore"]] == 4 * HOUR
    assert accounts.gpu_ms[0, STATE["useful"]] == 4 * HOUR
    assert compare(scenario, 0) == []


def test_a_load_waits_for_the_only_gateway_up_to_the_horizon() -> None:
    """The gateway does not come back: the job loads up to the horizon and never runs."""
    scenario = read(loading("100 h"))
    accounts = simulate(scenario, 0)
    assert accounts.gpu_ms[0, STATE["restore"]] == 8 * HOUR
    assert accounts.gpu_ms[0, STATE["useful"]] == 0
    assert compare(scenario, 0) == []


def test_a_gang_computes_a_whole_interval_between_two_writes() -> None:
    """Three gangs write through gateways for two thirds of one; one is hit at 56 ms, as another begins to write.

    Its write lasts until 60 ms, by the engine's log too. The next begins after 3 ms of computing: at 63 ms, not 62.
    """
    storage = {"gateways": 3, "bandwidth": "238.609294222 GB/s"}
    topology = {**PLAIN, "node": {"gpus": 4}, "rack": {"nodes": 2}, "nvlink": {"domain": "rack"}, "storage": storage}
    job = {"name": "a", "gpus": 7, "count": 3, "storage": {"state": "1 GiB"}}
    job["recovery"] = {"kind": "fault-tolerant", "failover": "0.002 s"}
    job["recovery"] |= {"checkpoint_every": "0.003 s", "checkpoint_write": "0.001 s"}
    scenario = {"name": "random", "horizon": "0.182 s", "cluster": {"gpus": 44, "topology": topology}, "jobs": [job]}
    assert compare(read({**scenario, "hazards": [{"component": "gpu", "mtbf": "4.004 s"}]}), 0) == []


def late_drain(hit: str) -> dict[str, object]:
    """Give a job that copies to memory every 2 h, which drains for 1 h, and writes to storage, for 4 h instead of 1."""
    storage = {"gateways": 1, "bandwidth": f"{2**40 / 1e9 / (4 * 3600):.9f} GB/s"}
    fast = {"name": "memory", "every": "2 h", "write": "0 s", "drain": "1 h", "restore": "0 s", "survives": 1}
    slow = {"name": "storage", "every": "2 h", "write": "1 h", "drain": "0 s", "restore": "0 s"}
    job = {"name": "a", "gpus": 1, "storage": {"state": "1 TiB"}}
    job["recovery"] = {"kind": "tiered-checkpoint", "tiers": [fast, slow]}
    hazard = {"component": "node", "mtbf": {"kind": "trace", "at": [hit], "span": "10 h", "repeat": False}}
    return {
        "name": "late drain",
        "horizon": "8 h",
        "cluster": {"gpus": 1, "topology": {**PLAIN, "storage": storage}},
        "jobs": [job],
        "hazards": [{**hazard, "repair": "0 s"}],
    }


@pytest.mark.parametrize("number", range(30))
def test_loads_and_writes_of_a_few_ms_end_when_they_are_done(number: int) -> None:
    """Two jobs of two gangs load 4 ms and write 2 ms through one gateway that is enough for one; failures cut in.

    A share that changes in the very ms in which a transfer ends does not let it end a ms before.
    """
    storage = {"gateways": 1, "bandwidth": "134.217728 GB/s"}
    topology = {**PLAIN, "storage": storage}
    recovery = {"kind": "checkpoint-restart", "restore": "0.006 s", "checkpoint_every": "0.007 s"}
    recovery |= {"checkpoint_write": "0.002 s", "restore_success": "70 %"}
    job = {"gpus": 2, "count": 2, "storage": {"state": "1 GiB", "load": "0.004 s"}, "recovery": recovery}
    scenario = {
        "name": "dense",
        "horizon": "0.5 s",
        "cluster": {"gpus": 8, "topology": topology},
        "jobs": [{**job, "name": "a"}, {**job, "name": "b"}],
        "hazards": [{"component": "node", "mtbf": "0.4 s", "repair": "0.001 s"}],
    }
    assert compare(read(scenario), number) == []


@pytest.mark.parametrize(("hit", "lost"), [("2.5 h", 2), ("3 h", 0), ("5.5 h", 0), ("5.999 h", 0)])
def test_what_drains_counts_the_time_of_a_late_write(hit: str, lost: int) -> None:
    """A copy in memory at 2 h drains for 1 h. A write of 1 h to storage begins at 2 h, too, and lasts 4 h.

    Up to 3 h a failure costs the 2 h before the copy; from then on nothing: while it writes, the job computes nothing.
    """
    accounts = simulate(read(late_drain(hit)), 0)
    assert accounts.gpu_ms[0, STATE["lost"]] == lost * HOUR
    assert compare(read(late_drain(hit)), 0) == []


def test_a_load_that_is_shared_from_its_first_moment_is_one_row_of_the_log() -> None:
    """Two gangs begin to load at 2 h, each of which would take the only gateway for an hour: both are done at 4 h."""
    content = loading("1 h")
    content["jobs"][0]["count"] = 2
    content["cluster"]["gpus"] = 2
    content["cluster"]["topology"]["storage"]["bandwidth"] = f"{2**40 / 3600e9:.12f} GB/s"
    content["hazards"][0]["mtbf"]["at"] = ["9 h"]
    _, log = simulate_with_log(read(content), 0)
    columns = log.columns()
    rows = zip(*(columns[name].tolist() for name in ("what", "gang", "start_ms", "end_ms", "speed_ppb")), strict=True)
    loads = [row[1:] for row in rows if row[0] == "load"]
    assert loads == [(0, 2 * HOUR, 4 * HOUR, 500_000_000), (1, 2 * HOUR, 4 * HOUR, 500_000_000)]
