"""Hazards: what fails, how often, with what effect; the random numbers of one replication's failures."""

from dcsim.hazards.draws import Draws, Failures, Outcomes
from dcsim.hazards.hazard import Burst, Hazard, Lemons
from dcsim.hazards.lifetimes import LIFETIMES, AnyLifetime, Lifetime
from dcsim.hazards.repair import RepairStage

__all__ = [
    "LIFETIMES",
    "AnyLifetime",
    "Burst",
    "Draws",
    "Failures",
    "Hazard",
    "Lemons",
    "Lifetime",
    "Outcomes",
    "RepairStage",
]
