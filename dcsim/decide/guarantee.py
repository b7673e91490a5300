"""A goodput guarantee: how likely so many interruptions lose no progress, run by run."""

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.theory import gang_strikes
from dcsim.montecarlo import Sample
from dcsim.scenario.plan import plan

ROUNDING = 1e-9
"""A share that is reached exactly is kept, whatever a float makes of it."""


@dataclass(frozen=True)
class GuaranteeResult:
    """Of interruptions the share that loses no progress, and how likely it is too low over the horizon.

    ``kept``: in the mean of all interruptions of all runs, None where there was none. ``broken``: the probability that
    it is below ``asked`` over the horizon. ``credit``: what is given back then, of the price of the renewed contract.
    """

    asked: float
    kept: float | None
    broken: float
    credit: float

    @property
    def expected(self) -> float:
        """What is given back in the mean, of the price of the renewed contract."""
        return self.broken * self.credit

    @classmethod
    def of(cls, sample: Sample) -> "GuaranteeResult | None":
        """Fold the interruptions of a sample; None without [sla.guarantee].

        Interruptions are counted in each run; whether one loses progress is what the job's strategy says of its hazard
        (``theory.gang_strikes``), each by itself. Checkpoints just in time before announced failures are left out.
        """
        sla = sample.scenario.sla
        if sla is None or sla.guarantee is None:
            return None
        shares = kept_by_job(sample)
        counts = sample.ledgers.strikes[:, : len(shares)]
        total = int(counts.sum())
        kept = float((counts * shares).sum() / total) if total else None
        broken = float(np.mean([_broken(row, shares, sla.guarantee.kept) for row in counts.tolist()]))
        return cls(sla.guarantee.kept, kept, broken, sla.guarantee.credit)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, in fractions."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            "broken": self.broken,
            "expected_credit_of_renewal": self.expected,
        }


def kept_by_job(sample: Sample) -> NDArray[np.float64]:
    """Return which share of each job's interruptions loses no progress, float64 (jobs,); 1 for a job that has none."""
    layout = plan(sample.scenario)
    first = {gang.job: gang.index for gang in reversed(layout.gangs)}
    found = []
    for job in range(len(sample.scenario.jobs)):
        strikes = gang_strikes(layout, first[job])
        rate = sum(each.rate for each in strikes)
        found.append(sum(each.rate for each in strikes if each.level < 0) / rate if rate else 1.0)
    return np.array(found)


def _broken(counts: list[int], shares: NDArray[np.float64], asked: float) -> float:
    """Return how likely fewer than ``asked`` of the interruptions keep their progress: sums of binomial counts."""
    from scipy.stats import binom

    by_share: Counter[float] = Counter()
    for count, share in zip(counts, shares.tolist(), strict=True):
        by_share[share] += count
    needed = ceil(asked * sum(counts) - ROUNDING) - by_share.pop(1.0, 0)
    by_share.pop(0.0, 0)
    if needed <= 0:
        return 0.0
    laws = [binom.pmf(np.arange(count + 1), count, share) for share, count in by_share.items()]
    law = reduce(np.convolve, laws, np.ones(1))
    return float(law[:needed].sum())
