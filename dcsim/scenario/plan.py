"""What an engine reads: the scenario as gangs with slots and hazards with rates, derived once per run."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.hazards import Failures, Hazard, draw_failures
from dcsim.ledger import REST, SPARES
from dcsim.recovery import Recovery
from dcsim.scenario.model import Scenario
from dcsim.streams import Purpose, generator
from dcsim.topology import Topology, build


@dataclass(frozen=True)
class Gang:
    """One instance of a job. ``slot``: its first logical slot; gangs lie in order of listing, then instance."""

    index: int
    job: int
    gpus: int
    slot: int
    priority: int
    submit: int
    recovery: Recovery


@dataclass(frozen=True)
class Plan:
    """A scenario made ready for an engine; durations in ms, sizes in GPUs."""

    scenario: Scenario
    gangs: tuple[Gang, ...]

    @cached_property
    def topology(self) -> Topology:
        """The plant with its index arrays."""
        return build(self.scenario.cluster.topology, self.scenario.cluster.gpus)

    @property
    def owners(self) -> tuple[str, ...]:
        """Rows of the ledger: the jobs as listed, then idle spares, then the rest."""
        return (*(job.name for job in self.scenario.jobs), SPARES, REST)

    @cached_property
    def slot_bounds(self) -> NDArray[np.int64]:
        """First slot of every gang, then of the free GPUs, int64 (gangs + 1,)."""
        return np.concatenate([[0], np.cumsum([gang.gpus for gang in self.gangs])]).astype(np.int64)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """First GPU index of every gang at t = 0, int64 (gangs,): lowest indices by priority, then listing.

        Gangs that are submitted later have no place yet: -1.
        """
        first = np.full(len(self.gangs), -1, dtype=np.int64)
        place = 0
        for gang in sorted(self.gangs, key=lambda gang: (-gang.priority, gang.index)):
            if gang.submit == 0:
                first[gang.index] = place
                place += gang.gpus
        return first

    def components(self, hazard: Hazard) -> int:
        """Number of components that the hazard's rate applies to."""
        return self.topology.components(hazard.component)

    def gang_at(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the gang whose slots these are; the number of gangs where a slot is a free GPU's."""
        return np.searchsorted(self.slot_bounds, slots, side="right") - 1

    def failures(self, replication: int) -> list[Failures]:
        """Draw every hazard's failures of one replication.

        With a typed blast a mark is a slot in [0, N); with a derived one it is the index of the failed component.
        """
        scenario = self.scenario
        drawn = []
        for hazard in scenario.hazards:

            def stream(purpose: Purpose, key: str = hazard.key) -> np.random.Generator:
                return generator(scenario.seed, replication, key, purpose)

            components = self.components(hazard)
            marked = components if hazard.struck_part else scenario.cluster.gpus
            drawn.append(draw_failures(hazard, components, marked, scenario.horizon, stream))
        return drawn


def plan(scenario: Scenario) -> Plan:
    """Lay out the scenario's gangs."""
    gangs: list[Gang] = []
    slot = 0
    for number, job in enumerate(scenario.jobs):
        for _ in range(job.count):
            gangs.append(Gang(len(gangs), number, job.gpus, slot, job.priority, job.submit, job.recovery))
            slot += job.gpus
    return Plan(scenario, tuple(gangs))
