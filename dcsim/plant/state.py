"""What is out, what depends on it, and what is left for the rest.

One share per component, 1 healthy, 0 dead; arrays only of kinds of which something has ever been out. A change
re-evaluates only the parts that it can reach. Nodes are the smallest thing that goes down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.fabric import access_share, core_share, leaf_share, uplink_means
from dcsim.plant.demand import Demand
from dcsim.power import pool_share, supply_share
from dcsim.topology import Topology

Shares = NDArray[np.float64]
Nodes = NDArray[np.int64]
Range = tuple[int, int]
NOTHING: Range = (0, 0)


@dataclass
class Change:
    """What one change has done: nodes that went down and came up; ranges of nodes whose power or access share, of
    segments and of pods whose uplink share may have changed."""

    down: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    up: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    nodes: Range = NOTHING
    segments: Range = NOTHING
    pods: Range = NOTHING


class PlantState:
    """The changing part of a plant; shares as described in ``dcsim.fabric`` and ``dcsim.power``."""

    def __init__(self, topology: Topology) -> None:
        self.topology, self.demand = topology, Demand(topology)
        description = topology.description
        self.fabric, self.power, self.cooling = description.fabric, description.power, description.cooling
        self.node_gpus = topology.gpus_per_node
        self._left: dict[str, Shares] = {}
        self._takers: dict[tuple[str, int], list[float]] = {}
        nodes = topology.nodes
        self.down = np.zeros(nodes, dtype=bool)
        self.dark = np.zeros(topology.racks, dtype=bool)
        self.access = np.ones(nodes)
        self.leaf = np.ones(topology.components("segment") if self.fabric else 0)
        self.cut_off = np.zeros((len(self.leaf), self.fabric.leaves if self.fabric else 0), dtype=bool)
        self.core = np.ones(topology.components("pod") if self.fabric and self.fabric.spine else 0)
        self.domain = np.ones(topology.components("nvlink-domain"), dtype=bool)
        self.supply = np.ones(len(self.demand.units_w) if self.power else 0)
        self.row = np.ones(topology.components("row") if self.cooling else 0)
        self.hall = np.ones(topology.components("hall") if self.power else 0)
        self.site = 1.0
        if self.power:
            self._evaluate_supply((0, len(self.supply)))
            self._evaluate_halls((0, len(self.hall)))
            self._evaluate_site()
        self._settle((0, nodes))

    # --- changes --------------------------------------------------------------------------------------------------

    def lose(self, kind: str, index: int, keeps: float = 0.0) -> Change:
        """A component keeps only this share; several hazards may hold it at once, the worst of them counts."""
        self._takers.setdefault((kind, index), []).append(keeps)
        return self._changed(kind, index)

    def restore(self, kind: str, index: int, keeps: float = 0.0) -> Change:
        """What was lost with the same ``keeps`` is given back."""
        self._takers[kind, index].remove(keeps)
        if not self._takers[kind, index]:
            del self._takers[kind, index]
        return self._changed(kind, index)

    def darken(self, racks: Range) -> Change:
        """Racks have no power yet."""
        return self._energise(racks, True)

    def energise(self, racks: Range) -> Change:
        """Racks are energised."""
        return self._energise(racks, False)

    def _energise(self, racks: Range, dark: bool) -> Change:
        self.dark[slice(*racks)] = dark
        nodes = self._nodes("rack", racks)
        if self.power:
            self._evaluate_halls((0, len(self.hall)))
            self._evaluate_site()
            nodes = (0, len(self.down))
        return self._settle(nodes)

    def _changed(self, kind: str, index: int) -> Change:
        self.left(kind)[index] = min(self._takers.get((kind, index), [1.0]))
        per = self.topology.kinds[kind].per
        parent = index // per
        return getattr(self, "_" + kind.replace("-", "_"))(parent, index)  # type: ignore[no-any-return]

    @property
    def short(self) -> bool:
        """Whether anything has less power or cooling than it asks for."""
        return self.site < 1 or any(bool((shares < 1).any()) for shares in (self.supply, self.hall, self.row))

    def left(self, kind: str) -> Shares:
        """Share that is left of every component of a kind, (components,)."""
        if kind not in self._left:
            self._left[kind] = np.ones(self.topology.components(kind))
        return self._left[kind]

    def lost(self) -> Iterator[tuple[str, int]]:
        """Yield (kind, index) of every component that is not whole."""
        yield from self._takers

    # --- one method for every kind: what it reaches ---------------------------------------------------------------

    def _access_link(self, node: int, index: int) -> Change:
        return self._reassess(nodes=(node, node + 1))

    def _leaf(self, segment: int, index: int) -> Change:
        return self._reassess(nodes=self._nodes("segment", (segment, segment + 1)), segments=(segment, segment + 1))

    def _leaf_uplink(self, leaf: int, index: int) -> Change:
        assert self.fabric is not None
        segment = leaf // self.fabric.leaves
        return self._reassess(segments=(segment, segment + 1))

    def _spine(self, pod: int, index: int) -> Change:
        return self._reassess(segments=self._within("pod", "segment", pod), pods=(pod, pod + 1))

    def _spine_uplink(self, spine: int, index: int) -> Change:
        assert self.fabric is not None
        assert self.fabric.spine is not None
        pod = spine // self.fabric.spine.count
        return self._reassess(pods=(pod, pod + 1))

    def _core(self, cluster: int, index: int) -> Change:
        return self._reassess(pods=(0, len(self.core)))

    def _nvlink_switch(self, domain: int, index: int) -> Change:
        nvlink = self.topology.description.nvlink
        switches = self.left("nvlink-switch")[domain * nvlink.switches : (domain + 1) * nvlink.switches]
        self.domain[domain] = np.count_nonzero(switches > 0) >= nvlink.least
        return self._settle(self._nodes("nvlink-domain", (domain, domain + 1)))

    def _psu(self, shelf: int, index: int) -> Change:
        assert self.power is not None
        return self._shelf(shelf // self.power.shelves, shelf)

    def _shelf(self, unit: int, index: int) -> Change:
        assert self.power is not None
        self._evaluate_supply((unit, unit + 1))
        return self._settle(self._nodes(self.power.per, (unit, unit + 1)))

    def _busway(self, row: int, index: int) -> Change:
        assert self.power is not None
        self._evaluate_supply(self._within("row", self.power.per, row))
        return self._settle(self._nodes("row", (row, row + 1)))

    def _feed(self, hall: int, index: int) -> Change:
        assert self.power is not None
        self._evaluate_supply(self._within("hall", self.power.per, hall))
        self._evaluate_halls((hall, hall + 1))
        return self._settle(self._nodes("hall", (hall, hall + 1)))

    def _site_feed(self, cluster: int, index: int) -> Change:
        self._evaluate_site()
        return self._settle((0, len(self.down)))

    _generator = _site_feed

    def _cdu(self, row: int, index: int) -> Change:
        assert self.cooling is not None
        cdus = self.left("cdu").reshape(-1, self.cooling.cdus)[row].sum()
        self.row[row] = min(1.0, cdus / self.cooling.needed)
        return self._settle(self._nodes("row", (row, row + 1)))

    def _gateway(self, cluster: int, index: int) -> Change:
        return Change()  # nothing but the storage queue depends on it

    # --- evaluation -----------------------------------------------------------------------------------------------

    def _reassess(self, nodes: Range = NOTHING, segments: Range = NOTHING, pods: Range = NOTHING) -> Change:
        reached = [nodes]
        if segments != NOTHING and len(self.core):
            below = self._nodes("segment", segments)
            if self._evaluate_leaves(segments):
                nodes = below
            reached.append(below)
        if nodes != NOTHING:
            self._evaluate_access(nodes)
        if pods != NOTHING and "core" in self.topology.kinds:
            self._evaluate_cores(pods)
            reached.append(self._nodes("pod", pods))
        found = [each for each in reached if each != NOTHING]
        change = self._settle((min(low for low, _ in found), max(high for _, high in found)))
        change.segments, change.pods = segments, pods
        return change

    def _evaluate_access(self, nodes: Range) -> None:
        fabric = self.fabric
        assert fabric is not None
        shape = (-1, fabric.nics, fabric.homes)
        links = self.left("access-link").reshape(shape)[slice(*nodes)]
        segment = self.topology.part_of("segment", np.arange(*nodes, dtype=np.int64) * self.node_gpus)
        leaves = (self.left("leaf").reshape(-1, fabric.leaves) * ~self.cut_off)[segment]
        leaves = leaves.reshape(-1, fabric.rails, fabric.homes)
        self.access[slice(*nodes)] = access_share(links, leaves, fabric.rails, fabric.reroute)

    def _evaluate_leaves(self, segments: Range) -> bool:
        """Return whether a leaf is cut off now that was not, or the other way round."""
        fabric = self.fabric
        assert fabric is not None
        assert fabric.spine is not None
        cut = slice(*segments)
        uplinks = self.left("leaf-uplink").reshape(-1, fabric.leaves, fabric.leaf.uplinks)[cut]
        firsts = self.topology.bounds("segment")[:-1][cut]
        spines = self.left("spine").reshape(-1, fabric.spine.count)[self.topology.part_of("pod", firsts)]
        means = uplink_means(uplinks, spines)
        self.leaf[cut] = leaf_share(means, self.left("leaf").reshape(-1, fabric.leaves)[cut])
        was, self.cut_off[cut] = self.cut_off[cut].copy(), means <= 0
        return bool((was != self.cut_off[cut]).any())

    def _evaluate_cores(self, pods: Range) -> None:
        fabric = self.fabric
        assert fabric is not None
        assert fabric.spine is not None
        assert fabric.core is not None
        cut = slice(*pods)
        uplinks = self.left("spine-uplink").reshape(-1, fabric.spine.count, fabric.spine.uplinks)[cut]
        spines = self.left("spine").reshape(-1, fabric.spine.count)[cut]
        self.core[cut] = core_share(uplinks, spines, self.left("core"), fabric.core.planes, pods[0])

    def _evaluate_supply(self, units: Range) -> None:
        power = self.power
        assert power is not None
        cut = slice(*units)
        starts = self.topology.bounds(power.per)[:-1][cut]
        feeds = self.left("feed").reshape(-1, power.feeds)[self.topology.part_of("hall", starts)]
        if power.busways:
            feeds = feeds * self.left("busway").reshape(-1, power.feeds)[self.topology.part_of("row", starts)]
        psus = self.left("psu").reshape(-1, power.shelves, power.psus)[cut]
        shelves = self.left("shelf").reshape(-1, power.shelves)[cut]
        self.supply[cut] = supply_share(psus, shelves, feeds, power.psu, self.demand.units_w[cut])

    def _evaluate_halls(self, halls: Range) -> None:
        power = self.power
        assert power is not None
        if power.feed is None:
            return
        starts = self.topology.part_of("hall", self.topology.bounds("rack")[:-1])
        asked = np.bincount(starts, weights=self.demand.racks_w * ~self.dark, minlength=len(self.hall)).astype(
            np.float64
        )
        given = self.left("feed").reshape(-1, power.feeds).sum(axis=1) * power.feed
        cut = slice(*halls)
        self.hall[cut] = pool_share(given[cut], asked[cut])

    def _evaluate_site(self) -> None:
        power = self.power
        if power is None or power.site is None:
            return
        site, given = power.site, 0.0
        if site.feed is not None:
            given += float(self.left("site-feed").sum()) * site.feed
        if site.generator is not None:
            given += float(self.left("generator").sum()) * site.generator
        asked = (float(self.demand.racks_w[~self.dark].sum()) + self.demand.switches_w) * power.pue
        self.site = float(pool_share(np.array([given]), np.array([asked]))[0])

    def powered(self, nodes: Nodes) -> Shares:
        """Return the share of full power (and cooling) that each of these nodes gets, (nodes,)."""
        gpus = nodes * self.node_gpus
        share = np.full(len(nodes), self.site)
        if self.power:
            unit = nodes if self.power.per == "node" else self.topology.part_of("rack", gpus)
            share = np.minimum(share, self.supply[unit])
            share = np.minimum(share, self.hall[self.topology.part_of("hall", gpus)])
        if self.cooling:
            share = np.minimum(share, self.row[self.topology.part_of("row", gpus)])
        return share

    def _settle(self, reach: Range) -> Change:
        """Find out which of these nodes are down now."""
        nodes = np.arange(*reach, dtype=np.int64)
        gpus = nodes * self.node_gpus
        topology = self.topology
        down = self.dark[topology.part_of("rack", gpus)] | (self.access[nodes] <= 0)
        down |= ~self.domain[topology.part_of("nvlink-domain", gpus)]
        if len(self.core):
            down |= self.leaf[topology.part_of("segment", gpus)] <= 0
            down |= self.core[topology.part_of("pod", gpus)] <= 0
        if self.power:
            trips, unit = self.power.trips_below, nodes if self.power.per == "node" else topology.part_of("rack", gpus)
            least = np.minimum(self.supply[unit], self.hall[topology.part_of("hall", gpus)])
            least = np.minimum(least, self.site)
            down |= (least < trips) | (least <= 0)
        if self.cooling:
            row = self.row[topology.part_of("row", gpus)]
            down |= (row < self.cooling.trips_below) | (row <= 0)
        was = self.down[nodes]
        self.down[nodes] = down
        return Change(nodes[down & ~was], nodes[was & ~down], reach)

    # --- ranges ---------------------------------------------------------------------------------------------------

    def _nodes(self, kind: str, parts: Range) -> Range:
        """Return the nodes of a range of parts."""
        low, high = self.topology.span(kind, parts[0])[0], self.topology.span(kind, parts[1] - 1)[1]
        return low // self.node_gpus, -(-high // self.node_gpus)

    def _within(self, upper: str, lower: str, index: int) -> Range:
        """Return the range of lower parts in an upper part; the last may reach beyond it."""
        low, high = self.topology.span(upper, index)
        ends = self.topology.part_of(lower, np.array([low, high - 1], dtype=np.int64))
        return int(ends[0]), int(ends[1]) + 1
