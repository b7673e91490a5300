"""The event log, sorted by what it is about: rows of gangs, places, failures, repairs, the plant and storage."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from dcsim.report.trace_choice import Nodes, Window
from dcsim.scenario import Plan

if TYPE_CHECKING:
    from dcsim.engine import EventLog

REPAIRS = ("queue", "work", "test", "replace")
SHRUNK = "shrunk"


class Row(NamedTuple):
    """A row of the log; fields as its columns."""

    start: int
    end: int
    what: str
    owner: str
    gang: int
    why: str
    where: int
    phase: str
    gpus: int
    gpu_ms: int
    speed: int
    kind: str
    crews: str
    failure: int


class Story:
    """Rows before a window's end, by index and group, so that the log is held once; what is chosen of them."""

    def __init__(self, log: "EventLog", plan: Plan, window: Window, nodes: Nodes | None) -> None:
        self.plan, self.window, self.nodes = plan, window, nodes
        self.topology = plan.topology
        columns = {name: column.tolist() for name, column in log.columns().items()}
        self._columns = [columns[name] for name, *_ in log.SCHEMA]
        self.owners: dict[str, list[int]] = {"spares": [], "rest": []}  # phases of no gang
        self.gangs: list[list[int]] = [[] for _ in plan.gangs]  # phases and events
        self.transfers: list[list[int]] = [[] for _ in plan.gangs]
        self.places: list[int] = []
        self.failures: list[int] = []
        self.repairs: list[int] = []
        self.parts: list[int] = []
        self._group(columns, window)
        self.shown_gangs = set(range(len(plan.gangs)))
        self.shown_failures: set[int] | None = None  # None: all
        if nodes is not None:
            self._choose(nodes)

    def _group(self, columns: dict[str, list[Any]], window: Window) -> None:
        groups = {"place": self.places, "failure": self.failures, "out": self.parts, "back": self.parts}
        groups |= dict.fromkeys(REPAIRS, self.repairs)
        low, high = window
        starts, ends, gangs, owners = (columns[name] for name in ("start_ms", "end_ms", "gang", "owner"))
        for index, what in enumerate(columns["what"]):
            if starts[index] >= high or what == "start":
                continue
            if ends[index] < low and what in REPAIRS:  # of all others the window shows what follows from them
                continue
            if what in groups:
                groups[what].append(index)
            elif gangs[index] < 0:
                if what == "phase":
                    self.owners[owners[index]].append(index)
            elif what in ("load", "write"):
                self.transfers[gangs[index]].append(index)
            else:
                self.gangs[gangs[index]].append(index)

    def rows(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yield the rows of a group, in the order of the log."""
        for index in indices:
            yield Row(*[column[index] for column in self._columns])

    # --- what is chosen -------------------------------------------------------------------------------------------

    def _choose(self, nodes: Nodes) -> None:
        """Find the gangs that have been on the chosen nodes within the window, and the failures that reach them."""
        held: dict[int, int] = {}
        gangs: set[int] = set()
        failures: set[int] = set()
        for row in self.rows(self.places):
            for low, high in nodes.within(row.where, row.where + row.gpus):
                failures.add(row.failure)
                for gpu in range(low, high):
                    before = held.get(gpu, -1)
                    if row.start > self.window[0] and before >= 0:
                        gangs.add(before)
                    held[gpu] = row.gang
        gangs |= {gang for gang in held.values() if gang >= 0}
        failures |= {row.failure for row in self.rows(self.failures) if self.reaches(row.kind, row.where)}
        self.shown_gangs, self.shown_failures = gangs, failures - {-1}

    def reaches(self, kind: str, index: int) -> bool:
        """Return whether a component lies in what is chosen, or serves it; a slot lies nowhere."""
        if self.nodes is None:
            return True
        if index < 0:
            return False
        if kind == "phase":
            racks = self.plan.phase_racks[index]
            if not racks[1]:
                return True
            low, high = self.topology.span("rack", racks[0])[0], self.topology.span("rack", racks[1] - 1)[1]
        else:
            low, high = self.topology.span(kind, index)
        return bool(self.nodes.within(low, high))

    def shows(self, row: Row) -> bool:
        """Return whether the failure that a row follows from, or else its component, is chosen."""
        if self.shown_failures is None:
            return True
        return row.failure in self.shown_failures if row.failure >= 0 else self.reaches(row.kind, row.where)

    # --- names ----------------------------------------------------------------------------------------------------

    def gang_name(self, index: int) -> str:
        """Return what a gang is called: its job's name, numbered if the job has several."""
        if index < 0:
            return "free"
        gang = self.plan.gangs[index]
        job = self.plan.scenario.jobs[gang.job]
        return f"{job.name} {gang.instance}" if job.count > 1 else job.name

    def address(self, kind: str, index: int) -> str:
        """Return where a component is; a typed blast marks a slot, which is nowhere."""
        if index < 0 or not kind:
            return "no place"
        return self.topology.path(kind, index) if kind != "phase" else f"phase {index}"


class Writes:
    """The writes of one gang through the gateways, whole: the log has a row for every pace."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.begins: list[int] = []
        self.ends: list[int] = []
        for row in rows:
            if row.what != "write":
                continue
            if self.ends and self.ends[-1] == row.start:
                self.ends[-1] = row.end
            else:
                self.begins.append(row.start)
                self.ends.append(row.end)

    def done(self, since: int, until: int) -> int:
        """Return how many have ended in this range, its end included."""
        return bisect_right(self.ends, until) - bisect_right(self.ends, since)

    def after(self, since: int, number: int) -> int:
        """Return when the ``number``-th write, from 1, that ends after a time ends."""
        return self.ends[bisect_right(self.ends, since) + number - 1]

    def end_of(self, begin: int) -> int | None:
        """Return when the write that begins at a time ends; None: no write does."""
        at = bisect_right(self.begins, begin) - 1
        return self.ends[at] if at >= 0 and self.begins[at] == begin else None
