"""The ledger's own law: what ``Accounts.verified`` lets through and what it refuses."""

import dataclasses

import numpy as np
import pytest

from dcsim.ledger import CAUSES, REST, SPARES, STATE, STATES, Accounts, LedgerError, Ledgers

CAPACITY = 8 * 100


def accounts(**changes):
    """Return a sound ledger of 8 GPUs over 100 ms, with changes."""
    gpu_ms = np.zeros((3, len(STATES)), dtype=np.int64)
    gpu_ms[0, [STATE["useful"], STATE["overhead"], STATE["repair"]]] = 500, 90, 10
    gpu_ms[1, STATE["spare"]] = 150
    gpu_ms[2, STATE["idle"]] = 50
    overhead = np.zeros((3, len(CAUSES)), dtype=np.int64)
    overhead[0, [CAUSES.index("strategy"), CAUSES.index("fabric")]] = 60, 30
    asked, none = np.array([600, 0, 0]), np.zeros(3, dtype=np.int64)
    sound = Accounts(7, ("job", SPARES, REST), gpu_ms, overhead, np.array([1, 0, 0]), 1, 2, asked, none, none - 1)
    return dataclasses.replace(sound, **changes)


def moved(owner, gains, loses, gpu_ms):
    """Return the sound ledger's states with some GPU-ms moved between two states of one owner."""
    changed = accounts().gpu_ms.copy()
    changed[owner, STATE[gains]] += gpu_ms
    if loses:
        changed[owner, STATE[loses]] -= gpu_ms
    return changed


def test_states_are_those_of_the_model():
    """The ledger has the model's 13 states, each once, and a column for each."""
    assert len(STATES) == len(set(STATES)) == 13
    assert [STATE[name] for name in STATES] == list(range(13))
    assert {"useful", "overhead", "lost", "repair", "spare", "idle"} <= set(STATES)


def test_sound_ledger_passes():
    """A ledger that sums to N * H is returned as it is, zeros and all."""
    sound = accounts()
    assert sound.verified(CAPACITY) is sound


@pytest.mark.parametrize("error", [-1, 1])
def test_imbalance_is_caught(error):
    """One GPU-ms too many or too few is an error that names the replication and both sums."""
    with pytest.raises(LedgerError, match=rf"replication 7: .* {CAPACITY + error} GPU-ms, not {CAPACITY}"):
        accounts(gpu_ms=moved(2, "idle", None, error)).verified(CAPACITY)


def test_negative_state_is_caught():
    """A negative state is an error even where the sum is right."""
    with pytest.raises(LedgerError, match="negative"):
        accounts(gpu_ms=moved(0, "useful", "lost", 1)).verified(CAPACITY)


def test_cause_mismatch_is_caught():
    """The causes of overhead must sum to overhead for each owner by itself, not only in total."""
    with pytest.raises(LedgerError, match="causes"):
        accounts(gpu_ms=moved(0, "useful", "overhead", 1)).verified(CAPACITY)
    with pytest.raises(LedgerError, match="causes"):
        accounts(overhead_gpu_ms=accounts().overhead_gpu_ms[[1, 0, 2]]).verified(CAPACITY)


def test_error_crosses_processes():
    """The error can be rebuilt from its arguments, as a process pool does."""
    error = LedgerError("replication 7: a state is negative")
    assert str(type(error)(*error.args)) == str(error)


def test_a_million_gpus_for_three_years_fit():
    """N * H of a million GPUs over 36 months of 720 h is below what int64 holds, and verifies."""
    capacity = 10**6 * 36 * 720 * 3_600_000
    gpu_ms = np.zeros((3, len(STATES)), dtype=np.int64)
    gpu_ms[0, STATE["useful"]] = capacity
    asked = np.array([capacity, 0, 0])
    large = accounts(gpu_ms=gpu_ms, overhead_gpu_ms=np.zeros((3, len(CAUSES)), dtype=np.int64), asked_gpu_ms=asked)
    assert int(large.verified(capacity).gpu_ms.sum()) == capacity


# --- many replications ------------------------------------------------------------------------------------------------


def test_ledgers_are_the_accounts_in_columns():
    """Accounts put together come back one by one, in the order of their numbers, in whatever order they came."""
    given = [dataclasses.replace(accounts(), replication=number, failures=10 * number) for number in (5, 1, 3)]
    ledgers = Ledgers.of(given)
    assert ledgers.replications.tolist() == [1, 3, 5]
    assert (ledgers.failures.tolist(), ledgers.drawn.tolist()) == ([10, 30, 50], [2, 2, 2])
    assert [ledgers.account(index).failures for index in range(len(ledgers))] == [10, 30, 50]
    one = ledgers.account(2)
    assert (one.replication, type(one.failures), one.owners) == (5, int, ("job", SPARES, REST))
    for name in ("gpu_ms", "overhead_gpu_ms", "strikes", "asked_gpu_ms", "finished", "last_finish_ms"):
        assert getattr(one, name).tolist() == getattr(accounts(), name).tolist()


def test_parts_of_ledgers_join_in_any_order():
    """Joining parts, interleaved or not, gives what was cut."""
    whole = Ledgers.of(dataclasses.replace(accounts(), replication=number, drawn=number) for number in range(9))
    odd = np.arange(9) % 2 == 1
    for parts in ([whole.chosen(slice(4, None)), whole.chosen(slice(4))], [whole.chosen(odd), whole.chosen(~odd)]):
        joined = Ledgers.joined(parts)
        assert joined.replications.tolist() == joined.drawn.tolist() == list(range(9))
        for one, other in zip(joined.columns(), whole.columns(), strict=True):
            assert np.array_equal(one, other)


def test_what_are_no_ledgers_is_refused():
    """No replications, one that comes twice or out of order, and those of two scenarios are no ledgers."""
    for nothing in (lambda: Ledgers.of([]), lambda: Ledgers.joined([])):
        with pytest.raises(ValueError, match="at least one"):
            nothing()
    one = Ledgers.of([accounts()])
    for again in (lambda: Ledgers.of([accounts(), accounts()]), lambda: Ledgers.joined([one, one])):
        with pytest.raises(ValueError, match="replication 7 comes twice"):
            again()
    foreign = accounts(owners=("other", SPARES, REST))
    for mixed in (lambda: Ledgers.of([accounts(), foreign]), lambda: Ledgers.joined([one, Ledgers.of([foreign])])):
        with pytest.raises(ValueError, match="owners differ"):
            mixed()


def test_ledgers_cannot_be_written_to():
    """What was verified stays as it was."""
    with pytest.raises(ValueError, match="read-only"):
        Ledgers.of([accounts()]).gpu_ms[0] = 1


def test_verified_ledgers_name_the_first_replication_that_is_wrong():
    """Of many replications the first that does not conserve is named, whichever law it breaks."""
    sound = [dataclasses.replace(accounts(), replication=number) for number in range(4)]
    assert (whole := Ledgers.of(sound)).verified(CAPACITY) is whole
    for broken, why in (
        ({"gpu_ms": moved(2, "idle", None, 1)}, rf"{CAPACITY + 1} GPU-ms, not {CAPACITY}"),
        ({"gpu_ms": moved(0, "useful", "lost", 1)}, "negative"),
        ({"overhead_gpu_ms": accounts().overhead_gpu_ms[[1, 0, 2]]}, "causes"),
        ({"asked_gpu_ms": np.array([499, 0, 0])}, "more useful time"),
    ):
        changed = [*sound[:2], *(dataclasses.replace(each, **broken) for each in sound[2:])]
        with pytest.raises(LedgerError, match=f"replication 2: .*{why}"):
            Ledgers.of(changed).verified(CAPACITY)
