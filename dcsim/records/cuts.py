"""One pass over a file of outages for all who take something from it: they share its clock."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from dcsim.hostlist import HostlistError, expand
from dcsim.problems import wrong
from dcsim.records.outages import Outages, roles_of
from dcsim.records.tables import Block, Broken, RecordError, Table, opened
from dcsim.records.times import FORMS, SHUT, Moments, Order, OrderUnknown, is_open
from dcsim.records.where import Condition, Written, text_of
from dcsim.units import DURATION, parse
from dcsim.wording import shown

MOST_NAMES = 4_096
"""Components that one cell may name; source: assumed."""
MOST_KNOWN = 100_000
"""Cells whose components are kept in mind; source: assumed."""
Roles = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Cut:
    """What is taken from a file. ``columns``: role -> column, or several joined by "+" that name a component together.

    ``only``: no column is known by its name. ``where``: conditions that rows must meet. ``dates``: whether day or month
    comes first, where the file does not tell. ``begin``: when the record began, written as the file's starts, or as a
    duration where they are hours.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: tuple[Written, ...] = ()
    dates: Order | None = None
    only: bool = False
    begin: str | None = None


@dataclass
class Clock:
    """The clock of a record, told by a column of starts: its beginning, and the rows from there on [s].

    ``dates``: whether the column holds dates, else hours. ``said``: its beginning as somebody wrote it.
    """

    dates: bool
    begin: float | None = None
    said: str | None = None
    rows: int = 0
    first: float = np.inf
    last: float = -np.inf

    def tell(self, start: float) -> None:
        """Count a row of the record."""
        if self.begin is None or start >= self.begin:
            self.rows += 1
            self.first = min(self.first, start)
            self.last = max(self.last, start)

    def tell_many(self, starts: NDArray[np.float64]) -> None:
        """Count rows of the record."""
        within = starts if self.begin is None else starts[starts >= self.begin]
        if len(within):
            self.rows += len(within)
            self.first = min(self.first, float(within.min()))
            self.last = max(self.last, float(within.max()))

    @property
    def zero(self) -> float:
        """The moment from which hours are counted: the beginning if it was said, hour 0, or the first row."""
        return self.begin if self.begin is not None else self.first if self.dates else 0.0


Taken = tuple[Outages, Clock]
Many = tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[str, ...]], list[str]]
"""Starts and ends [s], what each row names, and its kind."""


def read_cuts(path: Path, cuts: Sequence[Cut], most: int | None = None) -> list[Taken | RecordError]:
    """Read a file once for several cuts of it.

    The record is all rows that meet the conditions which all cuts have in common. Cuts that are told by one column of
    starts share one clock. ``most``: outages that a cut may hold. What is wrong with a cut stands in its place; raises
    RecordError for what is wrong with the file.
    """
    table = opened(path)
    try:
        return _read(table, cuts, most, whole=False)
    except OrderUnknown:  # a date of two readings below moments of another form: look at all of them first
        return _read(table, cuts, most, whole=True)


def _read(table: Table, cuts: Sequence[Cut], most: int | None, whole: bool) -> list[Taken | RecordError]:
    common = [each for each in cuts[0].where if all(each in cut.where for cut in cuts)]
    layouts: dict[tuple[Roles, Order | None], _Layout] = {}
    found: list[_Taker | RecordError] = []
    for cut in cuts:
        try:
            roles = tuple(roles_of(table, cut.columns, cut.only).items())
            own = _all([Condition.of(each, table.header) for each in cut.where if each not in common], table)
            shared = _all([Condition.of(each, table.header) for each in common], table)
            layout = layouts.setdefault((roles, cut.dates), _Layout(table, roles, cut.dates))
            found.append(_Taker(layout, own, most))
        except RecordError as error:
            found.append(error)
    if not layouts:
        return [each for each in found if isinstance(each, RecordError)]
    for layout in layouts.values():
        layout.settle(table, whole)
    _set_clocks(found, cuts)
    broken, filtered = Broken(), 0
    groups = [
        (layout, [taker for taker in found if isinstance(taker, _Taker) and taker.layout is layout])
        for layout in layouts.values()
    ]
    clocks = [layout.clock for layout in layouts.values()]
    first_of = [clocks.index(clock) == number for number, clock in enumerate(clocks)]
    for block in table.blocks(broken):
        rows = block if shared is None else [row for row in block if shared(row[1])]
        filtered += len(block) - len(rows)
        if len(layouts) == 1 and (many := layout.many([values for _, values in rows])) is not None:
            layout.clock.tell_many(many[0])
            for taker in groups[0][1]:
                taker.take_many(rows, *many)
            continue
        for number, values in rows:
            for (layout, takers), tells in zip(groups, first_of, strict=True):
                try:
                    start, end = layout.times(values)
                    names = layout.names(values)
                except _LineError as error:
                    broken.add(table.place(number), *error.args)
                    break
                if tells:
                    layout.clock.tell(start)
                for taker in takers:
                    taker.take(table.place(number), values, start, end, names)
    return [each if isinstance(each, RecordError) else each.finished(table, broken, filtered) for each in found]


def _all(conditions: Sequence[Condition], table: Table) -> Callable[[Sequence[Any]], bool] | None:
    """Return whether a row meets all conditions; None if there are none."""
    if not conditions:
        return None
    tests = [(table.header.index(each.column), each.holds) for each in conditions]
    return lambda values: all(holds(text_of(values[column])) for column, holds in tests)


def _set_clocks(found: list["_Taker | RecordError"], cuts: Sequence[Cut]) -> None:
    """Give cuts that are told by one column one clock, with the beginning that one of them says."""
    clocks: dict[str, Clock] = {}
    for number, (taker, cut) in enumerate(zip(found, cuts, strict=True)):
        if isinstance(taker, RecordError):
            continue
        layout = taker.layout
        clock = layout.clock = clocks.setdefault(layout.column, layout.clock)
        if cut.begin is None:
            continue
        try:
            begin = layout.beginning(cut.begin)
            if clock.begin not in (None, begin):
                why = f"another trace of this file has {shown(clock.said)}, and they share one clock"
                raise RecordError(wrong(cut.begin, why), "begin")
            clock.begin, clock.said = begin, cut.begin
        except RecordError as error:
            found[number] = error


class _LineError(Exception):
    """Why a line cannot be used, and what was found there."""


class _Layout:
    """How the rows of a table tell of outages."""

    def __init__(self, table: Table, roles: Roles, dates: Order | None) -> None:
        index = {name: number for number, name in enumerate(table.header)}
        held = dict(roles)
        self.table, self.roles = table, roles
        self.start = "start" if "start" in held else "start_h"
        self.column = held[self.start][0]
        self.moments = Moments(self.column, order=dates, said=dates is not None)
        self.clock = Clock(self.start == "start")
        self._start = index[self.column]
        self._ends = next((role for role in ("end", "repair_h", "repair_min") if role in held), None)
        self._end = index[held[self._ends][0]] if self._ends else -1
        self._factor = {"repair_h": 3600.0, "repair_min": 60.0}.get(self._ends or "", 0.0)
        self._cells = [index[name] for name in held.get("component", ())]
        self._kind = index[held["kind"][0]] if "kind" in held else -1
        self._known: dict[str, tuple[str, ...]] = {}

    def settle(self, table: Table, whole: bool) -> None:
        """Look at moments until their form is told, at all of them if it is not, or if ``whole`` of them is asked."""
        moments = self.moments
        if self.start != "start":
            moments.plain = True
            return
        columns = [self._start, self._end] if self._ends == "end" else [self._start]
        for _, values in table.rows(Broken()):
            for column in columns:
                try:
                    moments.learn(values[column])
                except (ValueError, OverflowError):
                    continue  # said when it is read
            if moments.settled and not whole:
                return
        moments.settle()

    def beginning(self, said: str) -> float:
        """Return when the record began, as its starts are written [s]; raises RecordError."""
        if self.start != "start":
            try:
                return parse(said, DURATION) / 1000
            except PydanticCustomError:
                why = f'must be a duration such as "100 h", because column {self.column} counts hours'
                raise RecordError(wrong(said, why), "begin") from None
        aware = self.moments.aware
        try:
            found = Moments(self.column, self.moments.order, aware).read(said)
        except RecordError:
            why = f"must have {'a' if aware else 'no'} zone, as the file's times"
            raise RecordError(wrong(said, why), "begin") from None
        except OrderUnknown:
            why = 'may have the month or the day first; say which: dates = "month first" or "day first"'
            raise RecordError(wrong(said, why), "begin") from None
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise RecordError(wrong(said, f"must be a date and time, as the file's starts, {FORMS}"), "begin")
        return found

    def times(self, values: Sequence[Any]) -> tuple[float, float]:
        """Return when an outage began and ended [s], NaN where it is open or not told; raises _LineError."""
        value = values[self._start]
        try:
            if self.start == "start":
                found = self.moments.read(value)
            else:
                found = None if is_open(value) else 3600 * _positive(value)
            if found is None:
                raise _LineError("no beginning")
            if self._ends is None:
                return found, np.nan
            value = values[self._end]
            if self._ends == "end":
                end = self.moments.read(value)
            else:
                end = None if is_open(value) else found + self._factor * _positive(value)
        except (ValueError, OverflowError, TypeError):
            raise _LineError(f"no moment or time; allowed: {FORMS}", text_of(value)) from None
        if end is None:
            return found, np.nan
        if end < found:
            raise _LineError("ends before it starts")
        return found, end

    def names(self, values: Sequence[Any]) -> tuple[str, ...]:
        """Return what a row names: the components of a host list, or one whose name is made of several cells."""
        if not self._cells:
            return ("",)
        return self.names_of([text_of(values[column]) for column in self._cells])

    def names_of(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return what the texts of a row's cells name."""
        for text in texts:
            if not text or text[0] == "-" or text == "nan":
                raise _LineError("names no component", text)
        if len(texts) > 1:
            return ("/".join(texts),)
        text = texts[0]
        if "," not in text and "[" not in text and "]" not in text:
            return (text,)
        try:
            return expand(text.replace(", ", ",").replace(" ,", ","), MOST_NAMES)
        except HostlistError as error:
            raise _LineError(f"names no component: {error}", text) from None

    def many(self, rows: Sequence[Sequence[Any]]) -> Many | None:
        """Return what ``times``, ``names`` and ``kind`` return of many rows; None if one needs a look of its own."""
        if not rows:
            return None
        starts = self._many(self.start, [values[self._start] for values in rows], False)
        if starts is None:
            return None
        ends = np.full(len(rows), np.nan)
        if self._ends is not None:
            told = self._many(self._ends, [values[self._end] for values in rows], True)
            if told is None:
                return None
            ends = told if self._ends == "end" else starts + told
            if (ends < starts).any():
                return None
        known = self._known
        if len(known) > MOST_KNOWN:
            known.clear()
        try:
            if len(self._cells) == 1:
                (column,) = self._cells
                held = [values[column] for values in rows]
                cells = [cell if type(cell) is str else text_of(cell) for cell in held]
                for cell in {*cells} - known.keys():
                    known[cell] = self.names_of([cell])
                names = [known[cell] for cell in cells]
            else:
                names = [self.names(values) for values in rows]
        except _LineError:
            return None
        kinds = [""] * len(rows) if self._kind < 0 else [values[self._kind] for values in rows]
        return starts, ends, names, [kind if type(kind) is str else text_of(kind) for kind in kinds]

    def _many(self, role: str, cells: list[Any], may_be_open: bool) -> NDArray[np.float64] | None:
        if role in ("start", "end"):
            return self.moments.read_many(cells, may_be_open)
        still = [cell in SHUT for cell in cells] if may_be_open else []
        try:
            numbers = np.array([np.nan if each else float(cell) for each, cell in zip(still, cells, strict=True)]
                               if any(still) else list(map(float, cells)))  # fmt: skip
        except (ValueError, TypeError, OverflowError):
            return None
        right = (numbers >= 0) & (numbers <= 1e9)
        if any(still):
            right |= np.array(still)
        return numbers * {"repair_min": 60.0}.get(role, 3600.0) if right.all() else None

    def kind(self, values: Sequence[Any]) -> str:
        """Return the kind of an outage."""
        return "" if self._kind < 0 else text_of(values[self._kind])


class _Taker:
    """What one cut takes while the file is read, in arrays that grow."""

    def __init__(self, layout: _Layout, own: Callable[[Sequence[Any]], bool] | None, most: int | None) -> None:
        self.layout, self._own, self._most = layout, own, most
        self._starts, self._ends = array("d"), array("d")
        self._whose, self._what = array("q"), array("q")
        self._components: dict[str, int] = {}
        self._index: dict[tuple[str, ...], int] = {}
        self._kinds: dict[str, int] = {}
        self._rows = self._filtered = 0
        self._last, self._early = -np.inf, (np.inf, "")

    def take(self, place: str, values: Sequence[Any], start: float, end: float, names: tuple[str, ...]) -> None:
        """Keep a row if the cut takes it."""
        if self._own is not None and not self._own(values):
            self._filtered += 1
            return
        self._rows += 1
        self._last = max(self._last, start, end if end == end else start)
        begin = self.layout.clock.begin
        if begin is not None and start < min(begin, self._early[0]):
            self._early = start, f"{place}: {shown(text_of(values[self.layout._start]))}"
        kind = self.layout.kind(values)
        what = self._kinds.setdefault(kind, len(self._kinds))
        for name in names:
            self._starts.append(start)
            self._ends.append(end)
            self._whose.append(self._components.setdefault(name, len(self._components)))
            self._what.append(what)
        self._check()

    def take_many(
        self,
        rows: Block,
        starts: NDArray[np.float64],
        ends: NDArray[np.float64],
        names: Sequence[tuple[str, ...]],
        kinds: Sequence[str],
    ) -> None:
        """Keep those of many rows that the cut takes."""
        begin, index, kept = self.layout.clock.begin, self._index, self._kinds
        new = {*names} - index.keys()
        early = begin is not None and bool((starts < begin).any())
        if early or self._own is not None or any(len(each) > 1 for each in new):
            for (number, values), start, end, each in zip(rows, starts.tolist(), ends.tolist(), names, strict=True):
                self.take(self.layout.table.place(number), values, start, end, each)
            return
        self._rows += len(rows)
        self._last = max(self._last, float(np.fmax(starts, ends).max()))
        self._starts.frombytes(starts.tobytes())
        self._ends.frombytes(ends.tobytes())
        for each in names if new else ():
            if each not in index:
                index[each] = self._components.setdefault(each[0], len(self._components))
        for kind in kinds if {*kinds} - kept.keys() else ():
            kept.setdefault(kind, len(kept))
        self._whose.extend([index[each] for each in names])
        self._what.extend([kept[kind] for kind in kinds])
        self._check()

    def _check(self) -> None:
        if self._most is not None and len(self._starts) > self._most:
            raise RecordError(f"holds more than {self._most:,} outages; take some of them with where")

    def finished(self, table: Table, broken: Broken, filtered: int) -> Taken | RecordError:
        """Return what was taken by time, and the clock."""
        clock, begin = self.layout.clock, self.layout.clock.zero
        filtered += self._filtered
        if not self._rows:
            why = "; ".join(broken.told()[:3])
            that = " that meets the conditions" if filtered else ""
            return RecordError(f"holds no outage{that}" + (f"; {why}" if why else ""))
        if self._early[1]:
            why = f"must not be after the first outage that it takes, {self._early[1]}"
            return RecordError(wrong(clock.said, why), "begin")
        starts, ends = np.frombuffer(self._starts), np.frombuffer(self._ends)
        whose, what = np.frombuffer(self._whose, dtype=np.int64), np.frombuffer(self._what, dtype=np.int64)
        if (starts[1:] < starts[:-1]).any():
            order = np.argsort(starts, kind="stable")
            starts, ends, whose, what = starts[order], ends[order], whose[order], what[order]
        named = ", ".join(f"{role} from {' + '.join(names)}" for role, names in self.layout.roles)
        told = [f"{table.told}; {named}"]
        if self.layout.moments.order is not None:
            told.append(f"dates have the {self.layout.moments.order}")
        return (
            Outages(
                _hours(starts, begin),
                _hours(ends, begin),
                whose,
                tuple(self._components),
                what,
                tuple(self._kinds),
                clock.zero if clock.dates else None,
                (self._last - begin) / 3600,
                self._rows,
                tuple(told),
                broken,
                filtered=filtered,
                roles=tuple(dict(self.layout.roles)),
            ),
            clock,
        )


def _hours(moments: NDArray[np.float64], begin: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = moments - begin
    found /= 3600
    return found


def _positive(value: Any) -> float:
    found = float(value)
    if not 0 <= found <= 1e9:
        raise ValueError(value)
    return found
