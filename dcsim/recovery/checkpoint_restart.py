"""Checkpoint-restart: a strike costs the work since the last durable checkpoint, then failover and restore."""

from typing import ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Ms, Recovery, settle_with_writes
from dcsim.units import PositiveDuration


class CheckpointRestart(Recovery):
    """Roll back to the last durable checkpoint, take hot spares or wait for the repair, then load the state."""

    rolls_back: ClassVar[bool] = True
    uses: ClassVar[frozenset[str]] = frozenset(
        {"failover", "restore", "checkpoint_every", "checkpoint_write", "network_overhead", "memory_overhead", "spare"}
    )
    kind: Literal["checkpoint-restart"] = Field(description="roll back to the last durable checkpoint")
    checkpoint_every: PositiveDuration = Field(description="computing time between checkpoints")

    @property
    def phases(self) -> tuple[int, int]:
        """Failover and restore [ms]: both, every time."""
        return self.failover, self.restore

    def settle(self, run: Ms) -> tuple[Ms, Ms, Ms]:
        """Split ``run`` ms into (saved, checkpoint, unsaved) [ms]."""
        return settle_with_writes(run, self.checkpoint_every, self.checkpoint_write)
