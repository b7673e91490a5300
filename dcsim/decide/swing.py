"""How the site's load swings: its changes within a minute as jobs stop and start, from the event logs of runs.

A GPU that computes draws its share of a rack at full load, one in service that does not compute the idle share, one out
of service nothing (``power.energy``); all times what the site takes for a watt of IT. Within a stretch of running, the
log does not say when checkpoints are written: their swing is given apart, by formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.log_analysis import RUNNING, Played
from dcsim.plant import Demand
from dcsim.power.energy import OFF
from dcsim.scenario import Scenario
from dcsim.topology.build import build
from dcsim.units import HOURS_PER_MONTH, MS_PER_H, MS_PER_MIN

Ints = NDArray[np.int64]
Values = NDArray[np.float64]
MOST_RUNS = 16
"""Runs whose logs are read; source: assumed, a second's work."""
LEAST = 1e-9
"""Changes below this share of the load at full power are none: sums of floats that cancel."""


@dataclass(frozen=True)
class Draw:
    """What a GPU that computes takes at the meter, and one that does not [kW]; ``rest_kw``: switches, always on."""

    full_kw: float
    idle_kw: float
    rest_kw: float

    @classmethod
    def of(cls, scenario: Scenario) -> "Draw | None":
        """Read a scenario's topology; None where it says nothing of power."""
        topology = build(scenario.cluster.topology, scenario.cluster.gpus)
        demand, power = Demand(topology), topology.description.power
        racks_w = float(demand.racks_w.sum())
        if power is None or not racks_w:
            return None
        full = power.meter_factor * racks_w / topology.gpus / 1e3
        return cls(full, power.idle * full, power.meter_factor * demand.switches_w / 1e3)


@dataclass(frozen=True, eq=False)
class Load:
    """The load of one run: from ``at`` [ms] on it is ``kw``, ascending, int64 and float64 (changes + 1,)."""

    at: Ints
    kw: Values

    @classmethod
    def of(cls, columns: dict[str, NDArray[Any]], draw: Draw) -> "Load":
        """Fold the rows of an event log, by column."""
        phase, start, end = (columns[name] for name in ("phase", "start_ms", "end_ms"))
        held = (columns["what"] == "phase") & (end > start)
        # the rows ``running`` and ``checkpoint`` of one stretch span all of it; its GPUs stand in the first of them
        stretch = held & ((phase == RUNNING) | (phase == "checkpoint"))
        _, first = np.unique(
            np.stack([columns["gang"][stretch], start[stretch], end[stretch]]), axis=1, return_index=True
        )
        rows = np.concatenate([np.flatnonzero(stretch)[first], np.flatnonzero(held & ~stretch)])
        computes = stretch[rows]
        idle = ~computes & ~np.isin(phase[rows], OFF)
        kw = columns["gpus"][rows] * np.where(computes, draw.full_kw, np.where(idle, draw.idle_kw, 0.0))
        times, place = np.unique(np.concatenate([start[rows], end[rows]]), return_inverse=True)
        steps = np.bincount(place, np.concatenate([kw, -kw]), minlength=len(times))
        load = np.asarray(draw.rest_kw + np.cumsum(steps), dtype=np.float64)
        changed = np.abs(steps) > LEAST * max(1.0, float(load.max(initial=0.0)))
        changed[:1] = True
        return cls(times[changed][:-1], load[changed][:-1])  # the last step is the end of the horizon

    def swings(self, within: int) -> Values:
        """Return at each change how far the load is from what it was at most ``within`` ms before [kW].

        Of all loads in that time the one that is farthest away counts; negative: it has fallen. float64 (changes,).
        """
        if len(self.at) < 2:
            return np.zeros(0)
        ends = np.arange(1, len(self.at))
        since = np.searchsorted(self.at, self.at[1:] - within, side="right") - 1  # the load that held at that time
        spans = np.stack([np.maximum(since, 0), ends], axis=1).ravel()
        now = self.kw[1:]
        risen = now - np.minimum.reduceat(self.kw, spans)[::2]
        fallen = now - np.maximum.reduceat(self.kw, spans)[::2]
        return np.where(risen > -fallen, risen, fallen)


@dataclass(frozen=True, eq=False)
class Swing:
    """The swings of a scenario's load within a minute, over ``runs`` runs of ``hours`` each.

    ``changes_kw``: each of them, float64, negative where it falls. ``full_kw``: the load if all GPUs compute.
    ``checkpoint_kw``: what it falls by while the largest job that writes is blocked by a checkpoint; None: none is.
    ``limit_kw``: what it may change by, None if no limit is known.
    """

    runs: int
    hours: float
    full_kw: float
    changes_kw: Values
    checkpoint_kw: float | None
    limit_kw: float | None

    @classmethod
    def of(cls, scenario: Scenario, replications: Sequence[int]) -> "Swing | None":
        """Play some of the runs again, with their logs; None where the topology says nothing of power."""
        draw = Draw.of(scenario)
        if draw is None:
            return None
        chosen = list(replications)[:MOST_RUNS]
        loads = [Load.of(Played(scenario, each).log.columns(), draw) for each in chosen]
        changes = np.concatenate([np.zeros(0), *(load.swings(MS_PER_MIN) for load in loads)])
        writers = [job.gpus for job in scenario.jobs if job.recovery.checkpoint_write and job.recovery.may_roll_back]
        written = max(writers, default=0) * (draw.full_kw - draw.idle_kw)
        grid = scenario.grid
        limit = None if grid is None or grid.ramp is None else grid.ramp / 1e3
        full = scenario.cluster.gpus * draw.full_kw + draw.rest_kw
        return cls(len(chosen), scenario.horizon / MS_PER_H, full, changes, written or None, limit)

    @cached_property
    def falls(self) -> float:
        """The largest fall within a minute [kW], 0 if there is none."""
        return float(-self.changes_kw.min(initial=0.0))

    @cached_property
    def rises(self) -> float:
        """The largest rise within a minute [kW], 0 if there is none."""
        return float(self.changes_kw.max(initial=0.0))

    @cached_property
    def p99(self) -> float:
        """Of a hundred changes, 99 are at most that large, up or down [kW]; 0 if there is none."""
        return float(np.quantile(np.abs(self.changes_kw), 0.99)) if len(self.changes_kw) else 0.0

    @property
    def a_month(self) -> float:
        """Changes in a month of 720 h."""
        return self._monthly(len(self.changes_kw))

    @property
    def beyond_a_month(self) -> float | None:
        """Changes beyond the limit in a month of 720 h; None without a limit."""
        if self.limit_kw is None:
            return None
        return self._monthly(int(np.count_nonzero(np.abs(self.changes_kw) > self.limit_kw)))

    @property
    def excess_kw(self) -> tuple[float, float]:
        """By how much changes go beyond the limit [kW]: the median of those that do, and the most; zeros if none do."""
        beyond = np.abs(self.changes_kw) - (self.limit_kw or 0.0)
        beyond = beyond[beyond > 0] if self.limit_kw is not None else np.zeros(0)
        return (float(np.median(beyond)), float(beyond.max())) if len(beyond) else (0.0, 0.0)

    def sizes(self, bins: int) -> tuple[Values, Values]:
        """Return edges [kW], float64 (bins + 1,), and changes a month of a size between them, up or down."""
        edges = np.linspace(0, max(self.falls, self.rises), bins + 1)
        counts, _ = np.histogram(np.abs(self.changes_kw), edges)
        return edges, np.array([self._monthly(int(count)) for count in counts])

    def _monthly(self, count: int) -> float:
        return count / (self.runs * self.hours) * HOURS_PER_MONTH

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data [kW]."""
        return {
            "within_min": 1,
            "runs": self.runs,
            "full_load_kw": self.full_kw,
            "largest_fall_kw": self.falls,
            "largest_rise_kw": self.rises,
            "p99_kw": self.p99,
            "changes_per_month": self.a_month,
            "checkpoint_kw": self.checkpoint_kw,
            "limit_kw": self.limit_kw,
            "beyond_limit_per_month": self.beyond_a_month,
            "beyond_limit_median_kw": self.excess_kw[0],
        }
