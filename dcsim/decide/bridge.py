"""The bridge from the published formula to the simulation: one assumption at a time, on common random numbers.

Every level is a loss of its own. The first is the formula's, the next ones are folds over the failures of the
replications (``decide.folds``), the others are simulations of changed scenarios on the same seeds, and the last is the
scenario itself. A step is the difference of two levels; none is what is left over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dcsim.decide.ablation import ablated_scenarios, simplified
from dcsim.decide.display import html_of
from dcsim.decide.estimate import SCHEMA, bill, estimate, mode_of
from dcsim.decide.folds import FOLDS, Folder
from dcsim.decide.outcome import REPLICATIONS
from dcsim.montecarlo import Progress, Sample, WantedEngine, choose, replicate_many
from dcsim.scenario import Scenario, Source, certain, read, sha256
from dcsim.scenario.plan import plan

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


@dataclass(frozen=True)
class Bridge:
    """The levels of one scenario, from the formula to the simulation."""

    scenario: Scenario
    replications: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """Return every step in a line."""
        steps = (f"{100 * step.loss:6.2f} % {step.delta_pp:+6.2f}  {step.name}" for step in self.steps)
        return "\n".join([self.scenario.name, *steps])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)

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
        "struck": ("failures outside the job", "a failure stops what it strikes, not a job of the charged size"),
        "merged": ("failures while already down", "a job that is already down loses no hour twice"),
        "idle": (
            "idle GPUs",
            f"hours of GPUs that no job asks for ({free:,} GPUs in the end), not of {scenario.cluster.spares:,} spares",
        ),
        "owned": ("spares counted once", "GPUs in repair come out of the free ones and are not charged beside them"),
        "running": ("overhead while running", "overheads slow a job only while it runs"),
    }[name]
