"""What errors say about a value and about the nearest name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.recovery import STRATEGIES
from dcsim.topology import MAX_GPUS
from dcsim.units import DURATION, parse
from dcsim.wording import columns, did_you_mean, nearest, shown


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


@pytest.mark.parametrize(
    ("found", "near"),
    [
        ("checkpoint", ["checkpoint-restart"]),
        ("Checkpoint Restart", ["checkpoint-restart"]),
        ("checkpoint_restart", ["checkpoint-restart"]),
        ("restart", ["checkpoint-restart"]),
        ("cr", ["checkpoint-restart"]),
        ("async", ["async-checkpoint"]),
        ("asynccheckpoint", ["async-checkpoint"]),
        ("tier", ["tiered-checkpoint"]),
        ("ft", ["fault-tolerant"]),
        ("tolerant", ["fault-tolerant"]),
        ("elastic-training", ["elastic"]),
        ("ckpt", ["async-checkpoint", "checkpoint-restart", "checkpointless", "tiered-checkpoint"]),
        ("fault-tolernt", ["fault-tolerant"]),
        ("e", []),
        ("", []),
        ("-", []),
        ("migration", []),
    ],
)
def test_whole_words_go_before_changed_letters(found, near):
    """Words, beginnings, parts, short forms and initials of a name lead to it; all names that fit alike are given."""
    assert nearest(found, STRATEGIES) == near


def test_several_names_are_listed_and_many_are_counted():
    """Up to five names are written out, in their order."""
    names = [f"{folder}/gold" for folder in "abcdefg"]
    assert did_you_mean("gold", names[:2]) == '; did you mean "a/gold" or "b/gold"?'
    assert did_you_mean("gold", names[:6]).endswith('"d/gold", "e/gold" or one more?')
    assert did_you_mean("gold", names).endswith('"d/gold", "e/gold" or one of 2 more?')


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6))
def test_only_names_are_suggested(found, names):
    """Whatever is typed and whatever is allowed, what is offered is allowed."""
    assert set(nearest(found, names)) <= set(names)


def test_columns_hold_every_name_once():
    """Names of one folder stand together, and no line is longer than the width."""
    lines = columns(["a/x", "a/y", "b", "c/d/z", "a/" + "w" * 10], width=12)
    assert lines == ["  a/ x, y,", "    wwwwwwwwww", "   b", "  c/d/ z"]


def test_a_line_of_names_is_as_long_as_it_may_be_and_no_longer():
    """Twelve signs fit into twelve, and thirteen do not."""
    assert columns(["aaa", "bbbb"], width=12) == ["   aaa, bbbb"]
    assert columns(["aaa", "bbbbb"], width=12) == ["   aaa,", "    bbbbb"]


def test_a_huge_number_as_a_quantity_is_shown_short():
    """A whole number of more digits than Python writes gives the quantity's own error, not Python's."""
    with pytest.raises(ValueError, match="found a number of more than 60 digits; allowed: a duration"):
        parse(10**5_000, DURATION)


def test_the_largest_cluster_is_one_number():
    """The schema's limit of a cluster and of a gang is the largest topology that can be laid out."""
    from dcsim.scenario import json_schema

    tables = json_schema()["$defs"]
    assert {tables[name]["properties"]["gpus"]["maximum"] for name in ("Cluster", "Job")} == {MAX_GPUS}
