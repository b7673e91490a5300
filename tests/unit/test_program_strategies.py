"""Strategies as tables: what rules read of them is what their methods answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import Program, Runs
from dcsim.recovery import Recovery
from dcsim.rules.strategy import largest_shape, level
from dcsim.rules.work import times_speed
from dcsim.scenario import Scenario
from tests.property.full_scenarios import full_scenarios

FEATURES = ("async-checkpoint", "tiered-checkpoint", "checkpointless", "elastic", "stateless", "coverage")


def world_of(scenario: Scenario) -> PlainWorld:
    """The tables of a run."""
    runs = Runs(Program(scenario), [0], world := PlainWorld())
    runs.begin(0)
    world.answer = runs.answer_at_once
    world.take()
    return world


@settings(max_examples=150)
@given(full_scenarios(FEATURES))
def test_table_equals_methods(scenario: Scenario) -> None:
    """Levels, also for more members than there are, shapes and restores."""
    world = world_of(scenario)
    gangs = {gang.job: number for number, gang in enumerate(world.gangs)}
    for number, job in enumerate(scenario.jobs):
        recovery: Recovery = job.recovery
        gang = gangs[number]
        for struck in (*range(job.gpus + 2), 3 * job.gpus, 100):
            for uncovered in (False, True):
                assert level(world, gang, struck, uncovered) == int(recovery.level(struck, uncovered))
        for up in range(job.gpus + 1):
            world.gangs[gang].up = up
            assert largest_shape(world, gang) == int(recovery.legal(up, job.gpus))
        for tier in range(len(recovery.tiers)):
            assert world.tiers[number, tier].restore == recovery.restore_ms(tier, job.gpus)


@given(st.integers(-(10**17), 10**17), st.integers(1, 10**9))
def test_products_beyond_int64_are_exact(gpu_ms: int, speed: int) -> None:
    """A whole number of 10^9 and a rest, also below zero; every step of it fits int64."""
    whole, rest = times_speed(gpu_ms, speed)
    assert whole * 10**9 + rest == gpu_ms * speed
    assert 0 <= rest < 10**9
    assert max(abs(gpu_ms // 10**9 * speed), gpu_ms % 10**9 * speed) < np.iinfo(np.int64).max


@pytest.mark.parametrize("table", ["one", "gangs", "jobs", "hazards", "owner"])
def test_a_program_is_frozen(table: str) -> None:
    """Its runs have copies."""
    hazard = {"component": "gpu", "mtbf": "1 h", "blast": 1}
    jobs = [{"name": "a", "gpus": 4, "recovery": {"kind": "stateless"}}]
    cluster = {"topology": "hgx-h100", "gpus": 8}
    document = {"name": "least", "horizon": "1 s", "cluster": cluster, "jobs": jobs, "hazards": [hazard]}
    program = Program(Scenario.model_validate(document))
    with pytest.raises(ValueError, match="read-only"):
        program.tables[table][...] = program.tables[table]
