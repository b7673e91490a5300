"""Closed forms at values by hand: signs and quotients that ranges and limits do not tell apart."""

import math

import pytest

from dcsim.closed_form import Copies, Strikes, ettr_kokolis, rollback_first_order, rollback_goodput


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
