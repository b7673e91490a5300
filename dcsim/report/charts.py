"""Charts as SVG, drawn by matplotlib: the same bytes for the same values, colours that follow the page's theme.

A chart is as wide as a phone and grows with the page, so its letters stay readable on both. Letters are text, not
curves: a reader can search them, and a file stays small.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from dcsim.report.document import WORDS, Areas, Bars, Chart, Histograms, Picture, Stacks, Waterfall
from dcsim.report.figures import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW, EDGE, LETTER = 420.0, 46.0, 8.0, 7.4
"""Points: the width of a chart, the height of a bar with its label, margins, the width of a letter (an upper bound)."""
FONT = "DejaVu Sans"
INK, FAINT, GRID, PAPER = "#101010", "#606060", "#d0d0d0", "#fefefe"
"""Stand-ins: the page puts its own colours in their place, light or dark."""
THEME = {INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--line)", PAPER: "var(--paper)"}
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
UP, DOWN = "#c8452f", "#4e9f6d"


def svg(picture: Picture) -> str:
    """Return a picture as an SVG element whose accessible name is its finding."""
    import matplotlib

    out = io.StringIO()
    settings: Any = {
        "svg.hashsalt": picture.title,
        "svg.fonttype": "none",
        "font.family": FONT,
        "font.size": 12.0,
        "text.parse_math": False,  # a name may hold dollars
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Letters that its own font lacks are text in the file; the reader's fonts have them.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        none: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawn = _DRAWN[type(picture.chart)](picture.chart)
        drawn.savefig(out, format="svg", metadata=none, transparent=True)
    return _for_a_page(out.getvalue(), picture.says)


def _for_a_page(text: str, says: str) -> str:
    """Take off what a page has no place for, and put its colours and letters in."""
    body = text.partition("<svg ")[2].partition(">")[2].rpartition("</svg>")[0]
    box = re.search(r'viewBox="([^"]+)"', text)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    body = re.sub(r' d="([^"]*)"', lambda found: f' d="{_short(found[1])}"', body)
    body = re.sub(r"\n\s*", "\n", body)
    for stand_in, theme in THEME.items():
        body = body.replace(stand_in, theme)
    body = re.sub(r"(\d) 'DejaVu Sans'[^;\"]*", r"\1 var(--font)", body)
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", body)
    assert box is not None
    return f'<svg role="img" aria-label={quoteattr(says)} viewBox="{box[1]}"><title>{escape(says)}</title>{body}</svg>'


def _short(path: str) -> str:
    """Write a path to a tenth of a point; steps along one axis name the other's value no more."""
    out: list[str] = []
    at = ("", "")
    for command, x, y in re.findall(r"([A-Za-z])\s*(?:(-?[\d.]+)\s+(-?[\d.]+))?", path):
        if command not in "MLz":
            return re.sub(r"\s+", " ", path)
        to = (_tenth(x), _tenth(y)) if x else at
        if command == "z":
            out.append("z")
        elif command == "M":
            out.append(f"M{to[0]} {to[1]}")
        elif to != at:
            out.append(f"V{to[1]}" if to[0] == at[0] else f"H{to[0]}" if to[1] == at[1] else f"L{to[0]} {to[1]}")
        at = to
    return "".join(out)


def _tenth(text: str) -> str:
    return f"{float(text):.1f}".removesuffix(".0")


# --- charts -------------------------------------------------------------------------------------------------------


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / 72, height / 72), dpi=72)


def _axes(figure: "Figure", low: float, top: float, height: float) -> "Axes":
    """Return axes over the whole width, from ``top`` down by ``height`` points; ``low``: the figure's height."""
    axes = figure.add_axes((EDGE / WIDTH, 1 - (top + height) / low, 1 - 2 * EDGE / WIDTH, height / low))
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, colors=FAINT, labelsize=11)
    axes.set_yticks([])
    return axes


def _room(texts: Sequence[str]) -> float:
    """Return how many times as long as the longest bar the axis must be, so that texts behind the bars are whole."""
    wide = WIDTH - 2 * EDGE
    return wide / (wide - EDGE - LETTER * max(map(len, texts)))


def _bars(chart: Bars) -> "Figure":
    height = ROW * len(chart.labels) + EDGE
    figure = _figure(height)
    axes = _axes(figure, height, 0, height)
    most = max([*chart.values, *(each[1] for each in chart.intervals if each), 1e-12])
    axes.set_xlim(0, most * _room([f"{number(value, chart.digits)} {chart.unit}" for value in chart.values]))
    axes.set_ylim(len(chart.labels), 0)
    axes.set_xticks([])
    for row, (label, value, interval) in enumerate(zip(chart.labels, chart.values, chart.intervals, strict=True)):
        axes.barh(row + 0.68, value, 0.42, color=ORDER[0] if row == chart.marked else COLOURS["idle"])
        axes.text(
            0, row + 0.3, label, color=INK, va="center", ha="left", weight="bold" if row == chart.marked else "normal"
        )
        told = number(value, chart.digits)
        reach = value
        if interval is not None:
            reach = max(value, interval[1])
            axes.plot(interval, (row + 0.68, row + 0.68), color=INK, lw=2, solid_capstyle="butt")
        axes.text(reach + 0.015 * most, row + 0.68, f"{told} {chart.unit}", color=INK, va="center", ha="left")
    return figure


def _spots(names: Sequence[str]) -> list[tuple[float, int]]:
    """Return where each name of a legend begins, from the left [points] and in which line: as many to one as fit."""
    wide, line, left = WIDTH - 2 * EDGE, 0, 0.0
    found = []
    for name in names:
        takes = 22 + LETTER * len(name)
        if left and left + takes > wide:
            line, left = line + 1, 0.0
        found.append((left, line))
        left += takes
    return found


def _legend_height(names: Sequence[str]) -> float:
    return 20.0 * (max((line for _, line in _spots(names)), default=0) + 1) + EDGE


def _legend(figure: "Figure", height: float, names: Sequence[str], colours: Sequence[str]) -> None:
    """Write names beside squares of their colours."""
    for name, colour, (left, line) in zip(names, colours, _spots(names), strict=True):
        x, y = (EDGE + left) / WIDTH, 1 - (EDGE + 8 + 20 * line) / height
        figure.text(x, y, "■", color=colour, va="center", ha="left", size=13)
        figure.text(x + 15 / WIDTH, y, name, color=INK, va="center", ha="left", size=11)


def _colours(names: Sequence[str]) -> list[str]:
    others = iter(ORDER * (1 + len(names) // len(ORDER)))
    return [COLOURS.get(name) or next(others) for name in names]


def _stacks(chart: Stacks) -> "Figure":
    names = [name for name, _ in chart.series]
    top = _legend_height(names)
    height = top + ROW * len(chart.labels) + EDGE
    figure = _figure(height)
    colours = _colours(names)
    _legend(figure, height, names, colours)
    axes = _axes(figure, height, top, ROW * len(chart.labels))
    totals = [sum(values[row] for _, values in chart.series) for row in range(len(chart.labels))]
    lowest = [sum(min(0.0, values[row]) for _, values in chart.series) for row in range(len(chart.labels))]
    highest = [sum(max(0.0, values[row]) for _, values in chart.series) for row in range(len(chart.labels))]
    low, high = min(0.0, *lowest), max([*highest, 1e-12])
    told = [f"{number(total, 2 if abs(total) < 1000 else 0)} {chart.unit}" for total in totals]
    axes.set_xlim(low, low + _room(told) * (high - low))
    axes.set_ylim(len(chart.labels), 0)
    for row, label in enumerate(chart.labels):
        up = down = 0.0
        for (_, values), colour in zip(chart.series, colours, strict=True):
            value = values[row]
            axes.barh(row + 0.68, value, 0.42, left=up if value >= 0 else down, color=colour)
            up, down = (up + value, down) if value >= 0 else (up, down + value)
        axes.text(low, row + 0.3, label, color=INK, va="center", ha="left")
        axes.text(up + 0.015 * (high - low), row + 0.68, told[row], color=INK, va="center", ha="left")
    axes.set_xticks([])
    return figure


def _waterfall(chart: Waterfall) -> "Figure":
    rows = len(chart.steps) + 2
    line = 40.0
    height = line * rows + EDGE
    figure = _figure(height)
    axes = _axes(figure, height, 0, height - EDGE)
    levels = [chart.first[1]]
    for _, step in chart.steps:
        levels.append(levels[-1] + step)
    low, high = min(0.0, *levels), max(*levels, chart.last[1], 1e-12)
    axes.set_xlim(low, low + _room([f"+00.{'0' * chart.digits} {chart.step_unit}"]) * (high - low))
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    room = 0.012 * (high - low)

    def bar(row: int, start: float, size: float, colour: str, label: str, told: str, weight: str = "normal") -> None:
        axes.barh(row + 0.72, size, 0.36, left=start, color=colour)
        axes.text(low, row + 0.33, label, color=INK, va="center", ha="left", weight=weight)
        axes.text(max(start, start + size) + room, row + 0.72, told, color=INK, va="center", ha="left", weight=weight)

    unit = chart.unit
    bar(0, 0, levels[0], ORDER[0], chart.first[0], f"{levels[0]:.{chart.digits}f} {unit}", "bold")
    for row, (name, step) in enumerate(chart.steps, 1):
        bar(row, levels[row - 1], step, UP if step > 0 else DOWN, name, f"{step:+z.{chart.digits}f} {chart.step_unit}")
    bar(rows - 1, 0, chart.last[1], ORDER[0], chart.last[0], f"{chart.last[1]:.{chart.digits}f} {unit}", "bold")
    return figure


def _histograms(chart: Histograms) -> "Figure":
    strip, gap = 84.0, 76.0
    height = (strip + gap) * len(chart.labels) + EDGE
    figure = _figure(height)
    for index, (label, counts, edges, marks) in enumerate(
        zip(chart.labels, chart.counts, chart.edges, chart.marks, strict=True)
    ):
        top = index * (strip + gap) + 46
        axes = _axes(figure, height, top, strip)
        told = ", ".join(f"{name} {number(value, chart.digits)}" for name, value in marks)
        figure.text(EDGE / WIDTH, 1 - (top - 34) / height, label, color=INK, va="center", ha="left", weight="bold")
        figure.text(EDGE / WIDTH, 1 - (top - 14) / height, f"{told} {chart.unit}", color=INK, va="center", ha="left")
        widths = [high - low for low, high in pairwise(edges)]
        axes.bar(edges[:-1], counts, widths, align="edge", color=ORDER[0], edgecolor=PAPER, lw=0.5)
        axes.set_ylim(0, 1.05 * max(counts))
        room = 0.2 * (edges[-1] - edges[0])
        axes.set_xlim(edges[0] - room, edges[-1] + room)
        for _, value in marks:
            axes.axvline(value, color=INK, lw=1.2, ls=(0, (3, 2)))
        axes.spines["bottom"].set_visible(True)
        axes.spines["bottom"].set_color(FAINT)
        axes.set_xticks([edges[0], edges[-1]])
        axes.set_xticklabels([f"{number(tick, chart.digits)} {chart.unit}" for tick in (edges[0], edges[-1])])
    return figure


def _areas(chart: Areas) -> "Figure":
    names = [name for name, _ in chart.panels[0][2]]
    top = _legend_height(names)
    panel, gap = 130.0, 74.0
    sums = [sum(bins) for _, _, series in chart.panels for bins in zip(*(values for _, values in series), strict=True)]
    most = max(sums, default=0.0)
    height = top + (panel + gap) * len(chart.panels)
    figure = _figure(height)
    colours = _colours(names)
    _legend(figure, height, names, colours)
    for index, (title, edges, series) in enumerate(chart.panels):
        at = top + index * (panel + gap) + 34
        axes = figure.add_axes((54 / WIDTH, 1 - (at + panel) / height, 1 - 66 / WIDTH, panel / height))
        figure.text(EDGE / WIDTH, 1 - (at - 20) / height, title, color=INK, va="center", ha="left", weight="bold")
        x = [each for edge in pairwise(edges) for each in edge]
        stacked = [[value for value in values for _ in range(2)] for _, values in series]
        if stacked:
            axes.stackplot(x, *stacked, colors=colours, linewidth=0)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.05 * max(most, 1.0))
        axes.tick_params(colors=FAINT, labelsize=11, length=3)
        axes.yaxis.set_major_locator(_at_most(4))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_major_locator(_at_most(6))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(FAINT)
        axes.set_xlabel(chart.x_unit, color=FAINT, size=11)
        figure.text(EDGE / WIDTH, 1 - (at - 1) / height, chart.unit, color=FAINT, va="center", ha="left", size=11)
    return figure


def _at_most(ticks: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(ticks, integer=True)


_DRAWN: dict[type[Chart], Callable[[Any], "Figure"]] = {
    Bars: _bars,
    Stacks: _stacks,
    Waterfall: _waterfall,
    Histograms: _histograms,
    Areas: _areas,
}
