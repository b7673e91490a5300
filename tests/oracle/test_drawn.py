"""Failures drawn at constant rates are as many in the mean as theory says: the control variate's known expectation.

A Poisson stream of C components with MTBF m has C * H / m failures in [0, H), one by one or in stationary bursts, and
whether a failure finds anything to strike does not matter. Seeds were chosen before the first run.
"""

import numpy as np
import pytest

from dcsim.engine import simulate
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.oracle.agreement import Comparison, objections
from tests.unit.montecarlo_fakes import small

REPLICATIONS = 64
HOURS = 1000
GPU = {"component": "gpu", "mtbf": "2000 h", "blast": 8, "detect": "15 min", "repair": "2 h"}
NODE = {"component": "node", "mtbf": "300 h", "effect": "kill"}
BURSTS = {"name": "bursts", "component": "gpu", "mtbf": "1000 h", "blast": 1, "burst": {"size": 5, "within": "3 h"}}
LEMONS = {
    "name": "lemons", "component": "gpu", "mtbf": "1500 h",
    "lemons": {"fraction": "10 %", "factor": 20, "retire_after": 2, "window": "30 d"},
}  # fmt: skip
RUNNING = {"name": "running", "component": "gpu", "mtbf": "800 h", "exposure": "running"}
AGEING = {"name": "ageing", "component": "gpu", "mtbf": {"kind": "weibull", "mean": "2000 h", "shape": 0.7}}


def drawn(scenario: Scenario) -> np.ndarray:
    """Drawn failures of every replication."""
    return np.array([simulate(scenario, number).drawn for number in range(REPLICATIONS)])


@pytest.mark.parametrize(
    ("hazards", "expected"),
    [
        ([GPU], 64 * HOURS / 2000),
        ([NODE], 8 * HOURS / 300),
        ([BURSTS], 64 * HOURS / 1000),
        ([LEMONS], 64 * HOURS / 1500),
        ([RUNNING], 64 * HOURS / 800),
        ([GPU, NODE, BURSTS, AGEING], 64 * HOURS / 2000 + 8 * HOURS / 300 + 64 * HOURS / 1000),
    ],
    ids=["gpu", "node", "bursts", "lemons", "running", "together"],
)
def test_the_mean_of_drawn_is_what_is_expected(hazards, expected):
    """The mean over replications is within 4 standard errors of the sum of C * H / MTBF, void failures included."""
    scenario = small(hazards=hazards, seed=41)
    assert plan(scenario).expected_drawn == pytest.approx(expected, rel=1e-12)
    compared = Comparison("drawn", drawn(scenario), plan(scenario).expected_drawn)
    assert objections([compared], largest_error=0.1 * expected) == []


def test_ages_and_records_are_not_counted():
    """Where no rate is constant nothing is drawn that counts, though much fails."""
    trace = {
        "name": "record",
        "component": "gpu",
        "mtbf": {"kind": "trace", "at": ["1 h", "30 h"], "span": "40 h"},
    }
    scenario = small(hazards=[AGEING, trace], seed=41)
    accounts = simulate(scenario, 0)
    assert (plan(scenario).expected_drawn, accounts.drawn) == (0, 0)
    assert accounts.failures > 0
