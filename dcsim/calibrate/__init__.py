"""Calibration: from what a site wrote down to rates, laws and what is not known of them."""

from dcsim.calibrate.lives import Weibull, weibull
from dcsim.calibrate.patterns import Clusters, Lemons, Trend, clusters, lemons, trend
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.repairs import RepairTimes, repair_times

__all__ = [
    "Clusters",
    "Lemons",
    "Rate",
    "RepairTimes",
    "Trend",
    "Weibull",
    "clusters",
    "lemons",
    "rate",
    "repair_times",
    "trend",
    "weibull",
]
