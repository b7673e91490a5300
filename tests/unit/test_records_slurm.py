"""Slurm's records give the outages and runs that were counted by hand: sacct, sinfo, slurmctld's log."""

from pathlib import Path

import numpy as np
import pytest

from dcsim.records import RecordError
from dcsim.records.forms import read
from dcsim.records.gathered import Records
from dcsim.records.outages import Outages
from dcsim.records.runs import OUTCOMES
from tests.field import writers
from tests.field.writers import Outage, Run

FIELD = Path(__file__).parents[1] / "field"


def outages_of(records: Records) -> Outages:
    assert records.outages is not None
    return records.outages


def listed(found: Outages) -> list[tuple[float, float | None, str, str]]:
    """Begin, end [h], component, kind."""
    ends = [None if np.isnan(end) else round(float(end), 6) for end in found.end_h]
    names = [found.components[number] for number in found.component]
    kinds = [found.kinds[number] for number in found.kind]
    return list(zip([round(float(each), 6) for each in found.start_h], ends, names, kinds, strict=True))


# --- sacct --------------------------------------------------------------------------------------------------------


def test_runs_of_sacct() -> None:
    """Steps, jobs that never began and rows told twice are no runs; hours are from the first start."""
    found = read(FIELD / "sacct.txt")
    runs = found.runs
    assert found.form == "sacct"
    assert runs is not None
    assert runs.nodes == tuple(f"n{number}" for number in range(1, 10))
    nodes = [
        {runs.nodes[each] for each in runs.node[runs.first[row] : runs.first[row + 1]]} for row in range(len(runs))
    ]
    ends = [None if np.isnan(end) else round(float(end), 4) for end in runs.end_h]
    names = [runs.owners[each] for each in runs.owner]
    outcomes = [OUTCOMES[each] for each in runs.outcome]
    rows = list(zip(names, outcomes, runs.start_h.round(4).tolist(), ends, nodes, strict=True))
    assert rows == [
        ("ann", "node failure", 0, 10, {"n1", "n2", "n3", "n4"}),
        ("bob", "node failure", 2, 10.0083, {"n4"}),
        ("ann", "going on", 10.1667, None, {"n1", "n2", "n3", "n5"}),
        ("bob", "cancelled", 2, 3, {"n6"}),
        ("cy", "time limit", 4, 5, {"n6"}),
        ("cy", "failed", 5, 6, {"n6"}),
        ("cy", "requeued", 6, 7, {"n6"}),
        ("cy", "requeued", 7, 8, {"n6"}),
        ("cy", "node failure", 8, 8.5, {"n6"}),
        ("cy", "node failure", 29, 30, {"n2", "n3"}),
        ("cy", "node failure", 29, 36, {"n7", "n8", "n9"}),
        ("cy", "completed", 29, 30, {"n6"}),
    ]
    assert runs.span_h == 36
    assert runs.begin == 1706572800


def test_failed_nodes_of_sacct() -> None:
    """Runs 100 and 101 end within 30 s and share n4; FailedNode names n8; 106 ran on n2 and n3, so nobody is named."""
    found = read(FIELD / "sacct.txt")
    outages = outages_of(found)
    assert listed(outages) == [
        (8.5, None, "", "BOOT_FAIL"),
        (10, None, "", "NODE_FAIL"),
        (30, None, "", "NODE_FAIL"),
        (36, None, "", "NODE_FAIL"),
    ]
    assert outages.components == ("",)
    assert not outages.ends_told
    assert outages.units == 9
    told = " ".join(found.told)
    assert "2 of steps" in told
    assert "jobs that never began: 2" in told
    assert "more than once, and count once: 1" in told
    assert "none of which is named: 1" in told
    assert "no zone" in told
    assert sorted(found.broken.counts) == [
        "a state that Slurm does not have",
        "ends before it starts",
        "not 8 values, as many as columns",
    ]


def test_failures_are_laid_to_nodes_where_each_is_known(tmp_path: Path) -> None:
    """The same without run 106: n6 in its own job, n4 as it is shared, n8 as it is named."""
    lines = (FIELD / "sacct.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "sacct").write_text("\n".join(line for line in lines if "|106|" not in line) + "\n")
    assert listed(outages_of(read(tmp_path / "sacct"))) == [
        (8.5, None, "n6", "BOOT_FAIL"),
        (10, None, "n4", "NODE_FAIL"),
        (36, None, "n8", "NODE_FAIL"),
    ]


def test_node_hours_count_a_shared_node_once() -> None:
    """n1-n3: 10 h, then 25.8333 h to the end; n4: 10.0083 h; n5: 25.8333 h; n6: 1+1+1+1+1+0.5+1 h; n7-n9: 7 h each."""
    busy = outages_of(read(FIELD / "sacct.txt")).unit_h
    assert busy == pytest.approx(3 * (10 + 36 - 10 - 1 / 6) + 10 + 30 / 3600 + (36 - 10 - 1 / 6) + 6.5 + 21)


def test_sacct_with_a_pipe_at_the_end_and_elapsed_times() -> None:
    found = read(FIELD / "sacct-trailing.txt")
    runs = found.runs
    assert runs is not None
    assert np.array_equal(runs.end_h, [26.5, 24 + 45.5 / 60, np.nan], equal_nan=True)
    assert runs.nodes == ("n01", "n02")
    assert runs.span_h == 48  # the run that goes on had lasted 14 h
    assert listed(outages_of(found)) == [(24.758333, None, "n01", "NODE_FAIL")]


def test_a_later_dump_tells_how_a_run_ended(tmp_path: Path) -> None:
    head = "JobID|State|Start|End|NodeList\n"
    (tmp_path / "january").write_text(head + "7|RUNNING|2024-01-31T00:00:00|Unknown|n1\n")
    (tmp_path / "february").write_text(head + "7|NODE_FAIL|2024-01-31T00:00:00|2024-02-01T00:00:00|n1\n" + head)
    found = read([tmp_path / "january", tmp_path / "february"])
    assert found.runs is not None
    assert found.runs.end_h.tolist() == [24]
    assert listed(outages_of(found)) == [(24, None, "n1", "NODE_FAIL")]
    assert not found.broken.total


@pytest.mark.parametrize("name", ["sacct-21.08.json", "sacct-23.11.json"])
def test_sacct_json_of_two_versions(name: str) -> None:
    """n2 is the one node of both failed jobs of the first file; in the second one it is named."""
    found = read(FIELD / name)
    runs = found.runs
    assert found.form == "sacct-json"
    assert runs is not None
    assert len(runs) == 2
    assert runs.begin == 1706608800
    assert listed(outages_of(found)) == [(1, None, "n2", "NODE_FAIL")]
    assert outages_of(found).units == 3


def test_json_without_a_blank_and_answers_one_behind_the_other(tmp_path: Path) -> None:
    """Two answers; the second one breaks off in its second job."""
    job = '{"job_id":%d,"nodes":"n%d","state":{"current":"COMPLETED"},"time":{"start":1706608800,"end":1706612400}}'
    (tmp_path / "jobs").write_text(f'{{"jobs":[{job % (1, 1)},{job % (2, 2)}]}}{{"jobs":[{job % (3, 3)},{{"job_id"')
    found = read(tmp_path / "jobs")
    assert found.runs is not None
    assert found.runs.nodes == ("n1", "n2", "n3")
    assert found.broken.counts == {"no JSON from here on": 1}
    assert found.broken.first == {"no JSON from here on": "after element 3"}


def test_what_sacct_must_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sacct"
    path.write_text("JobID|State|Start|End\n1|COMPLETED|2024-01-31T00:00:00|2024-01-31T00:00:00\n")
    with pytest.raises(RecordError, match="no column nodelist; sacct must be asked for"):
        read(path)
    path.write_text("JobID           JobName      State\n------------ ---------- ----------\n1  a  COMPLETED\n")
    with pytest.raises(RecordError, match="run sacct -P"):
        read(path)
    path.write_text("1|COMPLETED|2024-01-31T00:00:00|2024-01-31T00:00:00|n1\n")
    with pytest.raises(RecordError, match="without -n"):
        read(path, "sacct")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("sacct", "JobID|State|Start|End|NodeList\n1|NODE_FAIL|{}|{}|n1\n"),
        ("sinfo", "time,node,state,reason\n{},n1,idle,\n{},n1,down,fan\n"),
        ("dcgm", "time,host,gpu,DCGM_FI_DEV_XID_ERRORS\n{},n1,0,0\n{},n1,0,79\n"),
    ],
)
def test_the_order_of_a_date_is_asked(tmp_path: Path, form: str, content: str) -> None:
    """A date with the month or the day first is left out until somebody says which; so is one that contradicts it."""
    path = tmp_path / "record"
    path.write_text(content.format("3/2/2024 10:00", "4/2/2024 10:00"))
    for dates, hours in (("day first", 24), ("month first", 31 * 24)):
        found = read(path, form, dates=dates)
        assert (found.broken.total, found.outages is not None and found.outages.span_h) == (0, hours)
    with pytest.raises(RecordError, match='may have the month or the day first; say which: dates = "month first"'):
        read(path, form)
    path.write_text(content.format("3/2/2024 10:00", "3/13/2024 10:00"))
    if form == "sacct":
        with pytest.raises(RecordError, match="no moment"):
            read(path, form, dates="day first")
    else:
        found = read(path, form, dates="day first")
        assert (found.broken.total, found.outages is not None and found.outages.span_h) == (1, 0)


# --- slurmctld ----------------------------------------------------------------------------------------------------


def test_slurmctld_tells_when_nodes_fail_and_when_that_is_noticed() -> None:
    """n1 does not answer at 10:01 and is set DOWN at 10:06; n2 comes back before; hours are from 10:00:00.1."""
    found = read(FIELD / "slurmctld.log")
    outages = outages_of(found)
    assert found.form == "slurmctld"
    assert np.allclose(outages.start_h, [1 / 60, 2, 5, 5 + 1 / 3, 6.5])
    assert [each[2:] for each in listed(outages)] == [
        ("n1", "not responding"),
        ("n3", "ib link flaps # times"),
        ("n5", "unexpectedly rebooted"),
        ("n6", "not responding"),
        ("n8", "drained"),
    ]
    assert outages.noticed_h is not None
    assert np.allclose(outages.noticed_h, [0.1, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    assert np.allclose(outages.end_h, [1.1, 4, np.nan, 6 + 1 / 6, np.nan], equal_nan=True)
    assert outages.units == 9
    assert outages.ends_told
    assert outages.span_h == pytest.approx(6.5)
    told = " ".join(found.told)
    assert "which is no outage: 1" in told
    assert "no outage of the log: 1" in told
    assert sorted(why.partition(":")[0] for why in found.broken.counts) == ["begins with no time", "no list of nodes"]


@pytest.mark.parametrize(
    "stamp",
    [
        "[2024-01-30T10:00:00.100]",
        "[2024-01-30T10:00:00]",
        "[2024-01-30T10:00:00.100+01:00]",
        "[2024-01-30T10:00:00Z]",
        "[Jan 30 10:00:00]",
        "Jan 30 10:00:00 head slurmctld[812]:",
        "2024-01-30T10:00:00.123456+01:00 head slurmctld[812]:",
    ],
)
def test_every_time_format_of_slurm(tmp_path: Path, stamp: str) -> None:
    later = stamp.replace("10:00:00", "12:30:00")
    path = tmp_path / "slurmctld.log"
    path.write_text(f"{stamp} error: Nodes n[1-2] not responding, setting DOWN\n{later} node n1 returned to service\n")
    found = read(path, year=2024)
    assert found.form == "slurmctld"
    assert listed(outages_of(found)) == [(0, 2.5, "n1", "not responding"), (0, None, "n2", "not responding")]


def test_rotated_logs_are_one_record_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "slurmctld.log").write_text("[2024-02-01T00:00:00] node n1 returned to service\n")
    (tmp_path / "slurmctld.log.1").write_text("[2024-01-31T00:00:00] error: Nodes n1 not responding, setting DOWN\n")
    found = read([tmp_path / "slurmctld.log", tmp_path / "slurmctld.log.1"])
    assert listed(outages_of(found)) == [(0, 24, "n1", "not responding")]


def test_what_was_written_as_slurmctlds_log_is_read_again(tmp_path: Path) -> None:
    known = [Outage(5, 7.5, "n2", "fan", None), Outage(8, 20, "n1", "", 8.25), Outage(30, None, "n2", "psu", None)]
    writers.slurmctld(tmp_path / "log", known, ["n1", "n2", "n3"], 100)
    outages = outages_of(read(tmp_path / "log"))
    assert listed(outages) == [(5, 7.5, "n2", "fan"), (8, 20, "n1", "not responding"), (30, None, "n2", "psu")]
    assert outages.noticed_h is not None
    assert outages.noticed_h[1] == 8.25
    assert (outages.units, outages.span_h) == (3, 100)


def test_what_was_written_as_sacct_is_read_again(tmp_path: Path) -> None:
    known = [Run(0, 5, ["n1", "n2"], "ann", "NODE_FAIL"), Run(1, None, ["n3"], "bob", "RUNNING")]
    writers.sacct(tmp_path / "log", known)
    runs = read(tmp_path / "log").runs
    assert runs is not None
    assert np.array_equal(runs.end_h, [5, np.nan], equal_nan=True)
    assert [runs.owners[each] for each in runs.owner] == ["ann", "bob"]


# --- sinfo --------------------------------------------------------------------------------------------------------


def test_reasons_of_sinfo_over_time() -> None:
    """What had begun before the first list is left out; n4 is drained anew at 11:00, and back by 14:00."""
    found = read(FIELD / "sinfo-reasons.txt")
    outages = outages_of(found)
    assert found.form == "sinfo"
    assert listed(outages) == [(1, 4, "n4", "bad dimm # in slot #")]
    assert outages.span_h == 4
    assert "are left out: 3" in " ".join(found.told)
    assert outages.units is None
    assert "give the number of nodes in service" in " ".join(found.told)


def test_lists_below_times_with_a_zone(tmp_path: Path) -> None:
    """sinfo prints times of the wall clock, as `date -Iseconds` does before its zone."""
    head = "REASON USER TIMESTAMP NODELIST\n"
    (tmp_path / "sinfo").write_text(
        f"2024-01-30T10:00:00+09:00\n{head}2024-01-30T12:00:00+09:00\n{head}fan slurm 2024-01-30T11:30:00 n3\n"
    )
    assert listed(outages_of(read(tmp_path / "sinfo"))) == [(1.5, None, "n3", "fan")]


def test_one_list_of_reasons_tells_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "sinfo"
    path.write_text(
        "REASON               USER      TIMESTAMP           NODELIST\n"
        "Not responding       slurm     2024-01-30T09:00:00 n[3,7]\n"
        "broken\n"
    )
    found = read(path)
    assert listed(outages_of(found)) == [(0, None, "n3", "not responding"), (0, None, "n7", "not responding")]
    assert "no rate follows" in " ".join(found.told)
    assert found.broken.total == 1
    path.write_text(
        "REASON USER TIMESTAMP NODELIST\nfan slurm 2024-01-30T09:00:00 n3\n"
        "REASON USER TIMESTAMP NODELIST\nfan slurm 2024-01-29T09:00:00 n4\n"
    )
    assert listed(outages_of(read(path))) == [(0, None, "n4", "fan"), (24, None, "n3", "fan")]


def test_states_of_all_nodes_over_time() -> None:
    """n1 was down before the first snapshot; n2 did not answer at 11:00, and is down at 12:00; n3 was out for 1 h."""
    found = read(FIELD / "sinfo-nodes.txt")
    outages = outages_of(found)
    assert listed(outages) == [(1, 2, "n3", "nhc: fan # dead"), (1, None, "n2", "not responding")]
    assert outages.noticed_h is not None
    assert np.array_equal(outages.noticed_h, [np.nan, 2], equal_nan=True)
    assert outages.units == 3
    assert outages.span_h == 2
    assert "begun before the first snapshot, and are left out: 1" in " ".join(found.told)


def test_a_list_without_a_time_is_no_later_than_the_first_snapshot(tmp_path: Path) -> None:
    """What is out in it since later than that cannot be: it is left out, and told."""
    path, head = tmp_path / "sinfo", "REASON               USER         TIMESTAMP           STATE  NODELIST\n"
    path.write_text(
        f"no time\n{head}fan root(0) 2026-01-30T09:00:00 down* n1\nfan root(0) 2024-01-30T09:00:00 down* n2\n"
        f"Tue Jan 30 12:00:00 2024\n{head}Tue Jan 30 14:00:00 2024\n{head}fan root(0) 2024-01-30T13:00:00 down* n3\n"
    )
    found = read(path)
    assert listed(outages_of(found)) == [(1, None, "n3", "fan")]
    assert outages_of(found).span_h == 2
    assert found.broken.counts == {
        "neither a time nor below a header of sinfo": 1,
        "a snapshot that is earlier than what was out in the list before": 1,
    }


def test_snapshots_kept_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "states.csv"
    path.write_text(
        'time,node,state,reason\n2024-01-30T10:00,"n[1-2]",idle,\n2024-01-30T11:00,n1,DOWN+DRAIN,fan 3\n'
        "2024-01-30T11:00,n2,idle,\n2024-01-30T12:00,n1,mixed,\n2024-01-30T09:00,n1,down,late\nsoon,n1,down,\n"
    )
    found = read(path)
    assert found.form == "sinfo"
    assert listed(outages_of(found)) == [(1, 2, "n1", "fan #")]
    assert outages_of(found).units == 2
    assert found.broken.total == 2
