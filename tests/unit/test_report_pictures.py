"""Pictures of reports: what is drawn is what is said, in the page's colours, the same bytes every time."""

import re
import warnings
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import load
from dcsim.decide.comparison import Pair
from dcsim.decide.log_analysis import HELD
from dcsim.decide.report_data import ReportData, story
from dcsim.ledger import STATES
from dcsim.montecarlo import Engine
from dcsim.montecarlo.manifest import Manifest
from dcsim.report.charts import COLOURS, THEME, _short, svg
from dcsim.report.document import WORDS, Areas, Bars, Histograms, Picture, Stacks, Waterfall
from dcsim.report.full_report import document
from dcsim.report.page import Table
from dcsim.report.sections import first_picture, why
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
    assert not any(stand_in in text for stand_in in THEME)
    assert "var(--ink)" in text
    assert "DejaVu" not in text
    assert text == drawn(CHARTS[name], says='1 < 2 & "so"')


def test_every_state_has_words_of_its_own() -> None:
    """All that GPUs may be held by, and all that they may be lost to; no two alike."""
    assert set(WORDS) == {*HELD, *STATES} - {"useful"}
    assert len(set(WORDS.values())) == len(WORDS)
    assert set(WORDS) | set(WORDS.values()) <= set(COLOURS)


def test_nothing_to_stack_is_a_picture_too() -> None:
    """Offers that cost the same have a gap of no parts; nothing lost, or every GPU running, has no states."""
    assert "0.00 million USD" in drawn(Stacks(("Twin",), (), "million USD"))
    assert "Typical" in drawn(Areas((("Typical", (0.0, 10.0), ()),), "day", "GPUs"))


def test_two_pictures_of_a_page_share_no_ids() -> None:
    """What one refers to is never in the other."""
    first, second = (set(re.findall(r' id="([^"]+)"', drawn(CHARTS["areas"], title))) for title in ("One", "Two"))
    assert first
    assert not first & second


@pytest.mark.parametrize("label", ["训练集群 🚀", "$x^2$ $", "<b>&amp;</b>", "\\frac{1}{2}"])
def test_labels_are_text(label) -> None:
    """Letters that the drawing font lacks, dollars and markup are drawn as they are, without a warning."""
    text = drawn(Bars((label,), (1.0,), (None,), "USD", marked=0))
    root = ElementTree.fromstring(text.replace("xlink:", ""))
    assert label in [element.text for element in root.iter() if element.tag.endswith("text")]


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12))
def test_a_short_path_has_the_same_points(points) -> None:
    """Read back, it goes where the long one goes."""
    long = " \n".join(f"{'L' if index else 'M'} {x} {y}.04" for index, (x, y) in enumerate(points)) + " \nz"
    found, at = [], [0.0, 0.0]
    for command, numbers in re.findall(r"([MLHVz])([-\d. ]*)", _short(long)):
        values = [float(each) for each in numbers.split()]
        at = {"H": [*values, at[1]], "V": [at[0], *values], "z": at}.get(command, values)
        found += [tuple(at)] if command != "z" else []
    once = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    assert found == [(float(x), pytest.approx(y + 0.0 if y >= 0 else y, abs=0.11)) for x, y in once]


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
