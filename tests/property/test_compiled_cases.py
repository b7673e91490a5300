"""Cases in which the compiled clock once differed: small, with what went wrong in their names."""

from dcsim.program.program import Program
from dcsim.scenario import Scenario
from tests.property.test_compiled_clock import differences

OWN_COME_BACK = {
    "name": "own come back",
    "horizon": "0.066 s",
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 3},
            "rack": {"nodes": 2},
            "nvlink": {"domain": "node"},
        },
        "gpus": 9,
    },
    "jobs": [
        {
            "name": "job 0",
            "gpus": 1,
            "count": 3,
            "work": "0.016 GPU-s",
            "recovery": {
                "kind": "tiered-checkpoint",
                "network_overhead": "5 %",
                "tiers": [{"name": "tier 0", "every": "0.001 s", "write": "0.001 s", "restore": "0 s"}],
            },
        },
        {
            "name": "job 1",
            "gpus": 6,
            "work": "0.186 GPU-s",
            "recovery": {"kind": "checkpoint-restart", "checkpoint_every": "0.001 s"},
        },
    ],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "gpu",
            "mtbf": "0.297 s",
            "exposure": "running",
            "detect": "0.001 s",
            "repair": {"time": "0.003 s"},
            "returns": "job",
        },
        {
            "name": "hazard 1",
            "component": "gpu",
            "mtbf": {"kind": "weibull", "mean": "0.297 s", "shape": 0.7},
            "exposure": "running",
            "detect": "0.001 s",
            "repair": {"time": "0.001 s"},
            "returns": "job",
        },
    ],
}


def test_a_gang_that_its_own_came_back_to_starts_behind_one_that_waits() -> None:
    """The head of the queue blocks nobody where repaired GPUs return to their gang."""
    scenario = Scenario.model_validate(OWN_COME_BACK)
    assert not Program(scenario).tables["one"]["head_blocks"][0]
    assert differences(scenario, [0, 1]) == []
