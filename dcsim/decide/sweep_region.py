"""The best of many settings, and all that common runs cannot tell apart from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dcsim.decide.metrics import Metric
from dcsim.decide.result import RunResult
from dcsim.montecarlo import Estimated, Paired, difference, probability_below

LEVEL = 0.95
"""Probability that the region holds the setting that is best in truth."""
SIGN = 0.05
"""How often chance may give as many runs in which one setting is better; source: assumed."""
EXACT = 1e-12
"""Share of a value below which a difference without any spread is none: what rounding does."""

Standing = Literal["best", "tied", "worse", "no figure"]


@dataclass(frozen=True, eq=False)
class Measured:
    """One setting's figure: run by run, and whether its runs are enough for an interval."""

    estimated: Estimated
    reliable: bool

    @classmethod
    def of(cls, result: RunResult, metric: Metric) -> "Measured | None":
        """Take a figure of a result, without what no comparison reads; None where it has none."""
        found = metric.of(result)
        if found is None:
            return None
        return cls(replace(found, adjusted=None, controls=False), result.runs_needed is None)

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
    Research 49, 950, the screening step, against the best mean alone, which keeps no fewer). Where the failures are too
    few for an interval, the sign test must agree, so that a few rare failures make no setting worse. Differences
    without any spread are exact. Of equal means the first is the best.
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
            standings.append("worse" if _worse(each, first, gap, sign, (1 - level) / (len(known) - 1)) else "tied")
    return Region(best, tuple(standings), tuple(gaps), judged)


def _worse(one: Measured, best: Measured, gap: Paired, sign: float, error: float) -> bool:
    """Whether a setting is worse than the one with the best mean; chance says so with a probability of ``error``."""
    more, se = sign * gap.mean, gap.se
    if more <= EXACT * abs(best.mean):
        return False
    if se is None:
        return True  # one run: the gap is what it is
    if se == 0:
        return True
    from scipy.special import stdtrit

    runs = len(one.estimated.values)
    units = -(-runs // max(one.estimated.shared, best.estimated.shared))
    if more <= float(stdtrit(units - 1, 1 - error)) * se:
        return False
    if one.reliable and best.reliable:
        return True
    return _by_sign(probability_below(sign * best.estimated.values, sign * one.estimated.values), runs)


def _by_sign(share: float, runs: int) -> bool:
    """Whether one is better in so large a share of the runs as chance gives less often than 1 in 20 times.

    Sign test, one-sided; a tie counts half (Conover 1999, Practical Nonparametric Statistics, 3.4).
    """
    from scipy.special import bdtrc

    won = int(share * runs)
    return won > 0 and float(bdtrc(won - 1, runs, 0.5)) < SIGN
