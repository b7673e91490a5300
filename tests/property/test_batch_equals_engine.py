"""On the same draws the batch engine gives the integer accounts of the SimPy engine, all of them."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcsim import batch
from dcsim.engine import simulate
from dcsim.ledger import Ledgers
from dcsim.scenario import Scenario
from tests.property import reference
from tests.property.counted_scenarios import counted_scenarios
from tests.property.scenarios import random_scenarios, text

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


@st.composite
def counted_records(draw: st.DrawFn) -> Scenario:
    """Draw a scenario for counts whose hazards replay records, most of them cut from one."""
    scenario = draw(counted_scenarios())
    horizon = scenario.horizon
    span = draw(st.integers(horizon // 3 + 1, horizon))
    clock = {"span": text(span), "start": draw(st.sampled_from(["fixed", "random"])), "repeat": True}
    hazards = []
    for hazard in scenario.hazards:
        at = draw(st.lists(st.integers(0, span - 1), min_size=1, max_size=12))
        keys = clock | {"kind": "trace", "at": [text(each) for each in at]}
        if draw(st.sampled_from([True, True, False])):
            keys["record"] = "log"
        plain = hazard.model_dump(mode="json", exclude_none=True, exclude={"burst"})
        if draw(st.booleans()):
            plain["component"], plain["blast"] = "node", "node"
            keys["component"] = draw(st.lists(st.integers(0, 99), min_size=len(at), max_size=len(at)))
        if draw(st.booleans()):
            keys["repair"] = [text(draw(st.integers(0, horizon // 4))) for _ in at]
        hazards.append({**plain, "mtbf": keys})
    return Scenario.model_validate({**scenario.model_dump(mode="json", exclude_none=True), "hazards": hazards})


@settings(max_examples=200)
@given(counted_records(), st.integers(0, 100))
def test_batch_replays_records_as_the_reference_does(scenario: Scenario, replication: int) -> None:
    """Records of their own and traces of one record give the same integers in all three simulators."""
    assert batch.objections(scenario) == ()
    assert differences(scenario, [replication]) == []
    found = batch.simulate_many(scenario, [replication])
    expected = Ledgers.of([reference.simulate(scenario, replication)])
    assert [name for name in COLUMNS if not np.array_equal(getattr(found, name), getattr(expected, name))] == []
