"""Who sends how much over which uplinks, and how much longer each gang's communication takes for it.

Demands are in units of a healthy part: of the uplinks of a segment's leaf, of the uplinks of a pod's spines. Only gangs
on more than one NVLink domain use the network at all, only those in several segments the uplinks of leaves, only those
in several pods the uplinks of spines. Leaves of one segment carry alike, so the worst of them decides.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.places import Places
from dcsim.fabric import stretch
from dcsim.plant import PlantState
from dcsim.scenario import Plan

Parts = NDArray[np.int64]
Values = NDArray[np.float64]
LEAST = 1e-9
"""Share that a link has at least while a gang uses it: what has none is down, and its gangs with it."""


class Demand:
    """What gangs ask of the parts of one kind: each gang's own, and the sums, part by part."""

    def __init__(self, parts: int, comm: list[float]) -> None:
        self.comm = comm
        self.own: dict[int, tuple[Parts, Values, dict[int, float]]] = {}
        self.by: dict[int, set[int]] = {}
        self.total, self.traffic = np.zeros(parts), np.zeros(parts)

    def add(self, gang: int, parts: Parts, demand: Values) -> None:
        """A gang begins to ask."""
        listed = parts.tolist()
        self.own[gang] = parts, demand, dict(zip(listed, demand.tolist(), strict=True))
        for part in listed:
            self.by.setdefault(part, set()).add(gang)
        self._sum(listed)

    def remove(self, gang: int) -> None:
        """A gang does not ask any more."""
        if gang not in self.own:
            return
        listed = self.own.pop(gang)[0].tolist()
        for part in listed:
            self.by[part].discard(gang)
            if not self.by[part]:
                del self.by[part]
        self._sum(listed)

    def _sum(self, parts: list[int]) -> None:
        # Anew in a fixed order, not by differences: a lone gang must see exactly its own.
        for part in parts:
            asked = [(gang, self.own[gang][2][part]) for gang in sorted(self.by.get(part, ()))]
            self.total[part] = sum(each for _, each in asked)
            self.traffic[part] = sum(each * self.comm[gang] for gang, each in asked)

    def sharing(self, gang: int) -> set[int]:
        """Return the gangs that ask for something of the same parts, this one included."""
        found: set[int] = set()
        for part in self.own[gang][2] if gang in self.own else ():
            found |= self.by[part]
        return found

    def reached(self, parts: tuple[int, int]) -> set[int]:
        """Return the gangs that ask for something in a range of parts."""
        return {gang for part in range(*parts) for gang in self.by.get(part, ())}

    def stretched(self, gang: int, left: Values) -> float:
        """Return how much longer a gang's communication takes over these parts; ``left``: share of each."""
        if gang not in self.own:
            return 1.0
        parts, demand, _ = self.own[gang]
        others = np.maximum(self.traffic[parts] - demand * self.comm[gang], 0.0)
        links = self.total[parts].tolist(), others.tolist(), np.maximum(left[parts], LEAST).tolist()
        return max(map(stretch, *links))


class Traffic:
    """Loads of the gangs that run and communicate; all shares as in ``PlantState``."""

    def __init__(self, plan: Plan, places: Places, plant: PlantState) -> None:
        self.plan, self.places, self.plant = plan, places, plant
        topology = plan.topology
        fabric = topology.description.fabric
        assert fabric is not None
        self.comm = [plan.scenario.jobs[gang.job].comm for gang in plan.gangs]
        self.nodes: dict[int, Parts] = {}  # of the gangs that use the network
        self.segments, self.pods = Demand(len(plant.leaf), self.comm), Demand(len(plant.core), self.comm)
        self.per_node = topology.gpus_per_node // places.atom
        spine, core = fabric.spine, fabric.core
        uplinks = fabric.leaf.uplinks * fabric.uplink_rate
        self.of_leaf = fabric.nics // fabric.rails * fabric.port / fabric.homes / uplinks if spine else 0.0
        pod = spine.count * spine.uplinks * fabric.core_rate if spine and core else 0.0
        self.of_pod = fabric.leaves * uplinks / pod if pod else 0.0  # a segment's uplinks, of a pod's

    # --- who runs -------------------------------------------------------------------------------------------------

    def starts(self, gang: int) -> set[int]:
        """A gang runs, on the GPUs that it has now; return whose communication may take another time."""
        touched = self.stops(gang)
        self._load(gang)
        return touched | self.segments.sharing(gang) | self.pods.sharing(gang) | {gang}

    def stops(self, gang: int) -> set[int]:
        """A gang runs no longer; return whose communication may take another time."""
        if gang not in self.nodes:
            return set()
        touched = self.segments.sharing(gang) | self.pods.sharing(gang)
        del self.nodes[gang]
        self.segments.remove(gang)
        self.pods.remove(gang)
        return touched - {gang}

    def reached(self, nodes: tuple[int, int], segments: tuple[int, int], pods: tuple[int, int]) -> set[int]:
        """Return the gangs that send and have something in these ranges."""
        found = self.segments.reached(segments) | self.pods.reached(pods)
        if nodes[0] < nodes[1]:
            low, high = nodes[0] * self.per_node, nodes[1] * self.per_node
            found |= self.nodes.keys() & set(np.unique(self.places.owner[low:high]).tolist())
        return found

    def _load(self, gang: int) -> None:
        """Find out what a gang asks of the network with the GPUs that it has."""
        topology, plant = self.plan.topology, self.plant
        nodes = np.unique(self.places.members(gang) // self.per_node)
        gpus = nodes * topology.gpus_per_node
        domains = topology.part_of(topology.nvlink_domain, gpus)
        if not len(nodes) or domains[0] == domains[-1]:
            return
        self.nodes[gang] = nodes
        segments, counts = np.unique(topology.part_of("segment", gpus), return_counts=True)
        if len(segments) < 2 or not len(plant.core):
            return
        demand = np.minimum(1.0, counts * self.of_leaf)
        self.segments.add(gang, segments, demand)
        pods, into = np.unique(topology.part_of("pod", topology.bounds("segment")[segments]), return_inverse=True)
        if len(pods) > 1 and self.of_pod:
            crossing = np.bincount(into, weights=demand) * self.of_pod
            self.pods.add(gang, pods, np.minimum(1.0, crossing))

    # --- how long it takes ----------------------------------------------------------------------------------------

    def stretched(self, gang: int) -> float:
        """Return how much longer a gang's communication takes: the worst of its links decides."""
        if gang not in self.nodes:
            return 1.0
        worst = 1.0 / max(float(self.plant.access[self.nodes[gang]].min()), LEAST)
        return max(
            worst,
            self.segments.stretched(gang, self.plant.leaf),
            self.pods.stretched(gang, self.plant.core),
        )

    def senders(self) -> Iterable[int]:
        """Return the gangs that use the network."""
        return self.nodes.keys()
