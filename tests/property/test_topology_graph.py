"""The index arrays and spans say what the dependence graph says, for random clusters."""

from collections import Counter

import networkx
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from dcsim.topology import Topology, TopologyDescription, build, resolve


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


PARTIAL = build(resolve("gb300-nvl72"), 2 * 72 + 64)


@given(clusters())
@example(PARTIAL)
def test_blast_from_graph(topology: Topology) -> None:
    """The GPUs that depend on a rack or node by networkx are its span, and the same by the index arrays."""
    graph = topology.graph(expand=True)
    arrays = {"node": topology.node_of, "rack": topology.rack_of}
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
