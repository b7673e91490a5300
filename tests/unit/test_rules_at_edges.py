"""Rules where a number is at its edge: each value here was once seen to matter to no other test."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcsim.engine import SimPyRun, compiled_clock, simulate, simulate_with_log
from dcsim.ledger import STATE
from dcsim.program.program import Program
from dcsim.program.records import PPB, WAIT
from dcsim.rules.gangs import change_speed
from dcsim.scenario import Scenario, load
from dcsim.streams import generator
from tests.property import reference
from tests.property.test_engine_equals_reference import differences
from tests.unit.literal import chosen, expect, hazard, job, scenario
from tests.unit.strategies import Stretch, strategy

ROOT = Path(__file__).parents[2]
SMALL = {
    "topology": {
        "name": "small",
        "description": "",
        "node": {"gpus": 2},
        "rack": {"nodes": 2},
        "nvlink": {"domain": "node"},
    },
    "gpus": 8,
}
RECOVERY = {"checkpoint_every": "1 min", "kind": "checkpoint-restart"}


@pytest.mark.parametrize(
    ("powered", "network", "speed"), [(PPB, PPB // 2, PPB // 2), (10, 10**8, 1), (1, PPB - 1, 1), (1, 1, 1)]
)
def test_a_gang_never_computes_at_speed_zero(powered, network, speed):
    """The network leaves a share of what power leaves, rounded down, but at least a billionth: work ends some day."""
    gang = SimpleNamespace(straggle=PPB, powered=powered, network=network, speed_0=0, speed_1=0, speed_2=0, phase=WAIT)
    world = SimpleNamespace(gangs=[gang])
    assert change_speed(world, 0, 0)
    assert (gang.speed_0, gang.speed_1, gang.speed_2) == (PPB, powered, speed)


def test_stretches_at_one_speed_are_one_piece_of_work():
    """A gang that is interrupted a hundred times at full speed has one piece; one that slows down has some more."""
    tables = {
        "name": "plain",
        "horizon": "200 h",
        "cluster": SMALL,
        "jobs": [{"name": "job", "gpus": 8, "recovery": RECOVERY}],
        "hazards": [{"name": "node", "component": "node", "mtbf": "8 h", "detect": "1 min", "blast": "node"}],
    }
    runs = compiled_clock.play(Program(Scenario.model_validate(tables)), [0], compiled=False)
    assert runs.world.tables["counts"]["failures"][0] > 60
    assert runs.world.one.pieces == 1


def test_a_part_that_fails_keeps_nothing_in_the_log():
    """The log says of a failed part of the plant which share of it is left: none, unless it is only slower."""
    tables = {
        "name": "late",
        "horizon": "20 h",
        "cluster": SMALL,
        "jobs": [{"name": "job", "gpus": 4, "recovery": RECOVERY}],
        "hazards": [{"name": "node", "component": "node", "mtbf": "100000 y"}],
        "energisation": [
            {"name": "first", "racks": 1, "date": "0 h"},
            {"name": "second", "racks": 1, "date": "5 h"},
        ],
    }
    _, log = simulate_with_log(Scenario.model_validate(tables), 0)
    columns = log.columns()
    out = columns["what"] == "out"
    assert columns["start_ms"][out].tolist() == [0]
    assert columns["speed_ppb"][out].tolist() == [0]
    assert columns["why"][columns["what"] == "back"].tolist() == ["second"]


def test_a_switch_that_fails_keeps_nothing_in_the_log():
    """A ToR switch that is out leaves no share of its links; the log says so of each."""
    scenario = load(ROOT / "scenarios/plant/tor-single-homed.toml")
    _, log = simulate_with_log(scenario, 0)
    columns = log.columns()
    out = columns["what"] == "out"
    assert out.sum() > 10
    assert set(columns["speed_ppb"][out].tolist()) == {0}


@pytest.mark.parametrize("number", range(8))
def test_a_faulty_node_at_the_first_place_strikes_again(number):
    """Node 0 fails; where another node is blamed, node 0 strikes again as soon as the gang computes."""
    tables = {
        "name": "blamed",
        "horizon": "2 h",
        "seed": 3,
        "cluster": SMALL,
        "jobs": [{"name": "job", "gpus": 6, "recovery": RECOVERY}],
        "hazards": [
            {
                "name": "node",
                "component": "node",
                "mtbf": {"kind": "trace", "at": ["10 min"], "component": [0], "span": "2 h"},
                "detect": "1 min",
                "repair": "5 min",
                "wrong_node": "60 %",
            }
        ],
    }
    scenario = Scenario.model_validate(tables)
    found = simulate(scenario, number)
    assert differences(found, reference.simulate(scenario, number)) == []
    blamed = math.floor(math.log(1 - generator(3, number, "node", "wrong").random()) / math.log(0.6))
    assert found.strikes[0] == 1 + blamed


def test_what_is_corrupt_before_a_gang_computes_again_keeps_what_was_done_before():
    """Copies of no time are made each ms. Node 1 fails at 10 ms; node 0 is corrupt from 12 ms on, found at 32 ms.

    The gang computes again from 15 ms on, so that it loses 17 ms, and not one of those before.
    """
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "0.001 s", "failover": "0.005 s"}

    def strikes(name, at, node, **keys):
        trace = {"kind": "trace", "at": [at], "component": [node], "span": "0.1 s"}
        return {"name": name, "component": "node", "mtbf": trace, "repair": "0.001 s", **keys}

    tables = {
        "name": "corrupt",
        "horizon": "0.1 s",
        "cluster": SMALL,
        "jobs": [{"name": "job", "gpus": 4, "recovery": recovery}],
        "hazards": [
            strikes("node", "0.010 s", 1, detect="0 s"),
            strikes("wrong", "0.012 s", 0, detect="0.020 s", effect="corrupt"),
        ],
    }
    accounts = simulate(Scenario.model_validate(tables), 0)
    assert accounts.gpu_ms[0, STATE["lost"]] == 4 * 17


def test_what_replaces_a_retired_component_is_burnt_in():
    """Node 0 fails at 15 and is retired at 17; another one takes its place after 20 ms, and 5 ms of burn-in."""
    lemons = {"fraction": "0 %", "factor": 1.0, "retire_after": 1, "window": "0.1 s", "replace": "0.02 s"}
    node = hazard("node", component="node", blast=None, burn_in="0.005 s", lemons=lemons)
    job_row = {"useful": 10 + 76, "lost": 5, "detect": 2, "failover": 3, "restore": 4, "repair": 20 + 5}
    expect(scenario(2, job("a", 1), hazards=[node]), [[(15, 0, 7)]], {"a": job_row, "rest": {"idle": 17 + 58}})


def test_a_gang_that_was_struck_while_it_drained_drains_anew_for_another_window():
    """Window A drains node 0 from 13 to 33. The gang is struck at 16, starts at 18, and drains from 19 to 49 for B.

    That A takes a member at 33 does not end the drain for B; at 49 the gang takes a free GPU, and computes from 56 on.
    """
    planned = {"every": "1 s", "rolling": True}
    windows = [
        {"name": "A", "component": "node", "first": "0.013 s", "drain": "0.02 s", "duration": "0.01 s", **planned},
        {"name": "B", "component": "rack", "first": "0.019 s", "drain": "0.03 s", "duration": "0.005 s", **planned},
    ]
    node = hazard("node", component="node", blast=None)
    tiny = scenario(8, job("a", 2), hazards=[node], rack=2, maintenance=windows)
    drains = 2 * 3 + 2 * (33 - 19) + (49 - 33)
    stalls = {"detect": 2 * 2, "repair": 7, "failover": 2 * (1 + 3), "restore": 2 * 4, "maintenance": drains + 10}
    rest = 6 * 18 + 5 * (25 - 18) + 6 * (43 - 25) + 7 * (49 - 43) + 4 * 5 + 6 * (100 - 54)
    books = {"a": {"useful": 2 * (10 + 44), "lost": 2 * 3, **stalls}, "rest": {"idle": rest, "maintenance": 2 * 5}}
    expect(tiny, [[(16, 1, 7)]], books)


def test_there_is_room_for_any_number_of_repairs():
    """A hundred free nodes fail one after the other, and are all in repair together: from each failure for 2 + 150."""
    node = hazard("node", component="node", blast=None)
    failures = [(number, number, 150) for number in range(1, 101)]
    rest = {"repair": 100 * 152, "idle": 199 * 300 - 100 * 152}
    expect(scenario(200, job("a", 1), hazards=[node], horizon=300), [failures], {"a": {"useful": 300}, "rest": rest})


def test_there_is_room_for_any_number_of_groups_in_repair():
    """The same where only GPUs are counted: a hundred groups are away together."""
    failures = [(number, number, 150) for number in range(1, 101)]
    rest = {"repair": 100 * 152, "idle": 199 * 300 - 100 * 152}
    expect(scenario(200, job("a", 1), horizon=300), [failures], {"a": {"useful": 300}, "rest": rest})


def test_there_is_room_for_any_number_of_drains():
    """Every 10 ms the only node drains for 1 ms and is out for another one; its gang goes on at once, 99 times."""
    window = {"name": "m", "component": "node", "every": "0.01 s", "drain": "0.001 s", "duration": "0.001 s"}
    tiny = scenario(1, job("a", 1, failover=0, restore=0), horizon=1000, maintenance=[window])
    expect(tiny, [[]], {"a": {"useful": 10 + 99 * 8, "maintenance": 99 * 2}})


def logged(tiny, failures, what):
    """Return the rows of a log about ``what``: begin, end, first place or component, GPUs, gang, state."""
    with chosen(failures):
        _, log = simulate_with_log(tiny, 0)
    columns = log.columns()
    names = ("start_ms", "end_ms", "where", "gpus", "gang", "phase")
    about = columns["what"] == what
    return list(zip(*(columns[name][about].tolist() for name in names), strict=True))


def test_the_log_says_what_happens_to_the_first_place():
    """Node 0, the first place, is struck at 20, found at 22, and in repair from then until 72."""
    node = hazard("node", component="node", blast=None)
    tiny = scenario(4, job("a", 2), hazards=[node], sla={"sold": "node"})
    first = [(start, *row) for start, _, where, _, *row in logged(tiny, [[(20, 0, 50)]], "place") if where == 0]
    assert first == [(0, 0, ""), (20, 0, "detect"), (22, 0, "repair"), (72, -1, "")]
    assert logged(tiny, [[(20, 0, 50)]], "strike") == [(20, 20, 0, 1, 0, "")]


def test_the_log_says_who_waits_for_a_crew_at_the_horizon():
    """Node 2's repair ends at 22, and node 5's has its row, the first: from 32 on it waits for node 3's, until 122."""
    node = hazard("node", component="node", blast=None, crews=1)
    failures = [[(10, 2, 10), (15, 3, 100), (30, 5, 10)]]
    waits = logged(scenario(8, job("a", 1), hazards=[node]), failures, "queue")
    assert waits == [(17, 22, 3, 1, -1, ""), (32, 100, 5, 1, -1, "")]


def test_the_log_tells_places_apart_that_are_not_neighbours():
    """Node 3 is in repair from 10 to 92: nodes 2 and 4 take the place of 0 and 1, which leave the gang at 22."""
    hazards = [hazard("node", component="node", blast=None), hazard("gpu", blast=2)]
    tiny = scenario(6, job("a", 2), hazards=hazards, sla={"sold": "node"})
    found = logged(tiny, [[(10, 3, 80)], [(20, 0, 70)]], "place")
    assert [(where, gpus) for start, _, where, gpus, gang, state in found if (gang, state) == (0, "")] == [
        (0, 2),
        (2, 1),
        (4, 1),
    ]


def test_a_typed_blast_strikes_the_group_of_its_rank():
    """Groups of two: rank 3 stands in the second one, on places 2 and 3, of which nodes 4 and 5 take the place."""
    hazards = [hazard("node", component="node", blast=None), hazard("gpu", blast=2)]
    tiny = scenario(8, job("a", 4), hazards=hazards, sla={"sold": "node"})
    assert logged(tiny, [[], [(20, 3, 50)]], "place")[2:] == [
        (20, 20, 2, 2, 0, "detect"),
        (22, 22, 2, 2, 0, "repair"),
        (22, 22, 4, 2, 0, ""),
        (72, 72, 2, 2, -1, ""),
    ]


def test_who_waits_for_the_only_crew_is_not_back_before_it_is_free():
    """A spare is with the crew from 7 on, for good. A GPU of the gang's is found at 66, and waits to the horizon.

    The gang was struck at 12 and at 33, too: it computes from 42 to 64 as it has before.
    """
    hazards = [hazard("gpu"), hazard("one", crews=1)]
    failures = [[(12, 0, 1), (33, 0, 1)], [(5, 1, 1000), (64, 0, 10)]]
    a = {"useful": 10 + 10 + 20 + 27, "lost": 2 + 2 + 2, "detect": 2 + 2 + 2, "failover": 9, "restore": 12}
    a["repair"] = 1 + 1 + 34
    books = {"a": a, "spares": {"spare": 600 - (100 + 36) - 95}, "rest": {"repair": 95}}
    expect(scenario(6, job("a", 1), hazards=hazards, spares=5), failures, books)


def test_a_repair_of_no_time_keeps_nobody_from_the_crew():
    """Two free GPUs are struck at 20 and found at 22; the first needs the crew for no time, the second for 10 ms."""
    tiny = scenario(6, job("a", 1), hazards=[hazard(crews=1)])
    rest = {"repair": 2 + 12, "idle": 500 - 2 - 12}
    expect(tiny, [[(20, 1, 0), (20, 2, 10)]], {"a": {"useful": 100}, "rest": rest})


@pytest.mark.parametrize(("every", "run"), [(49, 49), (10, 9 * 10**15 - 1)])
def test_a_count_of_copies_that_rounding_has_changed_is_put_right(every, run):
    """49 * (1 / 49) is less than 1, and (9 * 10^15 - 1) * (1 / 10) is 9 * 10^14, as floats: one off each."""
    assert int(run * (1 / every)) != run // every
    stretch = Stretch(strategy("checkpoint-restart", every=every, write=0))
    assert stretch.durable(run) == (run // every * every,)
    assert stretch.blocked(run) == 0


def test_a_gang_that_comes_slows_the_one_that_was_there():
    """Eight nodes are a segment with 4 uplinks, and a node fills 1/4 of a leaf: speeds fall when gang a comes.

    Gang c has nodes 0 to 13 until its work is done, at 0.25 h, and gang a from 1 h on: all of segment 0, 6 nodes of
    segment 1. Gang b has 2 of segment 1 and all of segment 2. On segment 1 they ask for 1 + 1/2. Gang a sees 0.4 * 1/2
    of others: 3/2 * (1 + 0.2 / 1.6) = 27/16; gang b sees 0.5 * 1: 3/2 * (1 + 0.5 / 1) = 9/4. So steps are
    1/2 + 27/32 = 43/32 and 3/5 + 9/10 = 3/2 times as long.
    """
    jobs = [
        {"name": "c", "gpus": 56, "work": "14 GPU-h"},
        {"name": "a", "gpus": 56, "comm": "50 %", "submit": "1 h"},
        {"name": "b", "gpus": 40, "comm": "40 %"},
    ]
    tables = {
        "name": "shared",
        "horizon": "2 h",
        "cluster": {
            "topology": {
                "name": "small",
                "description": "",
                "node": {"gpus": 4},
                "rack": {"nodes": 1},
                "nvlink": {"domain": "node"},
                "fabric": {
                    "nics": 4,
                    "rails": 4,
                    "port": "400 Gb/s",
                    "leaf": {"nodes": 8, "uplinks": 4},
                    "spine": {"count": 4, "segments": 8},
                },
            },
            "gpus": 96,
        },
        "jobs": [{**each, "recovery": {"kind": "fault-tolerant"}} for each in jobs],
        "hazards": [{"component": "gpu", "mtbf": {"kind": "trace", "at": ["9 h"], "component": [0], "span": "10 h"}}],
    }
    run = SimPyRun(Scenario.model_validate(tables))
    speeds = []
    for until in ("0.5 h", "1.5 h"):
        run.run(until=until)
        speeds.append([gang.network for gang in run.world.gangs])
    assert speeds[0] == [PPB, PPB, PPB]
    assert speeds[1] == [PPB, round(PPB * 32 / 43), round(PPB * 2 / 3)]


def test_a_replica_that_is_sold_is_there_while_it_computes_between_two_failures():
    """Struck at 100 h and at 300 h, each time found after 2 h: lost for 4 h of the month, and not for the time between.

    Of 720 h, 99.5 % allow 3.6 h, 99 % allow 7.2 h.
    """
    hour = 3_600_000
    sla = {"sold": "replica", "availability": ["99.5 %", "99 %"]}
    busy = job("a", 4, failover=0, restore=0)
    tiny = scenario(8, busy, horizon=720 * hour, sla=sla, hazards=[hazard(detect=2 * hour)])
    with chosen([[(100 * hour, 0, 8 * hour), (300 * hour, 0, 8 * hour)]]):
        found = compiled_clock.simulate_many(tiny, [0])
    assert found.available_domains[0].tolist() == [[0, 1, 0, 1]]


def test_who_is_found_in_the_same_millisecond_gets_the_crew_by_the_order_of_failures():
    """One crew. Gang b is struck at 61, gang a at 64, both are found at 66: b's GPU is away to 76, a's to 96.

    Gang a was struck at 12 and at 33, too: it computes from 42 on as it has before.
    """
    hazards = [
        hazard("gpu"),
        hazard("late", detect=5, crews=1, stage="crew"),
        hazard("soon", detect=2, crews=1, stage="crew"),
    ]
    failures = [[(12, 0, 1), (33, 0, 1)], [(61, 1, 10)], [(64, 0, 20)]]
    a = {"useful": 10 + 10 + 20 + 27, "lost": 2 + 2 + 2, "detect": 2 + 2 + 2, "failover": 9, "restore": 12}
    b = {"useful": 60 + 27, "lost": 1, "detect": 5, "failover": 3, "restore": 4, "repair": 10}
    a["repair"] = 1 + 1 + 30
    books = {"a": a, "b": b, "rest": {"idle": 600 - (100 + 32) - (100 + 10)}}
    expect(scenario(6, job("a", 1), job("b", 1), hazards=hazards), failures, books)
