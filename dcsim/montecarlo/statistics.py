"""What a sample says about its mean: standard errors, intervals, quantiles, paired differences."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Summary:
    """A mean with its error, and the spread of single replications; units are those of the values.

    One replication has no error: ``se`` and ``ci95`` are None, never NaN.
    """

    mean: float
    se: float | None
    ci95: tuple[float, float] | None
    p5: float
    p50: float
    p95: float

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval."""
        return _half_width(self.ci95)


@dataclass(frozen=True)
class Paired:
    """Mean of the differences of pairs, with its error; None as in Summary."""

    mean: float
    se: float | None
    ci95: tuple[float, float] | None

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval."""
        return _half_width(self.ci95)


def summarise(values: ArrayLike, mean: float | None = None) -> Summary:
    """Summarise one number per replication, shape (n,).

    se = s / sqrt(n), s² with n − 1; 95 % interval mean ± t(0.975, n − 1) * se (Student 1908). Quantiles interpolate
    linearly between order statistics (type 7 of Hyndman and Fan 1996, numpy's "linear"). ``mean``: the exact mean where
    the caller has it. Raises ValueError for no values or one that is not finite.
    """
    sample = _finite(values)
    centre, se, ci95 = _centre(sample, mean)
    p5, p50, p95 = np.quantile(sample, (0.05, 0.5, 0.95), method="linear").tolist()
    return Summary(centre, se, ci95, p5, p50, p95)


def paired(a: ArrayLike, b: ArrayLike, mean: float | None = None) -> Paired:
    """Summarise a − b, shapes (n,), of which the i-th met the same failures: common random numbers.

    ``mean`` as in ``summarise``. Raises ValueError if the lengths differ, too.
    """
    left, right = _pairs(a, b)
    return Paired(*_centre(left - right, mean))


def probability_below(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs, shapes (n,), in which a is below b; a tie counts half, so that P(a < b) + P(b < a) = 1."""
    left, right = _pairs(a, b)
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
    constant = bool((sample == sample[0]).all())
    if mean is None:  # fsum: the sum of equal values divided by their number is not always that value
        mean = float(sample[0]) if constant else math.fsum(sample) / sample.size
    if sample.size == 1:
        return mean, None, None
    if constant:
        return mean, 0.0, (mean, mean)
    from scipy.special import stdtrit

    se = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    reach = float(stdtrit(sample.size - 1, 0.975)) * se
    return mean, se, (mean - reach, mean + reach)


def _half_width(interval: tuple[float, float] | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2
