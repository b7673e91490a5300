"""Files that are no network description are recognised, and named as what they are."""

import pytest

from dcsim.topology.foreign import foreign
from dcsim.topology.imported import kind_by_content, kind_of

# Made by hand after the formats of the tools; each is the start of what one of them prints or reads.
IBNETDISCOVER = """#
# Topology file: generated on a day
vendid=0x2c9
sysimgguid=0x1
Switch\t64 "S-0001"\t\t# "leaf1" enhanced port 0 lid 1
[1]\t"H-0002"[1](3)\t\t# "node1 HCA-1" lid 2 4xNDR
"""
NODES = """apiVersion: v1
items:
- apiVersion: v1
  kind: Node
  metadata:
    labels:
      network.topology.nvidia.com/leaf: s1
    ownerReferences:
    - kind: Machine
- apiVersion: v1
  kind: Node
kind: List
"""
CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
data:
  topology.conf: |
    SwitchName=s1 Nodes=n[0-3]
"""


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x", "CA: n1 mlx5_0:\n   0x2   2   1[ ] ==( 4X ...\n", "a link list of iblinkinfo"),
        ("x", "Switch: 0x0002 leaf1:\n", "a link list of iblinkinfo"),
        ("x.lst", "{ CA Ports:02 SystemGUID:01 } { SW Ports:40 }\n", "a list of links of ibdiagnet or OpenSM"),
        ("x", "SwitchName=s0 Level=0 LinkSpeed=1 Nodes=a[0-3]\n", "what scontrol show topology prints; "),
        ("x", "BlockName=b0 BlockIndex=0 Nodes=a[0-3] BlockSize=4\n", "what scontrol show topology prints; "),
        ("slurm.conf", "# cluster\nClusterName=c\nNodeName=a[0-3] CPUs=8\n", "a slurm.conf; import the topology.conf"),
        ("k", "NAME    STATUS   ROLES    AGE   VERSION\nn1  Ready  <none>  1d  v1.31\n", "a list of nodes that kub"),
        ("x", "n1 network.topology.nvidia.com/leaf=s1,network.topology.nvidia.com/spine=t\n", "node labels that topog"),
        ("t.yaml", "http:\n  port: 1\nprovider: aws\nengine: slurm\n", "a configuration of topograph; "),
        ("t.json", '{"provider": {"name": "test"}, "engine": {"name": "slurm"}}', "a request to topograph; "),
        ("g.xml", '<?xml version="1.0"?>\n<system version="1"/>', "an XML or HTML file"),
        ("g.dot", "digraph fabric {\n a -> b\n}", "a graph of Graphviz (DOT)"),
        ("g.json", '{"nodes": [], "links": []}', "a graph in JSON with its edges under links"),
        ("k.yml", "kind: Pod\napiVersion: v1\n", "a Kubernetes Pod (v1); give the nodes with their labels: kubectl"),
        ("k.yml", "kind: ConfigMap\napiVersion: v1\n", "a Kubernetes ConfigMap (v1)"),
        ("k", '{"apiVersion":"v1","items":[{"kind":"Pod"}],"kind":"List"}', "a Kubernetes List of Pod objects; give"),
        ("g.json", "[1, 2]", "a JSON file"),
        ("m.txt", "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV18\t0\n", "the matrix that nvidia-smi topo prints"),
        ("s.toml", 'title = "x"\n[cluster]\ngpus = 8\n[[jobs]]\n', "a scenario of dcsim; "),
        ("t.toml", "[node]\ngpus = 8\n[rack]\nnodes = 4\n[nvlink]\n", "a topology file of dcsim already; "),
        ("o.toml", "a = 1\n", "a TOML file"),
        ("x.csv", "host,rack,row\nn1,1,1\n", "a table of other columns (host, rack, row)"),
        ("x.tsv", "host\track\n", "a table of other columns (host, rack)"),
        ("x.csv", "a,b,c,d,e\n", "a table of other columns (a, b, c, d, ...)"),
    ],
)  # fmt: skip
def test_what_a_file_is(name: str, text: str, says: str) -> None:
    """The content says what a file is, whatever it is called."""
    found = foreign(name, text)
    assert (kind_by_content(text), found is None) == (None, False)
    assert found.startswith(says)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (IBNETDISCOVER, "ibnetdiscover"),
        ('Switch\t65 "S-01"\t\t# "leaf"\n', "ibnetdiscover"),
        ('Ca\t1 "H-01"\t\t# "n1 mlx5_0"\n', "ibnetdiscover"),
        ("CA    2  1 0x0002c903 4x NDR - SW 1 3 0x0002c902 ( 'n1' - 'leaf' )\n", "ibnetdiscover"),
        ("apiVersion: kueue.x-k8s.io/v1beta1\nkind: Topology\n", "kubernetes"),
        ("---\nkind: Node\napiVersion: v1\nmetadata: {name: n1}\n", "kubernetes"),
        ('{"kind": "Node", "apiVersion": "v1", "metadata": {}}', "kubernetes"),
        (NODES, "kubernetes"),
        ('{"apiVersion":"v1","items":[{"kind":"Node"}],"kind":"List"}', "kubernetes"),
        (CONFIG_MAP, "kubernetes"),
        ("switches:\n  s1:\n    nodes: [a]\nnodes:\n  a: {}\n", "topograph"),
        ('<?xml version="1.0"?>\n<graphml xmlns="x">\n</graphml>', "graph"),
        ("<graphml/>", "graph"),
        ('{"nodes": [], "edges": []}', "graph"),
    ],
)
def test_what_is_read_by_its_content(text: str, kind: str) -> None:
    """The content says it, whatever the file is called."""
    assert kind_of("topology.conf", text) == kind


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("topology.conf", "# Switch 65 ports\nSwitchName=s0 LinkSpeed=1 Nodes=a[0-3]\n"),
        ("topology.conf", "# block0 by topograph\nBlockName=b0 Nodes=a\nBlockSizes=1\n"),
        ("topology.yaml", "---\n- topology: kind\n  tree: {switches: [{switch: nodes, nodes: a}]}\n"),
        ("x.csv", "ip,DSW,PSW,ASW\nh1,G,P,S\n"),
        ("x.csv", "ip,DSW,PSW,ASV\n"),
        ("x.csv", ""),
        ("x", "hello\n"),
        ("x", "\n" * 200_000),
    ],
)
def test_what_can_be_read_is_left_alone(name: str, text: str) -> None:
    """A file that can be read, mistakes included, or that nothing tells about, is not called something else."""
    assert foreign(name, text) is None
    kind_of(name, text)  # 200,000 empty lines take no time
