"""What an SLA gives back, run by run: credits for months below an availability, and a guarantee of kept progress."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, reduce
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.accounts import MoneyBook
from dcsim.decide.activity import Activity
from dcsim.decide.availability import Values, sold_series
from dcsim.decide.bills import inputs_by_run, runs_per_price
from dcsim.decide.theory import gang_strikes
from dcsim.economics.credits import credit_lines
from dcsim.economics.statement import Input, Line, Statement
from dcsim.montecarlo import Sample, Summary, summarise
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan


@dataclass(frozen=True, eq=False)
class SlaCredits:
    """What is given back, and what is not: arrays by run and month, float64 (n, m).

    ``charge``: the price of what is sold [USD], or 1 a month where nothing has a price (``priced`` is false).
    ``credits``: what comes back of it, claimed and capped. ``lost``: the lost share of the GPU-hours.
    """

    statement: Statement
    claimed: float
    priced: bool
    charge: Values
    credits: Values
    lost: Values
    shared: int

    @classmethod
    def of(cls, sample: Sample, book: MoneyBook | None) -> "SlaCredits | None":
        """Fold the runs of a scenario; None without [sla.credits], or if months were not kept.

        An owner's credits are those of the book; a renter's are what may be claimed of the rent.
        """
        sla, activity = sample.scenario.sla, Activity.of(sample)
        if sla is None or sla.credits is None or activity is None:
            return None
        sold = book is not None and "credit_share" in book.statement.by_name
        statement = book.statement if book is not None and sold else _of_renter(sample, activity)
        charge = statement.values["revenue" if sold else "rent_of_month"][:, 1:]
        return cls(
            statement,
            sla.credits.claimed,
            sold or sample.scenario.tco is not None,
            charge,
            statement.values["credits"][:, 1:],
            sample.month_lost,
            runs_per_price(sample.scenario),
        )

    @cached_property
    def share_by_run(self) -> Values:
        """What is given back of the price of all months, float64 (n,)."""
        part, whole = self.credits.sum(axis=1), self.charge.sum(axis=1)
        return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))

    @cached_property
    def usd_by_run(self) -> Values:
        """What is given back in the mean month [USD], float64 (n,)."""
        return np.asarray(self.credits.mean(axis=1))

    @cached_property
    def share(self) -> Summary:
        """What is given back of the price, by run."""
        return self._summary(self.share_by_run)

    @cached_property
    def usd_a_month(self) -> Summary:
        """What is given back in the mean month of a run [USD]."""
        return self._summary(self.usd_by_run)

    @cached_property
    def unpaid_usd_a_month(self) -> Summary:
        """Lost work at the price, in the mean month of a run [USD]."""
        return self._summary((self.lost * self.charge).mean(axis=1))

    @property
    def p95_month_usd(self) -> float:
        """What one month in twenty gives back or exceeds [USD]."""
        return float(np.quantile(self.credits, 0.95))

    def _summary(self, values: Values) -> Summary:
        return summarise(values, float(values.mean()), shared=self.shared)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data: shares of the price, USD a month where something has a price."""
        from dcsim.decide.documents import mean_json

        usd = {
            "usd_a_month": mean_json(self.usd_a_month) | {"p95_of_months": self.p95_month_usd},
            "lost_work_usd_a_month": mean_json(self.unpaid_usd_a_month),
            "by_month_usd": self.credits.mean(axis=0).tolist(),
        }
        return {"claimed": self.claimed, "share_of_price": mean_json(self.share)} | (usd if self.priced else {})


def _of_renter(sample: Sample, activity: Activity) -> Statement:
    """Return the statement of what a renter may claim: of the rent of a month, or of 1 where there is no rent."""
    scenario = sample.scenario
    assert scenario.sla is not None

    def inputs(its: Scenario) -> list[Input]:
        assert its.sla is not None
        rent = [] if its.tco is None else [Input("gpu_hour", its.tco.gpu_hour, "USD/GPU-h", "tco.gpu_hour")]
        return [*credit_lines(its.sla, "rent_of_month")[1], *rent]

    lines, _ = credit_lines(scenario.sla, "rent_of_month", "renter")
    if scenario.tco is None:
        lines.insert(0, Line("rent_of_month", "a month's price, as 1", "1", "1 if hours > 0 else 0", "renter"))
    else:
        lines.insert(0, Line("rent_of_month", "GPU rent", "USD", "cluster_gpu_hours * gpu_hour", "renter"))
    return Statement.of(lines, inputs_by_run(sample, inputs), activity.series | sold_series(sample))


# --- a guarantee of kept progress -------------------------------------------------------------------------------------

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
