"""Elastic training (torchft-like): the gang goes on with the replica groups that are left, and larger again later."""

from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import Field

from dcsim.recovery.keys import Mistakes, Recovery
from dcsim.recovery.timetable import Ms
from dcsim.units import Duration, Whole


class Elastic(Recovery):
    """Re-form without the struck groups (failover), run small, rejoin when there is hardware again."""

    rolls_back: ClassVar[bool] = False
    kind: Literal["elastic"] = Field(description="no rollback: runs with fewer replica groups until hardware is back")
    group: Whole = Field(ge=1, description="GPUs of one replica group; divides the job's gpus")
    shapes: tuple[Whole, ...] | None = Field(
        None, min_length=1, description="numbers of groups that may run, the whole gang included; leave out: any number"
    )
    rejoin: Duration | None = Field(None, description="stall when groups come back; leave out: as failover (assumed)")
    step: Duration = Field(
        0, description="work that a strike costs though it is covered: the step under way (default 0 s: assumed)"
    )

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Nothing is rolled back unless the strike is not covered."""
        return 0 * struck - 1 + uncovered

    @property
    def rejoin_ms(self) -> int:
        """Stall of a gang that runs on with more groups than before [ms]."""
        return self.failover if self.rejoin is None else self.rejoin

    def legal(self, up: Ms, gpus: int) -> Ms:
        """Return the GPUs of the largest shape for which ``up`` are enough; 0: none."""
        groups = up // self.group
        if self.shapes is None:
            return groups * self.group
        steps = pairwise((0, *sorted(self.shapes)))
        return sum((self.group * (large - small) * (groups >= large) for small, large in steps), 0 * up)

    def mistakes(self) -> Mistakes:
        """Shapes are numbers of groups, at least one."""
        yield from super().mistakes()
        for index, shape in enumerate(self.shapes or ()):
            if shape < 1:
                yield ("shapes", index), f"found {shape}; must be at least 1"

    def problems(self, gpus: int) -> Mistakes:
        """Groups divide the gang, and the whole gang is a shape and the largest one."""
        if gpus % self.group:
            yield ("group",), f"found {self.group}; must divide the job's gpus = {gpus}"
        elif self.shapes is not None and max(self.shapes) != gpus // self.group:
            why = f"found {max(self.shapes)} groups at most; the largest must be the whole gang, {gpus // self.group}"
            yield ("shapes",), why
