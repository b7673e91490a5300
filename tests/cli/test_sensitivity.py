"""`dcsim sensitivity`: what it prints, keeps and refuses."""

import json

import pytest

ONE = ("--workers", "1")
UNKNOWN = """
[[uncertain]]
key = "hazards.gpu.detect"
value = { kind = "uniform", low = "5 min", high = "1 h" }
[[uncertain]]
key = "tco.gpu_hour"
value = { kind = "uniform", low = "3 USD", high = "5 USD" }
"""


@pytest.fixture
def unknown(dcsim, tmp_path):
    """Write unknown.toml, a small scenario with two uncertain inputs; give the function that runs a command line."""
    text = (tmp_path / "small.toml").read_text().replace('"Small"', '"Unknown"')
    (tmp_path / "unknown.toml").write_text(text + UNKNOWN)
    return dcsim


def test_the_answer_comes_first(dcsim):
    """The first sentence names the input to measure and by how much it moves the price; the next one is named too."""
    done = dcsim("sensitivity", "small.toml", "--vary", "2 %", "-n", 16, *ONE, "--no-report")
    assert done.exit_code == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert text.startswith("Measure this first: hazards.gpu.mtbf. It moves the price per useful GPU-hour by ± ")
    assert "; the next, tco.gpu_hour, by ± 0." in text
    assert "Chance alone moves single runs by ± " in text
    assert "What each input does to the price per useful GPU-hour" in text
    assert "No shares of the variance: no input is a distribution." in text
    assert done.stderr.startswith("Small: 8 inputs: 11 x 16 runs\n")


def test_the_document(unknown):
    """JSON has every input with both ends, errors and the ±, the longest first, and the shares of the variance."""
    done = unknown("sensitivity", "unknown.toml", "-n", 16, "--share-runs", 64, *ONE, "--json", "--no-report")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["name"], found["metric"]) == ("Unknown", {"name": "usd_per_useful_gpu_hour", "unit": "USD"})
    assert {each["key"] for each in found["inputs"]} == {"hazards.gpu.mtbf", "hazards.gpu.detect", "tco.gpu_hour"}
    moves = [each["moves_by"] for each in found["inputs"]]
    assert moves == sorted(moves, reverse=True)
    by_key = {each["key"]: each for each in found["inputs"]}
    assert (by_key["tco.gpu_hour"]["low"], by_key["tco.gpu_hour"]["high"]) == ("3.1 USD", "4.9 USD")
    assert [by_key[key]["simulated"] for key in ("tco.gpu_hour", "hazards.gpu.mtbf")] == [False, True]
    assert by_key["hazards.gpu.mtbf"]["source"] == "mtbf_range"
    assert by_key["hazards.gpu.detect"]["swing"]["mean"] > 0
    assert found["measure_first"][0] == found["inputs"][0]["key"]
    assert list(found["shares"]["inputs"]) == ["hazards.gpu.detect", "tco.gpu_hour"]
    assert found["shares"]["chance"]["total"] > 0
    assert (found["shares"]["runs"], found["shares"]["blocks"]) == (64, 4)
    assert found["why_no_shares"] is None
    assert done.stderr == "Unknown: 3 inputs: 5 x 16 runs, then 2 x 64 for the shares of the variance\n"


def test_runs_are_kept_and_resumed(unknown, tmp_path):
    """All runs of a question lie in one folder; what is there is not simulated again, and gives the same answer."""
    asked = ("sensitivity", "unknown.toml", "-n", 8, "--share-runs", 64, *ONE, "--json", "--no-report", "-o", "kept")
    first = unknown(*asked)
    (folder,) = (tmp_path / "kept").iterdir()
    assert folder.name.startswith("sensitivity-unknown-")
    runs = sorted(folder.rglob("all.parquet"))
    assert len(runs) == 1 + 2 * 3 + 4
    before = [run.stat().st_mtime_ns for run in runs]
    again = unknown(*asked, "--resume", "--metric", "usd_per_useful_gpu_hour")
    assert again.stdout == first.stdout
    assert [run.stat().st_mtime_ns for run in runs] == before


def test_the_report(dcsim, tmp_path):
    """The folder holds one HTML page with the tornado, and the command that makes it again."""
    done = dcsim("sensitivity", "small.toml", "-n", 8, "-L", "cluster.spares=0:8", "--metric", "loss", *ONE)
    assert done.exit_code == 0, done.stderr
    (folder,) = (tmp_path / "outputs").iterdir()
    assert done.stdout.endswith(f"report: outputs/{folder.name}/report.html\n")
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert "which input to measure first?" in page
    assert "dcsim sensitivity small.toml -L cluster.spares=0:8 --metric loss -n 8" in page
    assert "at its high end" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-L", "cluster.spares=8"), "-L: cluster.spares: found one value; must be key=low:high"),
        (("-L", "x"), "-L: found 'x'; must be key=low:high, such as"),
        (
            ("-L", "cluster.sparse=1:2"),
            "cluster.sparse: unknown key; allowed: topology, gpus, spares, ",
        ),
        (("-L", "jobs.train.gpus=128:140"), "-L jobs.train.gpus=140: jobs: found 148 GPUs"),
        (("-L", "seed=1:2"), "-L: seed: must be an input"),
        (("-L", "cluster.spares=0:4", "-L", "cluster.spares=0:8"), "-L: cluster.spares: found twice"),
        (("--vary", "10"), "--vary: found '10'; allowed: a share"),
        (("--vary", "100 %"), "--vary: found '100 %'; must be a share above 0 % and below 100 %"),
        (("--metric", "los"), 'did you mean "loss" or "lost"?'),
        (
            ("--metric", "finish_h"),
            "last job is done in every run; not every job has work",
        ),
        (("--set", "hazards.gpu.mtbf_range=[]"), "mtbf_range"),
    ],
)
def test_a_mistake_is_one_line(dcsim, tmp_path, arguments, told):
    """Each mistake is told in one line, with exit code 2, and leaves no report behind."""
    done = dcsim("sensitivity", "small.toml", "-n", 2, *ONE, *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert not list(tmp_path.rglob("report.html"))


def test_certain_inputs_tell_nothing(dcsim, tmp_path):
    """Without any range the line says so, and how to declare one; nothing is simulated."""
    text = (tmp_path / "small.toml").read_text()
    (tmp_path / "certain.toml").write_text(text.replace('mtbf_range = ["500 h", "2000 h"]\n', ""))
    done = dcsim("sensitivity", "certain.toml")
    assert done.exit_code == 2
    assert done.stderr.startswith(
        "Small: all of its inputs are certain, so nothing can be told; declare ranges: --vary"
    )
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_prices_move_no_loss(unknown):
    """A range of a price is left out where the figure is no money, and a note says so."""
    done = unknown("sensitivity", "unknown.toml", "-n", 4, "--share-runs", 0, "--metric", "loss", *ONE, "--no-report")
    assert "Prices move no figure but money, so left out: tco.gpu_hour" in " ".join(done.stdout.split())
    assert "tco.gpu_hour  " not in done.stdout
    assert "No shares of the variance were asked for." in done.stdout


def test_a_price_that_moves_most_is_not_what_to_measure(dcsim):
    """At 10 % more or less of everything the rent moves the price most; the first that can be measured is named."""
    done = dcsim("sensitivity", "pretrain-5184/gold", "--vary", "10 %", "-n", 8, *ONE, "--no-report")
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.startswith("Measure this first: hazards.gpu.mtbf. It moves the price per useful GPU-hour by ± 0.0")
    assert "A price, tco.gpu_hour, moves it more, by ± 0.42; nothing has to be measured for that." in said
