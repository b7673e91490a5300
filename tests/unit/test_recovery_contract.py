"""What every recovery strategy must answer, whatever its kind: the registry and one more kind are the cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.recovery import STRATEGIES, Recovery
from tests.unit.strategies import KINDS, strategy

every_kind = pytest.mark.parametrize("kind", sorted(KINDS))
intervals = st.integers(1, 50)
writes = st.integers(0, 30)
LONGEST = 36 * 720 * 3_600_000  # 36 months [ms]


def test_registry_is_not_empty():
    """The kinds of the first step are registered under their scenario names, each with its own model."""
    assert {"checkpoint-restart", "fault-tolerant"} <= set(STRATEGIES)
    assert len(set(STRATEGIES.values())) == len(STRATEGIES)


@every_kind
def test_kind_and_keys(kind):
    """A model is frozen, names its kind, takes the common keys, refuses unknown ones, and says which keys it uses."""
    chosen = strategy(kind)
    assert chosen.kind == kind
    assert set(Recovery.model_fields) <= set(type(chosen).model_fields)
    assert chosen.uses <= set(type(chosen).model_fields) - {"kind"}
    assert isinstance(chosen.rolls_back, bool)
    with pytest.raises(ValidationError, match="frozen"):
        chosen.failover = 1
    with pytest.raises(ValidationError, match="extra"):
        strategy(kind, unknown="1 s")


@every_kind
@given(intervals, writes, st.lists(st.integers(0, LONGEST), min_size=2, max_size=6))
def test_ints_and_arrays_agree(kind, every, write, runs):
    """Python ints give Python ints, int64 arrays of any shape give int64 arrays of it, with the same numbers."""
    chosen = strategy(kind, every, write)
    arrays = chosen.settle(np.array([runs, runs], dtype=np.int64))
    one_by_one = [chosen.settle(run) for run in runs]
    assert all(type(part) is int for parts in one_by_one for part in parts)
    for array, parts in zip(arrays, zip(*one_by_one, strict=True), strict=True):
        assert array.dtype == np.int64
        np.testing.assert_array_equal(array, [parts, parts])


@every_kind
@given(intervals, writes, st.integers(0, LONGEST), st.integers(0, 1000))
def test_parts_of_a_stretch(kind, every, write, run, longer):
    """Saved, checkpoint and unsaved sum to the stretch, none negative; as it grows, what is saved or done stays so."""
    chosen = strategy(kind, every, write)
    saved, checkpoint, unsaved = chosen.settle(run)
    assert min(saved, checkpoint, unsaved) >= 0
    assert saved + checkpoint + unsaved == run
    assert chosen.rolls_back or unsaved == 0  # without rollback nothing is at risk
    later = chosen.settle(run + longer)
    assert later[0] >= saved
    assert later[1] >= checkpoint
    assert later[0] + later[2] >= saved + unsaved


@every_kind
def test_phases(kind):
    """What follows a strike and what a start goes through is a failover and a restore each, in whole ms."""
    chosen = strategy(kind)
    for failover, restore in (chosen.phases, chosen.start_phases):
        assert type(failover) is type(restore) is int
        assert min(failover, restore) >= 0


@every_kind
@given(st.integers(0, 49), st.integers(0, 49))
def test_useful_share(kind, network, memory):
    """The useful share is what both overheads leave, in whole parts per billion."""
    chosen = strategy(kind, network_overhead=f"{network} %", memory_overhead=f"{memory} %")
    assert type(chosen.useful_ppb) is int
    assert chosen.useful_ppb == (100 - network - memory) * 10**7
