"""Spares and repair crews: the machine-repairman chain, and Erlang's formulas.

The chain counts machines down, k = 0 … K. All K − k that are up fail, hot spares too: k grows at rate
(K − k)/MTBF; at most c crews repair, exponentially: k falls at rate min(k, c)/repair. Times in hours.
Reference: L. Takács, Introduction to the Theory of Queues (1962), chapter 5; A. K. Erlang (1917).
"""

import math
from collections.abc import Sequence


def down_probabilities(
    machines: int, crews: int, mtbf: float, repair: float, horizon: float | None = None
) -> list[float]:
    """Probability of k machines down, k = 0 … ``machines``, in a list of ``machines`` + 1.

    Without ``horizon``: the steady state. With ``horizon`` [h]: the average over that time of a fleet that
    starts with all machines up. At least one machine and one crew (as many crews as machines: no queue),
    ``mtbf`` > 0 [h], mean ``repair`` >= 0 [h]. Averaging takes at most about
    (machines/mtbf + crews/repair) * horizon steps of ``machines`` operations each.
    """
    if repair == 0 or horizon == 0:
        return [1.0] + [0.0] * machines
    if horizon is None:
        return _steady(machines, crews, mtbf, repair)
    return _average(machines, crews, mtbf, repair, horizon)


def _steady(machines: int, crews: int, mtbf: float, repair: float) -> list[float]:
    """p(k+1)/p(k) = fail rate in k / repair rate in k + 1, in logarithms: large fleets do not overflow."""
    logs = [0.0]
    for k in range(machines):
        logs.append(logs[-1] + math.log((machines - k) / min(k + 1, crews)) + math.log(repair) - math.log(mtbf))
    top = max(logs)
    weights = [math.exp(log - top) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _average(machines: int, crews: int, mtbf: float, repair: float, horizon: float) -> list[float]:
    """Solve the forward equations exactly by uniformisation: only positive terms, so nothing cancels.

    Jump at Λ, the largest total rate: after n jumps the state has law p0 P^n, and the mean time spent between
    jumps n and n + 1 before H is P(Poisson(ΛH) > n)/Λ.
    """
    import numpy as np
    from scipy.special import pdtrc

    down = np.arange(machines + 1)
    fail, mend = (machines - down) / mtbf, np.minimum(down, crews) / repair
    fastest = float((fail + mend).max())
    fail, mend = fail / fastest, mend / fastest
    law = np.zeros(machines + 1)
    law[0] = 1.0
    sums, jumps, left = np.zeros(machines + 1), 0, fastest * horizon
    while True:
        weight = float(pdtrc(jumps, fastest * horizon))
        sums += weight * law
        left -= weight
        after = law * (1 - fail - mend)
        after[1:] += fail[:-1] * law[:-1]
        after[:-1] += mend[1:] * law[1:]
        # no jumps left to come, or the law has settled: what is left of the horizon has the present law
        if weight < 1e-17 or float(np.abs(after - law).sum()) < 1e-15:
            sums += max(left, 0.0) * after
            return [float(share) for share in sums / sums.sum()]
        law = after
        jumps += 1


def mean_availability(probabilities: Sequence[float]) -> float:
    """Mean fraction of machines up, 1 − E[k]/K, from the K + 1 probabilities of k machines down."""
    return 1 - math.fsum(k * p for k, p in enumerate(probabilities)) / (len(probabilities) - 1)


def enough_up(probabilities: Sequence[float], needed: int) -> float:
    """P(``needed`` machines or more up: none short), from the K + 1 probabilities of k machines down."""
    return math.fsum(probabilities[: max(len(probabilities) - needed, 0)])


def erlang_b(load: float, servers: int) -> float:
    """Erlang's loss probability, ``load`` a [erlang] on c servers: B(0) = 1, B(c) = aB(c−1)/(c + aB(c−1))."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """Erlang's probability of waiting, B / (1 − (a/c)(1 − B)); 1 once the load reaches the servers."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(load, servers)
    return blocked / (1 - load / servers * (1 - blocked))
