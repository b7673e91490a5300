"""Burn-in, and tests that find silent repairs, against exact theory of lives and of alternating renewals."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import gamma

from dcsim.engine.compiled_clock import simulate_many
from dcsim.hazards import Draws, Hazard
from dcsim.ledger import STATE
from dcsim.scenario import Scenario
from dcsim.streams import generator
from tests.oracle.agreement import Comparison, objections

HOUR = 3_600_000
RUNS = 128
NODES = 400


def scenario(seed, hours, hazard, **cluster):
    """Nodes of one GPU, free but for one."""
    shape = {"node": {"gpus": 1}, "rack": {"nodes": 4}, "nvlink": {"domain": "node"}}
    return Scenario.model_validate(
        {
            "name": "burn-in",
            "horizon": f"{hours} h",
            "seed": seed,
            "cluster": {"topology": {"name": "single", "description": "", **shape}, "gpus": NODES, **cluster},
            "jobs": [{"name": "a", "gpus": 1, "recovery": {"kind": "stateless"}}],
            "hazards": [{"name": "node", "component": "node", **hazard}],
        }
    )


def weibull(mean, shape):
    """Return the law as a scenario has it, and its survival function [h]."""
    scale = mean / gamma(1 + 1 / shape)
    return {"kind": "weibull", "mean": f"{mean} h", "shape": shape}, lambda t: math.exp(-((t / scale) ** shape))


def failures(given):
    """Failures of each run."""
    return np.array(simulate_many(given, list(range(RUNS)), False).failures, dtype=float)


def test_what_is_burnt_in_at_delivery_has_outlived_it():
    """The first failure of each node comes within H with 1 - S(b + H) / S(b); no repair ends before the horizon."""
    found = []
    for seed, burnt_in, mean, shape in ((1561, 8, 500, 0.5), (1562, 100, 500, 0.5), (1563, 50, 200, 3.0)):
        law, survival = weibull(mean, shape)
        given = scenario(seed, 100, {"mtbf": law, "repair": "1 y"}, burn_in=f"{burnt_in} h")
        expected = NODES * (1 - survival(burnt_in + 100) / survival(burnt_in))
        found.append(Comparison(f"{burnt_in} h, {shape}", failures(given) / expected, 1.0))
    assert objections(found, largest_error=0.02) == []


def test_what_is_repaired_is_as_old_as_its_burn_in():
    """A cycle is a life beyond b, then the repair, and b once more; the first life is alike, and nothing precedes it.

    Of mean m and variance v of a cycle follow H / m + (v + m^2) / 2 m^2 - (life) / m failures of a node up to a late H
    (Feller 1971, II, XI.4; Cox 1962). Moments of a life: integral of S(b + t) / S(b), and of 2 t times that.
    """
    found, hours = [], 2_000
    for seed, burnt_in, mean, shape in ((1571, 24, 100, 0.6), (1572, 20, 100, 2.0), (1573, 0, 100, 0.6)):
        law, survival = weibull(mean, shape)
        keys = {"mtbf": law, "repair": "10 h", "burn_in": f"{burnt_in} h"}
        given = scenario(seed, hours, keys, burn_in=f"{burnt_in} h")
        life = quad(survival, burnt_in, np.inf)[0] / survival(burnt_in)
        second = quad(lambda t, b=burnt_in, s=survival: 2 * (t - b) * s(t), burnt_in, np.inf)[0] / survival(burnt_in)
        cycle, variance = life + 10 + burnt_in, second - life**2
        expected = hours / cycle + (variance + cycle**2) / (2 * cycle**2) - life / cycle
        found.append(Comparison(f"{burnt_in} h, {shape}", failures(given) / (NODES * expected), 1.0))
    assert objections(found, largest_error=0.005) == []


def test_a_test_that_finds_silent_repairs_keeps_a_node_longer():
    """A node is up for its MTBF, then out for the mean repair: its tests, and stages that are done again, included.

    The only stage takes 4 h and is silent with s; a test of 2 h finds that with f, and it is done again:
    6 h / (1 - s f). With a second stage of 20 h that always helps, the first one sends on s f: 6 h + s f 22 h.
    """
    found = []
    for seed, silent, finds in ((1581, 0.4, 0.5), (1582, 0.9, 0.9)):
        first = {"time": {"kind": "exponential", "mean": "4 h"}, "silent": f"{100 * silent} %"}
        for more, stages, out in (
            (0, first, 6 / (1 - silent * finds)),
            (10, [first, {"time": "20 h"}], 6 + silent * finds * 22),
        ):
            keys = {"mtbf": "100 h", "repair": stages, "requalify": "2 h", "requalify_finds": f"{100 * finds} %"}
            given = scenario(seed + more, 5_000, keys)
            gpu_ms = simulate_many(given, list(range(RUNS)), False).gpu_ms[:, :, STATE["repair"]].sum(axis=1)
            expected = NODES * 5_000 * out / (100 + out)
            transient = out / (100 + out) ** 2 * 100 * out * NODES  # all are up at first
            found.append(Comparison(f"{silent}, {finds}, {more}", (gpu_ms / HOUR + transient) / expected, 1.0))
    assert objections(found, largest_error=0.005) == []


def test_what_passes_the_test_is_silent_less_often():
    """Of what returns s (1 - f) / (1 - s f) is as bad as it was, and the mean of all times is that of the formula."""
    found = []
    for seed, silent, finds, success in ((1591, 0.4, 0.5, 1.0), (1592, 0.8, 0.9, 0.6)):
        stage = {"time": {"kind": "exponential", "mean": "4 h"}, "silent": f"{100 * silent} %"}
        stage["success"] = f"{100 * success} %"
        keys = {"component": "node", "mtbf": "100 h", "repair": stage, "requalify": "2 h"}
        hazard = Hazard.model_validate({**keys, "requalify_finds": f"{100 * finds} %"})
        shares, times = [], []
        for run in range(RUNS):
            draws = Draws(hazard, 8, 8, 1000, lambda purpose, run=run, seed=seed: generator(seed, run, "node", purpose))
            drawn = draws.outcomes(20_000)
            shares.append(1 - drawn.fixed.mean())
            tests = 20_000 + np.sum(drawn.sent_back)
            times.append((drawn.stages.sum() + np.sum(drawn.redos)) / 20_000 / HOUR + 2 * tests / 20_000)
        left = silent * (1 - finds) / (1 - silent * finds)
        found.append(Comparison(f"{silent}, {finds}", np.array(shares), left))
        found.append(Comparison(f"{silent}, {finds}: time", np.array(times) / (hazard.mean_repair_ms / HOUR), 1.0))
    assert objections(found, largest_error=0.02) == []
