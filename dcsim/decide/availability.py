"""How much of each month what is sold was available: the counters of the ledger, folded over all runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.economics.credits import PROMISES, reached_names
from dcsim.montecarlo import Sample
from dcsim.scenario.plan import lay_out

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Availability:
    """What is sold, how many domains of it there are, and the share of them with each availability, month by month.

    ``size``, ``needs``: GPUs of a domain, and those that must be in service for it to be available. ``reached``:
    float64 (k availabilities, months), the mean over the runs; ``unplanned``: the same without maintenance. Months in
    which a domain has had no power before do not count; ``handed_over``: float64 (months,), how many count in the mean.
    ``promised``: the highest of ``PROMISES`` that is missed in at most ``promise`` of the months of a domain; None
    where each is missed more often, or nobody asks.
    """

    sold: str
    size: int
    needs: int
    domains: int
    availability: tuple[float, ...]
    reached: NDArray[np.float64]
    unplanned: NDArray[np.float64]
    handed_over: NDArray[np.float64]
    promise: float | None = None
    promised: float | None = None

    @classmethod
    def of(cls, sample: Sample) -> "Availability | None":
        """Fold the runs of a scenario; None if nothing is sold, or if months were not kept."""
        sla, counted = sample.scenario.sla, sample.ledgers.available_domains
        if sla is None or not counted.shape[1]:
            return None
        size, domains = lay_out(sample.scenario).sold
        whole = handed_over(sample, domains)
        counted = counted[:, :, : 2 * len(sla.counted)]
        reached, unplanned = np.split(_mean_share(counted, whole[:, :, None]).T, 2)
        told, handed = len(sla.shares), whole.mean(axis=0)
        kept = [_mean(each, handed) for each in (unplanned if excludes_maintenance(sample) else reached)[told:]]
        promised = [share for share, its in zip(PROMISES, kept, strict=False) if 1 - its <= (sla.promise or 0.0)]
        return cls(
            *(sla.sold, size, sla.needs or size, domains, sla.shares, reached[:told], unplanned[:told], handed),
            *(sla.promise, promised[0] if promised else None),
        )

    def share(self, index: int, planned: bool = True) -> float:
        """Return in which share of all months of all domains an availability was reached."""
        return _mean((self.reached if planned else self.unplanned)[index], self.handed_over)

    @property
    def has_maintenance(self) -> bool:
        """Whether maintenance takes anything away from it."""
        return bool((self.reached != self.unplanned).any())

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, in fractions."""
        asked = {} if self.promise is None else {"promise": {"missed": self.promise, "availability": self.promised}}
        return asked | {
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


def handed_over(sample: Sample, domains: int) -> Values:
    """Return how many domains had power when each month began, float64 (n, months): all of them without phases."""
    sla, counted = sample.scenario.sla, sample.ledgers.available_domains
    assert sla is not None
    if counted.shape[2] > 2 * len(sla.counted):
        return counted[:, :, -1].astype(np.float64)
    return np.full(counted.shape[:2], float(domains))


def _mean(by_month: Values, weights: Values) -> float:
    """Return the mean of months by how many domains count in each; 1 where none does."""
    return float(np.average(by_month, weights=weights)) if weights.any() else 1.0


def _mean_share(counted: NDArray[np.int64], whole: Values) -> Values:
    """Return the mean over runs of counted domains by those handed over, float64 (months, 2 k); 1 where none is."""
    of, part = whole.sum(axis=0), counted.sum(axis=0)
    return np.asarray(np.divide(part, of, out=np.ones(part.shape), where=of > 0))


def excludes_maintenance(sample: Sample) -> bool:
    """Return whether the contract counts planned maintenance as no downtime; without credits it does not say so."""
    sla = sample.scenario.sla
    return sla is not None and sla.credits is not None and not sla.credits.counts_maintenance


def sold_series(sample: Sample) -> dict[str, Values]:
    """Return how many domains are sold in each month, and how many of them had each availability, as series.

    ``domains`` and those of ``reached_names``, each float64 (n, m + 1), zero at the closing. What the contract excludes
    is no downtime. Raises ValueError if nothing is sold, or if months were not kept.
    """
    sla, counted = sample.scenario.sla, sample.ledgers.available_domains
    if sla is None or not counted.shape[1]:
        raise ValueError("nothing is sold, or months were not kept")
    _, domains = lay_out(sample.scenario).sold
    first = len(sla.counted) if excludes_maintenance(sample) else 0
    columns = np.pad(counted.astype(np.float64), ((0, 0), (1, 0), (0, 0)))
    whole = np.pad(handed_over(sample, domains), ((0, 0), (1, 0)))
    found = {name: columns[:, :, first + index] for index, name in enumerate(reached_names(sla.shares))}
    return {"domains": whole} | found
