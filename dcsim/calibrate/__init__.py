"""Calibration: from what a site wrote down to rates, laws and what is not known of them."""

from dcsim.calibrate.blame import Blame, Blamed, blamed
from dcsim.calibrate.laws import Fit, Law, fitted
from dcsim.calibrate.lives import Failures, Lives, Weibull, failures_of, lives_of, weibull, weibull_of
from dcsim.calibrate.own_rates import OwnRates, own_rates
from dcsim.calibrate.patterns import Clusters, Lemons, Trend, clusters, lemons, trend
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.repairs import RepairTimes, repair_times
from dcsim.calibrate.suspects import Suspect, Suspects, discoveries, suspects

__all__ = [
    "Blame",
    "Blamed",
    "Clusters",
    "Failures",
    "Fit",
    "Law",
    "Lemons",
    "Lives",
    "OwnRates",
    "Rate",
    "RepairTimes",
    "Suspect",
    "Suspects",
    "Trend",
    "Weibull",
    "blamed",
    "clusters",
    "discoveries",
    "failures_of",
    "fitted",
    "lemons",
    "lives_of",
    "own_rates",
    "rate",
    "repair_times",
    "suspects",
    "trend",
    "weibull",
    "weibull_of",
]
