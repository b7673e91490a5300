"""A statement: the text of a line is computed for all runs and months, and becomes a spreadsheet's formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.economics.statement import Input, Line, Statement, StatementError, excel

HOURS = np.array([[0.0, 720.0, 720.0, 360.0], [0.0, 720.0, 700.0, 360.0]])


def statement(*lines: Line, **inputs: object) -> Statement:
    return Statement.of(lines, [Input(name, value, "1", name) for name, value in inputs.items()], {"hours": HOURS})


def line(name: str, formula: str, fold: str = "sum") -> Line:
    return Line(name, name, "USD", formula, fold=fold)


def test_a_line_is_computed_for_every_run_and_month_whatever_the_order_of_the_lines() -> None:
    found = statement(line("cash", "revenue - 100"), line("revenue", "hours * rent"), rent=np.array([2.0, 3.0]))
    assert found.values["cash"].tolist() == [[-100, 1340, 1340, 620], [-100, 2060, 2000, 980]]
    assert found.total("revenue").tolist() == [3600, 5340]


def test_a_balance_is_carried_from_month_to_month_and_is_zero_before_the_closing() -> None:
    found = statement(
        line("balance", "prev(balance) * (1 + rate) - paid + (1000 if month == 0 else 0)", "last"),
        line("paid", "min(500, prev(balance) * (1 + rate))"),
        rate=0.1,
    )
    assert found.values["paid"][0].tolist() == pytest.approx([0, 500, 500, 176])
    assert found.total("balance").tolist() == pytest.approx([0, 0])


def test_the_month_before_of_a_series_is_that_of_its_own_run() -> None:
    found = statement(line("before", "prev(hours)"))
    assert found.values["before"].tolist() == [[0, 0, 720, 720], [0, 0, 720, 700]]


def test_conditions_choose_by_run_and_month() -> None:
    found = statement(line("x", "1 if hours > 700 and month < 3 or month == months else max(0, -1, -2)"))
    assert found.values["x"].tolist() == [[0, 1, 1, 1], [0, 1, 0, 1]]


def test_another_value_of_an_input_changes_the_statement_and_a_name_that_is_no_input_is_refused() -> None:
    found = statement(line("revenue", "hours * rent"), rent=2.0)
    assert found.changed(rent=4.0).total("revenue").tolist() == [7200, 7120]
    with pytest.raises(StatementError, match="rint"):
        found.changed(rint=4.0)


def test_a_total_is_what_its_line_says_stands_for_the_term() -> None:
    found = statement(line("share", "1", "none"), line("last", "month", "last"))
    assert found.total("last").tolist() == [3, 3]
    with pytest.raises(StatementError, match="share"):
        found.total("share")


def test_a_dollar_is_traced_to_its_lines_and_inputs() -> None:
    found = statement(line("cash", "revenue - prev(revenue)"), line("revenue", "hours * rent"), rent=2.0, unused=1.0)
    assert [each.name for each in found.traced("cash")] == ["cash", "revenue", "rent"]


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("hours *", "invalid syntax"),
        ("__import__('os')", "cannot have"),
        ("hours.real", "cannot have"),
        ("_where", "cannot have"),
        ("sum(hours)", "cannot have"),
        ("0 < hours < 1", "cannot have"),
        ("hours[0]", "cannot have"),
        ("min(hours)", "cannot have"),
        ("rant", "rant"),
        ("prev(rent)", "rent"),
        ("x", "need one another"),
    ],
)
def test_what_is_no_formula_is_refused(formula: str, why: str) -> None:
    with pytest.raises(StatementError, match=why):
        statement(line("x", formula), rent=2.0)


def test_a_name_that_stands_for_two_things_is_refused() -> None:
    with pytest.raises(StatementError, match="hours"):
        statement(line("hours", "1"))


def test_a_formula_is_written_as_a_spreadsheet_writes_it() -> None:
    """Cells for names, IF for a choice, AND, MIN and INT; a minus binds as in Python."""

    def cell(name: str, before: bool) -> str:
        return f"{name.upper()}{1 if before else 2}"

    assert excel("floor(a / 12)", cell) == "INT((A2/12))"
    found = excel("-a ** 2 * (b - prev(b)) / 3 if a >= 1 and not_b != 2 else min(a, b, 0.5)", cell)
    assert found == "IF(AND((A2>=1),(NOT_B2<>2)),(((-(A2^2))*(B2-B1))/3),MIN(A2,B2,0.5))"


@given(st.floats(0, 0.3), st.integers(1, 60), st.floats(1, 1e9))
def test_the_months_of_a_level_payment_repay_the_loan(rate: float, months: int, loan: float) -> None:
    series = {"hours": np.full((1, months + 1), 730.0)}
    level = f"{loan!r} / {months}" if rate < 1e-9 else f"{loan!r} * rate / (1 - (1 + rate) ** (-months))"
    lines = [
        line("paid", f"{level} if month > 0 else 0"),
        line("balance", f"{loan!r} if month == 0 else prev(balance) * (1 + rate) - paid", "last"),
    ]
    found = Statement.of(lines, [Input("rate", 0.0 if rate < 1e-9 else rate, "1", "rate")], series)
    assert found.total("balance")[0] == pytest.approx(0, abs=1e-6 * loan)
