"""A sheet of SVG that charts are drawn on: texts that fit, boxes and lines, and the round values of an axis.

One unit is a point of the picture at its own size. Texts stay texts, in the font of the page around them.
"""

import math
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

WIDTH, EDGE = 420.0, 8.0
"""Points: the width of a chart, about that of a phone, and the margin on each side."""
INK, FAINT, PAPER = "var(--ink)", "var(--faint)", "var(--paper)"
"""Colours of the page, light, dark or printed."""
BOLD, WIDE_LETTER, OTHER_LETTER = 1.19, 1.37, 1.1
"""How much wider bold letters are; widths of East Asian letters and pictures, and of letters not in the list [em]."""
LETTERS = {
    0.32: " iIl.,'·",
    0.36: "j|:;/\\J",
    0.46: 'frt()[]-!"',
    0.58: "cksz?*°–FL`_",
    0.65: "0123456789abdeghnopquvxy${}",
    0.80: "ABCDEGHKNOPQRSTUVXYZ&",
    0.87: "wM#~+<>=^±−×÷",
    1.02: "mW%@—…■",
}
"""Upper bounds of the widths of letters [em]; source: DejaVu Sans, the widest font that the page names."""
_WIDTHS = {letter: width for width, letters in LETTERS.items() for letter in letters}


def width(text: str, size: float = 12.0, bold: bool = False) -> float:
    """Return at most how wide a text is [points] in letters of a size [points]."""
    return size * (BOLD if bold else 1.0) * sum(map(_letter, text))


def _letter(letter: str) -> float:
    found = _WIDTHS.get(letter)
    if found is not None:
        return found
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    return WIDE_LETTER if unicodedata.east_asian_width(letter) in "WF" else OTHER_LETTER


def ticks(low: float, high: float, most: int, whole: bool = True) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten within two ends, with at most ``most`` steps between.

    The step is the smallest that is allowed, and if ``whole`` a whole number where the ends are at least 1 apart. No
    values where ``high`` is not above ``low``.
    """
    if not high > low:
        return []
    power = math.floor(math.log10((high - low) / most)) - 1
    if whole and high - low >= 1:
        power = max(power, 0)
    while True:
        for digit in (1, 2, 5):
            first, last = (_steps(end, digit, power) for end in (low, high))
            start, end = math.ceil(first - 1e-9), math.floor(last + 1e-9)
            if end - start <= most:
                return [_value(step * digit, power) for step in range(start, end + 1)]
        power += 1


def _steps(value: float, digit: int, power: int) -> float:
    return value / digit * 10.0**-power


def _value(count: int, power: int) -> float:
    return float(count * 10**power) if power >= 0 else count / 10**-power


def decimal(value: float) -> str:
    """Write a coordinate to a tenth of a point."""
    return f"{value:z.1f}".removesuffix(".0")


def steps(points: Sequence[tuple[float, float]]) -> str:
    """Write a closed path through points to a tenth of a point; a step along one axis names only that one."""
    out: list[str] = []
    at = ("", "")
    for point in points:
        to = (decimal(point[0]), decimal(point[1]))
        if not out:
            out.append(f"M{to[0]} {to[1]}")
        elif to != at:
            out.append(f"V{to[1]}" if to[0] == at[0] else f"H{to[0]}" if to[1] == at[1] else f"L{to[0]} {to[1]}")
        at = to
    return "".join([*out, "z"])


class Sheet:
    """A picture ``height`` points high, y downwards; what is drawn later lies on top."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.parts: list[str] = []

    def box(self, x: float, y: float, wide: float, high: float, colour: str) -> None:
        """Draw a filled box; a negative size reaches to the left or up; one of no size is left out."""
        left, right = decimal(min(x, x + wide)), decimal(max(x, x + wide))
        top, bottom = decimal(min(y, y + high)), decimal(max(y, y + high))
        if left != right and top != bottom:
            self.parts.append(f'<path d="M{left} {top}H{right}V{bottom}H{left}z"{_fill(colour)}/>')

    def shape(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """Fill what is within points."""
        self.parts.append(f'<path d="{steps(points)}"{_fill(colour)}/>')

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: str, thick: float, dash: str = ""
    ) -> None:
        """Draw a line; ``dash``: lengths of dashes and gaps, empty for none."""
        self.curve((start, end), colour, thick, dash)

    def curve(self, points: Sequence[tuple[float, float]], colour: str, thick: float, dash: str = "") -> None:
        """Draw a line through points."""
        path = "".join(f"{'L' if number else 'M'}{decimal(x)} {decimal(y)}" for number, (x, y) in enumerate(points))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="{path}" style="fill:none;stroke:{colour}" stroke-width="{decimal(thick)}"{dashes}/>'
        )

    def dot(self, x: float, y: float, radius: float, colour: str, ring: str = "") -> None:
        """Draw a filled circle; ``ring``: the colour of a line around it, empty for none."""
        line = f' stroke="{ring}" stroke-width="1.5"' if ring else ""
        if ring.startswith("var"):
            line = f' style="stroke:{ring}" stroke-width="1.5"'
        place = f'cx="{decimal(x)}" cy="{decimal(y)}" r="{decimal(radius)}"'
        self.parts.append(f'<circle {place} fill="{colour}"{line}/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12.0,
        colour: str = INK,
        bold: bool = False,
        anchor: str = "start",
    ) -> None:
        """Write a line around height y, its start, middle or end at x.

        What would leave the sheet is moved in, and made smaller where it is wider than the sheet.
        """
        room = WIDTH - EDGE
        takes = width(text, size, bold)
        if takes > room:
            size, takes = size * room / takes, room
        before = {"start": 0.0, "middle": takes / 2, "end": takes}[anchor]
        x = min(max(x, EDGE / 2 + before), WIDTH - EDGE / 2 - takes + before)
        style = (";font-weight:700" if bold else "") + (f";fill:{colour}" if colour != INK else "")
        style = (f";font-size:{decimal(size)}px" if size != 12 else "") + style
        attributes = (f' style="{style[1:]}"' if style else "") + (f' text-anchor="{anchor}"' * (anchor != "start"))
        place = f'x="{decimal(x)}" y="{decimal(y + 0.36 * size)}"'
        self.parts.append(f"<text {place}{attributes}>{escape(text)}</text>")

    def svg(self, says: str) -> str:
        """Return the picture as an SVG element whose accessible name is what it says."""
        head = f'role="img" aria-label={quoteattr(says)} viewBox="0 0 {decimal(WIDTH)} {decimal(self.height)}"'
        style = f"font:12px var(--font);fill:{INK}"
        return f'<svg {head} style="{style}"><title>{escape(says)}</title>\n' + "\n".join(self.parts) + "\n</svg>"


def _fill(colour: str) -> str:
    return f' style="fill:{colour}"' if colour.startswith("var") else f' fill="{colour}"'
