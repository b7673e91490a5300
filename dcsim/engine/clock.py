"""Ages: one clock per component of a hazard whose components are not memoryless."""

from collections.abc import Callable
from heapq import heapify, heappush

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.places import FREE, OUT, Places
from dcsim.hazards import Draws, Hazard

STOPPED = np.int64(2**62)
"""When a clock that stands still begins to run."""

Due = tuple[int, int, int]
"""When [ms], which hazard, which component."""


class Clock:
    """Time left to each component's failure. A clock runs while its component is in service, or while it computes."""

    def __init__(
        self,
        number: int,
        hazard: Hazard,
        draws: Draws,
        lemon: NDArray[np.bool_],
        places: Places,
        starts: Callable[[], NDArray[np.int64]],
        dues: list[Due],
        horizon: int,
    ) -> None:
        self.number, self.hazard, self.draws, self.lemon = number, hazard, draws, lemon
        self.places, self.starts, self.dues, self.horizon = places, starts, dues, horizon
        components = len(lemon)
        self.rows: list[NDArray[np.int64]] = []
        self.row = np.zeros(components, dtype=np.int64)
        self.age = np.full(components, hazard.age, dtype=np.int64)  # at the start of this life
        self.begin = np.full(components, STOPPED)
        self.failed = np.zeros(components, dtype=bool)
        self.width = 1 if hazard.serves else places.topology.gpus_per(hazard.component) // places.atom
        lives = self._lives(0)
        self.life = np.where(lemon, self._hastened(lives), lives) if lemon.any() else lives.copy()
        self.left = self.life.copy()
        self.refresh(np.arange(components), 0)

    def _lives(self, row: int) -> NDArray[np.int64]:
        while len(self.rows) <= row:
            self.rows.append(self.draws.lives(len(self.rows)))
        return self.rows[row]

    def _hastened(self, lives: NDArray[np.int64]) -> NDArray[np.int64]:
        """A lemon's life: shorter by its factor, at least 1 ms."""
        assert self.hazard.lemons is not None
        return np.maximum(1, np.rint(lives / self.hazard.lemons.factor).astype(np.int64))

    def components_of(self, atoms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the components that hold these atoms."""
        if self.hazard.serves:  # it holds none: its clock stands still only while it is repaired
            return np.empty(0, dtype=np.int64)
        components: NDArray[np.int64] = np.unique(atoms // self.width)
        return components

    def first_owner(self, components: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return who owns each component's first GPU in service; OUT: none is."""
        if self.hazard.serves:
            return np.full(len(components), FREE)
        owner = self.places.owner
        if self.width == 1:
            return owner[components]
        cells = components[:, None] * self.width + np.arange(self.width)
        owners = np.where(cells < len(owner), owner[np.minimum(cells, len(owner) - 1)], OUT)
        first: NDArray[np.int64] = owners[np.arange(len(components)), (owners != OUT).argmax(axis=1)]
        return first

    def refresh(self, components: NDArray[np.int64], now: int) -> None:
        """Let these components' clocks run or stand still, as their places and gangs say."""
        owner = self.first_owner(components)
        begin = np.where(owner == OUT, STOPPED, now)
        if self.hazard.exposure == "running":
            starts = np.append(self.starts(), [STOPPED, STOPPED])  # OUT and FREE count from the end
            begin = np.maximum(now, starts[owner])
        begin[self.failed[components]] = STOPPED
        was = self.begin[components]
        self.left[components] -= np.maximum(0, now - was)
        self.begin[components] = begin
        due = begin + self.left[components]
        coming = np.flatnonzero(due < self.horizon)
        entries = zip(due[coming].tolist(), components[coming].tolist(), strict=True)
        if len(coming) > len(self.dues) // 4:
            self.dues.extend((at, self.number, component) for at, component in entries)
            heapify(self.dues)
        else:
            for at, component in entries:
                heappush(self.dues, (at, self.number, component))

    def strikes(self, component: int, at: int) -> bool:
        """Return whether the component is due at this moment (what was planned before it stood still is not)."""
        return bool(self.begin[component] + self.left[component] == at)

    def fail(self, component: int, now: int) -> None:
        """Stop the clock: the component has failed, and its life is over."""
        self.failed[component] = True
        self.begin[component] = STOPPED

    def renew(self, component: int, now: int, fixed: bool) -> None:
        """Begin a new life; not ``fixed``: its age goes on, as bad as old."""
        lemon = bool(self.lemon[component])
        if fixed:
            self.row[component] += 1
            life = self._lives(int(self.row[component]))[component : component + 1]
            self.age[component] = 0
        else:
            self.age[component] += self.life[component]
            age = self.age[component : component + 1]
            if lemon:
                assert self.hazard.lemons is not None
                age = np.rint(age * self.hazard.lemons.factor).astype(np.int64)
            life = self.draws.residual(age)
        if lemon:
            life = self._hastened(life)
        self.life[component] = self.left[component] = life[0]
        self.failed[component] = False
        self.refresh(np.array([component]), now)


assert (FREE, OUT) == (-1, -2)  # `refresh` counts owners from the end
