"""What an owner reads first: cash a month, whether the capital comes back, what failures cost, and what to do."""

from collections.abc import Sequence

import numpy as np

from dcsim.decide import RunResult
from dcsim.decide.cash import FLOW, Cash
from dcsim.decide.estimate import Estimate
from dcsim.report.document import Card
from dcsim.report.figures import Figure, number, per_cent, scale_of
from dcsim.report.page import SHORT, and_list, names, printable

THOUSANDS = 10_000
"""From here on sentences tell amounts in thousands [USD]; source: assumed."""
SURE = 0.95
"""Capital that is back in this share of the runs is back; source: assumed."""
FAILED = {"rent_lost": "rent not invoiced", "credits": "SLA credits", "repairs": "repairs"}


def owner_sentences(run: RunResult) -> list[str]:
    """Say what cash a month brings and whether the capital comes back, what failures cost, and what to do."""
    cash = run.cash
    if cash is None:
        return []
    return [_cash_sentence(run, cash), _failures_sentence(cash), _advice(run, cash)]


def sentence_scale(amounts: Sequence[float]) -> tuple[float, str]:
    """Return what a sentence divides amounts by, so that they have few digits, and their unit then."""
    scale, unit = scale_of(amounts)
    return (1e3, "thousand USD") if scale == 1 and max(map(abs, amounts)) >= THOUSANDS else (scale, unit)


def short(amount: float, scale: float) -> Figure:
    """Return an amount of a sentence: three digits."""
    size, digits = abs(amount) / scale, 0
    while size and size < 10 ** (2 - digits) and digits < 4:
        digits += 1
    return number(amount / scale, digits)


def money(amount: float) -> str:
    """Return an amount of a sentence with its unit."""
    scale, unit = sentence_scale([amount])
    return f"{short(amount, scale)} {unit}"


def _cash_sentence(run: RunResult, cash: Cash) -> str:
    mean, low, high = cash.one_month
    scale, unit = sentence_scale([mean, low, high])
    if mean < 0:
        mean, low, high = -mean, -high, -low
    ends = [str(short(each, scale)) for each in (low, high)]
    nine = f" ({ends[0]} to {ends[1]} in nine of ten months)" if ends[0] != ends[1] else ""
    debt = before_debt(run)
    return f"{_earns(run, cash)} {short(mean, scale)} {unit} of cash a month{debt}{nine}. {paid_back(cash)}"


def before_debt(each: RunResult | Estimate) -> str:
    """Return what stands behind an owner's cash where debt is still to be served from it."""
    return " before debt" if each.lender is not None and each.lender.has_debt else ""


def _earns(each: RunResult | Estimate, cash: Cash) -> str:
    return f"{printable(each.scenario.name)} {'earns' if cash.one_month[0] >= 0 else 'costs'} its owner"


def paid_back(cash: Cash) -> str:
    """Say when the capital is back, and what is left or missing at the end."""
    spent, left, months = cash.mean("capex"), cash.mean(FLOW), cash.payback_months
    term, back = cash.statement.months, float(np.isfinite(months).mean())
    told = f"the capital of {money(spent)}"
    if not spent:
        return f"Over {term} months that is {money(left)}."
    if back >= SURE:
        return f"After {number(float(np.median(months)), 0)} months {told} is back; month {term} ends {money(left)} up."
    if back <= 1 - SURE:
        return f"In {term} months {told} does not come back: {money(-left)} are missing."
    return f"In {per_cent(back, 0)} % of the runs {told} is back within {term} months."


def _failures_sentence(cash: Cash) -> str:
    cost, revenue = cash.mean("failures_cost"), cash.mean("revenue")
    parts = [f"{what} {money(part)}" for name, what in FAILED.items() if (part := cash.mean(name))]
    share = f", {per_cent(cost / revenue, 1)} % of the rent" if revenue > 0 else ""
    if not cost:
        return (
            "In this scenario failures cost the owner nothing: "
            "no rent is lost, no credit is given, and no repair has a price."
        )
    of_it = f": {and_list(parts)}" if len(parts) > 1 else ""
    return f"Failures cost {money(cost)} over {cash.statement.months} months{share}{of_it}."


def _advice(run: RunResult, cash: Cash) -> str:
    """Say what one point of occupancy is worth against all failures, and what spares cost against what they save."""
    worth, over = {each.name: each.usd for each in cash.levers}, f"over {cash.statement.months} months"
    cost, said = cash.mean("failures_cost"), []
    point = worth.get("occupancy", 0.0)
    then = "Then" if run.lender is not None and run.lender.overdrawn else "To do"  # less debt comes before
    first = "" if then == "Then" else " first"
    if point > 0:
        points = cost / point
        if points < 1:
            told = "more than a cluster that never fails" if cost else "and failures cost nothing"
            said.append(
                f"{then}: rent out more of the GPUs{first}. One point of occupancy is worth {money(point)} "
                f"{over}, {told}."
            )
        else:
            said.append(
                f"{then}: make it fail less{first}. All failures cost as much as {number(points, 1)} points of "
                f"occupancy, at {money(point)} each."
            )
    else:
        said.append(f"Every GPU on sale is rented: 1 % more rent is worth {money(worth['rent'])} {over}.")
    gain = worth.get("spares", 0.0)
    if gain > 0:
        spares = f"the {run.scenario.cluster.spares:,} spares"
        said.append(f"Rented out too, {spares} would bring {money(gain)} {over}, before any SLA credit.")
    share, at = cash.unit_cost("breakeven_share"), cash.unit_cost("rented_share")
    if share is not None:
        said.append(
            f"Costs are covered when {per_cent(share, 1)} % of all GPU-hours are invoiced; {per_cent(at, 1)} % are."
        )
    return " ".join(said)


def owner_estimated(each: Estimate) -> str:
    """Say what cash a month brings by formula, and whether the capital comes back; empty without an owner."""
    if each.cash is None:
        return ""
    month = f"{money(abs(each.cash.one_month[0]))} of cash a month{before_debt(each)}"
    return f"{_earns(each, each.cash)} {month}, by formula. {paid_back(each.cash)}"


def owner_compared(runs: Sequence[RunResult]) -> list[str]:
    """Say which offer leaves its owner most cash, and by how much, run by run; nothing unless all have an owner."""
    if len(runs) < 2 or any(run.cash is None for run in runs):
        return []
    called = names(runs, SHORT)
    cash = [run.cash for run in runs if run.cash is not None]
    left = [each.mean(FLOW) for each in cash]
    best = most_cash(runs)
    scale, unit = sentence_scale(left)
    cost = [f"{called[index]} {money(each.mean('failures_cost'))}" for index, each in enumerate(cash)]
    flows = [each.statement.total(FLOW) for each in cash]
    if all(len(each) == len(flows[0]) and np.allclose(each, flows[0]) for each in flows):
        failures = money(cash[best].mean("failures_cost"))
        return [
            f"Before debt {and_list(called)} leave their owner the same: {short(left[best], scale)} {unit} after "
            f"capital, and failures cost {failures}."
        ]
    others = []
    for index in range(len(cash)):
        if index == best:
            continue
        ours, theirs = flows[best], flows[index]
        surely = ""
        if len(ours) == len(theirs) > 1:
            share = float((theirs < ours).mean())
            surely = f" (less in {'all' if share == 1 else f'{per_cent(share, 0)} % of the'} runs)"
        others.append(f"{called[index]} {short(left[index], scale)}{surely}")
    before = "Before debt " if any(run.lender for run in runs) else ""
    return [
        f"{before}{called[best]} leaves its owner most: {short(left[best], scale)} {unit} after capital, against "
        f"{and_list(others)}. Failures cost {and_list(cost)}."
    ]


def most_cash(runs: Sequence[RunResult]) -> int:
    """Return which run leaves its owner most cash in the mean; -1 unless there are several, all with an owner."""
    left = [run.cash.mean(FLOW) for run in runs if run.cash is not None]
    return max(range(len(left)), key=left.__getitem__) if len(left) == len(runs) > 1 else -1


def owner_card(name: str, run: RunResult, notes: Sequence[str], best: bool = False) -> Card | None:
    """Return the card of an owner; None where a scenario has none. ``notes``: what else it says."""
    cash = run.cash
    if cash is None:
        return None
    mean = cash.one_month[0]
    scale, unit = sentence_scale([mean])
    said = (paid_back(cash).rstrip("."), f"failures cost {money(cash.mean('failures_cost'))}", *notes)
    return Card(
        name, short(mean, scale), f"{unit} of cash a month{before_debt(run)}", said, "most cash" if best else ""
    )
