"""What an owner reads: cash by month, what failures cost, what a GPU-hour costs and earns, and what to do about it."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from dcsim.decide import RunResult
from dcsim.decide.cash import FLOW, Cash, Months
from dcsim.economics.statement import Line
from dcsim.economics.unit_costs import UNIT_LINES, owner_prices, published_price
from dcsim.report.document import Bars, Card, Lines, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, dollars, number, per_cent, scale_of, span
from dcsim.report.page import SHORT, Row, Table, and_list, names, printable

TAX = "Before tax, which is left out, and before debt."
UNIT_NOTE = "Costs and revenue of a GPU-hour are of all GPU-hours, rented or not. Depreciation is no cash."
OWNING = (
    "Rent: all that is paid, by the hour rented. Owning: depreciation and operating costs, without interest and tax."
)
MOST_LABELS = 12
"""Months that are named along an axis; source: assumed, what fits a phone."""
THOUSANDS = 10_000
"""From here on sentences tell amounts in thousands [USD]; source: assumed."""
SURE = 0.95
"""Capital that is back in this share of the runs is back; source: assumed."""
HARDWARE = ("servers", "network_capex", "storage_capex", "facility_capex", "stock_capex")
COSTS = ("colocation", "electricity", "staff", "maintenance", "insurance", "repairs")
FAILED = {"rent_lost": "rent not invoiced", "credits": "SLA credits", "repairs": "repairs"}

# --- sentences --------------------------------------------------------------------------------------------------------


def owner_sentences(run: RunResult) -> list[str]:
    """Say what cash a month brings and whether the capital comes back, what failures cost, and what to do."""
    cash = run.cash
    if cash is None:
        return []
    return [_cash_sentence(run, cash), _failures_sentence(cash), _advice(run, cash)]


def _scale(amounts: Sequence[float]) -> tuple[float, str]:
    """Return what a sentence divides amounts by, so that they have few digits, and their unit then."""
    scale, unit = scale_of(amounts)
    return (1e3, "thousand USD") if scale == 1 and max(map(abs, amounts)) >= THOUSANDS else (scale, unit)


def _short(amount: float, scale: float) -> Figure:
    """Return an amount of a sentence: three digits."""
    size, digits = abs(amount) / scale, 0
    while size and size < 10 ** (2 - digits) and digits < 4:
        digits += 1
    return number(amount / scale, digits)


def _money(amount: float) -> str:
    scale, unit = _scale([amount])
    return f"{_short(amount, scale)} {unit}"


def _cash_sentence(run: RunResult, cash: Cash) -> str:
    mean, low, high = cash.one_month
    scale, unit = _scale([mean, low, high])
    nine = f"{_short(low, scale)} to {_short(high, scale)} in nine of ten months"
    name = printable(run.scenario.name)
    return f"{name} earns its owner {_short(mean, scale)} {unit} of cash a month ({nine}). {_payback(cash)}"


def _payback(cash: Cash) -> str:
    spent, left, months = cash.mean("capex"), cash.mean(FLOW), cash.payback_months
    term, back = cash.statement.months, float(np.isfinite(months).mean())
    told = f"the capital of {_money(spent)}"
    if not spent:
        return f"Over {term} months that is {_money(left)}."
    if back >= SURE:
        return (
            f"After {number(float(np.median(months)), 0)} months {told} is back; month {term} ends {_money(left)} up."
        )
    if back <= 1 - SURE:
        return f"In {term} months {told} does not come back: {_money(-left)} are missing."
    return f"In {per_cent(back, 0)} % of the runs {told} is back within {term} months."


def _failures_sentence(cash: Cash) -> str:
    cost, revenue = cash.mean("failures_cost"), cash.mean("revenue")
    parts = [f"{what} {_money(part)}" for name, what in FAILED.items() if (part := cash.mean(name))]
    share = f", {per_cent(cost / revenue, 1)} % of the rent" if revenue > 0 else ""
    if not cost:
        return "Failures cost the owner nothing: no rent is lost, no credit is given, and no repair has a price."
    of_it = f": {and_list(parts)}" if len(parts) > 1 else ""
    return f"Failures cost {_money(cost)} over {cash.statement.months} months{share}{of_it}."


def _advice(run: RunResult, cash: Cash) -> str:
    """Say what one point of occupancy is worth against all failures, and what spares cost against what they save."""
    worth = {each.name: each.usd for each in cash.levers}
    cost, said = cash.mean("failures_cost"), []
    point = worth.get("occupancy", 0.0)
    if point > 0:
        points = cost / point
        if points < 1:
            told = "more than a cluster that never fails" if cost else "and failures cost nothing"
            said.append(f"To do: rent out idle GPUs first. One point of occupancy is worth {_money(point)}, {told}.")
        else:
            said.append(
                f"To do: make it fail less first. All failures cost as much as {number(points, 1)} points of "
                f"occupancy, at {_money(point)} each."
            )
    else:
        said.append(f"Every GPU on sale is rented: 1 % more rent is worth {_money(worth['rent'])}.")
    spares = run.scenario.cluster.spares
    gain = cash.mean("all_on_sale") - cash.mean("revenue")
    if spares and gain > 0:
        said.append(f"Rented out too, the {spares:,} spares would bring {_money(gain)}, before any SLA credit.")
    margin = cash.unit_costs
    share, at = margin["breakeven_share"].mean, margin["rented_share"].mean
    if isfinite(share):
        said.append(
            f"Costs are covered when {per_cent(share, 1)} % of all GPU-hours are invoiced; {per_cent(at, 1)} % are."
        )
    return " ".join(said)


def owner_compared(runs: Sequence[RunResult]) -> list[str]:
    """Say which offer leaves its owner most cash, and by how much, run by run; nothing unless all have an owner."""
    if len(runs) < 2 or any(run.cash is None for run in runs):
        return []
    called = names(runs, SHORT)
    cash = [run.cash for run in runs if run.cash is not None]
    left = [each.mean(FLOW) for each in cash]
    best = max(range(len(left)), key=left.__getitem__)
    scale, unit = scale_of(left)
    others = []
    for index, each in enumerate(cash):
        if index == best:
            continue
        ours, theirs = cash[best].statement.total(FLOW), each.statement.total(FLOW)
        surely = (
            "" if len(ours) != len(theirs) else f" (less in {per_cent(float((theirs < ours).mean()), 0)} % of the runs)"
        )
        others.append(f"{called[index]} {dollars(left[index], scale)}{surely}")
    cost = [f"{called[index]} {_money(each.mean('failures_cost'))}" for index, each in enumerate(cash)]
    return [
        f"{called[best]} leaves its owner most: {dollars(left[best], scale)} {unit} after capital, against "
        f"{and_list(others)}. Failures cost {and_list(cost)}."
    ]


def owner_card(name: str, run: RunResult, notes: Sequence[str]) -> Card | None:
    """Return the card of an owner; None where a scenario has none. ``notes``: what else it says."""
    cash = run.cash
    if cash is None:
        return None
    mean = cash.one_month[0]
    scale, unit = _scale([mean])
    said = (_payback(cash).rstrip("."), f"failures cost {_money(cash.mean('failures_cost'))}", *notes)
    return Card(name, _short(mean, scale), f"{unit} of cash a month", said)


# --- tables -----------------------------------------------------------------------------------------------------------


def owner_tables(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return the cash of owners, what a GPU-hour costs them, and owning beside renting; nothing where none owns."""
    if not any(run.cash for run in runs):
        return ()
    return (cash_table(runs), unit_table(runs), *_own_or_rent(runs))


def cash_table(runs: Sequence[RunResult]) -> Table:
    """Return what comes in and goes out over the whole term, with the range of single runs."""
    found = [run.cash for run in runs if run.cash is not None]
    scale, unit = scale_of([each.mean(name) for each in found for name in ("revenue", "capex")])

    def total(label: str, name: str, sign: float = 1.0, strong: bool = False) -> Row:
        return Row(label, tuple(_cell(run, name, sign, scale) for run in runs), strong)

    def shown(label: str, name: str, sign: float = 1.0) -> list[Row]:
        return [total(label, name, sign)] if any(each.mean(name) for each in found) else []

    labels = {line.name: line.label for line in found[0].statement.lines}
    rows = [total("rent invoiced", "revenue"), *shown("SLA credits", "credits", -1)]
    for name in COSTS:
        rows += shown(labels[name], name, -1)
    rows.append(total("cash from operations", "operating_cash", strong=True))
    for name in HARDWARE:
        rows += shown(labels[name], name, -1)
    rows += shown(labels["residual"], "residual")
    rows.append(total("cash after capital", FLOW, strong=True))
    rows += [_spread(runs, "  P5 to P95 of one run", scale), _payback_row(runs)]
    rows.append(total("what failures cost", "failures_cost", -1))
    rows += [*shown("  rent of the spares, were they on sale", "spares_rent")]
    months = sorted({each.statement.months for each in found})
    over = f"{months[0]:,} months" if len(months) == 1 else "the horizons"
    return Table(
        f"The owner's cash over {over}, {unit}",
        tuple(printable(run.scenario.name) for run in runs),
        tuple(rows),
        notes=(
            TAX,
            "Failures cost rent that is not invoiced, credits and repairs; the last two are in the costs above.",
        ),
    )


def _cell(run: RunResult, name: str, sign: float, scale: float) -> Cell:
    if run.cash is None:
        return MISSING
    found = run.cash.total(name)
    half = found.shown_half_width if run.runs_needed is None else None
    cell = dollars(sign * found.mean, scale)
    return cell.with_half(dollars(half, scale, found.mean)) if half and half >= 10**-cell.digits * scale / 2 else cell


def _spread(runs: Sequence[RunResult], label: str, scale: float) -> Row:
    cells: list[Cell] = []
    for run in runs:
        if run.cash is None or len(run.sample) < 2:
            cells.append(MISSING)
            continue
        found = run.cash.total(FLOW)
        cells.append(span(found.p5 / scale, found.p95 / scale))
    return Row(label, tuple(cells))


def _payback_row(runs: Sequence[RunResult]) -> Row:
    cells: list[Cell] = []
    for run in runs:
        months = np.array([np.inf]) if run.cash is None else run.cash.payback_months
        middle = float(np.median(months))
        cells.append(number(middle, 1) if isfinite(middle) else "not within the term")
    return Row("capital is back after, months", tuple(cells))


def unit_table(runs: Sequence[RunResult]) -> Table:
    """Return the token-factory stack: what a GPU-hour costs and earns, and the published price beside it."""

    def cell(run: RunResult, line: Line) -> Cell:
        if run.cash is None:
            return MISSING
        mean = run.cash.unit_costs[line.name].mean
        return MISSING if not isfinite(mean) else _of_unit(mean, line.unit)

    shares = {"1": ", %"}
    rows = [
        Row(
            f"{line.label}{shares.get(line.unit, f', {line.unit}')}",
            tuple(cell(run, line) for run in runs),
            line.name in ("cost_hour", "gross_margin"),
        )
        for line in UNIT_LINES
    ]
    published = [published_price(run.scenario.cluster.topology.name) for run in runs]
    if any(published):
        called = and_list(list(dict.fromkeys(each[0] for each in published if each)))
        cells = tuple(MISSING if each is None else number(each[1], 2) for each in published)
        rows.append(Row(f"published cost to an owner of {called}, USD/GPU-h", cells))
    return Table(
        "A GPU-hour of the owner", tuple(printable(run.scenario.name) for run in runs), tuple(rows), notes=(UNIT_NOTE,)
    )


def _of_unit(value: float, unit: str) -> Figure:
    return per_cent(value, 1) if unit == "1" else number(value, 2)


def _own_or_rent(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return owning beside renting, for scenarios that have prices of both."""
    found = [
        (name, run.cash.unit_costs, run.tco)
        for name, run in zip(names(runs, SHORT), runs, strict=True)
        if run.cash is not None and run.tco is not None
    ]
    if not found:
        return ()
    each_hour: list[Cell] = []
    useful: list[Cell] = []
    told = []
    for name, costs, bill in found:
        own, rent = costs["cost_hour"].mean, bill.paid_usd / bill.rented_gpu_hours
        each_hour += [number(rent, 2), number(own, 2)]
        useful += [number(bill.usd_per_useful_gpu_hour["all_in"], 2), number(costs["cost_useful_hour"].mean, 2)]
        from_share = f"owning is cheaper if the GPUs are needed for more than {per_cent(own / rent, 0)} % of the time"
        told.append(f"{name}: {from_share if own < rent else 'renting is cheaper, however much is used'}.")
    columns = tuple(f"{name}, {how}" if len(found) > 1 else how for name, _, _ in found for how in ("rent", "own"))
    rows = (
        Row("a GPU-hour, USD", tuple(each_hour)),
        Row("a useful GPU-hour, USD", tuple(useful), strong=True),
    )
    return (Table("Own or rent", columns, rows, notes=(*told, OWNING)),)


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
    parts += [cash_table(runs), unit_table(runs), *_own_or_rent(runs)]
    more: list[Part] = [_formulas(cash, name) for name, cash in owned[:1]]
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
    nine = f"{_money(low)} to {_money(high)} in nine of ten months"
    says = f"{name}: cash from operations is {_money(mean)} in a mean month, {nine}."
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
    says = " ".join(f"{name}: {_payback(cash)[0].lower()}{_payback(cash)[1:]}" for name, cash in owned)
    return Picture("The owner's cash so far", says, _lines(found, 0), _so_far_table(found))


def _lines(found: Sequence[tuple[str, Months]], first: int) -> Lines:
    """Return lines with their ranges over runs, from a month on."""
    scale, unit = scale_of([value for _, each in found for value in (*each.p5.tolist(), *each.p95.tolist())])
    places = range(first, len(found[0][1].mean))
    step = next(each for each in (1, 3, 6, 12, 24, 60, 120) if len(places) / each <= MOST_LABELS)
    series = tuple(
        (
            name,
            tuple(float(each.mean[place]) / scale for place in places),
            tuple((float(each.p5[place]) / scale, float(each.p95[place]) / scale) for place in places),
        )
        for name, each in found
    )
    labels = tuple(str(place) if place % step == 0 else "" for place in places)
    return Lines(tuple(float(place - first) for place in places), labels, series, "month", unit)


BY_MONTH = (
    ("rent invoiced", "revenue"),
    ("credits", "credits"),
    ("operating costs", "opex"),
    ("what failures cost", "failures_cost"),
    ("capital", "capex"),
)


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
                *(dollars(float(means[line][month]), scale) for _, line in shown),
                *(dollars(float(each[month]), scale) for each in (flow.mean, flow.p5, flow.p95)),
            ),
        )
        for month in range(cash.statement.months + 1)
    ]
    whole = cash.total(FLOW)
    sums = (
        *(dollars(cash.mean(line), scale) for _, line in shown),
        *(dollars(each, scale) for each in (whole.mean, whole.p5, whole.p95)),
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


def _formulas(cash: Cash, name: str) -> Table:
    rows = [Row(f"{line.name}: {line.label}", (f"{line.formula}",)) for line in cash.lines()]
    return Table("Where each dollar comes from", ("formula",), tuple(rows), corner="line")


def _published(runs: Sequence[RunResult]) -> list[Picture]:
    """Return one's own cost of a GPU-hour among the published ones."""
    owned = [(name, run.cash) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.cash is not None]
    prices = list(owner_prices().items())
    own = [(f"{name} (this scenario)", cash.unit_costs["cost_hour"].mean) for name, cash in owned]
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
