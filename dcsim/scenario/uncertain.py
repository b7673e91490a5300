"""Values of a scenario that nobody knows: a distribution in the place of a number, drawn once per replication pair.

Values may be drawn together: their ranks then have the rank correlations that a table gives (a Gaussian copula).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum, pi, sin, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from dcsim.registry import kind_of, one_of
from dcsim.units import Dimension, Number, Whole, parse_any, write

CUT = 4.0
"""A lognormal value is drawn within so many standard deviations of its logarithm, so that both ends can be checked;
source: assumed, 6 draws in 100,000 lie on an end."""
PER_SAMPLE = 2
"""Replications, one after the other, that share one sample of the inputs and differ in luck alone."""

_Read = tuple[float, Dimension | None]


def _read(value: Any) -> _Read:
    """Return a value as a canonical number with its dimension, None for a plain number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, None
    return parse_any(value)


def _normal(value: Any) -> Any:
    """Write equal values alike."""
    number, dimension = _read(value)
    return value if dimension is None else write(number, dimension)


_WRITTEN = {"anyOf": [{"type": "string"}, {"type": "number"}]}
if TYPE_CHECKING:
    Amount = str | float
else:
    Amount = Annotated[str | int | float, BeforeValidator(_normal), WithJsonSchema(_WRITTEN)]
"""A number, or text with any unit of the table; the key that it is for says which."""


class _Value(BaseModel, ABC):
    """A distribution of one value, drawn by its quantiles, so that equal chances u give equal ranks."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str

    @property
    @abstractmethod
    def amounts(self) -> tuple[str | float, ...]:
        """What is given, in ascending order where there is one."""

    @abstractmethod
    def quantile(self, u: float) -> float:
        """Return the value [canonical unit] below which a share u, 0 to 1, of the draws lies."""

    def at(self, u: float) -> str | float:
        """Return a quantile as a scenario file would give it."""
        dimension = _read(self.amounts[0])[1]
        value = self.quantile(u)
        if dimension is None:
            return value
        return write(round(value) if dimension.whole else value, dimension)

    @property
    def _numbers(self) -> tuple[float, ...]:
        return tuple(_read(amount)[0] for amount in self.amounts)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        kinds = {dimension.canonical if dimension else None for _, dimension in map(_read, self.amounts)}
        if len(kinds) > 1:
            raise PydanticCustomError("quantity", "found values of several kinds; must be of one, such as durations")
        if list(self._numbers) != sorted(self._numbers):
            names = ", ".join(key for key in type(self).model_fields if key != "kind")
            raise PydanticCustomError("quantity", f"found values out of order; must ascend: {names}")
        return self


class UncertainLognormal(_Value):
    """A value whose logarithm is normal: known up to a factor."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "lognormal", "mean": "30000 h", "sigma": 0.35}]})
    kind: Literal["lognormal"]
    mean: Amount = Field(description="arithmetic mean of the value")
    sigma: Number = Field(gt=0, le=3, description="standard deviation of the logarithm; 0.35: within a factor of 2")

    @property
    def amounts(self) -> tuple[str | float, ...]:
        """The mean."""
        return (self.mean,)

    def quantile(self, u: float) -> float:
        """Return mean * exp(sigma z - sigma^2 / 2), z the normal quantile of u, within ``CUT``."""
        from math import exp

        normal = NormalDist()
        z = normal.inv_cdf(min(max(u, normal.cdf(-CUT)), normal.cdf(CUT)))
        return self._numbers[0] * exp(self.sigma * z - self.sigma**2 / 2)


class UncertainUniform(_Value):
    """Any value between two, all equally likely."""

    kind: Literal["uniform"]
    low: Amount = Field(description="least value")
    high: Amount = Field(description="greatest value")

    @property
    def amounts(self) -> tuple[str | float, ...]:
        """Both ends."""
        return self.low, self.high

    def quantile(self, u: float) -> float:
        """Return low + u (high - low)."""
        low, high = self._numbers
        return low + u * (high - low)


class UncertainTriangular(_Value):
    """A value between two that is likeliest at a third."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "triangular", "low": "10 min", "mode": "15 min", "high": "1 h"}]}
    )
    kind: Literal["triangular"]
    low: Amount = Field(description="least value")
    mode: Amount = Field(description="likeliest value")
    high: Amount = Field(description="greatest value")

    @property
    def amounts(self) -> tuple[str | float, ...]:
        """Both ends, and the mode between."""
        return self.low, self.mode, self.high

    def quantile(self, u: float) -> float:
        """Return low + sqrt(u w (mode - low)) up to the mode, high - sqrt((1 - u) w (high - mode)) beyond; w: width."""
        low, mode, high = self._numbers
        width = high - low
        if u * width <= mode - low:
            return float(low + (u * width * (mode - low)) ** 0.5)
        return float(high - ((1 - u) * width * (high - mode)) ** 0.5)


class UncertainChoice(_Value):
    """One of several values, all equally likely; one that is given twice is twice as likely."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "choice", "values": [1, 2, 2, 4]}]})
    kind: Literal["choice"]
    values: tuple[Amount, ...] = Field(min_length=1, max_length=1000, description="what it may be")

    @property
    def amounts(self) -> tuple[str | float, ...]:
        """The values, ascending: then equal chances mean equal ranks here, too."""
        return tuple(sorted(self.values, key=lambda amount: _read(amount)[0]))

    def quantile(self, u: float) -> float:
        """Return the value of rank floor(u n) of n."""
        numbers = self._numbers
        return numbers[min(int(u * len(numbers)), len(numbers) - 1)]


Value = UncertainLognormal | UncertainUniform | UncertainTriangular | UncertainChoice
VALUES = {kind_of(form): form for form in get_args(Value)}
if TYPE_CHECKING:
    AnyValue = Value
else:
    AnyValue = one_of(VALUES)


class Uncertain(BaseModel):
    """A value that is not known: what it may be. Two replications, one after the other, share a draw of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str = Field(
        min_length=1, max_length=1_000, description="what is not known, as --set takes it: hazards.gpu.mtbf"
    )
    value: AnyValue = Field(description="distribution of its value, in units of the key")
    series: Whole | None = Field(
        None,
        ge=1,
        le=10**6,
        description="which series of draws it takes; series are independent of one another; leave out: the first",
    )

    @property
    def unit(self) -> str:
        """Canonical unit of its values: "ms", "USD", …; "1" for plain numbers."""
        dimension = _read(self.value.amounts[0])[1]
        return "1" if dimension is None else dimension.canonical

    @property
    def money(self) -> bool:
        """Whether no simulation reads it: it only changes bills."""
        return is_money(self.key)


MONEY = ("tco", "owner", "grid", "finance", "tokens")
"""Tables of a scenario that no simulation reads: they only change what is paid and earned."""


def is_money(key: str) -> bool:
    """Whether a key only changes bills: no simulation reads it."""
    return key.partition(".")[0] in MONEY or key.startswith("sla.credits.")


# --- values that are drawn together -----------------------------------------------------------------------------------


class Correlated(BaseModel):
    """Two uncertain values that are drawn together: high with high above 0, high with low below."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"keys": ["hazards.gpu.mtbf", "hazards.gpu.detect"], "rank_correlation": -0.6}]
        },
    )
    keys: tuple[str, str] = Field(description="two keys that have an [[uncertain]] table each")
    rank_correlation: Number = Field(
        ge=-1, le=1, description="Spearman's rank correlation of their draws; pairs without a table have 0"
    )

    @property
    def normal(self) -> float:
        """Correlation of the normal values behind the ranks: 2 sin(pi r / 6), exact for a Gaussian copula.

        Source: Pearson 1907, On Further Methods of Determining Correlation.
        """
        return 2 * sin(pi * self.rank_correlation / 6)


_ZERO = 1e-10
"""Below this the rest of a variance is zero: what rounding leaves of it."""


def matrix_of(pairs: Sequence[Correlated], keys: Sequence[str]) -> list[list[float]]:
    """Return the correlation matrix of the normal values behind the ranks of some keys; 0 for pairs not given."""
    given = {frozenset(each.keys): each.normal for each in pairs}
    return [[1.0 if a == b else given.get(frozenset((a, b)), 0.0) for b in keys] for a in keys]


def factor(matrix: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Return the lower triangle L with L L' = matrix (Cholesky), or None if the matrix is not positive semi-definite.

    A variance that the values before it explain wholly is 0 here, where other implementations refuse the matrix. The
    order of the operations is fixed, so draws are the same on every machine.
    """
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for column in range(size):
        left = matrix[column][column] - fsum(each * each for each in lower[column][:column])
        if left < -_ZERO:
            return None
        root = lower[column][column] = sqrt(left) if left > _ZERO else 0.0
        for row in range(column + 1, size):
            known = fsum(a * b for a, b in zip(lower[row][:column], lower[column][:column], strict=True))
            rest = matrix[row][column] - known
            if root:
                lower[row][column] = rest / root
            elif abs(rest) > sqrt(_ZERO):
                return None
    return lower


def together(pairs: Sequence[Correlated], ranks: Mapping[str, float]) -> dict[str, float]:
    """Return ranks (0 to 1, by key) that have the correlations of a table, made of independent ones.

    The first key of those that depend on one another keeps its rank. Keys of money come last, so that no price changes
    what is simulated. Keys without a table keep their ranks.
    """
    keys = _in_order(pairs)
    lower = factor(matrix_of(pairs, keys))
    assert lower is not None  # checked when the scenario was loaded
    normal, found = NormalDist(), dict(ranks)
    scores = [normal.inv_cdf(min(max(ranks[key], 2.0**-54), 1 - 2.0**-53)) for key in keys]
    for row, key in enumerate(keys):
        if any(lower[row][:row]):
            found[key] = normal.cdf(fsum(a * b for a, b in zip(lower[row], scores, strict=True)))
    return found


def _in_order(pairs: Sequence[Correlated]) -> list[str]:
    """Return the keys of a table, those of money last, each in the order of the alphabet, whatever that of the file."""
    return sorted({key for each in pairs for key in each.keys}, key=lambda key: (is_money(key), key))


def contradiction(pairs: Sequence[Correlated]) -> str:
    """Return what is wrong with a table of correlations that no values can have; empty if nothing is."""
    keys = _in_order(pairs)
    if factor(matrix_of(pairs, keys)) is not None:
        return ""
    given = {frozenset(each.keys): each.rank_correlation for each in pairs}
    for three in combinations(keys, 3):
        if factor(matrix_of(pairs, three)) is None:
            told = ", ".join(f"{a} with {b} {given.get(frozenset((a, b)), 0.0):g}" for a, b in combinations(three, 2))
            return f"found {told}; no values have these rank correlations together (not positive semi-definite)"
    return (
        f"found correlations of {len(keys)} keys that no values have together; their matrix must be positive "
        "semi-definite: bring them nearer to 0, or leave pairs out of no more keys than needed"
    )
