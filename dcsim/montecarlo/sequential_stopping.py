"""When enough replications are done: looks at the interval at 64, 128, 256, ….

Stopping at the first narrow interval prefers samples whose variance came out small. With a look after each replication
that spoils the interval; with few looks, far apart and none below 64, it hardly does (measured in DECISIONS.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pydantic_core import PydanticCustomError

from dcsim.montecarlo.estimators import deviations, estimated_loss, runs_per_draw
from dcsim.montecarlo.reliability import runs_needed_after
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import summarise
from dcsim.scenario import Scenario
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


class StoppingRule:
    """Decides for ``replicate_many`` when the first of its runs, those of ``scenarios``, are done.

    All of them have as many replications, because they are compared pairwise. Where inputs are uncertain the first look
    is after as many pairs as it is replications else. Raises PrecisionError for a precision that cannot be.
    """

    def __init__(self, scenarios: Sequence[Scenario], precision: str, most: int | None = None) -> None:
        self.wanted = precision_of(precision)
        shared = max(runs_per_draw(each) for each in scenarios)
        most = MOST if most is None else most
        self.schedule = tuple(schedule(most + most % shared, FIRST_LOOK * shared))
        self.scenarios = len(scenarios)
        self.looks: list[Look] = []

    @property
    def first(self) -> int:
        """Replications before the first look."""
        return self.schedule[0]

    def more(self, samples: Sequence[Sample]) -> list[int]:
        """Look at samples, those of the scenarios first; return how many replications each of them is to have."""
        counts = [len(sample) for sample in samples]
        looked = counts[0]
        widths = tuple(_half_width(sample) for sample in samples[: self.scenarios])
        self.looks.append(Look(looked, widths))
        following = dict(pairwise(self.schedule)).get(looked, looked)
        wanted = looked if narrow(widths, self.wanted) else following
        return [wanted] * self.scenarios + counts[self.scenarios :]

    @property
    def stopped(self) -> tuple[Stopped, ...]:
        """How it ended for each of the scenarios."""
        return tuple(
            Stopped(self.wanted, tuple(Look(look.replications, (look.half_widths[index],)) for look in self.looks))
            for index in range(self.scenarios)
        )


def _half_width(sample: Sample) -> float | None:
    """Return half of the loss's 95 % interval, None where too few failures struck for one that can be believed."""
    found = estimated_loss(sample, deviations(sample), controls=True)
    if found.too_skewed is not None or len(sample) < runs_needed_after(sample) * runs_per_draw(sample.scenario):
        return None
    return found.shown.half_width


def half_width_so_far(sample: Sample) -> float | None:
    """Return half of the loss's 95 % interval in the middle of a run with a precision, whatever is finished of it.

    As a look has it; where inputs are uncertain without the control, which would cost more than it tells, and over the
    replications whose pair is finished too. None while there are fewer than two.
    """
    shared = runs_per_draw(sample.scenario)
    if shared == 1:
        return _half_width(sample)
    _, inverse, counts = np.unique(sample.replications // shared, return_inverse=True, return_counts=True)
    return summarise(sample.loss[counts[inverse] == shared], shared=shared).half_width
