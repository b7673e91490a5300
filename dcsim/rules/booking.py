"""Where GPU-time goes: every booking of a run passes here, with its state, its month and its cause."""

from dcsim.program.records import IN_CHECKPOINT, IN_IDLE, IN_LOST, IN_RUNNING, IN_SPARE, MONTH, NONE, PPB, World
from dcsim.rules.log import note_rollback, note_time
from dcsim.rules.rule import rule


@rule
def book(w: World, who: int, state: int, why: int, gpus: int, start: int, end: int) -> None:
    """Book ``gpus`` GPUs from ``start`` to ``end``; nothing if that is no time.

    ``who``: a gang, or the number of gangs: free GPUs, or one more: spares. ``why``: the cause that it follows from:
    a hazard, or behind the hazards a maintenance; NONE: none.
    """
    if end <= start or not gpus:
        return
    gpu_ms = gpus * (end - start)
    w.booked[who, state] += gpu_ms
    if w.one.months:
        w.by_cause[row_of(w, why), state] += gpu_ms
        book_months(w, state, gpus, start, end)
    if w.one.logs:
        note_time(w, who, state, why, gpus, start, end, gpu_ms, 0)


@rule
def row_of(w: World, why: int) -> int:
    """Return the row of a cause; whatever is neither a hazard nor a maintenance has the last one."""
    rows = w.one.hazards + w.one.plans
    return int(why if 0 <= why < rows else rows)


@rule
def book_months(w: World, state: int, gpus: int, start: int, end: int) -> None:
    """Book time to the months in which it lies."""
    month = start // MONTH
    while start < end:
        stop = min(end, (month + 1) * MONTH)
        w.by_month[month, state] += gpus * (stop - start)
        start = stop
        month += 1


@rule
def book_writes(w: World, gang: int, blocked: int, computed: int, start: int, end: int) -> None:
    """Book the ``blocked`` ms of writes of a stretch that computes for ``computed`` ms.

    Both are spread evenly from ``start`` to ``end``. So the stretch is cut at the ends of months into positions of the
    gang's work, and what is not computing in a month is writing.
    """
    g = w.gangs[gang]
    if blocked:
        w.booked[gang, IN_CHECKPOINT] += g.active * blocked
        if w.one.logs:
            note_time(w, gang, IN_CHECKPOINT, NONE, g.active, start, end, g.active * blocked, 0)
    if not w.one.months or end <= start:
        return
    if blocked:
        w.by_cause[row_of(w, NONE), IN_CHECKPOINT] += g.active * blocked
    while (g.months + 1) * MONTH <= start:
        w.kept_at[gang, g.months] = g.kept
        g.months += 1
    done = 0
    while (g.months + 1) * MONTH < end:
        cut = (g.months + 1) * MONTH
        share = float(cut - start) / float(end - start)
        position = done + int(float(computed - done) * share)
        position = min(
            max(position, computed - (end - cut)), done + cut - start
        )  # rounding takes no ms that is not there
        w.kept_at[gang, g.months] = g.kept + position
        w.by_month[g.months, IN_CHECKPOINT] += g.active * (cut - start - (position - done))
        g.months += 1
        start = cut
        done = position
    w.by_month[g.months, IN_CHECKPOINT] += g.active * (end - start - (computed - done))


@rule
def book_computed(w: World, gang: int, ms: int, gpus: int, speed: int, start: int, end: int) -> None:
    """Book ``ms`` ms of computing behind what a gang has done, as yet unsplit; see ``book_writes`` for the months."""
    w.booked[gang, IN_RUNNING] += ms * gpus
    if w.one.months:
        w.by_cause[row_of(w, NONE), IN_RUNNING] += ms * gpus
        book_positions(w, gang, w.gangs[gang].kept, w.gangs[gang].kept + ms, gpus, speed, False)
    if w.one.logs:
        note_time(w, gang, IN_RUNNING, NONE, gpus, start, end, ms * gpus, speed)


@rule
def book_lost(w: World, gang: int, why: int, ms: int, gpus: int, speed: int, now: int) -> None:
    """What a gang did last is lost: it is booked anew, in the months in which it was done."""
    w.booked[gang, IN_RUNNING] -= ms * gpus
    w.booked[gang, IN_LOST] += ms * gpus
    if w.one.months:
        w.by_cause[row_of(w, NONE), IN_RUNNING] -= ms * gpus
        w.by_cause[row_of(w, why), IN_LOST] += ms * gpus
        book_positions(w, gang, w.gangs[gang].kept - ms, w.gangs[gang].kept, gpus, speed, True)
    if w.one.logs:
        note_rollback(w, gang, IN_RUNNING, NONE, gpus, now, -ms * gpus, speed)
        note_rollback(w, gang, IN_LOST, why, gpus, now, ms * gpus, 0)


@rule
def book_positions(w: World, gang: int, low: int, high: int, gpus: int, speed: int, lost: bool) -> None:
    """Book work between two positions to the months in which it was done; ``lost``: take it back."""
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
    month = w.gangs[gang].months - 1
    while month >= 0 and w.kept_at[gang, month] > target:
        w.kept_at[gang, month] = target
        month -= 1


@rule
def times_speed(gpu_ms: int, speed: int) -> tuple[int, int]:
    """Return gpu_ms * speed as whole multiples of 10^9 and a rest in [0, 10^9): the product would not fit int64."""
    rest = gpu_ms % PPB * speed
    return gpu_ms // PPB * speed + rest // PPB, rest % PPB


@rule
def change_free(w: World, gpus: int, now: int) -> None:
    """Book the free GPUs up to now, then change their number."""
    one = w.one
    free, since = one.free, one.free_since
    spare = min(free, one.spares)
    book(w, one.gangs + 1, IN_SPARE, NONE, spare, since, now)
    book(w, one.gangs, IN_IDLE, NONE, free - spare, since, now)
    one.free_since = now
    one.free = free + gpus
