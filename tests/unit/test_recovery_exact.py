"""Defaults of recovery that no shipped scenario leaves out."""

from dcsim.recovery.timetable import Tier


def test_a_tier_costs_nothing_that_it_does_not_say() -> None:
    """Neither a write that blocks nor a drain; any number of its GPUs may be struck."""
    tier = Tier.model_validate({"every": "1 h", "restore": "5 min"})
    assert (tier.write, tier.drain, tier.survives) == (0, 0, None)
