"""dcsim sweep and dcsim table: the answer first, files in a folder, shards and resumption by the command line."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_shards import files

EVERY = "jobs.train.recovery.checkpoint_every=10 min,30 min,90 min"


def only(folder: str) -> Path:
    """The one folder in a folder."""
    (found,) = Path(folder).iterdir()
    return found


def test_the_first_sentence_is_the_answer(dcsim):
    """A sweep begins with the best value, its figure and what is as good; the report says the same and has a chart."""
    done = dcsim("sweep", "small.toml", "-L", EVERY, "-n", 20)
    assert (done.exit_code, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert re.match(r"With a checkpoint every \d+ min a useful GPU-hour costs least: \d\.\d+ USD; ", said)
    folder = only("outputs")
    assert done.stdout.splitlines()[-1] == f"report: {folder}/report.html"
    page = (folder / "report.html").read_text()
    assert said.split(";")[0].split(":")[0] in re.sub(r"\s+|&nbsp;|\u00a0", " ", page)
    assert "<circle" in page
    assert "dcsim sweep small.toml -L &#39;jobs.train.recovery.checkpoint_every=10 min,30 min,90 min&#39;" in page
    names = {path.name for path in folder.iterdir()}
    assert names == {"runs", "points.parquet", "points.csv", "question.json", "sweep.json", "report.html"}


def test_two_axes_make_a_map_and_two_files_a_map_of_winners(dcsim):
    """Two axes are printed across and down; with two files the page says which is best where."""
    axes = ("-L", EVERY, "-L", "hazards.gpu.detect=1 min,1 h")
    done = dcsim("sweep", "small.toml", "other.toml", *axes, "-n", 4, "--metric", "loss")
    assert done.exit_code == 0
    assert "Loss, all GPU-hours, %, Small" in done.stdout
    assert re.search(
        r"Small is best at|is best at all 6 settings|best are not told apart|clearly the best", done.stdout
    )
    page = (only("outputs") / "report.html").read_text()
    assert "Which is best where" in page
    assert page.count("<svg") == 3


def test_json_has_every_point(dcsim):
    """--json prints one document and nothing else; the same as sweep.json."""
    done = dcsim("sweep", "small.toml", "-L", EVERY, "-n", 4, "--json", "--no-report")
    found = json.loads(done.stdout)
    assert [each["inputs"] for each in found["points"]] == [
        {"jobs.train.recovery.checkpoint_every": value} for value in ("10 min", "30 min", "90 min")
    ]
    assert found["best"] in found["not_told_apart"]
    assert found == json.loads((only("outputs") / "sweep.json").read_text())


@pytest.mark.parametrize("verb", [("sweep",), ("table", "checkpoint")])
def test_shards_are_merged_to_the_bytes_of_one_machine(dcsim, verb):
    """Two machines, dcsim merge, and the same command with --resume: the folder of one machine."""
    common = (*verb, "small.toml", "-L", EVERY, "-n", 6)
    assert dcsim(*common, "-o", "clean").exit_code == 0
    for number in (1, 2):
        done = dcsim(*common, "-o", f"machine-{number}", "--shard", f"{number}/2")
        assert done.exit_code == 0
        assert done.stdout.startswith(
            f"shard {number}/2 of 6 replications of 3 points in machine-{number}/{'-'.join(verb)}-small-"
        )
    name = only("clean").name
    merged = dcsim("merge", *(f"machine-{number}/{name}/runs" for number in (1, 2)), "-o", f"merged/{name}/runs")
    assert merged.exit_code == 0
    assert dcsim(*common, "-o", "merged", "--resume").exit_code == 0
    assert files(Path("merged")) == files(Path("clean"))


def test_a_latin_hypercube_is_reported(dcsim):
    """--lhs draws points; each axis has a chart of its own."""
    axes = ("-L", EVERY, "-L", "hazards.gpu.detect=1 min,5 min,1 h")
    done = dcsim("sweep", "small.toml", *axes, "-n", 2, "--lhs", 3)
    assert done.exit_code == 0
    assert (only("outputs") / "report.html").read_text().count("<svg") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-L", "cluster.spare=1,2"), 'did you mean "spares"'),
        (("-L", "cluster.spares"), "must be key=values"),
        (("-L", EVERY, "--metric", "price"), "--metric: found 'price'; allowed: loss"),
        (("-L", EVERY, "--shard", "9/9", "-n", 4), "--shard: shard 9/9 has none of 4 replications"),
        ((), "-L: missing; give a key and its values, or several files"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_nothing(dcsim, arguments, says):
    """Exit 2, one line, no folder."""
    done = dcsim("sweep", "small.toml", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize("kind", ["tokens", "power", "energisation"])
def test_tables_without_shards(dcsim, kind):
    """Tables by formula, and the one that keeps no runs, say which tables have shards."""
    done = dcsim("table", kind, "small.toml", "--shard", "1/2")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"table {kind} " in done.stderr
    assert "shards: checkpoint, spares, detection, nines" in done.stderr


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("spares", r"\d+ spares are the smallest stock with P\(short\) below 1 %|The smallest stock with P\(short\)"),
        ("detection", r"Time to detection: between \d+ min and \d+ min a minute costs [\d,]+ USD a month"),
        ("nines", r"Time in which jobs have enough GPUs, by the binomial\. From 90 % to 99 %"),
        ("checkpoint", r"With a checkpoint every \d+ min a useful GPU-hour costs least"),
    ],
)
def test_tables_begin_with_what_they_say(dcsim, kind, begins):
    """Each table's first sentence is its answer; formula, theory and simulation stand beside one another."""
    done = dcsim("table", kind, "small.toml", "-n", 4, "--set", "jobs.train.recovery.checkpoint_write=1 min")
    assert (done.exit_code, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert re.match(begins, said)
    assert "Formula: the published formula" in said
    folder = only("outputs")
    assert folder.name.startswith(f"table-{kind}-small-")
    assert "<svg" in (folder / "report.html").read_text()


def test_a_table_that_does_not_apply_is_one_line(dcsim):
    """Live migration has no checkpoint interval to choose."""
    done = dcsim("table", "checkpoint", "pretrain-5184/gold")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "rolls nothing back, so there is no checkpoint interval to choose" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_table_has_a_document(dcsim):
    """--json has the closed forms of each point beside what was simulated."""
    found = json.loads(dcsim("table", "spares", "small.toml", "-n", 2, "--json", "--no-report").stdout)
    assert found["table"] == "spares"
    assert {"formula", "theory", "binomial", "repairman", "waiting", "stock_usd"} <= set(found["points"][0]["closed"])
    assert found["facts"]["enough"][0]["short_below"] == 0.01
