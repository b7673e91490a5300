"""Maintenance that checks health: what it finds, what it takes for bad, which keys make no sense; times in ms."""

import pytest

from dcsim.scenario.rules import broken_rules
from dcsim.scenario.unused import unused_keys
from tests.unit.literal import expect, hazard, job, scenario

LATE = job("a", 1, submit=99)
"""A job that comes in the last ms: all GPUs are free before."""
ALWAYS = "99.9999999 %"


def slow(detect=1_000, component="node"):
    """Nodes that are slow until they are found."""
    return hazard("slow", component=component, detect=detect, effect="straggle", keeps="50 %")


def check(**keys):
    """Two nodes, one after the other, 5 ms each: node 0 at 20 and at 80, node 1 at 50."""
    times = {"every": "0.06 s", "first": "0.02 s", "duration": "0.005 s"}
    return {"name": "check", "component": "node", **times, **keys}


@pytest.mark.parametrize(
    ("keys", "detect", "longer", "found"),
    [
        ({}, 1_000, 0, None),  # nobody looks
        ({"finds": "100 %"}, 1_000, 0, 55),  # as its window ends
        ({"finds": "100 %"}, 30, 0, 40),  # it was found before
        ({"finds": "100 %", "drain": "0.002 s"}, 1_000, 0, 57),
        ({"finds": "100 %", "false_alarms": ALWAYS, "retest": "0.003 s"}, 1_000, 3, 58),
        ({"false_alarms": ALWAYS, "retest": "0.003 s"}, 1_000, 3, None),
    ],
)
def test_a_window_finds_what_is_slow(keys, detect, longer, found):
    """Node 1 is slow from 10 on and repaired for 7; it is out for its window too, unless its repair goes on."""
    expect(
        scenario(2, LATE, hazards=[slow(detect)], maintenance=[check(**keys)]),
        [[(10, 1, 7)]],
        {
            "a": {"restore": 1},
            "rest": {
                "idle": 200 - 1 - 3 * (5 + longer) - 7 * (found is not None),
                "maintenance": 3 * (5 + longer),
                "repair": 7 * (found is not None),
            },
        },
    )


def test_what_fails_while_its_window_drains_is_found_by_it():
    """From 50 to 60 the window drains; from 60 on the component is out and cannot fail."""
    keys = {"finds": "100 %", "drain": "0.01 s"}
    expect(
        scenario(2, LATE, hazards=[slow()], maintenance=[check(**keys)]),
        [[(59, 1, 7)]],
        {"a": {"restore": 1}, "rest": {"idle": 200 - 1 - 3 * 5 - 7, "maintenance": 15, "repair": 7}},
    )


def spoils(detect=1_000):
    """Nodes that compute wrong results until somebody finds it."""
    return hazard("bad", component="node", detect=detect, effect="corrupt", blast=None)


def test_a_window_finds_what_spoils_results():
    """Node 0 is corrupt from 35 on; at 50 its gang is drained and takes node 1: failover until 53, restore until 57.

    At 55 the window ends and node 0 is found, free by now: it is repaired for 7. The gang is struck while it restores,
    rolls back to the checkpoint at 30 and begins again: failover 3, restore 4, then 38 to the horizon.
    """
    windows = check(finds="100 %", every="1 s", first="0.05 s")
    expect(
        scenario(2, job("a", 1), hazards=[spoils()], maintenance=[windows]),
        [[(35, 0, 7)]],
        {
            "a": {"useful": 30 + 38, "lost": 20, "maintenance": 5, "failover": 3 + 3, "restore": 2 + 4},
            "rest": {"idle": 50 + 38, "repair": 7},
        },
        strikes={"a": 1},
    )


def test_work_that_is_spoilt_while_its_gang_waits_is_what_comes_after():
    """GPU 1 is out from 20 to 52; GPU 0 is corrupt from 40 on, found at 90: what ran from 59 on is lost, not before."""
    expect(
        scenario(2, job("a", 2), hazards=[hazard(), spoils(50)]),
        [[(20, 1, 30)], [(40, 0, 7)]],
        {
            "a": {
                "useful": 40,
                "lost": 62,
                "detect": 4,
                "repair": 37,
                "wait": 37,
                "failover": 12,
                "restore": 8,
            }
        },
        strikes={"a": 2},
    )


def test_a_check_of_nodes_finds_their_gpus_and_one_of_gpus_no_nodes():
    """What is checked must hold all of what is slow; otherwise ``check`` says that the key is of no use."""
    nodes = {"node": 2, "rack": 2}
    on_gpus = scenario(4, LATE, hazards=[slow(component="gpu")], maintenance=[check(finds="50 %")], **nodes)
    assert unused_keys(on_gpus) == []
    narrow = check(finds="50 %", component="gpu")
    assert unused_keys(scenario(4, LATE, hazards=[slow()], maintenance=[narrow], **nodes)) == [
        "maintenance.check.finds"
    ]
    plain = scenario(4, LATE, hazards=[hazard()], maintenance=[check(finds="50 %")], **nodes)
    assert unused_keys(plain) == ["maintenance.check.finds"]


@pytest.mark.parametrize(
    ("windows", "path", "why"),
    [
        ([check(false_alarms="1 %")], ("maintenance", 0, "retest"), "missing; required (false_alarms is given)"),
        ([check(retest="0.001 s")], ("maintenance", 0, "retest"), "only false_alarms are tested again"),
        (
            [check(finds="10 %"), check(name="b", finds="10 %")],
            ("maintenance", 1, "finds"),
            'found a second time; "check" is the check that finds what is hidden',
        ),
        (
            [check(false_alarms="1 %", retest="0.055 s")],
            ("maintenance", 0, "duration"),
            "found drain + duration + retest = 0.06 s; must be below every = 0.06 s",
        ),
    ],
)
def test_keys_that_make_no_sense(windows, path, why):
    """One line at the key that is wrong."""
    made = scenario(2, LATE, hazards=[slow()], maintenance=windows)
    ((where, what),) = broken_rules(made)
    assert where == path
    assert why in what
