"""Makes the pictures of README.md (run by scripts/pictures)."""

import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser import chromium

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COLOURS = 128
"""Of a picture's palette: letters and bars need few, and the file is a third as large."""
TIERS = [f"scenarios/pretrain-5184/{tier}.toml" for tier in ("gold", "hyperscaler", "silver")]


def dcsim(*arguments: str) -> None:
    """Run a command line of the repository; what it prints is nobody's business here."""
    subprocess.run([sys.executable, "-m", "dcsim", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def save(picture: bytes, name: str) -> None:
    """Write a screenshot with few colours."""
    image = Image.open(BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(DOCS / name, optimize=True)


def pictures_of(page: Page) -> None:
    """Take the first screen of the report, and its chart of why formula and simulation differ."""
    save(page.screenshot(), "report.png")
    save(page.locator("#why figure").nth(len(TIERS) - 1).screenshot(), "report-why.png")


def main() -> int:
    path = chromium.executable()
    if path is None:
        print(chromium.INSTALL, file=sys.stderr)
        return 1
    DOCS.mkdir(exist_ok=True)
    dcsim("topology", "build", "gb300-nvl72", "--gpus", "576", "-o", str(DOCS / "plant.svg"))
    with tempfile.TemporaryDirectory() as folder:
        dcsim("compare", *TIERS, "-o", folder)
        (report,) = Path(folder).glob("compare-*/report.html")
        look = chromium.LOOKS["desktop-light"]
        with chromium.started(path) as browser, chromium.window(browser, look) as window:
            pictures_of(window.open(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
