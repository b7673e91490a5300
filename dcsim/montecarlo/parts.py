"""Files of replications: one for each finished task, and in the end one for all.

The last file's bytes depend on the replications in it alone: it has row groups of a fixed number of replications, in
their order, whatever the tasks were. It is streamed from the others, so that it never lies in memory as a whole.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from dcsim.ledger import Ledgers
from dcsim.montecarlo.table import arrow_schema, arrow_table, from_arrow
from dcsim.scenario import Scenario, sha256
from dcsim.scenario.plan import plan

GROUP = 1024
"""Replications in a row group of the last file: a few MB (assumed)."""


class StoreError(Exception):
    """A file or folder of a run cannot be used: ``StoreError(path, problem)``."""

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


class DamagedError(Exception):
    """A file's content cannot be believed: ``DamagedError(why)``."""


class Parts:
    """Reads and writes files of replications of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.sha256 = sha256(scenario)

    @cached_property
    def schema(self) -> Any:
        """The pyarrow.Schema of every file."""
        return arrow_schema(self.sha256, self.scenario.seed)

    @cached_property
    def _owners(self) -> tuple[str, ...]:
        return plan(self.scenario).owners

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, path: Path, blocks: Iterator[Ledgers]) -> None:
        """Write a file, whole or not at all; every block is a row group."""
        from pyarrow import parquet

        with whole(path) as file:
            options = {"compression": "zstd", "write_page_checksum": True, "use_dictionary": ["owner"]}
            with parquet.ParquetWriter(file, self.schema, **options) as writer:
                for block in blocks:
                    table = arrow_table(block, self.schema)
                    writer.write_table(table, row_group_size=table.num_rows)

    def put_together(self, path: Path, files: Sequence[Path], below: int | None = None) -> None:
        """Write one file with the replications of all of ``files``, ``path`` itself may be among them.

        A replication that is in several of them, which are the same then, is written once. ``below``: only those of
        lower numbers. Raises DamagedError.
        """
        groups = [group for file in files for group in self._groups(file) if below is None or group[0] < below]
        self.write(path, in_order(groups, below))

    # --- reading --------------------------------------------------------------------------------------------------

    def read(self, path: Path) -> list[Ledgers]:
        """Return what is in a file, verified, by row group; raises DamagedError."""
        return [load() for _, load in self._groups(path)]

    def _groups(self, path: Path) -> "list[Group]":
        """Return the row groups of a file."""
        from pyarrow import parquet

        with path.open("rb") as source, believed(), parquet.ParquetFile(source) as file:
            metadata = file.metadata
            found = file.schema_arrow
            lowest = [metadata.row_group(group).column(0).statistics.min for group in range(metadata.num_row_groups)]
        if not found.equals(self.schema) or found.metadata != self.schema.metadata:
            raise DamagedError("not of this scenario")
        if not lowest:
            raise DamagedError("no replications in it")

        def load(group: int) -> Ledgers:
            with path.open("rb") as source, believed():
                with parquet.ParquetFile(source, metadata=metadata, page_checksum_verification=True) as file:
                    table = file.read_row_group(group, use_threads=False)
                ledgers = from_arrow(table, self._owners, self.scenario.capacity_gpu_ms)
                if ledgers.replications[0] != lowest[group]:
                    raise DamagedError("its statistics are not those of its rows")
                return ledgers

        return [(number, partial(load, group)) for group, number in enumerate(lowest)]


Group = tuple[int, Callable[[], Ledgers]]
"""A row group: its lowest replication, and what reads it."""


def in_order(groups: Sequence[Group], below: int | None = None) -> Iterator[Ledgers]:
    """Yield the replications of row groups, ascending, each once, by ``GROUP``; only what overlaps is held.

    ``below``: only replications of lower numbers; every group has one.
    """
    waiting = sorted(groups, key=lambda group: group[0])
    held: Ledgers | None = None
    for index, (_, load) in enumerate(waiting):
        found = load()
        if below is not None and found.replications[-1] >= below:
            found = found.chosen(found.replications < below)
        if held is not None:
            new = ~np.isin(found.replications, held.replications)
            held = Ledgers.joined([held, found.chosen(new)]) if new.any() else held
        else:
            held = found
        last = index + 1 == len(waiting)
        ready = len(held) if last else int(np.searchsorted(held.replications, waiting[index + 1][0]))
        for start in range(0, ready if last else ready // GROUP * GROUP, GROUP):
            yield held.chosen(slice(start, min(start + GROUP, ready)))
        if not last and ready >= GROUP:
            gone = ready // GROUP * GROUP
            held = held.chosen(slice(gone, None)) if gone < len(held) else None


@contextmanager
def believed() -> Iterator[None]:
    """Turn whatever damaged bytes lead to into a DamagedError; they take a decoder anywhere."""
    try:
        yield
    except DamagedError:
        raise
    except Exception as error:
        told = str(error) if type(error).__module__.startswith("dcsim.") or type(error) is ValueError else ""
        raise DamagedError(told or "not a whole parquet file") from error


# --- whole files ------------------------------------------------------------------------------------------------------


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write so that whoever looks, now or after a crash, sees all of it or the file as it was."""
    beside = path.with_name(f".{path.name}.tmp")
    with on_disk(path):
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def write_whole(path: Path, content: Any) -> None:
    """Write bytes so that whoever looks, now or after a crash, sees all of them or the file as it was."""
    with whole(path) as file:
        file.write(content)


def is_leftover(path: Path) -> bool:
    """Whether a path is what a write that was killed leaves behind."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a StoreError that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(path, error.strerror or str(error)) from error
