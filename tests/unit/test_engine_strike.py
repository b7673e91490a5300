"""One gang, hand-chosen strikes, every account as arithmetic: strike, stall, stretch, horizon and ties."""

import pytest

from tests.unit.literal import expect, hazard, job, scenario

# Unless a test says else: a gang of 4 that is identified after 2 ms, fails over in 3, restores in 4, checkpoints
# after each 10 ms of computing at no cost, and runs for 100 ms; a repair takes 10 ms; the last number of a strike.


@pytest.mark.parametrize(
    ("kind", "every", "write", "books"),
    [
        ("checkpoint-restart", 10, 0, {"useful": 4 * 100}),
        ("checkpoint-restart", 10, 1, {"useful": 4 * (9 * 10 + 1), "checkpoint": 4 * 9}),
        ("checkpoint-restart", 10, 15, {"useful": 4 * 4 * 10, "checkpoint": 4 * 4 * 15}),
        ("checkpoint-restart", 98, 5, {"useful": 4 * 98, "checkpoint": 4 * 2}),
        ("fault-tolerant", 10, 0, {"useful": 4 * 100}),
        ("fault-tolerant", 10, 1, {"useful": 4 * (9 * 10 + 1), "checkpoint": 4 * 9}),
    ],
)
def test_undisturbed(kind, every, write, books):
    """Without failures a gang computes and writes; what the horizon cuts counts as useful."""
    gang = job("a", 4, kind=kind, checkpoint_every=every, checkpoint_write=write)
    expect(scenario(4, gang), [[]], {"a": books}, {}, 0)


def test_strike_in_run():
    """A strike costs the unsaved work, detection, failover and restore; the spare that steps in is back after 10 ms."""
    expect(
        scenario(5, job("a", 4), spares=1),
        [[(25, 0, 10)]],
        {
            "a": {
                "useful": 4 * (20 + (100 - 34)),
                "lost": 4 * 5,
                "detect": 4 * 2,
                "failover": 4 * 3,
                "restore": 4 * 4,
                "repair": 10,
            },
            "spares": {"spare": 27 + (100 - 37)},
        },
        {"a": 1},
        1,
    )


def test_strike_without_rollback():
    """A fault-tolerant gang loses nothing and has nothing to restore: detection and failover only."""
    expect(
        scenario(5, job("a", 4, kind="fault-tolerant"), spares=1),
        [[(25, 0, 10)]],
        {
            "a": {"useful": 4 * (25 + (100 - 30)), "detect": 4 * 2, "failover": 4 * 3, "repair": 10},
            "spares": {"spare": 27 + (100 - 37)},
        },
    )


@pytest.mark.parametrize(
    ("at", "again", "resumed", "detect", "failover", "restore", "second_out"),
    [
        ("detect", 26, 28 + 7, 4 * 2 + 3 * 1, 4 * 3, 4 * 4, 28),  # at 27 the first struck GPU leaves for repair
        ("failover", 28, 30 + 7, 4 * 2 + 4 * 2, 4 * (1 + 3), 4 * 4, 30),
        ("restore", 32, 34 + 7, 4 * 2 + 4 * 2, 4 * (3 + 3), 4 * (2 + 4), 34),
    ],
)
def test_strike_in_stall(at, again, resumed, detect, failover, restore, second_out):
    """A strike in detect, failover or restore starts all anew, detection included; what was used up stays booked."""
    first_back, second_back = 37, second_out + 10
    taken = [28, 28] if at == "detect" else [27, second_out]
    expect(
        scenario(6, job("a", 4), spares=2),
        [[(25, 0, 10), (again, 0, 10)]],
        {
            "a": {
                "useful": 4 * (20 + 100 - resumed),
                "lost": 4 * 5,
                "detect": detect,
                "failover": failover,
                "restore": restore,
                "repair": 10 + 10,
            },
            "spares": {"spare": sum(taken) + (100 - first_back) + (100 - second_back)},
        },
        {"a": 2},
        2,
    )


def test_strike_in_wait():
    """A strike in wait hangs the gang again; it keeps what it has, takes what comes back, and runs only when whole."""
    expect(
        scenario(4, job("a", 4)),
        [[(25, 0, 10), (30, 0, 10)]],
        {
            "a": {
                "useful": 4 * (20 + 100 - 49),
                "lost": 4 * 5,
                "detect": 4 * 2 + 3 * 2,
                "wait": 3 * (30 - 27) + 2 * (37 - 32) + 3 * (42 - 37),
                "failover": 4 * 3,
                "restore": 4 * 4,
                "repair": 10 + 10,
            }
        },
    )


@pytest.mark.parametrize(
    ("at", "saved", "checkpoint", "lost"),
    [
        (9, 0, 0, 9),
        (10, 0, 0, 10),  # the write has not begun
        (13, 0, 3, 10),  # cut: worth nothing
        (14, 10, 4, 0),  # ends at the instant of the strike: durable
        (15, 10, 4, 1),
        (27, 10, 4 + 3, 10),
        (28, 20, 8, 0),
    ],
)
def test_strike_around_a_write(at, saved, checkpoint, lost):
    """A write that ends at the strike is durable, one that is cut is worth nothing; its time stays booked."""
    expect(
        scenario(2, job("a", 1, checkpoint_write=4, failover=0, restore=0), hazards=[hazard(detect=100)], spares=1),
        [[(at, 0, 10)]],
        {
            "a": {"useful": saved, "checkpoint": checkpoint, "lost": lost, "detect": 100 - at},
            "spares": {"spare": 100},
        },
    )


def test_writes_without_rollback():
    """Without rollback all computing survives a strike; the part of a write that it cuts stays booked."""
    expect(
        scenario(1, job("a", 1, kind="fault-tolerant", checkpoint_write=4, failover=0), hazards=[hazard(detect=0)]),
        [[(13, 0, 0), (20, 0, 0)]],  # 10 computing + 3 writing; 7; then 10 + 4 five times and 10 more
        {"a": {"useful": 10 + 7 + 5 * 10 + 10, "checkpoint": 3 + 5 * 4}},
        {"a": 2},
        2,
    )


def test_interval_restarts_at_resume():
    """The checkpoint interval counts from the resume, not from the start of the run."""
    expect(
        scenario(1, job("a", 1), hazards=[hazard(detect=0)]),
        [[(25, 0, 0), (36, 0, 0)]],  # resumes at 32: 4 ms later nothing of the second stretch is saved
        {"a": {"useful": 20 + (100 - 43), "lost": 5 + 4, "failover": 6, "restore": 8}},
    )


def test_latest_identification_counts():
    """Of two detections the gang waits for the later; each struck group leaves at its own."""
    slow, fast = hazard("slow", detect=20), hazard("fast", detect=2)
    expect(
        scenario(6, job("a", 4, failover=0, restore=0), hazards=[slow, fast], spares=2),
        [[(20, 0, 10)], [(23, 0, 10)]],
        {
            "a": {"useful": 4 * (20 + 100 - 40), "detect": 4 * (25 - 20) + 3 * (40 - 25), "repair": 10 + 10},
            "spares": {"spare": 2 * 40 + 1 * 10 + 2 * 50},
            "rest": {"idle": 40 - 35},
        },
    )


def test_zero_lengths():
    """With no detection, repair, failover and restore a strike costs the unsaved work and no time."""
    expect(
        scenario(2, job("a", 2, failover=0, restore=0), hazards=[hazard(detect=0)]),
        [[(25, 0, 0), (25, 1, 0), (31, 0, 0)]],
        {"a": {"useful": 2 * (20 + 0 + 0 + 69), "lost": 2 * (5 + 0 + 6)}},
        {"a": 3},
        3,
    )


def test_strike_at_zero():
    """Jobs of t = 0 run from the start, so a strike at t = 0 finds a stretch of no length."""
    expect(
        scenario(1, job("a", 1), hazards=[hazard(detect=0)]),
        [[(0, 0, 0)]],
        {"a": {"useful": 93, "failover": 3, "restore": 4}},
    )


def test_repair_ends_before_strike():
    """A GPU that comes back in the millisecond of a strike can be struck; the gang is whole again before."""
    expect(
        scenario(1, job("a", 1)),
        [[(20, 0, 10), (32, 0, 10)]],  # back, served and in failover at 32, then struck
        {
            "a": {
                "useful": 20 + (100 - 51),
                "detect": 2 + 2,
                "repair": 10 + 10,
                "failover": 3,
                "restore": 4,
            }
        },
        {"a": 2},
    )


@pytest.mark.parametrize(("phase", "again", "failover", "restore"), [("failover", 25, 3, 0), ("restore", 29, 3, 4)])
def test_phase_ends_before_strike(phase, again, failover, restore):
    """A phase that ends in the millisecond of a strike is complete; the strike finds the next one at length 0."""
    expect(
        scenario(1, job("a", 1), hazards=[hazard(detect=0)]),
        [[(22, 0, 0), (again, 0, 0)]],
        {"a": {"useful": 20 + (100 - again - 7), "lost": 2, "failover": failover + 3, "restore": restore + 4}},
    )


def test_identification_before_strike():
    """An identification in the millisecond of a strike comes first: the gang is served, then hangs again."""
    expect(
        scenario(3, job("a", 1), spares=2),
        [[(20, 0, 30), (22, 0, 30)]],
        {
            "a": {"useful": 20 + (100 - 31), "detect": 2 + 2, "failover": 3, "restore": 4, "repair": 30 + 30},
            "spares": {"spare": 22 + 24 + (100 - 52) + (100 - 54)},
        },
    )


def test_half_open_horizon():
    """What is due at the horizon does not happen: the struck GPU is still in detection at the end."""
    expect(
        scenario(2, job("a", 1), spares=1),
        [[(98, 0, 10)]],
        {"a": {"useful": 90, "lost": 8, "detect": 2}, "spares": {"spare": 100}},
    )
    expect(
        scenario(2, job("a", 1), spares=1),
        [[(97, 0, 10)]],
        {"a": {"useful": 90, "lost": 7, "detect": 2, "failover": 1, "repair": 1}, "spares": {"spare": 99}},
    )


def test_overhead_is_split_once_per_gang():
    """Useful is the floor of what survives less the overheads, over the gang's whole run; lost work has no overhead."""
    expect(
        scenario(
            2,
            job("a", 1, count=2, failover=0, restore=0, network_overhead="20 %", memory_overhead="10 %"),
            hazards=[hazard(detect=0)],
            horizon=18,
        ),
        [[(12, 0, 0)]],  # one gang keeps 10 + 6 = 16 of its 18 ms, the other all 18
        {"a": {"useful": 16 * 7 // 10 + 18 * 7 // 10, "overhead": 5 + 6, "lost": 2}},
    )
