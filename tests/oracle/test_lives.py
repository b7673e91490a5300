"""Lives and what is left of them follow the law that a hazard states, and renewal makes the known counts of failures.

Each test derives its expectation from the law, not from the code: integrals of S(t), the renewal equation solved
numerically. Seeds were chosen before the first run.
"""

import math
from itertools import count

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.special import gamma, gammaincc, ndtr

from dcsim.hazards import AnyLifetime, Draws, Hazard
from dcsim.hazards.lifetimes.weibull import WeibullLifetime
from dcsim.streams import generator
from dcsim.units import MS_PER_H

DAY = 24 * MS_PER_H
N = 200_000
SEED = 47
ANY = TypeAdapter(AnyLifetime)


def draws(components=1_000, replication=0, **keys):
    """Draws of a GPU hazard over a month."""
    hazard = Hazard.model_validate({"component": "gpu", **keys})
    return Draws(hazard, components, components, 30 * DAY, lambda purpose: generator(SEED, replication, "gpu", purpose))


def z(values, mean):
    """How many standard errors the mean of independent values is away from where it should be."""
    return (np.mean(values) - mean) / (np.std(values, ddof=1) / math.sqrt(len(values)))


# --- lives and what is left of them -----------------------------------------------------------------------------------


def weibull_left(mean, shape):
    """Integral of S from a on, and S(a): scale / k * Gamma(1/k, x) and e^-x, x = (a / scale)^k."""
    scale = mean / gamma(1 + 1 / shape)

    def left(age):
        x = (age / scale) ** shape
        return scale / shape * gamma(1 / shape) * gammaincc(1 / shape, x), math.exp(-x)

    return left


def lognormal_left(mean, sigma):
    """Integral of S from a on: E[(T - a)+] = mean Phi(d + sigma) - a Phi(d); S(a) = Phi(d), d = (mu - ln a) / sigma."""

    def left(age):
        d = (math.log(mean / age) - sigma**2 / 2) / sigma
        return mean * ndtr(d + sigma) - age * ndtr(d), ndtr(d)

    return left


def empirical_left(*values):
    """Mean of (v - a)+, and the share of values above a."""
    return lambda age: (
        sum(max(v - age, 0) for v in values) / len(values),
        sum(v > age for v in values) / len(values),
    )


def mixed(*parts):
    """Both are sums over the parts, each by its share."""
    return lambda age: tuple(sum(share * left(age)[i] for share, left in parts) for i in (0, 1))


WEIBULL = {"kind": "weibull", "mean": "100 h", "shape": 0.7}
WEARING = {"kind": "weibull", "mean": "300 h", "shape": 4.0}
LOGNORMAL = {"kind": "lognormal", "mean": "100 h", "sigma": 1.0}
EMPIRICAL = {"kind": "empirical", "values": ["10 h", "50 h", "140 h", "200 h"]}
MIXTURE = {
    "kind": "mixture",
    "parts": [
        {"share": "20 %", "life": WEIBULL | {"mean": "10 h", "shape": 0.5}},
        {"share": "50 %", "life": LOGNORMAL},
        {"share": "30 %", "life": WEARING},
    ],
}
LAWS = [
    (WEIBULL, weibull_left(100, 0.7)),
    (WEARING, weibull_left(300, 4)),
    (LOGNORMAL, lognormal_left(100, 1)),
    ({"kind": "exponential", "mean": "100 h"}, lambda age: (100 * math.exp(-age / 100), math.exp(-age / 100))),
    (EMPIRICAL, empirical_left(10, 50, 140, 200)),
    (MIXTURE, mixed((0.2, weibull_left(10, 0.5)), (0.5, lognormal_left(100, 1)), (0.3, weibull_left(300, 4)))),
]
IDS = ["weibull 0.7", "weibull 4", "lognormal", "exponential", "empirical", "mixture"]


@pytest.mark.parametrize(("written", "left"), LAWS, ids=IDS)
@pytest.mark.parametrize("age", [0.001, 5, 60, 120])
def test_the_mean_of_what_is_left(written, left, age):
    """Mean residual life at an age [h] is the integral of S from there on, over S: closed forms of every law."""
    rest, alive = left(age)
    found = draws(components=N, mtbf=written, age=f"{age} h").lives(0) / MS_PER_H
    assert abs(z(found, rest / alive)) < 4
    survived = ANY.validate_python(written).log_survival(np.array([age * MS_PER_H]))
    np.testing.assert_allclose(survived, math.log(alive), atol=1e-15)


def test_the_mean_of_what_is_left_would_show_a_wrong_age():
    """Lives that take no notice of the age fail the test above: at 60 h a Weibull of shape 0.7 has 142 h left."""
    rest, alive = weibull_left(100, 0.7)(60)
    assert rest / alive == pytest.approx(142, abs=1)
    assert abs(z(draws(components=N, mtbf=WEIBULL).lives(0) / MS_PER_H, rest / alive)) > 4


def test_far_in_the_tail_what_is_left_is_still_exact():
    """Where S(a) is 1e-1000 and no double holds it, the residual has the law's own limit: mean 1 / hazard rate.

    Weibull k = 4 at a = 10 scales: x = 10^4, left = a ((1 + E/x)^(1/4) - 1) = a E / (4 x) (1 + O(1/x)). Lognormal: rate
    (z + 1/z) / (sigma a) to order 1/z^4, z = (ln a - mu) / sigma.
    """
    wearing, lognormal = ANY.validate_python(WEARING), ANY.validate_python(LOGNORMAL | {"sigma": 0.1})
    age = round(10 * 300 / gamma(1.25)) * MS_PER_H
    left = wearing.residual(np.random.default_rng(SEED), np.full(N, age))
    assert abs(z(left, age / (4 * 1e4))) < 4
    deviate = 60.0
    old = round(100 * math.exp(0.1 * deviate - 0.1**2 / 2)) * MS_PER_H
    left = lognormal.residual(np.random.default_rng(SEED), np.full(N, old))
    # T | T > a is a e^(sigma d), d exponential of rate z + 1/z: mean a (rate / (rate - sigma) - 1), to order 1/z^3
    rate = deviate + 1 / deviate
    assert abs(left.mean() / (old * 0.1 / (rate - 0.1)) - 1) < 4 / math.sqrt(N) + 1 / deviate**3


@pytest.mark.parametrize(("written", "left"), LAWS, ids=IDS)
def test_a_life_cut_in_two_is_a_life(written, left):
    """Minimal repair: what is left at age a, given survival, makes the survivors of a the whole law again."""
    life = draws(components=N, mtbf=written)
    whole = life.lives(0)
    cut = 40 * MS_PER_H
    survivors = whole > cut
    mended = whole.copy()
    ages = np.full(int(survivors.sum()), cut)
    mended[survivors] = cut + life.hazard.lifetime.residual(np.random.default_rng(SEED + 1), ages)
    assert abs(z(mended / MS_PER_H, left(1e-9)[0])) < 4


def test_every_row_is_a_life_of_its_own():
    """Rows do not depend on which others are asked for, differ, and a million components take one stream each."""
    asked = []

    def stream(purpose):
        asked.append(purpose)
        return generator(SEED, 0, "gpu", purpose)

    hazard = Hazard.model_validate({"component": "gpu", "mtbf": WEIBULL, "age": "5 h"})
    drawn = Draws(hazard, 10**6, 10**6, DAY, stream)
    rows = [drawn.lives(0), drawn.lives(2)]
    assert asked == [("lives", 0), ("lives", 2)]
    assert all(row.shape == (10**6,) and row.dtype == np.int64 and row.min() >= 1 for row in rows)
    again = Draws(hazard, 10**6, 10**6, DAY, stream).lives(2)
    np.testing.assert_array_equal(rows[1], again)
    assert abs(np.corrcoef(*rows)[0, 1]) < 4 / math.sqrt(10**6)


def test_only_the_first_life_has_the_age():
    """What stands in a failed component's place is new: later rows are the same whatever the age at t = 0."""
    aged, new = draws(mtbf=WEIBULL, age="60 h"), draws(mtbf=WEIBULL)
    assert not np.array_equal(aged.lives(0), new.lives(0))
    np.testing.assert_array_equal(aged.lives(1), new.lives(1))


def test_an_observed_life_that_is_over_is_not_drawn_again():
    """At 50 h only lives of 140 and 200 h are longer; at 200 h nothing is left but the millisecond every life has."""
    drawn = draws(mtbf=EMPIRICAL)
    left = np.array([drawn.left(50 * MS_PER_H) for _ in range(1_000)])
    assert set((left / MS_PER_H).tolist()) == {140 - 50, 200 - 50}
    assert [drawn.left(age * MS_PER_H) for age in (200, 201)] == [1, 1]


# --- renewal ----------------------------------------------------------------------------------------------------------


def renewals(distribution, horizon, cells=3_000):
    """Expected renewals in [0, horizon] of one component: m(t) = F(t) + integral of F(t - s) dm(s), by midpoints.

    Xie's scheme (1989): m_i = F(t_i) + sum over j <= i of (m_j - m_(j-1)) F(t_i - t_(j - 1/2)), solved for m_i.
    """
    step = horizon / cells
    ends = distribution(step * np.arange(cells + 1))
    middles = distribution(step * (np.arange(cells + 1) + 0.5))
    renewed = np.zeros(cells + 1)
    for i in range(1, cells + 1):
        increments = np.diff(renewed[:i])
        sums = (increments * middles[i - 1 : 0 : -1]).sum() if i > 1 else 0.0
        renewed[i] = (ends[i] + sums - middles[0] * renewed[i - 1]) / (1 - middles[0])
    return renewed[-1]


def weibull(shape):
    """Distribution function of a Weibull life with a mean of 100 d [d]."""
    return lambda t: 1 - np.exp(-((t / (100 / gamma(1 + 1 / shape))) ** shape))


def lognormal(t):
    """Distribution function of a lognormal life with a mean of 100 d and sigma 1 [d]."""
    with np.errstate(divide="ignore"):
        return ndtr(np.log(t / 100) + 0.5)


RENEWALS = [
    ({"kind": "weibull", "mean": "100 d", "shape": 0.7}, 274.73, weibull(0.7)),
    ({"kind": "exponential", "mean": "100 d"}, 150.00, weibull(1)),
    ({"kind": "weibull", "mean": "100 d", "shape": 1.5}, 68.51, weibull(1.5)),
    ({"kind": "lognormal", "mean": "100 d", "sigma": 1.0}, 127.94, lognormal),
]


def failures_in_a_month(mtbf, replication):
    """Failures of 500 components in 30 days whose repair takes no time: a new row's life after each."""
    drawn = draws(components=500, mtbf=mtbf, replication=replication)
    due = np.zeros(500, dtype=np.int64)
    failures = 0
    for row in count():
        due += drawn.lives(row)
        failures += int((due < 30 * DAY).sum())
        if (due >= 30 * DAY).all():
            return failures


@pytest.mark.parametrize(("mtbf", "expected", "distribution"), RENEWALS)
def test_renewal_counts(mtbf, expected, distribution):
    """500 components over 30 days fail as often as the renewal equation, solved here, and docs/model.md say."""
    assert abs(500 * renewals(distribution, 30) - expected) < 0.006
    found = [failures_in_a_month(mtbf, replication) for replication in range(200)]
    assert abs(z(found, expected)) < 4


def test_drawing_every_life_anew_is_told_apart():
    """The classic error: all 500 lives are drawn again at each failure, so that nobody ages. It is off by far."""
    rng = np.random.default_rng(SEED)
    life = ANY.validate_python(RENEWALS[2][0])
    counts = []
    for _ in range(20):
        now = failures = 0
        while (now := now + int(life.draw(rng, 500).min())) < 30 * DAY:
            failures += 1
        counts.append(failures)
    assert abs(z(counts, 68.51)) > 4


# --- lemons that age --------------------------------------------------------------------------------------------------

LEMONS = {"fraction": "5 %", "factor": 10}
WORN = 1 + 9 * 0.05
"""W / C: lives are so much longer, lest lemons raise the rate of all."""


def test_lemons_that_age_keep_the_mean_rate_too():
    """Lives are W/C times longer; a lemon's are divided by 10: the sum of all rates is C / mean."""
    drawn = draws(components=100_000, mtbf=LOGNORMAL, lemons=LEMONS)
    lives = drawn.lives(1) / MS_PER_H
    assert abs(z(lives, 100 * WORN)) < 4
    lemon = np.zeros(100_000, dtype=bool)
    lemon[drawn.lemons] = True
    rates = (1 / (lives[~lemon].mean())) * 95_000 + 5_000 / (lives[lemon].mean() / 10)
    assert rates == pytest.approx(100_000 / 100, rel=0.03)


def test_a_lemon_of_some_age_is_worn_as_others_at_factor_times_it():
    """Row 0 at an age: others are a old, a lemon 10 a on the clock of the others; both have the law's mean residual."""
    drawn = draws(components=N, mtbf=WEARING, age="20 h", lemons=LEMONS)
    lemon = np.zeros(N, dtype=bool)
    lemon[drawn.lemons] = True
    for chosen, age in ((lemon, 200), (~lemon, 20)):
        rest, alive = weibull_left(300 * WORN, 4)(age)
        assert abs(z(drawn.lives(0)[chosen] / MS_PER_H, rest / alive)) < 4


@pytest.mark.parametrize("shape", [0.5, 0.7, 1.0, 1.5, 4.0])
def test_one_life_has_as_much_left_as_many_have(shape):
    """The formula for one component, which machine code has too, and the one for arrays draw the same lives."""
    law = WeibullLifetime.model_validate({"kind": "weibull", "mean": "100 h", "shape": shape})
    ages = np.exp(np.random.default_rng(SEED).uniform(0, np.log(500 * MS_PER_H), 2_000)).astype(np.int64)
    one, many = np.random.default_rng(SEED + 1), np.random.default_rng(SEED + 1)
    found = np.array([law.left(one, age) for age in ages.tolist()])
    np.testing.assert_allclose(found, law.residual(many, ages), rtol=1e-11, atol=1)
