"""A file of recorded outages, CSV or parquet: its rows, and what their cells say."""

import csv
import math
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dcsim.hostlist import HostlistError, TooManyNames, expand, natural
from dcsim.problems import located, wrong
from dcsim.units import MS_PER_H, MS_PER_MIN
from dcsim.wording import shown

MOST_OUTAGES = 10_000
"""Outages of one trace; source: assumed, so that a run's scenario.toml, which holds them, can be read again."""
MOST_FILE_BYTES = 64 << 20
"""Largest file of outages [B]; source: assumed, twenty times the LANL log."""
_MOST_ROWS = 5_000_000  # a parquet file unpacks to many times its size; source: assumed
_LONGEST_H = 1e9  # as any duration
A_STAMP = "must be a date and time as 2005-06-21T10:54 (ISO 8601) or 6/21/2005 10:54 (month/day/year)"
_UNITS = {"start_h": MS_PER_H, "repair_h": MS_PER_H, "repair_min": MS_PER_MIN}


class OutageError(Exception):
    """Why a file of outages cannot be used, in one line; ``key``: the key of the trace that it stands at."""

    def __init__(self, why: str, key: str = "file") -> None:
        super().__init__(why)
        self.key = key


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
        None,
        min_length=1,
        description="what failed: whole numbers from 0, or names (numbered in natural order, n2 before n10); "
        "a cell may name several, as a hostlist n[001-004],x7: each of them fails",
    )


Row = tuple[str, list[Any]]
"""Where it stands in the file, and its values, one for each column."""


# --- values -----------------------------------------------------------------------------------------------------------


def hours(value: Any, place: str, key: str) -> int:
    """Read a number of hours or minutes as ms; raises OutageError."""
    try:
        ms = float(value) * _UNITS[key]
    except (TypeError, ValueError):
        ms = math.nan
    if not 0 <= ms <= _LONGEST_H * MS_PER_H:
        unit = "minutes" if key == "repair_min" else "hours"
        raise OutageError(located(place, wrong(value, f"must be a number of {unit}, not negative, at most 10^9 h")))
    return round(ms)


def stamp(value: Any, place: str, key: str = "start") -> datetime:
    """Read a date and time; raises OutageError."""
    if isinstance(value, datetime):
        return value
    for read in (datetime.fromisoformat, _american):
        try:
            return read(str(value).strip())
        except ValueError:
            continue
    raise OutageError(located(place, wrong(value, A_STAMP)))


def _american(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S" if text.count(":") == 2 else "%m/%d/%Y %H:%M")


def milliseconds(span: timedelta) -> int:
    """Return a span of time [ms]."""
    return round(span / timedelta(milliseconds=1))


def text_of(value: Any) -> str:
    """Return a cell's text, alike for CSV and parquet: whole numbers without a point, nothing where there is none."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def units(value: Any, place: str, most: int) -> tuple[str, ...]:
    """Return what a cell of components names, at most ``most``: one, or each of a hostlist; raises OutageError."""
    text = text_of(value)
    if not text or text.startswith("-") or text == "nan":
        raise OutageError(located(place, wrong(value, "must be a number from 0 up, or a name")))
    if not re.search(r"[\[\],]", text):
        return (text,)
    try:
        return expand(re.sub(r"\s*,\s*", ",", text), most)
    except TooManyNames:
        raise too_many_outages() from None
    except HostlistError as error:
        raise OutageError(located(place, wrong(value, str(error)))) from None


def numbered(names: Iterable[str]) -> dict[str, int]:
    """Number components: whole numbers as they are; if there is any other name, all in natural order."""
    different = set(names)
    if all(name.isdecimal() and len(name) < 8 for name in different):
        return {name: int(name) for name in different}
    return {name: number for number, name in enumerate(sorted(different, key=natural))}


def too_many_outages() -> OutageError:
    """Return what is wrong with a trace of too many outages."""
    return OutageError(f"holds more than {MOST_OUTAGES:,} outages; take some of them with where")


# --- files ------------------------------------------------------------------------------------------------------------


def opened(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Return the names of a file's columns, and its rows; raises OutageError, also while rows are read."""
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
    return header, _whole(rows, len(header))


def _whole(rows: Iterator[Row], columns: int) -> Iterator[Row]:
    """Yield rows that have a value for each column."""
    for place, values in rows:
        if len(values) != columns:
            raise OutageError(f"{place}: found {len(values)} values; must be {columns}, as many as columns")
        yield place, values


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
                for row in zip(*map(_values, batch.columns), strict=True):
                    number += 1
                    yield f"row {number}", list(row)
    except OSError as error:
        if error.errno:
            raise  # the system's own
        raise _not_parquet(error) from None
    except (ArrowException, MemoryError) as error:
        raise _not_parquet(error) from None


def _not_parquet(error: Exception) -> OutageError:
    """Return what is wrong with a file that a decoder stumbles over: the first line of what it says."""
    told = "".join(sign if sign.isprintable() else "?" for sign in str(error).partition("\n")[0][:200])
    return OutageError(f"is not a parquet file that can be read: {told or type(error).__name__}")


def _values(column: Any) -> list[Any]:
    """Return what a column of a parquet file holds."""
    try:
        found: list[Any] = column.to_pylist()
    except (OverflowError, ValueError, ArithmeticError) as error:  # a date that no calendar has, text that is no UTF-8
        raise _not_parquet(error) from None
    return found
