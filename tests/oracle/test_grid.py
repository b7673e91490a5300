"""What late power costs: the published table to its digits, sums by hand, and each convention that gives it."""

import numpy as np
import pytest

from dcsim.economics.grid import Grid, grid_inputs, grid_lines, share_between
from dcsim.economics.owner import Owner, Site, owner_inputs, owner_lines
from dcsim.economics.statement import Line, Statement

MONTH, YEAR = 730, 8_760
RACKS, LIFE = 72, 48
Late = list[tuple[float, int]]
"""Shares of the racks, and the months after which they get power."""
ON_TIME: Late = [(1, 0)]
MS = 3_600_000


def racks_of_gb300(late: Late, life_moves: bool, decay: str = "0 %", occupancy: str = "90 %") -> Statement:
    """72 racks of GB300, which earn for 48 months of 730 h: shares of them get power after some months.

    ``life_moves``: each share earns for 48 months from then on; else until 48 months after the closing.
    """
    months = LIFE + (max(month for _, month in late) if life_moves else 0)
    owner = Owner.model_validate(
        {
            "rack": f"{285.1e6 / RACKS} USD",  # assumed
            "network": "0 %",
            "storage": "0 %",
            "colocation": "110 USD/kW/mo",  # deck
            "electricity": "0.087 USD/kWh",  # deck
            "pue": 1.25,
            "rent": "4 USD",  # deck
            "occupancy": occupancy,
            "contract": "730 h",  # the rent follows the market month by month
            "price_decay": decay,
        }
    )
    site = Site(RACKS * 72, RACKS * 72, RACKS, RACKS * 18, RACKS * 142.0, None, 1.25, 1.25, MONTH, months)
    ends = np.arange(months + 1) * MONTH * MS
    hours = np.diff(ends, prepend=0)[None, :] / MS
    powered = np.zeros((1, months + 1))
    for share, month in late:
        begin = np.array([month * MONTH * MS])
        end = begin + LIFE * MONTH * MS if life_moves else np.array([LIFE * MONTH * MS])
        powered += share * share_between(begin, end, ends)
    series = dict.fromkeys(("powered_gpu_hours", "in_service_gpu_hours"), RACKS * 72 * hours * powered)
    series |= {"hours": hours, "failures": 0 * hours, "before_grid": 0 * hours}
    lines = [*owner_lines(owner, site, bridged=True), *grid_lines(owner, site), Line("credits", "credits", "USD", "0")]
    inputs = [*owner_inputs(owner, site, 4), *grid_inputs(Grid.model_validate({"discount": "14 %"}), None, 0.0)]
    return Statement.of(lines, inputs, series)


def npv(late: Late, life_moves: bool, decay: str = "0 %") -> float:
    return float(racks_of_gb300(late, life_moves, decay).total("present_cash")[0]) / 1e6


TABLE = [
    (True, "0 %", 149.1, (14.0, 27.5, 53.3, 100.1)),
    (False, "0 %", 149.1, (34.3, 67.5, 130.7, 245.4)),
    (True, "25 %", -37.7, (29.4, 55.8, 100.4, 164.5)),
    (False, "25 %", -37.7, (33.4, 63.0, 112.8, 182.2)),
]


@pytest.mark.parametrize(("life_moves", "decay", "on_time", "lost"), TABLE)
def test_the_published_table_comes_out_to_its_digits(
    life_moves: bool, decay: str, on_time: float, lost: tuple[float, ...]
) -> None:
    """Loss of NPV after 3, 6, 12 and 24 months: 14 % a year compounded, from the ends of months; the price of a month
    is that of its beginning, so the first month is at the full price."""
    base = npv(ON_TIME, life_moves, decay)
    assert round(base, 1) == on_time
    assert [round(base - npv([(1, late)], life_moves, decay), 1) for late in (3, 6, 12, 24)] == list(lost)


def test_the_margin_of_a_month_and_of_a_megawatt() -> None:
    found = racks_of_gb300(ON_TIME, True)
    revenue, opex = (found.values[name][0, 1] for name in ("revenue", "opex"))
    assert (round(revenue / 1e6, 2), round(opex / 1e6, 2), round((revenue - opex) / 1e6, 2)) == (13.62, 1.94, 11.69)
    assert round((revenue - opex) / (RACKS * 0.142) / 1e6, 3) == 1.143


@pytest.mark.parametrize(("occupancy", "margin", "premium"), [("90 %", 1.143, 1.253), ("100 %", 1.291, 1.415)])
def test_what_energy_behind_the_meter_may_cost_more(occupancy: str, margin: float, premium: float) -> None:
    """1.143 million USD of margin per IT megawatt and month are 1.253 USD per kWh at the meter; with everything rented
    1.291 million USD are 1.415 USD. The published 1.291 is a margin, 1.415 the premium that belongs to it."""
    on_time, late = (racks_of_gb300([(1, month)], False, occupancy=occupancy) for month in (0, 12))
    month = on_time.values["operating_cash"][0, 1]
    assert round(month / (RACKS * 0.142) / 1e6, 3) == margin
    assert round(month / (RACKS * 142 * 1.25 * MONTH), 3) == premium
    lost, energy = (on_time.total(name)[0] - late.total(name)[0] for name in ("present_cash", "present_kwh"))
    assert lost / energy == pytest.approx(month / (RACKS * 142 * 1.25 * MONTH), rel=1e-12)


def test_phases_add_up_and_the_published_sum_is_not_discounted() -> None:
    """25, 25 and 50 % at 0, 6 and 12 months: 87.7 million USD of margin, 82.2 of NPV where the end is fixed and 33.5
    where each phase has its whole life. The published 87.7 is the sum without discount."""
    phases: Late = [(0.25, 0), (0.25, 6), (0.5, 12)]
    on_time, late = racks_of_gb300(ON_TIME, False), racks_of_gb300(phases, False)
    assert round((on_time.total("operating_cash")[0] - late.total("operating_cash")[0]) / 1e6, 1) == 87.7
    assert round(npv(ON_TIME, False) - npv(phases, False), 1) == 82.2
    assert round(npv(ON_TIME, True) - npv(phases, True), 1) == 33.5
    alone = 0.25 * (npv(ON_TIME, False) - npv([(1, 6)], False)) + 0.5 * (npv(ON_TIME, False) - npv([(1, 12)], False))
    assert npv(ON_TIME, False) - npv(phases, False) == pytest.approx(alone, rel=1e-12)


def test_the_share_of_a_month_before_a_date() -> None:
    ends = np.array([0, 10, 20, 25])
    found = share_between(np.array([0, 5]), np.array([14, 22]), ends)
    assert found.tolist() == [[0, 1, 0.4, 0], [0, 0.5, 1, 0.4]]


@pytest.mark.parametrize(
    ("own", "lender", "rate", "path"),
    [
        ({"discount": "9 %"}, 0.11, 0.09, "grid.discount"),
        ({}, 0.11, 0.11, "finance.discount"),
        ({}, None, 0.12, "assumed"),
    ],
)
def test_the_rate_is_that_of_the_grid_else_that_of_finance(
    own: dict[str, str], lender: float | None, rate: float, path: str
) -> None:
    found = {each.name: each for each in grid_inputs(Grid.model_validate(own), lender, 0.0)}
    assert (found["grid_discount"].value, found["grid_discount"].path) == (rate, path)
