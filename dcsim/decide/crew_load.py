"""How busy repair is, before anything is simulated: offered load of every crew pool, GPUs that are out on average."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dcsim.closed_form import overload_queue, queue_wait, repairman_wait
from dcsim.hazards import Hazard
from dcsim.hazards.repair import StageUse, stage_uses
from dcsim.scenario.plan import Plan, blast_of
from dcsim.units import MS_PER_H

MOST_MACHINES = 2_000
"""Up to here the wait for a crew is that of a finite number of machines; source: assumed, beyond it is M/M/c's."""


@dataclass(frozen=True, eq=False)
class Flow:
    """What one hazard sends to repair, with everything in service.

    ``per_h``: repairs per hour, those of healthy nodes that are blamed included; ``gpus``: out of service for each;
    ``share``: of what the hazard can strike, the part that one of its failures keeps from failing again; ``away_h``:
    from failure to return without a queue; ``repair_h``: from identification to return.
    """

    hazard: Hazard
    per_h: float
    gpus: int
    share: float
    away_h: float
    repair_h: float
    uses: tuple[StageUse, ...]


@dataclass(frozen=True)
class CrewPool:
    """The crews of one name.

    ``per_h``: repairs that ask for a crew per hour, ``busy_h``: mean time of a crew with one of them, ``variation``:
    variance of that time over its squared mean, ``gpus``: mean number of GPUs out with one, ``share``: as in ``Flow``,
    ``think_h``: mean time from one return of a component to its next request.
    """

    name: str
    size: int
    per_h: float
    busy_h: float
    variation: float
    gpus: float
    share: float
    think_h: float

    @property
    def load(self) -> float:
        """Mean number of busy crews if nobody had to queue [erlang]."""
        return self.per_h * self.busy_h

    @property
    def needed(self) -> int:
        """Least number of crews that keeps up: above the load."""
        return int(self.load) + 1

    @property
    def overloaded(self) -> bool:
        """Whether the queue grows until too little is left in service to fail."""
        return self.load >= self.size

    @cached_property
    def wait_h(self) -> float:
        """Mean wait for a crew in the long run [h]; infinite where they cannot keep up."""
        if self.overloaded:
            return float("inf")
        machines = round(1 / self.share) if self.share else MOST_MACHINES + 1
        if machines > MOST_MACHINES:
            return queue_wait(self.load, self.size, self.busy_h, self.variation)
        return repairman_wait(machines, self.size, self.think_h, self.busy_h) * (1 + self.variation) / 2

    def waiting(self, horizon_h: float) -> float:
        """Repairs that wait for a crew at the horizon, where crews cannot keep up."""
        return overload_queue(self.load, self.size, self.busy_h, self.share, horizon_h)


def flows(layout: Plan) -> tuple[Flow, ...]:
    """Return what every hazard sends to repair: long-run rates (bursts, ageing and lemons change when, not how often).

    A hazard that strikes only what runs (``exposure``, corruption) counts in the share of GPUs that jobs hold. One that
    only kills processes sends nothing. Of lemons that are retired the first rate is taken.
    """
    return tuple(_flow(layout, hazard) for hazard in layout.scenario.hazards if hazard.effect != "kill")


def _flow(layout: Plan, hazard: Hazard) -> Flow:
    scenario, components = layout.scenario, layout.components(hazard)
    gpus = 0 if hazard.effect == "degrade" else blast_of(hazard, layout.topology)
    gpus = min(gpus, scenario.cluster.gpus)
    slow = hazard.serves or hazard.effect in ("straggle", "degrade")  # they remember which component has failed
    share = max(gpus / scenario.cluster.gpus, 1 / components if slow or hazard.ages or hazard.lemons else 0.0)
    per_h = components / hazard.mtbf_ms(components) * MS_PER_H
    if hazard.exposure == "running" or hazard.effect == "corrupt":
        per_h *= scenario.gpus_in_jobs / scenario.cluster.gpus
    recorded = hazard.lifetime.mean_repair_ms
    stages = stage_uses(hazard.stages) if recorded is None else (StageUse(1.0, recorded, 1.0),)
    repair_h = hazard.mean_repair_ms / MS_PER_H
    away_h = hazard.mean_detect_ms / MS_PER_H + repair_h
    return Flow(hazard, per_h / (1 - hazard.wrong_node), gpus, share, away_h, repair_h, stages)


def in_service(found: Sequence[Flow]) -> float:
    """Return the share in service in the long run if nobody queues: 1 / (1 + sum of rate * share * time away)."""
    return 1 / (1 + sum(each.per_h * each.share * each.away_h for each in found))


def gpus_in_repair(found: Sequence[Flow]) -> float:
    """Return the mean number of GPUs in repair if nobody queues (Little's law)."""
    return in_service(found) * sum(each.per_h * each.gpus * each.repair_h for each in found)


def repairs_at_once(found: Sequence[Flow]) -> float:
    """Return the mean number of repairs under way that hold GPUs, if nobody queues."""
    return in_service(found) * sum(each.per_h * each.repair_h for each in found if each.gpus)


def crew_pools(found: tuple[Flow, ...]) -> tuple[CrewPool, ...]:
    """Return every pool of crews that is limited, in order of listing: as the engine shares them by name."""
    members: dict[str | tuple[int, int], list[tuple[Flow, StageUse]]] = {}
    about: dict[str | tuple[int, int], tuple[str, int]] = {}
    for number, flow in enumerate(found):
        several = len(flow.uses) > 1
        for place, (stage, use) in enumerate(zip(flow.hazard.stages, flow.uses, strict=False)):
            key = stage.name or (number, place)
            if stage.crews is not None and use.mean_ms and use.share:
                name = stage.name or flow.hazard.key + (f", stage {place + 1}" if several else "")
                members.setdefault(key, []).append((flow, use))
                about.setdefault(key, (name, stage.crews))
    serving = in_service(found)
    return tuple(_pool(*about[key], members[key], serving) for key in members)


def _pool(name: str, size: int, members: list[tuple[Flow, StageUse]], serving: float) -> CrewPool:
    rates = [flow.per_h * use.share * serving for flow, use in members]
    total = sum(rates)

    def mean(values: list[float]) -> float:
        return sum(rate * value for rate, value in zip(rates, values, strict=True)) / total

    times = [use.mean_ms / MS_PER_H for _, use in members]
    busy, share = mean(times), mean([flow.share for flow, _ in members])
    second = mean([time**2 * (1 + use.variation) for time, (_, use) in zip(times, members, strict=True)])
    return CrewPool(
        name=name,
        size=size,
        per_h=total,
        busy_h=busy,
        variation=second / busy**2 - 1,
        gpus=mean([float(flow.gpus) for flow, _ in members]),
        share=share,
        think_h=max(1 / (total * share) - busy, 0.0) if share else float("inf"),
    )
