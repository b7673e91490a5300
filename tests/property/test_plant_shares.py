"""What the plant's rules evaluate change by change is what the slow reference says of the whole plant at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.parts import PARTS
from dcsim.plant import PlantState
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.property.plant_scenarios import PLANT, plant_scenarios
from tests.property.reference_plant import Site

KEEPS = (0.0, 0.0, 0.1, 1 / 3, 0.5, 0.9)


def told(state: PlantState) -> list[list[float]]:
    """Return everything that a plant's state says."""
    arrays = (state.down, state.access, state.leaf, state.core, state.supply, state.of_parents("cdu"), state.hall)
    return [*(array.tolist() for array in arrays), [state.site, state.short]]


def agrees(state: PlantState, site: Site, lost: list[tuple[str, int, float]], dark: frozenset[int]) -> None:
    """Who is down, and what is left of the network and of power, are those of the reference."""
    holds: dict[tuple[str, int], float] = {}
    for kind, index, keeps in lost:
        holds[kind, index] = min(keeps, holds.get((kind, index), 1.0))
    look, nodes = site.look(holds, dark), range(len(state.down))
    assert state.down.tolist() == look.down
    assert state.access.tolist() == pytest.approx([look.access(node) for node in nodes], rel=1e-12)
    assert state.leaf.tolist() == pytest.approx([look.leaf(each) for each in range(len(state.leaf))], rel=1e-12)
    assert state.core.tolist() == pytest.approx([look.core(each) for each in range(len(state.core))], rel=1e-12)
    powered = state.powered(np.arange(len(state.down)))
    assert powered.tolist() == pytest.approx([look.capped(node) for node in nodes], rel=1e-12)
    assert state.short == bool((powered < 1).any())


@settings(max_examples=60)
@given(plant_scenarios(PLANT, (), most=64), st.data())
def test_every_change_leaves_the_plant_of_the_reference(scenario: Scenario, data: st.DataObject) -> None:
    """Components fail, several times over and in part, racks are dark for a while; at last all is as at first."""
    topology = plan(scenario).topology
    state, site = PlantState(topology), Site(topology)
    first, kinds = told(state), [kind for kind in PARTS if kind in topology.kinds]
    lost: list[tuple[str, int, float]] = []
    dark: frozenset[int] = frozenset()
    for _ in range(data.draw(st.integers(1, 12))):
        before = state.down.copy()
        if data.draw(st.integers(0, 7)) == 0:
            low = data.draw(st.integers(0, topology.racks - 1))
            if dark:
                change, dark = state.energise((min(dark), max(dark) + 1)), frozenset()
            else:
                change, dark = state.darken((low, topology.racks)), frozenset(range(low, topology.racks))
        elif lost and data.draw(st.integers(0, 3)) == 0:
            change = state.restore(*lost.pop(data.draw(st.integers(0, len(lost) - 1))))
        elif kinds:
            kind = data.draw(st.sampled_from(kinds))
            index = data.draw(st.integers(0, min(3, topology.components(kind) - 1)))
            lost.append((kind, index, data.draw(st.sampled_from(KEEPS))))
            change = state.lose(*lost[-1])
        else:
            continue
        assert change.down.tolist() == np.flatnonzero(state.down & ~before).tolist()
        agrees(state, site, lost, dark)
    if dark:
        state.energise((min(dark), max(dark) + 1))
    for each in lost:
        state.restore(*each)
    assert told(state) == first
    assert list(state.lost()) == []
