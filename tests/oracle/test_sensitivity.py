"""Bars and shares of a sensitivity against exact ones: renewal theory, bills, and the split of luck and inputs."""

import math
from dataclasses import replace

import pytest

from dcsim.decide.metrics import METRICS
from dcsim.decide.sensitivity import answer, ask, sensitivity
from dcsim.decide.variants import simulate_variants
from dcsim.scenario import Scenario
from tests.oracle.test_engine_renewal import RESTART, Setting, goodput

pytestmark = pytest.mark.xdist_group("renewal")

SETTING = Setting(20261128, RESTART, 256, 288, 5_000, 15_000, every=120, detect=30, restore=15)
"""A gang that never waits for hardware, whose loss is known exactly."""


def test_bars_agree_with_renewal_theory():
    """Both ends of MTBF, detection, interval and restore lie within four standard errors of the exact loss.

    So does each bar's length, whose error is smaller than that of its ends: both have the same failures.
    """
    changed = {
        "hazards.gpu.mtbf": ("mtbf", "h", 3_000, 8_000),
        "hazards.gpu.detect": ("detect", "min", 10, 60),
        "jobs.gang.recovery.checkpoint_every": ("every", "min", 60, 240),
        "jobs.gang.recovery.restore": ("restore", "min", 5, 25),
    }
    ranges = [f"{key}={low} {unit}:{high} {unit}" for key, (_, unit, low, high) in changed.items()]
    found = sensitivity(SETTING.scenario, ranges=ranges, metric="loss", replications=64, workers=1)

    def loss(setting):
        return 1 - goodput(setting) * setting.gpus / setting.fleet

    exact = {}
    for bar in found.bars:
        field, _, low, high = changed[bar.input.key]
        ends = [loss(replace(SETTING, **{field: value})) for value in (low, high)]
        exact[bar.input.key] = abs(ends[1] - ends[0])
        for summary, expected in zip((bar.low, bar.high), ends, strict=True):
            assert abs(summary.mean - expected) < 4 * summary.se, bar.input.key
        assert abs(bar.swing.mean - (ends[1] - ends[0])) < 4 * bar.swing.se, bar.input.key
        assert bar.extent.mean == pytest.approx(abs(bar.swing.mean))
        assert bar.swing.se < math.hypot(bar.low.se, bar.high.se)
    assert abs(found.at_base.mean - loss(SETTING)) < 4 * found.at_base.se
    assert [bar.input.key for bar in found.bars] == sorted(exact, key=lambda key: -exact[key])
    assert found.level == ("hazards.gpu.mtbf",)


PRICED = {
    "name": "priced",
    "horizon": "3 mo",
    "seed": 20261128,
    "cluster": {"topology": "hgx-h100", "gpus": 64},
    "jobs": [{"name": "train", "gpus": 56, "recovery": {"kind": "checkpoint-restart", "checkpoint_every": "1 h"}}],
    "hazards": [{"component": "gpu", "mtbf": "5000 h", "detect": "10 min", "repair": "2 h"}],
    "tco": {"term": "3 mo", "gpu_hour": "2 USD", "network": "5000 USD/mo", "cpu": "3000 USD/mo"},
}
HOURS = 64 * 3 * 720


def test_prices_are_exact_and_need_no_runs():
    """Prices move what is paid by exactly what the bill says; all of their ends are billed from the runs at hand."""
    question = ask(
        Scenario.model_validate(PRICED),
        ranges=["tco.gpu_hour=1.5 USD:3 USD", "tco.network=0 USD/mo:6000 USD/mo"],
        metric_name="paid_usd",
        replications=8,
    )
    assert question.told == "2 inputs: 1 x 8 runs"
    done = []
    found = answer(question, workers=1, progress=lambda finished, total, _: done.append((finished, total)))
    assert done[-1] == (8, 8)
    rent, network = found.bars
    assert rent.extent.mean == pytest.approx(1.5 * HOURS, rel=1e-12)
    assert network.extent.mean == pytest.approx(6000 * 3, rel=1e-12)
    assert rent.extent.ci95 == (rent.extent.mean, rent.extent.mean)
    assert found.at_base.mean == pytest.approx(2 * HOURS + 8000 * 3, rel=1e-12)


def test_shares_of_a_linear_bill():
    """What is paid is linear in its prices: shares of three uniform ones are exact, within their intervals' width.

    Nothing is left to chance, and nothing to what prices do together.
    """
    widths = {"tco.gpu_hour": (1.9, 2.1, HOURS), "tco.network": (2000, 8000, 3), "tco.cpu": (2500, 3500, 3)}
    uncertain = [
        {"key": key, "value": {"kind": "uniform", "low": f"{low} {unit}", "high": f"{high} {unit}"}}
        for (key, (low, high, _)), unit in zip(widths.items(), ("USD", "USD/mo", "USD/mo"), strict=True)
    ]
    scenario = Scenario.model_validate({**PRICED, "uncertain": uncertain})
    found = sensitivity(scenario, metric="paid_usd", replications=2, share_runs=512, workers=1).shares
    squares = [((high - low) * factor) ** 2 for low, high, factor in widths.values()]
    error = math.sqrt((2 - 1) / 512)  # of a variance from 2 x 256 draws of kurtosis below 2
    assert found.variance == pytest.approx(sum(squares) / 12, rel=4 * error)
    for index, square in zip(found.inputs, squares, strict=True):
        exact = square / sum(squares)
        for share, (low, high) in ((index.first, index.first_ci95), (index.total, index.total_ci95)):
            assert abs(share - exact) <= 2 * (high - low) / 2
            assert high - low < 0.2
    assert (found.chance.first, found.chance.total) == (pytest.approx(0, abs=1e-12), 0)


def test_chance_is_told_from_inputs():
    """The share of chance is that of the variance within pairs of runs, which share their inputs, in an ordinary run.

    The inputs' total shares are at least what they bring alone, and all first shares sum to 1 at most, within errors.
    """
    uncertain = [
        {"key": "hazards.gpu.mtbf", "value": {"kind": "uniform", "low": "4000 h", "high": "6000 h"}},
        {"key": "hazards.gpu.detect", "value": {"kind": "uniform", "low": "5 min", "high": "30 min"}},
    ]
    scenario = Scenario.model_validate({**PRICED, "uncertain": uncertain})
    found = sensitivity(scenario, metric="loss", replications=2, share_runs=256, workers=1).shares
    (run,) = simulate_variants([scenario.model_copy(update={"seed": 7})], replications=256, workers=1)
    split = METRICS["loss"].of(run).variance
    luck = split.luck / (split.luck + split.inputs)
    assert 0.1 < luck < 0.95
    assert abs(found.chance.total - luck) < 2 * (found.chance.total_ci95[1] - found.chance.total_ci95[0])
    assert sum(each.first for each in (*found.inputs, found.chance)) < 1.1
    for index in found.inputs:
        assert index.total > 0
        assert index.first <= index.total_ci95[1]
