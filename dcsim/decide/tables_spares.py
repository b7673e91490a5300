"""Spares by closed form: how likely a stock is too small, how long jobs wait, and the stock that a target needs.

A machine is what one failure takes out. All machines that are up fail, spares too. Without a queue for crews the number
of machines that are down is binomial whatever the law of the repair time; with few crews it is the chain of the
machine repairman (``closed_form.spares``).
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from dcsim.closed_form import down_probabilities
from dcsim.decide.crew_load import crew_pools, flows
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, certain
from dcsim.scenario.plan import plan
from dcsim.units import HOURS_PER_MONTH, MS_PER_H

MOST_UNITS = 4_096
"""Machines that a stock is searched among; source: assumed, far more than any target here needs."""


@dataclass(frozen=True)
class Pool:
    """Machines, jobs and crews of a scenario, whatever its stock of spares.

    ``unit``: GPUs of a machine; ``others``: GPUs of the cluster that are no spares; ``gangs``: sizes [GPUs] in the
    order in which they are served; ``mtbf_h`` of one machine; ``repair_h``: mean time from identification to return;
    ``crews``: None if nobody queues; ``caveats``: what the closed forms leave out here.
    """

    unit: int
    others: int
    gangs: tuple[int, ...]
    mtbf_h: float
    repair_h: float
    crews: int | None
    caveats: tuple[str, ...]

    @classmethod
    def of(cls, scenario: Scenario, label: str) -> "Pool":
        """Read a scenario; raises ScenarioError, in one line, where no spare could help."""
        fixed = certain(scenario)
        layout = plan(fixed)
        found = [flow for flow in flows(layout) if flow.gpus and flow.repair_h > 0]
        why = _no_use(fixed, bool(found))
        if why:
            raise ScenarioError([Problem(label, None, "cluster.spares", why)])
        main = max(found, key=lambda flow: flow.per_h * flow.gpus * flow.repair_h)
        gpus_per_h = math.fsum(flow.per_h * flow.gpus for flow in found)
        repair = math.fsum(flow.per_h * flow.gpus * flow.repair_h for flow in found) / gpus_per_h
        machines = max(1, round(fixed.cluster.gpus / main.gpus))
        pools = crew_pools(tuple(found))
        caveats = []
        if len(found) > 1:
            caveats.append(f"all hazards are taken as failures of {main.gpus} GPUs each")
        crews = pools[0].size if len(pools) == 1 and math.isclose(pools[0].busy_h, repair, rel_tol=1e-6) else None
        if pools and crews is None:
            caveats.append("the queue for crews is left out, because crews do a part of the repair only")
        if any(flow.hazard.mean_detect_ms for flow in found):
            caveats.append("the time to detection is left out")
        if any(flow.hazard.ages or flow.hazard.burst or flow.hazard.lemons for flow in found):
            caveats.append("failures are taken to come one by one at a constant rate")
        jobs = sorted(fixed.jobs, key=lambda job: -job.priority)
        return cls(
            main.gpus,
            fixed.cluster.gpus - fixed.cluster.spares,
            tuple(job.gpus for job in jobs for _ in range(job.count)),
            machines * main.gpus / gpus_per_h,
            repair,
            crews,
            tuple(caveats),
        )

    def machines(self, stock: int) -> int:
        """Machines of the cluster with a stock of spares [GPUs]."""
        return max(1, round((self.others + stock) / self.unit))

    def down(self, stock: int, queued: bool) -> list[float]:
        """Probability of k machines down in the long run; ``queued``: with the crews there are."""
        count = self.machines(stock)
        crews = self.crews if queued and self.crews is not None else count
        return down_probabilities(count, min(crews, count), self.mtbf_h, self.repair_h)

    @cached_property
    def in_jobs(self) -> int:
        """GPUs that all jobs have together."""
        return sum(self.gangs)

    def short(self, stock: int, queued: bool) -> float:
        """Probability that jobs lack a machine: more are down than all GPUs that no job has make up for."""
        spare = (self.others + stock - self.in_jobs) // self.unit
        return math.fsum(self.down(stock, queued)[spare + 1 :])

    def waiting(self, stock: int, queued: bool) -> float:
        """GPUs that are up and wait for others of their gang, in the mean.

        What is up serves whole gangs, the first ones first; what is left below the next gang's size waits.
        """
        total, ends = self.others + stock, list(accumulate(self.gangs, initial=0))
        found = []
        for down, probability in enumerate(self.down(stock, queued)):
            up = max(0, total - down * self.unit)
            if up < ends[-1]:
                found.append(probability * (up - ends[bisect_right(ends, up) - 1]))
        return math.fsum(found)

    def least_stock(self, share: float, queued: bool) -> int | None:
        """Return the smallest stock [GPUs], in whole machines, with P(short) below a share; None if none is found."""
        for count in range(min(MOST_UNITS, 4 * self.machines(0)) + 1):
            if self.short(count * self.unit, queued) < share:
                return count * self.unit
        return None


def _no_use(scenario: Scenario, fails: bool) -> str:
    """Say why no stock of spares changes anything in a scenario; empty where one may."""
    if not fails:
        return "no failure takes hardware away for a time, so no spare is ever needed"
    if scenario.cluster.in_rack_spares:
        return wrong(scenario.cluster.in_rack_spares, "in_rack_spares holds spares in every rack; leave it out")
    if all(job.recovery.spare == "cold" for job in scenario.jobs):
        return 'spare = "cold": jobs wait for their own hardware, so no spare is ever taken'
    return ""


def monthly_usd(scenario: Scenario, gpus: int) -> float | None:
    """Return the rent of some GPUs [USD/month]; None without [tco]."""
    return None if scenario.tco is None else gpus * scenario.tco.gpu_hour * HOURS_PER_MONTH


def horizon_h(scenario: Scenario) -> float:
    """Return the horizon [h]."""
    return scenario.horizon / MS_PER_H
