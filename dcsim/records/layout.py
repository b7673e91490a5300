"""How the rows of a table tell of outages: when they began and ended, what failed, and the clock of their record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from dcsim.hostlist import EXAMPLE, HostlistError, expand
from dcsim.problems import wrong
from dcsim.records.tables import Broken, Table
from dcsim.records.times import EITHER, FORMS, SHUT, Moments, Order, OrderUnknown, is_open
from dcsim.records.where import text_of
from dcsim.textfile import RecordError
from dcsim.units import DURATION, parse
from dcsim.wording import printable

MOST_NAMES = 4_096
"""Components that one cell may name; source: assumed."""
PLAIN = frozenset({str, int, float, type(None)})
"""Types of cells that many are read of at once."""
MOST_KNOWN = 100_000
"""Cells whose components are kept in mind; source: assumed."""
Roles = tuple[tuple[str, tuple[str, ...]], ...]


Many = tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[str, ...]], list[str]]
"""Starts and ends [s], what each row names, and its kind."""


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


class LineError(Exception):
    """Why a line cannot be used, and what was found there."""


class Layout:
    """How the rows of a table tell of outages."""

    def __init__(self, table: Table, roles: Roles, dates: Order | None) -> None:
        index = {name: number for number, name in enumerate(table.header)}
        held = dict(roles)
        self.table, self.roles = table, roles
        self.start = "start" if "start" in held else "start_h"
        self.column = held[self.start][0]
        self.moments = Moments.asked(self.column, dates)
        self.clock = Clock(self.start == "start")
        self._start = index[self.column]
        self._ends = next((role for role in ("end", "repair_h", "repair_min") if role in held), None)
        self._end = index[held[self._ends][0]] if self._ends else -1
        self._factor = {"repair_h": 3600.0, "repair_min": 60.0}.get(self._ends or "", 0.0)
        self._cells = [index[name] for name in held.get("component", ())]
        self._kind = index[held["kind"][0]] if "kind" in held else -1
        self._known: dict[str, tuple[str, ...]] = {}

    @property
    def tells_end(self) -> bool:
        """Whether a column says when an outage ended, or how long it took."""
        return self._ends is not None

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
                why = f'must be a duration such as "100 h", because column {printable(self.column)} counts hours'
                raise RecordError(wrong(said, why), "begin") from None
        aware = self.moments.aware
        try:
            found = Moments(self.column, self.moments.order, aware).read(said)
        except RecordError:
            why = f"must have {'a' if aware else 'no'} zone, as the file's times"
            raise RecordError(wrong(said, why), "begin") from None
        except OrderUnknown:
            raise RecordError(wrong(said, EITHER), "begin") from None
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise RecordError(wrong(said, f"must be a date and time, as the file's starts, {FORMS}"), "begin")
        return found

    def times(self, values: Sequence[Any]) -> tuple[float, float]:
        """Return when an outage began and ended [s], NaN where it is open or not told; raises LineError."""
        value = values[self._start]
        try:
            if self.start == "start":
                found = self.moments.read(value)
            else:
                found = None if is_open(value) else 3600 * _positive(value)
            if found is None:
                raise LineError("no beginning")
            if self._ends is None:
                return found, np.nan
            value = values[self._end]
            if self._ends == "end":
                end = self.moments.read(value)
            else:
                end = None if is_open(value) else found + self._factor * _positive(value)
        except (ValueError, OverflowError, TypeError):
            raise LineError(f"no moment or time; allowed: {FORMS}", text_of(value)) from None
        if end is None:
            return found, np.nan
        if end < found:
            raise LineError("ends before it starts")
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
                raise LineError("names no component", text)
        if len(texts) > 1:
            return ("/".join(texts),)
        text = texts[0]
        if "," not in text and "[" not in text and "]" not in text:
            return (text,)
        try:
            return expand(text.replace(", ", ",").replace(" ,", ","), MOST_NAMES)
        except HostlistError:
            raise LineError(f"names no component; allowed: a name, or a hostlist like {EXAMPLE}", text) from None

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
        except LineError:
            return None
        kinds = [""] * len(rows) if self._kind < 0 else [values[self._kind] for values in rows]
        return starts, ends, names, [kind if type(kind) is str else text_of(kind) for kind in kinds]

    def _many(self, role: str, cells: list[Any], may_be_open: bool) -> NDArray[np.float64] | None:
        if role in ("start", "end"):
            return self.moments.read_many(cells, may_be_open)
        if not {*map(type, cells)} <= PLAIN:
            return None
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


def _positive(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    found = float(value)
    if not 0 <= found <= 1e9:
        raise ValueError(value)
    return found
