"""The published tables: what the closed forms say, scenarios side by side."""

from collections.abc import Callable, Sequence
from math import isfinite

from dcsim.decide import REPLICATIONS, RunResult
from dcsim.decide.cautions import cautions, first_screen
from dcsim.decide.estimate import Estimate, formula_validity, job_size, relative
from dcsim.decide.sla_theory import time_up
from dcsim.decide.theory import Theory
from dcsim.economics import LINES, Bill, CostLine
from dcsim.report.document import Page
from dcsim.report.figures import MISSING, Cell, Figure, dollars, loss, number, per_cent, price_digits, scale_of, usd
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan

_COLD = '{names}: spare = "cold", so the job waits for the repair of what failed: in the simulation, not in this loss.'
PRICES = {"deck": "rent x (1 + loss)", "physical": "rent / (1 - loss)", "all_in": "paid per useful GPU-h"}
METHOD = (
    "Paid is what is invoiced. The published method adds lost work at the rent, which nobody invoices.",
    "Paid per useful GPU-h = paid / useful GPU-hours.",
)
"""What a reader must know of the two sums before repeating one of them."""
PUBLISHED = "published method, with lost work"
"""What the sum of a bill with goodput loss * rent is called wherever it stands."""
FEW_USD = 10_000
"""Amounts below are written with their cents [USD]; source: assumed."""


def estimate_page(estimates: Sequence[Estimate], notes: Sequence[str] = ()) -> Page:
    """Return the resiliency and the TCO table of several scenarios."""
    scenarios = [each.scenario for each in estimates]
    from dcsim.report.lender_page import lender_estimated  # all of these rest on this module
    from dcsim.report.owner_answer import owner_estimated
    from dcsim.report.owner_page import owner_tables
    from dcsim.report.tokens_page import estimate_tables

    parts: tuple[Table | Passage, ...] = (
        *described(scenarios),
        *formula_tables(estimates),
        *owner_tables(estimates),
        *sold_theory_tables(estimates),
        *estimate_tables(estimates),
    )
    told = (owner_estimated, lender_estimated, until_done_sentence)
    answer = tuple(said for each in estimates for tell in told if (said := tell(each)))
    first, others = caution_sentences(scenarios)
    return Page(answer, parts, (*others, *notes, *point_notes(scenarios)), cautions=first, headline=len(answer))


def until_done_sentence(each: Estimate) -> str:
    """Say when the only gang's work is done by exact theory, and what is paid until then; empty: no closed form."""
    hours, its, name = each.theory.done_h, each.until_done, printable(each.scenario.name)
    if hours is None or not each.scenario.ends:
        return ""
    if not isfinite(hours):
        return f"{name}: by exact theory the job is never done."
    said = f"{name}: the job is done after {number(hours, 2)} h in the mean, by exact theory."
    price = None if its is None else its.usd_per_useful_gpu_hour["all_in"]
    if its is None or price is None:
        return said
    scale, unit = scale_of([its.paid_usd])
    until = "until then" if each.scenario.tco and each.scenario.tco.until != "term" else "for the term"
    digits = price_digits([price])
    return (
        f"{said} Paid {until}: {dollars(its.paid_usd, scale)} {unit}, {number(price, digits)} USD per useful GPU-hour."
    )


def caution_sentences(
    scenarios: Sequence[Scenario], runs: int = REPLICATIONS, simulated: bool = False
) -> tuple[tuple[str, ...], list[str]]:
    """Return the cautions of a first screen, and the others.

    ``simulated``: the answer says itself where there were too few failures.
    """
    found = [each for each in cautions(scenarios, runs) if not (simulated and each.kind == "few-failures")]
    first = first_screen(found)
    return tuple(each.sentence for each in first), [each.sentence for each in found if each not in first]


def formula_loss(estimate: Estimate) -> Figure:
    """Return the loss by formula in per cent, and beside it where the formula cannot hold."""
    return loss(estimate.accounting.goodput_loss).with_words(formula_validity(estimate.scenario).remark)


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


def _row(estimates: Sequence[Estimate], label: str, cell: Callable[[Estimate], Cell], strong: bool = False) -> Row:
    return Row(label, tuple(cell(each) for each in estimates), strong)


def resiliency_table(estimates: Sequence[Estimate]) -> Table:
    """Return the deck's resiliency table."""
    rows: tuple[tuple[str, Callable[[Estimate], Cell]], ...] = (
        ("GPUs", lambda e: usd(e.scenario.cluster.gpus)),
        ("spares, GPUs", lambda e: usd(e.scenario.cluster.spares)),
        ("cluster MTBF, h", lambda e: number(e.accounting.cluster_mtbf_h, 4)),
        ("interruptions per month", lambda e: number(e.accounting.interruptions_per_month, 2)),
        ("recovery mode", lambda e: e.mode),
        ("identify term", lambda e: "detect" if e.mode == "tolerant" else e.scenario.accounting.identify),
        (
            "GPUs charged per failure",
            lambda e: usd(job_size(e.scenario)).with_words(formula_validity(e.scenario).size_remark),
        ),
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

    def minutes(value: float | None) -> Figure:
        return number(None if value is None else 60 * value, 2)

    every: list[tuple[str, Callable[[Theory], Cell]]] = [
        ("MTBF of one gang, h", lambda t: number(t.mtbf_h, 4)),
        ("downtime per interruption, min", lambda t: minutes(t.stall_h)),
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

    def row(label: str, cell: Callable[[Theory], Cell]) -> Row:
        return _row(estimates, label, lambda each: cell(each.theory))

    return Table(
        title=f"First job by renewal theory ({'a repair costs no wait' if waits else 'never short of hardware'})",
        columns=names_of(estimates),
        rows=tuple(row(label, cell) for label, cell in every),
        notes=(_COLD.format(names=and_list(list(names_of(waits)))),) if waits else (),
    )


def tco_table(estimates: Sequence[Estimate]) -> Table:
    """Return the deck's TCO table: what is paid, lost work, both together, and the prices of a useful hour."""

    def money(label: str, cell: Callable[[Bill], Cell], strong: bool = False) -> Row:
        return _row(estimates, label, lambda e: cell(e.tco) if e.tco else MISSING, strong)

    def price(name: str) -> Callable[[Bill], Cell]:
        return lambda bill: number(bill.usd_per_useful_gpu_hour[name], 4)

    first = estimates[0].tco
    return Table(
        title="TCO by formula",
        columns=names_of(estimates),
        rows=(
            *bill_rows(money, f"over {term_of(estimates)}"),
            money("relative to the first", lambda bill: number(relative(bill, first), 2)),
            *(money(f"{label}, USD", price(name), name == "all_in") for name, label in PRICES.items()),
        ),
        notes=METHOD,
    )


MakeMoneyRow = Callable[[str, Callable[[Bill], Cell], bool], Row]


def bill_rows(row: MakeMoneyRow, term: str) -> list[Row]:
    """Return every line of a bill by the month, what is paid, and what the published method makes of it.

    Lines that no offer is charged are left out.
    """

    def line(each: CostLine) -> list[Row]:
        lost = " at the rent" if not each.paid else ""
        found = row(f"{each.label}{lost}, USD/mo", lambda bill: usd(bill.monthly[each.name]), False)
        return [found] if any(text not in ("0", MISSING) for text in found.texts) else []

    return [
        *(found for each in LINES if each.paid for found in line(each)),
        row(f"paid {term}, USD", lambda bill: money_cell(bill.paid_usd), True),
        *(found for each in LINES if not each.paid for found in line(each)),
        row("month with lost work, USD", lambda bill: usd(bill.with_lost_work_usd / bill.months), False),
        row(f"{PUBLISHED}, USD", lambda bill: money_cell(bill.with_lost_work_usd), False),
    ]


def money_cell(amount: float | None) -> Figure:
    """Return an amount, shown in whole dollars, or cents where there are few of them."""
    return number(amount, 0 if amount is None or abs(amount) >= FEW_USD else 2)


def term_of(estimates: Sequence[Estimate]) -> str:
    """Return "36 months", or "the term" where the scenarios' terms differ."""
    months = {each.scenario.tco.months for each in estimates if each.scenario.tco}
    return f"{months.pop():g} months" if len(months) == 1 else "the term"


def over_of(runs: Sequence[RunResult]) -> str:
    """Say what time the bills of simulated runs are about."""
    until = {run.stops_when_done for run in runs if run.tco}
    term = f"over {term_of([run.estimate for run in runs])}"
    if until == {True}:
        return "until done"
    return f"{term} or until done" if len(until) > 1 else term


# --- what is sold -----------------------------------------------------------------------------------------------------

NOT_PAID = "Credits are on the price of months below an availability. Work that failures destroy is not paid for."


def shape(sold: str, size: int, needs: int) -> str:
    """Say what is sold as a whole, such as "rack, 64 of 72 GPUs"."""
    if size == 1:
        return sold
    return f"{sold} of {size} GPUs" if needs == size else f"{sold}, {needs} of {size} GPUs"


def in_per_cent(share: float) -> str:
    """Write a share with all its decimals."""
    return f"{100 * share:.10g} %"


def sold_theory_tables(estimates: Sequence[Estimate]) -> tuple[Table, ...]:
    """Return what independent domains miss and give back by renewal theory; nothing where nobody asks."""
    asking = [each.scenario for each in estimates]
    if not any(each.sla and (each.sla.credits or each.sla.promise) for each in asking):
        return ()
    found = [each.sla for each in estimates]
    columns = tuple(printable(each.scenario.name) for each in estimates)
    shares = {each.sla.shares for each in asking if each.sla}
    rows = [Row("sold", tuple(map(_sold_as, asking)))]
    up = tuple(per_cent(time_up(each), 4) for each in asking)
    if any(each.value is not None for each in up):
        rows.append(Row("up, % of the time", up))
    if len(shares) == 1 and any(found):
        for index, share in enumerate(next(iter(shares))):
            cells = tuple(per_cent(each.missed[index] if each else None, 3) for each in found)
            rows.append(Row(f"months below {in_per_cent(share)}, %", cells))
    if any(found) and any(each.sla and each.sla.promise for each in asking):
        rows.append(Row("can be promised, %", tuple(per_cent(each.promised if each else None, 3) for each in found)))
    if any(found) and any(each.sla and each.sla.credits for each in asking):
        rows.append(
            Row("credits, % of the price", tuple(per_cent(each.share if each else None) for each in found), True)
        )
    none = "" if all(found) else " Where none is given there is no closed form: simulate it with dcsim run."
    near = any(each is not None and each.approximate for each in found)
    told = " Where only some parts of a domain are needed, shares of months are approximate." if near else ""
    note = f"By renewal theory of independent domains, in the steady state.{told}{none}"
    return (Table("What is sold", columns, tuple(rows), notes=(note, NOT_PAID)),)


def _sold_as(scenario: Scenario) -> str:
    sla = scenario.sla
    if sla is None:
        return MISSING
    size, _ = plan(scenario).sold
    return shape(sla.sold, size, sla.needs or size)
