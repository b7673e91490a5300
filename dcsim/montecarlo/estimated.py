"""A figure of a sample with its error: as the plain mean, and adjusted for the failures that the sample drew."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dcsim.montecarlo.control import Adjusted, adjusted
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import Paired, Summary, Variance, paired, summarise, unit_means, variance_of
from dcsim.montecarlo.stopping import doubtful
from dcsim.scenario import PER_SAMPLE, Scenario, sampled
from dcsim.scenario.plan import lay_out


def in_a_row(scenario: Scenario) -> int:
    """Return how many replications after one another share what is uncertain in them: 1 if nothing is."""
    return PER_SAMPLE if any(not each.money for each in scenario.uncertain) else 1


def deviations(sample: Sample) -> NDArray[np.float64] | None:
    """Return the failures that each replication drew less their expectation, float64 (n,); None if none is known.

    The expectation is that of the sampled scenario: given the inputs, what is left is luck, and its mean is zero.
    """
    scenario = sample.scenario
    shared = in_a_row(scenario)
    firsts = (sample.replications // shared * shared).tolist()
    expected = np.array([_expected(scenario if shared == 1 else sampled(scenario, each)) for each in firsts])
    return sample.drawn - expected if expected.any() else None


@lru_cache(maxsize=4096)
def _expected(scenario: Scenario) -> float:
    return lay_out(scenario).expected_drawn


@dataclass(frozen=True, eq=False)
class Estimated:
    """One number per replication, float64 (n,), as its plain mean and, where a control helps, as an adjusted one.

    ``shared``: replications in a row that share their inputs. ``controls``: whether the adjusted mean is the one shown.
    """

    values: NDArray[np.float64]
    plain: Summary
    adjusted: Adjusted | None
    shared: int
    controls: bool

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        mean: float,
        control: NDArray[np.float64] | None,
        *,
        shared: int = 1,
        controls: bool = False,
    ) -> "Estimated":
        """Estimate the mean of values whose exact plain mean is known; ``control``: as ``deviations`` returns it."""
        better = None
        if control is not None:
            better = adjusted(unit_means(values, shared), unit_means(control, shared), mean)
        return cls(values, summarise(values, mean, shared=shared), better, shared, controls and better is not None)

    @property
    def shown(self) -> Summary:
        """The summary about the mean that is shown."""
        return self.plain.about(self.adjusted) if self.controls else self.plain

    @property
    def estimator(self) -> str:
        """Which of the two is shown."""
        return "control variate" if self.controls else "plain mean"

    @property
    def variance(self) -> Variance | None:
        """The variance of single replications, split into luck and inputs."""
        return variance_of(self.values, self.shared)

    @property
    def doubt(self) -> str | None:
        """Why the interval that is shown is in doubt, None if it is not."""
        if self.controls and self.adjusted is not None:
            return doubtful(self.adjusted.residuals)
        return doubtful(unit_means(self.values, self.shared))


def estimated_loss(sample: Sample, control: NDArray[np.float64] | None, controls: bool) -> Estimated:
    """Return 1 − useful / (N * H) of a sample, idle included, by both estimators; ``control``: its ``deviations``."""
    shared = in_a_row(sample.scenario)
    return Estimated.of(sample.loss, sample.mean_loss, control, shared=shared, controls=controls)


def difference(b: Estimated, a: Estimated, control: NDArray[np.float64] | None) -> Paired:
    """Return b − a by replication; ``control``: what both means are adjusted for, None where their controls differ."""
    shared = max(a.shared, b.shared)
    adjusts = control if a.controls and b.controls else None
    return paired(b.values, a.values, b.plain.mean - a.plain.mean, shared=shared, deviations=adjusts)
