"""All that a report is made of: runs, what sets them apart, why formulas differ from them, how losses come about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dcsim.decide.bridge import Bridge, bridge_of
from dcsim.decide.comparison import Comparison
from dcsim.decide.log_analysis import Played, Span
from dcsim.decide.outcome import reopen
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.study import ablations_of
from dcsim.decide.verdict import By
from dcsim.decide.walk import Walk
from dcsim.montecarlo import Sample, choose, replicate_many
from dcsim.montecarlo.manifest import Manifest
from dcsim.scenario import Scenario

BINS = 120
"""Stretches that a month is shown in: 6 h each."""
MOST_COMPILED, MOST_PLAIN = 64, 8
"""Replications over which a single run's steps from the formula are told, by the slowest engine among them; source:
assumed, so that a report costs seconds: steps are taken on common failures and settle quickly."""


@dataclass(frozen=True)
class Story:
    """How the losses of one run come about: two months, and what each cause cost.

    ``typical``: the month of median loss in the replication of median loss. ``worst``: the month of the highest loss in
    all replications. ``costs_gpu_h``: cause -> state -> GPU-hours, in the mean of ``replications``: all of them, or the
    one of median loss where they were kept without causes.
    """

    typical: Span
    worst: Span
    costs_gpu_h: dict[str, dict[str, float]]
    replications: int


@dataclass(frozen=True)
class ReportData:
    """What is known of one run, whose ``pairs`` and ``notes`` are empty, or of several that were compared."""

    runs: tuple[RunResult, ...]
    pairs: tuple[Pair, ...]
    bridges: tuple[Bridge, ...]
    stories: tuple[Story, ...]
    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...] = ()
    walks: tuple[Walk, ...] = ()
    by: By = "mean"


def run_data(run: RunResult, workers: int | None = None) -> ReportData:
    """Add to a kept run what a report of it needs; raises StoreError for its folder, and what a simulation raises."""
    bridges: tuple[Bridge, ...] = ()
    if steps := ablations_of(run.scenario):
        count = told_over(steps, len(run.sample))
        samples = replicate_many([(step, None) for step in steps], count, workers=workers)
        bridges = (bridge_of(run.scenario, samples),)
    return ReportData((run,), (), bridges, (story(run),), _manifests([run]))


def comparison_data(comparison: Comparison) -> ReportData:
    """Add to a comparison of kept runs what a report of it needs; raises as ``run_data``."""
    runs = comparison.runs
    stories = tuple(story(run) for run in runs)
    known = runs, comparison.pairs, comparison.bridges, stories, _manifests(runs), comparison.notes
    return ReportData(*known, comparison.walks, comparison.by)


def reopened(folder: Path, workers: int | None = None) -> ReportData:
    """Return the report data of a run in its folder, the same as when it ended; raises as ``outcome.reopen``."""
    ((run,), _) = reopen([folder], workers=workers)
    return run_data(run, workers)


def story(run: RunResult) -> Story:
    """Play the replication of median loss and that of the worst month again, with their logs."""
    sample = run.sample
    typical, worst = Played.typical(sample), Played.worst(sample)
    told = sample if sample.has_months else Sample.of(sample.scenario, [typical.accounts])
    return Story(typical.typical_month(BINS), worst.worst_month(BINS), told.mean_gpu_hours_by_cause, len(told))


def told_over(steps: Sequence[Scenario], replications: int) -> int:
    """Return over how many replications the steps from the formula are told, so that they cost less than the run."""
    if choose().name == "compiled":
        return min(replications, MOST_COMPILED)
    return min(replications, MOST_PLAIN, max(1, replications // len(steps)))


def _manifests(runs: Sequence[RunResult]) -> tuple[Manifest, ...]:
    return tuple(Manifest.read(run.folder) for run in runs if run.folder is not None)
