"""Who is to blame: units by name, and nodes against owners of jobs where both could be."""

import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dcsim.calibrate import blamed, calibrated, discoveries
from dcsim.calibrate.suspects import suspects
from dcsim.records import Outages
from dcsim.records.runs import OUTCOMES, JobRuns

Values = NDArray[np.float64]
SEED = 20261201
COVERED = (0.92, 0.98)


def test_the_worst_are_called_bad_as_scipy_corrects_for_many() -> None:
    """Rejected where the adjusted p value is at most the share."""
    rng = np.random.default_rng(SEED)
    for bad in (0, 3, 40):
        chances = np.concatenate([rng.random(200), rng.random(bad) * 1e-3])
        assert discoveries(chances).tolist() == (stats.false_discovery_control(chances) <= 0.05).tolist()


def test_lemons_are_named_and_few_of_the_others() -> None:
    rng = np.random.default_rng(SEED)
    false, named = [], []
    for _ in range(100):
        rates = np.where(np.arange(300) < 6, 12.0, 1.0)
        found = suspects(rng.poisson(rates), np.full(300, 1000.0), [f"n{each}" for each in range(300)])
        assert found is not None
        bad = [int(each.name[1:]) for each in found.bad]
        named.append(sum(each < 6 for each in bad) / 6)
        false.append(sum(each >= 6 for each in bad) / max(1, len(bad)))
        assert found.usual_per_h == pytest.approx(0.001, rel=0.25)
    assert np.mean(named) > 0.8
    assert np.mean(false) <= 0.05


def test_units_that_are_alike_are_rarely_called_bad() -> None:
    rng = np.random.default_rng(SEED)
    found = [suspects(rng.poisson(0.5, 400), np.full(400, 1000.0), []) for _ in range(150)]
    assert np.mean([len(each.bad) > 0 for each in found if each is not None]) <= 0.05
    assert "none of 400 units" in next(each.sentence for each in found if each is not None and not each.bad)


def test_rates_of_units_are_believed_between_their_own_and_that_of_all_and_cover_the_truth() -> None:
    rng = np.random.default_rng(SEED)
    held, rates = [], 0.002 * rng.gamma(0.8, 1 / 0.8, 2000)
    found = suspects(rng.poisson(rates * 1000), np.full(2000, 1000.0), [str(each) for each in range(2000)])
    assert found is not None
    assert found.spread == pytest.approx(0.8**-0.5, rel=0.1)
    assert found.mean_per_h == pytest.approx(0.002, rel=0.1)
    failed = {each.name: each for each in found.of}
    held = [failed[name].low <= rates[int(name)] <= failed[name].high for name in failed]
    assert COVERED[0] <= np.mean(held) <= COVERED[1]
    assert min(each.per_h for each in found.of) < 1.01 / 1000 + 1e-3
    assert found.of[0].per_h < found.of[0].failures / 1000


def test_bad_units_are_named_among_a_million_and_all_have_the_same_law_as_one_by_one() -> None:
    """Forty units of a million fail 20 times as expected; memory holds a few numbers for each unit."""
    rng = np.random.default_rng(SEED)
    failures = rng.poisson(np.where(np.arange(1_000_000) < 40, 20.0, 0.02))
    hours = 8_760 - 12.0 * failures
    tracemalloc.start()
    found = suspects(failures, hours, ["first"])
    assert found is not None
    bad = found.bad
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20
    named = {each.name for each in bad}
    assert {"first", *map(str, range(1, 40))} <= named
    assert len(named) <= 45
    assert f"of 1,000,000 units have {100 * failures[:40].sum() / failures.sum():.0f} % of" in found.sentence
    assert [each.failures for each in found.of[:40]] == sorted(failures[:40].tolist(), reverse=True)


def test_the_law_of_rates_is_the_likeliest_of_units_one_by_one() -> None:
    """Counts are negative binomial, by scipy; hours of all units differ, and are not put together there."""
    rng = np.random.default_rng(SEED)
    hours = 1_000.0 + 500 * rng.random(3_000)
    failures = rng.poisson(hours * 0.002 * rng.gamma(0.8, 1 / 0.8, 3_000))
    found = suspects(failures, hours, [])
    assert found is not None

    def height(shape: float, mean: float) -> float:
        return float(stats.nbinom.logpmf(failures, shape, shape / (shape + mean * hours)).sum())

    highest = height(found.shape, found.mean_per_h)
    for each in (0.98, 1.02):
        assert height(found.shape * each, found.mean_per_h) < highest
        assert height(found.shape, found.mean_per_h * each) < highest


def test_a_site_of_a_hundred_thousand_units_has_its_bad_ones_named() -> None:
    rng = np.random.default_rng(SEED)
    at = np.sort(rng.random(600) * 5_000)
    whose = np.where(np.arange(600) % 20 == 0, 0, np.arange(600))
    outages = Outages(
        at, at + 2, whose, tuple(f"g{each}" for each in range(600)), np.zeros(600, dtype=np.int64), ("x",), 0.0,
        5_100.0, 600, (),
    )  # fmt: skip
    found = calibrated(outages, 100_000).whole.suspects
    assert found is not None
    assert [(each.name, each.failures) for each in found.bad] == [("g0", 30)]


@dataclass(frozen=True)
class Plant:
    """Rates of nodes and of owners [1/h]; owner 0 favours nodes 20 to 29. ``told``: how often Slurm blames the node."""

    nodes: Values
    owners: Values
    told: float = 0.0

    @classmethod
    def of(cls, bad_nodes: tuple[float, ...], bad_owners: tuple[float, ...], told: float = 0.0) -> "Plant":
        """Return 60 nodes and 12 owners, the first of them bad."""
        nodes, owners = np.full(60, 0.0005), np.full(12, 0.003)
        nodes[: len(bad_nodes)], owners[: len(bad_owners)] = bad_nodes, bad_owners
        return cls(nodes, owners, told)

    def rate(self, name: str) -> float:
        """Return the rate of a unit by its name."""
        return float((self.nodes if name[0] == "n" else self.owners)[int(name[1:])])

    def played(self, rng: np.random.Generator, runs: int) -> tuple[JobRuns, int]:
        """Return runs of four nodes for up to 20 h, and how many of them failed because of a node."""
        owner = rng.integers(0, 12, runs)
        node = np.array([rng.choice(np.arange(20, 30) if who == 0 else 60, 4, replace=False) for who in owner])
        by_node, by_owner = self.nodes[node].sum(axis=1), self.owners[owner]
        at, planned = rng.exponential(1 / (by_node + by_owner)), rng.random(runs) * 20
        outcome = np.full(runs, OUTCOMES.index("completed"))
        failed = at < planned
        outcome[failed] = OUTCOMES.index("failed")
        due = failed & (rng.random(runs) < by_node / (by_node + by_owner))
        outcome[due & (rng.random(runs) < self.told)] = OUTCOMES.index("node failure")
        start = np.sort(rng.random(runs) * 4000)
        return JobRuns(
            start, start + np.minimum(at, planned), owner, tuple(f"u{each}" for each in range(12)), node.ravel(),
            np.arange(runs + 1) * 4, tuple(f"n{each}" for each in range(60)), outcome, 0.0, 4100.0,
        ), int(due.sum())  # fmt: skip


CLEAR, FAINT = ((0.02, 0.02), (0.06, 0.06)), ((0.02, 0.006, 0.004), (0.06, 0.01))
"""Bad nodes and owners: some that are found in every record, some that are found if they are unlucky."""


def jobs(rng: np.random.Generator, runs: int = 6000, told: float = 0.0) -> JobRuns:
    """Runs of a plant where nodes 0 and 1 and owners 0 and 1 are bad."""
    return Plant.of(*CLEAR, told).played(rng, runs)[0]


def naive(runs: JobRuns) -> set[str]:
    """Nodes that are accused by counting failed runs by node."""
    hours = np.bincount(runs.node, np.repeat(runs.end_h - runs.start_h, 4), 60)
    bad = np.repeat(runs.outcome != OUTCOMES.index("completed"), 4)
    found = suspects(np.bincount(runs.node[bad], minlength=60), hours, runs.nodes)
    assert found is not None
    return {each.name for each in found.bad}


@pytest.mark.parametrize("told", [0.0, 0.6])
def test_two_bad_owners_and_two_lemons_are_found_where_counting_accuses_innocent_nodes(told: float) -> None:
    """Whether the scheduler calls three of five failures by nodes node failures, or none."""
    runs, due = Plant.of(*CLEAR, told).played(np.random.default_rng(SEED), 6000)
    found = blamed(runs)
    assert found is not None
    assert {each.name for each in found.nodes if each.accused} == {"n0", "n1"}
    assert {each.name for each in found.owners if each.accused} == {"u0", "u1"}
    innocent = naive(runs) - {"n0", "n1"}
    assert len(innocent) >= 8  # most of the ten that the bad owner favours
    assert found.told == pytest.approx(told, abs=0.1)
    for each in (*found.nodes, *found.owners):
        if each.accused:
            assert each.low is not None
            assert each.high is not None
            assert each.low <= (0.02 if each.name[0] == "n" else 0.06) <= each.high
            assert each.low <= each.per_h <= each.high
    assert "n0" in found.sentence
    assert found.due_low <= due <= found.due_high
    assert found.due_to_nodes == pytest.approx(due, rel=0.05 if told else 0.3)


def test_blame_without_a_bad_one_accuses_nobody() -> None:
    rng = np.random.default_rng(SEED)
    runs = jobs(rng, 1500)
    keep = runs.owner > 1
    even = JobRuns(
        runs.start_h[keep], runs.end_h[keep], runs.owner[keep] - 2, runs.owners[2:],
        2 + runs.node.reshape(-1, 4)[keep].ravel() % 58, np.arange(int(keep.sum()) + 1) * 4, runs.nodes,
        np.where(rng.random(int(keep.sum())) < 0.05, 1, 0), 0.0, 4100.0,
    )  # fmt: skip
    found = blamed(even)
    assert found is not None
    assert not [each.name for each in (*found.nodes, *found.owners) if each.accused]


def test_without_a_failure_nobody_is_to_blame() -> None:
    runs = jobs(np.random.default_rng(SEED), 50)
    none = JobRuns(
        runs.start_h, runs.end_h, runs.owner, runs.owners, runs.node, runs.first, runs.nodes,
        np.zeros(50, dtype=np.int64), 0.0, 4100.0,
    )  # fmt: skip
    assert blamed(none) is None
    assert suspects(np.zeros(5, dtype=np.int64), np.ones(5), []) is None


@dataclass
class Study:
    """What was said of many records of a plant: by name of a unit, whether the interval of those named held its rate.

    ``dues``: whether the interval of the failures due to nodes held their number. ``false``: units that are not bad and
    were named, in how many records ``some``.
    """

    held: dict[str, list[bool]] = field(default_factory=dict)
    dues: list[bool] = field(default_factory=list)
    false: int = 0
    some: int = 0

    @classmethod
    def of(cls, plant: Plant, records: int, seed: int) -> "Study":
        """Play a plant so often."""
        study, rng = cls(), np.random.default_rng(seed)
        for _ in range(records):
            runs, due = plant.played(rng, 2500)
            found = blamed(runs, most=4)
            assert found is not None
            study.dues.append(found.due_low <= due <= found.due_high)
            wrong = 0
            for each in (*found.nodes, *found.owners):
                if each.accused:
                    assert each.low is not None
                    assert each.high is not None
                    study.held.setdefault(each.name, []).append(each.low <= plant.rate(each.name) <= each.high)
                    wrong += plant.rate(each.name) < 0.0035
                else:
                    assert each.low is each.high is None
            study.false, study.some = study.false + wrong, study.some + (wrong > 0)
        return study

    def of_units(self, *names: str) -> list[bool]:
        """Return whether intervals held, of these units or of all."""
        return [each for name in names or self.held for each in self.held.get(name, [])]


def is_share(held: list[bool], share: float) -> bool:
    """Return whether so many hold as a binomial law of this share has in 99 of 100 studies."""
    low, high = stats.binom.interval(0.99, len(held), share)
    return bool(low <= sum(held) <= high)


def is_at_least(held: list[bool], share: float) -> bool:
    """Return whether so many hold as a binomial law of this share, or of more, has in 199 of 200 studies."""
    return bool(stats.binom.cdf(sum(held), len(held), share) > 0.005)


STUDIED = 20261130
"""Seed of the studies, chosen before the first of them."""


def test_intervals_of_those_that_are_named_hold_their_rates() -> None:
    """In 95 of 100, also of nodes that are named only if they are unlucky: without heed to that it is 60 to 80."""
    study = Study.of(Plant.of(*FAINT), 80, STUDIED)
    for names in ((), ("n0",), ("u0",), ("n1", "n2"), ("u1",)):
        held = study.of_units(*names)
        assert len(held) >= 20
        assert is_share(held, 0.95), (names, np.mean(held), len(held))
    assert len(study.held["n0"]) == len(study.held["u0"]) == 80
    assert all(study.dues)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("bad", "told"), [(CLEAR, 0.0), (FAINT, 0.0), (FAINT, 0.6), (((), ()), 0.0)])
def test_intervals_and_names_of_many_records(bad: tuple[tuple[float, ...], tuple[float, ...]], told: float) -> None:
    """In 400 records intervals hold at least 95 of 100. Of names, and of sound records, at most 5 % are wrong.

    All intervals together hold 97 of 100: they heed a choice that some units hardly needed.
    """
    study = Study.of(Plant.of(*bad, told), 400, STUDIED)
    for names in ((), *((name,) for name in ("n0", "n1", "n2", "u0", "u1"))):
        held = study.of_units(*names)
        assert is_at_least(held, 0.95), (names, np.mean(held), len(held))
    assert np.mean(study.of_units()) < 0.98 or not bad[0]
    assert is_at_least(study.dues, 0.95)
    named = len(study.of_units())
    assert study.false <= 0.05 * named or not bad[0]
    assert stats.binom.cdf(study.some - 1, 400, 0.05) < 0.99 or bad[0]
    for name in ("n0", "u0", *(("n1", "u1") if bad == CLEAR else ())) if bad[0] else ():
        assert len(study.held[name]) >= 396, name  # 99 of 100 records name them
