"""The replications of one scenario, and the folds over them that every report reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import CAUSES, STATE, STATES, Accounts, Ledgers
from dcsim.montecarlo.arrow_ledgers import arrow_schema, arrow_table
from dcsim.scenario import Scenario, sha256
from dcsim.scenario.plan import lay_out
from dcsim.units import MS_PER_H, MS_PER_MONTH

NO_CAUSE = "no failure of its own"
"""Stands for what follows from no hazard and no maintenance."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The ledgers of n replications of one scenario, and folds over them.

    Sums over replications do not fit int64, so they are Python ints. A mean is the exact sum divided once, hence
    correctly rounded.
    """

    scenario: Scenario
    ledgers: Ledgers

    @classmethod
    def of(cls, scenario: Scenario, accounts: Iterable[Accounts]) -> "Sample":
        """Put replications together as ``Ledgers.of`` does."""
        return cls(scenario, Ledgers.of(accounts))

    @property
    def replications(self) -> NDArray[np.int64]:
        """Numbers of the replications, ascending, int64 (n,)."""
        return self.ledgers.replications

    @property
    def gpu_ms(self) -> NDArray[np.int64]:
        """Time of each replication, owner and state [GPU-ms], int64 (n, owners, 13)."""
        return self.ledgers.gpu_ms

    @property
    def failures(self) -> NDArray[np.int64]:
        """Effective component failures of each replication, int64 (n,)."""
        return self.ledgers.failures

    @property
    def drawn(self) -> NDArray[np.int64]:
        """Failures drawn whose expected number is known, int64 (n,): see ``Accounts.drawn``."""
        return self.ledgers.drawn

    def __len__(self) -> int:
        """Return the number of replications."""
        return len(self.ledgers)

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
        finishes = self.ledgers.last_finish_ms[:, self._row(job)]
        return finishes[finishes >= 0] / MS_PER_H

    @property
    def _lost(self) -> list[int]:
        capacity = self.scenario.capacity_gpu_ms
        return [capacity - useful for useful in self.useful_gpu_ms]

    @property
    def useful_gpu_ms(self) -> list[int]:
        """Useful time [GPU-ms] of each replication."""
        return self._per_replication(self.gpu_ms)[STATE["useful"]]

    # --- the time that an answer is about ---------------------------------------------------------------------------

    @property
    def done(self) -> NDArray[np.bool_]:
        """Whether every job finished its work, bool (n,); false where a job has no work to finish."""
        rows = self.ledgers.last_finish_ms[:, : len(self.scenario.jobs)]
        return np.asarray((rows >= 0).all(axis=1) & self.scenario.ends)

    @property
    def answer_ms(self) -> NDArray[np.int64]:
        """The time [ms] that each replication's answer is about, int64 (n,).

        Until the last job is done where every job has work and all of them finished, else the horizon.
        """
        last = self.ledgers.last_finish_ms[:, : len(self.scenario.jobs)].max(axis=1)
        return np.where(self.done, last, self.scenario.horizon)

    @property
    def capacity_gpu_ms(self) -> list[int]:
        """GPU-time [GPU-ms] of the whole cluster in ``answer_ms``, of each replication."""
        return [self.scenario.cluster.gpus * time for time in self.answer_ms.tolist()]

    @property
    def unasked_gpu_ms(self) -> list[int]:
        """Time [GPU-ms] in ``answer_ms`` of GPUs that no job asked for and that are no spares, of each replication.

        Until the last job is done: N * T less what jobs asked for and less the spares. Over a horizon also at most the
        ledger's ``idle``, because some of those GPUs stand in for others or are in repair.
        """
        spares = lay_out(self.scenario).idle_spares
        _, asked = self._useful_and_asked()
        left = [
            max(0, capacity - wanted - spares * time)
            for capacity, wanted, time in zip(self.capacity_gpu_ms, asked, self.answer_ms.tolist(), strict=True)
        ]
        if self.scenario.ends:
            return left
        return [min(each) for each in zip(left, self._per_replication(self.gpu_ms)[STATE["idle"]], strict=True)]

    @property
    def lost_gpu_ms(self) -> list[int]:
        """Time [GPU-ms] in ``answer_ms`` that was neither useful nor unasked, of each replication."""
        each = zip(self.capacity_gpu_ms, self.useful_gpu_ms, self.unasked_gpu_ms, strict=True)
        return [capacity - useful - unasked for capacity, useful, unasked in each]

    def _row(self, name: str) -> int:
        names = [job.name for job in self.scenario.jobs]
        if name not in names:
            raise KeyError(f"no job {name!r}; the jobs are {', '.join(names)}")
        return names.index(name)

    def _useful_and_asked(self, job: str | None = None) -> tuple[list[int], list[int]]:
        """Useful GPU-ms of a job (None: of all) in each replication, and the GPU-ms it asked for."""
        rows = slice(len(self.scenario.jobs)) if job is None else slice(self._row(job), self._row(job) + 1)
        useful = self.gpu_ms[:, rows, STATE["useful"]].sum(axis=1)
        return useful.tolist(), self.ledgers.asked_gpu_ms[:, rows].sum(axis=1).tolist()

    # --- the ledger -----------------------------------------------------------------------------------------------

    @property
    def mean_gpu_hours(self) -> dict[str, float]:
        """Mean GPU-hours in each of the 13 states."""
        columns = self._per_replication(self.gpu_ms)
        return {state: _mean(column, MS_PER_H) for state, column in zip(STATES, columns, strict=True)}

    @property
    def overhead_by_cause(self) -> dict[str, float]:
        """Mean GPU-hours of ``overhead`` by cause."""
        columns = self._per_replication(self.ledgers.overhead_gpu_ms)
        return {cause: _mean(column, MS_PER_H) for cause, column in zip(CAUSES, columns, strict=True)}

    @property
    def has_months(self) -> bool:
        """Whether GPU-time was kept by month and by cause."""
        return bool(self.ledgers.gpu_ms_by_month.shape[1])

    @property
    def month_loss(self) -> NDArray[np.float64]:
        """1 - useful / all GPU-hours of each month of each replication, float64 (n, months); no months: not kept.

        Work that is lost later is lost in the month in which it was done.
        """
        by_month = self.ledgers.gpu_ms_by_month
        useful, whole = by_month[:, :, STATE["useful"]], by_month.sum(axis=2)
        loss: NDArray[np.float64] = 1 - useful / whole
        return loss

    @property
    def month_lost(self) -> NDArray[np.float64]:
        """Lost share of each month of each replication, float64 (n, months): ``month_loss`` without unasked hours.

        Unasked are GPUs that are neither asked for by a job that is there, nor spares, at most those that are idle.
        Where jobs end, a month does not know who was there: all idle GPUs are then unasked.
        """
        by_month, jobs = self.ledgers.gpu_ms_by_month, self.scenario.jobs
        idle, whole = by_month[:, :, STATE["idle"]], by_month.sum(axis=2)
        if not any(job.work is not None for job in jobs):
            gpus, spares = self.scenario.cluster.gpus, lay_out(self.scenario).spares
            ends = np.minimum(np.arange(1, whole.shape[1] + 1) * self.scenario.month, self.scenario.horizon)
            begins = np.arange(whole.shape[1]) * self.scenario.month
            asked = (ends - begins) * spares
            for job in jobs:
                asked = asked + job.gpus * job.count * (ends - np.clip(job.submit, begins, ends))
            idle = np.minimum(idle, np.maximum(0, (ends - begins) * gpus - asked))
        lost: NDArray[np.float64] = self.month_loss - idle / whole
        return lost

    @property
    def mean_gpu_hours_by_month(self) -> dict[str, list[float]]:
        """Mean GPU-hours in each state, month by month; {} if not kept."""
        table = _mean_gpu_hours(self.ledgers.gpu_ms_by_month)
        return {state: [row[column] for row in table] for column, state in enumerate(STATES)} if table else {}

    @property
    def mean_gpu_hours_by_cause(self) -> dict[str, dict[str, float]]:
        """Mean GPU-hours by state that follow from each hazard and each maintenance, and from none; {} if not kept.

        A stall belongs to the first cause since its gang last ran.
        """
        scenario = self.scenario
        names = [*(each.key for each in scenario.hazards), *(each.name for each in scenario.maintenance), NO_CAUSE]
        found: dict[str, dict[str, float]] = {}
        for name, row in zip(names, _mean_gpu_hours(self.ledgers.gpu_ms_by_cause), strict=False):
            before = found.setdefault(name, dict.fromkeys(STATES, 0.0))  # a hazard and a maintenance may share a name
            found[name] = {state: before[state] + hours for state, hours in zip(STATES, row, strict=True)}
        return found

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
    def interruptions(self) -> int:
        """Strikes on gangs in all replications together."""
        return sum(self._interruptions)

    @property
    def _interruptions(self) -> list[int]:
        counts: list[int] = self.ledgers.strikes[:, : len(self.scenario.jobs)].sum(axis=1).tolist()
        return counts

    # --- arrow ----------------------------------------------------------------------------------------------------

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table: one row per replication and owner, in that order; see ``arrow_schema``."""
        return arrow_table(self.ledgers, arrow_schema(sha256(self.scenario), self.scenario.seed))


def _ratios(numerators: Sequence[int], denominator: int) -> NDArray[np.float64]:
    """Divide Python ints, each quotient correctly rounded; so one replication's ratio is its mean to the last bit."""
    return np.array([numerator / denominator for numerator in numerators])


def _quotients(numerators: Sequence[int], denominators: Sequence[int]) -> NDArray[np.float64]:
    """Divide Python ints by ints above 0, each quotient correctly rounded."""
    return np.array([each / by for each, by in zip(numerators, denominators, strict=True)])


def _mean(numerators: Sequence[int], denominator: int) -> float:
    return sum(numerators) / (len(numerators) * denominator)


def _mean_gpu_hours(gpu_ms: NDArray[np.int64]) -> list[list[float]]:
    """Return the mean over replications, int64 (n, rows, states) [GPU-ms], in GPU-hours; sums need not fit int64."""
    n, high, low = len(gpu_ms), gpu_ms >> 32, gpu_ms & (2**32 - 1)
    sums = zip(high.sum(axis=0).tolist(), low.sum(axis=0).tolist(), strict=True)
    return [[((a << 32) + b) / n / MS_PER_H for a, b in zip(*row, strict=True)] for row in sums]
