"""Whether failures come as a constant rate would have them: in bursts, of few components, more or fewer with time."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
SURE = 0.01
"""A pattern is said where chance alone makes it with less than this probability; source: assumed."""


@dataclass(frozen=True)
class Clusters:
    """Counts of failures in ``windows`` equal windows: variance by mean is 1 for a constant rate, more in bursts."""

    windows: int
    window_h: float
    dispersion: float
    chance: float

    @property
    def bursts(self) -> bool:
        """Whether failures come in bursts, beyond chance."""
        return self.dispersion > 1 and self.chance < SURE


@dataclass(frozen=True)
class Lemons:
    """Failures by component: whether some fail far more often than chance has them.

    ``dispersion``: variance by mean of the counts. ``spread``: coefficient of variation of the components' own rates,
    by moments: sqrt(max(0, dispersion - 1) / mean). ``worst_share``: of all failures, the share of the worst tenth.
    ``expected_share``: what the worst tenth would have if all were alike (a Poisson law, to the nearest component).
    """

    components: int
    dispersion: float
    chance: float
    spread: float
    worst_share: float
    expected_share: float

    @property
    def found(self) -> bool:
        """Whether components differ, beyond chance."""
        return self.dispersion > 1 and self.chance < SURE


@dataclass(frozen=True)
class Trend:
    """Whether failures become more or fewer: N(t) proportional to t^power (Crow), and Laplace's test.

    ``power``: 1 for a constant rate, below it fewer with time; unbiased, (n - 1) / sum log(T / t).
    ``low``, ``high``: its exact interval, 2n / power_mle is chi2(2n). ``chance``: of Laplace's test, both sides.
    """

    failures: int
    power: float
    low: float
    high: float
    chance: float

    @property
    def found(self) -> str | None:
        """What the trend is, beyond chance: "fewer" or "more" with time; None."""
        if self.chance >= SURE:
            return None
        return "fewer" if self.power < 1 else "more"

    def sentence(self, times_h: Values, span_h: float, begin: float | None) -> str:
        """Say what the trend is, and how many failures a month the first and the last third have, with dates."""
        thirds = np.bincount(np.minimum(3 * times_h // span_h, 2).astype(np.int64), minlength=3) / (span_h / 3 / 720)
        if self.found is None:
            power = f"power of time {self.power:.2f}, {self.low:.2f} to {self.high:.2f}"
            return f"the rate has no trend beyond chance (p = {self.chance:.2g}; {power}, 1 is a constant rate)"
        what = "infant mortality" if self.found == "fewer" else "wear-out, or a growing load"
        until, since = (_date(begin, share * span_h) for share in (1 / 3, 2 / 3))
        return (
            f"failures become {self.found} with time, as {what} has it (power of time {self.power:.2f}, {self.low:.2f} "
            f"to {self.high:.2f}): {thirds[0]:.3g} a month until {until}, {thirds[2]:.3g} since {since}"
        )


def _date(begin: float | None, hours: float) -> str:
    """Return a day of the record."""
    if begin is None:
        return f"{hours:,.0f} h"
    return datetime.fromtimestamp(begin + 3600 * hours, tz=UTC).date().isoformat()


def clusters(times_h: Values, span_h: float, window_h: float) -> Clusters | None:
    """Return how failures at some times [h] from the begin of a record of ``span_h`` fall into windows.

    None for fewer than two whole windows, or without a failure in them.
    """
    from scipy.special import chdtrc

    windows = int(span_h // window_h)
    counts = np.bincount(
        (times_h[times_h < windows * window_h] // window_h).astype(np.int64), minlength=max(windows, 1)
    )
    mean = float(counts.mean())
    if windows < 2 or not mean:
        return None
    statistic = float(((counts - mean) ** 2).sum()) / mean
    upper = float(chdtrc(windows - 1, statistic))
    return Clusters(windows, window_h, statistic / (windows - 1), upper)


def lemons(failures: NDArray[np.int64]) -> Lemons | None:
    """Return whether components differ, from the failures of each, int64 (components,); None without a failure."""
    from scipy.special import chdtrc

    count, mean = len(failures), float(failures.mean()) if len(failures) else 0.0
    if count < 2 or not mean:
        return None
    statistic = float(((failures - mean) ** 2).sum()) / mean
    dispersion = statistic / (count - 1)
    tenth = max(1, round(count / 10))
    worst = float(np.sort(failures)[::-1][:tenth].sum()) / float(failures.sum())
    chance = float(chdtrc(count - 1, statistic))
    return Lemons(
        count, dispersion, chance, (max(0.0, dispersion - 1) / mean) ** 0.5, worst, _alike(mean, tenth, count)
    )


def _alike(mean: float, tenth: int, count: int) -> float:
    """Return the share of all failures of the ``tenth`` of ``count`` components with most, if all have one rate."""
    from scipy.special import gammaln

    most = int(mean + 12 * mean**0.5 + 20)
    values = np.arange(most + 1)
    chances = np.exp(values * np.log(mean) - mean - gammaln(values + 1))
    left, found = tenth / count, 0.0
    for value in range(most, -1, -1):
        taken = min(left, float(chances[value]))
        found, left = found + taken * value, left - taken
    return found / mean


@dataclass(frozen=True)
class Clumps:
    """Pairs of failures in the same window beyond what units that fail at constant rates of their own have.

    ``again``: pairs of one unit, seen by expected; ``together``: pairs of two units. 1: no more than by chance; what
    makes units differ (lemons) is in neither. ``again_chance``, ``together_chance``: with which probability constant
    rates have as many.
    """

    window_h: float
    again: float
    again_chance: float
    together: float
    together_chance: float

    @property
    def sentence(self) -> str:
        """What comes in bursts once units have rates of their own, in a sentence."""
        said = []
        if self.again_chance < SURE and self.again > 1:
            said.append(f"a unit that failed fails again within {self.window_h:g} h {self.again:.1f} times as often")
        if self.together_chance < SURE and self.together > 1:
            said.append(f"different units fail within the same {self.window_h:g} h {self.together:.1f} times as often")
        if not said:
            return "failures come no more in bursts than by chance"
        return " and ".join(said) + " as constant rates have it"


def clumps(times_h: Values, unit: NDArray[np.int64], span_h: float, window_h: float = 24.0) -> Clumps | None:
    """Return whether failures of units at some times [h] come in bursts beyond what unequal units explain.

    Given how often each unit failed, its failures fall evenly on windows if its rate is constant. None for fewer than
    two windows, or where no unit failed twice.
    """
    from scipy.special import gammainc

    windows = int(span_h // window_h)
    inside = times_h < windows * window_h
    if windows < 2 or not inside.any():
        return None
    at, whose = (times_h[inside] // window_h).astype(np.int64), unit[inside]
    own = np.unique(whose, return_counts=True)[1]
    pairs = float((own * (own - 1)).sum()) / 2
    total = len(at) * (len(at) - 1) / 2
    cells = np.unique(np.stack([whose, at]), axis=1, return_counts=True)[1]
    again = float((cells * (cells - 1)).sum()) / 2
    by_window = np.bincount(at)
    together = float((by_window * (by_window - 1)).sum()) / 2 - again
    if not pairs or total == pairs:
        return None
    found = []
    for seen, expected in ((again, pairs / windows), (together, (total - pairs) / windows)):
        found += [seen / expected, float(gammainc(seen, expected)) if seen else 1.0]
    return Clumps(window_h, *found)


@dataclass(frozen=True)
class Cycle:
    """Failures by part of a day or of a week; ``chance``: with which an even rate has parts so unequal (chi2).

    ``names``: of the parts; ``counts``: int each, of whole periods only.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    chance: float

    @property
    def found(self) -> bool:
        """Whether parts differ, beyond chance."""
        return self.chance < SURE

    @property
    def sentence(self) -> str:
        """Which part has most and which has least, in a sentence."""
        mean = sum(self.counts) / len(self.counts)
        most, least = max(self.counts), min(self.counts)
        if not self.found:
            return "no part has more than by chance"
        top, low = self.names[self.counts.index(most)], self.names[self.counts.index(least)]
        return f"{top}: {most / mean:.2f} times the mean, {low}: {least / mean:.2f} times"


HOURS = tuple(f"{hour}-{hour + 3} h" for hour in range(0, 24, 3))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def cycles(times_h: Values, begin: float, span_h: float) -> tuple[Cycle | None, Cycle | None]:
    """Return the daily and the weekly pattern of failures; ``begin``: of the record [s since 1970], in its own clock.

    None where the record is shorter than two periods, or has no failure in whole ones. Days begin at midnight of the
    clock that the record was written in.
    """
    from scipy.special import chdtrc

    found: list[Cycle | None] = []
    for names, period, first in ((HOURS, 24.0, 0.0), (DAYS, 168.0, 72.0)):  # 1970 began on a Thursday
        whole = int(span_h // period) * period
        its = times_h[times_h < whole]
        if whole < 2 * period or not len(its):
            found.append(None)
            continue
        part = ((begin / 3600 + first + its) % period) // (period / len(names))
        counts = np.bincount(np.minimum(part, len(names) - 1).astype(np.int64), minlength=len(names))
        mean = len(its) / len(names)
        chance = float(chdtrc(len(names) - 1, float(((counts - mean) ** 2).sum()) / mean))
        found.append(Cycle(names, tuple(counts.tolist()), chance))
    return found[0], found[1]


def trend(times_h: Values, span_h: float) -> Trend | None:
    """Return whether failures at some times [h], above 0, become more or fewer within a record of ``span_h``.

    None for fewer than three failures.
    """
    from scipy.special import gammaincinv, ndtr

    n = len(times_h)
    if n < 3:
        return None
    logs = float(np.log(span_h / np.maximum(times_h, 1e-9 * span_h)).sum())
    laplace = (float(times_h.mean()) / span_h - 0.5) * (12 * n) ** 0.5
    low, high = (float(gammaincinv(n, p)) / logs for p in (0.025, 0.975))
    return Trend(n, (n - 1) / logs, low, high, 2 * float(ndtr(-abs(laplace))))
