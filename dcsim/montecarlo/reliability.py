"""How many runs it takes until the interval of a mean can be believed, by theory, before anything is simulated.

Failures that are rare and differ in what they cost make losses of single runs skewed: most runs lose little, and a few
lose much. From few such runs Student's interval holds the true mean less often than it says.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from dcsim.hazards import Hazard
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.scenario import Plan, Scenario, certain
from dcsim.scenario.intervals import strikes_on
from dcsim.scenario.plan import blast_of, plan

COCHRAN = 25
"""Runs per squared skewness from which on a 95 % interval of a mean errs at most 6 % of the time; source: public
(Cochran 1977, Sampling Techniques, 2.15: n > 25 G1^2)."""
SURPRISED = 8
"""Runs per squared skewness of a sample below which it is far more skewed than theory says; source: measured, a rule as
strict as Cochran's would hide the samples that hold the large losses and spoil the coverage of those it shows."""
MOST = 10**7
"""Runs that are named as needed at most; beyond it no number means anything."""


@dataclass(frozen=True)
class Cost:
    """What one failure costs: it comes ``rate`` times per ms; second and third moment of its cost [GPU-ms]."""

    rate: float
    second: float
    third: float


@lru_cache(maxsize=4096)
def runs_needed(scenario: Scenario) -> int:
    """Return the least number of runs whose 95 % interval of the loss can be believed; 2 where nothing stops a job.

    The loss of a run is taken as a compound Poisson sum over a time H: its skewness is M3 / (M2^1.5 sqrt(H)), with
    Mk = sum of rate * E[cost^k] (Feller 1971, II, XVII.2), and Cochran's rule asks for 25 times its square. The cost of
    a failure is the time of the job until it runs again, the work done again (uniform over an interval between
    checkpoints), and the repair, for which the whole job waits where no GPU is free for it. Left out: queues, ageing.
    """
    fixed = certain(scenario)
    costs = list(_costs(plan(fixed)))
    second = math.fsum(each.rate * each.second for each in costs)
    third = math.fsum(each.rate * each.third for each in costs)
    if not second:
        return 2
    squared = third / second * third / second / second / _time(fixed)
    return max(2, min(MOST, math.ceil(COCHRAN * squared)))


def _time(scenario: Scenario) -> float:
    """Return the time [ms] in which failures count: the horizon, or what the longest job needs without any."""
    needs = [job.submit + (job.work or 0) / job.gpus for job in scenario.jobs]
    return min(float(scenario.horizon), max(needs)) if scenario.ends else float(scenario.horizon)


def _costs(layout: Plan) -> Iterator[Cost]:
    """Yield what the failures of each hazard cost jobs; recorded failures that every run meets alike cost no luck."""
    scenario = layout.scenario
    free = scenario.cluster.gpus - scenario.gpus_in_jobs
    firsts = {gang.job: gang.index for gang in reversed(layout.gangs)}
    strikes: dict[int, list[tuple[float, int, int]]] = {}
    for job, index in firsts.items():
        for hazard, rate, struck in strikes_on(layout, index):
            strikes.setdefault(scenario.hazards.index(hazard), []).append(
                (rate * scenario.jobs[job].count, index, struck)
            )
    for number, found in strikes.items():
        hazard = scenario.hazards[number]
        if isinstance(hazard.lifetime, TraceLifetime) and hazard.lifetime.start != "random":
            continue
        together = math.fsum(rate for rate, _, _ in found)
        components = layout.components(hazard)
        failures = components / hazard.mtbf_ms(components)
        at_once = max(1.0, together / failures)  # gangs that one failure stops
        if hazard.burst is not None:
            at_once *= hazard.burst.size
        for rate, index, struck in found:
            yield _cost(layout, hazard, rate / at_once, index, struck, at_once, free)


def _cost(layout: Plan, hazard: Hazard, rate: float, index: int, struck: int, times: float, free: int) -> Cost:
    gang = layout.gangs[index]
    recovery = gang.recovery
    level = int(recovery.level(struck, True))
    back = float(recovery.tiers[level].every) if level >= 0 and recovery.tiers else float(recovery.step)
    if gang.work is not None:
        back = min(back, gang.work / gang.gpus)
    stall = hazard.mean_detect_ms + recovery.failover + recovery.restore_ms(level, gang.gpus)
    waits = gang.gpus if blast_of(hazard, layout.topology) > free else struck
    second = third = 0.0
    for ended, one, two, three in _repairs(hazard):
        # fixed part, U uniform in (0, 1), R the repair: moments of gpus * (stall + back U) + waits * R
        for weight, u in ((5 / 18, 0.5 - math.sqrt(0.15)), (8 / 18, 0.5), (5 / 18, 0.5 + math.sqrt(0.15))):
            lost = gang.gpus * (stall + back * u)
            second += ended * weight * (lost**2 + 2 * lost * waits * one + waits**2 * two)
            third += (
                ended * weight * (lost**3 + 3 * lost**2 * waits * one + 3 * lost * waits**2 * two + waits**3 * three)
            )
    return Cost(rate, times**2 * second, times**3 * third)


def _repairs(hazard: Hazard) -> Iterator[tuple[float, float, float, float]]:
    """Yield, for each stage that may be the last: its chance, and the first three moments of the whole repair [ms^k].

    Stages are independent, so their cumulants add; further attempts of the last stage are left out.
    """
    if hazard.effect == "kill":
        yield 1.0, 0.0, 0.0, 0.0
        return
    reached, mean, variance, skew = 1.0, 0.0, 0.0, 0.0
    stages = hazard.stages
    for number, stage in enumerate(stages):
        its = stage.duration
        mean += its.mean_ms
        variance += its.variation * its.mean_ms**2
        skew += (its.third - 3 * its.variation - 1) * its.mean_ms**3
        ended = reached * (stage.success if number + 1 < len(stages) else 1.0)
        reached -= ended
        yield ended, mean, variance + mean**2, skew + 3 * mean * variance + mean**3


# --- what a sample itself shows -----------------------------------------------------------------------------------


def skewness(values: ArrayLike) -> float:
    """Return g1 = m3 / m2^1.5 of a sample, its central moments over n; 0 where all values are equal."""
    sample = np.asarray(values, dtype=np.float64)
    spread = sample - sample.mean()
    largest = float(np.abs(spread).max())
    if largest == 0 or (sample == sample[0]).all():
        return 0.0
    spread = spread / largest  # cubes of tiny losses would underflow
    return float((spread**3).mean() / (spread**2).mean() ** 1.5)


def runs_by_skewness(values: ArrayLike) -> int | None:
    """Return the runs that Cochran's rule asks for by the skewness of a sample, where it has far fewer; else None."""
    squared = skewness(values) ** 2
    return math.ceil(COCHRAN * squared) if np.size(values) < SURPRISED * squared else None
