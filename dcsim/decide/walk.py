"""Why two offers differ: the inputs of one are given to the other group by group, on common random numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Unpack

from dcsim.decide.differences import LABELS, PRICED, UNREAD, Change, changes_between, with_groups_of_other
from dcsim.decide.documents import difference_json
from dcsim.decide.outcome import How
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.variants import simulate_variants
from dcsim.montecarlo import Paired
from dcsim.scenario import Scenario

RUNS = 16
"""Runs of each step of a comparison: what a step does is far larger than its error, because the same failures strike
before and after it; 12 steps of the headline workload take 0.3 s (measured)."""

RUNS_PLAIN = 2
"""The same where no rules are compiled, so that a comparison is not much longer; source: assumed."""


@dataclass(frozen=True)
class Effect:
    """What one change does: after less before, run by run. ``lost``: share of the GPU-hours that the answer is about.

    Money [USD] is None without [tco], and the price also where nothing is useful before or after.
    """

    lost: Paired
    usd_per_useful_gpu_hour: Paired | None
    paid_usd: Paired | None

    @classmethod
    def of(cls, before: RunResult, after: RunResult) -> "Effect":
        """Compare two results of the same random numbers."""
        pair = Pair(before, after)
        return cls(pair.lost_difference, pair.useful_hour_difference, pair.paid_usd_difference)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "lost": difference_json(self.lost),
            "usd_per_useful_gpu_hour": difference_json(self.usd_per_useful_gpu_hour),
            "paid_usd": difference_json(self.paid_usd),
        }


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
    """The steps from offer ``a`` to offer ``b``, in the order of ``differences.LABELS``; their sum is the ``gap``."""

    a: RunResult
    b: RunResult
    steps: tuple[WalkStep, ...]

    @property
    def gap(self) -> Effect:
        """What sets the two apart, over the runs of the walk."""
        return Effect.of(self.a, self.b)

    @property
    def replications(self) -> int:
        """How many runs each step has."""
        return len(self.a.sample)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "a": self.a.scenario.name,
            "b": self.b.scenario.name,
            "replications": self.replications,
            "gap": self.gap.to_json(),
            "steps": [each.to_json() for each in self.steps],
        }


def walk(a: Scenario, b: Scenario, **how: Unpack[How]) -> Walk:
    """Walk from one scenario to another; both are simulated with the seed of ``a``.

    Each step is simulated ``replications`` times (default ``RUNS``), other keywords as ``simulate_variants`` takes
    them. Steps that change prices only share the runs of the step before. Raises as ``simulate_variants``.
    """
    b = b.model_copy(update={"seed": a.seed})
    mixed = _Mixed(a, b)
    taken = list(mixed.steps())
    done: list[frozenset[str]] = [frozenset()]
    for groups in taken:
        done.append(done[-1] | set(groups))
    every = done[-1]
    wanted = [*done, *(frozenset(groups) for groups in taken), *(every - set(groups) for groups in taken)]
    scenarios = {groups: mixed.at(groups) for groups in wanted}
    valid = {groups: scenario for groups, scenario in scenarios.items() if scenario is not None}
    results = dict(zip(valid, simulate_variants(list(valid.values()), **({"replications": RUNS} | how)), strict=True))
    first, last = results[done[0]], results[every]

    def effect(before: frozenset[str], after: frozenset[str]) -> Effect | None:
        return Effect.of(results[before], results[after]) if before in results and after in results else None

    steps = []
    for groups, before, after in zip(taken, done, done[1:], strict=False):
        in_turn = effect(before, after)
        assert in_turn is not None  # ``steps`` gives valid ones only
        its = frozenset(groups)
        changes = tuple(each for each in mixed.changes if each.group in its)
        steps.append(WalkStep(groups, changes, in_turn, effect(done[0], its), effect(every - its, every)))
    return Walk(first, last, tuple(steps))


class _Mixed:
    """Scenarios between two others: some groups of inputs of the second, all others of the first."""

    def __init__(self, a: Scenario, b: Scenario) -> None:
        self.a, self.b = a, b
        self.changes = changes_between(a, b)
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
