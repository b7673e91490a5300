"""The event log of a replication as a parquet file beside the run's replications."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.files import StoreError, make_folder, on_disk, remove_unfinished, source, write_whole
from dcsim.ledger import Accounts
from dcsim.montecarlo.run_folder import EVENTS
from dcsim.scenario import Scenario, sha256
from dcsim.scenario.sampled import sampled

if TYPE_CHECKING:
    from dcsim.engine import EventLog

VERSION = 2
"""Version of the columns. 2: with places, repairs, transfers and the plant; rows of a stretch span all of it."""


def write_events(folder: Path, scenario: Scenario, replication: int) -> Accounts:
    """Simulate a replication once more, with a log, and write it; return its accounts, the same as without.

    ``folder``: the run's. Raises StoreError where it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from dcsim.engine import simulate_with_log

    accounts, log = simulate_with_log(sampled(scenario, replication), replication)
    sink = pa.BufferOutputStream()
    parquet.write_table(event_table(log, scenario, replication), sink, compression="zstd", write_page_checksum=True)
    path = events_path(folder, replication)
    make_folder(path.parent)
    with on_disk(path.parent):
        remove_unfinished(path.parent)
    write_whole(path, memoryview(sink.getvalue()))
    return accounts


def events_path(folder: Path, replication: int) -> Path:
    """Return where the event log of a replication is."""
    return Path(folder) / EVENTS / f"replication-{replication:08d}.parquet"


def read_events(folder: Path | str, replication: int = 0) -> Any:
    """Return the event log of one replication of a run as a pyarrow.Table; raises StoreError if it was not kept."""
    import pyarrow as pa
    from pyarrow import parquet

    path = events_path(Path(folder), replication)
    try:
        with on_disk(path), source(path) as file:
            content = file.read(0, file.size)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StoreError(path, "no event log of this replication; run with --events") from None
        raise
    try:
        return parquet.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise StoreError(path, "damaged; run it again with --events") from error


def event_table(log: "EventLog", scenario: Scenario, replication: int) -> Any:
    """Return a log as a pyarrow.Table; each field's metadata holds its unit and meaning."""
    import pyarrow as pa

    kinds = {"int64": pa.int64(), "int32": pa.int32(), "text": pa.dictionary(pa.int32(), pa.string())}
    fields = [
        pa.field(name, kinds[kind], nullable=False, metadata={"unit": unit, "description": meaning})
        for name, kind, unit, meaning in log.SCHEMA
    ]
    about = {
        "dcsim.events": str(VERSION),
        "dcsim.scenario_sha256": sha256(scenario),
        "dcsim.seed": str(scenario.seed),
        "dcsim.replication": str(replication),
    }
    columns = log.columns()
    arrays = [pa.array(columns[field.name], type=field.type) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields, metadata=about))
