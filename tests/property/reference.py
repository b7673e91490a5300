"""A slow, obvious simulator of one replication, written from MODEL.md alone: what every engine must equal exactly.

Each GPU is an object with an owner and a condition. Between two events every GPU's time is booked one GPU at a time;
the next event is found by looking at everything that could happen; a stretch is settled write by write. It shares with
the engines the scenario's models, the drawn failures and the names of the ledger, and no arithmetic.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from dcsim.hazards import Hazard
from dcsim.ledger import CAUSES, STATE, STATES, Accounts
from dcsim.recovery import Recovery
from dcsim.scenario import Gang as Planned
from dcsim.scenario import Scenario, plan

WHOLE = ("failover", "restore", "run")


@dataclass(eq=False)
class Gpu:
    """One GPU. ``gang`` owns it while it is up; ``struck_in`` is the gang it was struck in, None if it was free."""

    index: int
    condition: str = "up"  # up | struck (not yet identified) | repair (identified: queueing or being repaired)
    gang: "Gang | None" = None
    struck_in: "Gang | None" = None


@dataclass(eq=False)
class Gang:
    """One instance of a job."""

    plan: Planned
    phase: str = "absent"  # absent | detect | wait | failover | restore | run
    until: int = 0  # end of detect, failover or restore
    resumed: int = 0  # start of the running stretch
    short_since: int | None = None
    has_run: bool = False
    struck_before_first_run: bool = False
    survived_gpu_ms: int = 0

    @property
    def recovery(self) -> Recovery:
        """The gang's strategy."""
        return self.plan.recovery


@dataclass(eq=False)
class Failure:
    """One failure that struck something: one identification, one repair."""

    hazard: int
    identified: int
    repair_ms: int
    gpus: list[Gpu]
    stage: str = "detect"  # detect | queue | repair | over
    back: int = 0


@dataclass
class Reference:
    """The state of one replication."""

    scenario: Scenario
    replication: int
    now: int = 0
    failures: list[Failure] = field(default_factory=list)  # in order of strike
    queue: list[Failure] = field(default_factory=list)  # in order of joining

    def __post_init__(self) -> None:
        """Place the gangs of t = 0 and list the strikes in their order."""
        self.plan = plan(self.scenario)
        self.gpus = [Gpu(index) for index in range(self.scenario.cluster.gpus)]
        self.gangs = [Gang(gang) for gang in self.plan.gangs]
        unused = iter(self.gpus)
        for gang in sorted(self.gangs, key=lambda gang: (-gang.plan.priority, gang.plan.index)):
            if gang.plan.submit == 0:
                gang.phase, gang.has_run = "run", True
                for _ in range(gang.plan.gpus):
                    next(unused).gang = gang
        drawn = self.plan.failures(self.replication)
        self.strikes = sorted(
            (int(at), number, draw, int(mark), int(repair))
            for number, each in enumerate(drawn)
            for draw, (at, mark, repair) in enumerate(zip(each.times, each.marks, each.repairs, strict=True))
        )
        self.spares_row = len(self.scenario.jobs)
        self.rest_row = self.spares_row + 1
        self.books = [dict.fromkeys((*STATES, "run"), 0) for _ in self.plan.owners]
        self.gang_strikes = [0] * len(self.plan.owners)

    # What is where

    def members(self, gang: Gang) -> list[Gpu]:
        """Members in service, by index."""
        return [gpu for gpu in self.gpus if gpu.gang is gang and gpu.condition == "up"]

    def free(self) -> list[Gpu]:
        """Free GPUs in service, by index."""
        return [gpu for gpu in self.gpus if gpu.gang is None and gpu.condition == "up"]

    def missing(self, gang: Gang) -> int:
        """GPUs the gang may take now; a cold one leaves a place for each of its own that is out."""
        out = sum(gpu.struck_in is gang for gpu in self.gpus) if gang.recovery.spare == "cold" else 0
        return gang.plan.gpus - len(self.members(gang)) - out

    # Time

    def run(self) -> Accounts:
        """Step from event to event up to the horizon."""
        while (next_event := min(self.upcoming(), default=self.scenario.horizon)) < self.scenario.horizon:
            self.elapse(next_event)
            self.settle_down()
            while self.strikes and self.strikes[0][0] == self.now:
                self.strike(*self.strikes.pop(0))
                self.settle_down()
        self.elapse(self.scenario.horizon)
        for gang in self.gangs:
            if gang.phase == "run":
                self.end_stretch(gang, rolled_back=False)
        return self.accounts()

    def upcoming(self) -> Iterator[int]:
        """Yield the time of everything that could happen next."""
        if self.strikes:
            yield self.strikes[0][0]
        for failure in self.failures:
            if failure.stage == "detect":
                yield failure.identified
            elif failure.stage == "repair":
                yield failure.back
        for gang in self.gangs:
            if gang.phase == "absent":
                yield gang.plan.submit
            elif gang.phase in ("detect", "failover", "restore"):
                yield gang.until

    def elapse(self, until: int) -> None:
        """Book the time from now to ``until``, GPU by GPU."""
        passed, idle_spares = until - self.now, self.scenario.cluster.spares
        for gpu in self.gpus:
            row, state = self.rest_row, "repair"
            if gpu.condition == "up" and gpu.gang is None:
                row, state = (self.spares_row, "spare") if idle_spares > 0 else (self.rest_row, "idle")
                idle_spares -= 1
            elif gpu.condition == "up":
                row, state = gpu.gang.plan.job, gpu.gang.phase
            elif gpu.struck_in is not None:
                row, state = gpu.struck_in.plan.job, "detect" if gpu.condition == "struck" else "repair"
            self.books[row][state] += passed
        self.now = until

    def settle_down(self) -> None:
        """Let all that is due at this millisecond happen, except strikes."""
        while self.end_something():
            pass
        self.serve()
        while self.end_something():
            pass

    def end_something(self) -> bool:
        """End the first thing that is due: repairs, then phases and arrivals, then identifications, then crews."""
        for failure in self.failures:
            if failure.stage == "repair" and failure.back == self.now:
                failure.stage = "over"
                for gpu in failure.gpus:
                    gpu.condition, gpu.struck_in = "up", None
                return True
        for gang in self.gangs:
            if gang.phase in ("failover", "restore") and gang.until == self.now:
                if gang.phase == "failover":
                    needs_state = gang.recovery.rolls_back or not gang.has_run
                    gang.phase, gang.until = "restore", self.now + gang.recovery.restore * needs_state
                else:
                    gang.phase, gang.resumed, gang.has_run = "run", self.now, True
                return True
            if gang.phase == "absent" and gang.plan.submit == self.now:
                self.run_short(gang)
                return True
        for failure in self.failures:
            if failure.stage == "detect" and failure.identified == self.now:
                failure.stage = "queue"
                self.queue.append(failure)
                for gpu in failure.gpus:
                    gpu.condition = "repair"
                return True
        for failure in self.queue:
            if self.crew_is_free(failure):
                self.queue.remove(failure)
                failure.stage, failure.back = "repair", self.now + failure.repair_ms
                return True
        for gang in self.gangs:
            if gang.phase == "detect" and gang.until == self.now:
                self.run_short(gang)
                return True
        return False

    # Repair

    def crew_is_free(self, failure: Failure) -> bool:
        """Whether the failure's pool of crews has one to spare."""
        crews = self.scenario.hazards[failure.hazard].stage.crews
        at_work = [
            each
            for each in self.failures
            if each.stage == "repair" and self.pool(each.hazard) == self.pool(failure.hazard)
        ]
        return crews is None or len(at_work) < crews

    def pool(self, number: int) -> str | int:
        """Name of the crews of a hazard; its number if they have none."""
        return self.scenario.hazards[number].stage.name or number

    # Service

    def run_short(self, gang: Gang) -> None:
        """Send a gang to wait; the moment it first ran short stays until it is whole."""
        gang.phase = "wait"
        if gang.short_since is None:
            gang.short_since = self.now

    def serve(self) -> None:
        """Give free GPUs, then those of lower gangs, to the waiting gangs in their order."""
        served: list[Gang] = []
        while waiting := [gang for gang in self.gangs if gang.phase == "wait" and gang not in served]:
            head = min(waiting, key=lambda gang: (-gang.plan.priority, gang.short_since, gang.plan.index))
            served.append(head)
            for gpu in self.free()[: self.missing(head)]:
                gpu.gang = head
            lower = [gang for gang in self.gangs if gang.plan.priority < head.plan.priority]
            for loser in sorted(lower, key=lambda gang: (gang.plan.priority, -gang.plan.index)):
                self.preempt(loser, head)
            if len(self.members(head)) == head.plan.gpus:
                head.short_since = None
                first_start = not head.has_run and not head.struck_before_first_run
                head.phase = "failover"
                head.until = self.now + (0 if first_start else head.recovery.failover)

    def preempt(self, loser: Gang, winner: Gang) -> None:
        """Move what the winner still misses from the loser, highest indices first."""
        missing = self.missing(winner)
        taken = self.members(loser)[-missing:] if missing > 0 else []
        if not taken:
            return
        if loser.phase in WHOLE:
            self.stop(loser)
            self.run_short(loser)
        for gpu in taken:
            gpu.gang = winner

    # Strikes

    def strike(self, at: int, number: int, draw: int, mark: int, repair_ms: int) -> None:
        """Take down what the failure reaches."""
        hazard = self.scenario.hazards[number]
        part = hazard.struck_part
        struck = self.typed_blast(mark, hazard.blast) if part is None else self.derived_blast(hazard, part, mark)
        if not struck:
            return
        failure = Failure(number, at + hazard.detect, repair_ms, struck)
        self.failures.append(failure)
        for gang in self.gangs:
            if any(gpu.gang is gang for gpu in struck):
                self.gang_strikes[gang.plan.job] += 1
                self.stop(gang)
                detected = gang.until if gang.phase == "detect" else 0
                gang.phase, gang.until = "detect", max(detected, failure.identified)
                gang.struck_before_first_run |= not gang.has_run
        for gpu in struck:
            gpu.condition, gpu.struck_in, gpu.gang = "struck", gpu.gang, None

    def slots(self) -> list[Gpu | None]:
        """List what stands in each slot: members in their gang's first slots, free GPUs after all gangs' slots.

        If that room is too small for the free GPUs, the rest of them stand in the slots the gangs leave void.
        """
        free = self.free()
        room = len(self.gpus) - sum(gang.plan.gpus for gang in self.gangs)
        surplus = iter(free[room:])
        standing: list[Gpu | None] = []
        for gang in self.gangs:
            up = self.members(gang)
            standing += up + [next(surplus, None) for _ in range(gang.plan.gpus - len(up))]
        return standing + free[:room] + [None] * (room - len(free))

    def typed_blast(self, slot: int, blast: int) -> list[Gpu]:
        """Find the aligned group of ``blast`` around whatever stands in the slot."""
        hit = self.slots()[slot]
        if hit is None:
            return []
        group = self.free() if hit.gang is None else self.members(hit.gang)
        first = group.index(hit) // blast * blast
        return group[first : first + blast]

    def derived_blast(self, hazard: Hazard, part: str, mark: int) -> list[Gpu]:
        """Find what is up in the part that holds the failed component; nothing if all of the component is out."""
        topology = self.plan.topology
        lo, hi = topology.span(hazard.component, mark)
        if all(gpu.condition != "up" for gpu in self.gpus[lo:hi]):
            return []
        lo, hi = topology.span(part, lo // topology.gpus_per(part))
        return [gpu for gpu in self.gpus[lo:hi] if gpu.condition == "up"]

    # Stretches

    def stop(self, gang: Gang) -> None:
        """End whatever a gang does because of a strike or a pre-emption."""
        if gang.phase == "run":
            self.end_stretch(gang, rolled_back=gang.recovery.rolls_back)

    def end_stretch(self, gang: Gang, rolled_back: bool) -> None:
        """Walk through a stretch write by write and book it."""
        strategy, size, left = gang.recovery, gang.plan.gpus, self.now - gang.resumed
        writes = strategy.checkpoint_every is not None and (strategy.rolls_back or strategy.checkpoint_write > 0)
        saved = checkpoint = unsaved = 0
        while left > 0:
            computing = min(left, strategy.checkpoint_every) if writes else left
            unsaved, left = unsaved + computing, left - computing
            if writes and computing == strategy.checkpoint_every and left >= strategy.checkpoint_write:
                saved, unsaved = saved + unsaved, 0
                writing = strategy.checkpoint_write
            else:
                writing = left
            checkpoint, left = checkpoint + writing, left - writing
        book = self.books[gang.plan.job]
        book["run"] -= (saved + checkpoint + unsaved) * size
        book["checkpoint"] += checkpoint * size
        book["lost"] += unsaved * size * rolled_back
        gang.survived_gpu_ms += (saved + unsaved * (not rolled_back)) * size

    def accounts(self) -> Accounts:
        """Split what survived into useful and overhead, once per gang."""
        assert all(book.pop("run") == 0 for book in self.books), "a running stretch was not settled as it was booked"
        for gang in self.gangs:
            useful = gang.survived_gpu_ms * gang.recovery.useful_ppb // 10**9
            self.books[gang.plan.job]["useful"] += useful
            self.books[gang.plan.job]["overhead"] += gang.survived_gpu_ms - useful
        gpu_ms = np.array([list(book.values()) for book in self.books], dtype=np.int64)
        causes = np.zeros((len(self.books), len(CAUSES)), dtype=np.int64)
        causes[:, CAUSES.index("strategy")] = gpu_ms[:, STATE["overhead"]]
        strikes = np.array(self.gang_strikes, dtype=np.int64)
        return Accounts(self.replication, self.plan.owners, gpu_ms, causes, strikes, len(self.failures))


def simulate(scenario: Scenario, replication: int) -> Accounts:
    """Simulate one replication the slow way."""
    return Reference(scenario, replication).run()
