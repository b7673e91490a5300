"""What one worker is asked at a time: some replications of one scenario; and which of them one machine does."""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import Engine
from dcsim.problems import wrong
from dcsim.scenario import Scenario

Handle = TypeVar("Handle")


@dataclass(frozen=True)
class Task:
    """Replications ``first``, ``first + step``, … of one of the scenarios, ``count`` of them."""

    scenario: int
    first: int
    count: int
    step: int = 1

    @property
    def numbers(self) -> range:
        """Numbers of the replications."""
        return range(self.first, self.first + self.count * self.step, self.step)

    def __str__(self) -> str:
        """Return its replications in words."""
        return f"replication {self.first}" if self.count == 1 else f"replications {self.first} to {self.numbers[-1]}"


Tasks = Iterator[Task | None]
"""None: what follows depends on what was asked before; it is to be asked for when all of that has been dealt with."""
Executor = Callable[[Sequence[Scenario], Tasks, int, Engine], Generator[tuple[Task, Ledgers], None, None]]
"""Called with scenarios, tasks, the number of workers and the engine, it yields every task with its answer as it comes;
closing it ends the workers at once."""


class Shard(NamedTuple):
    """Part ``number``, from 1, of a run that is shared by ``of`` machines: every ``of``-th replication."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read "1/8"; raises ValueError, in one line, for what is no shard."""
        found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(wrong(text, "required: k/n with 1 <= k <= n, such as 1/8"))
        return cls(int(found[1]), int(found[2]))

    def numbers(self, replications: int) -> range:
        """Return the numbers of its replications."""
        return range(self.number - 1, replications, self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


UNSHARDED = Shard(1, 1)
"""A run that is not shared."""


def cut(scenario: int, missing: NDArray[np.int64], step: int, size: int) -> Iterator[Task]:
    """Cut what is missing of a scenario, int64 ascending, into tasks of up to ``size`` replications."""
    for stretch in np.split(missing, np.flatnonzero(np.diff(missing) != step) + 1):
        for start in range(0, len(stretch), size):
            yield Task(scenario, int(stretch[start]), min(size, len(stretch) - start), step)


def in_flight(
    tasks: Tasks, most: int, ask: Callable[[Task], Handle], first_of: Callable[[Sequence[Handle]], Handle]
) -> Iterator[tuple[Task, Handle]]:
    """Keep up to ``most`` tasks asked, and yield each with its handle as it is answered.

    ``ask`` begins a task and returns a handle on it; ``first_of`` waits until one of some handles is answered and
    returns it. No more are asked at a time, so that little that is finished waits to be kept.
    """
    asked: dict[Handle, Task] = {}
    exhausted = paused = False

    def fill() -> None:
        nonlocal exhausted, paused
        while not exhausted and not paused and len(asked) < most:
            try:
                task = next(tasks)
            except StopIteration:
                exhausted = True
                return
            if task is None:
                paused = True
            else:
                asked[ask(task)] = task

    while True:
        paused = paused and bool(asked)  # whoever takes the answers has dealt with all of them
        fill()
        if asked:
            handle = first_of(list(asked))
            task = asked.pop(handle)
            fill()  # before the answer is dealt with: workers need not wait for that
            yield task, handle
        elif exhausted:
            return
