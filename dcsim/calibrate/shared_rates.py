"""Rates of nodes and of owners of jobs from the same failed runs, where all that do not stand out share one rate.

The hazard of a run is the sum of its nodes' rates and of its owner's, all constant. A rate for each of them would
follow chance, and take failures from those that stand out; so there are few rates: those of the units that are named,
one of all other nodes, and one of all other owners.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
