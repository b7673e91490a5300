"""Machine-repairman chain and Erlang's formulas against literature values and independent solutions."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import gammaln, xlogy

from dcsim.closed_form import down_probabilities, enough_up, erlang_b, erlang_c, mean_availability

CREWED_FLEET = {"machines": 512, "crews": 8, "mtbf": 2400.0, "repair": 48.0}
RACK = {"machines": 132, "crews": 2, "mtbf": 24 / 6.5e-3, "repair": 48.0}


def forward_equations(machines, crews, mtbf, repair, horizon):
    """Integrate dp/dt = p Q and the running time average of p with a stiff solver, from all machines up."""
    down = np.arange(machines + 1)
    fail, mend = (machines - down) / mtbf, np.minimum(down, crews) / repair

    def slope(_, state):
        p = state[: machines + 1]
        flow = -(fail + mend) * p
        flow[1:] += fail[:-1] * p[:-1]
        flow[:-1] += mend[1:] * p[1:]
        return np.concatenate([flow, p / horizon])

    start = np.zeros(2 * machines + 2)
    start[0] = 1
    solved = solve_ivp(slope, (0, horizon), start, method="LSODA", rtol=1e-9, atol=1e-12)
    return solved.y[machines + 1 :, -1]


def test_crewed_fleet_in_steady_state():
    """512 machines on 8 crews (MTBF 2,400 h, repair 48 h): crews all busy, 8 x 2,400/48/512 up = 0.781250."""
    availability = mean_availability(down_probabilities(**CREWED_FLEET))
    assert availability == pytest.approx(0.781250, abs=5e-7)
    assert availability == pytest.approx(8 * 2400 / 48 / 512, abs=1e-7)


def test_crewed_fleet_from_all_up():
    """The same fleet that starts all up averages 0.80018 over 36 months (25,920 h), not 0.78125."""
    averaged = mean_availability(down_probabilities(**CREWED_FLEET, horizon=36 * 720))
    assert averaged == pytest.approx(0.80018, abs=5e-6)


@pytest.mark.parametrize("horizon", [1.0, 48.0, 720.0])
def test_time_average_against_a_stiff_solver(horizon):
    """The time-averaged distribution equals the numerically integrated forward equations, state by state."""
    ours = down_probabilities(**RACK, horizon=horizon)
    assert ours == pytest.approx(forward_equations(**RACK, horizon=horizon), abs=1e-7)


@pytest.mark.parametrize("horizon", [1e-3, 10.0, 1e3, 1e6])
def test_independent_machines_from_all_up(horizon):
    """With a crew each, mean availability is mu/s + lambda/s^2 (1 - e^(-s H))/H, s = lambda + mu."""
    fail, mend = 1 / 100, 1 / 8
    total = fail + mend
    exact = mend / total + fail / total**2 * -math.expm1(-total * horizon) / horizon
    for machines in (1, 7):
        ours = down_probabilities(machines, machines, 100.0, 8.0, horizon=horizon)
        assert mean_availability(ours) == pytest.approx(exact, rel=1e-11)


def test_independent_machines_in_steady_state():
    """With a crew each, the number down is binomial with p = repair/(repair + MTBF)."""
    p = 8 / 108
    binomial = [math.comb(20, k) * p**k * (1 - p) ** (20 - k) for k in range(21)]
    assert down_probabilities(20, 20, 100.0, 8.0) == pytest.approx(binomial, rel=1e-12)


def test_rack_keeps_its_slots():
    """132 machines, 128 needed, 2 crews, 48 h repairs, 6.5e-3 failures a day: P(none short) = 0.5970."""
    steady = down_probabilities(**RACK)
    assert enough_up(steady, 128) == pytest.approx(0.5970, abs=5e-5)
    assert enough_up(steady, 128) == pytest.approx(sum(steady[:5]), rel=1e-14)


def test_rack_by_the_generator_matrix():
    """The steady state solves p Q = 0 with unit sum, by least squares on the dense generator."""
    machines, crews, fail, mend = 132, 2, 6.5e-3 / 24, 1 / 48
    q = np.zeros((machines + 1, machines + 1))
    for k in range(machines):
        q[k, k + 1] = (machines - k) * fail
        q[k + 1, k] = min(k + 1, crews) * mend
    q -= np.diag(q.sum(axis=1))
    equations = np.vstack([q.T, np.ones(machines + 1)])
    solved = np.linalg.lstsq(equations, np.append(np.zeros(machines + 1), 1), rcond=None)[0]
    assert down_probabilities(**RACK) == pytest.approx(solved, abs=1e-10)


def test_erlang_b():
    """B(10 erlang, 15 servers) = 0.0364969: (a^c/c!) / sum of a^k/k!."""
    terms = [10**k / math.factorial(k) for k in range(16)]
    assert erlang_b(10.0, 15) == pytest.approx(0.0364969, abs=5e-8)
    assert erlang_b(10.0, 15) == pytest.approx(terms[-1] / sum(terms), rel=1e-13)


def test_erlang_b_of_a_large_office():
    """A large office agrees with the Poisson form: pmf(c; a)/cdf(c; a)."""
    load, servers = 900.0, 1000
    k = np.arange(servers + 1)
    pmf = np.exp(xlogy(k, load) - load - gammaln(k + 1))
    assert erlang_b(load, servers) == pytest.approx(pmf[-1] / pmf.sum(), rel=1e-10)


def test_erlang_c():
    """C(10 erlang, 15 servers) = 0.1020424 = B/(1 - rho (1 - B)), and C = rho for one server."""
    blocked = erlang_b(10.0, 15)
    assert erlang_c(10.0, 15) == pytest.approx(0.1020424, abs=5e-8)
    assert erlang_c(10.0, 15) == pytest.approx(blocked / (1 - 10 / 15 * (1 - blocked)), rel=1e-13)
    assert erlang_c(0.7, 1) == pytest.approx(0.7, rel=1e-14)
    assert erlang_c(15.0, 15) == 1.0
