"""The ledger: where every GPU-millisecond of the horizon went.

Every GPU is in exactly one state at every instant. Accounts are int GPU-milliseconds, so conservation is equality and
two engines, two worker counts or two batch sizes give identical accounts. Goodput, ETTR and money are folds over them.
"""

from dataclasses import dataclass

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


class LedgerError(Exception):
    """The states of a replication do not sum to the horizon's GPU-milliseconds, or one is negative."""


@dataclass(frozen=True, eq=False)
class Accounts:
    """One replication's ledger.

    ``gpu_ms``: int64 (owners, 13 states) [GPU-ms]. ``overhead_gpu_ms``: int64 (owners, 5 causes) [GPU-ms].
    ``strikes``: int64 (owners,), failures that took members of the owner. ``failures``: effective component failures.
    A job's ``repair`` holds the GPUs that were struck in it, from their identification until they are back.
    ``asked_gpu_ms``: int64 (owners,) [GPU-ms], a job's GPUs from its submission to its end or the horizon.
    ``finished``: int64 (owners,), gangs whose work was done. ``last_finish_ms``: int64 (owners,), when the last of them
    finished, -1 unless all gangs of the job did. These three are 0, 0 and -1 for spares and rest.
    """

    replication: int
    owners: tuple[str, ...]
    gpu_ms: NDArray[np.int64]
    overhead_gpu_ms: NDArray[np.int64]
    strikes: NDArray[np.int64]
    failures: int
    asked_gpu_ms: NDArray[np.int64]
    finished: NDArray[np.int64]
    last_finish_ms: NDArray[np.int64]

    def verified(self, capacity_gpu_ms: int) -> "Accounts":
        """Return self if the ledger conserves ``capacity_gpu_ms`` = N * H exactly; else raise LedgerError."""
        total = int(self.gpu_ms.sum())
        if total != capacity_gpu_ms:
            raise LedgerError(f"replication {self.replication}: states sum to {total} GPU-ms, not {capacity_gpu_ms}")
        if int(self.gpu_ms.min()) < 0:
            raise LedgerError(f"replication {self.replication}: a state is negative")
        if not np.array_equal(self.overhead_gpu_ms.sum(axis=1), self.gpu_ms[:, STATE["overhead"]]):
            raise LedgerError(f"replication {self.replication}: the causes of overhead do not sum to overhead")
        if (self.gpu_ms[:, STATE["useful"]] > self.asked_gpu_ms).any():
            raise LedgerError(f"replication {self.replication}: a job has more useful time than it asked for")
        return self
