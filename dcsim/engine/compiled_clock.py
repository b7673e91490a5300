"""The compiled clock: one heap, many runs. It plays the rules of ``dcsim.rules``, compiled by numba if it is there.

Without numba, or with NUMBA_DISABLE_JIT=1, the same functions run as plain Python and give the same integers.
"""

import ctypes
from collections.abc import Collection, Sequence

from dcsim.engine.compiled_draws import proven_laws
from dcsim.engine.compiled_rules import VARIANTS
from dcsim.engine.machine_code import is_compiled, machine_code
from dcsim.ledger import Accounts, Ledgers
from dcsim.program.event_log import EventLog
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import LEDGER, Program, Runs, program_of
from dcsim.program.records import ANSWERS
from dcsim.program.world import World
from dcsim.rules import happenings
from dcsim.scenario import Scenario

ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


AT_A_TIME = 100_000
"""Failures in one call of machine code (assumed): some 10 ms, so that an interrupt is noticed."""


def simulate_many(scenario: Scenario, numbers: Sequence[int], monthly: bool = True) -> Ledgers:
    """Simulate these runs, ascending; the ledgers are verified to conserve N * H exactly.

    ``monthly``: whether they know months and causes.
    """
    runs = play(program_of(scenario, monthly), numbers, is_compiled())
    return runs.ledgers().verified(scenario.capacity_gpu_ms)


def simulate(scenario: Scenario, number: int) -> Accounts:
    """Simulate one run; see ``simulate_many``."""
    return simulate_many(scenario, [number]).account(0)


def simulate_with_log(scenario: Scenario, number: int, places: bool = True) -> tuple[Accounts, EventLog]:
    """Simulate one run; return its ledger and what happened. ``places``: also who holds which GPUs."""
    runs = play(Program(scenario), [number], is_compiled(), 2 if places else 1)
    return runs.ledgers().verified(scenario.capacity_gpu_ms).account(0), runs.log()


def play(
    program: Program,
    numbers: Sequence[int],
    compiled: bool,
    logs: int = 0,
    variant: str | None = None,
    laws: Collection[int] | None = None,
) -> Runs:
    """Play runs of a program, with compiled rules or with the rules as they are; ``logs``: as in ``Runs``.

    ``variant``: of the machine code, None: what suits the program; ``laws``: that rules may draw by themselves, None:
    those that are numpy's on this machine.
    """
    world = World() if compiled else PlainWorld()
    if laws is None:
        laws = proven_laws() if compiled else ()
    runs = Runs(program, list(numbers), world, logs, laws)
    if not compiled:
        for row in range(len(numbers)):
            runs.begin(row)
            play_plainly(world, runs)
        return runs
    if variant is None:
        variant = VARIANTS[program.counted and not logs]
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
    return runs


def play_plainly(world: World, runs: Runs) -> None:
    """Play one run by the rules as they are."""
    assert isinstance(world, PlainWorld)
    world.answer = runs.answer_at_once
    world.take()
    happenings.run(world)
    world.give(*LEDGER)
    if runs.logs:
        world.give("log")
