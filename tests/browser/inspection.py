"""What is asked of an open page: how it is laid out, what a screen reader hears, where the keyboard gets to.

PYTHONPATH=. .venv/bin/python tests/browser/inspection.py outputs/*/report.html     prints every fault
"""

import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.browser import chromium

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
PAPER_WIDTH = 711  # CSS px between the margins of 1.1 cm of an A4 sheet
IMAGES = {"image", "img", "SvgRoot", "graphics-document", "figure-image"}
NAMED = {"link", "button", "DisclosureTriangle", "region", "table", *IMAGES}
INTERACTIVE = "a[href], summary, button, input, select, textarea, [tabindex]:not([tabindex^='-'])"

FOCUSED = """(controls) => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  return {
    index: [...document.querySelectorAll(controls)].filter((each) => each.checkVisibility()).indexOf(element),
    what: `${element.localName} "${element.textContent.trim().slice(0, 40)}"`,
    outline: style.outlineStyle === "auto" || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
    seen: box.width > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
  };
}"""
COUNT = "(controls) => [...document.querySelectorAll(controls)].filter((each) => each.checkVisibility()).length"


def faults(page: Page, *, paper: bool = False) -> list[str]:
    """Return what is wrong with a page in its window as it is, one sentence per fault."""
    size = page.viewport_size
    assert size
    found: list[str] = page.evaluate(AUDIT, {"width": size["width"], "paper": paper})
    return found


def faults_on_paper(page: Page) -> list[str]:
    """Return what is wrong with a page that is printed, however the reader's screen is coloured."""
    before = page.viewport_size
    assert before
    page.set_viewport_size({"width": PAPER_WIDTH, "height": 900})
    page.emulate_media(media="print")
    try:
        return faults(page, paper=True)
    finally:
        page.emulate_media(media="screen")
        page.set_viewport_size(before)


def heard(page: Page) -> list[tuple[str, str]]:
    """Return (role, name) of everything that a screen reader finds, in order."""
    session: CDPSession = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node["ignored"] and "role" in node
    ]


def faults_heard(page: Page) -> list[str]:
    """Return pictures, tables and controls that a screen reader cannot tell apart or says nothing of."""
    found = heard(page)
    faults = [f"names: {role} without a name" for role, name in found if role in NAMED and not name]
    images = [name for role, name in found if role in IMAGES]
    drawn: int = page.evaluate("document.querySelectorAll('svg:not(svg svg), img, canvas').length")
    if len(images) != drawn:
        faults.append(f"names: {drawn} pictures, of which a screen reader hears {len(images)}")
    faults += [f"names: two pictures are called {name!r}" for name in set(images) if images.count(name) > 1]
    faults += [f"names: no finding, no figure in {name!r}" for name in images if not re.search(r"\d", name)]
    return faults


def faults_of_focus(page: Page) -> list[str]:
    """Press Tab from the top to the end. Return controls that are missed, out of order, or not seen to have it."""
    count: int = page.evaluate(COUNT, INTERACTIVE)
    faults, reached = [], []
    for _ in range(count + 20):  # what scrolls may take a focus of its own
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED, INTERACTIVE)
        if focus is None or focus["index"] in reached:
            break
        if focus["index"] >= 0:
            reached.append(focus["index"])
        faults += [
            f"keyboard: {focus['what']} has the focus, not {key}" for key in ("outline", "seen") if not focus[key]
        ]
    page.evaluate("document.activeElement.blur()")
    if reached != list(range(count)):
        faults.append(f"keyboard: {count} controls in order, Tab reaches {reached}")
    return faults


def all_faults(window: chromium.Window) -> list[str]:
    """Return everything that is wrong with the page in a window, and what it did that it should not."""
    page = window.page
    return [*faults(page), *faults_heard(page), *faults_on_paper(page), *faults_of_focus(page), *window.incidents]


def faults_in_both_colours(page: Page) -> list[str]:
    """Return what is wrong with a page in its window, for readers who prefer light and for those who prefer dark."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {fault}" for fault in faults(page)]
    return found


def first_screen(page: Page) -> str:
    """Return the text that is seen whole before anyone scrolls."""
    text: str = page.evaluate(
        """() => {
          const words = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const range = document.createRange();
            range.selectNodeContents(walker.currentNode);
            const box = range.getBoundingClientRect();
            if (box.height > 0 && box.top >= 0 && box.bottom <= innerHeight) words.push(walker.currentNode.data);
          }
          return words.join(" ");
        }"""
    )
    return " ".join(text.split())


if __name__ == "__main__":
    path = chromium.executable() or sys.exit(chromium.INSTALL)
    with chromium.started(path) as browser:
        for name, look in chromium.LOOKS.items():
            with chromium.window(browser, look) as window:
                for file in sys.argv[1:]:
                    window.open(Path(file))
                    for fault in all_faults(window):
                        print(f"{file}, {name}: {fault}")
