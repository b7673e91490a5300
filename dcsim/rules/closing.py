"""What the horizon cuts, and the ledger that comes of a run."""

from dcsim.ledger import CAUSES
from dcsim.program.records import BEFORE_CAUSES, IN_OVERHEAD, IN_REPAIR, IN_RUNNING, PPB
from dcsim.program.world import World
from dcsim.rules.booking import book, book_added, change_free, close_month, come_to, times_speed
from dcsim.rules.gangs import stop
from dcsim.rules.log import note_queues, note_transfer
from dcsim.rules.maintenance import book_stay
from dcsim.rules.plant import book_absences
from dcsim.rules.preflight import book_retest
from dcsim.rules.repairs import book_repair
from dcsim.rules.returns import book_return
from dcsim.rules.rule import rule
from dcsim.rules.sold import close_sold

OF_STRATEGY, OF_FABRIC, OF_POWER, OF_STRAGGLERS, SHRUNK = (
    CAUSES.index(each) for each in ("strategy", "fabric", "power", "straggler", "shrunk")
)


@rule
def end_run(w: World) -> None:
    """Book what the horizon cuts: it survives."""
    end = w.one.horizon
    come_to(w, end)
    if w.one.logs:
        note_queues(w)
        if w.one.has_storage:
            for gang in range(w.one.gangs):
                if w.transfers[gang].active:
                    note_transfer(w, gang, end)
    for failure in range(w.one.failed):
        if w.failures[failure].unfound:
            book_unfound(w, failure, end)
    repair = w.one.away
    while repair >= 0:
        book_repair(w, repair, end)
        repair = w.repairs[repair].next_away
    for row in range(w.one.returns):
        book_return(w, row, end)
    for window in range(w.one.window):
        if w.windows[window].out:
            book_stay(w, window, end)
    for retest in range(w.one.retests):
        if w.retests[retest].out:
            book_retest(w, retest, end)
    book_absences(w, end)
    for gang in range(w.one.gangs):
        stop(w, gang, end)
        if w.gangs[gang].added:
            book_added(w, gang)
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
def close_owner(w: World, row: int, first: int, rows: int, job: bool) -> None:
    """Add up the bookings of an owner, from row ``first`` on one for each cause; what a ``job`` ran is to be split.

    Members that a small shape has no use for are overhead.
    """
    for books in range(first, first + rows):
        for state in range(w.booked.shape[1]):
            w.ledger[row, state] += w.booked[books, state]
    if job:
        w.overhead[row, OF_STRAGGLERS] += w.ledger[row, IN_RUNNING]
        w.overhead[row, SHRUNK] += w.ledger[row, IN_OVERHEAD]
        w.ledger[row, IN_OVERHEAD] += w.ledger[row, IN_RUNNING]
        w.ledger[row, IN_RUNNING] = 0


@rule
def close_gang(w: World, gang: int, row: int) -> None:
    """Split the running time of a gang, of which its job's row holds all as overhead so far, and count.

    It is split once: what stragglers, power and fabric take is rounded up, useful is the floor of the strategy's share
    of what is left, overhead the rest.
    """
    g = w.gangs[gang]
    useful, _ = times_speed(g.weight_2, w.jobs[g.job].useful_ppb)
    w.ledger[row, IN_RUNNING] += useful
    w.ledger[row, IN_OVERHEAD] -= useful
    w.overhead[row, OF_STRATEGY] += g.weight_2 - useful
    w.overhead[row, OF_STRAGGLERS] -= g.weight_0
    w.overhead[row, OF_POWER] += g.weight_0 - g.weight_1
    w.overhead[row, OF_FABRIC] += g.weight_1 - g.weight_2
    c = w.counted[row]
    c.strikes += g.strikes
    end = w.one.horizon if g.finish < 0 else g.finish
    c.asked += g.gpus * max(0, end - g.submit)
    c.finished += 1 if g.finish >= 0 else 0
    c.last_finish = -1 if g.finish < 0 or c.last_finish < 0 else max(c.last_finish, g.finish)


@rule
def close_run(w: World) -> None:
    """Fold the bookings of a run into its rows of the ledger."""
    jobs, rows = w.one.jobs, w.one.causes + BEFORE_CAUSES
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
    for owner in range(jobs + 2):
        close_owner(w, first + owner, owner * rows, rows, owner < jobs)
    for gang in range(w.one.gangs):
        close_gang(w, gang, first + w.gangs[gang].job)
    if w.one.months:
        close_causes(w, first)
        close_months(w, first)
    if w.one.sold or w.one.replicas:
        close_sold(w)
    w.counts[w.one.run].logged = w.one.logged
    w.counts[w.one.run].failures = w.one.failures
    w.counts[w.one.run].drawn = w.one.drawn


@rule
def close_causes(w: World, first: int) -> None:
    """Copy the bookings by cause to the rows of a run; what is left of the ledger has none."""
    causes, rows = w.one.causes, w.one.causes + BEFORE_CAUSES
    row = w.one.run * (causes + 1)
    for state in range(w.booked.shape[1]):
        left = 0
        for owner in range(w.one.jobs + 2):
            left += w.ledger[first + owner, state]
        for cause in range(causes):
            found = 0
            for owner in range(w.one.jobs + 2):
                found += w.booked[owner * rows + BEFORE_CAUSES + cause, state]
            w.cause_ledger[row + cause, state] = found
            left -= found
        w.cause_ledger[row + causes, state] = left


@rule
def close_months(w: World, first: int) -> None:
    """Copy the bookings by month to the rows of a run, with the running time split into useful and overhead.

    What a job has done usefully up to the end of a month is the floor of its share. The ledger has the floor for each
    gang, which may be a few ms less: they are taken from the month in which the job did most.
    """
    row, months = w.one.run * w.one.months, w.one.months
    close_month(w)
    for month in range(months):
        for state in range(w.by_month.shape[1]):
            w.month_ledger[row + month, state] = w.by_month[month, state]
        w.month_ledger[row + month, IN_OVERHEAD] += w.by_month[month, IN_RUNNING]
        w.month_ledger[row + month, IN_RUNNING] = 0
    for job in range(w.one.jobs):
        whole, rest, before, best = 0, 0, 0, 0
        for month in range(months):
            rest += w.rest_by_month[job, month]
            whole += w.weight_by_month[job, month] + rest // PPB
            rest %= PPB
            useful, _ = times_speed(whole, w.jobs[job].useful_ppb)
            book_useful(w, row + month, useful - before)
            before = useful
            if w.weight_by_month[job, month] > w.weight_by_month[job, best]:
                best = month
        book_useful(w, row + best, w.ledger[first + job, IN_RUNNING] - before)


@rule
def book_useful(w: World, row: int, gpu_ms: int) -> None:
    """Of the running time of a month this is useful, not overhead."""
    w.month_ledger[row, IN_RUNNING] += gpu_ms
    w.month_ledger[row, IN_OVERHEAD] -= gpu_ms
