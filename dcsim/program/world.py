"""A world: the tables of one run, as rules read and change them."""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import STATES
from dcsim.plant.tables import PlantTables
from dcsim.program.records import ANSWERS, CHANGING, STATES_WIDE, TABLE, TABLES

ALIGNED = 64
"""Bytes of a line of the cache."""


class Block:
    """Tables that lie one behind the other in memory, so that all of them are copied at once.

    ``memory``: bytes, read-only; ``tables``: views of them; ``begins``: the byte at which each begins.
    """

    def __init__(self, tables: Mapping[str, NDArray[Any]]) -> None:
        sizes = [-(-table.nbytes // ALIGNED) * ALIGNED for table in tables.values()]
        ends = np.cumsum(sizes)
        self.begins = dict(zip(tables, (ends - sizes).tolist(), strict=True))
        self.memory: NDArray[np.uint8] = np.zeros(int(ends[-1]), dtype=np.uint8)
        self.tables = {name: view(self.memory, self.begins[name], table) for name, table in tables.items()}
        for name, table in tables.items():
            self.tables[name][...] = table
            self.tables[name].flags.writeable = False
        self.memory.flags.writeable = False
        self.places = np.array([3 * TABLE[name] for name in tables], dtype=np.int64)
        self.offsets = np.array(list(self.begins.values()), dtype=np.int64)
        self.sizes = np.array([(len(each), width(each)) for each in tables.values()], dtype=np.int64)


class Views(dict[str, NDArray[Any]]):
    """Tables by name, of which one that nobody has asked for yet is a view of a copy of a block."""

    def __init__(self, block: Block, memory: NDArray[np.uint8]) -> None:
        super().__init__()
        self.block, self.memory = block, memory

    def __missing__(self, name: str) -> NDArray[Any]:
        """Return the view of a table."""
        self[name] = table = view(self.memory, self.block.begins[name], self.block.tables[name])
        return table

    def all(self) -> "Views":
        """Return this with a view of every table."""
        for name in self.block.begins:
            self[name]
        return self


class World(PlantTables):
    """The tables of one run, by name, and who answers what the rules ask.

    ``addresses``: where each table lies, how many rows and columns it has; then the address of a C function that
    answers, then where copies at t = 0 lie, int64. Compiled rules know a world by it, so tables are changed by ``put``
    alone.
    """

    def __init__(self) -> None:
        self.addresses: NDArray[np.int64] = np.zeros(ANSWERS + 1 + len(CHANGING), dtype=np.int64)
        self.tables: dict[str, NDArray[Any]] = {}
        self.at_start: dict[str, NDArray[Any]] = {}
        self.larger: set[str] = set()
        self.copies: list[tuple[int, int, int]] = []
        self.answer: Callable[[int, int, int], int] | None = None

    def take_block(self, block: Block) -> None:
        """Take a copy of a block's tables, and what of it is at t = 0 for ``reset``, which never changes."""
        memory = block.memory.copy()
        self.tables, self.at_start = Views(block, memory), {name: block.tables[name] for name in CHANGING}
        self.addresses[block.places] = memory.ctypes.data + block.offsets
        self.addresses[block.places + 1], self.addresses[block.places + 2] = block.sizes.T
        first, sources = ANSWERS + 1, [block.begins[name] for name in CHANGING]
        self.addresses[first:] = block.memory.ctypes.data + np.array(sources, dtype=np.int64)
        self.copies = [
            (3 * TABLE[name], first + number, block.tables[name].nbytes) for number, name in enumerate(CHANGING)
        ]

    def put(self, name: str, table: NDArray[Any]) -> None:
        """Set a table, or put another one in its place."""
        dtype, indices = TABLES[name]
        assert table.dtype == dtype
        assert table.ndim == max(indices, 1)
        assert name not in STATES_WIDE or table.shape[1] == len(STATES)
        assert table.flags.c_contiguous
        self.tables[name] = table
        place = 3 * TABLE[name]
        self.addresses[place : place + 3] = table.ctypes.data, table.shape[0], width(table)
        if name in self.at_start and table.shape != self.at_start[name].shape:
            self.larger.add(name)

    def begin_with(self, name: str) -> NDArray[Any]:
        """Return the copy of a table that ``reset`` goes by from now on, to be changed before the first run."""
        self.at_start[name] = table = self.at_start[name].copy()
        self.addresses[ANSWERS + 1 + CHANGING.index(name)] = table.ctypes.data
        return table

    def reset(self) -> None:
        """Set every table that a run changes to t = 0."""
        for name in self.larger:
            self.put(name, self.at_start[name].copy())
        self.larger.clear()
        addresses = self.addresses.tolist()
        for target, source, size in self.copies:
            ctypes.memmove(addresses[target], addresses[source], size)

    def show(self, name: str, low: int, high: int) -> None:
        """An answer has written to rows of a table, or made room for more."""


def view(memory: NDArray[np.uint8], begin: int, table: NDArray[Any]) -> NDArray[Any]:
    """Return what lies in memory from a byte on, as a table like this one."""
    return np.ndarray(table.shape, table.dtype, memory, begin)


def width(table: NDArray[Any]) -> int:
    """Return how many columns a table has; 1 if it has one index."""
    return table.shape[1] if table.ndim == 2 else 1
