"""The compiled clock: one heap, many runs. It plays the rules of ``dcsim.rules``, compiled by numba if it is there.

Without numba, or with NUMBA_DISABLE_JIT=1, the same functions run as plain Python and give the same integers.
"""

import ctypes
from collections.abc import Collection, Sequence

from dcsim.engine.compiled_draws import proven_laws
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


AT_A_TIME = 100_000
"""Failures in one call of machine code (assumed): some 10 ms, so that an interrupt is noticed."""


def simulate_many(scenario: Scenario, numbers: Sequence[int]) -> Ledgers:
    """Simulate these runs, ascending; the ledgers are verified to conserve N * H exactly."""
    return play(Program(scenario), numbers, is_compiled()).verified(scenario.capacity_gpu_ms)


def play(
    program: Program,
    numbers: Sequence[int],
    compiled: bool,
    variant: str | None = None,
    laws: Collection[int] | None = None,
) -> Ledgers:
    """Play runs of a program, with compiled rules or with the rules as they are.

    ``variant``: of the machine code, None: what suits the program; ``laws``: that rules may draw by themselves, None:
    those that are numpy's on this machine.
    """
    world = World() if compiled else PlainWorld()
    if laws is None:
        laws = proven_laws() if compiled else ()
    runs = Runs(program, list(numbers), world, laws)
    if program.plan.has_plant:
        from dcsim.engine.compiled_clock_plant import PlantAnswers

        runs.plant = PlantAnswers(runs)
    if not compiled:
        for row in range(len(numbers)):
            runs.begin(row)
            play_plainly(world, runs)
        return runs.ledgers()
    if variant is None:
        variant = VARIANTS[is_counted(program.tables)]
    answer = ANSWER(lambda _, what, about, value: runs.answer(what, about, value))
    world.addresses[ANSWERS] = ctypes.cast(answer, ctypes.c_void_p).value or 0
    machine, one = machine_code(variant), world.tables["one"]
    step = max(1, int(AT_A_TIME // max(1.0, program.plan.expected_drawn))) if runs.need_nobody else 1
    for row in range(0, len(numbers), step):
        if runs.need_nobody:
            one["run"], one["last_run"] = row, min(row + step, len(numbers))
            machine.functions["run_many"](world.addresses.ctypes.data)
        else:
            runs.begin(row)
            machine.functions["run"](world.addresses.ctypes.data)
        runs.check()
        assert not machine.broken.value, "a rule has changed what the machine code took for fixed"
    return runs.ledgers()


def play_plainly(world: World, runs: Runs) -> None:
    """Play one run by the rules as they are."""
    assert isinstance(world, PlainWorld)
    world.answer = runs.answer_at_once
    world.take()
    happenings.run(world)
    world.give(*LEDGER)
