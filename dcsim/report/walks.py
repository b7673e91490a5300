"""Why offers differ: their inputs side by side, and the steps from one offer to another."""

from dataclasses import dataclass

from dcsim.decide.differences import Change
from dcsim.decide.result import RunResult, price_all_in
from dcsim.decide.walk import Effect, Walk, WalkStep
from dcsim.montecarlo import Paired
from dcsim.report.document import Picture, Waterfall
from dcsim.report.figures import Cell, Figure, loss_digits, price_digits, scale_of
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, printable

LEAST_SHARE = 0.005
"""A step that moves less than this share of what all steps move together is no part of a sentence or a picture;
source: assumed."""
STRONG = 0.1
"""A step whose size depends on what has changed before it by more than this share of the largest step is named;
source: assumed."""


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

    def cell(self, effect: Effect | None) -> Figure:
        return signed(None if effect is None else self.paired(effect), 1 if self.priced else 100, self.digits)


def signed(found: Paired | None, scale: float, least: int) -> Figure:
    """Return a difference with its sign and interval; decimals as ``least``, or as many as the interval needs."""
    if found is None:
        return Figure(None)
    half, digits = found.shown_half_width, least
    while half and digits < 4 and half * scale < 10**-digits:
        digits += 1
    return Figure(scale * found.mean, digits, None if not half else scale * half, signed=True)


# --- steps from one offer to another ------------------------------------------------------------------------------


def walk_sentence(walk: Walk) -> str:
    """Say how far apart two offers are, which steps make most of it, and where the order of the steps matters."""
    measure, (first, last) = _Measure.of(walk), _names(walk)
    gap = measure.size(walk.gap)
    ranked = sorted(_large(walk, measure), key=lambda each: -abs(measure.size(each.in_turn)))
    what = "USD per useful GPU-hour" if measure.priced else "percentage points lost"
    told = and_list([f"{each.label} {measure.size(each.in_turn):+.{measure.digits}f}" for each in ranked[:3]])
    rest = len(walk.steps) - len(ranked[:3])
    more = f" and {rest} more" if rest else ""
    said = f"{last} less {first}: {gap:+.{measure.digits}f} {what}"
    said += f", of which {told}{more}." if ranked else "."
    return f"{said}{_interaction(walk, measure)}"


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


def walk_table(walk: Walk) -> Table:
    """Return every step: in its turn, as the only change, and as the last one; and what all of them add up to."""
    measure, (first, last) = _Measure.of(walk), _names(walk)
    steps = [(each.label, each.in_turn, each.alone, each.missing) for each in walk.steps]
    paid = [each.in_turn.paid_usd for each in walk.steps]
    bills = None not in paid
    scale, unit = scale_of([each.mean for each in (*paid, walk.gap.paid_usd) if each])

    def row(label: str, effect: Effect, cells: tuple[Cell, ...], strong: bool = False) -> Row:
        lost = signed(effect.lost, 100, 2)
        priced = (measure.cell(effect),) if measure.priced else ()
        dollar = (signed(effect.paid_usd, 1 / scale, 2),) if bills else ()
        order = (*priced, *cells, lost) if measure.priced else (lost, *cells)
        return Row(label, (*order, *dollar), strong)

    rows = [
        row(label, in_turn, (measure.cell(alone), measure.cell(missing))) for label, in_turn, alone, missing in steps
    ]
    rows.append(row("all steps", walk.gap, ("", ""), strong=True))
    columns = ["USD per useful GPU-h"] if measure.priced else ["lost, points"]
    columns += ["as the only change", "as the last change"]
    columns += ["lost, points"] if measure.priced else []
    columns += [f"paid, {unit}"] if bills else []
    runs = f"{walk.replications:,} runs" if walk.replications > 1 else "one run"
    notes = [
        f"{first} takes over the inputs of {last} in this order, in {runs} with the same random numbers. The first "
        "column adds up to the gap: each step comes after those above it. The only change: nothing else of "
        f"{first} changes. The last change: everything else has changed before.",
    ]
    if bills:
        notes.append(
            "Steps say which input moves the bill, the gap by line says where it is booked: support on a dearer rent "
            "is a step of the rent and a line of support. What is paid comes to the same in both."
        )
    return Table(
        f"Why {last} differs from {first}",
        tuple(columns),
        tuple(rows),
        corner="what changes",
        notes=tuple(notes),
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


def walk_picture(walk: Walk) -> Picture:
    """Return the steps as a waterfall from one price, or loss, to the other; small ones are one step together."""
    measure, (first, last) = _Measure.of(walk), (printable(each.scenario.name, SHORT) for each in (walk.a, walk.b))
    large = _large(walk, measure)
    steps = [(each.label, measure.size(each.in_turn)) for each in large]
    small = [each for each in walk.steps if each not in large]
    if small:
        label = small[0].label if len(small) == 1 else f"{len(small)} smaller steps"
        steps.append((label, sum(measure.size(each.in_turn) for each in small)))
    ends = [(name, measure.level(run)) for name, run in zip((first, last), (walk.a, walk.b), strict=True)]
    unit = "USD" if measure.priced else "%"
    chart = Waterfall(ends[0], tuple(steps), ends[1], unit, "USD" if measure.priced else "pp", measure.digits)
    table = walk_table(walk)
    of = "USD per useful GPU-hour" if measure.priced else "lost GPU-hours"
    return Picture(f"{table.title}: {of}", walk_sentence(walk), chart, table)


def _large(walk: Walk, measure: _Measure) -> list[WalkStep]:
    whole = sum(abs(measure.size(each.in_turn)) for each in walk.steps)
    return [each for each in walk.steps if abs(measure.size(each.in_turn)) > LEAST_SHARE * whole]


def _names(walk: Walk) -> tuple[str, str]:
    return printable(walk.a.scenario.name, SHORT), printable(walk.b.scenario.name, SHORT)


def _told(change: Change) -> str:
    """Write one change: "MTBF 25,000 h to 15,000 h"; of a table what differs in it, if that is one key."""
    label, (first, last) = change.label, change.texts
    if len(change.rows) == 1 and change.rows[0][0] != change.key:
        key, first, last = change.rows[0]
        label = f"{label} {key.removeprefix(change.key).strip('.').replace('_', ' ')}"
    return f"{label} {first} to {last}"
