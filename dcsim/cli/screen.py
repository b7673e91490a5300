"""All that dcsim prints: one filter on stdout and stderr, and what happens when nobody can read them.

``screens`` puts a ``Screen`` in the place of both streams. What goes through it, from whatever code, shows control
characters instead of sending them to the terminal. Rich's styles go by ``Screen.styled``, which takes texts only that
``report.terminal`` has made visible.
"""

import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Lasting(io.TextIOBase):
    """A stream on which printing never fails: after the first error, kept as ``lost``, the rest is dropped.

    A run must finish its folder whether or not somebody reads what it prints. ``stream``: None if it is closed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.lost: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property there too, by another name
        """Return the encoding of the stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write, or drop what cannot be written."""
        if text and self.stream is None and self.lost is None:
            self.lost = OSError(errno.EBADF, "it is closed")
        if self.stream is not None and self.lost is None:
            try:
                self.stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Send what is buffered; nothing once the stream is closed, which may come before the last call."""
        if self.stream is not None and not self.stream.closed and self.lost is None:
            try:
                self.stream.flush()
            except OSError as error:
                self._lose(error)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor; raises UnsupportedOperation if there is none."""
        if self.stream is None:
            raise io.UnsupportedOperation("fileno")
        return self.stream.fileno()

    def _lose(self, error: OSError) -> None:
        self.lost = error
        try:  # what is buffered still: the interpreter must not try it once more as it ends
            number = self.fileno()
        except (OSError, ValueError):
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


class _Bytes(io.RawIOBase):
    """Bytes for a Screen, as click writes a shell's completions."""

    def __init__(self, screen: "Screen") -> None:
        self.screen = screen

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.screen.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        self.screen.flush()


class Screen(io.TextIOBase):
    """A stream that shows control characters, line ends and tabs excepted. ``styled``: takes texts that are safe."""

    def __init__(self, stream: TextIO | None) -> None:
        self.styled = Lasting(stream)

    @property
    def buffer(self) -> _Bytes:
        """Return the stream for bytes; they are filtered too."""
        return _Bytes(self)

    @property
    def lost(self) -> OSError | None:
        """Why something that was printed is lost; None if nothing is."""
        return self.styled.lost

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property there too, by another name
        """Return the encoding of the stream."""
        return self.styled.encoding

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write a text with its control characters made visible."""
        if not text.replace("\n", "").isprintable():
            from dcsim.wording import visible

            self.styled.write(visible(text, "\n\t"))
        else:
            self.styled.write(text)
        return len(text)

    def flush(self) -> None:
        """Send what is buffered."""
        self.styled.flush()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.styled.isatty()

    def fileno(self) -> int:
        """Return the file descriptor; raises UnsupportedOperation if there is none."""
        return self.styled.fileno()


@contextmanager
def screens() -> Iterator[tuple[Screen, Screen]]:
    """Put a Screen in the place of stdout and of stderr until the block ends; an exception leaves them there."""
    _open_closed()
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a sign must not stop the program
            stream.reconfigure(errors="replace")
    out, err = Screen(sys.stdout), Screen(sys.stderr)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    yield out, err
    sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Put /dev/null on a standard descriptor that is closed; else the next file that is opened would get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def say(line: str) -> None:
    """Print one line on stderr."""
    _print(line, sys.stderr)


def out(line: str = "") -> None:
    """Print one line on stdout."""
    _print(line, sys.stdout)


def out_page(text: str) -> None:
    """Print a text of several lines on stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def out_json(document: Any) -> None:
    """Print one JSON document on stdout; JSON's own escapes keep it in ASCII."""
    import json

    out_page(json.dumps(document, indent=2, allow_nan=False))


def out_document(pieces: Iterable[str]) -> None:
    """Print a file on stdout: byte by byte, or with control characters made visible on a terminal.

    Stops where nobody reads it any more: raises the stream's OSError.
    """
    stream = styled(sys.stdout) if not sys.stdout.isatty() else sys.stdout
    for piece in pieces:
        stream.write(piece)
        if isinstance(stream, Screen | Lasting) and stream.lost is not None:
            raise stream.lost


def styled(stream: TextIO) -> TextIO:
    """Return the stream that takes rich's escapes: that of a Screen, else the stream itself."""
    return cast("TextIO", stream.styled) if isinstance(stream, Screen) else stream


def _print(line: str, stream: TextIO) -> None:
    from dcsim.wording import visible

    stream.write(f"{visible(line)}\n")
    stream.flush()
