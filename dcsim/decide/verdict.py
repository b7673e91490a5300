"""One verdict on offers: which is cheapest for a useful GPU-hour, by how much, and how sure that is.

It is a value: terminal, report, JSON and whatever else decides put it into their own words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from dcsim.decide.bills import price_all_in
from dcsim.decide.metrics import METRICS
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.montecarlo import physics
from dcsim.montecarlo.statistics import least

SAME = 0.01
"""Prices that differ by no more than this share of the dearer one are the same: no price list is surer; source:
assumed."""

Standing = Literal["same", "tied", "dearer", "nothing useful"]


@dataclass(frozen=True)
class Against:
    """How one offer stands to the one with the least price of a useful GPU-hour.

    ``index`` of the run. ``standing``: "same" within ``SAME``; "tied", not told apart by these runs; "dearer"; "nothing
    useful", so that it has no price. ``usd``: its price less the least one, with its 95 % interval. ``probability``:
    share of the runs in which the least one was cheaper; a tie counts half.
    """

    index: int
    standing: Standing
    usd: float | None
    ci95: tuple[float, float] | None
    probability: float | None


@dataclass(frozen=True)
class Verdict:
    """``best``: the run with the least price; ``others``: how all others stand to it, the cheapest first."""

    names: tuple[str, ...]
    best: int
    others: tuple[Against, ...]

    def having(self, standing: Standing) -> tuple[Against, ...]:
        """Return the other offers of one standing."""
        return tuple(each for each in self.others if each.standing == standing)

    @property
    def cheapest(self) -> int | None:
        """The run that is cheaper than every other one; None where some cost the same or are not told apart."""
        return None if self.having("same") or self.having("tied") else self.best

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data.

        ``same``: the names that cost the same as the least price, its own among them. ``tied``: those not told apart
        from it, its own among them unless it is in ``same``. ``by``: how much more each other one costs.
        """
        same = [self.names[each.index] for each in self.having("same")]
        tied = [self.names[each.index] for each in self.having("tied")]
        least = [self.names[self.best]]
        return {
            "cheapest": None if self.cheapest is None else self.names[self.cheapest],
            "same": [*least, *same] if same else [],
            "tied": [*([] if same else least), *tied] if tied else [],
            "by": [
                {
                    "than": self.names[each.index],
                    "usd_per_useful_gpu_hour": each.usd,
                    "ci95": each.ci95 and list(each.ci95),
                    "probability": each.probability,
                }
                for each in self.others
            ],
        }


def verdict(runs: Sequence[RunResult]) -> Verdict | None:
    """Rank offers by what is paid for a useful GPU-hour.

    None where no verdict on money can be given: an offer without [tco], or none that did anything useful.
    """
    priced = sorted((price, index) for index, run in enumerate(runs) if (price := price_all_in(run.tco)) is not None)
    if not priced or any(run.tco is None for run in runs):
        return None
    (least, best), *others = priced
    found = [_against(Pair(runs[best], runs[other]), other, least, price) for price, other in others]
    idle = [Against(index, "nothing useful", None, None, 1.0) for index, run in enumerate(runs) if not _useful(run)]
    return Verdict(tuple(run.scenario.name for run in runs), best, (*found, *idle))


def _useful(run: RunResult) -> bool:
    return price_all_in(run.tco) is not None


def _against(pair: Pair, index: int, least: float, price: float) -> Against:
    """Return how the second of a pair stands to the first, which is the cheapest."""
    gap, sure = pair.useful_hour_difference, pair.probability_cheaper_hour
    assert gap is not None
    usd = price - least
    half = gap.half_width
    apart = half is None or usd - _unseen(pair) > half  # one run: the gap is what it is
    standing: Standing = "dearer"
    if usd + (half or 0.0) <= SAME * price:
        standing = "same"
    elif not apart:
        standing = "tied"
    elif usd <= SAME * price:
        standing = "same"
    return Against(index, standing, usd, None if half is None else (usd - half, usd + half), sure)


def _unseen(pair: Pair) -> float:
    """By how much the first of a pair may cost more than it seems, as what is too rare for its runs may not have come.

    Not where both have the same runs: it would strike both.
    """
    if physics(pair.a.scenario) == physics(pair.b.scenario):
        return 0.0
    return METRICS["usd_per_useful_gpu_hour"].hit(pair.a, pair.a.unseen_gpu_hours)


# --- by the dear runs -------------------------------------------------------------------------------------------------

By = Literal["mean", "p95"]
"""What offers are ranked by: the mean price of a useful GPU-hour, or the one that a run in twenty exceeds."""


def by_of(command: Sequence[str]) -> By:
    """Return what a noted command ranks offers by."""
    return "p95" if ("--by", "p95") in pairwise(command) else "mean"


TAIL = 0.95
RESAMPLES = 2_000
"""Resamples of the runs for the interval of a difference; source: assumed, its ends then move by 2 % of its width."""


@dataclass(frozen=True)
class TailVerdict:
    """Offers ranked by the P95 over runs of what is paid for a useful GPU-hour, the cheapest first.

    ``order``: numbers of the runs; ``usd``: the P95 of each, in that order. ``ci95``: of each less the first one's, by
    resampling runs that met the same failures; None for the first, and for all where there are fewer than ``needed``.
    """

    names: tuple[str, ...]
    order: tuple[int, ...]
    usd: tuple[float, ...]
    ci95: tuple[tuple[float, float] | None, ...]
    needed: int

    @property
    def tied(self) -> tuple[int, ...]:
        """The runs that are not told apart from the first one."""
        found = zip(self.order[1:], self.ci95[1:], strict=True)
        return tuple(index for index, ends in found if ends is None or ends[0] <= 0)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; ``cheapest`` is null where some offer is not told apart from the first."""
        return {
            "cheapest": None if self.tied else self.names[self.order[0]],
            "tied": [self.names[index] for index in self.tied],
            "by": [
                {"name": self.names[index], "usd_per_useful_gpu_hour_p95": usd, "ci95_more": ends and list(ends)}
                for index, usd, ends in zip(self.order, self.usd, self.ci95, strict=True)
            ],
        }


def tail_verdict(runs: Sequence[RunResult]) -> TailVerdict | None:
    """Rank offers by the P95 of their runs; None where an offer has no price in some run."""
    found = [run.useful_hour_estimated for run in runs]
    values = [each.values for each in found if each is not None]
    if len(values) < len(runs) or not all(np.isfinite(each).all() for each in values):
        return None
    tails = [float(np.quantile(each, TAIL)) for each in values]
    order = sorted(range(len(runs)), key=tails.__getitem__)
    shared = max(each.shared for each in found if each is not None)
    count, needed = len(values[0]), least(TAIL) * shared
    ends: list[tuple[float, float] | None] = [None] * len(runs)
    if count >= needed and len({len(each) for each in values}) == 1:
        drawn = np.random.default_rng(0).integers(0, count // shared, (RESAMPLES, count // shared))
        members = (drawn[:, :, None] * shared + np.arange(shared)).reshape(RESAMPLES, -1)
        again = [np.quantile(each[members], TAIL, axis=1) for each in values]
        for place, index in enumerate(order[1:], start=1):
            low, high = np.quantile(again[index] - again[order[0]], (0.025, 0.975)).tolist()
            ends[place] = (low, high)
    names = tuple(run.scenario.name for run in runs)
    return TailVerdict(names, tuple(order), tuple(tails[index] for index in order), tuple(ends), needed)
