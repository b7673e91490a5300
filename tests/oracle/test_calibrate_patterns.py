"""Bursts beyond unequal units, daily and weekly patterns, trends with dates, and tails that have no mean."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dcsim.calibrate import clumps, cycles, tail, trend

SEED = 20261202
COVERED = (0.92, 0.98)
YEAR = 8736.0


def units(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Failures of 100 units, ten of which fail 20 times as often, at constant rates over a year."""
    unit = np.repeat(np.arange(100), rng.poisson(np.where(np.arange(100) < 10, 20.0, 1.0)))
    return rng.random(len(unit)) * YEAR, unit


def test_unequal_units_are_no_burst() -> None:
    rng = np.random.default_rng(SEED)
    found = [clumps(*units(rng), YEAR) for _ in range(300)]
    assert all(found)
    assert np.mean([each is not None and each.again_chance < 0.05 for each in found]) == pytest.approx(0.05, abs=0.035)
    assert np.mean([each is not None and each.together_chance < 0.05 for each in found]) == pytest.approx(
        0.05, abs=0.035
    )


def test_a_unit_that_fails_again_and_units_that_fail_together_are_told_apart() -> None:
    rng = np.random.default_rng(SEED)
    times, unit = units(rng)
    again = clumps(np.concatenate([times, times[:40] + 0.1]), np.concatenate([unit, unit[:40]]), YEAR + 24)
    assert again is not None
    assert again.again > 2
    assert again.again_chance < 1e-6
    assert again.together_chance > 0.01
    assert "fails again" in again.sentence
    storm = np.repeat(rng.random(20) * YEAR, 5)
    together = clumps(np.concatenate([times, storm]), np.concatenate([unit, rng.permutation(100)]), YEAR)
    assert together is not None
    assert together.together_chance < 1e-6
    assert "different units" in together.sentence
    assert clumps(np.array([1.0]), np.array([0]), 10.0) is None


def test_a_working_day_and_a_quiet_weekend_are_found_at_their_hours() -> None:
    """Half of the failures come on weekdays from 9 to 18 h."""
    rng = np.random.default_rng(SEED)
    begin = datetime(2024, 3, 6, 15, tzinfo=UTC)  # a Wednesday, in the afternoon
    times = rng.random(4000) * YEAR
    moments = [datetime.fromtimestamp(begin.timestamp() + 3600 * each, tz=UTC) for each in times.tolist()]
    at_work = np.array([each.weekday() < 5 and 9 <= each.hour < 18 for each in moments])
    times = times[at_work | (rng.random(4000) < 0.3)]
    daily, weekly = cycles(times, begin.timestamp(), YEAR)
    assert daily is not None
    assert weekly is not None
    assert daily.found
    assert weekly.found
    assert set(np.array(daily.names)[np.argsort(daily.counts)[-3:]]) == {"9-12 h", "12-15 h", "15-18 h"}
    assert set(np.array(weekly.names)[np.argsort(weekly.counts)[:2]]) == {"Saturday", "Sunday"}
    assert "times the mean" in daily.sentence


def test_an_even_rate_is_rarely_said_to_have_a_day_or_a_week() -> None:
    rng = np.random.default_rng(SEED)
    found = [each for _ in range(300) for each in cycles(rng.random(300) * YEAR, 1e9, YEAR)]
    assert np.mean([each is not None and each.found for each in found]) < 0.025
    assert cycles(np.array([1.0]), 0.0, 30.0) == (None, None)


def test_a_trend_is_told_with_dates_and_rates() -> None:
    times = 8760 * np.random.default_rng(SEED).random(400) ** 2
    found = trend(times, 8760.0)
    assert found is not None
    said = found.sentence(times, 8760.0, datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    assert "infant mortality" in said
    assert "until 2024-05-01" in said
    assert "since 2024-08-31" in said
    assert "until 2,920 h" in found.sentence(times, 8760.0, None)


@pytest.mark.parametrize("index", [0.8, 1.5, 3.0])
def test_intervals_of_a_tail_cover_its_index(index: float) -> None:
    rng = np.random.default_rng(SEED)
    held, bends = [], []
    for _ in range(600):
        found = tail(1 + rng.pareto(index, 400))
        assert found is not None
        held.append(found.low <= index <= found.high)
        bends.append(found.bends)
    assert COVERED[0] <= np.mean(held) <= COVERED[1]
    assert np.mean(bends) < 0.06


def test_a_mean_that_is_not_finite_is_said_and_a_lognormal_tail_is_not_taken_for_it() -> None:
    rng = np.random.default_rng(SEED)
    none = tail(1 + rng.pareto(0.7, 4000))
    assert none is not None
    assert "no finite mean" in none.sentence
    lognormal = tail(np.exp(rng.normal(0, 2.0, 20_000)))
    assert lognormal is not None
    assert lognormal.bends
    assert "the mean is finite" in lognormal.sentence
    assert tail(np.ones(100)) is None
    assert tail(np.arange(1.0, 30.0)) is None
