"""The rate of failures: a count over an exposure, with its exact interval, and what is believed of it afterwards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEAST_FAILURES = 1
"""Failures without which a rate has no lower bound above zero."""


@dataclass(frozen=True)
class Rate:
    """``failures`` in ``exposure_h`` component-hours in service; ``per_h`` [1/h] and its interval.

    ``low``, ``high``: the exact interval of a Poisson count (Garwood 1936), low = chi2(a/2, 2n) / 2T and
    high = chi2(1 - a/2, 2n + 2) / 2T. Without a failure the rate is 0, and only ``high`` is known.
    """

    failures: int
    exposure_h: float
    confidence: float
    low: float
    high: float

    @property
    def per_h(self) -> float:
        """Failures per component-hour."""
        return self.failures / self.exposure_h

    @property
    def mtbf_h(self) -> float | None:
        """Mean time between failures of one component [h]; None without a failure."""
        return self.exposure_h / self.failures if self.failures else None

    @property
    def mtbf_interval_h(self) -> tuple[float, float | None]:
        """The interval of the MTBF [h]; it has no upper end without a failure."""
        return 1 / self.high, 1 / self.low if self.low else None

    def draws(self, count: int, rng: np.random.Generator, prior: tuple[float, float] = (0.5, 0.0)) -> Values:
        """Draw rates [1/h], float64 (count,), from what is believed after the count: a gamma law.

        ``prior``: failures and component-hours that are believed before it; (0.5, 0) is Jeffreys' rule.
        """
        shape, hours = self.failures + prior[0], self.exposure_h + prior[1]
        return np.asarray(rng.gamma(shape, 1 / hours, count))


def rate(failures: int, exposure_h: float, confidence: float = 0.95) -> Rate:
    """Return the rate of a count of failures over component-hours in service, above 0; raises ValueError."""
    from scipy.special import gammaincinv

    if exposure_h <= 0 or failures < 0:
        raise ValueError(f"{failures} failures in {exposure_h} h; must be at least 0, in more than 0 h")
    tail = (1 - confidence) / 2
    low = float(gammaincinv(failures, tail)) if failures else 0.0  # chi2(p, 2n) / 2
    high = float(gammaincinv(failures + 1, 1 - tail))
    return Rate(failures, exposure_h, confidence, low / exposure_h, high / exposure_h)
