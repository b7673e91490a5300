"""What the command line says of a scenario with a record of outages, and what the folder of its run keeps."""

import json

import pytest

TRACED = """
[[hazards]]
name = "node"
component = "node"
mtbf = { kind = "trace", file = "log.csv", repeat = true, span = "400 h" }
"""
LOG = "start;end;node\n2024-01-30;2024-01-31;n1\n2024-02-01;;n2\nlater;2024-02-03;n2\n2024-02-04;2024-02-05;n3\n"
BROKEN = "log.csv: 1 of 4 lines is broken and left out: 1 line: no moment or time"
OPEN = "log.csv: 1 of 3 outages had not ended: its repair lasts to the end of the record"


@pytest.fixture(autouse=True)
def traced(dcsim, tmp_path):
    """Write traced.toml with a trace of a log in which one line is broken and one outage had not ended."""
    small = (tmp_path / "small.toml").read_text()
    (tmp_path / "traced.toml").write_text(small.replace("[tco]", f"{TRACED}[tco]"))
    (tmp_path / "log.csv").write_text(LOG)


def text_of(shown):
    """Return a page as one line."""
    return " ".join(shown.output.split())


def test_check_says_how_the_log_was_read_and_what_was_left_out(dcsim):
    """The delimiter and the columns, the broken line, and the outage that had not ended."""
    shown = dcsim("check", "traced.toml")
    assert shown.exit_code == 0
    assert (
        "  log.csv: 3 columns between semicolons; start from start, end from end, component from node" in shown.output
    )
    assert BROKEN in shown.output
    assert OPEN in shown.output


def test_a_run_says_it_and_its_report_too(dcsim, tmp_path):
    """The run, its JSON and a report that is made later, when the log is gone, tell the same cautions."""
    assert BROKEN in text_of(dcsim("run", "traced.toml", "-n", "2", "-o", "out"))
    document = json.loads(dcsim("run", "traced.toml", "-n", "2", "-o", "out", "--json").stdout)
    assert any(each["message"].startswith(BROKEN) for each in document["cautions"])
    (folder,) = (tmp_path / "out").iterdir()
    (tmp_path / "log.csv").unlink()
    assert dcsim("report", folder, "--format", "markdown").exit_code == 0
    page = (folder / "report.md").read_text()
    assert "1 of 4 lines is broken and left out" in page
    assert "1 of 3 outages had not ended" in page


def test_a_changed_file_of_outages_is_one_line(dcsim, tmp_path):
    """A report of the folder names the file; a resumed run writes it again and says so."""
    dcsim("run", "traced.toml", "-n", "2", "-o", "out")
    (folder,) = (tmp_path / "out").iterdir()
    path = folder / "outages-1.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    shown = dcsim("report", folder)
    assert shown.exit_code == 1
    assert "outages-1.parquet: has changed since the run wrote it; run it again with --resume" in shown.output
    resumed = dcsim("run", "traced.toml", "-n", "2", "-o", "out", "--resume")
    assert "outages-1.parquet: differs from what dcsim wrote; written again" in text_of(resumed)
    assert dcsim("report", folder).exit_code == 0
