"""What every form of record is read into: outages and runs of jobs, gathered event by event and bounded in memory."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dcsim.records.outages import Outages
from dcsim.records.runs import OUTCOMES, JobRuns
from dcsim.records.tables import Broken
from dcsim.records.times import Order
from dcsim.textfile import RecordError

NAN = float("nan")


@dataclass(frozen=True)
class Shares:
    """How a job's time was spent, as it measured it itself: ``hours`` by name of the bucket [h], of ``total_h`` [h].

    ``productive``: the names of the buckets that count as useful; the others are losses. ``disruptions``: how often it
    was interrupted, None where that is not told.
    """

    hours: Mapping[str, float]
    total_h: float
    productive: frozenset[str]
    disruptions: int | None = None

    @property
    def goodput(self) -> float:
        """Useful time as a share of all time."""
        return sum(self.hours[name] for name in self.productive) / self.total_h

    @property
    def losses(self) -> dict[str, float]:
        """Each loss as a share of all time, the largest first."""
        found = {name: hours / self.total_h for name, hours in self.hours.items() if name not in self.productive}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, eq=False)
class Records:
    """What files of one form tell. ``form``: a name of ``forms.FORMS``.

    ``outages``: None where the form tells none; it has length 0 where nothing failed. ``runs``: None where the form
    tells no jobs. ``shares``: where a job measured itself. ``told``: how the files were read and what they leave open,
    in sentences. ``broken``: lines that could not be read.
    """

    form: str
    outages: Outages | None
    runs: JobRuns | None
    shares: Shares | None
    told: tuple[str, ...]
    broken: Broken


@dataclass(frozen=True)
class Asked:
    """What a file cannot tell and somebody said; see ``forms.read``."""

    columns: Mapping[str, str] = field(default_factory=dict)
    where: Sequence[str] = ()
    dates: Order | None = None
    year: int | None = None
    incident_s: float = 300.0


@dataclass
class Gathering:
    """Outages in the making, from moments [s since 1970], in any order. ``units``: components in service, by name."""

    starts: "array[float]" = field(default_factory=lambda: array("d"))
    ends: "array[float]" = field(default_factory=lambda: array("d"))
    noticed: "array[float]" = field(default_factory=lambda: array("d"))
    whose: "array[int]" = field(default_factory=lambda: array("q"))
    what: "array[int]" = field(default_factory=lambda: array("q"))
    components: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    first: float = float("inf")
    last: float = float("-inf")
    rows: int = 0

    def see(self, moment: float) -> None:
        """Note that the record covers a moment."""
        self.first = min(self.first, moment)
        self.last = max(self.last, moment)

    def add(self, start: float, end: float, component: str, kind: str, noticed: float = NAN) -> None:
        """Note an outage; ``end``: NaN where it is open, or not told."""
        self.starts.append(start)
        self.ends.append(end)
        self.noticed.append(noticed)
        self.whose.append(self.components.setdefault(component, len(self.components)))
        self.what.append(self.kinds.setdefault(kind, len(self.kinds)))

    def leave_out_before(self, moment: float) -> int:
        """Leave out what began before a moment [s since 1970]; return how many."""
        kept = [row for row, start in enumerate(self.starts) if start >= moment]
        many = len(self.starts) - len(kept)
        self.starts, self.ends, self.noticed = (
            array("d", [each[row] for row in kept]) for each in (self.starts, self.ends, self.noticed)
        )
        self.whose, self.what = (array("q", [each[row] for row in kept]) for each in (self.whose, self.what))
        return many

    def outages(
        self,
        told: Sequence[str],
        broken: Broken,
        ends_told: bool = True,
        unit_h: float | None = None,
        counted: bool = True,
    ) -> Outages:
        """Return them by time, from the first to the last moment seen; raises RecordError if there is none.

        ``counted``: whether all components in service are known, those of ``units`` and those that failed. If some
        outages name no component, none does: the others would accuse those that are easier to name.
        """
        if self.last < self.first:
            why = "; ".join(broken.told()[:3])
            raise RecordError("holds no line with a moment" + (f"; {why}" if why else ""))
        starts, ends, noticed = (np.array(each) for each in (self.starts, self.ends, self.noticed))
        order = np.argsort(starts, kind="stable")
        known = self.units | {name for name in self.components if name}
        whose, components = np.array(self.whose, dtype=np.int64), tuple(self.components)
        if "" in self.components:
            whose, components = np.zeros_like(whose), ("",)
        return Outages(
            (starts[order] - self.first) / 3600,
            (ends[order] - self.first) / 3600,
            whose[order],
            components,
            np.array(self.what)[order].astype(np.int64),
            tuple(self.kinds),
            self.first,
            (self.last - self.first) / 3600,
            self.rows,
            tuple(told),
            broken,
            (noticed[order] - self.first) / 3600 if not np.isnan(noticed).all() else None,
            len(known) or None if counted else None,
            unit_h,
            ends_told=ends_told,
        )


def noticed_by_jobs(outages: Outages, runs: JobRuns, within_h: float = 1.0) -> Outages:
    """Return outages of hosts with when they were noticed: when a job on the host failed, or lost its node.

    That is the first such end on the host from the outage on, at most ``within_h`` [h] later; what is told already
    stays. Both records must be of one clock: with a zone both, or neither. Raises ValueError if the outages have no
    moments.
    """
    if outages.begin is None:
        raise ValueError("outages in hours of a run cannot be held beside jobs")
    ended = np.isin(runs.outcome, (OUTCOMES.index("failed"), OUTCOMES.index("node failure")))
    counts = runs.first[1:] - runs.first[:-1]
    rows = np.repeat(ended, counts)
    node, end = runs.node[rows], np.repeat(runs.end_h, counts)[rows] + (runs.begin - outages.begin) / 3600
    order = np.lexsort((end, node))
    node, end = node[order], end[order]
    number = {name.partition(".")[0]: each for each, name in enumerate(runs.nodes)}
    hosts = [name.partition("/")[0].partition(".")[0] for name in outages.components]
    noticed = np.full(len(outages), NAN) if outages.noticed_h is None else outages.noticed_h.copy()
    for row in np.flatnonzero(np.isnan(noticed)).tolist():
        host = number.get(hosts[outages.component[row]])
        if host is None:
            continue
        low, high = np.searchsorted(node, host), np.searchsorted(node, host, side="right")
        place = low + np.searchsorted(end[low:high], outages.start_h[row])
        if place < high and end[place] <= outages.start_h[row] + within_h:
            noticed[row] = end[place]
    found = int((~np.isnan(noticed)).sum())
    told = f"noticed by the end of a job on the host within {within_h:g} h: {found:,} of {len(outages):,}"
    return replace(outages, noticed_h=noticed, told=(*outages.told, told))
