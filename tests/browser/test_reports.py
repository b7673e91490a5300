"""Reports in headless Chromium with every host blocked: every screen and colour, on paper, without scripts."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dcsim.report.svg_sheet import width
from tests.browser import reports
from tests.browser.chromium import LOOKS, Window, window
from tests.browser.inspection import (
    faults,
    faults_heard,
    faults_in_both_colours,
    faults_of_focus,
    faults_on_paper,
    first_screen,
)
from tests.browser.reports import COMMANDS, Report

pytestmark = pytest.mark.xdist_group("browser")
MOST_BYTES = 500_000
MOST_PAGES = 24
WRITTEN_AS_TEXT = (reports.MARKUP, "</title></style></svg>-->", "<svg onload=alert(3)>", "{{ 7 * 7 }}")

MEASURED = """() => [...document.querySelectorAll("svg text")].map((each) => {
  const style = getComputedStyle(each);
  return [each.textContent, parseFloat(style.fontSize), Number(style.fontWeight) >= 600, each.getComputedTextLength()];
})"""

Reports = Callable[[str], Report]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Give a function that returns a report by its name; each is made once."""
    found: dict[str, Report] = {}

    def report(name: str) -> Report:
        if name not in found:
            found[name] = reports.make(name, tmp_path_factory.mktemp("reports") / name)
        return found[name]

    return report


LONG = pytest.param("many", marks=pytest.mark.exhaustive)
"""A report of many scenarios takes half a minute to make and to look at."""


@pytest.mark.parametrize("name", [LONG if name == "many" else name for name in COMMANDS])
def test_a_report_is_sound(windows: dict[str, Window], made: Reports, name: str) -> None:
    """No message, request, overflow, cut or pale text; it prints, is heard, is reached by keyboard; one small file."""
    desk, phone = windows["desktop-dark"], windows["phone-light"]
    page = desk.open(made(name).file)
    paper = faults_on_paper(page)
    assert paper + faults_heard(page) + faults_in_both_colours(page) + desk.incidents == [], "on a desk"
    page = phone.open(made(name).file)
    assert faults_of_focus(page) + faults_in_both_colours(page) + phone.incidents == [], "on a phone"
    assert made(name).file.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", ["tiers", LONG, "hostile"])
def test_no_text_of_a_chart_is_wider_than_is_thought(windows: dict[str, Window], made: Reports, name: str) -> None:
    """Charts leave room by an estimate; what the browser writes in the page's font is never longer."""
    page = windows["desktop-light"].open(made(name).file)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    found = page.evaluate(MEASURED)
    assert len(found) > 20
    assert [text for text, size, bold, real in found if real > width(text, size, bold) + 0.5] == []


def test_the_first_screen_answers(windows: dict[str, Window], made: Reports) -> None:
    """Before anyone scrolls, three tiers' report says which, by how much and how sure, with the terminal's figures."""
    report = made("tiers")
    figures = re.findall(r"\d[\d,.]*\d (?:USD|%)|\d+ of \d+", report.answer)
    assert len(figures) >= 3
    for look, each in windows.items():
        seen = first_screen(each.open(report.file))
        assert [part for part in ("Gold-tier", *figures) if part not in seen] == [], look


def test_it_reads_the_same_without_scripts(browser: Browser, windows: dict[str, Window], made: Reports) -> None:
    """With JavaScript turned off nothing is missing, and what unfolds does so by the keyboard."""
    file = made("tiers").file
    with window(browser, LOOKS["desktop-light"], scripts=False) as bare:
        page = bare.open(file)
        assert page.inner_text("body") == windows["desktop-light"].open(file).inner_text("body")
        for summary in page.query_selector_all("summary"):
            before = summary.evaluate("(element) => element.parentElement.open")
            summary.focus()
            page.keyboard.press("Enter")
            assert summary.evaluate("(element) => element.parentElement.open") != before
        assert bare.incidents == []


def test_a_report_prints(windows: dict[str, Window], made: Reports, tmp_path: Path) -> None:
    """A PDF of all of it is less than two dozen pages."""
    page = windows["desktop-light"].open(made("tiers").file)
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "2cm"))
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_PAGES


def test_hostile_names_are_text(windows: dict[str, Window], made: Reports) -> None:
    """Names that are markup are read as they are written, and nothing in them runs or is fetched."""
    page = windows["desktop-light"].open(made("hostile").file)
    text = page.inner_text("body")
    assert [each for each in WRITTEN_AS_TEXT if each not in text] == []
    assert page.query_selector("script, img, b") is None
    assert windows["desktop-light"].incidents == []


def test_the_inspection_sees_a_report(windows: dict[str, Window], made: Reports, tmp_path: Path) -> None:
    """A fault planted in a real report is found: a table wider than a telephone that does not scroll."""
    text = made("once").file.read_text(encoding="utf-8")
    planted = tmp_path / "planted.html"
    planted.write_text(
        text.replace("<main", f"<p style='white-space:pre'>{'wide ' * 90}</p><main", 1), encoding="utf-8"
    )
    assert [fault for fault in faults(windows["phone-light"].open(planted)) if fault.startswith("overflow")]
