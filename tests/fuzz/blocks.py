"""Many changed inputs of one door, in a process of their own."""

import os
import resource
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.fuzz.doors import DOORS
from tests.fuzz.judge import changed, judged

MOST_BYTES = 4 << 30
"""Most memory that a process may take."""
BLOCK = 2000
"""Inputs of one task: a task has a process of its own, so that its memory is its own, too."""
Block = tuple[str, Counter[str], float, int, list[tuple[str, str, bytes]]]


def block(door: str, count: int, seed: tuple[int, ...]) -> Block:
    """Try so many inputs; return the door, what came of them, the slowest [s], the peak [bytes], and what is wrong."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    rng, outcomes, slowest = np.random.default_rng(seed), Counter[str](), 0.0
    wrong: list[tuple[str, str, bytes]] = []
    with TemporaryDirectory(prefix="dcsim-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        for _ in range(count):
            numbers = rng.integers(0, 2**20, (int(rng.geometric(0.5)), 3)).tolist()
            content = changed(door, int(rng.integers(2**20)), bool(rng.integers(2)), numbers)
            began = time.perf_counter()
            what, told = judged(door, content, Path(scratch))
            slowest = max(slowest, time.perf_counter() - began)
            outcomes[what] += 1
            if told:
                wrong.append((what, told, content))
    return door, outcomes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10, wrong[:20]


def blocks(inputs: int, seed: int, doors: list[str], workers: int) -> Iterator[Block]:
    """Yield what came of each block, as it comes."""
    shares = {door: DOORS[door].share for door in doors}
    tasks = []
    for number, door in enumerate(doors):
        left = round(inputs * shares[door] / sum(shares.values()))
        for index, start in enumerate(range(0, left, BLOCK)):
            tasks.append((door, min(BLOCK, left - start), (seed, number, index)))
    with get_context("spawn").Pool(workers, maxtasksperchild=8) as pool:  # an executor with this limit can hang
        yield from pool.imap_unordered(_block, tasks)


def _block(task: tuple[str, int, tuple[int, ...]]) -> Block:
    return block(*task)
