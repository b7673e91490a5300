"""What every recovery strategy must answer, whatever its kind: the registry and one more kind are the cases."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.recovery import STRATEGIES, Recovery
from tests.unit.strategies import KINDS, Stretch, any_strategy, strategy

every_kind = pytest.mark.parametrize("kind", sorted(KINDS))
few = settings(max_examples=30, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
LONGEST = 36 * 720 * 3_600_000  # 36 months [ms]
runs = st.integers(0, 2_000) | st.integers(0, LONGEST)


def test_registry_is_not_empty():
    """Every kind is registered under its scenario name, each with its own model."""
    assert len(STRATEGIES) >= 7
    assert len(set(STRATEGIES.values())) == len(STRATEGIES)


@every_kind
def test_kind_and_keys(kind):
    """A model is frozen, names its kind, takes the common keys, refuses unknown ones, and says which keys it uses."""
    chosen = strategy(kind)
    assert chosen.kind == kind
    assert set(Recovery.model_fields) <= set(type(chosen).model_fields)
    assert chosen.uses <= set(type(chosen).model_fields) - {"kind"}
    assert isinstance(chosen.rolls_back, bool)
    assert all(field.description for field in type(chosen).model_fields.values()) or kind not in STRATEGIES
    with pytest.raises(ValidationError, match="frozen"):
        chosen.failover = 1
    with pytest.raises(ValidationError, match="extra"):
        strategy(kind, unknown="1 s")


@every_kind
@given(data=st.data())
@few
def test_ints_and_arrays_agree(kind, data):
    """Python ints give Python ints, int64 arrays of any shape give int64 arrays of it, with the same numbers."""
    chosen = data.draw(any_strategy(kind))
    many = data.draw(st.lists(runs, min_size=2, max_size=6))
    array = np.array([many, many], dtype=np.int64)

    def same(answer, *scalars):
        alike = answer(array)
        ones = [answer(run, *scalars) for run in many]
        if not isinstance(alike, tuple):
            alike, ones = (alike,), [(one,) for one in ones]
        for whole, parts in zip(alike, zip(*ones, strict=True), strict=True):
            assert whole.dtype == np.int64
            assert all(type(part) is int for part in parts)
            np.testing.assert_array_equal(whole, [parts, parts])

    same(lambda up: chosen.legal(up, 48))
    same(lambda level: chosen.restore_ms(level % (len(chosen.tiers) + 1) - 1, 4096))
    uncovered = [run % 2 == 1 for run in many]
    levels = chosen.level(array, np.array([uncovered, uncovered]))
    ones = [chosen.level(run, flag) for run, flag in zip(many, uncovered, strict=True)]
    assert levels.dtype == np.int64
    assert all(type(one) is int for one in ones)
    np.testing.assert_array_equal(levels, [ones, ones])
    np.testing.assert_array_equal(chosen.level(array, True), [[chosen.level(run, True) for run in many]] * 2)


@every_kind
@given(data=st.data(), run=runs, longer=st.integers(0, 1000))
@few
def test_parts_of_a_stretch(kind, data, run, longer):
    """Saved, checkpoint and unsaved sum to the stretch; copies hold at most what was computed, and later no less."""
    chosen = data.draw(any_strategy(kind))
    stretch = Stretch(chosen)
    saved, checkpoint, unsaved = stretch.settle(run)
    assert min(saved, checkpoint, unsaved) >= 0
    assert saved + checkpoint + unsaved == run
    assert checkpoint == stretch.blocked(run)
    durable, later = stretch.durable(run), stretch.durable(run + longer)
    assert len(durable) == len(chosen.tiers)
    assert saved == max(durable, default=0)
    assert all(0 <= before <= after for before, after in zip(durable, later, strict=True))
    assert all(copy % tier.every == 0 for copy, tier in zip(durable, chosen.tiers, strict=True))
    grown = stretch.settle(run + longer)
    assert grown[1] >= checkpoint
    assert grown[0] + grown[2] >= saved + unsaved


@every_kind
@given(data=st.data(), work=runs)
@few
def test_wall_is_the_inverse_of_computing(kind, data, work):
    """In ``wall(work)`` ms exactly ``work`` ms are computed, and a millisecond earlier one less."""
    stretch = Stretch(data.draw(any_strategy(kind)))
    wall = stretch.wall(work)
    assert wall - stretch.blocked(wall) == work
    if work:
        assert wall - 1 - stretch.blocked(wall - 1) == work - 1
    else:
        assert wall == 0


@every_kind
@given(data=st.data(), struck=st.integers(0, 5000), more=st.integers(0, 50), uncovered=st.booleans())
@few
def test_levels(kind, data, struck, more, uncovered):
    """A level is a tier or -1, never -1 for a kind that rolls back; more struck or no cover never makes it faster."""
    chosen = data.draw(any_strategy(kind))
    uncovered = uncovered and chosen.coverage < 1
    level = chosen.level(struck, uncovered)
    assert -1 <= level < max(len(chosen.tiers), 1)
    assert level >= 0 or not chosen.rolls_back
    assert level < 0 or chosen.tiers
    assert chosen.level(struck + more, uncovered) >= level
    assert chosen.level(struck, True) >= chosen.level(struck, False)
    if not chosen.may_roll_back:
        assert level == -1


@every_kind
@given(data=st.data(), up=st.integers(0, 60), gpus=st.integers(1, 48))
@few
def test_legal_shapes(kind, data, up, gpus):
    """A gang runs with at most what is up and at most all of it; with all if its keys fit its size."""
    chosen = data.draw(any_strategy(kind))
    assume(not list(chosen.problems(gpus)))
    legal = chosen.legal(min(up, gpus), gpus)
    assert 0 <= legal <= min(up, gpus)
    assert chosen.legal(gpus, gpus) == gpus
    assert chosen.legal(min(up + 1, gpus), gpus) >= legal


@every_kind
@given(data=st.data(), doublings=st.integers(0, 4))
@few
def test_stalls(kind, data, doublings):
    """Failover, rejoin, step and restores are whole ms; a restore grows by the same for each doubling of the gang."""
    chosen = data.draw(any_strategy(kind))
    base = chosen.restore_gpus
    for stall in (chosen.failover, chosen.rejoin_ms, chosen.step, chosen.start_ms(base)):
        assert type(stall) is int
        assert stall >= 0
    grows = doublings * chosen.restore_per_doubling
    assert chosen.start_ms(base << doublings) - chosen.start_ms(base) == grows
    assert chosen.start_ms(1) == chosen.start_ms(base)
    for level, tier in enumerate(chosen.tiers):
        assert chosen.restore_ms(level, base) == tier.restore
        assert chosen.restore_ms(level, base << doublings) - tier.restore == grows
    always = chosen.start_ms(base) if chosen.restores_always else 0
    assert chosen.restore_ms(-1, base) == always


@every_kind
def test_a_copy_forgets_what_was_derived(kind):
    """Changing a key in a copy changes its timetable, and equal keys are equal whatever was asked of them."""
    chosen = strategy(kind, every=10, write=4)
    before, tiers = Stretch(chosen).settle(1000), chosen.tiers
    assert chosen == strategy(kind, every=10, write=4)
    own_tiers = "tiers" in KINDS[kind].model_fields
    longer = tuple(tier.model_copy(update={"every": 30}) for tier in tiers)
    copied = chosen.model_copy(update={"tiers": longer} if own_tiers else {"checkpoint_every": 30})
    fresh = KINDS[kind].model_validate(copied.model_dump(mode="json", exclude_none=True))
    assert copied.tiers == fresh.tiers
    assert Stretch(copied).settle(1000) == Stretch(fresh).settle(1000)
    assert (copied.tiers == tiers) == (not tiers)
    assert Stretch(chosen).settle(1000) == before


@every_kind
@given(st.integers(0, 49), st.integers(0, 49))
def test_useful_share(kind, network, memory):
    """The useful share is what both overheads leave, in whole parts per billion."""
    chosen = strategy(kind, network_overhead=f"{network} %", memory_overhead=f"{memory} %")
    assert type(chosen.useful_ppb) is int
    assert chosen.useful_ppb == (100 - network - memory) * 10**7
