"""How the load of a site swings, ready to show."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from dcsim.decide import RunResult
from dcsim.decide.swing import Swing
from dcsim.report.document import Bars, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, brief, number, per_cent, watts
from dcsim.report.page import SHORT, Row, Table, and_list, names

BINS = 8
"""Sizes of changes that are told apart in a chart; source: assumed."""


def swing_sentence(run: RunResult) -> str:
    """Say how far the site's load changes within a minute, and what that asks of its connection; empty: nobody asks."""
    found = run.swing
    if found is None:
        return ""
    if not len(found.changes_kw):
        return "The site's load never changes: no job stops or starts."
    kind, most = ("falls", found.falls) if found.falls >= found.rises else ("rises", found.rises)
    share = per_cent(most / found.full_kw, 0)
    said = f"The site's load {kind} by up to {_kw(most)} within a minute, {share} % of full load."
    if found.limit_kw is None or found.beyond_a_month is None:
        return said
    if most <= found.limit_kw:
        return f"{said} The connection allows {_kw(found.limit_kw)}."
    often, (half, largest) = brief(found.beyond_a_month, 3), found.excess_kw
    return (
        f"{said} The connection allows {_kw(found.limit_kw)}; {often} times a month the load changes by more, half of "
        f"these by at most {_kw(half)} more, the largest by {_kw(largest)}. Batteries, or jobs that start slower, must "
        "take that."
    )


def _kw(kilowatts: float) -> Figure:
    return watts(1e3 * kilowatts)


def swing_tables(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return how the load swings, of runs that have a [grid]; nothing where none has."""
    found = [run.swing for run in runs]
    known = [each for each in found if each is not None]
    if not known:
        return ()

    def row(label: str, of: Callable[[Swing], Cell], strong: bool = False) -> Row:
        return Row(label, tuple(MISSING if each is None else of(each) for each in found), strong)

    def told(value: float | None) -> Cell:
        return MISSING if value is None else _kw(value)

    rows = [
        row("full load at the meter", lambda each: _kw(each.full_kw)),
        row("largest fall", lambda each: _kw(each.falls), True),
        row("largest rise", lambda each: _kw(each.rises)),
        row("99 of 100 changes are at most", lambda each: _kw(each.p99)),
        row("changes a month", lambda each: number(each.a_month, 1)),
    ]
    if any(each.limit_kw is not None for each in known):
        rows += [
            row("the connection allows", lambda each: told(each.limit_kw)),
            row("changes beyond that, a month", lambda each: number(each.beyond_a_month, 2)),
        ]
    if any(each.checkpoint_kw is not None for each in known):
        rows.append(row("a checkpoint of the largest job, not in these", lambda each: told(each.checkpoint_kw)))
    notes = (
        f"A change is the load against the farthest one of the minute before, as jobs stop and start; from the event "
        f"logs of {and_list(sorted({f'{each.runs:,}' for each in known}))} runs. GPUs that compute draw full power.",
    )
    return (Table("Swing of the site's load within a minute", names(runs), tuple(rows), notes=notes),)


def grid_section(runs: Sequence[RunResult]) -> list[Section]:
    """Return the section on the load's swings, with how often changes of each size come; nothing without [grid]."""
    pictures = [_sizes(name, run) for name, run in zip(names(runs, SHORT), runs, strict=True) if _swings(run)]
    tables = swing_tables(runs)
    return [Section("grid", "How the site's load swings", (), (*pictures, *tables))] if tables else []


def _swings(run: RunResult) -> bool:
    return run.swing is not None and len(run.swing.changes_kw) > 0


def _sizes(name: str, run: RunResult) -> Picture:
    assert run.swing is not None  # ``_swings``
    edges, often = run.swing.sizes(BINS)
    scale, unit = (1e3, "MW") if edges[-1] >= 1e3 else (1.0, "kW")
    labels = tuple(f"{low / scale:.3g} to {high / scale:.3g} {unit}" for low, high in pairwise(edges.tolist()))
    rows = tuple(Row(label, (number(each, 2),)) for label, each in zip(labels, often.tolist(), strict=True))
    table = Table(f"{name}: changes of the load", ("a month",), rows, corner="size")
    chart = Bars(labels, tuple(often.tolist()), (None,) * len(labels), "changes a month", marked=BINS - 1)
    return Picture(f"{name}: changes of the load within a minute, by size", swing_sentence(run), chart, table)
