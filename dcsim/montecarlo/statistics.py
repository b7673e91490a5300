"""What a sample says about its mean and quantiles: errors, intervals, control variates, paired differences."""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def share_interval(held: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a probability, where ``held`` of n independent runs had the event (a tie counts half).

    It holds the probability at least as often as it says (Clopper and Pearson 1934, Biometrika 26(4)). It has two ends
    however few the runs are; without any event the lower one is 0.
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(held, n - held + 1, tail)) if held > 0 else 0.0
    high = float(betaincinv(held + 1, n - held, 1 - tail)) if held < n else 1.0
    return low, high


FEWEST = 5
"""Values from which on a mean is adjusted: the estimated slope multiplies the variance by (n − 2) / (n − 3) (Lavenberg
and Welch 1981), which is infinite at 3 and doubles it at 4, while t(0.975, n − 2) grows to 12.7 and 4.3."""


@dataclass(frozen=True, eq=False)
class Adjusted:
    """A mean that was adjusted for its control, with its error; units are those of the values.

    ``correlation``: of values and control in the sample; its square is the share of the variance that the control
    explains. ``residuals``: what is left of each value, float64 (n,), with mean zero.
    """

    mean: float
    se: float
    ci95: tuple[float, float]
    correlation: float
    residuals: NDArray[np.float64]


def adjusted(values: ArrayLike, deviations: ArrayLike, mean: float | None = None) -> Adjusted | None:
    """Adjust the mean of n values by their regression on a control whose expectation is known.

    ``values`` y and ``deviations`` c, shapes (n,): c is the control less its expectation, hence E c = 0. ``mean``: the
    exact mean of y where the caller has it. With sums over the sample and d = c − c̄

        b = Σ d (y − ȳ) / Σ d²,   mean = ȳ − b c̄,   s² = Σ (y − ȳ − b d)² / (n − 2),
        se² = s² (1 / n + c̄² / Σ d²),   95 % interval: mean ± t(0.975, n − 2) se

    (Lavenberg and Welch 1981, A perspective on the use of control variables to increase the efficiency of Monte Carlo
    simulations, Management Science 27(3), section 2, one control). Exact where (y, c) is bivariate normal; the variance
    is then (1 − ρ²) (n − 2) / (n − 3) times that of ȳ.

    None where the plain mean has to do: fewer than ``FEWEST`` values, or a control that is constant. The decision never
    looks at y, so it does not choose the luckier of two intervals. Raises ValueError for shapes that differ.
    """
    sample, control = np.asarray(values, dtype=np.float64), np.asarray(deviations, dtype=np.float64)
    if sample.shape != control.shape or sample.ndim != 1:
        raise ValueError(f"{sample.size} values and {control.size} of the control do not belong together")
    n = sample.size
    centred = control - control.mean()
    square = float(centred @ centred)
    if n < FEWEST or (control == control[0]).all() or square == 0:
        return None
    from scipy.special import stdtrit

    plain = math.fsum(sample) / n if mean is None else mean
    spread = sample - sample.mean()
    slope = float(centred @ spread) / square
    off = float(control.mean())
    residuals = spread - slope * centred
    variance = float(residuals @ residuals) / (n - 2)
    se = math.sqrt(variance * (1 / n + off**2 / square))
    centre = plain - slope * off
    reach = float(stdtrit(n - 2, 0.975)) * se
    norm = math.sqrt(square * float(spread @ spread))
    correlation = float(centred @ spread) / norm if norm else 0.0
    return Adjusted(centre, se, (centre - reach, centre + reach), correlation, residuals)


FREEDOM = 5
"""Degrees of freedom that two-phase regression must leave; source: assumed."""


def two_phase(
    values: NDArray[np.float64], controls: NDArray[np.float64], means: ArrayLike, n: int
) -> tuple[float, float, float] | None:
    """Adjust the mean of few values by their regression on k controls that are known in more runs.

    ``values`` d, shape (m,); ``controls`` x, shape (m, k), of the same m runs; their ``means`` X, shape (k,), over n
    independent runs, these m among them. With the slopes of d on x by least squares and s² of its residuals

        mean = d̄ + slopes (X - x̄),   se² = s² / m + (variance of d - s²) / n,   interval: ± t(0.975, m - k - 1) se

    (two-phase regression; Cochran 1977, Sampling Techniques, 12.6). What is a sum of controls gets exactly the sum of
    their means. Returns how far the mean moves, se, and half the 95 % interval; None where there are not more than m
    runs, or fewer than ``FREEDOM`` degrees of freedom are left.
    """
    m, k = controls.shape
    if n <= m or m - k - 1 < FREEDOM:
        return None
    from scipy.special import stdtrit

    centre = controls.mean(axis=0)
    spread = values - values.mean()
    slopes = np.linalg.lstsq(controls - centre, spread, rcond=None)[0]
    residuals = spread - (controls - centre) @ slopes
    left = float(residuals @ residuals) / (m - k - 1)
    se = math.sqrt(left / m + max(0.0, float(values.var(ddof=1)) - left) / n)
    moved = float(slopes @ (np.asarray(means, dtype=np.float64) - centre))
    return moved, se, float(stdtrit(m - k - 1, 0.975)) * se


@dataclass(frozen=True)
class Summary:
    """A mean with its error, and the spread of single replications; units are those of the values.

    One replication has no error: ``se`` and ``ci95`` are None, never NaN. The intervals of the quantiles hold whatever
    the distribution (``quantiles.interval``); None below the least number of replications for which there is one.
    ``reliable``: whether enough failures struck for ``ci95`` to hold the true mean as often as it says.
    """

    mean: float
    se: float | None
    ci95: tuple[float, float] | None
    p5: float
    p50: float
    p95: float
    p5_ci95: tuple[float, float] | None = None
    p50_ci95: tuple[float, float] | None = None
    p95_ci95: tuple[float, float] | None = None
    reliable: bool = True

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval."""
        return _half_width(self.ci95)

    def about(self, better: Adjusted | None) -> "Summary":
        """Return the summary about another mean of the same values, with its error; itself without one."""
        return self if better is None else replace(self, mean=better.mean, se=better.se, ci95=better.ci95)

    def moved(self, mean: float) -> "Summary":
        """Return the summary with this mean and an interval as wide: for what a mean that is known better gives."""
        off = mean - self.mean
        interval = self.ci95 and (self.ci95[0] + off, self.ci95[1] + off)
        return replace(self, mean=mean, ci95=interval)

    def with_quantiles_of(self, values: NDArray[np.float64], shared: int) -> "Summary":
        """Return the summary with the quantiles of other values, shape (n,); infinite ones are allowed."""
        return replace(self, **_quantiles(values, shared))

    @property
    def shown_half_width(self) -> float | None:
        """Half of the 95 % interval, if it may be shown."""
        return self.half_width if self.reliable else None

    def without_error(self) -> "Summary":
        """Return mean and quantiles alone, where nothing is known of how far they are off."""
        return Summary(self.mean, None, None, self.p5, self.p50, self.p95)


@dataclass(frozen=True)
class Variance:
    """The variance of single replications, split: that of luck, and that of the inputs (0 where all are certain)."""

    luck: float
    inputs: float


@dataclass(frozen=True)
class Paired:
    """Mean of the differences of pairs, with its error; None and ``reliable`` as in Summary."""

    mean: float
    se: float | None
    ci95: tuple[float, float] | None
    reliable: bool = True

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval."""
        return _half_width(self.ci95)

    @property
    def shown_half_width(self) -> float | None:
        """Half of the 95 % interval, if it may be shown."""
        return self.half_width if self.reliable else None


def summarise(values: ArrayLike, mean: float | None = None, *, shared: int = 1) -> Summary:
    """Summarise one number per replication, shape (n,).

    se = s / sqrt(n), s² with n − 1; 95 % interval mean ± t(0.975, n − 1) * se (Student 1908). Quantiles interpolate
    linearly between order statistics (type 7 of Hyndman and Fan 1996, numpy's "linear"). ``mean``: the exact mean where
    the caller has it. ``shared``: of so many replications, one after the other, the inputs are the same; then errors
    are those of the means of such groups, and intervals of quantiles those of the first replication of each. Raises
    ValueError for no values or one that is not finite.
    """
    sample = _finite(values)
    exact = _plain_mean(sample) if mean is None else mean
    centre, se, ci95 = _centre(unit_means(sample, shared), exact)
    return Summary(centre, se, ci95, **_quantiles(sample, shared))


def _quantiles(sample: NDArray[np.float64], shared: int) -> dict[str, Any]:
    """Quantiles of a sample, which may hold infinite values, and their intervals, by the names that Summary gives them.

    Between a finite value and an infinite one there is only the infinite one.
    """
    found = _interpolated(sample, list(QUANTILES.values()))
    ordered = np.sort(sample[::shared])
    intervals = {f"{name}_ci95": interval(ordered, q) for name, q in QUANTILES.items()}
    return dict(zip(QUANTILES, found.tolist(), strict=True)) | intervals


def quantile(sample: NDArray[np.float64], q: float) -> float:
    """Return the quantile of q, 0 to 1, of a sample, shape (n,); infinite values are allowed, as ``Summary`` has it."""
    return float(_interpolated(sample, [q])[0])


def _interpolated(sample: NDArray[np.float64], quantiles: list[float]) -> NDArray[np.float64]:
    stands_in = np.finfo(np.float64).max / 4  # arithmetic with infinite values would give no number
    found = np.quantile(np.minimum(sample, stands_in), quantiles, method="linear")
    return np.where(found > np.max(sample, where=np.isfinite(sample), initial=-np.inf), np.inf, found)


def unit_means(sample: NDArray[np.float64], shared: int) -> NDArray[np.float64]:
    """Return the means of ``shared`` values after one another, which are independent; what is left over is one more."""
    if shared == 1:
        return sample
    return np.array([float(group.mean()) for group in np.split(sample, range(shared, len(sample), shared))])


def variance_of(values: ArrayLike, shared: int = 1) -> Variance | None:
    """Split the variance of single replications into luck and inputs; None for a single value or group.

    One-way random effects, groups of k = ``shared`` (Searle, Casella and McCulloch 1992, Variance Components, 3.6):
    luck = the mean of the variances within groups; inputs = variance of the group means − luck / k, unbiased, and 0
    where that comes out negative. For pairs the first is the mean of half the squared differences. Values beyond the
    last whole group are left out.
    """
    sample = _finite(values)
    groups = sample[: len(sample) // shared * shared].reshape(-1, shared)
    if len(groups) < 2:
        return None
    if shared == 1:
        return Variance(float(sample.var(ddof=1)), 0.0)
    luck = float(groups.var(axis=1, ddof=1).mean())
    return Variance(luck, max(0.0, float(groups.mean(axis=1).var(ddof=1)) - luck / shared))


def paired(
    a: ArrayLike,
    b: ArrayLike,
    mean: float | None = None,
    *,
    shared: int = 1,
    deviations: ArrayLike | None = None,
) -> Paired:
    """Summarise a − b, shapes (n,), of which the i-th met the same failures: common random numbers.

    ``mean`` and ``shared`` as in ``summarise``. ``deviations``: a control that both have in common, less its
    expectation; the mean is then adjusted for it, which gives the difference of the adjusted means. Raises ValueError
    if the lengths differ, too.
    """
    left, right = _pairs(a, b)
    units = unit_means(left - right, shared)
    centre = mean if mean is not None else _plain_mean(left - right)
    if deviations is not None:
        better = adjusted(units, unit_means(_finite(deviations), shared), centre)
        if better is not None:
            return Paired(better.mean, better.se, better.ci95)
    return Paired(*_centre(units, centre))


def probability_below(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs, shapes (n,), in which a is below b; a tie counts half, so that P(a < b) + P(b < a) = 1.

    Values may be infinite.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or not left.size:
        raise ValueError(f"{left.size} and {right.size} values do not make pairs")
    return float(np.mean((left < right) + 0.5 * (left == right)))


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size or not np.isfinite(sample).all():
        raise ValueError("needs a list of at least one finite number")
    return sample


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = _finite(a), _finite(b)
    if left.shape != right.shape:
        raise ValueError(f"{left.size} and {right.size} values do not make pairs")
    return left, right


def _centre(sample: NDArray[np.float64], mean: float | None) -> tuple[float, float | None, tuple[float, float] | None]:
    """Mean, standard error and 95 % interval."""
    mean = _plain_mean(sample) if mean is None else mean
    if sample.size == 1:
        return mean, None, None
    if (sample == sample[0]).all():
        return mean, 0.0, (mean, mean)
    from scipy.special import stdtrit

    se = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    reach = float(stdtrit(sample.size - 1, 0.975)) * se
    return mean, se, (mean - reach, mean + reach)


def _plain_mean(sample: NDArray[np.float64]) -> float:
    """Return the mean; fsum, because the sum of equal values divided by their number is not always that value."""
    return float(sample[0]) if (sample == sample[0]).all() else math.fsum(sample) / sample.size


def _half_width(interval: tuple[float, float] | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2
