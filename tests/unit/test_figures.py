"""Figures: one value that each renderer writes in its own way, and that a spreadsheet gets unrounded."""

import csv
import io
import re

from dcsim.report.csv_export import csv_text
from dcsim.report.document import Bars, Card, Page, Picture, Section
from dcsim.report.figures import Figure, dollars, plus_minus, span
from dcsim.report.html import html
from dcsim.report.markdown import markdown
from dcsim.report.page import Passage, Row, Table
from dcsim.report.terminal import show


def page_of(*cells):
    """Return a page with one table of one column."""
    rows = tuple(Row(f"row {number}", (cell,)) for number, cell in enumerate(cells))
    section = Section("one", "One", (), (Table("Table", ("column",), rows),))
    return Page(("Answer.",), title="Title", sections=(section,), made=Passage("How", ()))


def values(*cells):
    """Return value and half width of each cell as CSV has them."""
    return [(row["value"], row["half_width"]) for row in csv.DictReader(io.StringIO(csv_text(page_of(*cells))))]


def test_a_spreadsheet_gets_numbers_unrounded():
    """Thousands are not separated, decimals that a page leaves out are there, an interval has a column of its own."""
    assert values(Figure(1234567.891), Figure(5.2234, 2, 0.0081), Figure(-0.0, 2), Figure(0.1 + 0.2, 2)) == [
        ("1234567.891", ""),
        ("5.2234", "0.0081"),
        ("0", ""),
        ("0.3", ""),
    ]


def test_a_spreadsheet_gets_ranges_and_remarks_as_text():
    """Both ends of a range are unrounded; what is undefined is empty; words that look like a formula are quoted."""
    assert values(
        span(1.23456, 2.34567), Figure(6.141, 2).with_words(" (no)"), Figure(None), "-", "", "=1+1", "-3"
    ) == [
        ("1.23456 to 2.34567", ""),
        ("6.141 (no)", ""),
        ("", ""),
        ("", ""),
        ("", ""),
        ("'=1+1", ""),
        ("'-3", ""),
    ]


def test_a_number_that_only_looks_like_one_is_text():
    """Text is never read as a number again: only figures are numbers."""
    assert values("1,000", "5 ± 1") == [("1,000", ""), ("5 ± 1", "")]


def test_people_read_figures_rounded():
    """Text has the decimals of each figure, thousands separated, and a plus where it is asked for."""
    shown = [plus_minus(5.2234, 0.0081), Figure(1234.5, signed=True), Figure(-0.001, 2), Figure(None, 2, behind=" h")]
    assert [str(each) for each in shown] == ["5.223 ± 0.008", "+1,234", "0.00", "-"]
    half = dollars(541_900_000.0, 1e6).with_half(dollars(1_230_000.0, 1e6, 541_900_000.0))
    assert str(half) == "541.9 ± 1.2"
    assert "| row 0 | 541.9 ± 1.2 |" in markdown(page_of(half))


def test_every_renderer_takes_every_page():
    """A screen shows sections and what pictures say; Markdown, HTML and CSV take a page without title and sections."""
    table = Table("Losses", ("Gold",), (Row("lost, %", (Figure(5.2234, 2, 0.03),)),))
    picture = Picture("Picture", "Gold loses 5.22 %.", Bars(("Gold",), (5.2,), (None,), "%", 0), table)
    section = Section("one", "Where it goes", ("Said first.",), (picture,), (Passage("More", (("", "folded"),)),))
    small = Page(("Answer.", "Then."), (table,), ("a note",), ("Careful.",))
    whole = Page(
        ("Answer.",),
        (table,),
        title="Gold?",
        cards=(Card("Gold", Figure(4.2545, 2), "USD"),),
        sections=(section,),
        made=Passage("How to make this again", (("seed", "1"),)),
    )
    for page, told in (
        (small, ["Answer.", "Careful.", "Then.", "5.22 ± 0.03", "a note"]),
        (Page(parts=(table,)), ["5.22 ± 0.03"]),  # as an estimate, which needs no sentence
        (whole, ["Where it goes", "Said first.", "Gold loses 5.22 %.", "5.22 ± 0.03", "folded", "seed"]),
    ):
        screen = io.StringIO()
        show(page, screen)
        texts = [screen.getvalue(), markdown(page), re.sub("<[^>]*>", "", html(page))]
        for text in texts:
            places = [text.replace("\u00a0", " ").find(each) for each in told]
            assert -1 not in places, (text, told)
        assert "5.2234,0.03" in csv_text(page)
