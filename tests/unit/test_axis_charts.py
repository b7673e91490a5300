"""Charts of sweeps: every value is drawn where it belongs, the best and what is as good are marked."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from dcsim.report.axis_charts import _shade
from dcsim.report.charts import svg
from dcsim.report.document import Curves, HeatMap, Lines, Picture, WinnerMap
from dcsim.report.page import Table
from dcsim.report.svg_sheet import WIDTH, width

NONE = Table("Points", (), ())


def drawn(chart) -> ElementTree.Element:
    """A chart as XML."""
    return ElementTree.fromstring(svg(Picture("A sweep", "What it found.", chart, NONE)))


def texts(picture) -> list[str]:
    """What is written in a picture."""
    return ["".join(each.itertext()) for each in picture.iter("text")]


def lines(**changes) -> Lines:
    """Two lines over three places, one value missing."""
    given = {
        "positions": (0.0, 8.0, 32.0),
        "labels": ("0", "8", "32"),
        "series": (
            ("Gold", (4.3, 4.2, 4.25), ((4.29, 4.31), None, (4.2, 4.3))),
            ("Silver <b>", (5.0, None, 4.9), (None, None, None)),
        ),
        "title": "cluster.spares",
        "unit": "USD",
        "best": (0, 1),
        "marked": ((0, 1), (0, 2)),
    }
    return Lines(**(given | changes))


def test_lines_are_drawn_to_scale():
    """Dots lie along a linear axis, higher values higher up; the best has a ring, those as good are larger."""
    dots = list(drawn(lines()).iter("circle"))
    assert len(dots) == 5
    x = [float(each.get("cx")) for each in dots[:3]]
    assert (x[1] - x[0]) / (x[2] - x[0]) == pytest.approx(8 / 32, abs=0.01)
    y = [float(each.get("cy")) for each in dots]
    assert y[1] > y[2] > y[0] > y[4] > y[3]
    assert [float(each.get("r")) > 4 for each in dots] == [False, True, True, False, False]
    assert ["stroke" in (each.get("style") or "") for each in dots] == [False, True, False, False, False]


def test_lines_say_what_they_show():
    """Axis, unit, names, the best value and what large dots mean are written; nothing in a name is markup."""
    found = texts(drawn(lines()))
    assert {"0", "8", "32", "cluster.spares", "USD", "Gold", "Silver <b>", "8: 4.20"} <= set(found)
    assert "large dots: not told apart from the best" in found
    assert not any("large dots" in text for text in texts(drawn(lines(marked=((0, 1),)))))


def test_the_best_value_is_not_written_over_the_axis():
    """At the first place its text begins right of the numbers of the axis, at the last it ends within the sheet."""
    for best in ((0, 0), (0, 2)):
        picture = drawn(lines(best=best))
        written = {"".join(each.itertext()): each for each in picture.iter("text")}
        ((told, its),) = [each for each in written.items() if ": 4." in each[0]]
        first = float(its.get("x")) - width(told, bold=True) / 2
        numbers = [each for text, each in written.items() if re.fullmatch(r"\d\.\d+", text)]
        assert first >= max(float(each.get("x")) for each in numbers)
        assert first + width(told, bold=True) <= WIDTH


def test_a_wide_axis_is_logarithmic():
    """1, 10 and 100 lie at equal distances."""
    dots = list(drawn(lines(positions=(1.0, 10.0, 100.0))).iter("circle"))
    x = [float(each.get("cx")) for each in dots[:3]]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)


def test_labels_of_an_axis_never_touch():
    """Of many places only as many labels are written as fit."""
    count = 60
    series = (("Gold", tuple(map(float, range(count))), (None,) * count),)
    labels = tuple(f"{number},000 h" for number in range(count))
    chart = lines(positions=tuple(map(float, range(count))), labels=labels, series=series, best=None, marked=())
    written = [text for text in texts(drawn(chart)) if text.endswith("000 h")]
    assert 3 <= len(written) <= 10


def test_equal_values_are_drawn():
    """A sweep whose values are all the same has a flat line inside the picture."""
    series = (("Gold", (4.0, 4.0, 4.0), (None, None, None)),)
    dots = list(drawn(lines(series=series, marked=())).iter("circle"))
    assert len({each.get("cy") for each in dots}) == 1


HEAT = HeatMap(
    ("0", "8"),
    ("1 h", "2 h", "4 h"),
    ((4.0, 4.1, 4.4), (4.05, None, 5.0)),
    "cluster.spares",
    "hazards.gpu.repair",
    "USD",
    best=(0, 0),
    marked=((0, 0), (0, 1)),
)


def colours(picture) -> list[str]:
    """Colours of the cells, row by row; the boxes of the scale come after them."""
    filled = [each for each in picture.iter("path") if "fill:none" not in (each.get("style") or "")]
    return [each.get("fill") or each.get("style") for each in filled][:6]


def brightness(colour: str) -> int:
    """Sum of red, green and blue."""
    return sum(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def test_the_worse_the_darker():
    """Cells are darker the higher the value where low is good, and lighter where high is good; none is grey."""
    low = colours(drawn(HEAT))
    assert brightness(low[0]) > brightness(low[1]) > brightness(low[2]) > brightness(low[5])
    assert "faint" in low[4]
    high = colours(drawn(HeatMap(**(vars(HEAT) | {"lower_is_better": False}))))
    assert brightness(high[0]) < brightness(high[5])


def test_cells_hold_their_values_and_the_region_has_a_line_around_it():
    """Values, labels and axes are written; the line runs around the two cells that belong together, not between."""
    picture = drawn(HEAT)
    found = texts(picture)
    assert {"4.00", "4.10", "5.00", "-", "0", "8", "1 h", "cluster.spares", "hazards.gpu.repair"} <= set(found)
    assert "4.00 to 5.00 USD" in found
    sides = [each for each in picture.iter("path") if each.get("stroke-width") == "2"]
    assert len(sides) == 6


def test_small_cells_leave_out_what_does_not_fit():
    """A map of 40 columns has no numbers, and marks the best cell by a dot."""
    columns = tuple(map(str, range(40)))
    chart = HeatMap(("0",), columns, (tuple(1000.0 + each for each in range(40)),), "a", "b", "USD", best=(0, 0))
    picture = drawn(chart)
    assert len(list(picture.iter("circle"))) == 1
    assert not [text for text in texts(picture) if re.fullmatch(r"1,0\d\d\.\d\d", text)]


def test_winners_have_colours_and_ties_have_two():
    """A cell has a stripe for each offer that is not told apart; the legend names them all."""
    chart = WinnerMap(("0",), ("1 h", "2 h", "4 h"), ("Gold", "Silver"), (((0,), (0, 1), ()),), "a", "b")
    picture = drawn(chart)
    assert {"Gold", "Silver", "two colours: not told apart"} <= set(texts(picture))
    boxes = [each for each in picture.iter("path") if each.get("fill")]
    assert len(boxes) == 2 + 1 + 2


@pytest.mark.parametrize("chart", [lines(), HEAT])
def test_nothing_leaves_the_picture(chart):
    """All that is drawn lies within the width of the picture, and the same chart has the same bytes."""
    picture = drawn(chart)
    numbers = [float(each.get("x")) for each in picture.iter("text")] + [
        float(each.get("cx")) for each in picture.iter("circle")
    ]
    assert min(numbers) >= 0
    assert max(numbers) <= WIDTH
    assert svg(Picture("A", "B.", chart, NONE)) == svg(Picture("A", "B.", chart, NONE))


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("share", [index / 20 for index in range(21)])
def test_letters_on_a_cell_have_the_better_contrast(share: float):
    """Dark letters on pale cells and white ones on deep cells: 4 to 1 at least, whatever the value."""
    cell, letters = map(luminance, _shade(share))
    low, high = sorted((cell, letters))
    assert (high + 0.05) / (low + 0.05) >= 4


def curves(**changes) -> Curves:
    """A step, a line and dots over a logarithmic axis, one of them at 0, where that has no place."""
    given = {
        "series": (
            ("seen", "steps", ((1.0, 100.0), (10.0, 50.0), (100.0, 1.0))),
            ("law <b>", "dashes", ((1.0, 90.0), (100.0, 2.0))),
            ("single", "dots", ((0.0, 80.0), (10.0, 10.0), (100.0, 0.0))),
        ),
        "title": "time",
        "unit": "share, %",
        "ticks": ((1.0, "1 h"), (10.0, "10 h"), (100.0, "4 d")),
        "log_x": True,
        "log_y": True,
    }
    return Curves(**(given | changes))


def test_curves_are_drawn_to_scale():
    """The middle of 1 and 100 h is 10 h, that of 1 and 100 % is 10 %; a step goes along before it goes down."""
    picture = drawn(curves())
    step, law = [each.get("d") for each in picture.iter("path") if each.get("stroke-width") == "1.8"]
    points = [tuple(map(float, each.split())) for each in re.split("[ML]", step)[1:]]
    assert len(points) == 5
    assert points[1][1] == points[0][1]
    assert points[2][0] == points[1][0] == pytest.approx((points[0][0] + points[4][0]) / 2, abs=0.1)
    assert law.count("L") == 1
    dots = list(picture.iter("circle"))
    assert len(dots) == 1
    assert float(dots[0].get("cy")) == pytest.approx((points[0][1] + points[4][1]) / 2, abs=0.1)
    assert {"seen", "law <b>", "1 h", "10 h", "4 d", "time", "share, %", "100", "10", "1"} <= set(texts(picture))


def test_bars_of_curves_stand_on_the_axis():
    """Each bar reaches from the axis to its value, up to the next place."""
    picture = drawn(Curves((("failures", "bars", ((0.0, 2.0), (7.0, 4.0), (14.0, 4.0))),), "days", "failures"))
    (shape,) = [each.get("d") for each in picture.iter("path") if each.get("d").endswith("z") and "H" in each.get("d")][
        -1:
    ]
    numbers = list(map(float, re.findall(r"-?\d+\.?\d*", shape)))
    assert len(numbers) >= 6


@pytest.mark.parametrize("points", [(), ((5.0, 0.0),), ((5.0, 3.0),), ((1e-4, 1e-9), (1e6, 1e9))])
@pytest.mark.parametrize("logs", [False, True])
def test_curves_of_few_points_are_drawn(points, logs):
    """Nothing, one point or many powers of ten: a picture all the same, within its edges."""
    picture = drawn(Curves((("seen", "steps", points),), "x", "y", (), logs and bool(points), logs))
    for each in picture.iter("text"):
        assert 0 <= float(each.get("x")) <= WIDTH
