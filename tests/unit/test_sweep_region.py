"""The region of the best: what is told apart from it, and how often the best in truth is in it."""

from dataclasses import replace

import numpy as np

from dcsim.decide.sweep_region import Measured, region
from dcsim.montecarlo import Estimated
from dcsim.scenario import read


def measured(values, reliable=True, unseen=0.0) -> Measured:
    """A setting with one number for each run."""
    array = np.asarray(values, dtype=np.float64)
    return Measured(Estimated.of(array, float(array.mean()), None), reliable, unseen)


def test_the_best_in_truth_is_in_the_region_nineteen_times_in_twenty():
    """Of 20 settings with equal means and common runs, a given one is left out in at most 5 % of 1,000 samples.

    Without a correction for the number of settings it would be left out several times as often.
    """
    rng = np.random.default_rng(15)
    kept = 0
    for _ in range(1000):
        common = rng.normal(size=30)
        settings = [measured(10 + common + rng.normal(size=30)) for _ in range(20)]
        found = region(settings, lower_is_better=True)
        assert found is not None
        kept += 7 in found.members
    assert kept >= 950


def test_common_runs_tell_apart_what_differs_little():
    """A difference that is a tenth of the spread of the runs is clear where the runs share that spread."""
    rng = np.random.default_rng(1)
    common = rng.normal(size=100)
    settings = [measured(common + shift + 0.01 * rng.normal(size=100)) for shift in (0.1, 0.0, 0.001, 0.2)]
    found = region(settings, lower_is_better=True)
    assert found is not None
    assert found.standings == ("worse", "best", "tied", "worse")
    assert found.members == (1, 2)
    upside_down = region(settings, lower_is_better=False)
    assert upside_down is not None
    assert upside_down.members == (3,)


def test_differences_without_spread_are_exact():
    """What differs by prices alone is told apart, equal values are not, and of equal ones the first is the best."""
    values = np.random.default_rng(2).normal(size=10)
    found = region([measured(values + 0.5), measured(values), measured(values), None], lower_is_better=True)
    assert found is not None
    assert found.standings == ("worse", "best", "tied", "no figure")
    assert found.gaps[3] is None


def test_one_run_judges_nothing():
    """A single run has a best value and no interval."""
    found = region([measured([2.0]), measured([1.0])], lower_is_better=True)
    assert found is not None
    assert (found.best, found.judged) == (1, False)


def test_what_has_not_come_yet_counts_against_the_best():
    """A gap below what too few runs may not have seen of the best is open, however alike all runs are.

    A larger gap is clear; so is one to a setting whose runs are enough; and what strikes both alike does not count.
    """
    best, close, far = measured([1.0] * 10, False, 0.5), measured([1.4] * 10), measured([1.6] * 10)
    found = region([best, close, far], lower_is_better=True)
    assert found is not None
    assert found.standings == ("best", "tied", "worse")
    assert [each is not None and each.reliable for each in found.gaps] == [False] * 3
    dear = measured([1.45] * 10)
    found = region([best, close, dear], lower_is_better=True)  # the second is the best whose runs are enough
    assert found is not None
    assert found.standings == ("best", "tied", "worse")
    runs_of = read("pretrain-5184/gold")
    together = [replace(each, runs_of=runs_of) for each in (best, measured([1.4] * 10, False, 0.5))]
    found = region(together, lower_is_better=True)
    assert found is not None
    assert found.standings == ("best", "worse")


def test_too_few_failures_of_the_others_make_them_no_better():
    """What is dearer in every run is worse, though its own rare losses may not have come; in 12 of 20 it is open.

    The runs of the best one are enough.
    """
    rng = np.random.default_rng(3)
    base = rng.exponential(size=20)
    always, often = base + 0.01, base + np.where(np.arange(20) < 12, 0.5, -0.5)
    found = region([measured(base), measured(always, False, 1.0), measured(often, False, 1.0)], lower_is_better=True)
    assert found is not None
    assert found.standings == ("best", "worse", "tied")


def test_no_figure_no_region():
    """Without any figure there is no best."""
    assert region([None, None], lower_is_better=True) is None


def test_few_runs_still_tell_apart_what_differs_much():
    """Among 60 settings of 10 runs with too few failures, one that costs half as much again in every run is worse.

    What they may not have seen is less than that.
    """
    rng = np.random.default_rng(4)
    base = 4 + 0.01 * rng.normal(size=10)
    others = [measured(base + 0.02 * rng.normal(size=10), False) for _ in range(58)]
    found = region([measured(base - 0.01, False, 0.5), *others, measured(1.5 * base, False)], lower_is_better=True)
    assert found is not None
    assert found.standings[-1] == "worse"
    assert len(found.members) > 30
