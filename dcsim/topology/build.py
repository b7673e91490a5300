"""A cluster of a given size: kinds of component, how many of each, their GPUs, and their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.parts import KINDS, PARTS, UNITS, one_word
from dcsim.problems import not_one_of, wrong
from dcsim.topology.description import MAX_GPUS, TopologyDescription, TopologyError
from dcsim.wording import shown

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Kind:
    """One kind of component. ``per``: how many one ``parent`` holds; 0: its size says it (racks, segments)."""

    name: str
    parent: str
    per: int


def kinds_of(description: TopologyDescription, pods: int) -> dict[str, Kind]:
    """Return the kinds that a cluster of so many pods has, by name, in the order of a tour from GPU to site."""
    kinds = {}
    for row in KINDS:
        per = row.per(description, pods)
        if per is not None:
            parent = row.parent if isinstance(row.parent, str) else row.parent(description)
            kinds[row.name] = Kind(row.name, parent, per)
    return kinds


def named(kind: str, kinds: dict[str, Kind], name: str) -> str:
    """Return the name of a kind that a topology has; raises TopologyError for any other."""
    found = one_word(kind)
    if found in kinds:
        return found
    allowed = [each for known in kinds for each in ((known, "tray") if known == "node" else (known,))]
    if kind in (*PARTS, *UNITS):
        told = f"found {shown(kind)}, which a {name} of this size does not have"
        raise TopologyError([not_one_of(allowed, kind, told, hint="")])
    raise TopologyError([not_one_of(allowed, kind)])


@dataclass(frozen=True)
class Topology:
    """``gpus`` GPUs numbered tray by tray, rack by rack; every part is full except perhaps the last of its kind.

    Made by ``build``, which checks the size. Parts that differ in size have read-only arrays, made on first use.
    """

    description: TopologyDescription
    gpus: int

    @property
    def name(self) -> str:
        """Name of the description."""
        return self.description.name

    @property
    def gpus_per_node(self) -> int:
        """GPUs of one node."""
        return self.description.node.gpus

    @property
    def gpus_per_rack(self) -> int:
        """GPUs of one full rack."""
        return self.description.node.gpus * self.description.rack.nodes

    @property
    def nvlink_domain(self) -> Literal["node", "rack"]:
        """The part whose GPUs share one NVLink domain."""
        return self.description.nvlink.domain

    @property
    def nodes(self) -> int:
        """Number of nodes (trays)."""
        return self.components("node")

    @property
    def racks(self) -> int:
        """Number of racks, a partial last one included."""
        return self.components("rack")

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Kinds of component that a cluster of this size has."""
        return kinds_of(self.description, self._units("pod") if self._spines else 1)

    @property
    def _spines(self) -> bool:
        return self.description.fabric is not None and self.description.fabric.spine is not None

    # --- parts that hold GPUs -------------------------------------------------------------------------------------

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """GPUs of one full part, by kind, where all are of one size."""
        description = self.description
        sizes = {"gpu": 1, "node": self.gpus_per_node, "rack": self.gpus_per_rack, "cluster": self.gpus}
        sizes["nvlink-domain"] = sizes[self.nvlink_domain]
        sizes["row"] = sizes["rack"] * description.rack.row
        halls = description.power.hall_racks if description.power else None
        sizes["hall"] = sizes["rack"] * halls if halls else self.gpus
        fabric = description.fabric
        if fabric and isinstance(fabric.leaf.nodes, int):
            sizes["segment"] = sizes["node"] * fabric.leaf.nodes
            if fabric.spine and isinstance(fabric.spine.segments, int):
                sizes["pod"] = sizes["segment"] * fabric.spine.segments
        return sizes

    @cached_property
    def _bounds(self) -> dict[str, NDArray[np.int64]]:
        """First GPU of every part and the end of the last, by kind, where parts differ in size."""
        fabric = self.description.fabric
        bounds: dict[str, NDArray[np.int64]] = {}
        if not fabric:
            return bounds
        node, leaf = self.gpus_per_node, fabric.leaf.nodes
        if isinstance(leaf, int):
            starts = self._cut(np.arange(0, self.gpus + leaf * node, leaf * node, dtype=np.int64))
        else:
            starts = self._cut(np.fromiter(accumulate((nodes * node for nodes in leaf), initial=0), dtype=np.int64))
            bounds["segment"] = starts
        if fabric.spine and "pod" not in self._sizes:
            of, segments = fabric.spine.segments, len(starts) - 1
            firsts = range(0, segments + of, of) if isinstance(of, int) else accumulate(of, initial=0)
            bounds["pod"] = self._cut(starts[np.minimum(np.fromiter(firsts, dtype=np.int64), segments)])
        return bounds

    def _cut(self, ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Leave out what lies beyond the cluster."""
        bounds: NDArray[np.int64] = np.unique(np.minimum(ends, self.gpus))
        bounds.flags.writeable = False
        return bounds

    def gpus_per(self, kind: str) -> int:
        """GPUs in one whole part of this kind (the largest, where they differ); TopologyError for an unknown kind."""
        kind = named(kind, self.kinds, self.name)
        if kind not in UNITS:
            raise TopologyError([f"found {shown(kind)}, which holds no GPU"])
        return self._sizes[kind] if kind in self._sizes else int(np.diff(self._bounds[kind]).max())

    def components(self, kind: str) -> int:
        """Number of components of this kind, a partial last part counted as one."""
        kind = named(kind, self.kinds, self.name) if kind != "cluster" else kind
        if kind in UNITS:
            return self._units(kind)
        part = self.kinds[kind]
        return part.per * self.components(part.parent)

    def _units(self, kind: str) -> int:
        """Number of parts that hold GPUs, of one kind."""
        if kind in self._sizes:
            return -(-self.gpus // self._sizes[kind])
        return len(self._bounds[kind]) - 1

    def span(self, kind: str, index: int) -> tuple[int, int]:
        """Half-open range [lo, hi) of the GPUs of part ``index`` of this kind; of a component that holds none itself
        (a leaf, a shelf), those of the part that it serves."""
        kind = one_word(kind)
        if not 0 <= index < self.components(kind):
            raise TopologyError([f"found {kind} {shown(index)}; must be from 0 to {self.components(kind) - 1}"])
        if kind in self._sizes:
            lo = index * self._sizes[kind]
            return lo, min(lo + self._sizes[kind], self.gpus)
        if kind in UNITS:
            bounds = self._bounds[kind]
            return int(bounds[index]), int(bounds[index + 1])
        part = self.kinds[kind]
        return self.span(part.parent, index // part.per)

    def serves(self, kind: str) -> str:
        """Return the kind of part, holding GPUs, that a component of this kind serves."""
        kind = named(kind, self.kinds, self.name)
        while kind not in UNITS:
            kind = self.kinds[kind].parent
        return kind

    def bounds(self, kind: str) -> NDArray[np.int64]:
        """First GPU of every part of this kind and the end of the last, int64 (parts + 1,)."""
        kind = one_word(kind)
        if kind not in self._sizes:
            return self._bounds[kind]
        return np.minimum(np.arange(self.components(kind) + 1, dtype=np.int64) * self._sizes[kind], self.gpus)

    def part_of(self, kind: str, gpus: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the part of this kind that holds each of these GPUs."""
        if kind in self._sizes:
            return gpus // self._sizes[kind]
        return np.searchsorted(self._bounds[kind], gpus, side="right") - 1

    def graph(self, expand: bool = False) -> nx.DiGraph[str]:
        """Return the dependence graph: one node per kind with its multiplicity, or ``expand``: one per component.

        See ``dcsim.topology.graph``.
        """
        from dcsim.topology.graph import graph

        return graph(self, expand)

    # --- addresses ------------------------------------------------------------------------------------------------

    def path(self, kind: str, index: int) -> str:
        """Return the address of a component: its index in the nearest part that is counted over the cluster."""
        part = self.kinds[kind]
        if part.parent == "cluster" or kind in ("node", "nvlink-domain"):
            return f"{kind}/{index}"
        return f"{self.path(part.parent, index // part.per)}/{kind}/{index % part.per}"

    def find(self, path: str) -> tuple[str, int]:
        """Return (kind, index) of an address such as ``rack/3/shelf/1``; raises TopologyError with what is allowed."""
        words = path.strip("/").split("/")
        if len(words) % 2 or not all(word.isascii() and word.isdigit() for word in words[1::2]):
            raise TopologyError([wrong(path, "must be kinds and numbers in turn, like rack/3 or rack/3/node/2")])
        kind, index = "cluster", 0
        for word, number in zip(words[::2], words[1::2], strict=True):
            below, at = named(word, self.kinds, self.name), int(number)
            whole = kind == "cluster"
            per = self.components(below) if whole else self.kinds[below].per
            if not whole and self.kinds[below].parent != kind:
                parts = [each.name for each in self.kinds.values() if each.parent == kind] or [
                    "nothing that is described"
                ]
                raise TopologyError([f"found {below} in a {kind} ({shown(path)}); a {kind} has: {', '.join(parts)}"])
            index = at if whole else index * per + at
            if at >= per or index >= self.components(below):
                most = min(per, self.components(below)) - 1
                raise TopologyError([f"found {below}/{number} in {shown(path)}; must be from 0 to {most}"])
            kind = below
        return kind, index


def build(description: TopologyDescription, gpus: int) -> Topology:
    """Lay out ``gpus`` GPUs: a multiple of the node size, from one node to MAX_GPUS.

    Raises TopologyError; its line leaves it to the caller to name the key that held ``gpus``.
    """
    node = description.node.gpus
    if not node <= gpus <= MAX_GPUS:
        one = f"{node} (one node of {description.name})"
        raise TopologyError([wrong(gpus, f"must be from {one} to {MAX_GPUS}")])
    if gpus % node:
        below = gpus - gpus % node
        nearest = " or ".join(str(size) for size in (below, below + node) if size <= MAX_GPUS)
        multiple = f"a multiple of {node}, the GPUs of one node of {description.name}"
        raise TopologyError([f"found {gpus}; must be {multiple}; nearest: {nearest}"])
    most, why = _most(description)
    if gpus > most:
        raise TopologyError([f"found {gpus}; at most {most}: {why}"])
    return Topology(description, gpus)


def _most(description: TopologyDescription) -> tuple[int, str]:
    """Return the GPUs that the network of a description can hold, and why no more."""
    fabric, name, node = description.fabric, description.name, description.node.gpus
    if fabric is None:
        return MAX_GPUS, ""
    leaf, spine = fabric.leaf, fabric.spine
    segments = None if isinstance(leaf.nodes, int) else len(leaf.nodes)
    if spine is None:
        segments = 1
    elif fabric.core is None:
        pod = spine.segments if isinstance(spine.segments, int) else spine.segments[0]
        segments = pod if segments is None else min(segments, pod)
    elif not isinstance(spine.segments, int):
        segments = sum(spine.segments) if segments is None else min(segments, sum(spine.segments))
    if segments is None:
        return MAX_GPUS, ""
    nodes = leaf.nodes * segments if isinstance(leaf.nodes, int) else sum(leaf.nodes[:segments])
    return nodes * node, f"the network of {name} joins {segments} segments"
