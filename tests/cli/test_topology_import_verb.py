"""`dcsim topology import`: files of Slurm's become topologies that are shown and that fail as they should."""

import shutil
from pathlib import Path

import pytest

from dcsim.topology import load_description

EXAMPLES = Path(__file__).parents[1] / "unit" / "slurm_examples"


def shown(dcsim, *arguments):
    """Return the words that `dcsim topology show` prints; nothing on stderr."""
    done = dcsim("topology", "show", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("file", sorted(path.name for path in EXAMPLES.iterdir()))
def test_import_show_and_fail(dcsim, tmp_path, file):
    """A file of Slurm's becomes a topology that is shown, and a leaf of it takes its own nodes down."""
    shutil.copy(EXAMPLES / file, tmp_path / file)
    done = dcsim("topology", "import", file, "-o", "mine.toml", "--gpus-per-node", 8)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith("Next: dcsim topology show mine.toml\n")
    first = load_description(tmp_path / "mine.toml").fabric.leaf.nodes[0]
    assert load_description(tmp_path / "mine.toml").name == "mine"
    assert "all that its file lists" in " ".join(shown(dcsim, "mine.toml").split())
    text = " ".join(shown(dcsim, "mine.toml", "--fail", "segment/0/leaf/0").split())
    assert f"segment/0/leaf/0 out: {first * 8} GPUs in {first} nodes down." in text


def test_import_says_what_is_left_out_and_what_is_on_rails(dcsim, tmp_path):
    """Empty blocks are named, rails are counted; without a leaf of a rail no node is down."""
    block = "- topology: b\n  block: {blocks: [{block: b0, nodes: 'n[0-1]'}, {block: b1, nodes: ''}, {block: b2}]}"
    (tmp_path / "b.yaml").write_text(block)
    done = dcsim("topology", "import", "b.yaml", "-o", "b.toml", "--gpus-per-node", 4)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "Left out, as no nodes are below them: b1, b2."
    (tmp_path / "r.conf").write_text("SwitchName=a Nodes=n[0-3]\nSwitchName=b Nodes=n[0-3]\n")
    done = dcsim("topology", "import", "r.conf", "-o", "r.toml", "--gpus-per-node", 4)
    assert done.stdout.startswith("r.toml: 2 leaves in groups of 2 with the same nodes (rails), 4 nodes, 16 GPUs from ")
    text = " ".join(shown(dcsim, "r.toml", "--fail", "segment/0/leaf/0").split())
    assert "segment/0/leaf/0 out: 4 parts degraded. Degraded node/0 to node/3 access links: 50.0 % left" in text
    assert "down" not in text


def test_import_options(dcsim, tmp_path):
    """Options go into the file; one topology of several is chosen by its name; --from goes before the guess."""
    shutil.copy(EXAMPLES / "man.yaml", tmp_path / "network")
    options = ("--nics", 2, "--port", "800 Gb/s", "--homes", 2, "--nodes-per-rack", 2, "--name", "own")
    arguments = ("network", "-o", "m.toml", "--gpus-per-node", 4, "--from", "slurm-yaml", "--topology", "topo2")
    assert dcsim("topology", "import", *arguments, *options).exit_code == 0
    made = load_description(tmp_path / "m.toml")
    assert (made.name, made.node.gpus, made.rack.nodes, made.fabric.leaf.nodes) == ("own", 4, 2, (4, 4, 4, 4))
    assert (made.fabric.nics, made.fabric.port, made.fabric.homes) == (2, 100, 2)


DUMP = """Switch\t65 "S-a"\t# "leaf" enhanced port 0 lid 1 lmc 0
[1]\t"H-1"[1](1) \t# "n1 mlx5_0" lid 2 4xNDR
[2]\t"H-2"[1](2) \t# "n2 HCA-1" lid 3 4xNDR
[3]\t"H-3"[1](3) \t# "MT4129 ConnectX7   Mellanox Technologies" lid 4 4xNDR
"""
KUEUE = "apiVersion: kueue.x-k8s.io/v1beta1\nkind: Topology\nmetadata: {name: t}\nspec: {levels: [{nodeLabel: rack}]}\n"
NODES = (
    '{"apiVersion": "v1", "kind": "List", "items": ['
    '{"kind": "Node", "metadata": {"name": "n1", "labels": {"rack": "r1"}}},'
    '{"kind": "Node", "metadata": {"name": "n2", "labels": {"rack": "r2"}}}]}'
)


def test_import_a_fabric(dcsim, tmp_path):
    """What ibnetdiscover prints is read by its content, whatever it is called; what is left out is said."""
    (tmp_path / "fabric").write_text(DUMP)
    done = dcsim("topology", "import", "fabric", "-o", "f.toml", "--gpus-per-node", 4)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "f.toml: 1 leaf, 2 nodes, 8 GPUs from fabric; 3 values are assumed and marked so.",
        "Left out: 1 adapter without the name of a host ('MT4129 ConnectX7 Mellanox Technologies').",
        "Next: dcsim topology show f.toml",
    ]
    done = dcsim("topology", "import", "fabric", "-o", "g.toml", "--gpus-per-node", 4, "--nodes", "n[2-2]")
    assert "1 leaf, 1 node, 4 GPUs" in done.stdout
    assert "Left out: 1 host (n1): --nodes does not name them." in done.stdout


def test_import_kueue(dcsim, tmp_path):
    """A Topology of Kueue is read with the nodes beside it; alone it is one line that says what else to give."""
    (tmp_path / "t.yaml").write_text(KUEUE)
    (tmp_path / "n.json").write_text(NODES)
    done = dcsim("topology", "import", "t.yaml", "n.json", "-o", "k.toml", "--gpus-per-node", 8)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("k.toml: 2 leaves, 2 nodes, 16 GPUs from t.yaml and n.json; ")
    assert "# Imported from t.yaml and n.json: " in (tmp_path / "k.toml").read_text()
    done = dcsim("topology", "import", "t.yaml", "-o", "l.toml", "--gpus-per-node", 8)
    assert done.exit_code == 2
    assert done.stderr.startswith("t.yaml: found a Topology, which names only labels of nodes (rack); give beside it ")


@pytest.mark.parametrize("form", ["g.json", "g.graphml"])
@pytest.mark.parametrize("expand", [(), ("--expand",)])
def test_import_a_graph(dcsim, tmp_path, form, expand):
    """The graph that build writes gives a topology of which build writes the same graph again."""
    assert dcsim("topology", "build", "gb300-nvl72", "--gpus", 144, "-o", form, *expand).exit_code == 0
    done = dcsim("topology", "import", form, "-o", "back.toml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "Next: dcsim topology show back.toml --gpus 144"
    again = form.replace("g.", "again.")
    assert dcsim("topology", "build", "./back.toml", "--gpus", 144, "-o", again, *expand).exit_code == 0
    assert (tmp_path / again).read_bytes() == (tmp_path / form).read_bytes()
    done = dcsim("topology", "import", form, "-o", "named.toml", "--name", "other", "--gpus-per-node", 4)
    assert load_description(tmp_path / "named.toml").name == "other"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fabric",), "Missing option '--gpus-per-node'"),
        (
            ("fabric", "n.json", "--gpus-per-node", 8),
            "several files must all be objects of Kubernetes; fabric is ibnet",
        ),
        (
            ("fabric", "--gpus-per-node", 8, "--nodes", "n[3-4]"),
            "fabric: --nodes: found n3, n4, of which no adapter is",
        ),
        (("fabric", "--gpus-per-node", 8, "--nodes", "n[3-"), "found n[3-; must be a hostlist like"),
        (
            ("s.conf", "--gpus-per-node", 8, "--nodes", "n1"),
            "only ibnetdiscover and Kubernetes also list hosts without",
        ),
        (("g.json", "--gpus-per-node", 4), "found 4; g.json says 8"),
        (("g.json", "--nics", 8), "g.json is a graph of dcsim, which says it itself; leave it out"),
        (("fabrik", "--gpus-per-node", 8), 'No such file or directory; did you mean "fabric"?'),
        (("hgx-h100", "--gpus-per-node", 8), "a topology of this name comes with dcsim: dcsim topology show hgx-h100"),
        (
            ("fabric", "--gpus-per-node", 8, "--from", "slurm"),
            'graph; did you mean "slurm-conf" or "slurm-yaml"?',
        ),
        (("l.json", "--gpus-per-node", 4), "l.json: found a graph that dcsim topology build did not write"),
    ],
)
def test_mistakes(dcsim, tmp_path, arguments, says):
    """Each is on stderr, with exit code 2, and nothing is written."""
    (tmp_path / "fabric").write_text(DUMP)
    (tmp_path / "n.json").write_text(NODES)
    (tmp_path / "s.conf").write_text("SwitchName=a Nodes=n1\n")
    (tmp_path / "l.json").write_text('{"nodes": [{"id": 1}], "edges": []}')
    assert dcsim("topology", "build", "hgx-h100", "--gpus", 8, "-o", "g.json").exit_code == 0
    done = dcsim("topology", "import", *arguments, "-o", "x.toml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (tmp_path / "x.toml").exists()
