"""The reference's storage queue: how the bandwidth of the gateways is shared."""

from collections.abc import Sequence


def fair(limits: Sequence[float], total: float) -> list[float]:
    """Share ``total`` max-min fairly: nobody gets more than his limit; what he leaves goes to the others, evenly."""
    found = [0.0] * len(limits)
    waiting = sorted(range(len(limits)), key=lambda one: limits[one])
    while waiting:
        found[waiting[0]] = min(limits[waiting[0]], total / len(waiting))
        total -= found[waiting[0]]
        waiting.pop(0)
    return found
