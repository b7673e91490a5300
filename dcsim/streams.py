"""Random streams, keyed so that nothing that is added or compared shifts a draw of anything else.

A stream is named by (seed, replication, hazard, purpose). Results therefore depend neither on the number of workers nor
on what else the scenario holds, and two scenarios with one seed and one hazard name meet the same failures.
"""

import hashlib
from functools import lru_cache
from typing import Literal

import numpy as np

Purpose = Literal["gaps", "marks", "repair"]
_PURPOSES: dict[Purpose, int] = {"gaps": 0, "marks": 1, "repair": 2}


@lru_cache(maxsize=4096)
def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def generator(seed: int, replication: int, hazard: str, purpose: Purpose) -> np.random.Generator:
    """Return the generator of one stream; SFC64 because it is numpy's fastest."""
    key = (replication, _key(hazard), _PURPOSES[purpose])
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))
