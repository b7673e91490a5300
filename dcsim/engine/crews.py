"""Struck groups on their way through repair, and the crews that they queue for."""

from collections import deque
from typing import Any

from dcsim.engine.gang import GangState

Part = tuple[GangState | None, int]
"""Members struck in one gang (None: free GPUs) and how many."""


Group = tuple[list[Part], int, int, "Crews", Any]
"""What one failure struck: parts, GPUs in all, repair time [ms], its crews, its atoms (None without places).

One crew and one draw, whatever its size. A plain tuple: one is made per failure.
"""


class Crews:
    """The crews of one name; ``size`` None: enough for everyone. First come, first served."""

    __slots__ = ("busy", "queue", "size")

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.busy = 0
        self.queue: deque[Group] = deque()

    def admit(self, group: Group) -> bool:
        """Return whether a crew takes the group now; else it queues."""
        if self.size is None:
            return True
        if self.busy < self.size:
            self.busy += 1
            return True
        self.queue.append(group)
        return False

    def release(self) -> Group | None:
        """Free the crew of a finished repair; return the group it takes next."""
        if self.size is None:
            return None
        if self.queue:
            return self.queue.popleft()
        self.busy -= 1
        return None
