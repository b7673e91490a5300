"""Random scenarios in which strikes overlap, queues form and events fall on one millisecond."""

from typing import Any

from hypothesis import strategies as st

from dcsim.scenario import Scenario

PARTS = ("gpu", "node", "rack")


def text(ms: int) -> str:
    """Write milliseconds as a scenario file would."""
    return f"{ms // 1000}.{ms % 1000:03d} s"


@st.composite
def random_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario of 8 to 200 GPUs and some tens of failures."""
    node, per_rack = draw(st.sampled_from([(4, 2), (8, 1), (2, 3), (3, 2), (1, 5)]))
    gpus = node * draw(st.integers(-(-8 // node), draw(st.sampled_from([12, 12, 24, 200 // node]))))
    unit = draw(st.sampled_from([1, 1, 1, 7, 60_000]))  # coarse units draw longer stretches, 1 ms draws ties
    horizon = draw(st.integers(20, 400))

    def duration(most: int, least: int = 0) -> str:
        return text(unit * draw(st.integers(least, most)))

    def recovery() -> dict[str, Any]:
        kind = draw(st.sampled_from(["checkpoint-restart", "fault-tolerant"]))
        keys: dict[str, Any] = {"kind": kind, "failover": duration(6), "restore": duration(6)}
        keys["spare"] = draw(st.sampled_from(["hot", "hot", "cold"]))
        keys["checkpoint_write"] = duration(draw(st.sampled_from([0, 4])))
        if kind == "checkpoint-restart" or draw(st.booleans()):
            keys["checkpoint_every"] = duration(20, 1)
        keys["network_overhead"], keys["memory_overhead"] = draw(
            st.sampled_from([("0 %", "0 %"), ("5 %", "0 %"), ("3.3 %", "1.7 %")])
        )
        return keys

    def repair_time() -> Any:
        mean = duration(25, 1)
        return draw(
            st.sampled_from(
                [
                    duration(20),
                    {"kind": "exponential", "mean": mean},
                    {"kind": "lognormal", "mean": mean, "sigma": 1.0},
                    {"kind": "weibull", "mean": mean, "shape": 0.7},
                    {"kind": "empirical", "values": [text(0), mean, duration(9)]},
                ]
            )
        )

    jobs: list[dict[str, Any]] = []
    left = gpus
    number_of_jobs = draw(st.sampled_from([1, 2, 3, 3, 4]))
    for number in range(number_of_jobs):
        if left == 0:
            break
        last = number == number_of_jobs - 1
        size = draw(st.integers(1, max(1, left // 2)) if not last else st.integers(max(1, left * 2 // 3), left))
        count = draw(st.integers(1, min(3, left // size)))
        left -= size * count
        jobs.append(
            {
                "name": f"job {number}",
                "gpus": size,
                "count": count,
                "priority": draw(st.integers(0, 3)),
                "submit": text(unit * draw(st.sampled_from([0, 0, 0, 1, horizon // 3, horizon]))),
                "recovery": recovery(),
            }
        )
    crews = draw(st.integers(1, 3))
    hazards: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        component = draw(st.integers(0, 2))
        blast: dict[str, Any] = draw(
            st.one_of(
                st.just({}),
                st.integers(component, 2).map(lambda part: {"blast": PARTS[part]}),
                st.integers(1, gpus + 3).map(lambda size: {"blast": size}),
                st.integers(1, min(8, gpus)).map(lambda size: {"blast": size}),
            )
        )
        stage: dict[str, Any] = {"time": repair_time()}
        if pool := draw(st.sampled_from([None, "own", "shared"])):
            stage["crews"] = crews if pool == "shared" else draw(st.integers(1, 2))
        if pool == "shared":
            stage["name"] = "technician"
        components = gpus // (1, node, node * per_rack)[component] or 1
        failures = draw(st.sampled_from([2, 6, 15, 25, 50]))
        hazards.append(
            {
                "name": f"hazard {number}",
                "component": PARTS[component],
                "mtbf": text(max(1, unit * horizon * components // failures)),
                "detect": duration(draw(st.sampled_from([0, 8]))),
                "repair": stage if pool or draw(st.booleans()) else stage["time"],
                **blast,
            }
        )
    return Scenario.model_validate(
        {
            "name": "random",
            "horizon": text(unit * horizon),
            "seed": draw(st.integers(0, 10_000)),
            "cluster": {
                "topology": {
                    "name": "small",
                    "description": "",
                    "node": {"gpus": node},
                    "rack": {"nodes": per_rack},
                    "nvlink": {"domain": "node"},
                },
                "gpus": gpus,
                "spares": draw(st.integers(0, left)),
            },
            "jobs": jobs,
            "hazards": hazards,
        }
    )
