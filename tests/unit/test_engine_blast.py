"""Which GPUs a failure strikes and when they come back: slots, derived blasts, crews; every account as arithmetic.

Gangs here stall only in detection and wait, and lose nothing: strikes fall on multiples of their 10 ms checkpoints.
"""

import pytest

from tests.unit.literal import expect, hazard, job, scenario

INSTANT = {"failover": 0, "restore": 0}


def gang(name, gpus, **keys):
    """Describe a job without failover and restore."""
    return job(name, gpus, **INSTANT, **keys)


def by_place(name="place", *, component, **keys):
    """Describe a hazard whose blast comes from the topology."""
    return hazard(name, component=component, **{"detect": 0, "blast": None} | keys)


@pytest.mark.parametrize(("slot", "struck"), [(0, 3), (2, 3), (3, 2), (4, 2)])
def test_blast_is_aligned_in_the_gang(slot, struck):
    """A failure strikes the aligned group around its slot; the last group of a gang may be partial."""
    expect(
        scenario(5, gang("a", 5), hazards=[hazard(detect=0, blast=3)]),
        [[(20, slot, 80)]],
        {"a": {"useful": 5 * 20, "wait": (5 - struck) * 80, "repair": struck * 80}},
        {"a": 1},
        1,
    )


def test_blast_ends_with_the_gang():
    """A blast larger than the gang strikes all of it and nobody else."""
    expect(
        scenario(8, gang("a", 3), gang("b", 3), hazards=[hazard(detect=0, blast=4)]),
        [[(20, 1, 80)]],
        {"a": {"useful": 3 * 20, "wait": 2 * 80, "repair": 3 * 80}, "b": {"useful": 3 * 100}, "rest": {"idle": 2 * 20}},
        {"a": 1},
        1,
    )


@pytest.mark.parametrize(("slot", "struck"), [(0, 2), (1, 2), (2, 1), (3, 0)])
def test_ranks_close_up(slot, struck):
    """With 3 of 4 members up, slots count the members that are up; the last slot is void and hits nothing."""
    one, pair = hazard("one", detect=0), hazard("pair", detect=0, blast=2)
    expect(
        scenario(4, gang("a", 4), hazards=[one, pair]),
        [[(20, 0, 80)], [(30, slot, 10)]],
        {"a": {"useful": 4 * 20, "wait": 3 * 80 - struck * 10, "repair": 80 + struck * 10}},
        {"a": 1 + (struck > 0)},
        1 + (struck > 0),
    )


@pytest.mark.parametrize(("slot", "struck"), [(1, 3), (3, 3), (4, 1)])
def test_free_gpus_are_struck(slot, struck):
    """Free GPUs are aligned among themselves; struck ones are in repair from the strike, mended after detection."""
    expect(
        scenario(5, gang("a", 1), hazards=[hazard(detect=2, blast=3)]),
        [[(20, slot, 10)]],
        {"a": {"useful": 100}, "rest": {"idle": 4 * 100 - struck * 12, "repair": struck * 12}},
        {},
        1,
    )


def test_void_free_slots():
    """With 3 of 4 free GPUs out, only the first free slot can be hit."""
    expect(
        scenario(5, gang("a", 1), hazards=[hazard(detect=0, blast=3)]),
        [[(20, 1, 50), (30, 2, 10), (40, 1, 10)]],
        {"a": {"useful": 100}, "rest": {"idle": 4 * 100 - 3 * 50 - 10, "repair": 3 * 50 + 10}},
        {},
        2,
    )


def test_free_gpus_beyond_the_free_slots():
    """A hung gang leaves its slots void while a repaired GPU is free: that one stands in the first void slot."""
    fast, slow = hazard("fast", detect=0), hazard("slow", detect=50)
    expect(
        scenario(2, gang("a", 2), hazards=[fast, slow]),
        [[(10, 0, 10), (30, 1, 5), (30, 0, 5)], [(15, 0, 10)]],  # free from 20; slot 1 is empty, slot 0 is not
        {
            "a": {
                "useful": 2 * (10 + 100 - 75),
                "wait": 1 * (15 - 10) + 1 * (75 - 65),
                "detect": 1 * 50,
                "repair": 10 + 10,
            },
            "rest": {"idle": (30 - 20) + (65 - 35), "repair": 5},
        },
        {"a": 2},
        3,
    )


@pytest.mark.parametrize(
    ("slot", "members", "free"),
    [(0, 2, 0), (1, 2, 0), (2, 0, 2), (3, 0, 2), (4, 0, 1), (5, 0, 0), (6, 0, 2), (7, 0, 2)],
)
def test_surplus_ranks(slot, members, free):
    """Surplus free GPUs continue the ranks of the free slots through the void slots of all gangs, in order."""
    # Slots 0-1 are a's, 2-3 and 4-5 wait for gangs to come, 6-7 are the free ones. One of six free GPUs is out from
    # 10, so ranks 0-1 stand in slots 6-7, ranks 2-3 in 2-3, rank 4 in 4 and nothing in 5.
    jobs = [gang("a", 2), gang("b", 2, submit=100), gang("c", 2, submit=100)]
    expect(
        scenario(8, *jobs, hazards=[hazard("one", detect=0), hazard("pair", detect=0, blast=2)]),
        [[(10, 6, 90)], [(20, slot, 10)]],
        {
            "a": {"useful": 2 * 100, "repair": members * 10},
            "rest": {"idle": 6 * 10 + 5 * 90 - (members + free) * 10, "repair": 90 + free * 10},
        },
    )


def test_crews_first_come_first_served():
    """With one crew, later failures queue; who joined first is repaired first."""
    expect(
        scenario(4, gang("a", 1), hazards=[hazard(detect=0, crews=1)]),
        [[(10, 1, 20), (12, 1, 5), (14, 1, 1)]],  # back at 30, 35 and 36
        {"a": {"useful": 100}, "rest": {"idle": 300 - (20 + 23 + 22), "repair": 20 + 23 + 22}},
    )


def test_two_crews():
    """With two crews the third failure waits for the first of them."""
    expect(
        scenario(4, gang("a", 1), hazards=[hazard(detect=0, crews=2)]),
        [[(10, 1, 20), (12, 1, 5), (14, 1, 1)]],  # back at 30, 17 and 18
        {"a": {"useful": 100}, "rest": {"idle": 300 - (20 + 5 + 4), "repair": 20 + 5 + 4}},
    )


@pytest.mark.parametrize(("stage", "second_back"), [("technician", 35), (None, 17)])
def test_crews_of_one_name_are_shared(stage, second_back):
    """Hazards that name the same crews queue for them together; crews without a name belong to one hazard."""
    keys = {"detect": 0, "crews": 1} | ({"stage": stage} if stage else {})
    repair = (30 - 10) + (second_back - 12)
    expect(
        scenario(3, gang("a", 1), hazards=[hazard("x", **keys), hazard("y", **keys)]),
        [[(10, 1, 20)], [(12, 1, 5)]],
        {"a": {"useful": 100}, "rest": {"idle": 200 - repair, "repair": repair}},
    )


def test_queue_from_identification():
    """A failure joins the queue at its identification: one struck later but found earlier is repaired first."""
    keys = {"crews": 1, "stage": "technician"}
    expect(
        scenario(4, gang("a", 1), hazards=[hazard("slow", detect=20, **keys), hazard("fast", detect=0, **keys)]),
        [[(10, 1, 5)], [(5, 1, 40), (20, 1, 10)]],  # back at 45 (fast), 55 (fast) and 60 (slow)
        {"a": {"useful": 100}, "rest": {"idle": 300 - (40 + 35 + 50), "repair": 40 + 35 + 50}},
    )


def test_simultaneous_strikes_by_hazard_order():
    """Of two strikes in one millisecond the first hazard's comes first, and its repair takes the crew."""
    keys = {"detect": 0, "crews": 1, "stage": "technician"}
    expect(
        scenario(3, gang("a", 1), hazards=[hazard("x", **keys), hazard("y", **keys)]),
        [[(10, 1, 20)], [(10, 1, 5)]],
        {"a": {"useful": 100}, "rest": {"idle": 200 - (20 + 25), "repair": 20 + 25}},
    )


def test_one_repair_for_the_whole_blast():
    """A struck group takes one crew and one repair time whatever its size."""
    expect(
        scenario(4, gang("a", 4), hazards=[hazard(detect=0, blast=3, crews=1)]),
        [[(20, 0, 10)]],
        {"a": {"useful": 4 * 90, "wait": 1 * 10, "repair": 3 * 10}},
    )


def test_derived_blast_across_gangs():
    """A tray takes what stands on it from each gang; replacements are the lowest free GPUs."""
    # GPUs 0-2 are a's, 3-5 b's, 6 and 7 free; tray 1 holds 2 and 3, tray 3 holds 6 and 7.
    expect(
        scenario(8, gang("a", 3), gang("b", 3), hazards=[by_place(component="tray")], node=2, rack=2),
        [[(20, 1, 10), (40, 3, 10), (60, 1, 10)]],  # 2, 3 -> 6, 7 -> 2, 3
        {
            "a": {"useful": 3 * 100, "repair": 3 * 10},
            "b": {"useful": 3 * 100, "repair": 3 * 10},
            "rest": {"idle": 2 * 70},
        },
        {"a": 3, "b": 3},
        3,
    )


def test_placement_by_priority():
    """At the start the lowest GPUs go to the highest priority, then by listing."""
    jobs = [gang("a", 1), gang("b", 1), gang("top", 1, priority=1)]
    expect(
        scenario(4, *jobs, hazards=[by_place(component="gpu", blast="gpu")]),
        [[(10, 0, 0), (20, 1, 0), (30, 1, 0), (40, 2, 0), (50, 2, 0), (60, 2, 0), (70, 3, 0)]],
        {"top": {"useful": 100}, "a": {"useful": 100}, "b": {"useful": 100}, "rest": {"idle": 100}},
        {"top": 1, "a": 2, "b": 3},
        7,
    )


def test_preemption_takes_the_highest_gpus():
    """A winner gets the loser's highest GPUs, as strikes on their trays show."""
    # high: 0 and 1, low: 2-5. Tray 0 fails for good, then tray 2 (now high's), then tray 1 (now high's).
    expect(
        scenario(6, gang("high", 2, priority=1), gang("low", 4), hazards=[by_place(component="node")], node=2, rack=3),
        [[(20, 0, 80), (40, 2, 60), (60, 1, 40)]],
        {
            "high": {"useful": 2 * 60, "repair": 2 * (80 + 60 + 40)},
            "low": {"useful": 4 * 20, "wait": 2 * 20},
        },
        {"high": 3},
        3,
    )


def test_derived_blast_on_a_gang_and_free_gpus():
    """One rack, one repair: members hang until identification, free GPUs are in repair from the strike."""
    expect(
        scenario(4, gang("a", 2), hazards=[by_place(component="rack", detect=5, crews=1)]),
        [[(20, 0, 10)]],
        {
            "a": {"useful": 2 * (20 + 100 - 35), "detect": 2 * 5, "repair": 2 * 10},
            "rest": {"idle": 2 * 20 + 2 * 65, "repair": 2 * 15},
        },
        {"a": 1},
        1,
    )


@pytest.mark.parametrize(("failed", "struck"), [(3, 0), (2, 1), (4, 2)])
def test_gpu_takes_its_tray_along(failed, struck):
    """A failed GPU takes down what is up on its tray; one that is out of service itself takes nothing."""
    alone, tray = by_place("alone", component="gpu", blast="gpu"), by_place("tray", component="gpu")
    expect(
        scenario(6, gang("a", 6, kind="fault-tolerant"), hazards=[alone, tray], node=2, rack=3),
        [[(20, 3, 80)], [(30, failed, 70)]],
        {"a": {"useful": 6 * 20, "wait": 5 * 10 + (5 - struck) * 70, "repair": 80 + struck * 70}},
        {"a": 1 + (struck > 0)},
        1 + (struck > 0),
    )


@pytest.mark.parametrize(("failed", "struck"), [(0, 0), (1, 2), (2, 4)])
def test_tray_takes_its_rack_along(failed, struck):
    """A failed tray whose blast is the rack takes down what is up there, unless the tray itself is out of service."""
    tray, rack = by_place("tray", component="node"), by_place("rack", component="node", blast="rack")
    expect(
        scenario(8, gang("a", 8), hazards=[tray, rack], node=2, rack=2),
        [[(20, 0, 80)], [(30, failed, 70)]],
        {"a": {"useful": 8 * 20, "wait": 6 * 10 + (6 - struck) * 70, "repair": 2 * 80 + struck * 70}},
        {"a": 1 + (struck > 0)},
        1 + (struck > 0),
    )


def test_partial_rack():
    """The last rack may be partial: it strikes what it has."""
    expect(
        scenario(6, gang("a", 6), hazards=[by_place(component="rack")], node=2, rack=2),
        [[(20, 1, 80)]],
        {"a": {"useful": 6 * 20, "wait": 4 * 80, "repair": 2 * 80}},
    )
