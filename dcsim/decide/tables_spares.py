"""Spares by closed form: how likely a stock is too small, how long jobs wait, and the stock that a target needs.

A machine is what one failure takes out. All machines that are up fail, spares too. Without a queue for crews the number
of machines that are down is binomial whatever the law of the repair time; with few crews it is the chain of the
machine repairman (``closed_form.spares``).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from pydantic_core import PydanticCustomError

from dcsim.closed_form import down_probabilities
from dcsim.decide.estimate import Estimate
from dcsim.decide.metrics import METRICS, Metric
from dcsim.decide.result import RunResult
from dcsim.decide.sweep import Sweep
from dcsim.decide.sweep_question import FIGURES
from dcsim.decide.tables_asked import Asked, Kind, mean_of, monthly_usd
from dcsim.decide.variants import SPARES, Axis, variants
from dcsim.ledger import STATE
from dcsim.montecarlo import Estimated, runs_per_draw
from dcsim.montecarlo.crew_load import crew_pools, flows
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, certain
from dcsim.scenario.plan import plan
from dcsim.units import MS_PER_H, SHARE, parse

NINES = (0.9, 0.99, 0.999, 0.9999, 0.99999)
"""Shares of the time in which jobs should have enough GPUs."""
ENOUGH = 0.01
"""P(short) that a stock of spares should stay below."""
MOST_STOCKS = 12
"""About how many stocks are tried; source: assumed."""
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


# --- tables ---------------------------------------------------------------------------------------------------------


def _short(unit: int) -> Metric:
    """Return the share of time for which gangs wait for hardware, each gang counted: P(short) where one waits at most.

    The ledger has the GPUs that wait. Of a gang that waits all but those of one machine do, ``unit`` GPUs, as long as
    one is missing; where more are, the share is as much too low as they are of the gang.
    """

    def of(result: RunResult) -> Estimated | None:
        sample, jobs = result.sample, result.scenario.jobs
        asked = sample.ledgers.asked_gpu_ms[:, : len(jobs)]
        if not asked.all() or any(job.gpus <= unit for job in jobs):
            return None  # a gang of one machine has nothing left that could wait
        waits = sample.gpu_ms[:, : len(jobs), STATE["wait"]] / asked
        values = waits @ np.array([job.count * job.gpus / (job.gpus - unit) for job in jobs])
        control, shared = result.control, runs_per_draw(result.scenario)
        return Estimated.of(values, math.fsum(values) / len(values), control, shared=shared)

    return Metric("short", "short of hardware", "1", True, of)


class Spares(Asked):
    """Stock of spares, bought: jobs keep their GPUs."""

    kind: Kind = "spares"

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.pool: Pool = Pool.of(scenario, f"table {self.kind}")
        super().__init__(scenario, given)

    @property
    def figures(self) -> tuple[Metric, ...]:
        return (*FIGURES, _short(self.pool.unit), METRICS["wait_gpu_hours"])

    def targets(self) -> tuple[float, ...]:
        """P(short) that stocks are looked for."""
        return (ENOUGH,)

    def chosen(self) -> Axis:
        unit, own = self.pool.unit, self.scenario.cluster.spares
        needed = [self.pool.least_stock(share, queued) for share in self.targets() for queued in (False, True)]
        known = [each for each in needed if each is not None]
        most = max([*known, own, 2 * unit]) // unit
        step = max(1, -(-most * 3 // 2 // (MOST_STOCKS - 3)))
        stocks = {count * unit for count in range(0, most * 3 // 2 + 1, step)} | {own, *known}
        return Axis.of(SPARES, [each for each in sorted(stocks) if self.possible(each)])

    def possible(self, stock: int) -> bool:
        """Whether the cluster can have that many spares: whole nodes."""
        try:
            variants([(0, self.scenario, {SPARES: stock})], buys=True)
        except ScenarioError:
            return stock == self.scenario.cluster.spares
        return True

    def accepted(self, given: Axis) -> Axis:
        if given.key != SPARES:
            raise self.wrong_key(given, SPARES)
        return given

    def closed(self, scenario: Scenario, estimated: Estimate) -> dict[str, float | None]:
        stock = scenario.cluster.spares
        return super().closed(scenario, estimated) | {
            "binomial": self.pool.short(stock, queued=False),
            "repairman": self.pool.short(stock, queued=True),
            "waiting": self.pool.waiting(stock, queued=True) * scenario.horizon / MS_PER_H,
            "stock_usd": monthly_usd(scenario, stock),
        }

    def facts(self, found: Sweep, closed: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
        return {
            "unit_gpus": self.pool.unit,
            "machine_mtbf_h": self.pool.mtbf_h,
            "repair_h": self.pool.repair_h,
            "crews": self.pool.crews,
            "enough": [self.smallest(share, found) for share in self.targets()],
        }

    def smallest(self, share: float, found: Sweep) -> dict[str, Any]:
        """Return the smallest stock with P(short) below a share, by each way, and its rent [USD/month]."""
        stocks = {
            "binomial": self.pool.least_stock(share, queued=False),
            "repairman": self.pool.least_stock(share, queued=True),
            "simulated": self.tried(share, found),
        }
        priced = {f"{name}_usd_month": each and monthly_usd(self.scenario, each) for name, each in stocks.items()}
        return {"short_below": share, **stocks, **priced}

    def tried(self, share: float, found: Sweep) -> int | None:
        """Return the smallest stock that was simulated from which on jobs are short for less than a share of time."""
        least: int | None = None
        for point in sorted(found.points, key=lambda each: -int(dict(each.inputs)[SPARES])):
            if not mean_of(point.figures["short"]) < share:
                break
            least = int(dict(point.inputs)[SPARES])
        return least


class Nines(Spares):
    """What each nine of having enough GPUs takes in spares, and what it costs."""

    kind: Kind = "nines"

    def __init__(self, scenario: Scenario, given: Axis | None) -> None:
        self.shares = NINES if given is None else self.read(given)
        super().__init__(scenario, None)

    def read(self, given: Axis) -> tuple[float, ...]:
        """Read availabilities; raises ScenarioError."""
        if given.key != "availability":
            raise ScenarioError(
                [Problem("-L", None, "", wrong(given.key, 'table nines is about availability, such as "99 %"'))]
            )
        try:
            found = tuple(sorted(parse(value, SHARE) for value in given.values))
        except PydanticCustomError as error:
            raise ScenarioError([Problem("-L", None, "availability", error.message())]) from None
        if found[-1] >= 1 or found[0] <= 0:
            raise ScenarioError([Problem("-L", None, "availability", "must be above 0 % and below 100 %")])
        return found

    def targets(self) -> tuple[float, ...]:
        return tuple(1 - share for share in self.shares)
