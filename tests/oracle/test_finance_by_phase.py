"""Capital that is spent by phase, interest until there is power, and fees on debt that waits: sums by hand."""

import numpy as np
import numpy_financial as npf
import pytest

from dcsim.economics.statement import Statement
from tests.oracle.test_finance import stack

PAID = [0.25] * 6 + [0.5] * 6 + [1.0] * 37
"""A quarter is paid at the closing, one after 6 months, half after 12; each has power three months later."""
LIVE = [0.0] * 3 + [0.25] * 6 + [0.5] * 6 + [1.0] * 34
BUILT = {"ltv": "80 %", "rate": "12 %", "tenor": "35040 h", "interest_only": "10950 h"}
PHASED = {"paid": "energisation", "lead": "2190 h"}
DEBT = 0.8 * 246_391


def by_phase(**terms: object) -> Statement:
    return stack({"tranches": [BUILT | terms]}, energised=LIVE, paid_share=PAID, **PHASED)


def test_capital_and_debt_go_with_the_payments_of_the_phases() -> None:
    """A quarter, a quarter and half of the price are spent at months 0, 6 and 12, and 80 % of each is drawn then."""
    found = by_phase()
    for name, whole in (("capex", 246_391), ("drawn", DEBT)):
        spent = found.values[name][0]
        assert spent[[0, 6, 12]] == pytest.approx(np.array([0.25, 0.25, 0.5]) * whole)
        assert spent.sum() == pytest.approx(whole, abs=0.005)
    assert found.values["whole_capital"][0] == pytest.approx(np.full(49, 246_391))
    assert found.total("balance")[0] == pytest.approx(0, abs=0.005)
    # interest is paid on what is drawn, by the balances of the month before
    interest = 0.01 * DEBT * np.array([0.25] * 6 + [0.5] * 6 + [1.0] * 3)
    assert found.values["interest"][0, 1:16] == pytest.approx(interest, abs=0.005)
    assert found.values["scheduled"][0, 16:] == pytest.approx(np.full(33, -npf.pmt(0.01, 33, DEBT)), abs=0.005)


def test_interest_until_there_is_power_is_added_to_the_debt() -> None:
    """By hand: the idle share of each month's interest grows the debt; then the annuity of numpy-financial."""
    found = by_phase(construction="capitalised")
    balance, added = [DEBT / 4], [0.0]
    for month in range(1, 16):
        idle = 1 - LIVE[month - 1] / PAID[month - 1]
        added.append(0.01 * idle * balance[-1])
        balance.append(balance[-1] + added[-1] + DEBT * (PAID[month] - PAID[month - 1]))
    assert found.values["balance"][0, :16] == pytest.approx(balance, abs=0.005)
    assert found.values["added"][0, :16] == pytest.approx(added, abs=0.005)
    # nothing has power in the first three months, half of what is paid in months 7 to 9 and 13 to 15
    assert balance[3] == pytest.approx(-npf.fv(0.01, 3, 0, DEBT / 4))
    assert found.values["debt_service"][0, 1:4] == pytest.approx(np.zeros(3), abs=1e-9)
    assert not found.values["tested"][0, 1:4].any()  # no DSCR where nothing is due
    assert found.values["debt_service"][0, 7] == pytest.approx(0.005 * balance[6])
    assert found.values["scheduled"][0, 16:] == pytest.approx(np.full(33, -npf.pmt(0.01, 33, balance[15])), abs=0.005)
    assert found.total("added")[0] == pytest.approx(sum(added), abs=0.005)
    assert not found.values["added"][0, 16:].any()
    assert found.total("principal")[0] == pytest.approx(DEBT + sum(added), abs=0.005)
    assert found.total("balance")[0] == pytest.approx(0, abs=0.005)
    left = sum(found.total(name)[0] * sign for name, sign in (("free_cash", 1), ("fees", -1), ("interest", -1)))
    assert found.total("equity_cash")[0] == pytest.approx(left, abs=0.005)


@pytest.mark.parametrize(("draw", "share_months"), [("closing", 7.5), ("energisation", 3 + 4.5 + 3)])
def test_a_commitment_fee_is_paid_on_what_is_not_drawn(draw: str, share_months: float) -> None:
    """1 % a year: on three quarters for 6 months and half for 6; drawn with power, on all, 3/4 and 1/2 three later."""
    found = by_phase(commitment_fee="1 %", fee="2 %", draw=draw)
    assert found.total("fees")[0] == pytest.approx(0.02 * DEBT + 0.01 / 12 * DEBT * share_months, abs=0.005)
    first = 0.75 if draw == "closing" else 1.0
    assert found.values["fees"][0, 1] == pytest.approx(first * 0.01 / 12 * DEBT, abs=0.005)
    assert not found.values["fees"][0, 16:].any()
    without = by_phase(fee="2 %", draw=draw)
    gap = without.total("equity_cash") - found.total("equity_cash")
    assert gap[0] == pytest.approx(0.01 / 12 * DEBT * share_months, abs=0.005)


def test_phases_are_written_off_over_their_own_lives_and_never_more_than_they_cost() -> None:
    """A life of 48 months: each month a 48th of what was bought before it. Of 24: all is written off by month 36."""
    bought = 246_391 * np.array(PAID)
    own = by_phase().values["depreciation"][0]
    assert own[1:] == pytest.approx(bought[:-1] / 48)
    short = stack({}, energised=LIVE, paid_share=PAID, life="17520 h", residual="10 %", **PHASED)
    assert short.total("depreciation")[0] == pytest.approx(0.9 * 246_391, abs=0.005)
    assert short.values["depreciation"][0, 1:13] == pytest.approx(0.9 * bought[:12] / 24)
    assert short.total("residual")[0] == pytest.approx(0.1 * 246_391, abs=0.005)
    at_once = stack({}, paid_share=[1.0] * 49, life="17520 h", paid="energisation")
    for name in ("capex", "depreciation", "free_cash", "collateral"):
        same = stack({}, life="17520 h").values[name]
        assert at_once.values[name] == pytest.approx(same, rel=1e-9, abs=1e-6)


def test_each_phase_loses_value_from_its_own_payment_on() -> None:
    """20 % a year, compounded: what is bought at the closing is 12 months older than what is bought after a year."""
    value = by_phase().values["collateral"][0, 24]
    wanted = 246_391 * (0.25 * 0.8**2 + 0.25 * 0.8**1.5 + 0.5 * 0.8)
    assert value == pytest.approx(wanted, rel=1e-9)
