"""Random numbers made inside the loop: numpy's, bit for bit.

``SeedSequence`` -> ``SFC64`` -> uniform, exponential and normal numbers by the ziggurat, as numpy does it. Only laws
are drawn here that gave numpy's numbers on this machine (``dcsim.engine.compiled_draws``); for all others Python draws.
"""

import math
from typing import Any

import numpy as np

from dcsim.program.world import World
from dcsim.rules.rule import rule, wrapped

M32 = 0xFFFFFFFF
M52, M53 = (1 << 52) - 1, (1 << 53) - 1
A_53RD = 1.0 / 9007199254740992.0
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
