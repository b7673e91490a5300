"""A sweep as a page: the best setting, what cannot be told apart from it, and which offer is best where."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dcsim.decide.metrics import Metric
from dcsim.decide.sweep import Point, Sweep
from dcsim.decide.sweep_files import positions
from dcsim.decide.sweep_region import Region
from dcsim.decide.variants import Axis, value_text
from dcsim.decide.verdict import SAME
from dcsim.montecarlo import Summary
from dcsim.report.document import Page, Part
from dcsim.report.figures import MISSING, Cell, PointUnit, dollars, per_cent
from dcsim.report.page import SHORT, Row, Table, and_list, printable

BEST_IS = {
    "loss": "the loss is smallest",
    "lost": "the loss is smallest",
    "goodput": "goodput is highest",
    "paid_usd": "least is paid",
    "total_usd": "the cost by the published method is lowest",
    "usd_per_useful_gpu_hour": "a useful GPU-hour costs least",
    "useful_gpu_hours": "most GPU-hours are useful",
    "wait_gpu_hours": "jobs wait least",
    "finish_h": "the last job is done soonest",
}
"""What is so at the best setting, by figure, where that is no plain "lowest" or "highest"."""
SETTINGS = {
    "spares": "{} spares",
    "gpus": "{} GPUs",
    "detect": "detection in {}",
    "repair": "repair in {}",
    "mtbf": "an MTBF of {}",
    "checkpoint_every": "a checkpoint every {}",
    "checkpoint_write": "checkpoint writes of {}",
    "failover": "failover in {}",
    "restore": "restore in {}",
    "crews": "{} crews",
    "gpu_hour": "a rent of {}",
    "utilisation": "a utilisation of {}",
}
"""How a sentence says the value of a key that ends so."""
NAMED = {"young": "Young's", "daly": "Daly's", "optimal": "the best"}
"""How a sentence says a checkpoint interval that is a word."""
MOST_ROWS, LONGEST = 40, 60
"""Points that a list shows, and letters of a value; source: assumed."""
HIDDEN = {"useful_gpu_hours"}
"""Figures that stand in the files alone, unless the sweep is about them."""
STANDINGS = {"best": "best", "tied": "not told apart", "worse": "worse", "no figure": ""}
"""How a table says how a point stands to the best one."""
MARK = " *"
"""Stands behind a value that is not told apart from the best one."""


def best_is(metric: Metric) -> str:
    """Say what is so at the best setting: "a useful GPU-hour costs least"."""
    least = "lowest" if metric.lower_is_better else "highest"
    return BEST_IS.get(metric.name, f"the {metric.label} is {least}")


def unit_of(sweep: Sweep) -> PointUnit:
    return PointUnit.of(sweep.metric, [point.measured.mean for point in sweep.points if point.measured is not None])


# --- sentences --------------------------------------------------------------------------------------------------------


def setting(inputs: Sequence[tuple[str, Any]]) -> str:
    """Say a setting in words: "24 spares and detection in 5 min"."""
    return and_list([_said(key, value) for key, value in inputs])


def _said(key: str, value: Any) -> str:
    told = SETTINGS.get(end := key.rpartition(".")[2])
    if end == "checkpoint_every" and str(value) in NAMED:
        return f"{NAMED[value]} checkpoint interval"
    if told is None or key.startswith("uncertain"):
        return f"{printable(key, LONGEST)} = {said_value(value)}"
    return told.format(said_value(value)).removesuffix("s" if value == 1 and told.endswith("s") else "")


def said_value(value: Any) -> str:
    """Write a value for a sentence or a label, its thousands separated."""
    text = printable(value_text(value), LONGEST)
    return re.sub(r"(?<![\w.])\d{5,}(?![\w.])", lambda found: f"{int(found[0]):,}", text)


def sentences(sweep: Sweep) -> list[str]:
    """Say which setting is best, what is as good, where the best may lie outside, and which offer is best where."""
    region = sweep.region
    if region is None:
        return [f"No point has a figure of {sweep.metric.label}."]
    said = [*winners_sentence(sweep), _best(sweep, region), *_about_as_good(sweep, region), *_at_an_end(sweep, region)]
    short = [point.runs_needed for point in sweep.points if point.runs_needed is not None]
    if sweep.runs == 1:
        said.append("One run gives no interval, so nothing is said of chance.")
    elif short:
        which = "all points" if len(short) == len(sweep.points) else f"{len(short)} of {len(sweep.points)} points"
        said.append(f"{sweep.runs:,} runs are too few for an interval at {which}; about {max(short):,} are needed.")
    return said


def _named(sweep: Sweep, point: Point) -> str:
    """Return a point in words, its offer too where there are several."""
    offer = printable(sweep.offers[point.offer].name)
    if len(sweep.offers) == 1:
        return setting(point.inputs)
    return f"{offer} with {setting(point.inputs)}" if point.inputs else offer


def _best(sweep: Sweep, region: Region) -> str:
    best = sweep.points[region.best]
    assert best.measured is not None
    named = _named(sweep, best)
    begins = f"At {named}," if len(sweep.offers) > 1 else f"With {named}"
    said = f"{begins} {best_is(sweep.metric)}: {unit_of(sweep).said(best.measured.mean)}"
    others = [number for number in region.members if number != region.best]
    known = sum(each != "no figure" for each in region.standings)
    if not region.judged or known == 1:
        return f"{said}."
    if not others:
        return f"{said}; every other {_kind(sweep)} is worse."
    if len(others) == known - 1:
        return f"{said}, but no {_kind(sweep)} can be told apart from it."
    return f"{said}; {_several(sweep, region)} cannot be told apart from it."


def _kind(sweep: Sweep) -> str:
    return "value" if len(sweep.axes) == 1 and len(sweep.offers) == 1 else "setting"


def _several(sweep: Sweep, region: Region) -> str:
    """Name the points of a region in few words: from where to where along one axis, or how many there are."""
    members, others = region.members, [each for each in region.members if each != region.best]
    if len(sweep.axes) == 1 and len(sweep.offers) == 1 and not sweep.drawn:
        values = [said_value(dict(sweep.points[each].inputs)[sweep.axes[0].key]) for each in members]
        if len(others) > 2 and members[-1] - members[0] == len(members) - 1 and positions(sweep.axes[0]) is not None:
            return f"{values[0]} to {values[-1]}"
        if len(others) <= 4:
            return and_list([value for each, value in zip(members, values, strict=True) if each != region.best])
    if len(others) <= 2:
        return and_list([_named(sweep, sweep.points[each]) for each in others])
    return f"{len(others)} of the other {len(sweep.points) - 1:,} settings"


def _about_as_good(sweep: Sweep, region: Region) -> list[str]:
    """Say what is within one per cent of the best, where that is more than what cannot be told apart from it."""
    best = sweep.points[region.best].measured
    assert best is not None
    near = [
        point.number
        for point in sweep.points
        if point.measured is not None and abs(point.measured.mean - best.mean) <= SAME * abs(best.mean)
    ]
    if len(near) <= len(region.members) or sweep.metric.unit == "1":
        return []
    if len(near) == len(sweep.points):
        return [f"All settings are within {per_cent(SAME, 0)} % of it."]
    wider = replace(region, standings=tuple("tied" if each in near else "worse" for each in range(len(sweep.points))))
    return [f"Within {per_cent(SAME, 0)} % of it: {_several(sweep, wider)}."]


def _at_an_end(sweep: Sweep, region: Region) -> list[str]:
    """Say where the best value is the first or the last one of an axis, so that a better one may lie beyond it."""
    found = []
    inputs = dict(sweep.points[region.best].inputs)
    if len(region.members) == len(sweep.points):
        return []
    for axis in sweep.axes:
        where = positions(axis)
        if where is None or len(axis.values) < 3:
            continue
        value = where[0][axis.values.index(inputs[axis.key])]
        if value == min(where[0]) and value > 0:
            found.append(f"{printable(axis.key, LONGEST)}: the lowest value is best, a lower one may be better.")
        elif value == max(where[0]):
            found.append(f"{printable(axis.key, LONGEST)}: the highest value is best, a higher one may be better.")
    return found


def winners_sentence(sweep: Sweep) -> list[str]:
    """Say at how many settings each offer is best; ties are told as ties."""
    if not sweep.winners or len(sweep.winners) < 2:
        return []
    alone = [each.offers[0] for each in sweep.winners if len(each.offers) == 1]
    told = [
        (printable(offer.name), alone.count(number)) for number, offer in enumerate(sweep.offers) if number in alone
    ]
    ties = sum(len(each.offers) > 1 for each in sweep.winners)
    number = len(sweep.winners)
    count = f"{number:,} settings"
    if not told:
        return [f"At none of {count} one is clearly the best."]
    if not ties and len(told) == 1:
        every = "both" if number == 2 else f"all {number:,}"
        return [f"{printable(sweep.offers[alone[0]].name)} is best at {every} settings."]
    tied = f"; at {ties:,} the best are not told apart" if ties else ""
    return [f"Of {count}, {and_list([f'{name} is best at {times:,}' for name, times in told])}{tied}."]


# --- tables -----------------------------------------------------------------------------------------------------------


def _label(sweep: Sweep, point: Point) -> str:
    texts = [said_value(value) for _, value in point.inputs]
    names = [printable(sweep.offers[point.offer].name, SHORT)] if len(sweep.offers) > 1 else []
    return ", ".join([*names, *texts])


def points_list(sweep: Sweep, most: int = MOST_ROWS) -> Table:
    """Return the points as rows: all of them in order, or the best of many."""
    region, unit = sweep.region, unit_of(sweep)
    points = list(sweep.points)
    notes = []
    if len(points) > most:
        points.sort(key=lambda point: rank(sweep, point))
        points = points[:most]
        notes.append(f"The best {most} of {len(sweep.points):,} points; points.csv has all.")
    named = {figure.name: figure for figure in sweep.figures if figure.name not in HIDDEN - {sweep.metric.name}}
    named = {name: each for name, each in named.items() if any(point.figures[name] for point in sweep.points)}
    ends = all(each.ends for each in sweep.offers)
    if ends and sweep.metric.name != "loss":
        named.pop("loss", None)  # of all hours up to the horizon, idle ones after the end included
    if {"loss", "lost"} <= set(named) and all(_mean(each, "loss") == _mean(each, "lost") for each in sweep.points):
        del named["loss" if sweep.metric.name == "lost" else "lost"]
    figures = sorted(named.values(), key=lambda figure: figure.name != sweep.metric.name)
    units = {each.name: unit if each.name == sweep.metric.name else of_figure(sweep, each) for each in figures}
    columns = [f"{_called(each, ends)}, {units[each.name].name}" for each in figures]
    known = _formulas(sweep)
    columns[1:1] = [f"by {each}, {unit.name}" for each in known]
    rows = []
    for point in points:
        cells: list[Cell] = [cell(units[each.name], point.figures[each.name]) for each in figures]
        cells[1:1] = [unit.figure(point.formulas[each]) for each in known]
        standing = MISSING if region is None else STANDINGS[region.standings[point.number]]
        rows.append(Row(_label(sweep, point), (cells[0], standing, *cells[1:]), strong=standing == "best"))
    corner = ", ".join([*(["scenario"] if len(sweep.offers) > 1 else []), *(axis.key for axis in sweep.axes)])
    return Table("Points", (columns[0], "against the best", *columns[1:]), tuple(rows), corner, tuple(notes))


def rank(sweep: Sweep, point: Point) -> float:
    if point.measured is None:
        return float("inf")
    return point.measured.mean if sweep.metric.lower_is_better else -point.measured.mean


def _mean(point: Point, name: str) -> float | None:
    found = point.figures[name]
    return None if found is None else found.mean


def _called(figure: Metric, ends: bool) -> str:
    lost = "loss until the last job is done" if ends else "loss without what no job asked for"
    short = {"useful_gpu_hours": "useful", "finish_h": "last job done", "lost": lost}
    return short.get(figure.name, figure.label)


def of_figure(sweep: Sweep, figure: Metric) -> PointUnit:
    """Return how a figure of all points is shown."""
    return PointUnit.of(
        figure, [summary.mean for each in sweep.points if (summary := each.figures[figure.name]) is not None]
    )


def cell(unit: PointUnit, summary: Summary | None) -> Cell:
    """Return a mean with the half width of its interval."""
    if summary is None:
        return MISSING
    if unit.name.endswith("USD") and not summary.shown_half_width:
        return dollars(summary.mean, unit.scale) if unit.scale > 1 else unit.figure(summary.mean)
    return unit.figure(summary.mean, summary.shown_half_width)


def grid_of(sweep: Sweep, offer: int) -> list[list[Point]]:
    """Return an offer's points by first axis, then second."""
    columns = len(sweep.axes[1].values)
    its = [point for point in sweep.points if point.offer == offer]
    return [its[start : start + columns] for start in range(0, len(its), columns)]


def texts_of(axis: Axis) -> tuple[str, ...]:
    return tuple(said_value(value) for value in axis.values)


def _corner(sweep: Sweep) -> str:
    """Name both axes by the ends of their keys, as far as these differ: a long corner leaves no room for columns."""
    keys = [axis.key for axis in sweep.axes]
    parts = [key.split(".") for key in keys]
    lengths = range(1, min(map(len, parts)))
    ends = ([".".join(each[-length:]) for each in parts] for length in lengths)
    first, second = next((each for each in ends if each[0] != each[1]), keys)
    return f"{first} (down), {second} (across)"


def pivot(sweep: Sweep, offer: int) -> Table:
    """Return the figure of an offer, the first axis down, the second one across."""
    unit, region = unit_of(sweep), sweep.region
    members = () if region is None else region.members
    rows = []
    for label, line in zip(texts_of(sweep.axes[0]), grid_of(sweep, offer), strict=True):
        cells: list[Cell] = []
        for point in line:
            value = None if point.measured is None else point.measured.mean
            marked = point.number in members and len(members) > 1
            cells.append(unit.figure(value).with_words(MARK if marked else ""))
        best = region is not None and any(point.number == region.best for point in line)
        rows.append(Row(label, tuple(cells), strong=best))
    notes = ("*: not told apart from the best.",) if len(members) > 1 else ()
    return _grid(sweep, offer, "", rows, notes)


def _grid(sweep: Sweep, offer: int, by: str, rows: Sequence[Row], notes: tuple[str, ...] = ()) -> Table:
    name = f", {printable(sweep.offers[offer].name)}" if len(sweep.offers) > 1 else ""
    title = f"{title_of(sweep)}{by}, {unit_of(sweep).name}{name}"
    return Table(title, texts_of(sweep.axes[1]), tuple(rows), _corner(sweep), notes)


def _formulas(sweep: Sweep) -> list[str]:
    """Return the names of the formulas that say something of some point."""
    known = [each.name for each in sweep.metric.formulas]
    return [name for name in known if any(point.formulas[name] is not None for point in sweep.points)]


def formula_pivots(sweep: Sweep, offer: int) -> list[Table]:
    """Return what each formula says of the same settings, in tables of the same shape."""
    unit, labels, found = unit_of(sweep), texts_of(sweep.axes[0]), []
    for formula in _formulas(sweep):
        cells = [[unit.figure(each.formulas[formula]) for each in line] for line in grid_of(sweep, offer)]
        rows = [Row(label, tuple(line)) for label, line in zip(labels, cells, strict=True)]
        found.append(_grid(sweep, offer, f" by {formula}", rows))
    return found


def title_of(sweep: Sweep) -> str:
    return sweep.metric.label[0].upper() + sweep.metric.label[1:]


def winners_table(sweep: Sweep) -> Table:
    """Return which offer is best at each setting, by how much, and what is not told apart from it."""
    unit, rows = unit_of(sweep), []
    for each in sweep.winners[:MOST_ROWS]:
        label = ", ".join(said_value(value) for _, value in each.inputs) or "-"
        if each.region is None:
            rows.append(Row(label, (MISSING, MISSING, MISSING)))
            continue
        best = sweep.points[each.points[each.region.best]]
        tied = [printable(sweep.offers[one].name, SHORT) for one in each.offers if one != each.region.best]
        mean = None if best.measured is None else best.measured.mean
        name = printable(sweep.offers[best.offer].name, SHORT)
        rows.append(Row(label, (name, unit.figure(mean), and_list(tied) or MISSING)))
    left = len(sweep.winners) - MOST_ROWS
    notes = [f"{left} further settings stand in sweep.json."] if left > 0 else []
    if sweep.winners and len(sweep.offers) > 2:
        notes.append("Of each setting: 95 %, corrected for the number of files.")
    columns = ("best", f"{sweep.metric.label}, {unit.name}", "not told apart")
    return Table("Which is best where", columns, tuple(rows), ", ".join(axis.key for axis in sweep.axes), tuple(notes))


# --- pages ------------------------------------------------------------------------------------------------------------


def sweep_page(sweep: Sweep, notes: Sequence[str] = ()) -> Page:
    """Return what a terminal shows: the answer, then the points."""
    two = len(sweep.axes) == 2 and not sweep.drawn and len(sweep.axes[1].values) <= MOST_ROWS
    grids = [[pivot(sweep, each), *formula_pivots(sweep, each)] for each in range(len(sweep.offers))] if two else []
    parts: list[Part] = [table for tables in grids for table in tables] or [points_list(sweep)]
    if len({each.offers for each in sweep.winners}) > 1:
        parts.append(winners_table(sweep))
    return Page(tuple(sentences(sweep)), tuple(parts), (*sweep.notes, *notes))
