"""Failures of many replications, one after the other, compiled: what ``dcsim.engine.simulation`` does in SimPy."""

import numpy as np

from dcsim.batch.failing import alone, come_back, hit_part, hit_slot, identify, identify_part, leave, part_back, release
from dcsim.batch.layout import Layout
from dcsim.batch.machine import (
    ARRIVAL,
    ARRIVED,
    ARRIVING,
    BLAST,
    BOOKED,
    DUE,
    DUE_KEY,
    DUE_ROWS,
    ENDED_ROWS,
    FAILURES,
    FOUND_AFTER,
    FREE,
    HIT,
    HORIZON,
    IDENTIFY,
    IN_ROW,
    KEPT,
    NEVER,
    OWNER,
    PART,
    POOL,
    REPAIRED,
    SERVE,
    SERVICE,
    SLOTS,
    STRETCHES,
    STRIKE,
    STRUCK_COLUMNS,
    SUBMIT,
    compiled,
)
from dcsim.batch.queueing import change_free, pop, push, serve, stop, want
from dcsim.batch.strikes import Ints, Strikes


def replay(layout: Layout, strikes: Strikes, rows: int) -> tuple[Ints, Ints, Ints]:
    """Let failures strike; return (bookings by job, single numbers, stretches that ended).

    int64 (rows, jobs, BOOKED), (rows, ONE) and (ENDED_ROWS, stretches); see ``dcsim.batch.machine``.
    """
    count = len(strikes)
    booked = np.zeros((rows, len(layout.plan.scenario.jobs), BOOKED), dtype=np.int64)
    single = np.repeat(layout.one[None, :], rows, axis=0)
    columns = strikes.bounds, strikes.time, strikes.repair, strikes.hazard, strikes.mark, layout.plan.slot_bounds
    at_start = layout.gangs, layout.pools, layout.places
    struck = np.empty((int(np.diff(strikes.bounds).max()), STRUCK_COLUMNS), dtype=np.int64)
    tables = [*columns, *at_start, layout.legal, layout.hazards, booked, single]
    tables += [*(np.empty_like(each) for each in at_start), struck]
    tables.append(np.array([0, -1], dtype=np.int64))
    due = np.empty((DUE_ROWS, 64), dtype=np.int64)
    room = count + count // 2 + (rows + 4) * len(layout.gangs) + 64
    ended = np.empty((ENDED_ROWS, room), dtype=np.int64)
    tables += [due, ended]
    while _replay(*tables):
        tables[-2:] = due, ended = _roomier(due), _roomier(ended)
    return booked, single, ended[:, : single[-1, STRETCHES]]


def _roomier(array: Ints) -> Ints:
    """Return a copy with room for half as much again."""
    return np.concatenate([array, np.empty_like(array[:, : array.shape[1] // 2])], axis=1)


@compiled
def _replay(
    bounds: Ints, all_times: Ints, all_repairs: Ints, all_hazards: Ints, all_marks: Ints, slots: Ints,
    all_gangs: Ints, all_pools: Ints, all_places: Ints, legal: Ints, hazards: Ints, all_booked: Ints, single: Ints,
    gangs: Ints, pools: Ints, places: Ints, struck: Ints, where: Ints, due: Ints, ended: Ints,
) -> bool:  # fmt: skip
    """Work through the rows; see ``replay``. Strikes of a row are [bounds[row], bounds[row + 1]).

    It returns True to be called again with more room in ``due`` and ``ended``; ``where``: the row and the strike to go
    on with, -1 for one that has not begun.
    """
    count = len(gangs)
    most = 2 * count + 8  # more stretches than one event can end
    for row in range(where[0], len(bounds) - 1):
        one, booked = single[row], all_booked[row]
        low, high = bounds[row], bounds[row + 1]
        time, repair, hazard = all_times[low:high], all_repairs[low:high], all_hazards[low:high]
        mark = all_marks[low:high]
        strike, last, end = where[1], high - low, 4 * one[HORIZON]
        if strike < 0:
            refill(gangs, all_gangs)
            refill(pools, all_pools)
            refill(places, all_places)
            one[IN_ROW] = row
            one[STRETCHES] = single[row - 1, STRETCHES] if row else 0
            strike = 0
        while True:
            if one[DUE] + 4 > due.shape[1] or one[STRETCHES] + most > ended.shape[1]:
                where[0], where[1] = row, strike
                return True
            key = 4 * time[strike] + STRIKE if strike < last else NEVER
            key = min(key, one[SERVE])
            if one[DUE]:
                key = min(key, due[DUE_KEY, 0])
            key = min(key, 4 * one[ARRIVAL])
            if key >= end:
                break
            now, kind = key >> 2, key & 3
            if now == one[ARRIVAL] and kind == REPAIRED:
                want(one, gangs, booked, legal, places, ended, due, arrive(one, gangs), now)
                continue
            if kind == STRIKE:
                cause = hazard[strike]
                found = now + hazards[cause, FOUND_AFTER]
                back = found + repair[strike]
                quiet = not one[DUE] and (strike + 1 == last or back <= time[strike + 1])
                quiet = quiet and back < min(one[HORIZON], one[ARRIVAL]) and one[FREE] == one[SLOTS]
                blast, marked = hazards[cause, BLAST], mark[strike]
                gang = holder(slots, marked)
                rank = marked - slots[gang]
                if (
                    quiet
                    and not places.shape[1]
                    and alone(one, gangs, booked, ended, gang, rank, blast, now, found, back)
                ):
                    strike += 1
                    continue
                if hazards[cause, PART]:
                    hits = hit_part(one, gangs, booked, places, ended, struck, strike, marked, hazards[cause], now)
                else:
                    hits = hit_slot(one, gangs, booked, places, ended, struck, strike, gang, rank, blast, now)
                if hits:
                    one[FAILURES] += 1
                    push(one, due, 4 * found + IDENTIFY, strike)
                strike += 1
            elif kind == SERVICE:
                serve(one, gangs, booked, legal, places, ended, now)
                one[SERVE] = NEVER
            elif kind == IDENTIFY:
                number = pop(one, due)
                leave(one, due, pools, struck, hazards[hazard[number], POOL], number, repair[number], now)
                if places.shape[1]:
                    identify_part(one, gangs, booked, legal, places, ended, struck, due, number, now)
                    continue
                gang, hit = struck[number, OWNER], struck[number, HIT]
                if gang < count and identify(one, gangs, booked, gang, hit, now):
                    want(one, gangs, booked, legal, places, ended, due, gang, now)
            else:
                number = pop(one, due)
                if places.shape[1]:
                    part_back(one, gangs, booked, places, struck, number, now)
                else:
                    come_back(one, gangs, booked, struck[number, OWNER], struck[number, HIT], now)
                waits = release(pools, struck, hazards[hazard[number], POOL])
                if waits >= 0:
                    push(one, due, 4 * (now + repair[waits]) + REPAIRED, waits)
        for gang in range(count):
            stop(one, gangs, booked, ended, gang, one[HORIZON], KEPT)
        change_free(one, 0, one[HORIZON])
        where[1] = -1
    return False


@compiled
def refill(table: Ints, content: Ints) -> None:
    """Copy a table into another of its shape."""
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            table[row, column] = content[row, column]


@compiled
def holder(slots: Ints, slot: int) -> int:
    """Return the gang that a slot belongs to, their number: it is a free GPU's; ``slots``: the first of every gang."""
    low, high = 0, len(slots) - 1
    if slot >= slots[high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if slots[middle] <= slot:
            low = middle
        else:
            high = middle
    return low


@compiled
def arrive(one: Ints, gangs: Ints) -> int:
    """Return the gang that is submitted now; the next one is looked up."""
    gang = gangs[one[ARRIVED], ARRIVING]
    one[ARRIVED] += 1
    one[ARRIVAL] = gangs[gangs[one[ARRIVED], ARRIVING], SUBMIT] if one[ARRIVED] < len(gangs) else NEVER >> 2
    return gang  # type: ignore[no-any-return]
