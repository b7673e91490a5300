"""Sweeps: offers at many settings on common random numbers, folded one by one as they are done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dcsim.decide.display import Displayed, to_pandas
from dcsim.decide.metrics import Metric
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.result import RunResult
from dcsim.decide.sweep_files import MadeFiles, points_table, to_json
from dcsim.decide.sweep_question import SweepQuestion, batches, one_folder_each, question
from dcsim.decide.sweep_region import Measured, Region, region
from dcsim.decide.variants import Axis, Variant, simulate_variants
from dcsim.montecarlo import UNSHARDED, Interrupted, Progress, Resume, Running, Shard, Summary, WantedEngine
from dcsim.scenario import PER_SAMPLE, Problem, Scenario, ScenarioError, Source
from dcsim.scenario.provenance import origins as origins_of

MOST_RUNS = 20_000_000
"""Runs of all points; two numbers of each are kept, 320 MB in all; source: assumed."""
RUNS = "runs"
"""The folder, within that of a sweep, that holds the folders of its points' runs."""


@dataclass(frozen=True, eq=False)
class Point:
    """One offer at one setting: its inputs, its figures over all runs, and the figure that the sweep is about.

    ``figures``: by name; None where the scenario has no such figure. ``folder``: of its runs, None if not kept.
    ``formulas``: what theory says of that figure, by the name of the formula; None where it says nothing.
    """

    number: int
    offer: int
    inputs: tuple[tuple[str, Any], ...]
    figures: Mapping[str, Summary | None]
    measured: Measured | None
    runs_needed: int | None
    folder: Path | None
    formulas: Mapping[str, float | None]


@dataclass(frozen=True)
class Winner:
    """Which offer is best at one setting: ``points`` of all offers, in their order, and how they stand."""

    inputs: tuple[tuple[str, Any], ...]
    points: tuple[int, ...]
    region: Region | None

    @property
    def offers(self) -> tuple[int, ...]:
        """The best offer and those that are not told apart from it; empty where none has a figure."""
        return () if self.region is None else self.region.members


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Displayed):
    """Points in order: the offers one after the other, the last axis changes fastest.

    ``drawn``: whether the points are a Latin hypercube of the axes' values, not all of them. ``runs`` of each point;
    ``shard``: which part of them. ``figures``: what is known of every point. ``notes``: what a reader must know.
    """

    offers: tuple[Scenario, ...]
    axes: tuple[Axis, ...]
    metric: Metric
    points: tuple[Point, ...]
    runs: int
    drawn: bool
    notes: tuple[str, ...]
    figures: tuple[Metric, ...]
    folder: Path | None = None
    shard: Shard = UNSHARDED

    @cached_property
    def region(self) -> Region | None:
        """The best point and those that are not told apart from it; None where no point has the figure."""
        return region([point.measured for point in self.points], self.metric.lower_is_better)

    @cached_property
    def winners(self) -> tuple[Winner, ...]:
        """Which offer is best at each setting, in the order of the settings; empty for a single offer."""
        if len(self.offers) < 2:
            return ()
        count = len(self.points) // len(self.offers)
        found = []
        for first in range(count):
            numbers = tuple(range(first, len(self.points), count))
            its = region([self.points[each].measured for each in numbers], self.metric.lower_is_better)
            found.append(Winner(self.points[first].inputs, numbers, its))
        return tuple(found)

    def __str__(self) -> str:
        """Return the best point in a line."""
        if self.region is None:
            return f"{len(self.points)} points, none with a figure of {self.metric.label}"
        best = self.points[self.region.best]
        inputs = ", ".join(f"{key} = {value}" for key, value in best.inputs)
        mean = best.measured.mean if best.measured else float("nan")
        least = "least" if self.metric.lower_is_better else "most"
        return f"{least} {self.metric.label}: {mean:.6g} {self.metric.unit} at {inputs or 'the only setting'}"

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each point: inputs, figures, and whether it is best or tied."""
        return points_table(self)

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim sweep --json`` prints."""
        return to_json(self)


def sweep(
    scenarios: Source | Sequence[Source],
    axes: Mapping[str, Any] | Sequence[str | Axis],
    *,
    lhs: int | None = None,
    metric: str | None = None,
    every_run: bool = False,
    replications: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    shard: Shard = UNSHARDED,
    command: Sequence[str] = (),
    origins: Sequence[Mapping[str, str]] | None = None,
    each: Callable[[Point, RunResult], None] | None = None,
) -> Sweep:
    """Simulate scenarios with every combination of some keys' values, on the random numbers of one seed.

    ``scenarios``: one or more paths, shipped names, dicts or Scenarios. ``axes``: key -> its values, a list or a text
    such as "5 min:60 min:5 min", or texts such as "cluster.spares=0,8,16". A stock of spares is bought: the jobs keep
    their GPUs (``variants.bought``). ``lhs``: so many points of a Latin hypercube instead of all combinations.
    ``metric``: the figure that decides, one of ``dcsim.decide.metrics.METRICS`` (default: what is paid for a useful
    GPU-hour, without [tco] the loss, or finish_h where all jobs end). ``every_run``: with ``output`` also a table with
    one row for each run. ``each`` is called with every point and its runs, which are not kept in memory. All other
    keywords are those of
    ``run``; the seed is the first scenario's by default, and months are not kept.

    Raises ScenarioError for what cannot be simulated, else as ``run``.
    """
    asked = question(scenarios, axes, lhs, metric, seed, set)
    how: How = {
        "workers": workers,
        "resume": resume,
        "engine": engine,
        "monthly": monthly,
        "executor": executor,
        "shard": shard,
        "command": command,
        "replications": REPLICATIONS if replications is None else replications,
    }
    return simulated(asked, how, progress, None if output is None else Path(output), every_run, origins, each)


# --- simulation -------------------------------------------------------------------------------------------------------


def simulated(
    asked: SweepQuestion,
    how: How,
    progress: Progress | None,
    output: Path | None,
    every_run: bool,
    origins: Sequence[Mapping[str, str]] | None,
    each: Callable[[Point, RunResult], None] | None = None,
) -> Sweep:
    """Simulate the points of a question, batch after batch, and fold each when it is done; raises as ``sweep``."""
    runs, shard = how["replications"], how["shard"]
    if any(each.scenario.uncertain for each in asked.variants):
        runs += runs % PER_SAMPLE
    if runs * len(asked.variants) > MOST_RUNS:
        told = f"found {len(asked.variants):,} points of {runs:,} runs; must be at most {MOST_RUNS:,} runs in all"
        raise ScenarioError([Problem("-n", None, "", told)])
    if not len(shard.numbers(runs)):
        raise ScenarioError([Problem("--shard", None, "", f"shard {shard} has none of {runs} replications")])
    folder = None if output is None else output / asked.folder_name
    if folder is not None:
        one_folder_each(asked)
        how["output"] = folder / RUNS
    its_origins = [dict(each) for each in origins or map(origins_of, asked.offers)]
    made = MadeFiles(folder if shard == UNSHARDED else None, asked.axes, every_run)
    points: dict[int, Point] = {}
    together = list(batches(asked.variants, len(shard.numbers(runs))))
    counter = _Counter(progress, sum(groups for _, groups in together) * len(shard.numbers(runs)))
    with made:
        for numbers, groups in together:
            members = [asked.variants[number] for number in numbers]
            how["origins"] = [its_origins[each.offer] | {key: "-L" for key, _ in each.inputs} for each in members]
            how["progress"] = None if progress is None else counter
            try:
                results = simulate_variants([each.scenario for each in members], **how)
            except Interrupted as ended:
                raise Interrupted(ended.finished + counter.before, counter.wanted, ended.samples) from None
            counter.next(groups * len(shard.numbers(runs)))
            for number, member, result in zip(numbers, members, results, strict=True):
                points[number] = _point(number, member, result, asked)
                made.add(number, member, result)
                if each is not None:
                    each(points[number], result)
            del results
        found = Sweep(
            asked.offers,
            asked.axes,
            asked.metric,
            tuple(points[number] for number in range(len(asked.variants))),
            runs,
            asked.drawn,
            asked.notes + made.notices,
            tuple(dict.fromkeys((*asked.figures, asked.metric))),
            folder,
            shard,
        )
        made.finish(found)
    return found


def _point(number: int, member: Variant, result: RunResult, asked: SweepQuestion) -> Point:
    figures = {each.name: each.summary(result) for each in (*asked.figures, asked.metric)}
    measured = Measured.of(result, asked.metric)
    known = asked.metric.by_formula(result.scenario)
    return Point(number, member.offer, member.inputs, figures, measured, result.runs_needed, result.folder, known)


class _Counter:
    """Progress over all batches, told as that of one simulation."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.wanted, self.before = progress, total, 0

    def __call__(self, done: int, _: int, running: Running) -> None:
        """Tell how far all batches are."""
        assert self.progress is not None
        self.progress(self.before + done, self.wanted, running)

    def next(self, finished: int) -> None:
        """Begin another batch."""
        self.before += finished
