"""What has left service goes through its repair and comes back: stages, crews, tests, retirement."""

from dcsim.program.records import (
    ADMIT,
    ASKS_FOR_CREW,
    IN_REPAIR,
    IS_REPLACED,
    IS_SENT_BACK,
    IS_TESTED,
    MAKE_ROOM,
    NONE,
    PART_BACK,
    REPAIRED,
    RETURNS,
    TABLE,
)
from dcsim.program.world import World
from dcsim.rules.ageing import component_is_mended, component_of, is_slow_no_more
from dcsim.rules.allocation import serve_next
from dcsim.rules.booking import book, change_free
from dcsim.rules.due import is_quiet, push
from dcsim.rules.gangs import gain
from dcsim.rules.log import is_about, note_hazard_part, note_out, note_repair
from dcsim.rules.movements import have_moved, refresh_speeds
from dcsim.rules.parts import give_back_parts, parts_from
from dcsim.rules.places import free_linked, linked, set_owner
from dcsim.rules.plant import any_unserved, come_up, gives_back, keep_unserved, new_absence, restores
from dcsim.rules.rule import ask, rule
from dcsim.rules.shifts import awaits_visit, is_visited_no_more, is_worked_on, joins_queue, time_of

REPAIRS_TABLE = TABLE["repairs"]


@rule
def begin_repair(w: World, failure: int, part: int, placed: int, place: int, now: int, mends: bool) -> None:
    """A group leaves for repair; of a retired component only the others do, it is replaced.

    ``part``, ``place``: its first ones. ``mends``: it holds the component that failed.
    """
    f = w.failures[failure]
    if w.hazards[f.hazard].serves:  # those who depend on a component are in order themselves: they wait for it
        if part >= 0:
            new_absence(w, place, now, f.at, IN_REPAIR, 1, f.hazard)
            note_out(w, place, IN_REPAIR, f.hazard, f.number, now)
            come_up(w, now)  # what is served again already
        part, placed, place = NONE, 0, NONE
    if placed:
        note_out(w, place, IN_REPAIR, f.hazard, f.number, now)
    if f.retired and mends and placed:
        place = retire(w, failure, place, now)
        if place < 0:
            return
        part, mends = parts_from(w, place), False
    repair = new_repair(w, failure, part, placed, place, now, mends)
    if is_quiet(w, now) and w.own_times[failure, 0] > 0:
        next_stage(w, repair, now)  # nobody else asks for a crew in this millisecond
    else:
        push(w, now, ADMIT, ASKS_FOR_CREW, repair, 0)


@rule
def retire(w: World, failure: int, place: int, now: int) -> int:
    """A retired component waits for its replacement; return the first of the places that are not its own."""
    f = w.failures[failure]
    h = w.hazards[f.hazard]
    low, high = f.component * h.size, (f.component + 1) * h.size
    first_own, last_own, first_other, last_other = NONE, NONE, NONE, NONE
    while place >= 0:
        following = w.next_place[place]
        w.next_place[place] = NONE
        if low <= place < high:
            if last_own >= 0:
                w.next_place[last_own] = place
            else:
                first_own = place
            last_own = place
        else:
            if last_other >= 0:
                w.next_place[last_other] = place
            else:
                first_other = place
            last_other = place
        place = following
    retired = new_repair(w, failure, parts_from(w, first_own), 1, first_own, now, True)
    if h.replace >= 0:
        push(w, now + h.replace + h.burn_in, REPAIRED, RETURNS, retired, 0)
        note_repair(w, IS_REPLACED, retired, now, now + h.replace + h.burn_in)
    else:  # nobody waits for what never comes
        is_not_awaited(w, retired)
    return first_other


@rule
def new_repair(w: World, failure: int, part: int, placed: int, place: int, now: int, mends: bool) -> int:
    """A group is away from now on; return its repair."""
    new = w.one.free_repair
    if new >= 0:
        w.one.free_repair = w.repairs[new].following
    else:
        new = w.one.repairs
        if new == len(w.repairs):
            ask(w, MAKE_ROOM, REPAIRS_TABLE, new + 1)
        w.one.repairs = new + 1
    w.failures[failure].repairs += 1
    r = w.repairs[new]
    r.failure = failure
    r.first_part = part
    r.placed = placed
    r.first_place = place
    r.mends = 1 if mends else 0
    r.since = now
    r.stage = NONE
    r.again = 0
    r.following = NONE
    r.gpus = 0
    while part >= 0:
        r.gpus += w.parts[part].gpus
        part = w.parts[part].following
    r.previous_away = NONE
    r.next_away = w.one.away
    if w.one.away >= 0:
        w.repairs[w.one.away].previous_away = new
    w.one.away = new
    return int(new)


@rule
def next_stage(w: World, repair: int, now: int) -> None:
    """A repair goes on to its next stage, where it may queue; after what seems to have helped to the test, and back."""
    r = w.repairs[repair]
    h = w.hazards[w.failures[r.failure].hazard]
    if h.requalify and r.stage >= 0 and found_by_test(w, repair):
        push(w, now + h.requalify, REPAIRED, IS_SENT_BACK, repair, 0)
        note_repair(w, IS_TESTED, repair, now, now + h.requalify)
        return
    r.stage += 1
    time = time_of(w, repair)
    if time >= 0:
        begin_stage(w, repair, time, now)
    elif h.requalify + h.burn_in:
        push(w, now + h.requalify + h.burn_in, REPAIRED, RETURNS, repair, 0)
        note_repair(w, IS_TESTED, repair, now, now + h.requalify + h.burn_in)
    else:
        come_back(w, repair, now)


@rule
def begin_stage(w: World, repair: int, time: int, now: int) -> None:
    """A repair asks for those who do its stage."""
    r = w.repairs[repair]
    r.asked = now
    crews = w.stage_crews[w.failures[r.failure].hazard, r.stage]
    if w.crews[crews].visits:
        awaits_visit(w, crews, repair, now)
    elif takes_crew(w, crews, repair):
        is_worked_on(w, crews, repair, time, now)


@rule
def found_by_test(w: World, repair: int) -> bool:
    """Whether the test will find that the stage that is done has not helped."""
    r = w.repairs[repair]
    f = w.failures[r.failure]
    last = r.stage == w.hazards[f.hazard].stages - 1
    return bool(r.again < f.sent_back if last else f.sent_on >> r.stage & 1)


@rule
def is_sent_back(w: World, repair: int, now: int) -> None:
    """The test has found that a repair did not help: its next stage follows, and the last one is done again."""
    r = w.repairs[repair]
    if r.stage == w.hazards[w.failures[r.failure].hazard].stages - 1:
        r.again += 1
    else:
        r.stage += 1
    begin_stage(w, repair, time_of(w, repair), now)


@rule
def takes_crew(w: World, crews: int, repair: int) -> bool:
    """Whether a crew takes a repair now; else it queues: first come, first served."""
    if crew_begins(w, crews):
        return True
    joins_queue(w, crews, repair)
    return False


@rule
def crew_begins(w: World, crews: int) -> bool:
    """Whether a crew is free; it has work from now on."""
    c = w.crews[crews]
    if c.size < 0:
        return True
    if c.busy < c.size:
        c.busy += 1
        return True
    return False


@rule
def end_stage(w: World, repair: int, now: int) -> None:
    """A crew is done with this group and takes the next one."""
    r = w.repairs[repair]
    crews = w.stage_crews[w.failures[r.failure].hazard, r.stage]
    c = w.crews[crews]
    if c.visits:
        is_visited_no_more(w, crews, now)
    elif c.size >= 0:
        waits = c.first
        if waits >= 0:
            other = w.repairs[waits]
            c.first = other.following
            is_worked_on(w, crews, waits, time_of(w, waits), now)
        else:
            c.busy -= 1
    next_stage(w, repair, now)


@rule
def come_back(w: World, repair: int, now: int) -> None:
    """A repaired GPU returns: to the free ones, or first to the gang that it was struck in."""
    r = w.repairs[repair]
    f = w.failures[r.failure]
    h = w.hazards[f.hazard]
    is_away_no_more(w, repair)
    book_repair(w, repair, now)
    if w.one.has_plant and r.placed:
        leave_unserved(w, repair, now)
    is_not_awaited(w, repair)
    if r.gpus:
        if r.placed:
            free_linked(w, r.first_place)
        change_free(w, r.gpus, now)
        if h.returns_job:
            return_to_gang(w, repair, now)
    if r.mends:
        row = component_of(w, f.hazard, f.component)
        if row >= 0 and h.lemons and (f.retired or (f.fixed and h.cured_by_repair)):
            w.components[row].lemon = 0
        mend(w, r.failure, now)
    if r.placed:
        linked(w, r.first_place)
        have_moved(w, now)
    else:
        refresh_speeds(w, now)
    gpus = r.gpus
    give_back_repair(w, repair)
    if gpus and w.one.waiting:
        serve_next(w, True, now)


@rule
def give_back_repair(w: World, repair: int) -> None:
    """Nobody needs a repair any more, nor its failure if what failed is back too and no other repair is under way."""
    r = w.repairs[repair]
    f = w.failures[r.failure]
    f.repairs -= 1
    if r.mends:
        f.over = 1
    if r.first_part != f.first_part:
        give_back_parts(w, r.first_part)
    if f.over and not f.repairs and f.gang < 0:
        give_back_parts(w, f.first_part)
        f.first_part = NONE
        f.next_clean = w.one.free_failure
        w.one.free_failure = r.failure
    r.following = w.one.free_repair
    w.one.free_repair = repair


@rule
def leave_unserved(w: World, repair: int, now: int) -> None:
    """Of a group that is repaired, leave out what the plant does not serve: it is back with the plant."""
    r = w.repairs[repair]
    if not any_unserved(w, r.first_place):
        return
    r.first_place = keep_unserved(w, r.first_place, now, IN_REPAIR, 1, w.failures[r.failure].hazard)
    r.first_part = parts_from(w, r.first_place)
    r.gpus = 0
    part = r.first_part
    while part >= 0:
        r.gpus += w.parts[part].gpus
        part = w.parts[part].following


@rule
def is_away_no_more(w: World, repair: int) -> None:
    """Leave a repair out of those that are under way."""
    r = w.repairs[repair]
    if r.previous_away >= 0:
        w.repairs[r.previous_away].next_away = r.next_away
    else:
        w.one.away = r.next_away
    if r.next_away >= 0:
        w.repairs[r.next_away].previous_away = r.previous_away


@rule
def is_not_awaited(w: World, repair: int) -> None:
    """A gang that waits for its own does not wait for these any more."""
    part = w.repairs[repair].first_part
    while part >= 0:
        p = w.parts[part]
        if p.gang >= 0:
            w.gangs[p.gang].out -= p.gpus
        part = p.following


@rule
def book_repair(w: World, repair: int, now: int) -> None:
    """Book the time that a group was away: to gangs since it was identified, of free GPUs since they were struck."""
    r = w.repairs[repair]
    f = w.failures[r.failure]
    if w.one.logs:
        is_about(w, f.component, f.number)
    part = r.first_part
    while part >= 0:
        p = w.parts[part]
        if p.gang >= 0:
            book(w, p.gang, IN_REPAIR, f.hazard, p.gpus, r.since, now)
        else:
            book(w, w.one.gangs, IN_REPAIR, f.hazard, p.gpus, f.at, now)
        part = p.following
    w.one.about = 0


@rule
def return_to_gang(w: World, repair: int, now: int) -> None:
    """A gang that waits takes what it needs of its own first."""
    r = w.repairs[repair]
    gang = w.parts[r.first_part].gang
    if w.failures[r.failure].parts > 1 or gang < 0 or not w.gangs[gang].queued or w.one.rack:
        return  # in-rack spares go where they belong anyway
    gpus = min(w.gangs[gang].gpus - w.gangs[gang].up, r.gpus)
    if gpus <= 0:
        return
    change_free(w, -gpus, now)
    gain(w, gang, gpus, now)
    if w.one.atom:
        place = r.first_place
        for _ in range(gpus // w.one.atom):
            set_owner(w, place, gang)
            place = w.next_place[place]


@rule
def clear(w: World, failure: int, now: int) -> None:
    """A failure is over without a repair of its own: a new life, unless another repair still has the component."""
    f = w.failures[failure]
    other = w.one.away
    while other >= 0:
        r = w.repairs[other]
        f2 = w.failures[r.failure]
        if r.mends and f2.hazard == f.hazard and f2.component == f.component and f.component >= 0:
            return
        other = r.next_away
    f.fixed = 1
    mend(w, failure, now)


@rule
def mend(w: World, failure: int, now: int) -> None:
    """The component that failed is as its repair left it."""
    f = w.failures[failure]
    if f.component < 0:
        return
    is_slow_no_more(w, f.hazard, f.component)
    if w.hazards[f.hazard].serves:
        restores(w, f.hazard, f.component)
        if w.one.logs:
            note_hazard_part(w, PART_BACK, failure, now)
        gives_back(w, False, now)
    component_is_mended(w, f.hazard, f.component, now, bool(f.fixed or f.retired))
    if f.retired:
        w.components[component_of(w, f.hazard, f.component)].strikes = 0
        f.retired = 0
