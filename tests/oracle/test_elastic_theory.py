"""A gang of replica groups without spares: its chain against linear algebra and a simulation of every change."""

import math

import numpy as np
import pytest

from dcsim.closed_form import elastic_goodput, no_rollback_goodput

MTBF, REPAIR, STALL = 200.0, 20.0, 1.5
TWO = (1.0, 0.5, 0.0)


def test_two_groups_without_a_stall():
    """Two groups that never stall are up independently: E[up]/2 = MTBF/(MTBF + repair)."""
    assert elastic_goodput(TWO, 2, MTBF, REPAIR) == pytest.approx(MTBF / (MTBF + REPAIR), rel=1e-12)


@pytest.mark.parametrize("crews", [1, 2])
def test_two_groups_by_the_generator(crews):
    """The stationary law of the 3 x 3 generator, each state's share times the chance of no change within the stall."""
    fail, mend = 1 / MTBF, 1 / REPAIR
    second = min(2, crews) * mend
    generator = np.array([[-2 * fail, 2 * fail, 0], [mend, -mend - fail, fail], [0, second, -second]])
    system = np.vstack([generator.T, np.ones(3)])
    law = np.linalg.lstsq(system, np.array([0, 0, 0, 1.0]), rcond=None)[0]
    expected = law[0] * math.exp(-2 * fail * STALL) + law[1] / 2 * math.exp(-(mend + fail) * STALL)
    assert elastic_goodput(TWO, crews, MTBF, REPAIR, STALL) == pytest.approx(expected, rel=1e-10)


def played(shares, crews, horizon, count):
    """Play ``count`` gangs change by change from all up; return each one's useful share of the horizon."""
    rng = np.random.default_rng(20_260_403)
    groups = len(shares) - 1
    found = []
    for _ in range(count):
        now, down, ready, useful = 0.0, 0, 0.0, 0.0
        while now < horizon:
            leave = (groups - down) / MTBF + min(down, crews) / REPAIR
            end = min(now + rng.exponential(1 / leave), horizon)
            useful += shares[down] * max(end - max(now, ready), 0.0)
            now, ready = end, end + STALL
            down += 1 if rng.random() < (groups - down) / MTBF / leave else -1
        found.append(useful / horizon)
    return np.array(found)


@pytest.mark.parametrize(("shares", "crews"), [(TWO, 2), (TWO, 1), ((1.0, 0.75, 0.5, 0.25, 0.0), 2)])
def test_time_average_from_all_up(shares, crews):
    """The average over 300 h of 2,000 simulated gangs agrees within 4 standard errors, with one crew or two."""
    useful = played(shares, crews, 300.0, 2_000)
    error = useful.std(ddof=1) / math.sqrt(len(useful))
    assert error < 0.003
    assert abs(useful.mean() - elastic_goodput(shares, crews, MTBF, REPAIR, STALL, 300.0)) < 4 * error


def test_long_horizons_forget_the_start():
    """The time average tends to the steady state, from above."""
    steady = elastic_goodput(TWO, 1, MTBF, REPAIR, STALL)
    averages = [elastic_goodput(TWO, 1, MTBF, REPAIR, STALL, horizon) for horizon in (100.0, 1_000.0, 100_000.0)]
    assert averages == sorted(averages, reverse=True)
    assert averages[-1] == pytest.approx(steady, abs=1e-4)
    assert averages[-1] > steady


def test_instant_repair_is_a_gang_that_never_waits():
    """A repair of no time leaves all groups up; such a gang stalls at every failure: e^(-rate R), rate groups/MTBF."""
    assert elastic_goodput(TWO, 2, MTBF, 0.0, STALL) == pytest.approx(
        no_rollback_goodput(2 / MTBF, 1.0, 0.0, STALL), rel=1e-12
    )
