"""Which law times follow: four of them by likelihood, and how far each lies from what was seen."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.lives import LEAST, Lives, distance, kaplan_meier, weibull_of

Values = NDArray[np.float64]

MOST_RESAMPLES = 199
"""Samples of a law against which its distance is held; source: assumed, so that a chance of 0.5 % can be told."""
EXCEEDED = 10
"""Samples farther away than what was seen, after which a chance is known well enough (Besag and Clifford 1991)."""
MOST_DRAWN = 500_000
"""Times that are drawn at most for one chance; of long records fewer samples are drawn, at least 39."""
SURE = 0.05
"""A law does not fit where its own samples are so far from it with less than this probability; source: custom."""


CLOSE_AIC = 2
"""Laws whose AIC is within this of the best one's cannot be told apart; source: Burnham and Anderson 2002."""


@dataclass(frozen=True)
class _Family:
    """A law with two parameters or one: log density, log survival and age by log survival, each of ages [h]."""

    parameters: tuple[str, ...]
    log_density: Callable[[Values, Sequence[float]], Values]
    log_survival: Callable[[Values, Sequence[float]], Values]
    age: Callable[[Values, Sequence[float]], Values]
    mean: Callable[[Sequence[float]], float]


def _lognormal_density(t: Values, p: Sequence[float]) -> Values:
    return np.asarray(-0.5 * ((np.log(t) - p[0]) / p[1]) ** 2 - np.log(t * p[1]) - 0.5 * math.log(2 * math.pi))


def _lognormal_survival(t: Values, p: Sequence[float]) -> Values:
    from scipy.special import log_ndtr

    with np.errstate(divide="ignore"):
        return np.asarray(log_ndtr((p[0] - np.log(t)) / p[1]))


def _lognormal_age(logs: Values, p: Sequence[float]) -> Values:
    from scipy.special import ndtri_exp

    return np.asarray(np.exp(p[0] - p[1] * ndtri_exp(logs)))


def _gamma_density(t: Values, p: Sequence[float]) -> Values:
    return np.asarray((p[0] - 1) * np.log(t) - t / p[1] - math.lgamma(p[0]) - p[0] * math.log(p[1]))


def _gamma_survival(t: Values, p: Sequence[float]) -> Values:
    from scipy.special import gammaincc

    return np.asarray(np.log(np.maximum(gammaincc(p[0], t / p[1]), 1e-300)))


def _gamma_age(logs: Values, p: Sequence[float]) -> Values:
    from scipy.special import gammainccinv

    return np.asarray(p[1] * gammainccinv(p[0], np.exp(logs)))


FAMILIES = {
    "exponential": _Family(
        ("mean_h",),
        lambda t, p: -t / p[0] - math.log(p[0]),
        lambda t, p: -t / p[0],
        lambda logs, p: -logs * p[0],
        lambda p: p[0],
    ),
    "weibull": _Family(
        ("shape", "scale_h"),
        lambda t, p: np.log(t / p[1]) * (p[0] - 1) + math.log(p[0] / p[1]) - (t / p[1]) ** p[0],
        lambda t, p: -((t / p[1]) ** p[0]),
        lambda logs, p: p[1] * (-logs) ** (1 / p[0]),
        lambda p: p[1] * math.gamma(1 + 1 / p[0]),
    ),
    "lognormal": _Family(
        ("log_mean", "sigma"),
        _lognormal_density,
        _lognormal_survival,
        _lognormal_age,
        lambda p: math.exp(min(700.0, p[0] + p[1] ** 2 / 2)),
    ),
    "gamma": _Family(("shape", "scale_h"), _gamma_density, _gamma_survival, _gamma_age, lambda p: p[0] * p[1]),
}


@dataclass(frozen=True)
class Law:
    """The likeliest law of its family ("exponential", "weibull", "lognormal", "gamma") through some lives.

    ``parameters``: by the names in ``FAMILIES``; log_mean and sigma are those of the logarithm of hours. ``aic``:
    2 * parameters - 2 * log likelihood. ``distance``: Kolmogorov's, to the Kaplan-Meier curve at failures. ``chance``:
    with which probability a sample of the law itself, seen as the lives were, lies at least as far from the law that
    is the likeliest through it (parametric bootstrap).
    """

    name: str
    parameters: tuple[float, ...]
    log_likelihood: float
    aic: float
    distance: float
    chance: float

    @property
    def mean_h(self) -> float:
        """Mean of the law [h]."""
        return FAMILIES[self.name].mean(self.parameters)

    @property
    def fits(self) -> bool:
        """Whether its own samples lie as far from it as what was seen."""
        return self.chance >= SURE

    def survival(self, ages_h: Values) -> Values:
        """Return the share that reaches ages [h], float64 of their length."""
        return np.exp(FAMILIES[self.name].log_survival(np.asarray(ages_h, dtype=np.float64), self.parameters))


@dataclass(frozen=True, eq=False)
class Fit:
    """Laws through the same lives, the best by AIC first."""

    laws: tuple[Law, ...]
    lives: Lives

    @property
    def best(self) -> Law:
        """The law with the least AIC."""
        return self.laws[0]

    def law(self, name: str) -> Law:
        """Return the law of a family; raises KeyError."""
        return next(each for each in self.laws if each.name == name)

    @property
    def sentence(self) -> str:
        """What is said of the laws, in a sentence or two."""
        first, second = self.laws[0], self.laws[1]
        against = next(each for each in self.laws if each.name != first.name)
        if second.aic - first.aic < CLOSE_AIC:
            close = [each.name for each in self.laws if each.aic - first.aic < CLOSE_AIC]
            said = f"{', '.join(close[:-1])} and {close[-1]} cannot be told apart (AIC within {CLOSE_AIC})"
        else:
            said = f"{first.name} fits best (AIC {against.aic - first.aic:.1f} below {against.name})"
        where = f"at most {100 * first.distance:.1f} points from what was seen"
        if first.fits:
            return f"{said}; the {first.name} law lies {where}, as its own samples do (p = {first.chance:.2g})"
        return f"{said}; but no law fits: the {first.name} law lies up to {100 * first.distance:.1f} points off, " + (
            f"farther than its own samples do (p = {first.chance:.2g})"
        )

    def curves(self, ages_h: Values) -> dict[str, Values]:
        """Return the share that reaches ages [h] by "seen" (Kaplan-Meier) and by each law, float64 of their length."""
        ages = np.asarray(ages_h, dtype=np.float64)
        at, left = kaplan_meier(self.lives)
        seen = np.concatenate([[1.0], left])[np.searchsorted(at, ages, side="right")]
        return {"seen": seen, **{law.name: law.survival(ages) for law in self.laws}}


def _distance(lives: Lives, family: _Family, parameters: Sequence[float]) -> float:
    return distance(lives, lambda ages: np.exp(family.log_survival(ages, parameters)))


def _likeliest(name: str, lives: Lives, start: Sequence[float] | None = None) -> tuple[float, ...] | None:
    """Return the likeliest parameters of a family; None where there are none."""
    failed = lives.to_h[lives.failed]
    if name == "exponential":
        return (float((lives.to_h - lives.from_h).sum()) / len(failed),)
    if name == "weibull":
        found = weibull_of(lives, interval_too=False)
        return None if found is None else (found.shape, found.scale_h)
    logs = np.log(failed)
    whole = bool(lives.failed.all()) and not lives.from_h.any()
    if name == "lognormal" and whole:
        return float(logs.mean()), float(logs.std())
    if start is None:
        mean = float((lives.to_h - lives.from_h).sum()) / len(failed)
        spread = max(0.05, float(logs.std()))
        start = (math.log(mean) - spread**2 / 2, spread) if name == "lognormal" else (1 / spread**1.3, 0.0)
        if name == "gamma":
            start = (start[0], mean / start[0])
    from scipy.optimize import minimize

    family = FAMILIES[name]
    on, later = lives.to_h[~lives.failed], lives.from_h[lives.from_h > 0]

    def given(x: Values) -> tuple[float, float]:
        if name == "lognormal":
            return float(x[0]), math.exp(min(20.0, float(x[1])))
        shape, mean = math.exp(float(np.clip(x[0], -6, 12))), math.exp(float(np.clip(x[1], -40, 60)))
        return shape, mean / shape

    def against(x: Values) -> float:
        p = given(x)
        found = family.log_density(failed, p).sum() + family.log_survival(on, p).sum()
        return -float(found - family.log_survival(later, p).sum())

    first = (
        (start[0], math.log(start[1])) if name == "lognormal" else (math.log(start[0]), math.log(start[0] * start[1]))
    )
    simplex = np.array([first, (first[0] + 0.1, first[1]), (first[0], first[1] + 0.1)])
    result = minimize(
        against,
        simplex[0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6, "maxiter": 600},
    )
    return given(result.x)


def _log_likelihood(lives: Lives, family: _Family, parameters: Sequence[float]) -> float:
    later = lives.from_h[lives.from_h > 0]
    found = family.log_density(lives.to_h[lives.failed], parameters).sum()
    found += family.log_survival(lives.to_h[~lives.failed], parameters).sum()
    return float(found - family.log_survival(later, parameters).sum())


def _drawn(lives: Lives, family: _Family, parameters: Sequence[float], rng: np.random.Generator) -> Lives:
    """Return lives of a law, each from the age on and up to the age that one was seen."""
    since = np.where(lives.from_h > 0, family.log_survival(np.maximum(lives.from_h, 1e-300), parameters), 0.0)
    ages = family.age(since + np.log(1 - rng.random(len(lives))), parameters)
    ages = np.maximum(ages, lives.from_h * (1 + 1e-12) + 1e-12)
    to = np.minimum(ages, lives.limit_h)
    return Lives(lives.from_h, to, ages <= lives.limit_h, lives.limit_h, lives.unit, lives.waited_h, lives.clock)


def _chance(name: str, lives: Lives, parameters: tuple[float, ...], distance: float, seed: int) -> float:
    family, rng = FAMILIES[name], np.random.default_rng(seed)
    most = max(39, min(MOST_RESAMPLES, MOST_DRAWN // len(lives)))
    farther = drawn = 0
    while drawn < most and farther < EXCEEDED:
        sample = _drawn(lives, family, parameters, rng)
        found = _likeliest(name, sample, parameters) if sample.failed.sum() >= LEAST else None
        drawn += 1
        farther += found is None or _distance(sample, family, found) >= distance
    return farther / drawn if farther == EXCEEDED else (farther + 1) / (drawn + 1)


def fitted(lives: Lives, seed: int = 0, judged: Collection[str] = tuple(FAMILIES)) -> Fit | None:
    """Return the likeliest exponential, Weibull, lognormal and gamma laws through lives, by AIC.

    None for fewer than ``LEAST`` failures at different ages. ``seed``: of the samples by which distances are
    judged; those of the families that are not in ``judged`` are not, and have no chance (NaN).
    """
    if len(lives) < LEAST or len(np.unique(lives.ended)) < LEAST or float(lives.to_h.min()) <= 0:
        return None
    laws = []
    for number, (name, family) in enumerate(FAMILIES.items()):
        parameters = _likeliest(name, lives)
        if parameters is None:
            continue
        height = _log_likelihood(lives, family, parameters)
        off = _distance(lives, family, parameters)
        chance = _chance(name, lives, parameters, off, seed + number) if name in judged else math.nan
        laws.append(Law(name, parameters, height, 2 * len(parameters) - 2 * height, off, chance))
    return Fit(tuple(sorted(laws, key=lambda each: each.aic)), lives) if len(laws) > 1 else None
