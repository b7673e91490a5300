"""Debt and equity over simulated runs: each figure against one computed in another way."""

import json
import math

import numpy as np
import numpy_financial as npf
import pytest

from dcsim import estimate
from dcsim.decide import RunResult, compare, run
from dcsim.decide.accounts import phase_dates
from dcsim.decide.gates import Gate, judge
from dcsim.decide.lender import Lender
from dcsim.decide.metrics import METRICS
from dcsim.decide.verdict import tail_verdict
from dcsim.montecarlo.statistics import variance_of
from dcsim.scenario import ScenarioError, read
from dcsim.units import MS_PER_H

RUNS = 40


@pytest.fixture(scope="module")
def financed() -> RunResult:
    """72 racks at 12 %, with an uncertain renewal, electricity and MTBF."""
    return run("finance/racks-12", replications=RUNS)


@pytest.fixture(scope="module")
def lender(financed: RunResult) -> Lender:
    assert financed.lender is not None
    return financed.lender


def test_the_debt_is_the_annuity_of_the_capital(lender: Lender) -> None:
    """Racks at 3.5 million are 85 % of the capital; 80 % of it at 1 % a month over 48 months."""
    capital = 72 * 3.5e6 / 0.85
    paid = -float(npf.pmt(0.01, 48, 0.8 * capital))
    assert lender.statement.values["debt_service"][:, 1:] == pytest.approx(np.full((RUNS, 48), paid), abs=0.005)


def test_the_least_dscr_is_that_of_the_worst_month_of_each_run(lender: Lender) -> None:
    """The least DSCR and the shares below 1.2 and 1 are those of a loop over runs and months."""
    values = lender.statement.values
    least = [
        min(values["operating_cash"][each, month] / values["scheduled"][each, month] for month in range(1, 49))
        for each in range(RUNS)
    ]
    assert lender.min_dscr == pytest.approx(least, rel=1e-12)
    assert lender.below_floor.mean() == sum(each < 1.2 for each in least) / RUNS
    assert lender.short.mean() == sum(each < 1 for each in least) / RUNS
    assert lender.weakest_month is not None
    assert lender.weakest_month > 36  # the contract ends after three years


def test_equity_is_what_is_left_of_owner_and_lender(lender: Lender) -> None:
    """Revenue less operating costs, capital and interest; its value is that of numpy-financial."""
    its = lender.statement
    left = its.total("revenue") - its.total("opex") - its.total("capex")
    assert its.total("equity_cash") == pytest.approx(left - its.total("interest"), abs=0.05)
    assert lender.equity_npv[0] == pytest.approx(npf.npv(1.2 ** (1 / 12) - 1, its.values["equity_cash"][0]), abs=0.01)


def test_failures_cost_what_the_statement_without_them_says(lender: Lender) -> None:
    """More rent is invoiced and no repair is paid; electricity stays as simulated."""
    its, without = lender.statement, lender.without_failures.statement
    gap = without.total("operating_cash") - its.total("operating_cash")
    assert gap == pytest.approx(its.total("rent_lost") + its.total("repairs"), rel=1e-9)
    assert (lender.without_failures.min_dscr > lender.min_dscr).all()


def test_a_break_even_is_where_its_condition_just_holds(lender: Lender) -> None:
    """The first is its closed form; at the others the value of equity and P5 of the DSCR are what was asked."""
    its = lender.statement
    capital, hurdle, floor = lender.break_evens
    closed = (its.total("capex") + its.total("opex")).mean() / (its.total("revenue") / its.inputs["rent"].value).mean()
    assert capital.rent == pytest.approx(closed, rel=1e-6)
    assert hurdle.occupancy is not None
    assert floor.rent is not None
    at_hurdle = Lender(its.changed(occupancy=hurdle.occupancy), lender.finance)
    assert at_hurdle.equity_npv.mean() == pytest.approx(0, abs=200)
    at_floor = Lender(its.changed(rent=floor.rent), lender.finance)
    assert np.quantile(at_floor.min_dscr, 0.05) == pytest.approx(1.2, abs=1e-5)


def test_the_debt_that_is_borne_is_covered_in_95_per_cent_of_the_runs(lender: Lender) -> None:
    """With its LTV in the scenario, the least DSCR of one run in twenty is the floor."""
    assert lender.bearable_usd is not None
    ltv = lender.bearable_usd / lender.mean("capex")
    assert 0.3 < ltv < 0.8
    found = run("finance/racks-12", replications=RUNS, set=[f"finance.tranches.bank.ltv={100 * ltv} %"]).lender
    assert found is not None
    assert np.quantile(found.min_dscr, 0.05) == pytest.approx(1.2, rel=1e-9)


def test_prices_failures_and_chance_are_told_apart(lender: Lender) -> None:
    """Prices move the least DSCR, and what is left with fixed prices is what failures do; squares add up."""
    found = lender.causes["min_dscr"]
    assert found.prices > 10 * found.failures > 10 * found.chance > 0
    whole = variance_of(lender.min_dscr, 2)
    assert whole is not None
    assert found.prices**2 + found.failures**2 == pytest.approx(whole.inputs, rel=1e-9)
    fixed = run("finance/racks-12", replications=RUNS, set=["uncertain=[]"])
    assert fixed.lender is not None
    assert not fixed.lender.causes


def test_only_the_price_is_uncertain_where_nothing_else_is() -> None:
    """With the MTBF known, what fixed prices leave is chance, and no failure is uncertain."""
    between = "kind='uniform', low='10 %', high='14 %'"
    found = run(
        "finance/vendor-loan",
        replications=RUNS,
        set=[f"uncertain=[{{key='finance.tranches.0.rate', value={{{between}}}}}]"],
    )
    assert found.lender is not None
    its = found.lender.causes["cash_usd"]
    assert its.prices == pytest.approx(0, abs=1e-6)  # the rate is paid out of the cash before debt
    assert found.lender.causes["equity_npv_usd"].prices > 10_000
    rates = found.lender.statement.inputs["t1_rate"].value
    assert isinstance(rates, np.ndarray)
    assert len(set(rates.tolist())) == RUNS // 2


def test_the_document_has_every_figure_and_no_number_that_is_none(financed: RunResult) -> None:
    text = json.dumps(financed.to_json(), allow_nan=False)
    found = json.loads(text)["scenarios"][0]["finance"]
    assert found["debt"]["p_below_floor"] == pytest.approx(float(financed.lender.below_floor.mean()))  # type: ignore[union-attr]
    assert found["risk"]["min_dscr"]["p5"] < found["risk"]["min_dscr"]["p95"]
    assert found["risk"]["cash_usd"]["expected_shortfall"] <= found["risk"]["cash_usd"]["p5"]
    assert set(found["returns"]) == {"yearly", "monthly"}


def test_figures_of_debt_and_equity_are_metrics_and_gates(financed: RunResult, lender: Lender) -> None:
    least = METRICS["min_dscr"].summary(financed)
    assert least is not None
    assert least.mean == pytest.approx(float(lender.min_dscr.mean()))
    assert METRICS["equity_npv_usd"].summary(financed) is not None
    (judged,) = judge([Gate.read("p(min_dscr < 1.2) > 5 %")], [financed])
    assert judged.broken
    assert judged.value == pytest.approx(float(lender.below_floor.mean()))
    with pytest.raises(Exception, match="plain number"):
        Gate.read("min_dscr < 3 h")


def test_dearer_debt_leaves_equity_less_in_every_run(lender: Lender) -> None:
    dearer = run("finance/racks-18", replications=RUNS).lender
    assert dearer is not None
    assert (dearer.equity_npv < lender.equity_npv).all()
    assert dearer.statement.total("free_cash") == pytest.approx(lender.statement.total("free_cash"))


def test_the_vendors_loan_is_worth_more_than_seven_and_a_half_thousand_off_a_server() -> None:
    loan, cheap = (run(f"finance/{name}", replications=8).lender for name in ("vendor-loan", "cheap-server"))
    assert loan is not None
    assert cheap is not None
    assert (loan.equity_npv > cheap.equity_npv).all()
    saved = loan.statement.total("capex") - cheap.statement.total("capex")
    assert saved == pytest.approx(64 * 7_500)


def test_without_debt_the_document_says_none_and_equity_has_all() -> None:
    found = run("finance/vendor-loan", replications=4, set=["finance.tranches=[]"]).lender
    assert found is not None
    assert not found.has_debt
    assert found.to_json()["debt"] is None
    assert found.equity_npv == pytest.approx(found.flow("free_cash").npv(0.2, "monthly"))
    assert math.isinf(found.min_dscr[0])


def test_debt_is_drawn_as_racks_get_their_power() -> None:
    """Of 24 racks 8 have power at closing; a bank that draws by energisation owes the rest when they get it."""
    terms = ["owner={rack='3.1e6 USD', occupancy='90 %'}", "finance={tranches=[{draw='energisation', rate='12 %'}]}"]
    found = run("plant/energised-late", replications=6, set=terms).lender
    assert found is not None
    drawn, capital = found.statement.values["drawn"], found.statement.total("capex")[0]
    assert drawn[:, 0] == pytest.approx(np.full(6, 0.8 * capital / 3))
    assert drawn.sum(axis=1) == pytest.approx(np.full(6, 0.8 * capital))
    assert (drawn >= 0).all()
    assert len({tuple(row) for row in drawn.tolist()}) == 6  # dates are drawn
    assert found.statement.total("balance") == pytest.approx(np.zeros(6), abs=0.005)


BY_PHASE = [
    "owner={rack='3.1e6 USD', occupancy='90 %', paid='energisation', lead='2 mo'}",
    "finance={tranches=[{rate='12 %', interest_only='12 mo', construction='capitalised', commitment_fee='1 %'}]}",
]


def test_phases_are_paid_and_debt_is_drawn_at_their_own_dates_in_each_run() -> None:
    """Two halls of 8 of 24 racks: in each run a third of the capital is spent two months before either has power."""
    found = run("plant/energised-late", replications=6, set=BY_PHASE).lender
    assert found is not None
    its, dates = found.statement, phase_dates(read("plant/energised-late"), range(6))[0] / MS_PER_H / 720
    third = 24 * 3.1e6 / 0.85 / 3
    for number in range(6):
        wanted = np.zeros(37)
        wanted[0] = third
        for date in dates[number]:
            wanted[max(0, int(np.ceil(date - 2)))] += third
        assert its.values["capex"][number] == pytest.approx(wanted, abs=0.005)
        assert its.values["drawn"][number] == pytest.approx(0.8 * wanted, abs=0.005)
    assert len({tuple(row) for row in its.values["capex"].tolist()}) > 1
    assert (its.total("added") > 0).all()
    assert its.total("principal") + its.total("balloon") == pytest.approx(its.total("drawn") + its.total("added"))
    assert its.total("balance") == pytest.approx(np.zeros(6), abs=0.005)
    left = its.total("free_cash") - its.total("fees") - its.total("interest")
    assert its.total("equity_cash") == pytest.approx(left, abs=0.005)


def test_by_formula_the_phases_are_paid_at_their_mean_dates() -> None:
    """At known dates without chance the simulated debt is that of the formula, line by line, within half a cent."""
    known = ["energisation.0.date='6 mo'", "energisation.1.date='12 mo'", *BY_PHASE]
    scenario = read("plant/energised-late", set=known)
    by_formula, simulated = estimate(scenario).lender, run(scenario, replications=2).lender
    assert by_formula is not None
    assert simulated is not None
    for line in ("capex", "drawn", "added", "interest", "fees", "principal", "balance", "collateral"):
        for each in simulated.statement.values[line]:
            assert by_formula.statement.values[line][0] == pytest.approx(each, abs=0.005)


def test_nobody_pays_by_phase_without_phases() -> None:
    with pytest.raises(ScenarioError, match=r"owner\.paid: found \"energisation\"; allowed only where a phase"):
        read("finance/racks-12", set=["owner.paid=energisation"])
    with pytest.raises(ScenarioError, match="found lead; allowed only where paid"):
        read("finance/racks-12", set=["owner.lead=2 mo"])


def test_sculpted_debt_follows_the_mean_cash_of_all_runs() -> None:
    """Debt service of a month is the mean cash of the runs by the DSCR, the same in every run."""
    terms = ["finance.tranches=[{repayment='sculpted', dscr=1.4, ltv='50 %', rate='12 %'}]"]
    found = run("finance/racks-12", replications=6, set=terms).lender
    assert found is not None
    mean = found.statement.values["operating_cash"].mean(axis=0)
    assert found.statement.values["scheduled"][:, 5] == pytest.approx(np.full(6, mean[5] / 1.4))


def test_offers_are_ranked_by_the_p95_of_their_runs() -> None:
    """The P95 of each, cheapest first; with a constant gap the interval of the difference is that gap."""
    runs = [run("pretrain-5184/gold", replications=80, set=[f"tco.gpu_hour={usd} USD"]) for usd in (4, 4.2)]
    found = tail_verdict([runs[1], runs[0]])
    assert found is not None
    assert found.order == (1, 0)
    each = [one.money.paid / one.money.useful_gpu_hours for one in runs if one.money is not None]
    assert found.usd == pytest.approx([float(np.quantile(values, 0.95)) for values in each])
    ends = found.ci95[1]
    assert ends is not None
    assert not found.tied
    assert ends[0] <= found.usd[1] - found.usd[0] <= ends[1]
    few = compare(["pretrain-5184/gold", "pretrain-5184/gold"], replications=8, bridges=False)
    assert few.tail is None  # nobody asked
    told = tail_verdict(few.runs)
    assert told is not None
    assert (told.needed, told.tied, told.to_json()["cheapest"]) == (72, (1,), None)
