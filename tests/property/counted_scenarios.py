"""Random scenarios that counts of GPUs settle: small clusters on which strikes overlap and queues form."""

from typing import Any

from hypothesis import strategies as st

from dcsim.scenario import Scenario
from tests.property.scenarios import text

KINDS = ("checkpoint-restart", "async-checkpoint", "fault-tolerant", "stateless", "elastic", "checkpointless")


@st.composite
def counted_scenarios(draw: st.DrawFn, simple: bool = False) -> Scenario:
    """Draw a scenario of 4 to 60 GPUs, jobs of every strategy, several hazards and some tens of failures.

    ``simple``: its failures may be added up (``program.simple``): one strategy, and no burst.
    """
    node = draw(st.sampled_from([1, 2, 4]))
    gpus = node * draw(st.integers(4, 60 // node))
    unit = draw(st.sampled_from([1, 1, 1, 7, 60_000]))
    horizon = draw(st.integers(20, 300))
    small = draw(st.booleans())  # whether any gang may run small: the queue then blocks nobody

    def duration(most: int, least: int = 0) -> str:
        return text(unit * draw(st.integers(least, most)))

    def recovery(size: int) -> dict[str, Any]:
        kind = KINDS[0] if simple else draw(st.sampled_from(KINDS if small else KINDS[:4]))
        keys: dict[str, Any] = {"kind": kind, "failover": duration(6), "restore": duration(6)}
        keys["spare"] = draw(st.sampled_from(["hot", "hot", "cold"]))
        keys["network_overhead"] = draw(st.sampled_from(["0 %", "3.3 %"]))
        if kind != "stateless" and (kind in KINDS[:2] or draw(st.booleans())):
            keys["checkpoint_every"], keys["checkpoint_write"] = (
                duration(20, 3),
                duration(draw(st.sampled_from([0, 4]))),
            )
        if kind == "async-checkpoint":
            keys["checkpoint_drain"] = duration(3)
        if kind == "elastic":
            keys["group"] = draw(st.sampled_from([each for each in range(1, size + 1) if size % each == 0]))
            groups = size // keys["group"]
            if draw(st.booleans()):
                keys["shapes"] = sorted({groups, *draw(st.sets(st.integers(1, groups), max_size=3))})
            keys["step"] = duration(3)
            if draw(st.booleans()):
                keys["rejoin"] = duration(5)
        return keys

    jobs: list[dict[str, Any]] = []
    left = gpus
    for number in range(draw(st.integers(1, 4))):
        if not left:
            break
        size = draw(st.integers(1, left))
        count = draw(st.integers(1, min(3, left // size)))
        left -= size * count
        job: dict[str, Any] = {"name": f"job {number}", "gpus": size, "count": count, "recovery": recovery(size)}
        job["priority"] = draw(st.integers(0, 2))
        job["submit"] = text(unit * draw(st.sampled_from([0, 0, 0, 1, horizon // 3, horizon])))
        jobs.append(job)
    hazards: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        failures = draw(st.sampled_from([2, 6, 15, 40]))
        hazard: dict[str, Any] = {"name": f"hazard {number}", "component": "gpu", "blast": draw(st.integers(1, gpus))}
        hazard["mtbf"] = text(max(1, unit * horizon * gpus // failures))
        hazard["detect"] = duration(draw(st.sampled_from([0, 3, 8])))
        time = {"kind": "exponential", "mean": duration(25, 1)} if draw(st.booleans()) else duration(20)
        stage: dict[str, Any] = {"time": time}
        pool = draw(st.sampled_from([None, "own", "shared"]))
        if pool:
            stage["crews"] = 2 if pool == "shared" else draw(st.integers(1, 3))
        if pool == "shared":
            stage["name"] = "technician"
        hazard["repair"] = stage
        if not simple and draw(st.booleans()):
            hazard["burst"] = {"size": draw(st.sampled_from([1.0, 3.0])), "within": duration(5)}
        hazards.append(hazard)
    shape = {
        "name": "small",
        "description": "",
        "node": {"gpus": node},
        "rack": {"nodes": 2},
        "nvlink": {"domain": "node"},
    }
    cluster = {"topology": shape, "gpus": gpus, "spares": draw(st.integers(0, left))}
    document = {"name": "random", "horizon": text(unit * horizon), "seed": draw(st.integers(0, 10_000))}
    return Scenario.model_validate({**document, "cluster": cluster, "jobs": jobs, "hazards": hazards})
