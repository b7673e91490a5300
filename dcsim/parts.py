"""The kinds of component, a row each: what holds GPUs, and the parts that hold none but serve some."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

System = Literal["network", "power", "cooling", "storage"]
BY_SIZE = 0
"""How many there are follows from the size of the cluster."""


@dataclass(frozen=True)
class Row:
    """One kind. ``parent``: the kind that holds it, of a topology's description where it depends on that.

    ``per``: of a description and the number of pods, how many one parent holds, or ``BY_SIZE``; None: there is none.
    ``system``: what a part belongs to; None for what holds GPUs itself.
    """

    name: str
    parent: str | Callable[[Any], str]
    per: Callable[[Any, int], int | None]
    system: System | None = None


KINDS = (
    Row("gpu", "node", lambda d, _: d.node.gpus),
    Row("access-link", "node", lambda d, _: d.fabric and d.fabric.nics * d.fabric.homes, "network"),
    Row("node", "rack", lambda d, _: d.rack.nodes),
    Row("nvlink-domain", lambda d: str(d.nvlink.domain), lambda d, _: 1),
    Row("nvlink-switch", "nvlink-domain", lambda d, _: d.nvlink.switches or None, "network"),
    Row("shelf", lambda d: str(d.power.per), lambda d, _: d.power and d.power.shelves, "power"),
    Row("psu", "shelf", lambda d, _: d.power and d.power.psus, "power"),
    Row("rack", "cluster", lambda d, _: BY_SIZE),
    Row("leaf", "segment", lambda d, _: d.fabric and d.fabric.leaves, "network"),
    Row("leaf-uplink", "leaf", lambda d, _: d.fabric and d.fabric.spine and d.fabric.leaf.uplinks, "network"),
    Row("segment", "cluster", lambda d, _: d.fabric and BY_SIZE),
    Row("spine", "pod", lambda d, _: d.fabric and d.fabric.spine and d.fabric.spine.count, "network"),
    Row("spine-uplink", "spine", lambda d, pods: _cores(d, pods) and d.fabric.spine.uplinks, "network"),
    Row("pod", "cluster", lambda d, _: d.fabric and d.fabric.spine and BY_SIZE),
    Row("core", "cluster", lambda d, pods: _cores(d, pods), "network"),
    Row("cdu", "row", lambda d, _: d.cooling and d.cooling.cdus, "cooling"),
    Row("busway", "row", lambda d, _: d.power.feeds if d.power and d.power.busways else None, "power"),
    Row("row", "cluster", lambda d, _: BY_SIZE if d.power or d.cooling else None),
    Row("feed", "hall", lambda d, _: d.power and d.power.feeds, "power"),
    Row("hall", "cluster", lambda d, _: d.power and BY_SIZE),
    Row("generator", "cluster", lambda d, _: d.power and d.power.site and (d.power.site.generators or None), "power"),
    Row("site-feed", "cluster", lambda d, _: d.power and d.power.site and (d.power.site.feeds or None), "power"),
    Row("gateway", "cluster", lambda d, _: d.storage and d.storage.gateways, "storage"),
)
"""From the GPU to the site; a part follows the part that holds it."""
PARTS = tuple(row.name for row in KINDS if row.system)
"""What holds no GPU but serves some."""
UNITS = ("cluster", *(row.name for row in KINDS if not row.system))
"""What holds GPUs itself, each a range of them."""


def one_word(part: str) -> str:
    """Return "node" for "tray": two words for one part would name two random streams."""
    return "node" if part == "tray" else part


def parts_of(*systems: System) -> tuple[str, ...]:
    """Return the parts of some systems, in the order of the table."""
    return tuple(row.name for row in KINDS if row.system in systems)


def _cores(description: Any, pods: int) -> int | None:
    fabric = description.fabric
    return (fabric.cores(pods) or None) if fabric and fabric.spine else None
