"""Ctrl-C and SIGTERM: the first ends the verb in order, what comes in the second after it changes nothing."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

SAME_S = 1.0
"""Signals within this time are one request, sent twice by a wrapper and the terminal [s]; source: assumed."""
_first: list[tuple[int, float]] = []


class Asked(KeyboardInterrupt):
    """The process was asked to end."""


def exit_code() -> int:
    """Return the exit code of a verb that was interrupted: 128 and the signal, as shells count."""
    return 128 + (_first[0][0] if _first else signal.SIGINT)


@contextmanager
def interruptions() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into one KeyboardInterrupt; a signal more than a second after the first ends at once.

    Nothing changes outside the main thread, and where a signal is ignored or handled already (nohup, a caller's own).
    """
    if current_thread() is not main_thread():
        yield
        return
    _first.clear()
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    taken = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    unraisable = sys.unraisablehook
    sys.unraisablehook = _again
    for number in taken:
        signal.signal(number, _asked)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, usual[number])
        sys.unraisablehook = unraisable


def finish() -> None:
    """Ignore further signals: all is done and the interpreter ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _asked(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if not _first:
        _first.append((number, now))
        raise Asked
    if now - _first[0][1] > SAME_S:
        os._exit(exit_code())  # workers end with their parent


def _again(lost: Any) -> None:
    """Raise the interrupt once more where the interpreter had to drop it, as in a callback of its garbage collector."""
    if lost.exc_type is not None and issubclass(lost.exc_type, KeyboardInterrupt) and _first:
        number = _first.pop()[0]
        signal.raise_signal(number)
        return
    sys.__unraisablehook__(lost)
