"""The plant in the engine: who leaves service with it, who comes back, and how fast the others run."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.full import PPB, FullGang
from dcsim.engine.gang import ABSENT, WHOLE
from dcsim.engine.gateways import Gateways
from dcsim.engine.log import EventLog
from dcsim.engine.movements import Movements
from dcsim.engine.places import FREE, OUT, Atoms
from dcsim.engine.timeline import ADMIT, BACK
from dcsim.engine.traffic import Traffic
from dcsim.fabric.slowdown import slowdown
from dcsim.plant import Change, PlantState
from dcsim.scenario import Plan


class Absence:
    """GPUs that are in order, but without power or network: they are back when the plant serves them again.

    ``owners``: whose they were; ``awaited``: whether a gang counts on them; ``why``: for the log. Times in ms:
    ``since`` of gangs' members, ``free_since`` of free ones.
    """

    __slots__ = ("atoms", "awaited", "free_since", "owners", "since", "state", "why")

    def __init__(
        self, atoms: Atoms, owners: Atoms, since: int, free_since: int, state: str = "repair", awaited: bool = True,
        why: str = "",
    ) -> None:  # fmt: skip
        self.atoms, self.owners, self.state, self.awaited, self.why = atoms, owners, state, awaited, why
        self.since, self.free_since = since, free_since


class Plant(Movements):
    """Handlers of what the plant does; all times in ms."""

    def __init__(self, plan: Plan, replication: int, log: EventLog | None = None) -> None:
        super().__init__(plan, replication, log)
        self.absent: list[Absence] = []
        self.late: list[FullGang] = []  # gangs that cannot start at t = 0
        self.dates: list[int] = []
        self.put_off: list[int] = []  # phases whose date has come, but whose power would have tripped others
        self.capped = False
        self.plant = PlantState(plan.topology) if plan.has_plant else None
        self.traffic: Traffic | None = None
        self.gateways: Gateways | None = None
        if self.plant is None:
            return
        assert self.places is not None
        self.per_node = plan.topology.gpus_per_node // self.places.atom
        if plan.topology.description.fabric and any(job.comm for job in plan.scenario.jobs):
            self.traffic = Traffic(plan, self.places, self.plant)
        if plan.topology.description.storage and any(job.storage for job in plan.scenario.jobs):
            self.gateways = Gateways(plan, self.push, self.storage_changed, self.stretched, log)
        self._begin_dark()

    # --- energisation ---------------------------------------------------------------------------------------------

    def _begin_dark(self) -> None:
        """Take out of service what has no power at t = 0; gangs that lie on it give up their places and wait."""
        plant, places = self.plant, self.places
        assert plant is not None
        assert places is not None
        self.dates = self.plan.dates(self.replication)
        for date, racks in zip(self.dates, self.plan.phase_racks, strict=True):
            if date > 0:
                self._switch(racks, False)
        dark = self.atoms_of(np.flatnonzero(plant.down))
        if not len(dark):
            return
        self.late = [self.gangs[owner] for owner in np.unique(places.owner[dark]).tolist() if owner >= 0]
        for gang in self.late:
            places.owner[places.members(gang.index)] = FREE
            self.free += gang.up
            gang.phase, gang.up, gang.active, gang.started = ABSENT, 0, 0, False
        places.owner[dark] = OUT
        self.free -= len(dark) * places.atom
        self.absent.append(Absence(dark, np.full(len(dark), FREE), 0, 0, "unpowered", awaited=False))
        for clock in self.clocks:
            clock.refresh(np.arange(len(clock.begin)), 0)

    def _switch(self, racks: tuple[int, int], on: bool) -> None:
        """Give or take the power of a phase: of racks, or (0, 0) of the site's feeds."""
        assert self.plant is not None
        if racks[1]:
            (self.plant.energise if on else self.plant.darken)(racks)
            return
        for feed in range(self.plan.topology.components("site-feed")):
            (self.plant.restore if on else self.plant.lose)("site-feed", feed)

    def begin_plant(self) -> None:
        """Plan what is energised later, and let gangs that run set their pace."""
        if self.plant is None:
            return
        for number, date in enumerate(self.dates):
            if date > 0:
                self.note_phase("out", number, 0)
            if 0 < date < self.horizon:
                self.push(date, self.energise, number, BACK)
        for gang in self.late:
            self.push(0, self.ask, gang, ADMIT)
        for gang in self.gangs:
            if gang.phase == WHOLE:
                self.sends(gang, 0)
                if self.gateways is not None:
                    self.gateways.starts(gang, 0)
        self.refresh_power(0)

    def ask(self, now: int, gang: FullGang) -> None:
        """A gang that could not start at t = 0 waits for hardware."""
        self.want(gang, now, False)

    def energise(self, now: int, number: int) -> None:
        """A phase has power, unless that trips somebody: then it is put off until something of the plant is back."""
        assert self.plant is not None
        racks = self.plan.phase_racks[number]
        if racks[1] and self.plant.energise(racks).down.size:
            self.plant.darken(racks)
            self.put_off = sorted({*self.put_off, number})
            return
        if not racks[1]:
            self._switch(racks, True)
        self.note_phase("back", number, now)
        self.given_back(None, now)

    def note_phase(self, what: str, number: int, now: int) -> None:
        """Log that a phase of energisation has no power, or has it from now on."""
        self.note_part(what, "phase", number, now, self.plan.scenario.energisation[number].name)

    def given_back(self, change: Change | None, now: int) -> None:
        """Something of the plant is back: so is what it serves, and the phases that it was too weak for."""
        if self.put_off:
            self.try_again(now)
        self.come_up(now)
        self.set_pace(change, now)

    def try_again(self, now: int) -> None:
        """Energise the phases that were put off, if they trip nobody any more."""
        waiting, self.put_off = self.put_off, []
        for number in waiting:
            self.energise(now, number)

    # --- down and up ----------------------------------------------------------------------------------------------

    def atoms_of(self, nodes: Atoms) -> Atoms:
        """Return the atoms of these nodes, ascending."""
        atoms: Atoms = (nodes[:, None] * self.per_node + np.arange(self.per_node)).ravel()
        return atoms

    def standing(self, nodes: Atoms) -> Atoms:
        """Return the atoms of these nodes that are in service."""
        assert self.places is not None
        atoms = self.atoms_of(nodes)
        in_service: Atoms = atoms[self.places.owner[atoms] != OUT]
        return in_service

    def unserved(self, atoms: Atoms) -> NDArray[np.bool_]:
        """Return which of these atoms the plant does not serve, bool (atoms,)."""
        if self.plant is None:
            return np.zeros(len(atoms), dtype=bool)
        unserved: NDArray[np.bool_] = self.plant.down[atoms // self.per_node]
        return unserved

    def absent_if_unserved(self, atoms: Atoms, owners: Atoms, now: int, state: str, awaited: bool, why: str) -> Any:
        """Keep what the plant does not serve, though it could be back; return which may be back, bool (atoms,)."""
        unserved = self.unserved(atoms)
        if unserved.any():
            self.absent.append(Absence(atoms[unserved], owners[unserved], now, now, state, awaited, why))
        return ~unserved

    def come_up(self, now: int) -> None:
        """Everything absent that the plant serves again is back: to the free GPUs."""
        assert self.places is not None
        back: list[Atoms] = []
        for absence in list(self.absent):
            served = ~self.unserved(absence.atoms)
            if not served.any():
                continue
            self.book_absence(absence, served, now)
            atoms = absence.atoms[served]
            absence.atoms, absence.owners = absence.atoms[~served], absence.owners[~served]
            if not len(absence.atoms):
                self.absent.remove(absence)
            self.places.give_back(atoms)
            self.change_free(len(atoms) * self.places.atom, now)
            back.append(atoms)
        if back:
            self.moved(np.concatenate(back), now)
            if self.waiting:
                self.call_service(now)

    def book_absence(self, absence: Absence, which: Any, now: int) -> None:
        """Book the time that GPUs were absent, to the gangs that they were taken from."""
        for gang, gpus in self.parts_of(absence.owners[which]):
            if gang is None:
                self.rest(absence.state, gpus, absence.free_since, now, why=absence.why)
                continue
            gang.put(absence.state, gpus, absence.since, now, why=absence.why)
            if absence.awaited:
                gang.out -= gpus

    # --- pace -----------------------------------------------------------------------------------------------------

    def set_pace(self, change: Change | None, now: int) -> None:
        """The plant has changed (None: anywhere): let gangs run at the speed that it leaves."""
        assert self.plant is not None
        if self.plant.short or self.capped:
            self.refresh_power(now)
        if self.traffic is not None:
            touched = set(self.traffic.senders())
            if change is not None:
                touched = self.traffic.reached(change.nodes, change.segments, change.pods)
            self.refresh_network(touched, now)
        if self.gateways is not None:
            self.gateways.set_capacity(float(self.plant.left("gateway").sum()), now)

    def refresh_power(self, now: int) -> None:
        """Let every gang run at the speed of its member with the least power."""
        assert self.plant is not None
        assert self.places is not None
        self.capped = self.plant.short
        least = np.ones(len(self.gangs) + 2)
        if self.capped:
            shares = np.repeat(self.plant.powered(np.arange(len(self.plant.down))), self.per_node)
            np.minimum.at(least, self.places.owner, shares)  # OUT and FREE count from the end
        for gang, share in zip(self.gangs, least.tolist(), strict=False):
            powered = max(1, round(share * PPB))
            if powered != gang.powered:
                gang.powered = powered
                self.pace(gang, now)

    def moved(self, atoms: Atoms | None, now: int) -> None:
        """Atoms have changed hands or are back in service."""
        super().moved(atoms, now)
        if self.capped and atoms is not None:
            self.refresh_power(now)

    def gang_clocks(self, gang: FullGang, now: int) -> None:
        """A gang has started or stopped: so have its clocks, its traffic and its transfers."""
        super().gang_clocks(gang, now)
        self.sends(gang, now)
        if self.gateways is not None:
            (self.gateways.starts if gang.phase == WHOLE else self.gateways.stops)(gang, now)

    def sends(self, gang: FullGang, now: int) -> None:
        """A gang has started or stopped to send."""
        if self.traffic is None or not self.traffic.comm[gang.index]:
            return
        starts = gang.phase == WHOLE
        self.refresh_network((self.traffic.starts if starts else self.traffic.stops)(gang.index), now)

    def refresh_network(self, touched: set[int], now: int) -> None:
        """Let these gangs run at the speed that the network leaves."""
        assert self.traffic is not None
        for index in sorted(touched):
            gang = self.gangs[index]
            network = round(PPB / slowdown(self.traffic.comm[index], self.traffic.stretched(index)))
            if network != gang.network:
                gang.network = network
                self.pace(gang, now)
        if touched and self.gateways is not None:
            self.gateways.share(now)

    def stretched(self, gang: FullGang) -> float:
        """Return how much longer a gang's traffic takes than over a healthy network that it has for itself."""
        return 1.0 if self.traffic is None else self.traffic.stretched(gang.index)

    def storage_changed(self, gang: FullGang, now: int) -> None:
        """A load or a write of a gang takes another time than was planned."""
        super().gang_clocks(gang, now)
        self.plan_finish(gang)
        if gang.faulty:
            self.plan_relapse(gang)

    @abstractmethod
    def plan_relapse(self, gang: FullGang) -> None:
        """Faulty members strike as soon as their gang computes."""
