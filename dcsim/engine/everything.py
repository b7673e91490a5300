"""One replication with everything that a scenario can hold: places, ages, effects, stages of repair, maintenance."""

from collections.abc import Iterator
from heapq import heappop
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.places import OUT
from dcsim.engine.planned import Planned
from dcsim.engine.timeline import PLANNED, STRIKE, TICKS

Known = tuple[int, int, int, int, int]
"""A failure known beforehand: time [ms], hazard, gang or component, rank (of a component: 1 if a lemon's excess),
draw number."""
NEVER = 2**62


class Everything(Planned):
    """Failures known beforehand, failures of ageing components and planned windows, woken in their order."""

    def begin_failures(self, strikes: Iterator[Known]) -> None:
        """Let the failures strike."""
        self.known = strikes
        self.windows = self.plan.windows()
        self.next_known = next(self.known, None)
        self.next_window = next(self.windows, None)
        self.wake_at: float = NEVER
        self.awake = False
        for gang in self.gangs:
            self.plan_finish(gang)
        self.begin_plant()
        self.note_beginning()
        self.settle_agenda(self.end)

    def next_tick(self) -> int:
        """Return the tick of the next failure or window."""
        tick = NEVER
        if self.next_known is not None:
            tick = TICKS * self.next_known[0] + STRIKE
        if self.dues and TICKS * self.dues[0][0] + STRIKE < tick:
            tick = TICKS * self.dues[0][0] + STRIKE
        if self.next_window is not None and TICKS * self.next_window[0] + PLANNED < tick:
            tick = TICKS * self.next_window[0] + PLANNED
        return tick

    def advance(self) -> None:
        """Let everything happen that comes before the next event of the calendar."""
        self.awake = True
        while (tick := self.next_tick()) < self.end and tick <= self.env.peek():
            self.happen(tick)
            self.settle_agenda(self.end)
        self.awake = False
        self.set_alarm()

    def set_alarm(self) -> None:
        """Have the next failure or window wake this, if nothing does so before."""
        tick = self.next_tick()
        if tick < self.wake_at and tick < self.end:
            self.wake_at = tick
            self.env.timeout(tick - self.env.now).callbacks.append(self.wake)

    def wake(self, event: Any) -> None:
        """SimPy callback: something is due, unless it was dealt with before."""
        if self.wake_at <= self.env.now:
            self.wake_at = NEVER
        self.advance()

    def happen(self, tick: int) -> None:
        """Deal with the next failure or window, which is due at ``tick``."""
        now = tick // TICKS
        if tick % TICKS == PLANNED:
            assert self.next_window is not None
            _, number, component = self.next_window
            self.next_window = next(self.windows, None)
            self.open_window(number, component, now)
            return
        known = self.next_known
        if known is not None and known[0] == now and (not self.dues or known[:2] < self.dues[0][:2]):
            self.next_known = next(self.known, None)
            _, number, target, rank, draw = known
            cause = self.causes[number]
            if not cause.placed:
                self.fail_slot(cause, target, rank, now, draw)
            elif not rank or cause.lemon[target]:
                self.fail_component(cause, target, now, draw)
            return
        _, number, component = heappop(self.dues)
        clock = self.causes[number].clock
        assert clock is not None
        if clock.strikes(component, now):
            self.fail_component(self.causes[number], component, now, -1)
            if clock.strikes(component, now):  # there was nothing that it could do (nobody to kill): a new life
                clock.fail(component, now)
                clock.renew(component, now, True)

    def settle_agenda(self, next_strike: int) -> None:
        """Do now what comes before anything else; hand the rest to SimPy. What is done may bring new failures."""
        agenda = self.agenda
        while agenda:
            self.quiet_until = min(self.env.peek(), self.next_tick(), self.end)
            if agenda[0][0] >= self.quiet_until:
                break
            tick, _, handler, what = heappop(agenda)
            handler(tick // TICKS, what)
        self.hand_over()
        if not self.awake:
            self.set_alarm()

    def on_event(self, event: Any) -> None:
        """Run the handler that a SimPy event carries; it may have brought a failure forward."""
        super().on_event(event)
        self.set_alarm()

    def close_gangs(self) -> None:
        """Book what the horizon cuts."""
        for case in self.unfound:
            self.rest("repair", sum(gpus for gang, gpus in case.parts if gang is None), case.at, self.horizon)
        for repair in self.away:
            self.book_repair(repair, self.horizon)
        for window in self.stays:
            self.book_stay(window, self.horizon)
        for absence in self.absent:
            self.book_absence(absence, slice(None), self.horizon)
        if self.log is not None:
            self.note_queues()
            if self.gateways is not None:
                self.gateways.close(self.horizon)
        super().close_gangs()

    def note_beginning(self) -> None:
        """Log where everything lies at t = 0."""
        if self.log is None or self.places is None:
            return
        owner = self.places.owner
        serving = np.flatnonzero(owner != OUT)
        self.note_places(serving, owner[serving], 0)
        for absence in self.absent:
            self.note_places(absence.atoms, absence.owners, 0, absence.state)

    def known_failures(self) -> Iterator[Known]:
        """Yield the failures that are known beforehand, ordered by time, hazard, draw number."""
        self.drawn = self.plan.drawn([cause.draws for cause in self.causes])
        columns: list[NDArray[np.int64]] = []
        for cause in self.causes:
            if cause.hazard.ages:
                continue
            failures = cause.draws.failures
            cause.known_outcomes(len(failures.times))
            if cause.placed:
                target, rank = failures.marks, failures.excess.astype(np.int64)
            else:
                target = self.plan.gang_at(failures.marks)
                rank = failures.marks - self.plan.slot_bounds[target]
            number = np.full(len(target), cause.number, dtype=np.int64)
            columns.append(np.stack([failures.times, number, target, rank, np.arange(len(target))]))
        known = np.concatenate(columns, axis=1) if columns else np.empty((5, 0), dtype=np.int64)
        known = known[:, np.argsort(known[0], kind="stable")]
        yield from zip(*known.tolist(), strict=True)
