"""Lognormal lifetimes: a failure rate that rises, then falls."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from dcsim.distributions import Lognormal, Times, milliseconds
from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.units import MeanTimeBetweenFailures


class LognormalLifetime(Lognormal, Lifetime):
    """log T is normal with mean log(mean) - sigma^2/2 and standard deviation sigma."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "lognormal", "mean": "25000 h", "sigma": 1.0}]})
    kind: Literal["lognormal"] = Field(description="the logarithm of the life is normal")
    mean: MeanTimeBetweenFailures = Field(description="MTBF of one component")

    def _deviates(self, ages: Times) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return (np.log(ages / self.mean) + self.sigma**2 / 2) / self.sigma

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """log S(a) = log Phi(-z), z = (log a - mu) / sigma."""
        from scipy.special import log_ndtr

        survived: NDArray[np.float64] = log_ndtr(-self._deviates(ages))
        return survived

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """a (exp(sigma (z' - z)) - 1), where Phi(-z') = U Phi(-z), U uniform, in logarithms: exact in the tail too."""
        from scipy.special import ndtri_exp

        ends = -ndtri_exp(self.log_survival(ages) - rng.standard_exponential(len(ages)))
        new = np.exp(self.sigma * ends - self.sigma**2 / 2) * self.mean
        with np.errstate(invalid="ignore"):
            left = ages * np.expm1(self.sigma * (ends - self._deviates(ages)))
        return milliseconds(np.where(ages > 0, left, new))
