"""The first sentences and tables of a result as a piece of HTML, for a notebook."""

from functools import singledispatch
from html import escape

from dcsim.decide import Bridge, Comparison, Estimate, RunResult
from dcsim.decide.breakeven import BreakEven
from dcsim.decide.optimize_result import Optimum
from dcsim.decide.sensitivity import Sensitivity
from dcsim.decide.sweep import Sweep
from dcsim.decide.tables import DecisionTable
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
from dcsim.report.walks import diff_page

MOST_TABLES = 2


@singledispatch
def page_of(result: object) -> Page:
    """Return the page of a result."""
    raise TypeError(f"no page for {type(result).__name__}")


@page_of.register
def _(result: RunResult) -> Page:
    return run_page([result])


@page_of.register
def _(result: Comparison) -> Page:
    return comparison_page(result)


@page_of.register
def _(result: Estimate) -> Page:
    return estimate_page([result])


@page_of.register
def _(result: Bridge) -> Page:
    return explain_page(result)


@page_of.register
def _(result: BreakEven) -> Page:
    return breakeven_page(result)


@page_of.register
def _(result: Differences) -> Page:
    return diff_page(result)


@page_of.register
def _(result: Sweep) -> Page:
    return sweep_page(result)


@page_of.register
def _(result: Optimum) -> Page:
    return optimum_page(result)


@page_of.register
def _(result: DecisionTable) -> Page:
    return table_page(result)


@page_of.register
def _(result: Sensitivity) -> Page:
    return sensitivity_page(result)


def html(result: object) -> str:
    """Return the answer and the first tables of a result; every text in it is escaped."""
    page = page_of(result)
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
