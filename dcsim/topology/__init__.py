"""From a description file to a cluster: who depends on which tray and rack."""

from dcsim.topology.build import COMPONENT_KINDS, Topology, build, node_link
from dcsim.topology.description import MAX_GPUS, TopologyDescription, TopologyError, load_description, resolve

__all__ = [
    "COMPONENT_KINDS",
    "MAX_GPUS",
    "Topology",
    "TopologyDescription",
    "TopologyError",
    "build",
    "load_description",
    "node_link",
    "resolve",
]
