"""Time in the engine: ticks, the agenda that runs ahead of SimPy's calendar, and who is woken when.

The order of events within one millisecond is part of the model (docs/model.md, "Ties"). Engine time is therefore
counted in ticks of an eleventh of a millisecond: repairs end first, then work, maintenance and drains, failures are
identified, gangs leave detection, what was struck joins the queue for repair, waiting gangs are served, relapses
strike, maintenance begins, and failures strike last.

A handler puts what follows from it on the agenda. What comes before anything else in SimPy's calendar is done on
the spot, by the same handlers and in the same order. The rest stays on the agenda: whoever wakes up before it settles
it. So a failure costs no event of its own where nothing in the calendar comes between, and nothing is modelled twice.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

import simpy

TICKS = 11
"""Ticks in a millisecond."""
REPAIRED, FINISHED, BACK, DRAINED, IDENTIFY, LEAVE, ADMIT, SERVICE, RELAPSE, PLANNED, STRIKE = range(TICKS)

Handler = Callable[[int, Any], None]
"""Called with the time [ms] and what it is about."""


class Timeline:
    """SimPy's calendar with an agenda before it."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.end = TICKS * horizon
        self.env = simpy.Environment()
        self.agenda: list[tuple[int, int, Handler, Any]] = []
        self.number = count()
        self.quiet_until: float = 0

    def push(self, at: int, handler: Handler, what: Any, tick: int) -> None:
        """Put a handler on the agenda for ``at`` [ms]."""
        heappush(self.agenda, (TICKS * at + tick, next(self.number), handler, what))

    def settle_agenda(self, next_strike: int) -> None:
        """Do now what comes before anything else; the process that comes first settles the rest.

        ``next_strike`` is a tick that is not in the calendar yet.
        """
        agenda = self.agenda
        quiet_until = self.env.peek()
        if next_strike < quiet_until:
            quiet_until = next_strike
        self.quiet_until = quiet_until
        while agenda and agenda[0][0] < quiet_until:
            tick, _, handler, what = heappop(agenda)
            handler(tick // TICKS, what)

    def hand_over(self) -> None:
        """Let SimPy wake what is left on the agenda."""
        agenda, env = self.agenda, self.env
        for tick, _, handler, what in sorted(agenda):
            if tick < self.end:
                env.timeout(tick - env.now, (handler, what)).callbacks.append(self.on_event)
        agenda.clear()

    def on_event(self, event: Any) -> None:
        """Run the handler that a SimPy event carries."""
        handler, what = event.value
        self.quiet_until = self.env.peek()
        handler(int(self.env.now) // TICKS, what)
        if self.agenda:
            self.settle_agenda(self.end)
            self.hand_over()
