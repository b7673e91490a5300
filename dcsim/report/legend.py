"""What series of a chart are called: names beside their colours, as many to a line as fit."""

from collections.abc import Sequence

from dcsim.report.document import WORDS
from dcsim.report.svg_sheet import EDGE, FAINT, WIDTH, Sheet, width

INNER = WIDTH - 2 * EDGE
"""Points between the margins of a chart."""
COLOURS = {
    "running": "#9fc3e0",
    "useful": "#2a78b5",
    "overhead": "#7a5195",
    "checkpoint": "#b07aa1",
    "lost": "#c8452f",
    "detect": "#e08a1e",
    "failover": "#edc948",
    "restore": "#4e9f6d",
    "wait": "#b58b00",
    "repair": "#8c5a3c",
    "maintenance": "#7f8c8d",
    "spare": "#76b7b2",
    "idle": "#a9b4be",
    "unpowered": "#5b5b66",
    "others": FAINT,
}
COLOURS |= {WORDS[state]: COLOURS[state] for state in WORDS}
"""Colours of the states; source: assumed, neighbours differ in lightness; names stand beside them."""
ORDER = ("#2a78b5", "#e08a1e", "#4e9f6d", "#c8452f", "#7a5195", "#76b7b2", "#edc948", "#8c5a3c", "#7f8c8d")
"""Colours of whatever is no state, in turn."""


def _spots(names: Sequence[str]) -> list[tuple[float, int]]:
    """Return where each name of a legend begins, from the left [points] and in which line: as many to one as fit."""
    line, left = 0, 0.0
    found = []
    for name in names:
        takes = 15 + width(name, 11)
        if left and left + takes > INNER:
            line, left = line + 1, 0.0
        found.append((left, line))
        left += takes + 10
    return found


def legend_height(names: Sequence[str]) -> float:
    """Return how high the legend of some names is [points]."""
    return 20.0 * (max((line for _, line in _spots(names)), default=0) + 1) + EDGE


def legend(sheet: Sheet, names: Sequence[str], shades: Sequence[str]) -> None:
    """Write names beside squares of their colours."""
    for name, colour, (left, line) in zip(names, shades, _spots(names), strict=True):
        x, y = EDGE + left, EDGE + 8 + 20 * line
        sheet.box(x, y - 5, 10, 10, colour)
        sheet.text(x + 15, y, name, size=11)


def colours(names: Sequence[str]) -> list[str]:
    """Return a colour for each name: that of a state, else the next one in turn."""
    others = iter(ORDER * (1 + len(names) // len(ORDER)))
    return [COLOURS.get(name) or next(others) for name in names]
