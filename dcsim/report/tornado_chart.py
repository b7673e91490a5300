"""A tornado: what each input does to a figure, the longest bar on top, to both sides of the figure as it is."""

from collections.abc import Callable

from dcsim.report.document import Tornado
from dcsim.report.figures import number
from dcsim.report.svg_sheet import EDGE, FAINT, INK, WIDTH, Sheet, ticks, width

LOW, HIGH, CHANCE = "#2a78b5", "#e08a1e", "#a9b4be"
"""Colours of an input's low end, its high end, and of chance; source: assumed, they differ in lightness too."""
ROW, THICK, SMALL = 44.0, 16.0, 11.0
"""Points: the height of an input with its label, of its bar, and the size of the letters beside it."""
GAP = 6.0
LEGEND = (("input at its low end", LOW), ("at its high end", HIGH))

End = tuple[float, tuple[float, float] | None, str]


def draw_tornado(chart: Tornado) -> Sheet:
    """Draw a tornado; values are in the chart's unit."""
    rows = len(chart.labels) + (chart.chance is not None)
    top = 58.0
    foot = top + ROW * rows + 4
    sheet = Sheet(foot + 40)
    ends = [end for pair in zip(chart.lows, chart.highs, strict=True) for end in pair]
    reached: list[float] = [chart.middle, *(edge for value, interval, _ in ends for edge in (value, *(interval or ())))]
    reached += chart.chance or ()
    low, high = min(reached), max(reached)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    room = max([width(text, SMALL) for _, _, text in ends], default=0.0) + GAP + EDGE
    unit = (WIDTH - 2 * room) / (high - low)

    def x(value: float) -> float:
        return room + (value - low) * unit

    _legend(sheet, chart)
    sheet.text(x(chart.middle), 42, f"{number(chart.middle, chart.digits)} {chart.unit} as it is", anchor="middle")
    for row, (label, its_low, its_high) in enumerate(zip(chart.labels, chart.lows, chart.highs, strict=True)):
        at = top + ROW * row
        sheet.text(EDGE, at + 9, label, bold=row < chart.marked)
        middle = at + 28
        bars = sorted(((its_low, LOW), (its_high, HIGH)), key=lambda end: -abs(end[0][0] - chart.middle))
        for (value, _, _), colour in bars:  # the shorter one on top, where both lie on one side
            sheet.box(x(chart.middle), middle - THICK / 2, (value - chart.middle) * unit, THICK, colour)
        for _, interval, _ in (its_low, its_high):
            if interval is not None and interval[1] > interval[0]:
                sheet.line((x(interval[0]), middle), (x(interval[1]), middle), INK, 1.6)
        _names_of_ends(sheet, chart, (its_low, its_high), x, middle)
    if chart.chance is not None:
        at = top + ROW * len(chart.labels)
        sheet.text(EDGE, at + 9, "chance alone: nine runs in ten")
        start, end = chart.chance
        sheet.box(x(start), at + 28 - THICK / 2, max((end - start) * unit, 1.0), THICK, CHANCE)
    sheet.line((x(chart.middle), 50), (x(chart.middle), foot), INK, 1.2)
    sheet.line((EDGE, foot), (WIDTH - EDGE, foot), FAINT, 0.8)
    for value in ticks(low, high, 5):
        sheet.line((x(value), foot), (x(value), foot + 3), FAINT, 0.8)
        sheet.text(x(value), foot + 12, f"{value:,.10g}", size=SMALL, colour=FAINT, anchor="middle")
    sheet.text(WIDTH / 2, foot + 28, chart.unit, size=SMALL, colour=FAINT, anchor="middle")
    return sheet


def _legend(sheet: Sheet, chart: Tornado) -> None:
    left = EDGE
    for text, colour in LEGEND:
        sheet.box(left, 9, 10, 10, colour)
        sheet.text(left + 15, 14, text, size=SMALL)
        left += 15 + width(text, SMALL) + 14


def _names_of_ends(
    sheet: Sheet, chart: Tornado, ends: tuple[End, End], x: Callable[[float], float], middle: float
) -> None:
    """Write what the ends of an input are called beside its bar; both on one side where both lie there."""
    left, right = sorted(ends, key=lambda end: end[0])
    from_left = min([left[0], *(left[1] or ())])
    to_right = max([right[0], *(right[1] or ())])
    if left[0] <= chart.middle <= right[0]:
        sheet.text(x(from_left) - GAP, middle, left[2], size=SMALL, anchor="end")
        sheet.text(x(to_right) + GAP, middle, right[2], size=SMALL)
    elif left[0] > chart.middle:
        sheet.text(x(to_right) + GAP, middle, right[2], size=SMALL)
        sheet.text(x(chart.middle) - GAP, middle, left[2], size=SMALL, anchor="end")
    else:
        sheet.text(x(from_left) - GAP, middle, left[2], size=SMALL, anchor="end")
        sheet.text(x(chart.middle) + GAP, middle, right[2], size=SMALL)
