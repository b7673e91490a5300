"""Races for the best setting: what may be asked, what drops out, which is named, what is bounded and resumed."""

import json
import re
from typing import Any

import pytest

import dcsim
from dcsim.decide.optimize import optimize, simplicity
from dcsim.decide.optimize_race import Requirement
from dcsim.decide.optimize_result import Optimum
from dcsim.decide.variants import Variant
from dcsim.report.html import html
from dcsim.report.optimize_page import optimum_document, optimum_page
from dcsim.scenario import ScenarioError, read

pytestmark = pytest.mark.xdist_group("breakeven")
GOLD = read("pretrain-5184/gold", horizon="1 mo")
SILVER = read("pretrain-5184/silver", horizon="1 mo")


def search(*axes: str, offers: Any = GOLD, **how: Any) -> Optimum:
    """Race settings of short runs in this process."""
    return optimize(offers, axes, workers=1, **how)


@pytest.mark.parametrize(
    ("axes", "how", "said"),
    [
        ((), {}, "-L: missing; give a key and its values, or several files"),
        (("cluster.spares=8",), {}, "-L: found one setting; give a key and its values, or several files"),
        (
            ("cluster.spares=0,32",),
            {"goal": "goodput >= 95 %"},
            "--goal: found .*; must say of which share of the runs",
        ),
        (("cluster.spares=0,32",), {"goal": "godput >= 95 % at 90 %"}, '--goal .*did you mean "goodput"?'),
        (("cluster.spares=0,32",), {"goal": "lss"}, "--goal: found 'lss'; allowed: loss.*did you mean \"loss\"?"),
        (("cluster.spares=0,32",), {"goal": "finish_h"}, "--goal: found 'finish_h'; every job needs work"),
        (("cluster.spares=0,32",), {"budget": "paid_usd <= 5e8"}, "--budget: .*must say of which share of the runs"),
        (("cluster.spares=0,32",), {"budget": "p95(paid_usd) <= lots"}, "--budget"),
        (("cluster.spares=0,32",), {"runs": 3}, "--runs: found 3; must be at least 4: 2 runs of every setting"),
        (("cluster.spares=0,8,16; cluster.gpus=5152,5160",), {}, "-L: found 3 of cluster.spares, 2 of cluster.gpus; k"),
        (("cluster.spares=0,8", "cluster.spares=16,24"), {}, "-L: cluster.spares: found twice"),
        (("cluster.spare=0,8",), {}, '-L cluster.spare=0: .*unknown key.*"spares"'),
    ],
)
def test_what_cannot_be_asked_is_one_line(axes: tuple[str, ...], how: dict[str, Any], said: str):
    """Each mistake is named before anything is simulated."""
    with pytest.raises(ScenarioError) as caught:
        search(*axes, **how)
    assert re.match(said, str(caught.value.problems[0])), str(caught.value)


def test_a_price_needs_prices():
    """A budget without [tco] is refused."""
    with pytest.raises(ScenarioError, match="every scenario needs"):
        search("cluster.spares=0,64", offers="strategies-5184/elastic", budget="p95(paid_usd) <= 5e8")


@pytest.mark.parametrize(
    ("text", "metric", "op", "bound", "share"),
    [
        ("goodput >= 95 % at 90 %", "goodput", ">=", 0.95, 0.90),
        ("p(goodput >= 95 %) >= 90 %", "goodput", ">=", 0.95, 0.90),
        ("p95(paid_usd) <= 5.5e8", "paid_usd", "<=", 5.5e8, 0.95),
        ("p5(goodput) >= 94 %", "goodput", ">=", 0.94, 0.95),
    ],
)
def test_a_requirement_is_of_a_share_of_the_runs(text: str, metric: str, op: str, bound: float, share: float):
    """P95 at most B is 95 % of the runs at most B; P5 at least B is 95 % of the runs at least B."""
    found = Requirement.read(text, "--goal")
    assert (found.metric.name, found.condition.op, found.condition.bound) == (metric, op, bound)
    assert found.share == pytest.approx(share)


def test_what_is_worse_drops_out_early_and_the_bound_holds():
    """Slow detection is worse after the first look; no more runs are spent on it, nor more than are allowed."""
    found = search("hazards.gpu.detect=5 min,15 min,60 min", runs=150)
    assert found.members == (0,)
    assert (found.best, found.chosen, found.dearer) == (0, 0, 0.0)
    assert [each.fate for each in found.settings] == ["best", "worse", "worse"]
    assert found.used <= 150
    assert not found.exhausted


def test_equal_settings_are_not_told_apart_and_the_simplest_is_named():
    """Intervals that a fault-tolerant job never goes back to: all are equal, the longest is named."""
    found = search("jobs.pretrain.recovery.checkpoint_every=10 min,60 min,30 min")
    assert found.members == (0, 1, 2)
    assert found.chosen == 1
    assert found.dearer == 0.0
    assert "it is the simplest of 3 settings that cannot be told apart" in optimum_page(found).answer[0]


def test_settings_that_differ_in_money_share_their_runs():
    """Prices alone need no runs of their own."""
    found = search("tco.licence=0 USD,0.1 USD,0.2 USD")
    assert found.members == (0,)
    assert found.used == found.looks[0].runs


def test_keys_in_one_option_change_together():
    """A stock taken from the jobs: research shrinks as spares grow, and there are as many settings as values."""
    found = search("cluster.spares=32,48; cluster.gpus=5184; jobs.research.gpus=264,260")
    assert len(found.settings) == 2
    assert [dict(each.inputs)["jobs.research.gpus"] for each in found.settings] == [264, 260]
    assert [each.scenario.cluster.gpus for each in found.settings] == [5184, 5184]


def test_a_stock_of_spares_is_bought():
    """More spares are more GPUs; jobs keep theirs."""
    found = search("cluster.spares=0,32", runs=64)
    assert [each.scenario.cluster.gpus for each in found.settings] == [5152, 5184]


def test_a_target_leaves_what_meets_it_for_least():
    """Of settings that keep a goodput the cheapest is named; those that miss it for sure drop out."""
    found = search("hazards.gpu.detect=1 min,15 min,60 min", goal="goodput >= 90 % at 90 %", runs=3000)
    assert found.settings[2].fate == "misses"
    assert found.chosen == 0
    (met,) = found.settings[0].met
    assert met is not None
    assert met.fate == "meets"
    assert met.ci95[0] <= met.share <= met.ci95[1]
    page = optimum_page(found)
    assert page.answer[0].startswith('Of what meets "goodput >= 90 % at 90 %" for sure, with detection in 1 min ')


def test_a_target_that_nothing_meets_is_told_so():
    """No setting reaches 99.9 %: none is named, the nearest is."""
    found = search("hazards.gpu.detect=5 min,15 min", goal="goodput >= 99.9 % at 90 %")
    assert found.chosen is None
    assert found.best is None
    said = optimum_page(found).answer[0]
    assert said.startswith('No setting meets "goodput >= 99.9 % at 90 %": ')
    assert "comes nearest, 0.0 %" in said


def test_too_few_runs_for_a_target_are_told_so():
    """With so few runs nothing is sure: neither met nor missed, and that is said."""
    found = search("hazards.gpu.detect=5 min,15 min", goal="goodput >= 90 % at 90 %", runs=40)
    assert {each.fate for each in found.settings} == {"unsure"}
    assert found.exhausted
    said = " ".join(optimum_page(found).answer)
    assert "these runs cannot tell" in said
    assert "All 40 runs that were allowed are used" in said


def test_most_work_within_a_budget():
    """The dearest settings miss the budget; of the others most useful hours are best."""
    found = search("cluster.spares=0,32,320", budget="p95(paid_usd) <= 5.5e8", runs=2000)
    assert found.metric.name == "useful_gpu_hours"
    assert found.settings[2].fate == "misses"
    assert found.chosen in (0, 1)


def test_too_few_failures_drop_nothing():
    """Where hardly anything fails, a rare large loss may not have come yet: all settings are left, and that is said."""
    rare = read(
        {
            "name": "rare",
            "horizon": "1 mo",
            "cluster": {"topology": "hgx-h100", "gpus": 64},
            "jobs": [{"name": "train", "gpus": 56, "recovery": {"kind": "fault-tolerant"}}],
            "hazards": [{"component": "node", "mtbf": "1000000 h", "repair": "500 h"}],
            "tco": {"gpu_hour": "4 USD"},
        }
    )
    found = search("hazards.node.repair=100 h,500 h", offers=rare, runs=64)
    assert found.members == (0, 1)
    assert found.dearer is None or found.chosen == found.best


def test_a_setting_without_losses_drops_out_if_it_is_dearer_all_the_same():
    """Forty spare GPUs of 96 never run out, so there is no loss to measure; they cost too much whatever may come."""
    often = read(
        {
            "name": "often",
            "horizon": "12 mo",
            "seed": 38,
            "cluster": {"topology": "hgx-h100", "gpus": 64},
            "jobs": [{"name": "train", "gpus": 64, "recovery": {"kind": "fault-tolerant"}}],
            "hazards": [{"component": "node", "mtbf": "2000 h", "repair": "24 h"}],
            "tco": {"gpu_hour": "4 USD"},
        }
    )
    found = search("cluster.spares=0,40", offers=often)
    assert found.members == (0,)
    assert found.settings[1].fate == "worse"


def test_files_are_an_axis_too():
    """Several offers without keys: which one is best."""
    found = search(offers=[GOLD, SILVER])
    assert found.members == (0,)
    assert optimum_page(found).answer[0].startswith("With Gold-tier a useful GPU-hour costs least: ")


def test_simplicity_is_fewest_spares_then_the_longest_interval():
    """Spares decide before crews, crews before intervals, intervals before the order."""

    def order(*inputs: tuple[str, Any]) -> tuple[Any, ...]:
        return simplicity(Variant(0, inputs, GOLD), 0)

    few = order(("cluster.spares", 0), ("a.checkpoint_every", "10 min"))
    many = order(("cluster.spares", 8), ("a.checkpoint_every", "60 min"))
    long = order(("cluster.spares", 0), ("a.checkpoint_every", "60 min"))
    assert sorted([few, many, long]) == [long, few, many]
    assert order(("hazards.x.repair.crews", 1)) < order(("hazards.x.repair.crews", 2))


def test_a_race_is_resumed_to_the_same_answer(tmp_path):
    """Kept runs are read again: the same document, and the folder is the question's own."""
    first = search("hazards.gpu.detect=5 min,15 min", output=tmp_path)
    assert first.folder is not None
    again = search("hazards.gpu.detect=5 min,15 min", output=tmp_path, resume=True)
    assert again.folder == first.folder
    assert again.to_json() == first.to_json()
    other = search("hazards.gpu.detect=5 min,15 min", output=tmp_path, goal="loss")
    assert other.folder != first.folder


def test_workers_change_nothing():
    """The same answer from one process and from two."""
    one = optimize(GOLD, ["hazards.gpu.detect=5 min,15 min"], workers=1, runs=80)
    two = optimize(GOLD, {"hazards.gpu.detect": ["5 min", "15 min"]}, workers=2, runs=80)
    assert one.to_json() == two.to_json()


def test_the_document_the_table_and_the_report():
    """JSON is plain data, the table has a row for each setting, the report a picture and no script."""
    found = dcsim.optimize(GOLD, ["hazards.gpu.detect=5 min,15 min", "cluster.spares=0,32"], workers=1, runs=200)
    document = json.loads(json.dumps(found.to_json()))
    assert [each["number"] for each in document["settings"]] == [0, 1, 2, 3]
    assert document["chosen"] == found.chosen
    table = found.to_arrow()
    assert table.num_rows == 4
    assert {"hazards.gpu.detect", "cluster.spares", "stands", "chosen"} <= set(table.column_names)
    text = html(optimum_document(found, ["dcsim", "optimize"]))
    assert "<svg" in text
    assert "<script" not in text
    assert "at Gold-tier, hazards.gpu.detect = " in str(found)
