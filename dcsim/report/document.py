"""A page as values: what it answers, what that rests on, and the pictures, each with the table behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcsim.report.figures import Figure
from dcsim.report.page import Passage, Table

WORDS = {
    "running": "running",
    "overhead": "slower running",
    "checkpoint": "checkpoint writes",
    "lost": "work done again",
    "detect": "waiting for detection",
    "failover": "failover",
    "restore": "restore",
    "wait": "waiting for hardware",
    "repair": "repair",
    "maintenance": "maintenance",
    "spare": "idle spares",
    "idle": "other idle GPUs",
    "unpowered": "no power yet",
}
"""The states of the ledger in words that need no explanation."""


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from zero, one for each label, with the interval of each value, or None for it.

    ``marked``: the bar that the finding is about.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    unit: str
    marked: int
    digits: int = 2


@dataclass(frozen=True)
class Stacks:
    """Horizontal bars of pieces side by side: ``series`` are (name, one value for each label)."""

    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    unit: str


@dataclass(frozen=True)
class Waterfall:
    """Steps that lead from one level to another, (name, size of the step) each; levels are (name, value)."""

    first: tuple[str, float]
    steps: tuple[tuple[str, float], ...]
    last: tuple[str, float]
    unit: str
    step_unit: str
    digits: int


@dataclass(frozen=True)
class Histograms:
    """How often which value came, a strip for each label: its counts in equal bins, and marks such as (P5, value)."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    edges: tuple[tuple[float, ...], ...]
    marks: tuple[tuple[tuple[str, float], ...], ...]
    unit: str
    digits: int = 2


@dataclass(frozen=True)
class Areas:
    """Series stacked over time, on one scale: ``panels`` are (title, edges of the bins, (name, values) each)."""

    panels: tuple[tuple[str, tuple[float, ...], tuple[tuple[str, tuple[float, ...]], ...]], ...]
    x_unit: str
    unit: str


@dataclass(frozen=True)
class Lines:
    """Values along an axis: ``series`` are (name, value at each place, its interval), None where there is none.

    ``positions``: where the places are along the axis; ``labels``: what stands there; ``title``: what the axis is.
    ``best``, ``marked``: (series, place) of the best value and of those that are not told apart from it. ``joined``:
    whether lines join the values, in the order of the positions.
    """

    positions: tuple[float, ...]
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...], tuple[tuple[float, float] | None, ...]], ...]
    title: str
    unit: str
    best: tuple[int, int] | None = None
    marked: tuple[tuple[int, int], ...] = ()
    digits: int = 2
    joined: bool = True


@dataclass(frozen=True)
class HeatMap:
    """A value for each row and column, None where there is none, the darker the worse.

    ``best``, ``marked``: (row, column) of the best value and of those that are not told apart from it.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    row_title: str
    column_title: str
    unit: str
    lower_is_better: bool = True
    best: tuple[int, int] | None = None
    marked: tuple[tuple[int, int], ...] = ()
    digits: int = 2


@dataclass(frozen=True)
class WinnerMap:
    """Which of some names is best for each row and column: several where they are not told apart, or none."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    names: tuple[str, ...]
    winners: tuple[tuple[tuple[int, ...], ...], ...]
    row_title: str
    column_title: str


@dataclass(frozen=True)
class Tornado:
    """For each label where a figure lies with an input at its low and at its high end: bars from a middle line.

    ``lows``, ``highs``: (value, its interval or None, what the end of the input is called) for each label. ``middle``:
    the figure at the point values. ``chance``: from where to where single runs lie; None: it is not drawn.
    ``marked``: how many bars, from the first, the finding is about.
    """

    labels: tuple[str, ...]
    lows: tuple[tuple[float, tuple[float, float] | None, str], ...]
    highs: tuple[tuple[float, tuple[float, float] | None, str], ...]
    middle: float
    unit: str
    marked: int = 1
    chance: tuple[float, float] | None = None
    digits: int = 2


@dataclass(frozen=True)
class Curves:
    """Curves over a continuous axis: ``series`` are (name, how it is drawn, its points (x, y) with x ascending).

    How: "steps" holds each y up to the next x, "bars" fills below that, "line" and "dashes" join the points, "dots" do
    not. ``ticks``: (x, label) along the axis; none: round values. ``log_x``, ``log_y``: logarithmic axes; what is not
    above 0 is left out of them.
    """

    series: tuple[tuple[str, str, tuple[tuple[float, float], ...]], ...]
    title: str
    unit: str
    ticks: tuple[tuple[float, str], ...] = ()
    log_x: bool = False
    log_y: bool = False


Chart = Bars | Stacks | Waterfall | Histograms | Areas | Lines | HeatMap | WinnerMap | Tornado | Curves


@dataclass(frozen=True)
class Picture:
    """A chart, the finding in a sentence (what a screen reader reads instead), and the table behind it."""

    title: str
    says: str
    chart: Chart
    table: Table


Part = Table | Passage | Picture


@dataclass(frozen=True)
class Section:
    """``key``: the anchor; ``says``: sentences before the parts; ``more``: parts that a reader may leave folded."""

    key: str
    title: str
    says: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    more: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Card:
    """One figure that a reader looks for first: what it is of, the figure, its unit, and what else matters.

    ``best``: why this one is marked, "cheapest"; empty: it is not.
    """

    label: str
    figure: Figure
    unit: str
    notes: tuple[str, ...] = ()
    best: str = ""


@dataclass(frozen=True)
class Page:
    """What a reader is shown: the answer first, then what it rests on. Every renderer takes every page.

    ``cautions`` stand behind the first ``headline`` sentences of the answer. ``parts`` are what the first screen shows
    with it. A whole report has a title, what it is ``about``, cards, sections, and how it was ``made``.
    """

    answer: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    headline: int = 1
    title: str = ""
    about: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    sections: tuple[Section, ...] = ()
    made: Passage | None = None

    def after(self, first: Sequence[str]) -> "Page":
        """Return the page with other sentences before its answer."""
        return replace(self, answer=(*first, *self.answer), headline=self.headline + len(first))

    @property
    def opening(self) -> tuple[str, ...]:
        """What a first screen says: the answer with the cautions."""
        return (*self.answer[: self.headline], *self.cautions, *self.answer[self.headline :])

    @property
    def all_sections(self) -> Sequence[Section]:
        """Every section, what the first screen shows, the notes and how it was made included."""
        notes = Passage("Notes", tuple(("", note) for note in self.notes))
        last = [Section("notes", notes.title, parts=(notes,))] if self.notes else []
        last += [Section("made", self.made.title, parts=(self.made,))] if self.made else []
        return (Section("answer", "The answer", self.opening, self.parts), *self.sections, *last)
