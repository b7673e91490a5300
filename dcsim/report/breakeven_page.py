"""A break-even as a page: what something may cost, or from where on an offer pays, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dcsim.decide.breakeven import BreakEven
from dcsim.decide.breakeven_prices import Price, energy_usd, formula_bill, price_of, theory_bill
from dcsim.decide.breakeven_threshold import Threshold
from dcsim.decide.result import RunResult
from dcsim.economics import Bill
from dcsim.report.document import Bars, Lines, Page, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, Figure, brief, dollars, number, price_digits, scale_of, usd
from dcsim.report.inputs import METHOD
from dcsim.report.page import Passage, Row, Table, names, printable
from dcsim.report.simulated import provenance

METHODS = {
    "paid": "a useful GPU-hour costs the same",
    "lost_work": "saved lost work at the rent (published method)",
    "discount": "instead: the rent without it is lower by",
    "cash": "the owner's discounted cash is the same",
}
"""What holds at a price, by method."""
SAME_HOUR = "At that price a useful GPU-hour costs the same with it and without it."
SAME_CASH = "At that price the owner's cash, discounted, is the same as if he waited."


def breakeven_page(found: BreakEven, notes: Sequence[str] = ()) -> Page:
    """Return the answer to what something is worth, or to where two offers are equal."""
    runs = (_nowhere(found.against), _nowhere(found.offer))
    if found.threshold is None:
        answer, first = _worth(found), _prices_table(found)
    else:
        answer, first = _threshold(found, found.threshold), _differences_table(found, found.threshold)
    owners = bool(found.prices) and found.prices[0].method == "cash"
    told = "Energy is paid beside the rent here, and is part of what is compared."
    energy = (told,) if found.energy_counts and not owners else ()
    written = () if found.folder is None else (f"written: {found.folder}/",)
    return Page(
        answer=answer,
        headline=1,
        parts=(first, _offers_table(found)),
        notes=tuple(dict.fromkeys((*found.notes, *energy, *notes, *provenance(runs), *written))),
    )


def breakeven_document(found: BreakEven, command: Sequence[str], notes: Sequence[str] = ()) -> Page:
    """Return the same as a whole report; ``command`` makes it again."""
    import shlex

    page = breakeven_page(replace(found, folder=None), notes)
    asked = " or ".join(dict.fromkeys(printable(run.scenario.name) for run in (found.offer, found.against)))
    title = f"{asked}: {printable(found.title)}"
    why = Section("why", "What to know of these figures", parts=(Passage("Notes", tuple(("", n) for n in page.notes)),))
    method = Section("method", "Method and limits", parts=(Passage("How the figures came about", METHOD),))
    made = Passage("How to make this again", (("command", shlex.join(command)),))
    shown = _bars(found) if found.threshold is None else _picture(found, found.threshold)
    parts = (shown, *page.parts[1:])
    return replace(page, parts=parts, title=title, notes=(), sections=(why, method), made=made)


def _nowhere(run: RunResult) -> RunResult:
    """Return a run without its folder, which is no part of a report."""
    return replace(run, folder=None)


# --- what something is worth ------------------------------------------------------------------------------------------


def _digits(found: BreakEven) -> int:
    """Return the decimals of prices: cents of a month's, tenths of a cent of a GPU-hour's, none of large ones."""
    ends = [abs(end) for each in found.prices for end in (each.simulated.ci95 or (each.simulated.mean,))]
    largest = max([*ends, found.costs or 0.0])
    return 0 if largest >= 100 else 2 if largest >= 10 else 3


def _worth(found: BreakEven) -> tuple[str, ...]:
    paid, digits = found.prices[0], _digits(found)
    said = [_worth_sentence(found, paid)]
    its = paid.simulated
    told = its.ci95 is None or not its.reliable or not its.ci95[0] <= 0 <= its.ci95[1]
    if its.mean > 0 and told:
        said.append(SAME_CASH if paid.method == "cash" else SAME_HOUR)
    if found.costs is not None:
        said.append(f"{_costs_clause(found)}{_beside(found, paid)}.")
    if its.mean <= 0:
        return tuple(said)
    for each in found.prices[1:]:
        if each.method == "lost_work":
            formula = "" if each.formula is None else f"; the formula says {number(each.formula, digits)}"
            said.append(
                f"By the published method, which prices lost work at the rent, it is worth "
                f"{number(each.simulated.mean, digits)}{_between(each, digits)}{formula}."
            )
    return tuple(said)


def _costs_clause(found: BreakEven) -> str:
    return f"It costs {number(found.costs, _digits(found))} USD {found.per} in the scenario"


def _beside(found: BreakEven, paid: Price) -> str:
    """Say how what it costs stands to what it is worth; empty without an interval."""
    ends, costs = paid.simulated.ci95, found.costs
    if costs is None or ends is None or not paid.simulated.reliable:
        return ""
    if ends[0] <= costs <= ends[1]:
        return ", which cannot be told from what it is worth"
    return ", more than it is worth" if costs > ends[1] else ", less than it is worth"


def _worth_sentence(found: BreakEven, paid: Price) -> str:
    digits, its = _digits(found), paid.simulated
    others = [
        f"{name} {number(value, digits)}"
        for name, value in (("the formula says", paid.formula), ("exact theory", paid.theory))
        if value is not None
    ]
    beside = f"; {', '.join(others)}" if others else ""
    if not its.reliable or its.ci95 is None:
        needed = max((run.runs_needed or 2 for run in (found.offer, found.against)), default=2)
        why = f" Too few runs for an interval: {needed:,} are needed."
        return f"{found.title} is worth about {number(its.mean, digits)} USD {found.per}{beside}.{why}"
    if its.ci95[0] <= 0 <= its.ci95[1]:
        span = f"{number(its.ci95[0], digits)} to {number(its.ci95[1], digits)}"
        return f"{found.title} is worth nothing that can be told from chance: {span} USD {found.per}{beside}."
    if its.mean < 0 and paid.method == "cash":
        return f"{found.title} is worth nothing: even at the grid's price waiting leaves the owner more{beside}."
    if its.mean < 0:
        takes = f"{number(-its.mean, digits)} USD {found.per}{_between(paid, digits, -1.0)}"
        return f"{found.title} is worth nothing: with it less work is useful, worth {takes}{beside}."
    return f"{found.title} is worth up to {number(its.mean, digits)} USD {found.per}{_between(paid, digits)}{beside}."


def _between(price: Price, digits: int, sign: float = 1.0) -> str:
    its = price.simulated
    if its.ci95 is None or not its.reliable:
        return ""
    low, high = sorted(sign * each for each in its.ci95)
    return f" ({number(low, digits)} to {number(high, digits)})"


def _prices_table(found: BreakEven) -> Table:
    digits = _digits(found)

    def row(price: Price) -> Row:
        half = price.simulated.half_width if price.simulated.reliable else None
        cells: tuple[Cell, ...] = (
            Figure(price.simulated.mean, digits, half),
            number(price.formula, digits),
            number(price.theory, digits),
        )
        return Row(METHODS[price.method], cells, strong=price.method == "paid")

    columns = ("simulated", "formula", "exact theory")
    title = f"{printable(found.title)}: the price at which nothing is gained or lost, USD {found.per}"
    return Table(title, columns, tuple(map(row, found.prices)))


def _bars(found: BreakEven) -> Part:
    """Return the price by simulation, formula and theory, and what it costs, as bars; one below zero: a table alone."""
    paid, table = found.prices[0], _prices_table(found)
    if found.costs is not None:
        table = replace(table, notes=(*table.notes, f"{_costs_clause(found)}."))
    its = paid.simulated
    told = [("simulated", its.mean), ("by formula", paid.formula), ("by exact theory", paid.theory)]
    told.append(("what it costs in the scenario", found.costs))
    shown = [(name, value) for name, value in told if value is not None]
    if min(value for _, value in shown) < 0 or (its.ci95 is not None and its.ci95[0] < 0):
        return table
    chart = Bars(
        labels=tuple(name for name, _ in shown),
        values=tuple(value for _, value in shown),
        intervals=(its.ci95 if its.reliable else None, *(None for _ in shown[1:])),
        unit=f"USD {found.per}",
        marked=0,
        digits=_digits(found),
    )
    costs = "" if found.costs is None else ", and what it costs"
    return Picture(f"What {_lowered(found.title)} is worth{costs}", _worth(found)[0], chart, table)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _owners_table(found: BreakEven) -> Table:
    """Return what the two leave their owner."""
    runs = (found.against, found.offer)
    cash = [run.cash for run in runs if run.cash is not None]  # both have an owner
    scale, unit = scale_of([each.mean("present_cash") for each in cash])

    def row(label: str, line: str, strong: bool = False) -> Row:
        return Row(label, tuple(dollars(each.mean(line), scale) for each in cash), strong)

    rows = (
        row("cash before debt and tax, discounted", "present_cash", True),
        row("cash before debt and tax", "free_cash"),
        row("rent invoiced", "revenue"),
        row("power behind the meter", "bridge"),
        row("electricity at the grid's price", "electricity"),
    )
    same = found.offer.scenario.name == found.against.scenario.name
    return Table(f"The two that are compared, {unit}", ("waiting", "bridged") if same else names(runs), rows)


def _offers_table(found: BreakEven) -> Table:
    """Return what the two offers cost and do."""
    if found.prices and found.prices[0].method == "cash":
        return _owners_table(found)
    runs = (found.against, found.offer)
    paid = [float(run.money.paid.mean() + energy_usd(run).mean()) for run in runs if run.money is not None]
    scale, unit = scale_of(paid)
    prices = [_hour(run) for run in runs]
    digits = max(4, price_digits(prices))

    def by(of: Callable[[RunResult], Bill | None], run: RunResult) -> Figure:
        return number(price_of(of(run), run), digits)

    energy = ", energy included" if found.energy_counts else ""
    rows = (
        Row(f"paid per useful GPU-h{energy}, USD", tuple(number(each, digits) for each in prices), strong=True),
        Row("  by formula", tuple(by(formula_bill, run) for run in runs)),
        Row("  by exact theory", tuple(by(theory_bill, run) for run in runs)),
        Row(f"paid{energy}, {unit}", tuple(dollars(each, scale) for each in paid)),
        Row("useful GPU-hours", tuple(usd(float(run.money.useful_gpu_hours.mean())) for run in runs if run.money)),
        Row("lost, %", tuple(number(100 * run.lost.mean, 2) for run in runs)),
    )
    shown = tuple(row for row in rows if any(text != MISSING for text in row.texts))
    called = names(runs)
    if found.threshold is None and found.offer.scenario.name == found.against.scenario.name:
        called = ("without", "with")
    elif found.threshold is not None:
        called = (called[0], f"{printable(found.offer.scenario.name)}, equal or nearest")
    return Table("The two that are compared", called, shown)


def _hour(run: RunResult) -> float | None:
    if run.money is None:
        return None
    useful = float(run.money.useful_gpu_hours.mean())
    return float((run.money.paid + energy_usd(run)).mean()) / useful if useful else None


# --- from where on an offer pays --------------------------------------------------------------------------------------


def _value(value: float, unit: str) -> str:
    return f"{brief(value, 4) if abs(value) < 1e4 else number(value, 0)} {unit}".rstrip()


def _span(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return " (anywhere in the range, as far as these runs can tell)"
    if low is None:
        return f" (at most {_value(high or 0.0, unit)})"
    if high is None:
        return f" (at least {_value(low, unit)})"
    return f" ({_value(low, '')} to {_value(high, '')})"


def _threshold(found: BreakEven, its: Threshold) -> tuple[str, ...]:
    offer, other = (printable(run.scenario.name) for run in (found.offer, found.against))
    key, unit = printable(its.key), its.unit
    others = [
        f"{name} {_value(value, unit)}"
        for name, value in (("the formula says", its.formula), ("exact theory", its.theory))
        if value is not None
    ]
    beside = f"; {', '.join(others)}" if others else ""
    within = f"{_value(its.lowest, '')} to {_value(its.highest, unit)}"
    said = []
    if its.at is None and not any(mean for _, mean, _ in its.differences):
        said.append(f"{offer} and {other} cost the same for every value of {key} from {within}.")
    elif its.at is None:
        gaps = sorted(abs(mean) for _, mean, _ in its.differences)
        digits = price_digits([each for each in gaps if each])
        dearer = "cheaper" if its.cheaper == "always" else "dearer"
        sure = "" if its.certain else ", though not everywhere by more than chance"
        said.append(
            f"{offer} and {other} are never equal for {key} from {within}: {offer} is {dearer} in the whole range, by "
            f"{number(gaps[0], digits)} to {number(gaps[-1], digits)} USD per useful GPU-hour{sure}{beside}."
        )
    else:
        span = _span(its.low, its.high, unit) if its.reliable else ""
        said.append(
            f"{offer} is as good as {other} with {key} at {_value(its.at, unit)}{span}, and cheaper {its.cheaper} "
            f"that{beside}."
        )
    if its.again:
        said.append("They are equal at several values; this is the lowest.")
    if not its.reliable:
        said.append("Too few runs for an interval; more are needed.")
    return tuple(said)


def _picture(found: BreakEven, its: Threshold) -> Picture:
    offer, other = (printable(run.scenario.name) for run in (found.offer, found.against))
    values = [value for value, _, _ in its.differences]
    means = tuple(mean for _, mean, _ in its.differences)
    ends = tuple((mean - half, mean + half) for _, mean, half in its.differences)
    chart = Lines(
        positions=tuple(values),
        labels=tuple(_value(value, "") for value in values),
        series=((f"{offer} less {other}", means, ends), ("equally good", (0.0,) * len(values), (None,) * len(values))),
        title=f"{printable(its.key)}{its.unit and ', '}{its.unit}",
        unit="USD per useful GPU-hour",
        digits=price_digits([max(map(abs, means))]),
    )
    return Picture("What the offer costs more", _threshold(found, its)[0], chart, _differences_table(found, its))


def _differences_table(found: BreakEven, its: Threshold) -> Table:
    """Return the difference at every value that was simulated."""
    offer, other = (printable(run.scenario.name) for run in (found.offer, found.against))
    largest = max(abs(mean) for _, mean, _ in its.differences)
    digits = price_digits([half for _, _, half in its.differences if half] or [largest])
    rows = tuple(
        Row(_value(value, its.unit), (Figure(mean, digits, half, signed=True),))
        for value, mean, half in its.differences
    )
    title = f"{offer} less {other}, USD per useful GPU-hour"
    return Table(title, ("difference",), rows, corner=printable(its.key))
