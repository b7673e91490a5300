"""Let an input in, and judge what comes of it."""

import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dcsim.wording import visible
from tests.fuzz.doors import DOORS, REFUSALS
from tests.fuzz.mutate import Op, bytes_changed, values_changed

MOST_S = 20
"""Longest that any input may take [s]."""
MOST_SIGNS = 700
"""Longest line that a user is told."""


class HangError(BaseException):
    """An input took too long."""


@contextmanager
def watched() -> Iterator[None]:
    """Raise HangError where something takes too long; in the main thread only."""

    def hang(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(MOST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def judged(door: str, content: bytes, scratch: Path) -> tuple[str, str]:
    """Return "accepted", "refused" or what is wrong in a word, and then the whole story."""
    try:
        with watched():
            DOORS[door].enter(content, scratch)
    except REFUSALS as error:
        lines = str(error).splitlines() or [""]
        for line in lines:
            if visible(line) != line or len(line) > MOST_SIGNS or not line:
                return "line", f"{len(line)} signs: {line[:2000]!r}"
        return "refused", ""
    except HangError:
        return "hang", traceback.format_exc()
    except Exception:
        return "traceback", traceback.format_exc()
    return "accepted", ""


@cache
def keys(door: str) -> tuple[str, ...]:
    """Return every word of a door's inputs that may be a key."""
    import re

    text = b"\n".join(DOORS[door].inputs()).decode(errors="replace")
    return tuple(sorted(set(re.findall(r"[a-z_][a-z0-9_]{1,30}(?= *[=\]])", text)))) or ("x",)


def changed(door: str, which: int, by_value: bool, ops: Sequence[Op]) -> bytes:
    """Return one of a door's inputs with operations on it."""
    inputs = DOORS[door].inputs()
    return altered(door, inputs[which % len(inputs)], by_value, ops)


def altered(door: str, content: bytes, by_value: bool, ops: Sequence[Op]) -> bytes:
    """Return an input of a door with operations on it."""
    if by_value and DOORS[door].toml:
        try:
            return values_changed(content.decode(), ops, keys(door)).encode(errors="surrogateescape")
        except ValueError:  # what is saved as a bad input may be no TOML
            pass
    return bytes_changed(content, ops, DOORS[door].inputs())
