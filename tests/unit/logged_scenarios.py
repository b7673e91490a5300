"""Scenarios with traces of a log, for the tests of what traces take from files."""

import pytest

import dcsim
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.scenario import Scenario, ScenarioError
from dcsim.scenario.plan import plan
from dcsim.units import MS_PER_H

HEAD = """
name = "records"
horizon = "{horizon} h"
seed = 7
cluster = {{ topology = "hgx-h100", gpus = {gpus} }}
jobs = [{{ name = "a", gpus = 8, recovery = {{ kind = "fault-tolerant" }} }}]
"""
CAUSES = """start,end,component,cause
2024-03-01T00:00,2024-03-01T02:00,rack-a,power
2024-03-03T12:00,2024-03-03T13:00,n10,gpu
2024-03-05T00:00,2024-03-05T03:00,n9,network
2024-03-09T00:00,2024-03-09T01:00,n10,network
2024-03-11T00:00,2024-03-11T04:00,n11,gpu
"""


def writer(folder):
    """Return what writes a log and a scenario of these hazards, each a name and keys of its trace, and its path."""

    def written(log, *hazards, horizon=200, gpus=64, file="log.csv", component="node"):
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(log) if isinstance(log, bytes) else path.write_text(log)
        tables = [
            f'[[hazards]]\nname = "{name}"\ncomponent = "{component}"\n'
            f'mtbf = {{ kind = "trace", file = "{file}"{keys and ", "}{keys} }}\n'
            for name, keys in hazards
        ]
        scenario = folder / "mine.toml"
        scenario.write_text(HEAD.format(horizon=horizon, gpus=gpus) + "".join(tables))
        return scenario

    return written


def traces(path, **keys) -> dict[str, TraceLifetime]:
    """The traces of a scenario by their hazard's name."""
    return {hazard.key: hazard.lifetime for hazard in dcsim.load(path, **keys).hazards}


def failures(scenario: Scenario, replication: int = 0) -> dict[str, list[tuple[float, int]]]:
    """When each hazard's failures come [h], and which component fails."""
    found = {}
    for draws in plan(scenario).draws(replication):
        times = (draws.failures.times / MS_PER_H).tolist()
        found[draws.hazard.key] = list(zip(times, draws.failures.marks.tolist(), strict=True))
    return found


def errors(path) -> list[str]:
    """The lines of a scenario's mistakes, without the name of its file."""
    with pytest.raises(ScenarioError) as caught:
        dcsim.load(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


GPU, NETWORK = 'where = { cause = "gpu" }', 'where = { cause = "network" }'
