"""The plant's state: which components are out, what that takes down, and what it only slows."""

from dcsim.plant.demand import Demand
from dcsim.plant.outage import Outage
from dcsim.plant.state import Change, PlantState

__all__ = ["Change", "Demand", "Outage", "PlantState", "outage"]
