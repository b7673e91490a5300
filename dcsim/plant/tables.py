"""A plant as tables: what never changes in ``plant`` and ``plant_kinds``, and the share that is left of every part.

Rows are numbered as in ``dcsim.topology``; shares are 1 healthy, 0 dead. The rules of
``dcsim.plant.changes`` read and change them.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.parts import PARTS
from dcsim.plant.demand import Demand
from dcsim.topology import Topology

NONE = -1
NVLINK_SWITCH = PARTS.index("nvlink-switch")
ACCESS_LINK = PARTS.index("access-link")
LEAF = PARTS.index("leaf")
LEAF_UPLINK = PARTS.index("leaf-uplink")
SPINE = PARTS.index("spine")
SPINE_UPLINK = PARTS.index("spine-uplink")
CORE = PARTS.index("core")
PSU = PARTS.index("psu")
SHELF = PARTS.index("shelf")
BUSWAY = PARTS.index("busway")
FEED = PARTS.index("feed")
SITE_FEED = PARTS.index("site-feed")
GENERATOR = PARTS.index("generator")
CDU = PARTS.index("cdu")
GATEWAY = PARTS.index("gateway")
"""Rows of ``plant_kinds``: the parts in the order of ``PARTS``."""


def record(whole: str, real: str = "") -> np.dtype[Any]:
    """Return a record of int64 and float64 columns."""
    return np.dtype([(name, np.int64) for name in whole.split()] + [(name, np.float64) for name in real.split()])


PLANT = record(
    "nodes rack_nodes racks row_racks rows hall_racks halls domain_nodes units segments pods "
    "nics homes rails reroute leaves uplinks spines spine_uplinks planes cores "
    "has_spines has_cores has_power has_cooling has_feed has_site per_node busways "
    "switches least shelves psus feeds site_feeds generators cdus needed gateways "
    "short short_of_power went_down impaired leaves_cut first_reached end_reached "
    "first_node end_node first_segment end_segment first_pod end_pod",
    "psu feed site_feed generator switches_w pue trips cooling_trips bandwidth capacity asked site",
)
"""Counts (of a rack, a row, a segment, a pod, ...) and powers [W], then what changes. ``units``: what shelves supply;
``short``: parts that have less power or cooling than they ask for, the site included; ``short_of_power``: whether the
last change changed any of that; ``went_down``: nodes that it took down, listed in ``changed``; ``impaired``: nodes
whose network is not whole; ``leaves_cut``: whether other leaves of a segment are cut off now; ``first_reached``,
``end_reached``: nodes that may be down; ``first_node`` to ``end_pod``: where it changed the network; ``capacity``: of
the gateways that are left [GB/s]; ``asked``: of the site [W]."""
PLANT_KIND = record("first per count first_parent")
"""``first``: of its components in ``left``, NONE: nothing of it ever fails; ``per``: how many a parent has;
``first_parent``: of its parents in ``of_parent``."""

WHOLE_NUMBER, REAL = np.dtype(np.int64), np.dtype(np.float64)
PLANT_TABLES: dict[str, tuple[np.dtype[Any], int]] = {
    "plant": (PLANT, 0),
    "plant_kinds": (PLANT_KIND, 1),
    "left": (REAL, 1),  # of every component that may fail: its share
    "keeps": (REAL, 2),  # by kind: the shares that a failure may leave
    "held": (WHOLE_NUMBER, 2),  # by component that may fail: how many hold it at each of these
    "rack_of": (WHOLE_NUMBER, 1),  # of every node
    "domain_of": (WHOLE_NUMBER, 1),  # of every node: its NVLink domain
    "segment_of": (WHOLE_NUMBER, 1),  # of every node
    "pod_of": (WHOLE_NUMBER, 1),  # of every segment
    "segment_bounds": (WHOLE_NUMBER, 1),  # first node of every segment, and the end of the last
    "pod_bounds": (WHOLE_NUMBER, 1),  # first segment of every pod, and the end of the last
    "rack_w": (REAL, 1),  # power of every rack
    "unit_w": (REAL, 1),  # of what shelves supply, racks or nodes
    "hall_w": (REAL, 1),  # of every hall's racks that are energised
    "dark": (WHOLE_NUMBER, 1),  # of every rack: whether it is not energised yet
    "domain": (WHOLE_NUMBER, 1),  # of every NVLink domain: whether it has the switches that it needs
    "broken_links": (WHOLE_NUMBER, 1),  # of every node: its access links that are not whole
    "broken_uplinks": (WHOLE_NUMBER, 1),  # of every leaf
    "broken_spines": (WHOLE_NUMBER, 1),  # of every pod
    "cut_off": (WHOLE_NUMBER, 1),  # of every leaf: whether it reaches no spine
    "access": (REAL, 1),  # of every node: share of its links
    "impaired": (WHOLE_NUMBER, 1),  # nodes for which that is below 1, in no order
    "impaired_at": (WHOLE_NUMBER, 1),  # of every node: its place there, NONE
    "leaf": (REAL, 1),  # of every segment: share of the uplinks of its worst leaf
    "spine_up": (REAL, 1),  # of every spine: share of its uplinks
    "core": (REAL, 1),  # of every pod: share of its uplinks
    "supply": (REAL, 1),  # of every unit: share of the power that it asks for
    "hall": (REAL, 1),  # of every hall: what its feeds carry
    "of_parent": (REAL, 1),  # of every parent of components that may fail: what they leave it, where a rule says that
    "down": (np.dtype(np.bool_), 1),  # of every node: whether the plant does not serve it
    "changed": (WHOLE_NUMBER, 1),  # nodes that the last change took down, ascending
}
"""Name -> record or number, and how many indices it has."""
CHANGING_PLANT = (
    *("plant", "left", "held", "hall_w", "dark", "domain", "broken_links", "broken_uplinks", "broken_spines"),
    *("cut_off", "access", "impaired", "impaired_at", "leaf", "spine_up", "core", "supply", "hall", "down"),
    "of_parent",
)
"""Tables that failures change."""
Tables = dict[str, NDArray[Any]]


class PlantTables:
    """The tables of a plant, by name."""

    def __getattr__(self, name: str) -> Any:
        """Tables are attributes, in plain and in compiled rules."""
        raise AttributeError(name)


def plant_tables(topology: Topology, keeps: Mapping[str, Collection[float]]) -> Tables:
    """Return the tables of a plant of which nothing has failed.

    ``keeps``: kind -> the shares that failures of it may leave; nothing of other kinds ever fails. What the supply
    leaves is not in them yet: see ``changes.begin_shares``.
    """
    description = topology.description
    nodes, racks, per = topology.nodes, topology.racks, topology.gpus_per_node
    firsts = np.arange(nodes, dtype=np.int64) * per
    fabric, power = description.fabric, description.power
    tables: Tables = {"plant": _constants(topology), **component_tables(topology, keeps)}
    p = tables["plant"][0]
    tables["rack_of"] = topology.part_of("rack", firsts)
    tables["domain_of"] = topology.part_of(topology.nvlink_domain, firsts)
    tables["segment_of"] = topology.part_of("segment", firsts) if fabric else np.zeros(nodes, dtype=np.int64)
    segments = topology.bounds("segment") if fabric else np.array([0, topology.gpus], dtype=np.int64)
    tables["segment_bounds"] = -(-segments // per)
    pods = bool(fabric and fabric.spine)
    tables["pod_of"] = topology.part_of("pod", segments[:-1]) if pods else np.zeros(len(segments) - 1, dtype=np.int64)
    bounds = topology.bounds("pod") if pods else np.zeros(1, dtype=np.int64)
    tables["pod_bounds"] = np.searchsorted(segments, bounds).astype(np.int64)
    demand = Demand(topology)
    tables["rack_w"], tables["unit_w"] = demand.racks_w, demand.units_w
    halls = topology.part_of("hall", topology.bounds("rack")[:-1]) if power else np.zeros(racks, dtype=np.int64)
    tables["hall_w"] = np.zeros(int(halls[-1]) + 1)
    whole = {
        "access": nodes if fabric else 0,
        "leaf": int(p["segments"]),
        "core": int(p["pods"]),
        "spine_up": int(p["pods"] * p["spines"]) if p["has_cores"] else 0,
        "supply": len(demand.units_w) if power else 0,
        "hall": int(p["halls"]) if power else 0,
    }
    tables |= {name: np.ones(count) for name, count in whole.items()}
    counts = {
        "dark": racks,
        "broken_links": nodes if fabric else 0,
        "broken_uplinks": int(p["segments"] * p["leaves"]),
        "broken_spines": int(p["pods"]),
        "cut_off": int(p["segments"] * p["leaves"]),
        "impaired": nodes if fabric else 0,
        "changed": nodes,
    }
    tables |= {name: np.zeros(count, dtype=np.int64) for name, count in counts.items()}
    tables["domain"] = np.ones(topology.components("nvlink-domain"), dtype=np.int64)
    tables["impaired_at"] = np.full(nodes if fabric else 0, NONE, dtype=np.int64)
    tables["down"] = np.zeros(nodes, dtype=np.bool_)
    return {name: np.ascontiguousarray(tables[name], dtype=PLANT_TABLES[name][0]) for name in PLANT_TABLES}


def component_tables(topology: Topology, keeps: Mapping[str, Collection[float]]) -> Tables:
    """Return the tables of the kinds, and of the components that may fail (``keeps`` as of ``plant_tables``)."""
    kinds = np.zeros(len(PARTS), dtype=PLANT_KIND)
    levels = np.zeros((len(kinds), max([1, *(len(each) for each in keeps.values())])))
    total = parents = 0
    for number, name in enumerate(PARTS):
        line = kinds[number]
        line["first"] = NONE
        if name not in topology.kinds:
            continue
        line["per"], line["count"] = topology.kinds[name].per, topology.components(name)
        if keeps.get(name):
            line["first"] = total
            line["first_parent"] = parents
            total += int(line["count"])
            parents += -(-int(line["count"]) // int(line["per"]))
            levels[number, : len(keeps[name])] = list(keeps[name])
    left = np.ones(total)
    held = np.zeros((total, levels.shape[1]), dtype=np.int64)
    return {"plant_kinds": kinds, "keeps": levels, "left": left, "held": held, "of_parent": np.ones(parents)}


def _constants(topology: Topology) -> NDArray[Any]:
    description = topology.description
    fabric, power, cooling, storage = description.fabric, description.power, description.cooling, description.storage
    line = np.zeros(1, dtype=PLANT)
    found: dict[str, float] = {"nodes": topology.nodes, "rack_nodes": description.rack.nodes, "racks": topology.racks}
    found |= {"row_racks": description.rack.row, "hall_racks": topology.racks, "site": 1.0}
    found |= {"switches": description.nvlink.switches, "least": description.nvlink.least}
    found["domain_nodes"] = description.rack.nodes if topology.nvlink_domain == "rack" else 1
    if fabric:
        found |= {"segments": topology.components("segment"), "leaves": fabric.leaves, "reroute": fabric.reroute}
        found |= {"nics": fabric.nics, "homes": fabric.homes, "rails": fabric.rails}
    if fabric and fabric.spine:
        found |= {"pods": topology.components("pod"), "has_spines": True, "uplinks": fabric.leaf.uplinks}
        found |= {"spines": fabric.spine.count, "spine_uplinks": fabric.spine.uplinks}
    if fabric and fabric.core and "core" in topology.kinds:
        found |= {"has_cores": True, "planes": fabric.core.planes, "cores": topology.components("core")}
    if power:
        found |= {"has_power": True, "per_node": power.per == "node", "busways": power.busways, "psu": power.psu}
        found |= {"shelves": power.shelves, "psus": power.psus, "feeds": power.feeds, "trips": power.trips_below}
        found |= {"halls": topology.components("hall"), "hall_racks": power.hall_racks or topology.racks}
        found |= {"pue": power.meter_factor, "units": topology.nodes if power.per == "node" else topology.racks}
        found |= {"has_feed": power.feed is not None, "feed": power.feed or 0.0}
        found["switches_w"] = Demand(topology).switches_w
    if power and power.site:
        site = power.site
        found |= {"has_site": True, "site_feeds": site.feeds, "site_feed": site.feed or 0.0}
        found |= {"generators": site.generators, "generator": site.generator or 0.0}
    if cooling:
        found |= {"has_cooling": True, "cdus": cooling.cdus, "needed": cooling.needed}
        found |= {"cooling_trips": cooling.trips_below, "rows": topology.components("row")}
    if storage:
        found |= {"gateways": storage.gateways, "bandwidth": storage.bandwidth}
        found["capacity"] = storage.gateways * storage.bandwidth
    for name, value in found.items():
        line[0][name] = value
    return line
