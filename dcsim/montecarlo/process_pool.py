"""The executor of one machine: this process, or worker processes over pipes."""

import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import Engine, Simulate, simulate_many
from dcsim.montecarlo.tasks import Task, Tasks, in_flight
from dcsim.montecarlo.worker import Crew
from dcsim.scenario import Scenario


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def named(scenarios: Sequence[Scenario], task: Task) -> Iterator[None]:
    """Note on what a simulation raises which replications it was asked for."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in {task} of {scenarios[task.scenario].name!r}")
        raise


def answers(
    scenarios: Sequence[Scenario],
    tasks: Tasks,
    workers: int,
    engine: Engine,
    simulate: Simulate | None = None,
) -> Generator[tuple[Task, Ledgers], None, None]:
    """Yield every task with its ledgers as it finishes; closing the generator ends the workers at once.

    One worker: this process. ``simulate`` takes the place of the engines; workers import it from its module.
    """
    if workers < 2:
        for task in tasks:
            if task is not None:
                with named(scenarios, task):
                    ledgers = simulate_many(engine, scenarios[task.scenario], task.numbers, simulate)
                yield task, ledgers
        return
    crew = Crew(scenarios, engine, simulate)
    threads = ThreadPoolExecutor(workers)  # each waits for one worker process

    def ask(task: Task) -> Future[Ledgers]:
        return threads.submit(crew.ask, task)

    try:
        for task, future in in_flight(tasks, 2 * workers, ask, _first_of):
            with named(scenarios, task):
                ledgers = future.result()
            yield task, ledgers
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        crew.stop()
        threads.shutdown()
        crew.close()


def _first_of(asked: Sequence[Future[Ledgers]]) -> Future[Ledgers]:
    done = wait(asked, return_when=FIRST_COMPLETED).done
    return next(future for future in asked if future in done)
