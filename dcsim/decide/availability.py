"""How much of each month what is sold was available: the counters of the ledger, folded over all runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.montecarlo import Sample
from dcsim.scenario.plan import lay_out


@dataclass(frozen=True, eq=False)
class Availability:
    """What is sold, how many domains of it there are, and the share of them with each availability, month by month.

    ``size``, ``needs``: GPUs of a domain, and those that must be in service for it to be available. ``reached``:
    float64 (k availabilities, months), the mean over the runs; ``unplanned``: the same without maintenance.
    """

    sold: str
    size: int
    needs: int
    domains: int
    availability: tuple[float, ...]
    reached: NDArray[np.float64]
    unplanned: NDArray[np.float64]

    @classmethod
    def of(cls, sample: Sample) -> "Availability | None":
        """Fold the runs of a scenario; None if nothing is sold, or if months were not kept."""
        sla, counted = sample.scenario.sla, sample.ledgers.available_domains
        if sla is None or not counted.shape[1]:
            return None
        size = lay_out(sample.scenario).topology.gpus_per(sla.sold)
        domains = sample.scenario.cluster.gpus // size
        reached, unplanned = np.split(counted.mean(axis=0).T / domains, 2)
        return cls(sla.sold, size, sla.needs or size, domains, sla.shares, reached, unplanned)

    def share(self, index: int, planned: bool = True) -> float:
        """Return in which share of all months of all domains an availability was reached."""
        return float((self.reached if planned else self.unplanned)[index].mean())

    @property
    def has_maintenance(self) -> bool:
        """Whether maintenance takes anything away from it."""
        return bool((self.reached != self.unplanned).any())

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, in fractions."""
        return {
            "sold": self.sold,
            "gpus": self.size,
            "needs_gpus": self.needs,
            "domains": self.domains,
            "reached": [
                {
                    "availability": share,
                    "domain_months": self.share(index),
                    "without_maintenance": self.share(index, planned=False),
                    "by_month": self.reached[index].tolist(),
                    "by_month_without_maintenance": self.unplanned[index].tolist(),
                }
                for index, share in enumerate(self.availability)
            ],
        }
