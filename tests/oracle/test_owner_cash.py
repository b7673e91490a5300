"""What an owner is told: the stack, power budgets and cash, against the published figures and sums done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.decide import run
from dcsim.decide.cash import FLOW, Cash, Months
from dcsim.decide.estimate import estimate
from dcsim.decide.owner_by_formula import Expected, owner_by_formula, power_table
from dcsim.economics.finance import payback
from dcsim.economics.unit_costs import gpus_within, owner_prices, published_price, unit_costs
from dcsim.scenario import ScenarioError, read

NEOCLOUD = "owner/h200-neocloud"
STACK = (
    *('owner.occupancy="100 %"', 'owner.ramp="0 s"', 'owner.renewal_cut="0 %"', 'owner.repair="0 USD"'),
    *("cluster.spares=0", "jobs.tenant.count=64", 'hazards.gpu.mtbf="1e9 h"'),
)
"""The deck's stack: everything is rented, and nothing fails."""
RUNS = 16


def unit(source=NEOCLOUD, *changes):
    """The rows of a GPU-hour, by formula."""
    statement = owner_by_formula(read(source, set=changes))
    return {name: float(each[0, 0]) for name, each in unit_costs(statement).values.items()}


@pytest.fixture(scope="module")
def result():
    """The shipped neocloud, simulated."""
    return run(NEOCLOUD, replications=RUNS)


# --- the stack --------------------------------------------------------------------------------------------------------


def test_the_shipped_neocloud_holds_the_published_stack():
    """Row by row to the printed digit: 0.88, 0.35, 1.23, 1.90, 35 %; colocation and power are 28.5 % of the cost."""
    found = unit(NEOCLOUD, *STACK)
    assert [round(found[f"{row}_hour"], 2) for row in ("depreciation", "opex", "cost", "revenue")] == [
        *(0.88, 0.35, 1.23, 1.90)
    ]
    assert round(100 * found["gross_margin"]) == 35
    assert found["power_share"] == pytest.approx(0.285, abs=0.0005)
    assert found["breakeven_share"] == pytest.approx(0.647, abs=0.0005)
    assert found["breakeven_rent"] == pytest.approx(found["cost_hour"], rel=1e-4)


def test_the_capital_is_back_after_the_published_time():
    """2.27 years at 1.90 USD; 2 years need 2.108 USD."""
    found = owner_by_formula(read(NEOCLOUD, set=STACK))
    assert payback(found.values["cash_so_far"])[0] / 12 == pytest.approx(2.27, abs=0.005)
    found = owner_by_formula(read(NEOCLOUD, set=(*STACK, 'owner.rent="2.108 USD"')))
    assert payback(found.values["cash_so_far"])[0] / 12 == pytest.approx(2.0, abs=0.002)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        (NEOCLOUD, (*STACK, 'owner.power="10.2 kW"'), 13.05),
        (
            "pretrain-5184/gold",
            (
                *("cluster.spares=0", "jobs.pretrain.count=1"),
                *('owner.rack="3.5e6 USD"', 'owner.rent="4 USD"', 'owner.occupancy="100 %"', 'owner.power="7889 W"'),
            ),
            17.8,
        ),
    ],
)
def test_revenue_of_a_watt_in_a_year(name, changes, expected):
    """13.05 USD of H200 at 10.2 kW and 1.90; 17.8 of GB300 at 142 kW a rack of 18 nodes and 4 USD."""
    assert unit(name, *changes)["watt_year"] == pytest.approx(expected, abs=0.05)


def test_nine_published_prices_of_a_gpu_hour():
    """The deck's nine; a topology is matched by the name of its GPU, and an unknown one has none."""
    assert dict(owner_prices()) == {
        **{"H100": 1.69, "H200": 1.74, "B200": 2.34, "B300": 2.808, "GB200": 2.75, "GB300": 3.3},
        **{"MI300X": 1.4, "MI325X": 1.59, "MI355X": 1.9},
    }
    assert published_price("gb300-nvl72") == ("GB300", 3.3)
    assert published_price("hgx-b200") == ("B200", 2.34)
    assert published_price("my-cluster") is None


# --- power ------------------------------------------------------------------------------------------------------------


@given(
    power=st.floats(100, 1e6),
    kw=st.floats(0.2, 5),
    pue=st.floats(1, 2),
    per_unit=st.sampled_from([1, 4, 8, 72]),
)
def test_a_power_budget_carries_what_fits_and_not_one_unit_more(power, kw, pue, per_unit):
    """On random budgets: whole units whose power is within the budget, and with one more it is not."""
    gpus = gpus_within(power, kw, pue, per_unit)
    assert gpus % per_unit == 0
    assert gpus * kw * pue <= power * (1 + 1e-9)
    assert (gpus + per_unit) * kw * pue > power * (1 - 1e-9)


def test_power_and_back():
    """What the scenario takes carries the scenario; twice of it, twice the cluster and twice its cash."""
    own = power_table(NEOCLOUD, [f"power={881.92} kW,{2 * 881.92} kW"])
    assert own.own.site_kw == pytest.approx(64 * 10.6 * 1.30)
    one, two = own.budgets
    assert (one.gpus, two.gpus) == (512, 1024)
    assert one.cash == pytest.approx(own.own.cash, rel=1e-12)
    assert two.cash == pytest.approx(2 * own.own.cash, rel=1e-12)
    assert one.cost_hour == pytest.approx(unit()["cost_hour"], rel=1e-12)


def test_other_costs_of_the_site_do_not_grow_with_the_power():
    small, large = power_table(read(NEOCLOUD, set=('owner.staff="50000 USD/mo"',)), ["power=1 MW,10 MW"]).budgets
    assert large.cost_hour < small.cost_hour


@pytest.mark.parametrize(
    ("source", "axes", "told"),
    [
        (NEOCLOUD, ["power=5"], "-L: power: found 5; allowed: a power as text"),
        (NEOCLOUD, ["power=10 kW"], "-L: power: found '10 kW'; must carry one server"),
        (NEOCLOUD, ["cluster.gpus=64"], "-L: found 'cluster.gpus'; table power is about power"),
        ("pretrain-5184/gold", [], "table power: owner: Gold-tier: missing"),
    ],
)
def test_a_power_budget_that_says_nothing_is_one_line(source, axes, told):
    with pytest.raises(ScenarioError) as caught:
        power_table(source, axes)
    assert str(caught.value).startswith(told)


# --- cash -------------------------------------------------------------------------------------------------------------


def test_months_add_up_to_the_term_to_the_cent(result):
    """The mean months of every line that is a sum add up to its mean over the term."""
    cash = result.cash
    for line in cash.statement.lines:
        if line.fold == "sum":
            assert cash.by_month(line.name).mean.sum() == pytest.approx(cash.total(line.name).mean, abs=0.005)


def test_ranges_are_of_single_runs(result):
    values = result.cash.statement.values["electricity"]
    found = result.cash.by_month("electricity")
    assert found.p5 == pytest.approx(np.quantile(values, 0.05, axis=0))
    assert found.p95 == pytest.approx(np.quantile(values, 0.95, axis=0))


def test_failures_cost_rent_credits_and_repairs(result):
    """What failures cost is the sum of its parts, and repairs are failures times their price."""
    cash = result.cash
    parts = sum(cash.mean(name) for name in ("rent_lost", "credits", "repairs"))
    assert cash.mean("failures_cost") == pytest.approx(parts, abs=0.005)
    assert cash.mean("repairs") == pytest.approx(800 * result.sample.failures.mean(), rel=1e-12)


def test_credits_are_a_cost_of_failures_and_no_revenue():
    """Nodes sold with an availability: credits are given, and both figures know of them."""
    sold = ("sla.sold=node", 'sla.credits.cap="50 %"')
    cash = run(NEOCLOUD, replications=4, set=sold).cash
    credits, hours = cash.mean("credits"), 512 * 4 * 8_760
    assert credits > 0
    assert cash.mean("failures_cost") == pytest.approx(credits + cash.mean("rent_lost") + cash.mean("repairs"))
    assert cash.unit_cost("revenue_hour") == pytest.approx((cash.mean("revenue") - credits) / hours)
    spent = cash.mean("revenue") - credits - cash.mean("opex")
    assert cash.mean("operating_cash") == pytest.approx(spent, abs=0.005)


def test_a_point_of_occupancy_is_worth_a_point_of_the_rent(result):
    """Rent is in proportion to the occupancy, which is 90 %; nothing else depends on it."""
    (lever,) = (each for each in result.cash.levers if each.name == "occupancy")
    assert lever.usd == pytest.approx(result.cash.mean("revenue") / 90, rel=1e-9)
    assert [each.usd for each in result.cash.levers] == sorted((each.usd for each in result.cash.levers), reverse=True)


def test_levers_name_what_failures_and_spares_cost(result):
    worth = {each.name: each.usd for each in result.cash.levers}
    assert worth["failures"] == result.cash.mean("failures_cost")
    assert worth["spares"] == pytest.approx(result.cash.mean("all_on_sale") - result.cash.mean("revenue"))
    assert "spares" not in {each.name for each in estimate(read(NEOCLOUD, set=STACK)).cash.levers}


def test_spares_on_sale_would_bring_what_is_in_service_beyond_what_is_sold(result):
    """Rent and occupancy of the month times the GPU-hours in service beyond those on sale."""
    cash, series = result.cash, result.book.activity.series
    rate = cash.statement.values["rent_now"] * cash.statement.values["occupancy_now"]
    more = rate * (series["in_service_gpu_hours"] - np.minimum(series["in_service_gpu_hours"], 496 * series["hours"]))
    assert cash.mean("all_on_sale") - cash.mean("revenue") == pytest.approx(more.sum(axis=1).mean(), rel=1e-9)


@given(st.lists(st.lists(st.floats(-100, 100), min_size=3, max_size=12), min_size=1, max_size=1))
def test_the_capital_is_back_when_cash_never_falls_below_zero_again(runs):
    """On random flows: the last crossing from below zero, by linear interpolation; never, if the end is below."""
    so_far = np.cumsum(np.array(runs), axis=1)
    (found,) = payback(so_far).tolist()
    below = [month for month, value in enumerate(so_far[0]) if value < 0]
    if not below:
        assert found == 0
    elif below[-1] == so_far.shape[1] - 1:
        assert found == np.inf
    else:
        assert below[-1] <= found <= below[-1] + 1
        line = np.interp(found, np.arange(so_far.shape[1]), so_far[0])
        assert line == pytest.approx(0, abs=1e-9)


def test_formula_and_simulation_agree_where_failures_seldom_meet(result):
    """Repairs and hours in service within 4 standard errors; rent within 0.1 %, as there are spares enough."""
    expected, cash = estimate(NEOCLOUD).cash, result.cash
    repairs = cash.total("repairs")
    assert abs(expected.mean("repairs") - repairs.mean) < 4 * repairs.se
    out = result.book.activity.series
    away = 1 - out["in_service_gpu_hours"].sum(axis=1) / out["powered_gpu_hours"].sum(axis=1)
    formula = Expected.of(result.scenario)
    error = away.std(ddof=1) / np.sqrt(RUNS)
    assert abs((1 - formula.in_service[1:].mean()) - away.mean()) < 4 * error
    assert expected.mean("revenue") == pytest.approx(cash.mean("revenue"), rel=1e-3)
    assert expected.mean("electricity") == pytest.approx(cash.mean("electricity"), rel=0.03)  # full load


def test_energised_late_by_formula_and_simulated():
    """Hours with power by the mean dates of the phases, against those of the runs, within 4 standard errors."""
    owner = {"rack": "3.5e6 USD", "rent": "4 USD", "occupancy": "90 %"}
    late = read("plant/energised-late")
    late = late.model_copy(update={"owner": type(read(NEOCLOUD).owner).model_validate(owner)})
    found = run(late, replications=32)
    powered = found.book.activity.series["powered_gpu_hours"].sum(axis=1)
    expected = owner_by_formula(late).series["powered_gpu_hours"].sum()
    assert abs(expected - powered.mean()) < 4 * powered.std(ddof=1) / np.sqrt(32)


def test_one_run_is_its_own_range():
    found = Months.of(np.array([[0.0, 2.0, 4.0]]))
    assert found.to_json() == {name: [0.0, 2.0, 4.0] for name in ("mean", "p5", "p95")}


def test_nothing_in_the_document_is_not_a_number(result):
    import json

    document = result.to_json()
    text = json.dumps(document, allow_nan=False)
    assert '"owner"' in text
    lines = document["scenarios"][0]["owner"]["lines"]
    assert lines["revenue"]["formula"] == "rent_now * billed_gpu_hours"
    assert len(lines["revenue"]["by_month"]["mean"]) == 49
    bare = read(NEOCLOUD, set=('owner.occupancy="0 %"',))
    json.dumps(estimate(bare).to_json(), allow_nan=False)


def test_without_an_owner_nothing_is_told():
    found = run("pretrain-5184/gold", replications=2)
    assert found.cash is None
    assert estimate("pretrain-5184/gold").cash is None
    assert "owner" not in found.to_json()["scenarios"][0]


def test_cash_is_that_of_the_book(result):
    assert isinstance(result.cash, Cash)
    assert result.cash.total(FLOW).mean == pytest.approx(result.book.statement.total(FLOW).mean())
