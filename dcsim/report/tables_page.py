"""The tables that people ask for by name, as pages: formula, theory and simulation side by side."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from dcsim.decide.energisation import EnergisationTable, Late
from dcsim.decide.metrics import loss_metric
from dcsim.decide.sweep import Point
from dcsim.decide.tables import DecisionTable
from dcsim.decide.variants import SPARES
from dcsim.report.document import Bars, Page, Part, Picture, Section
from dcsim.report.figures import (
    MISSING,
    Cell,
    Figure,
    PointUnit,
    brief,
    dollars,
    loss,
    number,
    per_cent,
    scale_of,
    span,
    usd,
)
from dcsim.report.inputs import METHOD
from dcsim.report.owner_answer import sentence_scale, short
from dcsim.report.owner_page import TAX
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.report.sweep_page import STANDINGS, cell, of_figure, said_value, sentences, unit_of
from dcsim.report.sweep_report import sweep_document
from dcsim.units import HOURS_PER_MONTH, MS_PER_H

TITLES = {
    "checkpoint": "Checkpoint interval",
    "spares": "Spares",
    "detection": "Time to detection",
    "nines": "What each nine costs",
}
WAYS = {"binomial": "by the binomial", "repairman": "by the repairman chain", "simulated": "simulated"}
OWN = " (now)"
"""Stands behind the value that the scenario has."""
BY_FORMULA = "the published formula, which is of one job and knows no waiting"
BY_THEORY = "exact theory of every gang alone, which never waits for hardware"


def table_page(found: DecisionTable, notes: Sequence[str] = ()) -> Page:
    """Return what a terminal shows: what the table says, then the table."""
    values = values_table(found)
    stocks = replace(values, title="Stocks that were simulated")
    parts = (nines_table(found), stocks) if found.kind == "nines" else (values,)
    return Page(tuple(_says(found)), parts, (*found.sweep.notes, *notes))


def table_document(found: DecisionTable, command: Sequence[str] = (), notes: Sequence[str] = ()) -> Page:
    """Return the report of a table."""
    page, its = table_page(found, notes), sweep_document(found.sweep, command, notes)
    tables = Section("table", TITLES[found.kind], parts=page.parts)
    return replace(
        its,
        title=f"{printable(found.scenario.name, 80)}: {TITLES[found.kind].lower()}",
        answer=page.answer,
        sections=(tables, *(each for each in its.sections if each.key != "points")),
    )


# --- sentences --------------------------------------------------------------------------------------------------------


def _says(found: DecisionTable) -> list[str]:
    return {"checkpoint": _interval, "spares": _stock, "detection": _minute, "nines": _nines}[found.kind](found)


def _interval(found: DecisionTable) -> list[str]:
    facts, said = found.facts, sentences(found.sweep)
    best, told = facts["optimal_h"], []
    if best is None:
        told.append("There is no closed form for the best interval here.")
    elif best == 0:
        told.append("Checkpoint writes cost no time (checkpoint_write), so the shorter the interval the better.")
    elif best == float("inf"):
        told.append("Nothing rolls this job back, so the longer the interval the better.")
    else:
        others = f"Young's formula gives {_time(facts['young_h'])}, Daly's {_time(facts['daly_h'])}"
        told.append(f"By exact theory {_time(best)} is best; {others}.")
    return [said[0], *told, *_own(found), *said[1:]]


def _own(found: DecisionTable) -> list[str]:
    """Say what the scenario's own value costs more than the best one."""
    region = found.sweep.region
    if found.own is None or region is None or found.own in region.members or not region.judged:
        return []
    gap, value = region.gaps[found.own], said_value(found.sweep.points[found.own].inputs[0][1])
    if gap is None:
        return []
    unit = unit_of(found.sweep)
    more = "percentage points" if unit.name == "%" else unit.name
    digits = max(unit.digits, 2)
    return [f"{value}, as it is now, is {number(abs(gap.mean) / unit.scale, digits)} {more} worse."]


def _time(hours: float) -> str:
    """Write a time with three digits in the unit that suits it."""
    if hours < 1 / 60:
        return f"{brief(hours * 3600, 3)} s"
    return f"{brief(hours * 60, 3)} min" if hours < 10 else f"{brief(hours, 3)} h"


def _minute(found: DecisionTable) -> list[str]:
    facts = found.facts
    money = facts.get("minute_usd_month_simulated") is not None
    key, unit = ("minute_usd_month", "USD a month") if money else ("points_per_minute", "points of all GPU-hours")

    def said(value: float | None) -> str:
        if value is None:
            return MISSING
        return str(usd(value) if money else brief(value, 3)) if abs(value) > 1e-6 else "nothing"

    ways = [f"{said(facts.get(f'{key}_formula'))} by the published formula"]
    if f"{key}_theory" in facts:
        ways.append(f"{said(facts[f'{key}_theory'])} by theory")
    between = f"between {and_list(facts['between'])} a minute costs"
    first = f"Time to detection: {between} {said(facts.get(f'{key}_simulated'))} {unit} in the simulation"
    return [f"{first}, {and_list(ways)}.", *sentences(found.sweep)[:1], *_own(found)]


def _stock(found: DecisionTable) -> list[str]:
    (enough,) = found.facts["enough"]
    simulates = any(point.figures.get("short") for point in found.sweep.points)  # not of gangs of one machine
    untold = [] if simulates else ["P(short) is not simulated: a gang of one machine has nothing left that waits."]
    return [_smallest(enough, _ways(found, simulates)), *untold, *sentences(found.sweep), *_of_machines(found)]


def _ways(found: DecisionTable, simulates: bool = True) -> list[str]:
    """Return the ways in which P(short) is known: without a queue for crews both closed forms are one."""
    queue = found.pool is not None and found.pool.crews is not None
    known = {"binomial": True, "repairman": queue, "simulated": simulates}
    return [way for way in WAYS if known[way]]


def _smallest(enough: dict[str, Any], ways: Sequence[str]) -> str:
    by_stock: dict[int | None, list[str]] = {}
    for way in ways:
        by_stock.setdefault(enough[way], []).append(WAYS[way])
    target = f"P(short) below {per_cent(enough['short_below'], 0)} %"
    known = [(f"{stock:,}", its) for stock, its in by_stock.items() if stock is not None]
    none = [f"none {and_list(its)}" for stock, its in by_stock.items() if stock is None]
    if not known:
        return f"No stock that was tried has {target}."
    if len(known) == 1 and not none:
        return f"{known[0][0]} spares are the smallest stock with {target}: {and_list(known[0][1])}."
    told = [f"{stock} {and_list(its)}" for stock, its in known]
    return f"The smallest stock with {target}: {and_list([*told, *none])}."


def _of_machines(found: DecisionTable) -> list[str]:
    pool = found.pool
    if pool is None:
        return []
    queue_left_out = any("crews" in each for each in pool.caveats)
    crews = "" if queue_left_out else "; no limit of crews" if pool.crews is None else f"; {pool.crews} crews"
    made = f"{pool.unit} GPUs" if pool.unit > 1 else "one GPU"
    said = f"A failure takes {made} out, one machine in {_time(pool.mtbf_h)} for {_time(pool.repair_h)}{crews}"
    caveats = f"; in the closed forms {and_list(list(pool.caveats))}" if pool.caveats else ""
    return [f"{said}{caveats}."]


def _nines(found: DecisionTable) -> list[str]:
    rows = found.facts["enough"]
    said = []
    for before, after in pairwise(rows):
        if before["repairman"] is None or after["repairman"] is None:
            continue
        more = after["repairman"] - before["repairman"]
        less, paid = (each.get("repairman_usd_month") for each in (before, after))
        cost = "" if less is None or paid is None else f", {usd(paid - less)} USD a month"
        told = f"{more:,} more spares{cost}" if more else "no more spares"
        said.append(f"From {_share(before)} to {_share(after)}: {told}.")
    first = f"Time in which jobs have enough GPUs, {WAYS[_ways(found)[-2]]}. "
    return [first + " ".join(said), *_of_machines(found)]


def _share(row: dict[str, Any]) -> str:
    return f"{brief(100 * (1 - row['short_below']), 8)} %"


# --- tables -----------------------------------------------------------------------------------------------------------

Column = tuple[str, Callable[[int, Point], Cell]]


def values_table(found: DecisionTable) -> Table:
    """Return a row for each value: loss and price by formula, by theory and simulated; of spares P(short) too."""
    money = found.scenario.tco is not None
    columns: list[Column] = []
    if found.kind in ("spares", "nines"):
        columns += _of_stock(found, money)
    columns += _three_ways(found, loss_metric(found.scenario).name, "loss, %", lambda value: loss(value))
    if (decides := found.sweep.metric).name == "finish_h":
        unit = of_figure(found.sweep, decides)
        columns.append(("last job done, h", lambda _, point: cell(unit, point.figures["finish_h"])))
    if money:
        price = of_figure(found.sweep, _figure(found, "usd_per_useful_gpu_hour"))
        columns += _three_ways(found, "usd_per_useful_gpu_hour", "USD per useful GPU-hour", price.figure)
    rows = []
    region = found.sweep.region
    for place, point in enumerate(found.sweep.points):
        value = point.inputs[0][1]
        label = said_value(value) + (OWN if place == found.own else "")
        standing = "" if region is None else STANDINGS[region.standings[place]]
        cells = tuple(make(place, point) for _, make in columns)
        rows.append(Row(label, (*cells, standing), strong=standing == "best"))
    names = tuple(name for name, _ in columns)
    notes = (f"Formula: {BY_FORMULA}. Theory: {BY_THEORY}.",)
    return Table(TITLES[found.kind], (*names, "against the best"), tuple(rows), found.sweep.axes[0].key, notes)


def _figure(found: DecisionTable, name: str) -> Any:
    return next(each for each in found.sweep.figures if each.name == name)


def _three_ways(found: DecisionTable, name: str, label: str, shown: Callable[[float | None], Figure]) -> list[Column]:
    closed = ("formula", "theory") if name in ("loss", "lost") else ("formula_usd", "theory_usd")
    unit = of_figure(found.sweep, _figure(found, name))
    return [
        (f"formula: {label}", lambda at, _: shown(found.closed[at][closed[0]])),
        (f"theory: {label}", lambda at, _: shown(found.closed[at][closed[1]])),
        (f"simulated: {label}", lambda _, point: cell(unit, point.figures[name])),
    ]


def _of_stock(found: DecisionTable, money: bool) -> list[Column]:
    waits = of_figure(found.sweep, _figure(found, "wait_gpu_hours"))
    pool = found.pool
    queue = pool is not None and pool.crews is not None
    columns: list[Column] = [("P(short) by binomial, %", lambda at, _: _small(found.closed[at]["binomial"]))]
    if queue:
        columns.append(("P(short) by repairman chain, %", lambda at, _: _small(found.closed[at]["repairman"])))
    columns += [
        ("P(short) simulated, %", lambda _, point: _short(point)),
        ("waiting by theory, GPU-h", lambda at, _: number(found.closed[at]["waiting"], 0)),
        ("waiting simulated, GPU-h", lambda _, point: cell(replace(waits, digits=0), point.figures["wait_gpu_hours"])),
    ]
    if money:
        columns.append(("rent of the stock, USD/month", lambda at, _: usd(found.closed[at]["stock_usd"])))
    return columns


def _small(share: float | None) -> Figure:
    """Return a probability in per cent, with two digits where it is small."""
    return Figure(None) if share is None else loss(share) if share >= 1e-6 else number(0.0, 0)


def _short(point: Point) -> Cell:
    found = point.figures["short"]
    if found is None:
        return MISSING
    unit = PointUnit(0.01, "%", loss(found.mean).digits)
    return cell(unit, found)


def nines_table(found: DecisionTable) -> Table:
    """Return a row for each share of time with enough GPUs: the stock that it takes, its rent, and that of the nine."""
    rows = []
    before: float | None = 0.0
    ways = _ways(found)
    chain = ways[-2]
    for each in found.facts["enough"]:
        rent = each.get(f"{chain}_usd_month")
        cells: list[Cell] = [MISSING if each[way] is None else number(each[way], 0) for way in ways]
        if found.scenario.tco is not None:
            cells += [usd(rent), usd(None if rent is None or before is None else rent - before)]
        before = rent
        rows.append(Row(_share(each), tuple(cells)))
    columns = [f"spares {WAYS[way]}" for way in ways]
    if found.scenario.tco is not None:
        columns += ["rent of the stock, USD/month", "of this nine, USD/month"]
    note = f"Simulated: the smallest of the stocks tried; {SPARES} from {_tried(found)}."
    return Table(TITLES["nines"], tuple(columns), tuple(rows), "time with enough GPUs", (note,))


def _tried(found: DecisionTable) -> str:
    values = found.sweep.axes[0].values
    return f"{said_value(values[0])} to {said_value(values[-1])}"


# --- late power -------------------------------------------------------------------------------------------------------


def energisation_page(found: EnergisationTable, notes: Sequence[str] = ()) -> Page:
    """Return what each phase of late power costs its owner, and what bridge power may cost."""
    scale, unit = scale_of([each.lost.mean for each in (*found.phases, found.all)])
    rows = [_phase_row(printable(each.name), each, scale) for each in found.phases]
    if len(rows) > 1:
        rows.append(_phase_row("all of them", found.all, scale, True))
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
    written = () if found.folder is None else (f"written: {found.folder}/",)
    return Page(tuple(_delay_says(found)), (table,), (*notes, told, *written))


def energisation_document(found: EnergisationTable, command: Sequence[str], notes: Sequence[str] = ()) -> Page:
    """Return the same as a whole report; ``command`` makes it again."""
    page = energisation_page(replace(found, folder=None), notes)
    its = Passage("Notes", tuple(("", each) for each in page.notes))
    items = (("command", shlex.join([printable(word, 200) for word in command])), ("seed", str(found.scenario.seed)))
    return replace(
        page,
        parts=(_lost(found), *page.parts[1:]),
        title=f"{printable(found.scenario.name, 80)}: what late power costs",
        notes=(),
        sections=(
            Section("why", "What to know of these figures", parts=(its,)),
            Section("method", "Method and limits", parts=(Passage("How the figures came about", METHOD),)),
        ),
        made=Passage("How to make this again", items),
    )


def _lost(found: EnergisationTable) -> Part:
    """Return what each phase loses as bars, with the table behind them; the table alone where a phase gains."""
    (table,) = energisation_page(found).parts
    assert isinstance(table, Table)
    scale, unit = scale_of([each.lost.mean for each in (*found.phases, found.all)])
    shown = [*found.phases, *([found.all] if len(found.phases) > 1 else [])]
    if min(each.lost.mean for each in shown) < 0:
        return table
    chart = Bars(
        labels=tuple(printable(each.name) if each.name else "all of them" for each in shown),
        values=tuple(each.lost.mean / scale for each in shown),
        intervals=tuple(each.lost.ci95 and (each.lost.ci95[0] / scale, each.lost.ci95[1] / scale) for each in shown),
        unit=unit,
        marked=max(range(len(found.phases)), key=lambda at: found.phases[at].lost.mean),
    )
    return Picture("Cash lost to late power, by phase", _delay_says(found)[0], chart, table)


def _phase_row(name: str, late: Late, scale: float, strong: bool = False) -> Row:
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


def _delay_says(found: EnergisationTable) -> list[str]:
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
