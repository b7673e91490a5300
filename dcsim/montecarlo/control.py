"""Fewer replications for the same error: a mean that is adjusted by what the failures of the sample were worth.

The number of failures drawn is known in expectation. Replications that drew more than expected lost more than they
will on average, and regression says how much more.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST = 5
"""Values from which on a mean is adjusted: the estimated slope multiplies the variance by (n − 2) / (n − 3) (Lavenberg
and Welch 1981), which is infinite at 3 and doubles it at 4, while t(0.975, n − 2) grows to 12.7 and 4.3."""


@dataclass(frozen=True, eq=False)
class Adjusted:
    """A mean that was adjusted for its control, with its error; units are those of the values.

    ``correlation``: of values and control in the sample; its square is the share of the variance that the control
    explains. ``residuals``: what is left of each value, float64 (n,), with mean zero.
    """

    mean: float
    se: float
    ci95: tuple[float, float]
    correlation: float
    residuals: NDArray[np.float64]


def adjusted(values: ArrayLike, deviations: ArrayLike, mean: float | None = None) -> Adjusted | None:
    """Adjust the mean of n values by their regression on a control whose expectation is known.

    ``values`` y and ``deviations`` c, shapes (n,): c is the control less its expectation, hence E c = 0. ``mean``: the
    exact mean of y where the caller has it. With sums over the sample and d = c − c̄

        b = Σ d (y − ȳ) / Σ d²,   mean = ȳ − b c̄,   s² = Σ (y − ȳ − b d)² / (n − 2),
        se² = s² (1 / n + c̄² / Σ d²),   95 % interval: mean ± t(0.975, n − 2) se

    (Lavenberg and Welch 1981, A perspective on the use of control variables to increase the efficiency of Monte Carlo
    simulations, Management Science 27(3), section 2, one control). Exact where (y, c) is bivariate normal; the variance
    is then (1 − ρ²) (n − 2) / (n − 3) times that of ȳ.

    None where the plain mean has to do: fewer than ``FEWEST`` values, or a control that is constant. The decision never
    looks at y, so it does not choose the luckier of two intervals. Raises ValueError for shapes that differ.
    """
    sample, control = np.asarray(values, dtype=np.float64), np.asarray(deviations, dtype=np.float64)
    if sample.shape != control.shape or sample.ndim != 1:
        raise ValueError(f"{sample.size} values and {control.size} of the control do not belong together")
    n = sample.size
    centred = control - control.mean()
    square = float(centred @ centred)
    if n < FEWEST or (control == control[0]).all() or square == 0:
        return None
    from scipy.special import stdtrit

    plain = math.fsum(sample) / n if mean is None else mean
    spread = sample - sample.mean()
    slope = float(centred @ spread) / square
    off = float(control.mean())
    residuals = spread - slope * centred
    variance = float(residuals @ residuals) / (n - 2)
    se = math.sqrt(variance * (1 / n + off**2 / square))
    centre = plain - slope * off
    reach = float(stdtrit(n - 2, 0.975)) * se
    norm = math.sqrt(square * float(spread @ spread))
    correlation = float(centred @ spread) / norm if norm else 0.0
    return Adjusted(centre, se, (centre - reach, centre + reach), correlation, residuals)
