"""How long a queue for repair crews is: of many machines, of few, and of more failures than crews can repair.

Times in hours. References: A. K. Erlang (1917); A. O. Allen, Probability, Statistics, and Queueing Theory (1990),
section 5.3 (Allen and Cunneen's formula); L. Takács, Introduction to the Theory of Queues (1962), chapter 5.
"""

import math

from dcsim.closed_form.spares import down_probabilities, erlang_c


def queue_wait(load: float, servers: int, service: float, variation: float = 1.0) -> float:
    """Mean wait for a server [h] of Poisson arrivals, C(c, a) s / (c − a) (1 + v) / 2; infinite from a = c on.

    ``load`` a = arrivals per hour * mean ``service`` s [h] on c ``servers``. ``variation`` v: variance of the service
    time over its squared mean; exact for exponential times, v = 1 (M/M/c), else Allen and Cunneen's approximation
    (exact for one server).
    """
    if load >= servers:
        return math.inf
    return erlang_c(load, servers) * service / (servers - load) * (1 + variation) / 2


def repairman_wait(machines: int, crews: int, mtbf: float, repair: float) -> float:
    """Mean wait for a crew [h] among few machines: E[(k − c)+] / (E[min(k, c)] / repair), k machines down.

    ``mtbf``: mean time [h] from one return to the next request for a crew; ``repair`` > 0: mean time of a crew [h],
    exponential. Little's law on the chain of ``down_probabilities``.
    """
    down = down_probabilities(machines, crews, mtbf, repair)
    waiting = math.fsum(max(k - crews, 0) * p for k, p in enumerate(down))
    busy = math.fsum(min(k, crews) * p for k, p in enumerate(down))
    return waiting / (busy / repair)


def overload_queue(load: float, crews: float, service: float, share: float, horizon: float) -> float:
    """Repairs that wait after ``horizon`` [h] where crews cannot keep up, nothing being out at first; 0 where they can.

    Fluid limit: all crews are busy after t0 = −s ln(1 − c/a); from then on q' = (a (1 − share q) − c)/s, so
    q(H) = (1 − c/a) (1 − e^(−a share (H − t0)/s)) / share, and (a − c)(H − t0)/s for share 0. ``load`` a: crews that
    would be busy if nobody queued; ``service`` s: mean time of a crew [h]; ``share``: of what can fail, the part that
    one waiting repair keeps out of service.
    """
    if load <= crews:
        return 0.0
    left = max(horizon + service * math.log1p(-crews / load), 0.0)
    exponent = load * share * left / service
    if exponent < 1e-9:
        return (load - crews) * left / service
    return (1 - crews / load) * -math.expm1(-exponent) / share
