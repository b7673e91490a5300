"""The storage queue: loads and blocking writes of all gangs share the gateways.

A transfer that has storage to itself takes the time that the scenario says. What its gang can take at most (its state
over that time) is its own limit, divided by how much its links are stretched; the gateways' bandwidth is shared max-min
fairly. Progress is counted in ms of that time and parts per billion, so that everything stays an integer.
"""

import numpy as np

from dcsim.plant.left import left_of
from dcsim.plant.tables import GATEWAY
from dcsim.program.records import FINISHED, HAS_MOVED, LOADS, NONE, PPB, WHOLE, WRITES
from dcsim.program.world import World
from dcsim.rules.ageing import refresh_gang
from dcsim.rules.due import push
from dcsim.rules.gangs import transfer_end, transfer_late
from dcsim.rules.log import note_transfer
from dcsim.rules.movements import plan_finish
from dcsim.rules.relapses import plan_relapse
from dcsim.rules.rule import rule
from dcsim.rules.traffic import stretched

GB_PER_GIB = 2**30 / 1e9
MS_PER_S = 1000


@rule
def transfers_begin(w: World, gang: int, now: int) -> None:
    """A gang goes through failover and restore, then runs: plan its load and its first write."""
    g = w.gangs[gang]
    if not w.jobs[g.job].stores:
        return
    transfers_stop(w, gang, now)
    if g.loads:
        at = g.since + g.failover + g.restore - g.loads * w.jobs[g.job].load
        push(w, at, FINISHED, LOADS, gang, w.transfers[gang].turn)
    else:
        plan_write(w, gang)


@rule
def transfers_stop(w: World, gang: int, now: int) -> None:
    """A gang moves nothing any more."""
    t = w.transfers[gang]
    t.turn += 1
    if t.active:
        note_transfer(w, gang, now)
        t.active = 0
        share_gateways(w, now)


@rule
def gateways_have_changed(w: World, now: int) -> None:
    """Gateways may have failed or be back."""
    gateways = 0.0
    for gateway in range(w.plant.gateways):
        gateways += left_of(w, GATEWAY, gateway)
    capacity = gateways * w.plant.bandwidth
    if capacity != w.plant.capacity:
        w.plant.capacity = capacity
        share_gateways(w, now)


@rule
def plan_write(w: World, gang: int) -> None:
    """The next write to the slowest tier begins after the computing and the faster writes before it."""
    g = w.gangs[gang]
    tiers = w.jobs[g.job].tiers
    if not tiers:
        return
    slowest = w.tiers[g.job, tiers - 1]
    if not slowest.write or slowest.drain:
        return  # what drains while the gang computes is background traffic: it gives way to all others
    at = g.since + g.failover + g.restore + g.held
    done = (g.writes + 1) * w.tiers[g.job, 0].level_period - slowest.write
    push(w, at + done, FINISHED, WRITES, gang, w.transfers[gang].turn)


@rule
def begin_load(w: World, gang: int, turn: int, now: int) -> None:
    """A gang reads its state."""
    if turn != w.transfers[gang].turn:
        return
    g = w.gangs[gang]
    time = g.loads * w.jobs[g.job].load
    if g.phase == WHOLE and time:
        begin_transfer(w, gang, time, g.loads, 0, now)
    else:
        plan_write(w, gang)


@rule
def begin_write(w: World, gang: int, turn: int, now: int) -> None:
    """A gang writes its state, and is blocked by it."""
    g = w.gangs[gang]
    if turn == w.transfers[gang].turn and g.phase == WHOLE:
        begin_transfer(w, gang, w.tiers[g.job, w.jobs[g.job].tiers - 1].write, 1, 1, now)


@rule
def begin_transfer(w: World, gang: int, time: int, times: int, write: int, now: int) -> None:
    """A transfer joins those under way."""
    t = w.transfers[gang]
    t.limit = w.jobs[w.gangs[gang].job].state * GB_PER_GIB * times / time * MS_PER_S
    t.active = 1
    t.time = time
    t.left = time * PPB
    t.start = now
    t.at = now
    t.pace = NONE  # it has none yet, not even 0
    t.write = write
    w.gangs[gang].transfer = 1
    share_gateways(w, now)


@rule
def share_gateways(w: World, now: int) -> None:
    """Share the gateways among what is under way; plan every end anew that has changed."""
    fair_rates(w)
    for gang in range(w.one.gangs):
        t = w.transfers[gang]
        if not t.active:
            continue
        pace = min(PPB, int(np.rint(t.rate / t.limit * PPB)))
        if pace == t.pace:
            continue
        note_transfer(w, gang, now)
        t.left = max(0, t.left - (now - t.at) * t.pace)  # what ends in this very ms may have moved more than it needs
        t.at = now
        t.pace = pace
        g, never = w.gangs[gang], 2 * w.one.horizon + 1
        end = transfer_end(w, gang, never)
        if not t.write:
            g.restore = end - g.since - g.failover
        push(w, min(end, never), FINISHED, HAS_MOVED, gang, end)
        transfer_has_changed(w, gang, now)


@rule
def fair_rates(w: World) -> None:
    """Find the max-min fair rates [GB/s] of what is under way: the lowest limits first, gangs in order."""
    left, capacity, last, last_gang = 0, w.plant.capacity, -1.0, NONE
    for gang in range(w.one.gangs):
        left += 1 if w.transfers[gang].active else 0
    while left:
        lowest, found = 0.0, NONE
        for gang in range(w.one.gangs):
            if w.transfers[gang].active:
                limit = w.transfers[gang].limit / stretched(w, gang)
                later = limit > last or (limit == last and gang > last_gang)
                if later and (found < 0 or limit < lowest):
                    lowest, found = limit, gang
        rate = min(lowest, capacity / left)
        w.transfers[found].rate = rate
        capacity -= rate
        left -= 1
        last, last_gang = lowest, found


@rule
def end_transfer(w: World, gang: int, end: int, now: int) -> None:
    """A transfer is done, unless its end was planned at another pace."""
    t, g = w.transfers[gang], w.gangs[gang]
    if not t.active or transfer_end(w, gang, 2 * w.one.horizon + 1) != end:
        return
    note_transfer(w, gang, now)
    t.active = 0
    g.transfer = 0
    if t.write:
        g.writes += 1
        g.held += transfer_late(w, gang, now)
    plan_write(w, gang)
    share_gateways(w, now)
    transfer_has_changed(w, gang, now)


@rule
def transfer_has_changed(w: World, gang: int, now: int) -> None:
    """A load or a write of a gang takes another time than was planned."""
    if w.one.clocks:
        refresh_gang(w, gang, now)
    plan_finish(w, gang)
    plan_relapse(w, gang)
