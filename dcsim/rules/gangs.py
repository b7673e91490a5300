"""What a gang goes through: it is struck, rolls back, gains members, starts again, runs at another speed."""

from dcsim.program.records import (
    CHANCES,
    DETECT,
    DRAIN,
    IN_DETECT,
    IN_FAILOVER,
    IN_MAINTENANCE,
    IN_OVERHEAD,
    IN_RESTORE,
    IN_WAIT,
    NEVER,
    NONE,
    PPB,
    SAVE,
    SHRUNK,
    WAIT,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.booking import book, book_added, book_writes, enter_now
from dcsim.rules.rule import ask, rule
from dcsim.rules.sold import has_computed
from dcsim.rules.strategy import blocked, copied, largest_shape, level, safe_in, wall, written
from dcsim.rules.work import computing_left, end_segment, forget_segments, keep_computed, lose

# --- bookings -------------------------------------------------------------------------------------------------------


@rule
def stop(w: World, gang: int, now: int) -> None:
    """Book everything up to now in the phase that the gang was in; what was computed goes onto the stack."""
    g = w.gangs[gang]
    g.runs_from = NEVER
    g.computed = 0
    if g.phase == WHOLE:
        stop_whole(w, gang, now)
    elif g.phase == DETECT or g.phase == WAIT:
        book(w, gang, IN_DETECT if g.phase == DETECT else IN_WAIT, g.why, g.up + g.pending, g.since, now)
    elif g.phase == DRAIN:
        book(w, gang, IN_MAINTENANCE, g.why, g.up, g.since, now)
    elif g.phase == SAVE:
        book(w, gang, g.saves_as, g.why, g.up, g.since, now)
    g.since = now
    g.transfer = 0
    g.held = 0
    g.writes = 0


@rule
def stop_whole(w: World, gang: int, now: int) -> None:
    """Book a stretch: failover, restore, then computing and the writes that blocked it."""
    g = w.gangs[gang]
    if g.up != g.active:
        book_surplus(w, gang, now)
    swapped = g.since + g.failover
    running = swapped + g.restore
    book(w, gang, IN_FAILOVER, g.why, g.active, g.since, min(now, swapped))
    book(w, gang, IN_RESTORE, g.why, g.active, min(now, swapped), min(now, running))
    if now < running:
        return
    if g.added:
        book_added(w, gang)
    g.started = 1
    if now > running:
        if g.domain >= 0:
            has_computed(w, gang, running, now)
        g.why = NONE
    g.level = NONE
    g.struck = 0
    late = late_by(w, gang, now)
    run = now - running - late
    safe, rest = copied(w, g.job, run, 0)
    writes = written(w, g.job, run, safe, rest)
    start = g.kept
    g.computed = run - writes
    book_writes(w, gang, writes + late, g.computed, running, now)
    keep_computed(w, gang, g.computed, running, now)
    for tier in range(w.jobs[g.job].tiers):
        if tier or g.held or g.transfer or w.tiers[g.job, tier].drain:
            safe = drained_in(w, gang, tier, now)
        if safe:
            w.durable[gang, tier] = start + safe


@rule
def book_surplus(w: World, gang: int, now: int) -> None:
    """Book the members that a smaller shape has no use for: they stall with the gang, then stand by."""
    g = w.gangs[gang]
    surplus = g.up - g.active
    if surplus:
        low, swapped = g.surplus_from, g.since + g.failover
        starts, runs = max(low, min(now, swapped)), max(low, min(now, swapped + g.restore))
        book(w, gang, IN_FAILOVER, SHRUNK, surplus, low, starts)
        book(w, gang, IN_RESTORE, SHRUNK, surplus, starts, runs)
        book(w, gang, IN_OVERHEAD, SHRUNK, surplus, runs, now)
    g.surplus_from = now


# --- strikes --------------------------------------------------------------------------------------------------------


@rule
def strike_gang(w: World, gang: int, struck: int, why: int, now: int, clean: int) -> None:
    """Members are struck by a hazard; ``clean``: the work is corrupt from this position on, NONE: it is not."""
    g = w.gangs[gang]
    if computes_steadily(w, gang, now):
        add_stretch(w, gang, why, now)
        g.strikes += 1
        g.struck = struck
        return
    stop(w, gang, now)
    stalls_for(w, gang, why)
    g.strikes += 1
    g.extra = 0
    back, uncovered = 0, False
    job = w.jobs[g.job]
    if job.chancy:
        if g.chances == w.chances.shape[1]:
            ask(w, CHANCES, gang, 0)
            g.chances = 0
        chance = w.chances[gang, g.chances]
        g.chances += 1
        g.extra = chance.extra
        back = chance.back
        uncovered = bool(chance.cover >= job.coverage * w.hazards[why].coverage)
    roll_back(w, gang, struck, why, now, uncovered, back, clean)


@rule
def computes_steadily(w: World, gang: int, now: int) -> bool:
    """Whether a gang computes as ``resume`` has said: it may lose what is not safe, and nothing else is to be known."""
    return bool(now > w.gangs[gang].runs_from)


@rule
def add_stretch(w: World, gang: int, why: int, now: int) -> None:
    """A gang that has computed since ``runs_from``, at full speed, stops: ``stop`` and ``roll_back`` to its one copy.

    What comes of it is left to ``book_added``. ``why``: it is lost, and the gang stalls; NONE: for another gang.
    """
    g = w.gangs[gang]
    run = now - g.runs_from
    if g.domain >= 0:
        has_computed(w, gang, g.runs_from, now)
    if g.why == why:
        g.added_stalls += 1
    else:
        if g.added:
            book_added(w, gang)
        enter_now(w, gang, IN_FAILOVER, g.why, g.active * g.failover)
        enter_now(w, gang, IN_RESTORE, g.why, g.active * g.restore)
        g.why = why
    safe, rest = copied(w, g.job, run, 0)
    g.added = 1
    g.added_run += run
    g.added_safe += safe
    g.added_writes += written(w, g.job, run, safe, rest)
    g.started = 1
    g.level = 0
    g.extra = 0
    g.runs_from = NEVER
    g.since = now


@rule
def stalls_for(w: World, gang: int, why: int) -> None:
    """A stall follows from the first cause since its gang last ran."""
    if w.gangs[gang].why < 0:
        if w.gangs[gang].added:  # no cause stands behind that
            book_added(w, gang)
        w.gangs[gang].why = why
        if w.one.planned_out:
            w.gangs[gang].excused = 1


@rule
def cede_members(w: World, gang: int, gpus: int, now: int) -> None:
    """Members are taken by another gang: a strike without chances."""
    if computes_steadily(w, gang, now):
        add_stretch(w, gang, NONE, now)
        w.gangs[gang].struck = gpus
        return
    stop(w, gang, now)
    w.gangs[gang].extra = 0
    roll_back(w, gang, gpus, NONE, now, False, 0, NONE)


@rule
def roll_back(w: World, gang: int, struck: int, why: int, now: int, uncovered: bool, back: int, clean: int) -> None:
    """Lose what the strategy loses when this many more members are gone; ``back``: copies that cannot be read."""
    g = w.gangs[gang]
    g.struck += struck
    if w.one.adds_up and w.jobs[g.job].simple and not g.computed:  # all that it has done is in its one copy
        g.level = 0
        return
    to = level(w, gang, g.struck, uncovered)
    tiers = w.jobs[g.job].tiers
    if clean >= 0:  # copies of what came later are worthless
        lose(w, gang, min(clean, g.kept), why, now)
        for tier in range(tiers):
            w.durable[gang, tier] = min(w.durable[gang, tier], clean)
        to = max(to, 0)
    if to < 0:
        lose(w, gang, g.kept - min(w.jobs[g.job].step, g.computed), why, now)
        return
    g.level = max(g.level, to)
    target = g.kept
    if tiers:
        best = w.durable[gang, to]
        for tier in range(to + 1, tiers):
            best = max(best, w.durable[gang, tier])
        target = max(0, best - back * w.tiers[g.job, to].every)
    lose(w, gang, target, why, now)


@rule
def durable_at(w: World, gang: int, now: int) -> int:
    """Return the position of the best durable copy at this instant; without copies what is done is out already."""
    g = w.gangs[gang]
    run, tiers = max(run_at(w, gang, now), 0), w.jobs[g.job].tiers
    if not tiers:
        return int(g.kept + run - blocked(w, g.job, run))
    best = w.durable[gang, 0]
    for tier in range(tiers):
        best = max(best, w.durable[gang, tier])
        safe = drained_in(w, gang, tier, now) if g.phase == WHOLE else 0
        if safe:
            best = max(best, g.kept + safe)
    return int(best)


@rule
def drained_in(w: World, gang: int, tier: int, now: int) -> int:
    """Return the ms of computing of this stretch that are safe in a tier; what drains does so while a write is late.

    Copies of faster tiers end before the write to the slowest one that they share an instant with. So while that write
    is late, its time counts for what drains, but the write itself is not done.
    """
    g = w.gangs[gang]
    run = now - g.since - g.failover - g.restore - g.held
    if g.transfer and w.transfers[gang].write:
        end = (g.writes + 1) * w.tiers[g.job, 0].level_period
        drained = min(run - w.tiers[g.job, tier].drain, end - 1)
        return copied(w, g.job, max(0, drained), tier)[0]
    return safe_in(w, g.job, tier, max(0, run))


@rule
def run_at(w: World, gang: int, now: int) -> int:
    """Return how long the gang has been in the running part of this stretch [ms]; below 0: it is not.

    What the storage queue adds to its writes is left out: the strategy's timetable knows nothing of it.
    """
    g = w.gangs[gang]
    if g.phase != WHOLE:
        return NONE
    return int(now - g.since - g.failover - g.restore - late_by(w, gang, now))


@rule
def late_by(w: World, gang: int, now: int) -> int:
    """Return by how much the storage queue has made the writes of this stretch longer [ms]."""
    g = w.gangs[gang]
    if not g.transfer or not w.transfers[gang].write:
        return int(g.held)
    return int(g.held + transfer_late(w, gang, now))


@rule
def transfer_late(w: World, gang: int, now: int) -> int:
    """Return how much longer a gang's transfer has taken so far than with storage to itself [ms]."""
    t = w.transfers[gang]
    left = max(0, t.left - (now - t.at) * t.pace)
    return int(now - t.start - (t.time + -left // PPB))


@rule
def transfer_end(w: World, gang: int, never: int) -> int:
    """Return when a gang's transfer will be done at its pace [ms]."""
    t = w.transfers[gang]
    return int(t.at - (-t.left // t.pace)) if t.pace else never


# --- coming back ----------------------------------------------------------------------------------------------------


@rule
def gain(w: World, gang: int, gpus: int, now: int) -> None:
    """Take GPUs while waiting, or while running small."""
    g = w.gangs[gang]
    if g.phase == WHOLE:
        book_surplus(w, gang, now)
    else:
        book(w, gang, IN_WAIT, g.why, g.up, g.since, now)
        g.since = now
    g.up += gpus


@rule
def resume(w: World, gang: int, now: int) -> None:
    """A gang goes through failover, then restore, then runs with its largest legal shape; it may have run already."""
    g = w.gangs[gang]
    job = w.jobs[g.job]
    grows = g.phase == WHOLE
    ran = grows and run_at(w, gang, now) >= 0
    if grows:
        stop(w, gang, now)
        g.restore = g.nominal
    if not g.started:  # there is no state to keep yet: its first start is still due
        g.failover = job.failover if g.strikes > g.struck_before else 0
        g.loads = 1 + g.extra
        g.restore = job.start * g.loads
    elif ran:
        g.failover = job.rejoin
        g.restore = 0
        g.loads = 0
    elif not grows:  # else the stall that it was in begins anew
        g.failover = job.failover
        g.restore = 0
        g.loads = 0
        tier = max(g.level, 0)
        if g.level >= 0 or job.restores_always:
            g.restore = w.tiers[g.job, tier].restore * (1 + g.extra)
            if tier >= job.tiers - 1:
                g.loads = 1 + g.extra
    g.nominal = g.restore
    g.active = largest_shape(w, gang)
    g.phase = WHOLE
    g.since = now
    g.surplus_from = now
    forget_segments(w, gang)
    if g.up == g.gpus:
        g.short_since = NONE
        if w.one.adds_up and job.simple and g.started and g.piece >= 0 and g.months == w.one.month:
            g.runs_from = now + g.failover + g.restore


@rule
def goes_on(w: World, gang: int, now: int) -> None:
    """A gang that has stopped to save its work computes again at once, with the members that it has."""
    g = w.gangs[gang]
    g.phase = WHOLE
    g.since = now
    g.surplus_from = now
    g.failover = 0
    g.restore = 0
    g.nominal = 0
    g.loads = 0
    g.extra = 0
    forget_segments(w, gang)


@rule
def has_drained(w: World, gang: int) -> None:
    """A drain is complete: everything is safe, and the gang starts again by its strategy."""
    g = w.gangs[gang]
    for tier in range(w.jobs[g.job].tiers):
        w.durable[gang, tier] = g.kept
    g.extra = 0
    if w.jobs[g.job].rolls_back:
        g.level = max(g.level, 0)


@rule
def change_speed(w: World, gang: int, now: int) -> bool:
    """From now on the members yield what stragglers, power and network leave; return whether that is anything new.

    The slowest member sets the pace; the network slows all of them.
    """
    g = w.gangs[gang]
    slowest = min(g.straggle, g.powered)
    fastest = max(1, slowest * g.network // PPB)
    if g.speed_0 == g.straggle and g.speed_1 == slowest and g.speed_2 == fastest:
        return False
    if g.phase == WHOLE:
        run = max(run_at(w, gang, now), 0)
        computed = run - blocked(w, g.job, run)
        if computed != g.computed_from:
            end_segment(w, gang)
            g.computed_from = computed
    g.speed_0 = g.straggle
    g.speed_1 = slowest
    g.speed_2 = fastest
    return True


@rule
def finishes_at(w: World, gang: int) -> int:
    """Return when a gang's work will be done if nothing happens [ms]; NEVER: it does not run, or has no end."""
    g = w.gangs[gang]
    if g.phase != WHOLE or w.jobs[g.job].needed < 0:
        return NEVER
    late = g.held
    if g.transfer and w.transfers[gang].write:  # nothing is done before it ends
        late = g.held + transfer_late(w, gang, transfer_end(w, gang, NEVER))
    left = computing_left(w, gang)
    return int(g.since + g.failover + g.restore + late + wall(w, g.job, g.computed_from + left))
