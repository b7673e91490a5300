"""The command line itself: help, version, errors, and what it costs to start."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dcsim import __version__
from dcsim.cli import VERBS
from dcsim.shipped import shipped_files

ROOT = Path(__file__).parents[2]


def process(*arguments, **how):
    """Run `python -m dcsim` in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *how.pop("flags", ()), "-m", "dcsim", *arguments]
    return subprocess.run(command, env=environment, text=True, stderr=subprocess.PIPE, check=False, **how)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(dcsim, verb):
    """Each verb's help says what it does and ends with an example that starts with its name."""
    done = dcsim(verb, "--help")
    assert done.exit_code == 0
    assert f"dcsim {verb} " in done.stdout.partition("Example")[2] or verb == "list"
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_group_lists_every_verb(dcsim):
    """`dcsim` alone and `dcsim --help` print the same page, with all verbs in it."""
    alone, asked = dcsim(), dcsim("--help")
    assert alone.stdout == asked.stdout
    assert alone.exit_code == asked.exit_code == 0
    assert all(f"\n  {verb} " in asked.stdout for verb in VERBS)


def test_version(dcsim):
    """`dcsim --version` prints the package's version."""
    assert dcsim("--version").stdout == f"dcsim {__version__}\n"


def test_help_loads_neither_the_rooms_nor_their_libraries():
    """Help and version import click and nothing else that takes time: no library, no room of dcsim but cli."""
    for argument in ("--help", "--version"):
        traced = process(argument, flags=("-X", "importtime"), stdout=subprocess.DEVNULL)
        loaded = {line.rpartition("|")[2].strip() for line in traced.stderr.splitlines()}
        assert {"click", "dcsim.cli"} <= loaded
        assert {name for name in loaded if name.startswith("dcsim.")} <= {
            "dcsim.cli",
            "dcsim.cli.screen",
            "dcsim.cli.signals",
            "dcsim.__main__",
        }
        heavy = {"rich", "pydantic", "numpy", "scipy", "pyarrow", "networkx", "simpy", "matplotlib", "jinja2"}
        assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


@pytest.mark.parametrize("verb", ["list", "new", "check", "run", "compare", "explain", "estimate", "schema"])
def test_help_of_a_verb_loads_no_library(verb):
    """The help of a verb costs its own small file, not what it would compute with."""
    traced = process(verb, "--help", flags=("-X", "importtime"), stdout=subprocess.DEVNULL)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in traced.stderr.splitlines()}
    assert {"rich", "pydantic", "numpy", "pyarrow", "simpy"}.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chekc"], 'no such verb "chekc"; did you mean "check"? Help: '),
        (["est"], 'no such verb "est"; did you mean "estimate"? Help: '),
        (["simulate"], 'did you mean "run"?'),
        (["Validate", "small.toml"], 'did you mean "check"?'),
        (["help"], 'did you mean "--help"?'),
        (["abacus"], 'no such verb "abacus"; allowed: compare, diff, run, '),
        (["small.toml"], 'found "small.toml" where a verb should stand; did you mean "dcsim run small.toml"?'),
        (["pretrain-5184/gold"], 'did you mean "dcsim run pretrain-5184/gold"?'),
        (["--bogus"], "no such option --bogus."),
        (["run", "small.toml", "--fail"], 'no such option --fail; did you mean "--fail-under" or "--fail-if"? Help: '),
        (["run", "small.toml", "--replication", "5"], 'no such option --replication; did you mean "--replications"?'),
        (["run", "small.toml", "--seeds", "5"], 'did you mean "--seed"?'),
        (["run"], "FILE"),
        (["run", "nope"], "nope"),
        (["run", "small.toml", "-n", "0"], 'found "0"; must be a whole number from 1 to 10000000'),
        (["run", "small.toml", "-n", "many"], 'found "many"; must be a whole number from 1 to 10000000'),
        (["run", "small.toml", "-n", "1k"], 'found "1k"; must be a whole number'),
        (["run", "small.toml", "-n", "1,000"], 'found "1,000"; must be a whole number'),
        (["run", "small"], 'did you mean "small.toml"?'),
        (["run", "gold"], 'did you mean "inference-512/gold", "pretrain-5184/gold" or "rl-2048/gold"?'),
        (["run", "pretrain-gold"], 'did you mean "pretrain-5184/gold"?'),
        (["run", "scenarios/pretrain-5184/gold.toml"], 'did you mean "pretrain-5184/gold"?'),
        (["run", "plant"], "or one of "),
        (["compare", "small.toml", "zzz"], 'a scenario that comes with dcsim; "dcsim list" names those'),
        (["check", "small.toml", "--set", "jobs.train.recovery.kind=checkpoint"], 'did you mean "checkpoint-restart"?'),
        (["check", "small.toml", "--set", "cluster.topology=h100"], 'did you mean "hgx-h100"?'),
        (["check", "small.toml", "--set", "hazards.gpu.detect=0.001 /h"], "is one failure in 1000 h"),
        (["check", "small.toml", "--set", "tco.gpu_hour=2,50 USD"], "write the number with a decimal point"),
        (["check", "small.toml", "--set", "tco.gpu_hour=2.50 EUR"], "prices are in USD; convert other currencies"),
        (["run", "small.toml", "--fail-under", "93"], 'unit is missing: for 93 percent, write --fail-under "93 %".'),
        (["run", "small.toml", "--fail-under", "0.93"], 'unit is missing: for 93 percent, write --fail-under "93 %".'),
        (["run", "small.toml", "--fail-under", "nan %"], "the number must be finite"),
        (["run", "small.toml", "--fail-under", "93 percent"], 'did you mean "93 %"?'),
        (["run", "small.toml", "--precision", "0.5"], "the unit is missing"),
        (["run", "small.toml", "--precision", "0.5 %"], "percentage points are written pp"),
        (["run", "small.toml", "--engine", "simp"], 'found "simp"; allowed: auto, simpy; did you mean "simpy"?'),
        (["run", "small.toml", "--engine", "abacus"], "abacus"),
        (["run", "small.toml", "--shard", "3/2"], "k/n with 1 <= k <= n"),
        (["compare", "small.toml", "other.toml", "--shard", "1/2"], "dcsim merge"),
        (["merge"], "RUN"),
        (["merge", "nowhere"], "nowhere: no such folder"),
        (["merge", "."], ".: neither a shard of a run nor a folder that holds one"),
        (["run", "small.toml", "--workers", "0"], "--workers"),
        (["run", "small.toml", "--seed", "-1"], "-1"),
        (["run", "small.toml", "--fail-under", "101 %"], "found '101 %'; too large; must be at most 100 %"),
        (["run", "small.toml", "-o", "small.toml"], "small.toml is not a folder"),
        (["run", "small.toml", "-o", "/proc/nowhere"], "/proc cannot be written to"),
        (["run", "small.toml", "--set", "jobs.train.gpu=1"], 'did you mean "gpus"'),
        (["compare", "small.toml"], "at least two"),
        (["compare", "small.toml", "nope"], "nope"),
        (
            ["explain", "small.toml", "other.toml"],
            "Found 2 FILEs; must be one. Did you mean dcsim compare small.toml other.toml? Help: ",
        ),
        (["explain"], "Missing argument 'FILE'"),
        (["estimate", "small.toml", "--set", "horizon=3"], "horizon"),
        (["list", "hazrds"], 'no such topic "hazrds"; allowed: strategies, hazards, '),
        (["list", "hazrds"], 'presets, keys; did you mean "hazards"? Help: '),
        (["list", "hazards", "presets"], "unexpected extra argument"),
        (["new", "small.toml"], "exists and is not overwritten"),
        (["new", "x.toml", "--from", "pretrain-5184/glod"], 'did you mean "pretrain-5184/gold"'),
        (["new", "nowhere/x.toml"], "No such file"),
        (["run", "small.toml", "-o", "x" * 300], "a name in it is too long"),
        (["check", "small.toml", "nope"], "nope"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(dcsim, tmp_path, arguments, says):
    """What cannot be done is named in one line on stderr; stdout stays empty and nothing is written."""
    before = sorted(tmp_path.rglob("*"))
    done = dcsim(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says.lower() in line.lower()
    assert "Traceback" not in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_of_many_names_comes_in_lines(dcsim, tmp_path):
    """Where no name is near, all are listed by folder, on lines that fit 80 columns."""
    from dcsim.shipped import shipped_files

    done = dcsim("new", "x.toml", "--from", "zzz")
    assert (done.exit_code, done.stdout, (tmp_path / "x.toml").exists()) == (2, "", False)
    first, *lines = done.stderr.splitlines()
    assert 'no scenario "zzz" comes with dcsim; those that do follow' in first
    assert "  pretrain-5184/ gold, hyperscaler, silver" in lines
    assert max(map(len, lines)) <= 80
    assert sum(len(line.split(",")) - line.endswith(",") for line in lines) == len(shipped_files("scenarios"))


def test_all_mistakes_of_all_files_at_once(dcsim, tmp_path):
    """Two wrong keys in one file and one in another are three lines, each with its file."""
    (tmp_path / "a.toml").write_text((tmp_path / "small.toml").read_text().replace('"20 d"', "20").replace("128", "0"))
    (tmp_path / "b.toml").write_text((tmp_path / "small.toml").read_text().replace("blast", "blost"))
    done = dcsim("check", "a.toml", "b.toml")
    assert done.exit_code == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["a.toml", "a.toml", "b.toml"]


def test_an_unforeseen_error_is_one_line(dcsim, monkeypatch):
    """What nobody foresaw is one line with its kind and exit code 1, and a traceback only where it is asked for."""

    def fail(*_):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("dcsim.cli.files.shipped_descriptions", fail)
    done = dcsim("list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("dcsim: ZeroDivisionError: a b (")
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv("DCSIM_TRACEBACK", "1")
    assert isinstance(dcsim("list").exception, ZeroDivisionError)


def test_ctrl_c_is_exit_code_130(dcsim, monkeypatch):
    """Ctrl-C before anything is computed ends with 130 and one word."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.cli.files.shipped_descriptions", interrupt)
    done = dcsim("list")
    assert (done.exit_code, done.stdout, done.stderr.strip()) == (130, "", "interrupted")


def test_a_reader_that_leaves_is_no_error():
    """With nobody left to read, as after `| head`, nothing is said on stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    for verb in ("list", "schema"):
        assert process(verb, stdout=writer).stderr == ""
    os.close(writer)


def test_a_full_disk_is_one_line():
    """A result that cannot be written is an error, not a traceback and not a success."""
    with open("/dev/full", "w") as full:
        done = process("list", stdout=full)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_knows_only_ascii(tmp_path):
    """Signs that the output's encoding lacks are replaced."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "dcsim", "estimate", "pretrain-5184/gold", "--set", 'name="Größe"']
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Gr??e" in done.stdout


def test_list_names_what_is_shipped(dcsim):
    """`dcsim list` has every shipped name with its description, as text and as JSON."""
    text, document = dcsim("list").stdout, json.loads(dcsim("list", "--json").stdout)
    for kind in ("scenarios", "topologies"):
        assert list(document[kind]) == list(shipped_files(kind))
        assert all(document[kind].values())
        assert all(f"  {name} " in text for name in document[kind])


def test_list_is_of_the_same_schema_as_every_document(dcsim, monkeypatch):
    """The document carries the number that estimates and runs carry."""
    monkeypatch.setattr(import_module("dcsim.decide.estimate"), "SCHEMA", 7)
    assert json.loads(dcsim("list", "--json").stdout)["schema"] == 7


@pytest.mark.parametrize("topic", ["strategies", "hazards", "topologies", "distributions", "presets", "keys"])
def test_list_of_a_topic_is_text_or_one_document(dcsim, topic):
    """`dcsim list TOPIC` prints every table of it in 80 columns, and `--json` the same tables as one document."""
    done = dcsim("list", topic)
    assert (done.exit_code, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    document = json.loads(dcsim("list", topic, "--json").stdout)
    assert (document["schema"], document["topic"]) == (1, topic)
    assert document["tables"]
    for table in document["tables"]:
        assert table["title"] in done.stdout
        assert all(f"\n  {key['name']} " in done.stdout for key in table["keys"])


def test_list_of_hazards_is_read_from_the_models(dcsim):
    """The hazard's keys and every kind of lifetime are there, with type, default and source."""
    tables = {table["title"]: table for table in json.loads(dcsim("list", "hazards", "--json").stdout)["tables"]}
    detect = next(key for key in tables["[[hazards]]"]["keys"] if key["name"] == "detect")
    assert (detect["type"], detect["default"], detect["source"]) == ("duration | distribution", "0 s", "assumed")
    kinds = ("empirical", "exponential", "lognormal", "mixture", "trace", "weibull")
    assert {f'mtbf.kind = "{kind}"' for kind in kinds} <= tables.keys()


def test_list_of_a_topic_loads_no_library_that_simulates():
    """What the models say is printed without loading what a simulation needs."""
    traced = process("list", "strategies", flags=("-X", "importtime"), stdout=subprocess.DEVNULL)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in traced.stderr.splitlines()}
    assert "pydantic" in loaded
    assert {"scipy", "pyarrow", "simpy", "networkx", "matplotlib"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", shipped_files("scenarios"))
def test_new_copies_a_shipped_scenario(dcsim, tmp_path, name):
    """`dcsim new` writes the shipped file, comments included, and the copy stands by itself."""
    assert dcsim("new", "mine.toml", "--from", name).exit_code == 0
    mine = (tmp_path / "mine.toml").read_text().splitlines()
    theirs = shipped_files("scenarios")[name].read_text().splitlines()
    assert [line for line in mine if line not in theirs] == ['name = "mine"', f'description = "started from {name}"']
    assert [line for line in theirs if line not in mine and not line.startswith(("name = ", "description = "))] == []
    done = dcsim("check", "mine.toml")
    assert done.exit_code == 0
    assert done.stdout.startswith("mine.toml: ok\n")


def test_new_copies_what_a_scenario_extends(dcsim, tmp_path, monkeypatch):
    """A scenario of two files is copied as two, the base unchanged; a base that is there already is kept."""
    shipped = {name: tmp_path / "shipped" / f"{name}.toml" for name in ("base", "mid", "leaf")}
    shipped["base"].parent.mkdir()
    shipped["base"].write_text((tmp_path / "small.toml").read_text())
    shipped["mid"].write_text('extends = "base.toml"  # a comment\nseed = 8\n')
    shipped["leaf"].write_text('extends = "mid.toml"\nname = "Leaf"\n')
    monkeypatch.setattr("dcsim.shipped.shipped_files", lambda _: shipped)
    told = dcsim("new", "mine.toml", "--from", "leaf").stdout
    assert told.startswith("mine.toml: a copy of leaf with mid.toml and base.toml, which it extends.")
    assert (
        tmp_path / "mine.toml"
    ).read_text() == 'extends = "mid.toml"\nname = "mine"\ndescription = "started from leaf"\n'
    for base in ("mid.toml", "base.toml"):
        assert (tmp_path / base).read_bytes() == (tmp_path / "shipped" / base).read_bytes()
    assert dcsim("check", "mine.toml").stdout.startswith("mine.toml: ok\n")
    assert dcsim("new", "mine2.toml", "--from", "leaf").exit_code == 0
    (tmp_path / "mid.toml").write_text("seed = 9")
    for file, told in (
        ("mine3.toml", "mid.toml, which it extends, exists and is not overwritten"),
        ("base.toml", "base.toml is the name of what leaf extends"),
    ):
        done = dcsim("new", file, "--from", "leaf")
        assert done.exit_code == 2
        assert told in done.stderr
    assert (tmp_path / "mid.toml").read_text() == "seed = 9"
    assert not (tmp_path / "mine3.toml").exists()


def test_check_names_keys_without_effect(dcsim):
    """A key that the job's strategy or the hazard's effect does not read is allowed, and named."""
    done = dcsim(
        "check", "small.toml", "--set", "jobs.train.recovery.kind=fault-tolerant", "--set", "hazards.gpu.age=1 y"
    )
    assert done.exit_code == 0
    assert "jobs.train.recovery.restore is set, but not used" in done.stdout
    assert "hazards.gpu.age is set, but not used" in done.stdout


def test_schema_is_a_json_schema(dcsim):
    """`dcsim schema` prints one JSON document that describes the scenario's tables."""
    document = json.loads(dcsim("schema").stdout)
    assert {"cluster", "jobs", "hazards", "tco"} <= document["properties"].keys()


def test_completion_lists_the_verbs(dcsim):
    """A shell that asks for completions of `dcsim es` is offered estimate."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "_DCSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": "dcsim es",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-m", "dcsim"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,estimate\n"


def test_copies_that_were_not_renamed_are_told_apart_by_their_files(dcsim, tmp_path):
    """Two offers of one name: the file stands behind it; one file that is named twice is one offer."""
    text = (tmp_path / "small.toml").read_text()
    (tmp_path / "dearer.toml").write_text(text.replace('"4 USD"', '"5 USD"'))
    done = dcsim("compare", "small.toml", "dearer.toml", "-n", "4", "--workers", "1", "--no-report")
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.startswith("Small (small) is cheapest: ")
    assert " at Small (dearer) (" in said
    twice = dcsim("diff", "small.toml", "small.toml")
    assert twice.stdout.startswith("Small and Small have the same inputs.")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "small.toml").write_text(text)
    folders = dcsim("diff", "small.toml", "x/small.toml")
    assert folders.stdout.startswith("Small (small) and Small (x/small) have the same inputs.")
    alone = dcsim("run", "small.toml", "-n", "2", "--workers", "1", "--no-report")
    assert alone.stdout.startswith("Small loses")
