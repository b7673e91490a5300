"""Reading a text file that may be anything: no path blocks, ends the program or fills the memory."""

import codecs
from pathlib import Path

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
