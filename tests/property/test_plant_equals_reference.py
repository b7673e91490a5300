"""With a plant, too, the engine's accounts equal those of the slow reference simulator, every integer."""

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from dcsim.scenario import Scenario
from tests.property.plant_scenarios import plant_scenarios
from tests.property.test_engine_equals_reference import compare


@settings(max_examples=120)
@given(plant_scenarios(), st.integers(0, 100))
def test_plant_equals_reference(scenario: Scenario, replication: int) -> None:
    """Failures, windows, dates and shortages of the plant, alone and with everything else."""
    assert compare(scenario, replication) == []


@pytest.mark.exhaustive
@seed(20_261_128)
@settings(max_examples=3000, derandomize=False, database=None)
@given(plant_scenarios(), st.integers(0, 100))
def test_plant_equals_reference_thousands_of_times(scenario: Scenario, replication: int) -> None:
    """The same comparison over 3,000 scenarios with energisation, shared links and all else of a plant."""
    assert compare(scenario, replication) == []
