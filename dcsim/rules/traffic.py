"""Who sends how much over which uplinks, and how much longer each gang's communication takes for it.

Demands are in units of a healthy part: of the uplinks of a segment's leaf, of the uplinks of a pod's spines. Only gangs
on more than one NVLink domain use the network at all, only those in several segments the uplinks of leaves, only those
in several pods the uplinks of spines. Leaves of one segment carry alike, so the worst of them decides.

A *part* is a segment, or a pod: then its number comes behind those of all segments. ``demands`` has a row for each gang
and part that it asks something of, linked by gang and by part.
"""

import numpy as np

from dcsim.fabric.slowdown import md1_factor, slowdown, stretch
from dcsim.program.records import GROUP_OF_NODES, GROUPS, MAKE_ROOM, NONE, PPB, TABLE
from dcsim.program.world import World
from dcsim.rules.movements import set_pace
from dcsim.rules.rule import ask, rule

DEMANDS_TABLE = TABLE["demands"]
LEAST = 1e-9
"""Share that a link has at least while a gang uses it: what has none is down, and its gangs with it."""
FEW = 32
"""Gangs that are put in order one by one (assumed); of more, all gangs are looked through."""
for each in (md1_factor, stretch, slowdown):
    rule(each)

# --- who is touched by a change ---------------------------------------------------------------------------------------


@rule
def sends_from_now(w: World, gang: int, now: int) -> bool:
    """A gang runs, on the GPUs that it has now; return whether that changes the time of any gang's communication."""
    ends_to_send(w, gang)
    load_network(w, gang)
    touch_sharing(w, gang)
    touch(w, gang)
    refresh_network(w, now)
    return True


@rule
def sends_no_more(w: World, gang: int, now: int) -> bool:
    """A gang runs no longer; return whether that changes the time of any gang's communication."""
    ends_to_send(w, gang)
    return refresh_network(w, now)


@rule
def touch(w: World, gang: int) -> None:
    """A gang's communication may take another time from now on."""
    if not w.gangs[gang].touched:
        w.gangs[gang].touched = 1
        w.touching[w.one.touching] = gang
        w.one.touching += 1


@rule
def touch_sharing(w: World, gang: int) -> None:
    """The gangs that ask for something of the same parts as this one are touched."""
    demand = w.gangs[gang].first_demand
    while demand >= 0:
        touch_part(w, w.demands[demand].part)
        demand = w.demands[demand].next_of_gang


@rule
def touch_part(w: World, part: int) -> None:
    """The gangs that ask for something of a part are touched."""
    demand = w.first_demand[part]
    while demand >= 0:
        touch(w, w.demands[demand].gang)
        demand = w.demands[demand].next_of_part


@rule
def touch_reached(w: World, everywhere: bool) -> None:
    """The gangs that send and have something where the last change of the plant reaches are touched, or all senders."""
    if everywhere:
        for gang in range(w.one.gangs):
            if w.gangs[gang].sends:
                touch(w, gang)
        return
    for segment in range(w.plant.first_segment, w.plant.end_segment):
        touch_part(w, segment)
    for pod in range(w.plant.first_pod, w.plant.end_pod):
        touch_part(w, w.plant.segments + pod)
    for place in range(w.plant.first_node * w.one.node, min(w.plant.end_node * w.one.node, w.one.atoms)):
        owner = w.owner[place]
        if owner >= 0 and w.gangs[owner].sends:
            touch(w, owner)


@rule
def refresh_network(w: World, now: int) -> bool:
    """Let the gangs that are touched, in order, run at the speed that the network leaves; return whether any are."""
    count = w.one.touching
    w.one.touching = 0
    if count > FEW:
        for gang in range(w.one.gangs):
            if w.gangs[gang].touched:
                refresh_sender(w, gang, now)
        return True
    for place in range(1, count):
        gang, before = w.touching[place], place
        while before > 0 and w.touching[before - 1] > gang:
            w.touching[before] = w.touching[before - 1]
            before -= 1
        w.touching[before] = gang
    for place in range(count):
        refresh_sender(w, w.touching[place], now)
    return bool(count > 0)


@rule
def refresh_sender(w: World, gang: int, now: int) -> None:
    """Let a gang run at the speed that the network leaves."""
    g = w.gangs[gang]
    g.touched = 0
    network = int(np.rint(PPB / slowdown(w.jobs[g.job].comm, stretched(w, gang))))
    if network != g.network:
        g.network = network
        set_pace(w, gang, now)


# --- what gangs ask for -----------------------------------------------------------------------------------------------


@rule
def ends_to_send(w: World, gang: int) -> None:
    """A gang asks for nothing any more; those that it shared parts with are touched."""
    g = w.gangs[gang]
    g.sends = 0
    while g.first_demand >= 0:
        demand = g.first_demand
        d = w.demands[demand]
        g.first_demand = d.next_of_gang
        leave_part(w, demand)
        sum_part(w, d.part)
        touch_part(w, d.part)
        d.next_of_gang = w.one.free_demand
        w.one.free_demand = demand


@rule
def leave_part(w: World, demand: int) -> None:
    """Take a demand out of the list of its part."""
    part = w.demands[demand].part
    following = w.demands[demand].next_of_part
    if w.first_demand[part] == demand:
        w.first_demand[part] = following
        return
    other = w.first_demand[part]
    while w.demands[other].next_of_part != demand:
        other = w.demands[other].next_of_part
    w.demands[other].next_of_part = following


@rule
def ask_of_part(w: World, gang: int, part: int, asked: float) -> None:
    """A gang asks for this much of a part from now on."""
    new = w.one.free_demand
    if new >= 0:
        w.one.free_demand = w.demands[new].next_of_gang
    else:
        new = w.one.demands
        if new == len(w.demands):
            ask(w, MAKE_ROOM, DEMANDS_TABLE, new + 1)
        w.one.demands = new + 1
    d, before, other = w.demands[new], NONE, w.first_demand[part]
    while other >= 0 and w.demands[other].gang < gang:
        before = other
        other = w.demands[other].next_of_part
    d.gang = gang
    d.part = part
    d.demand = asked
    d.next_of_gang = w.gangs[gang].first_demand
    d.next_of_part = other
    w.gangs[gang].first_demand = new
    if before >= 0:
        w.demands[before].next_of_part = new
    else:
        w.first_demand[part] = new
    sum_part(w, part)


@rule
def sum_part(w: World, part: int) -> None:
    """Add up what gangs ask of a part: anew and in order, not by differences, so that a lone gang sees its own."""
    total, traffic, demand = 0.0, 0.0, w.first_demand[part]
    while demand >= 0:
        d = w.demands[demand]
        total += d.demand
        traffic += d.demand * w.jobs[w.gangs[d.gang].job].comm
        demand = d.next_of_part
    w.total_demand[part] = total
    w.mean_traffic[part] = traffic


@rule
def load_network(w: World, gang: int) -> None:
    """Find out what a gang asks of the network with the GPUs that it has."""
    g = w.gangs[gang]
    low, high = end_node(w, gang, g.lowest, 1), end_node(w, gang, g.highest, -1)
    if low < 0 or w.domain_of[low] == w.domain_of[high]:
        return
    w.one.sendings += 1
    g.sends = w.one.sendings
    first, last = w.segment_of[low], w.segment_of[high]
    crosses = w.plant.has_spines > 0 and first != last
    far = crosses and w.one.of_pod > 0 and w.pod_of[first] != w.pod_of[last]
    segment, nodes, crossing = first, 0, 0.0
    for group in range(low // GROUP_OF_NODES, high // GROUP_OF_NODES + 1):
        if not w.lies_in[gang, group // GROUPS] >> group % GROUPS & 1:
            continue
        found = False
        for node in range(max(low, group * GROUP_OF_NODES), min(high + 1, (group + 1) * GROUP_OF_NODES)):
            if not send_from_node(w, gang, node):
                continue
            found = True
            if crosses and w.segment_of[node] != segment:
                crossing = ask_of_segment(w, gang, segment, nodes, crossing)
                if far and w.pod_of[w.segment_of[node]] != w.pod_of[segment]:
                    ask_of_part(w, gang, w.plant.segments + w.pod_of[segment], min(1.0, crossing * w.one.of_pod))
                    crossing = 0.0
                segment = w.segment_of[node]
                nodes = 0
            nodes += 1
        if not found:
            w.lies_in[gang, group // GROUPS] -= 1 << group % GROUPS
    if crosses:
        crossing = ask_of_segment(w, gang, segment, nodes, crossing)
        if far:
            ask_of_part(w, gang, w.plant.segments + w.pod_of[segment], min(1.0, crossing * w.one.of_pod))


@rule
def ask_of_segment(w: World, gang: int, segment: int, nodes: int, crossing: float) -> float:
    """A gang with so many nodes in a segment asks for its uplinks; return what it asks in the pod with that."""
    asked = min(1.0, nodes * w.one.of_leaf)
    ask_of_part(w, gang, segment, asked)
    return float(crossing + asked)


@rule
def end_node(w: World, gang: int, place: int, step: int) -> int:
    """Return a gang's first or last node, from a place on beyond which it has none; NONE: it has no place."""
    while 0 <= place < w.one.atoms:
        group = place // w.one.group
        if not w.lies_in[gang, group // GROUPS] >> group % GROUPS & 1:
            place = (group + 1) * w.one.group if step > 0 else group * w.one.group - 1
        elif w.owner[place] == gang:
            return int(place // w.one.node)
        else:
            place += step
    return NONE


@rule
def send_from_node(w: World, gang: int, node: int) -> bool:
    """Note from which places of a node a gang sends; return whether there are any."""
    found = False
    for place in range(node * w.one.node, min((node + 1) * w.one.node, w.one.atoms)):
        if w.owner[place] == gang:
            w.sends_at[place] = w.gangs[gang].sends
            found = True
    return found


# --- how long it takes ------------------------------------------------------------------------------------------------


@rule
def stretched(w: World, gang: int) -> float:
    """Return how much longer a gang's communication takes: the worst of its links decides."""
    g = w.gangs[gang]
    if not g.sends:
        return 1.0
    comm = w.jobs[g.job].comm
    worst = 1.0 / max(least_access(w, gang), LEAST)
    demand = g.first_demand
    while demand >= 0:
        d = w.demands[demand]
        left = w.leaf[d.part] if d.part < w.plant.segments else w.core[d.part - w.plant.segments]
        others = max(w.mean_traffic[d.part] - d.demand * comm, 0.0)
        worst = max(worst, stretch(w.total_demand[d.part], others, max(left, LEAST)))
        demand = d.next_of_gang
    return worst


@rule
def least_access(w: World, gang: int) -> float:
    """Return the least share of its links that a node has from which a gang sends."""
    least = 1.0
    for number in range(w.plant.impaired):
        node = w.impaired[number]
        if w.access[node] < least:
            for place in range(node * w.one.node, min((node + 1) * w.one.node, w.one.atoms)):
                if w.sends_at[place] == w.gangs[gang].sends:
                    least = w.access[node]
    return least
