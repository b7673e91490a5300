"""Who has which place. A place is the smallest number of GPUs that moves as one; nothing here matters without places.

Rules that are about some places put them into ``moving``, ascending. Places that left service together are linked from
``first_place`` of what took them, by ``next_place``.
"""

from dcsim.program.records import BLOCK_OF_PLACES, FREE, GROUPS, NONE, OUT
from dcsim.program.world import World
from dcsim.rules.rule import rule
from dcsim.rules.sold import count_sold


@rule
def move_to(w: World, place: int) -> None:
    """Add a place to those that a rule is about."""
    w.moving[w.one.moving] = place
    w.one.moving += 1


@rule
def in_service(w: World, low: int, high: int) -> None:
    """The places of a range that are in service are those to move."""
    w.one.moving = 0
    for place in range(low, min(high, w.one.atoms)):
        if w.owner[place] != OUT:
            move_to(w, place)


@rule
def first_in_service(w: World, low: int, high: int) -> int:
    """Return the first place of a range that is in service; NONE: none is."""
    for place in range(low, min(high, w.one.atoms)):
        if w.owner[place] != OUT:
            return place
    return NONE


@rule
def members_from(w: World, owner: int, first: int, places: int) -> None:
    """The places of an owner from rank ``first`` on are those to move; ranks follow the index."""
    w.one.moving = 0
    rank, place = 0, lowest_of(w, owner)
    while w.one.moving < places and place < w.one.atoms:
        if w.owner[place] == owner:
            if rank >= first:
                move_to(w, place)
            rank += 1
        place += 1


@rule
def group_around(w: World, place: int, places: int) -> None:
    """The group of so many places that holds this one, among its owner's members, is to move."""
    owner, rank = w.owner[place], 0
    for other in range(lowest_of(w, owner), place):
        if w.owner[other] == owner:
            rank += 1
    members_from(w, owner, rank // places * places, places)


@rule
def lowest_of(w: World, owner: int) -> int:
    """Return a place below which an owner has none."""
    return int(w.gangs[owner].lowest) if owner >= 0 else 0


@rule
def linked(w: World, first: int) -> None:
    """The places that are linked from this one are those to move."""
    w.one.moving = 0
    while first >= 0:
        move_to(w, first)
        first = w.next_place[first]


# --- moving ---------------------------------------------------------------------------------------------------------


@rule
def set_owner(w: World, place: int, owner: int) -> None:
    """Give a place to a gang, free it or take it out; the only place where an owner changes."""
    if w.one.rack:
        before, rack = w.owner[place], place // w.one.rack
        if owner == OUT and before >= 0:
            w.holes[before, rack] += 1
        if owner >= 0:
            w.holes[owner, rack] -= 1
    if w.one.sold and (w.owner[place] == OUT) != (owner == OUT):
        count_sold(w, place, owner == OUT)
    if w.owner[place] == FREE:
        count_free(w, place, -1)
    elif w.owner[place] >= 0:
        w.gangs[w.owner[place]].places -= 1
    w.owner[place] = owner
    if owner == FREE:
        count_free(w, place, 1)
    elif owner >= 0:
        g = w.gangs[owner]
        g.lowest = min(g.lowest, place)
        g.highest = max(g.highest, place)
        g.places += 1
        if w.one.preflights:
            w.joined_at[place] = g.checks
            g.joined_low = min(g.joined_low, place)
            g.joined_high = max(g.joined_high, place)
        if w.one.has_traffic:
            group = place // w.one.group
            w.lies_in[owner, group // GROUPS] |= 1 << group % GROUPS


@rule
def count_free(w: World, place: int, change: int) -> None:
    """A place is free from now on, or no more."""
    block = place // BLOCK_OF_PLACES
    w.free_in_block[block] += change
    w.free_in_group[block // BLOCK_OF_PLACES] += change


@rule
def lowest_free(w: World) -> int:
    """Return the lowest free place; there must be one."""
    group = 0
    while not w.free_in_group[group]:
        group += 1
    block = group * BLOCK_OF_PLACES
    while not w.free_in_block[block]:
        block += 1
    place = block * BLOCK_OF_PLACES
    while w.owner[place] != FREE:
        place += 1
    return place


@rule
def link_moving(w: World, low: int) -> tuple[int, int]:
    """Note whose the places to move are, and link them; return the first and the last one. ``low``: from which on."""
    first, last = NONE, NONE
    for number in range(low, w.one.moving):
        place = w.moving[number]
        w.whose[place] = w.owner[place]
        w.next_place[place] = NONE
        if last >= 0:
            w.next_place[last] = place
        else:
            first = place
        last = place
    return first, last


@rule
def take_out(w: World) -> None:
    """The places to move leave service."""
    for number in range(w.one.moving):
        set_owner(w, w.moving[number], OUT)


@rule
def free_linked(w: World, first: int) -> None:
    """The places that are linked from this one are in service again, free."""
    while first >= 0:
        set_owner(w, first, FREE)
        first = w.next_place[first]


@rule
def take_free(w: World, gang: int, gpus: int) -> None:
    """Give a gang the lowest free places, which are then those to move; with in-rack spares where it lacks some."""
    w.one.moving = 0
    wanted = gpus // w.one.atom
    if w.one.rack:
        take_in_racks(w, gang, wanted)
        return
    for _ in range(wanted):
        place = lowest_free(w)
        set_owner(w, place, gang)
        move_to(w, place)


@rule
def take_in_racks(w: World, gang: int, wanted: int) -> None:
    """Give a gang free places of the racks where it lacks some, the lowest first."""
    for rack in range(w.holes.shape[1]):
        holes = w.holes[gang, rack]
        place, high = rack * w.one.rack, min((rack + 1) * w.one.rack, w.one.atoms)
        while holes > 0 and place < high and w.one.moving < wanted:
            if w.owner[place] == FREE:
                set_owner(w, place, gang)
                move_to(w, place)
                holes -= 1
            place += 1


@rule
def free_highest(w: World, gang: int, gpus: int) -> None:
    """Free a gang's highest places, which are then those to move."""
    count, place = gpus // w.one.atom, w.gangs[gang].highest + 1
    left = count
    while left:
        place -= 1
        if w.owner[place] == gang:
            set_owner(w, place, FREE)
            left -= 1
            w.moving[left] = place
    w.one.moving = count


@rule
def reach(w: World, gang: int) -> int:
    """Return the free GPUs that lie in racks where the gang lacks some, as many as it lacks there."""
    found = 0
    for rack in range(w.holes.shape[1]):
        holes, free = w.holes[gang, rack], 0
        if holes > 0:
            for place in range(rack * w.one.rack, min((rack + 1) * w.one.rack, w.one.atoms)):
                free += 1 if w.owner[place] == FREE else 0
            found += min(holes, free)
    return int(found * w.one.atom)
