"""Screenshots of reports for people to look at: every screen and colour, the first screen, then all of it in pieces.

PYTHONPATH=. .venv/bin/python tests/browser/look.py outputs/*/report.html -o /tmp/looks
"""

import argparse
import sys
from pathlib import Path

from tests.browser import chromium

PHONE_PIXELS = 2  # of a screen per CSS pixel, as phones have
PRINTED = "desktop-light"
MARGINS = dict.fromkeys(("top", "right", "bottom", "left"), "2cm")
PIECE = 1_500
"""Height of the pieces that a whole page is cut into [CSS px]: what is higher is shrunk where it is looked at."""


def shoot(files: list[Path], folder: Path) -> list[Path]:
    """Write <name>-<look>-first.png, -whole-NN.png and <name>.pdf of every file. Return what was written."""
    path = chromium.executable()
    if path is None:
        sys.exit(chromium.INSTALL)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with chromium.started(path) as browser:
        for look_name, look in chromium.LOOKS.items():
            with chromium.window(browser, look, zoom=PHONE_PIXELS if look.mobile else 1) as window:
                for file in files:
                    name = folder / (file.parent.resolve().name if file.stem == "report" else file.stem)
                    page = window.open(file)
                    written.append(Path(f"{name}-{look_name}-first.png"))
                    page.screenshot(path=written[-1])
                    height = page.evaluate("document.documentElement.scrollHeight")
                    for piece, top in enumerate(range(0, height, PIECE)):
                        written.append(Path(f"{name}-{look_name}-whole-{piece:02}.png"))
                        clip = {"x": 0, "y": top, "width": look.width, "height": min(PIECE, height - top)}
                        page.screenshot(path=written[-1], full_page=True, clip=clip)
                    if look_name == PRINTED:
                        written.append(Path(f"{name}.pdf"))
                        page.pdf(path=written[-1], format="A4", margin=MARGINS)
                    for incident in window.incidents:
                        print(f"{file}, {look_name}: {incident}", file=sys.stderr)
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a report, or any page of one file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    given = parser.parse_args()
    for picture in shoot(given.files, given.output):
        print(picture)
