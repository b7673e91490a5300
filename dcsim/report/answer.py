"""The first screen: which offer, what is paid, what is lost, and what a reader must know before repeating it."""

from collections.abc import Sequence

from dcsim.decide import Comparison, Pair, RunResult, Verdict
from dcsim.decide.estimate import formula_validity
from dcsim.decide.verdict import SAME, Against
from dcsim.decide.verdict import verdict as judge
from dcsim.economics import Bill
from dcsim.montecarlo.reliability import most_hit
from dcsim.report.figures import MISSING, Cell, Figure, dollars, loss, number, per_cent, price_digits, scale_of
from dcsim.report.grid_page import swing_sentence
from dcsim.report.jobs import out_of_service, replicas_sentence, serves
from dcsim.report.lender_page import financed_sentences, lender_compared
from dcsim.report.owner_answer import owner_compared, owner_sentences
from dcsim.report.page import Row, Table, and_list, printable
from dcsim.report.published_tables import formula_loss, term_of
from dcsim.report.sold import NAMED, compared_sentences, sold_sentence
from dcsim.report.tokens_page import tokens_compared, tokens_sentence
from dcsim.report.uncertainty import price, with_error

EQUAL_LOSSES = 5e-5
"""Losses that differ by less are printed alike, so what differs between two offers is their prices alone."""
USEFUL = "A useful GPU-hour is an hour of one GPU whose work is kept."
"""What a reader who knows money better than clusters needs first."""

# --- one run ------------------------------------------------------------------------------------------------------


def run_sentences(run: RunResult) -> list[str]:
    """Say what its owner or a seller of tokens earns, where there is one, what is lost and what is paid for it."""
    earned = [*financed_sentences(run, owner_sentences(run)), tokens_sentence(run)]
    said = [loss_sentence(run), too_few([run]), objective_sentence(run), paid_sentence([run]), sold_sentence(run)]
    return [*filter(None, [*earned, *said, swing_sentence(run)])]


def objective_sentence(run: RunResult) -> str:
    """Say in how many months the goodput objective is kept; empty without one."""
    found = run.error_budget
    if found is None:
        return ""
    p95 = found.quantile(0.95)
    used = f"the mean month uses {per_cent(found.mean_used.mean, 0)} % of its error budget"
    return (
        f"The objective of {100 * found.objective:.6g} % goodput is kept in {per_cent(found.within.mean, 1)} % of the "
        f"months; {used}, one in twenty {per_cent(p95, 0)} % or more."
    )


def too_few(runs: Sequence[RunResult]) -> str:
    """Say that there are too few runs for an interval, and how many are needed; empty: there are enough."""
    short = [run.runs_needed for run in runs if run.runs_needed is not None]
    count = len(runs[0].sample)
    if not short or count == 1:
        return ""
    if not any(run.sample.interruptions for run in runs):
        return (
            f"No failure reached a job in {count:,} runs: at most {100 * most_hit(count):.2g} % of runs have one "
            f"(95 % confidence). About {max(short):,} runs are needed."
        )
    which = "" if len(short) == len(runs) else _whose([run for run in runs if run.runs_needed is not None])
    return f"{count:,} runs{which} are too few for an interval; about {max(short):,} are needed."


def _whose(runs: Sequence[RunResult]) -> str:
    return f" of {and_list([printable(run.scenario.name) for run in runs])}"


def loss_sentence(run: RunResult) -> str:
    """Say how long it takes where jobs end, what is lost, what nobody asked for, and what the formula says of it."""
    name = printable(run.scenario.name)
    doubt = "" if formula_validity(run.scenario).holds else ", which does not hold"
    formula = f"{loss(run.estimate.accounting.goodput_loss)} % by the published formula{doubt}"
    idle = set_aside(run)
    lost = f"{with_error(run.lost)} % of its GPU-hours"
    if run.done is not None:
        return f"{name}: {_done(run)}. {with_error(run.lost)} % of the GPU-hours until then are lost."
    asked = f" No job asked for a further {loss(run.unasked)} %." if run.unasked else ""
    if serves([run]):
        told = f"{name}: a replica is out of service {out_of_service(run)}. The cluster loses {lost}"
        return f"{told}{idle or ','} {formula}.{asked}"
    return f"{name} loses {lost} in the simulation{idle or ','} {formula}.{asked}"


def set_aside(run: RunResult) -> str:
    """Say how much of what is lost no failure took: idle spares, and GPUs without power yet with those that wait.

    Only what is a fair share of it is named; where power is missing, jobs wait for the GPUs that lack it.
    """
    named = {"spare": "as idle spares", "unpowered": "without power yet"}
    if run.shares["unpowered"] > NAMED * run.lost.mean:
        named["wait"] = "waiting for other GPUs of their jobs"
    shares = {state: run.shares[state] for state in named if run.shares[state] > NAMED * run.lost.mean}
    parts = [
        f"{per_cent(share)}{' of them' * (number == 0)} {named[state]}"
        for number, (state, share) in enumerate(shares.items())
    ]
    return f", {and_list(parts)}," if parts else ""


def _done(run: RunResult) -> str:
    """Say when the last job is done, and in how many of the runs it is."""
    found, horizon = run.done, run.scenario.horizon / 3_600_000
    assert found is not None
    jobs = "the job is" if len(run.scenario.jobs) == 1 and run.scenario.jobs[0].count == 1 else "all jobs are"
    if found.hours is None:
        return f"{jobs} not done within the {number(horizon, 0)} h of the horizon in any run"
    told = f"{jobs} done after {hours(run)}"
    if found.share < 1:
        told += f" in {per_cent(found.share, 1)} % of the runs, and not within {number(horizon, 0)} h in the others"
    return told


def hours(run: RunResult) -> str:
    """Write when the last job is done [h]: mean and interval."""
    return str(_hours(run).with_words(" h"))


def _hours(run: RunResult) -> Figure:
    return with_error(run.done.hours if run.done else None, 1)


def paid_sentence(runs: Sequence[RunResult]) -> str:
    """Say what is paid, over how long, and for one run also the price of a useful hour; empty without any [tco]."""
    priced = [run for run in runs if run.tco is not None]
    if not priced:
        return ""
    bills = [run.tco for run in priced if run.tco is not None]
    until = {run.stops_when_done for run in priced}
    over = "until the last job is done" if until == {True} else f"over {term_of([run.estimate for run in priced])}"
    if len(until) > 1:
        over = "over their terms, or until the last job is done"
    scale, unit = scale_of([bill.paid_usd for bill in bills])
    who = " by a renter of all GPUs" if all(run.cash is not None for run in priced) else ""
    if len(runs) == 1:
        hour = "" if runs[0].useful_hour_usd is None else f", {price(runs[0].useful_hour_usd)} USD per useful GPU-hour"
        return f"Paid{who} {over}: {paid(runs[0])}{hour}.{_energy(runs)}"
    told = [
        f"{printable(run.scenario.name)} {dollars(bill.paid_usd, scale)}"
        for run, bill in zip(priced, bills, strict=True)
    ]
    return f"Paid{who} {over}: {and_list(told)} {unit}.{_energy(priced)}"


def paid(run: RunResult) -> str:
    """Write what is paid, with its interval where it differs from run to run, and its unit."""
    found = run.paid_usd
    if found is None:
        return MISSING
    scale, unit = scale_of([found.mean])
    half = "" if not found.shown_half_width else f" ± {dollars(found.shown_half_width, scale, found.mean)}"
    return f"{dollars(found.mean, scale)}{half} {unit}"


def _energy(runs: Sequence[RunResult]) -> str:
    """Say what is paid for energy beside the rent, which the bill leaves out."""
    beside = [run.energy.usd for run in runs if run.energy is not None and run.energy.usd is not None]
    if not beside:
        return ""
    scale, unit = scale_of(beside)
    told = and_list([str(dollars(usd, scale)) for usd in beside])
    return f" Energy is paid beside that: {told} {unit} over the horizon."


# --- several offers -----------------------------------------------------------------------------------------------


def comparison_sentences(runs: Sequence[RunResult]) -> list[str]:
    """Say which offer is cheapest, and what is paid; or which loses least where there is no price."""
    found = judge(runs)
    if found is None:
        told = filter(None, [_unlike(runs), paid_sentence(runs)])
        return [*lender_compared(runs), *owner_compared(runs), _least_lost(runs), *told, *compared_sentences(runs)]
    said = [*lender_compared(runs), *owner_compared(runs), verdict_sentence(found, runs)]
    if any(run.done for run in runs):
        said.append(_done_after(runs))
    said += filter(None, [_unlike(runs), too_few(runs)])
    said += [paid_sentence(runs), *([replicas_sentence(runs)] if serves(runs) else [])]
    return [*said, *compared_sentences(runs), *filter(None, [tokens_compared(runs)])]


def _unlike(runs: Sequence[RunResult]) -> str:
    """Say that losses are over unlike times where the jobs of some end and those of others do not; empty: they are."""
    ending, others = (
        [printable(run.scenario.name) for run in runs if run.scenario.ends == ends] for ends in (True, False)
    )
    if not ending or not others:
        return ""
    return (
        f"These losses are over unlike times: of {and_list(ending)} until the last job is done, of {and_list(others)} "
        "over the whole horizon."
    )


def _done_after(runs: Sequence[RunResult]) -> str:
    if all(run.done is not None and run.done.share == 1 for run in runs):
        return f"Done after {and_list([f'{hours(run)} ({printable(run.scenario.name)})' for run in runs])}."
    told = [f"{printable(run.scenario.name)}: {_done(run)}." for run in runs if run.done is not None]
    return " ".join(told)


def tail_sentences(comparison: Comparison) -> list[str]:
    """Say which offer is cheapest by the P95 of its runs, where that is asked for."""
    if comparison.by != "p95":
        return []
    found = comparison.tail
    if found is None:
        return ["By P95: no verdict, for not every run has a price of a useful GPU-hour."]
    called, digits = [printable(each) for each in found.names], price_digits(found.usd)
    while digits < 4 and len({f"{each:.{digits}f}" for each in found.usd}) < len(set(found.usd)):
        digits += 1
    first, *others = zip(found.order, found.usd, found.ci95, strict=True)
    told = []
    for index, price_of, ends in others:
        more = "" if index not in found.tied else ", no clear difference"
        if ends is not None and not more:
            more = f", {number(ends[0], digits)} to {number(ends[1], digits)} more"
        told.append(f"{number(price_of, digits)} at {called[index]}{more}")
    few = found.ci95[-1] is None
    doubt = f" Too few runs to tell them apart; {found.needed} are needed." if few else ""
    return [
        f"By P95, which one run in twenty exceeds, {called[first[0]]} is cheapest: {number(first[1], digits)} USD per "
        f"useful GPU-hour, against {and_list(told)}.{doubt}"
    ]


def verdict_sentence(found: Verdict, runs: Sequence[RunResult]) -> str:
    """Say which offer is cheapest per useful GPU-hour, by how much, and how sure that is.

    Offers that lose alike differ by price lists, which no run can make surer; only where losses differ does a share of
    the runs say anything.
    """
    prices = [run.tco.usd_per_useful_gpu_hour["all_in"] if run.tco else None for run in runs]
    least, name = prices[found.best], printable(runs[found.best].scenario.name)
    digits = price_digits(prices)

    def named(each: Against) -> str:
        return printable(runs[each.index].scenario.name)

    def at(index: int, unit: str = " USD") -> str:
        return f"{number(prices[index], digits)}{unit}"

    hour = "per useful GPU-hour"
    same, tied = found.having("same"), found.having("tied")
    dearer = [f"{at(each.index, '')} at {named(each)} ({_more(each, least)})" for each in found.having("dearer")]
    sure = _surely(found, runs)
    if same:
        names = and_list([name, *map(named, same)])
        amounts = and_list([at(index, "") for index in (found.best, *(each.index for each in same))])
        said = f"{names} cost the same within {per_cent(SAME, 0)} %: {amounts} USD {hour}."
        unclear = and_list([f"{named(each)} costs {at(each.index)}" for each in tied])
        said += f" {unclear}: no clear difference." if tied else ""
        said += f" Dearer: {and_list(dearer)}{sure}." if dearer else ""
    elif tied:
        amounts = and_list([f"{named(each)} {at(each.index)}" for each in tied])
        said = f"No clear difference in {_runs(runs)}: {name} {at(found.best)} {hour}, {amounts}."
        said += f" Dearer than {name}: {and_list(dearer)}{sure}." if dearer else ""
    elif dearer:
        said = f"{name} is cheapest: {at(found.best)} {hour}, against {and_list(dearer)}{sure}."
    else:
        said = f"{name} costs {at(found.best)} {hour}."
    idle = [named(each) for each in found.having("nothing useful")]
    return f"{said} No GPU-hour of {and_list(idle)} is useful in any run." if idle else said


def _more(each: Against, least: float | None) -> str:
    return f"{100 * (each.usd or 0.0) / least:,.0f} % more" if least else "more"


def _runs(runs: Sequence[RunResult]) -> str:
    count = len(runs[0].sample)
    return "the one run simulated" if count == 1 else f"{count:,} runs"


def _surely(found: Verdict, runs: Sequence[RunResult]) -> str:
    """Say in how many runs the cheapest one was cheaper than each that costs more, or that prices alone decide."""
    dearer = found.having("dearer")
    if not dearer:
        return ""
    count = len(runs[0].sample)
    pairs = [Pair(runs[found.best], runs[each.index]) for each in dearer]
    ends = any(run.done for run in runs)  # then the loss of the horizon says nothing
    apart = [pair.lost_difference if ends else pair.loss_difference for pair in pairs]
    if all(abs(each.mean) + (each.half_width or 0.0) < EQUAL_LOSSES for each in apart):
        return ", by price alone"
    if count == 1:
        return ", in the one run simulated"
    won = [int((each.probability or 0.0) * count + 1e-9) for each in dearer]  # a tie is no win
    if all(each == count for each in won):
        return f", in all {count:,} runs"
    return f", in {and_list([f'{each:,}' for each in won])} of {count:,} runs"


def _least_lost(runs: Sequence[RunResult]) -> str:
    best = min(runs, key=lambda run: run.lost.mean)
    why = "no GPU-hour is useful in any run"
    if any(run.tco is None for run in runs):
        why = "not every scenario has a [tco] table"
    alike = "All lose the same." if len({run.lost.mean for run in runs}) == 1 else "Least lost:"
    said = f"{alike} {loss_sentence(best)}"
    owned = all(run.cash is not None for run in runs)  # their price is no renter's
    return said if owned else f"{said} (No prices per useful GPU-hour: {why}.)"


# --- the first table ----------------------------------------------------------------------------------------------


def answer_table(runs: Sequence[RunResult]) -> Table:
    """Return what decides, a row for each scenario: price, paid, lost; the formula's loss beside the simulated one."""
    bills = [run.tco for run in runs if run.tco is not None]
    scale, unit = scale_of([bill.paid_usd for bill in bills])
    columns = []
    if bills:
        columns += ["USD per useful GPU-h", f"paid, {unit}"]
    if any(run.done for run in runs):
        columns.append("done after, h")
    columns.append("lost, %")
    if any(run.unasked for run in runs):
        columns.append("no job asked, %")
    columns.append("loss by published formula, %")
    rows = []
    for run in runs:
        cells: list[Cell] = []
        if bills:
            cells += [price(run.useful_hour_usd), _paid_cell(run, run.tco, scale)]
        if any(each.done for each in runs):
            cells.append(_hours(run))
        cells.append(with_error(run.lost))
        if any(each.unasked for each in runs):
            cells.append(loss(run.unasked))
        cells.append(formula_loss(run.estimate))
        rows.append(Row(printable(run.scenario.name, 16), tuple(cells), strong=True))
    return Table("Price, payments and losses", tuple(columns), tuple(rows), notes=(USEFUL,) if bills else ())


def _paid_cell(run: RunResult, bill: Bill | None, scale: float) -> Figure:
    if bill is None or run.paid_usd is None:
        return Figure(None)
    half = run.paid_usd.shown_half_width
    found = dollars(bill.paid_usd, scale)
    return found.with_half(dollars(half, scale, bill.paid_usd)) if half else found
