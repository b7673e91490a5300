"""Topology files, their errors, and the layout of a cluster of a given size."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import networkx
import numpy as np
import pytest

from dcsim.shipped import shipped_files
from dcsim.topology import (
    MAX_GPUS,
    TopologyDescription,
    TopologyError,
    load_description,
    node_link,
    resolve,
)
from dcsim.topology.build import build

GOOD = """
name = "mini"
description = "two trays of 2 GPUs"
[node]
gpus = 2
[rack]
nodes = 2
[nvlink]
domain = "node"
"""


def problems_of(tmp_path: Path, content: bytes | str) -> list[str]:
    """Return what is wrong with a file of this content, without the file's name."""
    path = tmp_path / "t.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TopologyError) as caught:
        load_description(path)
    assert all(line.startswith(f"{path}: ") for line in caught.value.problems)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def changed(name: str, **tables: object) -> TopologyDescription:
    """Return a shipped description with some of its tables replaced."""
    return TopologyDescription.model_validate(resolve(name).model_dump(mode="json", exclude_none=True) | tables)


@pytest.mark.parametrize(
    ("name", "gpus_per_node", "gpus_per_rack", "domain"),
    [("gb300-nvl72", 4, 18 * 4, 18 * 4), *((f"hgx-{gpu}", 8, 4 * 8, 8) for gpu in ("h100", "h200", "b200"))],
)
def test_shipped(name: str, gpus_per_node: int, gpus_per_rack: int, domain: int) -> None:
    """The shipped topologies nest as their vendors publish them."""
    topology = build(resolve(name), 5184)
    assert topology.name == name
    assert topology.gpus_per_node == gpus_per_node
    assert topology.gpus_per_rack == gpus_per_rack
    assert topology.gpus_per("nvlink-domain") == domain
    assert (topology.nodes, topology.racks) == (5184 // gpus_per_node, 5184 // gpus_per_rack)


def test_shipped_name_is_file_name() -> None:
    """Every shipped topology carries the name by which it is found."""
    shipped = shipped_files("topologies")
    assert {"gb300-nvl72", "hgx-h100"} <= shipped.keys()
    assert [resolve(name).name for name in shipped] == list(shipped)


def test_numbering() -> None:
    """GPUs are numbered tray by tray and rack by rack, and the last rack may be partial."""
    topology = build(resolve("gb300-nvl72"), 72 + 8)
    gpus = np.arange(80)
    np.testing.assert_array_equal(topology.part_of("node", gpus), [gpu // 4 for gpu in range(80)])
    np.testing.assert_array_equal(topology.part_of("rack", gpus), [0] * 72 + [1] * 8)
    counts = {kind: topology.components(kind) for kind in ("gpu", "node", "tray", "nvlink-domain", "rack")}
    assert counts == {"gpu": 80, "node": 20, "tray": 20, "nvlink-domain": 2, "rack": 2}
    assert topology.span("gpu", 79) == (79, 80)
    assert topology.span("tray", 18) == topology.span("node", 18) == (72, 76)
    assert topology.span("rack", 0) == topology.span("nvlink-domain", 0) == (0, 72)
    assert topology.span("rack", 1) == (72, 80)


def test_largest_cluster() -> None:
    """The last GPU of the largest cluster is in its last parts, and a rack beyond int32 is one partial rack."""
    topology = build(resolve("gb300-nvl72"), MAX_GPUS)
    last = np.array([MAX_GPUS - 1])
    assert topology.part_of("node", last) == topology.nodes - 1 == MAX_GPUS // 4 - 1
    assert topology.part_of("rack", last) == topology.racks - 1 == MAX_GPUS // 72
    wide = build(changed("gb300-nvl72", rack={"nodes": MAX_GPUS}), 8)
    assert wide.part_of("rack", np.arange(8)).tolist() == [0] * 8
    assert wide.span("rack", 0) == (0, 8)


def test_bounds_are_made_on_demand_and_read_only() -> None:
    """Parts of different sizes have one array, which no caller can change."""
    leaf, spine = {"nodes": [3, 5], "uplinks": 2}, {"count": 2, "segments": 2}
    fabric = {"nics": 8, "port": "400 Gb/s", "leaf": leaf, "spine": spine}
    topology = build(changed("hgx-h100", fabric=fabric), 64)
    assert "_bounds" not in vars(topology)
    with pytest.raises(ValueError, match="read-only"):
        topology.bounds("segment")[0] = 1
    assert topology.bounds("segment").tolist() == [0, 24, 64]


@pytest.mark.parametrize(
    ("gpus", "line"),
    [
        (0, "found 0; must be from 8 (one node of hgx-h100) to 10000000"),
        (-8, "found -8; must be from 8 (one node of hgx-h100) to 10000000"),
        (7, "found 7; must be from 8 (one node of hgx-h100) to 10000000"),
        (10_000_008, "found 10000008; must be from 8 (one node of hgx-h100) to 10000000"),
        (
            10**5000,
            "found a number of more than 60 digits; must be from 8 (one node of hgx-h100) to 10000000",
        ),
        (12, "found 12; must be a multiple of 8, the GPUs of one node of hgx-h100; nearest: 8 or 16"),
    ],
    ids=["none", "negative", "below a node", "too many", "far too many", "half a node"],
)
def test_sizes_refused(gpus: int, line: str) -> None:
    """A cluster is whole nodes, at least one and at most ten million GPUs."""
    with pytest.raises(TopologyError) as caught:
        build(resolve("hgx-h100"), gpus)
    assert caught.value.problems == [line]


def test_nearest_size_stays_allowed() -> None:
    """The size that an error proposes is never above the largest cluster."""
    with pytest.raises(TopologyError, match=r"nearest: 9999999$"):
        build(changed("gb300-nvl72", node={"gpus": 3}), MAX_GPUS)


def test_unknown_component() -> None:
    """An unknown kind of component, or an index outside the cluster, is named with what is allowed."""
    topology = build(resolve("hgx-h100"), 64)
    with pytest.raises(TopologyError) as caught:
        topology.components("racks")
    allowed = "gpu, access-link, node, tray, nvlink-domain, shelf, psu, rack, leaf, leaf-uplink, segment, spine, "
    allowed += "pod, row, feed, hall, gateway"
    assert caught.value.problems == [f"found 'racks'; allowed: {allowed}; did you mean \"rack\"?"]
    for index in (-1, 2):
        with pytest.raises(TopologyError) as caught:
            topology.span("rack", index)
        assert caught.value.problems == [f"found rack {index}; must be from 0 to 1"]


COUNT = "must be greater than or equal to 1"
MOST = "must be less than or equal to 10000000"
NO_RACK = "rack: missing; required: the [rack] table"
TABLES = "name, description, node, rack, nvlink, fabric, power, cooling, storage, optics"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("gpus = 2", "gpus = 0", [f"node.gpus: found 0; {COUNT}"]),
        ("gpus = 2", "gpus = 0x" + "F" * 6000, [f"node.gpus: found a number of more than 60 digits; {MOST}"]),
        ("gpus = 2", "gpus = 2.0", ["node.gpus: found 2.0; must be a valid integer"]),
        ("gpus = 2", "gpus = nan", ["node.gpus: found nan; must be a valid integer"]),
        ("gpus = 2", "gpus = true", ["node.gpus: found true; must be a valid integer"]),
        ("gpus = 2", 'gpus = "2"', ["node.gpus: found '2'; must be a valid integer"]),
        ("gpus = 2", "gpus = {}", ["node.gpus: found a table; must be a valid integer"]),
        ("gpus = 2", "gpu = 2", ['node.gpu: unknown key; allowed: gpus, power; did you mean "gpus"?']),
        ("nodes = 2", "nodes = 10000001", [f"rack.nodes: found 10000001; {MOST}"]),
        ("[rack]\nnodes = 2", "", [NO_RACK]),
        ("[rack]", "[rak]", [f'rak: unknown key; allowed: {TABLES}; did you mean "rack"?']),
        ("[rack]", "[[rack]]", ["rack: found a list; must be a table"]),
        ("[rack]", '["a\\nb"]', [f"'a\\nb': unknown key; allowed: {TABLES}", NO_RACK]),
        ('"node"', '"rak"', ["nvlink.domain: found 'rak'; must be 'node' or 'rack'; did you mean \"rack\"?"]),
        ('"mini"', '"a b"', ["name: found 'a b'; must match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*$'"]),
        ('"mini"', f'"{"a" * 90}"', [f"name: found '{'a' * 56}...; must have at most 60 characters"]),
    ],
)  # fmt: skip
def test_bad_values(tmp_path: Path, old: str, new: str, lines: list[str]) -> None:
    """Each mistake in a file is one line: dotted path, what was found, what is allowed, the nearest name."""
    assert old in GOOD
    assert sorted(problems_of(tmp_path, GOOD.replace(old, new, 1))) == sorted(lines)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """A file with several mistakes reports them all."""
    content = GOOD.replace("gpus = 2", "gpus = 0").replace('"node"', "1")
    assert problems_of(tmp_path, content) == [
        f"node.gpus: found 0; {COUNT}",
        "nvlink.domain: found 1; must be 'node' or 'rack'",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"name = ", "is not valid TOML: Invalid value (at end of document)"),
        (b"\x7fELF\x02\x00", "is not a text file: it holds a NUL byte"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "begins with a byte-order mark; save it as UTF-8 without one"),
        (b"#" * (1 << 20) + b"#", "is too large: 1,048,577 bytes; at most 1,048,576 are allowed"),
        (b" \n", "is empty"),
        (b"a = " + b"[" * 100_000, "is not valid TOML: nested too deeply"),
    ],
    ids=["cut", "binary", "marked", "huge", "empty", "deep"],
)
def test_bad_files(tmp_path: Path, content: bytes, line: str) -> None:
    """A file that is no TOML of reasonable size is one line."""
    assert problems_of(tmp_path, content) == [line]


def test_the_line_that_is_no_text(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is told with its line."""
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = 1\nb\xff")
    with pytest.raises(TopologyError) as caught:
        load_description(path)
    assert caught.value.problems == [f"{path}:2: is not a text file: not UTF-8"]


def test_a_file_without_keys(tmp_path: Path) -> None:
    """A file that holds only a comment lists every required key."""
    lines = problems_of(tmp_path, b"# later")
    assert [line.partition(": missing; required: ")[0] for line in lines] == TABLES.split(", ")[:5]


def test_unreadable_paths(tmp_path: Path) -> None:
    """A folder, a pipe, a missing file and a name no file can have are one line each; none blocks."""
    os.mkfifo(tmp_path / "pipe.toml")
    reasons = {
        ".": "is a folder",
        "pipe.toml": "is not a regular file",
        "none.toml": "cannot be read: No such file or directory",
        "x" * 300 + ".toml": "cannot be read: File name too long",
    }
    for name, reason in reasons.items():
        with pytest.raises(TopologyError) as caught:
            load_description(tmp_path / name)
        assert caught.value.problems == [f"{tmp_path / name}: {reason}"]
    for name in ("a\nb.toml", "a\0b.toml"):
        with pytest.raises(TopologyError) as caught:
            load_description(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_resolve_path(tmp_path: Path) -> None:
    """A path is read from the scenario's folder, again each time; a shipped name needs no folder."""
    (tmp_path / "mini.toml").write_text(GOOD)
    assert resolve("mini.toml", tmp_path) == resolve("./mini.toml", tmp_path)
    assert resolve(str(tmp_path / "mini.toml"), Path("/elsewhere")).rack.nodes == 2
    (tmp_path / "mini.toml").write_text(GOOD.replace("nodes = 2", "nodes = 3"))
    assert resolve("mini.toml", tmp_path).rack.nodes == 3
    assert resolve("hgx-h100", tmp_path) is resolve("hgx-h100")


@pytest.mark.parametrize(("name", "nearest"), [("gb300", "gb300-nvl72"), ("HGX-H100", "hgx-h100")])
def test_unknown_name(name: str, nearest: str) -> None:
    """An unknown name is answered with the shipped names and the nearest of them."""
    with pytest.raises(TopologyError) as caught:
        resolve(name)
    (line,) = caught.value.problems
    assert line.startswith(f"found '{name}'; allowed: {', '.join(sorted(shipped_files('topologies')))}")
    assert line.endswith(f'did you mean "{nearest}"?')


def test_error_crosses_processes() -> None:
    """A TopologyError that was pickled says the same as before, one line per problem."""
    error = pickle.loads(pickle.dumps(TopologyError(["one", "two"])))
    assert error.problems == ["one", "two"]
    assert str(error) == "one\ntwo"


def test_compact_graph() -> None:
    """The compact graph holds each distinct part once, with counts, however large the cluster."""
    racks, nodes = 138_889, (138_888 * 72 + 64) // 4
    graph = build(resolve("gb300-nvl72"), 138_888 * 72 + 64).graph()
    segments = -(-nodes // 72)
    assert (
        dict(graph.nodes(data="count")).items()
        >= {
            "cluster": 1,
            "rack": racks - 1,
            "partial rack": 1,
            "node": nodes,
            "gpu": 4 * nodes,
            "nvlink-switch": 9 * racks,
            "access-link": 4 * nodes,
            "segment": segments,
            "leaf": 4 * segments,
            "leaf-uplink": 72 * 4 * segments,
            "pod": -(-segments // 18),
            "shelf": 8 * racks,
            "psu": 6 * 8 * racks,
            "feed": 2 * -(-racks // 24),
            "cdu": 2 * -(-racks // 8),
        }.items()
    )
    assert {(above, below): count for above, below, count in graph.edges(data="count")}.items() >= {
        ("cluster", "rack"): racks - 1,
        ("cluster", "partial rack"): 1,
        ("rack", "node"): 18,
        ("partial rack", "node"): 64 // 4,
        ("node", "gpu"): 4,
        ("access-link", "node"): 4,
        ("leaf", "segment"): 4,
        ("segment", "node"): 72,
        ("shelf", "rack"): 8,
        ("psu", "shelf"): 6,
    }.items()
    assert graph.number_of_nodes() < 30


@pytest.mark.parametrize("expand", [False, True])
def test_node_link(expand: bool) -> None:
    """Node-link JSON keeps its edges under "edges" and gives the same graph back."""
    graph = build(resolve("hgx-h100"), 40).graph(expand)
    text = json.dumps(node_link(graph))
    assert len(json.loads(text)["edges"]) == graph.number_of_edges()
    back = networkx.node_link_graph(json.loads(text), edges="edges")
    assert (dict(back.nodes.data()), list(back.edges.data())) == (
        dict(graph.nodes.data()),
        list(graph.edges.data()),
    )


def test_import_is_light() -> None:
    """Laying out a cluster does not import networkx."""
    program = (
        "import sys; from dcsim.topology import resolve; from dcsim.topology.build import build; "
        "build(resolve('hgx-h100'), 64).bounds('node')"
    )
    program += "; print('networkx' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
