"""The workbook of a run, computed by another program (the package formulas), gives the program's totals to the cent."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.decide import run
from dcsim.decide.accounts import MoneyBook
from dcsim.decide.bills import bill_of_runs
from dcsim.economics.statement import Statement
from dcsim.report.xlsx import FIRST, LABELS, xlsx

pytestmark = pytest.mark.xdist_group("workbook")  # one worker: what is read of a workbook is shared
OWNED = {
    "name": "owned",
    "horizon": "7 mo",
    "seed": 20_266,
    "cluster": {"topology": "hgx-h100", "gpus": 256},
    "jobs": [{"name": "a", "gpus": 8, "count": 32, "recovery": {"kind": "stateless"}}],
    "hazards": [{"component": "node", "mtbf": "900 h", "repair": {"kind": "lognormal", "mean": "20 h", "sigma": 1}}],
    "sla": {"sold": "node", "credits": {"claimed": "80 %", "cap": "9 %"}},
    "owner": {
        "server": "246391 USD",
        "rent": "1.90 USD",
        "occupancy": "90 %",
        "ramp": "2 mo",
        "contract": "3 mo",
        "colocation": "110 USD/kW/mo",
        "staff": "20000 USD/mo",
        "repair": "500 USD",
        "residual": "20 %",
    },
    "finance": {
        "months": 3,
        "tranches": [
            {"name": "senior", "ltv": "60 %", "rate": "12 %", "tenor": "6 mo", "fee": "1 %"},
            {
                "name": "second",
                "ltv": "15 %",
                "rate": "18 %",
                "tenor": "7 mo",
                "interest_only": "2 mo",
                "balloon": "20 %",
            },
        ],
    },
    "tco": {
        "gpu_hour": "2 USD",
        "term": "7 mo",
        "hot_storage": {"size": "500 TiB", "price": "0.035 USD/GiB/mo"},
        "cold_storage": {"size": "10 PiB", "price": "0.01 USD/GiB/mo"},
        "network": "19 USD/mo",
        "cpu": "3318 USD/mo",
        "support": "3 %",
        "debugging": "8333 USD/mo",
        "licence": "0.05 USD",
        "setup": {"idle": "1 mo", "engineer_months": 2},
    },
    "uncertain": [{"key": "owner.rent", "value": {"kind": "uniform", "low": "1.5 USD", "high": "2.5 USD"}}],
}


class Computed:
    """A workbook as another program computes it; it is read once, which takes longer than to compute it."""

    def __init__(self, content: bytes, folder: Path) -> None:
        import openpyxl

        path = folder / "w.xlsx"
        openpyxl.load_workbook(io.BytesIO(content)).save(path)  # formulas only, without what was computed before
        with warnings.catch_warnings():  # of the package, which is not ours
            warnings.simplefilter("ignore")
            import formulas

            self.model = formulas.ExcelModel().loads(str(path)).finish()

    def cells(self, chosen: dict[str, float]) -> dict[str, Any]:
        """Every cell by ``SHEET!A1``, with numbers put into the chosen cells."""
        given = {f"'[w.xlsx]{where.rpartition('!')[0]}'!{where.rpartition('!')[2]}": chosen[where] for where in chosen}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.model.calculate(inputs=given)
        assert given.keys() <= found.keys()
        return {
            key.replace("'[w.xlsx]", "").replace("'!", "!"): value.value[0, 0]
            for key, value in found.items()
            if key.startswith("'") and ":" not in key.rpartition("!")[2]
        }


def column(index: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(index))


def agree(cells: dict[str, Any], sheet: str, statement: Statement, run: int) -> None:
    """All months of all lines and all totals of a run, to the cent; no difference is told."""
    for offset, line in enumerate(statement.lines):
        row = FIRST + offset + 1
        for month, value in enumerate(statement.values[line.name][run]):
            found = cells[f"{sheet}!{column(LABELS + month)}{row}"]
            assert float(found) == pytest.approx(value, abs=0.005, rel=1e-12), (line.name, month)
        if line.fold != "none":
            total = float(statement.total(line.name)[run])
            assert float(cells[f"{sheet}!F{row}"]) == pytest.approx(total, abs=0.005, rel=1e-12), line.name
            assert float(cells[f"{sheet}!G{row}"]) == pytest.approx(total, abs=1e-6, rel=1e-12), line.name
            assert abs(float(cells[f"{sheet}!H{row}"])) < 0.005, line.name


@pytest.fixture(scope="module")
def owned() -> Any:
    return run(OWNED, replications=4, workers=1)


@pytest.fixture(scope="module")
def workbook(owned: Any, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """Its workbook."""
    return Computed(xlsx([owned]), tmp_path_factory.mktemp("workbook"))


def test_an_owners_workbook_gives_the_programs_totals_whichever_run_is_chosen(owned: Any, workbook: Computed) -> None:
    """Prices differ by pairs of runs; the last run has another rent than the first."""
    book, bill = MoneyBook.of(owned.sample), bill_of_runs(owned.sample)
    assert book is not None
    assert bill is not None
    rents = book.statement.inputs["rent"].value
    assert isinstance(rents, np.ndarray)
    assert rents[0] != rents[3]
    for number in (1, 4):
        cells = workbook.cells({"SUMMARY!B2": number})
        agree(cells, "1 CASH STATEMENT", book.statement, number - 1)
        agree(cells, "2 BILL STATEMENT", bill, number - 1)


def test_a_workbook_of_capital_spent_by_phase_gives_the_programs_totals(tmp_path: Path) -> None:
    """Payments at each run's own dates, interest added to the debt and commitment fees; all cells, to the cent."""
    tranche = {"rate": "12 %", "tenor": "7 mo", "interest_only": "4 mo"}
    terms = {"construction": "capitalised", "commitment_fee": "1 %", "fee": "2 %"}
    date = {"kind": "uniform", "low": "1 mo", "high": "4 mo"}
    phased = OWNED | {
        "energisation": [{"name": "hall", "racks": 4, "date": date}],
        "owner": OWNED["owner"] | {"paid": "energisation", "lead": "1 mo", "facility": "2 USD/W"},  # type: ignore[operator]
        "finance": {"tranches": [tranche | terms]},
    }
    found = run(phased, replications=2, workers=1)
    assert found.book is not None
    statement = found.book.statement
    spent = statement.values["capex"]
    assert (spent[:, 1:] > 0).any()
    assert (statement.total("added") > 0).all()
    agree(Computed(xlsx([found]), tmp_path).cells({"SUMMARY!B2": 2}), "1 CASH STATEMENT", statement, 1)


@pytest.mark.parametrize("landlord", ["owner", "provider"])
def test_a_token_sellers_workbook_gives_the_programs_totals(landlord: str, tmp_path: Path) -> None:
    """Whether the seller pays the owner of the scenario or a bill; tokens get cheaper from month to month."""
    tokens = {"speed": "735 tok/s", "price": "1.75 USD/Mtok", "utilisation": "65 %", "decline": "30 %"}
    subscription = {"price": "20 USD/mo", "tokens": "10 Mtok"}
    found = run(OWNED | {"tokens": tokens | {"subscription": subscription}} | (
        {"tco": None} if landlord == "owner" else {"owner": None, "finance": None, "uncertain": []}
    ), replications=2, workers=1)  # fmt: skip
    assert found.book is not None
    assert ("factory_profit" in found.book.statement.by_name) == (landlord == "owner")
    agree(Computed(xlsx([found]), tmp_path).cells({}), "1 CASH STATEMENT", found.book.statement, 0)


def test_another_price_in_the_sheet_of_inputs_changes_every_amount(owned: Any, workbook: Computed) -> None:
    """Twice the electricity price, as the statement computes it with that price."""
    book = MoneyBook.of(owned.sample)
    assert book is not None
    names = list(book.statement.inputs)
    row = names.index("electricity_price") + 2
    cells = workbook.cells({f"1 CASH INPUTS!B{row}": 0.174})
    changed = book.statement.changed(electricity_price=0.174)
    place = [line.name for line in changed.lines].index("free_cash")
    found = float(cells[f"1 CASH STATEMENT!F{FIRST + place + 1}"])
    assert found == pytest.approx(changed.total("free_cash")[0], abs=0.005)
    assert found < book.statement.total("free_cash")[0] - 1_000
    assert float(cells[f"1 CASH STATEMENT!H{FIRST + place + 1}"]) < -1_000


def test_what_a_flow_returns_agrees_with_a_finance_library(owned: Any, workbook: Computed) -> None:
    """NPV and IRR of the workbook's own functions against numpy-financial, by months of 720 h."""
    import numpy_financial as npf

    book = MoneyBook.of(owned.sample)
    assert book is not None
    cells = workbook.cells({})
    labels = {value: key for key, value in cells.items() if key.startswith("SUMMARY!A")}
    revenue, at = book.statement.total("revenue"), labels["rent invoiced"]
    assert float(cells[at.replace("!A", "!C")]) == pytest.approx(revenue.mean())
    assert float(cells[at.replace("!A", "!D")]) == pytest.approx(np.quantile(revenue, 0.05))
    assert float(cells[at.replace("!A", "!E")]) == pytest.approx(np.quantile(revenue, 0.95))
    flows = book.statement.values["free_cash"][0]
    monthly = 1.12 ** (720 / 8_760) - 1
    at = labels["NPV of cash before debt and tax, from monthly flows"].replace("!A", "!B")
    assert float(cells[at]) == pytest.approx(npf.npv(monthly, flows), abs=0.01)
    for flow, label in (("free_cash", "cash before debt and tax"), ("equity_cash", "cash of equity")):
        irr = npf.irr(book.statement.values[flow][0])
        at = labels[f"IRR of {label}, a year, from monthly flows"].replace("!A", "!B")
        if np.isfinite(irr):
            assert float(cells[at]) == pytest.approx((1 + irr) ** (8_760 / 720) - 1, abs=1e-6), flow
        else:
            assert cells[at] == "none"


def test_cells_hold_what_the_program_computed_before_anything_is_computed_again(owned: Any) -> None:
    """A viewer that does not compute shows the first run's figures."""
    import openpyxl

    book = MoneyBook.of(owned.sample)
    assert book is not None
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx([owned])), data_only=True)["1 cash statement"]
    for offset, line in enumerate(book.statement.lines):
        for month, value in enumerate(book.statement.values[line.name][0]):
            assert sheet.cell(FIRST + offset + 1, LABELS + month + 1).value == pytest.approx(value), line.name
