"""What the traces of a scenario take from files of outages: those of one file share its clock and its components."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dcsim.hazards.column import Column
from dcsim.hostlist import natural
from dcsim.parts import one_word
from dcsim.records.cuts import Cut, Taken, read_cuts
from dcsim.records.layout import Clock
from dcsim.records.outages import Outages
from dcsim.textfile import RecordError
from dcsim.units import DURATION, MS_PER_H, PositiveDuration, write
from dcsim.wording import printable

MOST_OUTAGES = 5_000_000
"""Outages of one trace; source: assumed, 40 MB for each of its columns."""
Dates = Literal["month first", "day first"]


class OutageColumns(BaseModel):
    """What the columns of a file of outages are called. Given at all, only what it names is read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"start": "Prob Started", "repair_min": "Down Time", "component": "nodenumz"}]},
    )
    start: str | None = Field(
        None,
        min_length=1,
        description="when it began: 2005-06-21T10:54 (ISO 8601), 6/21/2005 10:54 AM, 21.6.2005 10:54 or seconds since "
        "1970",
    )
    start_h: str | None = Field(None, min_length=1, description="instead of start: hours since the record began")
    end: str | None = Field(None, min_length=1, description="when it was repaired; beside start, written alike")
    repair_h: str | None = Field(None, min_length=1, description="instead of end: hours that the repair took")
    repair_min: str | None = Field(None, min_length=1, description="instead of end: minutes that the repair took")
    component: str | None = Field(
        None,
        min_length=1,
        description="what failed: whole numbers from 0, or names (numbered in natural order, n2 before n10); "
        "a cell may name several, as a hostlist n[001-004],x7: each of them fails; of several columns, rack+slot",
    )


SHARED_KEYS: dict[str, TypeAdapter[Any]] = {
    "begin": TypeAdapter(str),
    "dates": TypeAdapter(Dates),
    "span": TypeAdapter(PositiveDuration),
    "start": TypeAdapter(Literal["fixed", "random"]),
    "repeat": TypeAdapter(Annotated[bool, Field(strict=True)]),
}
"""Keys of a record, and what they may hold: what one trace of a file says holds for all that leave it out."""


class _Keys(BaseModel):
    """The keys of a trace that say what it takes from its file."""

    columns: OutageColumns | None = None
    where: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    begin: str | None = None
    dates: Dates | None = None


def cut_of(trace: Mapping[str, Any]) -> Cut | None:
    """Return the cut that a trace's table describes; None if one of these keys has no valid value."""
    try:
        keys = _Keys.model_validate({key: trace[key] for key in _Keys.model_fields if key in trace})
    except ValidationError:
        return None
    columns = {} if keys.columns is None else keys.columns.model_dump(exclude_none=True)
    return Cut(columns, tuple(keys.where.items()), keys.dates, bool(columns), keys.begin)


@dataclass(frozen=True)
class Share:
    """One trace's share of a record that several traces may be cut from. ``file``: its name as the trace writes it."""

    file: str
    record: "Record"
    number: int

    def columns(self) -> dict[str, Any]:
        """Return the keys that the file gives to this trace; raises RecordError."""
        return self.record.columns(self.number)


class Record:
    """One file of outages, read once for all cuts of it (``dcsim.records.cuts``).

    ``kinds``: the component that each cut's hazard names; the same name is the same component in all cuts of one kind.
    """

    def __init__(self, path: Path, name: str, cuts: Sequence[Cut], kinds: Sequence[str], span: int | None) -> None:
        """``name``: names its random streams; ``span``: how long the record is [ms], if a trace says it."""
        self.path, self.name, self.cuts, self.kinds, self.span = path, name, cuts, kinds, span
        self._found: list[dict[str, Any] | RecordError] | None = None

    def columns(self, number: int) -> dict[str, Any]:
        """Return ``at``, and if the file has them ``repair``, ``component``, ``span``, ``record`` and ``notes``.

        Rows come in any order and leave by time. Raises RecordError: one line with place, found and allowed.
        """
        if self._found is None:
            try:
                taken = read_cuts(self.path, self.cuts, MOST_OUTAGES)
                self._found = [each if isinstance(each, RecordError) else self._columns(taken, number)
                               for number, each in enumerate(taken)]  # fmt: skip
            except RecordError as error:
                self._found = [error] * len(self.cuts)
        found = self._found[number]
        if isinstance(found, RecordError):
            raise found
        return found

    def _columns(self, taken: Sequence[Taken | RecordError], number: int) -> dict[str, Any]:
        """Return what the file gives to one trace; components are numbered together in all cuts of their kind."""
        mine = taken[number]
        assert not isinstance(mine, RecordError)
        outages, clock = mine
        told = tuple(f"{printable(self.name)}: {each}" for each in outages.told)
        at = _milliseconds(outages.start_h)
        found: dict[str, Any] = {"at": Column(at, told)}
        notes = [*self._unused(outages)]
        span = self.span or span_of(clock)
        if outages.ends_told:
            repair, still = _milliseconds(outages.repair_h), np.isnan(outages.repair_h)
            if still.any():
                repair[still] = np.maximum((span or int(at[-1])) - at[still], 0)
                notes.append(self._open(int(still.sum()), len(outages)))
            found["repair"] = Column(repair)
        if "component" in outages.roles:
            same = [each[0] for each, kind in zip(taken, self.kinds, strict=True)
                    if kind == self.kinds[number] and not isinstance(each, RecordError)]  # fmt: skip
            numbers = numbered(name for each in same for name in each.components)
            found["component"] = Column(np.array([numbers[name] for name in outages.components])[outages.component])
        if len(self.cuts) > 1 or self.cuts[0].where:
            found["record"] = self.name
        if self.span is None and span is not None:
            found["span"] = write(span, DURATION)
        return found | ({"notes": tuple(notes)} if notes else {})

    def _unused(self, outages: Outages) -> Iterator[str]:
        """Say how many lines could not be used, and why."""
        broken = outages.broken
        if broken.total:
            lines = broken.total + outages.rows + outages.filtered
            are = "lines is" if broken.total == 1 else "lines are"
            why = "; ".join(broken.told()[:3])
            yield f"{printable(self.name)}: {broken.total:,} of {lines:,} {are} broken and left out: {why}"

    def _open(self, still: int, outages: int) -> str:
        """Say what is taken for a repair that had not ended."""
        lasts = "its repair lasts" if still == 1 else "their repairs last"
        ended = f"{still:,} of {outages:,} outages had not ended: {lasts} to the end of the record, the least possible"
        return f"{printable(self.name)}: {ended}"


def span_of(clock: Clock) -> int | None:
    """Return the length of a record [ms]: to its last row and a mean gap beyond; None for rows at one instant."""
    if clock.rows < 2 or clock.first == clock.last:
        return None
    first, last = (round((moment - clock.zero) * 1000) for moment in (clock.first, clock.last))
    return last + max(1, round((last - first) / (clock.rows - 1)))


def _milliseconds(hours: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.rint(np.nan_to_num(hours) * MS_PER_H), dtype=np.int64)


def numbered(names: Iterable[str]) -> dict[str, int]:
    """Number components: whole numbers as they are; if there is any other name, all in natural order."""
    different = set(names)
    if all(name.isdecimal() and len(name) < 8 for name in different):
        return {name: int(name) for name in different}
    return {name: number for number, name in enumerate(sorted(different, key=natural))}


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
        said = {key: value for trace in reversed(traces) for key, value in _shared_keys(trace)}
        dates = {"dates": said["dates"]} if "dates" in said else {}
        cuts = [cut for trace in traces if (cut := cut_of(dates | trace)) is not None]
        if len(cuts) < len(traces):
            continue
        name = Path(traces[0]["file"]).name
        while name in names:  # another file of this name, in another folder
            name += " (another)"
        names.add(name)
        kinds = [one_word(str(found[index].get("component"))) for index in indices]
        span = SHARED_KEYS["span"].validate_python(said["span"]) if "span" in said else None
        record = Record(Path(path), name, cuts, kinds, span)
        for number, (index, trace) in enumerate(zip(indices, traces, strict=True)):
            found[index] = {**found[index], "mtbf": {**said, **trace, "file": Share(trace["file"], record, number)}}
    return found


def _shared_keys(trace: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a trace says of its record; what is not valid is its own mistake, and nobody else's."""
    for key, allowed in SHARED_KEYS.items():
        if key in trace:
            try:
                allowed.validate_python(trace[key])
            except ValidationError:
                continue
            yield key, trace[key]
