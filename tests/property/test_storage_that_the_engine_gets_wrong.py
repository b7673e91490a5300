"""Faults of the engine that the slow reference found, each in the least scenario that shows it."""

import pytest

from dcsim.engine import simulate
from dcsim.ledger import STATE
from dcsim.scenario import read
from tests.property.test_plant_equals_reference import compare

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


@pytest.mark.xfail(reason="a load that no gateway serves up to its end ends after the time that it takes alone")
def test_a_load_waits_for_the_only_gateway_up_to_the_horizon() -> None:
    """The gateway does not come back: the job loads up to the horizon and never runs."""
    scenario = read(loading("100 h"))
    accounts = simulate(scenario, 0)
    assert accounts.gpu_ms[0, STATE["restore"]] == 8 * HOUR
    assert accounts.gpu_ms[0, STATE["useful"]] == 0
    assert compare(scenario, 0) == []


@pytest.mark.xfail(reason="after a new share the gang may compute on 1 ms before the end of its write")
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


@pytest.mark.xfail(reason="while a write waits for the gateways, what drains in the background stands still")
def test_a_fast_copy_drains_while_a_slow_write_is_late() -> None:
    """At 2 h a copy in memory begins to drain for 1 h, and a write of 1 h to storage lasts 4 h; a GPU fails at 5.5 h.

    The copy is durable since 3 h, so nothing is lost.
    """
    storage = {"gateways": 1, "bandwidth": f"{2**40 / 1e9 / (4 * 3600):.9f} GB/s"}
    fast = {"name": "memory", "every": "2 h", "write": "0 s", "drain": "1 h", "restore": "0 s", "survives": 1}
    slow = {"name": "storage", "every": "2 h", "write": "1 h", "drain": "0 s", "restore": "0 s"}
    job = {"name": "a", "gpus": 1, "storage": {"state": "1 TiB"}}
    job["recovery"] = {"kind": "tiered-checkpoint", "tiers": [fast, slow]}
    hazard = {"component": "node", "mtbf": {"kind": "trace", "at": ["5.5 h"], "span": "10 h", "repeat": False}}
    scenario = {
        "name": "late drain",
        "horizon": "7 h",
        "cluster": {"gpus": 1, "topology": {**PLAIN, "storage": storage}},
        "jobs": [job],
        "hazards": [{**hazard, "repair": "0 s"}],
    }
    accounts = simulate(read(scenario), 0)
    assert accounts.gpu_ms[0, STATE["lost"]] == 0
    assert compare(read(scenario), 0) == []
