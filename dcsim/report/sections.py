"""What a report shows of runs: tables, pictures and the sentences that say what there is to see in them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dcsim.decide import Bill, Bridge, RunResult
from dcsim.decide.comparison import Pair
from dcsim.decide.dossier import Dossier
from dcsim.decide.result import price_all_in
from dcsim.ledger import STATES
from dcsim.report.document import WORDS, Bars, Part, Picture, Section, Stacks, Waterfall
from dcsim.report.formula import LINES, PRICES, formula_loss, term_of, theory_table
from dcsim.report.page import (
    MISSING,
    Passage,
    Row,
    Table,
    and_list,
    loss,
    loss_digits,
    number,
    per_cent,
    printable,
    usd,
)
from dcsim.report.simulated import (
    GROUPS,
    LEAST_STEP_PP,
    answer_table,
    bridge_table,
    gap_table,
    pair_table,
    simulated_table,
    steps_passage,
)
from dcsim.report.spread import SAME, with_error

SHORT = 24
"""Letters of a name in a picture; source: assumed, what fits a phone."""
AWAY = ("checkpoint", "lost", "detect", "failover", "restore", "wait", "repair", "maintenance", "unpowered")
"""States that a formula's downtime stands for."""

Cell = Callable[[RunResult], str]


def names(runs: Sequence[RunResult], longest: int = 40) -> tuple[str, ...]:
    """Return what the runs are called; those of one name are numbered."""
    called = [printable(run.scenario.name, longest) for run in runs]
    return tuple(f"{name} ({index})" if called.count(name) > 1 else name for index, name in enumerate(called, 1))


# --- the answer ---------------------------------------------------------------------------------------------------


def first_picture(runs: Sequence[RunResult]) -> Picture:
    """Return what the answer rests on: prices of a useful GPU-hour, or losses where there are no prices."""
    labels = names(runs, SHORT)
    prices = [price_all_in(run.tco) for run in runs]
    found: list[tuple[float, float | None]]
    if len(runs) == 1:
        labels = ("by the formula", "simulated")
        half = runs[0].loss.half_width
        losses = (100 * runs[0].estimate.accounting.goodput_loss, 100 * runs[0].loss.mean)
        found = [(losses[0], None), (losses[1], None if half is None else 100 * half)]
        title, unit, what = "Goodput loss", "%", "% of all GPU-hours"
    elif None in prices:
        found = [
            (100 * run.loss.mean, None if run.loss.half_width is None else 100 * run.loss.half_width) for run in runs
        ]
        title, unit, what = "Goodput loss, simulated", "%", "% of all GPU-hours"
    else:
        found = [
            (price, run.useful_hour_usd.half_width if run.useful_hour_usd else None)
            for run, price in zip(runs, prices, strict=True)
            if price is not None
        ]
        title, unit, what = "A useful GPU-hour, all in", "USD", "USD per useful GPU-hour"
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
            "The formula's columns are ClusterMAX accounting; the simulated ones are means over all replications, with "
            "the 95 % interval where there is one.",
        ),
        tuple(tables),
        (theory_table([run.estimate for run in runs]), simulated_table(runs)),
    )


def _columns(runs: Sequence[RunResult]) -> tuple[str, ...]:
    return tuple(f"{name}, {kind}" for name in names(runs, SHORT) for kind in ("formula", "simulated"))


def _row(runs: Sequence[RunResult], label: str, formula: Cell, simulated: Cell, strong: bool = False) -> Row:
    return Row(label, tuple(cell(run) for run in runs for cell in (formula, simulated)), strong)


def _share(run: RunResult, states: Sequence[str]) -> str:
    return per_cent(sum(run.ledger[state] for state in states) / run.sample.gpu_hours_total)


def _resiliency(runs: Sequence[RunResult]) -> Table:
    def both(cell: Cell) -> tuple[Cell, Cell]:
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
            "strikes on jobs per month",
            lambda run: MISSING,
            lambda run: with_error(run.interruptions_per_month, 1),
        ),
        _row(
            runs,
            "downtime, rollback, repair, %",
            lambda run: per_cent(run.estimate.accounting.downtime_loss),
            lambda run: _share(run, AWAY),
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
            lambda run: with_error(run.loss),
            strong=True,
        ),
    )
    return Table("Resiliency", _columns(runs), rows)


def _money(runs: Sequence[RunResult]) -> Table:
    def of(bill: Bill | None, cell: Callable[[Bill], str]) -> str:
        return MISSING if bill is None else cell(bill)

    def line(label: str, cell: Callable[[Bill], str], strong: bool = False) -> Row:
        return _row(runs, label, lambda run: of(run.estimate.tco, cell), lambda run: of(run.tco, cell), strong)

    first = runs[0]

    def against(run: RunResult, its: Bill | None, other: Bill | None) -> str:
        return MISSING if its is None or other is None else number(its.total_usd / other.total_usd, 2)

    def half(run: RunResult) -> str:
        return usd(run.total_usd.half_width if run.total_usd else None)

    def monthly(name: str) -> Callable[[Bill], str]:
        return lambda bill: usd(bill.lines[name])

    def price(name: str) -> Callable[[Bill], str]:
        return lambda bill: number(bill.usd_per_useful_gpu_hour[name], 4)

    term = term_of([run.estimate for run in runs])
    rows = [line(f"{label}, USD/mo", monthly(name)) for name, label in LINES.items()]
    rows.append(line("month, USD", lambda bill: usd(bill.monthly_usd), strong=True))
    rows.append(line(f"{term}, USD", lambda bill: usd(bill.total_usd), strong=True))
    rows.append(_row(runs, f"  95 % interval of {term}, ± USD", lambda run: MISSING, half))
    if len(runs) > 1:
        rows.append(
            _row(
                runs,
                "relative to the first",
                lambda run: against(run, run.estimate.tco, first.estimate.tco),
                lambda run: against(run, run.tco, first.tco),
            )
        )
    rows += [line(f"{label}, USD/GPU-h", price(name)) for name, label in PRICES.items()]
    return Table("Cost", _columns(runs), tuple(rows), notes=("all in = (month - goodput loss) / useful GPU-hours.",))


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
            "One assumption of the formula at a time is replaced by what the simulation does, on the same random "
            f"numbers: each step is worth so many percentage points of all GPU-hours. Told over {told:,} replications.",
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


def gap(pairs: Sequence[Pair], runs: Sequence[RunResult]) -> Section:
    """Return where the difference in cost to the first offer comes from, by line of its bill."""
    priced = [pair for pair in pairs if pair.attribution]
    against = [pair for pair in priced if pair.a is priced[0].a]
    parts: tuple[Part, ...] = (pair_table(pairs),)
    says: list[str] = []
    if against:
        groups = [name for name in GROUPS if any(pair.attribution and pair.attribution[name] for pair in against)]
        series = tuple(
            (GROUPS[name], tuple((pair.attribution or {})[name] / 1e6 for pair in against)) for name in groups
        )
        labels = names([pair.b for pair in against], SHORT)
        first = printable(against[0].a.scenario.name)
        for label, pair in zip(labels, against, strict=True):
            shares = pair.attribution or {}
            whole = sum(shares.values())
            most = max(shares, key=lambda name: abs(shares[name]))
            of = f", {100 * shares[most] / whole:.1f} % of the gap" if whole else ""
            dearer = "less" if whole < 0 else "more"
            says.append(
                f"{label} costs {number(abs(whole) / 1e6, 1)} million USD {dearer} than {first} over the "
                f"{term_of([run.estimate for run in runs])}; the largest part is {GROUPS[most]}: "
                f"{number(shares[most] / 1e6, 1)} million USD{of}."
            )
        table = gap_table(priced, runs)
        picture = Picture(table.title, " ".join(says), Stacks(labels, series, "million USD"), table)
        parts = (picture, *parts)
    return Section("gap", "Where the gap comes from", (), parts)


# --- where the hours go -------------------------------------------------------------------------------------------


def where(dossier: Dossier) -> Section:
    """Return the losses by state, and by hazard and phase in the typical replication."""
    runs = dossier.runs
    shares = {
        state: tuple(100 * run.ledger[state] / run.sample.gpu_hours_total for run in runs) for state in STATES[1:]
    }
    seen = [state for state in STATES[1:] if any(share >= 0.005 for share in shares[state])]
    labels = names(runs, SHORT)
    told = []
    for index, label in enumerate(labels):
        ranked = sorted(seen, key=lambda state: -shares[state][index])[:2]
        most = and_list([f"{WORDS[state]} ({shares[state][index]:.2f} %)" for state in ranked])
        told.append(f"{label} loses {loss(runs[index].loss.mean)} % of its GPU-hours, most of it to {most}.")
    rows = [Row(WORDS[state], tuple(number(share, 2) for share in shares[state])) for state in STATES[1:]]
    rows.append(Row("goodput loss", tuple(with_error(run.loss) for run in runs), strong=True))
    table = Table("Losses by state, % of all GPU-hours", names(runs), tuple(rows), corner="state")
    chart = Stacks(labels, tuple((WORDS[state], shares[state]) for state in seen), "% lost")
    picture = Picture(table.title, " ".join(told), chart, table)
    costs = (_costs(dossier, index) for index in range(len(dossier.stories)))
    return Section("where", "Where the GPU-hours go", (), (picture, *costs))


def _costs(dossier: Dossier, index: int) -> Table:
    """Return what each hazard cost, by phase, in the replication of median loss."""
    run, story = dossier.runs[index], dossier.stories[index]
    hours = run.sample.gpu_hours_total
    phases = [
        phase
        for phase in ("lost", "detect", "failover", "restore", "wait", "repair")
        if any(costs[phase] for costs in story.costs_gpu_h.values())
    ]
    ranked = sorted(story.costs_gpu_h.items(), key=lambda each: -sum(each[1].values()))
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
    name = names(dossier.runs)[index]
    note = (
        f"Replication {story.replication}, the one of median loss ({loss(story.loss)} %). A stall belongs to the "
        "failure that began it; a gang whose hardware was taken has no failure of its own."
    )
    return Table(
        f"{name}: losses by hazard and phase, % of all GPU-hours",
        (*(WORDS[phase] for phase in phases), "together"),
        tuple(rows),
        corner="hazard",
        notes=(note,),
    )
