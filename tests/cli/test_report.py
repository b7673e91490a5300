"""`dcsim report`, and the report that `run` and `compare` write."""

import csv
import io
import json
import os
import re
import shutil
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL

MOST_BYTES = 500_000
HOSTILE = '<script>alert("1")</script> & \u202eevil\u200b {{ 7 * 7 }} $x^2$ '


@pytest.fixture
def dcsim(dcsim):
    """Run a command line as a user does: with its report."""
    return partial(dcsim, report=True)


class Page(HTMLParser):
    """Text, tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def report_of(folder: str = "outputs") -> Path:
    """The one report.html below a folder."""
    (found,) = Path(folder).glob("*/report.html")
    return found


def test_run_writes_a_report_and_says_so(dcsim):
    """Into the folder of the run; --no-report writes none, and --json prints its document alone."""
    done = dcsim("run", "small.toml", "-n", 4, "--workers", 1)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"report: {report_of()}"
    page = Page(report_of().read_text())
    assert "Small loses" in page.text
    assert dcsim("run", "small.toml", "-n", 4, "--workers", 1, "--no-report").exit_code == 0
    assert not list(Path("outputs").glob("*/report.html")), "of a run that was replaced"
    done = dcsim("run", "small.toml", "-n", 4, "--workers", 1, "--json")
    assert json.loads(done.stdout)["scenarios"][0]["name"] == "Small"
    assert report_of().exists()


def test_a_report_made_again_has_the_same_bytes(dcsim):
    """Of a run, of one with a precision, and of a comparison; whatever the workers, with or without events."""
    dcsim("run", "small.toml", "--seed", 5, "-n", 4, "--workers", 1, "--events")
    dcsim("run", "small.toml", "--seed", 9, "--precision", "2 pp", "-n", 128, "--workers", 1)
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1)
    reports = sorted(Path("outputs").glob("*/report.html"))
    assert len(reports) == 3
    for report in reports:
        before = report.read_bytes()
        report.unlink()
        done = dcsim("report", report.parent, "--workers", 2)
        assert (done.exit_code, done.stdout, done.stderr) == (0, f"{report}\n", "")
        assert report.read_bytes() == before
        assert len(before) < MOST_BYTES


def test_a_comparison_of_kept_runs_is_the_comparison(dcsim):
    """Runs of one seed, made apart, are reported together as `compare` does."""
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1)
    (report,) = Path("outputs").glob("compare-*/report.html")
    before = report.read_bytes()
    report.unlink()
    runs = [folder for name in ("small", "other") for folder in Path("outputs").glob(f"{name}-*")]
    done = dcsim("report", *runs, "--workers", 1)
    assert done.exit_code == 0
    assert report.read_bytes() == before


def test_hostile_names_are_shown_as_they_are(dcsim):
    """A name that wants to be a script, a template, a formula or nine thousand letters is text, and is cut."""
    text = SMALL.replace('"Small"', json.dumps(HOSTILE)).replace('"train"', json.dumps('<img src=x onerror="1">|`*'))
    Path("small.toml").write_text(f"description = {json.dumps(HOSTILE + 'A' * 9_000)}\n{text}")
    assert dcsim("run", "small.toml", "-n", 2, "--workers", 1).exit_code == 0
    text = report_of().read_text()
    page = Page(text)
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert '<script>alert("1")' in page.text
    assert "{{ 7 * 7 }}" in page.text or "{{" in page.text
    assert "49" not in re.findall(r"evil\S* (\S+)", page.text)
    assert "\u202e" not in text
    assert "A" * 500 not in text
    assert len(text.encode()) < MOST_BYTES
    folder = report_of().parent
    markdown = dcsim("report", folder, "--format", "markdown", "-o", "-", "--workers", 1).stdout
    assert "<script>" not in markdown
    assert "\\<script\\>" in markdown


def test_nothing_is_fetched_and_nothing_runs(dcsim):
    """No script, no address but anchors and empty data, a policy that forbids the rest; every picture has a name."""
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1)
    (report,) = Path("outputs").glob("compare-*/report.html")
    page = Page(report.read_text())
    addresses = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src", "action")
    ]
    assert addresses
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in addresses if address.startswith("#")} <= set(ids)
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) >= 6
    assert all(attributes["role"] == "img" and len(attributes["aria-label"]) > 20 for attributes in pictures)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", report.read_text())


def test_a_workbook_is_written_beside_the_run_and_is_the_same_again(dcsim):
    """Of a run and of a comparison; on stdout it is refused, and nothing is written."""
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1, "--no-report")
    folders = sorted(Path("outputs").glob("*"))
    assert dcsim("report", folders[0], "--format", "xlsx").stdout.strip().endswith("/report.xlsx")
    first = (folders[0] / "report.xlsx").read_bytes()
    assert first[:2] == b"PK"
    assert dcsim("report", *folders, "--format", "xlsx").exit_code == 0
    (group,) = Path("outputs").glob("compare-*/report.xlsx")
    assert len(group.read_bytes()) > len(first)
    dcsim("report", folders[0], "--format", "xlsx")
    assert (folders[0] / "report.xlsx").read_bytes() == first
    refused = dcsim("report", folders[0], "--format", "xlsx", "-o", "-")
    assert refused.exit_code == 2
    assert "name a file with -o" in refused.stderr


def test_the_formats_say_the_same(dcsim):
    """Every cell of the CSV stands in the Markdown and in the page; numbers are numbers."""
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1)
    (folder,) = Path("outputs").glob("compare-*")
    page = Page((folder / "report.html").read_text()).text.replace("\u00a0", " ")
    markdown = dcsim("report", folder, "--format", "markdown", "-o", "-", "--workers", 1).stdout.replace("\\", "")
    assert dcsim("report", folder, "--format", "csv", "--workers", 1, "-o", "new/folder/sheet.csv").exit_code == 0
    with Path("new/folder/sheet.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 150
    for row in rows:
        for text in (row["table"], row["row"], row["column"]):
            assert text.removeprefix("'") in page, row
            assert text.removeprefix("'") in markdown, row
    loss = [row for row in rows if row["row"] == "goodput loss, %" and row["column"] == "Small, simulated"]
    document = json.loads(dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1, "--json").stdout)
    found = document["scenarios"][0]["goodput"]["loss"]["mean"]
    assert float(loss[0]["value"]) == pytest.approx(100 * found, rel=1e-12)  # unrounded
    assert float(loss[0]["half_width"]) > 0


def test_the_command_of_a_report_makes_it_again(dcsim):
    """What the last section says, typed in, gives the same report."""
    dcsim("run", "small.toml", "-n", 4, "--set", "cluster.spares=4", "--seed", 12, "--workers", 1)
    before = report_of().read_bytes()
    command = re.search(r"<dt>command</dt><dd><code>(.*?)</code>", before.decode())[1].replace("&#39;", "'")
    report_of().unlink()
    done = dcsim(*command.removeprefix("dcsim ").split())
    assert done.exit_code == 0
    assert report_of().read_bytes() == before


def test_inputs_have_their_sources(dcsim):
    """Comments of the file, overrides and defaults stand behind the values."""
    Path("small.toml").write_text(SMALL.replace('mtbf = "1000 h"', 'mtbf = "1000 h"   # public: measured'))
    dcsim("run", "small.toml", "-n", 2, "--set", "cluster.spares=4", "--workers", 1)
    done = dcsim("report", report_of().parent, "--format", "csv", "-o", "-", "--workers", 1)
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["section"] == "Inputs"]
    source = {row["row"]: row["value"] for row in rows if row["column"] == "source"}
    assert source["hazards.gpu.mtbf"] == "public: measured"
    assert source["cluster.spares"] == "'--set"
    assert source["cluster.gpus"] == "small.toml, line 6"
    assert source["jobs.train.count"] == "default: assumed"
    value = {row["row"]: row["value"] for row in rows if row["column"] == "Small"}
    assert value["cluster.spares"] == "4 GPUs"
    assert {row["table"] for row in rows if row["row"] == "jobs.train.count"} == {"Defaults"}


def test_a_trace_is_written_and_bounded(dcsim):
    """JSON of one replication beside the run; a window, what is left out is said, choices are checked."""
    dcsim("run", "small.toml", "-n", 3, "--workers", 1, "--no-report")
    (folder,) = Path("outputs").iterdir()
    done = dcsim("report", folder, "--format", "trace")
    assert (done.exit_code, done.stdout) == (0, f"{folder}/trace.json\n")
    assert "events; open it in ui.perfetto.dev" in done.stderr
    whole = json.loads((folder / "trace.json").read_text())
    part = dcsim("report", folder, "--format", "trace", "--window", "1 d:2 d", "-o", "-", "--replication", 2).stdout
    assert 0 < len(json.loads(part)["traceEvents"]) < len(whole["traceEvents"])
    assert json.loads(part)["otherData"]["replication"] == 2
    dcsim("run", "small.toml", "-n", 3, "--workers", 1, "--no-report")
    assert not (folder / "trace.json").exists(), "of a run that was replaced"
    for wrong, told in (("2 d:1 d", "window: begins at"), ("soon", "window: found")):
        done = dcsim("report", folder, "--format", "trace", "--window", wrong)
        assert (done.exit_code, done.stdout) == (2, "")
        assert told in done.stderr


@pytest.mark.exhaustive
def test_reports_of_large_runs_stay_small(dcsim):
    """100,800 GPUs whose failures take trays, and a file of 300 jobs and 60 hazards."""
    text = SMALL.replace("gpus = 144", "gpus = 100800").replace("spares = 8", "spares = 720").replace("blast = 4\n", "")
    Path("large.toml").write_text(text.replace("gpus = 128", "gpus = 98000").replace('"1000 h"', '"50000 h"'))
    job = '[[jobs]]\nname = "job {}"\ngpus = 4\nrecovery = {{ kind = "fault-tolerant", failover = "5 min" }}\n'
    hazard = '[[hazards]]\nname = "hazard {}"\ncomponent = "gpu"\nmtbf = "90000 h"\nblast = 4\nrepair = "1 h"\n'
    parts = [job.format(number) for number in range(300)] + [hazard.format(number) for number in range(60)]
    head = 'name = "Many"\nhorizon = "5 d"\n[cluster]\ntopology = "gb300-nvl72"\ngpus = 1224\n'
    Path("many.toml").write_text(head + "".join(parts))
    assert dcsim("run", "large.toml", "many.toml", "-n", 2, "--workers", 1).exit_code == 0
    reports = list(Path("outputs").glob("*/report.html"))
    assert len(reports) == 2
    assert all(report.stat().st_size < MOST_BYTES for report in reports)


def test_wrong_uses_are_one_line(dcsim):
    """Each with exit 2, nothing on stdout and nothing written."""
    must = "must be the folder of a run, comparison, sweep, table, search or sensitivity"
    dcsim("run", "small.toml", "-n", 2, "--workers", 1, "--no-report")
    (folder,) = Path("outputs").iterdir()
    Path("empty").mkdir()
    elsewhere = shutil.copytree(folder, Path("others") / folder.name)
    for arguments, code, told in (
        (("nowhere",), 2, f"nowhere: no such folder; {must}\n"),
        (("smal",), 2, f'smal: no such folder; {must}; did you mean "{folder}"?\n'),
        ((f"outputs/{folder.name}x",), 2, f'{folder}x: no such folder; {must}; did you mean "{folder}"?\n'),
        ((folder / "report.html",), 2, f'report.html: no such folder; {must}; did you mean "{folder}"?\n'),
        (("empty",), 2, f"empty: holds no run of dcsim; {must}\n"),
        (("outputs",), 2, f'outputs: holds no run of dcsim; {must}; did you mean "{folder}"?\n'),
        (("small.toml",), 2, f"small.toml: is not a folder; {must}\n"),
        ((folder / "manifest.json",), 2, f'manifest.json: is not a folder; {must}; did you mean "{folder}"?\n'),
        ((folder, "--format", "pdf"), 2, "html"),
        ((folder, "--window", "1 d:2 d"), 2, "are for --format trace"),
        ((folder, "-o", "small.toml/report.html"), 2, "small.toml is not a folder"),
        ((folder, elsewhere), 2, "do not lie in one folder"),
        ((), 2, "RUN"),
    ):
        done = dcsim("report", *arguments)
        assert (done.exit_code, done.stdout) == (code, ""), arguments
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(folder.glob("report*"))


def test_a_run_without_months_has_the_same_sections(dcsim):
    """With --no-monthly the report tells causes of the run of median loss alone, and says so."""
    dcsim("run", "small.toml", "-n", 3, "--workers", 1, "--no-monthly")
    text = Page(report_of().read_text()).text
    assert "A typical month, and the worst" in text
    assert "The run of median loss." in text
    dcsim("run", "small.toml", "-n", 3, "--workers", 1, "--seed", 8)
    (other,) = (path for path in Path("outputs").glob("small-*-8"))
    assert "In the mean of 3 runs." in Page((other / "report.html").read_text()).text


def test_a_report_goes_into_pipes_and_devices_and_replaces_no_link(dcsim):
    """-o writes to a pipe that is read and to a device; a link is refused in a line before any work."""
    dcsim("run", "small.toml", "-n", 2, "--workers", 1, "--no-report")
    (folder,) = Path("outputs").iterdir()
    content = dcsim("report", folder, "--format", "csv", "-o", "-").stdout
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert dcsim("report", folder, "--format", "csv", "-o", "pipe").exit_code == 0
    assert os.read(reader, 10**6).decode().replace("\r\n", "\n") == content
    os.close(reader)
    assert dcsim("report", folder, "--format", "csv", "-o", os.devnull).exit_code == 0
    assert Path(os.devnull).is_char_device()
    Path("mine.csv").write_text("mine")
    Path("link.csv").symlink_to("mine.csv")
    told = dcsim("report", folder, "--format", "csv", "-o", "link.csv")
    assert "'--output': link.csv: is a symbolic link; only a regular file is replaced. Help:" in told.stderr
    assert (told.exit_code, Path("mine.csv").read_text()) == (2, "mine")


@pytest.mark.parametrize("by", ["p95", "mean"])
def test_a_comparison_is_told_again_by_what_it_was_ranked_by(dcsim, by):
    """The report of its folder, and of its runs together, has the bytes of the first one, the verdict by P95 too."""
    dcsim("compare", "small.toml", "other.toml", "-n", 3, "--workers", 1, "--by", by)
    (report,) = Path("outputs").glob("compare-*/report.html")
    first = report.read_bytes()
    assert (b"By P95" in first) == (by == "p95")
    assert (b"--by p95" in first) == (by == "p95")
    runs = sorted(str(each.parent) for each in Path("outputs").glob("*/scenario.toml"))
    small_first = sorted(runs, key=lambda each: "small" not in each)
    for folders in ([report.parent], small_first):
        report.unlink()
        assert dcsim("report", *folders).exit_code == 0
        assert report.read_bytes() == first
    # a run that another command made again since does not change what the comparison was ranked by
    dcsim("run", "small.toml", "-n", 3, "--workers", 1, "--resume", "--no-report")
    assert dcsim("report", report.parent).exit_code == 0
    assert (b"By P95" in report.read_bytes()) == (by == "p95")
