"""Simulated failures of named hazards are as many as were published.

Oracle: the published counts themselves. A count of independent failures is Poisson, so its standard error is its root.
"""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2

from dcsim.engine import simulate
from dcsim.scenario import Scenario, read
from dcsim.scenario.plan import plan

SEED = 54
RUNS = 8
HOURS = 3_600_000


def cluster(preset: str, gpus: int, horizon: str, **keys) -> Scenario:
    """One job on a whole cluster of 8-GPU nodes with the hazards of a preset, which are repaired within a minute."""
    topology = {"name": "nodes", "description": "", "node": {"gpus": 8}, "rack": {"nodes": 1}}
    return read(
        {
            "name": preset,
            "horizon": horizon,
            "seed": SEED,
            "cluster": {"topology": {**topology, "nvlink": {"domain": "node"}}, "gpus": gpus},
            "jobs": [{"name": "job", "gpus": gpus, "recovery": {"kind": "stateless", "restore": "0 s"}}],
            "hazards": [{"preset": preset, "repair": "1 min"}],
            **keys,
        }
    )


def failures(scenario: Scenario) -> np.ndarray:
    """Failures of each run, float64 (runs,)."""
    return np.array([simulate(scenario, number).failures for number in range(RUNS)], dtype=float)


@pytest.mark.parametrize(
    ("preset", "gpus", "horizon", "published"),
    [
        ("llama3", 16_384, "54 d", 419),
        ("rsc-1", 8_000, "30 d", 6.50 * 30),
        ("rsc-2", 8_000, "30 d", 2.34 * 30),
        ("delta-h100", 608, "146 d", 24),
    ],
)
def test_counts_are_those_that_were_published(preset, gpus, horizon, published):
    """The mean of 8 runs is within two standard errors of the published count, and each run within four."""
    found = failures(cluster(preset, gpus, horizon))
    assert abs(found.mean() - published) < 2 * math.sqrt(published / RUNS)
    assert (abs(found - published) < 4 * math.sqrt(published)).all()


def test_llama_3_fails_of_each_cause_as_often_as_published():
    """Chi-square of 18 causes over 64 runs is below its 99.9 % point."""
    scenario = cluster("llama3", 16_384, "54 d")
    layout, runs, found = plan(scenario), 64, Counter()
    for number in range(runs):
        for hazard, drawn in zip(scenario.hazards, layout.draws(number), strict=True):
            found[hazard.name] += len(drawn.failures.times)
    counts = [148, 72, 54, 35, 32, 19, 17, 7, 7, 6, 6, 3, 3, 2, 2, 2, 2, 2]
    published = dict(zip(found, counts, strict=True))
    square = sum((found[cause] - runs * count) ** 2 / (runs * count) for cause, count in published.items())
    assert square < chi2.ppf(0.999, len(counts))
    assert abs(sum(found.values()) - runs * 419) < 2 * math.sqrt(runs * 419)


@pytest.mark.parametrize(("gpus", "days", "published"), [(16_384, "20 d", 1.8), (131_072, "60 h", 0.23)])
def test_rsc_1_stops_large_jobs_as_often_as_it_was_projected(gpus, days, published):
    """Published for RSC-1's rate: a mean time to failure of 1.8 h at 16,384 GPUs and of 0.23 h at 131,072."""
    scenario = cluster("rsc-1", gpus, days)
    strikes = np.array([simulate(scenario, number).strikes[0] for number in range(RUNS)])
    hours = scenario.horizon / HOURS / strikes.mean()
    assert hours == pytest.approx(published, abs=0.005 + 2 * published / math.sqrt(strikes.sum()))


def test_hpn_stops_single_homed_jobs_once_or_twice_a_month():
    """Published: 1 to 2 crashes a month of a job of 2,300 to 3,000 GPUs, each on one link to one ToR."""
    for gpus in (2_304, 3_000):
        topology = {"base": "clos-100k", "fabric": {"homes": 1}}
        scenario = cluster("hpn", 3_072, "12 mo", cluster={"topology": topology, "gpus": 3_072})
        scenario = read(scenario, **{"jobs.job.gpus": gpus})
        strikes = np.array([simulate(scenario, number).strikes[0] for number in range(RUNS)]) / 12
        expected = gpus * 0.00057
        assert abs(strikes.mean() - expected) < 2 * math.sqrt(expected / 12 / RUNS) + 0.02  # a ToR adds 1 %
        assert 1 < strikes.mean() < 2
