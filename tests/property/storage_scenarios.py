"""Random scenarios whose jobs load and write through storage gateways, with everything else that a plant has."""

from hypothesis import strategies as st

from dcsim.scenario import Scenario
from tests.property.plant_scenarios import OTHERS, PLANT, plant_scenarios

ALONE = ("async-checkpoint", "tiered-checkpoint", "elastic", "stateless", "work", "kill", "coverage")


def storage_scenarios() -> st.SearchStrategy[Scenario]:
    """Draw a scenario of 16 to 64 GPUs: storage alone, with a network that is damaged and shared, with anything."""
    alone = plant_scenarios(plant=("keeps",), others=ALONE, most=64, surely=("storage", "failing"))
    linked = plant_scenarios(plant=("homes", "spine", "core", "comm", "keeps"), others=(), most=64, surely=("storage",))
    return st.one_of(alone, linked, plant_scenarios(PLANT, OTHERS, most=64, surely=("storage",)))
