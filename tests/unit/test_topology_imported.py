"""Networks that others describe, written as topology files: they hold what was described, load, build and fail."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.plant.outage import outage
from dcsim.topology import MAX_GPUS, Topology, TopologyError, load_description
from dcsim.topology.build import build
from dcsim.topology.imported import NODES_PER_RACK, PORT, kind_of, read_tree, to_toml
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree

EXAMPLES = Path(__file__).parent / "slurm_examples"
LINGJUN = Path(__file__).parents[3] / "shared" / "data" / "lingjun-topology-2023.csv"
GPUS = 8


def tree_of(path: Path) -> SwitchTree:
    """Read a file, whatever it is."""
    text = path.read_text()
    kind = kind_of(path.name, text)
    assert kind is not None
    return read_tree(text, kind)


def built(folder: Path, text: str) -> Topology:
    """Load a topology file's text and build all of it."""
    path = folder / "imported.toml"
    path.write_text(text)
    description = load_description(path)
    assert description.fabric is not None
    assert not isinstance(description.fabric.leaf.nodes, int)
    return build(description, sum(description.fabric.leaf.nodes) * description.node.gpus)


def tree(*leaves: tuple[str, tuple[str, ...], int]) -> SwitchTree:
    """Make a tree of leaves: (name, switches above, nodes); hosts are called a0, a1, ... after their leaf."""
    made = (LeafSwitch(name, above, tuple(f"{name}{host}" for host in range(count))) for name, above, count in leaves)
    return SwitchTree("made", tuple(made))


# By hand: nodes under each leaf, leaves under each first parent, number of levels of switches.
@pytest.mark.parametrize(
    ("file", "nodes", "pods", "tiers"),
    [
        ("guide_four_parents.conf", [4, 4, 4, 4], [4], 2),
        ("guide_one_top.conf", [4, 4, 4, 4], [4], 2),
        ("guide_two_children.conf", [2, 2, 2, 2], [2, 2], 3),
        ("man_tree.conf", [6, 6, 6], [3], 2),
        ("man_block.conf", [32, 32, 32, 32], [4], 2),
        ("man.yaml", [4], None, 1),
    ],
)
def test_slurm_examples(tmp_path: Path, file: str, nodes: list[int], pods: list[int] | None, tiers: int) -> None:
    """Each example loads and builds; one leaf that fails takes exactly its own nodes down."""
    topology = built(tmp_path, to_toml(tree_of(EXAMPLES / file), GPUS, name="x", source=file))
    fabric = topology.description.fabric
    assert fabric is not None
    assert fabric.leaf.nodes == tuple(nodes)
    assert (fabric.spine.segments if fabric.spine else None) == (tuple(pods) if pods else None)
    assert [kind in topology.kinds for kind in ("leaf", "spine", "core")].count(True) == tiers
    assert topology.gpus == sum(nodes) * GPUS
    first = 0
    for segment, count in enumerate(nodes):
        found = outage(topology, [topology.find(f"segment/{segment}/leaf/0")])
        assert (found.down, found.gpus_down, found.degraded) == (((first, first + count),), count * GPUS, ())
        first += count


def test_a_spine_is_the_switch_above_its_leaves(tmp_path: Path) -> None:
    """In the guide's eight-node cluster s5, the second switch above leaves, has tux4 to tux7 below it."""
    text = to_toml(tree_of(EXAMPLES / "guide_two_children.conf"), GPUS, name="x")
    topology = built(tmp_path, text)
    assert outage(topology, [topology.find("pod/1/spine/0")]).down == ((4, 8),)
    assert outage(topology, [topology.find("core/0")]).down == ((0, 8),)
    assert topology.components("core") == 1
    assert "joins all pods" in text
    assert "# pod/1: s5" in text
    assert "# segment/2: nodes 4-5, GPUs 32-47, s2: tux[4-5]" in text


@pytest.mark.skipif(not LINGJUN.exists(), reason="the trace's map is not part of the repository")
def test_lingjun(tmp_path: Path) -> None:
    """The 847 hosts of the map of 2023: P10 has 362 below 48 access switches, P12 306 below 42, P8 179 below 29."""
    network = tree_of(LINGJUN)
    text = to_toml(network, GPUS, name="lingjun")
    topology = built(tmp_path, text)
    counts = {kind: topology.components(kind) for kind in ("node", "segment", "pod", "core")}
    assert counts == {"node": 847, "segment": 119, "pod": 3, "core": 1}
    sizes = {pod: topology.span("pod", pod) for pod in range(3)}
    assert [(high - low) // GPUS for low, high in sizes.values()] == [362, 306, 179]
    assert outage(topology, [("spine", 2)]).down == ((362 + 306, 847),)
    listed = re.findall(r"^# segment/\d+: .*: (.*)$", text, re.MULTILINE)
    hosts = [host for line in listed for host in line.split(",")]
    assert sorted(hosts) == sorted(host for leaf in network.leaves for host in leaf.nodes)
    p10 = [host for leaf in network.leaves if leaf.above[0] == "G6/P10" for host in leaf.nodes]
    assert hosts[:362] == p10


def test_leaves_of_one_pod_stand_side_by_side(tmp_path: Path) -> None:
    """Leaves that the file mixes are sorted by the switch above them, and the comments follow."""
    mixed = tree(("a", ("p", "top"), 1), ("b", ("q", "top"), 2), ("c", ("p", "top"), 3))
    text = to_toml(mixed, 4, name="x")
    fabric = built(tmp_path, text).description.fabric
    assert fabric is not None
    assert fabric.spine is not None
    assert (fabric.leaf.nodes, fabric.spine.segments) == ((1, 3, 2), (2, 1))
    assert [line for line in text.splitlines() if line.startswith(("# pod", "# segment"))] == [
        "# pod/0: p",
        "# segment/0: nodes 0, GPUs 0-3, a: a0",
        "# segment/1: nodes 1-3, GPUs 4-15, c: c[0-2]",
        "# pod/1: q",
        "# segment/2: nodes 4-5, GPUs 16-23, b: b[0-1]",
    ]


@pytest.mark.parametrize(
    ("network", "cores", "said"),
    [
        (tree(("a", ("p",), 1), ("b", ("q",), 1)), 1, "though the file does not say what joins all of the pods"),
        (tree(("a", ("p", "t"), 1), ("b", ("q", "u"), 1)), 1, "though the file does not say what joins"),
        (tree(("a", ("p", "s", "t"), 1), ("b", ("q", "r", "t"), 1)), 1, "all the levels above the pods, up to t"),
        (tree(("a", ("p", "t"), 1), ("b", ("t",), 1)), 1, "one core, t, joins all pods"),
        (tree(("a", (), 1), ("b", (), 1)), 0, "the file says nothing of what joins the leaves"),
        (tree(("a", (), 1), ("b", ("t",), 1)), 1, "of some leaves the file does not say what is above them"),
    ],
    ids=["two trees", "two tops", "four levels", "a leaf below the top", "leaves alone", "one leaf alone"],
)
def test_what_joins_the_pods(tmp_path: Path, network: SwitchTree, cores: int, said: str) -> None:
    """Whatever the file leaves open builds, and the assumption is in the text."""
    text = to_toml(network, GPUS, name="x")
    kinds = built(tmp_path, text).kinds
    assert (kinds["core"].per if "core" in kinds else 0) == cores
    assert said in text


def test_what_is_given_is_not_assumed(tmp_path: Path) -> None:
    """Options go into the file as they are; without them it says what was assumed."""
    network = tree(("a", ("t",), 3), ("b", ("t",), 2))
    own = to_toml(network, 4, name="x", nics=2, port="800 Gb/s", homes=2, nodes_per_rack=3)
    data = tomllib.loads(own)
    assert (data["node"]["gpus"], data["rack"]["nodes"]) == (4, 3)
    assert [data["fabric"][key] for key in ("nics", "port", "homes")] == [2, "800 Gb/s", 2]
    assumed = {line.split(" = ")[0] for line in own.splitlines() if "# assumed" in line}
    assert assumed == {"domain", "uplinks", "count"}
    bare = to_toml(network, 4, name="x")
    data = tomllib.loads(bare)
    assert [data["fabric"][key] for key in ("nics", "port", "homes")] == [4, PORT, 1]
    assert data["rack"]["nodes"] == NODES_PER_RACK
    assumed = {line.split(" = ")[0] for line in bare.splitlines() if "# assumed" in line}
    assert assumed == {"domain", "uplinks", "count", "nodes", "nics", "port", "homes"}
    topology = built(tmp_path, own)
    found = outage(topology, [topology.find("segment/0/leaf/1")])
    assert found.down == ()
    assert [(part, share) for part, _, share in found.degraded] == [("node/0", 0.5), ("node/1", 0.5), ("node/2", 0.5)]


def test_no_tier_is_oversubscribed(tmp_path: Path) -> None:
    """Uplinks carry what the largest leaf and the largest pod can send: 3 nodes of 8 NICs, 2 leaves of 24 links."""
    network = tree(("a", ("p", "t"), 3), ("b", ("p", "t"), 1), ("c", ("q", "t"), 1))
    for homes in (1, 2):
        kinds = built(tmp_path, to_toml(network, GPUS, name="x", homes=homes)).kinds
        assert (kinds["leaf"].per, kinds["leaf-uplink"].per, kinds["spine-uplink"].per) == (homes, 24, homes * 48)


@pytest.mark.parametrize(
    ("network", "gpus", "line"),
    [
        (tree(("a", (), 2)), MAX_GPUS, f"found 2 nodes of {MAX_GPUS:,} GPUs; at most {MAX_GPUS:,} GPUs are allowed"),
        (
            SwitchTree("made", tuple(LeafSwitch(f"leaf{n}", ("t",), (f"{n}:{'x' * 90}",)) for n in range(20_000))),
            1,
            "found 20,000 leaf switches, 20,000 nodes: more than a topology file of 1,048,576 bytes can list",
        ),
    ],
    ids=["too many GPUs", "too many leaves"],
)
def test_too_large(network: SwitchTree, gpus: int, line: str) -> None:
    """What no topology can hold is named in one line."""
    with pytest.raises(TopologyError) as caught:
        to_toml(network, gpus, name="x")
    assert caught.value.problems == [line]


def test_too_many_ports() -> None:
    """A leaf with more ports than a part may have is named."""
    with pytest.raises(TopologyError, match=r"found 20,000,000 ports of NICs under one leaf; at most 10,000,000"):
        to_toml(tree(("a", (), 20_000)), 1, name="x", nics=1000)


def test_only_the_ends_of_very_many_hosts(tmp_path: Path) -> None:
    """Where all names would be more than a topology file may hold, each leaf keeps its first and its last."""
    names = ["".join("abcdefghij"[int(digit)] for digit in f"{number:0>80}") for number in range(16_000)]
    leaves = tuple(LeafSwitch(f"l{n}", ("t",), tuple(names[200 * n : 200 * n + 200])) for n in range(80))
    text = to_toml(SwitchTree("made", leaves), 1, name="x")
    built(tmp_path, text)
    first, last = leaves[3].nodes[0], leaves[3].nodes[-1]
    assert f"l3: {first} ... {last}\n" in text


def test_odd_names_stay_in_their_comments(tmp_path: Path) -> None:
    """Names with line ends and control characters neither break the file nor add keys to it."""
    odd = SwitchTree("made", (LeafSwitch("a\nname = 1", ("\x7f\x1b",), ("h\r0", "é]")),))
    topology = built(tmp_path, to_toml(odd, 1, name="x", source='a "file"\n[node]\x7f.conf'))
    assert topology.name == "x"
    assert topology.gpus == 2


def test_a_name_that_looks_like_many_stays_one() -> None:
    """A host called n[0-999999999] is one host, not a thousand million."""
    text = to_toml(SwitchTree("made", (LeafSwitch("a", (), ("n[0-999999999]", "n[0-3]")),)), 1, name="x")
    assert "a: n[0-999999999],n[0-3]" in text


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9)), min_size=1, max_size=20),
    st.integers(1, 9),
    st.integers(1, 3),
)
def test_every_tree_builds(
    tmp_path_factory: pytest.TempPathFactory, leaves: list[tuple[int, int]], gpus: int, homes: int
) -> None:
    """Any tree of up to three levels loads, and its segments and pods are its leaves and their parents in order."""
    made = tree(*((f"l{n}-", (f"p{pod}", *["t"] * pod), nodes) for n, (pod, nodes) in enumerate(leaves)))
    topology = built(tmp_path_factory.mktemp("any"), to_toml(made, gpus, name="x", homes=homes))
    order = {pod: number for number, (pod, _) in reversed(list(enumerate(leaves)))}
    expected = [nodes * gpus for pod, nodes in sorted(leaves, key=lambda leaf: order[leaf[0]])]
    spans = [topology.span("segment", number) for number in range(topology.components("segment"))]
    assert [high - low for low, high in spans] == expected
    assert topology.components("pod") == len(order)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("topology.conf", "# nothing", "slurm-conf"),
        ("topology.yaml", "# nothing", "slurm-yaml"),
        ("x.YML", "# nothing", "slurm-yaml"),
        ("x.csv", "a,b", "lingjun"),
        ("x", "ip,DSW,PSW,ASW\n", "lingjun"),
        ("x", "- topology: a\n", "slurm-yaml"),
        ("x", " switchname=s0 Nodes=a", "slurm-conf"),
        ("x.yaml", "BlockName=s0 Nodes=a", "slurm-conf"),
        ("x", "hello", None),
    ],
)
def test_kind_of(name: str, text: str, kind: str | None) -> None:
    """The content says what a file is, else its name."""
    assert kind_of(name, text) == kind
