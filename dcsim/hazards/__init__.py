"""Hazards: what fails, how often, with what effect; the draws of one replication's failures."""

from dcsim.hazards.hazard import Failures, Hazard, RepairStage, draw_failures
from dcsim.hazards.lifetimes import LIFETIMES, AnyLifetime, Lifetime

__all__ = ["LIFETIMES", "AnyLifetime", "Failures", "Hazard", "Lifetime", "RepairStage", "draw_failures"]
