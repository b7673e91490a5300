"""Quantiles with intervals that hold whatever the distribution: between two of the values, counted from each end."""

from bisect import bisect_right
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

QUANTILES = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
LEVEL = 0.95


@cache
def rank(n: int, q: float, level: float = LEVEL) -> int:
    """Return how many of n values from below the lower end of the interval of a quantile is; 0 if there is none.

    The number B of n independent values at or below the quantile of q is binomial (n, q). The r-th smallest lies above
    it only if B ≤ r − 1; r is the largest with P(B ≤ r − 1) ≤ (1 − level) / 2 (Conover 1999, Practical Nonparametric
    Statistics, 3.2; the same choice as scipy.stats.quantile_test, which takes far longer to import).
    """
    from scipy.special import bdtr

    return bisect_right(range(n), (1 - level) / 2, key=lambda below: float(bdtr(below, n, q)))


@cache
def least(q: float, level: float = LEVEL) -> int:
    """Return the least n for which the interval of a quantile has two ends: q^n and (1 − q)^n ≤ (1 − level) / 2.

    72 for P5 and P95 at 95 %, 6 for P50.
    """
    n = 1
    while not (rank(n, q, level) and rank(n, 1 - q, level)):
        n += 1
    return n


def interval(values: ArrayLike, q: float, level: float = LEVEL) -> tuple[float, float] | None:
    """Return the interval that holds the quantile of q with at least this probability; None where n is too small.

    ``values``: independent, of one distribution, continuous or not, shape (n,). Each end misses with at most half of
    the rest; ends are values of the sample.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    low, high = rank(n, q, level), rank(n, 1 - q, level)
    return (float(ordered[low - 1]), float(ordered[n - high])) if low and high else None
