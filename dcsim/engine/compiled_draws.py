"""Which random numbers machine code makes as numpy does, bit for bit: tried once on a machine, and noted.

What it takes beyond whole numbers are a few powers of e and logarithms from the C library, in the rare branches of the
ziggurat. A law that differs anywhere is drawn by numpy: no result depends on where a number was made.
"""

import json
import logging
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.machine_code import Machine, cache_folder, fingerprint, machine_code
from dcsim.program import records
from dcsim.program.draws import EXPONENTIAL, NORMAL, UNIFORM
from dcsim.program.world import World
from dcsim.streams import entropy, generator

TRIED = 20_000
"""Numbers of each law that are compared; one in 90 takes a rare branch, one in 4,000 the rarest."""
SEED, RUN, OWNER = 20_100, 3, "sample"
NAMES = {UNIFORM: "uniform", EXPONENTIAL: "exponential", NORMAL: "normal"}


@cache
def proven_laws() -> frozenset[int]:
    """Return the laws that machine code draws as numpy does on this machine."""
    folder = cache_folder(fingerprint())
    note = None if folder is None else folder / f"draws-numpy-{np.__version__}.json"
    laws = None if note is None else noted(note)
    if laws is None:
        laws = tried(machine_code())
        if laws != frozenset(NAMES):
            left = ", ".join(NAMES[law] for law in sorted(frozenset(NAMES) - laws))
            told = f"dcsim: {left} numbers are drawn by numpy here, a little slower: machine code gives other bits"
            logging.getLogger(__name__).warning(told)
        if note is not None:
            with suppress(OSError):
                note.write_text(json.dumps([NAMES[law] for law in sorted(laws)]))
    return laws


def noted(note: Path) -> frozenset[int] | None:
    """Read what was found before; None if nothing can be read."""
    try:
        names = json.loads(note.read_text())
        return frozenset(law for law, name in NAMES.items() if name in names)
    except (OSError, ValueError, TypeError):
        return None


def tried(machine: Machine) -> frozenset[int]:
    """Compare machine code with numpy."""
    return frozenset(law for law in NAMES if np.array_equal(of_machine_code(machine, law), of_numpy(law)))


def of_machine_code(machine: Machine, law: int) -> NDArray[np.float64]:
    """Return a sample that machine code draws."""
    world = sample_world(World(), law)
    machine.functions["sample"](world.addresses.ctypes.data)
    return world.tables["units"]


def sample_world(world: World, law: int, count: int = TRIED, seed: int = SEED, run: int = RUN) -> World:
    """Prepare a world in which nothing but a sample can be drawn."""
    one = np.zeros(1, dtype=records.ONE)
    one["run"] = law
    before, after = entropy(seed, OWNER, "gaps")
    words = [len(before) + 1 + len(after), len(before), *before, 0, *after]
    for name, table in (
        ("one", one),
        ("numbers", np.array([run], dtype=np.int64)),
        ("entropy", np.array([words], dtype=np.int64)),
        ("streams", np.zeros(1, dtype=records.STREAM)),
        ("pool", np.zeros(4, dtype=np.int64)),
        ("seeds", np.zeros(6, dtype=np.int64)),
        ("units", np.zeros(count)),
    ):
        world.put(name, table)
    return world


def of_numpy(law: int, count: int = TRIED, seed: int = SEED, run: int = RUN) -> NDArray[np.float64]:
    """Return the same sample that numpy draws."""
    rng = generator(seed, run, OWNER, "gaps")
    if law == UNIFORM:
        return rng.random(count)
    return rng.standard_exponential(count) if law == EXPONENTIAL else rng.standard_normal(count)
