"""At which value of a key two offers are equally good: bisection on common random numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import exp, log
from typing import Any, Literal

from dcsim.decide.breakeven_prices import Values, energy_usd, formula_bill, price_of, shared_runs, theory_bill
from dcsim.decide.estimate import estimate
from dcsim.decide.outcome import How
from dcsim.decide.result import RunResult
from dcsim.decide.variants import at, bought, number_of, simulate_variants
from dcsim.montecarlo import Sample, summarise
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError
from dcsim.units import MS_PER_H, Dimension, write

SCAN = 5
"""Values of the range that are simulated first: where the difference changes its sign; source: assumed."""
SCAN_FORMULA = 33
"""The same for what is not simulated; source: assumed."""
CLOSE, CLOSE_BOUND = 2e-3, 1e-2
"""Bisection ends when the value, or an end of its interval, is known to this share of the bracket; source: assumed."""
TOLD = 0.1
"""Share of the half of an interval below which a difference is taken as none, so that no run is spent on it; source:
assumed."""
WIDE = 10.0
"""From this ratio of the ends on, the values between them are spaced by their logarithms."""
HOW = "must be KEY=LOWEST:HIGHEST, such as hazards.leaf.mtbf=20000 h:1000000 h"


@dataclass(frozen=True)
class Range:
    """The values of a key between two ends, as shares of the way from the lowest (0) to the highest (1)."""

    lowest: float
    highest: float
    dimension: Dimension | None
    whole: bool

    @classmethod
    def read(cls, text: str, option: str) -> "Range":
        """Read ``LOWEST:HIGHEST``; raise ScenarioError."""
        parts = text.strip().strip("\"'").split(":")
        try:
            if len(parts) != 2:
                raise ValueError(wrong(text, HOW))
            (low, dimension), (high, other) = (number_of(part.strip()) for part in parts)
            if (dimension and dimension.canonical) != (other and other.canonical):
                raise ValueError(wrong(text, "lowest and highest must have units of one kind"))
            if not low < high:
                raise ValueError(wrong(text, "the lowest value must be below the highest"))
        except ValueError as error:
            raise ScenarioError([Problem(option, None, "", str(error))]) from None
        whole = dimension is None and all(part.strip().lstrip("+-").isdigit() for part in parts)
        return cls(low, high, dimension, whole)

    def value(self, share: float) -> Any:
        """Return a value as a scenario file would give it."""
        number = self.number(share)
        if self.dimension is not None:
            return write(round(number) if self.dimension.whole else float(f"{number:.12g}"), self.dimension)
        return round(number) if self.whole else float(f"{number:.12g}")

    def number(self, share: float) -> float:
        """Return a value as a canonical number."""
        if share in (0.0, 1.0):
            return self.highest if share else self.lowest
        if self.lowest > 0 and self.highest / self.lowest >= WIDE:
            return exp(log(self.lowest) + share * (log(self.highest) - log(self.lowest)))
        return self.lowest + share * (self.highest - self.lowest)

    def shown(self, share: float | None) -> float | None:
        """Return a value in the unit of ``unit``; times in hours."""
        if share is None:
            return None
        return self.number(share) / (MS_PER_H if self.unit == "h" else 1.0)

    @property
    def unit(self) -> str:
        """The unit in which values are shown; empty for plain numbers."""
        if self.dimension is None:
            return ""
        return "h" if self.dimension.whole else self.dimension.canonical


@dataclass(frozen=True)
class Threshold:
    """The value of a key at which the offer costs what the other does for a useful GPU-hour, in ``unit`` (times in h).

    ``at``: None where they are never equal between ``lowest`` and ``highest``. ``low``, ``high``: the values at which
    the 95 % interval of the difference begins and ceases to hold zero; None where it does so beyond the range.
    ``cheaper``: where the offer is cheaper: "above" or "below" ``at``, else "always" or "never" in the range.
    ``certain``: where they are never equal, whether the intervals say so too. ``differences``: (value, difference [USD
    per useful GPU-hour], half of its 95 % interval) of all that was simulated, ascending. ``formula``, ``theory``: the
    value by these; None where they have none in the range. ``again``: whether they are equal more than once.
    """

    key: str
    unit: str
    lowest: float
    highest: float
    at: float | None
    low: float | None
    high: float | None
    cheaper: Literal["above", "below", "always", "never"]
    certain: bool
    reliable: bool
    again: bool
    differences: tuple[tuple[float, float, float], ...]
    formula: float | None
    theory: float | None

    def __str__(self) -> str:
        if self.at is None:
            return f"never equal; the offer is {'cheaper' if self.cheaper == 'always' else 'dearer'} in the whole range"
        return f"equal at {self.at:,.6g} {self.unit}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        kept = ("key", "unit", "lowest", "highest", "at", "low", "high", "cheaper", "certain", "reliable", "again")
        differences = [
            {"value": value, "usd_per_useful_gpu_hour": mean, "half_width": half}
            for value, mean, half in self.differences
        ]
        return {each: getattr(self, each) for each in kept} | {
            "formula": self.formula,
            "theory": self.theory,
            "differences": differences,
        }


@dataclass
class _Curve:
    """The difference of the offer to the other one, at values of a key that are simulated when they are asked for."""

    offer: Scenario
    key: str
    range: Range
    against: RunResult
    how: How
    option: str
    runs: dict[float, RunResult] = field(default_factory=dict)
    known: dict[float, tuple[float, float]] = field(default_factory=dict)

    def scenario(self, share: float) -> Scenario:
        return _at(self.offer, self.key, self.range, share, self.option)

    def simulate(self, shares: Sequence[float]) -> None:
        """Simulate values together. What differs in money alone is the same runs at other prices."""
        scenarios = [self.scenario(share) for share in shares]
        first = next(iter(self.runs.values()), None)
        if self.key.startswith("tco.") and first is not None:
            made = [
                RunResult(Sample(each, first.sample.ledgers), estimate(each), engine=first.engine) for each in scenarios
            ]
        else:
            made = list(simulate_variants(scenarios, **self.how))
        for share, run in zip(shares, made, strict=True):
            self.runs[share], self.known[share] = run, self._difference(run)

    def _difference(self, run: RunResult) -> tuple[float, float]:
        """Return the difference of the prices of a useful GPU-hour and half of its 95 % interval, run by run."""
        one, other = _price_by_run(run), _price_by_run(self.against)
        found = summarise(one - other, shared=shared_runs(run, self.against))
        return found.mean, found.half_width or 0.0

    def __call__(self, share: float, side: int) -> float:
        """Return the difference (0), or the lower (-1) or upper (1) end of its interval; 0 where chance hides it."""
        if share not in self.known:
            self.simulate([share])
        mean, half = self.known[share]
        value = mean + side * half
        return 0.0 if abs(value) <= TOLD * half else value


def _at(offer: Scenario, key: str, within: Range, share: float, option: str) -> Scenario:
    return at(offer, bought(offer, {key: within.value(share)}), option)


def checked(offer: Scenario, key: str, ends: str, option: str) -> Range:
    """Return the range of a key; raise ScenarioError for one that is none, or whose ends the scenario refuses."""
    within = Range.read(ends, option)
    for share in (0.0, 1.0):
        _at(offer, key, within, share, option)
    return within


def threshold(
    offer: Scenario, key: str, ends: str, against: RunResult, how: How, option: str
) -> tuple[Threshold, RunResult]:
    """Return the value of a key at which an offer is as good as another one, and the offer simulated nearest to it.

    ``ends``: the range as text. Raises ScenarioError, also for values that the scenario refuses.
    """
    within = checked(offer, key, ends, option)
    curve = _Curve(offer, key, within, against, how, option)
    scan = [index / (SCAN - 1) for index in range(SCAN)]
    if key.startswith("tco."):
        curve.simulate(scan[:1])
        scan = scan[1:]
    curve.simulate(scan)
    root, again = _root(lambda share: curve(share, 0), curve.known, CLOSE)
    low = high = None
    if root is not None:
        bounds = [_root(partial(curve, side=side), curve.known, CLOSE_BOUND, root)[0] for side in (-1, 1)]
        low = min((each for each in bounds if each is not None and each <= root), default=None)
        high = max((each for each in bounds if each is not None and each >= root), default=None)
    nearest = min(curve.runs, key=lambda share: abs(share - (1.0 if root is None else root)))
    run = curve.runs[nearest]
    found = Threshold(
        key=key,
        unit=within.unit,
        lowest=within.shown(0.0) or 0.0,
        highest=within.shown(1.0) or 0.0,
        at=within.shown(root),
        low=within.shown(low),
        high=within.shown(high),
        cheaper=_cheaper(curve, root),
        certain=all(abs(mean) > half for mean, half in curve.known.values()),
        reliable=run.runs_needed is None and against.runs_needed is None,
        again=again,
        differences=tuple((within.shown(share) or 0.0, *curve.known[share]) for share in sorted(curve.known)),
        formula=within.shown(_of_bills(curve, run, formula_bill)),
        theory=within.shown(_of_bills(curve, run, theory_bill)),
    )
    return found, run


def _cheaper(curve: _Curve, root: float | None) -> Literal["above", "below", "always", "never"]:
    first, last = curve(0.0, 0), curve(1.0, 0)
    if root is None:
        return "always" if first < 0 or last < 0 else "never"
    return "above" if last < 0 or first > 0 else "below"


def _root(
    of: Callable[[float], float], scanned: Iterable[float], close: float, near: float | None = None
) -> tuple[float | None, bool]:
    """Return where a function of a share is zero, of several the lowest or the one near another, and if there are more.

    None where its sign is the same at all scanned shares.
    """
    from scipy.optimize import brentq

    points = [(share, of(share)) for share in sorted(scanned)]
    told = [(share, value) for share, value in points if value]
    brackets = [(one, other) for (one, first), (other, second) in pairwise(told) if first * second < 0]
    if not brackets:
        return None, False
    low, high = min(brackets, key=lambda each: each[0] if near is None else abs(sum(each) / 2 - near))
    hidden = [share for share, value in points if not value and low < share < high]
    if hidden:
        return hidden[len(hidden) // 2], len(brackets) > 1
    return float(brentq(of, low, high, xtol=close * (high - low))), len(brackets) > 1


def _of_bills(curve: _Curve, run: RunResult, bill_of: Callable[[RunResult], Any]) -> float | None:
    """Return the share at which bills without a simulation are equal; None where they are not, or there are none."""
    other = price_of(bill_of(curve.against), curve.against)
    if other is None or price_of(bill_of(run), run) is None:
        return None

    def difference(share: float) -> float:
        scenario = curve.scenario(share)
        its = price_of(bill_of(RunResult(Sample(scenario, run.sample.ledgers), estimate(scenario))), run)
        return (float("inf") if its is None else its) - other

    return _root(difference, [index / (SCAN_FORMULA - 1) for index in range(SCAN_FORMULA)], CLOSE)[0]


def _price_by_run(run: RunResult) -> Values:
    """Return the price of a useful GPU-hour, energy included, made linear in each run's figures, float64 (n,)."""
    assert run.money is not None
    paid, useful = run.money.paid + energy_usd(run), run.money.useful_gpu_hours
    below = float(useful.mean())
    price = float(paid.mean()) / below
    return price + (paid - price * useful) / below
