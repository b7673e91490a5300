"""What was simulated, beside what the formulas say."""

from collections.abc import Callable, Sequence
from functools import partial

from dcsim.decide import Bill, Bridge, Comparison, Pair, RunResult
from dcsim.decide.estimate import relative
from dcsim.decide.result import price_all_in
from dcsim.ledger import CAUSES, STATES
from dcsim.report.formula import formula_tables, point_notes, term_of
from dcsim.report.page import MISSING, Page, Passage, Row, Table, and_list, number, per_cent, printable, usd
from dcsim.report.spread import inputs, luck, range_tables, spread_rows, statistical_notes, with_error
from dcsim.units import DURATION, write

GROUPS = {
    "gpu": "GPU rent",
    "storage": "storage",
    "network_cpu": "network and CPU nodes",
    "support": "support",
    "goodput": "goodput loss",
    "setup": "set-up",
    "debugging": "debugging",
}
LEAST_STEP_PP = 0.05
"""The short form of a bridge names the steps from here on [percentage points]; source: assumed."""


def run_page(runs: Sequence[RunResult], notes: Sequence[str] = ()) -> Page:
    """Return what simulations of one or more scenarios say."""
    return Page(
        answer=(*(_loss_sentence(run) for run in runs), *inputs(runs)),
        parts=(answer_table(runs), simulated_table(runs), *range_tables(runs)),
        notes=(*notes, *provenance(runs)),
    )


def comparison_page(comparison: Comparison, notes: Sequence[str] = ()) -> Page:
    """Return the answer to "which offer?": sentence, figures, the published tables, gaps and reasons."""
    runs = comparison.runs
    priced = [pair for pair in comparison.pairs if pair.total_usd_difference]
    return Page(
        answer=(verdict(runs), *luck(runs)),
        parts=(
            answer_table(runs),
            *formula_tables([run.estimate for run in runs]),
            simulated_table(runs),
            pair_table(comparison.pairs),
            *([gap_table(priced, runs)] if priced else []),
            *(reasons(bridge) for bridge in comparison.bridges),
            *range_tables(runs),
        ),
        notes=(*comparison.notes, *notes, *provenance(runs)),
    )


def explain_page(bridge: Bridge, notes: Sequence[str] = ()) -> Page:
    """Return the steps from the published formula to the simulation."""
    first, last = bridge.steps[0], bridge.steps[-1]
    name = printable(bridge.scenario.name)
    answer = (
        f"{name}: the formula says {per_cent(first.loss)} % of all GPU-hours are lost, "
        f"the simulation {per_cent(last.loss)} %."
    )
    seeds = f"{bridge.replications:,} replications of seed {bridge.scenario.seed}, the same failures at every step"
    return Page(
        answer=(answer,),
        parts=(bridge_table(bridge), steps_passage(bridge)),
        notes=(*notes, *point_notes([bridge.scenario]), seeds),
    )


# --- sentences ----------------------------------------------------------------------------------------------------


def _loss_sentence(run: RunResult) -> str:
    loss = with_error(run.loss)
    formula = per_cent(run.estimate.accounting.goodput_loss)
    name = printable(run.scenario.name)
    return f"{name} loses {loss} % of its GPU-hours in the simulation, {formula} % by the published formula."


def verdict(runs: Sequence[RunResult]) -> str:
    """Say which offer is cheapest per useful GPU-hour, by how much, and how sure that is."""
    priced = sorted((price, index) for index, run in enumerate(runs) if (price := price_all_in(run.tco)) is not None)
    if len(priced) < len(runs):
        return _least_loss(runs)
    (least, best), *others = priced
    name = printable(runs[best].scenario.name)
    less, same = [], []
    for price, other in others:
        pair, theirs = Pair(runs[best], runs[other]), printable(runs[other].scenario.name)
        gap = pair.useful_hour_difference
        if gap is None or gap.half_width is None or gap.mean > gap.half_width:
            sure = number((pair.probability_cheaper_hour or 0) * len(runs[best].sample), 0)
            less.append(
                f"{number(price - least, 2)} USD ({per_cent((price - least) / price, 1)} %) less than {theirs} "
                f"in {sure} of {len(runs[best].sample):,} runs"
            )
        else:
            same.append(f"{theirs} ({with_error(gap, 1)} USD more)")
    if not less:
        what = f"{name} at {number(least, 2)} USD per useful GPU-hour all in cannot be told apart from "
        return f"{what}{and_list(same)} at {len(runs[best].sample):,} replications."
    tied = f" Not told apart from it: {and_list(same)}." if same else ""
    return f"{name} is cheapest: {number(least, 2)} USD per useful GPU-hour all in, {and_list(less)}.{tied}"


def _least_loss(runs: Sequence[RunResult]) -> str:
    best = min(runs, key=lambda run: run.loss.mean)
    why = "no GPU-hour of some scenario is useful"
    if any(run.tco is None for run in runs):
        why = "not every scenario has a [tco] table"
    return f"Least lost: {_loss_sentence(best)} (No prices per useful GPU-hour: {why}.)"


def provenance(runs: Sequence[RunResult]) -> list[str]:
    """Say what was simulated, by what and how often, what to know of its statistics, and where it is kept."""
    seeds = sorted({run.scenario.seed for run in runs})
    errors = "± is the 95 % interval of a mean, P5 to P95 the spread of single runs"
    if len(runs[0].sample) == 1:
        errors = "one gives no interval"
    horizons = and_list(list(dict.fromkeys(write(run.scenario.horizon, DURATION) for run in runs)))
    said = [
        f"replications: {len(runs[0].sample):,} of {horizons} (1 mo = 720 h), "
        f"seed {and_list([str(seed) for seed in seeds])}; {errors}"
    ]
    said += _engines(runs)
    terms = [
        run.scenario.tco.term for run in runs if run.scenario.tco and run.scenario.tco.term != run.scenario.horizon
    ]
    if terms:
        said.append("horizon and [tco] term differ: money over the term is at the loss, and the spread, of one horizon")
    said += [
        f"{printable(run.scenario.name)}: no failure struck in any replication, so its interval says nothing"
        for run in runs
        if not run.sample.failures.any()
    ]
    said += statistical_notes(runs)
    kept = dict.fromkeys(str(run.folder) for run in runs if run.folder)
    return said + [f"written: {folder}/" for folder in kept]


def _engines(runs: Sequence[RunResult]) -> list[str]:
    """Say what simulated the runs and, of SimPy, why it was not batch, which gives the same integers."""
    by_engine: dict[str, list[str]] = {}
    for run in runs:
        first, *others = run.engine.why or ("",)
        more = f" and {len(others)} more" if others else ""
        told = f"SimPy ({printable(first, 200)}{more})" if run.engine.why else run.engine.name
        by_engine.setdefault(told, []).append(printable(run.scenario.name))
    if len(by_engine) == 1:
        return [f"engine: {told}" for told in by_engine]
    return [f"engine: {told} for {and_list(list(dict.fromkeys(names)))}" for told, names in by_engine.items()]


# --- tables -------------------------------------------------------------------------------------------------------


def answer_table(runs: Sequence[RunResult]) -> Table:
    """Return formula and simulation beside one another, a row for each scenario."""
    money = any(run.tco for run in runs)
    term = term_of([run.estimate for run in runs])
    columns = ["loss %, formula", "loss %, simulated"]
    if money:
        columns += [f"{term} USD, formula", f"{term} USD, simulated", "USD per useful GPU-h"]
    rows = []
    for run in runs:
        cells = [per_cent(run.estimate.accounting.goodput_loss), with_error(run.loss)]
        if money:
            cells += [
                usd(run.estimate.tco.total_usd if run.estimate.tco else None),
                usd(run.tco.total_usd if run.tco else None),
                with_error(run.useful_hour_usd, 1),
            ]
        rows.append(Row(printable(run.scenario.name, 16), tuple(cells), strong=True))
    return Table("Formula and simulation", tuple(columns), tuple(rows))


def simulated_table(runs: Sequence[RunResult]) -> Table:
    """Return where the simulated GPU-hours and the money went."""

    def row(label: str, cell: Callable[[RunResult], str], strong: bool = False) -> Row:
        return Row(label, tuple(cell(run) for run in runs), strong)

    def money(label: str, cell: Callable[[RunResult, Bill], str], strong: bool = False) -> Row:
        return row(label, lambda run: cell(run, run.tco) if run.tco else MISSING, strong)

    def state(name: str) -> Callable[[RunResult], str]:
        return lambda run: per_cent(run.ledger[name] / run.sample.gpu_hours_total)

    def quantile(name: str) -> Callable[[RunResult, Bill], str]:
        return lambda run, _: usd(getattr(run.total_usd, name) if many else None)

    def cause(name: str) -> Callable[[RunResult], str]:
        return lambda run: per_cent(run.sample.overhead_by_cause[name] / run.sample.gpu_hours_total)

    first, many = runs[0].tco, len(runs[0].sample) > 1
    causes = [name for name in CAUSES if any(run.sample.overhead_by_cause[name] for run in runs)]
    causes = [] if causes == ["strategy"] else causes
    seen = [name for name in STATES if any(run.ledger[name] for run in runs)]
    rows = [
        row("goodput loss, %", lambda r: with_error(r.loss), strong=True),
        *spread_rows(runs, row),
        row("loss of what jobs asked for, %", lambda r: per_cent(r.job_loss.mean if r.job_loss else None)),
        *_job_rows(runs, row),
        row("failures per month", lambda r: number(r.failures_per_month.mean, 2)),
        row("strikes on jobs per month", lambda r: number(r.interruptions_per_month.mean, 2)),
        *(row(f"{name}, % of GPU-hours", state(name)) for name in seen),
        *(row(f"  overhead by {name}, %", cause(name)) for name in causes),
    ]
    rows += _energy_rows(runs, row)
    if first or any(run.tco for run in runs):
        term = term_of([run.estimate for run in runs])
        rows += [
            money("goodput loss, USD/mo", lambda r, bill: usd(bill.lines["goodput"])),
            money(f"{term}, mean, USD", lambda r, bill: usd(bill.total_usd), strong=True),
            *(money(f"  {name.upper()} of one run, USD", quantile(name)) for name in ("p5", "p50", "p95")),
            *(
                [money("relative to the first", lambda r, bill: number(relative(bill, first), 2))]
                if len(runs) > 1
                else []
            ),
            money("all in, USD per useful GPU-h", lambda r, bill: with_error(r.useful_hour_usd, 1), strong=True),
        ]
    return Table("Simulated", tuple(printable(run.scenario.name) for run in runs), tuple(rows))


def _energy_rows(runs: Sequence[RunResult], row: Callable[[str, Callable[[RunResult], str]], Row]) -> list[Row]:
    """Return what is drawn and what it costs, where any scenario pays for energy beside the rent."""
    if not any(run.energy and run.energy.usd is not None for run in runs):
        return []
    return [
        row("energy over the horizon, MWh", lambda r: number(r.energy.total_kwh / 1e3 if r.energy else None, 0)),
        row("  beside the rent, USD", lambda r: usd(r.energy.usd if r.energy else None)),
    ]


def _job_rows(runs: Sequence[RunResult], row: Callable[[str, Callable[[RunResult], str]], Row]) -> list[Row]:
    """Return the loss of each job where there are several, and when those that have work were done."""
    jobs = list(dict.fromkeys(job.name for run in runs for job in run.scenario.jobs))
    many = {job.name for run in runs for job in run.scenario.jobs if job.count > 1}
    rows = []
    for job in jobs if len(jobs) > 1 or many else []:
        per = ", per replica" if job in many else ""
        rows.append(row(f"  {printable(job, 16)}{per}, %", partial(_job_loss, job)))
    for job in dict.fromkeys(name for run in runs for name in run.finishes_h):
        rows.append(row(f"{printable(job, 16)} done after, h", partial(_finish, job)))
        rows.append(row("  one run, P5 to P95, h", partial(_finish_spread, job)))
        if any(run.finishes_h[job].share < 1 for run in runs if job in run.finishes_h):
            rows.append(row("  done within the horizon, % of runs", partial(_finish_share, job)))
    return rows


def _job_loss(job: str, run: RunResult) -> str:
    return per_cent(run.job_losses.get(job))


def _finish(job: str, run: RunResult) -> str:
    found = run.finishes_h.get(job)
    return MISSING if found is None or found.hours is None else with_error(found.hours, 1)


def _finish_spread(job: str, run: RunResult) -> str:
    found = run.finishes_h.get(job)
    if found is None or found.hours is None or found.hours.se is None:
        return MISSING
    return f"{number(found.hours.p5, 0)} to {number(found.hours.p95, 0)}"


def _finish_share(job: str, run: RunResult) -> str:
    found = run.finishes_h.get(job)
    return MISSING if found is None else per_cent(found.share, 1)


def pair_table(pairs: Sequence[Pair]) -> Table:
    """Return the paired differences: the second less the first, on the same failures."""
    rows = []
    for pair in pairs:
        loss, cost = pair.loss_difference, pair.total_usd_difference
        rows.append(
            Row(
                f"{printable(pair.b.scenario.name, 16)} less {printable(pair.a.scenario.name, 16)}",
                (with_error(loss), with_error(cost, 1e-6), per_cent(pair.probability_cheaper, 1)),
            )
        )
    columns = ("loss, pp", "term, million USD", "costs more, % of runs")
    return Table("Differences, replication by replication", columns, tuple(rows))


def gap_table(pairs: Sequence[Pair], runs: Sequence[RunResult]) -> Table:
    """Return what the gap of each scenario to the first is made of."""
    against = [pair for pair in pairs if pair.a is pairs[0].a]
    parts = [pair.attribution or {} for pair in against]
    groups = [group for group in GROUPS if any(part.get(group) for part in parts)]
    rows = [Row(f"{GROUPS[group]}, USD", tuple(usd(part[group]) for part in parts)) for group in groups]
    rows.append(Row("gap, USD", tuple(usd(sum(part.values())) for part in parts), strong=True))
    first, term = printable(against[0].a.scenario.name), term_of([run.estimate for run in runs])
    return Table(
        f"Where the gap to {first} comes from ({term})",
        tuple(printable(pair.b.scenario.name) for pair in against),
        tuple(rows),
    )


def bridge_table(bridge: Bridge) -> Table:
    """Return the steps from the formula's loss to the simulation's."""
    rows = [
        Row(step.name, (per_cent(step.loss), f"{step.delta_pp:+z.2f}", _signed(step.delta_usd)))
        for step in bridge.steps
    ]
    rows.append(Row("simulated", (per_cent(bridge.steps[-1].loss), "", ""), strong=True))
    return Table(
        f"Why formula and simulation differ: {printable(bridge.scenario.name)}",
        ("loss %", "step, pp", "step, USD"),
        tuple(rows),
    )


def _signed(value: float | None) -> str:
    return MISSING if value is None else f"{value:+z,.0f}"


def reasons(bridge: Bridge) -> Passage:
    """Return the short form of the bridge: the steps that matter, in plain words."""
    first, last = bridge.steps[0].loss, bridge.steps[-1].loss
    title = (
        f"Why they differ: {printable(bridge.scenario.name)}, {per_cent(first)} % by formula, "
        f"{per_cent(last)} % simulated"
    )
    steps = [step for step in bridge.steps if abs(step.delta_pp) >= LEAST_STEP_PP]
    wide = max((len(f"{step.delta_pp:+.2f}") for step in steps), default=0)
    items = tuple((f"{step.delta_pp:+{wide}.2f} pp", step.text) for step in steps)
    return Passage(title, items or (("", f"no step is worth {LEAST_STEP_PP} pp"),))


def steps_passage(bridge: Bridge) -> Passage:
    """Return what each step means."""
    return Passage("What each step puts in", tuple((step.name, step.text) for step in bridge.steps))
