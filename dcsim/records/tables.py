"""A table that somebody wrote down: CSV in any of its forms, parquet, or JSON lines, read as a stream of rows.

What is wrong with one line is said of that line, and the next one is read: a log of a million rows is never all right.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcsim.textfile import RecordError, beginning, is_packed, text_of_file
from dcsim.wording import did_you_mean, printable, shown

PARQUET = b"PAR1"
"""How every parquet file begins."""
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
_BLANKS = "\t\x0b\x0c\r\x1c\x1d\x1e\x1f"  # what str.strip takes away, beside blanks
LONGEST_SIMPLE = 100_000
"""Longest line [characters] that is cut at its delimiters: csv refuses cells of 131,072 characters."""
PIECE = 1 << 18
"""Characters that are read at once; source: assumed."""
MOST_EQUAL = 100_000
"""Rows of a parquet file that may be more than its bits; source: assumed."""
LONGEST_CELL = 64
"""Lines that one quoted cell may take; source: assumed. An open quote would take the rest of the file."""
FIRST_KEYS = 200
"""Objects of a JSON-lines file whose keys are its columns; source: assumed."""


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
Block = list[tuple[int, Sequence[Any]]]
"""Rows that follow one another, each with its number in the file."""


@dataclass(frozen=True)
class Table:
    """A file with named columns. ``told``: what it was taken for, in words. ``word``: what is counted in it.

    ``blocks`` reads it from the beginning, some thousand rows at once, and puts lines that are not rows of this table
    into the ``Broken`` that it is given.
    """

    path: Path
    header: tuple[str, ...]
    told: str
    blocks: Callable[[Broken], Iterator[Block]]
    word: str = "line"

    def place(self, number: int) -> str:
        """Say where a row stands."""
        return f"{self.word} {number}"

    def rows(self, broken: Broken) -> Iterator[Row]:
        """Yield all rows, one by one."""
        for block in self.blocks(broken):
            for number, values in block:
                yield f"{self.word} {number}", values


def names_found(header: Sequence[str], wanted: str = "") -> str:
    """Return 'found: ' and the names of columns, the first of many, and which is the nearest to the one wanted."""
    names = ", ".join(printable(name, 40) for name in header[:12]) + (", ..." if len(header) > 12 else "")
    return f"found: {names}{did_you_mean(wanted, [name for name in header if name.isprintable()])}"


def opened(path: Path) -> Table:
    """Tell what a file is; raises RecordError if it cannot be opened, is empty, or has no columns."""
    start = beginning(path)
    if start.startswith(PARQUET) and is_packed(path):
        raise RecordError("is a packed parquet file; unpack it first")
    if start.startswith(PARQUET):
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


def _lines(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Yield the lines of a file with their numbers, many at once; bytes that are no UTF-8 become U+FFFD.

    What is longer than any line of a table comes as far as that, and one sign more.
    """
    number, rest, skip = 0, "", False
    with text_of_file(path) as file:
        while piece := file.read(PIECE):
            lines = (rest + piece).split("\n")
            rest = lines.pop()
            if skip and lines:  # the end of a line that is said already
                del lines[0]
                skip = False
            elif skip:
                rest = ""
            yield list(enumerate(lines, number + 1))
            number += len(lines)
            if len(rest) > LONGEST_LINE:
                number += 1
                yield [(number, rest[: LONGEST_LINE + 1])]
                rest, skip = "", True
        if rest:
            yield [(number + 1, rest)]


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
    head: list[str] = []
    for lines in _lines(path):
        head += [line for _, line in lines if line.strip() and not line.startswith("#")]
        if len(head) >= LOOKED_AT:
            break
    head = head[:LOOKED_AT] or [""]
    delimiter = _delimiter(head)
    header = tuple(_cells(head[0], delimiter))
    trailing = delimiter == "|" and len(header) > 1 and not header[-1]  # sacct -p ends each line with a pipe
    header = header[:-1] if trailing else header
    if not any(header):
        raise RecordError("has no columns")
    reading = _Reading(path, delimiter, len(header), trailing)
    return Table(path, header, f"{len(header)} columns between {DELIMITERS[delimiter]}", reading.blocks)


@dataclass(frozen=True)
class _Reading:
    """How the lines of a file become rows of so many columns."""

    path: Path
    delimiter: str
    columns: int
    trailing: bool

    def blocks(self, broken: Broken) -> Iterator[Block]:
        """Yield rows; a quoted cell may go on in the next line."""
        pending: list[tuple[int, str]] = []
        first = True
        for lines in _lines(self.path):
            block, pending = self._block([*pending, *lines], broken)
            yield block[1:] if first else block
            first = first and not block
        while pending:  # an open quote takes no more than its own line
            broken.add(f"line {pending[0][0]}", "a quote that is not closed")
            block, pending = self._block(pending[1:], broken)
            yield block[1:] if first else block
            first = first and not block

    def _block(self, lines: list[tuple[int, str]], broken: Broken) -> tuple[Block, list[tuple[int, str]]]:
        """Return the rows of these lines, and the last lines if they are the beginning of a row."""
        if (tidy := self._tidy(lines)) is not None:
            return tidy, []
        block: Block = []
        delimiter, columns, plain = self.delimiter, self.columns, self.delimiter != " "
        place, end = 0, len(lines)
        while place < end:
            number, line = lines[place]
            place += 1
            if plain and '"' in line and not line.startswith("#"):
                taken = self._quoted(lines, place - 1)
                if taken is None:
                    return block, lines[place - 1 :]
                cells, place = taken
                if cells is None:
                    broken.add(f"line {number}", "a quote that is not closed")
                    continue
            elif len(line) > LONGEST_SIMPLE:
                cells = _cells(line, delimiter)
            else:
                cells = [cell.strip() for cell in line.split(delimiter)] if plain else line.split()
            if self.trailing and len(cells) == columns + 1 and not cells[-1]:
                del cells[-1]
            if len(line) > LONGEST_LINE:
                broken.add(f"line {number}", f"longer than {LONGEST_LINE:,} characters")
            elif len(cells) == columns:
                if (any(cells) or line.strip()) and not line.startswith("#"):
                    block.append((number, cells))
            elif line.strip() and not line.startswith("#"):
                broken.add(f"line {number}", f"not {columns} values, as many as columns", len(cells))
        return block, []

    def _tidy(self, lines: list[tuple[int, str]]) -> Block | None:
        """Return the rows of lines without quotes, comments and blanks beside delimiters; None of any others."""
        sign = self.delimiter
        if sign == " " or self.trailing or self.columns == 1:
            return None
        whole = [line for _, line in lines]
        text = sign.join(whole)
        beside = (f"{sign} ", f" {sign}", *_BLANKS.replace(sign, ""))
        if (
            not text.isascii()
            or text[:1] == " "
            or text[-1:] == " "
            or any(each in text for each in ('"', "#", *beside))
        ):
            return None
        cut = [line.split(sign) for line in whole]
        if {*map(len, cut)} != {self.columns} or max(map(len, whole)) > LONGEST_SIMPLE:
            return None
        return [(number, cells) for (number, _), cells in zip(lines, cut, strict=True)]

    def _quoted(self, lines: list[tuple[int, str]], place: int) -> tuple[list[str] | None, int] | None:
        """Return the cells of a row that has quotes, and the place behind it; None if its end is not among the lines.

        Lines below that do not make a whole row of it are rows of their own, and its quote is not closed.
        """
        whole = lines[place][1]
        last = place + 1
        while whole.count('"') % 2:
            if last - place == LONGEST_CELL:
                return None, place + 1
            if last == len(lines):
                return None
            whole = f"{whole}\n{lines[last][1]}"
            last += 1
        cells = _cells(whole, self.delimiter)
        right = len(cells) - (self.trailing and not cells[-1:]) == self.columns
        return (None, place + 1) if last > place + 1 and not right else (cells, last)


# --- JSON lines ---------------------------------------------------------------------------------------------------


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        if isinstance(each, dict):
            yield from _flat(each, f"{before}{key}.")
        else:
            yield f"{before}{key}", each


def _objects(path: Path, broken: Broken) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    for lines in _lines(path):
        block = []
        for number, line in lines:
            if not line.strip():
                continue
            try:
                found = json.loads(line)
                if not isinstance(found, dict):
                    broken.add(f"line {number}", "not a JSON object")
                    continue
                block.append((number, dict(_flat(found))))
            except (ValueError, RecursionError):
                broken.add(f"line {number}", "not JSON, or nested too deep")
        yield block


def _json_lines(path: Path) -> Table:
    header: dict[str, None] = {}
    count = 0
    for block in _objects(path, Broken()):
        for _, found in block:
            header |= dict.fromkeys(found)
            count += 1
        if count >= FIRST_KEYS:
            break
    if not header:
        raise RecordError("has no line that is a JSON object")
    names = tuple(header)

    def blocks(broken: Broken) -> Iterator[Block]:
        for block in _objects(path, broken):
            yield [(number, [found.get(name) for name in names]) for number, found in block]

    return Table(path, names, f"JSON lines with {len(names)} keys", blocks)


# --- parquet ------------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    def told(error: Exception) -> RecordError:
        said = "".join(sign if sign.isprintable() else "?" for sign in str(error).partition("\n")[0][:200])
        return RecordError(f"is not a parquet file that can be read: {said or type(error).__name__}")

    try:
        with ParquetFile(path) as file:
            names, rows = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
    except (ArrowException, UnicodeDecodeError, OSError, MemoryError) as error:
        raise told(error) from None
    size = path.stat().st_size
    if rows > MOST_EQUAL + 8 * size:  # a few bytes can stand for equal rows without end
        raise RecordError(f"holds {rows:,} rows in {size:,} bytes, more than one in a bit")

    def blocks(broken: Broken) -> Iterator[Block]:
        number = 0
        try:
            with ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=10_000):
                    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                    block: Block = list(enumerate(rows, number + 1))
                    number += len(block)
                    yield block
        except (ArrowException, OSError, MemoryError, OverflowError, ValueError, ArithmeticError) as error:
            raise told(error) from None

    return Table(path, names, f"parquet with {len(names)} columns", blocks, "row")
