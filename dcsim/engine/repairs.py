"""What has left service goes through its repair and comes back: stages, crews, tests, retirement."""

import numpy as np

from dcsim.engine.cause import Case, Part
from dcsim.engine.places import FREE, Atoms
from dcsim.engine.plant import Absence, Plant
from dcsim.engine.timeline import ADMIT, REPAIRED
from dcsim.ledger import REST


class Repair:
    """A group on its way through the stages of a repair. ``mends``: it holds the component that failed."""

    __slots__ = ("asked", "atoms", "case", "gpus", "mends", "parts", "since", "stage")

    def __init__(self, case: Case, parts: list[Part], atoms: Atoms | None, mends: bool, since: int) -> None:
        self.case, self.parts, self.atoms, self.mends, self.since = case, parts, atoms, mends, since
        self.gpus = sum(gpus for _, gpus in parts)
        self.stage = -1
        self.asked = since  # when it asked for the crew of its stage


class Repairs(Plant):
    """Handlers of repairs; all times in ms."""

    def begin_repair(self, case: Case, parts: list[Part], atoms: Atoms | None, now: int, mends: bool = True) -> None:
        """A group leaves for repair; of a retired component only the others do, it is replaced.

        Those who depend on a component are in order themselves: they wait for it.
        """
        if case.cause.serves:
            if parts:
                self.absent.append(Absence(case.atoms, case.owners, now, case.at, why=case.cause.name))
                self.note_places(case.atoms, case.owners, now, "repair", why=case.cause.name, failure=case.number)
                self.come_up(now)  # what is served again already
            parts, atoms = [], None
        if self.log is not None and atoms is not None:
            owners = self.owners_in(case, parts, atoms)
            self.note_places(atoms, owners, now, "repair", why=case.cause.name, failure=case.number)
        if case.retired and mends and self.places is not None and atoms is not None:
            low, high = self.places.span(case.cause.hazard.component, case.component)
            own = (atoms >= low) & (atoms < high)
            lemons = case.cause.hazard.lemons
            assert lemons is not None
            retired = Repair(case, self.parts_of(case.owners[own]), atoms[own], True, now)
            self.away.append(retired)
            if lemons.replace is not None:
                self.push(now + lemons.replace, self.come_back, retired, REPAIRED)
                self.note_repair("replace", retired, now, now + lemons.replace)
            else:  # nobody waits for what never comes
                self.not_awaited(retired)
            if own.all():
                return
            parts, atoms, mends = self.parts_of(case.owners[~own]), atoms[~own], False
        repair = Repair(case, parts, atoms, mends, now)
        self.away.append(repair)
        self.push(now, self.next_stage, repair, ADMIT)

    def next_stage(self, now: int, repair: Repair) -> None:
        """Go on to the next stage, where it may queue; after the last to the test, and back."""
        repair.stage += 1
        case = repair.case
        if repair.stage < len(case.times):
            task = case.times[repair.stage], self.end_stage, repair
            repair.asked = now
            if case.cause.crews[repair.stage].admit(task):
                self.push(now + task[0], self.end_stage, repair, REPAIRED)
                self.note_repair("work", repair, now, now + task[0])
        elif case.cause.hazard.requalify:
            self.push(now + case.cause.hazard.requalify, self.come_back, repair, REPAIRED)
            self.note_repair("test", repair, now, now + case.cause.hazard.requalify)
        else:
            self.come_back(now, repair)

    def end_stage(self, now: int, repair: Repair) -> None:
        """A crew is done with this group and takes the next one."""
        task = repair.case.cause.crews[repair.stage].release()
        if task is not None:
            self.push(now + task[0], task[1], task[2], REPAIRED)
            self.note_repair("queue", task[2], task[2].asked, now)
            self.note_repair("work", task[2], now, now + task[0])
        self.next_stage(now, repair)

    def come_back(self, now: int, repair: Repair) -> None:
        """Everything repaired returns: to the free GPUs, or first to the gang that it was struck in."""
        self.away.remove(repair)
        self.book_repair(repair, now)
        case = repair.case
        if self.plant is not None and repair.atoms is not None:
            self.leave_unserved(repair, now)
        self.not_awaited(repair)
        if repair.gpus:
            if self.places is not None and repair.atoms is not None:
                self.places.give_back(repair.atoms)
            self.change_free(repair.gpus, now)
            if case.cause.hazard.returns == "job":
                self.return_to_job(repair, now)
        if repair.mends:
            if case.component >= 0 and case.cause.cures(case):
                case.cause.lemon[case.component] = False
            self.mend(case, now)
        self.moved(repair.atoms, now)
        if repair.gpus and self.waiting:
            self.call_service(now)

    def leave_unserved(self, repair: Repair, now: int) -> None:
        """Of a group that is repaired, leave out what the plant does not serve: it is back with the plant."""
        case, atoms = repair.case, repair.atoms
        assert atoms is not None
        if not repair.parts:
            return
        owners = self.owners_in(case, repair.parts, atoms)
        served = self.absent_if_unserved(atoms, owners, now, "repair", awaited=True, why=case.cause.name)
        if not served.all():
            repair.atoms, repair.parts = atoms[served], self.parts_of(owners[served])
            repair.gpus = sum(gpus for _, gpus in repair.parts)

    def owners_in(self, case: Case, parts: list[Part], atoms: Atoms) -> Atoms:
        """Return whose each of these atoms was when it was struck."""
        if len(parts) == 1:
            gang = parts[0][0]
            return np.full(len(atoms), FREE if gang is None else gang.index, dtype=np.int64)
        owners: Atoms = case.owners[np.searchsorted(case.atoms, atoms)]
        return owners

    def clear(self, case: Case, now: int) -> None:
        """A failure is over without a repair of its own: a new life, unless another repair still has the component."""
        cause, component = case.cause, case.component
        same = (each.case for each in self.away if each.mends and each.case.cause is cause)
        if component >= 0 and any(other.component == component for other in same):
            return
        case.fixed = True
        self.mend(case, now)

    def not_awaited(self, repair: Repair) -> None:
        """A gang that waits for its own does not wait for these any more."""
        for gang, gpus in repair.parts:
            if gang is not None:
                gang.out -= gpus

    def mend(self, case: Case, now: int) -> None:
        """The component that failed is as its repair left it."""
        cause, component = case.cause, case.component
        if component >= 0:
            cause.slow.pop(component, None)
            if cause.serves:
                assert self.plant is not None
                change = self.plant.restore(cause.hazard.component, component, cause.keeps)
                self.note_part("back", cause.hazard.component, component, now, cause.name, cause.keeps, case.number)
                self.given_back(change, now)
            cause.mend(component, now, case.fixed or case.retired)
            if case.retired:
                cause.struck_at.pop(component, None)
                case.retired = False

    def return_to_job(self, repair: Repair, now: int) -> None:
        """A gang that waits takes what it needs of its own first."""
        gang = repair.parts[0][0]
        if (
            len(repair.case.parts) > 1
            or gang is None
            or not gang.queued
            or (self.places is not None and self.places.holes)
        ):
            return  # in-rack spares go where they belong anyway
        gpus = min(gang.gpus - gang.up, repair.gpus)
        if gpus > 0:
            self.change_free(-gpus, now)
            gang.gain(gpus, now)
            if self.places is not None:
                assert repair.atoms is not None
                self.places.assign(gang.index, repair.atoms[: gpus // self.places.atom])

    def book_repair(self, repair: Repair, now: int) -> None:
        """Book the time that a group was away, to the gangs that it was struck in."""
        about = {} if self.log is None else self.about(repair.case)
        for gang, gpus in repair.parts:
            if gang is not None:
                gang.put("repair", gpus, repair.since, now, **about)
            else:
                self.rest("repair", gpus, repair.case.at, now, **about)

    # --- log ------------------------------------------------------------------------------------------------------

    def note_repair(self, what: str, repair: Repair, start: int, end: int) -> None:
        """Log a part of a repair, up to the horizon."""
        end = min(end, self.horizon)
        if self.log is None or end <= start:
            return
        case, crews = repair.case, ""
        if what in ("queue", "work"):
            stages = case.cause.hazard.stages
            several = f", stage {repair.stage + 1}" if len(stages) > 1 else ""
            crews = stages[repair.stage].name or case.cause.name + several
        gang = repair.parts[0][0] if len(repair.parts) == 1 else None
        owner = gang.owner if gang else REST if len(repair.parts) == 1 else ""
        index = gang.index if gang else -1
        about = self.about(case)
        self.log.add(what, owner, index, "", repair.gpus, start, end, 0, crews=crews, **about)

    def note_queues(self) -> None:
        """Log the repairs that still wait for a crew at the horizon."""
        every = {id(crews): crews for cause in self.causes for crews in cause.crews}
        for crews in every.values():
            for _, _, repair in crews.queue:
                self.note_repair("queue", repair, repair.asked, self.horizon)
