"""Planned maintenance: gangs are drained, so that nothing is lost, then components leave service for a while.

And what else operators do by hand: they move GPUs.
"""

from dcsim.program.records import (
    BACK,
    DRAIN,
    DRAINED,
    DRAINS,
    FREE,
    IN_MAINTENANCE,
    IN_REPAIR,
    IS_WITHDRAWN,
    MAKE_ROOM,
    NEVER,
    NONE,
    OUT,
    PART_BACK,
    PART_OUT,
    SAVE,
    TABLE,
    WHOLE,
    WINDOW_ENDS,
)
from dcsim.program.world import World
from dcsim.rules.allocation import want
from dcsim.rules.booking import book, change_free
from dcsim.rules.due import push, push_age
from dcsim.rules.gangs import has_drained, stalls_for, stop
from dcsim.rules.log import is_about, note_drain, note_neighbours, note_out, note_part
from dcsim.rules.movements import have_left, have_moved
from dcsim.rules.network import gang_has_changed
from dcsim.rules.parts import parts_from
from dcsim.rules.places import free_linked, in_service, link_moving, linked, move_to, set_owner, take_out
from dcsim.rules.plant import gives_back, is_unserved, keep_unserved, loses, new_absence, plant_has_changed, restores
from dcsim.rules.queue import call_service, leave_queue
from dcsim.rules.rule import ask, rule

DRAINS_TABLE = TABLE["drains"]


@rule
def open_window(w: World, now: int) -> None:
    """The next window opens: the gangs on a component stop, and save what they have while they drain."""
    window = w.one.window
    w.one.window = window + 1
    v = w.windows[window]
    size = w.planned[v.planned].size
    v.first_drain = NONE
    v.last_drain = NONE
    if w.planned[v.planned].serves:
        loses(w, -1 - v.planned, v.component)  # to find out who would go down without it
        restores(w, -1 - v.planned, v.component)
    else:
        in_service(w, v.component * size, (v.component + 1) * size)
        if not w.one.moving:
            return
    first, _ = link_for_later(w)
    part = parts_from(w, first)
    while part >= 0:
        gang = w.parts[part].gang
        if gang >= 0 and w.gangs[gang].phase in (WHOLE, DRAIN, SAVE):
            drain_for(w, window, gang, now)
        part = w.parts[part].following
    push(w, now + w.planned[v.planned].drain, DRAINED, IS_WITHDRAWN, window, 0)


@rule
def link_for_later(w: World) -> tuple[int, int]:
    """Link the places to move though they stay in service: nothing else does so with places that are."""
    return link_moving(w, 0)


@rule
def drain_for(w: World, window: int, gang: int, now: int) -> None:
    """A gang drains for a window; it stops if it does not drain yet."""
    g = w.gangs[gang]
    if g.phase != DRAIN:
        stop(w, gang, now)
        stalls_for(w, gang, w.one.hazards + w.windows[window].planned)
        leave_queue(w, gang)
        g.phase = DRAIN
        note_drain(w, DRAINS, gang, w.one.hazards + w.windows[window].planned, w.windows[window].component, now)
        gang_has_changed(w, gang, now)
    new = w.one.drains
    if new == len(w.drains):
        ask(w, MAKE_ROOM, DRAINS_TABLE, new + 1)
    w.one.drains = new + 1
    d, v = w.drains[new], w.windows[window]
    d.gang = gang
    d.number = g.drain_number
    d.following = NONE
    if v.last_drain >= 0:
        w.drains[v.last_drain].following = new
    else:
        v.first_drain = new
    v.last_drain = new
    g.draining += 1


@rule
def withdraw(w: World, window: int, now: int) -> None:
    """The component leaves service; gangs that have drained for it are safe and take replacements."""
    v = w.windows[window]
    size = w.planned[v.planned].size
    serves = w.planned[v.planned].serves
    if serves:
        loses(w, -1 - v.planned, v.component)
        note_part(w, PART_OUT, w.one.hazards + v.planned, v.component, 0, NONE, now)
    else:
        in_service(w, v.component * size, (v.component + 1) * size)
    first, last = link_moving(w, 0)
    v.first_part = parts_from(w, first)
    v.first_place = first
    v.last_place = last
    v.since = now
    for gang in range(w.one.gangs):
        w.gangs[gang].ready = 0
    part = v.first_part
    while part >= 0:
        p = w.parts[part]
        part = p.following
        if p.gang < 0:
            change_free(w, -p.gpus, now)
            continue
        g = w.gangs[p.gang]
        if g.phase in (WHOLE, SAVE):  # it came back, or came here, while others drained
            g.ready = 1
            leave_queue(w, p.gang)
        stop(w, p.gang, now)
        g.up -= p.gpus
    drain = v.first_drain
    while drain >= 0:
        d = w.drains[drain]
        drain = d.following
        g = w.gangs[d.gang]
        if d.number == g.drain_number and g.draining:
            g.draining -= 1
            stop(w, d.gang, now)
            if not g.draining:
                g.ready = 1
    if w.one.moving:
        w.one.planned_out = 1
        take_out(w)
        w.one.planned_out = 0
        note_out(w, first, IN_MAINTENANCE, w.one.hazards + v.planned, NONE, now)
        if serves:
            new_absence(w, first, now, now, IN_MAINTENANCE, 0, w.one.hazards + v.planned)
        else:
            v.out = 1
        have_left(w, now, False)
    if serves or first >= 0:
        push(w, now + w.planned[v.planned].duration + v.retest, BACK, WINDOW_ENDS, window, 0)
    if serves:
        plant_has_changed(w, False, now)
    for gang in range(w.one.gangs):
        if w.gangs[gang].ready:
            has_drained(w, gang)
            want(w, gang, now, False)
            gang_has_changed(w, gang, now)
    if w.one.waiting:
        call_service(w, now)


@rule
def bring_back(w: World, window: int, now: int) -> None:
    """The component is in service again: its GPUs are free."""
    v = w.windows[window]
    if w.planned[v.planned].serves:
        restores(w, -1 - v.planned, v.component)
        note_part(w, PART_BACK, w.one.hazards + v.planned, v.component, 0, NONE, now)
        gives_back(w, False, now)
        return
    v.out = 0
    book_stay(w, window, now)
    are_free(w, v.first_place, w.one.hazards + v.planned, now)


@rule
def are_free(w: World, place: int, why: int, now: int) -> None:
    """The places that are linked from this one are free again, but for what the plant does not serve."""
    first = keep_unserved(w, place, now, IN_MAINTENANCE, 0, why)
    gpus, place = 0, first
    while place >= 0:
        gpus += w.one.atom
        place = w.next_place[place]
    free_linked(w, first)
    change_free(w, gpus, now)
    linked(w, first)
    have_moved(w, now)
    if w.one.waiting:
        call_service(w, now)


@rule
def book_stay(w: World, window: int, now: int) -> None:
    """Book the time that a component was out, to the gangs that it was taken from."""
    v = w.windows[window]
    is_about(w, v.component, NONE)
    book_maintained(w, v.first_part, w.one.hazards + v.planned, v.since, now)
    w.one.about = 0


@rule
def book_maintained(w: World, part: int, why: int, since: int, now: int) -> None:
    """Book the time that GPUs were out, to those that they were taken from."""
    while part >= 0:
        p = w.parts[part]
        who = p.gang if p.gang >= 0 else w.one.gangs
        book(w, who, IN_MAINTENANCE, why, p.gpus, since, now)
        part = p.following


# --- checks -----------------------------------------------------------------------------------------------------------


@rule
def found_by_check(w: World, hazard: int, component: int, missed: int, now: int) -> int:
    """Return when a check of the component finds it slow [ms], after so many that miss it; NEVER: none does any more.

    It is the end of the window: of those that take the component out from now on, the first one that does not miss it.
    """
    h = w.hazards[hazard]
    p = w.planned[h.checked]
    checked = component * h.size // p.size
    first = p.start + (p.every * checked // p.components if p.rolling else 0)
    number = max(0, (now - p.drain - first) // p.every + 1) + missed
    if first + number * p.every >= w.one.horizon:
        return NEVER
    v = w.windows[w.window_at[p.first_window + number * p.components + checked]]
    return int(v.at + p.drain + p.duration + v.retest)


# --- moving by hand -------------------------------------------------------------------------------------------------


@rule
def move_free(w: World, place: int, to: int, now: int) -> bool:
    """A free place of GPUs changes places with one in repair, which will come back to where the free one was.

    What is known of the components that move (age, lemon, failures) goes with them; of larger ones it stays. Return
    whether it was done. It is not where nothing is free or in repair, where the plant serves nobody, or where a failure
    has still to be found in one of the two. Failures of lemons that do not age are drawn for their places: they stay.
    """
    if not w.one.atom or w.owner[place] != FREE or w.owner[to] != OUT or is_unserved(w, to):
        return False
    repair = repair_at(w, to)
    if repair < 0 or not may_swap(w, repair, place, to):
        return False
    relink(w, repair, place, to)
    f = w.failures[w.repairs[repair].failure]
    if w.repairs[repair].mends and w.hazards[f.hazard].size == 1 and f.component == to:
        f.component = place
    for hazard in range(w.one.hazards):
        if moves_with_place(w, hazard):
            swap_components(w, hazard, place, to)
    set_owner(w, place, OUT)
    set_owner(w, to, FREE)
    if w.one.logs > 1:
        note_neighbours(w, place, 1, w.whose[place], IN_REPAIR, f.hazard, f.number, now)
    w.one.moving = 0
    move_to(w, min(place, to))
    move_to(w, max(place, to))
    have_moved(w, now)
    if w.one.waiting:
        call_service(w, now)
    return True


@rule
def repair_at(w: World, place: int) -> int:
    """Return the repair that a place is away with; NONE: there is none."""
    repair = w.one.away
    while repair >= 0:
        other = w.repairs[repair].first_place if w.repairs[repair].placed else NONE
        while other >= 0 and other != place:
            other = w.next_place[other]
        if other >= 0:
            return int(repair)
        repair = w.repairs[repair].next_away
    return NONE


@rule
def moves_with_place(w: World, hazard: int) -> bool:
    """Whether the components of a hazard have a state, and each of them is one place."""
    h = w.hazards[hazard]
    return bool(h.first_component >= 0 and not h.serves and h.size == 1)


@rule
def may_swap(w: World, repair: int, place: int, to: int) -> bool:
    """Whether the states of the components at two places may change places; ``to`` is in repair."""
    f, mends = w.failures[w.repairs[repair].failure], w.repairs[repair].mends
    for hazard in range(w.one.hazards):
        if not moves_with_place(w, hazard):
            continue
        h = w.hazards[hazard]
        a, b = w.components[h.first_component + place], w.components[h.first_component + to]
        repaired = mends and f.hazard == hazard and f.component == to
        if a.failed or a.slow >= 0 or b.slow >= 0 or (b.failed and not repaired):
            return False
        if (a.lemon or b.lemon) and not h.ages:
            return False
    for gang in range(w.one.gangs):
        corrupt = w.gangs[gang].first_clean
        while corrupt >= 0:
            f = w.failures[corrupt]
            if w.hazards[f.hazard].size == 1 and (f.component == place or f.component == to):
                return False
            corrupt = f.next_clean
    return True


@rule
def relink(w: World, repair: int, place: int, to: int) -> None:
    """In the places of a repair, ascending, one stands for another; so does whose it was."""
    r, before = w.repairs[repair], NONE
    other = r.first_place
    while other != to:
        before, other = other, w.next_place[other]
    if before >= 0:
        w.next_place[before] = w.next_place[to]
    else:
        r.first_place = w.next_place[to]
    before, other = NONE, r.first_place
    while 0 <= other < place:
        before, other = other, w.next_place[other]
    w.next_place[place] = other
    if before >= 0:
        w.next_place[before] = place
    else:
        r.first_place = place
    w.whose[place] = w.whose[to]


@rule
def swap_components(w: World, hazard: int, place: int, to: int) -> None:
    """The states of the components at two places change places; which life comes next is a matter of the place."""
    first = w.hazards[hazard].first_component
    a, b = w.components[first + place], w.components[first + to]
    a.failed, b.failed = b.failed, a.failed
    a.lemon, b.lemon = b.lemon, a.lemon
    a.begin, b.begin = b.begin, a.begin
    a.left, b.left = b.left, a.left
    a.life, b.life = b.life, a.life
    a.age, b.age = b.age, a.age
    a.stopped, b.stopped = b.stopped, a.stopped
    a.strikes, b.strikes = b.strikes, a.strikes
    for number in range(w.recent_strikes.shape[1]):
        strike = w.recent_strikes[first + place, number]
        w.recent_strikes[first + place, number] = w.recent_strikes[first + to, number]
        w.recent_strikes[first + to, number] = strike
    if w.hazards[hazard].ages and b.begin < NEVER and b.begin + b.left < w.one.horizon:
        push_age(w, b.begin + b.left, hazard, to)
