"""Random streams, keyed so that nothing that is added or compared shifts a draw of anything else.

A stream is named by (seed, replication, hazard, purpose), or by a job's instance or a record of outages in the
hazard's place. Results therefore depend neither on the number of workers nor on what else the scenario holds, and two
scenarios with one seed and one hazard name meet the same failures.
"""

import hashlib
from functools import lru_cache

import numpy as np

Purpose = str | tuple[str, int]
"""What a stream is for: a name in ``PURPOSES``, and for what there are several of, its number."""

PURPOSES = {
    "gaps": 0,  # between failures of a hazard
    "marks": 1,  # which slot or component fails
    "repair": 2,  # time of the repair's first stage; with k, of stage k
    "detect": 3,
    "wrong": 4,  # wrong blames
    "success": 5,  # with k: whether stage k of the repair helps
    "again": 6,  # how often the last stage is done again
    "further": 7,  # times of these further attempts
    "silent": 8,
    "lives": 9,  # with r: the r-th life of every component
    "residual": 10,
    "lemons": 11,
    "burst": 12,  # failures of each burst
    "spread": 13,  # when each of them comes
    "start": 14,  # of a trace
    "chance": 15,  # of each strike on a gang
    "date": 16,  # of a phase of energisation
    "check": 18,  # windows that miss what is slow, of a hazard; false alarms, of a maintenance
    "uncertain": 17,  # value of an input, in the place of a replication the number of the sample
    "noticed": 24,  # whether a failure is announced
    "requeue": 25,  # how long a gang whose time is over is kept from the queue
    "preflight": 26,  # what checks of a gang before its starts miss
    "sent on": 28,  # with k: whether a test finds that stage k of a repair was silent
    "sent back": 29,  # how often it finds that of the last stage
    "redo": 30,  # times of a last stage that is done again for that
    "redo again": 31,  # how often each of them fails
    "redone": 32,  # times of these further attempts
    "alarm": 27,  # good nodes that pass them
}
"""Name -> its number in the key. A number, once given, stays: it is what makes results of two versions comparable."""


@lru_cache(maxsize=4096)
def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def entropy(seed: int, owner: str, purpose: Purpose) -> tuple[list[int], list[int]]:
    """Return the words of 32 bits that SeedSequence takes for a stream: those before a replication's number, and after.

    The number itself, below 2^32, is one word.
    """
    name, *number = (purpose,) if isinstance(purpose, str) else purpose
    assert isinstance(name, str)
    before = _words(seed)
    before += [0] * (4 - len(before))
    return before, [word for each in (_key(owner), PURPOSES[name], *number) for word in _words(each)]


def _words(value: int) -> list[int]:
    words = [value % 2**32]
    while value := value // 2**32:
        words.append(value % 2**32)
    return words


def generator(seed: int, replication: int, owner: str, purpose: Purpose) -> np.random.Generator:
    """Return the generator of one stream of a hazard or a job's instance; SFC64 because it is numpy's fastest."""
    name, *number = (purpose,) if isinstance(purpose, str) else purpose
    assert isinstance(name, str)
    key = (replication, _key(owner), PURPOSES[name], *number)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))
