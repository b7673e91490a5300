"""What power that comes late costs its owner, and what bridges it: the [grid] table and its lines of the statement.

Cash of a month is discounted from the end of the month with a rate a year, compounded: an amount after t hours is worth
amount * (1 + rate) ** (-t / 8760) at the closing. Capital is spent as [owner] paid says, at the closing by default.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dcsim.economics.finance import DISCOUNT
from dcsim.economics.owner import Owner, Site, energy_formula
from dcsim.economics.statement import Input, Line
from dcsim.units import Fraction, Power, PricePerKwh, PricePerKwMonth

Values = NDArray[np.float64]
BEFORE_GRID = "before_grid"
"""Series: the share of each month in which the site has no grid yet."""


class Grid(BaseModel):
    """The [grid] table: what the site's connection costs while it is late, and what it allows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"premium": "0.06 USD/kWh", "ramp": "5 MW"}]}
    )
    discount: Fraction | None = Field(
        None,
        description="rate a year at which cash is discounted to the closing; leave out: that of [finance], or 12 % "
        "without one, assumed",
    )
    premium: PricePerKwh = Field(
        0.0,
        description="what energy behind the meter costs more than [owner] electricity, until the grid has power "
        "(default 0 USD/kWh: assumed)",
    )
    standby: PricePerKwMonth = Field(
        0.0,
        description="rent of each kW of generators until the grid has power, if that is not in the premium "
        "(default 0 USD/kW/mo: assumed)",
    )
    ramp: Power | None = Field(
        None,
        gt=0,
        description="most by which the site's load may change within a minute, as the grid or the generators allow; "
        "leave out: no limit is known",
    )


def share_between(begin: NDArray[np.int64], end: NDArray[np.int64], ends: NDArray[np.int64]) -> Values:
    """Return the share of each month that lies between two times, float64 (n, m + 1), 0 in the closing.

    ``begin``, ``end``: int64 (n,) [ms]. ``ends``: of the months, int64 (m + 1,) [ms], the closing's 0.
    """
    starts = np.concatenate([ends[:1], ends[:-1]])
    within = np.minimum(ends, end[:, None]) - np.maximum(starts, begin[:, None])
    return np.asarray(np.maximum(within, 0) / np.maximum(ends - starts, 1))


def grid_lines(owner: Owner, site: Site) -> list[Line]:
    """Return the lines of bridge power, and the owner's cash and energy at their value at the closing.

    They need the lines of the owner and the series ``before_grid``.
    """
    energy = energy_formula(site)
    rows = [
        (
            "bridge",
            "power behind the meter",
            "USD",
            f"{BEFORE_GRID} * (grid_premium * {energy} + grid_standby * generators_kw * hours / month_hours)",
            "sum",
        ),
        ("elapsed_hours", "hours since the closing", "h", "prev(elapsed_hours) + hours", "last"),
        (
            "present_value",
            "value at the closing of a dollar",
            "1",
            "(1 + grid_discount) ** (0 - elapsed_hours / year_hours)",
            "none",
        ),
        ("present_cash", "cash before debt and tax, discounted", "USD", "free_cash * present_value", "sum"),
        ("present_kwh", "energy at the meter, discounted", "kWh", f"{energy} * present_value", "sum"),
    ]
    return [Line(name, label, unit, formula, "owner", fold) for name, label, unit, formula, fold in rows]  # type: ignore[arg-type]


def grid_inputs(grid: Grid, discount: float | None, generators_kw: float) -> list[Input]:
    """Return the inputs of these lines.

    ``discount``: of [finance], None without one. ``generators_kw``: what all generators of the site give together [kW].
    """
    rate, path = grid.discount, "grid.discount"
    if rate is None:
        rate, path = (DISCOUNT, "assumed") if discount is None else (discount, "finance.discount")
    return [
        Input("grid_discount", rate, "1/y", path),
        Input("grid_premium", grid.premium, "USD/kWh", "grid.premium"),
        Input("grid_standby", grid.standby, "USD/kW/mo", "grid.standby"),
        Input("generators_kw", generators_kw, "kW", "topology power.site"),
    ]
