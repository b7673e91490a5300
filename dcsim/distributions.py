"""Distributions of a time: the forms in which detection and repair may be written, with their means and their draws.

Every draw scales unit numbers, so two scenarios that differ in a mean only meet the same draws.
Times are int milliseconds.
"""

import math
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from dcsim.registry import kind_of, one_of, tag
from dcsim.units import DURATION, Duration, Number, PositiveDuration, write

Times = NDArray[np.int64]


class Fixed(BaseModel):
    """Always the same time."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"kind": "fixed", "time": "2 h"}]}
    )
    kind: Literal["fixed"] = "fixed"
    time: Duration = Field(description="the time itself")

    @property
    def mean_ms(self) -> float:
        """Mean [ms]."""
        return float(self.time)

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return 0.0

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return 1.0

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        return float(self.time > time)

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]; no random number is used."""
        return np.full(size, self.time, dtype=np.int64)


class _Mean(BaseModel):
    """Times that scale with their mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str  # declared here so that it stays the first key
    mean: PositiveDuration = Field(description="arithmetic mean of the time (not of its logarithm)")

    @property
    def mean_ms(self) -> float:
        """Mean [ms]."""
        return float(self.mean)

    def with_mean(self, mean: float) -> Self:
        """Return the same law with another mean [ms], at least 1."""
        return self.model_copy(update={"mean": max(1, round(mean))})


class Exponential(_Mean):
    """Memoryless times with the given mean."""

    kind: Literal["exponential"]

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return 1.0

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return 6.0

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        return math.exp(-max(0.0, time) / self.mean)

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]."""
        return milliseconds(rng.standard_exponential(size) * self.mean)


class Lognormal(_Mean):
    """Times whose logarithm is normal with standard deviation ``sigma``; ``mean`` is that of the time."""

    kind: Literal["lognormal"]
    sigma: Number = Field(gt=0, le=10, description="standard deviation of the logarithm")

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return math.expm1(self.sigma**2)

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return math.exp(min(3 * self.sigma**2, 700.0))

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        if time <= 0:
            return 1.0
        return math.erfc((math.log(time / self.mean) / self.sigma + self.sigma / 2) / math.sqrt(2)) / 2

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]: exp(sigma z - sigma^2 / 2) times the mean."""
        return milliseconds(np.exp(self.sigma * rng.standard_normal(size) - self.sigma**2 / 2) * self.mean)


class Weibull(_Mean):
    """Weibull times with the given arithmetic mean; shape below 1 has a long tail, above 1 a narrow body."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "weibull", "mean": "6 h", "shape": 0.7}]})
    kind: Literal["weibull"]
    shape: Number = Field(ge=0.1, le=100, description="Weibull shape k")

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return math.gamma(1 + 2 / self.shape) / math.gamma(1 + 1 / self.shape) ** 2 - 1

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return math.gamma(1 + 3 / self.shape) / math.gamma(1 + 1 / self.shape) ** 3

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        return math.exp(-((max(0.0, time) / self.mean * math.gamma(1 + 1 / self.shape)) ** self.shape))

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]: E^(1/k) / Gamma(1 + 1/k) times the mean, E unit exponential."""
        unit = rng.standard_exponential(size) ** (1 / self.shape) / math.gamma(1 + 1 / self.shape)
        return milliseconds(unit * self.mean)


class Gamma(_Mean):
    """Gamma times with the given mean; shape 1 is exponential, k the sum of k exponential times."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "gamma", "mean": "2 h", "shape": 4}]})
    kind: Literal["gamma"]
    shape: Number = Field(ge=0.01, le=10_000, description="gamma shape k; the variance is the squared mean over k")

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return 1 / self.shape

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return (1 + 1 / self.shape) * (1 + 2 / self.shape)

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        from scipy.special import gammaincc

        return float(gammaincc(self.shape, max(0.0, time) * self.shape / self.mean))

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]: a unit gamma number over k, times the mean."""
        return milliseconds(rng.standard_gamma(self.shape, size) / self.shape * self.mean)


class _Between(BaseModel):
    """Times between two; ``low`` < ``high``, and what lies between them in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    low: Duration = Field(description="shortest time")

    @property
    def moments(self) -> tuple[float, float, float]:
        """First three moments [ms, ms^2, ms^3]."""
        raise TypeError(f"{type(self).__name__} must say its moments")

    @property
    def mean_ms(self) -> float:
        """Mean [ms]."""
        return self.moments[0]

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        mean, second, _ = self.moments
        return second / mean**2 - 1

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        mean, _, third = self.moments
        return third / mean**3

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        names = [name for name in type(self).model_fields if name != "kind"]
        times = [getattr(self, name) for name in names]
        if times != sorted(times) or times[0] == times[-1]:
            found = ", ".join(f"{name} {write(time, DURATION)}" for name, time in zip(names, times, strict=True))
            why = f"found {found}; must ascend, and the ends must differ"
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return self


class Uniform(_Between):
    """Any time between two, all equally likely."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "uniform", "low": "10 min", "high": "30 min"}]})
    kind: Literal["uniform"]
    high: Duration = Field(description="longest time")

    @property
    def moments(self) -> tuple[float, float, float]:
        """First three moments [ms, ms^2, ms^3]: sums of products of both ends over 2, 3 and 4."""
        a, b = float(self.low), float(self.high)
        return (a + b) / 2, (a * a + a * b + b * b) / 3, (a + b) * (a * a + b * b) / 4

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        return min(1.0, max(0.0, (self.high - time) / (self.high - self.low)))

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]."""
        return milliseconds(rng.uniform(self.low, self.high, size))


class Triangular(_Between):
    """A time between two that is likeliest at a third, as people estimate: shortest, usual, longest."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "triangular", "low": "1 h", "mode": "2 h", "high": "8 h"}]}
    )
    kind: Literal["triangular"]
    mode: Duration = Field(description="likeliest time")
    high: Duration = Field(description="longest time")

    @property
    def moments(self) -> tuple[float, float, float]:
        """First three moments [ms, ms^2, ms^3]: all products of so many of the three, over 3, 6 and 10 of them."""
        ends = float(self.low), float(self.mode), float(self.high)
        first, second, third = (
            math.fsum(math.prod(each) for each in combinations_with_replacement(ends, k)) / math.comb(k + 2, 2)
            for k in (1, 2, 3)
        )
        return first, second, third

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        low, mode, high = self.low, self.mode, self.high
        if time <= low:
            return 1.0
        if time < mode:
            return 1 - (time - low) ** 2 / ((high - low) * (mode - low))
        return (high - time) ** 2 / ((high - low) * (high - mode)) if time < high else 0.0

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]."""
        return milliseconds(rng.triangular(self.low, self.mode, self.high, size))


class Empirical(BaseModel):
    """Times drawn with equal chance from a list of observed ones."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "empirical", "values": ["20 min", "1 h", "3 d"]}]},
    )
    kind: Literal["empirical"]
    values: tuple[Duration, ...] = Field(min_length=1, max_length=100_000, description="observed times")

    @property
    def mean_ms(self) -> float:
        """Mean [ms]."""
        return sum(self.values) / len(self.values)

    @property
    def variation(self) -> float:
        """Variance over the squared mean."""
        return float(np.var(self.values) / self.mean_ms**2) if self.mean_ms else 0.0

    @property
    def third(self) -> float:
        """Third moment over the cubed mean."""
        return float(np.mean(np.array(self.values, dtype=np.float64) ** 3) / self.mean_ms**3) if self.mean_ms else 1.0

    def beyond(self, time: float) -> float:
        """P(it is longer than ``time`` [ms])."""
        return sum(value > time for value in self.values) / len(self.values)

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Return ``size`` times [ms]."""
        observed = np.array(self.values, dtype=np.int64)
        return observed[(rng.random(size) * len(observed)).astype(np.int64)]


Distribution = Fixed | Exponential | Lognormal | Weibull | Gamma | Uniform | Triangular | Empirical
_LONGEST_DRAW_MS = 4e15


def milliseconds(times: NDArray[np.float64]) -> Times:
    """Round times to ms; what is longer than anything in the field stays within int64."""
    return np.rint(np.minimum(times, _LONGEST_DRAW_MS)).astype(np.int64)


def in_ms(time: float) -> int:
    """Round one time to ms, as ``milliseconds`` does."""
    return int(np.rint(min(time, _LONGEST_DRAW_MS)))


if TYPE_CHECKING:
    DurationOrDistribution = int | Distribution
else:
    DurationOrDistribution = one_of(
        {kind_of(form): form for form in get_args(Distribution)}, Annotated[Duration, Tag(tag("text"))]
    )


def as_distribution(value: int | Distribution) -> Distribution:
    """Return the distribution that a scenario's value stands for; a plain duration is a fixed time."""
    return Fixed.model_construct(kind="fixed", time=value) if isinstance(value, int) else value
