"""Groups that are struck, found, repaired and back, where one row is all that is to be known of them.

So it is in programs whose failures may be added up (``program.simple``): one repair stage, and free when it is back.
For all others see ``failures``, ``detection`` and ``repairs``.
"""

from dcsim.program.records import (
    ADMIT,
    GROUP_ASKS,
    GROUP_IS_BACK,
    GROUP_IS_FOUND,
    IDENTIFY,
    IN_REPAIR,
    MAKE_ROOM,
    NEVER,
    NONE,
    REPAIRED,
    TABLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import all_is_found, serve_next
from dcsim.rules.booking import book, change_free
from dcsim.rules.due import is_quiet, push
from dcsim.rules.queue import found_in, hit
from dcsim.rules.repairs import crew_begins
from dcsim.rules.rule import ask, rule

RETURNS_TABLE = TABLE["returns"]


@rule
def strike_group(w: World, hazard: int, who: int, gpus: int, now: int, outcome: int) -> None:
    """A failure strikes members of a gang, or free GPUs: they will be found, and leave for repair.

    ``who``: the gang, or the number of gangs.
    """
    w.one.failures += 1
    row = new_return(w, hazard, who, gpus, w.stage_times[outcome, 0])
    if who < w.one.gangs:
        w.returns[row].since = NEVER  # until they are found their gang has them
        hit(w, who, hazard, gpus, now, NONE)
    else:
        w.returns[row].since = now
        change_free(w, -gpus, now)
    push(w, now + w.outcomes[outcome].detect, IDENTIFY, GROUP_IS_FOUND, row, 0)


@rule
def group_is_found(w: World, row: int, now: int) -> None:
    """A group that was struck is identified; after its last identification a gang takes replacements."""
    r = w.returns[row]
    gang = r.who
    if gang == w.one.gangs:
        group_leaves(w, row, now)
        return
    found_in(w, gang, r.gpus, now)
    r.since = now
    group_leaves(w, row, now)
    all_is_found(w, gang, True, now)


@rule
def new_return(w: World, hazard: int, who: int, gpus: int, time: int) -> int:
    """Return a row for a group whose repair takes ``time`` ms; ``who``: as in ``book``."""
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
    r.time = time
    return int(new)


@rule
def group_leaves(w: World, row: int, now: int) -> None:
    """A group asks for a crew, once nobody else can ask before it in this millisecond."""
    if w.returns[row].time and is_quiet(w, now):
        group_asks(w, row, now)
    else:
        push(w, now, ADMIT, GROUP_ASKS, row, 0)


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
    """Book the time that a group was away; none if nobody uses the row, or its gang has it still."""
    r = w.returns[row]
    if r.since < now:
        book(w, r.who, IN_REPAIR, r.hazard, r.gpus, r.since, now)
