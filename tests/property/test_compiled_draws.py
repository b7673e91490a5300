"""Random numbers that rules make are numpy's, bit for bit; where one is not, numpy draws, and no result changes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import compiled_clock, compiled_draws
from dcsim.engine.compiled_clock import is_compiled, play
from dcsim.engine.compiled_draws import NAMES, noted, of_machine_code, of_numpy, proven_laws, sample_world, tried
from dcsim.engine.machine_code import machine_code
from dcsim.ledger import Ledgers
from dcsim.program.draws import EVERY_LAW, EXPONENTIAL, NORMAL, UNIFORM
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import Program
from dcsim.program.simple import is_counted
from dcsim.program.world import World
from dcsim.rules import random_numbers
from dcsim.scenario import Scenario, certain, load
from dcsim.shipped import shipped_files
from tests.property.counted_scenarios import counted_scenarios
from tests.property.test_compiled_clock import unequal

pytestmark = pytest.mark.skipif(not is_compiled(), reason="numba is not here or not wanted")
HEADLINE = Path(__file__).parents[1] / "benchmark" / "headline.toml"
FILES = shipped_files("scenarios")
DRAWN = ["failures/causes", "failures/technicians", "pretrain-5184/gold", "strategies-5184/tiered-checkpoint"]
RUNS = [0, 1, 7]


def ledgers(name: str, laws: frozenset[int], numbers: list[int] = RUNS, compiled: bool = True) -> Ledgers:
    """Play runs of a shipped scenario in which rules draw these laws."""
    return play(Program(certain(load(FILES[name]))), numbers, compiled, laws=laws).ledgers()


@pytest.mark.parametrize("law", sorted(NAMES))
@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 + 3, 2**128 + 2**97])
@pytest.mark.parametrize("run", [0, 2**32 - 1])
def test_numbers_are_numpys(law, seed, run):
    """Whatever the seed and the run, the rare branches of the ziggurat included."""
    world = sample_world(World(), law, 50_000, seed, run)
    machine_code().functions["sample"](world.addresses.ctypes.data)
    assert np.array_equal(world.tables["units"], of_numpy(law, 50_000, seed, run))


@pytest.mark.parametrize("law", sorted(NAMES))
def test_the_text_gives_them_in_python_too(law, monkeypatch):
    """The rules as they stand, without numba's machine code."""
    for name, layers in random_numbers.ziggurat().items():
        monkeypatch.setattr(random_numbers, name, layers.tolist())
    world = sample_world(PlainWorld(), law, 3_000)
    world.take()
    random_numbers.sample(world)
    assert world.units == of_numpy(law, 3_000).tolist()


@pytest.mark.parametrize("name", DRAWN)
def test_it_does_not_matter_who_draws(name):
    """Every law by the rules, some of them, none of them: the same ledgers."""
    expected = ledgers(name, frozenset())
    for laws in (EVERY_LAW, frozenset((UNIFORM, EXPONENTIAL)), frozenset((UNIFORM, NORMAL))):
        assert unequal(ledgers(name, laws), expected) == []


@pytest.mark.parametrize("law", sorted(NAMES))
def test_a_law_that_differs_is_drawn_by_numpy(law, monkeypatch, tmp_path):
    """One number in the sample is the next one instead: that law is noted as numpy's, and results stay."""

    def other(machine, which):
        found = of_machine_code(machine, which)
        if which == law:
            found[-1] = np.nextafter(found[-1], 2)
        return found

    monkeypatch.setattr(compiled_draws, "of_machine_code", other)
    monkeypatch.setattr(compiled_draws, "cache_folder", lambda key: tmp_path)
    laws = proven_laws.__wrapped__()
    assert laws == EVERY_LAW - {law}
    (note,) = tmp_path.iterdir()
    assert noted(note) == laws
    assert proven_laws.__wrapped__() == laws
    for name in DRAWN[:2]:
        assert unequal(ledgers(name, laws), ledgers(name, EVERY_LAW)) == []


@pytest.mark.parametrize("content", ["", "[", "{}", "3", '["uniform", "exponent'])
def test_a_damaged_note_proves_nothing(content, monkeypatch, tmp_path):
    """What cannot be read is tried again; what names no law leaves all to numpy."""
    note = tmp_path / f"draws-numpy-{np.__version__}.json"
    note.write_text(content)
    monkeypatch.setattr(compiled_draws, "cache_folder", lambda key: tmp_path)
    assert proven_laws.__wrapped__() in (tried(machine_code()), frozenset())


def test_a_number_beyond_32_bits_is_left_to_numpy():
    """Its stream begins with two words in the place of one."""
    numbers = [5, 2**32, 2**40 + 1]
    expected = ledgers("pretrain-5184/gold", frozenset(), numbers)
    assert unequal(ledgers("pretrain-5184/gold", EVERY_LAW, numbers), expected) == []


def test_it_does_not_matter_how_many_runs_are_played_at_a_time(monkeypatch):
    """One call of machine code for all of them, or one for each."""
    expected = ledgers("pretrain-5184/gold", EVERY_LAW, list(range(9)))
    monkeypatch.setattr(compiled_clock, "AT_A_TIME", 1)
    assert unequal(ledgers("pretrain-5184/gold", EVERY_LAW, list(range(9))), expected) == []


def test_failures_and_repairs_are_given_back(monkeypatch):
    """A run of 5,375 failures has room for a few, and so have their repairs and parts."""
    worlds = []
    monkeypatch.setattr(compiled_clock, "World", lambda: worlds.append(World()) or worlds[0])
    play(Program(load(HEADLINE)), [0], True)
    one = worlds[0].tables["one"][0]
    assert one["failures"] > 5_000
    assert max(one["failed"], one["repairs"], one["parts"]) < 20


def test_the_headline_is_counted_and_others_are_not():
    """Ages, places, stages or a plant need the general rules."""
    assert is_counted(Program(load(HEADLINE)).tables)
    for name in ("failures/wear-out", "failures/burned-in", "plant/shelves-n", "nvl72-64-of-72/pooled"):
        assert not is_counted(Program(certain(load(FILES[name]))).tables)


@settings(max_examples=150)
@given(counted_scenarios(), st.integers(0, 100))
def test_rules_for_counted_programs_give_the_same_integers(scenario: Scenario, first: int) -> None:
    """Where every column that they take for fixed has its value; numpy draws, or they do."""
    program, numbers = Program(scenario), [first, first + 1]
    expected = play(program, numbers, True, 0, "general", ()).ledgers()
    assert unequal(play(program, numbers, True).ledgers(), expected) == []
    if is_counted(program.tables):
        assert unequal(play(program, numbers, True, 0, "counted", EVERY_LAW).ledgers(), expected) == []


def test_a_column_that_was_to_keep_its_value_is_noticed():
    """No result comes of machine code that notes that a rule wrote what it took for fixed."""
    machine = machine_code("counted")
    machine.broken.value = 1
    try:
        with pytest.raises(AssertionError, match="took for fixed"):
            play(Program(load(HEADLINE)), [0], True)
    finally:
        machine.broken.value = 0
