"""Snapshots of sinfo: `sinfo -R` lists what is out of service and since when, `sinfo -N` the state of every node,
`sinfo --json` and `scontrol show nodes --json` the same with more beside it.

Snapshots stand one behind the other, a line of time before each (as `sinfo -l` and `date` print it), or are a table
with a column of time. Formats are those of sinfo(1), --list-reasons, --Node and --long.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dcsim.hostlist import HostlistError
from dcsim.records.gathered import NAN, Asked, Gathering, Records
from dcsim.records.json_stream import Document, documents
from dcsim.records.lines import NO_ZONE, Clock, places
from dcsim.records.nodes import Kinds, kind_of, names_in, out_as
from dcsim.records.slurm import number_of
from dcsim.records.tables import Broken, opened
from dcsim.records.times import EITHER, Moments, OrderUnknown
from dcsim.records.where import text_of
from dcsim.textfile import RecordError, beginning

TIMES = ("time", "timestamp", "date", "datetime", "when", "snapshot", "snapshot_time", "epoch")
"""Names of a column of times, in small letters."""
TABLE_ROLES: Mapping[str, tuple[str, ...]] = {
    "time": TIMES,
    "node": ("node", "nodelist", "nodename", "node_name", "hostname", "hostnames", "host", "nodehost"),
    "state": ("state", "statelong", "statecompact", "node_state"),
    "reason": ("reason",),
}
"""Columns of snapshots that somebody kept as a table, by their names in small letters."""
_REASON_ROW = re.compile(
    r"(?P<reason>.*?)\s+(?P<user>\S+)\s+(?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|Unknown)\s+"
    r"(?:(?P<state>[A-Za-z_*~#!%$@^+-]+)\s+)?(?P<nodes>\S+)\s*"
)


ONE_LIST = "one list only: outages that had ended are not in it, so no rate follows"
MOST_ROW = 10_000
"""Length of a row [characters]; source: assumed. Where its parts are is found by trying."""


@dataclass
class Snapshots:
    """Nodes as snapshots show them: an outage begins and ends at the first snapshot that shows it.

    ``out``: of each node that is out: since when [s], what it is, when it was noticed. A node that was out at the first
    snapshot has begun nobody knows when: -inf. ``times``: lists with a time, of `sinfo -R`.
    """

    found: Gathering
    kinds: Kinds = field(default_factory=Kinds)
    seen: dict[str, float] = field(default_factory=dict)
    out: dict[str, tuple[float, str, float]] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    unknown: int = 0
    times: int = 0

    def row(self, at: float, node: str, state: str, reason: str, since: float | None = None) -> None:
        """Note a node's state, ``since``: when its reason was set; raises ValueError if it was shown later already."""
        before = self.seen.get(node)
        if before is not None and at < before:
            raise ValueError(at)
        self.seen[node] = at
        self.found.see(at)
        word = out_as(state)
        if not word:
            self.back(node, at)
            if "*" in state:
                self.silent.setdefault(node, at)
            else:
                self.silent.pop(node, None)
        elif node not in self.out:
            silent = self.silent.pop(node, None)
            told = at if before is None or since is None or not before < since < at else since
            begin = float("-inf") if before is None else told if silent is None else silent
            self.out[node] = begin, kind_of(reason, word), NAN if silent is None else at

    def back(self, node: str, at: float) -> None:
        """Note that a node is in service; ``at``: [s since 1970], NaN for the end of the record."""
        begin, kind, noticed = self.out.pop(node, (None, "", NAN))
        if begin == float("-inf"):
            self.unknown += 1
        elif begin is not None:
            self.found.add(begin, at, node, self.kinds.of(kind), noticed)


def sinfo(paths: Sequence[Path], asked: Asked) -> Records:
    """Read snapshots of sinfo: `sinfo -R` or `sinfo -N -l` with a line of time before each, or a table with a time."""
    broken, found = Broken(), Gathering()
    shots = Snapshots(found)
    told = ["snapshots of sinfo: what begins and ends between two of them is told at the later one"]
    if all(is_table(path) for path in paths):
        told += _read_table(paths, asked, shots, broken)
        listing = False
    else:
        listing = _read_blocks(paths, asked, shots, broken, told)
    for node in list(shots.out):
        shots.back(node, NAN)
    if listing and shots.times > 1:
        # Those that began and ended before it are in no list, so that the others would tell too low a rate.
        shots.unknown += found.leave_out_before(found.first)
    elif listing:
        for begin in found.starts:
            found.see(begin)
        told.append(ONE_LIST)
    if shots.unknown:
        told.append(f"outages that had begun before the first snapshot, and are left out: {shots.unknown:,}")
    if listing:
        told.append("sinfo -R lists only what is out: give the number of nodes in service")
    else:
        found.units |= shots.seen.keys()
    outages = found.outages(told, broken, counted=not listing)
    return Records("sinfo", outages, None, None, tuple(told), broken)


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """Return where the columns of a table of snapshots are, by role; time, node and state must be there."""
    lower = [name.strip().lower() for name in header]
    places = {
        role: next((lower.index(name) for name in names if name in lower), -1) for role, names in TABLE_ROLES.items()
    }
    return {} if min(places["time"], places["node"], places["state"]) < 0 else places


def is_table(path: Path) -> bool:
    """Return whether a file is a table of snapshots."""
    try:
        return bool(columns_of(opened(path).header))
    except RecordError:
        return False


def _read_table(paths: Sequence[Path], asked: Asked, shots: Snapshots, broken: Broken) -> list[str]:
    aware = None
    for path in paths:
        table = opened(path)
        index = columns_of(table.header)
        moments = Moments.asked(table.header[index["time"]], asked.dates)
        for place, values in table.rows(broken):
            shots.found.rows += 1
            try:
                at = moments.read(values[index["time"]])
                if at is None:
                    raise ValueError(at)
                reason = text_of(values[index["reason"]]) if index["reason"] >= 0 else ""
                for node in names_in(text_of(values[index["node"]])):
                    shots.row(at, node, text_of(values[index["state"]]), reason)
            except HostlistError as error:
                broken.add(place, f"no list of nodes: {error}")
            except OrderUnknown as date:
                broken.add(place, EITHER, str(date))
            except ValueError:
                broken.add(place, "no moment, or earlier than the row before of this node", values[index["time"]])
        aware = moments.aware
    return [NO_ZONE] if aware is False else []


def _read_blocks(paths: Sequence[Path], asked: Asked, shots: Snapshots, broken: Broken, told: list[str]) -> bool:
    """Read what sinfo printed; return whether it was `sinfo -R`."""
    # Slurm prints times of the wall clock; so are those of `date` in the same shell, whatever zone it adds.
    listing, clock = False, Clock(asked.year, wall=True)
    late = False
    at: float | None = None
    header: list[str] = []
    listed: dict[str, tuple[float, str]] = {}

    def end_block() -> None:
        """Compare the nodes that were listed with those that are out."""
        if not listing or not header:
            return
        if at is not None:  # without a time, nobody knows when what is no more in the list was back
            shots.found.see(at)
            shots.times += 1
            for node, (begun, _, _) in list(shots.out.items()):
                anew = listed.get(node, (at, ""))[0]
                if anew > begun:  # listed with a later beginning, or no more
                    shots.back(node, min(at, anew))
        for node, (since, kind) in listed.items():
            shots.out.setdefault(node, (since, kind, NAN))

    for place, _, line in places(paths, broken):
        whole = line.strip()
        try:
            now = clock.alone(whole)
        except ValueError:
            broken.add(place, "no such time", whole)
            continue
        if now is not None:
            end_block()
            header, listed = [], {}
            late = at is not None and now < at
            if late:
                broken.add(place, "earlier than the snapshot before", whole)
            else:
                for node in [each for each, (begun, _, _) in shots.out.items() if at is None and begun > now]:
                    del shots.out[node]  # of a list without a time above
                    broken.add(place, "a snapshot that is earlier than what was out in the list before", node)
                at = now
            continue
        if late:
            continue
        words = line.split()
        if "NODELIST" in words and ({"REASON", "TIMESTAMP"} <= set(words) or "STATE" in words):
            if header and listing:
                end_block()
                listed = {}
            header, listing = words, listing or "TIMESTAMP" in words
            continue
        if not header:
            broken.add(place, "neither a time nor below a header of sinfo", whole[:60])
            continue
        shots.found.rows += 1
        try:
            if "TIMESTAMP" in header:
                _listed(line, at, clock, listed)
            else:
                _shown(words, header, at, shots)
        except HostlistError as error:
            broken.add(place, f"no list of nodes: {error}")
        except ValueError:
            broken.add(place, "not a row of sinfo, or of another time than its snapshot", whole[:60])
    end_block()
    told += clock.told()
    return listing


def _listed(line: str, at: float | None, clock: Clock, listed: dict[str, tuple[float, str]]) -> None:
    """Note a row of `sinfo -R`; raises ValueError, HostlistError."""
    hit = _REASON_ROW.fullmatch(line) if len(line) <= MOST_ROW else None
    stamp = clock.stamp(hit["since"] + " ") if hit else None
    if hit is None or stamp is None:
        raise ValueError(line)
    since = clock.moment(stamp)
    if at is not None and since > at:
        raise ValueError(line)
    kind = kind_of(hit["reason"], out_as(hit["state"] or "") or "down")
    for node in names_in(hit["nodes"]):
        listed[node] = since, kind


def _shown(words: Sequence[str], header: Sequence[str], at: float | None, shots: Snapshots) -> None:
    """Note a row of `sinfo -N`; raises ValueError, HostlistError."""
    place, state = header.index("NODELIST"), header.index("STATE")
    if at is None or len(words) <= max(place, state):
        raise ValueError(words)
    reason = " ".join(words[len(header) - 1 :]) if header[-1] == "REASON" else ""
    for node in names_in(words[place]):
        shots.row(at, node, words[state], reason)


# --- sinfo --json -------------------------------------------------------------------------------------------------
# Members have the names of Slurm's data_parser (github.com/SchedMD/slurm, src/plugins/data_parser/v0.0.41/parsers.c,
# SINFO_DATA: "node/state", "nodes/nodes", "reason/description", "reason/time"; slurm.schedmd.com/rest_api, v0.0.44_node
# for "nodes": "name", "state", "reason", "reason_changed_at", beside them "last_update"). 21.08 has "state_flags".


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


def as_json(paths: Sequence[Path], asked: Asked) -> Records:
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
