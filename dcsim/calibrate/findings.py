"""One class of failures looked at closely: what ages, which law fits, who is bad, when, for how long, how soon seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.laws import Fit, fitted
from dcsim.calibrate.lives import CLOCKS, Failures, Lives, Weibull, failures_of, lives_of, weibull_of
from dcsim.calibrate.own_rates import OwnRates, own_rates
from dcsim.calibrate.patterns import SURE, Clumps, Cycle, Trend, clumps, cycles, trend
from dcsim.calibrate.repairs import RepairTimes, Tail, repair_times, tail
from dcsim.calibrate.suspects import Suspects, suspects
from dcsim.records import Outages

Values = NDArray[np.float64]

CLEARLY = 2.0
"""By how much the log likelihood of one clock must be above the other's to be preferred; source: custom (AIC, 4)."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What is found; each is None where the record does not tell it.

    ``by_clock``: the Weibull law by what an age counts from (``CLOCKS``). ``own``: the shape since the last repair with
    a rate for each unit. ``lives_fit``, ``repairs_fit``: which law fits. ``detection``: from the beginning of an
    outage to when it was noticed.
    """

    failures: Failures
    begin: float | None
    by_clock: dict[str, Weibull]
    own: OwnRates | None
    lives_fit: Fit | None
    repairs_fit: Fit | None
    repairs_tail: Tail | None
    suspects: Suspects | None
    clumps: Clumps | None
    trend: Trend | None
    daily: Cycle | None
    weekly: Cycle | None
    detection: RepairTimes | None

    @property
    def ages(self) -> bool:
        """Whether failures depend on the age of a unit; where units differ, by the shape with own rates."""
        if self.own is not None and self.own.chance < SURE:
            return not self.own.ageless
        return any(not each.ageless for each in self.by_clock.values())

    @property
    def clock(self) -> str | None:
        """What an age counts from, by likelihood: a key of ``by_clock``; None where the two cannot be told apart."""
        heights = {clock: law.log_likelihood for clock, law in self.by_clock.items()}
        if len(heights) < 2:
            return next(iter(heights), None)
        best = max(heights, key=lambda clock: heights[clock])
        return best if heights[best] - min(heights.values()) > CLEARLY else None

    def sentences(self) -> list[str]:
        """Return what is found, a sentence for each thing that the record tells."""
        said = []
        for clock, law in self.by_clock.items():
            said.append(
                f"by age {clock}: Weibull shape {law.shape:.2f} ({law.shape_low:.2f} to {law.shape_high:.2f}), "
                f"mean {law.mean_h:,.4g} h, of {len(law.ended):,} failures"
            )
        if len(self.by_clock) > 1:
            said.append(f"likelihood prefers age {self.clock}" if self.clock else "neither age is preferred")
        if (own := self.own) is not None:
            unlike = f"units differ by {own.spread:.2f} of their mean rate" if own.chance < SURE else "units are alike"
            between = f"{own.shape_low:.2f} to {own.shape_high:.2f}"
            said.append(f"with a rate for each unit: shape {own.shape:.2f} ({between}); {unlike}")
        for what, fit in (("lives", self.lives_fit), ("repairs", self.repairs_fit)):
            if fit is not None:
                said.append(f"{what}: {fit.sentence}")
        if self.repairs_tail is not None:
            said.append(f"repairs: {self.repairs_tail.sentence}")
        if self.suspects is not None:
            said.append(self.suspects.sentence)
        if self.clumps is not None:
            said.append(self.clumps.sentence)
        if self.trend is not None:
            said.append(self.trend.sentence(self.failures.start_h, self.failures.span_h, self.begin))
        for what, cycle in (("by hour of the day", self.daily), ("by day of the week", self.weekly)):
            if cycle is not None:
                said.append(f"{what}: {cycle.sentence}")
        if (found := self.detection) is not None:
            said.append(
                f"{len(found.hours):,} failures were noticed after {60 * found.mean_h:.3g} min in the mean, "
                f"{60 * found.median_h:.3g} min at the median"
            )
        return said


def findings(
    outages: Outages,
    units: int | None = None,
    span_h: float | None = None,
    installed_h: Values | None = None,
    seed: int = 0,
) -> Findings:
    """Look closely at the outages of one class, or of all of a record.

    ``units``: in service; None: as the record tells, or those that it names. ``span_h``: how long the record is; None:
    to its last moment. ``installed_h``: as in ``lives_of``. ``seed``: of resamples. Raises ValueError if the record has
    no length, or more units fail than there are.
    """
    span = outages.span_h if span_h is None else span_h
    named = outages.components != ("",)
    many = units if units is not None else outages.units or len(outages.components)
    if span <= 0:
        raise ValueError(f"span: found {span:g} h; must be above 0 h")
    if named and many < len(outages.components):
        raise ValueError(f"units: found {many}; the record names {len(outages.components)} components")
    failures = failures_of(outages, span)
    at = np.sort(failures.start_h if named else outages.start_h)
    by_clock: dict[str, Weibull] = {}
    lives: Lives | None = None
    if named:
        lives = lives_of(failures, many, installed_h)
        for clock in CLOCKS if installed_h is not None else CLOCKS[:1]:
            seen = lives if clock == CLOCKS[0] else lives_of(failures, many, installed_h, clock)
            law = weibull_of(seen) if len(seen) else None
            if law is not None:
                by_clock[clock] = law
    took = outages.repair_h
    still = np.isnan(took)
    open_h = np.maximum(0, span - outages.start_h[still])
    repairs = Lives.of_times(took[~still & (took > 0)], open_h)
    delays = np.array([]) if outages.noticed_h is None else outages.noticed_h - outages.start_h
    delays = delays[~np.isnan(delays) & (delays >= 0)]
    daily, weekly = (None, None) if outages.begin is None else cycles(at, outages.begin, span)
    whose = None
    if named:
        hours = span - np.bincount(failures.unit, failures.end_h - failures.start_h, many)
        whose = suspects(failures.counts(many), np.maximum(hours, 1e-3 * span), outages.components)
    return Findings(
        failures,
        outages.begin,
        by_clock,
        own_rates(lives) if lives is not None and len(lives) else None,
        fitted(lives, seed) if lives is not None and len(lives) else None,
        fitted(repairs, seed + 4) if len(repairs) else None,
        tail(took[~still]),
        whose,
        clumps(failures.start_h, failures.unit, span) if named else None,
        trend(at, span),
        daily,
        weekly,
        repair_times(delays, np.array([]), seed),
    )
