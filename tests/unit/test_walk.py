"""Walks from one offer to another: which steps there are, and what they add up to."""

import math

import numpy as np
import pytest

from dcsim import compare, diff
from dcsim.decide.outcome import run
from dcsim.decide.pair import Pair
from dcsim.decide.walk import walk
from dcsim.montecarlo.statistics import two_phase
from dcsim.report.walks import _digits_of, _signed, diff_page, walk_inputs, walk_picture, walk_sentence, walk_table
from dcsim.scenario import load, read
from dcsim.scenario.files import plain

MONTH = "1 mo"
GOLD, SILVER, HYPER = (load(f"pretrain-5184/{name}", horizon=MONTH) for name in ("gold", "silver", "hyperscaler"))
ONE = {"workers": 1, "monthly": False}


@pytest.fixture(scope="module")
def steps():
    """Walk from Gold to Silver."""
    return walk(GOLD, SILVER, replications=4, **ONE)


def sizes(found, figure):
    """Return one figure of every step, in turn."""
    return [getattr(each.in_turn, figure).mean for each in found.steps]


def test_groups_change_hands_in_one_order(steps):
    """Those that do not fit alone change together: 32 spares, and the jobs that are smaller for them."""
    assert [each.groups for each in steps.steps] == [
        ("failures",),
        ("detection",),
        ("recovery",),
        ("repair",),
        ("spares", "jobs"),
        ("storage",),
        ("setup",),
        ("debugging",),
    ]
    assert steps.steps[4].label == "spares and jobs"


@pytest.mark.parametrize("figure", ["lost", "usd_per_useful_gpu_hour", "paid_usd"])
def test_steps_add_up_to_the_gap(steps, figure):
    """In every unit, to the last digit that floats have."""
    gap = getattr(steps.gap, figure).mean
    assert sum(sizes(steps, figure)) == pytest.approx(gap, rel=1e-12, abs=1e-12)
    pair = Pair(run(GOLD, replications=4, workers=1), run(SILVER, replications=4, workers=1))
    assert steps.gap.lost == pair.lost_difference
    assert steps.gap.usd_per_useful_gpu_hour == pair.useful_hour_difference


def test_what_changes_nothing_is_exactly_nothing(steps):
    """Prices lose no GPU-hour, and what is simulated moves no invoice: exactly 0, not about."""
    for each in steps.steps:
        assert (each.in_turn.lost.mean == 0) == (not each.simulated)
        assert (each.in_turn.paid_usd.mean == 0) == each.simulated
    same = GOLD.hazards[0].model_copy(update={"age": 3_600_000})  # of lives that do not age
    found = walk(GOLD, GOLD.model_copy(update={"hazards": (same,)}), replications=3, **ONE)
    assert [each.groups for each in found.steps] == [("failures",)]
    assert sizes(found, "lost") == sizes(found, "usd_per_useful_gpu_hour") == [0.0]
    assert found.steps[0].in_turn.lost.ci95 == (0.0, 0.0)


def test_the_first_step_is_the_only_change_and_the_last_one_the_last(steps):
    """The same scenarios give the same effects."""
    assert steps.steps[0].alone == steps.steps[0].in_turn
    assert steps.steps[-1].missing == steps.steps[-1].in_turn
    for each in steps.steps:
        assert each.alone is not None
        assert each.missing is not None


def test_alone_and_missing_are_what_set_gives():
    """Gold with Silver's detection, and Silver with Gold's, simulated by themselves."""
    found = {each.label: each for each in walk(GOLD, SILVER, replications=3, **ONE).steps}["detection"]

    def lost(scenario, **changed):
        return run(scenario, replications=3, workers=1, set=[f"hazards.gpu.detect={changed['detect']}"]).lost.mean

    assert found.alone.lost.mean == pytest.approx(lost(GOLD, detect="60 min") - lost(GOLD, detect="15 min"), rel=1e-12)
    missing = lost(SILVER, detect="60 min") - lost(SILVER, detect="15 min")
    assert found.missing.lost.mean == pytest.approx(missing, rel=1e-12)


def test_an_offer_is_no_walk_from_itself():
    """There are no steps, whatever it is called and whatever its formula is."""
    other = SILVER.model_copy(update={"name": "B", "accounting": GOLD.accounting, "seed": 99})
    assert walk(SILVER, other, replications=1, **ONE).steps == ()


def test_both_offers_have_the_seed_of_the_first():
    """Another seed of the second would be a step of luck alone."""
    other = walk(GOLD, HYPER.model_copy(update={"seed": 99}), replications=2, **ONE)
    assert sizes(other, "lost") == sizes(walk(GOLD, HYPER, replications=2, **ONE), "lost")


def test_paid_steps_and_the_bill_by_line_come_to_the_same():
    """Support is a share of dearer storage: one step of storage, two lines; the sums are equal to the cent."""
    found = walk(GOLD, HYPER, replications=2, **ONE)
    by_line = Pair(found.a, found.b).attribution
    paid = {each.groups[0]: each.in_turn.paid_usd.mean for each in found.steps}
    invoiced = {key: usd for key, usd in by_line.items() if key != "goodput"}
    assert sum(paid.values()) == pytest.approx(sum(invoiced.values()), abs=0.005)
    assert paid["setup"] == pytest.approx(invoiced["setup"])
    assert paid["support"] == pytest.approx(invoiced["support"])
    back = {each.groups[0]: each.in_turn.paid_usd.mean for each in walk(HYPER, GOLD, replications=2, **ONE).steps}
    assert -back["storage"] == pytest.approx(1.03 * invoiced["storage"])  # support of 3 % is still charged on it
    assert -back["support"] < invoiced["support"]


def test_a_comparison_walks_from_the_first_offer_and_adds_up_to_its_own_gaps():
    """Steps have fewer runs than the offers, and are adjusted to all of them."""
    found = compare([GOLD, SILVER, HYPER], replications=40, workers=1)
    assert [(each.a.scenario.name, each.b.scenario.name) for each in found.walks] == [
        ("Gold-tier", "Silver-tier"),
        ("Gold-tier", "Hyperscaler"),
    ]
    for each, pair in zip(found.walks, found.pairs, strict=False):
        assert each.replications < len(each.a.sample)
        assert sum(sizes(each, "lost")) == pytest.approx(pair.lost_difference.mean, rel=1e-9)
        price = pair.useful_hour_difference.mean
        assert sum(sizes(each, "usd_per_useful_gpu_hour")) == pytest.approx(price, rel=1e-9)
    assert [entry["b"] for entry in found.to_json()["walks"]] == ["Silver-tier", "Hyperscaler"]
    assert compare([GOLD, SILVER], replications=1, workers=1, bridges=False).walks == ()


def test_steps_add_up_where_means_are_adjusted_for_the_failures_drawn():
    """With a precision, gaps of offers with other failure rates are those of plain means."""
    found = compare([GOLD, SILVER], precision="2 pp", replications=64, workers=1)
    (steps,), (pair,) = found.walks, found.pairs
    assert sum(sizes(steps, "lost")) == pytest.approx(pair.lost_difference.mean, rel=1e-9)
    price = pair.useful_hour_difference.mean
    assert sum(sizes(steps, "usd_per_useful_gpu_hour")) == pytest.approx(price, rel=1e-9)


# --- two-phase regression ---------------------------------------------------------------------------------------------


def test_what_is_a_sum_of_controls_gets_the_sum_of_their_means():
    """Exactly, with no more error than more runs of the same give."""
    draws = np.random.default_rng(11).normal(size=(200, 2))
    few, means = draws[:16], draws.mean(axis=0)
    moved, se, _ = two_phase(few[:, 1] - few[:, 0], few, means, 200)
    assert (few[:, 1] - few[:, 0]).mean() + moved == pytest.approx(means[1] - means[0], rel=1e-12)
    assert se == pytest.approx((few[:, 1] - few[:, 0]).std(ddof=1) / math.sqrt(200))


def test_two_phase_intervals_cover_as_often_as_they_say():
    """Of 4,000 intervals, 95 % within 4 standard errors of that share; a value that hangs on its controls is surer."""
    rng, covered, narrower = np.random.default_rng(20261128), 0, 0
    for _ in range(4000):
        x = rng.normal(3, 1, (100, 2))
        values = 0.7 * x[:, 0] - 0.2 * x[:, 1] + rng.normal(0, 0.5, 100)
        moved, se, reach = two_phase(values[:16], x[:16], x.mean(axis=0), 100)
        covered += abs(values[:16].mean() + moved - 1.5) <= reach
        narrower += se < values[:16].std(ddof=1) / 4
    assert abs(covered / 4000 - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / 4000)
    assert narrower > 3000


def test_too_few_runs_are_not_adjusted():
    """Nor are runs that are all there are."""
    x = np.arange(16.0).reshape(8, 2)
    assert two_phase(np.arange(8.0), x, (1, 2), 8) is None
    assert two_phase(np.arange(7.0), x[:7], (1, 2), 100) is None
    assert two_phase(np.zeros(8), x, (1, 2), 100)[:2] == (0.0, 0.0)


# --- what people read -------------------------------------------------------------------------------------------------


def test_what_is_said_of_a_walk(steps):
    """The gap and its largest steps; what changes; and a picture whose steps lead from one price to the other."""
    assert walk_sentence(steps).startswith("Silver-tier less Gold-tier: +")
    assert "and 5 more." in walk_sentence(steps)
    assert ("detection", "detection 15 min to 60 min") in walk_inputs(steps).items
    chart = walk_picture(steps).chart
    assert chart.first[1] + sum(size for _, size in chart.steps) == pytest.approx(chart.last[1], rel=1e-12)
    assert [label for label, _ in chart.steps][:2] == ["MTBF 25,000 h to 15,000 h", "detection 15 min to 60 min"]
    assert [row.label for row in walk_table(steps).rows][-1] == "all steps"


def test_a_small_gap_is_not_told_as_zero(steps):
    """Three decimals where two would read 0.00; what is zero has no sign."""
    assert [_digits_of(sizes, 2) for sizes in ([0.5, -0.07], [0.5, -0.004], [0.0, 1e-9], [0.0])] == [2, 3, 5, 2]
    assert [_signed(size, 2) for size in (0.5, -0.07, 0.0, -0.004)] == ["+0.50", "-0.07", "0.00", "0.00"]


def test_without_prices_steps_are_told_in_points():
    """Of the lost share."""
    bare = [each.model_copy(update={"tco": None}) for each in (GOLD, SILVER)]
    found = walk(*bare, replications=2, **ONE)
    assert len(found.steps) == 5
    assert "percentage points lost" in walk_sentence(found)
    chart = walk_picture(found).chart
    assert (chart.unit, chart.step_unit) == ("%", "pp")
    assert chart.first[1] + sum(size for _, size in chart.steps) == pytest.approx(chart.last[1], rel=1e-12)


def test_diff_from_python():
    """The inputs, and with runs the walk; a notebook shows its tables."""
    found = diff("pretrain-5184/gold", "pretrain-5184/silver")
    assert found.walk is None
    assert "hazards.gpu.detect: 15 min to 60 min" in str(found)
    assert "hazards.gpu.detect" in found._repr_html_()
    assert diff_page(found).answer == (
        "Gold-tier and Silver-tier differ in 16 keys: 9 that runs depend on, 4 of prices and 3 that neither depends "
        "on.",
    )
    walked = diff(GOLD, SILVER, replications=2, workers=1)
    assert walked.to_json()["walk"]["replications"] == 2
    assert str(diff(GOLD, GOLD)) == "no input differs"


def test_what_owners_lenders_and_token_sellers_read_is_no_step_though_it_is_drawn():
    """Two owners whose rents differ, with an uncertain price of energy: no step, and none of its draws is missed."""
    base = plain(load("tokens/factory", horizon="4 mo"))
    energy = {"kind": "uniform", "low": "0.05 USD/kWh", "high": "0.15 USD/kWh"}
    drawn = base | {"uncertain": [{"key": "owner.electricity", "value": energy}]}
    dearer = drawn | {"name": "Dearer", "owner": base["owner"] | {"rent": "2.50 USD"}, "finance": {"tranches": []}}
    found = compare([read(drawn), read(dearer)], replications=2, workers=1)
    assert found.walks == ()
    slower = drawn | {"name": "Slower", "hazards": [base["hazards"][0] | {"repair": "24 h"}]}
    (only,) = compare([read(drawn), read(slower)], replications=2, workers=1).walks
    assert [each.groups for each in only.steps] == [("repair",)]
