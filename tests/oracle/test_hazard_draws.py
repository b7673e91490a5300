"""What a hazard draws follows the laws it states: bursts, lemons, stages of repair, blame.

Each test derives its expectation from the law, not from the code: the second moment of a cluster process, products of
success probabilities. Seeds were chosen before the first run.
"""

import math

import numpy as np
import pytest

from dcsim.hazards import Draws, Hazard
from dcsim.streams import generator
from dcsim.units import MS_PER_H

DAY = 24 * MS_PER_H
N = 200_000
SEED = 47
WEIBULL = {"kind": "weibull", "mean": "100 h", "shape": 0.7}


def draws(horizon=720 * MS_PER_H, components=1_000, replication=0, **keys):
    """Draws of a GPU hazard with an MTBF of 1,000 h, unless the keys say otherwise."""
    hazard = Hazard.model_validate({"component": "gpu", "mtbf": "1000 h", **keys})
    return Draws(
        hazard, components, components, horizon, lambda purpose: generator(SEED, replication, hazard.key, purpose)
    )


def z(values, mean):
    """How many standard errors the mean of independent values is away from where it should be."""
    return (np.mean(values) - mean) / (np.std(values, ddof=1) / math.sqrt(len(values)))


# --- bursts -----------------------------------------------------------------------------------------------------------

H = 720
BURSTS = [(4.0, 1 / 6), (4.0, 360.0), (20.0, 1.0), (1.0, 10.0)]


def burst_counts(size, within, replications=2_000):
    """Failures in a month of 200 GPUs that come in bursts of this size, within so many hours."""
    burst = {"size": size, "within": f"{within} h"}
    return np.array(
        [len(draws(components=200, replication=r, burst=burst).failures.times) for r in range(replications)]
    )


@pytest.mark.parametrize(("size", "within"), BURSTS)
def test_bursts_keep_the_rate_and_widen_the_spread(size, within):
    """The mean count stays components * H / MTBF; its variance grows by 1 + 2 (size - 1)(1 - within / 3H).

    Parents at rate r = 200 / (1000 h * size) from -within on; one at s has n failures, each in [0, H) with chance q(s).
    The count's mean is r E[n] * integral of q = r size H, its variance r * integral of E[K^2], K binomial(n, q):
    E[K^2] = E[n] q + E[n (n - 1)] q^2. Geometric n has E[n (n - 1)] = 2 size (size - 1); q rises to 1 over within and
    falls again, so q^2 integrates to H - within / 3.
    """
    found = burst_counts(size, within)
    mean = 200 * H / 1000
    variance = mean * (1 + 2 * (size - 1) * (1 - within / (3 * H)))
    assert abs(found.mean() - mean) < 4 * math.sqrt(variance / len(found))
    spread = ((found - found.mean()) ** 2).std(ddof=1) / math.sqrt(len(found))
    assert abs(found.var(ddof=1) - variance) < 4 * spread


def test_the_test_of_bursts_would_see_single_failures():
    """Single failures have the right mean and fail on the variance: 2,000 counts tell 1 from 7."""
    found = burst_counts(1.0, 1 / 6)
    spread = ((found - found.mean()) ** 2).std(ddof=1) / math.sqrt(len(found))
    assert abs(found.var(ddof=1) - 7 * 144) > 4 * spread


def test_a_burst_lies_within_its_time_and_strikes_anything():
    """Rare bursts of ten minutes: failures closer than that come together; their marks are spread over all."""
    drawn = draws(720 * 1000 * MS_PER_H, 1_000, mtbf="1e6 h", burst={"size": 5.0, "within": "10 min"}).failures
    gaps = np.diff(drawn.times)
    together = gaps < 600_000
    # P(a failure is followed within its burst) = 1 - 1/size; other gaps are 5,000 h in the mean
    assert abs(together.mean() - 0.8) < 4 * math.sqrt(0.8 * 0.2 / len(gaps)) + 600_000 / (5_000 * MS_PER_H)
    assert len(np.unique(drawn.marks)) > 300
    assert abs(np.corrcoef(drawn.marks[1:], drawn.marks[:-1])[0, 1]) < 4 / math.sqrt(len(gaps))


# --- lemons -----------------------------------------------------------------------------------------------------------

LEMONS = {"fraction": "5 %", "factor": 10}
C, LEMON = 1_000, 50
W = C + 9 * LEMON


def test_lemons_keep_the_mean_rate_of_the_fleet():
    """Failures come as often as without lemons, at the very same moments."""
    with_lemons, without = draws(lemons=LEMONS).failures, draws().failures
    np.testing.assert_array_equal(with_lemons.times, without.times)


def test_lemons_fail_factor_times_as_often():
    """The share of failures on lemons is 10 L / W, of their excess 9 L / W, and every lemon has its part of it."""
    drawn = draws(36 * 720 * MS_PER_H, lemons=LEMONS)
    failures, lemon = drawn.failures, np.zeros(C, dtype=bool)
    lemon[drawn.lemons] = True
    assert len(np.unique(drawn.lemons)) == lemon.sum() == LEMON
    assert lemon[failures.marks][failures.excess].all()
    total = len(failures.times)
    for share, chance in ((lemon[failures.marks].mean(), 10 * LEMON / W), (failures.excess.mean(), 9 * LEMON / W)):
        assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / total)
    counts = np.bincount(failures.marks, minlength=C)
    expected = np.where(lemon, 10, 1) * total / W
    assert ((counts - expected) ** 2 / expected).sum() < C + 4 * math.sqrt(2 * C)  # chi-squared with about C degrees


def test_which_are_lemons_depends_on_the_replication_only():
    """A larger share has the same lemons and more; another replication has others."""
    some, more = draws(lemons=LEMONS).lemons, draws(lemons=LEMONS | {"fraction": "10 %"}).lemons
    np.testing.assert_array_equal(more[:50], some)
    assert len(more) == 100
    assert len(np.intersect1d(draws(lemons=LEMONS, replication=1).lemons, some)) < 15


# --- what follows a failure -------------------------------------------------------------------------------------------

STAGES = [
    {"name": "reboot", "time": "10 min", "success": "40 %", "silent": "10 %"},
    {"time": {"kind": "exponential", "mean": "2 h"}, "success": "50 %", "silent": "20 %"},
    {"time": {"kind": "lognormal", "mean": "24 h", "sigma": 0.5}, "success": "70 %", "silent": "30 %"},
]
PIPELINE = {"repair": STAGES, "wrong_node": "30 %", "detect": {"kind": "weibull", "mean": "15 min", "shape": 0.8}}


def test_stages_are_reached_as_often_as_those_before_fail():
    """P(stage k) is the product of the failures before it; a stage that is not reached has no time."""
    reached = draws(**PIPELINE).outcomes(N).stages >= 0
    for found, chance in zip(reached.mean(axis=1), (1, 0.6, 0.6 * 0.5), strict=True):
        assert abs(found - chance) <= 4 * math.sqrt(chance * (1 - chance) / N)
    assert (reached[1:] <= reached[:-1]).all()


def test_the_mean_of_the_pipeline_is_the_stated_one():
    """All stages together last mean_repair_ms in the mean, and the last one 1 / 0.7 of its time where it is reached."""
    drawn = draws(**PIPELINE)
    stages = drawn.outcomes(N).stages
    assert drawn.hazard.mean_repair_ms == pytest.approx((1 / 6 + 0.6 * 2 + 0.3 * 24 / 0.7) * MS_PER_H)
    assert abs(z(np.maximum(stages, 0).sum(axis=0), drawn.hazard.mean_repair_ms)) < 4
    assert abs(z(stages[2][stages[2] >= 0] / MS_PER_H, 24 / 0.7)) < 4


def test_the_share_that_comes_back_unrepaired():
    """Each stage returns what it succeeds on, and of that its own share is not repaired."""
    fixed = draws(**PIPELINE).outcomes(N).fixed
    silent = 0.4 * 0.1 + 0.6 * 0.5 * 0.2 + 0.6 * 0.5 * 0.3
    assert abs((~fixed).mean() - silent) < 4 * math.sqrt(silent * (1 - silent) / N)
    stages = draws(**PIPELINE).outcomes(N).stages
    last = np.maximum.reduce((stages >= 0) * np.arange(3)[:, None])
    for stage, chance in enumerate((0.1, 0.2, 0.3)):
        chosen = last == stage
        assert abs((~fixed[chosen]).mean() - chance) < 4 * math.sqrt(chance * (1 - chance) / chosen.sum())


def test_wrong_blames_are_geometric():
    """P(at least k wrong blames) = 0.3^k."""
    wrong = draws(**PIPELINE).outcomes(N).wrong
    for k in range(6):
        chance = 0.3**k
        assert abs((wrong >= k).mean() - chance) <= 4 * math.sqrt(chance * (1 - chance) / N)


def test_detection_has_its_mean():
    """Detection times follow the stated distribution: a mean of 15 min."""
    assert abs(z(draws(**PIPELINE).outcomes(N).detect / 60_000, 15)) < 4


def test_a_row_of_failures_ends_by_its_cap():
    """Even a stage that succeeds once in 10^6 is done at most 1,001 times, so that every repair ends."""
    stages = draws(repair={"time": "1 min", "success": "0.0001 %"}).outcomes(1_000).stages
    assert stages.max() == 1_001 * 60_000


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"repair": {"kind": "lognormal", "mean": "1 h", "sigma": 1.0}},
        PIPELINE,
        PIPELINE | {"mtbf": WEIBULL},
        {"repair": {"time": "1 h", "silent": "10 %"}},
        {"mtbf": {"kind": "trace", "repeat": True, "at": ["1 h", "2 h", "4 h"], "repair": ["1 s", "2 s", "3 s"]}},
    ],
)
def test_outcomes_do_not_depend_on_how_many_are_taken_at_a_time(keys):
    """One by one, in unequal blocks, or all at once: the i-th failure has the same outcome."""

    def table(*takes):
        drawn = draws(**keys)
        blocks = [drawn.outcomes(take) for take in takes]
        return np.concatenate(
            [np.vstack([block.detect, block.wrong, block.fixed, block.stages]) for block in blocks], axis=1
        )

    whole = table(200)
    np.testing.assert_array_equal(table(*[1] * 200), whole)
    np.testing.assert_array_equal(table(0, 7, 64, 100, 29), whole)


def test_what_is_not_asked_for_is_not_drawn():
    """A plain hazard uses its two streams and no memory for outcomes: views of one value."""
    asked = []

    def stream(purpose):
        asked.append(purpose)
        return generator(SEED, 0, "gpu", purpose)

    plain = Draws(Hazard.model_validate({"component": "gpu", "mtbf": "1000 h", "repair": "1 h"}), 50, 50, DAY, stream)
    outcomes = plain.outcomes(len(plain.failures.times))
    assert asked == ["gaps", "marks"]
    assert {array.strides[-1] for array in (outcomes.detect, outcomes.wrong, outcomes.stages, outcomes.fixed)} == {0}


def test_one_key_shifts_no_other_draw():
    """Wrong blames, detection and silence have streams of their own: adding them leaves the times of repair."""
    one, two = draws(repair=STAGES[1]["time"]).outcomes(100), draws(**PIPELINE | {"repair": STAGES[1]}).outcomes(100)
    again = draws(repair=STAGES[1] | {"silent": "50 %"}).outcomes(100)
    np.testing.assert_array_equal(two.stages, again.stages)
    first = two.stages[0] == one.stages[0]  # where the first attempt helped
    assert 30 < first.sum() < 70


def test_failures_of_what_ages_are_not_known_beforehand():
    """Asking for them is a mistake of the program, and says so."""
    with pytest.raises(TypeError, match='"gpu" ages'):
        draws(mtbf=WEIBULL).failures  # noqa: B018
