"""What every part of a plant asks for at full load."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.topology import Topology

Watts = NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """Power at full load [W]: a node's is its own, a rack's that of its nodes and its own; switches are extra."""

    topology: Topology

    @cached_property
    def racks_w(self) -> Watts:
        """Power of every rack, (racks,) [W]; a partial last rack has fewer nodes and all of its own."""
        node, rack = self.topology.description.node, self.topology.description.rack
        nodes = np.diff(self.topology.bounds("rack")) // self.topology.gpus_per_node
        return np.asarray(nodes * node.power + rack.power, dtype=np.float64)

    @cached_property
    def units_w(self) -> Watts:
        """Power of what the shelves supply, racks or nodes, (units,) [W]."""
        power = self.topology.description.power
        if power is not None and power.per == "node":
            return np.full(self.topology.nodes, self.topology.description.node.power)
        return self.racks_w

    @cached_property
    def switches_w(self) -> float:
        """Power of leaves, spines, cores and all optics [W]; each link has two ports, but a NIC's is in its node."""
        topology = self.topology
        fabric = topology.description.fabric
        if fabric is None:
            return 0.0
        parts = [("leaf", fabric.leaf.power)]
        parts += [("spine", fabric.spine.power)] if fabric.spine else []
        parts += [("core", fabric.core.power)] if fabric.core and "core" in topology.kinds else []
        optics = topology.description.known_optics
        links = [(link, kind) for link, kind in fabric.kinds_of_optics.items() if link in topology.kinds]
        ports = {"access-link": 1}  # the other one is in the node
        return _added(topology.components(kind) * watts for kind, watts in parts) + _added(
            ports.get(link, 2) * topology.components(link) * optics[kind].power for link, kind in links
        )

    @property
    def it_w(self) -> float:
        """Power of everything but cooling and losses [W]."""
        return float(self.racks_w.sum()) + self.switches_w

    @property
    def site_w(self) -> float:
        """Power that the site takes [W]: PUE times IT, and what conversion loses where that is told apart."""
        power = self.topology.description.power
        return self.it_w * (power.meter_factor if power else 1.0)


def _added(watts: Iterable[float]) -> float:
    """Add up powers [W]: ``sum`` rounds otherwise from Python 3.12 on, and who trips may hang on the last bit."""
    total = 0.0
    for each in watts:
        total += each
    return total
