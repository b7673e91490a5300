"""What is left of the life of one component, as plain arithmetic that machine code does too."""

import math


def weibull_left(age: float, more: float, shape: float, scale: float) -> float:
    """Return what is left of one life that has reached ``age`` > 0: ``WeibullLifetime.residual``, of one component.

    ``more``: an exponential number of mean 1. ``age`` and ``scale`` have one unit, which is that of the result.
    """
    log_used = shape * math.log(age / scale)
    if log_used > 0:
        return age * math.expm1(math.log1p(more * math.exp(-log_used)) / shape)
    log_more = math.log(max(more, 1e-300))
    log_sum = max(log_used, log_more) + math.log1p(math.exp(-abs(log_used - log_more)))
    return max(scale * math.exp(min(log_sum / shape, 700.0)) - age, 0.0)
