"""One pass over a file of outages for all who take something from it: they share its clock."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.problems import wrong
from dcsim.records.layout import Clock, Layout, LineError, Roles
from dcsim.records.outages import Outages, roles_of
from dcsim.records.tables import Block, Broken, Table, opened
from dcsim.records.times import Order, OrderUnknown
from dcsim.records.where import Condition, Written, text_of
from dcsim.textfile import RecordError
from dcsim.wording import printable, shown


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


Taken = tuple[Outages, Clock]


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
    layouts: dict[tuple[Roles, Order | None], Layout] = {}
    found: list[_Taker | RecordError] = []
    for cut in cuts:
        try:
            roles = tuple(roles_of(table, cut.columns, cut.only).items())
            own = _all([Condition.of(each, table.header) for each in cut.where if each not in common], table)
            shared = _all([Condition.of(each, table.header) for each in common], table)
            layout = layouts.setdefault((roles, cut.dates), Layout(table, roles, cut.dates))
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
                except LineError as error:
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


class _Taker:
    """What one cut takes while the file is read, in arrays that grow."""

    def __init__(self, layout: Layout, own: Callable[[Sequence[Any]], bool] | None, most: int | None) -> None:
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
        named = ", ".join(f"{role} from {printable(' + '.join(names), 80)}" for role, names in self.layout.roles)
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
                ends_told=self.layout.tells_end,
            ),
            clock,
        )


def _hours(moments: NDArray[np.float64], begin: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = moments - begin
    found /= 3600
    return found
