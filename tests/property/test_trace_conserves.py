"""Traces of random replications: slices hold the ledger, counters N GPUs; a window is cut out of the whole, exactly."""

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import EventLog
from dcsim.ledger import CAUSES, STATE, Accounts
from dcsim.report.trace import nodes_of, trace_json
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.property.test_event_log_places import SCENARIOS, logged, rows
from tests.unit.trace_format import Event, Trace, cut

Found = tuple[Scenario, EventLog, Accounts]


def found_in(scenario: Scenario | None) -> Found | None:
    """A scenario that can be simulated, its log and its accounts."""
    played = logged(scenario)
    return None if played is None or scenario is None else (scenario, *played)


def whole(scenario: Scenario, log: EventLog) -> Trace:
    """The trace of the whole horizon."""
    return Trace(trace_json(log, scenario, 0, (0, scenario.horizon)))


@settings(max_examples=150, deadline=None)
@given(SCENARIOS)
def test_slices_hold_the_ledger_and_counters_all_gpus(scenario: Scenario | None) -> None:
    """Time of slices times their GPUs is the ledger, state by state; running is what was useful, overhead or lost."""
    found = found_in(scenario)
    if found is None:
        return
    scenario, log, accounts = found
    trace = whole(scenario, log)
    time: Counter[str] = Counter()
    for event in trace.of("X", "Jobs"):
        time[event["name"]] += event["dur"] // 1000 * event["args"]["GPUs"]
    booked = accounts.gpu_ms.sum(axis=0).tolist()
    shrunk = int(accounts.overhead_gpu_ms[:, CAUSES.index("shrunk")].sum())
    expected = Counter({state: booked[column] for state, column in STATE.items()})
    expected["running"] = sum(expected.pop(state) for state in ("useful", "overhead", "lost")) - shrunk
    expected["no use in this shape"] = shrunk
    assert +time == +expected
    lost = sum(event["args"].get("lost, GPU-h", 0.0) for event in trace.of("i", "Jobs"))
    marks = len(trace.of("i", "Jobs"))
    assert abs(lost - booked[STATE["lost"]] / 3.6e6) <= 0.001 * marks
    counted = trace.counters("GPUs by state")
    assert min(counted) == 0
    assert {sum(values.values()) for values in counted.values()} == {scenario.cluster.gpus}
    assert all(value >= 0 for values in counted.values() for value in values.values())
    assert len(trace.of("i", "Failures")) == accounts.failures
    placed = any(rows(log, "place"))
    held = sum(event["dur"] // 1000 * event["args"].get("GPUs", 0) for event in trace.of("X", "Racks"))
    assert held == (scenario.capacity_gpu_ms if placed else 0)


@settings(max_examples=100, deadline=None)
@given(SCENARIOS)
def test_slices_say_what_struck(scenario: Scenario | None) -> None:
    """What a gang does after strikes names them, all since it last ran; slices of a rack differ from the one before."""
    found = found_in(scenario)
    if found is None:
        return
    trace = whole(*found[:2])
    tracks: dict[int, list[Event]] = defaultdict(list)
    for event in (*trace.of("i", "Jobs"), *trace.of("X", "Jobs")):
        tracks[event["tid"]].append(event)
    for events in tracks.values():
        struck: set[str] = set()
        for event in sorted(events, key=lambda event: (event["ts"] + event.get("dur", 0), event["ph"])):
            if event["name"] == "strike":
                struck.add(event["args"]["why"])
            elif event["name"] in ("running", "checkpoint"):
                struck = set()
            elif event["name"] in ("detect", "failover", "restore", "wait") and "away" not in trace.track(event):
                assert set(event["args"].get("why", "").split(", ")) - {""} == struck
    last: dict[int, Event] = {}
    for event in trace.of("X", "Racks"):
        before = last.get(event["tid"])
        assert before is None or (before["name"], before["args"]) != (event["name"], event["args"])
        last[event["tid"]] = event


@settings(max_examples=150, deadline=None)
@given(SCENARIOS, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_window_is_cut_out_of_the_whole(scenario: Scenario | None, sides: tuple[float, float]) -> None:
    """A window shows what the whole trace shows there: the same slices, cut at its sides, instants and counters."""
    found = found_in(scenario)
    if found is None:
        return
    scenario, log, _ = found
    low, high = sorted(round(side * scenario.horizon) for side in sides)
    if low == high:
        return
    everything, window = whole(scenario, log), Trace(trace_json(log, scenario, 0, (low, high)))
    assert cut(window, 0, scenario.horizon) == cut(everything, low, high)
    for event in window.events:
        assert event["ph"] == "M" or 1000 * low <= event["ts"] < 1000 * high
    for group in ("GPUs by state", "Repair crews", "Storage"):
        before, within = everything.counters(group), window.counters(group)
        for at, values in within.items():
            known = max((when for when in before if when <= at), default=None)
            assert known is not None
            assert +Counter(values) == +Counter(before[known])
        for at in before:
            assert not low < at < high or at in within


@settings(max_examples=100, deadline=None)
@given(SCENARIOS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_chosen_racks_are_all_that_is_shown(scenario: Scenario | None, first: int, last: int) -> None:
    """With some racks chosen, their slices are those of the whole; gangs are who was on them; counters hold them."""
    found = found_in(scenario)
    if found is None or not any(rows(found[1], "place")):
        return
    scenario, log, _ = found
    topology = plan(scenario).topology
    low, high = sorted((first % topology.racks, last % topology.racks))
    nodes = nodes_of(f"rack/{low}-{high}", topology)
    chosen = Trace(trace_json(log, scenario, 0, (0, scenario.horizon), nodes))
    everything = whole(scenario, log)
    names = {f"rack/{rack}" for rack in range(low, high + 1)}

    def racks(trace: Trace) -> Counter[str]:
        here = (event for event in trace.of("X", "Racks") if trace.track(event) in names)
        return Counter(f"{trace.track(event)} {event['ts']} {event['dur']} {event['args']}" for event in here)

    assert racks(chosen) == racks(everything)
    assert {chosen.track(event) for event in chosen.of("X", "Racks")} == names
    counted = chosen.counters("GPUs by state")
    assert {sum(values.values()) for values in counted.values()} == {nodes.gpus}
    assert all(value >= 0 for values in counted.values() for value in values.values())
    on_them = " ".join(key for event in chosen.of("X", "Racks") for key in event["args"])
    gangs = {chosen.track(event).partition(": away")[0] for event in chosen.of("X", "Jobs")}
    assert all(gang in on_them for gang in gangs)
    held = {key.removesuffix(", GPUs") for event in chosen.of("X", "Racks") for key in event["args"]}
    assert {name for name in held if ", of " not in name} <= gangs | {"free", "GPUs"}
    failures = {event["args"]["failure"] for event in chosen.of("i", "Failures")}
    ((start, end),) = nodes.spans
    reaching = {
        row["failure"] for row in rows(log, "place") if row["where"] < end and row["where"] + row["gpus"] > start
    }
    for row in rows(log, "failure"):
        if row["where"] >= 0:
            first_gpu, end_gpu = topology.span(row["kind"], row["where"])
            reaching |= {row["failure"]} if first_gpu < end and end_gpu > start else set()
    assert failures == reaching - {-1}
    assert {event["args"]["failure"] for event in chosen.of("X", "Repair crews")} <= failures
