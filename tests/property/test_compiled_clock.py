"""The text that is compiled gives the same integers as Python, all of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine.compiled_clock import play
from dcsim.ledger import COLUMNS, Ledgers
from dcsim.program.program import Program
from dcsim.scenario import Scenario
from tests.property.counted_scenarios import counted_scenarios
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios
from tests.property.scenarios import random_scenarios


def unequal(found: Ledgers, expected: Ledgers) -> list[str]:
    """Return the names of the columns that differ."""
    assert found.owners == expected.owners
    return [name for name in COLUMNS if not np.array_equal(getattr(found, name), getattr(expected, name))]


def differences(scenario: Scenario, numbers: list[int]) -> list[str]:
    """Return the names of the columns in which compiled rules and the same rules as plain Python differ."""
    program = Program(scenario)
    compiled, plain = (play(program, numbers, how).ledgers() for how in (True, False))
    return unequal(compiled.verified(scenario.capacity_gpu_ms), plain)


@settings(max_examples=150)
@given(counted_scenarios(), st.integers(0, 100))
def test_what_counts_settle(scenario: Scenario, first: int) -> None:
    """Typed blasts, crews, spares, priorities, late jobs and every strategy; several runs in one world."""
    assert differences(scenario, [first, first + 1, first + 5]) == []


@settings(max_examples=100)
@given(random_scenarios(), st.integers(0, 100))
def test_blasts_of_every_kind(scenario: Scenario, first: int) -> None:
    """Typed and derived blasts, distributions of repair."""
    assert differences(scenario, [first]) == []


@settings(max_examples=200)
@given(full_scenarios(), st.integers(0, 100))
def test_every_feature_without_a_plant(scenario: Scenario, first: int) -> None:
    """Ages, effects, stages, chances, tiers, shapes, work, maintenance and in-rack spares, alone and together."""
    assert differences(scenario, [first, first + 1]) == []


@settings(max_examples=150)
@given(plant_scenarios(), st.integers(0, 100))
def test_every_feature_with_a_plant(scenario: Scenario, first: int) -> None:
    """Power, cooling, networks, energisation and maintenance of all of it."""
    assert differences(scenario, [first]) == []
