"""Lives of components: which are seen, shapes from an age on, units with rates of their own, and which law fits."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dcsim.calibrate import (
    Failures,
    Lives,
    failures_of,
    fitted,
    lives_of,
    repair_times,
    weibull,
    weibull_of,
)
from dcsim.calibrate.laws import FAMILIES
from dcsim.calibrate.lives import kaplan_meier
from dcsim.calibrate.own_rates import own_rates
from dcsim.records import Outages, read_outages

SEED = 20261130
COVERED = (0.92, 0.98)
LANL = Path(__file__).parents[3] / "shared" / "data" / "lanl-outages-1996-2005.csv"


def outages(rows: list[tuple[int, float, float]], span_h: float) -> Outages:
    """Outages of (component, start, end) [h]."""
    rows = sorted(rows, key=lambda row: row[1])
    component, start, end = (np.array(each) for each in zip(*rows, strict=True))
    names = tuple(f"n{each}" for each in range(int(component.max()) + 1))
    none = np.zeros(len(rows), dtype=np.int64)
    return Outages(start, end, component.astype(np.int64), names, none, ("",), None, span_h, len(rows), ())


def test_outages_of_a_unit_that_overlap_are_one_failure_and_those_of_others_are_not() -> None:
    rows = [(0, 1.0, 9.0), (0, 2.0, 3.0), (0, 8.0, 10.0), (0, 10.0, 11.0), (1, 2.0, 4.0), (1, 50.0, float("nan"))]
    found = failures_of(outages(rows, 60.0), 60.0)
    assert found.unit.tolist() == [0, 0, 1, 1]
    assert found.start_h.tolist() == [1, 10, 2, 50]
    assert found.end_h.tolist() == pytest.approx([10, 11, 4, 60])
    assert found.down_h == pytest.approx(22)
    assert found.counts(3).tolist() == [2, 2, 0]


def test_lives_since_repair_begin_with_the_first_repair_where_no_installation_is_known() -> None:
    found = lives_of(failures_of(outages([(0, 10.0, 12.0), (0, 30.0, 31.0)], 100.0), 100.0), 2)
    assert found.to_h.tolist() == [18, 69]
    assert found.failed.tolist() == [True, False]
    assert found.from_h.tolist() == [0, 0]
    assert found.limit_h.tolist() == [88, 69]
    assert found.waited_h.tolist() == [10, 10]


@pytest.mark.parametrize(
    ("clock", "begin", "end"),
    [("since repair", [50, 0, 0, 0], [60, 18, 69, 70]), ("since installation", [50, 62, 81, 0], [60, 80, 150, 70])],
)
def test_ages_count_from_the_installation_or_from_the_last_repair(
    clock: str, begin: list[float], end: list[float]
) -> None:
    """One unit is 50 h old when the record begins, one comes at 30 h and never fails; of one the age is not known."""
    failures = failures_of(outages([(0, 10.0, 12.0), (0, 30.0, 31.0), (2, 95.0, 100.0)], 100.0), 100.0)
    found = lives_of(failures, 3, np.array([-50.0, 30.0, np.nan]), clock)
    order = np.lexsort((found.from_h + found.to_h, found.unit))
    assert sorted(zip(found.from_h.tolist(), found.to_h.tolist(), strict=True)) == sorted(zip(begin, end, strict=True))
    assert found.unit[order].tolist() == [0, 0, 0, 1]
    assert int(found.failed.sum()) == 2


def test_another_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="since repair, since installation"):
        lives_of(failures_of(outages([(0, 1.0, 2.0)], 9.0), 9.0), 1, clock="age")


def old_units(rng: np.random.Generator, shape: float, units: int) -> Lives:
    """Units that survived to ages of up to 2,000 h, their failures seen for 1,500 h; mean life 1,000 h."""
    age = rng.random(units) * 2000
    scale = 1000 / math.gamma(1 + 1 / shape)
    at = scale * ((age / scale) ** shape + rng.exponential(1, units)) ** (1 / shape)
    to = np.minimum(at, age + 1500)
    return Lives(age, to, at <= age + 1500, age + 1500, np.arange(units), np.zeros(units))


@pytest.mark.parametrize("shape", [0.7, 1.6])
def test_intervals_of_a_shape_from_an_age_on_cover_it(shape: float) -> None:
    """In 3,000 trials of 40 to 55 failures. Taken as new, old units would say another shape."""
    rng = np.random.default_rng(SEED)
    held, new = [], []
    for _ in range(3_000):
        lives = old_units(rng, shape, 60)
        found = weibull_of(lives)
        held.append(found is not None and found.shape_low <= shape <= found.shape_high)
        other = weibull(lives.ended - lives.from_h[lives.failed], lives.going_on - lives.from_h[~lives.failed])
        assert other is not None
        new.append(other.shape_low <= shape <= other.shape_high)
    assert COVERED[0] <= np.mean(held) <= COVERED[1]
    assert np.mean(new) < 0.92


def test_a_likelihood_from_an_age_on_is_that_of_scipy() -> None:
    lives = old_units(np.random.default_rng(SEED), 1.4, 50)
    found = weibull_of(lives)
    assert found is not None
    law = stats.weibull_min(found.shape, scale=found.scale_h)
    expected = law.logpdf(lives.ended).sum() + law.logsf(lives.going_on).sum() - law.logsf(lives.from_h).sum()
    assert found.log_likelihood == pytest.approx(expected, rel=1e-9)


def renewals(rng: np.random.Generator, shape: float, means: np.ndarray, span: float) -> Failures:
    """Units with mean lives [h] of their own, all new at the begin of the record; repairs take no time."""
    rows = []
    for unit, mean in enumerate(means):
        at, scale = 0.0, mean / math.gamma(1 + 1 / shape)
        while (at := at + scale * rng.weibull(shape)) < span:
            rows.append((unit, at, at))
    unit, start, end = (np.array(each) for each in zip(*rows, strict=True))
    return Failures(unit.astype(np.int64), start, end, span)


def of_own_shapes(trials: int, shape: float, lemons: bool) -> tuple[float, float, float]:
    """Shares of trials in which the interval with own rates and the pooled one hold the shape; mean of pooled ones."""
    rng = np.random.default_rng(SEED)
    held, pooled, said = [], [], []
    for _ in range(trials):
        means = (
            np.where(rng.random(80) < 0.1, 50.0, 800.0) if lemons else 400 / np.maximum(rng.gamma(1.0, 1.0, 80), 0.01)
        )
        lives = lives_of(renewals(rng, shape, means, 800.0), 80)
        own, one = own_rates(lives), weibull_of(lives)
        assert own is not None
        assert one is not None
        held.append(own.shape_low <= shape <= own.shape_high)
        pooled.append(one.shape_low <= shape <= one.shape_high)
        said.append(one.shape)
    return float(np.mean(held)), float(np.mean(pooled)), float(np.mean(said))


@pytest.mark.parametrize("lemons", [False, True])
def test_units_with_rates_of_their_own_do_not_pose_as_infant_mortality(lemons: bool) -> None:
    """Each unit fails at a constant rate. One shape for all says that they fail less with age; own rates do not."""
    held, pooled, said = of_own_shapes(100, 1.0, lemons)
    assert held >= 0.88
    assert pooled < 0.7
    assert said < 0.9


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [0.7, 1.0, 1.5])
def test_intervals_of_a_shape_with_own_rates_cover_it(shape: float) -> None:
    held, _, _ = of_own_shapes(600, shape, lemons=False)
    assert COVERED[0] <= held <= COVERED[1]


@pytest.mark.exhaustive
def test_units_that_are_alike_are_rarely_said_to_differ() -> None:
    rng = np.random.default_rng(SEED)
    found = [own_rates(lives_of(renewals(rng, 0.8, np.full(60, 300.0), 800.0), 60)) for _ in range(100)]
    assert np.mean([each is not None and each.chance < 0.05 for each in found]) < 0.11
    different = own_rates(lives_of(renewals(rng, 1.0, np.where(np.arange(60) < 6, 30.0, 600.0), 800.0), 60))
    assert different is not None
    assert different.chance < 1e-6
    assert different.spread > 1


def test_too_little_gives_no_own_rates() -> None:
    assert own_rates(Lives.of_times(np.array([1.0]), np.array([2.0]))) is None
    assert own_rates(Lives.of_times(np.array([5.0, 5.0, 5.0]), np.array([]))) is None


# --- laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("weibull", lambda p: stats.weibull_min(p[0], scale=p[1])),
        ("lognormal", lambda p: stats.lognorm(p[1], scale=math.exp(p[0]))),
        ("gamma", lambda p: stats.gamma(p[0], scale=p[1])),
    ],
)
def test_likeliest_laws_are_those_of_scipy(name: str, law: object) -> None:
    """Where a third of the lives had not ended."""
    times = stats.gamma(0.8, scale=100).rvs(150, random_state=np.random.default_rng(SEED))
    lives = Lives.of_times(times[times <= 100], np.full(int((times > 100).sum()), 100.0), 100.0)
    found = fitted(lives)
    assert found is not None
    its = found.law(name)
    data = stats.CensoredData(uncensored=lives.ended, right=lives.going_on)
    scipys = {"weibull": stats.weibull_min, "lognormal": stats.lognorm, "gamma": stats.gamma}[name]
    best = scipys(*scipys.fit(data, floc=0))
    height = best.logpdf(lives.ended).sum() + best.logsf(lives.going_on).sum()
    assert its.log_likelihood == pytest.approx(height, abs=1e-3)
    assert its.aic == pytest.approx(4 - 2 * height, abs=2e-3)
    ages = np.array([1.0, 30.0, 90.0])
    assert its.survival(ages) == pytest.approx(law(its.parameters).sf(ages), rel=1e-9)
    assert its.mean_h == pytest.approx(law(its.parameters).mean(), rel=1e-9)
    logs = law(its.parameters).logsf(ages)
    assert FAMILIES[name].age(logs, its.parameters) == pytest.approx(ages, rel=1e-6)


def test_a_kaplan_meier_curve_with_late_entries_is_as_by_hand() -> None:
    """At 2 h three are at risk, at 5 h two of them and the one that came at 4 h."""
    lives = Lives(
        np.array([0.0, 0.0, 0.0, 4.0]), np.array([2.0, 5.0, 7.0, 6.0]), np.array([True, True, False, False]),
        np.full(4, 7.0), np.arange(4), np.zeros(4),
    )  # fmt: skip
    ages, left = kaplan_meier(lives)
    assert ages.tolist() == [2, 5]
    assert left == pytest.approx([2 / 3, 4 / 9])


@pytest.mark.parametrize(
    "name",
    [
        "exponential",
        "weibull",
        pytest.param("lognormal", marks=pytest.mark.exhaustive),
        pytest.param("gamma", marks=pytest.mark.exhaustive),
    ],
)
def test_the_chance_of_a_law_that_is_true_is_even(name: str) -> None:
    """Of 150 samples with half of the lives ended about a tenth has a chance below 0.1, and half below 0.5."""
    rng, chances = np.random.default_rng(SEED), []
    parameters = {"exponential": (10.0,), "weibull": (0.7, 10.0), "lognormal": (2.0, 1.2), "gamma": (0.6, 20.0)}[name]
    for number in range(150):
        times = FAMILIES[name].age(np.log(rng.random(60)), parameters)
        limits = rng.random(60) * 20
        ended = times <= limits
        lives = Lives(np.zeros(60), np.minimum(times, limits), ended, limits, np.arange(60), np.zeros(60))
        found = fitted(lives, number, (name,))
        assert found is not None
        chances.append(found.law(name).chance)
    assert np.mean(np.array(chances) < 0.1) == pytest.approx(0.1, abs=0.075)
    assert np.mean(np.array(chances) < 0.5) == pytest.approx(0.5, abs=0.14)


def test_the_law_that_made_the_times_is_found_and_a_wrong_one_is_said_not_to_fit() -> None:
    rng = np.random.default_rng(SEED)
    found = fitted(Lives.of_times(np.exp(rng.normal(0, 1.5, 400)), np.array([])))
    assert found is not None
    assert found.best.name == "lognormal"
    assert found.best.fits
    assert not found.law("exponential").fits
    assert found.sentence.startswith("lognormal fits best")
    curves = found.curves(np.array([0.0, 1.0, 1e9]))
    assert curves["seen"][0] == 1
    assert curves["seen"][1] == pytest.approx(0.5, abs=0.08)
    assert curves["seen"][2] == 0
    two = fitted(Lives.of_times(np.where(rng.random(600) < 0.5, 1.0, 50.0) * rng.uniform(0.9, 1.1, 600), np.array([])))
    assert two is not None
    assert "no law fits" in two.sentence


def test_laws_that_a_few_times_do_not_tell_apart_are_said_so() -> None:
    found = fitted(Lives.of_times(np.array([1.0, 2.0, 4.0, 9.0]), np.array([3.0])))
    assert found is not None
    assert "cannot be told apart" in found.sentence
    assert fitted(Lives.of_times(np.array([2.0]), np.array([3.0]))) is None
    assert fitted(Lives.of_times(np.array([2.0, 2.0]), np.array([3.0]))) is None


# --- Los Alamos ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not LANL.exists(), reason="needs LA-UR-05-7318")
def test_repairs_at_los_alamos_are_as_published_and_longer_than_a_lognormal_law_says() -> None:
    """Mean near 355 min and median 54 to 60 (Schroeder and Gibson 2006): a lognormal law has less than half of it."""
    with LANL.open(encoding="utf-8") as file:
        down = np.array([float(row["Down Time"]) for row in csv.DictReader(file)]) / 60
    found = repair_times(down, np.array([]))
    assert found is not None
    assert found.mean_h * 60 == pytest.approx(355, abs=5)
    assert 54 <= found.median_h * 60 <= 60
    assert found.understated
    assert found.law_mean_h * 60 == pytest.approx(170, abs=5)


def between(system: str, node: str | None = None, since: str = "") -> np.ndarray:
    """Times between failures [h] of a system or of one of its nodes, above 0, from a year on."""
    where = [f"System = {system}", *([f"nodenumz = {node}"] if node else [])]
    found = read_outages(LANL, {"component": "System+nodenumz"}, where)
    assert found.begin is not None
    years = found.begin / (365.25 * 24 * 3600) + 1970 + found.start_h / (365.25 * 24)
    times = np.diff(found.start_h[years >= float(since or 0)])
    return times[times > 0]


@pytest.mark.skipif(not LANL.exists(), reason="needs LA-UR-05-7318")
@pytest.mark.parametrize(
    ("system", "node", "since", "published", "slack"),
    [
        ("20", None, "", 0.65, 0.01),  # the whole system
        ("20", "0", "", 0.85, 0.1),  # its front end
        ("2", "22", "2000", 0.70, 0.05),  # 49 nodes, 6,152 processors: the paper's system 20, its node 22 from 2000 on
        ("2", None, "2000", 0.78, 0.06),  # the whole of it
        ("19", None, "", 0.89, 0.01),
    ],
)
def test_times_between_failures_at_los_alamos_have_the_published_shape(
    system: str, node: str | None, since: str, published: float, slack: float
) -> None:
    """What is published is the time between failures of a system, or of one node: a renewal process of its own.

    The file numbers systems otherwise than the paper (Schroeder and Gibson 2006, figure 6), whose system 20 is its 2.
    """
    found = weibull(between(system, node, since), np.array([]))
    assert found is not None
    assert found.shape == pytest.approx(published, abs=slack)
    assert not found.ageless or node == "0"


@pytest.mark.skipif(not LANL.exists(), reason="needs LA-UR-05-7318")
def test_nodes_at_los_alamos_differ_and_one_shape_for_all_exaggerates_infant_mortality() -> None:
    found = read_outages(LANL, {"component": "System+nodenumz"}, ["System = 20"])
    lives = lives_of(failures_of(found, found.span_h), 512)
    pooled, own = weibull_of(lives), own_rates(lives)
    assert pooled is not None
    assert own is not None
    assert pooled.shape == pytest.approx(0.39, abs=0.02)
    assert own.shape > pooled.shape + 0.03
    assert own.chance < 1e-6
