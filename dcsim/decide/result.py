"""What one simulated scenario says: goodput, money and energy with their errors, as values and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.bills import all_in_usd, mean_bill, prices_vary, totals_usd
from dcsim.decide.energy import Energy
from dcsim.decide.estimate import SCHEMA, Bill, Estimate, bill, mtbf_ranges_h, relative
from dcsim.montecarlo import (
    SIMPY,
    Engine,
    Estimated,
    Paired,
    Sample,
    Stopped,
    Summary,
    deviations,
    estimated_loss,
    in_a_row,
    summarise,
)
from dcsim.montecarlo.quantiles import QUANTILES
from dcsim.scenario import PER_SAMPLE, Scenario, sha256

NOT_DONE = dict.fromkeys(("mean", "se", "ci95", *QUANTILES, *(f"{name}_ci95" for name in QUANTILES)))


@dataclass(frozen=True)
class MtbfRange:
    """What the ranges of MTBF [h] that a scenario gives do to its simulated loss, on common failures.

    ``hazards``: (name, lowest, highest) of every hazard with a range; all of them move together.
    """

    hazards: tuple[tuple[str, float, float], ...]
    loss_at_lowest: float
    loss_at_highest: float
    usd_per_useful_gpu_hour_at_lowest: float | None
    usd_per_useful_gpu_hour_at_highest: float | None
    replications: int

    @classmethod
    def of(cls, scenario: Scenario, lowest: Sample, highest: Sample) -> "MtbfRange":
        """Return the range of a scenario that was simulated at both of its ends."""
        low, high = lowest.mean_loss, highest.mean_loss
        prices = price_all_in(bill(scenario, low)), price_all_in(bill(scenario, high))
        return cls(mtbf_ranges_h(scenario), low, high, *prices, replications=min(len(lowest), len(highest)))

    @property
    def moves(self) -> float:
        """Loss at the lowest MTBF less that at the highest."""
        return self.loss_at_lowest - self.loss_at_highest


@dataclass(frozen=True)
class Finish:
    """When a job was done: in which share of the replications all of its gangs were, and when the last was [h] there.

    Below a share of 1 the times are those of the quicker replications only. ``hours``: None if none was done.
    """

    share: float
    hours: Summary | None


@dataclass(frozen=True)
class RunResult:
    """One scenario, simulated and estimated.

    ``folder`` holds the replications, None if they were not kept; ``notices`` say what was found damaged in it.
    ``stopped``: how a run with a precision ended; losses and costs are then about the mean that is adjusted for the
    failures drawn (``montecarlo.control``), else about the plain mean, which agrees with the ledger to the digit.
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
    def control(self) -> NDArray[np.float64] | None:
        """Failures drawn less their expectation in each replication, float64 (n,); None if no rate is constant."""
        return deviations(self.sample)

    def _estimated(self, values: NDArray[np.float64], mean: float) -> Estimated:
        shared = in_a_row(self.scenario)
        return Estimated.of(values, mean, self.control, shared=shared, controls=self.stopped is not None)

    @cached_property
    def loss_estimated(self) -> Estimated:
        """1 - useful / (N * H), idle included, by both estimators."""
        return estimated_loss(self.sample, self.control, self.stopped is not None)

    @property
    def loss(self) -> Summary:
        """1 - useful / (N * H), idle included."""
        return self.loss_estimated.shown

    @cached_property
    def job_loss_estimated(self) -> Estimated | None:
        """1 - useful / (GPU-hours that jobs asked for), by both estimators; None if they asked for none."""
        losses, mean = self.sample.job_loss, self.sample.mean_job_loss
        return None if losses is None or mean is None else self._estimated(losses, mean)

    @property
    def job_loss(self) -> Summary | None:
        """1 - useful / (GPU-hours that jobs asked for); None if they asked for none."""
        return None if self.job_loss_estimated is None else self.job_loss_estimated.shown

    @cached_property
    def interruptions_per_month(self) -> Summary:
        """Strikes on gangs per 720 h."""
        return self._plain(self.sample.interruptions_per_month, self.sample.mean_interruptions_per_month)

    @cached_property
    def failures_per_month(self) -> Summary:
        """Effective component failures per 720 h."""
        return self._plain(self.sample.failures_per_month, self.sample.mean_failures_per_month)

    def _plain(self, values: NDArray[np.float64], mean: float) -> Summary:
        return summarise(values, mean, shared=in_a_row(self.scenario))

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
                hours, shared = self.sample.finish_h(job.name), in_a_row(self.scenario)
                summary = summarise(hours, float(hours.mean()), shared=shared) if len(hours) else None
                if summary is not None and shared > 1 and len(hours) < len(self.sample):
                    summary = summary.without_error()  # which of them are pairs is lost
                found[job.name] = Finish(len(hours) / len(self.sample), summary)
        return found

    @cached_property
    def tco(self) -> Bill | None:
        """The renter's table at the mean loss, or the mean of all tables where prices vary; None without [tco]."""
        return mean_bill(self.sample, self.loss.mean)

    @cached_property
    def energy(self) -> Energy | None:
        """Energy over the horizon, in the mean; None where the topology says nothing of power."""
        return Energy.of(self.scenario, self.ledger, self.sample.overhead_by_cause)

    @cached_property
    def total_estimated(self) -> Estimated | None:
        """Cost of the term [USD], by both estimators; the plain mean is the cost at the plain mean loss."""
        plain = mean_bill(self.sample, self.sample.mean_loss)
        return None if plain is None else self._money_estimated(totals_usd(self.sample), plain.total_usd)

    @cached_property
    def useful_hour_estimated(self) -> Estimated | None:
        """All-in price of a useful GPU-hour [USD]; None without [tco], or if nothing was useful in a replication."""
        plain = price_all_in(mean_bill(self.sample, self.sample.mean_loss))
        return None if plain is None else self._money_estimated(all_in_usd(self.sample), plain)

    def _money_estimated(self, values: NDArray[np.float64] | None, mean: float) -> Estimated | None:
        """Prices that vary are no part of what the control explains: their mean stays plain."""
        if values is None or not prices_vary(self.scenario):
            return None if values is None else self._estimated(values, mean)
        return Estimated.of(values, mean, None, shared=PER_SAMPLE)

    @property
    def total_usd(self) -> Summary | None:
        """Cost of the term [USD]; its mean is the cost at the mean loss."""
        if self.total_estimated is None or self.tco is None:
            return None
        return self.total_estimated.shown.moved(self.tco.total_usd)

    @property
    def useful_hour_usd(self) -> Summary | None:
        """All-in price of a useful GPU-hour [USD]; its mean is the price at the mean loss."""
        price = price_all_in(self.tco)
        if self.useful_hour_estimated is None or price is None:
            return None
        return self.useful_hour_estimated.shown.moved(price)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What makes the interval of the loss doubtful, or wider than was asked for."""
        found = []
        if self.loss_estimated.doubt is not None:
            found.append(f"the interval of the loss is doubtful: {self.loss_estimated.doubt}")
        if self.stopped is not None and not self.stopped.reached:
            wanted, last = self.stopped.wanted, self.stopped.looks[-1]
            found.append(
                f"the loss is not within ± {100 * wanted:g} pp after {last.replications:,} replications, "
                "the most that were allowed"
            )
        return tuple(found)

    def __str__(self) -> str:
        """Return the loss and the cost in a line."""
        error = "" if self.loss.half_width is None else f" ± {100 * self.loss.half_width:.2f}"
        cost = "" if self.tco is None else f", {self.tco.total_usd:,.0f} USD over the term"
        return f"{self.scenario.name}: {100 * self.loss.mean:.2f}{error} % of GPU-hours lost{cost}"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim run --json`` prints."""
        return runs_json([self])

    def entry(self, first: "RunResult") -> dict[str, Any]:
        """Return this scenario's part of a document whose first scenario is ``first``."""
        return {
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "seed": self.scenario.seed,
            **self.engine.to_json(),
            "replications": len(self.sample),
            "precision": None if self.stopped is None else _precision(self.stopped),
            "uncertain": [each.key for each in self.scenario.uncertain],
            "warnings": list(self.warnings),
            "gpu_hours_total": self.sample.gpu_hours_total,
            "ledger": self.ledger,
            "overhead_by_cause": self.sample.overhead_by_cause,
            "goodput": {
                "loss": _estimated(self.loss_estimated),
                "job_loss": _estimated(self.job_loss_estimated),
                "ettr": self.ettr,
                "job_loss_by_job": self.job_losses,
                "interruptions_per_month": _mean(self.interruptions_per_month),
                "failures_per_month": _mean(self.failures_per_month),
            },
            "finish_h": {
                name: {"finished_share": each.share, **(_summary(each.hours) or NOT_DONE)}
                for name, each in self.finishes_h.items()
            },
            "estimate": self.estimate.entry(first.estimate),
            "tco": self._money(first),
            "energy": None if self.energy is None else self.energy.to_json(),
            "mtbf_range": None if self.mtbf_range is None else asdict(self.mtbf_range),
            "folder": None if self.folder is None else str(self.folder),
        }

    def _money(self, first: "RunResult") -> dict[str, Any] | None:
        if self.tco is None:
            return None
        return {
            "total_usd": _summary(self.total_usd),
            "lines": dict(self.tco.lines),
            "monthly_usd": self.tco.monthly_usd,
            "relative": relative(self.tco, first.tco),
            "usd_per_useful_gpu_hour": dict(self.tco.usd_per_useful_gpu_hour),
            "all_in_usd_per_useful_gpu_hour": _summary(self.useful_hour_usd),
        }


def price_all_in(found: Bill | None) -> float | None:
    """Return the all-in price of a useful GPU-hour [USD]; None without a bill, or where nothing is useful."""
    return None if found is None else found.usd_per_useful_gpu_hour["all_in"]


def runs_json(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Return one document for several runs; ``relative`` is against the first."""
    from dcsim.decide.cautions import cautions_json  # it rests on what runs are made of

    return {
        "schema": SCHEMA,
        "cautions": cautions_json([each.scenario for each in runs], len(runs[0].sample)),
        "scenarios": [each.entry(runs[0]) for each in runs],
    }


def _mean(summary: Summary | Paired) -> dict[str, Any]:
    return {"mean": summary.mean, "se": summary.se, "ci95": summary.ci95 and list(summary.ci95)}


def _summary(summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    intervals = {f"{name}_ci95": getattr(summary, f"{name}_ci95") for name in QUANTILES}
    return (
        _mean(summary)
        | {name: getattr(summary, name) for name in QUANTILES}
        | {name: found and list(found) for name, found in intervals.items()}
    )


def _estimated(found: Estimated | None) -> dict[str, Any] | None:
    """Return what is shown, then both estimators."""
    if found is None:
        return None
    better = found.adjusted
    controlled = None
    if better is not None:
        controlled = {
            "mean": better.mean,
            "se": better.se,
            "ci95": list(better.ci95),
            "correlation": better.correlation,
        }
    return (_summary(found.shown) or {}) | {
        "estimator": found.estimator,
        "plain": _mean(found.plain),
        "controlled": controlled,
        "variance": found.variance and asdict(found.variance),
    }


def _precision(stopped: Stopped) -> dict[str, Any]:
    looks = [{"replications": look.replications, "half_width": look.half_widths[0]} for look in stopped.looks]
    return {"half_width": stopped.wanted, "reached": stopped.reached, "looks": looks}
