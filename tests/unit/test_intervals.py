"""Checkpoint intervals that name a rule."""

import math

import pytest

from dcsim.closed_form import daly_interval, optimal_interval, young_interval
from dcsim.decide.estimate import account_scenario
from dcsim.decide.theory import theory
from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE
from dcsim.scenario import ScenarioError, load, to_toml
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import plan

WRITE = {"checkpoint_write": "3 min", "restore": "10 min"}


def with_rule(rule, kind="checkpoint-restart", gpus=4096, **keys):
    """Load the Gold tier with another strategy: 4,096 GPUs of MTBF 25,000 h, so a strike every 6.1 h."""
    recovery = {"kind": kind, "checkpoint_every": rule, **WRITE, **keys}
    return load("pretrain-5184/gold", **{"jobs.pretrain.recovery": recovery, "jobs.pretrain.gpus": gpus})


@pytest.mark.parametrize(
    ("rule", "interval"), [("young", young_interval), ("daly", daly_interval), ("optimal", optimal_interval)]
)
def test_a_rule_is_applied_at_the_rate_of_the_gang(rule, interval):
    """The interval is the rule's at 4,096 / 25,000 h, to the millisecond; the scenario itself keeps the name."""
    scenario = with_rule(rule)
    found = settled(scenario)
    assert found.jobs[0].recovery.checkpoint_every == round(interval(4096 / 25_000, 3 / 60) * 3_600_000)
    assert scenario.jobs[0].recovery.checkpoint_every == rule
    assert f'checkpoint_every = "{rule}"' in to_toml(scenario)
    assert plan(scenario).gangs[0].recovery == found.jobs[0].recovery
    assert settled(found) is found
    assert found.jobs[1:] == scenario.jobs[1:]


def test_never_writes_no_checkpoint():
    """A job without a checkpoint has lost all that it did before the last strike, and blocks for no write.

    It is struck every 6.1 h: by exact theory and by simulation, what is left of 36 months is the time since the last.
    """
    scenario = with_rule("never", checkpoint_write="3 min")
    assert 'checkpoint_every = "never"' in to_toml(scenario)
    assert settled(scenario).jobs[0].recovery.checkpoint_every == scenario.horizon
    job = simulate_many(scenario, range(4)).gpu_ms[:, 0]
    assert job[:, STATE["checkpoint"]].sum() == 0
    assert job[:, STATE["useful"]].max() < 0.01 * job.sum(axis=1).min()
    assert theory(scenario).goodput_loss > 0.99


def test_never_is_told_where_it_is_meant():
    """A near miss is corrected, and a kind that never rolls back takes the word without complaint."""
    with pytest.raises(ScenarioError, match='or "never"; did you mean "never"'):
        with_rule("nevr")
    assert plan(with_rule("never", "fault-tolerant")).gangs[0].recovery.level(8, False) == -1


def test_young_by_hand():
    """sqrt(2 x 3 min x 25,000 h / 4,096) is 46.88 min."""
    interval = settled(with_rule("young")).jobs[0].recovery.checkpoint_every / 60_000
    assert interval == pytest.approx(math.sqrt(2 * 3 * 25_000 * 60 / 4096), abs=1e-4)


def test_the_optimum_is_the_best_interval():
    """Theory loses most little at the settled interval: a tenth more or less loses more."""
    best = settled(with_rule("optimal")).jobs[0].recovery.checkpoint_every
    losses = [theory(with_rule(f"{round(best * factor) / 1000} s")).goodput_loss for factor in (0.9, 1.0, 1.1)]
    assert losses[1] == min(losses)
    assert theory(with_rule("optimal")).goodput_loss == pytest.approx(losses[1], rel=1e-12)
    assert theory(with_rule("optimal")).optimal_h == pytest.approx(best / 3_600_000, abs=1e-6)


def test_only_what_rolls_back_counts():
    """With a coverage of 96 % a rollback comes 25 times as seldom, and Young's interval is 5 times as long."""
    plain = settled(with_rule("young")).jobs[0].recovery.checkpoint_every
    covered = settled(with_rule("young", "fault-tolerant", coverage="96 %")).jobs[0].recovery.checkpoint_every
    assert covered == pytest.approx(5 * plain, abs=3)


def test_every_job_has_its_own_rate():
    """A job of a quarter of the size is struck a quarter as often: Young's interval doubles."""
    research = {"kind": "checkpoint-restart", "checkpoint_every": "young", "checkpoint_write": "3 min"}
    scenario = load(
        "pretrain-5184/gold",
        **{"jobs.research.recovery": research, "jobs.research.gpus": 256, "jobs.pretrain.gpus": 1024},
    )
    (interval,) = (job.recovery.checkpoint_every for job in settled(scenario).jobs if job.name == "research")
    assert interval == pytest.approx(math.sqrt(2 * 0.05 * 25_000 / 256) * 3_600_000, abs=1)


def test_an_interval_stays_between_drain_and_horizon():
    """A drain of an hour is a floor; the horizon is a ceiling where strikes are very rare."""
    slow = settled(with_rule("young", "async-checkpoint", checkpoint_drain="1 h"))
    assert slow.jobs[0].recovery.checkpoint_every == 3_600_000
    rare = with_rule("young", **{"checkpoint_write": "48 h"})
    rare = rare.model_copy(update={"horizon": 3_600_000})
    assert settled(rare).jobs[0].recovery.checkpoint_every == 3_600_000


def test_accounting_charges_the_settled_interval():
    """The published formula with a rule is the formula with its interval."""
    scenario = with_rule("daly").model_copy()
    given = settled(scenario)
    assert account_scenario(scenario) == account_scenario(given)
