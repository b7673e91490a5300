"""Replications as they finish, in columns that are filled by number: nothing is put in order or copied in the end."""

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import Ledgers, none_sold, not_kept
from dcsim.montecarlo.tasks import UNSHARDED, Shard


class Collector:
    """The finished replications of a scenario, of a run or of a shard of it, in whatever order they come."""

    def __init__(self, shard: Shard = UNSHARDED) -> None:
        self.shard = shard
        self._have = np.zeros(0, dtype=np.bool_)
        self._owners: tuple[str, ...] = ()
        self._columns: list[NDArray[np.int64]] = []

    def reserve(self, replications: int) -> None:
        """Make room for replications 0 … n − 1 of the run."""
        more = len(self.shard.numbers(replications)) - len(self._have)
        if more > 0:
            self._have = np.concatenate([self._have, np.zeros(more, dtype=np.bool_)])
            self._columns = [_longer(column, more) for column in self._columns]

    def add(self, ledgers: Ledgers) -> Ledgers | None:
        """Take finished replications; return those that there is room for and that are new, None if none is."""
        numbers = ledgers.replications
        rows, rest = np.divmod(numbers - (self.shard.number - 1), self.shard.of)
        new = (rest == 0) & (rows >= 0) & (rows < len(self._have))
        new[new] = ~self._have[rows[new]]
        if not new.any():
            return None
        found = ledgers if new.all() else ledgers.chosen(new)
        if self._columns and self._columns[-2].shape[1] != found.gpu_ms_by_cause.shape[1]:
            found, room = found.without_months(), len(self._have)
            self._columns[-3:] = (not_kept(room), not_kept(room), none_sold(room))
        if not self._columns:
            self._owners = found.owners
            room = len(self._have)
            self._columns = [np.empty((room, *column.shape[1:]), dtype=np.int64) for column in found.columns()]
        for column, values in zip(self._columns, found.columns(), strict=True):
            column[rows[new]] = values
        self._have[rows[new]] = True
        return found

    def missing(self, replications: int) -> NDArray[np.int64]:
        """Return which of replications 0 … n − 1 are not finished, int64 ascending."""
        wanted = len(self.shard.numbers(replications))
        return np.flatnonzero(~self._have[:wanted]) * self.shard.of + self.shard.number - 1

    def ledgers(self, replications: int) -> Ledgers | None:
        """Return what is finished of replications 0 … n − 1, None if nothing is."""
        wanted = len(self.shard.numbers(replications))
        have = self._have[:wanted]
        if not have.any():
            return None
        numbers, *columns = (column[:wanted] if have.all() else column[:wanted][have] for column in self._columns)
        return Ledgers(self._owners, numbers, *columns)


def _longer(column: NDArray[np.int64], more: int) -> NDArray[np.int64]:
    found = np.empty((len(column) + more, *column.shape[1:]), dtype=np.int64)
    found[: len(column)] = column
    return found
