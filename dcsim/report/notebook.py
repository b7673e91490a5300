"""The first sentences and tables of a result as a piece of HTML, for a notebook."""

from collections.abc import Callable
from html import escape
from typing import Any

from dcsim.decide import Bridge, Comparison, Estimate, RunResult
from dcsim.decide.breakeven import BreakEven
from dcsim.decide.optimize_result import Optimum
from dcsim.decide.sensitivity import Sensitivity
from dcsim.decide.sweep import Sweep
from dcsim.decide.tables import DecisionTable
from dcsim.decide.tables_tokens import TokenTable
from dcsim.decide.walk import Differences
from dcsim.report.breakeven_page import breakeven_page
from dcsim.report.document import Page
from dcsim.report.optimize_page import optimum_page
from dcsim.report.page import Table
from dcsim.report.published_tables import estimate_page
from dcsim.report.sensitivity_page import sensitivity_page
from dcsim.report.simulated import comparison_page, explain_page, run_page
from dcsim.report.sweep_page import sweep_page
from dcsim.report.tables_page import table_page
from dcsim.report.tokens_page import batch_page
from dcsim.report.walks import diff_page

MOST_TABLES = 2


PAGES: dict[type, Callable[[Any], Page]] = {
    RunResult: lambda result: run_page([result]),
    Comparison: comparison_page,
    Estimate: lambda result: estimate_page([result]),
    Bridge: explain_page,
    BreakEven: breakeven_page,
    Differences: diff_page,
    Sweep: sweep_page,
    Optimum: optimum_page,
    DecisionTable: table_page,
    TokenTable: batch_page,
    Sensitivity: sensitivity_page,
}
"""Kind of result -> what makes its page."""


def html(result: object) -> str:
    """Return the answer and the first tables of a result; every text in it is escaped."""
    page = PAGES[type(result)](result)
    pieces = [f"<p>{escape(sentence)}</p>" for sentence in page.answer]
    tables = [part for part in page.parts if isinstance(part, Table)]
    pieces += [_table(table) for table in tables[:MOST_TABLES]]
    return "".join(pieces)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in (table.corner, *table.columns))
    rows = "".join(
        f"<tr><th>{escape(row.label)}</th>{''.join(f'<td>{escape(text)}</td>' for text in row.texts)}</tr>"
        for row in table.rows
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return f"<table><caption>{escape(table.title)}</caption><tr>{head}</tr>{rows}</table>{notes}"
