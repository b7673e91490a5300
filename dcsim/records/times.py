"""Moments as sites write them: ISO 8601, epochs, or day and month in either order with a 12-hour clock or without.

What a column of moments holds is told by looking at it before it is read. What cannot be told is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from dcsim.textfile import RecordError
from dcsim.wording import printable, shown

Order = Literal["month first", "day first"]

OPEN = frozenset({"", "unknown", "none", "null", "nat", "nan", "n/a", "na", "-", "open", "current", "running"})
"""What stands where something has not ended yet, in any case."""
SHUT = frozenset({None, "", "Unknown", "unknown", "None", "null", "NULL"})
"""The commonest of them, as they are written."""
_SLASHED = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})"
    r"(?:,?[ T]\s*(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?\s*([AaPp]\.?[Mm]\.?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"-?\d{9,11}(\.\d+)?|\d{12,14}", re.ASCII)
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 1e11
"""Epochs from here on count milliseconds: as seconds they would be in the year 5138."""
EITHER = 'may have the month or the day first; say which: dates = "month first" or "day first"'
FORMS = "such as 2024-01-31T15:04 (ISO 8601), 1/31/2024 3:04 PM or 1706713440 (seconds since 1970)"


class OrderUnknown(Exception):
    """A date was read whose day and month can be either way round before anybody looked at the whole column."""


def is_open(value: Any) -> bool:
    """Return whether a cell says that something has not ended yet."""
    return value is None or value != value or str(value).strip().lower() in OPEN


@dataclass
class Moments:
    """One column of moments, or several that are written alike. ``order``: of day and month, None until it is told.

    ``said``: whether somebody said the order; a date that contradicts it is then no moment.
    """

    name: str
    order: Order | None = None
    aware: bool | None = None
    example: str | None = None
    said: bool = False
    plain: bool = False

    @classmethod
    def asked(cls, name: str, dates: Order | None) -> Self:
        """Return a column of which somebody may have said the order."""
        return cls(name, order=dates, said=dates is not None)

    @property
    def settled(self) -> bool:
        """Whether the column can be read: the order is known, or its moments are written in another way."""
        return self.order is not None or self.plain

    def learn(self, value: Any) -> None:
        """Look at a cell; raises ValueError if it is no moment, RecordError if it contradicts an earlier one."""
        if is_open(value):
            return
        if not isinstance(value, str) or not (found := _SLASHED.fullmatch(value.strip())):
            self.read(value)
            self.plain = True
            return
        order = self._order(found)
        if order is None:
            self.example = self.example or value.strip()
        elif self.order is None:
            self.order = order
        elif self.order != order:
            raise self._contradicts(value, order)

    def settle(self) -> None:
        """Say that all was looked at; raises RecordError if the order of day and month cannot be told."""
        if self.order is None and self.example is not None:
            either = f"found {shown(self.example)}; it may have the month or the day first, as all dates here"
            asked = 'say which: dates = "month first" or "day first"'
            raise RecordError(f"column {printable(self.name)}: {either}; {asked}")
        self.plain = True

    def read(self, value: Any) -> float | None:
        """Return a moment [s since 1970-01-01; of UTC, or of the clock on the wall where there is no zone].

        None for what is still open. Raises ValueError if it is no moment, RecordError if only some have a zone or the
        order of day and month changes, OrderUnknown while it is not told.
        """
        if isinstance(value, str):
            if value[4:5] == "-":  # most files
                try:
                    return self._of(datetime.fromisoformat(value))
                except ValueError:
                    pass
            if is_open(value):
                return None
            text = value.strip()
            if _EPOCH.fullmatch(text):
                return self._with_zone(_epoch(float(text)), True)
            if found := _SLASHED.fullmatch(text):
                return self._with_zone(self._slashed(found), False)
            return self._of(datetime.fromisoformat(_ZONE.sub("+00:00", text)))
        if isinstance(value, datetime):
            return None if value != value else self._of(value)  # pandas' NaT is a datetime
        if is_open(value):
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._with_zone(_epoch(float(value)), True)
        if isinstance(value, bool):
            raise ValueError(value)
        return self._of(datetime.fromisoformat(str(value)))

    def read_many(self, cells: Sequence[Any], may_be_open: bool) -> NDArray[np.float64] | None:
        """Return moments of the commonest forms as ``read`` does, NaN for what is open; None if any is of another form.

        None too if any of them would be refused: ``read`` then says why.
        """
        kept, still = cells, None
        if not {*map(type, cells)} <= {str, datetime, type(None)}:
            return None
        if may_be_open and (opens := [cell in SHUT for cell in cells]) and any(opens):
            still = np.array(opens)
            kept = [cell for cell, each in zip(cells, opens, strict=True) if not each]
        try:
            texts = {*map(type, kept)} == {str} and [cell[4:5] for cell in kept].count("-") == len(kept)
            read = list(map(datetime.fromisoformat, kept)) if texts else kept
            zones = {each.tzinfo for each in read}
            if not zones or len(zones) > 1 or not zones <= {None, UTC} or self.aware is not (zones == {UTC}):
                return None
            signs = {cell[10:11] + cell[13:14] for cell in kept} if texts and zones == {None} else {None}
            if signs <= {"", "T:", " :"}:
                seconds = np.array(kept, dtype="datetime64[us]").astype(np.int64) / 1e6
            else:
                zero = _BEGINNING.replace(tzinfo=read[0].tzinfo)
                seconds = np.array([(each - zero).total_seconds() for each in read])
        except (ValueError, TypeError, AttributeError, OverflowError):  # one that has to be looked at by itself
            return None
        if still is None:
            return seconds
        found = np.full(len(cells), np.nan)
        found[~still] = seconds
        return found

    def _order(self, found: re.Match[str]) -> Order | None:
        """Return which comes first in a date, None if it may be either."""
        first, second = int(found[1]), int(found[2])
        if first > 12 and second > 12:
            raise ValueError(found[0])
        return "day first" if first > 12 else "month first" if second > 12 else None

    def _contradicts(self, value: object, order: Order) -> RecordError:
        hint = f'dates = "{self.order}" counts such lines as broken'
        why = f"found {shown(value)}; it is {order}, others are {self.order}"
        return RecordError(f"column {printable(self.name)}: {why}; {hint}")

    def _slashed(self, found: re.Match[str]) -> float:
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        order = self._order(found)
        if self.order is None:
            raise OrderUnknown(found[0])
        if order not in (None, self.order) and not self.said:
            raise self._contradicts(found[0], order or self.order)
        day, month = (first, second) if self.order == "day first" else (second, first)
        hour, minute, second_of = int(found[4] or 0), int(found[5] or 0), int(found[6] or 0)
        if found[8]:
            if not 1 <= hour <= 12:
                raise ValueError(found[0])
            hour = hour % 12 + (12 if found[8][0] in "Pp" else 0)
        whole = datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second_of, tzinfo=UTC)
        return whole.timestamp() + float(found[7] or 0)

    def _of(self, moment: datetime) -> float:
        aware = moment.tzinfo is not None
        since = (moment if aware else moment.replace(tzinfo=UTC)) - _BEGINNING
        return self._with_zone(since.total_seconds(), aware)

    def _with_zone(self, seconds: float, aware: bool) -> float:
        if self.aware is None:
            self.aware = aware
        if self.aware != aware:
            raise RecordError(f"column {printable(self.name)}: mixes times with and without a zone")
        return seconds


def _epoch(value: float) -> float:
    if not -1e10 < value < 1e14:
        raise ValueError(value)
    return value / 1000 if value >= MILLISECONDS_FROM else value
