"""Stopping at a precision: the looks, what they cost in coverage."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from dcsim.montecarlo import adjusted, precision_of
from dcsim.montecarlo.sequential_stopping import FIRST_LOOK, Look, Stopped, narrow, schedule

RUNS = 2_000
NEEDED = (50, 64, 96, 128, 181, 256, 500)
"""Replications at which the true half width is the one that is wanted; at 64, 128, 256 chance stops half of the runs
early."""


def stopped_runs(values, control, wanted):
    """Play the stopping rule on many runs at once: (mean, half width, replications) of each, shape (runs,).

    The formulas are those of ``adjusted``, on running sums.
    """
    runs, most = values.shape
    mean, width, count = np.zeros(runs), np.full(runs, math.inf), np.zeros(runs)
    going = np.ones(runs, dtype=bool)
    for n in schedule(most):
        y, c = values[:, :n], control[:, :n]
        spread, centred = y - y.mean(1, keepdims=True), c - c.mean(1, keepdims=True)
        square = (centred**2).sum(1)
        slope = (centred * spread).sum(1) / square
        variance = ((spread - slope[:, None] * centred) ** 2).sum(1) / (n - 2)
        off = c.mean(1)
        half = stdtrit(n - 2, 0.975) * np.sqrt(variance * (1 / n + off**2 / square))
        mean[going], width[going], count[going] = (y.mean(1) - slope * off)[going], half[going], n
        going &= half > wanted
    return mean, width, count


@pytest.mark.parametrize("needed", NEEDED)
def test_looking_does_not_spoil_the_interval(needed):
    """Of 2,000 runs on near-normal output, 93.5 to 96.5 % of the final intervals hold the mean.

    Values are a control (a Poisson count of 5,375 failures) and a sum of normal noise and a little gamma, correlation
    0.89 as measured on the headline workload; ``wanted`` is the true half width at ``needed`` replications.
    """
    rng = np.random.default_rng([20261121, needed])
    rho, most = 0.89, 1024
    control = (rng.poisson(5375, size=(RUNS, most)) - 5375) / math.sqrt(5375)
    noise = 0.95 * rng.normal(size=(RUNS, most)) + math.sqrt(1 - 0.95**2) * (rng.gamma(4, size=(RUNS, most)) - 4) / 2
    values = 5 + rho * control + math.sqrt(1 - rho**2) * noise
    wanted = stdtrit(needed - 2, 0.975) * math.sqrt((1 - rho**2) / needed)
    mean, width, count = stopped_runs(values, control, wanted)
    assert 0.935 <= (np.abs(mean - 5) <= width).mean() <= 0.965
    assert (width <= wanted).mean() > 0.999
    assert count.mean() < 2.1 * max(needed, FIRST_LOOK)
    for row in range(20):  # the loop above is what the program does with one run
        looked = int(count[row])
        found = adjusted(values[row, :looked], control[row, :looked])
        assert found.mean == pytest.approx(mean[row], rel=1e-12)
        assert (found.ci95[1] - found.ci95[0]) / 2 == pytest.approx(width[row], rel=1e-9)


def test_looking_after_every_replication_does_spoil_it():
    """The same rule with a look after each replication from the third on holds the mean in less than 93.5 %."""
    rng = np.random.default_rng(20261121)
    values = rng.normal(size=(RUNS, 256))
    n = np.arange(1, 257)
    mean = values.cumsum(1) / n
    variance = np.maximum((values**2).cumsum(1) - n * mean**2, 0)[:, 2:] / (n - 1)[2:]
    half = stdtrit((n - 1)[2:], 0.975) * np.sqrt(variance / n[2:])
    first = np.argmax(half <= 1.96 / math.sqrt(40), axis=1)
    rows = np.arange(RUNS)
    assert (np.abs(mean[rows, first + 2]) <= half[rows, first]).mean() < 0.935


def test_the_schedule_doubles_up_to_the_most():
    """64, 128, 256, …, and the cap last, which is looked at once."""
    assert list(schedule(1000)) == [64, 128, 256, 512, 1000]
    assert list(schedule(256)) == [64, 128, 256]
    assert list(schedule(64)) == [64]
    assert list(schedule(1000, 128))[:2] == [128, 256]
    assert list(schedule())[-1] == 65_536
    with pytest.raises(ValueError, match="first look is after 64 replications; at most 63"):
        list(schedule(63))


@pytest.mark.parametrize(("text", "expected"), [("0.05 pp", 0.0005), (" 1pp ", 0.01), ("1e-2 pp", 0.0001)])
def test_a_precision_is_in_percentage_points(text, expected):
    """A number of percentage points is a fraction inside the program."""
    assert precision_of(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["0.05", 0.05, "0.05 %", "5 bp", "0 pp", "-1 pp", "101 pp", "nan pp", "pp"])
def test_what_is_no_precision(text):
    """A bare number, per cent (of what?), zero and more than everything are refused in one line."""
    with pytest.raises(ValueError, match=r"^precision: found ") as error:
        precision_of(text)
    assert "\n" not in str(error.value)


def test_a_run_has_reached_its_precision_if_all_scenarios_have():
    """One wide interval, or one that is missing, is enough to go on."""
    assert narrow([0.001, 0.002], 0.002)
    assert not narrow([0.001, 0.003], 0.002)
    assert not narrow([0.001, None], 0.002)
    looks = (Look(64, (0.003, 0.001)), Look(128, (0.002, 0.001)))
    assert Stopped(0.002, looks).reached
    assert not Stopped(0.0015, looks).reached
