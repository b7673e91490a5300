"""Debt and equity: the published figures to their digits, loans against numpy-financial, identities to the cent."""

from itertools import product

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.economics.finance import Finance, Flow, expected_shortfall, finance_inputs, finance_lines
from dcsim.economics.owner import Owner, Site, owner_inputs, owner_lines
from dcsim.economics.statement import Line, Statement

YEAR = 8_760
KW = 10.6 * 0.35 / 0.349515  # so that operating costs are the printed 0.35 USD per GPU-hour, not 0.3495
H200 = {
    "server": "246391 USD",  # deck
    "network": "0 %",
    "storage": "0 %",
    "colocation": "110 USD/kW/mo",  # deck
    "electricity": "0.087 USD/kWh",  # deck
    "power": f"{KW} kW",  # calibrated
    "pue": 1.30,  # calibrated
    "rent": "1.90 USD",  # deck
    "occupancy": "100 %",
    "price_decay": "0 %",
}
LOAN = {"ltv": "80 %", "tenor": "4 y"}


def stack(
    finance: dict[str, object] | None = None,
    months: int = 48,
    energised: object = None,
    paid_share: object = None,
    **owned: object,
) -> Statement:
    """One server of 8 GPUs, all of whose GPU-hours have power, over months of 730 h.

    ``energised``, ``paid_share``: shares that have power, and are paid, at the end of each month, the closing first.
    """
    owner = Owner.model_validate(H200 | owned)
    its = Finance.model_validate(finance or {})
    site = Site(8, 8, 1, 1, KW, None, 1.30, 1.25, 730, months)
    hours = np.array([[0.0, *[730.0] * months]])
    series = dict.fromkeys(("powered_gpu_hours", "in_service_gpu_hours"), 8 * hours)
    live, paid = (
        np.ones_like(hours) if each is None else np.array([each], dtype=float) for each in (energised, paid_share)
    )
    series |= {"energised": live, "live_share": live, "paid_share": paid}
    lines = [*owner_lines(owner, site), Line("credits", "credits", "USD", "0")]
    inputs = owner_inputs(owner, site, owner.rent or 0)
    found = Statement.of(lines, inputs, {"hours": hours, "failures": 0 * hours, **series})
    series["base_cash"] = found.values["operating_cash"]
    lines += finance_lines(its, owner.paid == "energisation")
    inputs += finance_inputs(its, 730)
    return Statement.of(lines, inputs, {"hours": hours, "failures": 0 * hours, **series})


def free(**owned: object) -> Flow:
    """The flow of cash before debt, per GPU."""
    return Flow(stack(**owned).values["free_cash"] / 8, 730)


# --- the published figures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "service", "dscr", "interest", "owed"),
    [
        ("6 %", 0.793, 1.96, 3_136, 6_723),
        ("12 %", 0.889, 1.74, 6_505, 7_303),
        ("15 %", 0.939, 1.65, 8_276, 7_597),
        (
            "18 %",
            0.991,
            1.56,
            10_102,
            7_895,
        ),  # one of two printed figures, 0.992, does not follow from its own interest
    ],
)
def test_a_loan_of_80_per_cent_over_48_months(
    rate: str, service: float, dscr: float, interest: float, owed: float
) -> None:
    """Debt service per GPU-hour, DSCR, interest and what is owed after 36 months, per GPU."""
    found = stack({"tranches": [LOAN | {"rate": rate}]})
    assert found.total("debt_service")[0] / (8 * 48 * 730) == pytest.approx(service, abs=0.0005)
    assert found.values["dscr"][0, 1:] == pytest.approx(np.full(48, dscr), abs=0.005)
    assert found.total("interest")[0] / 8 == pytest.approx(interest, abs=0.5)
    assert found.values["balance"][0, 36] / 8 == pytest.approx(owed, abs=0.5)


def test_the_printed_debt_service_at_18_per_cent_does_not_follow_from_its_interest() -> None:
    """Interest of 10,102 on 24,639 over 48 months of 730 h is 0.9915 per GPU-hour: 0.991, not 0.992."""
    service = (24_639.1 + 10_102) / (48 * 730)
    assert service == pytest.approx(0.99147, abs=0.00002)


def test_the_rate_of_return_without_debt_by_both_conventions() -> None:
    """27.3 % if cash comes once a year, 36.1 % if it comes every month."""
    assert free().irr("yearly")[0] == pytest.approx(0.273, abs=0.0005)
    assert free().irr("monthly")[0] == pytest.approx(0.361, abs=0.0005)


@pytest.mark.parametrize(
    ("occupancy", "irr", "npv"), [("90 %", 0.201, 5_387), ("80 %", 0.125, 332), ("70 %", 0.045, -4_724)]
)
def test_return_and_value_by_occupancy(occupancy: str, irr: float, npv: float) -> None:
    """Yearly flows; value at 12 %."""
    flow = free(occupancy=occupancy)
    assert flow.irr("yearly")[0] == pytest.approx(irr, abs=0.0005)
    assert flow.npv(0.12, "yearly")[0] == pytest.approx(npv, abs=1)


@pytest.mark.parametrize(
    ("changed", "irr"),
    [
        ({"contract": "3 y", "renewal_cut": "30 %"}, 0.235),
        ({"contract": "3 y", "renewal_cut": "50 %"}, 0.206),
        ({"contract": "1 y", "price_decay": "25 %"}, 0.039),
    ],
)
def test_return_where_the_contract_is_shorter_than_the_life(changed: dict[str, object], irr: float) -> None:
    """Published: rents agreed anew in year 4, or each year."""
    assert free(**changed).irr("yearly")[0] == pytest.approx(irr, abs=0.0005)


def test_payback_and_the_rent_that_pays_back_in_two_years() -> None:
    """Published: 2.27 years, and 2.108 USD an hour for two."""
    assert free().payback_months()[0] / 12 == pytest.approx(2.27, abs=0.005)
    assert free(rent="2.108 USD").payback_months()[0] == pytest.approx(24, abs=0.01)
    assert not np.isfinite(free(occupancy="30 %").payback_months()[0])


def test_two_and_a_half_points_of_interest_are_worth_more_than_a_cheaper_server() -> None:
    """14 to 11.5 %: 11,708 USD of debt service per server, which is more than 5 to 10 thousand off its price."""
    dear, cheap = (stack({"tranches": [LOAN | {"rate": rate}]}) for rate in ("14 %", "11.5 %"))
    saved = dear.total("debt_service")[0] - cheap.total("debt_service")[0]
    assert saved == pytest.approx(11_708, abs=1)
    assert dear.total("equity_cash")[0] + saved == pytest.approx(cheap.total("equity_cash")[0])


# --- against numpy-financial ------------------------------------------------------------------------------------------


@given(st.floats(0.001, 0.4), st.integers(2, 48), st.floats(0.05, 1), st.floats(0, 1), st.integers(0, 47))
def test_a_loan_is_that_of_numpy_financial(rate: float, tenor: int, ltv: float, balloon: float, free_of: int) -> None:
    """Interest, repayment and balance of every month, with a balloon and months of interest alone."""
    only = min(free_of, tenor - 1)
    terms = {"ltv": f"{100 * ltv} %", "rate": f"{100 * rate} %", "balloon": f"{100 * balloon} %"}
    terms |= {"tenor": f"{730 * tenor} h", "interest_only": f"{730 * only} h"}
    found = stack({"tranches": [terms]})
    debt, period = ltv * 246_391, rate / 12
    paid = np.arange(1, tenor - only + 1)
    interest = -npf.ipmt(period, paid, tenor - only, debt, -balloon * debt)
    principal = -npf.ppmt(period, paid, tenor - only, debt, -balloon * debt)
    cent = pytest.approx
    assert found.values["interest"][0, 1 : only + 1] == cent(np.full(only, debt * period), abs=0.005)
    assert found.values["interest"][0, only + 1 : tenor + 1] == cent(interest, abs=0.005)
    assert found.values["principal"][0, only + 1 : tenor + 1] == cent(principal, abs=0.005)
    assert found.total("balloon")[0] == cent(balloon * debt, abs=0.005)
    assert found.total("balance")[0] == cent(0, abs=0.005)
    level = -npf.pmt(period, tenor - only, debt, -balloon * debt)
    assert found.values["scheduled"][0, only + 1 : tenor + 1] == cent(np.full(tenor - only, level), abs=0.005)


def test_a_loan_without_interest_is_repaid_evenly() -> None:
    """The annuity at a rate of 0."""
    found = stack({"tranches": [LOAN | {"rate": "0 %"}]})
    assert found.values["scheduled"][0, 1:] == pytest.approx(np.full(48, 0.8 * 246_391 / 48))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(-0.2, 1))
def test_values_at_a_rate_are_those_of_numpy_financial(cash: list[float], rate: float) -> None:
    """NPV of random flows at random rates equals npf.npv."""
    found = Flow(np.array([[-1e6, *cash]]), 730).npv(rate, "monthly")[0]
    assert found == pytest.approx(npf.npv((1 + rate) ** (1 / 12) - 1, [-1e6, *cash]), rel=1e-9, abs=1e-3)


@given(
    st.lists(st.floats(100, 1e6), min_size=2, max_size=60), st.floats(1e4, 1e7), st.sampled_from(["monthly", "yearly"])
)
def test_the_value_at_the_rate_of_return_is_nothing(cash: list[float], spent: float, convention: str) -> None:
    """NPV at the IRR is 0 for random flows, by both conventions."""
    flow = Flow(np.array([[-spent, *cash]]), 730)
    rate = flow.irr(convention)[0]  # type: ignore[arg-type]
    if np.isfinite(rate) and rate > -0.99:
        assert flow.npv(rate, convention)[0] == pytest.approx(0, abs=1e-6 * spent)  # type: ignore[arg-type]


def test_a_rate_of_return_is_that_of_numpy_financial() -> None:
    """The same flow by both libraries."""
    usd = free().usd[0]
    assert free().irr("monthly")[0] == pytest.approx((1 + npf.irr(usd)) ** 12 - 1, rel=1e-9)


def test_cash_that_never_changes_its_sign_has_no_rate_of_return() -> None:
    assert np.isnan(Flow(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]), 730).irr("monthly")).all()


# --- identities -------------------------------------------------------------------------------------------------------

TWO = {
    "tranches": [
        {"name": "senior", "ltv": "60 %", "rate": "9 %", "tenor": "3 y", "fee": "1.5 %", "balloon": "10 %"},
        {"name": "vendor", "ltv": "20 %", "spread": "6 %", "tenor": "4 y", "interest_only": "1 y"},
    ],
    "reference": "4.3 %",
    "floor": 1.2,
}


def test_what_is_drawn_is_repaid_to_the_cent_and_equity_gets_the_rest() -> None:
    """Two tranches with fee, balloon and spread: drawn = repaid, and equity has what is left, within half a cent."""
    found = stack(TWO)
    assert found.total("drawn")[0] == pytest.approx(0.8 * 246_391, abs=0.005)
    assert found.total("principal")[0] + found.total("balloon")[0] == pytest.approx(found.total("drawn")[0], abs=0.005)
    assert found.total("balance")[0] == pytest.approx(0, abs=0.005)
    assert found.total("fees")[0] == pytest.approx(0.015 * 0.6 * 246_391, abs=0.005)
    rest = sum(found.total(name)[0] for name in ("free_cash", "drawn"))
    rest -= sum(found.total(name)[0] for name in ("fees", "interest", "principal", "balloon"))
    assert found.total("equity_cash")[0] == pytest.approx(rest, abs=0.005)
    assert found.values["t2_period"][0, 1] == pytest.approx(0.103 / 12)
    assert not found.values["t2_principal"][0, :13].any()


def test_the_sum_of_tranches_is_the_debt_in_every_month() -> None:
    """What is drawn, paid and owed is the sum over tranches, within half a cent."""
    found = stack(TWO)
    for name in ("drawn", "interest", "principal", "balloon", "balance"):
        both = found.values[f"t1_{name}"] + found.values[f"t2_{name}"]
        assert found.values[name] == pytest.approx(both, abs=0.005)


def test_what_is_owed_at_the_end_of_the_horizon_is_repaid_then() -> None:
    """A loan that is longer than the statement: its rest is due when the servers are sold."""
    found = stack({"tranches": [LOAN | {"rate": "12 %"}]}, months=36)
    assert found.total("balloon")[0] / 8 == pytest.approx(7_303, abs=0.5)
    assert found.total("balance")[0] == 0


def test_debt_that_is_drawn_as_racks_get_power_is_repaid_over_what_is_left() -> None:
    """Drawn in three parts; after the last one the payment is the annuity of numpy-financial over 36 months."""
    energised = [0.25, *[0.25] * 5, *[0.5] * 6, *[1.0] * 37]
    found = stack({"tranches": [LOAN | {"rate": "12 %", "draw": "energisation", "fee": "1 %"}]}, energised=energised)
    capital = 0.8 * 246_391
    assert found.values["drawn"][0, [0, 6, 12]] == pytest.approx(capital * np.array([0.25, 0.25, 0.5]))
    assert found.total("drawn")[0] == pytest.approx(capital)
    late = found.values["scheduled"][0, 13:]
    owed = found.values["balance"][0, 12]
    assert late == pytest.approx(np.full(36, -npf.pmt(0.01, 36, owed)), abs=0.005)
    assert found.total("balance")[0] == pytest.approx(0, abs=0.005)


def test_sculpted_debt_has_its_dscr_until_it_is_repaid() -> None:
    """Cash by debt service is 1.5 in every month until nothing is owed, though the rent falls each year."""
    terms = {"ltv": "60 %", "rate": "12 %", "repayment": "sculpted", "dscr": 1.5}
    found = stack({"tranches": [terms]}, contract="1 y", price_decay="20 %")
    open_until = int(np.argmax(found.values["balance"][0] < 0.005))
    assert 12 < open_until < 48
    assert found.values["dscr"][0, 1:open_until] == pytest.approx(np.full(open_until - 1, 1.5))
    assert found.total("principal")[0] == pytest.approx(0.6 * 246_391, abs=0.005)
    assert not found.values["debt_service"][0, open_until + 1 :].any()


def test_a_second_sculpted_tranche_gets_what_the_first_leaves() -> None:
    """The first one listed is served first."""
    first = {"name": "a", "ltv": "40 %", "rate": "9 %"}
    second = {"name": "b", "ltv": "20 %", "rate": "14 %", "repayment": "sculpted", "dscr": 1.3}
    found = stack({"tranches": [first, second]})
    assert found.values["dscr"][0, 1:10] == pytest.approx(np.full(9, 1.3))


def test_the_debt_is_measured_by_what_its_collateral_is_still_worth() -> None:
    """80 % at closing; the published debt of month 36 by a collateral that loses 20 % a year."""
    found = stack({"tranches": [LOAN | {"rate": "12 %"}], "depreciation": "20 %", "max_ltv": 0.7})
    assert found.values["loan_to_value"][0, 0] == pytest.approx(0.8)
    assert found.values["loan_to_value"][0, 36] == pytest.approx(7_302.8 * 8 / (246_391 * 0.8**3), abs=1e-4)
    assert found.values["broken"][0, 0] == 1  # 80 % at closing


@pytest.mark.parametrize("months", [1, 3, 12])
def test_a_rolling_dscr_is_about_the_cash_and_service_of_its_months(months: int) -> None:
    """The DSCR of 1, 3 and 12 months is the sum of cash by the sum of service, summed in another way."""
    terms = {"tranches": [LOAN | {"rate": "12 %"}], "months": months}
    found = stack(terms, contract="1 y", price_decay="25 %")
    cash, service = found.values["operating_cash"][0], found.values["scheduled"][0]
    for month in range(1, 49):
        part = slice(max(0, month - months + 1), month + 1)
        assert found.values["dscr"][0, month] == pytest.approx(cash[part].sum() / service[part].sum())


def test_equity_gets_no_cash_while_the_trap_is_shut_and_all_of_it_in_the_end() -> None:
    """A DSCR of 1.1 after four months without a test: all cash is held back until the end; in sum nothing is lost."""
    terms = {"tranches": [LOAN | {"rate": "18 %"}], "trap": 1.15, "floor": 1.2, "grace": "2920 h"}
    low = stack(terms, rent="1.44 USD")
    free_of = stack(terms | {"trap": 0}, rent="1.44 USD")
    assert 1 < low.values["dscr"][0, 1] < 1.15
    assert low.total("trapping")[0] == 44  # of 48 months, four of grace
    assert low.values["equity_cash"][0, 5:48] == pytest.approx(np.zeros(43), abs=1e-6)
    assert low.values["equity_cash"][0, 48] > 40 * free_of.values["equity_cash"][0, 48]
    assert low.total("equity_cash")[0] == pytest.approx(free_of.total("equity_cash")[0], abs=0.005)
    assert low.total("broken")[0] == 44
    assert not free_of.total("trapping")[0]


def test_without_a_tranche_equity_has_the_cash_before_debt() -> None:
    """Nothing is drawn and nothing is served."""
    found = stack({})
    assert found.values["equity_cash"] == pytest.approx(found.values["free_cash"])
    assert not found.values["tested"].any()


# --- shortfall --------------------------------------------------------------------------------------------------------


def test_the_expected_shortfall_is_the_mean_of_the_worst_twentieth() -> None:
    """By hand, the last value in part."""
    values = np.arange(100.0)
    assert expected_shortfall(values) == pytest.approx(2)  # 0 to 4
    assert expected_shortfall(values, worst="high") == pytest.approx(97)
    assert expected_shortfall(np.arange(30.0)) == pytest.approx((0 + 0.5 * 1) / 1.5)
    assert expected_shortfall([3.0]) == pytest.approx(3)


@pytest.mark.parametrize(("rate", "sigma"), list(product((0.05,), (1.0, 2.0))))
def test_the_shortfall_of_normal_values_is_its_closed_form(rate: float, sigma: float) -> None:
    """Mean of the lowest 5 %: - sigma * density(z) / 5 %."""
    values = np.random.default_rng(3).normal(0, sigma, 200_000)
    assert expected_shortfall(values, rate) == pytest.approx(-sigma * 0.10313564 / 0.05, rel=0.01)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"tranches": [{"rate": "9 %", "spread": "2 %"}]}, "both rate and spread"),
        ({"tranches": [{"spread": "2 %"}]}, "no reference"),
        ({"tranches": [{"repayment": "sculpted"}]}, "without a dscr"),
        ({"tranches": [{"dscr": 1.3}]}, "sculpted"),
        ({"tranches": [{"interest_only": "4 y"}]}, "shorter"),
        ({"tranches": [{"construction": "capitalised", "draw": "energisation"}]}, "draws nothing before"),
        ({"tranches": [{"name": "a"}, {"name": "b"}]}, "160 %"),
        ({"tranches": [{"ltv": "10 %"}, {"ltv": "10 %"}]}, "unique"),
    ],
)
def test_terms_that_contradict_one_another_are_refused(terms: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Finance.model_validate(terms)
