"""The keys of a repair: its stages, who does them, and whether they help."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.hazards.arrivals import MOST_IN_A_ROW
from dcsim.hazards.lifetimes.lifetime import Mistake, refuse
from dcsim.hazards.shifts import Shifts, Span, Visits, spans_of, visits_of
from dcsim.registry import form_of, tag
from dcsim.units import MS_PER_WEEK, Duration, Share, Whole


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
        description="of what it returns as repaired, the share that is not: its age goes on, and it works until it "
        "fails again; only the test after a repair finds it before (requalify_finds), no preflight and no check "
        "(default 0 %: assumed)",
    )
    crews: Whole | None = Field(None, ge=1, description="crews that do this stage; leave out: never a queue")
    shifts: Shifts | None = Field(
        None,
        description="days and hours of a week in which its crews work, such as weekdays 9-17; leave out: always",
    )
    at_shift_end: Literal["pause", "finish"] | None = Field(
        None,
        description="of a repair that is not done: pause: it goes on in the next shift; finish: in overtime; "
        "leave out: pause (assumed)",
    )
    visits: Visits | None = Field(
        None,
        description="days of a week on which somebody visits, in place of crews: all that wait are repaired together "
        "and return together; at 9:00 unless it says when (assumed); every second week, or every 3 weeks, counted from "
        "the week in which the horizon begins, where it says so",
    )
    visit_when: Whole | None = Field(None, ge=1, description="a visit also begins as soon as so many repairs wait")
    visit_after: Duration | None = Field(None, description="a visit also begins when one has waited for so long")

    @property
    def duration(self) -> Distribution:
        """Distribution of the stage's time."""
        return as_distribution(self.time)

    @property
    def on_shift(self) -> tuple[Span, ...]:
        """Begin and end of its shifts in a week [ms from Monday 0:00]; () where it has none: they work always."""
        return () if self.shifts is None else spans_of(self.shifts)

    @property
    def finishes(self) -> bool:
        """Whether a repair that is begun in a shift is finished after it."""
        return self.at_shift_end == "finish"

    @property
    def visit_times(self) -> tuple[int, ...]:
        """When visits begin [ms from Monday 0:00 of the first week]; () where no day is named."""
        return () if self.visits is None else visits_of(self.visits)[0]

    @property
    def visit_cycle(self) -> int:
        """After how long the days of visits repeat [ms]; a week where no day is named."""
        return MS_PER_WEEK if self.visits is None else visits_of(self.visits)[1]

    @property
    def is_visited(self) -> bool:
        """Whether repairs wait for a visit, and not for crews of their own."""
        return self.visits is not None or self.visit_when is not None or self.visit_after is not None

    @property
    def waits(self) -> bool:
        """Whether a repair may have to wait though a crew is free: for a shift or for a visit."""
        return self.is_visited or self.shifts is not None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(type(self), _mistakes(self))
        return self


HOURS = ("shifts", "at_shift_end", "visits", "visit_when", "visit_after")
PEOPLE = ("crews", *HOURS)
"""Keys of a stage that say when it is done, and by whom."""


def _mistakes(stage: RepairStage) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of a stage."""
    if stage.at_shift_end is not None and stage.shifts is None:
        yield ("at_shift_end",), f'found "{stage.at_shift_end}"; only crews with shifts have an end of a shift'
    if stage.is_visited:
        for key in ("crews", "shifts"):
            if getattr(stage, key) is not None:
                yield (key,), f"found with {_named_visit(stage)}; a visit repairs all that wait, whatever the hour"


def _named_visit(stage: RepairStage) -> str:
    return next(key for key in ("visits", "visit_when", "visit_after") if getattr(stage, key) is not None)


@dataclass(frozen=True)
class StageUse:
    """How one failure uses the crews of a stage: it reaches it ``share`` times, for ``mean_ms`` each.

    ``variation``: variance of that time over its squared mean. Further attempts are part of one use.
    """

    share: float
    mean_ms: float
    variation: float


def stage_uses(stages: tuple[RepairStage, ...], finds: float = 0.0) -> tuple[StageUse, ...]:
    """Return the use of every stage: how many failures reach it, mean time there and its variation.

    The last stage is done N = 1 + G times, G the failures before its success, of which there are at most
    MOST_IN_A_ROW. The variation of a sum of N times of variation v is (v + Var N / E N) / E N; its Var N leaves that
    limit out. ``finds``: the share of the silent repairs after which a test sends to the next stage, or again to the
    last, which one failure then reaches 1 / (1 - silent finds) times.
    """
    found, reached = [], 1.0
    for stage in stages[:-1]:
        found.append(StageUse(reached, stage.duration.mean_ms, stage.duration.variation))
        reached *= 1 - stage.success * (1 - stage.silent * finds)
    last, fails = stages[-1], 1 - stages[-1].success
    attempts = 1 + fails * (1 - fails**MOST_IN_A_ROW) / (1 - fails)
    variation = (last.duration.variation + fails / last.success) / attempts
    return (*found, StageUse(reached / (1 - last.silent * finds), last.duration.mean_ms * attempts, variation))


def mean_time_ms(stages: tuple[RepairStage, ...], finds: float = 0.0) -> float:
    """Expected time in all stages [ms], no queue for crews: sum of uses of a stage * mean time * attempts."""
    return sum(use.share * use.mean_ms for use in stage_uses(stages, finds))


def mean_tests(stages: tuple[RepairStage, ...], finds: float) -> float:
    """Expected number of tests of one repair: after every stage that seems to have helped."""
    if not finds:
        return 1.0
    uses = stage_uses(stages, finds)
    return sum(use.share * stage.success for use, stage in zip(uses[:-1], stages, strict=False)) + uses[-1].share


def mean_silent(stages: tuple[RepairStage, ...], finds: float = 0.0) -> float:
    """Expected share of repairs that return what failed as it was: sum of uses * P(a stage returns it) * silent."""
    total, uses = 0.0, stage_uses(stages, finds)
    for use, stage in zip(uses[:-1], stages, strict=False):
        total += use.share * stage.success * stage.silent * (1 - finds)
    return total + uses[-1].share * stages[-1].silent * (1 - finds)


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
