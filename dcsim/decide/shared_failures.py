"""Whether scenarios meet the same failures, or only take them from the same random numbers."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

from dcsim.hazards import Hazard
from dcsim.scenario import Scenario
from dcsim.topology.build import build

Shared = Literal["failures", "random numbers", "nothing"]
"""What two scenarios have in common: each failure, only the random numbers behind them, or neither."""


def same_failures(a: Scenario, b: Scenario) -> bool:
    """Return whether the same components fail at the same times in both, replication by replication.

    Both need one seed, one horizon and one cluster size, and hazards of the same names that draw alike: component,
    lifetime, bursts, lemons, and whether a failure marks a component or a slot. What follows a failure (blast,
    detection, repair, recovery) may differ. A failure of what is out of service is dropped, so a scenario that repairs
    more slowly meets fewer of the same failures. Components that age fail by their own history: they meet the same
    failures only where all that the engine reads is equal.
    """
    if a.seed != b.seed or a.horizon != b.horizon or a.cluster.gpus != b.cluster.gpus:
        return False
    if any(hazard.ages or hazard.exposure == "running" for each in (a, b) for hazard in each.hazards):
        return _engine_reads(a) == _engine_reads(b)
    return _laws(a) == _laws(b) and _unknown(a) == _unknown(b)


def shared(scenarios: Sequence[Scenario]) -> Shared:
    """Return what every two of several scenarios have in common."""
    pairs = list(combinations(scenarios, 2))
    if all(same_failures(a, b) for a, b in pairs):
        return "failures"
    streams = [(each.seed, {hazard.key for hazard in each.hazards}) for each in scenarios]
    common = all(a[0] == b[0] and a[1] & b[1] for a, b in combinations(streams, 2))
    return "random numbers" if common else "nothing"


def _laws(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """Return all that the times and marks of each hazard's failures depend on, by hazard."""
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    return {
        hazard.key: (topology.components(hazard.component), hazard.component, *_law(hazard))
        for hazard in scenario.hazards
    }


def _law(hazard: Hazard) -> tuple[Any, ...]:
    lemons = hazard.lemons and (hazard.lemons.fraction, hazard.lemons.factor)
    return hazard.lifetime, hazard.burst, lemons, hazard.placed


def _unknown(scenario: Scenario) -> list[Any]:
    """Return the uncertain inputs that failures depend on."""
    return sorted(
        (each for each in scenario.uncertain if not each.key.startswith(("tco.", "jobs.", "accounting."))),
        key=lambda each: each.key,
    )


def _engine_reads(scenario: Scenario) -> Scenario:
    """Return the scenario without what only people and bills read."""
    ranges = tuple(hazard.model_copy(update={"mtbf_range": None}) for hazard in scenario.hazards)
    bare: dict[str, Any] = {"name": "", "description": "", "tco": None, "hazards": ranges}
    bare["accounting"] = type(scenario.accounting)()
    bare["uncertain"] = tuple(each for each in scenario.uncertain if not each.money)
    return scenario.model_copy(update=bare)
