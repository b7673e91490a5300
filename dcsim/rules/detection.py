"""What is found after its detection time, what is found wrongly, and what follows from it."""

from dcsim.program.records import (
    CORRUPT,
    DEGRADE,
    IDENTIFIED,
    NONE,
    WAIT,
)
from dcsim.program.world import World
from dcsim.rules.ageing import component_is_mended, is_slow_no_more
from dcsim.rules.allocation import all_is_found
from dcsim.rules.failures import clean_position, part_around, strike, strike_places, strike_ranks, takes_component
from dcsim.rules.gangs import roll_back, run_at, stop
from dcsim.rules.log import note_parts
from dcsim.rules.movements import have_left, have_moved, refresh_speeds
from dcsim.rules.parts import add_part, insert_part
from dcsim.rules.places import first_in_service, link_moving, move_to, set_owner, take_out
from dcsim.rules.plant import any_unserved
from dcsim.rules.queue import found_in
from dcsim.rules.repairs import begin_repair, clear
from dcsim.rules.rule import rule


@rule
def identify(w: World, failure: int, now: int) -> None:
    """The struck group leaves for repair; after its last identification a gang takes replacements."""
    f = w.failures[failure]
    first_part = f.first_part
    part = first_part
    while part >= 0:
        p = w.parts[part]
        if p.gang >= 0:
            found_in(w, p.gang, p.gpus, now)
        else:
            f.unfound = 0
        part = p.following
    note_parts(w, IDENTIFIED, failure, now)
    if not blame_another(w, failure, now):
        if f.gpus or w.hazards[f.hazard].serves:
            begin_repair(w, failure, f.first_part, f.placed, f.first_place, now, True)
        elif w.hazards[f.hazard].effect == CORRUPT:
            clear(w, failure, now)  # something else has taken it away
    alone = w.parts[first_part].following < 0 if first_part >= 0 else False
    part = first_part
    while part >= 0:
        gang = w.parts[part].gang
        part = w.parts[part].following
        if gang >= 0:
            all_is_found(w, gang, alone, now)


# --- wrong blame ----------------------------------------------------------------------------------------------------


@rule
def blame_another(w: World, failure: int, now: int) -> bool:
    """Send healthy members to repair in place of the faulty ones, which will strike again; return whether so."""
    f = w.failures[failure]
    if not f.wrong or f.parts > 1 or not f.gpus:
        return False
    gang = w.parts[f.first_part].gang
    if gang < 0 or w.gangs[gang].up < f.gpus:
        return False
    first = NONE
    if f.placed:
        if any_unserved(w, f.first_place):
            return False  # they are out anyway
        if not following_members(w, gang, f.last_place, f.gpus // w.one.atom):
            return False
        put_back_faulty(w, failure, gang)
        first, _ = link_moving(w, 0)
        take_out(w)
        have_left(w, now, True)
        w.one.moving = 0
        place = f.first_place
        while place >= 0:
            move_to(w, place)
            place = w.next_faulty[place]
        have_moved(w, now)
    f.wrong -= 1
    g = w.gangs[gang]
    f.next_faulty = NONE
    if g.first_faulty >= 0:
        w.failures[g.last_faulty].next_faulty = failure
    else:
        g.first_faulty = failure
    g.last_faulty = failure
    w.one.faulty += 1
    begin_repair(w, failure, insert_part(w, NONE, gang, f.gpus), f.placed, first, now, False)
    return True


@rule
def put_back_faulty(w: World, failure: int, gang: int) -> None:
    """The places of a failure are with their gang again, and faulty together."""
    place = w.failures[failure].first_place
    while place >= 0:
        following = w.next_place[place]
        set_owner(w, place, gang)
        w.next_faulty[place] = following
        place = following


@rule
def following_members(w: World, gang: int, last: int, places: int) -> bool:
    """So many members that follow a place, cyclic, are to move; return whether there are enough."""
    w.one.moving = 0
    before = 0  # of the members up to `last`, the lowest are taken after those that follow
    for place in range(last + 1, w.one.atoms):
        if w.owner[place] == gang and w.one.moving < places:
            move_to(w, place)
    missing = places - w.one.moving
    if not missing:
        return True
    found = w.one.moving
    for place in range(last + 1):
        if w.owner[place] == gang and before < missing:
            before += 1
            move_to(w, place)
    for number in range(found // 2):  # the lowest first: turn the two runs round, then all
        swap_moving(w, number, found - 1 - number)
    for number in range(before // 2):
        swap_moving(w, found + number, found + before - 1 - number)
    for number in range(w.one.moving // 2):
        swap_moving(w, number, w.one.moving - 1 - number)
    return bool(before == missing)


@rule
def swap_moving(w: World, number: int, other: int) -> None:
    """Two of the places to move change their turn."""
    w.moving[number], w.moving[other] = w.moving[other], w.moving[number]


@rule
def strike_again(w: World, now: int) -> None:
    """Gangs that begin to compute with faulty members among them are struck again."""
    for gang in range(w.one.gangs):
        g = w.gangs[gang]
        if g.first_faulty < 0 or run_at(w, gang, now) != 0:
            continue
        failure = g.first_faulty
        g.first_faulty = NONE
        g.last_faulty = NONE
        other = failure
        while other >= 0:
            w.one.faulty -= 1
            other = w.failures[other].next_faulty
        while failure >= 0:
            following = w.failures[failure].next_faulty
            fail_again(w, failure, gang, now)
            failure = following


@rule
def fail_again(w: World, failure: int, gang: int, now: int) -> None:
    """Faulty members strike their gang."""
    f = w.failures[failure]
    f.gpus = min(f.gpus, w.gangs[gang].up)
    f.first_part = insert_part(w, NONE, gang, f.gpus)
    f.parts = 1
    if not f.gpus:
        return
    if f.placed:
        w.one.moving = 0
        place = f.first_place
        while place >= 0:
            move_to(w, place)
            place = w.next_faulty[place]
        first, last = link_moving(w, 0)
        f.first_place = first
        f.last_place = last
    strike(w, failure, now, f.detect)


# --- slow and corrupt -----------------------------------------------------------------------------------------------


@rule
def is_found_already(w: World, failure: int, number: int) -> bool:
    """Whether a failure that is due to be found was found before; ``number``: in the order of onset."""
    f = w.failures[failure]
    return bool(f.number != number or f.repairs or f.over)


@rule
def find_slow(w: World, failure: int, number: int, now: int) -> None:
    """A slow component is found: a straggler is struck, a degraded one is repaired where it is."""
    if is_found_already(w, failure, number):
        return
    f = w.failures[failure]
    hazard, component = f.hazard, f.component
    h = w.hazards[hazard]
    if h.effect == DEGRADE:
        begin_repair(w, failure, NONE, 0, NONE, now, True)
        return
    if w.components[h.first_component + component].slow != failure:
        return  # something else took it out of service before
    is_slow_no_more(w, hazard, component)
    first = first_in_service(w, component * h.size, (component + 1) * h.size)
    if first >= 0:
        part_around(w, hazard, component, first)
        strike_places(w, failure, now, NONE)
        identify(w, failure, now)
    else:
        component_is_mended(w, hazard, component, now, True)
    refresh_speeds(w, now)


@rule
def find_corrupt(w: World, failure: int, number: int, now: int) -> None:
    """Wrong results are found: the gang rolls back to before they began, and what computed them leaves."""
    if is_found_already(w, failure, number):
        return
    f = w.failures[failure]
    gang = w.parts[f.first_part].gang
    if f.gang < 0:  # the gang has finished
        clear(w, failure, now)
        return
    if f.component < 0 and f.rank < w.gangs[gang].up:
        strike_ranks(w, failure, gang, f.rank, now, NONE)
        identify(w, failure, now)
        return
    if f.component >= 0 and members_around(w, f.hazard, f.component, gang):
        strike_places(w, failure, now, NONE)
        identify(w, failure, now)
        return
    first, size = NONE, w.hazards[f.hazard].size
    if w.hazards[f.hazard].checked >= 0 and f.checked:
        first = first_in_service(w, f.component * size, (f.component + 1) * size)
    waits = w.gangs[gang].phase == WAIT
    if waits:  # nothing left to strike, and nobody to hang
        clean = clean_position(w, gang, failure)
        stop(w, gang, now)
        roll_back(w, gang, 0, f.hazard, now, False, 0, clean)
        if first < 0:
            clear(w, failure, now)
            return
    if first >= 0:  # a check has found what spoilt the work, and it is with others by now
        part_around(w, f.hazard, f.component, first)
        takes_component(w, failure, now)
        if not waits:
            add_part(w, failure, gang, 0)
    strike(w, failure, now, NONE)
    identify(w, failure, now)


@rule
def members_around(w: World, hazard: int, component: int, gang: int) -> bool:
    """What a component of a gang takes down of this gang is to move; return whether it holds any member."""
    h = w.hazards[hazard]
    first = NONE
    for place in range(component * h.size, min((component + 1) * h.size, w.one.atoms)):
        if first < 0 and w.owner[place] == gang:
            first = place
    if first < 0:
        return False
    part_around(w, hazard, component, first)
    kept = 0
    for number in range(w.one.moving):
        if w.owner[w.moving[number]] == gang:
            w.moving[kept] = w.moving[number]
            kept += 1
    w.one.moving = kept
    return True
