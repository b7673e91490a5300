"""Calibration: from what a site wrote down to rates, laws and what is not known of them."""

from dcsim.calibrate.blame import Blame, Blamed, blamed
from dcsim.calibrate.findings import Findings
from dcsim.calibrate.laws import Fit, Law, fitted
from dcsim.calibrate.lives import Failures, Lives, Weibull, failures_of, lives_of, weibull, weibull_of
from dcsim.calibrate.own_rates import OwnRates
from dcsim.calibrate.patterns import Clumps, Clusters, Cycle, Lemons, Trend, clumps, clusters, cycles, lemons, trend
from dcsim.calibrate.priors import Belief, Prior, believed
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.repairs import RepairTimes, Tail, repair_times, tail
from dcsim.calibrate.site import Calibration, ClassEstimate, calibrated
from dcsim.calibrate.suspects import Suspect, Suspects, discoveries

__all__ = [
    "Belief",
    "Blame",
    "Blamed",
    "Calibration",
    "ClassEstimate",
    "Clumps",
    "Clusters",
    "Cycle",
    "Failures",
    "Findings",
    "Fit",
    "Law",
    "Lemons",
    "Lives",
    "OwnRates",
    "Prior",
    "Rate",
    "RepairTimes",
    "Suspect",
    "Suspects",
    "Tail",
    "Trend",
    "Weibull",
    "believed",
    "blamed",
    "calibrated",
    "clumps",
    "clusters",
    "cycles",
    "discoveries",
    "failures_of",
    "fitted",
    "lemons",
    "lives_of",
    "rate",
    "repair_times",
    "tail",
    "trend",
    "weibull",
    "weibull_of",
]
