"""How busy repair is, before anything is simulated: offered load of every crew pool, GPUs that are out on average.

Where crews have shifts, or repairs wait for a visit, the time away holds the mean wait for them. There is no formula
for the queue of crews with shifts. Left out: that a visit lasts as long as the longest repair of those that waited.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dcsim.closed_form import (
    overload_queue,
    queue_wait,
    repair_in_shifts,
    repairman_wait,
    time_in_shifts,
    wait_at_most,
    wait_for_another_visit,
    wait_for_others,
    wait_for_shift,
    wait_for_visit,
)
from dcsim.hazards import Hazard
from dcsim.hazards.repair import HOURS, RepairStage, StageUse, stage_uses
from dcsim.scenario.plan import Plan, blast_of
from dcsim.units import MS_PER_H, MS_PER_WEEK

MOST_MACHINES = 2_000
"""Up to here the wait for a crew is that of a finite number of machines; source: assumed, beyond it is M/M/c's."""


@dataclass(frozen=True)
class StageWait:
    """What shifts or a visit add to a stage: a wait of its own, and work that takes ``stretch`` times as long.

    ``first``, ``second``, ``third``: moments of the wait [h, h^2, h^3], independent of the work.
    """

    first: float = 0.0
    second: float = 0.0
    third: float = 0.0
    stretch: float = 1.0

    def adds_h(self, work_h: float) -> float:
        """Return by how much ``work_h`` of work is longer away, on average [h]."""
        return self.first + (self.stretch - 1) * work_h


@dataclass(frozen=True, eq=False)
class RepairFlow:
    """What one hazard sends to repair, with everything in service.

    ``per_h``: repairs per hour, those of healthy nodes that are blamed included; ``gpus``: out of service for each;
    ``share``: of what the hazard can strike, the part that one of its failures keeps from failing again; ``away_h``:
    from failure to return without a queue; ``repair_h``: from identification to return; ``work_h``: of it, work and
    test; ``waits_h``: the rest, for a shift or a visit. ``waits``: of each stage, when it is reached, and when
    it is done again because a test has found that it was silent.
    """

    hazard: Hazard
    per_h: float
    gpus: int
    share: float
    away_h: float
    repair_h: float
    work_h: float
    uses: tuple[StageUse, ...]
    waits: tuple[tuple[StageWait, StageWait], ...] = ()
    waits_h: float = 0.0


@dataclass(frozen=True)
class CrewPool:
    """The crews of one name.

    ``per_h``: repairs that ask for a crew per hour, ``busy_h``: mean time of a crew with one of them, ``variation``:
    variance of that time over its squared mean, ``gpus``: mean number of GPUs out with one, ``share``: as in
    ``RepairFlow``, ``think_h``: mean time from one return of a component to its next request;
    ``at_work``: share of the week that crews can work, at most, with overtime.
    """

    name: str
    size: int
    per_h: float
    busy_h: float
    variation: float
    gpus: float
    share: float
    think_h: float
    at_work: float = 1.0

    @property
    def most_busy(self) -> float:
        """Crews that can be busy on average, at most: all of them, in their hours."""
        return self.size * self.at_work

    @property
    def load(self) -> float:
        """Mean number of busy crews if nobody had to queue [erlang]."""
        return self.per_h * self.busy_h

    @property
    def needed(self) -> int:
        """Least number of crews that keeps up: above the load."""
        return int(self.load / self.at_work) + 1

    @property
    def overloaded(self) -> bool:
        """Whether the queue grows until too little is left in service to fail."""
        return self.load >= self.most_busy

    @cached_property
    def wait_h(self) -> float | None:
        """Mean wait for a crew in the long run [h]; infinite where they cannot keep up, None where they have shifts."""
        if self.overloaded:
            return float("inf")
        if self.at_work < 1:
            return None
        machines = round(1 / self.share) if self.share else MOST_MACHINES + 1
        if machines > MOST_MACHINES:
            return queue_wait(self.load, self.size, self.busy_h, self.variation)
        return repairman_wait(machines, self.size, self.think_h, self.busy_h) * (1 + self.variation) / 2

    def waiting(self, horizon_h: float) -> float:
        """Repairs that wait for a crew at the horizon, where crews cannot keep up."""
        return overload_queue(self.load, self.most_busy, self.busy_h, self.share, horizon_h)


def flows(layout: Plan) -> tuple[RepairFlow, ...]:
    """Return what every hazard sends to repair: long-run rates (bursts, ageing and lemons change when, not how often).

    A hazard that strikes only what runs (``exposure``, corruption) counts in the share of GPUs that jobs hold. One that
    only kills processes sends nothing. Of lemons that are retired the first rate is taken.
    """
    found = [_flow(layout, hazard) for hazard in layout.scenario.hazards if hazard.effect != "kill"]
    visited: dict[str | tuple[int, int], float] = defaultdict(float)
    for number, flow in enumerate(found):
        for place, (stage, use) in enumerate(zip(flow.hazard.stages, flow.uses, strict=False)):
            visited[stage.name or (number, place)] += flow.per_h * use.share
    return tuple(_in_hours(number, flow, visited) for number, flow in enumerate(found))


def _flow(layout: Plan, hazard: Hazard) -> RepairFlow:
    scenario, components = layout.scenario, layout.components(hazard)
    gpus = 0 if hazard.effect == "degrade" else blast_of(hazard, layout.topology)
    gpus = min(gpus, scenario.cluster.gpus)
    slow = hazard.serves or hazard.effect in ("straggle", "degrade")  # they remember which component has failed
    share = max(gpus / scenario.cluster.gpus, 1 / components if slow or hazard.ages or hazard.lemons else 0.0)
    per_h = components / hazard.mtbf_ms(components) * MS_PER_H
    if hazard.exposure == "running" or hazard.effect == "corrupt":
        per_h *= scenario.gpus_in_jobs / scenario.cluster.gpus
    recorded = hazard.lifetime.mean_repair_ms
    stages = stage_uses(hazard.stages, hazard.requalify_finds) if recorded is None else (StageUse(1.0, recorded, 1.0),)
    repair_h = hazard.mean_repair_ms / MS_PER_H
    away_h = hazard.mean_detect_ms / MS_PER_H + repair_h
    return RepairFlow(hazard, per_h / (1 - hazard.wrong_node), gpus, share, away_h, repair_h, repair_h, stages)


def _in_hours(number: int, flow: RepairFlow, visited: Mapping[str | tuple[int, int], float]) -> RepairFlow:
    """Add the mean wait for shifts and visits; ``visited``: repairs per hour that those of a stage meet."""
    hazard, waits, total = flow.hazard, [], 0.0
    before: RepairStage | None = None
    since_h = 0.0
    for place, (stage, use) in enumerate(zip(hazard.stages, flow.uses, strict=False)):
        work_h, per_h = use.mean_ms / MS_PER_H, visited[stage.name or (number, place)]
        first = stage_wait(stage, work_h, per_h)
        if before is not None and _same_hours(before, stage):
            first = stage_wait(stage, work_h, per_h, since_h)
        again = stage_wait(stage, work_h, per_h, work_h + hazard.requalify / MS_PER_H)
        waits.append((first, again))
        last = place == len(flow.uses) - 1
        repeated = use.share * stage.silent * hazard.requalify_finds if last else 0.0
        if use.share:
            total += (use.share - repeated) * first.adds_h(work_h)
        if repeated:
            total += repeated * again.adds_h(work_h)
        before, since_h = stage, work_h
    return replace(flow, away_h=flow.away_h + total, repair_h=flow.repair_h + total, waits=tuple(waits), waits_h=total)


def _same_hours(before: RepairStage, stage: RepairStage) -> bool:
    return stage.waits and all(getattr(before, key) == getattr(stage, key) for key in HOURS)


def stage_wait(stage: RepairStage, work_h: float, per_h: float, since_h: float | None = None) -> StageWait:
    """Return what shifts or a visit add to a stage that takes ``work_h`` [h], with a crew free.

    ``per_h``: repairs that come to those of this stage per hour. They come at any hour alike; with ``since_h`` that
    long after work in the same hours began: within a shift (about: some comes after its end, and waits), or so long
    after the begin of a visit. Else means are exact for a stage of one attempt; work that pauses is taken as stretched,
    several attempts as a long one. Of several reasons for a visit the one that has the shortest wait is taken.
    """
    week, powers = MS_PER_WEEK / MS_PER_H, (1, 2, 3)
    if stage.shifts is not None:
        shifts = [(begin / MS_PER_H, end / MS_PER_H) for begin, end in stage.on_shift]
        if since_h is not None:
            return StageWait(stretch=1.0 if stage.finishes else week / time_in_shifts(shifts, week))
        first, second, third = (wait_for_shift(shifts, week, power) for power in powers)
        if stage.finishes or not work_h:
            return StageWait(first, second, third)
        scale = stage.duration.mean_ms / MS_PER_H / work_h
        away_h = repair_in_shifts(shifts, week, work_h, lambda h: stage.duration.beyond(h * scale * MS_PER_H))
        return StageWait(first, second, third, stretch=(away_h - first) / work_h)
    ways = []
    if stage.visits is not None:
        days, cycle = [at / MS_PER_H for at in stage.visit_times], stage.visit_cycle / MS_PER_H
        if since_h is None:
            ways.append([wait_for_visit(days, cycle, power) for power in powers])
        else:
            ways.append([wait_for_another_visit(days, cycle, since_h, power) for power in powers])
    if stage.visit_when is not None:
        when = stage.visit_when
        ways.append([wait_for_others(when, per_h, power) if per_h else float("inf") for power in powers])
    if stage.visit_after is not None:
        ways.append([wait_at_most(stage.visit_after / MS_PER_H, per_h, power) for power in powers])
    return StageWait(*min(ways, default=()))


def in_service(found: Sequence[RepairFlow]) -> float:
    """Return the share in service in the long run if nobody queues: 1 / (1 + sum of rate * share * time away)."""
    return 1 / (1 + sum(each.per_h * each.share * each.away_h for each in found))


def gpus_in_repair(found: Sequence[RepairFlow]) -> float:
    """Return the mean number of GPUs in repair if nobody queues (Little's law)."""
    return in_service(found) * sum(each.per_h * each.gpus * each.repair_h for each in found)


def repairs_at_once(found: Sequence[RepairFlow]) -> float:
    """Return the mean number of repairs under way that hold GPUs, if nobody queues."""
    return in_service(found) * sum(each.per_h * each.repair_h for each in found if each.gpus)


def crew_pools(found: tuple[RepairFlow, ...]) -> tuple[CrewPool, ...]:
    """Return every pool of crews that is limited, in order of listing: as the engine shares them by name."""
    members: dict[str | tuple[int, int], list[tuple[RepairFlow, StageUse]]] = {}
    about: dict[str | tuple[int, int], tuple[str, RepairStage]] = {}
    for number, flow in enumerate(found):
        several = len(flow.uses) > 1
        for place, (stage, use) in enumerate(zip(flow.hazard.stages, flow.uses, strict=False)):
            key = stage.name or (number, place)
            if stage.crews is not None and use.mean_ms and use.share:
                name = stage.name or flow.hazard.key + (f", stage {place + 1}" if several else "")
                members.setdefault(key, []).append((flow, use))
                about.setdefault(key, (name, stage))
    serving = in_service(found)
    return tuple(_pool(*about[key], members[key], serving) for key in members)


def _pool(name: str, stage: RepairStage, members: list[tuple[RepairFlow, StageUse]], serving: float) -> CrewPool:
    rates = [flow.per_h * use.share * serving for flow, use in members]
    total = sum(rates)

    def mean(values: list[float]) -> float:
        return sum(rate * value for rate, value in zip(rates, values, strict=True)) / total

    times = [use.mean_ms / MS_PER_H for _, use in members]
    busy, share = mean(times), mean([flow.share for flow, _ in members])
    second = mean([time**2 * (1 + use.variation) for time, (_, use) in zip(times, members, strict=True)])
    assert stage.crews is not None
    return CrewPool(
        name=name,
        size=stage.crews,
        per_h=total,
        busy_h=busy,
        variation=second / busy**2 - 1,
        gpus=mean([float(flow.gpus) for flow, _ in members]),
        share=share,
        think_h=max(1 / (total * share) - busy, 0.0) if share else float("inf"),
        at_work=_at_work(stage, busy, second / busy),
    )


def _at_work(stage: RepairStage, busy_h: float, overshoot_h: float) -> float:
    """Return the share of a week that one crew can work, at most.

    ``overshoot_h``: second moment of a repair's time over its mean. In overtime a crew finishes one repair for each
    shift: at most so long, on average, are all that it begins in a shift beyond its end (Lorden 1970).
    """
    if stage.shifts is None:
        return 1.0
    spans = stage.on_shift
    on = sum(end - begin for begin, end in spans) / MS_PER_WEEK
    over = len(spans) * overshoot_h * MS_PER_H / MS_PER_WEEK if stage.finishes and busy_h else 0.0
    return min(1.0, on + over)
