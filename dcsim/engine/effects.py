"""What failures do: interrupt, kill, slow down, corrupt; and how each is found."""

import numpy as np

from dcsim.engine.cause import Case, Cause
from dcsim.engine.full import FullGang
from dcsim.engine.gang import DETECT, WAIT
from dcsim.engine.places import Atoms
from dcsim.engine.repairs import Repairs
from dcsim.engine.timeline import IDENTIFY, LEAVE, RELAPSE


class Effects(Repairs):
    """Handlers of failures; all times in ms."""

    # --- onset ----------------------------------------------------------------------------------------------------

    def new_case(self, cause: Cause, component: int, now: int, number: int) -> Case:
        """Count a failure; ``component``: -1 if it marks a slot; ``number``: of the draw, as in ``fail_component``."""
        case = Case(cause, component, cause.outcome(number), now)
        case.number = self.failures
        self.failures += 1
        if self.log is not None:
            self.log.add("failure", "", -1, "", 0, now, now, 0, **self.about(case))
        return case

    def fail_component(self, cause: Cause, component: int, now: int, number: int) -> None:
        """A component fails; ``number``: of the draw, -1 if it was not known beforehand."""
        places = self.places
        assert places is not None
        if cause.serves:
            self.fail_served(cause, component, now, number)
            return
        atoms = places.in_service(places.span(cause.hazard.component, component))
        if component in cause.failed or not len(atoms):
            return  # what is out of service cannot fail
        first = int(atoms[0])
        owner = int(places.owner[first])
        gang = self.gangs[owner] if owner >= 0 else None
        if cause.running and (gang is None or gang.run_at(now) < 0):
            return
        if cause.effect == "interrupt":
            case = self.new_case(cause, component, now, number)
            self.strike_atoms(case, self.target(cause, component, first), now, case.detect)
        elif cause.effect == "kill":
            self.kill(cause, component, self.killed(cause, component, first), now, number)
        elif cause.effect == "corrupt":
            if gang is not None:
                self.corrupt(cause, component, gang, 0, now, number)
        else:
            case = self.new_case(cause, component, now, number)
            cause.fail(component, now)
            cause.slow[component] = case
            self.refresh_speeds(now)
            self.push(now + case.detect, self.find_slow, case, IDENTIFY)

    def fail_served(self, cause: Cause, component: int, now: int, number: int) -> None:
        """A component of the plant fails: those who depend on it are struck, others slow down, or nobody notices."""
        if component in cause.failed:
            return
        assert self.plant is not None
        assert self.places is not None
        case = self.new_case(cause, component, now, number)
        cause.fail(component, now)
        change = self.plant.lose(cause.hazard.component, component, cause.keeps)
        self.note_part("out", cause.hazard.component, component, now, cause.name, cause.keeps, case.number)
        atoms = self.standing(change.down)
        if len(atoms):
            case.owners = self.places.owner[atoms].copy()
            case.parts = self.parts_of(case.owners)
            case.gpus = sum(gpus for _, gpus in case.parts)
            self.strike(case, atoms, now, case.detect)
        else:
            self.push(now + case.detect, self.identify_case, case, IDENTIFY)
        self.set_pace(change, now)

    def fail_slot(self, cause: Cause, target: int, rank: int, now: int, number: int) -> None:
        """A slot is marked: ranks of one gang, or free GPUs; what is out of service cannot be struck."""
        gang = self.gangs[target] if target < len(self.gangs) else None
        if gang is not None and rank < gang.up:
            if cause.running and gang.run_at(now) < 0:
                return
            if cause.effect == "kill":
                self.kill(cause, -1, [gang] if gang.phase != WAIT else [], now, number)
            elif cause.effect == "corrupt":
                self.corrupt(cause, -1, gang, rank, now, number)
            else:
                case = self.new_case(cause, -1, now, number)
                self.strike_ranks(case, gang, rank, now, case.detect)
            return
        if gang is not None:
            rank = self.surplus_rank(gang, rank)
        if rank < self.free and cause.effect == "interrupt" and not cause.running:
            first = rank - rank % cause.blast
            case = self.new_case(cause, -1, now, number)
            case.gpus = min(cause.blast, self.free - first)
            case.parts = [(None, case.gpus)]
            atoms = self.places.ranks(-1, first, case.gpus) if self.places is not None else None
            self.strike(case, atoms, now, case.detect)

    def target(self, cause: Cause, component: int, first: int) -> Atoms:
        """Return what a failed component takes down: its part, or the typed number of GPUs around its first one."""
        places = self.places
        assert places is not None
        if cause.blast:
            return places.blast_around(first, cause.blast)
        assert cause.part is not None
        low, _ = self.plan.topology.span(cause.hazard.component, component)
        return places.in_service(places.span(cause.part, low // self.plan.topology.gpus_per(cause.part)))

    # --- strikes --------------------------------------------------------------------------------------------------

    def strike_atoms(self, case: Case, atoms: Atoms, now: int, detect: int | None) -> None:
        """A component is struck, with all that it takes down."""
        assert self.places is not None
        case.owners = self.places.owner[atoms].copy()
        case.parts = self.parts_of(case.owners)
        case.gpus = sum(gpus for _, gpus in case.parts)
        case.retired = case.cause.retires(case.component, now)
        case.cause.fail(case.component, now)
        self.strike(case, atoms, now, detect)

    def strike_ranks(self, case: Case, gang: FullGang, rank: int, now: int, detect: int | None) -> None:
        """A typed blast strikes ranks of a gang."""
        blast = case.cause.blast
        first = rank - rank % blast
        case.gpus = min(blast, gang.up - first)
        case.parts = [(gang, case.gpus)]
        atoms = self.places.ranks(gang.index, first, case.gpus) if self.places is not None else None
        self.strike(case, atoms, now, detect)

    def strike(self, case: Case, atoms: Atoms | None, now: int, detect: int | None) -> None:
        """What the case names leaves its owners; it will be identified after its detection time (None: it is)."""
        case.at, case.atoms = now, atoms
        for gang, gpus in case.parts:
            if gang is None:
                self.change_free(-gpus, now)
                self.unfound.append(case)
            else:
                clean = gang.clean.pop(case, None)
                self.hit(gang, gpus, now, clean)
            self.event("strike", gang, now, gpus, case)
        if atoms is not None and self.places is not None:
            self.note_struck(case, atoms, now)
            self.places.take_out(atoms)
            self.left(atoms, now)
        for gang, _ in case.parts:
            if gang is not None:
                self.gang_clocks(gang, now)
        if detect is None:
            self.identify_case(now, case)
        else:
            self.push(now + detect, self.identify_case, case, IDENTIFY)

    def note_struck(self, case: Case, atoms: Atoms, now: int) -> None:
        """Log what is struck: members, until they are identified; free GPUs are in repair from now on, as booked."""
        if self.log is None or self.places is None:
            return
        owners = self.places.owner[atoms]
        for state, which in (("detect", owners >= 0), ("repair", owners < 0)):
            self.note_places(atoms[which], owners[which], now, state, why=case.cause.name, failure=case.number)

    def identify_case(self, now: int, case: Case) -> None:
        """The struck group leaves for repair; after its last identification a gang takes replacements."""
        for gang, gpus in case.parts:
            if gang is not None:
                gang.put("detect", gang.up + gang.pending, gang.since, now)
                gang.since = now
                gang.pending -= gpus
                gang.open -= 1
                self.event("identify", gang, now, gpus, case)
            else:
                self.unfound.remove(case)
        if not self.blame_another(case, now):
            if case.gpus or case.cause.serves:
                self.begin_repair(case, case.parts, case.atoms, now)
            elif case.cause.effect == "corrupt":
                self.clear(case, now)  # something else has taken it away
        for gang, _ in case.parts:
            if gang is not None and not gang.open:
                self.push(now, self.leave_detect, gang, LEAVE)

    def leave_detect(self, now: int, gang: FullGang) -> None:
        """All that struck a gang has been identified: it wants replacements."""
        if gang.phase == DETECT and not gang.open:
            self.want(gang, now, True)

    def blame_another(self, case: Case, now: int) -> bool:
        """Send healthy members to repair in place of the faulty ones, which will strike again; return whether so."""
        if not case.wrong or len(case.parts) > 1 or not case.gpus:
            return False
        gang = case.parts[0][0]
        if gang is None or gang.up < case.gpus:
            return False
        if case.atoms is not None and self.unserved(case.atoms).any():
            return False  # they are out anyway
        atoms = None
        if case.atoms is not None and self.places is not None:
            atoms = self.places.following(gang.index, case.atoms)
            if atoms is None:
                return False
            self.places.assign(gang.index, case.atoms)
            self.places.take_out(atoms)
            self.left(atoms, now)
            self.moved(case.atoms, now)
        case.wrong -= 1
        gang.faulty.append(case)
        self.faulty += 1
        self.begin_repair(case, [(gang, case.gpus)], atoms, now, mends=False)
        return True

    def relapse(self, now: int, _: object) -> None:
        """Gangs that begin to compute with faulty members among them are struck again."""
        for gang in self.gangs:
            if gang.faulty and gang.run_at(now) == 0:
                cases, gang.faulty = gang.faulty, []
                self.faulty -= len(cases)
                for case in cases:
                    case.gpus = min(case.gpus, gang.up)
                    case.parts = [(gang, case.gpus)]
                    if case.atoms is not None:  # some may have left since
                        case.owners = np.full(len(case.atoms), gang.index, dtype=np.int64)
                    if case.gpus:
                        self.strike(case, case.atoms, now, case.detect)

    def begin(self, gang: FullGang, now: int) -> None:
        """A gang starts; faulty members that are still in it strike as soon as it computes."""
        super().begin(gang, now)
        if gang.faulty:
            self.plan_relapse(gang)

    def plan_relapse(self, gang: FullGang) -> None:
        """Faulty members strike as soon as their gang computes."""
        self.push(gang.since + gang.failover + gang.restore, self.relapse, None, RELAPSE)

    # --- kill -----------------------------------------------------------------------------------------------------

    def killed(self, cause: Cause, component: int, first: int) -> list[FullGang]:
        """Return the gangs whose software dies with a component: those that run, or try to."""
        assert self.places is not None
        atoms = np.array([first]) if cause.blast else self.target(cause, component, first)
        gangs = [gang for gang, _ in self.parts_of(self.places.owner[atoms])]
        return [gang for gang in gangs if gang is not None and gang.phase != WAIT]

    def kill(self, cause: Cause, component: int, gangs: list[FullGang], now: int, number: int) -> None:
        """The software dies, the hardware stays."""
        if not gangs:
            return
        case = self.new_case(cause, component, now, number)
        case.parts = [(gang, 0) for gang in gangs]
        if cause.clock:
            cause.clock.fail(component, now)
            cause.clock.renew(component, now, True)
        self.strike(case, None, now, case.detect)

    # --- slow -----------------------------------------------------------------------------------------------------

    def find_slow(self, now: int, case: Case) -> None:
        """A slow component is found: a straggler is struck, a degraded one is repaired where it is."""
        cause, component, places = case.cause, case.component, self.places
        assert places is not None
        if cause.effect == "degrade":
            self.begin_repair(case, [], None, now)
            return
        if cause.slow.get(component) is not case:
            return  # something else took it out of service before
        del cause.slow[component]
        atoms = places.in_service(places.span(cause.hazard.component, component))
        if len(atoms):
            self.strike_atoms(case, self.target(cause, component, int(atoms[0])), now, None)
        else:
            cause.mend(component, now, True)
        self.refresh_speeds(now)

    # --- corrupt --------------------------------------------------------------------------------------------------

    def corrupt(self, cause: Cause, component: int, gang: FullGang, rank: int, now: int, number: int) -> None:
        """From now on what the gang computes is wrong, and nobody knows."""
        case = self.new_case(cause, component, now, number)
        case.rank = rank
        case.parts = [(gang, 0)]
        gang.clean[case] = gang.durable_at(now)
        if cause.clock:
            cause.fail(component, now)
        self.event("corrupt", gang, now, 0, case)
        self.push(now + case.detect, self.find_corrupt, case, IDENTIFY)

    def find_corrupt(self, now: int, case: Case) -> None:
        """Wrong results are found: the gang rolls back to before they began, and what computed them leaves."""
        gang = case.parts[0][0]
        assert gang is not None
        if case not in gang.clean:  # the gang has finished
            self.clear(case, now)
            return
        if case.component < 0 and case.rank < gang.up:
            self.strike_ranks(case, gang, case.rank, now, None)
            return
        if case.component >= 0:
            places = self.places
            assert places is not None
            atoms = places.in_service(places.span(case.cause.hazard.component, case.component))
            atoms = atoms[places.owner[atoms] == gang.index]
            if len(atoms):
                target = self.target(case.cause, case.component, int(atoms[0]))
                self.strike_atoms(case, target[places.owner[target] == gang.index], now, None)
                return
        if gang.phase == WAIT:  # nothing left to strike, and nobody to hang
            clean = gang.clean.pop(case)
            gang.stop(now)
            gang.roll_back(0, now, clean=clean)
            self.clear(case, now)
        else:
            self.strike(case, None, now, None)
