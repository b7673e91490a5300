"""Whether runs of jobs fail because of their nodes or because of whose they are: both rates from the same runs.

Counting failures by node accuses the nodes on which the jobs of a careless user happen to run. Here the hazard of a run
is the sum of its nodes' rates and of its owner's, all constant, and all of them are estimated together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.suspects import SHARE_FALSE, discoveries
from dcsim.records.runs import OUTCOMES, JobRuns

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_STEPS = 3_000
"""Steps of the search for the likeliest rates; source: assumed."""
CLOSE = 1e-9
"""The search ends where a step raises the log likelihood by less than this for each failure."""
FAILED, NODE_FAILED = OUTCOMES.index("failed"), OUTCOMES.index("node failure")


@dataclass(frozen=True)
class Blamed:
    """A node or an owner: its failures' share that is due to it, its rate [1/h] and interval, against the others.

    ``failures``: of runs on it, or its own; ``blamed``: how many of them are expected to be due to it; ``hours``: its
    node-hours, or the hours of its runs. ``chance``: with which probability it would look at least as bad if its rate
    were that of all nodes together (of all owners), by likelihood ratio. ``accused``: by a false-discovery rate of
    ``SHARE_FALSE`` among nodes (owners). In simulated records intervals of 95 % held a bad node's rate in 89 of 100,
    and a bad owner's in 94: all other nodes have free rates of their own, and take or give some of its failures.
    """

    name: str
    failures: int
    blamed: float
    hours: float
    per_h: float
    low: float
    high: float
    chance: float
    accused: bool


@dataclass(frozen=True, eq=False)
class Blame:
    """``nodes`` and ``owners`` by rate, the worst first, those without a failure left out.

    ``failures``: runs that failed. ``due_to_nodes``: how many of them are expected to be due to a node.
    ``node_per_h``, ``owner_per_h``: rates of all nodes by node-hours, of all owners by hours of runs.
    ``told``: share of the failures by nodes that the scheduler itself says are ("node failure").
    """

    nodes: tuple[Blamed, ...]
    owners: tuple[Blamed, ...]
    failures: int
    due_to_nodes: float
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


class _Runs:
    """The likelihood: rates x of nodes, then of owners; each failed run is due to one of its nodes or to its owner.

    A run that the scheduler calls a node failure is due to a node. Of failures by nodes it calls a share so.
    """

    def __init__(self, runs: JobRuns) -> None:
        end = np.where(np.isnan(runs.end_h), runs.span_h, runs.end_h)
        hours = np.maximum(0.0, end - runs.start_h)
        many = np.diff(runs.first)
        self.nodes, self.owners = len(runs.nodes), len(runs.owners)
        of_node = np.bincount(runs.node, np.repeat(hours, many), self.nodes)
        self.hours = np.concatenate([of_node, np.bincount(runs.owner, hours, self.owners)])
        told = runs.outcome == NODE_FAILED
        bad = (told & (many > 0)) | (runs.outcome == FAILED)
        self.count, self.told = int(bad.sum()), told[bad]
        rows = np.repeat(bad, many)
        nodes_of = np.repeat(np.arange(self.count), many[bad])
        mine = np.flatnonzero(~self.told)  # its owner is to blame for none that the scheduler blames on a node
        self.run = np.concatenate([nodes_of, mine])
        self.who = np.concatenate([runs.node[rows], self.nodes + runs.owner[bad][mine]]).astype(np.int64)
        self.by_node = np.arange(len(self.run)) < len(nodes_of)
        self.silent = self.by_node & ~self.told[self.run]
        self.seen = np.bincount(self.who, minlength=self.nodes + self.owners)

    def step(self, x: Values, share: float) -> tuple[Values, float, float]:
        """Return better rates and share told, and the log likelihood of those given."""
        part = x[self.who] * np.where(self.silent, 1 - share, np.where(self.by_node, share, 1.0))
        whole = np.maximum(np.bincount(self.run, part, self.count), 1e-300)
        due = part / whole[self.run]
        blamed = np.bincount(self.who, due, len(x))
        better = np.divide(blamed, self.hours, out=np.zeros_like(x), where=self.hours > 0)
        silent, told = float(due[self.silent].sum()), int(self.told.sum())
        return better, told / max(told + silent, 1e-300), float(np.log(whole).sum() - (x * self.hours).sum())

    def search(self, x: Values, share: float, held: int | None = None) -> tuple[Values, float, float]:
        """Return the likeliest rates, share and log likelihood from a start on, one rate ``held`` as it is.

        Expectation and maximisation, each two steps drawn out (SQUAREM, Varadhan and Roland 2008) where that is better.
        """
        height = -np.inf
        for _ in range(MOST_STEPS):
            first, share_1, now = self._held(x, share, held)
            second, share_2, middle = self._held(first, share_1, held)
            r, v = first - x, (second - first) - (first - x)
            length = float(np.linalg.norm(v))
            if (now - height < CLOSE * max(1, self.count) and height > -np.inf) or length == 0:
                return first, share_1, middle
            height = now
            far = max(1.0, float(np.linalg.norm(r)) / length)
            drawn = np.maximum(x + 2 * far * r + far**2 * v, 1e-3 * second)
            x, share = second, share_2
            if far > 1 and self._held(drawn, share_2, held)[2] >= self._held(second, share_2, held)[2]:
                x = drawn
        return x, share, self._held(x, share, held)[2]

    def _held(self, x: Values, share: float, held: int | None) -> tuple[Values, float, float]:
        better, told, height = self.step(x, share)
        if held is not None:
            better[held] = x[held]
        return better, told, height

    def with_rate(self, x: Values, share: float, who: int, rate: float) -> float:
        """Return the highest log likelihood where one rate is given."""
        x = np.maximum(x, 1e-12 * float(x.max()))
        x[who] = max(rate, 1e-300)
        return self.search(x, share, who)[2]


def blamed(runs: JobRuns, confidence: float = 0.95, most: int = 20) -> Blame | None:
    """Return who is to blame for failed runs; None without a failure.

    Runs that still go on, were cancelled, requeued or hit a time limit count as hours without a failure. Rates and
    chances are told of the ``most`` nodes and as many owners with most failures due to them; intervals are by profile
    likelihood.
    """
    its = _Runs(runs)
    if not its.count:
        return None
    start = np.where(its.seen > 0, (its.seen + 0.5) / np.maximum(its.hours, 1e-9), 0.0)
    x, share, height = its.search(start, 0.5 if its.told.any() else 0.0)
    due = x * its.hours
    nodes, owners = np.arange(its.nodes), its.nodes + np.arange(its.owners)
    names = (*runs.nodes, *runs.owners)
    found, mean = [], []
    for group in (nodes, owners):
        hours = float(its.hours[group].sum())
        mean.append(float(due[group].sum()) / hours if hours else 0.0)
        found.append(_suspects(its, x, share, height, group, names, confidence, most))
    return Blame(found[0], found[1], its.count, float(due[nodes].sum()), mean[0], mean[1], share)


def _suspects(
    its: _Runs,
    x: Values,
    share: float,
    height: float,
    group: Numbers,
    names: tuple[str, ...],
    confidence: float,
    most: int,
) -> tuple[Blamed, ...]:
    from scipy.optimize import brentq
    from scipy.special import chdtri, ndtr

    seen = group[its.seen[group] > 0]
    due, hours = x * its.hours, float(its.hours[group].sum())
    chances = np.ones(len(group))
    its_own = []
    worst = seen[np.argsort(-due[seen], kind="stable")][:most]
    allowed = height - float(chdtri(1, 1 - confidence)) / 2
    for who in worst.tolist():
        others = hours - its.hours[who]
        usual = float(due[group].sum() - due[who]) / others if others > 0 else 0.0
        if x[who] > usual > 0:
            gain = max(0.0, 2 * (height - its.with_rate(x, share, who, usual)))
            chances[who - group[0]] = float(ndtr(-(gain**0.5)))

        def short(rate: float, who: int = who) -> float:
            return its.with_rate(x, share, who, rate) - allowed

        scale = max(x[who], 1 / its.hours[who])
        low = float(brentq(short, 1e-9 * scale, x[who], rtol=1e-3)) if short(1e-9 * scale) < 0 < short(x[who]) else 0.0
        top = 2 * scale
        while short(top) > 0:
            top *= 2
        high = float(brentq(short, max(x[who], 1e-9 * scale), top, rtol=1e-3))
        its_own.append((who, low, high))
    accused = discoveries(chances, SHARE_FALSE)
    return tuple(
        Blamed(
            names[who],
            int(its.seen[who]),
            float(due[who]),
            float(its.hours[who]),
            float(x[who]),
            low,
            high,
            float(chances[who - group[0]]),
            bool(accused[who - group[0]]),
        )
        for who, low, high in sorted(its_own, key=lambda each: -x[each[0]])
    )
