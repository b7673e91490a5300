"""What an engine reads: the scenario as gangs with slots and hazards with rates, derived once per run."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.hazards import Draws, Hazard
from dcsim.ledger import REST, SPARES
from dcsim.parts import PARTS
from dcsim.plant import PlantState
from dcsim.plant.outage import outage
from dcsim.recovery import Recovery
from dcsim.scenario.model import Scenario
from dcsim.scenario.upkeep import Maintenance
from dcsim.streams import Purpose, generator
from dcsim.topology import Topology
from dcsim.topology.build import build


@dataclass(frozen=True)
class Gang:
    """One instance of a job; gangs lie in order of listing, then instance.

    ``work``: useful work that finishes it [GPU-ms], None: it runs to the horizon. ``follows``: another job must be done
    before it is submitted.
    """

    index: int
    job: int
    instance: int
    gpus: int
    priority: int
    submit: int
    work: int | None
    recovery: Recovery
    follows: bool

    @property
    def at_once(self) -> bool:
        """Whether it runs at t = 0 already."""
        return self.submit == 0 and not self.follows


@dataclass(frozen=True)
class Plan:
    """A scenario made ready for an engine; durations in ms, sizes in GPUs."""

    scenario: Scenario
    gangs: tuple[Gang, ...]

    @cached_property
    def topology(self) -> Topology:
        """The plant of this many GPUs."""
        return build(self.scenario.cluster.topology, self.scenario.cluster.gpus)

    @property
    def owners(self) -> tuple[str, ...]:
        """Rows of the ledger: the jobs as listed, then idle spares, then the rest."""
        return (*(job.name for job in self.scenario.jobs), SPARES, REST)

    @property
    def spares(self) -> int:
        """GPUs that are kept as spares."""
        cluster = self.scenario.cluster
        return cluster.in_rack_spares * self.topology.racks or cluster.spares

    @property
    def idle_spares(self) -> int:
        """Spares on which no job runs until they are needed: so many free GPUs are booked as spares."""
        return self.spares - self.scenario.gpus_on_spares

    @cached_property
    def slot_bounds(self) -> NDArray[np.int64]:
        """First slot of every gang, then of the free GPUs, int64 (gangs + 1,)."""
        return np.concatenate([[0], np.cumsum([gang.gpus for gang in self.gangs])]).astype(np.int64)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """First GPU index of every gang at t = 0, int64 (gangs,): lowest indices by priority, then listing.

        Gangs that are submitted later have no place yet: -1. With in-rack spares the indices count only the GPUs
        that are not held back (``seats``).
        """
        first = np.full(len(self.gangs), -1, dtype=np.int64)
        place = 0
        for gang in sorted(self.gangs, key=lambda gang: (-gang.priority, gang.index)):
            if gang.at_once:
                first[gang.index] = place
                place += gang.gpus
        return first

    @cached_property
    def seats(self) -> NDArray[np.int64]:
        """GPU indices that jobs may lie on at t = 0, ascending: all, but for the last ones of a rack held as spares."""
        topology, held = self.topology, self.scenario.cluster.in_rack_spares
        gpus = np.arange(topology.gpus, dtype=np.int64)
        return gpus[gpus % topology.gpus_per_rack < topology.gpus_per_rack - held] if held else gpus

    def components(self, hazard: Hazard | Maintenance) -> int:
        """Number of components that the hazard's rate (or the maintenance) applies to."""
        return self.topology.components(hazard.component)

    def reaching(self, hazard: Hazard, index: int = 0) -> float:
        """Return how many components of a hazard strike a gang when they fail.

        With a typed blast that is its share of all slots; with a derived one, the components in the parts that its GPUs
        lie in (at their places at t = 0, or at the lowest ones if the gang is submitted later).
        """
        topology, gang = self.topology, self.gangs[index]
        part = hazard.struck_part
        if hazard.serves:
            if not blast_of(hazard, topology):
                return 0.0
            low = max(int(self.places[index]), 0)
            served = topology.serves(hazard.component)
            ends = topology.part_of(served, np.array([low, low + gang.gpus - 1], dtype=np.int64))
            per = topology.components(hazard.component) / topology.components(served)
            return (int(ends[1]) - int(ends[0]) + 1) * per
        if part is None:
            return gang.gpus / topology.gpus * topology.components(hazard.component)
        low = max(int(self.places[index]), 0)
        span, own = topology.gpus_per(part), topology.gpus_per(hazard.component)
        first, last = low // span * span, min(-(-(low + gang.gpus) // span) * span, topology.gpus)
        return -(-(last - first) // own)

    def gang_at(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the gang whose slots these are; the number of gangs where a slot is a free GPU's."""
        return np.searchsorted(self.slot_bounds, slots, side="right") - 1

    def draws(self, replication: int) -> list[Draws]:
        """Return every hazard's random numbers of one replication, by hazard.

        A mark is the index of the failed component where the hazard is ``placed``, else a slot in [0, N).
        """
        return [each.of(self._stream(each.hazard, replication)) for each in self._laws]

    @cached_property
    def _laws(self) -> list[Draws]:
        """What the draws of all replications have in common."""
        found, scenario = [], self.scenario
        for hazard in scenario.hazards:
            components = self.components(hazard)
            marked = components if hazard.placed else scenario.cluster.gpus
            more = self.missed(hazard), self.age(hazard)
            found.append(Draws(hazard, components, marked, scenario.horizon, self._stream(hazard, 0), *more))
        return found

    def _stream(self, hazard: Hazard, replication: int) -> Callable[[Purpose], np.random.Generator]:
        """Return the streams of a hazard."""
        seed, key = self.scenario.seed, hazard.key

        def stream(purpose: Purpose) -> np.random.Generator:
            if purpose == "start" and (shared := hazard.lifetime.shared_clock) is not None:
                return generator(seed, replication, f"record {shared}", purpose)
            return generator(seed, replication, key, purpose)

        return stream

    def age(self, hazard: Hazard) -> int:
        """Return the age of every component of a hazard at t = 0 [ms], the burn-in at delivery included."""
        return hazard.age + self.scenario.cluster.burn_in

    def counted(self, hazard: Hazard) -> bool:
        """Whether the expected number of failures that a hazard draws is known: a constant rate, bursts included."""
        return hazard.lifetime.memoryless

    def drawn(self, draws: Sequence[Draws]) -> int:
        """Return how many failures the ``counted`` hazards drew within the horizon, void ones included."""
        return sum(len(each.failures.times) for each in draws if self.counted(each.hazard))

    @cached_property
    def expected_drawn(self) -> float:
        """Expectation of ``drawn``: components * H / MTBF of every ``counted`` hazard."""
        scenario = self.scenario
        rates = (
            self.components(hazard) / hazard.lifetime.mean_ms for hazard in scenario.hazards if self.counted(hazard)
        )
        return scenario.horizon * math.fsum(rates)

    def chances(self, replication: int, gang: Gang) -> np.random.Generator:
        """Return the stream of a gang's chances, three for each strike on it: coverage, bad checkpoint, restore."""
        name = f"job {self.scenario.jobs[gang.job].name} {gang.instance}"
        return generator(self.scenario.seed, replication, name, "chance")

    def requeues(self, replication: int, gang: Gang) -> np.random.Generator:
        """Return the stream of how long a gang is kept from the queue, again and again."""
        name = f"job {self.scenario.jobs[gang.job].name} {gang.instance}"
        return generator(self.scenario.seed, replication, name, "requeue")

    def preflights(self, replication: int, gang: Gang) -> tuple[np.random.Generator, np.random.Generator]:
        """Return the streams of what preflights of a gang miss, and of good nodes that pass them."""
        name = f"job {self.scenario.jobs[gang.job].name} {gang.instance}"
        seed = self.scenario.seed
        return generator(seed, replication, name, "preflight"), generator(seed, replication, name, "alarm")

    def leads(self, hazard: Hazard) -> list[int]:
        """Return how long before an announced failure gangs can do something about it [ms].

        First ``evacuate``, if the hazard has it, then what checkpoints of jobs take that may roll back, if that is at
        most the notice.
        """
        jobs = (job.recovery for job in self.scenario.jobs if job.recovery.rolls_back_at(self.covered))
        takes = {recovery.saves_ms for recovery in jobs}
        saves = sorted(ms for ms in takes if ms is not None and ms <= hazard.notice)
        return saves if hazard.evacuate is None else [hazard.evacuate, *saves]

    @property
    def covered(self) -> float:
        """The least share of failures of a hazard from which strategies recover as designed."""
        return min(hazard.coverage for hazard in self.scenario.hazards)

    @property
    def sold(self) -> tuple[int, int]:
        """GPUs of a domain that is sold, and how many domains there are; (0, 0): nothing is."""
        scenario, sla = self.scenario, self.scenario.sla
        if sla is None:
            return 0, 0
        if sla.replicas:
            jobs = [job for job in scenario.jobs if sla.sells(job.name)]
            return jobs[0].gpus, sum(job.count for job in jobs)
        size = self.topology.gpus_per(sla.sold)
        return size, scenario.cluster.gpus // size

    def dates(self, replication: int) -> list[int]:
        """Return when each phase of energisation has power [ms]."""
        scenario = self.scenario
        found = []
        for phase in scenario.energisation:
            rng = generator(scenario.seed, replication, f"energisation {phase.name}", "date")
            found.append(int(phase.when.draw(rng, 1)[0]))
        return found

    @cached_property
    def phase_racks(self) -> tuple[tuple[int, int], ...]:
        """Racks [first, end) of every phase of energisation, the last of the cluster; (0, 0): the grid."""
        phases = self.scenario.energisation
        first = self.topology.racks - sum(phase.racks or 0 for phase in phases)
        found = []
        for phase in phases:
            found.append((first, first + phase.racks) if phase.racks else (0, 0))
            first += phase.racks or 0
        return tuple(found)

    @cached_property
    def has_plant(self) -> bool:
        """Whether anything in the scenario asks for the plant's state."""
        scenario = self.scenario
        return bool(
            scenario.energisation
            or any(hazard.serves for hazard in scenario.hazards)
            or any(planned.component in PARTS for planned in scenario.maintenance)
            or any(job.comm and scenario.cluster.topology.fabric for job in scenario.jobs)
            or any(job.storage and scenario.cluster.topology.storage for job in scenario.jobs)
            or (scenario.cluster.topology.power and PlantState(self.topology).powered(np.array([0])).min() < 1)
        )

    def check_of(self, hazard: Hazard) -> int | None:
        """Return the number of the maintenance that finds slow or corrupt components of a hazard; None: none does."""
        if hazard.effect not in ("straggle", "degrade", "corrupt") or not hazard.placed or hazard.serves:
            return None
        size = self.topology.gpus_per(hazard.component)
        for number, planned in enumerate(self.scenario.maintenance):
            if planned.finds and self.topology.gpus_per(planned.component) >= size:
                return number
        return None

    def missed(self, hazard: Hazard) -> float:
        """Return the probability that a check does not find a component of a hazard; 0 where there is no check."""
        number = self.check_of(hazard)
        return 0.0 if number is None else 1 - self.scenario.maintenance[number].finds

    def retests(self, replication: int) -> list[int]:
        """Return by how much false alarms make each of ``windows`` longer [ms], in their order."""
        scenario = self.scenario
        rngs = [
            generator(scenario.seed, replication, f"maintenance {each.name}", "check") for each in scenario.maintenance
        ]
        found = []
        for _, number, _ in self.windows():
            planned = scenario.maintenance[number]
            alarm = bool(planned.false_alarms) and rngs[number].random() < planned.false_alarms
            found.append((planned.retest or 0) if alarm else 0)
        return found

    def windows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (start [ms], number of the maintenance, component) of every planned window, in order."""
        found = []
        for number, planned in enumerate(self.scenario.maintenance):
            components = self.components(planned)
            for start in range(planned.start, self.scenario.horizon, planned.every):
                for component in range(components):
                    at = start + (planned.every * component // components if planned.rolling else 0)
                    if at < self.scenario.horizon:
                        found.append((at, number, component))
        yield from sorted(found)


def blast_of(hazard: Hazard, topology: Topology) -> int:
    """Return the GPUs that one failure of a hazard strikes, nothing else being out; 0 where redundancy holds."""
    if hazard.serves:
        return outage(topology, [(hazard.component, 0)]).gpus_down
    part = hazard.struck_part
    if part is not None:
        return topology.gpus_per(part)
    assert isinstance(hazard.blast, int)
    return hazard.blast


def plan(scenario: Scenario) -> Plan:
    """Lay out the scenario's gangs; checkpoint intervals that are words are replaced by what they mean."""
    if any(isinstance(job.recovery.checkpoint_every, str) for job in scenario.jobs):
        from dcsim.scenario.intervals import settled  # it lays out gangs too, to know their rates

        scenario = settled(scenario)
    return lay_out(scenario)


def lay_out(scenario: Scenario) -> Plan:
    """Lay out the scenario's gangs as it is."""
    gangs: list[Gang] = []
    for number, job in enumerate(scenario.jobs):
        for instance in range(job.count):
            gangs.append(
                Gang(
                    index=len(gangs),
                    job=number,
                    instance=instance,
                    gpus=job.gpus,
                    priority=scenario.priority_of(job),
                    submit=job.submit,
                    work=job.work,
                    recovery=job.recovery,
                    follows=job.after is not None,
                )
            )
    return Plan(scenario, tuple(gangs))
