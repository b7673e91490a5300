"""Reports in headless Chromium with every host blocked: every screen and colour, on paper, without scripts."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

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


@pytest.mark.parametrize("name", COMMANDS)
def test_a_report_on_a_desk(windows: dict[str, Window], made: Reports, name: str) -> None:
    """No message, request, overflow, cut or pale text, light or dark; a screen reader hears all; it prints."""
    page = windows["desktop-dark"].open(made(name).file)
    paper = faults_on_paper(page)
    assert paper + faults_heard(page) + faults_in_both_colours(page) + windows["desktop-dark"].incidents == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_report_on_a_phone(windows: dict[str, Window], made: Reports, name: str) -> None:
    """The same on a narrow screen, where whatever can be followed or unfolded is reached in order, and seen to be."""
    page = windows["phone-light"].open(made(name).file)
    assert faults_of_focus(page) + faults_in_both_colours(page) + windows["phone-light"].incidents == []


@pytest.mark.parametrize("look", LOOKS)
def test_the_first_screen_answers(windows: dict[str, Window], made: Reports, look: str) -> None:
    """Before anyone scrolls, three tiers' report says which, by how much and how sure, with the terminal's figures."""
    report = made("tiers")
    seen = first_screen(windows[look].open(report.file))
    assert "Gold-tier" in seen
    figures = re.findall(r"\d[\d,.]*\d (?:USD|%)|\d+ of \d+", report.answer)
    assert len(figures) >= 3
    assert [figure for figure in figures if figure not in seen] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_report_can_be_mailed(made: Reports, name: str) -> None:
    """One file under 500 kB."""
    assert made(name).file.stat().st_size < MOST_BYTES


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


@pytest.mark.parametrize("shown", [reports.MARKUP, "</title></style></svg>-->", "<svg onload=alert(3)>", "{{ 7 * 7 }}"])
def test_hostile_names_are_text(windows: dict[str, Window], made: Reports, shown: str) -> None:
    """A name that is markup is read as it is written, nothing runs, and a name of 10,000 characters is there once."""
    page = windows["desktop-light"].open(made("hostile").file)
    assert shown in page.inner_text("body")
    assert page.query_selector("script, img, b:has-text('txet')") is None
    assert windows["desktop-light"].incidents == []


def test_the_inspection_sees_a_report(windows: dict[str, Window], made: Reports, tmp_path: Path) -> None:
    """A fault planted in a real report is found: a table wider than a telephone that does not scroll."""
    text = made("once").file.read_text(encoding="utf-8")
    planted = tmp_path / "planted.html"
    planted.write_text(
        text.replace("<main", f"<p style='white-space:pre'>{'wide ' * 90}</p><main", 1), encoding="utf-8"
    )
    assert [fault for fault in faults(windows["phone-light"].open(planted)) if fault.startswith("overflow")]
