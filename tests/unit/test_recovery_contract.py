"""What every recovery strategy must answer, whatever its kind: the registry is the list of cases."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.recovery import STRATEGIES, Recovery
from tests.property.scenarios import text

COMMON = frozenset(Recovery.model_fields)


def strategy(kind, every=10, write=4, **keys):
    """Return a strategy of a kind; ``every`` and ``write`` in ms."""
    times = {"failover": text(3), "restore": text(5), "checkpoint_every": text(every), "checkpoint_write": text(write)}
    return STRATEGIES[kind].model_validate({"kind": kind, **times, **keys})


def walked(chosen, run):
    """Settle a stretch millisecond by millisecond; return (computed and kept, in writes, computed and at risk)."""
    kept = writing = risk = 0
    since, left_of_write = 0, 0
    for _ in range(run):
        if left_of_write:
            writing, left_of_write = writing + 1, left_of_write - 1
        else:
            risk, since = risk + 1, since + 1
            if since == chosen.checkpoint_every:
                left_of_write = chosen.checkpoint_write if chosen.rolls_back or chosen.checkpoint_write else 0
        if since == chosen.checkpoint_every and not left_of_write:
            kept, risk, since = kept + risk, 0, 0
    return (kept, writing, risk) if chosen.rolls_back else (kept + risk, writing, 0)


every_kind = pytest.mark.parametrize("kind", sorted(STRATEGIES))
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
    assert set(chosen.uses) <= COMMON
    assert isinstance(chosen.rolls_back, bool)
    with pytest.raises(ValidationError, match="frozen"):
        chosen.failover = 1
    with pytest.raises(ValidationError, match="extra"):
        strategy(kind, unknown="1 s")


@every_kind
@given(intervals, writes, st.integers(0, 500))
@example(10, 4, 13)
@example(10, 4, 14)
@example(10, 0, 10)
def test_stretch_walked_by_the_millisecond(kind, every, write, run):
    """Settling a stretch in one step equals walking through it millisecond by millisecond."""
    chosen = strategy(kind, every, write)
    assert chosen.settle(run) == walked(chosen, run)


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
    """Saved, checkpoint and unsaved are never negative and sum to the stretch; without rollback nothing is unsaved.

    What is saved, what is written and what is computed at all never shrink as the stretch grows.
    """
    chosen = strategy(kind, every, write)
    saved, checkpoint, unsaved = chosen.settle(run)
    assert min(saved, checkpoint, unsaved) >= 0
    assert saved + checkpoint + unsaved == run
    assert chosen.rolls_back or unsaved == 0
    later = chosen.settle(run + longer)
    assert later[0] >= saved
    assert later[1] >= checkpoint
    assert later[0] + later[2] >= saved + unsaved


@every_kind
@given(intervals, st.integers(1, 30), st.integers(0, 1000))
def test_last_millisecond_of_a_write(kind, every, write, earlier):
    """A write that ends at the strike makes its interval durable; one that is cut a millisecond before does not."""
    chosen = strategy(kind, every, write)
    begun = earlier * (every + write)
    assert chosen.settle(begun + every + write) == ((earlier + 1) * every, (earlier + 1) * write, 0)
    saved, checkpoint, unsaved = chosen.settle(begun + every + write - 1)
    assert checkpoint == (earlier + 1) * write - 1
    assert (saved, unsaved) == ((earlier * every, every) if chosen.rolls_back else ((earlier + 1) * every, 0))


@every_kind
def test_phases(kind):
    """The stall of a whole gang is its failover and at most its restore; a first start is restore alone."""
    chosen = strategy(kind)
    failover, restore = chosen.phases
    assert failover == 3
    assert restore == (5 if chosen.rolls_back else 0)
    assert chosen.start_phases == (0, 5)


@every_kind
@given(st.integers(0, 49), st.integers(0, 49))
def test_useful_share(kind, network, memory):
    """The useful share is what both overheads leave, in whole parts per billion."""
    chosen = strategy(kind, network_overhead=f"{network} %", memory_overhead=f"{memory} %")
    assert type(chosen.useful_ppb) is int
    assert chosen.useful_ppb == (100 - network - memory) * 10**7
