"""What is out, what that reaches, and which nodes are down: rules on the tables of a plant.

A component has a share: 1 healthy, 0 dead. ``lose_part`` and ``restore_part`` change one and evaluate what it reaches,
no more; then they settle which nodes are down. Nodes are the smallest thing that goes down.
"""

from dcsim.plant.network import (
    core_changes,
    domain_changes,
    evaluate_access,
    evaluate_pods,
    evaluate_segments,
    leaf_changes,
    spine_share,
)
from dcsim.plant.supply import (
    ask_for_power,
    cooling_of,
    evaluate_cooling,
    evaluate_hall,
    evaluate_racks,
    evaluate_site,
    evaluate_units,
    hall_share,
    note_share,
    row_share,
    site_share,
    supply_share,
    trips,
)
from dcsim.plant.tables import (
    ACCESS_LINK,
    BUSWAY,
    CDU,
    CORE,
    FEED,
    GENERATOR,
    LEAF,
    LEAF_UPLINK,
    NONE,
    NVLINK_SWITCH,
    PSU,
    SHELF,
    SITE_FEED,
    SPINE,
    SPINE_UPLINK,
    PlantTables,
)


def lose_part(w: PlantTables, kind: int, index: int, keeps: float) -> None:
    """A component keeps only this share; several may hold it at once, the worst of them counts."""
    hold(w, kind, index, keeps, 1)


def restore_part(w: PlantTables, kind: int, index: int, keeps: float) -> None:
    """What was lost with the same ``keeps`` is given back."""
    hold(w, kind, index, keeps, -1)


def hold(w: PlantTables, kind: int, index: int, keeps: float, more: int) -> None:
    """A component is held at a share by one more, or by one less; evaluate what that reaches."""
    p = w.plant
    p.went_down = 0
    p.short_of_power = 0
    p.first_reached = 0
    p.end_reached = 0
    p.first_node = 0
    p.end_node = 0
    p.first_segment = 0
    p.end_segment = 0
    p.first_pod = 0
    p.end_pod = 0
    row, share = w.plant_kinds[kind].first + index, 1.0
    for level in range(w.held.shape[1]):
        if w.keeps[kind, level] == keeps and more:
            w.held[row, level] += more
            more = 0
        if w.held[row, level]:
            share = min(share, w.keeps[kind, level])
    before = w.left[row]
    if share != before:
        w.left[row] = share
        broken = (1 if share < 1 else 0) - (1 if before < 1 else 0)
        part_changes(w, kind, index // w.plant_kinds[kind].per, index, broken)
        settle(w, p.first_reached, p.end_reached)


def part_changes(w: PlantTables, kind: int, parent: int, index: int, broken: int) -> None:
    """A component has another share; ``broken``: 1 if it was whole, -1 if it is now. What it reaches is evaluated."""
    p = w.plant
    if kind == ACCESS_LINK:
        w.broken_links[parent] += broken
        evaluate_access(w, parent, parent + 1)
    elif kind == LEAF:
        leaf_changes(w, parent)
    elif kind == LEAF_UPLINK:
        w.broken_uplinks[parent] += broken
        segment = parent // p.leaves
        evaluate_segments(w, segment, segment + 1)
    elif kind == SPINE:
        w.broken_spines[parent] += broken
        evaluate_segments(w, w.pod_bounds[parent], w.pod_bounds[parent + 1])
        if p.has_cores:
            evaluate_pods(w, parent, parent + 1)
    elif kind == SPINE_UPLINK:
        w.spine_up[parent] = spine_share(w, parent)
        evaluate_pods(w, parent // p.spines, parent // p.spines + 1)
    elif kind == CORE:
        core_changes(w, index)
    elif kind == NVLINK_SWITCH:
        domain_changes(w, parent)
    elif kind == PSU:
        evaluate_units(w, parent // p.shelves, parent // p.shelves + 1)
    elif kind == SHELF:
        evaluate_units(w, parent, parent + 1)
    elif kind == BUSWAY:
        evaluate_racks(w, parent * p.row_racks, (parent + 1) * p.row_racks)
    elif kind == FEED:
        evaluate_racks(w, parent * p.hall_racks, (parent + 1) * p.hall_racks)
        evaluate_hall(w, parent)
    elif kind in (SITE_FEED, GENERATOR):
        evaluate_site(w)
    elif kind == CDU:
        share = row_share(w, parent)
        evaluate_cooling(w, CDU, parent, share, parent * p.row_racks, (parent + 1) * p.row_racks)


def switch_racks(w: PlantTables, first: int, end: int, dark: int) -> None:
    """Racks have no power yet, or are energised."""
    p = w.plant
    p.went_down = 0
    p.short_of_power = 0
    for rack in range(first, end):
        w.dark[rack] = dark
    if p.has_power:
        ask_for_power(w)
        for hall in range(p.halls):
            w.hall[hall] = note_share(w, w.hall[hall], hall_share(w, hall))
        p.site = note_share(w, p.site, site_share(w))
        settle(w, 0, p.nodes)
    else:
        settle(w, first * p.rack_nodes, min(end * p.rack_nodes, p.nodes))


def begin_shares(w: PlantTables) -> None:
    """Find out what the supply leaves of a plant of which nothing has failed."""
    p = w.plant
    if not p.has_power:
        return
    for unit in range(p.units):  # what asks for as much as the one before gets as much
        same = unit > 0 and w.unit_w[unit] == w.unit_w[unit - 1]
        w.supply[unit] = note_share(w, 1.0, w.supply[unit - 1] if same else supply_share(w, unit))
    ask_for_power(w)
    for hall in range(p.halls):
        w.hall[hall] = note_share(w, 1.0, hall_share(w, hall))
    p.site = note_share(w, 1.0, site_share(w))
    if p.short:
        settle(w, 0, p.nodes)


def settle(w: PlantTables, low: int, high: int) -> None:
    """Find out which of these nodes are down now; those that were not before are listed in ``changed``."""
    p = w.plant
    rack, rack_is_off = NONE, False
    for node in range(low, high):
        if w.rack_of[node] != rack:
            rack = w.rack_of[node]
            rack_is_off = is_off(w, rack)
        is_down = rack_is_off or has_no_network(w, node) or (p.per_node > 0 and trips(w.supply[node], p.trips))
        if is_down and not w.down[node]:
            w.changed[p.went_down] = node
            p.went_down += 1
        w.down[node] = is_down


def is_off(w: PlantTables, rack: int) -> bool:
    """Whether a whole rack is down: it is dark, or has too little power or cooling."""
    p = w.plant
    if w.dark[rack]:
        return True
    if p.has_power:
        if trips(min(p.site, w.hall[rack // p.hall_racks]), p.trips):
            return True
        if not p.per_node and trips(w.supply[rack], p.trips):
            return True
    return bool(p.has_cooling and trips(cooling_of(w, rack), p.cooling_trips))


def has_no_network(w: PlantTables, node: int) -> bool:
    """Whether a node's NVLink domain lacks switches, or its links, its segment's or its pod's uplinks are all gone."""
    p = w.plant
    if not w.domain[w.domain_of[node]]:
        return True
    if not p.segments:
        return False
    segment = w.segment_of[node]
    if w.access[node] <= 0:
        return True
    return bool(p.has_spines and (w.leaf[segment] <= 0 or w.core[w.pod_of[segment]] <= 0))
