"""Replications as rows of a table: the columns that a run leaves behind, with their units."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim import __version__
from dcsim.ledger import CAUSES, STATES, Ledgers

SCHEMA = 5
"""Version of the files that a run leaves behind."""


LISTS = {
    "month": "by month of the scenario; in the row of the last owner, and only if it was kept",
    "cause": "by hazard, then by kind of maintenance, then all else; in the row of the last owner, and only if kept",
}
"""What the columns that are lists are by."""
SOLD = "available_domains_by_month"
"""Column of how many domains had which availability."""


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
        field("drawn_count", pa.int64(), "1", "failures drawn at constant rates, the same in each of its rows"),
        *(
            field(
                f"{state}_gpu_ms_by_{what}",
                pa.list_(pa.int64()),
                "GPU-ms",
                f"time in state {state}, of all owners, {how}",
            )
            for what, how in LISTS.items()
            for state in STATES
        ),
        field(
            SOLD,
            pa.list_(pa.int64()),
            "1",
            "domains that are sold, by month, then by availability and then without "
            "maintenance; in the row of the last owner, and only if something is sold",
        ),
    ]
    keys = {
        "dcsim.schema": str(SCHEMA),
        "dcsim.version": __version__,
        "dcsim.scenario_sha256": scenario_sha256,
        "dcsim.seed": str(seed),
    }
    return pa.schema(fields, metadata=keys)


def arrow_table(ledgers: Ledgers, schema: Any) -> Any:
    """Return a pyarrow.Table of an ``arrow_schema``: one row per replication and owner, in that order."""
    import pyarrow as pa

    replications, owners = ledgers.strikes.shape
    counts = [
        *ledgers.gpu_ms.reshape(replications * owners, -1).T,
        *ledgers.overhead_gpu_ms.reshape(replications * owners, -1).T,
        ledgers.strikes.reshape(-1),
        ledgers.asked_gpu_ms.reshape(-1),
        ledgers.finished.reshape(-1),
        ledgers.last_finish_ms.reshape(-1),
        np.repeat(ledgers.failures, owners),
        np.repeat(ledgers.drawn, owners),
    ]
    return pa.table(
        [
            pa.array(np.repeat(ledgers.replications, owners)),
            pa.array(ledgers.owners * replications, pa.string()),
            *(pa.array(np.ascontiguousarray(column)) for column in counts),
            *_lists(ledgers.gpu_ms_by_month, owners),
            *_lists(ledgers.gpu_ms_by_cause, owners),
            *_lists(ledgers.available_domains.reshape(replications, -1, 1), owners),
        ],
        schema=schema,
    )


def _lists(kept: NDArray[np.int64], owners: int) -> Iterator[Any]:
    """Yield a column of lists for each state: that of a replication stands in the row of its last owner."""
    import pyarrow as pa

    replications, length, states = kept.shape
    ends = np.zeros(replications * owners + 1, dtype=np.int32)
    ends[owners::owners] = length
    offsets = pa.array(np.cumsum(ends, dtype=np.int32))
    for state in range(states):
        yield pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(kept[:, :, state]).ravel()))


def _from_lists(table: Any, names: Sequence[str], replications: int) -> NDArray[np.int64]:
    """Return what ``_lists`` made columns of, int64 (replications, length, names).

    Raises ValueError if they are not of one length.
    """
    columns = [table[name].combine_chunks() for name in names]
    lengths = np.stack([column.value_lengths().to_numpy(zero_copy_only=False) for column in columns])
    by_replication = lengths.reshape(len(names), replications, -1)
    if by_replication[:, :, :-1].any() or len(np.unique(by_replication[:, :, -1])) > 1:
        raise ValueError(f"the lists of {names[0]} and its like are not of one length")
    flat = [column.flatten().to_numpy().reshape(replications, -1) for column in columns]
    return np.stack(flat, axis=2)


def from_arrow(table: Any, owners: tuple[str, ...], capacity_gpu_ms: int) -> Ledgers:
    """Turn a table of ``arrow_table`` into ledgers again.

    Raises ValueError if its rows are not whole replications of these owners, ascending, LedgerError if one does not
    conserve.
    """
    count, rest = divmod(table.num_rows, len(owners))
    if rest or table["owner"].to_pylist() != list(owners) * count:
        raise ValueError("the rows are not whole replications of the scenario's owners")
    names = [[f"{state}_gpu_ms_by_{what}" for state in STATES] for what in LISTS]
    by_month, by_cause, sold = (_from_lists(table, each, count) for each in (*names, [SOLD]))
    listed = {"owner", SOLD, *(name for each in names for name in each)}
    numbers = [table[name].to_numpy().reshape(count, -1) for name in table.column_names if name not in listed]
    replications, failures, drawn = numbers[0], numbers[-2], numbers[-1]
    if replications.min(initial=0) < 0 or any((each != each[:, :1]).any() for each in (replications, failures, drawn)):
        raise ValueError("the rows of a replication contradict one another")
    gpu_ms, overhead_gpu_ms = np.split(np.stack(numbers[1 : 1 + len(STATES) + len(CAUSES)], axis=2), [len(STATES)], 2)
    strikes, asked, finished, last = numbers[-6:-2]
    ledgers = Ledgers(
        owners,
        replications[:, 0],
        gpu_ms,
        overhead_gpu_ms,
        strikes,
        failures[:, 0],
        drawn[:, 0],
        asked,
        finished,
        last,
        by_month,
        by_cause,
        sold.reshape(count, by_month.shape[1] if sold.shape[1] else 0, -1 if sold.shape[1] else 1),
    )
    return ledgers.verified(capacity_gpu_ms)
