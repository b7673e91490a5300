"""Many replications on all cores, the same whatever the number of workers."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dcsim.ledger import Accounts
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import summarise
from dcsim.montecarlo.store import RunStore
from dcsim.montecarlo.worker import Crew, Simulate, Task, default_simulate
from dcsim.scenario import Scenario


@dataclass(frozen=True)
class Running:
    """How far one scenario is: its name and the losses of its finished replications, a list that goes on growing."""

    name: str
    losses: Sequence[float]

    @property
    def half_width(self) -> float | None:
        """Half of the loss's 95 % interval so far; None before the second replication."""
        return summarise(self.losses).half_width


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
    wanted: int = 0
    stores: dict[Path, tuple[RunStore, int]] = field(default_factory=dict)
    accounts: dict[int, Accounts] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def add(self, accounts: Accounts) -> None:
        """Take a finished replication, and keep it in the folders that lack it."""
        for store, count in self.stores.values():
            if accounts.replication < count and accounts.replication not in store.finished:
                store.write(accounts)
        self.accounts[accounts.replication] = accounts
        self.losses.append(Sample.of(self.scenario, [accounts]).mean_loss)


def replicate(
    scenario: Scenario,
    replications: int,
    *,
    workers: int | None = None,
    store: RunStore | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    simulate: Simulate | None = None,
) -> Sample:
    """Return replications 0 … n − 1 of one scenario; see ``replicate_many``."""
    runs = [(scenario, store)]
    (sample,) = replicate_many(runs, replications, workers=workers, resume=resume, progress=progress, simulate=simulate)
    return sample


def replicate_many(
    runs: Sequence[tuple[Scenario, RunStore | None]],
    replications: int | Sequence[int],
    *,
    workers: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    simulate: Simulate | None = None,
) -> list[Sample]:
    """Return replications 0 … n − 1 of every run, in the order of the runs; n may be one for all, or one a run.

    All runs share ``workers`` processes (default: the cores this process may use; 1: no process but this one) and
    advance together. Runs that differ only in name, description, accounting or money share their replications. Each
    replication depends on (scenario, its number) alone, so the samples are the same whatever the workers, and with
    ``resume`` the same as without. ``simulate`` takes the place of the engine; workers import it from its module.

    Every finished replication is in its run's store at once and stays there whatever follows. Raises Interrupted on
    Ctrl-C, StoreError, WorkerDied if one replication costs three workers their lives, and whatever a simulation raises,
    with a note that says which replication it was.
    """
    counts = [replications] * len(runs) if isinstance(replications, int) else list(replications)
    if min(counts, default=1) < 1 or (workers is not None and workers < 1):
        raise ValueError("needs at least one replication and one worker")
    by_physics: dict[Scenario, _Group] = {}
    members = []
    for (scenario, store), wanted in zip(runs, counts, strict=True):
        group = by_physics.setdefault(_physics(scenario), _Group(scenario))
        group.wanted = max(group.wanted, wanted)
        members.append(group)
        if store is not None:
            group.stores.setdefault(store.folder, (store, wanted))
    groups = list(by_physics.values())
    try:
        with ExitStack() as stack:
            for group in groups:
                for store, wanted in group.stores.values():
                    store.open(wanted, resume)
                    stack.callback(store.close)
                stored = [store.finished for store, _ in group.stores.values()]
                for number, accounts in sorted({n: a for found in stored for n, a in found.items()}.items()):
                    if number < group.wanted:
                        group.add(accounts)
            known = [frozenset(group.accounts) for group in groups]
            tasks = (
                (index, number)
                for number in range(max(counts, default=0))
                for index, group in enumerate(groups)
                if number < group.wanted and number not in known[index]
            )
            total = sum(group.wanted - len(group.accounts) for group in groups)
            scenarios = [group.scenario for group in groups]
            answers = _answers(scenarios, tasks, min(workers or _cores(), total), simulate)
            stack.enter_context(closing(answers))
            for done, ((index, _), accounts) in enumerate(answers, 1):
                group = groups[index]
                group.add(accounts)
                if progress is not None:
                    progress(done, total, Running(group.scenario.name, group.losses))
    except KeyboardInterrupt:
        samples = tuple(_samples(runs, counts, members))
        finished = sum(len(sample) for sample in samples if sample is not None)
        raise Interrupted(finished, sum(counts), samples) from None
    return [sample for sample in _samples(runs, counts, members) if sample is not None]


def _physics(scenario: Scenario) -> Scenario:
    """Return the scenario without what no simulation reads."""
    ignored = {"name": "-", "description": "", "accounting": type(scenario.accounting)(), "tco": None}
    return scenario.model_copy(update=ignored)


def _samples(
    runs: Sequence[tuple[Scenario, RunStore | None]], counts: Sequence[int], members: Sequence[_Group]
) -> Iterator[Sample | None]:
    for (scenario, _), wanted, group in zip(runs, counts, members, strict=True):
        accounts = [each for number, each in group.accounts.items() if number < wanted]
        yield Sample.of(scenario, accounts) if accounts else None


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _named(scenarios: Sequence[Scenario], task: Task) -> Iterator[None]:
    """Note on what a simulation raises which replication it was."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in replication {task[1]} of {scenarios[task[0]].name!r}")
        raise


def _answers(
    scenarios: Sequence[Scenario], tasks: Iterator[Task], workers: int, simulate: Simulate | None
) -> Generator[tuple[Task, Accounts], None, None]:
    """Yield every task with its accounts as it finishes; closing the generator ends the workers at once."""
    if workers < 2:
        here = simulate or default_simulate()
        for task in tasks:
            with _named(scenarios, task):
                accounts = here(scenarios[task[0]], task[1])
            yield task, accounts
        return
    crew = Crew(scenarios, simulate)
    threads = ThreadPoolExecutor(workers)  # each waits for one worker process
    try:
        asked: dict[Future[Accounts], Task] = {}
        # asked of no more at a time, so that little that is finished waits to be kept
        for task in islice(tasks, 2 * workers):
            asked[threads.submit(crew.ask, task)] = task
        while asked:
            for future in wait(asked, return_when=FIRST_COMPLETED).done:
                task = asked.pop(future)
                with _named(scenarios, task):
                    accounts = future.result()
                for following in islice(tasks, 1):
                    asked[threads.submit(crew.ask, following)] = following
                yield task, accounts
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        crew.stop()
        threads.shutdown()
        crew.close()
