"""When failures come that need no ages: one by one, or in bursts; and how often something happens in a row."""

import math

import numpy as np
from numpy.typing import NDArray

from dcsim.distributions import Times

MOST_IN_A_ROW = 1_000
"""Further attempts at a repair, or wrong blames, after one failure (source: assumed)."""
_MOST_IN_A_BURST = 10**6  # source: assumed; a burst of mean size 10,000 is as large once in 10^43
_LONGEST_GAP_MS = 1e15  # far beyond any horizon, and a sum of thousands of them still fits int64


def poisson_times(rng: np.random.Generator, gap: float, horizon: int) -> Times:
    """Return the times [ms], ascending, in [0, horizon) of a Poisson stream with a mean ``gap`` [ms].

    Gaps are unit exponentials times ``gap``, each rounded to ms before the integer sum, so the times do not depend on
    the size of the chunks they are drawn in.
    """
    expected = horizon / gap
    chunk = int(expected + 6 * expected**0.5) + 16
    times = np.cumsum(_gaps(rng, chunk, gap))
    while times[-1] < horizon:
        times = np.concatenate([times, times[-1] + np.cumsum(_gaps(rng, chunk // 8 + 16, gap))])
    return times[: int(np.searchsorted(times, horizon))]


def burst_times(
    gaps: np.random.Generator,
    sizes: np.random.Generator,
    spread: np.random.Generator,
    gap: float,
    size: float,
    within: int,
    horizon: int,
) -> Times:
    """Return the times [ms], ascending, in [0, horizon) of failures with a mean ``gap`` that come in bursts.

    Bursts begin as a Poisson stream with a mean gap of ``size`` * ``gap`` from -``within`` on. Each has a geometric
    number of failures (mean ``size``, at least one), each at a time uniform in [0, ``within``) after it began (Neyman
    and Scott 1958). The count in [0, H), H >= within, has mean m = H / gap and variance
    m (1 + 2 (size - 1)(1 - within / 3H)).
    """
    begins = poisson_times(gaps, gap * size, horizon + within) - within
    counts = 1 + in_a_row(sizes, 1 - 1 / size, len(begins), _MOST_IN_A_BURST)
    offsets = spread.random(int(counts.sum())) * within
    times = np.sort(np.repeat(begins, counts) + offsets.astype(np.int64))
    return times[slice(*np.searchsorted(times, [0, horizon]).tolist())]


def in_a_row(rng: np.random.Generator, chance: float, count: int, most: int = MOST_IN_A_ROW) -> NDArray[np.int64]:
    """Return how often something of this ``chance`` < 1 happens before it does not, ``count`` times; at most ``most``.

    floor(log(u) / log(chance)), u uniform in (0, 1]: P(at least k) = chance^k.
    """
    if chance == 0:
        return np.broadcast_to(np.int64(0), count)
    often = np.log(1 - rng.random(count)) / math.log(chance)
    return np.minimum(often, most).astype(np.int64)


def _gaps(rng: np.random.Generator, size: int, mean: float) -> NDArray[np.int64]:
    return np.rint(np.minimum(rng.standard_exponential(size) * mean, _LONGEST_GAP_MS)).astype(np.int64)
