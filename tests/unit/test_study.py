"""A study: which scenarios are simulated together, as what, and what is found of each afterwards."""

from dcsim.decide.study import MOST_AT_RANGE_ENDS, Study, StudySamples, ablations_of
from dcsim.montecarlo import Sample
from dcsim.scenario import load
from tests.unit.montecarlo_fakes import fake, small

SHORT = {"horizon": "1 mo"}
GOLD, SILVER = load("pretrain-5184/gold", **SHORT), load("pretrain-5184/silver", **SHORT)


def test_offers_come_first_then_steps_then_ends():
    """Two offers: each once, all steps from their formulas, and two ends of their ranges of MTBF, in this order."""
    study = Study.of([GOLD, SILVER], 100, ablations=True)
    steps = [len(ablations_of(GOLD)), len(ablations_of(SILVER))]
    expected = [("offer", 0), ("offer", 1), *[("ablation", 0)] * steps[0], *[("ablation", 1)] * steps[1]]
    expected += [("lowest", 0), ("highest", 0), ("lowest", 1), ("highest", 1)]
    assert [(member.role, member.offer) for member in study.members] == expected
    assert study.scenarios[:2] == [GOLD, SILVER]


def test_an_end_has_few_replications_unless_it_is_an_offer():
    """Gold stands at its lowest MTBF: that end has all replications, the highest only as many as are needed."""
    counts = {member.role: member.replications for member in Study.of([GOLD], 100).members}
    assert counts == {"offer": 100, "lowest": 100, "highest": MOST_AT_RANGE_ENDS}


def test_only_what_is_asked_for_is_simulated():
    """Without steps and ranges a study is its offers."""
    study = Study.of([GOLD, SILVER], 5, ranges=False)
    assert study.scenarios == [GOLD, SILVER]
    assert study.replications == [5, 5]


def test_samples_are_found_by_role_and_offer():
    """What came of each member is found by its role and its offer, not by its place in a list."""
    study = Study.of([small(name="a"), small(name="b")], 2, ablations=True)
    found = StudySamples(study, [Sample.of(each, [fake(each, 0), fake(each, 1)]) for each in study.scenarios])
    assert [sample.scenario.name for sample in found.of("offer", 1)] == ["b"]
    assert [sample.scenario for sample in found.of("ablation", 1)] == ablations_of(small(name="b"))
    assert found.of("lowest", 0) == []
    assert found.mtbf_range(0) is None


def test_an_end_that_is_an_offer_is_told_over_what_the_offer_has():
    """With a precision an offer goes on: its lowest MTBF, which is its own, is told over as many replications."""
    study = Study.of([GOLD], 2)
    samples = [Sample.of(each, [fake(each, number) for number in range(2)]) for each in study.scenarios]
    samples[0] = Sample.of(GOLD, [fake(GOLD, number) for number in range(5)])
    assert StudySamples(study, samples).mtbf_range(0).loss_at_lowest == samples[0].mean_loss
