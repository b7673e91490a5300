"""The report of a sweep: its charts, its tables, and how the figures came about."""

import shlex
from collections.abc import Sequence

from dcsim import __version__
from dcsim.decide.sweep import Point, Sweep
from dcsim.decide.sweep_files import positions
from dcsim.decide.variants import Axis
from dcsim.report.document import HeatMap, Lines, Page, Part, Picture, Section, WinnerMap
from dcsim.report.figures import PointUnit
from dcsim.report.page import SHORT, Passage, and_list, printable
from dcsim.report.sweep_page import (
    formula_pivots,
    grid_of,
    pivot,
    points_list,
    rank,
    said_value,
    sentences,
    setting,
    texts_of,
    title_of,
    unit_of,
    winners_sentence,
    winners_table,
)
from dcsim.scenario import sha256

# --- pictures ---------------------------------------------------------------------------------------------------------


def _lines(sweep: Sweep, axis: Axis) -> Picture:
    """Draw the figure along one axis: a line for each offer; of several axes the best value of the others."""
    unit, region, place = unit_of(sweep), sweep.region, sweep.axes.index(axis)
    where = positions(axis)
    known = tuple(float(index) for index in range(len(axis.values))) if where is None else where[0]
    scatter = sweep.drawn
    series = []
    marks: list[tuple[int, int]] = []
    best: tuple[int, int] | None = None
    for line, offer in enumerate(sweep.offers):
        its = [point for point in sweep.points if point.offer == line]
        if not scatter:
            its = [
                min((each for each in its if each.inputs[place][1] is value), key=lambda each: rank(sweep, each))
                for value in axis.values
            ]
        values = tuple(None if each.measured is None else each.measured.mean / unit.scale for each in its)
        intervals = tuple(_interval(sweep, each, unit) for each in its)
        series.append((printable(offer.name, SHORT), values, intervals))
        for spot, point in enumerate(its):
            if region is not None and point.number in region.members:
                marks.append((line, spot))
            if region is not None and point.number == region.best:
                best = (line, spot)
    chosen = [point.inputs[place][1] for point in sweep.points if point.offer == 0] if scatter else list(axis.values)
    at = [known[axis.values.index(value)] for value in chosen]
    texts = [said_value(value) for value in chosen]
    others = " (at the best values of the other keys)" if len(sweep.axes) > 1 and not scatter else ""
    chart = Lines(
        tuple(at),
        tuple(texts),
        tuple(series),
        axis.key + others,
        unit.name,
        best,
        tuple(marks),
        unit.digits,
        not scatter,
    )
    return Picture(f"{title_of(sweep)} by {axis.key}{others}", sentences(sweep)[0], chart, points_list(sweep, 1000))


def _interval(sweep: Sweep, point: Point, unit: PointUnit) -> tuple[float, float] | None:
    found = point.figures[sweep.metric.name]
    if found is None or found.ci95 is None or not found.reliable:
        return None
    return found.ci95[0] / unit.scale, found.ci95[1] / unit.scale


def _range(sweep: Sweep, offer: int, lines: Sequence[Sequence[Point]]) -> str:
    """Say what a map shows: the answer, or for one of several offers its best setting."""
    if len(sweep.offers) == 1:
        return sentences(sweep)[0]
    best = min((point for line in lines for point in line), key=lambda each: rank(sweep, each))
    if best.measured is None:
        return f"{printable(sweep.offers[offer].name)} has no such figure."
    said = unit_of(sweep).said(best.measured.mean)
    return f"{printable(sweep.offers[offer].name)} at its best: {said} with {setting(best.inputs)}."


def _heat_map(sweep: Sweep, offer: int) -> Picture:
    unit, region, lines = unit_of(sweep), sweep.region, grid_of(sweep, offer)
    places = {point.number: (row, column) for row, line in enumerate(lines) for column, point in enumerate(line)}
    values = tuple(
        tuple(None if each.measured is None else each.measured.mean / unit.scale for each in line) for line in lines
    )
    chart = HeatMap(
        texts_of(sweep.axes[0]),
        texts_of(sweep.axes[1]),
        values,
        sweep.axes[0].key,
        sweep.axes[1].key,
        unit.name,
        sweep.metric.lower_is_better,
        None if region is None else places.get(region.best),
        () if region is None else tuple(places[each] for each in region.members if each in places),
        unit.digits,
    )
    name = f": {printable(sweep.offers[offer].name)}" if len(sweep.offers) > 1 else ""
    return Picture(f"{title_of(sweep)}, {unit.name}{name}", _range(sweep, offer, lines), chart, pivot(sweep, offer))


def _winner_map(sweep: Sweep) -> Picture:
    columns = len(sweep.axes[1].values)
    found = [each.offers for each in sweep.winners]
    winners = tuple(tuple(found[start : start + columns]) for start in range(0, len(found), columns))
    names = tuple(printable(each.name, SHORT) for each in sweep.offers)
    first, second = sweep.axes
    chart = WinnerMap(texts_of(first), texts_of(second), names, winners, first.key, second.key)
    return Picture("Which is best where", " ".join(winners_sentence(sweep)), chart, winners_table(sweep))


def _pictures(sweep: Sweep) -> tuple[Part, ...]:
    if sweep.region is None:
        return ()
    if len(sweep.axes) == 2 and not sweep.drawn:
        maps = [_heat_map(sweep, number) for number in range(len(sweep.offers))]
        return (*([_winner_map(sweep)] if sweep.winners else []), *maps)
    return tuple(_lines(sweep, axis) for axis in sweep.axes)


def _by_formula(sweep: Sweep) -> tuple[Part, ...]:
    if len(sweep.axes) != 2 or sweep.drawn:
        return ()
    return tuple(table for offer in range(len(sweep.offers)) for table in formula_pivots(sweep, offer))


METHOD = (
    "Every setting is simulated with the same random numbers, so that the same failures strike wherever they can. The "
    "difference between two settings is taken run by run and is far surer than either figure. A setting is not told "
    "apart from the best one unless the difference is clear at 95 %, corrected for choosing the best among all "
    "(Bonferroni): with that probability the setting that is best in truth is among them. Intervals of single points "
    "are 95 % intervals of their means."
)


def sweep_document(sweep: Sweep, command: Sequence[str] = (), notes: Sequence[str] = ()) -> Page:
    """Return the report of a sweep."""
    pictures = _pictures(sweep)
    names = printable(" or ".join(each.name for each in sweep.offers), 80)
    items = [("command", shlex.join([printable(word, 200) for word in command]))] if command else []
    items += [("seed", str(sweep.offers[0].seed)), ("dcsim", __version__)]
    items += [(f"sha256 of {printable(each.name)}", sha256(each)) for each in sweep.offers]
    about = [f"{len(sweep.points):,} points of {sweep.runs:,} runs each."]
    about += [
        f"{printable(each.name)}: {printable(each.description, 300)}" for each in sweep.offers if each.description
    ]
    sections = [
        Section("points", "Points", parts=(points_list(sweep, 200), *_by_formula(sweep))),
        *([Section("where", "Which is best where", parts=(winners_table(sweep),))] if sweep.winners else []),
        Section(
            "method", "Method", (METHOD,), (Passage("Notes", tuple(("", each) for each in (*sweep.notes, *notes))),)
        ),
    ]
    return Page(
        tuple(sentences(sweep)),
        pictures,
        title=f"{names}: {and_list([printable(axis.key) for axis in sweep.axes])}" if sweep.axes else names,
        about=tuple(about),
        sections=tuple(sections),
        made=Passage("How to make this again", tuple(items)),
    )
