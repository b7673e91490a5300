"""A table that somebody wrote down: CSV in any of its forms, parquet, or JSON lines, read as a stream of rows.

What is wrong with one line is said of that line, and the next one is read: a log of a million rows is never all right.
"""

import csv
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcsim.wording import shown

DELIMITERS: Mapping[str, str] = {
    ",": "commas",
    "\t": "tabs",
    ";": "semicolons",
    "|": "pipes",
    " ": "blanks",
}
"""What may stand between the cells of a line, and what it is called."""
LOOKED_AT = 50
"""Lines from which the delimiter is told; source: assumed."""
LONGEST_LINE = 1 << 20
"""Longest line [characters]; source: assumed, a host list of ten thousand names is a tenth of it."""
LONGEST_CELL = 64
"""Lines that one quoted cell may take; source: assumed. An open quote would take the rest of the file."""
FIRST_KEYS = 200
"""Objects of a JSON-lines file whose keys are its columns; source: assumed."""


class RecordError(Exception):
    """Why a file cannot be read at all, in one line. ``key``: what of its description is wrong, if not the file."""

    def __init__(self, why: str, key: str = "file") -> None:
        super().__init__(why)
        self.key = key


@dataclass
class Broken:
    """Lines that could not be used: how many for which reason, and the first of each."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, why: str, found: object = None) -> None:
        """Count a line."""
        self.counts[why] = self.counts.get(why, 0) + 1
        self.first.setdefault(why, place if found is None else f"{place}: found {shown(found)}")

    @property
    def total(self) -> int:
        """How many lines."""
        return sum(self.counts.values())

    def told(self) -> list[str]:
        """Say each reason in a line, the most frequent first."""
        order = sorted(self.counts, key=lambda why: -self.counts[why])
        return [
            f"1 line: {why} ({self.first[why]})"
            if self.counts[why] == 1
            else f"{self.counts[why]:,} lines: {why} (first {self.first[why]})"
            for why in order
        ]


Row = tuple[str, Sequence[Any]]
"""Where it stands in the file, and its values, one for each column."""


@dataclass(frozen=True)
class Table:
    """A file with named columns. ``told``: what it was taken for, in words. ``rows`` reads it from the beginning.

    ``rows`` puts lines that are not rows of this table into the ``Broken`` that it is given.
    """

    path: Path
    header: tuple[str, ...]
    told: str
    rows: Callable[[Broken], Iterator[Row]]


def opened(path: Path) -> Table:
    """Tell what a file is; raises RecordError if it cannot be opened, is empty, or has no columns."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could block or never end
            raise RecordError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        with path.open("rb") as file:
            start = file.read(1 << 16)
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path with a NUL
        raise RecordError(f"cannot be read: {error}") from None
    if not start.strip():
        raise RecordError("is empty")
    if start.startswith(b"PAR1"):
        found = _parquet(path)
    elif start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        found = _json_lines(path)
    else:
        found = _delimited(path)
    twice = next((name for name in found.header if found.header.count(name) > 1), None)
    if twice is not None:
        raise RecordError(f"has two columns {shown(twice)}")
    return found


# --- text ---------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is not blank; bytes that are no UTF-8 become U+FFFD."""
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if not line.endswith("\n") and len(line) == LONGEST_LINE:
                while (more := file.readline(LONGEST_LINE)) and not more.endswith("\n"):
                    pass
                yield number, ""  # longer than any line of a table
            elif line.strip():
                yield number, line.rstrip("\n")


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, none if it is not CSV."""
    if delimiter == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        return []


def _delimiter(lines: Sequence[str]) -> str:
    """Return what cuts all lines into as many cells as the first, and into the most; commas if nothing does."""
    best, most = ",", 1
    for delimiter in DELIMITERS:
        counts = [len(_cells(line, delimiter)) for line in lines]
        alike = sum(count == counts[0] for count in counts)
        if counts[0] > most and alike > 0.8 * len(counts):
            best, most = delimiter, counts[0]
    if most > 1:
        return best
    return max(DELIMITERS, key=lambda each: len(_cells(lines[0], each)) if each != " " else 0)


def _delimited(path: Path) -> Table:
    head = []
    for _, line in _lines(path):
        if not line.startswith("#"):
            head.append(line)
        if len(head) == LOOKED_AT:
            break
    head = head or [""]
    delimiter = _delimiter(head)
    header = tuple(_cells(head[0], delimiter))
    trailing = delimiter == "|" and len(header) > 1 and not header[-1]  # sacct -p ends each line with a pipe
    header = header[:-1] if trailing else header
    if not any(header):
        raise RecordError("has no columns")

    def rows(broken: Broken) -> Iterator[Row]:
        first, pending = True, ""
        begin, joined = 0, 0
        for number, line in _lines(path):
            if not line:
                broken.add(f"line {number}", f"longer than {LONGEST_LINE:,} characters")
                continue
            if not pending and line.startswith("#"):
                continue
            begin = begin if pending else number
            whole = f"{pending}\n{line}" if pending else line
            if delimiter != " " and whole.count('"') % 2:
                joined += 1
                if joined < LONGEST_CELL:
                    pending = whole
                    continue
                broken.add(f"line {begin}", "a quote that is not closed")
                pending, joined = "", 0
                continue
            pending, joined = "", 0
            cells = _cells(whole, delimiter)
            if trailing and len(cells) == len(header) + 1 and not cells[-1]:
                cells = cells[:-1]
            if first:
                first = False
            elif len(cells) != len(header):
                broken.add(f"line {begin}", f"not {len(header)} values, as many as columns", len(cells))
            else:
                yield f"line {begin}", cells
        if pending:
            broken.add(f"line {begin}", "a quote that is not closed")

    return Table(path, header, f"{len(header)} columns between {DELIMITERS[delimiter]}", rows)


# --- JSON lines ---------------------------------------------------------------------------------------------------


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        if isinstance(each, dict):
            yield from _flat(each, f"{before}{key}.")
        else:
            yield f"{before}{key}", each


def _objects(path: Path, broken: Broken) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            broken.add(f"line {number}", "not JSON")
            continue
        if isinstance(found, dict):
            try:
                yield number, dict(_flat(found))
            except RecursionError:
                broken.add(f"line {number}", "JSON that is nested too deep")
        else:
            broken.add(f"line {number}", "not a JSON object")


def _json_lines(path: Path) -> Table:
    header: dict[str, None] = {}
    for count, (_, found) in enumerate(_objects(path, Broken())):
        header |= dict.fromkeys(found)
        if count + 1 == FIRST_KEYS:
            break
    if not header:
        raise RecordError("has no line that is a JSON object")
    names = tuple(header)

    def rows(broken: Broken) -> Iterator[Row]:
        for number, found in _objects(path, broken):
            yield f"line {number}", [found.get(name) for name in names]

    return Table(path, names, f"JSON lines with {len(names)} keys", rows)


# --- parquet ------------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    def told(error: Exception) -> RecordError:
        said = "".join(sign if sign.isprintable() else "?" for sign in str(error).partition("\n")[0][:200])
        return RecordError(f"is not a parquet file that can be read: {said or type(error).__name__}")

    try:
        with ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
    except (ArrowException, OSError, MemoryError) as error:
        raise told(error) from None

    def rows(broken: Broken) -> Iterator[Row]:
        number = 0
        try:
            with ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=10_000):
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        number += 1
                        yield f"row {number}", row
        except (ArrowException, OSError, MemoryError, OverflowError, ValueError, ArithmeticError) as error:
            raise told(error) from None

    return Table(path, names, f"parquet with {len(names)} columns", rows)
