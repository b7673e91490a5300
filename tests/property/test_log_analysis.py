"""A replication played again says over time what the ledger says in sum; all runs say what each cause cost."""

import numpy as np
import pytest
from hypothesis import given, settings

from dcsim import load
from dcsim.decide import run
from dcsim.decide.log_analysis import HELD, Played
from dcsim.ledger import STATE, STATES
from dcsim.montecarlo.sample import NO_CAUSE
from dcsim.units import MS_PER_H, MS_PER_MONTH
from tests.property.full_scenarios import full_scenarios
from tests.property.scenarios import random_scenarios

STUDIES = ("pretrain-5184/silver", "plant/shared-tier", "strategies-5184/elastic", "failures/causes")


def check_laws(played: Played) -> None:
    """At every time every GPU is held once, and over whole months each state is held as long as it is booked."""
    scenario, accounts = played.scenario, played.accounts
    totals = dict.fromkeys(HELD, 0.0)
    for month in range(played.months):
        span = played.span(month, 24)
        assert np.allclose(sum(span.gpus.values()), scenario.cluster.gpus, rtol=1e-6)
        assert all((values > -1e-6 * scenario.cluster.gpus).all() for values in span.gpus.values())
        for state in HELD:
            totals[state] += float(span.gpus[state].mean()) * (span.end - span.begin)
    for state in HELD[1:] if scenario.horizon % MS_PER_MONTH == 0 or played.months == 1 else ():
        booked = int(accounts.gpu_ms[:, STATE[state]].sum())
        if scenario.horizon <= played.months * MS_PER_MONTH:
            assert totals[state] == pytest.approx(booked, rel=1e-6, abs=1e-6 * scenario.capacity_gpu_ms)


@settings(max_examples=20, deadline=None)
@given(random_scenarios())
def test_laws_on_plain_scenarios(scenario) -> None:
    """On random scenarios of the first step's kind."""
    check_laws(Played(scenario, 0))


@settings(max_examples=20, deadline=None)
@given(full_scenarios())
def test_laws_on_scenarios_with_everything(scenario) -> None:
    """On random scenarios with every feature."""
    check_laws(Played(scenario, 0))


@pytest.mark.parametrize("name", STUDIES)
def test_laws_on_shipped_scenarios(name) -> None:
    """On shipped scenarios, of whole months and with a plant."""
    check_laws(Played(load(name), 0))


def test_typical_is_the_median_and_worst_has_the_worst_month() -> None:
    """The run of median loss (of an even number the better of the middle two), and of all runs the worst month."""
    scenario = load("pretrain-5184/silver", set=["horizon=6 mo"])
    sample = run(scenario, replications=6, workers=1).sample
    ranked = [int(sample.replications[index]) for index in np.argsort(sample.loss)]
    typical, worst = Played.typical(sample), Played.worst(sample)
    assert typical.replication == ranked[2]
    months = sorted(typical.month_loss.tolist())
    assert len(set(months)) == 6
    assert typical.typical_month(10).loss == months[2]
    assert worst.worst_month(10).loss == sample.month_loss.max()
    assert np.unravel_index(sample.month_loss.argmax(), sample.month_loss.shape) == (
        sample.replications.tolist().index(worst.replication),
        worst.worst_month(10).number - 1,
    )


def test_means_of_all_runs_by_month_and_by_cause() -> None:
    """Both sum to the mean ledger; the months of a state are means of each run's."""
    sample = run("failures/causes", replications=5, workers=1).sample
    by_month, by_cause = sample.mean_gpu_hours_by_month, sample.mean_gpu_hours_by_cause
    assert set(by_cause) == {hazard.key for hazard in sample.scenario.hazards} | {NO_CAUSE}
    for state in STATES:
        booked = sample.gpu_ms[:, :, STATE[state]].sum() / 5 / MS_PER_H
        assert sum(by_month[state]) == pytest.approx(booked, rel=1e-12)
        assert sum(each[state] for each in by_cause.values()) == pytest.approx(booked, rel=1e-12)
    third = [int(each) for each in sample.ledgers.gpu_ms_by_month[:, 2, STATE["repair"]]]
    assert by_month["repair"][2] == pytest.approx(sum(third) / 5 / MS_PER_H, rel=1e-12)


def test_causes_are_told_apart() -> None:
    """A hazard that is hidden for an hour costs detection; one that is known at once costs none."""
    scenario = load("pretrain-5184/gold")
    hidden, known = (
        scenario.hazards[0].model_copy(update={"name": name, "detect": detect})
        for name, detect in (("hidden", 3_600_000), ("known", 0))
    )
    both = scenario.model_copy(update={"hazards": (hidden, known)})
    costs = run(both, replications=2, workers=1).sample.mean_gpu_hours_by_cause
    assert costs["hidden"]["detect"] > 1000
    assert costs["known"]["detect"] < 0.02 * costs["hidden"]["detect"]  # it began the stall in which a hidden one came
    assert costs["known"]["failover"] > 100
    assert 0.8 < costs["known"]["repair"] / costs["hidden"]["repair"] < 1.25  # both are repaired alike


def test_members_that_a_small_shape_has_no_use_for_are_held_by_it() -> None:
    """Of a gang of 8 that runs with 4 while one is in repair, all but that one run: nothing is left over."""
    from dcsim.scenario import read

    document = {
        "name": "small shape",
        "horizon": "100 h",
        "cluster": {"topology": "hgx-h100", "gpus": 8},
        "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "elastic", "group": 4, "shapes": [1, 2]}}],
        "hazards": [
            {
                "component": "gpu",
                "mtbf": {"kind": "trace", "at": ["10 h"], "span": "200 h"},
                "blast": 1,
                "repair": "50 h",
            }
        ],
    }
    span = Played(read(document), 0).span(0, 100)
    assert span.gpus["running"][:10].tolist() == [8] * 10
    assert span.gpus["running"][10:60].tolist() == [7] * 50
    assert span.gpus["repair"][10:60].tolist() == [1] * 50
