"""What errors say about a value and about the nearest name."""

import pytest

from dcsim.topology import MAX_GPUS
from dcsim.units import DURATION, parse
from dcsim.wording import did_you_mean, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1.5, "1.5"),
        ("a\nb", r"'a\nb'"),
        ({"a": 1}, "a table"),
        ([1], "a list"),
        (10**60, "1" + 56 * "0" + "..."),
        ("x" * 100, "'" + "x" * 56 + "..."),
        pytest.param(-(10**5_000), "a number of more than 60 digits", id="digits"),
    ],
)
def test_a_value_is_one_short_line(value, text):
    """Any value is shown on one line of at most 60 characters, truth values as TOML writes them."""
    assert shown(value) == text


def test_the_nearest_name():
    """The nearest name is offered as it is written, whatever the case, and none where none is near."""
    assert did_you_mean("gpu", ["mtbf", "gpus"]) == '; did you mean "gpus"?'
    assert did_you_mean("hgx", ["GB300", "HGX"]) == did_you_mean("HGX", ["HGX"]) == '; did you mean "HGX"?'
    assert did_you_mean("x", ["gb300-nvl72"]) == did_you_mean("x", []) == ""


def test_a_huge_number_as_a_quantity_is_shown_short():
    """A whole number of more digits than Python writes gives the quantity's own error, not Python's."""
    with pytest.raises(ValueError, match="found a number of more than 60 digits; allowed: a duration"):
        parse(10**5_000, DURATION)


def test_the_largest_cluster_is_one_number():
    """The schema's limit of a cluster and of a gang is the largest topology that can be laid out."""
    from dcsim.scenario import json_schema

    tables = json_schema()["$defs"]
    assert {tables[name]["properties"]["gpus"]["maximum"] for name in ("Cluster", "Job")} == {MAX_GPUS}
