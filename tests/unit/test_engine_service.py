"""Several gangs and too few GPUs: who is served, who is pre-empted, who waits; every account as arithmetic.

Gangs checkpoint after each 10 ms of computing at no cost. ``INSTANT`` ones stall only in detection and wait.
"""

import pytest

from tests.unit.literal import expect, hazard, job, scenario

INSTANT = {"failover": 0, "restore": 0}
AT_ONCE = hazard(detect=0)


def test_preemption():
    """A gang takes its deficit from a lower one at once; the loser rolls back, waits, fails over and restores."""
    expect(
        scenario(8, job("high", 4, priority=1), job("low", 4)),
        [[(25, 0, 10)]],
        {
            "high": {
                "useful": 4 * (20 + 100 - 34),
                "lost": 4 * 5,
                "detect": 4 * 2,
                "failover": 4 * 3,
                "restore": 4 * 4,
                "repair": 10,
            },
            "low": {
                "useful": 4 * (20 + 100 - 44),
                "lost": 4 * 7,
                "wait": 3 * (37 - 27),
                "failover": 4 * 3,
                "restore": 4 * 4,
            },
        },
        {"high": 1},
        1,
    )


def test_preemption_without_rollback():
    """A fault-tolerant loser keeps its work and only fails over."""
    expect(
        scenario(4, job("high", 2, priority=1, **INSTANT), job("low", 2, kind="fault-tolerant")),
        [[(25, 0, 10)]],
        {
            "high": {"useful": 2 * (20 + 100 - 27), "lost": 2 * 5, "detect": 2 * 2, "repair": 10},
            "low": {"useful": 2 * (27 + 100 - 40), "wait": 1 * 10, "failover": 2 * 3},
        },
    )


@pytest.mark.parametrize(("at", "failover", "restore", "lost"), [(22, 2, 0, 0), (25, 3, 2, 0), (30, 3, 4, 3)])
def test_loser_in_each_phase(at, failover, restore, lost):
    """A loser in failover or restore has nothing to lose but begins both anew; a running one rolls back."""
    # Struck at 20, low takes the spare: failover to 23, restore to 27. At ``at`` high takes that GPU, for 3 ms.
    expect(
        scenario(3, job("high", 1, priority=1, **INSTANT), job("low", 1), hazards=[AT_ONCE], spares=1),
        [[(20, 1, 80), (at, 0, 3)]],
        {
            "high": {"useful": 100 - at % 10, "lost": at % 10, "repair": 3},
            "low": {
                "useful": 20 + 100 - (at + 3 + 3 + 4),
                "lost": lost,
                "failover": failover + 3,
                "restore": restore + 4,
                "repair": 80,
            },
            "spares": {"spare": 20},
        },
    )


def test_equal_priority_never_preempts():
    """A gang waits for its repair rather than take from one of its own priority."""
    expect(
        scenario(4, job("a", 2), job("b", 2)),
        [[(25, 0, 10)]],
        {
            "a": {
                "useful": 2 * (20 + 100 - 44),
                "lost": 2 * 5,
                "detect": 2 * 2,
                "wait": 1 * 10,
                "failover": 2 * 3,
                "restore": 2 * 4,
                "repair": 10,
            },
            "b": {"useful": 2 * 100},
        },
    )


@pytest.mark.parametrize(("blast", "losers"), [(1, "z"), (2, "zy"), (3, "zyx")])
def test_order_of_losers(blast, losers):
    """The lowest priority loses first, of equals the last listed, and only as many as are missing."""
    small = [job("y", 1, **INSTANT), job("z", 1, **INSTANT), job("x", 1, priority=1, **INSTANT)]
    books = {
        name: {"useful": 20 + 100 - 35, "lost": 5} if name in losers else {"useful": 100} for name in ("x", "y", "z")
    }
    expect(
        scenario(6, job("high", 3, priority=2, **INSTANT), *small, hazards=[hazard(detect=0, blast=blast)]),
        [[(25, 0, 10)]],
        {"high": {"useful": 3 * 95, "lost": 3 * 5, "repair": blast * 10}, **books},
    )


def test_deficit_larger_than_lower_gangs():
    """A gang takes what lower ones have, keeps it, and waits for the rest; what comes back goes to it first."""
    expect(
        scenario(
            6, job("high", 4, priority=1, **INSTANT), job("low", 2, **INSTANT), hazards=[hazard(detect=0, blast=4)]
        ),
        [[(25, 0, 10)]],
        {
            "high": {"useful": 4 * (20 + 100 - 35), "lost": 4 * 5, "wait": 2 * 10, "repair": 4 * 10},
            "low": {"useful": 2 * (20 + 100 - 35), "lost": 2 * 5},
        },
    )


def test_loser_in_detect():
    """A hung gang gives up members that are up, never struck ones, and stays hung; it is not served meanwhile."""
    slow, pair = hazard("slow", detect=20), hazard("pair", detect=0, blast=2)
    expect(
        scenario(4, job("high", 2, priority=1, **INSTANT), job("low", 2, **INSTANT), hazards=[slow, pair]),
        [[(20, 2, 10)], [(25, 0, 10)]],
        {
            "high": {"useful": 2 * (20 + 100 - 35), "lost": 2 * 5, "wait": 1 * 10, "repair": 2 * 10},
            "low": {
                "useful": 2 * (20 + 100 - 50),
                "detect": 2 * (25 - 20) + 1 * (40 - 25),
                "wait": 1 * (50 - 40),
                "repair": 10,
            },
            "rest": {"idle": 40 - 35},
        },
    )


def test_loser_in_wait_keeps_its_place():
    """A waiting gang that loses what it holds still ran short first, and is served first."""
    expect(
        scenario(
            4,
            job("high", 1, priority=1, **INSTANT),
            job("a", 2, **INSTANT),
            job("b", 1, **INSTANT),
            hazards=[AT_ONCE],
        ),
        [[(10, 1, 50), (20, 3, 20), (30, 0, 15)]],  # high takes a's last GPU at 30; GPUs return at 40, 45 and 60
        {
            "high": {"useful": 100, "repair": 15},
            "a": {"useful": 2 * (10 + 100 - 45), "wait": 1 * (30 - 10) + 1 * (45 - 40), "repair": 50},
            "b": {"useful": 20 + 100 - 60, "repair": 20},
        },
    )


def test_place_is_kept_through_strikes():
    """The moment a gang ran short stays through a further strike; the head is filled before the next gets anything."""
    expect(
        scenario(4, job("a", 2, **INSTANT), job("b", 2, **INSTANT), hazards=[AT_ONCE]),
        [[(10, 0, 60), (20, 2, 20), (30, 0, 20)]],  # GPUs return at 40 and 50 for a, at 70 for b
        {
            "a": {"useful": 2 * (10 + 100 - 50), "wait": 1 * (30 - 10) + 1 * (50 - 40), "repair": 60 + 20},
            "b": {"useful": 2 * (20 + 100 - 70), "wait": 1 * (70 - 20), "repair": 20},
        },
    )


def test_whole_gang_leaves_its_place():
    """A gang that was whole in between queues anew when it is struck again."""
    expect(
        scenario(3, job("a", 1, **INSTANT), job("b", 1, **INSTANT), hazards=[AT_ONCE], spares=1),
        [[(10, 0, 80), (20, 1, 20), (30, 0, 30)]],  # a takes the spare; b is short from 20, a from 30
        {
            "a": {"useful": 30 + 100 - 60, "repair": 80 + 30},
            "b": {"useful": 20 + 100 - 40, "repair": 20},
            "spares": {"spare": 10 + 10},
        },
    )


def test_ties_in_the_queue():
    """Of two gangs that ran short in one millisecond the first listed is served first."""
    expect(
        scenario(2, job("a", 1, **INSTANT), job("b", 1, **INSTANT), hazards=[AT_ONCE]),
        [[(20, 1, 10), (20, 0, 30)]],
        {"a": {"useful": 20 + 100 - 30, "repair": 30}, "b": {"useful": 20 + 100 - 50, "repair": 10}},
    )


def test_priority_before_place():
    """What comes back goes to the higher gang though the lower one has waited longer, if both wait in that instant."""
    fast, slow = hazard("fast", detect=0), hazard("slow", detect=2)
    expect(
        scenario(2, job("low", 1, **INSTANT), job("high", 1, priority=1, **INSTANT), hazards=[fast, slow]),
        [[(10, 0, 20)], [(28, 1, 40)]],  # at 30 a repair and a detection end, then both are served
        {
            "low": {"useful": 10 + 100 - 70, "repair": 20},
            "high": {"useful": 20 + 100 - 30, "lost": 8, "detect": 2, "repair": 40},
        },
    )


def test_all_gangs_of_a_blast_are_identified_before_any_is_served():
    """One derived failure hangs four gangs: two free GPUs go by priority and listing, and nobody is pre-empted."""
    jobs = [job("a", 1, **INSTANT), job("b", 1, **INSTANT), job("d", 3, **INSTANT), job("c", 1, priority=1, **INSTANT)]
    expect(
        scenario(8, *jobs, hazards=[hazard(component="node", blast=None, detect=0)], node=4, rack=2),
        [[(20, 0, 10)]],  # node 0 holds c, a, b and one GPU of d
        {
            "a": {"useful": 100, "repair": 10},
            "b": {"useful": 20 + 100 - 30, "repair": 10},
            "c": {"useful": 100, "repair": 10},
            "d": {"useful": 3 * 90, "wait": 2 * 10, "repair": 10},
            "rest": {"idle": 2 * 20 + 2 * 70},
        },
        {"a": 1, "b": 1, "c": 1, "d": 1},
        1,
    )


def test_spare_and_idle():
    """Free GPUs up to ``spares`` are spare, further ones idle; any of them replaces a struck one."""
    expect(
        scenario(6, job("a", 3, **INSTANT), hazards=[hazard(detect=0, blast=3)], spares=1),
        [[(20, 0, 10)]],
        {
            "a": {"useful": 3 * 100, "repair": 3 * 10},
            "spares": {"spare": 20 + 70},
            "rest": {"idle": 2 * 20 + 2 * 70},
        },
    )


def test_cold_waits_for_the_repair():
    """A cold gang leaves the spare alone and waits until its own GPU is repaired."""
    expect(
        scenario(5, job("a", 4, spare="cold"), spares=1),
        [[(25, 0, 10)]],
        {
            "a": {
                "useful": 4 * (20 + 100 - 44),
                "lost": 4 * 5,
                "detect": 4 * 2,
                "wait": 3 * 10,
                "failover": 4 * 3,
                "restore": 4 * 4,
                "repair": 10,
            },
            "spares": {"spare": 100},
        },
    )


def test_cold_takes_free_gpus_for_what_is_not_out():
    """What a cold gang lost to pre-emption it takes from the free GPUs; for what is out it waits."""
    expect(
        scenario(
            4, job("high", 1, priority=1, **INSTANT), job("a", 2, spare="cold", **INSTANT), hazards=[AT_ONCE], spares=1
        ),
        [[(10, 1, 60), (20, 0, 10), (22, 0, 8)]],  # high takes the spare, then a's other GPU; both are back at 30
        {
            "high": {"useful": 20 + 100 - 22, "lost": 2, "repair": 10 + 8},
            "a": {"useful": 2 * (10 + 100 - 70), "wait": 1 * (22 - 10) + 1 * (70 - 30), "repair": 60},
            "spares": {"spare": 20 + 70},
        },
    )


def test_late_submission():
    """A gang that is submitted later goes through restore only; until then its GPUs are idle."""
    expect(
        scenario(4, job("a", 2), job("late", 2, submit=30)),
        [[]],
        {"a": {"useful": 2 * 100}, "late": {"restore": 2 * 4, "useful": 2 * 66}, "rest": {"idle": 2 * 30}},
    )


@pytest.mark.parametrize("submit", [100, 101])
def test_submission_at_the_horizon(submit):
    """A submission at the horizon or after it does not happen."""
    expect(scenario(1, job("late", 1, submit=submit)), [[]], {"rest": {"idle": 100}})


@pytest.mark.parametrize("priority", [0, 1])
def test_late_submission_short_of_hardware(priority):
    """A late gang that finds too little waits from its submission, or takes the rest from a lower one at once."""
    late = {"restore": 2 * 4, "useful": 2 * (100 - 34)}
    running = {"useful": 2 * (30 + 100 - 45), "wait": 1 * 15}
    if priority == 0:
        late = {"wait": 1 * 15, "restore": 2 * 4, "useful": 2 * (100 - 49)}
        running = {"useful": 2 * 100}
    expect(
        scenario(4, job("a", 2, **INSTANT), job("late", 2, submit=30, priority=priority), hazards=[AT_ONCE]),
        [[(25, 3, 20)]],  # one of the two free GPUs, which stand in the slots of the gang to come
        {"a": running, "late": late, "rest": {"idle": 2 * 25 + 1 * 5, "repair": 20}},
        {},
        1,
    )


@pytest.mark.parametrize("kind", ["checkpoint-restart", "fault-tolerant"])
def test_strike_in_first_start(kind):
    """A gang struck before its first start is complete has no state to keep: failover, then restore."""
    expect(
        scenario(4, job("a", 2), job("late", 1, submit=30, kind=kind), hazards=[AT_ONCE], spares=1),
        [[(32, 2, 50)]],
        {
            "a": {"useful": 2 * 100},
            "late": {"restore": 2 + 4, "failover": 3, "useful": 100 - 39, "repair": 50},
            "spares": {"spare": 32 + 18},
            "rest": {"idle": 30},
        },
    )


def test_strike_when_the_first_start_ends():
    """A restore that ends in the millisecond of the strike is complete, so a fault-tolerant gang only fails over."""
    expect(
        scenario(2, job("late", 1, submit=30, kind="fault-tolerant"), hazards=[AT_ONCE]),
        [[(34, 0, 50)]],
        {
            "late": {"restore": 4, "failover": 3, "useful": 100 - 37, "repair": 50},
            "rest": {"idle": 2 * 30 + 4 + 16},
        },
    )


def test_preemption_in_first_start():
    """A gang pre-empted before its first start is complete goes through restore again, without a failover."""
    expect(
        scenario(
            2,
            job("high", 1, priority=1, **INSTANT),
            job("late", 1, submit=30, kind="fault-tolerant"),
            hazards=[AT_ONCE],
        ),
        [[(32, 0, 10)]],
        {
            "high": {"useful": 98, "lost": 2, "repair": 10},
            "late": {"restore": 2 + 4, "useful": 100 - 46},
            "rest": {"idle": 30},
        },
    )
