"""Lives of components: a Weibull law through ages at failure, some of which have not ended yet.

An age counts from the last repair or from the installation (``CLOCKS``). A component that was in service before its
record began is seen from a later age on; one that still was when the record ended is seen up to an age.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Outages

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

CLOCKS = ("since repair", "since installation")
"""What an age counts from: a repair makes as good as new, or leaves the component as old as it was."""
LEAST = 2
"""Failures without which a shape cannot be told."""
WIDEST = 50.0
"""Shapes between 1/WIDEST and WIDEST are looked at; source: assumed, beyond every part in the field."""
GRID = 400
"""Points of the grid from which shapes are drawn; source: assumed, far finer than the posterior of two failures."""


@dataclass(frozen=True, eq=False)
class Failures:
    """Failures of units in a record, those of a unit that overlap united, by unit and time, all of one length.

    ``unit`` int64; ``start_h``, ``end_h`` float64 [h from the begin of the record], an open one up to its end.
    """

    unit: Numbers
    start_h: Values
    end_h: Values
    span_h: float

    @property
    def down_h(self) -> float:
        """Hours out of service, of all units together."""
        return float((self.end_h - self.start_h).sum())

    def counts(self, units: int) -> Numbers:
        """Failures of each unit, int64 (units,)."""
        return np.bincount(self.unit, minlength=units)


def failures_of(outages: Outages, span_h: float) -> Failures:
    """Return the failures of each component; an outage that begins before another one of it has ended belongs to it.

    A record that tells no end at all, such as a kernel log, has outages of no length; in others one without is open.
    """
    never = span_h if not np.isnan(outages.end_h).all() else -np.inf  # raised to its start below
    order = np.lexsort((outages.start_h, outages.component))
    unit, start = outages.component[order], outages.start_h[order]
    end = np.minimum(np.where(np.isnan(outages.end_h[order]), never, outages.end_h[order]), span_h)
    end = np.maximum(start, end)
    # Units lie one after another on one axis, so that the last end so far is that of the same unit.
    far = unit * (2 * span_h + 1)
    latest = np.maximum.accumulate(end + far)
    first = np.ones(len(unit), dtype=np.bool_)
    first[1:] = start[1:] + far[1:] >= latest[:-1]
    last = np.append(np.flatnonzero(first)[1:] - 1, len(unit) - 1)[: int(first.sum())]
    return Failures(unit[first], start[first], latest[last] - far[last], span_h)


@dataclass(frozen=True, eq=False)
class Lives:
    """Stretches of service, all arrays of one length n.

    ``from_h``, ``to_h``: ages [h] between which each was seen; ``failed``: whether it failed then, bool; ``limit_h``:
    the age up to which it would have been seen. ``unit``: int64, whose it is. ``waited_h``: how long the record had
    lasted when the unit's first life began whose age is known; 0 where that is the begin of the record.
    """

    from_h: Values
    to_h: Values
    failed: NDArray[np.bool_]
    limit_h: Values
    unit: Numbers
    waited_h: Values
    clock: str = CLOCKS[0]

    def __len__(self) -> int:
        """Return the number of stretches."""
        return len(self.to_h)

    @property
    def ended(self) -> Values:
        """Ages at failure [h]."""
        return self.to_h[self.failed]

    @property
    def going_on(self) -> Values:
        """Ages [h] of those that did not fail while they were seen."""
        return self.to_h[~self.failed]

    @classmethod
    def of_times(cls, ended: Values, going_on: Values, limit_h: float = math.inf) -> "Lives":
        """Return lives from age 0, each of a unit of its own: those that ended [h], and those that went on so long."""
        ended, going_on = np.asarray(ended, dtype=np.float64), np.asarray(going_on, dtype=np.float64)
        going_on = going_on[going_on > 0]
        times = np.concatenate([ended, going_on])
        failed = np.arange(len(times)) < len(ended)
        limits = np.where(failed, limit_h, times)
        return cls(np.zeros_like(times), times, failed, limits, np.arange(len(times)), np.zeros_like(times))


def lives_of(failures: Failures, units: int, installed_h: Values | None = None, clock: str = "since repair") -> Lives:
    """Return the lives of ``units`` components in a record.

    ``installed_h``: when each was installed, float64 (units,) [h from the begin of the record, below 0 before it], NaN
    where that is not known. ``clock``: see CLOCKS; raises ValueError for another one. Since repair, a unit is seen
    from its first repair on if its installation is not known; since installation, such a unit is left out.
    """
    if clock not in CLOCKS:
        raise ValueError(f"clock: found {clock!r}; allowed: {', '.join(CLOCKS)}")
    installed = np.full(units, np.nan) if installed_h is None else np.asarray(installed_h, dtype=np.float64)
    known = ~np.isnan(installed)
    unit, start, end, span = failures.unit, failures.start_h, failures.end_h, failures.span_h
    first = np.ones(len(unit), dtype=np.bool_)
    first[1:] = unit[1:] != unit[:-1]
    follows = np.append(~first[1:], np.zeros(min(1, len(unit)), dtype=np.bool_))  # another failure of the same unit
    whose = np.concatenate([np.flatnonzero(known), unit])
    begin = np.concatenate([np.maximum(0, installed[known]), end])
    zero = np.concatenate([installed[known], end if clock == CLOCKS[0] else installed[unit]])
    stop, failed = np.full(len(whose), span), np.zeros(len(whose), dtype=np.bool_)
    stop[int(known.sum()) :][follows], failed[int(known.sum()) :][follows] = start[1:][follows[:-1]], True
    opening = np.full(units, span)
    opening[unit[first]] = start[first]
    stop[: int(known.sum())], failed[: int(known.sum())] = opening[known], opening[known] < span
    waited = np.zeros(units)
    waited[unit[first]] = np.where(known[unit[first]], 0.0, start[first])
    seen = (stop > begin) & ~np.isnan(zero)
    whose, begin, stop, zero, failed = (each[seen] for each in (whose, begin, stop, zero, failed))
    return Lives(begin - zero, stop - zero, failed, span - zero, whose, waited[whose], clock)


def kaplan_meier(lives: Lives) -> tuple[Values, Values]:
    """Return the ages at failure [h], sorted, and the share that reaches more than each, float64 (k,) each.

    A life that is seen from an age on is among those at risk from there.
    """
    ages, dead = np.unique(lives.to_h[lives.failed], return_counts=True)
    begun = np.searchsorted(np.sort(lives.from_h), ages, side="left")
    gone = np.searchsorted(np.sort(lives.to_h), ages, side="left")
    return ages, np.cumprod(1 - dead / (begun - gone))


def distance(lives: Lives, survival: Callable[[Values], Values]) -> float:
    """Return the largest distance between a law and what was seen, at ages of failure (Kolmogorov, Kaplan-Meier)."""
    ages, after = kaplan_meier(lives)
    before, law = np.concatenate([[1.0], after[:-1]]), survival(ages)
    return float(np.maximum(np.abs(law - after), np.abs(law - before)).max())


@dataclass(frozen=True, eq=False)
class Weibull:
    """S(t) = exp(-(t / scale_h)^shape), the likeliest law of some lives, and the interval of its shape.

    The interval holds the shapes whose profile likelihood is within chi2(1) / 2 of the highest.
    """

    shape: float
    scale_h: float
    confidence: float
    shape_low: float
    shape_high: float
    log_likelihood: float
    lives: Lives

    @property
    def mean_h(self) -> float:
        """Mean life [h] = scale * Gamma(1 + 1/shape)."""
        return self.scale_h * math.gamma(1 + 1 / self.shape)

    @property
    def ageless(self) -> bool:
        """Whether a constant rate (shape 1) is within the interval."""
        return self.shape_low <= 1 <= self.shape_high

    @property
    def ended(self) -> Values:
        """Ages at failure [h]."""
        return self.lives.ended

    @property
    def going_on(self) -> Values:
        """Ages [h] of units that did not fail while they were seen."""
        return self.lives.going_on

    @property
    def distance(self) -> float:
        """Largest distance between the law and what was seen (see ``distance``)."""
        return distance(self.lives, lambda ages: np.exp(-((ages / self.scale_h) ** self.shape)))

    def draws(self, count: int, rng: np.random.Generator) -> tuple[Values, Values]:
        """Draw shapes and scales [h] together, float64 (count,) each, from what is believed after the lives.

        The prior is flat in the logarithms of both. Given a shape k, scale^-k is a gamma law with d failures and
        sum t^k, exactly; the shape is drawn from its own posterior on a grid of ``GRID`` points.
        """
        sums = PowerSums(self.lives)
        grid = np.exp(np.linspace(math.log(self.shape_low / 3), math.log(self.shape_high * 3), GRID))
        logs = np.array([sums.profile(shape) for shape in grid])
        steps = np.cumsum(np.exp(logs - logs.max()))
        position = np.interp(rng.random(count) * steps[-1], steps, np.arange(GRID))
        shapes = np.exp(np.interp(position, np.arange(GRID), np.log(grid)))
        log_sums = np.array([sums.log_sum(shape) for shape in grid])
        drawn = np.log(rng.gamma(sums.failures, 1.0, count))
        return shapes, np.exp((np.interp(np.log(shapes), np.log(grid), log_sums) - drawn) / shapes)


class PowerSums:
    """Sums over lives from which likelihoods follow; ages are measured in the largest, so that powers stay small."""

    def __init__(self, lives: Lives) -> None:
        self.failures, self.log_unit = int(lives.failed.sum()), math.log(float(lives.to_h.max()))
        self.logs = np.log(lives.to_h) - self.log_unit
        later = lives.from_h[lives.from_h > 0]  # of age 0 every power is 0
        self.before = np.log(later) - self.log_unit
        self.log_ended = float(self.logs[lives.failed].sum())

    def log_sum(self, shape: float) -> float:
        """Return log of the sum of to^shape - from^shape over all lives, in hours."""
        return math.log(self._powers(shape)[0]) + shape * self.log_unit

    def profile(self, shape: float) -> float:
        """Return the log likelihood of a shape at its likeliest scale, times in the largest, but for a constant."""
        d = self.failures
        return d * math.log(shape) + shape * self.log_ended - d * math.log(self._powers(shape)[0])

    def slope(self, shape: float) -> float:
        """Return the derivative of ``profile``."""
        total, weighted = self._powers(shape)
        return self.failures / shape + self.log_ended - self.failures * weighted / total

    def log_likelihood(self, shape: float) -> float:
        """Return the log likelihood of a shape at its likeliest scale, ages in hours."""
        d = self.failures
        return self.profile(shape) + d * math.log(d) - d - self.log_ended - d * self.log_unit

    def _powers(self, shape: float) -> tuple[float, float]:
        """Return the sum of powers, and its derivative by the shape."""
        powers, before = np.exp(shape * self.logs), np.exp(shape * self.before)
        total = float(powers.sum()) - float(before.sum())
        return total, float((powers * self.logs).sum()) - float((before * self.before).sum())


def weibull(ended: Values, going_on: Values, confidence: float = 0.95) -> Weibull | None:
    """Return the likeliest Weibull law through lives from age 0: some ended [h], others went on for so long."""
    return weibull_of(Lives.of_times(ended, going_on), confidence)


def weibull_of(lives: Lives, confidence: float = 0.95, interval_too: bool = True) -> Weibull | None:
    """Return the likeliest Weibull law; None for fewer than ``LEAST`` failures, or if all lives are equally long.

    A life that was seen from an age on counts from there: its likelihood is that of having reached it before.
    ``interval_too``: False saves the work for the interval, which is the shape alone then.
    """
    from scipy.optimize import brentq

    if int(lives.failed.sum()) < LEAST or float(lives.to_h.min()) <= 0:
        return None
    sums = PowerSums(lives)
    least, most = 1 / WIDEST, WIDEST
    if sums.slope(most) > 0 or sums.slope(least) < 0:
        return None
    shape = float(brentq(sums.slope, least, most))
    low, high = interval(sums.profile, shape, confidence, (least, most)) if interval_too else (shape, shape)
    scale = math.exp((sums.log_sum(shape) - math.log(sums.failures)) / shape)
    return Weibull(shape, scale, confidence, low, high, sums.log_likelihood(shape), lives)


def interval(
    profile: Callable[[float], float], best: float, confidence: float, ends: tuple[float, float]
) -> tuple[float, float]:
    """Return between which values of a parameter its profile likelihood is within chi2(1) / 2 of that of ``best``."""
    from scipy.optimize import brentq
    from scipy.special import chdtri

    allowed = profile(best) - float(chdtri(1, 1 - confidence)) / 2

    def short(each: float) -> float:
        return profile(each) - allowed

    found = []
    for end in ends:
        inside, step = best, (end - best) / 64
        while (inside + step - end) * step < 0 and short(inside + step) >= 0:
            inside, step = inside + step, 2 * step
        outside = end if (inside + step - end) * step >= 0 else inside + step
        found.append(float(brentq(short, inside, outside, xtol=1e-5)) if short(outside) < 0 else end)
    return found[0], found[1]
