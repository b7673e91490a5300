"""Failures strike, gangs come back, crews repair: one replication of a plain scenario in SimPy.

Plain is what the published calculators speak of: typed blasts, constant rates, one stage of repair, gangs of one shape.
Counts per gang settle it, without a place for any GPU. ``engine.everything`` does the rest on the same timeline.
"""

from collections.abc import Generator, Iterator
from heapq import heappush
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.engine.accounts import close
from dcsim.engine.crews import Crews
from dcsim.engine.gang import DETECT, WAIT
from dcsim.engine.service import G, Service
from dcsim.engine.timeline import IDENTIFY, REPAIRED, STRIKE, TICKS
from dcsim.hazards import Draws
from dcsim.ledger import Accounts
from dcsim.scenario import Plan

Strike = tuple[int, int, int, int, int, int, int]
"""Time [ms], hazard, gang (their number: free GPUs), marked rank, repair time [ms], tick, next one's tick."""
SLICE = 65_536
"""Strikes that are Python objects at a time (assumed): as tuples they take several times the memory of their array."""

Group = tuple[Any, int, int, Crews]
"""What one failure struck: members of which gang (None: free GPUs), how many, repair time [ms], crews. A plain tuple,
because one is made per failure; one crew and one draw, whatever its size."""


class Simulation(Service[G]):
    """The state of one replication and the handlers that change it; all times in ms."""

    def __init__(self, plan: Plan, replication: int, gangs: list[G]) -> None:
        super().__init__(plan, gangs)
        scenario = plan.scenario
        self.replication = replication
        self.detect = [round(hazard.mean_detect_ms) for hazard in scenario.hazards]
        self.blast = [hazard.blast if isinstance(hazard.blast, int) else 0 for hazard in scenario.hazards]
        self.free_slots = scenario.cluster.gpus - scenario.gpus_in_jobs
        self.free_repair_gpu_ms = self.free_maintenance_gpu_ms = self.unpowered_gpu_ms = 0
        self.failures = self.drawn = 0
        named: dict[str | int, Crews] = {}  # crews without a name are a hazard's own
        self.crews = [
            named.setdefault(hazard.stages[0].name or number, Crews(hazard.stages[0].crews))
            for number, hazard in enumerate(scenario.hazards)
        ]

    # --- failures -------------------------------------------------------------------------------------------------

    def fail(self, strikes: NDArray[np.int64]) -> Generator[simpy.Event, None, None]:
        """SimPy process: every failure of every hazard, in order. It sleeps only if something else comes first.

        What is left on the agenda is settled after the next strike, or by what comes before it.
        """
        env, peek = self.env, self.env.peek
        for strike in one_by_one(strikes):
            tick = strike[5]
            if peek() < tick:
                yield env.timeout(tick - env.now)
            self.strike_slot(strike)
            if self.agenda:
                self.settle_agenda(strike[6])

    def submit(self, gang: G) -> Generator[simpy.Event, None, None]:
        """SimPy process: a gang that arrives after the start."""
        yield self.env.timeout(TICKS * gang.gang.submit)
        self.quiet_until = self.env.peek()
        self.want(gang, gang.gang.submit, True)
        self.settle_agenda(self.end)
        self.hand_over()

    def strike_slot(self, strike: Strike) -> None:
        """A typed blast marks a slot: ranks of one gang, or free GPUs; what is out of service cannot be struck."""
        now, hazard, target, rank, repair, _, _ = strike
        blast = self.blast[hazard]
        first = rank - rank % blast
        if target < len(self.gangs):
            gang = self.gangs[target]
            up = gang.up
            if rank < up:
                struck = blast if first + blast <= up else up - first
                self.hit(gang, struck, now)
                self.leave(now, hazard, (gang, struck, repair, self.crews[hazard]))
                return
            rank = self.surplus_rank(gang, rank)
            first = rank - rank % blast
        if rank < self.free:
            struck = min(blast, self.free - first)
            self.change_free(-struck, now)
            self.free_repair_gpu_ms += struck * (self.horizon - now)  # free GPUs are in repair from this moment
            self.leave(now, hazard, (None, struck, repair, self.crews[hazard]))

    def surplus_rank(self, gang: G, rank: int) -> int:
        """Return the free GPU behind a void slot of a gang.

        More GPUs can be free than there are free slots (a gang in detect, or one not submitted yet, leaves its slots
        void while others come back): they stand in the void slots, in order, so that every GPU in service can fail.
        """
        if self.free <= self.free_slots:
            return self.free
        void = sum(other.gpus - other.up for other in self.gangs[: gang.index])
        return self.free_slots + void + rank - gang.up

    def hit(self, gang: G, struck: int, now: int) -> None:
        """Members are struck: the gang hangs, what is not saved is lost, and everything begins anew."""
        gang.strike(struck, now)
        if gang.phase == WAIT:
            self.waiting.remove(gang)
        gang.phase = DETECT
        gang.up -= struck
        gang.pending += struck
        gang.open += 1
        gang.out += struck

    def leave(self, now: int, hazard: int, group: Group) -> None:
        """The failure will be identified after its detection time."""
        self.failures += 1
        heappush(self.agenda, (TICKS * (now + self.detect[hazard]) + IDENTIFY, next(self.number), self.identify, group))

    # --- recovery -------------------------------------------------------------------------------------------------

    def identify(self, now: int, group: Group) -> None:
        """The struck group leaves for repair; after its last identification a gang takes replacements."""
        gang, struck, repair, crews = group
        if crews.size is None or crews.admit((repair, self.finish_repair, group)):
            heappush(self.agenda, (TICKS * (now + repair), next(self.number), self.finish_repair, group))
        if gang is None:
            return
        gang.detect_gpu_ms += (gang.up + gang.pending) * (now - gang.since)
        gang.since = now
        gang.pending -= struck
        gang.open -= 1
        gang.repair_gpu_ms += struck * (self.horizon - now)
        if not gang.open:
            self.want(gang, now, True)

    def finish_repair(self, now: int, group: Group) -> None:
        """Everything repaired returns to the free GPUs; the crew takes the next group."""
        left = self.horizon - now
        gang, struck, _, crews = group
        if gang is None:
            self.free_repair_gpu_ms -= struck * left
        else:
            gang.repair_gpu_ms -= struck * left
            gang.out -= struck
        self.change_free(struck, now)
        task = None if crews.size is None else crews.release()
        if task is not None:
            self.push(now + task[0], task[1], task[2], REPAIRED)
        if self.waiting:
            self.call_service(now)

    # --- accounts -------------------------------------------------------------------------------------------------

    def run(self, strikes: Any) -> Accounts:
        """Run to the horizon and return the verified ledger; ``strikes`` as ``begin_failures`` takes them."""
        for gang in self.gangs:
            if gang.gang.submit:
                self.env.process(self.submit(gang))
        self.begin_failures(strikes)
        self.env.run(until=self.end)
        self.close_gangs()
        self.change_free(0, self.horizon)
        return close(self)

    def close_gangs(self) -> None:
        """Book what the horizon cuts."""
        for gang in self.gangs:
            gang.close(self.horizon)

    def begin_failures(self, strikes: Any) -> None:
        """Let the failures strike; they are as ``strikes_of`` gives them."""
        self.env.process(self.fail(strikes))


def strikes_of(plan: Plan, drawn: list[Draws]) -> NDArray[np.int64]:
    """Lay out one replication's failures, int64 (7, failures): the columns of ``Strike``.

    They are ordered by time, then hazard order, then draw number.
    """
    failures = [each.failures for each in drawn]
    strikes = np.empty((7, sum(len(each.times) for each in failures)), dtype=np.int64)
    end = 0
    for number, each in enumerate(failures):
        start, end = end, end + len(each.times)
        target = plan.gang_at(each.marks)
        repairs = drawn[number].outcomes(end - start).stages[0]
        columns = ((0, each.times), (2, target), (3, each.marks - plan.slot_bounds[target]), (4, repairs))
        strikes[1, start:end] = number
        for row, column in columns:
            strikes[row, start:end] = column
    if len(drawn) > 1:
        strikes = strikes[:, np.argsort(strikes[0], kind="stable")]
    strikes[5] = TICKS * strikes[0] + STRIKE
    strikes[6, :-1], strikes[6, -1:] = strikes[5, 1:], TICKS * plan.scenario.horizon
    return strikes


def one_by_one(strikes: NDArray[np.int64]) -> Iterator[Strike]:
    """Yield the strikes in order, as Python ints."""
    for start in range(0, strikes.shape[1], SLICE):
        yield from zip(*strikes[:, start : start + SLICE].tolist(), strict=True)
