"""Offers side by side on the same random numbers: which is cheaper, by how much, and where the gap comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.bridge import Bridge, bridge_of
from dcsim.decide.ladder import rungs_of
from dcsim.decide.outcome import How, reopen, run_many
from dcsim.decide.result import RunResult, runs_json
from dcsim.decide.shared_failures import shared
from dcsim.economics import attribution
from dcsim.montecarlo import Estimated, Paired, Sample, StoreError, difference, probability_below
from dcsim.montecarlo.kept import Manifest
from dcsim.scenario import Scenario, certain
from dcsim.scenario.origins import origins

COMMON_SEED = "of the first scenario, the same for all that are compared"
"""Origin of a seed that took the place of the scenario's own."""


@dataclass(frozen=True)
class Pair:
    """Two runs on the same random numbers. Differences are ``b`` minus ``a``; those in money are None without [tco]."""

    a: RunResult
    b: RunResult

    @cached_property
    def _control(self) -> NDArray[np.float64] | None:
        """What the means of both are adjusted for; None unless the same failures were drawn for both."""
        a, b = self.a.control, self.b.control
        return a if a is not None and b is not None and np.array_equal(a, b) else None

    def _difference(self, b: Estimated | None, a: Estimated | None) -> Paired | None:
        return None if a is None or b is None else difference(b, a, self._control)

    @cached_property
    def loss_difference(self) -> Paired:
        """Goodput loss of b less that of a."""
        return difference(self.b.loss_estimated, self.a.loss_estimated, self._control)

    @cached_property
    def total_usd_difference(self) -> Paired | None:
        """Cost of the term of b less that of a [USD]."""
        return self._difference(self.b.total_estimated, self.a.total_estimated)

    @cached_property
    def probability_cheaper(self) -> float | None:
        """Share of the replications in which a costs less over its term than b; a tie counts half."""
        a, b = self.a.total_estimated, self.b.total_estimated
        return None if a is None or b is None else probability_below(a.values, b.values)

    @cached_property
    def probability_cheaper_hour(self) -> float | None:
        """Share of the replications in which a useful GPU-hour, all in, costs less with a than with b."""
        a, b = self.a.useful_hour_estimated, self.b.useful_hour_estimated
        return None if a is None or b is None else probability_below(a.values, b.values)

    @cached_property
    def useful_hour_difference(self) -> Paired | None:
        """All-in price of a useful GPU-hour of b less that of a [USD]."""
        return self._difference(self.b.useful_hour_estimated, self.a.useful_hour_estimated)

    @cached_property
    def attribution(self) -> Mapping[str, float] | None:
        """Gap of the mean costs [USD over the term] by group of lines; the parts sum to it."""
        if not (self.a.tco and self.b.tco and self.a.scenario.tco and self.b.scenario.tco):
            return None
        terms = [
            {name: usd * tco.months for name, usd in its.lines.items()}
            for its, tco in ((self.a.tco, self.a.scenario.tco), (self.b.tco, self.b.scenario.tco))
        ]
        return attribution(*terms)

    def entry(self) -> dict[str, Any]:
        """Return this pair's part of the document."""
        return {
            "a": self.a.scenario.name,
            "b": self.b.scenario.name,
            "loss_difference": _difference(self.loss_difference),
            "total_usd_difference": _difference(self.total_usd_difference),
            "usd_per_useful_gpu_hour_difference": _difference(self.useful_hour_difference),
            "probability_cheaper": self.probability_cheaper,
            "probability_cheaper_per_useful_gpu_hour": self.probability_cheaper_hour,
            "attribution": self.attribution and dict(self.attribution),
        }


def _difference(found: Paired | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"mean": found.mean, "se": found.se, "ci95": found.ci95 and list(found.ci95)}


@dataclass(frozen=True)
class Comparison:
    """Runs in the order asked for, every pair of them, why each differs from its formula, and what to know."""

    runs: tuple[RunResult, ...]
    pairs: tuple[Pair, ...]
    bridges: tuple[Bridge, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim compare --json`` prints."""
        return runs_json(self.runs) | {
            "comparisons": [pair.entry() for pair in self.pairs],
            "notes": list(self.notes),
        }


def compare(
    scenarios: Sequence[Scenario], *, seed: int | None = None, bridges: bool = True, **how: Unpack[How]
) -> Comparison:
    """Simulate two or more scenarios on the random numbers of one seed (default: the first one's).

    ``bridges``: also simulate the steps from each formula to its simulation. Raises ValueError for fewer than two
    scenarios, else as ``run``.
    """
    if len(scenarios) < 2:
        raise ValueError("a comparison needs at least two scenarios")
    common = scenarios[0].seed if seed is None else seed
    notes = _notes(scenarios, common)
    seeded = [each.model_copy(update={"seed": common}) for each in scenarios]
    how["origins"] = [
        its if each.seed == common else {**its, "seed": COMMON_SEED}
        for its, each in zip(how.get("origins") or map(origins, scenarios), scenarios, strict=True)
    ]
    results, samples = run_many(seeded, all_rungs(seeded) if bridges else [], **how)
    return _compared(results, samples, notes)


def recompare(folders: Sequence[Path], workers: int | None = None) -> Comparison:
    """Compare runs that were kept in folders, of one seed each: what ``compare`` returned when it made them.

    Raises as ``outcome.reopen``, StoreError also for runs of several seeds.
    """
    results, samples = reopen(folders, all_rungs, workers)
    seeds = [each.scenario.seed for each in results]
    if len(set(seeds)) > 1:
        raise StoreError(folders[0], f"has not the seed of the others: {', '.join(map(str, seeds))}")
    simulated = [each.scenario for each in results]
    notes = _notes(simulated, seeds[0])
    if any(Manifest.read(folder).origins.get("seed") == COMMON_SEED for folder in folders):
        notes = (_common(simulated, seeds[0]), *notes)
    return _compared(results, samples, notes)


def all_rungs(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Return the steps from each scenario's formula to its simulation, to be simulated."""
    return [rung for each in scenarios for _, _, rung in rungs_of(certain(each))]


def _compared(results: Sequence[RunResult], samples: Sequence[Sample], notes: tuple[str, ...]) -> Comparison:
    left, found = iter(samples), []
    if samples:
        for result in results:
            found.append(bridge_of(result.scenario, [next(left) for _ in all_rungs([result.scenario])]))
    short = [each for each in found if each.replications < len(results[0].sample)]
    if short:
        notes += (f"why they differ is told over the first {short[0].replications} replications",)
    pairs = tuple(Pair(a, b) for a, b in combinations(results, 2))
    return Comparison(tuple(results), pairs, tuple(found), notes)


def _common(scenarios: Sequence[Scenario], seed: int) -> str:
    """Say that one seed is used, and what that makes common to all."""
    common = shared([each.model_copy(update={"seed": seed}) for each in scenarios])
    follows = {
        "failures": ": they draw the same failures",
        "random numbers": ": they draw their failures from the same random numbers",
        "nothing": "",
    }
    return f"all scenarios are simulated with seed {seed}{follows[common]}"


def _notes(scenarios: Sequence[Scenario], seed: int) -> tuple[str, ...]:
    """Say what a reader of the comparison must know about its pairs."""
    notes = []
    if any(each.seed != seed for each in scenarios):
        notes.append(_common(scenarios, seed))
    if len({frozenset(hazard.key for hazard in each.hazards) for each in scenarios}) > 1:
        notes.append("hazards of different names have failures of their own: those pairs share none of them")
    for what, values in (
        ("[tco] term", {each.tco.term for each in scenarios if each.tco}),
        ("cluster.gpus", {each.cluster.gpus for each in scenarios}),
    ):
        if len(values) > 1:
            notes.append(f"{what} differs between the scenarios: compare the prices of a useful GPU-hour, not totals")
    if len({each.horizon for each in scenarios}) > 1:
        notes.append("horizon differs between the scenarios: their runs do not spread alike")
    if len({each.name for each in scenarios}) < len(scenarios):
        notes.append("scenarios of one name are told apart by their order only")
    return tuple(notes)
