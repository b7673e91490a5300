"""The forms in which sites keep records: which one a file has, and one call that reads any of them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from dcsim.records import dcgm, gpus, measured, nodes, sinfo, slurm
from dcsim.records.gathered import Asked, Records
from dcsim.records.lines import Clock
from dcsim.records.outages import read_outages
from dcsim.records.tables import PARQUET, opened
from dcsim.records.times import Order
from dcsim.records.where import Condition
from dcsim.textfile import RecordError, beginning
from dcsim.wording import did_you_mean, shown

Reader = Callable[[Sequence[Path], Asked], Records]
LOOKED_AT = 200
"""Lines from which the form of a log is told; source: assumed."""


def _table(paths: Sequence[Path], asked: Asked) -> Records:
    if len(paths) > 1:
        raise RecordError(f"a table of outages is one file; found {len(paths)}")
    found = read_outages(paths[0], asked.columns, asked.where, asked.dates)
    return Records("table", found, None, None, found.told, found.broken)


FORMS: Mapping[str, tuple[Reader, str]] = {
    "table": (_table, "a table of outages: CSV, parquet or JSON lines"),
    "sacct": (slurm.text, "jobs as `sacct -P` prints them, with JobID, State, Start, End and NodeList"),
    "sacct-json": (slurm.as_json, "jobs as `sacct --json` prints them"),
    "sinfo": (sinfo.sinfo, "snapshots of `sinfo -R` or `sinfo -N -l`, each below a line of time; or a table of them"),
    "sinfo-json": (sinfo.as_json, "snapshots of `sinfo --json` or `scontrol show nodes --json`"),
    "slurmctld": (nodes.slurmctld, "the log of Slurm's controller"),
    "kernel": (gpus.kernel, "kernel logs with Xid lines: syslog, journalctl, dmesg -T"),
    "dcgm": (dcgm.dcgm, "DCGM's Xid and ECC over time: Prometheus text or answers, or a table"),
    "goodput": (measured.goodput, "the buckets of ml-goodput-measurement, as JSON or CSV"),
    "events": (measured.events, "the event log of a simulated run, `dcsim run --events`"),
}
"""Each form: its reader, and what it is."""


def form_of(path: Path) -> str:
    """Tell the form of a file from how it begins, a key of FORMS; raises RecordError where it cannot be opened."""
    start = beginning(path)
    text = start.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    lines = [line for line in text.splitlines() if line.strip()][:LOOKED_AT]
    if lines and not start.startswith(PARQUET):
        below_time = len(lines) > 1 and lines[1].lstrip().startswith("{") and _is_time(lines[0])
        if text.startswith(("{", "[")) or below_time:
            if re.search(r'"jobs"\s*:\s*\[', text):
                return "sacct-json"
            if sinfo.list_in(text):
                return "sinfo-json"
            if measured.looks_like_buckets(text):
                return "goodput"
            if re.search(r'"resultType"\s*:', text):
                return "dcgm"
            if '"__REALTIME_TIMESTAMP"' in text:
                return "slurmctld" if any(nodes.found_in(line) for line in lines) else "kernel"
        if any(metric + sign in text for metric in dcgm.METRICS for sign in ("{", '"')):
            return "dcgm"
        if slurm.is_header(lines[0]):
            return "sacct"
        words = lines[0].split()
        if {"JobID", "State"} <= set(words) and len(lines) > 1 and set(lines[1]) <= set("- "):
            raise RecordError("is what sacct prints for people, and cuts off; run sacct -P")
        if any("NODELIST" in each and {"TIMESTAMP", "STATE"} & set(each) for each in map(str.split, lines[:10])):
            return "sinfo"
        clock = Clock()
        dated = [line for line in lines if clock.stamp(line)]
        if dated and dated[0] in lines[:2] and len(dated) * 2 > len(lines):
            log = any(nodes.found_in(line) or "slurmctld" in line for line in dated)
            return "slurmctld" if log or not re.search(r"kernel|NVRM|\]: ", "".join(dated)) else "kernel"
    try:
        header = opened(path).header
    except RecordError:
        return "table"  # whose reader says what is wrong
    if measured.is_events(header):
        return "events"
    if sinfo.columns_of(header):
        return "sinfo"
    if dcgm.columns_of(header):
        return "dcgm"
    return "goodput" if measured.columns_of(header) else "table"


def _is_time(line: str) -> bool:
    clock = Clock(2000)
    try:
        return clock.alone(line.strip()) is not None
    except ValueError:
        return False


def same_form(paths: Sequence[Path]) -> str:
    """Tell the form that all of these files have; raises RecordError, also if they have several."""
    found = [_named(paths, path, form_of) for path in paths]
    other = next((number for number, each in enumerate(found) if each != found[0]), None)
    if other is not None:
        raise RecordError(
            f"{paths[0].name} is of the form {found[0]}, {paths[other].name} of {found[other]}; "
            "read files of each form by themselves, or say the form"
        )
    return found[0]


T = TypeVar("T")


def _named(paths: Sequence[Path], path: Path, look: Callable[[Path], T]) -> T:
    """Look at a file; raises RecordError with its name, if there are several."""
    try:
        return look(path)
    except RecordError as error:
        raise RecordError(f"{path.name}: {error}" if len(paths) > 1 else str(error)) from None


def read(
    paths: Path | Sequence[Path],
    form: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    where: Sequence[str] = (),
    dates: Order | None = None,
    year: int | None = None,
    incident_s: float = 300.0,
) -> Records:
    """Read files of one form, such as a log and those that were rotated. Nothing but these files is read.

    ``form``: a key of FORMS; None: told from the files. ``columns``, ``where``, ``dates``: as ``read_outages`` has
    them, for tables; of other forms ``where`` chooses by "kind" and "component". ``year``: of the last line of each log
    whose times have none. ``incident_s``: errors that follow one another within this time [s] are one failure. Raises
    RecordError, with the file's name where there are several.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise RecordError("no file")
    if form is not None and form not in FORMS:
        raise RecordError(f"form: found {shown(form)}; allowed: {', '.join(FORMS)}{did_you_mean(form, list(FORMS))}")
    if not incident_s >= 0:
        raise RecordError(f"incident: found {incident_s:g} s; must not be negative")
    if year is not None and not 1970 <= year <= 9000:
        raise RecordError(f"year: found {year}; allowed: 1970 to 9000")
    told = same_form(files) if form is None else form
    for path in files if form is not None else ():
        _named(files, path, beginning)
    reader, _ = FORMS[told]
    if told != "table" and columns:
        raise RecordError(f"is of the form {told}, whose columns are known; columns are said of tables only")
    records = reader(files, Asked(columns or {}, tuple(where), dates, year, incident_s))
    return records if told == "table" or not where else _chosen(records, where)


def _chosen(records: Records, where: Sequence[str]) -> Records:
    """Return records with those outages that meet all conditions on "kind" and "component"; raises RecordError."""
    outages = records.outages
    if outages is None:
        raise RecordError(f"is of the form {records.form}, which tells no outages that a condition could choose")
    names = {"kind": outages.kinds, "component": outages.components}
    rows = {"kind": outages.kind, "component": outages.component}
    kept = np.ones(len(outages), dtype=bool)
    for each in (Condition.of(written, tuple(names)) for written in where):
        kept &= np.array([each.holds(name) for name in names[each.column]], dtype=bool)[rows[each.column]]
    told = (*records.told, f"left out by {', '.join(where)}: {int((~kept).sum()):,} of {len(outages):,} outages")
    used, kind = np.unique(outages.kind[kept], return_inverse=True)
    chosen = replace(
        outages,
        start_h=outages.start_h[kept],
        end_h=outages.end_h[kept],
        component=outages.component[kept],
        kind=kind.astype(np.int64),
        kinds=tuple(outages.kinds[each] for each in used),
        noticed_h=None if outages.noticed_h is None else outages.noticed_h[kept],
        told=told,
    )
    return replace(records, outages=chosen, told=told)
