"""What is settled at once is what happens event by event: a run that keeps a log settles nothing at once."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings

from dcsim.engine.compiled_clock import play
from dcsim.ledger import Ledgers
from dcsim.program.program import Program
from dcsim.scenario import Scenario, load
from dcsim.units import MS_PER_H
from tests.benchmark.bench import HEADLINE
from tests.planted import Rule, plant
from tests.property import reference
from tests.property.counted_scenarios import counted_scenarios
from tests.property.test_compiled_clock import unequal
from tests.property.test_engine_equals_reference import differences


def both_ways(scenario: Scenario) -> tuple[Ledgers, Ledgers]:
    """Play a run by the rules as they are, without and with a log."""
    one, two = (play(Program(scenario), [0], compiled=False, logs=logs).ledgers() for logs in (0, 1))
    return one.verified(scenario.capacity_gpu_ms), two


@settings(max_examples=300)
@given(counted_scenarios())
def test_random_failures_that_stand_alone(scenario: Scenario) -> None:
    """Every column of the ledger, with months of an eighth of the run."""
    scenario = scenario.model_copy(update={"month": max(3, scenario.horizon // 8)})
    assert unequal(*both_ways(scenario)) == []


@settings(max_examples=300)
@given(counted_scenarios(simple=True))
def test_random_failures_that_are_added_up(scenario: Scenario) -> None:
    """The same where failures may be added up, and the reference finds these integers too."""
    scenario = scenario.model_copy(update={"month": max(3, scenario.horizon // 8)})
    program = Program(scenario)
    assert program.counted
    assert unequal(*both_ways(scenario)) == []
    added_up = play(program, [0], compiled=False).ledgers().account(0)
    assert differences(added_up, reference.simulate(scenario, 0).verified(scenario.capacity_gpu_ms)) == []


@pytest.mark.parametrize("mtbf", ["25000 h", "8000 h", "2500 h"])
@pytest.mark.parametrize("repair", [{"time": "1 h", "crews": 2}, {"kind": "lognormal", "mean": "90 min", "sigma": 1.5}])
@pytest.mark.parametrize("hours", [720, 20])
def test_the_headline_workload_in_every_way(
    mtbf: str, repair: dict[str, Any], hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures that are over at once, that are so until they are found, with spares and without, and all others."""
    document = load(HEADLINE).model_dump(mode="json", exclude_none=True)
    document |= {"horizon": "1 mo"}
    document["hazards"][0] |= {"mtbf": mtbf, "repair": repair}
    ways: Counter[str] = Counter()

    def watched(honest: Rule) -> Rule:
        def adds_up(w: Any, hazard: int, target: int, rank: int, now: int, outcome: int) -> int:
            left = honest(w, hazard, target, rank, now, outcome)
            way = "never" if left < 0 else "at once" if not left else "until found"
            ways[way if way != "until found" or left <= w.one.free else "until found, no spare"] += not w.one.logs
            return int(left)

        return adds_up

    plant(monkeypatch, adds_up=watched)
    scenario = Scenario.model_validate(document).model_copy(update={"month": hours * MS_PER_H})
    assert unequal(*both_ways(scenario)) == []
    assert all(ways[way] for way in ("at once", "until found", "until found, no spare", "never")), ways
