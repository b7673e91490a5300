"""Runs as rows of a table: what each drew, lost, did and cost, for whoever goes on with it elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.accounts import MoneyBook
from dcsim.decide.bills import Money
from dcsim.files import whole
from dcsim.ledger import STATE
from dcsim.montecarlo import Sample
from dcsim.scenario import sha256
from dcsim.scenario.sampled import inputs_drawn
from dcsim.units import MS_PER_H

NAME = "runs.parquet"
"""The file in the folder of a run that holds this table."""


def run_table(sample: Sample) -> Any:
    """Return a pyarrow.Table with one row for each run, ascending; each field's metadata holds its unit and meaning.

    Columns: ``run``; what was drawn of every uncertain key, named as the key; ``loss``, ``lost`` and ``unasked`` as
    fractions; ``done_h``, null where not every job was done; counts; useful GPU-hours; and, with [tco], ``paid_usd``,
    ``with_lost_work_usd`` and ``usd_per_useful_gpu_hour``, null where nothing was useful; and, with an owner, a lender
    or a token seller, every line of their statement over the horizon.
    """
    import pyarrow as pa

    scenario, money = sample.scenario, Money.of(sample)
    capacity = np.array(sample.capacity_gpu_ms, dtype=np.float64)
    found: list[tuple[Any, Any]] = []

    def add(name: str, values: Any, unit: str, meaning: str, missing: NDArray[np.bool_] | None = None) -> None:
        array = pa.array(values) if missing is None else pa.array(values, mask=missing)
        metadata = {"unit": unit, "description": meaning}
        found.append((pa.field(name, array.type, nullable=missing is not None, metadata=metadata), array))

    add("run", sample.replications, "1", "number of the run (replication), from 0")
    drawn = [inputs_drawn(scenario, each) for each in sample.replications.tolist()] if scenario.uncertain else []
    for each in scenario.uncertain:
        add(each.key, np.array([inputs[each.key] for inputs in drawn]), each.unit, "drawn: this input is uncertain")
    add("loss", sample.loss, "1", "1 - useful / (GPUs * horizon), GPUs that no job asked for included")
    add("lost", np.array(sample.lost_gpu_ms) / capacity, "1", "lost share of what the answer is about")
    add("unasked", np.array(sample.unasked_gpu_ms) / capacity, "1", "share that no job asked for, spares left out")
    if scenario.ends:
        add("done_h", sample.answer_ms / MS_PER_H, "h", "when the last job was done", ~sample.done)
    add("failures", sample.failures, "1", "failures of components in the horizon")
    add("interruptions", sample.ledgers.strikes[:, : len(scenario.jobs)].sum(axis=1), "1", "interruptions of jobs")
    useful = sample.gpu_ms[:, :, STATE["useful"]].sum(axis=1) / MS_PER_H
    add("useful_gpu_hours", money.useful_gpu_hours if money else useful, "GPU-h", "useful over what is paid for")
    if money is not None:
        nothing = money.useful_gpu_hours <= 0
        hours = np.where(nothing, 1.0, money.useful_gpu_hours)
        add("paid_usd", money.paid, "USD", "invoiced over the term, or until the last job is done")
        add("with_lost_work_usd", money.with_lost_work, "USD", "published method: paid, and goodput loss * rent")
        add("usd_per_useful_gpu_hour", money.paid / hours, "USD/GPU-h", "paid / useful GPU-hours", nothing)
    if (book := MoneyBook.of(sample)) is not None:
        for line in book.statement.lines:
            if line.fold != "none" and line.formula != "0":  # zero: a line that no party of the scenario brings
                meaning = f"{line.party}, {line.label}: {line.formula}"
                add(line.name, book.statement.total(line.name), line.unit, meaning)
    fields, arrays = zip(*found, strict=True)
    about = {"dcsim.scenario_sha256": sha256(scenario), "dcsim.seed": str(scenario.seed)}
    return pa.table(list(arrays), schema=pa.schema(list(fields), metadata=about))


def keep_table(sample: Sample, folder: Path) -> None:
    """Write the table of a sample into the folder of its run; raises StoreError."""
    from pyarrow import parquet

    with whole(folder / NAME) as file:
        parquet.write_table(run_table(sample), file, compression="zstd", write_page_checksum=True)
