"""Trace replay: reading files of outages, what is wrong with them, and what a replay gives."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

import dcsim
from dcsim.hazards import AnyLifetime, Draws, Hazard
from dcsim.scenario import ScenarioError
from dcsim.scenario.files import to_toml
from dcsim.streams import generator
from dcsim.units import MS_PER_H

ANY = TypeAdapter(AnyLifetime)
LANL = Path(__file__).parents[3] / "shared" / "data" / "lanl-outages-1996-2005.csv"
COLUMNS = {"start": "Prob Started", "repair_min": "Down Time", "component": "nodenumz"}


def read(folder, text, name="outages.csv", **keys):
    """The trace that a file of this text gives."""
    (folder / name).write_text(text) if isinstance(text, str) else (folder / name).write_bytes(text)
    return ANY.validate_python({"kind": "trace", "file": name, **keys}, context={"folder": folder})


def draws(trace, components=8, horizon=100 * MS_PER_H, replication=0, **keys):
    """Draws of a hazard that replays a trace on 8 nodes."""
    hazard = Hazard.model_validate({"component": "node", "mtbf": trace, **keys})
    marked = components if hazard.placed else 64
    return Draws(hazard, components, marked, horizon, lambda purpose: generator(3, replication, "node", purpose))


# --- reading ----------------------------------------------------------------------------------------------------------


def test_hours_components_and_repairs(tmp_path):
    """Rows come in any order and leave by time, to the ms."""
    trace = read(tmp_path, "start_h,component,repair_h\n10.5,3,2\n0.25,0,0.5\n4,3,0\n")
    assert trace.at == (0.25 * MS_PER_H, 4 * MS_PER_H, 10.5 * MS_PER_H)
    assert trace.component == (0, 3, 3)
    assert trace.repair == (0.5 * MS_PER_H, 0, 2 * MS_PER_H)
    assert (trace.file, trace.columns, trace.where) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "start,end\n2005-06-21T10:54,2005-06-21T11:00\n2005-06-22 10:54:30,2005-06-22 12:54:30\n",
        "start,end\n6/21/2005 10:54,6/21/2005 11:00\n6/22/2005 10:54:30,6/22/2005 12:54:30\n",
        "start,repair_min\n2005-06-21T10:54Z,6\n2005-06-22T12:54:30+02:00,120\n",
        '\ufeffend,note,start\r\n2005-06-21T11:00,"a, b",2005-06-21T10:54\r\n\r\n'
        "2005-06-22T12:54:30,,2005-06-22T10:54:30\r\n",
    ],
)
def test_dates_begin_the_record_at_its_first_outage(tmp_path, text):
    """Timestamps with or without offsets, ISO or month/day/year; further columns, blank lines and a mark do no harm."""
    trace = read(tmp_path, text)
    assert trace.at == (0, (24 * 3600 + 30) * 1000)
    assert trace.repair == (6 * 60_000, 2 * MS_PER_H)
    assert trace.component is None


def test_named_columns_and_chosen_rows(tmp_path):
    """A file with other names is read by saying them, and only the rows with the values asked for."""
    header = "System,nodenumz,Prob Started,Down Time\n"
    text = header + "2,0,6/21/2005 10:54,6\n20,7,6/22/2005 10:54,60\n20,1,6/22/2005 9:54,0\n"
    trace = read(tmp_path, text, columns=COLUMNS, where={"System": "20"})
    assert (trace.at, trace.component, trace.repair) == ((0, MS_PER_H), (1, 7), (0, MS_PER_H))


def test_names_of_components_are_numbered_in_their_order(tmp_path):
    """Hosts are numbered as sorted, whatever fails first; numbers stay what they are."""
    assert read(tmp_path, "start_h,component\n1,node-b\n2,node-a\n3,node-b\n").component == (1, 0, 1)
    assert read(tmp_path, "start_h,component\n1,17\n2,4\n3,17\n").component == (17, 4, 17)


def test_parquet(tmp_path):
    """The same columns in a parquet file, with times as timestamps, give the same trace."""
    import datetime

    import pyarrow as pa
    from pyarrow import parquet

    start = [datetime.datetime(2005, 6, 22, 10, 54, 30), datetime.datetime(2005, 6, 21, 10, 54)]
    table = pa.table({"start": start, "component": [3.0, 1.0], "repair_h": [2.0, 0.1], "more": [None, "x"]})
    parquet.write_table(table, tmp_path / "outages.parquet")
    trace = ANY.validate_python({"kind": "trace", "file": "outages.parquet"}, context={"folder": tmp_path})
    assert (trace.at, trace.component) == ((0, (24 * 3600 + 30) * 1000), (1, 3))
    assert trace.repair == (6 * 60_000, 2 * MS_PER_H)


NONE, TIMES = "holds no outage; 1 line: ", "no moment or time; allowed: such as 2024-01-31T15:04"
WRONG = [
    ("", {}, "is empty"),
    ("\n\n", {}, "is empty"),
    ("start_h\n", {}, "holds no outage"),
    (
        "a,b\n1,2\n",
        {},
        "has no column that says when an outage began; found: a, b; say in columns what start is called",
    ),
    ("start_h,start_h\n1,2\n", {}, "has two columns 'start_h'"),
    ("a,b\n1,2\n", {"columns": {"start": "a", "start_h": "b"}}, "has columns for start and start_h; name the one to"),
    ("a,b\n1,2\n", {"columns": {"start_h": "a", "repair_h": "b", "repair_min": "b"}}, "has columns for repair_h and"),
    ("a,b\n1,2\n", {"columns": {"start_h": "a", "end": "b"}}, "has a column for end, but none for start to count from"),
    ("start_h\nx\n", {}, f"{NONE}{TIMES}"),
    ("start_h\n-1\n", {}, f"{NONE}{TIMES}"),
    ("start_h\n1e10\n", {}, f"{NONE}{TIMES}"),
    ("start_h\nnan\n", {}, f"{NONE}no beginning (line 2)"),
    ("start_h,component\n1,\n", {}, f"{NONE}names no component (line 2: found '')"),
    ("start_h,component\n1,-3\n", {}, f"{NONE}names no component (line 2: found '-3')"),
    ("start_h,component\n1\n", {}, f"{NONE}not 2 values, as many as columns (line 2: found 1)"),
    ("start\n31.6.2005\n", {}, f"{NONE}{TIMES}"),
    ("start\n5.6.2005\n", {}, "column start: found '5.6.2005'; it may have the month or the day first"),
    ("start,end\n2005-06-21,2005-06-20\n", {}, f"{NONE}ends before it starts (line 2)"),
    ("start\n2005-06-21T10:54\n2005-06-21T10:54Z\n", {}, "column start: mixes times with and without a zone"),
    (
        "began,x\n1,2\n",
        {"columns": {"start_h": "begn"}},
        "has no column 'begn'; found: began, x; did you mean \"began\"?",
    ),
    ("start_h,x\n1,2\n", {"where": {"X": "2"}}, "has no column 'X'; found: start_h, x; did you mean \"x\"?"),
    ("start_h,x\n1,2\n", {"where": {"x": "3"}}, "holds no outage that meets the conditions"),
    ("start_h,x\n1,2\n", {"where": {"x": "> a"}}, "where 'x > a': 'a' is not a number"),
    ('start_h\n"1\n', {}, f"{NONE}a quote that is not closed (line 2)"),
]


@pytest.mark.parametrize(("text", "keys", "why"), WRONG)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, text, keys, why):
    """The error stands at the key file, and names the file, the line and column, what was found and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        read(tmp_path, text, **keys)
    (error,) = caught.value.errors()
    assert error["loc"] == ("<trace>", "file")
    assert error["msg"].startswith(f"'outages.csv' {why}")
    assert "\n" not in error["msg"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.csv", "cannot be read: No such file or directory"),
        ("missing.parquet", "cannot be read: No such file or directory"),
        ("folder", "is a folder"),
        ("/dev/zero", "is not a regular file"),
        ("text.parquet", "is not a parquet file that can be read"),
        ("nul\0.csv", "embedded null"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, name, why):
    """Missing files, folders, devices and other formats are told apart; none blocks the program."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.parquet").write_text("PAR1 and no table")
    with pytest.raises(ValidationError) as caught:
        ANY.validate_python({"kind": "trace", "file": name}, context={"folder": tmp_path})
    (error,) = caught.value.errors()
    assert error["loc"] == ("<trace>", "file")
    assert why in error["msg"]


def test_limits_of_size(tmp_path, monkeypatch):
    """A file may hold far more outages than a scenario file can list; beyond the limit it is refused."""
    rows = "start_h\n" + "\n".join(map(str, range(20_001)))
    assert len(read(tmp_path, rows).at) == 20_001
    monkeypatch.setattr("dcsim.hazards.recorded.MOST_OUTAGES", 20_000)
    with pytest.raises(ValidationError, match="holds more than 20,000 outages; take some of them with where"):
        read(tmp_path, rows)


@pytest.mark.parametrize(
    ("keys", "loc", "why"),
    [
        ({}, ("file",), "missing; required (file of outages), or their times in at"),
        ({"file": 3}, ("file",), "Input should be a valid string"),
        ({"file": "x.csv", "columns": {"strat": "a"}}, ("columns", "strat"), "Extra inputs are not permitted"),
        ({"file": "x.csv", "where": {"a": 2}}, ("where", "a"), 'found 2; must be text such as "gpu", "gpu, fan"'),
        ({"file": "x.csv", "where": {"a": []}}, ("where", "a"), "found a list; must be text such as"),
        ({"file": "x.csv", "dates": "either"}, ("dates",), "Input should be 'month first' or 'day first'"),
        ({"outages": "x.parquet", "at": ["1 h"]}, ("at",), "found beside outages, which holds it"),
        ({"outages": "x.parquet"}, ("outages",), "'x.parquet' cannot be read: No such file or directory"),
        ({"file": "x.csv", "at": ["1 h"]}, ("at",), "found beside file, which holds it"),
        ({"at": []}, ("at",), "Tuple should have at least 1 item"),
        ({"at": ["1 h"]}, ("span",), "missing; required (failures at one instant"),
        ({"at": ["1 h", "2 h"], "span": "2 h"}, ("span",), "found 2 h; must be beyond the last failure at 2 h"),
        ({"at": ["1 h", "2 h"], "component": [1]}, ("component",), "found 1 entries; must be 2"),
        ({"at": ["1 h", "2 h"], "component": [1, -1]}, ("component",), "found -1; must be from 0 to 9999999"),
        (
            {"at": ["1 h", "2 h"], "component": [1, 2], "components": 2},
            ("component",),
            "found 2; must be from 0 to 1",
        ),
        ({"at": ["1 h", "2 h"], "repair": ["1 h"] * 3}, ("repair",), "found 3 entries; must be 2"),
        ({"at": ["1 h", "2 h"], "start": "later"}, ("start",), "Input should be 'fixed' or 'random'"),
        ({"at": ["1 h", "2 h"], "repeat": 1}, ("repeat",), "Input should be a valid boolean"),
    ],
)
def test_keys_of_a_trace(keys, loc, why):
    """Every mistake is one error at its key."""
    with pytest.raises(ValidationError) as caught:
        ANY.validate_python({"kind": "trace", **keys})
    (error,) = caught.value.errors()
    assert error["loc"] == ("<trace>", *loc)
    assert error["msg"].startswith(why)


# --- a scenario of its own ------------------------------------------------------------------------------------------

SCENARIO = """
name = "replay"
horizon = "100 h"
cluster = { topology = "hgx-h100", gpus = 64 }
jobs = [{ name = "a", gpus = 32, recovery = { kind = "fault-tolerant" } }]
[[hazards]]
component = "node"
mtbf = { kind = "trace", file = "outages.csv", start = "random", repeat = true }
"""


def test_the_resolved_scenario_stands_alone(tmp_path):
    """The file is read relative to the scenario; written out, the scenario holds its columns and needs it no more."""
    (tmp_path / "mine.toml").write_text(SCENARIO)
    (tmp_path / "outages.csv").write_text("start_h,component,repair_h\n1,3,0.5\n20,1,2.0001\n70,3,1\n")
    scenario = dcsim.load(tmp_path / "mine.toml")
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "resolved.toml").write_text(to_toml(scenario))
    (tmp_path / "outages.csv").unlink()
    assert dcsim.load(other / "resolved.toml") == scenario
    assert "outages.csv" not in to_toml(scenario)


def test_a_file_that_is_missing_is_an_error_of_the_scenario(tmp_path):
    """One line: file, line, path, what was found."""
    (tmp_path / "mine.toml").write_text(SCENARIO)
    with pytest.raises(ScenarioError) as caught:
        dcsim.load(tmp_path / "mine.toml")
    why = "hazards.node.mtbf.file: 'outages.csv' cannot be read: No such file or directory"
    assert str(caught.value) == f"{tmp_path / 'mine.toml'}:8: {why}"


# --- replay -----------------------------------------------------------------------------------------------------------

TRACE = {"kind": "trace", "span": "40 h", "at": ["5 h", "6 h", "30 h"], "component": [0, 9, 2], "repair": ["1 h"] * 3}


def test_a_fixed_start_replays_the_record():
    """Times as recorded, component modulo the cluster's 8; the record ends at its end."""
    drawn = draws(TRACE).failures
    assert (drawn.times / MS_PER_H).tolist() == [5, 6, 30]
    assert drawn.marks.tolist() == [0, 9 % 8, 2]
    assert not drawn.excess.any()


def test_a_record_that_repeats_goes_on():
    """After 40 h it begins again; the horizon cuts the third lap."""
    drawn = draws(TRACE | {"repeat": True}).failures
    assert (drawn.times / MS_PER_H).tolist() == [5, 6, 30, 45, 46, 70, 85, 86]
    assert drawn.marks.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_a_random_start_turns_the_record():
    """Every replication begins at an instant of its own; gaps and components follow as recorded, in a ring."""
    ring = {0: 1 * MS_PER_H, 1: 24 * MS_PER_H, 2: 15 * MS_PER_H}  # component -> gap to the next failure: 5, 6, 30, 45
    starts = []
    for replication in range(20):
        drawn = draws(TRACE | {"start": "random", "repeat": True}, replication=replication).failures
        assert np.diff(drawn.times).tolist() == [ring[mark] for mark in drawn.marks[:-1].tolist()]
        starts.append(int(drawn.times[0]))
    assert len(set(starts)) == 20


def test_any_instant_is_as_likely():
    """Over 2,000 replications a record of 3 failures in 40 h has 3 in 40 h at any place: 7.5 in 100 h in the mean."""
    counts = [
        len(draws(TRACE | {"start": "random", "repeat": True}, replication=r).failures.times) for r in range(2_000)
    ]
    assert abs(np.mean(counts) - 7.5) < 4 * np.std(counts) / 2_000**0.5


def test_recorded_repairs_follow_their_failures():
    """The i-th outcome is the repair of the i-th failure, in one stage, whatever the hazard's own repair says."""
    trace = TRACE | {"repeat": True, "repair": ["1 h", "2 h", "3 h"], "start": "random"}
    drawn = draws(trace, repair={"time": "99 h", "crews": 2}, requalify="1 h")
    marks, outcomes = drawn.failures.marks, drawn.outcomes(len(drawn.failures.marks))
    assert outcomes.stages.shape == (1, len(marks))
    assert (outcomes.stages[0] / MS_PER_H).tolist() == [{0: 1, 1: 2, 2: 3}[mark] for mark in marks.tolist()]
    assert drawn.hazard.mean_repair_ms == (2 + 1) * MS_PER_H


def test_a_record_without_components_strikes_anything():
    """Then a failure marks a slot or component by chance, at its recorded time."""
    trace = {key: value for key, value in TRACE.items() if key != "component"}
    drawn = draws(trace, blast=8)
    assert (drawn.failures.times / MS_PER_H).tolist() == [5, 6, 30]
    assert not drawn.hazard.placed
    marks = [draws(trace, blast=8, replication=r).failures.marks.tolist() for r in range(40)]
    assert len({mark for row in marks for mark in row}) > 40  # of 64 slots, 120 marks


def test_the_span_is_a_mean_gap_beyond_the_last():
    """Three failures from 5 to 30 h have a mean gap of 12.5 h: repeated, the record keeps it across the seam."""
    trace = ANY.validate_python({"kind": "trace", "at": ["5 h", "6 h", "30 h"]})
    assert trace.span_ms == (30 + 12.5) * MS_PER_H
    assert trace.longest_ms == trace.span_ms
    assert trace.model_copy(update={"repeat": True}).longest_ms is None


# --- LANL -----------------------------------------------------------------------------------------------------------


def weibull_shape(gaps):
    """Shape of a Weibull law by maximum likelihood: sum(g^k log g) / sum(g^k) - 1/k = mean(log g)."""
    from scipy.optimize import brentq

    logs = np.log(gaps)
    return brentq(lambda k: (gaps**k * logs).sum() / (gaps**k).sum() - 1 / k - logs.mean(), 0.1, 5)


@pytest.mark.skipif(not LANL.exists(), reason="the LANL log is not part of this repository")
@pytest.mark.parametrize(("system", "nodes"), [("18", 1024), ("19", 1024), ("20", 512)])
def test_the_lanl_log_is_replayed_as_it_is(system, nodes):
    """Systems of LANL's log (LA-UR-05-7318): failures, nodes and repairs come out as the file has them.

    And not as a Poisson stream: a Weibull law through the gaps has a shape of 0.65 to 0.89, as published of this log.
    """
    import csv
    from datetime import datetime

    with LANL.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["System"] == system]
    began = sorted(datetime.strptime(row["Prob Started"], "%m/%d/%Y %H:%M") for row in rows)
    at = np.array([(moment - began[0]).total_seconds() * 1000 for moment in began])
    keys = {"kind": "trace", "file": LANL.name, "columns": COLUMNS, "where": {"System": system}}
    trace = ANY.validate_python(keys, context={"folder": LANL.parent})
    year = 8_760 * MS_PER_H
    assert draws(trace, components=nodes, horizon=year).failures.times.tolist() == at[at < year].tolist()
    drawn = draws(trace, components=nodes, horizon=trace.span_ms)
    assert len(drawn.failures.times) == len(rows)
    found = np.bincount([int(row["nodenumz"]) for row in rows], minlength=nodes)
    assert np.bincount(drawn.failures.marks, minlength=nodes).tolist() == found.tolist()
    downtime = sum(float(row["Down Time"]) for row in rows) * 60_000
    assert drawn.outcomes(len(rows)).stages.sum() == pytest.approx(downtime)
    gaps = np.diff(drawn.failures.times)
    assert 0.645 < weibull_shape(gaps[gaps > 0]) < 0.895
