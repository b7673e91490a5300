"""Break-evens: what may be asked, what is refused, and what is said of an answer."""

import json
import re
from dataclasses import replace

import pytest

import dcsim
from dcsim.decide.breakeven import breakeven
from dcsim.decide.breakeven_threshold import Range
from dcsim.report.breakeven_page import breakeven_document, breakeven_page
from dcsim.report.document import Bars, Picture
from dcsim.report.html import html
from dcsim.scenario import ScenarioError, read

pytestmark = pytest.mark.xdist_group("breakeven")
GOLD = read("pretrain-5184/gold", horizon="1 mo")
SILVER = read("pretrain-5184/silver", horizon="1 mo")


def ask(what: str, against: object = None, scenario: object = GOLD, runs: int = 8):
    """Ask a question of few short runs."""
    return breakeven(scenario, what, against=against, replications=runs, workers=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "against", "said"),
    [
        ("licence", None, "WHAT: licence needs a second offer: --against FILE2"),
        ("lisence", SILVER, "WHAT: found 'lisence'; allowed: licence, tor, .*; did you mean \"licence\"?"),
        ("detection", SILVER, "WHAT: detection is about FILE alone; allowed with --against: licence, tor"),
        ("detection:tpu", None, "WHAT: detection: found 'tpu'; allowed: gpu"),
        ("failover:pretrian", None, "WHAT: failover: found 'pretrian'; allowed: .*; did you mean \"pretrain\"?"),
        ("spare:gpu", None, "WHAT: spare:gpu: found a name; spare has none"),
        ("tor", SILVER, "WHAT: tor: found .* leaves in Gold-tier and .* in Silver-tier; FILE must have more"),
        ("hazards.gpu.mtbf=5000 h", SILVER, "WHAT: found '5000 h'; must be KEY=LOWEST:HIGHEST"),
        ("hazards.gpu.mtbf=9000 h:5000 h", SILVER, "WHAT: .*; the lowest value must be below the highest"),
        ("hazards.gpu.mtbf=5 GiB:5000 h", SILVER, "WHAT: .*; lowest and highest must have units of one kind"),
        ("hazards.gpu.mtbv=5000 h:9000 h", SILVER, 'WHAT hazards.gpu.mtbv=.*unknown key.*"mtbf"'),
    ],
)
def test_what_cannot_be_asked_is_one_line(what: str, against: object, said: str):
    """Each mistake is named before anything is simulated."""
    with pytest.raises(ScenarioError) as caught:
        ask(what, against)
    (problem,) = caught.value.problems
    assert re.match(said, str(problem)), str(problem)


def test_prices_are_needed():
    """Without [tco] nothing is worth an amount."""
    with pytest.raises(ScenarioError, match="has no prices; give"):
        ask("detection", scenario=read("strategies-5184/elastic"))


def test_detection_that_is_a_distribution_is_refused():
    """A minute less of a distribution is no question yet."""
    spread = read(GOLD, **{"hazards.gpu.detect": {"kind": "exponential", "mean": "15 min"}})
    with pytest.raises(ScenarioError, match="found a distribution; set it to a time first"):
        ask("detection", scenario=spread)


def test_spares_in_racks_are_no_question_of_one_more():
    """A spare more in a rack is a GPU less for its job: that is another offer."""
    racks = read("nvl72-64-of-72/in-rack", **{"tco.gpu_hour": "4 USD"})
    with pytest.raises(ScenarioError, match="spare: spares lie in racks here"):
        ask("spare", scenario=racks)


def test_one_of_several_hazards_is_named():
    """1,000 h of MTBF are of one hazard."""
    with pytest.raises(ScenarioError, match="mtbf: there are several hazards; ask for one: mtbf:gpu, mtbf:leaf"):
        ask("mtbf", scenario=read("plant/optics-co-packaged"))


def test_a_licence_that_is_paid_already_is_the_question():
    """What FILE pays for its licence is left out of its bill, and told as what it costs."""
    paying = read(GOLD, **{"tco.licence": "0.10 USD"})
    with_it, without = ask("licence", SILVER, scenario=paying), ask("licence", SILVER)
    assert with_it.costs == 0.10
    assert without.costs is None
    assert with_it.prices[0].simulated.mean == pytest.approx(without.prices[0].simulated.mean, rel=1e-12)
    assert "It costs 0.10" in " ".join(breakeven_page(with_it).answer)


def test_a_price_is_where_comparison_finds_both_alike():
    """With the licence that is found, paid per useful GPU-hour is the same as that of the other offer."""
    found = ask("licence", SILVER)
    price = found.prices[0].simulated.mean
    paying = read(GOLD, **{"tco.licence": f"{price:.9f} USD"})
    both = dcsim.compare([paying, SILVER], replications=8, workers=1, bridges=False)
    hours = [run.tco.usd_per_useful_gpu_hour["all_in"] for run in both.runs if run.tco]
    assert hours[0] == pytest.approx(hours[1], rel=1e-8)


def test_a_step_shorter_than_a_minute_is_a_minute_more():
    """Where detection takes 30 s a minute cannot be taken away: what a minute more costs is told."""
    quick = read(GOLD, **{"hazards.gpu.detect": "30 s"})
    found = ask("detection", scenario=quick)
    assert found.offer.scenario.hazards[0].detect == 30_000
    assert found.against.scenario.hazards[0].detect == 90_000
    assert found.prices[0].simulated.mean > 0


def test_offers_that_are_never_equal_are_told_so():
    """In the whole range one is cheaper: that is said, and no value is made up."""
    found = ask("hazards.gpu.mtbf=20000 h:50000 h", SILVER)
    assert found.threshold is not None
    assert found.threshold.at is None
    assert found.threshold.cheaper == "always"
    assert found.threshold.certain
    said = breakeven_page(found).answer[0]
    assert said.startswith("Gold-tier and Silver-tier are never equal for hazards.gpu.mtbf from 20,000 to 50,000 h: ")
    assert "Gold-tier is cheaper in the whole range" in said


def test_a_key_that_changes_nothing_is_told_so():
    """Two equal offers and a key that no price depends on: they cost the same everywhere."""
    found = ask("accounting.job_size=64:4096", GOLD)
    assert found.threshold is not None
    assert found.threshold.at is None
    assert "cost the same for every value" in breakeven_page(found).answer[0]


@pytest.mark.parametrize(
    ("text", "middle", "unit"),
    [("0:100", 50, ""), ("0:1.5", 0.75, ""), ("1 h:100 h", "10 h", "h"), ("0 USD:1 USD", "0.5 USD", "USD")],
)
def test_values_between_the_ends(text: str, middle: object, unit: str):
    """Whole numbers stay whole; from a ratio of ten on the middle is that of the logarithms."""
    within = Range.read(text, "WHAT")
    assert within.value(0.5) == middle
    assert within.unit == unit
    assert (within.number(0.0), within.number(1.0)) == (within.lowest, within.highest)


def test_the_document_and_the_report():
    """JSON is plain data; the report is a page without scripts that says the answer first."""
    found = ask("detection")
    document = json.loads(json.dumps(found.to_json()))
    assert [each["method"] for each in document["breakeven"]["prices"]] == ["paid", "lost_work"]
    assert document["breakeven"]["per"] == "a month"
    text = html(breakeven_document(found, ["dcsim", "breakeven"]))
    assert "A minute of detection is worth up to" in text
    assert "<script" not in text
    assert "worth up to" in str(found)
    assert dcsim.breakeven is breakeven  # by the package's door a notebook sees sentences and tables
    assert "worth up to" in found._repr_html_()


def test_runs_are_kept_and_read_again(tmp_path):
    """With a folder the runs stay there; resuming gives the same answer."""
    first = breakeven(GOLD, "failover", replications=4, workers=1, output=tmp_path)
    assert first.folder is not None
    assert first.folder.parent == tmp_path
    again = breakeven(GOLD, "failover", replications=4, workers=1, output=tmp_path, resume=True)
    assert again.to_json()["breakeven"] == first.to_json()["breakeven"]


@pytest.mark.parametrize(
    ("ends", "costs", "says"),
    [
        ((500.0, 700.0), 1800.0, ", more than it is worth."),
        ((500.0, 700.0), 600.0, ", which cannot be told from what it is worth."),
        ((500.0, 700.0), 100.0, ", less than it is worth."),
        ((-9.0, 10.0), 792.0, ", more than it is worth."),
    ],
)
def test_what_it_costs_stands_beside_what_it_is_worth(ends, costs, says):
    """The price at which nothing is gained is what it is worth; what it costs comes after it, with how both stand."""
    found = breakeven("operations/technicians-visit", "spare", replications=4, workers=1, set=["horizon=2 mo"])
    (paid,) = found.prices
    mean = (ends[0] + ends[1]) / 2
    summary = replace(paid.simulated, mean=mean, ci95=ends, reliable=True)
    answer = breakeven_page(replace(found, costs=costs, prices=(replace(paid, simulated=summary),))).answer
    assert answer[-1].startswith("It costs ")
    assert answer[-1].endswith(says)
    at_that_price = [each for each in answer if each.startswith("At that price")]
    assert at_that_price == ([answer[1]] if ends[0] > 0 else [])


def test_the_picture_has_what_it_costs_beside_what_it_is_worth():
    """A bar of its own, and a note of the table behind it; neither where the scenario says nothing of a cost."""
    found = replace(ask("detection"), costs=20_000.0)
    picture = breakeven_document(found, ["dcsim"]).parts[0]
    assert isinstance(picture, Picture)
    assert picture.title == "What a minute of detection is worth, and what it costs"
    assert isinstance(picture.chart, Bars)
    assert (picture.chart.labels[-1], picture.chart.values[-1]) == ("what it costs in the scenario", 20_000.0)
    assert picture.chart.intervals[-1] is None
    assert picture.chart.marked == 0
    assert picture.table.notes[-1] == "It costs 20,000 USD a month in the scenario."
    plain = breakeven_document(replace(found, costs=None), ["dcsim"]).parts[0]
    assert isinstance(plain, Picture)
    assert isinstance(plain.chart, Bars)
    assert plain.title == "What a minute of detection is worth"
    assert plain.chart.labels == ("simulated", "by formula", "by exact theory")
    assert "costs" not in " ".join(plain.table.notes)
