"""What is sold: how often it was available, what comes back for months when it was not, and what may be promised."""

from collections.abc import Callable, Sequence
from functools import partial

from dcsim.decide import RunResult
from dcsim.decide.availability import Availability, excludes_maintenance
from dcsim.decide.sla_credits import GuaranteeResult
from dcsim.decide.sla_theory import SlaTheory, sla_theory, time_up
from dcsim.economics.credits import left_of_price
from dcsim.report.document import Section
from dcsim.report.figures import MISSING, Cell, Figure, dollars, loss, number, per_cent, scale_of
from dcsim.report.owner_answer import money
from dcsim.report.page import Row, Table, and_list, names, printable
from dcsim.report.published_tables import NOT_PAID, in_per_cent, shape
from dcsim.report.uncertainty import MakeRow, with_error

NAMED = 0.2
"""What is this share of what is lost and took no failure, such as idle spares, is named with it; source: assumed."""
SOLD_NOTE = (
    "up: in service, whatever a job does with it. A GPU is out of service from its failure until its repair is over."
)
REPLICA_NOTE = "computing: of a replica, wherever it runs; detection, waiting, failover and restores are downtime."


def sold_notes(runs: Sequence[RunResult]) -> list[str]:
    """Say what it means that something sold is available, of what these runs sell."""
    kinds = {run.availability.sold == "replica" for run in runs if run.availability is not None}
    return [REPLICA_NOTE if each else SOLD_NOTE for each in sorted(kinds)]


# --- rows of what was simulated ---------------------------------------------------------------------------------------


def sold_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return for each availability in how many months of a domain that is sold it was reached."""
    found = [run.availability for run in runs]
    shapes = {(each.sold, each.size, each.needs, each.availability) for each in found if each is not None}
    if len(shapes) != 1:
        return []  # nothing is sold, or not the same: no row would be about all of them
    ((sold, size, needs, shares),) = shapes
    up = "all GPUs up" if needs == size else f"{needs} of {size} GPUs up"
    up = "computing" if sold == "replica" else up
    announced = any(run.scenario.sla is not None and run.scenario.sla.excludes_announced for run in runs)
    excluded = "maintenance and announced failures" if announced else "maintenance"
    rows = []
    for index, share in enumerate(shares):
        label = f"{sold}-months: {up} {100 * share:.6g} % or more, %"
        rows.append(row(label, partial(_reached, index, True)))
        if any(each is not None and each.has_maintenance for each in found):
            rows.append(row(f"  without {excluded}, %", partial(_reached, index, False)))
    return rows


def _reached(index: int, planned: bool, run: RunResult) -> Figure:
    return per_cent(run.availability.share(index, planned) if run.availability else None, 2)


# --- sentences --------------------------------------------------------------------------------------------------------


def sold_sentence(run: RunResult) -> str:
    """Say what comes back for months below an availability beside the lost work, and what may be promised."""
    return " ".join(filter(None, [_credits_sentence(run), _guarantee_sentence(run), _promise_sentence(run)]))


def _guarantee_sentence(run: RunResult) -> str:
    found = GuaranteeResult.of(run.sample)
    if found is None:
        return ""
    asked = f"{100 * found.asked:.6g} %"
    if found.kept is None:
        return f"No job is interrupted: the guarantee that {asked} lose no progress holds."
    return (
        f"{per_cent(found.kept, 1)} % of the interruptions lose no progress; the guarantee of {asked} is broken with a "
        f"probability of {per_cent(found.broken, 1)} %."
    )


def _credits_sentence(run: RunResult) -> str:
    found = run.credits
    if found is None:
        return ""
    claimed = "" if found.claimed == 1 else f", of which {per_cent(found.claimed, 0)} % are claimed"
    share = f"SLA credits give back {with_error(found.share)} % of the price{claimed}"
    lost = f"{loss(float(found.lost.mean()))} % of the GPU-hours"
    if (spare := run.shares["spare"]) > NAMED * float(found.lost.mean()):
        lost += f" ({per_cent(spare)} as idle spares)"
    if not found.priced:
        return f"{share}; they do not pay for lost work, {lost}."
    usd = f"{money(found.usd_a_month.mean)} a month"
    worst = (
        f"one month in twenty {money(found.p95_month_usd)} or more"
        if found.p95_month_usd
        else "none in at least 95 % of the months"
    )
    unpaid = f"{money(found.unpaid_usd_a_month.mean)} a month at that price"
    return f"{share}, {usd} ({worst}); they do not pay for lost work, {lost} or {unpaid}."


def _promise_sentence(run: RunResult) -> str:
    found = run.availability
    if found is None or found.promise is None:
        return ""
    what, missed = _shape_of(found), f"{100 * found.promise:.6g} % of its months"
    if found.promised is None:
        return f"No availability can be promised for a {what}: each is missed in more than {missed}."
    return f"{in_per_cent(found.promised)} can be promised for a {what}: less is had in at most {missed}."


def compared_sentences(runs: Sequence[RunResult]) -> list[str]:
    """Say what each offer gives back, and at which price one earns as much as the first where shapes differ."""
    found = [(run, run.credits) for run in runs]
    if any(credits is None for _, credits in found):
        return []
    told = [f"{with_error(credits.share)} % at {printable(run.scenario.name)}" for run, credits in found if credits]
    said = [f"SLA credits give back of the price: {and_list(told)}. None of it pays for lost work."]
    worth = [(run, _equal_price(run, runs[0])) for run in runs[1:]]
    if any(_sold_share(run) != _sold_share(runs[0]) for run in runs):
        first = printable(runs[0].scenario.name)
        times = [f"{number(each, 3)} times as much at {printable(run.scenario.name)}" for run, each in worth if each]
        said.append(f"To earn as much per GPU that is owned as {first}, a sold one must cost {and_list(times)}.")
    return said


def _shape_of(found: Availability) -> str:
    return shape(found.sold, found.size, found.needs)


def _sold_share(run: RunResult) -> float:
    found = run.availability
    return 1.0 if found is None else found.needs / found.size


def _left(run: RunResult) -> float | None:
    return None if run.credits is None else left_of_price(_sold_share(run), run.credits.share.mean)


def _equal_price(run: RunResult, first: RunResult) -> float | None:
    mine, its = _left(run), _left(first)
    return None if mine is None or its is None or not mine else its / mine


# --- a table of its own -----------------------------------------------------------------------------------------------


def asked(runs: Sequence[RunResult]) -> bool:
    """Whether any scenario gives credits or a guarantee, or asks what may be promised."""
    slas = [run.scenario.sla for run in runs if run.availability]
    return any(sla and (sla.credits or sla.guarantee or sla.promise) for sla in slas)


def sold_tables(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return what is sold, what comes back and what does not, offers side by side; nothing where nobody asks."""
    if not asked(runs):
        return ()
    theories = [sla_theory(run.scenario) for run in runs]
    amounts = [each for run in runs if run.credits for each in (run.credits.unpaid_usd_a_month.mean,)]
    scale, unit = scale_of(amounts)

    def row(label: str, cell: Callable[[RunResult], Cell]) -> Row:
        return Row(label, tuple(cell(run) for run in runs))

    def theory(label: str, cell: Callable[[SlaTheory], float | None]) -> list[Row]:
        cells = tuple(per_cent(None if each is None else cell(each), 2) for each in theories)
        return [Row(label, cells)] if any(each.value is not None for each in cells) else []

    def credited(cell: Callable[[RunResult], Cell]) -> Callable[[RunResult], Cell]:
        return lambda run: MISSING if run.credits is None else cell(run)

    def priced(cell: Callable[[RunResult], float]) -> Callable[[RunResult], Cell]:
        return credited(lambda run: dollars(cell(run), scale) if run.credits and run.credits.priced else MISSING)

    rows = [
        row("sold", lambda run: _shape_of(run.availability) if run.availability else MISSING),
        row("domains", lambda run: number(run.availability.domains if run.availability else None, 0)),
        *_missed_rows(runs, row),
    ]
    up = tuple(per_cent(time_up(run.scenario), 4) for run in runs)
    if any(each.value is not None for each in up):
        rows.append(Row("up by theory, % of the time", up))
    if any(run.availability and run.availability.promise for run in runs):
        missed = {run.availability.promise for run in runs if run.availability and run.availability.promise}
        behind = f" (missed in {100 * missed.pop():.6g} % of months)" if len(missed) == 1 else ""
        rows.append(row(f"can be promised, %{behind}", _promised))
        rows += theory("  by theory, %", lambda each: each.promised)
    if any(run.credits for run in runs):
        rows.append(
            Row(
                "credits, % of the price", tuple(with_error(r.credits.share if r.credits else None) for r in runs), True
            )
        )
        rows += theory("  by theory, %", lambda each: each.share)
        if any(run.credits and run.credits.priced for run in runs):
            rows += [
                row(
                    f"credits, {unit} a month", priced(lambda run: run.credits.usd_a_month.mean if run.credits else 0.0)
                ),
                row("  P95 of single months", priced(lambda run: run.credits.p95_month_usd if run.credits else 0.0)),
                row(
                    f"lost work, not paid, {unit} a month",
                    priced(lambda run: run.credits.unpaid_usd_a_month.mean if run.credits else 0.0),
                ),
            ]
        if any(_sold_share(run) < 1 for run in runs):
            rows.append(row("sold of the GPUs, %", lambda run: per_cent(_sold_share(run), 2)))
            rows.append(row("left of 1 USD of price, per GPU", credited(lambda run: number(_left(run), 4))))
            if len(runs) > 1:
                rows.append(
                    row("price that earns the same, x", credited(lambda run: number(_equal_price(run, runs[0]), 4)))
                )
    guarantees = [GuaranteeResult.of(run.sample) for run in runs]
    if any(guarantees):
        shares: tuple[tuple[str, Callable[[GuaranteeResult], float | None]], ...] = (
            ("interruptions without lost progress, %", lambda each: each.kept),
            ("  guarantee broken, % of terms", lambda each: each.broken),
            ("  expected credit, % of the renewal", lambda each: each.expected),
        )
        for label, share in shares:
            rows.append(Row(label, tuple(per_cent(share(each) if each else None) for each in guarantees)))
    return (Table("What is sold", names(runs), tuple(rows), notes=(NOT_PAID,)),)


def _missed_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return how often each availability is missed, where all offers have the same."""
    shares = {run.availability.availability for run in runs if run.availability}
    if len(shares) != 1:
        return []
    (listed,) = shares

    def missed(index: int, run: RunResult) -> Figure:
        its, planned = run.availability, not excludes_maintenance(run.sample)
        return per_cent(None if its is None else 1 - its.share(index, planned=planned), 3)

    return [row(f"months below {in_per_cent(share)}, %", partial(missed, index)) for index, share in enumerate(listed)]


def _promised(run: RunResult) -> Figure:
    found = run.availability
    return Figure(None) if found is None or found.promised is None else number(100 * found.promised, 3)


def sold_section(runs: Sequence[RunResult]) -> list[Section]:
    """Return the report's section on what is sold; none where nobody asks."""
    if not asked(runs):
        return []
    says = tuple(filter(None, [sold_sentence(runs[0])])) if len(runs) == 1 else tuple(compared_sentences(runs))
    return [Section("sold", "What is sold, and what comes back", says, sold_tables(runs))]
