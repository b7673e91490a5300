"""What is due: a heap by tick, and what was put on it first comes first."""

from dcsim.program.records import MAKE_ROOM, PLANNED, STRIKE, TABLE, TICKS, VISIT
from dcsim.program.world import World
from dcsim.rules.rule import ask, rule

DUE_TABLE, AGES_TABLE = TABLE["due"], TABLE["ages"]


@rule
def push(w: World, at: int, tick: int, kind: int, what: int, further: int) -> None:
    """Let something happen at ``at`` [ms], at this tick of it; nothing does beyond the horizon.

    ``further``: what tells an entry that has become void.
    """
    if at >= w.one.horizon:
        return
    place, number, key = w.one.due, w.one.number, TICKS * at + tick
    if place == len(w.due):
        ask(w, MAKE_ROOM, DUE_TABLE, place + 1)
    w.one.due = place + 1
    w.one.number = number + 1
    due = w.due
    while place:
        above = (place - 1) // 2
        if due[above].key <= key:  # its number is lower
            break
        _copy_due(w, above, place)
        place = above
    entry = due[place]
    entry.key = key
    entry.number = number
    entry.kind = kind
    entry.what = what
    entry.further = further


@rule
def drop_first(w: World) -> None:
    """Take the first entry off the heap."""
    due = w.due
    size = w.one.due - 1
    w.one.due = size
    last = due[size]
    key, number, kind, what, further = last.key, last.number, last.kind, last.what, last.further
    place, below = 0, 1
    while below < size:  # the entry below that comes first moves up, down to a place that has none below
        right = due[below + 1]
        below += int((below + 1 < size) & comes_first(w, right.key, right.number, below))
        _copy_due(w, below, place)
        place = below
        below = 2 * place + 1
    while place:  # from there the last one moves up, seldom far
        above = (place - 1) // 2
        if not comes_first(w, key, number, above):
            break
        _copy_due(w, above, place)
        place = above
    entry = due[place]
    entry.key = key
    entry.number = number
    entry.kind = kind
    entry.what = what
    entry.further = further


@rule
def comes_first(w: World, key: int, number: int, other: int) -> bool:
    """Whether a key and number come before those of an entry."""
    entry = w.due[other]
    return bool((key < entry.key) | ((key == entry.key) & (number < entry.number)))  # no branch to guess


@rule
def _copy_due(w: World, source: int, target: int) -> None:
    """Copy an entry to another place of the heap."""
    a, b = w.due[source], w.due[target]
    b.key = a.key
    b.number = a.number
    b.kind = a.kind
    b.what = a.what
    b.further = a.further


@rule
def is_quiet(w: World, now: int) -> bool:
    """Whether nothing else ends, is found, asks for a crew or is visited in this millisecond."""
    return bool(w.one.due == 0 or w.due[0].key > TICKS * now + VISIT)


@rule
def next_failure_or_window(w: World) -> int:
    """Return the tick of the next failure or window."""
    one, tick = w.one, w.one.next_failure
    if one.ages:
        tick = min(tick, TICKS * w.ages[0].at + STRIKE)
    if one.window < one.last_window:
        tick = min(tick, TICKS * w.windows[one.window].at + PLANNED)
    return int(tick)


# --- failures of components that age ------------------------------------------------------------------------------


@rule
def push_age(w: World, at: int, hazard: int, component: int) -> None:
    """A component will fail at ``at`` [ms], unless its clock stands still in between."""
    place = w.one.ages
    if place == len(w.ages):
        ask(w, MAKE_ROOM, AGES_TABLE, place + 1)
    w.one.ages = place + 1
    ages = w.ages
    while place:
        above = (place - 1) // 2
        entry = ages[above]
        if not fails_first(w, at, hazard, component, above):
            break
        _set_age(w, place, entry.at, entry.hazard, entry.component)
        place = above
    _set_age(w, place, at, hazard, component)


@rule
def drop_first_age(w: World) -> None:
    """Take the first entry off."""
    size = w.one.ages - 1
    w.one.ages = size
    last = w.ages[size]
    at, hazard, component = last.at, last.hazard, last.component
    place = 0
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size:
            right = w.ages[below + 1]
            if fails_first(w, right.at, right.hazard, right.component, below):
                below += 1
        entry = w.ages[below]
        if fails_first(w, at, hazard, component, below):
            break
        _set_age(w, place, entry.at, entry.hazard, entry.component)
        place = below
    if size:
        _set_age(w, place, at, hazard, component)


@rule
def fails_first(w: World, at: int, hazard: int, component: int, other: int) -> bool:
    """Whether a failure comes before that of an entry: by time, then hazard, then component."""
    entry = w.ages[other]
    if at != entry.at:
        return bool(at < entry.at)
    if hazard != entry.hazard:
        return bool(hazard < entry.hazard)
    return bool(component < entry.component)


@rule
def _set_age(w: World, place: int, at: int, hazard: int, component: int) -> None:
    """Write an entry."""
    entry = w.ages[place]
    entry.at = at
    entry.hazard = hazard
    entry.component = component
