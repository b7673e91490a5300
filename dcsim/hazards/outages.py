"""Reading a file of recorded outages, CSV or parquet, into the columns that a trace holds."""

import csv
import math
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dcsim.units import DURATION, MS_PER_H, MS_PER_MIN, write
from dcsim.wording import did_you_mean, shown

MOST_OUTAGES = 10_000
"""Outages of one trace; source: assumed, so that a run's scenario.toml, which holds them, can be read again."""
MOST_FILE_BYTES = 64 << 20
"""Largest file of outages [B]; source: assumed, twenty times the LANL log."""
_MOST_ROWS = 5_000_000  # a parquet file unpacks to many times its size; source: assumed
_LONGEST_H = 1e9  # as any duration
_UNITS = {"start_h": MS_PER_H, "repair_h": MS_PER_H, "repair_min": MS_PER_MIN}


class OutageError(Exception):
    """Why a file of outages cannot be used, in one line."""


class OutageColumns(BaseModel):
    """What the columns of a file of outages are called. Given at all, only what it names is read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"start": "Prob Started", "repair_min": "Down Time", "component": "nodenumz"}]},
    )
    start: str | None = Field(
        None, min_length=1, description="when it began: 2005-06-21T10:54 (ISO 8601) or 6/21/2005 10:54"
    )
    start_h: str | None = Field(None, min_length=1, description="instead of start: hours since the record began")
    end: str | None = Field(None, min_length=1, description="when it was repaired; beside start, written alike")
    repair_h: str | None = Field(None, min_length=1, description="instead of end: hours that the repair took")
    repair_min: str | None = Field(None, min_length=1, description="instead of end: minutes that the repair took")
    component: str | None = Field(
        None, min_length=1, description="what failed: whole numbers from 0, or names (numbered in their order)"
    )


Row = tuple[str, list[Any]]
"""Where it stands in the file, and its values in the order of the columns asked for."""


def read_outages(path: Path, columns: OutageColumns, where: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the columns ``at`` and, if the file has them, ``repair`` (durations as text) and ``component`` (numbers).

    Rows come in any order and leave by time; only those that hold ``where``'s values are taken. With ``start`` the
    record begins at its first outage. Raises OutageError: one line with place, found and allowed.
    """
    known = list(OutageColumns.model_fields)
    header, rows = _opened(path)
    named = {key: name for key in known if (name := getattr(columns, key))}
    taken = named or {key: key for key in known if key in header}
    for name in (*taken.values(), *where):
        if name not in header:
            found = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
            raise OutageError(f"has no column {shown(name)}; found: {found}{did_you_mean(name, header)}")
    _one_of(taken, ("start", "start_h"), needed=True)
    _one_of(taken, ("end", "repair_h", "repair_min"), needed=False)
    if "end" in taken and "start" not in taken:
        raise OutageError("has a column for end, but none for start to count from")
    wanted = [header.index(name) for name in taken.values()]
    filters = [(header.index(name), value) for name, value in where.items()]
    chosen: list[Row] = []
    for place, values in rows:
        if len(values) != len(header):
            raise OutageError(f"{place}: found {len(values)} values; must be {len(header)}, as many as columns")
        if all(str(values[index]) == value for index, value in filters):
            chosen.append((place, [values[index] for index in wanted]))
            if len(chosen) > MOST_OUTAGES:
                raise OutageError(f"holds more than {MOST_OUTAGES:,} outages; take some of them with where")
    if not chosen:
        raise OutageError("holds no outage" + (" with the values of where" if where else ""))
    return _columns(taken, chosen)


def _one_of(taken: Mapping[str, str], keys: tuple[str, ...], needed: bool) -> None:
    found = [key for key in keys if key in taken]
    if len(found) > 1:
        raise OutageError(f"has columns for {' and '.join(found)}; name the one to read in columns")
    if needed and not found:
        raise OutageError(f"has no column for {' or '.join(keys)}; say in columns what it is called")


def _columns(taken: Mapping[str, str], rows: list[Row]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for column, (key, name) in enumerate(taken.items()):
        if key == "component":
            values[key] = _components(name, [(place, cells[column]) for place, cells in rows])
        else:
            read = _stamp if key in ("start", "end") else _hours
            values[key] = [read(cells[column], f"{place}, column {name}", key) for place, cells in rows]
    if "start" in values:
        if len({stamp.tzinfo is None for key in ("start", "end") for stamp in values.get(key, ())}) > 1:
            raise OutageError("mixes times with and without an offset from UTC")
        first = min(values["start"])
        at = [_milliseconds(stamp - first) for stamp in values["start"]]
    else:
        at = values["start_h"]
    repair = values.get("repair_h") or values.get("repair_min")
    if "end" in values:
        repair = [_milliseconds(end - start) for start, end in zip(values["start"], values["end"], strict=True)]
        for (place, _), ms in zip(rows, repair, strict=True):
            if ms < 0:
                raise OutageError(f"{place}: ends before it starts")
    order = sorted(range(len(rows)), key=at.__getitem__)
    found = {"at": [write(at[row], DURATION) for row in order]}
    if repair:
        found["repair"] = [write(repair[row], DURATION) for row in order]
    if "component" in values:
        found["component"] = [values["component"][row] for row in order]
    return found


# --- values -----------------------------------------------------------------------------------------------------------


def _hours(value: Any, place: str, key: str) -> int:
    """Read a number of hours or minutes as ms."""
    try:
        ms = float(value) * _UNITS[key]
    except (TypeError, ValueError):
        ms = math.nan
    if not 0 <= ms <= _LONGEST_H * MS_PER_H:
        unit = "minutes" if key == "repair_min" else "hours"
        raise OutageError(f"{place}: found {shown(value)}; must be a number of {unit}, not negative, at most 10^9 h")
    return round(ms)


def _stamp(value: Any, place: str, key: str) -> datetime:
    if isinstance(value, datetime):
        return value
    for read in (datetime.fromisoformat, _american):
        try:
            return read(str(value).strip())
        except ValueError:
            continue
    allowed = "must be a date and time as 2005-06-21T10:54 (ISO 8601) or 6/21/2005 10:54 (month/day/year)"
    raise OutageError(f"{place}: found {shown(value)}; {allowed}")


def _american(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S" if text.count(":") == 2 else "%m/%d/%Y %H:%M")


def _milliseconds(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


def _components(name: str, cells: list[tuple[str, Any]]) -> list[int]:
    """Number what failed: whole numbers as they are, names in their order."""
    texts = []
    for place, value in cells:
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        if value is None or not text or text.startswith("-") or text == "nan":
            raise OutageError(f"{place}, column {name}: found {shown(value)}; must be a number from 0 up, or a name")
        texts.append(text)
    if all(text.isdecimal() and len(text) < 8 for text in texts):
        return [int(text) for text in texts]
    numbers = {text: number for number, text in enumerate(sorted(set(texts)))}
    return [numbers[text] for text in texts]


# --- files ------------------------------------------------------------------------------------------------------------


def _opened(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Return the names of a file's columns, and its rows."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could block or never end
            raise OutageError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        if status.st_size > MOST_FILE_BYTES:
            raise OutageError(f"is too large: {status.st_size:,} bytes; at most {MOST_FILE_BYTES:,} are allowed")
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path.read_bytes())
        _, header = next(rows)
    except OSError as error:
        raise OutageError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path with a NUL
        raise OutageError(f"cannot be read: {error}") from None
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise OutageError(f"has two columns {shown(twice)}")
    return header, rows


def _csv_rows(content: bytes) -> Iterator[Row]:
    """Yield the header and every row that is not blank; texts are stripped."""
    try:
        lines = StringIO(content.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise OutageError(f"line {line}: is not UTF-8") from None
    reader = csv.reader(lines, strict=True)
    empty = True
    try:
        for cells in reader:
            if any(cells):
                empty = False
                yield f"line {reader.line_num}", [cell.strip() for cell in cells]
    except csv.Error as error:
        raise OutageError(f"line {reader.line_num}: is not CSV: {error}") from None
    if empty:
        raise OutageError("is empty")


def _parquet_rows(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            if file.metadata.num_rows > _MOST_ROWS:
                raise OutageError(f"holds {file.metadata.num_rows:,} rows; at most {_MOST_ROWS:,} are read")
            yield "header", list(file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=10_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield f"row {number}", list(row)
    except ArrowException as error:
        raise OutageError(f"is not a parquet file that can be read: {str(error).splitlines()[0]}") from None
