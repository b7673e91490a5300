"""How far a simulated figure can be trusted: its interval, the spread of single runs, and uncertain inputs."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from dcsim.decide import RunResult
from dcsim.decide.verdict import SAME
from dcsim.montecarlo import Paired, Summary
from dcsim.montecarlo.statistics import QUANTILES, least
from dcsim.report.document import Histograms, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, loss, loss_digits, number, plus_minus, price_digits, span, usd
from dcsim.report.page import SHORT, Row, Table, and_list, names, printable
from dcsim.report.published_tables import keys_of, over_of, point_notes

MOST_BINS = 40
"""Bars of a histogram; source: assumed."""

MakeRow = Callable[[str, Callable[[RunResult], Cell]], Row]

# --- sentences ----------------------------------------------------------------------------------------------------


def luck(runs: Sequence[RunResult]) -> list[str]:
    """Say that the spread of runs is not the whole uncertainty, where the scenarios give a range of MTBF."""
    drawn = inputs(runs)
    ranges = [run.mtbf_range for run in runs if run.mtbf_range]
    if not ranges:
        return drawn
    moved = max(abs(each.moves) for each in ranges)
    spread = max(run.lost.p95 - run.lost.p5 for run in runs)
    cause = "Chance and uncertain inputs move" if drawn else "Chance moves"
    differ = (
        f"{cause} the lost share by at most {loss(spread)} percentage points (nine runs in ten). " if spread else ""
    )
    unknown = (
        "The mean time between failures (MTBF), anywhere in the range that the scenarios give, moves it by up to "
        f"{loss(moved)} points"
    )
    return [differ + unknown + _prices_at_highest(runs), *drawn]


def _prices_at_highest(runs: Sequence[RunResult]) -> str:
    """Say what the offers cost, the cheapest first, where every MTBF is at the upper end of its range, and who leads.

    Nobody leads by less than ``SAME``; one that leads there stays the cheapest if it is also at the lower ends.
    """
    ends = [run.mtbf_range for run in runs]
    highest = [end.usd_per_useful_gpu_hour_at_highest if end else None for end in ends]
    lowest = [end.usd_per_useful_gpu_hour_at_lowest if end else None for end in ends]
    if len(runs) < 2 or None in highest:
        return "."
    ranked = sorted((price, index) for index, price in enumerate(highest) if price is not None)
    names = [printable(run.scenario.name) for run in runs]
    told = and_list([f"{names[index]} {number(price, 2)}" for price, index in ranked])
    (least, best), (second, _), *_ = ranked
    leads = ""
    if second - least > SAME * second and None not in lowest:
        below = [price for price in lowest if price is not None]
        stays = below[best] == min(below)
        leads = f": {names[best]} {'stays' if stays else 'is then the'} cheapest"
    return f". At its highest a useful GPU-hour costs {told} USD{leads}."


def inputs(runs: Sequence[RunResult]) -> list[str]:
    """Say how much chance and how much uncertain inputs move the lost share of single runs, where inputs are drawn."""
    found = []
    for run in runs:
        variance = run.lost_estimated.variance
        if run.lost_estimated.shared > 1 and variance is not None:
            chance, unknown = sqrt(variance.luck), sqrt(variance.inputs)
            found.append(
                f"{printable(run.scenario.name)}: uncertain inputs move the lost share by ± {loss(unknown)} points, "
                f"chance by ± {loss(chance)} (one standard deviation)."
            )
    return found


def statistical_notes(runs: Sequence[RunResult]) -> list[str]:
    """Say which estimator is shown, where a run stopped and why, what is drawn, and what is doubtful."""
    said = []
    for run in runs:
        name = printable(run.scenario.name)
        said += [f"{name}: {warning}" for warning in run.warnings]
        said += _precision(run, name)
        if run.scenario.uncertain:
            said.append(f"{name}: drawn once for every two runs, which count as one: {keys_of(run.scenario)}")
    return said + point_notes([run.scenario for run in runs])


def _precision(run: RunResult, name: str) -> list[str]:
    if run.stopped is None:
        return []
    looks = and_list([f"{each.replications:,} (± {_half(each.half_widths[0])})" for each in run.stopped.looks])
    said = [f"{name}: looked for ± {100 * run.stopped.wanted:g} pp after {looks} runs"]
    found = run.loss_estimated
    if found.controls and found.adjusted is not None:
        said.append(
            f"{name}: losses and costs are adjusted for the failures drawn (control variate, correlation "
            f"{found.adjusted.correlation:.2f}): standard error {100 * found.adjusted.se:.2g} pp; the plain mean of "
            f"the ledger is {with_error(found.plain)} %, standard error {100 * (found.plain.se or 0):.2g} pp"
        )
    else:
        said.append(f"{name}: no count of failures has a known mean that could help; plain means are shown")
    return said


def _half(half_width: float | None) -> str:
    return MISSING if half_width is None else f"{100 * half_width:.3g} pp"


def with_error(found: Summary | Paired | None, scale: float = 100.0) -> Figure:
    """Return a mean and its interval, in per cent unless another scale is given."""
    if found is None:
        return Figure(None)
    half = found.shown_half_width
    return plus_minus(found.mean * scale, None if half is None else half * scale)


def price(found: Summary | Paired | None, scale: float = 1.0, most: int = 2) -> Figure:
    """Return an amount and its interval with at most so many decimals; an interval below the last one is rounded up."""
    if found is None:
        return Figure(None)
    mean, digits = found.mean * scale, price_digits([abs(found.mean * scale)])
    if found.shown_half_width is None:
        return number(mean, digits)
    half = shown = found.shown_half_width * scale
    while half and digits < most and half < 10**-digits:
        digits += 1
    if 0 < half < 10**-digits:
        shown = ceil((half + abs(mean - round(mean, digits))) * 10**digits) / 10**digits
    return Figure(mean, digits, half, half_shown=shown)


# --- tables -------------------------------------------------------------------------------------------------------


def spread_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return the spread of single runs, and the intervals of its quantiles, which need a least number of runs."""
    rows = [row("  one run, P5 to P95, %", _spread)]
    if all(run.lost.se is None for run in runs):
        return rows
    if all(run.lost.p5_ci95 is None and run.lost.p95_ci95 is None for run in runs):
        shown = {"p5": "both", "p50": "P50"}  # P5 and P95 need as many runs
    else:
        shown = {name: name.upper() for name in QUANTILES}
    return rows + [row(f"    95 % interval of {told}, %", partial(_interval, name)) for name, told in shown.items()]


def _spread(run: RunResult) -> Figure:
    if run.lost.se is None:
        return Figure(None)
    return _percents(run.lost.p5, run.lost.p95)


def _interval(name: str, run: RunResult) -> Cell:
    found = getattr(run.lost, f"{name}_ci95")
    if found is None:
        return f"runs below {least(QUANTILES[name]) * run.lost_estimated.shared}"
    return _percents(*found)


def _percents(low: float, high: float) -> Figure:
    return span(100 * low, 100 * high, max(loss_digits(low), loss_digits(high)))


def _hazards(ends: Sequence[tuple[str, float, float]]) -> Figure:
    """Return the range of MTBF of each hazard [h]."""
    (_, low, high), *others = ends
    more = "".join(f"; {usd(its_low)} to {usd(its_high)}" for _, its_low, its_high in others)
    return Figure(low, upper=high, behind=more)


def range_tables(runs: Sequence[RunResult]) -> list[Table]:
    """Return what a range of MTBF does to the answer."""
    rows = []
    money = any(run.tco for run in runs)
    for run in runs:
        if (ends := run.mtbf_range) is not None:
            cells: tuple[Cell, ...] = (
                _hazards(ends.hazards),
                _percents(ends.lost_at_lowest, ends.lost_at_highest),
                loss(ends.moves),
            )
            if money:
                low, high = ends.usd_per_useful_gpu_hour_at_lowest, ends.usd_per_useful_gpu_hour_at_highest
                cells = (*cells, span(low, high, most=2))
            rows.append(Row(printable(run.scenario.name, 16), cells))
    columns = ("MTBF, h", "lost, %", "moves it by, points", *(("USD per useful GPU-h",) if money else ()))
    title = "How much the unknown failure rate matters (simulated)"
    note = "MTBF: mean time between failures. Points: percentage points of all GPU-hours."
    return [Table(title, columns, tuple(rows), notes=(note,))] if rows else []


# --- the section of the report ---------------------------------------------------------------------------------------


def sure(runs: Sequence[RunResult]) -> Section:
    """Return the distributions over single runs, and what is not known."""
    if len(runs[0].sample) == 1:
        return Section("sure", "How sure that is", ("One run has no spread and no interval.",))
    losses = [(run.lost, run.lost_estimated.values) for run in runs]
    parts: list[Part] = [_histograms("Lost GPU-hours of single runs", names(runs, SHORT), losses, 100.0, "%", 2)]
    priced = [run for run in runs if run.total_usd is not None and run.total_estimated is not None]
    if priced:
        totals = [(run.total_usd, run.total_estimated.values) for run in priced if run.total_estimated]
        costs = [(summary, values) for summary, values in totals if summary is not None]
        title = f"Published method: paid and lost work {over_of(priced)}, in single runs"
        parts.append(_histograms(title, names(priced, SHORT), costs, 1e-6, "million USD", 1))
    says = ["Bars count runs. Nine runs in ten lie between P5 and P95. Scales differ."]
    ranges = range_tables(runs)
    if ranges:
        says.append("The last table shows how much the unknown failure rate matters.")
    return Section("sure", "How sure that is", tuple(says), (*parts, *ranges))


def _histograms(
    title: str,
    labels: tuple[str, ...],
    found: Sequence[tuple[Summary, NDArray[np.float64]]],
    scale: float,
    unit: str,
    digits: int,
) -> Picture:
    """Return the histograms of values [unit / scale], and the table of what is known of their distribution."""
    counts, edges, marks = [], [], []
    for summary, values in found:
        bins = int(min(MOST_BINS, max(8, np.sqrt(len(values)) * 2)))
        low, high = scale * float(values.min()), scale * float(values.max())
        if high - low < 1e-9 * max(1.0, abs(high)):
            low, high = low - 0.5, high + 0.5
        count, edge = np.histogram(scale * values, bins=bins, range=(low, high))
        counts.append(tuple(int(each) for each in count))
        edges.append(tuple(float(each) for each in edge))
        marks.append(tuple((name.upper(), scale * getattr(summary, name)) for name in QUANTILES))
    rows = [Row("mean", tuple(with_error(summary, scale) for summary, _ in found), strong=True)]
    for name in QUANTILES:
        cells = tuple(number(scale * getattr(summary, name), digits) for summary, _ in found)
        intervals = tuple(_ends(getattr(summary, f"{name}_ci95"), scale, digits) for summary, _ in found)
        rows += [Row(name.upper(), cells), Row(f"  95 % interval of {name.upper()}", intervals)]
    rows.append(Row("lowest", tuple(number(scale * float(values.min()), digits) for _, values in found)))
    rows.append(Row("highest", tuple(number(scale * float(values.max()), digits) for _, values in found)))
    told = [
        f"{span(scale * summary.p5, scale * summary.p95, digits)} {unit} ({label})"
        for label, (summary, _) in zip(labels, found, strict=True)
    ]
    says = f"{title}: nine runs in ten lie within {and_list(told)}."
    chart = Histograms(labels, tuple(counts), tuple(edges), tuple(marks), unit, digits)
    return Picture(title, says, chart, Table(f"{title}, {unit}", labels, tuple(rows)))


def _ends(ends: tuple[float, float] | None, scale: float, digits: int) -> Figure:
    return Figure(None) if ends is None else span(scale * ends[0], scale * ends[1], digits)
