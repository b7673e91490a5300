"""What the batch engine reads of a plan."""

from dataclasses import dataclass
from math import gcd

import numpy as np

from dcsim.batch import machine
from dcsim.batch.strikes import Ints
from dcsim.scenario import Plan
from dcsim.scenario.countable import runs_small


@dataclass(frozen=True)
class Layout:
    """A plan that ``objections`` has nothing against, as the tables that ``dcsim.batch.machine`` describes."""

    plan: Plan
    one: Ints
    gangs: Ints
    legal: Ints
    pools: Ints
    hazards: Ints
    places: Ints

    @classmethod
    def of(cls, plan: Plan) -> "Layout":
        """Lay out a plan; what a strategy answers for every number of members is asked once."""
        scenario = plan.scenario
        gangs = np.zeros((len(plan.gangs), machine.COLUMNS), dtype=np.int64)
        priorities = sorted({-gang.priority for gang in plan.gangs})
        legal: list[Ints] = []
        shapes = _shapes(plan, legal)
        losers = sorted(plan.gangs, key=lambda gang: (gang.priority, -gang.index))
        arriving = sorted(plan.gangs, key=lambda gang: (gang.submit, gang.index))
        for gang, loser, next_one in zip(plan.gangs, losers, arriving, strict=True):
            line, recovery = gangs[gang.index], gang.recovery
            restores = recovery.rolls_back or recovery.restores_always
            line[machine.GPUS], line[machine.SUBMIT], line[machine.ARRIVING] = gang.gpus, gang.submit, next_one.index
            if gang.submit:
                line[machine.PHASE] = machine.ABSENT
            else:
                line[machine.STARTED], line[machine.UP], line[machine.ACTIVE] = 1, gang.gpus, gang.gpus
            line[machine.START] = recovery.start_ms(gang.gpus)
            line[machine.JOB], line[machine.RANK] = gang.job, priorities.index(-gang.priority)
            line[machine.COLD] = recovery.spare == "cold"
            line[machine.FAILOVER], line[machine.REJOIN] = recovery.failover, recovery.rejoin_ms
            line[machine.RESTORE] = recovery.restore_ms(0, gang.gpus) if restores else 0
            line[machine.SHAPES], line[machine.SHORT_SINCE] = shapes[gang.job], -1
            line[machine.LOSER] = loser.index
        one = np.zeros(machine.ONE, dtype=np.int64)
        one[machine.HORIZON], one[machine.SPARES], one[machine.SERVE] = scenario.horizon, plan.spares, machine.NEVER
        one[machine.SLOTS] = scenario.cluster.gpus - scenario.gpus_in_jobs
        one[machine.FREE] = scenario.cluster.gpus - gangs[:, machine.UP].sum()
        one[machine.ARRIVED] = sum(not gang.submit for gang in plan.gangs)
        late = [gang.submit for gang in plan.gangs if gang.submit]
        one[machine.ARRIVAL] = min(late, default=machine.NEVER >> 2)
        one[machine.HEAD_BLOCKS] = max(shapes) < 0
        named: dict[str | int, int] = {}
        crews: dict[int, int | None] = {}
        hazards = np.zeros((len(scenario.hazards), machine.HAZARD_COLUMNS), dtype=np.int64)
        for number, hazard in enumerate(scenario.hazards):
            stage = hazard.stages[0]
            pool = named.setdefault(stage.name or number, len(named))  # crews without a name are a hazard's own
            crews.setdefault(pool, stage.crews)
            hazards[number, : machine.COMPONENT] = (
                hazard.blast if isinstance(hazard.blast, int) else 0,
                round(hazard.mean_detect_ms),
                pool,
            )
        pools = np.full((len(crews), machine.POOL_COLUMNS), -1, dtype=np.int64)
        pools[:, machine.CREWS] = [-1 if size is None else size for size in crews.values()]
        pools[:, machine.BUSY] = 0
        places = _places(plan, one, hazards)
        return cls(plan, one, gangs, np.concatenate([np.empty(0, dtype=np.int64), *legal]), pools, hazards, places)


def _shapes(plan: Plan, legal: list[Ints]) -> list[int]:
    """Return where each job's shapes begin in ``legal``, which grows by them; -1: it runs whole or not at all."""
    found = []
    for job in plan.scenario.jobs:
        if not runs_small(job.recovery):
            found.append(-1)
            continue
        found.append(sum(len(each) for each in legal))
        legal.append(job.recovery.legal(np.arange(job.gpus + 1, dtype=np.int64), job.gpus))
    return found


def _places(plan: Plan, one: Ints, hazards: Ints) -> Ints:
    """Return who lies where at t = 0; no atoms where every blast is typed. Fills in what depends on their size."""
    topology, scenario = plan.topology, plan.scenario
    if not any(hazard.placed for hazard in scenario.hazards):
        return np.empty((machine.PLACES_ROWS, 0), dtype=np.int64)
    sizes = [scenario.cluster.gpus, *(gang.gpus for gang in plan.gangs)]
    for hazard in scenario.hazards:
        if hazard.struck_part is None:
            assert isinstance(hazard.blast, int)
            sizes.append(hazard.blast)
        else:
            sizes += topology.gpus_per(hazard.component), topology.gpus_per(hazard.struck_part)
    atom = one[machine.ATOM] = gcd(*sizes)
    for number, hazard in enumerate(scenario.hazards):
        if hazard.struck_part is not None:
            hazards[number, machine.BLAST] = 0
            hazards[number, machine.COMPONENT] = topology.gpus_per(hazard.component) // atom
            hazards[number, machine.PART] = topology.gpus_per(hazard.struck_part) // atom
    places = np.full((machine.PLACES_ROWS, scenario.cluster.gpus // atom), -1, dtype=np.int64)
    for gang, place in zip(plan.gangs, plan.places.tolist(), strict=True):
        if place >= 0:
            places[machine.OWNED_BY, place // atom : (place + gang.gpus) // atom] = gang.index
    return places
