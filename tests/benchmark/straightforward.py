"""The headline workload as a competent engineer would write it in an afternoon from SimPy's machine shop.

The honest baseline of every speed claim: one process per GPU, one event per checkpoint, a Resource for the
repair crews, a Store for the spares, interrupts for the jobs. Nothing is slowed on purpose and nothing is
tuned. Times are hours, accounts are GPU-hours.

It follows the rules of the tuned engine in its own plain way, so that their figures may be compared. Three
things differ, none of which the headline workload can show:

- The engine lets a typed blast strike numbered slots of a gang. Here 64 neighbours are one group for ever,
  and a group moves between jobs, spares and repair as a whole. Every size of the workload is a multiple of 64
  and lives are exponential, so both have the same law: each group in service is struck at the rate of its 64
  GPUs.
- Time is a float and goes on between the milliseconds, so ties have no rule.
- Waiting jobs are served in the order in which they asked. Only the small job ever waits: the large one takes
  from it what the spares cannot give.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Workload:
    """The headline workload, as in headline.toml (sources there); sizes in GPUs, times in hours."""

    gpus: int = 5184
    jobs: tuple[int, ...] = (4096, 1024)  # highest priority first
    blast: int = 64
    mtbf: float = 25_000.0
    horizon: float = 36 * 720.0
    detect: float = 0.25
    failover: float = 5 / 60
    restore: float = 10 / 60
    checkpoint_every: float = 1.0
    checkpoint_write: float = 30 / 3600
    repair: float = 1.0
    crews: int = 2


@dataclass(frozen=True)
class Outcome:
    """What one replication gives: GPU-hours per state of each job, GPU-hours per place, counts."""

    jobs: tuple[dict[str, float], ...]  # useful, lost, checkpoint, detect, wait, failover, restore
    places: dict[str, float]  # held: in a job and healthy; struck: in a job, not yet identified; free; repair
    failures: int
    strikes: tuple[int, ...]  # failures that hit each job
    preemptions: int


class Group:
    """The GPUs that fail together."""

    def __init__(self, cluster: Cluster, job: Job | None) -> None:
        self.cluster = cluster
        self.job = job
        self.up = True
        self.place = "held" if job else "free"
        self.since = 0.0
        for _ in range(cluster.workload.blast):
            cluster.env.process(self.gpu())

    def move(self, place: str) -> None:
        """Book the time spent where the group was."""
        now = self.cluster.env.now
        self.cluster.places[self.place] += (now - self.since) * self.cluster.workload.blast
        self.place, self.since = place, now

    def gpu(self) -> Steps:
        """Live, fail, take the group out of service, be repaired, live again."""
        cluster, env, workload = self.cluster, self.cluster.env, self.cluster.workload
        while True:
            yield env.timeout(cluster.random.expovariate(1 / workload.mtbf))
            if not self.up:
                continue  # what is out cannot fail; a new exponential life is as good as a clock that stopped
            self.up = False
            cluster.failures += 1
            job = self.job
            if job:
                self.move("struck")
                job.strike()
                yield env.timeout(workload.detect)
                job.release(self)
                self.move("repair")
            else:
                self.move("repair")
                cluster.spares.items.remove(self)
                yield env.timeout(workload.detect)
            with cluster.crews.request() as crew:
                yield crew
                yield env.timeout(workload.repair)
            self.up = True
            self.move("free")
            yield cluster.spares.put(self)


class Job:
    """A gang that trains, writes checkpoints, and starts again from the last one after a failure."""

    def __init__(self, cluster: Cluster, gpus: int) -> None:
        self.cluster = cluster
        self.env = cluster.env
        self.gpus = gpus
        self.hours: defaultdict[str, float] = defaultdict(float)
        self.state = "wait"
        self.since = 0.0
        self.strikes = 0
        self.struck = 0  # groups down and not yet identified
        self.identified = self.env.event()
        self.groups = [Group(cluster, self) for _ in range(gpus // cluster.workload.blast)]
        self.process = self.env.process(self.run())

    def enter(self, state: str) -> None:
        """Book the time spent in the state that ends, and begin another."""
        held = len(self.groups) * self.cluster.workload.blast
        self.hours[self.state] += (self.env.now - self.since) * held
        self.state, self.since = state, self.env.now

    def run(self) -> Steps:
        interrupted = False
        while True:
            try:
                if interrupted:
                    yield from self.recover()
                yield from self.train()
            except simpy.Interrupt:
                self.stop("lost")
                interrupted = True

    def train(self) -> Steps:
        """Compute and write checkpoints, for ever."""
        workload = self.cluster.workload
        self.enter("train")
        while True:
            yield self.env.timeout(workload.checkpoint_every + workload.checkpoint_write)
            self.hours["useful"] += workload.checkpoint_every * self.gpus
            self.hours["checkpoint"] += workload.checkpoint_write * self.gpus
            self.since = self.env.now

    def stop(self, fate: str) -> None:
        """Turn the work since the last checkpoint to `fate`; a write that is cut short is worth nothing."""
        if self.state == "train":
            spent = self.env.now - self.since
            computed = min(spent, self.cluster.workload.checkpoint_every)
            self.hours[fate] += computed * self.gpus
            self.hours["checkpoint"] += (spent - computed) * self.gpus
            self.state, self.since = "wait", self.env.now
        else:
            self.enter("wait")

    def recover(self) -> Steps:
        """Wait for the last identification, become whole, fail over and restore."""
        workload, spares = self.cluster.workload, self.cluster.spares
        if self.struck:
            self.enter("detect")
            self.identified = self.env.event()
            yield self.identified
        self.enter("wait")
        while len(self.groups) * workload.blast < self.gpus:
            loser = None if spares.items else self.cluster.loser_to(self)
            if loser:
                group = loser.surrender()
            else:
                with spares.get() as request:
                    group = yield request
            self.take(group)
        self.enter("failover")
        yield self.env.timeout(workload.failover)
        self.enter("restore")
        yield self.env.timeout(workload.restore)

    def take(self, group: Group) -> None:
        self.enter(self.state)
        self.groups.append(group)
        group.job = self
        group.move("held")

    def drop(self, group: Group) -> None:
        self.enter(self.state)
        self.groups.remove(group)
        group.job = None

    def strike(self) -> None:
        """Hang: one of the groups is dead, and nobody knows which."""
        self.strikes += 1
        self.struck += 1
        self.process.interrupt("failure")

    def release(self, group: Group) -> None:
        """Let an identified group go to repair."""
        self.drop(group)
        self.struck -= 1
        if not self.struck:
            self.identified.succeed()

    def surrender(self) -> Group:
        """Lose a healthy group to a job of higher priority."""
        group = next(group for group in reversed(self.groups) if group.up)
        self.stop("lost")
        self.drop(group)
        self.cluster.preemptions += 1
        self.process.interrupt("pre-empted")
        return group


class Cluster:
    """The jobs, their spares and the repair crews of one replication."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self.workload = workload
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.places: defaultdict[str, float] = defaultdict(float)
        self.failures = 0
        self.preemptions = 0
        self.crews = simpy.Resource(self.env, workload.crews)
        self.spares = simpy.Store(self.env)
        self.jobs = [Job(self, gpus) for gpus in workload.jobs]
        free = (workload.gpus - sum(workload.jobs)) // workload.blast
        self.spares.items += [Group(self, None) for _ in range(free)]
        self.groups = [group for job in self.jobs for group in job.groups] + self.spares.items

    def loser_to(self, job: Job) -> Job | None:
        """Return the last job of lower priority that has a healthy group to give."""
        lower = self.jobs[self.jobs.index(job) + 1 :]
        return next((other for other in reversed(lower) if len(other.groups) > other.struck), None)


def simulate(workload: Workload, seed: int) -> Outcome:
    """Run one replication to the horizon and close the books; work unsaved at the horizon is useful."""
    cluster = Cluster(workload, seed)
    cluster.env.run(until=workload.horizon)
    for group in cluster.groups:
        group.move(group.place)
    for job in cluster.jobs:
        job.stop("useful")
    return Outcome(
        jobs=tuple(dict(job.hours) for job in cluster.jobs),
        places=dict(cluster.places),
        failures=cluster.failures,
        strikes=tuple(job.strikes for job in cluster.jobs),
        preemptions=cluster.preemptions,
    )
