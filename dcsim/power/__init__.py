"""Power and cooling: what is left of supply against demand, and the energy of every state."""

from dcsim.power.energy import energy_kwh
from dcsim.power.keys import CoolingKeys, PowerKeys, SiteKeys

__all__ = ["CoolingKeys", "PowerKeys", "SiteKeys", "energy_kwh"]
