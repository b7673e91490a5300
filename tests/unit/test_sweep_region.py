"""The region of the best: what is told apart from it, and how often the best in truth is in it."""

import numpy as np

from dcsim.decide.sweep_region import Measured, region
from dcsim.montecarlo import Estimated


def measured(values, reliable=True) -> Measured:
    """A setting with one number for each run."""
    array = np.asarray(values, dtype=np.float64)
    return Measured(Estimated.of(array, float(array.mean()), None), reliable)


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


def test_too_few_failures_are_judged_by_their_signs():
    """Where an interval cannot be trusted, better in 20 of 20 runs is clear, in 14 of 20 it is not."""
    rng = np.random.default_rng(3)
    base = rng.exponential(size=20)
    always, often = base + 0.01, base + np.where(np.arange(20) < 14, 0.5, -0.001)
    found = region([measured(base, False), measured(always, False), measured(often, False)], lower_is_better=True)
    assert found is not None
    assert found.standings == ("best", "worse", "tied")


def test_no_figure_no_region():
    """Without any figure there is no best."""
    assert region([None, None], lower_is_better=True) is None


def test_few_runs_still_tell_apart_what_differs_much():
    """Among 60 settings of 10 runs with too few failures, one that costs half as much again in every run is worse.

    A sign test corrected for 59 others could never say so: 2^-10 is above 0.05 / 59.
    """
    rng = np.random.default_rng(4)
    base = 4 + 0.01 * rng.normal(size=10)
    others = [measured(base + 0.02 * rng.normal(size=10), False) for _ in range(58)]
    found = region([measured(base - 0.01, False), *others, measured(1.5 * base, False)], lower_is_better=True)
    assert found is not None
    assert found.standings[-1] == "worse"
    assert len(found.members) > 30
