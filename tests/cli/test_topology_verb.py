"""`dcsim topology`: what is listed and shown, what fails together, what is written and what is refused."""

import json
import tomllib
from xml.etree import ElementTree

import networkx
import pytest

from dcsim.cli.topology import default_gpus, expanded_nodes
from dcsim.shipped import shipped_files
from dcsim.topology import TopologyDescription, load_description, resolve
from dcsim.topology.build import build

SHIPPED = list(shipped_files("topologies"))

# By hand: 2 pods of 2 segments of 4 nodes; 16 nodes of 2 GPUs in 8 racks of 2; 4 rows; 2 halls of 4 racks.
# A node takes 1 kW, a rack 2 kW + 0.5 kW = 2.5 kW, all racks 20 kW. Switches: 4 x 2 leaves, 2 x 2 spines, 2 cores of
# 100 W each: 1.4 kW. Links: 16 x 2 x 2 = 64 of dac (0 W); 8 x 4 = 32 leaf-uplinks and 4 x 8 = 32 spine-uplinks of
# 2 x 12 W: 1.536 kW. IT 22.936 kW, x PUE 1.5 = 34.404 kW.
MINI = """
name = "mini"
description = "A plant of everything"
[node]
gpus = 2
power = "1 kW"
[rack]
nodes = 2
row = 2
power = "500 W"
[nvlink]
domain = "rack"
switches = 3
needed = 2
[fabric]
nics = 2
port = "400 Gb/s"
homes = 2
[fabric.leaf]
nodes = 4
uplinks = 4
power = "100 W"
[fabric.spine]
count = 2
segments = 2
uplinks = 8
power = "100 W"
[fabric.core]
ports = 16
power = "100 W"
[power]
shelves = 4
psus = 5
psu = "250 W"
feeds = 2
hall_racks = 4
feed = "8 kW"
busways = true
pue = 1.5
[power.site]
feeds = 2
feed = "20 kW"
generators = 1
generator = "10 kW"
[cooling]
cdus = 3
needed = 2
[storage]
gateways = 4
bandwidth = "50 GB/s"
"""


@pytest.fixture
def mini(tmp_path):
    """Give the path of a topology file that describes everything."""
    (tmp_path / "mini.toml").write_text(MINI)
    return "mini.toml"


def shown(dcsim, *arguments):
    """Return what `dcsim topology show` prints: no more than 80 columns, nothing on stderr."""
    done = dcsim("topology", "show", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    return done.stdout


def test_list(dcsim):
    """Every shipped topology is listed with its size and its description, as text and as JSON."""
    text, document = dcsim("topology", "list").stdout, json.loads(dcsim("topology", "list", "--json").stdout)
    assert document["schema"] == 1
    assert list(document["topologies"]) == SHIPPED
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for name, each in document["topologies"].items():
        sizes = f"{each['gpus_per_node']} GPUs per node, {each['gpus_per_rack']} per rack; "
        assert f"{name} {sizes}{', '.join(each['described']) or 'nodes and racks only'}. {each['description']}" in words


def test_show_counts_watts_and_rates(dcsim, mini):
    """The tree has every kind with its count, how many its parent has, and what it takes, gives or carries."""
    lines = [" ".join(line.split()) for line in shown(dcsim, mini, "--gpus", 32).splitlines()]
    for line in (
        "mini: 32 GPUs in 16 nodes and 8 racks.",
        "site 1 PUE 1.5 takes 34.4 kW",
        "site-feed 2 2 per site gives 20 kW 40 kW",
        "generator 1 1 per site gives 10 kW 10 kW",
        "hall 2 2 per site",
        "feed 4 2 per hall gives 8 kW 32 kW",
        "row 4 2 per hall",
        "busway 8 2 per row",
        "cdu 12 3 per row",
        "rack 8 2 per row takes 2.5 kW 20 kW",
        "shelf 32 4 per rack gives 1.25 kW 40 kW",
        "psu 160 5 per shelf gives 250 W 40 kW",
        "nvlink-switch 24 3 per domain",
        "node 16 2 per rack takes 1 kW 16 kW",
        "gpu 32 2 per node",
        "access-link 64 4 per node 200 Gb/s 12.8 Tb/s",
        "network takes 2.936 kW",
        "core 2 2 per site takes 100 W 200 W",
        "pod 2 2 per site",
        "spine 4 2 per pod takes 100 W 400 W",
        "segment 4 2 per pod 4 nodes",
        "leaf 8 2 per segment takes 100 W 800 W",
        "leaf-uplink 32 4 per leaf 200 Gb/s 6.4 Tb/s",
        "spine-uplink 32 8 per spine 200 Gb/s 6.4 Tb/s",
        "gateway 4 4 per site 50 GB/s 200 GB/s",
        "access-link dac 64 0 W 0 W 0.00",
        "leaf-uplink pluggable 32 12 W 768 W 0.02",
    ):
        assert line in lines


def test_show_redundancy(dcsim, mini):
    """Supply stands against demand level by level, the tiers' ratio beside them: 8 ports on 4 uplinks are 2:1."""
    text = " ".join(shown(dcsim, mini, "--gpus", 32).split())
    for sentence in (
        "3 switches per rack, 2 needed: N+1",
        "4 shelves of 5 PSUs x 1.25 kW = 5 kW for 2.5 kW: N+2; N+N holds with a feed lost: 2.5 kW",
        "hall power 2 feeds x 8 kW = 16 kW for 10 kW; without one feed 8 kW, 80 % of what is asked: slows down",
        "2 site feeds x 20 kW + 1 generator x 10 kW = 50 kW for 22.94 kW x PUE 1.5 = 34.4 kW; without one site feed "
        "30 kW, 87 % of what is asked: slows down; without one generator 40 kW, holds",
        "3 CDUs per row, 2 needed: N+1",
        "each NIC on 2 leaves (200 Gb/s each)",
        "8 links x 200 Gb/s = 1.6 Tb/s down, 4 x 200 Gb/s = 800 Gb/s up: 2:1, oversubscribed",
        "8 links x 200 Gb/s = 1.6 Tb/s down, 8 x 200 Gb/s = 1.6 Tb/s up: 1:1, not oversubscribed",
        "4 gateways x 50 GB/s = 200 GB/s, 6.25 GB/s per GPU; without one 150 GB/s",
        "nvlink-switch nothing: redundancy holds",
        "shelf nothing: redundancy holds",
        "feed hall/0, power: 80.0 % left",
        "site-feed site, power: 87.2 % left",
        "cdu nothing: redundancy holds",
        "spine segment/0 to segment/1, uplinks of its worst leaf: 50.0 % left; pod/0, uplinks to the cores: 50.0 %",
        "gateway storage, gateways: 75.0 % left",
    ):
        assert sentence in text


def test_a_leaf_has_the_ports_of_its_rail(dcsim, tmp_path):
    """Of 4 NICs on 2 rails each leaf has 2, as many as of 2 NICs on one."""
    (tmp_path / "rails.toml").write_text(MINI.replace("nics = 2", "nics = 4\nrails = 2"))
    assert "8 links x 200 Gb/s = 1.6 Tb/s down, 4 x" in shown(dcsim, "rails.toml", "--gpus", 32)


def test_show_says_when_supply_is_short_from_the_start(dcsim, tmp_path):
    """A plant whose demand is above its supply says so, though nothing has failed."""
    (tmp_path / "short.toml").write_text(MINI.replace('feed = "8 kW"', 'feed = "4 kW"'))
    text = " ".join(shown(dcsim, "short.toml", "--gpus", 32).split())
    assert "2 feeds x 4 kW = 8 kW for 10 kW: 80 % of what is asked: slows down" in text
    assert "With nothing failed, supply is below demand already: hall/0 to hall/1, power: 80.0 % left." in text
    (tmp_path / "dark.toml").write_text(MINI.replace('psu = "250 W"', 'psu = "10 W"'))
    text = " ".join(shown(dcsim, "dark.toml", "--gpus", 32).split())
    assert "200 W for 2.5 kW: 8 % of what is asked: trips (below 50 %)" in text
    assert "With nothing failed 16 nodes already trip" in text
    (tmp_path / "bare.toml").write_text(MINI.replace('"1 kW"', '"0 W"').replace('"500 W"', '"0 W"'))
    text = " ".join(shown(dcsim, "bare.toml", "--gpus", 32).split())
    assert "What nodes and racks take is not described: 0 W." in text
    assert "psu nothing: nodes and racks take 0 W" in text


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_topology_is_shown(dcsim, name):
    """Each is shown at its default size in 80 columns; its document has the same counts."""
    text = shown(dcsim, name)
    assert "--gpus not given" in text
    document = json.loads(dcsim("topology", "show", name, "--json").stdout)
    topology = build(resolve(name), document["gpus"])
    assert document["components"] == {kind: topology.components(kind) for kind in topology.kinds}
    words = " ".join(text.split())
    assert all(f" {kind} {count:,} " in words for kind, count in document["components"].items())
    assert "fail" not in document


def test_document_in_watts(dcsim, mini):
    """The document has powers in watts and optics with the failures that 720 h bring."""
    document = json.loads(dcsim("topology", "show", mini, "--gpus", 32, "--json").stdout)
    assert document["schema"] == 1
    assert document["watts"] == pytest.approx({"racks": 20e3, "network": 2936, "it": 22936, "site": 34404})
    optics = document["optics"]["leaf-uplink"]
    assert optics["failures_per_month"] == pytest.approx(32 * 720 / 1.263e6)
    assert (optics["kind"], optics["links"], optics["watts"]) == ("pluggable", 32, 768)


# --- what follows from a failure ----------------------------------------------------------------------------------


def test_fail_takes_down(dcsim, mini):
    """Rack 3 and node 9 out are 6 GPUs in 3 nodes, by address and by number."""
    text = shown(dcsim, mini, "--gpus", 32, "--fail", "rack/3", "--fail", "node/9")
    assert "rack/3 and node/9 out: 6 GPUs in 3 nodes down." in " ".join(text.split())
    lines = [line.split() for line in text.splitlines()]
    assert ["rack/3", "2", "4", "12-15"] in lines
    assert ["rack/4/node/1", "1", "2", "18-19"] in lines
    text = shown(dcsim, mini, "--gpus", 32, "--fail", "rack/0", "--fail", "node/2")
    assert "rack/0/node/0 to rack/1/node/0      3     6      0-5\n" in text


def test_fail_degrades(dcsim, mini):
    """A lost leaf of two halves the ports of its 4 nodes, said once; of three NVLink switches two are enough."""
    text = shown(dcsim, mini, "--gpus", 32, "--fail", "segment/2/leaf/0")
    assert "node/8 to node/11  access links of its worst NIC: 50.0 % left" in text
    assert "4 parts degraded." in text
    text = shown(dcsim, mini, "--gpus", 32, "--fail", "node/0/access-link/0", "--fail", "node/2/access-link/3")
    assert [line.split()[0] for line in text.splitlines() if "left" in line] == ["node/0", "node/2"]
    text = shown(dcsim, mini, "--gpus", 32, "--fail", "rack/0/nvlink-domain/0/nvlink-switch/1")
    assert "nothing: redundancy holds." in " ".join(text.split())
    assert "Down" not in text


def test_fail_as_a_document(dcsim, mini):
    """The document has ranges of nodes, GPUs and shares; the same address twice is one failure."""
    arguments = ("--fail", "rack/1", "--fail", "hall/0/feed/1", "--fail", "rack/1", "--json")
    fail = json.loads(dcsim("topology", "show", mini, "--gpus", 32, *arguments).stdout)["fail"]
    assert fail["failed"] == ["rack/1", "hall/0/feed/1"]
    assert (fail["gpus_down"], fail["down"]) == (4, [[2, 4]])
    assert fail["degraded"] == [{"part": "hall/0", "what": "power", "share": 0.8}]


def test_long_lists_are_cut_with_a_hint(dcsim):
    """More ranges than fit a screen are counted, and the document has them all."""
    nodes = [argument for node in range(0, 60, 2) for argument in ("--fail", f"node/{node}")]
    text = shown(dcsim, "hgx-h100", "--gpus", 1024, *nodes)
    assert "and 10 more (--json has all)" in text
    document = json.loads(dcsim("topology", "show", "hgx-h100", "--gpus", 1024, *nodes, "--json").stdout)
    assert len(document["fail"]["down"]) == 30


# --- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "gpus"),
    [
        ({}, 32),  # 8 racks are two pods already
        ({"segments = 2": "segments = 3"}, 48),  # two pods of 24 GPUs hold 8 racks
        ({"nodes = 4\n": "nodes = [4, 3, 2]\n"}, 18),  # all that is listed
        ({"segments = 2": "segments = [1, 2]"}, 24),  # three segments of 8 GPUs
        ({"[fabric.core]": "[core]"}, 16),  # without cores one pod
    ],
)
def test_default_size(changes, gpus):
    """Where nobody says how many: whole pods that hold 8 racks, or all that the file lists; and that builds."""
    text = MINI
    for old, new in changes.items():
        text = text.replace(old, new)
    if "[core]" in text:
        text = text[: text.index("[core]")] + text[text.index("[power]") :]
    description = TopologyDescription.model_validate(tomllib.loads(text))
    assert default_gpus(description)[0] == gpus
    assert build(description, gpus).gpus == gpus


# --- what is written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expand", [(), ("--expand",)])
def test_build_graphs(dcsim, mini, tmp_path, expand):
    """networkx reads both formats back: the same nodes and edges, attributes and all."""
    for file in ("a.json", "a.graphml"):
        done = dcsim("topology", "build", mini, "--gpus", 32, "-o", file, *expand)
        assert done.exit_code == 0
        assert done.stdout.startswith(f"{file}: the {'expanded ' if expand else ''}graph of mini with 32 GPUs")
    topology = build(load_description(tmp_path / mini), 32)
    graph = topology.graph(bool(expand))
    linked = networkx.node_link_graph(json.loads((tmp_path / "a.json").read_text()), edges="edges")
    marked = networkx.read_graphml(tmp_path / "a.graphml")
    for read in (linked, marked):
        assert dict(read.nodes(data=True)) == dict(graph.nodes(data=True))
        assert sorted(read.edges(data="count")) == sorted(graph.edges(data="count"))
    if expand:
        assert len(graph) == expanded_nodes(topology)


def test_build_a_picture(dcsim, mini, tmp_path):
    """The picture is well-formed, and an old one is replaced."""
    (tmp_path / "a.SVG").write_text("old")
    assert dcsim("topology", "build", mini, "--gpus", 32, "-o", "a.SVG").exit_code == 0
    assert ElementTree.parse(tmp_path / "a.SVG").getroot().tag.endswith("svg")


def test_the_format_may_be_given(dcsim, mini, tmp_path):
    """--format goes before what the file is called."""
    assert dcsim("topology", "build", mini, "--gpus", 32, "-o", "graph", "--format", "node-link").exit_code == 0
    assert json.loads((tmp_path / "graph").read_text())["directed"] is True


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shwo"], 'no such verb "shwo"; allowed: list, show, build, import; did you mean "show"?'),
        (["show", "gb300"], "TOPOLOGY: found 'gb300'; allowed: "),
        (["show", "nope.toml"], "nope.toml: cannot be read: No such file"),
        (["show", "./small.toml"], "small.toml: "),
        (["show", "hgx-h100", "--gpus", "12"], "--gpus: found 12; must be a multiple of 8"),
        (["show", "mini.toml", "--fail", "rack/8"], "--fail rack/8: found rack/8 in 'rack/8'; must be from 0 to 7"),
        (["show", "mini.toml", "--fail", "rak/1"], 'did you mean "rack"?'),
        (["show", "mini.toml", "--fail", "rack/" + "9" * 5000], "at most 200 characters"),
        (["build", "hgx-h100", "--gpus", "32"], "Missing option '-o'"),
        (["build", "hgx-h100", "--gpus", "32", "-o", "x.png"], "ends in none of .json, .graphml, .svg; say --format"),
        (["build", "hgx-h100", "--gpus", "32", "-o", "x.svg", "--expand"], "a picture has no graph to expand"),
        (["build", "hgx-h100", "--gpus", "32", "-o", "no/x.svg"], "no/x.svg: No such file or directory"),
        (
            ["build", "hgx-h100", "--gpus", "32", "-o", "folder.svg"],
            "folder.svg: is a folder; only a regular file",
        ),
        (["build", "gb300-nvl72", "--gpus", "9999936", "-o", "x.json", "--expand"], "graph nodes for 9,999,936 GPUs"),
        (["import", "nope.conf", "-o", "x.toml", "--gpus-per-node", "8"], "nope.conf: cannot be read: No such file"),
        (["import", "good.conf", "-o", "x.txt", "--gpus-per-node", "8"], "x.txt must end in .toml"),
        (["import", "good.conf", "-o", "mini.toml", "--gpus-per-node", "8"], "exists and is not overwritten"),
        (["import", "good.conf", "-o", "x.toml", "--gpus-per-node", "8", "--port", "400"], "the unit is missing"),
        (["import", "good.conf", "-o", "x.toml", "--gpus-per-node", "8", "--name", "a b"], '"a b"; must be up to 60'),
        (["import", "good.conf", "-o", "x.toml", "--gpus-per-node", "8", "--topology", "t"], "only a topology.yaml"),
        (["import", "good.conf", "-o", "x.toml", "--gpus-per-node", "8", "--from", "lingjun"], "good.conf: line 1: "),
        (["import", "bad.conf", "-o", "x.toml", "--gpus-per-node", "8"], "bad.conf: line 1: "),
        (["import", "notes", "-o", "x.toml", "--gpus-per-node", "8"], "notes: neither its name nor its content"),
        (["import", "two.conf", "-o", "x.toml", "--gpus-per-node", "8"], "two.conf: line 2: Nodes: found 'n3' under "),
        (["import", "blocks.conf", "-o", "x.toml", "--gpus-per-node", "8"], "blocks.conf: found 3 blocks of 2 to 3 "),
        (
            ["import", "kueue.yaml", "-o", "x.toml", "--gpus-per-node", "8"],
            "kueue.yaml: found a Topology, which names ",
        ),
        (
            ["import", "kueue.yaml", "-o", "x.toml", "--gpus-per-node", "8", "--from", "slurm-yaml"],
            "must be a list of ",
        ),
        (["import", "mini.toml", "-o", "x.toml", "--gpus-per-node", "8"], "mini.toml: found a topology file of dcsim "),
        (["import", "binary", "-o", "x.toml", "--gpus-per-node", "8"], "binary: line 2: is not a text file: not UTF-8"),
        (["import", "huge.conf", "-o", "x.toml", "--gpus-per-node", "1024"], "huge.conf: found 20,000 nodes of 1,024"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(dcsim, mini, tmp_path, arguments, says):
    """What cannot be done is named in one line on stderr; stdout stays empty and nothing is written."""
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "good.conf").write_text("SwitchName=s0 Nodes=n[0-3]\n")
    (tmp_path / "huge.conf").write_text("SwitchName=s0 Nodes=n[0-19999]\n")
    (tmp_path / "bad.conf").write_text("hello\n")
    (tmp_path / "two.conf").write_text("SwitchName=a Nodes=n[0-3]\nSwitchName=b Nodes=n[3-5]\n")
    (tmp_path / "blocks.conf").write_text(
        "BlockName=a Nodes=a[0-2]\nBlockName=b Nodes=b[0-1]\nBlockName=c Nodes=c[0-2]"
    )
    (tmp_path / "kueue.yaml").write_text(
        "apiVersion: kueue.x-k8s.io/v1beta1\nkind: Topology\nspec: {levels: [{nodeLabel: a}]}\n"
    )
    (tmp_path / "notes").write_text("hello\n")
    (tmp_path / "binary").write_bytes(b"a\n\xff\n")
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    done = dcsim("topology", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    if arguments[1:2] != ["./small.toml"]:
        (_,) = done.stderr.splitlines()
    assert says in done.stderr
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


def test_every_wrong_address_is_named(dcsim, mini):
    """Two wrong addresses beside a good one are two lines."""
    done = dcsim("topology", "show", mini, "--fail", "rack/99", "--fail", "rack/1", "--fail", "rack/1/leaf/0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["--fail rack/99", "--fail rack/1/leaf/0"]


@pytest.mark.parametrize("verb", ["list", "show", "build", "import"])
def test_every_verb_explains_itself(dcsim, verb):
    """Each verb's help says what it does and ends with an example."""
    done = dcsim("topology", verb, "--help")
    assert done.exit_code == 0
    assert f"dcsim topology {verb} " in done.stdout.partition("Example")[2]
    assert f"\n  {verb} " in dcsim("topology").stdout
