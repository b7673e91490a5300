"""Whatever is in a file, its reader reads it or refuses it in one line: no other error, no hang, no other file read."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.records import RecordError
from dcsim.records.forms import FORMS, read
from dcsim.records.gathered import Records
from tests.unit.test_records_slurm import FIELD

EXAMPLES = sorted(each for each in FIELD.iterdir() if each.is_file() and each.suffix not in (".py", ".md"))
LINES = sorted({line for each in EXAMPLES for line in each.read_bytes().splitlines(keepends=True)})


def sound(found: Records) -> None:
    """Check what every record must hold."""
    assert found.form in FORMS
    assert all(isinstance(each, str) and each.isprintable() for each in found.told)
    assert all(count > 0 for count in found.broken.counts.values())
    outages, runs = found.outages, found.runs
    names = () if outages is None or found.form in ("table", "events") else (*outages.components, *outages.kinds)
    assert all(name.isprintable() for name in (*names, *(() if runs is None else (*runs.nodes, *runs.owners))))
    if outages is not None:
        lengths = {len(outages.start_h), len(outages.end_h), len(outages.component), len(outages.kind)}
        assert lengths == {len(outages)}
        assert (outages.start_h >= 0).all()
        assert (np.diff(outages.start_h) >= 0).all()
        assert not (outages.end_h < outages.start_h).any()
        assert not (outages.start_h > outages.span_h).any()
        assert (outages.component < len(outages.components)).all()
        assert (outages.kind < len(outages.kinds)).all()
        if outages.units is not None:
            assert outages.units >= len([name for name in outages.components if name])
        if outages.noticed_h is not None:
            assert not (outages.noticed_h < outages.start_h).any()
    if runs is not None:
        assert len(runs.first) == len(runs) + 1
        assert runs.first[-1] == len(runs.node)
        assert not (runs.end_h < runs.start_h).any()
        assert not (runs.node >= len(runs.nodes)).any()


def tried(path: Path, form: str | None) -> None:
    with suppress(RecordError):
        sound(read(path, form, year=2024))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw an example with bytes changed, and lines of it and of others left out, doubled and put elsewhere."""
    lines = draw(st.sampled_from(EXAMPLES)).read_bytes().splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(lines)))
        what = draw(st.sampled_from(["out", "other", "double", "bytes", "cut", "join"]))
        if what == "other":
            lines.insert(place, draw(st.sampled_from(LINES)))
        elif place < len(lines):
            line = lines[place]
            if what == "out":
                del lines[place]
            elif what == "double":
                lines.insert(draw(st.integers(0, len(lines))), line)
            elif what == "cut":
                lines[place] = line[: draw(st.integers(0, len(line)))]
            elif what == "join":
                lines[place] = line.rstrip(b"\n")
            else:
                at = draw(st.integers(0, len(line)))
                new = draw(
                    st.binary(max_size=4) | st.sampled_from([b"[", b"]", b"|", b'"', b"{", b"-", b"9" * 30, b","])
                )
                lines[place] = line[:at] + new + line[at + draw(st.integers(0, 4)) :]
    return b"".join(lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(content=mutated(), form=st.none() | st.sampled_from(list(FORMS)))
def test_changed_examples_are_read_or_refused(tmp_path: Path, content: bytes, form: str | None) -> None:
    path = tmp_path / "record"
    path.write_bytes(content)
    tried(path, form)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(content=st.binary(max_size=300), form=st.none() | st.sampled_from(list(FORMS)))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, form: str | None) -> None:
    path = tmp_path / "record"
    path.write_bytes(content)
    tried(path, form)


HOSTILE = {
    "hex that never ends": "2024-01-30T10:00:00 n1 kernel: NVRM: Xid (PCI:" + "0" * 200_000,
    "many openings": "2024-01-30T10:00:00 n1 kernel: " + "NVRM: Xid (0: " * 20_000,
    "reason of brackets": "[2024-01-30T10:00:00] update_node: node n1 reason set to: " + "[@" * 100_000,
    "nodes of commas": "[2024-01-30T10:00:00] error: Nodes " + "n1," * 60_000 + "n2 not responding, setting DOWN",
    "nodes of brackets": "[2024-01-30T10:00:00] error: Nodes " + "n[1-2]," * 30_000 + "n2 not responding, setting DOWN",
    "blanks": "REASON USER TIMESTAMP NODELIST\n" + " " * 300_000 + "x 2024-01-30T09:00:00",
    "blanks in a row": "REASON USER TIMESTAMP NODELIST\n" + "a " * 4_000 + "2024-01-30T09:00:0x n1",
    "labels": 'DCGM_FI_DEV_XID_ERRORS{gpu="0",' + 'a="\\' * 20_000,
    "labels that close": "DCGM_FI_DEV_XID_ERRORS{" + "}" * 90_000,
    "deep JSON": '{"jobs": [' + "[" * 100_000,
    "deep objects": '{"data": ' * 20_000,
    "one name": '{"jobs": ["' + "a" * 3_000_000,
    "a long number": '{"jobs": [' + "1" * 400_000 + "]}",
    "elapsed": "JobID|State|Start|Elapsed|NodeList\n1|COMPLETED|2024-01-30T10:00:00|" + "1" * 100_000 + "|n1",
    "names of many nodes": "JobID|State|Start|End|NodeList\n"
    + "".join(f"{n}|COMPLETED|2024-01-30T10:00:00|2024-01-30T11:00:00|n[1-60000]\n" for n in range(20)),
    "all fail at once": "JobID|State|Start|End|NodeList\n"
    + "".join(f"{n}|NODE_FAIL|2024-01-30T10:00:00|2024-01-30T11:00:00|n[{n % 50}-60]\n" for n in range(5_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_takes_long(tmp_path: Path, name: str) -> None:
    """All ten readers together take about 2 s at most; what grows with a square takes minutes."""
    path = tmp_path / "record"
    path.write_text(HOSTILE[name] + "\n", encoding="utf-8")
    begin = time.process_time()
    for form in (None, *FORMS):
        tried(path, form)
    assert time.process_time() - begin < 20


@contextmanager
def watched() -> Iterator[set[str]]:
    """Note the files that are opened."""
    seen: set[str] = set()
    active = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if active and event == "open" and isinstance(arguments[0], str | bytes):
            seen.add(os.fsdecode(arguments[0]))

    sys.addaudithook(audit)
    try:
        yield seen
    finally:
        active = False


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_nothing_but_the_file_is_read(path: Path) -> None:
    """Beside the file itself, only code and the program's own catalogue are opened."""
    read(path, year=2024)  # what is imported is imported now
    with watched() as seen:
        read(path, year=2024)
    assert {str(path)} <= seen <= {str(path)}


# --- a million lines ----------------------------------------------------------------------------------------------

LONG: dict[str, Callable[[int, int], str]] = {
    "kernel": lambda day, n: f"2024-01-{day:02}T10:00:00+00:00 gpu{n % 500} kernel: usb 1-1: new device {n}\n",
    "slurmctld": lambda day, n: (
        f"[2024-01-{day:02}T10:00:00] sched: Allocate JobId={n} NodeList=n[{n % 90}-99] #CPUs=8\n"
    ),
    "sacct": lambda day, n: f"{n}|COMPLETED|2024-01-{day:02}T10:00:00|2024-02-01T10:00:00|n[{n % 90}-{n % 90 + 2}]\n",
}
HEADS = {"sacct": "JobID|State|Start|End|NodeList\n"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("form", LONG)
def test_a_million_lines_in_bounded_memory(tmp_path: Path, form: str) -> None:
    """Jobs keep about 100 bytes each, logs nothing that grows."""
    import subprocess

    path = tmp_path / "long"
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADS.get(form, ""))
        for number in range(1_000_000):
            file.write(LONG[form](1 + number // 40_000, number))
    code = (
        "import resource, sys; from pathlib import Path; from dcsim.records.forms import read;"
        "a = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; r = read(Path(sys.argv[1]));"
        "assert r.form == sys.argv[2] and not r.broken.total, (r.form, r.broken.told());"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - a)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), form], check=True, capture_output=True, text=True)
    assert int(done.stdout) < (400_000 if form == "sacct" else 30_000)  # KiB
