"""Laws of the closed forms over random settings."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.closed_form import (
    HazardCharge,
    account,
    charge,
    daly_interval,
    down_probabilities,
    enough_up,
    erlang_b,
    erlang_c,
    identify_hours,
    lost_work,
    mean_availability,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)

RATES = st.floats(0, 1e6, allow_subnormal=False)
HOURS = st.floats(0, 1e5, allow_subnormal=False)
POSITIVE = st.floats(1e-6, 1e4)
SLACK = 1 + 1e-9
STRATEGIES = [restart_goodput, no_rollback_goodput]


@pytest.mark.parametrize("goodput", STRATEGIES)
@given(rate=RATES, interval=HOURS, write=HOURS, stall=HOURS, safe=st.booleans())
def test_goodput_is_a_share(goodput, rate, interval, write, stall, safe):
    """A goodput lies in [0, 1], and a stall that cannot be struck is never worse."""
    value = goodput(rate, interval, write, stall, safe_stall=safe)
    assert 0 <= value <= 1
    assert value <= goodput(rate, interval, write, stall, safe_stall=True) * SLACK


@pytest.mark.parametrize("goodput", STRATEGIES)
@given(rate=RATES, interval=HOURS, write=HOURS, stall=HOURS, more=st.floats(1, 10))
def test_more_trouble_is_never_better(goodput, rate, interval, write, stall, more):
    """Longer stalls and longer writes never raise the goodput."""
    value = goodput(rate, interval, write, stall)
    assert goodput(rate, interval, write, stall * more) <= value * SLACK
    assert goodput(rate, interval, write * more, stall) <= value * SLACK


@given(rate=RATES, interval=HOURS, write=HOURS, stall=HOURS, more=st.floats(1, 10))
def test_more_failures_are_never_better_with_rollback(rate, interval, write, stall, more):
    """A higher failure rate never raises the goodput of checkpoint-restart."""
    value = restart_goodput(rate, interval, write, stall)
    assert restart_goodput(rate * more, interval, write, stall) <= value * SLACK


@given(rate=RATES, interval=HOURS, write=HOURS, stall=HOURS)
def test_rolling_back_never_helps(rate, interval, write, stall):
    """With equal stalls a gang that keeps its work is at least as good as one that rolls back."""
    assert restart_goodput(rate, interval, write, stall) <= no_rollback_goodput(rate, interval, write, stall) * SLACK


@given(rate=st.floats(1e-6, 1e2), write=POSITIVE, factor=st.floats(0.1, 10), stall=st.floats(0, 10))
def test_no_interval_beats_the_optimum(rate, write, factor, stall):
    """No other interval has a better goodput than the exact optimum, Young's and Daly's included."""
    best_interval = optimal_interval(rate, write)
    best = restart_goodput(rate, best_interval, write, stall)
    for other in (best_interval * factor, young_interval(rate, write), daly_interval(rate, write)):
        assert restart_goodput(rate, other, write, stall) <= best * SLACK


@given(rate=RATES, window=HOURS)
def test_lost_work_is_less_than_half_the_window(rate, window):
    """A failure inside a window loses at most half of it (early failures are likelier) and at most 1/rate."""
    lost = lost_work(rate, window)
    assert 0 <= lost <= window / 2 * SLACK
    assert lost * rate <= SLACK


@given(t_id=HOURS, t_ckpt=HOURS)
def test_identify_variants_are_ordered(t_id, t_ckpt):
    """The published variants of the identify term are ordered rollback <= max <= sum."""
    terms = [identify_hours(variant, t_id, t_ckpt) for variant in ("rollback", "max", "sum")]
    assert terms == sorted(terms)


@given(
    times=st.fixed_dictionaries(
        dict.fromkeys(("t_id", "t_ckpt", "t_init", "t_failover", "t_repair"), st.floats(0, 100))
    ),
    identify=st.sampled_from(["sum", "max", "rollback"]),
    job=st.integers(1, 10**6),
    share=st.floats(0, 1),
)
def test_cold_costs_at_least_hot(times, identify, job, share):
    """A job that waits for the repair loses no less than with a hot spare, if the blast fits in it."""
    cold, hot = (charge(mode, identify, **times).gpu_hours(job, job * share) for mode in ("cold", "hot"))
    assert hot <= cold * SLACK


@given(
    gpus=st.integers(1, 10**6),
    mtbfs=st.lists(st.floats(1, 1e9), min_size=1, max_size=5),
    gpu_hours=st.floats(0, 1e6),
    factor=st.floats(0.1, 10),
)
def test_accounting_is_linear(gpus, mtbfs, gpu_hours, factor):
    """Charging k times as much per failure costs k times the downtime, and hazards add one by one."""
    hazards = [HazardCharge(gpus, mtbf, gpu_hours) for mtbf in mtbfs]
    together = account(gpus, 0, hazards)
    scaled = account(gpus, 0, [HazardCharge(gpus, mtbf, gpu_hours * factor) for mtbf in mtbfs])
    assert scaled.downtime_loss == pytest.approx(factor * together.downtime_loss, rel=1e-9)
    alone = [account(gpus, 0, [hazard]) for hazard in hazards]
    assert together.downtime_loss == pytest.approx(sum(each.downtime_loss for each in alone), rel=1e-9)
    assert 1 / together.cluster_mtbf_h == pytest.approx(sum(1 / each.cluster_mtbf_h for each in alone), rel=1e-9)


@given(machines=st.integers(1, 300), crews=st.integers(1, 300), mtbf=POSITIVE, repair=st.floats(1e-6, 1e4))
def test_steady_state_is_a_distribution_that_crews_improve(machines, crews, mtbf, repair):
    """The steady state sums to 1, has no negative part, and one more crew never lowers the availability."""
    steady = down_probabilities(machines, crews, mtbf, repair)
    assert len(steady) == machines + 1
    assert min(steady) >= 0
    assert math.fsum(steady) == pytest.approx(1, abs=1e-12)
    more = down_probabilities(machines, crews + 1, mtbf, repair)
    assert mean_availability(more) >= mean_availability(steady) - 1e-12


@settings(max_examples=40, deadline=None)
@given(
    machines=st.integers(1, 40),
    crews=st.integers(1, 40),
    ratio=st.floats(1e-3, 10),
    periods=st.floats(0.01, 50),
)
def test_a_run_that_starts_all_up_is_better_than_the_steady_state(machines, crews, ratio, periods):
    """From all up, any number of machines is likelier to be there, the more so the shorter the horizon."""
    repair = 10.0
    mtbf = repair / ratio
    steady = down_probabilities(machines, crews, mtbf, repair)
    short, long = (down_probabilities(machines, crews, mtbf, repair, k * periods * repair) for k in (1, 2))
    assert math.fsum(short) == pytest.approx(1, abs=1e-12)
    for needed in range(machines + 1):
        chances = [enough_up(law, needed) for law in (short, long, steady)]
        assert chances[0] >= chances[1] - 1e-9
        assert chances[1] >= chances[2] - 1e-9


@given(load=st.floats(0, 1e4), servers=st.integers(1, 500))
def test_waiting_is_likelier_than_being_lost(load, servers):
    """Erlang's probabilities lie in [0, 1] and C >= B."""
    assert 0 <= erlang_b(load, servers) <= erlang_c(load, servers) * SLACK <= SLACK
