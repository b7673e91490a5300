"""Networks described by others, Slurm's files and the Lingjun map, as trees of leaf switches."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dcsim.topology import TopologyError
from dcsim.topology.lingjun import read_lingjun
from dcsim.topology.slurm import read_topology_conf, read_topology_yaml
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree

EXAMPLES = Path(__file__).parent / "slurm_examples"
LINGJUN = Path(__file__).parents[3] / "shared" / "data" / "lingjun-topology-2023.csv"


def problems_of(read: Callable[[str], SwitchTree], text: str) -> list[str]:
    """Return what is wrong with a text, each problem being one line."""
    with pytest.raises(TopologyError) as caught:
        read(text)
    assert all(line.isprintable() for line in caught.value.problems)
    return caught.value.problems


def nodes(prefix: str, first: int, last: int) -> tuple[str, ...]:
    """Return the names from prefix-first to prefix-last."""
    return tuple(f"{prefix}{number}" for number in range(first, last + 1))


@pytest.mark.parametrize(
    ("file", "leaves"),
    [
        (
            "man_tree.conf",
            (
                LeafSwitch("s0", ("s3",), ("dev0", "dev1", "dev2", "dev3", "dev4", "dev5")),
                LeafSwitch("s1", ("s3",), ("dev6", "dev7", "dev8", "dev9", "dev10", "dev11")),
                LeafSwitch("s2", ("s3",), ("dev12", "dev13", "dev14", "dev15", "dev16", "dev17")),
            ),
        ),
        (
            "guide_two_children.conf",
            (
                LeafSwitch("s0", ("s4", "s6"), ("tux0", "tux1")),
                LeafSwitch("s1", ("s4", "s6"), ("tux2", "tux3")),
                LeafSwitch("s2", ("s5", "s6"), ("tux4", "tux5")),
                LeafSwitch("s3", ("s5", "s6"), ("tux6", "tux7")),
            ),
        ),
        *[
            (
                file,
                (
                    LeafSwitch("s0", ("s4",), ("tux0", "tux1", "tux2", "tux3")),
                    LeafSwitch("s1", ("s4",), ("tux4", "tux5", "tux6", "tux7")),
                    LeafSwitch("s2", ("s4",), ("tux8", "tux9", "tux10", "tux11")),
                    LeafSwitch("s3", ("s4",), ("tux12", "tux13", "tux14", "tux15")),
                ),
            )
            for file in ("guide_four_parents.conf", "guide_one_top.conf")
        ],
    ],
    ids=["man page", "guide: two children", "guide: four parents", "guide: one top"],
)
def test_tree_conf(file: str, leaves: tuple[LeafSwitch, ...]) -> None:
    """The trees of Slurm's manual and guide are read as drawn; the first of several parents counts."""
    assert read_topology_conf((EXAMPLES / file).read_text()) == SwitchTree("slurm", leaves)


def test_block_conf() -> None:
    """Every block of the manual's example is a leaf of its 32 nodes, with nothing above it."""
    tree = read_topology_conf((EXAMPLES / "man_block.conf").read_text())
    assert tree.blocks == (
        ("block1", nodes("node", 1, 32)),
        ("block2", nodes("node", 33, 64)),
        ("block3", nodes("node", 65, 96)),
        ("block4", nodes("node", 97, 128)),
    )
    assert tree.leaves == tuple(LeafSwitch(name, (), below) for name, below in tree.blocks)


def test_yaml() -> None:
    """Of the manual's three topologies the cluster's default is read, or another one by its name."""
    text = (EXAMPLES / "man.yaml").read_text()
    topo1 = SwitchTree("topo1", (LeafSwitch("sw_root", (), ("node01", "node02", "node03", "node04")),))
    blocks = (
        ("b1", ("node01", "node02", "node03", "node04")),
        ("b2", ("node05", "node06", "node07", "node08")),
        ("b3", ("node09", "node10", "node11", "node12")),
        ("b4", ("node13", "node14", "node15", "node16")),
    )
    topo2 = SwitchTree("topo2", tuple(LeafSwitch(name, (), below) for name, below in blocks), blocks)
    assert read_topology_yaml(text) == topo1
    assert read_topology_yaml(text, "topo2") == topo2
    assert read_topology_yaml(text.replace("True", "False")) == topo1  # no default: the first
    assert read_topology_yaml(text.replace("True", "no").replace("False", "yes"), "topo1") == topo1
    assert read_topology_yaml(text.replace("True", "no").replace("False", "yes")) == topo2


def test_yaml_tree_of_two_levels() -> None:
    """Children in YAML are Slurm's switches, in a hostlist like its nodes."""
    text = """
    - topology: small/one
      tree:
        switches:
        - {switch: root, children: "s[1-2]"}
        - {switch: s2, nodes: "gpu[3-4]"}
        - {switch: s1, nodes: "gpu[1-2]"}
    """
    leaves = (LeafSwitch("s2", ("root",), ("gpu3", "gpu4")), LeafSwitch("s1", ("root",), ("gpu1", "gpu2")))
    assert read_topology_yaml(text) == SwitchTree("small/one", leaves)


@pytest.mark.parametrize(
    "text",
    [
        "switchname=leaf NODES=a,b\nSWITCHNAME=top switches=leaf linkspeed=9",
        "  SwitchName = leaf   Nodes = a,b # SwitchName=other\n\n#\nSwitchName=top\tSwitches=leaf",
        'SwitchName="leaf" Nodes="a,b"\r\nSwitchName=top Switches=leaf\r\n',
        "SwitchName=leaf \\\n   Nodes=a,\\  \nb\nSwitchName=top Switches=leaf \\",
        "SwitchName=top Switches=leaf\n# off with its next line \\\nSwitchName=no Nodes=c\nSwitchName=leaf Nodes=b,a",
        "SwitchName=leaf Nodes=a,b,a\nSwitchName=top Switches=leaf,empty\nSwitchName=empty",
    ],
    ids=["case", "spaces and comments", "quotes and CRLF", "continued", "continued comment", "an empty leaf"],
)
def test_conf_writings(text: str) -> None:
    """However Slurm lets the file be written, it says the same."""
    assert read_topology_conf(text).leaves == (LeafSwitch("leaf", ("top",), ("a", "b")),)


@pytest.mark.parametrize(
    ("hostlist", "expected"),
    [
        ("tux[0-2,12]", ("tux0", "tux1", "tux2", "tux12")),
        ("nid00[01-03]", ("nid0001", "nid0002", "nid0003")),
        ("a[1-2]b[3-4]", ("a1b3", "a1b4", "a2b3", "a2b4")),
        ("a[09-11],login-1.site", ("a09", "a10", "a11", "login-1.site")),
        ("a[98-101]", ("a98", "a99", "a100", "a101")),
        ("a[098-101]", ("a098", "a099", "a100", "a101")),
    ],
)
def test_hostlists(hostlist: str, expected: tuple[str, ...]) -> None:
    """Hostlists name what Slurm's manual says, zeros in front included."""
    (leaf,) = read_topology_conf(f"SwitchName=s Nodes={hostlist}").leaves
    assert leaf.nodes == expected


def test_hostlists_that_outgrow_their_zeros() -> None:
    """A range is as wide as its start and wider where numbers need it: 08-101 goes on after 99, 008-1001 after 999."""
    (leaf,) = read_topology_conf("SwitchName=s Nodes=a[08-101],b[08-1001]").leaves
    assert leaf.nodes[:3] + leaf.nodes[91:97] == ("a08", "a09", "a10", "a99", "a100", "a101", "b08", "b09", "b10")
    assert leaf.nodes[-3:] == ("b999", "b1000", "b1001")
    assert len(leaf.nodes) == 94 + 994


HOSTLIST = "must be a hostlist like tux[0-3,12],dev1"
CONF_KEYS = "SwitchName, Switches, Nodes, LinkSpeed, BlockName, BlockSizes"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("SwichName=s Nodes=a", [f"line 1: found 'SwichName'; allowed: {CONF_KEYS}; did you mean \"SwitchName\"?"]),
        ("#\nRingName=r Nodes=a", [f"line 2: found 'RingName'; allowed: {CONF_KEYS}"]),
        ("SwitchName=s Nodes=a b", ["line 1: found 'b'; must be Key=Value"]),
        ("SwitchName=s Nodes=a Nodes=b", ["line 1: found Nodes twice; allowed: once"]),
        ("Nodes=a", ["line 1: found Nodes; missing: SwitchName or BlockName or BlockSizes"]),
        ("BlockName=b Switches=a", ["line 1: found Switches beside BlockName; allowed: Nodes"]),
        (
            "SwitchName=s Nodes=a\nBlockName=b Nodes=c",
            ["line 2: found BlockName in a file of SwitchName; allowed: switches or blocks"],
        ),
        ("SwitchName=s LinkSpeed=x", ["line 1: LinkSpeed: found 'x'; must be a whole number"]),
        ("BlockName=b Nodes=a\nBlockSizes=1,x", ["line 2: BlockSizes: found 'x'; must be a whole number from 1"]),
        (
            "BlockName=b Nodes=a\nBlockSizes=2,8,6",
            ["line 2: BlockSizes: found 6; must be 2, the first, times a power of two"],
        ),
        ('SwitchName="" Nodes=a', ["line 1: found an empty name; every switch must have one"]),
        ("SwitchName=s Nodes=a\nSwitchName=s Nodes=b", ["line 2: found switch 's' twice; must be unique"]),
        (
            "SwitchName=leaf1 Nodes=a\nSwitchName=top Switches=leaf[1-3]",
            ["line 2: Switches: found 'leaf2' and 1 more; no such switch; did you mean \"leaf1\"?"],
        ),
        (
            "SwitchName=s Nodes=a\nSwitchName=t Nodes=b Switches=s",
            ["line 2: found nodes and switches below one switch; allowed: one of the two"],
        ),
        (
            "SwitchName=s Switches=t\nSwitchName=t Switches=s",
            ["line 1: found a loop: 's' below 't' below 's'; must be a tree"],
        ),
        ("SwitchName=s Switches=s", ["line 1: found a loop: 's' below 's'; must be a tree"]),
        (
            "BlockName=s Nodes=a\nBlockName=t Nodes=a",
            ["line 2: Nodes: found 'a', already under 's'; allowed: one block per node"],
        ),
        *[
            (text, ["found no nodes below any switch or block; must have at least one leaf"])
            for text in ("", "SwitchName=s", "BlockSizes=4")
        ],
        ("SwitchName=s Nodes=a[1-", [f"line 1: Nodes: found 'a[1-'; {HOSTLIST}: missing bracket: \"a[1-\""]),
        (
            "SwitchName=s Nodes=a[2-1]",
            [f"line 1: Nodes: found 'a[2-1]'; {HOSTLIST}: bad range: \"invalid values in range : \"2-1\"\""],
        ),
        *[
            (f"SwitchName=s Nodes={wrong}", [f"line 1: Nodes: found '{wrong}'; {HOSTLIST}"])
            for wrong in ("@all", "a[1-2]!a1", "a*", "a[1-9/2]", "a[-1-1]", "a[٣-٥]")
        ],
        (
            "SwitchName=s Nodes=a[1-600000]\nSwitchName=t Nodes=b[1-500000]",
            ["line 2: Nodes: found 'b[1-500000]'; allowed: 1000000 names in all"],
        ),
        (
            "SwitchName=s Nodes=a[1-9999]b[1-9999]",
            ["line 1: Nodes: found 'a[1-9999]b[1-9999]'; allowed: 1000000 names in all"],
        ),
        ("Nod=a\nSwitchName=s s", [f"line 1: found 'Nod'; allowed: {CONF_KEYS}; did you mean \"Nodes\"?",
                                   "line 2: found 's'; must be Key=Value"]),
    ],
)  # fmt: skip
def test_wrong_conf(text: str, lines: list[str]) -> None:
    """Every mistake in a topology.conf is named with its line, what is allowed and what may be meant."""
    assert problems_of(read_topology_conf, text) == lines


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000])
def test_endless_numbers(number: str) -> None:
    """Numbers beyond floats or beyond what Python reads are refused in a line of bearable length."""
    for wrong in (f"a[{number}]b[1-", f"a[1-{number}]", f"a[{number}-{number}9]", f"a[0{number}-1{number}0]"):
        (line,) = problems_of(read_topology_conf, f"SwitchName=s Nodes={wrong}")
        assert line.startswith("line 1: Nodes: found 'a[")
        assert len(line) < 400


def tree(switches: str) -> str:
    """Return a topology.yaml of one tree."""
    return f"- topology: t\n  tree:\n    switches: {switches}"


QUOTES = "must be text (in quotes where YAML sees something else)"
try:
    date(2001, 99, 99)
except ValueError as error:
    NO_MONTH = str(error)  # Python 3.14 says more than 3.13
NO_LEAF = "which names no leaf switch; allowed: tree, block"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["found None; must be a list of topologies"]),
        ("tree: {}", ["found a table; must be a list of topologies"]),
        ("- a: [", ["line 1: found no YAML: expected the node content, but found '<stream end>'"]),
        ("- topology: t\n  topology: u", ["line 2: found 'topology' twice; allowed: once"]),
        ("[" * 3000, ["found no YAML: nested too deeply"]),
        ("- 2001-99-99", [f"found no YAML: {NO_MONTH}"]),
        ("- a\n--- \n- b", ["found 2 YAML documents; must be one"]),
        ("- t", ["topology 0: found 't'; must be a table"]),
        ("- tree: {}", ["topology 0: missing topology, its name"]),
        ("- topology: 1", [f"topology 0: found 1; {QUOTES}"]),
        ("- topology: t\n- topology: t", ["topology 1: found 't' twice; must be unique"]),
        (
            "- topology: t\n  cluster_default: 1",
            ["topology 0: cluster_default: found 1; must be true or false"],
        ),
        ("- topology: t", ["t: found none; must have exactly one of tree, block, flat, ring, torus3d"]),
        (
            "- topology: t\n  flat: true\n  tree: {}",
            ["t: found flat and tree; must have exactly one of tree, block, flat, ring, torus3d"],
        ),
        ("- topology: t\n  flat: true", [f"t: found flat, {NO_LEAF}"]),
        ('- topology: "a\\nb"\n  ring: {}', [f"'a\\nb': found ring, {NO_LEAF}"]),
        (
            "- topology: t\n  tre: {}",
            [
                "t: found 'tre'; allowed: topology, cluster_default, tree, block, flat, ring, torus3d"
                '; did you mean "tree"?'
            ],
        ),
        ("- topology: t\n  tree: 3", ["t.tree: found 3; must be a table"]),
        ("- topology: t\n  tree: {switch: []}", [
            "t.tree: found 'switch'; allowed: switches; did you mean \"switches\"?"]),
        ("- topology: t\n  tree: {}", ["t.tree.switches: found nothing; must be a list"]),
        (tree("[]"), ["found no nodes below any switch or block; must have at least one leaf"]),
        (
            tree("[{switch: 1, nodes: a}, {}, b, {switch: c, children: [d]}]"),
            [
                f"t.tree.switches.0.switch: found 1; {QUOTES}",
                "t.tree.switches.1: missing switch, its name",
                "t.tree.switches.2: found 'b'; must be a table",
                f"t.tree.switches.3.children: found a list; {QUOTES}",
            ],
        ),
        (
            tree("[{switch: s, node: a}]"),
            ["t.tree.switches.0: found 'node'; allowed: switch, nodes, children; did you mean \"nodes\"?"],
        ),
        (
            tree("[{switch: s, children: t}, {switch: r, nodes: a}]"),
            ["t.tree.switches.0.children: found 't'; no such switch"],
        ),
        (
            tree("[{switch: s, nodes: a}, {switch: r, nodes: 'b[1,a'}]"),
            [f"t.tree.switches.1.nodes: found 'b[1,a'; {HOSTLIST}: missing bracket: \"b[1,a\""],
        ),
        (
            "- topology: t\n  block: {block_sizes: [2, 3], blocks: [{block: b, children: a}]}",
            [
                "t.block.blocks.0: found 'children'; allowed: block, nodes",
                "t.block.block_sizes: found 3; must be 2, the first, times a power of two",
            ],
        ),
        (
            "- topology: t\n  block: {block_sizes: true, blocks: [{block: b, nodes: a}]}",
            ["t.block.block_sizes: found true; must be a whole number from 1"],
        ),
    ],
)  # fmt: skip
def test_wrong_yaml(text: str, lines: list[str]) -> None:
    """Every mistake in a topology.yaml is named with its place, what is allowed and what may be meant."""
    assert problems_of(read_topology_yaml, text) == lines


def test_unknown_topology() -> None:
    """A name that the file lacks is answered with those it has, and topo3 with why it cannot be read."""
    text = (EXAMPLES / "man.yaml").read_text()
    allowed = "'topo1', 'topo2', 'topo3'"
    assert problems_of(lambda text: read_topology_yaml(text, "tops2"), text) == [
        f"found no topology 'tops2'; allowed: {allowed}; did you mean \"topo2\"?"
    ]
    assert problems_of(lambda text: read_topology_yaml(text, "topo3"), text) == [f"topo3: found flat, {NO_LEAF}"]


def test_lingjun_small() -> None:
    """An ASW is told from its namesake below another PSW, and columns may come in any order."""
    text = "ip,DSW,PSW,ASW\nh1,G6,P10,S1\nh2,G6,P8,S1\n\nh3,G6,P10,S1\n"
    leaves = (
        LeafSwitch("G6/P10/S1", ("G6/P10", "G6"), ("h1", "h3")),
        LeafSwitch("G6/P8/S1", ("G6/P8", "G6"), ("h2",)),
    )
    assert read_lingjun(text) == SwitchTree("lingjun", leaves)
    turned = "\n".join(",".join(reversed(line.split(","))) for line in text.splitlines())
    assert read_lingjun(turned) == SwitchTree("lingjun", leaves)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["line 1: found columns ''; must be ip, DSW, PSW, ASW, each once"]),
        ("ip,DSW,PSW", ["line 1: found columns 'ip,DSW,PSW'; must be ip, DSW, PSW, ASW, each once"]),
        (
            "ip,DSW,PSW,ASV",
            ["line 1: found column 'ASV'; allowed: ip, DSW, PSW, ASW; did you mean \"ASW\"?"],
        ),
        ("ip,DSW,PSW,ASW", ["found no hosts; must have at least one leaf"]),
        (
            "ip,DSW,PSW,ASW\nh1,G6,P8\nh2,G6,P8,S/1\nh3,,P8,S1\nh4,G6,P8,S1\nh4,G6,P8,S1",
            [
                "line 2: found 3 values; must be 4: ip,DSW,PSW,ASW",
                "line 3: ASW: found 'S/1'; must be a name without spaces and \"/\"",
                "line 4: DSW: found ''; must be a name without spaces and \"/\"",
                "line 6: ip: found 'h4' again, first on line 5; allowed: once per ASW",
            ],
        ),
        ('ip,DSW,PSW,ASW\n"h1"x,G6,P8,S1', ["line 2: found no CSV: ',' expected after '\"'"]),
    ],
)
def test_wrong_lingjun(text: str, lines: list[str]) -> None:
    """Every mistake in the Lingjun map is named with its line; a host may be once under an ASW."""
    assert problems_of(read_lingjun, text) == lines


@pytest.mark.skipif(not LINGJUN.exists(), reason="needs the Lingjun map in ../shared")
def test_lingjun_map() -> None:
    """The map of 2023 has 847 hosts below 119 ASWs of 48 names, below 3 PSWs and 1 DSW."""
    leaves = read_lingjun(LINGJUN.read_text()).leaves
    assert len({host for leaf in leaves for host in leaf.nodes}) == sum(len(leaf.nodes) for leaf in leaves) == 847
    assert len({leaf.name for leaf in leaves}) == len(leaves) == 119
    assert len({leaf.name.rpartition("/")[2] for leaf in leaves}) == 48
    assert Counter(leaf.above for leaf in leaves) == {
        ("G6/P10", "G6"): 48,
        ("G6/P12", "G6"): 42,
        ("G6/P8", "G6"): 29,
    }
    assert Counter(len(leaf.nodes) for leaf in leaves) == {8: 68, 7: 23, 6: 15, 5: 7, 4: 2, 3: 1, 2: 3}
    assert leaves[0].name == "G6/P10/S14"
    assert leaves[0].nodes[0] == "0c9d9de1b19e7f39b08f49ddfa26744ae26d3adf8bd59af1b16e203b6fa5fe4b"


def test_libraries_wait() -> None:
    """Importing the importers loads neither the hostlist library nor the YAML one."""
    code = "import sys, dcsim.topology.lingjun; print({'ClusterShell', 'yaml'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"
