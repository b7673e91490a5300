"""A goodput objective month by month: how much of each month's error budget is used, over all runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.montecarlo import Sample, Summary, runs_per_draw, summarise

ROUNDING = 1e-12
"""A budget that is used up exactly is kept, whatever a float makes of it."""


@dataclass(frozen=True, eq=False)
class ErrorBudget:
    """How a goodput objective is kept. The error budget of a month is 1 - objective of the cluster's GPU-hours.

    GPU-hours that no job asked for draw nothing of it. ``used``: lost / budget of each month of each run, float64
    (n, months); above 1 the objective is missed. ``within``: the share of months in which it is kept, by run.
    ``mean_used``: of all months, by run.
    """

    objective: float
    used: NDArray[np.float64]
    within: Summary
    mean_used: Summary

    @classmethod
    def of(cls, sample: Sample) -> "ErrorBudget | None":
        """Fold the runs of a scenario; None without an objective, or if months were not kept."""
        slo, shared = sample.scenario.slo, runs_per_draw(sample.scenario)
        if slo is None or not sample.has_months:
            return None
        used = sample.month_lost / (1 - slo.goodput)
        within, mean = (used <= 1 + ROUNDING).mean(axis=1), used.mean(axis=1)
        found = (summarise(each, float(each.mean()), shared=shared) for each in (within, mean))
        return cls(slo.goodput, used, *found)

    def quantile(self, share: float) -> float:
        """Return the share of its budget that this share of all single months does not exceed."""
        return float(np.quantile(self.used, share))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, in fractions."""
        from dcsim.decide.documents import mean_json

        return {
            "objective": self.objective,
            "months_within": mean_json(self.within),
            "used": mean_json(self.mean_used) | {name: self.quantile(share) for name, share in SHARES.items()},
            "by_month": [
                {
                    "used": float(month.mean()),
                    "used_p95": float(np.quantile(month, 0.95)),
                    "missed": float((month > 1).mean()),
                }
                for month in self.used.T
            ],
        }


SHARES = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
