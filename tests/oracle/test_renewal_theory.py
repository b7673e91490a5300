"""Exact renewal theory of one gang against published numbers, numerical integrals and a direct simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from dcsim.closed_form import (
    daly_interval,
    ettr_kokolis,
    lost_work,
    makespan,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)

DALY_CASES = [(24 * 60, 117, 116.69, 547.9), (6 * 60, 57, 56.71, 610.2), (15, 9.1, 9.17, 2504)]  # M, minutes


@pytest.mark.parametrize(
    ("interval", "write", "stall", "mtbf", "exposed", "safe"),
    [
        (30, 1, 10, 185.6, 0.842532, 0.843713),
        (60, 5, 10, 360, 0.819176, None),
        (10, 0.5, 10, 18, 0.402464, None),
    ],
)
def test_worked_examples(interval, write, stall, mtbf, exposed, safe):
    """The goodput is the textbook form lambda tau e^(-lambda R)/(e^(lambda (tau + C)) - 1), to six digits."""
    rate = 1 / mtbf
    textbook = rate * interval * math.exp(-rate * stall) / (math.exp(rate * (interval + write)) - 1)
    assert restart_goodput(rate, interval, write, stall) == pytest.approx(textbook, rel=1e-13)
    assert restart_goodput(rate, interval, write, stall) == pytest.approx(exposed, abs=1e-6)
    if safe:
        assert restart_goodput(rate, interval, write, stall, safe_stall=True) == pytest.approx(safe, abs=1e-6)


def cycles(rate, interval, write, stall, rollback, safe, count=200_000):
    """Draw useful time and length of many cycles (run until struck, then stall) from first principles."""
    rng = np.random.default_rng(20_260_401)
    up = rng.exponential(1 / rate, count)
    whole, rest = np.divmod(up, interval + write)
    useful = whole * interval + (0 if rollback else np.minimum(rest, interval))
    down = np.full(count, float(stall))
    if not safe:
        struck = np.arange(count)  # cycles whose current stall a further failure may still restart
        while struck.size:
            gap = rng.exponential(1 / rate, struck.size)
            struck, gap = struck[gap < stall], gap[gap < stall]
            down[struck] += gap
    return useful, up + down


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("rollback", [True, False])
@pytest.mark.parametrize(("interval", "write", "stall", "mtbf"), [(30, 1, 10, 185.6), (60, 5, 10, 90), (10, 2, 10, 18)])
def test_direct_simulation(interval, write, stall, mtbf, rollback, safe):
    """200,000 simulated cycles agree within 4 standard errors, with or without rollback, exposed or safe."""
    goodput = restart_goodput if rollback else no_rollback_goodput
    theory = goodput(1 / mtbf, interval, write, stall, safe_stall=safe)
    useful, length = cycles(1 / mtbf, interval, write, stall, rollback, safe)
    ratio = useful.sum() / length.sum()
    error = (useful - ratio * length).std() / math.sqrt(len(useful)) / length.mean()
    assert error < 0.001
    assert abs(ratio - theory) < 4 * error


def test_tolerant_gang_that_does_not_write():
    """Goodput without rollback and writes is e^(-lambda R): up 1/lambda, down (e^(lambda R) - 1)/lambda."""
    rate, stall = 4096 / 25_000, 20 / 60
    up, down = 1 / rate, math.expm1(rate * stall) / rate
    assert no_rollback_goodput(rate, 1.0, 0.0, stall) == pytest.approx(math.exp(-rate * stall), rel=1e-14)
    assert no_rollback_goodput(rate, 1.0, 0.0, stall) == pytest.approx(up / (up + down), rel=1e-14)


def test_tolerant_gang_that_writes():
    """Blocking writes leave the integral of P(still up at t) over the computing parts of the timetable."""
    rate, interval, write, stall = 1 / 90, 60.0, 5.0, 10.0
    period = interval + write
    parts = [quad(lambda t: math.exp(-rate * t), k * period, k * period + interval)[0] for k in range(60)]
    cycle = math.exp(rate * stall) / rate
    assert no_rollback_goodput(rate, interval, write, stall) == pytest.approx(sum(parts) / cycle, rel=1e-12)


@pytest.mark.parametrize(("rate", "window"), [(1 / 25_000, 1.0), (0.1, 3.0), (1.0, 8.0), (5.0, 10.0)])
def test_lost_work_is_the_mean_of_the_truncated_exponential(rate, window):
    """A failure inside a window X loses the mean of an exponential conditioned to fall below X."""
    mass = -math.expm1(-rate * window)
    mean = quad(lambda t: t * rate * math.exp(-rate * t) / mass, 0, window, epsabs=0, epsrel=1e-12)[0]
    assert lost_work(rate, window) == pytest.approx(mean, rel=1e-10)


def test_lost_work_tends_to_half_a_window():
    """Rare failures lose half a window, less lambda X^2/12."""
    assert lost_work(0.0, 1.0) == 0.5
    assert lost_work(1e-9, 1.0) == pytest.approx(1 / 2 - 1e-9 / 12, rel=1e-15)


def test_goodput_and_lost_work_describe_one_cycle():
    """Run time 1/lambda is whole windows plus the lost stretch; useful is tau/X of the whole windows."""
    rate, interval, write, stall = 1 / 18, 10.0, 0.5, 10.0
    window = interval + write
    whole = 1 / rate - lost_work(rate, window)
    cycle = 1 / rate + math.expm1(rate * stall) / rate
    useful = whole * interval / window
    assert restart_goodput(rate, interval, write, stall) == pytest.approx(useful / cycle, rel=1e-13)


@pytest.mark.parametrize(("mtbf", "published", "best", "hours"), DALY_CASES)
def test_daly_optima_and_makespans(mtbf, published, best, hours):
    """Daly (2006): optima 117/57/9.1 min and 500 h of work in 547.9/610.2/2,504 h (C 5 min, R 10 min)."""
    rate, write, stall = 1 / mtbf, 5.0, 10.0
    digit = 0.05 if published < 10 else 0.5
    assert daly_interval(rate, write) == pytest.approx(published, abs=digit)
    assert optimal_interval(rate, write) == pytest.approx(best, abs=0.005)
    took = makespan(500 * 60, rate, optimal_interval(rate, write), write, stall) / 60
    assert took == pytest.approx(hours, abs=0.5 if hours > 1000 else 0.05)


@pytest.mark.parametrize(("mtbf", "write"), [(1440.0, 5.0), (360.0, 5.0), (15.0, 5.0), (15.0, 60.0), (1e4, 0.1)])
def test_optimum_by_numerical_search(mtbf, write):
    """A numerical search finds no better interval than the Lambert W solution."""
    found = minimize_scalar(
        lambda x: -restart_goodput(1 / mtbf, math.exp(x), write, 10.0),
        bracket=(math.log(write), math.log(mtbf)),
        tol=1e-9,
    )
    assert math.exp(found.x) == pytest.approx(optimal_interval(1 / mtbf, write), rel=1e-5)


@pytest.mark.parametrize("cost", [1e-15, 1e-8, 4.9e-5, 5.1e-5, 1e-3, 1.0, 10.0])
def test_optimum_satisfies_its_own_equation(cost):
    """At the optimum 1 - u = e^(-(u + c)), u = lambda tau, c = lambda C, for writes from tiny to huge."""
    u = optimal_interval(1.0, cost)
    assert 1 - u == pytest.approx(math.exp(-u - cost), rel=1e-10)
    cost_again = sum(u**k / k for k in range(2, 9)) if u < 0.02 else -u - math.log1p(-u)  # -u - ln(1 - u)
    assert cost_again == pytest.approx(cost, rel=1e-10, abs=0)


def test_young_is_the_limit_of_rare_failures():
    """Young (1974): sqrt(2 C/lambda), which Daly's and the exact optimum approach as lambda C vanishes."""
    assert young_interval(1 / 1440, 5.0) == math.sqrt(2 * 5.0 * 1440)
    for interval in (daly_interval, optimal_interval):
        assert interval(1e-10, 1.0) == pytest.approx(young_interval(1e-10, 1.0), rel=1e-5)


def test_daly_beyond_its_series():
    """Daly's rule is the mean time to failure itself once a write costs at least twice that."""
    assert daly_interval(1.0, 2.0) == 1.0
    assert daly_interval(1.0, 5.0) == 1.0


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 1e-2])
def test_kokolis_is_the_first_order_of_the_exact_goodput(rate):
    """The ETTR estimate differs from the exact goodput by no more than the square of its own loss term."""
    stall, interval, write = 10 / 60, 1.0, 1 / 60
    term = rate * (stall + interval / 2)
    estimate = ettr_kokolis(rate, stall, interval, write)
    assert estimate == pytest.approx((1 - term) / (1 + write / interval), rel=1e-14)
    exact = restart_goodput(rate, interval, write, stall)
    assert abs(exact - estimate) < term**2 + rate * write


def test_kokolis_outside_its_domain():
    """From a loss term of 0.3 on the first-order estimate is undefined rather than wrong."""
    assert ettr_kokolis(0.29, 0.5, 1.0, 0.0) == pytest.approx(1 - 0.29)
    assert ettr_kokolis(0.3, 0.5, 1.0, 0.0) is None
