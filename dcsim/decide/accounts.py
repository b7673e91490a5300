"""The money book of a scenario: one statement, month by month and run by run, of all parties that it has.

Each party brings its lines, the inputs that they name, and series beside those of ``Activity``. A line that others name
and that nobody brings is zero: a scenario without debt has no debt service.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.activity import Activity
from dcsim.decide.bills import prices_vary
from dcsim.economics.statement import Input, Line, Statement
from dcsim.montecarlo import Sample
from dcsim.scenario import PER_SAMPLE, Scenario
from dcsim.scenario.sampled import sampled

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """What a party adds to the statement; ``series``: float64 (n, m + 1) each, by name."""

    lines: Sequence[Line]
    inputs: Sequence[Input] = ()
    series: dict[str, Values] = field(default_factory=dict)


PARTS: tuple[Callable[[Sample, Activity], Part | None], ...] = ()
"""The parties, in the order in which they are told; each gives None where the scenario does not have it."""

ABSENT = {
    "revenue": "rent invoiced",
    "opex": "operating costs",
    "capex": "capital spent",
    "credits": "SLA credits",
    "drawn": "debt drawn",
    "debt_service": "debt service",
    "residual": "sale of what is left",
}
"""Lines that others may name, and what they are; zero unless a party brings them."""


@dataclass(frozen=True, eq=False)
class MoneyBook:
    """The statement of a sample, and what it is computed from."""

    activity: Activity
    statement: Statement

    @classmethod
    def of(cls, sample: Sample) -> "MoneyBook | None":
        """Gather the parties of a scenario; None where it has none, or where months were not kept."""
        activity = Activity.of(sample)
        parts = [] if activity is None else [each for part in PARTS if (each := part(sample, activity))]
        if activity is None or not parts:
            return None
        lines = [line for part in parts for line in part.lines]
        brought = {line.name for line in lines}
        lines += [Line(name, label, "USD", "0") for name, label in ABSENT.items() if name not in brought]
        inputs = [each for part in parts for each in part.inputs]
        series = activity.series | {name: each for part in parts for name, each in part.series.items()}
        return cls(activity, Statement.of(lines, inputs, series))


def by_run(sample: Sample, value: Callable[[Scenario], float]) -> float | Values:
    """Return a number of the scenario: one, or one for each run, float64 (n,), where runs have prices of their own."""
    scenario = sample.scenario
    if not prices_vary(scenario):
        return value(scenario)
    found = np.empty(len(sample))
    draws = sample.replications // PER_SAMPLE
    for draw in np.unique(draws).tolist():
        found[draws == draw] = value(sampled(scenario, draw * PER_SAMPLE))
    return found
