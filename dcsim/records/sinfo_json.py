"""Snapshots of nodes as JSON: `sinfo --json` and `scontrol show nodes --json`, one or many of them in a file.

Members have the names of Slurm's data_parser (github.com/SchedMD/slurm, src/plugins/data_parser/v0.0.41/parsers.c,
SINFO_DATA: "node/state", "nodes/nodes", "reason/description", "reason/time"; v0.0.44_node of slurm.schedmd.com/rest_api
for "nodes": "name", "state", "reason", "reason_changed_at", beside them "last_update"). Slurm 21.08 has "state_flags".
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dcsim.hostlist import HostlistError
from dcsim.records.gathered import NAN, Asked, Gathering, Records
from dcsim.records.json_stream import Document, documents
from dcsim.records.lines import Clock
from dcsim.records.nodes import kind_of, names_in, out_as
from dcsim.records.opening import RecordError, beginning
from dcsim.records.sinfo import ONE_LIST, Snapshots
from dcsim.records.slurm import number_of
from dcsim.records.tables import Broken

LISTS = {"sinfo": re.compile(r'"sinfo"\s*:\s*\['), "nodes": re.compile(r'"nodes"\s*:\s*\[\s*\{')}
"""How the list of nodes is called, and how it begins."""


class _Nodes(NamedTuple):
    """Nodes that are alike: their names, state, and why and since when [s since 1970] it is so."""

    names: tuple[str, ...]
    state: str
    reason: str
    since: float | None


def list_in(text: str) -> str | None:
    """Return how the list of nodes in the beginning of a file is called; None if it has none."""
    return next((name for name, begins in LISTS.items() if begins.search(text)), None)


def sinfo_json(paths: Sequence[Path], asked: Asked) -> Records:
    """Read snapshots. When each was taken: "last_update", or a line with a zone before it, as `date +%s` prints it."""
    broken, found = Broken(), Gathering()
    shots = Snapshots(found)
    key = list_in(beginning(paths[0]).decode("utf-8", "replace")) or "sinfo"
    dated, undated = 0, 0
    listed: dict[str, tuple[float, str, float]] = {}
    nodes: set[str] = set()
    for shot in documents(paths, key, broken, _sinfo if key == "sinfo" else _node):
        at = None
        try:
            at = _moment(shot, asked.year)
            if at is not None and at < found.last:
                raise ValueError(at)
        except (ValueError, RecordError):
            why = "no moment with a zone (date +%s), or earlier than the snapshot before"
            broken.add(shot.place, why, shot.before[-1] if shot.before else at)
            continue
        dated, undated = dated + (at is not None), undated + (at is None)
        found.rows += len(shot.taken)
        for each in shot.taken:
            if at is not None:
                for node in each.names:
                    shots.row(at, node, each.state, each.reason, each.since)
            if dated < 2 and (word := out_as(each.state)) and each.since is not None:
                for node in each.names:
                    listed.setdefault(node, (each.since, kind_of(each.reason, word), NAN))
            nodes.update(each.names)
    if dated and undated:
        raise RecordError(f"has {undated:,} snapshots without a time among {dated:,} with one")
    if dated < 2:  # all that is known of it is since when its nodes are out
        shots.out, shots.unknown = listed, 0
    for node in list(shots.out):
        shots.back(node, NAN)
    told = ["snapshots of nodes: what begins and ends between two of them is told at the later one; times are in UTC"]
    if dated < 2:
        for begin in found.starts:
            found.see(begin)
        told.append(ONE_LIST)
    if shots.unknown:
        told.append(f"outages that had begun before the first snapshot, and are left out: {shots.unknown:,}")
    found.units |= nodes
    return Records("sinfo-json", found.outages(told, broken), None, None, tuple(told), broken)


def _moment(shot: Document[_Nodes], year: int | None) -> float | None:
    """Return when a snapshot was taken [s since 1970]; None if it does not tell; raises ValueError, RecordError."""
    if (update := number_of(shot.beside.get("last_update"))) is not None:
        return update
    if not shot.before:
        return None
    clock = Clock(year)
    at = clock.alone(shot.before[-1])
    if at is None or not clock.aware:  # Slurm's own times are in UTC
        raise ValueError(shot.before[-1])
    return at


def _sinfo(each: Any) -> _Nodes:
    """Take an element of "sinfo"; raises KeyError, TypeError, AttributeError, ValueError."""
    reason = each.get("reason") or {}
    listed = each["nodes"]["nodes"]
    return _nodes(listed, each["node"]["state"], (), reason.get("description"), reason.get("time"))


def _node(each: Any) -> _Nodes:
    """Take an element of "nodes"; raises KeyError, TypeError, AttributeError, ValueError."""
    flags = each.get("state_flags") or ()
    return _nodes([each["name"]], each["state"], flags, each.get("reason"), each.get("reason_changed_at"))


def _nodes(listed: Any, states: Any, flags: Any, reason: Any, since: Any) -> _Nodes:
    try:
        names = tuple(name for each in listed for name in names_in(_text(each)))
    except HostlistError as error:
        raise ValueError(listed) from error
    words = [_text(each) for each in (*([states] if isinstance(states, str) else states), *flags)]
    # Where sinfo prints a star, its JSON says that a node does not respond.
    state = "+".join(words) + ("*" if "NOT_RESPONDING" in map(str.upper, words) else "")
    return _Nodes(names, state, _text(reason or ""), number_of(since) or None)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
