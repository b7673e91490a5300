"""Why two offers differ: the inputs of one are given to the other group by group, on common random numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Unpack

import numpy as np

from dcsim.decide.differences import (
    LABELS,
    PRICED,
    UNREAD,
    Change,
    changes_between,
    with_groups_of_other,
    without_unread,
)
from dcsim.decide.display import Displayed
from dcsim.decide.documents import difference_json
from dcsim.decide.estimate import SCHEMA
from dcsim.decide.outcome import How
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.variants import simulate_variants
from dcsim.montecarlo import Estimated, Paired, Progress, WantedEngine, unit_means
from dcsim.montecarlo.statistics import two_phase
from dcsim.scenario import Scenario, Source, read

RUNS = 16
"""Runs of each step of a comparison: what a step does is far larger than its error, because the same failures strike
before and after it; all steps between the three offers of the deck take 0.7 s of CPU (measured)."""

RUNS_PLAIN = 2
"""The same where no rules are compiled, so that a comparison is not much longer; source: assumed."""


Figure = Callable[[RunResult], Estimated | None]


def _lost(run: RunResult) -> Estimated | None:
    return run.lost_estimated


def _price(run: RunResult) -> Estimated | None:
    return run.useful_hour_estimated


def _paid(run: RunResult) -> Estimated | None:
    return run.paid_estimated


@dataclass(frozen=True)
class Effect:
    """What one change does: after less before, run by run. ``lost``: share of the GPU-hours that the answer is about.

    Money [USD] is None without [tco], and the price also where nothing is useful before or after.
    """

    lost: Paired
    usd_per_useful_gpu_hour: Paired | None
    paid_usd: Paired | None

    @classmethod
    def of(cls, before: RunResult, after: RunResult, ends: "Ends | None" = None) -> "Effect":
        """Compare two results of the same random numbers; ``ends``: with what else is known of those numbers."""
        pair = Pair(before, after)
        found = (pair.lost_difference, pair.useful_hour_difference, pair.paid_usd_difference)
        if ends is None:
            return cls(*found)
        whole = Pair(*ends.every)
        gaps = (whole.lost_difference, whole.useful_hour_difference, whole.paid_usd_difference)
        lost, price, paid = (
            ends.adjusted(figure, before, after, each, gap)
            for figure, each, gap in zip((_lost, _price, _paid), found, gaps, strict=True)
        )
        assert lost is not None
        return cls(lost, price, paid)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "lost": difference_json(self.lost),
            "usd_per_useful_gpu_hour": difference_json(self.usd_per_useful_gpu_hour),
            "paid_usd": difference_json(self.paid_usd),
        }


@dataclass(frozen=True)
class Ends:
    """Both offers over the runs of a walk, and over all of their runs: they say how lucky the runs of the walk are.

    Effects are adjusted for that (``two_phase``), so that the steps add up to the gap over all runs.
    """

    few: tuple[RunResult, RunResult]
    every: tuple[RunResult, RunResult]

    def adjusted(
        self, figure: Figure, before: RunResult, after: RunResult, found: Paired | None, gap: Paired | None
    ) -> Paired | None:
        """Return a difference, adjusted so that all of them sum to ``gap``; as it is where there are too few runs."""
        ones = [figure(each) for each in (before, after, *self.few, self.every[0])]
        known = [each for each in ones if each is not None]
        if found is None or gap is None or len(known) < len(ones):
            return found
        shared = max(each.shared for each in known)
        y, z, *x = (unit_means(each.linear, shared) for each in known[:4])
        n = len(unit_means(known[4].values, shared))
        mean = known[4].shown.mean
        better = two_phase(z - y, np.stack(x, axis=1), [mean, mean + gap.mean], n)
        if better is None:
            return found
        moved, se, reach = better
        mean = found.mean + moved
        return replace(found, mean=mean, se=se, ci95=(mean - reach, mean + reach))


@dataclass(frozen=True)
class WalkStep:
    """One group of inputs that changes from the first offer's values to the second's.

    ``groups``: several where one alone makes no valid scenario. ``in_turn``: after all steps before it; these sum to
    the gap. ``alone``: the only change of the first offer. ``missing``: the second offer, with and without it. Both are
    None where that is no valid scenario.
    """

    groups: tuple[str, ...]
    changes: tuple[Change, ...]
    in_turn: Effect
    alone: Effect | None
    missing: Effect | None

    @property
    def label(self) -> str:
        """What the groups are called, in one text."""
        return " and ".join(LABELS[each] for each in self.groups)

    @property
    def simulated(self) -> bool:
        """Whether a run depends on it; else it changes prices only."""
        return not all(each in PRICED for each in self.groups)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "groups": list(self.groups),
            "changes": [each.to_json() for each in self.changes],
            "in_turn": self.in_turn.to_json(),
            "alone": self.alone and self.alone.to_json(),
            "missing": self.missing and self.missing.to_json(),
        }


@dataclass(frozen=True)
class Walk:
    """The steps from offer ``a`` to offer ``b``, in the order of ``differences.LABELS``; their sum is the ``gap``.

    ``replications``: how many runs each step has.
    """

    a: RunResult
    b: RunResult
    steps: tuple[WalkStep, ...]
    replications: int

    @property
    def gap(self) -> Effect:
        """What sets the two apart."""
        return Effect.of(self.a, self.b)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "a": self.a.scenario.name,
            "b": self.b.scenario.name,
            "replications": self.replications,
            "gap": self.gap.to_json(),
            "steps": [each.to_json() for each in self.steps],
        }


def walk(a: Scenario, b: Scenario, every: tuple[RunResult, RunResult] | None = None, **how: Unpack[How]) -> Walk:
    """Walk from one scenario to another; both are simulated with the seed of ``a``.

    Each step is simulated ``replications`` times (default ``RUNS``), other keywords as ``simulate_variants`` takes
    them. Steps that change prices only share the runs of the step before. ``every``: both offers over more runs of
    that seed; the steps then add up to the gap over those (``Ends``). Raises as ``simulate_variants``.
    """
    b = b.model_copy(update={"seed": a.seed})
    mixed = _Mixed(a, b)
    taken = list(mixed.steps())
    done: list[frozenset[str]] = [frozenset()]
    for groups in taken:
        done.append(done[-1] | set(groups))
    whole = done[-1]
    wanted = [*done, *(frozenset(groups) for groups in taken), *(whole - set(groups) for groups in taken)]
    scenarios = {groups: mixed.at(groups) for groups in wanted}
    valid = {groups: scenario for groups, scenario in scenarios.items() if scenario is not None}
    results = dict(zip(valid, simulate_variants(list(valid.values()), **({"replications": RUNS} | how)), strict=True))
    first, last = results[done[0]], results[whole]
    ends = None if every is None else Ends((first, last), every)

    def effect(before: frozenset[str], after: frozenset[str]) -> Effect | None:
        return Effect.of(results[before], results[after], ends) if before in results and after in results else None

    steps = []
    for groups, before, after in zip(taken, done, done[1:], strict=False):
        in_turn = effect(before, after)
        assert in_turn is not None  # ``steps`` gives valid ones only
        its = frozenset(groups)
        changes = tuple(each for each in mixed.changes if each.group in its)
        steps.append(WalkStep(groups, changes, in_turn, effect(done[0], its), effect(whole - its, whole)))
    a_run, b_run = every or (first, last)
    return Walk(a_run, b_run, tuple(steps), len(first.sample))


class _Mixed:
    """Scenarios between two others: some groups of inputs of the second, all others of the first."""

    def __init__(self, a: Scenario, b: Scenario) -> None:
        self.a, self.b = without_unread(a), without_unread(b)
        self.changes = changes_between(self.a, self.b)
        priced = a.tco is not None and b.tco is not None
        left_out = set(UNREAD) | (set() if priced else set(PRICED))
        found = dict.fromkeys(each.group for each in self.changes)
        self.groups = tuple(each for each in found if each not in left_out)
        self.known: dict[tuple[int, frozenset[str]], Scenario | None] = {}

    def at(self, groups: frozenset[str]) -> Scenario | None:
        """Return the scenario with these groups of the second; None where it is not valid.

        What is nearer to the second is made of that one, so that all groups together give exactly it.
        """
        every = frozenset(self.groups)
        side = int(2 * len(groups) > len(every) or groups == every)
        return self._of(side, groups if side == 0 else every - groups)

    def _of(self, side: int, groups: frozenset[str]) -> Scenario | None:
        if (side, groups) not in self.known:
            own = self.b if side else self.a
            self.known[side, groups] = with_groups_of_other(own, side, self.changes, groups) if groups else own
        return self.known[side, groups]

    def steps(self) -> Iterator[tuple[str, ...]]:
        """Yield the groups of each step: one by one, or with those that it takes to be valid at either offer.

        Where the scenario after a step is not valid all the same, the step goes on with the next group.
        """
        left, done, begun = list(self.groups), frozenset[str](), tuple[str, ...]()
        while left:
            step = (*begun, *self._together(left))
            left = [each for each in left if each not in step]
            if left and self.at(done | set(step)) is None:
                begun = step
                continue
            yield tuple(each for each in self.groups if each in step)
            done, begun = done | set(step), ()

    def _together(self, left: Sequence[str]) -> tuple[str, ...]:
        """Return the first group that is left with as few others as give valid scenarios of both offers."""
        first, *others = left
        for more in range(len(others)):
            for added in combinations(others, more):
                groups = frozenset((first, *added))
                if self._of(0, groups) is not None and self._of(1, groups) is not None:
                    return first, *added
        return tuple(left)


# --- two scenarios side by side -------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Differences(Displayed):
    """The inputs in which two scenarios differ, and what each group of them does, if it was simulated."""

    a: Scenario
    b: Scenario
    changes: tuple[Change, ...]
    walk: Walk | None

    def __str__(self) -> str:
        """Return a line for each input."""
        rows = [row for each in self.changes for row in each.rows]
        return "\n".join(f"{key}: {first} to {second}" for key, first, second in rows) or "no input differs"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim diff --json`` prints."""
        return {
            "schema": SCHEMA,
            "a": self.a.name,
            "b": self.b.name,
            "differences": [each.to_json() for each in self.changes],
            "walk": None if self.walk is None else self.walk.to_json(),
        }


def diff(
    a: Source,
    b: Source,
    *,
    replications: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
) -> Differences:
    """Compare the inputs of two scenarios; with ``replications`` also say what each group of them does.

    Scenarios: paths, shipped names, dicts or Scenarios; ``set`` changes keys of both. All runs have one seed, that of
    ``a`` unless ``seed`` is given. Raises ScenarioError for scenarios with mistakes, Interrupted on Ctrl-C.
    """
    first, second = read(a, set=set), read(b, set=set)
    changes = changes_between(first, second)
    found = None
    if replications is not None:
        seeded = first.model_copy(update={"seed": first.seed if seed is None else seed})
        how: How = {"replications": replications, "workers": workers, "progress": progress, "engine": engine}
        how["monthly"] = False
        found = walk(seeded, second, **how)
    return Differences(first, second, changes, found)
