"""Fault tolerance by live migration (TorchPass-like): no rollback; a strike costs detection and failover only."""

from typing import ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Ms, Recovery, settle_with_writes


class FaultTolerant(Recovery):
    """Keep the work, move the struck ranks to free GPUs; checkpoints are written only if a write takes time."""

    rolls_back: ClassVar[bool] = False
    uses: ClassVar[frozenset[str]] = frozenset(
        {"failover", "checkpoint_every", "checkpoint_write", "network_overhead", "memory_overhead", "spare"}
    )
    kind: Literal["fault-tolerant"] = Field(description="no rollback: struck ranks migrate to free GPUs")

    @property
    def phases(self) -> tuple[int, int]:
        """Failover [ms]; the surviving ranks hold the state, so nothing is restored."""
        return self.failover, 0

    def settle(self, run: Ms) -> tuple[Ms, Ms, Ms]:
        """Split ``run`` ms into (saved, checkpoint, unsaved) [ms]; nothing is ever unsaved."""
        if self.checkpoint_every is None or self.checkpoint_write == 0:
            return run, 0 * run, 0 * run
        saved, checkpoint, unsaved = settle_with_writes(run, self.checkpoint_every, self.checkpoint_write)
        return saved + unsaved, checkpoint, 0 * run
