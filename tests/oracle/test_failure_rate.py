"""Failures come at the stated rate, strike everything alike, and nobody's draws depend on anybody else's.

Oracle: an exponential hazard on c components is a Poisson process of rate c / MTBF. The count in a horizon H has mean
and variance c H / MTBF; given the count, times are uniform in [0, H) and marks uniform over what is marked.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import chdtrc

from dcsim.hazards import Draws, Hazard
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.streams import generator
from dcsim.units import MS_PER_H

REPLICATIONS = 200
SEED = 41


def scenario(*hazards, gpus=5_184, horizon="36 mo", seed=SEED, **job):
    """One job on a quarter of the cluster, and the given hazards."""
    return Scenario.model_validate(
        {
            "name": "rates",
            "horizon": horizon,
            "seed": seed,
            "cluster": {"topology": "gb300-nvl72", "gpus": gpus},
            "jobs": [{"name": "a", "gpus": gpus // 4, "recovery": {"kind": "fault-tolerant"}, **job}],
            "hazards": hazards,
        }
    )


def failures_of(layout, replication, hazard=0):
    """Failures of one hazard in one replication."""
    return layout.draws(replication)[hazard].failures


def counts(hazard, **keys):
    """Failures of one hazard per replication."""
    layout = plan(scenario(hazard, **keys))
    return np.array([len(failures_of(layout, replication).times) for replication in range(REPLICATIONS)])


def z_of_rate(found, expected):
    """How many standard errors the mean count is away from a Poisson mean."""
    return (found.mean() - expected) / math.sqrt(expected / len(found))


CASES = [
    # hazard, cluster and horizon, components * H / MTBF
    ({"component": "gpu", "mtbf": "25000 h"}, {}, 5_184 * 36 * 720 / 25_000),
    ({"component": "gpu", "mtbf": "50677 h", "blast": 64}, {}, 5_184 * 36 * 720 / 50_677),
    ({"component": "node", "mtbf": "100000 h"}, {}, 5_184 / 4 * 36 * 720 / 100_000),
    ({"component": "tray", "mtbf": "100000 h"}, {}, 5_184 / 4 * 36 * 720 / 100_000),
    ({"component": "rack", "mtbf": "2000 h"}, {}, 72 * 36 * 720 / 2_000),
    ({"component": "rack", "mtbf": "9000 h"}, {"gpus": 76}, 2 * 36 * 720 / 9_000),
    ({"component": "gpu", "mtbf": "1000 h"}, {"gpus": 4, "horizon": "1 y"}, 4 * 8_760 / 1_000),
    ({"component": "gpu", "mtbf": {"kind": "exponential", "mean": "1e6 h"}}, {"horizon": "1 d"}, 5_184 * 24 / 1e6),
]


@pytest.mark.parametrize(("hazard", "keys", "expected"), CASES)
def test_failures_come_at_the_stated_rate(hazard, keys, expected):
    """The mean count of 200 replications is components * H / MTBF, within four standard errors."""
    assert abs(z_of_rate(counts(hazard, **keys), expected)) < 4


def test_the_rate_test_would_see_a_wrong_rate():
    """One per cent more failures, or one rack too few, is beyond four standard errors."""
    found = counts(CASES[0][0])
    assert abs(z_of_rate(found, 1.01 * CASES[0][2])) > 4
    racks = counts(CASES[4][0])
    assert abs(z_of_rate(racks, 71 * 36 * 720 / 2_000)) > 4


def test_counts_have_the_variance_of_a_poisson_process():
    """Variance over mean of 200 counts is 1 within four standard errors of sqrt(2 / 199)."""
    found = counts(CASES[0][0])
    assert abs(found.var(ddof=1) / found.mean() - 1) < 4 * math.sqrt(2 / (REPLICATIONS - 1))


def chance_of_uniform(values, upper, bins):
    """p-value of the chi-squared test that whole numbers in [0, upper) are uniform over equal bins."""
    found = np.bincount((values * bins // upper).astype(int), minlength=bins)
    expected = len(values) / bins
    assert len(found) == bins
    return chdtrc(bins - 1, ((found - expected) ** 2 / expected).sum())


@pytest.mark.parametrize(
    ("keys", "marked", "bins"),
    [
        ({"component": "gpu", "blast": 64}, 5_184, 72),  # slots
        ({"component": "rack", "blast": 64}, 5_184, 72),  # slots, though racks fail
        ({"component": "gpu"}, 5_184, 72),
        ({"component": "node"}, 5_184 // 4, 81),
        ({"component": "rack"}, 72, 72),
    ],
)
def test_times_and_marks_are_uniform(keys, marked, bins):
    """Every slot or component is marked alike, and at any time of the horizon alike (chi-squared, p > 1e-4)."""
    drawn = plan(scenario({"mtbf": "2000 h", **keys}))
    failures = [failures_of(drawn, replication) for replication in range(60 if keys["component"] == "rack" else 6)]
    marks = np.concatenate([each.marks for each in failures])
    times = np.concatenate([each.times for each in failures])
    assert 0 <= marks.min() <= marks.max() < marked
    assert chance_of_uniform(marks, marked, bins) > 1e-4
    assert chance_of_uniform(times, 36 * 720 * MS_PER_H, 36) > 1e-4


def test_the_uniformity_test_would_see_a_slot_that_never_fails():
    """Marks that leave out the last tenth of the slots are told from uniform ones."""
    failures = failures_of(plan(scenario({"component": "gpu", "mtbf": "25000 h"})), 0)
    assert chance_of_uniform(failures.marks * 9 // 10, 5_184, 72) < 1e-4


def test_times_ascend_within_the_horizon():
    """Times are int64 milliseconds in [0, H), in order; marks have the same length, and no failure is a lemon's."""
    failures = failures_of(plan(scenario({"component": "gpu", "mtbf": "500 h", "repair": "1 h"})), 3)
    assert failures.times.dtype == failures.marks.dtype == np.int64
    assert failures.times[0] >= 0
    assert failures.times[-1] < 36 * 720 * MS_PER_H
    assert (np.diff(failures.times) >= 0).all()
    assert len(failures.times) == len(failures.marks) == len(failures.excess)
    assert not failures.excess.any()


REPAIR = {"time": {"kind": "lognormal", "mean": "1 h", "sigma": 1}}
GPU = {"name": "gpu", "component": "gpu", "mtbf": "25000 h", "repair": REPAIR}


def drawn_for(horizon_h, components=5_184, replication=0):
    """Draws of the GPU hazard over a horizon of whole hours."""
    hazard = Hazard.model_validate(GPU)
    return Draws(
        hazard, components, 5_184, horizon_h * MS_PER_H, lambda purpose: generator(1, replication, "gpu", purpose)
    )


def columns(draws):
    """Times, marks and repairs of all failures, int64 (3, failures)."""
    failures = draws.failures
    return np.stack([failures.times, failures.marks, draws.outcomes(len(failures.times)).stages[0]])


def test_draws_do_not_depend_on_the_chunks_they_come_in():
    """A shorter horizon, drawn in smaller chunks, has exactly the first failures of a longer one, to the ms."""
    horizons = [1, 24, 720, 8_760, 25_920, 100_000]
    for replication in range(20):
        draws = [columns(drawn_for(horizon, replication=replication)) for horizon in horizons]
        for horizon, (shorter, longer) in zip(horizons, pairwise(draws), strict=False):
            count = int(np.searchsorted(longer[0], horizon * MS_PER_H))
            assert np.array_equal(shorter, longer[:, :count])


def test_an_unlucky_first_chunk_is_extended(monkeypatch):
    """Where the first chunk of gaps ends before the horizon, the stream goes on where it stopped."""
    import dcsim.hazards.arrivals as module

    whole = columns(drawn_for(25_920))
    gaps, sizes = module._gaps, []

    def short(rng, size, mean):
        sizes.append(size)
        return gaps(rng, 7 if len(sizes) == 1 else size, mean)

    monkeypatch.setattr(module, "_gaps", short)
    assert np.array_equal(columns(drawn_for(25_920)), whole)
    assert len(sizes) > 2


def test_another_hazard_shifts_no_draw():
    """A hazard keeps its failures when others are put before, behind or taken away."""
    link = {"name": "link", "component": "node", "mtbf": "9000 h"}
    power = {"name": "power", "component": "rack", "mtbf": "5000 h", "blast": 8}
    alone = columns(plan(scenario(GPU)).draws(5)[0])
    for hazards in ([GPU, link], [link, GPU], [power, link, GPU]):
        assert np.array_equal(columns(plan(scenario(*hazards)).draws(5)[hazards.index(GPU)]), alone)


def test_two_scenarios_meet_the_same_failures():
    """What is compared (strategy, job, spares, repair, blast, detection) changes neither times nor marks."""
    one = failures_of(plan(scenario(GPU | {"blast": 64})), 2)
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 h"}
    changed = GPU | {"blast": 8, "detect": "1 h", "repair": "2 h"}
    other = failures_of(plan(scenario(changed, count=2, priority=3, recovery=recovery)), 2)
    assert np.array_equal(one.times, other.times)
    assert np.array_equal(one.marks, other.marks)


def test_another_mtbf_scales_the_same_draws():
    """Twice the MTBF gives every failure at twice its time, within the rounding of one ms per gap."""
    slow = failures_of(plan(scenario(GPU | {"mtbf": "50000 h"})), 0).times
    fast = failures_of(plan(scenario(GPU | {"mtbf": "25000 h"})), 0).times[: len(slow)]
    assert (np.abs(slow - 2 * fast) <= np.arange(2, len(slow) + 2) * 1.5).all()


@pytest.mark.parametrize("other", [{"seed": SEED + 1}, {"replication": 1}])
def test_seed_and_replication_give_other_failures(other):
    """Replications are independent, and so are seeds."""
    replication = other.pop("replication", 0)
    one = failures_of(plan(scenario(GPU)), 0).times
    two = failures_of(plan(scenario(GPU, **other)), replication).times
    assert len(np.intersect1d(one, two)) < 5


def test_the_draws_are_those_of_the_first_version():
    """A scenario without new keys meets the failures that it always met: literals of step 1's `draw_failures`."""
    draws = Draws(
        Hazard.model_validate(GPU), 5_184, 5_184, 25_920 * MS_PER_H, lambda purpose: generator(1, 3, "gpu", purpose)
    )
    times, marks, repairs = columns(draws)
    assert len(times) == 5_508
    assert (times[:3].tolist(), int(times[-1])) == ([16_289_232, 18_934_433, 24_713_871], 93_310_915_686)
    assert (marks[:3].tolist(), int(marks[-1])) == ([4_330, 3_880, 2_021], 2_444)
    assert (repairs[:3].tolist(), int(repairs[-1])) == ([2_366_913, 984_255, 5_964_794], 5_265_654)
