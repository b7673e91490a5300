"""Dates of energisation by the name of what is waited for."""

import pytest

from dcsim.distributions import Uniform
from dcsim.power.keys import DATES
from dcsim.scenario import ScenarioError, read
from dcsim.units import MS_PER_H

WEEK, YEAR = 168, 8_760


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("interconnect-queue", 4 * YEAR, 7 * YEAR),  # deck
        ("transformer-medium", 115 * WEEK, 130 * WEEK),  # primer
        ("transformer-large", 120 * WEEK, 210 * WEEK),  # primer
    ],
)
def test_a_name_stands_for_its_published_range(name: str, low: int, high: int) -> None:
    """Queue 4 to 7 years (deck), transformers 115 to 130 and 120 to 210 weeks (primer)."""
    date = read("plant/energised-late", set=[f"energisation.0.date={name}"]).energisation[0].date
    assert isinstance(date, Uniform)
    assert (date.low / MS_PER_H, date.high / MS_PER_H) == (low, high)
    assert DATES[name].source.startswith(("deck", "primer"))


def test_a_wrong_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(ScenarioError, match='did you mean "transformer-large"') as error:
        read("plant/energised-late", set=["energisation.0.date=transformer-larg"])
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(("key", "name"), [("premium", "0.1 USD/kWh"), ("standby", "5 USD/kW/mo")])
def test_bridge_power_needs_an_owner_and_a_grid_that_is_waited_for(key: str, name: str) -> None:
    with pytest.raises(ScenarioError, match="found without \\[owner\\]"):
        read("plant/energised-late", set=[f"grid.{key}={name}"])
    with pytest.raises(ScenarioError, match="grid = true"):
        read("plant/bridge-none", set=[f"grid.{key}={name}"])
