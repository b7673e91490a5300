"""How much of a month one domain is down: an alternating renewal process of Poisson failures and repairs of any law.

A domain that is up fails at rate λ; a repair takes G, independent of all else; while it is down it does not fail. It is
down for at most x of a month of T exactly if the repairs of the failures in T − x hours of up-time sum to x at most, so
P(D ≤ x) = Σ_n Poisson(n; λ(T − x)) G*ⁿ(x) where it begins up. In the steady state it begins down with probability
λm/(1 + λm), m the mean repair, and then with what is left of a repair, of law ∫₀ˣ (1 − G)/m. Times in hours.
Reference: L. Takács, On certain sojourn time problems (1957); H. H. Panjer, Recursive evaluation of compound
distributions (1981).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.closed_form.spares import down_probabilities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS, MOST_STEPS = 1_000, 8_000
"""Parts of the time allowed in which sums of repairs are counted, and at most if repairs are far shorter."""
PER_REPAIR = 20
"""Parts of the mean repair. Errors fall with the square of a part; a repair that lies between two is shared by both."""
MOST_FAILURES = 300.0
"""Beyond so many failures exp(-λ) is small enough to lose digits; their number is halved, and the halves added."""


def down_at_most(
    allowed: Sequence[float],
    rate: float,
    longer: Callable[[float], float],
    mean_repair: float,
    month: float,
    *,
    begins_up: bool = False,
) -> list[float]:
    """Return the probability that a domain is down for at most each of the ``allowed`` times of a month [h].

    ``rate``: failures of a domain that is up [1/h]. ``longer``: P(a repair takes longer than a time [h]), whose mean is
    ``mean_repair`` [h]. ``begins_up``: the domain is up when the month begins; else the process is in its steady state.
    """
    if not rate or not mean_repair:
        return [1.0 for _ in allowed]
    up = 1.0 if begins_up else 1 / (1 + rate * mean_repair)
    return [_down_at_most(x, rate, longer, mean_repair, month, up) for x in allowed]


def promised(missed: float, rate: float, longer: Callable[[float], float], mean_repair: float, month: float) -> float:
    """Return the highest availability that a domain misses in at most this share of its months, in the steady state.

    0 where it is down for whole months more often than that; the result is 1e-6 exact, and never too high.
    """

    def kept(time: float) -> float:
        return down_at_most([time], rate, longer, mean_repair, month)[0]

    low, high = 0.0, month
    if kept(0.0) >= 1 - missed:
        return 1.0
    while high - low > 1e-6 * month:
        middle = (low + high) / 2
        low, high = (low, middle) if kept(middle) >= 1 - missed else (middle, high)
    return 1 - high / month


@dataclass(frozen=True)
class Losses:
    """How a domain is lost: ``rate`` while it is there [1/h], P(``longer`` than a time [h]), ``mean`` time lost [h]."""

    rate: float
    longer: Callable[[float], float]
    mean: float


def too_few_up(
    parts: int, needed: int, rate: float, longer: Callable[[float], float], mean_repair: float, month: float
) -> Losses:
    """Return how a domain of equal, independent parts is lost, which is there while so many of them are up.

    ``rate``, ``longer``, ``mean_repair``: of one part, as ``down_at_most`` has them. Rate and mean are exact: losses
    come as often as a part fails while as many are down as may be, L of them. The law is approximate: a loss lasts
    until the first of L repairs under way and a fresh one ends, P(> t) = G(t) (integral of G from t on / m)^L with G =
    ``longer``, stretched to the exact mean for parts that fail meanwhile. With L > 0 losses come in clusters: the next
    one follows before a repair under way ends with probability q = n λ / (n λ + L / m), n the parts needed. A cluster
    is told as one loss, a geometric sum.
    """
    import numpy as np

    down = down_probabilities(parts, parts, 1 / rate, mean_repair)
    may_be = parts - needed
    lost = math.fsum(down[may_be + 1 :])
    often = down[may_be] * needed * rate
    if not lost or not often:
        return Losses(0.0, longer, 0.0)
    mean, alone = lost / often, mean_repair / (may_be + 1)
    count = min(MOST_POINTS, max(FEWEST_POINTS, math.ceil(2 * PER_REPAIR * month / mean_repair)))
    times = np.linspace(0.0, month, count + 1)
    tails = np.array([longer(each) for each in times.tolist()])
    areas = np.concatenate([[0.0], np.cumsum(tails[:-1] + tails[1:]) * (month / count / 2)])
    law = tails * np.maximum(0.0, 1 - areas / mean_repair) ** may_be
    follows = needed * rate / (needed * rate + may_be / mean_repair) if may_be else 0.0
    masses = -np.diff(law, append=0.0)
    shares = np.concatenate([[0.0], (masses[1:] + masses[:-1]) / 2])  # a loss between two points is shared by both
    shares[1] += masses[0] / 2
    spectrum = np.fft.rfft(shares, 4 * len(shares))
    clusters = np.fft.irfft((1 - follows) * spectrum / (1 - follows * spectrum), 4 * len(shares))[: len(shares)]
    beyond = np.clip(1 - np.cumsum(clusters) + clusters / 2, 0.0, 1.0)

    def stays_lost(time: float) -> float:
        return float(np.interp(time * alone / mean, times, beyond))

    return Losses(often * (1 - follows) / (1 - lost), stays_lost, mean / (1 - follows))


FEWEST_POINTS, MOST_POINTS = 2_000, 40_000
"""Of a month, at which the law of a loss is computed."""


def _down_at_most(
    x: float, rate: float, longer: Callable[[float], float], mean_repair: float, month: float, up: float
) -> float:
    import numpy as np

    if x >= month:
        return 1.0
    if x <= 0:
        return up * math.exp(-rate * month)
    steps = min(MOST_STEPS, max(STEPS, math.ceil(PER_REPAIR * x / mean_repair)))
    part = x / steps
    tails = np.array([longer(each) for each in (np.arange(4 * steps + 5) * (part / 4)).tolist()])
    areas = np.concatenate([[0.0], np.cumsum(tails[:-1] + tails[1:]) * (part / 8)])  # of what is shorter than a time
    between = np.diff(areas[::4]) / part
    sums = _compound(rate * (month - x), np.concatenate([[1 - between[0]], -np.diff(between)])[: steps + 1])
    begins_up = _within(sums)
    if up == 1.0:
        return begins_up
    left = np.diff(areas[2::4], prepend=0.0)[: steps + 1] / mean_repair  # of a repair that is under way
    return up * begins_up + (1 - up) * _within(np.convolve(left, sums)[: steps + 1])


def _within(masses: "NDArray[np.float64]") -> float:
    """Return the probability of a sum of at most x: half of the last part of a grid lies beyond it."""
    return min(1.0, float(masses[:-1].sum() + masses[-1] / 2))


def _compound(failures: float, masses: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the law of the sum of Poisson many repairs on a grid, from that of one (Panjer's recursion)."""
    import numpy as np

    if failures > MOST_FAILURES:
        half = _compound(failures / 2, masses)
        return np.convolve(half, half)[: len(masses)]
    found = np.zeros(len(masses))
    found[0] = math.exp(-failures * (1 - masses[0]))
    weighted = failures * np.arange(len(masses)) * masses
    for k in range(1, len(masses)):
        found[k] = weighted[1 : k + 1] @ found[:k][::-1] / k
    return found
