"""Whose GPUs a failure, a repair or a window took: parts, one for each gang in order, then one for free GPUs."""

from dcsim.program.records import MAKE_ROOM, NONE, TABLE
from dcsim.program.world import World
from dcsim.rules.rule import ask, quotient, rule

PARTS_TABLE = TABLE["parts"]


@rule
def group_of(rank: int, blast: int, members: int) -> int:
    """Return how many members a typed blast strikes that marks this rank: a group, or those behind all groups."""
    if rank + blast <= members:  # that rank is not in the last group
        return blast
    return min(blast, members - quotient(rank, blast) * blast)


@rule
def insert_part(w: World, first: int, gang: int, gpus: int) -> int:
    """Add GPUs of a gang (NONE: free ones) to the parts that begin with ``first``; return the first one then."""
    before, part = NONE, first
    while part >= 0 and w.parts[part].gang != gang and is_listed_before(w.parts[part].gang, gang):
        before, part = part, w.parts[part].following
    if part >= 0 and w.parts[part].gang == gang:
        w.parts[part].gpus += gpus
        return first
    new = new_part(w)
    p = w.parts[new]
    p.gang = gang
    p.gpus = gpus
    p.following = part
    if before >= 0:
        w.parts[before].following = new
        return first
    return new


@rule
def first_part(w: World, gang: int, gpus: int) -> int:
    """Return a part of which none comes before, nor after."""
    new = new_part(w)
    p = w.parts[new]
    p.gang = gang
    p.gpus = gpus
    p.following = NONE
    return new


@rule
def new_part(w: World) -> int:
    """Return a part that is not in use."""
    new = w.one.free_part
    if new >= 0:
        w.one.free_part = w.parts[new].following
        return int(new)
    new = w.one.parts
    if new == len(w.parts):
        ask(w, MAKE_ROOM, PARTS_TABLE, new + 1)
    w.one.parts = new + 1
    return int(new)


@rule
def give_back_parts(w: World, first: int) -> None:
    """Nobody needs the parts from one on any more."""
    part = first
    while part >= 0:
        following = w.parts[part].following
        w.parts[part].following = w.one.free_part
        w.one.free_part = part
        part = following


@rule
def is_listed_before(gang: int, other: int) -> bool:
    """Whether a gang's part comes before another's; that of the free GPUs is last."""
    return gang >= 0 and (other < 0 or gang < other)


@rule
def add_part(w: World, failure: int, gang: int, gpus: int) -> None:
    """A failure takes GPUs of a gang; NONE: free ones."""
    f = w.failures[failure]
    if f.first_part < 0:
        f.first_part = first_part(w, gang, gpus)
        f.parts = 1
    else:
        f.first_part = insert_part(w, f.first_part, gang, gpus)
        f.parts = count_parts(w, f.first_part)


@rule
def count_parts(w: World, part: int) -> int:
    """Return the number of parts from one on."""
    count = 0
    while part >= 0:
        count += 1
        part = w.parts[part].following
    return count


@rule
def parts_from(w: World, first: int) -> int:
    """Return the first part of the places that are linked from this one, by those whose they were."""
    found, last, count = NONE, w.whose[first] if first >= 0 else NONE, 0
    while first >= 0:
        owner = w.whose[first]
        if owner != last:
            found = insert_part(w, found, last, count * w.one.atom)
            last, count = owner, 0
        count += 1
        first = w.next_place[first]
    return insert_part(w, found, last, count * w.one.atom) if count else found
