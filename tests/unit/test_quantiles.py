"""Intervals of quantiles: exact by enumeration, equal to scipy's, and absent where n is too small."""

from itertools import product
from math import comb

import numpy as np
import pytest

from dcsim.montecarlo import summarise
from dcsim.montecarlo.statistics import interval, least, rank


def binomial(n, q, most):
    """P(B <= most) of a binomial (n, q), term by term."""
    return sum(comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(most + 1))


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("n", [6, 20, 71, 72, 93, 200])
def test_the_rank_is_the_largest_allowed(n, q):
    """The r-th smallest value lies above the quantile with at most 2.5 %, the next one with more."""
    r = rank(n, q)
    assert r == 0 or binomial(n, q, r - 1) <= 0.025
    assert binomial(n, q, r) > 0.025


@pytest.mark.parametrize("q", [0.2, 0.5])
def test_coverage_by_enumeration(q):
    """Over all ways in which 12 values can lie below or above, the interval holds the quantile at least 95 % of times.

    Each value is below with chance q. Low end: below in all cases but those with too few below; high end likewise.
    """
    n = 12
    low, high = rank(n, q), rank(n, 1 - q)
    if not (low and high):  # 12 values give no interval of P20: at 0.8^12 = 6.9 % all of them lie above
        assert (1 - q) ** n > 0.025
        return
    covered = 0.0
    for below in product((True, False), repeat=n):
        chance = float(np.prod([q if each else 1 - q for each in below]))
        count = sum(below)
        covered += chance * (low <= count <= n - high)
    assert 0.95 <= covered < 0.98
    assert covered == pytest.approx(binomial(n, q, n - high) - binomial(n, q, low - 1), rel=1e-12)


@pytest.mark.parametrize("n", [6, 30, 72, 100, 500])
@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_scipy_chooses_the_same_values(n, q):
    """Ends are those of scipy.stats.quantile_test, which has nan where there is none."""
    from scipy import stats

    values = np.random.default_rng(n).lognormal(size=n)
    found = stats.quantile_test(values, q=np.quantile(values, q), p=q).confidence_interval(0.95)
    expected = None if np.isnan([found.low, found.high]).any() else (found.low, found.high)
    assert interval(values, q) == expected


def test_the_least_number_of_replications():
    """P5 and P95 have an interval from 72 values on, 0.95^72 < 2.5 % < 0.95^71; P50 from 6 on."""
    assert 0.95**72 < 0.025 < 0.95**71
    assert 0.5**6 < 0.025 < 0.5**5
    assert [least(q) for q in (0.05, 0.5, 0.95)] == [72, 6, 72]
    values = np.arange(72.0)
    assert summarise(values[:71]).p5_ci95 is summarise(values[:71]).p95_ci95 is None
    summary = summarise(values)
    assert summary.p5_ci95[0] == 0.0
    assert summary.p95_ci95[1] == 71.0
    assert summary.p5_ci95[0] <= summary.p5 <= summary.p5_ci95[1] < summary.p50_ci95[0] <= summary.p50
    assert summarise(values[:5]).p50_ci95 is None
    assert summarise(values[:6]).p50_ci95 == (0.0, 5.0)


def test_intervals_hold_as_often_as_they_say():
    """Of 4,000 samples of 100 lognormal values, each interval holds its quantile in at least 95 % less 4 errors."""
    samples = np.sort(np.random.default_rng(20261121).lognormal(size=(4000, 100)), axis=1)
    for q, z in ((0.05, -1.6448536), (0.5, 0.0), (0.95, 1.6448536)):
        low, high = rank(100, q), rank(100, 1 - q)
        held = (samples[:, low - 1] <= np.exp(z)) & (np.exp(z) <= samples[:, 100 - high])
        assert 0.95 - 4 * 0.0035 < held.mean() < 0.99


def test_groups_that_share_their_inputs_count_once():
    """With pairs the quantiles' intervals are those of every second value: 144 replications for P5."""
    values = np.repeat(np.arange(72.0), 2)
    assert summarise(values[:142], shared=2).p5_ci95 is None
    assert summarise(values, shared=2).p5_ci95 == summarise(np.arange(72.0)).p5_ci95
