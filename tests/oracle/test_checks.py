"""Checks of health against exact theory: how often what is slow is found, and what false alarms cost."""

import math

import numpy as np

from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections

HOUR = 3_600_000
SEED = 152
RUNS = 64
NODES = 64


def scenario(hazard, maintenance, hours):
    """Nodes of one GPU; a job on one of them."""
    shape = {"node": {"gpus": 1}, "rack": {"nodes": 1}, "nvlink": {"domain": "node"}}
    return Scenario.model_validate(
        {
            "name": "checks",
            "horizon": f"{hours} h",
            "seed": SEED,
            "cluster": {"topology": {"name": "single", "description": "", **shape}, "gpus": NODES},
            "jobs": [{"name": "a", "gpus": 1, "recovery": {"kind": "stateless"}}],
            "hazards": [hazard],
            "maintenance": [{"name": "check", "component": "node", **maintenance}],
        }
    )


def test_what_is_slow_is_found_by_the_checks_alone():
    """A node fails with chance q = 1 - e^(-T/MTBF) in each period T that it begins sound; a check finds it with p.

    It begins the next one sound with (1 - q + q p) if it began this one so, else with p: failures are q times the
    periods that begin sound. Repairs and checks take no time.
    """
    found = []
    for mtbf, every, finds in ((150, 100, 0.4), (150, 100, 1.0), (40, 100, 0.7)):
        hazard = {"component": "node", "effect": "degrade", "keeps": "50 %", "mtbf": f"{mtbf} h", "detect": "1000 y"}
        periods = 200
        q, sound, expected = -math.expm1(-every / mtbf), 1.0, 0.0
        for _ in range(periods):
            expected += q * sound
            sound = sound * (1 - q + q * finds) + (1 - sound) * finds
        window = {"every": f"{every} h", "duration": "0.001 s", "rolling": False, "finds": f"{100 * finds} %"}
        failures = simulate_many(scenario(hazard, window, periods * every), list(range(RUNS)), False).failures
        found.append(Comparison(f"{mtbf} h, {finds}", np.array(failures) / (NODES * expected), 1.0))
    assert objections(found, largest_error=0.005) == []


def test_false_alarms_cost_their_retest():
    """Windows of d, and r more with chance f: d + f r on average for each, of which there are as many in every run."""
    hazard = {"component": "node", "mtbf": "1000 y", "repair": "0 s"}
    found = []
    for alarms in (0.02, 0.3):
        window = {"every": "720 h", "first": "100 h", "duration": "2 h", "rolling": False}
        window |= {"false_alarms": f"{100 * alarms} %", "retest": "24 h"}
        made = scenario(hazard, window, 24 * 720 + 100)
        gpu_ms = simulate_many(made, list(range(RUNS)), False).gpu_ms[:, :, STATE["maintenance"]].sum(axis=1)
        expected = NODES * 24 * (2 + alarms * 24)
        found.append(Comparison(f"{alarms}", gpu_ms / HOUR / expected, 1.0))
    assert objections(found, largest_error=0.01) == []


def test_what_spoils_results_is_found_by_the_checks_alone():
    """A gang of one node loses what it has done since the last check that was clean.

    Its node fails with rate l; checks come every T, take no time, and find with p what began before them. With a
    checkpoint at the begin of each window, an onset at x in a period makes worthless what follows x, up to the check
    that finds it: E = (l T - 1 + e^(-l T)) / l of the period in which it began, and T of each one that is missed,
    G = (1 - p) / p of them in the mean. A component with an age has no other onset until it is repaired: a cycle begins
    sound, and lasts until it is found: 1 / q periods until one has an onset, q = 1 - e^(-l T), and G more.
    """
    found = []
    for mtbf, finds in ((150, 1.0), (150, 0.5), (60, 0.7)):
        period, rate = 100, 1 / mtbf
        law = {"kind": "weibull", "mean": f"{mtbf} h", "shape": 1.0}
        hazard = {"component": "node", "effect": "corrupt", "mtbf": law, "detect": "1000 y"}
        hazard |= {"exposure": "running", "repair": "0 s", "blast": "node"}
        window = {"every": f"{period} h", "duration": "0.001 s", "rolling": False, "finds": f"{100 * finds} %"}
        made = scenario(hazard, window, 400 * period)
        recovery = {"kind": "checkpoint-restart", "checkpoint_every": "0.01 h"}
        jobs = [{"name": "a", "gpus": 1, "recovery": recovery}]
        made = Scenario.model_validate({**made.model_dump(mode="json"), "jobs": jobs})
        q = -math.expm1(-rate * period)
        spoilt = (period - q / rate) / q + period * (1 - finds) / finds
        cycle = period / q + period * (1 - finds) / finds
        gpu_ms = simulate_many(made, list(range(RUNS)), False).gpu_ms[:, 0, STATE["lost"]]
        found.append(Comparison(f"{mtbf} h, {finds}", gpu_ms / HOUR / (400 * period) / (spoilt / cycle), 1.0))
    assert objections(found, largest_error=0.02) == []
