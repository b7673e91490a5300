"""What gangs know beforehand changes nothing where they do nothing about it: every integer is that of today's rules."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import engine
from dcsim.scenario import Scenario
from tests.property.full_scenarios import FEATURES, full_scenarios
from tests.property.test_engine_equals_reference import differences

OTHERS = tuple(each for each in FEATURES if each not in ("notice", "covered", "limit", "after", "on_spares"))


@settings(max_examples=100)
@given(full_scenarios(OTHERS), st.integers(0, 100), st.data())
def test_a_notice_that_is_too_short_and_a_limit_beyond_the_horizon(
    scenario: Scenario, replication: int, data: st.DataObject
) -> None:
    """A notice of 0, one of which nothing is announced, limits of the horizon or more, and a coverage of 100 %."""
    limit = data.draw(st.sampled_from([scenario.horizon, 10 * scenario.horizon]))
    notice, noticed = data.draw(st.sampled_from([(0, 1.0), (1, 0.0), (scenario.horizon, 1.0)]))
    jobs = tuple(
        job.model_copy(update={"time_limit": limit, "requeue": 1})
        if job.recovery.tiers or job.recovery.restores_always
        else job
        for job in scenario.jobs
    )
    hazards = tuple(
        hazard.model_copy(update={"notice": notice, "noticed": noticed})
        if hazard.struck_part and not hazard.ages and not hazard.lemons
        else hazard
        for hazard in scenario.hazards
    )
    changed = scenario.model_copy(update={"jobs": jobs, "hazards": hazards})
    assert differences(engine.simulate(changed, replication), engine.simulate(scenario, replication)) == []
