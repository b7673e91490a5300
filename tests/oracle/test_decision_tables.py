"""Tables against theory: the best checkpoint interval, and how often a stock of spares is too small."""

import numpy as np
import pytest

from dcsim.closed_form import down_probabilities, enough_up
from dcsim.decide.sensitivity import sensitivity
from dcsim.decide.sweep import sweep
from dcsim.decide.tables import table
from dcsim.decide.theory import theory
from dcsim.decide.variants import at
from dcsim.report.tables_page import values_table
from dcsim.scenario import ScenarioError, load, read
from dcsim.units import DURATION, MS_PER_H, parse, write
from tests.oracle.agreement import Comparison, objections
from tests.oracle.test_engine_spares import CREWED, UNCREWED, Fleet

PARTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.7, 2.0)
"""Checkpoint intervals in parts of the exact optimum."""


def job(mtbf: str, checkpoint_write: str, seed: int) -> dict:
    """One job that never waits for hardware and loses work at every failure."""
    return {
        "name": f"one job, MTBF {mtbf}, writes {checkpoint_write}",
        "horizon": "90 d",
        "seed": seed,
        "cluster": {"topology": "gb300-nvl72", "gpus": 1024},
        "jobs": [
            {
                "name": "job",
                "gpus": 1024,
                "recovery": {
                    "kind": "checkpoint-restart",
                    "checkpoint_every": "1 h",
                    "checkpoint_write": checkpoint_write,
                    "restore": "5 min",
                },
            }
        ],
        "hazards": [{"component": "gpu", "mtbf": mtbf, "blast": 4, "detect": "2 min"}],
    }


@pytest.mark.parametrize(
    ("mtbf", "checkpoint_write", "seed"),
    [("4000 h", "30 s", 21), ("20000 h", "1 min", 22), ("50000 h", "5 min", 23)],
)
def test_the_best_interval_is_the_exact_optimum_or_not_told_apart_from_it(mtbf, checkpoint_write, seed):
    """The optimum of renewal theory is in the flat region, and twice and half of it are not."""
    scenario = job(mtbf, checkpoint_write, seed)
    best = theory(read(scenario)).optimal_h
    assert best is not None
    values = [write(round(part * best * MS_PER_H / 1000) * 1000, DURATION) for part in PARTS]
    found = sweep(scenario, {"jobs.job.recovery.checkpoint_every": values}, replications=128, workers=1)
    assert found.region is not None
    assert PARTS.index(1.0) in found.region.members
    assert not {0, len(PARTS) - 1} & set(found.region.members)
    point = found.points[PARTS.index(1.0)]
    exact = theory(at(read(scenario), dict(point.inputs))).goodput_loss
    assert exact is not None
    assert point.measured is not None
    comparison = Comparison(values[PARTS.index(1.0)], point.measured.estimated.values, exact)
    print(comparison)
    assert objections([comparison]) == []


@pytest.mark.parametrize("fleet", [CREWED, UNCREWED], ids=["crews", "no-limit"])
def test_stocks_are_short_as_often_as_the_chain_says(fleet: Fleet):
    """P(short) and waiting of four stocks: two crews by the repairman's chain, no limit by the binomial."""
    found = table("spares", fleet.scenario, {"cluster.spares": [0, 4, 8, 12]}, replications=32, workers=1)
    comparisons, waits = [], []
    for point, closed in zip(found.sweep.points, found.closed, strict=True):
        machines = 128 + dict(point.inputs)["cluster.spares"]
        chain = down_probabilities(machines, fleet.crews or machines, fleet.mtbf, fleet.repair)
        assert closed["repairman"] == pytest.approx(1 - enough_up(chain, 128), abs=1e-9)
        if fleet.crews is None:
            assert closed["binomial"] == pytest.approx(closed["repairman"], rel=1e-12)
        short, wait = point.figures["short"], point.figures["wait_gpu_hours"]
        assert short is not None
        assert wait is not None
        for figure, theory_, scale, kept in (
            (short, closed["repairman"], 1.0, comparisons),
            (wait, closed["waiting"], 128 * fleet.horizon, waits),
        ):
            assert figure.se is not None
            kept.append((dict(point.inputs), figure.mean / scale, figure.se / scale, (theory_ or 0.0) / scale))
    print(*comparisons, *waits, sep="\n")
    for _, mean, se, expected in waits:
        assert abs(mean - expected) < 5 * se + 1e-3
    for _, mean, se, expected in comparisons:  # of several machines that are missing the estimate knows one
        assert abs(mean - expected) < 5 * se + 1e-3 + 0.02 * expected


def test_the_smallest_stock_is_the_one_that_the_chain_gives():
    """Simulated, by the binomial and by the chain: the same stock within one machine, at 1 %."""
    found = table("spares", UNCREWED.scenario, {"cluster.spares": list(range(0, 17, 4))}, replications=32, workers=1)
    (enough,) = found.facts["enough"]
    assert enough["binomial"] == enough["repairman"]
    assert abs(enough["simulated"] - enough["binomial"]) <= 4


def test_planted_waiting_is_noticed():
    """The comparison of waits fails by far for a stock of another size."""
    found = table("spares", UNCREWED.scenario, {"cluster.spares": [0, 4]}, replications=8, workers=1)
    wait = found.sweep.points[0].figures["wait_gpu_hours"]
    assert wait is not None
    assert wait.se is not None
    assert abs(wait.mean - (found.closed[1]["waiting"] or 0.0)) > 20 * wait.se
    assert np.isfinite(wait.se)


def test_a_job_that_ends_is_judged_by_when_it_is_done():
    """Idle hours after its end are no loss: the table finds the exact optimum, and the loss is that until the end."""
    daly = load("papers/daly")
    found = table("checkpoint", daly, replications=100, workers=2)
    assert found.sweep.metric.name == "finish_h"
    points = [point for point in found.sweep.points if point.measured is not None]
    best = min(points, key=lambda point: point.measured.mean)
    assert 0.7 < parse(best.inputs[0][1], DURATION) / MS_PER_H / found.facts["optimal_h"] < 1.4
    for point in points:
        done = point.figures["finish_h"].mean
        assert point.figures["lost"].mean == pytest.approx(1 - 500 / done, abs=1e-9)
    page = values_table(found)
    assert page.columns[2:4] == ("simulated: loss, %", "last job done, h")
    shown = next(row for row, point in zip(page.rows, points, strict=True) if point is best)
    assert float(shown.texts[2].partition(" ±")[0]) == pytest.approx(100 * best.figures["lost"].mean, abs=0.01)


def test_each_input_of_a_job_that_ends_moves_its_end():
    """The loss of a horizon that is far longer than the job moves by nothing, whatever fails."""
    found = sensitivity("papers/daly", vary="20 %", replications=100, workers=2)
    moved = {bar.input.key: bar.moves for bar in found.bars}
    known = {end: theory(at(load("papers/daly"), {"hazards.machine.mtbf": end})).done_h for end in ("19.2 h", "28.8 h")}
    assert found.metric.name == "finish_h"
    exact = (known["19.2 h"] - known["28.8 h"]) / 2
    bar = next(bar for bar in found.bars if bar.input.key == "hazards.machine.mtbf")
    assert moved["hazards.machine.mtbf"] == pytest.approx(exact, abs=bar.extent.half_width)
    assert exact > 3
    with pytest.raises(ScenarioError, match="--metric lost has a figure of all runs"):
        sensitivity("papers/daly", vary="20 %", set=["horizon=560 h"], replications=20, workers=2)
