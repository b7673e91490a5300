"""The event log: what happened, to whom, why and where; in columns, because rows of dicts cost five times as much."""

from typing import Any

SCHEMA: tuple[tuple[str, str, str, str], ...] = (
    ("start_ms", "int64", "ms", "begin of a phase; of an event, when it happened"),
    ("end_ms", "int64", "ms", "end of a phase; the same for an event"),
    ("what", "text", "", "'phase': time that is booked; 'rollback': time that is booked anew; else an event"),
    ("owner", "text", "", "row of the ledger: a job's name, 'spares' or 'rest'"),
    ("gang", "int32", "", "gang, counted over all jobs; -1: none"),
    ("why", "text", "", "hazard or maintenance; empty: none"),
    ("where", "int64", "", "index of the component; -1: a slot, or nowhere"),
    ("phase", "text", "", "ledger state that the time is booked to, 'running' before its split; of an event: empty"),
    ("gpus", "int64", "GPU", "GPUs that the phase or the event is about"),
    ("gpu_ms", "int64", "GPU-ms", "time booked; negative where a rollback takes it away; 0 for an event"),
    ("speed_ppb", "int64", "1e-9", "share of the work that running time yields; 1e9 at full speed, 0 elsewhere"),
)
"""Column, type, unit and meaning. The ledger follows from the log: sum ``gpu_ms`` by owner and phase. Of ``running``,
floor(sum of gpu_ms * speed_ppb / 1e9) by gang is the work; floor of that times the strategy's useful share is useful,
the rest overhead."""


class EventLog:
    """Columns that grow row by row."""

    SCHEMA = SCHEMA

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name, *_ in SCHEMA}
        self._appends = [column.append for column in self._columns.values()]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns["what"])

    def add(
        self,
        what: str,
        owner: str,
        gang: int,
        phase: str,
        gpus: int,
        start: int,
        end: int,
        gpu_ms: int | None = None,
        speed: int = 0,
        why: str = "",
        where: int = -1,
    ) -> None:
        """Append a row; ``gpu_ms`` None: GPUs times the time from start to end."""
        booked = gpus * (end - start) if gpu_ms is None else gpu_ms
        row = (start, end, what, owner, gang, why, where, phase, gpus, booked, speed)
        for append, value in zip(self._appends, row, strict=True):
            append(value)

    def columns(self) -> dict[str, list[Any]]:
        """Return the columns by name, all of one length."""
        return self._columns
