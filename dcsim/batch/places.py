"""Which GPU belongs to whom, compiled; needed where a failure strikes a part of the topology (``dcsim.engine.places``).

Places are counted in atoms, the greatest common divisor of everything that moves together. Without such failures there
are no places at all, and nothing here does anything.
"""

from dcsim.batch.machine import (
    ATOM,
    FREE_OWNER,
    LOWEST_FREE,
    OUT_OF_SERVICE,
    OWNED_BY,
    STRUCK_BY,
    STRUCK_END,
    STRUCK_FROM,
    TALLY,
    WHOSE,
    compiled,
)
from dcsim.batch.strikes import Ints


@compiled
def take(one: Ints, places: Ints, gang: int, gpus: int) -> None:
    """Give a gang the lowest free GPUs."""
    if not places.shape[1]:
        return
    left, atom = gpus // one[ATOM], one[LOWEST_FREE]
    while left:
        if places[OWNED_BY, atom] == FREE_OWNER:
            places[OWNED_BY, atom] = gang
            left -= 1
        atom += 1
    one[LOWEST_FREE] = atom


@compiled
def cede(one: Ints, places: Ints, gang: int, gpus: int) -> None:
    """Free a gang's highest GPUs."""
    left, atom = gpus // one[ATOM], places.shape[1]
    if not atom:
        return
    while left:
        atom -= 1
        if places[OWNED_BY, atom] == gang:
            places[OWNED_BY, atom] = FREE_OWNER
            left -= 1
    one[LOWEST_FREE] = min(one[LOWEST_FREE], atom)


@compiled
def strike_members(one: Ints, places: Ints, struck: Ints, number: int, owner: int, first: int, gpus: int) -> None:
    """Take an owner's GPUs from rank ``first`` on out of service; ranks follow the index."""
    if not places.shape[1]:
        return
    skip, left, atom = first // one[ATOM], gpus // one[ATOM], 0
    struck[number, STRUCK_FROM] = places.shape[1]
    while left:
        if places[OWNED_BY, atom] == owner:
            if skip:
                skip -= 1
            else:
                struck[number, STRUCK_FROM] = min(struck[number, STRUCK_FROM], atom)
                take_out(places, atom, number)
                left -= 1
        atom += 1
    struck[number, STRUCK_END] = atom


@compiled
def take_out(places: Ints, atom: int, number: int) -> None:
    """Take an atom out of service."""
    places[WHOSE, atom] = places[OWNED_BY, atom]
    places[OWNED_BY, atom], places[STRUCK_BY, atom] = OUT_OF_SERVICE, number


@compiled
def strike_part(one: Ints, gangs: Ints, places: Ints, struck: Ints, number: int, low: int, high: int) -> int:
    """Take all of a part that is in service out of it; tally the GPUs by gang and return those that were free."""
    struck[number, STRUCK_FROM], struck[number, STRUCK_END] = low, high
    free = 0
    for atom in range(low, high):
        owner = places[OWNED_BY, atom]
        if owner == OUT_OF_SERVICE:
            continue
        if owner == FREE_OWNER:
            free += one[ATOM]
        else:
            gangs[owner, TALLY] += one[ATOM]
        take_out(places, atom, number)
    return free


@compiled
def tally(one: Ints, gangs: Ints, places: Ints, struck: Ints, number: int) -> int:
    """Tally the GPUs that a strike took, by gang; return those that were free."""
    free = 0
    for atom in range(struck[number, STRUCK_FROM], struck[number, STRUCK_END]):
        if places[STRUCK_BY, atom] != number:
            continue
        owner = places[WHOSE, atom]
        if owner == FREE_OWNER:
            free += one[ATOM]
        else:
            gangs[owner, TALLY] += one[ATOM]
    return free


@compiled
def tallied(gangs: Ints, gang: int) -> int:
    """Return what is tallied of a gang, once."""
    gpus = gangs[gang, TALLY]
    gangs[gang, TALLY] = 0
    return gpus  # type: ignore[no-any-return]


@compiled
def give_back(one: Ints, places: Ints, struck: Ints, number: int) -> None:
    """Free what a strike took out of service."""
    if not places.shape[1]:
        return
    low, high = struck[number, STRUCK_FROM], struck[number, STRUCK_END]
    for atom in range(low, high):
        if places[STRUCK_BY, atom] == number:
            places[OWNED_BY, atom], places[STRUCK_BY, atom] = FREE_OWNER, -1
    one[LOWEST_FREE] = min(one[LOWEST_FREE], low)
