"""Notices, time limits, chains and work on spares: what is read, what is told, what theory says of them."""

import pytest

from dcsim.decide.theory import gang_loss, theory
from dcsim.scenario import ScenarioError, load, to_toml, unused_keys
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import plan

VALID = """
name = "operations"
horizon = "12 mo"
[cluster]
topology = "hgx-h100"
gpus = 1024
spares = 64
[[jobs]]
name = "a"
gpus = 768
work = "1e6 GPU-h"
recovery = { kind = "checkpoint-restart", checkpoint_every = "1 h", checkpoint_write = "3 min", restore = "10 min" }
[[jobs]]
name = "b"
gpus = 64
recovery = { kind = "fault-tolerant" }
[[hazards]]
name = "node"
component = "node"
mtbf = "3000 h"
detect = "10 min"
repair = "4 h"
"""
TIERS = 'jobs.b.recovery={kind="fault-tolerant", checkpoint_every="1 h"}'

YOUNG = 'jobs.b.recovery={kind="elastic", group=8, checkpoint_every="young", checkpoint_write="1 s"}'


@pytest.mark.parametrize(
    "changes",
    [
        ("hazards.node.notice=2 min", "hazards.node.noticed=90 %", "hazards.node.evacuate=2 min"),
        ("hazards.node.notice=2 min", "hazards.node.effect=kill"),
        ("jobs.a.time_limit=24 h", "jobs.a.requeue={kind='gamma', mean='10 min', shape=2}"),
        ("jobs.a.time_limit=181 s",),
        ("jobs.b.time_limit=1 h", 'jobs.b.recovery={kind="stateless"}'),
        ("jobs.b.after=a",),
        ("jobs.b.after=a", "jobs.b.gpus=960"),  # it takes the place of a
        ("cluster.spares_run=b",),
        ("cluster.spares_run=b", "jobs.b.priority=-3"),
        ("cluster.spares_run=b", "jobs.a.gpus=960"),
        ("hazards.node.coverage=95 %", TIERS),
        ("hazards.node.coverage=95 %", YOUNG),
    ],
)
def test_what_is_allowed_can_be_saved_and_loaded(scenario, changes, tmp_path):
    """Each is read, and what `to_toml` writes is the same scenario."""
    loaded = scenario(*changes)
    path = tmp_path / "resolved.toml"
    path.write_text(to_toml(loaded))
    assert load(path) == loaded != scenario()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("hazards.node.noticed=90 %",), "hazards.node.notice: missing; required (noticed is given)"),
        (("hazards.node.evacuate=1 min",), "hazards.node.notice: missing; required (evacuate is given)"),
        (
            ("hazards.node.notice=2 min", "hazards.node.evacuate=3 min"),
            "hazards.node.evacuate: found 3 min; must be at most notice = 2 min",
        ),
        (
            ("hazards.node.notice=2 min", "hazards.node.blast=8"),
            "hazards.node.notice: found with blast = 8; a notice says which part will go down: leave blast out, or "
            "name a part",
        ),
        (
            ("hazards.node.notice=2 min", "hazards.node.effect=corrupt", TIERS),
            'hazards.node.notice: found with effect "corrupt"; only effect "interrupt" or "kill" can be announced',
        ),
        (
            ("hazards.node.notice=2 min", "hazards.node.mtbf={kind='weibull', mean='3000 h', shape=2.0}"),
            'hazards.node.notice: found with an mtbf of kind "weibull"; only failures at a constant rate or of a trace '
            "are known beforehand",
        ),
        (
            ("hazards.node.notice=2 min", "hazards.node.lemons={fraction='5 %', factor=10}"),
            "hazards.node.notice: found with lemons; which of them have left is not known beforehand",
        ),
        (
            (
                "hazards.node.notice=2 min",
                "hazards.node.evacuate=1 min",
                "cluster.in_rack_spares=1",
                "cluster.spares=0",
            ),
            "hazards.node.evacuate: found 1 min; leave it out (in_rack_spares is given: a gang has seats in its racks)",
        ),
        (("jobs.a.requeue=10 min",), "jobs.a.time_limit: missing; required (requeue is given)"),
        (
            ("jobs.a.time_limit=3 min",),
            "jobs.a.time_limit: found 3 min; must be longer than the 3 min that a checkpoint takes",
        ),
        (
            ("jobs.b.time_limit=24 h",),
            "jobs.b.recovery.checkpoint_every: missing; required (time_limit is given: the job starts again from a "
            "checkpoint)",
        ),
        (("jobs.b.after=aa",), "jobs.b.after: found 'aa'; allowed: a, b; did you mean \"a\"?"),
        (("jobs.a.after=b",), "jobs.a.after: found 'b', which has no work and is never done"),
        (("jobs.a.after=a",), "jobs.a.after: found 'a', which comes after this job itself"),
        (("cluster.spares_run=c",), "cluster.spares_run: found 'c'; allowed: a, b"),
        (
            ("cluster.spares_run=a",),
            "cluster.spares_run: found 'a', which asks for 768 GPUs; at most 64 (cluster.spares)",
        ),
        (
            ("cluster.spares_run=b", "jobs.b.priority=1"),
            "jobs.b.priority: found 1; leave it out, or below 0 (cluster.spares_run: others take the spares when they "
            "need them)",
        ),
        (
            ("hazards.node.coverage=95 %",),
            'jobs.b.recovery.checkpoint_every: missing; required (hazard "node" has a coverage: the job falls back to '
            "a checkpoint)",
        ),
    ],
)
def test_a_broken_rule_is_one_line(scenario, changes, told):
    """The line names the key, what was found and what is allowed."""
    with pytest.raises(ScenarioError) as caught:
        scenario(*changes)
    assert [f"{problem.path}: {problem.message}" for problem in caught.value.problems] == [told]


def test_chained_jobs_take_the_place_of_each_other_where_no_failure_strikes_a_slot(scenario):
    """768 + 64 GPUs, of which b follows a: 768 at once; with a typed blast each has slots of its own."""
    assert scenario("jobs.b.after=a").gpus_in_jobs == 768
    assert scenario("jobs.b.after=a", "hazards.node.blast=8").gpus_in_jobs == 768 + 64
    with pytest.raises(
        ScenarioError, match="found 1792 GPUs = 768 x 1 \\+ 960 x 1 in jobs \\+ 64 spares; at most 1024"
    ):
        scenario("jobs.b.after=a", "jobs.b.gpus=960", "hazards.node.blast=8")


def test_the_job_on_the_spares_outranks_nobody(scenario):
    """Its priority is one below the lowest of the others; its GPUs are no idle spares."""
    layout = plan(scenario("cluster.spares_run=b", "jobs.a.priority=-4"))
    assert [gang.priority for gang in layout.gangs] == [-4, -5]
    assert (layout.spares, layout.idle_spares, layout.scenario.replacing) == (64, 0, 1024 - 768)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (("hazards.node.notice=179 s",), ["hazards.node.notice"]),
        (("hazards.node.notice=3 min",), []),
        (("hazards.node.notice=1 min", "hazards.node.evacuate=1 min"), []),
        (("jobs.a.time_limit=12 mo",), ["jobs.a.time_limit"]),
        (("jobs.a.time_limit=24 h",), []),
    ],
)
def test_what_comes_to_nothing_is_named(scenario, changes, named):
    """A notice that is shorter than any checkpoint, and a limit that never comes."""
    assert unused_keys(scenario(*changes)) == named


@pytest.mark.parametrize("change", ["hazards.node.notice=3 min", "jobs.a.time_limit=24 h"])
def test_theory_does_not_speak_of_gangs_that_know_what_comes(scenario, change):
    """There is no closed form then; where the gang does nothing about it, theory is what it was."""
    assert theory(scenario()).goodput_loss is not None
    found = theory(scenario(change))
    assert found.goodput_loss is found.done_h is found.ettr_first_order is found.optimal_h is found.young_h is None
    for vain in ("hazards.node.notice=2 min", "jobs.a.time_limit=12 mo"):
        assert theory(scenario(vain)).goodput_loss == theory(scenario()).goodput_loss


def test_the_coverage_of_a_hazard_multiplies_that_of_the_strategy(scenario):
    """Theory takes both alike: 90 % of 95 % is 85.5 %; a job that rolls back anyway takes no notice."""
    both = plan(scenario(TIERS, "jobs.b.recovery.coverage=90 %", "hazards.node.coverage=95 %"))
    one = plan(scenario(TIERS, "jobs.b.recovery.coverage=85.5 %"))
    assert gang_loss(both, 1) == pytest.approx(gang_loss(one, 1), rel=1e-12)
    assert gang_loss(both, 0) == gang_loss(one, 0)
    assert gang_loss(both, 1) > gang_loss(plan(scenario(TIERS)), 1)


def test_an_interval_counts_failures_that_cost_work(scenario):
    """Three quarters are announced in time: Young's interval is twice as long."""
    young = "jobs.a.recovery.checkpoint_every=young"
    every = settled(scenario(young)).jobs[0].recovery.checkpoint_every
    told = settled(scenario(young, "hazards.node.notice=3 min", "hazards.node.noticed=75 %"))
    assert told.jobs[0].recovery.checkpoint_every == pytest.approx(2 * every, abs=2)


def test_a_rule_for_the_interval_needs_a_failure_that_rolls_back(scenario):
    """All failures are covered: whatever the interval, no checkpoint is ever read."""
    with pytest.raises(ScenarioError) as caught:
        scenario(YOUNG)
    (problem,) = caught.value.problems
    assert "nothing is ever rolled back, so no interval is best" in str(problem)
