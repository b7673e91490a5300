"""Stateless gangs (inference replicas): nothing to lose; every strike is followed by failover and a start."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Recovery, answer
from dcsim.recovery.timetable import Ms, Tier


class Stateless(Recovery):
    """What was computed is delivered; the gang swaps hardware in and loads its model again."""

    rolls_back: ClassVar[bool] = False
    restores_always: ClassVar[bool] = True
    unused: ClassVar[frozenset[str]] = frozenset({"checkpoint_every", "checkpoint_write", "coverage"})
    kind: Literal["stateless"] = Field(description="nothing is ever rolled back; every strike costs a start")

    @answer
    def tiers(self) -> tuple[Tier, ...]:
        """No checkpoint is written."""
        return ()

    @property
    def may_roll_back(self) -> bool:
        """There is nothing to roll back."""
        return False

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Nothing is rolled back."""
        return 0 * struck + 0 * uncovered - 1
