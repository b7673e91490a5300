"""Networks told as levels: labels of Kubernetes nodes with Kueue's Topology, and what topograph writes and reads.

Kueue: https://kueue.sigs.k8s.io/docs/concepts/topology_aware_scheduling. topograph: its node labels (engine k8s), its
ConfigMap (engine slinky), its list of instances (engine graph) and its models of clusters.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dcsim.hostlist import natural
from dcsim.problems import located, wrong
from dcsim.textfile import MOST_BYTES
from dcsim.topology.description import TopologyError
from dcsim.topology.slurm import (
    Entry,
    Hostlist,
    block_tree_of,
    documents,
    read_topology_conf,
    read_topology_yaml,
    switch_tree_of,
)
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree, listed, several
from dcsim.wording import did_you_mean, shown

HOSTNAME = "kubernetes.io/hostname"
"""The label that tells one node from all others: no switch."""
FAMILIES = (
    ("network.topology.nvidia.com/core", "network.topology.nvidia.com/spine", "network.topology.nvidia.com/leaf"),
    (
        "network.topology.nvidia.com/datacenter",
        "network.topology.nvidia.com/spine",
        "network.topology.nvidia.com/block",
    ),
    tuple(f"topology.k8s.aws/network-node-layer-{layer}" for layer in (1, 2, 3)),
    ("cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"),
)
"""Labels of switches, the highest first, by who sets them: topograph 0.2, topograph 0.1, AWS, Google."""
TIER = "fabric.topograph.run/tier-"
"""What topograph 1 puts before the number of a tier; 0 is nearest to the node."""
ACCELERATORS = (
    "accelerator.topograph.run/domain",
    "network.topology.nvidia.com/accelerator",
    "nvidia.com/gpu.clique",
)
"""Labels of NVLink domains: topograph 1, topograph 0, NVIDIA's GPU operator."""
GPUS = ("nvidia.com/gpu", "amd.com/gpu")
"""Resources of a node that are GPUs."""
_Node = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def read_kubernetes(
    texts: Sequence[str], topology: str | None = None, nodes: Collection[str] | None = None
) -> SwitchTree:
    """Read nodes with labels (``kubectl get nodes -o json``), and Kueue's Topology for which labels are switches.

    Without a Topology the labels of topograph and of clouds are known. ``topology``: which of several. ``nodes``: the
    nodes to take; None: all with these labels, and with GPUs where any node says that it has some. A ConfigMap gives
    the topology.conf or topology.yaml in it. Raises TopologyError.
    """
    objects = [each for text in texts for each in _objects(text)]
    if kept := [data for kind, each in objects if kind == "ConfigMap" for data in [_table(each, "data")]]:
        return _slurm(kept)
    told = [each for kind, each in objects if kind == "Topology"]
    levels = _levels(told, topology) if told else None
    found = _nodes(objects)
    if not found:
        if levels is None:
            raise TopologyError(["found no Node; must be what kubectl get nodes -o json prints"])
        what = f"found a Topology, which names only labels of nodes ({listed(levels)})"
        raise TopologyError(
            [f"{what}; give beside it the nodes that have them: kubectl get nodes -o json > nodes.json"]
        )
    notes: list[str] = []
    if nodes is not None:
        if missing := [node for node in nodes if node not in {name for name, _, _ in found}]:
            raise TopologyError([f"--nodes: found {listed(missing)}, which the file does not have"])
        notes += _left("--nodes does not name them", (name for name, _, _ in found if name not in nodes))
        found = [node for node in found if node[0] in nodes]
    elif any(map(_gpus, found)):
        notes += _left("they have no GPUs", (node[0] for node in found if not _gpus(node)))
        found = [node for node in found if _gpus(node)]
    labels = [labels for _, labels, _ in found]
    levels = levels or _known(labels)
    if levels:
        return _by_path("kubernetes", _paths(found, levels, notes), [*notes, *_domains(labels)])
    for label in ACCELERATORS:
        if any(label in each for each in labels):
            tree = _by_path("kubernetes", _paths(found, (label,), notes), notes)
            return SwitchTree(
                tree.name, tree.leaves, tuple((leaf.name, leaf.nodes) for leaf in tree.leaves), notes=tree.notes
            )
    must = "must have those of topograph or of a cloud; else give a Topology of Kueue beside the nodes"
    raise TopologyError([f"found no label of a switch that is known; {must}"])


def read_topograph(text: str) -> SwitchTree:
    """Read topograph's list of instances, or its model of a cluster; raises TopologyError."""
    data = next(iter(_documents(text)), None)
    if not isinstance(data, dict):
        raise TopologyError([wrong(data, "must be a table")])
    if "instances" in data:
        return _by_path("topograph", _instances(data["instances"]), [])
    blocks = {name: _names(each, "nodes") for _, name, each in _items(data, "capacity_blocks", "name")}
    hang = [
        (f"blocks.{number}", name, _names(each, "nodes")) for number, name, each in _items(data, "blocks", "switch")
    ]
    entries = []
    for where, name, table in _items(data, "switches", "name"):
        own = [
            *_names(table, "nodes"),
            *(node for one in _names(table, "capacity_blocks") for node in blocks.get(one, ())),
        ]
        own += [node for _, switch, nodes in hang if switch == name for node in nodes]
        entries.append(_entry(f"switches.{where}", name, own, _names(table, "switches")))
    if entries:
        return switch_tree_of("topograph", entries)
    found = [_entry(f"capacity_blocks.{name}", name, nodes, ()) for name, nodes in blocks.items()]
    return block_tree_of("topograph", found)


# --- Kubernetes ---------------------------------------------------------------------------------------------------


def _documents(text: str) -> list[object]:
    """Read JSON, or a YAML file that is not too large for its slow reader."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [json.loads(text)]
        except RecursionError:
            raise TopologyError(["found no JSON: nested too deeply"]) from None
        except ValueError as error:
            if len(text) > MOST_BYTES:
                raise TopologyError([f"found no JSON: {error}"]) from None
    if len(text) > MOST_BYTES:
        raise TopologyError([f"found YAML of {len(text):,} characters; at most {MOST_BYTES:,}; JSON may be larger"])
    return documents(text)


def _objects(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return every object with its kind, those of lists one by one."""
    for each in _documents(text):
        kind = each.get("kind") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(kind, str):
            raise TopologyError([wrong(each, "must be an object of Kubernetes, with its kind")])
        items = each.get("items")
        if not (kind.endswith("List") and isinstance(items, list)):
            yield kind, each
            continue
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                raise TopologyError([located(f"items.{number}", wrong(item, "must be a table"))])
            yield str(item.get("kind", kind.removesuffix("List"))), item


def _table(of: object, *path: str) -> Mapping[str, Any]:
    """Return a table at a path, an empty one where there is none."""
    for key in path:
        of = of.get(key) if isinstance(of, dict) else None
    return of if isinstance(of, dict) else {}


def _slurm(maps: Sequence[Mapping[str, Any]]) -> SwitchTree:
    for name, read in (("topology.conf", read_topology_conf), ("topology.yaml", read_topology_yaml)):
        for data in maps:
            if isinstance(text := data.get(name), str):
                return read(text)
    raise TopologyError(["found a ConfigMap without topology.conf and topology.yaml"])


def _levels(told: Sequence[Mapping[str, Any]], chosen: str | None) -> tuple[str, ...]:
    """Return the labels of switches that a Topology names, the highest first."""
    named = {str(_table(each, "metadata").get("name")): _table(each, "spec").get("levels") for each in told}
    if chosen is not None and chosen not in named:
        raise TopologyError(
            [f"found no Topology {shown(chosen)}; allowed: {listed(list(named))}{did_you_mean(chosen, named)}"]
        )
    if chosen is None and len(named) > 1:
        raise TopologyError([f"found {len(named)} Topology objects; say which: --topology {listed(list(named))}"])
    [levels] = [named[chosen]] if chosen is not None else named.values()
    labels = [_table(level).get("nodeLabel") for level in levels] if isinstance(levels, list) else []
    if not labels or not all(isinstance(label, str) for label in labels):
        raise TopologyError(["spec.levels: must be a list of tables with a nodeLabel each, the highest level first"])
    switches = tuple(str(label) for label in labels if label != HOSTNAME)
    if not switches:
        raise TopologyError(
            [f"spec.levels: found only {HOSTNAME}, which is every node itself; must name a switch or rack"]
        )
    return switches


def _nodes(objects: Iterable[tuple[str, Mapping[str, Any]]]) -> list[_Node]:
    """Return name, labels and capacity of every node, in natural order."""
    found: dict[str, _Node] = {}
    for number, each in enumerate(each for kind, each in objects if kind == "Node"):
        name = _table(each, "metadata").get("name")
        if not isinstance(name, str) or not name:
            raise TopologyError([f"node {number}: missing metadata.name"])
        found[name] = (name, _table(each, "metadata", "labels"), _table(each, "status", "capacity"))
    return [found[name] for name in sorted(found, key=natural)]


def _gpus(node: _Node) -> bool:
    return any(str(node[2].get(resource, "0")) not in ("0", "") for resource in GPUS)


def _known(labels: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the labels of switches that these nodes have, the highest first; none where no family is known."""
    there = {label for each in labels for label in each}
    tiers = [label for label in there if re.fullmatch(re.escape(TIER) + r"\d{1,3}", label)]
    if tiers:
        return tuple(sorted(tiers, key=natural, reverse=True))
    for family in FAMILIES:
        if family[-1] in there:
            return tuple(label for label in family if label in there)
    return ()


def _paths(nodes: Sequence[_Node], levels: Sequence[str], notes: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every node with the values of its labels, the highest first; adds to ``notes`` who lacks a label."""
    found, left = [], []
    for name, labels, _ in nodes:
        path = tuple(str(labels[label]) for label in levels if isinstance(labels.get(label), str | int))
        if len(path) == len(levels) and all(path):
            found.append((name, path))
        else:
            left.append(name)
    if not found:
        there = sorted({str(label) for _, labels, _ in nodes for label in labels})
        missing = [label for label in levels if label not in there] or list(levels)
        hint = did_you_mean(missing[0], there)
        raise TopologyError(
            [f"found no node with all of the labels {listed(levels)}; none has {listed(missing[:1])}{hint}"]
        )
    notes += _left(f"they lack a label ({listed(levels)})", left)
    return found


def _domains(labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what nodes tell of NVLink domains beside their switches."""
    for label in ACCELERATORS:
        sizes = Counter(str(each[label]) for each in labels if label in each)
        if sizes and max(sizes.values()) > 1:
            each = sorted(set(sizes.values()))
            nodes = f"{each[0]} nodes" if len(each) == 1 else f"{each[0]} to {each[-1]} nodes"
            do = f'where each is a rack, say --nodes-per-rack {each[-1]} and set domain = "rack"'
            return [f"Nodes also name {several(len(sizes), 'NVLink domain')} of {nodes} ({label}): {do}."]
    return []


def _left(why: str, names: Iterable[str]) -> list[str]:
    out = list(names)
    return [f"Left out: {several(len(out), 'node')} ({listed(out)}): {why}."] if out else []


def _by_path(name: str, rows: Iterable[tuple[str, tuple[str, ...]]], notes: Sequence[str]) -> SwitchTree:
    """Return a tree of nodes with their switches, the highest first; a switch is named by its path where it must be."""
    below: dict[tuple[str, ...], list[str]] = {}
    for node, path in rows:
        below.setdefault(path, []).append(node)
    prefixes = {path[:length] for path in below for length in range(1, len(path) + 1)}
    count = Counter(prefix[-1] for prefix in prefixes)
    called = {prefix: prefix[-1] if count[prefix[-1]] == 1 else "/".join(prefix) for prefix in prefixes}
    leaves = tuple(
        LeafSwitch(
            called[path], tuple(called[path[:length]] for length in range(len(path) - 1, 0, -1)), tuple(below[path])
        )
        for path in sorted(below, key=lambda path: [natural(part) for part in path])
    )
    if not leaves:
        raise TopologyError(["found no nodes below any switch; must have at least one leaf"])
    return SwitchTree(name, leaves, notes=tuple(notes))


# --- topograph ----------------------------------------------------------------------------------------------------


def _instances(instances: object) -> list[tuple[str, tuple[str, ...]]]:
    rows = {}
    for number, each in enumerate(instances if isinstance(instances, list) else ()):
        node, layers = _table(each).get("id"), _table(each).get("network_layers")
        if not isinstance(node, str) or not node:
            raise TopologyError([f"instances.{number}: missing id, its name"])
        if not isinstance(layers, list) or not layers or not all(isinstance(layer, str) and layer for layer in layers):
            raise TopologyError([f"instances.{number}.network_layers: must be a list of switches, the nearest first"])
        rows[node] = tuple(reversed(layers))
    return [(node, rows[node]) for node in sorted(rows, key=natural)]


def _items(data: Mapping[str, Any], key: str, name: str) -> Iterator[tuple[str, str, object]]:
    """Return where, name and content of everything in a table of tables, or in a list of tables with a name."""
    listed_ = data.get(key)
    if isinstance(listed_, dict):
        yield from ((str(each), str(each), table) for each, table in listed_.items())
    elif isinstance(listed_, list):
        for number, table in enumerate(listed_):
            if not isinstance(called := _table(table).get(name), str | int):
                raise TopologyError([f"{key}.{number}: missing {name}, its name"])
            yield str(number), str(called), table
    elif listed_ is not None:
        raise TopologyError([located(key, wrong(listed_, "must be a table or a list"))])


def _names(table: object, key: str) -> list[str]:
    value = _table(table).get(key)
    return [str(each) for each in value] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _entry(where: str, name: str, nodes: Sequence[str], switches: Sequence[str]) -> Entry:
    lists = (Hostlist(f"{where}.{key}", ",".join(each)) for key, each in (("nodes", nodes), ("switches", switches)))
    return Entry(where, name, *(each if each.text else None for each in lists))
