"""Gangs that stop because they know what comes: a loss that is announced, or the end of their time.

They write a checkpoint just in time, or move to other hardware, and lose no work by what comes then.
"""

from dcsim.program.records import (
    FREE,
    IN_CHECKPOINT,
    IN_FAILOVER,
    IS_SAFE,
    IS_TOLD,
    MOVES_AWAY,
    NONE,
    NOTICE,
    SAVE,
    SAVED,
    SAVES,
    WHOLE,
    World,
)
from dcsim.rules.allocation import call_service, enqueue, go_back, is_over, leave_queue
from dcsim.rules.due import push
from dcsim.rules.gangs import goes_on, run_at, stalls_for, stop
from dcsim.rules.movements import have_moved, plan_finish
from dcsim.rules.network import gang_has_changed
from dcsim.rules.places import first_in_service, move_to, set_owner
from dcsim.rules.rule import rule

# --- what is announced ----------------------------------------------------------------------------------------------


@rule
def tell_next(w: World) -> None:
    """The next failure that is announced is due to be told."""
    number = w.one.notice
    if number < w.one.last_notice:
        w.one.notice = number + 1
        push(w, w.notices[number].at, NOTICE, IS_TOLD, number, 0)


@rule
def tell(w: World, notice: int, now: int) -> None:
    """A failure is announced: gangs that it would strike now will move away in time, or else write a checkpoint."""
    tell_next(w)
    n = w.notices[notice]
    h = w.hazards[n.hazard]
    if first_in_service(w, n.component * h.size, (n.component + 1) * h.size) < 0:
        return
    low = first_of(w, notice)
    for place in range(low, min(low + h.part, w.one.atoms)):
        gang = w.owner[place]
        if gang < 0 or has_any(w, gang, low, place):
            continue
        if 0 <= h.evacuate <= n.until - now and not w.jobs[w.gangs[gang].job].cold:
            push(w, n.until - h.evacuate, NOTICE, MOVES_AWAY, gang, notice)
        else:
            plan_save(w, gang, notice, now)


@rule
def first_of(w: World, notice: int) -> int:
    """Return the first place of the part that an announced failure takes down."""
    n = w.notices[notice]
    h = w.hazards[n.hazard]
    return int(n.component * h.size // h.part * h.part)


@rule
def has_any(w: World, gang: int, low: int, high: int) -> bool:
    """Whether a gang has one of the places of a range."""
    found = False
    for place in range(low, min(high, w.one.atoms)):
        found = found or w.owner[place] == gang
    return found


@rule
def plan_save(w: World, gang: int, notice: int, now: int) -> None:
    """A gang will write a checkpoint that ends as the announced failure comes, if there is time and use for it."""
    job, until = w.jobs[w.gangs[gang].job], w.notices[notice].until
    if job.may_lose and job.saves >= 0 and until - job.saves >= now:
        push(w, until - job.saves, NOTICE, SAVES, gang, notice)


# --- what gangs do about it -----------------------------------------------------------------------------------------


@rule
def save(w: World, gang: int, notice: int, now: int) -> None:
    """A gang that computes on what will fail stops and writes; NONE: its time will be over, if that is still so."""
    if w.gangs[gang].phase != WHOLE or run_at(w, gang, now) < 0:
        return
    if notice < 0:
        ends = w.gangs[gang].ends
        if ends >= 0 and ends - w.jobs[w.gangs[gang].job].saves == now:
            stop_until(w, gang, IN_CHECKPOINT, NONE, NONE, ends, now)
        return
    n, low = w.notices[notice], first_of(w, notice)
    if has_any(w, gang, low, low + w.hazards[n.hazard].part):
        stop_until(w, gang, IN_CHECKPOINT, n.hazard, NONE, n.until, now)


@rule
def move_away(w: World, gang: int, notice: int, now: int) -> None:
    """A gang that computes on what will fail begins to move to free GPUs; where they are too few, it may still save."""
    n, low = w.notices[notice], first_of(w, notice)
    high = low + w.hazards[n.hazard].part
    computes = w.gangs[gang].phase == WHOLE and run_at(w, gang, now) >= 0
    if computes and has_any(w, gang, low, high) and missing_outside(w, gang, low, high) <= 0:
        stop_until(w, gang, IN_FAILOVER, n.hazard, notice, n.until, now)
    else:
        plan_save(w, gang, notice, now)


@rule
def missing_outside(w: World, gang: int, low: int, high: int) -> int:
    """Return how many places a gang has in a range beyond the free ones outside of it; 0 or less: it can leave."""
    own, free = 0, w.one.free // w.one.atom
    for place in range(low, min(high, w.one.atoms)):
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
        low = first_of(w, g.moves_from)
        leave_range(w, gang, low, low + w.hazards[w.notices[g.moves_from].hazard].part, now)
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
def leave_range(w: World, gang: int, low: int, high: int, now: int) -> None:
    """A gang's places in a range are free, and it has the lowest free ones outside instead, if there are enough."""
    if missing_outside(w, gang, low, high) > 0:
        return
    wanted = 0
    for place in range(low, min(high, w.one.atoms)):
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


@rule
def time_is_over(w: World, gang: int, ends: int, now: int) -> None:
    """A gang that starts or computes stops at the end of its time; others do when they would start again."""
    g = w.gangs[gang]
    if g.ends == ends and g.phase == WHOLE:
        go_back(w, gang, now)
