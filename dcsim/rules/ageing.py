"""Components with a state: their clocks, if they age; whether they have failed, are slow or are lemons."""

import numpy as np

from dcsim.hazards.remaining import weibull_left
from dcsim.program.records import BY_WEIBULL, LIVES, NEVER, NONE, OF_LEFT, RESIDUAL, STREAMS, WHOLE
from dcsim.program.world import World
from dcsim.rules.draws import in_ms
from dcsim.rules.due import push_age
from dcsim.rules.places import first_in_service
from dcsim.rules.random_numbers import exponential, seed_stream
from dcsim.rules.rule import ask, rule

rule(weibull_left)


@rule
def refresh_moving(w: World, now: int) -> None:
    """The clocks of the components that hold the places to move run or stand still, as places and gangs say."""
    if not w.one.clocks:
        return
    for hazard in range(w.one.hazards):
        h = w.hazards[hazard]
        if not h.ages or h.serves:  # what holds no GPU stands still only while it is repaired
            continue
        last = NONE
        for number in range(w.one.moving):
            component = w.moving[number] // h.size
            if component != last:
                refresh(w, hazard, component, now)
            last = component


@rule
def refresh_gang(w: World, gang: int, now: int) -> None:
    """A gang has started or stopped: clocks that run only while it computes do the same."""
    for hazard in range(w.one.hazards):
        h = w.hazards[hazard]
        if not (h.ages and h.running):
            continue
        last = NONE
        for place in range(w.gangs[gang].lowest, w.gangs[gang].highest + 1):
            if w.owner[place] == gang and place // h.size != last:
                last = place // h.size
                refresh(w, hazard, last, now)


@rule
def refresh(w: World, hazard: int, component: int, now: int) -> None:
    """Let a component's clock run or stand still."""
    h, c = w.hazards[hazard], w.components[w.hazards[hazard].first_component + component]
    begin = now
    if not h.serves:
        place = first_in_service(w, component * h.size, (component + 1) * h.size)
        if place < 0:
            begin = NEVER
        elif h.running:
            begin = max(now, computes_from(w, w.owner[place]))
    if c.stopped:
        begin = NEVER
    was = c.begin + c.left
    c.left -= max(0, now - c.begin)
    c.begin = begin
    due = begin + c.left
    if due != was and due < w.one.horizon:
        push_age(w, due, hazard, component)


@rule
def computes_from(w: World, owner: int) -> int:
    """Return when a gang is in the running part of its stretch; NEVER: it is not whole, or it is no gang."""
    if owner < 0:
        return NEVER
    g = w.gangs[owner]
    return int(g.since + g.failover + g.restore) if g.phase == WHOLE else NEVER


@rule
def is_due(w: World, hazard: int, component: int, at: int) -> bool:
    """Whether a component fails at this moment (what was planned before its clock stood still is void)."""
    c = w.components[w.hazards[hazard].first_component + component]
    return bool(c.begin + c.left == at)


# --- failed and mended ----------------------------------------------------------------------------------------------


@rule
def component_of(w: World, hazard: int, component: int) -> int:
    """Return the row of a component that has a state; NONE: it has none."""
    first = w.hazards[hazard].first_component
    return int(first + component) if first >= 0 and component >= 0 else NONE


@rule
def component_fails(w: World, hazard: int, component: int) -> None:
    """If it has a state, a component cannot fail again before its repair has returned it."""
    row = component_of(w, hazard, component)
    if row < 0:
        return
    if w.hazards[hazard].remembers:
        w.components[row].failed = 1
    stop_clock(w, hazard, row)


@rule
def stop_clock(w: World, hazard: int, row: int) -> None:
    """The life of a component is over."""
    if w.hazards[hazard].ages:
        w.components[row].stopped = 1
        w.components[row].begin = NEVER


@rule
def component_is_mended(w: World, hazard: int, component: int, now: int, fixed: bool) -> None:
    """A component can fail again: as new if it is ``fixed``, else as old as it was."""
    row = component_of(w, hazard, component)
    if row < 0:
        return
    w.components[row].failed = 0
    if w.hazards[hazard].ages:
        renew(w, hazard, component, now, fixed)


@rule
def renew(w: World, hazard: int, component: int, now: int, fixed: bool) -> None:
    """A component begins a new life, after its burn-in; not ``fixed``: its age goes on, as bad as old."""
    h, row = w.hazards[hazard], w.hazards[hazard].first_component + component
    c = w.components[row]
    if fixed:
        c.row += 1
    c.age = h.burn_in if fixed else c.age + c.life
    if not c.age:
        life = life_of(w, hazard, component, c.row)
    else:
        age = c.age
        if c.lemon:
            age = np.int64(np.rint(age * h.factor))
        life = life_left(w, hazard, age)
    if c.lemon:
        life = hastened(life, h.factor)
    c.life = life
    c.left = life
    c.stopped = 0
    c.begin = NEVER
    refresh(w, hazard, component, now)


@rule
def life_left(w: World, hazard: int, age: int) -> int:
    """Return what is left of a life that has reached an age, at least 1 ms."""
    h = w.hazards[hazard]
    if h.left_law != BY_WEIBULL:
        return ask(w, RESIDUAL, hazard, age)
    stream = STREAMS * hazard + OF_LEFT
    if not h.left_begun:
        h.left_begun = 1
        seed_stream(w, stream, w.numbers[w.one.run])
    return max(1, in_ms(weibull_left(float(age), exponential(w, stream), h.shape, h.scale)))


@rule
def hastened(life: int, factor: float) -> int:
    """Return a lemon's life: shorter by its factor, at least 1 ms."""
    return max(1, int(np.rint(life / factor)))


@rule
def life_of(w: World, hazard: int, component: int, row: int) -> int:
    """Return a life of a component, the ``row``-th."""
    if row >= w.first_life.shape[1] or w.first_life[hazard, row] < 0:
        ask(w, LIVES, hazard, row)
    return int(w.lives[w.first_life[hazard, row] + component])


@rule
def wind_clocks(w: World) -> None:
    """All clocks begin to run at t = 0."""
    for hazard in range(w.one.hazards):
        h = w.hazards[hazard]
        if not h.ages:
            continue
        for component in range(h.components):
            c = w.components[h.first_component + component]
            life = life_of(w, hazard, component, 0)
            if c.lemon:
                life = hastened(life, h.factor)
            c.life = life
            c.left = life
            c.begin = NEVER
            refresh(w, hazard, component, 0)


@rule
def is_one_too_many(w: World, hazard: int, component: int, now: int) -> bool:
    """Count a failure of a component; return whether it is to be retired."""
    h = w.hazards[hazard]
    most = h.retire_after
    if most < 0:
        return False
    row = h.first_component + component
    c = w.components[row]
    w.recent_strikes[row, c.strikes % most] = now
    c.strikes += 1
    return bool(c.strikes >= most and w.recent_strikes[row, c.strikes % most] > now - h.window)


# --- slow components ------------------------------------------------------------------------------------------------


@rule
def becomes_slow(w: World, hazard: int, component: int, failure: int) -> None:
    """A component is slow from now on."""
    h, row = w.hazards[hazard], component_of(w, hazard, component)
    c = w.components[row]
    c.slow = failure
    c.next_slow = h.first_slow
    c.previous_slow = NONE
    if h.first_slow >= 0:
        w.components[h.first_component + h.first_slow].previous_slow = component
    h.first_slow = component


@rule
def is_slow_no_more(w: World, hazard: int, component: int) -> None:
    """A component is as fast as others, if it was not."""
    row = component_of(w, hazard, component)
    if row < 0 or w.components[row].slow < 0:
        return
    h, c = w.hazards[hazard], w.components[row]
    if c.next_slow >= 0:
        w.components[h.first_component + c.next_slow].previous_slow = c.previous_slow
    if c.previous_slow >= 0:
        w.components[h.first_component + c.previous_slow].next_slow = c.next_slow
    else:
        h.first_slow = c.next_slow
    c.slow = NONE
