"""Lives of components: a Weibull law through times to failure, some of which have not ended yet."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST = 2
"""Failures without which a shape cannot be told."""
WIDEST = 50.0
"""Shapes between 1/WIDEST and WIDEST are looked at; source: assumed, beyond every part in the field."""


@dataclass(frozen=True, eq=False)
class Weibull:
    """S(t) = exp(-(t / scale_h)^shape), the likeliest law of some lives, and the interval of its shape.

    The interval holds the shapes whose profile likelihood is within chi2(1) / 2 of the highest. ``ended`` and
    ``going_on``: lives that ended in a failure and that were still going on, float64 (d,) and (c,) [h].
    """

    shape: float
    scale_h: float
    confidence: float
    shape_low: float
    shape_high: float
    ended: Values
    going_on: Values

    @property
    def mean_h(self) -> float:
        """Mean life [h] = scale * Gamma(1 + 1/shape)."""
        return self.scale_h * math.gamma(1 + 1 / self.shape)

    @property
    def ageless(self) -> bool:
        """Whether a constant rate (shape 1) is within the interval."""
        return self.shape_low <= 1 <= self.shape_high

    @property
    def distance(self) -> float:
        """Largest distance between the law and what was seen: |Kaplan-Meier - S| at the failures (Kolmogorov)."""
        times = np.concatenate([self.ended, self.going_on])
        failed = np.concatenate([np.ones(len(self.ended)), np.zeros(len(self.going_on))])
        order = np.lexsort((1 - failed, times))
        times, failed = times[order], failed[order]
        left = len(times) - np.arange(len(times))
        after = np.cumprod(1 - failed / left)
        before = np.concatenate([[1.0], after[:-1]])
        law = np.exp(-((times / self.scale_h) ** self.shape))
        seen = failed > 0
        return float(np.maximum(np.abs(law - after), np.abs(law - before))[seen].max())

    def draws(self, count: int, rng: np.random.Generator) -> tuple[Values, Values]:
        """Draw shapes and scales [h] together, float64 (count,) each, from what is believed after the lives.

        The prior is flat in the logarithms of both. Given a shape k, scale^-k is a gamma law with d failures and
        sum t^k, exactly; the shape is drawn from its own posterior on a grid of ``GRID`` points.
        """
        lives = _Lives(self.ended, self.going_on)
        grid = np.exp(np.linspace(math.log(self.shape_low / 3), math.log(self.shape_high * 3), GRID))
        logs = np.array([lives.profile(shape) for shape in grid])
        chances = np.exp(logs - logs.max())
        steps = np.cumsum(chances)
        position = np.interp(rng.random(count) * steps[-1], steps, np.arange(GRID))
        shapes = np.exp(np.interp(position, np.arange(GRID), np.log(grid)))
        sums = np.array([lives.log_sum(shape) for shape in grid])
        log_rate = np.log(rng.gamma(len(self.ended), 1.0, count)) - np.interp(np.log(shapes), np.log(grid), sums)
        return shapes, np.exp(-log_rate / shapes)


GRID = 400
"""Points of the grid from which shapes are drawn; source: assumed, far finer than the posterior of two failures."""


class _Lives:
    """Sums over lives from which likelihoods follow; times are measured in their largest, so that powers stay small."""

    def __init__(self, ended: Values, going_on: Values) -> None:
        times = np.concatenate([ended, going_on])
        self.failures, self.log_unit = len(ended), math.log(float(times.max()))
        self.logs = np.log(times) - self.log_unit
        self.log_ended = float(np.log(ended).sum() - len(ended) * self.log_unit)

    def log_sum(self, shape: float) -> float:
        """Return log of the sum of t^shape over all lives, t in hours."""
        return float(np.log(np.exp(shape * self.logs).sum())) + shape * self.log_unit

    def profile(self, shape: float) -> float:
        """Return the log likelihood of a shape at its likeliest scale, but for a constant."""
        d, sums = self.failures, float(np.exp(shape * self.logs).sum())
        return d * math.log(shape) + shape * self.log_ended - d * math.log(sums)

    def slope(self, shape: float) -> float:
        """Return the derivative of ``profile``."""
        powers = np.exp(shape * self.logs)
        weighted = float((powers * self.logs).sum()) / float(powers.sum())
        return self.failures / shape + self.log_ended - self.failures * weighted


def weibull(ended: Values, going_on: Values, confidence: float = 0.95) -> Weibull | None:
    """Return the likeliest Weibull law; None for fewer than ``LEAST`` failures, or if all lives are equally long.

    ``ended``: lives that ended in a failure [h], above 0; ``going_on``: lives that had lasted so long when the record
    ended. Lives of components that were already in service when it began are left out by the caller up to their first
    failure, unless their age is known.
    """
    from scipy.optimize import brentq
    from scipy.special import chdtri

    ended, going_on = np.asarray(ended, dtype=np.float64), np.asarray(going_on, dtype=np.float64)
    going_on = going_on[going_on > 0]
    if len(ended) < LEAST or min(ended, default=0) <= 0:
        return None
    lives = _Lives(ended, going_on)
    least, most = 1 / WIDEST, WIDEST
    if lives.slope(most) > 0 or lives.slope(least) < 0:
        return None
    shape = float(brentq(lives.slope, least, most))
    allowed = lives.profile(shape) - float(chdtri(1, 1 - confidence)) / 2

    def short(each: float) -> float:
        return lives.profile(each) - allowed

    low = float(brentq(short, least, shape)) if short(least) < 0 else least
    high = float(brentq(short, shape, most)) if short(most) < 0 else most
    scale = math.exp((lives.log_sum(shape) - math.log(len(ended))) / shape)
    return Weibull(shape, scale, confidence, low, high, ended, going_on)
