"""Indices and spans say what the dependence graph says, for random clusters."""

from collections import Counter

import networkx
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcsim.topology import Topology, TopologyDescription
from dcsim.topology.build import build


@st.composite
def clusters(draw: st.DrawFn) -> Topology:
    """Draw a cluster of up to a few hundred GPUs, often with a partial last rack."""
    node = draw(st.integers(1, 9))
    description = {
        "name": "random",
        "description": "",
        "node": {"gpus": node},
        "rack": {"nodes": draw(st.integers(1, 9))},
        "nvlink": {"domain": draw(st.sampled_from(["node", "rack"]))},
    }
    return build(TopologyDescription.model_validate(description), node * draw(st.integers(1, 40)))


def nested(node: int, nodes: int, domain: str) -> dict[str, object]:
    """Describe nodes in racks and nothing else."""
    plain = {"name": "nested", "description": "", "node": {"gpus": node}, "rack": {"nodes": nodes}}
    return {**plain, "nvlink": {"domain": domain}}


PARTIAL = build(TopologyDescription.model_validate(nested(4, 18, "rack")), 2 * 72 + 64)


@st.composite
def plants(draw: st.DrawFn) -> Topology:
    """Draw a cluster with network, power, cooling and storage; segments and pods may differ in size."""
    spines, rails = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    few = st.lists(st.integers(1, 4), min_size=30, max_size=30)
    rail = {"nics": rails * draw(st.integers(1, 2)), "rails": rails, "homes": draw(st.integers(1, 2))}
    leaf = {"nodes": draw(st.integers(1, 5) | few), "uplinks": spines * draw(st.integers(1, 2))}
    pods = {"count": spines, "segments": draw(st.integers(1, 3) | few), "uplinks": draw(st.integers(1, 3))}
    core = {"ports": draw(st.integers(1, 9)), "planes": draw(st.sampled_from([1, spines]))}
    fabric = {**rail, "port": "400 Gb/s", "leaf": leaf, "spine": pods, "core": core}
    power = {"per": draw(st.sampled_from(["rack", "node"])), "shelves": 2, "psus": 2, "psu": "9 kW", "feeds": 2}
    power |= {"busways": True, "hall_racks": draw(st.integers(1, 4)), "site": {"feeds": 2, "feed": "1 MW"}}
    further = {"fabric": fabric, "power": power, "cooling": {"cdus": 2, "needed": 1}}
    further["storage"] = {"gateways": 2, "bandwidth": "1 GB/s"}
    node = draw(st.integers(1, 4))
    plain = nested(node, draw(st.integers(1, 4)), draw(st.sampled_from(["rack", "node"])))
    return build(TopologyDescription.model_validate({**plain, **further}), node * draw(st.integers(1, 30)))


@settings(max_examples=50, deadline=None)
@given(plants())
def test_a_component_serves_what_the_graph_says(topology: Topology) -> None:
    """The GPUs below any component in the graph are its span; every component is there once, under its address."""
    graph = topology.graph(expand=True)
    assert networkx.is_directed_acyclic_graph(graph)
    seen = Counter()
    for part, data in graph.nodes(data=True):
        kind, index = data["kind"], data["index"]
        nodes = [each for each in {part} | networkx.descendants(graph, part) if graph.nodes[each]["kind"] == "node"]
        gpus = sorted(gpu for each in nodes for gpu in range(graph.nodes[each]["lo"], graph.nodes[each]["hi"]))
        assert gpus == list(range(*topology.span(kind, index)))
        seen[kind] += 1
        if kind != "cluster":
            assert topology.find(part) == (kind, index)
    kinds = {"cluster": 1} | {kind: topology.components(kind) for kind in topology.kinds}
    assert seen == {kind: count for kind, count in kinds.items() if kind not in ("gpu", "nvlink-domain")}
    if "core" in topology.kinds:  # no core has more links than ports, unless its planes are odd shares of a pod
        links = [graph.out_degree(part) - 1 for part, data in graph.nodes(data=True) if data["kind"] == "core"]
        assert max(links) - min(links) <= 1


@given(clusters())
@example(PARTIAL)
def test_blast_from_graph(topology: Topology) -> None:
    """The GPUs that depend on a rack or node by networkx are its span, and the same by the indices of its parts."""
    graph = topology.graph(expand=True)
    arrays = {kind: topology.part_of(kind, np.arange(topology.gpus)) for kind in ("node", "rack")}
    seen = Counter()
    for part, data in graph.nodes(data=True):
        kind, index = data["kind"], data["index"]
        below = [each for each in {part} | networkx.descendants(graph, part) if graph.out_degree(each) == 0]
        blast = sorted(gpu for leaf in below for gpu in range(graph.nodes[leaf]["lo"], graph.nodes[leaf]["hi"]))
        assert blast == list(range(data["lo"], data["hi"]))
        if kind == "cluster":
            assert blast == list(range(topology.gpus))
            continue
        seen[kind] += 1
        assert blast == list(range(*topology.span(kind, index)))
        np.testing.assert_array_equal(np.flatnonzero(arrays[kind] == index), blast)
        if kind == topology.nvlink_domain:
            assert topology.span("nvlink-domain", index) == topology.span(kind, index)
    assert seen == {"node": topology.components("tray"), "rack": topology.components("rack")}


@given(clusters())
@example(PARTIAL)
def test_counts_from_compact_graph(topology: Topology) -> None:
    """The multiplicities of the compact graph give every part's count and the size of every rack's blast."""
    graph = topology.graph()
    gpus_below = {"gpu": 1}
    for part in reversed(list(networkx.topological_sort(graph))):
        held = graph.out_edges(part, data="count")
        gpus_below.setdefault(part, sum(count * gpus_below[lower] for _, lower, count in held))
        holders = graph.in_edges(part, data="count")
        if part != "cluster":
            total = sum(count * graph.nodes[upper]["count"] for upper, _, count in holders)
            assert graph.nodes[part]["count"] == total
    assert gpus_below["cluster"] == topology.gpus
    assert networkx.descendants(graph, "cluster") | {"cluster"} == set(graph)
    for kind in ("gpu", "node", "rack"):
        parts = {part: data["count"] for part, data in graph.nodes(data=True) if data["kind"] == kind}
        sizes = Counter(hi - lo for lo, hi in (topology.span(kind, i) for i in range(topology.components(kind))))
        assert sizes == Counter({gpus_below[part]: count for part, count in parts.items()})
