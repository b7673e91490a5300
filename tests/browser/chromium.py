"""Debian's Chromium with every host blocked: what the tests and look.py open a report in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

INSTALL = "no Chromium here: scripts/test --install-browser"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # not even a name is looked up
)


class Look(NamedTuple):
    """A screen [CSS px] and the colours its owner prefers."""

    width: int
    height: int
    scheme: Literal["light", "dark"]

    @property
    def mobile(self) -> bool:
        """Whether pages are laid out as on a phone: without a viewport of their own they get 980 px, shrunk."""
        return self.width < 600


LOOKS = {
    f"{name}-{scheme}": Look(width, height, scheme)
    for name, width, height in (("desktop", 1280, 800), ("phone", 390, 844))
    for scheme in ("light", "dark")
}


def executable() -> str | None:
    """Return the path of Debian's Chromium, or None."""
    return shutil.which("chromium")


@contextmanager
def started(path: str) -> Iterator[Browser]:
    """Start a Chromium and stop it in the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A window in which files are opened by themselves: nothing else is reachable.

    What a page without scripts and network never does is noted: requests, messages, errors, dialogs, new windows.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.incidents: list[str] = []
        self._address = ""
        note = self.incidents.append
        page.route("**/*", lambda route: route.continue_() if route.request.url == self._address else route.abort())
        page.on("request", lambda request: request.url == self._address or note(f"request: {request.url[:200]}"))
        page.on("console", lambda message: note(f"console: {message.type}, {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: note(f"window: {popup.url}"))

    def open(self, file: Path) -> Page:
        """Open a file and forget what the one before it did."""
        self.incidents.clear()
        self._address = file.resolve().as_uri()
        self.page.goto(self._address, wait_until="load")
        return self.page


@contextmanager
def window(browser: Browser, look: Look, *, scripts: bool = True, zoom: float = 1) -> Iterator[Window]:
    """Give a window with a look and a number of screen pixels per CSS pixel, and close it in the end."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,
        device_scale_factor=zoom,
        is_mobile=look.mobile,
        has_touch=look.mobile,
        java_script_enabled=scripts,
        service_workers="block",
        reduced_motion="reduce",
    )
    try:
        yield Window(context.new_page())
    finally:
        context.close()
