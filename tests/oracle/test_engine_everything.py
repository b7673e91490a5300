"""The full engine against exact theory: ages, strategies, shapes, effects, bursts, lemons, spares in their racks.

Roads: the renewal equation (solved numerically in test_lives: 274.73, 150.00, 68.51, 127.94), minimal repair's power
law, ``closed_form.rollback_goodput`` and ``elastic_goodput``, alternating renewal processes, the binomial law.
"""

import math
from statistics import fmean

import numpy as np
import pytest

from dcsim.closed_form import elastic_goodput
from dcsim.decide.theory import theory
from dcsim.engine import simulate
from dcsim.ledger import CAUSES, STATE
from dcsim.scenario import Scenario, load
from tests.oracle.agreement import Comparison, objections

SEED = 20_261
PLANT = {"name": "t", "description": "", "node": {"gpus": 1}, "rack": {"nodes": 8}, "nvlink": {"domain": "node"}}


def scenario(gpus, jobs, hazards, horizon, **cluster):
    """A cluster of single GPUs."""
    cluster = {"topology": PLANT, "gpus": gpus, **cluster}
    tables = {"name": "oracle", "horizon": horizon, "seed": SEED, "cluster": cluster}
    return Scenario.model_validate({**tables, "jobs": jobs, "hazards": hazards})


def played(setting, replications, what):
    """One number per replication."""
    return np.array([what(simulate(setting, number)) for number in range(replications)], dtype=np.float64)


def z(values, mean):
    """How many standard errors the mean of values is away from where it should be."""
    return (values.mean() - mean) / (values.std(ddof=1) / math.sqrt(len(values)))


def share_useful(accounts):
    """Useful share of what the first job asked for."""
    return accounts.gpu_ms[0, STATE["useful"]] / accounts.asked_gpu_ms[0]


# --- ages -------------------------------------------------------------------------------------------------------------


def fleet(life, **keys):
    """500 components that run for 30 days."""
    hazard = {"component": "gpu", "mtbf": life, "blast": 1, "repair": "0 s", **keys}
    return scenario(500, [{"name": "a", "gpus": 500, "recovery": {"kind": "stateless"}}], [hazard], "30 d")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ({"kind": "weibull", "mean": "100 d", "shape": 0.7}, 274.73),
        ({"kind": "exponential", "mean": "100 d"}, 150.00),
        ({"kind": "weibull", "mean": "100 d", "shape": 1.5}, 68.51),
        ({"kind": "lognormal", "mean": "100 d", "sigma": 1.0}, 127.94),
    ],
)
def test_components_are_renewed_one_by_one(life, expected):
    """500 components, 30 days, mean life 100 days, instant repair: the renewal function."""
    assert abs(z(played(fleet(life), 64, lambda a: a.failures), expected)) < 4


def test_a_bystander_is_not_renewed():
    """Where a failure takes 8 neighbours along, their ages stay: the count is still that of independent renewals."""
    life = {"kind": "weibull", "mean": "100 d", "shape": 0.7}
    assert abs(z(played(fleet(life, blast=8), 64, lambda a: a.failures), 274.73)) < 4


def test_silent_repair_leaves_the_age():
    """Minimal repair: the count of one Weibull component in t is Poisson with mean (t / scale)^k."""
    setting = fleet(
        {"kind": "weibull", "mean": "100 d", "shape": 1.5},
        repair={"time": "0 s", "silent": "100 %"},
    )
    expected = 500 * (30 / (100 / math.gamma(1 + 1 / 1.5))) ** 1.5
    assert abs(z(played(setting, 64, lambda a: a.failures), expected)) < 4


def test_a_clock_stands_still_while_its_component_is_out():
    """Exponential lives of 20 d written as Weibull of shape 1, repairs of 10 d: availability over H from all up."""
    setting = fleet({"kind": "weibull", "mean": "20 d", "shape": 1.0}, repair={"kind": "exponential", "mean": "10 d"})
    rate, relaxes = 1 / 20 + 1 / 10, 30.0
    available = 2 / 3 + (1 / 3) * (1 - math.exp(-rate * relaxes)) / (rate * relaxes)
    values = played(setting, 64, lambda a: 1 - a.gpu_ms[:, STATE["repair"]].sum() / a.gpu_ms.sum())
    assert abs(z(values, available)) < 4


# --- strategies -------------------------------------------------------------------------------------------------------

COMMON = {"failover": "3 min", "restore": "10 min", "checkpoint_every": "40 min", "checkpoint_write": "2 min"}
SMALL = {"name": "small", "component": "gpu", "mtbf": "20480 h", "blast": 1, "detect": "5 min"}
LARGE = {"name": "large", "component": "gpu", "mtbf": "40960 h", "blast": 32, "detect": "15 min"}
TIERS = [
    {"every": "10 min", "write": "15 s", "restore": "1 min", "survives": 8},
    {"every": "80 min", "write": "3 min", "drain": "6 min", "restore": "12 min"},
]
SETTINGS = {
    "async": ({"kind": "async-checkpoint", **COMMON, "checkpoint_drain": "7 min"}, [SMALL]),
    "tiered": ({"kind": "tiered-checkpoint", "failover": "3 min", "tiers": TIERS}, [SMALL, LARGE]),
    "coverage": ({"kind": "fault-tolerant", **COMMON, "coverage": "80 %"}, [SMALL]),
    "checkpointless": ({"kind": "checkpointless", **COMMON, "survives": 8}, [SMALL, LARGE]),
    "failing restores": ({"kind": "checkpoint-restart", **COMMON, "restore_success": "60 %"}, [SMALL]),
    "bad checkpoints": ({"kind": "checkpoint-restart", **COMMON, "bad_checkpoint": "30 %"}, [SMALL]),
    "growing restores": ({"kind": "checkpoint-restart", **COMMON, "restore_per_doubling": "103 s"}, [SMALL]),
    "best interval": ({"kind": "checkpoint-restart", **COMMON, "checkpoint_every": "optimal"}, [SMALL]),
    "kill": ({"kind": "checkpoint-restart", **COMMON}, [SMALL, {**LARGE, "effect": "kill"}]),
    "stateless": ({"kind": "stateless", "failover": "3 min", "restore": "10 min"}, [SMALL, LARGE]),
}


def gang(recovery, hazards, gpus=4_096):
    """One gang with spares in plenty and instant repair."""
    return scenario(2 * gpus, [{"name": "a", "gpus": gpus, "recovery": recovery}], hazards, "10000 h", spares=gpus)


def test_strategies_meet_their_exact_goodput():
    """Ten strategies, 32 replications each: the simulated loss is renewal theory's, whatever rolls back how far."""
    found = []
    for name, (recovery, hazards) in SETTINGS.items():
        setting = gang(recovery, hazards)
        loss = theory(setting).goodput_loss
        assert loss is not None, name
        found.append(Comparison(name, 1 - played(setting, 32, share_useful), loss))
        print(found[-1])
    assert objections(found) == []


@pytest.mark.parametrize("error", [{"checkpoint_drain": "0 s"}, {"checkpoint_write": "0 s"}, {"failover": "0 s"}])
def test_a_forgotten_key_would_be_seen(error):
    """The rule objects if the drain, the write or the failover of the async setting is left out of the simulation."""
    recovery, hazards = SETTINGS["async"]
    wrong = played(gang(recovery | error, hazards), 32, share_useful)
    assert objections([Comparison("planted", 1 - wrong, theory(gang(recovery, hazards)).goodput_loss)])


def test_the_best_interval_is_best():
    """On the same failures "optimal" loses less than 0.6 and 1.7 times its interval."""
    best = gang(*SETTINGS["best interval"])
    interval = theory(best).interval_h
    recovery, hazards = SETTINGS["best interval"]
    losses = []
    for factor in (0.6, 1.0, 1.7):
        other = recovery | {"checkpoint_every": f"{round(factor * interval * 3600)} s"}
        losses.append(1 - played(gang(other, hazards), 32, share_useful))
    for worse in (losses[0], losses[2]):
        gap = worse - losses[1]
        assert gap.mean() > 4 * gap.std(ddof=1) / math.sqrt(len(gap))


@pytest.mark.parametrize("stall", [0, 20])
def test_elastic_gang_of_two_groups(stall):
    """Two groups, each struck as a whole, exponential repair, no spares: the chain of groups down, with re-quorum."""
    hazard = {"component": "gpu", "mtbf": "3200 h", "blast": 8, "repair": {"kind": "exponential", "mean": "30 h"}}
    recovery = {"kind": "elastic", "group": 8, "failover": f"{stall} min"}
    setting = scenario(16, [{"name": "a", "gpus": 16, "recovery": recovery}], [hazard], "8000 h")
    expected = elastic_goodput([1.0, 0.5, 0.0], 2, 3200 / 8, 30.0, stall / 60, 8000.0)
    values = played(setting, 400, share_useful)
    assert objections([Comparison("elastic", values, expected)], largest_error=2e-3) == []


def test_work_ends_after_its_makespan():
    """Daly's makespan: work over goodput, for a gang whose work takes thousands of hours."""
    recovery, hazards = SETTINGS["bad checkpoints"]
    recovery = {key: value for key, value in recovery.items() if key != "bad_checkpoint"}
    setting = gang(recovery, hazards)
    job = setting.jobs[0].model_copy(update={"work": 4_096 * 2_000 * 3_600_000})
    setting = setting.model_copy(update={"jobs": (job,)})
    hours = played(setting, 32, lambda a: a.last_finish_ms[0] / 3.6e6)
    assert abs(z(hours, 2_000 / (1 - theory(setting).goodput_loss))) < 4


# --- effects ----------------------------------------------------------------------------------------------------------


def test_degraded_components_slow_the_gang_as_often_as_one_is_slow():
    """20 components, each slow a share r / (m + r) of the time: the gang is slow 1 − (1 − that)^20 of it."""
    hazard = {"component": "gpu", "mtbf": "1000 h", "effect": "degrade", "keeps": "60 %"}
    hazard["repair"] = {"kind": "exponential", "mean": "5 h"}
    setting = scenario(20, [{"name": "a", "gpus": 20, "recovery": {"kind": "stateless"}}], [hazard], "20000 h")
    values = played(setting, 64, lambda a: a.overhead_gpu_ms[0, CAUSES.index("straggler")] / a.asked_gpu_ms[0])
    expected = 0.4 * (1 - (1000 / 1005) ** 20)
    assert abs(z(values, expected)) < 4
    assert values.std(ddof=1) / 8 < 1e-3


def test_a_straggler_costs_its_slow_time_and_then_a_strike():
    """First order: rate x (detect x (1 − keeps) + failover), where neither overlaps (0.6 % of the time)."""
    hazard = {
        "component": "gpu",
        "mtbf": "200000 h",
        "blast": 1,
        "effect": "straggle",
        "keeps": "50 %",
        "detect": "1 h",
    }
    recovery = {"kind": "fault-tolerant", "failover": "6 min"}
    setting = scenario(2_000, [{"name": "a", "gpus": 1_000, "recovery": recovery}], [hazard], "20000 h", spares=1_000)
    loss = played(setting, 64, lambda a: 1 - share_useful(a))
    rate = 1_000 / 200_000
    assert abs(z(loss, rate * (1.0 * 0.5 + 0.1))) < 4


def test_corruption_costs_what_was_computed_since_the_last_clean_copy():
    """First order: detection latency, half an interval back to the copy before it, then failover and restore."""
    hazard = {"component": "gpu", "mtbf": "2000000 h", "blast": 1, "effect": "corrupt", "detect": "5 h"}
    recovery = {"kind": "checkpoint-restart", "failover": "6 min", "restore": "12 min", "checkpoint_every": "2 h"}
    setting = scenario(2_000, [{"name": "a", "gpus": 1_000, "recovery": recovery}], [hazard], "40000 h", spares=1_000)
    loss = played(setting, 128, lambda a: 1 - share_useful(a))
    rate = 1_000 / 2_000_000
    stall = 0.1 + 0.2
    assert abs(z(loss, rate * (5 + 1 + stall) * (1 - rate * (5 + stall)))) < 4


def test_a_wrong_blame_repeats_the_stall():
    """With probability p the failure comes again after each recovery: strikes per failure are 1 / (1 − p)."""
    hazard = {"component": "gpu", "mtbf": "100000 h", "blast": 1, "detect": "6 min", "wrong_node": "30 %"}
    setting = scenario(
        2_000,
        [{"name": "a", "gpus": 1_000, "recovery": {"kind": "fault-tolerant", "failover": "6 min"}}],
        [hazard],
        "20000 h",
        spares=1_000,
    )
    accounts = [simulate(setting, number) for number in range(64)]
    strikes, failures = (
        np.array([value(each) for each in accounts]) for value in (lambda a: a.strikes[0], lambda a: a.failures)
    )
    on_gang = strikes.sum() / (failures.sum() / 2)  # half of the failures are on free GPUs, where nobody is blamed
    assert on_gang == pytest.approx(1 / 0.7, rel=0.03)
    loss = np.array([1 - share_useful(each) for each in accounts])
    assert abs(z(loss, 0.01 * 0.2 / 0.7)) < 4


def test_a_kill_is_an_interrupt_whose_hardware_stays():
    """With detection and repair of no time both leave the gang the same books."""
    books = []
    for effect in ("interrupt", "kill"):
        hazard = {"component": "gpu", "mtbf": "4000 h", "blast": 1, "effect": effect}
        jobs = [{"name": "a", "gpus": 500, "recovery": {"kind": "checkpoint-restart", **COMMON}}]
        books.append(simulate(scenario(500, jobs, [hazard], "2000 h"), 3))
    assert np.array_equal(books[0].gpu_ms, books[1].gpu_ms)
    assert books[0].strikes.tolist() == books[1].strikes.tolist()
    assert books[0].strikes[0] > 100


# --- correlation ------------------------------------------------------------------------------------------------------


def test_bursts_keep_the_mean_rate_and_widen_the_loss():
    """Failures in bursts of 6 are as many in the mean; the loss of single runs spreads wider (4 times the variance)."""
    base = {"component": "gpu", "mtbf": "50000 h", "blast": 1, "detect": "10 min", "repair": "1 h"}
    jobs = [{"name": "a", "gpus": 900, "recovery": {"kind": "checkpoint-restart", **COMMON}}]
    runs = {}
    for name, further in (("alone", {}), ("bursts", {"burst": {"size": 6.0, "within": "10 d"}})):
        setting = scenario(1_000, jobs, [base | further], "10000 h", spares=100)
        runs[name] = [simulate(setting, number) for number in range(96)]
    counts = {name: np.array([each.failures for each in found]) for name, found in runs.items()}
    losses = {name: np.array([1 - share_useful(each) for each in found]) for name, found in runs.items()}
    assert abs(z(counts["alone"], 1_000 * 10_000 / 50_000)) < 4
    assert abs(z(counts["bursts"], 1_000 * 10_000 / 50_000)) < 4
    assert losses["bursts"].var(ddof=1) > 4 * losses["alone"].var(ddof=1)
    # the count's variance is 1 + 2 (size − 1) = 11 times Poisson's, less the edges
    assert 6 < counts["bursts"].var(ddof=1) / counts["alone"].var(ddof=1) < 18


def test_lemons_keep_the_mean_rate_and_retiring_them_pays():
    """A tenth of the GPUs fail 10 times as often: no more failures in all; retirement loses less on the same draws."""
    lemons = {"fraction": "10 %", "factor": 10}
    retired = lemons | {"retire_after": 2, "window": "60 d", "replace": "7 d"}
    jobs = [{"name": "a", "gpus": 400, "recovery": {"kind": "checkpoint-restart", **COMMON}}]
    losses = []
    for given in (lemons, retired):
        # silent repairs: a lemon stays one until it is retired
        hazard = {"component": "gpu", "mtbf": "10000 h", "blast": 1, "detect": "10 min", "lemons": given}
        hazard["repair"] = {"time": "1 h", "silent": "100 %"}
        setting = scenario(440, jobs, [hazard], "10000 h", spares=40)
        runs = [simulate(setting, number) for number in range(32)]
        losses.append(np.array([1 - share_useful(each) for each in runs]))
        if given is lemons:
            assert abs(z(np.array([each.failures for each in runs], dtype=float), 440 * (1 - 1e-4) / 1)) < 4
    gain = losses[0] - losses[1]
    assert gain.mean() > 4 * gain.std(ddof=1) / math.sqrt(32)


# --- spares in their racks --------------------------------------------------------------------------------------------


def test_in_rack_spares_are_k_of_n():
    """18 trays of which 16 are sold, each available 99 %: the rack's gang is whole 99.9271 % of the time."""
    setting = Scenario.model_validate(
        {
            "name": "rack",
            "horizon": "200000 h",
            "seed": SEED,
            "cluster": {"topology": "gb300-nvl72", "gpus": 72, "in_rack_spares": 8},
            "jobs": [{"name": "sold", "gpus": 64, "recovery": {"kind": "stateless"}}],
            "hazards": [
                {"component": "node", "mtbf": "9900 h", "repair": {"kind": "exponential", "mean": "100 h"}},
            ],
        }
    )
    whole = sum(math.comb(18, k) * 0.99**k * 0.01 ** (18 - k) for k in (16, 17, 18))
    assert whole == pytest.approx(0.999271, abs=5e-7)
    assert objections([Comparison("rack", played(setting, 64, share_useful), whole)]) == []


def test_the_shipped_retirement_study_answers_its_question():
    """On the same failures the shipped retirement policy loses less than the shipped lemons without one."""
    kept, retired = (load(f"failures/{name}") for name in ("lemons", "lemons-retired"))
    gaps = [
        simulate(retired, number).gpu_ms[0, STATE["useful"]] - simulate(kept, number).gpu_ms[0, STATE["useful"]]
        for number in range(8)
    ]
    assert fmean(gaps) > 0
