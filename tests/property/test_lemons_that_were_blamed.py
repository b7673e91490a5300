"""Retired lemons beside wrong-node blame: scenarios that once broke off, because a group had lost members meanwhile."""

import pytest

from dcsim.engine import simulate
from dcsim.scenario import Scenario
from tests.property import reference
from tests.property.test_engine_equals_reference import differences

LEFT_ITS_GROUP = {
    "name": "random",
    "horizon": "0.05 s",
    "seed": 9294,
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 1},
            "rack": {"nodes": 1, "power": "500 W"},
            "nvlink": {"domain": "node"},
        },
        "gpus": 36,
    },
    "jobs": [
        {
            "name": "job 1",
            "gpus": 21,
            "recovery": {
                "restore_success": "60 %",
                "restore_gpus": 2,
                "checkpoint_every": "0.002 s",
                "network_overhead": "3.3 %",
                "memory_overhead": "1.7 %",
                "kind": "checkpoint-restart",
            },
        }
    ],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "gpu",
            "mtbf": {"kind": "exponential", "mean": "0.171 s"},
            "blast": 8,
            "burst": {"size": 2.5, "within": "0.004 s"},
            "lemons": {"fraction": "60 %", "factor": 2.5, "retire_after": 1, "window": "0.025 s", "replace": "0.012 s"},
            "detect": "0.004 s",
            "wrong_node": "70 %",
            "repair": [
                {"name": "technician", "time": "0.006 s", "silent": "40 %", "crews": 1},
                {"name": "technician", "time": "0.005 s", "silent": "100 %", "crews": 1},
            ],
            "requalify": "0.005 s",
        }
    ],
}
NOTHING_OF_ITS_OWN = {
    "name": "random",
    "horizon": "38 min",
    "seed": 514,
    "cluster": {
        "topology": {
            "name": "small",
            "description": "",
            "node": {"gpus": 8},
            "rack": {"nodes": 1},
            "nvlink": {"domain": "node"},
            "fabric": {
                "nics": 1,
                "port": "50 GB/s",
                "leaf": {"nodes": 1, "uplinks": 1},
                "spine": {"count": 1, "segments": 1, "uplinks": 1},
                "core": {"ports": 1},
            },
        },
        "gpus": 56,
    },
    "jobs": [
        {
            "name": "job 0",
            "gpus": 18,
            "recovery": {
                "restore": "3 min",
                "restore_success": "60 %",
                "checkpoint_every": "1 min",
                "spare": "cold",
                "kind": "checkpoint-restart",
            },
        },
        {
            "name": "job 1",
            "gpus": 7,
            "count": 2,
            "priority": 1,
            "comm": "50 %",
            "recovery": {"checkpoint_every": "1 min", "kind": "checkpoint-restart"},
        },
    ],
    "hazards": [
        {
            "name": "hazard 0",
            "component": "gpu",
            "mtbf": "19891.2 s",
            "lemons": {"fraction": "20 %", "factor": 1.0, "retire_after": 1, "window": "1 min", "replace": "0 min"},
            "wrong_node": "70 %",
            "repair": {"time": "10 min"},
        }
    ],
}


@pytest.mark.parametrize(("tables", "replication"), [(LEFT_ITS_GROUP, 0), (NOTHING_OF_ITS_OWN, 25)])
def test_it_runs_to_the_end(tables, replication):
    """The ledger conserves, and what the reference can play is the same there."""
    scenario = Scenario.model_validate(tables)
    accounts = simulate(scenario, replication)
    assert accounts.failures > 0
    if not scenario.cluster.topology.fabric:
        assert differences(accounts, reference.simulate(scenario, replication)) == []
