"""Reading a text file that may be anything: no path blocks, ends the program or fills the memory."""

import codecs
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from dcsim.files import NotRegularError, source

MOST_BYTES = 1 << 20
"""Largest scenario or topology file [B]; source: assumed, hundreds of times what is shipped."""


class NoTextError(Exception):
    """Why a file holds no text to look at; ``line`` where it can be had."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why, line)
        self.why, self.line = why, line


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a regular UTF-8 file of at most so many bytes, line ends as LF; else raises NoTextError."""
    try:
        return _text(path, most).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise NoTextError("is not a text file: not UTF-8", line) from None
    except OSError as error:
        raise NoTextError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path with a NUL
        raise NoTextError(f"cannot be read: {error}") from None


def _text(path: Path, most: int) -> str:
    try:
        with source(path) as file:
            content, size = file.read(0, most + 1), file.size
    except NotRegularError as error:
        raise NoTextError(str(error)) from None
    if len(content) > most:
        size = max(size, len(content))
        raise NoTextError(f"is too large: {size:,} bytes; at most {most:,} are allowed")
    if content.startswith(codecs.BOM_UTF8):
        raise NoTextError("begins with a byte-order mark; save it as UTF-8 without one")
    if b"\0" in content:
        raise NoTextError("is not a text file: it holds a NUL byte")
    if not content.strip():
        raise NoTextError("is empty")
    return content.decode()


# --- records, plain or packed by gzip --------------------------------------------------------------------------------

START = 1 << 16
"""Bytes from which it is told what a file is; source: assumed."""
GZIP = b"\x1f\x8b"
"""How every gzip file begins."""
MOST_TIMES = 400
"""How many times as long as it was packed a file may become. Text packs to a tenth or, where its lines are nearly
alike, to a hundredth; gzip makes at most 1,032 of one. Source: assumed."""
ALWAYS = 1 << 24
"""Bytes that any packed file may become; source: assumed."""
BROKEN_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)


class RecordError(Exception):
    """Why a file cannot be read at all, in one line. ``key``: what of its description is wrong, if not the file."""

    def __init__(self, why: str, key: str = "file") -> None:
        super().__init__(why)
        self.key = key


class _Unpacked(gzip.GzipFile):
    """A packed file as a stream; raises RecordError where it becomes too long."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.packed = path.stat().st_size

    def read1(self, size: int = -1) -> bytes:
        """Return some of what comes next."""
        found = super().read1(size)
        if (long := self.tell()) > max(ALWAYS, MOST_TIMES * self.packed):
            raise RecordError(f"is a gzip file of {self.packed:,} bytes that becomes more than {long - 1:,} bytes")
        return found


def beginning(path: Path) -> bytes:
    """Return the first 64 KiB of a regular file, unpacked if it is gzip; raises RecordError if there are none."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could block or never end
            raise RecordError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        with path.open("rb") as file:
            start = file.read(START)
        if start.startswith(GZIP):
            with gzip.open(path) as packed:
                start = packed.read(START)
    except BROKEN_GZIP:
        raise RecordError("is a gzip file that is damaged") from None
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path with a NUL
        raise RecordError(f"cannot be read: {error}") from None
    if not start.strip():
        raise RecordError("is empty")
    return start


def is_packed(path: Path) -> bool:
    """Return whether a file that can be read is gzip."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


@contextmanager
def text_of_file(path: Path) -> Iterator[IO[str]]:
    """Open a file's text, unpacked if it is gzip; bytes that are no UTF-8 become U+FFFD.

    Raises RecordError, also while it is read: a gzip file may be damaged further on, or become too long.
    """
    try:
        with _Unpacked(path) if is_packed(path) else path.open("rb") as file:  # what was rotated is often packed
            yield io.TextIOWrapper(cast("IO[bytes]", file), encoding="utf-8-sig", errors="replace", newline=None)
    except BROKEN_GZIP:
        raise RecordError("is a gzip file that is damaged") from None
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror or error}") from None
