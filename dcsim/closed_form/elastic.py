"""An elastic gang of replica groups that has no spares: it shrinks, is repaired, and grows again."""

import math
from collections.abc import Sequence

from dcsim.closed_form.spares import down_probabilities


def elastic_goodput(
    shares: Sequence[float], crews: int, mtbf: float, repair: float, stall: float = 0.0, horizon: float | None = None
) -> float:
    """Goodput of a gang whose ``shares[k]`` runs while k of its len(shares) − 1 groups are down (0: none can).

    A group, running or not, fails every ``mtbf`` [h] and is repaired in a mean of ``repair`` [h] by one of ``crews``,
    both exponential: the machine-repairman chain, leaving state k at rate Λ_k = (K − k)/mtbf + min(k, c)/repair. Every
    change stalls the gang for ``stall`` [h] (re-quorum of failover and rejoin alike, detection 0), anew if it changes
    meanwhile: in state k it runs at t if nothing happened in (t − R, t], so

        goodput = sum_k shares[k] π_k e^(−Λ_k R).

    With a ``horizon`` H > R, from all up and running, the time average: before R it runs with probability e^(−Λ_0 t),
    after that π_k is taken at t − R, whose average the chain gives. Every change must change the shape, or R be 0.
    """
    groups = len(shares) - 1
    leave = [(groups - k) / mtbf + (min(k, crews) / repair if repair else 0.0) for k in range(groups + 1)]
    runs = [share * math.exp(-rate * stall) for share, rate in zip(shares, leave, strict=True)]
    if horizon is None:
        return math.fsum(p * run for p, run in zip(down_probabilities(groups, crews, mtbf, repair), runs, strict=True))
    law = down_probabilities(groups, crews, mtbf, repair, horizon - stall)
    later = math.fsum(p * run for p, run in zip(law, runs, strict=True)) * (horizon - stall)
    return (shares[0] * -math.expm1(-leave[0] * stall) / leave[0] + later) / horizon
