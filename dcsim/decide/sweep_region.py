"""The best of many settings, and all that common runs cannot tell apart from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dcsim.decide.metrics import Metric
from dcsim.decide.result import RunResult
from dcsim.montecarlo import Estimated, Paired, difference, physics
from dcsim.scenario import Scenario

LEVEL = 0.95
"""Probability that the region holds the setting that is best in truth."""
EXACT = 1e-12
"""Share of a value below which a difference without any spread is none: what rounding does."""

Standing = Literal["best", "tied", "worse", "no figure"]


@dataclass(frozen=True, eq=False)
class Measured:
    """One setting's figure: run by run, and whether its runs are enough for an interval.

    ``unseen``: by how much it may be worse than it looks, because what is too rare for the runs may not have come yet.
    ``runs_of``: what was simulated; settings that differ in money alone share their runs.
    """

    estimated: Estimated
    reliable: bool
    unseen: float = 0.0
    runs_of: Scenario | None = None

    @classmethod
    def of(cls, result: RunResult, metric: Metric) -> "Measured | None":
        """Take a figure of a result, without what no comparison reads; None where it has none."""
        found = metric.of(result)
        if found is None:
            return None
        unseen = 0.0 if result.runs_needed is None else metric.hit(result, result.unseen_gpu_hours)
        plain = replace(found, adjusted=None, controls=False)
        return cls(plain, result.runs_needed is None, unseen, physics(result.scenario))

    @property
    def mean(self) -> float:
        """Mean over the runs."""
        return self.estimated.plain.mean


@dataclass(frozen=True)
class Region:
    """``best``: number of the best setting; ``standings`` and ``gaps`` (its figure less the best one's) of all.

    ``judged``: whether there were runs enough to tell anything apart: two.
    """

    best: int
    standings: tuple[Standing, ...]
    gaps: tuple[Paired | None, ...]
    judged: bool

    @property
    def members(self) -> tuple[int, ...]:
        """The best setting and all that are not told apart from it, in their order."""
        return tuple(number for number, each in enumerate(self.standings) if each in ("best", "tied"))


def region(settings: Sequence[Measured | None], lower_is_better: bool, level: float = LEVEL) -> Region | None:
    """Return the best setting and those not told apart from it; None where no setting has a figure.

    With k others, a setting is worse if its mean paired difference to the best mean exceeds t(1 - 0.05 / k, n - 1)
    standard errors, at a ``level`` of 95 %. So the setting that is best in truth is in the region with a probability of
    at least that, however many settings there are (Bonferroni; Nelson, Swann, Goldsman and Song 2001, Operations
    Research 49, 950, the screening step, against the best mean alone, which keeps no fewer). Where failures are too few
    for an interval, a rare loss may not have come yet: the best mean counts as worse by what theory expects of it, and
    settings are compared with the best one whose runs are enough, too. Differences without any spread are exact. Of
    equal means the first is the best.
    """
    known = [number for number, each in enumerate(settings) if each is not None]
    if not known:
        return None
    sign = 1.0 if lower_is_better else -1.0
    means = {number: sign * each.mean for number in known if (each := settings[number]) is not None}
    best = min(known, key=lambda number: means[number])
    first = settings[best]
    assert first is not None
    judged = len(first.estimated.values) > 1
    sure = min((each for each in known if _reliable(settings[each])), key=lambda each: means[each], default=best)
    rivals = [each for number in dict.fromkeys((best, sure)) if (each := settings[number]) is not None]
    error = (1 - level) / max(1, len(known) - 1) / len(rivals)
    standings: list[Standing] = []
    gaps: list[Paired | None] = []
    for number, each in enumerate(settings):
        if each is None:
            standings.append("no figure")
            gaps.append(None)
            continue
        gap = difference(each.estimated, first.estimated, None)
        gaps.append(replace(gap, reliable=first.reliable and each.reliable))
        if number == best:
            standings.append("best")
        else:
            worse = any(is_worse(each, rival, sign, error) for rival in rivals if rival is not each)
            standings.append("worse" if worse else "tied")
    return Region(best, tuple(standings), tuple(gaps), judged)


def _reliable(each: Measured | None) -> bool:
    return each is not None and each.reliable


def is_worse(one: Measured, other: Measured, sign: float, error: float) -> bool:
    """Whether a setting is worse than another; chance says so with a probability of ``error``.

    What too few runs may not have seen counts against the other, but not where both have the same runs: then it would
    strike both. It never counts for ``one``, which is then no better than it looks. ``sign``: 1 if lower is better.
    """
    gap = difference(one.estimated, other.estimated, None)
    together = one.runs_of is not None and one.runs_of == other.runs_of
    more, se = sign * gap.mean - (0.0 if together else other.unseen), gap.se
    if more <= EXACT * abs(other.mean):
        return False
    if not se:
        return True  # one run, or no spread: the gap is what it is
    from scipy.special import stdtrit

    units = -(-len(one.estimated.values) // max(one.estimated.shared, other.estimated.shared))
    return more > float(stdtrit(units - 1, 1 - error)) * se
