"""A check of a gang's members before it starts: what it costs, finds and takes for bad; times in ms."""

import numpy as np
import pytest

from dcsim.engine import simulate
from dcsim.scenario import Scenario
from dcsim.scenario.rules import broken_rules
from dcsim.scenario.unused import unused_keys
from tests.unit.literal import expect, hazard, job, scenario

ALL = {"time": "0.005 s", "finds": "100 %"}
KILL = hazard("software", component="node", effect="kill", detect=2)


def slow(effect="straggle"):
    """Nodes that are slow until they are found, which nobody does."""
    return hazard("slow", component="node", detect=1_000, effect=effect, keeps="50 %")


@pytest.mark.parametrize(
    ("preflight", "checks"),
    [(None, 0), ({"time": "0.005 s"}, 5), ({"time": "0.001 s", "finds": "50 %"}, 1)],
)
def test_a_start_after_an_interruption_waits_for_the_check(preflight, checks):
    """At 30 the software dies: 2 to find it, the check, failover 3, restore 4; the gang of t = 0 runs at once."""
    expect(
        scenario(1, job("a", 1, preflight=preflight), hazards=[KILL]),
        [[(30, 0, 0)]],
        {"a": {"useful": 100 - 2 - checks - 7, "detect": 2, "maintenance": checks, "failover": 3, "restore": 4}},
    )


def test_a_straggler_is_found_before_the_start_and_nobody_is_interrupted():
    """Node 0 is slow from 10 on; the check from 32 to 37 finds it, the spare is checked from 37 to 42.

    It ran for 20 at half speed; its repair takes 7. The kill is the only interruption.
    """
    expect(
        scenario(2, job("a", 1, preflight=ALL), hazards=[slow(), KILL], spares=1),
        [[(10, 0, 7)], [(30, 0, 0)]],
        {
            "a": {
                "useful": 10 + 10 + 51,
                "overhead": 10,
                "detect": 2,
                "maintenance": 10,
                "failover": 3,
                "restore": 4,
                "repair": 7,
            },
            "spares": {"spare": 37 + 56},
        },
        strikes={"a": 1},
        effective=2,
    )


def test_what_is_degraded_is_repaired_where_it_is():
    """Node 0 is slow from 10 on, and from the end of the check at 37 in repair until 57; the gang starts at 37."""
    expect(
        scenario(1, job("a", 1, preflight=ALL), hazards=[slow("degrade"), KILL]),
        [[(10, 0, 20)], [(30, 0, 0)]],
        {
            "a": {
                "useful": 10 + 10 + 13 // 2 + 43,
                "overhead": 10 + 7,
                "detect": 2,
                "maintenance": 5,
                "failover": 3,
                "restore": 4,
            }
        },
        strikes={"a": 1},
    )


def test_corrupt_work_is_found_before_the_start():
    """From 15 on node 0 computes wrong results; the checkpoint at 10 is the last one that is right."""
    bad = hazard("bad", component="node", detect=1_000, effect="corrupt", blast=None)
    expect(
        scenario(2, job("a", 1, preflight=ALL), hazards=[bad, KILL], spares=1),
        [[(15, 0, 7)], [(30, 0, 0)]],
        {
            "a": {
                "useful": 10 + 51,
                "lost": 20,
                "detect": 2,
                "maintenance": 10,
                "failover": 3,
                "restore": 4,
                "repair": 7,
            },
            "spares": {"spare": 37 + 56},
        },
        strikes={"a": 1},
    )


def test_good_nodes_that_fail_are_tested_again():
    """Both nodes fail at 37, and again when they are back, at 62 and 87: what fails always never starts."""
    alarms = {"time": "0.005 s", "false_alarms": "99.9999999 %", "retest": "0.02 s"}
    expect(
        scenario(2, job("a", 2, preflight=alarms), hazards=[KILL]),
        [[(30, 0, 0)]],
        {"a": {"useful": 60, "detect": 4, "maintenance": 2 * 68}},
    )


def test_a_job_that_is_submitted_is_checked_first():
    """From 20 to 25 it is checked, then it restores; nothing was struck, so there is no failover."""
    expect(
        scenario(1, job("a", 1, submit=20, preflight=ALL)),
        [[]],
        {"a": {"useful": 71, "maintenance": 5, "restore": 4}, "rest": {"idle": 20}},
    )


@pytest.mark.parametrize(
    ("keys", "key", "why"),
    [
        ({"false_alarms": "1 %"}, "retest", "missing; required (false_alarms is given)"),
        ({"retest": "1 h"}, "retest", "found 1 h; only false_alarms are tested again"),
    ],
)
def test_keys_that_make_no_sense(keys, key, why):
    """One line at the key that is wrong."""
    ((where, what),) = broken_rules(scenario(1, job("a", 1, preflight={"time": "1 min", **keys})))
    assert where == ("jobs", 0, "preflight", key)
    assert what == why


def test_a_check_that_can_find_nothing_is_named():
    """Interruptions are found at once: there is nothing that a preflight could find, unless nodes are blamed."""
    made = scenario(1, job("a", 1, preflight=ALL))
    assert unused_keys(made) == ["jobs.a.preflight.finds"]
    blamed = hazard("gpu", component="node", wrong_node="50 %")
    assert unused_keys(scenario(1, job("a", 1, preflight=ALL), hazards=[blamed])) == []


def test_what_a_silent_repair_has_returned_is_not_found():
    """Every repair is silent and every gang is checked, by windows too: as many failures as if checks found nothing.

    A part that works until it fails again is not faulty before. The windows take the same time either way.
    """
    found = []
    for share in ("0 %", "100 %"):
        made = Scenario.model_validate(
            {
                "name": "silent",
                "horizon": "2000 h",
                "seed": 15,
                "cluster": {"topology": "hgx-h100", "gpus": 64, "spares": 16},
                "jobs": [
                    {
                        "name": "a",
                        "gpus": 48,
                        "recovery": {"kind": "stateless"},
                        "preflight": {"time": "5 min", "finds": share},
                    }
                ],
                "hazards": [
                    {
                        "component": "node",
                        "mtbf": {"kind": "weibull", "mean": "300 h", "shape": 2},
                        "repair": {"time": "3 h", "silent": "100 %"},
                    }
                ],
                "maintenance": [
                    {"name": "check", "component": "node", "every": "200 h", "duration": "1 h", "finds": share}
                ],
            }
        )
        found.append(simulate(made, 0))
    assert found[0].failures > 50
    assert found[0].failures == found[1].failures
    assert np.array_equal(found[0].gpu_ms, found[1].gpu_ms)
