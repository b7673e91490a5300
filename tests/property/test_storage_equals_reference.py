"""With storage gateways, too, the accounts of the rules equal those of the slow reference simulator, every integer."""

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from dcsim.scenario import Scenario
from tests.property.storage_scenarios import storage_scenarios
from tests.property.test_engine_equals_reference import compare


@settings(max_examples=250)
@given(storage_scenarios(), st.integers(0, 100))
def test_storage_equals_reference(scenario: Scenario, replication: int) -> None:
    """Loads and writes that share storage gateways, over damaged links, alone and with everything else."""
    assert compare(scenario, replication) == []


@pytest.mark.exhaustive
@seed(20_261_128)
@settings(max_examples=3000, derandomize=False, database=None, phases=[Phase.generate])
@given(storage_scenarios(), st.integers(0, 100))
def test_storage_equals_reference_thousands_of_times(scenario: Scenario, replication: int) -> None:
    """The same comparison over 3,000 scenarios with storage gateways."""
    assert compare(scenario, replication) == []
