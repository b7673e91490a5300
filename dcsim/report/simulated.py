"""What was simulated, beside what the formulas say."""

from collections.abc import Callable, Sequence
from functools import partial

from dcsim.decide import Bill, Bridge, Comparison, Pair, RunResult
from dcsim.decide.estimate import relative
from dcsim.decide.result import price_all_in
from dcsim.decide.validity import formula_validity
from dcsim.ledger import CAUSES, STATES
from dcsim.report.formula import caution_sentences, described, formula_loss, formula_tables, point_notes, term_of
from dcsim.report.jobs import energy_rows, job_rows, out_of_service, replicas_sentence, serves
from dcsim.report.page import (
    MISSING,
    Page,
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
from dcsim.report.spread import (
    SAME,
    inputs,
    luck,
    price,
    range_tables,
    spread_rows,
    statistical_notes,
    with_error,
)
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
EQUAL_LOSSES = 5e-5
"""Losses that differ by less are printed alike, so what differs between two offers is their prices alone."""
SMALL = 0.05
"""States that take less than this share of the loss in every run are one row together; source: assumed."""
SMALL_AT_ALL = 1e-3
"""A state that takes this share of all GPU-hours has a row of its own, however large the loss; source: assumed."""


def run_page(runs: Sequence[RunResult], notes: Sequence[str] = ()) -> Page:
    """Return what simulations of one or more scenarios say."""
    first, others = caution_sentences([run.scenario for run in runs], len(runs[0].sample))
    return Page(
        answer=(*(_loss_sentence(run) for run in runs), *inputs(runs)),
        cautions=first,
        headline=len(runs),
        parts=(answer_table(runs), *_described(runs), simulated_table(runs), *range_tables(runs)),
        notes=(*others, *notes, *provenance(runs)),
    )


def comparison_page(comparison: Comparison, notes: Sequence[str] = ()) -> Page:
    """Return the answer to "which offer?": sentence, figures, the published tables, gaps and reasons."""
    runs = comparison.runs
    priced = [pair for pair in comparison.pairs if pair.total_usd_difference]
    first, others = caution_sentences([run.scenario for run in runs], len(runs[0].sample))
    return Page(
        answer=(verdict(runs), *luck(runs)),
        cautions=first,
        parts=(
            answer_table(runs),
            *_described(runs),
            *formula_tables([run.estimate for run in runs]),
            simulated_table(runs),
            pair_table(comparison.pairs),
            *([gap_table(priced, runs)] if priced else []),
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
    seeds = (
        f"{bridge.replications:,} replications of seed {bridge.scenario.seed}, the same random numbers at every step"
    )
    return Page(
        answer=(answer,),
        parts=(*described([bridge.scenario]), bridge_table(bridge), steps_passage(bridge)),
        notes=(*notes, *point_notes([bridge.scenario]), seeds),
    )


# --- sentences ----------------------------------------------------------------------------------------------------


def _described(runs: Sequence[RunResult]) -> tuple[Passage, ...]:
    return described([run.scenario for run in runs])


def _loss_sentence(run: RunResult) -> str:
    name, formula = printable(run.scenario.name), loss(run.estimate.accounting.goodput_loss)
    simulated = f"{with_error(run.loss)} % of its GPU-hours in the simulation"
    lost = f"{simulated}, {formula} % by the published formula{_doubt(run)}."
    if serves([run]):
        return f"{name}: a replica is out of service {out_of_service(run)}. The cluster loses {lost}"
    return f"{name} loses {lost}"


def _doubt(run: RunResult) -> str:
    """Say in the sentence with the loss by formula that the formula cannot hold."""
    return "" if formula_validity(run.scenario).holds else ", which does not hold"


def verdict(runs: Sequence[RunResult]) -> str:
    """Say which offer is cheapest per useful GPU-hour, by how much, and how sure that is.

    Prices within 1 % are the same, whatever the luck. Offers that lose alike differ by price lists, which no run can
    make surer; only where losses differ does a share of the runs say anything.
    """
    priced = sorted((price, index) for index, run in enumerate(runs) if (price := price_all_in(run.tco)) is not None)
    if len(priced) < len(runs):
        return _least_loss(runs)
    (least, best), *others = priced
    name, hour = printable(runs[best].scenario.name), "USD per useful GPU-hour all in"
    less, tied, same = [], [], [(name, number(least, 2))]
    for price, other in others:
        pair, theirs = Pair(runs[best], runs[other]), printable(runs[other].scenario.name)
        gap = pair.useful_hour_difference
        half = None if gap is None else gap.half_width
        if price - least + (half or 0.0) <= SAME * price:
            same.append((theirs, number(price, 2)))
        elif half is not None and price - least <= half:
            tied.append(f"{theirs} ({with_error(gap, 1)} USD more)")
        else:
            gap_usd = f"{number(price - least, 2)} USD ({per_cent((price - least) / price, 1)} %)"
            less.append(f"{gap_usd} less than {theirs} {_surely(pair)}")
    if len(same) > 1:
        names, prices = zip(*same, strict=True)
        said = f"{and_list(names)} cost the same within {per_cent(SAME, 0)} %: {and_list(prices)} {hour}."
        said += f" {name} costs {and_list(less)}." if less else ""
    elif less:
        said = f"{name} is cheapest: {number(least, 2)} {hour}, {and_list(less)}."
    else:
        told = f"cannot be told apart from {and_list(tied)} at {len(runs[best].sample):,} replications."
        said, tied = f"{name} at {number(least, 2)} {hour} {told}", []
    said += f" Not told apart from it: {and_list(tied)}." if tied else ""
    return f"{said} {replicas_sentence([runs[index] for _, index in priced])}" if serves(runs) else said


def _surely(pair: Pair) -> str:
    """Say how sure it is that the first of two offers costs less for a useful hour."""
    apart = pair.loss_difference
    if abs(apart.mean) + (apart.half_width or 0.0) < EQUAL_LOSSES:
        return "by its price alone"
    runs = len(pair.a.sample)
    if runs == 1:
        return "in the one run simulated"
    return f"in {int((pair.probability_cheaper_hour or 0) * runs + 1e-9):,} of {runs:,} runs"  # a tie is no win


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
        cells = [formula_loss(run.estimate), with_error(run.loss)]
        if money:
            cells += [
                usd(run.estimate.tco.total_usd if run.estimate.tco else None),
                usd(run.tco.total_usd if run.tco else None),
                price(run.useful_hour_usd),
            ]
        rows.append(Row(printable(run.scenario.name, 16), tuple(cells), strong=True))
    return Table("Formula and simulation", tuple(columns), tuple(rows))


def simulated_table(runs: Sequence[RunResult]) -> Table:
    """Return where the simulated GPU-hours and the money went."""

    def row(label: str, cell: Callable[[RunResult], str], strong: bool = False) -> Row:
        return Row(label, tuple(cell(run) for run in runs), strong)

    def money(label: str, cell: Callable[[RunResult, Bill], str], strong: bool = False) -> Row:
        return row(label, lambda run: cell(run, run.tco) if run.tco else MISSING, strong)

    digits = max(loss_digits(run.loss.mean) for run in runs)

    def state(*names: str) -> Callable[[RunResult], str]:
        return lambda run: per_cent(sum(map(partial(_share, run), names)), digits)

    def quantile(name: str) -> Callable[[RunResult, Bill], str]:
        return lambda run, _: usd(getattr(run.total_usd, name) if many else None)

    def cause(name: str) -> Callable[[RunResult], str]:
        return lambda run: per_cent(run.sample.overhead_by_cause[name] / run.sample.gpu_hours_total, digits)

    first, many = runs[0].tco, len(runs[0].sample) > 1
    causes = [name for name in CAUSES if any(run.sample.overhead_by_cause[name] for run in runs)]
    causes = [] if causes == ["strategy"] else causes
    seen, small = _states(runs)
    asked = row("loss of what jobs asked for, %", lambda r: loss(r.job_loss.mean if r.job_loss else None))
    filled = asked.cells == tuple(loss(run.loss.mean) for run in runs)  # jobs fill the cluster: one figure, one row
    rows = [
        row("goodput loss, %", lambda r: with_error(r.loss), strong=True),
        *spread_rows(runs, row),
        *([] if filled else [asked]),
        *job_rows(runs, row),
        row("failures per month", lambda r: number(r.failures_per_month.mean, 2)),
        row("strikes on jobs per month", lambda r: number(r.interruptions_per_month.mean, 2)),
        *(row(f"{name}, % of GPU-hours", state(name)) for name in seen),
        *([row("other states, % of GPU-hours", state(*small))] if small else []),
        *(row(f"  overhead by {name}, %", cause(name)) for name in causes),
    ]
    rows += energy_rows(runs, row)
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
            money("all in, USD per useful GPU-h", lambda r, bill: price(r.useful_hour_usd, most=4), strong=True),
        ]
    notes = ["wait: healthy GPUs of a job that waits for others of its GPUs."] if "wait" in seen else []
    notes += [f"other states: {and_list(small)}."] if small else []
    if filled and serves(runs):
        notes.append("goodput loss: replicas fill the cluster, so it is the share of the time that one is out.")
    return Table("Simulated", tuple(printable(run.scenario.name) for run in runs), tuple(rows), notes=tuple(notes))


def _share(run: RunResult, state: str) -> float:
    return run.ledger[state] / run.sample.gpu_hours_total


def _states(runs: Sequence[RunResult]) -> tuple[list[str], list[str]]:
    """Return the states that take a row each, and those too small for one, which take one together."""
    seen = [name for name in STATES if any(run.ledger[name] for run in runs)]
    small = [name for name in seen if all(_share(run, name) < min(SMALL * run.loss.mean, SMALL_AT_ALL) for run in runs)]
    small = small if len(small) > 1 else []
    return [name for name in seen if name not in small], small


def pair_table(pairs: Sequence[Pair]) -> Table:
    """Return the paired differences: the second less the first, replication by replication."""
    rows = []
    for pair in pairs:
        loss, cost = pair.loss_difference, pair.total_usd_difference
        rows.append(
            Row(
                f"{printable(pair.b.scenario.name, 16)} less {printable(pair.a.scenario.name, 16)}",
                (with_error(loss), price(cost, 1e-6, most=3), per_cent(pair.probability_cheaper, 1)),
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
    digits = loss_digits(bridge.steps[-1].loss)
    rows = [
        Row(step.name, (per_cent(step.loss, digits), f"{step.delta_pp:+z.{digits}f}", _signed(step.delta_usd)))
        for step in bridge.steps
    ]
    rows.append(Row("simulated", (per_cent(bridge.steps[-1].loss, digits), "", ""), strong=True))
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
    title = f"Why they differ: {printable(bridge.scenario.name)}, {loss(first)} % by formula, {loss(last)} % simulated"
    if abs(last - first) < LEAST_STEP_PP / 100:
        return Passage(title, ((f"within {LEAST_STEP_PP} pp", "formula and simulation agree"),))
    steps = [step for step in bridge.steps if abs(step.delta_pp) >= LEAST_STEP_PP]
    wide = max((len(f"{step.delta_pp:+.2f}") for step in steps), default=0)
    items = tuple((f"{step.delta_pp:+{wide}.2f} pp", step.text) for step in steps)
    return Passage(title, items or (("", f"no step is worth {LEAST_STEP_PP} pp by itself"),))


def steps_passage(bridge: Bridge) -> Passage:
    """Return what each step means."""
    return Passage("What each step puts in", tuple((step.name, step.text) for step in bridge.steps))
