"""When people work: shifts and visits in the hours of a week, as text such as "weekdays 9-17" or "every tue 9:00"."""

import math
import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from dcsim.units import MS_PER_DAY as DAY
from dcsim.units import MS_PER_H, MS_PER_MIN
from dcsim.units import MS_PER_WEEK as WEEK
from dcsim.wording import did_you_mean

Span = tuple[int, int]
"""Begin and end [ms], half-open."""

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {"daily": range(7), "weekdays": range(5), "weekends": range(5, 7)}
_WORDS = (*(name[:3] for name in _NAMES), *_NAMES, *(f"{name}s" for name in _NAMES))
_DAYS = {word: number % 7 for number, word in enumerate(_WORDS)}
_TIME = r"(\d{1,2})(?::(\d{2}))?"
_SHIFT = re.compile(rf"(?P<days>[a-z]+(?:-[a-z]+)?) {_TIME}-{_TIME}", re.ASCII)
_EVERY = r"(?:every (?:(?P<nth>second|other|third|fourth|\d{1,2} weeks)(?: on)? )?)?"
_VISIT = re.compile(rf"{_EVERY}(?P<days>[a-z]+(?:-[a-z]+)?)(?: {_TIME})?", re.ASCII)
_NTH = {"second": 2, "other": 2, "third": 3, "fourth": 4}
_START = re.compile(rf"(?P<days>[a-z]+)(?: {_TIME})?", re.ASCII)
SHIFTS = 'days and hours of a week such as "weekdays 9-17", "mon-sat 8-20", "daily 22-6" or "mon-thu 8-18, fri 8-13:30"'
VISITS = 'days of a week such as "every tuesday", "tue 9:00", "every second tue 9:00" or "mon 8:00, thu 8:00"'
START = 'a day of the week, or a day and a time, such as "mon" or "wed 14:00"'
MORNING = 9
"""Hour of a visit whose time of day is left out; source: assumed."""
MOST_WEEKS = 52
"""Longest time after which the days of visits repeat [weeks]; source: assumed, a year."""
_LONGEST = 500


def spans_of(text: str) -> tuple[Span, ...]:
    """Return the shifts of a week in order, from Monday 0:00 on [ms]; what touches or overlaps is one.

    A shift that ends at or before the hour at which it begins ends on the next day; one over the end of the week is cut
    in two. Raises PydanticCustomError for any other text than ``SHIFTS`` says.
    """
    found: list[Span] = []
    for days, (begin, end) in _entries(text, _SHIFT, SHIFTS):
        long = (end - begin) % DAY or DAY
        for day in days:
            first = day * DAY + begin
            found += [(first, min(first + long, WEEK)), (0, first + long - WEEK)]
    merged: list[Span] = []
    for begin, end in sorted(span for span in found if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def week_from(spans: tuple[Span, ...], at: int) -> tuple[Span, ...]:
    """Return the shifts of a week that begins ``at`` [ms] after Monday 0:00; one over its end is cut in two."""
    later = [((begin - at) % WEEK, (begin - at) % WEEK + end - begin) for begin, end in spans]
    cut = [span for begin, end in later for span in ((begin, min(end, WEEK)), (0, end - WEEK)) if span[0] < span[1]]
    return tuple(sorted(cut))


def visits_of(text: str) -> tuple[tuple[int, ...], int]:
    """Return when visits begin, from Monday 0:00 of the first week on [ms], in order, and when they repeat [ms].

    They repeat after a week, or after as many as "every second" or "every 3 weeks" says; the first of these weeks is
    the one in which the horizon begins. Raises PydanticCustomError for any other text than ``VISITS`` says.
    """
    entries = [(days, times[0], _weeks(match["nth"], text)) for days, times, match in _matched(text, _VISIT, VISITS)]
    weeks = math.lcm(*(every for *_, every in entries))
    if weeks > MOST_WEEKS:
        raise _wrong(text, VISITS, f"; days that repeat after at most {MOST_WEEKS} weeks")
    found = {
        week * WEEK + day * DAY + at for days, at, every in entries for week in range(0, weeks, every) for day in days
    }
    return tuple(sorted(found)), weeks * WEEK


def _weeks(nth: str | None, text: str) -> int:
    """Return after how many weeks the days of an entry repeat."""
    found = 1 if nth is None else _NTH.get(nth) or int(nth.split()[0])
    if not found:
        raise _wrong(text, VISITS, "; a number of weeks is at least 1")
    return found


def start_of(text: str) -> int:
    """Return how long after Monday 0:00 something begins [ms]; PydanticCustomError for other text than ``START``."""
    ((days, (at,)),) = _entries(text, _START, START, several=False, otherwise=0)
    if len(days) > 1:
        raise _wrong(text, START)
    return days[0] * DAY + at


def _entries(
    text: str, form: re.Pattern[str], allowed: str, several: bool = True, otherwise: int = MORNING
) -> list[tuple[list[int], list[int]]]:
    """Return the days (0: Monday) and times of day [ms] of every entry."""
    return [(days, times) for days, times, _ in _matched(text, form, allowed, several, otherwise)]


def _matched(
    text: str, form: re.Pattern[str], allowed: str, several: bool = True, otherwise: int = MORNING
) -> list[tuple[list[int], list[int], re.Match[str]]]:
    """Return the same, and what the form found in every entry."""
    entries = text.lower().split(",") if several else [text.lower()]
    found = []
    for entry in entries:
        match = form.fullmatch(" ".join(entry.split())) if len(text) <= _LONGEST else None
        if match is None:
            raise _wrong(text, allowed)
        times_of_day = match.groups()[match.re.groupindex["days"] :]
        hours, minutes = times_of_day[::2], times_of_day[1::2]
        times = [
            (otherwise if hour is None else int(hour)) * MS_PER_H + int(minute or 0) * MS_PER_MIN
            for hour, minute in zip(hours, minutes, strict=True)
        ]
        if times[0] >= DAY or times[-1] > DAY or any(int(minute or 0) > 59 for minute in minutes):
            raise _wrong(text, allowed, "; a day has the times from 0:00 to 24:00")
        if len(times) == 2 and times[0] == times[1]:
            raise _wrong(text, allowed, "; a shift has a length")
        found.append((_days(match["days"], text, allowed), times, match))
    return found


def _days(words: str, text: str, allowed: str) -> list[int]:
    """Return the days of a word, or from one word to another one."""
    if words in _GROUPS:
        return list(_GROUPS[words])
    for word in words.split("-"):
        if word not in _DAYS:
            raise _wrong(text, allowed, did_you_mean(word, (*_GROUPS, *_WORDS)))
    first, *last = (_DAYS[word] for word in words.split("-"))
    return [(first + day) % 7 for day in range(((last or [first])[0] - first) % 7 + 1)]


def _wrong(text: str, allowed: str, why: str = "") -> PydanticCustomError:
    return PydanticCustomError(
        "quantity", "found {found}; {why}", {"found": f'"{text}"', "why": f"allowed: {allowed}{why}"}
    )


def _checked_shifts(text: str) -> str:
    spans_of(text)
    return text


def _checked_visits(text: str) -> str:
    visits_of(text)
    return text


def _checked_start(text: str) -> str:
    start_of(text)
    return text


def _example(text: str) -> dict[str, list[str]]:
    return {"examples": [text]}


Shifts = Annotated[str, Field(json_schema_extra=_example("weekdays 9-17")), AfterValidator(_checked_shifts)]
Visits = Annotated[str, Field(json_schema_extra=_example("every tue 9:00")), AfterValidator(_checked_visits)]
WeekTime = Annotated[str, Field(json_schema_extra=_example("wed 14:00")), AfterValidator(_checked_start)]
