"""Closed forms at values by hand: signs and quotients that ranges and limits do not tell apart."""

import math

import numpy as np
import pytest

from dcsim.closed_form import (
    Copies,
    Retirement,
    Strikes,
    ettr_kokolis,
    rollback_first_order,
    rollback_goodput,
    served,
)
from dcsim.closed_form.retirement import Stay


def test_kokolis_by_hand() -> None:
    """Lost 0.01 * (1 + 4/2) = 0.03; writes of 1 after each 4 stretch the rest by 1 + 1/4."""
    assert ettr_kokolis(0.01, 1.0, 4.0, 1.0) == pytest.approx(0.97 / 1.25, rel=1e-12)


def test_first_order_of_two_classes_by_hand() -> None:
    """One class restarts from memory: 4 + 3 + 20; the other rolls back: 5 + 3 + 6 + drain 2 + half of 10."""
    strikes = [Strikes(0.001, -1, 4.0), Strikes(0.002, 0, 5.0)]
    found = rollback_first_order(strikes, [Copies(10, 1, 2, 6)], 3.0, start=20.0)
    assert found == pytest.approx((1 - 0.001 * 27 - 0.002 * 21) / 1.1, rel=1e-12)


def test_half_of_the_strikes_roll_back_by_hand() -> None:
    """Every strike stalls for R = 7; half keep all work, half fall back to the last copy, free and each 50.

    With phi = exp(-7/60), q = exp(-50/60) and D = 60 - 50 q/(1 - q), the mean work above the copy after a strike is
    a = (phi D + (1 - phi q) a) / 2. A strike of the other half loses phi (D + (1 - q) a) + (1 - phi) a.
    """
    phi, q = math.exp(-7 / 60), math.exp(-50 / 60)
    above_copy = 60 - 50 * q / (1 - q)
    a = 0.5 * phi * above_copy / (1 - 0.5 * (1 - phi * q))
    lost = phi * (above_copy + (1 - q) * a) + (1 - phi) * a
    found = rollback_goodput([Strikes(0.5 / 60, -1, 4.0), Strikes(0.5 / 60, 0, 4.0)], [Copies(50)], 3.0)
    assert found == pytest.approx((60 * phi - 0.5 * lost) / 60, rel=1e-12)


def test_strikes_that_never_come_change_nothing() -> None:
    """A class of rate 0 that would roll back to another tier makes no second tier of it."""
    strikes, tiers = [Strikes(0.01, 1, 4.0)], [Copies(10), Copies(50)]
    alone = rollback_goodput(strikes, tiers, 3.0, bad=0.1)
    assert alone is not None
    assert rollback_goodput([*strikes, Strikes(0.0, 0, 4.0)], tiers, 3.0, bad=0.1) == alone


def test_hours_until_the_second_failure_by_hand() -> None:
    """Within one window, cured with probability 0.3 each time: the integral of e^-lt (1 + 0.7 lt)."""
    ages = np.array([0.0, 20.0, 90.0])
    left = np.exp(-0.01 * ages)
    expected = ((1 - left) + 0.7 * (1 - left * (1 + 0.01 * ages))) / 0.01
    found = Stay(0.01, Retirement(2, 100.0), 0.3).hours(ages)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_hours_of_a_place_that_is_renewed_once_by_hand() -> None:
    """Retired at the first failure and replaced after 60 h: by 100 h there are at most two components.

    m(t) = (1 - e^-lt) / l is the mean life up to t. Of the second one, whose life can begin in the last 40 h only, it
    is m(40) - 40 e^-40l after a sound component; after a lemon, which fails 5 times as often, the integral of
    5l e^-5lx m(40 - x). A lemon fails 5l times its hours, a sound one l times.
    """
    rate, often, left = 0.02, 0.1, 40.0
    second = (1 - math.exp(-rate * left)) / rate - left * math.exp(-rate * left)
    after_lemon = 1 - math.exp(-often * left)
    after_lemon -= 1.25 * math.exp(-rate * left) * (1 - math.exp(-(often - rate) * left))
    sound, lemon = served(rate, 5.0, 0.0, Retirement(1, 1e6, 60.0), 100.0)
    hours = (1 - math.exp(-rate * 100)) / rate + second
    assert (sound.hours, sound.failures) == pytest.approx((hours, rate * hours), rel=1e-5)
    first, later = (1 - math.exp(-often * 100)) / often, after_lemon / rate
    assert (lemon.hours, lemon.failures) == pytest.approx((first + later, often * first + rate * later), rel=1e-5)
