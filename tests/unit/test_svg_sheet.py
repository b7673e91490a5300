"""The sheet that charts are drawn on: round values of an axis, widths of texts, paths, and what leaves the sheet."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.report.svg_sheet import BOLD, EDGE, LETTERS, WIDTH, Sheet, decimal, steps, ticks, width


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0, 30, 6, [0, 5, 10, 15, 20, 25, 30]),
        (0, 1260, 4, [0, 500, 1000]),
        (0, 4200, 4, [0, 1000, 2000, 3000, 4000]),
        (0, 4, 4, [0, 1, 2, 3, 4]),
        (0, 1.05, 4, [0, 1]),
        (0, 0.05, 5, [0, 0.01, 0.02, 0.03, 0.04, 0.05]),
        (0.12, 0.31, 4, [0.15, 0.2, 0.25, 0.3]),
        (-3, 7, 5, [-2, 0, 2, 4, 6]),
        (0, 1_000_000, 4, [0, 500_000, 1_000_000]),
        (5, 5, 4, []),
        (5, 4, 4, []),
    ],
)
def test_ticks_by_hand(low, high, most, found) -> None:
    """Multiples of 1, 2 and 5 times a power of ten within the ends, whole numbers where the ends are 1 apart."""
    assert ticks(low, high, most) == found


def test_ticks_of_ratios_need_not_be_whole() -> None:
    """A scale from 0.8 to 1.9 has more than the 1 where parts of one are allowed."""
    assert ticks(0.8, 1.9, 4) == [1]
    assert ticks(0.8, 1.9, 4, whole=False) == [1, 1.5]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 12))
def test_ticks_are_few_even_and_within(low, span, most) -> None:
    """At most as many steps as asked, all of one size, none outside by more than rounding; never only one of many."""
    high = low + span
    found = ticks(low, high, most)
    if not high > low:
        return
    assert len(found) <= most + 1
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert all(low - slack <= value <= high + slack for value in found)
    sizes = {f"{after - before:.3e}" for before, after in pairwise(found)}
    if span > 1e-3 * abs(low):
        assert len(sizes) <= 1
    if span >= 1:
        assert all(value == round(value) for value in found)


def test_letters_have_one_width() -> None:
    """No letter is in two classes."""
    letters = "".join(LETTERS.values())
    assert len(letters) == len(set(letters))


def test_widths_are_bounds_of_the_widest_font() -> None:
    """No letter of DejaVu Sans, plain or bold, is wider than its class says; no estimate is half too wide."""
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.ft2font import LoadFlags

    for weight, factor in (("normal", 1.0), ("bold", BOLD)):
        font = get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
        font.set_size(100, 72)
        for bound, letters in LETTERS.items():
            for letter in letters:
                real = font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100
                assert bound * factor / 1.5 <= real <= bound * factor, (letter, weight)


def test_widths_of_other_letters() -> None:
    """East Asian letters and pictures are wide; marks that lie on a letter take no room; bold is wider."""
    assert width("训", 10) == pytest.approx(13.7)
    assert width("🚀", 10) == pytest.approx(13.7)
    assert width("e\u0301", 10) == width("e", 10)
    assert width("\u200d", 10) == 0
    assert width("ab", bold=True) == pytest.approx(BOLD * width("ab"))


def placed(sheet: Sheet) -> tuple[float, float]:
    """Return x of the only text, and the size of its letters."""
    (text,) = sheet.parts
    size = re.search(r"font-size:([\d.]+)px", text)
    return float(re.search(r' x="([-\d.]+)"', text)[1]), float(size[1]) if size else 12.0


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
@pytest.mark.parametrize("x", [-50.0, 5.0, 200.0, 418.0, 900.0])
def test_a_text_stays_on_the_sheet(x, anchor) -> None:
    """Wherever it is put, all of it is seen."""
    sheet = Sheet(50)
    sheet.text(x, 20, "12.34 million USD", anchor=anchor)
    at, _ = placed(sheet)
    takes = width("12.34 million USD")
    left = at - {"start": 0.0, "middle": takes / 2, "end": takes}[anchor]
    assert left >= EDGE / 2 - 0.1
    assert left + takes <= WIDTH - EDGE / 2 + 0.1


def test_a_text_wider_than_the_sheet_is_smaller() -> None:
    """Its letters shrink until it fits; nothing is cut."""
    sheet = Sheet(50)
    sheet.text(0, 20, "W" * 60)
    x, size = placed(sheet)
    assert x == EDGE / 2
    assert width("W" * 60, size) <= WIDTH - EDGE + 3  # the size is written to a tenth


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12))
def test_a_path_has_the_points_it_was_given(points) -> None:
    """Read back, it goes through the points; those that repeat are named once."""
    found, at = [], [0.0, 0.0]
    for command, numbers in re.findall(r"([MLHVz])([-\d. ]*)", steps(points)):
        values = [float(each) for each in numbers.split()]
        at = {"H": [*values, at[1]], "V": [at[0], *values], "z": at}.get(command, values)
        found += [tuple(at)] if command != "z" else []
    assert found == [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]


def test_numbers_are_short() -> None:
    """A tenth of a point, no sign of zero, no decimal that says nothing."""
    assert [decimal(value) for value in (3.0, 3.14, -0.01, 0.25, -2.5)] == ["3", "3.1", "0", "0.2", "-2.5"]


def test_boxes_reach_left_and_up() -> None:
    """A negative size is drawn from the other corner, and one of no size is left out."""
    sheet = Sheet(50)
    sheet.box(10, 20, -4, -6, "#123456")
    sheet.box(10, 20, 0.01, 6, "#123456")
    assert sheet.parts == ['<path d="M6 14H10V20H6z" fill="#123456"/>']
