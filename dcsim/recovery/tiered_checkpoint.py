"""Tiered checkpoints: peer memory, local disk, storage; a strike rolls back to the best one that survived it."""

from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Mistakes, Recovery, at_most
from dcsim.recovery.timetable import Ms, Tier


class TieredCheckpoint(Recovery):
    """Roll back to the newest copy in the tiers that survive as many struck GPUs as were struck."""

    rolls_back: ClassVar[bool] = True
    unused: ClassVar[frozenset[str]] = frozenset({"checkpoint_every", "checkpoint_write", "restore"})
    kind: Literal["tiered-checkpoint"] = Field(description="roll back to the best tier that survived the blast")
    tiers: tuple[Tier, ...] = Field(min_length=1, max_length=10, description="where copies go, fast to slow")

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """The first tier that survives this many struck members."""
        return sum((0 + (struck > tier.survives) for tier in self.tiers[:-1]), 0 * struck + 0 * uncovered)

    def mistakes(self) -> Mistakes:
        """Tiers ascend: each interval a multiple of the one before, each surviving more, the last one everything."""
        yield from super().mistakes()
        for index, tier in enumerate(self.tiers):
            if tier.drain > tier.every:
                yield ("tiers", index, "drain"), at_most("drain", tier.drain, "every", tier.every)
            if tier.survives is None and index < len(self.tiers) - 1:
                yield ("tiers", index, "survives"), "missing; required (only the last tier survives any strike)"
        if self.tiers[-1].survives is not None:
            last = len(self.tiers) - 1
            yield ("tiers", last, "survives"), f"found {self.tiers[-1].survives}; leave out: the last tier survives all"
        for index, (fast, slow) in enumerate(pairwise(self.tiers), start=1):
            if slow.every % fast.every:
                yield ("tiers", index, "every"), f"must be a multiple of tiers.{index - 1}.every"
            if fast.survives is not None and slow.survives is not None and slow.survives < fast.survives:
                why = f"found {slow.survives}; must be at least tiers.{index - 1}.survives = {fast.survives}"
                yield ("tiers", index, "survives"), why
