"""A cluster of a given size: index arrays GPU -> node -> rack for the engine, a graph for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.topology.description import MAX_GPUS, TopologyDescription, TopologyError
from dcsim.wording import did_you_mean, shown

if TYPE_CHECKING:
    import networkx as nx

COMPONENT_KINDS = ("gpu", "node", "tray", "nvlink-domain", "rack")
"""Kinds of component that can be counted, indexed and failed; "tray" is another word for "node"."""


@dataclass(frozen=True)
class Topology:
    """``gpus`` GPUs numbered tray by tray, rack by rack; every rack is full except perhaps the last.

    Made by ``build``, which checks the size. The arrays are computed on first use and read-only.
    """

    name: str
    gpus: int
    gpus_per_node: int
    gpus_per_rack: int
    nvlink_domain: Literal["node", "rack"]

    @property
    def nodes(self) -> int:
        """Number of nodes (trays)."""
        return self.components("node")

    @property
    def racks(self) -> int:
        """Number of racks, a partial last one included."""
        return self.components("rack")

    @cached_property
    def node_of(self) -> NDArray[np.int32]:
        """Index of each GPU's node, shape (gpus,)."""
        return self._component_of("node")

    @cached_property
    def rack_of(self) -> NDArray[np.int32]:
        """Index of each GPU's rack, shape (gpus,)."""
        return self._component_of("rack")

    def gpus_per(self, kind: str) -> int:
        """GPUs that depend on one whole component of this kind; raises TopologyError for an unknown kind."""
        if kind not in COMPONENT_KINDS:
            allowed = f"allowed: {', '.join(COMPONENT_KINDS)}"
            raise TopologyError([f"found {shown(kind)}; {allowed}{did_you_mean(kind, COMPONENT_KINDS)}"])
        part = self.nvlink_domain if kind == "nvlink-domain" else kind
        return {"gpu": 1, "rack": self.gpus_per_rack}.get(part, self.gpus_per_node)

    def components(self, kind: str) -> int:
        """Number of components of this kind, a partial last rack counted as one."""
        return -(-self.gpus // self.gpus_per(kind))

    def span(self, kind: str, index: int) -> tuple[int, int]:
        """Half-open range [lo, hi) of the GPUs that depend on component ``index`` of this kind: its blast."""
        if not 0 <= index < self.components(kind):
            raise TopologyError([f"found {kind} {shown(index)}; must be from 0 to {self.components(kind) - 1}"])
        lo = index * self.gpus_per(kind)
        return lo, min(lo + self.gpus_per(kind), self.gpus)

    def graph(self, expand: bool = False) -> nx.DiGraph[str]:
        """Dependence graph cluster -> rack -> node -> gpu; ``networkx.descendants(graph, x)`` depend on x.

        Compact (the default, a handful of graph nodes at any size): each distinct part once. ``count`` of a
        part is how many the cluster has, ``count`` of an edge how many of the lower part one upper part
        holds; a partial last rack is a part of its own. Expanded, for drawings and path algorithms: every
        rack ("rack/3") and node ("rack/3/node/1") is a graph node with its ``index`` in the cluster and its
        GPUs [``lo``, ``hi``); about 1 kB each. GPUs never become graph nodes one by one.
        """
        return self._expanded() if expand else self._compact()

    def _component_of(self, kind: str) -> NDArray[np.int32]:
        # Capping the width at the cluster keeps a rack larger than int32 in range and changes no index.
        index = np.arange(self.gpus, dtype=np.int32) // min(self.gpus_per(kind), self.gpus)
        index.flags.writeable = False
        return index

    def _compact(self) -> nx.DiGraph[str]:
        import networkx as nx

        full, rest = divmod(self.gpus, self.gpus_per_rack)
        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name, nvlink_domain=self.nvlink_domain)
        graph.add_node("cluster", kind="cluster", count=1)
        for part, count, gpus in (("rack", full, self.gpus_per_rack), ("partial rack", int(rest > 0), rest)):
            if count:
                graph.add_node(part, kind="rack", count=count)
                graph.add_edge("cluster", part, count=count)
                graph.add_edge(part, "node", count=gpus // self.gpus_per_node)
        graph.add_node("node", kind="node", count=self.nodes)
        graph.add_node("gpu", kind="gpu", count=self.gpus)
        graph.add_edge("node", "gpu", count=self.gpus_per_node)
        return graph

    def _expanded(self) -> nx.DiGraph[str]:
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name, nvlink_domain=self.nvlink_domain)
        graph.add_node("cluster", kind="cluster", index=0, lo=0, hi=self.gpus)
        nodes = 0
        for rack, first in enumerate(range(0, self.gpus, self.gpus_per_rack)):
            end = min(first + self.gpus_per_rack, self.gpus)
            graph.add_node(f"rack/{rack}", kind="rack", index=rack, lo=first, hi=end)
            graph.add_edge("cluster", f"rack/{rack}")
            for place, lo in enumerate(range(first, end, self.gpus_per_node)):
                hi = lo + self.gpus_per_node
                graph.add_node(f"rack/{rack}/node/{place}", kind="node", index=nodes, lo=lo, hi=hi)
                graph.add_edge(f"rack/{rack}", f"rack/{rack}/node/{place}")
                nodes += 1
        return graph


def build(description: TopologyDescription, gpus: int) -> Topology:
    """Lay out ``gpus`` GPUs: a multiple of the node size, from one node to MAX_GPUS.

    Raises TopologyError; its line leaves it to the caller to name the key that held ``gpus``.
    """
    node = description.node.gpus
    if not node <= gpus <= MAX_GPUS:
        one = f"{node} (one node of {description.name})"
        raise TopologyError([f"found {shown(gpus)}; must be from {one} to {MAX_GPUS}"])
    if gpus % node:
        below = gpus - gpus % node
        nearest = " or ".join(str(size) for size in (below, below + node) if size <= MAX_GPUS)
        multiple = f"a multiple of {node}, the GPUs of one node of {description.name}"
        raise TopologyError([f"found {gpus}; must be {multiple}; nearest: {nearest}"])
    return Topology(description.name, gpus, node, node * description.rack.nodes, description.nvlink.domain)


def node_link(graph: nx.DiGraph[str]) -> dict[str, Any]:
    """Return the graph as networkx node-link data, ready for ``json.dumps``, with its edges under "edges"."""
    import networkx as nx

    data: dict[str, Any] = nx.node_link_data(graph, edges="edges")
    return data
