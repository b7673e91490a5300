"""Where GPU-time goes: every booking of a run passes here, with its state, its month and its cause."""

from dcsim.program.records import (
    IN_CHECKPOINT,
    IN_DETECT,
    IN_FAILOVER,
    IN_IDLE,
    IN_LOST,
    IN_REPAIR,
    IN_RESTORE,
    IN_RUNNING,
    IN_SPARE,
    NEVER,
    NONE,
    PPB,
)
from dcsim.program.world import World
from dcsim.rules.log import note_rollback, note_time
from dcsim.rules.rule import rule


@rule
def book(w: World, who: int, state: int, why: int, gpus: int, start: int, end: int) -> None:
    """Book ``gpus`` GPUs from ``start`` to ``end``, which is in this month and not before ``start``.

    ``who``: a gang, or the number of gangs: free GPUs, or one more: spares. ``why``: the cause that it follows from:
    a hazard, or behind the hazards a maintenance; NONE: none.
    """
    gpu_ms = gpus * (end - start)
    enter_now(w, who, state, why, gpu_ms)
    if start < w.one.month_begin:
        book_earlier(w, state, gpus, start, end)
    if w.one.logs and gpu_ms:
        note_time(w, who, state, why, gpus, start, end, gpu_ms, 0)


@rule
def enter(w: World, who: int, state: int, why: int, gpu_ms: int) -> None:
    """Add GPU-time to the sums of a run, which are kept by job and cause; for ``who`` and ``why`` see ``book``."""
    w.booked[w.books[who] + why, state] += gpu_ms


@rule
def enter_now(w: World, who: int, state: int, why: int, gpu_ms: int) -> None:
    """Add GPU-time of this month."""
    enter(w, who, state, why, gpu_ms)
    w.this_month[state] += gpu_ms


@rule
def book_earlier(w: World, state: int, gpus: int, start: int, end: int) -> None:
    """What has been booked to this month began in an earlier one: book it to the months in which it lies."""
    w.this_month[state] -= gpus * (end - start)
    month = start // w.one.month_ms
    while start < end:
        stop = min(end, (month + 1) * w.one.month_ms)
        w.by_month[month, state] += gpus * (stop - start)
        start = stop
        month += 1


@rule
def come_to(w: World, now: int) -> None:
    """It is ``now``; months that are over are closed. What ends with a month belongs to it."""
    w.one.now = now
    while now > w.one.month_end:
        close_month(w)


@rule
def close_month(w: World) -> None:
    """This month is over: what was booked to it becomes a row, and the next one begins."""
    one = w.one
    if one.adds_up:
        for gang in range(one.gangs):
            w.gangs[gang].runs_from = NEVER
            if w.gangs[gang].added:
                book_added(w, gang)
    for state in range(w.by_month.shape[1]):
        w.by_month[one.month, state] += w.this_month[state]
        w.this_month[state] = 0
    for job in range(one.jobs):
        done = w.done_this_month[job]
        w.weight_by_month[job, one.month] += done.weight
        w.rest_by_month[job, one.month] += done.rest
        done.weight = 0
        done.rest = 0
    one.month += 1
    one.month_begin = one.month_end
    one.month_end += one.month_ms


@rule
def book_added(w: World, gang: int) -> None:
    """Book what was added up of a gang in this month (``gangs.add_stretch``, ``alone.adds_up``).

    It went through failover and restore, it computed, and what was not safe in the end is lost; it hung until a failure
    was found; spares took the place of what was away in repair.
    """
    g = w.gangs[gang]
    lost = g.added_run - g.added_safe - g.added_writes
    enter_now(w, gang, IN_FAILOVER, g.why, g.active * g.failover * g.added_stalls)
    enter_now(w, gang, IN_RESTORE, g.why, g.active * g.restore * g.added_stalls)
    enter_now(w, gang, IN_CHECKPOINT, NONE, g.active * g.added_writes)
    enter_now(w, gang, IN_RUNNING, NONE, g.active * g.added_safe)
    enter_now(w, gang, IN_LOST, g.why, g.active * lost)
    enter_now(w, gang, IN_DETECT, g.why, g.active * g.added_detect)
    enter_now(w, gang, IN_REPAIR, g.why, g.added_away)
    enter_now(w, w.one.gangs + 1, IN_SPARE, NONE, -g.added_away)
    keep_safe(w, gang, g.added_safe)
    g.added = 0
    g.added_stalls = 0
    g.added_run = 0
    g.added_safe = 0
    g.added_writes = 0
    g.added_detect = 0
    g.added_away = 0


@rule
def keep_safe(w: World, gang: int, safe: int) -> None:
    """A gang at full speed has computed ``safe`` ms more of which it has a copy; its bookings know of them already."""
    g = w.gangs[gang]
    w.pieces[g.piece].ms += safe
    w.done_this_month[g.job].weight += g.active * safe
    g.weight_0 += g.active * safe
    g.weight_1 += g.active * safe
    g.weight_2 += g.active * safe
    g.kept += safe
    w.durable[gang, 0] = g.kept


@rule
def book_writes(w: World, gang: int, blocked: int, computed: int, start: int, end: int) -> None:
    """Book the ``blocked`` ms of writes of a stretch that computes for ``computed`` ms.

    Both are spread evenly from ``start`` to ``end``. So the stretch is cut at the ends of months into positions of the
    gang's work, and what is not computing in a month is writing.
    """
    g, one = w.gangs[gang], w.one
    enter_now(w, gang, IN_CHECKPOINT, NONE, g.active * blocked)
    if start < one.month_begin or g.months < one.month:
        cut_stretch(w, gang, blocked, computed, start, end)
    if one.logs and blocked:
        note_time(w, gang, IN_CHECKPOINT, NONE, g.active, start, end, g.active * blocked, 0)


@rule
def cut_stretch(w: World, gang: int, blocked: int, computed: int, start: int, end: int) -> None:
    """A stretch began in an earlier month, or is the first one of its gang in this one: book its writes by month."""
    if end <= start:
        return
    g, one = w.gangs[gang], w.one
    w.this_month[IN_CHECKPOINT] -= g.active * blocked
    while (g.months + 1) * one.month_ms <= start:
        w.kept_at[gang, g.months] = g.kept
        g.kept_before = g.kept
        g.months += 1
    done = 0
    while (g.months + 1) * one.month_ms < end:
        cut = (g.months + 1) * one.month_ms
        share = float(cut - start) / float(end - start)
        position = done + int(float(computed - done) * share)
        position = min(
            max(position, computed - (end - cut)), done + cut - start
        )  # rounding takes no ms that is not there
        w.kept_at[gang, g.months] = g.kept + position
        g.kept_before = g.kept + position
        w.by_month[g.months, IN_CHECKPOINT] += g.active * (cut - start - (position - done))
        g.months += 1
        start = cut
        done = position
    w.by_month[g.months, IN_CHECKPOINT] += g.active * (end - start - (computed - done))


@rule
def book_computed(w: World, gang: int, ms: int, gpus: int, speed: int, start: int, end: int) -> None:
    """Book ``ms`` ms of computing behind what a gang has done, as yet unsplit; see ``book_writes`` for the months."""
    g = w.gangs[gang]
    enter(w, gang, IN_RUNNING, NONE, ms * gpus)
    book_positions(w, gang, g.kept, g.kept + ms, gpus, speed, False)
    if w.one.logs:
        note_time(w, gang, IN_RUNNING, NONE, gpus, start, end, ms * gpus, speed)


@rule
def book_lost(w: World, gang: int, why: int, ms: int, gpus: int, speed: int, now: int) -> None:
    """What a gang did last is lost: it is booked anew, in the months in which it was done."""
    g = w.gangs[gang]
    enter(w, gang, IN_RUNNING, NONE, -ms * gpus)
    enter(w, gang, IN_LOST, why, ms * gpus)
    book_positions(w, gang, g.kept - ms, g.kept, gpus, speed, True)
    if w.one.logs:
        note_rollback(w, gang, IN_RUNNING, NONE, gpus, now, -ms * gpus, speed)
        note_rollback(w, gang, IN_LOST, why, gpus, now, ms * gpus, 0)


@rule
def book_positions(w: World, gang: int, low: int, high: int, gpus: int, speed: int, lost: bool) -> None:
    """Book work between two positions to the months in which it was done; ``lost``: take it back."""
    g = w.gangs[gang]
    if low < g.kept_before or g.months < w.one.month:
        book_earlier_positions(w, gang, low, high, gpus, speed, lost)
        return
    gpu_ms = (high - low) * gpus
    weight, rest = times_speed(gpu_ms, speed)
    done = w.done_this_month[g.job]
    if lost:
        w.this_month[IN_RUNNING] -= gpu_ms
        w.this_month[IN_LOST] += gpu_ms
        done.weight -= weight
        done.rest -= rest
    else:
        w.this_month[IN_RUNNING] += gpu_ms
        done.weight += weight
        done.rest += rest


@rule
def book_earlier_positions(w: World, gang: int, low: int, high: int, gpus: int, speed: int, lost: bool) -> None:
    """Book work between two positions, some of which may have been done before this month."""
    g = w.gangs[gang]
    month = g.months
    while high > low:
        first = low
        if month:
            first = max(low, w.kept_at[gang, month - 1])
        if high > first:
            gpu_ms = (high - first) * gpus
            weight, rest = times_speed(gpu_ms, speed)
            if lost:
                w.by_month[month, IN_RUNNING] -= gpu_ms
                w.by_month[month, IN_LOST] += gpu_ms
                w.weight_by_month[g.job, month] -= weight
                w.rest_by_month[g.job, month] -= rest
            else:
                w.by_month[month, IN_RUNNING] += gpu_ms
                w.weight_by_month[g.job, month] += weight
                w.rest_by_month[g.job, month] += rest
            high = first
        month -= 1


@rule
def forget_positions(w: World, gang: int, target: int) -> None:
    """A gang is back at a position: what it computes next belongs to the months to come."""
    g = w.gangs[gang]
    month = g.months - 1
    while month >= 0 and w.kept_at[gang, month] > target:
        w.kept_at[gang, month] = target
        month -= 1
    g.kept_before = min(g.kept_before, target)


@rule
def times_speed(gpu_ms: int, speed: int) -> tuple[int, int]:
    """Return gpu_ms * speed as whole multiples of 10^9 and a rest in [0, 10^9): the product would not fit int64."""
    if speed == PPB:
        return gpu_ms, 0
    rest = gpu_ms % PPB * speed
    return gpu_ms // PPB * speed + rest // PPB, rest % PPB


@rule
def change_free(w: World, gpus: int, now: int) -> None:
    """Book the free GPUs up to now, then change their number."""
    one = w.one
    free, since = one.free, one.free_since
    if since < now:
        spare = min(free, one.spares)
        book(w, one.gangs + 1, IN_SPARE, NONE, spare, since, now)
        if free > spare:
            book(w, one.gangs, IN_IDLE, NONE, free - spare, since, now)
        one.free_since = now
    one.free = free + gpus
