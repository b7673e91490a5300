"""Estimates from records: each against scipy, against a closed form, or by how often its interval holds the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from dcsim.calibrate import clusters, lemons, rate, repair_times, trend, weibull

SEED = 20261129
TRIALS = 600
COVERED = (0.92, 0.98)
"""What intervals of 95 % may cover in 600 trials: beyond both lies 3.4 standard errors."""


def test_a_rate_has_the_exact_interval_of_its_count() -> None:
    found = rate(24, 608 * 146 * 24)
    assert found.mtbf_h == pytest.approx(88_768)  # Delta's H100
    low, high = stats.chi2.ppf(0.025, 48) / 2, stats.chi2.ppf(0.975, 50) / 2
    assert (found.low, found.high) == pytest.approx((low / found.exposure_h, high / found.exposure_h), rel=1e-12)


def test_without_a_failure_only_the_highest_rate_is_known() -> None:
    """Of 95 %: 3.689 / T, which is -log(0.025) / T."""
    found = rate(0, 1000.0)
    assert found.mtbf_h is None
    assert found.low == 0
    assert found.high == pytest.approx(-math.log(0.025) / 1000, rel=1e-12)
    assert found.mtbf_interval_h[1] is None


def test_a_rate_needs_an_exposure() -> None:
    with pytest.raises(ValueError, match="more than 0 h"):
        rate(3, 0.0)


def test_what_is_believed_of_a_rate_is_a_gamma_law_and_a_prior_moves_it() -> None:
    rng = np.random.default_rng(SEED)
    draws = rate(2, 1440.0).draws(200_000, rng, prior=(4.0, 100_000.0))
    law = stats.gamma(6, scale=1 / 101_440)
    for share in (0.025, 0.5, 0.975):
        assert np.quantile(draws, share) == pytest.approx(law.ppf(share), rel=0.01)


def covers(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def test_intervals_of_a_rate_cover_it() -> None:
    """An exact interval covers at least 95 %; of 40 expected failures nearly no more."""
    rng = np.random.default_rng(SEED)
    held = [covers(((r := rate(int(n), 1.0)).low, r.high), 40.0) for n in rng.poisson(40.0, TRIALS)]
    assert COVERED[0] <= np.mean(held) <= COVERED[1]


def lives(rng: np.random.Generator, shape: float, mean: float, components: int, span: float) -> tuple[list, list]:
    """Renewals of new components in a record of a length: lives that ended, and what was still going on."""
    scale, ended, going_on = mean / math.gamma(1 + 1 / shape), [], []
    for _ in range(components):
        at = 0.0
        while True:
            life = scale * rng.weibull(shape)
            if at + life > span:
                going_on.append(span - at)
                break
            ended.append(life)
            at += life
    return ended, going_on


@pytest.mark.parametrize("shape", [0.7, 1.5])
def test_a_weibull_law_is_the_one_that_scipy_finds(shape: float) -> None:
    ended, going_on = lives(np.random.default_rng(SEED), shape, 1000.0, 60, 2000.0)
    found = weibull(np.array(ended), np.array(going_on))
    assert found is not None
    k, _, scale = stats.weibull_min.fit(stats.CensoredData(uncensored=ended, right=going_on), floc=0)
    assert (found.shape, found.scale_h) == pytest.approx((k, scale), rel=1e-3)


@pytest.mark.parametrize("shape", [0.7, 1.0, 1.5])
def test_intervals_of_a_shape_cover_it(shape: float) -> None:
    """About 30 failures of 40 components, half of them still in their first life."""
    rng = np.random.default_rng(SEED)
    held = []
    for _ in range(TRIALS):
        found = weibull(*(np.array(each) for each in lives(rng, shape, 1000.0, 40, 800.0)))
        assert found is not None
        held.append(covers((found.shape_low, found.shape_high), shape))
    assert COVERED[0] <= np.mean(held) <= COVERED[1]


def test_drawn_shapes_and_means_cover_the_truth() -> None:
    """What is believed afterwards: intervals from joint draws hold the shape and the mean life."""
    rng = np.random.default_rng(SEED)
    held_shape, held_mean = [], []
    for _ in range(TRIALS):
        found = weibull(*(np.array(each) for each in lives(rng, 0.8, 1000.0, 40, 1500.0)))
        assert found is not None
        shapes, scales = found.draws(2_000, rng)
        means = scales * np.array([math.gamma(1 + 1 / each) for each in shapes])
        held_shape.append(covers(tuple(np.quantile(shapes, (0.025, 0.975))), 0.8))
        held_mean.append(covers(tuple(np.quantile(means, (0.025, 0.975))), 1000.0))
    assert COVERED[0] <= np.mean(held_shape) <= COVERED[1]
    assert COVERED[0] <= np.mean(held_mean) <= COVERED[1]


def test_the_distance_of_a_law_is_that_of_kolmogorov_where_all_lives_have_ended() -> None:
    ended = np.random.default_rng(SEED).weibull(0.7, 200) * 100
    found = weibull(ended, np.array([]))
    assert found is not None
    law = stats.weibull_min(found.shape, scale=found.scale_h)
    assert found.distance == pytest.approx(stats.kstest(ended, law.cdf).statistic, rel=1e-9)


@pytest.mark.parametrize("ended", [[], [5.0], [5.0, 5.0, 5.0], [0.0, 1.0]])
def test_lives_that_say_nothing_of_a_shape_give_none(ended: list[float]) -> None:
    assert weibull(np.array(ended), np.array([])) is None


def test_a_law_through_lognormal_repairs_covers_their_mean() -> None:
    rng = np.random.default_rng(SEED)
    held = []
    for _ in range(TRIALS):
        found = repair_times(np.exp(rng.normal(1.0, 1.2, 60)), np.array([]))
        assert found is not None
        held.append(covers((found.law_low_h, found.law_high_h), math.exp(1 + 1.2**2 / 2)))
    assert COVERED[0] <= np.mean(held) <= COVERED[1]


def test_repairs_that_are_still_open_make_the_law_longer_and_give_it_back() -> None:
    """Repairs of 40 h at most are seen to end; with the others counted as longer the law is the true one."""
    rng = np.random.default_rng(SEED)
    hours = np.exp(rng.normal(2.0, 1.5, 20_000))
    found = repair_times(hours[hours <= 40], np.full(int((hours > 40).sum()), 40.0))
    assert found is not None
    assert (found.log_mean, found.sigma) == pytest.approx((2.0, 1.5), abs=0.03)


def test_a_tail_beyond_a_lognormal_is_said() -> None:
    """One repair in a hundred takes a hundred times as long: the law through the logarithms does not know its mean."""
    rng = np.random.default_rng(SEED)
    hours = np.exp(rng.normal(0.0, 0.5, 4_000)) * np.where(rng.random(4_000) < 0.01, 100.0, 1.0)
    found = repair_times(hours, np.array([]))
    assert found is not None
    assert found.understated
    assert not found.overstated
    assert found.tail_share > 0.4


def test_lognormal_repairs_are_rarely_said_to_have_another_tail() -> None:
    rng = np.random.default_rng(SEED)
    said = []
    for _ in range(200):
        found = repair_times(np.exp(rng.normal(0.0, 1.0, 200)), np.array([]))
        assert found is not None
        said.append(found.understated or found.overstated)
    assert np.mean(said) < 0.06


def test_repairs_of_no_time_are_in_the_mean_and_not_in_the_law() -> None:
    found = repair_times(np.array([0.0, 1.0, 2.0, 4.0]), np.array([]))
    assert found is not None
    assert found.zeros == 1
    assert found.mean_h == 1.75
    assert math.exp(found.log_mean) == pytest.approx(2)


def test_a_constant_rate_is_rarely_said_to_come_in_bursts_or_from_few_components_or_to_have_a_trend() -> None:
    rng = np.random.default_rng(SEED)
    said = {"bursts": 0, "lemons": 0, "trend": 0}
    for _ in range(TRIALS):
        times = np.sort(rng.random(rng.poisson(200)) * 8760)
        found = clusters(times, 8760.0, 24.0), lemons(rng.poisson(0.5, 400)), trend(times, 8760.0)
        assert all(found)
        said["bursts"] += found[0].bursts
        said["lemons"] += found[1].found
        said["trend"] += found[2].found is not None
    assert all(count / TRIALS < 0.025 for count in said.values()), said


def test_bursts_lemons_and_infant_mortality_are_found() -> None:
    rng = np.random.default_rng(SEED)
    storms = np.repeat(rng.random(60) * 8760, 4)
    found = clusters(storms, 8760.0, 24.0)
    assert found is not None
    assert found.bursts
    assert found.dispersion == pytest.approx(4, rel=0.25)
    bad = lemons(np.where(np.arange(400) < 40, rng.poisson(5.0, 400), rng.poisson(0.5, 400)))
    assert bad is not None
    assert bad.found
    assert bad.worst_share > bad.expected_share
    falling = trend(8760 * rng.random(300) ** 2, 8760.0)  # N(t) grows as the square root
    assert falling is not None
    assert falling.found == "fewer"
    assert falling.low <= 0.5 <= falling.high


def test_intervals_of_a_trend_cover_it() -> None:
    rng = np.random.default_rng(SEED)
    held = [
        covers((t.low, t.high), 1.4)
        for _ in range(TRIALS)
        if (t := trend(1000 * rng.random(40) ** (1 / 1.4), 1000.0)) is not None
    ]
    assert len(held) == TRIALS
    assert COVERED[0] <= np.mean(held) <= COVERED[1]


def test_the_share_of_the_worst_tenth_is_what_simulated_alike_components_have() -> None:
    rng = np.random.default_rng(SEED)
    found = lemons(rng.poisson(2.0, 100_000))
    assert found is not None
    assert found.worst_share == pytest.approx(found.expected_share, rel=0.01)
