"""A hazard in the engine: its random numbers in order of use, its lemons, and which of its components are ill."""

from collections import deque
from typing import Any

import numpy as np

from dcsim.engine.clock import Clock
from dcsim.engine.crews import Crews
from dcsim.engine.full import FullGang
from dcsim.hazards import Draws, Hazard

BLOCK = 256
"""Outcomes drawn at a time for a hazard whose failures are not known beforehand (assumed)."""

Outcome = tuple[int, int, tuple[int, ...], bool]
"""Detection time, wrong blames, times of the stages that it goes through [ms], whether it comes back fixed."""

Part = tuple["FullGang | None", int]
"""Members of a gang (None: free GPUs), and how many."""


class Case:
    """One failure on its way: what it struck and what its draws say."""

    __slots__ = (
        "at",
        "atoms",
        "cause",
        "component",
        "detect",
        "fixed",
        "gpus",
        "number",
        "owners",
        "parts",
        "rank",
        "retired",
        "times",
        "wrong",
    )

    def __init__(self, cause: "Cause", component: int, outcome: Outcome, now: int) -> None:
        self.cause, self.component = cause, component  # -1: a slot
        self.detect, self.wrong, self.times, self.fixed = outcome
        self.at = now
        self.number = -1  # among the failures that count
        self.rank = 0  # of the slot
        self.parts: list[Part] = []
        self.gpus = 0
        self.atoms: Any = None  # with places: what was struck, and whose it was
        self.owners: Any = None
        self.retired = False


class Cause:
    """The changing part of a hazard."""

    def __init__(self, number: int, hazard: Hazard, draws: Draws, components: int, crews: list[Crews]) -> None:
        self.number, self.hazard, self.draws, self.crews = number, hazard, draws, crews
        self.name, self.effect, self.part = hazard.key, hazard.effect, hazard.struck_part
        self.blast = hazard.blast if isinstance(hazard.blast, int) else 0
        self.running = hazard.exposure == "running"
        self.placed = hazard.placed
        self.serves = hazard.serves
        self.keeps = hazard.keeps or 0.0
        self.remembers = (
            hazard.ages or hazard.serves or hazard.lemons is not None or hazard.effect in ("straggle", "degrade")
        )
        self.clock: Clock | None = None
        self.failed: set[int] = set()
        self.slow: dict[int, Case] = {}
        self.lemon = np.zeros(components if hazard.placed else 0, dtype=bool)
        if hazard.lemons is not None:
            self.lemon[draws.lemons] = True
        self.struck_at: dict[int, deque[int]] = {}
        self._outcomes: list[Outcome] = []
        self._used = 0

    def known_outcomes(self, failures: int) -> None:
        """Draw the outcomes of failures that are known beforehand, by draw number."""
        self._draw(failures)

    def outcome(self, number: int) -> Outcome:
        """Return the outcome of a failure by its draw number; -1: it was not known beforehand, the next one."""
        if number >= 0:
            return self._outcomes[number]
        self._used += 1
        if self._used > len(self._outcomes):
            self._outcomes.clear()
            self._draw(BLOCK)
            self._used = 1
        return self._outcomes[self._used - 1]

    def _draw(self, count: int) -> None:
        drawn = self.draws.outcomes(count)
        columns = drawn.detect.tolist(), drawn.wrong.tolist(), drawn.stages.T.tolist(), drawn.fixed.tolist()
        for detect, wrong, times, fixed in zip(*columns, strict=True):
            self._outcomes.append((detect, wrong, tuple(time for time in times if time >= 0), fixed))

    def retires(self, component: int, now: int) -> bool:
        """Count a failure of a component; return whether it was the one too many."""
        lemons = self.hazard.lemons
        if lemons is None or lemons.retire_after is None:
            return False
        times = self.struck_at.setdefault(component, deque())
        times.append(now)
        assert lemons.window is not None
        while times[0] <= now - lemons.window:
            times.popleft()
        return len(times) >= lemons.retire_after

    def cures(self, case: Case) -> bool:
        """Return whether a lemon that is back from its repair, or was replaced, is one no more."""
        lemons = self.hazard.lemons
        return lemons is not None and (case.retired or (case.fixed and lemons.cured_by == "repair"))

    def fail(self, component: int, now: int) -> None:
        """A component has failed: if it has a state, it cannot fail again before its repair has returned it."""
        if self.remembers:
            self.failed.add(component)
        if self.clock:
            self.clock.fail(component, now)

    def mend(self, component: int, now: int, fixed: bool) -> None:
        """A component can fail again: as new if it is ``fixed``, else as old as it was."""
        self.failed.discard(component)
        if self.clock:
            self.clock.renew(component, now, fixed)
