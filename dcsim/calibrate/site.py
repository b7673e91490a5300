"""A site's outages by class of component: how often, for how long, in which pattern, and a scenario's part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.lives import Weibull, weibull
from dcsim.calibrate.patterns import Clusters, Lemons, Trend, clusters, lemons, trend
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.repairs import RepairTimes, repair_times
from dcsim.records import Outages

Values = NDArray[np.float64]

WINDOW_H = 24.0
"""Windows in which failures are counted to find bursts [h]; source: assumed, a day."""
MOST_OBSERVED = 200
"""Observed repairs that a fragment lists where no lognormal law fits, at equal chances; source: assumed."""
DRAWS = 4_000
"""Draws by which a fragment's uncertain inputs are told; source: assumed."""
FEW = 10
"""Failures below which a prior moves the answer much; source: assumed."""


@dataclass(frozen=True, eq=False)
class ClassEstimate:
    """What the record says of one class. ``units``: how many are in service; ``counted``: seen in the file, not given.

    ``rate``: failures per unit-hour in service. ``lives``: None where a shape cannot be told. ``repairs``: None where
    too few ended. Outages of a unit that overlap are one failure.
    """

    name: str
    outages: int
    seen: int
    units: int
    counted: bool
    rate: Rate
    lives: Weibull | None
    repairs: RepairTimes | None
    clusters: Clusters | None
    lemons: Lemons | None
    trend: Trend | None

    @property
    def open(self) -> int:
        """Outages that had not ended when the record did."""
        return 0 if self.repairs is None else len(self.repairs.open_hours)

    @property
    def ages(self) -> bool:
        """Whether the failure rate is known to change with the time since the last repair."""
        return self.lives is not None and not self.lives.ageless


@dataclass(frozen=True, eq=False)
class Calibration:
    """All classes of a record, the most frequent first."""

    outages: Outages
    classes: tuple[ClassEstimate, ...]


def calibrated(
    outages: Outages, units: int | None = None, span_h: float | None = None, together: bool = False, seed: int = 0
) -> Calibration:
    """Return what outages say of each of their kinds, ``together``: of all kinds as one.

    ``units``: how many components are in service all the time; None: those that the file names, which leaves out any
    that never failed. ``span_h``: how long the record is; None: to its last moment. Raises ValueError if more
    components fail than there are, or if the record ends before its last outage.
    """
    whole = span_h if span_h is not None else outages.span_h
    if outages.start_h.max() > whole:
        raise ValueError(f"span: found {whole:g} h; the last outage begins at {outages.start_h.max():g} h")
    if whole <= 0:
        raise ValueError("all outages begin at one moment, so the record has no length; give its span")
    named = len(outages.components)
    if units is not None and units < named:
        raise ValueError(f"units: found {units}; the file names {named} components")
    many = units if units is not None else named
    kinds = [None] if together else list(range(len(outages.kinds)))
    found = []
    for kind in kinds:
        its = outages if kind is None else outages.of_kind(kind)
        name = "all" if kind is None else outages.kinds[kind] or "all"
        found.append(_estimate(name, its, many, units is None, whole, seed))
    return Calibration(outages, tuple(sorted(found, key=lambda each: -each.rate.failures)))


def _estimate(name: str, outages: Outages, units: int, counted: bool, span_h: float, seed: int) -> ClassEstimate:
    starts, down, ended, going_on = [], 0.0, [], []
    counts = np.zeros(units, dtype=np.int64)
    for component, its in _by_component(outages, span_h):
        counts[component] = len(its)
        starts += [start for start, _ in its]
        down += sum(end - start for start, end in its)
        ended += [after - end for (_, end), (after, _) in pairwise(its) if after > end]
        going_on.append(span_h - its[-1][1])
    at = np.sort(np.array(starts))
    repair = outages.repair_h
    still = np.isnan(repair)
    open_hours = np.maximum(0, span_h - outages.start_h[still])
    return ClassEstimate(
        name,
        len(outages),
        int((counts > 0).sum()),
        units,
        counted,
        rate(len(at), max(units * span_h - down, span_h)),
        weibull(np.array(ended), np.array(going_on)),
        repair_times(repair[~still], open_hours, seed),
        clusters(at, span_h, WINDOW_H),
        lemons(counts),
        trend(at, span_h),
    )


def _by_component(outages: Outages, span_h: float) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Yield each component's failures as (begin, end) [h], those that overlap united, open ones to the end."""
    order = np.lexsort((outages.start_h, outages.component))
    whose = outages.component[order]
    cuts = np.flatnonzero(np.diff(whose)) + 1
    for rows in np.split(order, cuts):
        united: list[tuple[float, float]] = []
        for row in rows.tolist():
            start, end = float(outages.start_h[row]), float(outages.end_h[row])
            end = span_h if np.isnan(end) else min(end, span_h)
            if united and start < united[-1][1]:
                united[-1] = united[-1][0], max(united[-1][1], end)
            else:
                united.append((start, max(start, end)))
        yield int(outages.component[rows[0]]), united


# --- into a scenario ----------------------------------------------------------------------------------------------


def fragment(estimate: ClassEstimate, component: str, seed: int = 0) -> dict[str, Any]:
    """Return ``hazards``, ``uncertain`` and ``correlated`` of a scenario, as its file has them.

    The law of failures is a constant rate unless the record rules it out; that of repairs is lognormal unless the
    record rules that out, and then the observed times. What is not known of them is drawn jointly: lognormal inputs
    with the rank correlation that the draws have.
    """
    rng = np.random.default_rng(seed)
    key = f"hazards.{estimate.name}"
    hazard: dict[str, Any] = {"name": estimate.name, "component": component, "detect": "0 s"}
    uncertain: list[dict[str, Any]] = []
    correlated: list[dict[str, Any]] = []
    if estimate.lives is not None and estimate.ages:
        lives = estimate.lives
        shapes, scales = lives.draws(DRAWS, rng)
        hazard["mtbf"] = {"kind": "weibull", "mean": _hours(lives.mean_h), "shape": round(lives.shape, 4)}
        from scipy.special import gamma

        means = scales * gamma(1 + 1 / shapes)
        uncertain += [_input(f"{key}.mtbf.mean", means, "h"), _input(f"{key}.mtbf.shape", shapes, "")]
        ranks = _ranked(means, shapes)
        correlated.append({"keys": [f"{key}.mtbf.mean", f"{key}.mtbf.shape"], "rank_correlation": ranks})
    else:
        mtbfs = 1 / estimate.rate.draws(DRAWS, rng)
        hazard["mtbf"] = _hours(estimate.rate.mtbf_h or float(np.median(mtbfs)))
        uncertain.append(_input(f"{key}.mtbf", mtbfs, "h"))
    repairs = estimate.repairs
    if repairs is None:
        hazard["repair"] = "0 s"
    elif repairs.understated or repairs.overstated:
        shares = (np.arange(MOST_OBSERVED) + 0.5) / MOST_OBSERVED
        few = len(repairs.hours) <= MOST_OBSERVED
        observed = np.sort(repairs.hours) if few else _grouped(repairs.hours, shares)
        hazard["repair"] = {"kind": "empirical", "values": [_hours(each) for each in observed.tolist()]}
    else:
        means, _ = repairs.draws(DRAWS, rng)
        hazard["repair"] = {
            "kind": "lognormal",
            "mean": _hours(repairs.law_mean_h),
            "sigma": round(repairs.sigma, 4),
        }
        uncertain.append(_input(f"{key}.repair.mean", means, "h"))
    return {"hazards": [hazard], "uncertain": uncertain, "correlated": correlated}


def _grouped(hours: Values, shares: Values) -> Values:
    """Return the means of equal parts of the sorted times, so that their mean is that of all."""
    parts = np.array_split(np.sort(hours), len(shares))
    weights = len(parts) * np.array([len(part) for part in parts]) / len(hours)
    return np.array([part.mean() for part in parts]) * weights


def _hours(value: float) -> str:
    return f"{value:.6g} h" if value >= 1 else f"{value * 60:.6g} min"


def _input(key: str, draws: Values, unit: str) -> dict[str, Any]:
    """Return an uncertain input: a lognormal value with the mean and the spread of the draws' middle."""
    logs = np.log(draws)
    low, high = np.quantile(logs, (0.025, 0.975))
    sigma = max(1e-4, min(3.0, float(high - low) / 3.92))
    mean = float(np.exp((low + high) / 2 + sigma**2 / 2))
    return {
        "key": key,
        "value": {"kind": "lognormal", "mean": _hours(mean) if unit else round(mean, 6), "sigma": round(sigma, 4)},
    }


def _ranked(first: Values, second: Values) -> float:
    """Return Spearman's rank correlation of draws."""
    a, b = (np.argsort(np.argsort(each)) for each in (first, second))
    return round(float(np.corrcoef(a, b)[0, 1]), 3)


def merged(fragments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return fragments as one; a key that holds nothing is left out."""
    keys = ("hazards", "uncertain", "correlated")
    found = {key: [each for one in fragments for each in one[key]] for key in keys}
    return {key: each for key, each in found.items() if each}
