"""`dcsim optimize` and `dcsim breakeven` on the command line: documents, reports, refusals, and resuming."""

import json
import re

import pytest

DETECT = "hazards.gpu.detect=5 min,60 min"
FEW = ("--workers", "1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("optimize", "small.toml"), "-L: missing; give a key and its values, or several files"),
        (("optimize", "small.toml", "-L", DETECT, "-n", "8"), "optimize decides itself how many replications"),
        (("optimize", "small.toml", "-L", DETECT, "--runs", "1"), 'found "1"; must be a whole number from 2'),
        (
            ("optimize", "small.toml", "-L", DETECT, "--goal", "goodput >= 95 %"),
            "--goal: found 'goodput >= 95 %'; must",
        ),
        (("optimize", "small.toml", "-L", "hazards.gpu.detct=1 min,2 min"), 'did you mean "detect"?'),
        (("breakeven", "small.toml", "licence"), "WHAT: licence needs a second offer: --against FILE2"),
        (("breakeven", "small.toml", "detecting"), 'did you mean "detection"?'),
        (
            ("breakeven", "small.toml", "other.toml", "licence"),
            "must be FILE and WHAT. Did you mean dcsim breakeven small.toml licence --against other.toml?",
        ),
        (
            ("breakeven", "small.toml", "other.toml"),
            "LOWEST:HIGHEST; an offer to compare with goes behind --against",
        ),
        (("breakeven", "papers/crsim", "spares"), 'did you mean "spare"?'),  # and not that it has no prices
        (
            ("breakeven", "papers/crsim", "restore", "--set", "tco.gpu_hour=4 USD"),
            "WHAT: restore: the simulation of CRSim does not read jobs.solve.recovery.restore, so a minute",
        ),
        (("breakeven", "small.toml", "spare", "--against", "other.toml"), "WHAT: spare is about FILE alone"),
        (
            ("breakeven", "small.toml", "tco.licence=1 USD:0 USD", "--against", "other.toml"),
            "must be below the highest",
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(dcsim, tmp_path, arguments, says):
    """Exit code 2, one line for each problem on stderr, nothing on stdout and no folder."""
    before = sorted(tmp_path.rglob("*"))
    done = dcsim(*arguments, *FEW)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_optimize_prints_keeps_and_resumes(dcsim, tmp_path):
    """The answer comes first; the report lies in the folder of the question; --resume gives the same document."""
    done = dcsim("optimize", "small.toml", "-L", DETECT, "--runs", "128", *FEW)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("With detection in 5 min a useful GPU-hour costs least: ")
    (report,) = tmp_path.glob("outputs/optimize-small-*/report.html")
    assert f"report: {report.relative_to(tmp_path)}" in done.stdout
    text = report.read_text()
    assert "With detection in 5 min" in text
    assert str(tmp_path) not in text
    fresh, resumed = (
        dcsim("optimize", "small.toml", "-L", DETECT, "--runs", "128", "--json", *FEW, *more)
        for more in ((), ("--resume",))
    )
    assert json.loads(fresh.stdout) == json.loads(resumed.stdout)
    assert json.loads(fresh.stdout)["runs"] <= 128


def test_breakeven_prints_and_keeps(dcsim, tmp_path):
    """A price with its interval first, then the table; the report repeats the command."""
    done = dcsim("breakeven", "small.toml", "detection", "-n", "16", *FEW)
    assert done.exit_code == 0, done.stderr
    assert re.match(r"A minute of detection is worth ", done.stdout)
    (report,) = tmp_path.glob("outputs/breakeven-small-detection-*/report.html")
    assert "dcsim breakeven small.toml detection" in report.read_text()


def test_breakeven_of_two_files_takes_the_seed_of_the_first(dcsim):
    """Both meet the same failures: the seed of FILE, or --seed."""
    done = dcsim(
        "breakeven", "small.toml", "licence", "--against", "other.toml", "-n", "4", "--json", "--no-report", *FEW
    )
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert [each["seed"] for each in document["scenarios"]] == [7, 7]
    assert [each["method"] for each in document["breakeven"]["prices"]] == ["paid", "lost_work", "discount"]
