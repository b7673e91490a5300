"""Figures and slices of reports at values by hand: ends of windows, digits and days."""

import numpy as np
import pytest

from dcsim.decide.log_analysis import HELD, Span
from dcsim.montecarlo.statistics import Summary
from dcsim.report.figures import brief
from dcsim.report.months import _panel
from dcsim.report.plant import _power
from dcsim.report.trace_events import Canvas
from dcsim.report.uncertainty import price
from dcsim.topology import TopologyDescription
from dcsim.topology.build import build
from dcsim.units import MS_PER_MONTH


def test_a_mark_at_the_end_of_a_window_is_outside() -> None:
    """A window of a trace holds its first millisecond, not the one after its last."""
    marks = [(at, at, "failure", {}) for at in (9, 10, 19, 20)]
    events = [each for each in Canvas((10, 20)).track(1, "failures", [], marks) if each["ph"] == "i"]
    assert [each["ts"] for each in events] == [10_000, 19_000]


def test_a_price_without_any_spread_has_no_error() -> None:
    """A half width of 0 stays 0 however the mean is rounded; a small one is rounded up."""
    same = Summary(4.2545, 0.0, (4.2545, 4.2545), 4.2545, 4.2545, 4.2545)
    assert str(price(same)) == "4.25 ± 0.00"


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(1 / 3, 4, "0.3333"), (2 / 3, 1, "0.7"), (1234.56, 6, "1,234.56")]
)
def test_brief_numbers_have_so_many_digits(value: float, digits: int, text: str) -> None:
    """Significant digits, and no zeros at the end."""
    assert str(brief(value, digits)) == text


def test_the_days_of_a_month_are_days() -> None:
    """The second month of 30 days in bins of 10: 0, 10, 20 and 30 on its axis."""
    gpus = {state: np.array([1.0, 2.0, 3.0]) for state in HELD}
    span = Span(0, 2, MS_PER_MONTH, 2 * MS_PER_MONTH, 0.05, gpus)
    _, edges, _ = _panel("Typical", span, HELD[1:2], [])
    assert edges == pytest.approx((0.0, 10.0, 20.0, 30.0))


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("0.8 kW", "N+1; with a feed lost 1 kW, 62 % of what is asked"),
        ("0.5 kW", "N+2; N+N holds with a feed lost: 1 kW"),
    ],
)
def test_what_is_left_of_a_racks_power_without_a_feed(node: str, says: str) -> None:
    """Three shelves of 1 kW on two feeds: without the first feed one is left, for two nodes."""
    described = {
        "name": "servers",
        "description": "",
        "node": {"gpus": 8, "power": node},
        "rack": {"nodes": 2},
        "nvlink": {"domain": "node"},
        "power": {"shelves": 3, "psu": "1 kW", "feeds": 2},
    }
    told = dict(_power(build(TopologyDescription.model_validate(described), 16)))
    assert says in told["rack power"]
