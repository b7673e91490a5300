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
