"""Networks told as levels, by Kubernetes, Kueue and topograph: nodes come under the switches that their labels name."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.topology import TopologyError
from dcsim.topology.imported import kind_of, to_toml
from dcsim.topology.levels import read_kubernetes, read_topograph
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree

KUEUE = """
apiVersion: kueue.x-k8s.io/v1beta1
kind: Topology
metadata: {name: default}
spec:
  levels:
  - nodeLabel: example.org/block
  - nodeLabel: example.org/rack
  - nodeLabel: kubernetes.io/hostname
"""


def node(name: str, gpus: int | None = None, **labels: str) -> dict[str, Any]:
    """Return a node of Kubernetes; "__" in the name of a label stands for "/", "_" for "-"."""
    told = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": told}}
    return made | ({} if gpus is None else {"status": {"capacity": {"nvidia.com/gpu": str(gpus)}}})


def items(*nodes: dict[str, Any]) -> str:
    """Return what kubectl get nodes -o json prints."""
    return json.dumps({"apiVersion": "v1", "items": list(nodes), "kind": "List"})


def labelled(prefix: str, *rows: str) -> str:
    """Return nodes by rows such as "n1 leaf=a spine=s"."""
    made = []
    for row in rows:
        name, *pairs = row.split()
        labels = dict(pair.split("=") for pair in pairs)
        made.append(node(name) | {"metadata": {"name": name, "labels": {prefix + k: v for k, v in labels.items()}}})
    return items(*made)


def problems(*texts: str, **options: Any) -> list[str]:
    """Return what is wrong with texts."""
    with pytest.raises(TopologyError) as caught:
        read_kubernetes(texts, **options)
    return caught.value.problems


RACKS = labelled(
    "example.org/", "n10 block=b1 rack=r1", "n2 block=b1 rack=r1", "m1 block=b1 rack=r2", "k1 block=b2 rack=r1"
)


def test_kueue_beside_its_nodes() -> None:
    """Labels of a Topology are switches, the last but the host's is the leaf; a rack is named within its block."""
    leaves = (
        LeafSwitch("b1/r1", ("b1",), ("n2", "n10")),
        LeafSwitch("r2", ("b1",), ("m1",)),
        LeafSwitch("b2/r1", ("b2",), ("k1",)),
    )
    assert read_kubernetes([KUEUE, RACKS]) == read_kubernetes([RACKS, KUEUE]) == SwitchTree("kubernetes", leaves)
    both = json.dumps({**json.loads(RACKS), "items": [*json.loads(RACKS)["items"], topology("t", "example.org/block")]})
    assert [leaf.name for leaf in read_kubernetes([both]).leaves] == ["b1", "b2"]
    in_yaml = (
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n  labels: {example.org/block: b1, example.org/rack: 7}"
    )
    [leaf] = read_kubernetes([f"{KUEUE}---\n{in_yaml}\n"]).leaves
    assert leaf == LeafSwitch("7", ("b1",), ("n1",))


def topology(name: str, *labels: str) -> dict[str, Any]:
    """Return a Topology of Kueue."""
    levels = [{"nodeLabel": label} for label in labels]
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Topology",
        "metadata": {"name": name},
        "spec": {"levels": levels},
    }


@pytest.mark.parametrize(
    ("prefix", "low", "high"),
    [
        ("network.topology.nvidia.com/", "leaf", "spine"),
        ("network.topology.nvidia.com/", "block", "spine"),
        ("fabric.topograph.run/", "tier-0", "tier-1"),
        ("topology.k8s.aws/", "network-node-layer-3", "network-node-layer-2"),
        ("cloud.google.com/", "gce-topology-subblock", "gce-topology-block"),
    ],
)
def test_labels_that_are_known(prefix: str, low: str, high: str) -> None:
    """Labels of topograph and of clouds need no Topology beside them."""
    text = labelled(prefix, f"n1 {low}=a {high}=s", f"n2 {low}=b {high}=s")
    assert read_kubernetes([text]).leaves == (LeafSwitch("a", ("s",), ("n1",)), LeafSwitch("b", ("s",), ("n2",)))


def test_tiers_in_order() -> None:
    """Tier 10 is above tier 9, and tier 0 is the leaf."""
    text = labelled("fabric.topograph.run/", "n1 tier-0=a tier-9=b tier-10=c", "n2 tier-0=d tier-9=e tier-10=c")
    assert read_kubernetes([text]).leaves[0] == LeafSwitch("a", ("b", "c"), ("n1",))


def test_nvlink_domains() -> None:
    """Domains alone are blocks, as Slurm's; beside switches they are told, with what makes racks of them."""
    rows = [f"n{number} accelerator=d{number // 2}" for number in range(4)]
    tree = read_kubernetes([labelled("network.topology.nvidia.com/", *rows)])
    assert tree.blocks == (("d0", ("n0", "n1")), ("d1", ("n2", "n3")))
    tree = read_kubernetes([labelled("network.topology.nvidia.com/", *(f"{row} leaf=l" for row in rows))])
    assert tree.blocks == ()
    assert tree.notes == (
        "Nodes also name 2 NVLink domains of 2 nodes (network.topology.nvidia.com/accelerator): where each is a rack, "
        'say --nodes-per-rack 2 and set domain = "rack".',
    )


def test_who_is_left_out() -> None:
    """Nodes without GPUs, where any says that it has some, and nodes without a label are left out and named."""
    leaf = {"network.topology.nvidia.com__leaf": "a"}
    text = items(node("n1", 8, **leaf), node("n2", 8), node("cpu", 0, **leaf), node("login", **leaf))
    tree = read_kubernetes([text])
    assert [leaf.nodes for leaf in tree.leaves] == [("n1",)]
    assert tree.notes == (
        "Left out: 2 nodes (cpu, login): they have no GPUs.",
        "Left out: 1 node (n2): they lack a label (network.topology.nvidia.com/leaf).",
    )
    tree = read_kubernetes([text], nodes=("login", "n1"))
    assert [leaf.nodes for leaf in tree.leaves] == [("login", "n1")]
    assert tree.notes == ("Left out: 2 nodes (cpu, n2): --nodes does not name them.",)


def test_a_config_map() -> None:
    """The topology.conf that topograph puts into a ConfigMap is read as the file would be."""
    text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  topology.conf: |\n    SwitchName=s Nodes=n[1-2]\n"
    assert kind_of("x", text) == "kubernetes"
    assert read_kubernetes([text]).leaves == (LeafSwitch("s", (), ("n1", "n2")),)


def test_a_topology_alone() -> None:
    """It names labels, no nodes: one line says so, and what to give beside it."""
    assert problems(KUEUE) == [
        "found a Topology, which names only labels of nodes (example.org/block, example.org/rack); give beside it "
        "the nodes that have them: kubectl get nodes -o json > nodes.json"
    ]


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (
            (items(node("n1")),),
            "found no label of a switch that is known; must have those of topograph or of a cloud; else",
        ),
        (
            (KUEUE, items(node("n1"))),
            "found no node with all of the labels example.org/block, example.org/rack; none has ",
        ),
        (
            (KUEUE, labelled("example.org/", "n1 block=b racks=r")),
            'none has example.org/rack; did you mean "example.org/racks"?',
        ),
        ((items(topology("a", "x"), topology("b", "y")),), "found 2 Topology objects; say which: --topology a, b"),
        ((items(topology("a", "kubernetes.io/hostname")),), "spec.levels: found only kubernetes.io/hostname"),
        ((items(topology("a")),), "spec.levels: must be a list of tables with a nodeLabel each"),
        ((items({"kind": "Node", "metadata": {}}),), "node 0: missing metadata.name"),
        ((items(node("n1"), 3),), "items.1: found 3; must be a table"),
        (("[1]",), "found a list; must be an object of Kubernetes, with its kind"),
        (('{"kind": "Node", "a": ' + "[" * 100_000,), "found no JSON: nested too deeply"),
        (('{"kind": "Pod"}',), "found no Node; must be what kubectl get nodes -o json prints"),
        (("kind: ConfigMap",), "found a ConfigMap without topology.conf and topology.yaml"),
    ],
)
def test_mistakes(texts: tuple[str, ...], line: str) -> None:
    """Each is one line."""
    [found] = problems(*texts)
    assert line in found


def test_wrong_names() -> None:
    """A Topology and nodes that are asked for must be there."""
    two = items(topology("alpha", "x"), topology("beta", "y"))
    assert problems(two, topology="bet") == ["found no Topology 'bet'; allowed: alpha, beta; did you mean \"beta\"?"]
    assert problems(RACKS, nodes=("n2", "zz")) == ["--nodes: found zz, which the file does not have"]


# --- topograph ----------------------------------------------------------------------------------------------------

TREE = (LeafSwitch("S2", ("S1",), ("I21", "I22", "I25")), LeafSwitch("S3", ("S1",), ("I34",)))
MODELS = {
    "nodes of switches": "switches:\n  S1:\n    switches: [S2, S3]\n  S2:\n    nodes: [I21, I22, I25]\n"
    "  S3:\n    nodes: [I34]\nnodes:\n  I21: {type: H100}\n",
    "blocks with a switch": "switches:\n  S1: {switches: [S2, S3]}\n  S2:\n  S3: {}\nblocks:\n- switch: S2\n"
    "  nodes: ['I[21-22]', I25]\n- {switch: S3, nodes: [I34]}\n",
    "capacity blocks": "switches:\n- name: S1\n  switches: [S2,S3]\n- {name: S2, capacity_blocks: [c1, c2]}\n"
    "- {name: S3, capacity_blocks: [c3]}\ncapacity_blocks:\n- {name: c1, nodes: ['I[21-22]']}\n"
    "- {name: c2, nodes: [I25]}\n- {name: c3, nodes: [I34]}\n",
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_models(model: str) -> None:
    """A model of a cluster, in the forms of three versions."""
    assert kind_of("x.yaml", model) == "topograph"
    assert read_topograph(model) == SwitchTree("topograph", TREE)


def test_instances() -> None:
    """Instances name their switches, the nearest first."""
    rows = [("I34", ["S3", "S1"]), ("I22", ["S2", "S1"]), ("I21", ["S2", "S1"]), ("I25", ["S2", "S1"])]
    text = json.dumps({"instances": [{"id": name, "network_layers": layers} for name, layers in rows]})
    assert kind_of("x", text) == "topograph"
    assert read_topograph(text) == SwitchTree("topograph", TREE)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"instances": [{"id": "a"}]}', "instances.0.network_layers: must be a list of switches, the nearest first"),
        ('{"instances": [{}]}', "instances.0: missing id, its name"),
        ('{"instances": []}', "found no nodes below any switch; must have at least one leaf"),
        ("switches: 3\nnodes: {}", "switches: found 3; must be a table or a list"),
        ("switches:\n- {nodes: [a]}", "switches.0: missing name, its name"),
        ("switches: {a: {switches: [b]}}", "switches.a.switches: found 'b'; no such switch"),
        ("switches: {a: {switches: [b]}, b: {switches: [a]}}", "switches.a: found a loop: 'a' below 'b' below 'a'"),
        ("switches: {a: {nodes: ['n[1-']}}", "switches.a.nodes: found 'n[1-'; must be a hostlist"),
        ("- 1", "found a list; must be a table"),
    ],
)
def test_mistakes_of_topograph(text: str, line: str) -> None:
    """Each is one line with its place."""
    with pytest.raises(TopologyError) as caught:
        read_topograph(text)
    [found] = caught.value.problems
    assert found.startswith(line)


REST = "ConfigMap data topology.conf instances network_layers id status capacity nvidia.com/gpu nvidia.com/gpu.clique"
SAID = (KUEUE, RACKS, *MODELS.values(), REST)
WORDS = st.sampled_from(sorted({word for text in SAID for word in re.findall(r"[\w./-]+", text)}))
ANYTHING = st.recursive(
    WORDS | st.none() | st.integers(-3, 9) | st.text(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=25,
)


@given(ANYTHING)
def test_anything(value: Any) -> None:
    """Whatever stands where gives a topology or lines that say why not."""
    for read in (lambda text: read_kubernetes([text]), read_topograph):
        with suppress(TopologyError):
            to_toml(read(json.dumps(value)), 8, name="x")
