"""The one door to the disk for what dcsim leaves behind: files that appear whole or not at all.

All reading and writing of runs, reports and imported topologies goes through the functions here, and these reach the
operating system through ``disk`` alone. A test can put another ``Disk`` in its place and make any single call fail, or
end the process there.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any

PIECE, NO_MEMORY = 1 << 22, "not enough memory"  # most bytes that one call reads or writes; what is said of memory
UNFINISHED = re.compile(r"\.dcsim-[0-9a-f]{16}\.tmp")
"""Names of files that are being written; nobody can guess one beforehand."""


class StoreError(Exception):
    """A file or folder cannot be used: ``StoreError(path, problem)``."""

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


class NotRegularError(OSError):
    """What should be read is a folder, a pipe, a device or the like."""

    def __init__(self, mode: int) -> None:
        super().__init__(0, "is a folder" if stat.S_ISDIR(mode) else "is not a regular file")

    def __str__(self) -> str:
        return self.strerror or ""


class Disk:
    """The calls of the operating system that dcsim's files need; every method is one of them and raises OSError."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file or folder; return its descriptor."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666)

    def read(self, descriptor: int, most: int, offset: int) -> bytes:
        """Read up to ``most`` bytes; fewer are no error, none is the end of the file."""
        return os.pread(descriptor, most, offset)

    def write(self, descriptor: int, content: memoryview) -> int:
        """Write bytes; return how many of them were taken."""
        return os.write(descriptor, content)

    def sync(self, descriptor: int) -> None:
        """Wait until what was written would survive a power cut."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def status(self, what: Path | int, follow: bool = True) -> os.stat_result:
        """Return the kind, the size and the permissions of a path or descriptor."""
        return os.stat(what, follow_symlinks=follow)

    def permit(self, descriptor: int, mode: int) -> None:
        """Set the permissions of an open file."""
        os.fchmod(descriptor, mode)

    def lock(self, descriptor: int) -> bool | None:
        """Lock a file or folder until it is closed. False: another process has it. None: locks do not work here."""
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(folder)

    def replace(self, path: Path, other: Path) -> None:
        """Give a file another name; a file of that name is replaced."""
        os.replace(path, other)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        os.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Make a folder."""
        os.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder."""
        os.rmdir(path)


disk = Disk()  # what everything here goes through


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses, memory too, into a StoreError that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(path, error.strerror or str(error)) from error
    except MemoryError as error:
        raise StoreError(path, NO_MEMORY) from error
    except ValueError as error:  # a path with a NUL
        raise StoreError(path, str(error)) from error


# --- reading ----------------------------------------------------------------------------------------------------------


class Source:
    """A regular file that is open for reading; ``size`` in bytes."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self.size = descriptor, size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file, fewer only at its end."""
        pieces: list[bytes] = []
        while length > 0 and (piece := disk.read(self._descriptor, min(length, PIECE), offset)):
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)


@contextmanager
def source(path: Path) -> Iterator[Source]:
    """Open a regular file; raises OSError, also for a pipe or a device, which could block or never end."""
    descriptor = disk.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = disk.status(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(status.st_mode)
        yield Source(descriptor, status.st_size)
    finally:
        disk.close(descriptor)


def read_whole(path: Path, most: int) -> bytes:
    """Return what a regular file holds; raises OSError, also for a file of more than ``most`` bytes."""
    with source(path) as file:
        content = file.read(0, most + 1)
        if len(content) > most:
            raise OSError(0, f"is too large: more than {most:,} bytes")
        return content


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted, none of a folder that is not there; raises OSError."""
    try:
        return sorted(disk.names(folder))
    except FileNotFoundError:
        return []


def kind_of(path: Path) -> str | None:
    """Return "file", "folder" or another word for what a path is, None where nothing is; raises OSError."""
    try:
        return _kind(disk.status(path, follow=False).st_mode)
    except FileNotFoundError:
        return None


def _kind(mode: int) -> str:
    return KINDS.get(stat.filemode(mode)[0], "special file")


KINDS = {"-": "file", "d": "folder", "l": "symbolic link", "p": "pipe", "c": "device", "s": "socket"}
"""What a path can be, by the first letter that `ls -l` shows."""

# --- writing ----------------------------------------------------------------------------------------------------------


class Sink(RawIOBase):
    """A file that is open for writing; ``position`` is how many bytes it was given."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor, self._held = descriptor, bytearray()
        self.position = 0

    def writable(self) -> bool:
        """Tell pyarrow that this can be written to."""
        return True

    def write(self, content: Any) -> int:
        """Take bytes, and write them once there are many; raises OSError."""
        view = memoryview(content).cast("B")
        self.position += len(view)
        self._held += view
        if len(self._held) >= PIECE:
            self.finish()
        return len(view)

    def finish(self) -> None:
        """Write what is left; raises OSError."""
        rest = memoryview(self._held)
        self._held = bytearray()  # whatever follows an error, nothing is written twice
        while len(rest):
            taken = disk.write(self._descriptor, rest[:PIECE])
            if taken <= 0:
                raise OSError(0, "nothing more can be written")
            rest = rest[taken:]


@contextmanager
def whole(path: Path) -> Iterator[Sink]:
    """Give a file to write so that whoever looks, now or after a crash, sees all of it or the file as it was.

    Only a regular file is replaced, and it keeps its permissions. Raises StoreError.
    """
    with on_disk(path):
        replaced = _replaceable(path)
        beside = path.with_name(f".dcsim-{secrets.token_hex(8)}.tmp")
        with _created(beside, unique=True) as descriptor:
            disk.lock(descriptor)  # so that no other process takes it for what a killed one left
            if replaced is not None:
                disk.permit(descriptor, stat.S_IMODE(replaced.st_mode))
            sink = Sink(descriptor)
            yield sink
            sink.finish()
            disk.sync(descriptor)
            disk.replace(beside, path)


@contextmanager
def _created(path: Path, unique: bool = False) -> Iterator[int]:
    """Create a file, and give its descriptor; what fails removes it, a ``unique`` name even while it is created."""
    descriptor = None
    try:
        descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        yield descriptor
    except BaseException as error:
        if descriptor is not None or (unique and not isinstance(error, OSError)):
            with suppress(OSError):
                disk.unlink(path)
        raise
    finally:
        if descriptor is not None:
            disk.close(descriptor)


def _replaceable(path: Path) -> os.stat_result | None:
    try:
        status = disk.status(path, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = _kind(status.st_mode)
    if kind != "file":
        raise OSError(0, f"is a {kind}; only a regular file is replaced")
    return status


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write bytes so that whoever looks, now or after a crash, sees all of them or the file as it was."""
    with whole(path) as file:
        file.write(content)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, whole or not at all while this process lives; raises OSError."""
    with _created(path) as descriptor:
        sink = Sink(descriptor)
        sink.write(content)
        sink.finish()


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe or a device. Raises StoreError for what can be neither written to nor replaced."""
    with on_disk(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            if _kind(disk.status(path).st_mode) in ("pipe", "device"):
                return True
        _replaceable(path)
        return False


@contextmanager
def output(path: Path) -> Iterator[Sink]:
    """Give what a user named to write to: a pipe or a device as it is, anything else as ``whole``."""
    if is_stream(path):
        with on_disk(path):
            descriptor = _open_stream(path)
            try:
                os.set_blocking(descriptor, True)
                sink = Sink(descriptor)
                yield sink
                sink.finish()
            finally:
                disk.close(descriptor)
            return
    with suppress(OSError, MemoryError):
        remove_unfinished(path.parent)
    with whole(path) as sink:
        yield sink


def _open_stream(path: Path) -> int:
    try:
        return disk.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(0, "is a pipe that nobody reads") if error.errno == errno.ENXIO else error from None


def make_folder(path: Path) -> None:
    """Make a folder, and those that it lies in, where there is none; raises StoreError."""
    with on_disk(path):
        _make(path)


def _make(path: Path) -> None:
    try:
        disk.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(disk.status(path).st_mode):
            raise
    except FileNotFoundError:
        if path.parent == path:
            raise
        _make(path.parent)
        _make(path)


def remove(path: Path) -> None:
    """Remove a file if it is there; raises StoreError."""
    with on_disk(path), suppress(FileNotFoundError):
        disk.unlink(path)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder with nothing in it."""
    with suppress(OSError):
        disk.rmdir(folder)


def rename(path: Path, other: Path) -> None:
    """Give a file another name; raises StoreError."""
    with on_disk(path):
        disk.replace(path, other)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder would survive a power cut, where the file system can do that."""
    with suppress(OSError, MemoryError):
        descriptor = disk.open(folder, os.O_RDONLY)
        try:
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)


def is_unfinished(name: str) -> bool:
    """Whether a name is that of a file that ``whole`` is writing, or was writing when its process ended."""
    return UNFINISHED.fullmatch(name) is not None


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left half-written in a folder; what is being written stays."""
    for name in filter(is_unfinished, names_in(folder)):
        with suppress(OSError, MemoryError):
            descriptor = disk.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                if stat.S_ISREG(disk.status(descriptor).st_mode) and disk.lock(descriptor):
                    disk.unlink(folder / name)
            finally:
                disk.close(descriptor)


class Lock:
    """A lock on a folder until it is released or the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError while another process has it; a file system without locks is no error."""
        self._descriptor: int | None = None
        with on_disk(folder):
            descriptor = disk.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if disk.lock(descriptor) is False:
            disk.close(descriptor)
            raise StoreError(folder, "another run is writing here; wait for it, or use another folder")
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have the folder."""
        if self._descriptor is not None:
            disk.close(self._descriptor)
            self._descriptor = None
