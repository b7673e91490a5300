"""What was simulated, beside what the formulas say."""

from collections.abc import Callable, Sequence

from dcsim.decide import Bridge, Comparison, Pair, RunResult
from dcsim.decide.estimate import relative
from dcsim.economics import GROUPS, LINES, Bill
from dcsim.ledger import CAUSES, STATES
from dcsim.montecarlo import Summary
from dcsim.report.answer import answer_table, comparison_sentences, run_sentences, tail_sentences
from dcsim.report.document import WORDS, Page
from dcsim.report.figures import MISSING, Cell, Figure, dollars, loss, loss_digits, number, per_cent, scale_of, usd
from dcsim.report.grid_page import swing_tables
from dcsim.report.jobs import energy_rows, job_rows, objective_rows, serves
from dcsim.report.lender_page import lender_tables
from dcsim.report.owner_page import owner_tables
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.report.published_tables import (
    METHOD,
    PUBLISHED,
    bill_rows,
    caution_sentences,
    described,
    formula_tables,
    money_cell,
    over_of,
    point_notes,
)
from dcsim.report.sold import sold_notes, sold_rows, sold_tables
from dcsim.report.tokens_page import run_tables as token_tables
from dcsim.report.uncertainty import (
    inputs,
    luck,
    price,
    range_tables,
    spread_rows,
    statistical_notes,
    with_error,
)
from dcsim.report.walks import walk_parts, walk_sentence
from dcsim.units import DURATION, write

LEAST_STEP_PP = 0.05
"""The short form of a bridge names the steps from here on [percentage points]; source: assumed."""
SMALL = 0.05
"""States that take less than this share of the loss in every run are one row together; source: assumed."""
SMALL_AT_ALL = 1e-3
"""A state that takes this share of all GPU-hours has a row of its own, however large the loss; source: assumed."""


ENGINES = {"compiled": "compiled rules", "plain": "rules as plain Python", "simpy": "SimPy"}
"""What played the rules, in words."""


def run_page(runs: Sequence[RunResult], notes: Sequence[str] = ()) -> Page:
    """Return what simulations of one or more scenarios say."""
    first, others = caution_sentences([run.scenario for run in runs], len(runs[0].sample), simulated=True)
    return Page(
        answer=(*(said for run in runs for said in run_sentences(run)), *inputs(runs)),
        cautions=first,
        headline=sum(len(run_sentences(run)) for run in runs),
        parts=(
            *owner_tables(runs),
            answer_table(runs),
            *_described(runs),
            simulated_table(runs),
            *sold_tables(runs),
            *token_tables(runs),
            *lender_tables(runs),
            *swing_tables(runs),
            *range_tables(runs),
        ),
        notes=(*others, *notes, *provenance(runs)),
    )


def comparison_page(comparison: Comparison, notes: Sequence[str] = ()) -> Page:
    """Return the answer to "which offer?": sentence, figures, the published tables, gaps and reasons."""
    runs, tail = comparison.runs, tail_sentences(comparison)
    priced = [pair for pair in comparison.pairs if pair.total_usd_difference]
    first, others = caution_sentences([run.scenario for run in runs], len(runs[0].sample), simulated=True)
    return Page(
        answer=(*tail, *comparison_sentences(runs), *map(walk_sentence, comparison.walks), *luck(runs)),
        cautions=first,
        headline=len(tail) + len(comparison_sentences(runs)),
        parts=(
            *owner_tables(runs),
            answer_table(runs),
            *_described(runs),
            *formula_tables([run.estimate for run in runs]),
            simulated_table(runs),
            *sold_tables(runs),
            *token_tables(runs),
            *lender_tables(runs),
            *swing_tables(runs),
            pair_table(comparison.pairs),
            *([gap_table(priced, runs)] if priced else []),
            *walk_parts(comparison.walks),
            *(reasons(bridge) for bridge in comparison.bridges),
            *range_tables(runs),
        ),
        notes=(*others, *comparison.notes, *notes, *provenance(runs)),
    )


def explain_page(bridge: Bridge, notes: Sequence[str] = ()) -> Page:
    """Return the steps from the published formula to the simulation."""
    first, last = bridge.steps[0], bridge.steps[-1]
    name = printable(bridge.scenario.name)
    answer = (
        f"{name}: the formula says {loss(first.loss)} % of all GPU-hours are lost, the simulation {loss(last.loss)} %."
    )
    over = "Jobs end here: the simulation's loss is of the horizon, after the last job's end included."
    seeds = f"{bridge.replications:,} runs of seed {bridge.scenario.seed}, the same random numbers at every step"
    return Page(
        answer=(answer, *((over,) if bridge.scenario.ends else ())),
        parts=(*described([bridge.scenario]), bridge_table(bridge), steps_passage(bridge)),
        notes=(*notes, *point_notes([bridge.scenario]), seeds),
    )


# --- what the figures rest on -------------------------------------------------------------------------------------


def _described(runs: Sequence[RunResult]) -> tuple[Passage, ...]:
    return described([run.scenario for run in runs])


def provenance(runs: Sequence[RunResult]) -> list[str]:
    """Say what was simulated, by what and how often, what to know of its statistics, and where it is kept."""
    seeds = sorted({run.scenario.seed for run in runs})
    errors = "± is the 95 % interval of a mean; nine runs in ten lie between P5 and P95"
    if len(runs[0].sample) == 1:
        errors = "one run gives no interval"
    horizons = and_list(list(dict.fromkeys(write(run.scenario.horizon, DURATION) for run in runs)))
    said = [
        f"runs (replications): {len(runs[0].sample):,} of {horizons} (1 mo = 720 h), "
        f"seed {and_list([str(seed) for seed in seeds])}; {errors}"
    ]
    said += _engines(runs)
    terms = [
        run.scenario.tco.term
        for run in runs
        if run.scenario.tco and run.scenario.tco.term != run.scenario.horizon and not run.scenario.ends
    ]
    if terms:
        said.append("horizon and [tco] term differ: money over the term is at the loss, and the spread, of one horizon")
    said += [
        f"{printable(run.scenario.name)}: no failure struck in any run, so its interval says nothing"
        for run in runs
        if not run.sample.failures.any()
    ]
    said += statistical_notes(runs)
    kept = dict.fromkeys(str(run.folder) for run in runs if run.folder)
    return said + [f"written: {folder}/" for folder in kept]


def _engines(runs: Sequence[RunResult]) -> list[str]:
    """Say what played the rules, and why it was not compiled code, which gives the same integers."""
    by_engine: dict[str, list[str]] = {}
    for run in runs:
        why = f" ({printable('; '.join(run.engine.why), 200)})" if run.engine.why else ""
        told = f"{ENGINES.get(run.engine.name, run.engine.name)}{why}"
        by_engine.setdefault(told, []).append(printable(run.scenario.name))
    if len(by_engine) == 1:
        return [f"engine: {told}" for told in by_engine]
    return [f"engine: {told} for {and_list(list(dict.fromkeys(names)))}" for told, names in by_engine.items()]


# --- tables -------------------------------------------------------------------------------------------------------


def simulated_table(runs: Sequence[RunResult]) -> Table:
    """Return where the simulated GPU-hours and the money went."""

    def row(label: str, cell: Callable[[RunResult], Cell], strong: bool = False) -> Row:
        return Row(label, tuple(cell(run) for run in runs), strong)

    def money(label: str, cell: Callable[[RunResult, Bill], Cell], strong: bool = False) -> Row:
        return row(label, lambda run: cell(run, run.tco) if run.tco else MISSING, strong)

    digits = max(loss_digits(run.lost.mean) for run in runs)

    def state(*names: str) -> Callable[[RunResult], Cell]:
        return lambda run: per_cent(sum(run.shares[name] for name in names), digits)

    def quantile(name: str, of: Callable[[RunResult], Summary | None]) -> Callable[[RunResult, Bill], Cell]:
        return lambda run, _: money_cell(getattr(of(run), name) if many else None)

    def cause(name: str) -> Callable[[RunResult], Cell]:
        return lambda run: per_cent(run.sample.overhead_by_cause[name] / run.sample.gpu_hours_total, digits)

    first, many = runs[0].tco, len(runs[0].sample) > 1
    causes = [name for name in CAUSES if any(run.sample.overhead_by_cause[name] for run in runs)]
    causes = [] if causes == ["strategy"] else causes
    seen, small = _states(runs)
    asked = row("loss of what jobs asked for, %", lambda r: loss(r.job_loss.mean if r.job_loss else None))
    filled = asked.texts == tuple(
        str(loss(run.lost.mean)) for run in runs
    )  # jobs fill the cluster: one figure, one row
    over = "lost until the last job is done, %" if any(run.done for run in runs) else "lost, %"
    alike = not any(run.done or run.unasked for run in runs)
    rows = [
        row("goodput loss, %" if alike else over, lambda r: with_error(r.lost), strong=True),
        *spread_rows(runs, row),
        *([row("no job asked for, %", lambda r: loss(r.unasked))] if any(run.unasked for run in runs) else []),
        *([row("goodput loss, % (both)", lambda r: with_error(r.loss))] if _both(runs) else []),
        *([] if filled else [asked]),
        *job_rows(runs, row),
        row("failures per month", lambda r: number(r.failures_per_month.mean, 2)),
        *sold_rows(runs, row),
        *objective_rows(runs, row),
        row("interruptions of jobs per month", lambda r: number(r.interruptions_per_month.mean, 2)),
        *(row(f"{WORDS.get(name, name)}, % of GPU-hours", state(name)) for name in seen),
        *([row("other states, % of GPU-hours", state(*small))] if small else []),
        *(row(f"  overhead by {name}, %", cause(name)) for name in causes),
    ]
    rows += energy_rows(runs, row)
    if first or any(run.tco for run in runs):
        over, compared = over_of(runs), len(runs) > 1

        def of_run(quantile_name: str) -> Row:
            return money(f"  {quantile_name.upper()} of one run, USD", quantile(quantile_name, lambda r: r.total_usd))

        rows += [
            *bill_rows(lambda label, cell, strong: money(label, lambda _, bill: cell(bill), strong), over),
            *map(of_run, ("p5", "p50", "p95")),
            *([money("relative to the first", lambda r, bill: number(relative(bill, first), 2))] if compared else []),
            *_paid_spread(runs, money, quantile),
            money("useful GPU-hours", lambda r, bill: usd(bill.useful_gpu_hours)),
            money("paid per useful GPU-h, USD", lambda r, bill: price(r.useful_hour_usd, most=4), strong=True),
        ]
    notes = [f"{WORDS['wait']}: healthy GPUs of a job that waits for others of its GPUs."] if "wait" in seen else []
    notes += sold_notes(runs)
    notes += [METHOD[0]] if any(run.tco for run in runs) else []
    notes += [f"other states: {and_list([WORDS.get(name, name) for name in small])}."] if small else []
    if filled and serves(runs):
        notes.append("lost: replicas fill the cluster, so it is the share of the time that one is out.")
    return Table("Simulated", tuple(printable(run.scenario.name) for run in runs), tuple(rows), notes=tuple(notes))


def _both(runs: Sequence[RunResult]) -> bool:
    """Whether the published figure, which counts GPUs that no job asked for as lost, is another one."""
    return any(run.unasked for run in runs) and not any(run.done for run in runs)


def _paid_spread(
    runs: Sequence[RunResult],
    money: Callable[[str, Callable[[RunResult, Bill], Cell]], Row],
    quantile: Callable[[str, Callable[[RunResult], Summary | None]], Callable[[RunResult, Bill], Cell]],
) -> list[Row]:
    """Return what single runs pay, where that differs from run to run."""
    if not any(run.paid_usd and run.paid_usd.p95 > run.paid_usd.p5 for run in runs):
        return []
    return [money(f"  {q.upper()} of what one run pays, USD", quantile(q, lambda r: r.paid_usd)) for q in ("p5", "p95")]


def _states(runs: Sequence[RunResult]) -> tuple[list[str], list[str]]:
    """Return the states that take a row each, and those too small for one, which take one together."""
    seen = [name for name in STATES if any(run.shares[name] for run in runs)]
    small = [name for name in seen if all(run.shares[name] < min(SMALL * run.lost.mean, SMALL_AT_ALL) for run in runs)]
    small = small if len(small) > 1 else []
    return [name for name in seen if name not in small], small


def pair_table(pairs: Sequence[Pair]) -> Table:
    """Return the differences run by run: the second less the first, from the same random numbers."""
    found = [pair.paid_usd_difference for pair in pairs]
    scale, unit = scale_of([each.mean for each in found if each])
    rows = []
    for pair in pairs:
        paid = pair.paid_usd_difference
        cell = dollars(paid.mean if paid else None, scale)
        if paid and paid.shown_half_width:
            cell = cell.with_half(dollars(paid.shown_half_width, scale, paid.mean))
        rows.append(
            Row(
                f"{printable(pair.b.scenario.name, 16)} less {printable(pair.a.scenario.name, 16)}",
                (
                    price(pair.useful_hour_difference, most=4),
                    per_cent(pair.probability_cheaper_hour, 1),
                    cell,
                    with_error(pair.lost_difference),
                ),
            )
        )
    columns = ("USD per useful GPU-h", "dearer per useful GPU-h, % of runs", f"paid, {unit}", "lost, points")
    note = "Points: percentage points of all GPU-hours."
    return Table("Differences, run by run", columns, tuple(rows), notes=(note,))


def gap_table(pairs: Sequence[Pair], runs: Sequence[RunResult]) -> Table:
    """Return what the gaps of each scenario to the first are made of: in what is paid, and with lost work."""
    against = [pair for pair in pairs if pair.a is pairs[0].a]
    parts = [pair.attribution or {} for pair in against]
    paid = {line.group for line in LINES if line.paid}

    def rows_of(groups: Sequence[str]) -> list[Row]:
        shown = [group for group in groups if any(part.get(group) for part in parts)]
        return [Row(f"{GROUPS[group]}, USD", tuple(money_cell(part[group]) for part in parts)) for group in shown]

    def gap(label: str, groups: Sequence[str], strong: bool) -> Row:
        return Row(label, tuple(money_cell(sum(part[group] for group in groups)) for part in parts), strong)

    invoiced, others = [group for group in GROUPS if group in paid], [group for group in GROUPS if group not in paid]
    rows = [
        *rows_of(invoiced),
        gap("gap in what is paid, USD", invoiced, True),
        *rows_of(others),
        gap(f"{PUBLISHED}, USD", list(GROUPS), False),
    ]
    return Table(
        f"Where the gap to {printable(against[0].a.scenario.name)} comes from ({over_of(runs)})",
        tuple(printable(pair.b.scenario.name) for pair in against),
        tuple(rows),
    )


def bridge_table(bridge: Bridge) -> Table:
    """Return the steps from the formula's loss to the simulation's."""
    digits = loss_digits(bridge.steps[-1].loss)
    rows = [
        Row(step.name, (per_cent(step.loss, digits), _signed(step.delta_pp, digits), _signed(step.delta_usd, 0)))
        for step in bridge.steps
    ]
    rows.append(Row("simulated", (per_cent(bridge.steps[-1].loss, digits), "", ""), strong=True))
    return Table(
        f"Why formula and simulation differ: {printable(bridge.scenario.name)}",
        ("loss %", "step, pp", "step, USD"),
        tuple(rows),
    )


def _signed(value: float | None, digits: int) -> Figure:
    return Figure(value, digits, signed=True)


def reasons(bridge: Bridge) -> Passage:
    """Return the short form of the bridge: the steps that matter, in plain words."""
    first, last = bridge.steps[0].loss, bridge.steps[-1].loss
    free = any(step.name == "idle GPUs" for step in bridge.steps)
    idle = ", GPUs that no job asked for counted as lost" if free else ""
    title = (
        f"Why formula and simulation differ: {printable(bridge.scenario.name)}, {loss(first)} % by formula, "
        f"{loss(last)} % simulated{idle}"
    )
    if abs(last - first) < LEAST_STEP_PP / 100:
        return Passage(title, ((f"within {LEAST_STEP_PP} points", "formula and simulation agree"),))
    steps = [step for step in bridge.steps if abs(step.delta_pp) >= LEAST_STEP_PP]
    wide = max((len(f"{step.delta_pp:+.2f}") for step in steps), default=0)
    items = tuple((f"{step.delta_pp:+{wide}.2f} pp", step.text) for step in steps)
    return Passage(title, items or (("", f"no step is worth {LEAST_STEP_PP} pp by itself"),))


def steps_passage(bridge: Bridge) -> Passage:
    """Return what each step means."""
    return Passage("What each step puts in", tuple((step.name, step.text) for step in bridge.steps))
