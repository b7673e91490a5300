"""Swings of the load: windows by hand, two jobs whose every step is known, and the energy of the ledger."""

import numpy as np
import pytest

from dcsim.decide.log_analysis import Played
from dcsim.decide.swing import Draw, Load, Swing
from dcsim.scenario import Scenario, read
from dcsim.units import MS_PER_H, MS_PER_MIN


def load(*steps: tuple[int, float]) -> Load:
    at, kw = zip(*steps, strict=True)
    return Load(np.array(at, dtype=np.int64), np.array(kw, dtype=np.float64))


def test_a_change_is_measured_against_the_farthest_load_of_the_last_minute() -> None:
    """100 until 10 s, 40 until 30 s, 75 until 95 s, then 90: against 100; then 40, the farther one; then 75."""
    found = load((0, 100), (10_000, 40), (30_000, 75), (95_000, 90)).swings(MS_PER_MIN)
    assert found.tolist() == [-60, 35, 15]
    assert load((0, 100), (10_000, 40), (30_000, 65)).swings(MS_PER_MIN).tolist() == [-60, -35]


def test_steps_of_one_minute_add_up_and_older_ones_do_not() -> None:
    """10, 20 and 5 kW within 59 s are 35; a step 60.001 s after another stands alone."""
    found = load((0, 0), (100_000, 10), (120_000, 30), (159_000, 35), (400_000, 36)).swings(MS_PER_MIN)
    assert found.tolist() == [10, 30, 35, 1]
    assert load((0, 0), (100_000, 10), (160_001, 30)).swings(MS_PER_MIN).tolist() == [10, 20]
    assert len(load((0, 5)).swings(MS_PER_MIN)) == 0


def two_jobs(**grid: str) -> Scenario:
    """Two jobs on 8 nodes of 8 GPUs: one runs throughout, the other from 10 h on for 5 h; nothing fails."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "never", "restore": "0 s"}
    return read(
        {
            "name": "two jobs",
            "horizon": "30 h",
            "cluster": {
                "gpus": 64,
                "topology": {
                    "name": "small",
                    "description": "two racks of four servers",
                    "nvlink": {"domain": "node"},
                    "node": {"gpus": 8, "power": "10 kW"},
                    "rack": {"nodes": 4},
                    "power": {"shelves": 4, "psu": "20 kW", "idle": "30 %", "pue": 1.2},
                },
            },
            "jobs": [
                {"name": "long", "gpus": 32, "recovery": recovery},
                {"name": "short", "gpus": 16, "submit": "10 h", "work": "80 GPU-h", "recovery": recovery},
            ],
            "hazards": [{"component": "gpu", "mtbf": "1e9 h", "repair": "1 h"}],
            **({"grid": grid} if grid else {}),
        }
    )


def test_two_jobs_step_by_step() -> None:
    """A GPU takes 10 kW / 8 * 1.2 = 1.5 kW, an idle one 0.45: 62.4 kW, 79.2 while the second job runs, then 62.4."""
    scenario = two_jobs()
    draw = Draw.of(scenario)
    assert draw is not None
    assert (draw.full_kw, draw.idle_kw, draw.rest_kw) == pytest.approx((1.5, 0.45, 0.0))
    found = Load.of(Played(scenario, 0).log.columns(), draw)
    assert (found.at / MS_PER_H).tolist() == [0, 10, 15]
    assert found.kw == pytest.approx([62.4, 79.2, 62.4])
    swing = Swing.of(scenario, [0])
    assert swing is not None
    assert (swing.rises, swing.falls, swing.p99) == pytest.approx((16.8, 16.8, 16.8))
    assert swing.a_month == pytest.approx(2 * 720 / 30)
    assert (swing.full_kw, swing.checkpoint_kw, swing.beyond_a_month) == (pytest.approx(96), None, None)


@pytest.mark.parametrize(("ramp", "beyond", "by"), [("16 kW", 48, 0.8), ("17 kW", 0, 0)])
def test_changes_beyond_what_the_connection_allows_are_counted(ramp: str, beyond: float, by: float) -> None:
    """Two changes of 16.8 kW in 30 h are 48 in 720 h: 0.8 kW beyond 16, not beyond 17."""
    swing = Swing.of(two_jobs(ramp=ramp), [0])
    assert swing is not None
    assert swing.beyond_a_month == pytest.approx(beyond)
    assert swing.excess_kw == pytest.approx((by, by))


def test_the_median_of_what_goes_beyond_the_limit_is_told_beside_the_most() -> None:
    """Of changes of 5, -11, 12 and -30 kW three go beyond 10: by 1, 2 and 20."""
    swing = Swing(1, 720.0, 100.0, np.array([5.0, -11.0, 12.0, -30.0]), None, 10.0)
    assert swing.excess_kw == (2, 20)


@pytest.mark.parametrize("name", ["plant/energised-late", "plant/energised-behind-the-meter"])
def test_the_area_under_the_load_is_the_energy_of_the_ledger(name: str) -> None:
    """But for checkpoints, which the ledger knows and the load takes for computing, and for what capping saves."""
    from dcsim.decide import run

    scenario = read(name)
    draw = Draw.of(scenario)
    assert draw is not None
    found = Load.of(Played(scenario, 0).log.columns(), draw)
    hours = np.diff(found.at, append=scenario.horizon) / MS_PER_H
    result = run(scenario, replications=1)
    assert result.energy is not None
    written = result.ledger["checkpoint"] * (draw.full_kw - draw.idle_kw)
    capped = result.sample.overhead_by_cause["power"] * draw.full_kw
    assert float((found.kw * hours).sum()) == pytest.approx(result.energy.total_kwh + written + capped, rel=1e-9)


def test_a_checkpoint_of_the_largest_job_is_told_apart() -> None:
    """720 GPUs of a GB200 rack of 120 kW for 72, PUE 1.25: 720 * (1 - 0.3) * 120 / 72 * 1.25 = 1,050 kW."""
    swing = Swing.of(read("plant/energised-late"), [0])
    assert swing is not None
    assert swing.checkpoint_kw == pytest.approx(1_050)
    assert swing.to_json()["checkpoint_kw"] == swing.checkpoint_kw
