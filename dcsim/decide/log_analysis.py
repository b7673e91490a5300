"""Who held the GPUs when, from the event log of one run.

The ledger knows months. What happens within one takes a log: a typical month and the worst one are played again, which
costs milliseconds, and shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine import simulate_with_log
from dcsim.ledger import STATES
from dcsim.montecarlo import Sample
from dcsim.scenario import Scenario
from dcsim.scenario.sampled import sampled

RUNNING = "running"
HELD = (RUNNING, *(state for state in STATES if state not in ("useful", "overhead", "lost")))
"""What a GPU may be held by at an instant: a gang that runs, whatever comes of it, or a state of the ledger.
Within a stretch between two events of a gang running time and writes are spread evenly."""


@dataclass(frozen=True)
class Span:
    """A stretch of a replication: from ``begin`` to ``end`` [ms], GPUs in each of ``HELD`` in the mean of each bin.

    ``number``: which month of the horizon it is, from 1. ``loss``: of the month, in the ledger's terms.
    """

    replication: int
    number: int
    begin: int
    end: int
    loss: float
    gpus: Mapping[str, NDArray[np.float64]]


class Played:
    """One replication of a scenario and its log, with ``places`` also of who holds which GPUs (for traces)."""

    def __init__(self, scenario: Scenario, replication: int, places: bool = False) -> None:
        self.scenario, self.replication = sampled(scenario, replication), replication
        self.accounts, self.log = simulate_with_log(self.scenario, replication, places)

    @classmethod
    def typical(cls, sample: Sample, places: bool = False) -> "Played":
        """Play the replication of median loss; of an even number, the better of the two in the middle."""
        order = np.argsort(sample.loss, kind="stable")
        return cls(sample.scenario, int(sample.replications[order[(len(order) - 1) // 2]]), places)

    @classmethod
    def worst(cls, sample: Sample) -> "Played":
        """Play the replication with the worst month of all; where months were not kept, that of the highest loss."""
        worst = sample.loss
        if sample.has_months:
            worst = sample.month_loss[:, : months_in(sample.scenario)].max(axis=1)
        return cls(sample.scenario, int(sample.replications[int(np.argmax(worst))]))

    @property
    def months(self) -> int:
        """Whole months in the horizon, at least one; a horizon shorter than that is one."""
        return months_in(self.scenario)

    @property
    def month_loss(self) -> NDArray[np.float64]:
        """1 - useful / GPU-hours of each whole month, float64 (months,)."""
        return Sample.of(self.scenario, [self.accounts]).month_loss[0, : self.months]

    def span(self, month: int, bins: int) -> Span:
        """Return who held the GPUs in a month, counted from 0, in the mean of each of ``bins`` equal stretches."""
        begin = month * self.scenario.month
        end = min(begin + self.scenario.month, self.scenario.horizon)
        at = np.linspace(begin, end, bins + 1)
        what, phase, starts, ends, booked = self._columns
        gpus = {}
        for state in HELD:
            held = phase == state
            if state == RUNNING:
                held |= phase == "overhead"  # of a gang that runs small: no use for these, but nothing else holds them
            rows = np.flatnonzero((what == "phase") & held & (starts < end) & (ends > begin))
            low, high = np.maximum(starts[rows], begin), np.minimum(ends[rows], end)
            rate = booked[rows] / (ends[rows] - starts[rows])  # pieces of a stretch share its ends
            gpus[state] = np.diff(_integral(at, low, high, rate)) / np.diff(at)
        return Span(self.replication, month + 1, begin, end, float(self.month_loss[month]), gpus)

    def typical_month(self, bins: int) -> Span:
        """Return the month of median loss."""
        order = np.argsort(self.month_loss, kind="stable")
        return self.span(int(order[(len(order) - 1) // 2]), bins)

    def worst_month(self, bins: int) -> Span:
        """Return the month of the highest loss."""
        return self.span(int(np.argmax(self.month_loss)), bins)

    @cached_property
    def _columns(self) -> tuple[NDArray[Any], ...]:
        columns = self.log.columns()
        return tuple(columns[name] for name in ("what", "phase", "start_ms", "end_ms", "gpu_ms"))


def months_in(scenario: Scenario) -> int:
    """Return the whole months in a scenario's horizon, at least one."""
    return max(1, scenario.horizon // scenario.month)


def _integral(at: NDArray[Any], start: NDArray[Any], end: NDArray[Any], rate: NDArray[np.float64]) -> NDArray[Any]:
    """Return the sum of rate * (time of [start, end] that lies before t) at each t of ``at``."""
    total = np.zeros(len(at))
    for times, sign in ((start, 1.0), (end, -1.0)):
        order = np.argsort(times, kind="stable")
        times, rates = times[order], rate[order]
        count = np.searchsorted(times, at, side="left")
        amount = np.concatenate([[0.0], np.cumsum(rates)])[count]
        moment = np.concatenate([[0.0], np.cumsum(rates * times)])[count]
        total += sign * (amount * at - moment)
    return total
