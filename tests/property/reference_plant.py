"""The reference's plant: from the share of every component to who is down, how fast nodes and networks are.

Written from the specification, one formula after the other, each asked anew for one node, segment or pod.
"""

from collections.abc import Sequence
from functools import cached_property

from dcsim.plant.demand import Demand
from dcsim.topology import Topology

Holds = dict[tuple[str, int], float]
"""Share that is left of each component that is not as it should be, by kind and index."""
PARTS = ("node", "nvlink-domain", "rack", "row", "hall", "segment", "pod")


class Site:
    """What never changes: which part holds which GPU, what asks for how much power."""

    def __init__(self, topology: Topology) -> None:
        self.topology, self.plant = topology, topology.description
        self.parts: dict[str, list[int]] = {}  # by kind: GPU -> part
        for kind in PARTS:
            of = [0] * topology.gpus
            for index in range(topology.components(kind)) if kind in topology.kinds else ():
                lo, hi = topology.span(kind, index)
                of[lo:hi] = [index] * (hi - lo)
            self.parts[kind] = of
        self.first = [topology.span("node", node)[0] for node in range(topology.nodes)]
        self.looks: dict[tuple[frozenset[tuple[tuple[str, int], float]], frozenset[int]], Look] = {}

    def part(self, kind: str, node: int) -> int:
        """Index of the part that holds a node."""
        return self.parts[kind][self.first[node]]

    def count(self, kind: str) -> int:
        """Number of parts that hold GPUs; 0 where the topology has none."""
        return self.topology.components(kind) if kind in self.topology.kinds else 0

    @cached_property
    def racks_w(self) -> list[float]:
        """Power that each rack asks for."""
        found = []
        for rack in range(self.topology.racks):
            lo, hi = self.topology.span("rack", rack)
            found.append((hi - lo) // self.topology.gpus_per_node * self.plant.node.power + self.plant.rack.power)
        return found

    @cached_property
    def switches_w(self) -> float:
        """Power of switches and optics."""
        return Demand(self.topology).switches_w

    def look(self, holds: Holds, dark: frozenset[int]) -> "Look":
        """Look at the plant in one state: what is held, and which racks are dark."""
        key = (frozenset(holds.items()), dark)
        if key not in self.looks:
            self.looks[key] = Look(self, holds, dark)
        return self.looks[key]


class Look:
    """The plant in one state."""

    def __init__(self, site: Site, holds: Holds, dark: frozenset[int]) -> None:
        self.site, self.holds, self.dark = site, holds, dark
        self.plant, self.topology = site.plant, site.topology

    def share(self, kind: str, index: int) -> float:
        """What is left of one component."""
        return self.holds.get((kind, index), 1.0)

    @cached_property
    def down(self) -> list[bool]:
        """Whether each node is down."""
        return [self.is_down(node) for node in range(self.topology.nodes)]

    def is_down(self, node: int) -> bool:
        """Whether a node is down, for any reason."""
        power, cooling = self.plant.power, self.plant.cooling
        if self.site.part("rack", node) in self.dark or self.access(node) == 0:
            return True
        if self.leaf(self.site.part("segment", node)) == 0 or self.core(self.site.part("pod", node)) == 0:
            return True
        domain = self.site.part("nvlink-domain", node)
        switches = self.plant.nvlink.switches
        alive = sum(self.share("nvlink-switch", domain * switches + i) > 0 for i in range(switches))
        if alive < self.plant.nvlink.least:
            return True
        if power is not None:
            least = min(self.supply(node), self.hall(self.site.part("hall", node)), self.grid)
            if least < power.trips_below or least <= 0:
                return True
        if cooling is not None:
            row = self.row(self.site.part("row", node))
            return row < cooling.trips_below or row <= 0
        return False

    # --- network

    def access(self, node: int) -> float:
        """Share of a node's worst NIC, or of all its NICs if they take over for one another."""
        fabric = self.plant.fabric
        if fabric is None:
            return 1.0
        segment, found = self.site.part("segment", node), []
        for nic in range(fabric.nics):
            ways = []
            for home in range(fabric.homes):
                link = node * fabric.nics * fabric.homes + nic * fabric.homes + home
                leaf = segment * fabric.rails * fabric.homes + nic % fabric.rails * fabric.homes + home
                live = self.share("leaf", leaf) if self.uplinks(leaf) > 0 else 0.0
                ways.append(self.share("access-link", link) * live)
            found.append(sum(ways) / len(ways))
        return sum(found) / len(found) if fabric.reroute else min(found)

    def leaf(self, segment: int) -> float:
        """What a segment has left of its way to the spines."""
        fabric = self.plant.fabric
        if fabric is None or fabric.spine is None:
            return 1.0
        first = segment * fabric.rails * fabric.homes
        own = range(first, first + fabric.rails * fabric.homes)
        live = [leaf for leaf in own if self.share("leaf", leaf) > 0 and self.uplinks(leaf) > 0]
        return min((self.uplinks(leaf) for leaf in live), default=0.0)

    def uplinks(self, leaf: int) -> float:
        """What a leaf has left of its way to the spines; 0: it is cut off."""
        fabric = self.plant.fabric
        if fabric.spine is None:
            return 1.0
        lo, _ = self.topology.span("leaf", leaf)
        pod, ways = self.site.parts["pod"][lo], []
        for i in range(fabric.leaf.uplinks):
            spine = pod * fabric.spine.count + i % fabric.spine.count
            ways.append(self.share("leaf-uplink", leaf * fabric.leaf.uplinks + i) * self.share("spine", spine))
        return sum(ways) / len(ways)

    def core(self, pod: int) -> float:
        """What a pod has left of its way to the cores."""
        fabric = self.plant.fabric
        if fabric is None or fabric.spine is None or fabric.core is None or "core" not in self.topology.kinds:
            return 1.0
        planes, alive = fabric.core.planes, []
        per_plane = self.topology.components("core") // planes
        for own in range(fabric.spine.count):
            spine, ways = pod * fabric.spine.count + own, []
            for i in range(fabric.spine.uplinks):
                turn = (pod * (fabric.spine.count // planes) + own // planes) * fabric.spine.uplinks + i
                core = own % planes * per_plane + turn % per_plane
                link = spine * fabric.spine.uplinks + i
                ways.append(self.share("spine-uplink", link) * self.share("core", core))
            mean = sum(ways) / len(ways)
            if mean > 0 and self.share("spine", spine) > 0:
                alive.append(mean * self.share("spine", spine))
        return min(alive) * (len(alive) / fabric.spine.count) if alive else 0.0

    # --- power and cooling

    def capped(self, node: int) -> float:
        """Share of full speed that power and cooling leave a node."""
        power, cooling, found = self.plant.power, self.plant.cooling, [1.0]
        if power is not None:
            found += [self.supply(node), self.hall(self.site.part("hall", node)), self.grid]
        if cooling is not None:
            found.append(self.row(self.site.part("row", node)))
        return min(found)

    def supply(self, node: int) -> float:
        """What the shelves of a node or of its rack give, as a share of what is asked of them."""
        power = self.plant.power
        unit = node if power.per == "node" else self.site.part("rack", node)
        asked = self.plant.node.power if power.per == "node" else self.site.racks_w[unit]
        first, _ = self.topology.span(power.per, unit)
        total = 0.0
        for own in range(power.shelves):
            shelf, feed = unit * power.shelves + own, own % power.feeds
            psus = sum(self.share("psu", shelf * power.psus + psu) for psu in range(power.psus))
            gives = psus * self.share("shelf", shelf)
            gives *= self.share("feed", self.site.parts["hall"][first] * power.feeds + feed)
            if power.busways:
                gives *= self.share("busway", self.site.parts["row"][first] * power.feeds + feed)
            total += gives
        return min(1.0, total * power.psu / asked)

    def asked_of(self, hall: int) -> float:
        """Power that the racks of a hall ask for, dark ones left out."""
        lit = [rack for rack in range(self.topology.racks) if rack not in self.dark]
        own = [rack for rack in lit if self.site.parts["hall"][self.topology.span("rack", rack)[0]] == hall]
        return sum(self.site.racks_w[rack] for rack in own)

    def hall(self, hall: int) -> float:
        """What the feeds of a hall give, as a share of what its racks ask for."""
        power = self.plant.power
        if power.feed is None or not (asked := self.asked_of(hall)):
            return 1.0
        left = sum(self.share("feed", hall * power.feeds + feed) for feed in range(power.feeds))
        return min(1.0, left * power.feed / asked)

    @cached_property
    def grid(self) -> float:
        """What the site has, as a share of what is asked of it."""
        power = self.plant.power
        if power.site is None:
            return 1.0
        given = 0.0
        for kind, count, watts in (
            ("site-feed", power.site.feeds, power.site.feed),
            ("generator", power.site.generators, power.site.generator),
        ):
            if count:
                given += sum(self.share(kind, index) for index in range(count)) * watts
        lit = [rack for rack in range(self.topology.racks) if rack not in self.dark]
        asked = power.pue * (sum(self.site.racks_w[rack] for rack in lit) + self.site.switches_w)
        return min(1.0, given / asked) if asked else 1.0

    def row(self, row: int) -> float:
        """What the CDUs of a row cool, as a share of full power."""
        cooling = self.plant.cooling
        left = sum(self.share("cdu", row * cooling.cdus + cdu) for cdu in range(cooling.cdus))
        return min(1.0, left / cooling.needed)

    # --- traffic

    def sent(self, nodes: Sequence[int]) -> tuple[dict[int, float], dict[int, float]]:
        """Return what a gang on these nodes sends up from each segment and from each pod, as a share of the links."""
        fabric = self.plant.fabric
        segments: dict[int, float] = {}
        pods: dict[int, float] = {}
        held = sorted({self.site.part("segment", node) for node in nodes})
        if len(held) > 1:
            a = (fabric.nics / fabric.rails * fabric.port / fabric.homes) / (fabric.leaf.uplinks * fabric.uplink_rate)
            for segment in held:
                there = sum(self.site.part("segment", node) == segment for node in nodes)
                segments[segment] = min(1.0, there * a)
        above = sorted({self.site.part("pod", node) for node in nodes})
        if len(above) > 1:
            up = fabric.leaves * fabric.leaf.uplinks * fabric.uplink_rate
            b = up / (fabric.spine.count * fabric.spine.uplinks * fabric.core_rate)
            for pod in above:
                own = [s for s in held if self.site.parts["pod"][self.topology.span("segment", s)[0]] == pod]
                pods[pod] = min(1.0, sum(segments[segment] for segment in own) * b)
        return segments, pods

    def slowdown(self, which: int, senders: Sequence[tuple[float, Sequence[int]]]) -> float:
        """Return by how much the ``which``-th of these gangs, (comm, nodes) each, is slower than alone and healthy."""
        comm = senders[which][0]
        return (1 - comm) + comm * self.stretch(which, senders)

    def stretch(self, which: int, senders: Sequence[tuple[float, Sequence[int]]]) -> float:
        """Return by how much longer what the ``which``-th of these gangs sends takes, on the worst of its links."""
        nodes = senders[which][1]
        stretch = 1 / min(self.access(node) for node in nodes)
        sent = [self.sent(each) for _, each in senders]
        for level, share in ((0, self.leaf), (1, self.core)):
            for part in sent[which][level]:
                on = [(other, loads[level][part]) for other, loads in enumerate(sent) if part in loads[level]]
                load = sum(d / share(part) for _, d in on)
                others = sum(senders[other][0] * d / share(part) for other, d in on if other != which)
                rho = min(0.95, others)
                stretch = max(stretch, max(1.0, load) * (1 + rho / (2 * (1 - rho))))
        return stretch
