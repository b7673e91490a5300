"""What a table asks: the values of its key, what is simulated, and the closed forms beside it."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dcsim.decide.bills import price_all_in
from dcsim.decide.estimate import Estimate, bill, estimate
from dcsim.decide.metrics import Metric, loss_metric, usual_metric
from dcsim.decide.sweep import Sweep
from dcsim.decide.sweep_question import FIGURES, SweepQuestion
from dcsim.decide.theory import gang_loss, theory
from dcsim.decide.variants import Axis, variants
from dcsim.hazards import Hazard
from dcsim.montecarlo import Summary
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, certain
from dcsim.scenario.intervals import settled, strikes_on
from dcsim.scenario.plan import plan
from dcsim.units import DURATION, HOURS_PER_MONTH, MS_PER_H, MS_PER_MIN, parse, write

Kind = Literal["checkpoint", "spares", "detection", "nines"]
AROUND = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Checkpoint intervals that are tried, in parts of the best one by theory."""
DETECTIONS = ("1 min", "5 min", "10 min", "15 min", "30 min", "1 h", "2 h")


class Asked(ABC):
    """What a table asks: the axis, what is simulated, and the closed forms beside it."""

    kind: Kind

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.scenario, self.label = scenario, f"table {self.kind}"
        self.fixed = settled(certain(scenario))
        self.axis = self.chosen() if given is None else self.accepted(given)
        members = variants([(0, scenario, {self.axis.key: value}) for value in self.axis.values], buys=True)
        self.question = SweepQuestion(
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

    @abstractmethod
    def chosen(self) -> Axis:
        """Choose the values."""

    @abstractmethod
    def accepted(self, given: Axis) -> Axis:
        """Take the user's values, or refuse their key."""

    def closed(self, scenario: Scenario, estimated: Estimate) -> dict[str, float | None]:
        """Return the closed forms of one value."""
        exact = theory_loss(scenario)
        priced = None if exact is None else bill(scenario, exact)
        return {
            "formula": estimated.accounting.goodput_loss,
            "theory": exact,
            "formula_usd": price_all_in(estimated.tco),
            "theory_usd": price_all_in(priced),
        }

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        """Return what the table as a whole says."""
        return {}

    def all_closed(self) -> tuple[dict[str, float | None], ...]:
        """Return the closed forms of every value."""
        scenarios = [certain(each.scenario) for each in self.question.variants]
        return tuple(self.closed(each, estimate(each)) for each in scenarios)

    @property
    def own(self) -> int | None:
        """The number of the point that is the scenario itself, None if it is not among them."""
        same = [number for number, each in enumerate(self.question.variants) if each.scenario == self.scenario]
        return same[0] if same else None

    def refuse(self, where: str, why: str) -> ScenarioError:
        """Return the one line that says why there is nothing to choose."""
        return ScenarioError([Problem(self.label, None, where, f"{self.scenario.name}: {why}")])

    def wrong_key(self, given: Axis, allowed: str) -> ScenarioError:
        """Return the line about a key that this table is not about."""
        return ScenarioError([Problem("-L", None, "", wrong(given.key, f"table {self.kind} is about {allowed}"))])


def theory_loss(scenario: Scenario) -> float | None:
    """Return the loss of all GPU-hours by exact theory: every gang alone and never short of hardware, the rest idle.

    None where there is no closed form for a job, or where jobs end or begin within the horizon.
    """
    layout, gpus = plan(settled(scenario)), scenario.cluster.gpus
    first = {gang.job: index for index, gang in reversed(list(enumerate(layout.gangs)))}
    kept = 0.0
    for number, job in enumerate(scenario.jobs):
        loss = None if job.work is not None or job.submit else gang_loss(layout, first[number])
        if loss is None:
            return None
        kept += job.gpus * job.count * (1 - loss)
    return 1 - kept / gpus


def _called(scenario: Scenario, index: int) -> str:
    """Return how a key names a job: by its name, or by its number where that has other letters."""
    name = scenario.jobs[index].name
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) and not name.isdecimal() else str(index)


class Checkpoint(Asked):
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


class Detection(Asked):
    """Time to detection of the hazard that strikes the first job most often."""

    kind: Kind = "detection"

    def chosen(self) -> Axis:
        hazard = self.hazard()
        own = round(hazard.mean_detect_ms)
        wanted = sorted({int(parse(each, DURATION)) for each in DETECTIONS} | {own})
        return Axis.of(self.key(), [write(each, DURATION) for each in wanted])

    def hazard(self) -> Hazard:
        """Return the hazard whose strikes on the first job are found late, the most frequent of them."""
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
        """Return what a minute costs [USD/month], by formula, by theory and simulated.

        It is the slope between the values on either side of the scenario's own: over a wide range losses bend.
        """
        minutes = np.array([int(parse(value, DURATION)) / MS_PER_MIN for value in self.axis.values])
        rent = monthly_usd(self.scenario, self.scenario.cluster.gpus)
        name = loss_metric(self.scenario).name
        losses = {
            "formula": np.array([each["formula"] for each in closed], dtype=float),
            "simulated": np.array([mean_of(point.figures[name]) for point in found.points], dtype=float),
        }
        known = [each["theory"] for each in closed]
        if None not in known:
            losses["theory"] = np.array(known, dtype=float)
        named = self.axis.key.removeprefix("hazards.").removesuffix(".detect")
        hazards = {each.key: each for each in self.scenario.hazards}
        own = (hazards[named] if named in hazards else self.hazard()).mean_detect_ms / MS_PER_MIN
        order, last = np.argsort(minutes), len(minutes) - 1
        below, until = int((minutes < own).sum()), int((minutes <= own).sum())
        high = order[min(max(until, 1), last)]
        low = order[max(min(below, last) - 1, 0)]
        facts: dict[str, Any] = {"between": [self.axis.values[low], self.axis.values[high]]}
        for name, loss in losses.items():
            slope = float((loss[high] - loss[low]) / (minutes[high] - minutes[low])) if high != low else None
            facts[f"points_per_minute_{name}"] = None if slope is None else 100 * slope
            facts[f"minute_usd_month_{name}"] = None if slope is None or rent is None else slope * rent
        return facts


def mean_of(summary: Summary | None) -> float:
    """Return a mean; not a number where there is none."""
    return math.nan if summary is None else summary.mean


def monthly_usd(scenario: Scenario, gpus: int) -> float | None:
    """Return the rent of some GPUs [USD/month]; None without [tco]."""
    return None if scenario.tco is None else gpus * scenario.tco.gpu_hour * HOURS_PER_MONTH
