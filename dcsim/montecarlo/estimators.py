"""A figure of a sample with its error: as the plain mean, and adjusted for the failures that the sample drew."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dcsim.montecarlo.reliability import runs_by_skewness
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import (
    Adjusted,
    Paired,
    Summary,
    Variance,
    adjusted,
    paired,
    summarise,
    unit_means,
    variance_of,
)
from dcsim.scenario import PER_SAMPLE, Scenario
from dcsim.scenario.plan import lay_out
from dcsim.scenario.sampled import sampled


def runs_per_draw(scenario: Scenario) -> int:
    """Return how many replications after one another share what is uncertain in them: 1 if nothing is."""
    return PER_SAMPLE if any(not each.money for each in scenario.uncertain) else 1


def deviations(sample: Sample) -> NDArray[np.float64] | None:
    """Return the failures that each replication drew less their expectation, float64 (n,); None if none is known.

    The expectation is that of the sampled scenario: given the inputs, what is left is luck, and its mean is zero.
    """
    scenario = sample.scenario
    shared = runs_per_draw(scenario)
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
    ``linear``: what errors and differences are taken of, float64 (n,): the values themselves, or those of a ratio of
    means made linear (``ratio``), while ``values`` are then the ratios of single replications.
    """

    values: NDArray[np.float64]
    plain: Summary
    adjusted: Adjusted | None
    shared: int
    controls: bool
    linear: NDArray[np.float64]

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
        plain = summarise(values, mean, shared=shared)
        return cls(values, plain, better, shared, controls and better is not None, values)

    @classmethod
    def ratio(
        cls,
        numerators: NDArray[np.float64],
        denominators: NDArray[np.float64],
        control: NDArray[np.float64] | None,
        *,
        shared: int = 1,
        controls: bool = False,
    ) -> "Estimated | None":
        """Estimate R = mean of a / mean of b, shapes (n,); None where the mean of b is not above zero.

        Its error is that of the linear values R + (a - R b) / mean of b, whose mean is R (delta method; Cochran 1977,
        Sampling Techniques, 6.4). A mean of the single ratios would be another figure, and one b near zero would decide
        it. Quantiles are those of the single ratios, infinite where b is zero.
        """
        below = _mean(denominators)
        if below <= 0:
            return None
        found = _mean(numerators) / below
        linear = found + (numerators - found * denominators) / below
        each = np.full(len(numerators), np.inf)
        np.divide(numerators, denominators, out=each, where=denominators > 0)
        made = cls.of(linear, found, control, shared=shared, controls=controls)
        return replace(made, values=each, plain=made.plain.with_quantiles_of(each, shared))

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
        return variance_of(self.linear, self.shared)

    @property
    def too_skewed(self) -> int | None:
        """The runs that are needed where these values are too skewed for an interval; None if they are not."""
        if self.controls and self.adjusted is not None:
            return runs_by_skewness(self.adjusted.residuals)
        return runs_by_skewness(unit_means(self.linear, self.shared))


def estimated_loss(sample: Sample, control: NDArray[np.float64] | None, controls: bool) -> Estimated:
    """Return 1 − useful / (N * H) of a sample, idle included, by both estimators; ``control``: its ``deviations``."""
    shared = runs_per_draw(sample.scenario)
    return Estimated.of(sample.loss, sample.mean_loss, control, shared=shared, controls=controls)


def difference(b: Estimated, a: Estimated, control: NDArray[np.float64] | None) -> Paired:
    """Return b − a by replication; ``control``: what both means are adjusted for, None where their controls differ."""
    shared = max(a.shared, b.shared)
    adjusts = control if a.controls and b.controls else None
    return paired(b.linear, a.linear, b.plain.mean - a.plain.mean, shared=shared, deviations=adjusts)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean; that of equal values is exactly their value."""
    return float(values[0]) if (values == values[0]).all() else math.fsum(values) / len(values)
