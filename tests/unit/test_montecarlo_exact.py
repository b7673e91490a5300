"""How many runs and how long they take, by hand: signs, powers and bounds that ranges do not tell apart."""

import math
import sys
from types import ModuleType

import pytest

from dcsim.montecarlo import Engine, reliability
from dcsim.montecarlo.engines import FAILURE_S, PLACED, RUN_S, seconds_a_run
from dcsim.montecarlo.ray_executor import cluster
from dcsim.montecarlo.reliability import runs_by_skewness, runs_needed, skewness
from dcsim.scenario import Scenario
from tests.unit.montecarlo_fakes import small


def test_a_run_takes_its_own_time_and_that_of_its_failures() -> None:
    """64 GPUs that fail every 2,000 h in 1,000 h: 32 failures, which strike nodes by place."""
    expected = RUN_S["compiled"] + 32 * PLACED * FAILURE_S["compiled"]
    assert seconds_a_run(Engine("compiled"), small()) == pytest.approx(expected, rel=1e-9)


def test_runs_that_are_needed_by_hand() -> None:
    """The job waits for each repair; half of them are of the wrong node, so the stall is a geometric number of c.

    Cumulants of the stall, success 1/2: 2c, 2c^2, 6c^3; of the repair, exponential of mean r: r, r^2, 2r^3. With
    raw moments M2 and M3 per failure, n = 25 M3^2 / M2^3 / (rate * horizon); the GPUs cancel.
    """
    scenario = Scenario.model_validate(
        {
            "name": "by hand",
            "horizon": "1000 h",
            "cluster": {"topology": "hgx-h100", "gpus": 64},
            "jobs": [
                {
                    "name": "a",
                    "gpus": 32,
                    "recovery": {"kind": "fault-tolerant", "spare": "cold", "failover": "1 h"},
                }
            ],
            "hazards": [
                {
                    "component": "gpu",
                    "mtbf": "32000 h",
                    "blast": 1,
                    "detect": "2 h",
                    "wrong_node": "50 %",
                    "repair": {"kind": "exponential", "mean": "5 h"},
                }
            ],
        }
    )
    c, r = 3.0, 5.0
    one, two, three = 2 * c + r, 2 * c**2 + r**2, 6 * c**3 + 2 * r**3
    second, third = two + one**2, three + 3 * one * two + one**3
    assert runs_needed(scenario) == math.ceil(25 * third**2 / second**3)  # one failure of the job is expected


def test_as_many_runs_as_are_called_far_fewer_are_not_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound itself is no longer far fewer."""
    sample = [0, 0, 0, 1]
    monkeypatch.setattr(reliability, "SURPRISED", 4 / skewness(sample) ** 2)
    assert reliability.SURPRISED * skewness(sample) ** 2 == 4.0
    assert runs_by_skewness(sample) is None


def test_a_ray_that_is_there_gives_the_workers_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for 3 workers it is 3, not the CPUs of the cluster; the connection is left open."""
    ray = ModuleType("ray")
    ray.__spec__ = sys.__spec__
    vars(ray).update(is_initialized=lambda: True, cluster_resources=lambda: {"CPU": 7.0})
    monkeypatch.setitem(sys.modules, "ray", ray)
    with cluster(3) as workers:
        assert workers == 3
    with cluster() as workers:
        assert workers == 7
