"""When repairs are worked on: crews that have shifts, and visits to all that waits for one."""

from dcsim.program.records import (
    CREW_IS_DONE,
    IS_WORKED_ON,
    NEVER,
    NONE,
    QUEUES,
    REPAIRED,
    VISIT,
    VISIT_BEGINS,
    WEEK,
)
from dcsim.program.world import World
from dcsim.rules.due import push
from dcsim.rules.log import note_repair
from dcsim.rules.rule import rule


@rule
def joins_queue(w: World, crews: int, repair: int) -> None:
    """A repair waits for crews or for their visit, behind all others."""
    c = w.crews[crews]
    w.repairs[repair].following = NONE
    if c.first >= 0:
        w.repairs[c.last].following = repair
    else:
        c.first = repair
    c.last = repair


@rule
def plan_repair(w: World, failure: int, outcome: int) -> None:
    """The repair of a failure takes as long as was drawn: each of its stages, and those that are done again."""
    f = w.failures[failure]
    h = w.hazards[f.hazard]
    for stage in range(h.stages):
        w.own_times[failure, stage] = w.stage_times[outcome, stage]
    if h.requalify:
        f.sent_on = w.outcomes[outcome].sent_on
        f.sent_back = w.outcomes[outcome].sent_back
        f.first_redo = w.outcomes[outcome].first_redo


@rule
def time_of(w: World, repair: int) -> int:
    """Return how long the stage takes that a repair is in or waits for [ms]; NONE: it has been through all."""
    r = w.repairs[repair]
    f = w.failures[r.failure]
    if r.stage == w.hazards[f.hazard].stages:
        return NONE
    if r.again:
        return int(w.redo_times[f.first_redo + r.again - 1])
    return int(w.own_times[r.failure, r.stage])


# --- shifts -----------------------------------------------------------------------------------------------------------


@rule
def is_worked_on(w: World, crews: int, repair: int, time: int, now: int) -> None:
    """A crew takes a repair: it begins at once, or with its next shift."""
    begin, end = now, now + time
    if w.crews[crews].on_shift:
        begin = shift_from(w, crews, now)
        end = worked_until(w, crews, begin, time)
    push(w, end, REPAIRED, CREW_IS_DONE, repair, 0)
    note_repair(w, QUEUES, repair, w.repairs[repair].asked, begin)
    note_repair(w, IS_WORKED_ON, repair, begin, end)


@rule
def shift_from(w: World, crews: int, now: int) -> int:
    """Return the first instant from now on that is within a shift [ms]."""
    c = w.crews[crews]
    week = now - now % WEEK
    while True:
        for row in range(c.first_shift, c.end_shift):
            shift = w.shifts[row]
            if now < week + shift.end:
                return int(max(now, week + shift.begin))
        week += WEEK


@rule
def worked_until(w: World, crews: int, begin: int, time: int) -> int:
    """Return when work is done that begins within a shift [ms]: in overtime, or in as many shifts as it needs."""
    c = w.crews[crews]
    if c.finishes:
        return begin + time
    weeks = max(0, time - 1) // c.on_shift  # in each of which they work as long
    if weeks > w.one.horizon // WEEK:
        return NEVER
    left = time - weeks * c.on_shift
    at = begin + weeks * WEEK
    week = at - at % WEEK
    while True:
        for row in range(c.first_shift, c.end_shift):
            shift = w.shifts[row]
            since = max(at, week + shift.begin)
            if since < week + shift.end:
                if since + left <= week + shift.end:
                    return int(since + left)
                left -= week + shift.end - since
        week += WEEK


# --- visits -----------------------------------------------------------------------------------------------------------


@rule
def awaits_visit(w: World, crews: int, repair: int, now: int) -> None:
    """A repair waits for a visit; it may be the reason for one."""
    c = w.crews[crews]
    joins_queue(w, crews, repair)
    c.waiting += 1
    if c.busy:
        return
    if c.waiting == 1:
        expect_visit(w, crews, now)
    elif c.waiting >= c.visit_when:
        push(w, now, VISIT, VISIT_BEGINS, crews, 0)


@rule
def expect_visit(w: World, crews: int, now: int) -> None:
    """Something waits and nobody is there: the next visit begins as soon as there is reason for it."""
    c = w.crews[crews]
    at = visit_from(w, crews, now)
    if c.visit_after < NEVER:
        at = min(at, max(now, w.repairs[c.first].asked + c.visit_after))
    if c.waiting >= c.visit_when:
        at = now
    push(w, at, VISIT, VISIT_BEGINS, crews, 0)


@rule
def visit_from(w: World, crews: int, now: int) -> int:
    """Return the next day of visits from now on [ms]; NEVER: it has none."""
    c = w.crews[crews]
    if c.first_shift == c.end_shift:
        return NEVER
    cycle = now - now % c.cycle
    for row in range(c.first_shift, c.end_shift):
        if cycle + w.shifts[row].begin >= now:
            return int(cycle + w.shifts[row].begin)
    return int(cycle + c.cycle + w.shifts[c.first_shift].begin)


@rule
def begin_visit(w: World, crews: int, now: int) -> None:
    """All that waits is repaired together, and is done with the last of it; nothing if there was a visit meanwhile."""
    c = w.crews[crews]
    if c.busy or c.first < 0 or not visit_is_due(w, crews, now):
        return
    end = now
    repair = c.first
    while repair >= 0:
        r = w.repairs[repair]
        end = max(end, now + time_of(w, repair))
        repair = r.following
    c.busy = c.waiting
    c.waiting = 0
    repair = c.first
    c.first = NONE
    c.last = NONE
    while repair >= 0:
        r = w.repairs[repair]
        push(w, end, REPAIRED, CREW_IS_DONE, repair, 0)
        note_repair(w, QUEUES, repair, r.asked, now)
        note_repair(w, IS_WORKED_ON, repair, now, end)
        repair = r.following


@rule
def visit_is_due(w: World, crews: int, now: int) -> bool:
    """Whether a visit begins now: on its day, because enough waits, or because something has waited for long enough."""
    c = w.crews[crews]
    late = c.visit_after < NEVER and now - w.repairs[c.first].asked >= c.visit_after
    return bool(late or c.waiting >= c.visit_when or visit_from(w, crews, now) == now)


@rule
def is_visited_no_more(w: World, crews: int, now: int) -> None:
    """A visit is done with one of its repairs; after the last one the next visit may follow."""
    c = w.crews[crews]
    c.busy -= 1
    if not c.busy and c.waiting:
        expect_visit(w, crews, now)
