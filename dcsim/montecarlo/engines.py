"""Which clock plays the rules of the model: the compiled one, the same rules as plain Python, or SimPy's processes.

All give the same integers. Each is imported where it runs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from dcsim.ledger import Accounts, Ledgers
from dcsim.scenario import PER_SAMPLE, Scenario, certain
from dcsim.scenario.plan import plan
from dcsim.scenario.sampled import sampled

Simulate = Callable[[Scenario, int], Accounts]
WantedEngine = Literal["auto", "simpy"]
ASKED_FOR, WITHOUT_NUMBA = "asked for", "numba is not installed, or switched off"
MOST_RUNS = 256
"""Most runs of a task (assumed)."""
TASK_S = 1.0
"""About how long a task takes at most [s]: what a kill may cost (assumed)."""
FAILURE_S = {"compiled": 3e-7, "plain": 5e-5, "simpy": 1e-4}
"""About what a failure costs by each clock where counts settle it [s] (measured on one core, rounded up)."""
PLACED, WITH_PLANT = 5, 30
"""How many times as much where components have places, ages or stages, and with a plant (measured likewise)."""
RUN_S = {"compiled": 3e-4, "plain": 5e-3, "simpy": 5e-3}
"""About what a run costs besides its failures [s] (measured likewise)."""


@dataclass(frozen=True)
class Engine:
    """``name``: "compiled", "plain" or "simpy". ``why``: why it is not compiled. ``monthly``: whether runs keep their
    GPU-time by month and by cause too."""

    name: str
    why: tuple[str, ...] = ()
    monthly: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return what manifests and documents say."""
        told: dict[str, Any] = {"engine": self.name} | ({"engine_why": list(self.why)} if self.why else {})
        return told if self.monthly else told | {"monthly": False}


SIMPY = Engine("simpy", (ASKED_FOR,))


def choose(wanted: WantedEngine = "auto", monthly: bool = True) -> Engine:
    """Return the engine: with "auto" compiled rules, without numba the same as plain Python."""
    from dcsim.engine.machine_code import is_compiled

    if wanted == "simpy":
        return Engine("simpy", (ASKED_FOR,), monthly)
    return Engine("compiled", (), monthly) if is_compiled() else Engine("plain", (WITHOUT_NUMBA,), monthly)


def seconds_a_run(engine: Engine, scenario: Scenario) -> float:
    """Return about how long a run of a scenario takes on one core [s]."""
    from dcsim.program.program import program_of
    from dcsim.program.simple import is_counted

    prepared = plan(certain(scenario))
    failures = sum(
        prepared.scenario.horizon * prepared.components(hazard) / hazard.lifetime.mean_ms
        for hazard in prepared.scenario.hazards
    )
    if prepared.has_plant:
        failures *= WITH_PLANT
    elif not is_counted(program_of(certain(scenario), engine.monthly).tables):
        failures *= PLACED
    return RUN_S[engine.name] + failures * FAILURE_S[engine.name]


def task_size(engine: Engine, scenario: Scenario, replications: int, workers: int) -> int:
    """Return how many runs a task has: as many as leave two tasks for every worker, and none takes long."""
    if engine.name == "simpy":
        return 1
    most = min(MOST_RUNS, int(TASK_S / seconds_a_run(engine, scenario)))
    return max(1, min(most, -(-replications // (2 * workers))))


def simulate_many(
    engine: Engine, scenario: Scenario, numbers: Sequence[int], simulate: Simulate | None = None
) -> Ledgers:
    """Simulate runs of a scenario by a clock, or with what takes its place."""
    if simulate is not None:
        return Ledgers.of([simulate(sampled(scenario, number), number) for number in numbers])
    if engine.name == "simpy":
        from dcsim.engine.simpy_clock import simulate_many as play
    else:
        from dcsim.engine.compiled_clock import simulate_many as play
    if not scenario.uncertain:
        return play(scenario, numbers, engine.monthly)
    return Ledgers.joined([play(one, its, engine.monthly) for one, its in _by_sample(scenario, numbers)])


def _by_sample(scenario: Scenario, numbers: Sequence[int]) -> Iterator[tuple[Scenario, list[int]]]:
    """Yield each sample of the inputs with the runs that share it, ascending."""
    for _, group in groupby(numbers, key=lambda number: number // PER_SAMPLE):
        its = list(group)
        yield sampled(scenario, its[0]), its
