"""What a cluster did month by month, run by run: the series that every statement of money is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.bills import energy_at_meter
from dcsim.ledger import CAUSES, STATE
from dcsim.montecarlo import Sample
from dcsim.scenario import Scenario
from dcsim.units import MS_PER_H

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Activity:
    """The months of a sample: ``gpu_ms``, int64 (n, m + 1, 13 states), column 0 the closing, all zero.

    ``gpu_hours``: the same by name of the state, float64 (n, m + 1).

    ``ends``: of each month, int64 (m + 1,) [ms], the closing's 0. ``hours``: of each month, float64 (m + 1,); the last
    one may be shorter. ``energy_kwh``: at the site's meter, float64 (n, m + 1); None where the topology says nothing of
    power. ``failures``: of each run, float64 (n,).
    """

    scenario: Scenario
    ends: NDArray[np.int64]
    hours: Values
    gpu_ms: NDArray[np.int64]
    gpu_hours: Mapping[str, Values]
    energy_kwh: Values | None
    failures: Values

    @classmethod
    def of(cls, sample: Sample) -> "Activity | None":
        """Fold the ledgers of a sample; None if months were not kept."""
        if not sample.has_months:
            return None
        by_month = sample.ledgers.gpu_ms_by_month
        gpu_ms = np.concatenate([np.zeros_like(by_month[:, :1]), by_month], axis=1)
        scenario = sample.scenario
        ends = np.minimum(np.arange(gpu_ms.shape[1]) * scenario.month, scenario.horizon)
        hours = np.concatenate([[0.0], np.diff(ends) / MS_PER_H])
        gpu_hours = {state: gpu_ms[:, :, column] / MS_PER_H for state, column in STATE.items()}
        energy = _energy(sample, hours, gpu_hours)
        return cls(scenario, ends, hours, gpu_ms, gpu_hours, energy, sample.failures.astype(np.float64))

    @cached_property
    def series(self) -> dict[str, Values]:
        """The series by the names that formulas use, each float64 (n, m + 1).

        ``hours``; ``cluster_gpu_hours`` = N * hours; ``powered_gpu_hours``: all but unpowered ones;
        ``in_service_gpu_hours``: all but those in repair, in maintenance or unpowered; ``useful_gpu_hours``;
        ``energy_kwh`` where it is known; ``failures``: those of the run, spread over its months by their hours.
        """
        hours = np.broadcast_to(self.hours, self.gpu_ms.shape[:2])
        found = {
            "hours": hours,
            "cluster_gpu_hours": self._without(),
            "powered_gpu_hours": self._without("unpowered"),
            "in_service_gpu_hours": self._without("unpowered", "repair", "maintenance"),
            "useful_gpu_hours": self.gpu_hours["useful"],
            "failures": self.failures[:, None] * hours / self.hours.sum(),
        }
        return found if self.energy_kwh is None else found | {"energy_kwh": self.energy_kwh}

    def _without(self, *states: str) -> Values:
        """Return the GPU-hours of all states but these, float64 (n, m + 1)."""
        columns = [column for state, column in STATE.items() if state not in states]
        return np.asarray(self.gpu_ms[:, :, columns].sum(axis=2) / MS_PER_H)


def _energy(sample: Sample, hours: Values, gpu_hours: Mapping[str, Values]) -> Values | None:
    """Return energy by run and month, float64 (n, m + 1) [kWh]; its sum over a run's months is the run's.

    The ledger knows the causes of overhead by run only: what a capped or a shrunk step does not draw is spread over the
    months as the overhead is (assumed).
    """
    causes = sample.ledgers.overhead_gpu_ms.sum(axis=1) / MS_PER_H
    slower = gpu_hours["overhead"]
    of_run = slower.sum(axis=1, keepdims=True)
    share = np.divide(slower, of_run, out=np.zeros_like(slower), where=of_run > 0)
    overhead = {name: causes[:, column : column + 1] * share for column, name in enumerate(CAUSES)}
    kwh = energy_at_meter(sample.scenario, gpu_hours, overhead, hours)
    return None if kwh is None else sum(kwh.values(), np.zeros_like(slower))
