"""The compiled clock: one heap, many runs. It plays the rules of ``dcsim.rules``, compiled by numba if it is there.

Without numba, or with NUMBA_DISABLE_JIT=1, the same functions run as plain Python and give the same integers.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec

import numpy as np

from dcsim.ledger import Accounts, Ledgers
from dcsim.program.event_log import EventLog
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import LEDGER, Program, Runs
from dcsim.program.records import DOORS, World
from dcsim.rules import happenings
from dcsim.scenario import Scenario

ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def simulate_many(scenario: Scenario, numbers: Sequence[int], monthly: bool = True) -> Ledgers:
    """Simulate these runs, ascending; the ledgers are verified to conserve N * H exactly.

    ``monthly``: whether they know months and causes.
    """
    runs = play(Program(scenario, monthly), numbers, is_compiled())
    return runs.ledgers().verified(scenario.capacity_gpu_ms)


def simulate(scenario: Scenario, number: int) -> Accounts:
    """Simulate one run; see ``simulate_many``."""
    return simulate_many(scenario, [number]).account(0)


def simulate_with_log(scenario: Scenario, number: int, places: bool = True) -> tuple[Accounts, EventLog]:
    """Simulate one run; return its ledger and what happened. ``places``: also who holds which GPUs."""
    runs = play(Program(scenario), [number], is_compiled(), 2 if places else 1)
    return runs.ledgers().verified(scenario.capacity_gpu_ms).account(0), runs.log()


def play(program: Program, numbers: Sequence[int], compiled: bool, logs: int = 0) -> Runs:
    """Play runs of a program, with compiled rules or with the rules as they are; ``logs``: as in ``Runs``."""
    world = World() if compiled else PlainWorld()
    runs = Runs(program, list(numbers), world, logs)
    answer = ANSWER(lambda _, what, about, value: runs.answer(what, about, value))
    run = prepared(world, answer) if compiled else partial(play_plainly, world, runs)
    for row in range(len(numbers)):
        runs.begin(row)
        run()
        runs.check()
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


def compile_ahead() -> None:
    """Compile the rules now, or load them, so that no run has to wait for it; nothing if numba is missing."""
    if is_compiled():
        machine_code()


def is_compiled() -> bool:
    """Whether numba is there and wanted."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0") and find_spec("numba") is not None


def prepared(world: World, answer: "ctypes._FuncPointer") -> Callable[[], object]:
    """Tell a world where its rules and answers are; return what plays one run in it."""
    addresses, run = machine_code()
    world.addresses[DOORS - 1] = ctypes.cast(answer, ctypes.c_void_p).value or 0
    world.addresses[DOORS : DOORS + len(addresses)] = addresses
    return lambda: run(world.addresses.ctypes.data)


@cache
def machine_code() -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", Callable[[int], None]]:
    """Return the addresses of all doors, and the C function that plays a run."""
    from dcsim.engine.compiled_rules import compiled_doors, run_function

    found, _ = compiled_doors()
    return np.array(list(found.values()), dtype=np.int64), run_function(found["run"])
