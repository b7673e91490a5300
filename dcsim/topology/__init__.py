"""From a description file to a cluster: who depends on which tray and rack."""

from dcsim.topology.build import Kind, Topology
from dcsim.topology.description import (
    MAX_GPUS,
    TopologyDescription,
    TopologyError,
    completed,
    load_description,
    resolve,
)
from dcsim.topology.graph import node_link

__all__ = [
    "MAX_GPUS",
    "Kind",
    "Topology",
    "TopologyDescription",
    "TopologyError",
    "completed",
    "load_description",
    "node_link",
    "resolve",
]
