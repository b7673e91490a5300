"""Moments as sites write them: ISO 8601, epochs, or day and month in either order with a 12-hour clock or without.

A column of moments is read twice: first to tell what it holds, then for its values. What cannot be told is asked.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from dcsim.records.tables import RecordError
from dcsim.wording import shown

Order = Literal["month first", "day first"]

OPEN = frozenset({"", "unknown", "none", "null", "nat", "nan", "n/a", "na", "-", "open", "current", "running"})
"""What stands where something has not ended yet, in any case."""
_SLASHED = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})"
    r"(?:,?[ T]\s*(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?\s*([AaPp]\.?[Mm]\.?)?)?"
)
_EPOCH = re.compile(r"-?\d{9,11}(\.\d+)?|\d{12,14}")
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$")
MILLISECONDS_FROM = 1e11
"""Epochs from here on count milliseconds: as seconds they would be in the year 5138."""
FORMS = "such as 2024-01-31T15:04 (ISO 8601), 1/31/2024 3:04 PM or 1706713440 (seconds since 1970)"


def is_open(value: Any) -> bool:
    """Return whether a cell says that something has not ended yet."""
    return value is None or value != value or str(value).strip().lower() in OPEN


@dataclass
class Moments:
    """One column of moments, or several that are written alike. ``order``: of day and month, None until it is told."""

    name: str
    order: Order | None = None
    aware: bool | None = None
    example: str | None = None
    told: str | None = None

    def learn(self, value: Any) -> None:
        """Look at a cell; raises ValueError if it is no moment, RecordError if it contradicts an earlier one."""
        if is_open(value):
            return
        if not isinstance(value, str) or not (found := _SLASHED.fullmatch(value.strip())):
            self.read(value)
            return
        first, second = int(found[1]), int(found[2])
        if first > 12 and second > 12:
            raise ValueError(value)
        said: Order | None = "day first" if first > 12 else "month first" if second > 12 else None
        if said is None:
            self.example = self.example or value.strip()
        elif self.order is None:
            self.order = said
        elif self.order != said:
            raise RecordError(f"column {self.name}: {shown(value)} is {said}, others are {self.order}")

    def settle(self) -> None:
        """Say that all was looked at; raises RecordError if the order of day and month cannot be told."""
        if self.order is None and self.example is not None:
            raise RecordError(
                f"column {self.name}: {shown(self.example)} may have the month or the day first, as all of its dates; "
                'say which: dates = "month first" or "day first"'
            )

    def read(self, value: Any) -> float | None:
        """Return a moment [s since 1970-01-01; of UTC, or of the clock on the wall where there is no zone].

        None for what is still open. Raises ValueError if it is no moment, RecordError if only some have a zone.
        """
        if is_open(value):
            return None
        if isinstance(value, bool):
            raise ValueError(value)
        if isinstance(value, int | float):
            return self._with_zone(_epoch(float(value)), True)
        if isinstance(value, datetime):
            return self._of(value)
        text = str(value).strip()
        if _EPOCH.fullmatch(text):
            return self._with_zone(_epoch(float(text)), True)
        if found := _SLASHED.fullmatch(text):
            return self._with_zone(self._slashed(found), False)
        zoned = _ZONE.sub("+00:00", text)
        return self._of(datetime.fromisoformat(zoned))

    def _slashed(self, found: re.Match[str]) -> float:
        first, second, year = int(found[1]), int(found[2]), int(found[3])
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
        return self._with_zone((moment if aware else moment.replace(tzinfo=UTC)).timestamp(), aware)

    def _with_zone(self, seconds: float, aware: bool) -> float:
        if self.aware is None:
            self.aware = aware
        if self.aware != aware:
            raise RecordError(f"column {self.name}: mixes times with and without a zone")
        return seconds


def _epoch(value: float) -> float:
    if not -1e10 < value < 1e14:
        raise ValueError(value)
    return value / 1000 if value >= MILLISECONDS_FROM else value
