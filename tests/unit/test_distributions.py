"""Distributions of a time: every one is tested against its stated mean, median and spread."""

import math

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from dcsim.distributions import DurationOrDistribution, Fixed, as_distribution
from dcsim.units import MS_PER_H

FORM = TypeAdapter(DurationOrDistribution)
N = 100_000


def gamma(x):
    """Γ(1 + x)."""
    return math.gamma(1 + x)


# (as written, mean, median, variance), all for a mean of 1 h and in hours
LAWS = [
    ({"kind": "exponential", "mean": "1 h"}, math.log(2), 1.0),
    ({"kind": "lognormal", "mean": "1 h", "sigma": 0.5}, math.exp(-(0.5**2) / 2), math.exp(0.5**2) - 1),
    ({"kind": "lognormal", "mean": "1 h", "sigma": 1}, math.exp(-(1**2) / 2), math.exp(1**2) - 1),
    (
        {"kind": "weibull", "mean": "1 h", "shape": 0.7},
        math.log(2) ** (1 / 0.7) / gamma(1 / 0.7),
        gamma(2 / 0.7) / gamma(1 / 0.7) ** 2 - 1,
    ),
    (
        {"kind": "weibull", "mean": "1 h", "shape": 1.5},
        math.log(2) ** (1 / 1.5) / gamma(1 / 1.5),
        gamma(2 / 1.5) / gamma(1 / 1.5) ** 2 - 1,
    ),
    ({"kind": "gamma", "mean": "1 h", "shape": 4}, stats.gamma(4, scale=1 / 4).median(), 1 / 4),
    ({"kind": "gamma", "mean": "1 h", "shape": 0.5}, stats.gamma(0.5, scale=2).median(), 2.0),
]
IDS = ["exponential", "lognormal 0.5", "lognormal 1", "weibull 0.7", "weibull 1.5", "gamma 4", "gamma 0.5"]
# (as written, the same law by scipy)
BETWEEN = [
    ({"kind": "uniform", "low": "30 min", "high": "2 h"}, stats.uniform(0.5, 1.5)),
    ({"kind": "triangular", "low": "1 h", "mode": "2 h", "high": "8 h"}, stats.triang(1 / 7, 1, 7)),
    ({"kind": "triangular", "low": "0 s", "mode": "3 h", "high": "3 h"}, stats.triang(1, 0, 3)),
]


def drawn(written, size=N, seed=20_260_101):
    """Draws of a distribution [h] from a seed fixed beforehand."""
    return as_distribution(FORM.validate_python(written)).draw(np.random.default_rng(seed), size) / MS_PER_H


@pytest.mark.parametrize(("written", "median", "variance"), LAWS, ids=IDS)
def test_the_mean_is_the_stated_one(written, median, variance):
    """The mean of 100,000 draws is within four standard errors of the stated mean of an hour."""
    assert FORM.validate_python(written).mean_ms == MS_PER_H
    assert abs(drawn(written).mean() - 1) < 4 * math.sqrt(variance / N)


@pytest.mark.parametrize(("written", "median", "variance"), LAWS, ids=IDS)
def test_half_of_the_draws_lie_below_the_theoretical_median(written, median, variance):
    """The law has the stated shape, not only the stated mean: a wrong shape parameter moves the median."""
    below = (drawn(written) < median).mean()
    assert abs(below - 0.5) < 4 * math.sqrt(0.25 / N)


@pytest.mark.parametrize(("written", "median", "variance"), LAWS, ids=IDS)
def test_an_error_of_three_per_cent_would_be_seen(written, median, variance):
    """The test of the mean has power: draws scaled by 1.03 fail it."""
    assert abs(1.03 * drawn(written).mean() - 1) > 4 * math.sqrt(variance / N)


@pytest.mark.parametrize(("written", "law"), BETWEEN, ids=lambda each: each["kind"] if isinstance(each, dict) else "")
def test_times_between_two_have_the_law_of_their_name(written, law):
    """Moments are scipy's to twelve digits; 100,000 draws pass a Kolmogorov-Smirnov test, 3 % longer ones fail it."""
    form = FORM.validate_python(written)
    assert form.mean_ms == pytest.approx(law.mean() * MS_PER_H, rel=1e-12)
    assert form.variation == pytest.approx(law.var() / law.mean() ** 2, rel=1e-12)
    assert form.third == pytest.approx(law.moment(3) / law.mean() ** 3, rel=1e-12)
    times = drawn(written)
    assert stats.kstest(times, law.cdf).pvalue > 0.001
    assert stats.kstest(1.03 * times, law.cdf).pvalue < 1e-6


def test_empirical_draws_are_the_observed_ones_equally_often():
    """Each of three observed times comes up in a third of the draws, within four standard errors."""
    written = {"kind": "empirical", "values": ["1 h", "2 h", "6 h"]}
    values, counts = np.unique(drawn(written), return_counts=True)
    assert values.tolist() == [1.0, 2.0, 6.0]
    assert np.abs(counts / N - 1 / 3).max() < 4 * math.sqrt(1 / 3 * 2 / 3 / N)
    assert FORM.validate_python(written).mean_ms == (1 + 2 + 6) / 3 * MS_PER_H


def test_a_fixed_time_uses_no_random_number():
    """A plain duration is a fixed time, and leaves the stream where it was."""
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    fixed = as_distribution(FORM.validate_python("15 min"))
    assert isinstance(fixed, Fixed)
    assert fixed.draw(rng, 3).tolist() == [15 * 60_000] * 3
    assert fixed.mean_ms == 15 * 60_000
    assert rng.random() == untouched.random()


@pytest.mark.parametrize("written", [*(law[0] for law in LAWS), {"kind": "empirical", "values": ["1 h", "2 h"]}])
def test_the_first_draws_do_not_depend_on_how_many_follow(written):
    """Draw number i is the same whatever the size, so one failure more changes no repair before it."""
    assert np.array_equal(drawn(written, 10), drawn(written, 1_000)[:10])


@pytest.mark.parametrize("written", [law[0] for law in LAWS], ids=IDS)
def test_two_means_meet_the_same_draws(written):
    """Draws are unit numbers times the mean: twice the mean gives twice the times, to the rounded millisecond."""
    once, twice = drawn(written, 1_000), drawn(written | {"mean": "2 h"}, 1_000)
    assert np.abs(twice - 2 * once).max() * MS_PER_H <= 2


@pytest.mark.parametrize("written", [law[0] for law in LAWS], ids=IDS)
def test_a_law_keeps_its_form_with_another_mean(written):
    """Only the mean changes, to the ms; it is never below one."""
    form = FORM.validate_python(written)
    assert form.with_mean(7 * MS_PER_H) == FORM.validate_python(written | {"mean": "7 h"})
    assert form.with_mean(0.1).mean_ms == 1


@pytest.mark.parametrize("written", [law[0] for law in LAWS], ids=IDS)
def test_draws_are_whole_milliseconds_and_never_overflow(written):
    """Draws are int64 and not negative, for the longest mean that may be written too."""
    form = FORM.validate_python(written | {"mean": "1e9 h"})
    times = form.draw(np.random.default_rng(5), 10_000)
    assert times.dtype == np.int64
    assert 0 <= times.min() <= times.max() <= 4e15


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "lognormal", "mean": "1 h", "sigma": 0},
        {"kind": "lognormal", "mean": "1 h", "sigma": True},
        {"kind": "lognormal", "mean": "1 h", "sigma": "1"},
        {"kind": "lognormal", "mean": "1 h", "sigma": math.nan},
        {"kind": "lognormal", "mean": "1 h"},
        {"kind": "weibull", "mean": "1 h", "shape": 0.01},
        {"kind": "weibull", "mean": "1 h", "shape": math.inf},
        {"kind": "exponential", "mean": "0 s"},
        {"kind": "exponential", "mean": 3_600_000},
        {"kind": "exponential", "mean": "1 h", "sigma": 1},
        {"kind": "empirical", "values": []},
        {"kind": "empirical", "values": ["1 h", 3]},
        {"kind": "normal", "mean": "1 h"},
        {"kind": "gamma", "mean": "1 h", "shape": 0},
        {"kind": "uniform", "low": "1 h", "high": "1 h"},
        {"kind": "uniform", "low": "2 h", "high": "1 h"},
        {"kind": "triangular", "low": "1 h", "mode": "30 min", "high": "2 h"},
        {"kind": "triangular", "low": "1 h", "high": "2 h"},
        {"mean": "1 h"},
        ["1 h"],
        15,
    ],
)
def test_what_is_no_distribution_is_refused_with_one_error(wrong):
    """Each mistake gives exactly one error, whatever the number of kinds."""
    with pytest.raises(ValidationError) as caught:
        FORM.validate_python(wrong)
    assert caught.value.error_count() == 1


def test_the_empirical_mean_never_overflows():
    """A hundred of the longest times sum exactly: the mean is theirs."""
    assert FORM.validate_python({"kind": "empirical", "values": ["1e9 h"] * 100}).mean_ms == 1e9 * MS_PER_H


@pytest.mark.parametrize(
    "written",
    [
        *(law[0] for law in LAWS),
        *(each[0] for each in BETWEEN),
        {"kind": "empirical", "values": ["20 min", "1 h", "3 h"]},
        "1 h",
    ],
)
def test_so_many_draws_are_longer(written):
    """P(longer than t) against 100,000 draws, within 4.5 standard errors; 1 at a negative time, none for ever."""
    law, draws = as_distribution(FORM.validate_python(written)), drawn(written)
    for hours in (0.25, 0.75, 1.1, 1.9, 2.5, 4.0):
        expected = law.beyond(hours * MS_PER_H)
        error = math.sqrt(expected * (1 - expected) / N)
        assert abs((draws > hours).mean() - expected) <= 4.5 * error
    assert law.beyond(-1.0) == pytest.approx(1)
    assert law.beyond(1e15) == pytest.approx(0, abs=1e-9)
