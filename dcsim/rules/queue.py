"""Who waits for what: gangs that are struck, until that is found, and the queue for hardware behind it."""

from dcsim.program.records import DETECT, IN_DETECT, IS_SERVED, NONE, SERVICE, WAIT
from dcsim.program.world import World
from dcsim.rules.booking import book
from dcsim.rules.due import push
from dcsim.rules.gangs import strike_gang
from dcsim.rules.rule import rule


@rule
def queues(w: World, gang: int, now: int) -> bool:
    """A gang waits for hardware from now on, in the queue unless it is kept from it; return whether it queues."""
    g = w.gangs[gang]
    g.phase = WAIT
    g.since = now
    if g.not_before > now:
        return False
    g.queued = 1
    if g.short_since < 0:
        g.short_since = now
    enqueue(w, gang)
    return True


@rule
def is_served_before(w: World, gang: int, other: int) -> bool:
    """Whether a gang is served before another: by priority, then by who was short first, then by listing."""
    a, b = w.gangs[gang], w.gangs[other]
    if a.priority != b.priority:
        return bool(a.priority > b.priority)
    if a.order != b.order:
        return bool(a.order < b.order)
    return gang < other


@rule
def enqueue(w: World, gang: int) -> None:
    """A gang joins the queue for hardware at its place."""
    w.gangs[gang].order = w.gangs[gang].short_since
    place = w.one.waiting
    w.one.waiting = place + 1
    while place and is_served_before(w, gang, w.queue[place - 1]):
        w.queue[place] = w.queue[place - 1]
        place -= 1
    w.queue[place] = gang


@rule
def leave_queue(w: World, gang: int) -> None:
    """A gang waits for hardware no longer, if it did."""
    if not w.gangs[gang].queued:
        return
    w.gangs[gang].queued = 0
    place = 0
    while w.queue[place] != gang:
        place += 1
    w.one.waiting -= 1
    for later in range(place, w.one.waiting):
        w.queue[later] = w.queue[later + 1]


@rule
def call_service(w: World, now: int) -> None:
    """Have waiting gangs served once everything of this millisecond has ended."""
    if w.one.serving != now:
        w.one.serving = now
        push(w, now, SERVICE, IS_SERVED, NONE, 0)


@rule
def drains_for_nobody(w: World, gang: int) -> None:
    """A gang drains for no window any more."""
    w.gangs[gang].draining = 0
    w.gangs[gang].drain_number += 1


@rule
def hit(w: World, gang: int, hazard: int, struck: int, now: int, clean: int) -> None:
    """Members are struck: the gang hangs, what is not safe is lost, and everything begins anew.

    ``clean``: as in ``strike_gang``.
    """
    strike_gang(w, gang, struck, hazard, now, clean)
    leave_queue(w, gang)
    drains_for_nobody(w, gang)
    g = w.gangs[gang]
    g.phase = DETECT
    g.up -= struck
    g.pending += struck
    g.open += 1
    g.out += struck


@rule
def found_in(w: World, gang: int, struck: int, now: int) -> None:
    """Of what a gang hangs for, so many members are identified."""
    g = w.gangs[gang]
    book(w, gang, IN_DETECT, g.why, g.up + g.pending, g.since, now)
    g.since = now
    g.pending -= struck
    g.open -= 1
