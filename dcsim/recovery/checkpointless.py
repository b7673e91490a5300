"""Checkpointless recovery (HyperPod-like): the state of struck ranks is rebuilt from their peers."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Recovery
from dcsim.recovery.timetable import Ms
from dcsim.units import Whole


class Checkpointless(Recovery):
    """Keep the work as long as a healthy replica of what was struck is left; else fall back to the checkpoint."""

    rolls_back: ClassVar[bool] = False
    kind: Literal["checkpointless"] = Field(description="no rollback: the state is rebuilt from healthy replicas")
    survives: Whole | None = Field(
        None, ge=0, description="GPUs of the gang that may be struck at most; leave out: any number (assumed)"
    )

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Nothing is rolled back unless the strike is not covered or took too many."""
        lost = uncovered if self.survives is None else uncovered | (struck > self.survives)
        return 0 * struck - 1 + lost

    @property
    def may_roll_back(self) -> bool:
        """A strike may be too large."""
        return super().may_roll_back or self.survives is not None
