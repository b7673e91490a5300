"""Lines of logs: when and on which host each was written, as syslog, journalctl, dmesg and Slurm put it at its front.

Times without a zone are those of the clock on the wall. Times without a year need the year of the last line.
"""

import calendar
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from dcsim.records.tables import LONGEST_LINE, Broken
from dcsim.textfile import RecordError, text_of_file
from dcsim.wording import visible

MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
"""In the language of the C locale, as logs have them."""
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d)(?:\.\d+)?"
_ISO = r"(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"\[?{_ISO}(?P<zone>Z|[+-]\d\d:?\d\d)?\]?(?:\s+|$)",  # rsyslog, journalctl -o short-iso, dmesg iso, slurmctld
        rf"(?:<\d+>)?\[?{_MONTH} +(?P<day>\d\d?)(?: (?P<year>\d{{4}}))? {_CLOCK}\]?(?:\s+|$)",  # syslog
        rf"\[?{_WEEKDAY} {_MONTH} +(?P<day>\d\d?) {_CLOCK}(?: (?P<name>[A-Z]{{3,5}}))? (?P<year>\d{{4}})\]?(?:\s+|$)",
        rf"{_WEEKDAY} {_ISO} (?P<name>[A-Z]{{3,5}}|[+-]\d\d)\s+",  # journalctl -o short-full
        r"(?P<epoch>\d{9,10}\.\d{1,9})\s+",  # journalctl -o short-unix
    )
)
"""How a line may begin. The third one is what dmesg -T and date write."""
_SINCE_BOOT = re.compile(r"\[\s*\d+\.\d+\] ")
LONGEST_STAMP = 64
ZONES = ("UTC", "GMT", "Z")
NO_ZONE = "times have no zone: they are of the clock on the wall, so a change of summer time is an hour"


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is not blank; one that is longer than LONGEST_LINE as ""."""
    with text_of_file(path) as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if not line.endswith("\n") and len(line) == LONGEST_LINE:
                while (more := file.readline(LONGEST_LINE)) and not more.endswith("\n"):
                    pass
                yield number, ""  # longer than any line of a table
            elif line.strip():
                yield number, line.rstrip("\n")


class Stamp(NamedTuple):
    """The beginning of a line: its parts, and where its text begins."""

    parts: dict[str, str | None]
    ends: int


@dataclass
class Clock:
    """The times of a log. ``year``: of its last line, for times that have none. ``aware``: whether they have a zone.

    ``wall``: take every time as the clock on the wall has it, and leave out the zone.
    """

    year: int | None = None
    wall: bool = False
    aware: bool | None = None
    yearless: bool = False
    named_zone: str | None = None
    turns: int = 0
    month: int = 0
    form: int = 0

    def stamp(self, line: str) -> Stamp | None:
        """Return how a line begins, None where it begins otherwise; counts the years that go by."""
        found = _FORMS[self.form].match(line)
        if found is None:
            for number, form in enumerate(_FORMS):
                if found := form.match(line):
                    self.form = number
                    break
            else:
                return None
        parts = found.groupdict()
        if "month" in parts and parts.get("year") is None:
            month = MONTHS[str(parts["month"])]
            if month != self.month:
                step = month - self.month
                # Lines of several hosts may change places around midnight, by one month at most.
                self.turns += 1 if self.month and step <= -2 else -1 if self.month and step == 11 else 0
                self.month = month
        return Stamp(parts, found.end())

    def moment(self, stamp: Stamp) -> float:
        """Return when it was [s since 1970]; raises ValueError for no moment, RecordError if the year is missing."""
        parts = stamp.parts
        if epoch := parts.get("epoch"):
            return self._checked(float(epoch), True)
        name = None if self.wall else parts.get("name")
        aware = name in ZONES
        if name is not None and not aware:
            self.named_zone = name
        if iso := parts.get("iso"):
            zone = None if self.wall else parts.get("zone")
            return self._checked(_seconds(datetime.fromisoformat(iso + (zone or ""))), aware or zone is not None)
        year = parts.get("year")
        if year is None:
            self.yearless = True
            if self.year is None:
                raise RecordError("has times without a year; say the year of its last line: year = 2024")
            year = str(self.year + self.turns)
        found = datetime.strptime(f"{year} {parts['month']} {parts['day']} {parts['clock']}", "%Y %b %d %H:%M:%S")
        return self._checked(_seconds(found), aware)

    def alone(self, line: str) -> float | None:
        """Return the moment [s since 1970] if a line holds nothing else, as `date` prints it; raises ValueError."""
        if len(line) > LONGEST_STAMP:
            return None
        if line.isascii() and line.isdigit() and len(line) == 10:
            return self._checked(float(line), True)
        stamp = self.stamp(line + " ")
        return self.moment(stamp) if stamp is not None and stamp.ends >= len(line) else None

    def _checked(self, seconds: float, aware: bool) -> float:
        if self.aware is None:
            self.aware = aware
        if self.aware != aware:
            raise ValueError("with and without a zone")
        return seconds

    def told(self) -> list[str]:
        """Say what was taken for granted."""
        found = []
        if self.named_zone is not None:
            found.append(f"the zone {self.named_zone} was not turned into UTC")
        if self.aware is False:
            found.append(NO_ZONE)
        if self.yearless:
            found.append(f"times have no year: the last line of each file is of {self.year}")
        return found


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def places(paths: Sequence[Path], broken: Broken) -> Iterator[tuple[str, Path, str]]:
    """Yield where each line stands, its file, and itself, file after file; raises RecordError, with the file's name."""
    for path in paths:
        before = f"{path.name} line " if len(paths) > 1 else "line "
        try:
            for number, line in text_lines(path):
                if line:
                    yield f"{before}{number}", path, line
                else:
                    broken.add(f"{before}{number}", "longer than any line of a log")
        except RecordError as error:
            raise RecordError(f"{path.name}: {error}" if len(paths) > 1 else str(error)) from None


class Line(NamedTuple):
    """A line of a log: where it stands, when it was written, on which host, and its text."""

    place: str
    clock: Clock
    stamp: Stamp
    host: str
    text: str

    def moment(self) -> float:
        """Return when it was written [s since 1970]; raises ValueError, RecordError."""
        return self.clock.moment(self.stamp)


def host_of(path: Path) -> str:
    """Return the host that a file of dmesg is taken to be of: its name up to the first dot."""
    return path.name.partition(".")[0]


def logged(paths: Sequence[Path], year: int | None, broken: Broken, clocks: list[Clock]) -> Iterator[Line]:
    """Yield the lines of logs; those that begin with no moment go into ``broken``. ``clocks`` gets one for each file.

    A line's host is the word after its moment, unless that word is already the text (dmesg): then the file's name.
    """
    clock, of, turns = Clock(year), None, None
    for place, path, line in places(paths, broken):
        if path != of:
            of = path
            clock = Clock(year, aware=clocks[0].aware if clocks else None)
            clocks.append(clock)
            turns = None
        if line.startswith("{"):
            found = _journal(line)
            if found is None:
                broken.add(place, "not an entry of a journal")
                continue
            moment, host, text = found
            yield Line(place, clock, Stamp({"epoch": moment}, 0), visible(host or host_of(path)), text)
            continue
        stamp = clock.stamp(line)
        if stamp is None:
            since = _SINCE_BOOT.match(line)
            broken.add(place, "seconds since boot, no time (use dmesg -T)" if since else "begins with no time")
            continue
        if turns is None and "month" in stamp.parts and stamp.parts.get("year") is None:
            turns = _turns(path)
            clock.turns -= turns  # so that its last line is of the year that was said
        text = line[stamp.ends :]
        host, _, rest = text.partition(" ")
        if host.endswith(":") or line.startswith("["):
            host, rest = host_of(path), text
        yield Line(place, clock, stamp, visible(host), rest)


def _turns(path: Path) -> int:
    """Return how many times a log without years goes from one year into the next."""
    clock = Clock()
    for _, line in text_lines(path):
        clock.stamp(line)
    return clock.turns


def _journal(line: str) -> tuple[str, str, str] | None:
    """Return the moment [s], host and text of an entry of journalctl -o json."""
    try:
        found = json.loads(line)
        moment = int(found["__REALTIME_TIMESTAMP"]) / 1e6
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    text, host = found.get("MESSAGE"), found.get("_HOSTNAME")
    return f"{moment:.6f}", host if isinstance(host, str) else "", text if isinstance(text, str) else ""
