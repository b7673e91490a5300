"""The state of a run by name: views that read the records at the moment at which they are asked."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import simpy

from dcsim.program.plain_world import PlainWorld
from dcsim.program.records import ABSENT, DETECT, DONE, DRAIN, FREE, NONE, OUT, PPB, SAVE, WAIT, WHOLE
from dcsim.rules.gangs import run_at
from dcsim.rules.shifts import shift_from
from dcsim.scenario import Plan, Scenario

PHASES = {ABSENT: "not submitted", DETECT: "detect", WAIT: "wait", DRAIN: "maintenance", DONE: "done", SAVE: "saving"}
"""Phase of a gang -> its name; a whole one is in failover, restore or running, one that saves writes or moves away."""


class Views:
    """What a ``SimPyRun`` shows. All numbers are of now; GPUs are counted, times are in ms."""

    scenario: Scenario
    plan: Plan
    world: PlainWorld
    env: simpy.Environment

    @property
    def now(self) -> int:
        """Time since the begin of the run [ms]."""
        return int(self.env.now)

    @cached_property
    def gangs(self) -> dict[str, "GangView"]:
        """The gangs by name: job/instance, the instances from 0."""
        jobs = self.scenario.jobs
        return {f"{jobs[gang.job].name}/{gang.instance}": GangView(self, gang.index) for gang in self.plan.gangs}

    @cached_property
    def hazards(self) -> dict[str, "HazardView"]:
        """The hazards by their names in the scenario."""
        return {hazard.key: HazardView(self, number) for number, hazard in enumerate(self.scenario.hazards)}

    @cached_property
    def crews(self) -> dict[str, "CrewsView"]:
        """The crews of repair stages by name; those without one belong to a stage: hazard/stage, the stages from 0."""
        found: dict[str, CrewsView] = {}
        for number, hazard in enumerate(self.scenario.hazards):
            for place, stage in enumerate(hazard.stages):
                row = self.world.stage_crews[number, place]
                found.setdefault(stage.name or f"{hazard.key}/{place}", CrewsView(self, row))
        return found

    @cached_property
    def racks(self) -> "tuple[RackView, ...]":
        """The racks in order; () where GPUs have no places, because nothing in the scenario depends on them."""
        atom = self.world.one.atom
        size = self.plan.topology.gpus_per_rack // atom if atom else 0
        return tuple(RackView(self, number, size) for number in range(self.plan.topology.racks if size else 0))

    @property
    def free(self) -> int:
        """GPUs in service that no gang has, spares included."""
        return int(self.world.one.free)

    @property
    def failures(self) -> int:
        """Failures up to now that had an effect."""
        return int(self.world.one.failures)

    @property
    def queue(self) -> list[str]:
        """Names of the gangs that wait for hardware, in the order in which they are served."""
        names = list(self.gangs)
        return [names[gang] for gang in self.world.queue[: self.world.one.waiting]]

    @property
    def repairs(self) -> "list[RepairView]":
        """Repairs under way, those that wait for a crew included; the first that was begun is first."""
        found, repair = [], self.world.one.away
        while repair >= 0:
            found.append(RepairView(self, repair))
            repair = self.world.repairs[repair].next_away
        return found[::-1]

    @property
    def gpus_per_place(self) -> int:
        """GPUs of a place, which move as one; 0 where GPUs have no places."""
        return int(self.world.one.atom)

    @property
    def unserved(self) -> list[int]:
        """Nodes that the plant gives no power, cooling or network."""
        return [node for node, down in enumerate(self.world.down) if down] if self.world.one.has_plant else []

    def linked(self, place: int) -> Iterator[int]:
        """Yield places that left service together, from one on."""
        while place >= 0:
            yield place
            place = self.world.next_place[place]


class View:
    """A row of a table of the run. ``row``: the record itself, all of its columns."""

    table = ""
    __slots__ = ("index", "run")

    def __init__(self, run: Views, index: int) -> None:
        self.run, self.index = run, index

    @property
    def row(self) -> Any:
        """The record (``dcsim.program.records`` says what its columns mean)."""
        return getattr(self.run.world, self.table)[self.index]


class GangView(View):
    """An instance of a job."""

    table = "gangs"
    __slots__ = ()

    @property
    def gpus(self) -> int:
        """GPUs that it asks for."""
        return int(self.row.gpus)

    @property
    def up(self) -> int:
        """Members in service."""
        return int(self.row.up)

    @property
    def active(self) -> int:
        """Members that its shape has a use for."""
        return int(self.row.active)

    @property
    def out(self) -> int:
        """Members that were struck and are not back."""
        return int(self.row.out)

    @property
    def strikes(self) -> int:
        """Failures that hit it up to now."""
        return int(self.row.strikes)

    @property
    def phase(self) -> str:
        """What it does: not submitted, failover, restore, running, detect, wait, maintenance, saving or done."""
        row, now = self.row, self.run.now
        if row.phase != WHOLE:
            return PHASES[row.phase]
        if run_at(self.run.world, self.index, now) >= 0:
            return "running"
        return "failover" if now < row.since + row.failover else "restore"

    @property
    def since(self) -> int:
        """Begin of this stretch [ms]: of failover, restore and running together, else of the phase."""
        return int(self.row.since)

    @property
    def speed(self) -> float:
        """Share of full speed that stragglers, power and network leave it."""
        return float(self.row.speed_2 / PPB)

    @property
    def places(self) -> list[int]:
        """Its places, ascending."""
        return [place for place, owner in enumerate(self.run.world.owner) if owner == self.index and self._placed]

    @property
    def _placed(self) -> bool:
        return bool(self.run.world.one.atom)


class HazardView(View):
    """A hazard."""

    table = "hazards"
    __slots__ = ()

    @property
    def failures(self) -> int:
        """Failures of it up to now that had an effect."""
        world = self.run.world
        return sum(failure.hazard == self.index for failure in world.failures[: world.one.failed])

    @property
    def slow(self) -> list[int]:
        """Components that are slow now, found or not."""
        found, component = [], self.row.first_slow
        while component >= 0:
            found.append(component)
            component = self.run.world.components[self.row.first_component + component].next_slow
        return sorted(found)


class CrewsView(View):
    """Crews that share a queue: first come, first served."""

    table = "crews"
    __slots__ = ()

    @property
    def size(self) -> int | None:
        """How many crews there are; None: enough for all."""
        return None if self.row.size < 0 else int(self.row.size)

    @property
    def busy(self) -> int:
        """Crews that have a repair; of a visit, repairs that it is about; 0 where there are enough for all."""
        return int(self.row.busy)

    @property
    def on_shift(self) -> bool:
        """Whether they work at this time; of those who only visit, whether they do now."""
        world, now = self.run.world, self.run.now
        if self.row.visits:
            return self.busy > 0
        return not self.row.on_shift or shift_from(world, self.index, now) == now

    @property
    def waiting(self) -> "list[RepairView]":
        """Repairs that wait for a crew or for a visit, in their order."""
        found, repair = [], self.row.first
        while repair >= 0:
            found.append(RepairView(self.run, repair))
            repair = self.run.world.repairs[repair].following
        return found


class RepairView(View):
    """A repair under way."""

    table = "repairs"
    __slots__ = ()

    @property
    def hazard(self) -> str:
        """The hazard that it is of."""
        return str(self.run.scenario.hazards[self.run.world.failures[self.row.failure].hazard].key)

    @property
    def component(self) -> int | None:
        """Index of the component that failed; None where failures strike slots."""
        component = self.run.world.failures[self.row.failure].component
        return None if component == NONE else int(component)

    @property
    def gpus(self) -> int:
        """GPUs that are away with it."""
        return int(self.row.gpus)

    @property
    def since(self) -> int:
        """When it began [ms]."""
        return int(self.row.since)

    @property
    def stage(self) -> int:
        """The stage that it is in or waits for, from 0; -1 before the first."""
        return int(self.row.stage)

    @property
    def places(self) -> list[int]:
        """Places that are away with it, in its order; [] where GPUs have no places."""
        return list(self.run.linked(self.row.first_place)) if self.row.placed else []


class RackView:
    """A rack. Places are counted over the whole cluster."""

    __slots__ = ("index", "places", "run")

    def __init__(self, run: Views, index: int, size: int) -> None:
        self.run, self.index = run, index
        self.places = range(index * size, min((index + 1) * size, run.world.one.atoms))

    @property
    def free(self) -> list[int]:
        """Places whose GPUs are free."""
        return [place for place in self.places if self.run.world.owner[place] == FREE]

    @property
    def out(self) -> list[int]:
        """Places whose GPUs are out of service, for whatever reason."""
        return [place for place in self.places if self.run.world.owner[place] == OUT]

    @property
    def in_repair(self) -> list[int]:
        """Places whose GPUs are in repair."""
        away = {place for repair in self.run.repairs for place in repair.places}
        return [place for place in self.places if place in away]
