"""A goodput objective month by month, each number as arithmetic."""

from dataclasses import replace

import pytest

from dcsim.decide import run
from dcsim.montecarlo import choose
from dcsim.report.answer import run_sentences
from dcsim.report.simulated import simulated_table
from dcsim.scenario import Scenario, ScenarioError, load, read
from tests.unit.literal import chosen, hazard, job, scenario

H = 3_600_000
GANG = {"failover": 2 * H, "restore": 3 * H, "checkpoint_every": 100 * H}


def five(objective: str | None = "79 %", months: int = 2) -> Scenario:
    """Four GPUs of a job and a spare; a failure costs 10 + 2 + 3 h."""
    tiny = scenario(5, job("a", 4, **GANG), hazards=[hazard(detect=10 * H)], spares=1, horizon=months * 720 * H)
    document = tiny.model_dump(mode="json", exclude_defaults=True)
    return read(document | ({} if objective is None else {"slo": {"goodput": objective}}))


def test_the_budget_of_each_month():
    """The spare costs 20 % of every month; a failure at a checkpoint takes 60 of 3,600 GPU-hours of the second.

    79 % leave a budget of 21 %: 20 / 21 of it is used in the first month, (720 + 60) / 36 / 21 in the second.
    """
    with chosen([[(1000 * H, 0, 100 * H)]]):
        found = run(five(), replications=1, workers=1)
    told = found.to_json()["scenarios"][0]["error_budget"]
    first, second = 20 / 21, 780 / 36 / 21
    assert told["objective"] == 0.79
    assert told["months_within"]["mean"] == 0.5
    assert told["used"]["mean"] == pytest.approx((first + second) / 2)
    assert told["used"]["p95"] == pytest.approx(first + 0.95 * (second - first))
    assert [each["used"] for each in told["by_month"]] == pytest.approx([first, second])
    assert [each["used_p95"] for each in told["by_month"]] == pytest.approx([first, second])
    assert [each["missed"] for each in told["by_month"]] == [0.0, 1.0]
    rows = {row.label: row.texts for row in simulated_table([found]).rows}
    assert rows["months that lose 21 % or less, %"] == ("50.00",)
    assert rows["  error budget used, mean of months, %"] == ("99.21",)
    assert rows["  error budget used, P95 of single months, %"] == ("102.8",)
    assert "The objective of 79 % goodput is kept in 50.0 % of the months" in " ".join(run_sentences(found))


def test_a_budget_that_is_used_up_exactly_is_kept():
    """Without failures 80 % of each month are useful: an objective of 80 % is kept in both."""
    with chosen([[]]):
        found = run(five("80 %"), replications=1, workers=1)
    assert found.error_budget is not None
    assert found.error_budget.within.mean == 1


def test_nothing_is_told_without_an_objective_or_without_months():
    """No row, no sentence and null in JSON."""
    with chosen([[]]):
        for found in (run(five(None), replications=1), run(five(), replications=1, monthly=False)):
            assert found.error_budget is None
            assert found.to_json()["scenarios"][0]["error_budget"] is None
            assert not any("months that lose" in row.label for row in simulated_table([found]).rows)
            assert not any("objective" in sentence for sentence in run_sentences(found))


def test_an_objective_changes_no_run():
    """Two scenarios that differ in nothing but their objective share their runs."""
    gold = load("pretrain-5184/gold", horizon="2 mo")
    asked = load("pretrain-5184/gold", horizon="2 mo", **{"slo.goodput": "90 %"})
    alike, its = run(gold, replications=4), run(asked, replications=4)
    assert alike.loss.mean == its.loss.mean
    assert its.error_budget is not None
    assert its.error_budget.used.shape == (4, 2)
    assert its.error_budget.used.mean() == pytest.approx(its.lost.mean / 0.1)
    assert replace(choose(), monthly=True) == its.engine


@pytest.mark.parametrize(
    ("value", "why"), [("100 %", "below 100 %"), (0.9, "the unit is missing"), ("90 pp", "a share below 100 %")]
)
def test_an_objective_leaves_a_budget(value: object, why: str):
    """A share below 100 %, with its unit."""
    with pytest.raises(ScenarioError, match=r"slo\.goodput") as found:
        load("pretrain-5184/gold", **{"slo.goodput": value})
    assert why in str(found.value)
