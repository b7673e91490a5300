"""Who held the GPUs over time: a typical month and the worst one, as pictures."""

from collections.abc import Sequence

import numpy as np

from dcsim.decide.log_analysis import HELD, Span
from dcsim.decide.report_data import Story
from dcsim.report.document import WORDS, Areas, Picture, Section
from dcsim.report.figures import Figure, loss, number
from dcsim.report.page import Row, Table
from dcsim.units import MS_PER_H

MOST_PICTURES = 6
"""Runs whose months are shown; source: assumed, a report is to fit into a mail."""
LEAST = 0.0005
"""A state is shown from this share of the GPUs on, in the mean of a month; source: assumed."""


def months(stories: Sequence[Story], names: Sequence[str], hours: str) -> Section:
    """Return a picture for each run: GPUs by state through its typical and through its worst month.

    ``hours``: how long a month is.
    """
    pictured = list(zip(names, stories, strict=True))[:MOST_PICTURES]
    left_out = "" if len(pictured) == len(names) else f" Only the first {MOST_PICTURES} are shown."
    return Section(
        "months",
        "A typical month, and the worst",
        (
            "These charts show the GPUs that were not running, and why. "
            "The typical month is the one of median loss in the run of median loss. The worst month is the one of the "
            f"highest loss in all runs. Both have one scale. A month is {hours}." + left_out,
        ),
        tuple(_picture(name, story) for name, story in pictured),
    )


def _picture(name: str, story: Story) -> Picture:
    spans = (story.typical, story.worst)
    gpus = sum(float(values[0]) for values in story.typical.gpus.values())
    seen = [
        state
        for state in HELD
        if state == HELD[0] or any(float(span.gpus[state].mean()) >= LEAST * gpus for span in spans)
    ]
    rest = [state for state in HELD if state not in seen and any(span.gpus[state].any() for span in spans)]
    panels = tuple(_panel(title, span, seen[1:], rest) for title, span in zip(("Typical", "Worst"), spans, strict=True))
    rows = []
    for state in seen:
        cells: list[Figure] = []
        for span in spans:
            values = span.gpus[state]
            cells += [number(float(values.mean()), 0), number(float(values.min()), 0), number(float(values.max()), 0)]
        rows.append(Row(WORDS[state], tuple(cells)))
    columns = tuple(
        f"{which} month, {what}" for which in ("typical", "worst") for what in ("mean", "lowest", "highest")
    )
    table = Table(f"{name}: GPUs by state", columns, tuple(rows), corner="GPUs, means of 6 h")
    away = [gpus - float(np.mean(span.gpus[HELD[0]])) for span in spans]
    says = (
        f"{name}: a typical month loses {loss(story.typical.loss)} % and the worst {loss(story.worst.loss)} %; "
        f"in their means {number(away[0], 0)} and {number(away[1], 0)} of {number(gpus, 0)} GPUs do not run."
    )
    return Picture(f"{name}: GPUs that do not run", says, Areas(panels, "day of the month", "GPUs"), table)


def _panel(
    title: str, span: Span, seen: Sequence[str], rest: Sequence[str]
) -> tuple[str, tuple[float, ...], tuple[tuple[str, tuple[float, ...]], ...]]:
    bins = len(span.gpus[HELD[0]])
    edges = np.linspace(0, (span.end - span.begin) / MS_PER_H / 24, bins + 1)
    series = [(WORDS[state], tuple(np.round(span.gpus[state], 1).tolist())) for state in seen]
    if rest:
        others = sum((span.gpus[state] for state in rest), np.zeros(bins))
        series.append(("others", tuple(np.round(others, 1).tolist())))
    told = f"{title}: month {span.number} of replication {span.replication}, {loss(span.loss)} % lost"
    return told, tuple(edges.tolist()), tuple(series)
