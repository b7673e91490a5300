"""Which input to measure first, as a page: the answer, a tornado, and what each input does in numbers."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10
from typing import Any

from pydantic_core import PydanticCustomError

from dcsim import __version__
from dcsim.decide.metrics import Metric
from dcsim.decide.sensitivity import Bar, Sensitivity
from dcsim.decide.sensitivity_inputs import MTBF_RANGE, UNCERTAIN
from dcsim.montecarlo import Summary
from dcsim.report.document import Page, Picture, Section, Tornado
from dcsim.report.figures import Figure, brief, number, scale_of
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.report.published_tables import caution_sentences
from dcsim.scenario import certain, sha256
from dcsim.scenario.uncertain import MONEY
from dcsim.units import MS_PER_H, MS_PER_MIN, MS_PER_S, parse_any
from dcsim.wording import shown

MOST_BARS = 12
"""Bars of a chart; source: assumed, what a page shows at a glance. The table has all of them."""
LEAST_BAR = 0.02
"""Least length of a bar that is drawn, as a share of the longest; source: assumed, a shorter one cannot be seen."""
MOST_NAMED = 4
"""Inputs that a sentence names; source: assumed."""
TOGETHER = 0.05
"""From here on what inputs do together is told; source: assumed, about the error of a share."""
LONGEST = 46
"""Letters of a key in a chart; source: assumed, what fits a phone."""
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


def price_leads(found: Sensitivity) -> bool:
    """Whether a price moves the figure most, and something that can be measured moves it too."""
    first = [bar for bar in found.moved if bar.input.key in found.level]
    return len(first) == 1 and _is_price(first[0]) and not all(map(_is_price, found.moved))


def _is_price(bar: Bar) -> bool:
    return bar.input.price


def _first(found: Sensitivity) -> str:
    unit, figure = unit_of(found), said_figure(found.metric)
    runs = f"{found.replications:,} runs"
    if not found.level:
        widest = found.bars[0].extent.half_width or 0.0
        return f"No input moves {figure} by more than the error of {runs}, {unit.told([widest / 2])[0]} {unit.change}."
    bars = {bar.input.key: bar for bar in found.bars}
    named = [bars[key] for key in found.level[:MOST_NAMED]]
    keys, by = [printable(bar.input.key, 80) for bar in named], unit.told([bar.moves for bar in named])
    if len(found.level) > 1:
        more = len(found.level) - len(named)
        others = f" (and {more} more)" if more else ""
        return (
            f"Measure these first: {and_list(keys)}{others}. They move {figure} by {and_list(by)} {unit.change}; "
            f"{runs} do not tell which moves it more."
        )
    if price_leads(found):
        first = next(bar for bar in found.moved if not _is_price(bar))
        by = unit.told([first.moves, named[0].moves])
        return (
            f"Measure this first: {printable(first.input.key, 80)}. It moves {figure} by {by[0]} {unit.change}. "
            f"A price, {keys[0]}, moves it more, by {by[1]}; nothing has to be measured for that."
        )
    rest = [bar for bar in found.moved if bar.input.key not in found.level]
    then = ""
    if rest:
        by = unit.told([named[0].moves, rest[0].moves])
        then = f"; the next, {printable(rest[0].input.key, 80)}, by {by[1]}"
    elif len(found.bars) > 1:
        then = "; no other input moves it by more than its error"
    exactly = " exactly" if not named[0].extent.half_width and found.replications > 1 else ""
    return f"Measure this first: {keys[0]}. It moves {figure} by {by[0]} {unit.change}{exactly}{then}."


def _chance(found: Sensitivity) -> list[str]:
    low, high = found.at_base.p5, found.at_base.p95
    if found.replications == 1 or low == high:
        return []
    unit = unit_of(found)
    half = (high - low) / 2
    return [f"Chance alone moves single runs by {unit.told([half])[0]} {unit.change} (nine runs in ten)."]


def _shares(found: Sensitivity) -> list[str]:
    shares = found.shares
    if shares is None:
        return []
    if shares.variance == 0:
        return ["Single runs do not differ, so no share of a variance can be told."]
    ranked = sorted(zip(shares.keys, shares.inputs, strict=True), key=lambda each: -each[1].first)
    told = [f"{printable(key, 80)} brings {_percent(index.first)} %" for key, index in ranked[:MOST_NAMED]]
    told.append(f"chance {_percent(shares.chance.first)} %")
    left = 1 - shares.chance.first - sum(index.first for _, index in ranked)
    more = f"; {_percent(left)} % come from what they do together" if left >= TOGETHER else ""
    return [f"Of the variance of single runs, {and_list(told)}{more}."]


def _percent(share: float) -> Figure:
    """Return a share in per cent; estimates of nothing may come out below it."""
    value = max(0.0, 100 * share)
    return number(value, 0 if value >= 1 or value == 0 else 2)


# --- tables and the picture -------------------------------------------------------------------------------------------


def inputs_table(found: Sensitivity) -> Table:
    """Return what each input does, the longest bar first."""
    unit = unit_of(found)
    exact = all(bar.extent.half_width in (None, 0.0) for bar in found.bars)
    rows = [
        Row(
            printable(bar.input.key, 60),
            (
                end_text(bar.input.low),
                end_text(bar.input.high),
                unit.value(bar.low.mean),
                unit.value(bar.high.mean),
                unit.moves(bar.moves, None if exact else _half(bar)),
            ),
            strong=bar.input.key in found.level,
        )
        for bar in found.bars
    ]
    title = f"What each input does to {SAID.get(found.metric.name, f'the {found.metric.label}')}"
    columns = ("low end", "high end", f"at low, {unit.name}", f"at high, {unit.name}", f"moves it by ±, {unit.change}")
    at_points = f"All inputs at their point values: {unit.value(found.at_base.mean)} {unit.name}."
    return Table(title, columns, tuple(rows), corner="input", notes=(at_points,))


def _half(bar: Bar) -> float | None:
    return None if bar.extent.shown_half_width is None else bar.extent.shown_half_width / 2


def shares_table(found: Sensitivity) -> Table | None:
    """Return the shares of the variance of single runs; None where there are none."""
    shares = found.shares
    if shares is None or shares.variance == 0:
        return None
    named = sorted(zip(shares.keys, shares.inputs, strict=True), key=lambda each: -each[1].total)
    rows = [
        Row(
            printable(key, 60),
            (
                _percent(index.first),
                f"{_percent(index.first_ci95[0])} to {_percent(index.first_ci95[1])}",
                _percent(index.total),
                f"{_percent(index.total_ci95[0])} to {_percent(index.total_ci95[1])}",
            ),
        )
        for key, index in (*named, ("chance", shares.chance))
    ]
    notes = (
        "First: what would vanish if the input were known. Total: what would be left if all else were known; it is "
        "larger where inputs work together.",
        f"Sobol' indices of single runs, {shares.blocks} x {shares.runs:,} of them; estimates below 0 are shown as 0.",
    )
    columns = ("first, %", "95 % interval", "total, %", "95 % interval")
    return Table("Shares of the variance of single runs", columns, tuple(rows), corner="input", notes=notes)


def tornado(found: Sensitivity) -> Picture:
    """Return the chart of the longest bars, with the table of all."""
    unit = unit_of(found)
    bars = [bar for bar in found.bars if bar.moves >= LEAST_BAR * found.bars[0].moves][:MOST_BARS]

    def ends(side: str) -> tuple[tuple[float, tuple[float, float] | None, str], ...]:
        return tuple(_end(unit, getattr(bar, side), end_text(getattr(bar.input, side))) for bar in bars)

    spread = found.at_base
    chance = None if found.replications == 1 else (spread.p5 * unit.scale, spread.p95 * unit.scale)
    chart = Tornado(
        tuple(printable(bar.input.key, LONGEST) for bar in bars),
        ends("low"),
        ends("high"),
        found.at_base.mean * unit.scale,
        unit.name,
        len([bar for bar in bars if bar.input.key in found.level]),
        chance,
        min(5, unit.digits + 1),
    )
    first, left = bars[0], len(found.bars) - len(bars)
    says = (
        f"With {printable(first.input.key, 60)} at {end_text(first.input.low)} it is {unit.value(first.low.mean)} "
        f"{unit.name}, at {end_text(first.input.high)} {unit.value(first.high.mean)} {unit.name}."
    )
    says += f" The table has {left} more inputs, which move it less." if left > 1 else ""
    says += " The table has one more input, which moves it less." if left == 1 else ""
    return Picture(
        f"What moves {SAID.get(found.metric.name, f'the {found.metric.label}')}", says, chart, inputs_table(found)
    )


def _end(unit: MoveUnit, at: Summary, text: str) -> tuple[float, tuple[float, float] | None, str]:
    interval = at.ci95 if at.reliable else None
    told = f"{text}: {unit.value(at.mean)}"
    return at.mean * unit.scale, interval and (interval[0] * unit.scale, interval[1] * unit.scale), told


# --- pages ------------------------------------------------------------------------------------------------------------


def notes_of(found: Sensitivity) -> list[str]:
    """Return what a reader should know of the ranges and the runs."""
    sources = {bar.input.source for bar in found.bars}
    notes = []
    if UNCERTAIN in sources:
        notes.append("[[uncertain]] inputs are moved to their P5 and P95, all others stay at their point values.")
    if MTBF_RANGE in sources:
        notes.append("An MTBF is moved to both ends of its mtbf_range.")
    for bar in found.bars:
        if bar.input.follows:
            keys = and_list([printable(key, 60) for key in bar.input.follows])
            notes.append(
                f"{printable(bar.input.key, 60)} takes along what is correlated with it: {keys}, to its median then."
            )
    if any(bar.input.at_low.cluster.gpus != bar.input.at_high.cluster.gpus for bar in found.bars):
        notes.append("Spares are bought: jobs keep their GPUs, and cluster.gpus moves along with cluster.spares.")
    prices = [bar for bar in found.bars if bar.input.money]
    if prices:
        tables = ", ".join(MONEY)
        notes.append(
            "Prices (tco) need no runs of their own: the same runs are billed at other prices."
            if all(bar.input.key.startswith("tco.") for bar in prices)
            else f"What only money depends on ({tables}) needs no runs of its own: the same runs are billed anew."
        )
    notes += [printable(note, 400) for note in found.notes]
    if found.why_no_shares:
        notes.append(found.why_no_shares)
    if found.base.runs_needed is not None and found.replications > 1:
        notes.append(f"Too few runs for reliable intervals; about {found.base.runs_needed:,} are needed (-n).")
    return notes


def sensitivity_page(found: Sensitivity, notes: Sequence[str] = ()) -> Page:
    """Return what a screen shows of a sensitivity."""
    shares = shares_table(found)
    first, others = caution_sentences([certain(found.scenario)], found.replications, simulated=True)
    return Page(
        answer=sentences(found),
        cautions=first,
        parts=(inputs_table(found), *([shares] if shares else [])),
        notes=(*others, *notes_of(found), *notes),
    )


def sensitivity_document(found: Sensitivity, command: Sequence[str], notes: Sequence[str] = ()) -> Page:
    """Return the whole report of a sensitivity: the tornado first, then the shares of the variance."""
    scenario, shares = found.scenario, shares_table(found)
    sections = [Section("shares", "Where the spread of single runs is from", parts=(shares,))] if shares else []
    made = Passage(
        "How to make this again",
        (
            ("command", shlex.join(printable(word, 200) for word in command)),
            ("seed", str(scenario.seed)),
            ("dcsim", __version__),
            (f"sha256 of {printable(scenario.name, 40)}", sha256(scenario)),
        ),
    )
    return replace(
        sensitivity_page(found, notes),
        title=printable(f"{scenario.name}: which input to measure first?", 120),
        about=(
            f"{scenario.cluster.gpus:,} GPUs of {printable(scenario.cluster.topology.name)}. Each input is moved alone "
            f"to both ends of its range, {found.replications:,} runs at each end, all with the same random numbers.",
        ),
        parts=(tornado(found),),
        sections=tuple(sections),
        made=made,
    )
