"""The reference's state and its clock: what is where, how fast it is, what each GPU is booked as between two events."""

from collections.abc import Iterator

from dcsim.hazards import Hazard
from dcsim.parts import PARTS
from dcsim.scenario import Gang as Planned
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.streams import generator
from tests.property import reference_strategy as strategy
from tests.property.reference_objects import BILLION, WHOLE, Batch, Checks, Gang, Gpu, Incident, Phase, Window
from tests.property.reference_plant import Holds, Look, Site
from tests.property.reference_storage import fair
from tests.property.reference_strategy import Stretch


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
        self.spares -= sum(job.gpus * job.count for job in scenario.jobs if job.name == scenario.cluster.spares_run)
        self.gangs = [self.new_gang(gang) for gang in self.plan.gangs]
        self.incidents: list[Incident] = []
        self.begun = 0  # stages, so that those that end together end in the order in which they began
        self.batches: list[Batch] = []  # in order of joining the queue that they are in
        self.expected: list[tuple[int, str | tuple[int, int] | None]] = []  # visits by whom and when, in this order
        self.windows: list[Window] = []  # that began
        self.tested: list[tuple[int, list[Gpu]]] = []  # good nodes that failed a preflight, and when they are back
        self.site = Site(self.topology)
        dated = zip(self.plan.dates(replication), self.plan.phase_racks, strict=True)
        self.phases = [Phase(date, range(*racks), dark=date > 0, due=date <= 0) for date, racks in dated]
        self.by_places = self.in_rack > 0 or bool(scenario.maintenance) or any(each.placed for each in self.hazards)
        network = self.site.plant.fabric is not None
        self.by_places |= bool(scenario.energisation) or any(job.comm and network for job in scenario.jobs)
        self.by_places |= min(self.look().capped(node) for node in range(self.topology.nodes)) < 1
        self.by_places |= any(self.gateways(gang) for gang in self.gangs)
        self.by_places |= any(job.preflight for job in scenario.jobs)
        self.place()
        self.rest_row = len(scenario.jobs) + 1
        self.books: list[dict[str, int]] = [{} for _ in self.plan.owners]
        self.strikes_on = [0] * len(self.plan.owners)
        self.failures = 0

    def new_gang(self, planned: Planned) -> Gang:
        """Return a gang that is not there yet."""
        name = f"job {self.scenario.jobs[planned.job].name} {planned.instance}"
        chances = generator(self.scenario.seed, self.replication, name, "chance")
        tiers = strategy.tiers_of(planned.recovery)
        submit = planned.submit if self.scenario.jobs[planned.job].after is None else None
        gang = Gang(planned, chances, tiers, durable=[0] * len(tiers), submit=submit)
        if preflight := self.scenario.jobs[planned.job].preflight:
            streams = (generator(self.scenario.seed, self.replication, name, each) for each in ("preflight", "alarm"))
            gang.checks = Checks(tuple(streams), (preflight.finds, preflight.false_alarms))
        return gang

    def place(self) -> None:
        """Put the gangs of t = 0 on the lowest free indices; the last GPUs of a rack may be held back."""
        seats = iter(gpu for gpu in self.gpus if gpu.index % self.per_rack < self.per_rack - self.in_rack)
        for gang in sorted(self.gangs, key=lambda gang: (-gang.plan.priority, gang.plan.index)):
            if gang.submit == 0:
                for _ in range(gang.plan.gpus):
                    gpu = next(seats)
                    gpu.gang = gang
                    rack = gpu.index // self.per_rack
                    gang.home[rack] = gang.home.get(rack, 0) + 1
                gang.active = gang.plan.gpus
        down = self.down()
        for gang in self.gangs:
            members = self.members(gang)
            if any(gpu in down for gpu in members):
                gang.phase, gang.short_since, gang.active = "wait", 0, 0
                for gpu in members:
                    gpu.gang = None
            elif members:
                self.resume(gang)
        for gpu in down:
            gpu.condition = "unpowered"

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

    # --- the plant

    def holds(self) -> Holds:
        """Return what failures, windows and a grid to come leave of components that hold no GPU."""
        held: list[tuple[str, int, float]] = []
        for incident in self.incidents:
            hazard = self.hazards[incident.hazard]
            if hazard.serves:
                held.append((hazard.component, incident.component, hazard.keeps if hazard.effect == "degrade" else 0.0))
        for window in self.windows:
            if window.out and window.maintenance.component in PARTS:
                held.append((window.maintenance.component, window.component, 0.0))
        if any(phase.dark and not phase.racks for phase in self.phases):
            held += [("site-feed", index, 0.0) for index in range(self.topology.components("site-feed"))]
        shares: Holds = {}
        for kind, index, share in held:
            shares[kind, index] = min(share, shares.get((kind, index), 1.0))
        return shares

    def look(self, without: tuple[str, int] | None = None) -> Look:
        """Look at the plant as it is, or as it would be without one component."""
        shares = self.holds()
        if without is not None:
            shares[without] = 0.0
        return self.site.look(shares, frozenset(rack for phase in self.phases if phase.dark for rack in phase.racks))

    def down(self, without: tuple[str, int] | None = None) -> list[Gpu]:
        """GPUs on nodes that are down, or would be without one component."""
        nodes = self.look(without).down
        return [gpu for gpu in self.gpus if nodes[gpu.index // self.topology.gpus_per_node]]

    def nodes(self, gang: Gang) -> list[int]:
        """Nodes of a gang's members."""
        return sorted({gpu.index // self.topology.gpus_per_node for gpu in self.members(gang)})

    def speeds(self, gang: Gang) -> tuple[int, int, int]:
        """Parts per billion of full speed: of the slowest member, then also with this power, then this network."""
        straggling = self.slowest(gang)
        powered = min(self.look().capped(node) for node in self.nodes(gang))
        capped = min(straggling, max(1, round(powered * BILLION)))
        return straggling, capped, capped * self.network(gang) // BILLION

    def network(self, gang: Gang) -> int:
        """Parts per billion of its speed that the network leaves a gang."""
        senders = [each for each in self.gangs if self.sends(each)]
        if gang not in senders:
            return BILLION
        loads = [(self.scenario.jobs[each.plan.job].comm, self.nodes(each)) for each in senders]
        return round(BILLION / self.look().slowdown(senders.index(gang), loads))

    def sends(self, gang: Gang) -> bool:
        """Whether a gang has traffic on the network."""
        if self.site.plant.fabric is None or gang.phase not in WHOLE or not self.scenario.jobs[gang.plan.job].comm:
            return False
        return len({self.site.part("nvlink-domain", node) for node in self.nodes(gang)}) > 1

    # --- storage

    def gateways(self, gang: Gang) -> bool:
        """Whether a gang loads and writes through storage gateways."""
        return self.site.plant.storage is not None and self.scenario.jobs[gang.plan.job].storage is not None

    def writes_through(self, gang: Gang) -> bool:
        """Whether its writes to the slowest tier block it and go through the gateways."""
        return self.gateways(gang) and bool(gang.tiers) and gang.tiers[-1].write > 0 and gang.tiers[-1].drain == 0

    def load_of(self, gang: Gang) -> int:
        """Part of the next restore that goes through the gateways, ms alone."""
        if not self.gateways(gang):
            return 0
        always = not gang.has_run or gang.recovery.kind == "stateless"
        slowest = bool(gang.tiers) and gang.deepest == len(gang.tiers) - 1
        return self.scenario.jobs[gang.plan.job].storage.load if always or slowest else 0

    def transfers(self) -> dict[int, int]:
        """Return gang -> parts per billion of the speed alone of what goes through the gateways now."""
        storage = self.site.plant.storage
        alone: dict[int, float] = {}  # GB/s
        stretches: dict[int, float] = {}
        for gang in self.gangs:
            if gang.phase == "restore" and gang.loads:
                ms = self.scenario.jobs[gang.plan.job].storage.load
            elif gang.phase == "run" and gang.stretch.transfers():
                ms = gang.tiers[-1].write
            else:
                continue
            gigabytes = self.scenario.jobs[gang.plan.job].storage.state * 2**30 / 10**9
            alone[gang.plan.index] = gigabytes / (ms / 1000)
            stretches[gang.plan.index] = self.stretch(gang)
        if not alone:
            return {}
        left = sum(self.look().share("gateway", index) for index in range(storage.gateways)) * storage.bandwidth
        rates = fair([alone[each] / stretches[each] for each in alone], left)
        return {each: round(rate / alone[each] * BILLION) for each, rate in zip(alone, rates, strict=True)}

    def stretch(self, gang: Gang) -> float:
        """By how much longer the network makes a gang's transfers."""
        senders = [each for each in self.gangs if self.sends(each)]
        if gang not in senders:
            return 1.0
        loads = [(self.scenario.jobs[each.plan.job].comm, self.nodes(each)) for each in senders]
        return self.look().stretch(senders.index(gang), loads)

    def slowest(self, gang: Gang) -> int:
        """Parts per billion of full speed that the slowest member has."""
        speeds = [BILLION]
        for incident in self.incidents:
            hazard = self.hazards[incident.hazard]
            slow = hazard.effect == "degrade" or (hazard.effect == "straggle" and incident.state == "latent")
            if not slow or hazard.serves:
                continue
            if any(gpu.gang is gang for gpu in self.standing(hazard.component, incident.component)):
                speeds.append(round(hazard.keeps * BILLION))
        return min(speeds)

    # --- time

    def book(self, row: int, state: str, gpu_ms: int) -> None:
        """Book GPU-ms; a state named "overhead/..." is a cause of overhead."""
        self.books[row][state] = self.books[row].get(state, 0) + gpu_ms

    def elapse(self, until: int) -> None:
        """Book the time from now to ``until``, GPU by GPU; let running gangs go on and components age."""
        passed, idle_spares, speeds = until - self.now, self.spares, self.transfers()
        self.age(passed)
        for gpu in self.gpus:
            row = self.rest_row if gpu.struck_in is None else gpu.struck_in.plan.job
            if gpu.condition == "up" and gpu.gang is None:
                spare = idle_spares > 0
                idle_spares -= 1
                self.book(self.rest_row - spare, "spare" if spare else "idle", passed)
            elif gpu.condition == "up":
                phase = {"drain": "maintenance", "check": "maintenance", "run": None, "save": gpu.gang.booked}.get(
                    gpu.gang.phase, gpu.gang.phase
                )
                if phase is not None:
                    self.book(gpu.gang.plan.job, phase, passed)
            elif gpu.condition == "struck":
                self.book(row, "repair" if gpu.struck_in is None else "detect", passed)
            else:
                self.book(row, gpu.booked if gpu.condition == "absent" else gpu.condition, passed)
        for gang in self.gangs:
            if gang.phase == "run":
                gang.stretch.speed = speeds.get(gang.plan.index, 0)
                self.compute(gang, passed)
            elif gang.phase == "restore" and gang.loads:
                gang.moved += passed * speeds[gang.plan.index]
        self.now = until

    def compute(self, gang: Gang, passed: int) -> None:
        """Let a running gang compute and write."""
        speeds = self.speeds(gang)
        computing, writing = gang.stretch.walk(passed)
        if computing:
            gang.pieces.append((computing, gang.active, speeds))
        self.book(gang.plan.job, "checkpoint", writing * gang.active)
        self.book(gang.plan.job, "overhead/shrunk", passed * (len(self.members(gang)) - gang.active))

    def work_left(self, gang: Gang) -> int:
        """Ms of computing until a running gang's useful work is done, as things are."""
        weight = -(-gang.plan.work * BILLION // strategy.useful_ppb(gang.recovery)) * BILLION
        missing = max(0, weight - gang.weight)
        return -(-missing // (gang.active * self.speeds(gang)[2]))

    def next_of(self, gang: Gang, speed: int) -> Iterator[int]:
        """Yield when a running gang is done with its work, or begins or ends to write through the gateways."""
        work = None if gang.plan.work is None else self.work_left(gang)
        stretch = gang.stretch
        if not stretch.gateways:
            if work is not None:
                yield self.now + stretch.wall(work)
            return
        stretch.speed = speed
        if stretch.transfers():
            yield self.now + stretch.transfer_ends_in()
        elif stretch.writes:
            yield self.now + stretch.writes[0][1]
        else:
            yield self.now + min(stretch.until_write(), stretch.until_write() if work is None else work)

    def age(self, passed: int) -> None:
        """Let components age; see ``Ageing``."""
        raise TypeError("a world alone has no hazards")

    # --- stretches

    def resume(self, gang: Gang) -> None:
        """Begin a running part."""
        gang.phase, gang.resumed, gang.base, gang.has_run = "run", self.now, gang.position, True
        gang.stretch = Stretch(gang.tiers, gateways=self.writes_through(gang))
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
            ms, gpus, speeds = gang.pieces.pop()
            if ms > above:
                gang.pieces.append((ms - above, gpus, speeds))
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
