"""Empirical lifetimes: lives as they were observed."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from dcsim.distributions import Empirical, Times
from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.units import PositiveDuration


class EmpiricalLifetime(Empirical, Lifetime):
    """Every life is one of the observed ones, with equal chance; nobody outlives the longest."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "empirical", "values": ["200 h", "9000 h", "30000 h", "61000 h"]}]}
    )
    kind: Literal["empirical"] = Field(description="drawn with equal chance from a list of observed lives")
    values: tuple[PositiveDuration, ...] = Field(min_length=1, max_length=100_000, description="observed lives")

    def with_mean(self, mean: float) -> Self:
        """Stretch every observed life alike."""
        scale = mean / self.mean_ms
        return self.model_copy(update={"values": tuple(max(1, round(value * scale)) for value in self.values)})

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """Log of the share of lives that are longer; -inf from the longest on."""
        observed = np.sort(np.array(self.values, dtype=np.int64))
        longer = len(observed) - np.searchsorted(observed, ages, side="right")
        with np.errstate(divide="ignore"):
            return np.log(longer / len(observed))

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """One of the observed lives that are longer than the age, less the age.

        At the longest and beyond nothing is left: 0 (silently unfixed there, a component fails again at once).
        """
        observed = np.sort(np.array(self.values, dtype=np.int64))
        first = np.searchsorted(observed, ages, side="right")
        drawn = first + (rng.random(len(ages)) * (len(observed) - first)).astype(np.int64)
        left: Times = np.maximum(observed[np.minimum(drawn, len(observed) - 1)] - ages, 0)
        return left
