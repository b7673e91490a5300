"""Months and causes of random scenarios: they sum to the ledger, and they hold what the event log says when and why."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine.compiled_clock import play
from dcsim.ledger import STATE, STATES, Ledgers
from dcsim.program.event_log import EventLog
from dcsim.program.program import Program
from dcsim.scenario import Scenario, load
from dcsim.scenario.sampled import sampled
from dcsim.units import MS_PER_H, MS_PER_MONTH
from tests.benchmark.bench import HEADLINE
from tests.property.counted_scenarios import counted_scenarios
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios

SCENARIOS = st.one_of(counted_scenarios(), full_scenarios(), plant_scenarios())
WORK = ("useful", "overhead", "checkpoint", "lost")
"""States whose months the log does not say: work is booked by stretch there, and taken back at its loss."""


def in_short_months(scenario: Scenario, month: int, logs: int = 1) -> tuple[Ledgers, EventLog]:
    """Play a run by the rules as they are, with months of so many ms, for the horizons here are short."""
    scenario = scenario.model_copy(update={"month": month})
    runs = play(Program(sampled(scenario, 0)), [0], compiled=False, logs=logs)
    return runs.ledgers().verified(scenario.capacity_gpu_ms), runs.log()


@settings(max_examples=150)
@given(SCENARIOS, st.integers(3, 400))
def test_every_month_holds_all_of_its_time(scenario: Scenario, ms: int) -> None:
    """A month's states sum to its GPU-ms, none is negative, and the months together are the ledger (verified)."""
    month = max(ms, scenario.horizon // 50)
    by_month = in_short_months(scenario, month)[0].gpu_ms_by_month[0]
    lengths = np.diff([*range(0, scenario.horizon, month), scenario.horizon])
    assert by_month.sum(axis=1).tolist() == (scenario.cluster.gpus * lengths).tolist()
    assert by_month.min() >= 0


@settings(max_examples=150)
@given(SCENARIOS, st.integers(3, 400))
def test_states_are_in_the_months_of_the_log(scenario: Scenario, ms: int) -> None:
    """Each row of the log that books time, but for work, cut at the ends of months."""
    month = max(ms, scenario.horizon // 50)
    ledgers, log = in_short_months(scenario, month)
    found: Counter[tuple[int, str]] = Counter()
    columns = log.columns()
    rows = zip(*(columns[name] for name in ("what", "phase", "gpus", "start_ms", "end_ms")), strict=True)
    for what, phase, gpus, start, end in rows:
        if what == "phase" and phase not in ("running", *WORK):
            for number in range(start // month, -(-end // month)):
                found[number, phase] += gpus * (min(end, (number + 1) * month) - max(start, number * month))
    by_month = ledgers.gpu_ms_by_month[0]
    for state in STATES:
        if state not in WORK:
            expected = [found[number, state] for number in range(len(by_month))]
            assert by_month[:, STATE[state]].tolist() == expected, state


@pytest.mark.parametrize("hours", [2, 9])
def test_a_failure_that_stands_alone_is_in_its_months(hours: int) -> None:
    """With a log no failure is settled at once; without one those that stand alone are, with the same rows."""
    scenario = load(HEADLINE).model_copy(update={"horizon": 2 * MS_PER_MONTH})
    alone, logged = (in_short_months(scenario, hours * MS_PER_H, logs)[0] for logs in (0, 1))
    assert alone.gpu_ms_by_month.tolist() == logged.gpu_ms_by_month.tolist()
    assert alone.gpu_ms_by_cause.tolist() == logged.gpu_ms_by_cause.tolist()
    lengths = np.full(alone.gpu_ms_by_month.shape[1], hours * MS_PER_H)
    assert alone.gpu_ms_by_month[0].sum(axis=1).tolist() == (scenario.cluster.gpus * lengths).tolist()


@settings(max_examples=150)
@given(SCENARIOS)
def test_causes_are_those_of_the_log(scenario: Scenario) -> None:
    """Each row of the log that books time names its cause; running time has none."""
    ledgers, log = in_short_months(scenario, max(5, scenario.horizon // 50))
    columns = log.columns()
    names = [each.key for each in scenario.hazards] + [each.name for each in scenario.maintenance]
    found: Counter[tuple[int, str]] = Counter()
    rows = zip(*(columns[name] for name in ("what", "phase", "why", "gpu_ms")), strict=True)
    for what, phase, why, gpu_ms in rows:
        if what in ("phase", "rollback") and phase not in ("running", "overhead"):
            found[names.index(why) if why in names else len(names), phase] += gpu_ms
    by_cause = ledgers.gpu_ms_by_cause[0]
    assert len(by_cause) == len(names) + 1
    for row in range(len(by_cause)):
        for state in STATES:
            if state not in ("useful", "overhead"):
                assert by_cause[row, STATE[state]] == found[row, state], (row, state)


@settings(max_examples=150)
@given(SCENARIOS)
def test_stalls_are_of_the_first_cause_since_the_gang_ran(scenario: Scenario) -> None:
    """By gang, from the log: a strike, a drain or a stop begins a stall that is its own until the gang runs again."""
    columns = in_short_months(scenario, scenario.horizon)[1].columns()
    blamed: dict[int, str] = {}
    names = ("what", "gang", "phase", "why", "gpu_ms", "start_ms", "end_ms")
    for what, gang, phase, why, _, start, end in zip(*(columns[name] for name in names), strict=True):
        if gang < 0:
            continue
        if what in ("strike", "drain", "stop") and why:
            blamed.setdefault(gang, why)
        elif what == "phase" and phase == "running" and end > start:
            blamed.pop(gang, None)
        elif what == "phase" and phase in ("detect", "failover", "restore", "wait") and why != "shrunk":
            assert why == blamed.get(gang, ""), (gang, phase)
