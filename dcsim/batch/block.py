"""Replications of one scenario together: from draws to ledgers."""

from collections.abc import Iterator, Sequence

import numpy as np

from dcsim.batch.layout import Layout
from dcsim.batch.machine import (
    BOOKED_DETECT,
    BOOKED_FAILOVER,
    BOOKED_REPAIR,
    BOOKED_RESTORE,
    BOOKED_SHRUNK,
    BOOKED_WAIT,
    FAILURES,
    FREE_REPAIR_GPU_MS,
    GANG,
    HOW,
    IDLE_GPU_MS,
    LOST,
    RAN_WITH,
    ROW,
    RUN,
    SPARE_GPU_MS,
    STRIKES,
)
from dcsim.batch.replay import replay
from dcsim.batch.strikes import Ints, draw
from dcsim.ledger import CAUSES, STATE, STATES, Ledgers
from dcsim.scenario import Gang

PPB = 10**9
EXACT = 2**53
"""Integers below this are exact as float64."""
KEPT_BYTES = 2**24
"""More than any array of a block has, and less than the 32 MiB up to which glibc learns."""
BOOKINGS = {
    "detect": BOOKED_DETECT,
    "wait": BOOKED_WAIT,
    "repair": BOOKED_REPAIR,
    "failover": BOOKED_FAILOVER,
    "restore": BOOKED_RESTORE,
}


def keep_memory() -> None:
    """Let the C library keep what arrays give back, instead of returning it to the system and asking for it again.

    glibc raises the size from which it maps memory for one array alone, and twice that from which it returns memory, to
    the largest mapping that was ever freed. Measured: 200 page faults fewer and 0.4 ms less for each replication.
    """
    np.empty(KEPT_BYTES, dtype=np.uint8)


def simulate_block(layout: Layout, numbers: Sequence[int]) -> Ledgers:
    """Return the ledgers of these replications, ascending; not verified yet."""
    plan, rows = layout.plan, len(numbers)
    scenario, owners = plan.scenario, plan.owners
    jobs = len(scenario.jobs)
    strikes, drawn = draw(plan, numbers)
    booked, single, ended = replay(layout, strikes, rows)
    gpu_ms = np.zeros((rows, len(owners), len(STATES)), dtype=np.int64)
    overhead = np.zeros((rows, len(owners), len(CAUSES)), dtype=np.int64)
    for gang, kept, checkpoint, lost in _settled(layout, ended, rows):
        job, keeps = gang.job, gang.recovery.useful_ppb
        useful = kept // PPB * keeps + kept % PPB * keeps // PPB  # one rounding a gang, and no product beyond int64
        gpu_ms[:, job, STATE["useful"]] = useful.sum(axis=1)
        overhead[:, job, CAUSES.index("strategy")] = (kept - useful).sum(axis=1)
        gpu_ms[:, job, STATE["checkpoint"]] = checkpoint.sum(axis=1)
        gpu_ms[:, job, STATE["lost"]] = lost.sum(axis=1)
    for state, column in BOOKINGS.items():
        gpu_ms[:, :jobs, STATE[state]] = booked[:, :, column]
    overhead[:, :jobs, CAUSES.index("shrunk")] = booked[:, :, BOOKED_SHRUNK]
    gpu_ms[:, :, STATE["overhead"]] = overhead.sum(axis=2)
    gpu_ms[:, jobs, STATE["spare"]] = single[:, SPARE_GPU_MS]
    gpu_ms[:, jobs + 1, STATE["idle"]] = single[:, IDLE_GPU_MS]
    gpu_ms[:, jobs + 1, STATE["repair"]] = single[:, FREE_REPAIR_GPU_MS]
    counts = np.zeros((rows, len(owners)), dtype=np.int64)
    counts[:, :jobs] = booked[:, :, STRIKES]
    asked = np.zeros_like(counts)
    for gang in plan.gangs:
        asked[:, gang.job] += gang.gpus * max(0, scenario.horizon - gang.submit)
    last = np.full_like(counts, -1)
    return Ledgers(
        owners=owners,
        replications=np.array(numbers, dtype=np.int64),
        gpu_ms=gpu_ms,
        overhead_gpu_ms=overhead,
        strikes=counts,
        failures=single[:, FAILURES].copy(),
        drawn=drawn,
        asked_gpu_ms=asked,
        finished=np.zeros_like(counts),
        last_finish_ms=last,
    )


def _settled(layout: Layout, ended: Ints, rows: int) -> Iterator[tuple[Gang, Ints, Ints, Ints]]:
    """Let the strategies say what became of every stretch.

    Yields for each job its first gang, and the GPU-ms kept, blocked by writes and lost, int64 (rows, instances).
    """
    gangs = layout.plan.gangs
    exact = layout.plan.scenario.capacity_gpu_ms < EXACT
    first = 0  # gangs stand in the order of their jobs
    for instances in (each.count for each in layout.plan.scenario.jobs):
        gang = gangs[first]
        recovery, table = gang.recovery, ended
        if instances < len(gangs):
            of_gang = ended[GANG]
            mine = of_gang == first if instances == 1 else (of_gang >= first) & (of_gang < first + instances)
            table = ended.take(np.flatnonzero(mine), axis=1)
        saved, blocked, unsaved = recovery.settle(table[RUN])
        kept = saved + unsaved
        lost = (unsaved if recovery.rolls_back else np.minimum(recovery.step, kept)) * (table[HOW] == LOST)
        life = table[ROW] if instances == 1 else table[ROW] * instances + (table[GANG] - first)
        times = (kept - lost, blocked, lost)
        kept, blocked, lost = (
            _by(life, table[RAN_WITH] * each, rows * instances, exact).reshape(rows, instances) for each in times
        )
        yield gang, kept, blocked, lost
        first += instances


def _by(keys: Ints, values: Ints, size: int, exact: bool) -> Ints:
    """Return exact sums of values by key, int64 (size,); ``exact``: no sum reaches 2^53, so float64 holds it."""
    if exact:
        return np.bincount(keys, values, size).astype(np.int64)
    low, high = values & (2**28 - 1), values >> 28
    return (np.bincount(keys, high, size).astype(np.int64) << 28) + np.bincount(keys, low, size).astype(np.int64)
