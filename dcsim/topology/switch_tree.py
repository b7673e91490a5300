"""A network as its leaf switches and the nodes below them, whatever file describes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dcsim.topology.description import TopologyError
from dcsim.wording import LONGEST_NAME, printable, shown

MOST_NAMED = 4
"""Names that one line lists before it only counts the rest; source: assumed."""


@dataclass(frozen=True)
class LeafSwitch:
    """A switch with nodes below it: ``above`` holds one path of switches over it, nearest first, up to the top.

    ``spines``: all switches right above the leaves of its pod, where the file tells more than one path.
    """

    name: str
    above: tuple[str, ...]
    nodes: tuple[str, ...]
    spines: tuple[str, ...] = ()


@dataclass(frozen=True)
class SwitchTree:
    """A network as its leaf switches; ``blocks`` holds (block, nodes) where Slurm's topology/block defines them.

    Every block is a leaf too, with nothing above it: its higher levels are sizes, not switches. Several leaves may
    have the same nodes: those nodes are on rails, one in each leaf. ``empty`` names the switches or blocks that the
    file lists without nodes; they are no leaves.

    What only some files tell, 0 or "" where they do not: ``nics`` of a node, data rate of a NIC (``port``), links of a
    leaf to its spines (``uplinks``) and of a spine to its cores (``spine_uplinks``), number of ``cores``. ``notes``:
    sentences on what was left out or taken to be so.
    """

    name: str
    leaves: tuple[LeafSwitch, ...]
    blocks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nics: int = 0
    port: str = ""
    uplinks: int = 0
    spine_uplinks: int = 0
    cores: int = 0


def listed(names: Sequence[str]) -> str:
    """Return the first names, none of them very long, and how many more there are."""
    rest = len(names) - MOST_NAMED
    first = (printable(name, LONGEST_NAME) for name in names[:MOST_NAMED])
    return ", ".join(first) + (f" and {rest:,} more" if rest > 0 else "")


def several(count: int, one: str, more: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def same_nodes(leaves: Sequence[LeafSwitch]) -> list[tuple[LeafSwitch, ...]]:
    """Group leaves by their nodes, in the order in which each group is first seen: several leaves are rails."""
    groups: dict[frozenset[str], list[LeafSwitch]] = {}
    for leaf in leaves:
        groups.setdefault(frozenset(leaf.nodes), []).append(leaf)
    return [tuple(group) for group in groups.values()]


def check_rails(leaves: Sequence[LeafSwitch], where: Callable[[str, str], str]) -> None:
    """Check that nodes under several leaves are on rails: nodes that share a leaf share all of their leaves.

    All nodes must be under the same number of leaves, too. ``where(leaf, node)`` says where the file puts a node under
    a leaf. Raises TopologyError with one line for the first node that differs.
    """
    over: dict[str, list[str]] = {}
    for leaf in leaves:
        for node in leaf.nodes:
            over.setdefault(node, []).append(leaf.name)
    if len(over) == sum(len(leaf.nodes) for leaf in leaves):
        return
    for leaf in leaves:
        alike: dict[tuple[str, ...], list[str]] = {}
        for node in leaf.nodes:
            alike.setdefault(tuple(over[node]), []).append(node)
        if len(alike) > 1:
            odd, *_, usual = sorted(alike, key=lambda names: (len(alike[names]), -len(names)))
            node, other = alike[odd][0], alike[usual][0]
            found = f"found {shown(node)} under {_named(odd)}, but {shown(other)} under {_named(usual)}"
            must = "nodes that share a switch must share all of theirs (rails); else list each node under one switch"
            raise TopologyError([f"{where(odd[-1], node)}: {found}; {must}"])
    first = leaves[0].nodes[0]
    for leaf in leaves:
        node = leaf.nodes[0]
        if len(over[node]) != len(over[first]):
            found = f"found {shown(node)} under {_named(over[node])}, but {shown(first)} under {_named(over[first])}"
            raise TopologyError(
                [f"{where(leaf.name, node)}: {found}; all nodes must be under the same number of switches"]
            )


def _named(names: Sequence[str]) -> str:
    """Write names as "'a' only", "'a' and 'b'"."""
    if len(names) == 1:
        return f"{shown(names[0])} only"
    cut = names if len(names) <= MOST_NAMED else names[: MOST_NAMED - 1]
    words = [shown(name) for name in cut]
    words += [f"{len(names) - len(cut)} more"] if len(cut) < len(names) else []
    return f"{', '.join(words[:-1])} and {words[-1]}"
