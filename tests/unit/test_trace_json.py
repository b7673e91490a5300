"""A replication as a trace for chrome://tracing and ui.perfetto.dev: what is shown, where, and how much of it."""

import json
from collections import Counter
from typing import Any

import pytest

from dcsim import __version__
from dcsim.engine import EventLog, simulate_with_log
from dcsim.recovery.timetable import Tier
from dcsim.report import trace as traces
from dcsim.report.trace import TraceError, bounds_of, nodes_of, trace_json, window_of
from dcsim.report.trace_gangs import laid_out
from dcsim.report.trace_story import Row, Writes
from dcsim.scenario import Scenario, load, sha256
from dcsim.scenario.plan import plan
from tests.unit.trace_format import Trace, cut

H = 3_600_000
DAY = 24 * H


def scenario(**changes: Any) -> Scenario:
    """128 GPUs for ten days: trays fail, two technicians repair; two jobs."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "2 h", "checkpoint_write": "3 min"}
    recovery |= {"failover": "2 min", "restore": "10 min"}
    train = {"name": "train", "gpus": 64, "recovery": recovery}
    serve = {"name": "serve", "gpus": 16, "count": 3, "recovery": {"kind": "stateless", "restore": "10 min"}}
    technicians = [{"name": "technician", "time": "5 h", "crews": 2}, {"time": "1 h"}]
    content = {
        "name": "ten days",
        "horizon": "10 d",
        "seed": 3,
        "cluster": {"topology": "hgx-h100", "gpus": 128, "spares": 16},
        "jobs": [train, serve],
        "hazards": [{"component": "node", "mtbf": "60 h", "detect": "10 min", "repair": technicians}],
    }
    return Scenario.model_validate(content | changes)


def log_of(found: Scenario) -> EventLog:
    """The log of its first replication."""
    return simulate_with_log(found, 0)[1]


def trace_of(found: Scenario, window: str = ":", nodes: str = "") -> Trace:
    """The trace of its first replication, checked."""
    chosen = nodes_of(nodes, plan(found).topology) if nodes else None
    return Trace(trace_json(log_of(found), found, 0, window_of(window, found.horizon), chosen))


def test_a_trace_says_where_it_comes_from() -> None:
    """Scenario, hash, seed, replication, version, window and the unit of its times are in it."""
    trace = trace_of(scenario(), "1 d:2 d", "rack/0")
    assert trace.about == {
        "scenario": "ten days",
        "scenario_sha256": sha256(scenario()),
        "seed": 3,
        "replication": 0,
        "dcsim": __version__,
        "horizon": "240 h",
        "window": "24 h to 48 h",
        "nodes": "rack/0",
        "times": "microseconds of simulated time from the start of the horizon",
    }
    assert min(event["ts"] for event in trace.of("X")) == 86_400_000_000


def test_groups_and_tracks_are_named_after_what_they_are() -> None:
    """Jobs, racks, crews and failures have groups; gangs of a job are numbered, racks have their address."""
    trace = trace_of(scenario())
    groups = ["GPUs by state (128 GPUs)", "Jobs", "Racks", "Repair crews", "Failures"]
    assert list(trace.groups.values()) == groups
    tracks = {group: [trace.names[key] for key in trace.names if key[0] == group] for group in trace.groups}
    jobs = [name for name in tracks[2] if "away" not in name]
    assert jobs == ["train", "serve 0", "serve 1", "serve 2", "free: spares"]
    assert tracks[3] == ["rack/0", "rack/1", "rack/2", "rack/3"]
    assert tracks[4][:2] == ["technician 1 (of 2)", "technician 2 (of 2)"]
    assert set(tracks[4][2:]) <= {f"node, stage 2 {number}" for number in range(1, 9)}
    assert tracks[8] == ["node"]
    assert max(max(values.values()) for values in trace.counters("Repair crews").values()) >= 1


def test_a_strike_is_followed_by_what_the_strategy_does() -> None:
    """After a strike a gang's track shows detection, failover, restore and running, each with its reason and size."""
    trace = trace_of(scenario())
    strike = next(
        event for event in trace.of("i", "Jobs") if event["name"] == "strike" and trace.track(event) == "train"
    )
    track = sorted((e for e in trace.of("X", "Jobs") if e["tid"] == strike["tid"]), key=lambda event: event["ts"])
    after = [event for event in track if event["ts"] >= strike["ts"]][:4]
    assert [event["name"] for event in after] == ["detect", "failover", "restore", "running"]
    assert [event["dur"] / 60_000_000 for event in after[:3]] == [10, 2, 10]
    assert after[0]["args"] == {"GPUs": 64, "why": "node"}
    assert after[3]["args"] == {"GPUs": 64, "speed, %": 100.0}
    assert strike["args"]["where"].startswith("node/")


def test_writes_come_when_they_are_due() -> None:
    """A checkpoint of 3 min follows every 2 h of computing."""
    first = trace_of(scenario(), ":10 h").of("X", "Jobs")[:2]
    assert [(event["name"], event["dur"] / 60_000_000) for event in first] == [("running", 120), ("checkpoint", 3)]


def writes(*spans: tuple[int, int]) -> Writes:
    """Writes through the gateways."""
    row = Row(0, 0, "write", "", 0, "", -1, "", 0, 0, 0, "gateway", "", -1)
    return Writes(row._replace(start=start, end=end) for start, end in spans)


def test_a_stretch_is_laid_out_by_its_tiers_speeds_and_the_gateways() -> None:
    """Each 10 ms a write of 1, each 20 ms one of 4 too, which the gateways make longer; the speed changes at 15."""
    fast, slow = (
        Tier(every="0.010 s", write="0.001 s", restore="0 s"),
        Tier(every="0.020 s", write="0.004 s", restore="0 s"),
    )
    speeds = [(15, 10**9), (20, 5)]
    found = list(laid_out(100, 148, speeds, (fast, slow), writes((122, 130)), (0, 1000)))
    assert found == [
        (100, 110, 10**9), (110, 111, fast), (111, 116, 10**9), (116, 121, 5), (121, 122, fast), (122, 130, slow),
        (130, 140, 5), (140, 141, fast), (141, 146, 5), (146, 148, 10**9),
    ]  # fmt: skip
    late = list(laid_out(100, 148, speeds, (fast, slow), writes((122, 130)), (135, 1000)))
    assert late == found[6:]
    assert list(laid_out(100, 148, speeds, (fast, slow), writes((122, 130)), (0, 111))) == found[:2]


def storage(**changes: Any) -> Scenario:
    """Four gangs on one feed, whose loads and writes share a gateway; a shelf and the feed fail."""
    recovery = {
        "kind": "checkpoint-restart",
        "checkpoint_every": "2 h",
        "checkpoint_write": "3 min",
        "restore": "10 min",
    }
    job = {
        "name": "train",
        "gpus": 16,
        "count": 4,
        "recovery": recovery,
        "storage": {"state": "500 GiB", "load": "3 min"},
    }
    described = {"base": "hgx-h100", "power": {"feeds": 1}, "storage": {"gateways": 2, "bandwidth": "2 GB/s"}}
    feed = {"component": "feed", "mtbf": "60 h", "repair": "1 h", "detect": "1 min"}
    psu = {"component": "psu", "mtbf": "1000 h", "repair": "3 h"}
    gateway = {"component": "gateway", "mtbf": "200 h", "repair": "4 h", "effect": "degrade", "keeps": "50 %"}
    content = {
        "name": "storm",
        "horizon": "10 d",
        "seed": 3,
        "cluster": {"topology": described, "gpus": 64},
        "jobs": [job],
        "hazards": [feed, psu, gateway],
    }
    return Scenario.model_validate(content | changes)


def test_storage_and_power_are_on_tracks() -> None:
    """Feeds and power supplies that are out, gateways that keep half, and who waits for storage, at which rate."""
    trace = trace_of(storage())
    power = {trace.track(event).split("/")[-2] for event in trace.of("X", "Power")}
    assert power == {"feed", "psu"}
    feeds = [event for event in trace.of("X", "Power") if event["name"] == "feed"]
    assert {event["dur"] // 60_000_000 for event in feeds} == {61}
    assert {event["args"]["left, %"] for event in trace.of("X", "Storage") if event["name"] == "gateway"} == {50.0}
    moved = trace.counters("Storage").values()
    assert max(sum(values.values()) for values in moved) <= 4.001
    assert "write, shared" in {event["name"] for event in trace.of("X", "Storage")}
    blocked = Counter[str]()
    for event in trace.of("X"):
        if event["name"].startswith(("checkpoint", "write")):
            blocked[event["name"][:5], trace.track(event)] += event["dur"]
    for gang in range(4):
        assert blocked["check", f"train {gang}"] == blocked["write", f"train {gang}"] > 0


def test_a_window_in_the_middle_shows_writes_where_they_were() -> None:
    """Slices of any window are those of the whole trace, though the gateways made earlier writes longer."""
    log = log_of(storage())
    everything = Trace(trace_json(log, storage(), 0))
    for first in range(10, 230, 11):
        window = Trace(trace_json(log, storage(), 0, (first * H, first * H + 7 * H)))
        assert cut(window, 0, 240 * H) == cut(everything, first * H, first * H + 7 * H)


def test_racks_without_power_yet_are_shown_as_such() -> None:
    """A phase of energisation is a slice until its date, and its racks are out for it."""
    late = storage(energisation=[{"name": "second half", "racks": 1, "date": "5 d"}])
    trace = trace_of(late)
    (phase,) = (event for event in trace.of("X", "Power") if event["name"] == "second half: no power yet")
    assert (phase["ts"], phase["dur"]) == (0, 5 * DAY * 1000)
    assert phase["args"] == {"what": "racks 1 to 1"}
    first = next(event for event in trace.of("X", "Racks") if trace.track(event) == "rack/1")
    assert first["name"] == "32 of 32 GPUs out"


def test_silver_has_no_places_and_says_so() -> None:
    """The deck's offer types its blast: no rack can be shown, and no node chosen; its whole horizon fits."""
    silver = load("scenarios/pretrain-5184/silver.toml")
    log = log_of(silver)
    bounds = bounds_of(log, silver, 0)
    assert bounds.window == (0, silver.horizon)
    assert bounds.events <= traces.MOST_BY_ITSELF
    (note,) = bounds.notes
    assert note.startswith("shows no racks: no GPU of this scenario has a place")
    pieces = list(trace_json(log, silver, 0, (0, 30 * DAY)))
    assert [event["name"] for event in Trace(pieces).of("X", "Racks")] == ["no GPU has a place"]
    with pytest.raises(TraceError, match=r"^nodes: found 'rack/3'; no GPU of this scenario has a place") as caught:
        bounds_of(log, silver, 0, None, nodes_of("rack/3", plan(silver).topology))
    assert len(caught.value.problems) == 1


def test_what_is_too_much_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the whole does not fit, the longest first part that does is shown; a window that is too much is refused."""
    found = scenario()
    log = log_of(found)
    all_of_it = bounds_of(log, found, 0)
    assert all_of_it.window == (0, 10 * DAY)
    assert all_of_it.notes == ()
    assert len(json.loads("".join(trace_json(log, found, 0)))["traceEvents"]) == all_of_it.events
    monkeypatch.setattr(traces, "MOST_BY_ITSELF", all_of_it.events // 2)
    bounds = bounds_of(log, found, 0)
    assert bounds.events <= all_of_it.events // 2
    assert bounds.window[1] in traces.STEPS
    longer = traces.STEPS[traces.STEPS.index(bounds.window[1]) + 1]
    assert bounds_of(log, found, 0, (0, longer)).events > all_of_it.events // 2
    (note,) = bounds.notes
    assert note.startswith(f"shows the first {bounds.window[1] / DAY:.1f} d of 240 h: all of it is more than ")
    assert Trace(trace_json(log, found, 0)).events == Trace(trace_json(log, found, 0, bounds.window)).events
    monkeypatch.setattr(traces, "MOST", 50)
    with pytest.raises(TraceError, match=r"^window: more than 50 events"):
        bounds_of(log, found, 0, (0, DAY))


def test_two_traces_of_one_replication_are_the_same_bytes() -> None:
    """Nothing in a trace depends on when or how often it is made."""
    first, second = (list(trace_json(log_of(storage()), storage(), 0)) for _ in range(2))
    assert first == second
    assert len(first) > 1000  # it comes piece by piece


HOSTILE = ['</script><script>alert("1")', 'quote " and \\ back', "right\u202eto left", "line\nbreak\u2028", "x" * 200]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_through_as_they_are(name: str) -> None:
    """Names are escaped so that the file is plain ASCII, and mean the same when it is read."""
    found = scenario(name=name * 40, hazards=[{"name": name, "component": "node", "mtbf": "60 h", "repair": "5 h"}])
    found = found.model_copy(update={"jobs": (found.jobs[0].model_copy(update={"name": name}), *found.jobs[1:])})
    trace = trace_of(found)
    assert trace.about["scenario"] == name * 40
    assert name in trace.names.values()
    assert name in {event["name"] for event in trace.of("i", "Failures")}
    assert "\n\n" not in trace.text


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("10 d:12 d", (10 * DAY, 12 * DAY)),
        (" 0 s : 1.5 h ", (0, 5_400_000)),
        (":12 d", (0, 12 * DAY)),
        ("29 d:", (29 * DAY, 30 * DAY)),
        (":", (0, 30 * DAY)),
        ("1-00:00:00:2-12:00:00", (DAY, 60 * H)),
    ],
)
def test_windows_are_durations_from_the_start(text: str, window: tuple[int, int]) -> None:
    """Two durations with a colon between them, a side left out, or durations in Slurm's form."""
    assert window_of(text, 30 * DAY) == window


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10 d", "window: found '10 d'; allowed: two durations with a colon between them, such as \"10 d:12 d\""),
        ("10:12", "window: found '10'; allowed: a duration as text with a unit"),
        ("1 d:2 days", 'did you mean "2 d"?'),
        ("5 d:5 d", "window: begins at 120 h and ends at 120 h"),
        ("6 d:5 d", "window: begins at 144 h and ends at 120 h"),
        ("1 d:31 d", "window: ends at 744 h, after the horizon of 1 mo"),
        ("-1 d:2 d", "window: found '-1 d'; must not be negative"),
        ("1 d:2 d" * 200, "window: at most 1000 characters"),
    ],
)
def test_wrong_windows_are_one_line(text: str, why: str) -> None:
    """Whatever is wrong is said in a line that says what was found."""
    with pytest.raises(TraceError) as caught:
        window_of(text, 30 * DAY)
    (line,) = caught.value.problems
    assert why in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("rack/3", ((96, 128),)),
        ("rack/0,rack/2-3", ((0, 32), (64, 128))),
        ("node/2 , node/3", ((16, 32),)),
        ("rack/1/node/0-1,rack/1/node/1", ((32, 48),)),
        ("tray/15", ((120, 128),)),
    ],
)
def test_nodes_are_chosen_by_address(text: str, spans: tuple[tuple[int, int], ...]) -> None:
    """Addresses as in `topology show --fail`; a range in the last number; what touches is one span."""
    nodes = nodes_of(text, plan(scenario()).topology)
    assert nodes.spans == spans
    assert nodes.gpus == sum(high - low for low, high in spans)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("rack/4", ["nodes: found rack/4 in 'rack/4'; must be from 0 to 3"]),
        ("rack", ["nodes: found 'rack'; must be kinds and numbers in turn, like rack/3 or rack/3/node/2"]),
        ("rack/3-1", ["nodes: found 'rack/3-1'; its range begins with the higher number"]),
        ("rak/1,", ["nodes: found 'rak'", "nodes: found ''"]),
        ("rack/1-", ["nodes: found 'rack/'"]),
        ("rack/0," * 200, ["nodes: at most 1000 characters"]),
    ],
)
def test_wrong_nodes_are_a_line_each(text: str, lines: list[str]) -> None:
    """Every part that is wrong has a line of its own."""
    with pytest.raises(TraceError) as caught:
        nodes_of(text, plan(scenario()).topology)
    assert len(caught.value.problems) == len(lines)
    for found, line in zip(caught.value.problems, lines, strict=True):
        assert found.startswith(line)
