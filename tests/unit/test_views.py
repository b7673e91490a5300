"""Pages of text: what fits, what is cut where, and what never reaches a terminal."""

import io

import pytest
from rich.cells import cell_len

from dcsim.report.document import Page
from dcsim.report.figures import number, per_cent, plus_minus, usd
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.report.terminal import show


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Answer as a terminal does."""
        return True


def shown(page, stream=None):
    """Write a page and return its text."""
    stream = stream or io.StringIO()
    show(page, stream)
    return stream.getvalue()


def wide_table(columns):
    """Make a table whose cells are eleven signs wide."""
    names = tuple(f"Offer number {number}" for number in range(columns))
    cells = tuple(f"{10**8 + number:,}" for number in range(columns))
    return Table("Money", names, (Row("a label of some length, USD", cells, strong=True),))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Take what the caller's shell says about terminals out of the tests."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("columns", [1, 3, 4, 9])
def test_piped_text_fits_80_columns(columns):
    """No line of a piped table is wider than 80 columns, and every cell of it is there, whole."""
    text = shown(Page(parts=(wide_table(columns),)))
    assert max(map(cell_len, text.splitlines())) <= 80
    assert all(f"{10**8 + number:,}" in text for number in range(columns))


def test_a_table_that_is_too_wide_repeats_its_labels():
    """Nine columns of eleven signs need three pieces in 80 columns, each under the label."""
    assert shown(Page(parts=(wide_table(9),))).count("a label of some length, USD") == 3


def test_a_piped_table_is_as_wide_as_columns_says(monkeypatch):
    """COLUMNS=200 lets nine columns stand in one piece."""
    monkeypatch.setenv("COLUMNS", "200")
    assert shown(Page(parts=(wide_table(9),))).count("a label of some length, USD") == 1


def test_one_column_is_shown_however_narrow_the_terminal(monkeypatch):
    """In 10 columns each column stands alone, uncut."""
    monkeypatch.setenv("COLUMNS", "10")
    assert "100,000,001" in shown(Page(parts=(wide_table(2),)))


def test_columns_of_wide_letters_are_aligned():
    """A heading of double-width letters ends in the same screen column as its cells."""
    table = Table("Title", ("東京クラスタ",), (Row("日本, h", ("1",)), Row("b, h", ("22",))))
    lines = shown(Page(parts=(table,))).splitlines()[1:]
    assert len({cell_len(line) for line in lines}) == 1


def test_piped_text_has_no_colour_and_no_boxes():
    """A pipe gets ASCII and the sign ±, no escape sequence and no line drawing."""
    text = shown(Page(("Answer.",), (wide_table(2), Passage("Why", (("+1 pp", "because"),))), ("a note",)))
    assert text.isascii()


def test_a_terminal_gets_colour_unless_it_asks_for_none(monkeypatch):
    """A terminal sees escape sequences; with NO_COLOR set it sees no colour."""
    page = Page(parts=(wide_table(1),))
    assert "\x1b[1;36m" in shown(page, Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "36m" not in shown(page, Terminal())


def test_markup_in_a_name_is_text():
    """Square brackets in a scenario's name are shown, not obeyed."""
    assert "[bold]x[/bold]" in shown(Page(parts=(Table("[bold]x[/bold]", ("a",), (Row("b", ("c",)),)),)))


def test_a_passage_hangs_under_its_labels():
    """The lines that follow the first of a long reason start below it."""
    text = shown(Page(parts=(Passage("Why", (("+1.00 pp", "word " * 40),)),)))
    first, second, *_ = text.splitlines()[1:]
    assert first.startswith("+1.00 pp  word")
    assert second.startswith(" " * len("+1.00 pp  ") + "word")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Gold", "Gold"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egold\ud800", "\\u202egold\\ud800"),
        ("two\nlines", "two lines"),
        ("\n\t ", "(no name)"),
        ("x" * 50, "x" * 39 + "…"),
    ],
)
def test_names_are_made_printable(name, expected):
    """A name has one line of at most 40 signs, and its control characters are shown."""
    assert printable(name) == expected


@pytest.mark.parametrize(
    ("mean", "half_width", "expected"),
    [
        (5.2234, None, "5.22"),
        (5.2234, 0.08, "5.22 ± 0.08"),
        (5.2234, 0.0081, "5.223 ± 0.008"),
        (5.2234, 0.0, "5.22 ± 0.00"),
        (5.2234, 1e-9, "5.22340 ± 0.00000"),
        (None, None, "-"),
    ],
)
def test_a_mean_has_the_digits_that_its_error_allows(mean, half_width, expected):
    """Two digits, more where the error is smaller, at most five; no error, no sign."""
    assert str(plus_minus(mean, half_width)) == expected


def test_numbers():
    """Thousands are separated, what rounds to zero has no sign, and what is undefined is a dash."""
    assert str(number(1234567.891, 1)) == "1,234,567.9"
    assert str(number(-0.001, 2)) == "0.00"
    assert str(usd(574_912_276.4)) == "574,912,276"
    assert str(per_cent(0.0614264)) == "6.14"
    assert str(per_cent(None)) == str(usd(None)) == "-"


def test_lists_of_names():
    """Names are joined as in a sentence."""
    assert and_list(["a"]) == "a"
    assert and_list(["a", "b"]) == "a and b"
    assert and_list(["a", "b", "c"]) == "a, b and c"
    assert and_list([]) == ""
