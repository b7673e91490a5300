"""A walk between two offers against renewal theory: each step is the difference of two closed forms.

One gang that never waits for hardware, so that theory is exact but for voids and the horizon (``test_engine_renewal``),
which are nearly the same on both sides of a step. The largest deviation allowed beside the statistical error is stated.
"""

from itertools import pairwise

import pytest

from dcsim.decide.differences import changes_between, with_groups_of_other
from dcsim.decide.theory import gang_loss
from dcsim.decide.walk import walk
from dcsim.scenario import read
from dcsim.scenario.plan import plan

GPUS, FLEET, RUNS = 64, 144, 200
MOST_OFF = 3e-4
"""What voids and the horizon may add to a step [share of GPU-hours]; source: assumed before the first run."""


def offer(**changed):
    """Return one gang of 64 of 144 GPUs for a year; 80 others stand by."""
    values = {"mtbf": "3000 h", "detect": "10 min", "restore": "10 min", "every": "60 min", "repair": "0 s", **changed}
    return read(
        {
            "name": changed.get("name", "A"),
            "horizon": "12 mo",
            "seed": 20261128,
            "cluster": {"topology": "gb300-nvl72", "gpus": FLEET, "spares": FLEET - GPUS},
            "jobs": [
                {
                    "name": "train",
                    "gpus": GPUS,
                    "recovery": {
                        "kind": "checkpoint-restart",
                        "checkpoint_every": values["every"],
                        "restore": values["restore"],
                    },
                }
            ],
            "hazards": [
                {
                    "component": "gpu",
                    "mtbf": values["mtbf"],
                    "blast": 1,
                    "detect": values["detect"],
                    "repair": values["repair"],
                }
            ],
            "tco": {"gpu_hour": values.get("gpu_hour", "4 USD")},
        }
    )


A = offer()
B = offer(name="B", mtbf="1500 h", detect="45 min", restore="20 min", every="90 min", repair="1 h", gpu_hour="5 USD")


@pytest.fixture(scope="module")
def steps():
    """Walk from A to B."""
    return walk(A, B, replications=RUNS, workers=1, monthly=False)


def lost(scenario):
    """Return the lost share of all GPU-hours by theory, idle spares included."""
    return 1 - GPUS / FLEET * (1 - gang_loss(plan(scenario)))


def price(scenario):
    """Return what is paid per useful GPU-hour by theory [USD]."""
    return scenario.tco.gpu_hour / (1 - lost(scenario))


def between(*groups):
    """Return A with some groups of B."""
    return with_groups_of_other(A, 0, changes_between(A, B), frozenset(groups))


def test_each_step_is_the_difference_of_two_closed_forms(steps):
    """MTBF, detection, recovery, repair and the rent, in turn: losses and prices."""
    assert [each.groups for each in steps.steps] == [
        ("failures",),
        ("detection",),
        ("recovery",),
        ("repair",),
        ("gpu",),
    ]
    groups = [each.groups[0] for each in steps.steps]
    levels = [between(*groups[:count]) for count in range(len(groups) + 1)]
    for step, (before, after) in zip(steps.steps, pairwise(levels), strict=True):
        expected = lost(after) - lost(before)
        assert step.in_turn.lost.mean == pytest.approx(expected, abs=4 * step.in_turn.lost.se + MOST_OFF)
        cost, found = price(after) - price(before), step.in_turn.usd_per_useful_gpu_hour
        assert found.mean == pytest.approx(cost, abs=4 * found.se + MOST_OFF * price(B) / (1 - lost(B)))
    told = {each.groups[0]: each.in_turn.lost for each in steps.steps}
    for group in ("failures", "detection", "recovery"):  # far above what is allowed
        assert told[group].mean > 10 * (4 * told[group].se + MOST_OFF)
    assert told["gpu"].mean == 0


def test_the_only_and_the_last_change_are_closed_forms_too(steps):
    """Each group alone at A, and missing at B."""
    every = {each.groups[0] for each in steps.steps}
    for step in steps.steps:
        (group,) = step.groups
        alone = lost(between(group)) - lost(A)
        assert step.alone.lost.mean == pytest.approx(alone, abs=4 * step.alone.lost.se + MOST_OFF)
        missing = lost(B) - lost(between(*every - {group}))
        assert step.missing.lost.mean == pytest.approx(missing, abs=4 * step.missing.lost.se + MOST_OFF)


def test_failures_and_detection_interact_as_theory_says(steps):
    """Slow detection costs about twice as much where failures come twice as often."""
    step = next(each for each in steps.steps if each.groups == ("detection",))
    assert step.in_turn.lost.mean > 1.5 * step.alone.lost.mean
    ratio = (lost(between("failures", "detection")) - lost(between("failures"))) / (
        lost(between("detection")) - lost(A)
    )
    assert step.in_turn.lost.mean / step.alone.lost.mean == pytest.approx(ratio, rel=0.02)


def test_common_failures_make_steps_far_surer_than_the_offers(steps):
    """A step of the same failures has a far smaller error than the difference of two runs of their own."""
    step = next(each for each in steps.steps if each.groups == ("recovery",))
    apart = (steps.a.loss.se**2 + steps.b.loss.se**2) ** 0.5
    assert step.in_turn.lost.se < 0.5 * apart
