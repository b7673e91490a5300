"""Exact goodput of gangs that roll back to different depths, against a simulation of strike after strike."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from dcsim.closed_form import (
    Copies,
    Strikes,
    ettr_kokolis,
    no_rollback_goodput,
    restart_goodput,
    rollback_first_order,
    rollback_goodput,
)

GANGS, WARM, STRIKES = 2_000, 100, 300
CASES = {
    "one tier": ([Strikes(1 / 90, 0, 4.0)], [Copies(30, 2, 0, 6)], {}),
    "drains": ([Strikes(1 / 90, 0, 4.0)], [Copies(30, 2, 25, 6)], {}),
    "two detections": ([Strikes(1 / 60, 0, 1.0), Strikes(1 / 80, 0, 30.0)], [Copies(30, 2, 0, 6)], {}),
    "coverage": ([Strikes(0.8 / 60, -1, 4.0), Strikes(0.2 / 60, 0, 4.0)], [Copies(50, 5, 3, 40)], {}),
    "two tiers": (
        [Strikes(1 / 60, 0, 4.0), Strikes(1 / 300, 1, 4.0)],
        [Copies(10, 1, 2, 6), Copies(60, 5, 20, 30)],
        {},
    ),
    "three tiers, one of them never alone": (
        [Strikes(1 / 60, 0, 4.0), Strikes(1 / 150, 1, 1.0), Strikes(1 / 300, 2, 9.0)],
        [Copies(8, 1, 0, 3), Copies(8, 1, 1, 10), Copies(24, 4, 9, 30)],
        {},
    ),
    "a tier that no strike needs": (
        [Strikes(1 / 60, -1, 4.0), Strikes(1 / 150, 1, 4.0)],
        [Copies(8, 1, 0, 3), Copies(24, 4, 9, 30)],
        {},
    ),
    "restores fail": ([Strikes(1 / 90, 0, 4.0)], [Copies(30, 2, 0, 20)], {"success": 0.6}),
    "bad checkpoints": ([Strikes(1 / 90, 0, 4.0)], [Copies(30, 2, 4, 20)], {"bad": 0.2}),
    "bad checkpoints, some covered": (
        [Strikes(1 / 90, -1, 4.0), Strikes(1 / 90, 0, 4.0)],
        [Copies(30, 2, 4, 20)],
        {"bad": 0.2},
    ),
    "stateless": ([Strikes(1 / 90, -1, 4.0)], [], {"start": 20.0, "success": 0.5}),
    "a step is lost": ([Strikes(1 / 90, -1, 4.0)], [Copies(30, 5)], {"step": 20.0}),
    "safe stalls": (
        [Strikes(0.5 / 60, -1, 4.0), Strikes(0.5 / 60, 0, 9.0)],
        [Copies(50, 5, 3, 40)],
        {"safe_stall": True, "success": 0.5},
    ),
}
FAILOVER = 3.0


def copy_times(tiers, until):
    """Walk through a timetable; return the start and end of each computing part, and when and what each tier copies."""
    now, computed, parts, copies = 0.0, 0.0, [], [([], []) for _ in tiers]
    while now < until:
        every = tiers[0].every if tiers else until
        parts.append((now, now + every))
        now, computed = now + every, computed + every
        for tier, (times, holds) in zip(tiers, copies, strict=True):
            if computed % tier.every == 0:
                now += tier.write
                times.append(now + tier.drain)
                holds.append(computed)
    return np.array(parts), [(np.array(times), np.array([0.0, *holds])) for times, holds in copies]


def simulated(strikes, tiers, *, start=0.0, success=1.0, bad=0.0, step=0.0, safe_stall=False):
    """Play GANGS gangs strike by strike from first principles; return the goodput of each after a warm-up."""
    rng = np.random.default_rng(20_260_402)
    rate = sum(each.rate for each in strikes)
    parts, copies = copy_times(tiers, 40 / rate)
    begins, ends = parts.T
    before = np.concatenate([[0.0], np.cumsum(ends - begins)])
    share = np.array([each.rate for each in strikes]) / rate
    loads = np.array([start, *(tier.restore for tier in tiers)])
    place = np.zeros(GANGS)
    held = np.zeros((len(tiers), GANGS))
    deepest, stall = np.full(GANGS, -1), np.zeros(GANGS)
    clock, useful = np.zeros(GANGS), np.zeros(GANGS)
    for number in range(WARM + STRIKES):
        gap = rng.exponential(1 / rate, GANGS) + (stall if safe_stall else 0)
        run = gap - stall
        ran, run = run >= 0, np.maximum(run, 0)
        part = np.searchsorted(begins, run, side="right") - 1
        computed = before[part] + run - begins[part]
        computed = np.minimum(computed, before[part + 1])
        for tier, (times, holds) in enumerate(copies):
            safe = holds[np.searchsorted(times, run, side="right")]
            held[tier] = np.where(safe > 0, place + safe, held[tier])
        kind = rng.choice(len(strikes), GANGS, p=share)
        level = np.array([each.level for each in strikes])[kind]
        after = place + computed - np.minimum(step, computed)
        for tier in range(len(tiers)):
            back = (rng.geometric(1 - bad, GANGS) - 1) * tiers[tier].every
            after = np.where(level == tier, held[tier:].max(axis=0) - back, after)
        held = np.minimum(held, after)
        if number >= WARM:
            clock += gap
            useful += after - place
        place = after
        deepest = np.maximum(np.where(ran, -1, deepest), level)
        tries = rng.geometric(success, GANGS)
        stall = np.array([each.detect for each in strikes])[kind] + FAILOVER + loads[deepest + 1] * tries
    return useful, clock


@pytest.mark.parametrize("name", CASES)
def test_against_strike_after_strike(name):
    """600,000 simulated strikes agree within 4 standard errors."""
    strikes, tiers, others = CASES[name]
    theory = rollback_goodput(strikes, tiers, FAILOVER, **others)
    useful, clock = simulated(strikes, tiers, **others)
    ratio = useful.sum() / clock.sum()
    error = (useful - ratio * clock).std() / math.sqrt(GANGS) / clock.mean()
    assert error < 0.001
    assert abs(ratio - theory) < 4 * error


@pytest.mark.parametrize("safe", [False, True])
def test_one_level_is_the_plain_form(safe):
    """With one tier, or with none lost, the general solution is the textbook's."""
    rate, tier = 1 / 90, Copies(60, 5, 11, 3)
    rolled = rollback_goodput([Strikes(rate / 3, 0, 4.0), Strikes(2 * rate / 3, 0, 4.0)], [tier], 3.0, safe_stall=safe)
    assert rolled == pytest.approx(restart_goodput(rate, 60, 5, 10, drain=11, safe_stall=safe), rel=1e-12)
    kept = rollback_goodput([Strikes(rate, -1, 4.0)], [tier], 3.0, safe_stall=safe)
    assert kept == pytest.approx(no_rollback_goodput(rate, 60, 5, 7, safe_stall=safe), rel=1e-12)
    assert rollback_goodput([Strikes(rate, -1, 4.0)], [], 3.0) == pytest.approx(math.exp(-7 / 90), rel=1e-12)


def test_a_drain_delays_what_counts():
    """Mean saved work is the sum over copies k of tau P(up at k (tau + C) + d); a cycle is e^(rate R)/rate."""
    rate, interval, write, stall, drain = 1 / 90, 30.0, 2.0, 10.0, 25.0
    saved = sum(interval * math.exp(-rate * (k * (interval + write) + drain)) for k in range(1, 200))
    assert restart_goodput(rate, interval, write, stall, drain=drain) == pytest.approx(
        saved / (math.exp(rate * stall) / rate), rel=1e-12
    )


def test_two_tiers_without_writes_by_quadrature():
    """Work above the slow tier when a stretch begins solves a = P(fast)(E[fast - slow copy] + P(no slow copy) a)."""
    fast, slow, rates = 10.0, 50.0, (1 / 40, 1 / 200)
    rate = sum(rates)

    def mean(value):
        return sum(
            quad(lambda t: rate * math.exp(-rate * t) * value(t), low, low + fast)[0]
            for low in np.arange(0, 4000, fast)
        )

    above = (
        rates[0]
        / rate
        * mean(lambda t: t // fast * fast - t // slow * slow)
        / (1 - rates[0] / rate * mean(lambda t: t < slow))
    )
    moved = [mean(lambda t: t // fast * fast), mean(lambda t: t // slow * slow - (t < slow) * above)]
    found = rollback_goodput([Strikes(rates[0], 0, 0.0), Strikes(rates[1], 1, 0.0)], [Copies(fast), Copies(slow)], 0.0)
    assert found == pytest.approx(rates[0] * moved[0] + rates[1] * moved[1], rel=1e-6)


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 1e-2])
def test_first_order_of_tiers(rate):
    """The first-order bound is off by no more than the square of its loss term and the writes' share of it."""
    strikes = [Strikes(0.7 * rate, -1, 0.1), Strikes(0.2 * rate, 0, 0.1), Strikes(0.1 * rate, 1, 0.1)]
    tiers = [Copies(1.0, 0.01, 0.1, 0.2), Copies(8.0, 0.1, 0.5, 0.5)]
    term = rate * (0.1 + 0.05 + 0.2 * (0.2 + 0.1 + 0.5) + 0.1 * (0.5 + 0.5 + 4.0))
    estimate = rollback_first_order(strikes, tiers, 0.05)
    assert estimate == pytest.approx((1 - term) / (1 + 0.01 + 0.1 / 8), rel=1e-14)
    exact = rollback_goodput(strikes, tiers, 0.05)
    assert abs(exact - estimate) < 3 * (rate * 8) ** 2 + 0.1 * rate


def test_first_order_of_one_tier_is_kokolis():
    """One tier without drain gives Kokolis' formula, and nothing from a loss term of 0.3 on."""
    for rate in (0.1, 0.29, 0.6):
        expected = ettr_kokolis(rate, 0.5, 1.0, 0.1)
        found = rollback_first_order([Strikes(rate, 0, 0.2)], [Copies(1.0, 0.1, 0.0, 0.2)], 0.1)
        assert found == (expected if expected is None else pytest.approx(expected, rel=1e-14))


def test_wrong_blame_repeats_the_stall():
    """A stall that comes 1 + G times is survived with probability sum of (1 - w) w^k e^(-rate R (k + 1))."""
    rate, stall, wrong = 1 / 90, 10.0, 0.3
    through = sum((1 - wrong) * wrong**k * math.exp(-rate * stall * (k + 1)) for k in range(200))
    found = rollback_goodput([Strikes(rate, -1, stall, wrong)], [], 0.0)
    assert found == pytest.approx(through, rel=1e-12)
    safe = rollback_goodput([Strikes(rate, -1, stall, wrong)], [], 0.0, safe_stall=True)
    assert safe == pytest.approx(1 / (1 + rate * stall / (1 - wrong)), rel=1e-12)


def test_nothing_strikes():
    """A gang that nothing strikes computes but for its writes: 60 of 60 + 6 x 1 + 4 minutes."""
    assert rollback_goodput([], [Copies(10, 1), Copies(60, 4)], 0.0) == pytest.approx(60 / 70)
    assert rollback_goodput([Strikes(0.0, 0, 1.0)], [], 0.0) == 1.0


@pytest.mark.parametrize(
    ("tiers", "others"),
    [
        ([Copies(10, 0, 5), Copies(20, 0, 4)], {}),
        ([Copies(10), Copies(20)], {"bad": 0.1}),
        ([Copies(10), Copies(20)], {"step": 1.0}),
    ],
)
def test_no_closed_form(tiers, others):
    """There is none for a fast tier that drains longer, nor for bad checkpoints or lost steps beside several tiers."""
    strikes = [Strikes(0.01, 0, 1.0), Strikes(0.01, 1, 1.0)]
    assert rollback_goodput(strikes, tiers, 1.0, **others) is None
