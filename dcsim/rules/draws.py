"""Random numbers of failures that are known beforehand, made inside the loop: numpy's, bit for bit.

``SeedSequence`` -> ``SFC64`` -> uniform, exponential and normal numbers by the ziggurat, as numpy does it; then what
``dcsim.hazards.draws`` makes of them, failure by failure. Only plain hazards are drawn here, and only laws that gave
numpy's numbers on this machine (``dcsim.engine.compiled_draws``); for all others Python draws. A hazard's failures come
by the block, so that they stay in the cache. A power of e is always numpy's: some processors round it otherwise.
"""

import math
from typing import Any

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
from dcsim.rules.rule import ask, rule, wrapped

M32 = 0xFFFFFFFF
M52, M53 = (1 << 52) - 1, (1 << 53) - 1
A_53RD = 1.0 / 9007199254740992.0
LONGEST_GAP, LONGEST_TIME = 1e15, 4e15
"""As ``arrivals`` and ``distributions`` have them [ms]."""
COUNTED_THROUGH = 8
"""Gangs that are looked through one by one (assumed)."""
NO_WORDS, NO_NUMBERS = np.zeros(0, dtype=np.int64), np.zeros(0)
EXP_K, EXP_W, EXP_F, NORMAL_K, NORMAL_W, NORMAL_F = NO_WORDS, NO_NUMBERS, NO_NUMBERS, NO_WORDS, NO_NUMBERS, NO_NUMBERS
"""The ziggurat's layers, put in when the rules are compiled (``ziggurat``)."""
EXP_R, NORMAL_R, NORMAL_INVERSE_R = 7.69711747013104972, 3.6541528853610087963519472518, 0.27366123732975827203338247596


def ziggurat() -> dict[str, Any]:
    """Return the layers as numpy has them, by the names above; ImportError where numba has put them elsewhere."""
    from numba.np.random import _constants as found

    whole = {f"{name}_K": getattr(found, f"k{letter}_double").astype(np.int64) for name, letter in LETTERS.items()}
    return whole | {
        f"{name}_{kind.upper()}": np.ascontiguousarray(getattr(found, f"{kind}{letter}_double"), dtype=np.float64)
        for name, letter in LETTERS.items()
        for kind in "wf"
    }


LETTERS = {"EXP": "e", "NORMAL": "i"}

# --- SeedSequence ---------------------------------------------------------------------------------------------------


@rule
def mixed(x: int, y: int) -> int:
    """Mix two words of the pool."""
    found = (0xCA01F9DD * x - 0x4973F715 * y) & M32
    return found ^ (found >> 16)


@rule
def hashed(value: int, factor: int, following: int) -> int:
    """Hash a word."""
    found = ((value ^ factor) * following) & M32
    return found ^ (found >> 16)


@rule
def seed_stream(w: World, stream: int, replication: int) -> None:
    """Begin a stream: numpy's SeedSequence of its entropy, then SFC64."""
    words, place = w.entropy[stream, 0], w.entropy[stream, 1]
    w.entropy[stream, 2 + place] = replication
    factor = 0x43B0D7E5
    for number in range(4):
        following = (factor * 0x931E8875) & M32
        w.pool[number] = hashed(w.entropy[stream, 2 + number], factor, following)
        factor = following
    for source in range(4):
        for target in range(4):
            if source != target:
                following = (factor * 0x931E8875) & M32
                w.pool[target] = mixed(w.pool[target], hashed(w.pool[source], factor, following))
                factor = following
    for number in range(4, words):
        for target in range(4):
            following = (factor * 0x931E8875) & M32
            w.pool[target] = mixed(w.pool[target], hashed(w.entropy[stream, 2 + number], factor, following))
            factor = following
    factor = 0x8B51F9DD
    for number in range(6):
        following = (factor * 0x58F38DED) & M32
        w.seeds[number] = hashed(w.pool[number % 4], factor, following)
        factor = following
    s = w.streams[stream]
    s.a = wrapped(w.seeds[0] + (w.seeds[1] << 32))
    s.b = wrapped(w.seeds[2] + (w.seeds[3] << 32))
    s.c = wrapped(w.seeds[4] + (w.seeds[5] << 32))
    s.d = 1
    for _ in range(12):
        next_word(w, stream)


# --- SFC64 and the ziggurat -----------------------------------------------------------------------------------------


@rule
def sfc64(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """Return the next 64 bits of a stream whose state this is, and its next ``a``, ``b``, ``c``; ``d`` counts.

    A shift to the right is followed by a mask, as words have signs here.
    """
    found = wrapped(a + b + d)
    turned = (c << 24) | ((c >> 40) & 0xFFFFFF)
    return found, b ^ ((b >> 11) & M53), wrapped(c + (c << 3)), wrapped(wrapped(turned) + found)


@rule
def next_word(w: World, stream: int) -> int:
    """Return the next 64 bits of a stream."""
    s = w.streams[stream]
    found, a, b, c = sfc64(s.a, s.b, s.c, s.d)
    set_stream(w, stream, a, b, c, s.d + 1)
    return found


@rule
def set_stream(w: World, stream: int, a: int, b: int, c: int, d: int) -> None:
    """A stream has this state."""
    s = w.streams[stream]
    s.a = a
    s.b = b
    s.c = c
    s.d = d


@rule
def uniform(w: World, stream: int) -> float:
    """Return a number uniform in [0, 1)."""
    return float((next_word(w, stream) >> 11) & M53) * A_53RD


@rule
def exponential(w: World, stream: int) -> float:
    """Return an exponential number of mean 1."""
    word = next_word(w, stream)
    return layered(word) if lies_inside(word) else rare_exponential(w, stream, word)


@rule
def lies_inside(word: int) -> bool:
    """Whether the exponential number that 64 bits make lies inside its layer; one in ninety does not."""
    return bool((word >> 11) & M53 < EXP_K[(word >> 3) & 0xFF])


@rule
def layered(word: int) -> float:
    """Return the exponential number that 64 bits make in their layer."""
    return float((word >> 11) & M53) * float(EXP_W[(word >> 3) & 0xFF])


@rule
def rare_exponential(w: World, stream: int, word: int) -> float:
    """Return an exponential number where 64 bits may not be enough for it."""
    while True:
        layer, x = (word >> 3) & 0xFF, layered(word)
        if lies_inside(word):
            return x
        if layer == 0:
            return EXP_R - math.log1p(-uniform(w, stream))
        if (EXP_F[layer - 1] - EXP_F[layer]) * uniform(w, stream) + EXP_F[layer] < math.exp(-x):
            return x
        word = next_word(w, stream)


@rule
def normal(w: World, stream: int) -> float:
    """Return a normal number of mean 0 and variance 1."""
    while True:
        word = next_word(w, stream)
        layer, positive, rest = word & 0xFF, (word >> 8) & 1 == 0, (word >> 9) & M52
        x = float(rest) * float(NORMAL_W[layer])
        if not positive:
            x = -x
        if rest < NORMAL_K[layer]:
            return x
        if layer == 0:
            far = normal_tail(w, stream)
            return -far if (rest >> 8) & 1 else far
        if (NORMAL_F[layer - 1] - NORMAL_F[layer]) * uniform(w, stream) + NORMAL_F[layer] < math.exp(-0.5 * x * x):
            return x


@rule
def normal_tail(w: World, stream: int) -> float:
    """Return a normal number beyond the last layer."""
    while True:
        x = -NORMAL_INVERSE_R * math.log1p(-uniform(w, stream))
        y = -math.log1p(-uniform(w, stream))
        if y + y > x * x:
            return NORMAL_R + x


@rule
def sample(w: World) -> None:
    """Fill ``units`` by one law, for whoever wants to compare: 0 uniform, 1 exponential, 2 normal (``one.run``)."""
    seed_stream(w, 0, w.numbers[0])
    for number in range(len(w.units)):
        if w.one.run == 0:
            w.units[number] = uniform(w, 0)
        elif w.one.run == 1:
            w.units[number] = exponential(w, 0)
        else:
            w.units[number] = normal(w, 0)


# --- failures -------------------------------------------------------------------------------------------------------


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
