"""What every kind of part that holds no GPU owes the rest: it fails, takes somebody along, comes back, and is shown."""

import networkx as nx
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dcsim.decide.ablation import FABRIC, POWER, STORAGE
from dcsim.hazards.hazard import Component
from dcsim.parts import PARTS
from dcsim.plant import PlantState
from dcsim.plant.outage import outage
from dcsim.report.plant import plant_page
from dcsim.shipped import shipped_files
from dcsim.topology import TopologyDescription, resolve
from dcsim.topology.build import build

SITE = {"feeds": 2, "feed": "40 kW", "generators": 2, "generator": "40 kW"}  # of 100 kW
EVERYTHING = {
    "name": "everything",
    "description": "one of each",
    "node": {"gpus": 4, "power": "5 kW"},
    "rack": {"nodes": 2, "row": 2},
    "nvlink": {"domain": "rack", "switches": 2},
    "fabric": {
        **{"nics": 2, "port": "400 Gb/s", "rails": 2, "leaf": {"nodes": 4, "uplinks": 4}, "core": {"ports": 64}},
        "spine": {"count": 4, "segments": 2, "uplinks": 2},
    },
    "power": {"shelves": 4, "psus": 2, "psu": "2.5 kW", "feeds": 2, "hall_racks": 4, "busways": True, "site": SITE},
    "cooling": {"cdus": 2, "needed": 1},
    "storage": {"gateways": 4, "bandwidth": "1 GB/s"},
}


def with_part(kind):
    """A small cluster of the description above, or of the first shipped topology that has such a part."""
    for description in (TopologyDescription.model_validate(EVERYTHING), *map(resolve, shipped_files("topologies"))):
        topology = build(description, 4 * description.rack.nodes * 2 * description.node.gpus)
        if kind in topology.kinds:
            return topology
    raise AssertionError(f"no topology has a {kind}")


def shares(state):
    """Everything that a plant's state says, as one list of numbers."""
    arrays = (
        state.down,
        state.access,
        state.leaf,
        state.core,
        state.domain,
        state.supply,
        state.of_parents("cdu"),
        state.hall,
    )
    powered = state.powered(np.arange(len(state.down)))
    return [*(each for array in (*arrays, powered) for each in array.tolist()), state.site]


def test_the_description_above_has_every_kind():
    """Whoever adds a kind adds it there."""
    topology = build(TopologyDescription.model_validate(EVERYTHING), 64)
    assert [kind for kind in PARTS if kind not in topology.kinds] == []


@pytest.mark.parametrize("kind", PARTS)
def test_a_hazard_may_name_it(kind):
    """What the topology has, a hazard or planned maintenance may name."""
    assert TypeAdapter(Component).validate_python(kind) == kind
    with pytest.raises(ValidationError):
        TypeAdapter(Component).validate_python(f"{kind}s")


@pytest.mark.parametrize("kind", PARTS)
def test_it_is_shown(kind):
    """`dcsim topology show` has a line for it, and says what follows if one fails."""
    page = plant_page(with_part(kind))
    assert any(row.label.strip() == kind for row in page.parts[0].rows)
    (fails,) = [part for part in page.parts if part.title.startswith("If one part fails")]
    assert kind in [item[0] for item in fails.items]


@pytest.mark.parametrize("kind", PARTS)
def test_explain_takes_it_back(kind):
    """It belongs to the network, the power or the storage step of the bridge."""
    assert (kind in FABRIC) + (kind in POWER) + (kind in STORAGE) == 1


@pytest.mark.parametrize("kind", PARTS)
def test_what_is_lost_and_given_back_is_as_before(kind):
    """One after another, each component fails and returns: nothing is left of it, and nobody is down."""
    topology = with_part(kind)
    state = PlantState(topology)
    before = shares(state)
    for index in range(min(topology.components(kind), 8)):
        state.lose(kind, index)
        assert list(state.lost()) == [(kind, index)]
        state.restore(kind, index)
        assert shares(state) == before
    assert not state.short


@pytest.mark.parametrize("kind", PARTS)
def test_somebody_depends_on_it(kind):
    """With all of them out some nodes are down or slower; with one, only nodes that depend on it in the graph."""
    topology = with_part(kind)
    whole = outage(topology, [(kind, index) for index in range(topology.components(kind))])
    assert whole.down or whole.degraded
    graph, name = topology.graph(expand=True), topology.path(kind, 0)
    depends = {
        graph.nodes[each]["index"] for each in nx.descendants(graph, name) if graph.nodes[each]["kind"] == "node"
    }
    for low, high in outage(topology, [(kind, 0)]).down:
        assert depends.issuperset(range(low, high))
