"""What is simulated to answer a question: the offers, and changed copies of each beside them, each with its role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dcsim.decide.ablation import ablated_scenarios
from dcsim.decide.bills import mean_bill, price_all_in
from dcsim.decide.estimate import at_mtbf, mtbf_ranges_h
from dcsim.montecarlo import Sample
from dcsim.scenario import Scenario, certain

MOST_AT_RANGE_ENDS = 32
"""Replications at each end of a range of MTBF: the effect is far larger than its error (assumed)."""

Role = Literal["offer", "ablation", "lowest", "highest"]
"""An offer itself; a step from its formula to its simulation; the offer at an end of the ranges of its MTBFs."""


@dataclass(frozen=True)
class MtbfRange:
    """What the ranges of MTBF [h] that a scenario gives do to its simulated loss, from the same random numbers.

    ``hazards``: (name, lowest, highest) of every hazard with a range; all of them move together. ``loss``: of all
    GPU-hours of the horizon; ``lost``: as ``RunResult.lost``.
    """

    hazards: tuple[tuple[str, float, float], ...]
    loss_at_lowest: float
    loss_at_highest: float
    usd_per_useful_gpu_hour_at_lowest: float | None
    usd_per_useful_gpu_hour_at_highest: float | None
    replications: int
    lost_at_lowest: float
    lost_at_highest: float

    @classmethod
    def of(cls, scenario: Scenario, lowest: Sample, highest: Sample) -> "MtbfRange":
        """Return the range of a scenario that was simulated at both of its ends."""
        prices = price_all_in(mean_bill(lowest)), price_all_in(mean_bill(highest))
        lost = (sum(each.lost_gpu_ms) / sum(each.capacity_gpu_ms) for each in (lowest, highest))
        count = min(len(lowest), len(highest))
        return cls(mtbf_ranges_h(scenario), lowest.mean_loss, highest.mean_loss, *prices, count, *lost)

    @property
    def moves(self) -> float:
        """Lost share at the lowest MTBF less that at the highest."""
        return self.lost_at_lowest - self.lost_at_highest


@dataclass(frozen=True)
class Member:
    """A scenario to simulate: as what, for which of the offers (from 0), and how many replications of it."""

    role: Role
    offer: int
    scenario: Scenario
    replications: int


@dataclass(frozen=True)
class Study:
    """All that is simulated together; offers come first, in the order asked for."""

    members: tuple[Member, ...]

    @classmethod
    def of(
        cls, offers: Sequence[Scenario], replications: int, *, ablations: bool = False, ranges: bool = True
    ) -> "Study":
        """Return the study of some offers.

        ``ablations``: with the steps from each one's formula to its simulation. ``ranges``: with the ends of its ranges
        of MTBF; an end that is an offer itself has as many replications as the offer, so that they can be shared.
        """
        members = [Member("offer", index, each, replications) for index, each in enumerate(offers)]
        if ablations:
            members += [
                Member("ablation", index, step, replications)
                for index, each in enumerate(offers)
                for step in ablations_of(each)
            ]
        for index, each in enumerate(offers if ranges else ()):
            for role, end in range_ends(each):
                count = replications if end in offers else min(replications, MOST_AT_RANGE_ENDS)
                members.append(Member(role, index, end, count))
        return cls(tuple(members))

    @property
    def scenarios(self) -> list[Scenario]:
        """The scenarios of all members."""
        return [member.scenario for member in self.members]

    @property
    def replications(self) -> list[int]:
        """How many replications of each member are simulated."""
        return [member.replications for member in self.members]


@dataclass(frozen=True)
class StudySamples:
    """What came of a study: ``samples``, one for each member, in their order."""

    study: Study
    samples: Sequence[Sample]

    def of(self, role: Role, offer: int) -> list[Sample]:
        """Return the samples of one role for one offer, in the order of the study; empty if there are none."""
        return [
            sample
            for member, sample in zip(self.study.members, self.samples, strict=True)
            if (member.role, member.offer) == (role, offer)
        ]

    def mtbf_range(self, offer: int) -> MtbfRange | None:
        """Return what a range of MTBF does to an offer; None where it has none."""
        ends = [*self.of("lowest", offer), *self.of("highest", offer)]
        if not ends:
            return None
        (itself,) = self.of("offer", offer)
        low, high = map(self._of_an_offer, ends)
        return MtbfRange.of(itself.scenario, low, high)

    def _of_an_offer(self, sample: Sample) -> Sample:
        """Return the sample of the offer of the same scenario, if there is one: with a precision it has gone on."""
        for member, found in zip(self.study.members, self.samples, strict=True):
            if member.role == "offer" and member.scenario == sample.scenario:
                return found
        return sample


def ablations_of(scenario: Scenario) -> list[Scenario]:
    """Return the steps from a scenario's formula to its simulation, to be simulated.

    None where every job ends: the formula knows no job that does, so there is nothing to step from.
    """
    return [] if scenario.ends else [step for _, _, step in ablated_scenarios(certain(scenario))]


def range_ends(scenario: Scenario) -> tuple[tuple[Role, Scenario], ...]:
    """Return the scenario at the lowest and at the highest MTBF of its hazards' ranges, or nothing without one."""
    if not mtbf_ranges_h(scenario):
        return ()
    points = certain(scenario)  # a value that is drawn would take the place of the end
    return ("lowest", at_mtbf(points, "lowest")), ("highest", at_mtbf(points, "highest"))
