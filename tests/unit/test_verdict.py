"""One verdict: cheapest, the same, tied, dearer; ratios of means, and what it says of offers that hardly work."""

import json
import math

import numpy as np
import pytest

from dcsim.decide import Comparison, Pair, compare
from dcsim.decide.verdict import verdict
from dcsim.montecarlo import Estimated
from dcsim.scenario import load, read
from tests.unit.results import lost

GOLD = load("pretrain-5184/gold", name="Gold")
OTHER = load("pretrain-5184/gold", name="Other")
FREE = GOLD.model_copy(update={"tco": None})
PAID = 541_897_114.0  # USD over 36 months: (14,929,920 + 122,778) USD a month, to the dollar
RECOVERY = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "restore": "5 min"}
HOURS = 5184 * 720 * 36
ROUGH = [0.95, 0.97, 0.99, 0.999] * 4 + [0.4] * 48
"""16 of 64 runs lose more than 90 %."""


def test_a_price_is_a_ratio_of_means():
    """Paid by mean useful hours, by hand; the mean of the single prices would be 39 times as much."""
    found = lost(OTHER, *ROUGH)
    mean = sum(ROUGH) / len(ROUGH)
    by_hand = PAID / (HOURS * (1 - mean))
    assert found.useful_hour_usd.mean == pytest.approx(by_hand, rel=1e-8)
    assert found.useful_hour_usd.mean == found.tco.paid_usd / found.tco.useful_gpu_hours
    singles = [PAID / (HOURS * (1 - loss)) for loss in ROUGH]
    assert sum(singles) / len(singles) > 10 * by_hand


def test_the_interval_of_a_price_by_hand():
    """Delta method for a constant numerator: se(price) / price = se(useful) / useful."""
    found = lost(OTHER, *ROUGH)
    useful = 1 - np.array(ROUGH)
    relative = float(useful.std(ddof=1)) / math.sqrt(64) / float(useful.mean())
    assert found.useful_hour_usd.se / found.useful_hour_usd.mean == pytest.approx(relative, rel=1e-9)
    assert found.useful_hour_usd.half_width < 3  # not 121


def test_the_interval_tells_offers_apart():
    """It decides alone: an offer that is dearer in each of 8 runs is not dearer yet where the interval holds zero."""
    found = verdict([lost(OTHER, *ROUGH), lost(GOLD, *[0.1, 0.3] * 32)])
    (other,) = found.others
    assert (found.cheapest, other.standing, other.probability) == (1, "dearer", 1.0)
    wild = verdict([lost(OTHER, *[0.9999] * 4, *[0.31] * 4), lost(GOLD, *[0.3] * 8)])
    assert (wild.others[0].standing, wild.others[0].probability) == ("tied", 1.0)
    assert wild.others[0].ci95[0] < 0
    few = verdict([lost(OTHER, *[0.9999] * 1, *[0.31] * 1), lost(GOLD, *[0.3] * 2)])
    assert few.others[0].standing == "tied"


def test_a_rare_loss_that_few_runs_have_not_seen():
    """A costs 1.00 USD but loses half of a month in a run of ten, B costs 1.03 USD and loses nothing: B is cheaper.

    In most sixteens of runs too few failures strike A for an interval. In a fifth of them none strikes at all, and A is
    cheaper in every run: that makes it no winner. Many runs name B.
    """

    def offer(name, usd, mtbf):
        return read(
            {
                "name": name,
                "horizon": "30 d",
                "seed": 1,
                "cluster": {"gpus": 64, "topology": "hgx-h100", "spares": 0},
                "jobs": [{"name": "train", "gpus": 64, "recovery": RECOVERY}],
                "hazards": [{"component": "gpu", "mtbf": mtbf, "repair": "700 h", "detect": "5 min"}],
                "tco": {"gpu_hour": usd},
            }
        )

    offers = [offer("A", "1.00 USD", "460800 h"), offer("B", "1.03 USD", "1e7 h")]
    found = [compare(offers, replications=16, seed=seed, bridges=False).verdict.cheapest for seed in range(1000, 1040)]
    assert 0 not in found
    many = compare(offers, replications=3000, bridges=False)
    assert many.verdict.cheapest == 1
    assert [round(run.useful_hour_usd.mean, 2) for run in many.runs] == [1.05, 1.03]


def test_a_run_without_a_useful_hour_does_not_end_the_comparison():
    """Infinite in one run, the price is still a ratio of means, and quantiles say so in JSON without NaN."""
    dead = lost(OTHER, *[1.0] * 8, *[0.2] * 92)
    assert dead.useful_hour_usd.mean == pytest.approx(PAID / (HOURS * 0.92 * 0.8), rel=1e-8)
    assert math.isinf(dead.useful_hour_usd.p95)
    found = verdict([dead, lost(GOLD, *[0.1] * 100)])
    assert found.others[0].standing == "dearer"
    entry = json.loads(json.dumps(dead.to_json(), allow_nan=False))["scenarios"][0]
    assert entry["tco"]["all_in_usd_per_useful_gpu_hour"]["p95"] is None
    assert entry["tco"]["all_in_usd_per_useful_gpu_hour"]["p5"] > 0


def test_an_offer_that_does_nothing_useful_has_no_price_and_loses():
    """No useful hour in any run: infinitely dear, not undecided."""
    found = verdict([lost(OTHER, 1.0, 1.0), lost(GOLD, 0.1, 0.2)])
    assert found.cheapest == 1
    assert found.others[0].standing == "nothing useful"
    assert found.to_json()["by"] == [
        {"than": "Other", "usd_per_useful_gpu_hour": None, "ci95": None, "probability": 1.0}
    ]
    assert verdict([lost(OTHER, 1.0, 1.0), lost(GOLD, 1.0, 1.0)]) is None


def test_without_prices_there_is_no_verdict_on_money():
    """An offer without [tco] cannot be ranked by price."""
    assert verdict([lost(FREE, 0.1, 0.2), lost(GOLD, 0.1, 0.2)]) is None


@pytest.mark.parametrize(
    ("a", "b", "standing"),
    [
        ([0.10, 0.101], [0.105, 0.106], "same"),
        ([0.10, 0.20], [0.20, 0.101], "tied"),
        ([0.10, 0.10], [0.12, 0.12], "dearer"),
        ([0.10, 0.12] * 20, [0.105, 0.125] * 20, "same"),
        ([0.10, 0.102] * 50, [0.121, 0.1225] * 50, "dearer"),
    ],
)
def test_standings(a, b, standing):
    """The same within 1 %, tied where the interval holds zero, dearer else."""
    (found,) = verdict([lost(GOLD, *a), lost(OTHER, *b)]).others
    assert found.standing == standing


def test_the_document():
    """The shape that scripts read: names, and how much more each other one costs."""
    same = verdict([lost(GOLD, 0.1, 0.1), lost(OTHER, 0.101, 0.101)]).to_json()
    assert (same["cheapest"], same["same"], same["tied"]) == (None, ["Gold", "Other"], [])
    tied = verdict([lost(GOLD, 0.10, 0.20), lost(OTHER, 0.20, 0.101)]).to_json()
    assert (tied["cheapest"], tied["same"], tied["tied"]) == (None, [], ["Gold", "Other"])
    runs = (lost(GOLD, 0.1, 0.12), lost(OTHER, 0.3, 0.31))
    least = Comparison(runs, (Pair(*runs),), (), ()).to_json()["verdict"]
    assert (least["cheapest"], least["same"], least["tied"]) == ("Gold", [], [])
    (by,) = least["by"]
    gap = runs[1].useful_hour_usd.mean - runs[0].useful_hour_usd.mean
    assert by["than"] == "Other"
    assert by["usd_per_useful_gpu_hour"] == pytest.approx(gap, rel=1e-12)
    assert by["ci95"][0] < gap < by["ci95"][1]
    assert by["probability"] == 1.0


def test_the_paired_interval_holds():
    """Over 2,000 comparisons of 40 runs on common luck the 95 % interval of the gap holds the true one 93 % or more.

    Useful shares are 1 - x and 1 - 0.5 x of one exponential x of mean 0.2, cut at 0.95: ratios of means by hand.
    """
    rng = np.random.default_rng(20261128)
    cut = 0.95
    mean = 0.2 * (1 - math.exp(-cut / 0.2))  # of min(x, cut)
    true = 1 / (1 - mean) - 1 / (1 - mean / 2)
    held = 0
    for _ in range(2_000):
        x = np.minimum(rng.exponential(0.2, 40), cut)
        one, other = (Estimated.ratio(np.ones(40), 1 - share * x, None) for share in (1.0, 0.5))
        values = one.linear - other.linear
        se = float(values.std(ddof=1)) / math.sqrt(40)
        held += abs(one.plain.mean - other.plain.mean - true) <= 2.0227 * se  # t(0.975, 39)
    assert held / 2_000 >= 0.93
