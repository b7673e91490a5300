"""The reference's objects: GPUs, gangs, incidents, batches in repair, windows, phases of energisation."""

import math
from dataclasses import dataclass, field

import numpy as np

from dcsim.recovery import Recovery
from dcsim.scenario import Gang as Planned
from dcsim.scenario import Maintenance
from tests.property import reference_strategy as strategy
from tests.property.reference_strategy import Copies, Stretch

WHOLE = ("failover", "restore", "run")
BILLION = 10**9


@dataclass(eq=False)
class Gpu:
    """One GPU. ``gang`` owns it while it is up; ``struck_in`` owned it before it left, None if it was free."""

    index: int
    condition: str = "up"  # up | struck (not yet identified) | repair | maintenance | absent (its node is down)
    gang: "Gang | None" = None
    struck_in: "Gang | None" = None
    gone: bool = False  # retired for ever
    booked: str = "repair"  # while absent


class Checks:
    """What the preflights of one gang find: the first of two streams is of faulty members, the other of good nodes."""

    def __init__(self, rngs: tuple[np.random.Generator, np.random.Generator], shares: tuple[float, float]) -> None:
        self.rngs, self.shares = rngs, shares
        self.passes: list[float | None] = [None, None]  # so many more pass before one does not

    def fails(self, which: int) -> bool:
        """Whether the next one does not pass."""
        share, left = self.shares[which], self.passes[which]
        if left is None:
            left = 0.0 if share == 1 else math.inf
            if 0 < share < 1:
                left = math.floor(np.log(1 - self.rngs[which].random()) / math.log(1 - share))
        self.passes[which] = left - 1 if left else None
        return not left


@dataclass(eq=False)
class Gang:
    """One instance of a job."""

    plan: Planned
    chances: np.random.Generator
    tiers: list[Copies]
    phase: str = "absent"  # absent | detect | wait | failover | restore | run | drain | save | check | finished
    until: int = 0  # end of detect, failover or restore
    stall: tuple[int, int] = (0, 0)  # failover and restore of the present stall
    active: int = 0  # members that compute
    short_since: int | None = None
    has_run: bool = False
    ever_struck: bool = False
    stretch: Stretch | None = None  # while running
    resumed: int = 0
    base: int = 0  # position at the resume
    pieces: list[tuple[int, int, tuple[int, int, int]]] = field(default_factory=list)  # surviving work: (ms, GPUs, ppb)
    durable: list[int] = field(default_factory=list)  # by tier: position that is safe
    struck: int = 0  # members since the gang last ran
    deepest: int = -1  # level since the gang last ran
    failed_restores: int = 0  # that the last interruption brings
    windows: list["Window"] = field(default_factory=list)  # that it drains for
    home: dict[int, int] = field(default_factory=dict)  # with in-rack spares: rack -> seats
    finish: int | None = None
    moved: int = 0  # of the load under way, ms alone in parts per billion
    load: int = 0  # in the present stall's restore, ms alone; 0: nothing through the storage gateways
    loads: bool = False  # whether it loads now
    booked: str = ""  # while it saves
    leaves: list[Gpu] = field(default_factory=list)  # while it saves: what it moves away from
    ends: int | None = None  # of its time; None: that has not begun, or is not limited
    kept: bool = False  # from the queue, until ``not_before``
    not_before: int = 0
    requeues: np.random.Generator | None = None
    submit: int | None = None  # when it is submitted; None: nobody knows yet
    passed: set[Gpu] = field(default_factory=set)  # members that need no further check for this start
    checks: "Checks | None" = None

    @property
    def recovery(self) -> Recovery:
        """The gang's strategy."""
        return self.plan.recovery

    def load_ends_in(self, speed: int) -> int:
        """Ms until the load is over at this speed in parts per billion; more than any horizon at speed 0."""
        return -(-(self.load * BILLION - self.moved) // speed) if speed else BILLION**2

    @property
    def position(self) -> int:
        """Ms of computing that it has."""
        return sum(ms for ms, _, _ in self.pieces)

    @property
    def surviving(self) -> int:
        """GPU-ms of computing that it has."""
        return sum(ms * gpus for ms, gpus, _ in self.pieces)

    def left(self, reason: int) -> int:
        """GPU-ms at full speed, in ppb, that slow members (0), too little power (1), then the network (2) leave."""
        return sum(ms * gpus * speeds[reason] for ms, gpus, speeds in self.pieces)

    @property
    def weight(self) -> int:
        """GPU-ms of computing at full speed that it has, in parts per billion."""
        return self.left(2)

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
    missed: int = 0  # checks that do not find it
    sent_on: int = 0  # bits of the stages, but for the last, after which the test finds it as bad as before
    redos: tuple[int, ...] = ()  # how long the last stage takes each time that it is done again for that


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
    blamed: int = 0  # when a healthy node was blamed in its place, in order
    retire: bool = False
    by_check: bool = False  # that finds it


@dataclass(eq=False)
class Batch:
    """What goes through repair together. ``ends``: it is what failed, so the incident is over when it is back."""

    incident: Incident
    gpus: list[Gpu]
    ends: bool
    renews: bool = False  # replaced by a new component
    stage: int = 0  # how many of its steps are done
    admitted: bool = False
    back: int | None = None  # end of the stage; None: waits for a crew, or never
    began: int = 0  # which stage of all it is
    asked: int = 0  # when it joined the queue that it is in


@dataclass(eq=False)
class Window:
    """One maintenance window of one component."""

    maintenance: Maintenance
    component: int
    start: int
    gpus: list[Gpu] = field(default_factory=list)
    out: bool = False  # the drain is over
    retest: int = 0  # after a false alarm

    @property
    def leaves(self) -> int:
        """When the drain is over."""
        return self.start + self.maintenance.drain

    @property
    def back(self) -> int:
        """When the component returns."""
        return self.leaves + self.maintenance.duration + self.retest


@dataclass(eq=False)
class Phase:
    """Racks, or the grid, that get power from a date on, or later. ``due``: the date has come."""

    date: int
    racks: range
    dark: bool = True
    due: bool = False
