"""Limits that a pipeline gave (``--fail-if``): which are kept or broken, and by how much, as a part of a report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isfinite

from dcsim.decide.gates import OPTION, UNDER, Gate, Judged, gate_scale, judge
from dcsim.decide.result import RunResult
from dcsim.decide.sweep import Point
from dcsim.decide.variants import value_text
from dcsim.report.document import Page, Section
from dcsim.report.figures import MISSING, Cell, Figure
from dcsim.report.page import Row, Table, printable
from dcsim.units import SHARE, parse

MOST_ROWS = 60
"""Limits that the table shows, broken ones first; source: assumed."""
MOST_TOLD = 10
"""Gates that have a line each, of a sweep with many points; source: assumed."""


def limits_of(command: Sequence[str]) -> tuple[Gate, ...]:
    """Return the gates that a noted command gave; raises ScenarioError for one that this version cannot read."""
    given = pairwise(command)
    return tuple(
        Gate.under(float(parse(text, SHARE))) if option == UNDER else Gate.read(text)
        for option, text in given
        if option in (OPTION, UNDER)
    )


def judged_again(command: Sequence[str], runs: Sequence[RunResult]) -> tuple[Judged, ...]:
    """Judge kept runs by the gates of the command that made them; what needs offers that are not here is left out."""
    names = [run.scenario.name for run in runs]
    gates = [each for each in limits_of(command) if each.kind != "cheaper" or (len(runs) > 1 and each.name in names)]
    return judge(gates, runs)


def judging_points(gates: Sequence[Gate], judged: list[Judged]) -> Callable[[Point, RunResult], None]:
    """Return what ``sweep`` calls with every point: it judges the point and adds that to a list."""

    def judge_point(point: Point, result: RunResult) -> None:
        settings = ", ".join(f"{key} {value_text(value)}" for key, value in point.inputs)
        name = f"{result.scenario.name} at {settings}" if settings else result.scenario.name
        judged.extend(replace(one, name=name) for one in judge(gates, [result]))

    return judge_point


def gate_lines(judged: Sequence[Judged]) -> list[str]:
    """Return a line for each gate that is broken, or not certain, as they come; of many how many more there are."""
    told = [str(each) for each in judged if each.broken or not (each.certain or each.gate.option == UNDER)]
    more = len(told) - MOST_TOLD
    told = told if more <= 0 else [*told[:MOST_TOLD], f"and {more:,} more that are broken or not certain"]
    return told + beyond_lines([each for each in judged if str(each) in told])


def beyond_lines(judged: Sequence[Judged]) -> list[str]:
    """Return what the figures of these gates count beside the jobs, once each."""
    return list(dict.fromkeys(each.beyond for each in judged if each.beyond))


def gate_sentences(judged: Sequence[Judged]) -> list[str]:
    """Return what a page says first: each gate that is broken, or not certain, and how many hold."""
    broken, gates = {each.gate for each in judged if each.broken}, {each.gate for each in judged}
    told, held = [f"{line}." for line in gate_lines(judged)], len(gates - broken)
    if held:
        told.append("The gate holds." if len(gates) == 1 else f"{held} of {len(gates)} gates hold{'s' * (held == 1)}.")
    return told


def with_limits(page: Page, judged: Sequence[Judged]) -> Page:
    """Return a page that says first which limits are broken, and has a section with all of them."""
    if not judged:
        return page
    told = page.after(gate_sentences(judged))
    return replace(told, sections=(limits_section(judged), *page.sections))


def limits_section(judged: Sequence[Judged]) -> Section:
    """Return every limit with what was found and how far that is from the bound, broken ones first."""
    several = len({each.name for each in judged}) > 1
    rows = tuple(_row(each, several) for each in judged[:MOST_ROWS])
    more = len(judged) - len(rows)
    notes: tuple[str, ...] = (
        "A limit says what must not be. Not certain: the bound lies within the 95 % interval, or there is none.",
    )
    notes += tuple(f"{line}." for line in beyond_lines(judged))
    notes += (f"{more:,} more are kept or not certain; --json has all.",) if more > 0 else ()
    columns = ("found", "bound", "stands", "distance")
    return Section("limits", "Limits", parts=(Table("Limits (--fail-if)", columns, rows, "must not be", notes),))


def _row(each: Judged, several: bool) -> Row:
    label = f"{printable(each.name, 80)}: {each.gate.text}" if several else each.gate.text
    stands = "broken" if each.broken else "kept"
    stands += "" if each.certain or each.value is None else ", not certain"
    bound = each.gate.condition.bound
    if each.value is None:
        return Row(label, ("no such figure", MISSING, stands, MISSING), strong=each.broken)
    scale, unit, digits = gate_scale(each.gate.unit, each.value, each.ci95)
    even = each.gate.kind == "mean" and each.ci95 is not None and all(map(isfinite, each.ci95))
    half = (each.ci95[1] - each.ci95[0]) / 2 / scale if even and each.ci95 is not None else None
    behind = f" {unit}"
    found: Cell = Figure(each.value / scale, digits, half or None).with_words(behind)
    limit: Cell = Figure(bound / scale, digits).with_words(behind)
    points = " points" if unit == "%" else behind
    distance: Cell = Figure(abs(each.value - bound) / scale, digits).with_words(points)
    return Row(label, (found, limit, stands, distance if isfinite(each.value) else MISSING), strong=each.broken)
