"""Components that are retired after k failures within a window, or cured: how long they serve, how often they fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELLS = 2_048
"""Cells of equal width into which a horizon is cut (assumed); errors are of second order in their width."""
LEAST = 1e-300
"""Probabilities below this are none."""


@dataclass(frozen=True)
class Retirement:
    """A component is retired at its k-th failure within a window, and a new one may come.

    ``failures``: k >= 1. ``window`` [h]. ``replace`` [h]: from retirement to the new one; infinite where none comes.
    """

    failures: int
    window: float
    replace: float = math.inf


@dataclass(frozen=True)
class Served:
    """What one place for a component has in the mean: ``hours`` in service and ``failures``."""

    hours: float
    failures: float


@dataclass(frozen=True)
class Stay:
    """How long a component stays what it is: neither retired by ``rule`` nor cured.

    It fails at ``rate`` [1/h], as a Poisson stream (repairs take no time); each failure cures it with probability
    ``cured``. With N failures by t, P(it stays) = E[(1 - cured)^N; not retired] = e^(-cured l t) S(t), S the
    probability that a stream of rate (1 - cured) l never has k points within the window.

    S is the Poisson law up to one window, exactly. At two and three windows it is Naus's Q2 and Q3, exactly, and beyond
    them Q2 (Q3 / Q2)^(t / w - 2), his approximation (Naus 1982, Approximations for distributions of scan statistics,
    JASA 77, equations 3.1 to 3.3). Between one and two windows log S is a cubic with the slopes of both sides.
    """

    rate: float
    rule: Retirement | None = None
    cured: float = 0.0

    def probability(self, ages: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that it stays what it is for ``ages`` [h], float64 of their shape."""
        import numpy as np

        stays: NDArray[np.float64] = np.exp(-self.cured * self.rate * ages)
        return stays if self.rule is None else stays * np.exp(self._log_scan(ages))

    def hours(self, ages: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean time [h] that it stays what it is up to ``ages`` [h]: the integral of ``probability``."""
        import numpy as np
        from scipy.special import gammainc

        leaves = self.cured * self.rate
        if self.rule is None:
            return -np.expm1(-leaves * ages) / leaves if leaves else ages.astype(np.float64)
        window = self.rule.window
        if not self.rate:
            return ages.astype(np.float64)
        early = self.rate * np.minimum(ages, window)
        orders = np.arange(self.rule.failures)[:, None]
        total = ((1 - self.cured) ** orders * gammainc(orders + 1.0, early)).sum(axis=0) / self.rate
        between = np.linspace(window, 2 * window, CELLS // 4 + 1)
        inside = self.probability(between)
        summed = np.concatenate([[0.0], np.cumsum((inside[1:] + inside[:-1]) / 2)]) * (between[1] - between[0])
        total = total + np.interp(ages, between, summed)
        leaves -= self._slopes[1] / window
        late = np.maximum(ages - 2 * window, 0.0)
        tail = -np.expm1(-leaves * late) / leaves if leaves else late
        found: NDArray[np.float64] = total + inside[-1] * tail
        return found

    @cached_property
    def _log_ends(self) -> tuple[float, float]:
        """log S at one and at two windows."""
        assert self.rule is not None
        one, two, _ = windows_without(self.rule.failures, (1 - self.cured) * self.rate * self.rule.window)
        return math.log(max(one, LEAST)), math.log(max(two, LEAST))

    @cached_property
    def _slopes(self) -> tuple[float, float]:
        """Change of log S per window, after the first and after the second; bounded, so that the cubic never rises."""
        from scipy.special import pdtr

        assert self.rule is not None
        often, k = (1 - self.cured) * self.rate * self.rule.window, self.rule.failures
        _, two, three = windows_without(k, often)
        if two <= LEAST:
            return 0.0, 0.0
        mean = self._log_ends[1] - self._log_ends[0]
        tail = math.log(max(three, LEAST) / two)
        return max(-often * _exactly(k - 1, often) / float(pdtr(k - 1, often)), 3 * mean), max(tail, 3 * mean)

    def _log_scan(self, ages: NDArray[np.float64]) -> NDArray[np.float64]:
        """log S, at ``ages`` [h]."""
        import numpy as np
        from scipy.special import pdtr

        assert self.rule is not None
        start, end = self._log_ends
        first, last = self._slopes
        windows = ages / self.rule.window
        often = (1 - self.cured) * self.rate * np.minimum(ages, self.rule.window)
        early = np.log(np.maximum(pdtr(self.rule.failures - 1, often), LEAST))
        at = np.clip(windows - 1, 0.0, 1.0)
        cubic = (1 + 2 * at) * (1 - at) ** 2 * start + at**2 * (3 - 2 * at) * end
        cubic += at * (1 - at) ** 2 * first + at**2 * (at - 1) * last
        return np.where(windows <= 1, early, cubic + np.maximum(windows - 2, 0.0) * last)


def windows_without(k: int, mean: float) -> tuple[float, float, float]:
    """Return the probabilities that no k points fall within a window, over one, two and three windows (Naus 1982).

    ``mean``: expected points of the Poisson stream in one window. Exact; for k = 1 e^-mean, e^-2mean and e^-3mean.
    """
    from scipy.special import pdtr

    if not mean:
        return 1.0, 1.0, 1.0

    def below(points: int) -> float:
        return float(pdtr(points, mean)) if points >= 0 else 0.0

    def exactly(points: int) -> float:
        return _exactly(points, mean)

    one = below(k - 1)
    two = one**2 - (k - 1) * exactly(k) * exactly(k - 2) - (k - 1 - mean) * exactly(k) * below(k - 3)
    a1 = 2 * exactly(k) * one * ((k - 1) * below(k - 2) - mean * below(k - 3))
    a2 = (k - 1) * (k - 2) * below(k - 3) - 2 * (k - 2) * mean * below(k - 4) + mean**2 * below(k - 5)
    a3 = math.fsum(exactly(2 * k - r) * below(r - 1) ** 2 for r in range(1, k))
    a4 = math.fsum(
        exactly(2 * k - r) * exactly(r) * ((r - 1) * below(r - 2) - mean * below(r - 3)) for r in range(2, k)
    )
    three = one**3 - a1 + exactly(k) ** 2 * a2 / 2 + a3 - a4
    two = min(max(two, 0.0), one)
    return one, two, min(max(three, 0.0), two)


def _exactly(points: int, mean: float) -> float:
    """Return the Poisson probability of so many points."""
    if points < 0 or not mean:
        return float(points == 0)
    return math.exp(points * math.log(mean) - mean - math.lgamma(points + 1))


@lru_cache(maxsize=256)
def served(rate: float, factor: float, cured: float, rule: Retirement | None, horizon: float) -> tuple[Served, Served]:
    """Return what a place has over ``horizon`` [h] that begins with a sound component, and one with a lemon.

    A sound component fails at ``rate`` [1/h], a lemon ``factor`` times as often and is cured as in ``Stay``. What is
    retired is followed by a sound component, if any. Failures before a cure do not count towards a retirement after it.

    With S the law of ``Stay``, R the time to replace and F = 1 - S, the mean hours u of a place that begins sound are
    u(t) = int_0^t S + int_0^t u(t - R - x) dF(x) (renewal equation; Cox 1962, Renewal Theory, 4.1), on a grid.
    """
    import numpy as np

    often = factor * rate
    grid = np.linspace(0.0, horizon, CELLS + 1)
    sound, lemon = Stay(rate, rule), Stay(often, rule, cured)
    hours, as_lemon = sound.hours(grid), lemon.hours(grid)
    if rule is None:
        later = horizon - float(as_lemon[-1])
    else:
        if rule.replace < horizon:
            hours = _renewed(hours, -np.diff(sound.probability(np.maximum(grid - rule.replace, 0.0))))
        ends = -np.diff(lemon.probability(grid))
        retired = _retired(ends, cured * often * np.diff(as_lemon), cured, rule)
        later = _after(ends - retired, hours, grid, 0.0) + _after(retired, hours, grid, rule.replace)
    lasting, first = float(hours[-1]), float(as_lemon[-1])
    return Served(lasting, rate * lasting), Served(first + later, often * first + rate * later)


def _retired(
    ends: NDArray[np.float64], first_cures: NDArray[np.float64], cured: float, rule: Retirement
) -> NDArray[np.float64]:
    """Return which part of what ends being a lemon in every cell is retired, not cured.

    A failure retires with some probability q, else it cures with probability p: ends = failures (q + (1 - q) p), and
    ``first_cures`` = failures p. With p = 1 the first failure ends it.
    """
    import numpy as np

    if cured == 1:
        return ends if rule.failures == 1 else np.zeros_like(ends)
    return np.clip((ends - first_cures) / (1 - cured), 0.0, ends)


def _renewed(hours: NDArray[np.float64], mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return u on the grid: u = hours + mass * u; the mass of a cell lies half at each of its ends."""
    import numpy as np

    kernel = np.concatenate([mass[:1], mass[1:] + mass[:-1]]) / 2
    found = hours.copy()
    for cell in range(1, len(found)):
        found[cell] = (hours[cell] + kernel[1:cell] @ found[cell - 1 : 0 : -1]) / (1 - kernel[0])
    return found


def _after(mass: NDArray[np.float64], hours: NDArray[np.float64], grid: NDArray[np.float64], delay: float) -> float:
    """Return the mean hours of what begins ``delay`` [h] after events whose ``mass`` lies in the cells of the grid."""
    import numpy as np

    left = np.interp(grid[-1] - grid - min(delay, grid[-1] + 1), grid, hours, left=0.0)
    return float(mass @ (left[1:] + left[:-1]) / 2)
