"""The event log: what happens, as rows of a table, if somebody asked for it.

Rows say who, why and where by numbers; ``dcsim.program.event_log`` knows their names. Rules call these only where
``one.logs`` says so: 1, all but who holds which places, 2, that too.
"""

from dcsim.program.records import (
    DEGRADE,
    HALTS,
    IN_DETECT,
    IN_NONE,
    IN_REPAIR,
    IN_UNPOWERED,
    IS_PLACED,
    IS_STRUCK,
    MAKE_ROOM,
    NONE,
    OF_CAUSE,
    OF_GATEWAY,
    OF_GPU,
    OUT,
    PART_BACK,
    PART_OUT,
    QUEUES,
    READS,
    ROLLBACK,
    TABLE,
    TIME,
    WROTE,
)
from dcsim.program.world import World
from dcsim.rules.rule import ask, rule

LOG_TABLE = TABLE["log"]


@rule
def new_row(w: World, what: int, who: int, why: int, gpus: int, start: int, end: int) -> int:
    """Add a row to the log, with what most rows have; return it."""
    new = w.one.logged
    if new == len(w.log):
        ask(w, MAKE_ROOM, LOG_TABLE, new + 1)
    w.one.logged = new + 1
    row = w.log[new]
    row.what = what
    row.who = who
    row.state = IN_NONE
    row.why = why
    row.gpus = gpus
    row.start = start
    row.end = end
    row.gpu_ms = 0
    row.speed = 0
    row.where = NONE
    row.kind = 0
    row.failure = NONE
    row.stage = NONE
    return int(new)


# --- time -----------------------------------------------------------------------------------------------------------


@rule
def note_time(
    w: World, who: int, state: int, why: int, gpus: int, start: int, end: int, gpu_ms: int, speed: int
) -> None:
    """Log time that is booked."""
    new = new_row(w, TIME, who, why, gpus, start, end)
    row = w.log[new]
    row.state = state
    row.gpu_ms = gpu_ms
    row.speed = speed
    if w.one.about:
        row.kind = w.one.about
        row.where = w.one.about_where
        row.failure = w.one.about_failure


@rule
def note_rollback(w: World, gang: int, state: int, why: int, gpus: int, now: int, gpu_ms: int, speed: int) -> None:
    """Log time that is booked anew."""
    new = new_row(w, ROLLBACK, gang, why, gpus, now, now)
    row = w.log[new]
    row.state = state
    row.gpu_ms = gpu_ms
    row.speed = speed


@rule
def is_about(w: World, where: int, failure: int) -> None:
    """What is booked from now on is about this component and failure."""
    w.one.about = OF_CAUSE
    w.one.about_where = where
    w.one.about_failure = failure


@rule
def is_about_gpu(w: World, gpu: int) -> None:
    """What is booked from now on is about GPUs that are out without a cause, the first of them by its number."""
    w.one.about = OF_GPU
    w.one.about_where = gpu
    w.one.about_failure = NONE


# --- events ---------------------------------------------------------------------------------------------------------


@rule
def note_event(w: World, what: int, gang: int, gpus: int, now: int) -> None:
    """Log something that happens to a gang."""
    if w.one.logs:
        new_row(w, what, gang, NONE, gpus, now, now)


@rule
def note_stop(w: World, gang: int, why: int, now: int) -> None:
    """Log that a gang stops before a failure of a hazard; NONE: before the end of its time."""
    if w.one.logs:
        new_row(w, HALTS, gang, why, w.gangs[gang].up, now, now)


@rule
def note_failure(w: World, what: int, failure: int, who: int, gpus: int, now: int) -> None:
    """Log what a failure does. ``who``: a gang, or the number of gangs: free GPUs; NONE: nobody, or several."""
    if not w.one.logs:
        return
    f = w.failures[failure]
    new = new_row(w, what, who, f.hazard, gpus, now, now)
    row = w.log[new]
    row.where = f.component
    row.kind = OF_CAUSE
    row.failure = f.number


@rule
def note_parts(w: World, what: int, failure: int, now: int) -> None:
    """Log what a failure does to each of those whose GPUs it took; free ones are not identified."""
    part = w.failures[failure].first_part
    while w.one.logs and part >= 0:
        p = w.parts[part]
        if p.gang >= 0:
            note_failure(w, what, failure, p.gang, p.gpus, now)
        elif what == IS_STRUCK:
            note_failure(w, what, failure, w.one.gangs, p.gpus, now)
        part = p.following


@rule
def note_drain(w: World, what: int, gang: int, why: int, component: int, now: int) -> None:
    """Log that a gang stops for a maintenance."""
    if w.one.logs:
        new = new_row(w, what, gang, why, w.gangs[gang].up, now, now)
        w.log[new].where = component
        w.log[new].kind = OF_CAUSE


@rule
def note_part(w: World, what: int, why: int, component: int, keeps: int, failure: int, now: int) -> None:
    """Log that a part of the plant is out, and what share of it is left, or that it is back."""
    if w.one.logs:
        new = new_row(w, what, NONE, why, 0, now, now)
        row = w.log[new]
        row.where = component
        row.kind = OF_CAUSE
        row.speed = keeps
        row.failure = failure


@rule
def note_hazard_part(w: World, what: int, failure: int, now: int) -> None:
    """Log that a part of the plant has failed, or is repaired."""
    f = w.failures[failure]
    keeps = w.hazards[f.hazard].keeps_ppb if w.hazards[f.hazard].effect == DEGRADE else 0
    note_part(w, what, f.hazard, f.component, keeps, f.number, now)


@rule
def note_phase(w: World, phase: int, out: bool, now: int) -> None:
    """Log that a phase of energisation has no power, or has it from now on."""
    what = PART_OUT if out else PART_BACK
    note_part(w, what, w.one.hazards + w.one.plans + phase, phase, 0, NONE, now)


@rule
def note_repair(w: World, what: int, repair: int, start: int, end: int) -> None:
    """Log a part of a repair, up to the horizon."""
    until = min(end, w.one.horizon)
    if not w.one.logs or until <= start:
        return
    r = w.repairs[repair]
    f, part = w.failures[r.failure], r.first_part
    who = NONE
    if part >= 0 and w.parts[part].following < 0:
        who = w.parts[part].gang if w.parts[part].gang >= 0 else w.one.gangs
    new = new_row(w, what, who, f.hazard, r.gpus, start, until)
    row = w.log[new]
    row.where = f.component
    row.kind = OF_CAUSE
    row.failure = f.number
    row.stage = r.stage


@rule
def note_queues(w: World) -> None:
    """Log the repairs that still wait for a crew at the horizon."""
    for crews in range(len(w.crews)):
        repair = w.crews[crews].first
        while w.one.logs and repair >= 0:
            note_repair(w, QUEUES, repair, w.repairs[repair].asked, w.one.horizon)
            repair = w.repairs[repair].following


@rule
def note_transfer(w: World, gang: int, now: int) -> None:
    """Log a transfer since its pace last changed."""
    t = w.transfers[gang]
    if w.one.logs and now > t.at:
        new = new_row(w, WROTE if t.write else READS, gang, NONE, w.gangs[gang].active, t.at, now)
        w.log[new].speed = t.pace
        w.log[new].kind = OF_GATEWAY


# --- places ---------------------------------------------------------------------------------------------------------


@rule
def note_neighbours(w: World, place: int, count: int, owner: int, state: int, why: int, failure: int, now: int) -> None:
    """Log whose ``count`` neighbouring places are from now on, or in which state they are out and whose they were."""
    if count:
        new = new_row(w, IS_PLACED, owner if owner >= 0 else w.one.gangs, why, count * w.one.atom, now, now)
        row = w.log[new]
        row.state = state
        row.where = place * w.one.atom
        row.kind = OF_GPU
        row.failure = failure


@rule
def note_moving(w: World, now: int) -> None:
    """Log whose the places to move are; those that are out of service are nobody's."""
    if w.one.logs < 2:
        return
    first, count, whose = NONE, 0, OUT
    for number in range(w.one.moving):
        place = w.moving[number]
        owner = w.owner[place]
        if count and (place != first + count or owner != whose):
            if whose != OUT:
                note_neighbours(w, first, count, whose, IN_NONE, NONE, NONE, now)
            count = 0
        if not count:
            first, whose = place, owner
        count += 1
    if count and whose != OUT:
        note_neighbours(w, first, count, whose, IN_NONE, NONE, NONE, now)


@rule
def note_struck(w: World, failure: int, now: int) -> None:
    """Log what is struck: members, until they are identified; free GPUs are in repair from now on, as booked."""
    if w.one.logs < 2:
        return
    f = w.failures[failure]
    first, count, whose = NONE, 0, OUT
    for number in range(w.one.moving):
        place = w.moving[number]
        owner = w.owner[place]
        if count and (place != first + count or owner != whose):
            note_neighbours(w, first, count, whose, IN_DETECT if whose >= 0 else IN_REPAIR, f.hazard, f.number, now)
            count = 0
        if not count:
            first, whose = place, owner
        count += 1
    note_neighbours(w, first, count, whose, IN_DETECT if whose >= 0 else IN_REPAIR, f.hazard, f.number, now)


@rule
def note_out(w: World, place: int, state: int, why: int, failure: int, now: int) -> None:
    """Log in which state the places linked from this one are out, and whose they were."""
    if w.one.logs < 2:
        return
    first, count, whose = NONE, 0, OUT
    while place >= 0:
        owner = w.whose[place]
        if count and (place != first + count or owner != whose):
            note_neighbours(w, first, count, whose, state, why, failure, now)
            count = 0
        if not count:
            first, whose = place, owner
        count += 1
        place = w.next_place[place]
    note_neighbours(w, first, count, whose, state, why, failure, now)


@rule
def note_beginning(w: World) -> None:
    """Log where everything lies at t = 0."""
    if w.one.logs < 2 or not w.one.atom:
        return
    first, whose = 0, OUT
    for place in range(w.one.atoms):
        owner = w.owner[place]
        if place and owner != whose:
            if whose != OUT:
                note_neighbours(w, first, place - first, whose, IN_NONE, NONE, NONE, 0)
            first = place
        whose = owner
    if whose != OUT:
        note_neighbours(w, first, w.one.atoms - first, whose, IN_NONE, NONE, NONE, 0)
    absence = w.one.first_absence
    while absence >= 0:
        note_out(w, w.absences[absence].first_place, IN_UNPOWERED, NONE, NONE, 0)
        absence = w.absences[absence].following
