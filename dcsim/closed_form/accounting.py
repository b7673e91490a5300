"""ClusterMAX accounting: the linear formulas behind the published cluster tables.

Times in hours, sizes in GPUs, losses as fractions of all GPU-hours. Source: SemiAnalysis, "How Much Do GPU
Clusters Really Cost?" and "From Fab to Token" (both April 2026). The formulas charge every failure in the
cluster to one job, also those that strike outside it or while it is already down, so a loss may exceed 1;
it is never clamped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

HOURS_PER_MONTH = 720
"""Hours in the table's month (source: deck)."""

Mode = Literal["cold", "hot", "tolerant"]
Identify = Literal["sum", "max", "rollback"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one failure costs: ``job_hours`` [h] of the whole job, ``blast_hours`` [h] of its blast radius."""

    job_hours: float
    blast_hours: float

    def gpu_hours(self, job_size: float, blast: float) -> float:
        """Charge per failure [GPU-h] = job_hours * job_size + blast_hours * blast (sizes in GPUs)."""
        return self.job_hours * job_size + self.blast_hours * blast


@dataclass(frozen=True, slots=True)
class HazardCharge:
    """One hazard: ``components`` that fail every ``mtbf`` [h] each (above 0), at ``gpu_hours`` a failure."""

    components: float
    mtbf: float
    gpu_hours: float

    @property
    def rate(self) -> float:
        """Failures per hour = components / MTBF."""
        return self.components / self.mtbf


@dataclass(frozen=True, slots=True)
class Accounting:
    """The resiliency table of one cluster; losses are fractions of N * H. No hazard: no ``cluster_mtbf_h``."""

    cluster_mtbf_h: float | None
    interruptions_per_month: float
    downtime_loss: float
    idle_spare_loss: float
    performance_overhead: float

    @property
    def goodput_loss(self) -> float:
        """Downtime + idle spares + overheads, plainly added as the published tables do; may exceed 1."""
        return self.downtime_loss + self.idle_spare_loss + self.performance_overhead


def identify_hours(variant: Identify, t_id: float, t_ckpt: float) -> float:
    """Identify-and-rollback term I [h] from detection time and checkpoint interval [h].

    ``sum``: t_id + t_ckpt/2 (the article); ``max``: max(t_id, t_ckpt/2) (the public calculator's numbers);
    ``rollback``: t_ckpt/2 (the deck's Silver column, which leaves detection out).
    """
    rollback = t_ckpt / 2
    return {"sum": t_id + rollback, "max": max(t_id, rollback), "rollback": rollback}[variant]


def charge(
    mode: Mode,
    identify: Identify,
    *,
    t_id: float,
    t_ckpt: float,
    t_init: float,
    t_failover: float,
    t_repair: float,
) -> Charge:
    """Charge of one failure; all times [h].

    cold:     (I + t_init + t_repair) * job
    hot:      (I + t_init) * job + t_repair * blast
    tolerant: (t_id + t_failover) * job + t_repair * blast
    """
    if mode == "tolerant":
        return Charge(t_id + t_failover, t_repair)
    stall = identify_hours(identify, t_id, t_ckpt) + t_init
    return Charge(stall + t_repair, 0.0) if mode == "cold" else Charge(stall, t_repair)


def downtime_loss(hazards: Iterable[HazardCharge], gpus: float) -> float:
    """Fraction of N * H lost to downtime: sum over hazards of (components / N) * charge / MTBF."""
    return sum(hazard.rate * hazard.gpu_hours for hazard in hazards) / gpus


def mean_job_size(sizes: Iterable[float], gpus: float) -> float:
    """Job size to charge [GPUs] = sum of squared sizes / N: jobs are struck in proportion to their size."""
    return sum(size * size for size in sizes) / gpus


def account(
    gpus: float,
    spares: float,
    hazards: Iterable[HazardCharge],
    *,
    network_overhead: float = 0.0,
    memory_overhead: float = 0.0,
) -> Accounting:
    """Fill the resiliency table of ``gpus`` GPUs, ``spares`` of them idle; overheads are fractions."""
    hazards = tuple(hazards)
    rate = sum(hazard.rate for hazard in hazards)
    return Accounting(
        cluster_mtbf_h=1 / rate if rate else None,
        interruptions_per_month=HOURS_PER_MONTH * rate,
        downtime_loss=downtime_loss(hazards, gpus),
        idle_spare_loss=spares / gpus,
        performance_overhead=network_overhead + memory_overhead,
    )
