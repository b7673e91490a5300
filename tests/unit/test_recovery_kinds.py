"""What the shipped recovery strategies do, each by itself."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dcsim.recovery import STRATEGIES, AnyRecovery, Tier
from dcsim.recovery.presets import presets
from tests.unit.strategies import Stretch, strategy, text

with_writes = pytest.mark.parametrize(
    "kind", ["async-checkpoint", "checkpoint-restart", "checkpointless", "elastic", "fault-tolerant"]
)
intervals = st.integers(1, 50)


def walked(tiers, until):
    """Walk through a stretch millisecond by millisecond; return (in writes, safe in each tier, computed) at each."""
    found, computed, blocked, writing = [], 0, 0, []
    ended = [[] for _ in tiers]
    for now in range(until + 1):
        while writing and writing[0][1] == 0:
            ended[writing.pop(0)[0]].append((now, computed))
        safe = [
            max((held for end, held in copies if now - end >= tier.drain), default=0)
            for tier, copies in zip(tiers, ended, strict=True)
        ]
        found.append((blocked, tuple(safe), computed))
        if writing:
            writing[0][1] -= 1
            blocked += 1
        else:
            computed += 1
            writing = [[index, tier.write] for index, tier in enumerate(tiers) if computed % tier.every == 0]
    return found


@st.composite
def some_tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    """Up to four tiers, each interval a multiple of the one before; writes longer than intervals among them."""
    every, tiers, count = draw(st.integers(1, 6)), [], draw(st.integers(1, 4))
    for number in range(count):
        drain, write = draw(st.integers(0, every)), draw(st.sampled_from([0, 0, 1, 3, 20]))
        tiers.append(Tier(every=text(every), write=text(write), drain=text(drain), restore="0 s"))
        tiers[-1] = tiers[-1].model_copy(update={"survives": number if number + 1 < count else None})
        every *= draw(st.integers(1, 4))
    return tuple(tiers)


@given(some_tiers())
@example((Tier(every="0.010 s", write="0.004 s", restore="0 s"),))
@example((Tier(every="0.010 s", restore="0 s"),))
def test_timetable_walked_by_the_millisecond(tiers):
    """Any number of tiers: what is blocked, safe and computed in one step equals a walk through every millisecond."""
    timetable = Stretch(strategy("tiered-checkpoint", tiers=tiers))
    for run, (blocked, safe, computed) in enumerate(walked(tiers, 300)):
        assert timetable.blocked(run) == blocked
        assert timetable.durable(run) == safe
        assert timetable.settle(run) == (max(safe), blocked, computed - max(safe))


@with_writes
@given(intervals, st.integers(1, 30), st.integers(0, 1000))
def test_last_millisecond_of_a_write(kind, every, write, earlier):
    """A write that ends at the strike makes its interval durable; one that is cut a millisecond before does not."""
    chosen = strategy(kind, every, write, **({"checkpoint_drain": "0 s"} if kind == "async-checkpoint" else {}))
    begun = earlier * (every + write)
    assert Stretch(chosen).settle(begun + every + write) == ((earlier + 1) * every, (earlier + 1) * write, 0)
    saved, checkpoint, unsaved = Stretch(chosen).settle(begun + every + write - 1)
    assert checkpoint == (earlier + 1) * write - 1
    assert (saved, unsaved) == (earlier * every, every)


def test_a_copy_that_still_drains_does_not_count():
    """Every 10 ms a write of 4 ms, safe 6 ms later: at 14 ms it is written, at 20 ms it counts, 10 + 6 ms computed."""
    chosen = strategy("async-checkpoint", 10, 4, checkpoint_drain="0.006 s")
    assert Stretch(chosen).settle(14) == (0, 4, 10)
    assert Stretch(chosen).settle(19) == (0, 4, 15)
    assert Stretch(chosen).settle(20) == (10, 4, 6)


def test_the_first_tier_that_survives():
    """Peers survive 8 struck GPUs, local disks 64, storage anything; the storage is written after the others."""
    tiers = [
        {"name": "peer", "every": "0.010 s", "write": "0.001 s", "restore": "0.002 s", "survives": 8},
        {"name": "disk", "every": "0.010 s", "write": "0.003 s", "restore": "0.020 s", "survives": 64},
        {"name": "storage", "every": "0.020 s", "write": "0.005 s", "restore": "0.200 s"},
    ]
    chosen = strategy("tiered-checkpoint", tiers=tiers)
    assert [chosen.level(struck, False) for struck in (0, 8, 9, 64, 65, 4096)] == [0, 0, 1, 1, 2, 2]
    assert [chosen.restore_ms(level, 64) for level in (-1, 0, 1, 2)] == [0, 2, 20, 200]
    assert chosen.start_ms(64) == 200
    assert Stretch(chosen).durable(11) == (10, 0, 0)
    assert Stretch(chosen).durable(14) == (10, 10, 0)
    assert Stretch(chosen).durable(14 + 10 + 1 + 3 + 5) == (20, 20, 20)
    assert Stretch(chosen).wall(21) == 20 + 2 * 1 + 2 * 3 + 5 + 1
    assert "checkpoint_every" not in chosen.uses


@pytest.mark.parametrize("kind", ["fault-tolerant", "checkpointless", "elastic"])
def test_what_is_covered_is_kept(kind):
    """Nothing is rolled back but what is not covered; without full coverage a restore and bad checkpoints matter."""
    always, mostly = strategy(kind), strategy(kind, coverage="90 %")
    assert [always.level(64, False), mostly.level(64, True)] == [-1, 0]
    assert (always.may_roll_back, mostly.may_roll_back) == (False, True)
    assert mostly.uses - always.uses == {
        *("restore", "restore_success", "restore_per_doubling", "restore_gpus", "bad_checkpoint")
    }


def test_checkpointless_needs_a_healthy_replica():
    """With at most 8 struck GPUs survived, the ninth rolls back."""
    chosen = strategy("checkpointless", survives=8)
    assert [chosen.level(8, False), chosen.level(9, False), chosen.level(0, True)] == [-1, 0, 0]
    assert chosen.may_roll_back


def test_legal_shapes():
    """Groups of 8 GPUs: any number of them, or only the listed shapes 1, 2 and 4."""
    free, listed = strategy("elastic", group=8), strategy("elastic", group=8, shapes=[4, 1, 2])
    assert [free.legal(up, 32) for up in (0, 7, 8, 31, 32)] == [0, 0, 8, 24, 32]
    assert [listed.legal(up, 32) for up in (0, 7, 8, 31, 32)] == [0, 0, 8, 16, 32]
    assert (free.rejoin_ms, strategy("elastic", group=8, rejoin="1 s").rejoin_ms) == (3, 1000)
    assert list(free.problems(32)) == list(listed.problems(32)) == []
    assert dict(free.problems(36)) == {("group",): "found 8; must divide the job's gpus = 36"}
    assert dict(listed.problems(40)) == {("shapes",): "found 4 groups at most; the largest must be the whole gang, 5"}


def test_stateless_gangs_start_again():
    """No checkpoint is written or read; every strike costs a start, which may fail and grows with the gang."""
    chosen = strategy("stateless", restore_per_doubling="1 s", restore_gpus=8)
    assert chosen.tiers == ()
    assert Stretch(chosen).settle(100) == (0, 0, 100)
    assert (chosen.level(4096, True), chosen.restores_always) == (-1, True)
    assert chosen.restore_ms(-1, 64) == chosen.start_ms(64) == 5 + 3 * 1000
    assert {"checkpoint_every", "coverage", "bad_checkpoint"}.isdisjoint(chosen.uses)
    assert "restore" in chosen.uses


def test_a_restore_grows_with_the_gang():
    """103 s more per doubling from 2,048 GPUs: ByteRobust's 454 s become 763 s at 16,384 GPUs (published: 768 s)."""
    requeue = strategy("checkpoint-restart", restore="454 s", restore_per_doubling="103 s")
    assert requeue.start_ms(1024) == requeue.start_ms(2048) == 454_000
    assert requeue.start_ms(16_384) == 454_000 + 3 * 103_000
    assert requeue.restore_ms(0, 3000) == 454_000 + round(103_000 * math.log2(3000 / 2048))


PEER = {"every": "5 min", "restore": "1 min", "survives": 8}


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        ({"kind": "fault-tolerant", "coverage": "90 %"}, "checkpoint_every", "missing; required (what is not covered "),
        ({"kind": "checkpointless", "survives": 8}, "checkpoint_every", "missing; required (what is not covered "),
        (
            {"kind": "checkpoint-restart", "checkpoint_every": "young"},
            "checkpoint_write",
            'required ("young" needs it',
        ),
        ({"kind": "fault-tolerant", "checkpoint_every": "yuong"}, "checkpoint_every", 'did you mean "young"?'),
        ({"kind": "fault-tolerant", "checkpoint_every": "5"}, "checkpoint_every", "the unit is missing"),
        ({"kind": "fault-tolerant", "coverage": "101 %"}, "coverage", "must be at most 100 %"),
        (
            {"kind": "async-checkpoint", "checkpoint_every": "5 min", "checkpoint_drain": "6 min"},
            "checkpoint_drain",
            "found checkpoint_drain = 6 min; must be at most checkpoint_every = 5 min",
        ),
        ({"kind": "elastic", "group": 8, "shapes": [1, 0]}, "shapes.1", "found 0; must be at least 1"),
        ({"kind": "tiered-checkpoint", "tiers": [PEER]}, "tiers.0.survives", "the last tier survives all"),
        (
            {"kind": "tiered-checkpoint", "tiers": [PEER, {"every": "12 min", "restore": "1 h"}]},
            "tiers.1.every",
            "must be a multiple of tiers.0.every",
        ),
        (
            {"kind": "tiered-checkpoint", "tiers": [PEER, PEER | {"survives": 4}, {"every": "1 h", "restore": "1 h"}]},
            "tiers.1.survives",
            "found 4; must be at least tiers.0.survives = 8",
        ),
        (
            {
                "kind": "tiered-checkpoint",
                "tiers": [{"every": "5 min", "restore": "1 min"}, {"every": "1 h", "restore": "1 h"}],
            },
            "tiers.0.survives",
            "missing; required (only the last tier survives any strike)",
        ),
        (
            {"kind": "tiered-checkpoint", "tiers": [{"every": "5 min", "drain": "6 min", "restore": "1 min"}]},
            "tiers.0.drain",
            "must be at most every = 5 min",
        ),
        ({"preset": "torchpas"}, "preset", 'did you mean "torchpass"?'),
        ({"preset": 3}, "preset", "found 3; allowed: "),
        ({"preset": "torchft", "kind": "stateless"}, "kind", 'preset "torchft" is of kind "elastic"'),
    ],
)
def test_what_does_not_fit_is_one_line(table, path, text):
    """A mistake is one error with its path, what was found, and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnyRecovery).validate_python(table)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"] if not str(part).startswith("<")) == path
    assert text in error["msg"]


@pytest.mark.parametrize("name", presets())
def test_presets(name):
    """A preset is what its keys say; own keys go first; every value has a source."""
    preset, reads = presets()[name], TypeAdapter(AnyRecovery).validate_python
    required = {"group": 8} if preset.kind == "elastic" else {}
    plain = reads({"preset": name, **required})
    assert plain == reads({"kind": preset.kind, **preset.keys, **required})
    assert plain.kind == preset.kind
    assert reads({"preset": name, **required, "failover": "7 s"}).failover == 7000
    assert set(preset.sources) == set(preset.keys) <= set(STRATEGIES[preset.kind].model_fields)
    assert all(source.startswith(("deck", "primer", "public (", "assumed")) for source in preset.sources.values())
    assert preset.about
