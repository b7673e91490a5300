"""The published tables: what the closed forms say, scenarios side by side."""

from collections.abc import Callable, Sequence

from dcsim.decide.estimate import Bill, Estimate, job_size, relative
from dcsim.report.page import MISSING, Page, Row, Table, number, per_cent, printable, usd

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
PRICES = {"deck": "rent x (1 + loss)", "physical": "rent / (1 - loss)", "all_in": "all in"}


def estimate_page(estimates: Sequence[Estimate], notes: Sequence[str] = ()) -> Page:
    """Return the resiliency and the TCO table of several scenarios."""
    return Page(parts=formula_tables(estimates), notes=tuple(notes))


def formula_tables(estimates: Sequence[Estimate]) -> tuple[Table, ...]:
    """Return the deck's tables; the one on money only where there is any."""
    money = [tco_table(estimates)] if any(each.tco for each in estimates) else []
    return (resiliency_table(estimates), *money)


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
        ("GPUs charged per failure", lambda e: usd(job_size(e.scenario))),
        ("downtime loss, %", lambda e: per_cent(e.accounting.downtime_loss)),
        ("idle spares, %", lambda e: per_cent(e.accounting.idle_spare_loss)),
        ("performance overhead, %", lambda e: per_cent(e.accounting.performance_overhead)),
    )
    return Table(
        title="Resiliency by formula (ClusterMAX accounting)",
        columns=names_of(estimates),
        rows=(
            *(_row(estimates, label, cell) for label, cell in rows),
            _row(estimates, "goodput loss, %", lambda e: per_cent(e.accounting.goodput_loss), strong=True),
            _row(estimates, "first job, renewal theory, %", lambda e: per_cent(e.renewal_goodput_loss)),
        ),
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
