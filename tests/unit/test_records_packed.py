"""Packed records are read as what is in them, as a stream; one that becomes too long is refused."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import RecordError, read_outages
from dcsim.records.forms import form_of, read
from dcsim.scenario import load
from dcsim.textfile import ALWAYS, MOST_TIMES
from tests.unit.logged_scenarios import CAUSES, failures, writer
from tests.unit.test_records_slurm import FIELD


def packed(path: Path, content: bytes) -> Path:
    """Write a packed file; its name does not say so."""
    path.write_bytes(gzip.compress(content))
    return path


@pytest.mark.parametrize("content", [
    b"start,end,node\n2024-01-30T10:00,2024-01-30T11:00,n1\n2024-01-30T12:00,,n2\n",
    b'{"start": "2024-01-30T10:00", "end": "2024-01-30T11:00", "node": "n1"}\n',
    "\ufeffstart;node;end\r\n30.1.2024 10:00;n\u00e4;30.1.2024 11:30\r\n".encode(),
])  # fmt: skip
def test_a_packed_table_is_read_as_the_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plain").write_bytes(content)
    found, plain = read_outages(packed(tmp_path / "table", content)), read_outages(tmp_path / "plain")
    assert form_of(tmp_path / "table") == "table"
    assert len(found) == len(plain) > 0
    assert np.array_equal(found.end_h, plain.end_h, equal_nan=True)
    assert (found.components, found.told, found.span_h) == (plain.components, plain.told, plain.span_h)


@pytest.mark.parametrize("name", ["dcgm.csv", "goodput.json", "sacct.txt", "sacct-23.11.json", "sinfo-nodes.txt"])
def test_every_form_may_be_packed(tmp_path: Path, name: str) -> None:
    found, plain = read(packed(tmp_path / name, (FIELD / name).read_bytes())), read(FIELD / name)
    assert (found.form, found.told, found.broken.counts) == (plain.form, plain.told, plain.broken.counts)


def test_a_packed_table_is_cut_short(tmp_path: Path) -> None:
    path = packed(tmp_path / "table", b"start,node\n" + b"".join(b"2024-01-30T10:00,n%d\n" % n for n in range(9_999)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match=r"^is a gzip file that is damaged$"):
        read_outages(path)


def test_packed_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"^is a packed parquet file; unpack it first$"):
        read_outages(packed(tmp_path / "table", b"PAR1" + bytes(100)))


@pytest.mark.parametrize(("form", "line"), [
    ("table", b"start,node\n2024-01-30T10:00,n1\n"), ("kernel", b"x\n"), ("sacct-json", b'{"jobs": [], "x": "'),
])  # fmt: skip
def test_a_file_that_becomes_too_long_is_refused(tmp_path: Path, form: str, line: bytes) -> None:
    """Of 40 MB of zeros in 40 kB no more than a few are held at once, and reading ends at the limit."""
    path = packed(tmp_path / "bomb", line + bytes(40_000_000))
    assert ALWAYS < 40_000_000
    assert MOST_TIMES * path.stat().st_size < 40_000_000
    tracemalloc.start()
    with pytest.raises(RecordError, match=rf"^is a gzip file of {path.stat().st_size:,} bytes that becomes more than "):
        read(path, form)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 160 << 20


def test_a_trace_may_be_packed(tmp_path: Path) -> None:
    for name in ("plain", "packed"):
        (tmp_path / name).mkdir()
    plain = writer(tmp_path / "plain")(CAUSES, ("t", ""))
    other = writer(tmp_path / "packed")(gzip.compress(CAUSES.encode()), ("t", ""), file="log.csv.gz")
    assert failures(load(plain)) == failures(load(other))
