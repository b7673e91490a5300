"""Writers of records as sites keep them: known outages and runs of jobs in the forms that dcsim reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
XIDS = {"application": 13, "reset GPU": 119, "reboot node": 79, "replace": 54}
"""An Xid of each class."""


@dataclass(frozen=True)
class Outage:
    """An outage of a component [h from BEGIN]; ``end``, ``noticed``: None where it is open, or not noticed."""

    start: float
    end: float | None
    component: str
    kind: str = ""
    noticed: float | None = None


@dataclass(frozen=True)
class Run:
    """A run of a job on nodes [h from BEGIN]; ``end``: None while it goes on. ``state``: as sacct has it."""

    start: float
    end: float | None
    nodes: Sequence[str]
    user: str = "ann"
    state: str = "COMPLETED"


def at(hours: float) -> datetime:
    """Return a moment."""
    return BEGIN + timedelta(hours=hours)


def iso(hours: float, digits: str = "seconds") -> str:
    """Return a moment as Slurm writes it, without a zone."""
    return at(hours).replace(tzinfo=None).isoformat(timespec=digits)


def table(path: Path, outages: Sequence[Outage]) -> None:
    """Write a table of outages with times to the millisecond; open ones have no end."""
    rows = ["start,end,component,kind"]
    for each in outages:
        end = "" if each.end is None else iso(each.end, "milliseconds")
        rows.append(f"{iso(each.start, 'milliseconds')},{end},{each.component},{each.kind}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def sacct(path: Path, runs: Sequence[Run]) -> None:
    """Write what `sacct -P` would print."""
    rows = ["JobID|User|State|Start|End|NodeList"]
    for number, each in enumerate(runs, 1):
        end = "Unknown" if each.end is None else iso(each.end)
        rows.append(f"{number}|{each.user}|{each.state}|{iso(each.start)}|{end}|{','.join(each.nodes)}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def slurmctld(path: Path, outages: Sequence[Outage], nodes: Sequence[str], end: float) -> None:
    """Write slurmctld's log from BEGIN to ``end`` [h]: noticed outages first do not answer, the others are drained."""
    path.write_text("\n".join(_slurmctld(outages, nodes, end)) + "\n", encoding="utf-8")


def _slurmctld(outages: Sequence[Outage], nodes: Sequence[str], end: float) -> Iterator[str]:
    lines = [(0.0, f"sched: Allocate JobId=1 NodeList={','.join(nodes)} #CPUs=1 Partition=batch")]
    for each in outages:
        node = each.component
        if each.noticed is None:
            lines.append((each.start, f"update_node: node {node} reason set to: {each.kind or 'broken'}"))
            lines.append((each.start, f"update_node: node {node} state set to DRAINED"))
        else:
            lines.append((each.start, f"error: Nodes {node} not responding"))
            lines.append((each.noticed, f"error: Nodes {node} not responding, setting DOWN"))
        if each.end is not None:
            lines.append((each.end, f"node {node} returned to service"))
    lines.append((end, "SchedulerParameters=bf_interval=30"))
    for when, text in sorted(lines, key=lambda line: line[0]):
        yield f"[{iso(when, 'milliseconds')}] {text}"


def kernel(path: Path, outages: Sequence[Outage], hosts: Sequence[str], end: float) -> None:
    """Write the kernel logs of all hosts as one, `journalctl -o short-iso`; kinds are classes of Xids."""
    lines = [(0.0, host, "Linux version 5.15.0") for host in hosts]
    for each in outages:
        code = XIDS[each.kind or "reset GPU"]
        lines.append((each.start, each.component, f"NVRM: Xid (PCI:0000:3b:00): {code}, pid=1, name=python, text"))
    lines.append((end, hosts[0], "device eth0 entered promiscuous mode"))
    text = (f"{at(when):%Y-%m-%dT%H:%M:%S+0000} {host} kernel: {said}" for when, host, said in sorted(lines))
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
