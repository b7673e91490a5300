"""A strict reader of the Trace Event Format: what ui.perfetto.dev would drop, misplace or misname is an error here."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]
KEYS = {
    "X": {"ph", "pid", "tid", "ts", "dur", "name", "args"},
    "i": {"ph", "pid", "tid", "ts", "s", "name", "args"},
    "C": {"ph", "pid", "tid", "ts", "name", "args"},
    "M": {"ph", "pid", "tid", "ts", "name", "args"},
}
ABOUT = {"process_name": "name", "thread_name": "name", "process_sort_index": "sort_index"}
ABOUT |= {"thread_sort_index": "sort_index"}
SAFE = 2**53
"""Whole numbers below it are exact in a browser."""


def _refused(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs), f"a key comes twice: {pairs}"
    return dict(pairs)


class Trace:
    """A trace that keeps all rules: its events, and the names of its groups and tracks."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self.text = "".join(pieces)
        assert self.text.isascii()
        document = json.loads(self.text, parse_constant=_refused, object_pairs_hook=_once)
        assert set(document) == {"displayTimeUnit", "otherData", "traceEvents"}
        assert document["displayTimeUnit"] in ("ms", "ns")
        self.about: dict[str, Any] = document["otherData"]
        self.events: list[Event] = document["traceEvents"]
        self.names: dict[tuple[int, int], str] = {}
        self.groups: dict[int, str] = {}
        for event in self.events:
            _keeps_the_format(event)
            if event["ph"] == "M" and "name" in event["args"]:
                self._named(event)
        self._tracks_are_known()
        self._nothing_overlaps()

    def _named(self, event: Event) -> None:
        known = self.groups if event["name"] == "process_name" else self.names
        key = event["pid"] if event["name"] == "process_name" else (event["pid"], event["tid"])
        assert key not in known, f"{key} has two names"
        known[key] = event["args"]["name"]
        assert "/" not in event["args"]["name"] or event["name"] == "thread_name"  # Perfetto cuts a path off there

    def _tracks_are_known(self) -> None:
        sorted_by = {(e["pid"], e["tid"]) for e in self.events if e["name"] == "thread_sort_index"}
        used = {(e["pid"], e["tid"]) for e in self.events if e["ph"] in "Xi"}
        assert set(self.names) == sorted_by == used
        assert {e["pid"] for e in self.events if e["name"] == "process_sort_index"} == set(self.groups)
        assert {e["pid"] for e in self.events} == set(self.groups)
        tracks = [track for _, track in self.names]
        assert len(set(tracks)) == len(tracks)
        assert not set(tracks) & set(self.groups)

    def _nothing_overlaps(self) -> None:
        ends: dict[int, int] = defaultdict(int)
        for event in sorted(self.of("X"), key=lambda event: event["ts"]):
            assert event["ts"] >= ends[event["tid"]], f"{event} begins before the slice before it ends"
            ends[event["tid"]] = event["ts"] + event["dur"]

    def of(self, phase: str, group: str = "") -> list[Event]:
        """The events of a phase of the format, in a group (its name begins so)."""
        return [e for e in self.events if e["ph"] == phase and self.groups[e["pid"]].startswith(group)]

    def track(self, event: Event) -> str:
        """The name of the track that an event is on."""
        return self.names[event["pid"], event["tid"]]

    def counters(self, group: str) -> dict[int, dict[str, float]]:
        """The values of a group's counters from every instant on at which one changes [ms]."""
        found: dict[int, dict[str, float]] = {}
        now: dict[str, float] = {}
        for event in sorted(self.of("C", group), key=lambda event: event["ts"]):
            now = {**now, event["name"]: sum(event["args"].values())}
            found[event["ts"] // 1000] = now
        return found


def _keeps_the_format(event: Event) -> None:
    phase = event["ph"]
    assert set(event) == KEYS[phase], event
    for key in ("pid", "tid", "ts", "dur"):
        if key in event:
            assert type(event[key]) is int
            assert 0 <= event[key] < SAFE, event
    assert event["pid"] > 0
    assert event["tid"] > 0  # 0 is the idle thread
    assert event["ts"] % 1000 == 0
    assert isinstance(event["name"], str)
    assert event["name"]
    if phase == "X":
        assert event["dur"] > 0
    elif phase == "i":
        assert event["s"] in "tpg"
    elif phase == "C":
        assert event["args"]
        assert all(type(value) in (int, float) for value in event["args"].values())
    else:
        assert set(event["args"]) == {ABOUT[event["name"]]}


def cut(trace: Trace, low: int, high: int) -> Counter[str]:
    """What of a trace lies within a window [ms]; lanes are not told apart, their number depends on what is shown."""
    found: Counter[str] = Counter()
    for event in trace.of("X"):
        start, end = max(event["ts"], 1000 * low), min(event["ts"] + event["dur"], 1000 * high)
        if end > start:
            track = re.sub(r" \(\d+\)$|\d+", "", trace.track(event))  # as of "crew 3" or "gpu/0 (2)"
            found[f"{event['pid']} {track} {start} {end} {event['name']} {event['args']}"] += 1
    for event in trace.of("i"):
        if 1000 * low <= event["ts"] < 1000 * high:
            found[f"{trace.track(event)} {event['ts']} {event['name']} {event['args']}"] += 1
    return found
