"""What fails, and what that does at once: members are struck, software dies, a component is slow, results are wrong."""

from dcsim.program.records import (
    BLOCK,
    CORRUPT,
    CORRUPT_IS_FOUND,
    FAILS,
    IDENTIFY,
    INTERRUPT,
    IS_CORRUPT,
    IS_FOUND,
    IS_STRUCK,
    KILL,
    MAKE_ROOM,
    NONE,
    OUTCOMES,
    PART_OUT,
    SLOW_IS_FOUND,
    TABLE,
    WAIT,
)
from dcsim.program.world import World
from dcsim.rules.ageing import becomes_slow, component_fails, component_of, is_due, is_one_too_many, renew, stop_clock
from dcsim.rules.alone import adds_up, leaves_alone, leaves_at_once, nothing_is_due, settles
from dcsim.rules.booking import change_free
from dcsim.rules.draws import go_on
from dcsim.rules.due import drop_first_age, push
from dcsim.rules.gangs import durable_at, run_at
from dcsim.rules.log import note_failure, note_hazard_part, note_parts, note_struck
from dcsim.rules.maintenance import found_by_check
from dcsim.rules.movements import have_left, refresh_speeds
from dcsim.rules.network import gang_has_changed
from dcsim.rules.parts import add_part, count_parts, group_of, parts_from
from dcsim.rules.places import first_in_service, group_around, in_service, link_moving, members_from, take_out
from dcsim.rules.plant import loses, plant_has_changed
from dcsim.rules.queue import hit
from dcsim.rules.returns import strike_group
from dcsim.rules.rule import ask, quotient, rule
from dcsim.rules.shifts import plan_repair

FAILURES_TABLE = TABLE["failures"]

# --- onset ----------------------------------------------------------------------------------------------------------


@rule
def next_known_failure(w: World, now: int) -> None:
    """The next failure that is known beforehand comes now."""
    hazard = w.one.next_hazard
    h = w.hazards[hazard]
    known = w.known[h.next_known]
    target, rank, told = known.target, known.rank, known.told
    outcome = go_on(w, hazard)
    if not h.placed:
        leaves = adds_up(w, hazard, target, rank, now, outcome)
        if leaves < 0 and (not w.one.adds_up or nothing_is_due(w)):
            leaves = settles(w, hazard, target, rank, now, outcome)
        if leaves < 0:
            fail_slot(w, hazard, target, rank, now, outcome)
        elif leaves and w.one.adds_up:
            leaves_alone(w, hazard, target, leaves, now, outcome)
        elif leaves:
            failure = new_failure(w, hazard, NONE, now, outcome)
            leaves_at_once(w, failure, target, leaves, now + w.failures[failure].detect)
    elif not rank or w.components[h.first_component + target].lemon:  # rank: whether only a lemon has it
        w.one.planned_out = told
        fail_component(w, hazard, target, now, outcome)
        w.one.planned_out = 0


@rule
def next_age_failure(w: World, now: int) -> None:
    """The component that is due first fails, if its clock has run since that was planned."""
    entry = w.ages[0]
    hazard, component = entry.hazard, entry.component
    drop_first_age(w)
    if not is_due(w, hazard, component, now):
        return
    fail_component(w, hazard, component, now, NONE)
    if is_due(w, hazard, component, now):  # there was nothing that it could do (nobody to kill): a new life
        stop_clock(w, hazard, w.hazards[hazard].first_component + component)
        renew(w, hazard, component, now, True)


@rule
def new_failure(w: World, hazard: int, component: int, now: int, outcome: int) -> int:
    """Count a failure, and return it; ``component``: NONE if it marks a slot; ``outcome``: NONE: not drawn yet."""
    number = w.one.free_failure
    if number >= 0:
        w.one.free_failure = w.failures[number].next_clean
    else:
        number = w.one.failed
        if number == len(w.failures):
            ask(w, MAKE_ROOM, FAILURES_TABLE, number + 1)
        w.one.failed = number + 1
    w.one.failures += 1
    h = w.hazards[hazard]
    if outcome < 0:
        if h.used == h.drawn:
            h.first_outcome = ask(w, OUTCOMES, hazard, 0)
            h.used = 0
            h.drawn = BLOCK
        outcome = h.first_outcome + h.used
        h.used += 1
    f = w.failures[number]
    f.hazard = hazard
    f.component = component
    f.detect = w.outcomes[outcome].detect
    if h.checked >= 0:
        by_check = found_by_check(w, hazard, component, w.outcomes[outcome].missed, now) - now
        f.checked = 1 if by_check <= f.detect else 0
        f.detect = min(f.detect, by_check)
    f.wrong = w.outcomes[outcome].wrong
    f.fixed = w.outcomes[outcome].fixed
    f.number = w.one.failures - 1
    f.at = now
    f.rank = 0
    f.gpus = 0
    f.first_part = NONE
    f.parts = 0
    f.placed = 0
    f.first_place = NONE
    f.last_place = NONE
    f.retired = 0
    f.unfound = 0
    f.clean = NONE
    f.gang = NONE
    f.next_clean = NONE
    f.next_faulty = NONE
    f.repairs = 0
    f.over = 0
    plan_repair(w, number, outcome)
    note_failure(w, FAILS, number, NONE, 0, now)
    return int(number)


@rule
def fail_component(w: World, hazard: int, component: int, now: int, outcome: int) -> None:
    """A component fails, if it is in service; ``outcome``: NONE if it was not known beforehand."""
    h = w.hazards[hazard]
    row = component_of(w, hazard, component)
    if h.serves:
        if not w.components[row].failed:
            fail_served(w, hazard, component, now, outcome)
        return
    first = first_in_service(w, component * h.size, (component + 1) * h.size)
    if first < 0 or (row >= 0 and w.components[row].failed):
        return  # what is out of service cannot fail
    gang = w.owner[first]
    if h.running and (gang < 0 or run_at(w, gang, now) < 0):
        return
    if h.effect == INTERRUPT:
        failure = new_failure(w, hazard, component, now, outcome)
        part_around(w, hazard, component, first)
        strike_places(w, failure, now, w.failures[failure].detect)
    elif h.effect == KILL:
        kill_around(w, hazard, component, first, now, outcome)
    elif h.effect == CORRUPT:
        if gang >= 0:
            corrupt(w, hazard, component, gang, 0, now, outcome)
    else:
        failure = new_failure(w, hazard, component, now, outcome)
        component_fails(w, hazard, component)
        becomes_slow(w, hazard, component, failure)
        refresh_speeds(w, now)
        push(w, now + w.failures[failure].detect, IDENTIFY, SLOW_IS_FOUND, failure, w.failures[failure].number)


@rule
def fail_served(w: World, hazard: int, component: int, now: int, outcome: int) -> None:
    """A component of the plant fails: those who depend on it are struck, others slow down, or nobody notices."""
    failure = new_failure(w, hazard, component, now, outcome)
    component_fails(w, hazard, component)
    loses(w, hazard, component)
    if w.one.logs:
        note_hazard_part(w, PART_OUT, failure, now)
    if w.one.moving:
        takes_places(w, failure)
        f = w.failures[failure]
        f.first_part = parts_from(w, f.first_place)
        f.parts = count_parts(w, f.first_part)
        f.gpus = w.one.moving * w.one.atom
        strike(w, failure, now, f.detect)
    else:
        push(w, now + w.failures[failure].detect, IDENTIFY, IS_FOUND, failure, 0)
    plant_has_changed(w, False, now)


@rule
def fail_slot(w: World, hazard: int, target: int, rank: int, now: int, outcome: int) -> None:
    """A slot is marked: ranks of one gang, or free GPUs; what is out of service cannot be struck."""
    h, one = w.hazards[hazard], w.one
    if target < one.gangs:
        g = w.gangs[target]
        if rank < g.up:
            if h.running and run_at(w, target, now) < 0:
                return
            if h.effect == KILL:
                if g.phase != WAIT:
                    failure = new_failure(w, hazard, NONE, now, outcome)
                    add_part(w, failure, target, 0)
                    strike(w, failure, now, w.failures[failure].detect)
            elif h.effect == CORRUPT:
                corrupt(w, hazard, NONE, target, rank, now, outcome)
            elif one.adds_up:
                strike_group(w, hazard, target, group_of(rank, h.blast, g.up), now, outcome)
            else:
                failure = new_failure(w, hazard, NONE, now, outcome)
                strike_ranks(w, failure, target, rank, now, w.failures[failure].detect)
            return
        rank = surplus_rank(w, target, rank)
    if rank < one.free and one.adds_up:
        strike_group(w, hazard, one.gangs, group_of(rank, h.blast, one.free), now, outcome)
    elif rank < one.free and h.effect == INTERRUPT and not h.running:
        failure = new_failure(w, hazard, NONE, now, outcome)
        f = w.failures[failure]
        f.gpus = group_of(rank, h.blast, one.free)
        add_part(w, failure, NONE, f.gpus)
        if one.atom:
            members_from(w, NONE, quotient(rank, h.blast) * h.blast // one.atom, f.gpus // one.atom)
            takes_places(w, failure)
        strike(w, failure, now, f.detect)


@rule
def surplus_rank(w: World, gang: int, rank: int) -> int:
    """Return the free GPU behind a void slot of a gang.

    More GPUs can be free than there are free slots (a gang in detect, or one not submitted yet, leaves its slots void
    while others come back): they stand in the void slots, in order, so that every GPU in service can fail.
    """
    if w.one.free <= w.one.free_slots:
        return int(w.one.free)
    rank += w.one.free_slots - w.gangs[gang].up
    for other in range(gang):
        rank += w.gangs[other].gpus - w.gangs[other].up
    return rank


@rule
def part_around(w: World, hazard: int, component: int, first: int) -> None:
    """What a failed component takes down is to move: its part, or the typed number of GPUs around its first one."""
    h = w.hazards[hazard]
    if h.blast:
        group_around(w, first, h.blast // w.one.atom)
    else:
        part = component * h.size // h.part
        in_service(w, part * h.part, (part + 1) * h.part)


# --- strikes --------------------------------------------------------------------------------------------------------


@rule
def strike_places(w: World, failure: int, now: int, detect: int) -> None:
    """A component is struck, with all the places to move."""
    takes_component(w, failure, now)
    strike(w, failure, now, detect)


@rule
def takes_component(w: World, failure: int, now: int) -> None:
    """The places to move are those of a failure of a component, which counts towards its retirement."""
    f = w.failures[failure]
    takes_places(w, failure)
    f.first_part = parts_from(w, f.first_place)
    f.parts = count_parts(w, f.first_part)
    f.gpus = w.one.moving * w.one.atom
    f.retired = 1 if is_one_too_many(w, f.hazard, f.component, now) else 0
    component_fails(w, f.hazard, f.component)


@rule
def strike_ranks(w: World, failure: int, gang: int, rank: int, now: int, detect: int) -> None:
    """A typed blast strikes ranks of a gang."""
    f, blast = w.failures[failure], w.hazards[w.failures[failure].hazard].blast
    f.gpus = group_of(rank, blast, w.gangs[gang].up)
    f.first_part = NONE
    f.parts = 0
    add_part(w, failure, gang, f.gpus)
    if w.one.atom:
        members_from(w, gang, quotient(rank, blast) * blast // w.one.atom, f.gpus // w.one.atom)
        takes_places(w, failure)
    strike(w, failure, now, detect)


@rule
def strike(w: World, failure: int, now: int, detect: int) -> None:
    """The parts of a failure, and the places to move if it is placed, leave their owners.

    It will be identified after its detection time; NONE: it is, by the caller.
    """
    f = w.failures[failure]
    f.at = now
    part = f.first_part
    while part >= 0:
        p = w.parts[part]
        if p.gang < 0:
            change_free(w, -p.gpus, now)
            f.unfound = 1
        else:
            hit(w, p.gang, f.hazard, p.gpus, now, clean_position(w, p.gang, failure))
        part = p.following
    note_parts(w, IS_STRUCK, failure, now)
    if f.placed:
        note_struck(w, failure, now)
        take_out(w)
        have_left(w, now, True)
    part = f.first_part
    while part >= 0:
        if w.parts[part].gang >= 0:
            gang_has_changed(w, w.parts[part].gang, now)
        part = w.parts[part].following
    if detect >= 0:
        push(w, now + detect, IDENTIFY, IS_FOUND, failure, 0)


@rule
def takes_places(w: World, failure: int) -> None:
    """The places to move are those of a failure; whose they are is noted."""
    f = w.failures[failure]
    first, last = link_moving(w, 0)
    f.first_place = first
    f.last_place = last
    f.placed = 1


@rule
def kill_around(w: World, hazard: int, component: int, first: int, now: int, outcome: int) -> None:
    """The software of the gangs on what a component takes down dies, the hardware stays: those that run, or try to."""
    h = w.hazards[hazard]
    if h.blast:
        w.one.moving = 1
        w.moving[0] = first
    else:
        part_around(w, hazard, component, first)
    found = False
    for number in range(w.one.moving):
        gang = w.owner[w.moving[number]]
        found = found or (gang >= 0 and w.gangs[gang].phase != WAIT)
    if not found:
        return
    failure = new_failure(w, hazard, component, now, outcome)
    for number in range(w.one.moving):
        gang = w.owner[w.moving[number]]
        if gang >= 0 and w.gangs[gang].phase != WAIT:
            add_part(w, failure, gang, 0)
    if h.ages:
        stop_clock(w, hazard, h.first_component + component)
        renew(w, hazard, component, now, True)
    strike(w, failure, now, w.failures[failure].detect)


# --- corrupt --------------------------------------------------------------------------------------------------------


@rule
def corrupt(w: World, hazard: int, component: int, gang: int, rank: int, now: int, outcome: int) -> None:
    """From now on what the gang computes is wrong, and nobody knows."""
    failure = new_failure(w, hazard, component, now, outcome)
    f = w.failures[failure]
    f.rank = rank
    f.clean = durable_at(w, gang, now)
    f.gang = gang
    f.next_clean = w.gangs[gang].first_clean
    add_part(w, failure, gang, 0)
    w.gangs[gang].first_clean = failure
    if w.hazards[hazard].ages:
        component_fails(w, hazard, component)
    note_failure(w, IS_CORRUPT, failure, gang, 0, now)
    push(w, now + f.detect, IDENTIFY, CORRUPT_IS_FOUND, failure, f.number)


@rule
def clean_position(w: World, gang: int, failure: int) -> int:
    """Return from where on a failure has spoilt a gang's work, which is dealt with now; NONE: it has not."""
    f = w.failures[failure]
    if f.gang != gang:
        return NONE
    f.gang = NONE
    other, before = w.gangs[gang].first_clean, NONE
    while other != failure:
        before, other = other, w.failures[other].next_clean
    if before >= 0:
        w.failures[before].next_clean = f.next_clean
    else:
        w.gangs[gang].first_clean = f.next_clean
    return int(f.clean)
