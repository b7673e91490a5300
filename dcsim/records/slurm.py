"""Jobs as Slurm's accounting tells them: `sacct -P` or `-p` with a header, and `sacct --json` of 21.08 to 24.11.

Each run of a job is a run here, steps are not. A job that lost a node is in state NODE_FAIL in the run that ended, also
when it was requeued (slurmctld/job_mgr.c, kill_running_job_by_node_name).
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.hostlist import HostlistError
from dcsim.records.gathered import NAN, Asked, Gathering, Records
from dcsim.records.json_stream import elements
from dcsim.records.lines import NO_ZONE, places
from dcsim.records.nodes import names_in
from dcsim.records.runs import OUTCOMES, JobRuns
from dcsim.records.tables import Broken
from dcsim.records.times import EITHER, Moments, OrderUnknown
from dcsim.textfile import RecordError
from dcsim.wording import visible

STATES: Mapping[str, str] = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "OUT_OF_MEMORY": "failed",
    "LAUNCH_FAILED": "failed",
    "RECONFIG_FAIL": "failed",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "REQUEUED": "requeued",
    "PREEMPTED": "requeued",
    "RESIZING": "requeued",
    "SPECIAL_EXIT": "requeued",
    "REQUEUE_HOLD": "requeued",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
    "RUNNING": "going on",
    "SUSPENDED": "going on",
    "COMPLETING": "going on",
    "CONFIGURING": "going on",
    "STOPPED": "going on",
    "SIGNALING": "going on",
    "STAGE_OUT": "going on",
    "PENDING": "",
}
"""States of sacct(1), "JOB STATE CODES", and how the run ended; "": it has not begun."""
_NUMBER = {state: number for number, state in enumerate(STATES)}
OF_NODES = ("NODE_FAIL", "BOOT_FAIL")
DELIMITERS = "|\t;,"
CACHED = 1_024
"""Host lists whose nodes are kept at hand; source: assumed."""
_ELAPSED = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})(?:\.\d+)?")
NO_NODES = ("", "none assigned", "(null)", "none", "n/a")


@dataclass
class Jobs:
    """Runs of jobs in the making, from moments [s since 1970].

    ``failures``: of each run that a node ended: its job, its state, and the nodes that are said to have failed.
    """

    broken: Broken
    starts: "array[float]" = field(default_factory=lambda: array("d"))
    ends: "array[float]" = field(default_factory=lambda: array("d"))
    owner: "array[int]" = field(default_factory=lambda: array("q"))
    state: "array[int]" = field(default_factory=lambda: array("b"))
    node: "array[int]" = field(default_factory=lambda: array("q"))
    first: "array[int]" = field(default_factory=lambda: array("q", [0]))
    owners: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    failures: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    cache: "dict[str, array[int]]" = field(default_factory=dict)
    last: float = float("-inf")
    rows: int = 0
    steps: int = 0
    waiting: int = 0

    def add(
        self,
        place: str,
        job: str,
        states: Sequence[str],
        start: float | None,
        end: float | None,
        elapsed: float | None,
        hosts: str,
        owner: str,
        failed: str,
    ) -> None:
        """Note a run. ``start``, ``end`` [s since 1970], None: not yet; ``elapsed`` [s], where ``end`` is not told."""
        self.rows += 1
        # Several states are those of one moment, such as NODE_FAIL with REQUEUED: a failed node says the most.
        state = next((each for each in states if each in OF_NODES), states[0] if states else "")
        outcome = STATES.get(state)
        if outcome is None:
            self.broken.add(place, "a state that Slurm does not have", state)
            return
        if not outcome or start is None or hosts.lower() in NO_NODES:
            self.waiting += 1
            return
        if outcome == "going on":
            self.last = max(self.last, start + (elapsed or 0))
            end = None
        elif end is None:
            if elapsed is None:
                self.broken.add(place, f"has ended ({state}), but its end is not told")
                return
            end = start + elapsed
        if end is not None and end < start:
            self.broken.add(place, "ends before it starts")
            return
        nodes = self._nodes(place, hosts)
        if nodes is None:
            return
        self.last = max(self.last, start if end is None else end)
        if state in OF_NODES:
            self.failures[len(self.starts)] = job.partition("+")[0], state, failed
        self.keys.append(hash((job, start)))
        self.starts.append(start)
        self.ends.append(NAN if end is None else end)
        self.owner.append(self.owners.setdefault(visible(owner), len(self.owners)))
        self.state.append(_NUMBER[state])
        self.node.extend(nodes)
        self.first.append(len(self.node))

    def _nodes(self, place: str, hosts: str) -> "array[int] | None":
        found = self.cache.get(hosts)
        if found is None:
            try:
                names = names_in(hosts)
            except HostlistError as error:
                self.broken.add(place, f"no list of nodes: {error}", hosts)
                return None
            found = array("q", (self.nodes.setdefault(name, len(self.nodes)) for name in names))
            if len(self.cache) == CACHED:
                self.cache.clear()
            self.cache[hosts] = found
        return found

    def records(self, form: str, told: list[str], incident_s: float) -> Records:
        """Return all as records; raises RecordError if no run has begun."""
        if not self.starts:
            why = "; ".join(self.broken.told()[:3])
            raise RecordError("holds no run of a job" + (f"; {why}" if why else ""))
        found = Gathering(rows=self.rows, units=set(self.nodes))
        starts, ends = np.array(self.starts), np.array(self.ends)
        found.see(float(starts.min()))
        found.see(self.last)
        kept = self._once(ends)
        blamed = self._blame(found, incident_s, kept)
        ranges = np.array(self.first, dtype=np.int64)
        counts = ranges[1:] - ranges[:-1]
        node = np.array(self.node, dtype=np.int64)[np.repeat(kept, counts)]
        starts, ends, counts = starts[kept], ends[kept], counts[kept]
        state, owner = np.array(self.state)[kept], np.array(self.owner, dtype=np.int64)[kept]
        busy = _busy_hours(node, np.repeat(starts, counts), np.repeat(ends, counts), found.last)
        told.append(f"{len(starts):,} runs on {len(self.nodes):,} nodes for {busy:,.0f} node-hours")
        ways = sorted(
            zip(np.bincount(state, minlength=len(_NUMBER)).tolist(), STATES, strict=True), key=lambda way: -way[0]
        )
        told.append("how they ended: " + ", ".join(f"{name} {count:,}" for count, name in ways if count))
        if self.waiting:
            told.append(f"jobs that never began: {self.waiting:,}")
        if len(kept) > len(starts):
            told.append(f"runs that are told more than once, and count once: {len(kept) - len(starts):,}")
        told += blamed
        outages = found.outages(told, self.broken, ends_told=False, unit_h=busy)
        outcome = np.array([OUTCOMES.index(STATES[name] or "going on") for name in STATES], dtype=np.int64)
        runs = JobRuns(
            (starts - found.first) / 3600,
            (ends - found.first) / 3600,
            owner,
            tuple(self.owners),
            node,
            np.concatenate(([0], np.cumsum(counts))),
            tuple(self.nodes),
            outcome[state],
            found.first,
            (found.last - found.first) / 3600,
        )
        return Records(form, outages, runs, None, tuple(told), self.broken)

    def _once(self, ends: Any) -> Any:
        """Return which rows to keep, bool (n,): of those that tell the same run, the first that knows its end."""
        keys = np.array(self.keys)
        order = np.lexsort((np.arange(len(keys)), np.isnan(ends), keys))
        again = np.concatenate(([False], np.diff(keys[order]) == 0))
        kept = np.ones(len(keys), dtype=bool)
        kept[order[again]] = False
        return kept

    def _blame(self, found: Gathering, incident_s: float, kept: Any) -> list[str]:
        """Put failures of nodes into ``found``; runs that end together and share a node are ended by one of them."""
        failures = [row for row in self.failures if kept[row]]
        if not failures:
            return ["no run was ended by a node"]
        names = tuple(self.nodes)
        groups: list[tuple[float, str, set[str]]] = []
        group_of: dict[str, int] = {}  # the latest of a node, and of a job by its name with a "/"
        for row in sorted(failures, key=lambda each: self.ends[each]):
            job, state, failed = self.failures[row]
            at = self.ends[row]
            where = {names[each] for each in self.node[self.first[row] : self.first[row + 1]]}
            where = set(names_in(failed)) if _is_hostlist(failed) else where
            for name in (job, *sorted(where)):
                number = group_of.get(name, -1)
                if number < 0 or groups[number][0] < at - incident_s:
                    continue
                begun, kind, those = groups[number]
                if name == job or name in those:
                    groups[number] = begun, kind, (those & where) or those
                    break
            else:
                number = len(groups)
                groups.append((at, state, where))
            group_of |= dict.fromkeys((job, *where), number)
        for at, state, those in groups:
            found.add(at, NAN, min(those) if len(those) == 1 else "", state)
        open_ones = sum(len(those) > 1 for *_, those in groups)
        told = [f"runs ended by nodes: {len(failures):,}, by {len(groups):,} failures; repairs are not told"]
        if open_ones:
            told.append(f"failures that ended jobs of several nodes, none of which is named: {open_ones:,}")
            told.append(
                "no failure is laid to a node by name, as small jobs name theirs more often; ask the runs of jobs"
            )
        told.append("failures are seen only while jobs run: their rate is per node-hour of jobs")
        return told


def _is_hostlist(text: str) -> bool:
    if text.lower() in NO_NODES:
        return False
    try:
        return bool(names_in(text))
    except HostlistError:
        return False


def _busy_hours(node: Any, starts: Any, ends: Any, last: float) -> float:
    """Return the node-hours in which at least one job ran [h]; jobs may share a node."""
    ends = np.where(np.isnan(ends), last, ends)
    # Ends grow along each node's own rows; a shift by node keeps those of different nodes apart.
    shift = node * (2.0 * max(1.0, float(ends.max() - starts.min())))
    starts += shift
    ends += shift
    del shift
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    del order
    reached = np.maximum.accumulate(ends)
    np.maximum(starts[1:], reached[:-1], out=starts[1:])
    return float(np.maximum(0, ends - starts).sum() / 3600)


# --- sacct -P -----------------------------------------------------------------------------------------------------


def _header(line: str) -> tuple[str, dict[str, int]]:
    """Return the delimiter of a header and where each column is, by its name in small letters; raises RecordError."""
    for delimiter in DELIMITERS:
        names = [name.strip().lower() for name in line.split(delimiter)]
        if "state" in names and {"jobid", "jobidraw"} & set(names):
            index = {name: place for place, name in reversed(list(enumerate(names))) if name}
            missing = [name for name in ("start", "nodelist") if name not in index]
            if missing or not {"end", "elapsed", "elapsedraw"} & index.keys():
                need = "JobID, State, Start, End and NodeList"
                raise RecordError(f"has no column {missing[0] if missing else 'end'}; sacct must be asked for {need}")
            return delimiter, index
    raise RecordError("does not begin with a header of sacct; run sacct -P without -n")


def text(paths: Sequence[Path], asked: Asked) -> Records:
    """Read what `sacct -P` or `-p` printed, with columns in any order."""
    broken = Broken()
    jobs, moments = Jobs(broken), Moments.asked("Start", asked.dates)
    of, first, delimiter, index, width = None, "", "", dict[str, int](), 0
    for place, path, line in places(paths, broken):
        if path != of:
            of, first = path, line
            delimiter, index = _header(line)
            width = len(line.split(delimiter))
            continue
        if line == first:
            continue  # dumps that were put one behind the other
        cells = line.split(delimiter)
        if len(cells) > width and "jobname" in index:  # nothing quotes a delimiter in a name
            name = index["jobname"]
            cells[name : name + len(cells) - width + 1] = [delimiter.join(cells[name : name + len(cells) - width + 1])]
        if len(cells) != width:
            broken.add(place, f"not {width} values, as many as columns", len(cells))
            continue
        job = cells[index.get("jobidraw", index.get("jobid", 0))]
        if "." in job:
            jobs.steps += 1
            continue
        try:
            start = moments.read(cells[index["start"]])
            end = moments.read(cells[index["end"]]) if "end" in index else None
            elapsed = _elapsed(cells, index)
        except OrderUnknown as date:
            broken.add(place, EITHER, str(date))
            continue
        except (ValueError, RecordError):
            broken.add(place, "no moment", cells[index["start"]])
            continue
        state = cells[index["state"]].partition(" ")[0].strip().upper()
        owner = next((cells[index[name]] for name in ("user", "account", "jobname") if name in index), "")
        cluster = cells[index["cluster"]] if "cluster" in index else ""
        failed = cells[index["failednode"]] if "failednode" in index else ""
        hosts = cells[index["nodelist"]].strip()
        jobs.add(place, f"{cluster}/{job}", (state,), start, end, elapsed, hosts, owner, failed)
    told = [f"sacct: {jobs.rows:,} rows of jobs, {jobs.steps:,} of steps, which are left out"]
    if moments.aware is False:
        told.append(NO_ZONE)
    return jobs.records("sacct", told, asked.incident_s)


def _elapsed(cells: Sequence[str], index: Mapping[str, int]) -> float | None:
    if "elapsedraw" in index and cells[index["elapsedraw"]].isascii() and cells[index["elapsedraw"]].isdigit():
        return float(cells[index["elapsedraw"]][:12])
    if "elapsed" in index and (found := _ELAPSED.fullmatch(cells[index["elapsed"]])):
        days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None


# --- sacct --json -------------------------------------------------------------------------------------------------


def as_json(paths: Sequence[Path], asked: Asked) -> Records:
    """Read what `sacct --json` printed: one object with a list of jobs, job by job."""
    broken = Broken()
    jobs = Jobs(broken)
    for place, job in elements(paths, "jobs", broken):
        try:
            time, state = job["time"], job["state"]
            states = state["current"] if isinstance(state, dict) else state  # a list from 23.11 on
            start, end, elapsed = (number_of(time.get(key)) for key in ("start", "end", "elapsed"))
            array_of = job.get("array") or {}
            name = f"{job.get('cluster') or ''}/{job['job_id']}/{number_of(array_of.get('task_id')) or ''}"
        except (KeyError, TypeError, AttributeError, ValueError):
            broken.add(place, "not a job of sacct")
            continue
        listed = [str(each).upper() for each in (states if isinstance(states, list) else [states])]
        owner = next((str(job[key]) for key in ("user", "account", "name") if job.get(key)), "")
        hosts, failed = str(job.get("nodes") or "").strip(), str(job.get("failed_node") or "")
        jobs.add(place, name, listed, start or None, end or None, elapsed, hosts, owner, failed)
    told = [f"sacct --json: {jobs.rows:,} jobs; times are in UTC"]
    return jobs.records("sacct-json", told, asked.incident_s)


def number_of(value: Any) -> float | None:
    """Return a number, also where it is wrapped as {"set": true, "number": 1}, as from 23.02 on; None if not set."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise ValueError(value)
    return float(value)


def is_header(line: str) -> bool:
    """Return whether a line is a header of `sacct -P`."""
    return any(
        {"state", "start"} <= (names := set(line.lower().split(sign))) and names & {"jobid", "jobidraw"}
        for sign in DELIMITERS
    )
