"""Tables of records: rows that are read at once are read as one by one, and every line is a row, left out or broken."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.records import RecordError, read_outages
from dcsim.records.cuts import Cut, read_cuts
from dcsim.records.layout import Layout
from dcsim.records.tables import LONGEST_LINE, Broken, opened
from dcsim.records.times import Moments, OrderUnknown

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
MOMENTS = (
    "2024-01-30T15:04:05",
    "2024-01-30 15:04",
    "2024-01-30",
    "2024-01-30T15:04:05.123456789",
    "2024-01-30T15:04:05Z",
    "2024-01-30T15:04+02:00",
    "2024-01-30-05:00",
    "2024-01-30T0530",
    "2024-01-30T05",
    "2024-W05-2",
    "2024-01",
    "2024-13-01",
    "9999-12-31T23:59:59.999999",
    "1706713440",
    "1/31/2024 3:04 PM",
    "31.1.2024",
    "",
    "Unknown",
    "null",
    "NaT",
    "now",
    "nan",
    " 2024-01-30T15:04:05",
)
cells = st.sampled_from(MOMENTS) | st.text(alphabet="0123456789-T:.Z+ ", max_size=20) | st.datetimes()


@quick
@given(st.lists(cells, min_size=1, max_size=6), st.sampled_from([None, True, False]))
def test_moments_read_at_once_are_those_read_one_by_one(values: list[str | datetime], aware: bool | None) -> None:
    """Whatever many moments are taken for, each of them alone is the same to the microsecond."""
    many = Moments("start", "month first", aware).read_many(values, True)
    if many is not None:
        alone = Moments("start", "month first", aware)
        expected = [alone.read(value) for value in values]
        found = np.array([np.nan if each is None else each for each in expected], dtype=float)
        assert np.array_equal(many, found, equal_nan=True)


plain = st.text(alphabet="ab1, /:-2024T", max_size=12)
good = st.sampled_from(
    ["2024-01-30T00:00,2024-01-30T01:00,a", "2024-01-31T00:00,,b", "2024-02-01T00:00,Unknown,x[1-3]"]
)


@quick
@given(st.lists(good | plain, max_size=30), st.sampled_from([(), ("node = a, b",), ("end != 2024-01-30T01:00",)]))
def test_every_line_is_a_row_left_out_or_broken(tmp_path: Path, lines: list[str], where: tuple[str, ...]) -> None:
    """The counts add up to the lines that are not blank, whatever stands in them."""
    text = "\n".join(["start,end,node", "2024-01-29T00:00,2024-01-29T01:00,a", *lines])
    path = tmp_path / "log.csv"
    path.write_text(text)
    with suppress(RecordError):  # times with and without a zone, or of another order
        found = read_outages(path, where=where, dates="day first")
        filled = sum(bool(line.strip()) for line in lines) + 1
        assert found.rows + found.filtered + found.broken.total == filled


@quick
@given(st.lists(st.text(alphabet='a",\n ', max_size=10), max_size=40))
def test_quotes_take_no_line_away(tmp_path: Path, lines: list[str]) -> None:
    """Rows and broken lines together are no more than the lines, and what follows the quotes is read."""
    path = tmp_path / "log.csv"
    path.write_text("start_h,x\n" + "\n".join(lines) + "\n1,2\n")
    broken = Broken()
    rows = list(opened(path).rows(broken))
    filled = sum(bool(line.strip()) for line in "\n".join(lines).split("\n")) + 1
    assert len(rows) + broken.total <= filled
    assert rows[-1][1] == ["1", "2"] or '"' in "".join(lines)


def test_an_open_quote_takes_its_own_line_only(tmp_path: Path) -> None:
    """A thousand rows follow a line with a stray quote: one line is broken."""
    path = tmp_path / "log.csv"
    path.write_text('start_h,x\n0,"a\n' + "".join(f"{hour},b\n" for hour in range(1, 1_001)))
    found = read_outages(path)
    assert (found.rows, found.broken.total) == (1_000, 1)
    assert found.broken.told() == ["1 line: a quote that is not closed (line 2)"]


def test_a_cell_in_quotes_goes_on_in_the_next_line(tmp_path: Path) -> None:
    """Also over the seam of what is read at once."""
    path = tmp_path / "log.csv"
    lines = "".join(f'{hour},"a\nb, {"x" * 50}"\n' for hour in range(10_000))
    path.write_text("start_h,x\n" + lines)
    found = read_outages(path)
    assert (found.rows, found.broken.total) == (10_000, 0)


def test_a_line_without_end_is_one_broken_line(tmp_path: Path) -> None:
    """It is not kept in memory, and the next line is read."""
    path = tmp_path / "log.csv"
    path.write_text("start_h,x\n1,a\n" + "z" * (3 * LONGEST_LINE) + "\n2,b\n3," + "z" * LONGEST_LINE + "\n4,c\n")
    found = read_outages(path)
    assert (found.start_h.tolist(), found.broken.total) == ([1, 2, 4], 2)
    assert found.broken.told() == [f"2 lines: longer than {LONGEST_LINE:,} characters (first line 3)"]


def test_a_file_of_two_forms_of_dates_is_looked_at_whole(tmp_path: Path) -> None:
    """ISO above, day or month first below: a later date tells which, or it is asked."""
    path = tmp_path / "log.csv"
    path.write_text("start\n2024-01-30\n3/2/2024\n13/2/2024\n")
    assert read_outages(path).start_h.tolist() == [0, 4 * 24, 14 * 24]
    path.write_text("start\n2024-01-30\n3/2/2024\n")
    with pytest.raises(RecordError, match="may have the month or the day first"):
        read_outages(path)
    with pytest.raises(OrderUnknown):
        Moments("start").read("3/2/2024")


def test_an_order_that_is_said_makes_other_dates_broken(tmp_path: Path) -> None:
    """Without it a file that contradicts itself is refused."""
    path = tmp_path / "log.csv"
    path.write_text("start\n13/2/2024\n2/14/2024\n")
    with pytest.raises(RecordError, match="it is month first, others are day first; dates = "):
        read_outages(path)
    found = read_outages(path, dates="day first")
    assert (found.rows, found.broken.total) == (1, 1)


def test_cuts_of_a_file_share_its_clock(tmp_path: Path) -> None:
    """Two causes of one system: both count from the system's first row, and a third cut says what is wrong with it."""
    path = tmp_path / "log.csv"
    path.write_text("system,start,cause\n1,2024-01-01,a\n2,2024-02-01,c\n2,2024-02-02,a\n2,2024-02-03,b\n")
    cuts = [Cut(where=("system = 2", f"cause = {cause}")) for cause in "ab"]
    found = read_cuts(path, [*cuts, Cut(where=("system = 2", "caus = c"))])
    assert [each[0].start_h.tolist() for each in found if not isinstance(each, RecordError)] == [[24], [48]]
    assert 'did you mean "cause"' in str(found[2])


def test_names_of_columns_are_shown_on_one_line(tmp_path: Path) -> None:
    """What does not print is shown; a long name is cut."""
    path = tmp_path / "log.csv"
    path.write_text("\x1b[31mbegan,x" + "y" * 500 + "\n1,2\n")
    with pytest.raises(RecordError) as caught:
        read_outages(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


STARTS = ("2024-01-30T00:00:00", "2024-01-31 12:30", "2024-02-01", "2024-02-02T00:00:00.250")
CLEAN = st.tuples(
    st.sampled_from(STARTS),
    st.sampled_from(["2024-03-01T00:00:00", "2024-01-31", "", "Unknown"]),
    st.sampled_from(["a", "b", "10", "x[1-2]", "c"]),
    st.sampled_from(["gpu", "fan", ""]),
)


@quick
@given(st.lists(CLEAN, min_size=1, max_size=12), st.sampled_from([(), ("cause = gpu",), ("node != a", "cause != fan")]))
def test_rows_read_at_once_are_those_read_one_by_one(
    tmp_path: Path, rows: list[tuple[str, str, str, str]], where: tuple[str, ...]
) -> None:
    """Times, components, kinds, lengths and counts are the same, those of broken lines included."""
    path = tmp_path / "log.csv"
    path.write_text("start,end,node,cause\n" + "".join(f"{','.join(row)}\n" for row in rows))
    cuts = [Cut(where=where), Cut(where=(*where, "cause = gpu"))]
    at_once = read_cuts(path, cuts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Layout, "many", lambda self, rows: None)
        alone = read_cuts(path, cuts)
    for one, other in zip(at_once, alone, strict=True):
        if isinstance(one, RecordError) or isinstance(other, RecordError):
            assert str(one) == str(other)
            continue
        (outages, clock), (expected, its_clock) = one, other
        assert clock == its_clock
        for name in ("start_h", "end_h", "component", "kind"):
            assert np.array_equal(getattr(outages, name), getattr(expected, name), equal_nan=True)
        for name in ("components", "kinds", "span_h", "rows", "filtered", "broken", "begin", "told"):
            assert getattr(outages, name) == getattr(expected, name)
        assert outages.rows + outages.filtered + outages.broken.total == len(rows)


def test_a_table_of_outages_says_how_long_it_is(tmp_path: Path) -> None:
    """From its first outage to the last moment in it, which is the end of the second."""
    path = tmp_path / "log.csv"
    path.write_text("start,end,node\n2024-01-30,2024-01-31,a\n2024-02-01,2024-02-09,b\n2024-02-03,2024-02-02,b\n")
    found = read_outages(path)
    assert found.span_h == 10 * 24
    assert (found.rows, found.filtered, found.broken.total) == (2, 0, 1)
    assert read_outages(path, where=["node = b"]).filtered == 1


def test_json_of_any_shape_is_read_or_counted(tmp_path: Path) -> None:
    """Lists, numbers without end and truth values are no moments; what is nested too deep is no line."""
    path = tmp_path / "log.jsonl"
    ends = ("[1]", "{}", "true", "1e999", "1" + "0" * 400, "NaN", '"x"', "[" * 3_000 + "]" * 3_000)
    lines = [f'{{"start": 1706572800, "end": {end}, "node": ["a"], "kind": [{{}}]}}' for end in ends]
    path.write_text('{"start": 1706572800, "end": null, "node": "b"}\n' + "\n".join(lines) + "\n[]\n3\n")
    found = read_outages(path)
    assert found.rows + found.broken.total == len(ends) + 3
    assert found.components[0] == "b"
    path.write_text('{"start_h": [1], "repair_h": [2]}\n{"start_h": true, "repair_h": {"a": 1}}\n')
    with pytest.raises(RecordError, match="holds no outage; 2 lines: no moment or time"):
        read_outages(path)
    for start, end in ((1, "[2]"), ('"2024-01-30T00:00"', "[2]"), (1, "true"), (1, "{}"), ("true", "1")):
        role = "end" if isinstance(start, str) and start != "true" else "repair_h"
        first = "start" if role == "end" else "start_h"
        path.write_text(f'{{"{first}": {start}, "{role}": {end}}}\n' * 2)
        with suppress(RecordError):
            found = read_outages(path)
            assert end == "{}"
            assert found.rows + found.broken.total == 2


def test_a_parquet_file_of_more_rows_than_bits_is_refused(tmp_path: Path) -> None:
    """A few bytes may stand for millions of equal rows; a log of outages is none of these."""
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "log.parquet"
    parquet.write_table(pa.table({"start_h": pa.array(np.ones(10_000_000))}), path, compression="zstd")
    with pytest.raises(RecordError, match=r"holds 10,000,000 rows in [0-9,]+ bytes, more than one in a bit"):
        read_outages(path)


def test_a_table_without_ends_tells_none(tmp_path: Path) -> None:
    """Nobody takes its outages for still open."""
    path = tmp_path / "log.csv"
    path.write_text("start,node\n2024-01-30,a\n")
    assert not read_outages(path).ends_told
    path.write_text("start,end,node\n2024-01-30,,a\n")
    assert read_outages(path).ends_told
