"""The keys of a repair: its stages, who does them, and whether they help."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.hazards.arrivals import MOST_IN_A_ROW
from dcsim.registry import form_of, tag
from dcsim.units import Share, Whole


class RepairStage(BaseModel):
    """One stage of repair: how long it takes, how often it helps and how many crews do it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(
        None, min_length=1, max_length=200, description="crews of one name are shared by all hazards"
    )
    time: DurationOrDistribution = Field(description="duration, or a distribution of it")
    success: Share = Field(
        1.0,
        gt=0,
        description="probability that it helps; else the next stage follows, and the last is done again "
        "(default 100 %: assumed)",
    )
    silent: Share = Field(
        0.0,
        description="of what it returns as repaired, the share that is not: its age goes on (default 0 %: assumed)",
    )
    crews: Whole | None = Field(None, ge=1, description="crews that do this stage; leave out: never a queue")

    @property
    def duration(self) -> Distribution:
        """Distribution of the stage's time."""
        return as_distribution(self.time)


@dataclass(frozen=True)
class Visit:
    """How one failure uses the crews of a stage: ``share`` of the failures reach it, for ``mean_ms`` each.

    ``variation``: variance of that time over its squared mean. Further attempts are part of one visit.
    """

    share: float
    mean_ms: float
    variation: float


def visits(stages: tuple[RepairStage, ...]) -> tuple[Visit, ...]:
    """Return the visit to every stage: P(it is reached), mean time there and its variation.

    The last stage is done N = 1 + G times, G the failures before its success, of which there are at most
    MOST_IN_A_ROW. The variation of a sum of N times of variation v is (v + Var N / E N) / E N; its Var N leaves that
    limit out.
    """
    found, reached = [], 1.0
    for stage in stages[:-1]:
        found.append(Visit(reached, stage.duration.mean_ms, stage.duration.variation))
        reached *= 1 - stage.success
    last, fails = stages[-1], 1 - stages[-1].success
    attempts = 1 + fails * (1 - fails**MOST_IN_A_ROW) / (1 - fails)
    variation = (last.duration.variation + fails / last.success) / attempts
    return (*found, Visit(reached, last.duration.mean_ms * attempts, variation))


def mean_time_ms(stages: tuple[RepairStage, ...]) -> float:
    """Expected time in all stages [ms], no queue for crews: sum of P(stage is reached) * mean time * attempts."""
    return sum(visit.share * visit.mean_ms for visit in visits(stages))


def mean_silent(stages: tuple[RepairStage, ...]) -> float:
    """Expected share of repairs that return what failed as it was: sum of P(stage returns it) * silent."""
    total, reached = 0.0, 1.0
    for stage in stages[:-1]:
        total += reached * stage.success * stage.silent
        reached *= 1 - stage.success
    return total + reached * stages[-1].silent


def _form(value: object) -> str:
    form = form_of(value)
    if isinstance(value, dict) and value and not value.keys() & RepairStage.model_fields.keys():
        return tag("time")  # a distribution, even if it lacks its kind
    return form if form in (tag("table"), tag("list")) else tag("time")


if TYPE_CHECKING:
    Repair = int | Distribution | RepairStage | tuple[RepairStage, ...]
else:
    Repair = Annotated[
        Annotated[DurationOrDistribution, Tag(tag("time"))]
        | Annotated[RepairStage, Tag(tag("table"))]
        | Annotated[tuple[RepairStage, ...], Field(min_length=1, max_length=20), Tag(tag("list"))],
        Discriminator(_form),
    ]


def stages_of(repair: Repair) -> tuple[RepairStage, ...]:
    """Return any form of a repair as its stages, at least one."""
    if isinstance(repair, tuple):
        return repair
    if isinstance(repair, RepairStage):
        return (repair,)
    return (RepairStage.model_construct(time=repair),)
