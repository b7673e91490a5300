"""Free GPUs and who gets them: spares, the queue of waiting gangs, pre-emption, the ends of jobs."""

from dcsim.program.records import (
    ARRIVES,
    CHECKS,
    DETECT,
    DONE,
    DRAIN,
    FINISHES,
    IN_MAINTENANCE,
    IS_CHECKED,
    LEAVE,
    LEAVES_DETECTION,
    LIMIT,
    NONE,
    QUEUES_AGAIN,
    REPAIRED,
    REQUEUE,
    SAVE,
    SAVED,
    SAVES,
    STARTS,
    TIME_IS_OVER,
    WAIT,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.booking import change_free
from dcsim.rules.due import is_quiet, push
from dcsim.rules.gangs import cede_members, finishes_at, gain, resume, stop
from dcsim.rules.log import note_event
from dcsim.rules.movements import have_moved, plan_finish
from dcsim.rules.network import gang_has_changed, traffic_has_changed
from dcsim.rules.places import free_highest, reach, take_free
from dcsim.rules.queue import call_service, drains_for_nobody, leave_queue, queues
from dcsim.rules.relapses import plan_relapse
from dcsim.rules.rule import ask, rule
from dcsim.rules.strategy import largest_shape
from dcsim.rules.work import lose

# --- the queue ------------------------------------------------------------------------------------------------------


@rule
def serve(w: World, now: int) -> None:
    """Give free GPUs to waiting gangs, the head first; then take its deficit from gangs of lower priority."""
    place = 0
    while place < w.one.waiting:
        gang = w.queue[place]
        g = w.gangs[gang]
        own = g.out if w.jobs[g.job].cold else 0
        need, before = g.gpus - g.up - own, g.up
        if need > 0:
            taken = min(need, reach(w, gang) if w.one.rack else w.one.free)
            if taken:
                change_free(w, -taken, now)
                gain(w, gang, taken, now)
                assign(w, gang, taken, now)
            if taken < need:
                preempt(w, gang, need - taken, now)
        if g.up == g.gpus:
            leave_queue(w, gang)
            if need <= 0:  # else what it has gained has been booked
                gain(w, gang, 0, now)
            begin(w, gang, now)
            continue
        if w.one.head_blocks and need > 0 and not w.one.free and g.up + own < g.gpus:
            break  # nothing is left for those behind: they outrank nobody whom this gang does not
        run_small(w, gang, g.up > before, now)
        if g.queued:  # else its time was over
            place += 1
    w.one.serving = NONE


@rule
def run_small(w: World, gang: int, gained: bool, now: int) -> None:
    """Let a gang that is short run with its largest legal shape, if that is more than it runs with."""
    g = w.gangs[gang]
    runs_with = g.active if g.phase == WHOLE else 0
    if largest_shape(w, gang) > runs_with:
        gain(w, gang, 0, now)
        begin(w, gang, now)
    elif gained and runs_with and w.one.has_traffic:  # members that it has no use for yet send with the others
        traffic_has_changed(w, gang, now)


@rule
def preempt(w: World, gang: int, need: int, now: int) -> None:
    """Take up to ``need`` GPUs from gangs of strictly lower priority, lowest first."""
    for number in range(w.one.gangs):
        loser = w.losers[number]
        g = w.gangs[loser]
        if not need or g.priority >= w.gangs[gang].priority:
            break
        if not g.up:
            continue
        ceded = min(need, g.up)
        cede_members(w, loser, ceded, now)
        g.up -= ceded
        if w.one.atom:
            free_highest(w, loser, ceded)
            have_moved(w, now)
        if g.phase == WHOLE or g.phase == DRAIN or g.phase == SAVE:
            requeue(w, loser, now)
        gain(w, gang, ceded, now)
        assign(w, gang, ceded, now)
        need -= ceded


@rule
def requeue(w: World, gang: int, now: int) -> None:
    """A gang that was whole, or ran small, has lost members to another: it waits for others."""
    g = w.gangs[gang]
    drains_for_nobody(w, gang)
    if g.queued:
        g.phase = WAIT
    elif queues(w, gang, now):
        call_service(w, now)
    gang_has_changed(w, gang, now)


@rule
def assign(w: World, gang: int, gpus: int, now: int) -> None:
    """GPUs that were free belong to a gang from now on."""
    if w.one.atom:
        take_free(w, gang, gpus)
        have_moved(w, now)


@rule
def want(w: World, gang: int, now: int, alone: bool) -> None:
    """A gang is short of hardware, or must see whether it is; ``alone``: nothing else here brings another gang."""
    g = w.gangs[gang]
    short = g.gpus - g.up
    at_once = alone and short <= w.one.free and not w.one.waiting and not w.jobs[g.job].cold and not w.one.rack
    if at_once and g.not_before <= now and is_quiet(w, now):  # nothing else ends now: no need to queue for service
        g.up = g.gpus
        if short:
            change_free(w, -short, now)
            assign(w, gang, short, now)
        begin(w, gang, now)
        g.queued = 0
        return
    if queues(w, gang, now):
        serve_next(w, alone, now)


@rule
def all_is_found(w: World, gang: int, alone: bool, now: int) -> None:
    """If all that struck a gang is identified, it leaves detection; at once if nothing else is found now.

    ``alone``: this failure has struck nobody else.
    """
    if w.gangs[gang].open:
        return
    if alone and is_quiet(w, now):
        leave_detection(w, gang, now)
    else:
        push(w, now, LEAVE, LEAVES_DETECTION, gang, 0)


@rule
def leave_detection(w: World, gang: int, now: int) -> None:
    """All that struck a gang has been identified: it wants replacements."""
    if w.gangs[gang].phase == DETECT and not w.gangs[gang].open:
        want(w, gang, now, True)


@rule
def serve_next(w: World, alone: bool, now: int) -> None:
    """Have waiting gangs served; at once where that comes next anyway. ``alone``: as in ``want``."""
    if alone and w.one.serving != now and is_quiet(w, now):
        w.one.serving = now
        serve(w, now)
    else:
        call_service(w, now)


# --- start and end --------------------------------------------------------------------------------------------------


@rule
def begin(w: World, gang: int, now: int) -> None:
    """A gang starts, or starts again: the end of its work is due, and faulty members strike as soon as it computes."""
    if w.gangs[gang].up == w.gangs[gang].gpus:
        w.gangs[gang].queued = 0
    if is_over(w, gang, now):
        go_back(w, gang, now)
        return
    if w.jobs[w.gangs[gang].job].limit and w.gangs[gang].ends < 0:
        begin_time(w, gang, now)
    if w.one.preflights and is_to_be_checked(w, gang):
        begin_preflight(w, gang, now)
    else:
        start(w, gang, now)


@rule
def start(w: World, gang: int, now: int) -> None:
    """A gang goes through failover and restore now; before its next start its members are checked again."""
    w.gangs[gang].begun += 1
    resume(w, gang, now)
    note_event(w, STARTS, gang, w.gangs[gang].active, now)
    plan_finish(w, gang)
    gang_has_changed(w, gang, now)
    plan_relapse(w, gang)


@rule
def is_to_be_checked(w: World, gang: int) -> bool:
    """Whether a gang that does not run has members that have not passed a check for this start."""
    g = w.gangs[gang]
    if w.jobs[g.job].preflight >= 0 and g.phase != WHOLE:
        for place in range(unchecked_from(w, gang), unchecked_to(w, gang) + 1):
            if w.owner[place] == gang and not has_passed(w, place, gang):
                return True
    return False


@rule
def unchecked_from(w: World, gang: int) -> int:
    """Return a place below which no member is that has not passed the check for the next start."""
    g = w.gangs[gang]
    return int(g.joined_low if g.checked_start == g.begun + 1 else g.lowest)


@rule
def unchecked_to(w: World, gang: int) -> int:
    """Return a place behind which no member is that has not passed the check for the next start."""
    g = w.gangs[gang]
    return int(g.joined_high if g.checked_start == g.begun + 1 else g.highest)


@rule
def has_passed(w: World, place: int, gang: int) -> bool:
    """Whether a member has passed a check for its gang's next start: the last one was for it, and came after it did."""
    g = w.gangs[gang]
    return bool(g.checked_start == g.begun + 1 and w.joined_at[place] < g.checks)


@rule
def begin_preflight(w: World, gang: int, now: int) -> None:
    """A gang that could start is checked first; meanwhile it asks for no hardware."""
    leave_queue(w, gang)
    g = w.gangs[gang]
    g.phase = SAVE
    g.since = now
    g.saves_as = IN_MAINTENANCE
    g.moves_from = NONE
    g.stops += 1
    if g.up == g.gpus:
        g.short_since = NONE
    note_event(w, CHECKS, gang, g.up, now)
    push(w, now + w.jobs[g.job].preflight, SAVED, IS_CHECKED, gang, g.stops)
    gang_has_changed(w, gang, now)


@rule
def arrive(w: World, gang: int, now: int) -> None:
    """A gang is submitted."""
    want(w, gang, now, True)


@rule
def finish(w: World, gang: int, now: int) -> None:
    """A gang's work is done: it gives its GPUs back."""
    g = w.gangs[gang]
    if g.phase != WHOLE or finishes_at(w, gang) != now:
        return  # planned before something else happened
    stop(w, gang, now)
    note_event(w, FINISHES, gang, g.up, now)
    g.phase = DONE
    g.finish = now
    leave_queue(w, gang)
    gang_has_changed(w, gang, now)
    while g.first_clean >= 0:
        w.failures[g.first_clean].gang = NONE
        g.first_clean = w.failures[g.first_clean].next_clean
    gpus = g.up
    g.up = 0
    if w.one.atom:
        free_highest(w, gang, gpus)
        have_moved(w, now)
    while g.first_faulty >= 0:
        g.first_faulty = w.failures[g.first_faulty].next_faulty
        w.one.faulty -= 1
    g.last_faulty = NONE
    change_free(w, gpus, now)
    if w.one.waiting:
        call_service(w, now)
    if w.jobs[g.job].followed:
        submit_followers(w, g.job, now)


@rule
def submit_followers(w: World, job: int, now: int) -> None:
    """The last gang of a job is done: those that come after it are submitted, or will be at their time."""
    for gang in range(w.one.gangs):
        if w.gangs[gang].job == job and w.gangs[gang].phase != DONE:
            return
    for gang in range(w.one.gangs):
        g = w.gangs[gang]
        if w.jobs[g.job].after == job:
            g.submit = max(now, w.jobs[g.job].submit)
            push(w, g.submit, REPAIRED, ARRIVES, gang, 0)


# --- time limits ----------------------------------------------------------------------------------------------------


@rule
def begin_time(w: World, gang: int, now: int) -> None:
    """A gang has its hardware for so long from now on; before the end it saves its work, if it writes checkpoints."""
    g, job = w.gangs[gang], w.jobs[w.gangs[gang].job]
    g.ends = now + job.limit
    if job.saves >= 0 and g.ends < w.one.horizon:
        push(w, g.ends - job.saves, LIMIT, SAVES, gang, g.ends)
    push(w, g.ends, LIMIT, TIME_IS_OVER, gang, g.ends)


@rule
def is_over(w: World, gang: int, now: int) -> bool:
    """Whether the time of a gang has begun and is over."""
    return bool(0 <= w.gangs[gang].ends <= now)


@rule
def go_back(w: World, gang: int, now: int) -> None:
    """A gang whose time is over has what is safe; it keeps its members, and queues and starts anew after a while."""
    stop(w, gang, now)
    leave_queue(w, gang)
    g = w.gangs[gang]
    safe = 0 if w.jobs[g.job].tiers else g.kept
    for tier in range(w.jobs[g.job].tiers):
        safe = max(safe, w.durable[gang, tier])
    lose(w, gang, safe, NONE, now)
    g.started = 0
    g.struck_before = g.strikes
    g.level = NONE
    g.struck = 0
    g.extra = 0
    g.ends = NONE
    g.short_since = NONE
    g.phase = WAIT
    g.not_before = now + ask(w, REQUEUE, gang, 0)
    push(w, g.not_before, SAVED, QUEUES_AGAIN, gang, g.not_before)
    gang_has_changed(w, gang, now)


@rule
def queue_again(w: World, gang: int, not_before: int, now: int) -> None:
    """A gang whose time was over queues for hardware, unless it hangs: then it does when that is over."""
    g = w.gangs[gang]
    if g.phase == WAIT and g.not_before == not_before and not g.queued:
        stop(w, gang, now)
        want(w, gang, now, False)
