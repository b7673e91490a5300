"""Means, errors, intervals, quantiles, pairs."""

import math
from functools import reduce
from operator import add

import numpy as np
import pytest

from dcsim.montecarlo import paired, probability_below, summarise


def test_a_summary_by_hand():
    """Mean, error, interval and quantiles of 1 … 5 are what arithmetic and the t table give."""
    summary = summarise([5, 1, 4, 2, 3])
    assert summary.mean == (1 + 2 + 3 + 4 + 5) / 5
    assert summary.se == pytest.approx(math.sqrt((4 + 1 + 0 + 1 + 4) / 4 / 5), rel=1e-15)
    assert summary.ci95 == pytest.approx((3 - 2.776445 * math.sqrt(0.5), 3 + 2.776445 * math.sqrt(0.5)), rel=1e-6)
    assert (summary.p5, summary.p50, summary.p95) == pytest.approx((1 + 0.05 * 4, 3, 1 + 0.95 * 4))
    assert summary.half_width == pytest.approx(2.776445 * math.sqrt(0.5), rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 30, 1000])
def test_the_interval_is_students(n):
    """Error and interval agree with scipy.stats at every size."""
    from scipy import stats

    values = np.random.default_rng(n).lognormal(size=n)
    summary = summarise(values)
    assert summary.se == pytest.approx(stats.sem(values), rel=1e-12)
    expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert summary.ci95 == pytest.approx(expected, rel=1e-10)


def test_the_interval_covers_as_often_as_it_says():
    """Of 4,000 intervals from 5 normal values each, 95 % within 4 standard errors hold the true mean."""
    draws = np.random.default_rng(20260401).normal(7, 2, (4000, 5))
    intervals = [summarise(row).ci95 for row in draws]
    covered = sum(low <= 7 <= high for low, high in intervals) / 4000
    assert abs(covered - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / 4000)


def test_one_replication_has_no_error():
    """One value has neither error nor interval, and is its own quantiles."""
    summary = summarise([0.25])
    assert (summary.mean, summary.se, summary.ci95, summary.half_width) == (0.25, None, None, None)
    assert (summary.p5, summary.p50, summary.p95) == (0.25, 0.25, 0.25)
    difference = paired([1.0], [3.0])
    assert (difference.mean, difference.se, difference.ci95, difference.half_width) == (-2.0, None, None, None)


def test_equal_values_have_no_error_at_all():
    """Equal values, whose float mean would be off by a bit, have themselves as mean and an error of zero."""
    value = 0.1
    assert reduce(add, [value] * 10) / 10 != value
    summary = summarise([value] * 10)
    assert (summary.mean, summary.se, summary.ci95) == (value, 0.0, (value, value))
    difference = paired([value] * 10, [value / 2] * 10)
    assert (difference.mean, difference.se, difference.ci95) == (value - value / 2, 0.0, (value / 2, value / 2))


def test_the_exact_mean_is_taken_where_it_is_given():
    """A given mean is the mean and the middle of the interval."""
    summary = summarise([0.1, 0.2], mean=0.15)
    assert summary.mean == 0.15
    low, high = summary.ci95
    assert (low + high) / 2 == pytest.approx(0.15)
    assert paired([0.3, 0.4], [0.1, 0.3], mean=0.125).mean == 0.125


def test_pairs_remove_what_both_have():
    """Two series that rise and fall together differ by a constant, whose error is zero."""
    a = np.array([10.0, 25.0, 4.0])
    assert paired(a, a - 2).mean == 2
    assert paired(a, a - 2).se == 0
    assert summarise(a).se > 1


def test_ties_count_half():
    """Of four pairs one is below, two tie: P = (1 + 2/2)/4; and both directions sum to one."""
    a, b = [1, 2, 3, 4], [2, 2, 3, 1]
    assert probability_below(a, b) == (1 + 2 / 2) / 4
    assert probability_below(b, a) == 1 - (1 + 2 / 2) / 4
    assert probability_below(a, a) == 0.5


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], [[1.0], [2.0]]])
def test_what_has_no_mean_is_an_error(values):
    """No values, a value that is not finite and a table of values are refused."""
    with pytest.raises(ValueError, match="at least one finite number"):
        summarise(values)


def test_unequal_lengths_are_no_pairs():
    """Three values against two make no pairs."""
    with pytest.raises(ValueError, match="3 and 2 values do not make pairs"):
        paired([1, 2, 3], [1, 2])
