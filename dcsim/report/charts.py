"""Charts as SVG: the same bytes for the same values, colours that follow the page's theme.

A chart is as wide as a phone and grows with the page, so its letters stay readable on both. Letters are text, not
curves: a reader can search them, and a file stays small.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from dcsim.report.axis_charts import draw_curves, draw_heat_map, draw_lines, draw_winner_map
from dcsim.report.document import (
    Areas,
    Bars,
    Chart,
    Curves,
    HeatMap,
    Histograms,
    Lines,
    Picture,
    Stacks,
    Tornado,
    Waterfall,
    WinnerMap,
)
from dcsim.report.figures import number
from dcsim.report.legend import COLOURS, INNER, ORDER, colours, legend, legend_height
from dcsim.report.svg_sheet import EDGE, FAINT, INK, WIDTH, Sheet, ticks, width
from dcsim.report.tornado_chart import draw_tornado

ROW = 46.0
"""Points: the height of a bar with its label."""
UP, DOWN = "#c8452f", "#4e9f6d"


def svg(picture: Picture) -> str:
    """Return a picture as an SVG element whose accessible name is its finding."""
    return _DRAWN[type(picture.chart)](picture.chart).svg(picture.says)


class _Scale:
    """Where values stand from left to right; texts behind the ends of bars have room, ``low`` is at the margin."""

    def __init__(self, low: float, high: float, behind: Sequence[tuple[str, bool]]) -> None:
        room = INNER - EDGE - max(width(text, bold=bold) for text, bold in behind)
        self.low, self.unit = low, room / (high - low)

    def x(self, value: float) -> float:
        return EDGE + (value - self.low) * self.unit

    def behind(self, value: float) -> float:
        return self.x(value) + 6


def _bars(chart: Bars) -> Sheet:
    sheet = Sheet(ROW * len(chart.labels) + EDGE)
    most = max([*chart.values, *(each[1] for each in chart.intervals if each), 1e-12])
    told = [f"{number(value, chart.digits)} {chart.unit}" for value in chart.values]
    scale = _Scale(0.0, most, [(text, False) for text in told])
    for row, (label, value, interval) in enumerate(zip(chart.labels, chart.values, chart.intervals, strict=True)):
        marked, middle = row == chart.marked, ROW * row + 31
        sheet.text(EDGE, ROW * row + 11, label, bold=marked)
        sheet.box(EDGE, middle - 10, value * scale.unit, 20, ORDER[0] if marked else COLOURS["idle"])
        reach = value
        if interval is not None:
            reach = max(value, interval[1])
            sheet.line((scale.x(interval[0]), middle), (scale.x(interval[1]), middle), INK, 2)
        sheet.text(scale.behind(reach), middle, told[row])
    return sheet


def _stacks(chart: Stacks) -> Sheet:
    names = [name for name, _ in chart.series]
    top = legend_height(names)
    sheet = Sheet(top + ROW * len(chart.labels) + EDGE)
    shades = colours(names)
    legend(sheet, names, shades)
    totals = [sum(values[row] for _, values in chart.series) for row in range(len(chart.labels))]
    lowest = [sum(min(0.0, values[row]) for _, values in chart.series) for row in range(len(chart.labels))]
    highest = [sum(max(0.0, values[row]) for _, values in chart.series) for row in range(len(chart.labels))]
    told = [f"{number(total, 2 if abs(total) < 1000 else 0)} {chart.unit}" for total in totals]
    scale = _Scale(min(0.0, *lowest), max([*highest, 1e-12]), [(text, False) for text in told])
    for row, label in enumerate(chart.labels):
        middle = top + ROW * row + 31
        up = down = 0.0
        for (_, values), colour in zip(chart.series, shades, strict=True):
            value = values[row]
            sheet.box(scale.x(up if value >= 0 else down), middle - 10, value * scale.unit, 20, colour)
            up, down = (up + value, down) if value >= 0 else (up, down + value)
        sheet.text(EDGE, top + ROW * row + 11, label)
        sheet.text(scale.behind(up), middle, told[row])
    return sheet


def _waterfall(chart: Waterfall) -> Sheet:
    line = 40.0
    sheet = Sheet(line * (len(chart.steps) + 2) + EDGE)
    levels = [chart.first[1]]
    for _, step in chart.steps:
        levels.append(levels[-1] + step)
    ends = [f"{value:.{chart.digits}f} {chart.unit}" for value in (levels[0], chart.last[1])]
    told = [f"{step:+z.{chart.digits}f} {chart.step_unit}" for _, step in chart.steps]
    behind = [*((text, True) for text in ends), *((text, False) for text in told)]
    scale = _Scale(min(0.0, *levels), max(*levels, chart.last[1], 1e-12), behind)

    def bar(row: int, start: float, size: float, colour: str, label: str, says: str, bold: bool = False) -> None:
        middle = line * row + 29
        sheet.text(EDGE, line * row + 13, label, bold=bold)
        sheet.box(scale.x(start), middle - 7, size * scale.unit, 14, colour)
        sheet.text(scale.behind(max(start, start + size)), middle, says, bold=bold)

    bar(0, 0, levels[0], ORDER[0], chart.first[0], ends[0], True)
    for row, (name, step) in enumerate(chart.steps, 1):
        bar(row, levels[row - 1], step, UP if step > 0 else DOWN, name, told[row - 1])
    bar(len(chart.steps) + 1, 0, chart.last[1], ORDER[0], chart.last[0], ends[1], True)
    return sheet


def _histograms(chart: Histograms) -> Sheet:
    strip, gap = 84.0, 76.0
    sheet = Sheet((strip + gap) * len(chart.labels) + EDGE)
    for index, (label, counts, edges, marks) in enumerate(
        zip(chart.labels, chart.counts, chart.edges, chart.marks, strict=True)
    ):
        top = index * (strip + gap) + 46
        foot = top + strip
        told = ", ".join(f"{name} {number(value, chart.digits)}" for name, value in marks)
        sheet.text(EDGE, top - 34, label, bold=True)
        sheet.text(EDGE, top - 14, f"{told} {chart.unit}")
        unit = INNER / 1.4 / (edges[-1] - edges[0])  # a fifth of the range stays free on each side
        places = [EDGE + INNER / 7 + (edge - edges[0]) * unit for edge in edges]
        for count, (left, right) in zip(counts, pairwise(places), strict=True):
            sheet.box(left + 0.25, foot, right - left - 0.5, -strip * count / (1.05 * max(counts)), ORDER[0])
        for _, value in marks:
            x = places[0] + (value - edges[0]) * unit
            sheet.line((x, top), (x, foot), INK, 1.2, "3.6 2.4")
        sheet.line((EDGE, foot), (WIDTH - EDGE, foot), FAINT, 0.8)
        for x, edge in ((places[0], edges[0]), (places[-1], edges[-1])):
            tick = f"{number(edge, chart.digits)} {chart.unit}"
            sheet.text(x, foot + 10, tick, size=11, colour=FAINT, anchor="middle")
    return sheet


def _areas(chart: Areas) -> Sheet:
    names = [name for name, _ in chart.panels[0][2]]
    top = legend_height(names)
    panel, gap = 130.0, 78.0
    sums = [sum(bins) for _, _, series in chart.panels for bins in zip(*(values for _, values in series), strict=True)]
    most = 1.05 * max([*sums, 1.0])
    sheet = Sheet(top + (panel + gap) * len(chart.panels))
    shades = colours(names)
    legend(sheet, names, shades)
    heights = [(value, f"{value:,.0f}") for value in ticks(0.0, most, 4)]
    left = max(54.0, *(width(text, 11) + 6 + EDGE for _, text in heights))
    wide = WIDTH - 12 - left
    for index, (title, edges, series) in enumerate(chart.panels):
        at = top + index * (panel + gap) + 40
        foot = at + panel
        sheet.text(EDGE, at - 27, title, bold=True)
        sheet.text(EDGE, at - 11, chart.unit, size=11, colour=FAINT)
        unit = wide / (edges[-1] - edges[0])
        x = [left + (each - edges[0]) * unit for edge in pairwise(edges) for each in edge]
        base = [0.0] * (len(edges) - 1)
        for (_, values), colour in zip(series, shades, strict=True):
            upper = [low + value for low, value in zip(base, values, strict=True)]
            if any(values):
                low, high = ([foot - panel * each / most for each in line for _ in range(2)] for line in (base, upper))
                sheet.shape([*zip(x, high, strict=True), *reversed([*zip(x, low, strict=True)])], colour)
            base = upper
        sheet.line((left, at), (left, foot), FAINT, 0.8)
        sheet.line((left, foot), (WIDTH - 12, foot), FAINT, 0.8)
        for value, text in heights:
            y = foot - panel * value / most
            sheet.line((left - 3, y), (left, y), FAINT, 0.8)
            sheet.text(left - 6, y, text, size=11, colour=FAINT, anchor="end")
        for value in ticks(edges[0], edges[-1], 6):
            place = left + (value - edges[0]) * unit
            sheet.line((place, foot), (place, foot + 3), FAINT, 0.8)
            text = f"{value:,.0f}" if value == round(value) else f"{value:g}"
            sheet.text(place, foot + 11, text, size=11, colour=FAINT, anchor="middle")
        sheet.text(left + wide / 2, foot + 25, chart.x_unit, size=11, colour=FAINT, anchor="middle")
    return sheet


_DRAWN: dict[type[Chart], Callable[[Any], Sheet]] = {
    Bars: _bars,
    Stacks: _stacks,
    Waterfall: _waterfall,
    Histograms: _histograms,
    Areas: _areas,
    Lines: draw_lines,
    HeatMap: draw_heat_map,
    WinnerMap: draw_winner_map,
    Tornado: draw_tornado,
    Curves: draw_curves,
}
