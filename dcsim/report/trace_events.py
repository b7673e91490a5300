"""Events of the Trace Event Format that chrome://tracing and ui.perfetto.dev read, as dicts; tracks and their lanes.

Perfetto drops slices of one thread that overlap without nesting, so slices that do go to as many lanes as they need.
It lists threads by their number, which therefore rises in the order in which they are to be seen.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import chain, count
from typing import Any

from dcsim.report.trace_choice import Window

Event = dict[str, Any]
Piece = tuple[int, int, str, dict[str, Any]]
"""Begin and end [ms], name and what is said of it."""
Change = tuple[int, str, float]
"""When [ms], which value, and by how much it changes."""
US_PER_MS = 1_000
FIRST_TRACK = 101
"""Number of the first track, above those of groups: Perfetto puts a thread that has its process's number first."""


class Canvas:
    """Groups and tracks of one trace, cut to its window; numbers tracks as they come."""

    def __init__(self, window: Window) -> None:
        self.low, self.high = window
        self._tracks = count(FIRST_TRACK)

    # --- groups and tracks ----------------------------------------------------------------------------------------

    def group(self, number: int, name: str, *parts: Iterable[Event]) -> Iterator[Event]:
        """Yield a group (a process) with its events; nothing if it has none."""
        events = chain.from_iterable(parts)
        first = next(events, None)
        if first is None:
            return
        yield _about(number, number, "process_name", {"name": name})
        yield _about(number, number, "process_sort_index", {"sort_index": number})
        yield first
        yield from events

    def track(self, group: int, name: str, pieces: Iterable[Piece], marks: Iterable[Piece] = ()) -> Iterator[Event]:
        """Yield a track: slices that do not overlap, and what happens at an instant; nothing if it is empty."""
        events = chain(
            (self._slice(group, piece) for piece in pieces if self._seen(piece)),
            (self._mark(group, mark) for mark in marks if self.low <= mark[0] < self.high),
        )
        track = 0
        for event in events:
            if not track:
                track = next(self._tracks)
                yield from self._named(group, track, name)
            event["tid"] = track
            yield event

    def lanes(self, group: int, name: Callable[[int], str], pieces: Iterable[Piece]) -> Iterator[Event]:
        """Yield slices that may overlap, on as many tracks as they need; ``name``: of the n-th of them, from 0."""
        ends: list[tuple[int, int]] = []
        free: list[int] = []
        tracks: list[int] = []
        for piece in sorted((piece for piece in pieces if self._seen(piece)), key=lambda piece: piece[:2]):
            while ends and ends[0][0] <= piece[0]:
                heappush(free, heappop(ends)[1])
            if not free:
                tracks.append(next(self._tracks))
                heappush(free, len(tracks) - 1)
                yield from self._named(group, tracks[-1], name(len(tracks) - 1))
            lane = heappop(free)
            heappush(ends, (piece[1], lane))
            event = self._slice(group, piece)
            event["tid"] = tracks[lane]
            yield event

    def counters(self, group: int, unit: str, changes: Iterable[Change]) -> Iterator[Event]:
        """Yield values over time; all of them at the window's begin, then each when it has changed."""
        values: dict[str, float] = {}
        written: dict[str, float] = {}
        at = self.low
        for when, name, change in sorted(changes, key=lambda change: change[:2]):
            if when >= self.high:
                break
            if max(when, self.low) > at:
                yield from self._values(group, unit, at, values, written)
            at = max(when, self.low)
            values[name] = values.get(name, 0) + change
        yield from self._values(group, unit, at, values, written)

    def _values(
        self, group: int, unit: str, at: int, values: dict[str, float], written: dict[str, float]
    ) -> Iterator[Event]:
        for name in sorted(values):
            value = round(values[name], 3) + 0
            if written.get(name) != value:
                written[name] = value
                yield {
                    "ph": "C", "pid": group, "tid": group, "ts": US_PER_MS * at, "name": name, "args": {unit: value}
                }  # fmt: skip

    # --- one event ------------------------------------------------------------------------------------------------

    def _seen(self, piece: Piece) -> bool:
        return self.low < piece[1] > piece[0] < self.high  # what takes no time is left out

    def _slice(self, group: int, piece: Piece) -> Event:
        start, end = max(piece[0], self.low), min(piece[1], self.high)
        span = {"ts": US_PER_MS * start, "dur": US_PER_MS * (end - start)}
        return {"ph": "X", "pid": group, "tid": 0, **span, "name": piece[2], "args": piece[3]}

    def _mark(self, group: int, mark: Piece) -> Event:
        when = {"ts": US_PER_MS * mark[0], "s": "t"}
        return {"ph": "i", "pid": group, "tid": 0, **when, "name": mark[2], "args": mark[3]}

    def _named(self, group: int, track: int, name: str) -> Iterator[Event]:
        yield _about(group, track, "thread_name", {"name": name})
        yield _about(group, track, "thread_sort_index", {"sort_index": track})


def _about(group: int, track: int, what: str, args: dict[str, Any]) -> Event:
    return {"ph": "M", "pid": group, "tid": track, "ts": 0, "name": what, "args": args}
