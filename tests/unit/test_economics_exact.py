"""Prices of a useful hour at values by hand."""

import pytest

from dcsim.economics import LINES, Bill


def test_three_prices_of_a_useful_hour_by_hand() -> None:
    """One GPU at 2 USD for 720 h, of which 540 are useful; lost work 360 USD; 60 USD of network."""
    lines = dict.fromkeys((line.name for line in LINES), 0.0) | {"gpu": 1440.0, "goodput": 360.0, "network": 60.0}
    prices = Bill(1.0, 0.25, lines, 720.0, 540.0).usd_per_useful_gpu_hour
    assert prices == pytest.approx({"deck": 2.5, "physical": 1440 / 540, "all_in": 1500 / 540}, rel=1e-12)
