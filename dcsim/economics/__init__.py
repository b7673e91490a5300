"""Money: what a renter pays, month by month and per useful GPU-hour."""

from dcsim.economics.renter import (
    GROUPS,
    Onboarding,
    Storage,
    Tco,
    attribution,
    gpu_monthly,
    lines,
    monthly,
    setup_usd,
    term_lines,
    total,
    useful_hour_prices,
)

__all__ = [
    "GROUPS",
    "Onboarding",
    "Storage",
    "Tco",
    "attribution",
    "gpu_monthly",
    "lines",
    "monthly",
    "setup_usd",
    "term_lines",
    "total",
    "useful_hour_prices",
]
