"""On the same draws the batch engine gives the integer accounts of the SimPy engine, all of them."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcsim import batch
from dcsim.engine import simulate
from dcsim.ledger import Ledgers
from dcsim.scenario import Scenario
from tests.property.counted_scenarios import counted_scenarios
from tests.property.scenarios import random_scenarios

COLUMNS = (
    "replications",
    "gpu_ms",
    "overhead_gpu_ms",
    "strikes",
    "failures",
    "drawn",
    "asked_gpu_ms",
    "finished",
    "last_finish_ms",
)


def differences(scenario: Scenario, numbers: list[int]) -> list[str]:
    """Return the names of the columns that differ."""
    found = batch.simulate_many(scenario, numbers)
    expected = Ledgers.of([simulate(scenario, number) for number in numbers])
    assert found.owners == expected.owners
    return [name for name in COLUMNS if not np.array_equal(getattr(found, name), getattr(expected, name))]


@settings(max_examples=max(400, settings.default.max_examples))
@given(counted_scenarios(), st.integers(0, 100))
def test_batch_equals_engine(scenario: Scenario, first: int) -> None:
    """Typed blasts, crews, spares, priorities, late jobs and every strategy, elastic ones among them."""
    assert batch.objections(scenario) == ()
    assert differences(scenario, [first, first + 1, first + 5]) == []


@settings(max_examples=200)
@given(random_scenarios(), st.integers(0, 100))
def test_batch_equals_engine_where_it_may_run(scenario: Scenario, first: int) -> None:
    """Whatever the batch engine has nothing against, it does as SimPy does."""
    assume(not batch.objections(scenario))
    assert differences(scenario, [first]) == []
