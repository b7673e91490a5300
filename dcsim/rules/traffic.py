"""Who sends how much over which uplinks, and how much longer each gang's communication takes for it.

Demands are in units of a healthy part: of the uplinks of a segment's leaf, of the uplinks of a pod's spines. Only gangs
on more than one NVLink domain use the network at all, only those in several segments the uplinks of leaves, only those
in several pods the uplinks of spines. Leaves of one segment carry alike, so the worst of them decides.
"""

import numpy as np

from dcsim.program.records import NONE, PPB, World
from dcsim.rules.movements import set_pace
from dcsim.rules.rule import rule

LEAST = 1e-9
"""Share that a link has at least while a gang uses it: what has none is down, and its gangs with it."""
MOST_RHO = 0.95
"""Highest utilisation that the queue's formula is used at (``fabric.slowdown``)."""


@rule
def sends_from_now(w: World, gang: int, now: int) -> bool:
    """A gang runs, on the GPUs that it has now; return whether that changes the time of any gang's communication."""
    touch_nobody(w)
    ends_to_send(w, gang)
    load_network(w, gang)
    touch_sharing(w, gang)
    w.gangs[gang].touched = 1
    refresh_network(w, now)
    return True


@rule
def sends_no_more(w: World, gang: int, now: int) -> bool:
    """A gang runs no longer; return whether that changes the time of any gang's communication."""
    touch_nobody(w)
    ends_to_send(w, gang)
    w.gangs[gang].touched = 0
    return refresh_network(w, now)


@rule
def touch_nobody(w: World) -> None:
    """No gang is touched by a change so far."""
    for gang in range(w.one.gangs):
        w.gangs[gang].touched = 0


@rule
def refresh_network(w: World, now: int) -> bool:
    """Let the gangs that are touched run at the speed that the network leaves; return whether there are any."""
    found = False
    for gang in range(w.one.gangs):
        g = w.gangs[gang]
        if not g.touched:
            continue
        found = True
        comm = w.jobs[g.job].comm
        network = int(np.rint(PPB / ((1 - comm) + comm * stretched(w, gang))))
        if network != g.network:
            g.network = network
            set_pace(w, gang, now)
    return found


@rule
def touch_reached(w: World, everywhere: bool) -> None:
    """The gangs that send and have something where the last change of the plant reaches are touched, or all senders."""
    for gang in range(w.one.gangs):
        g = w.gangs[gang]
        g.touched = g.sends if everywhere else 0
        if g.sends and not everywhere:
            for segment in range(w.reach[2], w.reach[3]):
                if w.segment_demand[gang, segment] > 0:
                    g.touched = 1
            for pod in range(w.reach[4], w.reach[5]):
                if w.pod_demand[gang, pod] > 0:
                    g.touched = 1
    if everywhere:
        return
    for place in range(w.reach[0] * w.one.node, min(w.reach[1] * w.one.node, w.one.atoms)):
        owner = w.owner[place]
        if owner >= 0 and w.gangs[owner].sends:
            w.gangs[owner].touched = 1


@rule
def touch_sharing(w: World, gang: int) -> None:
    """The gangs that ask for something of the same parts as this one are touched."""
    for segment in range(w.one.segments_of_network):
        if w.segment_demand[gang, segment] > 0:
            for other in range(w.one.gangs):
                if w.segment_demand[other, segment] > 0:
                    w.gangs[other].touched = 1
    for pod in range(w.one.pods):
        if w.pod_demand[gang, pod] > 0:
            for other in range(w.one.gangs):
                if w.pod_demand[other, pod] > 0:
                    w.gangs[other].touched = 1


@rule
def ends_to_send(w: World, gang: int) -> None:
    """A gang asks for nothing any more; those that it shared parts with are touched."""
    g = w.gangs[gang]
    if not g.sends:
        return
    g.sends = 0
    touch_sharing(w, gang)
    for segment in range(w.one.segments_of_network):
        if w.segment_demand[gang, segment] > 0:
            w.segment_demand[gang, segment] = 0.0
            sum_segment(w, segment)
    for pod in range(w.one.pods):
        if w.pod_demand[gang, pod] > 0:
            w.pod_demand[gang, pod] = 0.0
            sum_pod(w, pod)


@rule
def load_network(w: World, gang: int) -> None:
    """Find out what a gang asks of the network with the GPUs that it has."""
    g = w.gangs[gang]
    low, high = g.lowest, g.highest
    while low <= high and w.owner[low] != gang:
        low += 1
    while low <= high and w.owner[high] != gang:
        high -= 1
    first, last = low // w.one.node, high // w.one.node
    if low > high or w.domain_of[first] == w.domain_of[last]:
        return
    g.sends = 1
    parts = 0
    for node in range(g.lowest // w.one.node, g.highest // w.one.node + 1):
        if send_from_node(w, gang, node) and w.one.pods:
            segment = w.segment_of[node]
            parts += 1 if w.segment_demand[gang, segment] == 0 else 0
            w.segment_demand[gang, segment] += 1
    ask_of_uplinks(w, gang, parts)


@rule
def send_from_node(w: World, gang: int, node: int) -> bool:
    """Note from which places of a node a gang sends; return whether there are any."""
    found = False
    for place in range(node * w.one.node, min((node + 1) * w.one.node, w.one.atoms)):
        if w.owner[place] == gang:
            w.sends_at[place] = gang
            found = True
        elif w.sends_at[place] == gang:
            w.sends_at[place] = NONE
    return found


@rule
def ask_of_uplinks(w: World, gang: int, parts: int) -> None:
    """Turn a gang's nodes by segment into what it asks of the uplinks of their leaves, and of the spines of pods."""
    pods = 0
    for segment in range(w.one.segments_of_network):
        nodes = w.segment_demand[gang, segment]
        if nodes == 0:
            continue
        if parts < 2:
            w.segment_demand[gang, segment] = 0.0
            continue
        demand = min(1.0, nodes * w.one.of_leaf)
        w.segment_demand[gang, segment] = demand
        sum_segment(w, segment)
        pod = w.pod_of[segment]
        pods += 1 if w.pod_demand[gang, pod] == 0 else 0
        w.pod_demand[gang, pod] += demand
    for pod in range(w.one.pods):
        demand = w.pod_demand[gang, pod]
        if demand > 0:
            w.pod_demand[gang, pod] = min(1.0, demand * w.one.of_pod) if pods > 1 and w.one.of_pod > 0 else 0.0
            sum_pod(w, pod)


@rule
def sum_segment(w: World, segment: int) -> None:
    """Add up what gangs ask of a segment: anew and in order, not by differences, so that a lone gang sees its own."""
    total, traffic = 0.0, 0.0
    for gang in range(w.one.gangs):
        asked = w.segment_demand[gang, segment]
        if asked > 0:
            total += asked
            traffic += asked * w.jobs[w.gangs[gang].job].comm
    w.segment_total[segment] = total
    w.segment_traffic[segment] = traffic


@rule
def sum_pod(w: World, pod: int) -> None:
    """Add up what gangs ask of a pod, likewise."""
    total, traffic = 0.0, 0.0
    for gang in range(w.one.gangs):
        asked = w.pod_demand[gang, pod]
        if asked > 0:
            total += asked
            traffic += asked * w.jobs[w.gangs[gang].job].comm
    w.pod_total[pod] = total
    w.pod_traffic[pod] = traffic


# --- how long it takes ----------------------------------------------------------------------------------------------


@rule
def stretched(w: World, gang: int) -> float:
    """Return how much longer a gang's communication takes: the worst of its links decides."""
    if not w.gangs[gang].sends:
        return 1.0
    comm = w.jobs[w.gangs[gang].job].comm
    worst = 1.0 / max(least_access(w, gang), LEAST)
    for segment in range(w.one.segments_of_network):
        demand = w.segment_demand[gang, segment]
        if demand > 0:
            others = max(w.segment_traffic[segment] - demand * comm, 0.0)
            worst = max(worst, link_stretch(w.segment_total[segment], others, max(w.leaf[segment], LEAST)))
    for pod in range(w.one.pods):
        demand = w.pod_demand[gang, pod]
        if demand > 0:
            others = max(w.pod_traffic[pod] - demand * comm, 0.0)
            worst = max(worst, link_stretch(w.pod_total[pod], others, max(w.core[pod], LEAST)))
    return worst


@rule
def least_access(w: World, gang: int) -> float:
    """Return the least share of its links that a node has from which a gang sends."""
    g, least = w.gangs[gang], 1.0
    for node in range(g.lowest // w.one.node, g.highest // w.one.node + 1):
        if w.access[node] < least:
            for place in range(node * w.one.node, min((node + 1) * w.one.node, w.one.atoms)):
                if w.sends_at[place] == gang:
                    least = w.access[node]
    return least


@rule
def link_stretch(demand: float, others: float, left: float) -> float:
    """Return how much longer communication takes on one link, as ``fabric.slowdown.stretch``."""
    rho = min(others / left, MOST_RHO)
    return max(1.0, demand / left) * (1 + rho / (2 * (1 - rho)))
