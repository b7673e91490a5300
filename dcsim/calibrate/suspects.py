"""Which units fail more than the others, by name, and at which rate each is believed to fail.

Who is chosen for many failures had bad luck, too: an interval that forgets the choice lies too high (winner's curse).
The rates of ``Suspects`` are taken to be drawn from one law; what is believed of each after all then heeds the choice.
A ``Count`` makes no such assumption. Its likelihood is truncated to counts that are large enough to be chosen (Zöllner
and Pritchard 2007; Fithian, Sun and Taylor 2014; Andrews, Kitagawa and McCloskey 2024).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

SHARE_FALSE = 0.05
"""Of the units that are called bad, the share that are not is at most this in the mean; source: custom."""
MOST_SHAPE = 1e4
"""Shape of the gamma law of rates from which on units are alike: their rates differ by a hundredth."""


FINE = 1e-3
"""Units with as many failures, whose hours differ by less than this share, count alike when the law is looked for."""


def discoveries(chances: Values, share: float = SHARE_FALSE, many: int | None = None) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected so that at most a share of them is true (Benjamini and Hochberg 1995).

    ``chances``: p values, float64 (n,); returns bool (n,). ``many``: how many hypotheses there are; None: n. The others
    have a p value of 1.
    """
    order = np.argsort(chances)
    held = np.flatnonzero(chances[order] <= share * np.arange(1, len(chances) + 1) / max(1, many or len(chances)))
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
    ``shape``: of the gamma law. ``names``: of the first units. Of those that failed: ``number`` int64 (n,), which unit
    it is; ``failures`` int64 (n,), ``hours`` float64 (n,), ``chances`` float64 (n,), ``accused`` bool (n,).
    """

    names: Sequence[str]
    number: Numbers
    failures: Numbers
    hours: Values
    chances: Values
    accused: NDArray[np.bool_]
    usual_per_h: float
    mean_per_h: float
    shape: float
    units: int

    @property
    def spread(self) -> float:
        """Coefficient of variation of the rates of units."""
        return 0.0 if self.shape >= MOST_SHAPE else float(self.shape**-0.5)

    def _name(self, who: int) -> str:
        return self.names[who] if who < len(self.names) else str(who)

    def _told(self, rows: Numbers) -> tuple[Suspect, ...]:
        from scipy.special import gammaincinv

        shape, exposed = self.shape + self.failures[rows], self.shape / self.mean_per_h + self.hours[rows]
        columns = (
            self.failures[rows],
            self.hours[rows],
            shape / exposed,
            gammaincinv(shape, 0.025) / exposed,
            gammaincinv(shape, 0.975) / exposed,
            self.chances[rows],
            self.accused[rows],
        )
        told = zip(self.number[rows].tolist(), *(column.tolist() for column in columns), strict=True)
        return tuple(Suspect(self._name(who), *rest) for who, *rest in told)

    @property
    def of(self) -> tuple[Suspect, ...]:
        """All units that failed. There may be a million of them."""
        return self._told(np.arange(len(self.failures)))

    @cached_property
    def bad(self) -> tuple[Suspect, ...]:
        """Units that fail more than the others."""
        return self._told(np.flatnonzero(self.accused))

    @property
    def sentence(self) -> str:
        """Which units are bad, in a sentence."""
        bad = self.bad
        if not bad:
            return f"none of {self.units:,} units fails more than the others, beyond chance"
        total = int(self.failures.sum())
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
    from scipy.special import gammainc

    failures = np.asarray(failures, dtype=np.int64)
    hours = np.broadcast_to(np.asarray(hours, dtype=np.float64), failures.shape)
    units = len(failures)
    if units < 3 or not failures.sum():
        return None
    seen = np.flatnonzero(failures)
    seen = seen[np.argsort(-failures[seen], kind="stable")]
    counts, times = failures[seen], hours[seen]
    all_h = float(hours.sum())
    bad = np.zeros(len(seen), dtype=np.bool_)
    for _ in range(20):
        usual = max(float(counts[~bad].sum()), 0.5) / (all_h - float(times[bad].sum()))
        chances = np.asarray(gammainc(counts, usual * times), dtype=np.float64)
        after = discoveries(chances, many=units)
        if bool((after == bad).all()) or int(after.sum()) == units:
            break
        bad = after
    shape, mean = _gamma_law(failures, hours)
    return Suspects(names, seen, counts, times, chances, bad, usual, mean, shape, units)


def _alike(failures: Numbers, hours: Values) -> tuple[Values, Values, Values]:
    """Return failures, mean hours and number of units that count alike, float64 (m,) each."""
    kind = (failures << 21) + np.round(np.log(hours / hours.max()) / FINE).astype(np.int64) + (1 << 20)
    _, first, of, many = np.unique(kind, return_index=True, return_inverse=True, return_counts=True)
    return failures[first].astype(np.float64), np.bincount(of, hours) / many, many.astype(np.float64)


def _gamma_law(failures: Numbers, hours: Values) -> tuple[float, float]:
    """Return shape and mean [1/h] of the likeliest gamma law of rates: counts are negative binomial then."""
    from scipy.optimize import minimize
    from scipy.special import gammaln

    start = math.log(float(failures.sum()) / float(hours.sum()))
    counts, times, many = _alike(failures, hours)

    def against(x: Values) -> float:
        shape, expected = math.exp(float(x[0])), math.exp(float(x[1])) * times
        found = gammaln(shape + counts) - math.lgamma(shape)
        found += counts * np.log(expected / (shape + expected)) - shape * np.log1p(expected / shape)
        return -float(many @ found)

    ends = [(math.log(1e-3), math.log(MOST_SHAPE)), (start - 3, start + 3)]
    tried = [minimize(against, np.array([each, start]), method="TNC", bounds=ends) for each in (-1.0, 2.0, 6.0)]
    best = min(tried, key=lambda each: float(each.fun))
    return math.exp(float(best.x[0])), math.exp(float(best.x[1]))


def _off(ratio: float) -> float:
    """Return how much a count of one speaks against ``ratio`` times its mean: twice the log likelihood ratio."""
    ratio = max(ratio, 1e-12)
    return 2 * (ratio - 1 - math.log(ratio))


@dataclass(frozen=True)
class Count:
    """What the failed runs say of a unit's rate: as much as a Poisson count of ``seen`` with others' failures in it.

    Its mean at rate r is ``seen`` (r + ``others``) / (``rate`` + ``others``), where ``rate`` is the likeliest [1/h] and
    ``usual`` the rate of those that do not stand out. ``seen`` need not be whole.
    """

    rate: float
    usual: float
    seen: float
    others: float

    @classmethod
    def of(cls, rate: float, usual: float, against_usual: float, above: float, against_above: float) -> "Count":
        """Return the count that speaks as much against two rates as the failed runs do, twice the log likelihood.

        ``above``: another rate than ``usual``, higher than ``rate``.
        """
        from scipy.optimize import brentq

        def seen(others: float) -> float:
            return against_above / _off((above + others) / (rate + others))

        def short(others: float) -> float:
            return seen(others) * _off((usual + others) / (rate + others)) - against_usual

        none, all_others = 1e-9 * rate, 100 * rate
        if short(none) <= 0:
            others = none
        elif short(all_others) >= 0:
            others = all_others
        else:
            others = float(brentq(short, none, all_others, rtol=1e-6))
        return cls(rate, usual, seen(others), others)

    def mean(self, rate: float) -> float:
        """Return the mean of the count at a rate."""
        return self.seen * (rate + self.others) / (self.rate + self.others)

    @property
    def chance(self) -> float:
        """Probability of at least as many at the usual rate."""
        return _tail(self.seen, self.mean(self.usual))

    def interval(self, most_chance: float, confidence: float) -> tuple[float, float]:
        """Return the interval of the rate [1/h], given that it was chosen: that its chance is at most so high."""
        from scipy.optimize import brentq

        usual = self.mean(self.usual)
        least = self.seen
        if _tail(self.seen + 1, usual) < most_chance < _tail(1e-9, usual):
            least = min(self.seen, float(brentq(lambda seen: _tail(seen, usual) - most_chance, 1e-9, self.seen + 1)))
        least = self.seen - math.floor(self.seen - least)  # counts are a whole number apart

        def above(rate: float) -> float:
            """Return how probable more are than were seen (half of as many) among counts that are chosen."""
            mean = self.mean(rate)
            return (_tail(self.seen, mean) + _tail(self.seen + 1, mean)) / 2 / max(_tail(least, mean), 1e-300)

        return self._where(above, (1 - confidence) / 2), self._where(above, (1 + confidence) / 2)

    def _where(self, rising: Callable[[float], float], level: float) -> float:
        from scipy.optimize import brentq

        top = 2 * self.rate
        while rising(top) < level:
            top *= 2
        return 0.0 if rising(0.0) >= level else float(brentq(lambda rate: rising(rate) - level, 0.0, top, rtol=1e-4))


def _tail(seen: float, mean: float) -> float:
    """Return the probability of at least so many at this mean, between whole numbers by the gamma law."""
    from scipy.special import gammainc

    return float(gammainc(seen, mean))
