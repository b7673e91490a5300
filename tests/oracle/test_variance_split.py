"""Luck and inputs told apart: one-way random effects with pairs, against variances that are known."""

import math

import numpy as np
import pytest

from dcsim.montecarlo import Estimated, summarise, unit_means, variance_of
from dcsim.montecarlo.statistics import Variance

RUNS = 3_000


def pairs(luck, inputs, count, runs=RUNS):
    """Values with mean 7: a normal input shared by two, and normal luck of each, shape (runs, 2 count)."""
    rng = np.random.default_rng(20261121)
    shared = rng.normal(0, inputs, (runs, count)).repeat(2, axis=1)
    return 7 + shared + rng.normal(0, luck, (runs, 2 * count))


@pytest.mark.parametrize(("luck", "inputs"), [(1.0, 2.0), (1.0, 0.5), (0.0, 1.0)])
def test_both_variances_are_found(luck, inputs):
    """Over 3,000 samples of 40 pairs the means of both estimates are the variances, within four standard errors.

    Where inputs matter little some estimates would be negative and are 0 instead, so 0.5^2 is met from above.
    """
    found = [variance_of(row, 2) for row in pairs(luck, inputs, 40)]
    for got, expected in (([each.luck for each in found], luck**2), ([each.inputs for each in found], inputs**2)):
        error = np.std(got) / math.sqrt(RUNS)
        assert abs(np.mean(got) - expected) <= 4 * error + 1e-12 + 0.01 * (inputs < luck)


def test_no_input_variance_is_none_at_all():
    """Where all is luck the estimate of the inputs' variance is never negative, and 0 in about half of the samples."""
    found = np.array([variance_of(row, 2).inputs for row in pairs(1.0, 0.0, 40)])
    assert found.min() == 0
    assert 0.4 < (found == 0).mean() < 0.65


def test_the_split_by_hand():
    """Pairs (1, 3), (5, 5), (9, 11): luck (2 + 0 + 2) / 3; inputs = variance of 2, 5, 10 less half of it."""
    found = variance_of([1, 3, 5, 5, 9, 11], 2)
    luck = (2 + 0 + 2) / 3
    means = (2, 5, 10)
    between = sum((each - 17 / 3) ** 2 for each in means) / 2
    assert (found.luck, found.inputs) == (pytest.approx(luck), pytest.approx(between - luck / 2))


def test_certain_inputs_leave_luck_alone():
    """Without sharing all variance is luck; one value or one pair has none to split; an odd one out is left out."""
    assert variance_of([1.0, 2.0, 4.0]) == Variance(np.var([1, 2, 4], ddof=1), 0.0)
    assert variance_of([1.0]) is variance_of([1.0, 2.0, 3.0], 2) is None
    assert variance_of([1, 3, 5, 5, 9], 2) == variance_of([1, 3, 5, 5], 2)


@pytest.mark.parametrize("count", [5, 32])
def test_intervals_of_pairs_hold_as_often_as_they_say(count):
    """Intervals from pair means hold the mean in 95 % of runs; from single values, as if independent, far fewer."""
    values = pairs(0.5, 1.0, count)
    for shared, honest in ((2, True), (1, False)):
        held = np.mean([low <= 7 <= high for low, high in (summarise(row, shared=shared).ci95 for row in values)])
        assert bool(abs(held - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / RUNS)) is honest


def test_control_and_pairs_together():
    """A control of the luck makes the interval of the mean of pairs narrower and keeps its coverage."""
    rng = np.random.default_rng(20261122)
    control = rng.normal(size=(RUNS, 64))
    values = pairs(0.3, 0.2, 32) + control
    found = [
        Estimated.of(row, float(row.mean()), its, shared=2, controls=True)
        for row, its in zip(values, control, strict=True)
    ]
    held = np.mean([each.shown.ci95[0] <= 7 <= each.shown.ci95[1] for each in found])
    assert abs(held - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / RUNS)
    assert np.mean([each.shown.se for each in found]) < 0.45 * np.mean([each.plain.se for each in found])


def test_means_of_units():
    """Pairs after one another have one mean each; what is left over is a unit of its own."""
    assert unit_means(np.array([1.0, 3.0, 5.0, 7.0]), 2).tolist() == [2, 6]
    assert unit_means(np.array([1.0, 3.0, 5.0]), 2).tolist() == [2, 5]
    assert unit_means(np.array([1.0]), 2).tolist() == [1]
    summary = summarise([1.0, 3.0, 5.0], shared=2)
    assert (summary.mean, summary.se) == (3.0, pytest.approx(1.5))
