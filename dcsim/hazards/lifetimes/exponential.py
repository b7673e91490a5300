"""Exponential lifetimes: one Poisson stream for all components of a hazard."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.units import PositiveDuration


class ExponentialLifetime(Lifetime):
    """Memoryless components: new is as good as old."""

    memoryless: ClassVar[bool] = True
    kind: Literal["exponential"] = Field(description="memoryless: a constant failure rate")
    mean: PositiveDuration = Field(description="MTBF of one component")

    @property
    def mean_ms(self) -> float:
        """MTBF of one component [ms]."""
        return float(self.mean)

    def failure_times(self, rng: np.random.Generator, components: int, horizon: int) -> NDArray[np.int64]:
        """Return the times [ms], ascending, in [0, horizon) at which any of ``components`` fails.

        Gaps are unit exponentials times MTBF / components, each rounded to ms before the integer sum, so the times do
        not depend on the size of the chunks they are drawn in.
        """
        gap = self.mean_ms / components
        expected = horizon / gap
        chunk = int(expected + 6 * expected**0.5) + 16
        times = np.cumsum(_gaps(rng, chunk, gap))
        while times[-1] < horizon:
            times = np.concatenate([times, times[-1] + np.cumsum(_gaps(rng, chunk // 8 + 16, gap))])
        return times[: int(np.searchsorted(times, horizon))]


_LONGEST_GAP_MS = 1e15  # far beyond any horizon, and a sum of thousands of them still fits int64


def _gaps(rng: np.random.Generator, size: int, mean: float) -> NDArray[np.int64]:
    return np.rint(np.minimum(rng.standard_exponential(size) * mean, _LONGEST_GAP_MS)).astype(np.int64)
