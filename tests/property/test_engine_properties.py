"""Laws that the engine keeps on every run: bounds, scaling, common random numbers, and one gang in closed form."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dcsim import engine
from dcsim.ledger import STATE, Accounts
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.property.scenarios import random_scenarios, text
from tests.unit.literal import chosen
from tests.unit.strategies import Stretch

TIMES = ("horizon", "submit", "failover", "restore", "checkpoint_every", "checkpoint_write", "detect")
SIZES = ("gpus", "spares", "blast")
OVERHEADS = ("network_overhead", "memory_overhead")


def changed(value, keys, change):
    """Return a frozen model with every number under one of ``keys`` changed, at any depth."""
    if isinstance(value, tuple):
        return tuple(changed(each, keys, change) for each in value)
    if not hasattr(value, "model_copy"):
        return value
    update = {}
    for name in type(value).model_fields:
        found = getattr(value, name)
        scaled = name in keys and isinstance(found, int | float)
        update[name] = change(found) if scaled else changed(found, keys, change)
    return value.model_copy(update=update)


class Known(NamedTuple):
    """Failures of one hazard with their repair times, by draw number; int64 [ms] or marks."""

    times: NDArray[np.int64]
    marks: NDArray[np.int64]
    repairs: NDArray[np.int64]


def known(scenario: Scenario, replication: int) -> list[Known]:
    """Draw the failures of every hazard."""
    found = []
    for draws in plan(scenario).draws(replication):
        failures = draws.failures
        found.append(Known(failures.times, failures.marks, draws.outcomes(len(failures.times)).stages[0]))
    return found


def simulated(scenario: Scenario, failures: list[Known]) -> Accounts:
    """Simulate one replication with given failures."""
    rows = [list(zip(*(column.tolist() for column in each), strict=True)) for each in failures]
    with chosen(rows):
        return engine.simulate(scenario, 0)


def exact(scenario: Scenario) -> Scenario:
    """Return the scenario without overheads, so that nothing is rounded."""
    return changed(scenario, OVERHEADS, lambda share: 0.0)


@settings(max_examples=100)
@given(random_scenarios(), st.integers(0, 100))
def test_bounds(scenario: Scenario, replication: int) -> None:
    """No job is useful or in service beyond what it asked for; only rollback loses; spares and rest hold their own."""
    accounts = engine.simulate(scenario, replication)
    in_service = accounts.gpu_ms.sum(axis=1) - accounts.gpu_ms[:, STATE["repair"]]
    for row, job in enumerate(scenario.jobs):
        asked = job.gpus * job.count * max(0, scenario.horizon - job.submit)
        assert 0 <= accounts.gpu_ms[row, STATE["useful"]] <= in_service[row] <= asked <= scenario.capacity_gpu_ms
        assert job.recovery.rolls_back or accounts.gpu_ms[row, STATE["lost"]] == 0
        assert accounts.strikes[row] <= accounts.failures * job.count
    spares, rest = accounts.gpu_ms[-2:]
    assert spares.sum() == spares[STATE["spare"]] <= scenario.cluster.spares * scenario.horizon
    assert rest.sum() == rest[STATE["idle"]] + rest[STATE["repair"]]
    assert accounts.gpu_ms[:, [STATE["maintenance"], STATE["unpowered"]]].sum() == 0
    assert accounts.failures <= sum(len(each.times) for each in known(scenario, replication))


@settings(max_examples=50)
@given(random_scenarios(), st.integers(0, 100))
def test_repeatable(scenario: Scenario, replication: int) -> None:
    """A replication gives the same accounts again, whatever ran in between."""
    first = engine.simulate(scenario, replication)
    engine.simulate(scenario, replication + 1)
    again = engine.simulate(scenario, replication)
    np.testing.assert_array_equal(first.gpu_ms, again.gpu_ms)
    assert first.failures == again.failures


@settings(max_examples=100)
@given(random_scenarios(), st.integers(2, 1000))
def test_time_scales(scenario: Scenario, factor: int) -> None:
    """If every duration and failure time is stretched by a factor, so is every account, exactly."""
    scenario = exact(scenario)
    failures = known(scenario, 0)
    slower = [Known(each.times * factor, each.marks, each.repairs * factor) for each in failures]
    expected = simulated(scenario, failures)
    found = simulated(changed(scenario, TIMES, lambda ms: ms * factor), slower)
    np.testing.assert_array_equal(found.gpu_ms, expected.gpu_ms * factor)
    np.testing.assert_array_equal(found.strikes, expected.strikes)


@settings(max_examples=100)
@given(random_scenarios(), st.integers(2, 9), st.integers(0, 8))
def test_size_scales(scenario: Scenario, factor: int, offset: int) -> None:
    """If every GPU becomes several (trays, gangs, spares, blasts with them), every account grows as much, exactly."""
    hazards = [  # a derived blast of one GPU would stay one GPU
        hazard.model_copy(update={"blast": "node"}) if hazard.struck_part == "gpu" else hazard
        for hazard in scenario.hazards
    ]
    scenario = exact(scenario).model_copy(update={"hazards": tuple(hazards)})
    failures = known(scenario, 0)
    larger = [
        each
        if hazard.struck_part and hazard.component != "gpu"  # marks of trays and racks stay
        else Known(each.times, each.marks * factor + offset % factor, each.repairs)
        for hazard, each in zip(scenario.hazards, failures, strict=True)
    ]
    expected = simulated(scenario, failures)
    found = simulated(changed(scenario, SIZES, lambda gpus: gpus * factor), larger)
    np.testing.assert_array_equal(found.gpu_ms, expected.gpu_ms * factor)
    np.testing.assert_array_equal(found.strikes, expected.strikes)
    assert found.failures == expected.failures


@settings(max_examples=50)
@given(random_scenarios(), random_scenarios(), st.integers(0, 100))
def test_no_draw_is_shifted(scenario: Scenario, other: Scenario, replication: int) -> None:
    """Further hazards, another order, other jobs and strategies leave each hazard's failures as they were."""
    extra = [hazard.model_copy(update={"name": f"extra {hazard.name}"}) for hazard in scenario.hazards]
    around = (extra[0], *reversed(scenario.hazards), *extra[1:])
    larger = known(scenario.model_copy(update={"hazards": around, "jobs": other.jobs}), replication)
    by_name = dict(zip((hazard.key for hazard in around), larger, strict=True))
    for hazard, expected in zip(scenario.hazards, known(scenario, replication), strict=True):
        found = by_name[hazard.key]
        np.testing.assert_array_equal(found.times, expected.times)
        np.testing.assert_array_equal(found.marks, expected.marks)
        np.testing.assert_array_equal(found.repairs, expected.repairs)


one_gang = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["checkpoint-restart", "fault-tolerant"]),
        "failover": st.integers(0, 9).map(text),
        "restore": st.integers(0, 9).map(text),
        "checkpoint_every": st.integers(1, 30).map(text),
        "checkpoint_write": st.integers(0, 5).map(text),
    }
)


def gang_of(recovery: dict[str, str], detect: int, spares: int) -> Scenario:
    """Return a gang of 20 with spares in plenty for one second."""
    parts = {"node": {"gpus": 1}, "rack": {"nodes": 4}, "nvlink": {"domain": "node"}}
    topology = {"name": "tiny", "description": "", **parts}
    return Scenario.model_validate(
        {
            "name": "one gang",
            "horizon": "1 s",
            "cluster": {"topology": topology, "gpus": 20 + spares, "spares": spares},
            "jobs": [{"name": "a", "gpus": 20, "recovery": recovery}],
            "hazards": [{"component": "gpu", "mtbf": "1 h", "blast": 1, "detect": text(detect)}],
        }
    )


strike_times = st.lists(st.integers(0, 999), max_size=12).map(sorted)


def struck(times: list[int]) -> list[Known]:
    """Return failures that strike the gang's first member at these times; none is repaired within the horizon."""
    at = np.array(times, dtype=np.int64)
    return [Known(at, at * 0, at * 0 + 10_000)]


@given(one_gang, st.integers(0, 9), strike_times)
def test_one_gang_in_closed_form(recovery: dict[str, str], detect: int, times: list[int]) -> None:
    """With spares in plenty a gang computes in the gaps between stalls of detect + failover (+ restore), no more."""
    # Each gap is a stretch of its own; what the horizon cuts is useful. A strike within a stall starts it anew.
    scenario = gang_of(recovery, detect, spares=12)
    strategy = scenario.jobs[0].recovery
    stall = detect + strategy.failover + (strategy.restore_ms(0, 20) if strategy.rolls_back else 0)
    starts = [0, *(at + stall for at in times)]
    gaps = [max(0, end - start) for start, end in zip(starts, [*times, 1000], strict=True)]
    stretches = [Stretch(strategy).settle(gap) for gap in gaps]
    accounts = simulated(scenario, struck(times))
    useful, checkpoint, lost = (accounts.gpu_ms[0, STATE[name]] for name in ("useful", "checkpoint", "lost"))
    kept = 0 if strategy.rolls_back else sum(unsaved for _, _, unsaved in stretches[:-1])
    assert useful == 20 * (sum(saved for saved, _, _ in stretches) + kept + stretches[-1][2])
    assert checkpoint == 20 * sum(writing for _, writing, _ in stretches)
    assert lost == 20 * (sum(unsaved for _, _, unsaved in stretches[:-1]) - kept)
    assert accounts.strikes[0] == len(times)


@given(one_gang, st.lists(st.integers(0, 40), min_size=2, max_size=4).map(sorted), strike_times)
def test_longer_stall_never_helps(recovery: dict[str, str], detects: list[int], times: list[int]) -> None:
    """Without rollback and writes, on the same strikes, useful time never grows with detection or with more strikes.

    (With rollback it can: a later resume shifts the checkpoints to luckier moments.)
    """
    recovery = {"kind": "fault-tolerant", "failover": recovery["failover"]}
    useful = [
        simulated(gang_of(recovery, detect, spares=12), struck(times)).gpu_ms[0, STATE["useful"]] for detect in detects
    ]
    assert all(longer <= shorter for shorter, longer in pairwise(useful))
    fewer = simulated(gang_of(recovery, detects[0], spares=12), struck(times[1:])).gpu_ms[0, STATE["useful"]]
    assert useful[0] <= fewer
