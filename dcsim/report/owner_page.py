"""What an owner's answer rests on: cash by month, what a GPU-hour costs and earns, and what power budgets carry."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np

from dcsim.decide import RunResult
from dcsim.decide.cash import FLOW, Cash, Months
from dcsim.decide.estimate import Estimate
from dcsim.decide.owner_by_formula import Budget, PowerTable
from dcsim.economics.statement import Line
from dcsim.economics.unit_costs import UNIT_LINES, owner_prices, published_price
from dcsim.report.document import Bars, Lines, Page, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, brief, dollars, number, per_cent, scale_of, span, usd
from dcsim.report.owner_answer import paid_back, sentence_scale, short
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, names, printable

TAX = "Before tax, which is left out, and before debt."
UNIT_NOTE = "Costs and revenue of a GPU-hour are of all GPU-hours, rented or not. Depreciation is no cash."
LEVERS = "More cash over the whole term in the mean of all runs, one change at a time. Spares: before any SLA credit."
OWNING = (
    "Rent: all that is paid, by the hour rented. Owning: depreciation and operating costs, without interest and tax."
)
MOST_LABELS = 12
"""Months that are named along an axis; source: assumed, what fits a phone."""
HARDWARE = ("servers", "network_capex", "storage_capex", "facility_capex", "stock_capex")
COSTS = ("colocation", "electricity", "bridge", "staff", "maintenance", "insurance", "repairs")

Owned = tuple[str, Cash | None]
"""What a scenario is called, and its owner's cash."""

# --- tables -----------------------------------------------------------------------------------------------------------


def owner_tables(runs: Sequence[RunResult | Estimate]) -> tuple[Table, ...]:
    """Return the cash of owners, what a GPU-hour costs them, and owning beside renting; nothing where none owns."""
    owned = [(printable(run.scenario.name), run.cash) for run in runs]
    if not any(cash for _, cash in owned):
        return ()
    return (cash_table(owned), lever_table(owned), unit_table(owned), *_own_or_rent(runs))


def cash_table(owned: Sequence[Owned]) -> Table:
    """Return what comes in and goes out over the whole term, with the range of single runs."""
    found = [cash for _, cash in owned if cash is not None]
    scale, unit = scale_of([each.mean(name) for each in found for name in ("revenue", "capex")])

    def total(label: str, name: str, sign: float = 1.0, strong: bool = False) -> Row:
        return Row(label, tuple(_cell(cash, name, sign, scale) for _, cash in owned), strong)

    def shown(label: str, name: str, sign: float = 1.0) -> list[Row]:
        known = [each for each in found if name in each.statement.values]
        return [total(label, name, sign)] if any(each.mean(name) for each in known) else []

    labels = {line.name: line.label for each in found for line in each.statement.lines}
    rows = [total("rent invoiced", "revenue"), *shown("SLA credits", "credits", -1)]
    for name in filter(labels.__contains__, COSTS):
        rows += shown(labels[name], name, -1)
    rows.append(total("cash from operations", "operating_cash", strong=True))
    for name in HARDWARE:
        rows += shown(labels[name], name, -1)
    rows += shown(labels["residual"], "residual")
    rows.append(total("cash after capital", FLOW, strong=True))
    rows += [*_spread(owned, "  P5 to P95 of one run", scale), _payback_row(owned)]
    rows.append(total("what failures cost", "failures_cost", -1))
    rows += [*shown("  rent of the spares, were they on sale", "spares_rent")]
    months = sorted({each.statement.months for each in found})
    lives = [note for name, cash in owned if cash is not None and (note := _outlived(name, cash))]
    over = f"{months[0]:,} months" if len(months) == 1 else "the horizons"
    return Table(
        f"The owner's cash over {over}, {unit}",
        tuple(name for name, _ in owned),
        tuple(rows),
        notes=(
            TAX,
            "Failures cost rent that is not invoiced, credits and repairs; the last two are in the costs above.",
            *lives,
        ),
    )


def _outlived(name: str, cash: Cash) -> str:
    """Say that capital is not written off at the end; empty where its life is over by then."""
    life = float(np.mean(cash.statement.inputs["life_months"].value))
    if life <= cash.statement.months:
        return ""
    sold = float(np.mean(cash.statement.inputs["residual_share"].value))
    return (
        f"{name}: servers last {number(life, 0)} months and {cash.statement.months} are told; they are then sold for "
        f"{per_cent(sold, 0)} % of their price (owner.residual)."
    )


def _cell(cash: Cash | None, name: str, sign: float, scale: float) -> Cell:
    if cash is None or name not in cash.statement.values:
        return MISSING
    found = cash.total(name)
    half = found.shown_half_width
    size = max(abs(found.mean), half or 0.0)  # of an error that is larger than its mean the decimals
    cell = replace(dollars(size, scale), value=sign * found.mean / scale)
    return cell.with_half(dollars(half, scale, size)) if half and half >= 10**-cell.digits * scale / 2 else cell


def _spread(owned: Sequence[Owned], label: str, scale: float) -> list[Row]:
    cells: list[Cell] = []
    for _, cash in owned:
        found = None if cash is None or len(cash.payback_months) < 2 else cash.total(FLOW)
        cells.append(MISSING if found is None else span(found.p5 / scale, found.p95 / scale))
    return [] if set(map(str, cells)) == {MISSING} else [Row(label, tuple(cells))]


def _payback_row(owned: Sequence[Owned]) -> Row:
    cells: list[Cell] = []
    for _, cash in owned:
        if cash is None:
            cells.append(MISSING)
            continue
        middle, back = float(np.median(cash.payback_months)), float(np.isfinite(cash.payback_months).mean())
        late = f"in {per_cent(back, 0)} % of the runs" if back else "not within the term"
        cells.append(number(middle, 1) if isfinite(middle) else late)
    return Row("capital is back after, months", tuple(cells))


def lever_table(owned: Sequence[Owned]) -> Table:
    """Return what changes are worth over the whole term, the largest of the first owner first."""
    found = [cash for _, cash in owned if cash is not None]
    worth = [{each.change: each.usd for each in cash.levers} for cash in found]
    changes = list(dict.fromkeys(change for each in worth for change in each))
    scale, unit = scale_of([usd for each in worth for usd in each.values()])
    by_owner = iter(worth)
    columns = [{} if cash is None else next(by_owner) for _, cash in owned]
    rows = (Row(change, tuple(dollars(each.get(change), scale) for each in columns)) for change in changes)
    title = f"What a change is worth to the owner, {unit}"
    return Table(title, tuple(name for name, _ in owned), tuple(rows), notes=(LEVERS,))


def unit_table(owned: Sequence[Owned]) -> Table:
    """Return the token-factory stack: what a GPU-hour costs and earns, and the published price beside it."""

    def cell(cash: Cash | None, line: Line) -> Cell:
        if cash is None:
            return MISSING
        mean = cash.unit_cost(line.name)
        return MISSING if mean is None else _of_unit(mean, line.unit)

    shares = {"1": ", %"}
    rows = [
        Row(
            f"{line.label}{shares.get(line.unit, f', {line.unit}')}",
            tuple(cell(cash, line) for _, cash in owned),
            line.name in ("cost_hour", "gross_margin"),
        )
        for line in UNIT_LINES
    ]
    published = [None if cash is None else published_price(cash.topology) for _, cash in owned]
    if any(published):
        called = and_list(list(dict.fromkeys(each[0] for each in published if each)))
        cells = tuple(MISSING if each is None else number(each[1], 2) for each in published)
        rows.append(Row(f"published cost to an owner of {called}, USD/GPU-h", cells))
    return Table("A GPU-hour of the owner", tuple(name for name, _ in owned), tuple(rows), notes=(UNIT_NOTE,))


def _of_unit(value: float, unit: str) -> Figure:
    return per_cent(value, 1) if unit == "1" else number(value, 2)


def _own_or_rent(runs: Sequence[RunResult | Estimate]) -> tuple[Table, ...]:
    """Return owning beside renting, for scenarios that have prices of both."""
    found = [
        (name, run.cash, run.tco)
        for name, run in zip(names(runs, SHORT), runs, strict=True)
        if run.cash is not None and run.tco is not None
    ]
    if not found:
        return ()
    each_hour: list[Cell] = []
    useful: list[Cell] = []
    told = []
    for name, cash, bill in found:
        own, rent = cash.unit_cost("cost_hour") or 0.0, bill.paid_usd / bill.rented_gpu_hours
        each_hour += [number(rent, 2), number(own, 2)]
        useful += [number(bill.usd_per_useful_gpu_hour["all_in"], 2), number(cash.unit_cost("cost_useful_hour"), 2)]
        from_share = f"owning is cheaper if the GPUs are needed for more than {per_cent(own / rent, 0)} % of the time"
        told.append(f"{name}: {from_share if own < rent else 'renting is cheaper, however much is used'}.")
    columns = tuple(f"{name}, {how}" if len(found) > 1 else how for name, _, _ in found for how in ("rent", "own"))
    rows = (
        Row("a GPU-hour, USD", tuple(each_hour)),
        Row("a useful GPU-hour, USD", tuple(useful), strong=True),
    )
    return (Table("Own or rent", columns, rows, notes=(*told, OWNING)),)


# --- a power budget ---------------------------------------------------------------------------------------------------


def power_page(found: PowerTable, notes: Sequence[str] = ()) -> Page:
    """Return what power budgets carry, and what that costs and earns; nothing is simulated."""
    own, name = found.own, printable(found.scenario.name)
    scale, unit = scale_of([each.revenue for each in (*found.budgets, own)])

    def row(each: Budget, label: str, strong: bool = False) -> Row:
        monthly = (each.revenue / each.months, each.opex / each.months)
        cells = (
            usd(each.gpus),
            *(dollars(amount, scale) for amount in (each.capex, *monthly, each.cash)),
            number(each.payback, 1) if isfinite(each.payback) else "-",
        )
        return Row(label, cells, strong)

    rows = sorted([(each.site_kw, row(each, str(_megawatts(each.site_kw)))) for each in found.budgets])
    rows.append((own.site_kw, row(own, f"{_megawatts(own.site_kw)} (now)", True)))
    rows.sort(key=lambda each: each[0])
    columns = ("GPUs", f"capital, {unit}", "rent a month", "costs a month", "cash after capital", "back after, months")
    per_mw = own.gpus / own.site_kw * 1e3
    says = (
        f"{name}: {own.gpus:,} GPUs take {_megawatts(own.site_kw)} MW at the meter, {number(own.it_kw / 1e3, 2)} MW of "
        f"them for the IT. One megawatt carries {usd(per_mw)} GPUs and earns "
        f"{number(own.watt_year, 2)} USD for each watt of IT a year."
    )
    title = f"What a power budget carries over {own.months} months, {unit}"
    how = (
        "The budget is what the site takes from the grid: IT times PUE. In whole servers or racks. Rent and costs are "
        "means of a month; staff and other costs of the site stay as they are."
    )
    table = Table(title, columns, tuple(each for _, each in rows), corner="MW at the meter", notes=(how, TAX))
    return Page((says,), (table,), (*notes, "by formula, from expected availability: nothing is simulated"))


def _megawatts(kw: float) -> Figure:
    return brief(kw / 1e3, 4)


# --- the report -------------------------------------------------------------------------------------------------------


def owner_section(runs: Sequence[RunResult]) -> list[Section]:
    """Return the section on the owner's cash: a chart and a table by month for each run."""
    owned = [(name, run.cash) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.cash is not None]
    if not owned:
        return []
    parts: list[Part] = []
    for name, cash in owned:
        parts.append(_monthly(name, cash))
    if first_owner_picture(runs) is None:
        parts += [_so_far([(name, cash)]) for name, cash in owned]
    parts += owner_tables(runs)
    more: list[Part] = list(_traced(owned[0][1]))
    return [
        Section(
            "owner",
            "The owner's cash, month by month",
            ("Bars over the dots span nine runs of ten (P5 to P95). " + TAX,),
            (*parts, *_published(runs)),
            tuple(more),
        )
    ]


def _monthly(name: str, cash: Cash) -> Picture:
    found = cash.by_month("operating_cash")
    mean, low, high = cash.one_month
    scale, unit = sentence_scale([mean, low, high])
    nine = f"{short(low, scale)} to {short(high, scale)} in nine of ten months"
    says = f"{name}: cash from operations is {short(mean, scale)} {unit} in a mean month, {nine}."
    return Picture(f"{name}: cash from operations by month", says, _lines([(name, found)], 1), month_table(name, cash))


def first_owner_picture(runs: Sequence[RunResult]) -> Picture | None:
    """Return the cash so far of owners on one scale; None unless all have one, over as many months."""
    owned = [(name, run.cash) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.cash is not None]
    if len(owned) < len(runs) or len({cash.statement.months for _, cash in owned}) > 1:
        return None
    return _so_far(owned)


def _so_far(owned: Sequence[tuple[str, Cash]]) -> Picture:
    """Return the cash so far of owners, over as many months each."""
    found = [(name, cash.by_month("cash_so_far")) for name, cash in owned]
    says = " ".join(f"{name}: {paid_back(cash)[0].lower()}{paid_back(cash)[1:]}" for name, cash in owned)
    return Picture("The owner's cash so far", says, _lines(found, 0), _so_far_table(found))


def _lines(found: Sequence[tuple[str, Months]], first: int) -> Lines:
    """Return lines with their ranges over runs, from a month on."""
    scale, unit = scale_of([value for _, each in found for value in (*each.p5.tolist(), *each.p95.tolist())])
    places = range(first, len(found[0][1].mean))
    series = tuple(
        (
            name,
            tuple(float(each.mean[place]) / scale for place in places),
            tuple((float(each.p5[place]) / scale, float(each.p95[place]) / scale) for place in places),
        )
        for name, each in found
    )
    return Lines(tuple(float(place - first) for place in places), month_labels(places), series, "month", unit)


def month_labels(places: Sequence[int]) -> tuple[str, ...]:
    """Return what stands along an axis of months: at most ``MOST_LABELS`` of them, in even steps."""
    step = next(each for each in (1, 3, 6, 12, 24, 60, 120) if len(places) / each <= MOST_LABELS)
    return tuple(str(place) if place % step == 0 else "" for place in places)


BY_MONTH = (
    ("rent invoiced", "revenue"),
    ("credits", "credits"),
    ("operating costs", "opex"),
    ("what failures cost", "failures_cost"),
    ("capital", "capex"),
)


def _of_month(amount: float, scale: float) -> Figure:
    """Return an amount of a month: whole dollars, or four digits of millions; of nothing a zero."""
    return number(amount / scale, 0) if scale == 1 or not amount else dollars(amount, scale)


def month_table(name: str, cash: Cash) -> Table:
    """Return the months: means of what comes in and goes out, cash with its range over runs. The last row sums them."""
    shown = [(label, line) for label, line in BY_MONTH if cash.statement.values[line].any()]
    scale, unit = scale_of([cash.mean("revenue") / max(1, cash.statement.months)])
    means = {line: cash.by_month(line).mean for _, line in shown}
    flow = cash.by_month(FLOW)
    rows = [
        Row(
            str(month),
            (
                *(_of_month(float(means[line][month]), scale) for _, line in shown),
                *(_of_month(float(each[month]), scale) for each in (flow.mean, flow.p5, flow.p95)),
            ),
        )
        for month in range(cash.statement.months + 1)
    ]
    whole = cash.total(FLOW)
    sums = (
        *(_of_month(cash.mean(line), scale) for _, line in shown),
        *(_of_month(each, scale) for each in (whole.mean, whole.p5, whole.p95)),
    )
    rows.append(Row("all", sums, strong=True))
    columns = (*(label for label, _ in shown), "cash", "cash, P5", "cash, P95")
    note = "Means add up over the months; P5 and P95 do not, for no run has a bad month every month."
    return Table(f"{name}: by month, {unit}", columns, tuple(rows), corner="month", notes=(note,))


def _so_far_table(found: Sequence[tuple[str, Months]]) -> Table:
    scale, unit = scale_of([value for _, each in found for value in each.mean.tolist()])
    last = len(found[0][1].mean) - 1
    rows = [
        Row(
            str(month),
            tuple(dollars(float(ends[month]), scale) for _, each in found for ends in (each.mean, each.p5, each.p95)),
        )
        for month in sorted({*range(0, last + 1, 6), last})
    ]
    columns = tuple(
        what if len(found) == 1 else f"{name}, {what}" for name, _ in found for what in ("mean", "P5", "P95")
    )
    return Table(f"The owner's cash so far, {unit}", columns, tuple(rows), corner="after month")


def _traced(cash: Cash) -> tuple[Passage, ...]:
    """Return the formula of every line that is not zero throughout, and the inputs that formulas name."""
    lines = tuple((line.name, f"{line.label}: {line.formula}") for line in cash.lines())
    inputs = tuple(
        (each.name, f"{brief(float(np.mean(each.value)), 7)} {each.unit}, from {each.path}")
        for each in cash.statement.inputs.values()
    )
    return Passage("Where each dollar comes from", lines), Passage("What its formulas name", inputs)


def _published(runs: Sequence[RunResult]) -> list[Picture]:
    """Return one's own cost of a GPU-hour among the published ones."""
    owned = [(name, run.cash) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.cash is not None]
    prices = list(owner_prices().items())
    own = [(f"{name} (this scenario)", cash.unit_cost("cost_hour") or 0.0) for name, cash in owned]
    listed = [*own, *((f"{gpu}, published", price) for gpu, price in prices)]
    labels, values = zip(*listed, strict=True)
    told = and_list([f"{name} costs its owner {number(value, 2)} USD" for name, value in own])
    published = [price for _, price in prices]
    says = f"{told} a GPU-hour; published are {number(min(published), 2)} to {number(max(published), 2)} USD."
    rows = tuple(Row(label, (number(value, 3),)) for label, value in listed)
    table = Table(
        "Cost of a GPU-hour to its owner",
        ("USD",),
        rows,
        notes=("Published: deck, which prints neither life nor utilisation.",),
    )
    chart = Bars(tuple(labels), tuple(values), (None,) * len(values), "USD", marked=0)
    return [Picture("Your cost of a GPU-hour among published ones", says, chart, table)]
