"""The site's connection, ready to show: what late power costs, and how the load swings."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from dcsim.decide import RunResult
from dcsim.decide.energisation import EnergisationTable, Late
from dcsim.decide.swing import Swing
from dcsim.report.document import Bars, Page, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, brief, dollars, number, per_cent, scale_of, span, watts
from dcsim.report.owner_answer import sentence_scale, short
from dcsim.report.owner_page import TAX
from dcsim.report.page import SHORT, Row, Table, and_list, names, printable
from dcsim.units import HOURS_PER_MONTH, MS_PER_H

BINS = 8
"""Sizes of changes that are told apart in a chart; source: assumed."""


# --- late power -------------------------------------------------------------------------------------------------------


def energisation_page(found: EnergisationTable, notes: Sequence[str] = ()) -> Page:
    """Return what each phase of late power costs its owner, and what bridge power may cost."""
    scale, unit = scale_of([each.lost.mean for each in (*found.phases, found.all)])
    rows = [_row(printable(each.name), each, scale) for each in found.phases]
    if len(rows) > 1:
        rows.append(_row("all of them", found.all, scale, True))
    columns = (
        "date, months",
        f"lost, {unit}",
        "P5 to P95 of one run",
        "by formula",
        "by formula, whole life",
        "bridge pays up to, USD/kWh",
    )
    rate = brief(100 * found.discount, 3)
    how = (
        "Lost: what the owner would gain if this phase alone had power at the closing. Phases need not add up: spares "
        "of one stand in for another."
    )
    rules = (
        "Lost and by formula: earnings end at the horizon, whatever the date. Whole life: each phase earns as long "
        "after its date as the horizon is, so only time is lost. Formulas take mean dates, and no failure."
    )
    bridge = (
        "Bridge: how much more than from the grid a kWh behind the meter may cost until then, at full load, before "
        "waiting is cheaper."
    )
    title = f"Cash lost to late power, discounted at {rate} % a year"
    table = Table(title, columns, tuple(rows), corner="phase", notes=(how, rules, bridge, TAX))
    hours = found.scenario.horizon / MS_PER_H
    told = (
        f"runs (replications): {found.runs:,} of {hours:,.0f} h each, on the same random numbers with and without delay"
    )
    return Page(tuple(_says(found)), (table,), (*notes, told))


def _row(name: str, late: Late, scale: float, strong: bool = False) -> Row:
    lost = late.lost
    cell: Cell = dollars(lost.mean, scale)
    if lost.shown_half_width:
        cell = dollars(lost.mean, scale).with_half(dollars(lost.shown_half_width, scale, lost.mean))
    months: Cell = MISSING if late.date_h is None else number(late.date_h / HOURS_PER_MONTH, 1)
    premium: Cell = MISSING if late.premium is None else number(late.premium, 3)
    cells = (
        months,
        cell,
        span(lost.p5 / scale, lost.p95 / scale),
        *(dollars(each, scale) for each in (late.by_formula, late.whole_life)),
        premium,
    )
    return Row(name, cells, strong)


def _says(found: EnergisationTable) -> list[str]:
    """Say what late power costs in all, which phase most of it is, and what a bridge may cost."""
    every = found.all.lost.mean
    scale, unit = sentence_scale([every])
    name, rate = printable(found.scenario.name), brief(100 * found.discount, 3)
    if every <= 0:
        return [
            f"{name}: late power costs its owner nothing; what is saved until then is worth more than the earnings."
        ]
    said = f"{name}: late power costs its owner {short(every, scale)} {unit}, discounted at {rate} % a year."
    worst = max(found.phases, key=lambda each: each.lost.mean)
    if len(found.phases) > 1:
        said += f" Most of it is {printable(worst.name)}: {short(worst.lost.mean, scale)} {unit}."
    if worst.premium is None:
        return [said]
    premium = number(worst.premium, 2)
    return [said, f"Until then a kWh behind the meter may cost up to {premium} USD more than one from the grid."]


# --- the swing of the load --------------------------------------------------------------------------------------------


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
