"""A hazard: what fails how often, what it takes down, how it is found and how long its repair takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.hazards.lifetimes import AnyLifetime, Lifetime
from dcsim.hazards.lifetimes.exponential import ExponentialLifetime
from dcsim.registry import form_of, tag
from dcsim.streams import Purpose
from dcsim.units import Duration, PositiveDuration, Whole


def _one_word(part: str) -> str:
    """Two words for one part would name two random streams."""
    return "node" if part == "tray" else part


Part = Annotated[Literal["gpu", "node", "tray", "rack"], AfterValidator(_one_word)]
"""What fails or goes down as a whole; "tray" is read as "node", so no hazard holds it."""


class RepairStage(BaseModel):
    """One stage of repair: how long it takes and how many crews do it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(None, min_length=1, description="crews of one name are shared by all hazards")
    time: DurationOrDistribution = Field(description="duration, or a distribution of it")
    crews: Whole | None = Field(None, ge=1, description="crews that do this stage; leave out: never a queue")

    @property
    def duration(self) -> Distribution:
        """Distribution of the stage's time."""
        return as_distribution(self.time)


def _repair_form(value: object) -> str:
    form = form_of(value)
    if isinstance(value, dict) and value and not value.keys() & RepairStage.model_fields.keys():
        return tag("time")  # a distribution, even if it lacks its kind
    return form if form in (tag("table"), tag("list")) else tag("time")


def _blast_form(value: object) -> str:
    return tag("text" if isinstance(value, str) else "number")


if TYPE_CHECKING:
    Blast = int | Part
    Repair = int | Distribution | RepairStage | tuple[RepairStage, ...]
else:
    Blast = Annotated[
        Annotated[Whole, Field(ge=1), Tag(tag("number"))] | Annotated[Part, Tag(tag("text"))],
        Discriminator(_blast_form),
    ]
    Repair = Annotated[
        Annotated[DurationOrDistribution, Tag(tag("time"))]
        | Annotated[RepairStage, Tag(tag("table"))]
        | Annotated[tuple[RepairStage, ...], Field(min_length=1, max_length=1), Tag(tag("list"))],
        Discriminator(_repair_form),
    ]


class Hazard(BaseModel):
    """One way in which components fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field("", max_length=200, description="unique; names its random streams (default: the component)")
    component: Part = Field(description="what fails; 'tray' is another word for 'node'")
    mtbf: AnyLifetime = Field(description="mean time between failures of one component, or a distribution")
    mtbf_range: tuple[PositiveDuration, PositiveDuration] | None = Field(
        None, description="lowest and highest MTBF that published figures support; reports show the loss at both"
    )
    blast: Blast | None = Field(
        None,
        description="GPUs struck by one failure, or the part that goes down with it; leave out: derived from the "
        "topology (the tray that holds a GPU, the rack itself)",
    )
    detect: Duration = Field(0, description="from the strike to its identification (default 0 s: assumed)")
    repair: Repair = Field(0, description="from identification to return (default 0 s: assumed)")

    @property
    def key(self) -> str:
        """Name of the hazard's random streams."""
        return self.name or self.component

    @property
    def lifetime(self) -> Lifetime:
        """Distribution of the time to failure; a plain MTBF is exponential."""
        if isinstance(self.mtbf, int):
            return ExponentialLifetime.model_construct(kind="exponential", mean=self.mtbf)
        return self.mtbf

    @property
    def stage(self) -> RepairStage:
        """The repair as one stage."""
        repair = self.repair[0] if isinstance(self.repair, tuple) else self.repair
        return repair if isinstance(repair, RepairStage) else RepairStage.model_construct(time=repair)

    @property
    def struck_part(self) -> Part | None:
        """The part whose GPUs go down together, or None where ``blast`` is a typed number of GPUs."""
        if isinstance(self.blast, int):
            return None
        if self.blast is not None:
            return self.blast
        return "node" if self.component == "gpu" else self.component


@dataclass(frozen=True)
class Failures:
    """The failures of one hazard in one replication, by draw number; int64 arrays of one length.

    ``times`` [ms] ascending in [0, horizon); ``marks``: which slot or component; ``repairs`` [ms].
    """

    times: NDArray[np.int64]
    marks: NDArray[np.int64]
    repairs: NDArray[np.int64]


def draw_failures(
    hazard: Hazard, components: int, marked: int, horizon: int, stream: Callable[[Purpose], np.random.Generator]
) -> Failures:
    """Draw one replication's failures of ``components``, each marking one of ``marked`` with equal chance."""
    times = hazard.lifetime.failure_times(stream("gaps"), components, horizon)
    marks = (stream("marks").random(len(times)) * marked).astype(np.int64)
    return Failures(times, marks, hazard.stage.duration.draw(stream("repair"), len(times)))
