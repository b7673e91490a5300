"""Rules in plain Python at values by hand, where random scenarios rarely come: bounds, ends and first rows."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dcsim.engine import SimPyRun, simulate
from dcsim.engine.compiled_clock import play
from dcsim.engine.compiled_draws import NAMES, of_numpy, sample_world
from dcsim.ledger import STATE
from dcsim.program.draws import EVERY_LAW
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import Program
from dcsim.rules import draws, random_numbers
from dcsim.scenario import Scenario, certain

# --- rows that are used again -----------------------------------------------------------------------------------------


def failing(horizon: str, *failures: tuple[list[str], list[int], str]) -> Scenario:
    """Return four nodes of 8 GPUs, of which the first is a job's; each hazard strikes at times some of them."""
    hazards = [
        {
            "name": f"hazard {number}",
            "component": "node",
            "mtbf": {"kind": "trace", "at": at, "component": nodes, "span": "9000 h"},
            "repair": repair,
        }
        for number, (at, nodes, repair) in enumerate(failures)
    ]
    content = {
        "name": "rows",
        "horizon": horizon,
        "cluster": {"topology": "hgx-h100", "gpus": 32},
        "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}],
        "hazards": hazards,
    }
    return Scenario.model_validate(content)


def test_a_repair_behind_one_whose_row_is_used_again_leaves_the_other_where_it_is() -> None:
    """Row 0 is node 1's, then node 3's; node 2 returns meanwhile, and node 3 is in repair up to the horizon."""
    first, second = (["1 h"], [1], "1 h"), (["1.5 h"], [2], "4 h")
    accounts = simulate(failing("10 h", first, second, (["3 h"], [3], "100 h")), 0)
    assert accounts.gpu_ms[:, STATE["repair"]].sum() == 8 * (1 + 4 + 7) * 3_600_000


def test_rows_of_failures_that_are_over_are_used_again() -> None:
    """Twenty failures one after the other need the room of one."""
    times = [f"{hour} h" for hour in range(1, 21)]
    runs = play(Program(certain(failing("30 h", (times, [1] * 20, "10 min")))), [0], False)
    assert runs.ledgers().failures.tolist() == [20]
    one: Any = runs.world.one
    assert (one.failed, one.repairs, one.parts) == (1, 1, 1)


TOPOLOGY = {"name": "t", "description": "", "node": {"gpus": 2}, "nvlink": {"domain": "node"}}
LEAVES = {"nics": 1, "port": "400 Gb/s", "homes": 1, "spine": {"count": 2, "segments": 4}}


def recorded(component: str, at: list[int], which: list[int], **keys: Any) -> dict[str, Any]:
    """Return a hazard that strikes these components at these hours."""
    trace = {"kind": "trace", "at": [f"{hour} h" for hour in at], "component": which, "span": "9000 h"}
    return {"component": component, "mtbf": trace, **keys}


def test_there_is_room_for_any_number_of_absences() -> None:
    """Forty times a node is repaired for 2 h, and then waits for its leaf, which is out for 9 h from an hour later."""
    times = range(0, 800, 20)
    content = {
        "name": "absences",
        "horizon": "1000 h",
        "cluster": {
            "topology": {**TOPOLOGY, "rack": {"nodes": 1}, "fabric": {**LEAVES, "leaf": {"nodes": 2, "uplinks": 2}}},
            "gpus": 8,
        },
        "jobs": [{"name": "a", "gpus": 2, "recovery": {"kind": "fault-tolerant"}}],
        "hazards": [
            recorded("node", [10 + hour for hour in times], [2] * 40, repair="2 h"),
            recorded("leaf", [11 + hour for hour in times], [1] * 40, repair="9 h"),
        ],
    }
    accounts = simulate(Scenario.model_validate(content), 0)
    assert accounts.gpu_ms[:, STATE["repair"]].sum() == 40 * (2 * 10 + 2 * 9) * 3_600_000


def test_what_is_left_of_a_group_counts_from_the_first_row_on() -> None:
    """Rack 1, nodes 2 and 3, is repaired at 10 h; node 3 waits for its leaf until 20 h, and node 2 is free again.

    The rows of parts begin with node 0's, which is given back at 5 h and is then that of node 2.
    """
    content = {
        "name": "group",
        "horizon": "100 h",
        "cluster": {
            "topology": {**TOPOLOGY, "rack": {"nodes": 2}, "fabric": {**LEAVES, "leaf": {"nodes": 1, "uplinks": 2}}},
            "gpus": 8,
        },
        "jobs": [{"name": "a", "gpus": 2, "recovery": {"kind": "fault-tolerant"}}],
        "hazards": [
            recorded("node", [1], [1], repair="4 h"),
            recorded("rack", [2], [1], repair="8 h"),
            recorded("leaf", [8], [3], repair="12 h"),
        ],
    }
    accounts = simulate(Scenario.model_validate(content), 0)
    assert accounts.gpu_ms[:, STATE["repair"]].sum() == (2 * 4 + 2 * 8 + 2 * 18) * 3_600_000
    assert accounts.gpu_ms[0, STATE["useful"]] == 2 * 100 * 3_600_000


def test_a_slow_rack_of_which_the_first_place_runs_stays_slow() -> None:
    """Rack 0 halves the job's speed from 1 h until it is found at 10 h, though its second node is replaced at 2 h."""
    content = {
        "name": "slow",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 2}}, "gpus": 8},
        "jobs": [{"name": "a", "gpus": 4, "recovery": {"kind": "stateless"}}],
        "hazards": [
            recorded("rack", [1], [0], effect="straggle", keeps="50 %", detect="9 h", repair="1 h"),
            recorded("node", [2], [1], repair="1 h"),
        ],
    }
    accounts = simulate(Scenario.model_validate(content), 0)
    assert accounts.overhead_gpu_ms[0].sum() == 4 * 9 * 0.5 * 3_600_000


def test_a_degraded_node_that_was_out_for_something_else_comes_back_slow() -> None:
    """Node 0 is at half speed from 1 to 22 h. It is out from 2 to 3 h, and the job is on it before, and from 4 h on."""
    content = {
        "name": "degraded",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}}, "gpus": 4},
        "jobs": [{"name": "a", "gpus": 2, "recovery": {"kind": "stateless"}}],
        "hazards": [
            {**recorded("node", [1], [0], effect="degrade", keeps="50 %", detect="20 h", repair="1 h"), "name": "slow"},
            recorded("node", [2, 4], [0, 1], repair="1 h"),
        ],
    }
    accounts = simulate(Scenario.model_validate(content), 0)
    assert accounts.overhead_gpu_ms[0].sum() == 2 * (1 + 18) * 0.5 * 3_600_000


def test_every_pod_is_down_while_its_cores_are_and_back_with_them() -> None:
    """Two pods of a node each hang on one core, which is out from 10 to 15 h."""
    fabric = {
        "nics": 1,
        "port": "400 Gb/s",
        "leaf": {"nodes": 1, "uplinks": 1},
        "spine": {"count": 1, "segments": 1, "uplinks": 1},
        "core": {"ports": 2},
    }
    content = {
        "name": "pods",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}, "fabric": fabric}, "gpus": 4},
        "jobs": [{"name": name, "gpus": 2, "recovery": {"kind": "stateless"}} for name in "ab"],
        "hazards": [recorded("core", [10], [0], repair="5 h")],
    }
    accounts = simulate(Scenario.model_validate(content), 0)
    assert (accounts.gpu_ms[:2, STATE["useful"]] == 2 * 95 * 3_600_000).all()
    assert (accounts.gpu_ms[:2, STATE["repair"]] == 2 * 5 * 3_600_000).all()


def test_what_a_smaller_shape_has_no_use_for_stalls_with_it() -> None:
    """Of 8 GPUs in groups of 4 two are out from 10 to 15 h: four run, and two stand by after an hour of failover.

    At 15 h all eight go through an hour of it.
    """
    content = {
        "name": "elastic",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}}, "gpus": 8},
        "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "elastic", "group": 4, "failover": "1 h"}}],
        "hazards": [recorded("node", [10], [0], repair="5 h")],
    }
    hours = simulate(Scenario.model_validate(content), 0).gpu_ms[0] / 3_600_000
    assert hours[STATE["repair"]] == 2 * 5
    assert hours[STATE["failover"]] == 6 * 1 + 8 * 1
    assert hours[STATE["overhead"]] == 2 * 4
    assert hours[STATE["useful"]] == 8 * 10 + 4 * 4 + 8 * 84


@pytest.mark.parametrize("replication", range(4))
def test_a_first_start_that_is_struck_tries_as_often_as_its_chance_says(replication: int) -> None:
    """Four in five attempts to load the state fail: each one costs another load, in time and in what is read."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "30 min", "restore_success": "20 %"}
    content = {
        "name": "first start",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}}, "gpus": 8},
        "jobs": [{"name": "a", "gpus": 2, "submit": "10 h", "recovery": recovery}],
        "hazards": [
            {
                "component": "node",
                "mtbf": {"kind": "trace", "at": ["10.1 h"], "component": [0], "span": "9000 h"},
                "repair": "1 h",
            }
        ],
    }
    run = SimPyRun(Scenario.model_validate(content), replication)
    run.run(until="10.2 h")
    (gang,) = run.world.gangs
    assert gang.strikes == 1
    assert gang.loads == 1 + gang.extra
    assert gang.restore == (1 + gang.extra) * 1_800_000


def test_maintenance_takes_the_nodes_that_it_names() -> None:
    """Places are nodes of two GPUs; the first of four, the only one due in 100 h, drains for 1 h and is out for 3 h."""
    content = {
        "name": "maintenance",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}}, "gpus": 8},
        "jobs": [{"name": "a", "gpus": 2, "recovery": {"kind": "stateless"}}],
        "hazards": [recorded("node", [99], [3])],
        "maintenance": [
            {"name": "m", "component": "node", "every": "9000 h", "first": "10 h", "duration": "3 h", "drain": "1 h"}
        ],
    }
    hours = simulate(Scenario.model_validate(content), 0).gpu_ms[:, STATE["maintenance"]] / 3_600_000
    assert hours.sum() == 2 * 1 + 2 * 3


def test_what_was_corrupt_when_its_job_ended_begins_a_new_life() -> None:
    """Node 0 computes wrongly from about 30 h; its job is done at 50 h, and it is found at about 70 h.

    It is as good as new then, though node 1 is in repair for another failure.
    """
    ageing = {"kind": "weibull", "mean": "30 h", "shape": 20.0}
    content = {
        "name": "corrupt",
        "horizon": "100 h",
        "cluster": {"topology": {**TOPOLOGY, "rack": {"nodes": 1}}, "gpus": 4},
        "jobs": [{"name": "a", "gpus": 2, "work": "100 GPU-h", "recovery": {"kind": "stateless"}}],
        "hazards": [
            {"name": "wrong", "component": "node", "mtbf": ageing, "effect": "corrupt", "detect": "40 h"},
            recorded("node", [60], [1], repair="30 h"),
        ],
    }
    run = SimPyRun(Scenario.model_validate(content))
    run.run(until="55 h")
    first = run.world.hazards[0].first_component
    assert run.world.components[first].row == 0
    run.run(until="85 h")
    assert run.world.components[first].row == 1


# --- draws ----------------------------------------------------------------------------------------------------------

PLAIN = {
    "name": "plain",
    "horizon": "30 d",
    "seed": 4,
    "cluster": {"topology": "hgx-h100", "gpus": 64},
    "jobs": [
        {"name": "a", "gpus": 32, "recovery": {"kind": "fault-tolerant", "failover": "5 min"}},
        {"name": "b", "gpus": 8, "count": 2, "recovery": {"kind": "checkpoint-restart", "checkpoint_every": "1 h"}},
    ],
    "hazards": [
        {"component": "gpu", "mtbf": "1500 h", "blast": 8, "detect": "15 min", "repair": "2 h"},
        {
            "component": "access-link",
            "blast": 1,
            "mtbf": "300 h",
            "detect": {"kind": "exponential", "mean": "9 min"},
            "repair": {"time": {"kind": "exponential", "mean": "3 h"}, "silent": "30 %"},
        },
        {
            "component": "node",
            "mtbf": "50 h",
            "detect": {"kind": "lognormal", "mean": "9 min", "sigma": 1.1},
            "repair": {"kind": "lognormal", "mean": "3 h", "sigma": 0.7},
        },
    ],
}


@pytest.fixture
def ziggurat(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers that otherwise only the compiler puts in."""
    pytest.importorskip("numba")
    for name, layers in random_numbers.ziggurat().items():
        monkeypatch.setattr(random_numbers, name, layers.tolist())


@pytest.mark.parametrize("law", sorted(NAMES))
@pytest.mark.parametrize(("seed", "run"), [(0, 0), (2**64 + 3, 2**32 - 1)])
@pytest.mark.usefixtures("ziggurat")
def test_the_text_draws_numpys_numbers(law: int, seed: int, run: int) -> None:
    """Eight thousand of each law: two are beyond the last layer."""
    world: Any = sample_world(PlainWorld(), law, 8_000, seed, run)
    world.take()
    random_numbers.sample(world)
    assert world.units == of_numpy(law, 8_000, seed, run).tolist()


@pytest.mark.usefixtures("ziggurat")
@pytest.mark.parametrize("first", range(3))
def test_failures_that_rules_draw_are_those_that_numpy_draws(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hazards of all laws, each of them once the first, with blocks that end within a run."""

    def powers_of_e(w: Any, what: int, count: int, value: int) -> int:  # without machine code nobody asks for them
        w.units[:count] = np.exp(w.units[:count]).tolist()
        return 0

    monkeypatch.setattr(draws, "ask", powers_of_e)
    hazards: Any = PLAIN["hazards"]
    program = Program(certain(Scenario.model_validate({**PLAIN, "hazards": hazards[first:] + hazards[:first]})))
    by_rules, by_numpy = (play(program, [0, 5], False, laws=laws).ledgers() for laws in (EVERY_LAW, ()))
    for one, other in zip(by_rules.columns(), by_numpy.columns(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("ziggurat")
@pytest.mark.parametrize("draw", [random_numbers.exponential, random_numbers.normal])
def test_a_number_at_the_bound_of_its_layer_is_not_inside_it(monkeypatch: pytest.MonkeyPatch, draw: Any) -> None:
    """numpy asks whether it is below: at the bound another number decides, here against it."""
    normal = draw is random_numbers.normal
    layer, kept = 7, 1_000
    bound = int((random_numbers.NORMAL_K if normal else random_numbers.EXP_K)[layer])

    def word(rest: int) -> int:
        return layer | rest << 9 if normal else (layer | rest << 8) << 3

    words = iter([word(bound), word(bound), word(kept)])
    monkeypatch.setattr(random_numbers, "next_word", lambda w, stream: next(words))
    monkeypatch.setattr(random_numbers, "uniform", lambda w, stream: 1.0)  # never below the density
    width = float((random_numbers.NORMAL_W if normal else random_numbers.EXP_W)[layer])
    assert draw(SimpleNamespace(), 0) == kept * width
