"""Lemons keep the fleet's mean rate, whatever their share, factor and lives; what cures them lowers it as theory says.

Roads: the rate of independent renewal processes, the renewal equation solved on a grid here, a simulation of single
components that shares nothing with the program, and hand-made sums.
"""

import math

import numpy as np
import pytest

from dcsim.closed_form import Retirement, Served, served
from dcsim.closed_form.retirement import Stay, windows_without
from dcsim.decide.theory import theory
from dcsim.engine import simulate
from dcsim.scenario import Scenario, load
from dcsim.scenario.intervals import fleet
from dcsim.scenario.plan import plan

SEED = 20_262
NODES, MTBF_H, HORIZON_H = 128, 1_500, 8_640
RUNS = 32


def cluster(lemons, mtbf="1500 h", repair="1 s", **keys):
    """128 nodes of 8 GPUs for 360 days, one stateless job on half of them."""
    hazard = {"component": "node", "mtbf": mtbf, "repair": repair, "lemons": lemons, **keys}
    return Scenario.model_validate(
        {
            "name": "lemons",
            "horizon": "360 d",
            "seed": SEED,
            "cluster": {"topology": "hgx-h100", "gpus": 8 * NODES},
            "jobs": [{"name": "a", "gpus": 512, "recovery": {"kind": "stateless"}}],
            "hazards": [hazard],
        }
    )


def failures(setting, runs=RUNS):
    """Failures of every run, float64 (runs,)."""
    return np.array([simulate(setting, number).failures for number in range(runs)], dtype=np.float64)


def z(values, mean):
    """How many standard errors the mean of values is away from where it should be."""
    return (values.mean() - mean) / (values.std(ddof=1) / math.sqrt(len(values)))


LEMONS = {"fraction": "5 %", "factor": 10}
MEAN = NODES * HORIZON_H / MTBF_H


@pytest.mark.parametrize(
    "lemons",
    [
        LEMONS,
        {"fraction": "5 %", "factor": 1},
        {"fraction": "0.2 %", "factor": 100},  # a quarter of a node: none is a lemon
        {"fraction": "1 %", "factor": 1000},
        {"fraction": "50 %", "factor": 3},
        {"fraction": "99 %", "factor": 10},
    ],
)
def test_the_fleet_fails_at_its_mtbf_whatever_its_lemons(lemons):
    """128 nodes of 1,500 h fail 737.28 times in 360 days: an ordinary repair leaves a lemon a lemon.

    A lemon of factor 1,000 fails every 13.3 h: what it loses while it is in repair for a second does not count here.
    """
    assert round(MEAN, 2) == 737.28
    assert abs(z(failures(cluster(lemons)), MEAN)) < 4


@pytest.mark.parametrize("silent", ["0 %", "40 %", "100 %"])
def test_a_silent_repair_changes_nothing_for_a_lemon_without_age(silent):
    """`silent` speaks of ages, and of lemons only where a repair cures them: the same integers."""
    silently = cluster(LEMONS, repair={"time": "1 s", "silent": silent})
    np.testing.assert_array_equal(failures(silently, 2), failures(cluster(LEMONS), 2))


def renewals(shape, mean, horizon, steps=4_000):
    """Expected renewals of one component in [0, horizon), Weibull lives of this mean: m = F + m * f on a grid.

    Cells of equal width; the mass of a cell lies half at each of its ends. The error is of second order in the width.
    """
    scale = mean / math.gamma(1 + 1 / shape)
    grid = np.linspace(0, horizon, steps + 1)
    below = -np.expm1(-((grid / scale) ** shape))
    mass = np.diff(below)
    weights = np.concatenate([[mass[0] / 2], (mass[1:] + mass[:-1]) / 2])
    count = np.zeros(steps + 1)
    for step in range(1, steps + 1):
        past = count[step - 1 : 0 : -1]
        count[step] = (below[step] + weights[1:step] @ past) / (1 - weights[0])
    return float(count[-1])


@pytest.mark.parametrize("shape", [0.7, 1.0, 1.5])
def test_the_renewal_equation_is_solved(shape):
    """At shape 1 the answer is horizon / mean; elsewhere horizon / mean + (cv^2 - 1) / 2 far out (Cox 1962)."""
    cv2 = math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1
    assert renewals(shape, 100.0, 4_000.0) == pytest.approx(40 + (cv2 - 1) / 2, rel=2e-3)


@pytest.mark.parametrize("shape", [0.7, 1.5])
def test_ageing_lemons_have_the_fleets_mean_life(shape):
    """Six of 128 nodes are lemons: sound lives are W/C times 1,500 h, a lemon's a tenth; all begin new, at age 0."""
    lemons, weight = 6, NODES + 9 * 6
    sound = MTBF_H * weight / NODES
    expected = (NODES - lemons) * renewals(shape, sound, HORIZON_H) + lemons * renewals(shape, sound / 10, HORIZON_H)
    law = {"kind": "weibull", "mean": "1500 h", "shape": shape}
    found = failures(cluster(LEMONS, mtbf=law))
    assert abs(z(found, expected)) < 4
    # in the long run, beyond what all being new at first brings, it is the fleet's 737.28
    cv2 = math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1
    assert expected - NODES * (cv2 - 1) / 2 == pytest.approx(MEAN, rel=0.01)


@pytest.mark.parametrize("shape", [0.7, 1.5])
def test_lemons_whose_age_goes_on_follow_their_power_law(shape):
    """Silent repairs leave the age: (H / scale)^shape failures of a sound node, (10 H / scale)^shape of a lemon."""
    scale = MTBF_H * (NODES + 9 * 6) / NODES / math.gamma(1 + 1 / shape)
    expected = 122 * (HORIZON_H / scale) ** shape + 6 * (10 * HORIZON_H / scale) ** shape
    law = {"kind": "weibull", "mean": "1500 h", "shape": shape}
    found = failures(cluster(LEMONS, mtbf=law, repair={"time": "1 s", "silent": "100 %"}))
    assert abs(z(found, expected)) < 4


def test_a_repair_that_cures_is_asked_for():
    """With `cured_by = "repair"` a lemon fails once as such: 6 (1 - e^{-rate H}) failures, then at the sound rate."""
    weight = NODES + 9 * 6
    sound = NODES / weight / MTBF_H
    first = 6 * -math.expm1(-10 * sound * HORIZON_H)
    as_lemons = first / (10 * sound)  # hours
    expected = first + sound * (NODES * HORIZON_H - as_lemons)
    found = failures(cluster(LEMONS | {"cured_by": "repair"}))
    assert abs(z(found, expected)) < 4
    assert expected == pytest.approx(524.4, abs=0.5)


def test_the_control_is_unbiased_where_lemons_are_retired():
    """Failures that were drawn, void ones included, keep their known mean, which the estimators adjust by."""
    setting = cluster(LEMONS | {"retire_after": 2, "window": "60 d"})
    drawn = np.array([simulate(setting, number).drawn for number in range(RUNS)], dtype=np.float64)
    assert plan(setting).expected_drawn == pytest.approx(MEAN)
    assert abs(z(drawn, MEAN)) < 4
    assert failures(setting).mean() < 0.9 * MEAN


# --- what theory says of retirement -----------------------------------------------------------------------------------


def two_apart(rate, window, age):
    """P(no two points of a Poisson stream within a window by some age): n points, each a window after the last."""
    total, points = 0.0, 0
    while (room := age - max(points - 1, 0) * window) > 0:
        total += math.exp(-rate * age) * (rate * room) ** points / math.factorial(points)
        points += 1
    return total


@pytest.mark.parametrize("often", [0.05, 0.5, 2.0])
def test_two_within_a_window_are_the_known_sum(often):
    """Exact at one, two and three windows; between and beyond them to 0.002 of probability."""
    ages = np.array([0.3, 1.0, 1.4, 2.0, 3.0, 6.5])
    exact = np.array([two_apart(often, 1.0, age) for age in ages])
    np.testing.assert_allclose(windows_without(2, often), exact[[1, 3, 4]], rtol=1e-10)
    np.testing.assert_allclose(Stay(often, Retirement(2, 1.0)).probability(ages), exact, rtol=0, atol=2e-3)


def one_place(rate, factor, cured, rule, hours, lemon, rng):
    """Hours in service and failures of one place, failure by failure."""
    now = served_hours = 0.0
    count, recent = 0, []
    while True:
        gap = rng.exponential() / (rate * (factor if lemon else 1))
        served_hours += min(gap, hours - now)
        now += gap
        if now >= hours:
            return served_hours, count
        count += 1
        recent = [at for at in recent if at > now - rule.window] + [now]
        if len(recent) >= rule.failures:
            now, recent, lemon = now + rule.replace, [], False
            if now >= hours:
                return served_hours, count
        elif lemon and rng.random() < cured:
            lemon, recent = False, []


@pytest.mark.parametrize(
    ("rate", "factor", "cured", "rule"),
    [
        (1 / 2133, 10, 0.0, Retirement(3, 720, 336)),
        (1 / 2133, 10, 0.0, Retirement(2, 720)),
        (1 / 500, 5, 0.3, Retirement(3, 300, 24)),
        (1 / 500, 5, 1.0, Retirement(1, 300, 24)),
        (1 / 100, 3, 0.1, Retirement(5, 200, 24)),
        (1 / 2000, 100, 0.0, Retirement(3, 8000, 0)),
        (1 / 1000, 10, 0.0, Retirement(10, 2000, 500)),
    ],
)
def test_retired_components_serve_as_theory_says(rate, factor, cured, rule):
    """Hours and failures of 4,000 places, begun by a sound component and by a lemon, within 4 standard errors."""
    rng = np.random.default_rng(SEED)
    for lemon, expected in enumerate(served(rate, factor, cured, rule, HORIZON_H)):
        found = np.array([one_place(rate, factor, cured, rule, HORIZON_H, bool(lemon), rng) for _ in range(4_000)])
        assert abs(z(found[:, 1], expected.failures)) < 4
        # a tenth of a per cent is allowed for the approximation and the grid
        error = found[:, 0].std(ddof=1) / math.sqrt(4_000) + 1e-3 * expected.hours
        assert abs(found[:, 0].mean() - expected.hours) < 4 * error


def test_a_rule_that_never_retires_leaves_all_as_they_were():
    """Without a rule, with a window too short or with failures that never come together: rate times horizon."""
    plain = (Served(HORIZON_H, 8.64), Served(HORIZON_H, 86.4))
    for rule in (None, Retirement(50, 1.0), Retirement(3, 1e-6)):
        for found, expected in zip(served(0.001, 10, 0.0, rule, HORIZON_H), plain, strict=True):
            assert found.hours == pytest.approx(expected.hours, rel=1e-6)
            assert found.failures == pytest.approx(expected.failures, rel=1e-6)


@pytest.mark.parametrize(
    "rule",
    [
        {"retire_after": 3, "window": "30 d", "replace": "14 d"},
        {"retire_after": 2, "window": "30 d"},
        {"retire_after": 1, "window": "1 h", "replace": "1 s"},
        {"retire_after": 4, "window": "60 d", "replace": "1 d", "cured_by": "repair"},
        {"cured_by": "repair"},
    ],
)
def test_theory_and_simulation_count_the_same_failures(rule):
    """The expected failures of the fleet over the horizon, where lemons are retired, replaced or cured."""
    setting = cluster(LEMONS | rule, repair={"time": "1 s", "silent": "60 %"})
    (hazard,) = setting.hazards
    assert abs(z(failures(setting), fleet(hazard, NODES, setting.horizon).failures)) < 4


def test_the_mean_time_between_interruptions_knows_that_lemons_leave():
    """A job on half of the nodes: its interruptions over the horizon, in theory and in 64 runs of it."""
    retired = LEMONS | {"retire_after": 2, "window": "60 d", "replace": "1 d"}
    setting = cluster(retired)
    strikes = np.array([simulate(setting, number).strikes[0] for number in range(64)], dtype=np.float64)
    expected = HORIZON_H / theory(setting).mtbf_h
    assert abs(z(strikes, expected)) < 4
    assert expected < 0.75 * HORIZON_H / theory(cluster(LEMONS)).mtbf_h


def test_the_shipped_retirement_study_agrees_with_theory():
    """Repairs of 6 h and 10 minutes of detection keep a failing node out a little: 1 % is allowed for that."""
    setting = load("failures/lemons-retired")
    found = failures(setting)
    (hazard,) = setting.hazards
    expected = fleet(hazard, 256, setting.horizon).failures
    assert abs(found.mean() - expected) < 4 * found.std(ddof=1) / math.sqrt(RUNS) + 0.01 * expected
