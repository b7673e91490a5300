"""A world: the tables of one run, as rules read and change them."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import STATES
from dcsim.plant.tables import PlantTables
from dcsim.program.records import ANSWERS, CHANGING, STATES_WIDE, TABLE, TABLES


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
        self.copies: list[tuple[int, int, int]] = []
        self.answer: Callable[[int, int, int], int] | None = None

    def put(self, name: str, table: NDArray[Any]) -> None:
        """Set a table, or put another one in its place."""
        dtype, indices = TABLES[name]
        assert table.dtype == dtype
        assert table.ndim == max(indices, 1)
        assert name not in STATES_WIDE or table.shape[1] == len(STATES)
        assert table.flags.c_contiguous
        self.tables[name] = table
        place = 3 * TABLE[name]
        columns = table.shape[1] if table.ndim == 2 else 1
        self.addresses[place : place + 3] = table.ctypes.data, table.shape[0], columns

    def put_at_start(self, name: str, table: NDArray[Any]) -> None:
        """Keep what ``reset`` copies; the table itself has the same shape then."""
        self.at_start[name] = table
        source = ANSWERS + 1 + CHANGING.index(name)
        self.addresses[source] = table.ctypes.data
        self.copies.append((3 * TABLE[name], source, table.nbytes))
        self.put(name, table.copy())

    def reset(self) -> None:
        """Set every table that a run changes to t = 0."""
        for name, table in self.at_start.items():
            if self.tables[name].shape != table.shape:
                self.put(name, table.copy())
        addresses = self.addresses.tolist()
        for target, source, size in self.copies:
            ctypes.memmove(addresses[target], addresses[source], size)  # numpy would go by the columns of a record

    def show(self, name: str, low: int, high: int) -> None:
        """An answer has written to rows of a table, or made room for more."""
