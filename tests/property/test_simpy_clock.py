"""SimPy's clock gives the integers of the compiled clock: on the shipped scenarios, and on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import SimPyRun, simulate_by_simpy
from dcsim.engine.compiled_clock import play, simulate_many
from dcsim.ledger import COLUMNS, Ledgers
from dcsim.program.program import Program
from dcsim.scenario import Scenario, certain, load
from dcsim.shipped import shipped_files
from tests.property.counted_scenarios import counted_scenarios
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios
from tests.property.scenarios import random_scenarios
from tests.property.test_compiled_storage import storage_scenarios

FILES = shipped_files("scenarios")
SLOW = ("airesim-table1/", "plant/optics-", "plant/storm-")
HUGE = "plant/turbines-"
"""A run of these takes seconds: they are cut after a tenth of their horizon."""


def unequal(found: Ledgers, expected: Ledgers) -> list[str]:
    """Return the names of the columns that differ."""
    assert found.owners == expected.owners
    return [name for name in COLUMNS if not np.array_equal(getattr(found, name), getattr(expected, name))]


def by_simpy(scenario: Scenario, numbers: list[int]) -> Ledgers:
    """Play these runs by SimPy's clock."""
    return Ledgers.of([simulate_by_simpy(scenario, number) for number in numbers])


def differences(scenario: Scenario, first: int) -> list[str]:
    """Return the names of the columns in which SimPy's clock and the one heap differ: the same rules, two orders."""
    numbers = [first, first + 1]
    one_heap = play(Program(scenario), numbers, False).ledgers().verified(scenario.capacity_gpu_ms)
    return unequal(by_simpy(scenario, numbers), one_heap)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_shipped_scenario_gives_the_same_integers(name: str) -> None:
    """Every column of the ledgers of runs 0 and 1; what is uncertain is at its point value."""
    scenario = certain(load(FILES[name]))
    if name.startswith(SLOW):
        scenario = scenario.model_copy(update={"horizon": scenario.horizon // 10})
    if name.startswith(HUGE):  # 100,000 GPUs on turbines: the part until the first of them have failed
        scenario = scenario.model_copy(update={"horizon": scenario.horizon // 60})
    assert unequal(by_simpy(scenario, [0, 1]), simulate_many(scenario, [0, 1])) == []


@settings(max_examples=75)
@given(counted_scenarios(), st.integers(0, 100))
def test_what_counts_settle(scenario: Scenario, first: int) -> None:
    """Typed blasts, crews, spares, priorities, late jobs; here no failure is settled before its time."""
    assert differences(scenario, first) == []


@settings(max_examples=50)
@given(random_scenarios(), st.integers(0, 100))
def test_blasts_of_every_kind(scenario: Scenario, first: int) -> None:
    """Typed and derived blasts, distributions of repair."""
    assert differences(scenario, first) == []


@settings(max_examples=120)
@given(full_scenarios(), st.integers(0, 100))
def test_every_feature_without_a_plant(scenario: Scenario, first: int) -> None:
    """Ages, effects, stages, chances, tiers, shapes, work, maintenance and in-rack spares, alone and together."""
    assert differences(scenario, first) == []


@settings(max_examples=75)
@given(plant_scenarios(), st.integers(0, 100))
def test_every_feature_with_a_plant(scenario: Scenario, first: int) -> None:
    """Power, cooling, networks, energisation and maintenance of all of it."""
    assert differences(scenario, first) == []


@settings(max_examples=75)
@given(storage_scenarios(), st.integers(0, 100))
def test_transfers_share_the_gateways(scenario: Scenario, first: int) -> None:
    """Loads and writes, every end of work, with and without a network that stretches transfers."""
    assert differences(scenario, first) == []


@settings(max_examples=50)
@given(st.one_of(full_scenarios(), plant_scenarios(), storage_scenarios()), st.integers(0, 100))
def test_the_event_log_is_the_same(scenario: Scenario, first: int) -> None:
    """Row by row: what happens within a millisecond comes in one order, whoever owns the loop."""
    one_heap = play(Program(scenario), [first], False, logs=2).log().columns()
    found = SimPyRun(scenario, first, events=True).log().columns()
    assert list(found) == list(one_heap)
    assert [name for name in found if not np.array_equal(found[name], one_heap[name])] == []


@settings(max_examples=60)
@given(st.one_of(full_scenarios(), plant_scenarios()), st.integers(0, 100), st.data())
def test_looking_changes_nothing(scenario: Scenario, first: int, data: st.DataObject) -> None:
    """Stopping wherever one likes, stepping, reading every view and hooks on every rule leave the integers alone."""
    run = SimPyRun(scenario, first)
    for time in sorted(data.draw(st.lists(st.integers(0, scenario.horizon), max_size=3))):
        run.run(until=time)
        run.step()
        look(run)
    for rule in ("happen", "set_owner", "book", "push", "come_back", "serve", "largest_shape"):
        run.before(rule, lambda w, **said: look(run) if w.one.failed % 7 == 3 else None)
        run.after(rule, lambda w, now, **said: None)
    assert unequal(Ledgers.of([run.accounts()]), Ledgers.of([simulate_by_simpy(scenario, first)])) == []


def look(run: SimPyRun) -> None:
    """Read all that there is to see."""
    for view in (*run.gangs.values(), *run.hazards.values(), *run.crews.values(), *run.repairs, *run.racks):
        for name in dir(type(view)):
            if not name.startswith("_"):
                getattr(view, name)
    assert run.free >= 0
    assert len(run.queue) <= len(run.gangs)
    assert run.failures >= 0
    assert run.unserved == sorted(run.unserved)
