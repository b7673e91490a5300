"""Outages are read the same from every form in which they are written; what is broken is counted and shown."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.records import Outages, RecordError, read_outages
from dcsim.records.tables import Broken, opened
from dcsim.records.times import Moments

BEGIN = datetime(2024, 1, 30, 22, 15)
ROWS = [(0, 4, "n1"), (30, 1.5, "n2"), (96, None, "n10"), (700, 0, "n1")]
"""Hours from the first outage, hours of repair, node. The dates have days above 12."""


def written(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def table(stamp: Callable[[datetime], str], delimiter: str = ",", still: str = "") -> str:
    lines = [delimiter.join(("start", "end", "component"))]
    for hour, repair, name in ROWS:
        start = BEGIN + timedelta(hours=hour)
        end = still if repair is None else stamp(start + timedelta(hours=repair))
        lines.append(delimiter.join((stamp(start), end, name)))
    return "\n".join(lines) + "\n"


def expect(found: Outages) -> None:
    assert found.start_h.tolist() == [0, 30, 96, 700]
    assert np.array_equal(found.repair_h, [4, 1.5, np.nan, 0], equal_nan=True)
    assert [found.components[number] for number in found.component] == ["n1", "n2", "n10", "n1"]
    assert not found.broken.total


STAMPS: dict[str, Callable[[datetime], str]] = {
    "ISO": lambda at: at.isoformat(),
    "ISO with a blank": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "ISO with a zone": lambda at: at.replace(tzinfo=timezone(timedelta(hours=-7))).isoformat(),
    "Z": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z",
    "UTC": lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
    "epoch": lambda at: f"{at.replace(tzinfo=UTC).timestamp():.0f}",
    "epoch in ms": lambda at: f"{1000 * at.replace(tzinfo=UTC).timestamp():.0f}",
    "month first": lambda at: f"{at.month}/{at.day}/{at.year} {at:%H:%M}",
    "day first": lambda at: f"{at:%d.%m.%Y %H:%M:%S}",
    "AM/PM": lambda at: f"{at:%m/%d/%Y %I:%M %p}",
}


@pytest.mark.parametrize("form", STAMPS)
def test_moments_are_read_in_every_form(tmp_path: Path, form: str) -> None:
    expect(read_outages(written(tmp_path, table(STAMPS[form]))))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("still", ["", "Unknown", "null", "None"])
def test_delimiters_are_found_out_and_open_outages_have_no_end(tmp_path: Path, delimiter: str, still: str) -> None:
    found = read_outages(written(tmp_path, table(STAMPS["ISO"], delimiter, still)))
    expect(found)
    assert any(word in found.told[0] for word in ("commas", "tabs", "semicolons", "pipes"))


def test_blanks_between_cells(tmp_path: Path) -> None:
    expect(read_outages(written(tmp_path, table(STAMPS["ISO"], "   ", "Unknown"))))


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    expect(read_outages(written(tmp_path, "\ufeff" + table(STAMPS["ISO"]).replace("\n", "\r\n"))))


def test_a_pipe_at_the_end_of_every_line_is_no_column(tmp_path: Path) -> None:
    text = table(STAMPS["ISO"], "|").replace("\n", "|\n")
    expect(read_outages(written(tmp_path, text)))


def test_json_lines_with_nested_objects(tmp_path: Path) -> None:
    lines = []
    for hour, repair, name in ROWS:
        start = BEGIN + timedelta(hours=hour)
        end = None if repair is None else (start + timedelta(hours=repair)).isoformat()
        lines.append(json.dumps({"when": {"start": start.isoformat(), "end": end}, "node": name}))
    found = read_outages(
        written(tmp_path, "\n".join(lines), "log.jsonl"),
        {"start": "when.start", "end": "when.end", "component": "node"},
    )
    expect(found)


def test_parquet_with_its_own_dates(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    starts = [BEGIN + timedelta(hours=hour) for hour, _, _ in ROWS]
    ends = [None if repair is None else BEGIN + timedelta(hours=hour + repair) for hour, repair, _ in ROWS]
    path = tmp_path / "log.parquet"
    parquet.write_table(pa.table({"start": starts, "end": ends, "component": [name for _, _, name in ROWS]}), path)
    expect(read_outages(path))


def test_hours_from_the_beginning_of_the_record(tmp_path: Path) -> None:
    text = "start_h,repair_h,component\n0,4,n1\n30,1.5,n2\n96,,n10\n700,0,n1\n"
    expect(read_outages(written(tmp_path, text)))


def test_dates_that_may_be_read_in_two_ways_are_asked(tmp_path: Path) -> None:
    path = written(tmp_path, "start,end\n1/5/2024 3:04 PM,1/6/2024 3:04 PM\n")
    with pytest.raises(RecordError, match="month first"):
        read_outages(path)
    assert read_outages(path, dates="month first").repair_h.tolist() == [24]
    assert read_outages(path, dates="day first").repair_h.tolist() == [31 * 24]


def test_noon_and_midnight_of_a_twelve_hour_clock() -> None:
    moments = Moments("start", order="month first")
    noon, midnight = moments.read("1/31/2024 12:00 PM"), moments.read("1/31/2024 12:00 AM")
    assert noon is not None
    assert midnight is not None
    assert noon - midnight == 12 * 3600


def test_a_row_that_names_several_components_is_an_outage_of_each(tmp_path: Path) -> None:
    text = 'start,end,node\n2024-01-30T00:00,2024-01-30T01:00,"x[1-3],y7"\n'
    found = read_outages(written(tmp_path, text))
    assert len(found) == 4
    assert found.rows == 1
    assert set(found.components) == {"x1", "x2", "x3", "y7"}


def test_a_component_may_be_made_of_several_columns(tmp_path: Path) -> None:
    text = "start,rack,slot\n2024-01-30T00:00,1,2\n2024-01-31T00:00,12,\n2024-02-01T00:00,1,2\n"
    found = read_outages(written(tmp_path, text), {"component": "rack+slot"})
    assert found.components == ("1/2",)
    assert found.broken.total == 1


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (["cause = gpu"], [0, 3]),
        (["cause = gpu, fan"], [0, 1, 3]),
        (["cause != gpu"], [1, 2]),
        (["slot >= 3"], [2, 3]),
        (["slot = 2..3"], [1, 2]),
        (["cause = gpu", "slot < 3"], [0]),
    ],
)
def test_conditions_choose_rows(tmp_path: Path, where: list[str], rows: list[int]) -> None:
    text = "start_h,component,cause,slot\n0,a,gpu,1\n1,b,fan,2\n2,c,,3\n3,d,gpu,4\n"
    found = read_outages(written(tmp_path, text), where=where)
    assert found.start_h.tolist() == rows


def test_broken_lines_are_counted_and_shown_and_the_rest_is_read(tmp_path: Path) -> None:
    text = (
        "start,end,component\n"
        "2024-01-30T00:00,2024-01-30T01:00,a\n"
        "yesterday,2024-01-30T01:00,b\n"
        "2024-01-31T00:00,2024-01-30T01:00,c\n"
        "2024-01-31T00:00,2024-01-31T01:00\n"
        ",2024-01-31T01:00,d\n"
        "2024-01-31T00:00,2024-01-31T01:00,x[1-\n"
        '2024-01-31T00:00,2024-01-31T01:00,"open\n'
    )
    found = read_outages(written(tmp_path, text))
    assert len(found) == 1
    assert found.broken.total == 6
    told = "\n".join(found.broken.told())
    for said in ("line 3", "ends before it starts", "not 3 values", "no beginning", "line 7", "quote"):
        assert said in told


@pytest.mark.parametrize(
    ("text", "columns", "where", "why"),
    [
        ("", {}, [], "is empty"),
        ("a,b\n1,2\n", {}, [], "no column that says when"),
        ("start,start\n1,2\n", {}, [], "two columns"),
        ("start,end\n2024-01-30,2024-01-31\n", {"start": "strat"}, [], 'did you mean "start"'),
        ("start,end\n2024-01-30,2024-01-31\n", {"begin": "start"}, [], "allowed: start, end"),
        ("start,end\n2024-01-30,2024-01-31\n", {}, ["ends = 4"], 'did you mean "end"'),
        ("start,end\n2024-01-30,2024-01-31\n", {}, ["end"], "must be"),
        ("start,end\n2024-01-30,2024-01-31\n", {}, ["end > soon"], "not a number"),
        ("start,end\n2024-01-30,2024-01-31\n", {}, ["end = 4"], "no outage that meets"),
        ("start,end\n2024-01-30T00:00Z,2024-01-31T00:00\n", {}, [], "with and without a zone"),
        ("start,end\n13/1/2024,1/14/2024\n", {}, [], "is month first"),
    ],
)
def test_what_cannot_be_read_says_why(
    tmp_path: Path, text: str, columns: dict[str, str], where: list[str], why: str
) -> None:
    with pytest.raises(RecordError, match=why):
        read_outages(written(tmp_path, text), columns, where)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is a folder"):
        opened(tmp_path)
    with pytest.raises(RecordError, match="cannot be read"):
        opened(tmp_path / "none.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    with suppress(RecordError):
        read_outages(path)
    with suppress(RecordError):
        for _ in opened(path).rows(Broken()):
            pass


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.lists(
        st.lists(st.text(alphabet='ab1,;|"\t []-/:2024TZ.\n', max_size=12), min_size=1, max_size=4), max_size=8
    ),
    delimiter=st.sampled_from([",", ";", "|", "\t"]),
)
def test_any_rows_under_good_columns_are_read_or_counted(tmp_path: Path, text: list[list[str]], delimiter: str) -> None:
    """Every line that is not blank is a row, is counted as broken, or is part of a cell that a quote opened."""
    head = delimiter.join(("start", "end", "component"))
    lines = [delimiter.join(cells) for cells in text]
    path = written(tmp_path, "\n".join([head, "2024-01-30T00:00" + delimiter + delimiter + "a", *lines]))
    refused = ""
    try:
        found = read_outages(path)
    except RecordError as error:
        refused = str(error)
    if refused:
        assert "zone" in refused or "first" in refused
    else:
        assert len(found) >= 1
        assert (found.start_h >= 0).all()
