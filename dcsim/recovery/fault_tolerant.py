"""Fault tolerance by live migration (TorchPass-like): no rollback; a strike costs detection and failover only."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Recovery
from dcsim.recovery.timetable import Ms


class FaultTolerant(Recovery):
    """Keep the work, move the struck ranks to free GPUs; what is not covered falls back to the checkpoint."""

    rolls_back: ClassVar[bool] = False
    kind: Literal["fault-tolerant"] = Field(description="no rollback: struck ranks migrate to free GPUs")

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Nothing is rolled back unless the strike is not covered."""
        return 0 * struck - 1 + uncovered
