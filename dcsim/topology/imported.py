"""A tree of switches that another program describes, written as a topology file of dcsim.

Leaves become segments, the switches right above leaves spines of one pod each, what is above those cores. What such a
tree does not say gets an assumed value, marked ``# assumed`` in the file, to be replaced by its reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.fabric.keys import MOST_PARTS
from dcsim.textfile import MOST_BYTES
from dcsim.topology.description import MAX_GPUS, TopologyError
from dcsim.topology.lingjun import COLUMNS, read_lingjun
from dcsim.topology.slurm import LeafSwitch, SwitchTree, read_topology_conf, read_topology_yaml

KINDS = ("slurm-conf", "slurm-yaml", "lingjun")
"""What can be read."""
PORT = "400 Gb/s"
"""Data rate of a NIC where none is given; source: assumed, NDR InfiniBand and 400 Gb/s Ethernet."""
NODES_PER_RACK = 4
"""Nodes of a rack where nothing is given; source: assumed, as hgx-h100."""
LINE = 120


@dataclass(frozen=True)
class _Pod:
    """The leaves below one switch; ``spine`` is "" where nothing is above them."""

    spine: str
    leaves: tuple[LeafSwitch, ...]

    @property
    def most_nodes(self) -> int:
        return max(len(leaf.nodes) for leaf in self.leaves)


def kind_of(name: str, text: str) -> str | None:
    """Guess what describes a network, by its content, else by the name of its file; None where neither tells."""
    if re.search(r"^\s*(SwitchName|BlockName|BlockSizes)\s*=", text, re.MULTILINE | re.IGNORECASE):
        return "slurm-conf"
    if re.search(r"^\s*-\s+['\"]?(topology|cluster_default)\b", text, re.MULTILINE):
        return "slurm-yaml"
    if set(COLUMNS) <= {column.strip() for column in text.partition("\n")[0].split(",")}:
        return "lingjun"
    endings = {"conf": "slurm-conf", "yaml": "slurm-yaml", "yml": "slurm-yaml", "csv": "lingjun"}
    return endings.get(name.lower().rpartition(".")[2])


def read_tree(text: str, kind: str, topology: str | None = None) -> SwitchTree:
    """Read a text of one of the ``KINDS``; ``topology`` names one of several in a topology.yaml."""
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
    leaves = [leaf for pod in pods for leaf in pod.leaves]
    nodes = sum(len(leaf.nodes) for leaf in leaves)
    ports = nics or gpus_per_node
    uplinks = max(pod.most_nodes for pod in pods) * ports
    if nodes * gpus_per_node > MAX_GPUS:
        raise TopologyError([f"found {nodes:,} nodes of {gpus_per_node:,} GPUs; at most {MAX_GPUS:,} GPUs are allowed"])
    if uplinks > MOST_PARTS:
        raise TopologyError([f"found {uplinks:,} ports of NICs under one leaf; at most {MOST_PARTS:,} are allowed"])
    origin = " ".join(_legal(source).split()) or tree.name
    counted = f"{_many(len(leaves), 'leaf switch', 'leaf switches')}, {_many(nodes, 'node', 'nodes')}"
    levels = max(len(leaf.above) for leaf in leaves)
    head = [
        f"# Imported from {origin}: {counted}, {_many(levels, 'level', 'levels')} of switches above the leaves.",
        "# What the file does not say is marked assumed: replace it by what you know.",
        f"name = {_text(name)}",
        f"description = {_text(f'Imported from {origin[:80]}: {counted}')}",
        "",
        "[node]",
        f"gpus = {gpus_per_node}",
        "",
        "[rack]",
        _key("nodes", nodes_per_rack, NODES_PER_RACK, "the file names no racks"),
        "",
        "[nvlink]",
        'domain = "node"  # assumed; "rack" where NVLink joins the GPUs of a whole rack',
        "",
        "[fabric]",
        _key("nics", nics, gpus_per_node, "one NIC per GPU"),
        _key("port", port, PORT, "data rate of one NIC"),
        _key("homes", homes, 1, "each NIC on one leaf; 2 makes every named leaf switch a pair"),
        "",
        "[fabric.leaf]",
        *_list("nodes", [len(leaf.nodes) for leaf in leaves], "nodes of each leaf, in the order listed below"),
    ]
    if len(leaves) > 1 or pods[0].spine:
        head += _upper(pods, uplinks, homes or 1, bool(tree.blocks))
    hosts = _hosts(pods, gpus_per_node)
    for table in (hosts, _ends(hosts)):
        text = "\n".join([*head, "", *table]) + "\n"
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise TopologyError([f"found {counted}: more than a topology file of {MOST_BYTES:,} bytes can list"])


def _pods(tree: SwitchTree) -> list[_Pod]:
    """Group leaves by the switch right above them, in the order in which each is first seen."""
    found: dict[str, list[LeafSwitch]] = {}
    for leaf in tree.leaves:
        found.setdefault(leaf.above[0] if leaf.above else "", []).append(leaf)
    return [_Pod(spine, tuple(leaves)) for spine, leaves in found.items()]


def _upper(pods: Sequence[_Pod], uplinks: int, homes: int, blocks: bool) -> list[str]:
    """Write the tiers above the leaves."""
    lines = [f"uplinks = {uplinks}  # assumed: one for every port of a NIC under the largest leaf, so 1:1"]
    named = [pod.spine for pod in pods if pod.spine]
    count = "assumed: one above each of these leaves; where the file lists several, its first counts"
    if not named:
        what = "blocks" if blocks else "leaves"
        count = f"assumed: the file says nothing of what joins the {what}"
    elif len(named) < len(pods):
        count = "assumed: one; of some leaves the file does not say what is above them"
    most = max(len(pod.leaves) for pod in pods)
    lines += ["", "[fabric.spine]", f"count = 1  # {count}"]
    lines += _list("segments", [len(pod.leaves) for pod in pods], "leaves of each pod")
    if len(pods) == 1:
        return lines
    up = min(most * uplinks * homes, MOST_PARTS)
    tops = list(dict.fromkeys(pod.leaves[0].above[-1] for pod in pods if len(pod.leaves[0].above) > 1))
    joined = len(tops) == 1 and all(leaf.above[1:] or leaf.above == (tops[0],) for pod in pods for leaf in pod.leaves)
    deeper = max(len(leaf.above) for pod in pods for leaf in pod.leaves) > 2
    if joined and not deeper:
        said = f"assumed: with these ports one core, {_legal(tops[0])}, joins all pods"
    elif joined:
        said = f"assumed: one core for all the levels above the pods, up to {_legal(tops[0])}"
    else:
        said = "assumed: one core, though the file does not say what joins all of the pods"
    ports = min(len(pods) * up, MOST_PARTS)
    lines.append(f"uplinks = {up}  # assumed: as many as the leaves of the largest pod have, so 1:1")
    return [*lines, "", "[fabric.core]", f"ports = {ports}  # {said}"]


def _hosts(pods: Sequence[_Pod], gpus: int) -> list[str]:
    """Say which host is which node and which GPUs."""
    lines = ["# Who is who, nodes and GPUs counted from 0: segment, nodes, GPUs, leaf switch, hosts in this order."]
    segment = node = 0
    for number, pod in enumerate(pods):
        if len(pods) > 1:
            lines.append(f"# pod/{number}: {_legal(pod.spine) or '(nothing above)'}")
        for leaf in pod.leaves:
            end = node + len(leaf.nodes)
            where = f"nodes {_range(node, end)}, GPUs {_range(node * gpus, end * gpus)}"
            lines.append(f"# segment/{segment}: {where}, {_legal(leaf.name)}: {_folded(leaf.nodes)}")
            segment, node = segment + 1, end
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


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
