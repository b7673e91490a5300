"""Tiny scenarios with hand-chosen failures, for tests that state every account as arithmetic. Times in ms."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from dcsim import engine
from dcsim.hazards import Draws, Failures, Hazard, Outcomes
from dcsim.ledger import STATES
from dcsim.scenario import Plan, Scenario
from tests.property import reference
from tests.property.scenarios import text

Struck = tuple[int, int, int]
"""Time [ms], mark (slot or component), repair [ms]."""


class Chosen(Draws):
    """Failures that a test chose, each with its repair time."""

    def __init__(self, hazard: Hazard, rows: list[Struck]) -> None:
        super().__init__(hazard, 1, 1, 1, lambda purpose: np.random.default_rng(0))
        times, marks, self.repairs = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        self.chosen = Failures(times, marks, np.zeros(len(rows), dtype=bool))
        self.done = 0

    @property
    def failures(self) -> Failures:
        """What was chosen."""
        return self.chosen

    def outcomes(self, count: int) -> Outcomes:
        """The hazard's outcomes, but for the repair times."""
        drawn = super().outcomes(count)
        self.done += count
        repairs = self.repairs[self.done - count : self.done]
        return Outcomes(drawn.detect, drawn.wrong, repairs[None, :], drawn.fixed)


def job(name: str, gpus: int, *, kind: str = "checkpoint-restart", **keys: Any) -> dict[str, Any]:
    """Describe a job: failover 3, restore 4, a write of no length after each 10 ms of computing."""
    recovery: dict[str, Any] = {"kind": kind}
    durations = {"failover": 3, "restore": 4, "checkpoint_every": 10, "checkpoint_write": 0}
    for key, default in durations.items():
        recovery[key] = text(keys.pop(key, default))
    for key in ("spare", "network_overhead", "memory_overhead"):
        if key in keys:
            recovery[key] = keys.pop(key)
    return {"name": name, "gpus": gpus, "submit": text(keys.pop("submit", 0)), "recovery": recovery, **keys}


def hazard(name: str = "gpu", *, component: str = "gpu", detect: int = 2, **keys: Any) -> dict[str, Any]:
    """Describe a hazard that is identified after 2 ms and strikes one GPU, unless ``blast`` says else."""
    stage: dict[str, Any] = {"time": "1 s"}
    stage |= {key: keys.pop(other) for other, key in (("crews", "crews"), ("stage", "name")) if other in keys}
    keys = {"blast": 1} | keys
    if keys["blast"] is None:
        del keys["blast"]
    repair = {"component": component, "mtbf": "1 y", "detect": text(detect), "repair": stage}
    return {"name": name, **repair, **keys}


def scenario(gpus: int, *jobs: Any, hazards: Any = None, node: int = 1, rack: int = 4, **keys: Any) -> Scenario:
    """Build a scenario of 100 ms on racks of ``rack`` nodes of ``node`` GPUs."""
    shape = {"node": {"gpus": node}, "rack": {"nodes": rack}, "nvlink": {"domain": "node"}}
    topology = {"name": "tiny", "description": "", **shape}
    return Scenario.model_validate(
        {
            "name": "literal",
            "horizon": text(keys.pop("horizon", 100)),
            "cluster": {"topology": topology, "gpus": gpus, "spares": keys.pop("spares", 0), **keys.pop("cluster", {})},
            "jobs": list(jobs),
            "hazards": hazards or [hazard()],
            **keys,
        }
    )


@contextmanager
def chosen(failures: Sequence[Sequence[Struck]]) -> Iterator[None]:
    """Let every run meet these failures, a list for each hazard; rules draw none by themselves."""
    with (
        patch.object(Plan, "draws", lambda plan, replication: [*map(Chosen, plan.scenario.hazards, failures)]),
        patch("dcsim.engine.compiled_clock.proven_laws", frozenset),
    ):
        yield


def expect(
    tiny: Scenario,
    failures: list[list[Struck]],
    books: dict[str, dict[str, int]],
    strikes: dict[str, int] | None = None,
    effective: int | None = None,
) -> None:
    """Assert that engine, SimPy's clock and reference all give exactly these books [GPU-ms] (states not named: 0).

    ``failures``: a list for each hazard; ``strikes`` by job; ``effective``: failures counted.
    """
    wanted = {owner: {state: gpu_ms for state, gpu_ms in row.items() if gpu_ms} for owner, row in books.items()}
    with chosen(failures):
        for simulate in (engine.simulate, engine.simulate_by_simpy, reference.simulate):
            accounts = simulate(tiny, 0)
            found = {
                owner: {state: int(row[column]) for column, state in enumerate(STATES) if row[column]}
                for owner, row in zip(accounts.owners, accounts.gpu_ms, strict=True)
                if row.any()
            }
            assert found == wanted, simulate.__module__
            if strikes is not None:
                counted = dict(zip(accounts.owners, accounts.strikes.tolist(), strict=True))
                assert {owner: count for owner, count in counted.items() if count} == strikes
            if effective is not None:
                assert accounts.failures == effective
