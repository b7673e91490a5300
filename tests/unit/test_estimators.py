"""Which mean is shown, with which error, and what makes it doubtful."""

import dataclasses

import numpy as np
import pytest

from dcsim.decide import run
from dcsim.decide.documents import run_entry
from dcsim.decide.metrics import METRICS
from dcsim.engine import simulate
from dcsim.montecarlo import Look, Sample, Stopped, deviations, difference, runs_per_draw
from dcsim.scenario import load
from dcsim.scenario.plan import plan
from dcsim.scenario.sampled import sampled
from tests.unit.results import lost

UNKNOWN = (
    '[{key = "hazards.gpu.mtbf", value = {kind = "uniform", low = "25000 h", high = "50677 h"}},'
    ' {key = "tco.gpu_hour", value = {kind = "choice", values = ["3 USD", "5 USD"]}}]'
)


def gold(*changes):
    """Gold, shortened to five days."""
    return load("pretrain-5184/gold", set=["horizon=5 d", *changes])


def controlled(result, *looks):
    """The same result of a run with a precision."""
    return dataclasses.replace(result, stopped=Stopped(0.01, looks or (Look(64, (0.001,)),)))


def with_drawn(result, drawn):
    """The same result with these numbers of failures drawn."""
    ledgers = dataclasses.replace(result.sample.ledgers, drawn=np.array(drawn, dtype=np.int64))
    return dataclasses.replace(result, sample=Sample(result.scenario, ledgers))


def test_the_control_is_the_count_less_its_expectation():
    """Gold expects 5,184 x 5 d / 25,000 h = 24.8832 failures; each replication's own number is taken off it."""
    scenario = gold()
    sample = Sample.of(scenario, [simulate(scenario, number) for number in range(4)])
    drawn = [sum(len(each.failures.times) for each in plan(scenario).draws(number)) for number in range(4)]
    assert deviations(sample) == pytest.approx(np.array(drawn) - 5184 * 120 / 25_000, rel=1e-12)


def test_the_expectation_is_that_of_the_drawn_inputs():
    """Where the MTBF is drawn, each pair of replications has its own expectation, and the mean deviation is zero."""
    scenario = gold(f"uncertain={UNKNOWN}")
    accounts = [simulate(sampled(scenario, number), number) for number in range(60)]
    sample = Sample.of(scenario, accounts)
    expected = [plan(sampled(scenario, number)).expected_drawn for number in range(60)]
    assert expected[::2] == expected[1::2]
    assert len(set(expected)) == 30
    found = deviations(sample)
    assert found == pytest.approx(sample.drawn - np.array(expected), rel=1e-12)
    assert abs(found.mean()) < 4 * found.std(ddof=1) / np.sqrt(60)
    assert found.std() < sample.drawn.std()


def test_prices_alone_make_no_pairs():
    """A price that is drawn leaves replications of the physics independent; an MTBF does not."""
    prices = '[{key = "tco.gpu_hour", value = {kind = "choice", values = ["3 USD", "5 USD"]}}]'
    assert [
        runs_per_draw(gold()),
        runs_per_draw(gold(f"uncertain={prices}")),
        runs_per_draw(gold(f"uncertain={UNKNOWN}")),
    ] == [
        1,
        1,
        2,
    ]


def test_the_plain_mean_is_shown_unless_a_precision_is_given():
    """Loss and cost follow the ledger to the digit; with a precision both follow the adjusted mean, and say so."""
    run = with_drawn(lost(gold(), 0.05, 0.06, 0.07, 0.05, 0.09), [25, 26, 27, 24, 30])
    assert run.loss.mean == run.sample.mean_loss
    assert run.loss_estimated.estimator == "plain mean"
    better = controlled(run)
    assert better.loss_estimated.estimator == "control variate"
    assert better.loss.mean == better.loss_estimated.adjusted.mean < run.loss.mean
    assert better.loss.se < run.loss.se
    assert (better.loss.p5, better.loss.p5_ci95) == (run.loss.p5, run.loss.p5_ci95)
    assert better.tco.with_lost_work_usd == better.total_usd.mean
    assert better.total_estimated.adjusted.mean == pytest.approx(better.total_usd.mean, rel=1e-12)
    assert better.useful_hour_usd.mean == better.tco.usd_per_useful_gpu_hour["all_in"] < run.useful_hour_usd.mean
    entry = run_entry(better, better)["goodput"]["loss"]
    assert entry["estimator"] == "control variate"
    assert (entry["mean"], entry["se"]) == (entry["controlled"]["mean"], entry["controlled"]["se"])
    assert (entry["plain"]["mean"], entry["plain"]["se"]) == (run.loss.mean, run.loss.se)
    assert run_entry(run, run)["goodput"]["loss"]["controlled"] == entry["controlled"]


def test_without_a_count_of_known_mean_the_plain_mean_stays():
    """Four replications are too few for a control: precision or not, the mean is the plain one."""
    run = controlled(with_drawn(lost(gold(), 0.05, 0.06, 0.07, 0.05), [25, 26, 27, 24]))
    assert run.loss_estimated.estimator == "plain mean"
    assert run.loss.mean == run.sample.mean_loss
    assert run_entry(run, run)["goodput"]["loss"]["controlled"] is None


def test_differences_are_adjusted_where_both_met_the_same_failures():
    """With equal counts the difference of the shown means is the shown difference; with others it is the plain one."""
    losses = ((0.05, 0.06, 0.07, 0.05, 0.09), (0.06, 0.08, 0.09, 0.06, 0.14))
    a, b = (controlled(with_drawn(lost(gold(), *each), [25, 26, 27, 24, 30])) for each in losses)
    found = difference(b.loss_estimated, a.loss_estimated, a.control)
    assert found.mean == pytest.approx(b.loss.mean - a.loss.mean, rel=1e-12)
    plain = difference(b.loss_estimated, a.loss_estimated, None)
    assert plain.mean == b.sample.mean_loss - a.sample.mean_loss != found.mean
    assert found.se < plain.se


def test_drawn_prices_make_bills_of_their_own():
    """Each pair pays the price that it drew; the table is the mean of the tables, its hours' price a ratio of means."""
    scenario = gold(f"uncertain={UNKNOWN}")
    losses = (0.05, 0.06, 0.07, 0.05)
    run = lost(scenario, *losses)
    rents = [sampled(scenario, number).tco.gpu_hour for number in range(4)]
    hours = 5184 * 720 * 36
    others = 36 * (500 * 1024 * 0.035 + 10 * 1024**2 * 0.01)
    expected = [rent * hours * (1 + loss) + others for rent, loss in zip(rents, run.sample.loss, strict=True)]
    assert run.total_estimated.values == pytest.approx(expected, rel=1e-12)
    assert run.total_usd.mean == pytest.approx(np.mean(expected), rel=1e-12)
    all_in = (np.mean(rents) * hours + others) / (hours * (1 - run.sample.mean_loss))
    assert run.useful_hour_usd.mean == pytest.approx(all_in, rel=1e-12)
    assert run.useful_hour_estimated.values == pytest.approx(
        [(rent * hours + others) / (hours * (1 - loss)) for rent, loss in zip(rents, run.sample.loss, strict=True)]
    )
    assert run.tco.usd_per_useful_gpu_hour["deck"] == pytest.approx(
        np.mean([rent * (1 + loss) for rent, loss in zip(rents, run.sample.loss, strict=True)])
    )


@pytest.mark.parametrize(
    ("name", "prices"),
    [
        ("finance/racks-12", ("owner.electricity", "0.07 USD/kWh", "0.11 USD/kWh")),
        ("sla/rack", ("tco.gpu_hour", "3 USD", "5 USD")),
        ("tokens/factory", ("tokens.price", "1 USD/Mtok", "3 USD/Mtok")),
    ],
)
def test_runs_that_share_a_price_count_once_for_an_error_of_money(name, prices):
    """Nobody knows one price, and each two runs pay the same: the error of a figure of money is that of the pairs."""
    key, low, high = prices
    value = f'{{kind = "uniform", low = "{low}", high = "{high}"}}'
    result = run(name, set=[f"uncertain=[{{key = '{key}', value = {value}}}]"], replications=6, workers=1)
    found = {each.name: each.of(result) for each in METRICS.values() if each.table not in ("", "grid")}
    found = {figure: its for figure, its in found.items() if its is not None}
    assert len(found) >= 5
    assert {figure: its.shared for figure, its in found.items()} == dict.fromkeys(found, 2)
    assert METRICS["useful_gpu_hours"].of(result).shared == 1
    for its in found.values():
        assert its.plain.se == pytest.approx(np.std(its.linear.reshape(3, 2).mean(axis=1), ddof=1) / 3**0.5)
    if result.credits is not None:
        assert result.credits.usd_a_month.se == pytest.approx(found["sla_credits_usd"].plain.se)


def test_warnings_say_what_is_doubtful():
    """A run that lost all among 63 others is far more skewed than theory says; a precision that was missed is told."""
    run = lost(gold(), *[0.05] * 30, 0.9, *[0.051] * 33)
    assert run.runs_needed == 1_526  # 25 * 7.81^2
    assert run.warnings == ("Too few runs for a reliable interval; about 1,526 are needed.",)
    assert lost(gold(), *np.linspace(0.05, 0.06, 64)).warnings == ()
    missed = controlled(lost(gold(), *np.linspace(0.05, 0.06, 64)), Look(64, (0.02,)))
    assert missed.warnings == ("the loss is not within ± 1 pp after 64 replications, the most that were allowed",)
    entry = run_entry(missed, missed)
    assert entry["warnings"] == list(missed.warnings)
    looks = [{"replications": 64, "half_width": 0.02}]
    assert entry["precision"] == {"half_width": 0.01, "reached": False, "looks": looks}
