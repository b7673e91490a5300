"""Charts of values along an axis and over two: lines with intervals, curves, maps of values and of winners."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, log10

from dcsim.report.document import Curves, HeatMap, Lines, WinnerMap
from dcsim.report.figures import number
from dcsim.report.legend import colours, legend, legend_height
from dcsim.report.svg_sheet import EDGE, FAINT, INK, PAPER, WIDTH, Sheet, ticks, width

LOG_FROM = 30.0
"""An axis whose last value is so many times its first one, or more, is logarithmic; source: assumed."""
MOST_POWERS = 6
"""Steps between powers of ten along an axis; source: assumed, what fits."""
PALE, DEEP, WASH = (232, 241, 249), (24, 78, 124), "#2a78b52e"
"""Colours of the best and of the worst value of a map, and of a part of an axis, which lets the page shine through."""
TAKEN_APART = "large dots: not told apart from the best"


def _along(positions: Sequence[float], left: float, right: float) -> list[float]:
    """Return where positions lie between two edges [points], on a scale of their own."""
    low, high = min(positions), max(positions)
    if low > 0 and high / low >= LOG_FROM:
        positions, low, high = [log10(each) for each in positions], log10(low), log10(high)
    wide = high - low
    return [(left + right) / 2 if wide == 0 else left + (each - low) / wide * (right - left) for each in positions]


def _axis_labels(sheet: Sheet, y: float, places: Sequence[float], labels: Sequence[str]) -> None:
    """Write what stands along an axis, as much of it as fits, from the left to the right."""
    free = 0.0
    for place, label in sorted(zip(places, labels, strict=True)):
        half = width(label, 11) / 2
        if label and place - half >= free:
            sheet.text(place, y, label, size=11, colour=FAINT, anchor="middle")
            free = place + half + 6


def draw_lines(chart: Lines) -> Sheet:
    names = [name for name, _, _ in chart.series]
    top = (legend_height(names) if len(names) > 1 else EDGE) + 22
    foot = top + 170
    sheet = Sheet(foot + (58 if chart.marked else 44))
    shades = colours(names)
    if len(names) > 1:
        legend(sheet, names, shades)
    reached = [each for _, values, _ in chart.series for each in values if each is not None]
    reached += [end for _, _, intervals in chart.series for each in intervals if each for end in each]
    low, high = min(reached, default=0.0), max(reached, default=1.0)
    spare = 0.08 * (high - low) or abs(high) or 1.0
    low, high = low - 2 * spare, high + 2 * spare  # room for what is written at the best value
    heights = [(each, f"{each:,.10g}") for each in ticks(low, high, 4, whole=False)]
    left = max([54.0, *(width(text, 11) + 6 + EDGE for _, text in heights)])
    places = _along(chart.positions, left + 10, WIDTH - 22)

    def height(value: float) -> float:
        return foot - (value - low) / (high - low) * (foot - top)

    sheet.text(EDGE, top - 12, chart.unit, size=11, colour=FAINT)
    if len(names) == 1 and len(chart.marked) > 1:
        ends = [places[place] for _, place in chart.marked]
        sheet.box(min(ends) - 6, top, max(ends) - min(ends) + 12, foot - top, WASH)
    for level, text in heights:
        sheet.line((left, height(level)), (WIDTH - 12, height(level)), FAINT, 0.3)
        sheet.text(left - 6, height(level), text, size=11, colour=FAINT, anchor="end")
    sheet.line((left, foot), (WIDTH - 12, foot), FAINT, 0.8)
    order = sorted(range(len(places)), key=lambda place: chart.positions[place])
    for line, ((_, values, intervals), colour) in enumerate(zip(chart.series, shades, strict=True)):
        for one, two in pairwise(order) if chart.joined else ():
            first, second = values[one], values[two]
            if first is not None and second is not None:
                sheet.line((places[one], height(first)), (places[two], height(second)), colour, 1.6)
        for place, (value, interval) in enumerate(zip(values, intervals, strict=True)):
            if value is None:
                continue
            if interval is not None:
                sheet.line((places[place], height(interval[0])), (places[place], height(interval[1])), colour, 1)
            is_best, is_marked = (line, place) == chart.best, (line, place) in chart.marked
            sheet.dot(places[place], height(value), 4.5 if is_marked else 2.2, colour, INK if is_best else "")
    if chart.best is not None:
        line, place = chart.best
        best = chart.series[line][1][place]
        told, y = f"{chart.labels[place]}: {number(best, chart.digits)}", height(best or 0.0)
        half = width(told, bold=True) / 2  # beside the numbers of the axis, not over them
        x = min(max(places[place], left + half), WIDTH - EDGE - half)
        sheet.text(x, y + (13 if y > (top + foot) / 2 else -13), told, bold=True, anchor="middle")
    _axis_labels(sheet, foot + 12, places, chart.labels)
    sheet.text((left + WIDTH - 12) / 2, foot + 28, chart.title, size=11, colour=FAINT, anchor="middle")
    if len(chart.marked) > 1:
        sheet.text((left + WIDTH - 12) / 2, foot + 44, TAKEN_APART, size=11, colour=FAINT, anchor="middle")
    return sheet


def draw_curves(chart: Curves) -> Sheet:
    names = [name for name, _, _ in chart.series]
    shades = colours(names)
    top = legend_height(names) + 22
    foot = top + 190
    sheet = Sheet(foot + 42)
    legend(sheet, names, shades)
    kept = [[each for each in points if _is_on(chart, each)] for _, _, points in chart.series]
    reached = [y for points in kept for _, y in points]
    along = [x for points in kept for x, _ in points] + [x for x, _ in chart.ticks]
    if chart.log_y:
        heights = _powers(reached)
        low, high = log10(heights[0][0]), log10(heights[-1][0])
    else:
        low, high = 0.0, 1.05 * max(reached, default=1.0) or 1.0
        heights = _round(ticks(low, high, 4, whole=False))
    first, last = min(along, default=1.0), max(along, default=10.0)
    marks = chart.ticks or (_powers(along) if chart.log_x else _round(ticks(first, last, 6)))
    if chart.log_x:
        first, last = (log10(end) for end in (min(first, marks[0][0]), max(last, marks[-1][0])))
    left = max([40.0, *(width(text, 11) + 6 + EDGE for _, text in heights)])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) if chart.log_x else x) - first
        up = (log10(y) if chart.log_y else y) - low
        return (
            left + across / ((last - first) or 1.0) * (WIDTH - 22 - left),
            foot - up / (high - low) * (foot - top),
        )

    sheet.text(EDGE, top - 12, chart.unit, size=11, colour=FAINT)
    edge = 10**first if chart.log_x else first
    for level, text in heights:
        y = place(edge, level)[1]
        sheet.line((left, y), (WIDTH - 12, y), FAINT, 0.3)
        sheet.text(left - 6, y, text, size=11, colour=FAINT, anchor="end")
    sheet.line((left, foot), (WIDTH - 12, foot), FAINT, 0.8)
    for (_, how, _), points, colour in zip(chart.series, kept, shades, strict=True):
        spots = [place(*each) for each in points]
        held = [each for one, two in pairwise(spots) for each in (one, (two[0], one[1]))] + spots[-1:]
        if how == "dots":
            for x, y in spots:
                sheet.dot(x, y, 2.2, colour)
        elif how == "bars" and held:
            sheet.shape([(held[0][0], foot), *held, (held[-1][0], foot)], colour)
        elif held:
            sheet.curve(held if how == "steps" else spots, colour, 1.8, "5 3" if how == "dashes" else "")
    floor_y = heights[0][0] if chart.log_y else 0.0
    _axis_labels(sheet, foot + 12, [place(x, floor_y)[0] for x, _ in marks], [label for _, label in marks])
    sheet.text((left + WIDTH - 12) / 2, foot + 28, chart.title, size=11, colour=FAINT, anchor="middle")
    return sheet


def _round(values: Sequence[float]) -> list[tuple[float, str]]:
    return [(each, f"{each:,.10g}") for each in values]


def _powers(values: Sequence[float]) -> list[tuple[float, str]]:
    """Return the powers of ten around values above 0, at least two and not many."""
    low, high = floor(log10(min(values, default=1.0))), ceil(log10(max(values, default=10.0)))
    step = max(1, ceil((high - low) / MOST_POWERS))
    return _round([10.0**power for power in range(low, max(high, low + 1) + step, step)])


def _is_on(chart: Curves, point: tuple[float, float]) -> bool:
    """Whether a logarithmic axis has a place for a point."""
    return (point[0] > 0 or not chart.log_x) and (point[1] > 0 or not chart.log_y)


class _Cells:
    """The places of a map's cells, its labels and the titles of its axes."""

    def __init__(self, chart: HeatMap | WinnerMap, top: float, below: float) -> None:
        self.top, self.high = top + 22, max(12.0, min(26.0, 520 / len(chart.rows)))
        self.left = min(max(width(text, 11) for text in chart.rows) + 10 + EDGE, WIDTH / 3)
        self.wide = (WIDTH - self.left - 12) / len(chart.columns)
        foot = self.top + self.high * len(chart.rows)
        self.foot, self.sheet = foot, Sheet(foot + 40 + below)
        self.sheet.text(EDGE, top + 8, chart.row_title, size=11, colour=FAINT)
        for row, label in enumerate(chart.rows):
            self.sheet.text(self.left - 5, self.corner(row, 0)[1] + self.high / 2, label, size=11, anchor="end")
        middles = [self.corner(0, column)[0] + self.wide / 2 for column in range(len(chart.columns))]
        _axis_labels(self.sheet, foot + 11, middles, chart.columns)
        self.sheet.text(WIDTH - 12, foot + 27, chart.column_title, size=11, colour=FAINT, anchor="end")

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """The upper left corner of a cell."""
        return self.left + column * self.wide, self.top + row * self.high

    def outline(self, cells: Sequence[tuple[int, int]]) -> None:
        """Draw a line around cells that belong together: where a neighbour does not belong to them."""
        for row, column in cells:
            x, y = self.corner(row, column)
            right, below = x + self.wide, y + self.high
            sides = {
                (row - 1, column): ((x, y), (right, y)),
                (row + 1, column): ((x, below), (right, below)),
                (row, column - 1): ((x, y), (x, below)),
                (row, column + 1): ((right, y), (right, below)),
            }
            for neighbour, (start, end) in sides.items():
                if neighbour not in cells:
                    self.sheet.line(start, end, INK, 2)


def _shade(share: float) -> tuple[str, str]:
    """Return the colour of a cell, from the best to the worst value, and that of the letters on it.

    Dark and white letters have the same contrast, 4.2, on a share of 0.7.
    """
    mixed = [round(pale + share * (deep - pale)) for pale, deep in zip(PALE, DEEP, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed), "#ffffff" if share > 0.7 else "#14181c"


def draw_heat_map(chart: HeatMap) -> Sheet:
    cells = _Cells(chart, 0.0, 34.0)
    sheet, known = cells.sheet, [each for row in chart.values for each in row if each is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def share(value: float) -> float:
        part = (value - low) / (high - low) if high > low else 0.0
        return part if chart.lower_is_better else 1 - part

    for row, values in enumerate(chart.values):
        for column, value in enumerate(values):
            x, y = cells.corner(row, column)
            colour, ink = (FAINT, INK) if value is None else _shade(share(value))
            sheet.box(x, y, cells.wide, cells.high, colour)
            told, bold = "-" if value is None else str(number(value, chart.digits)), (row, column) == chart.best
            size = 11 if width(told, 11, bold) <= cells.wide - 2 else 9
            if width(told, size, bold) <= cells.wide and cells.high >= size + 2:
                middle = (x + cells.wide / 2, y + cells.high / 2)
                sheet.text(*middle, told, size=size, colour=ink, bold=bold, anchor="middle")
            elif bold:
                sheet.dot(x + cells.wide / 2, y + cells.high / 2, min(cells.wide, cells.high) / 4, "#e08a1e")
    cells.outline(chart.marked)
    y, ends = cells.foot + 48, (low, high) if chart.lower_is_better else (high, low)
    for step in range(10):
        sheet.box(EDGE + 12 * step, y - 6, 12, 12, _shade(step / 9)[0])
    told = f"{number(ends[0], chart.digits)} to {number(ends[1], chart.digits)} {chart.unit}"
    sheet.text(EDGE + 128, y, told, size=11)
    if len(chart.marked) > 1:
        sheet.text(EDGE, y + 16, "outlined: not told apart from the best, which is in bold", size=11, colour=FAINT)
    return sheet


def draw_winner_map(chart: WinnerMap) -> Sheet:
    top = legend_height(chart.names)
    cells, shades = _Cells(chart, top, 18.0), colours(chart.names)
    legend(cells.sheet, chart.names, shades)
    tied = False
    for row, line in enumerate(chart.winners):
        for column, names in enumerate(line):
            x, y = cells.corner(row, column)
            part, tied = cells.wide / max(1, len(names)), tied or len(names) > 1
            for place, name in enumerate(names):
                cells.sheet.box(x + place * part, y, part, cells.high, shades[name])
            for end in ((x + cells.wide, y), (x, y + cells.high)):
                cells.sheet.line(end, (x + cells.wide, y + cells.high), PAPER, 1)
    if tied:
        cells.sheet.text(EDGE, cells.foot + 44, "two colours: not told apart", size=11, colour=FAINT)
    return cells.sheet
