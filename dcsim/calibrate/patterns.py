"""Whether failures come as a constant rate would have them: in bursts, of few components, more or fewer with time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
SURE = 0.01
"""A pattern is said where chance alone makes it with less than this probability; source: assumed."""


@dataclass(frozen=True)
class Clusters:
    """Counts of failures in ``windows`` equal windows: variance by mean is 1 for a constant rate, more in bursts."""

    windows: int
    window_h: float
    dispersion: float
    chance: float

    @property
    def bursts(self) -> bool:
        """Whether failures come in bursts, beyond chance."""
        return self.dispersion > 1 and self.chance < SURE


@dataclass(frozen=True)
class Lemons:
    """Failures by component: whether some fail far more often than chance has them.

    ``dispersion``: variance by mean of the counts. ``spread``: coefficient of variation of the components' own rates,
    by moments: sqrt(max(0, dispersion - 1) / mean). ``worst_share``: of all failures, the share of the worst tenth.
    ``expected_share``: what the worst tenth would have if all were alike (a Poisson law, to the nearest component).
    """

    components: int
    dispersion: float
    chance: float
    spread: float
    worst_share: float
    expected_share: float

    @property
    def found(self) -> bool:
        """Whether components differ, beyond chance."""
        return self.dispersion > 1 and self.chance < SURE


@dataclass(frozen=True)
class Trend:
    """Whether failures become more or fewer: N(t) proportional to t^power (Crow), and Laplace's test.

    ``power``: 1 for a constant rate, below it fewer with time; unbiased, (n - 1) / sum log(T / t).
    ``low``, ``high``: its exact interval, 2n / power_mle is chi2(2n). ``chance``: of Laplace's test, both sides.
    """

    failures: int
    power: float
    low: float
    high: float
    chance: float

    @property
    def found(self) -> str | None:
        """What the trend is, beyond chance: "fewer" or "more" with time; None."""
        if self.chance >= SURE:
            return None
        return "fewer" if self.power < 1 else "more"


def clusters(times_h: Values, span_h: float, window_h: float) -> Clusters | None:
    """Return how failures at some times [h] from the begin of a record of ``span_h`` fall into windows.

    None for fewer than two whole windows, or without a failure in them.
    """
    from scipy.special import chdtrc

    windows = int(span_h // window_h)
    counts = np.bincount(
        (times_h[times_h < windows * window_h] // window_h).astype(np.int64), minlength=max(windows, 1)
    )
    mean = float(counts.mean())
    if windows < 2 or not mean:
        return None
    statistic = float(((counts - mean) ** 2).sum()) / mean
    upper = float(chdtrc(windows - 1, statistic))
    return Clusters(windows, window_h, statistic / (windows - 1), upper)


def lemons(failures: NDArray[np.int64]) -> Lemons | None:
    """Return whether components differ, from the failures of each, int64 (components,); None without a failure."""
    from scipy.special import chdtrc

    count, mean = len(failures), float(failures.mean()) if len(failures) else 0.0
    if count < 2 or not mean:
        return None
    statistic = float(((failures - mean) ** 2).sum()) / mean
    dispersion = statistic / (count - 1)
    tenth = max(1, round(count / 10))
    worst = float(np.sort(failures)[::-1][:tenth].sum()) / float(failures.sum())
    chance = float(chdtrc(count - 1, statistic))
    return Lemons(
        count, dispersion, chance, (max(0.0, dispersion - 1) / mean) ** 0.5, worst, _alike(mean, tenth, count)
    )


def _alike(mean: float, tenth: int, count: int) -> float:
    """Return the share of all failures of the ``tenth`` of ``count`` components with most, if all have one rate."""
    from scipy.special import gammaln

    most = int(mean + 12 * mean**0.5 + 20)
    values = np.arange(most + 1)
    chances = np.exp(values * np.log(mean) - mean - gammaln(values + 1))
    left, found = tenth / count, 0.0
    for value in range(most, -1, -1):
        taken = min(left, float(chances[value]))
        found, left = found + taken * value, left - taken
    return found / mean


def trend(times_h: Values, span_h: float) -> Trend | None:
    """Return whether failures at some times [h], above 0, become more or fewer within a record of ``span_h``.

    None for fewer than three failures.
    """
    from scipy.special import gammaincinv, ndtr

    n = len(times_h)
    if n < 3:
        return None
    logs = float(np.log(span_h / np.maximum(times_h, 1e-9 * span_h)).sum())
    laplace = (float(times_h.mean()) / span_h - 0.5) * (12 * n) ** 0.5
    low, high = (float(gammaincinv(n, p)) / logs for p in (0.025, 0.975))
    return Trend(n, (n - 1) / logs, low, high, 2 * float(ndtr(-abs(laplace))))
