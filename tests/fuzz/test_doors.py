"""Whatever comes in by whatever door is let in or refused in lines for the user: no traceback, no hang."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.doors import DOORS
from tests.fuzz.judge import altered, changed, judged

BOUNDED = 120
"""Inputs a door in every test run; `scripts/test --exhaustive` tries more, `scripts/fuzz` any number."""

numbers = st.integers(0, 2**20)
ops = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=6)


@pytest.mark.parametrize("door", DOORS)
def test_saved_inputs(tmp_path, door):
    """Sound inputs, and those that once led to a traceback or a hang, are let in or refused in lines."""
    found = [judged(door, content, tmp_path) for content in DOORS[door].inputs()]
    assert [told for what, told in found if what not in ("accepted", "refused")] == []


def test_an_empty_file_has_no_value_to_change() -> None:
    """What scripts/fuzz --guided comes to: operations on values leave it as it is."""
    assert altered("scenario", b"", True, [(0, 0, 0), (5, 1, 2)]) == b""


def test_lists_that_are_repeated_again_and_again_stay_small() -> None:
    """Four times 39 times would be more than two million values."""
    assert len(altered("scenario", b"a = [1]", True, [(7, 0, 39)] * 4)) < 50_000


def tried(door, scratch, which, by_value, ops):
    """Judge one changed input."""
    what, told = judged(door, changed(door, which, by_value, ops), scratch)
    assert what in ("accepted", "refused"), told


@pytest.mark.parametrize("door", DOORS)
def test_changed_inputs(tmp_path, door):
    """A few changed inputs of each door, the same in every run."""

    @settings(max_examples=BOUNDED, derandomize=True, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(numbers, st.booleans(), ops)
    def every(which, by_value, ops):
        tried(door, tmp_path, which, by_value, ops)

    every()


@pytest.mark.exhaustive
@pytest.mark.parametrize("door", DOORS)
def test_many_changed_inputs(tmp_path, door):
    """Many changed inputs of each door, other ones in every run."""

    many = 5000 if DOORS[door].share > 0.01 else 1000

    @settings(max_examples=many, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(numbers, st.booleans(), ops)
    def every(which, by_value, ops):
        tried(door, tmp_path, which, by_value, ops)

    every()
