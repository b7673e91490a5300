"""A hazard: what fails how often, what it does, how it is found and how long its repair takes."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.hazards.lifetimes import AnyLifetime, Lifetime, as_lifetime
from dcsim.hazards.lifetimes.lifetime import Mistake, refuse
from dcsim.hazards.presets import offer_presets, without_preset
from dcsim.hazards.repair import Repair, RepairStage, mean_silent, mean_tests, mean_time_ms, stages_of
from dcsim.parts import PARTS, one_word
from dcsim.registry import kind_of, tag
from dcsim.units import (
    DURATION,
    Duration,
    Fraction,
    MeanTimeBetweenFailures,
    Number,
    PositiveDuration,
    Share,
    Whole,
    write,
)

Part = Annotated[Literal["gpu", "node", "tray", "rack"], AfterValidator(one_word)]
"""What fails or goes down as a whole; "tray" is read as "node", so no hazard holds it."""


if TYPE_CHECKING:
    Component = str
else:
    Component = Annotated[Literal[("gpu", "node", "tray", "rack", *PARTS)], AfterValidator(one_word)]
"""What fails; of the parts a topology has those that it describes."""


def _blast_form(value: object) -> str:
    return tag("text" if isinstance(value, str) else "number")


if TYPE_CHECKING:
    Blast = int | Part
else:
    Blast = Annotated[
        Annotated[Whole, Field(ge=1), Tag(tag("number"))] | Annotated[Part, Tag(tag("text"))],
        Discriminator(_blast_form),
    ]

Effect = Literal["interrupt", "kill", "straggle", "degrade", "corrupt"]
LEAST_SURVIVORS = 0.5
"""Share of new parts that outlive their burn-in at least; source: assumed, those that fail in it are not simulated."""
_SLOWS = ("straggle", "degrade")
_RETIRES = ("interrupt", "straggle", "corrupt")


class Burst(BaseModel):
    """Failures that come together, at the mean rate that ``mtbf`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: Number = Field(ge=1, le=10_000, description="mean number of failures in a burst (geometric, at least one)")
    within: Duration = Field(description="they are spread uniformly over this time")


class Lemons(BaseModel):
    """A share of the components that fails more often; ``mtbf`` stays the mean of all of them.

    Of C components L = ``count(C)`` are lemons. A sound one has W / C times the MTBF of the hazard, a lemon that
    divided by ``factor``; with W = C + (factor - 1) L they fail C / MTBF times per hour together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    fraction: Fraction = Field(description="share of the components that are lemons at t = 0")
    factor: Number = Field(ge=1, le=1e6, description="how many times as often as another component a lemon fails")
    retire_after: Whole | None = Field(
        None, ge=1, description="failures within window after which a component is retired; leave out: never"
    )
    window: PositiveDuration | None = Field(None, description="time over which failures are counted")
    replace: Duration | None = Field(
        None, description="from retirement until a new component stands in its place; leave out: none ever does"
    )
    cured_by: Literal["replacement", "repair"] = Field(
        "replacement",
        description="what makes a lemon fail as others do: only a new component in its place, or also a repair that is "
        "not silent; the mean of all then rises above mtbf (default replacement: assumed)",
    )

    def count(self, components: int) -> int:
        """Return how many of ``components`` are lemons at t = 0, the same in every run: the share, rounded."""
        return round(self.fraction * components)

    def weight(self, components: int) -> float:
        """Return W: how many sound components fail as often as all ``components``, lemons included."""
        return components + (self.factor - 1) * self.count(components)


class Hazard(BaseModel):
    """One way in which components fail."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=offer_presets)
    name: str = Field("", max_length=200, description="unique; names its random streams (default: the component)")
    component: Component = Field(
        description="what fails: GPUs, or what serves them in this topology; 'tray' is another word for 'node'"
    )
    mtbf: AnyLifetime = Field(
        description='mean time between failures of one component, or a distribution; a rate is read too: "0.001 /h", '
        '"500 FIT", or an annual failure rate: "9 %/y" is 0.09 failures a year of 8,760 h, an MTBF of 97,333 h (the '
        "definition is public: Backblaze, failures per drive-year); the time is rounded to 1 ms; links also take "
        '"optics": what the topology says of their kind of optics'
    )
    mtbf_range: tuple[MeanTimeBetweenFailures, MeanTimeBetweenFailures] | None = Field(
        None,
        description="lowest and highest MTBF that published figures support; reports show the loss at both; of "
        "rates the highest comes first",
    )
    age: Duration = Field(
        0, description="time in service of every component at t = 0; counts where lives age (default 0 s: assumed)"
    )
    effect: Effect = Field(
        "interrupt",
        description="interrupt: leaves service; kill: the software dies, the hardware stays; straggle: slow until "
        "found, then leaves; degrade: slow until repaired in place; corrupt: wrong results until found "
        "(default interrupt: deck)",
    )
    keeps: Fraction | None = Field(
        None, gt=0, description="share of its speed that a slow component keeps (straggle, degrade)"
    )
    blast: Blast | None = Field(
        None,
        description="GPUs struck by one failure, or the part that goes down with it; leave out: derived from the "
        "topology (the tray that holds a GPU, the rack itself, whoever depends on a switch or a feed)",
    )
    exposure: Literal["always", "running"] = Field(
        "always", description="running: it can fail only while its gang computes (default always: assumed)"
    )
    notice: Duration = Field(
        0,
        description="how long before it comes a failure is announced: a spot warning, a prediction; if that is enough "
        "for a checkpoint, gangs write one just in time (default 0 s: assumed)",
    )
    noticed: Share = Field(1.0, description="share of the failures that are announced (default 100 %: assumed)")
    evacuate: Duration | None = Field(
        None,
        description="time in which a gang moves to free GPUs before an announced failure comes; leave out: it stays",
    )
    coverage: Share = Field(
        1.0,
        description="share of its failures from which strategies recover as designed, besides their own coverage; at "
        "others they fall back to the checkpoint (default 100 %: assumed)",
    )
    burst: Burst | None = Field(None, description="failures come in bursts; leave out: one by one")
    lemons: Lemons | None = Field(None, description="some components fail more often; leave out: all alike")
    detect: DurationOrDistribution = Field(
        0, description="from the failure (or its onset) to its identification (default 0 s: assumed)"
    )
    wrong_node: Fraction = Field(
        0.0, description="probability that the identification blames a healthy node (default 0 %: assumed)"
    )
    repair: Repair = Field(
        0, description="from identification to return: a time, or stages one after another (default 0 s: assumed)"
    )
    requalify: Duration = Field(0, description="test after the last stage, without a crew (default 0 s: assumed)")
    requalify_finds: Share = Field(
        0.0,
        description="share of the silent repairs that this test finds: then the next stage follows, and the last is "
        "done again; what it misses nothing finds before it fails again (default 0 %: assumed)",
    )
    burn_in: Duration = Field(
        0,
        description="test load on what is repaired before it returns: it adds to the repair, and a new part has that "
        "age behind it (default 0 s: assumed)",
    )
    returns: Literal["pool", "job"] = Field(
        "pool", description="job: what is repaired goes back to its gang if that still waits (default pool: deck)"
    )

    @property
    def key(self) -> str:
        """Name of the hazard's random streams."""
        return self.name or self.component

    @property
    def lifetime(self) -> Lifetime:
        """Distribution of the time to failure; a plain MTBF is exponential."""
        return as_lifetime(self.mtbf)

    @property
    def ages(self) -> bool:
        """Whether every component has an age: its failures are not known beforehand."""
        lifetime = self.lifetime
        return not (lifetime.memoryless or lifetime.recorded)

    @property
    def placed(self) -> bool:
        """Whether a failure marks a component, not a slot."""
        if self.serves:
            return True
        named = self.lifetime.names_components
        slow = self.effect in _SLOWS
        return self.struck_part is not None or self.lemons is not None or self.ages or named or slow

    @property
    def serves(self) -> bool:
        """Whether it holds no GPU: what its failure takes down or slows follows from the plant."""
        return self.component in PARTS and self.blast is None

    @property
    def struck_part(self) -> Part | None:
        """The part whose GPUs go down together; None where ``blast`` is a number, or the plant says it."""
        if isinstance(self.blast, int) or self.serves:
            return None
        if self.blast is not None:
            return self.blast
        return "node" if self.component in ("gpu", *PARTS) else self.component  # type: ignore[return-value]

    @property
    def stages(self) -> tuple[RepairStage, ...]:
        """The repair as stages, at least one."""
        return stages_of(self.repair)

    @property
    def detection(self) -> Distribution:
        """Distribution of the time to identification."""
        return as_distribution(self.detect)

    @property
    def mean_detect_ms(self) -> float:
        """Mean time to identification [ms]."""
        return self.detection.mean_ms

    @property
    def mean_repair_ms(self) -> float:
        """Expected time from identification to return [ms], tests and burn-in included, no queue for crews."""
        recorded, finds = self.lifetime.mean_repair_ms, self.requalify_finds
        repaired = mean_time_ms(self.stages, finds) if recorded is None else recorded
        return repaired + self.requalify * mean_tests(self.stages, finds) + self.burn_in

    @property
    def cures(self) -> float:
        """Probability that a failure of a lemon ends with a repair that makes it as sound as the others."""
        if self.lemons is None or self.lemons.cured_by != "repair" or self.effect == "kill":
            return 0.0
        return 1 - mean_silent(self.stages, self.requalify_finds)

    def mtbf_ms(self, components: int) -> float:
        """MTBF of one of ``components`` [ms]; that of a record is components times its mean gap."""
        return self.lifetime.mtbf_ms(components)

    @property
    def stops(self) -> bool:
        """Whether it stops the gang that it strikes, sooner or later."""
        return self.effect != "degrade"

    @property
    def keeps_ppb(self) -> int:
        """Parts per billion of its speed that a slow component keeps."""
        return 10**9 if self.keeps is None else max(1, round(self.keeps * 10**9))

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, data: object) -> object:
        return without_preset(cls, data)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(type(self), _mistakes(self))
        return self


def _mistakes_of_served(hazard: Hazard) -> Iterator[Mistake]:
    """Yield what makes no sense for a component that holds no GPU."""
    holds = f"{hazard.component} holds no GPU"
    if isinstance(hazard.blast, str):
        yield ("blast",), f"found '{hazard.blast}'; {holds}: leave it out; the topology says what depends on it"
    if not hazard.serves:
        return
    if hazard.effect not in ("interrupt", "degrade"):
        yield ("effect",), f'found "{hazard.effect}"; {holds}: allowed: interrupt, degrade'
    if hazard.exposure == "running":
        yield ("exposure",), f'found "running"; {holds}: it always runs'
    if hazard.wrong_node:
        yield ("wrong_node",), f"found {hazard.wrong_node:.6g}; {holds}: no node is blamed"
    if hazard.returns == "job":
        yield ("returns",), f'found "job"; {holds}: what depends on it returns with it'
    if hazard.lemons is not None and hazard.lemons.retire_after is not None:
        yield ("lemons", "retire_after"), f"found a limit; {holds}: it is repaired in place"


def _mistakes_of_notice(hazard: Hazard) -> Iterator[Mistake]:
    """Yield why failures cannot be announced: it must be known beforehand when which part will go down."""
    if not hazard.notice:
        given = "noticed" if hazard.noticed < 1 else "evacuate"
        if given == "noticed" or hazard.evacuate is not None:
            yield ("notice",), f"missing; required ({given} is given)"
        return
    if hazard.serves:
        yield ("notice",), f"found {write(hazard.notice, DURATION)}; {hazard.component} holds no GPU: no job is warned"
    elif isinstance(hazard.blast, int):
        why = "a notice says which part will go down: leave blast out, or name a part"
        yield ("notice",), f"found with blast = {hazard.blast}; {why}"
    if hazard.effect not in ("interrupt", "kill"):
        yield ("notice",), f'found with effect "{hazard.effect}"; only effect "interrupt" or "kill" can be announced'
    if hazard.ages:
        kind = kind_of(type(hazard.lifetime))
        yield (
            ("notice",),
            f'found with an mtbf of kind "{kind}"; only failures at a constant rate or of a trace are known beforehand',
        )
    if hazard.lemons is not None:
        yield ("notice",), "found with lemons; which of them have left is not known beforehand"
    if hazard.evacuate is not None and hazard.evacuate > hazard.notice:
        found, most = write(hazard.evacuate, DURATION), write(hazard.notice, DURATION)
        yield ("evacuate",), f"found {found}; must be at most notice = {most}"


def _mistakes_of_tests(hazard: Hazard) -> Iterator[Mistake]:
    """Yield what is wrong with the test and the burn-in of what is repaired."""
    finds, last = hazard.requalify_finds, hazard.stages[-1]
    if finds and not hazard.requalify:
        yield ("requalify",), "missing; required (requalify_finds is given)"
    if finds and hazard.lifetime.mean_repair_ms is not None:
        yield ("requalify_finds",), "found with a trace that records repairs; it says how long each took in all"
    elif finds * last.silent == 1:
        yield ("requalify_finds",), "found 100 % with a last stage that is always silent; no repair would ever end"
    if hazard.burn_in and hazard.ages:
        survive = math.exp(hazard.lifetime.log_survival(np.array([hazard.burn_in]))[0])
        if survive < LEAST_SURVIVORS:
            why = f"only {100 * survive:.3g} % of new parts live that long; at least {100 * LEAST_SURVIVORS:.0f} %"
            yield ("burn_in",), f"found {write(hazard.burn_in, DURATION)}; {why}"


def _mistakes(hazard: Hazard) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of one hazard, with the path to it."""
    lifetime, lemons, effect = hazard.lifetime, hazard.lemons, hazard.effect
    slow = " or ".join(f'"{each}"' for each in _SLOWS)
    if effect in _SLOWS and hazard.keeps is None:
        yield ("keeps",), f'missing; required (effect "{effect}": the share of its speed that it keeps)'
    if effect not in _SLOWS and hazard.keeps is not None:
        yield ("keeps",), f'found with effect "{effect}"; only effect {slow} leaves a share of the speed'
    if hazard.component in PARTS:
        yield from _mistakes_of_served(hazard)
    if hazard.wrong_node and effect != "interrupt":
        yield ("wrong_node",), f'found with effect "{effect}"; only effect "interrupt" can be blamed on another node'
    yield from _mistakes_of_notice(hazard)
    if hazard.burst is not None and not lifetime.memoryless:
        yield ("burst",), f'found with an mtbf of kind "{kind_of(type(lifetime))}"; bursts need an exponential one'
    if hazard.age and lifetime.recorded:
        yield ("age",), "found with a trace; recorded failures do not depend on the age"
    if hazard.age and hazard.ages and lifetime.log_survival(np.array([hazard.age]))[0] == -np.inf:
        yield ("age",), f"found {write(hazard.age, DURATION)}; no component with this lifetime lives that long"
    if hazard.mtbf_range is not None and lifetime.recorded:
        yield ("mtbf_range",), "found with a trace; its MTBF is what it recorded"
    if lifetime.mean_repair_ms is not None and (len(hazard.stages) > 1 or hazard.stages[0].success < 1):
        yield ("repair",), "found stages that may fail; the trace records how long each repair took"
    yield from _mistakes_of_tests(hazard)
    if lemons is None:
        return
    if lifetime.recorded:
        yield ("lemons",), "found with a trace; it records which components fail often"
    if lemons.retire_after is None:
        for key in ("window", "replace"):
            if getattr(lemons, key) is not None:
                yield ("lemons", "retire_after"), f"missing; required ({key} is given)"
                break
    elif lemons.window is None:
        yield ("lemons", "window"), "missing; required (retire_after is given)"
    elif effect not in _RETIRES:
        yield ("lemons", "retire_after"), f'found with effect "{effect}", which takes no component out to be retired'
