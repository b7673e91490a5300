"""What ibnetdiscover finds in an InfiniBand fabric, its dump or its list of ports, as a neutral tree of switches.

The lines are those of infiniband-diags (linux-rdma/rdma-core, ibnetdiscover.c). A dump describes every link from both
of its ends, switches first, so what is cut off at the end of a file is often told by the other end.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from dcsim.hostlist import natural
from dcsim.topology.description import TopologyError
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree, check_rails, listed, several
from dcsim.wording import shown

DUMP = r"""^(vendid|devid|sysimgguid|switchguid|caguid|rtguid)=0x|^(Switch|Ca|Rt)\s+\d+\s+["\[]"""
"""What a line of a dump looks like, at the beginning of a line."""
PORTS = r"^(CA|SW|RT)\s+\d+\s+\d+\s+0x[0-9a-fA-F]+"
"""What a line of a list of ports looks like."""

_NODE = re.compile(r'(?:Switch|Ca|Rt)\s+\d+\s+"([^"]+)"(?:\s*#\s*"([^"]*)")?')
_BESIDE_PORT = r"(?:\s*\[ext \d+\])?(?:\s*\([0-9a-fA-F]+\))?"
_PORT = re.compile(rf'\[(\d+)\]{_BESIDE_PORT}\s*"([^"]+)"\[(\d+)\]{_BESIDE_PORT}\s*(?:#\s*(.*))?$')
_SIDE = r"(CA|SW|RT)\s+\d+\s+(\d+)\s+0x([0-9a-fA-F]+)"
_LISTED = re.compile(rf"{_SIDE}\s+([^'-]*?)\s+-\s+{_SIDE}\s+\(\s*'(.*)' - '(.*)'\s*\)$")
_SAID_ELSEWHERE = re.compile(
    r"#|$|(vendid|devid|sysimgguid|switchguid|caguid|rtguid)=0x|Chassis \d|Non-Chassis Nodes|Hostname: "
    rf"|{_SIDE}[^']*'.*'$"
)
_RATE = re.compile(r"\b(\d{1,2})x\s?(FDR10|[SDQFEHNX]DR)\b")
# Data rate of one lane by the name of its speed [Gb/s]; public (InfiniBand Trade Association, roadmap).
_LANE = {"SDR": 2.5, "DDR": 5, "QDR": 10, "FDR10": 10, "FDR": 14, "EDR": 25, "HDR": 50, "NDR": 100, "XDR": 200}
_LETTER = {"CA": "H", "SW": "S", "RT": "R"}
_End = tuple[str, str]
_Links = Mapping[str, Counter[str]]


@dataclass
class _Fabric:
    """What the lines say: descriptions by identifier, and links by their ends (identifier, port), with their rates.

    ``odd``: numbers of lines that are none of a dump; ``by_port``: identifiers are those of ports, not of adapters.
    """

    names: dict[str, str] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    links: dict[tuple[_End, _End], str] = field(default_factory=dict)
    odd: list[int] = field(default_factory=list)
    by_port: bool = False

    def join(self, one: _End, other: _End, rate: str) -> None:
        """Add a link, which both of its ends may tell."""
        ends = (one, other) if one < other else (other, one)
        self.links[ends] = self.links.get(ends) or rate


def read_ibnetdiscover(text: str, nodes: Collection[str] | None = None) -> SwitchTree:
    """Read what ``ibnetdiscover`` or ``ibnetdiscover -p`` prints.

    The first of two words of an adapter's description names its host ("n1 mlx5_0", "n1 HCA-1"). ``nodes``: the hosts
    to take; None: those under more than half as many leaves as most hosts are. A link that a host lacks and those
    beside it have is taken to be down. ``notes`` of the tree say what was left out or added. Raises TopologyError.
    """
    fabric = _parsed(text)
    hosts, notes = _hosts(fabric)
    over: dict[str, Counter[str]] = defaultdict(Counter)
    beside: dict[str, Counter[str]] = defaultdict(Counter)
    rates: dict[str, Counter[str]] = defaultdict(Counter)
    for ((one, _), (other, _)), rate in fabric.links.items():
        for near, far in ((one, other), (other, one)):
            if near in hosts and far.startswith("S"):
                over[hosts[near]][far] += 1
                rates[hosts[near]][rate] += 1
            elif near.startswith("S") and far.startswith("S"):
                beside[near][far] += 1
    if not over:
        must = 'must have a host such as "n1 mlx5_0" at a port of a switch'
        raise TopologyError(["; ".join([f"found no host at a switch; {must}", *notes])])
    kept = over if nodes is None else {host: links for host, links in over.items() if host in nodes}
    if nodes is not None:
        if missing := [node for node in nodes if node not in over]:
            raise TopologyError([f"--nodes: found {listed(missing)}, of which no adapter is at a switch"])
        notes += _left("--nodes does not name them", [host for host in over if host not in kept])
    wired = _wired(kept, nodes is None, notes)
    _each_once(fabric, {end: host for end, host in hosts.items() if host in wired})
    notes += _cut(fabric, text)
    leaves, upper = _tree(fabric, wired, beside, {switch for links in over.values() for switch in links}, notes)
    try:
        check_rails(leaves, lambda leaf, _: f"switch {leaf}")
    except TopologyError as error:
        must = "--nodes says which hosts to take"
        raise TopologyError([f"{line}; {must}" for line in error.problems] + _cut(fabric, text)) from None
    whole = Counter(sum(kept[host].values()) for host in wired if set(kept[host]) == set(wired[host]))
    seen = sum((rates[host] for host in wired), Counter[str]())
    del seen[""]
    if len(seen) > 1:
        told = ", ".join(f"{count:,} of {_told(rate)}" for rate, count in seen.most_common())
        notes.append(f"Links of nodes differ in their data rate ({told}); the most common one is taken.")
    port = _told(seen.most_common(1)[0][0]) if seen else ""
    uplinks, spine_uplinks, cores = upper
    return SwitchTree(
        "ibnetdiscover", leaves, notes=tuple(notes), nics=_usual(whole), port=port, uplinks=uplinks,
        spine_uplinks=spine_uplinks, cores=cores,
    )  # fmt: skip


# --- lines --------------------------------------------------------------------------------------------------------


def _parsed(text: str) -> _Fabric:
    fabric, here = _Fabric(), ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if (match := _PORT.match(line)) and here:
            port, there, far, comment = match.groups()
            before, _, after = (comment or "").rpartition('"')
            if '"' in before:
                fabric.names.setdefault(there, before.partition('"')[2])
            fabric.join((here, port), (there, far), _rate(after))
        elif match := _NODE.match(line):
            here = match[1]
            fabric.described.add(here)
            fabric.names[here] = match[2] or fabric.names.get(here, "")
        elif match := _LISTED.match(line):
            kind, port, guid, rate, far_kind, far, far_guid, name, far_name = match.groups()
            one, other = f"{_LETTER[kind]}-{guid}", f"{_LETTER[far_kind]}-{far_guid}"
            fabric.names |= {one: name, other: far_name}
            fabric.described |= {one, other}
            fabric.by_port = True
            fabric.join((one, port), (other, far), _rate(rate))
        elif not _SAID_ELSEWHERE.match(line):
            fabric.odd.append(number)
    return fabric


def _rate(text: str) -> str:
    match = _RATE.search(text)
    return f"{match[1]}x{match[2]}" if match else ""


def _told(rate: str) -> str:
    """Write "4xNDR" as a data rate."""
    lanes, _, speed = rate.partition("x")
    return f"{int(lanes) * _LANE[speed]:g} Gb/s"


def _cut(fabric: _Fabric, text: str) -> list[str]:
    """Say what lines were passed over, and what a whole dump would have described."""
    notes = []
    odd = fabric.odd
    if odd and odd[-1] == text.count("\n") + 1:
        notes.append("The last line is cut off.")
        odd = odd[:-1]
    if odd:
        notes.append(
            f"Passed over: {several(len(odd), 'line')} that ibnetdiscover does not write, first line {odd[0]}."
        )
    ends = {end for link in fabric.links for end, _ in link}
    if bare := sorted(end for end in ends if end.startswith("S") and end not in fabric.described):
        what = f"{several(len(bare), 'switch', 'switches')} named but not described ({listed(bare)})"
        notes.append(f"The dump seems to be cut off: {what}; what hangs on them may be missing.")
    return notes


# --- hosts --------------------------------------------------------------------------------------------------------


def _hosts(fabric: _Fabric) -> tuple[dict[str, str], list[str]]:
    """Return the host of every adapter that names one, and what is to be said of the others."""
    hosts: dict[str, str] = {}
    nameless: list[str] = []
    aggregating = 0
    for end in sorted({end for link in fabric.links for end, _ in link if end.startswith("H")}):
        name = " ".join(fabric.names.get(end, "").split())
        host, _, device = name.partition(" ")
        if "Aggregation Node" in name:
            aggregating += 1
        elif not host or " " in device or host == "localhost" or re.fullmatch(r"MT\d+", host):
            nameless.append(name or end)
        else:
            hosts[end] = host
    notes = []
    if aggregating:
        notes.append(f"Left out: {several(aggregating, 'aggregation node')} of switches.")
    if nameless:
        count = several(len(nameless), "adapter")
        notes.append(f"Left out: {count} without the name of a host ({shown(nameless[0])}).")
    return hosts, notes


def _each_once(fabric: _Fabric, hosts: Mapping[str, str]) -> None:
    """Refuse two adapters of one name, as two hosts must be called the same."""
    first: dict[str, str] = {}
    for end in hosts:
        name = " ".join(fabric.names[end].split())
        if not fabric.by_port and " " in name and first.setdefault(name, end) != end:
            found = f"found {shown(name)} twice, as {first[name]} and {end}"
            raise TopologyError([f"{found}; every host must have a name of its own; --nodes says which hosts to take"])


def _wired(over: _Links, guess: bool, notes: list[str]) -> dict[str, frozenset[str]]:
    """Return the leaves that every node is wired to, links that are down included; adds to ``notes``.

    ``guess``: hosts under at most half as many leaves as most are no nodes.
    """
    sets = Counter(frozenset(links) for links in over.values())
    by_size: Counter[int] = Counter()
    for leaves, count in sets.items():
        by_size[len(leaves)] += count
    usual = _usual(by_size)
    whole: dict[str, list[frozenset[str]]] = defaultdict(list)
    wired: dict[frozenset[str], frozenset[str]] = {}
    for leaves in sorted(sets, key=lambda each: (len(each) != usual, -sets[each], -len(each), sorted(each))):
        around = [each for each in whole[min(leaves)] if leaves < each]
        wired[leaves] = around[0] if len(around) == 1 else leaves
        for leaf in leaves if wired[leaves] == leaves else ():
            whole[leaf].append(leaves)
    few = [host for host, links in over.items() if guess and 2 * len(links) <= usual]
    notes += _left(f"they are under at most half of the {usual} leaves that most are under; --nodes takes them", few)
    left = set(few)
    found = {host: wired[frozenset(links)] for host, links in over.items() if host not in left}
    down = {host: len(leaves) - len(over[host]) for host, leaves in found.items() if len(leaves) > len(over[host])}
    if down:
        names = listed(sorted(down, key=natural))
        links = several(sum(down.values()), "link")
        notes.append(f"Taken to be down: {links} to leaves that {names} lack and the nodes beside them have.")
    return found


def _left(why: str, hosts: Iterable[str]) -> list[str]:
    names = sorted(hosts, key=natural)
    return [f"Left out: {several(len(names), 'host')} ({listed(names)}): {why}."] if names else []


# --- switches -----------------------------------------------------------------------------------------------------


def _tree(
    fabric: _Fabric, wired: Mapping[str, frozenset[str]], beside: _Links, busy: set[str], notes: list[str]
) -> tuple[tuple[LeafSwitch, ...], tuple[int, int, int]]:
    """Return the leaves with what is above them; links up of a leaf and of a spine, and cores; adds to ``notes``.

    A switch is one level above those that are nearer to the nodes. ``busy``: switches with hosts of any kind; above
    the spines these are the leaves of others.
    """
    below: dict[str, list[str]] = defaultdict(list)
    for host in sorted(wired, key=natural):
        for switch in wired[host]:
            below[switch].append(host)
    names = _switch_names(fabric)
    order = {switch: number for number, switch in enumerate(sorted(names, key=lambda each: natural(names[each])))}
    levels = [sorted(below, key=order.__getitem__)]
    seen = set(below)
    while levels[-1]:
        near = {far for switch in levels[-1] for far in beside.get(switch, ())} - seen
        near -= busy if len(levels) > 1 else set()
        levels.append(sorted(near, key=order.__getitem__))
        seen |= near
    level = {switch: number for number, each in enumerate(levels) for switch in each}
    across = sum(
        count for one in level for other, count in beside.get(one, {}).items() if level.get(other) == level[one]
    )
    if across:
        notes.append(f"Left out: {several(across // 2, 'link')} between switches of one level.")

    def up(switch: str) -> Counter[str]:
        return Counter({far: n for far, n in beside.get(switch, {}).items() if level.get(far) == level[switch] + 1})

    spines = _joined({leaf: up(leaf) for leaf in levels[0]})
    leaves = []
    for leaf in levels[0]:
        path = sorted(spines[leaf], key=order.__getitem__)[:1]
        while path and (higher := up(path[-1])):
            path.append(min(higher, key=order.__getitem__))
        above = tuple(names[each] for each in sorted(spines[leaf], key=order.__getitem__))
        leaves.append(LeafSwitch(names[leaf], tuple(names[each] for each in path), tuple(below[leaf]), above))
    leaves.sort(key=lambda leaf: (natural(leaf.nodes[0]), natural(leaf.name)))
    links = [_usual(Counter(sum(up(switch).values()) for switch in each)) for each in levels[:2]]
    return tuple(leaves), (links[0], links[1], len(levels[2]) if len(levels) > 2 else 0)


def _joined(up: _Links) -> dict[str, set[str]]:
    """Return all spines of the pod of every leaf: leaves that share a spine share a pod."""
    below: dict[str, list[str]] = defaultdict(list)
    for leaf, spines in up.items():
        for spine in spines:
            below[spine].append(leaf)
    found: dict[str, set[str]] = {}
    for first in up:
        if first in found:
            continue
        pod: set[str] = set()
        waiting, found[first] = [first], pod
        while waiting:
            for spine in up[waiting.pop()]:
                if spine not in pod:
                    pod.add(spine)
                    fresh = [leaf for leaf in below[spine] if leaf not in found]
                    found.update(dict.fromkeys(fresh, pod))
                    waiting += fresh
    return found


def _switch_names(fabric: _Fabric) -> dict[str, str]:
    """Return a name for every switch: the short one of its description, where no other has it, else its identifier."""
    ends = sorted({end for link in fabric.links for end, _ in link if end.startswith("S")})
    whole = {end: " ".join(fabric.names.get(end, "").split()) for end in ends}
    short = {end: re.sub(r"^MF0;([^:;]+):[^:;]+$", r"\1", name) for end, name in whole.items()}
    names: dict[str, str] = {}
    for found in (short, whole):
        count = Counter(found.values())
        for end, name in found.items():
            if name and " " not in name and count[name] == 1:
                names.setdefault(end, name)
    return {end: names.get(end, end) for end in ends}


def _usual(counts: Counter[int]) -> int:
    """Return the most common number, the greatest of several; 0 for none."""
    return max(counts, key=lambda each: (counts[each], each), default=0)
