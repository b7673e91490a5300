"""The reference's objects and its clock: GPUs, gangs, incidents; what each GPU is booked as between two events."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dcsim.hazards import Hazard
from dcsim.recovery import Recovery
from dcsim.scenario import Gang as Planned
from dcsim.scenario import Maintenance, Scenario, plan
from dcsim.streams import generator
from tests.property import reference_strategy as strategy
from tests.property.reference_strategy import Copies, Stretch

WHOLE = ("failover", "restore", "run")
BILLION = 10**9


@dataclass(eq=False)
class Gpu:
    """One GPU. ``gang`` owns it while it is up; ``struck_in`` owned it before it left, None if it was free."""

    index: int
    condition: str = "up"  # up | struck (not yet identified) | repair | maintenance
    gang: "Gang | None" = None
    struck_in: "Gang | None" = None
    gone: bool = False  # retired for ever


@dataclass(eq=False)
class Gang:
    """One instance of a job."""

    plan: Planned
    chances: np.random.Generator
    tiers: list[Copies]
    phase: str = "absent"  # absent | detect | wait | failover | restore | run | drain | finished
    until: int = 0  # end of detect, failover or restore
    stall: tuple[int, int] = (0, 0)  # failover and restore of the present stall
    active: int = 0  # members that compute
    short_since: int | None = None
    has_run: bool = False
    ever_struck: bool = False
    stretch: Stretch | None = None  # while running
    resumed: int = 0
    base: int = 0  # position at the resume
    pieces: list[tuple[int, int, int]] = field(default_factory=list)  # surviving work: (ms, GPUs, ppb of speed)
    durable: list[int] = field(default_factory=list)  # by tier: position that is safe
    struck: int = 0  # members since the gang last ran
    deepest: int = -1  # level since the gang last ran
    failed_restores: int = 0  # that the last interruption brings
    windows: list["Window"] = field(default_factory=list)  # that it drains for
    home: dict[int, int] = field(default_factory=dict)  # with in-rack spares: rack -> seats
    finish: int | None = None

    @property
    def recovery(self) -> Recovery:
        """The gang's strategy."""
        return self.plan.recovery

    @property
    def position(self) -> int:
        """Ms of computing that it has."""
        return sum(ms for ms, _, _ in self.pieces)

    @property
    def surviving(self) -> int:
        """GPU-ms of computing that it has."""
        return sum(ms * gpus for ms, gpus, _ in self.pieces)

    @property
    def weight(self) -> int:
        """GPU-ms of computing at full speed that it has, in parts per billion."""
        return sum(ms * gpus * speed for ms, gpus, speed in self.pieces)

    @property
    def useful(self) -> int:
        """Useful GPU-ms."""
        return self.weight // BILLION * strategy.useful_ppb(self.recovery) // BILLION

    def safe(self, tier: int) -> int:
        """Position that is durable in a tier at this moment."""
        fresh = self.stretch.durable(tier) if self.stretch else 0
        return max(self.durable[tier], self.base + fresh) if fresh else self.durable[tier]


@dataclass
class Outcome:
    """What was drawn for one failure."""

    detect: int
    wrong: int
    stages: list[int]
    fixed: bool


@dataclass(eq=False)
class Incident:
    """One failure that did something, until its component is as it was before."""

    hazard: int
    component: int | None  # None: a slot
    outcome: Outcome
    state: str  # latent (slow or corrupt, not found) | struck | faulty (a healthy group was blamed) | repair | over
    found: int = 0  # when it is, or was, identified
    order: int = 0
    gang: Gang | None = None  # the only one struck; the one corrupted
    offset: int = 0  # of a corrupted slot
    clean: int = 0  # newest position that is not corrupt
    gpus: list[Gpu] = field(default_factory=list)
    wrong: int = 0
    retire: bool = False


@dataclass(eq=False)
class Batch:
    """What goes through repair together. ``ends``: it is what failed, so the incident is over when it is back."""

    incident: Incident
    gpus: list[Gpu]
    ends: bool
    renews: bool = False  # replaced by a new component
    stage: int = 0  # beyond the last: the test
    admitted: bool = False
    back: int | None = None  # end of the stage; None: waits for a crew, or never
    began: int = 0  # which stage of all it is


@dataclass(eq=False)
class Window:
    """One maintenance window of one component."""

    maintenance: Maintenance
    component: int
    start: int
    gpus: list[Gpu] = field(default_factory=list)

    @property
    def leaves(self) -> int:
        """When the drain is over."""
        return self.start + self.maintenance.drain

    @property
    def back(self) -> int:
        """When the component returns."""
        return self.leaves + self.maintenance.duration


class World:
    """The state of one replication, what is where, and what time costs."""

    def __init__(self, scenario: Scenario, replication: int) -> None:
        self.plan = plan(scenario)
        self.scenario = scenario = self.plan.scenario
        self.hazards: tuple[Hazard, ...] = scenario.hazards
        self.replication, self.now, self.orders = replication, 0, 0
        self.topology, self.horizon = self.plan.topology, scenario.horizon
        self.gpus = [Gpu(index) for index in range(scenario.cluster.gpus)]
        self.per_rack = self.topology.gpus_per("rack")
        self.in_rack = scenario.cluster.in_rack_spares
        self.spares = self.in_rack * (len(self.gpus) // self.per_rack) or scenario.cluster.spares
        self.gangs = [self.new_gang(gang) for gang in self.plan.gangs]
        self.place()
        self.incidents: list[Incident] = []
        self.begun = 0  # stages, so that those that end together end in the order in which they began
        self.batches: list[Batch] = []  # in order of joining the queue that they are in
        self.windows: list[Window] = []  # that began
        self.by_places = self.in_rack > 0 or bool(scenario.maintenance) or any(each.placed for each in self.hazards)
        self.rest_row = len(scenario.jobs) + 1
        self.books: list[dict[str, int]] = [{} for _ in self.plan.owners]
        self.strikes_on = [0] * len(self.plan.owners)
        self.failures = 0

    def new_gang(self, planned: Planned) -> Gang:
        """Return a gang that is not there yet."""
        name = f"job {self.scenario.jobs[planned.job].name} {planned.instance}"
        chances = generator(self.scenario.seed, self.replication, name, "chance")
        tiers = strategy.tiers_of(planned.recovery)
        return Gang(planned, chances, tiers, durable=[0] * len(tiers))

    def place(self) -> None:
        """Put the gangs of t = 0 on the lowest free indices; the last GPUs of a rack may be held back."""
        seats = iter(gpu for gpu in self.gpus if gpu.index % self.per_rack < self.per_rack - self.in_rack)
        for gang in sorted(self.gangs, key=lambda gang: (-gang.plan.priority, gang.plan.index)):
            if gang.plan.submit == 0:
                for _ in range(gang.plan.gpus):
                    gpu = next(seats)
                    gpu.gang = gang
                    rack = gpu.index // self.per_rack
                    gang.home[rack] = gang.home.get(rack, 0) + 1
                gang.active = gang.plan.gpus
                self.resume(gang)

    # --- what is where

    def members(self, gang: Gang | None) -> list[Gpu]:
        """Members in service, by index; None: free GPUs."""
        return [gpu for gpu in self.gpus if gpu.gang is gang and gpu.condition == "up"]

    def part(self, kind: str, number: int) -> list[Gpu]:
        """All GPUs of a part."""
        lo, hi = self.topology.span(kind, number)
        return self.gpus[lo:hi]

    def standing(self, kind: str, number: int) -> list[Gpu]:
        """GPUs of a part that are in service."""
        return [gpu for gpu in self.part(kind, number) if gpu.condition == "up"]

    def speed(self, gang: Gang) -> int:
        """Parts per billion of full speed: that of the slowest member."""
        speeds = [BILLION]
        for incident in self.incidents:
            hazard = self.hazards[incident.hazard]
            slow = hazard.effect == "degrade" or (hazard.effect == "straggle" and incident.state == "latent")
            if slow and any(gpu.gang is gang for gpu in self.standing(hazard.component, incident.component)):
                speeds.append(round(hazard.keeps * BILLION))
        return min(speeds)

    # --- time

    def book(self, row: int, state: str, gpu_ms: int) -> None:
        """Book GPU-ms; a state named "overhead/..." is a cause of overhead."""
        self.books[row][state] = self.books[row].get(state, 0) + gpu_ms

    def elapse(self, until: int) -> None:
        """Book the time from now to ``until``, GPU by GPU; let running gangs go on and components age."""
        passed, idle_spares = until - self.now, self.spares
        self.age(passed)
        for gpu in self.gpus:
            row = self.rest_row if gpu.struck_in is None else gpu.struck_in.plan.job
            if gpu.condition == "up" and gpu.gang is None:
                spare = idle_spares > 0
                idle_spares -= 1
                self.book(self.rest_row - spare, "spare" if spare else "idle", passed)
            elif gpu.condition == "up":
                phase = {"drain": "maintenance", "run": None}.get(gpu.gang.phase, gpu.gang.phase)
                if phase is not None:
                    self.book(gpu.gang.plan.job, phase, passed)
            elif gpu.condition == "struck":
                self.book(row, "repair" if gpu.struck_in is None else "detect", passed)
            else:
                self.book(row, gpu.condition, passed)
        for gang in self.gangs:
            if gang.phase == "run":
                self.compute(gang, passed)
        self.now = until

    def compute(self, gang: Gang, passed: int) -> None:
        """Let a running gang compute and write."""
        speed = self.speed(gang)
        computing, writing = gang.stretch.walk(passed)
        if computing:
            gang.pieces.append((computing, gang.active, speed))
        self.book(gang.plan.job, "checkpoint", writing * gang.active)
        self.book(gang.plan.job, "overhead/shrunk", passed * (len(self.members(gang)) - gang.active))

    def finish_in(self, gang: Gang) -> int:
        """Ms until a running gang's useful work is done, as things are."""
        weight = -(-gang.plan.work * BILLION // strategy.useful_ppb(gang.recovery)) * BILLION
        missing = max(0, weight - gang.weight)
        return gang.stretch.wall(-(-missing // (gang.active * self.speed(gang))))

    def age(self, passed: int) -> None:
        """Let components age; see ``Ageing``."""
        raise TypeError("a world alone has no hazards")

    # --- stretches

    def resume(self, gang: Gang) -> None:
        """Begin a running part."""
        gang.phase, gang.resumed, gang.base, gang.has_run = "run", self.now, gang.position, True
        gang.stretch = Stretch(gang.tiers)
        gang.struck, gang.deepest = 0, -1

    def end_stretch(self, gang: Gang) -> int:
        """End the running part, if there is one; return what it computed [ms]."""
        if gang.stretch is None:
            return 0
        gang.durable = [gang.safe(tier) for tier in range(len(gang.tiers))]
        computed, gang.stretch = gang.stretch.computed, None
        return computed

    def cut(self, gang: Gang, target: int) -> None:
        """Lose all work above a position; no copy is newer than that."""
        while (above := gang.position - target) > 0:
            ms, gpus, speed = gang.pieces.pop()
            if ms > above:
                gang.pieces.append((ms - above, gpus, speed))
            self.book(gang.plan.job, "lost", min(ms, above) * gpus)
        gang.durable = [min(each, target) for each in gang.durable]
        for incident in self.corruptions(gang):
            incident.clean = min(incident.clean, target)

    def corruptions(self, gang: Gang) -> Iterator[Incident]:
        """Yield what corrupts a gang and is not found yet."""
        for incident in self.incidents:
            if incident.gang is gang and incident.state == "latent":
                yield incident

    def interrupt(self, gang: Gang, level: int, bad: int = 0) -> None:
        """End whatever a gang does and roll back to tier ``level``, ``bad`` checkpoints further; -1: keep the work."""
        computed = self.end_stretch(gang)
        gang.windows = []
        gang.deepest = max(gang.deepest, level)
        if level < 0:
            self.cut(gang, gang.position - min(strategy.step_of(gang.recovery), computed))
        else:
            safe = max(gang.durable[level:])
            self.cut(gang, min(gang.position, max(0, safe - bad * gang.tiers[level].every)))
