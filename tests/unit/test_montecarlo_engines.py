"""Which clock is taken, and what is said of it."""

import numpy as np
import pytest

from dcsim.montecarlo import Engine, choose
from dcsim.montecarlo.engines import SIMPY, WITHOUT_NUMBA, simulate_many
from tests.unit.montecarlo_fakes import fake, replicate, small

CLOCKS = (Engine("compiled"), Engine("simpy"))


def test_auto_takes_compiled_rules_where_there_is_numba(monkeypatch):
    """Without numba, or with its compiler switched off, the same rules run as plain Python, and that is said."""
    assert choose() == Engine("compiled")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert choose() == Engine("plain", (WITHOUT_NUMBA,))
    assert choose("simpy") == SIMPY
    assert choose("simpy", monthly=False) == Engine("simpy", ("asked for",), False)


def test_what_documents_say():
    """Manifest and JSON name the clock, and why it is not the compiled one."""
    assert Engine("compiled").to_json() == {"engine": "compiled"}
    assert SIMPY.to_json() == {"engine": "simpy", "engine_why": ["asked for"]}


@pytest.mark.parametrize("engine", CLOCKS, ids=lambda each: each.name)
def test_runs_are_those_that_were_asked_for(engine):
    """Each run depends on its number alone, whichever others are simulated with it."""
    together = simulate_many(engine, small(), range(1, 9, 4))
    assert together.replications.tolist() == [1, 5]
    assert np.array_equal(together.gpu_ms[1], simulate_many(engine, small(), [5]).gpu_ms[0])


def test_every_clock_gives_the_same_integers():
    """Ledgers, months and causes are the same by each."""
    first, *others = (simulate_many(each, small(), range(4)) for each in CLOCKS)
    for other in others:
        for one, two in zip(first.columns()[:-2], other.columns()[:-2], strict=True):
            assert np.array_equal(one, two)


def test_months_are_left_out_on_request():
    """Then the ledgers have no rows for months and causes."""
    assert simulate_many(Engine("compiled"), small(), [0]).gpu_ms_by_month.shape[1] > 0
    assert simulate_many(Engine("compiled", (), False), small(), [0]).gpu_ms_by_month.shape[1] == 0


def test_what_takes_the_place_of_the_clocks():
    """A function of scenario and run, for tests."""
    assert replicate(small(), 2, workers=1, simulate=fake).ledgers.replications.tolist() == [0, 1]
