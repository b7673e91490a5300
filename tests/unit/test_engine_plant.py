"""The plant in the engine: literal accounts of each rule, by hand."""

import pytest

from dcsim.engine import simulate, simulate_by_simpy
from dcsim.ledger import CAUSES, STATE
from dcsim.scenario import Scenario
from tests.planted import plant

HOUR = 3_600_000
RESTART = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "30 min"}
FABRIC = {"nics": 1, "port": "400 Gb/s", "leaf": {"nodes": 2, "uplinks": 2}}
FABRIC |= {"spine": {"count": 2, "segments": 4}, "homes": 1}


def played(tables, jobs, hazards, horizon, gpus=16, **further):
    """Return (GPU-hours by row and state, accounts) of a cluster of 2-GPU nodes, one a rack, 1 kW each."""
    plain = {"name": "t", "description": "", "node": {"gpus": 2, "power": "1 kW"}, "rack": {"nodes": 1}}
    cluster = {"topology": {**plain, "nvlink": {"domain": "node"}, **tables}, "gpus": gpus}
    document = {"name": "plant", "horizon": horizon, "cluster": cluster, "jobs": jobs, "hazards": hazards, **further}
    accounts = simulate(Scenario.model_validate(document), 0)
    by_simpy = simulate_by_simpy(Scenario.model_validate(document), 0)
    assert (by_simpy.gpu_ms == accounts.gpu_ms).all()
    assert (by_simpy.overhead_gpu_ms == accounts.overhead_gpu_ms).all()
    return accounts.gpu_ms / HOUR, accounts


def once(component, index, at, **keys):
    """A hazard of which one component fails once."""
    trace = {"kind": "trace", "at": [at], "component": [index], "span": "9000 h"}
    return {"component": component, "mtbf": trace, **keys}


def test_a_leaf_takes_its_segment_down_and_gives_it_back():
    """Four GPUs wait for the leaf: 1 h to find it, 5 h to repair it; two jobs lose what they had not saved."""
    jobs = [{"name": "a", "gpus": 6, "recovery": RESTART}, {"name": "b", "gpus": 2, "recovery": RESTART}]
    hazards = [once("leaf", 1, "10.5 h", detect="1 h", repair="5 h")]
    hours, accounts = played({"fabric": FABRIC}, jobs, hazards, "100 h", gpus=8)
    # Segment 1 holds nodes 2 and 3: two GPUs of a and all of b. Nobody has a spare: both wait until 16.5 h.
    assert accounts.strikes.tolist() == [1, 1, 0, 0]
    assert hours[0, STATE["lost"]] == 6 * 0.5
    assert hours[0, STATE["detect"]] == 6 * 1
    assert hours[0, STATE["repair"]] == hours[1, STATE["repair"]] == 2 * 5
    assert hours[0, STATE["wait"]] == 4 * 5
    assert hours[1, STATE["wait"]] == 0  # nothing of it is left to wait
    assert hours[0, STATE["restore"]] == 6 * 0.5
    assert hours[0, STATE["useful"]] == 6 * (10 + 100 - 17)


def test_a_spare_segment_takes_over_at_once():
    """The free GPUs of other segments replace the four, and the leaf's repair gives them back to the free ones."""
    jobs = [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [once("leaf", 1, "10 h", repair="5 h")]
    hours, accounts = played({"fabric": FABRIC}, jobs, hazards, "100 h")
    assert accounts.failures == 1
    assert hours[0, STATE["useful"]] == 800
    assert hours[0, STATE["repair"]] == 4 * 5
    assert hours[-1, STATE["idle"]] == 8 * 100 - 4 * 5


def test_who_is_repaired_meanwhile_is_absent_until_the_leaf_is_back():
    """A node that is repaired at 12 h under a leaf that is out until 20 h comes back at 20 h."""
    jobs = [{"name": "a", "gpus": 2, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [once("node", 2, "10 h", repair="2 h"), once("leaf", 1, "11 h", repair="9 h")]
    hours, _ = played({"fabric": FABRIC}, jobs, hazards, "100 h", gpus=8)
    assert hours[-1, STATE["repair"]] == 2 * 10 + 2 * 9  # node 2 from 10 h, node 3 from 11 h, both to 20 h


def test_two_failures_hold_one_segment():
    """The leaf of a segment and a link of one of its nodes overlap: the node is back with the later of the two."""
    jobs = [{"name": "a", "gpus": 2, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [once("leaf", 1, "10 h", repair="5 h"), once("access-link", 3, "12 h", repair="20 h")]
    hours, accounts = played({"fabric": FABRIC}, jobs, hazards, "100 h", gpus=8)
    assert accounts.failures == 2
    assert hours[-1, STATE["repair"]] == 2 * 5 + 2 * 22


def test_redundancy_is_noticed_and_repaired_by_nobody_else():
    """One of three shelves is out for 8 h: nobody is struck; while a second one is out for 2 h it runs at 70 %."""
    power = {"shelves": 3, "psu": "0.7 kW"}
    jobs = [{"name": "a", "gpus": 2, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [
        {**once("shelf", 0, "10 h", repair="8 h"), "name": "first"},
        {**once("shelf", 1, "12 h", repair="2 h"), "name": "second"},
    ]
    hours, accounts = played({"power": power}, jobs, hazards, "100 h", gpus=2)
    assert (accounts.failures, accounts.strikes.sum()) == (2, 0)
    assert accounts.overhead_gpu_ms[0, CAUSES.index("power")] / HOUR == pytest.approx(2 * 2 * 0.3)
    assert hours[0, STATE["useful"]] == pytest.approx(200 - 1.2)


def test_maintenance_of_a_leaf_drains_who_depends_on_it():
    """Nothing is lost: the job drains for 30 min, waits for its segment for 3 h, and restores."""
    jobs = [{"name": "a", "gpus": 8, "recovery": RESTART}]
    windows = [
        {"name": "w", "component": "leaf", "every": "90 h", "first": "10.2 h", "duration": "3 h", "drain": "30 min"}
    ]
    hazards = [{"component": "node", "mtbf": "1e9 h"}]
    further = {"maintenance": [{**windows[0], "rolling": False}]}
    hours, accounts = played({"fabric": FABRIC}, jobs, hazards, "60 h", gpus=8, **further)
    assert accounts.strikes.sum() == 0
    assert hours[0, STATE["lost"]] == 0
    assert hours[0, STATE["maintenance"]] == 8 * 0.5 + 8 * 3  # both leaves are out: all of its nodes
    assert hours[0, STATE["restore"]] == 8 * 0.5
    assert hours[0, STATE["useful"]] == pytest.approx(8 * (10.2 + 60 - 14.2))


def test_a_phase_that_would_trip_others_is_put_off():
    """Five racks of 1 kW on two feeds of 2.5 kW, one of them out from 5 to 25 h: the fifth rack, due at 10 h, waits."""
    power = {"shelves": 1, "psu": "1 kW", "trips_below": "60 %", "pue": 1.0, "site": {"feeds": 2, "feed": "2.5 kW"}}
    jobs = [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [once("site-feed", 0, "5 h", repair="20 h")]
    phases = [{"name": "fifth", "racks": 1, "date": "10 h"}]
    hours, accounts = played({"power": power}, jobs, hazards, "100 h", gpus=10, energisation=phases)
    assert accounts.strikes.sum() == 0
    assert hours[-1, STATE["unpowered"]] == 2 * 25
    assert accounts.overhead_gpu_ms[0, CAUSES.index("power")] / HOUR == pytest.approx(8 * 20 * 0.375)  # 2.5 of 4 kW


def test_a_phase_that_is_put_off_does_not_come_while_the_others_are_down():
    """As before, and the other feed is out from 15 to 16 h: at 16 h four racks have enough to run, and five had not."""
    power = {"shelves": 1, "psu": "1 kW", "trips_below": "60 %", "pue": 1.0, "site": {"feeds": 2, "feed": "2.5 kW"}}
    jobs = [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}]
    first, second = once("site-feed", 0, "5 h", repair="20 h"), once("site-feed", 1, "15 h", repair="1 h")
    hazards = [first, {**second, "name": "second"}]
    phases = [{"name": "fifth", "racks": 1, "date": "10 h"}]
    hours, accounts = played({"power": power}, jobs, hazards, "100 h", gpus=10, energisation=phases)
    assert accounts.strikes.tolist() == [1, 0, 0]
    assert hours[0, STATE["repair"]] == 8 * 1
    assert hours[-1, STATE["unpowered"]] == 2 * 25


def test_a_grown_gang_loads_anew_from_the_beginning():
    """A stall that begins again does so with the restore that it has alone, not with what the queue had made of it."""
    storage = {"gateways": 1, "bandwidth": "1 GB/s"}
    job = {"name": "a", "gpus": 2, "recovery": RESTART, "storage": {"state": "1000 GB", "load": "10 min"}}
    hazards = [{**once("node", 0, "10 h", repair="0 s"), "name": "first"}]
    hours, _ = played({"storage": storage}, [job], hazards, "20 h", gpus=2)
    # 1,000 GB at 1 GB/s take 1,000 s instead of 600: the restore of 30 min takes 400 s more.
    assert hours[0, STATE["restore"]] * HOUR == pytest.approx(2 * (30 * 60 + 400) * 1000, abs=4)


def test_racks_that_come_cap_those_that_run():
    """A site of 4.5 kW carries four racks; with the fifth, from 10 h on, all run at 90 %."""
    power = {"shelves": 1, "psu": "1 kW", "pue": 1.0, "site": {"feeds": 1, "feed": "4.5 kW"}}
    jobs = [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}]
    hazards = [{"component": "node", "mtbf": "1e9 h"}]
    phases = [{"name": "fifth", "racks": 1, "date": "10 h"}]
    hours, accounts = played({"power": power}, jobs, hazards, "100 h", gpus=10, energisation=phases)
    assert accounts.overhead_gpu_ms[0, CAUSES.index("power")] / HOUR == pytest.approx(8 * 90 * 0.1)
    assert hours[-1, STATE["unpowered"]] == 2 * 10


def test_power_is_worked_out_when_the_plant_changes_and_not_when_gpus_move(monkeypatch):
    """Half a site is out from 10 to 20 h, and two of three shelves of a node of a from 14 to 16 h: 40 % for a then."""
    power = {"shelves": 3, "psu": "0.4 kW", "pue": 1.0, "trips_below": "20 %", "site": {"feeds": 2, "feed": "4 kW"}}
    keeps = {"kind": "fault-tolerant", "failover": "0 s"}
    jobs = [{"name": "a", "gpus": 8, "recovery": keeps}, {"name": "b", "gpus": 4, "recovery": keeps}]
    hazards = [once("site-feed", 0, "10 h", repair="10 h")]
    hazards += [once("shelf", shelf, "14 h", name=f"shelf {shelf}", repair="2 h") for shelf in (3, 4)]
    hazards += [once("gpu", gpu, "12 h", name=f"gpu {gpu}", detect="0 s", repair="30 min") for gpu in (0, 8, 9)]
    worked_out, asked = [], []
    plant(
        monkeypatch,
        note_power=lambda honest: lambda w: (worked_out.append(w), honest(w)),
        refresh_power=lambda honest: lambda w, now: (asked.append(now), honest(w, now)),
    )
    _, accounts = played({"power": power}, jobs, hazards, "100 h")
    by_power = accounts.overhead_gpu_ms[:, CAUSES.index("power")] / HOUR
    assert by_power[:2] == pytest.approx([8 * 10 * 0.5 + 8 * 2 * 0.1, 4 * 10 * 0.5])
    assert 0 < len(worked_out) < len(asked) / 2
