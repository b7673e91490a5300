"""Paired answers: one seed, cautions, and what a gap is made of."""

import pytest

from dcsim.decide import Pair, compare, run
from dcsim.scenario import load
from tests.unit.results import lost

GOLD, SILVER = load("pretrain-5184/gold"), load("pretrain-5184/silver")


def test_a_pair_by_hand():
    """One percentage point of loss is worth 1 % of the rent: 5,184 x 4 USD x 720 h x 36 months."""
    rent = 5184 * 4 * 720 * 36
    pair = Pair(lost(GOLD, 0.05, 0.07), lost(GOLD, 0.06, 0.08))
    assert pair.loss_difference.mean == pytest.approx(0.01)
    assert pair.total_usd_difference.mean == pytest.approx(0.01 * rent)
    assert pair.total_usd_difference.se == pytest.approx(0, abs=1)
    assert pair.probability_cheaper == pair.probability_cheaper_hour == 1
    assert pair.attribution["goodput"] == pytest.approx(0.01 * rent)


def test_luck_can_turn_a_pair():
    """If a is cheaper in one replication of two, the probability is one half."""
    assert Pair(lost(GOLD, 0.05, 0.07), lost(GOLD, 0.06, 0.06)).probability_cheaper == 0.5


def test_the_attribution_sums_to_the_gap():
    """The parts of the gap between two tiers are the difference of their mean costs, to the cent."""
    pair = Pair(lost(GOLD, 0.05, 0.07), lost(SILVER, 0.3, 0.4))
    gap = pair.b.total_usd.mean - pair.a.total_usd.mean
    assert sum(pair.attribution.values()) == pytest.approx(gap, abs=0.005)
    assert pair.total_usd_difference.mean == pytest.approx(gap, rel=1e-12)


def test_where_nothing_was_useful_there_is_no_price():
    """A run without a useful hour has a cost and no price of a useful hour; one that has it is cheaper."""
    dead = lost(GOLD, 1.0)
    assert dead.useful_hour_estimated is None
    assert dead.useful_hour_usd is None
    assert dead.total_usd.mean > 0
    assert dead.to_json()["scenarios"][0]["tco"]["usd_per_useful_gpu_hour"]["all_in"] is None


def brief(scenario, **update):
    """Shorten a scenario to a month."""
    return scenario.model_copy(update={"horizon": 720 * 3_600_000, **update})


def test_cautions():
    """Seeds that are set aside, hazards of different names, terms and sizes that differ are each said once."""
    hazard = GOLD.hazards[0].model_copy(update={"name": "card"})
    tco = GOLD.tco.model_copy(update={"term": GOLD.tco.term * 2})
    other = brief(GOLD, seed=5, hazards=(hazard,), tco=tco)
    found = compare([brief(GOLD), other], replications=1, workers=1, bridges=False)
    assert [note.partition(" ")[0] for note in found.notes] == ["all", "hazards", "[tco]", "scenarios"]
    assert found.bridges == ()
    assert not compare([brief(GOLD), brief(SILVER)], replications=1, workers=1, bridges=False).notes


def test_the_same_failures_strike_both():
    """Two tiers of one MTBF meet the same number of failures in every replication, whatever they do about them."""
    same = SILVER.hazards[0].model_copy(update={"mtbf": GOLD.hazards[0].mtbf, "detect": 0, "repair": 0})
    free = GOLD.hazards[0].model_copy(update={"detect": 0, "repair": 0})
    silver, gold = brief(SILVER, hazards=(same,)), brief(GOLD, hazards=(free,))
    found = compare([gold, silver], replications=3, workers=1, bridges=False)
    assert found.runs[0].sample.failures.tolist() == found.runs[1].sample.failures.tolist()


def test_one_scenario_is_no_comparison():
    """A comparison of one offer is refused."""
    with pytest.raises(ValueError, match="two"):
        compare([GOLD])


def test_results_are_frozen_and_give_numpy():
    """A result cannot be changed, and its samples are arrays."""
    result = run(brief(GOLD), replications=2, workers=1)
    assert result.sample.loss.shape == result.total_estimated.values.shape == (2,)
    with pytest.raises(AttributeError):
        result.folder = "elsewhere"


def test_a_keyword_that_means_nothing_is_an_error():
    """A misspelt keyword must not be ignored: the run would be another one than asked for."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'replicatons'"):
        run(GOLD, replicatons=3)
