"""The site's connection, ready to show: what late power costs, and how the load swings."""

from collections.abc import Sequence

from dcsim.decide.energisation import EnergisationTable, Late
from dcsim.report.document import Page
from dcsim.report.figures import MISSING, Cell, brief, dollars, number, scale_of, span
from dcsim.report.owner_answer import sentence_scale, short
from dcsim.report.owner_page import TAX
from dcsim.report.page import Row, Table, printable
from dcsim.units import HOURS_PER_MONTH, MS_PER_H


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
