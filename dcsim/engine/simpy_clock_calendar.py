"""SimPy's calendar in the order of the model: what rules push wakes the process that it concerns, in its turn.

SimPy's time is in ms. Its queue is ordered by time, then priority, then the order of scheduling. An entry of ``due`` is
scheduled at the moment at which a rule pushes it, with its tick as the priority: so SimPy's order is that of the heap,
(tick, number of the entry), and each entry checks that when its turn comes. A user's own timeouts have SimPy's usual
priority, which comes before all ticks: they happen before anything of the model does in that millisecond.
"""

from collections.abc import Callable, Generator
from typing import Any

import simpy

from dcsim.program.plain_world import PlainWorld
from dcsim.program.records import PLANNED

FIRST = 2
"""Priority of the first tick of a millisecond, behind SimPy's own 0 (urgent) and 1 (normal)."""

Entry = tuple[int, int, int, int]
"""Kind, what, further and time [ms] of an entry of ``due``."""
Waits = Generator[simpy.Event, Any, None]


class Call(simpy.Event):
    """What a process waits for: the next thing that is due for it, whatever that will be."""

    def happens(self, value: Any) -> None:
        """Wake the process at once, within the step of the event that says so, and not one step later."""
        self._ok = True
        self._value = value
        callbacks, self.callbacks = self.callbacks, None  # type: ignore[assignment]
        for callback in callbacks:
            callback(self)


class Box:
    """What is due for one process. ``due``: how many entries; ``call``: what the process waits for."""

    __slots__ = ("call", "due", "env")

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.due = env, 0
        self.call: Call | None = None

    def next(self) -> Call:
        """Return an event whose value is the next entry."""
        self.call = Call(self.env)
        return self.call

    def deliver(self, value: Any) -> None:
        """Wake the process with an entry."""
        self.due -= 1
        assert self.call is not None
        self.call.happens(value)


class Calendar:
    """SimPy's environment, and what is scheduled in it."""

    def __init__(self, world: PlainWorld, listings: int) -> None:
        self.env = simpy.Environment()
        self.world = world
        self.windows_open = FIRST + PLANNED
        """Priority of the first listing of maintenance; failures of the first hazard come behind the last one's."""
        self.failures_strike = self.windows_open + listings

    def at(self, time: int, priority: int, callback: Callable[[simpy.Event], None] | None = None) -> simpy.Event:
        """Return an event that happens at a time [ms] with this priority."""
        event = simpy.Event(self.env)
        event._ok = True
        event._value = None
        if callback is not None:
            event.callbacks.append(callback)
        assert time >= self.env.now, "no rule plans what is over"
        self.env.schedule(event, priority, time - self.env.now)  # type: ignore[arg-type]
        return event

    def entry(self, box: Box, at: int, tick: int, number: int, entry: Entry, drop: Callable[[Any], None]) -> None:
        """Schedule what a rule has pushed: its process takes it off the heap, where it must be the first."""
        world = self.world

        def happens(_: simpy.Event) -> None:
            assert world.due[0].number == number, "SimPy's order is not the heap's"
            drop(world)
            box.deliver(entry)

        box.due += 1
        self.at(at, FIRST + tick, happens)
