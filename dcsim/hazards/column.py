"""Columns of a record: whole numbers in an array that a model holds as one value, and the parquet file of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from dcsim.textfile import RecordError
from dcsim.units import DURATION, write


class Column(Sequence[int]):
    """Whole numbers, int64 (n,), that nobody changes. ``told``: how they were read, which makes no difference."""

    __slots__ = ("_hash", "array", "told")

    def __init__(self, values: Any, told: tuple[str, ...] = ()) -> None:
        self.array: NDArray[np.int64] = np.array(values, dtype=np.int64)
        self.array.flags.writeable = False
        self.told = told
        self._hash: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Column, (self.array, self.told)

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "Column": ...
    def __getitem__(self, index: int | slice) -> "int | Column":
        return Column(self.array[index]) if isinstance(index, slice) else int(self.array[index])

    def __iter__(self) -> Iterator[int]:
        return iter(self.array.tolist())

    @property
    def total(self) -> int:
        """The exact sum, which may be above what 64 bits hold."""
        return (int((self.array >> 20).sum()) << 20) + int((self.array & 0xFFFFF).sum())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Column):
            return np.array_equal(self.array, other.array)
        return isinstance(other, list | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.array.tobytes())
        return self._hash

    def __repr__(self) -> str:
        return f"Column({self.array.tolist()!r})" if len(self) < 20 else f"<{len(self):,} whole numbers>"


class ListOf:
    """Says, in an annotation of a Column, what list a scenario file has in its place.

    ``lists``: the type of the list. ``durations``: whether its numbers are [ms], written with a unit.
    """

    def __init__(self, lists: Any, durations: bool = False) -> None:
        self._lists, self._durations = lists, durations

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take a Column as it is, and read anything else as the list."""

        def read(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Column:
            return value if isinstance(value, Column) else Column(inner(value))

        def written(column: Column, info: Any) -> Any:
            way = (info.context or {}).get(COLUMNS)
            return way(column, self.texts) if way else self.texts(column)

        return core_schema.no_info_wrap_validator_function(
            read,
            handler.generate_schema(self._lists),
            serialization=core_schema.plain_serializer_function_ser_schema(written, info_arg=True, when_used="json"),
        )

    def texts(self, column: Column) -> list[Any]:
        """Return the list, as a file has it."""
        return [write(each, DURATION) for each in column] if self._durations else column.array.tolist()


COLUMNS = "columns"
"""Key of the context in which a model is dumped: a function of a Column, and of how it is listed, that says what
stands in its place."""

_NAMES = {"at": "at_ms", "component": "component", "repair": "repair_ms"}
"""Column of a trace -> that of its parquet file."""


def parquet_of(columns: Mapping[str, Column]) -> bytes:
    """Return the parquet file of a trace's columns (``at``, ``component``, ``repair``): int64, by time, in ms."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({_NAMES[key]: column.array for key, column in columns.items()})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def read_parquet(path: Path, most: int) -> dict[str, Column]:
    """Return the columns that ``parquet_of`` wrote, at most so many rows; raises RecordError."""
    from pyarrow import ArrowException, int64
    from pyarrow.parquet import ParquetFile

    from dcsim.records.tables import opened

    table = opened(path)
    found: dict[str, Column] = {}
    try:
        with ParquetFile(path, page_checksum_verification=True) as file:
            if file.metadata.num_rows > most:
                raise RecordError(f"holds more than {most:,} outages")
            for key, name in _NAMES.items():
                if name in table.header:
                    column = file.read([name]).column(name)
                    if column.type != int64() or column.null_count:
                        raise RecordError(f"column {name} must hold whole numbers of 64 bits, none left out")
                    found[key] = Column(column.to_numpy())
    except (ArrowException, OSError, MemoryError) as error:
        raise RecordError(f"is not a parquet file that can be read: {str(error).partition(chr(10))[0][:200]}") from None
    if "at" not in found:
        raise RecordError("has no column at_ms; a trace reads another table with file")
    if not len(found["at"]):
        raise RecordError("holds no outage")
    return found
