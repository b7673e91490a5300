"""What every distribution of the time to failure answers."""

from collections.abc import Iterable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from dcsim.distributions import Times

Mistake = tuple[tuple[str | int, ...], str]
"""Where in a table, and what is wrong there."""


def refuse(model: type[BaseModel], mistakes: Iterable[Mistake]) -> None:
    """Raise the mistakes between keys of a model as errors at their keys, if there are any."""
    found = [
        InitErrorDetails(type=PydanticCustomError("quantity", "{why}", {"why": why}), loc=path, input=None)
        for path, why in mistakes
    ]
    if found:
        raise ValidationError.from_exception_data(model.__name__, found)


class Lifetime(BaseModel):
    """Distribution of the time in service until one component fails.

    A kind states ``mean_ms`` and answers ``draw``, ``log_survival``, ``residual`` and ``with_mean``; that it can do so
    exactly is what the contract tests ask of each. Its model_config holds ``examples``: the tests run on them, and an
    editor shows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memoryless: ClassVar[bool] = False
    """Whether new is as good as old: one Poisson stream then serves all components."""
    recorded: ClassVar[bool] = False
    """Whether it is a record of failures, not a law of the life of one component."""

    @property
    def mean_ms(self) -> float:
        """MTBF of one component [ms]."""
        raise TypeError(f"{type(self).__name__} must state its mean")

    def with_mean(self, mean: float) -> Self:
        """Return the same lifetime, stretched to another mean [ms]."""
        raise TypeError(f"{type(self).__name__} must say how its mean is changed")

    # --- what the law of a life answers ---------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` lives [ms] of new components: unit numbers scaled by the mean."""
        raise TypeError(f"{type(self).__name__} must draw its lives")

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """Return the logarithm of the probability that a life is longer than each of ``ages`` [ms]."""
        raise TypeError(f"{type(self).__name__} must say how many survive")

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """Return what is left [ms] of the lives of components that have reached ``ages`` [ms], for each."""
        raise TypeError(f"{type(self).__name__} must draw what is left of a life")

    def left(self, rng: np.random.Generator, age: int) -> int:
        """Return what is left [ms] of the life of one component that has reached an age [ms]."""
        return int(self.residual(rng, np.array([age], dtype=np.int64))[0])

    # --- what a record answers ------------------------------------------------------------------------------------

    @property
    def longest_ms(self) -> int | None:
        """Horizon [ms] beyond which it has no failures; None: any horizon will do."""
        return None

    @property
    def shared_clock(self) -> str | None:
        """Name of the clock, one random beginning, that it shares with other hazards, if it does."""
        return None

    @property
    def names_components(self) -> bool:
        """Whether it says which components fail."""
        return False

    @property
    def mean_repair_ms(self) -> float | None:
        """Mean of the repairs [ms] that it holds, if it does."""
        return None

    def mtbf_ms(self, components: int) -> float:
        """MTBF [ms] of one of a cluster's ``components``."""
        return self.mean_ms

    def replay(self, rng: np.random.Generator, horizon: int) -> tuple[Times, NDArray[np.int64]]:
        """Return the ascending times [ms] of failures in [0, horizon), and the row of the record that each is."""
        raise TypeError(f"{type(self).__name__} holds no recorded failures")

    def components_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return which component failed in each of these rows, if the record says so."""
        return None

    def repairs_of(self, rows: NDArray[np.int64]) -> Times:
        """Return how long [ms] each of these rows' repairs took."""
        raise TypeError(f"{type(self).__name__} holds no recorded repairs")
