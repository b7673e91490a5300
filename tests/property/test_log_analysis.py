"""A replication played again says over time, and by cause, what the ledger says in sum."""

import numpy as np
import pytest
from hypothesis import given, settings

from dcsim import load
from dcsim.decide import run
from dcsim.decide.log_analysis import HELD, NOBODY, PHASES, Played
from dcsim.ledger import STATE
from dcsim.units import MS_PER_H
from tests.property.full_scenarios import full_scenarios
from tests.property.scenarios import random_scenarios

STUDIES = ("pretrain-5184/silver", "plant/shared-tier", "strategies-5184/elastic", "failures/causes")


def check_laws(played: Played) -> None:
    """Months lose what the ledger says; at every time every GPU is held once; causes sum to their states."""
    scenario, accounts = played.scenario, played.accounts
    useful = int(accounts.gpu_ms[:, STATE["useful"]].sum())
    weights = np.diff(played._edges())
    whole = weights.sum() == scenario.horizon
    if whole:
        lost = float((played.monthly_loss * weights).sum() / scenario.horizon)
        cut = 2 * sum(job.count for job in scenario.jobs)  # the ledger rounds the work of a gang down, twice
        assert lost == pytest.approx(1 - useful / scenario.capacity_gpu_ms, abs=1e-9 + cut / scenario.capacity_gpu_ms)
    totals = dict.fromkeys(HELD, 0.0)
    for month in range(played.months):
        span = played.span(month, 24)
        together = sum(span.gpus.values())
        assert np.allclose(together, scenario.cluster.gpus, rtol=1e-6)
        assert all((values > -1e-6 * scenario.cluster.gpus).all() for values in span.gpus.values())
        for state in HELD:
            totals[state] += float(span.gpus[state].mean()) * (span.end - span.begin)
    for state in HELD[1:] if whole else ():
        booked = int(accounts.gpu_ms[:, STATE[state]].sum())
        assert totals[state] == pytest.approx(booked, rel=1e-6, abs=1e-6 * scenario.capacity_gpu_ms)
    costs = played.costs_gpu_h
    for phase in PHASES:
        booked = int(accounts.gpu_ms[:, STATE[phase]].sum()) / MS_PER_H
        assert sum(each[phase] for each in costs.values()) == pytest.approx(booked, rel=1e-9, abs=1e-6)
    known = {hazard.key for hazard in scenario.hazards} | {each.name for each in scenario.maintenance}
    assert set(costs) <= known | {NOBODY}


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


def test_typical_is_the_median_and_worst_the_worst() -> None:
    """Of replications by their loss, and of the months of one; of an even number the better of the middle two."""
    scenario = load("pretrain-5184/silver", set=["horizon=6 mo"])
    sample = run(scenario, replications=6, workers=1).sample
    ranked = [int(sample.replications[index]) for index in np.argsort(sample.loss)]
    typical, worst = Played.typical(sample), Played.worst(sample)
    assert (typical.replication, worst.replication) == (ranked[2], ranked[-1])
    months = sorted(typical.monthly_loss.tolist())
    assert len(set(months)) == 6
    assert typical.typical_month(10).loss == months[2]
    assert typical.worst_month(10).loss == months[-1]
    assert typical.monthly_loss[typical.worst_month(10).number - 1] == months[-1]


def test_causes_are_told_apart() -> None:
    """A hazard that is hidden for an hour costs detection; one that is known at once costs none."""
    scenario = load("pretrain-5184/gold")
    hidden, known = (
        scenario.hazards[0].model_copy(update={"name": name, "detect": detect})
        for name, detect in (("hidden", 3_600_000), ("known", 0))
    )
    costs = Played(scenario.model_copy(update={"hazards": (hidden, known)}), 0).costs_gpu_h
    assert costs["hidden"]["detect"] > 1000
    assert costs["known"]["detect"] < 0.02 * costs["hidden"]["detect"]  # it began the stall in which a hidden one came
    assert costs["known"]["failover"] > 100
    assert 0.8 < costs["known"]["repair"] / costs["hidden"]["repair"] < 1.25  # both are repaired alike
