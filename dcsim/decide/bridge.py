"""The bridge from the published formula to the simulation: one assumption at a time, on common random numbers.

Every rung is a loss of its own. The first is the formula's, the next ones are folds over the failures of the
replications (``decide.folds``), the others are simulations of changed scenarios on the same seeds, and the last is the
scenario itself. A step is the difference of two rungs; none is what is left over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dcsim.decide.estimate import SCHEMA, bill, estimate, mode_of
from dcsim.decide.folds import FOLDS, Folder
from dcsim.decide.outcome import REPLICATIONS
from dcsim.hazards import Hazard
from dcsim.montecarlo import Progress, Sample, replicate_many
from dcsim.scenario import Job, Scenario, plan, sha256

ROUNDING = 1e-12
"""Folds whose losses differ by less are equal: their sums are floats."""


@dataclass(frozen=True)
class Step:
    """One rung: the loss there (fraction of N * H), and what it adds [percentage points, USD over the term]."""

    name: str
    text: str
    loss: float
    delta_pp: float
    delta_usd: float | None


@dataclass(frozen=True)
class Bridge:
    """The rungs of one scenario, from the formula to the simulation."""

    scenario: Scenario
    replications: int
    steps: tuple[Step, ...]

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


@dataclass(frozen=True)
class Rung:
    """A change that the simulation makes to the formula's assumptions, and how to take it back."""

    name: str
    text: str
    undo: Callable[[Scenario], Scenario]


def ladder(scenario: Scenario) -> tuple[Rung, ...]:
    """Return what the formula leaves out and the simulation has, in the order in which it is put back."""
    mode = mode_of(scenario)
    rungs = [Rung("checkpoint writes", "writes block the job", _jobs(checkpoint_write=0))]
    if mode == "tolerant":
        rungs.append(Rung("restore", "a job that rolls back loads its state", _restore_of_rollback))
    else:
        rungs.append(Rung("detection", "the job hangs until the failure is identified", _undetected))
        rungs.append(Rung("failover", f"swapping hardware in takes time in {mode} mode too", _jobs(failover=0)))
    if mode != "cold":
        rungs.append(Rung("finite spares", _spares_text(scenario), _hazards(repair=0)))
        rungs.append(Rung("cold spares", "jobs wait for the repair of their own instead of taking free GPUs", _hot))
    rungs.append(Rung("finite crews", "repairs queue for their crews", _uncrewed))
    return tuple(rung for rung in rungs if rung.undo(scenario) != scenario)


def rungs_of(scenario: Scenario) -> list[tuple[str, str, Scenario]]:
    """Return (name, text, scenario to simulate) from the barest simulation to the scenario itself."""
    rungs = ladder(scenario)
    rolls_back = any(job.recovery.rolls_back for job in scenario.jobs)
    bare = "a strike during recovery begins it again, and what is out already cannot be struck"
    if rolls_back:
        bare = "work is lost back to the last checkpoint as it fell; " + bare
    if (mode_of(scenario) == "tolerant") is rolls_back:
        bare = f"jobs recover by their own strategies, not in the formula's {mode_of(scenario)} mode; " + bare
    found: list[tuple[str, str, Scenario]] = []
    changed = scenario
    for rung in reversed(rungs):
        found.append((rung.name, rung.text, changed))
        changed = rung.undo(changed).model_copy(update={"name": f"{scenario.name}, before {rung.name}"})
    found.append(("recovery as it falls", bare, changed))
    return found[::-1]


def explain(
    scenario: Scenario,
    *,
    replications: int = REPLICATIONS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Bridge:
    """Simulate every rung of one scenario and return the bridge; its last rung is the loss of a ``run`` as long.

    Raises Interrupted on Ctrl-C, WorkerDied, and whatever a simulation raises.
    """
    wanted = [(each, None) for _, _, each in rungs_of(scenario)]
    samples = replicate_many(wanted, replications, workers=workers, progress=progress)
    return bridge_of(scenario, samples)


def bridge_of(scenario: Scenario, samples: Sequence[Sample]) -> Bridge:
    """Return the bridge of a scenario whose rungs (``rungs_of``) have been simulated."""
    final = samples[-1]
    folder = Folder.of(plan(scenario))
    losses = [folder.losses(int(replication)) for replication in final.replications]
    mode = mode_of(scenario)
    levels = [("formula", f"the published formula, {mode} mode", estimate(scenario).accounting.goodput_loss)]
    for name in FOLDS:
        loss = fmean(each[name] for each in losses)
        if abs(loss - levels[-1][2]) > ROUNDING:  # a rule that changes nothing says nothing about this scenario
            levels.append((*_fold_words(name, scenario), loss))
    for (name, text, _), sample in zip(rungs_of(scenario), samples, strict=True):
        levels.append((name, text, sample.mean_loss))
    return Bridge(scenario, len(final.replications), _steps(scenario, levels))


def _steps(scenario: Scenario, levels: Sequence[tuple[str, str, float]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for name, text, loss in levels:
        before = steps[-1].loss if steps else loss
        now, then = bill(scenario, loss), bill(scenario, before)
        usd = now.total_usd - then.total_usd if now and then else None
        steps.append(Step(name, text, loss, 100 * (loss - before), usd))
    return tuple(steps)


def _fold_words(name: str, scenario: Scenario) -> tuple[str, str]:
    free = scenario.cluster.gpus - scenario.gpus_in_jobs
    return {
        "drawn": ("failures drawn", "the failures of these replications instead of their expected number"),
        "struck": ("failures outside the job", "a failure stops what it strikes, not a job of the charged size"),
        "merged": ("failures while already down", "a job that is already down loses no hour twice"),
        "idle": (
            "idle GPUs",
            f"hours of GPUs that no job asks for ({free:,} GPUs in the end), not of {scenario.cluster.spares:,} spares",
        ),
        "owned": ("spares counted once", "GPUs in repair come out of the free ones and are not charged beside them"),
        "running": ("overhead while running", "overheads slow a job only while it runs"),
    }[name]


def _spares_text(scenario: Scenario) -> str:
    free = scenario.cluster.gpus - scenario.gpus_in_jobs
    blasts = [hazard.blast for hazard in scenario.hazards if isinstance(hazard.blast, int)]
    short = f", less than one blast of {max(blasts):,}" if blasts and max(blasts) > free > 0 else ""
    return f"free GPUs: {free:,}{short}; jobs wait, or take hardware from jobs of lower priority"


def _jobs(**change: int) -> Callable[[Scenario], Scenario]:
    def undo(scenario: Scenario) -> Scenario:
        return _with_jobs(scenario, lambda job: change)

    return undo


def _with_jobs(scenario: Scenario, change: Callable[[Job], dict[str, Any]]) -> Scenario:
    jobs = tuple(
        job.model_copy(update={"recovery": job.recovery.model_copy(update=change(job))}) for job in scenario.jobs
    )
    return scenario.model_copy(update={"jobs": jobs})


def _hot(scenario: Scenario) -> Scenario:
    return _with_jobs(scenario, lambda job: {"spare": "hot"})


def _restore_of_rollback(scenario: Scenario) -> Scenario:
    return _with_jobs(scenario, lambda job: {"restore": 0} if job.recovery.rolls_back else {})


def _hazards(**change: Any) -> Callable[[Scenario], Scenario]:
    def undo(scenario: Scenario) -> Scenario:
        return _with_hazards(scenario, lambda hazard: change)

    return undo


def _with_hazards(scenario: Scenario, change: Callable[[Hazard], dict[str, Any]]) -> Scenario:
    hazards = tuple(hazard.model_copy(update=change(hazard)) for hazard in scenario.hazards)
    return scenario.model_copy(update={"hazards": hazards})


def _undetected(scenario: Scenario) -> Scenario:
    """Take detection back where the identify variant does not charge it."""
    variant = scenario.accounting.identify
    rollback = (scenario.jobs[0].recovery.checkpoint_every or 0) / 2

    def change(hazard: Hazard) -> dict[str, Any]:
        charged = variant == "sum" or (variant == "max" and hazard.detect >= rollback)
        return {} if charged else {"detect": 0}

    return _with_hazards(scenario, change)


def _uncrewed(scenario: Scenario) -> Scenario:
    def change(hazard: Hazard) -> dict[str, Any]:
        if hazard.stage.crews is None:
            return {}
        return {"repair": hazard.stage.model_copy(update={"crews": None})}

    return _with_hazards(scenario, change)
