"""Groups in repair, where all that is to be known of one is a row: one stage, and free when it is back.

So it is in programs whose failures may be added up (``program.simple``). For all others see ``repairs``.
"""

from dcsim.program.records import (
    ADMIT,
    GROUP_ASKS,
    GROUP_IS_BACK,
    IN_DETECT,
    IN_REPAIR,
    LEAVE,
    LEAVES_DETECTION,
    MAKE_ROOM,
    NONE,
    REPAIRED,
    TABLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import leave_detection, serve_next
from dcsim.rules.booking import book, change_free
from dcsim.rules.due import is_quiet, push
from dcsim.rules.parts import give_back_parts
from dcsim.rules.repairs import crew_begins
from dcsim.rules.rule import ask, rule

RETURNS_TABLE = TABLE["returns"]


@rule
def group_is_found(w: World, failure: int, now: int) -> None:
    """A failure is identified: all that is left of it is that its group comes back."""
    f = w.failures[failure]
    p = w.parts[f.first_part]
    gang = p.gang
    if gang >= 0:
        g = w.gangs[gang]
        book(w, gang, IN_DETECT, g.why, g.up + g.pending, g.since, now)
        g.since = now
        g.pending -= p.gpus
        g.open -= 1
        begin_return(w, f.hazard, gang, p.gpus, w.own_times[failure, 0], now, now)
    else:
        f.unfound = 0
        begin_return(w, f.hazard, w.one.gangs, p.gpus, w.own_times[failure, 0], f.at, now)
    give_back_parts(w, f.first_part)
    f.first_part = NONE
    f.next_clean = w.one.free_failure
    w.one.free_failure = failure
    if gang >= 0 and not w.gangs[gang].open:
        if is_quiet(w, now):
            leave_detection(w, gang, now)  # nothing else is found in this millisecond
        else:
            push(w, now, LEAVE, LEAVES_DETECTION, gang, 0)


@rule
def begin_return(w: World, hazard: int, who: int, gpus: int, time: int, since: int, now: int) -> None:
    """A group leaves for repair, which takes ``time`` ms; it is booked from ``since`` on to ``who``, as in ``book``."""
    new = w.one.free_return
    if new >= 0:
        w.one.free_return = w.returns[new].following
    else:
        new = w.one.returns
        if new == len(w.returns):
            ask(w, MAKE_ROOM, RETURNS_TABLE, new + 1)
        w.one.returns = new + 1
    r = w.returns[new]
    r.hazard = hazard
    r.who = who
    r.gpus = gpus
    r.since = since
    r.time = time
    if time and is_quiet(w, now):
        group_asks(w, new, now)  # nobody else asks for a crew in this millisecond
    else:
        push(w, now, ADMIT, GROUP_ASKS, new, 0)


@rule
def group_asks(w: World, row: int, now: int) -> None:
    """A group is worked on if a crew is free, or queues for one: first come, first served."""
    r = w.returns[row]
    if crew_begins(w, w.hazards[r.hazard].crews):
        push(w, now + r.time, REPAIRED, GROUP_IS_BACK, row, 0)
        return
    c = w.crews[w.hazards[r.hazard].crews]
    r.following = NONE
    if c.first >= 0:
        w.returns[c.last].following = row
    else:
        c.first = row
    c.last = row


@rule
def group_is_back(w: World, row: int, now: int) -> None:
    """A group is repaired, and free; its crew takes the next one."""
    r = w.returns[row]
    gpus = r.gpus
    c = w.crews[w.hazards[r.hazard].crews]
    if c.size >= 0:
        waits = c.first
        if waits >= 0:
            c.first = w.returns[waits].following
            push(w, now + w.returns[waits].time, REPAIRED, GROUP_IS_BACK, waits, 0)
        else:
            c.busy -= 1
    book_return(w, row, now)
    if r.who < w.one.gangs:
        w.gangs[r.who].out -= gpus
    change_free(w, gpus, now)
    r.gpus = 0
    r.following = w.one.free_return
    w.one.free_return = row
    if w.one.waiting:
        serve_next(w, True, now)


@rule
def book_return(w: World, row: int, now: int) -> None:
    """Book the time that a group was away; none if nobody uses the row."""
    r = w.returns[row]
    book(w, r.who, IN_REPAIR, r.hazard, r.gpus, r.since, now)
