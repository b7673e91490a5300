"""What the traces of a scenario take from one file of outages: they share its clock and its numbers of components."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from dcsim.hazards.outages import (
    A_STAMP,
    MOST_OUTAGES,
    OutageColumns,
    OutageError,
    Row,
    hours,
    milliseconds,
    numbered,
    opened,
    stamp,
    text_of,
    too_many_outages,
    units,
)
from dcsim.problems import wrong
from dcsim.units import DURATION, Duration, PositiveDuration, write
from dcsim.wording import did_you_mean, printable, shown

SHARED_KEYS: dict[str, TypeAdapter[Any]] = {
    "begin": TypeAdapter(str),
    "span": TypeAdapter(PositiveDuration),
    "start": TypeAdapter(Literal["fixed", "random"]),
    "repeat": TypeAdapter(Annotated[bool, Field(strict=True)]),
}
"""Keys of a record's clock, and what they may hold: what one trace of a file says holds for all that leave it out."""


class Cut(BaseModel):
    """What one trace takes from a file, as its keys say. ``begin``: when the record began, in the file's own words."""

    columns: OutageColumns = OutageColumns()
    where: dict[str, str] = {}
    begin: str | None = None

    @classmethod
    def of(cls, trace: Mapping[str, Any]) -> "Cut | None":
        """Return the cut that a trace's table describes; None if one of these keys has no valid value."""
        try:
            return cls.model_validate({key: trace[key] for key in cls.model_fields if key in trace})
        except ValidationError:
            return None


@dataclass(frozen=True)
class Share:
    """One trace's share of a record that several traces may be cut from. ``file``: its name as the trace writes it."""

    file: str
    record: "Record"
    number: int

    def columns(self) -> dict[str, Any]:
        """Return the keys that the file gives to this trace; raises OutageError."""
        return self.record.columns(self.number)


class Record:
    """One file of outages, read once for all cuts of it.

    Its clock begins at ``begin``; without it, at hour 0 of a file of hours, and at the first outage of a file of dates.
    The record is all rows that hold the values of ``where`` on which all cuts agree: a log of several systems, cut to
    the causes of one system, begins with that system. ``kinds``: the component that each cut's hazard names; the same
    name is the same component in all cuts of one kind.
    """

    def __init__(self, path: Path, name: str, cuts: Sequence[Cut], kinds: Sequence[str], spanned: bool) -> None:
        """``name``: names its random streams; ``spanned``: a trace says how long the record is."""
        self.path, self.name, self.cuts, self.kinds, self.spanned = path, name, cuts, kinds, spanned
        self._found: list[dict[str, Any] | OutageError] | None = None

    def columns(self, number: int) -> dict[str, Any]:
        """Return ``at``, and if the file has them ``repair`` and ``component``, ``span`` and ``record`` of one cut.

        Rows come in any order and leave by time. Raises OutageError: one line with place, found and allowed.
        """
        if self._found is None:
            self._found = self._read()
        found = self._found[number]
        if isinstance(found, OutageError):
            raise found
        return found

    def _read(self) -> list[dict[str, Any] | OutageError]:
        """Read the file once; what is wrong with a cut is its own, what is wrong with the file is everyone's."""
        try:
            header, rows = opened(self.path)
            takers = self._takers(header)
            clocks = self._clocks(header, takers)
            for place, values in rows:
                for reader in clocks:
                    reader.tell(place, values)
                for taker in takers:
                    taker.take(place, values)
        except OutageError as error:
            return [error] * len(self.cuts)
        for taker in takers:
            taker.finish()
        return [taker.error or self._columns(takers, number) for number, taker in enumerate(takers)]

    def _takers(self, header: list[str]) -> list["_Taker"]:
        """Return who takes each cut; one that does not say when the record began goes by the first that says it."""
        takers = [_Taker(header, cut) for cut in self.cuts]
        said = next((each.cut.begin for each in takers if each.error is None and each.cut.begin), None)
        if said is None:
            return takers
        return [
            each if each.cut.begin else _Taker(header, each.cut.model_copy(update={"begin": said})) for each in takers
        ]

    def _clocks(self, header: list[str], takers: Sequence["_Taker"]) -> list["_Clock"]:
        """Give cuts that are told by one column of starts one clock; return those for which the file must be read."""
        common = set.intersection(*(set(cut.where.items()) for cut in self.cuts))
        clocks: dict[str, _Clock] = {}
        for taker in takers:
            if taker.error is None:
                clock = clocks.setdefault(taker.clock.column, taker.clock)
                if taker.clock.begin != clock.begin:
                    why = wrong(taker.clock.said, f"another trace of this file has {shown(clock.said)}")
                    taker.error = OutageError(f"{why}, and they share one clock", "begin")
                taker.clock = clock
        for clock in clocks.values():
            clock.where = [(header.index(name), value) for name, value in common]
        return [each for each in clocks.values() if not self.spanned or (each.dates and each.begin is None)]

    def _columns(self, takers: Sequence["_Taker"], number: int) -> dict[str, Any]:
        """Return what the file gives to one trace; components are numbered together in all cuts of their kind."""
        kind = self.kinds[number]
        same = [taker for taker, other in zip(takers, self.kinds, strict=True) if other == kind]
        found = takers[number].columns(numbered(name for taker in same for name in taker.names))
        if len(self.cuts) > 1 or self.cuts[0].where:
            found["record"] = self.name
        span = takers[number].clock.span
        if not self.spanned and span is not None:
            found["span"] = write(span, DURATION)
        return found


def shared_records(hazards: Iterable[Any], folder: Path | None) -> list[Any]:
    """Return hazards' tables, those with a trace of one file bound together: in the place of ``file`` its ``Share``.

    What is not valid stays as it is and says itself what is wrong.
    """
    found = list(hazards)
    files: dict[str, list[int]] = {}
    for index, hazard in enumerate(found):
        trace = hazard.get("mtbf") if isinstance(hazard, dict) else None
        if isinstance(trace, dict) and trace.get("kind") == "trace" and isinstance(trace.get("file"), str):
            try:
                files.setdefault(os.path.realpath((folder or Path()) / trace["file"]), []).append(index)
            except ValueError:  # a NUL in it
                continue
    names: set[str] = set()
    for path, indices in files.items():
        traces = [found[index]["mtbf"] for index in indices]
        cuts = [Cut.of(trace) for trace in traces]
        valid = [cut for cut in cuts if cut is not None]
        if len(valid) < len(cuts):
            continue
        name = Path(traces[0]["file"]).name
        while name in names:  # another file of this name, in another folder
            name += " (another)"
        names.add(name)
        said = {key: value for trace in reversed(traces) for key, value in _clock_keys(trace)}
        kinds = ["node" if (kind := str(found[index].get("component"))) == "tray" else kind for index in indices]
        record = Record(Path(path), name, valid, kinds, "span" in said)
        for number, (index, trace) in enumerate(zip(indices, traces, strict=True)):
            found[index] = {**found[index], "mtbf": {**said, **trace, "file": Share(trace["file"], record, number)}}
    return found


def _clock_keys(trace: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a trace says of its record's clock; what is not valid is its own mistake, and nobody else's."""
    for key, allowed in SHARED_KEYS.items():
        if key in trace:
            try:
                allowed.validate_python(trace[key])
            except ValidationError:
                continue
            yield key, trace[key]


class _Clock:
    """The clock of a record, told by a column of starts: its beginning, and the rows from there on.

    ``begin``: when it began, None: with its first row. ``where``: (column, value) of the rows that belong to it.
    ``error``: why it cannot be told.
    """

    def __init__(self, header: list[str], column: str, dates: bool, begin: str | None) -> None:
        self.column, self.index, self.dates, self.said = column, header.index(column), dates, begin
        self.where: list[tuple[int, str]] = []
        self.rows = 0
        self.first: Any = None  # a date, or ms of the file's own clock
        self.last: Any = None
        self.aware: bool | None = None  # whether its dates have an offset from UTC
        self.error: OutageError | None = None
        self.begin = self._begun(begin)

    def _begun(self, begin: str | None) -> Any:
        """Read ``begin`` as the file's starts are read."""
        if begin is None:
            return None
        if self.dates:
            try:
                return stamp(begin, "begin")
            except OutageError:
                why = f"{A_STAMP}, as the file's starts"
        else:
            try:
                return TypeAdapter(Duration).validate_python(begin)
            except ValidationError:
                why = f'must be a duration such as "100 h", because column {self.column} counts hours'
        raise OutageError(wrong(begin, why), "begin")

    def tell(self, place: str, values: list[Any]) -> None:
        """Count a row of the file if it belongs to the record."""
        if self.error is None and _holds(values, self.where):
            try:
                at = self.started(place, values)
                if self.begin is None or at >= self.begin:
                    self.first = min(at, self.first) if self.rows else at
                    self.last = max(at, self.last) if self.rows else at
                    self.rows += 1
            except OutageError as error:
                self.error = error

    def started(self, place: str, values: list[Any]) -> Any:
        """Return when a row's outage began, as a date or in ms of the file's own clock."""
        where = f"{place}, column {self.column}"
        if not self.dates:
            return hours(values[self.index], where, "start_h")
        at = stamp(values[self.index], where)
        if self.begin is not None and (at.tzinfo is None) != (self.begin.tzinfo is None):
            must = "no offset" if at.tzinfo is None else "an offset"
            raise OutageError(wrong(self.said, f"must have {must} from UTC, as the file's times"), "begin")
        if self.aware is None:
            self.aware = at.tzinfo is not None
        if self.aware != (at.tzinfo is not None):
            raise OutageError("mixes times with and without an offset from UTC")
        return at

    def since(self, at: Any) -> int:
        """Return the time [ms] from the record's beginning to a moment."""
        if self.dates:
            return milliseconds(at - (self.first if self.begin is None else self.begin))
        return int(at) - (self.begin or 0)

    @property
    def span(self) -> int | None:
        """Length of the record [ms]: to its last row and a mean gap beyond; None for rows at one instant."""
        if self.first == self.last:
            return None
        first, last = self.since(self.first), self.since(self.last)
        return last + max(1, round((last - first) / (self.rows - 1)))


class _Taker:
    """What one cut takes while the file is read. ``error``: why it cannot."""

    def __init__(self, header: list[str], cut: Cut) -> None:
        self.header, self.cut = header, cut
        self.error: OutageError | None = None
        self.rows: list[Row] = []
        self.at: list[int] = []
        self.cells: list[tuple[str, ...]] = []
        try:
            self.taken = self._columns_taken()
            start = "start" if "start" in self.taken else "start_h"
            self.clock = _Clock(header, self.taken[start], start == "start", cut.begin)
        except OutageError as error:
            self.error = error
            return
        self.where = [(header.index(name), value) for name, value in cut.where.items()]

    @property
    def names(self) -> Iterable[str]:
        """Every component that its rows name."""
        return (name for cell in self.cells for name in cell)

    def _columns_taken(self) -> dict[str, str]:
        """Return key -> column of the file, for all that is read."""
        known = list(OutageColumns.model_fields)
        named = {key: name for key in known if (name := getattr(self.cut.columns, key))}
        taken = named or {key: key for key in known if key in self.header}
        for name in (*taken.values(), *self.cut.where):
            if name not in self.header:
                found = f"{_several(self.header)}{did_you_mean(name, self.header)}"
                raise OutageError(f"has no column {shown(name)}; found: {found}")
        _at_most_one(taken, ("start", "start_h"))
        _at_most_one(taken, ("end", "repair_h", "repair_min"))
        if not taken.keys() & {"start", "start_h"}:
            why = "has no column for start or start_h; say in columns what it is called"
            raise OutageError(f"{why}; found: {_several(self.header)}")
        if "end" in taken and "start" not in taken:
            raise OutageError("has a column for end, but none for start to count from")
        return taken

    def take(self, place: str, values: list[Any]) -> None:
        """Keep a row of the file if the cut takes it."""
        if self.error is None and _holds(values, self.where):
            self.rows.append((place, values))
            if len(self.rows) > MOST_OUTAGES:
                self.error = too_many_outages()

    def finish(self) -> None:
        """Read the cells of what was taken."""
        self.error = self.error or self.clock.error
        if self.error is not None:
            return
        try:
            if not self.rows:
                raise OutageError("holds no outage" + (" with the values of where" if self.cut.where else ""))
            self.starts = [self.clock.started(place, values) for place, values in self.rows]
            self.at = [self.clock.since(start) for start in self.starts]
            if min(self.at) < 0:
                place, values = self.rows[self.at.index(min(self.at))]
                found = wrong(self.clock.said, "must not be after the first outage that it takes")
                raise OutageError(f"{found}, {place}: {shown(str(values[self.clock.index]))}", "begin")
            self.repair = self._repairs()
            if (component := self.taken.get("component")) is not None:
                index, room = self.header.index(component), MOST_OUTAGES
                for place, values in self.rows:
                    self.cells.append(units(values[index], f"{place}, column {component}", room))
                    room -= len(self.cells[-1])
        except OutageError as error:
            self.error = error

    def _repairs(self) -> list[int]:
        key = next((each for each in ("end", "repair_h", "repair_min") if each in self.taken), None)
        if key is None:
            return []
        name = self.taken[key]
        index, found = self.header.index(name), []
        for (place, values), start in zip(self.rows, self.starts, strict=True):
            if key != "end":
                found.append(hours(values[index], f"{place}, column {name}", key))
                continue
            end = stamp(values[index], f"{place}, column {name}")
            if (end.tzinfo is None) != (start.tzinfo is None):
                raise OutageError("mixes times with and without an offset from UTC")
            if end < start:
                raise OutageError(f"{place}: ends before it starts")
            found.append(milliseconds(end - start))
        return found

    def columns(self, numbers: Mapping[str, int]) -> dict[str, Any]:
        """Return what the trace holds in the place of its file: times from the record's beginning, as text."""
        order = sorted(range(len(self.at)), key=self.at.__getitem__)
        cells = self.cells or [("",)] * len(order)
        found: dict[str, Any] = {"at": [write(self.at[row], DURATION) for row in order for _ in cells[row]]}
        if self.repair:
            found["repair"] = [write(self.repair[row], DURATION) for row in order for _ in cells[row]]
        if self.cells:
            found["component"] = [numbers[name] for row in order for name in cells[row]]
        return found


def _holds(values: list[Any], where: Iterable[tuple[int, str]]) -> bool:
    return all(text_of(values[index]) == value for index, value in where)


def _several(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:12])) + (", ..." if len(names) > 12 else "")


def _at_most_one(taken: Mapping[str, str], keys: tuple[str, ...]) -> None:
    found = [key for key in keys if key in taken]
    if len(found) > 1:
        raise OutageError(f"has columns for {' and '.join(found)}; name the one to read in columns")
