"""Where GPU-time goes: every booking of a run passes here."""

from dcsim.program.records import IN_IDLE, IN_SPARE, World
from dcsim.rules.rule import rule


@rule
def book(w: World, who: int, state: int, why: int, gpus: int, start: int, end: int) -> None:
    """Book ``gpus`` GPUs from ``start`` to ``end``; nothing if that is no time.

    ``who``: a gang, or the number of gangs: free GPUs, or one more: spares. ``why``: the hazard that it follows from,
    NONE: none.
    """
    if end > start and gpus:
        book_amount(w, who, state, why, gpus * (end - start), start, end)


@rule
def book_amount(w: World, who: int, state: int, why: int, gpu_ms: int, start: int, end: int) -> None:
    """Book GPU-ms that are spread over the time from ``start`` to ``end``; negative where a rollback takes them away.

    This is the only place that writes to the ledger.
    """
    w.booked[who, state] += gpu_ms


@rule
def change_free(w: World, gpus: int, now: int) -> None:
    """Book the free GPUs up to now, then change their number."""
    one = w.one
    free, since = one.free, one.free_since
    spare = min(free, one.spares)
    book(w, one.gangs + 1, IN_SPARE, -1, spare, since, now)
    book(w, one.gangs, IN_IDLE, -1, free - spare, since, now)
    one.free_since = now
    one.free = free + gpus
