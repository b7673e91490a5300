"""Checkpoint-restart: a strike costs the work since the last durable checkpoint, then failover and restore."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Interval, Recovery
from dcsim.recovery.timetable import Ms


class CheckpointRestart(Recovery):
    """Roll back to the last durable checkpoint, take hot spares or wait for the repair, then load the state."""

    rolls_back: ClassVar[bool] = True
    kind: Literal["checkpoint-restart"] = Field(description="roll back to the last durable checkpoint")
    checkpoint_every: Interval = Field(
        description='computing time between checkpoints, or a rule: "young", "daly", "optimal", or "never"'
    )

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Every strike rolls back to the one tier."""
        return 0 * struck + 0 * uncovered
