"""Tables on a screen: decimal points, widths, what a terminal gets that a pipe does not, and the answer at the end."""

import io
import re

import pytest
from rich.cells import cell_len

from dcsim.cli.progress import ProgressLine
from dcsim.montecarlo import Running, Sample, deviations, estimated_loss, replicate_many, summarise
from dcsim.montecarlo.sequential_stopping import StoppingRule, half_width_so_far
from dcsim.report.alignment import pieces
from dcsim.report.document import Page
from dcsim.report.figures import Figure
from dcsim.report.page import Row, Table
from dcsim.report.terminal import show
from dcsim.scenario import load

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LOSSES = Table(
    "Losses",
    ("loss %, simulated", "USD per useful GPU-h"),
    (
        Row("a", (Figure(5.21, 2, 0.01), Figure(4.2545, 4, 0.0006))),
        Row("b", (Figure(34.1, 1, 0.06, 2), Figure(6.197, 3, 0.006))),
        Row("c", (Figure(None), Figure(7))),
    ),
)
MIXED = Table(
    "Mixed",
    ("One", "Two"),
    (
        Row("loss, %", (Figure(5.21, 2, 0.01), "n below 72")),
        Row("  useful, % of GPU-hours", (Figure(94.8, 1), Figure(5.2, 1, upper=11.3))),
        Row("cost, USD", (Figure(569_889_903), Figure(1))),
        Row("price, USD per useful GPU-h", (Figure(4.2545, 4, 0.0006), Figure(6.197, 3, 0.006))),
    ),
)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Answer as a terminal does."""
        return True


@pytest.fixture(autouse=True)
def screen(monkeypatch):
    """Give a terminal of 80 columns and 24 lines."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", "80"), ("LINES", "24")):
        monkeypatch.setenv(name, value)


def shown(page, stream=None):
    """Write a page and return its text without escape sequences."""
    stream = stream or io.StringIO()
    show(page, stream)
    return ESCAPES.sub("", stream.getvalue())


def points(table):
    """Return where the first decimal point of every cell stands, counted from the right, by column and row."""
    return [
        [len(cell) - cell.index(".") if "." in cell else None for cell in column]
        for column in zip(*(row.texts for row in table.rows), strict=True)
    ]


def test_decimal_points_of_a_column_stand_under_each_other():
    """Numbers with more and with fewer decimals, and with intervals, share one column for their point."""
    (table,) = pieces(LOSSES, 80)
    assert points(table) == [[10, 10, None], [14, 14, None]]
    assert table.rows[2].texts == ("-", "7" + 14 * " ")  # a whole number ends where the points are; a dash is no number


@pytest.mark.parametrize("stream", [io.StringIO, Screen])
def test_they_do_on_paper_and_on_a_screen(stream):
    """The lines that are written have their points in the same columns."""
    lines = [line for line in shown(Page(parts=(LOSSES,)), stream()).splitlines() if line.startswith(("a ", "b "))]
    assert len({line.index(".") for line in lines}) == 1
    first, second = (line.index(".", line.index("±") + 6) for line in lines)
    assert first == second


def test_where_that_is_too_wide_points_are_aligned_by_unit():
    """Nine digits above a price with four decimals take 25 columns: in 64 each unit has its own place for the point."""
    assert points(pieces(MIXED, 120)[0])[0][:2] == [14, 14]
    (table,) = pieces(MIXED, 64)
    loss, share, cost, price = points(table)[0]
    assert (loss, share, cost, price) == (10, 10, None, 14)
    assert table.rows[2].texts[0] == "569,889,903"
    assert table.rows[0].texts[1] == "n below 72"


def test_units_behind_numbers_are_aligned_where_there_is_room():
    """A column of powers has its points and its units under each other; one that would take a piece more stays."""
    rack = Figure(142, before="takes ", behind=" kW"), Figure(9, behind=" per row")
    shelf = Figure(33.5, 1, before="gives ", behind=" kW"), Figure(72, behind=" per pod")
    rows = (Row("rack", rack), Row("shelf", shelf))
    table = Table("Parts", ("each", "per parent"), rows)
    assert [row.texts for row in pieces(table, 80)[0].rows] == [
        ("takes 142   kW", "9 per row"),
        ("gives 33.5 kW", "72 per pod"),
    ]
    assert [row.texts[0] for row in pieces(table, 5 + 2 + 13 + 2 + 10)[0].rows] == ["takes 142 kW", "gives 33.5 kW"]


def test_alignment_never_costs_a_piece_of_a_table():
    """A table is in no more pieces than it would be with its cells flush right, and loses no cell."""
    for width in range(10, 140):
        found = pieces(MIXED, width)
        cells = [row.texts for row in MIXED.rows]
        flush = 1 if width >= 27 + 2 + 15 + 2 + 13 else 2
        assert len(found) <= flush
        assert [
            tuple(" ".join(cell.split()) for piece in found for cell in piece.rows[row].texts)
            for row in range(len(cells))
        ] == cells


def test_a_terminal_gets_rules_and_a_pipe_gets_none():
    """On a terminal headings are ruled off; both have the same words in the same order, in no more than 80 columns."""
    page = Page(("Answer.",), (LOSSES, MIXED), ("note",))
    piped, screened = shown(page), shown(page, Screen())
    assert "─" in screened
    assert "─" not in piped
    assert piped.split() == [word for word in screened.split() if set(word) != {"─"}]
    assert max(map(cell_len, screened.splitlines())) <= 80


def test_no_cell_is_cut_however_narrow_the_terminal(monkeypatch):
    """In 12 columns every column stands alone, uncut, as in a pipe."""
    monkeypatch.setenv("COLUMNS", "12")
    text = shown(Page(parts=(MIXED,)), Screen())
    assert "…" not in text
    assert all(cell in " ".join(text.split()) for row in MIXED.rows for cell in row.texts)


def test_a_long_report_ends_with_its_answer():
    """What scrolled the answer away brings it back, on a terminal only."""
    rows = tuple(Row(f"row {number}", ("1",)) for number in range(40))
    long, short = (Page(("The answer.",), (Table("T", ("c",), some),), ("last",)) for some in (rows, rows[:3]))
    assert shown(long, Screen()).splitlines()[-2:] == ["", "The answer."]
    assert shown(long).splitlines()[-1] == "- last"
    assert shown(short, Screen()).splitlines()[-1].rstrip() == "- last"


# --- progress -----------------------------------------------------------------------------------------------------


class Bar:
    """A bar that remembers what it was told."""

    told = ""

    def update(self, task, *, completed, total, description):
        """Remember the description."""
        self.told = description


def test_progress_tells_the_interval_of_what_was_asked_for():
    """The interval is that of a scenario that was asked for, never of a step of the bridge beside it."""
    line = ProgressLine()
    line.bar, line.task = Bar(), 0
    line(1, 9, Running("Gold, before finite spares", [0.1, 0.2]))
    assert line.bar.told == "simulating"
    line(2, 9, Running("Gold", [0.1, 0.1]))
    assert line.bar.told == "Gold ± 0 pp"
    line.error_at = 0.0
    line(3, 9, Running("Gold", [0.1, 0.1001, 0.0999]))
    assert line.bar.told == "Gold ± 0.025 pp"  # 4.30 * 0.01 pp / sqrt(3)


@pytest.mark.parametrize("case", ["pretrain-5184/gold", "unknowns/mtbf-unknown"])
def test_progress_of_a_precision_has_the_half_width_of_its_looks(case):
    """With --precision it is the controlled one, which ends the run; with uncertain inputs that of whole pairs."""
    scenario = load(case, horizon="2 mo")
    looking, seen = StoppingRule([scenario], "0.0001 pp", 256), []
    (sample,) = replicate_many(
        [(scenario, None)], looking.first, workers=1, more=looking.more,
        progress=lambda done, total, running: seen.append((done, running.half_width)),
    )  # fmt: skip
    first = looking.looks[0]
    at_look = next(half for done, half in seen if done == first.replications)
    plain = estimated_loss(sample, deviations(sample), controls=False).shown.half_width
    if not scenario.uncertain:
        assert at_look == pytest.approx(first.half_widths[0], rel=1e-12)
        assert half_width_so_far(sample) < 0.8 * plain
    else:
        assert half_width_so_far(sample) == pytest.approx(plain, rel=1e-12)
        torn = Sample(scenario, sample.ledgers.chosen(sample.replications > 0))  # 1 has lost the other of its pair
        assert half_width_so_far(torn) == summarise(sample.loss[2:], shared=2).half_width


def test_the_time_left_does_not_count_what_came_before_the_first_runs(capsys, monkeypatch):
    """The rules are compiled once, in 40 s here: the runs that follow take 1 s each, and so do those that are left."""
    clock = [40.0]
    monkeypatch.setattr("dcsim.cli.progress.time.monotonic", lambda: clock[0])
    line = ProgressLine()
    line.begun = 0.0
    line(1, 100, None)
    clock[0] = 81.0
    line(42, 100, None)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "simulating: 1 of 100 runs after 40 s"
    assert second == "simulating: 42 of 100 runs after 81 s, about 58 s left"


def test_without_a_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
    """Nothing in the first two seconds, then a line at times that double: a log of an hour has a dozen of them."""
    clock = [0.0]
    monkeypatch.setattr("dcsim.cli.progress.time.monotonic", lambda: clock[0])
    line = ProgressLine()
    for second in range(1, 3_601):
        clock[0] = float(second)
        line(second, 3_600, None)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "simulating: 2 of 3,600 runs after 2 s, about 3,598 s left"
    assert said[1].startswith("simulating: 10 of 3,600 runs after 10 s")
    assert 8 <= len(said) <= 14
    assert not any(each.startswith("simulating: 3,600") for each in said)
