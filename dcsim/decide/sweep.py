"""Sweeps: offers at many settings on common random numbers, folded one by one as they are done."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.decide.comparison import shared
from dcsim.decide.display import html_of, to_pandas
from dcsim.decide.metrics import METRICS, Metric, metric, usual_metric
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.result import RunResult
from dcsim.decide.sweep_files import MadeFiles, points_table, to_json
from dcsim.decide.sweep_region import Measured, Region, region
from dcsim.decide.variants import GPUS, SPARES, Axis, Variant, read_axes, simulate_variants, variants
from dcsim.ledger import CAUSES, STATES
from dcsim.montecarlo import UNSHARDED, Interrupted, Progress, Running, Shard, Summary, WantedEngine, slug
from dcsim.montecarlo.runner import physics
from dcsim.problems import wrong
from dcsim.scenario import PER_SAMPLE, Problem, Scenario, ScenarioError, Source, read, sha256
from dcsim.scenario.provenance import origins as origins_of

FIGURES = ("loss", "lost", "paid_usd", "useful_gpu_hours", "usd_per_useful_gpu_hour", "finish_h")
"""What is kept of every point, beside the figure that the sweep is about."""
BATCH_BYTES = 128 << 20
"""Ledgers that are in memory at a time [B]; source: assumed."""
MOST_RUNS = 20_000_000
"""Runs of all points; two numbers of each are kept, 320 MB in all; source: assumed."""
RUNS = "runs"
"""The folder, within that of a sweep, that holds the folders of its points' runs."""


@dataclass(frozen=True, eq=False)
class Point:
    """One offer at one setting: its inputs, its figures over all runs, and the figure that the sweep is about.

    ``figures``: by name; None where the scenario has no such figure. ``folder``: of its runs, None if not kept.
    """

    number: int
    offer: int
    inputs: tuple[tuple[str, Any], ...]
    figures: Mapping[str, Summary | None]
    measured: Measured | None
    runs_needed: int | None
    folder: Path | None


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


@dataclass(frozen=True, eq=False)
class Sweep:
    """Points in order: the offers one after the other, the last axis changes fastest.

    ``drawn``: whether the points are a Latin hypercube of the axes' values, not all of them. ``runs`` of each point;
    ``shard``: which part of them. ``notes`` are sentences that a reader must know.
    """

    offers: tuple[Scenario, ...]
    axes: tuple[Axis, ...]
    metric: Metric
    points: tuple[Point, ...]
    runs: int
    drawn: bool
    notes: tuple[str, ...]
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

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)

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
    resume: bool = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    shard: Shard = UNSHARDED,
    command: Sequence[str] = (),
    origins: Sequence[Mapping[str, str]] | None = None,
) -> Sweep:
    """Simulate scenarios with every combination of some keys' values, on the random numbers of one seed.

    ``scenarios``: one or more paths, shipped names, dicts or Scenarios. ``axes``: key -> its values, a list or a text
    such as "5 min:60 min:5 min", or texts such as "cluster.spares=0,8,16". A stock of spares is bought: the jobs keep
    their GPUs (``variants.bought``). ``lhs``: so many points of a Latin hypercube instead of all combinations.
    ``metric``: the figure that decides, one of ``dcsim.decide.metrics.METRICS`` (default: what is paid for a useful
    GPU-hour, without [tco] the loss). ``every_run``: with ``output`` also a table with one row for each run.
    All other keywords are those of ``run``; the seed is the first scenario's by default, and months are not kept.

    Raises ScenarioError for what cannot be simulated, else as ``run``.
    """
    asked = _question(scenarios, axes, lhs, metric, seed, set)
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
    return _simulated(asked, how, progress, None if output is None else Path(output), every_run, origins)


@dataclass(frozen=True, eq=False)
class Question:
    """What a sweep asks: every point's scenario, in order, and the figure that decides."""

    offers: tuple[Scenario, ...]
    axes: tuple[Axis, ...]
    drawn: bool
    metric: Metric
    variants: tuple[Variant, ...]
    notes: tuple[str, ...]

    @cached_property
    def sha256(self) -> list[str]:
        """Hash of every point's scenario."""
        return [sha256(each.scenario) for each in self.variants]

    @property
    def folder_name(self) -> str:
        """Name of the sweep's folder: it follows from the points alone."""
        digest = hashlib.sha256("\n".join(self.sha256).encode()).hexdigest()
        return f"sweep-{slug(' '.join(each.name for each in self.offers))}-{digest[:8]}"


def _question(
    scenarios: Source | Sequence[Source],
    axes: Mapping[str, Any] | Sequence[str | Axis],
    lhs: int | None,
    wanted: str | None,
    seed: int | None,
    changes: Sequence[str],
) -> Question:
    sources: Sequence[Any] = scenarios if isinstance(scenarios, list | tuple) else [scenarios]
    read_all = [read(each, set=changes) for each in sources]
    if not read_all:
        raise ValueError("a sweep needs at least one scenario")
    common = read_all[0].seed if seed is None else seed
    offers = tuple(each.model_copy(update={"seed": common}) for each in read_all)
    its_axes = _axes(axes)
    if not its_axes and len(offers) < 2:
        raise ScenarioError([Problem("-L", None, "", "missing; give a key and its values, or several files")])
    decides = usual_metric(offers) if wanted is None else metric(wanted)
    settings = _settings(its_axes, lhs, common)
    asked = [(number, offer, inputs) for number, offer in enumerate(offers) for inputs in settings]
    found = tuple(variants(asked))
    if decides.unit == "USD" and any(each.scenario.tco is None for each in found):
        raise ScenarioError([Problem("--metric", None, "", wrong(decides.name, "every scenario needs [tco] for it"))])
    return Question(offers, its_axes, lhs is not None, decides, found, _notes(read_all, offers, its_axes, lhs, found))


def _axes(given: Mapping[str, Any] | Sequence[str | Axis]) -> tuple[Axis, ...]:
    if isinstance(given, Mapping):
        return tuple(
            Axis.read(f"{key}={values}", "axes") if isinstance(values, str) else Axis.of(key, values, "axes")
            for key, values in given.items()
        )
    texts = [each for each in given if isinstance(each, str)]
    return (*(each for each in given if isinstance(each, Axis)), *read_axes(texts))


def _settings(axes: Sequence[Axis], lhs: int | None, seed: int) -> list[dict[str, Any]]:
    """Return the inputs of every setting: all combinations, or those that a Latin hypercube draws."""
    keys = [axis.key for axis in axes]
    count = int(np.prod([len(axis.values) for axis in axes], dtype=np.float64)) if axes else 1
    if lhs is None:
        from dcsim.decide.variants import MOST_VARIANTS

        if count > MOST_VARIANTS:
            told = f"found {count:,} combinations; must be at most {MOST_VARIANTS:,}, or drawn by --lhs"
            raise ScenarioError([Problem("-L", None, "", told)])
        return [dict(zip(keys, values, strict=True)) for values in product(*(axis.values for axis in axes))]
    if lhs > count:
        told = wrong(lhs, f"must be at most {count:,}, the number of combinations")
        raise ScenarioError([Problem("--lhs", None, "", told)])
    from scipy.stats import qmc

    units = qmc.LatinHypercube(len(axes), rng=np.random.default_rng(seed)).random(lhs)
    places = np.floor(units * [len(axis.values) for axis in axes]).astype(int)
    chosen = sorted(dict.fromkeys(map(tuple, places.tolist())))
    return [{axis.key: axis.values[place] for axis, place in zip(axes, places, strict=True)} for places in chosen]


def _notes(
    given: Sequence[Scenario],
    offers: Sequence[Scenario],
    axes: Sequence[Axis],
    lhs: int | None,
    found: Sequence[Variant],
) -> tuple[str, ...]:
    """Say what a reader of the sweep must know about its points."""
    keys = {axis.key for axis in axes}
    notes = []
    if lhs is not None and lhs * len(offers) > len(found):
        notes.append(f"{len(found) // len(offers):,} of the {lhs:,} settings drawn are different.")
    if SPARES in keys and GPUS not in keys and any(not each.cluster.in_rack_spares for each in offers):
        notes.append(
            "Spares are bought: jobs keep their GPUs, and cluster.gpus is larger or smaller by what the stock is. "
            "Give cluster.gpus too for a cluster of one size."
        )
    if len({each.seed for each in given}) > 1:
        notes.append(f"All scenarios are simulated with seed {offers[0].seed}.")
    if len({sha256(each) for each in offers}) < len(offers):
        notes.append("Two of the files hold the same scenario.")
    sample = [found[0].scenario, *(each.scenario for each in found[1 :: max(1, len(found) // 16)])]
    if shared(sample) == "nothing":
        notes.append("Some points share no random numbers: their differences are as uncertain as the points.")
    return tuple(notes)


# --- simulation -------------------------------------------------------------------------------------------------------


def _simulated(
    asked: Question,
    how: How,
    progress: Progress | None,
    output: Path | None,
    every_run: bool,
    origins: Sequence[Mapping[str, str]] | None,
) -> Sweep:
    """Simulate batch after batch and fold each point when it is done."""
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
        _one_folder_each(asked)
        how["output"] = folder / RUNS
    its_origins = [dict(each) for each in origins or map(origins_of, asked.offers)]
    made = MadeFiles(folder if shard == UNSHARDED else None, asked.axes, every_run)
    points: dict[int, Point] = {}
    batches = list(_batches(asked.variants, len(shard.numbers(runs))))
    counter = _Counter(progress, sum(groups for _, groups in batches) * len(shard.numbers(runs)))
    with made:
        for numbers, groups in batches:
            members = [asked.variants[number] for number in numbers]
            how["origins"] = [its_origins[each.offer] | {key: "-L" for key, _ in each.inputs} for each in members]
            how["progress"] = None if progress is None else counter
            try:
                results = simulate_variants([each.scenario for each in members], **how)
            except Interrupted as ended:
                raise Interrupted(ended.finished + counter.before, counter.wanted, ended.samples) from None
            counter.next(groups * len(shard.numbers(runs)))
            for number, member, result in zip(numbers, members, results, strict=True):
                points[number] = _point(number, member, result, asked.metric)
                made.add(number, member, result)
            del results
        found = Sweep(
            asked.offers,
            asked.axes,
            asked.metric,
            tuple(points[number] for number in range(len(asked.variants))),
            runs,
            asked.drawn,
            asked.notes + made.notices,
            folder,
            shard,
        )
        made.finish(found)
    return found


def _point(number: int, member: Variant, result: RunResult, decides: Metric) -> Point:
    figures = {name: METRICS[name].summary(result) for name in dict.fromkeys((*FIGURES, decides.name))}
    measured = Measured.of(result, decides)
    return Point(number, member.offer, member.inputs, figures, measured, result.runs_needed, result.folder)


def _batches(found: Sequence[Variant], runs: int) -> Iterator[tuple[list[int], int]]:
    """Yield numbers of points to simulate together, and how many simulations of each run serve them.

    Points that differ only in money share their runs, so they are always together.
    """
    by_physics: dict[Scenario, list[int]] = {}
    for number, each in enumerate(found):
        by_physics.setdefault(physics(each.scenario), []).append(number)
    numbers: list[int] = []
    groups, size = 0, 0
    for scenario, members in by_physics.items():
        takes = runs * (len(scenario.jobs) + 2) * (len(STATES) + len(CAUSES) + 4) * 8
        if numbers and size + takes > BATCH_BYTES:
            yield numbers, groups
            numbers, groups, size = [], 0, 0
        numbers += members
        groups, size = groups + 1, size + takes
    yield numbers, groups


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


def _one_folder_each(asked: Question) -> None:
    """Refuse points whose runs would be kept in one folder, whose name has eight digits of the scenario's hash."""
    by_name: dict[tuple[str, str, int], str] = {}
    for each, digest in zip(asked.variants, asked.sha256, strict=True):
        key = (slug(each.scenario.name), digest[:8], each.scenario.seed)
        if by_name.setdefault(key, digest) != digest:
            told = "two points would keep their runs in one folder; leave one value out, or change the seed"
            raise ScenarioError([Problem("-L", None, "", told)])
