"""Shares of a variance: how much of the spread of single runs each uncertain input brings, and how much chance does.

Sobol' indices by the estimators of Saltelli et al. 2010, with control variates. Chance, all random numbers of a run,
is one more input. So the indices need no mean over many runs at each point: single runs give them, and they say what is
chance and what is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.metrics import Metric
from dcsim.decide.result import RunResult
from dcsim.scenario import PER_SAMPLE, Scenario

RUNS = 1_024
"""Default number of runs of each block: a share of 60 % is then known to about ± 5 points (measured)."""
LEAST_RUNS = 64
"""Fewest runs of each block; source: assumed, intervals from fewer pairs are too narrow."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Index:
    """Shares of the variance with 95 % intervals, unclipped: estimates of 0 may come out below it.

    ``first``: what would vanish in the mean if the input were known. ``total``: what is left if all others are known.
    The total is larger where inputs interact.
    """

    first: float
    first_ci95: tuple[float, float]
    total: float
    total_ci95: tuple[float, float]


@dataclass(frozen=True)
class Indices:
    """Shares of the variance of single runs, from each input in the order of ``keys``, and from chance.

    ``variance``: of single runs, in squared units of the figure. ``runs``: of each of ``blocks`` blocks.
    """

    keys: tuple[str, ...]
    inputs: tuple[Index, ...]
    chance: Index
    variance: float
    runs: int
    blocks: int


def indices(a: Values, b: Values, ab: Values, group: int = 1) -> list[Index]:
    """Return the indices of d inputs from the values of a function at the points of a design of n rows.

    ``a``, ``b``: at n points each, independent of one another, float64 (n,). ``ab``: at the points of a with one input
    of b, float64 (d, n), d at least 2. ``group``: rows after one another that share inputs, and count as one. n is a
    power of two. No variance: all indices are 0.

    Saltelli et al. 2010, Table 2 (b) and (f): means of x = b (ab - a) and x = (a - ab)^2 / 2 by the variance V. Their
    linear values (x - S v) / V, v = (a^2 + b^2) / 2, are adjusted by regression for what is zero in expectation by the
    design: a b, and differences of values and of squares. That halves the error of a large share, and gives an input
    that does all very nearly all. Intervals are those of the regression (as ``statistics.adjusted``).
    """
    from scipy.stats import sobol_indices

    middle = float(np.mean([a, b]))
    scale = float(np.std([a, b]))
    if scale == 0:
        return [Index(0.0, (0.0, 0.0), 0.0, (0.0, 0.0))] * len(ab)
    a, b, ab = ((each - middle) / scale for each in (a, b, ab))
    design: Any = {"f_A": a[np.newaxis], "f_B": b[np.newaxis], "f_AB": ab[:, np.newaxis]}
    plain = sobol_indices(func=design, n=len(a))
    squares = (a * a + b * b) / 2
    found = []
    for each, first, total in zip(
        ab, *(map(float, row) for row in (plain.first_order, plain.total_order)), strict=True
    ):
        zero = np.array([a * b, a * a - b * b, each * each - b * b, a - b, each - b])
        linear = np.array([b * (each - a) - first * squares, (a - each) ** 2 / 2 - total * squares])
        zero, linear = (rows.reshape(len(rows), -1, group).mean(axis=2) for rows in (zero, linear))
        (off, off_total), (reach, reach_total) = _regressed(linear, zero)
        first, total = first - off, total - off_total
        ends = (first - reach, first + reach), (total - reach_total, total + reach_total)
        found.append(Index(first, ends[0], total, ends[1]))
    return found


def _regressed(values: Values, zero: Values) -> tuple[list[float], list[float]]:
    """Return what a regression on controls explains of the means of values, and how far their 95 % intervals reach.

    ``values``: float64 (k, n). ``zero``: controls whose expectation is zero, float64 (c, n).
    """
    from scipy.special import stdtrit

    means = zero.mean(axis=1)
    centred = zero - means[:, np.newaxis]
    products = centred @ centred.T
    inverse = np.linalg.pinv(products, rcond=1e-10, hermitian=True)
    spread = values - values.mean(axis=1)[:, np.newaxis]
    slopes = spread @ centred.T @ inverse
    residuals = spread - slopes @ centred
    free = values.shape[1] - 1 - int(np.linalg.matrix_rank(products, tol=1e-10 * np.trace(products), hermitian=True))
    variances = (residuals**2).sum(axis=1) / free * (1 / values.shape[1] + means @ inverse @ means)
    reach = float(stdtrit(free, 0.975)) * np.sqrt(variances)
    return (slopes @ means).tolist(), reach.tolist()


# --- of a simulation --------------------------------------------------------------------------------------------------


def blocks_of(scenario: Scenario) -> list[Scenario]:
    """Return what is simulated: the scenario, with all inputs drawn anew, and with each input drawn anew."""
    keys = range(len(scenario.uncertain))
    return [scenario, _anew(scenario, set(keys)), *(_anew(scenario, {key}) for key in keys)]


def _anew(scenario: Scenario, which: set[int]) -> Scenario:
    inputs = (
        each.model_copy(update={"series": (each.series or 0) + 1}) if index in which else each
        for index, each in enumerate(scenario.uncertain)
    )
    return scenario.model_copy(update={"uncertain": tuple(inputs)})


def refusal(scenario: Scenario) -> str:
    """Return why there are no shares of variance; empty if there are."""
    if not scenario.uncertain:
        return (
            "No shares of the variance: no input is a distribution. [[uncertain]] tables in the file say what is known."
        )
    if scenario.correlated:
        return (
            "No shares of the variance: inputs are correlated, and then no share belongs to one of them alone. Moved "
            "are an input and those that follow it."
        )
    return ""


def rounded(runs: int) -> int:
    """Return the number of runs of a block that the design can have: a power of two."""
    return max(LEAST_RUNS, 1 << (runs - 1).bit_length())


def indices_of(blocks: Sequence[RunResult], metric: Metric) -> Indices | None:
    """Return the indices of a figure from the runs of ``blocks_of``; None where a run has no finite figure.

    Replications 2 i and 2 i + 1 share their inputs and have chances of their own. A row r is a run of the first block;
    its partner r' of the pair is the same run with another chance, and the run r' of the second block is one with other
    inputs and another chance.
    """
    values = []
    for block in blocks:
        found = metric.of(block)
        if found is None or not np.isfinite(found.values).all():
            return None
        values.append(found.values)
    first, anew, *each_anew = values
    partner = np.arange(len(first)) ^ 1
    *inputs, chance = indices(first, anew[partner], np.array([*each_anew, first[partner]]), PER_SAMPLE)
    keys = tuple(each.key for each in blocks[0].scenario.uncertain)
    variance = float(np.var([first, anew]))
    return Indices(keys, tuple(inputs), chance, variance, len(first), len(blocks))
