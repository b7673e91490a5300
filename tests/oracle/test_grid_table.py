"""The table of late power, and bridge power, against sums by hand."""

import numpy as np
import pytest

from dcsim.decide.accounts import MoneyBook, grid_dates
from dcsim.decide.breakeven import breakeven
from dcsim.decide.energisation import energisation_table, on_time
from dcsim.economics.grid import Grid
from dcsim.economics.owner import Owner
from dcsim.montecarlo import replicate_many
from dcsim.plant import Demand
from dcsim.scenario import Scenario, ScenarioError, read
from dcsim.topology.build import build
from dcsim.units import MS_PER_H

MONTH, HORIZON, YEAR = 720, 36, 8_760
PHASES = {"second hall": (8, 6), "third hall": (8, 12)}
"""Racks of 24, and months after which they have power."""
OWNER = {
    "rack": "3.1e6 USD",
    "rent": "4 USD",
    "occupancy": "90 %",
    "colocation": "110 USD/kW/mo",
    "electricity": "0 USD/kWh",  # then nothing depends on what jobs do
    "price_decay": "0 %",
}


def late(**changed: object) -> Scenario:
    """Energised late, at dates that are known."""
    dates = [f'energisation.{index}.date="{month} mo"' for index, (_, month) in enumerate(PHASES.values())]
    scenario = read("plant/energised-late", set=dates)
    return scenario.model_copy(update={"owner": Owner.model_validate(OWNER | changed)})


def npv(dates: dict[str, int], whole_life: bool) -> float:
    """Cash without the capital, month by month at 12 % a year, assumed: neither [grid] nor [finance] says another.

    The sold GPUs are all but 144 spares.
    """
    found = 0.0
    last = HORIZON + (max(dates.values()) if whole_life else 0)
    for month in range(1, last + 1):
        racks = 8.0 if month <= HORIZON else 0.0
        for name, (count, _) in PHASES.items():
            end = dates[name] + HORIZON if whole_life else HORIZON
            racks += count if dates[name] < month <= end else 0
        hours = 72 * racks * MONTH
        rented = 4 * 0.9 * min(hours, (1728 - 144) * MONTH)
        found += rented * 1.12 ** (-month * MONTH / YEAR)
    return found


@pytest.mark.parametrize("whole_life", [False, True])
def test_known_dates_give_the_sum_by_hand(whole_life: bool) -> None:
    """Two phases of 8 racks at 6 and 12 months, summed month by month; failures move no rent that is paid for power."""
    found = energisation_table(late(colocation="0 USD/kW/mo"), replications=2)
    own = {name: month for name, (_, month) in PHASES.items()}
    base = npv(own, whole_life)
    wanted = [npv(own | {name: 0}, whole_life) - base for name in PHASES]
    rows = [*found.phases, found.all]
    wanted.append(npv(dict.fromkeys(PHASES, 0), whole_life) - base)
    told = [each.whole_life if whole_life else each.by_formula for each in rows]
    assert told == pytest.approx(wanted, rel=1e-9)
    if not whole_life:
        assert [each.lost.mean for each in rows] == pytest.approx(wanted, rel=1e-9)  # simulated, failures and all


def test_the_premium_that_pays_is_the_margin_of_a_kilowatt_hour_at_full_load() -> None:
    """One phase of half the racks, no spares to stand in: rent less colocation over the energy at the meter."""
    scenario = late()
    free = scenario.model_copy(update={"cluster": scenario.cluster.model_copy(update={"spares": 0})})
    found = energisation_table(free, replications=2)
    book = MoneyBook.of(replicate_many([(on_time(free, [0, 1]), None)], 2)[0])
    assert book is not None
    kw = float(np.asarray(book.statement.inputs["it_kw"].value))
    margin = 4 * 0.9 * 1728 * MONTH - 110 * kw
    assert found.all.premium == pytest.approx(margin / (kw * 1.25 * MONTH), rel=1e-9)


def test_one_phase_is_all_of_it_and_only_delay_is_told() -> None:
    scenario = read("plant/bridge-none")
    found = energisation_table(scenario, replications=4)
    assert found.phases[0].lost == found.all.lost
    assert found.on_time.mean - found.npv.mean == pytest.approx(found.all.lost.mean, rel=1e-9)
    assert found.to_json()["phases"][0]["name"] == "grid"


@pytest.mark.parametrize(
    ("name", "why"),
    [("plant/energised-late", "owner: Late: missing"), ("owner/h200-neocloud", "all has power at once")],
)
def test_what_is_missing_is_told_in_one_line(name: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why) as error:
        energisation_table(read(name), replications=2)
    assert len(error.value.problems) == 1


def test_bridge_power_is_paid_until_the_grid_comes_in_each_run() -> None:
    """Premium times the energy of the months before, the last one in part, and the rent of 5 MW of engines."""
    scenario = read("plant/bridge-engines")
    assert scenario.grid is not None
    (sample,) = replicate_many([(scenario, None)], 4)
    book = MoneyBook.of(sample)
    assert book is not None
    assert book.activity.energy_kwh is not None
    dates = grid_dates(scenario, range(4)) / MS_PER_H
    assert len(set(dates.tolist())) == 4
    for run, date in enumerate(dates.tolist()):
        paid = 0.0
        for month in range(1, 49):
            before = min(max(date - (month - 1) * MONTH, 0), MONTH) / MONTH
            paid += before * (0.06 * float(book.activity.energy_kwh[run, month]) + 25 * 5_000)
        assert float(book.statement.total("bridge")[run]) == pytest.approx(paid, rel=1e-9)
    opex = ("colocation", "electricity", "bridge", "staff", "maintenance", "insurance", "repairs")
    assert sum(book.statement.total(name) for name in opex) == pytest.approx(book.statement.total("opex"), abs=0.005)


def test_a_scenario_without_grid_has_no_bridge_and_no_swing() -> None:
    scenario = late()
    assert scenario.grid is None
    (sample,) = replicate_many([(scenario, None)], 1)
    book = MoneyBook.of(sample)
    assert book is not None
    assert "bridge" not in book.statement.values
    (priced,) = replicate_many([(scenario.model_copy(update={"grid": Grid()}), None)], 1)
    assert (priced.gpu_ms == sample.gpu_ms).all()
    other = MoneyBook.of(priced)
    assert other is not None
    assert other.statement.total("free_cash") == pytest.approx(book.statement.total("free_cash"), rel=1e-12)


# --- what a kWh behind the meter may cost -----------------------------------------------------------------------------


def gb300(occupancy: str) -> Scenario:
    """72 racks of GB300 at 142 kW that get power after 12 months; no failure, and one job of all GPUs."""
    return Scenario.model_validate(
        {
            "name": "Waiting",
            "month": "730 h",
            "horizon": "35040 h",
            "cluster": {"topology": "gb300-nvl72", "gpus": 5184},
            "jobs": [{"name": "all", "gpus": 5184, "recovery": {"kind": "stateless"}}],
            "hazards": [{"component": "rack", "mtbf": "1e9 h", "repair": "1 h"}],
            "energisation": [{"name": "hall", "racks": 72, "date": "8760 h"}],
            "owner": {
                "rack": "3.5e6 USD",
                "power": f"{142 / 18} kW",
                "pue": 1.25,
                "colocation": "110 USD/kW/mo",
                "electricity": "0.087 USD/kWh",
                "rent": "4 USD",
                "occupancy": occupancy,
                "contract": "35040 h",
            },
            "grid": {"discount": "14 %"},
        }
    )


@pytest.mark.parametrize(("occupancy", "margin", "premium"), [("90 %", 1.143, 1.253), ("100 %", 1.291, 1.415)])
def test_bridge_power_is_worth_the_margin_of_its_kilowatt_hours(occupancy: str, margin: float, premium: float) -> None:
    """The worked example: 1.291 million USD of margin per IT megawatt and month are 1.415 USD per kWh at the meter.

    The simulation bridges what the racks take: switches outside of them draw power in either case.
    """
    (price,) = breakeven(gb300(occupancy), "bridge-power", replications=2, workers=1).prices
    assert price.method == "cash"
    assert price.theory is None
    assert price.formula is not None
    assert round(price.formula, 3) == premium
    demand = Demand(build(gb300(occupancy).cluster.topology, 5184))
    racks = float(demand.racks_w.sum())
    wanted = (price.formula + 0.087) * (racks + demand.switches_w) / racks - 0.087
    assert price.simulated.mean == pytest.approx(wanted, rel=1e-9)
    assert round(price.formula * 1000 * 1.25 * 730 / 1e6, 3) == margin


def test_at_its_price_the_engines_leave_what_waiting_does() -> None:
    """With the premium that is told as [grid] premium, the same runs leave both owners the same discounted cash."""
    engines, waits = read("plant/bridge-engines"), read("plant/bridge-none")
    found = breakeven(engines, "bridge-power", against=waits, replications=8, workers=1)
    (price,) = found.prices
    assert found.costs == 0.06
    assert engines.grid is not None
    priced = engines.model_copy(update={"grid": engines.grid.model_copy(update={"premium": price.simulated.mean})})
    books = [MoneyBook.of(each) for each in replicate_many([(priced, None), (waits, None)], 8)]
    bridged, dark = (book.statement.total("present_cash") for book in books if book is not None)
    assert float(bridged.mean()) == pytest.approx(float(dark.mean()), rel=1e-9)
    assert price.simulated.ci95 is not None
    # its error is that of the gap of each run at that price, by the discounted energy of a run before the grid comes
    one = engines.model_copy(update={"grid": engines.grid.model_copy(update={"premium": price.simulated.mean + 1})})
    (dearer,) = (MoneyBook.of(each) for each in replicate_many([(one, None)], 8))
    assert dearer is not None
    kwh = float((bridged - dearer.statement.total("present_cash")).mean())
    error = float((bridged - dark).std(ddof=1)) / 8**0.5 / kwh
    assert price.simulated.se == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("offer", "against", "why"),
    [
        ("plant/energised-late", None, "owner: Late: missing; this is about an owner"),
        ("owner/h200-neocloud", None, "energisation: H200 neocloud: missing; all has power at once"),
        ("plant/bridge-none", "plant/bridge-engines", "Waiting has no power behind the meter"),
        ("plant/bridge-engines", "owner/h200-neocloud", "the same horizon"),
        ("plant/bridge-engines", None, "Engines is bridged already; give what waits: --against FILE2"),
    ],
)
def test_a_bridge_that_is_none_is_refused_in_one_line(offer: str, against: str | None, why: str) -> None:
    with pytest.raises(ScenarioError, match=why) as error:
        breakeven(offer, "bridge-power", against=against, replications=2, workers=1)
    assert len(error.value.problems) == 1
