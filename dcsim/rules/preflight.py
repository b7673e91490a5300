"""The check of a gang's members before it starts: what it finds, and good nodes that fail it by mistake."""

from dcsim.program.records import (
    BACK,
    DEGRADE,
    IDENTIFIED,
    IN_MAINTENANCE,
    MAKE_ROOM,
    NEVER,
    NONE,
    OF_FAULTS,
    OF_NODES,
    PASSES,
    PASSES_AT_A_TIME,
    PASSES_RETEST,
    SAVE,
    TABLE,
)
from dcsim.program.world import World
from dcsim.rules.ageing import component_fails, is_one_too_many, is_slow_no_more
from dcsim.rules.allocation import go_back, has_passed, is_over, start, unchecked_from, unchecked_to, want
from dcsim.rules.detection import members_around
from dcsim.rules.due import push
from dcsim.rules.failures import clean_position, takes_places
from dcsim.rules.gangs import roll_back, stop
from dcsim.rules.log import is_about_gpu, note_out, note_parts
from dcsim.rules.maintenance import are_free, book_maintained
from dcsim.rules.movements import have_left, refresh_speeds
from dcsim.rules.network import gang_has_changed
from dcsim.rules.parts import count_parts, parts_from
from dcsim.rules.places import link_moving, move_to, take_out
from dcsim.rules.queue import call_service, enqueue
from dcsim.rules.repairs import begin_repair
from dcsim.rules.rule import ask, rule

RETESTS_TABLE = TABLE["retests"]


@rule
def is_checked(w: World, gang: int, number: int, now: int) -> None:
    """A gang's check is done: it starts if all its members have passed; else some leave, and it wants others."""
    g = w.gangs[gang]
    if g.phase != SAVE or g.stops != number:
        return  # something else came before
    stop(w, gang, now)
    before = g.up
    find_blamed(w, gang, now)
    for hazard in range(w.one.hazards):
        if w.hazards[hazard].first_slow >= 0 and not w.hazards[hazard].serves:
            find_slow_members(w, hazard, gang, now)
    find_corrupt_members(w, gang, now)
    low, high = unchecked_from(w, gang), unchecked_to(w, gang)
    for node in range(low // w.one.node, high // w.one.node + 1):
        if is_unchecked(w, gang, node * w.one.node, (node + 1) * w.one.node) and fails(w, gang, OF_NODES):
            is_tested_again(w, gang, node, now)
    g.checks += 1
    g.checked_start = g.begun + 1
    g.joined_low = NEVER
    g.joined_high = NONE
    if is_over(w, gang, now):
        go_back(w, gang, now)
    elif g.up < before:
        want(w, gang, now, False)
    else:
        start(w, gang, now)
        if g.up < g.gpus:  # it runs small, and asks for the others again
            g.queued = 1
            enqueue(w, gang)
            call_service(w, now)


@rule
def fails(w: World, gang: int, what: int) -> bool:
    """Whether the next faulty member, or the next good node, does not pass."""
    p = w.passing[gang, what]
    if p.left < 0:
        if p.used == PASSES_AT_A_TIME:
            ask(w, PASSES, gang, what)
            p.used = 0
        p.left = w.passes[2 * gang + what, p.used]
        p.used += 1
    p.left -= 1
    return bool(p.left < 0)


@rule
def is_unchecked(w: World, gang: int, low: int, high: int) -> bool:
    """Whether a gang has a member in a range of places that has not passed yet."""
    for place in range(low, min(high, w.one.atoms)):
        if w.owner[place] == gang and not has_passed(w, place, gang):
            return True
    return False


# --- what is found --------------------------------------------------------------------------------------------------


@rule
def find_blamed(w: World, gang: int, now: int) -> None:
    """Faulty members in whose place healthy ones were blamed are found, or will strike as soon as the gang computes."""
    g = w.gangs[gang]
    failure, before = g.first_faulty, NONE
    while failure >= 0:
        f = w.failures[failure]
        following = f.next_faulty
        unchecked, place = False, f.first_place
        while place >= 0:
            unchecked = unchecked or not has_passed(w, place, gang)
            place = w.next_faulty[place]
        if unchecked and fails(w, gang, OF_FAULTS):
            if before >= 0:
                w.failures[before].next_faulty = following
            else:
                g.first_faulty = following
            if following < 0:
                g.last_faulty = before
            w.one.faulty -= 1
            w.one.moving = 0
            place = f.first_place
            while place >= 0:
                move_to(w, place)
                place = w.next_faulty[place]
            leave(w, failure, gang, now)
        else:
            before = failure
        failure = following


@rule
def find_slow_members(w: World, hazard: int, gang: int, now: int) -> None:
    """Slow members of a gang are found: stragglers leave, what is degraded is repaired where it is."""
    h, g = w.hazards[hazard], w.gangs[gang]
    component = next_slow(w, hazard, g.lowest // h.size, g.highest // h.size)
    while component >= 0:
        failure = w.components[h.first_component + component].slow
        found_now = not w.failures[failure].repairs  # else it was found before
        found_now = found_now and is_unchecked(w, gang, component * h.size, (component + 1) * h.size)
        if found_now and fails(w, gang, OF_FAULTS):
            if h.effect == DEGRADE:
                begin_repair(w, failure, NONE, 0, NONE, now, True)
            else:
                is_slow_no_more(w, hazard, component)
                w.failures[failure].retired = 1 if is_one_too_many(w, hazard, component, now) else 0
                if members_around(w, hazard, component, gang):
                    leave(w, failure, gang, now)
                refresh_speeds(w, now)
        component = next_slow(w, hazard, component + 1, g.highest // h.size)


@rule
def next_slow(w: World, hazard: int, low: int, high: int) -> int:
    """Return the first slow component of a hazard from ``low`` to ``high``; NONE. Few are slow at a time."""
    h, found = w.hazards[hazard], NONE
    component = h.first_slow
    while component >= 0:
        if low <= component <= high and (found < 0 or component < found):
            found = component
        component = w.components[h.first_component + component].next_slow
    return int(found)


@rule
def find_corrupt_members(w: World, gang: int, now: int) -> None:
    """Members of a gang that spoil its work are found: it rolls back to before that."""
    failure = w.gangs[gang].first_clean
    while failure >= 0:
        f = w.failures[failure]
        following, size = f.next_clean, w.hazards[f.hazard].size
        known = f.component >= 0 and is_unchecked(w, gang, f.component * size, (f.component + 1) * size)
        if known and fails(w, gang, OF_FAULTS):
            clean = clean_position(w, gang, failure)
            roll_back(w, gang, 0, f.hazard, now, False, 0, clean)
            f.retired = 1 if is_one_too_many(w, f.hazard, f.component, now) else 0
            if members_around(w, f.hazard, f.component, gang):
                leave(w, failure, gang, now)
        failure = following


@rule
def leave(w: World, failure: int, gang: int, now: int) -> None:
    """The members to move are found to be faulty: they leave their gang for repair. Nobody is interrupted."""
    f, g = w.failures[failure], w.gangs[gang]
    takes_places(w, failure)
    f.at = now
    f.first_part = parts_from(w, f.first_place)
    f.parts = count_parts(w, f.first_part)
    f.gpus = w.one.moving * w.one.atom
    component_fails(w, f.hazard, f.component)
    g.up -= f.gpus
    g.out += f.gpus
    take_out(w)
    have_left(w, now, True)
    note_parts(w, IDENTIFIED, failure, now)
    begin_repair(w, failure, f.first_part, 1, f.first_place, now, True)
    gang_has_changed(w, gang, now)


# --- false alarms ---------------------------------------------------------------------------------------------------


@rule
def is_tested_again(w: World, gang: int, node: int, now: int) -> None:
    """A gang's good members on a node fail the check by mistake: they are out until they have passed another one."""
    w.one.moving = 0
    for place in range(node * w.one.node, min((node + 1) * w.one.node, w.one.atoms)):
        if w.owner[place] == gang:
            move_to(w, place)
    new = w.one.retests
    if new == len(w.retests):
        ask(w, MAKE_ROOM, RETESTS_TABLE, new + 1)
    w.one.retests = new + 1
    first, _ = link_moving(w, 0)
    t = w.retests[new]
    t.first_place = first
    t.first_part = parts_from(w, first)
    t.since = now
    t.out = 1
    w.gangs[gang].up -= w.one.moving * w.one.atom
    w.one.planned_out = 1
    take_out(w)
    w.one.planned_out = 0
    note_out(w, first, IN_MAINTENANCE, NONE, NONE, now)
    have_left(w, now, False)
    push(w, now + w.jobs[w.gangs[gang].job].retest, BACK, PASSES_RETEST, new, 0)
    gang_has_changed(w, gang, now)


@rule
def passes_retest(w: World, retest: int, now: int) -> None:
    """Good members that failed a check are in service again, free."""
    t = w.retests[retest]
    t.out = 0
    book_retest(w, retest, now)
    are_free(w, t.first_place, NONE, now)


@rule
def book_retest(w: World, retest: int, now: int) -> None:
    """Book the time that good members were out."""
    t = w.retests[retest]
    is_about_gpu(w, t.first_place * w.one.atom)
    book_maintained(w, t.first_part, NONE, t.since, now)
    w.one.about = 0
