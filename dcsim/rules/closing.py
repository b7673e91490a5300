"""What the horizon cuts, and the ledger that comes of a run."""

from dcsim.ledger import CAUSES
from dcsim.program.records import IN_OVERHEAD, IN_REPAIR, IN_RUNNING, World
from dcsim.rules.booking import book, change_free
from dcsim.rules.gangs import stop
from dcsim.rules.maintenance import book_stay
from dcsim.rules.plant import book_absences
from dcsim.rules.repairs import book_repair
from dcsim.rules.rule import rule
from dcsim.rules.work import times_speed

OF_STRATEGY, OF_FABRIC, OF_POWER, OF_STRAGGLERS, SHRUNK = (
    CAUSES.index(each) for each in ("strategy", "fabric", "power", "straggler", "shrunk")
)


@rule
def end_run(w: World) -> None:
    """Book what the horizon cuts: it survives."""
    end = w.one.horizon
    for failure in range(w.one.failed):
        if w.failures[failure].unfound:
            book_unfound(w, failure, end)
    repair = w.one.away
    while repair >= 0:
        book_repair(w, repair, end)
        repair = w.repairs[repair].next_away
    for window in range(w.one.window):
        if w.windows[window].out:
            book_stay(w, window, end)
    book_absences(w, end)
    for gang in range(w.one.gangs):
        stop(w, gang, end)
    change_free(w, 0, end)


@rule
def book_unfound(w: World, failure: int, now: int) -> None:
    """Book free GPUs that are struck and not identified yet: they are in repair since they were struck."""
    f = w.failures[failure]
    part = f.first_part
    while part >= 0:
        p = w.parts[part]
        if p.gang < 0:
            book(w, w.one.gangs, IN_REPAIR, f.hazard, p.gpus, f.at, now)
        part = p.following


@rule
def close_gang(w: World, gang: int, row: int) -> None:
    """Add a gang's bookings to those of its job.

    Surviving running time is split once: what stragglers, power and fabric take is rounded up, useful is the floor of
    the strategy's share of what is left, overhead the rest. Members that a small shape has no use for are overhead too.
    """
    g = w.gangs[gang]
    for state in range(w.booked.shape[1]):
        if state != IN_RUNNING:
            w.ledger[row, state] += w.booked[gang, state]
    surviving, shrunk = w.booked[gang, IN_RUNNING], w.booked[gang, IN_OVERHEAD]
    whole, _ = times_speed(g.weight_2, w.jobs[g.job].useful_ppb)
    useful = whole
    w.ledger[row, IN_RUNNING] += useful
    w.ledger[row, IN_OVERHEAD] += surviving - useful
    w.overhead[row, OF_STRATEGY] += g.weight_2 - useful
    w.overhead[row, OF_STRAGGLERS] += surviving - g.weight_0
    w.overhead[row, OF_POWER] += g.weight_0 - g.weight_1
    w.overhead[row, OF_FABRIC] += g.weight_1 - g.weight_2
    w.overhead[row, SHRUNK] += shrunk
    c = w.counted[row]
    c.strikes += g.strikes
    end = w.one.horizon if g.finish < 0 else g.finish
    c.asked += g.gpus * max(0, end - g.submit)
    c.finished += 1 if g.finish >= 0 else 0
    c.last_finish = -1 if g.finish < 0 or c.last_finish < 0 else max(c.last_finish, g.finish)


@rule
def close_run(w: World) -> None:
    """Fold the bookings of a run into its rows of the ledger."""
    jobs = w.one.jobs
    first = w.one.run * (jobs + 2)
    for row in range(first, first + jobs + 2):
        for state in range(w.ledger.shape[1]):
            w.ledger[row, state] = 0
        for cause in range(w.overhead.shape[1]):
            w.overhead[row, cause] = 0
        w.counted[row].strikes = 0
        w.counted[row].asked = 0
        w.counted[row].finished = 0
        w.counted[row].last_finish = 0 if row < first + jobs else -1
    for gang in range(w.one.gangs):
        close_gang(w, gang, first + w.gangs[gang].job)
    for state in range(w.booked.shape[1]):
        w.ledger[first + jobs + 1, state] += w.booked[w.one.gangs, state]
        w.ledger[first + jobs, state] += w.booked[w.one.gangs + 1, state]
    w.counts[w.one.run].failures = w.one.failures
    w.counts[w.one.run].drawn = w.one.drawn
