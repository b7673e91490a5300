"""Power and cooling: what is left of supply against demand, and the energy of every state."""

from dcsim.power.energy import energy_kwh
from dcsim.power.keys import ConversionKeys, CoolingKeys, PowerKeys, SiteKeys

__all__ = ["ConversionKeys", "CoolingKeys", "PowerKeys", "SiteKeys", "energy_kwh"]
