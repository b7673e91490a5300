"""Nodes under several leaves, blocks without nodes and blocks of unequal size, from a file to what fails together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcsim.plant import PlantState
from dcsim.plant.outage import outage
from dcsim.topology import Topology, TopologyDescription, TopologyError, load_description
from dcsim.topology.build import build
from dcsim.topology.imported import read_tree, to_toml
from dcsim.topology.lingjun import read_lingjun
from dcsim.topology.slurm import read_topology_conf, read_topology_yaml
from dcsim.topology.switch_tree import SwitchTree

TOP = "SwitchName=top Switches=a[0-1],b[0-1]\n"
RAILS = f"""
SwitchName=a0 Nodes=n[0-3]
SwitchName=a1 Nodes=n[0-3]
SwitchName=b0 Nodes=n[4-6]
SwitchName=b1 Nodes=n[6,4-5]
{TOP}"""
Options = dict[str, int]


def made(folder: Path, text: str, kind: str = "slurm-conf", gpus: int = 4, **options: int) -> Topology:
    """Import a text and build all of it."""
    tree = read_tree(text, kind)
    path = folder / "made.toml"
    path.write_text(to_toml(tree, gpus, name="made", **options))
    nodes = {node for leaf in tree.leaves for node in leaf.nodes}
    return build(load_description(path), len(nodes) * gpus)


def problem(make: Callable[[], object]) -> str:
    """Return the one line that says why this fails."""
    with pytest.raises(TopologyError) as caught:
        make()
    (line,) = caught.value.problems
    return line


def shares(topology: Topology, *paths: str) -> dict[str, float]:
    """Return what each part keeps without these; nothing may go down."""
    found = outage(topology, [topology.find(path) for path in paths])
    assert found.down == ()
    return {part: share for part, _, share in found.degraded}


# --- rails --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reroute", "left"), [(False, [0.0, 0.0]), (True, [0.5, 0.25])])
def test_access_share_by_hand(reroute: bool, left: list[float]) -> None:
    """Of 4 NICs on 2 rails, rail 0 dead: the worst NIC has 0, the mean is 2 of 4; one more link dead leaves 1 of 4."""
    tables = {"name": "t", "description": "", "node": {"gpus": 4}, "rack": {"nodes": 2}, "nvlink": {"domain": "node"}}
    fabric = {"nics": 4, "port": "400 Gb/s", "rails": 2, "reroute": reroute, "leaf": {"nodes": 2}}
    state = PlantState(build(TopologyDescription.model_validate({**tables, "fabric": fabric}), 8))
    state.lose("leaf", 0)
    state.lose("access-link", 7)
    assert state.access.tolist() == left


def test_nodes_under_two_leaves_are_on_two_rails(tmp_path: Path) -> None:
    """Each node counts once; without one of its 2 leaves it keeps half, without both it is down."""
    topology = made(tmp_path, RAILS)
    fabric = topology.description.fabric
    assert fabric is not None
    assert (fabric.rails, fabric.homes, fabric.nics, fabric.leaf.nodes) == (2, 1, 4, (4, 3))
    counts = {kind: topology.components(kind) for kind in ("node", "segment", "leaf", "spine", "access-link")}
    assert counts == {"node": 7, "segment": 2, "leaf": 4, "spine": 1, "access-link": 28}
    for leaf in ("leaf/0", "leaf/1"):
        assert shares(topology, f"segment/0/{leaf}") == {f"node/{node}": 0.5 for node in range(4)}
        assert shares(topology, f"segment/1/{leaf}") == {f"node/{node}": 0.5 for node in range(4, 7)}
    both = outage(topology, [topology.find("segment/1/leaf/0"), topology.find("segment/1/leaf/1")])
    assert (both.down, both.gpus_down) == (((4, 7),), 12)


@pytest.mark.parametrize("leaves", [2, 3, 4, 8])
@pytest.mark.parametrize("gpus", [1, 4, 8])
def test_any_number_of_rails(tmp_path: Path, leaves: int, gpus: int) -> None:
    """Without one of k leaves every node keeps (k - 1) / k, whatever the GPUs of a node."""
    text = "".join(f"SwitchName=s{leaf} Nodes=n[0-5]\n" for leaf in range(leaves))
    topology = made(tmp_path, text, gpus=gpus)
    assert topology.components("leaf") == leaves
    found = shares(topology, f"segment/0/leaf/{leaves - 1}")
    assert found == pytest.approx({f"node/{node}": (leaves - 1) / leaves for node in range(6)})


def test_uplinks_of_a_rail_carry_its_own_nics(tmp_path: Path) -> None:
    """Under a leaf of 4 nodes with 2 of their 4 NICs are 8 ports, so 8 uplinks and nothing is oversubscribed."""
    fabric = made(tmp_path, RAILS).description.fabric
    assert fabric is not None
    assert fabric.leaf.uplinks == 8


def test_rails_in_other_files(tmp_path: Path) -> None:
    """topology.yaml and the Lingjun map say the same in their way."""
    yaml = """
    - topology: t
      tree:
        switches:
        - {switch: l0, nodes: "n[0-1]"}
        - {switch: l1, nodes: "n1,n0"}
        - {switch: top, children: "l[0-1]"}
    """
    csv = "ip,DSW,PSW,ASW\nn0,G,P,A\nn0,G,P,B\nn1,G,P,B\nn1,G,P,A\n"
    for text, kind in ((yaml, "slurm-yaml"), (csv, "lingjun")):
        topology = made(tmp_path, text, kind)
        assert (topology.nodes, topology.components("leaf")) == (2, 2)
        assert shares(topology, "segment/0/leaf/1") == {"node/0": 0.5, "node/1": 0.5}


def test_the_leaves_of_each_rail_have_a_spine_of_their_own(tmp_path: Path) -> None:
    """Two rails, each below its own spine: one pod with two spines, of which one is enough."""
    spines = "SwitchName=x Switches=a0,b0\nSwitchName=y Switches=a1,b1\nSwitchName=top Switches=x,y\n"
    topology = made(tmp_path, RAILS.replace(TOP, spines))
    assert {kind: topology.components(kind) for kind in ("pod", "spine")} == {"pod": 1, "spine": 2}
    assert shares(topology, "pod/0/spine/1") == {"segment/0": 0.5, "segment/1": 0.5}


def test_pods_of_rails(tmp_path: Path) -> None:
    """Four segments of 2 rails below 2 + 2 spines are two pods, joined by the top."""
    text = "".join(f"SwitchName=s{segment}r{rail} Nodes=n{segment}[0-1]\n" for segment in range(4) for rail in range(2))
    for pod in range(2):
        for rail in range(2):
            text += f"SwitchName=p{pod}r{rail} Switches=s{2 * pod}r{rail},s{2 * pod + 1}r{rail}\n"
    topology = made(tmp_path, text + "SwitchName=top Switches=p[0-1]r[0-1]\n")
    counts = {kind: topology.components(kind) for kind in ("segment", "leaf", "pod", "spine", "core", "node")}
    assert counts == {"segment": 4, "leaf": 8, "pod": 2, "spine": 4, "core": 1, "node": 8}
    assert shares(topology, "segment/3/leaf/0") == {"node/6": 0.5, "node/7": 0.5}


@pytest.mark.parametrize(
    ("options", "rails", "homes", "nics"),
    [({}, 4, 1, 4), ({"homes": 2}, 2, 2, 4), ({"homes": 4}, 1, 4, 4), ({"nics": 8}, 4, 1, 8), ({"nics": 12}, 4, 1, 12)],
)
def test_homes_of_a_nic_are_among_the_leaves(
    tmp_path: Path, options: Options, rails: int, homes: int, nics: int
) -> None:
    """Four leaves above a node are rails x homes; however they are shared out, one of them is a quarter."""
    text = "".join(f"SwitchName=s{leaf} Nodes=n[0-1]\n" for leaf in range(4))
    topology = made(tmp_path, text, **options)
    fabric = topology.description.fabric
    assert fabric is not None
    assert (fabric.rails, fabric.homes, fabric.nics) == (rails, homes, nics)
    assert shares(topology, "segment/0/leaf/2") == {"node/0": 0.75, "node/1": 0.75}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"homes": 3}, "found 4 leaves above each node; must be a multiple of --homes 3"),
        ({"nics": 6}, "found 6 NICs of a node (--nics); must be a multiple of the 4 rails (4 leaves above each node)"),
    ],
)
def test_options_that_rails_do_not_allow(options: Options, line: str) -> None:
    """Homes and NICs that cannot be shared out evenly are refused."""
    text = "".join(f"SwitchName=s{leaf} Nodes=n[0-1]\n" for leaf in range(4))
    assert problem(lambda: to_toml(read_topology_conf(text), 4, name="x", **options)) == line  # type: ignore[arg-type]


SHARED = "nodes that share a switch must share all of theirs (rails); else list each node under one switch"


@pytest.mark.parametrize(
    ("read", "text", "line"),
    [
        (
            read_topology_conf,
            "SwitchName=l0 Nodes=n[0-3]\nSwitchName=l1 Nodes=n[4-7]\nSwitchName=l2 Nodes=n[3,8-10]\n",
            f"line 3: Nodes: found 'n3' under 'l0' and 'l2', but 'n0' under 'l0' only; {SHARED}",
        ),
        (
            read_topology_conf,
            "SwitchName=l0 Nodes=n[0-3]\nSwitchName=l1 Nodes=n[0-2]\n",
            f"line 1: Nodes: found 'n3' under 'l0' only, but 'n0' under 'l0' and 'l1'; {SHARED}",
        ),
        (
            read_topology_conf,
            "SwitchName=w Nodes=n[0-3]\nSwitchName=l0 Nodes=n[0-1]\nSwitchName=l1 Nodes=n[2-3]\n",
            f"line 2: Nodes: found 'n0' under 'w' and 'l0', but 'n2' under 'w' and 'l1'; {SHARED}",
        ),
        (
            read_topology_conf,
            "SwitchName=l0 Nodes=a\nSwitchName=l1 Nodes=b\nSwitchName=l2 Nodes=b\n",
            "line 2: Nodes: found 'b' under 'l1' and 'l2', but 'a' under 'l0' only; "
            "all nodes must be under the same number of switches",
        ),
        (
            read_topology_yaml,
            "- topology: t\n  tree: {switches: [{switch: l0, nodes: 'n[0-2]'}, {switch: l1, nodes: 'n[2-3]'}]}",
            f"t.tree.switches.1.nodes: found 'n2' under 'l0' and 'l1', but 'n0' under 'l0' only; {SHARED}",
        ),
        (
            read_lingjun,
            "ip,DSW,PSW,ASW\nh1,G,P,A\nh2,G,P,A\nh3,G,P,A\nh2,G,P,B\n",
            f"line 5: ip: found 'h2' under 'G/P/A' and 'G/P/B', but 'h1' under 'G/P/A' only; {SHARED}",
        ),
        (
            read_topology_conf,
            "".join(f"SwitchName=l{leaf} Nodes=n[0-3]\n" for leaf in range(6)) + "SwitchName=l6 Nodes=n[0-2]\n",
            f"line 6: Nodes: found 'n3' under 'l0', 'l1', 'l2' and 3 more, but 'n0' under 'l0', 'l1', 'l2' and 4 more; "
            f"{SHARED}",
        ),
    ],
    ids=["one of many", "missing once", "a wide leaf", "one rail and two", "yaml", "lingjun", "many rails"],
)
def test_what_is_no_rails(read: Callable[[str], SwitchTree], text: str, line: str) -> None:
    """Nodes whose leaves differ are refused with the node that differs, never counted twice or lost."""
    assert problem(lambda: read(text)) == line


@pytest.mark.parametrize(
    ("above", "line"),
    [
        (
            "SwitchName=x Switches=a0\nSwitchName=y Switches=a1,b0\nSwitchName=z Switches=b1\n",
            "found 'y' above 'b0' and other leaves; "
            "nodes that share one of the switches above their leaves must share all of those",
        ),
        (
            "SwitchName=x Switches=a[0-1]\nSwitchName=y Switches=b0\nSwitchName=z Switches=b1\n",
            "found 1 switch right above 'a0' and the other leaves of its nodes, but 2 above those of 'b0'; "
            "must be the same number in every pod",
        ),
    ],
    ids=["spines in common", "unlike pods"],
)
def test_spines_that_no_pods_have(above: str, line: str) -> None:
    """What is above the rails is one set of switches for each pod, of one size, or refused."""
    text = RAILS.replace(TOP, above)
    assert problem(lambda: to_toml(read_topology_conf(text), 4, name="x")) == line


# --- blocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("BlockName=a Nodes=n[0-1]\nBlockName=b\nBlockName=c Nodes=n[2-3]\nBlockName=d Nodes=\n", "slurm-conf"),
        ('BlockName=a Nodes=n[0-1]\nBlockName=b Nodes=""\nBlockName=c Nodes=n[2-3]\nBlockName=d\n', "slurm-conf"),
        *[
            (
                "- topology: t\n  block:\n    block_sizes: [2]\n    blocks:\n    - {block: a, nodes: 'n[0-1]'}\n"
                f"    - {{block: b{none}}}\n    - {{block: c, nodes: 'n[2-3]'}}\n    - {{block: d{none}}}\n",
                "slurm-yaml",
            )
            for none in ("", ", nodes: ''", ", nodes: ", ", nodes: ' '", ", nodes: null")
        ],
    ],
)
def test_blocks_without_nodes_are_left_out(tmp_path: Path, text: str, kind: str) -> None:
    """However a block says that it has no nodes, it is left out and named, in the file too."""
    tree = read_tree(text, kind)
    assert [leaf.name for leaf in tree.leaves] == ["a", "c"]
    assert tree.empty == ("b", "d")
    assert "# Left out, as no nodes are below them: b, d.\n" in to_toml(tree, 4, name="x")
    assert made(tmp_path, text, kind).components("segment") == 2


def test_switches_without_nodes_are_left_out() -> None:
    """A leaf without nodes and a switch above only such leaves are left out; other switches are not."""
    text = "SwitchName=a Nodes=n\nSwitchName=b\nSwitchName=c Switches=b\nSwitchName=d Switches=a,c\n"
    assert read_topology_conf(text).empty == ("b", "c")
    assert read_topology_conf(text + "SwitchName=e Switches=a\n").empty == ("b", "c")


def blocks(*sizes: int) -> str:
    """Return a topology.conf of blocks of these many nodes."""
    return "".join(f"BlockName=b{number} Nodes=b{number}x[1-{size}]\n" for number, size in enumerate(sizes))


@pytest.mark.parametrize(
    ("sizes", "given", "racks"),
    [
        ((18, 18, 18), None, [18, 18, 18]),
        ((3, 3, 2), None, [3, 3, 2]),
        ((5,), None, [5]),
        ((6, 4, 2), 2, [2] * 6),
        ((4, 4, 3), 2, [2, 2, 2, 2, 2, 1]),
        ((4, 4, 4), 8, [8, 4]),  # whole blocks
        ((3, 2, 3), 1, [1] * 8),
    ],
)
def test_a_rack_follows_its_block(tmp_path: Path, sizes: tuple[int, ...], given: int | None, racks: list[int]) -> None:
    """Racks are blocks, parts of one block, or whole blocks."""
    options = {} if given is None else {"nodes_per_rack": given}
    topology = made(tmp_path, blocks(*sizes), **options)
    assert (np.diff(topology.bounds("rack")) // topology.gpus_per_node).tolist() == racks
    assert (np.diff(topology.bounds("segment")) // topology.gpus_per_node).tolist() == list(sizes)


@pytest.mark.parametrize(
    ("sizes", "given", "line"),
    [
        (
            (3, 2, 3),
            None,
            "found 3 blocks of 2 to 3 nodes; racks are all of one size, so some would hold parts of two blocks; "
            "say --nodes-per-rack 1, or list the smaller block last",
        ),
        (
            (4, 6, 8, 6),
            None,
            "found 4 blocks of 4 to 8 nodes; racks are all of one size, so some would hold parts of two blocks; "
            "say --nodes-per-rack 1 or 2",
        ),
        (
            (18, 18),
            4,
            "found 2 blocks of 18 nodes; racks of 4 nodes would hold parts of two blocks; "
            "say --nodes-per-rack 6 or 9 or 18",
        ),
        (
            (4, 4, 4),
            6,
            "found 3 blocks of 4 nodes; racks of 6 nodes would hold parts of two blocks; "
            "say --nodes-per-rack 1 or 2 or 4",
        ),
    ],
)
def test_racks_that_would_be_parts_of_two_blocks(sizes: tuple[int, ...], given: int | None, line: str) -> None:
    """What no rack of one size fits is refused, and the sizes that fit are named."""
    tree = read_topology_conf(blocks(*sizes))
    assert problem(lambda: to_toml(tree, 4, name="x", nodes_per_rack=given)) == line
