"""What a report, a comparison and a bridge say where a reader could be misled."""

from pathlib import Path

import click
import pytest

from dcsim.cli.progress import ProgressLine
from dcsim.decide import MtbfRange, compare, run, study
from dcsim.decide.ablation import ablated_scenarios
from dcsim.decide.estimate import estimate
from dcsim.montecarlo import Interrupted
from dcsim.report.answer import answer_table
from dcsim.report.published_tables import resiliency_table
from dcsim.report.simulated import comparison_page, run_page
from dcsim.scenario import load
from tests.unit.results import lost

GOLD = load("pretrain-5184/gold")
MONTH = {"horizon": "1 mo"}
ONE = {"replications": 2, "workers": 1}


def test_a_formula_beyond_its_validity_is_marked_where_it_stands():
    """A linear loss of 100 % or more is printed as it is, with the remark in the same cell; one below has none."""
    broken = load("pretrain-5184/gold", **{"hazards.gpu.detect": "200 h"})
    *_, row = resiliency_table([estimate(GOLD), estimate(broken)]).rows
    assert row.label == "goodput loss, %"
    assert row.texts == ("6.14", "3,278.85 (formula does not hold)")
    calm, wild = lost(GOLD, 0.1, 0.2), lost(broken, 0.9, 0.95)
    assert [each.texts[-1] for each in answer_table([calm, wild]).rows] == list(row.texts)
    assert ", 6.14 % by the published formula." in run_page([calm]).answer[0]
    assert ", 3,278.85 % by the published formula, which does not hold." in run_page([wild]).answer[0]


def test_a_charged_size_that_no_job_has_is_marked_where_it_stands():
    """A job made smaller while accounting.job_size stays: the formula still charges the old size."""
    smaller = load("pretrain-5184/gold", **{"jobs.pretrain.gpus": 2048})
    rows = {row.label: row.texts for row in resiliency_table([estimate(GOLD), estimate(smaller)]).rows}
    assert rows["GPUs charged per failure"] == ("4,096", "4,096 (largest job: 2,048)")


def test_a_horizon_that_is_not_the_term_is_noted():
    """Money over 36 months from runs of one month: said, and not said where the two are equal."""
    said = "horizon and [tco] term differ: money over the term is at the loss, and the spread, of one horizon"
    assert said in run_page([run(load("pretrain-5184/gold", **MONTH), **ONE)]).notes
    assert said not in run_page([lost(GOLD, 0.1, 0.2)]).notes


def test_runs_without_a_failure_are_noted():
    """No failure in any replication: an interval of zero width says nothing."""
    quiet = load("pretrain-5184/gold", **MONTH, **{"hazards.gpu.mtbf": "1e8 h", "hazards.gpu.mtbf_range": None})
    notes = run_page([run(quiet, **ONE)]).notes
    assert "Gold-tier: no failure struck in any run, so its interval says nothing" in notes


def test_horizons_that_differ_are_noted():
    """Two horizons in one comparison: their runs do not spread alike."""
    day, month = load("pretrain-5184/gold", horizon="1 d", name="day"), load("pretrain-5184/gold", **MONTH)
    found = compare([day, month], bridges=False, **ONE)
    assert found.notes == ("horizon differs between the scenarios: their runs do not spread alike",)
    assert found.notes[0] in comparison_page(found).notes


def test_cold_spares_are_a_step_of_their_own():
    """Waiting for one's own repair by choice is not a lack of spares."""
    cold = load("pretrain-5184/gold", **{"jobs.pretrain.recovery.spare": "cold"})
    names = [name for name, _, _ in ablated_scenarios(cold)]
    assert names == ["simulated recovery", "finite spares", "cold spares"]
    assert ablated_scenarios(cold)[-2][2].jobs[0].recovery.spare == "hot"
    assert "cold spares" not in [name for name, _, _ in ablated_scenarios(GOLD)]


@pytest.mark.parametrize(("mode", "said"), [("hot", True), ("tolerant", False)])
def test_a_mode_that_is_not_the_strategy_is_said(mode, said):
    """Jobs that migrate beside a formula in hot mode: the first simulated step names that difference."""
    text = ablated_scenarios(load("pretrain-5184/gold", **{"accounting.mode": mode}))[0][1]
    assert text.startswith("jobs recover by their own strategies, not in the formula's hot mode; ") is said


def test_an_end_of_the_range_that_is_the_scenario_is_the_scenario(monkeypatch):
    """Where the scenario stands at its lowest MTBF, the loss there is the printed loss, not that of fewer runs."""
    monkeypatch.setattr(study, "MOST_AT_RANGE_ENDS", 2)
    found = run(load("pretrain-5184/gold", **MONTH), replications=4, workers=1)
    assert found.mtbf_range.loss_at_lowest == found.loss.mean
    assert found.mtbf_range.replications == 2


def test_luck_is_that_of_all_scenarios():
    """The spread in the answer is the widest of all runs, also of those without a range of MTBF."""
    ends = MtbfRange((("gpu", 1.0, 2.0),), 0.2, 0.1, 5.0, 4.0, 2, 0.2, 0.1)
    calm = lost(GOLD, 0.1, 0.1001, mtbf_range=ends)
    other = load("pretrain-5184/gold", name="wild")
    wild = lost(other, 0.1, 0.5)
    found = compare([GOLD, other], bridges=False, replications=1, workers=1)
    page = comparison_page(type(found)((calm, wild), (), (), ()))
    said = "moves the lost share by at most 36.00 percentage points (nine runs in ten)."  # 90 % of 0.1 … 0.5
    assert any(said in sentence for sentence in page.answer)


def test_the_price_of_a_useful_hour_has_its_interval():
    """The figure that decides carries an error as the loss does, and none with one replication."""
    assert "±" in answer_table([lost(GOLD, 0.1, 0.2)]).rows[0].texts[0]
    assert "±" not in answer_table([lost(GOLD, 0.1)]).rows[0].texts[0]


def test_interrupted_counts_what_is_kept(capsys):
    """Ctrl-C names the finished replications of the FILEs, not those of the bridge beside them."""
    samples = (lost(GOLD, 0.1, 0.2).sample, lost(GOLD, 0.1, 0.2, 0.3).sample)
    with pytest.raises(click.exceptions.Exit), ProgressLine(Path("outputs"), files=1):
        raise Interrupted(5, 9, samples)
    assert capsys.readouterr().err.startswith("interrupted: 2 finished replications are kept in outputs/")


def test_results_cannot_be_changed():
    """A sample's arrays are read-only, as frozen as the rest of a result."""
    sample = run(load("pretrain-5184/gold", **MONTH), **ONE).sample
    with pytest.raises(ValueError, match="read-only"):
        sample.gpu_ms[0] = 9
