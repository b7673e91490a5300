"""Tracks of racks, repair crews, parts of the plant and storage, and of what fails."""

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from dcsim.parts import parts_of
from dcsim.report.trace_events import Canvas, Change, Event, Piece
from dcsim.report.trace_gangs import numbered
from dcsim.report.trace_story import Row, Story

MS_PER_S = 1_000
GB_PER_GIB = 2**30 / 1e9
PPB = 10**9
MOST_NAMED = 20
"""Owners and states of a rack that a slice names."""
POWER = (*parts_of("power", "cooling"), "phase")
STORAGE = parts_of("storage")

Held = tuple[int, str, str]
"""Gang (-1: free), the state in which GPUs of it are out (empty: in service), and why."""


# --- racks --------------------------------------------------------------------------------------------------------


class Racks:
    """Who holds how many of the chosen GPUs of every rack, from when to when."""

    def __init__(self, story: Story) -> None:
        self.story = story
        topology, self.per = story.topology, story.topology.gpus_per_rack
        whole = [(0, topology.gpus)] if story.nodes is None else story.nodes.spans
        self.shown = np.zeros(topology.gpus, dtype=bool)
        for low, high in whole:
            self.shown[low:high] = True
        self.codes: dict[Held, int] = {}
        self.names: list[Held] = []
        self.slices: dict[int, list[tuple[int, int, dict[int, int]]]] = defaultdict(list)
        self.changes: list[tuple[int, int, str, int]] = []  # when, gang, state if out, by how many GPUs
        self._now: dict[int, tuple[int, dict[int, int]]] = {}
        self._code = np.full(topology.gpus, -1, dtype=np.int64)
        self._follow()

    def _follow(self) -> None:
        touched: set[int] = set()
        at = 0
        for row in self.story.rows(self.story.places):
            if row.start > at:
                self._close(touched, at)
                touched, at = set(), row.start
            held = row.gang, row.phase, row.why
            code = self.codes.setdefault(held, len(self.codes))
            if code == len(self.names):
                self.names.append(held)
            self._code[row.where : row.where + row.gpus] = code
            touched.update(range(row.where // self.per, (row.where + row.gpus - 1) // self.per + 1))
        self._close(touched, at)
        for rack, (since, holds) in self._now.items():
            self.slices[rack].append((since, self.story.window[1], holds))

    def _close(self, touched: set[int], at: int) -> None:
        """End the slices of the racks that are held otherwise from now on."""
        for rack in sorted(touched):
            span = slice(rack * self.per, (rack + 1) * self.per)
            codes, counts = np.unique(self._code[span][self.shown[span]], return_counts=True)
            holds = dict(zip(codes.tolist(), counts.tolist(), strict=True))
            since, before = self._now.get(rack, (at, {}))
            if holds == before:
                continue
            for code in sorted({*holds, *before}):
                gang, state, _ = self.names[code]
                change = holds.get(code, 0) - before.get(code, 0)
                if change:
                    self.changes.append((at, gang, state, change))
            if before and at > since:
                self.slices[rack].append((since, at, before))
            self._now[rack] = at, holds

    def pieces(self, rack: int) -> Iterator[Piece]:
        """Yield the slices of a rack: whose it is, or how much of it is out, and in full who holds how much."""
        story = self.story
        for start, end, holds in self.slices[rack]:
            gpus = sum(holds.values())
            owners = [self.names[code][0] for code in holds if not self.names[code][1]]
            out = sum(count for code, count in holds.items() if self.names[code][1])
            names = [story.gang_name(gang) for gang in owners]
            name = ", ".join(names) if len(names) <= 2 else f"{len(names)} gangs"
            args: dict[str, Any] = {"GPUs": gpus}
            for code, count in sorted(holds.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED]:
                gang, state, why = self.names[code]
                what = f"{state}{f' ({why})' if why else ''}, of {story.gang_name(gang)}"
                args[f"{what if state else story.gang_name(gang)}, GPUs"] = count
            yield start, end, f"{out} of {gpus} GPUs out" if out else name, args


def rack_tracks(canvas: Canvas, story: Story, racks: Racks, group: int) -> Iterator[Event]:
    """Yield a track for each rack that is shown; one that says so where no GPU has a place."""
    if not story.places:
        low, high = story.window
        why = "blasts are typed as numbers of GPUs, so nothing in this scenario depends on where a GPU is"
        yield from canvas.track(group, "no racks", [(low, high, "no GPU has a place", {"why": why})])
    for rack in sorted(racks.slices):
        if racks.shown[rack * racks.per : (rack + 1) * racks.per].any():
            yield from canvas.track(group, f"rack/{rack}", racks.pieces(rack))


# --- crews --------------------------------------------------------------------------------------------------------


def crew_tracks(canvas: Canvas, story: Story, group: int) -> Iterator[Event]:
    """Yield a track for each crew at work, tests and replacements beside them, and how many repairs wait for one."""
    crews: dict[str, list[int]] = {}
    sizes: dict[str, int] = {}
    for hazard in story.plan.scenario.hazards:
        for number, stage in enumerate(hazard.stages, 1):
            name = stage.name or hazard.key + (f", stage {number}" if len(hazard.stages) > 1 else "")
            crews.setdefault(name, [])
            if stage.crews is not None:
                sizes[name] = stage.crews
    queues: list[int] = []
    others: dict[str, list[int]] = {"test": [], "replace": []}
    for index, row in zip(story.repairs, story.rows(story.repairs), strict=True):
        if story.shows(row):
            (queues if row.what == "queue" else crews[row.crews] if row.what == "work" else others[row.what]).append(
                index
            )
    for name, indices in crews.items():
        size = f" (of {sizes[name]})" if name in sizes else ""
        yield from canvas.lanes(group, _lane(name, size), (_repair(row, story) for row in story.rows(indices)))
    for name, title in (("test", "test after repair"), ("replace", "retired, waiting for a new one")):
        yield from canvas.lanes(group, numbered(title), (_repair(row, story) for row in story.rows(others[name])))
    waiting = (
        change
        for row in story.rows(queues)
        for change in ((row.start, f"waiting for {row.crews}", 1), (row.end, f"waiting for {row.crews}", -1))
    )
    yield from canvas.counters(group, "repairs", waiting)


def _lane(name: str, size: str) -> Any:
    return lambda lane: f"{name} {lane + 1}{size}"


def _repair(row: Row, story: Story) -> Piece:
    whose = {"struck in": story.gang_name(row.gang)} if row.owner else {}
    where = story.address(row.kind, row.where)
    return row.start, row.end, row.why, {"where": where, "GPUs": row.gpus, **whose, "failure": row.failure}


# --- the plant ----------------------------------------------------------------------------------------------------


def outages(story: Story) -> dict[tuple[str, int], list[Piece]]:
    """Return when each part of the plant was out, by kind and index."""
    open_: dict[tuple[str, int, str, int], deque[Row]] = defaultdict(deque)
    found: dict[tuple[str, int], list[Piece]] = defaultdict(list)
    horizon = story.plan.scenario.horizon

    def closed(row: Row, end: int) -> None:
        args: dict[str, Any]
        if row.kind == "phase":
            racks = story.plan.phase_racks[row.where]
            what = f"racks {racks[0]} to {racks[1] - 1}" if racks[1] else "the site's feeds"
            name, args = f"{row.why}: no power yet", {"what": what}
        else:
            name, args = row.why, {"left, %": round(100 * row.speed / PPB, 3), "failure": row.failure}
        found[row.kind, row.where].append((row.start, end, name, args))

    for row in story.rows(story.parts):
        if not story.reaches(row.kind, row.where):
            continue
        key = row.kind, row.where, row.why, row.failure
        if row.what == "out":
            open_[key].append(row)
        else:
            closed(open_[key].popleft(), row.start)
    for rows in open_.values():
        for row in rows:
            closed(row, horizon)
    return found


def part_tracks(
    canvas: Canvas, story: Story, group: int, found: dict[tuple[str, int], list[Piece]], kinds: tuple[str, ...]
) -> Iterator[Event]:
    """Yield a track for every part of these kinds that is out within the window."""
    for kind in kinds:
        for part in sorted(part for part in found if part[0] == kind):
            name = story.address(*part) if kind != "phase" else "energisation"
            yield from canvas.lanes(group, _part(name), found[part])


def _part(name: str) -> Any:
    return lambda lane: name if not lane else f"{name} ({lane + 1})"


# --- storage ------------------------------------------------------------------------------------------------------


def storage_tracks(canvas: Canvas, story: Story, group: int) -> Iterator[Event]:
    """Yield what each gang reads and writes through the gateways, at which share of its own rate, and the sum."""
    for index in sorted(story.shown_gangs):
        if story.transfers[index]:
            rows = story.rows(story.transfers[index])
            yield from canvas.track(group, story.gang_name(index), (_transfer(row, story) for row in rows))
    yield from canvas.counters(group, "GB/s", _moved(story))


def _rate(row: Row, story: Story) -> float:
    """What a gang moves with storage to itself [GB/s]."""
    gang = story.plan.gangs[row.gang]
    use = story.plan.scenario.jobs[gang.job].storage
    assert use is not None  # else it moves nothing
    time = use.load if row.what == "load" else gang.recovery.tiers[-1].write
    return use.state * GB_PER_GIB / time * MS_PER_S


def _transfer(row: Row, story: Story) -> Piece:
    share = row.speed / PPB
    args = {"GPUs": row.gpus, "of its own rate, %": round(100 * share, 3), "GB/s": round(_rate(row, story) * share, 3)}
    return row.start, row.end, row.what if row.speed == PPB else f"{row.what}, shared", args


def _moved(story: Story) -> Iterator[Change]:
    for index in sorted(story.shown_gangs):
        for row in story.rows(story.transfers[index]):
            if row.end > story.window[0]:
                rate = _rate(row, story) * row.speed / PPB
                yield row.start, f"{row.what}s", rate
                yield row.end, f"{row.what}s", -rate


# --- failures -----------------------------------------------------------------------------------------------------


def failure_tracks(canvas: Canvas, story: Story, group: int) -> Iterator[Event]:
    """Yield a track for every hazard, with its failures."""
    marks: dict[str, list[int]] = {hazard.key: [] for hazard in story.plan.scenario.hazards}
    for index, row in zip(story.failures, story.rows(story.failures), strict=True):
        if row.start >= story.window[0] and story.shows(row):
            marks[row.why].append(index)
    for name, indices in marks.items():
        pieces = (
            (row.start, row.start, name, {"where": story.address(row.kind, row.where), "failure": row.failure})
            for row in story.rows(indices)
        )
        yield from canvas.track(group, name, (), pieces)
