"""Exact goodput of one gang whose strikes roll back to different depths: tiers, coverage, restores that fail.

Strikes of class c come at rate λ_c with exponential gaps, λ in all; one restarts the stall. Class c has a level: -1
keeps everything, i rolls back to the newest copy in tier i (0 the fastest). The tiers' timetable (blocking writes after
each ``every``, each a multiple of the faster one's, a copy safe ``drain`` after its write) starts anew at every resume.
Any one unit of time will do. With one tier and level 0 it is λτ e^(−λ(R + d)) / (e^(λ(τ + C)) − 1), drain d.

*A stretch.* The gang runs longer than x with probability e^(−λx). Tier i's copies are T_i = P_i + d_i, then further
periods P_i long; a period of tier i is q_i periods of tier i − 1 and write i. By geometric sums, slowest tier n first,

    K_n = 1/(1 − e^(−λP_n)),  K_(i−1) = K_i (1 − e^(−λ q_i P_(i−1)))/(1 − e^(−λP_(i−1)))

is the mean number of periods of tier i that begin; σ_i = every_i e^(−λT_i) K_i is the mean computing that ends up safe
in tier i, and σ_(−1) = (1 − e^(−λ every_0))/λ K_0 all of the computing.

*Many stretches.* Let a_i be the work that lies above tier i's copy when a stretch begins. During it the copy moves by
g_i = s_i − [s_i = 0] a_i with s_i the computing safe in it (E s_i = σ_i, P(s_i = 0) = 1 − e^(−λT_i)), and a strike of
level l leaves the gang at the copy of tier l: it progresses by g_l, and

    a_i' = g_l − g_i for l < i, else 0.

That is linear in a_i, so the means follow tier by tier from linear equations; goodput = λ sum_c p_c E g_l(c).

*The stall* depends on the last strike (its detection, its failed restores) and on the deepest level m since the gang
last ran: the pairs (c, m) are a Markov chain, and the gang gets through the stall with probability φ = E e^(−λR). A
safe stall (nothing strikes a gang that stalls) has φ = 1, and a strike then takes 1/λ + mean R.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dcsim.closed_form.renewal import ETTR_VALID_BELOW


@dataclass(frozen=True, slots=True)
class Strikes:
    """One class of strikes: ``rate``, ``level`` it rolls back to (-1: nothing), ``detect``.

    ``wrong``: probability that the blame falls on a healthy node: the faulty one strikes again once the gang runs,
    so the stall comes 1 + G times, G geometric. Exact while no other strike falls into these stalls.
    """

    rate: float
    level: int
    detect: float
    wrong: float = 0.0


@dataclass(frozen=True, slots=True)
class Copies:
    """One tier: ``every`` of computing, ``write`` that blocks, ``drain`` until it is safe, ``restore`` from it."""

    every: float
    write: float = 0.0
    drain: float = 0.0
    restore: float = 0.0


def rollback_goodput(
    strikes: Sequence[Strikes],
    tiers: Sequence[Copies],
    failover: float,
    *,
    start: float = 0.0,
    success: float = 1.0,
    bad: float = 0.0,
    step: float = 0.0,
    safe_stall: bool = False,
) -> float | None:
    """Goodput of a gang that never waits for hardware (module docstring).

    ``start``: restore after strikes of level -1; ``success``: probability of an attempt at a restore; ``bad``: that a
    checkpoint cannot be read (each costs one more interval); ``step``: work that a strike of level -1 costs.
    None where this is no exact form: bad checkpoints with several tiers in use, a step longer than the first interval
    or beside strikes that roll back, or a tier that drains longer than a slower one. Every level < len(tiers).
    """
    import numpy as np

    strikes = [each for each in strikes if each.rate > 0]
    rate = sum(each.rate for each in strikes)
    if not rate:
        return tiers[-1].every / _periods(tiers)[-1] if tiers else 1.0
    used = sorted({each.level for each in strikes})
    deep = [level for level in used if level >= 0]
    late = any(fast.drain > slow.drain for fast, slow in pairwise(tiers))
    if late or (bad and len(deep) > 1) or (step and (deep or (tiers and step > tiers[0].every))):
        return None
    safe, missing = _safe(rate, tiers)

    states = [(each, deepest) for each in strikes for deepest in used if deepest >= each.level]
    through, stall = np.transpose(
        [_through(rate, each, failover, _load(m, tiers, start), success) for each, m in states]
    )
    if safe_stall:
        through = np.ones(len(states))
    share = np.array([each.rate / rate for each, _ in states])
    level = np.array([each.level for each, _ in states])
    now, then = np.array([m for _, m in states]), np.array([m for _, m in states])[:, None]
    ran = through[:, None] * share * (now == level)  # from state (row) to state (column), the gang ran in between
    stuck = (1 - through)[:, None] * share * (now == np.maximum(then, level))
    balance = (ran + stuck).T - np.eye(len(states))
    balance[-1] = 1.0
    likely = np.linalg.solve(balance, np.eye(len(states))[-1])

    above = {-1: np.zeros(len(states))}  # E[a_i; state] by tier
    moved = {}
    for tier in used:
        if tier >= 0:
            faster = [other for other in above if other < tier]
            known = np.zeros(len(states))
            for other in faster:
                mine = level == other
                gain = (likely @ ran) * (safe[other] - safe[tier])
                known += mine * (gain - missing[other] * (above[other] @ ran) - above[other] @ stuck)
            carried = (missing[tier] * ran + stuck).T * (level < tier)[:, None]
            above[tier] = np.linalg.solve(np.eye(len(states)) - carried, known)
        runs = likely @ through
        moved[tier] = runs * safe[tier] - above[tier] @ (missing[tier] * through + 1 - through)
    lost = {tier: bad / (1 - bad) * tiers[tier].every for tier in deep} if bad else {}
    lost[-1] = -math.expm1(-rate * step) / rate * float(likely @ through)
    progress = sum(each.rate / rate * (float(moved[each.level]) - lost.get(each.level, 0.0)) for each in strikes)
    return progress / (1 / rate + (float(likely @ stall) if safe_stall else 0.0))


def rollback_first_order(
    strikes: Sequence[Strikes], tiers: Sequence[Copies], failover: float, *, start: float = 0.0, success: float = 1.0
) -> float | None:
    """First order of ``rollback_goodput``: [1 − sum λ_c (R_c + d_l + every_l/2)] / (1 + sum write_i/every_i).

    R_c = detect + failover + restore of level l; a strike of level -1 costs R_c only. With one tier this is Kokolis'
    formula. None where the sum reaches 0.3: a first-order formula says nothing there.
    """
    lost = 0.0
    for each in strikes:
        window = tiers[each.level].drain + tiers[each.level].every / 2 if each.level >= 0 else 0.0
        stall = (each.detect + failover + _load(each.level, tiers, start) / success) / (1 - each.wrong)
        lost += each.rate * (stall + window)
    return (1 - lost) / (1 + sum(tier.write / tier.every for tier in tiers)) if lost < ETTR_VALID_BELOW else None


def _periods(tiers: Sequence[Copies]) -> list[float]:
    """P_i: computing and writes from one copy of tier i to the next."""
    periods: list[float] = []
    for index, tier in enumerate(tiers):
        inner = tier.every if index == 0 else round(tier.every / tiers[index - 1].every) * periods[-1]
        periods.append(inner + tier.write)
    return periods


def _safe(rate: float, tiers: Sequence[Copies]) -> tuple[dict[int, float], dict[int, float]]:
    """σ_i and 1 − e^(−λT_i) by tier; -1 stands for the work itself, which is above no copy."""
    safe, missing = {-1: 1 / rate}, {-1: 1.0}
    begun = 1.0
    slower: float | None = None
    periods = _periods(tiers)
    for index in reversed(range(len(tiers))):
        tier, period = tiers[index], periods[index]
        begun *= (1.0 if slower is None else -math.expm1(-rate * slower)) / -math.expm1(-rate * period)
        first = period + tier.drain
        safe[index], missing[index] = tier.every * math.exp(-rate * first) * begun, -math.expm1(-rate * first)
        slower = period - tier.write  # the periods of the next faster tier in one of this
    if tiers:
        safe[-1] = -math.expm1(-rate * tiers[0].every) / rate * begun
    return safe, missing


def _load(level: int, tiers: Sequence[Copies], start: float) -> float:
    return tiers[level].restore if level >= 0 else start


def _through(rate: float, each: Strikes, failover: float, load: float, success: float) -> tuple[float, float]:
    """E e^(−λR) and E R of one stall: detection, failover, attempts until one succeeds; all 1 + G times."""
    once = math.exp(-rate * (each.detect + failover))
    if load:
        attempt = math.exp(-rate * load)
        once *= success * attempt / (1 - (1 - success) * attempt)
    mean = (each.detect + failover + load / success) / (1 - each.wrong)
    return (1 - each.wrong) * once / (1 - each.wrong * once), mean
