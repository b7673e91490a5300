"""When enough replications are done: looks at the interval at 64, 128, 256, ….

Stopping at the first narrow interval prefers samples whose variance came out small. With a look after each replication
that spoils the interval; with few looks, far apart and none below 64, it hardly does (measured in DECISIONS.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from dcsim.units import POINTS, parse

FIRST_LOOK = 64
"""Independent values at the first look; source: measured, from here on the looks cost less than 1 % of coverage."""
MOST = 65_536
"""Replications after which a run ends, however wide its interval; source: assumed."""


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
