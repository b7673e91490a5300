"""Offered load of repair crews against exact queues, the literature and the simulation."""

import math

import numpy as np
import pytest

from dcsim.closed_form import down_probabilities, overload_queue, queue_wait, repairman_wait
from dcsim.distributions import Empirical, Exponential, Fixed, Gamma, Lognormal, Triangular, Uniform, Weibull
from dcsim.engine import simulate
from dcsim.hazards.repair import RepairStage, mean_time_ms, stage_uses
from dcsim.ledger import STATE
from dcsim.montecarlo.crew_load import crew_pools, flows, gpus_in_repair, in_service
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan

HOUR = 3_600_000
SEED = 20


def scenario(hazards, gpus=1024, horizon="1000 h", job=512, count=1):
    """A cluster of eight-GPU nodes on which one job rolls back nothing and starts again at once."""
    return Scenario.model_validate(
        {
            "name": "crews",
            "horizon": horizon,
            "seed": SEED,
            "cluster": {"topology": "hgx-h100", "gpus": gpus},
            "jobs": [{"name": "a", "gpus": job, "count": count, "recovery": {"kind": "stateless"}}],
            "hazards": hazards,
        }
    )


def node(crews, mtbf, repair, **more):
    """A hazard on nodes with one stage of repair."""
    return {"component": "node", "mtbf": mtbf, "repair": {"time": repair, "crews": crews}, **more}


def pools(*hazards, **more):
    """The crew pools of a scenario with these hazards."""
    return crew_pools(flows(plan(scenario(list(hazards), **more))))


# --- queues -----------------------------------------------------------------------------------------------------------


def test_one_server_waits_as_pollaczek_and_khinchine_say():
    """M/G/1: rho s (1 + v) / (2 (1 - rho)); at rho = 0.8 and s = 1 h 4 h for M/M/1 and 2 h for M/D/1."""
    assert queue_wait(0.8, 1, 1.0) == pytest.approx(4.0, rel=1e-12)
    assert queue_wait(0.8, 1, 1.0, 0.0) == pytest.approx(2.0, rel=1e-12)


def test_many_servers_wait_by_erlangs_formula():
    """Erlang C by its sums: c = 3, a = 2 has P(wait) = 4/9, so a wait of 4/9 h for s = 1 h; infinite from a = c on."""
    terms = [2.0**k / math.factorial(k) for k in range(3)]
    last = 2.0**3 / math.factorial(3) * 3 / (3 - 2)
    assert queue_wait(2.0, 3, 1.0) == pytest.approx(last / (sum(terms) + last) / (3 - 2), rel=1e-12)
    assert queue_wait(2.0, 3, 1.0) == pytest.approx(4 / 9, rel=1e-12)
    assert queue_wait(3.0, 3, 1.0) == math.inf


def test_two_machines_and_one_crew_by_hand():
    """K = 2, c = 1, MTBF = repair = 1 h: p = 1/5, 2/5, 2/5, so 2/5 wait and 4/5 repairs an hour: 1/2 h."""
    assert repairman_wait(2, 1, 1.0, 1.0) == pytest.approx(0.5, rel=1e-12)


def test_few_machines_become_many():
    """100,000 machines on two crews at a load of 1.6 wait as an M/M/2 queue does: 0.64/0.36 repair times."""
    assert repairman_wait(100_000, 2, 100_000 / 1.6, 1.0) == pytest.approx(0.64 / 0.36, rel=1e-3)


def test_an_overload_grows_linearly_then_settles():
    """Ten crews' work for four: once busy, six more wait each hour; 512 nodes settle as the chain does."""
    busy = -math.log(1 - 0.4)
    assert overload_queue(10.0, 4, 1.0, 0.0, 5.0) == pytest.approx(6 * (5 - busy), rel=1e-12)
    assert overload_queue(10.0, 4, 1.0, 1e-9, 5.0) == pytest.approx(6 * (5 - busy), rel=1e-6)
    assert overload_queue(10.0, 4, 1.0, 0.0, busy / 2) == 0.0
    assert overload_queue(10.0, 10, 1.0, 0.1, 5.0) == 0.0
    load = 512 / 2400 * 48 / (1 + 48 / 2400)
    down = down_probabilities(512, 8, 2400.0, 48.0)
    exact = sum(max(k - 8, 0) * p for k, p in enumerate(down))
    assert overload_queue(load, 8, 48.0, 1 / 512, 1e9) == pytest.approx(exact, rel=0.01)


# --- offered load -----------------------------------------------------------------------------------------------------


def test_a_load_by_hand():
    """128 nodes, MTBF 1,272 h, repair 8 h: 1 failure per 10 h with 8 h each is a load of 0.8 of one crew."""
    (pool,) = pools(node(1, "1272 h", "8 h"))
    assert pool.load == pytest.approx(128 / 1280 * 8, rel=1e-12)
    assert (pool.size, pool.needed, pool.overloaded, pool.name) == (1, 1, False, "node")


def test_the_load_is_that_of_machines_that_are_up():
    """As many crews as machines never queue: E[busy] = K r / (M + r), the machine repairman's own."""
    (pool,) = pools(node(16, "10 h", "100 h"), gpus=128, job=64)
    down = down_probabilities(16, 16, 10.0, 100.0)
    assert pool.load == pytest.approx(sum(k * p for k, p in enumerate(down)), rel=1e-9)
    assert not pool.overloaded


def test_stages_load_their_crews_by_the_chance_to_reach_them():
    """65 % go on from a reboot to two technicians, who need 8 h, and 15 % of those to a third stage."""
    stages = [
        {"name": "reboot", "time": "15 min", "success": "35 %", "crews": 5},
        {"name": "hands", "time": "8 h", "success": "85 %", "crews": 2},
        {"time": "240 h", "success": "50 %", "crews": 1},
    ]
    reboot, hands, last = pools({"component": "node", "mtbf": "100000 h", "repair": stages})
    away = 0.25 + 0.65 * 8 + 0.65 * 0.15 * 480
    rate = 128 / (100_000 + away)
    assert [pool.name for pool in (reboot, hands, last)] == ["reboot", "hands", "node, stage 3"]
    assert reboot.load == pytest.approx(rate * 0.25, rel=1e-9)
    assert hands.load == pytest.approx(rate * 0.65 * 8, rel=1e-9)
    assert last.load == pytest.approx(rate * 0.65 * 0.15 * 480, rel=1e-9)  # done twice on average


def test_pools_are_shared_by_name():
    """Two hazards of one crew name add up; without a name they are a hazard's own; no limit, no pool."""
    shared = {"time": "10 h", "name": "hands", "crews": 3}
    first = {"name": "a", "component": "node", "mtbf": "100000 h", "repair": shared}
    second = {"name": "b", "component": "node", "mtbf": "50000 h", "repair": shared | {"time": "20 h"}}
    own, free = node(1, "1e6 h", "1 h", name="c"), {"component": "gpu", "mtbf": "1e6 h", "repair": "1 h"}
    hands, alone = pools(first, second, own, free)
    assert (hands.name, hands.size, alone.name) == ("hands", 3, "c")
    assert hands.load == pytest.approx(128 / 1e5 * 10 + 128 / 5e4 * 20, rel=1e-2)
    assert hands.busy_h == pytest.approx((1 * 10 + 2 * 20) / 3, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "times"),
    [
        ({"effect": "kill"}, 0.0),
        ({"wrong_node": "50 %"}, 2.0),
        ({"exposure": "running"}, 0.5),
        ({"requalify": "9 h"}, 1),
    ],
)
def test_what_changes_a_load(change, times):
    """A kill repairs nothing, a wrong blame repairs twice, half of the GPUs run, and a test takes no crew."""
    found = pools(node(4, "1e6 h", "10 h", **change))
    assert sum(pool.load for pool in found) == pytest.approx(times * 128e-6 * 10, rel=1e-2)


def test_a_redundant_part_loads_its_crews_too():
    """A shelf that another one backs takes nobody down, but is repaired; it cannot fail twice."""
    base = {"component": "shelf", "mtbf": "100 h", "repair": {"time": "100 h", "crews": 1}}
    made = Scenario.model_validate(
        {
            "name": "shelves", "horizon": "10 h", "seed": SEED,
            "cluster": {"topology": "gb300-nvl72", "gpus": 72},
            "jobs": [{"name": "a", "gpus": 72, "recovery": {"kind": "stateless"}}],
            "hazards": [base],
        }
    )  # fmt: skip
    layout = plan(made)
    shelves = layout.topology.components("shelf")
    (pool,) = crew_pools(flows(layout))
    assert pool.load == pytest.approx(shelves / 2, rel=1e-12)  # half of them are out


# --- distributions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "law",
    [
        Fixed(time="1 h"),
        Exponential(kind="exponential", mean="1 h"),
        Lognormal(kind="lognormal", mean="1 h", sigma=0.5),
        Weibull(kind="weibull", mean="1 h", shape=1.7),
        Gamma(kind="gamma", mean="1 h", shape=2.5),
        Uniform(kind="uniform", low="1 h", high="3 h"),
        Triangular(kind="triangular", low="1 h", mode="2 h", high="9 h"),
        Empirical(kind="empirical", values=("1 h", "2 h", "6 h")),
    ],
    ids=lambda law: law.kind,
)
def test_the_variation_is_that_of_the_draws(law):
    """Variance over squared mean of 400,000 draws, within 3 %."""
    times = law.draw(np.random.default_rng(SEED), 400_000)
    assert law.variation == pytest.approx(times.var() / times.mean() ** 2, rel=0.03, abs=1e-12)


def test_the_variation_of_attempts():
    """A geometric number of fixed times, p = 1/2: mean 2, variance 2, so 1/2; of exponential times it is 1 again."""
    (use,) = stage_uses((RepairStage(time="1 h", success="50 %"),))
    assert use.mean_ms == pytest.approx(2 * HOUR)
    assert use.variation == pytest.approx(0.5)
    (use,) = stage_uses((RepairStage(time={"kind": "exponential", "mean": "1 h"}, success="25 %"),))
    assert use.variation == pytest.approx(1.0)
    assert mean_time_ms((RepairStage(time="1 h", success="50 %"),)) == pytest.approx(2 * HOUR)


# --- simulation -------------------------------------------------------------------------------------------------------


def gpu_hours_in_repair(made, replications):
    """GPU-hours in repair, waits for crews included, of each replication."""
    runs = (simulate(made, number).gpu_ms[:, STATE["repair"]].sum() for number in range(replications))
    return np.array([float(gpu_ms) / HOUR for gpu_ms in runs])


def test_a_simulated_queue_grows_as_the_fluid_says():
    """Four busy crews needed, two there: the mean backlog over 100 h and over 1,000 h is the integral of the queue."""
    for hours, replications in ((100, 200), (1000, 40)):
        made = scenario([node(2, "640 h", {"kind": "exponential", "mean": "20 h"})], horizon=f"{hours} h")
        (pool,) = crew_pools(flows(plan(made)))
        assert (pool.needed, pool.overloaded) == (4, True)
        times = np.linspace(0, hours, 2001)
        queue = np.array([pool.waiting(time) for time in times])
        crews = np.minimum(pool.load * -np.expm1(-times / 20), 2)  # those that are busy
        expected = 8 * np.trapezoid(queue + crews, times)
        found = gpu_hours_in_repair(made, replications)
        assert found.mean() == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize(
    ("repair", "crews", "mtbf", "tolerance"),
    [
        ({"kind": "exponential", "mean": "10 h"}, 2, "780 h", 0.05),
        ("10 h", 2, "780 h", 0.15),
        ({"kind": "lognormal", "mean": "10 h", "sigma": 1.0}, 3, "500 h", 0.15),
    ],
)
def test_a_simulated_queue_below_its_crews_is_steady(repair, crews, mtbf, tolerance):
    """Time in repair by Little's law: exact for exponential repairs, else Allen and Cunneen's approximation."""
    made = scenario([node(crews, mtbf, repair)], horizon="40000 h")
    (pool,) = crew_pools(flows(plan(made)))
    assert 0.75 < pool.load / pool.size < 0.95
    out = gpu_hours_in_repair(made, 8).mean() / 40_000 / 8  # nodes
    rate = (128 - out) / float(mtbf.split()[0])
    assert out / rate == pytest.approx(pool.busy_h + pool.wait_h, rel=tolerance)


def test_gpus_in_repair_are_littles():
    """Without crews, 128 nodes of MTBF 90 h and repair 10 h have a tenth of their GPUs in repair."""
    made = scenario([{"component": "node", "mtbf": "90 h", "repair": "10 h"}], horizon="5000 h")
    found = flows(plan(made))
    assert in_service(found) == pytest.approx(0.9)
    assert gpus_in_repair(found) == pytest.approx(102.4)
    assert gpu_hours_in_repair(made, 4).mean() / 5_000 == pytest.approx(102.4, rel=0.01)
