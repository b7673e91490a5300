"""Laws of the ledger with everything that a plant can do, storage queues included, over random small scenarios."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import simulate, simulate_with_log
from dcsim.ledger import CAUSES, STATE
from dcsim.parts import PARTS
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.scenario.rules import broken_rules
from dcsim.topology import TopologyDescription
from dcsim.topology.build import build
from tests.property.test_event_log import ledger_of

SEEDS = st.integers(0, 10**6)


def plant(draw: random.Random) -> dict[str, object]:
    """Draw a topology: any of network, power, cooling and storage."""
    nodes = draw.choice([1, 2, 3, 4])
    found: dict[str, object] = {
        "name": "t",
        "description": "",
        "node": {"gpus": draw.choice([1, 2, 4]), "power": "1 kW"},
        "rack": {"nodes": nodes, "row": draw.choice([1, 2])},
        "nvlink": {"domain": draw.choice(["rack", "node"])},
    }
    if draw.random() < 0.5:
        found["nvlink"] |= {"switches": 3, "needed": draw.choice([2, 3])}
    if draw.random() < 0.8:
        rails, spines = draw.choice([1, 2]), draw.choice([1, 2, 3])
        found["fabric"] = {
            "nics": rails * draw.choice([1, 2]),
            "port": "400 Gb/s",
            "rails": rails,
            "homes": draw.choice([1, 1, 2]),
            "leaf": {"nodes": draw.choice([2, 3, 4]), "uplinks": spines * draw.choice([1, 2])},
            "spine": {"count": spines, "segments": draw.choice([1, 2, 3]), "uplinks": 2},
            "core": {"ports": draw.choice([2, 4, 8]), "planes": draw.choice([1, spines])},
        }
    if draw.random() < 0.8:
        per, shelves, psus = draw.choice(["rack", "node"]), draw.choice([1, 2, 3, 4]), draw.choice([1, 2])
        asked = 1000 * (nodes if per == "rack" else 1)
        power = {"per": per, "shelves": shelves, "psus": psus, "feeds": draw.choice([1, 2])}
        power |= {"psu": f"{asked * draw.choice([0.9, 1, 1.5, 2]) / shelves / psus:.3f} W"}
        power |= {"hall_racks": draw.choice([1, 2, 3]), "busways": draw.random() < 0.5}
        power |= {"trips_below": draw.choice(["50 %", "80 %", "0 %"])}
        if draw.random() < 0.5:
            power["feed"] = f"{nodes * draw.choice([1, 2, 3])} kW"
        if draw.random() < 0.6:
            generator = f"{draw.choice([5, 20])} kW"
            power["site"] = {"feeds": 2, "feed": "20 kW", "generators": 3, "generator": generator}
        found["power"] = power
    if draw.random() < 0.5:
        found["cooling"] = {"cdus": 2, "needed": draw.choice([1, 2])}
    if draw.random() < 0.7:
        found["storage"] = {"gateways": 2, "bandwidth": "1 GB/s"}
    return found


def recovery(draw: random.Random, node: int) -> dict[str, object]:
    """Draw a strategy."""
    tiers = [
        {"name": "m", "every": "5 min", "restore": "1 min", "survives": 4},
        {"name": "s", "every": "30 min", "write": "2 min", "restore": "10 min"},
    ]
    restart = {"kind": "checkpoint-restart", "checkpoint_every": "60 min", "restore": "20 min"}
    restart |= {"checkpoint_write": draw.choice(["0 s", "5 min"]), "failover": draw.choice(["0 s", "3 min"])}
    kept = {"kind": "fault-tolerant", "failover": "5 min", "restore": "10 min", "coverage": "70 %"}
    small = {"kind": "elastic", "group": node, "checkpoint_every": "30 min", "checkpoint_write": "1 min"}
    return draw.choice(
        [
            {**restart, "spare": draw.choice(["hot", "cold"])},
            {**kept, "checkpoint_every": "30 min"},
            {**small, "restore": "5 min", "failover": "1 min"},
            {"kind": "tiered-checkpoint", "tiers": tiers},
        ]
    )


def jobs(draw: random.Random, node: int, gpus: int, storage: bool) -> list[dict[str, object]]:
    """Draw jobs that fit."""
    found: list[dict[str, object]] = []
    for number in range(draw.randint(1, 3)):
        size, count = node * draw.choice([1, 2, 3, 4, 6]), draw.choice([1, 1, 2])
        if size * count > gpus:
            continue
        gpus -= size * count
        job = {"name": f"j{number}", "gpus": size, "count": count, "priority": draw.choice([0, 0, 1])}
        job |= {"comm": draw.choice(["0 %", "30 %", "100 %"]), "recovery": recovery(draw, node)}
        if storage and draw.random() < 0.6:
            job["storage"] = {"state": "100 GiB", "load": draw.choice(["0 s", "1 min", "4 min"])}
        if draw.random() < 0.3:
            job["submit"] = draw.choice(["1 h", "30 h"])
        if draw.random() < 0.3:
            job["work"] = f"{size * draw.choice([50, 200])} GPU-h"
        found.append(job)
    return found or [{"name": "j", "gpus": node, "recovery": recovery(draw, node)}]


def hazard(draw: random.Random, name: str, counts: dict[str, int], nodes: int, node: int) -> dict[str, object]:
    """Draw a hazard, most often on something that holds no GPU."""
    repairs: list[object] = ["0 s", "30 min", {"kind": "exponential", "mean": "5 h"}]
    repairs.append([{"time": "1 h", "success": "50 %"}, {"time": "4 h", "crews": 1}])
    found: dict[str, object] = {"name": name, "detect": draw.choice(["0 s", "10 min", "3 h"])}
    found["repair"] = draw.choice(repairs)
    if counts and draw.random() < 0.75:
        kind = draw.choice(sorted(counts))
        found |= {"component": kind, "mtbf": f"{draw.choice([30, 100, 300]) * counts[kind]} h"}
        if draw.random() < 0.3:
            found |= {"effect": "degrade", "keeps": draw.choice(["40 %", "90 %"])}
        if draw.random() < 0.25:
            found["mtbf"] = {"kind": "weibull", "mean": f"{draw.choice([100, 300])} h", "shape": 2}
        return found
    found |= {"component": draw.choice(["gpu", "node", "rack"]), "mtbf": f"{draw.choice([30, 100]) * nodes} h"}
    effect = found["effect"] = draw.choice(["interrupt", "interrupt", "straggle", "kill"])
    if effect == "straggle":
        found["keeps"] = "50 %"
    if found["component"] == "gpu" and draw.random() < 0.3:
        found["blast"] = node
    if effect == "interrupt" and draw.random() < 0.3:
        found["wrong_node"] = "50 %"
    if effect == "interrupt" and draw.random() < 0.3:
        found["returns"] = "job"
    return found


def scenario(seed: int) -> Scenario | None:
    """Draw a scenario; None where its parts do not fit together."""
    draw = random.Random(seed)
    described = plant(draw)
    node, nodes = described["node"]["gpus"], draw.randint(4, 24)
    topology = build(TopologyDescription.model_validate(described), node * nodes)
    counts = {kind: topology.components(kind) for kind in PARTS if kind in topology.kinds}
    free = draw.choice([0, node, 2 * node])
    tables = {
        "name": "random",
        "horizon": draw.choice(["200 h", "500 h"]),
        "seed": draw.randint(0, 10**6),
        "cluster": {"topology": described, "gpus": node * nodes},
        "jobs": jobs(draw, node, node * nodes - free, "storage" in described),
        "hazards": [hazard(draw, f"h{number}", counts, nodes, node) for number in range(draw.randint(1, 5))],
    }
    if draw.random() < 0.3:
        dates = ["0 s", "20 h", {"kind": "exponential", "mean": "100 h"}]
        racks = [draw.randint(0, topology.racks // 2) for _ in range(2)]
        phases = [{"name": f"p{n}", "racks": each, "date": draw.choice(dates)} for n, each in enumerate(racks) if each]
        grid = [{"name": "g", "grid": True, "date": "50 h"}] if "site-feed" in counts else []
        tables["energisation"] = phases + grid * draw.randint(0, 1)
    if draw.random() < 0.3:
        window = {"component": draw.choice([*sorted(counts), "rack", "node"]), "duration": draw.choice(["2 h", "20 h"])}
        tables["maintenance"] = [{"name": "m", "every": "60 h", "drain": draw.choice(["0 s", "10 min"]), **window}]
    found = Scenario.model_validate(tables)
    return None if list(broken_rules(found)) else found


@settings(max_examples=120, deadline=None)
@given(SEEDS)
def test_the_ledger_holds(seed: int) -> None:
    """States sum to N * H and none is negative; the log holds all of it and changes nothing; causes sum to overhead."""
    drawn = scenario(seed)
    if drawn is None:
        return
    accounts, log = simulate_with_log(drawn, 0)  # verified to conserve
    useful = {job.name: job.recovery.useful_ppb for job in plan(drawn).scenario.jobs}
    assert np.array_equal(ledger_of(log, accounts.owners, useful), accounts.gpu_ms)
    assert np.array_equal(simulate(drawn, 0).gpu_ms, accounts.gpu_ms)
    assert (accounts.overhead_gpu_ms >= 0).all()
    assert (accounts.overhead_gpu_ms.sum(axis=1) == accounts.gpu_ms[:, STATE["overhead"]]).all()


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_more_of_the_plant_never_helps(seed: int) -> None:
    """A job alone on a cluster never has more useful time for links that are shared, or gateways that are slow."""
    drawn = scenario(seed)
    if drawn is None:
        return
    free = tuple(job.model_copy(update={"comm": 0.0, "storage": None}) for job in drawn.jobs)
    accounts, easy = simulate(drawn, 0), simulate(drawn.model_copy(update={"jobs": free}), 0)
    fabric = CAUSES.index("fabric")
    assert (easy.overhead_gpu_ms[:, fabric] == 0).all()
    if len(drawn.jobs) == 1 and drawn.jobs[0].count == 1 and drawn.jobs[0].work is None:
        kinds = {each.effect for each in drawn.hazards} - {"degrade"}
        if not kinds:  # nothing strikes, so nothing can strike at a luckier moment
            assert accounts.gpu_ms[0, STATE["useful"]] <= easy.gpu_ms[0, STATE["useful"]]
