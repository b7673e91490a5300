"""What every distribution of the time to failure must answer, whatever its kind: the registry is the list of cases.

A kind brings its own examples (``model_config``), which editors show too; a new file in hazards/lifetimes is tested
here without being named.
"""

import math

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dcsim.hazards import LIFETIMES, AnyLifetime, Draws, Hazard
from dcsim.streams import generator

HOUR = 3_600_000
N = 100_000
ANY = TypeAdapter(AnyLifetime)
EXAMPLES = [
    (kind, number, ANY.validate_python(written))
    for kind, model in sorted(LIFETIMES.items())
    for number, written in enumerate(model.model_config["json_schema_extra"]["examples"])
]


def each(cases):
    """One test for every example of these."""
    return pytest.mark.parametrize("life", [pytest.param(one, id=f"{kind} {nr}") for kind, nr, one in cases])


every_example = each(EXAMPLES)
every_law = each([case for case in EXAMPLES if not case[2].recorded])
every_record = each([case for case in EXAMPLES if case[2].recorded])
every_known = each([case for case in EXAMPLES if case[2].recorded or case[2].memoryless])


def rng(seed=20_261_121):
    """A stream whose seed was chosen before the first run."""
    return np.random.Generator(np.random.SFC64(seed))


def agrees(found, chance, count):
    """Whether a share of so many trials is within four standard errors of its probability."""
    return abs(found - chance) <= 4 * math.sqrt(chance * (1 - chance) / count) + 1e-12


def test_every_kind_brings_an_example():
    """A kind without one would pass every test below by not being tested."""
    assert {kind for kind, _, _ in EXAMPLES} == set(LIFETIMES)
    assert len(LIFETIMES) >= 6


@every_example
def test_written_and_read_again_it_is_equal(life):
    """The resolved scenario holds a lifetime as text, and the same one comes back."""
    assert ANY.validate_python(life.model_dump(mode="json", exclude_none=True)) == life


@every_example
def test_it_is_frozen_and_knows_its_keys(life):
    """What was validated cannot be changed, and an unknown key is an error."""
    with pytest.raises(ValidationError):
        life.kind = "other"
    with pytest.raises(ValidationError):
        ANY.validate_python(life.model_dump(mode="json", exclude_none=True) | {"colour": "red"})


@every_example
def test_the_mean_can_be_moved(life):
    """With another mean it says so, to the rounding of its times."""
    assert life.mean_ms > 0
    assert life.with_mean(3 * life.mean_ms).mean_ms == pytest.approx(3 * life.mean_ms, rel=1e-6)
    assert life.mtbf_ms(7) > 0


# --- laws of a life -------------------------------------------------------------------------------------------------


@every_law
def test_lives_have_the_stated_mean(life):
    """The mean of 100,000 lives is the stated one within four standard errors; a mean 5 % off would be seen."""
    lives = life.draw(rng(), N)
    assert lives.dtype == np.int64
    error = lives.std() / math.sqrt(N)
    assert abs(lives.mean() - life.mean_ms) < 4 * error
    assert abs(1.05 * lives.mean() - life.mean_ms) > 4 * error


@every_law
def test_as_many_survive_as_it_says(life):
    """The share of lives longer than t is S(t), at t from a thousandth of the mean to three means."""
    lives = life.draw(rng(), N)
    ages = np.rint(life.mean_ms * np.array([0.001, 0.01, 0.1, 0.5, 1, 2, 3])).astype(np.int64)
    for age, chance in zip(ages, np.exp(life.log_survival(ages)), strict=True):
        assert agrees((lives > age).mean(), chance, N)


@every_law
@pytest.mark.parametrize("of_mean", [0, 0.001, 0.1, 0.5, 1, 2])
def test_what_is_left_is_the_law_of_those_who_lived_so_long(life, of_mean):
    """P(residual > r) at age a is S(a + r) / S(a): the definition, for five r at six ages."""
    age = round(of_mean * life.mean_ms)
    left = life.residual(rng(), np.full(N, age, dtype=np.int64))
    assert left.dtype == np.int64
    assert left.min() >= 0
    more = np.rint(life.mean_ms * np.array([0, 0.01, 0.3, 1, 2])).astype(np.int64)
    chances = np.exp(life.log_survival(age + more) - life.log_survival(np.array([age])))
    for step, chance in zip(more[1:], chances[1:], strict=True):
        assert agrees((left > step).mean(), chance, N)
    assert (left > 0).mean() > 0.99


@every_law
def test_everyone_has_an_age_of_his_own(life):
    """Ages may differ: what is left of each is as if all had that one's age."""
    ages = np.tile(np.rint(life.mean_ms * np.array([0.1, 1.5])).astype(np.int64), N // 2)
    left = life.residual(rng(), ages)
    more = round(0.5 * life.mean_ms)
    for age, found in zip(ages[:2], (left[::2], left[1::2]), strict=True):
        chance = np.exp(life.log_survival(np.array([age + more])) - life.log_survival(np.array([age])))[0]
        assert agrees((found > more).mean(), chance, N // 2)


@every_law
def test_nothing_breaks_at_the_edges(life):
    """New, a millisecond old, or older than anything lives: a residual is finite and not negative, fewer survive."""
    ages = np.array([0, 1, 10**3, 10**9, 10**12, 36 * 10**14], dtype=np.int64)
    left = life.residual(rng(), ages)
    assert left.shape == ages.shape
    assert ((left >= 0) & (left <= 4e15)).all()
    survived = life.log_survival(ages)
    assert (survived[1:] <= survived[:-1]).all()
    assert abs(survived[0]) < 1e-12
    assert len(life.residual(rng(), ages[:0])) == len(life.draw(rng(), 0)) == 0


@every_law
def test_memory(life):
    """A kind that calls itself memoryless survives another hour equally likely at every age, and no other does."""
    ages = np.rint(life.mean_ms * np.array([0, 0.1, 0.5, 1])).astype(np.int64)
    hour = round(life.mean_ms / 4)
    chances = life.log_survival(ages + hour) - life.log_survival(ages)
    assert life.memoryless is bool(np.ptp(chances) < 1e-6)


@every_law
def test_two_means_meet_the_same_draws(life):
    """Draws are unit numbers times the mean: twice the mean gives twice the lives, but for rounding."""
    once = life.draw(rng(), 1000)
    twice = life.with_mean(2 * life.mean_ms).draw(rng(), 1000)
    assert (np.abs(twice - 2 * once) <= 3 + 1e-9 * twice).all()


@every_law
def test_a_law_knows_any_horizon(life):
    """Only a record ends; a law names no component and no repair."""
    assert (life.longest_ms, life.names_components, life.mean_repair_ms) == (None, False, None)


# --- failures that are known beforehand -------------------------------------------------------------------------------


def failures(life, horizon, components=50, **keys):
    """Failures of so many components over a horizon."""
    hazard = Hazard.model_validate({"component": "gpu", "mtbf": life, **keys})
    draws = Draws(hazard, components, components, horizon, lambda purpose: generator(7, 0, "gpu", purpose))
    return draws.failures


@every_known
def test_failures_ascend_within_the_horizon(life):
    """Times are int64 ms, ascending, in [0, horizon), the same each time; marks are components."""
    horizon = round(3 * life.mean_ms) if life.memoryless else 3 * life.span_ms
    drawn = failures(life, horizon)
    assert drawn.times.dtype == drawn.marks.dtype == np.int64
    assert drawn.times[0] >= 0
    assert drawn.times[-1] < horizon
    assert (np.diff(drawn.times) >= 0).all()
    assert 0 <= drawn.marks.min() <= drawn.marks.max() < 50
    assert len(drawn.times) == len(drawn.marks) == len(drawn.excess)
    assert not drawn.excess.any()
    np.testing.assert_array_equal(drawn.times, failures(life, horizon).times)


@every_known
@pytest.mark.parametrize("part", [0.001, 0.3, 0.999])
def test_a_shorter_horizon_only_cuts(life, part):
    """Failures before a shorter horizon are the same, with the same marks."""
    horizon = round(2 * life.mean_ms) if life.memoryless else 2 * life.span_ms
    whole, short = failures(life, horizon), failures(life, round(part * horizon))
    count = int(np.searchsorted(whole.times, round(part * horizon)))
    assert len(short.times) == count
    np.testing.assert_array_equal(short.times, whole.times[:count])
    np.testing.assert_array_equal(short.marks, whole.marks[:count])


@every_known
def test_half_open_horizon(life):
    """A failure at the horizon itself does not happen; one ms later it does."""
    horizon = round(2 * life.mean_ms) if life.memoryless else 2 * life.span_ms
    third = int(failures(life, horizon).times[2])
    assert len(failures(life, third).times) == 2
    assert len(failures(life, third + 1).times) >= 3


@every_known
def test_the_long_run_rate_is_components_over_mtbf(life):
    """The count over 800 gaps of the cluster is horizon * components / mtbf_ms, within four Poisson errors."""
    gap = life.mtbf_ms(50) / 50
    found = len(failures(life, round(800 * gap)).times)
    assert abs(found - 800) < 4 * 800**0.5


@every_record
def test_a_record_repeats_itself(life):
    """Over k lengths of a record that repeats, each of its rows comes k times."""
    times, rows = life.replay(rng(), 5 * life.span_ms)
    assert np.bincount(rows).tolist() == [5] * len(life.times)
    assert (np.diff(times) >= 0).all()


@every_known
def test_no_failures(life):
    """A horizon of 1 ms gives empty arrays, not an error."""
    drawn = failures(life.with_mean(1e15), 1)
    assert len(drawn.times) == len(drawn.marks) == len(drawn.excess) == 0
    assert drawn.times.dtype == np.int64
