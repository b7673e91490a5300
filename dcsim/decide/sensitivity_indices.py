"""Shares of a variance: how much of the spread of single runs each uncertain input brings, and how much chance does.

Sobol' indices by the estimators of Saltelli et al. 2010. Chance, all random numbers of a run, is one more input. So the
indices need no mean over many runs at each point: single runs give them, and they say what is chance and what is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.metrics import Metric
from dcsim.decide.result import RunResult
from dcsim.scenario import PER_SAMPLE, Scenario

RUNS = 1_024
"""Default number of runs of each block: shares of variance are then known to about ± 5 points (measured)."""
LEAST_RUNS = 64
"""Fewest runs of each block; source: assumed, intervals from fewer pairs are too narrow."""
RESAMPLES = 200
"""Bootstrap samples behind an interval; source: assumed."""
CHANCE = "chance"


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


def indices(a: NDArray[np.float64], b: NDArray[np.float64], ab: NDArray[np.float64], group: int = 1) -> list[Index]:
    """Return the indices of d inputs from the values of a function at the points of a design of n rows.

    ``a``, ``b``: at n points each, independent of one another, float64 (n,). ``ab``: at the points of a with one input
    of b, float64 (d, n), d at least 2. ``group``: rows after one another that share inputs; the bootstrap draws them
    together. n is a power of two. No variance: all indices are 0.
    """
    first, total = _sobol(a, b, ab)
    groups = np.arange(len(a)).reshape(-1, group)
    rng = np.random.default_rng(len(a))
    again = []
    for _ in range(RESAMPLES):
        rows = groups[rng.integers(len(groups), size=len(groups))].ravel()
        again.append(_sobol(a[rows], b[rows], ab[:, rows]))
    ends = np.quantile(np.array(again), (0.025, 0.975), axis=0)  # (2 ends, first and total, d)
    found = []
    for index in range(len(ab)):
        (first_low, total_low), (first_high, total_high) = ends[:, :, index].tolist()
        shares = float(first[index]), (first_low, first_high), float(total[index]), (total_low, total_high)
        found.append(Index(*shares))
    return found


def _sobol(
    a: NDArray[np.float64], b: NDArray[np.float64], ab: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and total indices, float64 (d,) each."""
    from scipy.stats import sobol_indices

    found = sobol_indices(func={"f_A": a[np.newaxis], "f_B": b[np.newaxis], "f_AB": ab[:, np.newaxis]}, n=len(a))
    return found.first_order, found.total_order


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
