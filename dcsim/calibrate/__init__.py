"""Calibration: from what a site wrote down to rates, laws and what is not known of them."""

from dcsim.calibrate.lives import Weibull, weibull
from dcsim.calibrate.patterns import Clusters, Lemons, Trend, clusters, lemons, trend
from dcsim.calibrate.priors import Belief, Prior, believed
from dcsim.calibrate.rates import Rate, rate
from dcsim.calibrate.repairs import RepairTimes, repair_times
from dcsim.calibrate.site import Calibration, ClassEstimate, calibrated

__all__ = [
    "Belief",
    "Calibration",
    "ClassEstimate",
    "Clusters",
    "Lemons",
    "Prior",
    "Rate",
    "RepairTimes",
    "Trend",
    "Weibull",
    "believed",
    "calibrated",
    "clusters",
    "lemons",
    "rate",
    "repair_times",
    "trend",
    "weibull",
]
