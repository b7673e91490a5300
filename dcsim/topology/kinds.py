"""Kinds of component: which part holds which, how many, and how one is addressed (``rack/3/shelf/1``)."""

from dataclasses import dataclass
from typing import Literal

from dcsim.problems import not_one_of
from dcsim.topology.description import TopologyDescription, TopologyError
from dcsim.wording import shown

ALIASES = {"tray": "node"}


@dataclass(frozen=True)
class Kind:
    """One kind of component. ``per``: how many one ``parent`` holds; 0: its size says it (racks, segments)."""

    name: str
    parent: str
    per: int


UNITS = ("cluster", "gpu", "node", "nvlink-domain", "rack", "row", "hall", "segment", "pod")
"""Kinds that hold GPUs themselves, each a range of them."""


def kinds_of(description: TopologyDescription, pods: int) -> dict[str, Kind]:
    """Return the kinds that a cluster of so many pods has, by name, in the order of a tour from GPU to site."""
    node, rack, nvlink = description.node, description.rack, description.nvlink
    fabric, power, cooling = description.fabric, description.power, description.cooling
    kinds = [Kind("gpu", "node", node.gpus), Kind("node", "rack", rack.nodes)]
    kinds += [Kind("nvlink-domain", nvlink.domain, 1), Kind("rack", "cluster", 0)]
    if nvlink.switches:
        kinds.append(Kind("nvlink-switch", "nvlink-domain", nvlink.switches))
    if fabric:
        kinds += [Kind("segment", "cluster", 0), Kind("access-link", "node", fabric.nics * fabric.homes)]
        kinds.append(Kind("leaf", "segment", fabric.leaves))
        if fabric.spine:
            kinds += [Kind("leaf-uplink", "leaf", fabric.leaf.uplinks), Kind("pod", "cluster", 0)]
            kinds.append(Kind("spine", "pod", fabric.spine.count))
        if fabric.spine and fabric.cores(pods):
            kinds.append(Kind("spine-uplink", "spine", fabric.spine.uplinks))
            kinds.append(Kind("core", "cluster", fabric.cores(pods)))
    if power or cooling:
        kinds.append(Kind("row", "cluster", 0))
    if power:
        kinds += [Kind("shelf", power.per, power.shelves), Kind("psu", "shelf", power.psus)]
        if power.busways:
            kinds.append(Kind("busway", "row", power.feeds))
        kinds += [Kind("hall", "cluster", 0), Kind("feed", "hall", power.feeds)]
        if power.site and power.site.feeds:
            kinds.append(Kind("site-feed", "cluster", power.site.feeds))
        if power.site and power.site.generators:
            kinds.append(Kind("generator", "cluster", power.site.generators))
    if cooling:
        kinds.append(Kind("cdu", "row", cooling.cdus))
    if description.storage:
        kinds.append(Kind("gateway", "cluster", description.storage.gateways))
    return {kind.name: kind for kind in kinds}


System = Literal["network", "power", "cooling", "storage"]

SYSTEM_OF: dict[str, System] = {
    "nvlink-switch": "network",
    "access-link": "network",
    "leaf": "network",
    "leaf-uplink": "network",
    "spine": "network",
    "spine-uplink": "network",
    "core": "network",
    "psu": "power",
    "shelf": "power",
    "busway": "power",
    "feed": "power",
    "site-feed": "power",
    "generator": "power",
    "cdu": "cooling",
    "gateway": "storage",
}
"""What each kind belongs to that holds no GPU but serves some; what depends on it follows from the graph."""
PLANT_KINDS = tuple(SYSTEM_OF)


def kinds_in(*systems: System) -> tuple[str, ...]:
    """Return the kinds of some systems, in the order of the table."""
    return tuple(kind for kind, system in SYSTEM_OF.items() if system in systems)


def named(kind: str, kinds: dict[str, Kind], name: str) -> str:
    """Return the name of a kind that a topology has; raises TopologyError for any other."""
    found = ALIASES.get(kind, kind)
    if found in kinds:
        return found
    allowed = [each for known in kinds for each in ((known, "tray") if known == "node" else (known,))]
    if kind in (*PLANT_KINDS, *UNITS):
        told = f"found {shown(kind)}, which a {name} of this size does not have"
        raise TopologyError([not_one_of(allowed, kind, told, hint="")])
    raise TopologyError([not_one_of(allowed, kind)])
