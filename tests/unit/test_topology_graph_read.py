"""The graph that a topology writes is read back as this topology, in either format, and nothing else is."""

import json
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.shipped import shipped_files
from dcsim.topology import TopologyError, node_link, resolve
from dcsim.topology.build import Topology, build
from dcsim.topology.graph import read_graph


def as_json(topology: Topology, expand: bool) -> str:
    """Return node-link JSON."""
    return json.dumps(node_link(topology.graph(expand)))


def as_graphml(topology: Topology, expand: bool) -> str:
    """Return GraphML."""
    stream = BytesIO()
    networkx.write_graphml(topology.graph(expand), stream)
    return stream.getvalue().decode()


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("write", [as_json, as_graphml])
@pytest.mark.parametrize("name", sorted(shipped_files("topologies")))
def test_there_and_back(name: str, write: Callable[[Topology, bool], str], expand: bool) -> None:
    """Of every shipped topology the same description and size come back, watts and data rates included."""
    description = resolve(name)
    topology = build(description, 3 * description.node.gpus)
    read = read_graph(write(topology, expand))
    assert (read.description, read.gpus) == (description, topology.gpus)
    assert write(read, expand) == write(topology, expand)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"id": "node"', '"id": "tray"', "found parts added: tray; parts changed: node; must be as dcsim"),
        ('"count": 32', '"count": 33', "found parts changed: gpu, access-link, spine; must be as dcsim topology build"),
        ('"gpus": 32', '"gpus": 24', "found "),
        ('"gpus": 32', '"gpus": "x"', "found a graph that dcsim topology build did not write"),
        ("hgx-h100", "?", "found a graph of which the description was changed"),
        ('"edges"', '"links"', 'found no graph in JSON (node-link, its edges under "edges"): missing'),
    ],
)  # fmt: skip
def test_changed_graphs(old: str, new: str, line: str) -> None:
    """A graph that somebody changed is not read as what it was: what differs is named."""
    text = as_json(build(resolve("hgx-h100"), 32), False)
    assert old in text
    with pytest.raises(TopologyError) as caught:
        read_graph(text.replace(old, new))
    assert caught.value.problems[0].startswith(line)


UNDIRECTED = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected"/></graphml>'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<graphml/>", "found no GraphML: "),
        (UNDIRECTED, "found a graph of other edges in GraphML; must be directed, one edge from part to part"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><graphml/>', "found a document type in GraphML"),
        ('{"nodes": [], "edges": []}', "found a graph that dcsim topology build did not write"),
        ('{"nodes": 3, "edges": []}', "found no graph in JSON"),
        ('{"nodes": ' + "[" * 100_000, "found no JSON: nested too deeply"),
    ],
)  # fmt: skip
def test_other_graphs(text: str, line: str) -> None:
    """What is no graph of a topology is one line."""
    with pytest.raises(TopologyError) as caught:
        read_graph(text)
    [found] = caught.value.problems
    assert found.startswith(line)


@given(st.integers(0, 4000), st.integers(1, 40), st.text(max_size=8), st.booleans())
def test_any_change(start: int, length: int, new: str, markup: bool) -> None:
    """A piece cut out or replaced anywhere gives the topology itself or a line that says why not."""
    topology = build(resolve("hgx-h100"), 16)
    text = (as_graphml if markup else as_json)(topology, False)
    with suppress(TopologyError):
        read_graph(text[:start] + new + text[start + length :])
