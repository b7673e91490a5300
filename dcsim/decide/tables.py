"""Tables that people ask for by name: one key of one scenario, by formula, by theory and simulated, side by side."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dcsim.decide.display import html_of, to_pandas
from dcsim.decide.estimate import Estimate, estimate
from dcsim.decide.metrics import METRICS, Metric, usual_metric
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.result import RunResult
from dcsim.decide.sweep import Sweep, simulated
from dcsim.decide.sweep_question import FIGURES, Question
from dcsim.decide.tables_spares import Pool, horizon_h, monthly_usd
from dcsim.decide.theory import Theory, gang_strikes, theory
from dcsim.decide.variants import SPARES, Axis, read_axes, variants
from dcsim.ledger import STATE
from dcsim.montecarlo import UNSHARDED, Estimated, Progress, Shard, WantedEngine, runs_per_draw
from dcsim.problems import not_one_of, wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import plan
from dcsim.units import DURATION, MS_PER_H, MS_PER_MIN, SHARE, parse, write

Kind = Literal["checkpoint", "spares", "detection", "nines"]
KINDS: tuple[Kind, ...] = ("checkpoint", "spares", "detection", "nines")
AROUND = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Checkpoint intervals that are tried, in parts of the best one by theory."""
DETECTIONS = ("1 min", "5 min", "10 min", "15 min", "30 min", "1 h", "2 h")
NINES = (0.9, 0.99, 0.999, 0.9999, 0.99999)
ENOUGH = 0.01
"""P(short) that a stock of spares should stay below."""
MOST_STOCKS = 12


@dataclass(frozen=True, eq=False)
class DecisionTable:
    """One key's values with what each costs. ``closed``: for each point of the sweep the closed forms, by name.

    Names: ``formula`` (loss by the published formula), ``formula_usd`` (price of a useful GPU-hour by it), ``theory``
    (loss of the first job alone, exactly), ``binomial`` and ``repairman`` (P(short)), ``waiting`` [GPU-h],
    ``stock_usd`` [USD/month]. ``facts``: what the table as a whole says, by name. ``own``: the number of the point that
    is the scenario itself, None if it is not among them.
    """

    kind: Kind
    scenario: Scenario
    sweep: Sweep
    closed: tuple[Mapping[str, float | None], ...]
    facts: Mapping[str, Any]
    own: int | None
    pool: Pool | None = None
    theory: Theory | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.sweep}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each value: what was simulated, then the closed forms."""
        import pyarrow as pa

        found = self.sweep.to_arrow()
        for name in self.closed[0] if self.closed else ():
            found = found.append_column(f"closed_{name}", pa.array([each[name] for each in self.closed], pa.float64()))
        return found

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim table --json`` prints."""
        found = self.sweep.to_json()
        points = [point | {"closed": dict(its)} for point, its in zip(found["points"], self.closed, strict=True)]
        return found | {"table": self.kind, "facts": dict(self.facts), "own": self.own, "points": points}


def table(
    kind: Kind,
    scenario: Source,
    values: Mapping[str, Any] | Sequence[str] = (),
    *,
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
) -> DecisionTable:
    """Simulate one scenario at the values of one key and put the closed forms beside it.

    ``kind``: "checkpoint" (interval -> loss and price), "spares" (stock -> P(short), waiting, price), "detection" (time
    -> loss and price of a minute) or "nines" (what each further nine of having enough GPUs costs in spares).
    ``values``: a key and its values as ``sweep`` takes them (default: chosen by the theory of the scenario). All other
    keywords are those of ``run``. Raises ScenarioError, in one line, where the scenario has nothing to choose.
    """
    if kind not in KINDS:
        raise ScenarioError([Problem("table", None, "", not_one_of(KINDS, kind))])
    made = read(scenario, set=set, **({} if seed is None else {"seed": seed}))
    axes = [Axis.of(key, its) for key, its in values.items()] if isinstance(values, Mapping) else read_axes(values)
    if len(axes) > 1:
        raise ScenarioError([Problem("-L", None, "", f"found {len(axes)} keys; a table is about one: dcsim sweep")])
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
    maker = {"checkpoint": _Checkpoint, "detection": _Detection, "spares": _Spares, "nines": _Nines}[kind]
    asked = maker(made, axes[0] if axes else None)
    found = simulated(asked.question, how, progress, None if output is None else Path(output), False, origins)
    return asked.answer(found)


class _Asked:
    """What a table asks: the axis, what is simulated, and the closed forms beside it."""

    kind: Kind
    pool: Pool | None = None

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.scenario, self.label = scenario, f"table {self.kind}"
        self.fixed = settled(certain(scenario))
        self.axis = self.chosen() if given is None else self.accepted(given)
        members = variants([(0, scenario, {self.axis.key: value}) for value in self.axis.values])
        self.question = Question(
            (scenario,), (self.axis,), False, self.metric, tuple(members), (), self.figures, f"table-{self.kind}"
        )

    @property
    def metric(self) -> Metric:
        """What the best value is best in."""
        return usual_metric([self.scenario])

    @property
    def figures(self) -> tuple[Metric, ...]:
        """What is kept of every point."""
        return FIGURES

    def chosen(self) -> Axis:
        """Choose the values."""
        raise NotImplementedError

    def accepted(self, given: Axis) -> Axis:
        """Take the user's values, or refuse their key."""
        raise NotImplementedError

    def closed(self, scenario: Scenario, estimated: Estimate) -> dict[str, float | None]:
        """Return the closed forms of one value."""
        price = None if estimated.tco is None else estimated.tco.usd_per_useful_gpu_hour["all_in"]
        return {"formula": estimated.accounting.goodput_loss, "formula_usd": price}

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        """Return what the table as a whole says."""
        return {}

    def theory(self) -> Theory | None:
        """Return the theory of the scenario as it is."""
        return None

    def answer(self, found: Sweep) -> DecisionTable:
        """Put the closed forms beside what was simulated."""
        scenarios = [certain(each.scenario) for each in self.question.variants]
        closed = tuple(self.closed(each, estimate(each)) for each in scenarios)
        own = [number for number, each in enumerate(self.question.variants) if each.scenario == self.scenario]
        facts = self.facts(found, closed)
        return DecisionTable(
            self.kind, self.scenario, found, closed, facts, own[0] if own else None, self.pool, self.theory()
        )

    def refuse(self, where: str, why: str) -> ScenarioError:
        """Return the one line that says why there is nothing to choose."""
        return ScenarioError([Problem(self.label, None, where, f"{self.scenario.name}: {why}")])

    def wrong_key(self, given: Axis, allowed: str) -> ScenarioError:
        """Return the line about a key that this table is not about."""
        return ScenarioError([Problem("-L", None, "", wrong(given.key, f"table {self.kind} is about {allowed}"))])


def _called(scenario: Scenario, index: int) -> str:
    """Return how a key names a job: by its name, or by its number where that has other letters."""
    name = scenario.jobs[index].name
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) and not name.isdecimal() else str(index)


def _job_loss(job: str) -> Metric:
    """Return the loss of one job: 1 - useful / (GPU-hours that it asked for)."""

    def of(result: RunResult) -> Estimated | None:
        ettr, mean = result.sample.ettr(job), result.sample.mean_ettr(job)
        if ettr is None or mean is None:
            return None
        return Estimated.of(1 - ettr, 1 - mean, result.control, shared=runs_per_draw(result.scenario))

    return Metric("job_loss", f"loss of {job}", "1", True, of)


def _short(unit: int) -> Metric:
    """Return the share of time for which gangs wait for hardware, each gang counted: P(short) where one waits at most.

    The ledger has the GPUs that wait. Of a gang that waits all but those of one machine do, ``unit`` GPUs, as long as
    one is missing; where more are, the share is as much too low as they are of the gang.
    """

    def of(result: RunResult) -> Estimated | None:
        sample, jobs = result.sample, result.scenario.jobs
        asked = sample.ledgers.asked_gpu_ms[:, : len(jobs)]
        if not asked.all() or any(job.gpus <= unit for job in jobs):
            return None  # a gang of one machine has nothing left that could wait
        waits = sample.gpu_ms[:, : len(jobs), STATE["wait"]] / asked
        values = waits @ np.array([job.count * job.gpus / (job.gpus - unit) for job in jobs])
        control, shared = result.control, runs_per_draw(result.scenario)
        return Estimated.of(values, math.fsum(values) / len(values), control, shared=shared)

    return Metric("short", "short of hardware", "1", True, of)


class _OfFirstJob(_Asked):
    """A table with the exact theory of the first job beside it."""

    @property
    def figures(self) -> tuple[Metric, ...]:
        return (*FIGURES, _job_loss(self.scenario.jobs[0].name))

    def closed(self, scenario: Scenario, estimated: Estimate) -> dict[str, float | None]:
        return super().closed(scenario, estimated) | {"theory": estimated.theory.goodput_loss}

    def theory(self) -> Theory | None:
        return theory(self.fixed)


class _Checkpoint(_OfFirstJob):
    """Checkpoint interval of the first job."""

    kind: Kind = "checkpoint"

    @property
    def key(self) -> str:
        return f"jobs.{_called(self.scenario, 0)}.recovery.checkpoint_every"

    def chosen(self) -> Axis:
        recovery, known = self.fixed.jobs[0].recovery, theory(self.fixed)
        self.refuse_kind()
        own = recovery.tiers[0].every / MS_PER_H
        best = known.optimal_h
        centre = best if best and math.isfinite(best) else own
        wanted = sorted({_rounded(part * centre * MS_PER_H) for part in AROUND} | {round(own * MS_PER_H)})
        return Axis.of(self.key, [write(each, DURATION) for each in wanted])

    def refuse_kind(self) -> None:
        """Raise ScenarioError where there is no interval to choose."""
        recovery = self.fixed.jobs[0].recovery
        where = f"jobs.{self.fixed.jobs[0].name}.recovery"
        kind = getattr(recovery, "kind", "")
        if not recovery.may_roll_back or not recovery.tiers:
            raise self.refuse(where, f'kind "{kind}" rolls nothing back, so there is no checkpoint interval to choose')
        if len(recovery.tiers) > 1 or "checkpoint_every" not in recovery.uses:
            told = (
                f'kind "{kind}" has an interval for each tier; sweep them: dcsim sweep FILE -L {where}.tiers.0.every=…'
            )
            raise self.refuse(where, told)

    def accepted(self, given: Axis) -> Axis:
        if not given.key.endswith(".checkpoint_every"):
            raise self.wrong_key(given, self.key)
        self.refuse_kind()
        return given

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        known = theory(self.fixed)
        return {
            "optimal_h": known.optimal_h,
            "young_h": known.young_h,
            "daly_h": known.daly_h,
            "job_mtbf_h": known.mtbf_h,
            "write_h": self.fixed.jobs[0].recovery.checkpoint_write / MS_PER_H,
        }


def _rounded(ms: float) -> int:
    """Return a duration rounded to two digits of seconds or minutes [ms], at least a second."""
    unit = 1000 if ms < 2 * MS_PER_MIN else MS_PER_MIN
    count = max(1.0, ms / unit)
    digits = max(0, math.floor(math.log10(count)) - 1)
    return int(round(count / 10**digits) * 10**digits * unit)


class _Detection(_OfFirstJob):
    """Time to detection of the hazard that strikes the first job most often."""

    kind: Kind = "detection"

    def chosen(self) -> Axis:
        hazard = self.hazard()
        own = round(hazard.mean_detect_ms)
        wanted = sorted({int(parse(each, DURATION)) for each in DETECTIONS} | {own})
        return Axis.of(self.key(), [write(each, DURATION) for each in wanted])

    def hazard(self) -> Any:
        """Return the hazard whose strikes on the first job are found late, the most frequent of them."""
        from dcsim.scenario.intervals import strikes_on

        found = [(rate, hazard) for hazard, rate, _ in strikes_on(plan(self.fixed)) if hazard.effect != "straggle"]
        if not found:
            raise self.refuse("hazards", "no failure stops the first job, so none has to be found")
        return max(found, key=lambda each: each[0])[1]

    def key(self) -> str:
        """Return the key of its detection."""
        hazards = [each.key for each in self.scenario.hazards]
        key = self.hazard().key
        named = re.fullmatch(r"[A-Za-z0-9_-]+", key) and not key.isdecimal() and hazards.count(key) == 1
        return f"hazards.{key if named else hazards.index(key)}.detect"

    def accepted(self, given: Axis) -> Axis:
        if not re.fullmatch(r"hazards\..+\.detect", given.key):
            raise self.wrong_key(given, self.key())
        return given

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        """Return what a minute costs [USD/month]: the slope over all values, by formula and simulated."""
        minutes = np.array([int(parse(value, DURATION)) / MS_PER_MIN for value in self.axis.values])
        rent = monthly_usd(self.scenario, self.scenario.cluster.gpus)
        losses = {
            "formula": np.array([each["formula"] for each in closed], dtype=float),
            "simulated": np.array([_mean(point.figures["loss"]) for point in found.points], dtype=float),
        }
        strikes = sum(each.rate for each in gang_strikes(plan(self.fixed)))
        facts: dict[str, Any] = {"job_failures_per_month": 720 * strikes}
        for name, loss in losses.items():
            slope = float(np.polyfit(minutes, loss, 1)[0]) if len(minutes) > 1 else None
            facts[f"points_per_minute_{name}"] = None if slope is None else 100 * slope
            facts[f"minute_usd_month_{name}"] = None if slope is None or rent is None else slope * rent
        return facts


def _mean(summary: Any) -> float:
    return math.nan if summary is None else float(summary.mean)


class _Spares(_Asked):
    """Stock of spares, bought: jobs keep their GPUs."""

    kind: Kind = "spares"

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.pool: Pool = Pool.of(scenario, f"table {self.kind}")
        super().__init__(scenario, given)

    @property
    def figures(self) -> tuple[Metric, ...]:
        return (*FIGURES, _short(self.pool.unit), METRICS["wait_gpu_hours"])

    def targets(self) -> tuple[float, ...]:
        """P(short) that stocks are looked for."""
        return (ENOUGH,)

    def chosen(self) -> Axis:
        unit, own = self.pool.unit, self.scenario.cluster.spares
        needed = [self.pool.least_stock(share, queued) for share in self.targets() for queued in (False, True)]
        known = [each for each in needed if each is not None]
        most = max([*known, own, 2 * unit]) // unit
        step = max(1, -(-most * 3 // 2 // (MOST_STOCKS - 3)))
        stocks = {count * unit for count in range(0, most * 3 // 2 + 1, step)} | {own, *known}
        return Axis.of(SPARES, [each for each in sorted(stocks) if self.possible(each)])

    def possible(self, stock: int) -> bool:
        """Whether the cluster can have that many spares: whole nodes."""
        try:
            variants([(0, self.scenario, {SPARES: stock})])
        except ScenarioError:
            return stock == self.scenario.cluster.spares
        return True

    def accepted(self, given: Axis) -> Axis:
        if given.key != SPARES:
            raise self.wrong_key(given, SPARES)
        return given

    def closed(self, scenario: Scenario, estimated: Estimate) -> dict[str, float | None]:
        stock = scenario.cluster.spares
        return super().closed(scenario, estimated) | {
            "binomial": self.pool.short(stock, queued=False),
            "repairman": self.pool.short(stock, queued=True),
            "waiting": self.pool.waiting(stock, queued=True) * horizon_h(scenario),
            "stock_usd": monthly_usd(scenario, stock),
        }

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        return {
            "unit_gpus": self.pool.unit,
            "machine_mtbf_h": self.pool.mtbf_h,
            "repair_h": self.pool.repair_h,
            "crews": self.pool.crews,
            "enough": [self.smallest(share, found) for share in self.targets()],
        }

    def smallest(self, share: float, found: Sweep) -> dict[str, Any]:
        """Return the smallest stock with P(short) below a share, by each way, and its rent [USD/month]."""
        stocks = {
            "binomial": self.pool.least_stock(share, queued=False),
            "repairman": self.pool.least_stock(share, queued=True),
            "simulated": self.tried(share, found),
        }
        priced = {f"{name}_usd_month": each and monthly_usd(self.scenario, each) for name, each in stocks.items()}
        return {"short_below": share, **stocks, **priced}

    def tried(self, share: float, found: Sweep) -> int | None:
        """Return the smallest stock that was simulated from which on jobs are short for less than a share of time."""
        least: int | None = None
        for point in sorted(found.points, key=lambda each: -int(dict(each.inputs)[SPARES])):
            if not _mean(point.figures["short"]) < share:
                break
            least = int(dict(point.inputs)[SPARES])
        return least


class _Nines(_Spares):
    """What each nine of having enough GPUs takes in spares, and what it costs."""

    kind: Kind = "nines"

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.shares = NINES if given is None else self.read(given)
        super().__init__(scenario, None)

    def read(self, given: Axis) -> tuple[float, ...]:
        """Read availabilities; raises ScenarioError."""
        from pydantic_core import PydanticCustomError

        if given.key != "availability":
            raise ScenarioError(
                [Problem("-L", None, "", wrong(given.key, 'table nines is about availability, such as "99 %"'))]
            )
        try:
            found = tuple(sorted(parse(value, SHARE) for value in given.values))
        except PydanticCustomError as error:
            raise ScenarioError([Problem("-L", None, "availability", error.message())]) from None
        if found[-1] >= 1 or found[0] <= 0:
            raise ScenarioError([Problem("-L", None, "availability", "must be above 0 % and below 100 %")])
        return found

    def targets(self) -> tuple[float, ...]:
        return tuple(1 - share for share in self.shares)
