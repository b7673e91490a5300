"""What follows when places change hands: clocks, faulty members, speeds; and the ends of work that are planned anew."""

import numpy as np

from dcsim.plant.supply import power_of
from dcsim.program.records import FINISHED, NEVER, NONE, PPB, STRAGGLE, WORK_IS_DONE
from dcsim.program.world import World
from dcsim.rules.ageing import component_is_mended, is_slow_no_more, refresh_moving
from dcsim.rules.due import push
from dcsim.rules.gangs import change_speed, finishes_at
from dcsim.rules.log import note_moving
from dcsim.rules.places import first_in_service
from dcsim.rules.rule import rule


@rule
def have_moved(w: World, now: int) -> None:
    """The places to move have changed hands, or are back in service."""
    note_moving(w, now)
    refresh_moving(w, now)
    if w.one.faulty:
        end_relapses(w, now)
    refresh_speeds(w, now)
    if w.one.capped:
        refresh_power(w, now)


@rule
def have_left(w: World, now: int, struck: bool) -> None:
    """The places to move have left service; a straggler that is struck is slow no longer."""
    if struck:
        for hazard in range(w.one.hazards):
            if w.hazards[hazard].effect == STRAGGLE and w.hazards[hazard].first_slow >= 0:
                clear_stragglers(w, hazard, now)
    have_moved(w, now)


@rule
def clear_stragglers(w: World, hazard: int, now: int) -> None:
    """Slow components all of whose places are out now, some of them because they were struck, are slow no more."""
    h = w.hazards[hazard]
    component = h.first_slow
    while component >= 0:
        following = w.components[h.first_component + component].next_slow
        low, high, taken = component * h.size, (component + 1) * h.size, False
        for number in range(w.one.moving):  # others may be out for maintenance, and come back slow
            taken = taken or (low <= w.moving[number] < high)
        if taken and first_in_service(w, low, high) < 0:
            is_slow_no_more(w, hazard, component)
            component_is_mended(w, hazard, component, now, True)
        component = following


@rule
def end_relapses(w: World, now: int) -> None:
    """Faulty members that are not in their gang any more will not strike it again."""
    for gang in range(w.one.gangs):
        failure, before = w.gangs[gang].first_faulty, NONE
        while failure >= 0:
            f = w.failures[failure]
            following = f.next_faulty
            if f.placed:
                drop_lost_places(w, failure, gang)
            if f.placed and not f.gpus:
                if before >= 0:
                    w.failures[before].next_faulty = following
                else:
                    w.gangs[gang].first_faulty = following
                if following < 0:
                    w.gangs[gang].last_faulty = before
                w.one.faulty -= 1
                component_is_mended(w, f.hazard, f.component, now, True)
            else:
                before = failure
            failure = following


@rule
def drop_lost_places(w: World, failure: int, gang: int) -> None:
    """Of the places of a failure whose members are still in their gang, leave out those that are not."""
    f = w.failures[failure]
    place, last, first, count = f.first_place, NONE, NONE, 0
    while place >= 0:
        following = w.next_faulty[place]
        if w.owner[place] == gang:
            if last >= 0:
                w.next_faulty[last] = place
            else:
                first = place
            last = place
            count += 1
        place = following
    if last >= 0:
        w.next_faulty[last] = NONE
    f.first_place = first
    f.last_place = last
    f.gpus = count * w.one.atom


# --- speeds ---------------------------------------------------------------------------------------------------------


@rule
def refresh_speeds(w: World, now: int) -> None:
    """Let every gang run at the speed of its slowest member."""
    any_slow = False
    for hazard in range(w.one.hazards):
        any_slow = any_slow or w.hazards[hazard].first_slow >= 0
    if not any_slow and not w.one.slowed:
        return
    for gang in range(w.one.gangs):
        w.gangs[gang].tally = PPB
    slow_gangs = 0
    for hazard in range(w.one.hazards):
        h = w.hazards[hazard]
        component = h.first_slow
        while component >= 0:
            for place in range(component * h.size, min((component + 1) * h.size, w.one.atoms)):
                owner = w.owner[place]
                if owner >= 0:
                    slow_gangs += 1
                    w.gangs[owner].tally = min(w.gangs[owner].tally, h.keeps_ppb)
            component = w.components[h.first_component + component].next_slow
    for gang in range(w.one.gangs):
        w.gangs[gang].straggle = w.gangs[gang].tally
        set_pace(w, gang, now)
    w.one.slowed = 1 if slow_gangs else 0


@rule
def set_pace(w: World, gang: int, now: int) -> None:
    """Let a gang run at the speed that its members, power and the network leave."""
    if change_speed(w, gang, now):
        plan_finish(w, gang)


@rule
def plan_finish(w: World, gang: int) -> None:
    """The end of a gang's work is due, if nothing comes before it."""
    if w.jobs[w.gangs[gang].job].needed >= 0:
        at = finishes_at(w, gang)
        if at < NEVER:
            push(w, at, FINISHED, WORK_IS_DONE, gang, 0)


@rule
def cap_nodes(w: World, first: int, end: int, power: int) -> None:
    """The gangs that have places on nodes get no more power than these."""
    for place in range(first * w.one.node, min(end * w.one.node, w.one.atoms)):
        owner = w.owner[place]
        if owner >= 0:
            w.gangs[owner].tally = min(w.gangs[owner].tally, power)


@rule
def note_power(w: World) -> None:
    """Keep what the plant leaves of the power of every rack, or node; most often all are short of the same."""
    alike = PPB
    for unit in range(len(w.power)):
        power = max(1, int(np.rint(power_of(w, unit) * PPB)))
        w.power[unit] = power
        if unit == 0:
            alike = power
        elif power != alike:
            alike = NONE
    w.one.power_alike = alike


@rule
def refresh_power(w: World, now: int) -> None:
    """Let every gang run at the speed of its member with the least power."""
    if w.one.plant_changed:
        w.one.plant_changed = 0
        w.one.capped = 1 if w.plant.short else 0
        if w.one.capped:
            note_power(w)
    alike = w.one.power_alike if w.one.capped else PPB
    for gang in range(w.one.gangs):
        w.gangs[gang].tally = alike if alike >= 0 and w.gangs[gang].places else PPB
    if alike < 0:
        nodes = 1 if w.plant.per_node else w.plant.rack_nodes
        for unit in range(len(w.power)):
            if w.power[unit] < PPB:
                cap_nodes(w, unit * nodes, (unit + 1) * nodes, w.power[unit])
    for gang in range(w.one.gangs):
        g = w.gangs[gang]
        if g.tally != g.powered:
            g.powered = g.tally
            set_pace(w, gang, now)
