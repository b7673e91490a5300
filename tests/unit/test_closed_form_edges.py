"""Closed forms at the edges of their domain: nothing free, nothing failing, everything failing."""

import math

import pytest

from dcsim.closed_form import (
    HazardCharge,
    account,
    daly_interval,
    down_probabilities,
    enough_up,
    erlang_b,
    ettr_kokolis,
    lost_work,
    makespan,
    mean_availability,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)

INTERVALS = [young_interval, daly_interval, optimal_interval]


@pytest.mark.parametrize("interval", INTERVALS)
def test_free_writes_are_best_without_pause(interval):
    """With a write that costs nothing the best interval is 0."""
    assert interval(0.1, 0.0) == 0.0
    assert interval(0.0, 0.0) == 0.0


@pytest.mark.parametrize("interval", INTERVALS)
def test_what_never_fails_needs_no_checkpoint(interval):
    """Without failures the best interval is infinite."""
    assert interval(0.0, 1.0) == math.inf


@pytest.mark.parametrize("goodput", [restart_goodput, no_rollback_goodput])
def test_without_failures_only_writes_cost(goodput):
    """At rate 0 both strategies keep interval/(interval + write) of the time, all of it with free writes."""
    assert goodput(0.0, 55.0, 5.0, 10.0) == 55 / 60
    assert goodput(0.0, 55.0, 0.0, 10.0) == 1.0


def test_continuous_free_checkpoints_lose_no_work():
    """Free writes without pause leave checkpoint-restart only its stall, e^(-rate x stall)."""
    assert restart_goodput(0.1, 0.0, 0.0, 2.0) == math.exp(-0.1 * 2.0) == no_rollback_goodput(0.1, 0.0, 0.0, 2.0)
    assert restart_goodput(0.1, 0.0, 1.0, 2.0) == 0.0 == no_rollback_goodput(0.1, 0.0, 1.0, 2.0)


@pytest.mark.parametrize("rate", [1e3, 1e30, 1e300])
def test_failures_without_end_leave_nothing(rate):
    """A hopeless gang has goodput 0.0 and an infinite makespan rather than an overflow."""
    assert restart_goodput(rate, 1.0, 0.1, 1.0) == 0.0
    assert no_rollback_goodput(rate, 1.0, 0.1, 1.0) == 0.0
    assert makespan(1.0, rate, 1.0, 0.1, 1.0) == math.inf
    assert lost_work(rate, 1.0) == 1 / rate
    assert optimal_interval(rate, 1.0) == 1 / rate
    assert ettr_kokolis(rate, 1.0, 1.0, 0.1) is None


def test_lost_work_is_continuous_where_its_series_takes_over():
    """The series and the closed form of the lost work meet to 1e-13 at their border."""
    below, above = lost_work(0.01 * (1 - 1e-13), 1.0), lost_work(0.01, 1.0)
    assert below == pytest.approx(above, rel=1e-13)


def test_a_cluster_without_hazards_has_no_mtbf():
    """Accounting without a single hazard charges spares and overheads, and knows neither MTBF nor interruptions."""
    result = account(5184, 32, [], network_overhead=0.01, memory_overhead=0.02)
    assert result.cluster_mtbf_h is None
    assert result.interruptions_per_month == result.downtime_loss == 0
    assert result.goodput_loss == pytest.approx(32 / 5184 + 0.03)


def test_a_result_is_a_frozen_value():
    """An accounting cannot be changed after the fact."""
    result = account(64, 0, [HazardCharge(64, 1000.0, 1.0)])
    with pytest.raises(AttributeError):
        result.downtime_loss = 0.0


@pytest.mark.parametrize("horizon", [None, 100.0])
def test_instant_repair_keeps_everything_up(horizon):
    """With repairs that take no time no machine is ever down."""
    assert down_probabilities(4, 1, 100.0, 0.0, horizon) == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_no_time_at_all_is_the_start():
    """Over a horizon of zero the fleet is as it starts: all up."""
    assert down_probabilities(3, 1, 100.0, 8.0, horizon=0.0) == [1.0, 0.0, 0.0, 0.0]


def test_enough_up_counts_machines():
    """Of three machines none, one, … may be needed, and a fourth is never there."""
    steady = [0.4, 0.3, 0.2, 0.1]
    assert [enough_up(steady, needed) for needed in range(5)] == pytest.approx([1.0, 0.9, 0.7, 0.4, 0.0])
    assert mean_availability(steady) == pytest.approx(1 - (0.3 + 0.4 + 0.3) / 3)


def test_no_servers_block_everyone():
    """Without servers every arrival is lost, without load none is."""
    assert erlang_b(3.0, 0) == 1.0
    assert erlang_b(0.0, 3) == 0.0
