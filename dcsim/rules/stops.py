"""Gangs that stop because they know what comes: a loss that is announced, or the end of their time.

They write a checkpoint just in time, or move to other hardware, and lose no work by what comes then.
"""

from dcsim.program.records import (
    FREE,
    IN_CHECKPOINT,
    IN_FAILOVER,
    IS_COMING,
    IS_SAFE,
    NONE,
    NOTICE,
    SAVE,
    SAVED,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import go_back, is_over
from dcsim.rules.due import push
from dcsim.rules.gangs import goes_on, run_at, stalls_for, stop
from dcsim.rules.log import note_stop
from dcsim.rules.movements import have_moved, plan_finish
from dcsim.rules.network import gang_has_changed
from dcsim.rules.places import first_in_service, move_to, set_owner
from dcsim.rules.queue import call_service, enqueue, leave_queue
from dcsim.rules.rule import rule

# --- failures that are announced -------------------------------------------------------------------------------------


@rule
def announce_next(w: World) -> None:
    """The next moment at which gangs can do something about an announced failure is due."""
    number = w.one.notice
    if number < w.one.last_notice:
        w.one.notice = number + 1
        push(w, w.notices[number].at, NOTICE, IS_COMING, number, 0)


@rule
def heed(w: World, notice: int, now: int) -> None:
    """A failure comes: gangs that compute on what will fail begin to move away, or to write a checkpoint just in time.

    This is the moment for those whose checkpoint takes as long as is left, or, if the notice is about moves, for those
    that can move. One that could not write what it has to after it found too few free GPUs has no second chance.
    """
    announce_next(w)
    n = w.notices[notice]
    h = w.hazards[n.hazard]
    if first_in_service(w, n.component * h.size, (n.component + 1) * h.size) < 0:
        return
    low = n.component * h.size // h.part * h.part
    high = min(low + h.part, w.one.atoms)
    w.one.planned_out = w.one.excuses
    for place in range(low, high):
        gang = w.owner[place]
        if gang < 0 or run_at(w, gang, now) < 0 or has_any(w, gang, low, place):
            continue
        job = w.jobs[w.gangs[gang].job]
        if n.moves:
            if not job.cold and missing_outside(w, gang, low, high) <= 0:
                stop_until(w, gang, IN_FAILOVER, n.hazard, notice, n.until, now)
        elif job.may_lose and job.saves == n.until - now and (job.cold or h.evacuate < 0 or job.saves <= h.evacuate):
            stop_until(w, gang, IN_CHECKPOINT, n.hazard, NONE, n.until, now)
    w.one.planned_out = 0


@rule
def has_any(w: World, gang: int, low: int, high: int) -> bool:
    """Whether a gang has one of the places of a range."""
    found = False
    for place in range(low, high):
        found = found or w.owner[place] == gang
    return found


@rule
def missing_outside(w: World, gang: int, low: int, high: int) -> int:
    """Return how many places a gang has in a range beyond the free ones outside of it; 0 or less: it can leave."""
    own, free = 0, w.one.free // w.one.atom
    for place in range(low, high):
        own += 1 if w.owner[place] == gang else 0
        free -= 1 if w.owner[place] == FREE else 0
    return int(own - free)


@rule
def stop_until(w: World, gang: int, state: int, why: int, moves_from: int, until: int, now: int) -> None:
    """A gang stops to save its work, or to move from where an announced failure comes; it is booked to ``state``."""
    stop(w, gang, now)
    stalls_for(w, gang, why)
    leave_queue(w, gang)
    g = w.gangs[gang]
    g.phase = SAVE
    g.saves_as = state
    g.moves_from = moves_from
    g.stops += 1
    note_stop(w, gang, why, now)
    push(w, until, SAVED, IS_SAFE, gang, g.stops)
    gang_has_changed(w, gang, now)


@rule
def is_safe(w: World, gang: int, number: int, now: int) -> None:
    """All that a gang has done is safe, or it has moved: it computes again at once, unless its time is over."""
    g = w.gangs[gang]
    if g.phase != SAVE or g.stops != number:
        return  # something else came before
    stop(w, gang, now)
    for tier in range(w.jobs[g.job].tiers):
        w.durable[gang, tier] = g.kept
    if g.moves_from >= 0:
        move_away(w, gang, g.moves_from, now)
    if is_over(w, gang, now):
        go_back(w, gang, now)
        return
    goes_on(w, gang, now)
    if g.up < g.gpus:
        g.queued = 1
        enqueue(w, gang)
        call_service(w, now)
    plan_finish(w, gang)
    gang_has_changed(w, gang, now)


@rule
def move_away(w: World, gang: int, notice: int, now: int) -> None:
    """A gang's places on what will fail are free, and it has the lowest free ones elsewhere, if there are enough."""
    n = w.notices[notice]
    h = w.hazards[n.hazard]
    low = n.component * h.size // h.part * h.part
    high = min(low + h.part, w.one.atoms)
    if missing_outside(w, gang, low, high) > 0:
        return
    wanted = 0
    for place in range(low, high):
        wanted += 1 if w.owner[place] == gang else 0
    w.one.moving = 0
    for place in range(w.one.atoms):
        if low <= place < high:
            if w.owner[place] == gang:
                set_owner(w, place, FREE)
                move_to(w, place)
        elif wanted and w.owner[place] == FREE:
            set_owner(w, place, gang)
            move_to(w, place)
            wanted -= 1
    have_moved(w, now)


# --- time limits ----------------------------------------------------------------------------------------------------


@rule
def save_at_last(w: World, gang: int, ends: int, now: int) -> None:
    """A gang that computes writes a checkpoint that ends with its time."""
    if w.gangs[gang].ends == ends and run_at(w, gang, now) >= 0:
        stop_until(w, gang, IN_CHECKPOINT, NONE, NONE, ends, now)


@rule
def time_is_over(w: World, gang: int, ends: int, now: int) -> None:
    """A gang that starts or computes stops at the end of its time; others do when they would start again."""
    if w.gangs[gang].ends == ends and w.gangs[gang].phase == WHOLE:
        go_back(w, gang, now)
