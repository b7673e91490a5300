"""Which engine is taken, and what is said of it; batch is a stand-in here, so that every case can be had."""

import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import Engine, EngineError, choose, choose_all
from dcsim.montecarlo.engines import BATCH, SIMPY, simulate_many
from dcsim.montecarlo.runner import replicate
from tests.unit.montecarlo_fakes import fake, small

AGEING = "its components age"


@pytest.fixture
def batch(monkeypatch):
    """A batch engine that objects to every seed but 3, and notes what it is asked for."""
    found = ModuleType("dcsim.batch")
    found.asked = []

    def simulate(scenario, numbers):
        found.asked.append(list(numbers))
        return Ledgers.of([fake(scenario, number) for number in numbers])

    found.objections = lambda scenario: () if scenario.seed == 3 else (AGEING, "it has a plant")
    found.simulate_many = simulate
    found.block_size = lambda plan: 1
    monkeypatch.setitem(sys.modules, "dcsim.batch", found)
    monkeypatch.setattr("dcsim.batch", found)
    return found


def test_auto_takes_batch_wherever_it_is_exact(batch):
    """Auto takes batch unless it objects, and then says all that it objects to."""
    assert choose(small()) == BATCH == Engine("batch")
    assert choose(small(seed=4)) == Engine("simpy", (AGEING, "it has a plant"))
    assert choose(small(), "simpy") == SIMPY
    assert choose(small(seed=4), "simpy").why == ("asked for",)


def test_batch_is_never_replaced_in_silence(batch):
    """Who asks for batch gets batch, or every objection to every scenario, each once."""
    assert choose_all([small(), small()], "batch") == [BATCH, BATCH]
    with pytest.raises(EngineError) as caught:
        choose_all([small(), small(seed=4), small(seed=4), small(seed=5, name="b")], "batch")
    told = [f'--engine batch: "{name}": {why}' for name in ("small", "b") for why in (AGEING, "it has a plant")]
    assert list(caught.value.problems) == told
    assert str(pickle.loads(pickle.dumps(caught.value))) == "\n".join(told)


def test_what_documents_say(batch):
    """Manifest and JSON name the engine, and of SimPy why it was not batch."""
    assert BATCH.to_json() == {"engine": "batch"}
    assert choose(small(seed=4)).to_json() == {"engine": "simpy", "engine_why": [AGEING, "it has a plant"]}


def test_tasks_go_to_the_engine_that_was_chosen(batch):
    """A run by batch asks it for blocks of replications, in tasks that are no longer than it works at a time."""
    sample = replicate(small(), 40, workers=1)
    assert batch.asked == [list(range(16)), list(range(16, 32)), list(range(32, 40))]
    assert np.array_equal(sample.gpu_ms, replicate(small(), 40, workers=1, simulate=fake).gpu_ms)
    batch.asked.clear()
    replicate(small(seed=4), 1, workers=1)
    assert batch.asked == []
    assert simulate_many("batch", small(), range(1, 9, 4)).replications.tolist() == [1, 5]
    assert batch.asked == [[1, 5]]
