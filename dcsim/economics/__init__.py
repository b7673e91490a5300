"""Money: what a renter pays, what is lost, what a useful GPU-hour costs, and what tokens earn."""

from dcsim.economics.bill import (
    GROUPS,
    LINES,
    Bill,
    CostLine,
    Use,
    attribution,
)
from dcsim.economics.credits import Credits, Sla
from dcsim.economics.renter import Onboarding, Storage, Tco
from dcsim.economics.tokens import Tokens

__all__ = [
    "GROUPS",
    "LINES",
    "Bill",
    "CostLine",
    "Credits",
    "Onboarding",
    "Sla",
    "Storage",
    "Tco",
    "Tokens",
    "Use",
    "attribution",
]
