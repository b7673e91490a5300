"""What a lender and equity read: whether the debt is covered, what equity gains, and what decides it."""

from collections.abc import Callable, Sequence

import numpy as np

from dcsim.decide import Estimate, RunResult
from dcsim.decide.lender import Lender, Risk
from dcsim.montecarlo.statistics import paired
from dcsim.report.document import Histograms, Lines, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, dollars, number, per_cent, scale_of, span
from dcsim.report.owner_page import month_labels
from dcsim.report.page import SHORT, Row, Table, and_list, names, printable

ALIKE = 0.005
"""Months whose DSCR differs by less are equally weak; source: assumed, half of what is shown."""
NEVER = "never"
BINS = 20

# --- sentences --------------------------------------------------------------------------------------------------------


def financed_sentences(run: RunResult, owned: Sequence[str]) -> list[str]:
    """Return what an owner is told, how surely the debt is covered second, and what equity gains last."""
    its = run.lender
    if its is None:
        return list(owned)
    covered = [" ".join([_cover(its), *_bearable(its)])] if its.has_debt else []
    return [*owned[:1], *covered, *owned[1:], _equity(its)]


def _money(amount: float) -> str:
    scale, unit = scale_of([amount])
    return f"{dollars(amount, scale)} {unit}"


def _share(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    """Say in how many of the runs something is so."""
    found = float(values.mean())
    if found in (0.0, 1.0):
        return "in no run" if found == 0 else "in every run"
    return f"in {per_cent(found, 0 if 0.01 <= found <= 0.99 else 1)} % of the runs"


def _cover(its: Lender) -> str:
    floor, least = its.finance.floor, its.risks["min_dscr"]
    drawn = f"Debt of {_money(its.mean('drawn'))}"
    if least is None:
        return f"{drawn}: its DSCR is not tested in all runs."
    told = f"{drawn}: cash covers its service less than {floor:g} times {_share(its.below_floor)}"
    if its.finance.max_ltv is not None:
        told += f", and a covenant is broken {_share(its.breaks)}"
    told += f". The least month covers it {span(least.p5, least.p95)} times in nine runs of ten"
    start = _weak_from(its)
    told += f", from month {start} on" if start is not None and start > 1 else ""
    short = f"; cash alone does not pay it {_share(its.short)}" if its.short.any() else ""
    return f"{told}{short}."


def _weak_from(its: Lender) -> int | None:
    """Return the first month whose mean DSCR is as low as the least; None where none is tested in all runs."""
    means = [(month, value) for month, value in enumerate(its.dscr_by_month()["mean"]) if value is not None]
    least = min((value for _, value in means), default=0.0)
    return next((month for month, value in means if value < least + ALIKE), None)


def _bearable(its: Lender) -> list[str]:
    """Say how much debt would be covered as the lender asks, where this one is not."""
    debt = its.bearable_usd
    if debt is None or not its.overdrawn:
        return []
    of_it = f"{per_cent(debt / its.mean('capex'), 0)} % of the capital"
    return [f"To do: borrow at most {_money(debt)}, {of_it}; that is covered in 95 % of the runs."]


def _causes(name: str, its: Lender) -> list[str]:
    """Say by how much the least DSCR and what equity gains are moved by prices, by failures and by chance."""
    said = []
    scale, unit = scale_of([float(np.ptp(its.equity_npv))])
    for what, key, divisor, digits, of in (
        ("the least DSCR", "min_dscr", 1.0, 4, ""),
        ("what equity gains", "equity_npv_usd", scale, 2, f" {unit}"),
    ):
        found = its.causes.get(key)
        if found is not None:
            causes = (
                ("prices and terms", found.prices),
                ("uncertain failures", found.failures),
                ("chance", found.chance),
            )
            (most, by), *others = sorted(causes, key=lambda each: -each[1])
            told = and_list([f"{cause} by ± {number(each / divisor, digits)}" for cause, each in others])
            said.append(
                f"{name}: {most} move {what} by ± {number(by / divisor, digits)}{of}, {told} (one standard deviation)."
            )
    return said


def _equity(its: Lender) -> str:
    gain, paid = its.risks["equity_npv_usd"], float(its.equity_paid.mean())
    assert gain is not None  # a value is finite
    scale, unit = scale_of([gain.mean, gain.p5, gain.p95])
    hurdle = per_cent(its.finance.hurdle, 0)
    yearly, monthly = (float(its.flow("equity_cash").irr(by).mean()) for by in ("yearly", "monthly"))
    rates = f"{per_cent(yearly, 1)} % a year by yearly flows ({per_cent(monthly, 1)} % by monthly ones)"
    of_it = f" and earns {rates}" if np.isfinite([yearly, monthly]).all() else ""
    ends = _ends(gain, scale)
    does = "gains" if gain.mean >= 0 else "loses"
    worth = f"{dollars(abs(gain.mean), scale)} {unit}"
    return (
        f"Equity pays in {_money(paid)}{of_it}. Discounted at the {hurdle} % a year that it asks for, it {does} "
        f"{worth}{ends}, before tax."
    )


def _ends(found: Risk, scale: float) -> str:
    low, high = dollars(found.p5, scale), dollars(found.p95, scale)
    return "" if str(low) == str(high) else f" ({low} to {high} in nine runs of ten)"


def lender_estimated(each: Estimate) -> str:
    """Say by formula how the debt is covered and what equity earns; empty without [finance]."""
    its = each.lender
    if its is None:
        return ""
    said = []
    if its.has_debt:
        least, start = float(its.min_dscr[0]), _weak_from(its)
        held = f"at least {number(least, 2)} times" if np.isfinite(least) else "in no month that is tested"
        since = f", from month {start} on" if start is not None and start > 1 else ""
        said.append(
            f"Debt of {_money(its.mean('drawn'))}: by formula cash covers its service {held}{since}; "
            f"the lender asks for {its.finance.floor:g}."
        )
    rates = [its.returns()[by]["equity_irr"] for by in ("yearly", "monthly")]
    gain, hurdle = float(its.equity_npv.mean()), per_cent(its.finance.hurdle, 0)
    earns = ""
    if all(rate is not None for rate in rates):
        earns = (
            f" earns {per_cent(rates[0], 1)} % a year by yearly flows ({per_cent(rates[1], 1)} % by monthly ones) and"
        )
    does = "gains" if gain >= 0 else "loses"
    said.append(f"Equity{earns} {does} {_money(abs(gain))}, discounted at the {hurdle} % a year that it asks for.")
    return " ".join(said)


def lender_compared(runs: Sequence[RunResult]) -> list[str]:
    """Say which offer is worth most to equity and by how much, and how surely each covers its debt."""
    its = [run.lender for run in runs]
    if len(runs) < 2 or any(each is None for each in its):
        return []
    lenders = [each for each in its if each is not None]
    called = names(runs, SHORT)
    worth = [float(each.equity_npv.mean()) for each in lenders]
    best = max(range(len(worth)), key=worth.__getitem__)
    scale, unit = scale_of(worth)
    told, same_length = [], len({len(each.equity_npv) for each in lenders}) == 1
    for index, each in enumerate(lenders):
        if index == best:
            continue
        sure = ""
        if same_length:
            gap = paired(lenders[best].equity_npv, each.equity_npv, shared=max(each.shared, lenders[best].shared))
            apart = gap.half_width is None or gap.mean > gap.half_width
            won = float((lenders[best].equity_npv > each.equity_npv).mean())
            sure = f", in {per_cent(won, 0)} % of the runs" if apart else ": no clear difference"
            sure = ", in every run" if won == 1 else sure
        less = f"{_money(worth[best] - worth[index])} less"
        told.append(f"{dollars(worth[index], scale)} at {called[index]} ({less}{sure})")
    hurdles = {each.finance.hurdle for each in lenders}
    rate = f"{per_cent(hurdles.pop(), 0)} % a year" if len(hurdles) == 1 else "the return that each asks for"
    most = f"{dollars(worth[best], scale)} {unit}, discounted at {rate}"
    said = [f"Equity gains most with {called[best]}: {most}, against {and_list(told)}."]
    if all(each.has_debt for each in lenders):
        covered = [
            f"{name} {_share(each.below_floor)} (least {number(float(each.min_dscr.mean()), 2)})"
            for name, each in zip(called, lenders, strict=True)
        ]
        floors = {each.finance.floor for each in lenders}
        floor = f"below {floors.pop():g}" if len(floors) == 1 else "below its floor"
        said.append(f"The DSCR falls {floor}: {and_list(covered)}.")
    return said


def lender_card(run: RunResult) -> list[str]:
    """Return what a card says of debt and equity."""
    its = run.lender
    if its is None:
        return []
    gain = f"equity {_money(float(its.equity_npv.mean()))} over its hurdle"
    return [f"DSCR below {its.finance.floor:g} {_share(its.below_floor)}, {gain}" if its.has_debt else gain]


# --- tables -----------------------------------------------------------------------------------------------------------


def lender_tables(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return debt and equity, the risk in each figure, and break-evens; nothing where no scenario has [finance]."""
    if not any(run.lender for run in runs):
        return ()
    return (_debt_table(runs), _risk_table(runs), _break_even_table(runs))


def _row(runs: Sequence[RunResult], label: str, cell: Callable[[Lender], Cell], strong: bool = False) -> Row:
    return Row(label, tuple(MISSING if run.lender is None else cell(run.lender) for run in runs), strong)


def _debt_table(runs: Sequence[RunResult]) -> Table:
    found = [run.lender for run in runs if run.lender is not None]
    scale, unit = scale_of([each.mean("capex") for each in found])

    def total(label: str, name: str) -> Row:
        return _row(
            runs,
            f"{label}, {unit}",
            lambda its: dollars(its.mean(name), scale) if name in its.statement.values else MISSING,
        )

    def owed(label: str, cell: Callable[[Lender], Cell], strong: bool = False) -> Row:
        return _row(runs, label, lambda its: cell(its) if its.has_debt else MISSING, strong)

    def share(name: str) -> Callable[[Lender], Cell]:
        return lambda its: per_cent(float(getattr(its, name).mean()), 1)

    def back(its: Lender, line: str) -> Cell:
        months = float(np.median(its.flow(line).payback_months()))
        return number(months, 1) if np.isfinite(months) else NEVER

    def rates(line: str) -> Callable[[Lender], Cell]:
        def cell(its: Lender) -> Cell:
            monthly, yearly = (float(its.flow(line).irr(by).mean()) for by in ("monthly", "yearly"))
            if not np.isfinite(monthly):
                return MISSING
            return f"{per_cent(monthly, 1)} ({per_cent(yearly if np.isfinite(yearly) else None, 1)})"

        return cell

    rows = [
        total("capital", "capex"),
        total("debt drawn", "drawn"),
        total("interest", "interest"),
        *([total("  of it added to the debt", "added")] if any(each.finance.capitalised for each in found) else []),
        *([total("fees", "fees")] if any(each.mean("fees") for each in found) else []),
        *([total("repaid at once at its end", "balloon")] if any(each.mean("balloon") > 1 for each in found) else []),
        owed("DSCR of the least month", lambda its: number(float(its.min_dscr.mean()), 2), strong=True),
        owed("  without failures", lambda its: number(float(its.without_failures.min_dscr.mean()), 2)),
        owed("  below the floor, % of runs", share("below_floor"), strong=True),
        owed("  no cash for equity, % of runs", share("trapped")),
        owed("  cash alone does not pay it, % of runs", share("short")),
        owed("covenant broken, % of runs", share("breaks")),
        owed(
            f"debt covered in 95 % of runs, {unit}",
            lambda its: MISSING if its.bearable_usd is None else dollars(its.bearable_usd, scale),
        ),
        owed("debt by collateral at its highest, %", lambda its: per_cent(its.peak_ltv, 1)),
        total("cash before debt", "free_cash"),
        total("cash of equity", "equity_cash"),
        _row(runs, "IRR before debt, % a year", rates("free_cash")),
        _row(runs, "IRR of equity, % a year", rates("equity_cash")),
        _row(runs, "capital back after, months", lambda its: back(its, "free_cash")),
        _row(runs, "equity back after, months", lambda its: back(its, "equity_cash")),
    ]
    terms = found[0].finance
    span_of = "of the month" if terms.months == 1 else f"of {terms.months} months"
    notes = (
        f"DSCR: cash from operations {span_of} by interest and scheduled repayment, without what is repaid at once. "
        f"Floor {terms.floor:g}; equity gets no cash below {terms.trap:g}.",
        "IRR: a year, from monthly flows; in brackets from yearly ones. Before tax, which is left out.",
        "What cash does not pay of the debt, equity pays.",
    )
    return Table("Debt and equity", tuple(printable(run.scenario.name) for run in runs), tuple(rows), notes=notes)


def _risk_table(runs: Sequence[RunResult]) -> Table:
    """Return P5, P50, P95 and the mean of the worst twentieth of each figure, run by run."""
    found = [(name, run, run.lender) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.lender]
    rows: list[Row] = []
    for name, run, its in found:
        before = f"{name}: " if len(found) > 1 else ""
        for label, risk, scale, digits in _risks(run, its):
            cells = [risk.mean, risk.p5, risk.p50, risk.p95, risk.shortfall]
            rows.append(Row(f"{before}{label}", tuple(number(each * scale, digits) for each in cells)))
    note = "Worst 5 %: expected shortfall, the mean of the worst twentieth of the runs (dear ones for what is paid)."
    causes = [said for name, _, its in found for said in _causes(name, its)]
    return Table("Risk", ("mean", "P5", "P50", "P95", "worst 5 %"), tuple(rows), notes=(*causes, note))


def _risks(run: RunResult, its: Lender) -> list[tuple[str, Risk, float, int]]:
    shown: list[tuple[str, Risk | None, float, int]] = []
    if run.money is not None:
        hours = run.money.useful_gpu_hours
        each = np.divide(run.money.paid, hours, out=np.full(len(hours), np.inf), where=hours > 0)
        shown.append(("paid, million USD", Risk.of(run.money.paid, lower_is_better=True), 1e-6, 2))
        shown.append(("paid per useful GPU-hour, USD", Risk.of(each, lower_is_better=True), 1.0, 4))
    shown += [
        ("cash before debt, million USD", its.risks["cash_usd"], 1e-6, 2),
        (f"NPV at {per_cent(its.finance.discount, 1)} %, million USD", its.risks["npv_usd"], 1e-6, 2),
        ("equity over its hurdle, million USD", its.risks["equity_npv_usd"], 1e-6, 2),
        ("DSCR of the least month", its.risks["min_dscr"], 1.0, 3),
    ]
    return [(label, risk, scale, digits) for label, risk, scale, digits in shown if risk is not None]


def _break_even_table(runs: Sequence[RunResult]) -> Table:
    found = [(name, run.lender) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.lender is not None]
    rows = []
    for name, its in found:
        before = f"{name}: " if len(found) > 1 else ""
        for each in its.break_evens:
            rent = number(each.rent, 3) if each.rent is not None else MISSING
            share = per_cent(each.occupancy, 1) if each.occupancy is not None else MISSING
            rows.append(Row(f"{before}{each.condition}", (rent, share)))
        own = [float(np.mean(its.statement.inputs[key].value)) for key in ("rent", "occupancy")]
        rows.append(Row(f"{before}the scenario", (number(own[0], 3), per_cent(own[1], 1)), strong=True))
    note = "Each alone, the other as in the scenario; found on the statement by bisection. -: at no value, or at any."
    return Table("Break-even", ("rent, USD/GPU-h", "rented, %"), tuple(rows), notes=(note,))


# --- the report -------------------------------------------------------------------------------------------------------


def lender_section(runs: Sequence[RunResult]) -> list[Section]:
    """Return the section on debt and equity: the DSCR by month, what equity gains, and the tables."""
    found = [(name, run.lender) for name, run in zip(names(runs, SHORT), runs, strict=True) if run.lender is not None]
    if not found:
        return []
    parts: list[Part] = []
    for name, its in found:
        if its.has_debt and its.risks["min_dscr"] is not None:
            parts.append(_dscr_picture(name, its))
    parts.append(_gains(found))
    return [
        Section(
            "lender",
            "Debt and equity",
            ("Tax is left out. Bars over the dots span nine runs of ten (P5 to P95).",),
            (*parts, *lender_tables(runs)),
        )
    ]


def _dscr_picture(name: str, its: Lender) -> Picture:
    by_month = its.dscr_by_month()
    places = [month for month, value in enumerate(by_month["mean"]) if value is not None]

    def at(key: str) -> list[float]:
        return [value for month in places if (value := by_month[key][month]) is not None]

    mean, low, high = at("mean"), at("p5"), at("p95")
    floor = its.finance.floor
    series = (
        ("DSCR", tuple(mean), tuple(zip(low, high, strict=True))),
        (f"floor {floor:g}", (floor,) * len(places), (None,) * len(places)),
    )
    chart = Lines(
        tuple(float(place - places[0]) for place in places), month_labels(places), series, "month", "DSCR", digits=2
    )
    rows = [
        Row(str(month), tuple(number(by_month[key][month], 3) for key in ("mean", "p5", "p50", "p95")))
        for month in places
    ]
    table = Table(f"{name}: DSCR by month", ("mean", "P5", "P50", "P95"), tuple(rows), corner="month")
    return Picture(table.title, f"{name}: {_cover(its)}", chart, table)


def _gains(found: Sequence[tuple[str, Lender]]) -> Picture:
    """Return how much equity gains over its hurdle, run by run."""
    scale, unit = scale_of([float(each) for _, its in found for each in its.equity_npv])
    values = [its.equity_npv / scale for _, its in found]
    low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = tuple(tuple(np.histogram(each, edges)[0].tolist()) for each in values)
    marks = tuple(
        tuple((label, float(np.quantile(each, q))) for label, q in (("P5", 0.05), ("P50", 0.5), ("P95", 0.95)))
        for each in values
    )
    labels = tuple(name for name, _ in found)
    says = [f"{name}: {_equity(its)}" for name, its in found]
    chart = Histograms(labels, counts, (tuple(edges.tolist()),) * len(found), marks, unit)
    rows = [Row(label, tuple(Figure(value, 2) for _, value in its)) for label, its in zip(labels, marks, strict=True)]
    table = Table(f"Equity over its hurdle, {unit}", ("P5", "P50", "P95"), tuple(rows))
    return Picture("What equity gains over its hurdle", " ".join(says), chart, table)
