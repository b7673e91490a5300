"""Pictures of reports: what is drawn is what is said, in the page's colours, the same bytes every time."""

import re
import subprocess
import sys
import warnings
from xml.etree import ElementTree

import pytest

from dcsim import load
from dcsim.decide.comparison import Pair
from dcsim.decide.log_analysis import HELD
from dcsim.decide.report_data import ReportData, story
from dcsim.ledger import STATES
from dcsim.montecarlo import Engine
from dcsim.montecarlo.manifest import Manifest
from dcsim.report.charts import COLOURS, svg
from dcsim.report.document import WORDS, Areas, Bars, Histograms, Picture, Stacks, Waterfall
from dcsim.report.full_report import document
from dcsim.report.page import Table
from dcsim.report.sections import first_picture, why
from dcsim.report.svg_sheet import width
from dcsim.report.uncertainty import sure
from tests.unit.results import lost

NOTHING = Table("", (), ())
CHARTS = {
    "bars": Bars(("Gold", "Silver"), (4.25, 6.2), ((4.24, 4.26), None), "USD", marked=0),
    "stacks": Stacks(("Gold", "Silver"), (("work done again", (1.0, 7.79)), ("other", (0.5, -0.25))), "% lost"),
    "waterfall": Waterfall(
        ("formula", 20.91), (("detection", 15.67), ("spares", -2.5)), ("simulated", 34.09), "%", "pp", 2
    ),
    "histograms": Histograms(("Gold",), ((1, 5, 2),), ((5.0, 5.1, 5.2, 5.3),), ((("P5", 5.05), ("P95", 5.25)),), "%"),
    "areas": Areas((("Typical", (0.0, 10.0, 20.0), (("repair", (3.0, 5.0)), ("others", (1.0, 0.0)))),), "day", "GPUs"),
}


def drawn(chart, title="A title", says="what it says") -> str:
    """Draw a chart by itself; nothing warns."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        text = svg(Picture(title, says, chart, NOTHING))
    assert not told
    return text


@pytest.mark.parametrize("name", CHARTS)
def test_a_picture_is_well_formed_and_the_same_every_time(name) -> None:
    """XML with the finding as its name, letters as text, the page's colours, no style for the page around it."""
    text = drawn(CHARTS[name], says='1 < 2 & "so"')
    root = ElementTree.fromstring(text.replace("xlink:", ""))
    assert root.attrib["aria-label"] == '1 < 2 & "so"'
    assert root.attrib["role"] == "img"
    assert any(element.tag.endswith("text") for element in root.iter())
    assert "<style" not in text
    assert "var(--ink)" in text
    assert "DejaVu" not in text
    assert text == drawn(CHARTS[name], says='1 < 2 & "so"')


def test_charts_need_no_matplotlib() -> None:
    """To load it and draw with it took a third of a run's time; nothing that a report's page needs loads it."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from dcsim.report.charts import svg\n"
            "from dcsim.report.document import Bars, Picture\nfrom dcsim.report.page import Table\n"
            "svg(Picture('t', 's', Bars(('a',), (1.0,), (None,), 'USD', 0), Table('', (), ())))\n"
            "import dcsim.report.html; print('matplotlib' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_every_state_has_words_of_its_own() -> None:
    """All that GPUs may be held by, and all that they may be lost to; no two alike."""
    assert set(WORDS) == {*HELD, *STATES} - {"useful"}
    assert len(set(WORDS.values())) == len(WORDS)
    assert set(WORDS) | set(WORDS.values()) <= set(COLOURS)


def test_nothing_to_stack_is_a_picture_too() -> None:
    """Offers that cost the same have a gap of no parts; nothing lost, or every GPU running, has no states."""
    assert "0.00 million USD" in drawn(Stacks(("Twin",), (), "million USD"))
    assert "Typical" in drawn(Areas((("Typical", (0.0, 10.0), ()),), "day", "GPUs"))


@pytest.mark.parametrize("name", CHARTS)
def test_a_picture_has_no_ids(name) -> None:
    """So two pictures of a page share none."""
    assert " id=" not in drawn(CHARTS[name])
    assert "href" not in drawn(CHARTS[name])


@pytest.mark.parametrize("label", ["训练集群 🚀", "$x^2$ $", "<b>&amp;</b>", "\\frac{1}{2}"])
def test_labels_are_text(label) -> None:
    """Letters that the drawing font lacks, dollars and markup are drawn as they are, without a warning."""
    text = drawn(Bars((label,), (1.0,), (None,), "USD", marked=0))
    root = ElementTree.fromstring(text.replace("xlink:", ""))
    assert label in [element.text for element in root.iter() if element.tag.endswith("text")]


def texts(text: str) -> list[str]:
    """Return what is written in a picture, in order."""
    return [element.text or "" for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")]


def boxes(text: str) -> list[tuple[float, float, float, float, str]]:
    """Return (left, top, right, bottom, colour) of every box in a picture, in order."""
    found = re.findall(r'd="M(\S+) (\S+)H(\S+)V(\S+)H\1z" (?:fill="|style="fill:)([^"]+)"', text)
    return [
        (float(left), float(top), float(right), float(bottom), colour) for left, top, right, bottom, colour in found
    ]


def test_bars_are_as_long_as_their_values() -> None:
    """From one margin, in proportion; the marked one in another colour; the interval where it lies."""
    text = drawn(CHARTS["bars"])
    gold, silver = boxes(text)
    assert gold[0] == silver[0] == 8
    assert (silver[2] - 8) / (gold[2] - 8) == pytest.approx(6.2 / 4.25, rel=1e-3)
    assert gold[4] != silver[4]
    ((low, high),) = [(float(low), float(high)) for low, high in re.findall(r'd="M(\S+) 31L(\S+) 31"', text)]
    assert [(each - 8) / (gold[2] - 8) for each in (low, high)] == [
        pytest.approx(bound / 4.25, abs=1e-3) for bound in (4.24, 4.26)
    ]
    assert texts(text) == ["Gold", "4.25 USD", "Silver", "6.20 USD"]


def test_stacks_lie_side_by_side() -> None:
    """Each piece begins where the one before ends; what is negative goes left from zero; the sum stands behind."""
    text = drawn(CHARTS["stacks"])
    legend, pieces = boxes(text)[:2], boxes(text)[2:]
    unit = pieces[0][2] - pieces[0][0]
    assert [(right - left) / unit for left, _, right, _, _ in pieces] == [
        pytest.approx(size, abs=0.01) for size in (1, 0.5, 7.79, 0.25)
    ]
    assert pieces[0][2] == pieces[1][0]
    assert pieces[3][2] == pieces[2][0] == pieces[0][0]
    assert [each[4] for each in pieces] == [each[4] for each in legend] * 2
    assert texts(text)[2:] == ["Gold", "1.50 % lost", "Silver", "7.54 % lost"]


def test_a_waterfall_steps_from_level_to_level() -> None:
    """A step begins where the one before ends; up and down have colours and signs of their own."""
    text = drawn(CHARTS["waterfall"])
    first, up, down, last = boxes(text)
    assert up[0] == first[2]
    assert down[2] == up[2]
    assert last[2] == pytest.approx(down[0], abs=0.2)
    assert len({first[4], up[4], down[4]}) == 3
    assert texts(text)[1::2] == ["20.91 %", "+15.67 pp", "-2.50 pp", "34.09 %"]


def test_histograms_are_as_high_as_their_counts() -> None:
    """Bins stand on one line and marks lie where their values are."""
    text = drawn(CHARTS["histograms"])
    bins = boxes(text)
    assert [(foot - top) / 16 for _, top, _, foot, _ in bins] == [pytest.approx(count, abs=0.02) for count in (1, 5, 2)]
    marks = [float(x) for x in re.findall(r'd="M(\S+) 46L', text)]
    assert marks == [pytest.approx((each[0] + each[2]) / 2, abs=0.1) for each in (bins[0], bins[2])]
    assert texts(text) == ["Gold", "P5 5.05, P95 5.25 %", "5.00 %", "5.30 %"]


def test_areas_lie_on_each_other_over_ticks() -> None:
    """Others begin at the top of repair and end with it; ticks of both axes are round."""
    text = drawn(CHARTS["areas"])
    repair, others = re.findall(r'd="(M[^"]+z)"', text)[2:]
    three, four, five = (f"{198 - 130 * each / (1.05 * 5):.1f}".removesuffix(".0") for each in (3, 4, 5))
    assert repair == f"M54 {three}H231V{five}H408V198H231H54z"
    assert others == f"M54 {four}H231V{five}H408H231V{three}H54z"
    assert texts(text)[3:] == ["GPUs", "0", "2", "4", "0", "5", "10", "15", "20", "day"]


def test_long_counts_have_room_beside_the_axis() -> None:
    """The axis moves right until its longest number is whole."""
    text = drawn(Areas((("Typical", (0.0, 30.0), (("repair", (90_000_000.0,)),)),), "day", "GPUs"))
    at = float(re.search(r'x="(\S+)" y="\S+"[^>]*>80,000,000<', text)[1])
    assert at - width("80,000,000", 11) >= 4


@pytest.mark.parametrize(
    "chart",
    [
        Bars(("Gold",), (123456.78,), ((123456.0, 123460.0),), "million USD", marked=0),
        Stacks(("Gold",), (("lost", (162.16,)),), "million USD of GPU-hours"),
        Waterfall(("formula", 20.0), (("detection", 15.0),), ("simulated", 35.0), "% of all GPU-hours", "pp", 2),
    ],
)
def test_texts_behind_bars_have_room(chart) -> None:
    """The longest bar ends where its text still fits on the sheet, and the text does not lie on it."""
    text = drawn(chart)
    end = max(right for _, _, right, _, _ in boxes(text))
    behind = max(float(x) for x in re.findall(r'<text x="(\S+)"', text))
    assert end + 4 <= behind <= 420 - 100


def test_the_unit_of_areas_stands_above_the_highest_tick() -> None:
    """Also where that tick is at the top of the axis: letters are less than 0.8 of their size high."""
    text = drawn(Areas((("Typical", (0.0, 30.0), (("repair", (3.81,)),)),), "day", "GPUs"))
    unit, tick = (float(re.search(rf' y="(\S+)"[^>]*>{each}<', text)[1]) for each in ("GPUs", "4"))
    assert tick - unit >= 0.8 * 11


def test_a_legend_breaks_before_it_leaves_the_sheet() -> None:
    """Names that fit share a line; each begins behind the end of the one before."""
    names = ("W" * 24, "i" * 24, "训" * 24, "b", "c")
    text = drawn(Stacks(("Gold",), tuple((name, (1.0,)) for name in names), "%"))
    found = re.findall(r'<text x="(\S+)" y="(\S+)"[^>]*>(W+|i+|训+|b|c)<', text)
    assert [name for _, _, name in found] == list(names)
    ends: dict[str, float] = {}
    for x, y, name in found:
        assert float(x) >= ends.get(y, 0)
        ends[y] = float(x) + width(name, 11)
        assert ends[y] <= 420
    assert len(ends) == 3


# --- what is drawn ------------------------------------------------------------------------------------------------


def test_the_first_picture_marks_the_best() -> None:
    """The cheapest bar; none of two that are the same; the simulated one of a single run."""
    gold = load("pretrain-5184/gold")
    dear = gold.model_copy(update={"name": "Dear", "tco": gold.tco.model_copy(update={"gpu_hour": 8.0})})
    runs = [lost(dear, 0.1, 0.11), lost(gold, 0.1, 0.11)]
    assert first_picture(runs).chart.marked == 1
    assert first_picture([runs[1], lost(gold, 0.1, 0.112)]).chart.marked == -1
    alone = first_picture([lost(gold, 0.1, 0.2)]).chart
    assert alone.labels[alone.marked] == "simulated"
    assert alone.values[alone.marked] == pytest.approx(15)
    assert alone.values[0] == pytest.approx(6.143, abs=0.001)


def test_histograms_count_every_run() -> None:
    """Counts sum to the replications, marks are the quantiles, equal runs have one bin that holds them all."""
    gold = load("pretrain-5184/gold")
    losses = [0.05 + 0.001 * index for index in range(21)]
    section = sure([lost(gold, *losses)])
    chart = section.parts[0].chart
    assert sum(chart.counts[0]) == 21
    assert dict(chart.marks[0]) == {name: pytest.approx(at) for name, at in (("P5", 5.1), ("P50", 6.0), ("P95", 6.9))}
    same = sure([lost(gold, 0.05, 0.05, 0.05)]).parts[0].chart
    assert max(same.counts[0]) == sum(same.counts[0]) == 3
    assert sure([lost(gold, 0.05)]).parts == ()


def test_a_waterfall_ends_where_the_simulation_does() -> None:
    """Its levels are those of the bridge; steps too small to see are left out, the ends are not moved by that."""
    from dcsim.decide import explain

    bridge = explain(load("pretrain-5184/silver", set=["horizon=1 mo"]), replications=2, workers=1)
    chart = why([bridge], ["Silver"]).parts[0].chart
    assert chart.first == ("formula", pytest.approx(100 * bridge.steps[0].loss))
    assert chart.last == ("simulated", pytest.approx(100 * bridge.steps[-1].loss))
    assert chart.first[1] + sum(step for _, step in chart.steps) == pytest.approx(chart.last[1], abs=0.05)
    assert all(abs(step) >= 0.005 for _, step in chart.steps)


def run_data(*runs) -> ReportData:
    """A run_data of runs that were made up."""
    from itertools import combinations

    manifest = Manifest.model_validate(
        {
            "scenario_sha256": "0" * 64,
            "seed": 1,
            **Engine("compiled").to_json(),
            "replications": {"wanted": 2, "finished": 2},
            "python": "3.11.7",
            "numpy": "2.0",
            "simpy": "4.1",
        }
    )
    pairs = tuple(Pair(a, b) for a, b in combinations(runs, 2))
    return ReportData(tuple(runs), pairs, (), tuple(story(run) for run in runs), tuple(manifest for _ in runs))


def test_cards_say_by_how_much() -> None:
    """The best is marked, the others say what they cost more; two that are the same are so called."""
    gold = load("pretrain-5184/gold")
    dear = gold.model_copy(update={"name": "Dear", "tco": gold.tco.model_copy(update={"gpu_hour": 8.0})})
    cheap, other = lost(gold, 0.1, 0.11), lost(dear, 0.1, 0.11)
    cards = document(run_data(cheap, other)).cards
    assert [card.best for card in cards] == ["cheapest", ""]
    assert cards[0].notes[0] == "paid 541.9 million USD over 36 months"
    assert re.fullmatch(r"\d\d % more", cards[1].notes[0])
    twin = lost(gold.model_copy(update={"name": "Twin"}), 0.1, 0.111)
    assert [card.best for card in document(run_data(cheap, twin)).cards] == ["the same", "the same"]
    free = [run.scenario.model_copy(update={"tco": None}) for run in (cheap, other)]
    cards = document(run_data(lost(free[0], 0.2, 0.21), lost(free[1], 0.1, 0.11))).cards
    assert [(card.best, card.unit) for card in cards] == [
        ("", "% of GPU-hours lost"),
        ("least lost", "% of GPU-hours lost"),
    ]


def test_runs_of_one_name_are_told_apart() -> None:
    """By number, in every picture and table."""
    gold = load("pretrain-5184/gold")
    found = document(run_data(lost(gold, 0.1, 0.11), lost(gold, 0.3, 0.31)))
    assert [card.label for card in found.cards] == ["Gold-tier (1)", "Gold-tier (2)"]
