"""What the event log says beyond the ledger, held against it: places, stretches, repairs, the plant, storage."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import EventLog, simulate_with_log
from dcsim.ledger import STATE, Accounts
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios
from tests.property.scenarios import random_scenarios
from tests.property.test_plant_laws import SEEDS
from tests.property.test_plant_laws import scenario as plant_of

Row = dict[str, Any]
SCENARIOS = st.one_of(random_scenarios(), full_scenarios(), plant_scenarios(), SEEDS.map(plant_of))


def rows(log: EventLog, *what: str) -> Iterator[Row]:
    """The rows of these kinds, in the order of the log."""
    columns = log.columns()
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        if row["what"] in what:
            yield row


def logged(scenario: Scenario | None) -> tuple[EventLog, Accounts] | None:
    """A replication's log and its accounts; None if there is no scenario."""
    if scenario is None:
        return None
    accounts, log = simulate_with_log(scenario, 0)
    return log, accounts


def time_of_places(log: EventLog, horizon: int) -> Counter[tuple[str, str]]:
    """GPU-ms by owner and state ("": in service), from the rows of places alone."""
    held: dict[int, tuple[str, str, int]] = {}
    found: Counter[tuple[str, str]] = Counter()
    for row in rows(log, "place"):
        for gpu in range(row["where"], row["where"] + row["gpus"]):
            if gpu in held:
                owner, state, since = held[gpu]
                found[owner, state] += row["start_ms"] - since
            held[gpu] = row["owner"], row["phase"], row["start_ms"]
    for owner, state, since in held.values():
        found[owner, state] += horizon - since
    return found


@settings(max_examples=200, deadline=None)
@given(SCENARIOS)
def test_places_hold_what_the_ledger_books(scenario: Scenario | None) -> None:
    """GPU by GPU, time in service, in repair, in maintenance and without power is what is booked, owner by owner."""
    found = logged(scenario)
    if found is None or scenario is None or not any(rows(found[0], "place")):
        return
    log, accounts = found
    time = time_of_places(log, scenario.horizon)
    assert sum(time.values()) == scenario.capacity_gpu_ms
    away: Counter[tuple[str, str]] = Counter()  # maintenance of what is out, not of what is drained
    for row in rows(log, "phase"):
        if row["kind"]:
            away[row["owner"], row["phase"]] += row["gpu_ms"]
    booked = dict(zip(accounts.owners, accounts.gpu_ms.tolist(), strict=True))
    for owner, states in booked.items():
        if owner == "spares":
            continue
        if owner == "rest":
            free = states[STATE["idle"]] + booked["spares"][STATE["spare"]]
            assert time["rest", ""] == free
        else:
            out = states[STATE["repair"]] + away[owner, "maintenance"] + states[STATE["unpowered"]]
            assert time[owner, ""] + time[owner, "detect"] == sum(states) - out
        assert time[owner, "repair"] == states[STATE["repair"]]
        assert time[owner, "unpowered"] == states[STATE["unpowered"]]
        assert time[owner, "maintenance"] == away[owner, "maintenance"]


@settings(max_examples=150, deadline=None)
@given(SCENARIOS)
def test_every_gpu_is_in_one_phase_at_every_instant(scenario: Scenario | None) -> None:
    """Rows of a stretch fill it; counted once, the rows of phases hold N GPUs from t = 0 to the horizon."""
    found = logged(scenario)
    if found is None or scenario is None:
        return
    stretches: Counter[tuple[int, int, int, int]] = Counter()
    changes: Counter[int] = Counter()
    for row in rows(found[0], "phase"):
        start, end, gpus = row["start_ms"], row["end_ms"], row["gpus"]
        assert end > start
        if row["phase"] in ("running", "checkpoint"):
            stretches[row["gang"], start, end, gpus] += row["gpu_ms"]
            continue
        assert row["gpu_ms"] == gpus * (end - start)
        changes[start] += gpus
        changes[end] -= gpus
    for (_, start, end, gpus), gpu_ms in stretches.items():
        assert gpu_ms == gpus * (end - start)
        changes[start] += gpus
        changes[end] -= gpus
    assert changes.pop(0) == scenario.cluster.gpus
    assert changes.pop(scenario.horizon) == -scenario.cluster.gpus
    assert not any(changes.values())


@settings(max_examples=150, deadline=None)
@given(SCENARIOS)
def test_failures_repairs_and_parts_add_up(scenario: Scenario | None) -> None:
    """Failures are numbered and counted; crews are never more than there are; what is out comes back once."""
    found = logged(scenario)
    if found is None or scenario is None:
        return
    log, accounts = found
    failures = list(rows(log, "failure"))
    assert [row["failure"] for row in failures] == list(range(accounts.failures))
    for row in rows(log, "strike", "identify", "work", "queue", "test", "replace", "corrupt"):
        failed = failures[row["failure"]]
        assert (row["why"], row["where"], row["kind"]) == (failed["why"], failed["where"], failed["kind"])
        assert row["start_ms"] >= failed["start_ms"]
    strikes = Counter(row["owner"] for row in rows(log, "strike"))
    for owner, count in zip(accounts.owners, accounts.strikes.tolist(), strict=True):
        assert owner in ("spares", "rest") or strikes[owner] == count
    out: Counter[tuple[object, ...]] = Counter()
    for row in rows(log, "out", "back"):
        part = row["kind"], row["where"], row["why"], row["failure"] >= 0
        out[part] += 1 if row["what"] == "out" else -1
        assert out[part] >= 0
        assert row["failure"] < 0 or out[part] <= 1  # what has failed cannot fail again before it is back


@settings(max_examples=150, deadline=None)
@given(SCENARIOS)
def test_crews_and_gateways_are_never_overbooked(scenario: Scenario | None) -> None:
    """At most as many repairs are under way as there are crews; only for them, shifts or visits is there a queue."""
    found = logged(scenario)
    if found is None or scenario is None:
        return
    most: dict[str, int] = {}
    waits = set()  # for a shift or a visit, however many crews there are
    for hazard in scenario.hazards:
        for number, stage in enumerate(hazard.stages, 1):
            several = f", stage {number}" if len(hazard.stages) > 1 else ""
            if stage.crews is not None:
                most[stage.name or hazard.key + several] = stage.crews
            if stage.waits:
                waits.add(stage.name or hazard.key + several)
    busy: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows(found[0], "work", "queue"):
        if row["crews"] in most and row["what"] == "work":
            busy[row["crews"]][row["start_ms"]] += 1
            busy[row["crews"]][row["end_ms"]] -= 1
        else:
            assert row["what"] == "work" or row["crews"] in {*most, *waits}
    for crews, changes in busy.items():
        at_work = 0
        for at in sorted(changes):
            at_work += changes[at]
            assert 0 <= at_work <= most[crews]
        assert at_work == 0
    storage = scenario.cluster.topology.storage
    used: Counter[int] = Counter()
    for row in rows(found[0], "load", "write"):
        assert row["end_ms"] > row["start_ms"]
        rate = rate_of(scenario, row) * row["speed_ppb"] / 1e9
        used[row["start_ms"]] += rate
        used[row["end_ms"]] -= rate
    moved = 0.0
    for at in sorted(used):
        moved += used[at]
        assert storage is not None
        assert moved <= storage.gateways * storage.bandwidth * (1 + 1e-6)


@settings(max_examples=150, deadline=None)
@given(SEEDS.map(plant_of))
def test_writes_through_the_gateways_are_what_blocks(scenario: Scenario | None) -> None:
    """Where one tier blocks its gang, its writes through the gateways take all that is booked as checkpoint."""
    found = logged(scenario)
    if found is None or scenario is None or not scenario.cluster.topology.storage:
        return
    log, _ = found
    gangs = plan(scenario).gangs
    through = {gang.index for gang in gangs if scenario.jobs[gang.job].storage and not gang.recovery.tiers[-1].drain}
    booked: Counter[int] = Counter()
    for row in rows(log, "phase"):
        if row["phase"] == "checkpoint" and row["gang"] in through:
            booked[row["gang"]] += row["gpu_ms"]
    for row in rows(log, "write"):
        booked[row["gang"]] -= row["gpus"] * (row["end_ms"] - row["start_ms"])
    assert not any(booked.values())


def rate_of(scenario: Scenario, row: Row) -> float:
    """What a transfer moves with storage to itself [GB/s]."""
    gang = plan(scenario).gangs[row["gang"]]
    use = scenario.jobs[gang.job].storage
    assert use is not None
    time = use.load if row["what"] == "load" else gang.recovery.tiers[-1].write
    return use.state * 2**30 / 1e9 / (time / 1000)
