"""Nodes as `sinfo --json` and `scontrol show nodes --json` print them give the outages that were counted by hand."""

from pathlib import Path

import pytest

from dcsim.records import RecordError
from dcsim.records.forms import form_of, read
from tests.unit.test_records_slurm import FIELD, listed, outages_of


def test_snapshots_of_sinfo_json() -> None:
    """n1 was out before the first one. n3 is drained half an hour after it.

    Hours are from the first snapshot. n2 did not answer at the second one and is DOWN at the third: its outage begins
    at the second, and was noticed at the third.
    """
    found = read(FIELD / "sinfo-23.11.json")
    outages = outages_of(found)
    assert found.form == "sinfo-json"
    assert listed(outages) == [(0.5, 2, "n3", "nhc: fan # dead"), (1, None, "n2", "not responding")]
    assert outages.begin == 1706608800
    assert outages.span_h == 2
    assert outages.units == 3
    assert outages.noticed_h is not None
    assert outages.noticed_h[1] == 2
    assert "had begun before the first snapshot, and are left out: 1" in " ".join(found.told)
    assert found.broken.told() == ['1 line: not one of "sinfo" (object 2 element 5)']


def test_they_tell_what_snapshots_of_sinfo_as_text_tell() -> None:
    """The same three snapshots; only the text does not tell that n3 was drained between two of them."""
    text, json = (outages_of(read(FIELD / name)) for name in ("sinfo-nodes.txt", "sinfo-23.11.json"))
    assert [each[1:] for each in listed(text)] == [each[1:] for each in listed(json)]
    assert (text.units, text.span_h) == (json.units, json.span_h)


@pytest.mark.parametrize(("name", "outages"), [
    ("nodes-23.11.json", [(0, None, "n1", "firmware")]),
    ("sinfo-21.08.json", [(0, None, "n1", "fan #"), (1, None, "n3", "xid #")]),
])  # fmt: skip
def test_one_snapshot_lists_what_is_out_and_tells_no_rate(name: str, outages: list[object]) -> None:
    found = read(FIELD / name)
    assert found.form == "sinfo-json"
    assert listed(outages_of(found)) == outages
    assert "no rate follows" in " ".join(found.told)


def test_snapshots_that_tell_their_own_time_need_no_line_of_date(tmp_path: Path) -> None:
    """The second one is of an hour later, and n1 works again."""
    first = (FIELD / "nodes-23.11.json").read_text()
    later = first.replace("ALLOCATED", "DOWN").replace("1706608800", "1706612400").replace("MAINTENANCE", "PLANNED")
    (tmp_path / "nodes").write_text(first + later)
    assert listed(outages_of(read(tmp_path / "nodes"))) == [(1, None, "n2", "down")]


@pytest.mark.parametrize("line", ["2024-01-30T10:00:00", "Tue Jan 30 10:00:00 CET 2024", "yesterday"])
def test_a_line_of_time_needs_a_zone_beside_times_in_utc(tmp_path: Path, line: str) -> None:
    (tmp_path / "nodes").write_text(f"{line}\n" + (FIELD / "sinfo-21.08.json").read_text())
    with pytest.raises(RecordError, match=r"no moment with a zone \(date \+%s\)"):
        read(tmp_path / "nodes", "sinfo-json")


@pytest.mark.parametrize("line", ["1706608800", "2024-01-30T10:00:00Z", "Tue Jan 30 10:00:00 UTC 2024"])
def test_a_line_of_time_before_a_snapshot(tmp_path: Path, line: str) -> None:
    (tmp_path / "nodes").write_text(f"{line}\n" + (FIELD / "sinfo-21.08.json").read_text())
    assert form_of(tmp_path / "nodes") == "sinfo-json"
    assert outages_of(read(tmp_path / "nodes")).span_h == 1


def test_snapshots_with_and_without_a_time_are_no_record(tmp_path: Path) -> None:
    text = (FIELD / "sinfo-21.08.json").read_text()
    (tmp_path / "nodes").write_text(f"1706608800\n{text}{text}")
    with pytest.raises(RecordError, match=r"^has 1 snapshots without a time among 1 with one$"):
        read(tmp_path / "nodes")


def test_what_follows_a_mistake_is_one_broken_line(tmp_path: Path) -> None:
    text = (FIELD / "sinfo-21.08.json").read_text()
    (tmp_path / "nodes").write_text(f"1706608800\n{text}1706612400\n" + text[:-40])
    found = read(tmp_path / "nodes")
    assert found.broken.counts == {"no JSON from here on": 1}
    (tmp_path / "none").write_text('{"errors": []}')
    with pytest.raises(RecordError, match=r'^has no list of "sinfo"$'):
        read(tmp_path / "none", "sinfo-json")
