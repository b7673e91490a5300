"""Tables by name: values follow from the scenario, closed forms stand beside, one line where there is nothing."""

import pytest

from dcsim.closed_form import down_probabilities
from dcsim.decide.estimate import estimate
from dcsim.decide.tables import table
from dcsim.decide.tables_asked import theory_loss
from dcsim.decide.tables_spares import Pool
from dcsim.decide.theory import theory
from dcsim.decide.variants import at
from dcsim.report.tables_page import table_page
from dcsim.scenario import Scenario, ScenarioError, load, read
from dcsim.units import DURATION, MS_PER_H, parse
from tests.unit.test_sweep import SMALL

QUICK = {"replications": 4, "workers": 1}


def test_checkpoint_intervals_lie_around_the_exact_optimum():
    """The default values span a quarter to four times the optimum and hold the scenario's own interval."""
    found = table("checkpoint", SMALL, **QUICK)
    best = theory(load_small()).optimal_h
    hours = [each["inputs"]["jobs.train.recovery.checkpoint_every"] for each in found.to_json()["points"]]
    assert "30 min" in hours
    assert found.own == hours.index("30 min")
    assert found.facts["optimal_h"] == best
    parts = sorted(hours_of(each) / best for each in hours)
    assert parts[0] == pytest.approx(0.25, rel=0.1)
    assert parts[-1] == pytest.approx(4, rel=0.1)


def load_small() -> Scenario:
    """The small scenario."""
    return read(SMALL)


def hours_of(text: str) -> float:
    """A duration in hours."""
    return parse(text, DURATION) / MS_PER_H


def test_closed_forms_are_those_of_the_value():
    """Formula and theory of a row are those of the scenario with that value."""
    found = table("checkpoint", SMALL, ["jobs.train.recovery.checkpoint_every=10 min,2 h"], **QUICK)
    for point, closed in zip(found.sweep.points, found.closed, strict=True):
        its = at(load_small(), dict(point.inputs))
        assert closed["formula"] == estimate(its).accounting.goodput_loss
        exact = theory(its).goodput_loss
        assert exact is not None
        assert closed["theory"] == pytest.approx(1 - 128 / 144 * (1 - exact), rel=1e-12)
    assert found.own is None


def test_theory_of_jobs_that_end_is_none():
    """A job with work, or one that begins later, has no loss over the horizon in closed form."""
    assert theory_loss(load_small()) is not None
    assert theory_loss(at(load_small(), {"jobs.train.work": "1000 GPU-h"})) is None
    assert theory_loss(at(load_small(), {"jobs.train.submit": "1 d"})) is None


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("checkpoint", "pretrain-5184/gold", "rolls nothing back, so there is no checkpoint interval to choose"),
        ("checkpoint", "strategies-5184/tiered-checkpoint", "has an interval for each tier"),
        ("spares", "nvl72-64-of-72/in-rack", "in_rack_spares"),
        ("chekpoint", "pretrain-5184/gold", 'did you mean "checkpoint"?'),
    ],
)
def test_what_does_not_apply_is_one_line(kind, name, says):
    """Nothing is simulated where a scenario has nothing to choose."""
    with pytest.raises(ScenarioError) as error:
        table(kind, name)
    (problem,) = error.value.problems
    assert says in str(problem)


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("detection", ["cluster.spares=1"], "table detection is about hazards.gpu.detect"),
        ("spares", ["hazards.gpu.detect=1 h"], "table spares is about cluster.spares"),
        ("nines", ["availability=100 %"], "must be above 0 % and below 100 %"),
        ("nines", ["cluster.spares=4"], "about availability"),
        ("spares", ["cluster.spares=4", "cluster.gpus=144"], "a table is about one"),
    ],
)
def test_a_table_is_about_its_own_key(kind, values, says):
    """A key that the table is not about is refused, and the right one is named."""
    with pytest.raises(ScenarioError, match=says):
        table(kind, SMALL, values)


def test_a_pool_is_the_binomial_of_its_machines():
    """144 GPUs that fail every 1,000 h and take 4 along: 36 machines that fail every 250 h, repaired in 8 h."""
    pool = Pool.of(load_small(), "table")
    assert (pool.unit, pool.machines(8), pool.mtbf_h, pool.repair_h) == (4, 36, pytest.approx(250), 8.0)
    chain = down_probabilities(36, 36, 250, 8)
    assert pool.short(8, queued=False) == pytest.approx(sum(chain[5:]))
    one_down = chain[5] * 124  # five machines down: the job lacks one, and what it has left waits
    assert pool.waiting(8, queued=True) > one_down


def test_the_smallest_stock_is_the_smallest():
    """P(short) is below the target with the stock and not with one machine less."""
    pool = Pool.of(load_small(), "table")
    for target in (0.1, 0.01, 1e-4):
        stock = pool.least_stock(target, queued=True)
        assert stock is not None
        assert pool.short(stock, queued=True) < target <= pool.short(stock - pool.unit, queued=True)


def test_gangs_of_one_machine_do_not_tell_when_they_are_short():
    """Nothing of such a gang is left that waits: a sentence says so, and no stock is named for the simulation."""
    found = table("spares", "operations/technicians-by-day", replications=2, workers=1)
    assert table_page(found, ()).answer[:2] == (
        "16 spares are the smallest stock with P(short) below 1 %: by the binomial.",
        "P(short) is not simulated: a gang of one machine has nothing left that waits.",
    )
    assert not any("not simulated" in said for said in table_page(table("spares", SMALL, **QUICK), ()).answer)


def test_few_crews_need_more_spares():
    """With a crew too few the repairman's chain asks for more than the binomial."""
    crewed = at(load_small(), {"hazards.gpu.repair": {"time": "8 h", "crews": 2}})
    pool = Pool.of(crewed, "table")
    assert pool.crews == 2
    few, many = (pool.least_stock(0.01, queued=queued) for queued in (True, False))
    assert few is not None
    assert many is not None
    assert few > many


def test_each_nine_has_a_row_and_a_price():
    """Stocks grow with the nines; the rent is 4 USD for 720 h and GPU."""
    found = table("nines", SMALL, ["availability=90 %,99 %,99.9 %"], **QUICK)
    stocks = [each["binomial"] for each in found.facts["enough"]]
    assert stocks == sorted(stocks)
    assert [each["binomial_usd_month"] for each in found.facts["enough"]] == [2880.0 * stock for stock in stocks]


def test_a_minute_costs_what_the_published_formula_charges():
    """Gold: j / (60 MTBF) N p 720 with j = 4,096 and 25,000 h is 40,769 USD a month."""
    found = table("detection", "pretrain-5184/gold", ["hazards.gpu.detect=10 min,20 min"], **QUICK)
    gold = load("pretrain-5184/gold")
    closed = 4096 / (60 * 25000) * 5184 * 4 * 720
    assert gold.cluster.gpus == 5184
    assert found.facts["minute_usd_month_formula"] == pytest.approx(closed, rel=1e-9)
    assert found.facts["between"] == ["10 min", "20 min"]
    assert found.facts["minute_usd_month_simulated"] == pytest.approx(found.facts["minute_usd_month_theory"], rel=0.05)


@pytest.mark.parametrize(
    ("values", "between"),
    [
        ("1 min,10 min,15 min,20 min,4 h", ["10 min", "20 min"]),
        ("20 min,10 min,1 min", ["10 min", "20 min"]),
        ("30 min,1 h,2 h", ["30 min", "1 h"]),
        ("1 min,5 min,10 min", ["5 min", "10 min"]),
        ("15 min,1 h,2 h", ["15 min", "1 h"]),
        ("1 min,5 min,15 min", ["5 min", "15 min"]),
    ],
)
def test_a_minute_is_priced_around_the_value_of_today(values: str, between: list[str]):
    """Gold detects in 15 min: losses bend over a wide range, so the values on either side of it count."""
    found = table("detection", "pretrain-5184/gold", [f"hazards.gpu.detect={values}"], **QUICK)
    assert found.facts["between"] == between
    values_given = found.sweep.axes[0].values
    low, high = (values_given.index(value) for value in between)
    minutes = (parse(between[1], DURATION) - parse(between[0], DURATION)) / 60_000
    losses = [each["formula"] for each in found.closed]
    expected = (losses[high] - losses[low]) / minutes * 5184 * 4 * 720
    assert found.facts["minute_usd_month_formula"] == pytest.approx(expected, rel=1e-9)
