"""Which units fail more than the others, by name, and at which rate each is believed to fail."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

SHARE_FALSE = 0.05
"""Of the units that are called bad, the share that are not is at most this in the mean; source: custom."""
MOST_SHAPE = 1e4
"""Shape of the gamma law of rates from which on units are alike: their rates differ by a hundredth."""


def discoveries(chances: Values, share: float = SHARE_FALSE) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected so that at most a share of them is true (Benjamini and Hochberg 1995).

    ``chances``: p values, float64 (n,); returns bool (n,).
    """
    order = np.argsort(chances)
    held = np.flatnonzero(chances[order] <= share * np.arange(1, len(chances) + 1) / max(1, len(chances)))
    found = np.zeros(len(chances), dtype=np.bool_)
    found[order[: held[-1] + 1 if len(held) else 0]] = True
    return found


@dataclass(frozen=True)
class Suspect:
    """A unit with failures: ``per_h`` is its rate as believed after all units, with an interval of 95 %.

    ``chance``: with which probability a unit with the rate of the others has so many. ``bad``: see ``discoveries``.
    """

    name: str
    failures: int
    hours: float
    per_h: float
    low: float
    high: float
    chance: float
    bad: bool


@dataclass(frozen=True, eq=False)
class Suspects:
    """Units by failures, the worst first; rates of units have a gamma law (empirical Bayes).

    ``usual_per_h``: the median unit's rate, against which each is held. ``mean_per_h``, ``spread``: mean and
    coefficient of variation of the gamma law. ``units``: how many units there are, those that never failed included.
    """

    of: tuple[Suspect, ...]
    usual_per_h: float
    mean_per_h: float
    spread: float
    units: int

    @property
    def bad(self) -> tuple[Suspect, ...]:
        """Units that fail more than the others."""
        return tuple(each for each in self.of if each.bad)

    @property
    def sentence(self) -> str:
        """Which units are bad, in a sentence."""
        bad = self.bad
        if not bad:
            return f"none of {self.units:,} units fails more than the others, beyond chance"
        total = sum(each.failures for each in self.of)
        names = ", ".join(f"{each.name} ({each.failures})" for each in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        share = 100 * sum(each.failures for each in bad) / total
        return (
            f"{len(bad)} of {self.units:,} units have {share:.0f} % of {total:,} failures, beyond chance: "
            f"{names}{more}; at most {100 * SHARE_FALSE:.0f} % of such a list are there by chance"
        )


def suspects(failures: Numbers, hours: Values, names: Sequence[str]) -> Suspects | None:
    """Return which units fail more than the others; None without a failure or for fewer than three units.

    ``failures``: of each unit, int64 (n,); ``hours``: in service, float64 (n,), above 0; ``names``: of the first
    units, those that have one. Each is held against the rate of the sound ones: that of all units together, without
    those that are bad, which is found in a few rounds.
    """
    from scipy.special import gammainc, gammaincinv

    failures = np.asarray(failures, dtype=np.int64)
    hours = np.broadcast_to(np.asarray(hours, dtype=np.float64), failures.shape)
    if len(failures) < 3 or not failures.sum():
        return None
    bad = np.zeros(len(failures), dtype=np.bool_)
    for _ in range(20):
        usual = max(float(failures[~bad].sum()), 0.5) / float(hours[~bad].sum())
        chances = np.where(failures > 0, gammainc(np.maximum(failures, 1), usual * hours), 1.0)
        after = discoveries(chances)
        if bool((after == bad).all()) or after.all():
            break
        bad = after
    shape, mean = _gamma_law(failures, hours)
    rate = shape / mean
    worst = np.argsort(-failures, kind="stable")
    worst = worst[failures[worst] > 0]
    low, high = (gammaincinv(shape + failures, share) / (rate + hours) for share in (0.025, 0.975))
    believed = (shape + failures) / (rate + hours)
    of = tuple(
        Suspect(
            names[who] if who < len(names) else str(who),
            int(failures[who]),
            float(hours[who]),
            float(believed[who]),
            float(low[who]),
            float(high[who]),
            float(chances[who]),
            bool(bad[who]),
        )
        for who in worst.tolist()
    )
    return Suspects(of, usual, mean, 0.0 if shape >= MOST_SHAPE else shape**-0.5, len(failures))


def _gamma_law(failures: Numbers, hours: Values) -> tuple[float, float]:
    """Return shape and mean [1/h] of the likeliest gamma law of rates: counts are negative binomial then."""
    from scipy.optimize import minimize
    from scipy.special import gammaln

    start = math.log(float(failures.sum()) / float(hours.sum()))
    (counts, times), many = np.unique(np.stack([failures.astype(np.float64), hours]), axis=1, return_counts=True)

    def against(x: Values) -> float:
        shape, expected = math.exp(float(x[0])), math.exp(float(x[1])) * times
        found = gammaln(shape + counts) - math.lgamma(shape)
        found += counts * np.log(expected / (shape + expected)) - shape * np.log1p(expected / shape)
        return -float(many @ found)

    ends = [(math.log(1e-3), math.log(MOST_SHAPE)), (start - 3, start + 3)]
    tried = [minimize(against, np.array([each, start]), method="TNC", bounds=ends) for each in (-1.0, 2.0, 6.0)]
    best = min(tried, key=lambda each: float(each.fun))
    return math.exp(float(best.x[0])), math.exp(float(best.x[1]))
