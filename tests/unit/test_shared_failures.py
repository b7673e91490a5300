"""Where two scenarios meet the same failures: held against the draws themselves."""

import numpy as np
import pytest

from dcsim.decide.comparison import _notes, same_failures, shared
from dcsim.scenario import load
from dcsim.scenario.plan import plan

BASE = load("failures/reference")
SAME = [
    {"name": "other"},
    {"tco.term": "12 mo"},
    {"hazards.node.detect": "1 h"},
    {"hazards.node.repair": "9 h"},
    {"jobs.pretrain.recovery.checkpoint_every": "10 min"},
    {"cluster.spares": 0},
    {"jobs.research.priority": 1},
    {"hazards.node.mtbf_range": ["1000 h", "9000 h"]},
]
OTHERS = [
    {"seed": 4},
    {"hazards.node.mtbf": "3000 h"},
    {"hazards.node.name": "server"},
    {"hazards.node.component": "gpu"},
    {"hazards.node.burst": {"size": 2.0, "within": "1 h"}},
    {"hazards.node.lemons": {"fraction": "5 %", "factor": 10.0}},
    {"hazards.node.blast": 8},
    {"cluster.gpus": 4096},
    {"horizon": "6 mo"},
]


def changed(changes):
    """The reference with changes; ``tco`` is given one first."""
    tco = {"tco": {"term": "36 mo", "gpu_hour": "4 USD"}} if any(key.startswith("tco") for key in changes) else {}
    return load("failures/reference", **tco, **changes)


def drawn(scenario):
    """Times and marks of all hazards of two replications."""
    layout = plan(scenario)
    return [
        (draws.hazard.key, draws.failures.times.tolist(), draws.failures.marks.tolist())
        for number in range(2)
        for draws in layout.draws(number)
    ]


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_what_follows_a_failure_leaves_it_the_same(changes):
    """Equal draws, and called the same."""
    other = changed(changes)
    assert drawn(other) == drawn(BASE)
    assert same_failures(BASE, other)
    assert same_failures(other, BASE)


@pytest.mark.parametrize("changes", OTHERS, ids=str)
def test_what_draws_otherwise_is_not_the_same(changes):
    """Other draws, and not called the same."""
    other = changed(changes)
    assert drawn(other) != drawn(BASE)
    assert not same_failures(BASE, other)
    assert not same_failures(other, BASE)


def test_components_that_age_have_a_history():
    """A repair that takes longer moves every later failure of a component that ages; a price does not."""
    ageing = {"hazards.node.mtbf": {"kind": "weibull", "mean": "3000 h", "shape": 1.5}}
    worn = load("failures/reference", **ageing)
    assert same_failures(worn, load("failures/reference", name="x", **ageing))
    assert not same_failures(worn, load("failures/reference", **ageing, **{"hazards.node.repair": "9 h"}))


def test_an_unknown_mtbf_is_not_a_known_one():
    """The point value is equal, what is drawn is not."""
    known, unknown = load("unknowns/mtbf-known"), load("unknowns/mtbf-unknown")
    assert known.hazards[0].mtbf == unknown.hazards[0].mtbf
    assert not same_failures(known, unknown)
    assert same_failures(unknown, unknown)


def test_what_several_share():
    """The published tiers share random numbers only: Silver has another MTBF; Gold and Hyperscaler share failures."""
    gold, hyperscaler, silver = (load(f"pretrain-5184/{name}") for name in ("gold", "hyperscaler", "silver"))
    assert shared([gold, hyperscaler]) == "failures"
    assert shared([gold, hyperscaler, silver]) == "random numbers"
    assert shared([gold, load("pretrain-5184/silver", **{"hazards.gpu.name": "x"})]) == "nothing"
    assert shared([gold, load("pretrain-5184/gold", seed=2)]) == "nothing"


def test_a_comparison_claims_no_more_than_is_true():
    """The note on the common seed says "the same failures" only where they are."""
    gold, silver = load("pretrain-5184/gold", seed=8), load("pretrain-5184/silver")
    hyperscaler = load("pretrain-5184/hyperscaler")
    said = "all scenarios are simulated with seed 1: they draw"
    assert _notes([gold, hyperscaler], 1)[0] == f"{said} the same failures"
    assert _notes([gold, silver], 1)[0] == f"{said} their failures from the same random numbers"


def test_random_numbers_are_common_where_only_the_mtbf_differs():
    """Gaps scale with the MTBF: every failure time of one is that of the other times the ratio, to the rounding."""
    one, two = load("failures/reference"), load("failures/reference", **{"hazards.node.mtbf": "7384.6 h"})
    early, late = plan(one).draws(0)[0].failures.times, plan(two).draws(0)[0].failures.times
    assert np.abs(2 * early[: len(late)] - late).max() <= 2 * len(late)
