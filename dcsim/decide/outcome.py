"""What a simulation says about a scenario, beside what the closed forms say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.energy import Energy
from dcsim.decide.estimate import SCHEMA, Bill, Estimate, at_mtbf, bill, estimate, mtbf_ranges_h, relative
from dcsim.economics import total, useful_hour_prices
from dcsim.montecarlo import Paired, Progress, RunStore, Sample, Summary, replicate_many, summarise, write_events
from dcsim.scenario import Scenario, sha256

REPLICATIONS = 100
"""Default number of replications: three tiers and their bridges take 47 s of CPU, 25 s on two cores (measured)."""
MOST_AT_RANGE_ENDS = 32
"""Replications at each end of a range of MTBF: the effect is far larger than its error (assumed)."""
ENGINE = "simpy"
NOT_DONE = dict.fromkeys(("mean", "se", "ci95", "p5", "p50", "p95"))


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
    """

    sample: Sample
    estimate: Estimate
    mtbf_range: MtbfRange | None = None
    folder: Path | None = None
    notices: tuple[str, ...] = ()

    @property
    def scenario(self) -> Scenario:
        """What was simulated."""
        return self.sample.scenario

    @cached_property
    def ledger(self) -> dict[str, float]:
        """Mean GPU-hours in each of the 13 states."""
        return self.sample.mean_gpu_hours

    @cached_property
    def loss(self) -> Summary:
        """1 - useful / (N * H), idle included."""
        return summarise(self.sample.loss, self.sample.mean_loss)

    @cached_property
    def job_loss(self) -> Summary | None:
        """1 - useful / (GPU-hours that jobs asked for); None if they asked for none."""
        losses = self.sample.job_loss
        return None if losses is None else summarise(losses, self.sample.mean_job_loss)

    @cached_property
    def interruptions_per_month(self) -> Summary:
        """Strikes on gangs per 720 h."""
        return summarise(self.sample.interruptions_per_month, self.sample.mean_interruptions_per_month)

    @cached_property
    def failures_per_month(self) -> Summary:
        """Effective component failures per 720 h."""
        return summarise(self.sample.failures_per_month, self.sample.mean_failures_per_month)

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
                hours = self.sample.finish_h(job.name)
                summary = summarise(hours, float(hours.mean())) if len(hours) else None
                found[job.name] = Finish(len(hours) / len(self.sample), summary)
        return found

    @cached_property
    def tco(self) -> Bill | None:
        """The renter's table at the mean loss; None without [tco]."""
        return bill(self.scenario, self.sample.mean_loss)

    @cached_property
    def energy(self) -> Energy | None:
        """Energy over the horizon, in the mean; None where the topology says nothing of power."""
        return Energy.of(self.scenario, self.ledger, self.sample.overhead_by_cause)

    @cached_property
    def totals_usd(self) -> NDArray[np.float64] | None:
        """Cost of the term [USD] in each replication, float64 (n,); None without [tco]."""
        tco = self.scenario.tco
        return None if tco is None else total(tco, self.scenario.cluster.gpus, self.sample.loss)

    @cached_property
    def total_usd(self) -> Summary | None:
        """Cost of the term [USD]; its mean is the cost at the mean loss."""
        if self.tco is None or self.totals_usd is None:
            return None
        return summarise(self.totals_usd, self.tco.total_usd)

    @cached_property
    def useful_hours_usd(self) -> NDArray[np.float64] | None:
        """All-in price of a useful GPU-hour [USD] in each replication; None without [tco], or if nothing was useful."""
        tco = self.scenario.tco
        if tco is None or not (self.sample.loss < 1).all():
            return None
        return useful_hour_prices(tco, self.scenario.cluster.gpus, self.sample.loss)["all_in"]

    @cached_property
    def useful_hour_usd(self) -> Summary | None:
        """All-in price of a useful GPU-hour [USD]; its mean is the price at the mean loss."""
        price = price_all_in(self.tco)
        if self.useful_hours_usd is None or price is None:
            return None
        return summarise(self.useful_hours_usd, price)

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
            "engine": ENGINE,
            "replications": len(self.sample),
            "gpu_hours_total": self.sample.gpu_hours_total,
            "ledger": self.ledger,
            "overhead_by_cause": self.sample.overhead_by_cause,
            "goodput": {
                "loss": _summary(self.loss),
                "job_loss": _summary(self.job_loss),
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
    return {"schema": SCHEMA, "scenarios": [each.entry(runs[0]) for each in runs]}


def _mean(summary: Summary | Paired) -> dict[str, Any]:
    return {"mean": summary.mean, "se": summary.se, "ci95": summary.ci95 and list(summary.ci95)}


def _summary(summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return _mean(summary) | {"p5": summary.p5, "p50": summary.p50, "p95": summary.p95}


class How(TypedDict, total=False):
    """How to simulate; every key may be left out.

    ``replications`` 0 to n - 1 are simulated by ``workers`` processes (default: the cores at hand). With ``output``
    each is kept, as it finishes, in a folder of its scenario under it, and ``resume`` reads what is there; ``command``
    is noted beside it. ``progress`` is called after each. ``events``: of how many replications, from 0 on, the event
    log is kept there too.
    """

    replications: int
    workers: int | None
    output: Path | str | None
    resume: bool
    progress: Progress | None
    command: Sequence[str]
    events: int


def run(scenario: Scenario, **how: Unpack[How]) -> RunResult:
    """Simulate one scenario.

    Raises StoreError for a folder that cannot be used, Interrupted on Ctrl-C.
    """
    results, _ = run_many([scenario], **how)
    return results[0]


def run_many(
    scenarios: Sequence[Scenario], besides: Sequence[Scenario] = (), **how: Unpack[How]
) -> tuple[tuple[RunResult, ...], list[Sample]]:
    """Simulate scenarios together, each with its own seed; return their results, and the samples of ``besides``.

    Raises as ``run``.
    """
    if unknown := how.keys() - How.__annotations__.keys():
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(How.__annotations__)}")
    replications, output = how.get("replications", REPLICATIONS), how.get("output")
    workers, progress = how.get("workers"), how.get("progress")
    command = how.get("command", ())
    stores = [
        None if output is None else RunStore(Path(output), each, engine=ENGINE, command=command) for each in scenarios
    ]
    ends = [_range_ends(each) for each in scenarios]
    at_ends = [(end, None) for pair in ends for end in pair]
    runs = [*zip(scenarios, stores, strict=True), *((each, None) for each in besides), *at_ends]
    counts = [replications] * len(runs)
    for index, (end, _) in enumerate(at_ends, len(runs) - len(at_ends)):
        if end not in scenarios:  # an end that is the scenario itself shares its replications: all of them
            counts[index] = min(replications, MOST_AT_RANGE_ENDS)
    resume = how.get("resume", False)
    samples = replicate_many(runs, counts, workers=workers, resume=resume, progress=progress)
    found = iter(samples[len(runs) - len(at_ends) :])
    ranges = [
        MtbfRange.of(each, *(next(found) for _ in pair)) if pair else None
        for each, pair in zip(scenarios, ends, strict=True)
    ]
    results = []
    for scenario, sample, mtbf, store in zip(scenarios, samples, ranges, stores, strict=False):
        folder, notices = (store.folder, tuple(store.notices)) if store else (None, ())
        if folder is not None:
            for number in range(min(how.get("events", 0), replications)):
                write_events(folder, scenario, number)
        results.append(RunResult(sample, estimate(scenario), mtbf, folder, notices))
    return tuple(results), samples[len(scenarios) : len(runs) - len(at_ends)]


def _range_ends(scenario: Scenario) -> tuple[Scenario, ...]:
    """Return the scenario at the lowest and at the highest MTBF of its hazards' ranges, or nothing without one."""
    if not mtbf_ranges_h(scenario):
        return ()
    return at_mtbf(scenario, "lowest"), at_mtbf(scenario, "highest")
