"""What follows from failed components: literal plants, each sentence one rule."""

import numpy as np
import pytest

from dcsim.plant import Demand, PlantState
from dcsim.plant.outage import outage
from dcsim.topology import TopologyDescription, resolve
from dcsim.topology.build import build


def plant(gpus=64, **tables):
    """Racks of two 4-GPU nodes of 5 kW; two racks a row."""
    plain = {"name": "t", "description": "", "node": {"gpus": 4, "power": "5 kW"}, "rack": {"nodes": 2, "row": 2}}
    return build(TopologyDescription.model_validate({**plain, "nvlink": {"domain": "rack"}, **tables}), gpus)


def follows(topology, *paths):
    """Return (ranges of nodes that go down, what degrades) when these are out."""
    found = outage(topology, [topology.find(path) for path in paths])
    return list(found.down), [(part, round(share, 4)) for part, _, share in found.degraded]


CORE = {"ports": 64}
LINKS_2 = ["node/2/access-link/0", "node/2/access-link/1"]
LEAVES_1 = ["segment/1/leaf/0", "segment/1/leaf/1"]
FABRIC = {"nics": 2, "port": "400 Gb/s", "rails": 2, "leaf": {"nodes": 4, "uplinks": 4}, "core": CORE}
SPINE = {"count": 4, "segments": 2, "uplinks": 2}
SPINES_LEFT = [("segment/2", 0.75), ("segment/3", 0.75), ("pod/1", 0.75)]
POWER = {"shelves": 4, "psus": 2, "psu": "2.5 kW", "feeds": 2, "hall_racks": 4}


@pytest.mark.parametrize(
    ("tables", "paths", "down", "degraded"),
    [
        ({"power": POWER}, ["rack/1/shelf/0", "rack/1/shelf/1"], [], []),
        ({"power": POWER}, ["hall/0/feed/1"], [], []),
        ({"power": POWER}, ["hall/0/feed/1", "rack/1/shelf/0"], [], [("rack/1", 0.5)]),
        ({"power": POWER}, ["hall/0/feed/1", "rack/1/shelf/0/psu/0", "rack/1/shelf/2"], [(2, 4)], []),
        ({"power": POWER}, ["hall/1/feed/0", "hall/1/feed/1"], [(8, 16)], []),
        ({"power": {**POWER, "busways": True}}, ["row/1/busway/0", "row/1/busway/1"], [(4, 8)], []),
        ({"power": {**POWER, "feed": "30 kW"}}, ["hall/1/feed/0"], [], [("hall/1", 0.75)]),
        ({"power": {**POWER, "per": "node", "psu": "1.25 kW"}}, ["node/3/shelf/0"], [], []),
        ({"cooling": {"cdus": 3, "needed": 2}}, ["row/0/cdu/0"], [], []),
        ({"cooling": {"cdus": 3, "needed": 2}}, ["row/0/cdu/0", "row/0/cdu/2"], [], [("row/0", 0.5)]),
        ({"cooling": {"cdus": 2, "needed": 2, "trips_below": "60 %"}}, ["row/2/cdu/0"], [(8, 12)], []),
        ({"nvlink": {"domain": "rack", "switches": 3, "needed": 2}}, ["nvlink-domain/2/nvlink-switch/0"], [], []),
        ({"nvlink": {"domain": "rack", "switches": 3}}, ["nvlink-domain/2/nvlink-switch/0"], [(4, 6)], []),
        ({"fabric": {**FABRIC, "spine": SPINE}}, ["node/2/access-link/1"], [(2, 3)], []),
        ({"fabric": {**FABRIC, "spine": SPINE}}, ["segment/1/leaf/0"], [(4, 8)], []),
        ({"fabric": {**FABRIC, "homes": 2, "spine": SPINE}}, ["node/2/access-link/3"], [], [("node/2", 0.5)]),
        ({"fabric": {**FABRIC, "reroute": True, "spine": SPINE}}, ["node/2/access-link/1"], [], [("node/2", 0.5)]),
        ({"fabric": {**FABRIC, "reroute": True, "spine": SPINE}}, LINKS_2, [(2, 3)], []),
        ({"fabric": {**FABRIC, "reroute": True, "spine": SPINE}}, LEAVES_1, [(4, 8)], []),
        ({"fabric": {**FABRIC, "spine": SPINE}}, ["pod/1/spine/0"], [], SPINES_LEFT),
        ({"fabric": {**FABRIC, "spine": SPINE}}, [f"pod/0/spine/{i}" for i in range(4)], [(0, 8)], []),
        ({"storage": {"gateways": 4, "bandwidth": "1 GB/s"}}, ["gateway/2"], [], [("storage", 0.75)]),
        ({}, ["rack/3", "rack/1/node/0"], [(2, 3), (6, 8)], []),
    ],
)
def test_what_follows(tables, paths, down, degraded):
    """Redundancy holds, or who depends on it goes down, or keeps a share."""
    assert follows(plant(**tables), *paths) == (down, degraded)


def test_a_dual_homed_leaf_halves_its_segment():
    """Every node of the segment loses half of one NIC; the leaf's own uplinks do not count any more."""
    down, degraded = follows(plant(fabric={**FABRIC, "homes": 2, "spine": SPINE}), "segment/1/leaf/2")
    assert down == []
    assert degraded == [(f"node/{node}", 0.5) for node in range(4, 8)]


def test_the_site_follows_what_is_energised():
    """Four racks of 10 kW at PUE 1.25 ask for 50 kW, two of them for 25: one feed of 30 kW carries only those."""
    power = {**POWER, "site": {"feeds": 2, "feed": "30 kW"}}
    state = PlantState(plant(32, power=power))
    assert state.lose("site-feed", 0).down.size == 0
    assert state.site == pytest.approx(0.6)
    assert state.darken((2, 4)).down.tolist() == [4, 5, 6, 7]
    assert state.site == 1.0
    assert state.energise((2, 4)).up.tolist() == [4, 5, 6, 7]
    assert state.powered(np.array([0, 7])).tolist() == pytest.approx([0.6, 0.6])
    assert state.lose("site-feed", 1).down.tolist() == list(range(8))
    assert state.restore("site-feed", 0).up.tolist() == list(range(8))


def test_several_failures_hold_one_component():
    """The worst of them counts, and each gives back only its own."""
    state = PlantState(plant(fabric={**FABRIC, "spine": SPINE}))
    state.lose("leaf-uplink", 0, 0.5)
    state.lose("leaf-uplink", 0, 0.25)
    assert state.leaf[0] == pytest.approx((0.25 + 3) / 4)
    state.restore("leaf-uplink", 0, 0.25)
    assert state.leaf[0] == pytest.approx((0.5 + 3) / 4)
    state.restore("leaf-uplink", 0, 0.5)
    assert (state.leaf == 1).all()
    assert list(state.lost()) == []


@pytest.mark.parametrize(("name", "share"), [("gb200-nvl72", 1.0), ("gb300-nvl72", 132 / 142), ("vr200-nvl72", 1.0)])
def test_a_lost_feed_of_shipped_racks(name, share):
    """GB200 (120 kW) runs on one feed's 132 kW, GB300 (142 kW) is capped at 93 %, VR200 has shelves for it."""
    topology = build(resolve(name), 1728)
    state = PlantState(topology)
    state.lose("feed", 0)
    assert state.supply[0] == pytest.approx(share)
    assert not state.down.any()


def test_watts_add_up():
    """Racks take what their nodes and they take; switches and their optics come on top."""
    fabric = {**FABRIC, "optics": "pluggable", "leaf": {**FABRIC["leaf"], "power": "1 kW"}, "spine": SPINE}
    demand = Demand(plant(32, fabric=fabric))
    assert demand.racks_w.tolist() == [10_000] * 4
    assert demand.switches_w == 4 * 1_000 + 16 * 12 + 2 * 16 * 12  # leaves, access links, uplinks
    assert Demand(plant(4, fabric={**fabric, "spine": SPINE})).racks_w.tolist() == [5_000]
