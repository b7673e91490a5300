"""The rule by which a simulation agrees with theory: one place, so that no test has a milder one of its own."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_REPLICATIONS = 32
LARGEST_ERROR = 1e-3  # 0.1 percentage points of all GPU-hours
LARGEST_Z = 4.0


@dataclass(frozen=True)
class Comparison:
    """One simulated mean beside its theory; ``values``: one number per replication, float64 (replications,)."""

    name: str
    values: NDArray[np.float64]
    theory: float

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(self.values.std(ddof=1)) / math.sqrt(len(self.values))

    @property
    def z(self) -> float:
        """Standard errors between the simulated mean and theory; infinite if nothing varies."""
        return (float(self.values.mean()) - self.theory) / self.error if self.error else math.inf

    def __str__(self) -> str:
        return f"{self.name}: {self.values.mean():.6f} +- {self.error:.6f}, theory {self.theory:.6f}, z {self.z:+.2f}"


def objections(comparisons: list[Comparison], largest_error: float = LARGEST_ERROR) -> list[str]:
    """Return why the simulation does not agree with theory; nothing if it does.

    Each comparison needs 32 replications or more, a standard error of at most ``largest_error`` and |z| <= 4; the sum
    of all z^2 must stay below the 99.9 % point of chi-square with as many degrees of freedom.
    """
    from scipy.stats import chi2

    found = [
        f"{len(each.values)} replications, not {FEWEST_REPLICATIONS}: {each}"
        for each in comparisons
        if len(each.values) < FEWEST_REPLICATIONS
    ]
    found += [f"error above {largest_error}: {each}" for each in comparisons if not each.error <= largest_error]
    found += [f"|z| above {LARGEST_Z}: {each}" for each in comparisons if not abs(each.z) <= LARGEST_Z]
    total, limit = sum(each.z**2 for each in comparisons), float(chi2.ppf(0.999, len(comparisons)))
    if not total <= limit:
        found.append(f"sum of z^2 is {total:.1f}, above {limit:.1f} for {len(comparisons)} comparisons")
    return found
