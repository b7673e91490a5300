"""How many runs it takes until the interval of a mean can be believed, by theory, before anything is simulated.

Failures that are rare and differ in what they cost make losses of single runs skewed: most runs lose little, and a few
lose much. From few such runs Student's interval holds the true mean less often than it says.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from dcsim.distributions import Distribution
from dcsim.hazards import Hazard
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.montecarlo.crew_load import RepairFlow, StageWait, flows
from dcsim.montecarlo.sample import Sample
from dcsim.scenario import Plan, Scenario, certain
from dcsim.scenario.plan import blast_of, plan
from dcsim.units import MS_PER_H

COCHRAN = 25
"""Runs per squared skewness from which on a 95 % interval of a mean errs at most 6 % of the time; source: public
(Cochran 1977, Sampling Techniques, 2.15: n > 25 G1^2)."""
SURPRISED = 8
"""Runs per squared skewness of a sample below which it is far more skewed than theory says; source: measured, a rule as
strict as Cochran's would hide the samples that hold the large losses and spoil the coverage of those it shows."""
MOST = 10**7
"""Runs that are named as needed at most; beyond it no number means anything."""
HARDLY = 0.25
"""Standard errors of a mean by which causes that are too rare to be seen may move it; source: assumed, 0.25 cost one
point of coverage at most (P(|Z + 0.25| < 1.96) = 94.3 %)."""
TRUSTED = 10
"""Interruptions that are expected in all runs from which on less than half of them contradict the rate: the chance of
that is 3 %; source: Poisson."""

Cumulants = tuple[float, float, float]
"""Mean, variance and third central moment: those of independent times add."""


@dataclass(frozen=True)
class Cost:
    """What one failure costs: it comes ``rate`` times per ms; first three moments of its cost [GPU-ms].

    ``strikes``: interruptions of gangs that come with it.
    """

    rate: float
    first: float
    second: float
    third: float
    strikes: float


def runs_needed(scenario: Scenario, runs: int = MOST) -> int:
    """Return the least number of runs whose 95 % interval of the loss can be believed; 2 where nothing stops a job.

    The loss of a run is taken as a compound Poisson sum over a time H: its skewness is M3 / (M2^1.5 sqrt(H)), with
    Mk = sum of rate * E[cost^k] (Feller 1971, II, XVII.2), and Cochran's rule asks for 25 times its square. ``runs``:
    as many are done; what is too rare to move their mean by more than ``HARDLY`` does not count.

    The cost of a failure is the time of the job until it runs again, wrong blames and failed restores included, the
    work done again (uniform over an interval between checkpoints, and a whole one more for each that is bad), and the
    repair, waits for a shift or a visit included: the whole job waits for it where no GPU is free, and else those that
    fail while earlier failures hold the free GPUs. Left out: queues for crews, visits that last as long as the longest
    of several repairs, ageing.
    """
    return max(2, min(MOST, math.ceil(_needed(scenario, runs))))


def runs_needed_after(sample: Sample) -> int:
    """Return the same for runs that are done: where far fewer interruptions came than expected, their rate counts."""
    scenario, runs = sample.scenario, len(sample)
    needed, expected = _needed(scenario, runs), runs * _interruptions(scenario)
    if expected >= TRUSTED and 2 * sample.interruptions < expected:
        needed *= expected / max(1, sample.interruptions)
    return max(2, min(MOST, math.ceil(needed)))


def unseen(scenario: Scenario, runs: int) -> float:
    """Return what the rarest causes cost a run in the mean [GPU-ms], all but those for which so many runs are enough.

    A rare large loss may not have come yet: by so much the true mean may lie above that of few runs. 0 where the runs
    are enough; at most the cost of all failures. Causes and costs are those of ``runs_needed``.
    """
    *ways, time = _known(scenario)
    return max(_rarest(costs, time, runs) for costs in ways)


def _rarest(costs: tuple[Cost, ...], time: float, runs: int) -> float:
    """Return the mean cost of the rarest causes, as few of them as leave others that satisfy Cochran's rule."""
    left = sorted(costs, key=lambda each: -each.rate)
    missed = 0.0
    while left and _cochran(left, time) > runs:
        rarest = left.pop()
        missed += rarest.rate * rarest.first * time
    return missed


def _cochran(costs: Sequence[Cost], time: float) -> float:
    """Return 25 squared skewnesses of a run."""
    second = math.fsum(each.rate * each.second for each in costs)
    third = math.fsum(each.rate * each.third for each in costs)
    return COCHRAN * (third / second) ** 2 / second / time if second else 0.0


def most_hit(runs: int) -> float:
    """Return the share of runs with an interruption at most, with 95 % confidence, where ``runs`` had none.

    1 - 0.05^(1 / n): the rule of three, 3 / n, without its approximation.
    """
    return 1 - float(0.05 ** (1 / runs))


def _needed(scenario: Scenario, runs: int) -> float:
    """Return what ``runs_needed`` rounds up: enough also for what counts in as many runs as it says."""
    *ways, time = _known(scenario)
    needed = max(_by_skewness(costs, time, runs) for costs in ways)
    while needed > runs:
        runs = math.ceil(needed)
        needed = max(needed, *(_by_skewness(costs, time, runs) for costs in ways))
    return needed


def _by_skewness(costs: tuple[Cost, ...], time: float, runs: int) -> float:
    """Return 25 squared skewnesses of a run, without the rarest causes whose absence from all runs hardly matters."""
    ordered = sorted(costs, key=lambda each: each.rate)
    missed, left = 0.0, math.fsum(each.rate * each.second for each in ordered) * time
    while ordered:
        missed += ordered[0].rate * ordered[0].first * time
        left -= ordered[0].rate * ordered[0].second * time
        if missed > HARDLY * math.sqrt(max(left, 0.0) / runs):
            break
        del ordered[0]
    return _cochran(ordered, time)


def _interruptions(scenario: Scenario) -> float:
    """Return the interruptions of gangs that are expected in a run."""
    costs, _, time = _known(scenario)
    return math.fsum(each.rate * each.strikes for each in costs) * time


@lru_cache(maxsize=4096)
def _known(scenario: Scenario) -> tuple[tuple[Cost, ...], tuple[Cost, ...], float]:
    """Return what failures cost in all GPU-hours and in those that jobs and spares ask for, and the time [ms] for it.

    A repair of what was replaced costs the first nothing, because free GPUs are no less lost idle; the second it costs
    the GPUs that are no spares.
    """
    fixed = certain(scenario)
    needs = [job.submit + (job.work or 0) / job.gpus for job in fixed.jobs]
    time = min(float(fixed.horizon), max(needs)) if fixed.ends else float(fixed.horizon)
    layout = plan(fixed)
    return tuple(_costs(layout, asked=False)), tuple(_costs(layout, asked=True)), time


def _costs(layout: Plan, *, asked: bool) -> Iterator[Cost]:
    """Yield what the failures of each hazard cost jobs; recorded failures that every run meets alike cost no luck."""
    firsts = {gang.job: gang.index for gang in reversed(layout.gangs)}
    repaired = {flow.hazard.key: flow for flow in flows(layout)}  # what only kills is not repaired
    for hazard in layout.scenario.hazards:
        if isinstance(hazard.lifetime, TraceLifetime) and hazard.lifetime.start != "random":
            continue
        components = layout.components(hazard)
        failures = 1 / hazard.mtbf_ms(components)
        blast = blast_of(hazard, layout.topology)
        if hazard.stops and not blast:
            continue
        costs = _Costs(layout, hazard, blast, repaired, asked)
        found = [
            (layout.reaching(hazard, index) * failures * layout.scenario.jobs[job].count, index)
            for job, index in firsts.items()
        ]
        together = math.fsum(rate for rate, _ in found)
        at_once = max(1.0, together / (components * failures))  # gangs that one failure stops
        if hazard.burst is not None:
            at_once *= hazard.burst.size
        for rate, index in found:
            if rate:
                yield from costs.of(index, rate / at_once, at_once)


@dataclass(frozen=True)
class _Costs:
    """What the failures of one hazard cost; ``repaired``: the flow to repair of every hazard, by its key."""

    layout: Plan
    hazard: Hazard
    blast: int
    repaired: Mapping[str, RepairFlow]
    asked: bool

    def of(self, index: int, rate: float, times: float) -> Iterator[Cost]:
        """Yield what a failure costs one gang: where hardware is free for it, and where it waits for a repair."""
        layout, hazard, gang = self.layout, self.hazard, self.layout.gangs[index]
        strikes = times if hazard.stops else 0.0
        repairs = list(_repairs(hazard, self.repaired.get(hazard.key)))
        if not hazard.stops:
            slow = _law(hazard.detection)
            slowed = gang.gpus * (1 - hazard.keeps_ppb / 10**9)
            costs = [(chance, _scaled(_sum(slow, repair), slowed)) for chance, repair in repairs]
            yield _moments(rate, times, strikes, costs)
            return
        struck = 0 if hazard.effect == "kill" else min(self.blast, gang.gpus)
        lost = _scaled(_stall(layout, hazard, index, struck), gang.gpus)
        small = gang.recovery.runs_small
        short, ahead = (0.0, 0) if small else self.short(gang.recovery.spare)
        away = struck if small or (self.asked and layout.spares < self.blast) else 0
        for share, waits in ((1 - short, away), (short, gang.gpus / (1 + ahead))):
            if share > 0:
                costs = [(chance, _sum(lost, _scaled(repair, waits))) for chance, repair in repairs]
                yield _moments(rate * share, times, strikes, costs)

    def short(self, spare: str) -> tuple[float, int]:
        """Return the chance that nothing is free for what a failure takes, and how many repairs are ahead of its own.

        P(as many repairs are under way as find room) of a Poisson number with the offered load as its mean (Palm 1943).
        """
        if self.hazard.effect == "kill":
            return 0.0, 0
        room = self.layout.scenario.replacing // self.blast
        if spare == "cold" or not room:
            return 1.0, 0
        from scipy.special import pdtrc

        held = math.fsum(
            self.layout.components(each)
            / each.mtbf_ms(self.layout.components(each))
            * (each.mean_repair_ms + self.repaired[each.key].waits_h * MS_PER_H)
            * blast_of(each, self.layout.topology)
            for each in self.layout.scenario.hazards
            if each.stops and each.effect != "kill"
        )
        return float(pdtrc(room - 1, held / self.blast)), room


def _stall(layout: Plan, hazard: Hazard, index: int, struck: int) -> Cumulants:
    """Return the time that one gang loses to a failure, its repair left out [ms]."""
    recovery, gang = layout.gangs[index].recovery, layout.gangs[index]
    level = int(recovery.level(struck, True))
    back = float(recovery.tiers[level].every) if level >= 0 and recovery.tiers else float(recovery.step)
    if gang.work is not None:
        back = min(back, gang.work / gang.gpus)
    found = _law(hazard.detection)
    if hazard.effect == "straggle":
        found = _scaled(found, 1 - hazard.keeps_ppb / 10**9)  # slow until it is found
    if hazard.effect == "corrupt":
        found = _scaled(found, 2.0)  # what ran meanwhile is worthless, and is done again
    restore = (float(recovery.restore_ms(level, gang.gpus)), 0.0, 0.0)
    again = _random_sum(_tries(recovery.restore_success), restore)
    stall = _random_sum(_tries(1 - hazard.wrong_node), _sum(found, (float(recovery.failover), 0.0, 0.0), again))
    older = _random_sum(_failures(1 - recovery.bad_checkpoint), (back, 0.0, 0.0))
    return _sum(stall, (back / 2, back**2 / 12, 0.0), older)


def _repairs(hazard: Hazard, flow: RepairFlow | None) -> Iterator[tuple[float, Cumulants]]:
    """Yield, for each stage that may be the last: its chance, and the whole repair [ms]."""
    if flow is None:
        yield 1.0, (0.0, 0.0, 0.0)
        return
    reached, whole, test = 1.0, (float(hazard.burn_in), 0.0, 0.0), (float(hazard.requalify), 0.0, 0.0)
    *others, last = zip(hazard.stages, flow.waits, strict=True)
    for stage, (wait, _) in others:
        whole = _sum(whole, _in_hours(_law(stage.duration), wait))
        ends = stage.success * (1 - stage.silent * hazard.requalify_finds)
        yield reached * ends, _sum(whole, test)
        if ends == 1:
            return
        sent_on = _one_of((stage.success - ends) / (1 - ends))  # helped, as it seemed, and was tested
        reached, whole = reached * (1 - ends), _sum(whole, _random_sum(sent_on, test))
    stage, (wait, again) = last
    work = _random_sum(_tries(stage.success), _recorded(hazard) or _law(stage.duration))
    whole = _sum(whole, _in_hours(work, wait), test)
    found = _failures(1 - stage.silent * hazard.requalify_finds)
    yield reached, _sum(whole, _random_sum(found, _sum(_in_hours(work, again), test)))


def _recorded(hazard: Hazard) -> Cumulants | None:
    """Return the recorded repairs, which take the place of those of the hazard; None without."""
    if not isinstance(hazard.lifetime, TraceLifetime) or hazard.lifetime.repair is None:
        return None
    times = hazard.lifetime.repair.array.astype(np.float64)
    mean = float(times.mean())
    return mean, float(((times - mean) ** 2).mean()), float(((times - mean) ** 3).mean())


def _in_hours(work: Cumulants, wait: StageWait) -> Cumulants:
    """Return work of a stage [ms] with what shifts or a visit add to it."""
    first, second, third = wait.first, wait.second, wait.third
    hours = (first, second - first**2, third - 3 * first * second + 2 * first**3)
    return _sum(_scaled(work, wait.stretch), _scaled(hours, MS_PER_H))


# --- cumulants ----------------------------------------------------------------------------------------------------


def _law(times: Distribution) -> Cumulants:
    mean, variation = times.mean_ms, times.variation
    return mean, variation * mean**2, (times.third - 3 * variation - 1) * mean**3


def _scaled(each: Cumulants, factor: float) -> Cumulants:
    return each[0] * factor, each[1] * factor**2, each[2] * factor**3


def _sum(*independent: Cumulants) -> Cumulants:
    first, second, third = (math.fsum(column) for column in zip(*independent, strict=True))
    return first, second, third


def _failures(success: float) -> Cumulants:
    """Return the number of failures before a success: geometric."""
    fails = 1 - success
    return fails / success, fails / success**2, fails * (1 + fails) / success**3


def _one_of(chance: float) -> Cumulants:
    """Return a number that is 1 with this chance, else 0."""
    return chance, chance * (1 - chance), chance * (1 - chance) * (1 - 2 * chance)


def _tries(success: float) -> Cumulants:
    return _sum((1.0, 0.0, 0.0), _failures(success))


def _random_sum(number: Cumulants, each: Cumulants) -> Cumulants:
    """Return the sum of a random number of independent times (law of total cumulance)."""
    mean, variance, third = each
    return (
        number[0] * mean,
        number[0] * variance + number[1] * mean**2,
        number[0] * third + 3 * number[1] * mean * variance + number[2] * mean**3,
    )


def _moments(rate: float, times: float, strikes: float, costs: list[tuple[float, Cumulants]]) -> Cost:
    """Return the moments of a mixture of costs, each with its chance, of ``times`` gangs at once."""
    first = math.fsum(chance * mean for chance, (mean, _, _) in costs)
    second = math.fsum(chance * (variance + mean**2) for chance, (mean, variance, _) in costs)
    third = math.fsum(chance * (cubed + 3 * mean * variance + mean**3) for chance, (mean, variance, cubed) in costs)
    return Cost(rate, times * first, times**2 * second, times**3 * third, strikes)


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
