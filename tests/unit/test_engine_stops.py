"""Gangs that know what comes, by hand: announced failures, time limits, chains, spares that work. Times in ms."""

import pytest

from tests.unit.literal import expect, hazard, job, scenario

# A gang of 4 computes for 10 ms and writes for 2; it is identified after 2 ms, fails over in 3 and restores in 4.
RESTARTS = {"detect": 4 * 2, "failover": 4 * 3, "restore": 4 * 4, "repair": 10}


def announced(**keys):
    """Describe a hazard of single GPUs whose failures are announced."""
    return hazard(blast=None, **keys)


@pytest.mark.parametrize(
    ("keys", "books"),
    [
        ({}, {"useful": 4 * (20 + 56), "lost": 4, "checkpoint": 4 * (2 + 2 + 10)}),
        ({"notice": "0.001 s"}, {"useful": 4 * (20 + 56), "lost": 4, "checkpoint": 4 * (2 + 2 + 10)}),
        ({"notice": "0.002 s", "noticed": "0 %"}, {"useful": 4 * (20 + 56), "lost": 4, "checkpoint": 4 * 14}),
        ({"notice": "0.002 s"}, {"useful": 4 * (20 + 56), "checkpoint": 4 * (2 + 1 + 2 + 10)}),
        ({"notice": "0.025 s"}, {"useful": 4 * (20 + 56), "checkpoint": 4 * (2 + 1 + 2 + 10)}),
        ({"notice": "0.026 s"}, {"useful": 4 * (20 + 56), "lost": 4, "checkpoint": 4 * (2 + 2 + 10)}),
    ],
    ids=["none", "too short", "not announced", "just enough", "long", "before the beginning"],
)
def test_a_notice_is_enough_for_a_checkpoint_or_does_nothing(keys, books):
    """A strike at 25: with 2 ms of notice the gang stops at 23, in the midst of a write, and writes anew until 25."""
    tiny = scenario(6, job("a", 4, checkpoint_write=2), spares=2, hazards=[announced(**keys)])
    spare = {"spares": {"spare": 2 * 27 + 10 + 2 * (100 - 37)}}
    expect(tiny, [[(25, 1, 10)]], {"a": {**books, **RESTARTS}, **spare}, {"a": 1}, 1)


def test_a_gang_moves_away_from_an_announced_failure():
    """Enough notice to move in 3 ms: it stops at 22, computes again at 25 elsewhere, and a free GPU is struck."""
    tiny = scenario(
        6, job("a", 4, checkpoint_write=2), spares=2, hazards=[announced(notice="0.005 s", evacuate="0.003 s")]
    )
    a = {"useful": 4 * (20 + 63), "checkpoint": 4 * (2 + 12), "failover": 4 * 3}
    books = {"a": a, "rest": {"repair": 12}, "spares": {"spare": 2 * 25 + 12 + 2 * (100 - 37)}}
    expect(tiny, [[(25, 1, 10)]], books, {}, 1)


def test_a_gang_that_cannot_move_still_saves():
    """No node is free for the two GPUs that will fail: the gang writes from 23 to 25, and waits for the repair."""
    tiny = scenario(
        6,
        job("a", 4, checkpoint_write=2),
        node=2,
        rack=3,
        spares=2,
        hazards=[announced(component="node", notice="0.005 s", evacuate="0.003 s")],
    )
    # the free node has failed at 21 and is back at 33: from 27 on the gang waits with 2 members
    a = {"useful": 4 * (20 + 50), "checkpoint": 4 * (2 + 1 + 2 + 10), **RESTARTS, "wait": 2 * 6, "repair": 2 * 10}
    books = {"a": a, "rest": {"repair": 2 * 12}, "spares": {"spare": 2 * 21 + 2 * (100 - 37)}}
    expect(tiny, [[(21, 2, 10), (25, 1, 10)]], books, {"a": 1}, 2)


def test_an_announced_failure_that_comes_in_vain_costs_the_write():
    """A strike at 24 takes the node that would fail at 25: the write that began at 23 is cut, and 21 to 23 is lost."""
    tiny = scenario(
        6,
        job("a", 4, checkpoint_write=2),
        spares=2,
        hazards=[announced(notice="0.002 s"), hazard("other", blast=1)],
    )
    # 10 computed and written until 12; 12 to 22 computed, 22 to 23 written, 23 to 24 written anew: 10 are lost
    a = {"useful": 4 * (10 + 57), "lost": 4 * 10, "checkpoint": 4 * (2 + 1 + 1 + 10), **RESTARTS}
    books = {"a": a, "spares": {"spare": 2 * 26 + 10 + 2 * (100 - 36)}}
    expect(tiny, [[(25, 0, 10)], [(24, 0, 10)]], books, {"a": 1}, 1)


@pytest.mark.parametrize(
    ("requeue", "books"),
    [
        ("0.005 s", {"useful": 4 * (24 + 20 + 22), "checkpoint": 4 * (6 + 6 + 4), "restore": 4 * 8, "wait": 4 * 10}),
        ("0.080 s", {"useful": 4 * 24, "checkpoint": 4 * 6, "wait": 4 * 70}),
    ],
)
def test_a_gang_stops_at_the_end_of_its_time(requeue, books):
    """30 ms at a time: it writes from 28 to 30, is kept from the queue for 5, and starts again with a restore only.

    Its third time ends with the horizon: then it does not write.
    """
    tiny = scenario(4, job("a", 4, checkpoint_write=2, time_limit="0.030 s", requeue=requeue))
    expect(tiny, [[]], {"a": books}, {}, 0)


def test_a_gang_that_starts_again_at_the_end_of_its_time_has_not_saved():
    """Struck at 20, it waits for the repair until 27; at 30 its failover ends, and it goes back."""
    tiny = scenario(4, job("a", 4, checkpoint_write=2, time_limit="0.030 s", requeue="0.005 s"))
    a = {"useful": 4 * (10 + 20 + 22), "checkpoint": 4 * (2 + 6 + 4), "lost": 4 * 8, "restore": 4 * 8}
    a |= {"detect": 4 * 2, "wait": 3 * 5 + 4 * 10, "failover": 4 * 3, "repair": 5}
    expect(tiny, [[(20, 0, 5)]], {"a": a}, {"a": 1}, 1)


def test_a_gang_that_hangs_at_the_end_of_its_time_goes_back_when_that_is_over():
    """Struck at 29 while it writes at last, it goes back at 31 and queues at 36; work from 24 on is lost."""
    tiny = scenario(5, job("a", 4, checkpoint_write=2, time_limit="0.030 s", requeue="0.005 s"), spares=1)
    # it runs at 40, writes at last from 64 to 66, queues at 71 and runs from 75 on; at 99 it begins to compute again
    a = {"useful": 4 * (20 + 20 + 21), "checkpoint": 4 * (4 + 1 + 4 + 2 + 4), "lost": 4 * 4}
    a |= {"detect": 4 * 2, "wait": 4 * 10, "restore": 4 * 8, "repair": 10}
    books = {"a": a, "spares": {"spare": 31 + (100 - 41)}}
    expect(tiny, [[(29, 0, 10)]], books, {"a": 1}, 1)


def test_work_that_only_the_members_have_is_lost_at_the_end_of_their_time():
    """A fault-tolerant gang keeps its work at 26, is in failover at 30, and has what it wrote at 20."""
    tiny = scenario(5, job("a", 4, kind="fault-tolerant", time_limit="0.030 s", requeue="0.005 s"), spares=1)
    a = {"useful": 4 * (20 + 26 + 26), "lost": 4 * 6, "detect": 4 * 2, "failover": 4 * 2, "wait": 4 * 10}
    books = {"a": {**a, "restore": 4 * 8, "repair": 10}, "spares": {"spare": 28 + (100 - 38)}}
    expect(tiny, [[(26, 0, 10)]], books, {"a": 1}, 1)


def test_a_limit_beyond_the_horizon_is_none():
    """A gang that would have 100 ms or more never stops."""
    for limit in ("0.100 s", "1 h"):
        books = {"a": {"useful": 4 * 100}}
        expect(scenario(4, job("a", 4, time_limit=limit, requeue="1 h")), [[]], books, {}, 0)


@pytest.mark.parametrize(
    ("submit", "b", "idle"), [(0, 4 * (100 - 24), 4 * 100), (50, 4 * (100 - 54), 4 * 20 + 8 * 30 + 4 * 50)]
)
def test_a_job_comes_after_another(submit, b, idle):
    """The first is done at 20; the second starts with a restore then, or when it is submitted, whichever is later."""
    tiny = scenario(8, job("a", 4, work="0.080 GPU-s"), job("b", 4, after="a", submit=submit))
    expect(tiny, [[]], {"a": {"useful": 80}, "b": {"useful": b, "restore": 16}, "rest": {"idle": idle}}, {}, 0)


def test_a_job_takes_the_hardware_of_the_one_before_it():
    """Two jobs of 4 on 4 GPUs, where failures strike parts and no slots."""
    tiny = scenario(4, job("a", 4, work="0.080 GPU-s"), job("b", 4, after="a"), hazards=[announced()])
    assert tiny.gpus_in_jobs == 4
    # the second runs at 24, is struck at 40, whole again at 52, and runs at 59
    b = {"useful": 4 * (10 + 100 - 59), "lost": 4 * 6, "restore": 4 * 8, "detect": 4 * 2, "failover": 4 * 3}
    books = {"a": {"useful": 80}, "b": {**b, "wait": 3 * 10, "repair": 10}}
    expect(tiny, [[(40, 0, 10)]], books, {"b": 1}, 1)


def test_a_job_that_never_comes_asks_for_nothing():
    """The one before it is not done by the horizon."""
    tiny = scenario(8, job("a", 4, work="1 GPU-h"), job("b", 4, after="a"))
    expect(tiny, [[]], {"a": {"useful": 400}, "rest": {"idle": 400}}, {}, 0)


def test_spares_work_until_they_are_needed():
    """At 27 the job on the spares loses one of its 2 members, and starts again when that is back at 37."""
    tiny = scenario(6, job("a", 4), job("low", 2), spares=2, cluster={"spares_run": "low"})
    low = {"useful": 2 * (20 + 56), "lost": 2 * 7, "wait": 10, "failover": 2 * 3, "restore": 2 * 4}
    a = {"useful": 4 * (20 + 66), "lost": 4 * 5, **RESTARTS}
    expect(tiny, [[(25, 0, 10)]], {"a": a, "low": low}, {"a": 1}, 1)


def test_what_no_job_has_is_idle_where_the_spares_work():
    """Two spares work, and of the other two GPUs none is a spare."""
    tiny = scenario(8, job("a", 4), job("low", 2), spares=2, cluster={"spares_run": "low"})
    books = {"a": {"useful": 4 * 100}, "low": {"useful": 2 * 100}, "rest": {"idle": 2 * 100}}
    expect(tiny, [[]], books, {}, 0)


def test_a_hazard_that_is_never_covered_rolls_back():
    """A fault-tolerant gang recovers from one hazard as designed, from the other like one that restarts."""
    tiny = scenario(
        5,
        job("a", 4, kind="fault-tolerant"),
        spares=1,
        hazards=[hazard(), hazard("worse", coverage="0 %")],
    )
    # struck at 25 (5 since the last checkpoint are lost), runs at 34; struck at 60, runs at 65
    a = {
        "useful": 4 * (20 + 26 + 35),
        "lost": 4 * 5,
        "detect": 4 * 4,
        "failover": 4 * 6,
        "restore": 4 * 4,
        "repair": 20,
    }
    books = {"a": a, "spares": {"spare": 27 + (62 - 37) + (100 - 72)}}
    expect(tiny, [[(60, 0, 10)], [(25, 0, 10)]], books, {"a": 2}, 2)
