"""Asynchronous checkpoints: a short blocking copy, then a drain to storage during which the copy does not count yet."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Interval, Mistakes, Recovery, answer, at_most
from dcsim.recovery.timetable import Ms, Tier
from dcsim.units import Duration


class AsyncCheckpoint(Recovery):
    """Roll back to the last checkpoint that has been written out; what is still draining is lost."""

    rolls_back: ClassVar[bool] = True
    kind: Literal["async-checkpoint"] = Field(description="roll back to the last checkpoint that has drained")
    checkpoint_every: Interval = Field(
        description='computing time between checkpoints, or a rule: "young", "daly", "optimal" (at least the drain), '
        'or "never"'
    )
    checkpoint_drain: Duration = Field(
        description="time after the blocking write until the copy is durable; the gang computes meanwhile"
    )

    @answer
    def tiers(self) -> tuple[Tier, ...]:
        """One tier that drains."""
        return self.one_tier(self.checkpoint_drain)

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Every strike rolls back to the one tier."""
        return 0 * struck + 0 * uncovered

    def mistakes(self) -> Mistakes:
        """A drain ends before the next write begins."""
        yield from super().mistakes()
        every = self.checkpoint_every
        if isinstance(every, int) and self.checkpoint_drain > every:
            yield ("checkpoint_drain",), at_most("checkpoint_drain", self.checkpoint_drain, "checkpoint_every", every)
