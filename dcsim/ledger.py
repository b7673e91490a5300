"""The ledger: where every GPU-millisecond of the horizon went.

Every GPU is in exactly one state at every instant. Accounts are int GPU-milliseconds, so conservation is equality and
two clocks, two worker counts or two task sizes give identical accounts. Goodput, ETTR and money are folds over them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

STATES = (
    "useful",
    "overhead",
    "checkpoint",
    "lost",
    "detect",
    "failover",
    "restore",
    "wait",
    "repair",
    "maintenance",
    "spare",
    "idle",
    "unpowered",
)
CAUSES = ("strategy", "fabric", "power", "straggler", "shrunk")
"""What may take running time from useful work; the columns into which ``overhead`` is split."""

STATE = {name: column for column, name in enumerate(STATES)}
SPARES, REST = "spares", "rest"
"""The two owners besides the jobs: idle spares; all other free GPUs, and the repair of what was struck while free."""


def not_kept(*replications: int) -> NDArray[np.int64]:
    """Return the months or causes of one replication, or of several, in which they were not kept."""
    return np.zeros((*replications, 0, len(STATES)), dtype=np.int64)


def none_sold(*replications: int) -> NDArray[np.int64]:
    """Return the domains of one replication, or of several, in which nothing is sold."""
    return np.zeros((*replications, 0, 1), dtype=np.int64)


class LedgerError(Exception):
    """The states of a replication do not sum to the horizon's GPU-milliseconds, or one is negative."""


@dataclass(frozen=True, eq=False)
class Accounts:
    """One replication's ledger.

    ``gpu_ms``: int64 (owners, 13 states) [GPU-ms]. ``overhead_gpu_ms``: int64 (owners, 5 causes) [GPU-ms].
    ``strikes``: int64 (owners,), failures that took members of the owner. ``failures``: effective component failures.
    ``drawn``: failures drawn within the horizon of hazards whose expected number is known (constant rates, bursts
    included; neither ageing nor recorded ones), void ones included: a control variate (``Plan.expected_drawn``).
    A job's ``repair`` holds the GPUs that were struck in it, from their identification until they are back.
    ``asked_gpu_ms``: int64 (owners,) [GPU-ms], a job's GPUs from its submission to its end or the horizon.
    ``finished``: int64 (owners,), gangs whose work was done. ``last_finish_ms``: int64 (owners,), when the last of them
    finished, -1 unless all gangs of the job did. These three are 0, 0 and -1 for spares and rest.
    ``gpu_ms_by_month``: int64 (months, 13 states) [GPU-ms], of all owners, by month of the scenario from the beginning.
    ``gpu_ms_by_cause``: int64 (causes, 13 states) [GPU-ms], of all owners, by what it follows from: the hazards as
    listed, the kinds of maintenance as listed, and last all that follows from none of them. Both have no rows if they
    were not kept; else their sums by state are those of ``gpu_ms``. Work that is lost is in the months in which it was
    done, so a month's states sum to all GPU-ms of that month.
    ``available_domains``: int64 (months, 2 k), of what is sold (``[sla]``, k availabilities): how many domains had each
    of them in a month, the first k with all that took them out of service, the others without maintenance. A scenario
    with phases of energisation has one more: how many domains had power when the month began; no others are counted.
    No rows if nothing is sold.
    """

    replication: int
    owners: tuple[str, ...]
    gpu_ms: NDArray[np.int64]
    overhead_gpu_ms: NDArray[np.int64]
    strikes: NDArray[np.int64]
    failures: int
    drawn: int
    asked_gpu_ms: NDArray[np.int64]
    finished: NDArray[np.int64]
    last_finish_ms: NDArray[np.int64]
    gpu_ms_by_month: NDArray[np.int64] = field(default_factory=not_kept)
    gpu_ms_by_cause: NDArray[np.int64] = field(default_factory=not_kept)
    available_domains: NDArray[np.int64] = field(default_factory=none_sold)

    def verified(self, capacity_gpu_ms: int) -> Self:
        """Return self if the ledger conserves ``capacity_gpu_ms`` = N * H exactly; else raise LedgerError."""
        Ledgers.of([self]).verified(capacity_gpu_ms)
        return self


@dataclass(frozen=True, eq=False)
class Ledgers:
    """The ledgers of n replications of one scenario, ascending by number; each column is as in ``Accounts``.

    ``replications``, ``failures``, ``drawn``: int64 (n,). ``gpu_ms``: int64 (n, owners, 13). ``overhead_gpu_ms``: int64
    (n, owners, 5). ``strikes``, ``asked_gpu_ms``, ``finished``, ``last_finish_ms``: int64 (n, owners).
    ``gpu_ms_by_month``: int64 (n, months, 13). ``gpu_ms_by_cause``: int64 (n, causes, 13). ``available_domains``: int64
    (n, months, 2 k). Columns are read-only from then on. Raises ValueError for none, or if a replication comes twice or
    out of order.

    Sums within one replication fit int64 (N * H does); sums over replications do not (100 replications of a million
    GPUs overflow it), so whoever takes them takes Python ints.
    """

    owners: tuple[str, ...]
    replications: NDArray[np.int64]
    gpu_ms: NDArray[np.int64]
    overhead_gpu_ms: NDArray[np.int64]
    strikes: NDArray[np.int64]
    failures: NDArray[np.int64]
    drawn: NDArray[np.int64]
    asked_gpu_ms: NDArray[np.int64]
    finished: NDArray[np.int64]
    last_finish_ms: NDArray[np.int64]
    gpu_ms_by_month: NDArray[np.int64] = field(default_factory=not_kept)
    gpu_ms_by_cause: NDArray[np.int64] = field(default_factory=not_kept)
    available_domains: NDArray[np.int64] = field(default_factory=none_sold)

    def __post_init__(self) -> None:
        for name in ("gpu_ms_by_month", "gpu_ms_by_cause"):
            if getattr(self, name).ndim == 2:
                object.__setattr__(self, name, not_kept(len(self)))
        if self.available_domains.ndim == 2:
            object.__setattr__(self, "available_domains", none_sold(len(self)))
        if not len(self):
            raise ValueError("needs at least one replication")
        again = self.replications[1:][np.diff(self.replications) <= 0]
        if len(again):
            raise ValueError(f"replication {again[0]} comes twice or out of order")
        for array in self.columns():
            array.flags.writeable = False

    @classmethod
    def of(cls, accounts: Iterable[Accounts]) -> Self:
        """Put replications together in whatever order they come.

        Raises ValueError if there are none, if one comes twice, or if their owners differ.
        """
        ordered = sorted(accounts, key=lambda one: one.replication)
        if not ordered:
            raise ValueError("needs at least one replication")
        _same_owners(ordered)
        numbers = [one.replication for one in ordered]
        columns = [np.array([getattr(one, name) for one in ordered], dtype=np.int64) for name in COLUMNS]
        return cls(ordered[0].owners, np.array(numbers, dtype=np.int64), *columns)

    @classmethod
    def joined(cls, parts: Sequence["Ledgers"]) -> Self:
        """Put parts together, whatever their order; raises ValueError as ``of`` does."""
        if not parts:
            raise ValueError("needs at least one replication")
        _same_owners(parts)
        parts = alike(parts)
        numbers, *columns = (np.concatenate(each) for each in zip(*(part.columns() for part in parts), strict=True))
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers, kind="stable")
            numbers, columns = numbers[order], [column[order] for column in columns]
        return cls(parts[0].owners, numbers, *columns)

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross processes through the constructor, so that columns stay read-only."""
        return type(self), (self.owners, *self.columns())

    def __len__(self) -> int:
        """Return the number of replications."""
        return len(self.replications)

    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """Return all columns, ``replications`` first."""
        return (self.replications, *(getattr(self, name) for name in COLUMNS))

    def account(self, index: int) -> Accounts:
        """Return the ``index``-th replication, counted from 0, by itself."""
        return Accounts(
            int(self.replications[index]),
            self.owners,
            self.gpu_ms[index],
            self.overhead_gpu_ms[index],
            self.strikes[index],
            int(self.failures[index]),
            int(self.drawn[index]),
            self.asked_gpu_ms[index],
            self.finished[index],
            self.last_finish_ms[index],
            self.gpu_ms_by_month[index],
            self.gpu_ms_by_cause[index],
            self.available_domains[index],
        )

    def without_months(self) -> Self:
        """Return the same without months and causes."""
        n = len(self)
        return replace(self, gpu_ms_by_month=not_kept(n), gpu_ms_by_cause=not_kept(n), available_domains=none_sold(n))

    def chosen(self, rows: slice | NDArray[np.bool_]) -> Self:
        """Return some of the replications: a slice, or those for which bool (n,) ``rows`` is true."""
        numbers, *columns = (column[rows] for column in self.columns())
        return type(self)(self.owners, numbers, *columns)

    def verified(self, capacity_gpu_ms: int) -> Self:
        """Return self if every ledger conserves ``capacity_gpu_ms`` = N * H exactly; else raise LedgerError."""
        totals = self.gpu_ms.sum(axis=(1, 2))
        for wrong, why in (
            (totals != capacity_gpu_ms, f"states sum to {{total}} GPU-ms, not {capacity_gpu_ms}"),
            (self.gpu_ms.min(axis=(1, 2)) < 0, "a state is negative"),
            (
                (self.overhead_gpu_ms.sum(axis=2) != self.gpu_ms[:, :, STATE["overhead"]]).any(axis=1),
                "the causes of overhead do not sum to overhead",
            ),
            (
                (self.gpu_ms[:, :, STATE["useful"]] > self.asked_gpu_ms).any(axis=1),
                "a job has more useful time than it asked for",
            ),
            *self._differing(),
        ):
            if wrong.any():
                first = int(wrong.argmax())
                raise LedgerError(f"replication {self.replications[first]}: {why.format(total=totals[first])}")
        return self

    def _differing(self) -> Iterator[tuple[NDArray[np.bool_], str]]:
        """Yield which replications have another total by month or by cause, and what that is called."""
        by_state = self.gpu_ms.sum(axis=1)
        for each, what in ((self.gpu_ms_by_month, "months"), (self.gpu_ms_by_cause, "causes")):
            if each.shape[1]:
                yield (each.sum(axis=1) != by_state).any(axis=1), f"the {what} do not sum to the ledger"


def alike(parts: "Sequence[Ledgers]") -> "Sequence[Ledgers]":
    """Return ledgers of one scenario with months and causes only if all of them have these."""
    if len({each.gpu_ms_by_month.shape[1] for each in parts}) == 1:
        return parts
    return [each.without_months() for each in parts]


COLUMNS = tuple(each.name for each in fields(Ledgers) if each.name not in ("owners", "replications"))


def _same_owners(parts: "Sequence[Accounts] | Sequence[Ledgers]") -> None:
    if len({part.owners for part in parts}) > 1:
        raise ValueError("the replications do not belong to one scenario: their owners differ")
