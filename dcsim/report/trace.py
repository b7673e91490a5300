"""One replication as a trace that chrome://tracing and ui.perfetto.dev open: who did what, when, track by track."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from dcsim import __version__
from dcsim.parts import PARTS
from dcsim.problems import located, wrong
from dcsim.report.trace_choice import LONGEST, Nodes, TraceError, Window
from dcsim.report.trace_choice import nodes_of as nodes_of
from dcsim.report.trace_choice import window_of as window_of
from dcsim.report.trace_events import Canvas, Event
from dcsim.report.trace_gangs import chosen_over_time, job_tracks, states_over_time
from dcsim.report.trace_plant import (
    POWER,
    STORAGE,
    Racks,
    crew_tracks,
    failure_tracks,
    outages,
    part_tracks,
    rack_tracks,
    storage_tracks,
)
from dcsim.report.trace_story import Story
from dcsim.scenario import Plan, Scenario, sha256
from dcsim.scenario.plan import plan
from dcsim.scenario.sampled import sampled
from dcsim.units import DURATION, MS_PER_H, write

if TYPE_CHECKING:
    from dcsim.engine import EventLog

MOST_BY_ITSELF = 250_000
"""Events up to which a trace shows the whole horizon if nobody chooses (assumed: about 40 MB, opened in seconds)."""
MOST = 2_000_000
"""Events that a trace may have (assumed: about 300 MB, more than a browser likes)."""
NETWORK = tuple(kind for kind in PARTS if kind not in (*POWER, *STORAGE))
STEPS = tuple(MS_PER_H * 2**power * part // 2 for power in range(40) for part in (2, 3))
"""Windows to choose from where the whole horizon does not fit [ms]: 1 h, 1.5 h, 2 h, 3 h, 4 h, 6 h, ..."""


@dataclass(frozen=True)
class Bounds:
    """What a trace shows: its window, how many events it has, and in words what was left out without being asked."""

    window: Window
    events: int
    notes: tuple[str, ...]


def bounds_of(
    log: "EventLog", scenario: Scenario, replication: int, window: Window | None = None, nodes: Nodes | None = None
) -> Bounds:
    """Say what ``trace_json`` will show; without a window the whole horizon, or the first part of it that fits.

    Raises TraceError if that is too much, or if nodes are chosen where no GPU has a place.
    """
    planned = plan(sampled(scenario, replication))
    notes: tuple[str, ...] = ()
    if "place" not in log.columns()["what"]:
        why = "no GPU of this scenario has a place: its blasts are typed as numbers of GPUs"
        if nodes is not None:
            raise TraceError([located("nodes", wrong(nodes.text, f"{why}; leave out the choice"))])
        notes = (f"shows no racks: {why}",)
    if window is not None:
        events = _count(log, planned, window, nodes, MOST)
        if events > MOST:
            raise TraceError([f"window: more than {MOST:,} events; choose a shorter window, or fewer nodes"])
        return Bounds(window, events, notes)
    horizon = planned.scenario.horizon
    end = min(horizon, LONGEST)
    events = _count(log, planned, (0, end), nodes, MOST_BY_ITSELF)
    if events <= MOST_BY_ITSELF:
        if end < horizon:
            notes += (
                f"shows the first {write(end, DURATION)} of {write(horizon, DURATION)}: browsers count no further",
            )
        return Bounds((0, end), events, notes)
    first, events = _first_that_fits(log, planned, end, nodes)
    if events > MOST:
        raise TraceError([f"nodes: more than {MOST:,} events within {_hours(first)}; choose a window and nodes"])
    why = f"all of it is more than {MOST_BY_ITSELF:,} events; choose another window, or nodes"
    return Bounds((0, first), events, (*notes, f"shows the first {_hours(first)} of {write(horizon, DURATION)}: {why}"))


def _first_that_fits(log: "EventLog", planned: Plan, end: int, nodes: Nodes | None) -> tuple[int, int]:
    """Return how much of the horizon can be shown by itself [ms], one of STEPS, and its events."""
    steps = [step for step in STEPS if step < end] or [end]

    def count(at: int) -> int:
        return _count(log, planned, (0, steps[at]), nodes, MOST_BY_ITSELF)

    at = bisect_right(steps, max(end // 64, steps[0])) - 1
    events = count(at)
    if events <= MOST_BY_ITSELF:  # what a small part has says how long a part may be, about
        guess = bisect_right(steps, steps[at] * MOST_BY_ITSELF // events) - 1
        if guess > at and (found := count(guess)) <= MOST_BY_ITSELF:
            at, events = guess, found
        elif guess > at:
            steps = steps[:guess]
        while at + 1 < len(steps) and (found := count(at + 1)) <= MOST_BY_ITSELF:
            at, events = at + 1, found
        return steps[at], events
    while at and events > MOST_BY_ITSELF:
        at, events = at - 1, count(at - 1)
    return steps[at], _count(log, planned, (0, steps[at]), nodes, MOST)


def trace_json(
    log: "EventLog", scenario: Scenario, replication: int, window: Window | None = None, nodes: Nodes | None = None
) -> Iterator[str]:
    """Yield a trace in the Trace Event Format, JSON, piece by piece; the same bytes for the same replication.

    ``log``: of this replication. ``window``, ``nodes``: as ``window_of`` and ``nodes_of`` read them; without a window
    as ``bounds_of`` says, which also says whether a window is too much. Times are microseconds of simulated time from
    the start of the horizon.
    """
    if window is None:
        window = bounds_of(log, scenario, replication, None, nodes).window
    planned = plan(sampled(scenario, replication))
    about = {
        "scenario": scenario.name,
        "scenario_sha256": sha256(scenario),
        "seed": scenario.seed,
        "replication": replication,
        "dcsim": __version__,
        "horizon": write(scenario.horizon, DURATION),
        "window": " to ".join(write(side, DURATION) for side in window),
        "nodes": "all" if nodes is None else nodes.text,
        "times": "microseconds of simulated time from the start of the horizon",
    }
    yield f'{{"displayTimeUnit":"ms","otherData":{_encoded(about)},"traceEvents":[\n'
    before = ""
    for event in events_of(log, planned, window, nodes):
        yield before + _encoded(event)
        before = ",\n"
    yield "\n]}\n"


def events_of(log: "EventLog", planned: Plan, window: Window, nodes: Nodes | None) -> Iterator[Event]:
    """Yield the events of a trace: groups from the whole to its parts, tracks of a group in order."""
    story, canvas = Story(log, planned, window, nodes), Canvas(window)
    racks = Racks(story)
    changes = states_over_time(story) if nodes is None else chosen_over_time(story, iter(racks.changes))
    gpus = planned.topology.gpus if nodes is None else nodes.gpus
    found = outages(story)
    yield from canvas.group(1, f"GPUs by state ({gpus:,} GPUs)", canvas.counters(1, "GPUs", changes))
    yield from canvas.group(2, "Jobs", job_tracks(canvas, story, 2))
    yield from canvas.group(3, "Racks", rack_tracks(canvas, story, racks, 3))
    yield from canvas.group(4, "Repair crews", crew_tracks(canvas, story, 4))
    yield from canvas.group(5, "Power and cooling", part_tracks(canvas, story, 5, found, POWER))
    yield from canvas.group(6, "Network", part_tracks(canvas, story, 6, found, NETWORK))
    storage = part_tracks(canvas, story, 7, found, STORAGE), storage_tracks(canvas, story, 7)
    yield from canvas.group(7, "Storage", *storage)
    yield from canvas.group(8, "Failures", failure_tracks(canvas, story, 8))


def _count(log: "EventLog", planned: Plan, window: Window, nodes: Nodes | None, most: int) -> int:
    """Return how many events a trace has; ``most`` + 1 if it has more."""
    return sum(1 for _ in islice(events_of(log, planned, window, nodes), most + 1))


def _encoded(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _hours(ms: int) -> str:
    """Write a window of whole or half hours, or of days."""
    hours = ms / MS_PER_H
    return f"{hours:g} h" if hours < 24 else f"{hours / 24:.1f} d"
