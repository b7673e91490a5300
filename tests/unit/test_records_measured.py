"""Buckets of ml-goodput-measurement, own event logs, and how the form of a file is told."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import RecordError
from dcsim.records.forms import FORMS, form_of, read
from tests.unit.test_records_slurm import FIELD, listed, outages_of

OF = {
    "sacct.txt": "sacct",
    "sacct-trailing.txt": "sacct",
    "sacct-21.08.json": "sacct-json",
    "sacct-23.11.json": "sacct-json",
    "slurmctld.log": "slurmctld",
    "sinfo-reasons.txt": "sinfo",
    "sinfo-nodes.txt": "sinfo",
    "syslog": "kernel",
    "journal-short-iso.txt": "kernel",
    "journal.jsonl": "kernel",
    "dmesg-gpu7.txt": "kernel",
    "dcgm.prom": "dcgm",
    "dcgm-query-range.json": "dcgm",
    "dcgm.csv": "dcgm",
    "goodput.json": "goodput",
    "sinfo-21.08.json": "sinfo-json",
    "sinfo-23.11.json": "sinfo-json",
    "nodes-23.11.json": "sinfo-json",
}


@pytest.mark.parametrize("name", OF)
def test_the_form_is_told_from_the_file(name: str) -> None:
    assert form_of(FIELD / name) == OF[name]


def test_every_example_has_a_row_in_the_readme() -> None:
    rows = (FIELD / "README.md").read_text(encoding="utf-8")
    files = {each.name for each in FIELD.iterdir() if each.is_file() and each.suffix not in (".py", ".md")}
    assert files == OF.keys()
    assert all(f"`{name}`" in rows for name in files)


def test_tables_are_still_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("start,end,node,state\n2024-01-30 10:00:00,2024-01-30 12:00:00,n1,down\n")
    found = read(tmp_path / "a.csv")
    assert found.form == "table"
    assert listed(outages_of(found)) == [(0, 2, "n1", "")]
    (tmp_path / "b.txt").write_text("start end node\n2024-01-30T10:00:00 2024-01-30T12:00:00 n1\n")
    assert form_of(tmp_path / "b.txt") == "table"


def test_files_of_two_forms_are_refused() -> None:
    with pytest.raises(RecordError, match=r"sacct.txt is of the form sacct, syslog of kernel"):
        read([FIELD / "sacct.txt", FIELD / "syslog"])
    with pytest.raises(RecordError, match='did you mean "sacct"'):
        read(FIELD / "sacct.txt", "sact")
    with pytest.raises(RecordError, match="none: cannot be read"):
        read([FIELD / "sacct.txt", FIELD / "none"])


def test_outages_of_a_log_are_chosen_by_kind_and_component() -> None:
    found = read(FIELD / "syslog", year=2024, where=["kind != application", "component = gpu1, gpu3"])
    assert listed(outages_of(found)) == [(25.966667, None, "gpu1", "reboot node")]
    assert outages_of(found).units == 3
    assert outages_of(found).kinds == ("reboot node",)
    assert found.told[-1] == "left out by kind != application, component = gpu1, gpu3: 2 of 3 outages"
    with pytest.raises(RecordError, match=r"has no column .cause"):
        read(FIELD / "syslog", year=2024, where=["cause = x"])
    with pytest.raises(RecordError, match="tells no outages"):
        read(FIELD / "goodput.json", where=["kind = x"])
    with pytest.raises(RecordError, match="columns are said of tables only"):
        read(FIELD / "syslog", year=2024, columns={"kind": "x"})


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_refuses_what_is_not_its_form(form: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing\nof\nthis\n")
    with pytest.raises(RecordError):
        read(tmp_path / "text", form)
    with pytest.raises(RecordError, match="is a folder"):
        read(tmp_path, form)


# --- goodput ------------------------------------------------------------------------------------------------------


def test_buckets_in_seconds() -> None:
    """96,500 of 100,000 s are named, async loading overlaps, the rest is OTHER."""
    shares = read(FIELD / "goodput.json").shares
    assert shares is not None
    assert shares.goodput == pytest.approx(0.9)
    assert shares.losses == pytest.approx(
        {"WASTED_PROGRESS_FROM_DISRUPTION": 0.05, "OTHER": 0.035, "TPU_INITIALIZATION": 0.01, "EVAL_STEP": 0.005}
    )
    assert next(iter(shares.losses)) == "WASTED_PROGRESS_FROM_DISRUPTION"
    assert shares.total_h == pytest.approx(100_000 / 3600)
    assert shares.disruptions == 3
    assert sum(shares.losses.values()) + shares.goodput == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    [
        '{"goodput": 91.0, "badput_breakdown": {"BadputType.TPU_INITIALIZATION": 4.0, "BadputType.OTHER": 5.0}}',
        '{"goodput": 50, "badput_breakdown": {}}\n{"goodput": 91, "badput": {"tpu_initialization": 4, "other": 5}}\n',
        '{"goodput_time_dict": {"TOTAL": 91}, "badput_time_dict": {"TPU_INITIALIZATION": 4, "OTHER": 5}}',
        "bucket,hours\ngoodput,91\nTPU_INITIALIZATION,4\nother,5\ntotal,100\n",
    ],
)
def test_other_ways_to_keep_buckets(tmp_path: Path, text: str) -> None:
    (tmp_path / "goodput").write_text(text)
    found = read(tmp_path / "goodput")
    assert found.form == "goodput"
    assert found.outages is None
    assert found.shares is not None
    assert found.shares.goodput == pytest.approx(0.91)
    assert found.shares.losses == pytest.approx({"OTHER": 0.05, "TPU_INITIALIZATION": 0.04})


def test_buckets_that_are_no_times_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"goodput_time": {"TOTAL": 9}, "badput_time": {"OTHER": "much", "X": -1, "Y": 1}}')
    found = read(tmp_path / "a")
    assert found.broken.total == 2
    (tmp_path / "c").write_text('{"goodput_time": {"TOTAL": 9}}')
    with pytest.raises(RecordError, match="holds no answer"):
        read(tmp_path / "c", "goodput")
    (tmp_path / "b").write_text('{"goodput_time": {}, "badput_time": {}}')
    with pytest.raises(RecordError, match="no productive time"):
        read(tmp_path / "b")


# --- own event logs -----------------------------------------------------------------------------------------------

Event = tuple[int, int, str, str, int, str, int]
EVENTS: list[Event] = [
    # start_ms, end_ms, what, why, where, kind, failure
    (0, 7_200_000, "phase", "", -1, "", -1),
    (3_600_000, 3_600_000, "failure", "fans", 4, "node", 0),
    (4_200_000, 4_200_000, "identify", "fans", 4, "node", 0),
    (4_200_000, 4_800_000, "queue", "fans", 4, "node", 0),
    (4_800_000, 18_600_000, "work", "fans", 4, "node", 0),
    (7_200_000, 7_200_000, "failure", "hangs", 17, "gpu", 1),
    (7_500_000, 7_500_000, "identify", "hangs", 17, "gpu", 1),
    (36_000_000, 36_000_000, "failure", "fans", 5, "node", 2),
    (36_000_000, 72_000_000, "work", "fans", 5, "node", 2),
    (71_000_000, 71_000_000, "failure", "hangs", 3, "gpu", 3),
    (0, 72_000_000, "phase", "", -1, "", -1),
]


def as_csv(folder: Path) -> Path:
    rows = ["start_ms,end_ms,what,why,where,kind,failure,gpus"]
    rows += [",".join(map(str, event)) + ",8" for event in EVENTS]
    (folder / "events.csv").write_text("\n".join(rows) + "\nsoon,later,failure,fans,4,node,9,8\n")
    return folder / "events.csv"


def as_parquet(folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    names = ["start_ms", "end_ms", "what", "why", "where", "kind", "failure"]
    columns = {name: [event[place] for event in EVENTS] for place, name in enumerate(names)}
    parquet.write_table(pa.table(columns), folder / "events.parquet")
    return folder / "events.parquet"


@pytest.mark.parametrize("written", [as_csv, as_parquet])
def test_an_event_log_of_a_run(tmp_path: Path, written: Callable[[Path], Path]) -> None:
    """A failure ends with its repair, or when it is found if there is none; what the run cuts off is open."""
    found = read(written(tmp_path))
    outages = outages_of(found)
    assert found.form == "events"
    assert listed(outages) == [
        (1, round(18.6 / 3.6, 6), "node 4", "fans"),
        (2, round(7.5 / 3.6, 6), "gpu 17", "hangs"),
        (10, None, "node 5", "fans"),
        (round(71 / 3.6, 6), None, "gpu 3", "hangs"),
    ]
    assert outages.noticed_h is not None
    assert np.allclose(outages.noticed_h, [4.2 / 3.6, 7.5 / 3.6, np.nan, np.nan], equal_nan=True)
    assert outages.begin is None
    assert outages.units is None
    assert outages.span_h == 20
    assert found.broken.total == (written is as_csv)
