"""Exact renewal theory of one gang, and the checkpoint intervals that follow from it.

``rate`` λ is the gang's failures per unit of time, n / MTBF, with exponential gaps. ``interval`` τ is
computing time between checkpoints, ``write`` C the blocking write after it, ``stall`` R the time from a
strike to running again; a further strike restarts the stall unless it is safe. Any one unit of time will do
(hours in dcsim). Arguments are finite and not negative. Nothing overflows, and no digits are lost as λ goes
to 0; a goodput too small for a float is 0.0.

References: J. W. Young, CACM 17 (1974) 530; J. T. Daly, Future Generation Computer Systems 22 (2006) 303;
A. Kokolis et al., arXiv:2410.21680v2. The derivations are in docs/model.md.
"""

import math
from collections.abc import Sequence

LARGEST_EXPONENT = 700.0  # e^709 is the largest double
ETTR_VALID_BELOW = 0.3


def _rise(x: float) -> float:
    """x / (e^x − 1): 1 at 0, falling to 0."""
    return x / math.expm1(x) if 0 < x < LARGEST_EXPONENT else float(x == 0)


def _computing_share(interval: float, write: float) -> float:
    """τ/(τ + C); 1 for free writes, even without pause between them."""
    return interval / (interval + write) if write else 1.0


def _up_after_stall(rate: float, stall: float, safe_stall: bool) -> float:
    """Share of time not stalled, 1/λ over a mean cycle: e^(−λR) when exposed, 1/(1 + λR) when safe."""
    return 1 / (1 + rate * stall) if safe_stall else math.exp(-rate * stall)


def restart_goodput(
    rate: float, interval: float, write: float, stall: float, *, drain: float = 0.0, safe_stall: bool = False
) -> float:
    """Goodput of checkpoint-restart: λτ e^(−λ(R + d)) / (e^(λ(τ + C)) − 1).

    A window τ + C takes (1/λ + mean stall)(e^(λ(τ + C)) − 1) on average. R = detect + failover + restore.
    With a safe stall e^(−λR) becomes 1/(1 + λR). An asynchronous copy counts once it has drained for d: the k-th does
    if the gang runs longer than k(τ + C) + d, so mean saved work a stretch is τ sum_k e^(−λ(k(τ + C) + d)), e^(−λd)
    times that of d = 0, whether the stall is safe or not.
    """
    share = _computing_share(interval, write) * _up_after_stall(rate, stall, safe_stall)
    return share * _rise(rate * (interval + write)) * math.exp(-rate * drain)


def no_rollback_goodput(rate: float, interval: float, write: float, stall: float, *, safe_stall: bool = False) -> float:
    """Goodput without rollback: e^(−λR) (1 − e^(−λτ)) / (1 − e^(−λ(τ + C))); e^(−λR) if C is 0.

    The timetable of τ computing, C writing starts anew at every resume, and the gang is still up at time t of
    it with probability e^(−λt): mean computing per cycle is the integral of that over the computing parts.
    R = detect + failover. With a safe stall e^(−λR) becomes 1/(1 + λR).
    """
    x = rate * (interval + write)
    share = math.expm1(-rate * interval) / math.expm1(-x) if x > 1e-17 else _computing_share(interval, write)
    return share * _up_after_stall(rate, stall, safe_stall)


def lost_work(rate: float, window: float) -> float:
    """Mean work lost by a failure inside a window X: 1/λ − X/(e^(λX) − 1); X/2 as λ → 0."""
    x = rate * window
    if x < 0.01:  # the two terms cancel: (1 − x/(e^x − 1))/x by its Bernoulli series
        return window * (1 / 2 - x / 12 + x**3 / 720 - x**5 / 30_240)
    return (1 - _rise(x)) / rate


def young_interval(rate: float, write: float) -> float:
    """Young's interval sqrt(2C/λ): 0 for free writes, infinite if nothing ever fails."""
    return math.sqrt(2 * write / rate) if rate else _never_failing(write)


def daly_interval(rate: float, write: float) -> float:
    """Daly's higher-order interval: sqrt(2CM)(1 + x/3 + x²/9) − C if C < 2M, else M; M = 1/λ, x² = C/2M."""
    if not rate:
        return _never_failing(write)
    half = rate * write / 2
    if half >= 1:
        return 1 / rate
    return young_interval(rate, write) * (1 + math.sqrt(half) / 3 + half / 9) - write


def optimal_interval(rate: float, write: float) -> float:
    """Interval of the largest ``restart_goodput``, for any R: (1/λ)(1 + W0(−e^(−λC − 1))), W0 Lambert's W."""
    if not rate:
        return _never_failing(write)
    p = math.sqrt(-2 * math.expm1(-rate * write))
    if p < 0.01:  # near the branch point −1/e W0 loses digits: its series in p (Corless et al. 1996, 4.22)
        return p * (1 - p * (1 / 3 - p * (11 / 72 - p * (43 / 540 - p * 769 / 17_280)))) / rate
    from scipy.special import lambertw

    return float(1 + lambertw(-math.exp(-rate * write - 1)).real) / rate


def _never_failing(write: float) -> float:
    return math.inf if write else 0.0


def makespan(
    work: float, rate: float, interval: float, write: float, stall: float, *, safe_stall: bool = False
) -> float:
    """Mean time for ``work`` under checkpoint-restart, work / goodput (Daly 2006); inf at goodput 0."""
    goodput = restart_goodput(rate, interval, write, stall, safe_stall=safe_stall)
    return work / goodput if goodput else math.inf


def completion(
    work: float,
    interval: float,
    write: float,
    stalls: Sequence[tuple[float, float]],
    *,
    safe_stall: bool = False,
) -> float:
    """Mean time until ``work`` is done, exactly, for a gang that every failure rolls back to its last checkpoint.

    ``work``: time of computing that it takes; no checkpoint is written after its last piece. ``stalls``: for each class
    of failures its rate and the time from the failure until work goes on; a failure in that time begins it anew. With
    λ the sum of the rates, s the time of a piece with its write, q the mean of e^(−λ stall) over failures, a piece
    takes (e^(λ s) − 1) / (λ q) and the pieces add up; without writes and stalls n whole pieces take
    n (e^(λ τ) − 1) / λ (Daly 2006, section 3, for one class). ``safe_stall``: nothing fails in that time; a piece then
    takes (e^(λ s) − 1) (1 / λ + mean stall). inf where that exceeds the largest float.
    """
    pieces = max(0, math.ceil(work / interval - 1e-12) - 1)
    last = work - pieces * interval
    rate = math.fsum(each for each, _ in stalls)
    if not rate:
        return work + pieces * write
    shares = [(each / rate, stall) for each, stall in stalls]
    try:
        before = pieces * math.expm1(rate * (interval + write)) if pieces else 0.0
        failures = before + math.expm1(rate * last)  # e^(λ s) − 1 in the mean for each piece
        if safe_stall:
            return failures * (1 / rate + math.fsum(share * stall for share, stall in shares))
        return failures / (rate * math.fsum(share * math.exp(-rate * stall) for share, stall in shares))
    except (OverflowError, ZeroDivisionError):
        return math.inf


def ettr_kokolis(rate: float, restart: float, interval: float, write: float) -> float | None:
    """First-order training-time ratio (1 − λ(u0 + Δt/2)) / (1 + w/Δt), Kokolis et al. v2, λ = N r_f.

    ``restart`` u0 is their time to start again, ``interval`` Δt (above 0), ``write`` w.
    None where λ(u0 + Δt/2) >= 0.3: a first-order formula says nothing there.
    """
    lost = rate * (restart + interval / 2)
    return (1 - lost) / (1 + write / interval) if lost < ETTR_VALID_BELOW else None
