"""The work that a gang has done: a stack of pieces, each so many ms of computing at one shape and one speed.

A position in it is ms of computing. A rollback pops the stack down to a position, so whatever was slow or small in
what is lost goes with it.
"""

from dcsim.program.records import MAKE_ROOM, NONE, PPB, TABLE
from dcsim.program.world import World
from dcsim.rules.booking import book_computed, book_lost, forget_positions, times_speed
from dcsim.rules.rule import ask, rule

PIECES_TABLE, SEGMENTS_TABLE = TABLE["pieces"], TABLE["segments"]


@rule
def weigh(w: World, gang: int, gpu_ms: int, speed_0: int, speed_1: int, speed_2: int) -> None:
    """Add GPU-ms at a speed to the sums of a gang, one for each part of the speed."""
    g = w.gangs[gang]
    if speed_2 == PPB:  # all three are: none is below the next
        g.weight_0 += gpu_ms
        g.weight_1 += gpu_ms
        g.weight_2 += gpu_ms
        return
    whole, rest = times_speed(gpu_ms, speed_0)
    rest += g.rest_0
    g.weight_0 += whole + rest // PPB
    g.rest_0 = rest % PPB
    whole, rest = times_speed(gpu_ms, speed_1)
    rest += g.rest_1
    g.weight_1 += whole + rest // PPB
    g.rest_1 = rest % PPB
    whole, rest = times_speed(gpu_ms, speed_2)
    rest += g.rest_2
    g.weight_2 += whole + rest // PPB
    g.rest_2 = rest % PPB


@rule
def add_piece(w: World, gang: int, ms: int, s0: int, s1: int, s2: int, start: int, end: int) -> None:
    """A gang has computed for ``ms`` ms at a speed, somewhere between ``start`` and ``end``."""
    g = w.gangs[gang]
    gpus, top = g.active, g.piece
    merges = False
    if top >= 0:
        p = w.pieces[top]
        merges = p.gpus == gpus and p.speed_0 == s0 and p.speed_1 == s1 and p.speed_2 == s2
    if merges:
        w.pieces[top].ms += ms
    else:
        new = w.one.free_piece
        if new >= 0:
            w.one.free_piece = w.pieces[new].below
        else:
            new = w.one.pieces
            if new == len(w.pieces):
                ask(w, MAKE_ROOM, PIECES_TABLE, new + 1)
            w.one.pieces = new + 1
        p = w.pieces[new]
        p.ms = ms
        p.gpus = gpus
        p.speed_0 = s0
        p.speed_1 = s1
        p.speed_2 = s2
        p.below = top
        g.piece = new
    book_computed(w, gang, ms, gpus, s2, start, end)
    g.kept += ms
    weigh(w, gang, ms * gpus, s0, s1, s2)


@rule
def lose(w: World, gang: int, target: int, why: int, now: int) -> None:
    """Roll back to a position, because of a hazard (NONE: of none); every copy of something later is worthless."""
    g = w.gangs[gang]
    while g.kept > target:
        top = g.piece
        p = w.pieces[top]
        ms, gpus = min(p.ms, g.kept - target), p.gpus
        book_lost(w, gang, why, ms, gpus, p.speed_2, now)
        g.kept -= ms
        weigh(w, gang, -ms * gpus, p.speed_0, p.speed_1, p.speed_2)
        if p.ms > ms:
            p.ms -= ms
        else:
            g.piece = p.below
            p.below = w.one.free_piece
            w.one.free_piece = top
    if target < g.kept_before:
        forget_positions(w, gang, target)
    for tier in range(w.jobs[g.job].tiers):
        w.durable[gang, tier] = min(w.durable[gang, tier], target)
    corrupt = g.first_clean  # what is computed again may be corrupt again, from here on
    while corrupt >= 0:
        w.failures[corrupt].clean = min(w.failures[corrupt].clean, target)
        corrupt = w.failures[corrupt].next_clean


# --- speeds within a stretch ----------------------------------------------------------------------------------------


@rule
def forget_segments(w: World, gang: int) -> None:
    """A stretch has only one speed so far: that of now."""
    g = w.gangs[gang]
    if g.first_segment >= 0:
        w.segments[g.last_segment].following = w.one.free_segment
        w.one.free_segment = g.first_segment
        g.first_segment = NONE
    g.computed_from = 0


@rule
def end_segment(w: World, gang: int) -> None:
    """Keep the speed that a gang had from ``computed_from`` on; another one follows."""
    new = w.one.free_segment
    if new >= 0:
        w.one.free_segment = w.segments[new].following
    else:
        new = w.one.segments
        if new == len(w.segments):
            ask(w, MAKE_ROOM, SEGMENTS_TABLE, new + 1)
        w.one.segments = new + 1
    g, s = w.gangs[gang], w.segments[new]
    s.computed_from = g.computed_from
    s.speed_0 = g.speed_0
    s.speed_1 = g.speed_1
    s.speed_2 = g.speed_2
    s.following = NONE
    if g.first_segment >= 0:
        w.segments[g.last_segment].following = new
    else:
        g.first_segment = new
    g.last_segment = new


@rule
def keep_computed(w: World, gang: int, computed: int, start: int, end: int) -> None:
    """Put a stretch's ``computed`` ms of computing onto the stack, speed by speed."""
    g = w.gangs[gang]
    segment = g.first_segment
    while segment >= 0:
        s = w.segments[segment]
        s0, s1, s2, low, segment = s.speed_0, s.speed_1, s.speed_2, s.computed_from, s.following
        high = g.computed_from if segment < 0 else w.segments[segment].computed_from
        if high > low:
            add_piece(w, gang, high - low, s0, s1, s2, start, end)
    if computed > g.computed_from:
        add_piece(w, gang, computed - g.computed_from, g.speed_0, g.speed_1, g.speed_2, start, end)


# --- work to finish -------------------------------------------------------------------------------------------------


@rule
def computing_left(w: World, gang: int) -> int:
    """Return the ms of computing after ``computed_from`` of this stretch until a gang's work is done.

    The least ms with done + ms * active * speed >= needed: a quotient whose parts do not fit int64, so it is guessed
    in floating point and then put right.
    """
    g = w.gangs[gang]
    whole, rest = g.weight_2, g.rest_2
    segment = g.first_segment
    while segment >= 0:
        s = w.segments[segment]
        speed, low, segment = s.speed_2, s.computed_from, s.following
        high = g.computed_from if segment < 0 else w.segments[segment].computed_from
        more, further = times_speed((high - low) * g.active, speed)
        rest += further
        whole += more + rest // PPB
        rest %= PPB
    needed, gpus, speed = w.jobs[g.job].needed, g.active, g.speed_2
    missing = float(needed - whole) - float(rest) / float(PPB)
    most = 4 * w.one.horizon  # there is no need to be exact beyond it
    guess = missing / (float(gpus) * (float(speed) / float(PPB)))
    if guess > float(most):
        return int(most)
    found = int(guess)
    while _reaches(found - 1, gpus, speed, whole, rest, needed):
        found -= 1
    while not _reaches(found, gpus, speed, whole, rest, needed):
        found += 1
    return found


@rule
def _reaches(ms: int, gpus: int, speed: int, whole: int, rest: int, needed: int) -> bool:
    """Whether so many more ms make enough of what is done."""
    more, further = times_speed(ms * gpus, speed)
    return bool(whole + more + (rest + further) // PPB >= needed)
