"""A run's money as a workbook: what was simulated, prices, and statements whose cells are formulas over them.

Every formula of a statement is the text of its ``Line``, as a spreadsheet writes it. One cell chooses the run; another
price in a sheet of inputs changes every amount. A column says what the program computed, and one the difference.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.decide import RunResult
from dcsim.decide.accounts import MoneyBook
from dcsim.decide.bills import bill_of_runs
from dcsim.decide.sla_credits import SlaCredits
from dcsim.economics.finance import DISCOUNT, Finance, Flow
from dcsim.economics.statement import MONTH, MONTHS, Line, Statement, excel
from dcsim.montecarlo.manifest import Manifest
from dcsim.report.page import names
from dcsim.units import HOURS_PER_YEAR, MS_PER_H

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_RUNS = 1_000
"""Runs whose months a workbook has; source: assumed, some ten thousand rows."""
FLOWS = {"free_cash": "discount", "equity_cash": "hurdle"}
"""Lines whose months are a flow that has a return, and the key of [finance] that says what it is discounted at."""
FIRST, LABELS = 4, 8
"""Rows above those of a statement, and columns before its months."""
CHOICE = "Summary!$B$2"
"""The cell that chooses the run."""


def xlsx(runs: Sequence[RunResult]) -> bytes:
    """Return a workbook of runs: a summary, then for each statement of each run its inputs, activity and formulas.

    Runs without any money have a summary alone.
    """
    import xlsxwriter

    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": "dcsim", "created": datetime(1980, 1, 1)})  # the same file again, byte by byte
        looks = _Looks.of(book)
        summary = book.add_worksheet("Summary")
        found = list(_statements(runs))
        _summary(summary, looks, [_Sheets(book, looks, each, number).write() for number, each in enumerate(found, 1)])
    return file.getvalue()


@dataclass(frozen=True)
class _Found:
    """A statement of a run: ``about`` says whose; ``month_h``: hours of a month, None: the term is one column.

    ``origins``: where the value of a key is from.
    """

    run: str
    about: str
    statement: Statement
    replications: tuple[int, ...]
    month_h: float | None
    origins: Mapping[str, str]
    finance: Finance | None = None


def _statements(runs: Sequence[RunResult]) -> Iterator[_Found]:
    for name, run in zip(names(runs), runs, strict=True):
        sample = run.sample
        numbers = tuple(sample.replications.tolist())
        month_h = run.scenario.month / MS_PER_H
        origins = {} if run.folder is None else Manifest.read(run.folder).origins
        book = MoneyBook.of(sample)
        if book is not None:
            yield _Found(name, "cash", book.statement, numbers, month_h, origins, run.scenario.finance)
        if (bill := bill_of_runs(sample)) is not None:
            yield _Found(name, "bill", bill, numbers, None, origins)
        credits = SlaCredits.of(sample, book)
        if credits is not None and (book is None or credits.statement is not book.statement):
            yield _Found(name, "credits", credits.statement, numbers, month_h, origins)


@dataclass(frozen=True)
class _Looks:
    head: "Format"
    money: "Format"
    share: "Format"
    given: "Format"
    choice: "Format"
    note: "Format"

    @classmethod
    def of(cls, book: "Workbook") -> "_Looks":
        return cls(
            book.add_format({"bold": True, "bottom": 1}),
            book.add_format({"num_format": "#,##0.00;[Red]-#,##0.00"}),
            book.add_format({"num_format": "0.00%"}),
            book.add_format({"font_color": "#1f4e79", "num_format": "General"}),
            book.add_format({"bold": True, "bg_color": "#fff2cc", "border": 1}),
            book.add_format({"italic": True, "font_color": "#595959"}),
        )


@dataclass(frozen=True)
class _Shown:
    """Where a statement stands: its sheet and its lines' rows; ``totals``: the program's by run, of each line."""

    found: _Found
    sheet: str
    rows: dict[str, int]
    totals: dict[str, str]
    runs: int


class _Sheets:
    """The three sheets of a statement: inputs, activity, formulas."""

    def __init__(self, book: "Workbook", looks: _Looks, found: _Found, number: int) -> None:
        self.looks, self.found = looks, found
        self.statement = found.statement
        self.runs = min(len(found.replications), MOST_RUNS)
        self.titles = [f"{number} {found.about} {what}" for what in ("inputs", "activity", "statement")]
        self.inputs, self.activity, self.sheet = map(book.add_worksheet, self.titles)
        self.columns = self.statement.months + 1
        self.cells: dict[str, Callable[[int], str]] = {}  # where a name stands in a month

    def write(self) -> _Shown:
        self._write_activity()
        self._write_inputs()
        rows = self._write_statement()
        return _Shown(self.found, self.titles[2], rows, self.totals, self.runs)

    def _write_activity(self) -> None:
        """Write every series, a row for each run, and the program's totals of every line below them."""
        sheet, months = self.activity, range(self.columns)
        sheet.write_row(0, 0, ["series", "run", *months], self.looks.head)
        row = 1
        for name, values in self.statement.series.items():
            for run in range(self.runs):
                sheet.write_string(row + run, 0, name)
                sheet.write_number(row + run, 1, self.found.replications[run])
                sheet.write_row(row + run, 2, _numbers(values[run]), self.looks.money)
            self.cells[name] = self._chosen(row)
            row += self.runs
        self.totals: dict[str, str] = {}
        row += 1
        sheet.write_row(row, 0, ["program's totals", "run", "total"], self.looks.head)
        for line in self.statement.lines:
            if line.fold == "none":
                continue
            self.totals[line.name] = f"'{self.titles[1]}'!$C${row + 2}:$C${row + 1 + self.runs}"
            for run, total in enumerate(_numbers(self.statement.total(line.name)[: self.runs])):
                row += 1
                sheet.write_string(row, 0, line.name)
                sheet.write_number(row, 1, self.found.replications[run])
                sheet.write_number(row, 2, total, self.looks.money)
        sheet.freeze_panes(1, 2)
        sheet.set_column(0, 0, 24)
        sheet.set_column(2, 2 + self.columns, 14)

    def _chosen(self, first: int) -> Callable[[int], str]:
        """Return where the chosen run's value stands in a month, of a block of rows that begins at ``first``."""

        def at(month: int) -> str:
            column = _column(2 + month)
            block = f"'{self.titles[1]}'!{column}${first + 1}:{column}${first + self.runs}"
            return f"INDEX({block},{CHOICE})"

        return at

    def _write_inputs(self) -> None:
        """Write every input: value, unit, key and source; one that differs by run has its values in columns behind."""
        sheet, looks = self.inputs, self.looks
        sheet.write_row(0, 0, ["name", "value", "unit", "key", "source"], looks.head)
        for row, each in enumerate(self.statement.inputs.values(), 1):
            sheet.write_string(row, 0, each.name)
            if isinstance(each.value, np.ndarray):
                values = _numbers(each.value[: self.runs])
                sheet.write_row(row, 6, values)
                block = f"${_column(6)}{row + 1}:${_column(5 + self.runs)}{row + 1}"
                sheet.write_formula(row, 1, f"=INDEX({block},1,{CHOICE})", looks.given, values[0])
            else:
                sheet.write_number(row, 1, each.value, looks.given)
            source = self.found.origins.get(each.path, each.source)
            for column, text in enumerate((each.unit, each.path, source), 2):
                sheet.write_string(row, column, text)
            where = f"'{self.titles[0]}'!$B${row + 1}"
            self.cells[each.name] = lambda _, where=where: where  # type: ignore[misc]
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 16)
        sheet.set_column(2, 4, 30)

    def _write_statement(self) -> dict[str, int]:
        """Write every line as formulas, month by month, its total, the program's and the difference."""
        sheet, looks, statement = self.sheet, self.looks, self.statement
        sheet.write_string(0, 0, f"{self.found.run}: {self.found.about}", looks.head)
        sheet.write_string(1, 0, "run shown")
        sheet.write_formula(1, 1, f"={CHOICE}", None, 1)
        what = "months, 0 is the closing" if self.found.month_h else "1 is the whole term"
        sheet.write_string(2, 0, f"The sheet Summary chooses the run. Columns: {what}.", looks.note)
        heads = ["line", "name", "party", "unit", "formula", "total", "program", "difference"]
        sheet.write_row(FIRST - 1, 0, [*heads, *range(self.columns)], looks.head)
        rows = {line.name: FIRST + index for index, line in enumerate(statement.lines)}
        for name, row in rows.items():
            self.cells[name] = lambda month, row=row: f"{_column(LABELS + month)}{row + 1}"  # type: ignore[misc]
        self.cells[MONTH] = lambda month: f"{_column(LABELS + month)}${FIRST}"
        self.cells[MONTHS] = lambda _: str(statement.months)
        for line in statement.lines:
            self._write_line(line, rows[line.name])
        sheet.freeze_panes(FIRST, 2)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 3, 14)
        sheet.set_column(4, 4, 40)
        sheet.set_column(5, LABELS + self.columns, 16)
        return rows

    def _write_line(self, line: Line, row: int) -> None:
        sheet, looks = self.sheet, self.looks
        look = looks.share if line.unit == "1" else looks.money
        texts = (line.label, line.name, line.party, line.unit, line.formula)
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text)
        for month, value in enumerate(_numbers(self.statement.values[line.name][0])):

            def cell(name: str, before: bool, month: int = month) -> str:
                return ("0" if month == 0 else self.cells[name](month - 1)) if before else self.cells[name](month)

            sheet.write_formula(row, LABELS + month, f"={excel(line.formula, cell)}", look, value)
        if line.fold == "none":
            return
        first, last = (f"{_column(LABELS + month)}{row + 1}" for month in (0, self.columns - 1))
        total = float(self.statement.total(line.name)[0])
        sheet.write_formula(row, 5, f"=SUM({first}:{last})" if line.fold == "sum" else f"={last}", look, total)
        sheet.write_formula(row, 6, f"=INDEX({self.totals[line.name]},{CHOICE})", look, total)
        sheet.write_formula(row, 7, f"=F{row + 1}-G{row + 1}", looks.money, 0.0)


def _summary(sheet: "Worksheet", looks: _Looks, shown: Sequence[_Shown]) -> None:
    """Write the choice of the run, all totals with their range over runs, and what flows return."""
    sheet.set_column(0, 0, 48)
    sheet.set_column(1, 5, 18)
    if not shown:
        sheet.write_string(0, 0, "This scenario has no prices: give it [tco] or [owner].", looks.note)
        return
    runs = min(each.runs for each in shown)
    sheet.write_string(0, 0, "Change the yellow cells, or any input: all amounts follow.", looks.note)
    sheet.write_string(1, 0, f"run shown: 1 is the first of {runs}")
    sheet.write_number(1, 1, 1, looks.choice)
    limits = {"validate": "integer", "criteria": "between", "minimum": 1, "maximum": runs}
    sheet.data_validation(1, 1, 1, 1, limits)
    row = 3
    for each in shown:
        row = _totals(sheet, looks, row, each)
        for flow in FLOWS:
            if flow in each.found.statement.by_name and each.found.month_h is not None:
                row = _returns(sheet, looks, row, each, flow, each.found.month_h)
        row += 1


def _totals(sheet: "Worksheet", looks: _Looks, row: int, each: _Shown) -> int:
    """Write the total of every line, of the run shown and over all runs, and the difference; return the next row."""
    statement, at = each.found.statement, f"'{each.sheet}'!"
    heads = [f"{each.found.run}: {each.found.about}", "run shown", "mean of runs", "P5", "P95", "unit"]
    sheet.write_row(row, 0, heads, looks.head)
    for line in statement.lines:
        if line.fold == "none":
            continue
        row += 1
        look = looks.share if line.unit == "1" else looks.money
        totals, block = statement.total(line.name)[: each.runs], each.totals[line.name]
        sheet.write_string(row, 0, line.label)
        sheet.write_formula(row, 1, f"={at}F{each.rows[line.name] + 1}", look, float(totals[0]))
        sheet.write_formula(row, 2, f"=AVERAGE({block})", look, float(totals.mean()))
        for column, share in ((3, 0.05), (4, 0.95)):
            quantile = f"=PERCENTILE({block},{share})"
            sheet.write_formula(row, column, quantile, look, float(np.quantile(totals, share)))
        sheet.write_string(row, 5, line.unit)
    first, last = min(each.rows.values()) + 1, max(each.rows.values()) + 1
    row += 1
    sheet.write_string(row, 0, "largest difference from the program (0 until an input is changed)")
    difference = f"=MAX(MAX({at}H{first}:H{last}),-MIN({at}H{first}:H{last}))"
    sheet.write_formula(row, 1, difference, looks.money, 0.0)
    return row + 1


def _returns(sheet: "Worksheet", looks: _Looks, row: int, each: _Shown, flow: str, month_h: float) -> int:
    """Write what a flow by month returns: IRR and NPV by the spreadsheet's own functions; return the next row."""
    statement, line = each.found.statement, each.rows[flow] + 1
    label, cash = statement.by_name[flow].label, Flow(statement.values[flow][:1], month_h)
    finance = each.found.finance
    discount = DISCOUNT if finance is None else float(getattr(finance, FLOWS[flow]))
    source = "assumed: change it" if finance is None else f"finance.{FLOWS[flow]}"
    closing, first, last = (f"${_column(LABELS + month)}${line}" for month in (0, 1, statement.months))
    at, a_year = f"'{each.sheet}'!", HOURS_PER_YEAR / month_h
    sheet.write_string(row, 0, f"discount rate, a year, of {label}")
    sheet.write_number(row, 1, discount, looks.choice)
    sheet.write_string(row, 5, source)
    sheet.write_string(row + 1, 0, f"NPV of {label}, from monthly flows")
    monthly = f"(1+B{row + 1})^(1/{a_year!r})-1"
    npv, irr = float(cash.npv(discount, "monthly")[0]), float(cash.irr("monthly")[0])
    sheet.write_formula(row + 1, 1, f"={at}{closing}+NPV({monthly},{at}{first}:{last})", looks.money, npv)
    sheet.write_string(row + 1, 5, "USD")
    sheet.write_string(row + 2, 0, f"IRR of {label}, a year, from monthly flows")
    formula = f'=IFERROR((1+IRR({at}{closing}:{last},0.01))^{a_year!r}-1,"none")'
    sheet.write_formula(row + 2, 1, formula, looks.share, irr if np.isfinite(irr) else "none")
    sheet.write_string(row + 2, 5, "(1 + monthly rate) to the months of a year, less 1")
    return row + 3


def _numbers(values: "np.ndarray[Any, np.dtype[np.float64]]") -> list[float]:
    """Return values as a sheet holds them: what is not finite is 0 there, as a formula's error would hide all else."""
    return [float(each) if np.isfinite(each) else 0.0 for each in values]


def _column(index: int) -> str:
    """Return the letters of a column, the first is 0."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(index))
