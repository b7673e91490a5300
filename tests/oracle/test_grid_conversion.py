"""Conversion losses: ratios by hand, the I2R law of the wiring, and energy and cost of a simulated cluster."""

import pytest

from dcsim.decide import run
from dcsim.plant import Demand
from dcsim.power.keys import CHAINS, ConversionKeys
from dcsim.scenario import read
from dcsim.topology import TopologyDescription, completed, resolve
from dcsim.topology.build import build


def test_the_same_conductor_loses_half_a_per_cent_at_800_v_of_what_it_loses_at_54_v() -> None:
    """(54 / 800)^2 = 0.46 %: the current falls with the voltage, and the loss with its square."""
    low, high = (ConversionKeys.model_validate({"chain": chain, "wiring": "2 %"}) for chain in ("54v", "800vdc"))
    assert low.wiring_share == 1
    assert round(100 * high.wiring_share, 2) == 0.46
    assert 1 - high.efficiencies["wiring"] == pytest.approx(0.02 * (54 / 800) ** 2, rel=1e-9)


def test_a_chain_is_the_product_of_its_stages() -> None:
    keys = ConversionKeys.model_validate({"chain": "54v", "stages": {"a": "98 %", "b": "95 %"}, "wiring": "1 %"})
    assert keys.efficiency == pytest.approx(0.98 * 0.95 * 0.99, rel=1e-12)
    assert keys.lost == pytest.approx(1 / (0.98 * 0.95 * 0.99) - 1, rel=1e-12)


def test_800_v_gains_what_its_vendor_says_at_most() -> None:
    """Public (NVIDIA): up to 5 % of efficiency from end to end; the assumed stages give 4.7 %."""
    found = {chain: ConversionKeys.model_validate({"chain": chain}).efficiency for chain in CHAINS}
    assert found["800vdc"] / found["54v"] - 1 == pytest.approx(0.047, abs=0.0005)
    assert found["415vac"] < found["54v"] < found["800vdc"]


LOST = 1 / (0.99 * 0.96 * 0.975 * 0.99) - 1
"""Of the assumed chain at 54 V."""


def converted() -> TopologyDescription:
    return TopologyDescription.model_validate(
        completed({"base": "gb300-nvl72", "power": {"conversion": {"chain": "54v"}}}, None)
    )


def test_the_site_takes_what_the_racks_take_cooling_and_what_conversion_loses() -> None:
    plain, lossy = (Demand(build(each, 576)) for each in (resolve("gb300-nvl72"), converted()))
    assert lossy.it_w == plain.it_w
    assert plain.site_w == pytest.approx(1.25 * plain.it_w, rel=1e-12)
    assert lossy.site_w == pytest.approx((1.25 + LOST) * plain.it_w, rel=1e-12)


def test_energy_and_its_price_grow_by_what_conversion_loses_and_no_draw_changes() -> None:
    scenario = read("pretrain-5184/gold", set=['tco.energy="0.1 USD/kWh"'])
    cluster = scenario.cluster.model_copy(update={"topology": converted()})
    plain, lossy = (run(each, replications=2) for each in (scenario, scenario.model_copy(update={"cluster": cluster})))
    assert plain.energy is not None
    assert lossy.energy is not None
    assert (plain.sample.gpu_ms == lossy.sample.gpu_ms).all()
    assert plain.energy.conversion_kwh is None
    assert lossy.energy.total_kwh == pytest.approx(plain.energy.total_kwh * (1.25 + LOST) / 1.25, rel=1e-12)
    assert lossy.energy.conversion_kwh == pytest.approx(plain.energy.total_kwh * LOST / 1.25, rel=1e-12)
    assert lossy.energy.usd == pytest.approx(0.1 * lossy.energy.total_kwh, rel=1e-12)
