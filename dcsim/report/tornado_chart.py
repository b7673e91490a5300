"""A tornado: what each input does to a figure, the longest bar on top, to both sides of the figure as it is."""

from collections.abc import Callable

from dcsim.report.document import Tornado
from dcsim.report.figures import number
from dcsim.report.legend import COLOURS, ORDER, legend
from dcsim.report.svg_sheet import EDGE, FAINT, INK, WIDTH, Sheet, ticks, width

LOW, HIGH, CHANCE = ORDER[0], ORDER[1], COLOURS["idle"]
"""Colours of an input's low end, its high end, and of chance."""
ROW, THICK, SMALL = 44.0, 16.0, 11.0
"""Points: the height of an input with its label, of its bar, and the size of the letters beside it."""
GAP = 6.0

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
    x = _place(chart, low, high)

    legend(sheet, ("input at its low end", "at its high end"), (LOW, HIGH))
    sheet.text(x(chart.middle), 42, f"as given: {number(chart.middle, chart.digits)} {chart.unit}", anchor="middle")
    for row, (label, its_low, its_high) in enumerate(zip(chart.labels, chart.lows, chart.highs, strict=True)):
        at = top + ROW * row
        sheet.text(EDGE, at + 9, label, bold=row < chart.marked)
        middle = at + 28
        bars = sorted(((its_low, LOW), (its_high, HIGH)), key=lambda end: -abs(end[0][0] - chart.middle))
        for (value, _, _), colour in bars:  # the shorter one on top, where both lie on one side
            sheet.box(x(chart.middle), middle - THICK / 2, x(value) - x(chart.middle), THICK, colour)
        for _, interval, _ in (its_low, its_high):
            if interval is not None and interval[1] > interval[0]:
                sheet.line((x(interval[0]), middle), (x(interval[1]), middle), INK, 1.6)
        sheet.line((x(chart.middle), middle - 11), (x(chart.middle), middle + 11), INK, 1.2)
        for at_left, place, text in _names_of_ends(chart.middle, its_low, its_high):
            sheet.text(
                x(place) + (-GAP if at_left else GAP), middle, text, size=SMALL, anchor="end" if at_left else "start"
            )
    if chart.chance is not None:
        at = top + ROW * len(chart.labels)
        sheet.text(EDGE, at + 9, "chance alone: nine runs in ten")
        start, end = chart.chance
        sheet.box(x(start), at + 28 - THICK / 2, max(x(end) - x(start), 1.0), THICK, CHANCE)
        sheet.line((x(chart.middle), at + 17), (x(chart.middle), at + 39), INK, 1.2)
    sheet.line((EDGE, foot), (WIDTH - EDGE, foot), FAINT, 0.8)
    for value in ticks(low, high, 5):
        sheet.line((x(value), foot), (x(value), foot + 3), FAINT, 0.8)
        sheet.text(x(value), foot + 12, f"{value:,.10g}", size=SMALL, colour=FAINT, anchor="middle")
    sheet.text(WIDTH / 2, foot + 28, chart.unit, size=SMALL, colour=FAINT, anchor="middle")
    return sheet


def _place(chart: Tornado, low: float, high: float) -> Callable[[float], float]:
    """Return where values stand from left to right: as wide as the names beside the bars allow."""
    names = [
        (at_left, place, width(text, SMALL) + GAP)
        for its_low, its_high in zip(chart.lows, chart.highs, strict=True)
        for at_left, place, text in _names_of_ends(chart.middle, its_low, its_high)
    ]

    def start(unit: float) -> float:
        """The least place of ``low`` at which every name to the left of its bar has room."""
        return max([EDGE, *(EDGE + wide - (place - low) * unit for at_left, place, wide in names if at_left)])

    def fits(unit: float) -> bool:
        ends = [(high - low) * unit, *((place - low) * unit + wide for at_left, place, wide in names if not at_left)]
        return start(unit) + max(ends) <= WIDTH - EDGE

    most = (WIDTH - 2 * EDGE) / (high - low)
    unit = next((most * share / 100 for share in range(100, 20, -1) if fits(most * share / 100)), most / 5)
    return lambda value: start(unit) + (value - low) * unit


def _names_of_ends(middle: float, its_low: End, its_high: End) -> list[tuple[bool, float, str]]:
    """Return for both ends of an input whether its name stands to the left, beside which value, and the name.

    Where both lie on one side of the middle, the nearer one is named on the other side of it.
    """
    left, right = sorted((its_low, its_high), key=lambda end: end[0])
    from_left = min([left[0], *(left[1] or ())])
    to_right = max([right[0], *(right[1] or ())])
    return [(True, min(from_left, middle), left[2]), (False, max(to_right, middle), right[2])]
