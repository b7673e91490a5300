"""Which inputs may move, who follows whom, and what is said of the answer."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import dcsim
from dcsim.decide.sensitivity import ask, sensitivity
from dcsim.decide.sensitivity_indices import blocks_of, rounded
from dcsim.decide.sensitivity_inputs import inputs_of, main_numbers
from dcsim.report.charts import svg
from dcsim.report.document import Picture, Tornado
from dcsim.report.page import Table
from dcsim.report.sensitivity_answer import end_text, one_sided, sentences
from dcsim.report.sensitivity_page import sensitivity_document, sensitivity_page, tornado
from dcsim.scenario.sampled import inputs_drawn
from dcsim.units import MS_PER_H

TABLES = {
    "name": "small",
    "horizon": "1 mo",
    "seed": 5,
    "cluster": {"topology": "hgx-h100", "gpus": 64, "spares": 8},
    "jobs": [
        {
            "name": "train",
            "gpus": 56,
            "recovery": {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "6 min"},
        }
    ],
    "hazards": [
        {"component": "gpu", "mtbf": "2000 h", "mtbf_range": ["1000 h", "4000 h"], "repair": "2 h"},
        {"component": "node", "mtbf": {"kind": "weibull", "mean": "9000 h", "shape": 2.0}, "detect": "10 min",
         "mtbf_range": ["5000 h", "9000 h"], "repair": "5 h"},
    ],
    "tco": {"gpu_hour": "2 USD", "term": "12 mo"},
}  # fmt: skip
DETECT = {"key": "hazards.node.detect", "value": {"kind": "uniform", "low": "0 min", "high": "20 min"}}
REPAIR = {"key": "hazards.gpu.repair", "value": {"kind": "lognormal", "mean": "2 h", "sigma": 0.5}}
RENT = {"key": "tco.gpu_hour", "value": {"kind": "uniform", "low": "1 USD", "high": "3 USD"}}
BRIEF = {"replications": 8, "workers": 1}


def made(*uncertain, correlated=(), **changes):
    """The scenario with uncertain inputs; ``correlated``: (key, key, rank correlation)."""
    pairs = [{"keys": [a, b], "rank_correlation": r} for a, b, r in correlated]
    return dcsim.scenario({**TABLES, "uncertain": list(uncertain), "correlated": pairs}, **changes)


def test_each_key_has_one_range():
    """A range of the question comes before a distribution, this before mtbf_range, and that before a share of all."""
    unknown = {"key": "hazards.gpu.mtbf", "value": {"kind": "uniform", "low": "1500 h", "high": "2500 h"}}
    found, _ = inputs_of(made(unknown, DETECT), ["hazards.1.detect=5 min:15 min"], "10 %")
    ranges = {each.key: (each.low, each.high, each.source) for each in found}
    assert len(ranges) == len(found)
    assert ranges["hazards.node.detect"] == ("5 min", "15 min", "-L")
    assert ranges["hazards.gpu.mtbf"] == ("1550 h", "2450 h", "[[uncertain]]")
    assert ranges["hazards.node.mtbf"] == ("5000 h", "9000 h", "mtbf_range")
    assert ranges["hazards.node.repair"] == ("270 min", "330 min", "--vary")
    assert "hazards.node.mtbf.mean" not in ranges


def test_an_end_of_a_range_changes_that_input_alone():
    """Each end differs from the points in its own key; a lifetime keeps its kind; all else is at its point value."""
    scenario = made(DETECT, REPAIR)
    found = {each.key: each for each in inputs_of(scenario)[0]}
    low = found["hazards.node.mtbf"].at_low
    assert low.hazards[1].lifetime.mean_ms == 5000 * MS_PER_H
    assert low.hazards[1].lifetime.kind == "weibull"
    assert low.hazards[0] == scenario.hazards[0]
    high = found["hazards.node.detect"].at_high
    assert high.hazards[1].detect == 19 * 60_000
    assert high.hazards[0] == scenario.hazards[0]
    assert high.uncertain == ()


def test_what_a_share_moves():
    """Spares, rates, times and prices that are given and not zero; no shape, no number of GPUs, no term, no default."""
    keys = [key for key, _ in main_numbers(made())]
    assert keys == [
        "cluster.spares",
        "jobs.train.recovery.restore",
        "jobs.train.recovery.checkpoint_every",
        "hazards.gpu.mtbf",
        "hazards.gpu.repair",
        "hazards.node.mtbf.mean",
        "hazards.node.detect",
        "hazards.node.repair",
        "tco.gpu_hour",
    ]


def test_a_share_that_is_not_allowed_is_named():
    """More spares than the cluster has room for are left out, and a note says so."""
    found, notes = inputs_of(made(), (), "20 %")
    assert "cluster.spares" not in {each.key for each in found}
    assert notes == ["20 % more or less is not allowed for cluster.spares: left out"]


def test_correlated_inputs_follow():
    """What is correlated with an input goes to its median given that input; the mean rank of draws near it agrees."""
    table = [(DETECT["key"], REPAIR["key"], 0.8)]
    scenario = made(DETECT, REPAIR, correlated=table)
    found = {each.key: each for each in inputs_of(scenario)[0]}[REPAIR["key"]]
    assert found.follows == (DETECT["key"],)
    normal = NormalDist()
    rank = normal.cdf(2 * math.sin(math.pi * 0.8 / 6) * normal.inv_cdf(0.95))
    assert found.at_high.hazards[1].detect == pytest.approx(rank * 20 * 60_000, abs=1)
    drawn = np.array([list(inputs_drawn(scenario, 2 * number).values()) for number in range(4000)])
    near = drawn[np.abs(drawn[:, 1] / found.at_high.hazards[0].repair - 1) < 0.08]
    assert np.median(near[:, 0]) == pytest.approx(found.at_high.hazards[1].detect, rel=0.05)


def test_correlated_inputs_have_no_shares():
    """Shares of the variance are refused where inputs are correlated, with the reason; the bars stay."""
    scenario = made(DETECT, REPAIR, correlated=[(DETECT["key"], REPAIR["key"], 0.8)])
    found = sensitivity(scenario, metric="loss", **BRIEF)
    assert found.shares is None
    assert found.why_no_shares.startswith("No shares of the variance: inputs are correlated")
    assert {bar.input.key for bar in found.bars} >= {DETECT["key"], REPAIR["key"]}
    assert any(
        "takes along what is correlated with it: hazards.gpu.repair" in note for note in sensitivity_page(found).notes
    )


def test_blocks_differ_in_what_is_drawn_anew():
    """The second block draws all inputs anew, each further one a single input; all else is drawn as in the first."""
    scenario = made(DETECT, REPAIR)
    first, anew, *each_anew = (
        [list(inputs_drawn(block, number).values()) for number in range(4)] for block in blocks_of(scenario)
    )
    assert first == [list(inputs_drawn(scenario, number).values()) for number in range(4)]
    first, anew, detect, repair = (np.array(values) for values in (first, anew, *each_anew))
    assert not (first == anew).any()
    assert (detect == np.column_stack((anew[:, 0], first[:, 1]))).all()
    assert (repair == np.column_stack((first[:, 0], anew[:, 1]))).all()


def test_numbers_of_runs():
    """Blocks have a power of two of runs, 64 at least; scenarios that differ in prices alone share their runs."""
    assert [rounded(runs) for runs in (1, 64, 65, 1000, 1024)] == [64, 64, 128, 1024, 1024]
    question = ask(made(DETECT, RENT), replications=10, runs=100)
    assert question.told == "4 inputs: 6 x 10 runs, then 2 x 128 for the shares of the variance"
    assert ask(made(DETECT), runs=0).blocks == []


def test_from_python():
    """dcsim.sensitivity takes what run takes; its value is a table, a document and a piece of HTML."""
    found = dcsim.sensitivity(TABLES, ranges=["cluster.spares=0:8"], set=["tco.term=6 mo"], seed=6, **BRIEF)
    assert (found.scenario.seed, found.scenario.tco.months) == (6, 6)
    table = found.to_arrow()
    assert table.column_names[:4] == ["key", "source", "low", "high"]
    assert table.num_rows == 3
    assert found._repr_html_().startswith("<p>Measure ")
    assert str(found).splitlines()[0].startswith(found.bars[0].input.key)
    assert found.to_json()["measure_first"] == list(found.level)


def test_inputs_that_cannot_be_told_apart_are_named_together():
    """Two hazards of equal ranges and costs move the loss alike: both are named, and the runs do not say which more."""
    hazard = {"component": "gpu", "mtbf": "4000 h", "mtbf_range": ["3000 h", "6000 h"], "repair": "1 h"}
    twins = {**TABLES, "hazards": [{**hazard, "name": "one"}, {**hazard, "name": "two"}]}
    found = sensitivity(twins, metric="loss", replications=16, workers=1)
    assert set(found.level) == {"hazards.one.mtbf", "hazards.two.mtbf"}
    first = sentences(found)[0]
    assert first.startswith("Measure these first: hazards.")
    assert first.endswith("16 runs do not tell which moves it more.")


def test_what_moves_nothing():
    """Where no input moves the figure, nothing is to be measured first, and the sentence says so."""
    found = sensitivity(TABLES, ranges=["hazards.gpu.mtbf=1000 h:3000 h"], metric="paid_usd", **BRIEF)
    assert found.level == ()
    assert sentences(found)[0].startswith("No input moves what is paid by more than the error of 8 runs")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("94621860 s", "26,284 h"),
        ("54 min", "54 min"),
        ("5 min", "5 min"),
        ("90 s", "90 s"),
        ("1500 s", "25 min"),
        ("50677 h", "50,677 h"),
        ("1 mo", "720 h"),
        ("3.8123456 USD", "3.812 USD"),
        ("12.5 %", "12.5 %"),
        (32, "32"),
        (0.123456, "0.1235"),
        ("optimal", "optimal"),
    ],
)
def test_ends_are_written_in_four_digits(value, text):
    """Ends of ranges stand in units that people read."""
    assert end_text(value) == text


def test_the_picture():
    """The chart has the long bars, the table all of them; a bar too short to be seen is left to the table."""
    scenario = made(RENT)
    found = sensitivity(scenario, ranges=["hazards.node.detect=10 min:601 s"], share_runs=0, **BRIEF)
    picture = tornado(found)
    assert isinstance(picture, Picture)
    assert isinstance(picture.chart, Tornado)
    assert len(picture.table.rows) == len(found.bars) > len(picture.chart.labels)
    drawn = svg(picture)
    assert "1.1 USD: " in drawn
    assert "2.9 USD: " in drawn
    assert "chance alone" in drawn
    assert "more input" in picture.says
    page = sensitivity_document(found, ["dcsim", "sensitivity", "x.toml"])
    assert page.title == "small: which input to measure first?"
    assert all(isinstance(part, Table) for part in sensitivity_page(found).parts)


def test_ends_on_one_side_of_the_middle():
    """Where both ends lie on one side, each name stands on its own side of the bars, within the sheet."""
    ends = ((5.0, None, "low"),), ((7.0, (6.5, 7.5), "high"),)
    for middle in (4.0, 6.0, 8.0, 5.0):
        drawn = svg(Picture("t", "s", Tornado(("key",), *ends, middle, "USD"), Table("t", (), ())))
        assert drawn.count(">low<") == drawn.count(">high<") == 1
    same = ((4.0, None, "a"),), ((4.0, None, "b"),)
    assert "NaN" not in svg(Picture("t", "s", Tornado(("key",), *same, 4.0, "USD"), Table("t", (), ())))


def test_both_ends_on_one_side_of_the_point_are_explained():
    """A point value outside of the range, a best value within it, and nothing where the point lies between the ends."""
    unknown = sensitivity("unknowns/mtbf-unknown", set=["horizon=2 mo"], replications=8, share_runs=0, workers=1)
    (told,) = one_sided(unknown)
    assert told == (
        "hazards.gpu.mtbf: its point value of 25,000 h lies below the range that it is moved over, 26,284 h to 49,393 "
        "h. So both ends lie on one side of what the price per useful GPU-hour is as given."
    )
    assert told in sensitivity_page(unknown).notes
    assert told in tornado(unknown).says
    every = "jobs.solve.recovery.checkpoint_every"
    how: dict[str, Any] = {"replications": 20, "workers": 1, "set": [f"{every}=117 min"]}
    within = sensitivity("papers/daly", ranges=[f"{every}=20 min:400 min"], **how)
    assert one_sided(within) == [
        f"{every}: at both ends of its range, 20 min to 6.667 h, the time until the last job is done is higher than at "
        "its point value of 117 min, which lies between them."
    ]
    assert one_sided(sensitivity("papers/daly", ranges=["hazards.machine.mtbf=12 h:60 h"], **how)) == []


def test_what_somebody_chooses_is_not_to_be_measured():
    """A setting or a price that moves the figure most is named as such; alone, nothing is to be measured."""
    every = "jobs.solve.recovery.checkpoint_every"
    how: dict[str, Any] = {"replications": 20, "workers": 1}
    alone = sensitivity("papers/daly", ranges=[f"{every}=20 min:400 min"], **how)
    (first, *_) = sentences(alone)
    assert first.startswith(f"{every} moves the time until the last job is done most, by ± ")
    assert first.endswith("It is chosen or agreed on: nothing has to be measured.")
    ranges = [f"{every}=20 min:400 min", "hazards.machine.mtbf=19 h:29 h"]
    (first, *_) = sentences(sensitivity("papers/daly", ranges=ranges, **how))
    assert first.startswith("Measure this first: hazards.machine.mtbf. ")
    assert f"A setting, {every}, moves it more, by ± " in first
    price = sensitivity("operations/spot", ranges=["tco.gpu_hour=1 USD:2 USD"], set=["horizon=1 mo"], **how)
    assert sentences(price)[0].startswith("tco.gpu_hour moves the price per useful GPU-hour most, by ± ")
