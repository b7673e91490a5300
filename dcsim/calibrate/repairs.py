"""How long repairs take: their mean and median, a lognormal law through them, and whether its tail is long enough."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST = 3
"""Repairs that ended without which a law cannot be told."""


@dataclass(frozen=True, eq=False)
class RepairTimes:
    """Repairs that ended, float64 (n,) [h], and those still open when the record did; a lognormal law through them.

    ``log_mean``, ``sigma``: of the logarithm of the hours, the likeliest with open ones counted as longer.
    ``zeros``: repairs of no time at all, which no logarithm has; they are in the means, not in the law.
    ``mean_low``, ``mean_high``: interval of the mean of all repairs that ended, by the bootstrap (``RESAMPLES``).
    """

    hours: Values
    open_hours: Values
    zeros: int
    log_mean: float
    sigma: float
    confidence: float
    law_low_h: float
    law_high_h: float
    mean_low_h: float
    mean_high_h: float

    @property
    def mean_h(self) -> float:
        """Mean of the repairs that ended [h]; open ones would make it longer."""
        return float(self.hours.mean())

    @property
    def median_h(self) -> float:
        """Median of the repairs that ended [h]."""
        return float(np.median(self.hours))

    @property
    def law_mean_h(self) -> float:
        """Mean of the lognormal law [h] = exp(log_mean + sigma^2 / 2)."""
        return math.exp(self.log_mean + self.sigma**2 / 2)

    @property
    def understated(self) -> bool:
        """Whether the lognormal law understates the mean: it lies below the interval of the mean of the repairs."""
        return self.law_mean_h < self.mean_low_h

    @property
    def overstated(self) -> bool:
        """Whether the lognormal law overstates the mean."""
        return self.law_mean_h > self.mean_high_h

    @property
    def tail_share(self) -> float:
        """Share of all repair hours that the longest hundredth of the repairs takes."""
        longest = np.sort(self.hours)[::-1][: max(1, len(self.hours) // 100)]
        total = float(self.hours.sum())
        return float(longest.sum()) / total if total else 0.0

    def draws(self, count: int, rng: np.random.Generator) -> tuple[Values, Values]:
        """Draw means [h] and sigmas of the law together, float64 (count,) each: what is believed after the repairs.

        The usual prior, flat in log_mean and log(sigma): sigma^2 is (n - 1) s^2 / chi2(n - 1), log_mean normal.
        """
        n = int((self.hours > 0).sum())
        sigma = self.sigma * np.sqrt((n - 1) / rng.chisquare(n - 1, count))
        log_mean = self.log_mean + rng.standard_normal(count) * sigma / math.sqrt(n)
        return np.exp(np.minimum(log_mean + sigma**2 / 2, MOST_LOG_H)), sigma


@dataclass(frozen=True)
class Tail:
    """The longest times as a Pareto law: P(T > t) = (t / over_h)^-index beyond ``over_h`` [h].

    ``index`` by Hill (1975), unbiased, and its exact interval: with m times beyond, index * sum log(t / over) is a
    gamma law with m. ``bends``: the tail falls off faster than a power, as a lognormal law does (the coefficient of
    variation of the logarithms beyond, which a Pareto law has at 1, is below it, beyond chance).
    """

    over_h: float
    beyond: int
    index: float
    low: float
    high: float
    bends: bool

    @property
    def sentence(self) -> str:
        """Whether the mean can be trusted, in a sentence."""
        said = f"beyond {self.over_h:.3g} h {self.beyond} times fall off as t^-{self.index:.2f} "
        said += f"({self.low:.2f} to {self.high:.2f})"
        if self.bends:
            return f"{said}, and faster farther out: the mean is finite"
        if self.high <= 1:
            return f"{said}: a power of at most 1 has no finite mean; longer records will have a longer mean"
        if self.low <= 1:
            return f"{said}: the mean may not be finite, and this record does not tell it"
        if self.low <= 2:
            return f"{said}: the mean is finite, the variance may not be; the mean is known less well than it seems"
        return f"{said}: mean and variance are finite"


LEAST_BEYOND = 20
"""Times that a tail is told from at least; source: assumed, its index is known to half of it then."""


def tail(hours: Values, share: float = 0.1, confidence: float = 0.95) -> Tail | None:
    """Return the tail of times [h]: the longest ``share``, or ``LEAST_BEYOND`` at least.

    None for fewer than twice as many times, or where those beyond are all equal.
    """
    from scipy.special import gammaincinv, ndtr

    longest = np.sort(np.asarray(hours, dtype=np.float64))[::-1]
    beyond = max(LEAST_BEYOND, int(share * len(longest)))
    if len(longest) < 2 * beyond or longest[beyond] <= 0:
        return None
    logs = np.log(longest[:beyond] / longest[beyond])
    total = float(logs.sum())
    if total <= 0:
        return None
    low, high = (float(gammaincinv(beyond, each)) / total for each in ((1 - confidence) / 2, (1 + confidence) / 2))
    falls = beyond**0.5 * (float(logs.var()) / float(logs.mean()) ** 2 - 1) / 2
    return Tail(float(longest[beyond]), beyond, (beyond - 1) / total, low, high, bool(ndtr(falls) < 0.025))


MOST_LOG_H = 700.0
"""Logarithm of the longest mean; a few repairs allow for means that no float holds."""
RESAMPLES = 2_000
"""Resamples of the bootstrap; source: assumed, so that the ends of an interval are known to a few per cent of it."""


def repair_times(hours: Values, open_hours: Values, seed: int = 0, confidence: float = 0.95) -> RepairTimes | None:
    """Return what repairs say of their length; None for fewer than ``LEAST`` that ended and took time.

    ``hours``: repairs that ended [h], not negative; ``open_hours``: for how long the others had been going on.
    ``seed``: of the bootstrap.
    """
    hours, open_hours = (np.asarray(each, dtype=np.float64) for each in (hours, open_hours))
    positive, going_on = hours[hours > 0], open_hours[open_hours > 0]
    if len(positive) < LEAST or np.ptp(positive) == 0:
        return None
    log_mean, sigma = _lognormal(np.log(positive), np.log(going_on))
    n, tail = len(positive), (1 - confidence) / 2
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(hours), (RESAMPLES, len(hours))) if len(hours) <= 5_000 else None
    means = hours[picks].mean(axis=1) if picks is not None else _means_of_many(hours, rng)
    low, high = (float(each) for each in np.quantile(means, (tail, 1 - tail)))
    believed, _ = RepairTimes(hours, going_on, 0, log_mean, sigma, confidence, 0, 0, 0, 0).draws(20_000, rng)
    law_low, law_high = (float(each) for each in np.quantile(believed, (tail, 1 - tail)))
    return RepairTimes(hours, going_on, len(hours) - n, log_mean, sigma, confidence, law_low, law_high, low, high)


def _means_of_many(hours: Values, rng: np.random.Generator) -> Values:
    """Return means of resamples, one after the other: all at once they would not fit in memory."""
    return np.array([hours[rng.integers(0, len(hours), len(hours))].mean() for _ in range(RESAMPLES)])


def _lognormal(logs: Values, open_logs: Values) -> tuple[float, float]:
    """Return mean and standard deviation of a normal law; some values are only known to be above a bound."""
    log_mean, sigma = float(logs.mean()), float(logs.std(ddof=1))
    if not len(open_logs):
        return log_mean, sigma
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    def against(parameters: Values) -> float:
        mean, spread = parameters[0], math.exp(parameters[1])
        seen = float((0.5 * ((logs - mean) / spread) ** 2).sum()) + len(logs) * math.log(spread)
        return seen - float(log_ndtr(-(open_logs - mean) / spread).sum())

    found = minimize(against, np.array([log_mean, math.log(sigma)]), method="Nelder-Mead", options={"xatol": 1e-8})
    return float(found.x[0]), math.exp(float(found.x[1]))
