"""What programs measured themselves: Google's ml-goodput-measurement of a job, and this program's own event logs.

ml-goodput-measurement gives seconds by bucket (`get_job_goodput_details()`: goodput_time, badput_time,
total_elapsed_time, disruption_count; older ones goodput_time_dict and badput_time_dict), or percentages
(`get_job_goodput(include_badput_breakdown=True)`), which scripts keep as JSON or CSV.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dcsim.records.gathered import NAN, Asked, Gathering, Records, Shares
from dcsim.records.tables import Broken, opened
from dcsim.records.where import text_of
from dcsim.textfile import RecordError, beginning, text_of_file

PRODUCTIVE = "PRODUCTIVE"
OTHER = "OTHER"
LEFT_OUT = ("DATA_LOADING_ASYNC",)
"""Buckets that overlap with useful time (goodput_utils.ACTIVITY_EXCLUSION_LIST)."""
BUCKETS = (
    "TPU_INITIALIZATION",
    "TRAINING_PREP",
    "PROGRAM_STARTUP",
    "DATA_LOADING",
    "DATA_LOADING_SYNC",
    "DATA_LOADING_ASYNC",
    "UNPRODUCTIVE_CHECKPOINT_SAVE_TIME",
    "UNPRODUCTIVE_CHECKPOINT_RESTORE_TIME",
    "WASTED_PROGRESS_FROM_DISRUPTION",
    "INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION",
    "ELASTIC_SLICE_DOWN",
    "ELASTIC_SCALE_UP",
    "CUSTOM_BADPUT_EVENTS",
    OTHER,
)
"""goodput_utils.BadputType of all versions."""
USEFUL = ("goodput_time", "goodput_time_dict", "total_productive_time", "productive_time")
LOST = ("badput_time", "badput_time_dict", "total_unproductive_time", "badput_breakdown", "badput")
TOTAL = ("total_elapsed_time", "total_elapsed_time_since_start", "total_job_time")
DISRUPTIONS = ("disruption_count", "number_of_disruptions", "disruptions")
MOST_BYTES = 1 << 24
"""Longest file of buckets [characters]; source: assumed."""


def goodput(paths: Sequence[Path], asked: Asked) -> Records:
    """Read the buckets of ml-goodput-measurement; of several answers in a file, the last one counts."""
    if len(paths) > 1:
        raise RecordError(f"the buckets of a job are one file; found {len(paths)}")
    broken = Broken()
    path = paths[0]
    is_json = beginning(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    found, told = _from_json(path, broken) if is_json else _from_table(path, broken)
    total = found.pop("total", 0.0)
    disruptions = found.pop("disruptions", None)
    found = {name: value for name, value in found.items() if name not in LEFT_OUT and (value or name == PRODUCTIVE)}
    known = sum(found.values())
    if total <= 0:
        total = known
        told.append("the total is not told; it is taken as the sum of all buckets")
    if total <= 0 or PRODUCTIVE not in found:
        raise RecordError("tells no productive time" + (f"; {broken.told()[0]}" if broken.total else ""))
    if known > total * 1.001:
        told.append(f"the buckets are {known / total - 1:.1%} more than the total, so some overlap")
    elif total > known:
        found[OTHER] = found.get(OTHER, 0.0) + total - known
    hours = {name: value / 3600 for name, value in found.items()}
    shares = Shares(hours, total / 3600, frozenset((PRODUCTIVE,)), None if disruptions is None else int(disruptions))
    told.append("no outages are told")
    return Records("goodput", None, None, shares, tuple(told), broken)


def bucket_of(name: object) -> str:
    """Return a bucket by its name, however it is written: "BadputType.OTHER" or "other" is "OTHER"."""
    return str(name).rpartition(".")[2].strip().upper().replace(" ", "_").replace("-", "_")


def is_buckets(found: object) -> bool:
    """Return whether a JSON value is an answer of ml-goodput-measurement."""
    return isinstance(found, dict) and any(key in found for key in LOST) and bool({"goodput", *USEFUL} & found.keys())


def looks_like_buckets(text: str) -> bool:
    """Return whether the beginning of a JSON file may be one of ml-goodput-measurement."""
    return any(f'"{key}"' in text for key in LOST) and any(f'"{key}"' in text for key in ("goodput", *USEFUL))


def _from_json(path: Path, broken: Broken) -> tuple[dict[str, float], list[str]]:
    with text_of_file(path) as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise RecordError(f"is too long: at most {MOST_BYTES:,} characters are allowed")
    try:
        read = json.loads(text)
        answers = read if isinstance(read, list) else [read]
    except (ValueError, RecursionError):
        answers = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                answers += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError):
                broken.add(f"line {number}", "not JSON")
    answers = [each for each in answers if is_buckets(each)]
    if not answers:
        raise RecordError("holds no answer of ml-goodput-measurement, with goodput and badput times")
    last = answers[-1]
    found: dict[str, float] = {}
    told = ["ml-goodput-measurement" + (f": the last of {len(answers):,} answers" if len(answers) > 1 else "")]
    useful = next((last[key] for key in USEFUL if key in last), None)
    percent = useful is None
    useful = last.get("goodput") if percent else useful
    useful = sum(_all(useful, broken).values()) if isinstance(useful, dict) else _value("goodput", useful, broken)
    found[PRODUCTIVE] = useful
    for name, value in _all(next((last[key] for key in LOST if key in last), None), broken).items():
        found[name] = found.get(name, 0.0) + value
    total = next((last[key] for key in TOTAL if key in last), None)
    seconds = _value("total", total, broken) if total is not None else 0.0
    if percent:
        scale = (seconds or 360_000.0) / 100
        found = {name: value * scale for name, value in found.items()}
        told.append("percentages" + ("" if seconds else " without a total: hours are shares of 100"))
        seconds = seconds or 360_000.0
    found["total"] = seconds
    count = next((last[key] for key in DISRUPTIONS if key in last), None)
    if count is not None:
        found["disruptions"] = _value("disruptions", count, broken)
    return found, told


def _all(found: object, broken: Broken) -> dict[str, float]:
    """Return buckets by name; those of custom events are one bucket each."""
    if not isinstance(found, dict):
        return {}
    values: dict[str, float] = {}
    for name, value in found.items():
        inner = value if isinstance(value, dict) else {name: value}
        for each, number in inner.items():
            key = bucket_of(each)
            values[key] = values.get(key, 0.0) + _value(key, number, broken)
    return values


def _value(name: str, value: object, broken: Broken) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        broken.add(f"bucket {name}", "no time", value)
        return 0.0
    return float(value)


def columns_of(header: Sequence[str]) -> tuple[int, int, float] | None:
    """Return where a table has the bucket and its time, and the time's unit [s]; None if it is no such table."""
    lower = [name.strip().lower() for name in header]
    names = next((lower.index(name) for name in ("bucket", "badput_source", "badput_type") if name in lower), None)
    units = {"seconds": 1.0, "time_s": 1.0, "hours": 3600.0, "value": 1.0, "percent": 3600.0}
    unit = next((name for name in units if name in lower), None)
    return None if names is None or unit is None else (names, lower.index(unit), units[unit])


def _from_table(path: Path, broken: Broken) -> tuple[dict[str, float], list[str]]:
    table = opened(path)
    where = columns_of(table.header)
    if where is None:
        raise RecordError('has no columns "bucket" and "seconds", "hours" or "percent"')
    found: dict[str, float] = {}
    for place, values in table.rows(broken):
        name = bucket_of(text_of(values[where[0]]))
        try:
            value = float(values[where[1]])
        except (TypeError, ValueError):
            value = NAN
        if not 0 <= value < 1e12:
            broken.add(place, "no time", values[where[1]])
            continue
        if name in ("TOTAL", "TOTAL_ELAPSED_TIME"):
            found["total"] = value * where[2]
        elif name == "DISRUPTIONS":
            found["disruptions"] = value
        else:
            name = PRODUCTIVE if name in ("GOODPUT", "GOODPUT_TIME", PRODUCTIVE) else name
            found[name] = found.get(name, 0.0) + value * where[2]
    return found, ["buckets of a job, as a table"]


# --- own event logs -----------------------------------------------------------------------------------------------

EVENT_COLUMNS = ("what", "failure", "kind", "where", "why", "start_ms", "end_ms")
REPAIRS = ("queue", "work", "test", "replace")
"""What a failed component goes through until it is back (``program.event_log.WHAT``)."""


def events(paths: Sequence[Path], asked: Asked) -> Records:
    """Read the event log of one simulated run (`run --events`); the components are those that failed, of each kind.

    Hours are from the beginning of the run. How many components are in service is not in the log.
    """
    if len(paths) > 1:
        raise RecordError(f"an event log is one file, of one run; found {len(paths)}")
    broken = Broken()
    begun: dict[int, tuple[float, str, str]] = {}
    ends: dict[int, float] = {}
    noticed: dict[int, float] = {}
    found = Gathering()
    found.see(0.0)
    for place, (what, failure, kind, where, why, start, end) in _event_rows(paths[0], broken):
        found.rows += 1
        try:
            number, first, last = int(failure), int(start) / 1000, int(end) / 1000
            if not 0 <= first <= last < 1e12:
                raise ValueError(start)
        except (TypeError, ValueError, OverflowError):
            broken.add(place, "no event")
            continue
        found.see(last)
        if number < 0:
            continue
        if what == "failure":
            begun[number] = first, f"{kind} {where}" if text_of(where) != "-1" else "", str(why)
        elif what in REPAIRS:
            ends[number] = max(ends.get(number, last), last)
        elif what == "identify":
            noticed[number] = min(noticed.get(number, first), first)
    for number, (at, component, why) in begun.items():
        end = ends.get(number, noticed.get(number, NAN))
        # What ends with the run was still under way.
        found.add(at, NAN if end >= found.last else end, component, why, noticed.get(number, NAN))
    told = [
        f"the event log of a simulated run: {len(begun):,} failures in {found.last / 3600:,.0f} h",
        "a failure that takes no repair ends when it is found",
        "the log does not tell how many components are in service: give their number",
    ]
    outages = replace(found.outages(told, broken, counted=False), begin=None)
    return Records("events", outages, None, None, tuple(told), broken)


def is_events(header: Sequence[str]) -> bool:
    """Return whether these are the columns of an event log of this program."""
    return set(EVENT_COLUMNS) <= set(header)


def _event_rows(path: Path, broken: Broken) -> Iterator[tuple[str, Sequence[Any]]]:
    table = opened(path)
    if not is_events(table.header):
        raise RecordError(f"is no event log: it must have the columns {', '.join(EVENT_COLUMNS)}")
    index = [table.header.index(name) for name in EVENT_COLUMNS]
    for place, values in table.rows(broken):
        yield place, [values[each] for each in index]
