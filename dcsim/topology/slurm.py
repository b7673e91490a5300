"""Slurm's own description of a network, topology.conf or topology.yaml, as a neutral tree of switches.

Slurm's rules: https://slurm.schedmd.com/topology.conf.html, topology.yaml.html and topology.html. Read are
topology/tree and topology/block; topology/ring, topology/torus3d and topology/flat name no leaf switch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from dcsim.hostlist import HostlistError, TooManyNames, expand
from dcsim.problems import located, not_one_of, wrong
from dcsim.topology.description import TopologyError
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree, check_rails
from dcsim.wording import did_you_mean, shown

if TYPE_CHECKING:
    import yaml

MAX_NODES = 1_000_000
"""Most nodes or switches that the hostlists of one file may name; source: assumed, beyond any cluster."""


_Names = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Hostlist:
    where: str
    text: str


def _hostlist(where: str, text: object) -> Hostlist | None:
    """Return a hostlist as written, None where it is left out or empty."""
    return Hostlist(where, str(text)) if text is not None and str(text).strip() else None


@dataclass(frozen=True)
class Entry:
    """One switch or block as written, its hostlists not yet expanded."""

    where: str
    name: str
    nodes: Hostlist | None
    switches: Hostlist | None = None


def read_topology_conf(text: str) -> SwitchTree:
    """Read the text of a topology.conf; the tree is called "slurm", as the file gives it no name.

    Nodes come in natural order, switches in the file's. A switch below several is put below the first listed; a node
    below several is on rails. A switch or block without nodes is no leaf and named in ``empty``. Raises TopologyError
    with every problem as "line 3: ...".
    """
    problems: list[str] = []
    entries: list[Entry] = []
    first: dict[str, str] = {}
    for number, line in _conf_lines(text):
        where = f"line {number}"
        pairs = _conf_pairs(line, where, problems)
        kind = next((key for key in _CONF_KEYS if key in pairs), None)
        if kind is None:
            problems += [f"{where}: found {key}; missing: {' or '.join(_CONF_KEYS)}" for key in list(pairs)[:1]]
            continue
        first.setdefault(kind, where)
        if beside := [key for key in pairs if key != kind and key not in _CONF_KEYS[kind]]:
            allowed = ", ".join(_CONF_KEYS[kind]) or "nothing"
            problems.append(f"{where}: found {', '.join(beside)} beside {kind}; allowed: {allowed}")
        if not re.fullmatch("[0-9]+", pairs.get("LinkSpeed", "0")):
            problems.append(located(f"{where}: LinkSpeed", wrong(pairs["LinkSpeed"], "must be a whole number")))
        if kind == "BlockSizes":
            sizes = [int(size) if re.fullmatch(r"[0-9]{1,18}", size) else size for size in pairs[kind].split(",")]
            problems += _wrong_sizes(sizes, f"{where}: BlockSizes")
            continue
        lists = (_hostlist(f"{where}: {key}", pairs.get(key)) for key in ("Nodes", "Switches"))
        entries.append(Entry(where, pairs[kind], *lists))
    if "SwitchName" in first and len(first) > 1:
        other = next(key for key in first if key != "SwitchName")
        problems.append(f"{first[other]}: found {other} in a file of SwitchName; allowed: switches or blocks")
    if problems:
        raise TopologyError(problems)
    return switch_tree_of("slurm", entries) if "SwitchName" in first else block_tree_of("slurm", entries)


def read_topology_yaml(text: str, name: str | None = None) -> SwitchTree:
    """Read one topology of a topology.yaml: the named one, else the cluster's default, else the first.

    Rules and order are as in ``read_topology_conf``. Raises TopologyError with every problem as
    "topology.tree.switches.0: ...", counted from 0; the topologies that are not asked for may be of any type.
    """
    problems: list[str] = []
    topology, chosen = _choose(_only(documents(text)), name)
    where = topology if re.fullmatch(r"[\w-]{1,60}", topology) else shown(topology)
    table = _table(chosen, where, ("topology", "cluster_default", *_YAML_KINDS), problems)
    kinds = [key for key in table if key in _YAML_KINDS]
    if not problems and len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        problems.append(f"{where}: found {found}; must have exactly one of {', '.join(_YAML_KINDS)}")
    if not problems and kinds[0] not in _YAML_LISTS:
        problems.append(f"{where}: found {kinds[0]}, which names no leaf switch; allowed: {', '.join(_YAML_LISTS)}")
    if problems:
        raise TopologyError(problems)
    [kind] = kinds
    where += f".{kind}"
    listed, one, *keys = _YAML_LISTS[kind]
    table = _table(table[kind], where, (listed, "block_sizes") if kind == "block" else (listed,), problems)
    entries = [] if problems else list(_yaml_entries(table.get(listed), f"{where}.{listed}", one, keys, problems))
    if "block_sizes" in table:
        sizes = table["block_sizes"]
        problems += _wrong_sizes(sizes if isinstance(sizes, list) else [sizes], f"{where}.block_sizes")
    if problems:
        raise TopologyError(problems)
    return (block_tree_of if kind == "block" else switch_tree_of)(topology, entries)


# What the first key of a line allows beside it.
_CONF_KEYS = {"SwitchName": ("Switches", "Nodes", "LinkSpeed"), "BlockName": ("Nodes",), "BlockSizes": ()}
_CONF_SPELLING = {key.lower(): key for kind, beside in _CONF_KEYS.items() for key in (kind, *beside)}
_PAIR = re.compile(r'\s*([^\s="]+)\s*=\s*(?:"([^"]*)"|([^\s"]*))(?=\s|$)')


def _conf_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers: continued ones joined first, then comments cut off, as Slurm does."""
    joined, start = "", 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined.removesuffix("\\")
            continue
        yield start, joined.partition("#")[0].strip()
        joined, start = "", number + 1
    yield start, joined.partition("#")[0].strip()


def _conf_pairs(line: str, where: str, problems: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    position = 0
    while position < len(line):
        match = _PAIR.match(line, position)
        if match is None:
            problems.append(located(where, wrong(line[position:].strip(), "must be Key=Value")))
            return {}
        position = match.end()
        key = _CONF_SPELLING.get(match[1].lower())
        if key is None:
            problems.append(located(where, not_one_of(_CONF_SPELLING.values(), match[1])))
            return {}
        if key in pairs:
            problems.append(f"{where}: found {key} twice; allowed: once")
        pairs[key] = match[2] if match[3] is None else match[3]
    return pairs


_YAML_KINDS = ("tree", "block", "flat", "ring", "torus3d")
# The key of the list, of a name in it, and of the hostlists.
_YAML_LISTS = {"tree": ("switches", "switch", "nodes", "children"), "block": ("blocks", "block", "nodes")}
_QUOTES = " (in quotes where YAML sees something else)"


def documents(text: str) -> list[object]:
    """Read every document of a YAML text; raises TopologyError for what is no YAML and for a key given twice."""
    import yaml

    try:
        loader = yaml.SafeLoader(text)  # CSafeLoader is faster, but deep nesting ends the whole program
        found: list[object] = []
        while loader.check_node():
            node = loader.get_node()
            if problems := list(_twice(node)):
                raise TopologyError(problems)
            found.append(loader.construct_document(node))
        return found
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: dates of no calendar, endless integers
        mark = getattr(error, "problem_mark", None)
        why = "nested too deeply" if isinstance(error, RecursionError) else getattr(error, "problem", None) or error
        where = f"line {mark.line + 1}: " if mark else ""
        raise TopologyError([f"{where}found no YAML: {' '.join(str(why).split())}"]) from None


def _only(found: list[object]) -> object:
    if len(found) > 1:
        raise TopologyError([f"found {len(found)} YAML documents; must be one"])
    return found[0] if found else None


def _twice(root: yaml.Node | None) -> Iterator[str]:
    """Every key that its table has already: YAML forbids it, the loader would take the last."""
    import yaml

    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                waiting.append(value)
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        yield f"line {key.start_mark.line + 1}: found {shown(key.value)} twice; allowed: once"
                    keys.add(key.value)


def _choose(data: object, name: str | None) -> tuple[str, object]:
    """The topology that is asked for, with its name; every one must have a name of its own."""
    if not isinstance(data, list) or not data:
        raise TopologyError([wrong(data, "must be a list of topologies")])
    topologies: dict[str, object] = {}
    default = None
    problems = []
    for number, item in enumerate(data):
        if not isinstance(item, dict):
            problems.append(located(f"topology {number}", wrong(item, "must be a table")))
        elif "topology" not in item:
            problems.append(f"topology {number}: missing topology, its name")
        elif not isinstance(topology := item["topology"], str):
            problems.append(located(f"topology {number}", wrong(topology, f"must be text{_QUOTES}")))
        elif topology in topologies:
            problems.append(f"topology {number}: found {shown(topology)} twice; must be unique")
        else:
            topologies[topology] = item
            if not isinstance(chosen := item.get("cluster_default", False), bool):
                problems.append(located(f"topology {number}: cluster_default", wrong(chosen, "must be true or false")))
            default = topology if chosen is True and default is None else default
    if problems:
        raise TopologyError(problems)
    if name is not None and name not in topologies:
        allowed = ", ".join(map(shown, topologies))
        raise TopologyError([f"found no topology {shown(name)}; allowed: {allowed}{did_you_mean(name, topologies)}"])
    topology = name or default or next(iter(topologies))
    return topology, topologies[topology]


def _yaml_entries(listed: object, where: str, one: str, keys: list[str], problems: list[str]) -> Iterator[Entry]:
    if not isinstance(listed, list):
        problems.append(f"{where}: found {'nothing' if listed is None else shown(listed)}; must be a list")
        return
    for number, item in enumerate(listed):
        here = f"{where}.{number}"
        table = _table(item, here, (one, *keys), problems)
        if one not in table:
            if table or item == {}:
                problems.append(f"{here}: missing {one}, its name")
            continue
        odd = [key for key, value in table.items() if not (isinstance(value, str) or (value is None and key != one))]
        problems += [located(f"{here}.{key}", wrong(table[key], f"must be text{_QUOTES}")) for key in odd]
        hostlists = [_hostlist(f"{here}.{key}", table.get(key)) for key in keys]
        yield Entry(here, str(table.get(one)), *hostlists)


def _table(value: object, where: str, allowed: Collection[str], problems: list[str]) -> dict[str, object]:
    """A table as it is, or an empty one and problems."""
    if not isinstance(value, dict):
        problems.append(located(where, wrong(value, "must be a table")))
        return {}
    unknown = [key for key in value if key not in allowed]
    hints = [did_you_mean(str(key), allowed) for key in unknown]
    problems += [located(where, not_one_of(allowed, key, hint=hint)) for key, hint in zip(unknown, hints, strict=True)]
    return {} if unknown else value


def _wrong_sizes(sizes: list[object] | list[int | str], where: str) -> list[str]:
    """What Slurm refuses: each size must be the first one, times a power of two."""
    for size in sizes:
        if type(size) is not int or size < 1:
            return [located(where, wrong(size, "must be a whole number from 1"))]
    whole = [size for size in sizes if isinstance(size, int)]
    odd = [size for size in whole if size % whole[0] or (size // whole[0]).bit_count() != 1]
    return [f"{where}: found {size}; must be {whole[0]}, the first, times a power of two" for size in odd]


def switch_tree_of(name: str, entries: list[Entry]) -> SwitchTree:
    nodes, below = _expanded(entries, "switch")
    known = {entry.name for entry in entries}
    parent: dict[str, str] = {}
    problems = []
    for entry in entries:
        if entry.nodes and entry.switches:
            problems.append(f"{entry.where}: found nodes and switches below one switch; allowed: one of the two")
        missing = [child for child in below[entry.name] if child not in known]
        if missing and entry.switches:
            hint = did_you_mean(missing[0], known)
            problems.append(f"{entry.switches.where}: found {_several(missing)}; no such switch{hint}")
        for child in below[entry.name]:
            parent.setdefault(child, entry.name)
    if problems:
        raise TopologyError(problems)
    try:
        upwards = tuple(TopologicalSorter(below).static_order())
    except CycleError as error:
        circle = error.args[1]
        where = next(entry.where for entry in entries if entry.name == circle[-1])
        loop = " below ".join(shown(switch) for switch in circle[:20]) + (" ..." if len(circle) > 20 else "")
        raise TopologyError([f"{where}: found a loop: {loop}; must be a tree"]) from None
    above = {}
    for leaf in (switch for switch in nodes if nodes[switch]):
        path = [leaf]
        while path[-1] in parent:
            path.append(parent[path[-1]])
        above[leaf] = tuple(path[1:])
    leaves = _leaves(nodes, above)
    listed = {entry.name: entry.nodes.where for entry in entries if entry.nodes}
    check_rails(leaves, lambda leaf, _: listed[leaf])
    held = dict[str, bool]()
    for switch in upwards:
        held[switch] = bool(nodes[switch]) or any(held[child] for child in below[switch])
    return SwitchTree(name, leaves, empty=tuple(switch for switch in nodes if not held[switch]))


def block_tree_of(name: str, entries: list[Entry]) -> SwitchTree:
    nodes, _ = _expanded(entries, "block")
    leaves = _leaves(nodes, {})
    empty = tuple(block for block in nodes if not nodes[block])
    return SwitchTree(name, leaves, tuple((leaf.name, leaf.nodes) for leaf in leaves), empty)


def _leaves(nodes: _Names, above: _Names) -> tuple[LeafSwitch, ...]:
    leaves = tuple(LeafSwitch(switch, above.get(switch, ()), below) for switch, below in nodes.items() if below)
    if not leaves:
        raise TopologyError(["found no nodes below any switch or block; must have at least one leaf"])
    return leaves


def _expanded(entries: list[Entry], what: str) -> tuple[_Names, _Names]:
    """The nodes and the child switches of each, by name; a name may be there once, a node in one block."""
    problems: list[str] = []
    nodes: _Names = {}
    below: _Names = {}
    leaf_of: dict[str, str] = {}
    room = MAX_NODES
    for entry in entries:
        if not entry.name:
            problems.append(f"{entry.where}: found an empty name; every {what} must have one")
        elif entry.name in nodes:
            problems.append(f"{entry.where}: found {what} {shown(entry.name)} twice; must be unique")
        own = _expand(entry.nodes, room, problems)
        children = _expand(entry.switches, room, problems)
        room -= len(own) + len(children)
        twice = [node for node in own if node in leaf_of]
        if what == "block" and twice and leaf_of[twice[0]] != entry.name and entry.nodes:
            found = f"{_several(twice)}, already under {shown(leaf_of[twice[0]])}"
            problems.append(f"{entry.nodes.where}: found {found}; allowed: one block per node")
        leaf_of.update((node, entry.name) for node in own if node not in leaf_of)
        nodes[entry.name], below[entry.name] = own, children
    if problems:
        raise TopologyError(problems)
    return nodes, below


def _several(names: list[str]) -> str:
    return shown(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _expand(hostlist: Hostlist | None, room: int, problems: list[str]) -> tuple[str, ...]:
    """The names of a hostlist expression in natural order, each once; none and a problem where it is bad."""
    if hostlist is None:
        return ()
    try:
        return expand(hostlist.text, room)
    except TooManyNames:
        why = f"allowed: {MAX_NODES} names in all"  # of the whole file
    except HostlistError as error:
        why = str(error)
    problems.append(located(hostlist.where, wrong(hostlist.text, why)))
    return ()
