"""Events that are due, crews, free GPUs and who gets them (``dcsim.engine.service``), compiled."""

from dcsim.batch.machine import (
    ACTIVE,
    ARRIVAL,
    BOOKED_DETECT,
    BOOKED_FAILOVER,
    BOOKED_RESTORE,
    BOOKED_SHRUNK,
    BOOKED_WAIT,
    COLD,
    DETECT,
    DUE,
    DUE_KEY,
    DUE_NUMBER,
    DUE_STRIKE,
    FAILING_OVER,
    FAILOVER,
    FREE,
    FREE_SINCE,
    GANG,
    GPUS,
    HEAD_BLOCKS,
    HOW,
    IDLE_GPU_MS,
    IN_ROW,
    JOB,
    KEPT,
    LOSER,
    LOST,
    NUMBER,
    OUT,
    PENDING,
    PHASE,
    QUEUE,
    QUEUED,
    RAN_WITH,
    RANK,
    REJOIN,
    RESTORE,
    RESTORING,
    ROW,
    RUN,
    SERVE,
    SERVICE,
    SHAPES,
    SHORT_SINCE,
    SINCE,
    SPARE_GPU_MS,
    SPARES,
    START,
    STARTED,
    STRETCHES,
    STRUCK,
    SURPLUS_FROM,
    UP,
    WAIT,
    WAITING,
    WHOLE,
    compiled,
)
from dcsim.batch.places import cede, take
from dcsim.batch.strikes import Ints

# --- what is due ------------------------------------------------------------------------------------------------------


@compiled
def push(one: Ints, due: Ints, key: int, strike: int) -> None:
    """Put an event on the heap."""
    place, number = one[DUE], one[NUMBER]
    one[DUE] += 1
    one[NUMBER] += 1
    while place:
        above = (place - 1) // 2
        if due[DUE_KEY, above] <= key:  # its number is lower
            break
        due[DUE_KEY, place], due[DUE_NUMBER, place], due[DUE_STRIKE, place] = (
            due[DUE_KEY, above],
            due[DUE_NUMBER, above],
            due[DUE_STRIKE, above],
        )
        place = above
    due[DUE_KEY, place], due[DUE_NUMBER, place], due[DUE_STRIKE, place] = key, number, strike


@compiled
def pop(one: Ints, due: Ints) -> int:
    """Take the first event off the heap; return its strike."""
    first = due[DUE_STRIKE, 0]
    one[DUE] -= 1
    size = one[DUE]
    key, number, strike = due[DUE_KEY, size], due[DUE_NUMBER, size], due[DUE_STRIKE, size]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        other = below + 1
        if other < size and (
            due[DUE_KEY, other] < due[DUE_KEY, below]
            or (due[DUE_KEY, other] == due[DUE_KEY, below] and due[DUE_NUMBER, other] < due[DUE_NUMBER, below])
        ):
            below = other
        if key < due[DUE_KEY, below] or (key == due[DUE_KEY, below] and number < due[DUE_NUMBER, below]):
            break
        due[DUE_KEY, place], due[DUE_NUMBER, place], due[DUE_STRIKE, place] = (
            due[DUE_KEY, below],
            due[DUE_NUMBER, below],
            due[DUE_STRIKE, below],
        )
        place = below
    due[DUE_KEY, place], due[DUE_NUMBER, place], due[DUE_STRIKE, place] = key, number, strike
    return first  # type: ignore[no-any-return]


# --- gangs ------------------------------------------------------------------------------------------------------------


@compiled
def book_surplus(gangs: Ints, booked: Ints, gang: int, now: int) -> None:
    """Book the members that a smaller shape has no use for: they stall with the gang, then stand by."""
    surplus = gangs[gang, UP] - gangs[gang, ACTIVE]
    if surplus:
        low, job = gangs[gang, SURPLUS_FROM], gangs[gang, JOB]
        swapped = gangs[gang, SINCE] + gangs[gang, FAILING_OVER]
        running = swapped + gangs[gang, RESTORING]
        booked[job, BOOKED_FAILOVER] += surplus * max(0, min(now, swapped) - low)
        booked[job, BOOKED_RESTORE] += surplus * max(0, min(now, running) - max(low, swapped))
        booked[job, BOOKED_SHRUNK] += surplus * max(0, now - max(low, running))
    gangs[gang, SURPLUS_FROM] = now


@compiled
def stop(one: Ints, gangs: Ints, booked: Ints, ended: Ints, gang: int, now: int, how: int) -> None:
    """Book everything up to now."""
    phase, elapsed = gangs[gang, PHASE], now - gangs[gang, SINCE]
    job = gangs[gang, JOB]
    if phase == WHOLE:
        book_surplus(gangs, booked, gang, now)
        failover, restore, active = gangs[gang, FAILING_OVER], gangs[gang, RESTORING], gangs[gang, ACTIVE]
        stall = min(elapsed, failover)
        booked[job, BOOKED_FAILOVER] += active * stall
        booked[job, BOOKED_RESTORE] += active * min(elapsed - stall, restore)
        run = elapsed - failover - restore
        if run >= 0:
            gangs[gang, STARTED] = 1
            number = one[STRETCHES]
            one[STRETCHES] += 1
            ended[ROW, number], ended[GANG, number], ended[RUN, number] = one[IN_ROW], gang, run
            ended[RAN_WITH, number], ended[HOW, number] = active, how
    elif phase == DETECT:
        booked[job, BOOKED_DETECT] += (gangs[gang, UP] + gangs[gang, PENDING]) * elapsed
    elif phase == WAIT:
        booked[job, BOOKED_WAIT] += gangs[gang, UP] * elapsed
    gangs[gang, SINCE] = now


@compiled
def largest(gangs: Ints, legal: Ints, gang: int) -> int:
    """Return the GPUs of the largest shape that the members up allow; 0: none."""
    up = gangs[gang, UP]
    if gangs[gang, SHAPES] < 0:
        return up if up == gangs[gang, GPUS] else 0
    return legal[gangs[gang, SHAPES] + up]  # type: ignore[no-any-return]


@compiled
def begin(one: Ints, gangs: Ints, booked: Ints, legal: Ints, ended: Ints, gang: int, now: int) -> None:
    """A gang goes through failover, then restore, then runs with its largest legal shape; it may have run already."""
    grows = gangs[gang, PHASE] == WHOLE
    ran = grows and now - gangs[gang, SINCE] - gangs[gang, FAILING_OVER] - gangs[gang, RESTORING] >= 0
    stop(one, gangs, booked, ended, gang, now, KEPT)
    if not gangs[gang, STARTED]:  # there is no state to keep yet, so its first start is still due
        gangs[gang, FAILING_OVER] = gangs[gang, FAILOVER] if gangs[gang, STRUCK] else 0
        gangs[gang, RESTORING] = gangs[gang, START]
    elif ran:
        gangs[gang, FAILING_OVER], gangs[gang, RESTORING] = gangs[gang, REJOIN], 0
    elif not grows:  # else the stall that it was in begins anew
        gangs[gang, FAILING_OVER], gangs[gang, RESTORING] = gangs[gang, FAILOVER], gangs[gang, RESTORE]
    gangs[gang, ACTIVE] = largest(gangs, legal, gang)
    gangs[gang, PHASE], gangs[gang, SURPLUS_FROM] = WHOLE, now
    if gangs[gang, UP] == gangs[gang, GPUS]:
        gangs[gang, SHORT_SINCE], gangs[gang, QUEUED] = -1, 0


@compiled
def gain(gangs: Ints, booked: Ints, gang: int, gpus: int, now: int) -> None:
    """Take GPUs while waiting, or while running small."""
    if gangs[gang, PHASE] == WHOLE:
        book_surplus(gangs, booked, gang, now)
    else:
        booked[gangs[gang, JOB], BOOKED_WAIT] += gangs[gang, UP] * (now - gangs[gang, SINCE])
        gangs[gang, SINCE] = now
    gangs[gang, UP] += gpus


# --- free GPUs --------------------------------------------------------------------------------------------------------


@compiled
def change_free(one: Ints, gpus: int, now: int) -> None:
    """Book the free GPUs up to now, then change their number."""
    free, elapsed = one[FREE], now - one[FREE_SINCE]
    spare = min(free, one[SPARES])
    one[SPARE_GPU_MS] += spare * elapsed
    one[IDLE_GPU_MS] += (free - spare) * elapsed
    one[FREE_SINCE] = now
    one[FREE] += gpus


@compiled
def comes_before(gangs: Ints, gang: int, other: int) -> bool:
    """Whether a gang is served before another: by priority, then by who was short first, then by listing."""
    if gangs[gang, RANK] != gangs[other, RANK]:
        return gangs[gang, RANK] < gangs[other, RANK]  # type: ignore[no-any-return]
    if gangs[gang, SHORT_SINCE] != gangs[other, SHORT_SINCE]:
        return gangs[gang, SHORT_SINCE] < gangs[other, SHORT_SINCE]  # type: ignore[no-any-return]
    return gang < other


@compiled
def enqueue(one: Ints, gangs: Ints, gang: int, now: int) -> None:
    """A gang waits for hardware, at its place in the queue."""
    gangs[gang, PHASE], gangs[gang, SINCE], gangs[gang, QUEUED] = WAIT, now, 1
    if gangs[gang, SHORT_SINCE] < 0:
        gangs[gang, SHORT_SINCE] = now
    place = one[WAITING]
    one[WAITING] += 1
    while place and comes_before(gangs, gang, gangs[place - 1, QUEUE]):
        gangs[place, QUEUE] = gangs[place - 1, QUEUE]
        place -= 1
    gangs[place, QUEUE] = gang
    one[SERVE] = 4 * now + SERVICE


@compiled
def unqueue(one: Ints, gangs: Ints, gang: int) -> None:
    """A gang waits no longer."""
    if not gangs[gang, QUEUED]:
        return
    gangs[gang, QUEUED] = 0
    place = 0
    while gangs[place, QUEUE] != gang:
        place += 1
    one[WAITING] -= 1
    for later in range(place, one[WAITING]):
        gangs[later, QUEUE] = gangs[later + 1, QUEUE]


@compiled
def want(
    one: Ints,
    gangs: Ints,
    booked: Ints,
    legal: Ints,
    places: Ints,
    ended: Ints,
    due: Ints,
    gang: int,
    now: int,
) -> None:
    """A gang has left detection: it takes what it lacks, or queues for it."""
    short = gangs[gang, GPUS] - gangs[gang, UP]
    quiet = not one[DUE] or due[DUE_KEY, 0] >= 4 * now + 4  # nothing else ends in this ms, and nobody else arrives
    quiet = quiet and one[ARRIVAL] > now
    if short <= one[FREE] and not one[WAITING] and not gangs[gang, COLD] and quiet:
        if short:
            change_free(one, -short, now)
            take(one, places, gang, short)
        gangs[gang, UP] = gangs[gang, GPUS]
        begin(one, gangs, booked, legal, ended, gang, now)
    else:
        enqueue(one, gangs, gang, now)


@compiled
def serve(one: Ints, gangs: Ints, booked: Ints, legal: Ints, places: Ints, ended: Ints, now: int) -> None:
    """Give free GPUs to waiting gangs, the head first; then take its deficit from gangs of lower priority."""
    place = 0
    while place < one[WAITING]:
        gang = gangs[place, QUEUE]
        own = gangs[gang, OUT] if gangs[gang, COLD] else 0
        need = gangs[gang, GPUS] - gangs[gang, UP] - own
        if need > 0:
            taken = min(need, one[FREE])
            if taken:
                change_free(one, -taken, now)
                gain(gangs, booked, gang, taken, now)
                take(one, places, gang, taken)
            if taken < need:
                preempt(one, gangs, booked, places, ended, gang, need - taken, now)
        if gangs[gang, UP] == gangs[gang, GPUS]:
            unqueue(one, gangs, gang)
            gain(gangs, booked, gang, 0, now)
            begin(one, gangs, booked, legal, ended, gang, now)
            continue
        if one[HEAD_BLOCKS] and need > 0 and not one[FREE] and gangs[gang, UP] + own < gangs[gang, GPUS]:
            break  # nothing is left for those behind: they outrank nobody whom this gang does not
        runs_with = gangs[gang, ACTIVE] if gangs[gang, PHASE] == WHOLE else 0
        if largest(gangs, legal, gang) > runs_with:
            gain(gangs, booked, gang, 0, now)
            begin(one, gangs, booked, legal, ended, gang, now)
        place += 1


@compiled
def preempt(one: Ints, gangs: Ints, booked: Ints, places: Ints, ended: Ints, gang: int, need: int, now: int) -> None:
    """Take up to ``need`` GPUs from gangs of strictly lower priority, lowest first."""
    for place in range(len(gangs)):
        loser = gangs[place, LOSER]
        if not need or gangs[loser, RANK] <= gangs[gang, RANK]:
            break
        if not gangs[loser, UP]:
            continue
        ceded = min(need, gangs[loser, UP])
        stop(one, gangs, booked, ended, loser, now, LOST)
        gangs[loser, UP] -= ceded
        cede(one, places, loser, ceded)
        if gangs[loser, PHASE] == WHOLE:
            if gangs[loser, QUEUED]:
                gangs[loser, PHASE] = WAIT
            else:
                enqueue(one, gangs, loser, now)
        gain(gangs, booked, gang, ceded, now)
        take(one, places, gang, ceded)
        need -= ceded
