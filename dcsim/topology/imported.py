"""A tree of switches that another program describes, written as a topology file of dcsim.

Leaves become segments, the switches right above leaves spines of one pod each, what is above those cores. Leaves with
the same nodes are the rails of one segment. What such a tree does not say gets an assumed value, marked ``# assumed``
in the file, to be replaced by its reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from dcsim.fabric.keys import MOST_PARTS
from dcsim.textfile import MOST_BYTES
from dcsim.topology.description import MAX_GPUS, TopologyError
from dcsim.topology.foreign import from_kubernetes
from dcsim.topology.ibnetdiscover import DUMP, PORTS, read_ibnetdiscover
from dcsim.topology.levels import read_kubernetes, read_topograph
from dcsim.topology.lingjun import COLUMNS, read_lingjun
from dcsim.topology.slurm import read_topology_conf, read_topology_yaml
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree, same_nodes, several
from dcsim.wording import shown

PORT = "400 Gb/s"
"""Data rate of a NIC where none is given; source: assumed, NDR InfiniBand and 400 Gb/s Ethernet."""
NODES_PER_RACK = 4
"""Nodes of a rack where nothing is given; source: assumed, as hgx-h100."""
LINE = 120


@dataclass(frozen=True)
class _Pod:
    """The segments below the same switches, each as its leaves; ``spines`` is empty where nothing is above them."""

    spines: tuple[str, ...]
    segments: tuple[tuple[LeafSwitch, ...], ...]

    @property
    def most_nodes(self) -> int:
        return max(len(segment[0].nodes) for segment in self.segments)


def kind_of(name: str, text: str) -> str | None:
    """Guess what describes a network, by its content, else by the name of its file; None where neither tells."""
    if found := kind_by_content(text):
        return found
    endings = {"conf": "slurm-conf", "yaml": "slurm-yaml", "yml": "slurm-yaml", "csv": "lingjun"}
    return endings.get(name.lower().rpartition(".")[2])


def kind_by_content(text: str) -> str | None:
    """Return which of the ``KINDS`` the first MiB of a text shows; None where it shows none."""
    head = text[:MOST_BYTES]
    if from_kubernetes(head):
        return "kubernetes"
    if re.search(rf"{DUMP}|{PORTS}", head, re.MULTILINE):
        return "ibnetdiscover"
    if head.lstrip().startswith("<"):
        return "graph" if "<graphml" in head else None
    if re.match(r"\s*\{", head):
        keys = set(re.findall(r'"(\w{1,40})"\s*:', head))
        if {"nodes", "edges"} <= keys or {"directed", "multigraph", "graph"} <= keys:
            return "graph"
        if {"instances", "network_layers"} <= keys or {"switches", "nodes"} <= keys:
            return "topograph"
    elif re.search(r"^switches\s*:", head, re.MULTILINE) and re.search(
        r"^(nodes|blocks|capacity_blocks)\s*:|^\s+nodes\s*:", head, re.MULTILINE
    ):
        return "topograph"
    if re.search(r"^[ \t]*(SwitchName|BlockName|BlockSizes)[ \t]*=", head, re.MULTILINE | re.IGNORECASE):
        return (
            None
            if re.search(r"^(SwitchName=\S+\s+Level|BlockName=\S+\s+BlockIndex)=\d", head, re.MULTILINE)
            else "slurm-conf"
        )
    if re.search(r"^[ \t]*-[ \t]+['\"]?(topology|cluster_default)\b", head, re.MULTILINE):
        return "slurm-yaml"
    if set(COLUMNS) <= {column.strip() for column in head.partition("\n")[0].split(",")}:
        return "lingjun"
    return None


def read_tree(text: str, kind: str, topology: str | None = None, nodes: Collection[str] | None = None) -> SwitchTree:
    """Read a text of one of the ``KINDS`` but a graph.

    ``topology`` names one of several, of a topology.yaml or of Kueue; ``nodes`` the hosts to take of ibnetdiscover or
    Kubernetes.
    """
    if kind == "ibnetdiscover":
        return read_ibnetdiscover(text, nodes)
    if kind == "kubernetes":
        return read_kubernetes([text], topology, nodes)
    if kind == "topograph":
        return read_topograph(text)
    if kind == "slurm-yaml":
        return read_topology_yaml(text, topology)
    return read_lingjun(text) if kind == "lingjun" else read_topology_conf(text)


def to_toml(
    tree: SwitchTree,
    gpus_per_node: int,
    *,
    name: str,
    source: str = "",
    nics: int | None = None,
    port: str | None = None,
    homes: int | None = None,
    nodes_per_rack: int | None = None,
) -> str:
    """Return the text of a topology file that ``load_description`` reads and that builds with every node of the tree.

    Nodes are numbered leaf by leaf, the leaves of one pod side by side; comments say which host is which. ``source``
    names the file that the tree is from. Raises TopologyError if the cluster or the file would be too large.
    """
    pods = _pods(tree)
    segments = [segment for pod in pods for segment in pod.segments]
    sizes = [len(segment[0].nodes) for segment in segments]
    nodes, leaves = sum(sizes), len(segments[0])
    rails = _rails(leaves, homes)
    told = 0 if nics or tree.nics % rails else tree.nics
    ports = nics or told or -(-gpus_per_node // rails) * rails
    if ports % rails:
        each = f"the {rails} rails ({leaves} leaves above each node)"
        raise TopologyError([f"found {ports} NICs of a node (--nics); must be a multiple of {each}"])
    racks = _rack(sizes, nodes_per_rack, tree.blocks)
    leaf_ports = max(pod.most_nodes for pod in pods) * ports // rails
    if nodes * gpus_per_node > MAX_GPUS:
        raise TopologyError([f"found {nodes:,} nodes of {gpus_per_node:,} GPUs; at most {MAX_GPUS:,} GPUs are allowed"])
    if leaf_ports > MOST_PARTS:
        raise TopologyError([f"found {leaf_ports:,} ports of NICs under one leaf; at most {MOST_PARTS:,} are allowed"])
    origin = " ".join(_legal(source).split()) or tree.name
    counted = f"{several(len(tree.leaves), 'leaf switch', 'leaf switches')}, {several(nodes, 'node', 'nodes')}"
    one_each = "one NIC per GPU" if ports == gpus_per_node else "as many on every rail"
    two_homes = "; 2 makes every named leaf switch a pair" * (leaves == 1)
    what = "nodes of each leaf" if leaves == 1 else f"nodes of each segment ({leaves} leaves)"
    head = [
        *_opening(tree, origin, counted),
        f"name = {_text(name)}",
        f"description = {_text(f'Imported from {origin[:80]}: {counted}')}",
        *("", "[node]", f"gpus = {gpus_per_node}"),
        *("", "[rack]", racks),
        *("", "[nvlink]", 'domain = "node"  # assumed; "rack" where NVLink joins the GPUs of a whole rack'),
        *("", "[fabric]", _key("nics", nics or told or None, ports, one_each)),
        _key("port", port or tree.port or None, PORT, "data rate of one NIC"),
        _key("homes", homes, 1, f"each NIC on one leaf{two_homes}"),
    ]
    if rails > 1:
        head += [f"rails = {rails}  # each node is under {leaves} leaves"]
        head += ["reroute = true  # assumed: without one rail a node goes on over the others"]
    head += ["", "[fabric.leaf]", *_list("nodes", sizes, f"{what}, in the order listed below")]
    if len(segments) > 1 or pods[0].spines:
        head += _upper(tree, pods, leaf_ports, rails * (homes or 1))
    hosts = _hosts(pods, gpus_per_node)
    for table in (hosts, _ends(hosts)):
        text = "\n".join([*head, "", *table]) + "\n"
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise TopologyError([f"found {counted}: more than a topology file of {MOST_BYTES:,} bytes can list"])


def _opening(tree: SwitchTree, origin: str, counted: str) -> Iterator[str]:
    """Write the comments at the top: where the file is from, and what was left out of it."""
    levels = max(len(leaf.above) for leaf in tree.leaves)
    yield f"# Imported from {origin}: {counted}, {several(levels, 'level', 'levels')} of switches above the leaves."
    yield "# What the file does not say is marked assumed: replace it by what you know."
    if tree.empty:
        yield f"# Left out, as no nodes are below them: {', '.join(map(_legal, tree.empty))}."
    yield from (f"# {_legal(note)}" for note in tree.notes)


def _rails(leaves: int, homes: int | None) -> int:
    """Return the rails of nodes that are under so many leaves; a leaf alone may stand for all homes of its nodes."""
    if leaves == 1:
        return 1
    if leaves % (homes or 1):
        raise TopologyError([f"found {leaves} leaves above each node; must be a multiple of --homes {homes}"])
    return leaves // (homes or 1)


def _rack(sizes: Sequence[int], given: int | None, blocks: Sequence[object]) -> str:
    """Write the nodes of a rack. No rack may be part of one block and part of another."""
    if not blocks:
        return _key("nodes", given, NODES_PER_RACK, "the file names no racks")
    per = max(sizes) if given is None else given
    ends = list(accumulate(sizes, initial=0))
    starts = {min(rack, ends[-1]) for rack in range(0, ends[-1] + per, per)}
    # Every rack in whole blocks, or every block in whole racks: between two of them nothing is shared.
    whole = all(end in starts for end in ends) or all(start in ends for start in starts)
    if whole:
        return _key("nodes", given, per, "each block is one rack")
    fitting = [size for size in range(1, max(sizes) + 1) if all(end % size == 0 for end in ends[:-1])]
    *others, smallest = sorted(sizes, reverse=True)
    do = f"say --nodes-per-rack {' or '.join(map(str, fitting[-3:]))}"
    if given is None and others[0] == others[-1] > smallest:
        do += ", or list the smaller block last"
    racks = f"racks of {several(per, 'node', 'nodes')}" if given else "racks are all of one size, so some"
    found = f"{several(len(sizes), 'block', 'blocks')} of {_span(smallest, sizes)}"
    raise TopologyError([f"found {found}; {racks} would hold parts of two blocks; {do}"])


def _span(least: int, sizes: Sequence[int]) -> str:
    most = max(sizes)
    return f"{least} to {most} nodes" if least < most else several(most, "node", "nodes")


def _pods(tree: SwitchTree) -> list[_Pod]:
    """Group segments by the switches right above their leaves, in the order in which each is first seen."""
    found: dict[frozenset[str], list[tuple[LeafSwitch, ...]]] = {}
    names: dict[frozenset[str], tuple[str, ...]] = {}
    of: dict[str, frozenset[str]] = {}
    for segment in same_nodes(tree.leaves):
        spines = tuple(dict.fromkeys(spine for leaf in segment for spine in leaf.spines or leaf.above[:1]))
        key = frozenset(spines)
        for spine in spines:
            if of.setdefault(spine, key) != key:
                must = "nodes that share one of the switches above their leaves must share all of those"
                raise TopologyError([f"found {shown(spine)} above {shown(segment[0].name)} and other leaves; {must}"])
        found.setdefault(key, []).append(segment)
        names.setdefault(key, spines)
    pods = [_Pod(names[key], tuple(segments)) for key, segments in found.items()]
    counts = {len(pod.spines): pod.segments[0][0].name for pod in pods if pod.spines}
    if len(counts) > 1 and not any(leaf.spines for leaf in tree.leaves):
        (few, one), *_, (many, other) = sorted(counts.items())
        told = f"{several(few, 'switch', 'switches')} right above {shown(one)} and the other leaves of its nodes"
        must = "must be the same number in every pod"
        raise TopologyError([f"found {told}, but {many} above those of {shown(other)}; {must}"])
    return pods


def _upper(tree: SwitchTree, pods: Sequence[_Pod], uplinks: int, leaves: int) -> list[str]:
    """Write the tiers above the leaves, of which a segment has so many; ``uplinks``: of a leaf, where nobody tells."""
    named = [pod.spines for pod in pods if pod.spines]
    spines = max(map(len, named), default=1)
    why = "assumed: one for every port of a NIC under the largest leaf, so 1:1"
    if tree.uplinks:
        uplinks, why = tree.uplinks, "of most leaves"
        why += f", which have {uplinks}; made the same to each of the {spines} spines" if uplinks % spines else ""
    uplinks = -(-uplinks // spines) * spines
    lines = [f"uplinks = {uplinks}  # {why}"]
    count = "assumed: one above each of these leaves; where the file lists several, its first counts"
    if tree.uplinks:
        count = "as in the file" if len(set(map(len, named))) == 1 else "of the pod with most of them; pods differ"
    elif spines > 1:
        count = "assumed: each leaf has uplinks to all of these switches, though the file puts each leaf below one"
    elif not named:
        what = "blocks" if tree.blocks else "leaves"
        count = f"assumed: the file says nothing of what joins the {what}"
    elif len(named) < len(pods):
        count = "assumed: one; of some leaves the file does not say what is above them"
    most = max(len(pod.segments) for pod in pods)
    lines += ["", "[fabric.spine]", f"count = {spines}  # {count}"]
    lines += _list(
        "segments", [len(pod.segments) for pod in pods], f"{'leaves' if leaves == 1 else 'segments'} of each pod"
    )
    if len(pods) == 1:
        return lines
    up, why = (
        min(most * uplinks * leaves // spines, MOST_PARTS),
        "assumed: as many as the leaves of the largest pod have",
    )
    up, why = (tree.spine_uplinks, "of most spines") if tree.cores else (up, f"{why}, so 1:1")
    ports = min(len(pods) * up * spines, MOST_PARTS)
    lines.append(f"uplinks = {up}  # {why}")
    if tree.cores:
        ports, said = (
            -(-ports // tree.cores),
            f"assumed: so that there are {several(tree.cores, 'core')}, as in the file",
        )
        return [*lines, "", "[fabric.core]", f"ports = {ports}  # {said}"]
    all_above = [leaf.above for pod in pods for segment in pod.segments for leaf in segment]
    tops = list(dict.fromkeys(above[-1] for above in all_above if len(above) > 1))
    joined = len(tops) == 1 and all(above[1:] or above == (tops[0],) for above in all_above)
    deeper = max(map(len, all_above)) > 2
    if joined and not deeper:
        said = f"assumed: with these ports one core, {_legal(tops[0])}, joins all pods"
    elif joined:
        said = f"assumed: one core for all the levels above the pods, up to {_legal(tops[0])}"
    else:
        said = "assumed: one core, though the file does not say what joins all of the pods"
    return [*lines, "", "[fabric.core]", f"ports = {ports}  # {said}"]


def _hosts(pods: Sequence[_Pod], gpus: int) -> list[str]:
    """Say which host is which node and which GPUs."""
    lines = ["# Who is who, nodes and GPUs counted from 0: segment, nodes, GPUs, leaf switch, hosts in this order."]
    number = node = 0
    for place, pod in enumerate(pods):
        if len(pods) > 1:
            lines.append(f"# pod/{place}: {', '.join(map(_legal, pod.spines)) or '(nothing above)'}")
        for segment in pod.segments:
            hosts = segment[0].nodes
            end = node + len(hosts)
            where = f"nodes {_range(node, end)}, GPUs {_range(node * gpus, end * gpus)}"
            switches = [_legal(leaf.name) for leaf in segment]
            if len(switches) > 1:
                switches = [f"leaf/{leaf} {name}" for leaf, name in enumerate(switches)]
            lines.append(f"# segment/{number}: {where}, {', '.join(switches)}: {_folded(hosts)}")
            number, node = number + 1, end
    return lines


def _ends(hosts: Sequence[str]) -> list[str]:
    """Keep of every line what is before the hosts, and the first and last of them."""
    lines = [
        "# Who is who, nodes and GPUs counted from 0; only the first and last host of each leaf, there are so many."
    ]
    for line in hosts[1:]:
        before, _, names = line.rpartition(": ")
        each = names.split(",")
        lines.append(line if len(each) < 3 or "[" in names else f"{before}: {each[0]} ... {each[-1]}")
    return lines


def _folded(hosts: Sequence[str]) -> str:
    """Write hosts as Slurm's hostlist where that keeps their order, else one by one."""
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    plain = ",".join(map(_legal, hosts))
    if not re.fullmatch(r"[A-Za-z0-9_.,-]*", plain):  # a name with brackets would stand for others
        return plain
    try:
        folded = NodeSet(plain, resolver=RESOLVER_NOGROUP)
        return str(folded) if tuple(folded) == tuple(hosts) else plain
    except NodeSetException:
        return plain


def _list(key: str, values: Sequence[int], what: str) -> list[str]:
    """Write a list of numbers on as many lines as it needs."""
    plain = f"{key} = [{', '.join(map(str, values))}]  # {what}"
    if len(plain) <= LINE:
        return [plain]
    lines, row = [f"{key} = [  # {what}"], "   "
    for value in values:
        if len(row) + len(f" {value},") > LINE:
            lines, row = [*lines, row], "   "
        row += f" {value},"
    return [*lines, row, "]"]


def _key(key: str, given: int | str | None, otherwise: int | str, why: str) -> str:
    """Write one key, marked where nobody gave it."""
    value, mark = (otherwise, f"  # assumed: {why}") if given is None else (given, "")
    return f"{key} = {_text(value) if isinstance(value, str) else value}{mark}"


def _text(value: str) -> str:
    return json.dumps(_legal(value), ensure_ascii=False)


def _legal(text: str) -> str:
    """Leave out what a comment and a string of TOML cannot hold."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _range(first: int, end: int) -> str:
    return f"{first}-{end - 1}" if end - first > 1 else str(first)
