"""When a stretch of running computes, when it writes, and what is safe after how long: for any number of tiers."""

from itertools import zip_longest
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dcsim.units import Duration, PositiveDuration, Whole

Ms = Any
"""An int, or an int64 array of any shape: arithmetic only, so one method serves one gang or a million."""


class Tier(BaseModel):
    """One place that checkpoints are written to.

    Durations in ms.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "peer memory", "every": "5 min", "drain": "30 s", "restore": "1 min", "survives": 8},
                {"name": "storage", "every": "30 min", "drain": "5 min", "restore": "454 s"},
            ]
        },
    )
    name: str = Field("", max_length=200, description="what the tier is called, for readers only")
    every: PositiveDuration = Field(description="computing time between copies; a multiple of the next faster tier's")
    write: Duration = Field(0, description="time a write blocks the gang (default 0 s: assumed)")
    drain: Duration = Field(0, description="further time until a copy is durable, computing (default 0 s: assumed)")
    restore: Duration = Field(description="processes, state load from this tier, first step")
    survives: Whole | None = Field(
        None, ge=0, description="GPUs of the gang that may be struck at most; leave out (slowest tier only): any number"
    )


class Timetable:
    """What follows from the tiers alone, fast to slow, each ``every`` a multiple of the one before.

    After each ``every`` of the fastest tier the gang is blocked by the writes of all tiers that are due, fast first.
    Seen from the slowest tier down, a stretch is a row of equal periods: a period of tier i is every_i / every_(i-1)
    periods of tier i - 1 and then write i. All methods take and return ms, as an int or an int64 array.
    """

    __slots__ = ("_every", "_levels", "_one", "_write", "tiers")

    def __init__(self, tiers: tuple[Tier, ...]) -> None:
        self.tiers = tiers
        self._one = len(tiers) == 1 and tiers[0].drain == 0
        self._every, self._write = (tiers[0].every, tiers[0].write) if tiers else (1, 0)
        levels: list[tuple[int, int, int | None]] = []  # every, period, how many of them make a slower one
        period, below = 0, self._every
        for tier, slower in zip_longest(tiers, tiers[1:]):
            period = max(tier.every // below * period, tier.every) + tier.write
            levels.append((tier.every, period, None if slower is None else slower.every // tier.every))
            below = tier.every
        self._levels = tuple(reversed(levels))

    @property
    def levels(self) -> tuple[tuple[int, int, int | None], ...]:
        """(every, period, how many of them make one of the next slower tier; None: the slowest), slow to fast [ms]."""
        return self._levels

    @property
    def period(self) -> int:
        """Period of the slowest tier [ms]: its write is the last part of it."""
        return self._levels[0][1]

    def _copied(self, run: Ms, down_to: int) -> tuple[Ms, Ms]:
        """Return the computing that is in a finished copy of tier ``down_to`` or a slower one, and what of run is left.

        Inside the write of a slower tier nothing is left.
        """
        copied, rest = 0 * run, run
        for every, period, most in self._levels[: len(self._levels) - down_to]:
            done = rest // period
            rest = rest - done * period
            if most is not None:  # the last one is followed by the slower tier's write
                rest = rest * (done < most)
                done = done - (done - most) * (done > most)
            copied = copied + done * every
        return copied, rest

    def blocked(self, run: Ms) -> Ms:
        """Ms of writes in the first ``run`` ms of a stretch."""
        if not self.tiers:
            return 0 * run
        copied, rest = self._copied(run, 0)
        return run - copied - rest + (rest - self._every) * (rest > self._every)

    def durable(self, run: Ms) -> tuple[Ms, ...]:
        """Per tier, computing that is safe in it after ``run`` ms: its write ended at least its drain ago."""
        late = ((run - tier.drain) * (run > tier.drain) for tier in self.tiers)
        return tuple(self._copied(drained, tier)[0] for tier, drained in enumerate(late))

    def settle(self, run: Ms) -> tuple[Ms, Ms, Ms]:
        """Split ``run`` ms into (saved in the best tier, blocked in writes, computed but not safe).

        With one tier that does not drain: k = run // (every + write) writes are durable, one that ends at this very
        instant included; the interval counts computing time since the last write or resume (docs/model.md, "Stretch").
        """
        if self._one:
            every, write = self._every, self._write
            done = run // (every + write)
            rest = run - done * (every + write)
            writing = (rest - every) * (rest > every)
            return done * every, done * write + writing, rest - writing
        saved, blocked = 0 * run, self.blocked(run)
        for safe in self.durable(run):
            saved = saved + (safe - saved) * (safe > saved)
        return saved, blocked, run - blocked - saved

    def wall(self, work: Ms) -> Ms:
        """Least ``run`` in which ``work`` ms are computed: the writes that come before its last ms are in it."""
        before = work - (work > 0)
        return work + sum(before // tier.every * tier.write for tier in self.tiers)
