"""Shares of a variance against exact ones: a linear model, Ishigami's function, and a model with chance of its own."""

import math

import numpy as np
import pytest
from scipy.stats import qmc

from dcsim.decide.sensitivity_indices import indices

SEED = 20261128


def design(inputs, rows):
    """Points a and b of a Sobol' sequence, float64 (rows, inputs), and those of a with one column of b each."""
    points = qmc.Sobol(2 * inputs, rng=np.random.default_rng(SEED)).random(rows)
    a, b = points[:, :inputs], points[:, inputs:]
    mixed = np.array([np.where(np.arange(inputs) == index, b, a) for index in range(inputs)])
    return a, b, mixed


def of(function, inputs, rows):
    """The indices of a function of uniform inputs."""
    a, b, mixed = design(inputs, rows)
    return indices(function(a), function(b), np.array([function(each) for each in mixed]))


def test_a_linear_model():
    """Of 4 x + 2 y + z + 7 the shares are 16, 4 and 1 of 21, first and total alike, to three digits."""
    found = of(lambda x: x @ [4, 2, 1] + 7, 3, 2**14)
    for index, expected in zip(found, (16 / 21, 4 / 21, 1 / 21), strict=True):
        assert index.first == pytest.approx(expected, abs=1e-3)
        assert index.total == pytest.approx(expected, abs=1e-3)
        assert index.first_ci95[0] < index.first < index.first_ci95[1]
        assert index.total_ci95[0] < index.total < index.total_ci95[1]


def test_ishigami():
    """sin x + 7 sin^2 y + 0.1 z^4 sin x on (-pi, pi): exact shares of its three inputs, two of which interact."""

    def function(u):
        x, y, z = (2 * u.T - 1) * math.pi
        return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)

    alone = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    second = 7**2 / 8
    both = 0.1**2 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = alone + second + both
    first, total = (alone, second, 0.0), (alone + both, second, both)
    for index, its_first, its_total in zip(of(function, 3, 2**14), first, total, strict=True):
        assert index.first == pytest.approx(its_first / whole, abs=4e-3)
        assert index.total == pytest.approx(its_total / whole, abs=4e-3)


def test_intervals_hold_the_exact_share():
    """Of 128 pairs of rows that share two inputs, each with its chance, 95 % intervals hold 90 to 99 times in 100.

    The design of a simulation: y = 3 x + z + chance, all uniform, chance with weight 2; the last page swaps chances.
    """
    weights = np.array([3.0, 1.0, 2.0])
    exact = weights**2 / (weights**2).sum()
    rng = np.random.default_rng(SEED)
    held = []
    for _ in range(200):
        a, b = (rng.random((128, 2)).repeat(2, axis=0) for _ in range(2))
        luck = rng.random(256)
        other = luck[np.arange(256) ^ 1]
        function = lambda x, chance: x @ weights[:2] + weights[2] * chance  # noqa: E731
        mixed = [np.column_stack(columns) for columns in ((b[:, 0], a[:, 1]), (a[:, 0], b[:, 1]))]
        pages = np.array([*(function(each, luck) for each in mixed), function(a, other)])
        for index, share in zip(indices(function(a, luck), function(b, other), pages, 2), exact, strict=True):
            held.append(index.first_ci95[0] <= share <= index.first_ci95[1])
            held.append(index.total_ci95[0] <= share <= index.total_ci95[1])
    rates = np.array(held).reshape(200, 6).mean(axis=0)
    assert (rates > 0.90).all(), rates
    assert (rates < 0.99).all(), rates


def test_nothing_varies():
    """A figure that is the same in all runs has no shares: all are 0."""
    same = np.full(64, 3.0)
    for index in indices(same, same, np.array([same, same])):
        assert (index.first, index.total) == (0, 0)
        assert index.total_ci95 == (0, 0)


def test_what_does_all_has_all():
    """An input that does all but a thousandth has nearly all of the variance, however few the rows; nothing has 0."""
    rng = np.random.default_rng(SEED)
    a, b, luck = rng.random(64), rng.random(64), rng.random(64) / 1000
    alone, nothing, chance = indices(a + luck, b + luck[::-1], np.array([b + luck, a + luck, a + luck[::-1]]))
    assert alone.first == pytest.approx(1, abs=2e-3)
    assert alone.total == pytest.approx(1, abs=2e-3)
    assert (nothing.first, nothing.total) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))
    assert 0 < chance.total < 2e-6
