"""Break-evens: published closed forms to the digit, and simulated ones against exact theory where it holds."""

from typing import Any

import numpy as np
import pytest

from dcsim.closed_form import down_probabilities, enough_up
from dcsim.decide.breakeven import BreakEven, breakeven
from dcsim.decide.breakeven_prices import Price, _equal, _Side
from dcsim.scenario import Scenario, read

pytestmark = pytest.mark.xdist_group("breakeven")  # one worker: the rules are compiled once
RENT = {"gpu_hour": "4 USD"}
RESTARTS = {"kind": "checkpoint-restart", "checkpoint_every": "60 min", "restore": "10 min"}


def method(found: BreakEven, name: str) -> Price:
    """Return the price by a method."""
    (price,) = (each for each in found.prices if each.method == name)
    return price


# --- published figures, from plain numbers ---------------------------------------------------------------------------


def test_a_fault_tolerance_product():
    """Live migration instead of restarts is worth 0.194 USD per GPU-hour of lost work, 0.206 as a cheaper rent.

    On top of the same rent it is worth 0.218: then a useful GPU-hour costs the same.
    """
    rent, hours, free = 4.0, np.ones(1), np.zeros(1)
    with_it, without = (
        _Side(np.array([rent]), np.array([rent * (1 + loss)]), np.array([1 - loss])) for loss in (0.061417, 0.109867)
    )
    (saved,), (cheaper,), (on_top,) = (
        _equal(each, with_it, without, hours, free) for each in ("lost_work", "discount", "paid")
    )
    assert saved == pytest.approx(0.194, abs=0.0005)
    assert cheaper == pytest.approx(0.206, abs=0.0005)
    assert on_top == pytest.approx(0.218, abs=0.0005)
    assert (rent + on_top) / (1 - 0.061417) == pytest.approx(rent / (1 - 0.109867), rel=1e-12)


# --- published figures, asked of scenarios ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "what", "usd"),
    [
        ("pretrain-5184/gold", "detection", 40_769),
        ("pretrain-5184/gold", "failover", 40_769),
        ("pretrain-5184/silver", "restore", 67_948),
    ],
)
def test_a_minute_by_the_formula_of_a_scenario(scenario: str, what: str, usd: int):
    """A minute for a job of 4,096 of 5,184 GPUs is worth 40,769 USD a month, at Silver's MTBF 67,948, as published."""
    found = breakeven(scenario, what, replications=2, workers=1, set=["horizon=1 mo"])
    assert method(found, "lost_work").formula == pytest.approx(usd, abs=1)


def test_a_licence_by_the_formula_of_two_scenarios():
    """Gold hardware with live migration against restarts without spares: 0.194, 0.206 and 0.218, rent alone."""
    gold = read("pretrain-5184/gold", tco=RENT, horizon="1 mo")
    restarts = read(
        "pretrain-5184/gold",
        **{"tco": RENT, "horizon": "1 mo", "cluster.spares": 0, "jobs.pretrain.recovery": RESTARTS},
        accounting={"mode": "hot", "identify": "rollback", "job_size": 4096},
    )
    found = breakeven(gold, "licence", against=restarts, replications=2, workers=1)
    assert method(found, "lost_work").formula == pytest.approx(0.194, abs=0.0005)
    assert method(found, "discount").formula == pytest.approx(0.206, abs=0.0005)
    assert method(found, "paid").formula == pytest.approx(0.218, abs=0.0005)


# --- simulated, where theory is exact --------------------------------------------------------------------------------


def one_gang(seed: int, mtbf: str, **recovery: Any) -> Scenario:
    """Return one job on the whole cluster whose failures leave the hardware: it never waits."""
    return read(
        {
            "name": f"one gang {seed}",
            "horizon": "12 mo",
            "seed": seed,
            "cluster": {"topology": "hgx-h100", "gpus": 256},
            "jobs": [{"name": "train", "gpus": 256, "recovery": recovery}],
            "hazards": [
                {"component": "gpu", "mtbf": mtbf, "effect": "kill", "blast": 1, "detect": "10 min"},
            ],
            "tco": {"gpu_hour": "4 USD", "network": "10000 USD/mo"},
        }
    )


TOLERANT = {"kind": "fault-tolerant", "failover": "4 min"}
ROLLED_BACK = {
    "kind": "checkpoint-restart",
    "checkpoint_every": "1 h",
    "checkpoint_write": "1 min",
    "restore": "10 min",
}


@pytest.mark.parametrize(
    ("what", "seed", "mtbf", "recovery"),
    [
        ("detection", 21, "2000 h", TOLERANT),
        ("failover", 22, "1000 h", TOLERANT),
        ("restore", 23, "3000 h", ROLLED_BACK),
        ("mtbf", 24, "5000 h", ROLLED_BACK),
    ],
)
def test_a_step_is_worth_what_theory_says(what: str, seed: int, mtbf: str, recovery: dict[str, Any]):
    """Simulated prices of a step lie within four standard errors of renewal theory's, by both methods."""
    found = breakeven(one_gang(seed, mtbf, **recovery), what, replications=64, workers=1)
    for price in found.prices:
        assert price.simulated.se is not None
        assert price.theory is not None
        assert price.simulated.se < 0.05 * abs(price.theory)
        assert abs(price.simulated.mean - price.theory) <= 4 * price.simulated.se


def test_a_licence_is_worth_what_theory_says_and_bisection_agrees():
    """The price of a product by its formula, and by bisection of ``tco.licence``, agree; theory is within 4 errors."""
    offer, other = one_gang(25, "3000 h", **TOLERANT), one_gang(25, "3000 h", **ROLLED_BACK)
    found = breakeven(offer, "licence", against=other, replications=64, workers=1)
    paid = method(found, "paid")
    assert paid.simulated.se is not None
    assert paid.theory is not None
    assert abs(paid.simulated.mean - paid.theory) <= 4 * paid.simulated.se
    searched = breakeven(offer, "tco.licence=0 USD:2 USD", against=other, replications=64, workers=1).threshold
    assert searched is not None
    assert searched.cheaper == "below"
    assert searched.theory == pytest.approx(paid.theory, rel=1e-3)
    assert searched.at == pytest.approx(paid.simulated.mean, abs=0.2 * (paid.simulated.half_width or 0))
    ends = paid.simulated.ci95
    assert ends is not None
    assert (searched.low, searched.high) == pytest.approx(ends, abs=0.2 * (paid.simulated.half_width or 0))


def test_an_mtbf_at_which_two_offers_are_equal():
    """Bisection finds the MTBF at which a tolerant job is as good as one that is rolled back: theory's is inside."""
    offer, other = one_gang(26, "3000 h", **TOLERANT), one_gang(26, "5000 h", **ROLLED_BACK)
    found = breakeven(offer, "hazards.gpu.mtbf=500 h:20000 h", against=other, replications=64, workers=1).threshold
    assert found is not None
    assert found.cheaper == "above"
    assert found.theory is not None
    assert found.low is not None
    assert found.high is not None
    half = (found.high - found.low) / 2
    assert abs((found.at or 0) - found.theory) <= 4 / 1.96 * half
    assert half < 0.1 * found.theory
    assert len(found.differences) < 25


@pytest.mark.parametrize(("spares", "seed"), [(0, 27), (1, 28), (2, 29)])
def test_a_spare_is_worth_what_the_repairman_formula_says(spares: int, seed: int):
    """One gang of four nodes that fail every 500 h and take a day to repair, no queue for crews.

    It works while four nodes are up, so another spare takes its useful share from P(at most s down of 4 + s) to
    P(at most s + 1 down of 5 + s): the machine-repairman chain over the horizon from all up.
    """

    def useful(stock: int) -> float:
        return enough_up(down_probabilities(4 + stock, 4 + stock, 500, 24, 8640), 4)

    fleet = read(
        {
            "name": "fleet",
            "horizon": "12 mo",
            "seed": seed,
            "cluster": {"topology": "hgx-h100", "gpus": 8 * (4 + spares), "spares": 8 * spares},
            "jobs": [{"name": "train", "gpus": 32, "recovery": {"kind": "fault-tolerant"}}],
            "hazards": [{"component": "node", "mtbf": "500 h", "repair": {"kind": "exponential", "mean": "24 h"}}],
            "tco": RENT,
        }
    )
    found = breakeven(fleet, "spare", replications=64, workers=1)
    (price,) = found.prices
    paid = 8 * (4 + spares) * 4 * 720
    theory = paid * (useful(spares + 1) / useful(spares) - 1) / 8
    assert price.simulated.se is not None
    assert price.simulated.se < 0.05 * paid / 32
    assert abs(price.simulated.mean - theory) <= 4 * price.simulated.se
    assert found.costs == pytest.approx(4 * 720)
    assert (price.formula, price.theory) == (None, None)
