"""One replication played again with its log: who held the GPUs when, and which failures cost what.

Accounts know states, not causes, and nothing of time within the horizon; a log knows both. A typical replication, the
one of median loss, and the worst one are enough to show how the losses come about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import STATES
from dcsim.montecarlo import Sample
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.scenario.sampled import sampled
from dcsim.units import MS_PER_H, MS_PER_MONTH

Ints = NDArray[np.int64]
RUNNING = "running"
HELD = (RUNNING, *(state for state in STATES if state not in ("useful", "overhead", "lost")))
"""What a GPU may be held by at an instant: a gang that runs, whatever comes of it, or a state of the ledger.
Within a stretch between two events of a gang running time and writes are spread evenly."""
PHASES = ("lost", "detect", "failover", "restore", "wait", "repair")
"""What a failure costs: work, then the stall phase by phase, then the hardware while it is out."""
NOBODY = "no failure of its own"
"""Stands where a gang stalled though nothing of it failed: hardware was taken, planned work, power, the first start."""
PPB = 10**9


@dataclass(frozen=True)
class Span:
    """A stretch of a replication: from ``begin`` to ``end`` [ms], GPUs in each of ``HELD`` in the mean of each bin."""

    replication: int
    begin: int
    end: int
    loss: float
    gpus: Mapping[str, NDArray[np.float64]]

    @property
    def number(self) -> int:
        """Which month of the horizon it is, from 1."""
        return self.begin // MS_PER_MONTH + 1


class Played:
    """One replication of a scenario and its log, with ``places`` also of who holds which GPUs (for traces)."""

    def __init__(self, scenario: Scenario, replication: int, places: bool = False) -> None:
        from dcsim.engine import EventLog, simulate  # SimPy: a run of the batch engine does without it

        self.scenario, self.replication = sampled(scenario, replication), replication
        self.log = EventLog(places)
        self.accounts = simulate(self.scenario, replication, self.log)
        self._columns = self.log.columns()

    @classmethod
    def typical(cls, sample: Sample, places: bool = False) -> "Played":
        """Play the replication of median loss; of an even number, the better of the two in the middle."""
        order = np.argsort(sample.loss, kind="stable")
        return cls(sample.scenario, int(sample.replications[order[(len(order) - 1) // 2]]), places)

    @classmethod
    def worst(cls, sample: Sample) -> "Played":
        """Play the replication of the highest loss."""
        return cls(sample.scenario, int(sample.replications[int(np.argmax(sample.loss))]))

    # --- columns --------------------------------------------------------------------------------------------------

    @cached_property
    def _start(self) -> Ints:
        return np.array(self._columns["start_ms"], dtype=np.int64)

    @cached_property
    def _end(self) -> Ints:
        return np.array(self._columns["end_ms"], dtype=np.int64)

    @cached_property
    def _booked(self) -> Ints:
        return np.array(self._columns["gpu_ms"], dtype=np.int64)

    @cached_property
    def _gang(self) -> Ints:
        return np.array(self._columns["gang"], dtype=np.int64)

    @cached_property
    def _text(self) -> dict[str, NDArray[Any]]:
        return {name: np.array(self._columns[name], dtype=object) for name in ("what", "phase", "why")}

    def _rows(self, what: str, phase: str | None = None) -> NDArray[np.intp]:
        chosen = self._text["what"] == what
        if phase is not None:
            chosen &= self._text["phase"] == phase
        return np.flatnonzero(chosen)

    # --- months ---------------------------------------------------------------------------------------------------

    @property
    def months(self) -> int:
        """Whole months of 720 h in the horizon, at least one; a horizon shorter than that is one."""
        return max(1, self.scenario.horizon // MS_PER_MONTH)

    def _edges(self) -> Ints:
        if self.scenario.horizon < MS_PER_MONTH:
            return np.array([0, self.scenario.horizon], dtype=np.int64)
        return np.arange(self.months + 1, dtype=np.int64) * MS_PER_MONTH

    @cached_property
    def monthly_loss(self) -> NDArray[np.float64]:
        """1 - useful / GPU-hours of each month, float64 (months,); what a strike rolls back is charged to its month.

        So a month may lose more than all of its hours, and the months together lose what the ledger says.
        """
        share = np.zeros(len(self._booked))
        useful = np.array([gang.recovery.useful_ppb for gang in plan(self.scenario).gangs], dtype=np.float64) / PPB
        speed = np.array(self._columns["speed_ppb"], dtype=np.float64) / PPB
        runs = np.concatenate([self._rows("phase", RUNNING), self._rows("rollback", RUNNING)])
        share[runs] = speed[runs] * useful[self._gang[runs]]
        edges = self._edges()
        phases = self._rows("phase", RUNNING)
        rate = self._booked[phases] / np.maximum(1, self._end[phases] - self._start[phases]) * share[phases]
        done = np.diff(_integral(edges, self._start[phases], self._end[phases], rate))
        back = self._rows("rollback", RUNNING)
        month = np.searchsorted(edges, self._start[back], side="left") - 1
        inside = (month >= 0) & (month < len(done))
        done += np.bincount(month[inside], (self._booked[back] * share[back])[inside], minlength=len(done))
        loss: NDArray[np.float64] = 1 - done / (self.scenario.cluster.gpus * np.diff(edges))
        return loss

    def span(self, month: int, bins: int) -> Span:
        """Return who held the GPUs in a month, counted from 0, in the mean of each of ``bins`` equal stretches."""
        edges = self._edges()
        begin, end = int(edges[month]), int(edges[month + 1])
        at = np.linspace(begin, end, bins + 1)
        gpus = {}
        for state in HELD:
            rows = self._rows("phase", state)
            rows = rows[(self._start[rows] < end) & (self._end[rows] > begin)]
            low, high = np.maximum(self._start[rows], begin), np.minimum(self._end[rows], end)
            rate = self._booked[rows] / (self._end[rows] - self._start[rows])  # pieces of a stretch share its ends
            held = np.diff(_integral(at, low, high, rate))
            gpus[state] = held / np.diff(at)
        return Span(self.replication, begin, end, float(self.monthly_loss[month]), gpus)

    def typical_month(self, bins: int) -> Span:
        """Return the month of median loss."""
        order = np.argsort(self.monthly_loss, kind="stable")
        return self.span(int(order[(len(order) - 1) // 2]), bins)

    def worst_month(self, bins: int) -> Span:
        """Return the month of the highest loss."""
        return self.span(int(np.argmax(self.monthly_loss)), bins)

    # --- causes ---------------------------------------------------------------------------------------------------

    @cached_property
    def costs_gpu_h(self) -> dict[str, dict[str, float]]:
        """GPU-hours by hazard and phase (``PHASES``).

        A stall belongs to the failure that began it, the first that struck its gang since that last ran; repair to the
        failure that the log names. What neither explains stands under ``NOBODY``.
        """
        found: dict[str, dict[str, float]] = {}
        strikes, runs = self._rows("strike"), self._rows("phase", RUNNING)
        for phase in PHASES:
            rows = self._rows("rollback" if phase == "lost" else "phase", phase)
            if phase == "repair":
                causes = np.where(self._text["why"][rows] == "", NOBODY, self._text["why"][rows])
            else:
                causes = self._causes(rows, strikes, None if phase == "lost" else runs)
            for cause in dict.fromkeys(causes.tolist()):
                booked = sum(self._booked[rows[causes == cause]].tolist())
                found.setdefault(cause, dict.fromkeys(PHASES, 0.0))[phase] += booked / MS_PER_H
        return found

    def _causes(self, rows: NDArray[np.intp], events: NDArray[np.intp], runs: NDArray[np.intp] | None) -> NDArray[Any]:
        """Return the hazard behind each row: of the first event of its gang since that last ran.

        ``runs`` None: only an event of the same instant counts.
        """
        causes = np.full(len(rows), NOBODY, dtype=object)
        for gang in np.unique(self._gang[rows]).tolist():
            its = np.flatnonzero(self._gang[rows] == gang)
            own = events[self._gang[events] == gang]
            own = own[np.argsort(self._start[own], kind="stable")]
            if not len(own):
                continue
            begun = self._start[rows[its]]
            if runs is None:
                since = begun
            else:
                ends = np.sort(self._end[runs[self._gang[runs] == gang]])
                before = np.searchsorted(ends, begun, side="right") - 1
                since = np.where(before >= 0, ends[before] if len(ends) else 0, 0)
            first = np.searchsorted(self._start[own], since, side="left")
            struck = first < np.searchsorted(self._start[own], begun, side="right")
            causes[its[struck]] = self._text["why"][own][first[struck]]
        return causes


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
