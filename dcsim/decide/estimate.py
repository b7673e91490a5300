"""What the closed forms say about one scenario: the published tables, instantly."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dcsim.closed_form import (
    Accounting,
    Charge,
    HazardCharge,
    Mode,
    account,
    charge,
    mean_job_size,
)
from dcsim.decide.theory import Theory, theory
from dcsim.economics import lines, monthly, total, useful_hour_prices
from dcsim.hazards import Hazard
from dcsim.scenario import Scenario, sha256
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import blast_of
from dcsim.topology import Topology, build
from dcsim.units import MS_PER_H

SCHEMA = 1
"""Version of the JSON documents."""


@dataclass(frozen=True)
class Bill:
    """What a scenario costs at one loss: ``lines`` [USD/month], the month, the term and three prices [USD]."""

    loss: float
    lines: Mapping[str, float]
    monthly_usd: float
    total_usd: float
    usd_per_useful_gpu_hour: Mapping[str, float | None]


@dataclass(frozen=True)
class Estimate:
    """The closed forms of one scenario; losses are fractions of all GPU-hours. ``tco`` is None without [tco]."""

    scenario: Scenario
    mode: Mode
    accounting: Accounting
    theory: Theory
    tco: Bill | None

    def __str__(self) -> str:
        """Return the loss and the cost in a line."""
        cost = "" if self.tco is None else f", {self.tco.total_usd:,.0f} USD over the term"
        return f"{self.scenario.name}: {100 * self.accounting.goodput_loss:.2f} % of GPU-hours lost by formula{cost}"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim estimate --json`` prints."""
        return estimates_json([self])

    def entry(self, first: "Estimate") -> dict[str, Any]:
        """Return this scenario's part of a document whose first scenario is ``first``."""
        goodput = asdict(self.accounting) | {
            "goodput_loss": self.accounting.goodput_loss,
            "renewal_goodput_loss": self.theory.goodput_loss,
            "theory": asdict(self.theory),
        }
        tco = None
        if self.tco is not None:
            tco = {
                "lines": dict(self.tco.lines),
                "monthly_usd": self.tco.monthly_usd,
                "total_usd": self.tco.total_usd,
                "relative": relative(self.tco, first.tco),
                "usd_per_useful_gpu_hour": dict(self.tco.usd_per_useful_gpu_hour),
            }
        accounting = {"mode": self.mode, "identify": self.scenario.accounting.identify}
        return {
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "uncertain": [each.key for each in self.scenario.uncertain],
            "accounting": accounting,
            "goodput": goodput,
            "tco": tco,
        }


def estimate(scenario: Scenario) -> Estimate:
    """Apply accounting, renewal theory and the renter's table to one scenario; nothing is simulated."""
    accounting = account_scenario(scenario)
    return Estimate(
        scenario=scenario,
        mode=mode_of(scenario),
        accounting=accounting,
        theory=theory(scenario),
        tco=bill(scenario, accounting.goodput_loss),
    )


def estimates_json(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return one document for several estimates; ``relative`` is against the first."""
    from dcsim.decide.cautions import cautions_json  # it rests on this module

    return {
        "schema": SCHEMA,
        "cautions": cautions_json([each.scenario for each in estimates]),
        "scenarios": [each.entry(estimates[0]) for each in estimates],
    }


def relative(bill: Bill | None, first: Bill | None) -> float | None:
    """Return the cost of the term against the first scenario's, or None where either has none."""
    return bill.total_usd / first.total_usd if bill and first else None


def bill(scenario: Scenario, loss: float) -> Bill | None:
    """Return the renter's table at a goodput loss, or None without [tco]."""
    tco, gpus = scenario.tco, scenario.cluster.gpus
    if tco is None:
        return None
    rows = lines(tco, gpus, loss)
    month, term = monthly(tco, gpus, loss), total(tco, gpus, loss)
    return Bill(loss, rows, month, term, useful_hour_prices(tco, gpus, loss))


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
    """Apply the ClusterMAX formulas: N and spares of the cluster, recovery times of the first job, every hazard.

    Hazards that stop no job, or that redundancy holds, are not charged; intervals that name a rule are what it gives.
    """
    scenario = settled(scenario)
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    recovery = scenario.jobs[0].recovery
    return account(
        scenario.cluster.gpus,
        scenario.cluster.spares,
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


def at_mtbf(scenario: Scenario, end: Literal["lowest", "highest"]) -> Scenario:
    """Return the scenario with every hazard that gives a range of MTBF moved to one end of it."""
    return scenario.model_copy(update={"hazards": tuple(_moved(hazard, end) for hazard in scenario.hazards)})


def _moved(hazard: Hazard, end: Literal["lowest", "highest"]) -> Hazard:
    if hazard.mtbf_range is None:
        return hazard
    mean = min(hazard.mtbf_range) if end == "lowest" else max(hazard.mtbf_range)
    mtbf = mean if isinstance(hazard.mtbf, int) else hazard.lifetime.with_mean(mean)
    return hazard.model_copy(update={"mtbf": mtbf})
