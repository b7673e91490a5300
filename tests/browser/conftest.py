"""What the tests in a browser share: one Chromium, and reports that are made once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless. Without it tests skip, or with DCSIM_BROWSER=required fail."""
    path = chromium.executable()
    if path is None:
        (pytest.fail if os.environ.get("DCSIM_BROWSER") == "required" else pytest.skip)(chromium.INSTALL)
    with chromium.started(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Iterator[dict[str, chromium.Window]]:
    """A window of every look: opening one takes longer than everything that is asked of a page in it."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(chromium.window(browser, look)) for name, look in chromium.LOOKS.items()}
