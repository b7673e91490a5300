"""The keys that every recovery strategy accepts, and what a strategy answers.

A strategy is plain values in, plain values out: it never sees a clock, a generator or an engine. Its methods take
Python ints and int64 arrays alike, all times in ms, so every engine calls the same code.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from dcsim.recovery.presets import offer_presets
from dcsim.recovery.timetable import Ms, Tier
from dcsim.units import (
    DURATION,
    POSITIVE_DURATION,
    Duration,
    Fraction,
    PositiveDuration,
    Share,
    Whole,
    parse,
    write,
)
from dcsim.wording import did_you_mean

RULES = ("young", "daly", "optimal")
"""Names of the rules that give a best checkpoint interval."""
OF_THE_STRATEGY = {"network_overhead", "memory_overhead", "coverage"}
"""Common keys of a strategy that say what it costs and covers itself: another one does not take them over."""
NO_CHECKPOINT = "never"
"""In the place of an interval: one that is over after the horizon."""
Mistakes = Iterator[tuple[tuple[str | int, ...], str]]
"""Where in the table, and what is wrong there."""


def _read_interval(value: object) -> object:
    if value in (*RULES, NO_CHECKPOINT):
        return value
    try:
        return parse(value, POSITIVE_DURATION)
    except PydanticCustomError as error:
        hint = did_you_mean(value, (*RULES, NO_CHECKPOINT)) if isinstance(value, str) else ""
        rules = ", ".join(f'"{rule}"' for rule in RULES)
        raise PydanticCustomError(
            "quantity", "{why}", {"why": f'{error.message()}; or a rule: {rules}, or "{NO_CHECKPOINT}"{hint}'}
        ) from None


def _written_interval(value: int | str) -> str:
    return value if isinstance(value, str) else write(value, POSITIVE_DURATION)


if TYPE_CHECKING:
    Interval = int  # engines, theory and accounting only ever see settled scenarios
    answer = property
else:
    Interval = Annotated[
        int | str,
        BeforeValidator(_read_interval),
        PlainSerializer(_written_interval, when_used="json"),
        WithJsonSchema({"oneOf": [TypeAdapter(PositiveDuration).json_schema(), {"enum": [*RULES, NO_CHECKPOINT]}]}),
    ]
    """Computing time between checkpoints: a duration, the name of a rule that gives the best one, or "never"."""

    class answer(cached_property):
        """A property that a kind may replace by a key of the same name: only instances show it."""

        def __get__(self, instance, owner=None):
            if instance is None:
                raise AttributeError("an answer of instances")
            return super().__get__(instance, owner)


class Recovery(BaseModel):
    """How a job comes back after a strike. A kind says at least ``rolls_back`` and ``level``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(answer,), json_schema_extra=offer_presets)

    rolls_back: ClassVar[bool]
    """Whether every strike costs the work since some checkpoint: ``level`` is never -1."""
    restores_always: ClassVar[bool] = False
    """Whether a restore follows every strike, also one that rolls nothing back."""
    unused: ClassVar[frozenset[str]] = frozenset()
    """Common keys that mean nothing to this kind, besides those that ``uses`` finds out itself."""

    failover: Duration = Field(0, description="time to swap hardware in and re-form the gang (default 0 s: assumed)")
    restore: Duration = Field(
        0, description="job start: processes, state load, first step ('init') (default 0 s: assumed)"
    )
    restore_success: Share = Field(
        1.0, gt=0, description="probability that a restore succeeds; otherwise it is repeated (default 100 %: assumed)"
    )
    restore_per_doubling: Duration = Field(
        0,
        description="further restore time per doubling of the gang beyond restore_gpus (default 0 s: assumed; "
        "public (ByteRobust, requeue): about 103 s)",
    )
    restore_gpus: Whole = Field(
        2048, ge=1, description="largest gang that a restore of this time serves (default 2048: public (ByteRobust))"
    )
    checkpoint_every: Interval | None = Field(
        None,
        description='computing time between checkpoints, or "young", "daly", "optimal": the interval that this rule '
        'gives at the gang\'s failure rate; "never": none is written; a kind that rolls back needs it',
    )
    checkpoint_write: Duration = Field(0, description="time for which a write blocks the gang (default 0 s: assumed)")
    bad_checkpoint: Fraction = Field(
        0.0,
        description="probability that a checkpoint cannot be read and the one before is tried (default 0 %: assumed)",
    )
    coverage: Share = Field(
        1.0,
        description="probability that an interruption is survived without rollback, where the kind can; else the job "
        "falls back to the checkpoint (default 100 %: assumed)",
    )
    network_overhead: Fraction = Field(
        0.0, description="share of running time spent on extra traffic (default 0 %: deck)"
    )
    memory_overhead: Fraction = Field(
        0.0, description="share of running time lost to memory kept for recovery (default 0 %: deck)"
    )
    spare: Literal["hot", "cold"] = Field(
        "hot", description="hot: take free GPUs at once; cold: wait for the repair (default hot: deck)"
    )

    # --- what a kind answers ----------------------------------------------------------------------------------------

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Return -1 where a strike rolls nothing back, else the fastest tier that it can roll back to.

        ``struck``: members of the gang struck since it last was whole; ``uncovered``: the strike is one of the share
        1 - coverage. Ints and bools, or arrays of one shape.
        """
        raise TypeError(f"{type(self).__name__} must say what a strike rolls back")

    @answer
    def tiers(self) -> tuple[Tier, ...]:
        """Where checkpoints go, fast to slow; () if none is written."""
        return self.one_tier()

    @answer
    def step(self) -> int:
        """Work that even a strike without rollback costs [ms]."""
        return 0

    @property
    def may_roll_back(self) -> bool:
        """Whether any strike can cost the work since a checkpoint."""
        return self.rolls_back or self.coverage < 1

    def rolls_back_at(self, coverage: float) -> bool:
        """Whether a strike can cost the work since a checkpoint where this share of them is covered at least."""
        return bool(self.tiers) and (self.may_roll_back or (coverage < 1 and "coverage" not in self.unused))

    @property
    def saves_ms(self) -> int | None:
        """What a checkpoint takes that survives everything [ms]: the slowest tier's, drained; None: it writes none."""
        return self.tiers[-1].write + self.tiers[-1].drain if self.tiers else None

    @property
    def rejoin_ms(self) -> int:
        """Stall of a gang that runs on with more of its members than before [ms]."""
        return self.failover

    def legal(self, up: Ms, gpus: int) -> Ms:
        """Return with how many GPUs a gang of ``gpus`` runs when ``up`` are up: with all or not at all."""
        return gpus * (up >= gpus)

    @property
    def runs_small(self) -> bool:
        """Whether a gang may run with fewer of its members."""
        return type(self).legal is not Recovery.legal

    def mistakes(self) -> Mistakes:
        """Yield what is wrong between keys of this table, whatever the job."""
        every, fallback = self.checkpoint_every, self.may_roll_back
        if fallback and not self.tiers:
            yield ("checkpoint_every",), "missing; required (what is not covered falls back to the last checkpoint)"
        asks = isinstance(every, str) and every in RULES and "checkpoint_every" in self.uses
        if asks and not self.checkpoint_write:
            yield ("checkpoint_write",), f'missing; required ("{every}" needs it to give an interval)'

    def problems(self, gpus: int) -> Mistakes:
        """Yield what is wrong for a gang of ``gpus`` GPUs, as (path in the table, text)."""
        yield from ()

    # --- what follows -----------------------------------------------------------------------------------------------

    def one_tier(self, drain: int = 0) -> tuple[Tier, ...]:
        """Return the common checkpoint keys as one tier that survives everything; () without an interval.

        An interval that is still a rule stands in as 1 ms: engines and theory get settled scenarios only.
        """
        if self.checkpoint_every is None:
            return ()
        every = 1 if isinstance(self.checkpoint_every, str) else self.checkpoint_every
        tier = Tier.model_construct(every=every, write=self.checkpoint_write, drain=drain, restore=self.restore)
        return (tier,)

    @property
    def uses(self) -> frozenset[str]:
        """The keys that change what follows a strike; a report names the common ones that do not, if they are set.

        ``restore`` is listed only if a strike costs it: every kind starts a job that is submitted later with it.
        """
        loads = {"restore", "restore_success", "restore_per_doubling", "restore_gpus"}
        idle = set() if self.may_roll_back or self.restores_always else loads
        idle |= {"coverage"} if self.rolls_back else set()
        idle |= set() if self.may_roll_back else {"bad_checkpoint"}
        return frozenset(type(self).model_fields) - {"kind"} - idle - self.unused

    @property
    def steady_overhead(self) -> float:
        """Share of surviving running time that is not useful work."""
        return self.network_overhead + self.memory_overhead

    @property
    def useful_ppb(self) -> int:
        """Useful parts per billion of surviving running time: an integer, so that every engine splits alike."""
        return 10**9 - round(self.steady_overhead * 10**9)

    def start_ms(self, gpus: int) -> int:
        """One attempt [ms] at starting a gang of ``gpus`` GPUs: from the slowest tier, or as ``restore`` says."""
        return self._grown(self.tiers[-1].restore if self.tiers else self.restore, gpus)

    def restore_ms(self, level: Ms, gpus: int) -> Ms:
        """One attempt [ms] at the restore of a gang of ``gpus`` GPUs after a rollback to tier ``level``; 0 for -1."""
        if self.restores_always and not self.tiers:
            return self.start_ms(gpus) + 0 * level
        return sum((self._grown(tier.restore, gpus) * (level == i) for i, tier in enumerate(self.tiers)), 0 * level)

    def _grown(self, restore: int, gpus: int) -> int:
        """restore + restore_per_doubling log2(gpus / restore_gpus) beyond restore_gpus, to the ms."""
        doublings = math.log2(max(gpus / self.restore_gpus, 1))
        return restore + round(self.restore_per_doubling * doublings)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = [
            InitErrorDetails(type=PydanticCustomError("quantity", "{why}", {"why": why}), loc=path, input=None)
            for path, why in self.mistakes()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changes; what was derived from the old keys is not taken along."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[derived]
        return copied


def taken_over(old: Recovery, kind: type[Recovery], given: Collection[str] | None) -> dict[str, Any]:
    """Return which keys of a job's recovery another kind or preset takes over, as a file would have them.

    Those whose values differ from their defaults, where the other kind has them and the preset does not give them
    (``given``: its keys; None: there is no preset), unless they say what the old strategy itself costs.
    """
    found = old.model_dump(mode="json", exclude_defaults=True, exclude_none=True, exclude={"kind"})
    if given is None and type(old) is kind:
        return found
    ours = kind.model_fields.keys() - OF_THE_STRATEGY - set(given or ())
    if not kind.rolls_back and found.get("checkpoint_every") in RULES:
        ours = {each for each in ours if "checkpoint" not in each}  # no interval is best where nothing is rolled back
    return {key: value for key, value in found.items() if key in ours}


def at_most(key: str, found: int, other: str, most: int) -> str:
    """Say that one duration is longer than another."""
    return f"found {key} = {write(found, DURATION)}; must be at most {other} = {write(most, DURATION)}"
