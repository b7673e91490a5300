"""The crews that repairs queue for."""

from collections import deque
from typing import Any

from dcsim.engine.timeline import Handler

Task = tuple[int, Handler, Any]
"""How long a crew is busy [ms], and what its end calls with what."""


class Crews:
    """The crews of one name; ``size`` None: enough for everyone. First come, first served."""

    __slots__ = ("busy", "queue", "size")

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.busy = 0
        self.queue: deque[Task] = deque()

    def admit(self, task: Task) -> bool:
        """Return whether a crew takes the task now; else it queues."""
        if self.size is None:
            return True
        if self.busy < self.size:
            self.busy += 1
            return True
        self.queue.append(task)
        return False

    def release(self) -> Task | None:
        """Free the crew of a finished task; return the task it takes next."""
        if self.size is None:
            return None
        if self.queue:
            return self.queue.popleft()
        self.busy -= 1
        return None
