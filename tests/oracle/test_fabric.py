"""The network against explicit ECMP on a graph of its switches and links.

ECMP road: every switch and every parallel link of an expanded topology is a node or an edge of an undirected
multigraph; what is dead is taken out of it; fractions of traffic are then pushed from switch to switch, evenly over
the links that may be used. Nothing of ``dcsim.fabric`` takes part in that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest

from dcsim.plant import PlantState
from dcsim.topology import Topology, TopologyDescription
from dcsim.topology.build import build

HOUR = 3_600_000
GPUS = 4  # of a node; two nodes in a rack


# --- explicit ECMP ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clos:
    """A small leaf/spine/core network; ``parallel``: links between a leaf and one spine."""

    rails: int
    homes: int
    spines: int
    parallel: int
    segments: int
    pods: int = 1
    planes: int = 1
    uplinks: int = 0  # of a spine
    ports: int = 1  # of a core

    @property
    def topology(self) -> Topology:
        """Two nodes in every segment, one NIC per rail in every node."""
        fabric: dict[str, Any] = {"nics": self.rails, "port": "400 Gb/s", "homes": self.homes, "rails": self.rails}
        fabric["leaf"] = {"nodes": 2, "uplinks": self.spines * self.parallel}
        fabric["spine"] = {"count": self.spines, "segments": self.segments}
        if self.pods > 1:
            fabric["spine"]["uplinks"] = self.uplinks
            fabric["core"] = {"ports": self.ports, "planes": self.planes}
        return build(description(fabric), GPUS * 2 * self.segments * self.pods)

    @property
    def leaves(self) -> int:
        """Leaves of one segment."""
        return self.rails * self.homes


def description(fabric: dict[str, Any], domain: str = "node") -> TopologyDescription:
    """Describe a plant that has nothing but a network."""
    return TopologyDescription.model_validate(
        {
            "name": "oracle",
            "description": "",
            "node": {"gpus": GPUS},
            "rack": {"nodes": 2},
            "nvlink": {"domain": domain},
            "fabric": fabric,
        }
    )


PODLESS = (
    Clos(rails=1, homes=1, spines=2, parallel=1, segments=2),
    Clos(rails=1, homes=1, spines=4, parallel=2, segments=4),
    Clos(rails=4, homes=1, spines=3, parallel=1, segments=3),
    Clos(rails=1, homes=2, spines=4, parallel=1, segments=3),
    Clos(rails=4, homes=2, spines=2, parallel=3, segments=3),
)
PODDED = (
    Clos(rails=1, homes=1, spines=2, parallel=1, segments=2, pods=2, planes=1, uplinks=2, ports=4),
    Clos(rails=1, homes=2, spines=4, parallel=1, segments=2, pods=3, planes=2, uplinks=2, ports=6),
    Clos(rails=4, homes=1, spines=4, parallel=2, segments=2, pods=2, planes=4, uplinks=4, ports=2),
    Clos(rails=1, homes=1, spines=3, parallel=1, segments=3, pods=3, planes=3, uplinks=4, ports=6),
    Clos(rails=4, homes=2, spines=2, parallel=1, segments=2, pods=2, planes=2, uplinks=6, ports=4),
)
Part = tuple[str, int]
Load = dict[tuple[str, str, str], Fraction]  # from, to, address of the link
CUT = None  # there is no way


class Network:
    """Switches and links that live, as an undirected multigraph."""

    def __init__(self, topology: Topology, dead: Sequence[Part] = ()) -> None:
        served = topology.graph(expand=True)
        kind = nx.get_node_attributes(served, "kind")
        self.graph = nx.MultiGraph()
        for name, each in kind.items():
            if each in LEVEL:
                self.graph.add_node(name, level=LEVEL[each])
        for name, each in kind.items():
            if each in ("leaf-uplink", "spine-uplink"):
                (lower,) = served.successors(name)
                (upper,) = (above for above in served.predecessors(name) if kind[above] in LEVEL)
                self.graph.add_edge(lower, upper, key=name)
        for each, index in dead:
            address = topology.path(each, index)
            if each in LEVEL:
                self.graph.remove_node(address)
            else:
                ends = [(low, high) for low, high, key in self.graph.edges(keys=True) if key == address]
                self.graph.remove_edges_from((*pair, address) for pair in ends)

    def links(self, switch: str, step: int) -> list[tuple[str, str]]:
        """Return (other end, address) of the live links of a switch that lead up (1) or down (-1)."""
        level = nx.get_node_attributes(self.graph, "level")
        wanted = level[switch] + step
        return [(other, key) for _, other, key in self.graph.edges(switch, keys=True) if level[other] == wanted]

    def hops(self, switch: str, height: int, goal: str | None) -> list[tuple[str, str]]:
        """Return the next hops with a way ``height`` levels up and, with a goal, from there down to it."""
        step = 1 if height else -1
        return [
            (other, key) for other, key in self.links(switch, step) if self.leads(other, height - (height > 0), goal)
        ]

    def leads(self, switch: str, height: int, goal: str | None) -> bool:
        """Whether a switch has a way on."""
        if not height and (goal is None or switch == goal):
            return True
        return (height > 0 or switch not in self.leaves) and bool(self.hops(switch, height, goal))

    @property
    def leaves(self) -> set[str]:
        """Leaves that live."""
        return {name for name, level in self.graph.nodes(data="level") if level == 0}

    def send(self, source: str, height: int, goal: str | None, amount: Fraction, load: Load) -> bool:
        """Push traffic up ``height`` levels and, with a goal, down to it; every switch splits evenly over its hops."""
        if not height and (goal is None or source == goal):
            return True
        hops = self.hops(source, height, goal)
        for other, key in hops:
            load[source, other, key] = load.get((source, other, key), Fraction(0)) + amount / len(hops)
            self.send(other, height - (height > 0), goal, amount / len(hops), load)
        return bool(hops)


LEVEL = {"leaf": 0, "spine": 1, "core": 2}


def leaf_of(clos: Clos, segment: int, position: int) -> str:
    """Return the address of a leaf."""
    return f"segment/{segment}/leaf/{position}"


def between_segments(clos: Clos, network: Network, aware: bool) -> Load | None:
    """Let every live leaf send 1 evenly to the other segments of its pod, to the leaf of its own rail and home."""
    load: Load = {}
    for segment in range(clos.segments * clos.pods):
        pod = segment // clos.segments
        others = [each for each in range(pod * clos.segments, (pod + 1) * clos.segments) if each != segment]
        for position in range(clos.leaves):
            source = leaf_of(clos, segment, position)
            for other in others if source in network.graph else ():
                goal = leaf_of(clos, other, position) if aware else None
                if not network.send(source, 1, goal, Fraction(1, len(others)), load) and aware:
                    return CUT
    return load


def between_pods(clos: Clos, network: Network) -> Load:
    """Let every leaf send 1 evenly to the other pods, as far as the cores."""
    load: Load = {}
    for segment in range(clos.segments * clos.pods):
        for position in range(clos.leaves):
            for _ in range(clos.pods - 1):
                network.send(leaf_of(clos, segment, position), 2, None, Fraction(1, clos.pods - 1), load)
    return load


def busiest(load: Load, switches: set[str]) -> Fraction:
    """Return the largest load of what these switches send; 0 if they send nothing."""
    return max((each for (sender, _, _), each in load.items() if sender in switches), default=Fraction(0))


def draw_dead(topology: Topology, chances: dict[str, float], rng: np.random.Generator) -> list[Part]:
    """Draw what is dead, each component of a kind by the same chance."""
    return [
        (kind, index)
        for kind, chance in chances.items()
        for index in np.flatnonzero(rng.random(topology.components(kind)) < chance).tolist()
    ]


def state_without(topology: Topology, dead: list[Part]) -> PlantState:
    """Return the plant without these components."""
    state = PlantState(topology)
    for kind, index in dead:
        state.lose(kind, index)
    return state


def inverse(share: float) -> float:
    """Return how much longer it takes."""
    return math.inf if share == 0 else 1 / share


@pytest.mark.parametrize("seed", range(len(PODLESS + PODDED)))
def test_leaf_share_is_that_of_ecmp_upwards(seed):
    """Traffic between the segments of a pod loads the busiest uplink of a segment 1 / leaf share as much as healthy.

    Reading: every live leaf has full demand, and splits it evenly over its live links to live spines. Dead leaves send
    nothing (their ports are dead too), and neither do leaves without a way up (they shut their ports).
    """
    clos = (PODLESS + PODDED)[seed]
    topology, rng = clos.topology, np.random.default_rng(seed)
    healthy = between_segments(clos, Network(topology), aware=False)
    whole = Fraction(1, clos.spines * clos.parallel)
    assert healthy is not None
    assert {load for (low, _, _), load in healthy.items()} == {whole}
    seen = set()
    for trial in range(8):
        chances = {"leaf-uplink": 0.1 * (trial % 4), "spine": 0.15 * (trial % 3)}
        if clos.homes == 2:
            chances["leaf"] = 0.2
        dead = draw_dead(topology, chances, rng)
        network, state = Network(topology, dead), state_without(topology, dead)
        load = between_segments(clos, network, aware=False)
        assert load is not None
        for segment in range(topology.components("segment")):
            leaves = {leaf_of(clos, segment, each) for each in range(clos.leaves)} & network.leaves
            cut = not any(network.links(each, 1) for each in leaves)
            expected = math.inf if cut else float(busiest(load, leaves) / whole)
            assert inverse(state.leaf[segment]) == pytest.approx(expected, rel=1e-12)
            seen.add(expected)
    assert seen - {1.0}  # not only healthy segments


@pytest.mark.parametrize("seed", range(len(PODDED)))
def test_core_share_is_that_of_ecmp_upwards(seed):
    """Traffic between pods loads the busiest uplink of a pod's spines 1 / core share as much as in a healthy network.

    Reading: full demand, leaves' uplinks whole, leaves split evenly over the spines that have a way up, those evenly
    over their live links to live cores.
    """
    clos = PODDED[seed]
    topology, rng = clos.topology, np.random.default_rng(100 + seed)
    spines = [{f"pod/{pod}/spine/{each}" for each in range(clos.spines)} for pod in range(clos.pods)]
    healthy = between_pods(clos, Network(topology))
    whole = Fraction(clos.segments * clos.leaves, clos.spines * clos.uplinks)
    assert {busiest(healthy, each) for each in spines} == {whole}
    seen = set()
    for trial in range(8):
        chances = {"spine": 0.1 * (trial % 3), "spine-uplink": 0.12 * (trial % 4), "core": 0.15 * (trial % 2)}
        dead = draw_dead(topology, chances, rng)
        state = state_without(topology, dead)
        load = between_pods(clos, Network(topology, dead))
        for pod, each in enumerate(spines):
            expected = float(busiest(load, each) / whole) or math.inf
            assert inverse(state.core[pod]) == pytest.approx(expected, rel=1e-12)
            seen.add(expected)
    assert len(seen) > 2


@pytest.mark.parametrize("clos", [each for each in PODLESS if each.parallel == 1])
def test_one_damaged_segment_is_right_both_ways(clos):
    """With dead spines and one segment's dead uplinks, ECMP that knows all routes is as slow as the worst segment.

    Both directions, for a job on all segments. Needs one link per leaf and spine: see the next test.
    """
    topology, rng = clos.topology, np.random.default_rng(200)
    whole = Fraction(1, clos.spines)
    for trial in range(12):
        damaged = trial % clos.segments * clos.leaves * clos.spines
        links = damaged + np.flatnonzero(rng.random(clos.leaves * clos.spines) < 0.25)
        dead = [("leaf-uplink", index) for index in links.tolist()] + draw_dead(topology, {"spine": 0.1}, rng)
        state = state_without(topology, dead)
        load = between_segments(clos, Network(topology, dead), aware=True)
        stretch = inverse(float(state.leaf.min()))
        assert (load is CUT) == (stretch == math.inf)
        if load is not CUT:
            assert float(max(load.values()) / whole) == pytest.approx(stretch, rel=1e-12)


@pytest.mark.parametrize("seed", range(len(PODLESS)))
def test_what_every_route_knows_never_makes_it_faster(seed):
    """If leaves also avoid spines that cannot reach the destination, the busiest uplink is never less loaded."""
    clos = PODLESS[seed]
    topology, rng = clos.topology, np.random.default_rng(300 + seed)
    whole = Fraction(1, clos.spines * clos.parallel)
    for _ in range(6):
        dead = draw_dead(topology, {"leaf-uplink": 0.15, "spine": 0.05}, rng)
        state = state_without(topology, dead)
        load = between_segments(clos, Network(topology, dead), aware=True)
        for segment in range(clos.segments) if load is not CUT else ():
            leaves = {leaf_of(clos, segment, each) for each in range(clos.leaves)}
            assert float(busiest(load, leaves) / whole) >= inverse(state.leaf[segment]) * (1 - 1e-12)


# What the share of a leaf or of a pod does not see, each with the smallest network that shows it.
TWO = Clos(rails=1, homes=1, spines=4, parallel=1, segments=2)
DOUBLE = Clos(rails=1, homes=1, spines=2, parallel=2, segments=2)
JOINED = Clos(rails=1, homes=1, spines=2, parallel=1, segments=2, pods=2, planes=2, uplinks=2, ports=4)


def test_misaligned_dead_uplinks_are_worse_than_the_share_says():
    """Segment 0 lost spine 0, segment 1 lost spine 1: two of four spines join them, so 2, where shares say 4/3."""
    topology, dead = TWO.topology, [("leaf-uplink", 0), ("leaf-uplink", 4 + 1)]
    load = between_segments(TWO, Network(topology, dead), aware=True)
    assert load is not CUT
    assert max(load.values()) / Fraction(1, 4) == 2
    assert inverse(float(state_without(topology, dead).leaf.min())) == pytest.approx(4 / 3)


def test_segments_without_a_common_spine_are_not_seen_as_cut():
    """Segment 0 reaches spines 2 and 3 only, segment 1 only 0 and 1: no way, where shares say 2."""
    topology, dead = TWO.topology, [("leaf-uplink", 0), ("leaf-uplink", 1), ("leaf-uplink", 6), ("leaf-uplink", 7)]
    assert between_segments(TWO, Network(topology, dead), aware=True) is CUT
    assert inverse(float(state_without(topology, dead).leaf.min())) == 2


def test_one_of_two_parallel_links_is_worse_on_the_way_down():
    """Spine 0 has one of two links to segment 1 but gets half of what goes there: 2, where the share says 4/3."""
    topology, dead = DOUBLE.topology, [("leaf-uplink", 4)]
    load = between_segments(DOUBLE, Network(topology, dead), aware=True)
    assert load is not CUT
    assert max(load.values()) / Fraction(1, 4) == 2
    assert busiest(load, {"segment/1/leaf/0"}) / Fraction(1, 4) == Fraction(4, 3)
    assert inverse(float(state_without(topology, dead).leaf.min())) == pytest.approx(4 / 3)


def test_dead_uplinks_of_a_leaf_shift_load_between_the_spines_of_a_pod():
    """Leaf 0 lost its link to spine 0: spine 1 carries 3/4 of what leaves the pod, not 1/2; the core share is 1.

    If spine 0 also has only half of its uplinks, what it was spared makes it better: 1.5, where the share says 2.
    """
    topology, spines = JOINED.topology, {"pod/0/spine/0", "pod/0/spine/1"}
    whole = Fraction(2, 4)
    dead = [("leaf-uplink", 0)]
    assert busiest(between_pods(JOINED, Network(topology, dead)), spines) / whole == Fraction(3, 2)
    assert state_without(topology, dead).core[0] == 1
    dead.append(("spine-uplink", 0))
    assert busiest(between_pods(JOINED, Network(topology, dead)), spines) / whole == Fraction(3, 2)
    assert state_without(topology, dead).core[0] == 0.5


def test_pods_without_a_common_plane_are_not_seen_as_cut():
    """Pod 0 has only its spine of plane 0, pod 1 only that of plane 1: no core joins them, where shares say 2."""
    topology, dead = JOINED.topology, [("spine", 1), ("spine", 2)]
    network = Network(topology, dead)
    assert not network.leads("segment/0/leaf/0", 2, "segment/2/leaf/0")
    assert state_without(topology, dead).core.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("clos", PODDED)
def test_cores_have_a_port_for_every_link(clos):
    """No core of these networks has more links than ports (their spines' uplinks are a multiple of a plane's cores)."""
    network = Network(clos.topology)
    cores = [name for name, level in network.graph.nodes(data="level") if level == 2]
    assert all(0 < network.graph.degree(core) <= clos.ports for core in cores)
