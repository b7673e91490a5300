"""What is sold: parts of the cluster, or replicas of jobs, and how much of each month they are available.

A part is available while enough of its GPUs are in service, once it has power; a replica while it computes.
"""

from dcsim.program.records import NEVER, NOT_YET
from dcsim.program.world import World
from dcsim.rules.rule import rule


@rule
def count_sold(w: World, place: int, leaves: bool) -> None:
    """A place leaves service, or is back; a domain that is sold is lost while too many of its places are out."""
    domain = place // w.one.sold
    if domain >= len(w.domains):
        return  # behind the last whole one
    spend_months(w, domain, w.one.now)
    d, change = w.domains[domain], 1 if leaves else -1
    if leaves:
        w.out_planned[place] = w.one.planned_out
    elif w.out_planned[place] == NOT_YET:
        w.out_planned[place] = 0
        d.to_come -= 1
    d.out += change
    d.planned += change * w.out_planned[place]
    d.since = lost_since(w, d.out, d.since)
    d.since_unplanned = lost_since(w, d.out - d.planned, d.since_unplanned)


@rule
def lost_since(w: World, out: int, since: int) -> int:
    """Return since when a domain of which so many places are out has been lost; NEVER: it is there."""
    if out <= w.one.lets:
        return NEVER
    return int(min(since, w.one.now))


@rule
def spend_months(w: World, domain: int, now: int) -> None:
    """Count the time in which a domain was lost up to now, and its availability in months that are over."""
    d = w.domains[domain]
    while True:
        end = min((d.month + 1) * w.one.month_ms, w.one.horizon)
        until = min(now, end)
        if d.since < until:
            d.down += until - d.since
            d.since = until
        if d.since_unplanned < until:
            d.down_unplanned += until - d.since_unplanned
            d.since_unplanned = until
        if now < end or d.month == w.one.months:
            return
        count_month(w, domain)


@rule
def count_month(w: World, domain: int) -> None:
    """A month is over: which availability a domain has had, if it was handed over when the month began."""
    d, shares = w.domains[domain], w.allowed.shape[1]
    if not d.pending:
        for number in range(shares):
            if d.down <= w.allowed[d.month, number]:
                w.available[d.month, number] += 1
            if d.down_unplanned <= w.allowed[d.month, number]:
                w.available[d.month, shares + number] += 1
        if w.available.shape[1] > 2 * shares:
            w.available[d.month, 2 * shares] += 1
    d.pending = int(d.to_come > w.one.lets)
    d.down = 0
    d.down_unplanned = 0
    d.month += 1


@rule
def has_computed(w: World, gang: int, start: int, now: int) -> None:
    """A replica that is sold has computed since ``start``; before, it was lost since it computed last."""
    g = w.gangs[gang]
    is_back(w, gang, start)
    d = w.domains[g.domain]
    d.since = NEVER
    d.since_unplanned = NEVER
    spend_months(w, g.domain, now)
    d.since = now
    d.since_unplanned = now
    g.excused = 0


@rule
def is_back(w: World, gang: int, now: int) -> None:
    """Count the time in which a replica was lost; maintenance, and what is excused, is no downtime."""
    g = w.gangs[gang]
    if g.excused or g.why >= w.one.hazards:
        w.domains[g.domain].since_unplanned = NEVER
    spend_months(w, g.domain, now)


@rule
def close_sold(w: World) -> None:
    """Count all months of all domains that are sold."""
    if w.one.replicas:
        for gang in range(w.one.gangs):
            if w.gangs[gang].domain >= 0:
                is_back(w, gang, w.one.horizon)
    for domain in range(len(w.domains)):
        spend_months(w, domain, w.one.horizon)
    first = w.one.run * w.one.months
    for month in range(w.one.months):
        for number in range(w.available.shape[1]):
            w.sold_ledger[first + month, number] = w.available[month, number]
