"""Few failures: an interval is shown only where it holds, and the number of runs that are needed is about right."""

import math

import numpy as np
import pytest
from scipy import special, stats

from dcsim.decide import Pair, run
from dcsim.decide.verdict import verdict
from dcsim.distributions import Empirical, Exponential, Fixed, Gamma, Lognormal, Weibull
from dcsim.hazards import Hazard
from dcsim.hazards.lifetimes.weibull import WeibullLifetime
from dcsim.montecarlo import reliability
from dcsim.montecarlo.crew_load import flows
from dcsim.montecarlo.reliability import COCHRAN, MOST, SURPRISED, most_hit, runs_by_skewness, runs_needed, skewness
from dcsim.report.answer import run_sentences
from dcsim.scenario import load, read
from dcsim.scenario.plan import plan

REPEATS = 2_000
LEAST = 0.93
H = 3_600_000


def rare(failures, repair=None, seed=2_611, horizon_h=720, spares=8, **job):
    """One job of 32 GPUs on five nodes, with so many failures a run in the mean."""
    hazard = {"component": "node", "mtbf": f"{5 * horizon_h / failures} h", "detect": "10 min"}
    hazard["repair"] = repair or {"kind": "exponential", "mean": "4 h"}
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "60 min", "restore": "10 min"}
    return read(
        {
            "name": "rare",
            "horizon": f"{horizon_h} h",
            "seed": seed,
            "cluster": {"topology": "hgx-h100", "gpus": 40, "spares": spares},
            "jobs": [{"name": "train", "gpus": 32, "recovery": recovery, **job}],
            "hazards": [hazard],
            "tco": {"gpu_hour": "2 USD", "term": "1 mo"},
        }
    )


def held(values, mean, runs):
    """Share of groups of so many runs whose Student interval holds the mean."""
    groups = values[: len(values) // runs * runs].reshape(-1, runs)
    half = special.stdtrit(runs - 1, 0.975) * groups.std(axis=1, ddof=1) / math.sqrt(runs)
    return float((np.abs(groups.mean(axis=1) - mean) <= half).mean())


def test_so_few_failures_have_no_interval():
    """0.31 failures a run in 32 runs: no ± in the headline, but what is missing, and JSON says so."""
    found = run(rare(0.31), replications=32, workers=1)
    needed = found.runs_needed
    assert 80 < needed < 1_000
    said = " ".join(run_sentences(found))
    assert "±" not in said
    assert f"32 runs are too few for an interval; about {needed:,} are needed." in said
    assert found.warnings == (f"Too few runs for a reliable interval; about {needed:,} are needed.",)
    (entry,) = found.to_json()["scenarios"]
    assert entry["runs_needed"] == needed
    assert entry["goodput"]["loss"]["reliable"] is False


def test_enough_failures_have_one():
    """The same cluster with 100 times the failures: an interval, and no word about it."""
    found = run(rare(31), replications=32, workers=1)
    assert found.runs_needed is None
    said = " ".join(run_sentences(found))
    assert "±" in said
    assert "Too few" not in said
    (entry,) = found.to_json()["scenarios"]
    assert entry["runs_needed"] is None
    assert "reliable" not in entry["goodput"]["loss"]


def test_the_number_that_is_named_is_enough_and_not_far_too_many():
    """Simulated: at the runs that are needed intervals hold 93 % or more of 2,000 times; at a tenth not."""
    scenario = rare(1.2)
    needed = runs_needed(scenario)
    losses = run(scenario, replications=needed * REPEATS, workers=1).sample.loss
    mean = float(losses.mean())  # of half a million runs: its own error is a fiftieth of an interval
    assert held(losses, mean, needed) >= LEAST
    assert held(losses, mean, max(2, needed // 10)) < LEAST


@pytest.mark.parametrize("cost", ["const", "uniform", "exponential", "lognormal"])
@pytest.mark.parametrize("failures", [0.1, 0.31, 1.0, 3.0])
def test_cochrans_rule_by_theory_holds(cost, failures):
    """Compound Poisson losses of four kinds of cost: what is shown, by theory and by the sample, holds 93 % or more."""
    rng = np.random.default_rng([8, int(100 * failures), len(cost)])
    squared = {"const": 1.0, "uniform": 27 / 16, "exponential": 4.5, "lognormal": math.exp(3)}[cost] / failures
    runs = math.ceil(COCHRAN * squared)
    repeats = REPEATS if runs * failures * REPEATS < 2e6 else 1_000
    struck = rng.poisson(failures, (repeats, runs))
    count = int(struck.sum())
    costs = {
        "const": lambda: np.ones(count),
        "uniform": lambda: 2 * rng.random(count),
        "exponential": lambda: rng.standard_exponential(count),
        "lognormal": lambda: np.exp(rng.standard_normal(count) - 0.5),
    }[cost]()
    cells = np.repeat(np.arange(repeats * runs), struck.ravel())
    losses = np.bincount(cells, weights=costs, minlength=repeats * runs).reshape(repeats, runs)
    shown = losses[[runs_by_skewness(each) is None for each in losses]]
    assert len(shown) > 0.8 * repeats
    half = special.stdtrit(runs - 1, 0.975) * shown.std(axis=1, ddof=1) / math.sqrt(runs)
    share = float((np.abs(shown.mean(axis=1) - failures) <= half).mean())
    assert share >= LEAST - 2 * math.sqrt(LEAST * (1 - LEAST) / len(shown))


def test_runs_needed_by_hand():
    """No rollback, no detection, no restore: the cost is a wait of the job for its repair, so 25 * 4.5 / failures."""
    exponential = rare(0.31, spares=0).model_copy(update={"hazards": (plain(rare(0.31), "exponential"),)})
    exponential = exponential.model_copy(update={"jobs": (bare(exponential.jobs[0], 40),)})
    assert runs_needed(exponential) == math.ceil(25 * 4.5 / 0.31)
    fixed = exponential.model_copy(update={"hazards": (plain(rare(0.31), "fixed"),)})
    assert runs_needed(fixed) == math.ceil(25 * 1.0 / 0.31)
    heavy = exponential.model_copy(update={"hazards": (plain(rare(0.31), "lognormal"),)})
    assert runs_needed(heavy) == math.ceil(25 * math.exp(3) / 0.31)


def plain(scenario, kind):
    """Give the hazard without detection, with a repair of 4 h of one kind."""
    hazard = scenario.hazards[0]
    law = {
        "exponential": Exponential(kind="exponential", mean="4 h"),
        "fixed": 4 * H,
        "lognormal": Lognormal(kind="lognormal", mean="4 h", sigma=1.0),
    }[kind]
    return hazard.model_copy(update={"detect": 0, "repair": law})


def bare(job, gpus):
    """Give the job on all GPUs, without anything that a failure costs but the repair."""
    keys = {"checkpoint_every": 1, "restore": 0, "failover": 0}
    return job.model_copy(update={"gpus": gpus, "recovery": job.recovery.model_copy(update=keys)})


def test_third_moments_against_scipy():
    """E[t^3] / E[t]^3 of every law of times."""
    assert Fixed(time="2 h").third == 1
    assert Exponential(kind="exponential", mean="2 h").third == 6
    for sigma in (0.3, 1.0):
        law = stats.lognorm(sigma)
        expected = law.moment(3) / law.moment(1) ** 3
        assert Lognormal(kind="lognormal", mean="3 h", sigma=sigma).third == pytest.approx(expected, rel=1e-9)
    law = stats.weibull_min(0.7)
    expected = law.moment(3) / law.moment(1) ** 3
    assert Weibull(kind="weibull", mean="3 h", shape=0.7).third == pytest.approx(expected, rel=1e-9)
    law = stats.gamma(2.5)
    expected = law.moment(3) / law.moment(1) ** 3
    assert Gamma(kind="gamma", mean="3 h", shape=2.5).third == pytest.approx(expected, rel=1e-9)
    assert Empirical(kind="empirical", values=("1 h", "3 h")).third == pytest.approx((1 + 27) / 2 / 2**3)


def test_nothing_that_fails_needs_nothing():
    """Hazards that stop no job need no runs; a tail without end needs more than can be named."""
    slow = load("failures/reference").model_copy(update={"hazards": ()})
    assert runs_needed(slow) == 2
    tail = rare(0.01, {"kind": "lognormal", "mean": "4 h", "sigma": 5.0}, spares=0)
    assert runs_needed(tail) == MOST


@pytest.mark.parametrize(
    ("failures", "repair", "spares", "worst"),
    [
        (1.2, {"kind": "exponential", "mean": "24 h"}, 8, 1.3),  # a second failure finds no spare: one in thirty
        (3.0, {"kind": "exponential", "mean": "100 h"}, 8, 1.4),  # and one in three
        (1.2, "1 h", 8, 1.1),
    ],
)
def test_theory_asks_for_as_many_as_the_simulation(failures, repair, spares, worst):
    """25 squared skewnesses of 60,000 simulated runs, within a factor: spares that are out make rare long waits.

    Without them the first case would need 70 runs, of which one interval in six misses the mean.
    """
    made = rare(failures, repair, spares=spares)
    losses = run(made, replications=60_000, workers=1).sample.loss
    simulated = COCHRAN * skewness(losses) ** 2
    assert 1 / worst < runs_needed(made) / simulated < worst


@pytest.mark.parametrize(
    ("repair", "test", "worst"),
    [
        ({"time": "10 h", "silent": "50 %"}, {"requalify": 2 * H, "requalify_finds": 0.8}, 1.2),
        ({"time": "4 h", "shifts": "weekdays 9-17", "at_shift_end": "finish"}, {}, 1.3),
        ({"time": "4 h", "visits": "tue"}, {}, 1.6),  # meanwhile another node may fail: fewer, longer waits
    ],
    ids=["sent back", "shifts", "visits"],
)
def test_theory_counts_what_repairs_wait_for(repair, test, worst):
    """Repairs that are done again, and hours of those who do them, against the skewness of 20,000 simulated runs."""
    made = rare(1.2, repair)
    made = made.model_copy(update={"hazards": (made.hazards[0].model_copy(update=test),)})
    losses = run(made, replications=20_000, workers=1).sample.loss
    simulated = COCHRAN * skewness(losses) ** 2
    assert 1 / worst < runs_needed(made) / simulated < worst


def test_the_repair_of_a_cost_is_that_of_the_crews():
    """Stages, tests, hours and records: the mean repair is that of the flow to repair, by another sum."""
    first = {"time": "2 h", "success": "40 %", "silent": "30 %", "shifts": "weekdays 9-17"}
    last = {"time": {"kind": "gamma", "mean": "3 h", "shape": 2}, "success": "70 %", "silent": "50 %"}
    finds = {"requalify": "1 h", "requalify_finds": "80 %", "burn_in": "2 h"}
    trace = {"kind": "trace", "at": ["5 h", "9 h"], "repair": ["1 h", "4 h"], "start": "random", "component": [0, 3]}
    for keys in (
        {"repair": [first, last], **finds},
        {"repair": [first, {**last, "visits": "tue"}], **finds},
        {"repair": [first, {**last, "shifts": "weekdays 9-17"}], **finds},
        {"repair": {"time": "1 h", "visit_after": "9 h"}},
        {"mtbf": trace, "repair": {"time": "0 s", "visits": "tue"}},
    ):
        hazard = Hazard.model_validate({"component": "node", "mtbf": "500 h", **keys})
        (flow,) = flows(plan(rare(1.2).model_copy(update={"hazards": (hazard,)})))
        mean = sum(chance * times[0] for chance, times in reliability._repairs(hazard, flow))
        assert mean / H == pytest.approx(flow.repair_h, rel=1e-9)


def test_detection_that_spreads_counts():
    """A detection of 10 h, exponential, with nothing else: 25 * 4.5 / failures; a fixed one 25 / failures."""
    made = rare(0.5, "0 s")
    bared = bare(made.jobs[0], 32)
    for detect, moments in ((Exponential(kind="exponential", mean="10 h"), 4.5), (10 * H, 1.0)):
        hazard = made.hazards[0].model_copy(update={"detect": detect})
        each = made.model_copy(update={"hazards": (hazard,), "jobs": (bared,)})
        assert runs_needed(each) == math.ceil(COCHRAN * moments / 0.4)  # four of five nodes are the job's


def test_tries_by_hand():
    """A restore of 10 h that succeeds every other time: a geometric N has E N² = 6, E N³ = 26; 26² / 6³ / failures."""
    made = rare(0.5, "0 s")
    keys = {"checkpoint_every": 1, "restore": 10 * H, "restore_success": 0.5}
    job = made.jobs[0].model_copy(update={"recovery": made.jobs[0].recovery.model_copy(update=keys)})
    hazard = made.hazards[0].model_copy(update={"detect": 0})
    each = made.model_copy(update={"hazards": (hazard,), "jobs": (job,)})
    assert runs_needed(each) == math.ceil(COCHRAN * 26**2 / 6**3 / 0.4)


def test_what_is_too_rare_to_matter_does_not_count():
    """A rack that goes down once in a million runs hides no interval of 100 runs; one in a hundred runs does.

    24 failures a run cost some 33 h together; the rack's 240 h, once in a hundred runs, are more than the error of the
    mean of 100 runs, and once in a million runs less than a thousandth of it.
    """
    often = rare(30, "1 h")
    needed = {}
    for runs in (100, 1_000_000):
        site = often.hazards[0].model_copy(
            update={"name": "site", "component": "rack", "mtbf": 720 * runs * H, "repair": 240 * H}
        )
        needed[runs] = runs_needed(often.model_copy(update={"hazards": (*often.hazards, site)}), 100)
    assert needed[1_000_000] == runs_needed(often)
    assert needed[100] > 1_000


def test_failures_that_do_not_come_are_not_counted():
    """Nodes that age together and are young: the long-run rate expects 32 in 16 runs, none comes, and none is shown."""
    made = rare(1.0, "1 h", spares=0)
    law = WeibullLifetime(kind="weibull", mean="1440 h", shape=20)
    young = made.model_copy(update={"hazards": (made.hazards[0].model_copy(update={"mtbf": law}),)})
    found = run(young, replications=16, workers=1)
    assert found.sample.interruptions == 0
    assert found.lost.shown_half_width is None
    said = " ".join(run_sentences(found))
    assert "No failure reached a job in 16 runs: at most 17 % of runs have one (95 % confidence)." in said
    assert (1 - most_hit(16)) ** 16 == pytest.approx(0.05)


def test_differences_and_prices_have_no_interval_either():
    """Two offers with few failures: no ± on price or gap, and a gap of prices is told from its sign in every run."""
    one, other = rare(0.31), rare(0.31)
    dear = other.model_copy(update={"tco": other.tco.model_copy(update={"gpu_hour": 2.2})})
    runs = [run(each, replications=32, workers=1) for each in (one, dear)]
    assert runs[0].useful_hour_usd.shown_half_width is None
    pair = Pair(*runs)
    assert pair.useful_hour_difference.shown_half_width is None
    assert pair.lost_difference.shown_half_width is None
    assert verdict(runs).cheapest == 0


def test_a_precision_is_not_reached_by_runs_without_failures():
    """Sequential stopping goes on until enough failures struck, however narrow the interval looks before."""
    scenario = rare(0.05)
    found = run(scenario, precision="50 pp", replications=256, workers=1)
    assert not found.stopped.reached
    assert runs_needed(scenario) > 256
    assert all(look.half_widths == (None,) for look in found.stopped.looks)


def test_skewness_by_hand():
    """Of 0, 0, 0, 1: m2 = 3/16, m3 = 3/32, g1 = m3 / m2^1.5; equal values have none, and scipy agrees."""
    assert skewness([0, 0, 0, 1]) == pytest.approx(3 / 32 / (3 / 16) ** 1.5)
    assert skewness([0.3] * 7) == 0
    values = np.random.default_rng(1).gamma(2, size=200)
    assert skewness(values) == pytest.approx(stats.skew(values), rel=1e-12)
    assert skewness(values * 1e-200) == pytest.approx(stats.skew(values), rel=1e-12)


def test_cochran_says_how_many_are_needed():
    """One of 100 runs that lost all: g1 = 9.8 needs 2,426 runs; normal output is never doubted from 64 on."""
    one = np.zeros(100)
    one[7] = 1.0
    needed = COCHRAN * (0.98 / math.sqrt(0.0099)) ** 2
    assert runs_by_skewness(one) == runs_by_skewness(-one) == math.ceil(needed)
    assert SURPRISED * needed / COCHRAN > 100
    normal = np.random.default_rng(5).normal(size=(500, 64))
    assert [runs_by_skewness(row) for row in normal] == [None] * 500
