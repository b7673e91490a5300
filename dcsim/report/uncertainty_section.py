"""How single runs scatter: the distributions of losses and costs, and what no run can say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.decide import RunResult
from dcsim.montecarlo import Summary
from dcsim.montecarlo.quantiles import QUANTILES
from dcsim.report.document import Histograms, Part, Picture, Section
from dcsim.report.page import MISSING, Row, Table, and_list, number, span
from dcsim.report.sections import SHORT, names
from dcsim.report.simulated import over_of
from dcsim.report.uncertainty import range_tables, with_error

MOST_BINS = 40


def sure(runs: Sequence[RunResult]) -> Section:
    """Return the distributions over single runs, and what is not known."""
    if len(runs[0].sample) == 1:
        return Section("sure", "How sure that is", ("One run has no spread and no interval.",))
    losses = [(run.lost, run.lost_estimated.values) for run in runs]
    parts: list[Part] = [_spread("Lost GPU-hours of single runs", names(runs, SHORT), losses, 100.0, "%", 2)]
    priced = [run for run in runs if run.total_usd is not None and run.total_estimated is not None]
    if priced:
        totals = [(run.total_usd, run.total_estimated.values) for run in priced if run.total_estimated]
        costs = [(summary, values) for summary, values in totals if summary is not None]
        title = f"Published method: paid and lost work {over_of(priced)}, in single runs"
        parts.append(_spread(title, names(priced, SHORT), costs, 1e-6, "million USD", 1))
    says = ["Bars count runs. Nine runs in ten lie between P5 and P95. Scales differ."]
    ranges = range_tables(runs)
    if ranges:
        says.append("The last table shows how much the unknown failure rate matters.")
    return Section("sure", "How sure that is", tuple(says), (*parts, *ranges))


def _spread(
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
        intervals = tuple(_interval(getattr(summary, f"{name}_ci95"), scale, digits) for summary, _ in found)
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


def _interval(ends: tuple[float, float] | None, scale: float, digits: int) -> str:
    return MISSING if ends is None else span(scale * ends[0], scale * ends[1], digits)
