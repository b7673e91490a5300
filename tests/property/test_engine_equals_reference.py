"""The engine's accounts equal those of the slow reference simulator, every integer, on random scenarios."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import engine
from dcsim.ledger import STATES, Accounts
from dcsim.scenario import Scenario
from tests.property import reference
from tests.property.full_scenarios import full_scenarios
from tests.property.scenarios import random_scenarios


def differences(found: Accounts, expected: Accounts) -> list[str]:
    """Return one line per account that differs."""
    if found.owners != expected.owners:
        return [f"owners: {found.owners}, not {expected.owners}"]
    lines = [
        f"{owner} {state}: {found.gpu_ms[row, column]}, not {expected.gpu_ms[row, column]}"
        for row, owner in enumerate(expected.owners)
        for column, state in enumerate(STATES)
        if found.gpu_ms[row, column] != expected.gpu_ms[row, column]
    ]
    for name in ("failures", "drawn"):
        if getattr(found, name) != getattr(expected, name):
            lines.append(f"{name}: {getattr(found, name)}, not {getattr(expected, name)}")
    if not np.array_equal(found.strikes, expected.strikes):
        lines.append(f"strikes: {found.strikes.tolist()}, not {expected.strikes.tolist()}")
    if not np.array_equal(found.overhead_gpu_ms, expected.overhead_gpu_ms):
        lines.append("the causes of overhead differ")
    return lines


def compare(scenario: Scenario, replication: int, expected: Accounts | None = None) -> list[str]:
    """Return what differs between the rules and the reference, the ends of work included.

    ``expected``: what the reference has said before.
    """
    if expected is None:
        expected = reference.simulate(scenario, replication).verified(scenario.capacity_gpu_ms)
    found = engine.simulate(scenario, replication)
    names = ("asked_gpu_ms", "finished", "last_finish_ms")
    ends = [f"{name} differs" for name in names if getattr(found, name).tolist() != getattr(expected, name).tolist()]
    return differences(found, expected) + ends


@settings(max_examples=max(800, settings.default.max_examples))
@given(random_scenarios(), st.integers(0, 100))
def test_engine_equals_reference(scenario: Scenario, replication: int) -> None:
    """Every account, the strikes and the failures of a random run are those of the reference, to the unit."""
    assert compare(scenario, replication) == []


@settings(max_examples=400)
@given(full_scenarios(), st.integers(0, 100))
def test_engine_equals_reference_with_every_feature(scenario: Scenario, replication: int) -> None:
    """The same with ages, effects, stages, shapes, tiers, work, maintenance and in-rack spares, alone and together."""
    assert compare(scenario, replication) == []
