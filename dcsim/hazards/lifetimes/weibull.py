"""Weibull lifetimes: failure rates that fall (shape below 1) or rise (above 1) with age."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from dcsim.distributions import Times, Weibull, in_ms, milliseconds
from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.hazards.remaining import weibull_left
from dcsim.units import MeanTimeBetweenFailures


class WeibullLifetime(Weibull, Lifetime):
    """S(t) = exp(-(t / scale)^shape), scale = mean / Gamma(1 + 1/shape). In the field shapes are 0.65-0.89 (LANL)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "weibull", "mean": "25000 h", "shape": 0.7},
                {"kind": "weibull", "mean": "25000 h", "shape": 1.5},
            ]
        }
    )
    kind: Literal["weibull"] = Field(description="failure rate falls with age (shape < 1) or rises (shape > 1)")
    mean: MeanTimeBetweenFailures = Field(description="MTBF of one component")

    def _log_used(self, ages: Times) -> NDArray[np.float64]:
        """log((a / scale)^shape): logarithm of the rate accumulated up to an age; -inf when new."""
        with np.errstate(divide="ignore"):
            return self.shape * np.log(ages / self.scale)

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """log S(a) = -(a / scale)^shape."""
        return -np.exp(np.minimum(self._log_used(ages), 700.0))  # beyond, a double overflows, and nobody lives

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """scale (x + E)^(1/shape) - a with x = (a / scale)^shape and E unit exponential, without cancellation."""
        more = rng.standard_exponential(len(ages))
        log_used = self._log_used(ages)
        log_sum = np.logaddexp(log_used, np.log(np.maximum(more, 1e-300)))
        with np.errstate(over="ignore", invalid="ignore"):
            whole = self.scale * np.exp(np.minimum(log_sum / self.shape, 700.0)) - ages
            grown = ages * np.expm1(np.log1p(more * np.exp(-np.maximum(log_used, 0.0))) / self.shape)
        return milliseconds(np.where(log_used > 0, grown, np.maximum(whole, 0.0)))

    def left(self, rng: np.random.Generator, age: int) -> int:
        """As ``residual``, of one component; machine code computes the same."""
        return in_ms(weibull_left(float(age), rng.standard_exponential(), self.shape, self.scale))

    @property
    def scale(self) -> float:
        """The time that exp(-1) of the components reach [ms]."""
        return self.mean / math.gamma(1 + 1 / self.shape)
