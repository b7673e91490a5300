"""Failures strike, gangs come back, crews repair: one replication in SimPy.

The order of events within one millisecond is part of the model (MODEL.md, "Ties"), so engine time is counted in
ticks of a third of a millisecond: what ends comes at 3 t, waiting gangs are served at 3 t + 1, strikes at 3 t + 2.

A handler puts what follows from it on the agenda. What comes before anything else in SimPy's calendar is done on
the spot, by the same handlers and in the same order; only the rest costs an event. A failure that stands alone thus
costs none, and nothing is modelled twice.
"""

from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from dcsim.engine.accounts import close
from dcsim.engine.crews import Crews, Group, Part
from dcsim.engine.gang import DETECT, WAIT, WHOLE, GangState
from dcsim.engine.places import Places
from dcsim.ledger import Accounts
from dcsim.scenario import Plan, Scenario, plan

Strike = tuple[int, int, int, int, int, int, int]
"""Time [ms], hazard, gang or component, marked rank (-1: derived blast), repair time [ms], tick, next one's tick."""
SLICE = 65_536
"""Strikes that are Python objects at a time (assumed): as tuples they take several times the memory of their array."""
ORDER = attrgetter("order")


class Simulation:
    """The state of one replication and the handlers that change it; all times in ms."""

    def __init__(self, plan: Plan, replication: int) -> None:
        scenario = plan.scenario
        self.plan, self.replication, self.horizon = plan, replication, scenario.horizon
        self.hazards = scenario.hazards
        self.detect = [hazard.detect for hazard in scenario.hazards]
        self.blast = [hazard.blast if isinstance(hazard.blast, int) else 0 for hazard in scenario.hazards]
        self.gangs = [GangState(gang) for gang in plan.gangs]
        self.preemptible = sorted(self.gangs, key=lambda gang: (gang.priority, -gang.index))
        self.waiting: list[GangState] = []
        derived = any(hazard.struck_part for hazard in scenario.hazards)
        self.places = Places(plan) if derived else None

        self.spares = scenario.cluster.spares
        self.free = scenario.cluster.gpus - sum(gang.up for gang in self.gangs)
        self.free_slots = scenario.cluster.gpus - scenario.gpus_in_jobs
        self.free_since = self.spare_gpu_ms = self.idle_gpu_ms = self.free_repair_gpu_ms = 0
        self.failures = 0

        named: dict[str | int, Crews] = {}  # crews without a name are a hazard's own
        self.crews = [
            named.setdefault(hazard.stage.name or number, Crews(hazard.stage.crews))
            for number, hazard in enumerate(scenario.hazards)
        ]
        self.env = simpy.Environment()
        self.agenda: list[tuple[int, int, Callable[[int, Any], None], Any]] = []
        self.number = count()
        self.serving = -1
        self.quiet_until: float = 0
        self.end = 3 * self.horizon

    # --- time -----------------------------------------------------------------------------------------------------

    def settle_agenda(self, next_strike: int) -> None:
        """Do now what comes before anything else; hand the rest to SimPy.

        ``next_strike`` is a tick that is not in the calendar yet.
        """
        agenda, env = self.agenda, self.env
        quiet_until = env.peek()
        if next_strike < quiet_until:
            quiet_until = next_strike
        self.quiet_until = quiet_until
        while agenda and agenda[0][0] < quiet_until:
            tick, _, handler, what = heappop(agenda)
            handler(tick // 3, what)
        for tick, _, handler, what in sorted(agenda):
            env.timeout(tick - env.now, (handler, what)).callbacks.append(self.on_event)
        agenda.clear()

    def on_event(self, event: Any) -> None:
        """Run the handler that a SimPy event carries."""
        handler, what = event.value
        self.quiet_until = self.env.peek()
        handler(int(self.env.now) // 3, what)
        if self.agenda:
            self.settle_agenda(self.end)

    def fail(self, strikes: NDArray[np.int64]) -> Generator[simpy.Event, None, None]:
        """SimPy process: every failure of every hazard, in order. It sleeps only if something else comes first."""
        env, peek = self.env, self.env.peek
        for strike in one_by_one(strikes):
            tick = strike[5]
            if peek() < tick:
                yield env.timeout(tick - env.now)
            if strike[3] < 0:
                self.strike_place(strike)
            else:
                self.strike_slot(strike)
            if self.agenda:
                self.settle_agenda(strike[6])

    def submit(self, gang: GangState) -> Generator[simpy.Event, None, None]:
        """SimPy process: a gang that arrives after the start."""
        yield self.env.timeout(3 * gang.gang.submit)
        self.quiet_until = self.env.peek()
        self.want(gang, gang.gang.submit, True)
        self.settle_agenda(self.end)

    # --- failures -------------------------------------------------------------------------------------------------

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
                atoms = self.places.strike(target, first, struck) if self.places else None
                self.hit(gang, struck, now)
                self.leave(now, hazard, ([(gang, struck)], struck, repair, self.crews[hazard], atoms))
                return
            rank = self.surplus_rank(gang, rank)
            first = rank - rank % blast
        if rank < self.free:
            struck = min(blast, self.free - first)
            atoms = self.places.strike(-1, first, struck) if self.places else None
            self.hit_free(struck, now)
            self.leave(now, hazard, ([(None, struck)], struck, repair, self.crews[hazard], atoms))

    def surplus_rank(self, gang: GangState, rank: int) -> int:
        """Return the free GPU behind a void slot of a gang.

        More GPUs can be free than there are free slots (a gang in detect, or one not submitted yet, leaves its slots
        void while others come back): they stand in the void slots, in order, so that every GPU in service can fail.
        """
        if self.free <= self.free_slots:
            return self.free
        void = sum(other.gpus - other.up for other in self.gangs[: gang.index])
        return self.free_slots + void + rank - gang.up

    def strike_place(self, strike: Strike) -> None:
        """A derived blast strikes what depends on the failed component; each gang loses its own."""
        now, hazard, component, _, repair, _, _ = strike
        places, topology = self.places, self.plan.topology
        assert places is not None
        failed, part = self.hazards[hazard].component, self.hazards[hazard].struck_part
        assert part is not None
        own = topology.span(failed, component)
        if not places.any_up(*own):
            return  # what is out of service cannot fail
        owners, atoms = places.strike_span(*topology.span(part, own[0] // topology.gpus_per(part)))
        parts: list[Part] = []
        for owner, struck in owners:
            if owner >= 0:
                self.hit(self.gangs[owner], struck, now)
                parts.append((self.gangs[owner], struck))
            else:
                self.hit_free(struck, now)
                parts.append((None, struck))
        if parts:
            struck = sum(gpus for _, gpus in parts)
            self.leave(now, hazard, (parts, struck, repair, self.crews[hazard], atoms))

    def hit(self, gang: GangState, struck: int, now: int) -> None:
        """Members are struck: the gang hangs, what is not saved is lost, and everything begins anew."""
        gang.book(now, rolled_back=True)
        if gang.phase == WAIT:
            self.waiting.remove(gang)
        gang.phase = DETECT
        gang.up -= struck
        gang.pending += struck
        gang.out += struck
        gang.strikes += 1

    def hit_free(self, struck: int, now: int) -> None:
        """Free GPUs are struck: they are in repair from this moment."""
        self.change_free(-struck, now)
        self.free_repair_gpu_ms += struck * (self.horizon - now)

    def leave(self, now: int, hazard: int, group: Group) -> None:
        """The failure will be identified after its detection time."""
        self.failures += 1
        heappush(self.agenda, (3 * (now + self.detect[hazard]), next(self.number), self.identify, group))

    # --- recovery -------------------------------------------------------------------------------------------------

    def identify(self, now: int, group: Group) -> None:
        """The struck group leaves for repair; after its last identification a gang takes replacements."""
        parts, _, repair, crews, _ = group
        if crews.size is None or crews.admit(group):
            heappush(self.agenda, (3 * (now + repair), next(self.number), self.finish_repair, group))
        left = self.horizon - now
        for gang, struck in parts:
            if gang is None:
                continue
            gang.detect_gpu_ms += (gang.up + gang.pending) * (now - gang.since)
            gang.since = now
            gang.pending -= struck
            gang.repair_gpu_ms += struck * left
            if not gang.pending:
                self.want(gang, now, len(parts) == 1)

    def finish_repair(self, now: int, group: Group) -> None:
        """Everything repaired returns to the free GPUs; the crew takes the next group."""
        left = self.horizon - now
        parts, gpus, _, crews, atoms = group
        for gang, struck in parts:
            if gang is None:
                self.free_repair_gpu_ms -= struck * left
            else:
                gang.repair_gpu_ms -= struck * left
                gang.out -= struck
        if self.places:
            self.places.give_back(atoms)
        self.change_free(gpus, now)
        follower = None if crews.size is None else crews.release()
        if follower is not None:
            heappush(self.agenda, (3 * (now + follower[2]), next(self.number), self.finish_repair, follower))
        if self.waiting:
            self.call_service(now)

    def want(self, gang: GangState, now: int, alone: bool) -> None:
        """A gang is short of hardware, or must see whether it is; ``alone``: its handler brings no other gang."""
        short = gang.gpus - gang.up
        if alone and short <= self.free and not self.waiting and not gang.cold:
            tick = 3 * now
            if self.quiet_until > tick and (not self.agenda or self.agenda[0][0] > tick):
                self.change_free(-short, now)  # nothing else ends in this millisecond: no need to queue for service
                if self.places:
                    self.places.take(gang.index, short)
                gang.up = gang.gpus
                gang.resume(now)
                return
        gang.phase, gang.since = WAIT, now
        if gang.short_since < 0:
            gang.short_since = now
        gang.order = (-gang.priority, gang.short_since, gang.index)
        self.waiting.append(gang)
        self.call_service(now)

    def call_service(self, now: int) -> None:
        """Have waiting gangs served once everything of this millisecond has ended."""
        if self.serving != now:
            self.serving = now
            heappush(self.agenda, (3 * now + 1, next(self.number), self.serve, None))

    def serve(self, now: int, _: object) -> None:
        """Give free GPUs to waiting gangs, the head first; then take its deficit from gangs of lower priority."""
        waiting = self.waiting
        if len(waiting) > 1:
            waiting.sort(key=ORDER)
        position = 0
        while position < len(waiting):
            gang = waiting[position]
            need = gang.gpus - gang.up - (gang.out if gang.cold else 0)
            if need > 0:
                taken = need if need < self.free else self.free
                if taken:
                    self.change_free(-taken, now)
                    self.take(gang, taken, now)
                if taken < need and self.preempt(gang, need - taken, now):
                    waiting.sort(key=ORDER)  # the losers stand behind this gang
            if gang.up == gang.gpus:
                del waiting[position]
                gang.wait_gpu_ms += gang.up * (now - gang.since)
                gang.resume(now)
            elif need > 0 and not self.free and gang.up + (gang.out if gang.cold else 0) < gang.gpus:
                break  # nothing is left for those behind: they outrank nobody whom this gang does not
            else:
                position += 1
        self.serving = -1

    def take(self, gang: GangState, gpus: int, now: int) -> None:
        """Give a waiting gang GPUs that are free."""
        gang.wait_gpu_ms += gang.up * (now - gang.since)
        gang.since = now
        if self.places:
            self.places.take(gang.index, gpus)
        gang.up += gpus

    def preempt(self, gang: GangState, need: int, now: int) -> bool:
        """Take up to ``need`` GPUs from gangs of strictly lower priority, lowest first; return whether any were."""
        wanted = need
        for loser in self.preemptible:
            if not need or loser.priority >= gang.priority:
                break
            if not loser.up:
                continue
            ceded = need if need < loser.up else loser.up
            loser.book(now, rolled_back=True)
            loser.up -= ceded
            if self.places:
                self.places.cede(loser.index, ceded)
            if loser.phase == WHOLE:
                self.want(loser, now, False)
            self.take(gang, ceded, now)
            need -= ceded
        return need < wanted

    # --- accounts -------------------------------------------------------------------------------------------------

    def change_free(self, gpus: int, now: int) -> None:
        """Book the free GPUs up to now, then change their number."""
        elapsed = now - self.free_since
        spare = self.free if self.free < self.spares else self.spares
        self.spare_gpu_ms += spare * elapsed
        self.idle_gpu_ms += (self.free - spare) * elapsed
        self.free_since = now
        self.free += gpus

    def run(self, strikes: NDArray[np.int64]) -> Accounts:
        """Run to the horizon and return the verified ledger; ``strikes`` as ``strikes_of`` gives them."""
        for gang in self.gangs:
            if gang.gang.submit:
                self.env.process(self.submit(gang))
        self.env.process(self.fail(strikes))
        self.env.run(until=3 * self.horizon)
        for gang in self.gangs:
            gang.book(self.horizon, rolled_back=False)
        self.change_free(0, self.horizon)
        return close(self)


def strikes_of(plan: Plan, replication: int) -> NDArray[np.int64]:
    """Draw one replication's failures, int64 (7, failures): the columns of ``Strike``.

    They are ordered by time, then hazard order, then draw number.
    """
    drawn = plan.failures(replication)
    strikes = np.empty((7, sum(len(each.times) for each in drawn)), dtype=np.int64)
    end = 0
    for number, (hazard, each) in enumerate(zip(plan.scenario.hazards, drawn, strict=True)):
        start, end = end, end + len(each.times)
        target, rank = each.marks, np.full_like(each.marks, -1)
        if not hazard.struck_part:
            target = plan.gang_at(each.marks)
            rank = each.marks - plan.slot_bounds[target]
        strikes[1, start:end] = number
        for row, column in ((0, each.times), (2, target), (3, rank), (4, each.repairs)):
            strikes[row, start:end] = column
    if len(drawn) > 1:
        strikes = strikes[:, np.argsort(strikes[0], kind="stable")]
    strikes[5] = 3 * strikes[0] + 2
    strikes[6, :-1], strikes[6, -1:] = strikes[5, 1:], 3 * plan.scenario.horizon
    return strikes


def one_by_one(strikes: NDArray[np.int64]) -> Iterator[Strike]:
    """Yield the strikes in order, as Python ints."""
    for start in range(0, strikes.shape[1], SLICE):
        yield from zip(*strikes[:, start : start + SLICE].tolist(), strict=True)


def simulate(scenario: Scenario, replication: int) -> Accounts:
    """Simulate one replication; the ledger is verified to conserve N * H exactly.

    The failures come from (seed, replication) alone; see ``dcsim.streams``.
    """
    prepared = plan(scenario)
    return Simulation(prepared, replication).run(strikes_of(prepared, replication))
