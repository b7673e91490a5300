"""Files of runs: one for each finished task, and in the end one for all.

The last file's bytes depend on the runs in it alone: it has row groups of a fixed number of runs, in their order,
whatever the tasks were. It is streamed from the others, so that it never lies in memory as a whole.

Each file is plain parquet that any reader can read, with two additions that make damage cost no more than it must. The
footer says of each row group where its bytes lie and what their checksum is (``dcsim.row_groups``). And before the
footer stand its length and its checksum, in the last file with a second copy of it.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dcsim.files import Sink, Source, on_disk, source, whole
from dcsim.ledger import Ledgers
from dcsim.montecarlo.arrow_ledgers import arrow_schema, arrow_table, from_arrow
from dcsim.scenario import Scenario, sha256
from dcsim.scenario.plan import plan

GROUP = 1024
"""Runs in a row group of the last file: a few MB (assumed)."""
ROW_GROUPS = b"dcsim.row_groups"
"""Key of the footer: for each row group its lowest run, how many it has, where its bytes lie and their CRC-32."""
COPY = b"dcsim footer copy"
HEADER = struct.Struct(f"<{len(COPY)}sII")
"""What stands before the copy of the footer: a mark, the copy's length and its CRC-32."""
END = struct.Struct("<I4s")
"""How a parquet file ends: the footer's length, and PAR1."""
MAGIC = b"PAR1"
FIRST_LOOK = 1 << 16
"""Bytes at the end of a file that hold a usual footer twice."""


class DamagedError(Exception):
    """A file's content cannot be believed: ``DamagedError(why)``."""


class RowGroup(NamedTuple):
    """Some runs in a file: the lowest, how many, and where their bytes lie with which CRC-32."""

    lowest: int
    runs: int
    offset: int
    length: int
    crc: int


class Found(NamedTuple):
    """What a file holds: runs by row group; the row groups that are damaged; whether anything around them is."""

    ledgers: list[Ledgers]
    lost: list[RowGroup]
    frame_damaged: bool

    @property
    def damaged(self) -> bool:
        """Whether the file is not as it was written."""
        return bool(self.lost) or self.frame_damaged


class ParquetFiles:
    """Reads and writes files of runs of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.sha256 = sha256(scenario)

    @cached_property
    def schema(self) -> Any:
        """The pyarrow.Schema of every file."""
        return arrow_schema(self.sha256, self.scenario.seed)

    @cached_property
    def _owners(self) -> tuple[str, ...]:
        return plan(self.scenario).owners

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, path: Path, blocks: Iterator[Ledgers], one_footer: bool = False) -> None:
        """Write a file, whole or not at all; every block is a row group.

        ``one_footer``: for a file of a single row group that stays for a while only. Raises StoreError.
        """
        from pyarrow import parquet

        groups: list[RowGroup] = []
        with whole(path) as file:
            sums = _Sums(file)
            options = {"compression": "zstd", "write_page_checksum": True, "use_dictionary": ["owner"]}
            writer = parquet.ParquetWriter(sums, self.schema, **options)
            for block in blocks:
                start = sums.begin()
                table = arrow_table(block, self.schema)
                writer.write_table(table, row_group_size=table.num_rows)
                lowest = int(block.replications[0])
                groups.append(RowGroup(lowest, len(block), start, file.position - start, sums.crc))
            writer.add_key_value_metadata({ROW_GROUPS: json.dumps(groups).encode()})
            with sums.footer(1 if one_footer else 2):
                writer.close()

    def put_together(self, path: Path, files: Sequence[Path], below: int | None = None) -> None:
        """Write one file with the runs of all of ``files``, ``path`` itself may be among them.

        A run that is in several of them, which are the same then, is written once. ``below``: only those of lower
        numbers. Raises DamagedError, StoreError.
        """
        groups = [group for file in files for group in self._groups(file) if below is None or group[0] < below]
        self.write(path, in_order(groups, below))

    # --- reading --------------------------------------------------------------------------------------------------

    def read(self, path: Path) -> Found:
        """Return what is in a file, verified.

        Raises DamagedError where nothing in it can be believed; OSError or MemoryError where it cannot be read now.
        """
        with source(path) as file:
            metadata, groups, frame_damaged = self._opened(file)
            found, lost = [], []
            for index, group in enumerate(groups):
                try:
                    found.append(self._load(file, metadata, index, group))
                except DamagedError:
                    lost.append(group)
        if not found:
            raise DamagedError("all of it is damaged")
        return Found(found, lost, frame_damaged)

    def belongs(self, path: Path) -> bool:
        """Whether a file holds runs of this scenario and seed; raises OSError."""
        try:
            with source(path) as file:
                self._opened(file)
        except DamagedError:
            return False
        return True

    def _groups(self, path: Path) -> "list[Group]":
        """Return the row groups of a file."""
        with on_disk(path), source(path) as file:
            metadata, groups, _ = self._opened(file)

        def loader(index: int, group: RowGroup) -> Callable[[], Ledgers]:
            def load() -> Ledgers:
                with on_disk(path), source(path) as file:
                    return self._load(file, metadata, index, group)

            return load

        return [(group.lowest, loader(index, group)) for index, group in enumerate(groups)]

    def _opened(self, file: Source) -> tuple[Any, list[RowGroup], bool]:
        """Return the metadata of a file, its row groups, and whether its frame (begin or footers) is damaged."""
        import pyarrow as pa
        from pyarrow import parquet

        tail, damaged = _footer(file)
        damaged |= file.read(0, len(MAGIC)) != MAGIC
        with believed():
            metadata = parquet.read_metadata(pa.BufferReader(MAGIC + tail))
            found = metadata.schema.to_arrow_schema()
            about = {key: value for key, value in (metadata.metadata or {}).items() if key.startswith(b"dcsim.")}
            groups = [RowGroup(*map(int, each)) for each in json.loads(about.pop(ROW_GROUPS))]
        if not found.equals(self.schema) or about != self.schema.metadata:
            raise DamagedError("not of this scenario")
        if not groups or len(groups) != metadata.num_row_groups:
            raise DamagedError("no replications in it")
        end = len(MAGIC)
        for group in groups:
            damaged |= group.offset != end
            end = group.offset + group.length
        rest = file.size - end - HEADER.size
        return metadata, groups, damaged or rest not in (len(tail), 2 * len(tail))

    def _load(self, file: Source, metadata: Any, index: int, group: RowGroup) -> Ledgers:
        """Read one row group and verify it; raises DamagedError."""
        from pyarrow import PythonFile, parquet

        content = file.read(group.offset, group.length)
        if zlib.crc32(content) != group.crc or len(content) != group.length:
            raise DamagedError("its bytes have not their checksum")
        with believed():
            part = PythonFile(_Part(content, group.offset, file.size), mode="r")
            with parquet.ParquetFile(part, metadata=metadata, page_checksum_verification=True) as opened:
                table = opened.read_row_group(index, use_threads=False)
            ledgers = from_arrow(table, self._owners, self.scenario.capacity_gpu_ms)
        if (ledgers.replications[0], len(ledgers)) != group[:2]:
            raise DamagedError("its row groups are not what its footer says")
        return ledgers


Group = tuple[int, Callable[[], Ledgers]]
"""A row group: its lowest run, and what reads it."""


def in_order(groups: Sequence[Group], below: int | None = None) -> Iterator[Ledgers]:
    """Yield the runs of row groups, ascending, each once, by ``GROUP``; only what overlaps is held.

    ``below``: only runs of lower numbers; every group has one.
    """
    waiting = sorted(groups, key=lambda group: group[0])
    held: Ledgers | None = None
    for index, (_, load) in enumerate(waiting):
        found = load()
        if below is not None and found.replications[-1] >= below:
            found = found.chosen(found.replications < below)
        if held is not None:
            new = ~np.isin(found.replications, held.replications)
            held = Ledgers.joined([held, found.chosen(new)]) if new.any() else held
        else:
            held = found
        last = index + 1 == len(waiting)
        ready = len(held) if last else int(np.searchsorted(held.replications, waiting[index + 1][0]))
        for start in range(0, ready if last else ready // GROUP * GROUP, GROUP):
            yield held.chosen(slice(start, min(start + GROUP, ready)))
        if not last and ready >= GROUP:
            gone = ready // GROUP * GROUP
            held = held.chosen(slice(gone, None)) if gone < len(held) else None


@contextmanager
def believed() -> Iterator[None]:
    """Turn whatever damaged bytes lead to into a DamagedError; they take a decoder anywhere.

    The bytes are in memory already, so an OSError is one of the decoder. Too little memory says nothing of the bytes.
    """
    try:
        yield
    except (DamagedError, MemoryError):
        raise
    except Exception as error:
        told = str(error) if type(error).__module__.startswith("dcsim.") or type(error) is ValueError else ""
        raise DamagedError(told or "not a whole parquet file") from error


# --- the footer, twice ------------------------------------------------------------------------------------------------


class _Sums:
    """The file that pyarrow writes into: it sums up row groups, and writes the footer with its checksum."""

    closed = False

    def __init__(self, file: Sink) -> None:
        self._file = file
        self._held: bytearray | None = None
        self.crc = 0

    def begin(self) -> int:
        """Begin a row group; return where it begins."""
        self.crc = 0
        return self._file.position

    def write(self, content: Any) -> int:
        """Write bytes; of the footer, hold them back."""
        if self._held is not None:
            self._held += content
            return len(content)
        self.crc = zlib.crc32(content, self.crc)
        return self._file.write(content)

    @contextmanager
    def footer(self, copies: int) -> Iterator[None]:
        """Take all that is written meanwhile for the footer, and write it so many times."""
        self._held = bytearray()
        yield
        tail, self._held = bytes(self._held), None
        self._file.write(HEADER.pack(COPY, len(tail), zlib.crc32(tail)) + tail * copies)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: whoever opened the file closes it."""


class _Part:
    """Some bytes of a file for a reader that knows where in the file they lie."""

    closed = False

    def __init__(self, content: bytes, offset: int, size: int) -> None:
        self._content, self._offset, self._size, self._at = content, offset, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place of the file."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """Return the place in the file."""
        return self._at

    def size(self) -> int:
        """Return the file's size in bytes."""
        return self._size

    def read(self, count: int = -1) -> bytes:
        """Return bytes from the place on."""
        start = self._at - self._offset
        if start < 0:
            raise ValueError("outside of the row group")
        found = self._content[start : start + count if count >= 0 else None]
        self._at += len(found)
        return found

    def readable(self) -> bool:
        """Tell pyarrow that this can be read."""
        return True

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def _footer(file: Source) -> tuple[bytes, bool]:
    """Return a file's footer with its end, and whether one of the two copies is damaged; raises DamagedError."""
    look = FIRST_LOOK
    while True:
        last = file.read(max(0, file.size - look), look)
        found = _good_footer(last)
        if found is not None:
            return found
        if look >= file.size:
            raise DamagedError("not a whole parquet file")
        look *= 16


def _good_footer(last: bytes) -> tuple[bytes, bool] | None:
    """Find a footer that can be believed in the last bytes of a file."""
    mark = last.rfind(COPY)
    if mark >= 0 and len(last) - mark >= HEADER.size:
        _, size, crc = HEADER.unpack_from(last, mark)
        copies = last[mark + HEADER.size :][:size], last[-size:] if size else b""
        good = [each for each in copies if len(each) == size and zlib.crc32(each) == crc]
        if good:  # a footer that stands there once is both of them
            rest = len(last) - mark - HEADER.size
            return good[0], len(good) < 2 or rest not in (size, 2 * size)
    if len(last) >= END.size:  # the mark, the length or the checksum is damaged: two equal copies are good as well
        size = END.unpack(last[-END.size :])[0] + END.size
        if len(last) >= 2 * size and last[-size:] == last[-2 * size : -size]:
            return last[-size:], True
    return None
