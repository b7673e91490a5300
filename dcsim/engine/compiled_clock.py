"""The compiled clock: one heap, many runs. It plays the rules of ``dcsim.rules``, compiled by numba if it is there.

Without numba, or with NUMBA_DISABLE_JIT=1, the same functions run as plain Python and give the same integers.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import partial

from dcsim.engine.compiled_rules import VARIANTS
from dcsim.engine.machine_code import is_compiled, machine_code
from dcsim.ledger import Ledgers
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import LEDGER, Program, Runs
from dcsim.program.records import ANSWERS, World
from dcsim.program.simple import is_counted
from dcsim.rules import happenings
from dcsim.scenario import Scenario

ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def simulate_many(scenario: Scenario, numbers: Sequence[int]) -> Ledgers:
    """Simulate these runs, ascending; the ledgers are verified to conserve N * H exactly."""
    return play(Program(scenario), numbers, is_compiled()).verified(scenario.capacity_gpu_ms)


def play(program: Program, numbers: Sequence[int], compiled: bool, variant: str | None = None) -> Ledgers:
    """Play runs of a program, with compiled rules (None: with those that suit it) or with the rules as they are."""
    world = World() if compiled else PlainWorld()
    runs = Runs(program, list(numbers), world)
    if program.plan.has_plant:
        from dcsim.engine.compiled_clock_plant import PlantAnswers

        runs.plant = PlantAnswers(runs)
    answer = ANSWER(lambda _, what, about, value: runs.answer(what, about, value))
    counted = is_counted(program.tables) if variant is None else variant == "counted"
    run = prepared(world, answer, VARIANTS[counted]) if compiled else partial(play_plainly, world, runs)
    for row in range(len(numbers)):
        runs.begin(row)
        run()
        runs.check()
    return runs.ledgers()


def play_plainly(world: World, runs: Runs) -> None:
    """Play one run by the rules as they are."""
    assert isinstance(world, PlainWorld)
    world.answer = runs.answer_at_once
    world.take()
    happenings.run(world)
    world.give(*LEDGER)


def prepared(world: World, answer: "ctypes._FuncPointer", variant: str) -> Callable[[], None]:
    """Tell a world where its answers are; return what plays one run in it."""
    machine = machine_code(variant)
    world.addresses[ANSWERS] = ctypes.cast(answer, ctypes.c_void_p).value or 0

    def run() -> None:
        machine.functions["run"](world.addresses.ctypes.data)
        assert not machine.broken.value, "a rule has changed what the machine code took for fixed"

    return run
