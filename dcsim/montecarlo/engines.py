"""Which engine simulates a scenario, and why. Each is imported where it runs: with ``batch``, SimPy never is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from dcsim.ledger import Accounts, Ledgers
from dcsim.scenario import PER_SAMPLE, Scenario, certain, extremes
from dcsim.scenario.plan import plan
from dcsim.scenario.sampled import sampled

Simulate = Callable[[Scenario, int], Accounts]
WantedEngine = Literal["auto", "simpy", "batch"]
ASKED_FOR = "asked for"
BATCH_SIZE, BLOCKS = 256, 16
"""Most replications of a task for the batch engine, and most of its blocks (assumed); SimPy gets one replication, so
that each is kept as it finishes."""


@dataclass(frozen=True)
class Engine:
    """``name``: "simpy" or "batch". ``why``: why it is not batch; () for batch. Both give the same integers."""

    name: str
    why: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what manifests and documents say."""
        return {"engine": self.name} | ({"engine_why": list(self.why)} if self.why else {})


SIMPY, BATCH = Engine("simpy", (ASKED_FOR,)), Engine("batch")


class EngineError(Exception):
    """The engine that was asked for cannot simulate a scenario: ``EngineError(lines)``."""

    @property
    def problems(self) -> tuple[str, ...]:
        """One line each."""
        return tuple(self.args[0])

    def __str__(self) -> str:
        return "\n".join(self.problems)


def choose(scenario: Scenario, wanted: WantedEngine = "auto") -> Engine:
    """Return the engine for a scenario: with "auto" batch wherever it is exact.

    Raises EngineError if batch is wanted where it is not.
    """
    if wanted == "simpy":
        return SIMPY
    objections = _batch_objections(scenario)
    if objections and wanted == "batch":
        raise EngineError([f'--engine batch: "{scenario.name}": {each}' for each in objections])
    return Engine("simpy", objections) if objections else BATCH


def choose_all(scenarios: Sequence[Scenario], wanted: WantedEngine = "auto") -> list[Engine]:
    """Return the engine of each scenario; raises EngineError with the objections to all of them."""
    found: list[Engine] = []
    problems: list[str] = []
    for scenario in scenarios:
        try:
            found.append(choose(scenario, wanted))
        except EngineError as error:
            problems += error.problems
    if problems:
        raise EngineError(list(dict.fromkeys(problems)))
    return found


def _batch_objections(scenario: Scenario) -> tuple[str, ...]:
    from dcsim.batch import objections

    return tuple(dict.fromkeys(each for one in extremes(scenario) for each in objections(one)))


def _by_sample(scenario: Scenario, numbers: Sequence[int]) -> Iterator[tuple[Scenario, list[int]]]:
    """Yield each sample of the inputs with the replications that share it, ascending."""
    for _, group in groupby(numbers, key=lambda number: number // PER_SAMPLE):
        its = list(group)
        yield sampled(scenario, its[0]), its


def task_size(engine: str, scenario: Scenario, replications: int, workers: int) -> int:
    """Return how many replications a task has: for batch as many as leave two tasks for every worker.

    Neither are they more than a few blocks, of which the batch engine works one at a time: what a kill may cost is a
    second or so of work.
    """
    if engine == SIMPY.name:
        return 1
    from dcsim.batch import block_size

    most = min(BATCH_SIZE, BLOCKS * block_size(plan(certain(scenario))))
    return max(1, min(most, -(-replications // (2 * workers))))


def simulate_many(engine: str, scenario: Scenario, numbers: Sequence[int], simulate: Simulate | None = None) -> Ledgers:
    """Simulate replications of a scenario with an engine, or with what takes its place."""
    if simulate is None and engine == BATCH.name:
        from dcsim import batch

        if not scenario.uncertain:
            return batch.simulate_many(scenario, numbers)
        return Ledgers.joined([batch.simulate_many(one, its) for one, its in _by_sample(scenario, numbers)])
    if simulate is None:
        from dcsim.engine import simulate as by_simpy

        simulate = by_simpy
    return Ledgers.of([simulate(sampled(scenario, number), number) for number in numbers])
