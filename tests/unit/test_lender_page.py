"""What an owner in debt is told: cash before debt, how surely it is covered, what to do, and what equity gains."""

from functools import cache

import pytest

from dcsim.decide import RunResult, run
from dcsim.report.answer import comparison_sentences, run_sentences
from dcsim.report.lender_page import lender_estimated, lender_tables
from dcsim.report.owner_answer import owner_card


@cache
def financed(*changes: str, runs: int = 8) -> RunResult:
    return run("finance/racks-12", replications=runs, workers=1, set=changes)


def test_cash_of_an_owner_in_debt_is_told_before_debt() -> None:
    assert "of cash a month before debt (" in run_sentences(financed())[0]
    card = owner_card("x", financed(), [])
    assert card is not None
    assert card.unit == "million USD of cash a month before debt"
    without = financed('finance.tranches.bank.ltv="0 %"')
    assert "before debt" not in run_sentences(without)[0]


def test_less_debt_comes_before_more_tenants_where_it_is_not_covered() -> None:
    """At 80 % of the capital some months are not covered; at a fifth of it all are, and renting out comes first."""
    debt, *others = run_sentences(financed())[1:]
    assert "To do: borrow at most " in debt
    assert any(each.startswith("Then: rent out more of the GPUs. One point") for each in others)
    covered, *others = run_sentences(financed('finance.tranches.bank.ltv="20 %"'))[1:]
    assert "less than 1.2 times in no run" in covered
    assert "To do" not in covered
    assert any(each.startswith("To do: rent out more of the GPUs first.") for each in others)


def test_what_cash_does_not_pay_is_not_called_unpaid() -> None:
    """Equity pays the rest: the debt is served. At half the rent cash pays it in no run."""
    found = financed('owner.rent="2 USD"', runs=2)
    assert found.lender is not None
    assert found.lender.short.all()
    assert "; cash alone does not pay it in every run." in run_sentences(found)[1]
    (debt, *_) = lender_tables([found])
    row = next(row for row in debt.rows if "cash alone does not pay it" in row.label)
    assert row.texts == ("100.0",)
    assert "What cash does not pay of the debt, equity pays." in debt.notes


@pytest.mark.parametrize(("rent", "does"), [("4 USD", "gains"), ("2 USD", "loses")])
def test_what_equity_gains_or_loses_is_discounted_at_what_it_asks_for(rent: str, does: str) -> None:
    said = next(each for each in run_sentences(financed(f'owner.rent="{rent}"', runs=2)) if each.startswith("Equity"))
    assert f"Discounted at the 20 % a year that it asks for, it {does} " in said


def test_offers_that_differ_in_debt_alone_are_alike_before_it() -> None:
    dear = financed('finance.tranches.bank.rate="18 %"')
    equity, cover, cash, *_ = comparison_sentences([financed(), dear])
    assert equity.startswith("Equity gains most with 72 racks at 12 % (1): ")
    assert "USD less, in every run)" in equity
    assert cover.startswith("The DSCR falls below 1.2: ")
    assert cash.startswith("Before debt 72 racks at 12 % (1) and 72 racks at 12 % (2) leave their owner the same: ")
    lost = next(each for each in comparison_sentences([financed(), dear]) if "lose" in each)
    assert lost.startswith("All lose the same. 72 racks at 12 %: ")


def test_a_formula_says_how_often_cash_covers_the_debt() -> None:
    from dcsim import estimate

    said = lender_estimated(estimate("finance/racks-12"))
    assert said.startswith("Debt of 237.2 million USD: by formula cash covers its service at least 1.14 times, from ")
    assert "the lender asks for 1.2. Equity earns 84.1 % a year by yearly flows" in said
    assert said.endswith("discounted at the 20 % a year that it asks for.")
    assert lender_estimated(estimate("owner/h200-neocloud")) == ""
