"""Which input to measure first, as a page: the answer, a tornado, and what each input does in numbers."""

import shlex
from collections.abc import Sequence
from dataclasses import replace

from dcsim import __version__
from dcsim.decide.sensitivity import Bar, Sensitivity
from dcsim.decide.sensitivity_inputs import MTBF_RANGE, UNCERTAIN
from dcsim.montecarlo import Summary
from dcsim.report.document import Page, Picture, Section, Tornado
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.report.published_tables import caution_sentences
from dcsim.report.sensitivity_answer import (
    LEAST_BAR,
    SAID,
    MoveUnit,
    end_text,
    in_per_cent,
    one_sided,
    sentences,
    unit_of,
)
from dcsim.scenario import certain, sha256
from dcsim.scenario.uncertain import MONEY

MOST_BARS = 12
"""Bars of a chart; source: assumed, what a page shows at a glance. The table has all of them."""
LONGEST = 46
"""Letters of a key in a chart; source: assumed, what fits a phone."""

# --- tables and the picture -------------------------------------------------------------------------------------------


def inputs_table(found: Sensitivity) -> Table:
    """Return what each input does, the longest bar first."""
    unit = unit_of(found)
    exact = all(bar.extent.half_width in (None, 0.0) for bar in found.bars)
    rows = [
        Row(
            printable(bar.input.key, 60),
            (
                end_text(bar.input.low),
                end_text(bar.input.high),
                unit.value(bar.low.mean),
                unit.value(bar.high.mean),
                unit.moves(bar.moves, None if exact else _half(bar)),
            ),
            strong=bar.input.key in found.level,
        )
        for bar in found.bars
    ]
    title = f"What each input does to {SAID.get(found.metric.name, f'the {found.metric.label}')}"
    columns = ("low end", "high end", f"at low, {unit.name}", f"at high, {unit.name}", f"moves it by ±, {unit.change}")
    at_points = f"All inputs at their point values: {unit.value(found.at_base.mean)} {unit.name}."
    return Table(title, columns, tuple(rows), corner="input", notes=(at_points,))


def _half(bar: Bar) -> float | None:
    return None if bar.extent.shown_half_width is None else bar.extent.shown_half_width / 2


def shares_table(found: Sensitivity) -> Table | None:
    """Return the shares of the variance of single runs; None where there are none."""
    shares = found.shares
    if shares is None or shares.variance == 0:
        return None
    named = sorted(zip(shares.keys, shares.inputs, strict=True), key=lambda each: -each[1].total)
    rows = [
        Row(
            printable(key, 60),
            (
                in_per_cent(index.first),
                f"{in_per_cent(index.first_ci95[0])} to {in_per_cent(index.first_ci95[1])}",
                in_per_cent(index.total),
                f"{in_per_cent(index.total_ci95[0])} to {in_per_cent(index.total_ci95[1])}",
            ),
        )
        for key, index in (*named, ("chance", shares.chance))
    ]
    notes = (
        "First: what would vanish if the input were known. Total: what would be left if all else were known; it is "
        "larger where inputs work together.",
        f"Sobol' indices of single runs, {shares.blocks} x {shares.runs:,} of them; estimates below 0 are shown as 0.",
    )
    columns = ("first, %", "95 % interval", "total, %", "95 % interval")
    return Table("Shares of the variance of single runs", columns, tuple(rows), corner="input", notes=notes)


def tornado(found: Sensitivity) -> Picture:
    """Return the chart of the longest bars, with the table of all."""
    unit = unit_of(found)
    bars = [bar for bar in found.bars if bar.moves >= LEAST_BAR * found.bars[0].moves][:MOST_BARS]

    def ends(side: str) -> tuple[tuple[float, tuple[float, float] | None, str], ...]:
        return tuple(_end(unit, getattr(bar, side), end_text(getattr(bar.input, side))) for bar in bars)

    spread = found.at_base
    chance = None if found.replications == 1 else (spread.p5 * unit.scale, spread.p95 * unit.scale)
    chart = Tornado(
        tuple(printable(bar.input.key, LONGEST) for bar in bars),
        ends("low"),
        ends("high"),
        found.at_base.mean * unit.scale,
        unit.name,
        len([bar for bar in bars if bar.input.key in found.level]),
        chance,
        min(5, unit.digits + 1),
    )
    first, left = bars[0], len(found.bars) - len(bars)
    says = (
        f"With {printable(first.input.key, 60)} at {end_text(first.input.low)} it is {unit.value(first.low.mean)} "
        f"{unit.name}, at {end_text(first.input.high)} {unit.value(first.high.mean)} {unit.name}."
    )
    says += f" The table has {left} more inputs, which move it less." if left > 1 else ""
    says += " The table has one more input, which moves it less." if left == 1 else ""
    says += "".join(f" {each}" for each in one_sided(found)[:1])
    return Picture(
        f"What moves {SAID.get(found.metric.name, f'the {found.metric.label}')}", says, chart, inputs_table(found)
    )


def _end(unit: MoveUnit, at: Summary, text: str) -> tuple[float, tuple[float, float] | None, str]:
    interval = at.ci95 if at.reliable else None
    told = f"{text}: {unit.value(at.mean)}"
    return at.mean * unit.scale, interval and (interval[0] * unit.scale, interval[1] * unit.scale), told


# --- pages ------------------------------------------------------------------------------------------------------------


def notes_of(found: Sensitivity) -> list[str]:
    """Return what a reader should know of the ranges and the runs."""
    sources = {bar.input.source for bar in found.bars}
    notes = []
    if UNCERTAIN in sources:
        notes.append("[[uncertain]] inputs are moved to their P5 and P95, all others stay at their point values.")
    if MTBF_RANGE in sources:
        notes.append("An MTBF is moved to both ends of its mtbf_range.")
    notes += one_sided(found)
    for bar in found.bars:
        if bar.input.follows:
            keys = and_list([printable(key, 60) for key in bar.input.follows])
            notes.append(
                f"{printable(bar.input.key, 60)} takes along what is correlated with it: {keys}, to its median then."
            )
    if any(bar.input.at_low.cluster.gpus != bar.input.at_high.cluster.gpus for bar in found.bars):
        notes.append("Spares are bought: jobs keep their GPUs, and cluster.gpus moves along with cluster.spares.")
    prices = [bar for bar in found.bars if bar.input.money]
    if prices:
        tables = ", ".join(MONEY)
        notes.append(
            "Prices (tco) need no runs of their own: the same runs are billed at other prices."
            if all(bar.input.key.startswith("tco.") for bar in prices)
            else f"What only money depends on ({tables}) needs no runs of its own: the same runs are billed anew."
        )
    notes += [printable(note, 400) for note in found.notes]
    if found.why_no_shares:
        notes.append(found.why_no_shares)
    if found.base.runs_needed is not None and found.replications > 1:
        notes.append(f"Too few runs for reliable intervals; about {found.base.runs_needed:,} are needed (-n).")
    return notes


def sensitivity_page(found: Sensitivity, notes: Sequence[str] = ()) -> Page:
    """Return what a screen shows of a sensitivity."""
    shares = shares_table(found)
    first, others = caution_sentences([certain(found.scenario)], found.replications, simulated=True)
    return Page(
        answer=sentences(found),
        cautions=first,
        parts=(inputs_table(found), *([shares] if shares else [])),
        notes=(*others, *notes_of(found), *notes),
    )


def sensitivity_document(found: Sensitivity, command: Sequence[str], notes: Sequence[str] = ()) -> Page:
    """Return the whole report of a sensitivity: the tornado first, then the shares of the variance."""
    scenario, shares = found.scenario, shares_table(found)
    sections = [Section("shares", "Where the spread of single runs is from", parts=(shares,))] if shares else []
    made = Passage(
        "How to make this again",
        (
            ("command", shlex.join(printable(word, 200) for word in command)),
            ("seed", str(scenario.seed)),
            ("dcsim", __version__),
            (f"sha256 of {printable(scenario.name, 40)}", sha256(scenario)),
        ),
    )
    return replace(
        sensitivity_page(found, notes),
        title=printable(f"{scenario.name}: which input to measure first?", 120),
        about=(
            f"{scenario.cluster.gpus:,} GPUs of {printable(scenario.cluster.topology.name)}. Each input is moved alone "
            f"to both ends of its range, {found.replications:,} runs at each end, all with the same random numbers.",
        ),
        parts=(tornado(found),),
        sections=tuple(sections),
        made=made,
    )
