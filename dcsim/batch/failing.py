"""Failures strike, are identified and repaired, compiled (``dcsim.engine.simulation``, ``effects``, ``repairs``)."""

from dcsim.batch.machine import (
    BOOKED_DETECT,
    BOOKED_REPAIR,
    BUSY,
    COLD,
    COMPONENT,
    CREWS,
    DETECT,
    FAILING_OVER,
    FAILOVER,
    FAILURES,
    FOLLOWING,
    FREE,
    FREE_OWNER,
    FREE_REPAIR_GPU_MS,
    FREE_SINCE,
    GPUS,
    HEAD,
    HIT,
    HORIZON,
    IDLE_GPU_MS,
    JOB,
    LOST,
    OPEN,
    OUT,
    OUT_OF_SERVICE,
    OWNED_BY,
    OWNER,
    PART,
    PENDING,
    PHASE,
    REPAIRED,
    RESTORE,
    RESTORING,
    SERVE,
    SERVICE,
    SINCE,
    SLOTS,
    SPARE_GPU_MS,
    SPARES,
    STARTED,
    STRIKES,
    STRUCK,
    STRUCK_BY,
    STRUCK_END,
    STRUCK_FROM,
    SURPLUS_FROM,
    TAIL,
    TALLY,
    UP,
    WAITING,
    WHOSE,
    compiled,
)
from dcsim.batch.places import give_back, strike_members, strike_part, tallied, tally
from dcsim.batch.queueing import change_free, enqueue, push, stop, unqueue, want
from dcsim.batch.strikes import Ints

# --- strike -----------------------------------------------------------------------------------------------------------


@compiled
def alone(
    one: Ints, gangs: Ints, booked: Ints, ended: Ints, gang: int, rank: int, blast: int,
    now: int, found: int, back: int,
) -> bool:  # fmt: skip
    """Settle a failure that stands alone: all is in service, and is again before anything else happens.

    Returns False, and changes nothing, where it takes more than arithmetic. ``found``, ``back``: when it is identified,
    and repaired.
    """
    free, spares, first = one[FREE], one[SPARES], rank - rank % blast
    if gang == len(gangs):
        hit, begins = min(blast, free - first), now
        one[FREE_REPAIR_GPU_MS] += hit * (back - now)
    else:
        size, begins = gangs[gang, GPUS], found
        hit = min(blast, size - first)
        if hit > free or gangs[gang, COLD] or not gangs[gang, STARTED]:
            return False
        job = gangs[gang, JOB]
        stop(one, gangs, booked, ended, gang, now, LOST)
        booked[job, BOOKED_DETECT] += size * (found - now)
        booked[job, BOOKED_REPAIR] += hit * (back - found)
        booked[job, STRIKES] += 1
        gangs[gang, SINCE] = gangs[gang, SURPLUS_FROM] = found
        gangs[gang, FAILING_OVER], gangs[gang, RESTORING] = gangs[gang, FAILOVER], gangs[gang, RESTORE]
    before, after = min(free, spares), min(free - hit, spares)
    quiet, away = begins - one[FREE_SINCE], back - begins
    one[SPARE_GPU_MS] += before * quiet + after * away
    one[IDLE_GPU_MS] += (free - before) * quiet + (free - hit - after) * away
    one[FREE_SINCE] = back
    one[FAILURES] += 1
    return True


@compiled
def marked(one: Ints, gangs: Ints, gang: int, rank: int) -> tuple[int, int]:
    """Return whose GPU a slot is (the number of gangs: a free one), and its rank there; -1: the slot is void."""
    if gang < len(gangs):
        up = gangs[gang, UP]
        if rank < up:
            return gang, rank
        if one[FREE] <= one[SLOTS]:
            return gang, -1
        rank += one[SLOTS] - up  # more GPUs are free than have slots of their own: they stand in void ones, in order
        for other in range(gang):
            rank += gangs[other, GPUS] - gangs[other, UP]
    return len(gangs), rank if rank < one[FREE] else -1


@compiled
def hit_slot(
    one: Ints, gangs: Ints, booked: Ints, places: Ints, ended: Ints, struck: Ints, number: int,
    target: int, rank: int, blast: int, now: int,
) -> bool:  # fmt: skip
    """A typed blast marks a slot; return whether it strikes anything: what is out of service cannot be struck."""
    gang, rank = marked(one, gangs, target, rank)
    if rank < 0:
        return False
    first = rank - rank % blast
    if gang == len(gangs):
        hit = min(blast, one[FREE] - first)
        strike_members(one, places, struck, number, FREE_OWNER, first, hit)
        hit_free(one, hit, now)
    else:
        hit = min(blast, gangs[gang, UP] - first)
        strike_members(one, places, struck, number, gang, first, hit)
        hit_gang(one, gangs, booked, ended, gang, hit, now)
    struck[number, HIT], struck[number, OWNER] = hit, gang
    return True


@compiled
def hit_part(
    one: Ints, gangs: Ints, booked: Ints, places: Ints, ended: Ints, struck: Ints, number: int,
    component: int, hazard: Ints, now: int,
) -> bool:  # fmt: skip
    """A component fails, and the part that goes down with it; return whether it was in service at all."""
    atoms, low = places.shape[1], component * hazard[COMPONENT]
    works = False
    for atom in range(low, min(low + hazard[COMPONENT], atoms)):
        works = works or places[OWNED_BY, atom] != OUT_OF_SERVICE
    if not works:
        return False
    low -= low % hazard[PART]
    high = min(low + hazard[PART], atoms)
    free = strike_part(one, gangs, places, struck, number, low, high)
    if free:
        hit_free(one, free, now)
    for atom in range(low, high):
        if places[STRUCK_BY, atom] == number and places[WHOSE, atom] >= 0:
            gang = places[WHOSE, atom]
            gpus = tallied(gangs, gang)
            if gpus:
                hit_gang(one, gangs, booked, ended, gang, gpus, now)
    return True


@compiled
def hit_gang(one: Ints, gangs: Ints, booked: Ints, ended: Ints, gang: int, hit: int, now: int) -> None:
    """Members are struck: the gang hangs, and everything begins anew."""
    stop(one, gangs, booked, ended, gang, now, LOST)
    unqueue(one, gangs, gang)
    booked[gangs[gang, JOB], STRIKES] += 1
    gangs[gang, STRUCK], gangs[gang, PHASE] = 1, DETECT
    gangs[gang, UP] -= hit
    gangs[gang, PENDING] += hit
    gangs[gang, OUT] += hit
    gangs[gang, OPEN] += 1


@compiled
def hit_free(one: Ints, hit: int, now: int) -> None:
    """Free GPUs are in repair from this moment."""
    change_free(one, -hit, now)
    one[FREE_REPAIR_GPU_MS] += hit * (one[HORIZON] - now)


# --- identify ---------------------------------------------------------------------------------------------------------


@compiled
def identify(one: Ints, gangs: Ints, booked: Ints, gang: int, hit: int, now: int) -> bool:
    """A struck group leaves its gang; return whether that was the last one that the gang waited to identify."""
    job, members = gangs[gang, JOB], gangs[gang, UP] + gangs[gang, PENDING]
    booked[job, BOOKED_DETECT] += members * (now - gangs[gang, SINCE])
    booked[job, BOOKED_REPAIR] += hit * (one[HORIZON] - now)
    gangs[gang, SINCE] = now
    gangs[gang, PENDING] -= hit
    gangs[gang, OPEN] -= 1
    return gangs[gang, OPEN] == 0  # type: ignore[no-any-return]


@compiled
def identify_part(
    one: Ints, gangs: Ints, booked: Ints, legal: Ints, places: Ints, ended: Ints, struck: Ints, due: Ints,
    number: int, now: int,
) -> None:  # fmt: skip
    """A struck part leaves its gangs; those that have nothing else to identify want replacements."""
    tally(one, gangs, places, struck, number)
    wants = 0
    for atom in range(struck[number, STRUCK_FROM], struck[number, STRUCK_END]):
        if places[STRUCK_BY, atom] != number or places[WHOSE, atom] < 0:
            continue
        gang = places[WHOSE, atom]
        if gangs[gang, TALLY] > 0 and identify(one, gangs, booked, gang, tallied(gangs, gang), now):
            gangs[gang, TALLY] = -1  # a mark for what follows
            wants += 1
    for atom in range(struck[number, STRUCK_FROM], struck[number, STRUCK_END]):
        if places[STRUCK_BY, atom] != number or places[WHOSE, atom] < 0:
            continue
        gang = places[WHOSE, atom]
        if not tallied(gangs, gang):
            continue
        if wants == 1:
            want(one, gangs, booked, legal, places, ended, due, gang, now)
        else:  # they are served together, in order
            enqueue(one, gangs, gang, now)


# --- repair -----------------------------------------------------------------------------------------------------------


@compiled
def leave(one: Ints, due: Ints, pools: Ints, struck: Ints, pool: int, number: int, repair: int, now: int) -> None:
    """A struck group goes to a crew, or queues for one."""
    if pools[pool, CREWS] < 0 or pools[pool, BUSY] < pools[pool, CREWS]:
        pools[pool, BUSY] += 1
        push(one, due, 4 * (now + repair) + REPAIRED, number)
        return
    struck[number, FOLLOWING] = -1
    if pools[pool, HEAD] < 0:
        pools[pool, HEAD] = number
    else:
        struck[pools[pool, TAIL], FOLLOWING] = number
    pools[pool, TAIL] = number


@compiled
def release(pools: Ints, struck: Ints, pool: int) -> int:
    """A crew is done; return the group that it takes next, -1: none waits."""
    waits = pools[pool, HEAD]
    if waits < 0:
        pools[pool, BUSY] -= 1
    else:
        pools[pool, HEAD] = struck[waits, FOLLOWING]
    return waits  # type: ignore[no-any-return]


@compiled
def come_back(one: Ints, gangs: Ints, booked: Ints, gang: int, hit: int, now: int) -> None:
    """Everything repaired returns to the free GPUs."""
    left = one[HORIZON] - now
    if gang == len(gangs):
        one[FREE_REPAIR_GPU_MS] -= hit * left
    else:
        booked[gangs[gang, JOB], BOOKED_REPAIR] -= hit * left
        gangs[gang, OUT] -= hit
    change_free(one, hit, now)
    if one[WAITING]:
        one[SERVE] = 4 * now + SERVICE


@compiled
def part_back(one: Ints, gangs: Ints, booked: Ints, places: Ints, struck: Ints, number: int, now: int) -> None:
    """A repaired part returns to the free GPUs, whoever it was taken from."""
    free = tally(one, gangs, places, struck, number)
    if free:
        come_back(one, gangs, booked, len(gangs), free, now)
    for atom in range(struck[number, STRUCK_FROM], struck[number, STRUCK_END]):
        if places[STRUCK_BY, atom] == number and places[WHOSE, atom] >= 0:
            gang = places[WHOSE, atom]
            gpus = tallied(gangs, gang)
            if gpus:
                come_back(one, gangs, booked, gang, gpus, now)
    give_back(one, places, struck, number)
