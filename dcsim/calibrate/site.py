"""A site's outages by class of component: how often, for how long, and in which pattern."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.blame import Blame
from dcsim.calibrate.lives import Weibull, failures_of, lives_of, weibull_of
from dcsim.calibrate.own_rates import OwnRates, own_rates
from dcsim.calibrate.patterns import SURE, Clumps, Clusters, Lemons, Trend, clumps, clusters, lemons, trend
from dcsim.calibrate.priors import Belief, Prior, believed
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.records import SpanError, closed, named
from dcsim.calibrate.repairs import RepairTimes, Tail, repair_times, tail
from dcsim.calibrate.suspects import Suspects, suspects
from dcsim.records import Outages

Values = NDArray[np.float64]

WINDOW_H = 24.0
"""Windows in which failures are counted to find bursts [h]; source: assumed, a day."""
MOST_CLASSES = 12
"""Classes that are told apart; source: assumed, what a table shows at a glance. The rarest become one."""
OTHERS = "others"
FEW = 10
"""Failures below which a prior moves the answer much; source: assumed."""


class UnitsError(ValueError):
    """The number of components in service does not fit the record, or is not told."""


@dataclass(frozen=True, eq=False)
class ClassEstimate:
    """What the record says of one class. ``units``: how many are in service; ``counted``: seen in the file, not given.

    ``rate``: failures per unit-hour in service. ``lives``: None where a shape cannot be told. ``repairs``: None where
    too few ended. Outages of a unit that overlap are one failure. ``at``: when each failure began [h], float64 (n,),
    sorted; ``by_unit``: failures of each unit, int64 (units,), None where the record does not say whose they are.
    ``noticed_h``: from the beginning of each outage to when it was noticed [h], without those that do not tell it.
    ``short``: up to two repairs that ended, where they are too few for ``repairs`` [h]. ``open``: outages that go on;
    ``forgotten``: outages without an end of a unit that failed again later. ``own``: where units differ, the
    shape that they share, each with a rate of its own; ``suspects``: units by failures;
    ``clumps``: pairs of failures in one day, of the same unit and of two; ``tail``: of the repairs that ended.
    """

    name: str
    outages: int
    units: int
    counted: bool
    rate: Rate
    lives: Weibull | None
    repairs: RepairTimes | None
    clusters: Clusters | None
    lemons: Lemons | None
    trend: Trend | None
    open: int
    at: Values
    by_unit: NDArray[np.int64] | None
    noticed_h: Values
    short: Values
    forgotten: int = 0
    prior: Prior | None = None
    own: OwnRates | None = None
    suspects: Suspects | None = None
    clumps: Clumps | None = None
    tail: Tail | None = None

    @property
    def ages(self) -> bool:
        """Whether the failure rate is known to change with the time since the last repair."""
        return self.lives is not None and not self.lives.ageless

    @property
    def together(self) -> bool:
        """Whether failures of different units come together, beyond chance, and no trend makes it look so."""
        if self.dispersion <= 1 or (self.trend is not None and self.trend.found):
            return False
        return self.clumps is None or (self.clumps.together > 1 and self.clumps.together_chance < SURE)

    @property
    def shape(self) -> float | None:
        """Weibull shape of times between failures: where it can be told that of units with rates of their own."""
        return self.own.shape if self.own is not None else None if self.lives is None else self.lives.shape

    @property
    def dispersion(self) -> float:
        """Variance by mean of the daily counts, where failures come in bursts beyond chance; else 1."""
        return self.clusters.dispersion if self.clusters is not None and self.clusters.bursts else 1.0

    @cached_property
    def belief(self) -> Belief:
        """What is believed of the rate after the record."""
        return believed(self.rate, self.prior, self.dispersion)

    def to_json(self) -> dict[str, Any]:
        """Return the estimates; times in hours, None where the record does not tell."""
        lives, repairs, lemons, trend = self.lives, self.repairs, self.lemons, self.trend
        low, high = self.belief.interval_h()
        found: dict[str, Any] = {
            "class": self.name,
            "failures": self.rate.failures,
            "units": self.units,
            "units_counted": self.counted,
            "exposure_unit_h": self.rate.exposure_h,
            "mtbf_h": self.rate.mtbf_h,
            "mtbf_ci95_h": list(self.rate.mtbf_interval_h),
            "belief": {"mtbf_h": self.belief.mtbf_h, "interval95_h": [low, high], "shape": self.belief.shape},
            "prior": None if self.prior is None else {"name": self.prior.name, "failures": self.prior.failures},
            "open": self.open,
            "daily_dispersion": None if self.clusters is None else self.clusters.dispersion,
            "bursts": self.dispersion > 1,
        }
        found["weibull"] = lives and {
            "shape": lives.shape,
            "shape_ci95": [lives.shape_low, lives.shape_high],
            "mean_h": lives.mean_h,
        }
        found["repair"] = repairs and {
            "ended": len(repairs.hours),
            "median_h": repairs.median_h,
            "mean_h": repairs.mean_h,
            "mean_ci95_h": [repairs.mean_low_h, repairs.mean_high_h],
            "lognormal_mean_h": repairs.law_mean_h,
            "sigma": repairs.sigma,
            "lognormal_understates": bool(repairs.understated),
        }
        found["lemons"] = lemons and {
            "found": bool(lemons.found),
            "spread": lemons.spread,
            "worst_tenth": lemons.worst_share,
        }
        found["trend"] = trend and {"found": trend.found, "power": trend.power, "ci95": [trend.low, trend.high]}
        return found


@dataclass(frozen=True, eq=False)
class Calibration:
    """All classes of a record, the most frequent first. ``whole``: all of them as one.

    ``span_h``: how long the record is; ``spanned``: that was given, and is not from the first outage to the last moment
    in the file. ``pooled``: names of the classes that became ``OTHERS``. ``blame``: of nodes and of owners of jobs,
    where the record tells runs of jobs.
    """

    outages: Outages
    whole: ClassEstimate
    classes: tuple[ClassEstimate, ...]
    span_h: float
    spanned: bool
    pooled: tuple[str, ...] = ()
    blame: Blame | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all estimates, and how the record was read."""
        return {
            "span_h": self.span_h,
            "together": self.whole.to_json(),
            "classes": [each.to_json() for each in self.classes],
            "read_as": list(self.outages.told),
            "broken_lines": dict(self.outages.broken.counts),
            "blame": None if self.blame is None else asdict(self.blame),
        }


def calibrated(
    outages: Outages,
    units: int | None = None,
    span_h: float | None = None,
    together: bool = False,
    prior: Prior | None = None,
    seed: int = 0,
) -> Calibration:
    """Return what outages say of each of their kinds, ``together``: of all kinds as one.

    ``units``: how many components are in service all the time; None: as the record tells, else those that it names,
    which leaves out any that never failed. ``span_h``: how long the record is; None: to its last moment. ``prior``: of
    all kinds together. Raises UnitsError if more components fail than there are, or if they are not told, and SpanError
    if the record ends before its last outage or has no length.
    """
    whole_h = span_h if span_h is not None else outages.span_h
    last_h = float(outages.start_h.max(initial=0.0))
    if last_h > whole_h:
        raise SpanError(f"found {whole_h:,.6g} h; the last outage begins {last_h:,.6g} h after the first")
    if whole_h <= 0:
        raise SpanError("missing; all outages begin at one moment, so the record has no length")
    names = len(named(outages))
    if units is not None and units < names:
        raise UnitsError(f"found {units:,}; the record names {names:,} components")
    many = units or outages.units or names
    if not many:
        raise UnitsError("missing; the record does not name components, so they cannot be counted")
    counted = units is None and outages.units is None
    outages, pooled = _pooled(outages)
    outages, forgotten = closed(outages)
    whole = _estimate("all", outages, forgotten, many, counted, whole_h, prior, seed)
    kinds = () if together or len(outages.kinds) < 2 else range(len(outages.kinds))
    shared = prior.shared(len(kinds)) if prior and kinds else prior
    found = []
    for kind in kinds:
        name, its = outages.kinds[kind] or "not told", outages.of_kind(kind)
        found.append(_estimate(name, its, forgotten[outages.kind == kind], many, counted, whole_h, shared, seed))
    if not found:
        found = [whole if together or not any(outages.kinds) else replace(whole, name=outages.kinds[0])]
    order = sorted(found, key=lambda each: -each.rate.failures)
    return Calibration(outages, whole, tuple(order), whole_h, span_h is not None, pooled)


def of_count(failures: int, units: int, span_h: float, prior: Prior | None = None) -> Calibration:
    """Return what a mere count of failures says; ``span_h``: how long ``units`` components were watched, above 0 h."""
    none = np.array([])
    whole = ClassEstimate(
        "all", failures, units, False, rate(failures, units * span_h),
        None, None, None, None, None, 0, none, None, none, none, 0, prior,
    )  # fmt: skip
    numbers = np.array([], dtype=np.int64)
    outages = Outages(
        none, none, numbers, ("",), numbers, ("",), None, span_h, 0, ("a count that was given, not a file",)
    )
    return Calibration(outages, whole, (whole,), span_h, True)


def _pooled(outages: Outages) -> tuple[Outages, tuple[str, ...]]:
    """Return the outages with the rarest kinds made one, so that there are at most ``MOST_CLASSES``; and these."""
    if len(outages.kinds) <= MOST_CLASSES:
        return outages, ()
    counts = np.bincount(outages.kind, minlength=len(outages.kinds))
    order = np.argsort(-counts, kind="stable")
    kept, rare = order[: MOST_CLASSES - 1], order[MOST_CLASSES - 1 :]
    number = np.full(len(counts), MOST_CLASSES - 1)
    number[kept] = np.arange(MOST_CLASSES - 1)
    names = (*(outages.kinds[each] for each in kept), OTHERS)
    return replace(outages, kind=number[outages.kind], kinds=names), tuple(outages.kinds[each] for each in rare)


def _estimate(
    name: str,
    outages: Outages,
    forgotten: NDArray[np.bool_],
    units: int,
    counted: bool,
    span_h: float,
    prior: Prior | None,
    seed: int,
) -> ClassEstimate:
    repair = np.where(forgotten, np.nan, outages.repair_h)
    still = np.isnan(outages.end_h)
    told = repair[~(still | forgotten)]
    open_hours = np.maximum(0, span_h - outages.start_h[still])
    noticed = np.array([]) if outages.noticed_h is None else outages.noticed_h - outages.start_h
    service_h = units * span_h if outages.unit_h is None else outages.unit_h
    counts, lives, suspected, pairs = None, None, None, None
    if named(outages):
        failures = failures_of(outages, span_h)
        at, down = np.sort(failures.start_h), failures.down_h
        counts, lives = failures.counts(units), lives_of(failures, units)
        pairs = clumps(failures.start_h, failures.unit, span_h, WINDOW_H)
        of_units = np.bincount(failures.unit, failures.end_h - failures.start_h, units)
        in_service = np.maximum(service_h / units - of_units, 1e-3 * service_h / units)
        suspected = suspects(counts, in_service, outages.components)
    else:  # each row is a failure of a component that it does not name
        at = np.sort(outages.start_h)
        down = float((np.where(still, span_h, outages.end_h) - outages.start_h).sum())
    differ = None if counts is None else lemons(counts)
    return ClassEstimate(
        name,
        len(outages),
        units,
        counted,
        rate(len(at), max(service_h - down, service_h / units)),
        weibull_of(lives) if lives is not None and len(lives) else None,
        repair_times(told, open_hours, seed),
        clusters(at, span_h, WINDOW_H),
        differ,
        trend(at, span_h),
        int(still.sum()),
        at,
        counts,
        noticed[~np.isnan(noticed)],
        told[:2],
        int(forgotten.sum()) if outages.ends_told else 0,
        prior,
        own_rates(lives) if lives is not None and differ is not None and differ.found else None,
        suspected,
        pairs,
        tail(told),
    )
