"""Why offers differ: their inputs side by side, and the steps from one offer to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dcsim.decide.bills import price_all_in
from dcsim.decide.differences import PRICED, SIMULATED, UNREAD, Change
from dcsim.decide.input_texts import ABSENT
from dcsim.decide.result import RunResult
from dcsim.decide.walk import Differences, Effect, Walk, WalkStep
from dcsim.montecarlo import Paired
from dcsim.report.document import Page, Picture, Waterfall
from dcsim.report.figures import Cell, Figure, loss_digits, price_digits, scale_of
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, printable

LEAST_SHARE = 0.005
"""A step that moves less than this share of what all steps move together is no part of a sentence or a picture;
source: assumed."""
STRONG = 0.1
"""A step whose size depends on what has changed before it by more than this share of the largest step is named;
source: assumed."""


LONGEST_LABEL = 48
"""Letters of a label in a picture; source: assumed, what fits above a bar."""
MOST_SAID = 3
"""Steps that a sentence names; source: assumed."""


@dataclass(frozen=True)
class _Measure:
    """What steps are told in: the price of a useful hour, or the lost share where there is none."""

    priced: bool
    unit: str
    digits: int

    @classmethod
    def of(cls, walk: Walk) -> "_Measure":
        priced = all(each.in_turn.usd_per_useful_gpu_hour is not None for each in walk.steps)
        if priced:
            prices = [price_all_in(each.tco) for each in (walk.a, walk.b)]
            return cls(True, "USD", price_digits(prices))
        return cls(False, "points", max(loss_digits(each.lost.mean) for each in (walk.a, walk.b)))

    def level(self, run: RunResult) -> float:
        found = price_all_in(run.tco) if self.priced else 100 * run.lost.mean
        assert found is not None
        return found

    def paired(self, effect: Effect) -> Paired | None:
        return effect.usd_per_useful_gpu_hour if self.priced else effect.lost

    def size(self, effect: Effect) -> float:
        found = self.paired(effect)
        return 0.0 if found is None else found.mean * (1 if self.priced else 100)

    def cell(self, effect: Effect | None, *, error: bool = False) -> Figure:
        """Return the size of an effect, with its interval where that is wanted."""
        found = None if effect is None else self.paired(effect)
        figure = signed(found, 1 if self.priced else 100, self.digits + self.priced)
        return figure if error else replace(figure, half_width=None)


def signed(found: Paired | None, scale: float, digits: int) -> Figure:
    """Return a difference with its sign, and its interval, at least one in the last decimal."""
    if found is None:
        return Figure(None)
    half = found.shown_half_width
    if not half:
        return Figure(scale * found.mean, digits, signed=True)
    return Figure(scale * found.mean, digits, scale * half, half_shown=max(scale * half, 10.0**-digits), signed=True)


# --- steps from one offer to another ------------------------------------------------------------------------------


def walk_sentence(walk: Walk) -> str:
    """Say how far apart two offers are, and which steps make most of it."""
    measure, (first, last) = _Measure.of(walk), _names(walk)
    gap = measure.size(walk.gap)
    ranked = sorted(_large(walk, measure), key=lambda each: -abs(measure.size(each.in_turn)))
    what = "USD per useful GPU-hour" if measure.priced else "percentage points lost"
    sizes = [(each.label, measure.size(each.in_turn)) for each in ranked[:MOST_SAID]]
    digits = _digits_of([gap, *(size for _, size in sizes)], measure.digits)
    told = [f"{label} {_signed(size, digits)}" for label, size in sizes]
    rest = len(walk.steps) - len(told)
    told += [f"{rest} more"] if rest else []
    said = f"{last} less {first}: {_signed(gap, digits)} {what}"
    return f"{said}, of which {and_list(told)}." if ranked else f"{said}."


def _digits_of(sizes: Sequence[float], digits: int) -> int:
    """Return the decimals with which none of these reads as zero, though it is none; at most three more than usual."""
    least = min((abs(size) for size in sizes if size), default=1.0)
    return next((more for more in range(digits, digits + 3) if round(least, more)), digits + 3)


def _signed(size: float, digits: int) -> str:
    """Write a size with its sign; zero has none."""
    return f"{size:+.{digits}f}" if round(size, digits) else f"{0:.{digits}f}"


def _interaction(walk: Walk, measure: _Measure) -> str:
    """Name the step whose size depends most on what has changed before it; empty where none does much."""
    first, last = _names(walk)
    most = max((abs(measure.size(each.in_turn)) for each in walk.steps), default=0.0)
    spans = []
    for each in walk.steps:
        if each.alone is not None and each.missing is not None:
            alone, missing = measure.size(each.alone), measure.size(each.missing)
            spans.append((abs(missing - alone), each.label, alone, missing))
    span, label, alone, missing = max(spans, default=(0.0, "", 0.0, 0.0))
    if not most or span < STRONG * most:
        return ""
    return (
        f" What a step is worth depends on the others: {label} {alone:+.{measure.digits}f} as the only change of "
        f"{first}, {missing:+.{measure.digits}f} as the last one on the way to {last}."
    )


def walk_table(walk: Walk, *, explained: bool = True, by_line: bool = True) -> Table:
    """Return every step: in its turn, as the only change, and as the last one; and what all of them add up to.

    ``explained``: with the notes that say how to read it; ``by_line``: beside the table of the gap by line of the bill.
    """
    measure, (first, last) = _Measure.of(walk), _names(walk)
    steps = [(each.label, each.in_turn, each.alone, each.missing) for each in walk.steps]
    paid = [each.in_turn.paid_usd for each in walk.steps]
    bills = None not in paid
    scale, unit = scale_of([each.mean for each in (*paid, walk.gap.paid_usd) if each])

    def row(label: str, effect: Effect, cells: tuple[Cell, ...], strong: bool = False) -> Row:
        lost = signed(effect.lost, 100, 2)
        dollar = (signed(effect.paid_usd, 1 / scale, 2),) if bills else ()
        order = (measure.cell(effect, error=True), *cells, *((lost,) if measure.priced else ()))
        return Row(label, (*order, *dollar), strong)

    rows = [
        row(label, in_turn, (measure.cell(alone), measure.cell(missing))) for label, in_turn, alone, missing in steps
    ]
    rows.append(row("all steps", walk.gap, ("", ""), strong=True))
    columns = ["USD per useful GPU-h"] if measure.priced else ["lost, points"]
    columns += ["only change", "last change"]
    columns += ["lost, points"] if measure.priced else []
    columns += [f"paid, {unit}"] if bills else []
    runs = f"{walk.replications:,} runs" if walk.replications > 1 else "one run"
    if walk.replications < len(walk.a.sample):
        runs += f", adjusted to all {len(walk.a.sample):,} runs of both,"
    notes = [
        f"{first} takes over the inputs of {last} in this order, in {runs} on the same random numbers: each step "
        "comes after those above it, and the steps add up to the gap. As the only change, nothing else of "
        f"{first} changes; as the last change, everything else has changed before.",
    ]
    if bills and by_line:
        notes.append(
            "Steps say which input changes what is paid, the gap by line says where it is booked: a dearer rent is one "
            "step, and two lines where support is a share of it. Both add up to the same."
        )
    return Table(
        f"Why {last} differs from {first}",
        tuple(columns),
        tuple(rows),
        corner="what changes",
        notes=tuple(notes) if explained else (),
    )


def walk_inputs(walk: Walk) -> Passage:
    """Return what changes at each step, in words."""
    first, last = _names(walk)
    items = []
    for step in walk.steps:
        said: dict[str, None] = dict.fromkeys(map(_told, step.changes))
        why = " (together: one alone fits only one of the offers)" if len(step.groups) > 1 else ""
        items.append((step.label, "; ".join(said) + why))
    return Passage(f"What changes from {first} to {last}", tuple(items))


def walk_parts(walks: Sequence[Walk], *, by_line: bool = True) -> tuple[Picture | Passage, ...]:
    """Return the pictures of several walks, each with what changes; the first one says how to read all of them."""
    return tuple(
        part
        for number, each in enumerate(walks)
        for part in (walk_picture(each, explained=not number, by_line=by_line), walk_inputs(each))
    )


def walk_picture(walk: Walk, *, explained: bool = True, by_line: bool = True) -> Picture:
    """Return the steps as a waterfall from one price, or loss, to the other; small ones are one step together."""
    measure, (first, last) = _Measure.of(walk), (printable(each.scenario.name, SHORT) for each in (walk.a, walk.b))
    large = _large(walk, measure)
    steps = [(_step_label(each), measure.size(each.in_turn)) for each in large]
    small = [each for each in walk.steps if each not in large]
    if small:
        label = _step_label(small[0]) if len(small) == 1 else f"{len(small)} smaller steps"
        steps.append((label, sum(measure.size(each.in_turn) for each in small)))
    ends = [(name, measure.level(run)) for name, run in zip((first, last), (walk.a, walk.b), strict=True)]
    unit = "USD" if measure.priced else "%"
    chart = Waterfall(ends[0], tuple(steps), ends[1], unit, "USD" if measure.priced else "pp", measure.digits)
    table = walk_table(walk, explained=explained, by_line=by_line)
    of = "USD per useful GPU-hour" if measure.priced else "lost GPU-hours"
    says = f"{walk_sentence(walk)}{_interaction(walk, measure)}"
    return Picture(f"{table.title}: {of}", says, chart, table)


def _step_label(step: WalkStep) -> str:
    """Return what changes at a step where that is short, else what the step is called."""
    told = "; ".join(dict.fromkeys(map(_told, step.changes)))
    return told if len(told) <= LONGEST_LABEL else step.label


def _large(walk: Walk, measure: _Measure) -> list[WalkStep]:
    whole = sum(abs(measure.size(each.in_turn)) for each in walk.steps)
    return [each for each in walk.steps if abs(measure.size(each.in_turn)) > LEAST_SHARE * whole]


def _names(walk: Walk) -> tuple[str, str]:
    return printable(walk.a.scenario.name, SHORT), printable(walk.b.scenario.name, SHORT)


def _told(change: Change) -> str:
    """Write one change: "MTBF 25,000 h to 15,000 h"; of a table what differs in it, if that is one key."""
    label, (first, last) = change.label, change.texts
    if change.whole_entry:
        return f"{'without' if last == ABSENT else 'with'} {change.key}"
    if len(change.rows) == 1 and change.rows[0][0] != change.key:
        key, first, last = change.rows[0]
        label = f"{label} {key.removeprefix(change.key).strip('.').replace('_', ' ')}"
    return f"{label} {first} to {last}"


# --- two scenarios side by side -----------------------------------------------------------------------------------

_TABLES: dict[str, Mapping[str, str]] = {
    "What is simulated": SIMULATED,
    "What it costs": PRICED,
    "Read by no run and no bill": UNREAD,
}
_KINDS = ("that runs depend on", "of prices", "that neither depends on")


def diff_page(found: Differences) -> Page:
    """Return the inputs that differ, key by key, and what each group does where it was simulated."""
    first, last = printable(found.a.name), printable(found.b.name)
    tables, told = [], []
    for (title, groups), kind in zip(_TABLES.items(), _KINDS, strict=True):
        rows = [
            Row(printable(key, 80), (printable(a, 60), printable(b, 60)))
            for each in found.changes
            if each.group in groups
            for key, a, b in each.rows
        ]
        if rows:
            told.append(f"{len(rows)} {kind}")
            tables.append(Table(title, (first, last), tuple(rows), corner="key"))
    answer = f"{first} and {last} have the same inputs."
    if told:
        count = sum(len(table.rows) for table in tables)
        answer = f"{first} and {last} differ in {count} {'key' if count == 1 else 'keys'}: {and_list(told)}."
    walks = [found.walk] if found.walk is not None and found.walk.steps else []
    return Page(answer=(answer,), parts=(*tables, *walk_parts(walks, by_line=False)))
