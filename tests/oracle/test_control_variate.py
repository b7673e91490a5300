"""A mean that is adjusted for the number of failures: exact intervals, and the variance that theory says."""

import math

import numpy as np
import pytest

from dcsim.montecarlo import adjusted, paired

RUNS = 4_000


def bivariate(rho, n, seed=20261121, runs=RUNS):
    """Values with mean 7 and deviation 3, and a control with mean 0, of correlation rho; shapes (runs, n)."""
    rng = np.random.default_rng(seed)
    control, noise = rng.normal(size=(2, runs, n))
    return 7 + 3 * (rho * control + math.sqrt(1 - rho**2) * noise), 2 * control


@pytest.mark.parametrize("n", [5, 16, 64])
@pytest.mark.parametrize("rho", [0.0, 0.89])
def test_intervals_hold_as_often_as_they_say(n, rho):
    """95 % of the intervals hold the mean, within four standard errors, also for few values and a useless control."""
    values, control = bivariate(rho, n)
    intervals = [adjusted(y, c).ci95 for y, c in zip(values, control, strict=True)]
    held = np.mean([low <= 7 <= high for low, high in intervals])
    assert abs(held - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / RUNS)


@pytest.mark.parametrize("rho", [0.5, 0.89, -0.95])
def test_the_variance_falls_by_what_the_control_explains(rho):
    """The variance of the mean is (1 - rho^2)(n - 2)/(n - 3) times the plain one, and the standard error says so.

    Four standard errors of a ratio of two variances of RUNS normal values: sqrt(4 / RUNS) each.
    """
    n = 32
    values, control = bivariate(rho, n)
    found = [adjusted(y, c) for y, c in zip(values, control, strict=True)]
    expected = (1 - rho**2) * (n - 2) / (n - 3)
    plain = 3**2 / n
    assert np.var([each.mean for each in found]) / plain == pytest.approx(expected, rel=4 * math.sqrt(2 / RUNS))
    assert np.mean([each.se**2 for each in found]) / plain == pytest.approx(expected, rel=0.05)
    assert np.mean([each.correlation for each in found]) == pytest.approx(rho, abs=0.02)


def test_the_formula_by_hand():
    """Five points: slope 1.1, control off by 0.5, so the mean falls by 0.55; the error is that of the regression."""
    values, control = [2.0, 3.0, 4.0, 5.0, 7.0], [-1.5, -0.5, 0.5, 1.5, 2.5]
    found = adjusted(values, control)
    slope = (-2 * -2.2 + -1 * -1.2 + 0 * -0.2 + 1 * 0.8 + 2 * 2.8) / (4 + 1 + 0 + 1 + 4)
    residuals = [-2.2 + 2 * slope, -1.2 + slope, -0.2, 0.8 - slope, 2.8 - 2 * slope]
    variance = math.fsum(each**2 for each in residuals) / 3
    assert slope == pytest.approx(1.2)
    assert found.mean == pytest.approx(4.2 - slope * 0.5)
    assert found.residuals == pytest.approx(residuals)
    assert found.se == pytest.approx(math.sqrt(variance * (1 / 5 + 0.5**2 / 10)))
    assert found.ci95[1] - found.mean == pytest.approx(3.182446 * found.se, rel=1e-6)


def test_it_is_ordinary_least_squares():
    """Mean and error are the intercept of a regression on the control and its error, as numpy's lstsq gives them."""
    (values,), (control,) = bivariate(0.7, 40, runs=1)
    design = np.stack([np.ones(40), control], axis=1)
    coefficients, squares, *_ = np.linalg.lstsq(design, values, rcond=None)
    error = math.sqrt(squares[0] / 38 * np.linalg.inv(design.T @ design)[0, 0])
    found = adjusted(values, control)
    assert (found.mean, found.se) == (pytest.approx(coefficients[0]), pytest.approx(error))


@pytest.mark.parametrize(
    ("values", "control"),
    [([1.0, 2.0, 3.0, 5.0], [0.0, 1.0, -1.0, 2.0]), ([1.0, 2.0, 3.0, 5.0, 4.0], [0.1] * 5), ([1.0], [0.0])],
)
def test_a_control_that_cannot_help_is_left_alone(values, control):
    """Fewer than five values, or a control that never changes, have no adjusted mean."""
    assert adjusted(values, control) is None


def test_equal_values_have_no_error():
    """Values that do not vary keep their mean, whatever the control does, and have no error."""
    found = adjusted([0.25] * 6, [-1.0, 2.0, 3.0, 0.0, 1.0, 1.0])
    assert (found.mean, found.se, found.correlation) == (0.25, 0.0, 0.0)


def test_a_given_mean_is_the_one_that_is_adjusted():
    """The exact mean of the ledger takes the place of the sum of floats."""
    values, control = [2.0, 3.0, 4.0, 5.0, 7.0], [-1.5, -0.5, 0.5, 1.5, 2.5]
    assert adjusted(values, control, 4.25).mean == pytest.approx(adjusted(values, control).mean + 0.05)


def test_values_and_control_of_different_lengths_are_refused():
    """Five values and four counts do not belong together."""
    with pytest.raises(ValueError, match="5 values and 4 of the control"):
        adjusted([1, 2, 3, 4, 5], [1, 2, 3, 4])


def test_the_difference_of_adjusted_means_is_the_adjusted_difference():
    """With one control for both, adjusting the difference or each of the two gives the same mean."""
    (a, b), (control, _) = bivariate(0.8, 50, runs=2)
    a = a + control
    found = paired(a, b, deviations=control)
    assert found.mean == pytest.approx(adjusted(a, control).mean - adjusted(b, control).mean, rel=1e-12)
    assert found.se < paired(a, b).se
    assert paired(a[:4], b[:4], deviations=control[:4]) == paired(a[:4], b[:4])
