"""What a run that is watched shows in the millisecond in which something ends."""

from dcsim.engine import SimPyRun
from dcsim.scenario import Scenario


def test_a_gang_runs_from_the_millisecond_in_which_its_failover_ends() -> None:
    """Struck at 1 h and known at once; failover takes 10 min."""
    scenario = Scenario.model_validate(
        {
            "name": "watched",
            "horizon": "10 h",
            "cluster": {"topology": "hgx-h100", "gpus": 16},
            "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "fault-tolerant", "failover": "10 min"}}],
            "hazards": [
                {
                    "component": "node",
                    "mtbf": {"kind": "trace", "at": ["1 h"], "component": [0], "span": "100 h"},
                    "repair": "1 h",
                }
            ],
        }
    )
    run = SimPyRun(scenario)
    seen = []
    for moment in (3_599_999, 4_199_999, 4_200_000, 4_200_001):
        run.run(until=moment)
        seen.append((run.now, next(iter(run.gangs.values())).phase))
    assert seen == [
        (3_599_999, "running"),
        (4_199_999, "failover"),
        (4_200_000, "running"),
        (4_200_001, "running"),
    ]
