"""Whether runs of jobs fail because of their nodes or because of whose they are: both rates from the same runs.

Counting failures by node accuses the nodes on which the jobs of a careless user happen to run. Here the hazard of a run
is the sum of its nodes' rates and of its owner's, all constant, and all of them are estimated together. A rate for each
would follow chance, and take failures from those that stand out; so all other nodes share one rate, and all other
owners another one. Who stands out is found one by one; the interval of a rate heeds that it was chosen
(``suspects.Count``).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.suspects import SHARE_FALSE, Count
from dcsim.records.runs import OUTCOMES, JobRuns

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_STEPS = 3_000
"""Steps of the search for the likeliest rates; source: assumed."""
CLOSE = 1e-9
"""The search ends where a step raises the log likelihood by less than this for each failure."""
ROUNDS = 30
"""Steps of the search for each unit's own rate while all others stay; source: assumed, it only chooses who is tried."""
LEAST = 1e-300
FAILED, NODE_FAILED = OUTCOMES.index("failed"), OUTCOMES.index("node failure")
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


class FailedRuns:
    """Runs that failed, and for how long each unit was in use: ``nodes`` nodes, then ``owners`` owners.

    ``hours``: node-hours, or hours of an owner's runs, float64 (units,). ``run``, ``who``: which unit could be to blame
    for which failed run, int64 (m,) each. ``told``: the scheduler calls it a node failure, bool (runs,); then none of
    its owner. ``seen``: failed runs of each unit, int64 (units,).
    """

    def __init__(self, runs: JobRuns) -> None:
        end = np.where(np.isnan(runs.end_h), runs.span_h, runs.end_h)
        hours = np.maximum(0.0, end - runs.start_h)
        many = np.diff(runs.first)
        self.nodes, self.owners = len(runs.nodes), len(runs.owners)
        self.units = self.nodes + self.owners
        of_node = np.bincount(runs.node, np.repeat(hours, many), self.nodes)
        self.hours = np.concatenate([of_node, np.bincount(runs.owner, hours, self.owners)])
        told = runs.outcome == NODE_FAILED
        bad = (told & (many > 0)) | (runs.outcome == FAILED)
        self.count, self.told = int(bad.sum()), told[bad]
        nodes_of = np.repeat(np.arange(self.count), many[bad])
        mine = np.flatnonzero(~self.told)
        self.run = np.concatenate([nodes_of, mine])
        self.who = np.concatenate([runs.node[np.repeat(bad, many)], self.nodes + runs.owner[bad][mine]])
        self.who = self.who.astype(np.int64)
        self.seen = np.bincount(self.who, minlength=self.units)
        self.group = (np.arange(self.units) >= self.nodes).astype(np.int64)
        """0 for a node, 1 for an owner."""

    def members(self, group: int) -> Numbers:
        """Return the nodes (0) or the owners (1)."""
        return np.flatnonzero(self.group == group)


@dataclass(frozen=True)
class Point:
    """Rates [1/h], float64 (k,), the share of failures by nodes that the scheduler calls so, and the log likelihood."""

    rates: Values
    share: float
    height: float


class Rates:
    """The likelihood where the units ``free`` have rates of their own, and all others the rate of their group.

    Rates are those of ``free``, then of the other nodes, then of the other owners. ``best``: the likeliest ones. Each
    failed run is due to one of its nodes or to its owner; one that the scheduler calls a node failure is due to a node.
    """

    def __init__(self, its: FailedRuns, free: tuple[int, ...]) -> None:
        self.its, self.free = its, free
        many = len(free) + 2
        self.of = len(free) + its.group
        """Which rate a unit has."""
        self.of[list(free)] = np.arange(len(free))
        self.hours = np.bincount(self.of, its.hours, many)
        key, count = np.unique(its.run * many + self.of[its.who], return_counts=True)
        run, rate = key // many, key % many
        # Runs of none but others are alike where they have as many nodes: each kind of them counts once, with a weight.
        touched = np.zeros(its.count, dtype=np.bool_)
        touched[run[rate < len(free)]] = True
        alike = 4 * np.bincount(run[rate == len(free)], count[rate == len(free)], its.count).astype(np.int64)
        alike += 2 * np.bincount(run[rate == len(free) + 1], minlength=its.count) + its.told
        kind = np.where(touched, -1 - np.arange(its.count), alike)
        _, first, of_kind, weight = np.unique(kind, return_index=True, return_inverse=True, return_counts=True)
        kept = np.zeros(its.count, dtype=np.bool_)
        kept[first] = True
        rows = kept[run]
        self.run, self.rate, self.count = of_kind[run[rows]], rate[rows], count[rows].astype(np.float64)
        self.weight = weight.astype(np.float64)
        told, node = its.told[first][self.run], np.array([*(who < its.nodes for who in free), True, False])[self.rate]
        self.silent, self.named = node & ~told, node & told
        self.told = float(its.told.sum())
        seen = np.bincount(self.of, its.seen, many)
        # What nodes and owners cannot be told apart by is halved between them: the search leaves it where it begins.
        halves = np.where(np.arange(many) < len(free), seen, its.count) / 2
        start = np.divide(halves, self.hours, out=np.zeros(many), where=(self.hours > 0) & (seen > 0))
        self.best = self._search(start, 0.5 if self.told else 0.0)

    def part(self, rates: Values, share: float) -> Values:
        """Return the hazard of each row that could be to blame for a run as it ended, float64 (m,)."""
        told = np.where(self.silent, 1 - share, np.where(self.named, share, 1.0))
        return np.asarray(rates[self.rate] * self.count * told, dtype=np.float64)

    def _step(self, rates: Values, share: float, held: int | None) -> tuple[Values, float, float]:
        """Return better rates and share told, and the log likelihood of those given."""
        part = self.part(rates, share)
        whole = np.maximum(np.bincount(self.run, part, len(self.weight)), LEAST)
        due = part / whole[self.run] * self.weight[self.run]
        blamed = np.bincount(self.rate, due, len(rates))
        better = np.divide(blamed, self.hours, out=np.zeros_like(rates), where=self.hours > 0)
        if held is not None:
            better[held] = rates[held]
        silent = float(due[self.silent].sum())
        height = float(self.weight @ np.log(whole) - rates @ self.hours)
        return better, self.told / max(self.told + silent, LEAST), height

    def _search(self, x: Values, share: float, held: int | None = None) -> Point:
        """Return the likeliest rates, one rate ``held`` as it is.

        Expectation and maximisation, each two steps drawn out (SQUAREM, Varadhan and Roland 2008) where that is better.
        """
        height = -np.inf
        for _ in range(MOST_STEPS):
            first, share_1, now = self._step(x, share, held)
            second, share_2, middle = self._step(first, share_1, held)
            r, v = first - x, (second - first) - (first - x)
            length = float(np.linalg.norm(v))
            if (now - height < CLOSE * max(1, self.its.count) and height > -np.inf) or length == 0:
                return Point(first, share_1, middle)
            height = now
            far = max(1.0, float(np.linalg.norm(r)) / length)
            drawn = np.maximum(x + 2 * far * r + far**2 * v, 1e-3 * second)
            x, share = second, share_2
            if far > 1 and self._step(drawn, share_2, held)[2] >= self._step(second, share_2, held)[2]:
                x = drawn
        return Point(x, share, self._step(x, share, held)[2])

    def at(self, place: int, rate: float) -> Point:
        """Return the likeliest rates where one of them is given."""
        x = np.maximum(self.best.rates, 1e-12 * float(self.best.rates.max()))
        x[place] = max(rate, LEAST)
        return self._search(x, self.best.share, place)

    def by_nodes(self, point: Point) -> float:
        """Return how many failed runs are expected to be due to nodes."""
        node = np.array([*(who < self.its.nodes for who in self.free), True, False])
        return float((point.rates * self.hours)[node].sum())

    def gains(self) -> Values:
        """Return by how much twice the log likelihood is higher where a unit alone has a higher rate of its own."""
        its, best = self.its, self.best
        shared = best.rates[self.of]
        told = np.where(its.told[its.run], best.share, 1 - best.share)
        weight = np.where(its.who < its.nodes, told, 1.0)
        whole = np.maximum(np.bincount(its.run, shared[its.who] * weight, its.count)[its.run], LEAST)
        own = shared.copy()
        for _ in range(ROUNDS):
            now = np.maximum(whole + weight * (own - shared)[its.who], LEAST)
            due = np.bincount(its.who, weight * own[its.who] / now, its.units)
            own = np.divide(due, its.hours, out=np.zeros_like(own), where=its.hours > 0)
        now = np.maximum(whole + weight * (own - shared)[its.who], LEAST)
        gain = 2 * (np.bincount(its.who, np.log(now / whole), its.units) - (own - shared) * its.hours)
        gain[list(self.free)] = 0.0
        return np.where((own > shared) & (its.seen > 0), gain, 0.0)


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
