"""The ledger by month and by cause, each number as arithmetic."""

import numpy as np
import pytest

from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATES, Ledgers
from dcsim.scenario import Scenario
from tests.unit.literal import Struck, chosen, hazard, job, scenario

H = 3_600_000
MONTH = 720 * H
TWO = {"horizon": 2 * MONTH}


def played(tiny: Scenario, failures: list[list[Struck]]) -> Ledgers:
    """One run with these failures for each hazard."""
    with chosen(failures):
        return simulate_many(tiny, [0])


def hours(table: np.ndarray) -> list[dict[str, float]]:
    """GPU-hours by state of every row, without zeros."""
    return [{state: row[column] / H for column, state in enumerate(STATES) if row[column]} for row in table.tolist()]


def gang(**keys: int) -> dict[str, object]:
    """Four GPUs: failover 2 h, restore 3 h, a checkpoint every 100 h at no cost."""
    return job("a", 4, **{"failover": 2 * H, "restore": 3 * H, "checkpoint_every": 100 * H} | keys)


def test_lost_work_is_in_the_month_in_which_it_was_done() -> None:
    """Struck at 725 h, the gang is back at 700 h: 20 of the 25 h that are lost lie in the first month."""
    found = played(scenario(5, gang(), hazards=[hazard(detect=10 * H)], spares=1, **TWO), [[(725 * H, 0, 100 * H)]])
    assert hours(found.gpu_ms_by_month[0]) == [
        {"useful": 4 * 700, "lost": 4 * 20, "spare": 720},
        {
            "useful": 4 * (1440 - 740),
            "lost": 4 * 5,
            "detect": 4 * 10,
            "failover": 4 * 2,
            "restore": 4 * 3,
            "repair": 100,
            "spare": 15 + (1440 - 835),
        },
    ]


def test_a_stall_belongs_to_what_began_it() -> None:
    """By cause: the hazard has the work, the stall and the repair; what follows from nothing is in the last row."""
    found = played(scenario(5, gang(), hazards=[hazard(detect=10 * H)], spares=1, **TWO), [[(725 * H, 0, 100 * H)]])
    assert hours(found.gpu_ms_by_cause[0]) == [
        {"lost": 100, "detect": 40, "failover": 8, "restore": 12, "repair": 100},
        {"useful": 4 * (700 + 700), "spare": 720 + 15 + 605},
    ]


def test_a_second_cause_within_a_stall_has_only_its_own() -> None:
    """A second hazard strikes while the gang hangs: the stall stays with the first, its repair is its own.

    Struck at 50 h by one and at 55 h by two, each found after 10 h: the gang hangs until 65 h, all of it because of
    one. Both wait for nothing: two spares are there.
    """
    both = [hazard("one", detect=10 * H), hazard("two", detect=10 * H)]
    found = played(
        scenario(6, gang(), hazards=both, spares=2, horizon=200 * H),
        [[(50 * H, 0, 100 * H)], [(55 * H, 0, 100 * H)]],
    )
    one, two, other = hours(found.gpu_ms_by_cause[0])
    assert one == {"lost": 4 * 50, "detect": 4 * 10 + 3 * 5, "failover": 8, "restore": 12, "repair": 100}
    assert two == {"repair": 100}
    assert other["useful"] == 4 * (200 - 70)


def test_a_new_stall_has_its_own_cause() -> None:
    """Once the gang has run, the next failure is to blame for the next stall."""
    both = [hazard("one", detect=10 * H), hazard("two", detect=10 * H)]
    found = played(
        scenario(6, gang(), hazards=both, spares=2, horizon=300 * H),
        [[(50 * H, 0, 500 * H)], [(120 * H, 0, 500 * H)]],
    )
    one, two, _ = hours(found.gpu_ms_by_cause[0])
    assert one == {"lost": 4 * 50, "detect": 40, "failover": 8, "restore": 12, "repair": 300 - 60}
    assert two == {"lost": 4 * (120 - 65), "detect": 40, "failover": 8, "restore": 12, "repair": 300 - 130}


def test_writes_are_spread_over_their_stretch() -> None:
    """One hour of ten is a write: each whole month of a stretch has a tenth of them."""
    found = played(scenario(4, gang(checkpoint_every=9 * H, checkpoint_write=H), **TWO), [[]])
    assert hours(found.gpu_ms_by_month[0]) == 2 * [{"useful": 4 * 648, "checkpoint": 4 * 72}]


def test_a_rollback_over_several_months_takes_from_each() -> None:
    """Without any copy all is lost: each month loses what it had; what comes after is the last month's."""
    never = gang(checkpoint_every=10_000 * H)
    found = played(
        scenario(5, never, hazards=[hazard(detect=10 * H)], spares=1, horizon=3 * MONTH), [[(1500 * H, 0, 1000 * H)]]
    )
    first, second, third = hours(found.gpu_ms_by_month[0])
    assert first == second == {"lost": 4 * 720, "spare": 720}
    assert third["lost"] == 4 * 60
    assert third["useful"] == 4 * (720 - 60 - 15)


def test_what_is_lost_twice_is_booked_twice() -> None:
    """Struck at 730 h and again at 780 h: back at 700 h both times, so the second month loses its own hours twice."""
    found = played(
        scenario(6, gang(), hazards=[hazard(detect=10 * H)], spares=2, **TWO),
        [[(730 * H, 0, 700 * H), (780 * H, 0, 700 * H)]],
    )
    first, second = hours(found.gpu_ms_by_month[0])
    assert first == {"useful": 4 * 700, "lost": 4 * 20, "spare": 2 * 720}
    assert second["lost"] == 4 * (10 + (780 - 745))
    assert second["useful"] == 4 * (1440 - 795)


def test_the_last_month_may_be_short() -> None:
    """A horizon of 800 h has a month of 720 h and one of 80 h; one within a month has one."""
    found = played(scenario(4, gang(), horizon=800 * H), [[]])
    assert hours(found.gpu_ms_by_month[0]) == [{"useful": 4 * 720}, {"useful": 4 * 80}]
    assert hours(played(scenario(4, gang(), horizon=5 * H), [[]]).gpu_ms_by_month[0]) == [{"useful": 20}]


def test_maintenance_is_a_cause() -> None:
    """Planned work has its row behind the hazards: the drain, the absence and the restart that follow from it."""
    work = {
        "name": "upgrade",
        "component": "node",
        "every": "400 h",
        "duration": "20 h",
        "drain": "5 h",
        "rolling": False,
    }
    found = played(scenario(4, gang(), maintenance=[work], horizon=600 * H), [[]])
    _, planned, other = hours(found.gpu_ms_by_cause[0])
    assert planned == {"maintenance": 4 * 25, "failover": 8, "restore": 12}
    assert other == {"useful": 4 * (600 - 30)}


def test_they_can_be_left_out() -> None:
    """Without months there are no rows, and the ledger is the same."""
    tiny = scenario(5, gang(), spares=1, **TWO)
    with chosen([[(725 * H, 0, H)]]):
        kept, left_out = simulate_many(tiny, [0]), simulate_many(tiny, [0], monthly=False)
    assert left_out.gpu_ms_by_month.shape == (1, 0, len(STATES))
    assert left_out.gpu_ms_by_cause.shape == (1, 0, len(STATES))
    assert np.array_equal(kept.gpu_ms, left_out.gpu_ms)


@pytest.mark.parametrize("name", ["gpu_ms_by_month", "gpu_ms_by_cause"])
def test_a_sum_that_differs_is_refused(name: str) -> None:
    """A GPU-ms in another month's state than the ledger's is found."""
    found = played(scenario(4, gang(), **TWO), [[]])
    wrong = getattr(found, name).copy()
    wrong[0, 0, 0] -= 1
    wrong[0, 0, 1] += 1
    object.__setattr__(found, name, wrong)
    with pytest.raises(Exception, match="do not sum to the ledger"):
        found.verified(found.gpu_ms.sum())
