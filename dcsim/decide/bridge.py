"""The bridge from the published formula to the simulation: one assumption at a time, on common random numbers.

Every level is a loss of its own. The first is the formula's, the next ones are folds over the failures of the
replications (``FOLDS``), the others are simulations of changed scenarios on the same seeds, and the last is the
scenario itself. A step is the difference of two levels; none is what is left over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.closed_form import Accounting, Charge
from dcsim.decide.ablation import ablated_scenarios, simplified
from dcsim.decide.display import Displayed
from dcsim.decide.estimate import SCHEMA, account_scenario, bill, charge_and_blast, estimate, job_size, mode_of
from dcsim.decide.outcome import REPLICATIONS
from dcsim.hazards import Failures, Hazard
from dcsim.montecarlo import Progress, Sample, WantedEngine, choose, replicate_many
from dcsim.scenario import Plan, Scenario, Source, certain, read, sha256
from dcsim.scenario.plan import blast_of, plan
from dcsim.units import MS_PER_H

FOLDS = ("drawn", "struck", "merged", "idle", "owned", "running")
"""Names of the folds, in the order in which one rule more is corrected."""


@dataclass(frozen=True)
class Folder:
    """A scenario with what its formula charges per failure of each hazard."""

    plan: Plan
    formula: Accounting
    job_size: float
    charges: tuple[tuple[Charge, int], ...]

    @classmethod
    def of(cls, plan: Plan) -> "Folder":
        """Read the charges from the scenario's accounting."""
        scenario = plan.scenario
        charges = tuple(charge_and_blast(scenario, hazard, plan.topology) for hazard in scenario.hazards)
        return cls(plan, account_scenario(scenario), job_size(scenario), charges)

    def losses(self, replication: int) -> dict[str, float]:
        """Return the loss of one replication under each fold.

        ``drawn``: the formula on the failures of this replication instead of on their mean number.
        ``struck``: a failure charges the gang that it strikes, with that gang's size; free GPUs charge none.
        ``merged``: overlapping failures of a gang are counted once: its stalls are united.
        ``idle``: the free GPUs are those that no job asked for, whatever the formula calls a spare.
        ``owned``: what is in repair came from the free GPUs and is not charged beside them.
        ``running``: overheads take their share of the time that a gang runs, not of all GPU-hours.
        """
        scenario = self.plan.scenario
        capacity = scenario.capacity_gpu_ms
        drawn_failures = [each.failures for each in self.plan.draws(replication)]
        stalls = [charge.job_hours * MS_PER_H for charge, _ in self.charges]
        drawn = repair = 0.0
        for failures, (charge, blast) in zip(drawn_failures, self.charges, strict=True):
            drawn += len(failures.times) * charge.gpu_hours(self.job_size, blast) * MS_PER_H
            repair += len(failures.times) * charge.blast_hours * blast * MS_PER_H
        sizes = np.array([gang.gpus for gang in self.plan.gangs], dtype=np.float64)
        times, gangs, lengths = self._stalls(drawn_failures, stalls)
        struck = float((lengths * sizes[gangs]).sum())
        down = united(times, gangs, lengths, len(sizes), scenario.horizon)
        merged = float((down * sizes).sum())
        asked = np.array([gang.gpus * (scenario.horizon - gang.submit) for gang in self.plan.gangs], dtype=np.float64)
        idle = capacity - float(asked.sum())
        shares = np.array([gang.recovery.steady_overhead for gang in self.plan.gangs])
        overhead = float((shares * (asked - down * sizes)).sum())
        overheads = self.formula.performance_overhead
        rest = self.formula.idle_spare_loss + overheads
        return {
            "drawn": drawn / capacity + rest,
            "struck": (struck + repair) / capacity + rest,
            "merged": (merged + repair) / capacity + rest,
            "idle": (merged + repair + idle) / capacity + overheads,
            "owned": (merged + idle) / capacity + overheads,
            "running": (merged + idle + overhead) / capacity,
        }

    def _stalls(
        self, drawn: list[Failures], stalls: list[float]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return (time, gang, length) of every stall, all [ms]; a failure that reaches two gangs stalls both."""
        submit = np.array([gang.submit for gang in self.plan.gangs], dtype=np.int64)
        none = np.empty(0, dtype=np.int64)
        columns = [(none, none, np.empty(0))]
        for hazard, failures, stall in zip(self.plan.scenario.hazards, drawn, stalls, strict=True):
            for times, gangs in self._reached(hazard, failures):
                present = times >= submit[gangs]
                columns.append((times[present], gangs[present], np.full(int(present.sum()), stall)))
        times, gangs, lengths = (np.concatenate(column) for column in zip(*columns, strict=True))
        return times, gangs, lengths

    def _reached(self, hazard: Hazard, failures: Failures) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield (times, gangs) of the failures that reach a gang: its slots, or its places at t = 0."""
        part, topology = hazard.struck_part, self.plan.topology
        if hazard.serves and not blast_of(hazard, topology):
            return
        if part is None and not hazard.serves:
            gangs = self.plan.gang_at(failures.marks)
            inside = gangs < len(self.plan.gangs)
            yield failures.times[inside], gangs[inside]
            return
        placed = np.flatnonzero(self.plan.places >= 0)
        placed = placed[np.argsort(self.plan.places[placed])]
        first = self.plan.places[placed]
        last = first + np.array([self.plan.gangs[index].gpus for index in placed.tolist()], dtype=np.int64)
        if part is None:
            served = topology.serves(hazard.component)
            index = failures.marks // (topology.components(hazard.component) // topology.components(served))
            low, high = topology.bounds(served)[index], topology.bounds(served)[index + 1]
        else:
            span = topology.gpus_per(part)
            low = failures.marks * topology.gpus_per(hazard.component) // span * span
            high = low + span
        from_gang = np.searchsorted(last, low, side="right")
        to_gang = np.searchsorted(first, high, side="left")
        for step in range(int((to_gang - from_gang).max(initial=0))):
            reaches = from_gang + step < to_gang
            yield failures.times[reaches], placed[from_gang[reaches] + step]


def united(
    times: NDArray[np.int64], gangs: NDArray[np.int64], lengths: NDArray[np.float64], count: int, horizon: int
) -> NDArray[np.float64]:
    """Return the time [ms] that each of ``count`` gangs is down: the union of its stalls, cut at the horizon."""
    order = np.lexsort((times, gangs))
    times, gangs = times[order], gangs[order]
    # Shifting each gang beyond the one before lets one running maximum serve all of them.
    shift = gangs * float(2 * horizon)
    ends = np.minimum(times + lengths[order], horizon) + shift
    begins = times + shift
    reached = np.concatenate([[0.0], np.maximum.accumulate(ends)[:-1]]) if len(ends) else ends
    down: NDArray[np.float64] = np.maximum(0.0, ends - np.maximum(begins, reached))
    return np.bincount(gangs, weights=down, minlength=count).astype(np.float64)


ROUNDING = 1e-12
"""Folds whose losses differ by less are equal: their sums are floats."""


@dataclass(frozen=True)
class Step:
    """One level: the loss there (fraction of N * H), and what it adds [percentage points, USD over the term]."""

    name: str
    text: str
    loss: float
    delta_pp: float
    delta_usd: float | None


@dataclass(frozen=True, repr=False)
class Bridge(Displayed):
    """The levels of one scenario, from the formula to the simulation."""

    scenario: Scenario
    replications: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """Return every step in a line."""
        steps = (f"{100 * step.loss:6.2f} % {step.delta_pp:+6.2f}  {step.name}" for step in self.steps)
        return "\n".join([self.scenario.name, *steps])

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim explain --json`` prints."""
        steps = [
            {
                "name": step.name,
                "text": step.text,
                "loss": step.loss,
                "delta_pp": step.delta_pp,
                "delta_usd": step.delta_usd,
            }
            for step in self.steps
        ]
        return {
            "schema": SCHEMA,
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "seed": self.scenario.seed,
            "replications": self.replications,
            "steps": steps,
        }


def explain(
    scenario: Source,
    *,
    replications: int = REPLICATIONS,
    workers: int | None = None,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    executor: str = "local",
) -> Bridge:
    """Simulate every level of one scenario and return the bridge; its last level is the loss of a ``run`` as long.

    ``scenario``: a path, a shipped name, a dict or a Scenario. Uncertain values are at their points, as in the formula.

    Raises Interrupted on Ctrl-C, WorkerDied, and whatever a simulation raises.
    """
    scenario = read(scenario)
    steps = [each for _, _, each in ablated_scenarios(certain(scenario))]
    wanted = [(each, None) for each in steps]
    samples = replicate_many(
        wanted,
        replications,
        workers=workers,
        progress=progress,
        engine=choose(engine, monthly=False),
        executor=executor,
    )
    return bridge_of(scenario, samples)


def bridge_of(scenario: Scenario, samples: Sequence[Sample]) -> Bridge:
    """Return the bridge of a scenario whose levels (``ablated_scenarios``) have been simulated, at its point values."""
    given, scenario = scenario, certain(scenario)
    final = samples[-1]
    folder = Folder.of(plan(simplified(scenario)))
    losses = [folder.losses(int(replication)) for replication in final.replications]
    mode = mode_of(scenario)
    levels = [("formula", f"the published formula, {mode} mode", estimate(scenario).accounting.goodput_loss)]
    for name in FOLDS:
        loss = fmean(each[name] for each in losses)
        if abs(loss - levels[-1][2]) > ROUNDING:  # a rule that changes nothing says nothing about this scenario
            levels.append((*_fold_words(name, scenario), loss))
    for (name, text, _), sample in zip(ablated_scenarios(scenario), samples, strict=True):
        levels.append((name, text, sample.mean_loss))
    return Bridge(given, len(final.replications), _steps(scenario, levels))


def _steps(scenario: Scenario, levels: Sequence[tuple[str, str, float]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for name, text, loss in levels:
        before = steps[-1].loss if steps else loss
        now, then = bill(scenario, loss), bill(scenario, before)
        usd = now.with_lost_work_usd - then.with_lost_work_usd if now and then else None
        steps.append(Step(name, text, loss, 100 * (loss - before), usd))
    return tuple(steps)


def _fold_words(name: str, scenario: Scenario) -> tuple[str, str]:
    free = scenario.cluster.gpus - scenario.gpus_in_jobs
    return {
        "drawn": ("failures drawn", "the failures of these replications instead of their expected number"),
        "struck": (
            "failures outside the job",
            "a failure stops only the jobs that it hits, not one of the charged size",
        ),
        "merged": ("failures while already down", "overlapping failures are counted once"),
        "idle": (
            "idle GPUs",
            f"hours of GPUs that no job asks for ({free:,} GPUs in the end), not of {scenario.cluster.spares:,} spares",
        ),
        "owned": ("spares counted once", "a GPU in repair is not charged as a free GPU too"),
        "running": ("overhead while running", "overheads slow a job only while it runs"),
    }[name]
