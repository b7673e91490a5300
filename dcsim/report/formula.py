"""The published tables: what the closed forms say, scenarios side by side."""

from collections.abc import Callable, Sequence

from dcsim.decide import REPLICATIONS
from dcsim.decide.cautions import cautions, first_screen
from dcsim.decide.estimate import Bill, Estimate, job_size, relative
from dcsim.decide.theory import Theory
from dcsim.decide.validity import formula_validity
from dcsim.report.page import MISSING, Page, Passage, Row, Table, and_list, loss, number, per_cent, printable, usd
from dcsim.scenario import Scenario

LINES = {
    "gpu": "GPU rent",
    "hot_storage": "hot storage",
    "cold_storage": "cold storage",
    "network": "network",
    "cpu": "CPU nodes",
    "support": "support",
    "goodput": "goodput loss",
    "setup": "set-up over the term",
    "debugging": "debugging",
}
_COLD = '{names}: spare = "cold", so the job waits for the repair of what failed: in the simulation, not in this loss.'
PRICES = {"deck": "rent x (1 + loss)", "physical": "rent / (1 - loss)", "all_in": "all in"}


def estimate_page(estimates: Sequence[Estimate], notes: Sequence[str] = ()) -> Page:
    """Return the resiliency and the TCO table of several scenarios."""
    scenarios = [each.scenario for each in estimates]
    parts: tuple[Table | Passage, ...] = (*described(scenarios), *formula_tables(estimates))
    first, others = caution_sentences(scenarios)
    return Page(cautions=first, parts=parts, notes=(*others, *notes, *point_notes(scenarios)))


def caution_sentences(scenarios: Sequence[Scenario], runs: int = REPLICATIONS) -> tuple[tuple[str, ...], list[str]]:
    """Return the cautions of a first screen, and the others."""
    found = cautions(scenarios, runs)
    first = first_screen(found)
    return tuple(each.sentence for each in first), [each.sentence for each in found if each not in first]


def formula_loss(estimate: Estimate) -> str:
    """Write the loss by formula in per cent, and beside it where the formula cannot hold."""
    return loss(estimate.accounting.goodput_loss) + formula_validity(estimate.scenario).remark


def described(scenarios: Sequence[Scenario]) -> tuple[Passage, ...]:
    """Return what the scenarios say they are, for tiers of many cases are called alike; nothing where none says it."""
    items = [(printable(each.name), printable(each.description, 200)) for each in scenarios if each.description.strip()]
    return (Passage("Scenarios", tuple(items)),) if items else ()


def formula_tables(estimates: Sequence[Estimate]) -> tuple[Table, ...]:
    """Return the deck's tables, the one on money only where there is any, and exact theory between them."""
    money = [tco_table(estimates)] if any(each.tco for each in estimates) else []
    return (resiliency_table(estimates), theory_table(estimates), *money)


def point_notes(scenarios: Sequence[Scenario]) -> list[str]:
    """Say which keys have a distribution, of which formulas and the bridge read the point value alone."""
    return [
        f"{printable(each.name)}: formulas take the point values of what is uncertain: {keys_of(each)}"
        for each in scenarios
        if each.uncertain
    ]


def keys_of(scenario: Scenario) -> str:
    """Name the uncertain keys of a scenario."""
    return and_list([printable(each.key, 60) for each in scenario.uncertain])


def names_of(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    """Return the column headings."""
    return tuple(printable(each.scenario.name) for each in estimates)


def _row(estimates: Sequence[Estimate], label: str, cell: Callable[[Estimate], str], strong: bool = False) -> Row:
    return Row(label, tuple(cell(each) for each in estimates), strong)


def resiliency_table(estimates: Sequence[Estimate]) -> Table:
    """Return the deck's resiliency table."""
    rows: tuple[tuple[str, Callable[[Estimate], str]], ...] = (
        ("GPUs", lambda e: usd(e.scenario.cluster.gpus)),
        ("spares, GPUs", lambda e: usd(e.scenario.cluster.spares)),
        ("cluster MTBF, h", lambda e: number(e.accounting.cluster_mtbf_h, 4)),
        ("interruptions per month", lambda e: number(e.accounting.interruptions_per_month, 2)),
        ("recovery mode", lambda e: e.mode),
        ("identify term", lambda e: "detect" if e.mode == "tolerant" else e.scenario.accounting.identify),
        ("GPUs charged per failure", lambda e: usd(job_size(e.scenario)) + formula_validity(e.scenario).size_remark),
        ("downtime loss, %", lambda e: loss(e.accounting.downtime_loss)),
        ("idle spares, %", lambda e: loss(e.accounting.idle_spare_loss)),
        ("performance overhead, %", lambda e: per_cent(e.accounting.performance_overhead)),
    )
    return Table(
        title="Resiliency by formula (ClusterMAX accounting)",
        columns=names_of(estimates),
        rows=(
            *(_row(estimates, label, cell) for label, cell in rows),
            _row(estimates, "goodput loss, %", formula_loss, strong=True),
        ),
    )


def theory_table(estimates: Sequence[Estimate]) -> Table:
    """Return what exact theory says about the first job, and the intervals at which it should write checkpoints."""

    waits = [each for each in estimates if each.theory.repair_wait_h]

    def minutes(value: float | None) -> str:
        return MISSING if value is None else number(60 * value, 2)

    every: list[tuple[str, Callable[[Theory], str]]] = [
        ("MTBF of one gang, h", lambda t: number(t.mtbf_h, 4)),
        ("stall after a strike, min", lambda t: minutes(t.stall_h)),
        *([("  and the wait for its repair, min", lambda t: minutes(t.repair_wait_h))] if waits else []),
        (f"lost by one gang{' without that wait' if waits else ''}, %", lambda t: loss(t.goodput_loss)),
    ]
    if any(each.theory.ettr_first_order is not None for each in estimates):
        every.append(("ETTR, first order (Kokolis), %", lambda t: per_cent(t.ettr_first_order)))
    if any(each.theory.optimal_h for each in estimates):
        every += [
            ("checkpoint interval as given, min", lambda t: minutes(t.interval_h)),
            ("best interval, exact, min", lambda t: minutes(t.optimal_h)),
            ("best interval after Daly, min", lambda t: minutes(t.daly_h)),
            ("best interval after Young, min", lambda t: minutes(t.young_h)),
        ]

    def row(label: str, cell: Callable[[Theory], str]) -> Row:
        return _row(estimates, label, lambda each: cell(each.theory))

    return Table(
        title=f"First job by renewal theory ({'a repair costs no wait' if waits else 'never short of hardware'})",
        columns=names_of(estimates),
        rows=tuple(row(label, cell) for label, cell in every),
        notes=(_COLD.format(names=and_list(list(names_of(waits)))),) if waits else (),
    )


def tco_table(estimates: Sequence[Estimate]) -> Table:
    """Return the deck's TCO table: every line of a month, the term and the prices of a useful hour."""

    def money(label: str, cell: Callable[[Bill], str], strong: bool = False) -> Row:
        return _row(estimates, label, lambda e: cell(e.tco) if e.tco else MISSING, strong)

    def line(name: str) -> Callable[[Bill], str]:
        return lambda bill: usd(bill.lines[name])

    def price(name: str) -> Callable[[Bill], str]:
        return lambda bill: number(bill.usd_per_useful_gpu_hour[name], 4)

    first = estimates[0].tco
    return Table(
        title="TCO by formula",
        columns=names_of(estimates),
        rows=(
            *(money(f"{label}, USD/mo", line(name)) for name, label in LINES.items()),
            money("month, USD", lambda bill: usd(bill.monthly_usd), strong=True),
            money(f"{term_of(estimates)}, USD", lambda bill: usd(bill.total_usd), strong=True),
            money("relative to the first", lambda bill: number(relative(bill, first), 2)),
            *(money(f"{label}, USD/GPU-h", price(name)) for name, label in PRICES.items()),
        ),
        notes=("all in = (month - goodput loss) / useful GPU-hours.",),
    )


def term_of(estimates: Sequence[Estimate]) -> str:
    """Return "36 months", or "term" where the scenarios' terms differ."""
    months = {each.scenario.tco.months for each in estimates if each.scenario.tco}
    return f"{months.pop():g} months" if len(months) == 1 else "term"
