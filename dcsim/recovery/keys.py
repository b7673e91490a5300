"""The keys that every recovery strategy accepts, and what a strategy answers.

A strategy is plain values in, plain values out: it never sees a clock, a generator or an engine. Its methods take
Python ints and int64 arrays alike, all times in ms, so every engine calls the same code.
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from dcsim.units import Duration, Fraction, PositiveDuration

Ms = Any
"""An int, or an int64 array of any shape: arithmetic only, so one method serves one gang or a million."""


class Recovery(BaseModel):
    """How a job comes back after a strike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rolls_back: ClassVar[bool]
    """Whether a strike costs the work since the last durable checkpoint."""
    uses: ClassVar[frozenset[str]]
    """The keys that change what follows a strike; a report names the common ones that do not, if they are set.

    ``restore`` is listed only if a strike costs it: every kind starts a job that is submitted later with it.
    """

    failover: Duration = Field(0, description="swapping hardware in, re-forming the gang (default 0 s: assumed)")
    restore: Duration = Field(
        0, description="job start: processes, state load, first step ('init') (default 0 s: assumed)"
    )
    checkpoint_every: PositiveDuration | None = Field(
        None, description="computing time between checkpoints; a kind that rolls back needs it"
    )
    checkpoint_write: Duration = Field(0, description="time a write blocks the gang (default 0 s: assumed)")
    network_overhead: Fraction = Field(
        0.0, description="share of running time spent on extra traffic (default 0 %: deck)"
    )
    memory_overhead: Fraction = Field(
        0.0, description="share of running time lost to memory kept for recovery (default 0 %: deck)"
    )
    spare: Literal["hot", "cold"] = Field(
        "hot", description="hot: take free GPUs at once; cold: wait for the repair (default hot: deck)"
    )

    @property
    def steady_overhead(self) -> float:
        """Share of surviving running time that is not useful work."""
        return self.network_overhead + self.memory_overhead

    @property
    def useful_ppb(self) -> int:
        """Useful parts per billion of surviving running time: an integer, so that every engine splits alike."""
        return 10**9 - round(self.steady_overhead * 10**9)

    @property
    def start_phases(self) -> tuple[int, int]:
        """Failover and restore time [ms] of a job that starts: restore only."""
        return 0, self.restore

    @property
    def phases(self) -> tuple[int, int]:
        """Failover and restore time [ms] that a gang goes through once it is whole again."""
        raise TypeError(f"{type(self).__name__} must say which phases follow a strike")

    def settle(self, run: Ms) -> tuple[Ms, Ms, Ms]:
        """Split a stretch of ``run`` ms since the last resume into (saved, checkpoint, unsaved) [ms]."""
        raise TypeError(f"{type(self).__name__} must say how a stretch is settled")


def settle_with_writes(run: Ms, every: int, write: int) -> tuple[Ms, Ms, Ms]:
    """Settle a stretch with a blocking write of ``write`` ms after each ``every`` ms of computing.

    k = run // (every + write) writes are durable, one that ends at this very instant included; the interval counts
    computing time since the last write or resume (MODEL.md, "Stretch").
    """
    done = run // (every + write)
    rest = run - done * (every + write)
    writing = (rest - every) * (rest > every)
    return done * every, done * write + writing, rest - writing
