"""One verdict on offers: which is cheapest for a useful GPU-hour, by how much, and how sure that is.

It is a value: terminal, report, JSON and whatever else decides put it into their own words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dcsim.decide.bills import price_all_in
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult

SAME = 0.01
"""Prices that differ by no more than this share of the dearer one are the same: no price list is surer; source:
assumed."""
SIGN_TEST = 6
"""Runs from which on one offer that is cheaper in every one of them is told apart from the other, however wide the
interval of the difference: 2 / 2^6 is below 5 % (``_by_sign``)."""

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
    runs = len(pair.a.sample)
    if half is None:
        apart = True  # one run: the gap is what it is
    elif gap.reliable or half == 0:  # without any spread the gap is the price lists', which no failure moves
        apart = usd > half or (runs >= SIGN_TEST and sure == 1)
    else:
        apart = _by_sign(sure or 0.0, runs)
    standing: Standing = "dearer"
    if usd + (half or 0.0) <= SAME * price:
        standing = "same"
    elif not apart:
        standing = "tied"
    elif usd <= SAME * price:
        standing = "same"
    return Against(index, standing, usd, None if half is None else (usd - half, usd + half), sure)


def _by_sign(share: float, runs: int) -> bool:
    """Whether one offer is cheaper in so large a share of the runs that chance does it less often than 1 in 20 times.

    Sign test, two-sided; a tie counts half (Conover 1999, Practical Nonparametric Statistics, 3.4).
    """
    from scipy.special import bdtrc

    won = int(share * runs)
    return won > 0 and 2 * float(bdtrc(won - 1, runs, 0.5)) < 0.05
