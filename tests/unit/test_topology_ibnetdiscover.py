"""What ibnetdiscover prints of a fabric becomes the tree of switches that a person draws from it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.topology import TopologyError
from dcsim.topology.ibnetdiscover import read_ibnetdiscover
from dcsim.topology.imported import kind_of, to_toml
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree

# Made by hand after infiniband-diags: two rails, two groups of two hosts, one spine with two links to each leaf. Links
# of the second group's hosts stand only at the hosts' end, those of the first only at the switch's.
DUMP = """#
# Topology file: generated on Wed Aug  6 16:11:23 2025
#
# Initiated from node 00000000000000a1 port 00000000000000a1

vendid=0x2c9
devid=0xd2f2
sysimgguid=0xa1
switchguid=0xa1(a1)
Switch\t65 "S-00000000000000a1"\t\t# "MF0;leaf-1a:MQM9790/U1" enhanced port 0 lid 73 lmc 0
[1]\t"H-0000000000000011"[1](11) \t\t# "n2 mlx5_0" lid 647 4xNDR
[2]\t"H-0000000000000012"[1](12) \t\t# "n10 mlx5_0" lid 648 4xNDR
[33]\t"S-00000000000000c1"[1]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR
[34]\t"S-00000000000000c1"[2]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR
[65]\t"H-00000000000000d1"[1](d1) \t\t# "Mellanox Technologies Aggregation Node" lid 193 4xNDR

vendid=0x2c9
switchguid=0xa2(a2)
Switch\t65 "S-00000000000000a2"\t\t# "MF0;leaf-1b:MQM9790/U1" enhanced port 0 lid 74 lmc 0
[1]\t"H-0000000000000021"[1](21) \t\t# "n2 HCA-2" lid 649 4xNDR
[2][ext 7]\t"H-0000000000000022"[1][ext 1](22) \t\t# "n10 HCA-2" lid 650 4xNDR s=4 w=2 v=5
[33]\t"S-00000000000000c1"[3]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR
[34]\t"S-00000000000000c1"[4]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR

Switch\t65 "S-00000000000000a3"\t\t# "MF0;leaf-2a:MQM9790/U1" enhanced port 0 lid 75 lmc 0
[33]\t"S-00000000000000c1"[5]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR
[34]\t"S-00000000000000c1"[6]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR

Switch\t65 "S-00000000000000a4"\t\t# "MF0;leaf-2b:MQM9790/U1" enhanced port 0 lid 76 lmc 0
[33]\t"S-00000000000000c1"[7]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR
[34]\t"S-00000000000000c1"[8]\t\t# "MF0;spine-1:MQM9790/U1" lid 236 4xNDR

Switch\t65 "S-00000000000000c1"\t\t# "MF0;spine-1:MQM9790/U1" enhanced port 0 lid 236 lmc 0

caguid=0x31
Ca\t1 "H-0000000000000031"\t\t# "n3 mlx5_0"
[1](31) \t"S-00000000000000a3"[1]\t\t# lid 651 lmc 0 "MF0;leaf-2a:MQM9790/U1" lid 75 4xNDR

Ca\t1 "H-0000000000000032"\t\t# "n4 mlx5_0"
[1](32) \t"S-00000000000000a3"[2]\t\t# lid 652 lmc 0 "MF0;leaf-2a:MQM9790/U1" lid 75 4xNDR

Ca\t1 "H-0000000000000041"\t\t# "n3 mlx5_1"
[1](41) \t"S-00000000000000a4"[1]\t\t# lid 653 lmc 0 "MF0;leaf-2b:MQM9790/U1" lid 76 4xNDR

Ca\t1 "H-0000000000000042"\t\t# "n4 mlx5_1"
[1](42) \t"S-00000000000000a4"[2]\t\t# lid 654 lmc 0 "MF0;leaf-2b:MQM9790/U1" lid 76 4xNDR
"""
SPINE = ("spine-1",)
LEAVES = (
    LeafSwitch("leaf-1a", SPINE, ("n2", "n10"), SPINE),
    LeafSwitch("leaf-1b", SPINE, ("n2", "n10"), SPINE),
    LeafSwitch("leaf-2a", SPINE, ("n3", "n4"), SPINE),
    LeafSwitch("leaf-2b", SPINE, ("n3", "n4"), SPINE),
)
SHARP = "Left out: 1 aggregation node of switches."


def fabric(*links: str) -> str:
    """Return a dump of links such as "a n1:0" (leaf a, adapter 0 of host n1) or "a s" (leaf a, switch s)."""
    lines, ports = [], dict[str, int]()
    for link in links:
        switch, far = link.split(" ")
        ports[switch] = ports.get(switch, 0) + 1
        host, _, device = far.partition(":")
        name = f"{host} mlx5_{device}" if device else far
        kind = "H" if device else "S"
        lines += [
            f'Switch\t65 "S-{switch}"\t# "{switch}" lid 1',
            f'[{ports[switch]}]\t"{kind}-{host}{device}"[{ports[switch]}]',
        ]
        lines[-1] += f'\t# "{name}" lid 1 4xHDR'
    return "\n".join(lines) + "\n"


def problems(text: str, *nodes: str) -> list[str]:
    """Return what is wrong with a dump."""
    with pytest.raises(TopologyError) as caught:
        read_ibnetdiscover(text, nodes or None)
    return caught.value.problems


def test_a_dump() -> None:
    """Two rails, hosts by either name of an adapter, links of either end, aggregation nodes left out."""
    assert read_ibnetdiscover(DUMP) == SwitchTree(
        "ibnetdiscover", LEAVES, notes=(SHARP,), nics=2, port="400 Gb/s", uplinks=2, spine_uplinks=0, cores=0
    )


def test_a_list_of_ports() -> None:
    """What ibnetdiscover -p prints says the same."""
    text = """
SW   236  1 0x00000000000000c1 4x NDR - SW   73 33 0x00000000000000a1 ( 'MF0;spine-1:X/U1' - 'MF0;leaf-1a:X/U1' )
SW    73  1 0x00000000000000a1 4x NDR - CA   647  1 0x0000000000000011 ( 'MF0;leaf-1a:X/U1' - 'n2 mlx5_0' )
CA   647  1 0x0000000000000011 4x NDR - SW    73  1 0x00000000000000a1 ( 'n2 mlx5_0' - 'MF0;leaf-1a:X/U1' )
SW    73  2 0x00000000000000a1 4x NDR - CA   647  1 0x0000000000000012 ( 'MF0;leaf-1a:X/U1' - 'n2 mlx5_0' )
SW    73  3 0x00000000000000a1 4x SDR                                     'MF0;leaf-1a:X/U1'
"""
    leaf = LeafSwitch("leaf-1a", SPINE, ("n2",), SPINE)
    assert read_ibnetdiscover(text) == SwitchTree("ibnetdiscover", (leaf,), nics=2, port="400 Gb/s", uplinks=1)
    assert kind_of("x", text) == kind_of("topology.conf", DUMP) == "ibnetdiscover"


def test_what_the_file_says_goes_into_the_topology() -> None:
    """NICs, data rate and uplinks come from the dump, and are not marked as assumed."""
    text = to_toml(read_ibnetdiscover(DUMP), 8, name="x")
    lines = text.splitlines()
    for line in ("nics = 2", 'port = "400 Gb/s"', "uplinks = 2  # of most leaves", "count = 1  # as in the file"):
        assert line in lines
    assert f"# {SHARP}" in lines


def test_cores() -> None:
    """Leaves that share no spine are pods; what joins their spines are cores, with the links that are there."""
    text = fabric("a n1:0", "b n2:0", "a p", "a p", "b q", "b q", "p c1", "p c2", "q c1", "q c2")
    tree = read_ibnetdiscover(text)
    assert [(leaf.name, leaf.above) for leaf in tree.leaves] == [("a", ("p", "c1")), ("b", ("q", "c1"))]
    assert (tree.uplinks, tree.spine_uplinks, tree.cores) == (2, 2, 2)
    assert "ports = 2  # assumed: so that there are 2 cores, as in the file" in to_toml(tree, 8, name="x")


def test_links_that_are_down() -> None:
    """A node that lacks a link is taken to be wired as those beside it, and is named."""
    tree = read_ibnetdiscover(fabric("a n1:0", "b n1:1", "c n1:2", "a n2:0", "b n2:1", "a n3:0", "b n3:1", "c n3:2"))
    assert [leaf.nodes for leaf in tree.leaves] == [("n1", "n2", "n3")] * 3
    assert tree.notes == ("Taken to be down: 1 link to leaves that n2 lack and the nodes beside them have.",)
    assert tree.nics == 3


def test_hosts_that_are_no_nodes() -> None:
    """Hosts under few leaves are left out, unless they are named; a leaf with nothing else is no leaf then."""
    text = fabric("a n1:0", "b n1:1", "a n2:0", "b n2:1", "a login:0", "c store:0", "a s", "b s", "c s")
    tree = read_ibnetdiscover(text)
    assert [(leaf.name, leaf.above, leaf.nodes) for leaf in tree.leaves] == [
        ("a", ("s",), ("n1", "n2")),
        ("b", ("s",), ("n1", "n2")),
    ]
    assert tree.cores == 0
    why = "they are under at most half of the 2 leaves that most are under; --nodes takes them"
    assert tree.notes[0] == f"Left out: 2 hosts (login, store): {why}."
    named = read_ibnetdiscover(text, ("n1", "login"))
    assert [leaf.nodes for leaf in named.leaves] == [("login", "n1")] * 2
    assert named.notes[0] == "Left out: 2 hosts (n2, store): --nodes does not name them."


def test_adapters_without_a_host() -> None:
    """Adapters whose description is the factory's or localhost's are left out and counted."""
    text = fabric("a n1:0") + '[2]\t"H-x"[1]\t# "MT4129 ConnectX7   Mellanox Technologies" lid 1 4xHDR\n'
    text += '[3]\t"H-y"[1]\t# "localhost mlx5_0" lid 1 4xHDR\n'
    tree = read_ibnetdiscover(text)
    assert [leaf.nodes for leaf in tree.leaves] == [("n1",)]
    assert tree.notes == (
        "Left out: 2 adapters without the name of a host ('MT4129 ConnectX7 Mellanox Technologies').",
    )


def test_a_dump_that_is_cut_off() -> None:
    """What the rest still says is read; switches without their own lines are named."""
    cut = DUMP[: DUMP.index("[34]", DUMP.index("leaf-1b:")) + 12]
    tree = read_ibnetdiscover(cut)
    assert tree.leaves == LEAVES[:2]
    assert tree.notes[1:] == (
        "The last line is cut off.",
        "The dump seems to be cut off: 1 switch named but not described (S-00000000000000c1); what hangs on them may "
        "be missing.",
    )
    odd = read_ibnetdiscover("ibwarn: [77] no answer\n" + fabric("a n1:0"))
    assert odd.notes == ("Passed over: 1 line that ibnetdiscover does not write, first line 1.",)


def test_names_of_switches() -> None:
    """A description that two switches share, or that has blanks, does not name one; its identifier does."""
    text = 'Switch 65 "S-1" # "Quantum Mellanox Technologies"\n[1] "H-1"[1] # "n1 mlx5_0" lid 1 4xNDR\n'
    text += 'Switch 65 "S-2" # "MF0;big:CS8500/L01/U1"\n[1] "H-2"[1] # "n2 mlx5_0" lid 1 4xNDR\n'
    text += 'Switch 65 "S-3" # "MF0;big:CS8500/L02/U1"\n[1] "H-3"[1] # "n3 mlx5_0" lid 1 4xNDR\n'
    names = [leaf.name for leaf in read_ibnetdiscover(text).leaves]
    assert names == ["S-1", "MF0;big:CS8500/L01/U1", "MF0;big:CS8500/L02/U1"]


@pytest.mark.parametrize(("rate", "port"), [("4xHDR", "200 Gb/s"), ("2xHDR", "100 Gb/s"), ("4xFDR10", "40 Gb/s"),
                                            ("4xXDR", "800 Gb/s"), ("1xSDR", "2.5 Gb/s"), ("4x???", "")])  # fmt: skip
def test_rates(rate: str, port: str) -> None:
    """Lanes times the rate of one lane."""
    assert read_ibnetdiscover(fabric("a n1:0").replace("4xHDR", rate)).port == port


def test_mistakes() -> None:
    """Each is one line that says what to do."""
    assert problems('Ca\t1 "H-1"\t\t# "n1 HCA-1"\n') == [
        'found no host at a switch; must have a host such as "n1 mlx5_0" at a port of a switch'
    ]
    assert problems(fabric("a n1:0"), "n1", "n2") == ["--nodes: found n2, of which no adapter is at a switch"]
    twice = fabric("a n1:0") + '[7]\t"H-other"[1]\t# "n1 mlx5_0" lid 1 4xHDR\n'
    assert problems(twice) == [
        "found 'n1 mlx5_0' twice, as H-n10 and H-other; every host must have a name of its own; --nodes says which "
        "hosts to take"
    ]
    [line] = problems(fabric("a n1:0", "b n1:1", "a n2:0", "c n2:1", "a n3:0", "b n3:1"))
    assert line.startswith(
        "switch c: found 'n2' under 'a' and 'c', but 'n1' under 'a' and 'b'; nodes that share a switch"
    )
    assert line.endswith("--nodes says which hosts to take")


LINES = st.sampled_from(sorted(set(DUMP.splitlines()))) | st.text(max_size=30)


@given(st.lists(LINES, max_size=60).map("\n".join), st.integers(0, 4000))
def test_any_lines(text: str, length: int) -> None:
    """Lines in any order, and dumps cut anywhere, give a topology or one line that says why not."""
    for each in (text, DUMP[:length], DUMP[length:]):
        with suppress(TopologyError):
            to_toml(read_ibnetdiscover(each), 8, name="x")
