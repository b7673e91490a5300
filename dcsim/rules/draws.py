"""Failures that are known beforehand, drawn inside the loop: what ``dcsim.hazards.draws`` makes of random numbers.

Only those of plain hazards are. They come by the block, so that they stay in the cache. A power of e is always numpy's:
some processors round it otherwise.
"""

import numpy as np

from dcsim.program.records import (
    BY_EXPONENTIAL,
    BY_LOGNORMAL,
    EXPONENTIALS,
    NEVER,
    OF_DETECT,
    OF_GAPS,
    OF_MARKS,
    OF_REPAIR,
    OF_SILENT,
    STREAMS,
    STRIKE,
    TICKS,
)
from dcsim.program.world import World
from dcsim.rules.random_numbers import (
    exponential,
    layered,
    lies_inside,
    normal,
    rare_exponential,
    seed_stream,
    set_stream,
    sfc64,
    uniform,
)
from dcsim.rules.rule import ask, rule

LONGEST_GAP, LONGEST_TIME = 1e15, 4e15
"""As ``arrivals`` and ``distributions`` have them [ms]."""
COUNTED_THROUGH = 8
"""Gangs that are looked through one by one (assumed)."""


@rule
def begin_draws(w: World) -> None:
    """Draw the first failures of every hazard that is drawn here; the next one of all is known then."""
    w.one.units = 0
    for hazard in range(w.one.hazards):
        h = w.hazards[hazard]
        if h.draws:
            for stream in range(STREAMS * hazard, STREAMS * (hazard + 1)):
                if w.entropy[stream, 0]:
                    seed_stream(w, stream, w.numbers[w.one.run])
            h.more = 1
            h.clock = 0
            draw_block(w, hazard)
    if w.one.units:
        ask(w, EXPONENTIALS, w.one.units, 0)
    for hazard in range(w.one.hazards):
        if w.hazards[hazard].draws:
            finish_block(w, hazard)
    choose_next(w)


@rule
def draw_more(w: World, hazard: int) -> None:
    """Draw the next failures of a hazard."""
    w.one.units = 0
    draw_block(w, hazard)
    if w.one.units:
        ask(w, EXPONENTIALS, w.one.units, 0)
    finish_block(w, hazard)


@rule
def draw_block(w: World, hazard: int) -> None:
    """Draw a block of failures, as many as come before the horizon; what is lognormal is not finished.

    What is the same for all of them stands in their rows already (``program.draws``).
    """
    h, streams = w.hazards[hazard], STREAMS * hazard
    draw_times(w, hazard)
    first, end = h.first_known, h.end_known
    w.one.drawn += end - first
    if h.placed:
        for row in range(first, end):
            w.known[row].target = int(uniform(w, streams + OF_MARKS) * h.marked)
    else:
        for row in range(first, end):
            mark = int(uniform(w, streams + OF_MARKS) * h.marked)
            target = gang_at(w, mark)
            w.known[row].target = target
            w.known[row].rank = mark - w.slots[target]
    if h.detect_law == BY_EXPONENTIAL:
        for row in range(first, end):
            w.outcomes[row].detect = in_ms(exponential(w, streams + OF_DETECT) * h.detect_mean)
    if h.repair_law == BY_EXPONENTIAL:
        for row in range(first, end):
            w.stage_times[row, 0] = in_ms(exponential(w, streams + OF_REPAIR) * h.repair_mean)
    if h.silent > 0:
        for row in range(first, end):
            w.outcomes[row].fixed = 1 if uniform(w, streams + OF_SILENT) >= h.silent else 0
    h.first_unit = w.one.units
    if h.detect_law == BY_LOGNORMAL:
        add_units(w, streams + OF_DETECT, end - first, h.detect_sigma, h.detect_shift)
    if h.repair_law == BY_LOGNORMAL:
        add_units(w, streams + OF_REPAIR, end - first, h.repair_sigma, h.repair_shift)


@rule
def draw_times(w: World, hazard: int) -> None:
    """Draw when the failures of a block come. Meanwhile the stream's record has its state for rare numbers only."""
    h, stream, horizon = w.hazards[hazard], STREAMS * hazard + OF_GAPS, w.one.horizon
    s = w.streams[stream]
    a, b, c, d, at, row = s.a, s.b, s.c, s.d, h.clock, h.first_known
    for _ in range(h.rows_known):
        word, a, b, c = sfc64(a, b, c, d)
        d += 1
        if lies_inside(word):
            gap = layered(word)
        else:
            set_stream(w, stream, a, b, c, d)
            gap = rare_exponential(w, stream, word)
            a, b, c, d = s.a, s.b, s.c, s.d
        at += int(np.rint(min(gap * h.gap, LONGEST_GAP)))
        if at >= horizon:
            h.more = 0
            break
        w.known[row].time = at
        row += 1
    set_stream(w, stream, a, b, c, d)
    h.clock = at
    h.next_known = h.first_known
    h.end_known = row


@rule
def add_units(w: World, stream: int, count: int, sigma: float, shift: float) -> None:
    """Draw the logarithms of lognormal numbers of mean 1."""
    for _ in range(count):
        w.units[w.one.units] = sigma * normal(w, stream) - shift
        w.one.units += 1


@rule
def finish_block(w: World, hazard: int) -> None:
    """What is lognormal is known now; the next failure of the hazard is too."""
    h, unit = w.hazards[hazard], w.hazards[hazard].first_unit
    if h.detect_law == BY_LOGNORMAL:
        for row in range(h.first_known, h.end_known):
            w.outcomes[row].detect = in_ms(w.units[unit] * h.detect_mean)
            unit += 1
    if h.repair_law == BY_LOGNORMAL:
        for row in range(h.first_known, h.end_known):
            w.stage_times[row, 0] = in_ms(w.units[unit] * h.repair_mean)
            unit += 1
    h.next_time = w.known[h.first_known].time if h.end_known > h.first_known else NEVER


@rule
def in_ms(time: float) -> int:
    """Round a time to ms; what is longer than anything in the field stays within int64."""
    return int(np.rint(min(time, LONGEST_TIME)))


@rule
def gang_at(w: World, slot: int) -> int:
    """Return the gang that a slot belongs to; the number of gangs: it is a free GPU's."""
    low, high = 0, w.one.gangs
    if slot >= w.slots[high]:
        return int(high)
    while high - low > COUNTED_THROUGH:
        middle = (low + high) // 2
        if w.slots[middle] <= slot:
            low = middle
        else:
            high = middle
    found = low
    for gang in range(low + 1, high):  # without a branch, which would be guessed wrongly too often
        found += int(w.slots[gang] <= slot)
    return int(found)


# --- the next one ---------------------------------------------------------------------------------------------------


@rule
def go_on(w: World, hazard: int) -> int:
    """The next failure of a hazard is dealt with now, and the one after it is the next; return the row of its outcome.

    The outcome stays where it is until the next call.
    """
    h = w.hazards[hazard]
    outcome = w.known[h.next_known].outcome
    h.next_known += 1
    if h.next_known < h.end_known:
        h.next_time = w.known[h.next_known].time
    elif h.more:  # another block takes the place of this one: keep what is still needed behind it
        last = h.first_known + h.rows_known
        a, b = w.outcomes[outcome], w.outcomes[last]
        b.detect = a.detect
        b.wrong = a.wrong
        b.fixed = a.fixed
        w.stage_times[last, 0] = w.stage_times[outcome, 0]
        outcome = last
        draw_more(w, hazard)
    else:
        h.next_time = NEVER
    choose_next(w)
    return int(outcome)


@rule
def choose_next(w: World) -> None:
    """Find the hazard whose failure comes next: by time, then by hazard."""
    at, found, hazard = w.hazards[0].next_time, 0, 1
    while hazard < w.one.hazards:
        if w.hazards[hazard].next_time < at:
            at, found = w.hazards[hazard].next_time, hazard
        hazard += 1
    w.one.next_hazard = found
    w.one.next_failure = TICKS * at + STRIKE if at < NEVER else NEVER
