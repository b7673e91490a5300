"""Where a record of outages does not fit the cluster that replays it, said before anything is simulated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.hazards import Hazard
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.scenario.model import Scenario
from dcsim.topology import Topology
from dcsim.topology.build import build
from dcsim.units import MS_PER_H

MOST_EVENTS = 20_000
"""Failures within the horizon that are looked at one by one; source: assumed, two laps of the longest trace."""

_TAKES_OUT = ("interrupt", "straggle")
_IN_CAPITALS = ("gpu", "psu", "cdu")


@dataclass(frozen=True)
class Overlap:
    """Recorded failures of a hazard that do nothing, because what they name is out already from an earlier one.

    ``dropped`` of ``failures``: within the horizon, or if ``each_lap`` each time the record is replayed. ``exact``: not
    an estimate, as it is where times are drawn, crews are short or the group that goes down depends on a job.
    """

    hazard: int
    dropped: int
    failures: int
    each_lap: bool
    exact: bool


Traced = list[tuple[int, Hazard, TraceLifetime]]
"""Hazards with a trace, each with its number in the scenario."""


def record_cautions(scenario: Scenario) -> list[str]:
    """Return what should be known before a record is replayed on this cluster, a sentence or two each.

    Its file has lines that are left out, or outages that had not ended; the record has more components than the
    cluster, or fewer; failures fall on what is out already; none falls within the horizon.
    """
    traced = _traced(scenario)
    if not traced:
        return []
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    found = list(dict.fromkeys(f"{note}." for _, _, trace in traced for note in trace.notes or ()))
    for group in _records(traced):
        found += _sizes(group, topology)
    found += [_said(each, scenario.hazards[each.hazard]) for each in overlaps(scenario) if each.dropped]
    for _, hazard, trace in traced:
        begins = int(trace.times.min())
        if trace.start == "fixed" and begins >= scenario.horizon:
            first, horizon = (f"{time / MS_PER_H:,.6g} h" for time in (begins, scenario.horizon))
            found.append(f"{_subject([hazard])}: its first failure comes at {first}, after the horizon of {horizon}.")
    return found


def records_told(scenario: Scenario) -> list[str]:
    """Return how the files of its traces were read: what each was taken for, and which columns hold what."""
    return list(dict.fromkeys(told for _, _, trace in _traced(scenario) if trace.at for told in trace.at.told))


def overlaps(scenario: Scenario) -> list[Overlap]:
    """Count, for every hazard with named components, the recorded failures that find their component out already.

    Only recorded failures are looked at: those with a fixed start together, else one record at a time, in a ring.
    """
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    traced = [each for each in _traced(scenario) if each[2].component is not None]
    fixed = [each for each in traced if each[2].start == "fixed"]
    if sum(len(trace.times) * -(-scenario.horizon // trace.span_ms) for _, _, trace in fixed) > MOST_EVENTS:
        fixed = []
    found = _swept(fixed, topology, 0, scenario.horizon) if fixed else []
    for group in _records([each for each in traced if each not in fixed]):
        if 2 * sum(len(trace.times) for _, _, trace in group) > MOST_EVENTS:
            continue
        span = group[0][2].span_ms
        ring = [(n, each, trace.model_copy(update={"start": "fixed", "repeat": True})) for n, each, trace in group]
        found += _swept(ring, topology, span, 2 * span)
    return sorted(found, key=lambda overlap: overlap.hazard)


def _traced(scenario: Scenario) -> Traced:
    each = ((number, hazard, hazard.lifetime) for number, hazard in enumerate(scenario.hazards))
    return [(number, hazard, trace) for number, hazard, trace in each if isinstance(trace, TraceLifetime)]


def _records(traced: Traced) -> list[Traced]:
    """Return the hazards by record and by what fails."""
    groups: dict[tuple[str, str, str], Traced] = {}
    for number, hazard, trace in traced:
        key = ("record", trace.record, hazard.component) if trace.record else ("hazard", hazard.key, "")
        groups.setdefault(key, []).append((number, hazard, trace))
    return list(groups.values())


# --- more components, or fewer ----------------------------------------------------------------------------------------


def _sizes(group: Traced, topology: Topology) -> Iterator[str]:
    """Yield what follows if a record's components are not as many as the cluster's."""
    hazards = [hazard for _, hazard, _ in group]
    kind, subject = hazards[0].component, _subject(hazards)
    has = topology.components(kind)
    named: set[int] = set()
    for _, _, trace in group:
        named.update([] if trace.component is None else np.unique(trace.component.array).tolist())
    said = max((trace.components or 0 for _, _, trace in group), default=0)
    recorded = said or len(named)
    if not recorded:
        return
    sizes = f"{'is of' if said else 'names'} {_many(recorded, kind)}, the cluster has {has:,}"
    if recorded > has or len({component % has for component in named}) < len(named):
        folded = f"Recorded {kind} i is {kind} i modulo {has:,} here, so several recorded {_plural(kind)} are one"
        if has == 1:
            folded = f"All of them are the one {kind} here"
        often = f"; a {kind} fails {recorded / has:.3g} times as often as in the record" if recorded > has else ""
        yield f"{subject} {sizes}. {folded}{often}."
    elif recorded < has:
        others = "The other one never fails" if has - recorded == 1 else f"The other {has - recorded:,} never fail"
        rest = others if named else "Which of them fails is drawn"
        unless = "" if said else f"; if more {_plural(kind)} were recorded, say how many in components"
        yield f"{subject} {sizes}. {rest}: the cluster has the failures of {_many(recorded, kind)}{unless}."


def _said(overlap: Overlap, hazard: Hazard) -> str:
    """Say how many recorded failures do nothing."""
    count, kind = overlap.dropped, hazard.component
    lap = "each time it is replayed, " if overlap.each_lap else ""
    within = "" if overlap.each_lap else " within the horizon"
    failures = f"{'' if overlap.exact else 'about '}{count:,} of its {_many(overlap.failures, 'failure')}{within}"
    comes, them = ("comes", "it") if count == 1 else ("come", "them")
    out = f"{comes} while the {kind.upper() if kind in _IN_CAPITALS else kind} that it names is out already"
    return f"{_subject([hazard])}: {lap}{failures} {out}. The simulation drops {them}."


def _subject(hazards: Sequence[Hazard]) -> str:
    names = ", ".join(f'"{hazard.key}"' for hazard in hazards[:5]) + (", ..." if len(hazards) > 5 else "")
    return f"The record of hazard{'s' if len(hazards) > 1 else ''} {names}"


def _many(count: int, kind: str) -> str:
    word = kind if count == 1 else _plural(kind)
    return f"{count:,} {word.upper() if word in _IN_CAPITALS else word}"


def _plural(kind: str) -> str:
    if kind in _IN_CAPITALS:
        return f"{kind.upper()}s"
    return {"leaf": "leaves", "shelf": "shelves"}.get(kind, f"{kind}s")


# --- failures of what is out already ----------------------------------------------------------------------------------


def _swept(traced: Traced, topology: Topology, begin: int, end: int) -> list[Overlap]:
    """Go through the recorded failures in [0, end) in order; count those from ``begin`` on, and those that do nothing.

    A failure does nothing while all GPUs of its component are out, or while a component that serves others, or is slow,
    is under repair. What returns at the instant of a failure is back before it.
    """
    until = np.zeros(topology.gpus, dtype=np.int64)
    under_repair: dict[tuple[int, int], int] = {}
    rng = np.random.default_rng(0)  # not read: these records begin at their beginning
    events = []
    for number, hazard, trace in traced:
        if hazard.effect in ("kill", "corrupt"):  # what they do depends on the jobs that run
            continue
        times, rows = trace.replay(rng, end)
        events += [(at, number, row, hazard, trace) for at, row in zip(times.tolist(), rows.tolist(), strict=True)]
    events.sort(key=lambda event: event[:2])
    counts = {number: [0, 0] for number, _, _ in traced}
    for at, number, row, hazard, trace in events:
        assert trace.component is not None
        component = trace.component[row] % topology.components(hazard.component)
        own = hazard.serves or hazard.effect != "interrupt"
        low, high = (0, 0) if hazard.serves else topology.span(hazard.component, component)
        standing = np.flatnonzero(until[low:high] <= at) + low
        lost = under_repair.get((number, component), 0) > at if own else False
        lost = lost or (not hazard.serves and not len(standing))
        if at >= begin:
            counts[number][0] += lost
            counts[number][1] += 1
        if lost:
            continue
        repair = hazard.mean_repair_ms if trace.repair is None else trace.repair[row] + hazard.requalify
        back = at + round(hazard.mean_detect_ms + repair)
        if own:
            under_repair[number, component] = back
        if not hazard.serves and hazard.effect in _TAKES_OUT:
            low, high = _struck(hazard, topology, int(standing[0]))
            group = until[low:high]
            group[group <= at] = back
    lapped = begin > 0
    return [
        Overlap(number, counts[number][0], counts[number][1], lapped, _exact(hazard, trace))
        for number, hazard, trace in traced
        if counts[number][1]
    ]


def _struck(hazard: Hazard, topology: Topology, gpu: int) -> tuple[int, int]:
    """Return the range of GPUs that goes down with one; a blast of a number of GPUs is taken to be aligned."""
    part = hazard.struck_part
    if part is not None:
        return topology.span(part, gpu // topology.gpus_per(part))
    assert isinstance(hazard.blast, int)
    low = gpu // hazard.blast * hazard.blast
    return low, min(low + hazard.blast, topology.gpus)


def _exact(hazard: Hazard, trace: TraceLifetime) -> bool:
    """Whether nothing but the record decides when a component is out."""
    known = isinstance(hazard.detect, int) and (trace.repair is not None or isinstance(hazard.repair, int))
    crews = any(stage.crews is not None or stage.waits for stage in hazard.stages)
    drawn = hazard.wrong_node or hazard.exposure != "always" or hazard.effect == "straggle"
    return known and not crews and not drawn and not isinstance(hazard.blast, int)
