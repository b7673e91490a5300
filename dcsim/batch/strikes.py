"""The failures of many replications in one row of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.scenario import Plan

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Strikes:
    """Failures of several replications, ordered by replication, time, hazard, draw number; int64 (failures,) each.

    Those of row r of the replications are [``bounds[r]``, ``bounds[r + 1]``). ``time`` and ``repair`` [ms]; ``hazard``;
    ``mark``: slot, or of a placed hazard the component.
    """

    bounds: Ints
    time: Ints
    repair: Ints
    hazard: Ints
    mark: Ints

    def __len__(self) -> int:
        """Return the number of failures."""
        return len(self.time)


def draw(plan: Plan, numbers: Sequence[int]) -> tuple[Strikes, Ints]:
    """Draw the failures of these replications, and how many failures each of them drew that count as ``drawn``."""
    times, marks, repairs, lengths = [], [], [], []
    hazards = plan.scenario.hazards
    for number in numbers:
        for draws in plan.draws(number):
            failures = draws.failures
            count = len(failures.times)
            times.append(failures.times)
            marks.append(failures.marks)
            repairs.append(draws.outcomes(count).stages[0])
            lengths.append(count)
    time, mark, repair = np.concatenate(times), np.concatenate(marks), np.concatenate(repairs)
    counts = np.array(lengths, dtype=np.int64).reshape(len(numbers), len(hazards))
    bounds = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
    hazard = np.zeros(len(time), dtype=np.int64)
    if len(hazards) > 1:
        hazard = np.repeat(np.tile(np.arange(len(hazards)), len(numbers)), counts.ravel())
        row = np.repeat(np.arange(len(numbers)), counts.sum(axis=1))
        order = np.argsort(time + row * plan.scenario.horizon, kind="stable")
        time, mark, repair, hazard = time[order], mark[order], repair[order], hazard[order]
    counted = np.array([plan.counted(each) for each in hazards])
    return Strikes(bounds, time, repair, hazard, mark), counts @ counted
