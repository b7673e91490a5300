"""What the shipped recovery strategies do, each by itself."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.strategies import strategy

with_writes = pytest.mark.parametrize("kind", ["checkpoint-restart", "fault-tolerant"])
intervals = st.integers(1, 50)


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
                left_of_write = chosen.checkpoint_write
        if since == chosen.checkpoint_every and not left_of_write:
            kept, risk, since = kept + risk, 0, 0
    return (kept, writing, risk) if chosen.rolls_back else (kept + risk, writing, 0)


@with_writes
@given(intervals, st.integers(0, 30), st.integers(0, 500))
@example(10, 4, 13)
@example(10, 4, 14)
@example(10, 0, 10)
def test_stretch_walked_by_the_millisecond(kind, every, write, run):
    """Settling a stretch in one step equals walking through it millisecond by millisecond."""
    chosen = strategy(kind, every, write)
    assert chosen.settle(run) == walked(chosen, run)


@with_writes
@given(intervals, st.integers(1, 30), st.integers(0, 1000))
def test_last_millisecond_of_a_write(kind, every, write, earlier):
    """A write that ends at the strike makes its interval durable; one that is cut a millisecond before does not."""
    chosen = strategy(kind, every, write)
    begun = earlier * (every + write)
    assert chosen.settle(begun + every + write) == ((earlier + 1) * every, (earlier + 1) * write, 0)
    saved, checkpoint, unsaved = chosen.settle(begun + every + write - 1)
    assert checkpoint == (earlier + 1) * write - 1
    assert (saved, unsaved) == ((earlier * every, every) if chosen.rolls_back else ((earlier + 1) * every, 0))


@pytest.mark.parametrize(("kind", "restore"), [("checkpoint-restart", 5), ("fault-tolerant", 0)])
def test_a_strike_costs_failover_and_what_was_rolled_back_is_restored(kind, restore):
    """Both kinds go through failover, only the one that rolls back through restore; a start is restore alone."""
    assert strategy(kind).phases == (3, restore)
    assert strategy(kind).start_phases == (0, 5)
