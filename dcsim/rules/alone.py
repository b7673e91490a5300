"""Failures that stand alone: nothing else happens until they are found, or even until their repair ends.

They are most of all failures of a large cluster with spares. The same rules apply to them, one after the other at once:
no entry of ``due`` and no record is needed for what nobody else will see. Most of them strike a gang that computes as
it has since it last began to: what all of that comes to is one sum (``gangs.add_stretch``). Where nothing but numbers
is to be looked up, such failures are added up (``adds_up``) until something else happens to their gang.
"""

from dcsim.program.records import (
    DETECT,
    IN_DETECT,
    IN_REPAIR,
    NONE,
    PPB,
    REPAIRED,
    TICKS,
    VISIT,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import want
from dcsim.rules.booking import book, book_added, change_free, come_to
from dcsim.rules.gangs import add_stretch, computes_steadily, resume, strike_gang
from dcsim.rules.parts import add_part, group_of
from dcsim.rules.repairs import begin_repair
from dcsim.rules.returns import group_leaves, new_return
from dcsim.rules.rule import rule


@rule
def adds_up(w: World, hazard: int, target: int, rank: int, now: int, outcome: int) -> int:
    """Add up a failure that stands alone and strikes a gang of which all is known; return NONE if it is none.

    Return 0 if it stands alone until its repair ends, else, as ``settles``, how many GPUs leave for repair.
    """
    one = w.one
    if target >= one.gangs or not computes_steadily(w, target, now):
        return NONE
    found = now + w.outcomes[outcome].detect
    back = found + w.stage_times[outcome, 0]
    until_back = back > found and is_alone(w, back, REPAIRED)
    if not until_back and not is_alone(w, found, VISIT):
        return NONE
    g, h, crews = w.gangs[target], w.hazards[hazard], w.crews[w.hazards[hazard].crews]
    hit = group_of(rank, h.blast, g.gpus)
    strike_simply(w, target, hit, hazard, now, found)
    if not until_back or hit > one.free or one.free > one.spares or one.waiting or 0 <= crews.size <= crews.busy:
        return int(hit)
    g.added_away += hit * (back - found)
    g.phase = WHOLE
    g.runs_from = found + g.failover + g.restore
    one.failures += 1
    return 0


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
    if not one.adds_up and target < one.gangs and is_alone(w, found, VISIT) and is_simply_struck(w, target, now):
        crews, hit = w.crews[h.crews], group_of(rank, h.blast, w.gangs[target].gpus)
        until_back = is_alone(w, back, REPAIRED) and (crews.size < 0 or crews.busy < crews.size)
        until_back = until_back and hit <= one.free and not one.waiting
        if back == found and not until_back:
            return NONE
        g = w.gangs[target]
        g.runs_from = g.since + g.failover + g.restore
        strike_simply(w, target, hit, hazard, now, found)
        book_added(w, target)
        if not until_back:
            return int(hit)
        change_free(w, -hit, found)
        resume(w, target, found)
        book(w, target, IN_REPAIR, hazard, hit, found, back)
        change_free(w, hit, back)
        one.failures += 1
        return 0
    if not nothing_is_due(w) or not is_alone(w, back, REPAIRED):
        return NONE
    return 0 if strikes_alone(w, hazard, target, rank, now, found, back) else NONE


@rule
def nothing_is_due(w: World) -> bool:
    """Whether nothing is under way, and all that is free stands in free slots."""
    return bool(w.one.due == 0 and w.one.free == w.one.free_slots)


@rule
def is_alone(w: World, until: int, tick: int) -> bool:
    """Whether nothing else happens up to this tick of a time, which is within this month."""
    one = w.one
    if until >= one.horizon or until > one.month_end or TICKS * until > one.next_failure:  # that is the next one's
        return False
    return bool(one.due == 0 or w.due[0].key > TICKS * until + tick)


@rule
def strikes_alone(w: World, hazard: int, target: int, rank: int, now: int, found: int, back: int) -> bool:
    """Settle a failure of the free GPUs, or of a gang; return False if it does not stand alone."""
    h, one = w.hazards[hazard], w.one
    if target == one.gangs:
        hit = group_of(rank, h.blast, one.free)
        change_free(w, -hit, now)
        book(w, one.gangs, IN_REPAIR, hazard, hit, now, back)
    else:
        g = w.gangs[target]
        hit = group_of(rank, h.blast, g.gpus)
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
    """A gang that is simply struck hangs until that is found (``gangs.add_stretch``)."""
    g = w.gangs[gang]
    add_stretch(w, gang, hazard, now)
    g.added_detect += found - now
    g.strikes += 1
    g.struck = hit
    g.phase = DETECT
    g.since = found


# --- what leaves for repair -----------------------------------------------------------------------------------------


@rule
def leaves_alone(w: World, hazard: int, gang: int, gpus: int, now: int, outcome: int) -> None:
    """What was struck leaves for repair when it is found, and its gang wants replacements (``adds_up``)."""
    found = now + w.outcomes[outcome].detect
    w.one.failures += 1
    come_to(w, found)
    w.gangs[gang].up -= gpus
    w.gangs[gang].out += gpus
    row = new_return(w, hazard, gang, gpus, w.stage_times[outcome, 0])
    w.returns[row].since = found
    group_leaves(w, row, found)
    want(w, gang, found, True)


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
