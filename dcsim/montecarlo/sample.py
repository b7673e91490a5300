"""The replications of one scenario, and the folds over them that every report reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import CAUSES, STATE, STATES, Accounts
from dcsim.scenario import Scenario, sha256
from dcsim.units import MS_PER_H, MS_PER_MONTH

SCHEMA = 2
"""Version of the files that a run leaves behind."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The ledgers of n replications of one scenario, by replication number.

    ``replications``: int64 (n,). ``gpu_ms``: int64 (n, owners, 13 states) [GPU-ms]. ``overhead_gpu_ms``: int64
    (n, owners, 5 causes) [GPU-ms]. ``strikes``: int64 (n, owners). ``failures``: int64 (n,). ``asked_gpu_ms``
    [GPU-ms], ``finished`` and ``last_finish_ms`` [ms]: int64 (n, owners), as in ``Accounts``. ``owners``: the jobs as
    listed, then spares, then rest.

    Sums within one replication fit int64 (N * H does); sums over replications do not (100 replications of a million
    GPUs overflow it), so they are Python ints. A mean is the exact sum divided once, hence correctly rounded.
    """

    scenario: Scenario
    owners: tuple[str, ...]
    replications: NDArray[np.int64]
    gpu_ms: NDArray[np.int64]
    overhead_gpu_ms: NDArray[np.int64]
    strikes: NDArray[np.int64]
    failures: NDArray[np.int64]
    asked_gpu_ms: NDArray[np.int64]
    finished: NDArray[np.int64]
    last_finish_ms: NDArray[np.int64]

    @classmethod
    def of(cls, scenario: Scenario, accounts: Iterable[Accounts]) -> "Sample":
        """Put replications together in whatever order they come.

        Raises ValueError if there are none, if one comes twice, or if their owners differ.
        """
        ordered = sorted(accounts, key=lambda one: one.replication)
        numbers = [one.replication for one in ordered]
        if not ordered:
            raise ValueError("a sample needs at least one replication")
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"a replication comes twice in {numbers}")
        if len({one.owners for one in ordered}) > 1:
            raise ValueError("the replications do not belong to one scenario: their owners differ")
        arrays = (
            np.array(numbers, dtype=np.int64),
            np.stack([one.gpu_ms for one in ordered]),
            np.stack([one.overhead_gpu_ms for one in ordered]),
            np.stack([one.strikes for one in ordered]),
            np.array([one.failures for one in ordered], dtype=np.int64),
            *(
                np.stack([getattr(one, name) for one in ordered])
                for name in ("asked_gpu_ms", "finished", "last_finish_ms")
            ),
        )
        for array in arrays:
            array.flags.writeable = False
        return cls(scenario, ordered[0].owners, *arrays)

    def __len__(self) -> int:
        """Return the number of replications."""
        return len(self.replications)

    @property
    def gpu_hours_total(self) -> float:
        """N * H [GPU-hours] of one replication."""
        return self.scenario.capacity_gpu_ms / MS_PER_H

    # --- goodput --------------------------------------------------------------------------------------------------

    @property
    def loss(self) -> NDArray[np.float64]:
        """1 − useful / (N * H) of each replication, idle included, float64 (n,)."""
        return _ratios(self._lost, self.scenario.capacity_gpu_ms)

    @property
    def mean_loss(self) -> float:
        """1 − useful / (N * H) over all replications."""
        return _mean(self._lost, self.scenario.capacity_gpu_ms)

    @property
    def job_loss(self) -> NDArray[np.float64] | None:
        """1 − useful / (GPU-hours that jobs asked for) of each replication, float64 (n,); None if they asked for none.

        A gang asks for its size from its submission to its end or the horizon.
        """
        useful, asked = self._useful_and_asked()
        lost = [most - done for done, most in zip(useful, asked, strict=True)]
        return _quotients(lost, asked) if all(asked) else None

    @property
    def mean_job_loss(self) -> float | None:
        """1 − useful / (GPU-hours that jobs asked for) over all replications; None if they asked for none."""
        useful, asked = self._useful_and_asked()
        return (sum(asked) - sum(useful)) / sum(asked) if all(asked) else None

    def ettr(self, job: str) -> NDArray[np.float64] | None:
        """Useful / (GPU-hours from submission to the job's end or the horizon) of each replication, float64 (n,).

        None for a job that is submitted at the horizon or later. Raises KeyError for an unknown job.
        """
        useful, asked = self._useful_and_asked(job)
        return _quotients(useful, asked) if all(asked) else None

    def mean_ettr(self, job: str) -> float | None:
        """Useful / (GPU-hours from submission to the end) of a job over all replications; None as in ``ettr``."""
        useful, asked = self._useful_and_asked(job)
        return sum(useful) / sum(asked) if all(asked) else None

    def finish_h(self, job: str) -> NDArray[np.float64]:
        """When the last gang of a job finished [h], float64 (m,), in the m replications in which all of them did."""
        finishes = self.last_finish_ms[:, self._row(job)]
        return finishes[finishes >= 0] / MS_PER_H

    @property
    def _lost(self) -> list[int]:
        capacity = self.scenario.capacity_gpu_ms
        return [capacity - useful for useful in self._per_replication(self.gpu_ms)[STATE["useful"]]]

    def _row(self, name: str) -> int:
        names = [job.name for job in self.scenario.jobs]
        if name not in names:
            raise KeyError(f"no job {name!r}; the jobs are {', '.join(names)}")
        return names.index(name)

    def _useful_and_asked(self, job: str | None = None) -> tuple[list[int], list[int]]:
        """Useful GPU-ms of a job (None: of all) in each replication, and the GPU-ms it asked for."""
        rows = slice(len(self.scenario.jobs)) if job is None else slice(self._row(job), self._row(job) + 1)
        useful = self.gpu_ms[:, rows, STATE["useful"]].sum(axis=1)
        return useful.tolist(), self.asked_gpu_ms[:, rows].sum(axis=1).tolist()

    # --- the ledger -----------------------------------------------------------------------------------------------

    @property
    def mean_gpu_hours(self) -> dict[str, float]:
        """Mean GPU-hours in each of the 13 states."""
        columns = self._per_replication(self.gpu_ms)
        return {state: _mean(column, MS_PER_H) for state, column in zip(STATES, columns, strict=True)}

    @property
    def overhead_by_cause(self) -> dict[str, float]:
        """Mean GPU-hours of ``overhead`` by cause."""
        columns = self._per_replication(self.overhead_gpu_ms)
        return {cause: _mean(column, MS_PER_H) for cause, column in zip(CAUSES, columns, strict=True)}

    @staticmethod
    def _per_replication(accounts: NDArray[np.int64]) -> list[list[int]]:
        """Sum over owners: one list of n Python ints for each column."""
        columns: list[list[int]] = accounts.sum(axis=1).T.tolist()
        return columns

    # --- counts ---------------------------------------------------------------------------------------------------

    @property
    def interruptions_per_month(self) -> NDArray[np.float64]:
        """Strikes on gangs per 720 h in each replication, float64 (n,)."""
        return _ratios([count * MS_PER_MONTH for count in self._interruptions], self.scenario.horizon)

    @property
    def mean_interruptions_per_month(self) -> float:
        """Strikes on gangs per 720 h over all replications."""
        return _mean([count * MS_PER_MONTH for count in self._interruptions], self.scenario.horizon)

    @property
    def failures_per_month(self) -> NDArray[np.float64]:
        """Effective component failures per 720 h in each replication, float64 (n,)."""
        return _ratios([count * MS_PER_MONTH for count in self.failures.tolist()], self.scenario.horizon)

    @property
    def mean_failures_per_month(self) -> float:
        """Effective component failures per 720 h over all replications."""
        return _mean([count * MS_PER_MONTH for count in self.failures.tolist()], self.scenario.horizon)

    @property
    def _interruptions(self) -> list[int]:
        counts: list[int] = self.strikes[:, : len(self.scenario.jobs)].sum(axis=1).tolist()
        return counts

    # --- arrow ----------------------------------------------------------------------------------------------------

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table: one row per replication and owner, in that order; see ``arrow_schema``."""
        return arrow_table(self, sha256(self.scenario))


def _ratios(numerators: Sequence[int], denominator: int) -> NDArray[np.float64]:
    """Divide Python ints, each quotient correctly rounded; so one replication's ratio is its mean to the last bit."""
    return np.array([numerator / denominator for numerator in numerators])


def _quotients(numerators: Sequence[int], denominators: Sequence[int]) -> NDArray[np.float64]:
    """Divide Python ints by ints above 0, each quotient correctly rounded."""
    return np.array([each / by for each, by in zip(numerators, denominators, strict=True)])


def _mean(numerators: Sequence[int], denominator: int) -> float:
    return sum(numerators) / (len(numerators) * denominator)


def arrow_schema(scenario_sha256: str, seed: int) -> Any:
    """Return the pyarrow.Schema of replications; each field's metadata holds its unit, the schema's whose they are."""
    import pyarrow as pa

    def field(name: str, kind: Any, unit: str, meaning: str) -> Any:
        return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": meaning})

    fields = [
        field("replication", pa.int64(), "1", "number of the replication, from 0"),
        field("owner", pa.string(), "", "the jobs as listed, then spares, then rest"),
        *(field(f"{state}_gpu_ms", pa.int64(), "GPU-ms", f"time in state {state}") for state in STATES),
        *(field(f"overhead_{cause}_gpu_ms", pa.int64(), "GPU-ms", f"overhead by {cause}") for cause in CAUSES),
        field("strikes_count", pa.int64(), "1", "failures that took members of the owner"),
        field("asked_gpu_ms", pa.int64(), "GPU-ms", "a job's GPUs from its submission to its end or the horizon"),
        field("finished_count", pa.int64(), "1", "gangs whose work was done"),
        field("last_finish_ms", pa.int64(), "ms", "when the last gang finished; -1: not all gangs of the job did"),
        field("failures_count", pa.int64(), "1", "failures in the whole replication, the same in each of its rows"),
    ]
    keys = {"dcsim.schema": str(SCHEMA), "dcsim.scenario_sha256": scenario_sha256, "dcsim.seed": str(seed)}
    return pa.schema(fields, metadata=keys)


def arrow_table(sample: Sample, scenario_sha256: str) -> Any:
    """Return ``Sample.to_arrow`` for a caller that knows the scenario's sha256 already."""
    import pyarrow as pa

    replications, owners = sample.strikes.shape
    counts = [
        *sample.gpu_ms.reshape(replications * owners, -1).T,
        *sample.overhead_gpu_ms.reshape(replications * owners, -1).T,
        sample.strikes.reshape(-1),
        sample.asked_gpu_ms.reshape(-1),
        sample.finished.reshape(-1),
        sample.last_finish_ms.reshape(-1),
        np.repeat(sample.failures, owners),
    ]
    return pa.table(
        [
            pa.array(np.repeat(sample.replications, owners)),
            pa.array(sample.owners * replications, pa.string()),
            *(pa.array(np.ascontiguousarray(column)) for column in counts),
        ],
        schema=arrow_schema(scenario_sha256, sample.scenario.seed),
    )


def from_arrow(table: Any, scenario: Scenario, owners: tuple[str, ...]) -> list[Accounts]:
    """Turn a table of ``arrow_table`` into accounts again.

    Raises ValueError if its rows are not whole replications of these owners, LedgerError if one does not conserve.
    """
    if table.num_rows % len(owners) or table["owner"].to_pylist() != list(owners) * (table.num_rows // len(owners)):
        raise ValueError("the rows are not whole replications of the scenario's owners")
    numbers = np.stack([table[name].to_numpy() for name in table.column_names if name != "owner"], axis=1)
    found = []
    for rows in numbers.reshape(-1, len(owners), numbers.shape[1]):
        if (rows[:, 0] != rows[0, 0]).any() or (rows[:, -1] != rows[0, -1]).any() or rows[0, 0] < 0:
            raise ValueError("the rows of a replication contradict one another")
        gpu_ms, overhead_gpu_ms, counts = np.split(rows[:, 1:-1], np.cumsum([len(STATES), len(CAUSES)]), axis=1)
        strikes, asked, finished, last = counts.T
        number, failures = int(rows[0, 0]), int(rows[0, -1])
        accounts = Accounts(number, owners, gpu_ms, overhead_gpu_ms, strikes, failures, asked, finished, last)
        found.append(accounts.verified(scenario.capacity_gpu_ms))
    return found
