"""The plant against closed forms: k-of-n shelves and switches, shared storage, energisation, energy.

Roads: the binomial law with each component's own availability from all up, A(t) = A + (1 - A) exp(-t (1/MTBF +
1/MTTR)), A = MTBF / (MTBF + MTTR); the machine-repairman chain with processor sharing (product form, whatever the size
of a load); arithmetic by hand.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from dcsim.closed_form import down_probabilities, mean_availability
from dcsim.decide.bills import Energy
from dcsim.engine import simulate
from dcsim.ledger import CAUSES, STATE
from dcsim.rules.storage import fair_rates
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections

SEED = 20_263
HOUR = 3_600_000
AT_ONCE = {"kind": "fault-tolerant"}


def topology(**tables):
    """A plant of single-node racks of 4 GPUs, with what a test adds."""
    plain = {"name": "t", "description": "", "node": {"gpus": 4, "power": "10 kW"}, "rack": {"nodes": 1}}
    return {**plain, "nvlink": {"domain": "node"}, **tables}


def scenario(plant, racks, hazards, horizon, jobs=None, **further):
    """Every rack a gang of its own, unless a test says else."""
    jobs = jobs or [{"name": "a", "gpus": 4, "count": racks, "recovery": AT_ONCE}]
    cluster = {"topology": plant, "gpus": 4 * racks}
    tables = {"name": "oracle", "horizon": horizon, "seed": SEED, "cluster": cluster}
    return Scenario.model_validate({**tables, "jobs": jobs, "hazards": hazards, **further})


def average(worth, total, mtbf_h, mttr_h, horizon_h):
    """Time average from all up of sum over k of P(k of ``total`` are up) * worth(k)."""
    available, rate = mtbf_h / (mtbf_h + mttr_h), 1 / mtbf_h + 1 / mttr_h

    def at(t):
        chance = available + (1 - available) * math.exp(-rate * t)
        return sum(binom.pmf(k, total, chance) * worth(k) for k in range(total + 1))

    return quad(at, 0, horizon_h, points=[min(horizon_h / 2, 5 / rate)], limit=200)[0] / horizon_h


def share(accounts, state="useful"):
    """Share of all GPU-hours in one state."""
    return accounts.gpu_ms[:, STATE[state]].sum() / accounts.gpu_ms.sum()


# --- k of n -----------------------------------------------------------------------------------------------------------


def shelves(shelves, mtbf_h, mttr_h, horizon_h):
    """20 racks of 10 kW with shelves of 3 kW: four carry it, three leave 90 %, one (30 %) trips it."""
    plant = topology(power={"shelves": shelves, "psu": "3 kW"})
    repair = {"kind": "exponential", "mean": f"{mttr_h} h"}
    hazard = {"component": "shelf", "mtbf": f"{mtbf_h} h", "repair": repair}
    return scenario(plant, 20, [hazard], f"{horizon_h} h")


@pytest.mark.parametrize(("count", "mtbf_h", "mttr_h"), [(4, 400, 20), (5, 200, 50), (8, 100, 60)])
def test_racks_on_k_of_n_shelves(count, mtbf_h, mttr_h):
    """Useful, capped and tripped shares of racks are those of independent shelves that fail and are repaired."""
    found = [simulate(shelves(count, mtbf_h, mttr_h, 1_000), number) for number in range(32)]
    power = CAUSES.index("power")

    def speed(k):
        return min(1.0, 0.3 * k) if k >= 2 else 0.0

    expected = {
        "useful": average(speed, count, mtbf_h, mttr_h, 1_000),
        "capped": average(lambda k: (1 - speed(k)) * (k >= 2), count, mtbf_h, mttr_h, 1_000),
        "tripped": average(lambda k: float(k < 2), count, mtbf_h, mttr_h, 1_000),
    }
    values = {
        "useful": [share(each) for each in found],
        "capped": [each.overhead_gpu_ms[:, power].sum() / each.gpu_ms.sum() for each in found],
        "tripped": [share(each, "repair") for each in found],
    }
    said = [Comparison(name, np.array(values[name]), expected[name]) for name in expected if expected[name] > 1e-4]
    assert objections(said, 2e-3) == []


def test_a_domain_that_needs_sixteen_of_eighteen():
    """18 switches of availability 0.99, 16 needed: the domain is up 0.999271 of the time, as published."""
    assert sum(binom.pmf(k, 18, 0.99) for k in (16, 17, 18)) == pytest.approx(0.999271, abs=5e-7)
    plant = topology(nvlink={"domain": "node", "switches": 18, "needed": 16})
    repair = {"kind": "exponential", "mean": "10 h"}
    hazard = {"component": "nvlink-switch", "mtbf": "990 h", "repair": repair}
    found = np.array([share(simulate(scenario(plant, 50, [hazard], "4000 h"), number)) for number in range(32)])
    expected = average(lambda k: float(k >= 16), 18, 990, 10, 4_000)
    assert expected == pytest.approx(0.999271, abs=5e-6)  # from all up: a little more
    assert objections([Comparison("16 of 18", found, expected)]) == []
    wrong = average(lambda k: float(k >= 17), 18, 990, 10, 4_000)
    assert objections([Comparison("17 of 18", found, wrong)])


# --- storage ----------------------------------------------------------------------------------------------------------

GIB_IN_GB = 2**30 / 1e9


def fair(limits, capacity):
    """The rates that the rule gives to transfers with these limits, over a healthy network [GB/s]."""
    transfers = [SimpleNamespace(active=1, limit=limit, rate=0.0) for limit in limits]
    gangs = [SimpleNamespace(sends=0) for _ in limits]
    one = SimpleNamespace(gangs=len(limits))
    fair_rates(SimpleNamespace(one=one, gangs=gangs, transfers=transfers, plant=SimpleNamespace(capacity=capacity)))
    return [each.rate for each in transfers]


def test_fair_shares():
    """What a small transfer leaves goes to the larger ones, evenly; nobody gets more than he can take."""
    assert fair([1.0, 5.0, 9.0], 9.0) == [1.0, 4.0, 4.0]
    assert fair([1.0, 2.0], 9.0) == [1.0, 2.0]
    assert fair([2.0, 2.0], 0.0) == [0.0, 0.0]


def loads(gangs, bandwidth, mtbf_h):
    """Gangs that fail only while they compute and then load for ten minutes, alone: 100 GiB at 1 / 600 s."""
    plant = topology(storage={"gateways": 1, "bandwidth": f"{bandwidth:.12f} GB/s"})
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 s", "restore": "10 min"}
    job = {"name": "a", "gpus": 4, "count": gangs, "recovery": recovery}
    job["storage"] = {"state": "100 GiB", "load": "10 min"}
    hazard = {"component": "node", "mtbf": f"{mtbf_h} h", "exposure": "running", "blast": 4}
    return scenario(plant, gangs, [hazard], "400 h", [job])


@pytest.mark.parametrize(("gangs", "mtbf_h"), [(10, 20), (20, 4), (20, 2)])
def test_gangs_that_share_one_gateway(gangs, mtbf_h):
    """Loads that share a gateway are a repairman with processor sharing: its chain, though a load's size is fixed."""
    setting = loads(gangs, 100 * GIB_IN_GB / 600, mtbf_h)
    found = [simulate(setting, number) for number in range(32)]
    up = np.array([share(each) + share(each, "lost") for each in found])
    # Product form holds for the steady state; the first hours follow the chain of exponential loads.
    expected = mean_availability(down_probabilities(gangs, 1, float(mtbf_h), 1 / 6, 400.0))
    assert objections([Comparison(f"{gangs} gangs", up, expected)], 5e-3) == []
    nobody_waits = mean_availability(down_probabilities(gangs, gangs, float(mtbf_h), 1 / 6, 400.0))
    assert objections([Comparison("no queue", up, nobody_waits)], 5e-3)


def writers(count, bandwidth):
    """Gangs that write 100 GiB every hour for six minutes, alone; nothing fails before the horizon."""
    plant = topology(storage={"gateways": 1, "bandwidth": f"{bandwidth:.12f} GB/s"})
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "60 min", "checkpoint_write": "6 min"}
    job = {"name": "a", "gpus": 4, "count": count, "recovery": recovery, "storage": {"state": "100 GiB"}}
    hazard = {"component": "node", "mtbf": "1e9 h", "blast": 4}
    return simulate(scenario(plant, count, [hazard], "100 h", [job]), 0)


@pytest.mark.parametrize(("count", "minutes"), [(1, 6), (2, 12), (5, 30)])
def test_writes_that_meet_take_longer(count, minutes):
    """n equal writes that begin together through a gateway for one take n times as long, to the millisecond."""
    accounts = writers(count, 100 * GIB_IN_GB / 360)
    cycle = 60 + minutes
    whole, rest = divmod(100 * 60, cycle)
    expected = whole * minutes + max(0, rest - 60)
    assert accounts.gpu_ms[0, STATE["checkpoint"]] == pytest.approx(
        count * 4 * expected * 60_000, abs=4 * count * whole
    )


def test_enough_bandwidth_changes_nothing():
    """With bandwidth for all, writes take what they take alone, exactly."""
    alone, many = writers(1, 1.0), writers(5, 5 * 100 * GIB_IN_GB / 360 + 1e-6)
    assert (many.gpu_ms[0] == 5 * alone.gpu_ms[0]).all()


# --- energisation and energy ------------------------------------------------------------------------------------------


def test_racks_are_dark_until_their_date():
    """Two racks wait 100 h, two 250 h; a job on all four starts when the last is there, with its restore."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "30 min"}
    jobs = [{"name": "a", "gpus": 24, "recovery": recovery}, {"name": "b", "gpus": 8, "recovery": recovery}]
    phases = [{"name": "one", "racks": 2, "date": "100 h"}, {"name": "two", "racks": 2, "date": "250 h"}]
    hazard = {"component": "node", "mtbf": "1e9 h"}
    accounts = simulate(scenario(topology(), 8, [hazard], "1000 h", jobs, energisation=phases), 0)
    hours = accounts.gpu_ms / HOUR
    assert hours[-1, STATE["unpowered"]] == 2 * 4 * 100 + 2 * 4 * 250
    # a lies on racks 0-5: rack 4 and 5 come at 100 h; b on 6 and 7 takes nothing until 250 h.
    assert hours[0, STATE["restore"]] == 24 * 0.5
    assert hours[0, STATE["useful"]] == 24 * (1000 - 100.5)
    assert hours[1, STATE["useful"]] == 8 * (1000 - 250.5)
    assert hours[0, STATE["wait"]] == 16 * 100  # the four racks that are there wait with it


def test_a_site_on_generators_is_capped():
    """Four racks of 10 kW at PUE 1.25 ask for 50 kW; three engines of 15 kW give 45: all run at 90 %."""
    power = {"shelves": 4, "psu": "10 kW", "site": {"generators": 4, "generator": "15 kW"}}
    hazard = {
        "component": "generator",
        "mtbf": {"kind": "trace", "at": ["100 h", "2000 h"], "span": "3000 h"},
        "repair": "50 h",
    }
    accounts = simulate(scenario(topology(power=power), 4, [hazard], "1000 h"), 0)
    lost = accounts.overhead_gpu_ms[0, CAUSES.index("power")] / HOUR
    assert accounts.failures == 1
    assert lost == pytest.approx(16 * 50 * 0.1, rel=1e-6)
    assert accounts.strikes.sum() == 0


def test_energy_by_hand():
    """GPUs that compute draw their share of a rack, others 30 %, those that are out nothing; PUE on top."""
    plant = topology(power={"shelves": 4, "psu": "10 kW", "pue": 1.5})
    setting = scenario(plant, 2, [{"component": "node", "mtbf": "1 h"}], "100 h")
    hours = {"useful": 400.0, "overhead": 100.0, "wait": 50.0, "repair": 200.0, "idle": 50.0}
    energy = Energy.of(setting, hours, {"power": 40.0, "shrunk": 10.0})
    assert energy is not None
    kw = 10 / 4 * 1.5
    assert energy.kwh["useful"] == pytest.approx(400 * kw)
    assert energy.kwh["overhead"] == pytest.approx((100 - 40 - 0.7 * 10) * kw)
    assert energy.kwh["wait"] == pytest.approx(50 * 0.3 * kw)
    assert energy.kwh["repair"] == 0
    assert energy.total_kwh == pytest.approx((400 + 53 + 15 + 15) * kw)
    assert energy.usd is None
