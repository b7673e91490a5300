"""How single runs scatter: the distributions of losses and costs, and what no run can say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.decide import RunResult
from dcsim.report.document import Histograms, Part, Picture, Section
from dcsim.report.formula import term_of
from dcsim.report.page import Row, Table, and_list, number
from dcsim.report.sections import SHORT, names
from dcsim.report.spread import range_tables

MOST_BINS = 40


def sure(runs: Sequence[RunResult]) -> Section:
    """Return the distributions over single runs, and what is not known."""
    parts: list[Part] = []
    if len(runs[0].sample) > 1:
        parts.append(_spread("Goodput loss of single runs", runs, [100 * run.sample.loss for run in runs], "%", 2))
        priced = [run for run in runs if run.total_estimated is not None]
        if priced:
            totals = [run.total_estimated.values / 1e6 for run in priced if run.total_estimated is not None]
            term = term_of([run.estimate for run in priced])
            parts.append(_spread(f"Cost of {term} in single runs", priced, totals, "million USD", 1))
    else:
        return Section("sure", "How sure that is", ("One replication has no spread and no interval.",))
    says = ["Bars count replications; nine single runs in ten lie between P5 and P95; scales differ."]
    ranges = range_tables(runs)
    if ranges:
        says.append("What is not known of the MTBF is no matter of luck: it stands in the last table.")
    return Section("sure", "How sure that is", tuple(says), (*parts, *ranges))


def _spread(
    title: str, runs: Sequence[RunResult], samples: Sequence[NDArray[np.float64]], unit: str, digits: int
) -> Picture:
    labels, counts, edges, marks, rows = names(runs, SHORT), [], [], [], []
    for values in samples:
        bins = int(min(MOST_BINS, max(8, np.sqrt(len(values)) * 2)))
        low, high = float(values.min()), float(values.max())
        if high - low < 1e-9 * max(1.0, abs(high)):
            low, high = low - 0.5, high + 0.5
        count, edge = np.histogram(values, bins=bins, range=(low, high))
        p5, p50, p95 = (float(each) for each in np.quantile(values, (0.05, 0.5, 0.95)))
        counts.append(tuple(int(each) for each in count))
        edges.append(tuple(float(each) for each in edge))
        marks.append((("P5", p5), ("P50", p50), ("P95", p95)))
        rows.append([float(values.mean()), p5, p50, p95, float(values.min()), float(values.max())])
    columns = ("mean", "P5", "P50", "P95", "lowest", "highest")
    table = Table(
        f"{title}, {unit}",
        columns,
        tuple(Row(name, tuple(number(each, digits) for each in row)) for name, row in zip(labels, rows, strict=True)),
    )
    told = [
        f"{label} between {number(row[1], digits)} and {number(row[3], digits)}"
        for label, row in zip(labels, rows, strict=True)
    ]
    says = f"{title}: nine runs in ten lie {and_list(told)} {unit}."
    return Picture(title, says, Histograms(labels, tuple(counts), tuple(edges), tuple(marks), unit, digits), table)
