"""The rules as machine code: which of them are compiled by themselves, and where the code is kept."""

import ctypes
import dis
import hashlib
import inspect
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from dcsim.program import records
from dcsim.rules.rule import RULES

MOST_INSTRUCTIONS = 300
"""Of Python's, in a rule and what is compiled into it (measured: 1,500 take twice as long to compile, for runs
that are a seventh quicker)."""


@cache
def compiled_doors() -> tuple[dict[str, int], list[Any]]:
    """Return the address of every door (see ``doors``), in their order, and what keeps the machine code alive.

    The first call of a process loads the machine code, or compiles it and keeps it for the next one.
    """
    from numba import cfunc, njit

    from dcsim.engine.compiled_world import compiled_world

    how, through, world = options(), doors(), compiled_world()
    called: dict[str, Any] = {"ask": world.ask}
    found: dict[str, Any] = {}
    spaces = {module.__name__: dict(module.__dict__) for module in modules()}
    with cache_folder() as folder:
        marker = None if folder is None else folder / f"complete-{version('numba')}-{platform.machine()}"
        kept = marker is not None and marker.exists()
        for name in in_order():
            function = RULES[name]
            space = spaces[function.__module__]
            space.update({other: called[other] for other in called_by(function)})
            copy = FunctionType(function.__code__, space, name)
            sign = world.signature(function)
            if name in through:
                found[name] = cfunc(sign, cache=folder is not None, **how)(copy)
                called[name] = world.through(through.index(name), sign)
            else:
                called[name] = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **how)(copy)
                if not kept:  # for these types alone: numba would compile it once more for every constant
                    called[name].compile(sign)
                    called[name].disable_compile()
        if marker is not None:
            marker.touch()
    return {name: found[name].address for name in through}, list(found.values())


def run_function(address: int) -> Callable[[int], None]:
    """Return the C function of the rule ``run``, which takes the address of a world's addresses; it holds no GIL."""
    return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)


def options() -> dict[str, Any]:
    """Return how rules are compiled."""
    from numba import njit

    how: dict[str, Any] = {"error_model": "numpy"}  # nothing is ever divided by zero
    try:  # as all is allocated outside, nothing needs its references counted
        njit(_nrt=False)(options)
    except (KeyError, TypeError):
        return how
    return how | {"_nrt": False}


@contextmanager
def cache_folder() -> Iterator[Path | None]:
    """Let numba keep machine code in the user's folder, under a hash of all rules; yield it, None if it cannot.

    numba by itself keeps it beside the source, which may not be writable, and would not notice that a rule in another
    file has changed.
    """
    from numba import config

    before = config.CACHE_DIR
    base = before or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "dcsim" / fingerprint()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    config.CACHE_DIR = str(folder) if writable else before
    try:
        yield folder if writable else None
    finally:
        config.CACHE_DIR = before


def modules() -> list[ModuleType]:
    """Return the modules that hold rules, in order of their names."""
    found = {inspect.getmodule(function) for function in RULES.values()}
    return sorted((each for each in found if each is not None), key=lambda each: each.__name__)


def fingerprint() -> str:
    """Return a hash of the text of all rules and records, and of how they are compiled."""
    from dcsim.engine import compiled_world

    here = inspect.getmodule(fingerprint)
    text = "".join(
        inspect.getsource(module) for module in (*modules(), records, compiled_world, here) if module is not None
    )
    return hashlib.sha256(text.encode()).hexdigest()


# --- doors ----------------------------------------------------------------------------------------------------------


@cache
def doors() -> list[str]:
    """Return the rules that others call through their address, in the order of their addresses; ``run`` is the last.

    numba compiles whatever a function calls once more into it. So a rule that is long, with all that it calls directly
    or not, is compiled by itself; only what is short becomes a part of its callers.
    """
    found: list[str] = []
    inside: dict[str, set[str]] = {}
    length = {name: len(list(dis.get_instructions(function))) for name, function in RULES.items()}
    for name in in_order():
        inside[name] = {name}
        for other in called_by(RULES[name]):
            if other != "ask" and other not in found:
                inside[name] |= inside[other]
        if sum(length[each] for each in inside[name]) > MOST_INSTRUCTIONS or name == "run":
            found.append(name)
    return found


def called_by(function: Callable[..., Any]) -> list[str]:
    """Return the names of the rules that a rule calls."""
    names = (each.argval for each in dis.get_instructions(function) if each.opname == "LOAD_GLOBAL")
    return [name for name in dict.fromkeys(names) if name in RULES]


@cache
def in_order() -> list[str]:
    """Return the names of all rules but ``ask``, each after those that it calls; CycleError if two call each other."""
    calls = {name: called_by(function) for name, function in RULES.items()}
    return [name for name in TopologicalSorter(calls).static_order() if name != "ask"]
