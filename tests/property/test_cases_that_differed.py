"""Cases in which engine and reference once differed: small, with their strikes as literals beside the equality."""

import pytest

from dcsim.engine import simulate
from dcsim.ledger import STATE
from dcsim.scenario import Scenario
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


def failing(name: str, at: list[str], gpus: list[int], repair: object) -> dict[str, object]:
    """Return a hazard of single GPUs that fail at these times and are found at once."""
    lives = {"kind": "trace", "at": at, "component": gpus, "span": "0.03 s"}
    return {"name": name, "component": "gpu", "mtbf": lives, "detect": "0 s", "repair": repair}


TECHNICIAN = {"name": "technician", "time": "0.006 s", "visit_after": "0 s"}
TWO_VISITS = CORRUPT_TWICE | {
    "horizon": "0.03 s",
    "cluster": SPLIT_GROUP["cluster"] | {"topology": SPLIT_GROUP["cluster"]["topology"] | {"node": {"gpus": 1}}},
    "jobs": [{"name": "job 0", "gpus": 1, "recovery": {"kind": "stateless"}}],
    "hazards": [
        failing("served", ["0.001 s", "0.003 s"], [1, 2], TECHNICIAN),
        failing(
            "looked at",
            ["0.005 s"],
            [3],
            [{"time": "0 s", "visit_after": "0.002 s", "success": "0.0001 %"}, TECHNICIAN],
        ),
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
    scenario = Scenario.model_validate(tables)
    found = simulate(scenario, 0)
    assert differences(found, reference.simulate(scenario, 0)) == []
    assert found.strikes.tolist() == strikes


def test_of_two_visits_in_one_millisecond_the_one_expected_first_begins_first():
    """At 7 ms one visit ends, so the next is expected; since 5 ms another one is, of no time, and what it passes on is
    in time for the next: GPUs are away from 1 to 7, from 3 to 13, and from 5 to 13 ms."""
    scenario = Scenario.model_validate(TWO_VISITS)
    found = simulate(scenario, 0)
    assert differences(found, reference.simulate(scenario, 0)) == []
    assert found.gpu_ms[:, STATE["repair"]].tolist() == [0, 0, 6 + 10 + 8]
