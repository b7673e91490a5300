"""Loads and writes that share gateways take the same time by compiled and plain rules, to the millisecond.

Plain rules are held against the slow reference in test_storage_equals_reference.py.
"""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.scenario import Scenario
from tests.property.full_scenarios import FEATURES, full_scenarios
from tests.property.plant_scenarios import plant_scenarios
from tests.property.scenarios import text
from tests.property.test_compiled_clock import differences


@st.composite
def storage_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario whose gangs share one to three gateways, too few for all of them, which may fail."""
    others = tuple(each for each in FEATURES if each not in ("in_rack",))
    base = draw(st.one_of(full_scenarios(others), plant_scenarios()))
    document: dict[str, Any] = base.model_dump(mode="json", exclude_none=True)
    topology = document["cluster"]["topology"]
    topology["storage"] = {
        "gateways": draw(st.integers(1, 3)),
        "bandwidth": draw(st.sampled_from(["1 GB/s", "7 GB/s"])),
    }
    for job, drawn in zip(document["jobs"], base.jobs, strict=True):
        restore = min([drawn.recovery.restore, *(tier.restore for tier in drawn.recovery.tiers[-1:])])
        load = draw(st.integers(0, restore))
        job["storage"] = {"state": draw(st.sampled_from(["0.01 GiB", "0.1 GiB", "3 GiB"])), "load": text(load)}
    if draw(st.booleans()):
        hazard = {"name": "gateway", "component": "gateway", "mtbf": text(max(1, base.horizon // 3))}
        hazard |= {"detect": text(draw(st.integers(0, 3))), "repair": text(draw(st.integers(0, base.horizon // 8)))}
        if draw(st.booleans()):
            hazard |= {"effect": "degrade", "keeps": "40 %"}
        document["hazards"].append(hazard)
    try:
        return Scenario.model_validate(document)
    except ValidationError:
        assume(False)
        raise


@settings(max_examples=300)
@given(storage_scenarios(), st.integers(0, 100))
def test_transfers_share_the_gateways(scenario: Scenario, first: int) -> None:
    """Every account and every end of work, with and without a network that stretches transfers."""
    assert differences(scenario, [first]) == []
