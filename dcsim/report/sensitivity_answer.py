"""Which input to measure first, in words: what moves a figure most, what chance does, and how changes are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from pydantic_core import PydanticCustomError

from dcsim.decide.metrics import Metric
from dcsim.decide.sensitivity import Sensitivity
from dcsim.report.figures import Figure, brief, number, scale_of
from dcsim.report.page import and_list, printable
from dcsim.scenario import certain
from dcsim.scenario.provenance import values
from dcsim.units import MS_PER_H, MS_PER_MIN, MS_PER_S, parse_any
from dcsim.wording import shown

LEAST_BAR = 0.02
"""Least length of a bar that is drawn, as a share of the longest; source: assumed, a shorter one cannot be seen."""
MOST_NAMED = 4
"""Inputs that a sentence names; source: assumed."""
TOGETHER = 0.05
"""From here on what inputs do together is told; source: assumed, about the error of a share."""
SET = "chosen or agreed on: nothing has to be measured."
"""What is said where all that moves a figure is set by somebody."""
SAID = {
    "loss": "the loss",
    "lost": "the loss",
    "goodput": "goodput",
    "paid_usd": "what is paid",
    "total_usd": "the cost by the published method",
    "usd_per_useful_gpu_hour": "the price per useful GPU-hour",
    "useful_gpu_hours": "the useful GPU-hours",
    "wait_gpu_hours": "the GPU-hours of waiting",
    "finish_h": "the time until the last job is done",
}
"""What a sentence calls a figure, by its name, where that is not its label."""


@dataclass(frozen=True)
class MoveUnit:
    """How a figure that moves is shown: times ``scale``, in ``name``, a change in ``change``, with so many decimals."""

    scale: float
    name: str
    change: str
    digits: int

    @classmethod
    def of(cls, metric: Metric, level: float, longest: float) -> "MoveUnit":
        """Return the unit for a figure of about this size, two digits of whose longest bar are shown."""
        scale, name, change = 1.0, metric.unit, metric.unit
        if metric.unit == "1":
            scale, name, change = 100.0, "%", "points"
        elif metric.unit == "USD":
            per, name = scale_of([level])
            scale, change = 1 / per, name
        moved = abs(longest * scale)
        return cls(scale, name, change, max(0, min(5, 1 - floor(log10(moved)))) if moved else 2)

    def value(self, of: float) -> Figure:
        """Return a figure, with one decimal more than what its longest bar needs."""
        return number(of * self.scale, min(5, self.digits + 1))

    def moves(self, change: float, half: float | None = None, digits: int = 3) -> Figure:
        """Return by how much something moves, so many digits of it, and the half-width of its interval, rounded up."""
        size = abs(change * self.scale)
        decimals = min(7, max(0, digits - 1 - floor(log10(size)))) if size else self.digits
        half = None if half is None else half * self.scale
        shown = half if not half or half >= 10**-decimals else ceil(half * 10**decimals) / 10**decimals
        return Figure(change * self.scale, decimals, half, half_shown=shown)

    def told(self, changes: Sequence[float]) -> list[str]:
        """Return by how much things move, in words: "± 0.31"; three digits where two do not tell them apart."""
        for digits in (2, 3):
            texts = [f"± {self.moves(change, digits=digits)}" for change in changes]
            if len(set(texts)) == len(texts):
                break
        return texts


def said_figure(metric: Metric) -> str:
    """Return what a sentence calls a figure."""
    return SAID.get(metric.name, f"the {metric.label}")


def unit_of(found: Sensitivity) -> MoveUnit:
    """Return the unit in which a sensitivity is shown."""
    return MoveUnit.of(found.metric, found.at_base.mean, found.bars[0].moves)


# --- words ------------------------------------------------------------------------------------------------------------


def end_text(value: Any) -> str:
    """Write the end of a range in four digits: "26,284 h" for what a quantile gave in seconds."""
    try:
        size, dimension = parse_any(value)
    except PydanticCustomError:
        if isinstance(value, float):
            return str(brief(value, 4))
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(_plain(value), 24)
    if dimension.canonical == "ms":
        unit, name = next(
            (
                (unit, name)
                for unit, name in ((MS_PER_H, "h"), (MS_PER_MIN, "min"), (MS_PER_S, "s"))
                if size >= 2 * unit
            ),
            (MS_PER_S, "s"),
        )
        return f"{brief(size / unit, 4 if size < 9999 * unit else 6 if size % unit == 0 else 5)} {name}"
    amount, _, unit_name = str(value).strip().partition(" ")
    return f"{brief(float(amount), 4)} {unit_name}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def sentences(found: Sensitivity) -> tuple[str, ...]:
    """Return the answer: what to measure first, what chance does, and where the variance of single runs is from."""
    return (_first(found), *_chance(found), *_shares(found))


def _first(found: Sensitivity) -> str:
    unit, figure = unit_of(found), said_figure(found.metric)
    runs = f"{found.replications:,} runs"
    if not found.level:
        widest = found.bars[0].extent.half_width or 0.0
        return f"No input moves {figure} by more than the error of {runs}, {unit.told([widest / 2])[0]} {unit.change}."
    bars = {bar.input.key: bar for bar in found.bars}
    named = [bars[key] for key in found.level[:MOST_NAMED]]
    keys, by = [printable(bar.input.key, 80) for bar in named], unit.told([bar.moves for bar in named])
    measured = [bar for bar in found.moved if not bar.input.is_set]
    if len(found.level) > 1:
        if not measured:
            return f"{and_list(keys)} move {figure} most, by {and_list(by)} {unit.change}. They are {SET}"
        more = len(found.level) - len(named)
        others = f" (and {more} more)" if more else ""
        return (
            f"Measure these first: {and_list(keys)}{others}. They move {figure} by {and_list(by)} {unit.change}; "
            f"{runs} do not tell which moves it more."
        )
    if named[0].input.is_set and measured:
        by = unit.told([measured[0].moves, named[0].moves])
        kind = "price" if named[0].input.price else "setting"
        return (
            f"Measure this first: {printable(measured[0].input.key, 80)}. It moves {figure} by {by[0]} {unit.change}. "
            f"A {kind}, {keys[0]}, moves it more, by {by[1]}; nothing has to be measured for that."
        )
    rest = [bar for bar in found.moved if bar.input.key not in found.level]
    then = ""
    if rest:
        by = unit.told([named[0].moves, rest[0].moves])
        then = f"; the next, {printable(rest[0].input.key, 80)}, by {by[1]}"
    elif len(found.bars) > 1:
        then = "; no other input moves it by more than its error"
    exactly = " exactly" if not named[0].extent.half_width and found.replications > 1 else ""
    if not measured:
        return f"{keys[0]} moves {figure} most, by {by[0]} {unit.change}{exactly}{then}. It is {SET}"
    return f"Measure this first: {keys[0]}. It moves {figure} by {by[0]} {unit.change}{exactly}{then}."


def _chance(found: Sensitivity) -> list[str]:
    low, high = found.at_base.p5, found.at_base.p95
    if found.replications == 1 or low == high:
        return []
    unit = unit_of(found)
    half = (high - low) / 2
    return [f"Chance alone moves single runs by {unit.told([half])[0]} {unit.change} (nine runs in ten)."]


def one_sided(found: Sensitivity) -> list[str]:
    """Say why both ends of an input lie on one side of what the figure is at its point value; longest bars first."""
    points = {each.key: each.text for each in values(certain(found.scenario))}
    said = []
    for bar in found.moved:
        low, high = sorted((bar.low.mean, bar.high.mean))
        base, its = found.at_base.mean, bar.input
        if max(low - base, base - high) <= LEAST_BAR * bar.extent.mean:
            continue
        key, point = printable(its.key, 60), points.get(its.key)
        sizes = [_size(each) for each in (its.low, point, its.high)]
        side = "higher" if base < low else "lower"
        if point is None or None in sizes:
            said.append(f"{key}: both ends of its range make {said_figure(found.metric)} {side} than the point value.")
            continue
        first, middle, last = (each or 0.0 for each in sizes)
        ends = f"{end_text(its.low)} to {end_text(its.high)}"
        if first <= middle <= last:
            said.append(
                f"{key}: at both ends of its range, {ends}, {said_figure(found.metric)} is {side} than at its point "
                f"value of {end_text(point)}, which lies between them."
            )
        else:
            where = "below" if middle < first else "above"
            said.append(
                f"{key}: its point value of {end_text(point)} lies {where} the range that it is moved over, {ends}. So "
                f"both ends lie on one side of what {said_figure(found.metric)} is as given."
            )
    return said


def _size(value: Any) -> float | None:
    """Return the number of a quantity; None where it has none."""
    try:
        return value if isinstance(value, int | float) else parse_any(value)[0]
    except PydanticCustomError:
        return None


def _shares(found: Sensitivity) -> list[str]:
    shares = found.shares
    if shares is None:
        return []
    if shares.variance == 0:
        return ["Single runs do not differ, so no share of a variance can be told."]
    ranked = sorted(zip(shares.keys, shares.inputs, strict=True), key=lambda each: -each[1].first)
    told = [f"{printable(key, 80)} brings {in_per_cent(index.first)} %" for key, index in ranked[:MOST_NAMED]]
    told.append(f"chance {in_per_cent(shares.chance.first)} %")
    left = 1 - shares.chance.first - sum(index.first for _, index in ranked)
    more = f"; {in_per_cent(left)} % come from what they do together" if left >= TOGETHER else ""
    return [f"Of the variance of single runs, {and_list(told)}{more}."]


def in_per_cent(share: float) -> Figure:
    """Return a share in per cent; estimates of nothing may come out below it."""
    value = max(0.0, 100 * share)
    return number(value, 0 if value >= 1 or value == 0 else 2)
