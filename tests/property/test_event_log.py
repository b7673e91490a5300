"""The event log holds everything that the ledger holds: the ledger is computed again from it alone."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings

from dcsim.engine import EventLog, simulate, simulate_with_log
from dcsim.ledger import STATE, STATES
from dcsim.scenario.plan import plan
from tests.property.scenarios import random_scenarios


def ledger_of(log: EventLog, owners: tuple[str, ...], useful_ppb: dict[str, int]) -> np.ndarray:
    """Fold a log into GPU-ms by owner and state, as the log's schema says."""
    gpu_ms = np.zeros((len(owners), len(STATES)), dtype=np.int64)
    running: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    columns = log.columns()
    rows = zip(*(columns[name].tolist() for name in ("owner", "gang", "phase", "gpu_ms", "speed_ppb")), strict=True)
    for owner, gang, phase, booked, speed in rows:
        if phase == "running":
            running[owner, gang][0] += booked
            running[owner, gang][1] += booked * speed
        elif phase:
            gpu_ms[owners.index(owner), STATE[phase]] += booked
    for (owner, _), (surviving, weight) in running.items():
        useful = weight // 10**9 * useful_ppb[owner] // 10**9
        gpu_ms[owners.index(owner), STATE["useful"]] += useful
        gpu_ms[owners.index(owner), STATE["overhead"]] += surviving - useful
    return gpu_ms


@settings(max_examples=60, deadline=None)
@given(random_scenarios())
def test_the_ledger_can_be_computed_from_the_log_alone(scenario) -> None:
    """Every GPU-ms of the ledger stands in the log, under its owner and its state."""
    accounts, log = simulate_with_log(scenario, 0)
    useful = {job.name: job.recovery.useful_ppb for job in plan(scenario).scenario.jobs}
    assert np.array_equal(ledger_of(log, accounts.owners, useful), accounts.gpu_ms)


@settings(max_examples=30, deadline=None)
@given(random_scenarios())
def test_a_log_changes_nothing(scenario) -> None:
    """A logged replication has the same accounts as one without a log."""
    logged, plain = simulate_with_log(scenario, 1)[0], simulate(scenario, 1)
    assert np.array_equal(logged.gpu_ms, plain.gpu_ms)
    assert np.array_equal(logged.strikes, plain.strikes)
    assert logged.failures == plain.failures
