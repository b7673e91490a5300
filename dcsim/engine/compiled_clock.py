"""The compiled clock: one heap, many runs. It plays the rules of ``dcsim.rules``, compiled by numba if it is there.

Without numba, or with NUMBA_DISABLE_JIT=1, the same functions run as plain Python and give the same integers.
"""

import ctypes
import hashlib
import inspect
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any

from dcsim.ledger import Ledgers
from dcsim.program.program import Program, Runs
from dcsim.program.records import World
from dcsim.rules import happenings
from dcsim.rules.rule import RULES
from dcsim.scenario import Scenario

Run = Callable[[World], None]
ANSWER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def simulate_many(scenario: Scenario, numbers: Sequence[int]) -> Ledgers:
    """Simulate these runs, ascending; the ledgers are verified to conserve N * H exactly."""
    program = Program(scenario)
    return play(program, list(numbers), runner()).verified(scenario.capacity_gpu_ms)


def play(program: Program, numbers: list[int], run: Run) -> Ledgers:
    """Play runs of a program, each by itself."""
    runs = Runs(program, numbers)
    answer = ANSWER(runs.answer)
    runs.world.addresses[-1] = ctypes.cast(answer, ctypes.c_void_p).value
    for row in range(len(numbers)):
        runs.begin(row)
        run(runs.world)
        runs.check()
    return runs.ledgers()


def is_compiled() -> bool:
    """Whether numba is there and wanted."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0") and find_spec("numba") is not None


@cache
def runner() -> Run:
    """Return what plays one run: compiled rules, or the rules as they are."""
    if not is_compiled():
        return happenings.run
    entry = compiled_entry()
    return lambda world: entry(world.addresses)  # type: ignore[no-any-return]


@cache
def compiled_entry() -> Any:
    """Compile the rules when the entry is first called, or load their machine code.

    Only the entry is kept on disk, under a hash of the text of all rules: numba alone would not notice that a rule in
    another file has changed.
    """
    from numba import njit

    from dcsim.engine.compiled_world import world_at

    how = options()
    run = compiled_rules(how)["run"]
    text = fingerprint()

    def entry(addresses: Any) -> int:
        run(world_at(addresses))
        return len(text)

    try:
        return njit(cache=True, **how)(entry)
    except RuntimeError:  # no folder for a cache
        return njit(**how)(entry)


def options() -> dict[str, Any]:
    """Return how rules are compiled."""
    from numba import njit

    how: dict[str, Any] = {"error_model": "numpy"}  # nothing is ever divided by zero
    try:  # as all is allocated outside, nothing needs its references counted
        njit(_nrt=False)(options)
    except (KeyError, TypeError):
        return how
    return how | {"_nrt": False}


def modules() -> list[ModuleType]:
    """Return the modules that hold rules, in order of their names."""
    found = {inspect.getmodule(function) for function in RULES.values()}
    return sorted((each for each in found if each is not None), key=lambda each: each.__name__)


def fingerprint() -> str:
    """Return a hash of the text of all rules and records."""
    from dcsim.program import records

    text = "".join(inspect.getsource(module) for module in (*modules(), records))
    return hashlib.sha256(text.encode()).hexdigest()


def compiled_rules(how: dict[str, Any]) -> dict[str, Any]:
    """Return every rule as a function that numba compiles when it is first called.

    Each is a copy that calls the other copies: the rules themselves stay plain Python, beside them.
    """
    from numba import njit

    from dcsim.engine.compiled_world import ask_python

    found: dict[str, Any] = {"ask": ask_python}
    spaces: dict[str, dict[str, Any]] = {}
    for name, function in RULES.items():
        if name == "ask":
            continue
        space = spaces.setdefault(function.__module__, dict(inspect.getmodule(function).__dict__))  # type: ignore[union-attr]
        copy = FunctionType(function.__code__, space, name, function.__defaults__)  # type: ignore[attr-defined]
        found[name] = njit(**how)(copy)
    for space in spaces.values():
        space.update({name: found[name] for name in space.keys() & found.keys()})
    return found
