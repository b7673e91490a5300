"""What the closed forms say about one scenario: the published tables, instantly."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from dcsim.closed_form import (
    Accounting,
    Charge,
    HazardCharge,
    Mode,
    account,
    charge,
    mean_job_size,
)
from dcsim.decide.bills import least_months
from dcsim.decide.display import Displayed
from dcsim.decide.sla_theory import SlaTheory, sla_theory
from dcsim.decide.theory import Theory, theory
from dcsim.decide.tokens import TokenEstimate, token_estimate
from dcsim.economics import Bill, Use
from dcsim.economics.bill import bill as bill_of
from dcsim.hazards import Hazard
from dcsim.scenario import Scenario, Source, read, sha256
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import blast_of
from dcsim.topology import Topology
from dcsim.topology.build import build
from dcsim.units import HOURS_PER_MONTH, MS_PER_H

if TYPE_CHECKING:
    from dcsim.decide.cash import Cash
    from dcsim.decide.lender import Lender

SCHEMA = 1
"""Version of the JSON documents."""


@dataclass(frozen=True, repr=False)
class Estimate(Displayed):
    """The closed forms of one scenario; losses are fractions of all GPU-hours. ``tco`` is None without [tco].

    ``until_done``: the bill until the only gang has done its work, by exact theory; None where there is none.
    ``tokens``: what the token seller pays and earns; None without [tokens].
    """

    scenario: Scenario
    mode: Mode
    accounting: Accounting
    theory: Theory
    tco: Bill | None
    until_done: Bill | None = None
    tokens: TokenEstimate | None = None

    @property
    def sla(self) -> SlaTheory | None:
        """What independent domains that are sold miss; None where nobody asks, or there is no closed form."""
        its = self.scenario.sla
        return sla_theory(self.scenario) if its is not None and (its.credits or its.promise) else None

    def __str__(self) -> str:
        """Return the loss and the cost in a line."""
        cost = "" if self.tco is None else f", {self.tco.paid_usd:,.0f} USD paid over {self.tco.months:g} months"
        return f"{self.scenario.name}: {100 * self.accounting.goodput_loss:.2f} % of GPU-hours lost by formula{cost}"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim estimate --json`` prints."""
        return estimates_json([self])

    def entry(self, first: "Estimate") -> dict[str, Any]:
        """Return this scenario's part of a document whose first scenario is ``first``."""
        goodput = asdict(self.accounting) | {
            "goodput_loss": self.accounting.goodput_loss,
            "renewal_goodput_loss": self.theory.goodput_loss,
            "theory": _finite(asdict(self.theory)),
        }
        tco = None
        if self.tco is not None:
            tco = money_json(self.tco, first.tco) | {
                "total_usd": self.tco.with_lost_work_usd,
                "paid_usd": self.tco.paid_usd,
                "with_lost_work_usd": self.tco.with_lost_work_usd,
            }
        accounting = {"mode": self.mode, "identify": self.scenario.accounting.identify}
        return {
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "uncertain": [each.key for each in self.scenario.uncertain],
            "accounting": accounting,
            "goodput": goodput,
            "tco": tco,
            "until_done": None if self.until_done is None else self._until_done(self.until_done),
            **({} if self.cash is None else {"owner": self.cash.to_json()}),
            **({} if self.lender is None else {"finance": self.lender.expected_json()}),
            **({} if self.tokens is None else {"tokens": self.tokens.to_json()}),
            **({} if self.sla is None else {"sla": self.sla.to_json()}),
        }

    @cached_property
    def cash(self) -> "Cash | None":
        """What the owner pays and earns by expected availability, of one run; None without [owner]."""
        from dcsim.decide.cash import Cash  # both rest on this module
        from dcsim.decide.owner_by_formula import owner_by_formula

        statement = owner_by_formula(self.scenario)
        return None if statement is None else Cash(statement, self.scenario.cluster.topology.name)

    @cached_property
    def lender(self) -> "Lender | None":
        """What a lender and equity are told by the same statement; None without [finance]."""
        from dcsim.decide.lender import Lender

        finance = self.scenario.finance
        return None if self.cash is None or finance is None else Lender(self.cash.statement, finance)

    def _until_done(self, its: Bill) -> dict[str, Any]:
        return {
            "hours": self.theory.done_h,
            "paid_usd": its.paid_usd,
            "useful_gpu_hours": its.useful_gpu_hours,
            "usd_per_useful_gpu_hour": its.usd_per_useful_gpu_hour,
        }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as JSON has them: None for what is infinite."""
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in values.items()}


def estimate(scenario: Source) -> Estimate:
    """Apply accounting, renewal theory and the renter's table to one scenario; nothing is simulated.

    ``scenario``: a path, a shipped name, a dict or a Scenario. Raises ScenarioError for one with mistakes.
    """
    scenario = read(scenario)
    accounting, exact = account_scenario(scenario), theory(scenario)
    return Estimate(
        scenario=scenario,
        mode=mode_of(scenario),
        accounting=accounting,
        theory=exact,
        tco=bill(scenario, accounting.goodput_loss),
        until_done=_until_done(scenario, exact),
        tokens=token_estimate(scenario, _charged_to),
    )


def _charged_to(scenario: Scenario, job_size: float) -> Accounting:
    """Apply the published formula as if every failure struck a job of so many GPUs."""
    keys = scenario.accounting.model_copy(update={"job_size": job_size})
    return account_scenario(scenario.model_copy(update={"accounting": keys}))


def _until_done(scenario: Scenario, exact: Theory) -> Bill | None:
    """Return the bill until the work of the only gang is done, as ``bills.use_each`` has it for every run."""
    tco, hours, gpus = scenario.tco, exact.done_h, scenario.cluster.gpus
    if tco is None or hours is None or not isfinite(hours):
        return None
    useful = (scenario.jobs[0].work or 0) / MS_PER_H
    months = max(hours / HOURS_PER_MONTH, least_months(scenario))
    return bill_of(tco, gpus, Use(months, useful, gpus * hours - useful, scenario.burn_in_gpu_hours))


def estimates_json(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return one document for several estimates; ``relative`` is against the first."""
    from dcsim.decide.cautions import cautions_json  # it rests on this module

    return {
        "schema": SCHEMA,
        "cautions": cautions_json([each.scenario for each in estimates]),
        "scenarios": [each.entry(estimates[0]) for each in estimates],
    }


def relative(bill: Bill | None, first: Bill | None) -> float | None:
    """Return the cost by the published method against the first scenario's, or None where either has none."""
    return bill.with_lost_work_usd / first.with_lost_work_usd if bill and first else None


def money_json(its: Bill, first: Bill | None) -> dict[str, Any]:
    """Return what documents say of a bill beside its totals: ``lines`` and ``monthly_usd`` in USD/month."""
    return {
        "lines": its.monthly,
        "monthly_usd": its.with_lost_work_usd / its.months,
        "months": its.months,
        "relative": relative(its, first),
        "useful_gpu_hours": its.useful_gpu_hours,
        "usd_per_useful_gpu_hour": its.usd_per_useful_gpu_hour,
    }


def bill(scenario: Scenario, loss: float) -> Bill | None:
    """Return the bill of the whole term at a goodput loss, or None without [tco]."""
    if scenario.tco is None:
        return None
    gpus = scenario.cluster.gpus
    return bill_of(scenario.tco, gpus, Use.at(gpus, scenario.tco.months, loss, scenario.burn_in_gpu_hours))


def mode_of(scenario: Scenario) -> Mode:
    """Return the accounting's mode: the scenario's own, else what the first job's recovery and the spares suggest."""
    if scenario.accounting.mode:
        return scenario.accounting.mode
    if not scenario.jobs[0].recovery.rolls_back:
        return "tolerant"
    return "hot" if scenario.cluster.spares else "cold"


def job_size(scenario: Scenario) -> float:
    """Return the GPUs that the accounting charges per failure: as given, else sum of squared gang sizes / N."""
    if scenario.accounting.job_size is not None:
        return scenario.accounting.job_size
    return sum(job.count * mean_job_size([job.gpus], scenario.cluster.gpus) for job in scenario.jobs)


def account_scenario(scenario: Scenario) -> Accounting:
    """Apply the ClusterMAX formulas: N and idle spares of the cluster, recovery times of the first job, every hazard.

    Hazards that stop no job, or that redundancy holds, are not charged; intervals that name a rule are what it gives.
    """
    scenario = settled(scenario)
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    recovery = scenario.jobs[0].recovery
    return account(
        scenario.cluster.gpus,
        scenario.cluster.spares - scenario.gpus_on_spares,
        [_hazard_charge(scenario, hazard, topology) for hazard in charged(scenario.hazards, topology)],
        network_overhead=recovery.network_overhead,
        memory_overhead=recovery.memory_overhead,
    )


def charged(hazards: Sequence[Hazard], topology: Topology) -> list[Hazard]:
    """Return the hazards that stop a job: neither those that only slow it, nor those that redundancy holds."""
    return [hazard for hazard in hazards if hazard.stops and blast_of(hazard, topology)]


def charge_and_blast(scenario: Scenario, hazard: Hazard, topology: Topology) -> tuple[Charge, int]:
    """Return what one failure of the hazard is charged [h of the job, h of the blast], and its blast [GPUs].

    Checkpoints and restores are those of the tier that the first job would roll back to; nothing is repaired after a
    ``kill``. Of a scenario with settled intervals.
    """
    job = scenario.jobs[0]
    recovery, blast = job.recovery, blast_of(hazard, topology)
    tier = max(int(recovery.level(0 if hazard.effect == "kill" else min(blast, job.gpus), True)), 0)
    restore = recovery.restore_ms(tier, job.gpus) if recovery.tiers else recovery.start_ms(job.gpus)
    per_failure = charge(
        mode_of(scenario),
        scenario.accounting.identify,
        t_id=hazard.mean_detect_ms / MS_PER_H,
        t_ckpt=recovery.tiers[tier].every / MS_PER_H if recovery.tiers else 0.0,
        t_init=restore / recovery.restore_success / MS_PER_H,
        t_failover=recovery.failover / MS_PER_H,
        t_repair=0.0 if hazard.effect == "kill" else hazard.mean_repair_ms / MS_PER_H,
    )
    return per_failure, min(blast, topology.gpus)


def _hazard_charge(scenario: Scenario, hazard: Hazard, topology: Topology) -> HazardCharge:
    per_failure, blast = charge_and_blast(scenario, hazard, topology)
    components = topology.components(hazard.component)
    return HazardCharge(
        components=components,
        mtbf=hazard.mtbf_ms(components) / MS_PER_H,
        gpu_hours=per_failure.gpu_hours(job_size(scenario), blast),
    )


def mtbf_ranges_h(scenario: Scenario) -> tuple[tuple[str, float, float], ...]:
    """Return (name, lowest, highest MTBF [h]) of every hazard that gives a range."""
    return tuple(
        (hazard.key, min(hazard.mtbf_range) / MS_PER_H, max(hazard.mtbf_range) / MS_PER_H)
        for hazard in scenario.hazards
        if hazard.mtbf_range is not None
    )


def at_mtbf(scenario: Scenario, end: Literal["lowest", "highest"], only: str | None = None) -> Scenario:
    """Return the scenario with every hazard that gives a range of MTBF, or ``only`` that one, at one end of it."""
    hazards = (_moved(hazard, end) if only in (None, hazard.key) else hazard for hazard in scenario.hazards)
    return scenario.model_copy(update={"hazards": tuple(hazards)})


def _moved(hazard: Hazard, end: Literal["lowest", "highest"]) -> Hazard:
    if hazard.mtbf_range is None:
        return hazard
    mean = min(hazard.mtbf_range) if end == "lowest" else max(hazard.mtbf_range)
    mtbf = mean if isinstance(hazard.mtbf, int) else hazard.lifetime.with_mean(mean)
    return hazard.model_copy(update={"mtbf": mtbf})


@dataclass(frozen=True)
class Validity:
    """Whether the published formula can hold for a scenario.

    ``loss``: goodput loss by the formula, a fraction of GPU-hours. ``stopped``: the share of their time for which it
    stops the GPUs that it charges: failures per hour * hours of the job charged for each, on ``accounting.job_size``
    GPUs, which every failure strikes, or on the GPUs that jobs hold. ``charged_gpus``, ``largest_job``: GPUs charged
    per failure, and the most that one failure can stop.
    """

    loss: float
    stopped: float
    charged_gpus: float
    largest_job: int

    @property
    def holds(self) -> bool:
        """Whether neither the loss nor the time for which jobs are stopped reaches 100 %."""
        return self.loss < 1 and self.stopped < 1

    @property
    def remark(self) -> str:
        """What stands beside the loss wherever it is shown; nothing where the formula can hold."""
        return "" if self.holds else " (formula does not hold)"

    @property
    def size_remark(self) -> str:
        """What stands beside the GPUs charged per failure; nothing where a job has as many."""
        return "" if self.charged_gpus <= self.largest_job else f" (largest job: {self.largest_job:,})"


def formula_validity(scenario: Scenario) -> Validity:
    """Return whether the linear formula can hold for a scenario (docs/model.md 2.1)."""
    fixed = settled(scenario)
    topology = build(fixed.cluster.topology, fixed.cluster.gpus)
    hours = 0.0  # of the job charged, per hour
    for hazard in charged(fixed.hazards, topology):
        components = topology.components(hazard.component)
        per_failure, _ = charge_and_blast(fixed, hazard, topology)
        hours += components / hazard.mtbf_ms(components) * MS_PER_H * per_failure.job_hours
    size = job_size(fixed)
    on = size if fixed.accounting.job_size is not None else fixed.gpus_in_jobs
    largest = max(job.gpus for job in fixed.jobs)
    return Validity(account_scenario(fixed).goodput_loss, hours * size / on if on else 0.0, size, largest)
