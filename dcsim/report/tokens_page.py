"""What a token seller reads: what a million tokens cost, where their price goes, and which batch to run."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt

from dcsim.closed_form.inference import DECLINED
from dcsim.decide import Pair, RunResult
from dcsim.decide.estimate import Estimate
from dcsim.decide.tables_tokens import HANDED_OVER, TokenTable
from dcsim.decide.tokens import TokenEstimate
from dcsim.montecarlo import Summary
from dcsim.report.document import Page, Picture, Section, Stacks
from dcsim.report.figures import MISSING, Cell, Figure, brief, loss, number, per_cent, price_digits, span, usd
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, names, printable
from dcsim.report.uncertainty import price, with_error

ROUNDING = 1e-12
WORST = "Worst 5 %: expected shortfall, the mean of the worst twentieth of the runs."
SAME_COST = 5e-4
"""Costs of a million tokens that differ by a smaller share are the same; source: assumed."""
UNUSED, LOST, LEFT = "GPUs without requests", "failed, waiting and idle GPUs", "left to the seller"
BY_REPLICA = (
    "A failure stops the replica that it strikes. A formula for training charges it to all GPUs that serve, "
    "which is too dear."
)
NOTES = (
    BY_REPLICA,
    "Left: of the price; of an app, of what its users pay. At full use, no loss, rent alone: as published.",
)
THE_RENT_ALONE = "at full use, no loss, rent alone"

# --- sentences --------------------------------------------------------------------------------------------------------


def tokens_sentence(run: RunResult) -> str:
    """Say what a million tokens cost, what they sell for, and what is left; empty where no tokens are sold."""
    if run.tokens is None:
        return ""
    cost, sold, left = (_summary(run, name) for name in ("usd_per_mtok", "price_usd_per_mtok", "margin"))
    if cost is None or sold is None or left is None:
        return "No token is sold in any run."
    of_it = [
        f"{_small(part)} for {what}"
        for name, what in (("usd_per_mtok_unused", UNUSED), ("usd_per_mtok_lost", LOST))
        if (part := _mean(run, name))
    ]
    parts = f", of it {and_list(of_it)}" if of_it else ""
    spread = ""
    if left.se is not None and left.p95 - left.p5 >= 5e-4:
        spread = f" ({span(100 * left.p5, 100 * left.p95, 1)} % in nine runs of ten)"
    name = printable(run.scenario.name)
    return (
        f"{name}: a million tokens cost {price(cost, most=4)} USD{parts}. They sell for {_money(sold.mean)} USD: "
        f"{_left(left.mean)}{spread}.{_moved(run)}"
    )


def _moved(run: RunResult) -> str:
    """Say how far uncertain inputs and chance move what is left, where inputs are drawn."""
    found = None if run.tokens is None else run.tokens["margin"]
    if found is None or found.shared == 1 or found.variance is None:
        return ""
    inputs, chance = (100 * sqrt(each) for each in (found.variance.inputs, found.variance.luck))
    return f" Uncertain inputs move that by ± {brief(inputs, 2)} points, chance by ± {brief(chance, 2)}."


def _left(share: float) -> str:
    """Say what is left of a price, or lost on it."""
    return f"{per_cent(share, 1)} % is left" if share >= 0 else f"a loss of {per_cent(-share, 1)} %"


def _money(amount: float) -> Figure:
    return number(amount, price_digits([abs(amount)]))


def _small(amount: float) -> Figure:
    """Return a part of a price with two digits."""
    return number(amount, price_digits([abs(amount)]) - 1)


def tokens_card(run: RunResult) -> list[str]:
    """Return what a card says of tokens."""
    cost, left = _mean(run, "usd_per_mtok"), _mean(run, "margin")
    if cost is None or left is None:
        return []
    return [f"{number(cost, max(3, price_digits([cost])))} USD per million tokens, {_left(left)}"]


def tokens_compared(runs: Sequence[RunResult]) -> str:
    """Say at which offer a million tokens cost least, and what is left at each; empty unless all sell tokens."""
    costs = [_mean(run, "usd_per_mtok") for run in runs]
    left = [_mean(run, "margin") for run in runs]
    if any(cost is None or share is None for cost, share in zip(costs, left, strict=True)):
        return ""
    found = sorted((cost or 0.0, index) for index, cost in enumerate(costs))
    called, (least, best) = names(runs), found[0]
    digits = 2
    while digits < 5 and any(SAME_COST * least < other - least < 10**-digits for other, _ in found):
        digits += 1
    told = []
    for cost, index in found[1:]:
        more, found_gap = cost / least - 1, Pair(runs[best], runs[index]).mtok_difference
        half = None if found_gap is None else found_gap.shown_half_width
        gap = "the same" if more < SAME_COST else f"{per_cent(more, 1)} % more"
        gap = "no clear difference" if half is not None and cost - least < half else gap
        told.append(f"{number(cost, digits)} at {called[index]} ({gap})")
    margins = [f"{per_cent(share, 1)} % ({name})" for share, name in zip(left, called, strict=True)]
    return (
        f"A million tokens cost {number(least, digits)} USD at {called[best]}, against {and_list(told)}. Left of the "
        f"price: {and_list(margins)}."
    )


# --- tables -----------------------------------------------------------------------------------------------------------


def estimate_tables(estimates: Sequence[Estimate]) -> tuple[Table, ...]:
    """Return what tokens cost and earn by formula; nothing where no scenario sells tokens."""
    if not any(each.tokens for each in estimates):
        return ()

    def row(label: str, cell: Callable[[TokenEstimate], Cell], strong: bool = False) -> Row:
        return Row(label, tuple(MISSING if each.tokens is None else cell(each.tokens) for each in estimates), strong)

    def cost(name: str) -> Callable[[TokenEstimate], Cell]:
        return lambda its: number(its.usd_per_mtok[name], 4)

    def of(name: str, digits: int) -> Callable[[TokenEstimate], Cell]:
        return lambda its: number(its.figures[name], digits)

    def share(name: str) -> Callable[[TokenEstimate], Cell]:
        return lambda its: per_cent(its.figures[name], 1)

    rows = [
        row("lost by a replica, %", lambda its: loss(its.replica_loss)),
        row("cost of a million tokens, USD", cost("paid"), strong=True),
        row(f"  {THE_RENT_ALONE}", cost("rent")),
        row("  if a failure stopped all that serve", cost("training")),
        row("sold for, USD per million tokens", of("price_usd_per_mtok", 4)),
        row("left of the price, %", share("margin"), strong=True),
        row("tokens sold, million", of("served_mtok", 0)),
        row("profit on tokens, USD", of("profit_usd", 0)),
        *_apps(row, share),
    ]
    names_of = tuple(printable(each.scenario.name) for each in estimates)
    return (Table("Tokens by formula", names_of, _told(rows), notes=NOTES),)


def run_tables(runs: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return what tokens cost and earn in the simulation; nothing where no scenario sells tokens."""
    if not any(run.tokens for run in runs):
        return ()

    def row(label: str, cell: Callable[[RunResult], Cell], strong: bool = False) -> Row:
        return Row(label, tuple(MISSING if run.tokens is None else cell(run) for run in runs), strong)

    def cost(name: str) -> Callable[[RunResult], Cell]:
        return lambda run: price(_summary(run, name), most=4)

    def spread(name: str, scale: float, digits: int) -> Callable[[RunResult], Cell]:
        return lambda run: _spread(_summary(run, name), scale, digits)

    def share(name: str) -> Callable[[RunResult], Cell]:
        return lambda run: with_error(_summary(run, name))

    def by_formula(name: str) -> Callable[[RunResult], Cell]:
        return lambda run: number(run.estimate.tokens.usd_per_mtok[name] if run.estimate.tokens else None, 4)

    rows = [
        row("cost of a million tokens, USD", cost("usd_per_mtok"), strong=True),
        row("  one run, P5 to P95, USD", spread("usd_per_mtok", 1.0, 4)),
        row(f"  of it {UNUSED}", cost("usd_per_mtok_unused")),
        row(f"  of it {LOST}", cost("usd_per_mtok_lost")),
        row("  formula: a failure stops one replica", by_formula("paid")),
        row("  formula: a failure stops all that serve", by_formula("training")),
        row(f"  {THE_RENT_ALONE}", by_formula("rent")),
        row("sold for, USD per million tokens", cost("price_usd_per_mtok")),
        row("left of the price, %", share("margin"), strong=True),
        row("  one run, P5 to P95, %", spread("margin", 100.0, 2)),
        row("tokens sold, million", lambda run: usd(_mean(run, "served_mtok"))),
        row("profit on tokens, million USD", lambda run: price(_summary(run, "profit_usd"), 1e-6, most=3)),
        row("  one run, P5 to P95, million USD", spread("profit_usd", 1e-6, 2)),
        *_apps(row, share),
    ]
    return (Table("Tokens", tuple(printable(run.scenario.name) for run in runs), _told(rows), notes=NOTES),)


def _apps(row: Callable[..., Row], share: Callable[[str], Callable[..., Cell]]) -> list[Row]:
    return [
        row("left to an app that buys tokens, %", share("third_party_margin")),
        row("left to an app on its own tokens, %", share("first_party_margin")),
        row("left to an owner who sells tokens, %", share("owner_margin")),
    ]


def _told(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows that say something of some scenario."""
    return tuple(row for row in rows if any(text != MISSING for text in row.texts))


def _summary(run: RunResult, name: str) -> Summary | None:
    """Return a figure; one that is the same in every run, but for rounding, without an interval."""
    found = None if run.tokens is None else run.tokens[name]
    if found is None:
        return None
    shown = found.shown
    same = shown.p95 - shown.p5 <= ROUNDING * abs(shown.mean)
    return shown.without_error() if same else shown


def _mean(run: RunResult, name: str) -> float | None:
    found = _summary(run, name)
    return None if found is None else found.mean


def _spread(found: Summary | None, scale: float, digits: int) -> Figure:
    if found is None or found.se is None:
        return Figure(None)
    return span(scale * found.p5, scale * found.p95, digits)


# --- the section of the report ----------------------------------------------------------------------------------------


def tokens_section(runs: Sequence[RunResult]) -> list[Section]:
    """Return where the price of a million tokens goes, and the table behind it; nothing where none are sold."""
    selling = [run for run in runs if _summary(run, "usd_per_mtok")]
    if not selling:
        return []
    labels = names(selling, SHORT)
    pieces = [_pieces(run) for run in selling]
    series = tuple((name, tuple(each[name] for each in pieces)) for name in pieces[0] if any(e[name] for e in pieces))
    says = [_says(label, run, each) for label, run, each in zip(labels, selling, pieces, strict=True)]
    digits = 4
    rows = [Row(name, tuple(number(value, digits) for value in values)) for name, values in series]
    table = Table("Where the price of a million tokens goes, USD", labels, tuple(rows))
    picture = Picture(table.title, " ".join(says), Stacks(labels, series, "USD per million tokens"), table)
    return [
        Section(
            "tokens", "What the token seller earns", (BY_REPLICA,), (picture, *run_tables(runs)), (_risks(selling),)
        )
    ]


def _risks(runs: Sequence[RunResult]) -> Table:
    """Return P5, P50, P95 and the mean of the worst twentieth of cost, margin and profit, run by run."""
    rows = []
    for name, run in zip(names(runs, SHORT), runs, strict=True):
        before = f"{name}: " if len(runs) > 1 else ""
        for label, key, scale, digits in (
            ("cost of a million tokens, USD", "usd_per_mtok", 1.0, 4),
            ("left of the price, %", "margin", 100.0, 2),
            ("profit on tokens, million USD", "profit_usd", 1e-6, 2),
        ):
            found = None if run.tokens is None else run.tokens.risk(key)
            if found is not None:
                cells = (found.mean, found.p5, found.p50, found.p95, found.shortfall)
                rows.append(Row(f"{before}{label}", tuple(number(each * scale, digits) for each in cells)))
    return Table("Risk of the token seller", ("mean", "P5", "P50", "P95", "worst 5 %"), tuple(rows), notes=(WORST,))


def _pieces(run: RunResult) -> dict[str, float]:
    """Return the parts of the price of a million tokens [USD]: they sum to it, a loss below zero."""
    cost, sold, unused, lost = (
        _mean(run, name) or 0.0
        for name in ("usd_per_mtok", "price_usd_per_mtok", "usd_per_mtok_unused", "usd_per_mtok_lost")
    )
    return {LEFT: sold - cost, "computing the tokens": cost - unused - lost, UNUSED: unused, LOST: lost}


def _says(label: str, run: RunResult, pieces: Mapping[str, float]) -> str:
    left, parts = _mean(run, "margin") or 0.0, [f"{_small(pieces[part])} for {part}" for part in (UNUSED, LOST)]
    return f"{label}: of {_money(sum(pieces.values()))} USD {_left(left)}; {and_list(parts)} go to what earns nothing."


# --- which batch ------------------------------------------------------------------------------------------------------


def batch_page(found: TokenTable, notes: Sequence[str] = ()) -> Page:
    """Return the answer to "which batch?": what fits, what it costs, and what is left of the price."""
    declined = tuple((f"{each.row}, {each.printed}", each.why) for each in DECLINED)
    hits = [_hit_table(found)] if found.hits else []
    said = "nothing is simulated: closed forms of memory traffic, which leave out arithmetic and communication"
    return Page(
        answer=tuple(_batch_sentences(found)),
        parts=(
            _batch_table(found),
            _context_table(found),
            *hits,
            Passage("Published rows that are not repeated", declined),
        ),
        notes=(*notes, said),
    )


def _batch_sentences(found: TokenTable) -> list[str]:
    own, model, name = found.own, found.model, printable(found.scenario.name)
    replica = f"a replica of {found.gpus:,} GPUs" if found.gpus > 1 else "one GPU"
    memory = f"the {number(found.memory_gb, 0)} GB of {replica}"
    if own.best is None:
        what = "the weights" if model.weights_gb > found.memory_gb else "weights and one sequence"
        return [f"{name}: {what} do not fit in {memory}, so no batch can run."]
    said = [
        f"{name}: at most {own.largest:,} sequences of {number(own.context, 0)} tokens fit in {memory}.",
        f"There a million tokens cost {_money(own.best.usd)} USD, and of {_money(found.tokens.price)} USD "
        f"{_left(own.best.left)}; a user sees {number(1 / own.best.step_s, 0)} tokens a second.",
    ]
    if own.pays_from is None:
        said.append("No batch pays for its GPUs at this price.")
    else:
        fits = "" if own.pays_from <= own.largest else ", which does not fit"
        said.append(f"From a batch of {ceil(own.pays_from):,} on{fits}, the price pays for the GPUs.")
    speed = f"{number(found.tokens.speed, 0)} tokens a second of a GPU, the scenario's speed,"
    if found.batch_of_speed is None:
        said.append(f"{speed} is more than memory traffic allows at any batch.")
    else:
        said.append(f"{speed} takes a batch of at least {ceil(found.batch_of_speed):,} by memory traffic.")
    return [" ".join(said[:2]), *said[2:]]


def _batch_table(found: TokenTable) -> Table:
    rows = [
        Row(
            f"{each.batch:,}",
            (
                number(1e3 * each.step_s, 1),
                number(1 / each.step_s, 0),
                number(each.gpu_tokens_per_s, 0),
                number(each.floor_usd, 3),
                number(each.usd, 3),
                _share_left(each.left),
                "yes" if each.fits else "no",
            ),
            strong=each.batch == found.own.largest,
        )
        for each in found.batches
    ]
    columns = ("step, ms", "a user, tok/s", "a GPU, tok/s", "floor, USD/Mtok", "USD/Mtok", "left, %", "fits")
    its, model = found.tokens, found.model
    prefill = (
        f", prefill ({per_cent(model.prefill, 1)} % of the work, {per_cent(model.hit, 1)} % of it cached)"
        if model.prefill
        else ""
    )
    notes = (
        f"Floor: as published, a step of {number(1e3 * found.batches[0].floor_s, 1)} ms reads the weights alone. "
        f"USD/Mtok: with the KV cache{prefill}, {loss(found.loss)} % lost to failures and "
        f"{per_cent(its.utilisation, 0)} % of the hours with requests.",
    )
    return Table(f"Batches at {number(found.own.context, 0)} tokens", columns, tuple(rows), "batch", notes)


def _share_left(share: float | None) -> Figure:
    return per_cent(share, 1 if share is None or abs(share) < 1 else 0)


def _context_table(found: TokenTable) -> Table:
    rows = []
    for each in found.contexts:
        best = each.best
        cells = (
            number(each.each_gb, 3),
            number(each.largest, 0),
            number(None if best is None else best.usd, 3),
            _share_left(None if best is None else best.left),
            number(None if each.pays_from is None else float(ceil(each.pays_from)), 0),
            number(each.handed_over_gbit_s, 1),
        )
        rows.append(Row(f"{number(each.context, 0)}", cells, strong=each.context == found.own.context))
    columns = ("KV cache, GB", "largest batch", "USD/Mtok", "left, %", "pays from", "handed over, Gb/s")
    note = (
        "USD/Mtok at the largest batch. Pays from: the batch from which the price pays for the GPUs. "
        f"Handed over: KV caches of {HANDED_OVER:.0f} requests a second, from prefill to decode."
    )
    return Table("What a context allows", columns, tuple(rows), "tokens", (note,))


def _hit_table(found: TokenTable) -> Table:
    rows = [
        Row(f"{per_cent(each.hit, 1)}", (per_cent(each.saved, 1), number(each.usd, 3)), each.hit == found.model.hit)
        for each in found.hits
    ]
    return Table("What cache hits save", ("of the fleet, %", "USD/Mtok"), tuple(rows), "hits, %")
