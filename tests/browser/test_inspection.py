"""The inspection itself: a sound page has no faults, and each fault that is planted in it is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.chromium import LOOKS, Window
from tests.browser.inspection import all_faults, faults, faults_heard, faults_of_focus, faults_on_paper

pytestmark = pytest.mark.xdist_group("browser")

SOUND = Path(__file__).parent / "sound.html"


PLANTED = {
    "wide": ("phone-light", "<p>See", f"<p>{'x' * 400} See", "overflow"),
    "no way to scroll by keyboard": (
        "phone-light",
        ' tabindex="0" role="region" aria-label="All tiers"',
        "",
        "keyboard",
    ),
    "table cut off": ("desktop-light", ".wide { overflow-x", ".wide { width: 200px; overflow-x", "wide"),
    "no viewport": (
        "phone-light",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "",
        "overflow",
    ),
    "hidden end": (
        "desktop-light",
        ".wide { overflow-x: auto }",
        "td { max-width: 2rem; overflow: hidden }",
        "clipped",
    ),
    "text outside its cell": (
        "desktop-light",
        "td, th { padding",
        "table { table-layout: fixed; width: 4rem } td, th { padding",
        "clipped",
    ),
    "text outside its picture": ("desktop-light", '<text x="210"', '<text x="290"', "clipped"),
    "text on text": ("desktop-light", '<text x="210"', '<text x="15"', "overlap"),
    "small print": ("desktop-light", "font-size: 14px", "font-size: 6px", "small"),
    "pale": ("desktop-light", "--ink: #1a1a1a", "--ink: #999", "contrast"),
    "pale at night": ("desktop-dark", "--ink: #eee", "--ink: #555", "contrast"),
    "dark on dark bar": ("desktop-light", "--bar: #9db8d9", "--bar: #333", "contrast: 1.4"),
    "bar at night": ("desktop-dark", "--bar: #2d4a6e", "--bar: #bbb", "contrast: 1.7"),
    "line unseen": ("desktop-dark", "stroke: var(--ink)", "stroke: #000", "invisible"),
    "pale on paper": ("desktop-dark", "@media screen and (", "@media (", "contrast"),
    "script": ("desktop-light", "</main>", "<script>1</script></main>", "document"),
    "script in an attribute": ("desktop-light", "<p>See", '<p onclick="1">See', "document"),
    "two of one name": ("desktop-light", "<p>See", '<p id="why">See', "document"),
    "nowhere": ("desktop-light", '"#why"', '"#who"', "document"),
    "level left out": ("desktop-light", '<h2 id="why">Why</h2>', '<h3 id="why">Why</h3>', "headings"),
    "table without caption": ("desktop-light", "<caption>Tiers</caption>", "", "tables"),
    "head of nothing": ("desktop-light", '<th scope="row">', "<th>", "tables"),
    "picture without a name": ("desktop-light", ' aria-label="Gold loses 5.21 %"', "", "names"),
    "picture without a finding": ("desktop-light", "Gold loses 5.21 %", "A chart", "names"),
    "picture hidden": ("desktop-light", 'role="img"', 'aria-hidden="true"', "names"),
    "focus unseen": ("desktop-light", "outline: 2px solid", "outline: 0", "keyboard"),
    "focus out of order": (
        "desktop-light",
        '<a href="#why">',
        '<a href="#why" tabindex="0"><a href="#why" tabindex="2">',
        "keyboard",
    ),
    "cut by a page": ("desktop-light", "tr, figure { break-inside: avoid }", "", "paper"),
    "closed on paper": (
        "desktop-light",
        "</details>",
        "</details><details><summary>T</summary><table><caption>T</caption></table></details>",
        "paper",
    ),
    "turned around": ("desktop-light", "<bdi>Silver</bdi>", "Sil\u202ever", "direction"),
    "request": (
        "desktop-light",
        "</main>",
        '<img alt="5 %" src="https://example.org/a.png"></main>',
        "request: https://example.org",
    ),
    "font from elsewhere": (
        "desktop-light",
        "<style>\n",
        "<style>@import url(https://example.org/a.css);\n",
        "request",
    ),
    "script that runs": ("desktop-light", "</main>", "<script>alert(1)</script></main>", "dialog: 1"),
}


INSPECTIONS: dict[str, Callable[[Window], list[str]]] = {
    "names": lambda window: faults_heard(window.page),
    "keyboard": lambda window: faults(window.page) + faults_of_focus(window.page),
    "paper": lambda window: faults_on_paper(window.page),
    "contrast": lambda window: faults(window.page) + faults_on_paper(window.page),
    "request": lambda window: window.incidents,
    "dialog": lambda window: window.incidents,
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_sound_page_has_no_faults(windows: dict[str, Window], look: str) -> None:
    """A page that is as it should be passes at every size and in both colours, so that what fails has a reason."""
    windows[look].open(SOUND)
    assert all_faults(windows[look]) == []


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(windows: dict[str, Window], tmp_path: Path, fault: str) -> None:
    """Each fault is told by the inspection of its kind."""
    look, sound, planted, told = PLANTED[fault]
    text = SOUND.read_text(encoding="utf-8")
    assert text.count(sound) == 1
    file = tmp_path / "faulty.html"
    file.write_text(text.replace(sound, planted), encoding="utf-8")
    windows[look].open(file)
    inspect = INSPECTIONS.get(told.split(":")[0], lambda window: faults(window.page))
    assert [found for found in inspect(windows[look]) if found.startswith(told)]
