"""Failures that stand alone: nothing else happens until they are found, or even until their repair ends.

They are most of all failures of a large cluster with spares. The same rules apply to them, one after the other at once:
no entry of ``due`` and no record is needed for what nobody else will see. What most of them go through, a gang that is
struck while it computes, stands here once more, as what all of it comes to (``strike_simply``).
"""

from dcsim.program.records import (
    DETECT,
    IN_CHECKPOINT,
    IN_DETECT,
    IN_FAILOVER,
    IN_LOST,
    IN_REPAIR,
    IN_RESTORE,
    IN_RUNNING,
    NONE,
    PPB,
    REPAIRED,
    TICKS,
    VISIT,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import want
from dcsim.rules.booking import book, change_free, come_to, enter_now
from dcsim.rules.gangs import resume, strike_gang
from dcsim.rules.parts import add_part
from dcsim.rules.repairs import begin_repair
from dcsim.rules.rule import quotient, rule
from dcsim.rules.sold import has_computed
from dcsim.rules.strategy import copied, written


@rule
def settles(w: World, hazard: int, target: int, rank: int, now: int, outcome: int) -> int:
    """Settle a failure of a slot that stands alone: return 0; NONE, and change nothing, if it does not.

    If it does so until it is found, but not until its repair ends, settle what happens until then, and return how many
    GPUs leave for repair.
    """
    h, one = w.hazards[hazard], w.one
    if not h.plain or one.logs:
        return NONE
    found = now + w.outcomes[outcome].detect
    back = found + w.stage_times[outcome, 0]
    first = quotient(rank, h.blast) * h.blast
    if target < one.gangs and is_alone(w, found, VISIT) and is_simply_struck(w, target, now):
        crews, hit = w.crews[w.stage_crews[hazard, 0]], min(h.blast, w.gangs[target].gpus - first)
        until_back = is_alone(w, back, REPAIRED) and (crews.size < 0 or crews.busy < crews.size)
        until_back = until_back and hit <= one.free and not one.waiting
        if back == found and not until_back:
            return NONE
        strike_simply(w, target, hit, hazard, now, found)
        if not until_back:
            return int(hit)
        change_free(w, -hit, found)
        resume(w, target, found)
        book(w, target, IN_REPAIR, hazard, hit, found, back)
        change_free(w, hit, back)
        one.failures += 1
        return 0
    if one.due or one.free != one.free_slots or not is_alone(w, back, REPAIRED):
        return NONE
    return 0 if strikes_alone(w, hazard, target, first, now, found, back) else NONE


@rule
def is_alone(w: World, until: int, tick: int) -> bool:
    """Whether nothing else happens up to this tick of a time, which is within this month."""
    one = w.one
    if until >= one.horizon or until > one.month_end or TICKS * until > one.next_failure:  # that is the next one's
        return False
    return bool(one.due == 0 or w.due[0].key > TICKS * until + tick)


@rule
def strikes_alone(w: World, hazard: int, target: int, first: int, now: int, found: int, back: int) -> bool:
    """Settle a failure of the free GPUs, or of a gang, from this rank on; return False if it does not stand alone."""
    h, one = w.hazards[hazard], w.one
    if target == one.gangs:
        hit = min(h.blast, one.free - first)
        change_free(w, -hit, now)
        book(w, one.gangs, IN_REPAIR, hazard, hit, now, back)
    else:
        g = w.gangs[target]
        hit = min(h.blast, g.gpus - first)
        if hit > one.free or g.phase != WHOLE or w.jobs[g.job].cold:
            return False
        strike_gang(w, target, hit, hazard, now, NONE)
        book(w, target, IN_DETECT, g.why, g.gpus, now, found)
        book(w, target, IN_REPAIR, hazard, hit, found, back)
        g.phase = DETECT
        change_free(w, -hit, found)
        resume(w, target, found)
    change_free(w, hit, back)
    one.failures += 1
    return True


@rule
def is_simply_struck(w: World, gang: int, now: int) -> bool:
    """Whether a gang computes at full speed, since this month, and rolls back to what was safe when it began to."""
    g, one = w.gangs[gang], w.one
    if not w.jobs[g.job].simple or g.phase != WHOLE or g.up != g.gpus or g.piece < 0:
        return False
    if g.since < one.month_begin or g.months != one.month or now <= g.since + g.failover + g.restore:
        return False
    if g.speed_2 != PPB or g.first_segment >= 0 or g.first_faulty >= 0 or g.first_clean >= 0:
        return False
    p = w.pieces[g.piece]
    return bool(p.gpus == g.active and p.speed_2 == PPB and w.durable[gang, 0] == g.kept)


@rule
def strike_simply(w: World, gang: int, hit: int, hazard: int, now: int, found: int) -> None:
    """What comes of ``strike_gang`` and detection for a gang that is simply struck, until that is found.

    What it computed since its last checkpoint is lost, and booked as such at once.
    """
    g = w.gangs[gang]
    run = now - g.since - g.failover - g.restore
    if g.domain >= 0:
        has_computed(w, gang, now - run, now)
    safe, rest = copied(w, g.job, run, 0)
    writes = written(w, g.job, run, safe, rest)
    enter_now(w, gang, IN_FAILOVER, g.why, g.active * g.failover)
    enter_now(w, gang, IN_RESTORE, g.why, g.active * g.restore)
    enter_now(w, gang, IN_CHECKPOINT, NONE, g.active * writes)
    enter_now(w, gang, IN_RUNNING, NONE, g.active * safe)
    enter_now(w, gang, IN_LOST, hazard, g.active * (run - writes - safe))
    enter_now(w, gang, IN_DETECT, hazard, g.active * (found - now))
    w.pieces[g.piece].ms += safe
    w.done_this_month[g.job].weight += g.active * safe
    g.weight_0 += g.active * safe
    g.weight_1 += g.active * safe
    g.weight_2 += g.active * safe
    g.kept += safe
    w.durable[gang, 0] = g.kept
    g.computed = run - writes
    g.why = hazard
    g.strikes += 1
    g.struck = hit
    g.started = 1
    g.level = 0
    g.extra = 0
    g.phase = DETECT
    g.since = found


@rule
def leaves_at_once(w: World, failure: int, gang: int, gpus: int, now: int) -> None:
    """What was struck leaves for repair now that it is found, and its gang wants replacements (``settles``)."""
    f, g = w.failures[failure], w.gangs[gang]
    f.gpus = gpus
    add_part(w, failure, gang, gpus)
    g.up -= gpus
    g.out += gpus
    come_to(w, now)
    begin_repair(w, failure, f.first_part, 0, NONE, now, True)
    want(w, gang, now, True)
