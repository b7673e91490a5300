"""Exponential lifetimes: one Poisson stream for all components of a hazard."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from dcsim.distributions import Exponential, Times
from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.units import MeanTimeBetweenFailures


class ExponentialLifetime(Exponential, Lifetime):
    """Memoryless components: new is as good as old."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "exponential", "mean": "25000 h"}]})
    memoryless: ClassVar[bool] = True
    kind: Literal["exponential"] = Field(description="memoryless: a constant failure rate")
    mean: MeanTimeBetweenFailures = Field(description="MTBF of one component")

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """log S(a) = -a / mean."""
        return -(ages / self.mean)

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """A life anew, whatever the age."""
        return self.draw(rng, len(ages))


def as_lifetime(value: int | Lifetime) -> Lifetime:
    """Return the lifetime that a scenario's value stands for; a plain MTBF [ms] is exponential."""
    if isinstance(value, int):
        return ExponentialLifetime.model_construct(kind="exponential", mean=value)
    return value
