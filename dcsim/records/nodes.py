"""Nodes that Slurm takes out of service: the states that say so, and slurmctld's log.

The lines of the log are those of slurmctld/node_mgr.c, ping_nodes.c and job_mgr.c (Slurm 2.x to 24.x); times have any
LogTimeFormat of slurm.conf(5) but "clock".
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dcsim.hostlist import HostlistError, expand
from dcsim.records.gathered import NAN, Asked, Gathering, Records
from dcsim.records.lines import Clock, logged
from dcsim.records.tables import Broken
from dcsim.textfile import RecordError

MOST_NAMES = 1 << 16
"""Nodes of one list; source: assumed."""
MOST_KINDS = 40
"""Reasons that are told apart, the first ones; source: assumed. People write reasons as they like."""
MOST_REASON = 48
"""Length of a reason [characters]; source: assumed."""
TOGETHER_S = 2.0
"""Within this time [s], a reason belongs to the state that is set; source: assumed, slurmctld writes both at once."""

_OUT = (("down", "down"), ("drain", "drained"), ("drng", "drained"), ("fail", "failing"), ("err", "error"))
_NAMES = r"(?P<nodes>[A-Za-z0-9_.\-\[\],]+)"
LOST = "job on it lost"
SILENT, DOWN, UP, RESPONDS, REASON = range(5)
_STATE = r"(?P<state>[A-Za-z_+*~#!%$@^-]+)"
_LINES: tuple[tuple[str, int, re.Pattern[str], str], ...] = (
    ("setting DOWN", DOWN, re.compile(rf"Nodes {_NAMES} not responding, setting DOWN"), "not responding"),
    ("not responding", SILENT, re.compile(rf"Nodes {_NAMES} not responding"), ""),
    ("now responding", RESPONDS, re.compile(rf"Node {_NAMES} now responding"), ""),
    ("returned to service", UP, re.compile(rf"node {_NAMES} returned to service"), ""),
    ("reason set to", REASON, re.compile(rf"update_node: node {_NAMES} reason set to: (?P<text>.*)"), ""),
    ("unexpectedly", DOWN, re.compile(rf"Node {_NAMES} unexpectedly rebooted"), "unexpectedly rebooted"),
    (" state ", DOWN, re.compile(rf"[Nn]ode {_NAMES} state (?:set )?to {_STATE}"), ""),
    (" set to ", DOWN, re.compile(rf"[Nn]ode {_NAMES} set to {_STATE}"), ""),
    ("failed node", DOWN, re.compile(rf"[Kk]illing (?:JobId=|job )?\S+ on failed node {_NAMES}"), LOST),
    ("failure of node", DOWN, re.compile(rf"due to failure of node {_NAMES}"), LOST),
)
"""What a line must hold to be looked at, what it says, and its kind of outage."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_SEEN = re.compile(r"Allocate JobId=\S+ NodeList=(?P<nodes>[A-Za-z0-9_.\-\[\],]+)")
_UP_WORDS = ("idle", "alloc", "mix", "resume", "undrain", "comp")


def out_as(state: str) -> str:
    """Return how a node in this state is out of service ("down", "drained", ...), "" if it is in service."""
    for word in re.split(r"[+*~#!%$@^-]", state.lower()):
        for begin, name in _OUT:
            if word.startswith(begin):
                return name
        if word in ("maint", "inval", "maintenance", "invalid_reg"):  # as sinfo prints them, and as its JSON has them
            return word[:5]
    return ""


def kind_of(reason: str, state: str) -> str:
    """Return a reason as a kind of outage: without who and when, numbers as #; the state if there is no reason."""
    text = re.sub(r"\s*\[[^\]]*@[^\]]*\]\s*$", "", reason[:200]).strip().strip("\"'").lower()
    text = re.sub(r"\d+", "#", "".join(sign if sign.isprintable() else " " for sign in text))[:MOST_REASON].strip()
    return state if text in ("", "none", "(null)", "unknown") else text


@dataclass
class Kinds:
    """Kinds of outages, the first MOST_KINDS told apart."""

    known: set[str] = field(default_factory=set)

    def of(self, kind: str) -> str:
        """Return the kind, or "other" if there are too many."""
        if kind in self.known or len(self.known) < MOST_KINDS:
            self.known.add(kind)
            return kind
        return "other"


def names_in(text: str) -> tuple[str, ...]:
    """Return the nodes of a host list, or the one name; raises HostlistError."""
    # Most lists are one name, and need no expansion.
    return (text,) if _NAME.fullmatch(text) else expand(text, MOST_NAMES)


@dataclass
class Names:
    """Nodes by number, and lists of them that were seen before."""

    number: dict[str, int] = field(default_factory=dict)
    cache: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def of(self, names: str) -> tuple[int, ...]:
        """Return the numbers of the nodes of a host list; raises HostlistError."""
        found = self.cache.get(names)
        if found is None:
            found = tuple(self.number.setdefault(name, len(self.number)) for name in names_in(names))
            if len(self.cache) == 1_024:
                self.cache.clear()
            self.cache[names] = found
        return found


# --- slurmctld ----------------------------------------------------------------------------------------------------


def slurmctld(paths: Sequence[Path], asked: Asked) -> Records:
    """Read slurmctld's logs. An outage begins when a node does not answer, is noticed when it is set DOWN."""
    broken, found, names, texts = Broken(), Gathering(), Names(), dict[str, int]()
    clocks: list[Clock] = []
    at, whose, what, said = array("d"), array("q"), array("b"), array("q")
    edge: dict[int, float] = {}
    for line in logged(paths, asked.year, broken, clocks):
        found.rows += 1
        # The text may begin in what was taken for the host.
        full = f"{line.host} {line.text}"
        hit = _event(full) if "ode" in full else None
        seen = _SEEN.search(full) if hit is None and "NodeList=" in full else None
        try:
            moment = edge[len(clocks)] = line.moment()
            found.see(moment)
            if seen is not None:
                names.of(seen["nodes"])
            if hit is None:
                continue
            kind, text, nodes = hit
            for node in names.of(nodes):
                at.append(moment)
                whose.append(node)
                what.append(kind)
                said.append(texts.setdefault(text, len(texts)))
        except HostlistError as error:
            broken.add(line.place, f"no list of nodes: {error}")
        except ValueError:
            broken.add(line.place, "no such time, or with a zone among others without", full[:60])
    if not names.number:
        raise RecordError("names no node of Slurm" + (f"; {broken.told()[0]}" if broken.total else ""))
    found.units |= names.number.keys()
    told = [f"slurmctld's log: {found.rows:,} lines, {len(at):,} events of {len(names.number):,} nodes"]
    told += [each for clock in clocks[:1] for each in clock.told()]
    told += _outages_of(found, at, whose, what, said, tuple(names.number), tuple(texts))
    told.append("nodes that the log never names are not counted: give the number in service")
    return Records("slurmctld", found.outages(told, broken), None, None, tuple(told), broken)


def _event(text: str) -> tuple[int, str, str] | None:
    """Return what a line says (one of the numbers above), a kind or reason, and of which nodes."""
    for needle, what, form, kind in _LINES:
        hit = form.search(text) if needle in text else None
        if hit is None:
            continue
        groups = hit.groupdict()
        if "state" in groups:
            state = groups["state"]
            out = out_as(state)
            if not out and not state.lower().startswith(_UP_WORDS):
                return None  # such as POWER_UP
            return (DOWN, out, groups["nodes"]) if out else (UP, "", groups["nodes"])
        return what, kind or groups.get("text") or "", groups["nodes"].rstrip(".,")
    return None


def _outages_of(
    found: Gathering,
    at: "array[float]",
    whose: "array[int]",
    what: "array[int]",
    said: "array[int]",
    names: Sequence[str],
    texts: Sequence[str],
) -> list[str]:
    """Put the outages that events tell into ``found``, node by node; return what is to be said of them."""
    kinds = Kinds()
    blips = unknown = 0
    order = sorted(range(len(at)), key=lambda row: (whose[row], at[row]))
    node = -1
    silent: float | None = None
    out: tuple[float, str, float, float] | None = None  # begin, kind, noticed, when it was set
    reason: tuple[float, str] | None = None

    def close(end: float) -> None:
        if out is not None:
            found.add(out[0], end, names[node], kinds.of(out[1]), out[2])

    for row in order:
        moment, event, text = at[row], what[row], texts[said[row]]
        if whose[row] != node:
            close(NAN)
            node, silent, out, reason = whose[row], None, None, None
        if event == SILENT and out is None and silent is None:
            silent = moment
        elif event == RESPONDS:
            blips += silent is not None and out is None
            silent = None
        elif event == DOWN and out is None:
            kind = kind_of(reason[1], text) if reason and moment - reason[0] <= TOGETHER_S else text
            out = (moment if silent is None else silent, kind, NAN if silent is None else moment, moment)
        elif event == DOWN and out is not None and out[1] == LOST:
            out = out[0], text, out[2], out[3]  # slurmctld kills the jobs before it says why
        elif event == UP:
            unknown += out is None
            close(moment)
            silent = out = None
        elif event == REASON:
            reason = moment, text
            if out is not None and moment - out[3] <= TOGETHER_S:
                out = out[0], kind_of(text, out[1]), out[2], out[3]
    close(NAN)
    told = []
    if blips:
        told.append(f"nodes that did not answer and came back before they were set DOWN, which is no outage: {blips:,}")
    if unknown:
        told.append(f"returns to service that follow no outage of the log: {unknown:,}")
    return told


def found_in(line: str) -> bool:
    """Return whether a line is one of slurmctld's about nodes."""
    return _event(line) is not None or _SEEN.search(line) is not None
