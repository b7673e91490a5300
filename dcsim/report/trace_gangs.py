"""Tracks of gangs: what each does, what was taken from it, what strikes it; and GPUs by state over time."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from dcsim.recovery.timetable import Tier
from dcsim.report.trace_choice import Window
from dcsim.report.trace_events import Canvas, Change, Event, Piece
from dcsim.report.trace_story import SHRUNK, Row, Story, Writes

PPB = 10**9
MS_PER_H = 3_600_000
IN_STRETCH = ("running", "checkpoint")
SAYS_WHY = ("detect", "failover", "restore", "wait")
"""Phases that a strike brings about."""


def numbered(name: str) -> Callable[[int], str]:
    """Return what the n-th of several tracks is called."""
    return lambda lane: f"{name} {lane + 1}"


def is_away(row: Row) -> bool:
    """Return whether a phase is not what the gang does, but what some of its GPUs do without it."""
    return bool(row.kind) or row.why == SHRUNK or row.phase in ("repair", "unpowered", "overhead")


def job_tracks(canvas: Canvas, story: Story, group: int) -> Iterator[Event]:
    """Yield every gang's tracks: what it does with what strikes it, then on further tracks what is away from it."""
    for index in sorted(story.shown_gangs):
        if not story.gangs[index]:
            continue
        name = story.gang_name(index)
        yield from canvas.track(group, name, gang_pieces(story, index), gang_marks(story, index))
        away = (_away(row, story) for row in story.rows(story.gangs[index]) if row.what == "phase" and is_away(row))
        yield from canvas.lanes(group, numbered(f"{name}: away"), away)
    if story.nodes is not None:
        return
    for owner, title in (("spares", "free: spares"), ("rest", "free: rest")):
        rows = [row for row in story.rows(story.owners[owner]) if not is_away(row)]
        yield from canvas.track(group, title, (_piece(row, row.phase) for row in rows))
    away = (_away(row, story) for row in story.rows(story.owners["rest"]) if is_away(row))
    yield from canvas.lanes(group, numbered("free: away"), away)


def _piece(row: Row, name: str, **further: Any) -> Piece:
    return row.start, row.end, name, {"GPUs": row.gpus, **further}


def _away(row: Row, story: Story) -> Piece:
    if row.why == SHRUNK:
        name = "no use in this shape" if row.phase == "overhead" else row.phase
        return _piece(row, name, why="the gang runs with fewer GPUs than it has")
    why = {"why": row.why} if row.why else {}
    return _piece(row, row.phase, **why, **({"where": story.address(row.kind, row.where)} if row.kind else {}))


# --- what a gang does ---------------------------------------------------------------------------------------------


def phases(story: Story, index: int) -> Iterator[tuple[Row, list[Row], tuple[str, ...]]]:
    """Yield what a gang does, one after the other: (its row, the rows of its stretch if it runs, what struck it)."""
    stretch: list[Row] = []
    struck: list[str] = []
    ran = True
    for row in story.rows(story.gangs[index]):
        if stretch and row[:2] != stretch[0][:2]:
            yield stretch[0], stretch, ()
            stretch = []
        if row.what == "strike":
            struck = [*([] if ran else struck), *([] if row.why in struck and not ran else [row.why])]
            ran = False
        elif row.what != "phase" or is_away(row):
            continue
        elif row.phase in IN_STRETCH:
            stretch.append(row)
            ran = True
        else:
            yield row, [], tuple(struck) if row.phase in SAYS_WHY and not ran else ()
    if stretch:
        yield stretch[0], stretch, ()


def gang_pieces(story: Story, index: int) -> Iterator[Piece]:
    """Yield the slices of a gang's own track: they do not overlap."""
    writes = Writes(story.rows(story.transfers[index]))
    tiers = story.plan.gangs[index].recovery.tiers
    for row, stretch, struck in phases(story, index):
        if not stretch:
            yield _piece(row, row.phase, **({"why": ", ".join(struck)} if struck else {}))
            continue
        if row.end <= story.window[0]:
            continue
        if all(each.phase == "checkpoint" for each in stretch) or (row.phase == "running" and len(stretch) == 1):
            yield _piece(row, row.phase, **(_speed(row.speed) if row.phase == "running" else {}))
            continue
        speeds = [(each.gpu_ms // each.gpus, each.speed) for each in stretch if each.phase == "running"]
        for start, end, what in laid_out(row.start, row.end, speeds, tiers, writes, story.window):
            if isinstance(what, Tier):
                yield start, end, "checkpoint", {"GPUs": row.gpus, **({"tier": what.name} if what.name else {})}
            else:
                yield start, end, "running", {"GPUs": row.gpus, **_speed(what)}


def _speed(ppb: int) -> dict[str, float]:
    return {"speed, %": round(100 * ppb / PPB, 3)}


def laid_out(
    start: int, end: int, speeds: list[tuple[int, int]], tiers: tuple[Tier, ...], writes: Writes, window: Window
) -> Iterator[tuple[int, int, Tier | int]]:
    """Lay out a stretch of running: yield (begin, end, the tier that is written to, or the speed) of each part of it.

    ``speeds``: ms of computing at a speed, one after the other. A write follows each interval of a tier's (the fastest
    tier first); one through the gateways takes what the log says. Parts before the window are left out.
    """
    writing = [tier for tier in tiers if tier.write]
    at, computed = start, 0
    if writing:
        at, computed = _whole_periods(start, writing, tiers, writes, window[0])
    rest = iter(speeds)
    left, speed = next(rest, (0, PPB))
    passed = computed
    while passed > left:  # computed before the window
        passed -= left
        left, speed = next(rest, (passed, PPB))
    left -= passed
    while at < end and at < window[1]:
        due = end - at
        if writing:
            due = min(due, writing[0].every)  # of the fastest; the others are multiples of it
        computed += due
        while due:
            if not left:
                left, speed = next(rest, (due, PPB))
                continue
            ms = min(due, left)
            yield at, at + ms, speed
            at, due, left = at + ms, due - ms, left - ms
        for tier in writing:
            if at < end and computed % tier.every == 0:
                done = writes.end_of(at) if tier is tiers[-1] else None
                until = min(end, at + tier.write if done is None else done)
                yield at, until, tier
                at = until


def _whole_periods(
    start: int, writing: list[Tier], tiers: tuple[Tier, ...], writes: Writes, low: int
) -> tuple[int, int]:
    """Return when the last period of the slowest tier that ends before a time ends, and what was computed up to it."""
    slowest = writing[-1]
    if low <= start:
        return start, 0
    if slowest is tiers[-1] and writes.ends:
        periods = writes.done(start, low)
        return (writes.after(start, periods), periods * slowest.every) if periods else (start, 0)
    period = slowest.every + sum(slowest.every // tier.every * tier.write for tier in writing)
    periods = (low - start) // period
    return start + periods * period, periods * slowest.every


# --- what happens to it -------------------------------------------------------------------------------------------


def gang_marks(story: Story, index: int) -> Iterator[Piece]:
    """Yield what happens to a gang at an instant: strikes, identifications, rollbacks, drains, its end."""
    lost, at = 0, -1
    for row in story.rows(story.gangs[index]):
        if lost and (row.what != "rollback" or row.start != at):
            yield at, at, "rollback", {"lost, GPU-h": round(lost / MS_PER_H, 3)}
            lost = 0
        if row.what == "rollback":
            lost, at = lost + (row.gpu_ms if row.phase == "lost" else 0), row.start
        elif row.what != "phase":
            args: dict[str, Any] = {"GPUs": row.gpus}
            if row.why:
                args |= {"why": row.why, "where": story.address(row.kind, row.where)}
            yield row.start, row.start, row.what, args
    if lost:
        yield at, at, "rollback", {"lost, GPU-h": round(lost / MS_PER_H, 3)}


# --- GPUs by state ------------------------------------------------------------------------------------------------


def states_over_time(story: Story) -> Iterator[Change]:
    """Yield how the number of GPUs in each state changes; a stretch of running counts as running, its writes too."""
    low = story.window[0]
    for group in (*story.gangs, *story.owners.values()):
        last = -1, -1
        for row in story.rows(group):
            if row.what != "phase" or row.end <= low or (row.phase in IN_STRETCH and row[:2] == last):
                continue
            name = "no use in this shape" if row.phase == "overhead" else row.phase
            if row.phase in IN_STRETCH:
                name, last = "running", row[:2]
            yield row.start, name, row.gpus
            yield row.end, name, -row.gpus


def phases_over_time(story: Story, index: int) -> Iterator[tuple[int, str]]:
    """Yield (when, phase) of a gang, in order."""
    for row, stretch, _ in phases(story, index):
        yield row.start, "running" if stretch else row.phase


def chosen_over_time(story: Story, held: Iterator[tuple[int, int, str, int]]) -> Iterator[Change]:
    """Yield how the number of chosen GPUs in each state changes; ``held``: (when, gang, state if out, change)."""
    entries: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for when, gang, state, change in held:
        if state or gang < 0:
            yield when, state or "free", change
        else:
            entries[gang].append((when, "", change))
    for gang, changes in entries.items():
        steps = [(when, phase, 0) for when, phase in phases_over_time(story, gang)]
        gpus, phase = 0, "not running"
        for when, new, change in sorted(chain(changes, steps), key=lambda step: step[0]):
            if new and new != phase:
                yield when, phase, -gpus
                yield when, new, gpus
                phase = new
            if change:
                gpus += change
                yield when, phase, change
