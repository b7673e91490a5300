"""Gates for a pipeline: figures with bounds, such as "loss > 6 %", and whether runs break them.

    gate    = figure op bound                                          op: <, <=, >, >=
    figure  = metric | mean(metric) | pNN(metric)                      of the runs: their mean, or a percentile
            | p(metric op bound) | p(cheaper, NAME)                    share of the runs in which that holds

A gate says what must not be: it is broken where its condition holds.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from dcsim.decide.bills import runs_per_price
from dcsim.decide.metrics import METRICS, Metric, beyond_the_jobs
from dcsim.decide.result import RunResult
from dcsim.montecarlo.statistics import interval, least, quantile, share_interval
from dcsim.problems import not_one_of, wrong
from dcsim.scenario import Problem, Scenario, ScenarioError
from dcsim.units import DURATION, MONEY, MS_PER_H, SHARE, WORK, parse, write
from dcsim.wording import did_you_mean, printable, shown

OPTION, UNDER = "--fail-if", "--fail-under"
Kind = Literal["mean", "quantile", "share", "cheaper"]
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FIGURES = ("mean(metric)", "p95(metric)", "p(metric > bound)", "p(cheaper, NAME)")
_DIMENSIONS = {"1": SHARE, "h": DURATION, "GPU-h": WORK, "USD": MONEY}  # by the unit of a metric


@dataclass(frozen=True)
class Condition:
    """An operator and the bound behind it: a fraction, or a number in the unit of what it is about."""

    op: str
    bound: float

    def holds(self, value: float) -> bool:
        """Whether a value meets it."""
        return OPERATORS[self.op](value, self.bound)


@dataclass(frozen=True)
class Gate:
    """One gate. ``text``: as the user wrote it. ``metric``: None of p(cheaper, NAME), which is about ``name``.

    ``q``: of a percentile, 0 to 1. ``inner``: the condition that runs are counted by. ``option``: what it came from.
    """

    text: str
    kind: Kind
    metric: Metric | None
    condition: Condition
    q: float | None = None
    inner: Condition | None = None
    name: str | None = None
    option: str = OPTION

    @classmethod
    def read(cls, text: str, option: str = OPTION) -> "Gate":
        """Read a gate; raise ScenarioError, which names the position in the text, from 1."""
        try:
            return replace(_Reader(text).gate(), option=option)
        except _Mistake as error:
            at = f"position {error.position + 1}"
            raise ScenarioError([Problem(f'{option} "{text}"', None, at, error.why)]) from None

    @classmethod
    def under(cls, goodput: float) -> "Gate":
        """Return the gate of ``--fail-under``: goodput below a share."""
        text, condition = f"goodput < {write(goodput, SHARE)}", Condition("<", goodput)
        return cls(text, "mean", METRICS["goodput"], condition, option=UNDER)

    @property
    def unit(self) -> str:
        """The unit of its figure: "1" for a share."""
        return "1" if self.metric is None or self.kind == "share" else self.metric.unit


@dataclass(frozen=True)
class Judged:
    """What runs say of a gate. ``name``: of the scenario. ``value``: None where there is no such figure.

    ``ci95``: None where there are too few runs for one. ``broken``: whether the condition holds for the value, or
    cannot be judged. ``certain``: whether the same comes out at both ends of the interval. ``beyond``: what its figure
    counts beside the jobs; empty: nothing.
    """

    gate: Gate
    name: str
    value: float | None
    ci95: tuple[float, float] | None
    broken: bool
    certain: bool
    beyond: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; what is infinite, such as the price of nothing useful, is null."""
        return {
            "text": self.gate.text,
            "name": self.name,
            "value": self.value if self.value is not None and isfinite(self.value) else None,
            "ci95": self.ci95 and [end if isfinite(end) else None for end in self.ci95],
            "bound": self.gate.condition.bound,
            "broken": self.broken,
            "certain": self.certain,
        }

    def __str__(self) -> str:
        """Return what is told of it in a line."""
        name, gate = printable(self.name, 80), self.gate
        if self.value is None:
            return f'{name}: {gate.option} "{gate.text}" is broken: there is no such figure in these runs'
        if gate.option == UNDER:
            return f"{name}: goodput {100 * self.value:.3f} % is below {UNDER} {write(gate.condition.bound, SHARE)}"
        state = "is broken" if self.broken else "holds"
        doubt = "" if self.certain else f", not certain: {self._doubt()}"
        return f'{name}: {gate.option} "{gate.text}" {state}: {self._figure()}{doubt}'

    def _figure(self) -> str:
        assert self.value is not None
        scale, unit, digits = gate_scale(self.gate.unit, self.value, self.ci95)
        told = f"{self.value / scale:,.{digits}f}"
        if self.ci95 is not None and self.ci95[0] < self.ci95[1]:
            low, high = (f"{end / scale:,.{digits}f}" for end in self.ci95)
            half = (self.ci95[1] - self.ci95[0]) / 2
            told += f" ± {half / scale:,.{digits}f}" if self.gate.kind == "mean" else f" ({low} to {high})"
        return f"{told} {unit}"

    def _doubt(self) -> str:
        if self.ci95:
            return "the bound lies within the interval; more runs would tell"
        return "too few runs for an interval" + (f"; {least(self.gate.q)} are needed" if self.gate.q else "")


def read_gates(texts: Iterable[str]) -> tuple[Gate, ...]:
    """Read several gates; raise ScenarioError with the problems of all."""
    gates: list[Gate] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            gates.append(Gate.read(text))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return tuple(gates)


def gates_json(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return what a document says of gates; nothing where none was asked for."""
    return {"gates": [each.to_json() for each in judged]} if judged else {}


def check_gates(gates: Sequence[Gate], scenarios: Sequence[Scenario], *, common: bool = True) -> None:
    """Raise ScenarioError for gates on figures that these scenarios do not have, before anything is simulated.

    ``common``: whether the scenarios are offers to compare, simulated with the same random numbers.
    """
    found = ((gate, why) for gate in gates for why in _unfit(gate, scenarios, common=common))
    if problems := [Problem(f'{gate.option} "{gate.text}"', None, "", why) for gate, why in found]:
        raise ScenarioError(problems)


def _unfit(gate: Gate, scenarios: Sequence[Scenario], *, common: bool) -> Iterable[str]:
    names = [each.name for each in scenarios]
    if gate.kind == "cheaper":
        if not common or len(scenarios) < 2:
            yield "p(cheaper, NAME) needs offers on the same random numbers: dcsim compare"
        elif gate.name not in names:
            apart = [f'"{name}"' for name in names] if any("," in name for name in names) else names
            yield not_one_of(apart, gate.name, hint=did_you_mean(str(gate.name), names))
        elif names.count(gate.name) > 1:
            yield f"found {shown(gate.name)}, the name of several offers; give them names of their own (--set name=…)"
    for each in scenarios:
        needed = METRICS["paid_usd"] if gate.kind == "cheaper" else gate.metric
        if needed and needed.lacking([each]):
            yield f"{each.name} has no [{needed.table}] table, so it has no figure: {needed.label}"
        if gate.metric is METRICS["finish_h"] and not each.ends:
            yield f"not every job of {each.name} has work to finish"


def judge(gates: Sequence[Gate], results: Sequence[RunResult]) -> tuple[Judged, ...]:
    """Judge every gate by every result; p(cheaper, NAME) by all results together, which share random numbers.

    Broken ones come first, those that are certain before the others.
    """
    found = [
        judged
        for gate in gates
        for judged in ([_cheaper(gate, results)] if gate.metric is None else _by_each(gate, gate.metric, results))
    ]
    return in_order(found)


def in_order(judged: Iterable[Judged]) -> tuple[Judged, ...]:
    """Return judged gates, broken ones first, those that are certain before the others."""
    return tuple(sorted(judged, key=lambda each: (not each.broken, not each.certain)))


def _by_each(gate: Gate, metric: Metric, results: Sequence[RunResult]) -> list[Judged]:
    return [replace(_of(gate, each), beyond=beyond_the_jobs(metric, each.scenario)) for each in results]


def _of(gate: Gate, result: RunResult) -> Judged:
    assert gate.metric is not None
    name, found = result.scenario.name, gate.metric.of(result)
    if found is None:
        return Judged(gate, name, None, None, broken=True, certain=False)
    if gate.kind == "mean":
        summary = gate.metric.summary(result)
        assert summary is not None
        return _judged(gate, name, summary.mean, summary.ci95 if summary.reliable else None)
    if gate.kind == "quantile":
        assert gate.q is not None
        values = found.values
        alike = (values == values[0]).all()  # such as what is paid at fixed prices: no run can be another
        ends = (float(values[0]),) * 2 if alike and len(values) > 1 else interval(values[:: found.shared], gate.q)
        return _judged(gate, name, quantile(values, gate.q), ends)
    assert gate.inner is not None
    return _share(gate, name, np.array([gate.inner.holds(each) for each in found.values.tolist()], float), found.shared)


def _cheaper(gate: Gate, results: Sequence[RunResult]) -> Judged:
    """Count the runs in which one offer asks least for a useful GPU-hour; several that ask the same share a run."""
    prices = []
    for each in results:
        found = each.useful_hour_estimated
        prices.append(np.full(len(each.sample), inf) if found is None else found.values)
    least = np.min(prices, axis=0)
    first = [price == least for price in prices]
    names = [each.scenario.name for each in results]
    assert gate.name is not None
    won = first[names.index(gate.name)] / np.sum(first, axis=0)
    return _share(gate, gate.name, won, max(runs_per_price(each.scenario) for each in results))


def _share(gate: Gate, name: str, held: NDArray[np.float64], shared: int) -> Judged:
    """Judge a share of runs; of ``shared`` runs that have their inputs in common, one counts for the interval."""
    value, independent = float(held.mean()), held[::shared]
    low, high = share_interval(float(independent.sum()), len(independent))
    return _judged(gate, name, value, (min(low, value), max(high, value)))


def _judged(gate: Gate, name: str, value: float, ci95: tuple[float, float] | None) -> Judged:
    broken = gate.condition.holds(value)
    certain = ci95 is not None and all(gate.condition.holds(end) == broken for end in ci95)
    return Judged(gate, name, value, ci95, broken, certain)


def gate_scale(unit: str, value: float, ci95: tuple[float, float] | None) -> tuple[float, str, int]:
    """Return what a value is divided by, the unit that it has then, and its decimals: two digits of the interval."""
    scale, told = (0.01, "%") if unit == "1" else (1.0, unit)
    if unit == "USD" and abs(value) >= 1e6:
        scale, told = 1e6, "million USD"
    half = 0.0 if ci95 is None or not all(map(isfinite, ci95)) else (ci95[1] - ci95[0]) / 2 / scale
    digits = 1 if half else 2
    while 0 < half < 10 ** (1 - digits) and digits < 5:
        digits += 1
    return scale, told, digits


# --- reading ----------------------------------------------------------------------------------------------------------


class _Mistake(Exception):
    def __init__(self, position: int, why: str) -> None:
        super().__init__(position, why)
        self.position, self.why = position, why


class _Reader:
    """Reads one gate from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def gate(self) -> Gate:
        """Return the whole gate."""
        word, begin = self._word()
        if not self._takes("("):
            metric = self._metric(word, begin)
            return Gate(self.text, "mean", metric, self._condition(metric.unit))
        if word == "p":
            return self._of_runs()
        percentile = re.fullmatch(r"[pP](\d{1,2}(?:\.\d+)?)", word)
        if word != "mean" and (percentile is None or not float(percentile[1])):
            raise _Mistake(begin, not_one_of(_FIGURES, word, hint=""))
        metric = self._metric(*self._word())
        self._needs(")")
        condition = self._condition(metric.unit)
        q = None if percentile is None else float(percentile[1]) / 100
        return Gate(self.text, "mean" if q is None else "quantile", metric, condition, q=q)

    def _of_runs(self) -> Gate:
        """Read what stands behind ``p(``."""
        word, begin = self._word()
        if word == "cheaper":
            self._needs(",")
            close = self.text.rfind(")")
            if close < self.at:
                raise _Mistake(len(self.text), 'found the end; must be ")" behind the name')
            begin, name = self.at, self.text[self.at : close].strip().strip("\"'")
            if not name:
                raise _Mistake(begin, "found no name; must be the name of an offer")
            self.at = close + 1
            return Gate(self.text, "cheaper", None, self._condition("1", probability=True), name=name)
        metric = self._metric(word, begin, also=["cheaper"])
        inner = self._condition(metric.unit, closed=True)
        self._needs(")")
        return Gate(self.text, "share", metric, self._condition("1", probability=True), inner=inner)

    def _metric(self, word: str, begin: int, also: Sequence[str] = ()) -> Metric:
        if word not in METRICS:
            raise _Mistake(begin, not_one_of([*METRICS, *also], word))
        return METRICS[word]

    def _condition(self, unit: str, *, closed: bool = False, probability: bool = False) -> Condition:
        """Read an operator and its bound, which goes to the end, or to a closing bracket."""
        self._blank()
        op = next((each for each in OPERATORS if self.text.startswith(each, self.at)), None)
        if op is None:
            raise _Mistake(self.at, not_one_of(sorted(OPERATORS), self._rest(), hint=""))
        self.at += len(op)
        self._blank()
        begin, end = self.at, len(self.text)
        if closed:
            end = self.text.find(")", begin)
            if end < 0:
                raise _Mistake(len(self.text), 'found the end; must be ")" behind the bound')
        self.at = end
        return Condition(op, self._bound(self.text[begin:end].strip(), begin, unit, probability=probability))

    def _bound(self, text: str, begin: int, unit: str, *, probability: bool) -> float:
        """Return a bound in the unit of its figure; a share needs its unit, a probability may be a number up to 1."""
        try:
            number = float(text)
        except ValueError:
            number = None
        if number is not None and not isfinite(number):
            raise _Mistake(begin, wrong(text, "the number must be finite"))
        if number is not None and (unit != "1" or (probability and 0 <= number <= 1)):
            return number
        if unit not in _DIMENSIONS:
            raise _Mistake(begin, wrong(text, "must be a plain number"))
        try:
            found = parse(text, _DIMENSIONS[unit])
        except PydanticCustomError as error:
            raise _Mistake(begin, error.message()) from None
        return found / MS_PER_H if unit in ("h", "GPU-h") else float(found)

    def _word(self) -> tuple[str, int]:
        self._blank()
        found = re.compile(r"[\w.]*").match(self.text, self.at)
        assert found is not None
        begin, self.at = self.at, found.end()
        if not found[0]:
            told = not_one_of(METRICS, self._rest(), also=_FIGURES, hint="")
            raise _Mistake(begin, told)
        return found[0], begin

    def _takes(self, sign: str) -> bool:
        self._blank()
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) if found else 0
        return found

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise _Mistake(self.at, f'found {shown(self._rest())}; must be "{sign}"')

    def _blank(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _rest(self) -> str:
        return self.text[self.at :]
