"""Many replications on all cores, the same whatever the number of workers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.files import StoreError
from dcsim.ledger import STATE, Accounts, Ledgers
from dcsim.montecarlo.collector import Collector
from dcsim.montecarlo.engines import SIMPY, Engine, Simulate, choose, seconds_a_run, task_size
from dcsim.montecarlo.manifest import read_manifest
from dcsim.montecarlo.process_pool import answers, cores
from dcsim.montecarlo.run_folder import RunFolder
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.sequential_stopping import half_width_so_far
from dcsim.montecarlo.statistics import summarise
from dcsim.montecarlo.tasks import UNSHARDED, Executor, Shard, Task, cut
from dcsim.scenario import Scenario
from dcsim.scenario.uncertain import MONEY, is_money

Run = tuple[Scenario, RunFolder | None]
More = Callable[[list[Sample]], Sequence[int]]
Resume = bool | Literal["only"]
"""Whether finished runs are read from their folders; "only": and no other is simulated."""
EXECUTORS = ("local", "ray")
POOL_S = 2.0
"""Work [s] from which on it pays to start other processes, which take about a second each to import what they need
(measured on two cores)."""


@dataclass(frozen=True)
class Running:
    """How far one scenario is: its name and the losses of its finished replications, a list that goes on growing.

    ``finished``: returns them as a sample, where the run ends at a precision.
    """

    name: str
    losses: Sequence[float]
    finished: Callable[[], Sample | None] | None = None

    @property
    def half_width(self) -> float | None:
        """Half of the loss's 95 % interval so far, that of the next look if there is one; None before the second."""
        if self.finished is None:
            return summarise(self.losses).half_width
        sample = self.finished()
        return None if sample is None or len(sample) < 2 else half_width_so_far(sample)


Progress = Callable[[int, int, Running], None]
"""Called with (done, total) of the replications that this call has to simulate, and the scenario of the last one."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: ``Interrupted(finished, wanted, samples)`` with what is finished of each run, None where nothing is."""

    @property
    def finished(self) -> int:
        """Replications that are finished, over all runs."""
        return int(self.args[0])

    @property
    def wanted(self) -> int:
        """Replications that were wanted, over all runs."""
        return int(self.args[1])

    @property
    def samples(self) -> tuple[Sample | None, ...]:
        """What is finished of each run."""
        return tuple(self.args[2])


@dataclass
class _Group:
    """Runs that differ only in what a simulation does not read: one replication serves them all."""

    scenario: Scenario
    collected: Collector
    wanted: int = 0
    stores: dict[Path, RunFolder] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def want(self, replications: int) -> None:
        """Go on to more replications."""
        self.wanted = max(self.wanted, replications)
        self.collected.reserve(self.wanted)

    def finished(self) -> Sample | None:
        """Return the finished replications of what is wanted so far, None if there are none."""
        ledgers = self.collected.ledgers(self.wanted)
        return None if ledgers is None else Sample(self.scenario, ledgers)

    @property
    def missing(self) -> NDArray[np.int64]:
        """Numbers of the replications that are wanted and not finished."""
        return self.collected.missing(self.wanted)

    def add(self, ledgers: Ledgers) -> None:
        """Take finished replications, and keep them in the folders that lack them."""
        for store in self.stores.values():
            store.write(ledgers)
        found = self.collected.add(ledgers)
        if found is not None:
            capacity = self.scenario.capacity_gpu_ms
            self.losses += ((capacity - found.gpu_ms[:, :, STATE["useful"]].sum(axis=1)) / capacity).tolist()


def replicate_many(
    runs: Sequence[Run],
    replications: int | Sequence[int],
    *,
    workers: int | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: Engine | None = None,
    executor: str = "local",
    shard: Shard = UNSHARDED,
    known: Sequence[Sample | None] = (),
    more: More | None = None,
    simulate: Simulate | None = None,
    chunk: int | None = None,
) -> list[Sample]:
    """Return replications 0 … n − 1 of every run, in the order of the runs; n may be one for all, or one a run.

    All runs share ``workers`` processes (default: the cores this process may use, but this process alone where so
    little is to do that starting others would take longer; 1: no process but this one) and advance together. Runs that
    differ only in name, description, accounting or money share their replications. Each replication depends on
    (scenario, its number) alone, so the samples are the same whatever the workers, the ``engine`` (default: compiled
    rules), the ``executor`` ("local" or "ray") and the ``chunk`` (replications that a worker is asked for at a time,
    default: about a second's work), and with ``resume`` the same as without. With "only" for it nothing is simulated: a
    run that no store has is an error.

    ``shard``: only that part of every run. ``known``: what is finished of each run already. ``more``: called with the
    samples whenever all that was wanted is there, it returns how many each run wants altogether; no more than it has:
    the end. ``simulate`` takes the place of the engines; workers import it from its module.

    Every finished task is in its run's store at once and stays there whatever follows. Raises Interrupted on Ctrl-C,
    StoreError, WorkerDied if one task costs three workers their lives, and whatever a simulation raises, with a note
    that says which replications it was asked for.
    """
    counts = [replications] * len(runs) if isinstance(replications, int) else list(replications)
    if min(counts, default=shard.number) < shard.number or (workers is not None and workers < 1):
        raise ValueError("needs at least one replication and one worker")
    if engine is None:
        engine = SIMPY if simulate else choose()
    if resume == "only":
        workers, executor, simulate, chunk = 1, "local", _missing, 1
        for store in (each for _, each in runs if each is not None):
            with suppress(StoreError):  # what is told of a run stays as it was
                store.origins = read_manifest(store.folder).get("origins", store.origins)
    crowd = _Crowd(runs, counts, engine, shard, looks=more is not None)
    try:
        with ExitStack() as stack:
            execute, most = _executor(executor, workers, stack, simulate)  # it may refuse; nothing is touched then
            crowd.begin(stack, bool(resume), known)
            scenarios = [group.scenario for group in crowd.groups]
            few = most if more else min(most, crowd.left)
            if executor == "local" and workers is None and simulate is None and crowd.seconds < POOL_S:
                few = 1
            found = execute(scenarios, crowd.tasks(most, chunk, more), few, engine)
            stack.enter_context(closing(found))
            for task, ledgers in found:
                crowd.take(task, ledgers, progress)
    except KeyboardInterrupt:
        samples = tuple(crowd.samples())
        finished = sum(len(sample) for sample in samples if sample is not None)
        ended = Interrupted(finished, sum(len(shard.numbers(count)) for count in counts), samples)
        crowd.note(ended)
        raise ended from None
    except Exception as error:
        crowd.note(error)
        raise
    return [sample for sample in crowd.samples() if sample is not None]


class _Crowd:
    """All runs of one call: what each wants, what is finished of it, and what is still to be asked."""

    def __init__(self, runs: Sequence[Run], counts: list[int], engine: Engine, shard: Shard, looks: bool) -> None:
        self.runs, self.counts, self.engine, self.shard, self.looks = runs, counts, engine, shard, looks
        self.members: list[_Group] = []
        by_physics: dict[Scenario, _Group] = {}
        for (scenario, store), wanted in zip(runs, counts, strict=True):
            group = by_physics.setdefault(physics(scenario), _Group(scenario, Collector(shard)))
            group.want(wanted)
            self.members.append(group)
            if store is not None:
                group.stores.setdefault(store.folder, store)
        self.groups = list(by_physics.values())
        self.kept: list[tuple[_Group, Ledgers]] = []
        """What was finished before, where more of it may be wanted later."""
        self.done = self.total = 0

    @property
    def left(self) -> int:
        """How many replications of what is wanted are not finished."""
        return sum(len(group.missing) for group in self.groups)

    @property
    def seconds(self) -> float:
        """About how long one core works for what is wanted and not finished [s]."""
        return sum(len(group.missing) * seconds_a_run(self.engine, group.scenario) for group in self.groups)

    def begin(self, stack: ExitStack, resume: bool, known: Sequence[Sample | None]) -> None:
        """Open the stores until the stack is closed, and take what is finished already."""
        kept: list[tuple[_Group, Ledgers]] = []
        opened = set()
        for (_, store), group, wanted in zip(self.runs, self.members, self.counts, strict=True):
            if store is not None and store.folder not in opened:
                opened.add(store.folder)
                kept += [(group, each) for each in store.open(wanted, resume, self.engine)]
                stack.callback(store.close)
        kept += [(group, each.ledgers) for group, each in zip(self.members, known, strict=False) if each is not None]
        for group, ledgers in kept:
            group.add(ledgers)
        self.kept = kept if self.looks else []

    def tasks(self, workers: int, chunk: int | None, more: More | None) -> Iterator[Task | None]:
        """Yield what is missing, all groups side by side, then, once it is there, what more is wanted."""
        while True:
            left = self.left
            self.total = self.done + left
            cuts = [
                cut(
                    index,
                    group.missing,
                    self.shard.of,
                    chunk or task_size(self.engine, group.scenario, left, workers),
                )
                for index, group in enumerate(self.groups)
            ]
            yield from merge(*cuts, key=lambda task: (task.first, task.scenario))
            if more is None:
                return
            yield None
            wanted = more([sample for sample in self.samples() if sample is not None])
            if all(now <= before for now, before in zip(wanted, self.counts, strict=True)):
                return
            for index, ((_, store), group) in enumerate(zip(self.runs, self.members, strict=True)):
                self.counts[index] = max(self.counts[index], wanted[index])
                group.want(self.counts[index])
                if store is not None:
                    group.stores[store.folder].want(self.counts[index])
            for group, ledgers in self.kept:
                group.add(ledgers)

    def take(self, task: Task, ledgers: Ledgers, progress: Progress | None) -> None:
        """Take the answer to a task."""
        group = self.groups[task.scenario]
        group.add(ledgers)
        self.done += task.count
        if progress is not None:
            progress(
                self.done,
                self.total,
                Running(group.scenario.name, group.losses, group.finished if self.looks else None),
            )

    def note(self, error: BaseException) -> None:
        """Say on what ends the runs what became of files in their folders: nobody else will."""
        for store in {store.folder: store for _, store in self.runs if store is not None}.values():
            for notice in store.notices:
                error.add_note(notice)

    def samples(self) -> Iterator[Sample | None]:
        """Yield what is finished of each run."""
        for (scenario, _), wanted, group in zip(self.runs, self.counts, self.members, strict=True):
            ledgers = group.collected.ledgers(wanted)
            yield None if ledgers is None else Sample(scenario, ledgers)


def _missing(scenario: Scenario, replication: int) -> Accounts:
    """Take the place of the engines where nothing may be simulated."""
    told = f"its run {replication} is not kept any more; run the command again with --resume"
    raise StoreError(Path(scenario.name), told)


def physics(scenario: Scenario) -> Scenario:
    """Return the scenario without what no simulation reads."""
    ignored: dict[str, Any] = {"name": "-", "description": "", "slo": None, **dict.fromkeys(MONEY)}
    ignored["accounting"] = type(scenario.accounting)()
    if scenario.uncertain:
        ignored["uncertain"] = tuple(each for each in scenario.uncertain if not each.money)
        ignored["correlated"] = tuple(each for each in scenario.correlated if not any(map(is_money, each.keys)))
    return scenario.model_copy(update=ignored)


def _executor(name: str, workers: int | None, stack: ExitStack, simulate: Simulate | None) -> tuple[Executor, int]:
    """Return what answers tasks, and with how many workers; Ray is imported only where it is asked for."""
    if name not in EXECUTORS:
        raise ValueError(f"executor: found {name!r}; allowed: {', '.join(EXECUTORS)}")
    if name == "ray":
        from dcsim.montecarlo import ray_executor

        return ray_executor.answers, stack.enter_context(ray_executor.cluster(workers))
    return partial(answers, simulate=simulate), workers or cores()
