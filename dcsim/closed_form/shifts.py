"""Repair by people who have hours: how much longer a repair is away, with nobody before it in the queue.

Failures come at a constant rate, so at any hour of the week alike. Times in any one unit.
"""

import math
from collections.abc import Callable, Sequence

MOST_GAPS = 100_000
"""Gaps between shifts that a long repair is followed through; source: assumed, what lies beyond is left out."""


def wait_for_shift(shifts: Sequence[tuple[float, float]], week: float, power: int = 1) -> float:
    """Mean time until somebody is on shift, sum of g^2 / (2 ``week``) over the gaps g between the shifts of a week.

    ``shifts``: begin and end of each in order, at least one; those that touch are taken as one. ``power`` k: the mean
    of the k-th power of the wait, sum of g^(k + 1) / ((k + 1) ``week``).
    """
    return math.fsum(gap ** (power + 1) for _, gap in _cycle(shifts, week)) / ((power + 1) * week)


def time_in_shifts(shifts: Sequence[tuple[float, float]], week: float) -> float:
    """Length of the shifts of a week."""
    return math.fsum(length for length, _ in _cycle(shifts, week))


def repair_in_shifts(
    shifts: Sequence[tuple[float, float]], week: float, mean: float, beyond: Callable[[float], float]
) -> float:
    """Mean time away of a repair that goes on within shifts only; ``beyond``: P(its work is longer than so much).

    Work m takes m week / C on average from an instant within shifts on, C their length in a week, whatever its law:
    the time off over a stretch of work is linear in it when its beginning is uniform. From the end of a gap g on it is
    m + sum of g_j P(work > d_j), d_j the work up to the j-th gap that follows.
    """
    cycle = _cycle(shifts, week)
    total = mean  # of those that begin within shifts: C / week times their mean
    for first, (_, gap) in enumerate(cycle):
        total += gap / week * (gap / 2 + mean + _gaps_met(cycle, first + 1, beyond))
    return total


def _gaps_met(cycle: Sequence[tuple[float, float]], first: int, beyond: Callable[[float], float]) -> float:
    """Return the mean time off that work meets which begins with a shift of a week."""
    found = done = 0.0
    for number in range(MOST_GAPS):
        length, gap = cycle[(first + number) % len(cycle)]
        done += length
        chance = beyond(done)
        found += gap * chance
        if chance < 1e-15:
            break
    return found


def _cycle(shifts: Sequence[tuple[float, float]], week: float) -> list[tuple[float, float]]:
    """Return the length of every shift and of the gap behind it, round the week."""
    merged: list[list[float]] = []
    for begin, end in shifts:
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([begin, end])
    nexts = [*(begin for begin, _ in merged[1:]), merged[0][0] + week]
    return [(end - begin, following - end) for (begin, end), following in zip(merged, nexts, strict=True)]


def wait_for_visit(days: Sequence[float], cycle: float, power: int = 1) -> float:
    """Mean time until the next visit, sum of g^2 / (2 ``cycle``): half the interval where they are evenly spread.

    ``days``: when the visits of a cycle (a week, or several) begin, in order, at least one. Visits take no longer than
    until the next one. ``power`` k: the mean of the k-th power, sum of g^(k + 1) / ((k + 1) ``cycle``).
    """
    return math.fsum(gap ** (power + 1) for gap in _gaps(days, cycle)) / ((power + 1) * cycle)


def wait_for_another_visit(days: Sequence[float], cycle: float, since: float, power: int = 1) -> float:
    """Mean wait of what a visit has not mended, ``since`` the visit began: sum of g (g' - ``since``)+ / ``cycle``.

    g' is the gap after the gap g: a visit meets what has come within the gap before it. ``power``: as above.
    """
    gaps = _gaps(days, cycle)
    nexts = [*gaps[1:], gaps[0]]
    return math.fsum(gap * max(0.0, after - since) ** power for gap, after in zip(gaps, nexts, strict=True)) / cycle


def _gaps(days: Sequence[float], cycle: float) -> list[float]:
    """Return the time from every visit of a cycle to the next one."""
    return [later - earlier for earlier, later in zip(days, [*days[1:], days[0] + cycle], strict=True)]


def wait_for_others(when: int, rate: float, power: int = 1) -> float:
    """Mean wait until ``when`` repairs wait, (when − 1) / (2 rate), where visits take no time; ``rate`` > 0.

    ``power`` k: the mean of the k-th power; the j-th from the end waits for a sum of j exponential gaps.
    """
    return math.prod(range(when - 1, when + power)) / ((power + 1) * when * rate**power)


def wait_at_most(after: float, rate: float, power: int = 1) -> float:
    """Mean wait where a visit of no time begins ``after`` the first: a (1 + rate a / 2) / (1 + rate a).

    ``power`` k: the mean of the k-th power, a^k (1 + rate a / (k + 1)) / (1 + rate a).
    """
    return after**power * (1 + rate * after / (power + 1)) / (1 + rate * after)
