"""Tokens against the rows that the deck prints (SemiAnalysis, "From Fab to Token", April 2026)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.closed_form.inference import (
    DECLINED,
    batch_that_fits,
    break_even_batch,
    decode_step_s,
    decode_usd_per_mtok,
    kv_cache_gb,
    kv_transfer_gbit_s,
    margin,
    request_cost,
    saved_by_hits,
    usd_per_mtok,
)

RENT, SPEED = 1.90, 735.0  # USD per GPU-hour of an H200, tokens per second of one


def to_digit(digits):
    """Accept what prints as the deck prints it."""
    return 0.5 * 10**-digits


# --- the stack --------------------------------------------------------------------------------------------------------


def test_a_million_tokens_cost_what_the_stack_prints():
    """1.90 / (735 * 3600) * 10^6 = 0.7181 USD, printed 0.72."""
    found = usd_per_mtok(RENT, SPEED, 0.0, 1.0)
    assert found == pytest.approx(0.71807, abs=to_digit(5))
    assert found == pytest.approx(0.72, abs=to_digit(2))


def test_the_margins_of_owner_and_model_are_those_of_the_stack():
    """A GPU-hour that costs 1.23 and rents for 1.90 leaves 35 %; tokens of 0.72 sold at 1.75 leave 59.0 %."""
    assert margin(1.90, 1.23) == pytest.approx(0.35, abs=to_digit(2))
    assert margin(1.75, usd_per_mtok(RENT, SPEED, 0.0, 1.0)) == pytest.approx(0.590, abs=to_digit(3))


def test_a_subscription_leaves_the_third_party_an_eighth_and_the_first_party_two_thirds():
    """10 million tokens a month at 20 USD: 2.50 left at the API's price, 12.82 at the cost of computing them."""
    fee, use, cost = 20.0, 10.0, usd_per_mtok(RENT, SPEED, 0.0, 1.0)
    assert fee - use * 1.75 == 2.50
    assert margin(fee, use * 1.75) == 0.125
    assert fee - use * cost == pytest.approx(12.82, abs=to_digit(2))
    assert margin(fee, use * cost) == pytest.approx(0.641, abs=to_digit(3))
    assert fee - use * 0.72 == pytest.approx(12.80)  # the rounded cost would not give the printed 12.82


@pytest.mark.parametrize(("loss", "printed"), [(0.0614, 0.765), (0.2091, 0.908)])
def test_the_loss_of_a_training_job_overcharges_tokens(loss, printed):
    """At the published losses of Gold and Silver, which charge a failure to a whole training job: 0.765 and 0.908."""
    assert usd_per_mtok(RENT, SPEED, loss, 1.0) == pytest.approx(printed, abs=to_digit(3))


def test_a_gpu_that_is_half_used_makes_tokens_twice_as_dear():
    """Utilisation and loss divide the hours that are paid."""
    assert usd_per_mtok(RENT, SPEED, 0.0, 0.5) == 2 * usd_per_mtok(RENT, SPEED, 0.0, 1.0)
    assert usd_per_mtok(RENT, SPEED, 0.5, 1.0) == 2 * usd_per_mtok(RENT, SPEED, 0.0, 1.0)


# --- the cost block ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bandwidth", "ms", "digits"), [(2000, 70, 0), (3350, 41.8, 1), (4800, 29.2, 1), (8000, 17.5, 1)]
)
def test_the_decode_floor_is_the_time_to_read_the_weights(bandwidth, ms, digits):
    """70 billion parameters in FP16 are 140 GB."""
    assert 1e3 * decode_step_s(140.0, float(bandwidth), 0.0) == pytest.approx(ms, abs=to_digit(digits))


@pytest.mark.parametrize(("batch", "printed", "digits"), [(1, 29.0, 1), (64, 0.45, 2), (256, 0.11, 2)])
def test_a_batch_shares_the_step(batch, printed, digits):
    """At 2.50 USD an hour on an H100."""
    step = decode_step_s(140.0, 3350.0, 0.0)
    assert decode_usd_per_mtok(2.50, step, float(batch)) == pytest.approx(printed, abs=to_digit(digits))


def test_a_step_and_a_speed_are_two_ways_to_say_one_cost():
    """A batch of 64 in 41.8 ms is 1,531 tokens per second."""
    step = decode_step_s(140.0, 3350.0, 0.0)
    assert decode_usd_per_mtok(2.5, step, 64.0) == pytest.approx(usd_per_mtok(2.5, 64 / step, 0.0, 1.0), rel=1e-14)


@pytest.mark.parametrize(("tokens", "gb"), [(4_000, 2.5), (32_000, 20), (128_000, 80), (1_000_000, 625)])
def test_the_kv_cache_grows_with_the_context(tokens, gb):
    """0.625 GB for 1,000 tokens."""
    assert kv_cache_gb(float(tokens), 0.625) == gb


def test_cache_hits_save_what_they_need_not_prefill():
    """56.3 % of hits on 80 % of prefill save 45.0 % of the fleet; a batch shares what is left."""
    assert saved_by_hits(0.80, 0.563) == pytest.approx(0.450, abs=to_digit(3))
    assert request_cost(0.8, 0.2, 0.0, 4.0) == pytest.approx(0.25)
    assert request_cost(0.8, 0.2, 1.0, 1.0) == pytest.approx(0.2)


def test_kv_caches_that_are_handed_over_fill_a_link():
    """1.13 GB, ten times a second."""
    assert kv_transfer_gbit_s(1.13, 10) == pytest.approx(90.4, abs=to_digit(1))


def test_every_row_that_is_declined_says_why_in_figures_that_hold():
    """The batches that the printed costs take, and the revenue per GPU-hour that the printed return takes."""
    one = decode_usd_per_mtok(2.50, decode_step_s(140.0, 3350.0, 0.0), 1.0)
    batches = [f"{one / printed:.1f}" for printed in (7.50, 4.50, 0.65, 0.20)]
    costs, _, revenue = DECLINED
    assert all(each in costs.why for each in batches), batches
    assert f"{75e6 / (72 * 4 * 8760):.1f} USD" in revenue.why


# --- memory and price choose the batch --------------------------------------------------------------------------------


def test_the_largest_batch_fills_the_memory():
    """Eight H200 of 141 GB hold 140 GB of weights and 395 caches of 2.5 GB, and a cache that just fits is held."""
    assert batch_that_fits(8 * 141.0, 140.0, 2.5) == 395
    assert batch_that_fits(140.3, 140.0, 0.1) == 3
    assert batch_that_fits(80.0, 140.0, 2.5) == 0
    assert (0.7 - 0.1) / 0.2 < 3  # rounding takes nothing away
    assert batch_that_fits(0.7, 0.1, 0.2) == 3


@given(price=st.floats(0.01, 100), rent=st.floats(0.1, 10), weights=st.floats(1, 2000), each=st.floats(0.001, 50))
def test_at_the_batch_that_breaks_even_tokens_cost_their_price(price, rent, weights, each):
    """Below it they cost more; where reading the cache alone costs more than the price, no batch breaks even."""
    batch = break_even_batch(rent, price, weights, 4800.0, each)
    if np.isinf(batch):
        assert decode_usd_per_mtok(rent, decode_step_s(0.0, 4800.0, each), 1.0) >= price * (1 - 1e-12)
        return
    step = decode_step_s(weights, 4800.0, batch * each)
    assert decode_usd_per_mtok(rent, step, batch) == pytest.approx(price, rel=1e-9)


def test_arrays_give_one_cost_for_each_run():
    """The formulas take one value for each run."""
    found = usd_per_mtok(np.array([1.9, 3.8]), np.array([735.0, 735.0]), np.zeros(2), np.ones(2))
    assert found.tolist() == [usd_per_mtok(1.9, 735.0, 0.0, 1.0), usd_per_mtok(3.8, 735.0, 0.0, 1.0)]
