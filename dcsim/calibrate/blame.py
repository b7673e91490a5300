"""Whether runs of jobs fail because of their nodes or because of whose they are: both rates from the same runs.

Counting failures by node accuses the nodes on which the jobs of a careless user happen to run. Here the hazard of a run
is the sum of its nodes' rates and of its owner's, and all of them are estimated together (``shared_rates``). Who stands
out is found one by one; the interval of a rate heeds that it was chosen (``suspects.Count``).
"""

from dataclasses import dataclass, replace

import numpy as np

from dcsim.calibrate.shared_rates import FailedRuns, Rates
from dcsim.calibrate.suspects import SHARE_FALSE, Count
from dcsim.records.runs import JobRuns

TRIED = 2
"""Nodes and owners that are tried for the next one that stands out; source: assumed."""
NODE, OWNER = range(2)


@dataclass(frozen=True)
class Blamed:
    """A node or an owner: its failures' share that is due to it, its rate [1/h], against the others.

    ``failures``: of runs on it, or its own; ``blamed``: how many of them are expected to be due to it; ``hours``: its
    node-hours, or the hours of its runs. ``chance``: with which probability it would look at least as bad if its rate
    were that of those that do not stand out. ``accused``: by a false-discovery rate of ``SHARE_FALSE`` among nodes
    and owners together. ``low``, ``high``: interval of the rate, given that it is accused; None where it is not.
    """

    name: str
    failures: int
    blamed: float
    hours: float
    per_h: float
    low: float | None
    high: float | None
    chance: float
    accused: bool


@dataclass(frozen=True, eq=False)
class Blame:
    """``nodes`` and ``owners`` that fail more than the others, by chance or not, by rate, the worst first.

    ``failures``: runs that failed. ``due_to_nodes``: how many of them are expected to be due to a node, ``due_low`` and
    ``due_high``: its interval, by profile likelihood; it is wide where all jobs have as many nodes, so that failures of
    nodes look like those of owners. ``node_per_h``, ``owner_per_h``: rates of all nodes by node-hours, of all owners by
    hours of runs. ``told``: share of the failures by nodes that the scheduler itself says are ("node failure").
    """

    nodes: tuple[Blamed, ...]
    owners: tuple[Blamed, ...]
    failures: int
    due_to_nodes: float
    due_low: float
    due_high: float
    node_per_h: float
    owner_per_h: float
    told: float

    @property
    def sentence(self) -> str:
        """What is said of nodes and owners, in a sentence."""
        nodes, owners = ([each.name for each in some if each.accused] for some in (self.nodes, self.owners))
        said = f"of {self.failures:,} failed runs about {self.due_to_nodes:,.0f} are due to nodes, the rest to jobs"
        for what, names in (("nodes", nodes), ("owners of jobs", owners)):
            some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            said += f"; {what} that fail more than the others: {some or 'none'}"
        return said


class _Search:
    """Looks for the units that stand out: ``free``."""

    def __init__(self, its: FailedRuns, most: int) -> None:
        self.its, self.most = its, most
        self.free: tuple[int, ...] = ()
        self._known: dict[tuple[int, ...], Rates] = {}

    def rates(self, free: tuple[int, ...]) -> Rates:
        """Return the rates where these units have one of their own."""
        if free not in self._known:
            self._known[free] = Rates(self.its, free)
        return self._known[free]

    @property
    def best(self) -> Rates:
        """The rates where all that stand out have one of their own."""
        return self.rates(self.free)

    def named(self, group: int) -> list[int]:
        """Return the nodes (or owners) that stand out."""
        return [who for who in self.free if self.its.group[who] == group]

    def most_chance(self, more: int = 0) -> float:
        """Return the highest chance of one that is named, ``more`` included (Benjamini and Hochberg 1995)."""
        return SHARE_FALSE * (len(self.free) + more) / self.its.units

    def count(self, free: tuple[int, ...], who: int) -> Count | None:
        """Return what the record says of a unit among others that stand out; None if it fails no more than usual."""
        own, shared = self.rates(free), self.rates(tuple(each for each in free if each != who))
        place, group = free.index(who), int(self.its.group[who])
        rate, usual = float(own.best.rates[place]), float(shared.best.rates[len(free) - 1 + group])
        against = 2 * (own.best.height - shared.best.height)
        if rate <= usual or against <= 1e-9:
            return None
        above = 2 * rate - usual
        return Count.of(rate, usual, against, above, max(1e-12, 2 * (own.best.height - own.at(place, above).height)))

    def next_best(self) -> int | None:
        """Return who else stands out the most, if somebody does."""
        found: list[tuple[float, int]] = []
        gains = self.best.gains()
        for group in (NODE, OWNER):
            members = self.its.members(group)
            if len(self.named(group)) == self.most:
                continue
            for who in members[np.argsort(-gains[members], kind="stable")][:TRIED].tolist():
                count = self.count(tuple(sorted({*self.free, who})), who) if gains[who] > 0 else None
                if count is not None and count.chance <= self.most_chance(1):
                    found.append((count.chance, who))
        return min(found)[1] if found else None

    def look(self) -> None:
        """Find them, one after the other; those that no longer stand out beside another one are let go."""
        while (who := self.next_best()) is not None:
            self.free = tuple(sorted({*self.free, who}))
            while (weakest := self._weakest()) is not None:
                self.free = tuple(each for each in self.free if each != weakest)
            if who not in self.free:
                return

    def _weakest(self) -> int | None:
        found = []
        for who in self.free:
            count = self.count(self.free, who)
            chance = 1.0 if count is None else count.chance
            if chance > self.most_chance():
                found.append((chance, who))
        return max(found)[1] if found else None


def blamed(runs: JobRuns, confidence: float = 0.95, most: int = 20) -> Blame | None:
    """Return who is to blame for failed runs; None without a failure.

    Runs that still go on, were cancelled, requeued or hit a time limit count as hours without a failure. At most
    ``most`` nodes and as many owners are told.
    """
    its = FailedRuns(runs)
    if not its.count:
        return None
    search = _Search(its, most)
    search.look()
    best = search.best
    due = best.best.rates[best.of] * its.hours
    names = (*runs.nodes, *runs.owners)
    told, mean = [], []
    for group in (NODE, OWNER):
        hours = float(its.hours[its.members(group)].sum())
        mean.append(float(due[its.members(group)].sum()) / hours if hours else 0.0)
        told.append(_told(search, group, names, confidence, most))
    low, high = _by_nodes(best, confidence)
    return Blame(told[0], told[1], its.count, best.by_nodes(best.best), low, high, mean[0], mean[1], best.best.share)


def _told(search: _Search, group: int, names: tuple[str, ...], confidence: float, most: int) -> tuple[Blamed, ...]:
    its, gains, members = search.its, search.best.gains(), search.its.members(group)
    others = members[np.argsort(-gains[members], kind="stable")]
    found = []
    for who in (*search.named(group), *others[gains[others] > 0].tolist())[:most]:
        count = search.count(tuple(sorted({*search.free, who})), who)
        if count is None:
            continue
        hours = float(its.hours[who])
        each = Blamed(
            names[who], int(its.seen[who]), count.rate * hours, hours, count.rate, None, None, count.chance, False
        )
        if who in search.free:
            low, high = count.interval(search.most_chance(), confidence)
            each = replace(each, low=low, high=high, accused=True)
        found.append(each)
    return tuple(sorted(found, key=lambda each: (not each.accused, -each.per_h)))


def _by_nodes(best: Rates, confidence: float) -> tuple[float, float]:
    """Return the interval of how many failed runs are due to nodes, as far as the nodes that do not stand out tell."""
    from scipy.optimize import brentq
    from scipy.special import chdtri

    place, most = len(best.free), float(chdtri(1, 1 - confidence))
    rate, its = float(best.best.rates[place]), best.its.count
    if not best.hours[place]:
        return (best.by_nodes(best.best),) * 2

    def over(each: float) -> float:
        return 2 * (best.best.height - best.at(place, each).height) - most

    least, top = 1e-9 * max(rate, 1 / best.hours[place]), 2 * max(rate, 1 / best.hours[place])
    low = least if over(least) <= 0 else float(brentq(over, least, rate, rtol=1e-3))
    while over(top) < 0:
        top *= 2
    high = float(brentq(over, rate, top, rtol=1e-3))
    return tuple(min(float(its), best.by_nodes(best.at(place, each))) for each in (low, high))  # type: ignore[return-value]
