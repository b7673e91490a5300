"""Estimates of a site, and tables of a scenario made of them: counted by hand, or against the law they stand for."""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from dcsim.calibrate import Belief, Prior, believed, calibrated, rate
from dcsim.calibrate.fragment import LONGEST_H, PARTS, entries, fragment_text, hazard_names, hours, observed, replaced
from dcsim.calibrate.records import SpanError, joined, last_part
from dcsim.calibrate.site import MOST_CLASSES, OTHERS, Calibration, UnitsError, of_count
from dcsim.records import Broken, Outages
from dcsim.shipped import shipped_files

SEED = 20261129


def record(rows: Sequence[tuple[float, float, str, str]], begin: float | None = 0.0) -> Outages:
    """Outages by hand: (begin, hours of repair, component, kind)."""
    rows = sorted(rows)
    components, kinds = (tuple(dict.fromkeys(row[place] for row in rows)) for place in (2, 3))
    starts = np.array([row[0] for row in rows])
    ends = starts + np.array([row[1] for row in rows])
    numbers = [np.array([names.index(row[place]) for row in rows]) for names, place in ((components, 2), (kinds, 3))]
    last = float(np.nanmax(np.concatenate([starts, ends])))
    return Outages(starts, ends, numbers[0], components, numbers[1], kinds, begin, last, len(rows), (), Broken())


FOUR = [(0.0, 10.0, "a", "x"), (50.0, 10.0, "b", "y"), (55.0, 20.0, "b", "x"), (90.0, math.nan, "a", "x")]


def test_overlapping_outages_of_a_unit_are_one_failure_and_its_time_is_no_exposure() -> None:
    """Unit a is out 0-10 and from 90 on, b 50-75; four units for 100 h are 400 - 10 - 10 - 25 unit-hours."""
    found = calibrated(record(FOUR), 4, 100.0)
    assert found.whole.rate.failures == 3
    assert found.whole.rate.exposure_h == 355
    assert found.whole.by_unit is not None
    assert found.whole.by_unit.tolist() == [2, 1, 0, 0]
    assert found.whole.open == 1


def test_an_outage_that_nobody_closed_does_not_hide_the_failures_after_it() -> None:
    """Unit a has no end at 20 and fails again at 60: it was out for the median of the others, 4 h, not for 80."""
    rows = [(20.0, math.nan, "a", "x"), (60.0, 4.0, "a", "y"), (70.0, 4.0, "b", "x"), (90.0, math.nan, "c", "x")]
    found = calibrated(record(rows), 4, 100.0)
    assert found.whole.rate.failures == 4
    assert (found.whole.forgotten, found.whole.open) == (1, 1)
    assert found.whole.rate.exposure_h == 400 - 4 - 4 - 4 - 10
    assert [(each.name, each.forgotten, each.open) for each in found.classes] == [("x", 1, 1), ("y", 0, 0)]


def test_the_next_failure_bounds_an_outage_that_nobody_closed() -> None:
    rows = [(20.0, math.nan, "a", "x"), (21.0, 4.0, "a", "x"), (70.0, 4.0, "b", "x")]
    assert calibrated(record(rows), 4, 100.0).whole.rate.exposure_h == 400 - 1 - 4 - 4


def test_two_outages_of_a_unit_at_one_moment_may_both_lack_an_end() -> None:
    rows = [(20.0, math.nan, "a", "x"), (20.0, math.nan, "a", "y"), (60.0, 4.0, "a", "x"), (70.0, 4.0, "b", "x")]
    found = calibrated(record(rows), 4, 100.0).whole
    assert (found.forgotten, found.open, found.rate.failures) == (2, 0, 3)


def test_classes_count_alone_and_the_most_frequent_comes_first() -> None:
    found = calibrated(record(FOUR), 4, 100.0)
    assert [(each.name, each.rate.failures) for each in found.classes] == [("x", 3), ("y", 1)]
    together = calibrated(record(FOUR), 4, 100.0, together=True)
    assert [each.name for each in together.classes] == ["all"]


def test_the_rarest_classes_become_one() -> None:
    rows = [(float(10 * k + n), 1.0, f"u{k}", f"k{k:02d}") for k in range(MOST_CLASSES + 3) for n in range(20 - k)]
    found = calibrated(record(rows), 100, 1000.0)
    assert len(found.classes) == MOST_CLASSES
    others = next(each for each in found.classes if each.name == OTHERS)
    assert others.outages == sum(20 - k for k in range(MOST_CLASSES - 1, MOST_CLASSES + 3))
    assert found.pooled == tuple(f"k{k:02d}" for k in range(MOST_CLASSES - 1, MOST_CLASSES + 3))


def test_units_are_given_told_or_counted() -> None:
    outages = record(FOUR)
    assert calibrated(outages, None, 100.0).whole.counted
    assert calibrated(replace(outages, units=8), None, 100.0).whole.units == 8
    assert not calibrated(replace(outages, units=8), None, 100.0).whole.counted
    assert calibrated(replace(outages, units=8), 16, 100.0).whole.units == 16
    told = calibrated(replace(outages, units=8, unit_h=500.0), None, 100.0).whole
    assert told.rate.exposure_h == 500 - 45


def test_a_record_without_components_counts_each_row_and_needs_the_units() -> None:
    nameless = record([(start, hours, "", "x") for start, hours, _, _ in FOUR[:3]])
    with pytest.raises(UnitsError, match="does not name components"):
        calibrated(nameless, None, 100.0)
    found = calibrated(nameless, 4, 100.0).whole
    assert (found.rate.failures, found.rate.exposure_h, found.lemons) == (3, 360, None)


@pytest.mark.parametrize(
    ("units", "span", "error", "told"),
    [
        (1, 100.0, UnitsError, "found 1; the record names 2"),
        (4, 80.0, SpanError, "found 80 h; the last outage begins 90 h"),
    ],
)
def test_what_does_not_fit_the_record_is_refused(units: int, span: float, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        calibrated(record(FOUR), units, span)


def test_a_record_at_one_moment_has_no_length() -> None:
    with pytest.raises(SpanError, match="no length"):
        calibrated(record([(0.0, 0.0, "a", "x")]), 4)


def test_the_last_part_has_a_clock_of_its_own() -> None:
    found = last_part(record(FOUR), 50.0, 100.0)
    assert found.start_h.tolist() == [0, 5, 40]
    assert (found.span_h, found.begin) == (50, 50 * 3600)
    with pytest.raises(SpanError, match="of a record of 100 h"):
        last_part(record(FOUR), 200.0, 100.0)


def test_joined_records_have_one_clock_and_the_same_names() -> None:
    later = replace(record([(0.0, 1.0, "b", "z"), (2.0, 1.0, "c", "x")]), begin=3600.0 * 100)
    found = joined([record(FOUR), later])
    assert found.start_h.tolist() == [0, 50, 55, 90, 100, 102]
    assert [found.components[each] for each in found.component] == ["a", "b", "b", "a", "b", "c"]
    assert [found.kinds[each] for each in found.kind] == ["x", "y", "x", "x", "z", "x"]
    assert found.span_h == 103
    with pytest.raises(SpanError, match="no clock in common"):
        joined([record(FOUR), replace(later, begin=None)])


# --- beliefs --------------------------------------------------------------------------------------------------------


def test_a_prior_adds_its_failures_and_its_hours() -> None:
    prior = Prior.of("llama3", 8, weight=4)
    assert prior.published_h == pytest.approx(50_677 / 8, rel=1e-4)
    belief = believed(rate(2, 5_760.0), prior)
    assert belief == Belief(6, 5_760 + 4 * prior.published_h)
    low, high = belief.interval_h()
    law = stats.gamma(6, scale=1 / belief.hours)
    assert (1 / low, 1 / high) == (pytest.approx(law.ppf(0.975)), pytest.approx(law.ppf(0.025)))


def test_published_rates_are_those_per_node_day() -> None:
    """3.79, 6.50 and 2.34 failures per 1,000 node-days of eight GPUs; Delta's GPUs fail every 88,768 h."""
    rates = [24_000 / Prior.of(name, 8).published_h for name in ("llama3", "rsc-1", "rsc-2")]
    assert rates == [pytest.approx(value, rel=1e-3) for value in (3.79, 6.50, 2.34)]
    assert Prior.of("delta", 1).published_h == pytest.approx(88_768)


def test_the_weight_of_a_prior_is_the_spread_of_the_published_fleets() -> None:
    spread = np.log([3.79, 6.50, 2.34]).std(ddof=1)
    assert believed(rate(0, 1e-9), Prior.of("llama3", 8)).log_sigma == pytest.approx(spread, abs=0.03)


def test_classes_share_a_prior() -> None:
    """All classes together have the belief of the whole: shapes add up, hours stay."""
    prior = Prior.of("llama3", 8)
    found = calibrated(record(FOUR), 4, 100.0, prior=prior)
    shapes = [each.belief.shape - each.rate.failures for each in found.classes]
    assert shapes == [pytest.approx(2), pytest.approx(2)]


def test_equal_parts_of_a_belief_have_its_mean_and_nearly_its_variance() -> None:
    parts = Belief(2.5, 5_760.0).equal_parts(PARTS)
    law = stats.gamma(2.5, scale=1 / 5_760)
    assert parts.mean() == pytest.approx(law.mean(), rel=1e-9)
    assert parts.var() == pytest.approx(law.var(), rel=0.01)
    assert np.searchsorted(parts, law.ppf(0.5)) == pytest.approx(PARTS / 2, abs=1)


def test_bursts_widen_what_is_believed() -> None:
    """Failures in fours say as much as a quarter of them alone, and the mean stays."""
    alone, together = believed(rate(400, 1e6)), believed(rate(400, 1e6), dispersion=4.0)
    assert together.log_sigma == pytest.approx(2 * alone.log_sigma, rel=0.01)
    assert together.mtbf_h == pytest.approx(alone.mtbf_h, rel=0.01)


# --- tables of a scenario -------------------------------------------------------------------------------------------


def tables(found: Calibration) -> dict:
    return tomllib.loads(fragment_text(entries(found, "node")))


def test_many_failures_are_a_lognormal_value_with_the_moments_of_the_gamma_law() -> None:
    value = tables(of_count(40, 32, 4320.0))["uncertain"][0]["value"]
    draws = -np.log(np.random.default_rng(SEED).gamma(40.5, 1 / (32 * 4320), 200_000))
    mean = float(value["mean"].removesuffix(" h"))
    assert value["sigma"] == pytest.approx(draws.std(), rel=0.01)
    assert math.log(mean) - value["sigma"] ** 2 / 2 == pytest.approx(draws.mean(), abs=0.002)


def test_no_failure_still_gives_times_that_a_scenario_takes() -> None:
    values = tables(of_count(0, 8, 720.0))["uncertain"][0]["value"]["values"]
    assert len(values) == PARTS
    assert max(float(each.removesuffix(" h")) for each in values) <= LONGEST_H


def test_lemons_are_found_again() -> None:
    """Two of 96 units fail 25 times as often: the likeliest two kinds are about these."""
    rng = np.random.default_rng(SEED)
    weights = np.ones(96)
    weights[[3, 50]] = 25
    whose = rng.choice(96, 300, p=weights / weights.sum())
    rows = [(float(at), 0.5, f"u{unit}", "x") for at, unit in zip(rng.uniform(0, 4320, 300), whose, strict=True)]
    lemons = tables(calibrated(record(rows), 96, 4320.0))["hazards"][0]["lemons"]
    assert float(lemons["fraction"].removesuffix(" %")) == pytest.approx(100 * 2 / 96, rel=0.01)
    assert lemons["factor"] == pytest.approx(25, rel=0.3)


def aged(shape: float) -> Outages:
    """Sixty units that renew under a Weibull law with mean 1,000 h; repairs take an hour."""
    rng = np.random.default_rng(SEED)
    rows = []
    for unit in range(60):
        at = -2_000.0
        while (at := at + 1_000 / math.gamma(1 + 1 / shape) * rng.weibull(shape)) < 5_000:
            rows += [(at, 1.0, f"u{unit}", "x")] if at > 0 else []
    return record(rows)


def test_wear_is_a_weibull_law_with_mean_and_shape_drawn_together() -> None:
    found = tables(calibrated(aged(2.5), 60, 5_000.0))
    mtbf = found["hazards"][0]["mtbf"]
    assert mtbf["kind"] == "weibull"
    assert mtbf["shape"] == pytest.approx(2.5, rel=0.15)
    assert [each["key"] for each in found["uncertain"][:2]] == ["hazards.node.mtbf.mean", "hazards.node.mtbf.shape"]
    assert found["correlated"][0]["keys"] == ["hazards.node.mtbf.mean", "hazards.node.mtbf.shape"]


def test_few_bad_units_are_no_wear() -> None:
    """Units that differ look like lives with a shape below 1; the scenario keeps a constant rate and has lemons."""
    rng = np.random.default_rng(SEED)
    rows = [(float(at), 1.0, f"u{rng.integers(4)}", "x") for at in rng.uniform(0, 5_000, 200)]
    rows += [(float(at), 1.0, f"u{4 + k}", "x") for k, at in enumerate(rng.uniform(0, 5_000, 40))]
    found = calibrated(record(rows), 60, 5_000.0)
    assert found.whole.ages
    hazard = tables(found)["hazards"][0]
    assert isinstance(hazard["mtbf"], str)
    assert "lemons" in hazard


def test_repairs_beyond_a_lognormal_are_listed_and_keep_their_mean() -> None:
    rng = np.random.default_rng(SEED)
    times = np.exp(rng.normal(0, 0.5, 2_000)) * np.where(rng.random(2_000) < 0.02, 80.0, 1.0)
    starts = rng.uniform(0, 9e3, 2_000)
    rows = [(float(starts[k]), float(times[k]), f"u{k}", "x") for k in range(2_000)]
    found = calibrated(record(rows), 2_000, 20_000.0)
    assert found.whole.repairs is not None
    assert observed(found.whole.repairs).mean() == pytest.approx(times.mean(), rel=1e-9)
    repair = tables(found)["hazards"][0]["repair"]
    assert repair["kind"] == "empirical"
    assert len(repair["values"]) == 200


def test_what_was_noticed_late_is_detection_and_not_repair() -> None:
    rng = np.random.default_rng(SEED)
    rows = [(float(at), 5 + 0.1 * k, f"u{k}", "x") for k, at in enumerate(rng.uniform(0, 900, 20))]
    outages = record(rows)
    hazard = tables(calibrated(replace(outages, noticed_h=outages.start_h + 0.5), 20, 1_000.0))["hazards"][0]
    assert hazard["detect"] == "30 min"
    mean = np.mean([5 + 0.1 * k for k in range(20)])
    assert float(hazard["repair"]["mean"].removesuffix(" h")) == pytest.approx(mean - 0.5, rel=0.01)


def test_detection_is_taken_from_listed_repairs_too() -> None:
    rng = np.random.default_rng(SEED)
    times = 1 + np.exp(rng.normal(0, 0.5, 150)) * np.where(np.arange(150) < 5, 200.0, 1.0)
    starts = rng.uniform(0, 900, 150)
    outages = record([(float(starts[k]), float(times[k]), f"u{k}", "x") for k in range(150)])
    repair = tables(calibrated(replace(outages, noticed_h=outages.start_h + 0.5), 150, 2_000.0))["hazards"][0]["repair"]
    assert repair["kind"] == "empirical"
    assert len(repair["values"]) == 150
    shortest = float(repair["values"][0].partition(" ")[0])
    assert shortest == pytest.approx(60 * (times.min() - 0.5), rel=1e-3)


def test_bursts_are_written_unless_a_trend_makes_them() -> None:
    """Failures in fours have a dispersion of 4, which bursts of (4 + 1) / 2 have; a falling rate spreads counts too."""
    rng = np.random.default_rng(SEED)
    at = np.repeat(np.sort(rng.uniform(0, 8_000, 100)), 4)
    burst = tables(calibrated(record([(float(each), 0.1, f"u{k}", "x") for k, each in enumerate(at)]), 400, 8_100.0))
    assert burst["hazards"][0]["burst"]["size"] == pytest.approx(2.5, rel=0.2)
    falling = 8_000 * rng.uniform(size=800) ** 3
    found = calibrated(record([(float(each), 0.1, f"u{k}", "x") for k, each in enumerate(falling)]), 800, 8_100.0)
    assert found.whole.dispersion > 1
    assert "burst" not in tables(found)["hazards"][0]


def test_names_of_hazards_are_keys() -> None:
    rows = [
        (float(k), 1.0, f"u{k}", kind) for k, kind in enumerate(["GPU / HBM", "GPU-HBM", "79", "Überhitzt", ""] * 2)
    ]
    assert list(hazard_names(calibrated(record(rows), 20, 100.0), "node")) == [
        "GPU-HBM", "GPU-HBM-2", "kind-79", "berhitzt", "not-told",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(shipped_files("scenarios")))
def test_hazards_are_replaced_in_every_shipped_scenario_that_stands_alone(name: str) -> None:
    text = shipped_files("scenarios")[name].read_text(encoding="utf-8")
    before = tomllib.loads(text)
    if "extends" in before:
        return
    after = tomllib.loads(replaced(text, entries(of_count(2, 8, 720.0), "node")))
    assert [each["name"] for each in after["hazards"]] == ["node"]
    gone = ("hazards", "uncertain", "correlated")
    assert {key: before[key] for key in before if key not in gone} == {
        key: after[key] for key in after if key not in gone
    }
    others = [each for each in before.get("uncertain", []) if not each["key"].startswith("hazards.")]
    assert [each for each in after["uncertain"] if not each["key"].startswith("hazards.")] == others


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 min"), (0.001, "3.6 s"), (0.5, "30 min"), (1.0, "1 h"), (12345.678, "12346 h")]
)
def test_times_are_written_in_five_digits(value: float, text: str) -> None:
    assert hours(value) == text
