"""What exact theory says about the first job: one gang alone that never waits for hardware."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.closed_form import (
    Copies,
    Strikes,
    completion,
    daly_interval,
    optimal_interval,
    rollback_first_order,
    rollback_goodput,
    young_interval,
)
from dcsim.hazards import Hazard
from dcsim.montecarlo.crew_load import flows
from dcsim.recovery import Recovery
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.intervals import strikes_on
from dcsim.scenario.plan import plan
from dcsim.units import MS_PER_H


@dataclass(frozen=True)
class Theory:
    """One gang of the first job as a renewal process (docs/model.md 2.1); times in hours.

    ``mtbf_h`` is None if nothing stops it, ``goodput_loss`` where there is no closed form. The intervals are None
    where none is best: nothing is rolled back, writes cost no time, or several tiers. ``ettr_first_order`` is Kokolis'
    formula (summed over tiers and depths of rollback), None where it does not hold or nothing is rolled back.
    ``repair_wait_h`` is no part of the others: what a job with ``spare = "cold"`` waits for besides, the mean repair
    of what strikes it (no queue for crews); None for a job that takes other hardware. ``done_h``: when the work of the
    only gang is done in the mean (``completion``); None where it has none, or there is no closed form.
    """

    mtbf_h: float | None
    stall_h: float
    goodput_loss: float | None
    ettr_first_order: float | None
    interval_h: float | None
    young_h: float | None
    daly_h: float | None
    optimal_h: float | None
    repair_wait_h: float | None
    done_h: float | None


def theory(scenario: Scenario) -> Theory:
    """Return the theory of one gang of the first job, by what its strategy answers (``rollback_goodput``).

    Strikes come at the number of components that reach the gang / MTBF, summed over the hazards that stop jobs, each
    with the level of rollback that the strategy gives for its size and coverage. Lemons that are retired or cured lower
    the rate: it is the mean over the horizon. Left out: when strikes come (bursts, ageing, lemons: their mean rate is
    taken as Poisson), the spread of detection times, what slow members cost before they are struck, several strikes
    that add up in one stall, waiting for hardware (so an elastic gang never runs small), maintenance. If only some
    hazards spare a gang that stalls, all are taken to strike it. There is no closed form where work may be corrupt,
    where gangs heed announced failures, where good nodes fail the check before a start, or where their time is limited;
    then no interval is best by any formula. What such a check finds is left out, its time is part of the stall.
    """
    layout = plan(scenario)
    recovery, gpus = layout.gangs[0].recovery, layout.gangs[0].gpus
    strikes, tiers = gang_strikes(layout), _copies(recovery, gpus)
    failover, start = _failover_h(layout), recovery.restore_ms(-1, gpus) / MS_PER_H
    success = recovery.restore_success
    rate, back = sum(each.rate for each in strikes), sum(each.rate for each in strikes if each.level >= 0)
    unknown = _knows_what_comes(layout, 0)
    known = (back, tiers[0].write) if back and len(tiers) == 1 and tiers[0].write and not unknown else None
    return Theory(
        mtbf_h=1 / rate if rate else None,
        stall_h=mean_stall_h(layout, strikes),
        goodput_loss=gang_loss(layout),
        ettr_first_order=rollback_first_order(strikes, tiers, failover, start=start, success=success)
        if back and not unknown
        else None,
        interval_h=tiers[0].every if tiers else None,
        young_h=known and young_interval(*known),
        daly_h=known and daly_interval(*known),
        optimal_h=known and optimal_interval(*known),
        repair_wait_h=_repair_h(layout) if recovery.spare == "cold" else None,
        done_h=done_h(layout) if len(layout.gangs) == 1 else None,
    )


def done_h(layout: Plan, index: int = 0) -> float | None:
    """Return when one gang alone has done its work [h], in the mean, where every failure rolls it back.

    See ``completion``. None where it has no work, or there is no closed form: rates that vary, levels, mishaps.
    """
    gang = layout.gangs[index]
    recovery, strikes, tiers = gang.recovery, gang_strikes(layout, index), _copies(gang.recovery, gang.gpus)
    simple = len(tiers) == 1 and not tiers[0].drain and not recovery.bad_checkpoint and recovery.restore_success == 1
    hazards = [hazard for hazard, _, _ in strikes_on(layout, index)]
    constant = not any(hazard.ages or hazard.lemons or hazard.burst for hazard in hazards)
    stops = all(each.level == 0 and not each.wrong for each in strikes) and all(
        hazard.effect == "interrupt" for hazard in hazards
    )
    if gang.work is None or gang.follows or _knows_what_comes(layout, index) or not (simple and stops and constant):
        return None
    failover = _failover_h(layout, index)
    hours = gang.work / MS_PER_H / gang.gpus / (1 - recovery.steady_overhead)
    stalls = [(each.rate, each.detect + failover + tiers[0].restore) for each in strikes]
    took = completion(hours, tiers[0].every, tiers[0].write, stalls, safe_stall=_safe(hazards))
    return gang.submit / MS_PER_H + took


def _safe(hazards: Sequence[Hazard]) -> bool:
    """Whether nothing fails while a gang does not compute."""
    return bool(hazards) and all(hazard.exposure == "running" for hazard in hazards)


def _failover_h(layout: Plan, index: int = 0) -> float:
    """Return the time before a restore [h]: the check of the members, then failover."""
    gang = layout.gangs[index]
    preflight = layout.scenario.jobs[gang.job].preflight
    return (gang.recovery.failover + (preflight.time if preflight else 0)) / MS_PER_H


def _knows_what_comes(layout: Plan, index: int) -> bool:
    """Whether a gang stops before something happens to it: a failure that is announced, or the end of its time.

    Good nodes that fail a check before its start make that one as long as chance says: there is no closed form either.
    """
    job = layout.scenario.jobs[layout.gangs[index].job]
    if job.preflight is not None and job.preflight.false_alarms:
        return True
    limit = job.time_limit
    heeded = any(hazard.notice and layout.leads(hazard) for hazard, _, _ in strikes_on(layout, index))
    return heeded or (limit is not None and limit < layout.scenario.horizon)


def gang_loss(layout: Plan, index: int = 0) -> float | None:
    """Return the goodput loss of one gang alone (``theory``), until its work is done if it has any.

    None where there is no closed form.
    """
    gang, done = layout.gangs[index], done_h(layout, index)
    if gang.work is not None and done is not None:
        return 1 - gang.work / gang.gpus / MS_PER_H / (done - gang.submit / MS_PER_H)
    recovery, gpus = layout.gangs[index].recovery, layout.gangs[index].gpus
    hazards = [hazard for hazard, _, _ in strikes_on(layout, index)]
    if any(hazard.effect == "corrupt" for hazard in hazards) or _knows_what_comes(layout, index):
        return None
    goodput = rollback_goodput(
        gang_strikes(layout, index),
        _copies(recovery, gpus),
        _failover_h(layout, index),
        start=recovery.restore_ms(-1, gpus) / MS_PER_H,
        success=recovery.restore_success,
        bad=recovery.bad_checkpoint,
        step=recovery.step / MS_PER_H,
        safe_stall=_safe(hazards),
    )
    return None if goodput is None else 1 - goodput * (1 - recovery.steady_overhead)


def mean_stall_h(layout: Plan, strikes: Sequence[Strikes], index: int = 0) -> float:
    """Return the mean time [h] from a strike on a gang until it runs again, never short of hardware."""
    gang = layout.gangs[index]
    recovery, rate = gang.recovery, sum(each.rate for each in strikes)
    loads = [recovery.restore_ms(level, gang.gpus) / MS_PER_H for level in range(-1, len(recovery.tiers))]
    failover, success = _failover_h(layout, index), recovery.restore_success
    return math.fsum(
        each.rate / rate * (each.detect + failover + loads[each.level + 1] / success) / (1 - each.wrong)
        for each in strikes
    )


def _copies(recovery: Recovery, gpus: int) -> list[Copies]:
    return [
        Copies(*(ms / MS_PER_H for ms in (tier.every, tier.write, tier.drain, recovery.restore_ms(level, gpus))))
        for level, tier in enumerate(recovery.tiers)
    ]


def _repair_h(layout: Plan) -> float | None:
    """Return the mean repair of what strikes the first gang [h], the wait for a shift or a weekly visit included.

    None if nothing strikes it, or where the hours of those who repair make it no closed form.
    """
    repair = {flow.hazard.key: flow.repair_h for flow in flows(layout)}  # what only kills is not repaired
    rates = [(rate, repair.get(hazard.key, hazard.mean_repair_ms / MS_PER_H)) for hazard, rate, _ in strikes_on(layout)]
    if any(
        stage.waits and not _wait_is_exact(hazard) for hazard, _, _ in strikes_on(layout) for stage in hazard.stages
    ):
        return None
    total = sum(rate for rate, _ in rates)
    return sum(rate * repair for rate, repair in rates) / total if total else None


def _wait_is_exact(hazard: Hazard) -> bool:
    """Whether theory knows the mean wait for a shift or a visit: of one stage, with nobody else in the queue."""
    stage, simple = hazard.stages[0], hazard.lifetime.memoryless and not hazard.burst
    if len(hazard.stages) > 1 or stage.success < 1 or stage.silent * hazard.requalify_finds or not simple:
        return False
    return stage.crews is None and stage.visit_when is None and stage.visit_after is None


def gang_strikes(layout: Plan, index: int = 0) -> list[Strikes]:
    """Return the classes of strikes on one gang [h]: a hazard's that are covered, and its others."""
    found, recovery = [], layout.gangs[index].recovery
    for hazard, rate, struck in strikes_on(layout, index):
        # a straggler is found before it is struck
        detect = 0.0 if hazard.effect == "straggle" else hazard.mean_detect_ms / MS_PER_H
        covered, other = int(recovery.level(struck, False)), int(recovery.level(struck, True))
        share = recovery.coverage * hazard.coverage
        shares = {covered: 1.0} if covered == other else {covered: share, other: 1 - share}
        found += [
            Strikes(rate * MS_PER_H * share, level, detect, hazard.wrong_node)
            for level, share in shares.items()
            if rate * share > 0
        ]
    return found


MOST_GANGS = 256
"""Gangs up to which theory is asked for each; source: assumed."""


def cluster_loss(scenario: Scenario) -> float | None:
    """Return the loss of all GPU-hours where every gang is one alone (``gang_loss``) and the rest gives nothing.

    None where a gang has no closed form, ends, comes later, or where there are more than ``MOST_GANGS``. Never waiting
    for hardware, so too low where spares run out.
    """
    if any(job.work is not None or job.submit for job in scenario.jobs):
        return None
    layout = plan(scenario)
    if len(layout.gangs) > MOST_GANGS:
        return None
    losses = [gang_loss(layout, index) for index in range(len(layout.gangs))]
    if any(each is None for each in losses):
        return None
    useful = [gang.gpus * (1 - (loss or 0.0)) for gang, loss in zip(layout.gangs, losses, strict=True)]
    return 1 - math.fsum(useful) / scenario.cluster.gpus
