"""`dcsim report` of the folder of a sweep, a table, a search and a sensitivity: the same, from kept runs."""

import shutil

import pytest

from dcsim.montecarlo import runner

DETECT = "hazards.gpu.detect=5 min,60 min"
FEW = ("--workers", "1")
ASKED = {
    "sweep": ("sweep", "small.toml", "-L", DETECT, "-n", "8", "--every-run", "--fail-if", "loss > 0.1 %"),
    "optimize": ("optimize", "small.toml", "-L", DETECT, "--runs", "64"),
    "sensitivity": ("sensitivity", "small.toml", "-L", "hazards.gpu.detect=5 min:60 min", "-n", "8"),
    "table": ("table", "detection", "small.toml", "-L", DETECT, "-n", "8"),
    "energisation": ("table", "energisation", "plant/bridge-none", "-n", "2"),
}


@pytest.fixture(params=ASKED)
def folder(dcsim, tmp_path, request):
    """The folder of each verb."""
    done = dcsim(*ASKED[request.param], *FEW)
    assert done.exit_code == (1 if request.param == "sweep" else 0), done.stderr
    (kept,) = tmp_path.glob("outputs/*/question.json")
    return kept.parent


def files(folder):
    """Every file below a folder with its bytes."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_written_again_from_kept_runs(dcsim, tmp_path, folder, monkeypatch):
    """Every file of the folder has the bytes that it had; nothing is simulated; Markdown and CSV say the same."""
    before = files(folder)
    (folder / "report.html").unlink()

    def refused(*_):
        raise AssertionError("simulated")

    monkeypatch.setattr(runner, "answers", lambda *given, **how: runner_answers(*given, **how))
    runner_answers = _only_missing(refused)
    done = dcsim("report", str(folder))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(folder / "report.html")
    assert files(folder) == before
    text = dcsim("report", str(folder), "--format", "markdown", "-o", "-").stdout
    assert text.startswith("# ")
    table = dcsim("report", str(folder), "--format", "csv", "-o", "-").stdout
    assert table.startswith("section,")
    assert len(table.splitlines()) > 4
    if "sweep" in folder.name:
        assert "Limits" in text
        assert "is broken" in text
    assert files(folder) == before


def _only_missing(refused):
    """Answer no task at all: whatever is asked for was not kept."""

    def answers(scenarios, tasks, workers, engine, simulate=None):
        for task in tasks:
            if task is not None:
                refused(task)
            yield from ()

    return answers


def test_a_run_that_is_gone_is_named(dcsim, tmp_path, folder):
    """One line, exit code 1, and nothing is simulated in its place."""
    kept = next(path.parent for path in folder.rglob("replications") if path.is_dir())
    shutil.rmtree(kept)
    done = dcsim("report", str(folder))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "is not kept any more; run the command again with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is damaged or cannot be read"),
        ('{"program": "dcsim", "schema": 1, "dcsim": "9.9"}', "is of dcsim 9.9, not"),
        ("[]", "is damaged or cannot be read"),
    ],
)
def test_a_bad_question_is_one_line(dcsim, tmp_path, content, says):
    """A damaged question, or one of another version, is named with its path."""
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "question.json").write_text(content)
    done = dcsim("report", str(bad))
    assert done.exit_code == 1
    assert f"{bad}/question.json: {says}" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_decision_at_a_time(dcsim, tmp_path, folder):
    """Two folders, or a trace, are refused in a line that says what to do."""
    done = dcsim("report", str(folder), str(folder))
    assert done.exit_code == 2
    assert "Name one sweep, table, search or sensitivity" in done.stderr
    done = dcsim("report", str(folder), "--format", "trace")
    assert done.exit_code == 2
    assert "A trace is of one run: name its folder" in done.stderr
