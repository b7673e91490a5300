"""The event log: what happened, to whom, why and where; in columns, because rows of dicts cost five times as much."""

from typing import Any

SCHEMA: tuple[tuple[str, str, str, str], ...] = (
    ("start_ms", "int64", "ms", "begin of a phase, a repair or a transfer; of an event, when it happened"),
    ("end_ms", "int64", "ms", "its end; the same as the begin for an event"),
    ("what", "text", "", "'phase': time that is booked; 'rollback': time that is booked anew; else as in WHAT"),
    ("owner", "text", "", "row of the ledger: a job's name, 'spares' or 'rest'; empty: none, or several"),
    ("gang", "int32", "", "gang, counted over all jobs; -1: none, or several"),
    ("why", "text", "", "hazard, maintenance or phase of energisation; 'shrunk': no use in this shape; empty: none"),
    ("where", "int64", "", "index of the component, of its kind; -1: a slot, or nowhere"),
    ("phase", "text", "", "ledger state that the time is booked to, 'running' before its split; else see WHAT"),
    ("gpus", "int64", "GPU", "GPUs that the row is about"),
    ("gpu_ms", "int64", "GPU-ms", "time booked; negative where a rollback takes it away; 0 where none is"),
    ("speed_ppb", "int64", "1e-9", "share of full speed: of running time, of a transfer, of a component that is out"),
    ("kind", "text", "", "kind of component that 'where' counts: gpu, node, shelf, ...; empty: none"),
    ("crews", "text", "", "crews that a repair is with, or queues for; empty: none"),
    ("failure", "int64", "", "failure that the row follows from, numbered in the order of their onset; -1: none"),
)
"""Column, type, unit and meaning. The ledger follows from the log: sum ``gpu_ms`` by owner and phase. Of ``running``,
floor(sum of gpu_ms * speed_ppb / 1e9) by gang is the work; floor of that times the strategy's useful share is useful,
the rest overhead.

The rows ``running`` and ``checkpoint`` of one stretch of a gang all span the whole stretch: ``gpu_ms`` says how much of
it was computing, at which speed one after the other, and how much was writing."""

WHAT = {
    "failure": "a component fails, a software dies, a result goes wrong; one row for each failure that counts",
    "strike": "a failure takes GPUs from a gang, or from the free ones, or stops a gang (0 GPUs)",
    "identify": "what struck a gang is found",
    "corrupt": "a gang computes wrong results from now on",
    "start": "a gang starts, or starts again",
    "drain": "a gang stops for maintenance",
    "finish": "a gang's work is done",
    "place": "from now on these GPUs, 'where' and the ones that follow it, are with owner and gang; with a phase, they "
    "are out of service in this state, and were theirs. Only where GPUs have places",
    "queue": "a repair waits for a crew",
    "work": "a repair is in one of its stages, with a crew if there are any",
    "test": "what is repaired is tested",
    "replace": "what is retired waits for a new component",
    "load": "a gang reads its state through the storage gateways",
    "write": "a gang writes a checkpoint through the storage gateways, and is blocked by it",
    "out": "a part of the plant fails or is taken out ('speed_ppb' of it is left); of kind phase: racks without power",
    "back": "it is back",
}
"""Kinds of rows besides ``phase`` and ``rollback``; none of them books time."""


class EventLog:
    """Columns that grow row by row."""

    SCHEMA = SCHEMA

    def __init__(self, places: bool = True) -> None:
        self.places = places
        """Whether who holds which GPUs is kept: a third of the rows where components have places."""
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
        kind: str = "",
        crews: str = "",
        failure: int = -1,
    ) -> None:
        """Append a row; ``gpu_ms`` None: GPUs times the time from start to end."""
        booked = gpus * (end - start) if gpu_ms is None else gpu_ms
        row = (start, end, what, owner, gang, why, where, phase, gpus, booked, speed, kind, crews, failure)
        for append, value in zip(self._appends, row, strict=True):
            append(value)

    def columns(self) -> dict[str, list[Any]]:
        """Return the columns by name, all of one length."""
        return self._columns
