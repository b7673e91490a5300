"""What a report shows of runs: tables, pictures and the sentences that say what there is to see in them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dcsim.decide import Bridge, Pair, RunResult
from dcsim.decide.bills import price_all_in
from dcsim.decide.report_data import ReportData
from dcsim.decide.verdict import SAME
from dcsim.decide.walk import Walk
from dcsim.economics import GROUPS, LINES, Bill
from dcsim.ledger import STATES
from dcsim.report.answer import answer_table
from dcsim.report.document import WORDS, Bars, Part, Picture, Section, Stacks, Waterfall
from dcsim.report.figures import MISSING, Cell, Figure, dollars, loss, loss_digits, number, per_cent, scale_of, usd
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, names, printable
from dcsim.report.published_tables import METHOD, PRICES, bill_rows, formula_loss, over_of, theory_table
from dcsim.report.simulated import (
    LEAST_STEP_PP,
    bridge_table,
    gap_table,
    pair_table,
    simulated_table,
    steps_passage,
)
from dcsim.report.uncertainty import with_error
from dcsim.report.walks import walk_parts

AWAY = ("checkpoint", "lost", "detect", "failover", "restore", "wait", "repair", "maintenance")
"""States that a formula's downtime stands for."""

OfRun = Callable[[RunResult], Cell]


# --- the answer ---------------------------------------------------------------------------------------------------


def first_picture(runs: Sequence[RunResult]) -> Picture:
    """Return what the answer rests on: prices of a useful GPU-hour, or losses where there are no prices."""
    labels = names(runs, SHORT)
    prices = [price_all_in(run.tco) for run in runs]
    found: list[tuple[float, float | None]]
    if len(runs) == 1:
        labels = ("by the formula", "simulated")
        half = runs[0].lost.shown_half_width
        losses = (100 * runs[0].estimate.accounting.goodput_loss, 100 * runs[0].lost.mean)
        found = [(losses[0], None), (losses[1], None if half is None else 100 * half)]
        title, unit, what = "Lost GPU-hours", "%", "% of all GPU-hours"
    elif None in prices:
        found = [
            (100 * run.lost.mean, None if run.lost.shown_half_width is None else 100 * run.lost.shown_half_width)
            for run in runs
        ]
        title, unit, what = "Lost GPU-hours, simulated", "%", "% of all GPU-hours"
    else:
        found = [
            (price, run.useful_hour_usd.shown_half_width if run.useful_hour_usd else None)
            for run, price in zip(runs, prices, strict=True)
            if price is not None
        ]
        title, unit, what = "Paid per useful GPU-hour", "USD", "USD per useful GPU-hour"
    intervals = tuple(None if half is None else (mean - half, mean + half) for mean, half in found)
    told = [f"{label} {number(mean, 2)}" for label, (mean, _) in zip(labels, found, strict=True)]
    says = f"{title}: {and_list(told)} {what}."
    means = tuple(mean for mean, _ in found)
    chart = Bars(labels, means, intervals, unit, marked=_marked(runs, means))
    return Picture(title, says, chart, answer_table(runs))


def _marked(runs: Sequence[RunResult], means: Sequence[float]) -> int:
    """Return the best bar; none of several that are the same; of one run what was simulated."""
    if len(runs) == 1:
        return 1
    least = min(means)
    return -1 if sum(mean - least <= SAME * mean for mean in means) > 1 else means.index(least)


# --- formula beside simulation ------------------------------------------------------------------------------------


def beside(runs: Sequence[RunResult]) -> Section:
    """Return the published tables with a simulated column beside each of the formula's."""
    tables: list[Part] = [_resiliency(runs)]
    if any(run.tco for run in runs):
        tables.append(_money(runs))
    return Section(
        "tables",
        "The published tables, and what the simulation says",
        (
            "The formula's columns are ClusterMAX accounting; the simulated ones are means over all runs, with "
            "the 95 % interval where there is one.",
        ),
        tuple(tables),
        (theory_table([run.estimate for run in runs]), simulated_table(runs)),
    )


def _columns(runs: Sequence[RunResult]) -> tuple[str, ...]:
    return tuple(f"{name}, {kind}" for name in names(runs, SHORT) for kind in ("formula", "simulated"))


def _row(runs: Sequence[RunResult], label: str, formula: OfRun, simulated: OfRun, strong: bool = False) -> Row:
    return Row(label, tuple(cell(run) for run in runs for cell in (formula, simulated)), strong)


def _share(run: RunResult, states: Sequence[str]) -> Figure:
    return per_cent(sum(run.shares[state] for state in states))


def _resiliency(runs: Sequence[RunResult]) -> Table:
    def both(cell: OfRun) -> tuple[OfRun, OfRun]:
        return cell, cell

    rows = (
        _row(runs, "GPUs", *both(lambda run: usd(run.scenario.cluster.gpus))),
        _row(runs, "spares, GPUs", *both(lambda run: usd(run.scenario.cluster.spares))),
        _row(
            runs,
            "failures per month",
            lambda run: number(run.estimate.accounting.interruptions_per_month, 2),
            lambda run: with_error(run.failures_per_month, 1),
        ),
        _row(
            runs,
            "interruptions of jobs per month",
            lambda run: MISSING,
            lambda run: with_error(run.interruptions_per_month, 1),
        ),
        _row(
            runs,
            "downtime, rollback, repair, %",
            lambda run: per_cent(run.estimate.accounting.downtime_loss),
            lambda run: _share(run, AWAY),
        ),
        *(
            [_row(runs, "no power yet, %", lambda run: MISSING, lambda run: _share(run, ("unpowered",)))]
            if any(run.shares["unpowered"] for run in runs)
            else []
        ),
        _row(
            runs,
            "spare and idle GPUs, %",
            lambda run: per_cent(run.estimate.accounting.idle_spare_loss),
            lambda run: _share(run, ("spare", "idle")),
        ),
        _row(
            runs,
            "performance overhead, %",
            lambda run: per_cent(run.estimate.accounting.performance_overhead),
            lambda run: _share(run, ("overhead",)),
        ),
        _row(
            runs,
            "goodput loss, %",
            lambda run: formula_loss(run.estimate),
            lambda run: with_error(run.loss) if run.done is None else with_error(run.lost),
            strong=True,
        ),
    )
    return Table("Resiliency", _columns(runs), rows)


def _money(runs: Sequence[RunResult]) -> Table:
    def of(bill: Bill | None, cell: Callable[[Bill], Cell]) -> Cell:
        return MISSING if bill is None else cell(bill)

    def line(label: str, cell: Callable[[Bill], Cell], strong: bool = False) -> Row:
        return _row(runs, label, lambda run: of(run.estimate.tco, cell), lambda run: of(run.tco, cell), strong)

    first = runs[0]

    def against(run: RunResult, its: Bill | None, other: Bill | None) -> Figure:
        return number(its.with_lost_work_usd / other.with_lost_work_usd if its and other else None, 2)

    def half(run: RunResult) -> Figure:
        return usd(run.total_usd.shown_half_width if run.total_usd else None)

    def price(name: str) -> Callable[[Bill], Cell]:
        return lambda bill: number(bill.usd_per_useful_gpu_hour[name], 4)

    rows = bill_rows(line, over_of(runs))
    rows.append(_row(runs, "  95 % interval of that, ± USD", lambda run: MISSING, half))
    if len(runs) > 1:
        rows.append(
            _row(
                runs,
                "relative to the first",
                lambda run: against(run, run.estimate.tco, first.estimate.tco),
                lambda run: against(run, run.tco, first.tco),
            )
        )
    rows.append(line("useful GPU-hours", lambda bill: usd(bill.useful_gpu_hours)))
    rows += [line(f"{label}, USD", price(name), name == "all_in") for name, label in PRICES.items()]
    return Table("Cost", _columns(runs), tuple(rows), notes=METHOD)


# --- why they differ ----------------------------------------------------------------------------------------------


def why(bridges: Sequence[Bridge], called: Sequence[str]) -> Section:
    """Return the waterfalls from each formula to its simulation."""
    pictures: list[Part] = []
    meanings: list[tuple[str, str, str]] = []
    for bridge, name in zip(bridges, called, strict=True):
        first, last = bridge.steps[0].loss, bridge.steps[-1].loss
        digits = max(loss_digits(first), loss_digits(last))
        steps = [step for step in bridge.steps[1:] if abs(step.delta_pp) >= 0.5 * 10**-digits]
        largest = max(steps, key=lambda step: abs(step.delta_pp), default=None)
        says = f"{name}: {loss(first)} % by the formula, {loss(last)} % simulated"
        if largest is None or 100 * abs(last - first) < LEAST_STEP_PP:
            says += "; they agree."
        else:
            says += f"; the largest step is {largest.delta_pp:+.2f} pp: {largest.text}."
        shown = tuple((step.name, step.delta_pp) for step in steps)
        chart = Waterfall(("formula", 100 * first), shown, ("simulated", 100 * last), "%", "pp", digits)
        table = replace(bridge_table(bridge), title=f"Why formula and simulation differ: {name}")
        pictures.append(Picture(table.title, says, chart, table))
        meanings += ((step, text, name) for step, text in steps_passage(bridge).items)
    told = min((bridge.replications for bridge in bridges), default=0)
    return Section(
        "why",
        "Why formula and simulation differ",
        (
            "One assumption of the formula at a time is replaced by what the simulation does, from the same random "
            "numbers. Each step is worth so many percentage points (pp) of all GPU-hours. "
            f"These steps are of {told:,} runs.",
        ),
        (*pictures, Passage("What each step puts in", _meanings(meanings))),
    )


def _meanings(found: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    """Return each step with its meaning once; one that means something else at another run names the runs."""
    by_step: dict[str, dict[str, list[str]]] = {}
    for step, text, name in found:
        by_step.setdefault(step, {}).setdefault(text, []).append(name)
    return tuple(
        (step if len(texts) == 1 else f"{step} ({and_list(called)})", text)
        for step, texts in by_step.items()
        for text, called in texts.items()
    )


# --- the gap ------------------------------------------------------------------------------------------------------


def gap(pairs: Sequence[Pair], runs: Sequence[RunResult], walks: Sequence[Walk] = ()) -> Section:
    """Return where the differences to the first offer come from: by input, and by line of the bill."""
    priced = [pair for pair in pairs if pair.attribution]
    against = [pair for pair in priced if pair.a is priced[0].a]
    parts: tuple[Part, ...] = (pair_table(pairs),)
    if against:
        groups = [name for name in GROUPS if any(pair.attribution and pair.attribution[name] for pair in against)]
        scale, unit = scale_of([pair.attribution[name] for pair in against if pair.attribution for name in groups])
        series = tuple(
            (GROUPS[name], tuple((pair.attribution or {})[name] / scale for pair in against)) for name in groups
        )
        labels = names([pair.b for pair in against], SHORT)
        says = [_gap_sentence(label, pair, over_of(runs)) for label, pair in zip(labels, against, strict=True)]
        table = gap_table(priced, runs)
        picture = Picture(table.title, " ".join(says), Stacks(labels, series, unit), table)
        parts = (picture, *parts)
    parts = (*walk_parts(walks), *parts)
    return Section("gap", "Where the gap comes from", (), parts)


def _gap_sentence(label: str, pair: Pair, over: str) -> str:
    """Say how much more or less is paid, what most of that is, and what lost work at the rent adds."""
    first = printable(pair.a.scenario.name)
    shares = {key: usd for key, usd in (pair.attribution or {}).items() if usd}
    paid = {line.group for line in LINES if line.paid}
    lost = sum(usd for key, usd in shares.items() if key not in paid)
    invoiced = {key: usd for key, usd in shares.items() if key in paid}
    whole = sum(invoiced.values())
    scale, unit = scale_of([whole, lost])
    said = f"{label} is paid as much as {first} {over}"
    if invoiced:
        most = max(invoiced, key=lambda key: abs(invoiced[key]))
        said = (
            f"For {label} {dollars(abs(whole), scale)} {unit} {'less' if whole < 0 else 'more'} is paid than for "
            f"{first} {over}; the largest part is {GROUPS[most]}, {dollars(invoiced[most], scale)} {unit}"
        )
    if lost:
        said += f". Lost work at the rent is worth {dollars(abs(lost), scale)} {unit} {'less' if lost < 0 else 'more'}"
    return f"{said}."


# --- where the hours go -------------------------------------------------------------------------------------------


def where(data: ReportData) -> Section:
    """Return the losses by state, and by hazard and phase in the typical replication."""
    runs = data.runs
    shares = {state: tuple(100 * run.shares[state] for run in runs) for state in STATES[1:]}
    seen = [state for state in STATES[1:] if any(share >= 0.005 for share in shares[state])]
    labels = names(runs, SHORT)
    told = []
    for index, label in enumerate(labels):
        ranked = sorted(seen, key=lambda state: -shares[state][index])[:2]
        most = and_list([f"{WORDS[state]} ({shares[state][index]:.2f} %)" for state in ranked])
        told.append(
            f"{label}: {loss(1 - runs[index].shares['useful'])} % of GPU-hours are not useful, most of it {most}."
        )
    rows = [Row(WORDS[state], tuple(number(share, 2) for share in shares[state])) for state in STATES[1:]]
    rows.append(Row("not useful", tuple(per_cent(1 - run.shares["useful"]) for run in runs), strong=True))
    table = Table("GPU-hours that are not useful, by state, % of all", names(runs), tuple(rows), corner="state")
    chart = Stacks(labels, tuple((WORDS[state], shares[state]) for state in seen), "% of GPU-hours")
    picture = Picture(table.title, " ".join(told), chart, table)
    costs = (_costs(data, index) for index in range(len(data.stories)))
    return Section("where", "Where the GPU-hours go", (), (picture, *costs))


def _costs(data: ReportData, index: int) -> Table:
    """Return what each hazard and each maintenance cost, by state, in the mean of all runs."""
    run, story = data.runs[index], data.stories[index]
    hours = run.sample.gpu_hours_total
    phases = [
        phase
        for phase in ("lost", "detect", "failover", "restore", "wait", "repair", "maintenance")
        if any(costs[phase] for costs in story.costs_gpu_h.values())
    ]
    costed = {cause: {phase: hours[phase] for phase in phases} for cause, hours in story.costs_gpu_h.items()}
    ranked = sorted(costed.items(), key=lambda each: -sum(each[1].values()))
    rows = [
        Row(
            printable(hazard),
            (
                *(number(100 * costs[phase] / hours, 3) for phase in phases),
                number(100 * sum(costs.values()) / hours, 3),
            ),
        )
        for hazard, costs in ranked
    ]
    name = names(data.runs)[index]
    note = (
        f"{'The run of median loss' if story.replications == 1 else f'In the mean of {story.replications:,} runs'}. "
        "A stop belongs to what began it. A job whose GPUs were taken for another job has no failure of its own."
    )
    return Table(
        f"{name}: losses by hazard and phase, % of all GPU-hours",
        (*(WORDS[phase] for phase in phases), "together"),
        tuple(rows),
        corner="hazard",
        notes=(note,),
    )
