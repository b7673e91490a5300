"""Planned maintenance: gangs are drained, so that nothing is lost, then components leave service for a while."""

from typing import Any

from dcsim.engine.cause import Part
from dcsim.engine.effects import Effects
from dcsim.engine.full import FullGang
from dcsim.engine.gang import DRAIN, WHOLE
from dcsim.engine.log import EventLog
from dcsim.engine.places import Atoms
from dcsim.engine.plant import Absence
from dcsim.engine.timeline import BACK, DRAINED
from dcsim.hazards.hazard import SERVED
from dcsim.scenario import Maintenance, Plan


class Window:
    """One planned window of one component."""

    __slots__ = ("atoms", "component", "gangs", "owners", "parts", "planned", "since")

    def __init__(self, planned: Maintenance, component: int) -> None:
        self.planned, self.component = planned, component
        self.gangs: list[FullGang] = []  # drained for it
        self.parts: list[Part] = []
        self.atoms: Atoms | None = None
        self.owners: Atoms | None = None
        self.since = 0


class Planned(Effects):
    """Handlers of maintenance windows; all times in ms."""

    def __init__(self, plan: Plan, replication: int, log: EventLog | None = None) -> None:
        super().__init__(plan, replication, log)
        self.stays: list[Window] = []  # windows whose component is out

    def open_window(self, number: int, component: int, now: int) -> None:
        """The gangs on a component stop, and save what they have while they drain."""
        assert self.places is not None
        window = Window(self.plan.scenario.maintenance[number], component)
        if window.planned.component in SERVED:
            atoms = self.would_be_unserved(window)
        else:
            atoms = self.places.in_service(self.places.span(window.planned.component, component))
            if not len(atoms):
                return
        for gang, _ in self.parts_of(self.places.owner[atoms]):
            if gang is None or gang.phase not in (WHOLE, DRAIN):
                continue
            if gang.phase == WHOLE:
                gang.stop(now)
                self.unqueue(gang)
                gang.phase = DRAIN
                self.note_drain(gang, now, window)
                self.gang_clocks(gang, now)
            gang.draining.add(window)
            window.gangs.append(gang)
        self.push(now + window.planned.drain, self.withdraw, window, DRAINED)

    def would_be_unserved(self, window: Window) -> Atoms:
        """Return what is in service and would go down without a component of the plant."""
        assert self.plant is not None
        change = self.plant.lose(window.planned.component, window.component)
        atoms = self.standing(change.down)
        self.plant.restore(window.planned.component, window.component)
        return atoms

    def withdraw(self, now: int, window: Window) -> None:
        """The component leaves service; gangs that have drained for it are safe and take replacements."""
        places = self.places
        assert places is not None
        served = window.planned.component in SERVED
        if served:
            assert self.plant is not None
            change = self.plant.lose(window.planned.component, window.component)
            self.note_part("out", window.planned.component, window.component, now, window.planned.name)
            atoms = self.standing(change.down)
        else:
            atoms = places.in_service(places.span(window.planned.component, window.component))
        window.parts, window.atoms, window.since = self.parts_of(places.owner[atoms]), atoms, now
        ready: list[FullGang] = []
        for gang, gpus in window.parts:
            if gang is None:
                self.change_free(-gpus, now)
                continue
            if gang.phase == WHOLE:  # it came back, or came here, while others drained
                ready.append(gang)
                self.unqueue(gang)
            gang.stop(now)
            gang.up -= gpus
        for gang in window.gangs:
            if window in gang.draining:
                gang.draining.discard(window)
                gang.stop(now)
                if not gang.draining:
                    ready.append(gang)
        if len(atoms):
            owners = window.owners = places.owner[atoms].copy()
            places.take_out(atoms)
            self.note_places(atoms, owners, now, "maintenance", why=window.planned.name)
            if served:
                why = window.planned.name
                self.absent.append(Absence(atoms, owners, now, now, "maintenance", awaited=False, why=why))
            else:
                self.stays.append(window)
            self.left(atoms, now, struck=False)
        if served or len(atoms):
            self.push(now + window.planned.duration, self.bring_back, window, BACK)
        if served:
            self.set_pace(change, now)
        for gang in sorted(ready, key=lambda gang: gang.index):
            gang.drained()
            self.want(gang, now, False)
            self.gang_clocks(gang, now)
        if self.waiting:
            self.call_service(now)

    def bring_back(self, now: int, window: Window) -> None:
        """The component is in service again: its GPUs are free, unless the plant does not serve them."""
        assert self.places is not None
        if window.planned.component in SERVED:
            assert self.plant is not None
            change = self.plant.restore(window.planned.component, window.component)
            self.note_part("back", window.planned.component, window.component, now, window.planned.name)
            self.given_back(change, now)
            return
        assert window.atoms is not None
        assert window.owners is not None
        self.stays.remove(window)
        self.book_stay(window, now)
        why = window.planned.name
        served = self.absent_if_unserved(window.atoms, window.owners, now, "maintenance", awaited=False, why=why)
        atoms = window.atoms[served]
        self.places.give_back(atoms)
        self.change_free(len(atoms) * self.places.atom, now)
        self.moved(atoms, now)
        if self.waiting:
            self.call_service(now)

    def book_stay(self, window: Window, now: int) -> None:
        """Book the time that a component was out, to the gangs that it was taken from."""
        about = {} if self.log is None else self.about_window(window)
        for gang, gpus in window.parts:
            if gang is None:
                self.rest("maintenance", gpus, window.since, now, **about)
            else:
                gang.put("maintenance", gpus, window.since, now, **about)

    # --- log ------------------------------------------------------------------------------------------------------

    def about_window(self, window: Window) -> dict[str, Any]:
        """Return what the log says of a window."""
        return {"why": window.planned.name, "where": window.component, "kind": window.planned.component}

    def note_drain(self, gang: FullGang, now: int, window: Window) -> None:
        """Log that a gang stops for a window."""
        if self.log is not None:
            self.log.add("drain", gang.owner, gang.index, "", gang.up, now, now, 0, **self.about_window(window))
