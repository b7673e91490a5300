"""What is left of the network: rules on the tables of a plant (docs/model.md, 8.1).

A share is data rate left over data rate when healthy. ECMP hashes evenly over what is alive, so the worst link decides.
Sums are loops in the order of the components, so that they round alike in every version of Python.
"""

from dcsim.fabric.wiring import core_of
from dcsim.plant.left import left_of, reaches
from dcsim.plant.tables import (
    ACCESS_LINK,
    CORE,
    LEAF,
    LEAF_UPLINK,
    NONE,
    NVLINK_SWITCH,
    SPINE,
    SPINE_UPLINK,
    PlantTables,
)

MOST = 2.0
"""Above any share."""


def access_share(w: PlantTables, node: int) -> float:
    """Return the share of a node's worst NIC; with ``reroute`` the mean over its NICs.

    A NIC's share is the mean over its homes: a port is worth what both its link and its leaf are worth, nothing if the
    leaf is cut off. Without ``reroute`` every NIC carries its own part of the traffic, so the worst decides; with it
    the others take over.
    """
    p = w.plant
    total, worst, link = 0.0, 1.0, node * p.nics * p.homes
    first_leaf, rail = w.segment_of[node] * p.leaves, 0
    for _ in range(p.nics):
        ports = 0.0
        for home in range(p.homes):
            leaf = first_leaf + rail * p.homes + home
            if not w.cut_off[leaf]:
                ports += left_of(w, ACCESS_LINK, link) * left_of(w, LEAF, leaf)
            link += 1
        rail += 1
        if rail == p.rails:
            rail = 0
        share = ports / p.homes
        total += share
        worst = min(worst, share)
    return total / p.nics if p.reroute else worst


def evaluate_access(w: PlantTables, low: int, high: int) -> None:
    """Find out what nodes of one segment have left of their links; those whose own are whole have the same."""
    healthy, first, end, settles = -1.0, NONE, NONE, False
    for node in range(low, high):
        if w.broken_links[node]:
            share = access_share(w, node)
        else:
            if healthy < 0:
                healthy = access_share(w, node)
            share = healthy
        before = w.access[node]
        if share != before:
            first = node if first < 0 else first
            end = node + 1
            settles = settles or (before <= 0) != (share <= 0)
            w.access[node] = share
            note_impaired(w, node, share < 1)
    if first >= 0:
        p = w.plant
        p.first_node = min(p.first_node, first) if p.end_node else first
        p.end_node = max(p.end_node, end)
        if settles:
            reaches(w, first, end)


def note_impaired(w: PlantTables, node: int, impaired: bool) -> None:
    """Keep the list of nodes whose network is not whole."""
    p, at = w.plant, w.impaired_at[node]
    if impaired and at < 0:
        w.impaired[p.impaired] = node
        w.impaired_at[node] = p.impaired
        p.impaired += 1
    elif not impaired and at >= 0:
        p.impaired -= 1
        last = w.impaired[p.impaired]
        w.impaired[at] = last
        w.impaired_at[last] = at
        w.impaired_at[node] = NONE


def uplink_share(w: PlantTables, leaf: int, pod: int) -> float:
    """Return the mean over a leaf's uplinks of what each has left, with its spine: link i goes to spine i mod spines.

    0 cuts the leaf off.
    """
    p = w.plant
    total, spine = 0.0, 0
    for link in range(leaf * p.uplinks, (leaf + 1) * p.uplinks):
        total += left_of(w, LEAF_UPLINK, link) * left_of(w, SPINE, pod * p.spines + spine)
        spine += 1
        if spine == p.spines:
            spine = 0
    return float(total / p.uplinks)


def leaf_share(w: PlantTables, segment: int) -> float:
    """Return the share of uplinks of a segment's worst leaf; note which leaves are cut off now.

    A leaf that is dead or cut off carries nothing and is left out: its ports are gone too.
    """
    p, pod = w.plant, w.pod_of[segment]
    healthy, worst = -1.0, MOST  # those whose own uplinks are whole have the same
    for leaf in range(segment * p.leaves, (segment + 1) * p.leaves):
        share = 1.0
        if w.broken_uplinks[leaf]:
            share = uplink_share(w, leaf, pod)
        elif w.broken_spines[pod]:
            if healthy < 0:
                healthy = uplink_share(w, leaf, pod)
            share = healthy
        cut_off = 1 if share <= 0 else 0
        if cut_off != w.cut_off[leaf]:
            w.cut_off[leaf] = cut_off
            p.leaves_cut = 1
        if share > 0 and left_of(w, LEAF, leaf) > 0:
            worst = min(worst, share)
    return worst if worst < MOST else 0.0


def leaf_changes(w: PlantTables, segment: int) -> None:
    """A leaf of a segment has another share: so have the ports that hang on it."""
    if w.plant.has_spines:
        evaluate_segments(w, segment, segment + 1)
    evaluate_access(w, w.segment_bounds[segment], w.segment_bounds[segment + 1])


def evaluate_segments(w: PlantTables, first: int, end: int) -> None:
    """Find out what segments have left of their uplinks, and nodes of their links to leaves that are cut off."""
    p = w.plant
    for segment in range(first, end):
        p.leaves_cut = 0
        before = w.leaf[segment]
        share = leaf_share(w, segment)
        low, high = w.segment_bounds[segment], w.segment_bounds[segment + 1]
        if share != before:
            w.leaf[segment] = share
            p.first_segment = min(p.first_segment, segment) if p.end_segment else segment
            p.end_segment = max(p.end_segment, segment + 1)
            if (share <= 0) != (before <= 0):
                reaches(w, low, high)
        if p.leaves_cut:
            evaluate_access(w, low, high)


def spine_share(w: PlantTables, spine: int) -> float:
    """Return the mean over a spine's uplinks of what each has left, with its core."""
    p = w.plant
    pod, own, total = spine // p.spines, spine % p.spines, 0.0
    for link in range(p.spine_uplinks):
        share = left_of(w, SPINE_UPLINK, spine * p.spine_uplinks + link)
        if w.plant_kinds[CORE].first >= 0:
            share *= left_of(w, CORE, core_of(pod, own, link, p.spines, p.spine_uplinks, p.planes, p.cores))
        total += share
    return float(total / p.spine_uplinks)


def core_share(w: PlantTables, pod: int) -> float:
    """Return the share of a pod's capacity to the other pods.

    ECMP gives every spine that has a way up the same load: the worst of them decides.
    """
    p = w.plant
    worst, alive = MOST, 0
    for spine in range(pod * p.spines, (pod + 1) * p.spines):
        share = left_of(w, SPINE, spine)
        if share > 0 and w.spine_up[spine] > 0:
            worst = min(worst, w.spine_up[spine] * share)
            alive += 1
    return worst * (alive / p.spines) if alive else 0.0


def core_changes(w: PlantTables, core: int) -> None:
    """A core has another share: so have the spines of its plane."""
    p = w.plant
    plane = core // (p.cores // p.planes)
    for pod in range(p.pods):
        for spine in range(pod * p.spines + plane, (pod + 1) * p.spines, p.planes):
            w.spine_up[spine] = spine_share(w, spine)
    evaluate_pods(w, 0, p.pods)


def evaluate_pods(w: PlantTables, first: int, end: int) -> None:
    """Find out what pods have left of their ways to the cores."""
    p = w.plant
    for pod in range(first, end):
        before, share = w.core[pod], core_share(w, pod)
        if share != before:
            w.core[pod] = share
            p.first_pod = min(p.first_pod, pod) if p.end_pod else pod
            p.end_pod = max(p.end_pod, pod + 1)
            if (share <= 0) != (before <= 0):
                reaches(w, w.segment_bounds[w.pod_bounds[pod]], w.segment_bounds[w.pod_bounds[pod + 1]])


def domain_changes(w: PlantTables, domain: int) -> None:
    """An NVLink switch has another share: its domain needs so many that are not dead."""
    p, alive = w.plant, 0
    for switch in range(domain * p.switches, (domain + 1) * p.switches):
        alive += 1 if left_of(w, NVLINK_SWITCH, switch) > 0 else 0
    has_enough = 1 if alive >= p.least else 0
    if has_enough != w.domain[domain]:
        w.domain[domain] = has_enough
        reaches(w, domain * p.domain_nodes, min((domain + 1) * p.domain_nodes, p.nodes))
