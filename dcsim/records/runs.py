"""Runs of jobs that a scheduler wrote down: on which nodes, for how long, and how each ended."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JobRuns:
    """Runs of jobs by time; a job that was requeued is several runs.

    ``start_h``, ``end_h``: float64 (n,) [h from ``begin``]; NaN where a run still goes on. ``owner``: int64 (n,),
    index into ``owners``, whose job it was (its user, account or name). ``node``: int64 (m,), indices into ``nodes``;
    those of run i are ``node[first[i] : first[i + 1]]``, ``first`` int64 (n + 1,). ``outcome``: int64 (n,), index into
    ``OUTCOMES``. ``begin``: [s since 1970].
    """

    start_h: Values
    end_h: Values
    owner: NDArray[np.int64]
    owners: tuple[str, ...]
    node: NDArray[np.int64]
    first: NDArray[np.int64]
    nodes: tuple[str, ...]
    outcome: NDArray[np.int64]
    begin: float
    span_h: float

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.start_h)


OUTCOMES = ("completed", "failed", "node failure", "time limit", "requeued", "cancelled", "going on")
"""How a run of a job ended; "failed": the job's own program ended with an error, or ran out of memory."""
