"""What one simulated scenario says: goodput, money and energy with their errors, as values and as JSON."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.accounts import MoneyBook
from dcsim.decide.availability import Availability
from dcsim.decide.bills import (
    Energy,
    Money,
    ends_when_done,
    mean_bill,
    price_all_in,
    prices_vary,
    runs_per_price,
    use_each,
)
from dcsim.decide.cash import Cash
from dcsim.decide.display import Displayed, to_pandas
from dcsim.decide.documents import runs_json
from dcsim.decide.error_budget import ErrorBudget
from dcsim.decide.estimate import Estimate, bill
from dcsim.decide.lender import Lender
from dcsim.decide.run_table import run_table
from dcsim.decide.sla_credits import SlaCredits
from dcsim.decide.study import MtbfRange
from dcsim.decide.swing import Swing
from dcsim.decide.tokens import TokenSales
from dcsim.economics import Bill, Use
from dcsim.economics.bill import bill as bill_of
from dcsim.montecarlo import (
    SIMPY,
    Engine,
    Estimated,
    Sample,
    Stopped,
    Summary,
    deviations,
    estimated_loss,
    runs_per_draw,
    summarise,
)
from dcsim.montecarlo.reliability import runs_needed_after, unseen
from dcsim.scenario import Scenario
from dcsim.units import MS_PER_H

JOB_STATES = frozenset(("useful", "overhead", "checkpoint", "lost", "detect", "failover", "restore", "wait"))
"""States of the GPUs that a job holds: all of their time is before the job's end."""


@dataclass(frozen=True)
class Finish:
    """When a job was done: in which share of the replications all of its gangs were, and when the last was [h] there.

    Below a share of 1 the times are those of the quicker replications only. ``hours``: None if none was done.
    """

    share: float
    hours: Summary | None


@dataclass(frozen=True, repr=False)
class RunResult(Displayed):
    """One scenario, simulated and estimated.

    ``folder`` holds the replications, None if they were not kept; ``notices`` say what was found damaged in it.
    ``stopped``: how a run with a precision ended; losses and costs are then about the mean that is adjusted for the
    failures drawn (``statistics.adjusted``), else about the plain mean, which agrees with the ledger to the digit.
    ``engine``: what simulated it, and why.
    """

    sample: Sample
    estimate: Estimate
    mtbf_range: MtbfRange | None = None
    folder: Path | None = None
    notices: tuple[str, ...] = ()
    stopped: Stopped | None = None
    engine: Engine = SIMPY

    @property
    def scenario(self) -> Scenario:
        """What was simulated."""
        return self.sample.scenario

    @cached_property
    def ledger(self) -> dict[str, float]:
        """Mean GPU-hours in each of the 13 states."""
        return self.sample.mean_gpu_hours

    @cached_property
    def availability(self) -> Availability | None:
        """How much of each month what is sold was available; None: nothing is sold, or months were not kept."""
        return Availability.of(self.sample)

    @cached_property
    def credits(self) -> SlaCredits | None:
        """What is given back for months below an availability; None without [sla.credits], or without months."""
        return SlaCredits.of(self.sample, self.book)

    @cached_property
    def swing(self) -> Swing | None:
        """How the site's load swings within a minute; None without [grid], or without power in the topology."""
        return None if self.scenario.grid is None else Swing.of(self.scenario, self.sample.replications.tolist())

    @cached_property
    def error_budget(self) -> ErrorBudget | None:
        """How the goodput objective is kept month by month; None: there is none, or months were not kept."""
        return ErrorBudget.of(self.sample)

    @cached_property
    def control(self) -> NDArray[np.float64] | None:
        """Failures drawn less their expectation in each replication, float64 (n,); None if no rate is constant."""
        return deviations(self.sample)

    def _estimated(self, values: NDArray[np.float64], mean: float) -> Estimated:
        shared = runs_per_draw(self.scenario)
        return Estimated.of(values, mean, self.control, shared=shared, controls=self.stopped is not None)

    @cached_property
    def loss_estimated(self) -> Estimated:
        """1 - useful / (N * H), idle included, by both estimators."""
        return estimated_loss(self.sample, self.control, self.stopped is not None)

    @property
    def loss(self) -> Summary:
        """1 - useful / (N * H), idle included."""
        return self._reliably(self.loss_estimated.shown)

    @cached_property
    def runs_needed(self) -> int | None:
        """The runs that a reliable interval needs, where these are too few; None where they are enough.

        By theory (``runs_needed_after``), or by the sample where it is far more skewed than theory says.
        """
        needed, skewed = runs_needed_after(self.sample) * runs_per_draw(self.scenario), self.loss_estimated.too_skewed
        if len(self.sample) < needed:
            return max(needed, skewed or 0)
        return None if skewed is None else max(needed, skewed)

    @cached_property
    def unseen_gpu_hours(self) -> float:
        """By how many GPU-hours a run may lose more in truth than these few runs show in the mean; 0: they are enough.

        By theory: what the causes cost that are too rare for so many runs. Infinite where the sample is far more skewed
        than theory says.
        """
        if self.runs_needed is None:
            return 0.0
        found = unseen(self.scenario, len(self.sample) // runs_per_draw(self.scenario))
        return found / MS_PER_H if found else math.inf

    def _reliably(self, summary: Summary) -> Summary:
        return replace(summary, reliable=self.runs_needed is None)

    @cached_property
    def lost_estimated(self) -> Estimated:
        """The lost share of all GPU-hours that the answer is about, by both estimators.

        It leaves out GPUs that no job asked for. Where every job has work it is about the time until the last one is
        done, as a ratio of means. Where jobs and spares take all GPUs over the whole horizon it is ``loss_estimated``.
        """
        sample = self.sample
        if not sample.scenario.ends and not any(sample.unasked_gpu_ms):
            return self.loss_estimated
        over, lost = (np.array(each, dtype=np.float64) for each in (sample.capacity_gpu_ms, sample.lost_gpu_ms))
        controls = self.stopped is not None
        found = Estimated.ratio(lost, over, self.control, shared=runs_per_draw(self.scenario), controls=controls)
        assert found is not None  # a capacity is above zero
        return found

    @property
    def lost(self) -> Summary:
        """The lost share of all GPU-hours that the answer is about; see ``lost_estimated``."""
        return self._reliably(self.lost_estimated.shown)

    @cached_property
    def unasked(self) -> float:
        """Share of the GPU-hours that the answer is about that no job asked for, spares left out, in the mean."""
        return sum(self.sample.unasked_gpu_ms) / sum(self.sample.capacity_gpu_ms)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of each state in the GPU-hours that the answer is about, in the mean; they sum to 1.

        Until the last job is done, what is in no job counts as ``idle``: the ledger does not say when a spare is one.
        """
        hours = sum(self.sample.capacity_gpu_ms) / len(self.sample) / MS_PER_H
        if not self.scenario.ends:
            return {state: time / hours for state, time in self.ledger.items()}
        shares = {state: time / hours if state in JOB_STATES else 0.0 for state, time in self.ledger.items()}
        return shares | {"idle": max(0.0, 1 - sum(shares.values()))}

    @cached_property
    def done(self) -> "Finish | None":
        """When the last job was done; None unless every job has work."""
        if not self.scenario.ends:
            return None
        done = self.sample.done
        return self._finish(self.sample.answer_ms[done] / MS_PER_H)

    @cached_property
    def job_loss_estimated(self) -> Estimated | None:
        """1 - useful / (GPU-hours that jobs asked for), by both estimators; None if they asked for none."""
        losses, mean = self.sample.job_loss, self.sample.mean_job_loss
        return None if losses is None or mean is None else self._estimated(losses, mean)

    @property
    def job_loss(self) -> Summary | None:
        """1 - useful / (GPU-hours that jobs asked for); None if they asked for none."""
        return None if self.job_loss_estimated is None else self._reliably(self.job_loss_estimated.shown)

    @cached_property
    def interruptions_per_month(self) -> Summary:
        """Strikes on gangs per 720 h."""
        return self._plain(self.sample.interruptions_per_month, self.sample.mean_interruptions_per_month)

    @cached_property
    def failures_per_month(self) -> Summary:
        """Effective component failures per 720 h."""
        return self._plain(self.sample.failures_per_month, self.sample.mean_failures_per_month)

    def _plain(self, values: NDArray[np.float64], mean: float) -> Summary:
        return summarise(values, mean, shared=runs_per_draw(self.scenario))

    @cached_property
    def ettr(self) -> dict[str, float | None]:
        """Useful share of what each job asked for, in the mean."""
        return {job.name: self.sample.mean_ettr(job.name) for job in self.scenario.jobs}

    @cached_property
    def job_losses(self) -> dict[str, float | None]:
        """1 - useful / (GPU-hours asked for) of each job, in the mean; of a job of many gangs, per replica."""
        return {name: None if ettr is None else 1 - ettr for name, ettr in self.ettr.items()}

    @cached_property
    def finishes_h(self) -> dict[str, "Finish"]:
        """When the jobs that have work were done, by job."""
        found = {}
        for job in self.scenario.jobs:
            if job.work is not None:
                found[job.name] = self._finish(self.sample.finish_h(job.name))
        return found

    def _finish(self, hours: NDArray[np.float64]) -> "Finish":
        shared = runs_per_draw(self.scenario)
        summary = self._reliably(summarise(hours, float(hours.mean()), shared=shared)) if len(hours) else None
        if summary is not None and shared > 1 and len(hours) < len(self.sample):
            summary = summary.without_error()  # which of them are pairs is lost
        return Finish(len(hours) / len(self.sample), summary)

    # --- money ----------------------------------------------------------------------------------------------------

    @cached_property
    def tco(self) -> Bill | None:
        """The bill of the mean use, or the mean of all bills where prices vary; None without [tco]."""
        scenario = self.scenario
        if scenario.tco is None or prices_vary(scenario):
            return mean_bill(self.sample)
        if not scenario.ends:
            return bill(scenario, self.loss.mean)
        use = use_each(self.sample)
        each = (use.months, use.useful_gpu_hours, use.lost_gpu_hours)
        months, useful, lost = (self.of_money(values).shown.mean for values in each)
        return bill_of(scenario.tco, scenario.cluster.gpus, Use(months, useful, lost, use.burn_in_gpu_hours))

    @property
    def stops_when_done(self) -> bool:
        """Whether the rent stops when the last job is done, not at the end of the term."""
        return ends_when_done(self.scenario)

    @cached_property
    def money(self) -> Money | None:
        """What every run cost and did; None without [tco]."""
        return Money.of(self.sample)

    @cached_property
    def book(self) -> MoneyBook | None:
        """The money of all parties by month; None where the scenario has none, or where months were not kept."""
        return MoneyBook.of(self.sample)

    @cached_property
    def cash(self) -> Cash | None:
        """What the owner pays and earns; None without [owner], or where months were not kept."""
        return None if self.book is None else Cash.of(self.book, self._shared, self.runs_needed is None)

    @cached_property
    def lender(self) -> Lender | None:
        """What debt and equity make of the owner's cash; None without [finance], or where months were not kept."""
        finance = self.scenario.finance
        return None if self.book is None or finance is None else Lender(self.book.statement, finance, self._shared)

    @cached_property
    def tokens(self) -> TokenSales | None:
        """What the token seller earns; None without [tokens], or where months were not kept."""
        return None if self.book is None else TokenSales.of(self.book, self.of_money, self._ratio)

    @cached_property
    def energy(self) -> Energy | None:
        """Energy over the horizon, in the mean; None where the topology says nothing of power."""
        return Energy.of(self.scenario, self.ledger, self.sample.overhead_by_cause)

    @cached_property
    def total_estimated(self) -> Estimated | None:
        """What is paid and lost work at the rent [USD], the published method, by both estimators."""
        return None if self.money is None else self.of_money(self.money.with_lost_work)

    @cached_property
    def paid_estimated(self) -> Estimated | None:
        """What is invoiced [USD], by both estimators."""
        return None if self.money is None else self.of_money(self.money.paid)

    @cached_property
    def useful_hour_estimated(self) -> Estimated | None:
        """Paid per useful GPU-hour [USD], mean by mean; None without [tco], or if nothing was useful in any run."""
        return None if self.money is None else self._ratio(self.money.paid, self.money.useful_gpu_hours)

    @property
    def _luck(self) -> NDArray[np.float64] | None:
        """The control of what money depends on: none where prices vary, which it does not explain."""
        return None if prices_vary(self.scenario) else self.control

    @property
    def _shared(self) -> int:
        return runs_per_price(self.scenario)

    def _ratio(self, above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimated | None:
        return Estimated.ratio(above, below, self._luck, shared=self._shared, controls=self.stopped is not None)

    def of_money(self, values: NDArray[np.float64]) -> Estimated:
        """Estimate an amount that follows from prices, float64 (n,): runs that share what they drew count once."""
        mean = summarise(values).mean
        return Estimated.of(values, mean, self._luck, shared=self._shared, controls=self.stopped is not None)

    @property
    def total_usd(self) -> Summary | None:
        """What is paid and lost work at the rent [USD], the published method."""
        return self._about(self.total_estimated, None if self.tco is None else self.tco.with_lost_work_usd)

    @property
    def paid_usd(self) -> Summary | None:
        """What is invoiced [USD]: over the term, or until the last job is done."""
        return self._about(self.paid_estimated, None if self.tco is None else self.tco.paid_usd)

    @property
    def useful_hour_usd(self) -> Summary | None:
        """Paid per useful GPU-hour [USD]; its mean is mean paid by mean useful hours."""
        return self._about(self.useful_hour_estimated, price_all_in(self.tco))

    def _about(self, found: Estimated | None, mean: float | None) -> Summary | None:
        return None if found is None or mean is None else self._reliably(found.shown.moved(mean))

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What keeps the loss from an interval, or makes it wider than was asked for."""
        found = []
        if self.runs_needed is not None and len(self.sample) > 1:
            found.append(f"Too few runs for a reliable interval; about {self.runs_needed:,} are needed.")
        if self.stopped is not None and not self.stopped.reached:
            wanted, last = self.stopped.wanted, self.stopped.looks[-1]
            found.append(
                f"the loss is not within ± {100 * wanted:g} pp after {last.replications:,} replications, "
                "the most that were allowed"
            )
        return tuple(found)

    def __str__(self) -> str:
        """Return the loss and the cost in a line."""
        half = self.lost.shown_half_width
        error = "" if half is None else f" ± {100 * half:.2f}"
        cost = "" if self.tco is None else f", {self.tco.paid_usd:,.0f} USD paid"
        return f"{self.scenario.name}: {100 * self.lost.mean:.2f}{error} % of GPU-hours lost{cost}"

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each run: inputs drawn, losses, paid; see ``run_table``."""
        return run_table(self.sample)

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim run --json`` prints."""
        return runs_json([self])
