"""Where the published linear formula cannot hold: it charges more than there is to lose."""

from dataclasses import dataclass

from dcsim.decide.estimate import account_scenario, charge_and_blast, charged, job_size
from dcsim.scenario import Scenario
from dcsim.scenario.intervals import settled
from dcsim.topology.build import build
from dcsim.units import MS_PER_H


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
    """Return whether the linear formula can hold for a scenario (MODEL.md 2.1)."""
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
