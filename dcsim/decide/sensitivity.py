"""Which input to measure first: each one moved to both ends of its range on common random numbers, and what follows."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.cautions import cautions_json
from dcsim.decide.display import Displayed, to_pandas
from dcsim.decide.documents import mean_json, summary_json
from dcsim.decide.estimate import SCHEMA
from dcsim.decide.metrics import Metric, metric, usual_metric
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.sensitivity_indices import RUNS, Index, Indices, blocks_of, indices_of, refusal, rounded
from dcsim.decide.sensitivity_inputs import MovedInput, inputs_of
from dcsim.decide.variants import simulate_variants
from dcsim.montecarlo import Estimated, Paired, Progress, Resume, Summary, WantedEngine, paired, physics, slug
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read, sha256


@dataclass(frozen=True)
class Bar:
    """What moving one input does to the figure, all else at its point value, on common random numbers.

    ``low``, ``high``: the figure with the input at both ends. ``swing``: at the high end less at the low end.
    ``extent``: the highest less the lowest of both ends and the point, never below 0 in the mean; twice the ± that
    people say. Where the figure rises or falls throughout, it is the size of the swing.
    """

    input: MovedInput
    low: Summary
    high: Summary
    swing: Paired
    extent: Paired

    @property
    def moves(self) -> float:
        """Half of the extent: by how much the input moves the figure to either side."""
        return self.extent.mean / 2

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        its = self.input
        return {
            "key": its.key,
            "source": its.source,
            "low": its.low,
            "high": its.high,
            "follows": list(its.follows),
            "simulated": not its.money,
            "at_low": mean_json(self.low),
            "at_high": mean_json(self.high),
            "swing": mean_json(self.swing),
            "extent": mean_json(self.extent),
            "moves_by": self.moves,
        }


@dataclass(frozen=True, repr=False)
class Sensitivity(Displayed):
    """What each input does to a figure of a scenario: ``bars``, the longest first.

    ``base``: the scenario at its point values. ``level``: keys that move the figure as much as the first one does, as
    far as the runs tell; the first one among them. ``shares``: of the variance of single runs, from uncertain inputs
    and from chance; None, and ``why_no_shares``, where there are none. ``folder``: what keeps the runs;
    ``notices`` say what was found damaged in it.
    """

    scenario: Scenario
    metric: Metric
    base: RunResult
    at_base: Summary
    bars: tuple[Bar, ...]
    level: tuple[str, ...]
    shares: Indices | None
    why_no_shares: str
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    notices: tuple[str, ...] = ()

    @property
    def replications(self) -> int:
        """Runs of each bar's ends."""
        return len(self.base.sample)

    @property
    def moved(self) -> tuple[Bar, ...]:
        """The bars of inputs that move the figure at all, beyond the error of their runs."""
        return tuple(bar for bar in self.bars if bar.extent.mean > 0 and not _within(bar.extent))

    def __str__(self) -> str:
        """Return the inputs and by how much each moves the figure, a line each."""
        return "\n".join(f"{bar.input.key} ± {bar.moves:.4g} {self.metric.unit}" for bar in self.bars)

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim sensitivity --json`` prints."""
        return {
            "schema": SCHEMA,
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "seed": self.scenario.seed,
            **self.base.engine.to_json(),
            "cautions": cautions_json([certain(self.scenario)], self.replications),
            "metric": {"name": self.metric.name, "unit": self.metric.unit},
            "replications": self.replications,
            "at_points": summary_json(self.at_base),
            "inputs": [bar.to_json() for bar in self.bars],
            "measure_first": list(self.level),
            "shares": self._shares(),
            "why_no_shares": self.why_no_shares or None,
            "notes": list(self.notes),
            "folder": None if self.folder is None else str(self.folder),
        }

    def _shares(self) -> dict[str, Any] | None:
        found = self.shares
        if found is None:
            return None
        inputs = {key: _index_json(index) for key, index in zip(found.keys, found.inputs, strict=True)}
        return {
            "inputs": inputs,
            "chance": _index_json(found.chance),
            "variance": found.variance,
            "runs": found.runs,
            "blocks": found.blocks,
        }

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each input, the longest bar first; figures in the metric's unit."""
        import pyarrow as pa

        shares = {} if self.shares is None else dict(zip(self.shares.keys, self.shares.inputs, strict=True))
        rows = [
            {
                "key": bar.input.key,
                "source": bar.input.source,
                "low": str(bar.input.low),
                "high": str(bar.input.high),
                "at_low": bar.low.mean,
                "at_high": bar.high.mean,
                "moves_by": bar.moves,
                "half_width": None if bar.extent.half_width is None else bar.extent.half_width / 2,
                "first_share": index.first if (index := shares.get(bar.input.key)) else None,
                "total_share": index.total if index else None,
            }
            for bar in self.bars
        ]
        types = {name: pa.string() if name in ("key", "source", "low", "high") else pa.float64() for name in rows[0]}
        return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())


def _index_json(index: Index) -> dict[str, Any]:
    return {
        "first": index.first,
        "first_ci95": list(index.first_ci95),
        "total": index.total,
        "total_ci95": list(index.total_ci95),
    }


@dataclass(frozen=True)
class SensitivityQuestion:
    """What is simulated to answer it: the scenario at its points, each input at both ends, and blocks for the shares.

    ``runs``: of each block; 0: no shares are asked for.
    """

    scenario: Scenario
    metric: Metric
    inputs: tuple[MovedInput, ...]
    notes: tuple[str, ...]
    replications: int
    runs: int

    @cached_property
    def ends(self) -> list[Scenario]:
        """The scenario at its points, then at the low and at the high end of each input."""
        return [certain(self.scenario), *(end for each in self.inputs for end in (each.at_low, each.at_high))]

    @cached_property
    def blocks(self) -> list[Scenario]:
        """What the shares of the variance need; nothing where there are none."""
        return blocks_of(self.scenario) if self.runs and not refusal(self.scenario) else []

    @property
    def told(self) -> str:
        """What will be simulated, in a sentence; scenarios that differ in prices alone share their runs."""
        ends, blocks = (len({physics(each) for each in group}) for group in (self.ends, self.blocks))
        more = f", then {blocks} x {self.runs:,} for the shares of the variance" if blocks else ""
        inputs = "1 input" if len(self.inputs) == 1 else f"{len(self.inputs)} inputs"
        return f"{inputs}: {ends} x {self.replications:,} runs{more}"

    @property
    def folder(self) -> str:
        """Name of the folder that keeps it, the same for the same scenario and ranges whatever the figure."""
        text = "\n".join(sha256(each) for each in self.ends)
        return f"sensitivity-{slug(self.scenario.name)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def ask(
    scenario: Scenario,
    *,
    ranges: Sequence[str] = (),
    vary: str | None = None,
    metric_name: str | None = None,
    replications: int | None = None,
    runs: int | None = None,
) -> SensitivityQuestion:
    """Return what has to be simulated; raises ScenarioError as ``sensitivity``."""
    figure = usual_metric([scenario]) if metric_name is None else metric(metric_name)
    if figure.lacking([scenario]):
        raise ScenarioError([Problem(scenario.name, None, "", _no_figure(figure, scenario))])
    inputs, notes = inputs_of(scenario, ranges, vary, priced=bool(figure.table))
    blocks = RUNS if runs is None else runs
    return SensitivityQuestion(
        scenario, figure, tuple(inputs), tuple(notes), replications or REPLICATIONS, rounded(blocks) if blocks else 0
    )


def answer(question: SensitivityQuestion, **how: Unpack[How]) -> Sensitivity:
    """Simulate a question and return its answer; ``how``: as ``variants.simulate_variants`` takes it.

    With ``output`` all runs are kept in one folder under it (``SensitivityQuestion.folder``).
    """
    output, figure = how.get("output"), question.metric
    folder = None if output is None else Path(output) / question.folder
    of_ends: How = {**how, "output": folder, "replications": question.replications}
    of_blocks: How = {**how, "output": folder, "replications": question.runs}
    base, *ends = simulate_variants(question.ends, **of_ends)
    at_base = figure.summary(base)
    if at_base is None:
        raise ScenarioError([Problem(question.scenario.name, None, "", _no_figure(figure, question.scenario))])
    bars = []
    for its, low, high in zip(question.inputs, ends[::2], ends[1::2], strict=True):
        if figure.of(low) is None or figure.of(high) is None:
            why = f"{_no_figure(figure, question.scenario)} where {its.key} is at an end of its range"
            raise ScenarioError([Problem(question.scenario.name, None, "", why)])
        bars.append(_bar(figure, its, base, low, high))
    bars.sort(key=lambda each: -each[0].extent.mean)
    blocks: Sequence[RunResult] = ()
    shares, why = None, refusal(question.scenario)
    if question.blocks:
        blocks = simulate_variants(question.blocks, **of_blocks)
        shares = indices_of(blocks, figure)
        why = "" if shares else "No shares of the variance: a run has no finite figure."
    elif not why:
        why = "No shares of the variance were asked for."
    return Sensitivity(
        question.scenario,
        figure,
        base,
        at_base,
        tuple(bar for bar, _ in bars),
        tuple(_level(bars)),
        shares,
        why,
        question.notes,
        folder,
        tuple(notice for run in (base, *ends, *blocks) for notice in run.notices),
    )


def _no_figure(figure: Metric, scenario: Scenario) -> str:
    if figure.lacking([scenario]):
        return f"there is no {figure.label}: the scenario has no [{figure.table}]"
    if figure.name == "finish_h" and scenario.ends:
        return "not every run finishes its jobs within the horizon; --metric lost has a figure of all runs"
    why = "; not every job has work to finish" if figure.name == "finish_h" else ""
    return f"there is no {figure.label} in every run{why}"


def _bar(
    figure: Metric, its: MovedInput, base: RunResult, low: RunResult, high: RunResult
) -> tuple[Bar, NDArray[np.float64]]:
    """Return a bar, and its extent run by run, float64 (n,)."""

    def estimated(run: RunResult) -> Estimated:
        found = figure.of(run)
        assert found is not None  # as the caller has seen
        return found

    bottom, _, top = sorted((low, base, high), key=lambda run: estimated(run).shown.mean)
    extent, swing = Pair(bottom, top).difference_of(figure.of), Pair(low, high).difference_of(figure.of)
    at_low, at_high = figure.summary(low), figure.summary(high)
    assert extent is not None
    assert swing is not None
    assert at_low is not None
    assert at_high is not None
    return Bar(its, at_low, at_high, swing, extent), estimated(top).linear - estimated(bottom).linear


def _level(bars: Sequence[tuple[Bar, NDArray[np.float64]]]) -> list[str]:
    """Return the first key and those whose bars cannot be told from its, from the same runs; none if none moves it."""
    first, longest = bars[0]
    if first.extent.mean <= 0 or _within(first.extent):
        return []
    level = [first.input.key]
    for bar, extent in bars[1:]:
        gap = replace(paired(longest, extent), reliable=bar.extent.reliable)
        if _within(gap):
            level.append(bar.input.key)
    return level


def _within(found: Paired) -> bool:
    """Whether a difference is within its error of zero; a single run has no error."""
    return found.half_width is not None and abs(found.mean) <= found.half_width


def sensitivity(
    scenario: Source,
    *,
    ranges: Sequence[str] = (),
    vary: str | None = None,
    metric: str | None = None,
    replications: int | None = None,
    share_runs: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    command: Sequence[str] = (),
    told: Callable[[str], None] | None = None,
) -> Sensitivity:
    """Move each input of a scenario alone to both ends of its range: which one moves the figure most?

    ``scenario``: a path, a shipped name, a dict or a Scenario. Ranges are those of its [[uncertain]] tables (P5 and
    P95) and of ``mtbf_range``; ``ranges`` adds others, such as "cluster.spares=16:64"; ``vary``, such as "10 %", moves
    every other number to either side. ``metric``: "usd_per_useful_gpu_hour" and so on (default: that; without [tco]
    "loss", or "finish_h" where all jobs end). ``replications`` of each end (default 100). Where inputs are
    [[uncertain]], ``share_runs`` of each block say how much of the variance of single runs each of them and chance
    bring; 0: none. ``told`` is called with what will be simulated before it is. All other keywords are those of
    ``run``.

    Raises ScenarioError for mistakes, for a scenario whose inputs are all certain and for a metric that it does not
    have; else as ``run``.
    """
    made = read(scenario, set=set, **({} if seed is None else {"seed": seed}))
    question = ask(made, ranges=ranges, vary=vary, metric_name=metric, replications=replications, runs=share_runs)
    if told is not None:
        told(question.told)
    return answer(
        question,
        workers=workers,
        output=output,
        resume=resume,
        progress=progress,
        engine=engine,
        monthly=monthly,
        executor=executor,
        command=command,
    )
