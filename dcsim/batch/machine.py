"""What the compiled functions work on: few tables of int64, because each array that is passed costs a call time.

Sizes in GPUs, times in ms. A name in capitals is a column, or the place of a number in ``one``.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function when it is first called, and keep the machine code beside it for the next process.

    Where nothing can be written there, each process compiles anew: it takes some seconds.
    """
    from numba import njit

    how: dict[str, Any] = {"error_model": "numpy"}  # nothing is ever divided by zero
    with suppress(KeyError, TypeError):  # as all is allocated outside, nothing needs its references counted
        njit(_nrt=False)(_nothing)
        how["_nrt"] = False
    try:
        return njit(cache=True, **how)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder for a cache
        return njit(**how)(function)  # type: ignore[no-any-return]


def _nothing() -> None:
    """Do nothing."""


REPAIRED, IDENTIFY, SERVICE, STRIKE = range(4)
"""Events of one ms in their order (docs/model.md, "Ties"); the last two bits of a key, which is time * 4 + this."""
WHOLE, DETECT, WAIT, ABSENT = range(4)
"""Phases of a gang; WHOLE also while it runs small; ABSENT: not submitted yet."""
NEVER = 2**62
LOST, KEPT = range(2)
"""How a stretch ended: the strategy says what is lost, or nothing is."""

# --- `one`: single numbers, int64 (ONE,) ------------------------------------------------------------------------------
(
    HORIZON,
    SPARES,
    SLOTS,  # of free GPUs: GPUs in no gang at t = 0
    HEAD_BLOCKS,  # nobody behind a gang that is short can be helped, because no gang runs small
    FREE,
    FREE_SINCE,
    SPARE_GPU_MS,
    IDLE_GPU_MS,
    FREE_REPAIR_GPU_MS,
    FAILURES,
    WAITING,  # gangs in the queue for hardware
    SERVE,  # key of the next service
    DUE,  # events in the heap
    NUMBER,  # of the next of them: ties go by it
    STRETCHES,  # that have ended, over all replications
    ARRIVED,  # gangs that were submitted
    ARRIVAL,  # when the next one is
    ATOM,  # GPUs of an atom
    LOWEST_FREE,  # no atom below it is free
    IN_ROW,  # which of the replications this is
    ONE,
) = range(21)

# --- `gangs`: int64 (gangs, COLUMNS) ----------------------------------------------------------------------------------
(
    GPUS,
    JOB,
    RANK,  # 0: the highest priority
    COLD,
    FAILOVER,
    RESTORE,
    START,  # restore of the first start
    REJOIN,
    SHAPES,  # where its shapes begin in `legal`, -1: the whole gang only; there, by members up, the largest shape
    UP,  # members in service
    PENDING,  # struck, but not identified
    OUT,  # struck from this gang and not back
    OPEN,  # strikes that are not identified
    PHASE,
    SINCE,  # of the phase
    FAILING_OVER,  # failover and restore of the stretch that it is in
    RESTORING,
    ACTIVE,  # GPUs that it runs with
    SURPLUS_FROM,  # from when its members beyond those are to be booked
    SHORT_SINCE,
    QUEUED,
    STARTED,  # whether it has ever run
    STRUCK,  # whether it was ever struck
    SUBMIT,
    ARRIVING,  # the gang that is submitted at this place
    LOSER,  # the gang that comes at this place when losers are looked for: lowest priority first, then the last listed
    QUEUE,  # the gang at this place of the queue for hardware
    TALLY,  # its GPUs among those that one strike took
    COLUMNS,
) = range(29)

# --- `booked`: int64 (jobs, BOOKED) [GPU-ms], and a count -------------------------------------------------------------
BOOKED_DETECT, BOOKED_WAIT, BOOKED_REPAIR, BOOKED_FAILOVER, BOOKED_RESTORE, BOOKED_SHRUNK, STRIKES, BOOKED = range(8)

# --- `pools`: int64 (pools, POOL_COLUMNS); crews of one name, or a hazard's own ---------------------------------------
CREWS, BUSY, HEAD, TAIL, POOL_COLUMNS = range(5)  # -1 crews: enough for everyone; the first and last strike that queue

# --- `hazards`: int64 (hazards, HAZARD_COLUMNS) -----------------------------------------------------------------------
BLAST, FOUND_AFTER, POOL, COMPONENT, PART, HAZARD_COLUMNS = range(6)
# PART: atoms of the part that goes down with a component, which has COMPONENT atoms; 0: a typed blast

# --- `struck`: int64 (strikes, STRUCK_COLUMNS), filled as they come ---------------------------------------------------
HIT, OWNER, FOLLOWING, STRUCK_FROM, STRUCK_END, STRUCK_COLUMNS = range(6)
# GPUs, and of which gang (their number: free ones); the next in the queue for crews; range of the atoms, with places

# --- `places`: int64 (3, atoms), or no atoms --------------------------------------------------------------------------
OWNED_BY, STRUCK_BY, WHOSE, PLACES_ROWS = range(4)  # gang; strike that took it out, and of whom, -1: none
FREE_OWNER, OUT_OF_SERVICE = -1, -2

# --- `due`: a heap of ends of repairs and identifications, int64 (3, room) --------------------------------------------
DUE_KEY, DUE_NUMBER, DUE_STRIKE, DUE_ROWS = range(4)

# --- `ended`: stretches that ended while the gang was running, int64 (5, room) ----------------------------------------
ROW, GANG, RUN, RAN_WITH, HOW, ENDED_ROWS = range(6)  # of replications; ms since the restore; GPUs; LOST or KEPT
