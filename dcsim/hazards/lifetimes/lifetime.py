"""What every distribution of the time to failure answers."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Lifetime(BaseModel):
    """Distribution of the time to failure of one component."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memoryless: ClassVar[bool]
    """Whether new is as good as old: engines that drop marks on what is out of service are exact only then."""

    @property
    def mean_ms(self) -> float:
        """MTBF of one component [ms]."""
        raise TypeError(f"{type(self).__name__} must state its mean")

    def failure_times(self, rng: np.random.Generator, components: int, horizon: int) -> NDArray[np.int64]:
        """Return the ascending times [ms] in [0, horizon) at which any of ``components`` fails."""
        raise TypeError(f"{type(self).__name__} must draw its failures")
