"""Cases in which engine and reference once differed: small, with their strikes as literals beside the equality."""

import pytest

from dcsim.engine import simulate
from dcsim.ledger import STATE
from dcsim.scenario import Scenario, load
from tests.property import reference
from tests.property.test_engine_equals_reference import differences

CORRUPT_TWICE = {
    "name": "random",
    "horizon": "0.02 s",
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 4},
            "rack": {"nodes": 2},
            "nvlink": {"domain": "node"},
        },
        "gpus": 4,
    },
    "jobs": [{"name": "job 0", "gpus": 2, "recovery": {"checkpoint_every": "0.001 s", "kind": "checkpoint-restart"}}],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "node",
            "mtbf": "0.001 s",
            "effect": "corrupt",
            "lemons": {"fraction": "20 %", "factor": 1.0, "retire_after": 1, "window": "0.001 s", "replace": "0.001 s"},
            "detect": "0.001 s",
            "repair": {"time": "0.001 s"},
        }
    ],
}
SPLIT_GROUP = {
    "name": "random",
    "horizon": "0.02 s",
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 2},
            "rack": {"nodes": 3},
            "nvlink": {"domain": "node"},
        },
        "gpus": 4,
    },
    "jobs": [
        {
            "name": "job 0",
            "gpus": 1,
            "priority": 1,
            "recovery": {
                "restore_gpus": 1,
                "checkpoint_every": "0.001 s",
                "kind": "async-checkpoint",
                "checkpoint_drain": "0 s",
            },
        },
        {
            "name": "job 1",
            "gpus": 2,
            "priority": 1,
            "recovery": {
                "restore_gpus": 1,
                "checkpoint_every": "0.001 s",
                "kind": "async-checkpoint",
                "checkpoint_drain": "0 s",
            },
        },
    ],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "gpu",
            "mtbf": "0.04 s",
            "lemons": {"fraction": "20 %", "factor": 5.0, "retire_after": 1, "window": "0.001 s"},
            "detect": "0.001 s",
            "repair": {"time": "0.001 s"},
            "returns": "job",
        }
    ],
}
SLOW_IN_MAINTENANCE = {
    "name": "random",
    "horizon": "0.14 s",
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 4},
            "rack": {"nodes": 2},
            "nvlink": {"domain": "node"},
        },
        "gpus": 4,
    },
    "jobs": [
        {
            "name": "job 0",
            "gpus": 2,
            "recovery": {"checkpoint_every": "0.007 s", "kind": "async-checkpoint", "checkpoint_drain": "0 s"},
        }
    ],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "gpu",
            "mtbf": "0.022 s",
            "effect": "straggle",
            "keeps": "50 %",
            "detect": "0.014 s",
            "repair": {"time": "0.007 s"},
        }
    ],
    "maintenance": [{"name": "work 0", "component": "gpu", "every": "0.014 s", "first": "0 s", "duration": "0.007 s"}],
}

SENDS_WITH_ALL_MEMBERS = {
    "name": "random",
    "horizon": "0.019 s",
    "seed": 1158,
    "energisation": [
        {"name": "phase 0", "racks": 1, "date": "0.001 s"},
        {"name": "phase 1", "racks": 1, "date": "0.002 s"},
    ],
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 4},
            "rack": {"nodes": 1},
            "nvlink": {"domain": "node"},
            "fabric": {
                "nics": 1,
                "port": "50 GB/s",
                "leaf": {"nodes": 2, "uplinks": 2},
                "spine": {"count": 2, "segments": 1, "uplinks": 1},
                "core": {"ports": 1},
            },
        },
        "gpus": 36,
    },
    "jobs": [
        {
            "name": "job 0",
            "gpus": 26,
            "comm": "100 %",
            "preflight": {"time": "0.001 s", "false_alarms": "40 %", "retest": "0.001 s"},
            "recovery": {"kind": "elastic", "group": 13},
        }
    ],
    "hazards": [
        {
            "component": "spine-uplink",
            "mtbf": "0.001 s",
            "effect": "degrade",
            "keeps": "33.3 %",
            "detect": "0.001 s",
        },
        {
            "component": "gpu",
            "mtbf": {"kind": "empirical", "values": ["0.004 s", "0.058 s"]},
            "blast": 1,
            "repair": {"time": "0.004 s", "crews": 1},
        },
    ],
}


@pytest.mark.parametrize(
    ("tables", "strikes"),
    [
        pytest.param(CORRUPT_TWICE, [2, 0, 0], id="a cleared corruption leaves the other repair alone"),
        pytest.param(SPLIT_GROUP, [1, 2, 0, 0], id="what is left of a group of two gangs returns to the pool"),
        pytest.param(SLOW_IN_MAINTENANCE, [5, 0, 0], id="a straggler stays slow through maintenance"),
    ],
)
def test_cases_that_differed(tables, strikes):
    """Engine and reference agree in every account, on the strikes that the rule gives."""
    check(tables, 0, strikes)


def test_members_that_a_small_gang_has_no_use_for_send_too():
    """It runs with one group of two and takes GPUs in another pod: the uplinks of that pod slow it from then on."""
    check(SENDS_WITH_ALL_MEMBERS, 63, [18, 0, 0])


VISITS = """
name = "two visits"
horizon = "0.1 s"
[cluster]
topology = "hgx-h100"
gpus = 16
[[jobs]]
name = "job"
gpus = 1
recovery = { kind = "stateless" }
[[hazards]]
name = "a"
component = "gpu"
blast = 1
mtbf = { kind = "trace", file = "a.csv", begin = "2024-01-01T00:00", span = "0.1 s" }
detect = "0 s"
repair = [
  { time = "0 s", success = "0.0001 %", visit_after = "0.002 s" },
  { name = "technician", time = "0.010 s", visit_when = 2 },
]
[[hazards]]
name = "b"
component = "gpu"
blast = 1
mtbf = { kind = "trace", file = "b.csv", begin = "2024-01-01T00:00", span = "0.1 s" }
detect = "0 s"
repair = { name = "technician", time = "0.005 s", visit_when = 2 }
"""


def test_a_visit_that_was_foreseen_comes_before_one_whose_reason_arises_now(tmp_path):
    """At 6 ms both are due: a visit that fails at once sends its GPU on to the technician, who then takes all three.

    By hand, GPU-ms of repair: two GPUs from 1 to 6, two from 3 and one from 4 until 16 ms.
    """
    for name, failures in (("a", ((4, 4),)), ("b", ((1, 0), (1, 1), (3, 2), (3, 3)))):
        rows = "".join(f"2024-01-01T00:00:00.{at:03},{component}\n" for at, component in failures)
        (tmp_path / f"{name}.csv").write_text("start,component\n" + rows)
    (tmp_path / "x.toml").write_text(VISITS)
    scenario = load(tmp_path / "x.toml")
    found = simulate(scenario, 0)
    assert differences(found, reference.simulate(scenario, 0)) == []
    assert found.gpu_ms[:, STATE["repair"]].sum() == 2 * (6 - 1) + 2 * (16 - 3) + (16 - 4)


def check(tables, replication, strikes):
    """Compare engine and reference."""
    scenario = Scenario.model_validate(tables)
    found = simulate(scenario, replication)
    assert differences(found, reference.simulate(scenario, replication)) == []
    assert found.strikes.tolist() == strikes
