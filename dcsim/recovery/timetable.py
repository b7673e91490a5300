"""The tiers that checkpoints go to, and the periods in which a stretch of running computes and writes."""

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


Level = tuple[int, int, int | None]
"""``every`` and period of a tier [ms], and how many of its periods make one of the next slower tier; None: it is the
slowest."""


def levels(tiers: tuple[Tier, ...]) -> tuple[Level, ...]:
    """Return the levels of a stretch's timetable, slow to fast; tiers go from fast to slow.

    After each ``every`` of the fastest tier the gang is blocked by the writes of all tiers that are due, fast first.
    Seen from the slowest tier down, a stretch is a row of equal periods: a period of tier i is every_i / every_(i-1)
    periods of tier i - 1 and then write i, and its write is the last part of it.
    """
    found: list[Level] = []
    period, below = 0, tiers[0].every if tiers else 1
    for tier, slower in zip_longest(tiers, tiers[1:]):
        period = max(tier.every // below * period, tier.every) + tier.write
        found.append((tier.every, period, None if slower is None else slower.every // tier.every))
        below = tier.every
    return tuple(reversed(found))
