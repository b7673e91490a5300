"""Lines that say what is wrong are built in one place."""

import pytest

from dcsim.problems import is_misspelt, located, not_one_of, unknown_key, wrong


def test_a_line_says_where_first():
    """Places stand from the outside in; what is empty leaves no colon."""
    assert located("a.toml:3", "jobs.train.gpus", wrong("x", "must be a whole number")) == (
        "a.toml:3: jobs.train.gpus: found 'x'; must be a whole number"
    )
    assert located("", "", "why") == "why"


def test_what_is_not_allowed_names_what_is_and_the_nearest():
    """Only names are suggested: neither what is allowed beside them, nor anything for what is no text."""
    assert not_one_of(["gold", "silver"], "glod") == "found 'glod'; allowed: gold, silver; did you mean \"gold\"?"
    assert not_one_of(["gold"], 7) == "found 7; allowed: gold"
    assert not_one_of(["gold"], "path", also=["or a path"]) == "found 'path'; allowed: gold, or a path"
    assert not_one_of(["gold"], None, "missing") == "missing; allowed: gold"
    assert not_one_of(["gold"], "glod", hint="") == "found 'glod'; allowed: gold"
    assert unknown_key("gpu", ["gpus", "name"]) == 'unknown key; allowed: gpus, name; did you mean "gpus"?'


@pytest.mark.parametrize(("unknown", "expected"), [(["gpu"], True), (["zzz"], False), ([], False)])
def test_a_misspelt_key_is_one_mistake(unknown, expected):
    """A key that is missing because another one beside it is misspelt has no line of its own."""
    assert is_misspelt("gpus", unknown) is expected
