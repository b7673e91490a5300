"""The bridge: its ends are the formula and the run, its folds are hand arithmetic, its bare step is exact theory."""

from typing import Any

import numpy as np
import pytest

from dcsim.closed_form import restart_goodput
from dcsim.decide import explain, run
from dcsim.decide.ablation import ablated_scenarios, ablation_steps
from dcsim.decide.bridge import Folder, united
from dcsim.decide.estimate import estimate
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.plan import plan
from tests.unit.literal import Chosen
from tests.unit.montecarlo_fakes import replicate

HOUR = 3_600_000
SILVER_LIKE = {"failover": "5 min", "restore": "15 min", "checkpoint_every": "60 min", "checkpoint_write": "30 s"}


def scenario(recovery: dict[str, Any], /, **parts: Any) -> Scenario:
    """A small cluster with one large job and a smaller one of lower priority; parts replace tables."""
    tables = {
        "name": "bridge",
        "horizon": "4 mo",
        "seed": 17,
        "cluster": {"topology": "gb300-nvl72", "gpus": 720, "spares": 16},
        "jobs": [
            {"name": "large", "gpus": 512, "priority": 1, "recovery": recovery},
            {"name": "small", "gpus": 192, "recovery": recovery},
        ],
        "hazards": [{"component": "gpu", "mtbf": "9000 h", "blast": 32, "detect": "40 min", "repair": "2 h"}],
        "accounting": {"mode": "hot", "identify": "rollback", "job_size": 512},
        "tco": {"gpu_hour": "4 USD"},
    }
    return Scenario.model_validate(tables | parts)


def literal(monkeypatch: pytest.MonkeyPatch, *columns: list[int]) -> None:
    """Make every replication meet the failures written here: times [ms], marks, repairs [ms]."""
    rows = [*zip(*columns, strict=True)]
    monkeypatch.setattr(Plan, "draws", lambda plan, replication: [Chosen(plan.scenario.hazards[0], rows)])
    monkeypatch.setattr("dcsim.engine.compiled_clock.proven_laws", frozenset)


def test_the_ends_are_the_estimate_and_the_run() -> None:
    """The first step is the formula's loss and the last one the run's, to the last digit; the steps sum to the gap."""
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE})
    bridge = explain(each, replications=3, workers=1)
    first, last = bridge.steps[0], bridge.steps[-1]
    assert first.loss == estimate(each).accounting.goodput_loss
    assert last.loss == run(each, replications=3, workers=1).sample.mean_loss
    assert sum(step.delta_pp for step in bridge.steps) == pytest.approx(100 * (last.loss - first.loss), abs=1e-9)
    assert [step.name for step in bridge.steps] == [
        "formula",
        "failures drawn",
        "failures outside the job",
        "failures while already down",
        "spares counted once",
        "simulated recovery",
        "checkpoint writes",
        "detection",
        "failover",
        "finite spares",
    ]


def test_a_point_of_loss_costs_a_hundredth_of_the_rent() -> None:
    """Dollars of a step = its loss * GPUs * USD per GPU-hour * 720 h * months of the term."""
    bridge = explain(scenario({"kind": "checkpoint-restart", **SILVER_LIKE}), replications=1, workers=1)
    for step in bridge.steps:
        assert step.delta_usd == pytest.approx(step.delta_pp / 100 * 720 * 4 * 720 * 36, abs=1e-3)


def test_without_prices_a_step_has_no_dollars() -> None:
    """A scenario without [tco] has a bridge in percentage points only."""
    each = scenario({"kind": "fault-tolerant", "failover": "5 min"}, tco=None)
    assert {step.delta_usd for step in explain(each, replications=1, workers=1).steps} == {None}


def test_folds_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four failures, one of them on a free GPU and one while its gang is down, folded by hand.

    Hot, rollback: the job is charged 0.5 h + 0.25 h per failure, the blast of 32 GPUs 2 h of repair; 16 spares of 720.
    """
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE})
    literal(monkeypatch, [0, HOUR // 2, 9 * HOUR, 10 * HOUR], [0, 100, 600, 715], [0, 0, 0, 0])
    capacity = 720 * 4 * 720  # GPU-h
    spares, repair = 16 / 720, 4 * 32 * 2 / capacity
    losses = Folder.of(plan(each)).losses(0)
    assert losses["drawn"] == pytest.approx(4 * 0.75 * 512 / capacity + repair + spares, rel=1e-12)
    assert losses["struck"] == pytest.approx((2 * 0.75 * 512 + 0.75 * 192) / capacity + repair + spares, rel=1e-12)
    merged = (1.25 * 512 + 0.75 * 192) / capacity  # 0 h … 0.75 h and 0.5 h … 1.25 h unite to 1.25 h
    assert losses["merged"] == pytest.approx(merged + repair + spares, rel=1e-12)
    assert losses["owned"] == pytest.approx(merged + 16 / 720, rel=1e-12)
    assert losses["running"] == pytest.approx(merged + 16 / 720, rel=1e-12)


def test_overhead_is_a_share_of_the_time_a_gang_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The formula takes 5 % of all GPU-hours; a gang pays it only while it is not down."""
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE, "memory_overhead": "5 %"})
    literal(monkeypatch, [0], [0], [0])
    losses = Folder.of(plan(each)).losses(0)
    capacity = 720 * 4 * 720
    down = 0.75 * 512
    assert losses["owned"] == pytest.approx(down / capacity + 16 / 720 + 0.05, rel=1e-12)
    running = (704 * 4 * 720 - down) * 0.05
    assert losses["running"] == pytest.approx((down + running) / capacity + 16 / 720, rel=1e-12)


def test_a_derived_blast_reaches_every_gang_it_overlaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rack 7 (GPUs 504 … 575) holds the end of the large job and the start of the small one: both stall."""
    rack = [{"component": "rack", "mtbf": "900 h", "detect": "40 min"}]
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE}, hazards=rack)
    literal(monkeypatch, [0], [7], [0])
    losses = Folder.of(plan(each)).losses(0)
    assert losses["owned"] == pytest.approx(0.75 * (512 + 192) / (720 * 4 * 720) + 16 / 720, rel=1e-12)


def test_a_switch_that_serves_gpus_reaches_every_gang_that_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaf 4, the first of the second segment (GPUs 288 … 575), serves both jobs; it is no GPU of slot 4."""
    leaf = [{"component": "leaf", "mtbf": "900 h", "detect": "40 min"}]
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE}, hazards=leaf)
    literal(monkeypatch, [0], [4], [0])
    losses = Folder.of(plan(each)).losses(0)
    assert losses["owned"] == pytest.approx(0.75 * (512 + 192) / (720 * 4 * 720) + 16 / 720, rel=1e-12)


def test_no_failure_that_reaches_a_gang_leaves_every_fold_at_the_idle_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replication without failures has nothing to fold, with a typed and with a derived blast."""
    literal(monkeypatch, [], [], [])
    for blast in ({"blast": 32}, {}):
        hazards = [{"component": "gpu", "mtbf": "9000 h", "detect": "40 min", **blast}]
        losses = Folder.of(plan(scenario({"kind": "checkpoint-restart", **SILVER_LIKE}, hazards=hazards))).losses(0)
        assert losses["drawn"] == losses["struck"] == 16 / 720
        assert losses["running"] == pytest.approx(16 / 720, rel=1e-12)


def test_gpus_that_no_job_asks_for_are_a_step_of_their_own() -> None:
    """A job on half of the cluster: the formula knows 16 idle spares, the simulation 360 idle GPUs."""
    recovery = {"kind": "checkpoint-restart", **SILVER_LIKE}
    each = scenario(recovery, jobs=[{"name": "half", "gpus": 360, "recovery": recovery}])
    (idle,) = [step for step in explain(each, replications=2, workers=1).steps if step.name == "idle GPUs"]
    assert idle.delta_pp == pytest.approx(100 * (360 - 16) / 720, rel=1e-9)


def test_union_of_stalls() -> None:
    """Stalls of one gang unite, those of two do not, and the horizon cuts the last one."""
    times = np.array([0, 5, 5, 90], dtype=np.int64)
    gangs = np.array([1, 1, 0, 0], dtype=np.int64)
    assert united(times, gangs, np.array([10.0, 10.0, 3.0, 20.0]), 3, 100).tolist() == [3.0 + 10.0, 15.0, 0.0]


def test_merged_stalls_are_the_simulation_where_nothing_else_happens() -> None:
    """Migration, detection of no time, a gang that fills the cluster, instant repair: fold and simulation are equal."""
    each = scenario(
        {"kind": "fault-tolerant", "failover": "90 min"},
        cluster={"topology": "gb300-nvl72", "gpus": 720},
        jobs=[{"name": "all", "gpus": 720, "recovery": {"kind": "fault-tolerant", "failover": "90 min"}}],
        hazards=[{"component": "gpu", "mtbf": "2000 h", "blast": 32}],
        accounting={"mode": "tolerant", "job_size": 720},
    )
    folder = Folder.of(plan(each))
    simulated = replicate(each, 4, workers=1).loss
    assert [folder.losses(number)["running"] for number in range(4)] == pytest.approx(simulated.tolist(), rel=1e-12)
    assert len({float(loss) for loss in simulated}) == 4


def test_the_bare_step_agrees_with_renewal_theory() -> None:
    """Everything undone, the large gang is a renewal process: lambda = 512/9000 h, hourly checkpoints, R = 15 min."""
    each = scenario({"kind": "checkpoint-restart", **SILVER_LIKE}, horizon="36 mo")
    name, _, bare = ablated_scenarios(each)[0]
    sample = replicate(bare, 32, workers=1)
    goodput = sample.ettr("large")
    assert name == "simulated recovery"
    assert goodput is not None
    error = goodput.std(ddof=1) / len(goodput) ** 0.5
    assert error < 1e-3
    assert abs(goodput.mean() - restart_goodput(512 / 9000, 1.0, 0.0, 0.25)) < 4 * error


def test_only_what_the_scenario_has_makes_a_step() -> None:
    """No writes, no failover, repairs in no time, crews for everyone: only detection is left to put back."""
    each = scenario(
        {"kind": "checkpoint-restart", "restore": "15 min", "checkpoint_every": "60 min"},
        hazards=[{"component": "gpu", "mtbf": "9000 h", "blast": 32, "detect": "40 min"}],
    )
    assert [step.name for step in ablation_steps(each)] == ["detection"]


@pytest.mark.parametrize(
    ("identify", "every", "charged"),
    [("sum", "60 min", True), ("max", "60 min", True), ("max", "90 min", False), ("rollback", "60 min", False)],
)
def test_detection_is_a_step_only_where_the_formula_leaves_it_out(identify: str, every: str, charged: bool) -> None:
    """Detection of 40 min: `sum` charges it, `max` if it exceeds half the interval, `rollback` never does."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": every}
    each = scenario(recovery, accounting={"mode": "hot", "identify": identify})
    assert ("detection" in [step.name for step in ablation_steps(each)]) is not charged


def test_crews_are_the_last_step() -> None:
    """A repair with two crews is put back last: first everyone has a crew, then two queue."""
    hazard = {"component": "gpu", "mtbf": "900 h", "blast": 32, "repair": {"time": "2 h", "crews": 2}}
    each = scenario({"kind": "fault-tolerant"}, hazards=[hazard])
    names = [name for name, _, _ in ablated_scenarios(each)]
    assert names == ["simulated recovery", "finite spares", "finite crews"]
    assert ablated_scenarios(each)[-1][2] == each


def test_working_hours_come_after_crews() -> None:
    """Shifts are put back last, and a visit too: first people are there at any hour."""
    stages = [{"time": "2 h", "crews": 2, "shifts": "daily 9-17"}, {"time": "2 h", "visit_when": 4}]
    for stage, last in zip(stages, (["finite crews", "working hours"], ["working hours"]), strict=True):
        hazard = {"component": "gpu", "mtbf": "900 h", "blast": 32, "repair": stage}
        each = scenario({"kind": "fault-tolerant"}, hazards=[hazard])
        names = [name for name, _, _ in ablated_scenarios(each)]
        assert names == ["simulated recovery", "finite spares", *last]
        assert ablated_scenarios(each)[-1][2] == each
        always = ablated_scenarios(each)[-2][2].hazards[0].stages[0]
        assert (always.shifts, always.visit_when, always.crews) == (None, None, stage.get("crews"))
