"""GPUs change hands: who owns which place, what that does to clocks and speeds, and when a gang starts or ends."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.cause import Case, Cause, Part
from dcsim.engine.clock import STOPPED, Clock, Due
from dcsim.engine.crews import Crews
from dcsim.engine.full import PPB, FullGang
from dcsim.engine.gang import DETECT, DONE, WAIT, WHOLE
from dcsim.engine.log import EventLog
from dcsim.engine.places import FREE, OUT, Atoms, Places
from dcsim.engine.simulation import Simulation
from dcsim.engine.timeline import FINISHED
from dcsim.ledger import REST, SPARES
from dcsim.scenario import Plan


class Movements(Simulation[FullGang]):
    """The pool with places, shapes, speeds and work to finish; all times in ms."""

    head_blocks = False

    def __init__(self, plan: Plan, replication: int, log: EventLog | None = None) -> None:
        scenario = plan.scenario
        self.log = log
        gangs = [
            FullGang(gang, plan.owners[gang.job], partial(plan.chances, replication, gang), log) for gang in plan.gangs
        ]
        super().__init__(plan, replication, gangs)
        held = scenario.cluster.in_rack_spares
        placed = any(hazard.placed for hazard in scenario.hazards) or scenario.maintenance or held or plan.has_plant
        self.places = Places(plan) if placed else None
        self.away: list[Any] = []  # repairs under way
        self.unfound: list[Case] = []  # struck free GPUs that are not identified yet
        self.faulty = 0  # relapses that are still to come, over all gangs
        self.slowed = False  # whether any gang is slow
        self.dues: list[Due] = []
        named: dict[str | tuple[int, int], Crews] = {}  # crews without a name are one hazard's own
        self.causes: list[Cause] = []
        for number, (hazard, draws) in enumerate(zip(scenario.hazards, plan.draws(replication), strict=True)):
            crews = [
                named.setdefault(stage.name or (number, place), Crews(stage.crews))
                for place, stage in enumerate(hazard.stages)
            ]
            cause = Cause(number, hazard, draws, plan.components(hazard), crews)
            self.causes.append(cause)
            if hazard.ages:
                assert self.places is not None  # a hazard that ages is placed
                cause.clock = Clock(
                    number, hazard, draws, cause.lemon, self.places, self.starts, self.dues, self.horizon
                )
        self.clocks = [cause.clock for cause in self.causes if cause.clock]
        self.exposed = [clock for clock in self.clocks if clock.hazard.exposure == "running"]

    # --- places ---------------------------------------------------------------------------------------------------

    def starts(self) -> NDArray[np.int64]:
        """Return when each gang is in the running part of its stretch, int64 (gangs,); STOPPED: it is not whole."""
        return np.array(
            [gang.since + gang.failover + gang.restore if gang.phase == WHOLE else STOPPED for gang in self.gangs],
            dtype=np.int64,
        )

    def parts_of(self, owners: NDArray[np.int64]) -> list[Part]:
        """Return how many GPUs of each owner are among these atoms, gangs in order, then free ones."""
        assert self.places is not None
        found, counts = np.unique(owners, return_counts=True)
        parts: list[Part] = []
        for owner, count in zip(found.tolist(), counts.tolist(), strict=True):
            parts.append((self.gangs[owner] if owner >= 0 else None, count * self.places.atom))
        return sorted(parts, key=lambda part: len(self.gangs) if part[0] is None else part[0].index)

    def moved(self, atoms: Atoms | None, now: int) -> None:
        """Atoms have changed hands or are back in service."""
        if atoms is not None:
            if self.log is not None and self.places is not None:
                serving = atoms[self.places.owner[atoms] != OUT]
                self.note_places(serving, self.places.owner[serving], now)
            for clock in self.clocks:
                clock.refresh(clock.components_of(atoms), now)
            self.end_relapses(atoms, now)
        self.refresh_speeds(now)

    def left(self, atoms: Atoms | None, now: int, struck: bool = True) -> None:
        """Atoms have left service; a straggler that is struck is slow no longer."""
        if atoms is None:
            return
        if struck:
            for cause in self.causes:
                if cause.effect == "straggle" and cause.slow:
                    self._clear_stragglers(cause, atoms, now)
        self.moved(atoms, now)

    def _clear_stragglers(self, cause: Cause, atoms: Atoms, now: int) -> None:
        assert self.places is not None
        for component in list(cause.slow):
            low, high = span = self.places.span(cause.hazard.component, component)
            taken = ((atoms >= low) & (atoms < high)).any()  # others may be out for maintenance, and come back slow
            if taken and not len(self.places.in_service(span)):
                del cause.slow[component]
                cause.mend(component, now, True)

    def end_relapses(self, atoms: Atoms, now: int) -> None:
        """Faulty members that are not in their gang any more will not strike it again."""
        if not self.faulty:
            return
        assert self.places is not None
        for gang in self.gangs:
            for case in list(gang.faulty):
                if case.atoms is None:
                    continue
                case.atoms = case.atoms[self.places.owner[case.atoms] == gang.index]
                case.gpus = len(case.atoms) * self.places.atom
                if not case.gpus:
                    gang.faulty.remove(case)
                    self.faulty -= 1
                    if case.component >= 0:
                        case.cause.mend(case.component, now, True)

    def refresh_speeds(self, now: int) -> None:
        """Let every gang run at the speed of its slowest member."""
        slowest: dict[int, int] = {}
        for cause in self.causes:
            for component in cause.slow:
                assert self.places is not None
                atoms = self.places.in_service(self.places.span(cause.hazard.component, component))
                for owner in np.unique(self.places.owner[atoms]).tolist():
                    slowest[owner] = min(slowest.get(owner, PPB), cause.hazard.keeps_ppb)
        if slowest or self.slowed:
            for gang in self.gangs:
                gang.straggle = slowest.get(gang.index, PPB)
                self.pace(gang, now)
            slowest.pop(FREE, None)
            self.slowed = bool(slowest)

    def pace(self, gang: FullGang, now: int) -> None:
        """Let a gang run at the speed that its members, power and the network leave."""
        if gang.change_speed(now):
            self.plan_finish(gang)

    def gang_clocks(self, gang: FullGang, now: int) -> None:
        """A gang has started or stopped: clocks that run only while it computes do the same."""
        if self.exposed:
            assert self.places is not None
            members = self.places.members(gang.index)
            for clock in self.exposed:
                clock.refresh(clock.components_of(members), now)

    # --- service --------------------------------------------------------------------------------------------------

    def change_free(self, gpus: int, now: int) -> None:
        """Book the free GPUs up to now, then change their number."""
        if self.log is not None and now > self.free_since:
            spare = min(self.free, self.spares)
            if spare:
                self.log.add("phase", SPARES, -1, "spare", spare, self.free_since, now)
            if self.free > spare:
                self.log.add("phase", REST, -1, "idle", self.free - spare, self.free_since, now)
        super().change_free(gpus, now)

    def want(self, gang: FullGang, now: int, alone: bool) -> None:
        """A gang is short of hardware, or must see whether it is."""
        super().want(gang, now, alone and not (self.places is not None and self.places.holes))
        gang.queued = gang.phase == WAIT

    def assign(self, gang: FullGang, gpus: int, now: int) -> None:
        """GPUs that were free belong to a gang from now on."""
        if self.places is not None:
            self.moved(self.places.take(gang.index, gpus), now)

    def ceded(self, gang: FullGang, gpus: int, now: int) -> None:
        """A gang has lost GPUs to another."""
        if self.places is not None:
            self.moved(self.places.cede(gang.index, gpus), now)

    def requeue(self, gang: FullGang, now: int) -> None:
        """A gang that was whole, or ran small, has lost members to another."""
        gang.draining.clear()
        if gang.queued:
            gang.phase = WAIT
        else:
            self.want(gang, now, False)
        self.gang_clocks(gang, now)

    def within_reach(self, gang: FullGang) -> int:
        """Return how many of the free GPUs the gang may take."""
        return self.places.reach(gang.index) if self.places is not None and self.places.holes else self.free

    def runs_small(self, gang: FullGang, now: int) -> None:
        """Let a gang that is short run with its largest legal shape, if that is more than it runs with."""
        if gang.legal() > (gang.active if gang.phase == WHOLE else 0):
            gang.gain(0, now)
            self.begin(gang, now)

    def begin(self, gang: FullGang, now: int) -> None:
        """A gang starts, or starts again; the end of its work is planned."""
        if gang.up == gang.gpus:
            gang.queued = False
        gang.resume(now)
        self.event("start", gang, now, gang.active)
        self.plan_finish(gang)
        self.gang_clocks(gang, now)

    def plan_finish(self, gang: FullGang) -> None:
        """Put the end of a gang's work on the agenda, if nothing comes before it."""
        at = gang.finish_at() if gang.phase == WHOLE else None
        if at is not None and at < self.horizon:
            self.push(at, self.finish, gang, FINISHED)

    def finish(self, now: int, gang: FullGang) -> None:
        """A gang's work is done: it gives its GPUs back."""
        if gang.phase != WHOLE or gang.finish_at() != now:
            return  # planned before something else happened
        gang.stop(now)
        self.event("finish", gang, now, gang.up)
        gang.phase, gang.finish = DONE, now
        self.unqueue(gang)
        self.gang_clocks(gang, now)
        gang.clean.clear()
        gpus, gang.up = gang.up, 0
        if self.places is not None:
            self.moved(self.places.cede(gang.index, gpus), now)
        self.faulty -= len(gang.faulty)
        gang.faulty.clear()
        self.change_free(gpus, now)
        if self.waiting:
            self.call_service(now)

    def unqueue(self, gang: FullGang) -> None:
        """A gang waits for hardware no longer."""
        if gang.queued:
            self.waiting.remove(gang)
            gang.queued = False

    def hit(self, gang: FullGang, struck: int, now: int, clean: int | None = None) -> None:
        """Members are struck: the gang hangs, what is not safe is lost, and everything begins anew."""
        gang.strike(struck, now, clean)
        self.unqueue(gang)
        gang.draining.clear()
        gang.phase = DETECT
        gang.up -= struck
        gang.pending += struck
        gang.open += 1
        gang.out += struck

    # --- log ------------------------------------------------------------------------------------------------------

    def event(self, what: str, gang: FullGang | None, now: int, gpus: int, case: Case | None = None) -> None:
        """Log something that happens to a gang (None: to free GPUs), and what it follows from."""
        if self.log is not None:
            owner, index = (REST, -1) if gang is None else (gang.owner, gang.index)
            about = {} if case is None else self.about(case)
            self.log.add(what, owner, index, "", gpus, now, now, 0, **about)

    def about(self, case: Case) -> dict[str, Any]:
        """Return what the log says of a failure."""
        cause = case.cause
        return {"why": cause.name, "where": case.component, "kind": cause.hazard.component, "failure": case.number}

    def note_places(self, atoms: Atoms, owners: Atoms, now: int, state: str = "", **further: Any) -> None:
        """Log whose these atoms are from now on, or in which state they are out and whose they were."""
        if self.log is None or not self.log.places or self.places is None or not len(atoms):
            return
        size = self.places.atom
        cuts = np.flatnonzero((np.diff(atoms) != 1) | (np.diff(owners) != 0)) + 1
        for low, high in pairwise([0, *cuts.tolist(), len(atoms)]):  # a row for neighbours of one owner
            gang = int(owners[low])
            owner = self.gangs[gang].owner if gang >= 0 else REST
            where, gpus = int(atoms[low]) * size, (high - low) * size
            self.log.add(
                "place", owner, max(gang, -1), state, gpus, now, now, 0, where=where, kind="gpu", **further
            )  # fmt: skip

    def note_part(
        self, what: str, kind: str, index: int, now: int, why: str, keeps: float = 0.0, failure: int = -1
    ) -> None:
        """Log that a part of the plant is out, and what share of it is left, or that it is back."""
        if self.log is not None:
            speed = round(keeps * PPB)
            self.log.add(
                what, "", -1, "", 0, now, now, 0, speed, why=why, where=index, kind=kind, failure=failure
            )  # fmt: skip

    def rest(self, state: str, gpus: int, start: int, end: int, **further: Any) -> None:
        """Book time of GPUs that were free when they left service."""
        if state == "repair":
            self.free_repair_gpu_ms += gpus * (end - start)
        elif state == "unpowered":
            self.unpowered_gpu_ms += gpus * (end - start)
        else:
            self.free_maintenance_gpu_ms += gpus * (end - start)
        if self.log is not None and end > start:
            self.log.add("phase", REST, -1, state, gpus, start, end, **further)
