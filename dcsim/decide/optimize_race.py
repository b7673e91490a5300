"""Which of many settings is best, from as few runs as it takes: a race on common random numbers.

All settings get the same first runs. After each look those that are worse for sure drop out, and the others get twice
as many runs: successive halving without a fixed half. What "for sure" means is corrected for the number of settings and
of looks, so that the best one stays in with a probability of at least 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.estimate import estimate
from dcsim.decide.gates import Condition, Gate
from dcsim.decide.metrics import Metric
from dcsim.decide.result import RunResult
from dcsim.decide.sweep_region import LEVEL, Measured, is_worse
from dcsim.montecarlo import Engine, Sample
from dcsim.montecarlo.runner import physics
from dcsim.montecarlo.statistics import share_interval
from dcsim.problems import wrong
from dcsim.scenario import PER_SAMPLE, Problem, Scenario, ScenarioError

FIRST_RUNS = 32
"""Runs of every setting before the first look; source: assumed, Student's interval is good from about there on."""
MOST_RUNS = 65_536
"""Runs of one setting at most; source: as of a run with a precision."""
CLOSE = 1e-3
"""Settings whose figures differ by less than this share of the best one's are equally good; source: assumed, far below
what any input is known to."""
WORTH_IT = 1.25
"""Times as many runs as before that are worth another look; source: assumed."""

Fate = Literal["best", "tied", "worse", "misses", "unsure", "no figure"]
"""How a setting stands: best; not told apart from it; worse for sure; misses a requirement for sure; not known to meet
it; has no such figure."""


@dataclass(frozen=True)
class Requirement:
    """What at least a ``share`` of the runs must meet. ``text``: as it was asked for."""

    text: str
    metric: Metric
    condition: Condition
    share: float

    @classmethod
    def read(cls, text: str, option: str) -> "Requirement":
        """Read "goodput >= 95 % at 90 %", or what a gate says of runs: "p95(paid_usd) <= 5.5e8".

        Raises ScenarioError.
        """
        figure, separator, confidence = text.rpartition(" at ")
        gate = Gate.read(f"p({figure}) >= {confidence}" if separator else text, option)
        if gate.metric is None or gate.kind not in ("quantile", "share"):
            told = 'must say of which share of the runs, such as "goodput >= 95 % at 90 %" or "p95(paid_usd) <= 5.5e8"'
            raise ScenarioError([Problem(option, None, "", wrong(text, told))])
        if gate.kind == "share":
            assert gate.inner is not None
            if gate.condition.op not in (">", ">="):
                raise ScenarioError([Problem(option, None, "", wrong(text, "the share of runs must be at least, >="))])
            return cls(text, gate.metric, gate.inner, gate.condition.bound)
        assert gate.q is not None
        below = gate.condition.op in ("<", "<=")
        return cls(text, gate.metric, gate.condition, gate.q if below else 1 - gate.q)

    def held(self, run: RunResult) -> tuple[float, float, int] | None:
        """Return the share of runs that meet it, of independent runs how many do, and how many there are.

        None where a scenario has no such figure.
        """
        found = self.metric.of(run)
        if found is None:
            return None
        held: NDArray[np.float64] = np.array([self.condition.holds(each) for each in found.values.tolist()], float)
        independent = held[:: found.shared]
        return float(held.mean()), float(independent.sum()), len(independent)


@dataclass(frozen=True)
class Met:
    """The share of a setting's runs that meet a requirement, with its 95 % interval; None: no such figure."""

    share: float
    ci95: tuple[float, float]
    fate: Literal["meets", "misses", "unsure"]


@dataclass(frozen=True)
class RaceLook:
    """After ``runs`` of each of so many settings in play; ``left`` stay in play."""

    runs: int
    in_play: int
    left: int


@dataclass
class Race:
    """Decides for ``replicate_many`` which settings get further runs; bounded by ``most`` simulated runs in all."""

    scenarios: Sequence[Scenario]
    metric: Metric
    requirements: Sequence[Requirement]
    most: int
    engine: Engine
    first: int = 0
    looks: list[RaceLook] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_physics: dict[Scenario, int] = {}
        self.groups = [by_physics.setdefault(physics(each), len(by_physics)) for each in self.scenarios]
        """Settings that differ in money alone share their runs, which are counted once."""
        self.step = PER_SAMPLE if any(each.uncertain for each in self.scenarios) else 1
        self.first = self._whole(max(2, min(FIRST_RUNS, self.most // len(by_physics))))
        least = max(2, self.step) * len(by_physics)
        if self.most < least:
            told = wrong(self.most, f"must be at least {least:,}: {least // len(by_physics)} runs of every setting")
            raise ScenarioError([Problem("--runs", None, "", told)])
        self.in_play = list(range(len(self.scenarios)))
        self.counts = [self.first] * len(self.scenarios)
        self.fates: list[Fate] = ["tied"] * len(self.scenarios)
        self.results: list[RunResult | None] = [None] * len(self.scenarios)
        self.met: list[tuple[Met | None, ...]] = [()] * len(self.scenarios)
        self.members: list[int] = []
        self.bound: float | None = None
        longest = min(MOST_RUNS, self.first + max(0, self.most - self.first * len(by_physics)))
        self.most_looks = 1 + math.ceil(math.log2(longest / self.first))

    def _whole(self, runs: int) -> int:
        return max(self.step, runs // self.step * self.step)

    @property
    def used(self) -> int:
        """Simulated runs so far."""
        runs: dict[int, int] = {}
        for group, count in zip(self.groups, self.counts, strict=True):
            runs[group] = max(runs.get(group, 0), count)
        return sum(runs.values())

    # --- who stays in play --------------------------------------------------------------------------------------------

    def more(self, samples: Sequence[Sample]) -> list[int]:
        """Look at all samples; return how many runs each setting wants: more of them in play, or as many as it has."""
        looked = self.counts[self.in_play[0]]
        for number in self.in_play:
            sample = samples[number]
            self.results[number] = RunResult(sample, estimate(sample.scenario), engine=self.engine)
        before = len(self.in_play)
        self._judge()
        self.looks.append(RaceLook(looked, before, len(self.in_play)))
        if self.settled:
            return list(self.counts)
        following = self._affordable(looked)
        if following >= WORTH_IT * looked:
            for number in self.in_play:
                self.counts[number] = following
        return list(self.counts)

    def _affordable(self, looked: int) -> int:
        """Return the runs of the next look: twice as many, or what is left for all in play."""
        paid = len({self.groups[number] for number in self.in_play})
        left = (self.most - self.used) // max(1, paid)
        return self._whole(min(2 * looked, looked + left, MOST_RUNS))

    @property
    def error(self) -> float:
        """How often chance alone may tell two settings apart, at one look: 5 % over all settings and looks."""
        return (1 - LEVEL) / max(1, len(self.scenarios) - 1) / self.most_looks

    def _judge(self) -> None:
        """Say of every setting in play how it stands, and leave in play what may still be the answer."""
        for number in self.in_play:
            self.met[number] = tuple(self._meets(each, number) for each in self.requirements)
            self.fates[number] = self._required(number)
        measured = {number: self._measured(number) for number in self.in_play if self.fates[number] != "misses"}
        rivals = [number for number, its in measured.items() if self.fates[number] == "tied" and its is not None]
        self.bound = None
        self.members = rivals
        for number, its in measured.items():
            if its is None:
                self.fates[number] = "no figure"
        if rivals:
            self._compare(rivals, {number: its for number, its in measured.items() if its is not None})
        gone = ("misses", "worse", "no figure")
        self.in_play = [number for number in self.in_play if self.fates[number] not in gone] or self.in_play[:1]

    def _compare(self, rivals: Sequence[int], measured: dict[int, Measured]) -> None:
        """Compare settings that meet what is required with the best of them, and drop those that are worse.

        Also with the best one whose runs are enough: what is too rare for few runs counts against the best mean.
        """
        sign = 1.0 if self.metric.lower_is_better else -1.0
        ranked = sorted(rivals, key=lambda number: sign * measured[number].mean)
        first, sure = ranked[0], next((number for number in ranked if measured[number].reliable), None)
        bounds = [0.0]
        for number, its in measured.items():
            if number == first:
                continue
            against = {first, first if sure is None else sure} - {number}
            if any(is_worse(its, measured[each], sign, self.error) for each in against):
                self.fates[number] = "worse"
            elif number in rivals:
                bounds.append(worse_at_most(measured[first], its, sign, self.error))
        self.fates[first] = "best"
        self.members = [number for number in rivals if self.fates[number] != "worse"]
        reliable = all(measured[number].reliable for number in self.members)
        self.bound = max(bounds) if reliable or len(self.members) == 1 else None

    def _measured(self, number: int) -> Measured | None:
        run = self.results[number]
        return None if run is None else Measured.of(run, self.metric)

    def _meets(self, requirement: Requirement, number: int) -> Met | None:
        run = self.results[number]
        held = None if run is None else requirement.held(run)
        if held is None:
            return None
        share, count, runs = held
        low, high = share_interval(count, runs, 1 - 2 * self.error)
        fate: Literal["meets", "misses", "unsure"] = "unsure"
        if low >= requirement.share:
            fate = "meets"
        elif high < requirement.share:
            fate = "misses"
        return Met(share, share_interval(count, runs), fate)

    def _required(self, number: int) -> Fate:
        if any(each is None for each in self.met[number]):
            return "no figure"
        fates = [each.fate for each in self.met[number] if each is not None]
        return "misses" if "misses" in fates else "unsure" if "unsure" in fates else "tied"

    @property
    def settled(self) -> bool:
        """Whether more runs would change nothing that matters: one is left, or all that are left are equally good."""
        if any(self.fates[number] == "unsure" for number in self.in_play):
            return False
        if len(self.members) <= 1:
            return True
        best = next(number for number in self.members if self.fates[number] == "best")
        its = self._measured(best)
        return its is not None and self.bound is not None and self.bound <= CLOSE * abs(its.mean)


def worse_at_most(best: Measured, other: Measured, sign: float, error: float) -> float:
    """Return the upper end of how much worse a figure is than another on the same runs, chance beyond it ``error``."""
    from scipy.special import stdtrit

    from dcsim.montecarlo import difference

    gap = difference(other.estimated, best.estimated, None)
    shared = max(other.estimated.shared, best.estimated.shared)
    units = -(-len(other.estimated.values) // shared)
    reach = 0.0 if not gap.se else float(stdtrit(units - 1, 1 - error)) * gap.se
    return max(0.0, sign * gap.mean + reach)
