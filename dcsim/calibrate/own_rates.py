"""A shape that units share while each has a rate of its own, so that bad units do not pose as infant mortality."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.lives import LEAST, WIDEST, Lives, PowerSums, interval

Values = NDArray[np.float64]

ALIKE = 1e6
"""Shape of the gamma law of rates at which units are alike: they differ by a thousandth."""
UNLIKE = 0.02
"""The least one: rates differ by seven times their mean; source: assumed, beyond every fleet in the field."""
STARTS = (np.array([0.0, 0.0]), np.array([3.0, 0.0]))
"""Where the likeliest law of rates is looked for first: log a, and log of the mean rate by that of one rate."""
NEAR = (-3.0, 8.0)
"""Values of log a from which the next search may begin; beyond them the likelihood is too flat to leave."""


@dataclass(frozen=True, eq=False)
class OwnRates:
    """Units fail at rate_i * shape * t^(shape - 1); the rates of units have a gamma law.

    ``shape`` and its interval by profile likelihood. ``spread``: coefficient of variation of the units' rates.
    ``chance``: with which probability units that are alike would look at least as different (likelihood ratio).
    ``units``: how many had a life of known age.
    """

    shape: float
    confidence: float
    shape_low: float
    shape_high: float
    spread: float
    chance: float
    units: int
    failures: int

    @property
    def ageless(self) -> bool:
        """Whether a constant rate of each unit (shape 1) is within the interval."""
        return self.shape_low <= 1 <= self.shape_high


class _Units:
    """The likelihood of a shared shape k, with the units' rates integrated out.

    Of a unit with d failures and H = sum (to^k - from^k) it is Gamma(a + d) / Gamma(a) * b^a / (b + H)^(a + d), times
    k^d prod t^(k - 1). A unit whose first age is not known is seen from its first failure on, after a wait w: those
    that fail often come sooner. Given that wait its rate has the law with a + 1 and b + w^k.
    """

    def __init__(self, lives: Lives) -> None:
        _, self.whose = np.unique(lives.unit, return_inverse=True)
        self.count = int(self.whose.max()) + 1
        self.log_unit = math.log(float(lives.to_h.max()))
        self.to, self.ended = np.log(lives.to_h) - self.log_unit, lives.failed
        later = lives.from_h > 0
        self.later, self.since = self.whose[later], np.log(lives.from_h[later]) - self.log_unit
        waited = np.zeros(self.count)
        waited[self.whose] = lives.waited_h
        self.waits = waited > 0
        self.wait = np.log(np.maximum(waited, 1e-12)) - self.log_unit
        self.d = np.bincount(self.whose, self.ended, self.count)
        self.failures = int(self.d.sum())
        self.log_ended = float(self.to[self.ended].sum())
        self.last: list[Values] = []

    def _sums(self, shape: float) -> tuple[Values, Values]:
        sums = np.bincount(self.whose, np.exp(shape * self.to), self.count)
        sums -= np.bincount(self.later, np.exp(shape * self.since), self.count)
        return np.maximum(sums, 0), np.where(self.waits, np.exp(shape * self.wait), 0.0)

    def rates(self, shape: float, alike: bool = False) -> tuple[float, float]:
        """Return the highest log likelihood of a shape (but for a constant), and log a there."""
        from scipy.optimize import minimize
        from scipy.special import digamma, gammaln

        sums, waits = self._sums(shape)
        plus, d = self.waits.astype(np.float64), self.d
        mean = math.log(self.failures / float(sums.sum()))

        def against(parameters: Values) -> tuple[float, Values]:
            a, rate = math.exp(parameters[0]), mean + parameters[1]  # rate: log of the mean rate, a / b
            b = math.exp(parameters[0] - rate)
            own, scale = a + plus, b + waits
            longer = np.log1p(sums / scale)
            found = gammaln(own + d) - gammaln(own) - d * np.log(scale) - (own + d) * longer
            by_a = float((digamma(own + d) - digamma(own) - longer).sum())
            by_b = float(((own + d) * sums / (scale * (scale + sums)) - d / scale).sum())
            return -float(found.sum()), -np.array([a * by_a + b * by_b, -b * by_b])

        constant = self.failures * math.log(shape) + shape * self.log_ended
        together = constant - self.failures * (1 - mean)  # one rate: a Poisson process
        if alike:
            return together, math.log(ALIKE)
        bounds = [(math.log(UNLIKE), math.log(ALIKE)), (-15.0, 15.0)]
        found = [
            minimize(against, start, jac=True, method="TNC", bounds=bounds, options={"ftol": 1e-10, "gtol": 1e-6})
            for start in (self.last or STARTS)
        ]
        best = min(found, key=lambda each: float(each.fun))
        self.last = [best.x] if NEAR[0] < best.x[0] < NEAR[1] else []
        if together >= constant - best.fun:
            return together, math.log(ALIKE)
        return constant - float(best.fun), float(best.x[0])

    def profile(self, shape: float) -> float:
        """Return the highest log likelihood of a shape."""
        return self.rates(shape)[0]


def own_rates(lives: Lives, confidence: float = 0.95) -> OwnRates | None:
    """Return the shape that units share, each with its own rate.

    None for fewer than ``LEAST`` failures of units that failed more than once, for one unit, or where no shape is
    the likeliest.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import chdtrc

    if len(lives) < 2 or float(lives.to_h.min()) <= 0 or int(lives.failed.sum()) < LEAST:
        return None
    units = _Units(lives)
    if units.count < 2:
        return None
    first = PowerSums(lives)
    if first.slope(WIDEST) > 0 or first.slope(1 / WIDEST) < 0:
        return None
    ends = -math.log(WIDEST), math.log(WIDEST)
    found = minimize_scalar(
        lambda x: -units.profile(math.exp(x)), bounds=ends, method="bounded", options={"xatol": 1e-4}
    )
    best = float(found.x)
    low, high = interval(lambda x: units.profile(math.exp(x)), best, confidence, ends)
    log_a = units.rates(math.exp(best))[1]
    together = minimize_scalar(lambda x: -units.rates(math.exp(x), alike=True)[0], bounds=ends, method="bounded")
    gain = max(0.0, 2 * (float(together.fun) - float(found.fun)))
    spread = 0.0 if log_a >= math.log(ALIKE) else math.exp(-log_a / 2)
    chance = 1.0 if gain <= 0 else float(chdtrc(1, gain)) / 2  # no spread lies at the edge: half of chi2(1)
    return OwnRates(
        math.exp(best), confidence, math.exp(low), math.exp(high), spread, chance, units.count, units.failures
    )
