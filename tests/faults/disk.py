"""A disk that fails, or ends the process, at one call of the operating system."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcsim.files import Disk

PAGE = 512
"""Bytes that a torn write leaves whole or not at all; smaller than a real page, since the files here are small."""


class Killed(BaseException):
    """The process has ended: nothing that it still wants to do is done."""


class FaultyDisk(Disk):
    """Does what the real one does, but for call number ``at``, from 1, which has ``fault``.

    An errno's name: the call is refused and does nothing. "memory": too little memory. "short": a read or write does
    part of its work. "kill": the process ends before the call, as after kill -9: what was written stays, what was held
    back is gone, names are as they were. "torn": it ends in a write, of which whole pages of the first half are there
    and the rest is zeros. "power": power is cut; of what was not synced only zeros are left.

    ``calls`` says what was called, by name. A fault that does not fit a call does nothing; ``struck`` says whether
    it did anything.
    """

    def __init__(self, at: int = 0, fault: str = "") -> None:
        self.at, self.fault = at, fault
        self.calls: list[str] = []
        self.struck = self.dead = False
        self._open: dict[int, Path] = {}
        self._not_synced: dict[int, list[tuple[int, int]]] = {}
        self._written: dict[int, int] = {}

    def _call(self, name: str, work: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        self.calls.append(name)
        if len(self.calls) != self.at:
            return work()
        return self._faulty(name, work)

    def _faulty(self, name: str, work: Callable[[], Any]) -> Any:
        match self.fault:
            case "kill":
                self._end()
            case "power":
                self._cut()
            case "memory" if name in ("read", "names", "open"):
                self.struck = True
                raise MemoryError
            case "short" | "torn" | "memory":
                return work()
            case _ if name == "close":  # the descriptor is gone all the same
                return work()
            case _:
                self.struck = True
                number = getattr(errno, self.fault)
                raise OSError(number, os.strerror(number))

    def _end(self) -> None:
        self.struck = self.dead = True
        for descriptor in list(self._open):
            os.close(descriptor)  # and with it its lock
        self._open.clear()
        raise Killed

    def _cut(self) -> None:
        for descriptor, stretches in self._not_synced.items():
            if descriptor in self._open:
                for offset, length in stretches:
                    os.pwrite(descriptor, bytes(length), offset)
        self._end()

    def _now(self) -> bool:
        return not self.dead and len(self.calls) + 1 == self.at

    # --- the calls ------------------------------------------------------------------------------------------------

    def open(self, path: Path, flags: int) -> int:
        descriptor = self._call("open", lambda: Disk.open(self, path, flags))
        self._open[descriptor] = path
        self._not_synced[descriptor], self._written[descriptor] = [], 0
        return descriptor

    def read(self, descriptor: int, most: int, offset: int) -> bytes:
        if self._now() and self.fault == "short" and most > 1:
            self.struck = True
            most //= 2
        return self._call("read", lambda: Disk.read(self, descriptor, most, offset))

    def write(self, descriptor: int, content: memoryview) -> int:
        if self._now() and self.fault == "short" and len(content) > 1:
            self.struck = True
            content = content[: len(content) // 2]
        if self._now() and self.fault == "torn":
            self.calls.append("write")
            whole = len(content) // 2 // PAGE * PAGE
            os.write(descriptor, bytes(content[:whole]) + bytes(len(content) - whole))
            self._end()
        taken = self._call("write", lambda: Disk.write(self, descriptor, content))
        self._not_synced[descriptor].append((self._written[descriptor], taken))
        self._written[descriptor] += taken
        return taken

    def sync(self, descriptor: int) -> None:
        self._call("sync", lambda: None)  # this disk knows what would be lost; a real sync only takes time
        self._not_synced[descriptor] = []

    def close(self, descriptor: int) -> None:
        self._call("close", lambda: Disk.close(self, descriptor))
        self._open.pop(descriptor, None)

    def status(self, what: Path | int, follow: bool = True) -> os.stat_result:
        return self._call("status", lambda: Disk.status(self, what, follow))

    def permit(self, descriptor: int, mode: int) -> None:
        self._call("permit", lambda: Disk.permit(self, descriptor, mode))

    def lock(self, descriptor: int) -> bool | None:
        try:
            return self._call("lock", lambda: Disk.lock(self, descriptor))
        except OSError:  # as the real one answers
            return None

    def names(self, folder: Path) -> list[str]:
        return self._call("names", lambda: Disk.names(self, folder))

    def replace(self, path: Path, other: Path) -> None:
        self._call("replace", lambda: Disk.replace(self, path, other))

    def unlink(self, path: Path) -> None:
        self._call("unlink", lambda: Disk.unlink(self, path))

    def mkdir(self, path: Path) -> None:
        self._call("mkdir", lambda: Disk.mkdir(self, path))

    def rmdir(self, path: Path) -> None:
        self._call("rmdir", lambda: Disk.rmdir(self, path))
