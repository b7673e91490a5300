"""When enough replications are done: looks at the interval at 64, 128, 256, …, and what makes an interval doubtful.

Stopping at the first narrow interval prefers samples whose variance came out small. With a look after each replication
that spoils the interval; with few looks, far apart and none below 64, it hardly does (measured in DECISIONS.md).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from pydantic_core import PydanticCustomError

from dcsim.units import POINTS, parse

FIRST_LOOK = 64
"""Independent values at the first look; source: measured, from here on the looks cost less than 1 % of coverage."""
MOST = 65_536
"""Replications after which a run ends, however wide its interval; source: assumed."""
COCHRAN = 25
"""Values per squared skewness from which on a 95 % interval of a mean errs at most 6 % of the time; source: public
(Cochran 1977, Sampling Techniques, 2.15: n > 25 G1²)."""


class PrecisionError(ValueError):
    """What was asked for as a precision is none, or cannot be kept: ``PrecisionError(why)``, one line."""

    @property
    def problems(self) -> tuple[str, ...]:
        """The line, as of other wrong inputs."""
        return (str(self),)


@dataclass(frozen=True)
class Look:
    """The half widths of the intervals of all scenarios, in their order, after this many replications of each."""

    replications: int
    half_widths: tuple[float | None, ...]


@dataclass(frozen=True)
class Stopped:
    """How a run with a precision ended. ``wanted``: the half width asked for, a fraction; ``looks``: in their order."""

    wanted: float
    looks: tuple[Look, ...]

    @property
    def reached(self) -> bool:
        """Whether every interval is as narrow as wanted."""
        return narrow(self.looks[-1].half_widths, self.wanted)


def precision_of(text: str | float) -> float:
    """Read a half width such as "0.05 pp" as a fraction, 0.0005. Raises PrecisionError for anything else."""
    try:
        return parse(text, POINTS) / 100
    except PydanticCustomError as error:
        raise PrecisionError(f"precision: {error.message()}") from None


def schedule(most: int = MOST, first: int = FIRST_LOOK) -> Iterator[int]:
    """Yield the numbers of replications at which to look: ``first``, doubled up to ``most``, and ``most`` itself.

    Raises PrecisionError for a ``most`` below the first look.
    """
    if most < first:
        raise PrecisionError(f"precision: the first look is after {first} replications; at most {most} are allowed")
    looked = first
    while looked < most:
        yield looked
        looked *= 2
    yield most


def narrow(half_widths: Sequence[float | None], wanted: float) -> bool:
    """Whether every half width is there and at most what is wanted."""
    return all(each is not None and each <= wanted for each in half_widths)


def skewness(values: ArrayLike) -> float:
    """Return g1 = m3 / m2^1.5 of a sample, its central moments over n; 0 where all values are equal."""
    sample = np.asarray(values, dtype=np.float64)
    spread = sample - sample.mean()
    largest = float(np.abs(spread).max())
    if largest == 0 or (sample == sample[0]).all():
        return 0.0
    spread = spread / largest  # cubes of tiny losses would underflow
    return float((spread**3).mean() / (spread**2).mean() ** 1.5)


def doubtful(values: ArrayLike) -> str | None:
    """Say why the interval of the mean of n values is in doubt: n < 25 g1² (Cochran's rule); None if it is not.

    Below 25 values nearly every sample would break the rule by chance, so there g1 must also be more than two of the
    standard errors that it has in normal samples, sqrt(6 n (n − 1) / ((n − 2)(n + 1)(n + 3))) (Cramér 1946).
    """
    n = np.size(values)
    if n < 3:
        return None
    g1 = skewness(values)
    chance = 2 * math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3))) if n < COCHRAN else 0.0
    if n >= COCHRAN * g1**2 or abs(g1) <= chance:
        return None
    needed = math.ceil(COCHRAN * g1**2)
    side = "high" if g1 > 0 else "low"
    return f"skewed (g1 {g1:.1f}: rare runs far too {side}); 95 % is doubtful below {needed:,} replications, here {n:,}"
