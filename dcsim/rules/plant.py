"""The plant: who leaves service with it, who comes back, when racks have power, and how fast the others run.

What is left of it, and which nodes are down, say the rules of ``dcsim.plant``: whoever asks about one failure calls the
same ones.
"""

from types import FunctionType, ModuleType

from dcsim.fabric import wiring
from dcsim.plant import changes, left, network, supply
from dcsim.plant.changes import lose_part, restore_part, switch_racks
from dcsim.plant.tables import SITE_FEED
from dcsim.program.records import (
    ADMIT,
    BACK,
    CANNOT_START,
    FREE,
    GETS_POWER,
    MAKE_ROOM,
    NONE,
    OUT,
    TABLE,
    WHOLE,
)
from dcsim.program.world import World
from dcsim.rules.allocation import want
from dcsim.rules.booking import book, change_free
from dcsim.rules.due import push
from dcsim.rules.log import is_about, note_phase
from dcsim.rules.movements import have_moved, refresh_power
from dcsim.rules.network import network_has_changed, traffic_has_changed
from dcsim.rules.parts import parts_from
from dcsim.rules.places import move_to, set_owner
from dcsim.rules.queue import call_service
from dcsim.rules.rule import ask, rule
from dcsim.rules.storage import gateways_have_changed, transfers_begin

ABSENCES_TABLE = TABLE["absences"]
PLANT_RULES: tuple[ModuleType, ...] = (wiring, left, network, supply, changes)
"""Rules that lie lower in the house; here they become rules of a run."""
for module in PLANT_RULES:
    for each in vars(module).values():
        if isinstance(each, FunctionType) and each.__module__ == module.__name__:
            rule(each)

# --- out and back ---------------------------------------------------------------------------------------------------


@rule
def loses(w: World, what: int, component: int) -> None:
    """A component of the plant is out; the places in service of nodes that are down now are to move.

    ``what``: the hazard, or -1 - number of the maintenance.
    """
    if what >= 0:
        lose_part(w, w.hazards[what].plant_kind, component, w.hazards[what].keeps)
    else:
        lose_part(w, w.planned[-1 - what].plant_kind, component, 0.0)
    w.one.plant_changed = max(w.one.plant_changed, w.plant.short_of_power)
    w.one.moving = 0
    for number in range(w.plant.went_down):
        node = w.changed[number]
        for place in range(node * w.one.node, (node + 1) * w.one.node):
            if w.owner[place] != OUT:
                move_to(w, place)


@rule
def restores(w: World, what: int, component: int) -> None:
    """A component of the plant is back."""
    if what >= 0:
        restore_part(w, w.hazards[what].plant_kind, component, w.hazards[what].keeps)
    else:
        restore_part(w, w.planned[-1 - what].plant_kind, component, 0.0)
    w.one.plant_changed = max(w.one.plant_changed, w.plant.short_of_power)


@rule
def is_unserved(w: World, place: int) -> bool:
    """Whether the plant does not serve a place."""
    return bool(w.one.has_plant and w.down[place // w.one.node])


@rule
def any_unserved(w: World, place: int) -> bool:
    """Whether the plant does not serve any of the places that are linked from this one."""
    found = False
    while w.one.has_plant and place >= 0 and not found:
        found = is_unserved(w, place)
        place = w.next_place[place]
    return found


@rule
def new_absence(w: World, place: int, since: int, free_since: int, state: int, awaited: int, why: int) -> None:
    """Places that are linked from this one are in order, but without power or network until the plant serves them.

    ``awaited``: whether gangs count on them; ``since`` of gangs' members, ``free_since`` of free ones.
    """
    new = w.one.absences
    if new == len(w.absences):
        ask(w, MAKE_ROOM, ABSENCES_TABLE, new + 1)
    w.one.absences = new + 1
    a = w.absences[new]
    a.first_place = place
    a.since = since
    a.free_since = free_since
    a.state = state
    a.awaited = awaited
    a.why = why
    a.following = NONE
    if w.one.first_absence >= 0:
        w.absences[w.one.last_absence].following = new
    else:
        w.one.first_absence = new
    w.one.last_absence = new


@rule
def keep_unserved(w: World, place: int, now: int, state: int, awaited: int, why: int) -> int:
    """Of the places linked from this one, keep what the plant does not serve; return the first that may be back."""
    if not any_unserved(w, place):
        return place
    first, last, first_out, last_out = NONE, NONE, NONE, NONE
    while place >= 0:
        following = w.next_place[place]
        w.next_place[place] = NONE
        if is_unserved(w, place):
            if last_out >= 0:
                w.next_place[last_out] = place
            else:
                first_out = place
            last_out = place
        else:
            if last >= 0:
                w.next_place[last] = place
            else:
                first = place
            last = place
        place = following
    new_absence(w, first_out, now, now, state, awaited, why)
    return first


@rule
def come_up(w: World, now: int) -> None:
    """Everything absent that the plant serves again is back: to the free GPUs."""
    w.one.moving = 0
    absence, before = w.one.first_absence, NONE
    while absence >= 0:
        come_up_of(w, absence, now)
        following = w.absences[absence].following
        if w.absences[absence].first_place >= 0:
            before = absence
        elif before >= 0:
            w.absences[before].following = following
        else:
            w.one.first_absence = following
        absence = following
    w.one.last_absence = before
    if w.one.moving:
        change_free(w, w.one.moving * w.one.atom, now)
        have_moved(w, now)
        if w.one.waiting:
            call_service(w, now)


@rule
def come_up_of(w: World, absence: int, now: int) -> None:
    """Of one absence, what the plant serves again is back, and to move."""
    a = w.absences[absence]
    place, last, last_back, back = a.first_place, NONE, NONE, NONE
    a.first_place = NONE
    while place >= 0:
        following = w.next_place[place]
        w.next_place[place] = NONE
        if is_unserved(w, place):
            if last >= 0:
                w.next_place[last] = place
            else:
                a.first_place = place
            last = place
        else:
            if last_back >= 0:
                w.next_place[last_back] = place
            else:
                back = place
            last_back = place
        place = following
    book_absence(w, absence, back, now)
    while back >= 0:
        set_owner(w, back, FREE)
        move_to(w, back)
        back = w.next_place[back]


@rule
def book_absence(w: World, absence: int, place: int, now: int) -> None:
    """Book the time that the places linked from this one were absent, to the gangs that they were taken from."""
    a, part = w.absences[absence], parts_from(w, place)
    is_about(w, NONE, NONE)
    while part >= 0:
        p = w.parts[part]
        if p.gang < 0:
            book(w, w.one.gangs, a.state, a.why, p.gpus, a.free_since, now)
        else:
            book(w, p.gang, a.state, a.why, p.gpus, a.since, now)
            if a.awaited:
                w.gangs[p.gang].out -= p.gpus
        part = p.following
    w.one.about = 0


@rule
def book_absences(w: World, now: int) -> None:
    """Book all that is absent up to now."""
    absence = w.one.first_absence
    while absence >= 0:
        book_absence(w, absence, w.absences[absence].first_place, now)
        absence = w.absences[absence].following


# --- pace and power -------------------------------------------------------------------------------------------------


@rule
def plant_has_changed(w: World, everywhere: bool, now: int) -> None:
    """Let gangs run at the speed that the plant leaves; not ``everywhere``: where its last change reaches."""
    if w.one.plant_changed or w.one.capped:
        refresh_power(w, now)
    if w.one.has_traffic:
        network_has_changed(w, everywhere, now)
    if w.one.has_storage:
        gateways_have_changed(w, now)


@rule
def gives_back(w: World, everywhere: bool, now: int) -> None:
    """Something of the plant is back: so is what it serves, and the phases that it was too weak for."""
    if try_again(w, now):
        everywhere = True
        w.one.plant_changed = 1
    come_up(w, now)
    plant_has_changed(w, everywhere, now)


@rule
def try_again(w: World, now: int) -> bool:
    """Energise the phases that were put off, if they trip nobody any more; each that succeeds may help those before."""
    found, phase = False, 0
    while phase < w.one.phases:
        if w.phases[phase].put_off and has_power(w, phase, now):
            found = True
            phase = 0
        else:
            phase += 1
    return found


@rule
def has_power(w: World, phase: int, now: int) -> bool:
    """Energise a phase; if its racks would trip somebody, they stay dark, and the phase is put off."""
    p = w.phases[phase]
    p.put_off = 0
    if p.end_rack:
        switch_racks(w, p.first_rack, p.end_rack, 0)
        if w.plant.went_down:
            switch_racks(w, p.first_rack, p.end_rack, 1)
            p.put_off = 1
    else:
        for feed in range(w.plant.site_feeds):
            restore_part(w, SITE_FEED, feed, 0.0)
    if w.one.logs and not p.put_off:
        note_phase(w, phase, False, now)
    return bool(not p.put_off)


@rule
def energise(w: World, phase: int, now: int) -> None:
    """A phase has power, unless that trips somebody: then it is put off until something of the plant is back."""
    if has_power(w, phase, now):
        w.one.plant_changed = 1
        gives_back(w, True, now)


@rule
def begin_plant(w: World) -> None:
    """What is energised later is due, gangs without power ask for hardware, and those that run set their pace."""
    for phase in range(w.one.phases):
        if w.phases[phase].date > 0:
            if w.one.logs:
                note_phase(w, phase, True, 0)
            push(w, w.phases[phase].date, BACK, GETS_POWER, phase, 0)
    for gang in range(w.one.gangs):
        if w.gangs[gang].late:
            push(w, 0, ADMIT, CANNOT_START, gang, 0)
    for gang in range(w.one.gangs):
        if w.gangs[gang].phase == WHOLE:
            if w.one.has_traffic:
                traffic_has_changed(w, gang, 0)
            if w.one.has_storage:
                transfers_begin(w, gang, 0)
    w.one.plant_changed = 1
    refresh_power(w, 0)


@rule
def cannot_start(w: World, gang: int, now: int) -> None:
    """A gang that could not start at t = 0 waits for hardware."""
    want(w, gang, now, False)
